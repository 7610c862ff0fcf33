//! Picking rows by number.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BooleanArray, GenericByteArray, NullArray, PrimitiveArray, downcast_primitive_array, types::ByteArrayType,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType;
use embudo_types::{Error, Result};

/// The row number that [`take_or_null`] turns into NULL.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// Numbers of the rows where a condition is true (NULL is not); `None` where that is every row.
pub(crate) fn selected(condition: &BooleanArray) -> Option<Vec<u32>> {
    let bits = match condition.nulls() {
        Some(nulls) if nulls.null_count() > 0 => condition.values() & nulls.inner(),
        _ => condition.values().clone(),
    };
    let count = bits.count_set_bits();
    if count == bits.len() {
        return None;
    }
    let mut rows = Vec::with_capacity(count);
    rows.extend(bits.set_indices().map(|row| row as u32));
    Some(rows)
}

/// The rows of every array.
pub(crate) fn take_all(arrays: &[ArrayRef], rows: &[u32]) -> Result<Vec<ArrayRef>> {
    arrays.iter().map(|array| take(array, rows)).collect()
}

/// The rows named, in that order; each must exist.
pub(crate) fn take(array: &ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
    // Columns that were not loaded have no cells at all.
    if *array.data_type() != DataType::Null
        && let (Some(&first), Some(&last)) = (rows.first(), rows.last())
        && last as usize + 1 - (first as usize).min(last as usize + 1) == rows.len()
        && rows.windows(2).all(|pair| pair[0] + 1 == pair[1])
    {
        return Ok(array.slice(first as usize, rows.len()));
    }
    pick(array, rows, false)
}

/// The rows named, NULL for [`NO_ROW`].
pub(crate) fn take_or_null(array: &ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
    pick(array, rows, rows.contains(&NO_ROW))
}

fn pick(array: &ArrayRef, rows: &[u32], holes: bool) -> Result<ArrayRef> {
    downcast_primitive_array! {
        array => Ok(Arc::new(primitive(array, rows, holes))),
        DataType::Boolean => Ok(Arc::new(boolean(array.as_boolean(), rows, holes))),
        DataType::Binary => Ok(Arc::new(bytes(array.as_binary::<i32>(), rows, holes))),
        DataType::Utf8 => Ok(Arc::new(bytes(array.as_string::<i32>(), rows, holes))),
        DataType::Null => Ok(Arc::new(NullArray::new(rows.len()))),
        other => Err(Error::internal(format!("no rows can be taken of {other}")))
    }
}

fn nulls(nulls: Option<&NullBuffer>, rows: &[u32], holes: bool) -> Option<NullBuffer> {
    match nulls.filter(|nulls| nulls.null_count() > 0) {
        Some(nulls) => Some(NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW && nulls.is_valid(rows[at] as usize)))),
        None if holes => Some(NullBuffer::new(BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW))),
        None => None,
    }
}

fn primitive<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, rows: &[u32], holes: bool) -> PrimitiveArray<T> {
    let values = array.values();
    let picked: Vec<T::Native> = if holes {
        rows.iter().map(|&row| if row == NO_ROW { T::default_value() } else { values[row as usize] }).collect()
    } else {
        rows.iter().map(|&row| values[row as usize]).collect()
    };
    PrimitiveArray::new(ScalarBuffer::from(picked), nulls(array.nulls(), rows, holes)).with_data_type(array.data_type().clone())
}

fn boolean(array: &BooleanArray, rows: &[u32], holes: bool) -> BooleanArray {
    let values = array.values();
    let picked = BooleanBuffer::collect_bool(rows.len(), |at| rows[at] != NO_ROW && values.value(rows[at] as usize));
    BooleanArray::new(picked, nulls(array.nulls(), rows, holes))
}

fn bytes<T: ByteArrayType<Offset = i32>>(array: &GenericByteArray<T>, rows: &[u32], holes: bool) -> GenericByteArray<T> {
    let (offsets, data) = (array.value_offsets(), array.value_data());
    let span = |row: u32| if row == NO_ROW { (0, 0) } else { (offsets[row as usize] as usize, offsets[row as usize + 1] as usize) };
    let mut ends = Vec::with_capacity(rows.len() + 1);
    ends.push(0_i32);
    let mut length = 0;
    for &row in rows {
        let (start, end) = span(row);
        length += end - start;
        ends.push(length as i32);
    }
    let mut values = Vec::with_capacity(length);
    for &row in rows {
        let (start, end) = span(row);
        values.extend_from_slice(&data[start..end]);
    }
    let nulls = nulls(array.nulls(), rows, holes);
    // SAFETY: the offsets ascend from 0 to the length of `values`, and every span is a whole value of an array of the same type.
    unsafe { GenericByteArray::new_unchecked(OffsetBuffer::new_unchecked(ScalarBuffer::from(ends)), Buffer::from_vec(values), nulls) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, Int32Array, StringArray};

    #[test]
    fn rows_are_taken_with_their_nulls() {
        let numbers: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3), Some(4)]));
        let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("a"), None, Some("ccc"), Some("")]));
        assert_eq!(take(&numbers, &[3, 1, 0]).unwrap().as_ref(), &Int32Array::from(vec![Some(4), None, Some(1)]));
        assert_eq!(take(&texts, &[2, 2, 1]).unwrap().as_ref(), &StringArray::from(vec![Some("ccc"), Some("ccc"), None]));
        assert_eq!(take_or_null(&numbers, &[NO_ROW, 0]).unwrap().as_ref(), &Int32Array::from(vec![None, Some(1)]));
        assert_eq!(take(&numbers, &[1, 2, 3]).unwrap().as_ref(), &Int32Array::from(vec![None, Some(3), Some(4)]));
        let empty: ArrayRef = Arc::new(BinaryArray::from_opt_vec(vec![None; 2]));
        assert_eq!(take(&empty, &[]).unwrap().len(), 0);
    }

    #[test]
    fn only_true_selects() {
        assert_eq!(selected(&BooleanArray::from(vec![Some(true), None, Some(false), Some(true)])), Some(vec![0, 3]));
        assert_eq!(selected(&BooleanArray::from(vec![true, true])), None);
    }
}
