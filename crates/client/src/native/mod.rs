//! The native transport: TDengine's own client library, opened when a connection is wanted. Results are raw blocks straight into Arrow,
//! parameters are bound as values.
//!
//! Any library from 3.0 on will do; what one lacks is an error that names the function and the version that has it.

pub mod abi;
mod cells;
mod library;
mod result;
mod statement;
mod subscription;

use std::{
    ffi::{CString, c_char, c_int, c_void},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use embudo_types::{Error, FieldRole, Outcome, Result, ResultSet, Value, Zone, code, subscription::SubscribeOptions};

use crate::{
    ConnectOptions, DEFAULT_PORT, Driver, Dsn, Introduction, LineOptions, LineProtocol, LinesWritten, RawMessage, Request, Subscription, TimeUnit, Transport,
    deadline::{Deadline, within},
    ingest::column_of_rows,
    literal,
    statement::Statement,
};
use library::Library;
use result::Answer;
use statement::NativeStatement;
use subscription::NativeSubscription;

/// `TSDB_OPTION_TIMEZONE` and `TSDB_OPTION_CONFIGDIR` of the process, and some of `TSDB_OPTION_CONNECTION`.
const PROCESS_ZONE: c_int = 2;
const PROCESS_FOLDER: c_int = 3;
const CONNECTION_ZONE: c_int = 1;
const CONNECTION_ADDRESS: c_int = 2;
const CONNECTION_APPLICATION: c_int = 3;

/// A session by TDengine's library.
pub struct NativeDriver {
    dsn: Dsn,
    timeout: Option<Duration>,
    zone: Mutex<Zone>,
    library: &'static Library,
    /// `None` once closed.
    connection: Mutex<Option<Arc<Connection>>>,
}

/// A connection of the library, closed when nothing needs it any more.
pub struct Connection {
    library: &'static Library,
    handle: *mut c_void,
}

// SAFETY: connections may be used by any number of threads at a time, by the interface's rules.
unsafe impl Send for Connection {}
// SAFETY: as above.
unsafe impl Sync for Connection {}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Ok(function) = self.library.taos_close() {
            // SAFETY: closed once, here.
            unsafe { function(self.handle) };
        }
    }
}

/// Whether a client library of TDengine's own can be opened for this DSN.
pub fn is_there(dsn: &Dsn) -> bool {
    Library::open(dsn.option("library_path")).is_ok_and(|library| !library.is_ours() || dsn.option("library_path").is_some())
}

