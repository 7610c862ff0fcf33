//! What every transport offers, and the choice of one.

use std::{sync::Arc, time::Duration};

use arrow_array::{Array, RecordBatch};
use embudo_types::{Error, Result, ResultSet, Value, code, subscription::SubscribeOptions};

pub use embudo_wire::{
    schemaless::{LineProtocol, TimeUnit},
    tmq::RawMessage,
};

use crate::{
    Dsn, Subscription, Transport,
    asynchronous::{self, AsyncResult, OwnedRequest, Pending},
    insert_text, native,
    rest::RestDriver,
    websocket::WebSocketDriver,
};

/// How to connect beyond what the DSN says.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Name of the connecting program, shown in `SHOW CONNECTIONS`.
    pub application: Option<String>,
}

/// What a session says of the program behind it, for lists of connections; what it does not say is told as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Introduction {
    /// The program.
    pub application: Option<String>,
    /// The address that it is at.
    pub address: Option<String>,
}

/// One statement to run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The statement.
    pub sql: &'a str,
    /// A value for every `?`.
    pub parameters: &'a [Value],
    /// An id that the server's logs show with it.
    pub request_id: Option<u64>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// How a text of points is to be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOptions<'a> {
    /// Its protocol.
    pub protocol: LineProtocol,
    /// Unit of the times in InfluxDB lines; the other protocols tell theirs by the digits.
    pub unit: TimeUnit,
    /// TTL in days of children that are made, 0 for ever.
    pub ttl: u32,
    /// The tag whose value names the child.
    pub table_name_key: Option<&'a str>,
    /// An id that the server's logs show with it.
    pub request_id: Option<u64>,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinesWritten {
    /// Rows with a key of their own; where the server does not tell, all points.
    pub affected_rows: u64,
    /// Points in the text.
    pub total_rows: u64,
}

/// One session over one transport. May be shared by threads; calls take turns where the transport needs it.
pub trait Driver: Send + Sync {
    /// Runs one statement.
    fn run(&self, request: &Request<'_>) -> Result<ResultSet>;

    /// Runs one statement with a value for every `?`.
    fn execute(&self, sql: &str, parameters: &[Value]) -> Result<ResultSet> {
        self.run(&Request { sql, parameters, ..Request::default() })
    }

    /// Runs one statement as a future that no thread waits for; dropped, it gives the statement up. Here the call itself blocks, in a thread of
    /// the pool; a transport with a better way has its own.
    fn start(self: Arc<Self>, request: OwnedRequest) -> Pending<AsyncResult>
    where
        Self: 'static,
    {
        asynchronous::start_in_pool(self, request)
    }

    /// The server's version, as `SELECT SERVER_VERSION()` gives it.
    fn server_version(&self) -> Result<String> {
        let batches = self.execute("SELECT SERVER_VERSION()", &[])?.collect()?;
        let column = batches.first().and_then(|batch| batch.columns().first());
        let text = column.and_then(|column| column.as_any().downcast_ref::<arrow_array::BinaryArray>());
        let text = text.filter(|text| !text.is_empty()).map(|text| String::from_utf8_lossy(text.value(0)).into_owned());
        text.ok_or_else(|| Error::internal("SERVER_VERSION() gave no text"))
    }

    /// Writes rows that come as Arrow columns named and typed like the target's. `target` (`[database.]table`) is a child or normal
    /// table, or a supertable: then a column `tbname` names the children, and columns of its tags give those of children that are
    /// made. Gives how many rows were written. Here they become INSERT statements; a transport with a better way has its own.
    fn insert(&self, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
        batches.map(|batch| insert_text::insert(self, target, &batch?)).sum()
    }

    /// Writes the rows of an INSERT whose cells are all `?` as columns, one atomic record; `None` where the transport, the
    /// statement or a value does not allow it: then the rows go as text, by the rules of literals.
    fn insert_rows(&self, sql: &str, rows: &[Vec<Value>]) -> Result<Option<u64>> {
        let _ = (sql, rows);
        Ok(None)
    }

    /// Writes points of a line protocol into the session's database: `text` holds lines, or OpenTSDB's JSON. Supertables are made and
    /// widened as the points need; a bad point refuses the whole text.
    fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        let _ = (text, options);
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} writes no line protocols", self.transport().name())))
    }

    /// Prepares a statement for many bindings. It belongs to the session's connection as it is now.
    fn prepare(&self, sql: &str) -> Result<Box<dyn crate::Statement>> {
        let _ = sql;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} prepares no statements", self.transport().name())))
    }

    /// Checks a statement without running it: the error is the one that it would be refused with.
    fn validate(&self, sql: &str) -> Result<()> {
        let _ = sql;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} checks no statements", self.transport().name())))
    }

    /// Leaves the current database.
    fn reset_database(&self) -> Result<()> {
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} leaves no database", self.transport().name())))
    }

    /// Changes the zone that the session reads times in and aligns windows to.
    fn set_timezone(&self, name: &str) -> Result<()> {
        let _ = name;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} keeps the zone it was opened with", self.transport().name())))
    }

    /// Says who is behind this session, in place of what it said before.
    fn introduce(&self, introduction: &Introduction) -> Result<()> {
        let _ = introduction;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} keeps what it said of itself", self.transport().name())))
    }

    /// Begins to consume topics, as a member of a group. 0x03E1 where a topic is missing, 0x0118 where an option cannot be.
    fn subscribe(&self, options: SubscribeOptions) -> Result<Box<dyn Subscription>> {
        let _ = options;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} subscribes to no topics", self.transport().name())))
    }

    /// Does again what a message of a subscription tells, in the current database: its events before its rows.
    fn write_raw(&self, raw: RawMessage<'_>) -> Result<()> {
        let _ = raw;
        Err(Error::with(code::OPERATION_NOT_SUPPORTED, format!("{} writes no messages", self.transport().name())))
    }

    /// How this session reaches its database.
    fn transport(&self) -> Transport;

    /// The engine behind an embedded session.
    #[cfg(feature = "embedded")]
    fn engine(&self) -> Option<Arc<embudo_engine::Engine>> {
        None
    }

    /// Makes a call that runs in another thread end soon with `QUERY_TERMINATED`, where the transport can.
    fn interrupt(&self);

    /// Ends the session; later calls fail.
    fn close(&self) -> Result<()>;
}

/// Opens a session on what the DSN names.
pub fn connect(dsn: &Dsn, options: &ConnectOptions) -> Result<Box<dyn Driver>> {
    match dsn.transport {
        Transport::Rest => Ok(Box::new(RestDriver::new(dsn, options)?)),
        Transport::WebSocket => Ok(Box::new(WebSocketDriver::new(dsn, options)?)),
        #[cfg(feature = "embedded")]
        Transport::Embedded => Ok(Box::new(crate::embedded::EmbeddedDriver::open(dsn)?)),
        #[cfg(not(feature = "embedded"))]
        Transport::Embedded => Err(Error::with(code::OPERATION_NOT_SUPPORTED, "this build has no embedded transport")),
        Transport::Native => Ok(Box::new(native::NativeDriver::new(dsn, options)?)),
        // Chosen before connecting: a failure is no reason to try the other.
        Transport::Any if native::is_there(dsn) => Ok(Box::new(native::NativeDriver::new(dsn, options)?)),
        Transport::Any => Ok(Box::new(WebSocketDriver::new(&dsn.over_websocket(), options)?)),
    }
}
