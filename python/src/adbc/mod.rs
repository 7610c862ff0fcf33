//! The ADBC driver: Arrow in and out by the interface that pandas, polars and DuckDB load with their driver managers. It is the same client as
//! everywhere; nothing of Python is touched, so that other languages may load the extension as a driver too.
//!
//! Options: `uri` is any DSN, other keys of a database are the DSN's. A database of TDengine is a schema here; there is one catalogue without a
//! name. A table that is looked for without a schema is looked for in the session's database. Every statement is committed when it returns, so commit and rollback do nothing. Statements that ingest take the columns that are
//! tags from `embudo.ingest.tags` (separated by commas), the name or pattern of the children from `embudo.ingest.table`, the column with the
//! times from `embudo.ingest.time`.

mod connection;
mod objects;
mod reader;
mod statement;

use adbc_core::{
    Database, Driver, Optionable,
    error::{Error, Result, Status},
    options::{OptionConnection, OptionDatabase, OptionValue},
};
use embudo_client::{ConnectOptions, Dsn};
use embudo_types::code;

pub use connection::AdbcConnection;

/// Makes databases.
#[derive(Default)]
pub struct AdbcDriver;

impl Driver for AdbcDriver {
    type DatabaseType = AdbcDatabase;

    fn new_database(&mut self) -> Result<AdbcDatabase> {
        self.new_database_with_opts([])
    }

    fn new_database_with_opts(&mut self, options: impl IntoIterator<Item = (OptionDatabase, OptionValue)>) -> Result<AdbcDatabase> {
        let mut database = AdbcDatabase { uri: ":memory:".to_owned(), options: Vec::new() };
        for (key, value) in options {
            database.set_option(key, value)?;
        }
        database.dsn()?;
        Ok(database)
    }
}

/// Where connections lead.
pub struct AdbcDatabase {
    uri: String,
    options: Vec<(String, String)>,
}

impl AdbcDatabase {
    fn dsn(&self) -> Result<Dsn> {
        let mut dsn = Dsn::parse(&self.uri).map_err(failed)?;
        for (key, value) in &self.options {
            dsn.set(key, value).map_err(failed)?;
        }
        Ok(dsn)
    }
}

impl Optionable for AdbcDatabase {
    type Option = OptionDatabase;

    fn set_option(&mut self, key: OptionDatabase, value: OptionValue) -> Result<()> {
        let value = text(&key, value)?;
        match key {
            OptionDatabase::Uri => self.uri = value,
            OptionDatabase::Username => self.options.push(("user".to_owned(), value)),
            OptionDatabase::Password => self.options.push(("password".to_owned(), value)),
            key => self.options.push((key.as_ref().to_owned(), value)),
        }
        Ok(())
    }

    fn get_option_string(&self, key: OptionDatabase) -> Result<String> {
        match key {
            // With its secrets masked.
            OptionDatabase::Uri => Ok(self.dsn()?.to_string()),
            OptionDatabase::Password => Err(missing(&key)),
            key => self.options.iter().rfind(|(name, _)| name == key.as_ref()).map(|(_, value)| value.clone()).ok_or_else(|| missing(&key)),
        }
    }

    fn get_option_bytes(&self, key: OptionDatabase) -> Result<Vec<u8>> {
        Err(missing(&key))
    }

    fn get_option_int(&self, key: OptionDatabase) -> Result<i64> {
        Err(missing(&key))
    }

    fn get_option_double(&self, key: OptionDatabase) -> Result<f64> {
        Err(missing(&key))
    }
}

impl Database for AdbcDatabase {
    type ConnectionType = AdbcConnection;

    fn new_connection(&self) -> Result<AdbcConnection> {
        self.new_connection_with_opts([])
    }

    fn new_connection_with_opts(&self, options: impl IntoIterator<Item = (OptionConnection, OptionValue)>) -> Result<AdbcConnection> {
        let dsn = self.dsn()?;
        let driver = embudo_client::connect(&dsn, &ConnectOptions { application: Some("adbc".to_owned()) }).map_err(failed)?;
        let mut connection = AdbcConnection::new(driver.into(), &dsn)?;
        for (key, value) in options {
            connection.set_option(key, value)?;
        }
        Ok(connection)
    }
}

/// A failure of the client's, as ADBC has it.
#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn failed(error: embudo_types::Error) -> Error {
    let code = error.code();
    let status = match code {
        code::OPERATION_NOT_SUPPORTED => Status::NotImplemented,
        code::TABLE_DOES_NOT_EXIST | code::TABLE_DOES_NOT_EXIST_2603 | code::TABLE_NOT_EXISTS | code::STABLE_NOT_EXIST | code::STABLE_NOT_EXISTS => {
            Status::NotFound
        }
        code::DATABASE_NOT_EXIST => Status::NotFound,
        code::TABLE_ALREADY_EXISTS => Status::AlreadyExists,
        code::AUTHENTICATION_FAILURE => Status::Unauthenticated,
        code::QUERY_TERMINATED => Status::Cancelled,
        code::OPERATION_TIMEOUT | code::CONN_READ_TIMEOUT => Status::Timeout,
        code::UNABLE_TO_ESTABLISH_CONNECTION | code::UNABLE_TO_RESOLVE_FQDN | code::CONN_IS_BROKEN => Status::IO,
        code::INTERNAL_ERROR => Status::Internal,
        code::OUT_OF_RANGE => Status::InvalidData,
        _ => Status::InvalidArguments,
    };
    Error { vendor_code: i32::from(code.0), ..Error::with_message_and_status(error.to_string(), status) }
}

fn refused(message: impl Into<String>, status: Status) -> Error {
    Error::with_message_and_status(message, status)
}

fn missing(key: &impl AsRef<str>) -> Error {
    refused(format!("there is no value of the option {}", key.as_ref()), Status::NotFound)
}

fn text(key: &impl AsRef<str>, value: OptionValue) -> Result<String> {
    match value {
        OptionValue::String(text) => Ok(text),
        OptionValue::Int(number) => Ok(number.to_string()),
        OptionValue::Double(number) => Ok(number.to_string()),
        _ => Err(refused(format!("the option {} is a text", key.as_ref()), Status::InvalidArguments)),
    }
}
