//! Prepared statements in Python, and the columns that are bound to them: lists, NumPy memory and Arrow become arrays here, in one typed
//! loop a column.

use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, NullArray, PrimitiveArray, StringArray,
    builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder},
    ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi},
    types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use embudo_client::{BoundColumn, Driver, FieldRole, TableBind, ingest::Column as Data};
use embudo_types::{DataType, Outcome as Rows, ResultSet};
use pyo3::{
    exceptions::{PyTypeError, PyValueError},
    prelude::*,
    types::{PyByteArray, PyBytes, PyCapsule, PyList, PyString, PyTuple},
};

use crate::{
    error::{Outcome, misuse},
    fork::Owned,
    ingest, parameters,
    result::StatementResult,
    wait,
    zone::ShownZone,
};

/// Cells of one column, tag or parameter, with the type that they are bound as.
#[pyclass(frozen, name = "Column", module = "embudo._embudo")]
pub struct Column(BoundColumn);

#[pymethods]
impl Column {
    /// `code` is TDengine's type id. `values` is a sequence of values and None, a NumPy array, or an object with Arrow's C interface; times
    /// are integers, ticks of the database's precision, or instants of NumPy's and Arrow's own types.
    /// Where `present` is false a cell is not set: it leaves what the row already has.
    #[new]
    #[pyo3(signature = (code, values, present=None))]
    fn new(code: u8, values: &Bound<'_, PyAny>, present: Option<Vec<bool>>) -> Outcome<Self> {
        let data_type = DataType::from_id(code, 0)?;
        let array = array(data_type, values)?;
        if present.as_ref().is_some_and(|present| present.len() != array.len()) {
            return Err(misuse("a column has as many marks as cells"));
        }
        Ok(Self(BoundColumn { data_type, array, present: present.map(Into::into) }))
    }

    fn __len__(&self) -> usize {
        self.0.array.len()
    }

    /// TDengine's type id.
    #[getter]
    fn code(&self) -> u8 {
        self.0.data_type.id()
    }

    /// How many cells are NULL.
    #[getter]
    fn nulls(&self) -> usize {
        self.0.array.null_count()
    }
}

fn array(data_type: DataType, values: &Bound<'_, PyAny>) -> Outcome<ArrayRef> {
    if let Ok(list) = values.cast::<PyList>() {
        return cells(data_type, list.len(), list.iter());
    }
    if let Ok(tuple) = values.cast::<PyTuple>() {
        return cells(data_type, tuple.len(), tuple.iter());
    }
    if values.hasattr("__arrow_c_array__")? {
        return imported(values);
    }
    if values.hasattr("__arrow_c_stream__")? {
        return streamed(values);
    }
    if let Some(code) = numpy_code(values) {
        let packed = values.py().import("numpy")?.call_method1("ascontiguousarray", (values,))?;
        let memory = match code.as_str() {
            "?" => packed.call_method1("view", ("u1",))?,
            code if code.starts_with("M8") => packed.call_method1("view", ("i8",))?,
            _ => packed,
        };
        return ingest::memory(&code, &memory, None);
    }
    if values.is_instance_of::<PyString>() || values.is_instance_of::<PyBytes>() {
        return Err(PyValueError::new_err(format!("Can't extract `{}` to `Vec`", parameters::type_name(values))).into());
    }
    let list = PyList::empty(values.py());
    for item in values.try_iter()? {
        list.append(item?)?;
    }
    cells(data_type, list.len(), list.iter())
}

/// The code of a NumPy array whose memory can be taken as it is.
fn numpy_code(values: &Bound<'_, PyAny>) -> Option<String> {
    let name: String = values.getattr("dtype").and_then(|dtype| dtype.getattr("str")?.extract()).ok()?;
    let native = name.strip_prefix(['<', '|', '=']).filter(|_| cfg!(target_endian = "little"));
    let known = ["b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f4", "f8", "M8[s]", "M8[ms]", "M8[us]", "M8[ns]"];
    native.filter(|code| known.contains(code)).map(|code| if code == "b1" { "?".to_owned() } else { code.to_owned() })
}

fn imported(values: &Bound<'_, PyAny>) -> Outcome<ArrayRef> {
    let pair = values.call_method0("__arrow_c_array__")?;
    let (schema, array): (Bound<'_, PyCapsule>, Bound<'_, PyCapsule>) = pair.extract()?;
    let schema = schema.pointer_checked(Some(c"arrow_schema"))?.as_ptr().cast::<FFI_ArrowSchema>();
    let array = array.pointer_checked(Some(c"arrow_array"))?.as_ptr().cast::<FFI_ArrowArray>();
    // SAFETY: capsules of these names hold such structures; the array is moved out and an empty one left, as the interface asks, and the
    // schema is only read while the capsule lives.
    let data = unsafe { from_ffi(FFI_ArrowArray::from_raw(array), &*schema) };
    let data = data.map_err(|error| misuse(format!("the Arrow array: {error}")))?;
    Ok(arrow_array::make_array(data))
}

