//! Results in Python: a stream that is read once, as rows, as Arrow, or whole as a [`Table`].

use std::sync::{Arc, Mutex, MutexGuard, TryLockError};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use embudo_client::Driver;
use embudo_types::{BatchStream, DataType, Outcome as Rows, Precision, ResultSet, arrow};
use pyo3::{
    prelude::*,
    types::{PyCapsule, PyDict, PyList},
};

use crate::{
    arrays,
    error::{Outcome, misuse},
    export::{self, Export},
    fork::Owned,
    rows::{self, RowStyle},
    wait,
    zone::ShownZone,
};

/// What one statement gave.
#[pyclass(frozen, name = "Result", module = "embudo._embudo")]
pub struct StatementResult {
    schema: SchemaRef,
    affected: Option<u64>,
    shown: ShownZone,
    state: Owned<Mutex<State>>,
    driver: Owned<Arc<dyn Driver>>,
}

/// Where reading stands.
struct State {
    stream: Option<BatchStream>,
    /// The batch being read, and the first row of it that is not read.
    batch: Option<RecordBatch>,
    at: usize,
}

impl StatementResult {
    /// Wraps a result; its first batch, already read, may be given beside it.
    pub fn new(result: ResultSet, first: Option<RecordBatch>, driver: Arc<dyn Driver>, shown: ShownZone) -> Self {
        let (affected, stream) = match result.outcome {
            Rows::Affected(rows) => (Some(rows), None),
            Rows::Rows(stream) => (None, Some(stream)),
        };
        let state = State { stream, batch: first, at: 0 };
        Self { schema: result.schema, affected, shown, state: Owned::new(Mutex::new(state)), driver: Owned::new(driver) }
    }

    fn lock(&self) -> Outcome<MutexGuard<'_, State>> {
        match self.state.get()?.try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(state)) => Ok(state.into_inner()),
            Err(TryLockError::WouldBlock) => Err(misuse("this result is being read by another thread; give each thread a cursor of its own")),
        }
    }

    /// The batch with unread rows; `None` at the end.
    fn current<'a>(&self, py: Python<'_>, state: &'a mut State) -> Outcome<Option<(&'a RecordBatch, usize)>> {
        while state.batch.as_ref().is_none_or(|batch| state.at >= batch.num_rows()) {
            let Some(mut stream) = state.stream.take() else {
                state.batch = None;
                return Ok(None);
            };
            let driver = self.driver.get()?.clone();
            let (next, stream) = wait::outside(
                py,
                || driver.interrupt(),
                move || {
                    let next = stream.next().transpose()?;
                    Ok((next, stream))
                },
            )?;
            (state.at, state.stream) = (0, next.is_some().then_some(stream));
            state.batch = next;
        }
        let at = state.at;
        Ok(state.batch.as_ref().map(|batch| (batch, at)))
    }

    /// Everything not yet read, up to `limit` rows.
    fn collect(&self, py: Python<'_>, limit: usize) -> Outcome<Vec<RecordBatch>> {
        let mut state = self.lock()?;
        let (mut batches, mut wanted) = (Vec::new(), limit);
        while wanted > 0
            && let Some((batch, at)) = self.current(py, &mut state)?
        {
            let rows = wanted.min(batch.num_rows() - at);
            batches.push(batch.slice(at, rows));
            state.at += rows;
            wanted -= rows;
            // The batch is let go here, so that its memory has one owner and need not be copied for a frame.
            if state.batch.as_ref().is_some_and(|batch| state.at >= batch.num_rows()) {
                state.batch = None;
            }
        }
        Ok(batches)
    }
}

#[pymethods]
impl StatementResult {
    /// Rows that a statement without rows wrote or removed; None for one with rows.
    #[getter]
    fn affected(&self) -> Option<u64> {
        self.affected
    }

