//! `POST /rest/sql[/{database}]`: one statement, its result as JSON.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use axum::{extract::Path as InPath, http::header::ACCEPT_ENCODING, response::Response};
use embudo_engine::Session;
use embudo_types::{Error, Result, Zone, code};
use embudo_wire::rest;

use super::{
    body::{Held, read_statement},
    parameters::Parameters,
};
use crate::{
    answer::{self, Form, Piece},
    authentication::{Attempt, claim},
    compression::accepts_gzip,
    incoming::Incoming,
    log_text::Loggable,
    refusal::Refusal,
    router::State,
};

/// Runs a statement without a database.
pub async fn run(incoming: Incoming) -> Response {
    respond(incoming, Path::default()).await
}

/// `/rest/sqlt`, which TDengine 2 had: timestamps come as numbers.
pub async fn run_with_numbers(incoming: Incoming) -> Response {
    respond(incoming, Path { database: None, epoch: true }).await
}

/// The same in a database.
pub async fn run_with_numbers_in_database(InPath(database): InPath<String>, incoming: Incoming) -> Response {
    respond(incoming, Path { database: Some(database), epoch: true }).await
}

/// What the path says.
#[derive(Default)]
struct Path {
    database: Option<String>,
    /// Timestamps as numbers.
    epoch: bool,
}

/// Runs a statement in a database. One that does not exist is no error of its own: the statement may not need it.
pub async fn run_in_database(InPath(database): InPath<String>, incoming: Incoming) -> Response {
    respond(incoming, Path { database: Some(database), epoch: false }).await
}

async fn respond(incoming: Incoming, path: Path) -> Response {
    let gzip = incoming.headers.get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).is_some_and(accepts_gzip);
    let state = Arc::clone(&incoming.state);
    match answer(incoming, path, gzip).await {
        Ok(piece) => piece.into_response(gzip, state.turns.clone(), state.options.result_timeout),
        Err(refusal) => refusal.respond(gzip),
    }
}

async fn answer(incoming: Incoming, path: Path, gzip: bool) -> Result<Piece, Refusal> {
    let Incoming { state, client, query, headers, body } = incoming;
    let parameters = Parameters::parse(query.as_deref())?;
    let claim = claim(&headers, parameters.token.as_deref())?;
    let statement = read_statement(&headers, body, &state.options, &state.bodies).await?;
    let attempt = Attempt::new(Arc::clone(&state), client.0, claim).await?;
    let started = Instant::now();
    tracing::debug!(request_id = parameters.request_id, application = parameters.application, user = attempt.user(), "{}", Loggable(&statement));
    let call = Arc::new(Call {
        state: Arc::clone(&state),
        attempt,
        database: path.database,
        zone: parameters.session_zone,
        application: parameters.application,
        told_address: parameters.address,
        statement,
        form: Form {
            options: rest::Options { zone: parameters.shown_zone.unwrap_or_else(Zone::utc), row_with_meta: parameters.row_with_meta, epoch: path.epoch },
            timing: parameters.timing,
            gzip,
            row_limit: state.options.adapter.restful_row_limit.unwrap_or(usize::MAX),
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
        Refusal::of_statement(error, &state.options.adapter)
    })
}

/// One statement of one client.
struct Call {
    state: Arc<State>,
    attempt: Attempt,
    database: Option<String>,
    zone: Option<Zone>,
    application: Option<String>,
    told_address: Option<String>,
    statement: Held<String>,
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
        let session = Arc::new(self.attempt.session_of_request("rest", self.application.as_deref(), self.told_address.as_deref())?);
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
