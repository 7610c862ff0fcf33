//! The embedded transport: a session of the engine in this process. That one directory has one engine, and that named
//! memory is shared, is the engine's doing.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use arrow_array::RecordBatch;
use embudo_engine::{CancelToken, Engine, EngineOptions, Origin, Proof, Session};
use embudo_types::{Error, Outcome, Result, ResultSet, Value, Zone, code, subscription::SubscribeOptions};

use crate::{
    Driver, Dsn, Introduction, LineOptions, LinesWritten, Location, Request, Subscription, Transport,
    asynchronous::{AsyncResult, OwnedRequest, Pending, Pulled},
    deadline::{Deadline, within},
    embedded_statement::EmbeddedStatement,
    embedded_subscription::EmbeddedSubscription,
    ingest::column_of_rows,
    literal,
};

/// A session in this process.
pub struct EmbeddedDriver {
    /// `None` once closed.
    session: Mutex<Option<Arc<Session>>>,
    timeout: Option<Duration>,
}

impl EmbeddedDriver {
    /// Opens the DSN's database, or joins it where this process has it open.
    pub fn open(dsn: &Dsn) -> Result<Self> {
        let location = match &dsn.location {
            Location::Memory => embudo_engine::Location::Memory,
            Location::SharedMemory(name) => embudo_engine::Location::SharedMemory(name.clone()),
            Location::Directory(path) => embudo_engine::Location::Directory(path.clone()),
            Location::Hosts(_) => return Err(Error::with(code::INVALID_CONFIG_OPTION, "an embedded database has no host")),
        };
        let zone = dsn.option("timezone").map(Zone::named).transpose()?;
        let options = EngineOptions {
            location,
            read_only: dsn.flag("read_only")?.unwrap_or(false),
            memory_limit: dsn.option("memory_limit").map(bytes).transpose()?,
            ..EngineOptions::memory()
        };
        let engine = Engine::open(options)?;
        let session = session(&engine, dsn)?;
        if let Some(zone) = zone {
            session.set_zone(zone);
        }
        if let Some(database) = &dsn.database {
            session.use_database(database)?;
        }
        Ok(Self { session: Mutex::new(Some(Arc::new(session))), timeout: dsn.duration("timeout")? })
    }

    fn session(&self) -> Result<Arc<Session>> {
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner).clone();
        session.ok_or_else(|| Error::with(code::INVALID_OPTION, "the connection is closed"))
    }
}

/// A session of the DSN's user. Whoever opens a directory may read it, so that a name alone is enough; what else is told is checked.
fn session(engine: &Arc<Engine>, dsn: &Dsn) -> Result<Session> {
    let user = dsn.user.as_deref().unwrap_or("root");
    let (token, code) = (dsn.option("bearer_token").or(dsn.option("token")), dsn.option("totp_code"));
    let proof = match (token, &dsn.password) {
        (Some(token), _) => Proof::Token(token),
        (None, Some(password)) => Proof::Password { user, password: password.reveal(), code: code.unwrap_or_default() },
        (None, None) if code.is_some() => return Err(Error::with(code::INVALID_CONFIG_OPTION, "a totp_code needs the password too")),
        (None, None) => return engine.session(user),
    };
    engine.log_in(proof, Ipv4Addr::LOCALHOST.into()).map(|login| engine.session_of(&login))
}