    /// A tuple a column: name, TDengine's type id, type name, length, precision (0 ms, 1 us, 2 ns, or digits of a decimal), scale.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyList>> {
        fields(py, &self.schema)
    }

    /// The precision of the first timestamp column: 0 ms, 1 us, 2 ns.
    #[getter]
    fn precision(&self) -> u8 {
        let is_timestamp = |field: &&Arc<arrow_schema::Field>| matches!(field.data_type(), arrow_schema::DataType::Timestamp(..));
        self.schema.fields().iter().find(is_timestamp).map_or(Precision::Milli, |field| arrow::precision(field)).id()
    }

    /// The next rows, at most `count`; all that are left without a count.
    #[pyo3(signature = (count=None, style=None))]
    fn rows<'py>(&self, py: Python<'py>, count: Option<usize>, style: Option<&RowStyle>) -> Outcome<Bound<'py, PyList>> {
        let typed = RowStyle::typed();
        let style = style.unwrap_or(&typed);
        let list = PyList::empty(py);
        let mut wanted = count.unwrap_or(usize::MAX);
        let mut state = self.lock()?;
        while wanted > 0
            && let Some((batch, at)) = self.current(py, &mut state)?
        {
            let rows = wanted.min(batch.num_rows() - at);
            rows::append(batch, at..at + rows, style, &self.shown, &list)?;
            state.at += rows;
            wanted -= rows;
        }
        Ok(list)
    }

    /// The rows of the next batch, however many it has; an empty list at the end.
    #[pyo3(signature = (style=None))]
    fn block<'py>(&self, py: Python<'py>, style: Option<&RowStyle>) -> Outcome<Bound<'py, PyList>> {
        let left = {
            let mut state = self.lock()?;
            self.current(py, &mut state)?.map_or(0, |(batch, at)| batch.num_rows() - at)
        };
        self.rows(py, Some(left), style)
    }

    /// The rows not yet read, at most `count`, as a table.
    #[pyo3(signature = (count=None))]
    fn table(&self, py: Python<'_>, count: Option<usize>) -> Outcome<Table> {
        let batches = self.collect(py, count.unwrap_or(usize::MAX))?;
        Ok(Table::new(self.schema.clone(), batches, self.shown.clone()))
    }

    /// Arrow's C stream of the rows not yet read, batch by batch as they are asked for.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyAny>>) -> Outcome<Bound<'py, PyCapsule>> {
        // The consumer casts: the interface allows to give the schema as it is.
        drop(requested_schema);
        let mut state = self.lock()?;
        let first = self.current(py, &mut state)?.map(|(batch, at)| batch.slice(at, batch.num_rows() - at));
        let export = Export::new(&self.schema, &self.shown.zone, first.as_slice())?;
        state.batch = None;
        let rest = state.stream.take().into_iter().flatten();
        export::capsule(py, Box::new(first.into_iter().map(Ok).chain(rest)), export)
    }

    /// Lets the rows not yet read go.
    fn close(&self) -> Outcome<()> {
        let mut state = self.lock()?;
        (state.stream, state.batch) = (None, None);
        Ok(())
    }
}

/// See `StatementResult::fields`.
pub fn fields<'py>(py: Python<'py>, schema: &SchemaRef) -> Outcome<Bound<'py, PyList>> {
    let list = PyList::empty(py);
    for field in schema.fields() {
        let data_type = arrow::data_type(field)?;
        let (precision, scale) = match data_type {
            DataType::Decimal(precision, scale) => (precision, scale),
            _ => (arrow::precision(field).id(), 0),
        };
        list.append((field.name(), data_type.id(), data_type.name(), data_type.length(), precision, scale))?;
    }
    Ok(list)
}

/// Rows that are all here.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct Table {
    schema: SchemaRef,
    batches: Mutex<Vec<RecordBatch>>,
    shown: ShownZone,
}

