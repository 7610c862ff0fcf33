//! The HTTP upgrade (RFC 6455 section 4.2).

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::Request,
    http::{
        HeaderMap, HeaderName, HeaderValue, StatusCode,
        header::{CONNECTION, HOST, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
    },
    response::{IntoResponse, Response},
};
use embudo_engine::{Origin, Session as EngineSession};
use embudo_wire::websocket::{Extension, accept_key, negotiate};
use hyper_util::rt::TokioIo;

use super::{connection, conversation::Conversation};
use crate::{authentication, connections::Place};

/// Who asks.
pub struct Client {
    /// Where the client is.
    pub address: IpAddr,
    /// The address that it reached this server by, where it said so.
    pub host: Option<String>,
    place: Arc<Place>,
}

impl Client {
    /// Makes the session known as this client's: lists show where it is, and killing it ends the connection.
    pub fn own(&self, session: &EngineSession, application: &str) {
        let address = SocketAddr::new(self.address, self.place.peer.port()).to_string();
        let application = if application.is_empty() { "websocket" } else { application };
        session.set_origin(Origin { application: application.to_owned(), address, process: 0 });
        let place = Arc::clone(&self.place);
        session.on_kill(move || place.killed.notify_one());
    }
}

/// Answers a request for a WebSocket, and serves it from then on with what `session` makes for the client.
pub fn answer<C: Conversation>(mut request: Request, session: impl FnOnce(Client) -> C + Send + 'static) -> Response {
    let headers = request.headers();
    let Some(accept) = key(headers).map(accept_key).and_then(|accept| HeaderValue::try_from(accept).ok()) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        let versions = [(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"))];
        return (StatusCode::UPGRADE_REQUIRED, versions).into_response();
    }
    let deflates = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().any(|offer| offer.to_str().is_ok_and(negotiate));
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).map(str::to_owned);
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let address = place.as_ref().map(|place| authentication::address(headers, place.peer));
    let (Some(place), Some(address), upgrade) = (place, address, hyper::upgrade::on(&mut request)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    tokio::spawn(async move {
        let client = Client { address, host, place: Arc::clone(&place) };
        match upgrade.await {
            Ok(stream) => connection::serve(TokioIo::new(stream), session(client), deflates, place).await,
            Err(error) => tracing::debug!(%error, "an upgrade broke off"),
        }
    });
    let mut response = (StatusCode::SWITCHING_PROTOCOLS, Body::empty()).into_response();
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    if deflates {
        headers.insert(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(Extension::HEADER));
    }
    response
}

/// The key of a request that asks for a WebSocket.
fn key(headers: &HeaderMap) -> Option<&str> {
    let names = |name: HeaderName, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    if !names(UPGRADE, "websocket") || !names(CONNECTION, "upgrade") {
        return None;
    }
    headers.get(SEC_WEBSOCKET_KEY)?.to_str().ok().filter(|key| !key.is_empty())
}