fn streamed(values: &Bound<'_, PyAny>) -> Outcome<ArrayRef> {
    let capsule = values.call_method0("__arrow_c_stream__")?;
    let (columns, _) = ingest::stream(capsule.cast::<PyCapsule>().map_err(PyErr::from)?)?;
    match <[_; 1]>::try_from(columns) {
        Ok([(_, Data::Array(array))]) => Ok(array),
        _ => Err(misuse("a column is bound by an Arrow array or a stream of one column")),
    }
}

/// Values one by one, by the type that they are for.
fn cells<'py>(data_type: DataType, count: usize, values: impl Iterator<Item = Bound<'py, PyAny>>) -> Outcome<ArrayRef> {
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(count)),
        DataType::Bool => {
            let mut builder = BooleanBuilder::with_capacity(count);
            for value in values {
                builder.append_option(value.extract::<Option<bool>>()?);
            }
            Arc::new(builder.finish())
        }
        DataType::TinyInt => numbers::<Int8Type>(count, values)?,
        DataType::SmallInt => numbers::<Int16Type>(count, values)?,
        DataType::Int => numbers::<Int32Type>(count, values)?,
        DataType::BigInt | DataType::Timestamp => numbers::<Int64Type>(count, values)?,
        DataType::UTinyInt => numbers::<UInt8Type>(count, values)?,
        DataType::USmallInt => numbers::<UInt16Type>(count, values)?,
        DataType::UInt => numbers::<UInt32Type>(count, values)?,
        DataType::UBigInt => numbers::<UInt64Type>(count, values)?,
        DataType::Float => numbers::<Float32Type>(count, values)?,
        DataType::Double => numbers::<Float64Type>(count, values)?,
        DataType::Varchar(_) => {
            let mut builder = BinaryBuilder::with_capacity(count, count * 8);
            for value in values {
                match text(&value)? {
                    Some(text) => builder.append_value(text.to_str()?),
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::NChar(_) | DataType::Json => {
            let mut builder = StringBuilder::with_capacity(count, count * 8);
            for value in values {
                match text(&value)? {
                    Some(text) => builder.append_value(text.to_str()?),
                    None => builder.append_null(),
                }
            }
            Arc::new(builder.finish())
        }
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => {
            let mut builder = BinaryBuilder::with_capacity(count, count * 8);
            for value in values {
                append_bytes(&value, &mut builder)?;
            }
            Arc::new(builder.finish())
        }
        DataType::Decimal(..) => {
            // Digits with a plain exponent, as every transport carries decimals.
            let plain = |value: Bound<'py, PyAny>| -> Outcome<Option<String>> {
                if value.is_none() { Ok(None) } else { Ok(Some(value.call_method1("__format__", ("f",))?.extract()?)) }
            };
            Arc::new(values.map(plain).collect::<Outcome<Vec<_>>>()?.into_iter().collect::<StringArray>())
        }
    })
}

fn numbers<'py, T: ArrowPrimitiveType>(count: usize, values: impl Iterator<Item = Bound<'py, PyAny>>) -> Outcome<ArrayRef>
where
    T::Native: for<'a> FromPyObject<'a, 'py, Error = PyErr>,
{
    let mut builder = PrimitiveBuilder::<T>::with_capacity(count);
    for value in values {
        if value.is_none() {
            builder.append_null();
        } else {
            builder.append_value(value.extract::<T::Native>()?);
        }
    }
    let array: PrimitiveArray<T> = builder.finish();
    Ok(Arc::new(array))
}

fn text<'a, 'py>(value: &'a Bound<'py, PyAny>) -> Outcome<Option<&'a Bound<'py, PyString>>> {
    if value.is_none() {
        return Ok(None);
    }
    match value.cast::<PyString>() {
        Ok(text) => Ok(Some(text)),
        Err(_) => Err(PyTypeError::new_err(format!("'{}' object cannot be converted to 'PyString'", parameters::type_name(value))).into()),
    }
}

fn append_bytes(value: &Bound<'_, PyAny>, builder: &mut BinaryBuilder) -> Outcome<()> {
    if value.is_none() {
        builder.append_null();
    } else if let Ok(bytes) = value.cast::<PyBytes>() {
        builder.append_value(bytes.as_bytes());
    } else if let Ok(bytes) = value.cast::<PyByteArray>() {
        builder.append_value(bytes.to_vec());
    } else if value.is_instance_of::<PyString>() {
        return Err(PyValueError::new_err("Can't extract `str` to `Vec`").into());
    } else {
        builder.append_value(value.extract::<Vec<u8>>()?);
    }
    Ok(())
}

type Inner = Arc<Mutex<Box<dyn embudo_client::Statement>>>;

/// A prepared statement of a session.
#[pyclass(frozen, name = "Statement", module = "embudo._embudo")]
pub struct Statement {
    inner: Owned<Mutex<Option<Inner>>>,
    driver: Owned<Arc<dyn Driver>>,
    shown: ShownZone,
    is_insert: bool,
}

