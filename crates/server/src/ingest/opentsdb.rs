//! `POST /opentsdb/v1/put/{json,telnet}/{database}`: OpenTSDB's two forms of points (spec/protocols.md 2.2).

use axum::{
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use embudo_wire::schemaless::LineProtocol;
use serde_json::json;

use super::request::{Failure, Request};
use crate::{incoming::Incoming, refusal::JSON};

/// Writes an object or an array of objects.
pub async fn put_json(Path(database): Path<String>, incoming: Incoming) -> Response {
    put(incoming, database, LineProtocol::Json).await
}

/// Writes lines.
pub async fn put_telnet(Path(database): Path<String>, incoming: Incoming) -> Response {
    put(incoming, database, LineProtocol::Telnet).await
}

async fn put(incoming: Incoming, database: String, protocol: LineProtocol) -> Response {
    let written = async {
        let request = Request::read(incoming, false).await?;
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
