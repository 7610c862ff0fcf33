//! The WebSocket transport: one connection to `/ws` a session, results as raw blocks straight into Arrow (spec/protocols.md 3).
//!
//! A connection that broke while idle is opened again before the next statement, with the session's database and zone; a statement that
//! was under way when it broke fails, since nobody knows whether it was done.

mod asynchronous;
mod binding;
mod bound_statement;
mod connecting;
mod handshake;
mod link;
mod reply;
mod result;
mod statement;
mod stream;
mod subscription;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use embudo_types::{Error, Result, ResultSet, Value, Zone, code, subscription::SubscribeOptions};
use embudo_wire::{
    binary_message::{Head, action},
    schemaless::LineProtocol,
    tmq::RawMessage,
};
use serde_json::{Value as Json, json};

use crate::{
    ConnectOptions, Driver, Dsn, Introduction, LineOptions, LinesWritten, Request, Subscription, Transport,
    asynchronous::{AsyncResult, Gate, OwnedRequest, Pending},
    insert_text, literal,
    rest::lines,
};
use binding::Binding;
use bound_statement::WebSocketStatement;
use link::Link;
use reply::Reply;
use result::Answered;
use statement::Cache;
use subscription::WebSocketSubscription;

pub(crate) use link::after_fork;
pub(crate) use statement::parameters;

/// A session over a WebSocket.
pub struct WebSocketDriver {
    dsn: Dsn,
    application: Option<String>,
    timeout: Option<Duration>,
    zone: Mutex<Zone>,
    statements: Arc<Cache>,
    /// How many statements futures may have open at a time.
    open_statements: Arc<Gate>,
    session: Mutex<Session>,
}

struct Session {
    link: Option<Arc<Link>>,
    /// That of the server, where it told.
    version: String,
    database: Option<String>,
    /// The zone that was set after the DSN's.
    zone: Option<String>,
    introduction: Introduction,
    closed: bool,
}

impl WebSocketDriver {
    /// Connects to the first host that takes a connection.
    pub fn new(dsn: &Dsn, options: &ConnectOptions) -> Result<Self> {
        let driver = Self {
            dsn: dsn.clone(),
            application: options.application.clone(),
            timeout: dsn.duration("timeout")?,
            zone: Mutex::new(dsn.option("timezone").map(Zone::named).transpose()?.unwrap_or_else(Zone::system)),
            statements: Arc::default(),
            open_statements: Gate::new(STATEMENTS_OPEN),
            session: Mutex::new(Session {
                link: None,
                version: String::new(),
                database: dsn.database.clone(),
                zone: None,
                introduction: Introduction::default(),
                closed: false,
            }),
        };
        driver.link()?;
        Ok(driver)
    }

    /// The session's link, opened again where it broke.
    fn link(&self) -> Result<Arc<Link>> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        if session.closed {
            return Err(Error::with(code::INVALID_OPTION, "the connection is closed"));
        }
        if let Some(link) = session.link.as_ref().filter(|link| link.is_usable()) {
            return Ok(Arc::clone(link));
        }
        let (link, version) = self.connect(session.database.as_deref(), session.zone.as_deref(), &session.introduction)?;
        session.version = version;
        Ok(Arc::clone(session.link.insert(link)))
    }

    /// The session's link, where it is known to be usable without waiting.
    fn usable_link(&self) -> Option<Arc<Link>> {
        let session = self.session.try_lock().ok()?;
        session.link.as_ref().filter(|link| !session.closed && link.is_usable()).map(Arc::clone)
    }

    fn connect(&self, database: Option<&str>, zone: Option<&str>, introduction: &Introduction) -> Result<(Arc<Link>, String)> {
        connecting::connect(&self.dsn, "/ws", 0, |link| self.log_in(link, database, zone, introduction))
    }

    fn log_in(&self, link: &Link, database: Option<&str>, zone: Option<&str>, introduction: &Introduction) -> Result<String> {
        let deadline = Some(Instant::now() + self.timeout.unwrap_or(Duration::from_secs(30)));
        let mut arguments = connecting::credentials(&self.dsn, database, self.application.as_deref());
        if let Some(zone) = zone {
            arguments["tz"] = zone.into();
        }
        for (name, said) in [("app", &introduction.application), ("ip", &introduction.address)] {
            if let Some(said) = said {
                arguments[name] = said.as_str().into();
            }
        }
        let answer = reply::checked(link.call("conn", arguments, deadline)?)?;
        match answer.get("version").and_then(Json::as_str) {
            Some(version) => Ok(version.to_owned()),
            // Servers before 3.4 tell it on request only.
            None => Ok(link.call("version", json!({}), deadline)?.get("version").and_then(Json::as_str).unwrap_or_default().to_owned()),
        }
    }
}

