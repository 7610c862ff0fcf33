//! The WebSocket endpoints (spec/protocols.md section 3): `/ws`, its forerunners `/rest/ws`, `/rest/stmt`, `/rest/schemaless`, and
//! `/rest/tmq`.
//!
//! `upgrade` makes a request a connection, `connection` moves messages in and out and knows limits and time-outs, `session` decides which
//! action a message is; one file a subject does it. Statements run in the server's turns like those over REST.

mod action;
mod blocks;
mod cancellation;
mod cells;
mod connection;
mod conversation;
mod execution;
mod information;
mod login;
mod query;
mod reply;
mod request;
mod results;
mod schemaless;
mod session;
mod statement;
mod statement2;
mod statements;
mod tmq;
mod upgrade;
mod write_raw;

use std::sync::Arc;

use axum::{
    extract::{Request, State as Shared},
    http::{HeaderValue, StatusCode},
    response::Response,
};
use embudo_wire::execution::HEADER;

use crate::router::State;
use session::Session;
use tmq::Subscriber;

/// Which path a client came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// `/ws`: everything.
    Unified,
    /// `/rest/ws`: queries only.
    Query,
    /// `/rest/stmt`: prepared statements only.
    Statement,
    /// `/rest/schemaless`: line protocols only.
    Schemaless,
}

/// `/ws`. A server that passes for another version tells of no actions of its own.
pub async fn unified(state: Shared<Arc<State>>, request: Request) -> Response {
    let is_our_own = state.options.advertised_version.is_our_own();
    let mut response = serve(state.0, Endpoint::Unified, request);
    if is_our_own && response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let (name, value) = HEADER;
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// `/rest/ws`.
pub async fn query(state: Shared<Arc<State>>, request: Request) -> Response {
    serve(state.0, Endpoint::Query, request)
}

/// `/rest/stmt`.
pub async fn statement(state: Shared<Arc<State>>, request: Request) -> Response {
    serve(state.0, Endpoint::Statement, request)
}

/// `/rest/schemaless`.
pub async fn schemaless_lines(state: Shared<Arc<State>>, request: Request) -> Response {
    serve(state.0, Endpoint::Schemaless, request)
}

/// `/rest/tmq`.
pub async fn subscription(state: Shared<Arc<State>>, request: Request) -> Response {
    upgrade::answer(request, move |client| Subscriber::new(state.0, client))
}

fn serve(state: Arc<State>, endpoint: Endpoint, request: Request) -> Response {
    upgrade::answer(request, move |client| Session::new(state, endpoint, client))
}
