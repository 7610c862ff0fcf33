//! Statements of event loops: tasks of the client complete futures of asyncio. Nothing here waits, with the interpreter lock or without:
//! answers gather at a [`Port`], which calls its loop once for as many as there are by then.

use std::{
    collections::VecDeque,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use embudo_client::{
    ConnectOptions,
    asynchronous::{self, AsyncOutcome, Batches, OwnedRequest, TaskHandle, pool},
};
use embudo_types::{Error, Result};
use pyo3::{
    prelude::*,
    types::{PyDict, PyList},
};

use crate::{
    ending,
    error::{Failure, Outcome, misuse},
    fork::Owned,
    parameters,
    result::{self, Table},
    session::{self, Session},
    subscription::Subscription,
    zone::ShownZone,
};

type Value = Box<dyn FnOnce(Python<'_>) -> Outcome<Py<PyAny>> + Send>;

/// Where the answers for one event loop arrive.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct Port {
    event_loop: Py<PyAny>,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    answers: Vec<(Py<PyAny>, Value)>,
    /// Whether the loop was called and has not come yet.
    is_called: bool,
}

#[pymethods]
impl Port {
    /// For a running loop.
    #[new]
    fn new(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, queue: Mutex::default() }
    }

    /// Completes the futures whose answers are here; the loop calls it.
    fn deliver(&self, py: Python<'_>) -> PyResult<()> {
        let answers = {
            let mut queue = self.queue();
            queue.is_called = false;
            mem::take(&mut queue.answers)
        };
        for (future, value) in answers {
            let future = future.bind(py);
            // Cancelled ones want nothing any more.
            if future.call_method0("done")?.is_truthy()? {
                continue;
            }
            match value(py) {
                Ok(value) => future.call_method1("set_result", (value,))?,
                Err(failure) => future.call_method1("set_exception", (PyErr::from(failure),))?,
            };
        }
        Ok(())
    }
}

impl Port {
    fn queue(&self) -> std::sync::MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The duty to answer one future. Dropped without an answer, it says so.
struct Answering {
    port: Py<Port>,
    future: Option<Py<PyAny>>,
}

impl Answering {
    fn with(mut self, value: Value) {
        self.post(value);
    }

    fn post(&mut self, value: Value) {
        let Some(future) = self.future.take() else { return };
        let port = self.port.get();
        let was_called = {
            let mut queue = port.queue();
            queue.answers.push((future, value));
            mem::replace(&mut queue.is_called, true)
        };
        if !was_called {
            // Where the interpreter is ending or the loop is closed, nobody waits any more.
            ending::attach(|py| {
                let deliver = self.port.bind(py).getattr("deliver")?;
                port.event_loop.call_method1(py, "call_soon_threadsafe", (deliver,)).map(drop)
            });
        }
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.post(Box::new(|_| Err(Failure::Database(Error::internal("the call ended without an answer")))));
    }
}

/// A call under way.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct Call {
    task: TaskHandle,
}

#[pymethods]
impl Call {
    /// Gives it up: embedded and on a server that can, its statement is stopped.
    fn cancel(&self) {
        self.task.cancel();
    }
}

fn submit<T: Send + 'static>(
    port: &Bound<'_, Port>,
    future: Py<PyAny>,
    work: impl Future<Output = Result<T>> + Send + 'static,
    convert: impl FnOnce(Python<'_>, T) -> Outcome<Py<PyAny>> + Send + 'static,
) -> Outcome<Call> {
    let answering = Answering { port: port.clone().unbind(), future: Some(future) };
    let task = asynchronous::spawn(async move {
        let outcome = work.await;
        answering.with(Box::new(move |py| convert(py, outcome?)));
    })?;
    Ok(Call { task })
}

/// Opens a session in the pool.
#[pyfunction]
pub fn connect_later(port: &Bound<'_, Port>, future: Py<PyAny>, dsn: &str, options: &Bound<'_, PyDict>, application: Option<String>) -> Outcome<Call> {
    let (dsn, zone) = session::target(dsn, options)?;
    let target = dsn.clone();
    let opening = pool::run(move || embudo_client::connect(&target, &ConnectOptions { application }));
    submit(port, future, opening, move |py, driver| Ok(Py::new(py, Session::new(driver.into(), dsn, ShownZone::new(zone)))?.into_any()))
}

