//! Arrow batches as Python rows. Every cell is made by one typed loop a column; a [`RowStyle`] says what the types that
//! have several faces in Python become (instants, texts, decimals, JSON): the typed API, `taos` and `taosrest` differ only there.

use arrow_array::{
    Array, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, RecordBatch, StringArray,
    types::{ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use arrow_buffer::NullBuffer;
use embudo_types::{DataType, Precision, Zone, arrow, format_rfc3339};
use pyo3::{exceptions::PyValueError, ffi, prelude::*, sync::PyOnceLock, types::PyList};

use crate::{
    arrays::{ticks, typed},
    calendar::{DatetimeMaker, Label},
    error::Outcome,
    zone::ShownZone,
};

/// Rows made together: few enough that their tuples stay in the cache from column to column.
const CHUNK: usize = 1_024;

/// What an instant becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Instants {
    /// A `datetime` with the zone.
    Aware,
    /// A `datetime` with the fixed offset that the zone has then.
    Offset,
    /// A `datetime` of the zone's local time, without a zone.
    Naive,
    /// RFC 3339 text.
    Text,
    /// Text as `taosws` shows it, `2024-01-01 08:00:00.5 +08:00`, the fraction in three, six or nine digits where there is one.
    Shown,
    /// The same with the zone's abbreviation in place of the offset.
    Named,
}

/// What the types with several faces in Python become.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct RowStyle {
    instants: Instants,
    /// The zone to show instants in; else the session's.
    zone: Option<ShownZone>,
    /// Nanoseconds as the integer of ticks; else cut to microseconds.
    nanosecond_ticks: bool,
    /// Instants outside the years 1 to 9999 are None; else an error.
    lenient: bool,
    /// VARCHAR as bytes.
    raw_text: bool,
    /// VARBINARY, GEOMETRY and BLOB as hex digits.
    hex: bool,
    /// JSON parsed; else its text.
    json: bool,
    /// DECIMAL as text; else `decimal.Decimal`.
    decimal_text: bool,
    /// FLOAT as the shortest decimal number that reads back as it; else its exact value.
    shortest: bool,
    /// Rows as lists; else tuples.
    lists: bool,
}

#[pymethods]
impl RowStyle {
    #[new]
    #[pyo3(signature = (*, instants="aware", zone=None, nanosecond_ticks=true, lenient=false, raw_text=false, hex=false, json=true, decimal_text=false, shortest=false, lists=false))]
    #[expect(clippy::too_many_arguments, clippy::fn_params_excessive_bools, reason = "keywords of a Python constructor")]
    fn new(
        instants: &str,
        zone: Option<&str>,
        nanosecond_ticks: bool,
        lenient: bool,
        raw_text: bool,
        hex: bool,
        json: bool,
        decimal_text: bool,
        shortest: bool,
        lists: bool,
    ) -> PyResult<Self> {
        let instants = match instants {
            "aware" => Instants::Aware,
            "offset" => Instants::Offset,
            "naive" => Instants::Naive,
            "text" => Instants::Text,
            "shown" => Instants::Shown,
            "named" => Instants::Named,
            other => return Err(PyValueError::new_err(format!("instants are aware, offset, naive, text, shown or named, not {other}"))),
        };
        let zone = match zone {
            Some("local") => Some(Zone::system()),
            named => named.map(Zone::named).transpose().map_err(|error| PyValueError::new_err(error.message().to_owned()))?,
        };
        Ok(Self { instants, zone: zone.map(ShownZone::new), nanosecond_ticks, lenient, raw_text, hex, json, decimal_text, shortest, lists })
    }
}

impl RowStyle {
    /// The style of the typed API.
    pub fn typed() -> Self {
        Self {
            instants: Instants::Aware,
            zone: None,
            nanosecond_ticks: true,
            lenient: false,
            raw_text: false,
            hex: false,
            json: true,
            decimal_text: false,
            shortest: false,
            lists: false,
        }
    }
}

