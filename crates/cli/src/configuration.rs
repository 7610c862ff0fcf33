//! The settings of `serve` from command line, environment and file, in this order of precedence, and sizes as people write them.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use embudo_server::{AdapterOptions, ListenerOptions, ServerOptions, TlsOptions};
use embudo_types::{Error, Result, Zone, code};
use serde::Deserialize;

use crate::arguments::{LogFormat, LogLevel, ServeOptions};

/// The configuration file: the long options of `serve`, underscores for dashes.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<String>,
    listen: Option<String>,
    memory_limit: Option<String>,
    timezone: Option<String>,
    body_limit: Option<String>,
    connections: Option<usize>,
    result_timeout: Option<u64>,
    advertise_version: Option<String>,
    statement_timeout: Option<f64>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    opentsdb_telnet: Option<String>,
    statsd: Option<String>,
    statsd_interval: Option<f64>,
    collectd: Option<String>,
    collectd_types: Option<PathBuf>,
    open_listeners: Option<bool>,
    http_code_server_error: Option<bool>,
    restful_row_limit: Option<usize>,
    sml_auto_create_db: Option<bool>,
    log: Option<LogLevel>,
    log_format: Option<LogFormat>,
}

/// What `serve` shall do.
#[derive(Debug)]
pub struct Configuration {
    /// The database's place.
    pub data: String,
    /// Bytes.
    pub memory_limit: Option<u64>,
    /// The zone of sessions, where one is given.
    pub timezone: Option<Zone>,
    /// The server's settings.
    pub server: ServerOptions,
    /// How much to log.
    pub log: LogLevel,
    /// How log lines look.
    pub log_format: LogFormat,
}

impl Configuration {
    /// Joins the command line (which carries the environment) with the file that it names.
    pub fn resolve(options: ServeOptions) -> Result<Self> {
        let file = options.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let data = options.data.or(file.data).ok_or_else(|| invalid("give --data DIR, or --data :memory: for a database that is lost at the end"))?;
        let mut server = ServerOptions::default();
        if let Some(listen) = options.listen.or(file.listen) {
            server.listen = listen;
        }
        if let Some(text) = options.body_limit.or(file.body_limit) {
            server.body_bytes = usize::try_from(size("body-limit", &text)?).unwrap_or(usize::MAX);
        }
        if let Some(connections) = options.connections.or(file.connections) {
            server.connections = connections;
        }
        if let Some(seconds) = options.result_timeout.or(file.result_timeout) {
            server.result_timeout = Duration::from_secs(seconds.max(1));
        }
        if let Some(version) = options.advertise_version.or(file.advertise_version) {
            server.advertised_version = version.parse()?;
        }
        server.statement_timeout = options.statement_timeout.or(file.statement_timeout).map(|number| seconds("statement-timeout", number)).transpose()?;
        server.tls = match (options.tls_cert.or(file.tls_cert), options.tls_key.or(file.tls_key)) {
            (Some(certificate), Some(key)) => Some(TlsOptions { certificate, key }),
            (None, None) => None,
            _ => return Err(invalid("--tls-cert and --tls-key go together")),
        };
        let listener = |listen: Option<String>, database| listen.map(|listen| ListenerOptions::new(&listen, database));
        server.opentsdb_telnet = listener(options.opentsdb_telnet.or(file.opentsdb_telnet), "opentsdb_telnet");
        server.statsd = listener(options.statsd.or(file.statsd), "statsd");
        server.collectd = listener(options.collectd.or(file.collectd), "collectd");
        if let Some(number) = options.statsd_interval.or(file.statsd_interval) {
            server.statsd_interval = seconds("statsd-interval", number)?;
        }
        server.collectd_types = options.collectd_types.or(file.collectd_types);
        server.open_listeners = options.open_listeners.or(file.open_listeners).unwrap_or(false);
        server.adapter = AdapterOptions {
            http_code_server_error: options.http_code_server_error.or(file.http_code_server_error).unwrap_or(false),
            restful_row_limit: options.restful_row_limit.or(file.restful_row_limit),
            sml_auto_create_db: options.sml_auto_create_db.or(file.sml_auto_create_db).unwrap_or(false),
        };
        Ok(Self {
            data,
            memory_limit: options.memory_limit.or(file.memory_limit).map(|text| size("memory-limit", &text)).transpose()?,
            timezone: options.timezone.or(file.timezone).map(|name| Zone::named(&name)).transpose()?,
            server,
            log: options.log.or(file.log).unwrap_or(LogLevel::Warn),
            log_format: options.log_format.or(file.log_format).unwrap_or(LogFormat::Text),
        })
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).map_err(|source| Error::io(format!("reading {}", path.display()), source))?;
        toml::from_str(&text).map_err(|error| invalid(format!("{}: {error}", path.display())))
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::with(code::INVALID_CONFIG_OPTION, message)
}