impl NativeDriver {
    /// Connects to the first host that takes a connection.
    pub fn new(dsn: &Dsn, _options: &ConnectOptions) -> Result<Self> {
        let path = dsn.option("library_path");
        let library = Library::open(path)?;
        if library.is_ours() && path.is_none() {
            let what = "the libtaos found is Embudo's own and leads back here: connect with taosws:// or a directory, or give library_path";
            return Err(Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, what));
        }
        let connection = Arc::new(connect(library, dsn)?);
        let zone = dsn.option("timezone").map(Zone::named).transpose()?.unwrap_or_else(Zone::system);
        let driver = Self { dsn: dsn.clone(), timeout: dsn.duration("timeout")?, zone: Mutex::new(zone), library, connection: Mutex::new(Some(connection)) };
        if let Some(zone) = dsn.option("timezone")
            && driver.library.taos_options_connection().is_ok()
        {
            driver.set_timezone(zone)?;
        }
        Ok(driver)
    }

    fn connection(&self) -> Result<Arc<Connection>> {
        let connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner).clone();
        connection.ok_or_else(|| Error::with(code::INVALID_OPERATION, "the connection is closed"))
    }

    fn zone(&self) -> Zone {
        self.zone.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn query(&self, sql: &str, request_id: Option<u64>) -> Result<ResultSet> {
        let connection = self.connection()?;
        let text = c_text(sql)?;
        let handle = match (request_id, self.library.taos_query_with_reqid()) {
            // SAFETY: a connection that is there and a text.
            (Some(id), Ok(function)) => unsafe { function(connection.handle, text.as_ptr(), id as i64) },
            // Ids are for logs; libraries of old know none.
            // SAFETY: as above.
            _ => unsafe { self.library.taos_query()?(connection.handle, text.as_ptr()) },
        };
        Answer::new(self.library, handle, connection)?.into_result_set()
    }

    /// Runs a statement with its parameters bound; `None` where a value has no form to be bound in.
    fn bound(&self, sql: &str, values: &[Value]) -> Result<Option<ResultSet>> {
        let Some(mut statement) = self.preparable(sql)? else { return Ok(None) };
        if statement.is_insert() {
            return Ok(self.write_rows(&mut statement, &[values])?.map(ResultSet::affected));
        }
        let Some(mut tables) = crate::websocket::parameters(values) else { return Ok(None) };
        let parameters = tables.pop().map(|table| table.columns).unwrap_or_default();
        statement.query(parameters).map(Some)
    }

    /// A prepared statement; `None` where the library does not prepare it, such as an INSERT with values between its `?`.
    fn preparable(&self, sql: &str) -> Result<Option<NativeStatement>> {
        let is_broken = |error: &Error| matches!(error.code(), code::UNABLE_TO_ESTABLISH_CONNECTION | code::CONN_IS_BROKEN | code::CONN_READ_TIMEOUT);
        match NativeStatement::prepare(self.library, self.connection()?, sql, self.zone()) {
            Ok(statement) => Ok(Some(statement)),
            Err(error) if is_broken(&error) => Err(error),
            // Sent as text it is either taken or told what is wrong with it.
            Err(_) => Ok(None),
        }
    }

    fn write_rows(&self, statement: &mut NativeStatement, rows: &[&[Value]]) -> Result<Option<u64>> {
        let Ok(fields) = statement.fields() else { return Ok(None) };
        if fields.is_empty() || rows.iter().any(|row| row.len() != fields.len()) {
            return Ok(None);
        }
        let zone = self.zone();
        let column = |place: usize| column_of_rows(rows, place, &fields[place].name, fields[place].data_type, fields[place].precision, &zone);
        let Ok(arrays) = (0..fields.len()).map(column).collect::<Result<Vec<_>>>() else { return Ok(None) };
        let bound = fields.iter().zip(arrays).map(|(field, array)| crate::BoundColumn { data_type: field.data_type, array, present: None });
        if fields.iter().any(|field| field.role == FieldRole::Table) {
            statement.bind_columns(bound.collect())?;
        } else {
            statement.bind(vec![crate::TableBind { name: None, tags: Vec::new(), columns: bound.collect() }])?;
        }
        statement.execute().map(Some)
    }
}

