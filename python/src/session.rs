//! A session in Python: one driver of any transport, whose calls run outside the interpreter lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use embudo_client::{ConnectOptions, Driver, Dsn, LineOptions, LineProtocol, Location, Request, TimeUnit, bulk, ingest::Ingest, literal};
use embudo_types::{Outcome as Rows, Result, Zone};
use pyo3::{
    prelude::*,
    types::{PyCapsule, PyDict, PyList},
};

use crate::{
    error::{Outcome, misuse},
    fork::Owned,
    ingest, parameters,
    result::StatementResult,
    wait,
    zone::ShownZone,
};

/// A session over one transport.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct Session {
    driver: Owned<Arc<dyn Driver>>,
    closed: AtomicBool,
    dsn: Dsn,
    pub(crate) shown: ShownZone,
}

/// Opens a session on what the DSN names; `options` are its keys as keywords.
#[pyfunction]
#[pyo3(signature = (dsn, options, application=None))]
pub fn connect(py: Python<'_>, dsn: &str, options: &Bound<'_, PyDict>, application: Option<String>) -> Outcome<Session> {
    let (dsn, zone) = target(dsn, options)?;
    let to = dsn.clone();
    let driver = wait::outside(py, || (), move || embudo_client::connect(&to, &ConnectOptions { application }))?;
    Ok(Session::new(driver.into(), dsn, ShownZone::new(zone)))
}

/// What a DSN and its keys as keywords name, and the zone that results are shown in.
pub fn target(dsn: &str, options: &Bound<'_, PyDict>) -> Outcome<(Dsn, Zone)> {
    let mut dsn = Dsn::parse(dsn)?;
    for (name, value) in options.iter() {
        dsn.set(&name.extract::<String>()?, &value.str()?.to_string())?;
    }
    let zone = dsn.option("timezone").map_or_else(|| Ok(Zone::system()), Zone::named)?;
    Ok((dsn, zone))
}

/// The DSN as logs may show it.
#[pyfunction]
pub fn masked(dsn: &str) -> Outcome<String> {
    Ok(Dsn::parse(dsn)?.to_string())
}

/// The names of a statement's `:name` places, each as often as it stands there.
#[pyfunction]
pub fn parameter_names(sql: &str) -> Vec<String> {
    literal::positional(sql).1.into_iter().map(str::to_owned).collect()
}

/// What a DSN says: transport, whether it is encrypted, hosts with their ports, directory, user and database.
#[pyfunction]
pub fn described<'py>(py: Python<'py>, dsn: &str, options: &Bound<'py, PyDict>) -> Outcome<Bound<'py, PyDict>> {
    let (dsn, zone) = target(dsn, options)?;
    let said = PyDict::new(py);
    said.set_item("dsn", dsn.to_string())?;
    said.set_item("transport", dsn.transport.name())?;
    said.set_item("tls", dsn.tls)?;
    said.set_item("hosts", dsn.hosts().iter().map(|host| (host.name.as_str(), host.port)).collect::<Vec<_>>())?;
    said.set_item("directory", if let Location::Directory(path) = &dsn.location { Some(path) } else { None })?;
    said.set_item("user", dsn.user.as_deref())?;
    said.set_item("database", dsn.database.as_deref())?;
    said.set_item("tls_ca", dsn.option("tls_ca"))?;
    said.set_item("timezone", zone.name())?;
    Ok(said)
}

impl Session {
    /// A session of an open driver.
    pub fn new(driver: Arc<dyn Driver>, dsn: Dsn, shown: ShownZone) -> Self {
        Self { driver: Owned::new(driver), closed: AtomicBool::new(false), dsn, shown }
    }

    /// The driver, while the session is open.
    pub fn driver(&self) -> Outcome<&Arc<dyn Driver>> {
        let driver = self.driver.get()?;
        if self.closed.load(Ordering::Acquire) { Err(misuse("the connection is closed")) } else { Ok(driver) }
    }

    /// Marks the session closed, and gives the driver that is to be closed: `None` where it is already, or is the parent's.
    pub fn closing(&self) -> Option<Arc<dyn Driver>> {
        let driver = self.driver.get().ok()?;
        (!self.closed.swap(true, Ordering::AcqRel)).then(|| Arc::clone(driver))
    }