impl Table {
    /// Rows of these batches.
    pub fn new(schema: SchemaRef, batches: Vec<RecordBatch>, shown: ShownZone) -> Self {
        Self { schema, batches: Mutex::new(batches), shown }
    }

    fn batches(&self) -> Vec<RecordBatch> {
        self.batches.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }
}

#[pymethods]
impl Table {
    fn __len__(&self) -> usize {
        self.batches().iter().map(RecordBatch::num_rows).sum()
    }

    fn __repr__(&self) -> Outcome<String> {
        let columns = self.schema.fields().iter().map(|field| Ok(format!("{} {}", field.name(), arrow::data_type(field)?.name())));
        Ok(format!("<embudo.Table {} rows: {}>", self.__len__(), columns.collect::<Outcome<Vec<_>>>()?.join(", ")))
    }

    /// The first rows, at most `count`.
    fn head(&self, count: usize) -> Self {
        let (mut batches, mut wanted) = (Vec::new(), count);
        for batch in self.batches() {
            let rows = wanted.min(batch.num_rows());
            batches.push(batch.slice(0, rows));
            wanted -= rows;
        }
        Self::new(self.schema.clone(), batches, self.shown.clone())
    }

    /// See `Result.fields`.
    #[getter]
    fn fields<'py>(&self, py: Python<'py>) -> Outcome<Bound<'py, PyList>> {
        fields(py, &self.schema)
    }

    /// The zone that timestamps are labelled with.
    #[getter]
    fn zone(&self) -> String {
        self.shown.zone.name()
    }

    /// Arrow's C stream of the rows.
    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(&self, py: Python<'py>, requested_schema: Option<Bound<'py, PyAny>>) -> Outcome<Bound<'py, PyCapsule>> {
        drop(requested_schema);
        let batches = self.batches();
        let export = py.detach(|| Export::new(&self.schema, &self.shown.zone, &batches))?;
        export::capsule(py, Box::new(batches.into_iter().map(Ok)), export)
    }

    /// A dictionary a column, for `numpy.frombuffer`: `code` (NumPy's type code), `values` and `nulls` (memory; `nulls` None
    /// without NULLs); or `values` a list of objects and `code` None. Columns whose places are in `skipped` are None.
    #[pyo3(signature = (skipped=Vec::new()))]
    #[expect(clippy::needless_pass_by_value, reason = "Python's arguments are taken by value")]
    fn blocks<'py>(&self, py: Python<'py>, skipped: Vec<usize>) -> Outcome<Bound<'py, PyList>> {
        let batches = self.batches();
        let list = PyList::empty(py);
        let style = RowStyle::typed();
        for (place, field) in self.schema.fields().iter().enumerate() {
            if skipped.contains(&place) {
                list.append(py.None())?;
                continue;
            }
            let data_type = arrow::data_type(field)?;
            let made = PyDict::new(py);
            if let Some(code) = arrays::numpy_code(data_type) {
                let block = py.detach(|| arrays::block(&batches, place, data_type))?;
                made.set_item("code", code)?;
                made.set_item("values", Py::new(py, block.values)?)?;
                made.set_item("nulls", block.nulls.map(|nulls| Py::new(py, nulls)).transpose()?)?;
            } else {
                made.set_item("code", py.None())?;
                made.set_item("values", rows::column_list(py, &batches, place, &style, &self.shown)?)?;
                made.set_item("nulls", py.None())?;
            }
            list.append(made)?;
        }
        Ok(list)
    }

    /// The rows as a list of tuples.
    #[pyo3(signature = (style=None))]
    fn rows<'py>(&self, py: Python<'py>, style: Option<&RowStyle>) -> Outcome<Bound<'py, PyList>> {
        let typed = RowStyle::typed();
        let list = PyList::empty(py);
        for batch in self.batches() {
            rows::append(&batch, 0..batch.num_rows(), style.unwrap_or(&typed), &self.shown, &list)?;
        }
        Ok(list)
    }
}
