//! `POST /rest/sql[/{database}]`: one statement, its result as JSON.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{
    body::Body,
    extract::{Path, RawQuery, State as Shared},
    http::{HeaderMap, header::ACCEPT_ENCODING},
    response::Response,
};
use embudo_engine::Session;
use embudo_types::{Error, Result, Zone, code};
use embudo_wire::{authorization::Credentials, rest};

use super::{body::read_statement, parameters::Parameters};
use crate::{
    answer::{self, Form, Piece},
    authentication::credentials,
    compression::accepts_gzip,
    refusal::Refusal,
    router::State,
};

/// Runs a statement without a database.
pub async fn run(state: Shared<Arc<State>>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    respond(state.0, None, query, headers, body).await
}

/// Runs a statement in a database. One that does not exist is no error of its own: the statement may not need it.
pub async fn run_in_database(state: Shared<Arc<State>>, Path(database): Path<String>, query: RawQuery, headers: HeaderMap, body: Body) -> Response {
    respond(state.0, Some(database), query, headers, body).await
}

async fn respond(state: Arc<State>, database: Option<String>, RawQuery(query): RawQuery, headers: HeaderMap, body: Body) -> Response {
    let gzip = headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(accepts_gzip);
    match answer(&state, database, query.as_deref(), &headers, body, gzip).await {
        Ok(piece) => piece.into_response(gzip, state.turns.clone(), state.options.result_timeout),
        Err(refusal) => refusal.respond(gzip),
    }
}

async fn answer(state: &Arc<State>, database: Option<String>, query: Option<&str>, headers: &HeaderMap, body: Body, gzip: bool) -> Result<Piece, Refusal> {
    let parameters = Parameters::parse(query)?;
    let credentials = credentials(headers, parameters.token.as_deref())?;
    let statement = read_statement(headers, body, &state.options).await?;
    let started = Instant::now();
    tracing::debug!(request_id = parameters.request_id, application = parameters.application, user = credentials.user, "{}", loggable(&statement));
    let call = Arc::new(Call {
        state: Arc::clone(state),
        credentials,
        database,
        zone: parameters.session_zone,
        statement,
        form: Form {
            options: rest::Options { zone: parameters.shown_zone.unwrap_or_else(Zone::utc), row_with_meta: parameters.row_with_meta },
            timing: parameters.timing,
            gzip,
        },
        started,
        left: Left::default(),
    });
    let watch = LeaveWatch(Some(Arc::clone(&call)));
    let piece = state.turns.first(move || call.run()).await.and_then(|piece| piece);
    watch.stayed();
    state.metrics.statement(started.elapsed());
    piece.map_err(|error| {
        tracing::debug!(%error, "statement failed");
        state.metrics.error(&error);
        Refusal::from(error)
    })
}

/// What the log may show of a statement: none that sets a password, and of a long one its beginning.
fn loggable(statement: &str) -> &str {
    const SHOWN: usize = 1_000;
    if statement.len() < SHOWN && statement.split_whitespace().any(|word| word.eq_ignore_ascii_case("pass")) {
        return "a statement with a password";
    }
    let end = (0..=SHOWN.min(statement.len())).rev().find(|&at| statement.is_char_boundary(at));
    &statement[..end.unwrap_or(0)]
}

/// One statement of one client.
struct Call {
    state: Arc<State>,
    credentials: Credentials,
    database: Option<String>,
    zone: Option<Zone>,
    statement: String,
    form: Form,
    started: Instant,
    left: Left,
}

/// Whether the client left, and the session that is to hear of it.
#[derive(Default)]
struct Left {
    said: AtomicBool,
    session: OnceLock<Arc<Session>>,
}

impl Call {
    /// Runs the statement up to its result's first piece; blocks.
    fn run(&self) -> Result<Piece> {
        self.state.engine.authenticate(&self.credentials.user, &self.credentials.password)?;
        let session = Arc::new(self.state.engine.session(&self.credentials.user)?);
        let _ = self.left.session.set(Arc::clone(&session));
        if let Some(zone) = &self.zone {
            session.set_zone(zone.clone());
        }
        if let Some(database) = &self.database {
            // The statement that needs the database reports that it is missing.
            let _ = session.use_database(database);
        }
        if self.left.said.load(Ordering::Acquire) {
            return Err(Error::new(code::QUERY_TERMINATED));
        }
        let result = session.execute(&self.statement, &[])?;
        answer::first_piece(session, result, &self.form, self.started, Arc::clone(&self.state.metrics))
    }
}

/// Interrupts a statement whose client has left: hyper drops the request then, and this with it.
struct LeaveWatch(Option<Arc<Call>>);

impl LeaveWatch {
    /// The client is still there and the statement is done.
    fn stayed(mut self) {
        self.0 = None;
    }
}

impl Drop for LeaveWatch {
    fn drop(&mut self) {
        let Some(call) = &self.0 else { return };
        call.left.said.store(true, Ordering::Release);
        if let Some(session) = call.left.session.get() {
            session.interrupt();
        }
    }
}
