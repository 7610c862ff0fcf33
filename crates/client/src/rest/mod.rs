//! The REST transport: one HTTP request to `/rest/sql` a statement, over kept-alive connections.
//!
//! HTTP has no session, so what a session holds is kept here: the database of `USE`, the time zone. HTTP has no parameters,
//! so they are rendered as literals ([`crate::literal`]).

mod answer;
mod json;
pub(crate) mod lines;

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use base64::Engine as _;
use embudo_types::{Error, Outcome, Result, ResultSet, Zone, code};

pub(crate) use answer::named_type;
#[cfg(feature = "fuzzing")]
pub(crate) use answer::read as read_answer;

use crate::{ConnectOptions, Driver, Dsn, Host, LineOptions, LinesWritten, Request, Transport, literal, tls::Tls};

/// The HTTP status of an answer that carried no result of a statement; the source of its [`Error`].
#[derive(Clone, Debug)]
pub struct HttpStatus {
    /// 400 or above.
    pub status: u16,
}

impl std::fmt::Display for HttpStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HTTP status {}", self.status)
    }
}

impl std::error::Error for HttpStatus {}

/// A session over REST.
#[derive(Clone)]
pub struct RestDriver {
    agent: ureq::Agent,
    tls: bool,
    hosts: Vec<Host>,
    authorization: Option<String>,
    /// What every request's query carries: token, zone, program.
    query: Vec<(&'static str, String)>,
    /// Reads times without a zone in parameters of statements.
    zone: Zone,
    database: Arc<Mutex<Option<String>>>,
}

impl RestDriver {
    /// Prepares a session; nothing is sent before the first statement.
    pub fn new(dsn: &Dsn, options: &ConnectOptions) -> Result<Self> {
        if dsn.option("totp_code").is_some() {
            return Err(Error::with(code::INVALID_CONFIG_OPTION, "REST knows no totp_code; connect over WebSocket"));
        }
        let mut config = ureq::Agent::config_builder();
        if dsn.tls {
            config = config.tls_config(Tls::of(dsn)?.ureq()?);
        }
        let config = config
            .http_status_as_error(false)
            .timeout_connect(Some(dsn.duration("connect_timeout")?.unwrap_or(Duration::from_secs(10))))
            .timeout_global(dsn.duration("timeout")?)
            .max_idle_connections_per_host(8)
            .user_agent(concat!("embudo/", env!("CARGO_PKG_VERSION")))
            .build();
        let mut query = Vec::new();
        let mut authorization = None;
        if let Some(token) = dsn.option("token") {
            query.push(("token", token.to_owned()));
        } else if let Some(token) = dsn.option("bearer_token") {
            authorization = Some(format!("Bearer {token}"));
        } else {
            let password = dsn.password.as_ref().map_or("taosdata", |password| password.reveal());
            let credentials = format!("{}:{password}", dsn.user.as_deref().unwrap_or("root"));
            authorization = Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(credentials)));
        }
        for (key, value) in
            [("conn_tz", dsn.option("timezone")), ("app", dsn.option("user_app").or(options.application.as_deref())), ("ip", dsn.option("user_ip"))]
        {
            if let Some(value) = value {
                query.push((key, value.to_owned()));
            }
        }
        let zone = dsn.option("timezone").map(Zone::named).transpose()?.unwrap_or_else(Zone::system);
        let database = Arc::new(Mutex::new(dsn.database.clone()));
        Ok(Self { agent: config.new_agent(), tls: dsn.tls, hosts: dsn.hosts().to_vec(), authorization, query, zone, database })
    }

    fn url(&self, host: &Host, request_id: Option<u64>) -> String {
        let mut url = format!("{}://{host}/rest/sql", if self.tls { "https" } else { "http" });
        if let Some(database) = &*self.database.lock().unwrap_or_else(PoisonError::into_inner) {
            url.push('/');
            url.push_str(&escape(database));
        }
        let mut separator = '?';
        let mut item = |key: &str, value: &str| {
            url.push(separator);
            url.push_str(key);
            url.push('=');
            url.push_str(value);
            separator = '&';
        };
        for (key, value) in &self.query {
            item(key, &escape(value));
        }
        if let Some(id) = request_id {
            item("req_id", &id.to_string());
        }
        url
    }

    /// Sends to the first host that takes a connection; `url` gives the address at a host.
    fn send(&self, text: &str, timeout: Option<Duration>, url: impl Fn(&Host) -> String) -> Result<ureq::http::Response<ureq::Body>> {
        let mut refused = Vec::new();
        for host in &self.hosts {
            let mut call = self.agent.post(url(host)).content_type("text/plain; charset=utf-8");
            if let Some(authorization) = &self.authorization {
                call = call.header("Authorization", authorization);
            }
            if let Some(timeout) = timeout {
                call = call.config().timeout_global(Some(timeout)).build();
            }
            match call.send(text) {
                Ok(response) => return Ok(response),
                Err(error) if never_arrived(&error) => refused.push((host, error)),
                Err(error) => return Err(transport_error(host, error)),
            }
        }
        match refused.pop() {
            Some((host, error)) => Err(transport_error(host, error)),
            None => Err(Error::with(code::INVALID_CONFIG_OPTION, "the DSN names no host")),
        }
    }
}