/// Appends the rows `from..to` of `batch` to `rows`. `shown` is the zone of instants, unless the style has one.
pub fn append(batch: &RecordBatch, range: std::ops::Range<usize>, style: &RowStyle, shown: &ShownZone, rows: &Bound<'_, PyList>) -> Outcome<()> {
    let py = rows.py();
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        columns.push(Column::new(py, array.as_ref(), arrow::data_type(field)?, arrow::precision(field), style, shown)?);
    }
    let holds_objects = columns.iter().any(|column| matches!(column.cells, Cells::Json(..)));
    let _paused = CollectorPause::new();
    let mut start = range.start;
    while start < range.end {
        let end = range.end.min(start + CHUNK);
        let made = Chunk::new(py, end - start, columns.len(), style.lists)?;
        for (place, column) in columns.iter_mut().enumerate() {
            column.fill(py, start..end, place, &made)?;
        }
        if !style.lists && !holds_objects {
            made.untrack();
        }
        for row in made.rows {
            rows.append(row)?;
        }
        start = end;
    }
    Ok(())
}

/// One column's values as a Python list, for frames' object columns.
pub fn column_list<'py>(py: Python<'py>, batches: &[RecordBatch], place: usize, style: &RowStyle, shown: &ShownZone) -> Outcome<Bound<'py, PyList>> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum::<usize>();
    // SAFETY: attached; the new list's empty places are all filled below, or the list is dropped, which allows empty places.
    let list = unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyList_New(rows as isize)) }?;
    let mut at = 0;
    for batch in batches {
        let field = batch.schema_ref().field(place);
        let mut column = Column::new(py, batch.column(place).as_ref(), arrow::data_type(field)?, arrow::precision(field), style, shown)?;
        column.each(py, 0..batch.num_rows(), |cell| {
            // SAFETY: `list` is a list that only this function holds, `at` lies within it, and the reference is handed over.
            unsafe { ffi::PyList_SetItem(list.as_ptr(), at, cell) };
            at += 1;
        })?;
    }
    Ok(list.cast_into::<PyList>().map_err(PyErr::from)?)
}

/// The collector counts every tuple and would walk all of them again and again; tuples of plain values form no cycles.
struct CollectorPause(bool);

impl CollectorPause {
    fn new() -> Self {
        // SAFETY: attached in every caller; the call only sets the collector's flag and gives its old value.
        Self(unsafe { ffi::PyGC_Disable() } == 1)
    }
}

