//! Python's columns as the client's: NumPy memory by the buffer protocol, Arrow by its C stream, anything else value by value.

use std::{sync::Arc, time::Instant};

use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, RecordBatchReader, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray,
    ffi_stream::{FFI_ArrowArrayStream, RecordBatchStreamReader},
    types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::{ArrowError, Schema};
use embudo_client::ingest::Column;
use embudo_types::Error;
use pyo3::{
    buffer::{Element, PyBuffer},
    prelude::*,
    types::{PyCapsule, PyList, PyTuple},
};

use crate::{
    ending,
    error::{Outcome, misuse},
    parameters,
};

/// Columns by name.
pub type Columns = Vec<(String, Column)>;

/// Columns from tuples `(name, kind, values, nulls)`: `kind` a NumPy type code for memory in `values` (`?`, `i4`, `M8[ms]`, …) with
/// `nulls` None or a mask of bytes, `list` for a list of values, `value` for one value of all rows. Gives the rows too.
pub fn columns(given: &Bound<'_, PyList>) -> Outcome<(Columns, usize)> {
    let (mut columns, mut rows) = (Columns::new(), None);
    for item in given.iter() {
        let (name, kind, values, nulls): (String, String, Bound<'_, PyAny>, Option<Bound<'_, PyAny>>) =
            item.cast::<PyTuple>().map_err(PyErr::from)?.extract()?;
        let column = match kind.as_str() {
            "value" => Column::Constant(parameters::value(&values)?),
            "list" => Column::Values(values.try_iter()?.map(|item| parameters::value(&item?)).collect::<Outcome<_>>()?),
            code => Column::Array(memory(code, &values, nulls.as_ref())?),
        };
        rows = rows.or(column.rows());
        columns.push((name, column));
    }
    Ok((columns, rows.unwrap_or(1)))
}

/// An array of a NumPy type code from memory in `values`.
pub fn memory(code: &str, values: &Bound<'_, PyAny>, nulls: Option<&Bound<'_, PyAny>>) -> Outcome<ArrayRef> {
    let mask = nulls.map(|nulls| PyBuffer::<u8>::get(nulls)?.to_vec(nulls.py())).transpose()?;
    let nulls = mask.map(|mask| NullBuffer::new(mask.into_iter().map(|is_null| is_null == 0).collect()));
    Ok(match code {
        "?" => {
            let bytes = PyBuffer::<u8>::get(values)?.to_vec(values.py())?;
            Arc::new(BooleanArray::new(bytes.into_iter().map(|byte| byte != 0).collect(), nulls))
        }
        "i1" => primitive::<Int8Type>(values, nulls)?,
        "i2" => primitive::<Int16Type>(values, nulls)?,
        "i4" => primitive::<Int32Type>(values, nulls)?,
        "i8" => primitive::<Int64Type>(values, nulls)?,
        "u1" => primitive::<UInt8Type>(values, nulls)?,
        "u2" => primitive::<UInt16Type>(values, nulls)?,
        "u4" => primitive::<UInt32Type>(values, nulls)?,
        "u8" => primitive::<UInt64Type>(values, nulls)?,
        "f4" => primitive::<Float32Type>(values, nulls)?,
        "f8" => primitive::<Float64Type>(values, nulls)?,
        _ => {
            let ticks: ScalarBuffer<i64> = PyBuffer::<i64>::get(values)?.to_vec(values.py())?.into();
            // NumPy's NaT is the least integer.
            let nulls = ticks.contains(&i64::MIN).then(|| NullBuffer::new(ticks.iter().map(|&value| value != i64::MIN).collect()));
            match code {
                "M8[s]" => Arc::new(TimestampSecondArray::new(ticks, nulls)),
                "M8[ms]" => Arc::new(TimestampMillisecondArray::new(ticks, nulls)),
                "M8[us]" => Arc::new(TimestampMicrosecondArray::new(ticks, nulls)),
                "M8[ns]" => Arc::new(TimestampNanosecondArray::new(ticks, nulls)),
                other => return Err(misuse(format!("arrays of type {other} cannot be written"))),
            }
        }
    })
}

fn primitive<T: ArrowPrimitiveType<Native: Element>>(values: &Bound<'_, PyAny>, nulls: Option<NullBuffer>) -> Outcome<ArrayRef> {
    let values: ScalarBuffer<T::Native> = PyBuffer::<T::Native>::get(values)?.to_vec(values.py())?.into();
    Ok(Arc::new(PrimitiveArray::<T>::new(values, nulls)))
}

/// Columns of an Arrow C stream, its batches put together.
pub fn stream(capsule: &Bound<'_, PyCapsule>) -> Outcome<(Columns, usize)> {
    let pointer = capsule.pointer_checked(Some(c"arrow_array_stream"))?;
    // SAFETY: a capsule of this name holds a stream; `from_raw` moves it out and leaves an empty one, as the interface asks.
    let stream = unsafe { FFI_ArrowArrayStream::from_raw(pointer.as_ptr().cast()) };
    let broken = |error: ArrowError| misuse(format!("the Arrow stream: {error}"));
    let reader = RecordBatchStreamReader::try_new(stream).map_err(broken)?;
    let schema = reader.schema();
    let batches = reader.collect::<Result<Vec<RecordBatch>, _>>().map_err(broken)?;
    joined(&schema, &batches).map_err(broken)
}

/// The columns of batches, put together, and how many rows they have.
pub fn joined(schema: &Schema, batches: &[RecordBatch]) -> Result<(Columns, usize), ArrowError> {
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let columns = schema.fields().iter().enumerate().map(|(place, field)| {
        let arrays: Vec<_> = batches.iter().map(|batch| batch.column(place).to_data()).collect();
        let mut joined = MutableArrayData::new(arrays.iter().collect(), false, rows);
        for (batch, array) in arrays.iter().enumerate() {
            joined.try_extend(batch, 0, array.len())?;
        }
        let array = if arrays.is_empty() { arrow_array::new_empty_array(field.data_type()) } else { arrow_array::make_array(joined.freeze()) };
        Ok((field.name().clone(), Column::Array(array)))
    });
    Ok((columns.collect::<Result<_, ArrowError>>()?, rows))
}

/// What tells a Python function how far the rows are; a signal ends the call too.
pub fn reporter(progress: Option<Py<PyAny>>) -> impl FnMut(u64, u64) -> embudo_types::Result<()> + Send {
    let mut last: Option<Instant> = None;
    move |written, all| {
        let Some(function) = &progress else { return Ok(()) };
        // The first and the last are always told, those between at most ten times a second.
        if written > 0 && written < all && last.is_some_and(|last| last.elapsed().as_millis() < 100) {
            return Ok(());
        }
        last = Some(Instant::now());
        ending::attach(|py| function.call1(py, (written, all)).map(drop))
            .unwrap_or(Ok(()))
            .map_err(|error| Error::internal(format!("the progress function raised {error}")).caused_by(error))
    }
}
