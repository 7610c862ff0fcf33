//! What the process was told before it connects: options, `taos.cfg`, the environment; and the DSN that comes of it.

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Mutex, MutexGuard, Once, PoisonError},
};

use embudo_client::{Dsn, Transport};
use embudo_types::{Error, Result, Zone, code};

use crate::boundary::invalid;

/// Where TDengine's client looks for its configuration.
const FOLDER: &str = "/etc/taos";
/// MD5 of the default password, the only one whose hash can be turned back.
const DEFAULT_PASSWORD_HASH: &str = "dcc5bed04851fec854c035b2e40263b6";
/// The longest name of a user.
const USER_BYTES: usize = 23;
/// The longest password.
const PASSWORD_BYTES: usize = 255;

/// Options of the process.
#[derive(Default)]
struct Settings {
    timezone: Option<String>,
    folder: Option<PathBuf>,
    /// Entries of `taos_set_config`, in the words of `taos.cfg`.
    entries: BTreeMap<String, String>,
    entries_given: bool,
}

static SETTINGS: Mutex<Settings> = Mutex::new(Settings { timezone: None, folder: None, entries: BTreeMap::new(), entries_given: false });

fn settings() -> MutexGuard<'static, Settings> {
    SETTINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The zone of connections to come.
pub fn set_timezone(name: &str) -> Result<()> {
    let name = zone_word(name);
    Zone::named(name)?;
    settings().timezone = Some(name.to_owned());
    Ok(())
}

/// The name of a zone: TDengine may say more of one, such as `Asia/Shanghai (CST, +0800)`.
fn zone_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or("UTC")
}

/// The zone that connections have by themselves.
pub fn timezone() -> String {
    settings().timezone.clone().unwrap_or_else(|| Zone::system().name())
}

/// The folder with `taos.cfg`, or the file itself.
pub fn set_folder(path: &str) {
    settings().folder = Some(path.into());
}

/// Entries as from `taos.cfg`; they can be given once. False where they have been.
pub fn set_entries(entries: BTreeMap<String, String>) -> bool {
    let mut settings = settings();
    if settings.entries_given {
        return false;
    }
    settings.entries_given = true;
    settings.entries = entries;
    true
}

/// What a program gives to connect.
#[derive(Clone, Copy, Debug, Default)]
pub struct Target<'a> {
    /// A host, several with commas, or a DSN.
    pub host: Option<&'a str>,
    /// 0 for the default.
    pub port: u16,
    /// User.
    pub user: Option<&'a str>,
    /// Password.
    pub password: Option<&'a str>,
    /// Current database.
    pub database: Option<&'a str>,
    /// One-time password.
    pub totp: Option<&'a str>,
    /// Token instead of user and password.
    pub token: Option<&'a str>,
}

/// The password of a hash as `taos_connect_auth` takes it.
pub fn password_of_hash(hash: &str) -> Result<&'static str> {
    if hash.eq_ignore_ascii_case(DEFAULT_PASSWORD_HASH) {
        return Ok("taosdata");
    }
    Err(Error::with(code::OPERATION_NOT_SUPPORTED, "the hash of a password that is not the default cannot be checked; connect with the password"))
}

/// The DSN that a target leads to.
pub fn dsn(target: &Target<'_>) -> Result<Dsn> {
    let file = Entries::read();
    let asked = target.host.filter(|host| !host.is_empty());
    let mut dsn = match redirection(&file, asked.unwrap_or("the configured host"))? {
        Some(dsn) => dsn,
        None => match asked {
            Some(host) if host.contains("://") || host.starts_with(":memory:") => Dsn::parse(host)?,
            _ => hosts(asked, target.port, &file)?,
        },
    };
    dsn = through_us(dsn);
    let zone = settings().timezone.clone().or_else(|| std::env::var("TAOS_TIMEZONE").ok()).or_else(|| file.get("timezone"));
    if let Some(zone) = zone.filter(|_| dsn.option("timezone").is_none()) {
        dsn.set("timezone", zone_word(&zone))?;
    }
    if dsn.user.is_none() {
        log_in(&mut dsn, target)?;
    }
    for (name, value) in [("totp_code", target.totp), ("bearer_token", target.token)] {
        if let Some(value) = value.filter(|_| dsn.transport != Transport::Embedded) {
            dsn.set(name, value)?;
        }
    }
    if let Some(database) = target.database.filter(|database| !database.is_empty()) {
        dsn.set("database", database)?;
    }
    Ok(dsn)
}