    /// The work of `run_many`.
    pub fn many(&self, sql: &str, rows: &Bound<'_, PyAny>, timeout: Option<f64>) -> Outcome<impl FnOnce() -> Result<u64> + Send + use<>> {
        let driver = Arc::clone(self.driver()?);
        let timeout = timeout.map(seconds).transpose()?;
        let mut positional = None;
        let mut values = Vec::new();
        for row in rows.try_iter()? {
            let row = row?;
            if row.is_instance_of::<PyDict>() {
                let (sql, row) = parameters::bind(sql, Some(&row))?;
                positional = Some(sql);
                values.push(row);
            } else {
                values.push(parameters::sequence(&row)?);
            }
        }
        let sql = positional.unwrap_or_else(|| sql.to_owned());
        Ok(move || bulk::run(driver.as_ref(), &sql, &values, timeout))
    }

    /// What is to be written where.
    pub fn what(&self, target: String, time: String, tags: Vec<String>, table: Option<String>, create: bool, truncate: bool) -> Ingest {
        Ingest { target, time, tags, table, create, truncate, zone: self.shown.zone.clone() }
    }

    /// The work of `ingest`.
    pub fn ingesting(&self, what: Ingest, data: &Bound<'_, PyAny>, progress: Option<Py<PyAny>>) -> Outcome<impl FnOnce() -> Result<(u64, u64)> + Send + use<>> {
        let driver = Arc::clone(self.driver()?);
        let (columns, rows) = match data.cast::<PyCapsule>() {
            Ok(capsule) => ingest::stream(capsule)?,
            Err(_) => ingest::columns(data.cast::<PyList>().map_err(PyErr::from)?)?,
        };
        let mut report = ingest::reporter(progress);
        Ok(move || {
            let done = embudo_client::ingest::ingest(driver.as_ref(), &what, &columns, rows, &mut report)?;
            Ok((done.rows, done.tables))
        })
    }

    /// The work of `write_lines`.
    pub fn lines(
        &self,
        text: String,
        protocol: i32,
        unit: i32,
        ttl: u32,
        table_name_key: Option<String>,
        request_id: Option<u64>,
    ) -> Outcome<impl FnOnce() -> Result<u64> + Send + use<>> {
        let driver = Arc::clone(self.driver()?);
        let (protocol, unit) = (LineProtocol::from_id(protocol)?, TimeUnit::from_id(unit)?);
        Ok(move || {
            let written = driver.write_lines(&text, &LineOptions { protocol, unit, ttl, table_name_key: table_name_key.as_deref(), request_id })?;
            Ok(written.affected_rows)
        })
    }
}

