//! The settings of `serve` from command line, environment and file, in this order of precedence, and sizes as people write them.

use std::{path::Path, time::Duration};

use embudo_server::AdvertisedVersion;
use embudo_types::{Error, Result, Zone, code};
use serde::Deserialize;

use crate::arguments::{LogLevel, ServeOptions};

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
    opentsdb_telnet: Option<String>,
    log: Option<LogLevel>,
}

/// What `serve` shall do.
#[derive(Debug)]
pub struct Configuration {
    /// The database's place.
    pub data: String,
    /// The address, where one is given.
    pub listen: Option<String>,
    /// Bytes.
    pub memory_limit: Option<u64>,
    /// The zone of sessions, where one is given.
    pub timezone: Option<Zone>,
    /// Bytes.
    pub body_limit: Option<u64>,
    /// Most connections.
    pub connections: Option<usize>,
    /// How long a result may stay unread.
    pub result_timeout: Option<Duration>,
    /// The version that clients are told, where one is given.
    pub advertise_version: Option<AdvertisedVersion>,
    /// Where to take OpenTSDB telnet lines.
    pub opentsdb_telnet: Option<String>,
    /// How much to log.
    pub log: LogLevel,
}

impl Configuration {
    /// Joins the command line (which carries the environment) with the file that it names.
    pub fn resolve(options: ServeOptions) -> Result<Self> {
        let file = options.config.as_deref().map(File::read).transpose()?.unwrap_or_default();
        let data = options.data.or(file.data).ok_or_else(|| invalid("give --data DIR, or --data :memory: for a database that is lost at the end"))?;
        Ok(Self {
            data,
            listen: options.listen.or(file.listen),
            memory_limit: options.memory_limit.or(file.memory_limit).map(|text| size("memory-limit", &text)).transpose()?,
            timezone: options.timezone.or(file.timezone).map(|name| Zone::named(&name)).transpose()?,
            body_limit: options.body_limit.or(file.body_limit).map(|text| size("body-limit", &text)).transpose()?,
            connections: options.connections.or(file.connections),
            result_timeout: options.result_timeout.or(file.result_timeout).map(|seconds| Duration::from_secs(seconds.max(1))),
            advertise_version: options.advertise_version.or(file.advertise_version).map(|text| text.parse()).transpose()?,
            opentsdb_telnet: options.opentsdb_telnet.or(file.opentsdb_telnet),
            log: options.log.or(file.log).unwrap_or(LogLevel::Warn),
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
        assert_eq!((configuration.data.as_str(), configuration.listen.as_deref()), ("from-flag", Some(":1")));
        std::fs::write(&path, "dat = 1").unwrap();
        let options = ServeOptions { config: Some(path), ..ServeOptions::default() };
        assert!(Configuration::resolve(options).unwrap_err().message().contains("unknown field"));
        std::fs::remove_dir_all(directory).unwrap();
        assert!(Configuration::resolve(ServeOptions::default()).unwrap_err().message().contains("--data"));
    }
}