/// What leads to a C library leads to the servers behind it: this is one.
fn through_us(dsn: Dsn) -> Dsn {
    if matches!(dsn.transport, Transport::Any | Transport::Native) { dsn.over_websocket() } else { dsn }
}

/// The DSN that a text of `taos_connect_with_dsn` leads to.
pub fn dsn_of_text(text: &str) -> Result<Dsn> {
    let mut dsn = match redirection(&Entries::read(), text)? {
        Some(dsn) => dsn,
        None => Dsn::parse(text)?,
    };
    dsn = through_us(dsn);
    Ok(dsn)
}

fn log_in(dsn: &mut Dsn, target: &Target<'_>) -> Result<()> {
    if let Some(user) = target.user {
        if user.is_empty() || user.len() > USER_BYTES {
            return Err(Error::new(code::INVALID_USER_NAME));
        }
        dsn.set("user", user)?;
    }
    if let Some(password) = target.password {
        if password.is_empty() || password.len() > PASSWORD_BYTES {
            return Err(Error::new(code::INVALID_PASSWORD));
        }
        if dsn.user.is_none() {
            dsn.set("user", "root")?;
        }
        dsn.set("password", password)?;
    } else if dsn.user.is_some() && target.token.is_none() {
        dsn.set("password", "taosdata")?;
    }
    Ok(())
}

/// Where everything goes, whatever the program asks for: `EMBUDO_DSN`, or `embudoDsn` of the configuration. The process says so once.
fn redirection(file: &Entries, asked: &str) -> Result<Option<Dsn>> {
    static TOLD: Once = Once::new();
    let from_environment = std::env::var("EMBUDO_DSN").ok().filter(|dsn| !dsn.is_empty());
    let (name, text) = match (from_environment, file.get("embudoDsn")) {
        (Some(dsn), _) => ("EMBUDO_DSN", dsn),
        (None, Some(dsn)) => ("embudoDsn of the configuration", dsn),
        (None, None) => return Ok(None),
    };
    // One database that the whole process shares.
    let dsn = Dsn::parse(if text == ":memory:" { ":memory:EMBUDO_DSN" } else { &text })?;
    if dsn.transport == Transport::Native {
        // It leads to a C library, which is this one where it is asked.
        return Ok(None);
    }
    // What is asked may be a DSN with a password.
    let asked = match Dsn::parse(asked) {
        Ok(dsn) if asked.contains("://") => dsn.to_string(),
        _ => asked.rsplit('@').next().unwrap_or_default().to_owned(),
    };
    TOLD.call_once(|| eprintln!("WARNING: {name} redirects connections: {asked} goes to {dsn}"));
    Ok(Some(dsn))
}

/// Servers by their names, or those of the configuration. Ports of TDengine's native protocol stand for that of its WebSocket.
fn hosts(host: Option<&str>, port: u16, file: &Entries) -> Result<Dsn> {
    let mut dsn = Dsn::parse("taosws://localhost")?;
    let http = |port: u16| if matches!(port, 0 | 6030) { embudo_client::DEFAULT_PORT } else { port };
    let list = std::env::var("TAOS_ADAPTER_LIST").ok().or_else(|| file.get("adapterList"));
    match (host, list) {
        (Some(host), _) => dsn.set("host", host)?,
        (None, Some(list)) => return dsn.set("host", &list).map(|()| dsn),
        (None, None) => {
            let first = std::env::var("TAOS_FQDN").ok().or_else(|| file.get("firstEp")).or_else(|| file.get("fqdn"));
            dsn.set("host", first.as_deref().unwrap_or("localhost"))?;
        }
    }
    let is_cloud = dsn.hosts().iter().any(|host| host.name.contains("cloud.tdengine") || host.name.contains("cloud.taosdata"));
    if is_cloud {
        dsn.tls = true;
    }
    let configured = || std::env::var("TAOS_SERVER_PORT").ok().or_else(|| file.get("serverPort"));
    if port != 0 {
        dsn.set("port", &http(port).to_string())?;
    } else if is_cloud {
        dsn.set("port", "443")?;
    } else if host.is_none()
        && let Some(port) = configured()
    {
        let port: u16 = port.parse().map_err(|_| invalid("serverPort is a port"))?;
        dsn.set("port", &http(port).to_string())?;
    } else if let [only] = dsn.hosts()
        && only.port == 6030
    {
        dsn.set("port", &http(0).to_string())?;
    }
    Ok(dsn)
}

