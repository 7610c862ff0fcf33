//! Answers that are no result: errors and messages as `{"code":…,"desc":…}` (spec/protocols.md 1.6), and the adapter's plain 404.

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use embudo_types::{Code, Error, code};
use embudo_wire::rest;

use crate::{AdapterOptions, compression::Sink};

/// The type of every JSON body.
pub const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// A code and a text with a status of its own.
pub fn message(status: StatusCode, code: Code, desc: &str) -> Response {
    (status, [(CONTENT_TYPE, JSON)], rest::message(code, desc)).into_response()
}

/// A request that is not answered with a result.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    error: Option<Error>,
}

impl Refusal {
    /// A refusal with a status.
    pub fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error: Some(error) }
    }

    /// A statement that failed, with the status that the settings give it.
    pub fn of_statement(error: Error, options: &AdapterOptions) -> Self {
        let code = error.code();
        let refusal = Self::from(error);
        if refusal.status == StatusCode::OK { Self { status: options.status(code), ..refusal } } else { refusal }
    }

    /// A status and nothing else.
    pub fn bare(status: StatusCode) -> Self {
        Self { status, error: None }
    }

    /// A request whose parameters cannot be understood.
    pub fn bad_request(desc: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Error::with(code::UNCLASSIFIED, desc))
    }

    /// Its status, and the error where there is one.
    pub fn into_parts(self) -> (StatusCode, Option<Error>) {
        (self.status, self.error)
    }

    /// The response, compressed for a client that asked for it.
    pub fn respond(self, gzip: bool) -> Response {
        let Some(error) = &self.error else { return self.status.into_response() };
        let mut sink = Sink::new(gzip);
        sink.text().extend(rest::message(error.code(), error.message()));
        match sink.finish() {
            Ok(body) if gzip => (self.status, [(CONTENT_TYPE, JSON), (CONTENT_ENCODING, HeaderValue::from_static("gzip"))], body).into_response(),
            _ => message(self.status, error.code(), error.message()),
        }
    }
}

/// What somebody is told over HTTP whose user may not come from there.
pub const UNLISTED: &str = "whitelist prohibits current IP access";

/// A statement's failure: HTTP 200, as clients expect, but 503 where the server was too busy to start it, and 403 where the user may not come from
/// there.
impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error.code() {
            code::TOO_MANY_REQUESTS => Self::new(StatusCode::SERVICE_UNAVAILABLE, error),
            code::NOT_ALLOWED_TO_CONNECT => Self::new(StatusCode::FORBIDDEN, Error::with(code::UNCLASSIFIED, UNLISTED)),
            _ => Self::new(StatusCode::OK, error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.respond(false)
    }
}

/// What every unknown path and wrong method gets.
pub async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, [(CONTENT_TYPE, HeaderValue::from_static("text/plain"))], Body::from("404 page not found")).into_response()
}