impl Statement {
    /// Prepares a statement.
    pub fn prepare(py: Python<'_>, driver: &Arc<dyn Driver>, sql: String, shown: &ShownZone) -> Outcome<Self> {
        let work = driver.clone();
        let inner = wait::outside(py, || driver.interrupt(), move || work.prepare(&sql))?;
        let is_insert = inner.is_insert();
        let inner = Mutex::new(Some(Arc::new(Mutex::new(inner))));
        Ok(Self { inner: Owned::new(inner), driver: Owned::new(driver.clone()), shown: shown.clone(), is_insert })
    }

    fn open(&self) -> Outcome<Inner> {
        let inner = self.inner.get()?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inner.ok_or_else(|| misuse("the statement is closed"))
    }

    /// Does `work` with the statement, in its turn.
    fn with<T: Send + 'static>(
        &self,
        py: Python<'_>,
        work: impl FnOnce(&mut dyn embudo_client::Statement) -> embudo_types::Result<T> + Send + 'static,
    ) -> Outcome<T> {
        let inner = self.open()?;
        let driver = self.driver.get()?.clone();
        wait::outside(py, || driver.interrupt(), move || work(inner.lock().unwrap_or_else(PoisonError::into_inner).as_mut()))
    }
}

fn bound(columns: &[Py<Column>]) -> Vec<BoundColumn> {
    columns.iter().map(|column| column.get().0.clone()).collect()
}

/// Name, type id, type name, length, precision or digits, scale, and what it is for (1 column, 2 tag, 4 table name) of a `?`.
type Field = (String, u8, &'static str, u32, u8, u8, u8);
/// A table's name, tags and columns.
type Table = (Option<String>, Option<Vec<Py<Column>>>, Vec<Py<Column>>);

#[pymethods]
impl Statement {
    /// Whether this is INSERT … VALUES.
    #[getter]
    fn is_insert(&self) -> bool {
        self.is_insert
    }

    /// How many `?` there are.
    fn parameter_count(&self, py: Python<'_>) -> Outcome<usize> {
        self.with(py, |statement| statement.parameter_count())
    }

    /// What every `?` of an INSERT stands for, in the order of the statement.
    fn fields(&self, py: Python<'_>) -> Outcome<Vec<Field>> {
        let fields = self.with(py, |statement| statement.fields())?;
        let described = fields.into_iter().map(|field| {
            let (precision, scale) = match field.data_type {
                DataType::Decimal(precision, scale) => (precision, scale),
                _ => (field.precision.id(), 0),
            };
            let role = match field.role {
                FieldRole::Column => 1,
                FieldRole::Tag => 2,
                FieldRole::Table => 4,
            };
            (field.name, field.data_type.id(), field.data_type.name(), field.data_type.storage_length(), precision, scale, role)
        });
        Ok(described.collect())
    }

    /// Names the table of `INSERT INTO ?`.
    fn set_table(&self, py: Python<'_>, name: String) -> Outcome<()> {
        self.with(py, move |statement| statement.set_table(&name))
    }

    /// Adds rows: a tuple of name (None for the table of the statement or the last one), tags (or None) and columns a table.
    fn bind(&self, py: Python<'_>, tables: Vec<Table>) -> Outcome<()> {
        let tables = tables.into_iter().map(|(name, tags, columns)| {
            let tags = tags.as_deref().map(bound).unwrap_or_default();
            TableBind { name, tags, columns: bound(&columns) }
        });
        let tables: Vec<_> = tables.collect();
        self.with(py, move |statement| statement.bind(tables))
    }

    /// Adds rows: a column for every `?` of the statement in its order.
    #[expect(clippy::needless_pass_by_value, reason = "an argument of a Python method")]
    fn bind_columns(&self, py: Python<'_>, columns: Vec<Py<Column>>) -> Outcome<()> {
        let columns = bound(&columns);
        self.with(py, move |statement| statement.bind_columns(columns))
    }

    /// Writes the rows that were bound since the last time, and returns how many.
    fn execute(&self, py: Python<'_>) -> Outcome<u64> {
        self.with(py, |statement| statement.execute())
    }

    /// Runs a statement that is not INSERT … VALUES with one cell for every `?`.
    #[expect(clippy::needless_pass_by_value, reason = "an argument of a Python method")]
    fn query(&self, py: Python<'_>, parameters: Vec<Py<Column>>) -> Outcome<StatementResult> {
        let parameters = bound(&parameters);
        let (result, first) = self.with(py, move |statement| {
            let mut result: ResultSet = statement.query(parameters)?;
            let first = match &mut result.outcome {
                Rows::Rows(stream) => stream.next().transpose()?,
                Rows::Affected(_) => None,
            };
            Ok((result, first))
        })?;
        Ok(StatementResult::new(result, first, self.driver.get()?.clone(), self.shown.clone()))
    }

    /// Lets the statement go; more than once is allowed.
    fn close(&self, py: Python<'_>) {
        let Ok(inner) = self.inner.get() else { return };
        let last = inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        py.detach(move || drop(last));
    }
}
