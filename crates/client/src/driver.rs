//! What every transport offers, and the choice of one.

use embudo_types::{Error, Result, ResultSet, Value, code};

use crate::{Dsn, Transport};

/// How to connect beyond what the DSN says.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Name of the connecting program, shown in `SHOW CONNECTIONS`.
    pub application: Option<String>,
}

/// One session over one transport. May be shared by threads; calls take turns where the transport needs it.
pub trait Driver: Send + Sync {
    /// Runs one statement with a value for every `?`.
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<ResultSet>;

    /// The server's version, as `SELECT SERVER_VERSION()` gives it.
    fn server_version(&self) -> Result<String>;

    /// How this session reaches its database.
    fn transport(&self) -> Transport;

    /// Makes a call that runs in another thread end soon with `QUERY_TERMINATED`, where the transport can.
    fn interrupt(&self);

    /// Ends the session; later calls fail.
    fn close(&self) -> Result<()>;
}

/// Opens a session on what the DSN names.
pub fn connect(dsn: &Dsn, options: ConnectOptions) -> Result<Box<dyn Driver>> {
    let _ = options;
    Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("this build has no {} transport", dsn.transport.name())))
}