/// As `run`, completing a future of the port's loop with an [`AsyncStatementResult`].
#[pyfunction]
#[pyo3(signature = (session, port, future, sql, parameters=None, timeout=None, request_id=None))]
pub fn start(
    session: &Session,
    port: &Bound<'_, Port>,
    future: Py<PyAny>,
    sql: &str,
    parameters: Option<&Bound<'_, PyAny>>,
    timeout: Option<f64>,
    request_id: Option<u64>,
) -> Outcome<Call> {
    let driver = Arc::clone(session.driver()?);
    let (sql, parameters) = parameters::bind(sql, parameters)?;
    let timeout = timeout.map(session::seconds).transpose()?;
    let running = driver.start(OwnedRequest { sql, parameters, request_id, timeout });
    let shown = session.shown.clone();
    submit(port, future, running, move |py, result| {
        let (affected, ready, rest) = match result.outcome {
            AsyncOutcome::Affected(rows) => (Some(rows), Vec::new(), None),
            AsyncOutcome::Rows { ready, rest } => (None, ready, rest),
        };
        let state = Arc::new(Mutex::new(State { ready: ready.into(), rest, is_reading: false }));
        Ok(Py::new(py, AsyncStatementResult { schema: result.schema, affected, shown, state: Owned::new(state) })?.into_any())
    })
}

/// As `run_many`.
#[pyfunction]
#[pyo3(signature = (session, port, future, sql, rows, timeout=None))]
pub fn start_many(session: &Session, port: &Bound<'_, Port>, future: Py<PyAny>, sql: &str, rows: &Bound<'_, PyAny>, timeout: Option<f64>) -> Outcome<Call> {
    let work = session.many(sql, rows, timeout)?;
    submit(port, future, pool::run(work), |py, rows: u64| Ok(rows.into_pyobject(py)?.into_any().unbind()))
}

/// As `ingest`; `progress` is called in another thread.
#[pyfunction]
#[pyo3(signature = (session, port, future, target, data, *, time, tags, table, create, truncate, progress))]
#[expect(clippy::too_many_arguments, reason = "keywords of a Python method")]
pub fn start_ingest(
    session: &Session,
    port: &Bound<'_, Port>,
    future: Py<PyAny>,
    target: String,
    data: &Bound<'_, PyAny>,
    time: String,
    tags: Vec<String>,
    table: Option<String>,
    create: bool,
    truncate: bool,
    progress: Option<Py<PyAny>>,
) -> Outcome<Call> {
    let what = session.what(target, time, tags, table, create, truncate);
    let work = session.ingesting(what, data, progress)?;
    submit(port, future, pool::run(work), |py, (rows, tables): (u64, u64)| Ok((rows, tables).into_pyobject(py)?.into_any().unbind()))
}

/// As `write_lines`.
#[pyfunction]
#[pyo3(signature = (session, port, future, text, protocol, unit, ttl=0, table_name_key=None))]
#[expect(clippy::too_many_arguments, reason = "arguments of a Python method")]
pub fn start_lines(
    session: &Session,
    port: &Bound<'_, Port>,
    future: Py<PyAny>,
    text: String,
    protocol: i32,
    unit: i32,
    ttl: u32,
    table_name_key: Option<String>,
) -> Outcome<Call> {
    let work = session.lines(text, protocol, unit, ttl, table_name_key, None)?;
    submit(port, future, pool::run(work), |py, rows: u64| Ok(rows.into_pyobject(py)?.into_any().unbind()))
}

/// As `server_version`.
#[pyfunction]
pub fn start_version(session: &Session, port: &Bound<'_, Port>, future: Py<PyAny>) -> Outcome<Call> {
    let driver = Arc::clone(session.driver()?);
    submit(port, future, pool::run(move || driver.server_version()), |py, version| Ok(version.into_pyobject(py)?.into_any().unbind()))
}

