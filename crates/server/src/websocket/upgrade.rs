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
use embudo_types::{Error, Result, code};
use embudo_wire::websocket::{Extension, accept_key, negotiate};
use hyper_util::rt::TokioIo;

use super::{connection, conversation::Conversation, request::Arguments};
use crate::{
    authentication::{self, Attempt, Claim},
    connections::Place,
    router::State,
};

/// Who asks.
pub struct Client {
    /// Where the client is.
    pub address: IpAddr,
    /// The address that it reached this server by, where it said so.
    pub host: Option<String>,
    /// The `token` in its URL.
    token: Option<String>,
    place: Arc<Place>,
}

/// Who a client says that it is; lists show it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The program.
    pub application: String,
    /// Where it is, behind whatever is between; empty where it does not say so.
    pub address: String,
}

impl Client {
    /// Makes the session known as this client's: lists show where it is, and killing it ends the connection.
    pub fn own(&self, session: &EngineSession, introduction: &Introduction) {
        let Introduction { application, address: told } = introduction;
        session.set_origin(Origin {
            application: if application.is_empty() { "websocket" } else { application }.to_owned(),
            address: SocketAddr::new(self.address, self.place.peer.port()).to_string(),
            process: 0,
            user_application: application.clone(),
            user_address: if told.is_empty() { self.address.to_string() } else { told.clone() },
        });
        let place = Arc::clone(&self.place);
        session.on_kill(move || place.killed.notify_one());
    }

    /// The attempt of a request that names a user. A token in the URL counts before `bearer_token`, that before a name with `totp_code`, that before
    /// a name alone. `configured` is a token that the request has elsewhere.
    pub async fn attempt(&self, server: &Arc<State>, arguments: &Arguments, configured: Option<&str>) -> Result<Attempt> {
        let bearer = configured.unwrap_or(arguments.text("bearer_token")?);
        let claim = match &self.token {
            Some(token) => Claim::token(token),
            None if !bearer.is_empty() => Claim::token(bearer),
            None => Claim::password(arguments.text("user")?, arguments.text("password")?, arguments.text("totp_code")?),
        };
        Attempt::new(Arc::clone(server), self.address, claim).await
    }
}

/// What somebody is told over a WebSocket whose user may not come from there.
pub fn unlisted(error: Error) -> Error {
    if error.code() == code::NOT_ALLOWED_TO_CONNECT { Error::with(code::UNCLASSIFIED, "ip not in whitelist") } else { error }
}

/// The `token` in a URL's query.
fn token(query: Option<&str>) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or("").as_bytes());
    pairs.find(|(name, value)| name == "token" && !value.is_empty()).map(|(_, value)| authentication::token_of(&value))
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
    let token = token(request.uri().query());
    let place = request.extensions().get::<Arc<Place>>().cloned();
    let address = place.as_ref().map(|place| authentication::address(headers, place.peer));
    let (Some(place), Some(address), upgrade) = (place, address, hyper::upgrade::on(&mut request)) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    tokio::spawn(async move {
        let client = Client { address, host, token, place: Arc::clone(&place) };
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