impl Driver for NativeDriver {
    fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
        let run = || {
            if !request.parameters.is_empty() {
                literal::counted_placeholders(request.sql, request.parameters)?;
                if let Some(result) = self.bound(request.sql, request.parameters)? {
                    return Ok(result);
                }
            }
            self.query(&literal::render(request.sql, request.parameters)?, request.request_id)
        };
        let Some(timeout) = request.timeout.or(self.timeout) else { return run() };
        let (library, connection) = (self.library, self.connection()?);
        let deadline = Deadline::start(timeout, Box::new(move || interrupt(library, &connection)))?;
        let result = deadline.check(run())?;
        Ok(match result.outcome {
            Outcome::Rows(batches) => ResultSet { schema: result.schema, outcome: Outcome::Rows(within(deadline, batches)) },
            affected @ Outcome::Affected(_) => ResultSet { schema: result.schema, outcome: affected },
        })
    }

    fn insert_rows(&self, sql: &str, rows: &[Vec<Value>]) -> Result<Option<u64>> {
        let Some(mut statement) = self.preparable(sql)? else { return Ok(None) };
        if !statement.is_insert() {
            return Ok(None);
        }
        let rows: Vec<&[Value]> = rows.iter().map(Vec::as_slice).collect();
        self.write_rows(&mut statement, &rows)
    }

    fn server_version(&self) -> Result<String> {
        let connection = self.connection()?;
        // SAFETY: a connection that is there; its text lives as long.
        let version = unsafe { library::read(self.library.taos_get_server_info()?(connection.handle)) };
        // Libraries of old tell more than the number.
        Ok(version.trim_start_matches("ver:").split_whitespace().next().unwrap_or_default().to_owned())
    }

    fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        let connection = self.connection()?;
        let lines = text.as_bytes();
        let length = c_int::try_from(lines.len()).map_err(|_| Error::with(code::INVALID_PARAMETERS, "a text of more than 2 GiB"))?;
        let (protocol, precision) = (protocol_id(options.protocol), unit_id(options.unit));
        let (ttl, request) = (options.ttl as i32, options.request_id.unwrap_or(0) as i64);
        // The interface's types are not constant; the library only reads.
        let start = lines.as_ptr().cast_mut().cast();
        let mut total = 0;
        let library = self.library;
        let handle = if let Some(key) = options.table_name_key {
            let key = c_text(key)?;
            let function = library.taos_schemaless_insert_raw_ttl_with_reqid_tbname_key()?;
            // SAFETY: a connection that is there, `length` bytes and a text.
            unsafe { function(connection.handle, start, length, &raw mut total, protocol, precision, ttl, request, key.as_ptr().cast_mut()) }
        } else if let Ok(function) = library.taos_schemaless_insert_raw_ttl_with_reqid() {
            // SAFETY: as above.
            unsafe { function(connection.handle, start, length, &raw mut total, protocol, precision, ttl, request) }
        } else if ttl != 0 {
            return Err(library.missing("taos_schemaless_insert_raw_ttl_with_reqid", "3.0.3.0"));
        } else if let Ok(function) = library.taos_schemaless_insert_raw() {
            // SAFETY: as above.
            unsafe { function(connection.handle, start, length, &raw mut total, protocol, precision) }
        } else {
            let texts = lines_of(text, options.protocol)?;
            let mut lines: Vec<*mut c_char> = texts.iter().map(|line| line.as_ptr().cast_mut()).collect();
            total = lines.len() as i32;
            // SAFETY: a connection that is there and as many texts as are counted.
            unsafe { library.taos_schemaless_insert()?(connection.handle, lines.as_mut_ptr(), total, protocol, precision) }
        };
        let answer = Answer::new(self.library, handle, connection)?;
        Ok(LinesWritten { affected_rows: answer.affected()?, total_rows: total.max(0) as u64 })
    }

    fn prepare(&self, sql: &str) -> Result<Box<dyn Statement>> {
        Ok(Box::new(NativeStatement::prepare(self.library, self.connection()?, sql, self.zone())?))
    }

    fn validate(&self, sql: &str) -> Result<()> {
        let connection = self.connection()?;
        let text = c_text(sql)?;
        // SAFETY: a connection that is there and a text.
        self.library.check(unsafe { self.library.taos_validate_sql()?(connection.handle, text.as_ptr()) })
    }

    fn reset_database(&self) -> Result<()> {
        let connection = self.connection()?;
        // SAFETY: a connection that is there.
        unsafe { self.library.taos_reset_current_db()?(connection.handle) };
        Ok(())
    }

    fn set_timezone(&self, name: &str) -> Result<()> {
        let zone = Zone::named(name)?;
        let connection = self.connection()?;
        let text = c_text(name)?;
        // SAFETY: a connection that is there and a text.
        self.library.check(unsafe { self.library.taos_options_connection()?(connection.handle, CONNECTION_ZONE, text.as_ptr().cast()) })?;
        *self.zone.lock().unwrap_or_else(PoisonError::into_inner) = zone;
        Ok(())
    }

    fn introduce(&self, introduction: &Introduction) -> Result<()> {
        let connection = self.connection()?;
        for (option, said) in [(CONNECTION_ADDRESS, &introduction.address), (CONNECTION_APPLICATION, &introduction.application)] {
            let said = said.as_deref().map(c_text).transpose()?;
            let text = said.as_ref().map_or(std::ptr::null(), |said| said.as_ptr());
            // SAFETY: a connection that is there and a text, or NULL for none.
            self.library.check(unsafe { self.library.taos_options_connection()?(connection.handle, option, text.cast()) })?;
        }
        Ok(())
    }

    fn subscribe(&self, options: SubscribeOptions) -> Result<Box<dyn Subscription>> {
        Ok(Box::new(NativeSubscription::begin(self.library, &self.dsn, &options)?))
    }

    fn write_raw(&self, raw: RawMessage<'_>) -> Result<()> {
        let connection = self.connection()?;
        let length = u32::try_from(raw.body.len()).map_err(|_| Error::with(code::INVALID_PARAMETERS, "a message of more than 4 GiB"))?;
        let data = abi::RawData { raw: raw.body.as_ptr().cast_mut().cast(), length, kind: raw.raw_type };
        // SAFETY: a connection that is there and bytes that the library only reads.
        self.library.check(unsafe { self.library.tmq_write_raw()?(connection.handle, data) })
    }

    fn transport(&self) -> Transport {
        Transport::Native
    }

    fn interrupt(&self) {
        if let Ok(connection) = self.connection() {
            interrupt(self.library, &connection);
        }
    }

    fn close(&self) -> Result<()> {
        // Results and statements that are open keep it.
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        Ok(())
    }
}

