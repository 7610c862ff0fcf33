//! What handlers of requests with a body take, in one piece: the server, who asks, the URL's query, headers, the body still unread.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode},
};

use crate::{authentication::ClientAddress, router::State};

/// A request before anything of it was believed.
pub struct Incoming {
    pub state: Arc<State>,
    pub client: ClientAddress,
    /// The URL's query as it came.
    pub query: Option<String>,
    pub headers: HeaderMap,
    pub body: Body,
}

impl FromRequest<Arc<State>> for Incoming {
    type Rejection = StatusCode;

    async fn from_request(request: Request, state: &Arc<State>) -> Result<Self, StatusCode> {
        let (mut parts, body) = request.into_parts();
        let client = ClientAddress::from_request_parts(&mut parts, state).await?;
        Ok(Self { state: Arc::clone(state), client, query: parts.uri.query().map(str::to_owned), headers: parts.headers, body })
    }
}
