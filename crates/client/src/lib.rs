//! Drivers over every transport: one [`Dsn`], one [`Driver`], one result type ([`embudo_types::ResultSet`]).
//!
//! Leaves the protocols' formats to `wire`, the database to `engine`, and everything Python, C or terminal to its users.
//!
//! ```no_run
//! use embudo_client::{ConnectOptions, Dsn, connect};
//! let driver = connect(&Dsn::parse("taosrest://root:taosdata@localhost:6041/power")?, &ConnectOptions::default())?;
//! let result = driver.execute("SELECT COUNT(*) FROM meters WHERE ts > ?", &[embudo_types::Value::BigInt(0)])?;
//! # Ok::<(), embudo_types::Error>(())
//! ```

pub mod asynchronous;
pub mod bulk;
mod deadline;
mod driver;
mod dsn;
#[cfg(feature = "embedded")]
mod embedded;
#[cfg(feature = "embedded")]
mod embedded_statement;
#[cfg(feature = "embedded")]
mod embedded_subscription;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod geometry_text;
pub mod ingest;
mod insert_text;
pub mod literal;
mod native;
mod rest;
mod statement;
mod subscription;
mod text_statement;
mod tls;
mod websocket;

pub use driver::{ConnectOptions, Driver, Introduction, LineOptions, LineProtocol, LinesWritten, RawMessage, Request, TimeUnit, connect};
pub use dsn::{DEFAULT_PORT, Dsn, Host, Location, OptionKey, Secret, Transport, option_keys};
pub use embudo_types::{FieldRole, StatementField};
pub use embudo_wire::tmq::configuration as consumer_configuration;
pub use embudo_wire::tmq::meta_json::encode as meta_json;
pub use native::abi;
pub use rest::HttpStatus;
pub use statement::{BoundColumn, Statement, TableBind};
pub use subscription::Subscription;

/// Forgets threads of the parent, in the child of a fork; sessions of the parent must not be used or dropped there.
pub fn after_fork() {
    deadline::after_fork();
    asynchronous::after_fork();
    #[cfg(feature = "embedded")]
    embudo_engine::after_fork();
    websocket::after_fork();
}