fn interrupt(library: &Library, connection: &Connection) {
    // A library without it cannot end a statement.
    if let Ok(function) = library.taos_kill_query() {
        // SAFETY: a connection that is there.
        unsafe { function(connection.handle) };
    }
}

/// A text for the library, which ends texts at a NUL.
fn c_text(text: &str) -> Result<CString> {
    CString::new(text).map_err(|_| Error::with(code::SYNTAX_ERROR_NEAR, "syntax error: a statement or name with a NUL in it"))
}

/// Who connects where, as texts of the interface. Its own port stands for none: the library's configuration knows that of its protocol.
fn connect(library: &'static Library, dsn: &Dsn) -> Result<Connection> {
    let set = |option: c_int, value: &str| -> Result<()> {
        let value = c_text(value)?;
        // SAFETY: a text.
        library.check(unsafe { library.taos_options()?(option, value.as_ptr().cast()) })
    };
    if let Some(folder) = dsn.option("config_dir") {
        set(PROCESS_FOLDER, folder)?;
    }
    if let Some(zone) = dsn.option("timezone")
        && library.taos_options_connection().is_err()
    {
        // Libraries of old have one zone for the whole process.
        set(PROCESS_ZONE, zone)?;
    }
    let user = c_text(dsn.user.as_deref().unwrap_or("root"))?;
    let password = c_text(dsn.password.as_ref().map_or("taosdata", |password| password.reveal()))?;
    let database = dsn.database.as_deref().map(c_text).transpose()?;
    let database = database.as_ref().map_or(std::ptr::null(), |database| database.as_ptr());
    let totp = dsn.option("totp_code").map(c_text).transpose()?;
    let token = dsn.option("bearer_token").or(dsn.option("token")).map(c_text).transpose()?;
    let mut last = Error::with(code::INVALID_CONFIG_OPTION, "the DSN names no host");
    for host in dsn.hosts() {
        let name = c_text(&host.name)?;
        let port = native_port(library, host.port);
        // SAFETY: texts, or NULL for none.
        let handle = unsafe {
            match (&totp, &token) {
                (_, Some(token)) => library.taos_connect_token()?(name.as_ptr(), token.as_ptr(), database, port),
                (Some(totp), None) => library.taos_connect_totp()?(name.as_ptr(), user.as_ptr(), password.as_ptr(), totp.as_ptr(), database, port),
                (None, None) => library.taos_connect()?(name.as_ptr(), user.as_ptr(), password.as_ptr(), database, port),
            }
        };
        if !handle.is_null() {
            return Ok(Connection { library, handle });
        }
        last = library.last_error();
    }
    Err(last)
}

/// The port to ask the library for: our own library takes any, TDengine's has another protocol than that of the usual port.
fn native_port(library: &Library, port: u16) -> u16 {
    if port == DEFAULT_PORT && !library.is_ours() { 0 } else { port }
}

/// The lines of a text; JSON is one.
fn lines_of(text: &str, protocol: LineProtocol) -> Result<Vec<CString>> {
    if protocol == LineProtocol::Json {
        return Ok(vec![c_text(text)?]);
    }
    text.lines().filter(|line| !line.trim().is_empty()).map(c_text).collect()
}

fn protocol_id(protocol: LineProtocol) -> c_int {
    match protocol {
        LineProtocol::Influx => 1,
        LineProtocol::Telnet => 2,
        LineProtocol::Json => 3,
    }
}

fn unit_id(unit: TimeUnit) -> c_int {
    // The numbers that `TimeUnit::from_id` reads.
    (0..=6).find(|&id| TimeUnit::from_id(id).is_ok_and(|of_id| of_id == unit)).unwrap_or(0)
}
