//! From the words of the command line to a session.

use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_types::{Error, Result, Zone, code};

use crate::arguments::Target;

/// An open session and how it shows instants.
pub struct Connection {
    /// The session.
    pub driver: Box<dyn Driver>,
    /// Where it leads, for people; without secrets.
    pub name: String,
    /// The zone of the session, in which timestamps are shown.
    pub zone: Zone,
}

/// Connects to what the command line names.
pub fn open(target: &Target) -> Result<Connection> {
    let text = target.data.as_deref().or(target.url.as_deref());
    let text = text.ok_or_else(|| Error::with(code::INVALID_CONFIG_OPTION, "give --data DIR, --data :memory:, or --url DSN"))?;
    let mut dsn = Dsn::parse(text)?;
    if let Some(database) = &target.database {
        dsn.database = Some(database.clone());
    }
    let zone = dsn.option("timezone").map(Zone::named).transpose()?.unwrap_or_else(Zone::system);
    let driver = connect(&dsn, &ConnectOptions { application: Some("embudo shell".into()) })?;
    let name = target.data.clone().unwrap_or_else(|| dsn.to_string());
    Ok(Connection { driver, name, zone })
}