impl Driver for RestDriver {
    fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
        let sql = literal::render(request.sql, request.parameters)?;
        let response = self.send(&sql, request.timeout, |host| self.url(host, request.request_id))?;
        let status = response.status().as_u16();
        let body = response.into_body().into_with_config().limit(u64::MAX).reader();
        if status >= 400 {
            return Err(status_error(status, body));
        }
        let result = answer::read(body)?;
        if matches!(result.outcome, Outcome::Affected(_))
            && let Some(database) = literal::used_database(&sql)
        {
            *self.database.lock().unwrap_or_else(PoisonError::into_inner) = Some(database);
        }
        Ok(result)
    }

    fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        lines::write(self, text, options)
    }

    fn prepare(&self, sql: &str) -> Result<Box<dyn crate::Statement>> {
        Ok(Box::new(crate::text_statement::TextStatement::prepare(self.clone(), sql, self.zone.clone())?))
    }

    fn transport(&self) -> Transport {
        Transport::Rest
    }

    fn interrupt(&self) {}

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Whether the statement surely did not reach a server, so that another may be asked.
fn never_arrived(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::HostNotFound | ureq::Error::ConnectionFailed | ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => true,
        ureq::Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        _ => false,
    }
}

fn transport_error(host: &Host, error: ureq::Error) -> Error {
    let (code, message) = match &error {
        ureq::Error::HostNotFound => (code::UNABLE_TO_RESOLVE_FQDN, format!("the host name {} cannot be resolved", host.name)),
        ureq::Error::Timeout(ureq::Timeout::Connect | ureq::Timeout::Resolve) => {
            (code::UNABLE_TO_ESTABLISH_CONNECTION, format!("no connection to {host} within the connect timeout"))
        }
        ureq::Error::Timeout(_) => (code::CONN_READ_TIMEOUT, format!("{host} did not answer within the timeout")),
        error if never_arrived(error) => (code::UNABLE_TO_ESTABLISH_CONNECTION, nothing_answers(host)),
        other => (code::CONN_IS_BROKEN, format!("the connection to {host} failed: {other}")),
    };
    Error::with(code, message).caused_by(error)
}

/// What to do when no server is there.
pub fn nothing_answers(host: &Host) -> String {
    format!("nothing answers on {host}; start `embudo serve`, or set EMBUDO_DSN=./data to run embedded")
}

/// An answer with a status of 400 or above: TDengine's code and text where the body has them.
fn status_error(status: u16, mut body: impl Read) -> Error {
    let mut text = Vec::new();
    // A body that breaks off leaves the status, which says enough.
    let _ = body.by_ref().take(64 * 1024).read_to_end(&mut text);
    let (code, message) = match answer::read(std::io::Cursor::new(text.clone())) {
        Err(error) if error.code() != code::INVALID_JSON_FORMAT => (error.code(), error.message().to_owned()),
        _ => {
            let text = String::from_utf8_lossy(&text);
            let said = if text.trim().is_empty() { String::new() } else { format!(": {}", text.trim()) };
            (if status == 401 { code::AUTHENTICATION_FAILURE } else { code::UNCLASSIFIED }, format!("HTTP status {status}{said}"))
        }
    };
    Error::with(code, message).caused_by(HttpStatus { status })
}

fn escape(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
