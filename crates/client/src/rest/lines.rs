//! Line protocols over HTTP: `/influxdb/v1/write` and `/opentsdb/v1/put/…` (spec/protocols.md section 2).

use std::{io::Read, sync::PoisonError};

use embudo_types::{Code, Error, Result, code};

use super::{HttpStatus, RestDriver, escape};
use crate::{Host, LineOptions, LineProtocol, LinesWritten, TimeUnit};

/// Longest answer that is read; those of failures are short.
const MAX_ANSWER: u64 = 64 << 10;

/// Writes points; the answer of success says nothing, so every point counts as written.
pub fn write(driver: &RestDriver, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
    let database = driver.database.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let database = database.ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED_OR_AVAILABLE))?;
    let response = driver.send(text, None, |host| url(driver, host, &database, options))?;
    let status = response.status().as_u16();
    if status >= 300 {
        let mut body = String::new();
        // A body that breaks off leaves the status, which says enough.
        let _ = response.into_body().into_reader().take(MAX_ANSWER).read_to_string(&mut body);
        return Err(failure(status, &body));
    }
    let points = count(text, options.protocol);
    Ok(LinesWritten { affected_rows: points, total_rows: points })
}

fn url(driver: &RestDriver, host: &Host, database: &str, options: &LineOptions<'_>) -> String {
    let scheme = if driver.tls { "https" } else { "http" };
    let database = escape(database);
    let mut url = match options.protocol {
        LineProtocol::Influx => format!("{scheme}://{host}/influxdb/v1/write?db={database}&precision={}", unit_name(options.unit)),
        LineProtocol::Telnet => format!("{scheme}://{host}/opentsdb/v1/put/telnet/{database}?"),
        LineProtocol::Json => format!("{scheme}://{host}/opentsdb/v1/put/json/{database}?"),
    };
    let mut item = |key: &str, value: &str| {
        for part in ["&", key, "=", &escape(value)] {
            url.push_str(part);
        }
    };
    for (key, value) in driver.query.iter().filter(|(key, _)| matches!(*key, "token" | "app")) {
        item(key, value);
    }
    if options.ttl > 0 {
        item("ttl", &options.ttl.to_string());
    }
    if let Some(key) = options.table_name_key {
        item("table_name_key", key);
    }
    if let Some(id) = options.request_id {
        item("req_id", &id.to_string());
    }
    url
}

/// The unit as requests name it.
pub fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Hour => "h",
        TimeUnit::Minute => "m",
        TimeUnit::Second => "s",
        TimeUnit::Milli => "ms",
        TimeUnit::Micro => "u",
        TimeUnit::Nano => "ns",
    }
}

/// The error of an answer: its text holds TDengine's code as `[0x3002] Invalid data format`.
fn failure(status: u16, body: &str) -> Error {
    let message = serde_json::from_str::<serde_json::Value>(body).ok().and_then(|body| body.get("message")?.as_str().map(str::to_owned));
    let message = message.unwrap_or_else(|| format!("HTTP status {status}: {}", body.trim()));
    let coded = message.strip_prefix("[0x").and_then(|rest| {
        let (code, text) = rest.split_once("] ")?;
        Some((Code(u16::from_str_radix(code, 16).ok()?), text))
    });
    match coded {
        Some((code, text)) => Error::with(code, text),
        None => Error::with(if status == 401 { code::AUTHENTICATION_FAILURE } else { code::UNCLASSIFIED }, message),
    }
    .caused_by(HttpStatus { status })
}

/// Points in a text that was taken.
pub fn count(text: &str, protocol: LineProtocol) -> u64 {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match protocol {
        LineProtocol::Influx => lines.filter(|line| !line.starts_with('#')).count() as u64,
        LineProtocol::Telnet => lines.count() as u64,
        LineProtocol::Json => match serde_json::from_str::<Vec<serde_json::Value>>(text) {
            Ok(points) => points.len() as u64,
            Err(_) => 1,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_carry_their_code() {
        let error = failure(500, r#"{"code":"internal error","message":"[0x3002] Invalid data format"}"#);
        assert_eq!((error.code(), error.message()), (code::INVALID_DATA_FORMAT, "Invalid data format"));
        assert_eq!(failure(401, r#"{"code":"forbidden","message":"get auth error"}"#).code(), code::AUTHENTICATION_FAILURE);
        assert_eq!(failure(502, "bad gateway").message(), "HTTP status 502: bad gateway");
    }

    #[test]
    fn points_are_counted() {
        assert_eq!(count("m v=1\n\n# no\nm v=2\n", LineProtocol::Influx), 2);
        assert_eq!(count("m 1 2 a=b\n", LineProtocol::Telnet), 1);
        assert_eq!(count(r#"[{"a":1},{"b":[2]}]"#, LineProtocol::Json), 2);
        assert_eq!(count(r#"{"a":1}"#, LineProtocol::Json), 1);
    }
}
