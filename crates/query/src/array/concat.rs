//! Joining arrays end to end, and arrays of one value.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, GenericByteArray, NullArray, PrimitiveArray, downcast_primitive_array, make_array, new_null_array,
    types::ByteArrayType,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;
use embudo_types::{Error, Result, code};

/// `rows` NULLs of a type.
pub(crate) fn null_array(data_type: &DataType, rows: usize) -> ArrayRef {
    if matches!(data_type, DataType::Null) { Arc::new(NullArray::new(rows)) } else { new_null_array(data_type, rows) }
}

/// All arrays end to end; they must be of `data_type`.
pub(crate) fn concat(arrays: &[ArrayRef], data_type: &DataType) -> Result<ArrayRef> {
    match arrays {
        [] => Ok(null_array(data_type, 0)),
        [array] => Ok(array.clone()),
        _ => {
            let ranges: Vec<(u32, u32, u32)> = arrays.iter().enumerate().map(|(place, array)| (place as u32, 0, array.len() as u32)).collect();
            interleave(arrays, &ranges, data_type)
        }
    }
}

/// Column by column, all rows of all batches end to end.
pub(crate) fn concat_columns(batches: &[Vec<ArrayRef>], types: &[DataType]) -> Result<Vec<ArrayRef>> {
    let mut columns = Vec::with_capacity(types.len());
    for (at, data_type) in types.iter().enumerate() {
        let arrays: Vec<ArrayRef> = batches.iter().map(|batch| ArrayRef::clone(&batch[at])).collect();
        columns.push(concat(&arrays, data_type)?);
    }
    Ok(columns)
}

/// Ranges of rows out of several arrays, end to end: (array, start, end).
pub(crate) fn interleave(arrays: &[ArrayRef], ranges: &[(u32, u32, u32)], data_type: &DataType) -> Result<ArrayRef> {
    let rows = ranges.iter().map(|(_, start, end)| (end - start) as usize).sum();
    if matches!(data_type, DataType::Null) {
        return Ok(Arc::new(NullArray::new(rows)));
    }
    let data: Vec<_> = arrays.iter().map(Array::to_data).collect();
    let mut joined = MutableArrayData::new(data.iter().collect(), false, rows);
    for &(source, start, end) in ranges {
        joined
            .try_extend(source as usize, start as usize, end as usize)
            .map_err(|source| Error::with(code::OUT_OF_MEMORY, "a column of a result is too large").caused_by(source))?;
    }
    Ok(make_array(joined.freeze()))
}

/// One row of an array, `rows` times.
pub(crate) fn repeat(array: &ArrayRef, row: usize, rows: usize) -> Result<ArrayRef> {
    if array.is_null(row) || matches!(array.data_type(), DataType::Null) {
        return Ok(null_array(array.data_type(), rows));
    }
    downcast_primitive_array! {
        array => Ok(Arc::new(repeat_primitive(array, row, rows))),
        DataType::Boolean => Ok(Arc::new(BooleanArray::from(vec![array.as_boolean().value(row); rows]))),
        DataType::Binary => Ok(Arc::new(repeat_bytes(array.as_binary::<i32>(), row, rows))),
        DataType::Utf8 => Ok(Arc::new(repeat_bytes(array.as_string::<i32>(), row, rows))),
        other => Err(Error::internal(format!("no value of {other} can be repeated")))
    }
}

fn repeat_primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, row: usize, rows: usize) -> PrimitiveArray<T> {
    PrimitiveArray::new(ScalarBuffer::from(vec![array.value(row); rows]), None).with_data_type(array.data_type().clone())
}

fn repeat_bytes<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, row: usize, rows: usize) -> GenericByteArray<T> {
    let value: &[u8] = array.value(row).as_ref();
    let offsets: Vec<i32> = (0..=rows).map(|at| (at * value.len()) as i32).collect();
    let nulls: Option<NullBuffer> = None;
    // SAFETY: the offsets ascend in steps of the value's length, and the value comes whole out of an array of the same type.
    unsafe { GenericByteArray::new_unchecked(OffsetBuffer::new_unchecked(ScalarBuffer::from(offsets)), Buffer::from_vec(value.repeat(rows)), nulls) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int32Array, StringArray};

    #[test]
    fn arrays_join_and_repeat() {
        let one: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None]));
        let two: ArrayRef = Arc::new(StringArray::from(vec!["xyz"]));
        assert_eq!(concat(&[one.clone(), two.clone()], &DataType::Utf8).unwrap().as_ref(), &StringArray::from(vec![Some("a"), None, Some("xyz")]));
        assert_eq!(
            interleave(&[one.clone(), two.clone()], &[(1, 0, 1), (0, 0, 2), (1, 0, 1)], &DataType::Utf8).unwrap().as_ref(),
            &StringArray::from(vec![Some("xyz"), Some("a"), None, Some("xyz")])
        );
        assert_eq!(repeat(&two, 0, 3).unwrap().as_ref(), &StringArray::from(vec!["xyz"; 3]));
        assert_eq!(repeat(&one, 1, 2).unwrap().null_count(), 2);
        let number: ArrayRef = Arc::new(Int32Array::from(vec![7]));
        assert_eq!(repeat(&number, 0, 2).unwrap().as_ref(), &Int32Array::from(vec![7, 7]));
    }
}
