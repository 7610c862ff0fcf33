//! Where to connect: the one parser of every DSN form, for Python, C, the command line and SQLAlchemy.
//!
//! Forms: a directory or `:memory:[NAME]` without a scheme; `embudo:///dir`; `taosws://`, `taosws+wss://`, `ws(s)://`
//! (WebSocket); `taosrest://`, `taosrest+https://`, `http(s)://` (REST); `taos://` (any transport), `taos+native://`,
//! `taos+ws(s)://`. What a key means to a transport is the driver's business.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use embudo_types::{Error, Result, code};

/// The port of REST and WebSocket, wherever none is given.
pub const DEFAULT_PORT: u16 = 6041;

/// The port of TDengine's native protocol.
const NATIVE_PORT: u16 = 6030;

/// How the database is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// In this process.
    Embedded,
    /// HTTP requests to `/rest/sql`.
    Rest,
    /// One WebSocket to `/ws`.
    WebSocket,
    /// TDengine's C client library.
    Native,
    /// `taos://`: native where a client library loads, else WebSocket.
    Any,
}

impl Transport {
    /// The word for logs and `conn.transport`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Rest => "rest",
            Self::WebSocket => "websocket",
            Self::Native => "native",
            Self::Any => "any",
        }
    }
}

/// What the transport leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A database in memory that nobody else sees.
    Memory,
    /// A database in memory that the process shares under this name.
    SharedMemory(String),
    /// A database in a directory.
    Directory(PathBuf),
    /// Servers, tried in turn.
    Hosts(Vec<Host>),
}

/// One server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// A name or address; IPv6 without brackets.
    pub name: String,
    /// The port, [`DEFAULT_PORT`] where none was given.
    pub port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') { write!(f, "[{}]:{}", self.name, self.port) } else { write!(f, "{}:{}", self.name, self.port) }
    }
}

/// A text that never shows in logs or errors.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// An option of a DSN.
#[derive(Clone, Copy, Debug)]
pub struct OptionKey {
    /// Its name.
    pub name: &'static str,
    /// Other spellings, those of TDengine's own connectors.
    pub aliases: &'static [&'static str],
    /// Whether logs must not show its value.
    secret: bool,
    embedded: bool,
    remote: bool,
}

const fn key(name: &'static str, aliases: &'static [&'static str], embedded: bool, remote: bool) -> OptionKey {
    OptionKey { name, aliases, secret: false, embedded, remote }
}

const fn secret(name: &'static str, aliases: &'static [&'static str]) -> OptionKey {
    OptionKey { name, aliases, secret: true, embedded: true, remote: true }
}

const OPTIONS: &[OptionKey] = &[
    key("database", &["db"], true, true),
    key("user", &["username"], true, true),
    secret("password", &["pass"]),
    key("host", &["ip", "url"], false, true),
    key("port", &[], false, true),
    secret("token", &[]),
    secret("bearer_token", &["bearerToken"]),
    secret("totp_code", &["totpCode"]),
    key("timezone", &["tz"], true, true),
    key("timeout", &["read_timeout"], true, true),
    key("connect_timeout", &["conn_timeout"], false, true),
    key("compression", &[], false, true),
    key("read_only", &[], true, false),
    key("memory_limit", &[], true, false),
    key("conn_retries", &[], false, true),
    key("retry_backoff_ms", &[], false, true),
    key("retry_backoff_max_ms", &[], false, true),
    key("tcp_nodelay", &[], false, true),
    key("conn_mode", &[], false, true),
    key("user_app", &["app"], false, true),
    key("user_ip", &[], false, true),
    key("version_prefer", &[], false, true),
    key("connector_info", &[], false, true),
    key("tls_mode", &[], false, true),
    key("tls_ca", &[], false, true),
    key("tls_version", &[], false, true),
    key("tls_insecure", &["skipVerify", "skip_verify", "disableSSLCertValidation"], false, true),
    key("library_path", &["libraryPath"], false, true),
    key("config_dir", &["configDir", "config"], false, true),
];

/// Every option that a DSN of this transport may carry.
pub fn option_keys(transport: Transport) -> impl Iterator<Item = &'static OptionKey> {
    let embedded = transport == Transport::Embedded;
    OPTIONS.iter().filter(move |key| if embedded { key.embedded } else { key.remote })
}

/// Where and as whom to connect, and with what options. [`Display`](fmt::Display) and `Debug` mask what is secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Dsn {
    /// How.
    pub transport: Transport,
    /// Whether the connection is encrypted.
    pub tls: bool,
    /// To what.
    pub location: Location,
    /// As whom; `root` where a server wants a name and none is given.
    pub user: Option<String>,
    /// With what password.
    pub password: Option<Secret>,
    /// The database that names without one refer to.
    pub database: Option<String>,
    options: BTreeMap<&'static str, String>,
}

