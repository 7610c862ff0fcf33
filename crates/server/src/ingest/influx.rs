//! `POST /influxdb/v1/write`: InfluxDB lines (spec/protocols.md 2.1). `POST /api/v2/write`, the path of InfluxDB 2, is the same, with the
//! database as `bucket` and a user's `name:password` as the token.

use axum::{
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use embudo_wire::schemaless::LineProtocol;

use super::request::{Failure, Request};
use crate::{incoming::Incoming, refusal::JSON};

/// Writes lines into the database that the URL names.
pub async fn write(incoming: Incoming) -> Response {
    match try_write(incoming).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(failure) => respond(&failure),
    }
}

async fn try_write(incoming: Incoming) -> Result<(), Failure> {
    let mut request = Request::read(incoming, true).await?;
    let database = request.parameters.database.take().ok_or_else(|| Failure::parameter("db", "db required".into()))?;
    Ok(request.write_lines(database, LineProtocol::Influx).await?)
}

/// The forms that InfluxDB's clients know, as recorded.
fn respond(failure: &Failure) -> Response {
    let message = serde_json::Value::from(failure.message.as_str());
    // Members stand in the recorded order.
    let of_parameter = |code: &str, op: &str| format!(r#"{{"code":"{code}","message":{message},"op":"{op}","err":{message},"line":0}}"#);
    let body = match (failure.status, failure.parameter) {
        (_, Some("db")) => of_parameter("not found", "get db query"),
        (_, Some(parameter)) => of_parameter("illegal param", &format!("parse {parameter}")),
        (StatusCode::UNAUTHORIZED, None) => r#"{"code":"forbidden","message":"get auth error"}"#.to_owned(),
        (StatusCode::FORBIDDEN, None) => format!(r#"{{"code":"forbidden","message":{message}}}"#),
        (status, None) if status.is_client_error() => of_parameter("illegal param", "read body"),
        _ => format!(r#"{{"code":"internal error","message":{message}}}"#),
    };
    // Whoever may not come from there is told so by InfluxDB's code and the status of a missing login.
    let status = if failure.status == StatusCode::FORBIDDEN { StatusCode::UNAUTHORIZED } else { failure.status };
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}
