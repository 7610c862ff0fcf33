//! Arrow arrays by their concrete type, and columns of several batches as the one block of memory that NumPy wants.

use std::ffi::{c_int, c_void};

use arrow_array::{
    Array, ArrowPrimitiveType, BooleanArray, PrimitiveArray, RecordBatch, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use arrow_buffer::MutableBuffer;
use embudo_types::{DataType, Error, Result};
use pyo3::{exceptions::PyBufferError, ffi, prelude::*};

/// The array as its concrete type; another type is a fault of whoever made it.
pub fn typed<T: 'static>(array: &dyn Array) -> Result<&T> {
    array.as_any().downcast_ref().ok_or_else(|| Error::internal(format!("an array is {} where its field says otherwise", array.data_type())))
}

/// The ticks of a timestamp array of any unit.
pub fn ticks(array: &dyn Array) -> Result<&[i64]> {
    let any = array.as_any();
    if let Some(array) = any.downcast_ref::<TimestampMillisecondArray>() {
        return Ok(array.values());
    }
    if let Some(array) = any.downcast_ref::<TimestampMicrosecondArray>() {
        return Ok(array.values());
    }
    typed::<TimestampNanosecondArray>(array).map(|array| array.values().as_ref())
}

/// Memory that NumPy takes over by the buffer protocol: plain bytes, aligned to 64, writable, never moved.
#[pyclass(frozen, module = "embudo._embudo")]
pub struct Memory(MutableBuffer);

#[pymethods]
impl Memory {
    fn __len__(&self) -> usize {
        self.0.len()
    }

    /// Describes the memory as writable bytes.
    ///
    /// # Safety
    /// Called by the interpreter with a view to fill.
    #[expect(clippy::needless_pass_by_value, reason = "the protocol's signature")]
    unsafe fn __getbuffer__(slf: Bound<'_, Self>, view: *mut ffi::Py_buffer, flags: c_int) -> PyResult<()> {
        if view.is_null() {
            return Err(PyBufferError::new_err("no view to fill"));
        }
        let memory = &slf.get().0;
        // SAFETY: the memory lives as long as the object, which the view holds a reference to; its address never changes, and
        // Rust never reads or writes it again, so that writes through the view disturb nobody.
        let filled = unsafe { ffi::PyBuffer_FillInfo(view, slf.as_ptr(), memory.as_ptr().cast_mut().cast::<c_void>(), memory.len() as isize, 0, flags) };
        if filled == 0 { Ok(()) } else { Err(PyErr::fetch(slf.py())) }
    }
}

/// A column as one block: values, and which of them are NULL.
pub struct Block {
    /// The values in the machine's order; NULL is NaN in floats, the least integer in instants, zero elsewhere.
    pub values: Memory,
    /// A byte a value, 1 where NULL; `None` without NULLs.
    pub nulls: Option<Memory>,
}

/// The NumPy type code of columns that [`block`] can make; `None` for those that only objects can show.
pub fn numpy_code(data_type: DataType) -> Option<&'static str> {
    Some(match data_type {
        DataType::Bool => "?",
        DataType::TinyInt => "i1",
        DataType::SmallInt => "i2",
        DataType::Int => "i4",
        DataType::BigInt | DataType::Timestamp => "i8",
        DataType::UTinyInt => "u1",
        DataType::USmallInt => "u2",
        DataType::UInt => "u4",
        DataType::UBigInt => "u8",
        DataType::Float => "f4",
        DataType::Double => "f8",
        _ => return None,
    })
}

/// Column `place` of all batches as one block.
pub fn block(batches: &[RecordBatch], place: usize, data_type: DataType) -> Result<Block> {
    let arrays: Vec<&dyn Array> = batches.iter().map(|batch| batch.column(place).as_ref()).collect();
    let values = match data_type {
        DataType::Bool => booleans(&arrays)?,
        DataType::TinyInt => primitives::<Int8Type>(&arrays, None)?,
        DataType::SmallInt => primitives::<Int16Type>(&arrays, None)?,
        DataType::Int => primitives::<Int32Type>(&arrays, None)?,
        DataType::BigInt => primitives::<Int64Type>(&arrays, None)?,
        DataType::UTinyInt => primitives::<UInt8Type>(&arrays, None)?,
        DataType::USmallInt => primitives::<UInt16Type>(&arrays, None)?,
        DataType::UInt => primitives::<UInt32Type>(&arrays, None)?,
        DataType::UBigInt => primitives::<UInt64Type>(&arrays, None)?,
        DataType::Float => primitives::<Float32Type>(&arrays, Some(f32::NAN))?,
        DataType::Double => primitives::<Float64Type>(&arrays, Some(f64::NAN))?,
        DataType::Timestamp => {
            let mut out = MutableBuffer::new(rows(&arrays) * 8);
            for array in &arrays {
                extend(&mut out, ticks(*array)?, *array, Some(i64::MIN));
            }
            out
        }
        other => return Err(Error::internal(format!("{other} has no block form"))),
    };
    Ok(Block { values: Memory(values), nulls: nulls(&arrays).map(Memory) })
}

fn rows(arrays: &[&dyn Array]) -> usize {
    arrays.iter().map(|array| array.len()).sum()
}

fn primitives<T: ArrowPrimitiveType>(arrays: &[&dyn Array], null: Option<T::Native>) -> Result<MutableBuffer> {
    let mut out = MutableBuffer::new(rows(arrays) * size_of::<T::Native>());
    for array in arrays {
        extend(&mut out, typed::<PrimitiveArray<T>>(*array)?.values(), *array, null);
    }
    Ok(out)
}

/// Appends `values`, with `null` in place of those that `array` calls NULL.
fn extend<N: arrow_buffer::ArrowNativeType>(out: &mut MutableBuffer, values: &[N], array: &dyn Array, null: Option<N>) {
    let from = out.len() / size_of::<N>();
    out.extend_from_slice(values);
    if let (Some(null), Some(nulls)) = (null, array.nulls()) {
        let added = &mut out.typed_data_mut::<N>()[from..];
        for (value, valid) in added.iter_mut().zip(nulls) {
            if !valid {
                *value = null;
            }
        }
    }
}

fn booleans(arrays: &[&dyn Array]) -> Result<MutableBuffer> {
    let mut out = MutableBuffer::new(rows(arrays));
    for array in arrays {
        let array = typed::<BooleanArray>(*array)?;
        for value in array.values() {
            out.push(u8::from(value));
        }
    }
    Ok(out)
}

fn nulls(arrays: &[&dyn Array]) -> Option<MutableBuffer> {
    if arrays.iter().all(|array| array.null_count() == 0) {
        return None;
    }
    let mut out = MutableBuffer::new(rows(arrays));
    for array in arrays {
        match array.nulls() {
            Some(nulls) => nulls.iter().for_each(|valid| out.push(u8::from(!valid))),
            None => out.extend_zeros(array.len()),
        }
    }
    Some(out)
}