impl Dsn {
    /// Parses any form.
    ///
    /// ```
    /// use embudo_client::{Dsn, Location, Transport};
    /// let dsn = Dsn::parse("taosws://root:p%40ss@a:6041,b/power?timezone=UTC")?;
    /// assert_eq!(dsn.transport, Transport::WebSocket);
    /// assert_eq!(dsn.to_string(), "taosws://root:***@a:6041,b:6041/power?timezone=UTC");
    /// assert_eq!(Dsn::parse(":memory:")?.location, Location::Memory);
    /// # Ok::<(), embudo_types::Error>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self> {
        let Some((scheme, rest)) = text.split_once("://") else { return Self::directory(text) };
        let (transport, tls) = match scheme {
            "embudo" => return Self::embedded(rest),
            "taosrest" | "taosrest+http" | "http" => (Transport::Rest, false),
            "taosrest+https" | "https" => (Transport::Rest, true),
            "taosws" | "taosws+ws" | "taosws+http" | "taos+ws" | "taos+http" | "ws" => (Transport::WebSocket, false),
            "taosws+wss" | "taosws+https" | "taoswss" | "taos+wss" | "taos+https" | "wss" => (Transport::WebSocket, true),
            "taos+native" => (Transport::Native, false),
            "taos" => (Transport::Any, false),
            _ => {
                let known = "embudo, taosws, taosws+wss, taosrest, taosrest+https, taos, taos+native, taos+ws, taos+wss, ws, wss, http, https";
                return Err(invalid(format!("unknown scheme '{scheme}' of a DSN; known are {known}")));
            }
        };
        let mut dsn = Self { transport, tls, location: Location::Hosts(Vec::new()), user: None, password: None, database: None, options: BTreeMap::new() };
        let (authority, subject, query) = split(rest);
        let hosts = dsn.credentials(authority)?;
        // Go style: user:pass@protocol(host:port)/db.
        let hosts = match hosts.split_once('(') {
            Some((protocol, inner)) if inner.ends_with(')') => {
                dsn.tls |= matches!(protocol, "wss" | "https");
                &inner[..inner.len() - 1]
            }
            _ => hosts,
        };
        dsn.location = Location::Hosts(parse_hosts(hosts)?);
        dsn.database = (!subject.is_empty()).then(|| decode(subject)).transpose()?;
        dsn.query(query)?;
        Ok(dsn)
    }

    fn local(location: Location) -> Self {
        Self { transport: Transport::Embedded, tls: false, location, user: None, password: None, database: None, options: BTreeMap::new() }
    }

    /// A text without a scheme: memory or a directory.
    fn directory(text: &str) -> Result<Self> {
        if let Some(name) = text.strip_prefix(":memory:") {
            return Ok(Self::local(if name.is_empty() { Location::Memory } else { Location::SharedMemory(name.into()) }));
        }
        if text.is_empty() {
            return Err(invalid("a directory, ':memory:' or a DSN is needed, not an empty text"));
        }
        let looks_like_host = text.split_once(':').is_some_and(|(host, port)| {
            let digits = port.split(['/', '?']).next().unwrap_or_default();
            !host.is_empty() && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        });
        if looks_like_host || text.contains('@') {
            // The text may hold a password; only what follows the last '@' is shown.
            let shown = text.rsplit_once('@').map_or(text, |(_, host)| host);
            return Err(invalid(format!(
                "a text without '://' names a directory; did you mean taosws://{shown}? (a directory of such a name: ./NAME as embudo:///NAME)"
            )));
        }
        Ok(Self::local(Location::Directory(PathBuf::from(text))))
    }

    /// After `embudo://`: `[user[:password]@][/path][?options]`.
    fn embedded(rest: &str) -> Result<Self> {
        let mut dsn = Self::local(Location::Memory);
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.split_once('/').unwrap_or((before, ""));
        let host = dsn.credentials(authority)?;
        if !host.is_empty() {
            return Err(invalid(format!("embudo:// has no host: did you mean embudo:///{host} (a directory) or taosws://{host} (a server)?")));
        }
        let path = decode(path)?;
        dsn.location = match path.strip_prefix(":memory:") {
            _ if path.is_empty() => Location::Memory,
            Some("") => Location::Memory,
            Some(name) => Location::SharedMemory(name.into()),
            None => Location::Directory(PathBuf::from(path)),
        };
        dsn.query(query)?;
        Ok(dsn)
    }

    /// Takes `user[:password]@` off; the rest is hosts.
    fn credentials<'a>(&mut self, authority: &'a str) -> Result<&'a str> {
        let Some((credentials, hosts)) = authority.rsplit_once('@') else { return Ok(authority) };
        let (user, password) = credentials.split_once(':').map_or((credentials, None), |(user, password)| (user, Some(password)));
        self.user = (!user.is_empty()).then(|| decode(user)).transpose()?;
        self.password = password.filter(|password| !password.is_empty()).map(|password| decode(password).map(Secret)).transpose()?;
        Ok(hosts)
    }

    fn query(&mut self, query: &str) -> Result<()> {
        for item in query.split('&').filter(|item| !item.is_empty()) {
            let (name, value) = item.split_once('=').unwrap_or((item, ""));
            self.set(&decode(name)?, &decode(value)?)?;
        }
        Ok(())
    }

    /// Sets an option or part, as the DSN's `?key=value` or a keyword of `connect` does; the last one holds.
    pub fn set(&mut self, name: &str, value: &str) -> Result<()> {
        let Some(key) = option_keys(self.transport).find(|key| key.name == name || key.aliases.contains(&name)) else {
            let known: Vec<_> = option_keys(self.transport).map(|key| key.name).collect();
            return Err(invalid(format!("unknown option '{name}' of {} connections; known are {}", self.transport.name(), known.join(", "))));
        };
        match key.name {
            "database" => self.database = (!value.is_empty()).then(|| value.into()),
            "user" => self.user = (!value.is_empty()).then(|| value.into()),
            "password" => self.password = (!value.is_empty()).then(|| Secret(value.into())),
            "host" => self.location = Location::Hosts(parse_hosts(value)?),
            "port" => {
                let port = parse_port(value)?;
                if let Location::Hosts(hosts) = &mut self.location {
                    for host in hosts {
                        host.port = port;
                    }
                }
            }
            name => {
                self.options.insert(name, value.into());
            }
        }
        Ok(())
    }

    /// The same servers over WebSocket; the port of TDengine's native protocol stands for that of its WebSocket.
    pub fn over_websocket(&self) -> Self {
        let mut dsn = Self { transport: Transport::WebSocket, ..self.clone() };
        if let Location::Hosts(hosts) = &mut dsn.location {
            hosts.iter_mut().filter(|host| host.port == NATIVE_PORT).for_each(|host| host.port = DEFAULT_PORT);
        }
        dsn
    }

    /// An option by its name in [`option_keys`].
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(String::as_str)
    }

    /// A yes-or-no option; a key without a value is yes.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        match value.to_ascii_lowercase().as_str() {
            "" | "1" | "true" | "t" | "yes" | "y" | "on" | "enable" | "enabled" => Ok(Some(true)),
            "0" | "false" | "f" | "no" | "n" | "off" | "disable" | "disabled" => Ok(Some(false)),
            _ => Err(invalid(format!("option '{name}' is yes or no, not '{value}'"))),
        }
    }

    /// A duration option: seconds, or a number with `ms`, `s` or `m`.
    pub fn duration(&self, name: &str) -> Result<Option<Duration>> {
        let Some(value) = self.option(name) else { return Ok(None) };
        let (number, unit) = if let Some(number) = value.strip_suffix("ms") {
            (number, 0.001)
        } else if let Some(number) = value.strip_suffix('m') {
            (number, 60.0)
        } else {
            (value.strip_suffix('s').unwrap_or(value), 1.0)
        };
        let seconds = number.trim().parse::<f64>().ok().filter(|seconds| (0.0..1e9).contains(seconds));
        let seconds = seconds.ok_or_else(|| invalid(format!("option '{name}' is a number of seconds, not '{value}'")))?;
        Ok(Some(Duration::from_secs_f64(seconds * unit)))
    }

    /// The servers; empty for an embedded database.
    pub fn hosts(&self) -> &[Host] {
        match &self.location {
            Location::Hosts(hosts) => hosts,
            _ => &[],
        }
    }
}

