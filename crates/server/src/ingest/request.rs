//! What the endpoints have in common: parameters of the URL, who asks, the session that a request runs in.

use std::{sync::Arc, time::Instant};

use axum::http::{StatusCode, header::AUTHORIZATION};
use embudo_engine::{LineOptions, Session};
use embudo_types::{Error, Result, code};
use embudo_wire::{
    authorization::Credentials,
    schemaless::{LineProtocol, TimeUnit},
};

use crate::{
    authentication::{self, Attempt, Claim, token_of},
    incoming::Incoming,
    refusal::{Refusal, UNLISTED},
    rest::body::{self, Held},
    router::State,
};

/// Why a request was not done: the status, and a text for the protocol's form of error.
#[derive(Debug)]
pub struct Failure {
    pub status: StatusCode,
    pub message: String,
    /// The parameter that is wrong or missing.
    pub parameter: Option<&'static str>,
}

impl Failure {
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), parameter: None }
    }

    /// A parameter of the URL that is wrong or missing.
    pub fn parameter(name: &'static str, message: String) -> Self {
        Self { status: StatusCode::BAD_REQUEST, message, parameter: Some(name) }
    }
}

/// The engine's refusal, with its code in the text.
impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.code() {
            code::TOO_MANY_REQUESTS => StatusCode::SERVICE_UNAVAILABLE,
            code::NOT_ALLOWED_TO_CONNECT => return Self::new(StatusCode::FORBIDDEN, UNLISTED),
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, format!("[{:#x}] {}", error.code().0, error.message()))
    }
}

/// A body that could not be read.
impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        let (status, error) = refusal.into_parts();
        Self::new(status, error.map_or_else(|| "the body is no gzip".into(), |error| error.message().to_owned()))
    }
}

/// The URL's parameters.
#[derive(Debug, Default)]
pub struct Parameters {
    pub database: Option<String>,
    pub unit: TimeUnit,
    pub user: Option<String>,
    pub password: Option<String>,
    pub token: Option<String>,
    pub ttl: u32,
    pub table_name_key: Option<String>,
    pub request_id: Option<u64>,
    pub application: Option<String>,
}

impl Parameters {
    /// Reads a URL's query; unknown names are ignored.
    pub fn parse(query: Option<&str>) -> Result<Self, Failure> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.unwrap_or("").as_bytes()).filter(|(_, value)| !value.is_empty()) {
            match name.as_ref() {
                "db" => parameters.database = Some(value.into_owned()),
                // What InfluxDB 2 calls a database, with a retention policy behind it where it is one of version 1.
                "bucket" => parameters.database = Some(value.split('/').next().unwrap_or_default().to_owned()),
                "precision" => parameters.unit = TimeUnit::of_request(&value),
                "u" => parameters.user = Some(value.into_owned()),
                "p" => parameters.password = Some(value.into_owned()),
                "token" => parameters.token = Some(token_of(&value)),
                "ttl" => parameters.ttl = number("ttl", &value)?,
                "table_name_key" => parameters.table_name_key = Some(value.into_owned()),
                "req_id" => parameters.request_id = Some(number("req_id", &value)?),
                "app" => parameters.application = Some(value.into_owned()),
                _ => {}
            }
        }
        Ok(parameters)
    }
}

fn number<T: std::str::FromStr>(name: &'static str, value: &str) -> Result<T, Failure> {
    value.parse().map_err(|_| Failure::parameter(name, format!("illegal param, {name} must be a number: {value:?}")))
}

/// Makes a database the session's, and before that makes it where it is missing and that is wanted.
fn select(session: &Session, database: &str, creates: bool) -> Result<()> {
    match session.use_database(database) {
        Err(error) if creates && error.code() == code::DATABASE_NOT_EXIST => {
            session.execute(&format!("CREATE DATABASE IF NOT EXISTS `{}` PRECISION 'ns'", database.replace('`', "``")), &[])?;
            session.use_database(database)
        }
        outcome => outcome,
    }
}

/// One request on its way to the engine.
pub struct Request {
    pub state: Arc<State>,
    pub parameters: Parameters,
    attempt: Attempt,
    pub body: Held<Vec<u8>>,
}

impl Request {
    /// Takes a request apart. `in_url`: whether `u` and `p` count, before the header.
    pub async fn read(incoming: Incoming, in_url: bool) -> Result<Self, Failure> {
        let Incoming { state, client, query, headers, body } = incoming;
        let mut parameters = Parameters::parse(query.as_deref())?;
        let claim = match (parameters.user.take(), parameters.password.take()) {
            (Some(user), Some(password)) if in_url => Claim::Password(Credentials { user, password }),
            _ => authentication::claim(&headers, parameters.token.as_deref()).map_err(|_| {
                Failure::new(StatusCode::UNAUTHORIZED, if headers.contains_key(AUTHORIZATION) { "unsupported auth type" } else { "auth needed" })
            })?,
        };
        let body = body::read_bytes(&headers, body, &state.options, &state.bodies).await?;
        let attempt = Attempt::new(Arc::clone(&state), client.0, claim).await?;
        tracing::debug!(request_id = parameters.request_id, application = parameters.application, user = attempt.user(), bytes = body.len(), "ingest");
        Ok(Self { state, parameters, attempt, body })
    }

    /// Runs `work` in a session of the user on the database, in a blocking thread.
    pub async fn run<T: Send + 'static>(self, database: String, work: impl FnOnce(&Session, &Parameters, &[u8]) -> Result<T> + Send + 'static) -> Result<T> {
        let started = Instant::now();
        let Self { state, parameters, attempt, body } = self;
        let metrics = Arc::clone(&state.metrics);
        let creates = state.options.adapter.sml_auto_create_db;
        let outcome = state.turns.first(move || {
            let session = attempt.session_of_request("http", parameters.application.as_deref(), None)?;
            select(&session, &database, creates)?;
            work(&session, &parameters, &body)
        });
        let outcome = outcome.await.and_then(|outcome| outcome);
        metrics.statement(started.elapsed());
        outcome.inspect_err(|error| {
            tracing::debug!(%error, "ingest failed");
            metrics.error(error);
        })
    }

    /// Writes the body as points of a protocol.
    pub async fn write_lines(self, database: String, protocol: LineProtocol) -> Result<()> {
        let metrics = Arc::clone(&self.state.metrics);
        let written = self.run(database, move |session, parameters, body| {
            let text = std::str::from_utf8(body).map_err(|error| {
                let at = error.valid_up_to();
                Error::with(code::INVALID_DATA_FORMAT, format!("invalid data: not valid UTF-8 at byte {at}"))
            })?;
            let options = LineOptions { protocol, unit: parameters.unit, ttl: parameters.ttl, table_name_key: parameters.table_name_key.as_deref() };
            session.write_lines(text, &options)
        });
        metrics.rows_affected(written.await?.affected_rows);
        Ok(())
    }
}