/// As `close`.
#[pyfunction]
pub fn start_close(session: &Session, port: &Bound<'_, Port>, future: Py<PyAny>) -> Outcome<Call> {
    let driver = session.closing();
    let work = pool::run(move || driver.map_or(Ok(()), |driver| driver.close()));
    submit(port, future, work, |py, ()| Ok(py.None()))
}

/// One wait for a message of a subscription, at most `timeout` seconds in a thread of the pool; completes the future with None where none came.
#[pyfunction]
pub fn start_poll(subscription: Py<Subscription>, port: &Bound<'_, Port>, future: Py<PyAny>, timeout: f64) -> Outcome<Call> {
    let inner = subscription.get().open_one()?;
    let limit = session::seconds(timeout)?;
    submit(port, future, pool::run(move || inner.poll(limit)), move |py, message| {
        let message = message.map(|message| Py::new(py, subscription.get().message(message))).transpose()?;
        Ok(message.into_pyobject(py)?.unbind())
    })
}

/// What a statement gave, its rows as they come.
#[pyclass(frozen, name = "AsyncResult", module = "embudo._embudo")]
pub struct AsyncStatementResult {
    schema: SchemaRef,
    affected: Option<u64>,
    shown: ShownZone,
    state: Owned<Arc<Mutex<State>>>,
}

/// Where reading stands.
struct State {
    /// Batches that are here and not taken.
    ready: VecDeque<RecordBatch>,
    /// Those that are to come; `None` at the end, or while the next one is awaited.
    rest: Option<Box<dyn Batches>>,
    is_reading: bool,
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that nobody reads any more, whether the batch came or the reader was cancelled.
struct Reading(Arc<Mutex<State>>);

impl Drop for Reading {
    fn drop(&mut self) {
        lock(&self.0).is_reading = false;
    }
}

#[pymethods]
impl AsyncStatementResult {
    /// See `Result.affected`.
    #[getter]
    fn affected(&self) -> Option<u64> {
        self.affected
    }

    /// See `Result.fields`.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyList>> {
        result::fields(py, &self.schema)
    }

    /// Whether no more rows will come.
    #[getter]
    fn is_complete(&self) -> Outcome<bool> {
        let state = lock(self.state.get()?);
        Ok(state.rest.is_none() && !state.is_reading)
    }

    /// The rows that are here, at most `count`, as a table.
    #[pyo3(signature = (count=None))]
    fn take(&self, count: Option<usize>) -> Outcome<Table> {
        let mut state = lock(self.state.get()?);
        let (mut batches, mut wanted) = (Vec::new(), count.unwrap_or(usize::MAX));
        while wanted > 0
            && let Some(batch) = state.ready.pop_front()
        {
            let rows = wanted.min(batch.num_rows());
            batches.push(batch.slice(0, rows));
            wanted -= rows;
            if rows < batch.num_rows() {
                state.ready.push_front(batch.slice(rows, batch.num_rows() - rows));
            }
        }
        Ok(Table::new(self.schema.clone(), batches, self.shown.clone()))
    }

    /// Awaits the next batch and completes the future with whether one came.
    fn more(&self, port: &Bound<'_, Port>, future: Py<PyAny>) -> Outcome<Call> {
        let state = Arc::clone(self.state.get()?);
        let rest = {
            let mut state = lock(&state);
            if state.is_reading {
                return Err(misuse("this result is being read by another task; give each task a cursor of its own"));
            }
            state.is_reading = state.rest.is_some();
            state.rest.take()
        };
        let reading = async move {
            let Some(rest) = rest else { return Ok(false) };
            let _reading = Reading(Arc::clone(&state));
            let Some((batch, rest)) = rest.next().await? else { return Ok(false) };
            let mut state = lock(&state);
            state.ready.push_back(batch);
            state.rest = Some(rest);
            Ok(true)
        };
        submit(port, future, reading, |py, more: bool| Ok(more.into_pyobject(py)?.to_owned().into_any().unbind()))
    }

    /// Lets the rows that are left go.
    fn close(&self) -> Outcome<()> {
        let (ready, rest) = {
            let mut state = lock(self.state.get()?);
            (mem::take(&mut state.ready), state.rest.take())
        };
        drop((ready, rest));
        Ok(())
    }
}