impl fmt::Display for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match (self.transport, self.tls) {
            (Transport::Embedded, _) => "embudo",
            (Transport::Rest, false) => "taosrest",
            (Transport::Rest, true) => "taosrest+https",
            (Transport::WebSocket, false) => "taosws",
            (Transport::WebSocket, true) => "taosws+wss",
            (Transport::Native, _) => "taos+native",
            (Transport::Any, _) => "taos",
        };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            write!(f, "{}{}@", encode(user), if self.password.is_some() { ":***" } else { "" })?;
        }
        let mut items = Vec::new();
        let embedded = |f: &mut fmt::Formatter<'_>, path: &str| write!(f, "/{path}");
        match &self.location {
            Location::Memory => embedded(f, ":memory:")?,
            Location::SharedMemory(name) => embedded(f, &format!(":memory:{name}"))?,
            Location::Directory(path) => embedded(f, &path.to_string_lossy())?,
            Location::Hosts(hosts) => f.write_str(&hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))?,
        }
        match (&self.database, &self.location) {
            (Some(database), Location::Hosts(_)) => write!(f, "/{database}")?,
            (Some(database), _) => items.push(format!("database={database}")),
            (None, _) => {}
        }
        for (name, value) in &self.options {
            let is_secret = OPTIONS.iter().any(|key| key.name == *name && key.secret);
            items.push(if is_secret { format!("{name}=***") } else { format!("{name}={}", encode(value)) });
        }
        if items.is_empty() { Ok(()) } else { write!(f, "?{}", items.join("&")) }
    }
}