#[pymethods]
impl Session {
    /// How the database is reached: embedded, rest, websocket, native.
    #[getter]
    fn transport(&self) -> Outcome<&'static str> {
        Ok(self.driver.get()?.transport().name())
    }

    /// A `TAOS *` on this session for `ctypes`: this extension's file exports TDengine's C interface. `taos_close` ends the handle, not the
    /// session.
    fn c_handle(&self) -> Outcome<usize> {
        Ok(taos::handle_of(self.driver()?.clone(), self.dsn.user.as_deref().unwrap_or("root")).addr())
    }

    /// The DSN with its secrets masked.
    #[getter]
    fn dsn(&self) -> String {
        self.dsn.to_string()
    }

    /// Name of the session's time zone.
    #[getter]
    fn zone(&self) -> String {
        self.shown.zone.name()
    }

    #[getter]
    fn closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// The server's version.
    fn server_version(&self, py: Python<'_>) -> Outcome<String> {
        let driver = self.driver()?.clone();
        let work = driver.clone();
        wait::outside(py, || driver.interrupt(), move || work.server_version())
    }

    /// Runs one statement; `parameters` are a sequence for `?` or a mapping for `:name`.
    #[pyo3(signature = (sql, parameters=None, timeout=None, request_id=None))]
    fn run(&self, py: Python<'_>, sql: &str, parameters: Option<&Bound<'_, PyAny>>, timeout: Option<f64>, request_id: Option<u64>) -> Outcome<StatementResult> {
        let driver = self.driver()?.clone();
        let (sql, values) = parameters::bind(sql, parameters)?;
        let timeout = timeout.map(seconds).transpose()?;
        let work = driver.clone();
        let (result, first) = wait::outside(
            py,
            || driver.interrupt(),
            move || {
                let mut result = work.run(&Request { sql: &sql, parameters: &values, request_id, timeout })?;
                // Read here, its first rows bring the statement's errors where it was run.
                let first = match &mut result.outcome {
                    Rows::Rows(stream) => stream.next().transpose()?,
                    Rows::Affected(_) => None,
                };
                Ok((result, first))
            },
        )?;
        Ok(StatementResult::new(result, first, driver, self.shown.clone()))
    }

    /// Runs one statement once for each row of parameters, the rows of an INSERT together. Gives the affected rows.
    #[pyo3(signature = (sql, rows, timeout=None))]
    fn run_many(&self, py: Python<'_>, sql: &str, rows: &Bound<'_, PyAny>, timeout: Option<f64>) -> Outcome<u64> {
        let driver = self.driver()?.clone();
        wait::outside(py, || driver.interrupt(), self.many(sql, rows, timeout)?)
    }

    /// Checks a statement without running it.
    fn validate(&self, py: Python<'_>, sql: String) -> Outcome<()> {
        let driver = self.driver()?.clone();
        let work = driver.clone();
        wait::outside(py, || driver.interrupt(), move || work.validate(&sql))
    }

    /// Subscribes to topics; `configuration` has the keys of TDengine's consumers.
    fn subscribe(&self, py: Python<'_>, topics: Vec<String>, configuration: &Bound<'_, PyDict>) -> Outcome<crate::subscription::Subscription> {
        crate::subscription::Subscription::open(py, self.driver()?, topics, configuration, &self.shown)
    }

    /// Prepares a statement for many bindings.
    fn prepare(&self, py: Python<'_>, sql: String) -> Outcome<crate::statement::Statement> {
        crate::statement::Statement::prepare(py, self.driver()?, sql, &self.shown)
    }

    /// Writes points of a line protocol; `protocol` and `unit` are the C interface's numbers. Gives the rows written.
    #[pyo3(signature = (text, protocol, unit, ttl=0, table_name_key=None, request_id=None))]
    #[expect(clippy::too_many_arguments, reason = "arguments of a Python method")]
    fn write_lines(
        &self,
        py: Python<'_>,
        text: String,
        protocol: i32,
        unit: i32,
        ttl: u32,
        table_name_key: Option<String>,
        request_id: Option<u64>,
    ) -> Outcome<u64> {
        let driver = self.driver()?.clone();
        wait::outside(py, || driver.interrupt(), self.lines(text, protocol, unit, ttl, table_name_key, request_id)?)
    }

    /// Writes columns into a table or into the children of a supertable: `data` is a list as `ingest::columns` takes it, or a capsule
    /// of an Arrow stream. Gives the rows written and the tables that got some.
    #[pyo3(signature = (target, data, *, time, tags, table, create, truncate, progress))]
    #[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
    fn ingest(
        &self,
        py: Python<'_>,
        target: String,
        data: &Bound<'_, PyAny>,
        time: String,
        tags: Vec<String>,
        table: Option<String>,
        create: bool,
        truncate: bool,
        progress: Option<Py<PyAny>>,
    ) -> Outcome<(u64, u64)> {
        let driver = self.driver()?.clone();
        let work = self.ingesting(self.what(target, time, tags, table, create, truncate), data, progress)?;
        wait::outside(py, || driver.interrupt(), work)
    }

    /// Serves the engine behind an embedded session over REST.
    #[cfg(feature = "embedded")]
    fn serve(&self, py: Python<'_>, host: &str, port: u16) -> Outcome<crate::program::RunningServer> {
        crate::program::serve(py, self, host, port)
    }

    /// Makes a call that another thread waits for end soon.
    fn interrupt(&self, py: Python<'_>) -> Outcome<()> {
        let driver = self.driver()?.clone();
        py.detach(move || driver.interrupt());
        Ok(())
    }

    /// Ends the session; more than once is allowed.
    fn close(&self, py: Python<'_>) -> Outcome<()> {
        let Some(driver) = self.closing() else { return Ok(()) };
        wait::outside(py, || (), move || driver.close())
    }
}

/// A number of seconds as a time limit.
pub fn seconds(timeout: f64) -> Outcome<Duration> {
    Duration::try_from_secs_f64(timeout).map_err(|_| misuse(format!("a timeout is a number of seconds, not {timeout}")))
}