impl Driver for EmbeddedDriver {
    fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
        let session = self.session()?;
        if !request.parameters.is_empty() {
            literal::counted_placeholders(request.sql, request.parameters)?;
        }
        execute(&session, request, request.timeout.or(self.timeout), &CancelToken::new())
    }

    fn start(self: Arc<Self>, request: OwnedRequest) -> Pending<AsyncResult> {
        let cancel = CancelToken::new();
        let guard = Cancelling(cancel.clone());
        Pulled::start(guard, move || {
            let session = self.session()?;
            if !request.parameters.is_empty() {
                literal::counted_placeholders(&request.sql, &request.parameters)?;
            }
            execute(&session, &request.as_request(), request.timeout.or(self.timeout), &cancel)
        })
    }

    fn insert(&self, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
        self.session()?.insert_batches(target, batches)
    }

    fn insert_rows(&self, sql: &str, rows: &[Vec<Value>]) -> Result<Option<u64>> {
        let session = self.session()?;
        let mut statement = session.statement(sql)?;
        let Some(width) = rows.first().map(Vec::len).filter(|&width| statement.is_insert() && statement.parameter_count() == width) else { return Ok(None) };
        let Some(fields) = statement.columns().ok().filter(|fields| fields.len() == width) else { return Ok(None) };
        let zone = session.zone();
        let columns = fields.iter().enumerate().map(|(place, field)| column_of_rows(rows, place, &field.name, field.data_type, field.precision, &zone));
        let Ok(columns) = columns.collect::<Result<Vec<_>>>() else { return Ok(None) };
        statement.bind(&columns)?;
        statement.execute().map(Some)
    }

    fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        let LineOptions { protocol, unit, ttl, table_name_key, request_id: _ } = *options;
        let written = self.session()?.write_lines(text, &embudo_engine::LineOptions { protocol, unit, ttl, table_name_key })?;
        Ok(LinesWritten { affected_rows: written.affected_rows, total_rows: written.total_rows })
    }

    fn prepare(&self, sql: &str) -> Result<Box<dyn crate::Statement>> {
        Ok(Box::new(EmbeddedStatement::prepare(self.session()?, sql)?))
    }

    fn validate(&self, sql: &str) -> Result<()> {
        self.session()?.statement(sql).map(drop)
    }

    fn reset_database(&self) -> Result<()> {
        self.session()?.leave_database();
        Ok(())
    }

    fn set_timezone(&self, name: &str) -> Result<()> {
        self.session()?.set_zone(Zone::named(name)?);
        Ok(())
    }

    fn introduce(&self, introduction: &Introduction) -> Result<()> {
        let text = |said: &Option<String>| said.clone().unwrap_or_default();
        let origin = Origin { user_application: text(&introduction.application), user_address: text(&introduction.address), ..Origin::default() };
        self.session()?.set_origin(origin);
        Ok(())
    }

    fn subscribe(&self, options: SubscribeOptions) -> Result<Box<dyn Subscription>> {
        Ok(Box::new(EmbeddedSubscription::begin(&*self.session()?, options)?))
    }

    fn write_raw(&self, raw: crate::RawMessage<'_>) -> Result<()> {
        let session = self.session()?;
        let (events, body) = embudo_wire::tmq::decode_message(raw)?;
        events.iter().try_for_each(|event| session.apply_event(event))?;
        body.blocks.iter().try_for_each(|block| session.apply_rows(block).map(drop))
    }

    fn transport(&self) -> Transport {
        Transport::Embedded
    }

    fn engine(&self) -> Option<Arc<Engine>> {
        self.session().ok().map(|session| session.engine().clone())
    }

    fn interrupt(&self) {
        if let Ok(session) = self.session() {
            session.interrupt();
        }
    }

    fn close(&self) -> Result<()> {
        *self.session.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

/// Stops the statement when the future that wants its rows is dropped.
struct Cancelling(CancelToken);

impl Drop for Cancelling {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

fn execute(session: &Session, request: &Request<'_>, timeout: Option<Duration>, cancel: &CancelToken) -> Result<ResultSet> {
    let Some(timeout) = timeout else { return session.execute_cancellable(request.sql, request.parameters, cancel) };
    let late = cancel.clone();
    let deadline = Deadline::start(timeout, Box::new(move || late.cancel()))?;
    let result = deadline.check(session.execute_cancellable(request.sql, request.parameters, cancel))?;
    Ok(match result.outcome {
        Outcome::Rows(batches) => ResultSet { schema: result.schema, outcome: Outcome::Rows(within(deadline, batches)) },
        affected @ Outcome::Affected(_) => ResultSet { schema: result.schema, outcome: affected },
    })
}

/// A number of bytes: digits, with K, M or G (and B, iB) for powers of 1,024.
fn bytes(text: &str) -> Result<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches('b').trim_end_matches('i');
    let (digits, unit) = match digits.chars().last() {
        Some('k') => (&digits[..digits.len() - 1], 1 << 10),
        Some('m') => (&digits[..digits.len() - 1], 1 << 20),
        Some('g') => (&digits[..digits.len() - 1], 1_u64 << 30),
        _ => (digits, 1),
    };
    let number = digits.trim().parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    number.ok_or_else(|| Error::with(code::INVALID_CONFIG_OPTION, format!("memory_limit is a number of bytes such as 512M or 2G, not '{text}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_limits() {
        assert_eq!(bytes("512M").unwrap(), 512 << 20);
        assert_eq!(bytes("2 GiB").unwrap(), 2 << 30);
        assert_eq!(bytes("1000").unwrap(), 1000);
        for text in ["", "x", "-1", "1.5G", "99999999999G"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }
}