impl fmt::Debug for Dsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dsn({self})")
    }
}

fn invalid(message: impl Into<String>) -> Error {
    Error::with(code::INVALID_CONFIG_OPTION, message)
}

/// Authority, database and query. The last '?' before something that looks like options begins the query; the last '@' before
/// that ends the credentials, so that raw '/', '?' and '@' may stand in a password.
fn split(rest: &str) -> (&str, &str, &str) {
    let is_key = |item: &str| {
        item.split('=').next().is_some_and(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'%' | b'-')))
    };
    let (before, query) = rest.rsplit_once('?').filter(|(_, query)| query.split('&').all(is_key)).unwrap_or((rest, ""));
    let credentials_end = before.rfind('@').map_or(0, |at| at + 1);
    let hosts_end = before[credentials_end..].find('/').map_or(before.len(), |slash| credentials_end + slash);
    let subject = &before[hosts_end..];
    (&before[..hosts_end], subject.strip_prefix('/').unwrap_or(subject), query)
}

fn parse_hosts(text: &str) -> Result<Vec<Host>> {
    // `url=http://host:port` of taosws: the scheme adds nothing.
    let text = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    text.split(',')
        .map(|item| {
            let (name, port) = match item.strip_prefix('[') {
                Some(rest) => {
                    let (name, after) = rest.split_once(']').ok_or_else(|| invalid(format!("'[' without ']' in host '{item}'")))?;
                    (name, after.strip_prefix(':'))
                }
                None => match item.rsplit_once(':') {
                    Some((name, port)) if !name.contains(':') => (name, Some(port)),
                    _ => (item, None),
                },
            };
            let port = port.map_or(Ok(DEFAULT_PORT), parse_port)?;
            let name = if name.is_empty() { "localhost".into() } else { decode(name)? };
            Ok(Host { name, port })
        })
        .collect()
}

/// A port; 0 stands for the default, as in TDengine's own connectors.
fn parse_port(text: &str) -> Result<u16> {
    match text.parse() {
        Ok(0) => Ok(DEFAULT_PORT),
        Ok(port) => Ok(port),
        Err(_) => Err(invalid(format!("a port is a number from 1 to 65535, not '{text}'"))),
    }
}

fn decode(text: &str) -> Result<String> {
    let bytes = percent_encoding::percent_decode_str(text);
    bytes.decode_utf8().map(Into::into).map_err(|_| invalid("a percent-encoded part of the DSN is not UTF-8"))
}

