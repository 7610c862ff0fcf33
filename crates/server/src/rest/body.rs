//! A request's body: read within a limit and a time, inflated, and made a statement. What all bodies hold together is bounded too, so that
//! clients which send slowly, or not to the end, cannot fill the memory.

use std::ops::Deref;

use axum::{
    body::Body,
    http::{
        HeaderMap, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_LENGTH},
    },
};
use embudo_types::{Error, code};
use http_body_util::BodyExt;
use tokio::{
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

use crate::{
    budget::{Budget, FREE, NoRoom, Share},
    compression::{self, Failure},
    options::ServerOptions,
    refusal::Refusal,
};

/// The most that a byte of gzip becomes.
const LARGEST_RATIO: usize = 1_032;
/// Up to this size gzip is inflated where sockets are handled.
const INFLATED_AT_ONCE: usize = 4 << 10;
/// How many of its longest pauses a body may take in all.
const PAUSES: u32 = 10;

/// Something made of a body, which holds its share of the budget.
#[derive(Debug)]
pub struct Held<T> {
    value: T,
    /// Given back with the value.
    share: Share,
}

impl<T> Held<T> {
    fn map<U>(self, make: impl FnOnce(T) -> Result<U, Refusal>) -> Result<Held<U>, Refusal> {
        Ok(Held { value: make(self.value)?, share: self.share })
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// Reads the statement that a body holds.
pub async fn read_statement(headers: &HeaderMap, body: Body, options: &ServerOptions, budget: &Budget) -> Result<Held<String>, Refusal> {
    let bytes = read(headers, body, options, budget).await?;
    if bytes.is_empty() {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, Error::new(code::REQUEST_EMPTY)));
    }
    inflated(headers, bytes, options, budget).await?.map(statement)
}

fn statement(bytes: Vec<u8>) -> Result<String, Refusal> {
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
pub async fn read_bytes(headers: &HeaderMap, body: Body, options: &ServerOptions, budget: &Budget) -> Result<Held<Vec<u8>>, Refusal> {
    let bytes = read(headers, body, options, budget).await?;
    if bytes.is_empty() { Ok(bytes) } else { inflated(headers, bytes, options, budget).await }
}

async fn inflated(headers: &HeaderMap, bytes: Held<Vec<u8>>, options: &ServerOptions, budget: &Budget) -> Result<Held<Vec<u8>>, Refusal> {
    if !headers.get(CONTENT_ENCODING).is_some_and(|coding| coding.as_bytes().eq_ignore_ascii_case(b"gzip")) {
        return Ok(bytes);
    }
    let limit = options.body_bytes;
    let mut share = Share::default();
    budget.extend(&mut share, bytes.len().saturating_mul(LARGEST_RATIO).min(limit)).await?;
    let inflated = if bytes.len() <= INFLATED_AT_ONCE {
        compression::inflate(&bytes, limit)
    } else {
        // Much work is not done where sockets are handled.
        let inflated = spawn_blocking(move || compression::inflate(&bytes, limit)).await;
        inflated.map_err(|source| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, Error::internal(source)))?
    };
    let value = inflated.map_err(|failure| match failure {
        // As recorded, without a text.
        Failure::Broken => Refusal::bare(StatusCode::BAD_REQUEST),
        Failure::TooBig => too_big(limit),
    })?;
    share.shrink(value.len());
    Ok(Held { value, share })
}

/// Too many bodies at a time.
impl From<NoRoom> for Refusal {
    fn from(_: NoRoom) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, Error::new(code::TOO_MANY_REQUESTS))
    }
}

fn too_big(limit: usize) -> Refusal {
    let text = format!("{}: the limit is {limit} bytes", code::REQUEST_TOO_BIG.text());
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Error::with(code::REQUEST_TOO_BIG, text))
}

/// The body's bytes. A body that announces too much is refused before it is read; one that pauses too long, or takes too long in all, is
/// given up.
async fn read(headers: &HeaderMap, mut body: Body, options: &ServerOptions, budget: &Budget) -> Result<Held<Vec<u8>>, Refusal> {
    let limit = options.body_bytes;
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok()).unwrap_or(0);
    if announced > limit {
        return Err(too_big(limit));
    }
    let unreadable = |status, text: &str| Refusal::new(status, Error::with(code::INVALID_CONTENT_LENGTH, text));
    let end = Instant::now() + options.body_timeout * PAUSES;
    let mut share = Share::default();
    // Grows with what arrives, not with what is announced.
    let mut bytes = Vec::with_capacity(announced.min(FREE));
    loop {
        let next = timeout_at(end.min(Instant::now() + options.body_timeout), body.frame());
        let frame = match next.await {
            Ok(None) => return Ok(Held { value: bytes, share }),
            Ok(Some(Ok(frame))) => frame,
            Ok(Some(Err(error))) => return Err(unreadable(StatusCode::BAD_REQUEST, &format!("the request's body broke off: {error}"))),
            Err(_) => return Err(unreadable(StatusCode::REQUEST_TIMEOUT, "the request's body did not arrive in time")),
        };
        if let Ok(data) = frame.into_data() {
            if bytes.len() + data.len() > limit {
                return Err(too_big(limit));
            }
            budget.extend(&mut share, bytes.len() + data.len()).await?;
            bytes.extend_from_slice(&data);
        }
    }
}
