//! `POST /influxdb/v1/write`: InfluxDB lines (spec/protocols.md 2.1).

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{RawQuery, State as Shared},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use embudo_wire::schemaless::LineProtocol;
use serde_json::json;

use super::request::{Failure, Request};
use crate::{refusal::JSON, router::State};

/// Writes lines into the database that the URL names.
pub async fn write(Shared(state): Shared<Arc<State>>, RawQuery(query): RawQuery, headers: HeaderMap, body: Body) -> Response {
    match try_write(state, query.as_deref(), &headers, body).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => respond(&failure),
    }
}

async fn try_write(state: Arc<State>, query: Option<&str>, headers: &HeaderMap, body: Body) -> Result<(), Failure> {
    let mut request = Request::read(state, query, headers, body, true).await?;
    let database = request.parameters.database.take().ok_or_else(|| Failure::parameter("db", "db required".into()))?;
    Ok(request.write_lines(database, LineProtocol::Influx).await?)
}

/// The forms that InfluxDB's clients know, as recorded.
fn respond(failure: &Failure) -> Response {
    let message = &failure.message;
    let body = match (failure.status, failure.parameter) {
        (_, Some("db")) => json!({"code": "not found", "message": message, "op": "get db query", "err": message, "line": 0}),
        (_, Some(parameter)) => json!({"code": "illegal param", "message": message, "op": format!("parse {parameter}"), "err": message, "line": 0}),
        (StatusCode::UNAUTHORIZED, None) => json!({"code": "forbidden", "message": "get auth error"}),
        (status, None) if status.is_client_error() => json!({"code": "illegal param", "message": message, "op": "read body", "err": message, "line": 0}),
        _ => json!({"code": "internal error", "message": message}),
    };
    (failure.status, [(CONTENT_TYPE, JSON)], body.to_string()).into_response()
}