fn encode(text: &str) -> String {
    const KEEP: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b'+').remove(b',');
    percent_encoding::utf8_percent_encode(text, KEEP).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hosts(text: &str) -> String {
        let dsn = Dsn::parse(text).unwrap();
        dsn.hosts().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn schemes_choose_the_transport() {
        for (text, transport, tls) in [
            ("taosws://h", Transport::WebSocket, false),
            ("taosws+wss://h", Transport::WebSocket, true),
            ("wss://h", Transport::WebSocket, true),
            ("taos+ws://h", Transport::WebSocket, false),
            ("http://h:1", Transport::Rest, false),
            ("taosrest+https://h", Transport::Rest, true),
            ("taos://h:6030", Transport::Any, false),
            ("taos+native://h", Transport::Native, false),
            ("embudo:///x", Transport::Embedded, false),
            ("./data", Transport::Embedded, false),
        ] {
            let dsn = Dsn::parse(text).unwrap();
            assert_eq!((dsn.transport, dsn.tls), (transport, tls), "{text}");
        }
        assert!(Dsn::parse("mysql://h").unwrap_err().message().contains("taosws"));
    }

    #[test]
    fn directories_and_memory() {
        let location = |text: &str| Dsn::parse(text).unwrap().location;
        assert_eq!(location("data"), Location::Directory("data".into()));
        assert_eq!(location("embudo:///data/x"), Location::Directory("data/x".into()));
        assert_eq!(location("embudo:////var/x?read_only=1"), Location::Directory("/var/x".into()));
        assert_eq!(location("embudo://"), Location::Memory);
        assert_eq!(location("embudo:///:memory:"), Location::Memory);
        assert_eq!(location(":memory:a"), Location::SharedMemory("a".into()));
        assert_eq!(location(r"C:\data"), Location::Directory(r"C:\data".into()));
        for text in ["localhost:6041", "root:secret@host", "h:6041/db", ""] {
            let error = Dsn::parse(text).unwrap_err();
            assert!(!error.message().contains("secret"), "{error}");
        }
        assert!(Dsn::parse("h:6041").unwrap_err().message().contains("did you mean taosws://h:6041"));
        assert!(Dsn::parse("embudo://host/x").is_err());
    }

    #[test]
    fn hosts_ports_and_ipv6() {
        assert_eq!(hosts("taosws://"), "localhost:6041");
        assert_eq!(hosts("taosws://:1,b,[::1]:7,[fe80::1]"), "localhost:1 b:6041 [::1]:7 [fe80::1]:6041");
        assert_eq!(hosts("taosrest://u:p@ws(h:6050)/db"), "h:6050");
        assert_eq!(hosts("taosws://h:0"), "h:6041");
        assert!(Dsn::parse("taosws://h:x").is_err());
    }

    #[test]
    fn credentials_with_every_odd_character() {
        let dsn = Dsn::parse("taosws://ro%20ot:pa:ss@w#r/d?x@h:1/db?timezone=a@b").unwrap();
        assert_eq!(dsn.user.as_deref(), Some("ro ot"));
        assert_eq!(dsn.password.as_ref().map(Secret::reveal), Some("pa:ss@w#r/d?x"));
        assert_eq!(dsn.database.as_deref(), Some("db"));
        assert_eq!(hosts("taosws://h:1/db?user_app=a@b"), "h:1");
    }

    #[test]
    fn options_are_known_or_refused() {
        let mut dsn = Dsn::parse("taosrest://h/db?token=abc&timeout=1.5&compression").unwrap();
        assert_eq!(dsn.option("token"), Some("abc"));
        assert_eq!(dsn.duration("timeout").unwrap(), Some(Duration::from_millis(1_500)));
        assert_eq!(dsn.flag("compression").unwrap(), Some(true));
        assert_eq!(dsn.to_string(), "taosrest://h:6041/db?compression=&timeout=1.5&token=***");
        let error = Dsn::parse("taosrest://h?tokne=abc").unwrap_err();
        assert!(error.message().contains("'tokne'") && error.message().contains("token, bearer_token"), "{error}");
        dsn.set("password", "geheim").unwrap();
        dsn.set("user", "root").unwrap();
        dsn.set("port", "7").unwrap();
        assert!(!format!("{dsn:?}").contains("geheim"));
        assert!(Dsn::parse("./x").unwrap().set("host", "h").is_err());
    }

    proptest! {
        #[test]
        fn parts_come_back(user in "[^\u{0}]{1,12}", password in "[^\u{0}]{1,12}", host in "[a-z][a-z0-9.-]{0,10}", port in 1_u16.., database in "[a-z_][a-z0-9_]{0,8}") {
            let dsn = Dsn::parse(&format!("taosws://{}:{}@{host}:{port}/{database}", encode(&user), encode(&password))).unwrap();
            prop_assert_eq!(dsn.user.as_deref(), Some(user.as_str()));
            prop_assert_eq!(dsn.password.as_ref().map(Secret::reveal), Some(password.as_str()));
            prop_assert_eq!(dsn.hosts(), &[Host { name: host, port }]);
            prop_assert_eq!(dsn.database, Some(database));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = Dsn::parse(&text);
            let _ = Dsn::parse(&format!("taosws://{text}"));
            let _ = Dsn::parse(&format!("embudo://{text}"));
        }
    }
}