/// A time as a number of seconds.
fn seconds(option: &str, number: f64) -> Result<Duration> {
    let time = Duration::try_from_secs_f64(number).ok().filter(|time| !time.is_zero());
    time.ok_or_else(|| invalid(format!("--{option}: {number} is no time in seconds")))
}

/// Bytes of a size such as `512MB`, `2g` or `1048576`; units are powers of 1,024.
fn size(option: &str, text: &str) -> Result<u64> {
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
    let shift = match lower[digits.len()..].trim() {
        "" | "b" => 0,
        "k" | "kb" | "kib" => 10,
        "m" | "mb" | "mib" => 20,
        "g" | "gb" | "gib" => 30,
        "t" | "tb" | "tib" => 40,
        unit => return Err(invalid(format!("--{option}: {unit:?} is no unit; write a size such as 512MB or 2GB"))),
    };
    let number = digits.parse::<u64>().ok().filter(|&number| number > 0);
    let bytes = number.and_then(|number| number.checked_mul(1 << shift));
    bytes.ok_or_else(|| invalid(format!("--{option}: {text:?} is no size; write one such as 512MB or 2GB")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_as_people_write_them() {
        for (text, bytes) in [("1048576", 1 << 20), ("512MB", 512 << 20), ("2g", 2 << 30), (" 4 KiB ", 4 << 10)] {
            assert_eq!(size("memory-limit", text).unwrap(), bytes, "{text}");
        }
        for text in ["", "0", "-1", "1.5GB", "10 miles", "99999999999TB"] {
            assert!(size("memory-limit", text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let directory = std::env::temp_dir().join(format!("embudo-configuration-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let path = directory.join("embudo.toml");
        std::fs::write(&path, "data = \"from-file\"\nlisten = \":1\"\nlog = \"info\"\n").unwrap();
        let options = ServeOptions { data: Some("from-flag".into()), config: Some(path.clone()), ..ServeOptions::default() };
        let configuration = Configuration::resolve(options).unwrap();
        assert_eq!((configuration.data.as_str(), configuration.server.listen.as_str()), ("from-flag", ":1"));
        std::fs::write(&path, "dat = 1").unwrap();
        let options = ServeOptions { config: Some(path), ..ServeOptions::default() };
        assert!(Configuration::resolve(options).unwrap_err().message().contains("unknown field"));
        std::fs::remove_dir_all(directory).unwrap();
        assert!(Configuration::resolve(ServeOptions::default()).unwrap_err().message().contains("--data"));
    }

    #[test]
    fn listeners_and_encryption_are_off_unless_asked_for() {
        let data = || Some(":memory:".to_owned());
        let plain = Configuration::resolve(ServeOptions { data: data(), ..ServeOptions::default() }).unwrap().server;
        assert!(plain.tls.is_none() && plain.statsd.is_none() && plain.collectd.is_none() && plain.opentsdb_telnet.is_none() && !plain.open_listeners);
        let options = ServeOptions { data: data(), statsd: Some("6044".into()), statsd_interval: Some(0.5), ..ServeOptions::default() };
        let server = Configuration::resolve(options).unwrap().server;
        assert_eq!(server.statsd, Some(ListenerOptions::new("6044", "statsd")));
        assert_eq!(server.statsd_interval, Duration::from_millis(500));
        let half = ServeOptions { data: data(), tls_cert: Some("c.pem".into()), ..ServeOptions::default() };
        assert!(Configuration::resolve(half).unwrap_err().message().contains("--tls-key"));
        for number in [0.0, -1.0, f64::NAN, 1e300] {
            let options = ServeOptions { data: data(), statement_timeout: Some(number), ..ServeOptions::default() };
            assert!(Configuration::resolve(options).is_err(), "{number}");
        }
        let options = ServeOptions { data: data(), restful_row_limit: Some(7), sml_auto_create_db: Some(true), ..ServeOptions::default() };
        let adapter = Configuration::resolve(options).unwrap().server.adapter;
        assert!(adapter.sml_auto_create_db && !adapter.http_code_server_error && adapter.restful_row_limit == Some(7));
    }
}
