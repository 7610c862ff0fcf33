//! `POST /opentsdb/v1/put/{json,telnet}/{database}`: OpenTSDB's two forms of points (spec/protocols.md 2.2).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Path, RawQuery, State as Shared},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use embudo_wire::schemaless::LineProtocol;
use serde_json::json;

use super::request::{Failure, Request};
use crate::{authentication::ClientAddress, refusal::JSON, router::State};

/// Writes an object or an array of objects.
pub async fn put_json(
    state: Shared<Arc<State>>,
    client: ClientAddress,
    Path(database): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    put(state.0, client, database, LineProtocol::Json, query, headers, body).await
}

/// Writes lines.
pub async fn put_telnet(
    state: Shared<Arc<State>>,
    client: ClientAddress,
    Path(database): Path<String>,
    query: RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    put(state.0, client, database, LineProtocol::Telnet, query, headers, body).await
}

async fn put(
    state: Arc<State>,
    client: ClientAddress,
    database: String,
    protocol: LineProtocol,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let written = async {
        let request = Request::read(state, client, query.as_deref(), &headers, body, false).await?;
        Ok::<(), Failure>(request.write_lines(database, protocol).await?)
    };
    match written.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => {
            let body = json!({"code": failure.status.as_u16(), "message": failure.message});
            (failure.status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
        }
    }
}
