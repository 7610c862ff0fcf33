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

mod driver;
mod dsn;
pub mod literal;
mod rest;

pub use driver::{ConnectOptions, Driver, Request, connect};
pub use dsn::{DEFAULT_PORT, Dsn, Host, Location, OptionKey, Secret, Transport, option_keys};
pub use rest::HttpStatus;
