//! A request's body: read within a limit and a time, inflated, and made a statement.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH},
    },
};
use embudo_types::{Error, code};
use http_body_util::BodyExt;
use tokio::time::timeout;

use crate::{
    compression::{self, Failure},
    options::ServerOptions,
    refusal::Refusal,
};

/// Reads the statement that a body holds.
pub async fn read_statement(headers: &HeaderMap, body: Body, options: &ServerOptions) -> Result<String, Refusal> {
    let mut bytes = read(headers, body, options.body_bytes, options.body_timeout).await?;
    if bytes.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Error::new(code::REQUEST_EMPTY)));
    }
    bytes = inflated(headers, bytes, options)?;
    let statement = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Refusal::from(Error::with(code::SYNTAX_ERROR_NEAR, format!("syntax error: the statement is not valid UTF-8 at byte {at}")))
    })?;
    let trimmed = statement.trim();
    match trimmed.len() {
        0 => Err(Refusal::new(StatusCode::BAD_REQUEST, Error::new(code::NO_SQL))),
        length if length == statement.len() => Ok(statement),
        _ => Ok(trimmed.to_owned()),
    }
}

/// Reads a body of any kind, inflated.
pub async fn read_bytes(headers: &HeaderMap, body: Body, options: &ServerOptions) -> Result<Vec<u8>, Refusal> {
    let bytes = read(headers, body, options.body_bytes, options.body_timeout).await?;
    if bytes.is_empty() { Ok(bytes) } else { inflated(headers, bytes, options) }
}

fn inflated(headers: &HeaderMap, bytes: Vec<u8>, options: &ServerOptions) -> Result<Vec<u8>, Refusal> {
    if !headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
        return Ok(bytes);
    }
    compression::inflate(&bytes, options.body_bytes).map_err(|failure| match failure {
        // As recorded, without a text.
        Failure::Broken => Refusal::bare(StatusCode::BAD_REQUEST),
        Failure::TooBig => too_big(options.body_bytes),
    })
}

fn too_big(limit: usize) -> Refusal {
    let text = format!("{}: the limit is {limit} bytes", code::REQUEST_TOO_BIG.text());
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Error::with(code::REQUEST_TOO_BIG, text))
}

/// The body's bytes. A body that announces too much is refused before it is read.
async fn read(headers: &HeaderMap, mut body: Body, limit: usize, pause: Duration) -> Result<Vec<u8>, Refusal> {
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    if announced > limit {
        return Err(too_big(limit));
    }
    let unreadable = |status, text: &str| Refusal::new(status, Error::with(code::INVALID_CONTENT_LENGTH, text));
    // Grows with what arrives, not with what is announced.
    let mut bytes = Vec::with_capacity(announced.min(64 << 10));
    loop {
        let frame = match timeout(pause, body.frame()).await {
            Ok(None) => return Ok(bytes),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(unreadable(StatusCode::BAD_REQUEST, &format!("the request's body broke off: {error}"))),
            Err(_) => return Err(unreadable(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time")),
        };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > limit {
                return Err(too_big(limit));
            }
            bytes.extend_from_slice(&data);
        }
    }
}