impl Drop for CollectorPause {
    fn drop(&mut self) {
        if self.0 {
            // SAFETY: attached in every caller; see above.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}

/// Rows under construction: their places are filled column by column.
struct Chunk<'py> {
    rows: Vec<Bound<'py, PyAny>>,
    lists: bool,
}

impl<'py> Chunk<'py> {
    fn new(py: Python<'py>, rows: usize, width: usize, lists: bool) -> PyResult<Self> {
        let width = width as isize;
        let make = |_| {
            // SAFETY: attached; a container with empty places, which its deallocation allows, is not shown to Python before it is full.
            unsafe { Bound::from_owned_ptr_or_err(py, if lists { ffi::PyList_New(width) } else { ffi::PyTuple_New(width) }) }
        };
        Ok(Self { rows: (0..rows).map(make).collect::<PyResult<_>>()?, lists })
    }

    /// Takes tuples of plain values out of the collector's sight, as it does itself when it first meets one.
    fn untrack(&self) {
        for row in &self.rows {
            // SAFETY: attached; a tracked object that can never be part of a cycle.
            unsafe { ffi::PyObject_GC_UnTrack(row.as_ptr().cast()) };
        }
    }

    /// Hands the reference `cell` to place `place` of a row.
    fn set(&self, row: usize, place: usize, cell: *mut ffi::PyObject) {
        let container = self.rows[row].as_ptr();
        // SAFETY: the container was made by `new` with this kind, more than `place` places and no other reference.
        unsafe {
            if self.lists {
                ffi::PyList_SetItem(container, place as isize, cell);
            } else {
                ffi::PyTuple_SetItem(container, place as isize, cell);
            }
        }
    }
}

/// A column that makes Python cells.
struct Column<'a> {
    nulls: Option<&'a NullBuffer>,
    cells: Cells<'a>,
}

enum Cells<'a> {
    Nothing,
    Bool(&'a BooleanArray),
    Int8(&'a PrimitiveArray<Int8Type>),
    Int16(&'a PrimitiveArray<Int16Type>),
    Int32(&'a PrimitiveArray<Int32Type>),
    Int64(&'a PrimitiveArray<Int64Type>),
    UInt8(&'a PrimitiveArray<UInt8Type>),
    UInt16(&'a PrimitiveArray<UInt16Type>),
    UInt32(&'a PrimitiveArray<UInt32Type>),
    UInt64(&'a PrimitiveArray<UInt64Type>),
    Float(&'a PrimitiveArray<Float32Type>),
    ShortestFloat(&'a PrimitiveArray<Float32Type>),
    Double(&'a PrimitiveArray<Float64Type>),
    Ticks(&'a [i64]),
    Instant {
        ticks: &'a [i64],
        precision: Precision,
        maker: DatetimeMaker,
        lenient: bool,
    },
    InstantText {
        ticks: &'a [i64],
        precision: Precision,
        zone: Zone,
        form: Instants,
    },
    /// Text where it is UTF-8, else bytes.
    Varchar(&'a BinaryArray, Last),
    Bytes(&'a BinaryArray),
    Hex(&'a BinaryArray),
    Text(&'a StringArray, Last),
    Json(&'a StringArray, Last),
    Decimal {
        values: &'a Decimal128Array,
        scale: u8,
        text: bool,
    },
}

/// Writes an instant as [`Instants::Shown`], or as [`Instants::Named`] where `named`.
fn shown(ticks: i64, precision: Precision, zone: &Zone, named: bool, out: &mut String) {
    let mut text = String::new();
    format_rfc3339(ticks, precision, zone, &mut text);
    // Date, `T`, time, `.`, all digits of the precision, the offset.
    let (date, rest) = text.split_once('T').unwrap_or((&text, ""));
    let (time, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let (digits, offset) = rest.split_at(precision.digits().min(rest.len()));
    out.extend([date, " ", time]);
    let significant = digits.trim_end_matches('0').len().next_multiple_of(3).min(digits.len());
    if significant > 0 {
        out.extend([".", &digits[..significant]]);
    }
    out.push(' ');
    if named {
        out.push_str(&zone.abbreviation_at(ticks, precision));
    } else {
        out.push_str(if offset == "Z" { "+00:00" } else { offset });
    }
}

/// The cell made last: neighbours are often equal, as tags of one table are.
#[derive(Default)]
struct Last {
    row: Option<usize>,
    object: Option<Py<PyAny>>,
}

impl Last {
    /// A new reference to the object of `bytes`: the last one, if its row's bytes are the same, else what `make` gives.
    fn get<'a>(&mut self, row: usize, of: impl Fn(usize) -> &'a [u8], make: impl FnOnce(&'a [u8]) -> PyResult<Py<PyAny>>) -> PyResult<*mut ffi::PyObject> {
        let bytes = of(row);
        if let (Some(last), Some(object)) = (self.row, &self.object)
            && of(last) == bytes
        {
            // SAFETY: `object` is alive; the caller is attached.
            unsafe { ffi::Py_INCREF(object.as_ptr()) };
            return Ok(object.as_ptr());
        }
        let object = make(bytes)?;
        let pointer = object.as_ptr();
        // SAFETY: as above.
        unsafe { ffi::Py_INCREF(pointer) };
        (self.row, self.object) = (Some(row), Some(object));
        Ok(pointer)
    }
}

impl<'a> Column<'a> {
    fn new(py: Python<'_>, array: &'a dyn Array, data_type: DataType, precision: Precision, style: &RowStyle, shown: &ShownZone) -> Outcome<Self> {
        let cells = match data_type {
            DataType::Null => Cells::Nothing,
            DataType::Bool => Cells::Bool(typed(array)?),
            DataType::TinyInt => Cells::Int8(typed(array)?),
            DataType::SmallInt => Cells::Int16(typed(array)?),
            DataType::Int => Cells::Int32(typed(array)?),
            DataType::BigInt => Cells::Int64(typed(array)?),
            DataType::UTinyInt => Cells::UInt8(typed(array)?),
            DataType::USmallInt => Cells::UInt16(typed(array)?),
            DataType::UInt => Cells::UInt32(typed(array)?),
            DataType::UBigInt => Cells::UInt64(typed(array)?),
            DataType::Float if style.shortest => Cells::ShortestFloat(typed(array)?),
            DataType::Float => Cells::Float(typed(array)?),
            DataType::Double => Cells::Double(typed(array)?),
            DataType::Timestamp => {
                let ticks = ticks(array)?;
                let shown = style.zone.as_ref().unwrap_or(shown);
                match style.instants {
                    form @ (Instants::Text | Instants::Shown | Instants::Named) => Cells::InstantText { ticks, precision, zone: shown.zone.clone(), form },
                    _ if precision == Precision::Nano && style.nanosecond_ticks => Cells::Ticks(ticks),
                    instants => {
                        let label = match instants {
                            Instants::Aware => Label::Zone(shown.tzinfo(py)?.unbind()),
                            Instants::Offset => Label::Offset(None),
                            Instants::Naive | Instants::Text | Instants::Shown | Instants::Named => Label::Naive,
                        };
                        Cells::Instant { ticks, precision, maker: DatetimeMaker::new(py, shown.zone.clone(), label)?, lenient: style.lenient }
                    }
                }
            }
            DataType::Varchar(_) if style.raw_text => Cells::Bytes(typed(array)?),
            DataType::Varchar(_) => Cells::Varchar(typed(array)?, Last::default()),
            DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => {
                if style.hex {
                    Cells::Hex(typed(array)?)
                } else {
                    Cells::Bytes(typed(array)?)
                }
            }
            DataType::Json if style.json => Cells::Json(typed(array)?, Last::default()),
            DataType::NChar(_) | DataType::Json => Cells::Text(typed(array)?, Last::default()),
            DataType::Decimal(_, scale) => Cells::Decimal { values: typed(array)?, scale, text: style.decimal_text },
        };
        Ok(Self { nulls: array.nulls(), cells })
    }

    fn fill(&mut self, py: Python<'_>, range: std::ops::Range<usize>, place: usize, chunk: &Chunk<'_>) -> Outcome<()> {
        let mut row = 0;
        self.each(py, range, |cell| {
            chunk.set(row, place, cell);
            row += 1;
        })
    }

    /// Gives a new reference for each row of `range`, in order.
    fn each(&mut self, py: Python<'_>, range: std::ops::Range<usize>, mut give: impl FnMut(*mut ffi::PyObject)) -> Outcome<()> {
        macro_rules! cells {
            (|$row:ident| $make:expr) => {
                match self.nulls {
                    None => {
                        for $row in range {
                            give($make);
                        }
                    }
                    Some(nulls) => {
                        for $row in range {
                            give(if nulls.is_null($row) { none() } else { $make });
                        }
                    }
                }
            };
        }
        match &mut self.cells {
            Cells::Nothing => range.for_each(|_| give(none())),
            Cells::Bool(array) => cells!(|row| boolean(array.value(row))),
            Cells::Int8(array) => cells!(|row| checked(py, signed(array, row))?),
            Cells::Int16(array) => cells!(|row| checked(py, signed(array, row))?),
            Cells::Int32(array) => cells!(|row| checked(py, signed(array, row))?),
            Cells::Int64(array) => cells!(|row| checked(py, signed(array, row))?),
            Cells::UInt8(array) => cells!(|row| checked(py, unsigned(array, row))?),
            Cells::UInt16(array) => cells!(|row| checked(py, unsigned(array, row))?),
            Cells::UInt32(array) => cells!(|row| checked(py, unsigned(array, row))?),
            Cells::UInt64(array) => cells!(|row| checked(py, unsigned(array, row))?),
            Cells::Float(array) => cells!(|row| checked(py, float(f64::from(array.value(row))))?),
            Cells::ShortestFloat(array) => cells!(|row| checked(py, float(shortest(array.value(row))))?),
            Cells::Double(array) => cells!(|row| checked(py, float(array.value(row)))?),
            Cells::Ticks(ticks) => cells!(|row| checked(py, integer(ticks[row]))?),
            Cells::Instant { ticks, precision, maker, lenient } => cells!(|row| match maker.make(py, ticks[row], *precision) {
                Ok(made) => made,
                Err(_) if *lenient => none(),
                Err(failure) => return Err(failure),
            }),
            Cells::InstantText { ticks, precision, zone, form } => {
                let mut text = String::new();
                cells!(|row| {
                    text.clear();
                    match form {
                        Instants::Shown => shown(ticks[row], *precision, zone, false, &mut text),
                        Instants::Named => shown(ticks[row], *precision, zone, true, &mut text),
                        _ => format_rfc3339(ticks[row], *precision, zone, &mut text),
                    }
                    checked(py, string(text.as_bytes()))?
                });
            }
            Cells::Varchar(array, last) => cells!(|row| last.get(row, |row| array.value(row), |bytes| text_or_bytes(py, bytes))?),
            Cells::Bytes(array) => cells!(|row| checked(py, bytes(array.value(row)))?),
            Cells::Hex(array) => {
                let mut text = String::new();
                cells!(|row| {
                    hex(array.value(row), &mut text);
                    checked(py, string(text.as_bytes()))?
                });
            }
            Cells::Text(array, last) => cells!(|row| last.get(row, |row| array.value(row).as_bytes(), |bytes| text_or_bytes(py, bytes))?),
            Cells::Json(array, last) => cells!(|row| last.get(row, |row| array.value(row).as_bytes(), |bytes| parsed_json(py, bytes))?),
            Cells::Decimal { values, scale, text } => {
                let mut digits = String::new();
                cells!(|row| {
                    digits.clear();
                    embudo_client::literal::write_decimal(values.value(row), usize::from(*scale), &mut digits);
                    if *text { checked(py, string(digits.as_bytes()))? } else { decimal(py, &digits)?.into_ptr() }
                });
            }
        }
        Ok(())
    }
}

fn none() -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; None is alive as long as the interpreter.
    unsafe {
        ffi::Py_INCREF(ffi::Py_None());
        ffi::Py_None()
    }
}

fn boolean(value: bool) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; gives a new reference and cannot fail.
    unsafe { ffi::PyBool_FromLong(std::ffi::c_long::from(value)) }
}

fn integer(value: i64) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; gives a new reference or null.
    unsafe { ffi::PyLong_FromLongLong(value) }
}

fn signed<T: ArrowPrimitiveType<Native: Into<i64>>>(array: &PrimitiveArray<T>, row: usize) -> *mut ffi::PyObject {
    integer(array.value(row).into())
}

fn unsigned<T: ArrowPrimitiveType<Native: Into<u64>>>(array: &PrimitiveArray<T>, row: usize) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; gives a new reference or null.
    unsafe { ffi::PyLong_FromUnsignedLongLong(array.value(row).into()) }
}

fn float(value: f64) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; gives a new reference or null.
    unsafe { ffi::PyFloat_FromDouble(value) }
}

/// The number that the shortest text of a FLOAT means, as JSON carries it.
fn shortest(value: f32) -> f64 {
    if value.fract() == 0.0 { f64::from(value) } else { value.to_string().parse().unwrap_or_else(|_| f64::from(value)) }
}

fn string(utf8: &[u8]) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; reads `len` bytes and gives a new reference, or null with an exception where they are no UTF-8.
    unsafe { ffi::PyUnicode_FromStringAndSize(utf8.as_ptr().cast(), utf8.len() as isize) }
}

fn bytes(value: &[u8]) -> *mut ffi::PyObject {
    // SAFETY: attached in every caller; copies `len` bytes and gives a new reference or null.
    unsafe { ffi::PyBytes_FromStringAndSize(value.as_ptr().cast(), value.len() as isize) }
}

/// The reference, or the exception that null stands for.
fn checked(py: Python<'_>, made: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
    if made.is_null() { Err(PyErr::fetch(py)) } else { Ok(made) }
}

fn text_or_bytes(py: Python<'_>, value: &[u8]) -> PyResult<Py<PyAny>> {
    let made = if std::str::from_utf8(value).is_ok() { string(value) } else { bytes(value) };
    // SAFETY: attached; the pointer is a new reference or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, made) }.map(Bound::unbind)
}

fn parsed_json(py: Python<'_>, text: &[u8]) -> PyResult<Py<PyAny>> {
    static LOADS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let loads = LOADS.get_or_try_init(py, || py.import("json")?.getattr("loads").map(Bound::unbind))?;
    loads.call1(py, (String::from_utf8_lossy(text),))
}

fn decimal(py: Python<'_>, digits: &str) -> PyResult<Py<PyAny>> {
    static DECIMAL: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let class = DECIMAL.get_or_try_init(py, || py.import("decimal")?.getattr("Decimal").map(Bound::unbind))?;
    class.call1(py, (digits,))
}

fn hex(value: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    out.clear();
    for byte in value {
        out.push(char::from(DIGITS[usize::from(byte >> 4)]));
        out.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
}