/// Entries of `taos.cfg`, and over them those of `taos_set_config`.
struct Entries(BTreeMap<String, String>);

impl Entries {
    fn read() -> Self {
        let settings = settings();
        let folder = settings.folder.clone().or_else(|| std::env::var_os("TAOS_CONFIG_DIR").map(PathBuf::from));
        let mut path = folder.unwrap_or_else(|| FOLDER.into());
        if path.is_dir() {
            path.push("taos.cfg");
        }
        // Without the file everything has its default.
        let mut entries = std::fs::read_to_string(path).map(|text| parse(&text)).unwrap_or_default();
        entries.extend(settings.entries.clone());
        Self(entries)
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Lines of a name and a value; `#` begins a comment.
fn parse(text: &str) -> BTreeMap<String, String> {
    let entry = |line: &str| {
        let line = line.split('#').next()?.trim();
        let (name, value) = line.split_once(char::is_whitespace)?;
        Some((name.to_owned(), value.trim().to_owned()))
    };
    text.lines().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configuration_files() {
        let entries = parse("# comment\nfirstEp  h1:6030 # first\n\nserverPort\t6030\ntimezone Asia/Shanghai (CST, +0800)\nalone\n");
        assert_eq!(entries.len(), 3);
        assert_eq!(entries["firstEp"], "h1:6030");
        assert_eq!(entries["timezone"], "Asia/Shanghai (CST, +0800)");
    }

    #[test]
    fn targets_become_dsns() {
        let shown = |host: Option<&str>, port| hosts(host, port, &Entries(BTreeMap::new())).unwrap().to_string();
        assert_eq!(shown(Some("h"), 0), "taosws://h:6041");
        assert_eq!(shown(Some("h"), 6030), "taosws://h:6041");
        assert_eq!(shown(Some("h"), 7), "taosws://h:7");
        assert_eq!(shown(Some("h:6030"), 0), "taosws://h:6041");
        assert_eq!(shown(Some("a,b"), 7), "taosws://a:7,b:7");
        assert_eq!(shown(Some("x.cloud.tdengine.com"), 0), "taosws+wss://x.cloud.tdengine.com:443");
        let file = Entries(parse("firstEp db1:6030\nserverPort 6030"));
        assert_eq!(hosts(None, 0, &file).unwrap().to_string(), "taosws://db1:6041");
        let file = Entries(parse("adapterList a:1,b:2\nfirstEp db1:6030"));
        assert_eq!(hosts(None, 0, &file).unwrap().to_string(), "taosws://a:1,b:2");
    }

    #[test]
    fn no_dsn_leads_back_here() {
        for text in ["taos://h:6030", "taos+native://h?library_path=libtaos.so"] {
            assert_eq!(through_us(Dsn::parse(text).unwrap()).transport, Transport::WebSocket, "{text}");
        }
    }

    #[test]
    fn names_and_passwords_have_limits() {
        let mut dsn = Dsn::parse("taosws://h").unwrap();
        let refused = |user, password| {
            let mut dsn = Dsn::parse("taosws://h").unwrap();
            log_in(&mut dsn, &Target { user, password, ..Target::default() }).unwrap_err().code()
        };
        assert_eq!(refused(Some(""), None), code::INVALID_USER_NAME);
        assert_eq!(refused(Some("a23456789012345678901234"), None), code::INVALID_USER_NAME);
        assert_eq!(refused(Some("root"), Some("")), code::INVALID_PASSWORD);
        log_in(&mut dsn, &Target { user: Some("u"), password: Some("p"), ..Target::default() }).unwrap();
        assert_eq!(dsn.to_string(), "taosws://u:***@h:6041");
        assert_eq!(password_of_hash("DCC5BED04851FEC854C035B2E40263B6").unwrap(), "taosdata");
        assert_eq!(password_of_hash("x").unwrap_err().code(), code::OPERATION_NOT_SUPPORTED);
    }
}