impl Driver for WebSocketDriver {
    fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
        let deadline = request.timeout.or(self.timeout).map(|limit| Instant::now() + limit);
        if !request.parameters.is_empty() {
            literal::counted_placeholders(request.sql, request.parameters)?;
        }
        let link = self.link()?;
        if link.executes() {
            let answered = result::execute(&link, request.sql, request.parameters, deadline)?;
            if matches!(answered, Answered::Affected(_)) {
                self.note_change(request.sql);
            }
            return Ok(answered.into());
        }
        if !request.parameters.is_empty()
            && let Some(result) = self.bound(deadline, |binding| binding.run(request.sql, request.parameters))?
        {
            return Ok(result);
        }
        let sql = literal::render(request.sql, request.parameters)?;
        let answered = result::query(&link, &sql, self.speaks(BINARY), deadline)?;
        if matches!(answered, Answered::Affected(_)) {
            self.note_change(&sql);
        }
        Ok(answered.into())
    }

    fn start(self: Arc<Self>, request: OwnedRequest) -> Pending<AsyncResult> {
        Box::pin(asynchronous::run(self, request))
    }

    fn insert(&self, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let mut rows = 0;
        for batch in batches {
            let batch = batch?;
            rows += match self.bound(deadline, |binding| binding.insert_batch(target, &batch))? {
                Some(written) => written,
                None => insert_text::insert(self, target, &batch)?,
            };
        }
        Ok(rows)
    }

    fn insert_rows(&self, sql: &str, rows: &[Vec<Value>]) -> Result<Option<u64>> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        self.bound(deadline, |binding| binding.insert_rows(sql, rows))
    }

    fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let protocol = match options.protocol {
            LineProtocol::Influx => 1,
            LineProtocol::Telnet => 2,
            LineProtocol::Json => 3,
        };
        let key = options.table_name_key.unwrap_or_default();
        let arguments = json!({ "protocol": protocol, "precision": lines::unit_name(options.unit), "ttl": options.ttl, "data": text, "table_name_key": key });
        let answer = reply::checked(self.link()?.call("insert", arguments, deadline)?)?;
        // Tables may have been made or widened.
        self.statements.clear();
        let number = |name: &str| answer.get(name).and_then(Json::as_u64);
        // Servers of old do not tell; then every point counts.
        let total_rows = number("total_rows").unwrap_or_else(|| lines::count(text, options.protocol));
        Ok(LinesWritten { affected_rows: number("affected_rows").unwrap_or(total_rows), total_rows })
    }

    fn prepare(&self, sql: &str) -> Result<Box<dyn crate::Statement>> {
        let link = self.link()?;
        Ok(Box::new(WebSocketStatement::prepare(&link, sql, &self.zone(), self.timeout, self.speaks(STATEMENTS).then_some(&self.statements))?))
    }

    fn subscribe(&self, options: SubscribeOptions) -> Result<Box<dyn Subscription>> {
        // It is a connection of its own; that this one is closed closes no subscription.
        Ok(Box::new(WebSocketSubscription::begin(&self.dsn, self.application.clone(), self.timeout, options)?))
    }

    fn validate(&self, sql: &str) -> Result<()> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        result::validate(&*self.link()?, sql, deadline)
    }

    fn reset_database(&self) -> Result<()> {
        // Servers have no word for it: the next statement opens a connection that has none.
        let link = {
            let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
            session.database = None;
            session.link.take()
        };
        self.statements.clear();
        drop(link);
        Ok(())
    }

    fn set_timezone(&self, name: &str) -> Result<()> {
        let zone = Zone::named(name)?;
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let options = json!({ "options": [{ "option": TIME_ZONE, "value": name }] });
        reply::checked(self.link()?.call("options_connection", options, deadline)?)?;
        self.session.lock().unwrap_or_else(PoisonError::into_inner).zone = Some(name.to_owned());
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = zone;
        Ok(())
    }

    fn introduce(&self, introduction: &Introduction) -> Result<()> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let said = [(ADDRESS, &introduction.address), (APPLICATION, &introduction.application)];
        let options: Vec<Json> = said.iter().map(|(option, value)| json!({ "option": option, "value": value })).collect();
        reply::checked(self.link()?.call("options_connection", json!({ "options": options }), deadline)?)?;
        self.session.lock().unwrap_or_else(PoisonError::into_inner).introduction = introduction.clone();
        Ok(())
    }

    fn write_raw(&self, raw: RawMessage<'_>) -> Result<()> {
        let deadline = self.timeout.map(|limit| Instant::now() + limit);
        let link = self.link()?;
        let request = link.next_request();
        let mut bytes = Head { request, resource: 0, action: action::WRITE_RAW }.to_bytes();
        bytes.extend_from_slice(&(raw.body.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&raw.raw_type.to_le_bytes());
        bytes.extend_from_slice(raw.body);
        link.send_binary(request, &bytes)?;
        self.statements.clear();
        match link.wait(request, deadline)? {
            Reply::Json(json) => reply::checked(json).map(drop),
            Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, "a message to be written was answered with bytes")),
        }
    }

    fn transport(&self) -> Transport {
        Transport::WebSocket
    }

    fn interrupt(&self) {
        // The server works on; what is under way here ends, and the next statement opens a new connection.
        let link = { self.session.lock().unwrap_or_else(PoisonError::into_inner).link.take() };
        if let Some(link) = link {
            link.interrupt();
        }
    }

    fn close(&self) -> Result<()> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        session.closed = true;
        if let Some(link) = session.link.take() {
            link.close();
        }
        Ok(())
    }
}

