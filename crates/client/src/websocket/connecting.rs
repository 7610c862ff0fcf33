//! Finding a server: every host in turn, several times with growing pauses, and what every login tells.

use std::{sync::Arc, thread, time::Duration};

use embudo_types::{Error, Result, code};
use serde_json::{Value as Json, json};

use super::link::Link;
use crate::Dsn;

/// Connects to a host of the DSN at an endpoint, and does there what `log_in` does. `retries`: how often all hosts are tried again where the
/// DSN does not say.
pub fn connect<T>(dsn: &Dsn, path: &str, retries: u64, log_in: impl Fn(&Arc<Link>) -> Result<T>) -> Result<(Arc<Link>, T)> {
    let number = |name: &str, otherwise: u64| -> Result<u64> {
        let Some(text) = dsn.option(name) else { return Ok(otherwise) };
        text.parse().map_err(|_| Error::with(code::INVALID_CONFIG_OPTION, format!("{name} is a number, not '{text}'")))
    };
    let (retries, mut pause, longest) = (number("conn_retries", retries)?, number("retry_backoff_ms", 200)?, number("retry_backoff_max_ms", 2000)?);
    let mut attempt = 0;
    loop {
        let mut last = Error::with(code::INVALID_CONFIG_OPTION, "the DSN names no host");
        for host in dsn.hosts() {
            match Link::open(dsn, host, path).and_then(|link| log_in(&link).map(|told| (link, told))) {
                Ok(connected) => return Ok(connected),
                // Another host would say the same of a wrong password or database.
                Err(error) if !is_connection_lost(&error) => return Err(error),
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

/// Whether an error says that there is no connection, rather than what a server thinks of a request.
pub fn is_connection_lost(error: &Error) -> bool {
    matches!(error.code(), code::UNABLE_TO_ESTABLISH_CONNECTION | code::UNABLE_TO_RESOLVE_FQDN | code::CONN_IS_BROKEN)
}

/// Who connects, as every login tells it.
pub fn credentials(dsn: &Dsn, database: Option<&str>, application: Option<&str>) -> Json {
    let mut arguments = json!({
        "user": dsn.user.as_deref().unwrap_or("root"),
        "password": dsn.password.as_ref().map_or("taosdata", |password| password.reveal()),
        "db": database.unwrap_or_default(),
        "connector": concat!("embudo-", env!("CARGO_PKG_VERSION")),
    });
    let application = dsn.option("user_app").or(application);
    for (key, value) in [
        ("tz", dsn.option("timezone")),
        ("app", application),
        ("ip", dsn.option("user_ip")),
        ("bearer_token", dsn.option("bearer_token")),
        ("totp_code", dsn.option("totp_code")),
    ] {
        if let Some(value) = value {
            arguments[key] = value.into();
        }
    }
    arguments
}
