//! The WebSocket transport: one connection to `/ws` a session, results as raw blocks straight into Arrow (spec/protocols.md 3).
//!
//! A connection that broke while idle is opened again before the next statement, with the session's database and zone; a statement that
//! was under way when it broke fails, since nobody knows whether it was done.

mod handshake;
mod link;
mod reply;
mod result;
mod stream;

use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use embudo_types::{Error, Outcome, Result, ResultSet, code};
use serde_json::{Value as Json, json};

use crate::{ConnectOptions, Driver, Dsn, Request, Transport, literal};
use link::Link;

pub(crate) use link::after_fork;

/// A session over a WebSocket.
pub struct WebSocketDriver {
    dsn: Dsn,
    application: Option<String>,
    timeout: Option<Duration>,
    session: Mutex<Session>,
}

struct Session {
    link: Option<Arc<Link>>,
    /// That of the server, where it told.
    version: String,
    database: Option<String>,
    closed: bool,
}

impl WebSocketDriver {
    /// Connects to the first host that takes a connection.
    pub fn new(dsn: &Dsn, options: &ConnectOptions) -> Result<Self> {
        let driver = Self {
            dsn: dsn.clone(),
            application: options.application.clone(),
            timeout: dsn.duration("timeout")?,
            session: Mutex::new(Session { link: None, version: String::new(), database: dsn.database.clone(), closed: false }),
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
        let (link, version) = self.connect(session.database.as_deref())?;
        session.version = version;
        Ok(Arc::clone(session.link.insert(link)))
    }

    /// Tries every host, several times with growing pauses.
    fn connect(&self, database: Option<&str>) -> Result<(Arc<Link>, String)> {
        let number = |name: &str, otherwise: u64| -> Result<u64> {
            let Some(text) = self.dsn.option(name) else { return Ok(otherwise) };
            text.parse().map_err(|_| Error::with(code::INVALID_CONFIG_OPTION, format!("{name} is a number, not '{text}'")))
        };
        let (retries, mut pause, longest) = (number("conn_retries", 0)?, number("retry_backoff_ms", 200)?, number("retry_backoff_max_ms", 2000)?);
        let mut attempt = 0;
        loop {
            let mut last = Error::with(code::INVALID_CONFIG_OPTION, "the DSN names no host");
            for host in self.dsn.hosts() {
                match Link::open(&self.dsn, host, "/ws").and_then(|link| self.log_in(&link, database).map(|version| (link, version))) {
                    Ok(connected) => return Ok(connected),
                    // Another host would say the same of a wrong password or database.
                    Err(error) if !matches!(error.code(), code::UNABLE_TO_ESTABLISH_CONNECTION | code::UNABLE_TO_RESOLVE_FQDN | code::CONN_IS_BROKEN) => {
                        return Err(error);
                    }
                    Err(error) => last = error,
                }
            }
            if attempt >= retries {
                return Err(last);
            }
            attempt += 1;
            thread::sleep(Duration::from_millis(pause));
            pause = (pause * 2).min(longest);
        }
    }

    fn log_in(&self, link: &Link, database: Option<&str>) -> Result<String> {
        let deadline = Some(Instant::now() + self.timeout.unwrap_or(Duration::from_secs(30)));
        let mut arguments = json!({
            "user": self.dsn.user.as_deref().unwrap_or("root"),
            "password": self.dsn.password.as_ref().map_or("taosdata", |password| password.reveal()),
            "db": database.unwrap_or_default(),
            "connector": concat!("embudo-", env!("CARGO_PKG_VERSION")),
        });
        let application = self.dsn.option("user_app").or(self.application.as_deref());
        for (key, value) in [
            ("tz", self.dsn.option("timezone")),
            ("app", application),
            ("ip", self.dsn.option("user_ip")),
            ("bearer_token", self.dsn.option("bearer_token")),
            ("totp_code", self.dsn.option("totp_code")),
        ] {
            if let Some(value) = value {
                arguments[key] = value.into();
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
        let sql = literal::render(request.sql, request.parameters)?;
        let deadline = request.timeout.or(self.timeout).map(|limit| Instant::now() + limit);
        let link = self.link()?;
        let speaks_binary = { is_binary(&self.session.lock().unwrap_or_else(PoisonError::into_inner).version) };
        let result = result::query(link, &sql, speaks_binary, deadline)?;
        if matches!(result.outcome, Outcome::Affected(_))
            && let Some(database) = literal::used_database(&sql)
        {
            self.session.lock().unwrap_or_else(PoisonError::into_inner).database = Some(database);
        }
        Ok(result)
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

/// Whether a server of this version takes `binary_query` and gives `fetch_raw_block`: from 3.3.2.0 on.
fn is_binary(version: &str) -> bool {
    let mut numbers = version.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    let parts = [numbers.next().unwrap_or(0), numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)];
    parts >= [3, 3, 2]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_decide_the_way_of_asking() {
        for (version, binary) in [("3.3.1.0.alpha", false), ("3.3.2.0", true), ("3.3.6.13", true), ("3.4.1.12", true), ("", false), ("3.10.0.0", true)] {
            assert_eq!(is_binary(version), binary, "{version}");
        }
    }
}