impl WebSocketDriver {
    /// The zone that times are read in.
    fn zone(&self) -> Zone {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// After a statement without rows: tables may be others now, and names may mean others.
    fn note_change(&self, sql: &str) {
        if !is_insert(sql) {
            self.statements.clear();
            if let Some(database) = literal::used_database(sql) {
                self.session.lock().unwrap_or_else(PoisonError::into_inner).database = Some(database);
            }
        }
    }

    /// Whether the server is of this version or a later one.
    fn speaks(&self, since: [u32; 3]) -> bool {
        is_since(&self.session.lock().unwrap_or_else(PoisonError::into_inner).version, since)
    }

    /// Does what takes prepared statements where the server has them.
    fn bound<T>(&self, deadline: Option<Instant>, work: impl Fn(&Binding<'_>) -> Result<Option<T>>) -> Result<Option<T>> {
        let link = self.link()?;
        if !self.speaks(STATEMENTS) {
            return Ok(None);
        }
        work(&Binding { cache: &self.statements, link: &link, zone: &self.zone(), deadline })
    }
}

/// Statements that futures have open at a time, as many as are kept.
const STATEMENTS_OPEN: usize = 16;
/// The number of a connection's option.
const TIME_ZONE: i32 = 1;
const ADDRESS: i32 = 2;
const APPLICATION: i32 = 3;
/// `binary_query` and `fetch_raw_block`.
const BINARY: [u32; 3] = [3, 3, 2];
/// Prepared statements that tell what their fields are for.
const STATEMENTS: [u32; 3] = [3, 3, 6];

fn is_insert(sql: &str) -> bool {
    literal::first_word(sql).eq_ignore_ascii_case("insert")
}

fn is_since(version: &str, since: [u32; 3]) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let parts = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    parts >= since
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_the_way_of_asking() {
        for (version, binary) in [("3.3.1.0.alpha", false), ("3.3.2.0", true), ("3.3.6.13", true), ("3.4.1.12", true), ("", false), ("3.10.0.0", true)] {
            assert_eq!(is_since(version, BINARY), binary, "{version}");
        }
    }
}
