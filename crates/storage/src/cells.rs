//! Cells of Arrow arrays as bytes, and keys to compare: the few kernels that the memory table, the log and the resolver share.

use std::cmp::Ordering;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::Buffer;
use arrow_schema::{DataType as ArrowType, TimeUnit};

/// How cells of a storable type lie in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One bit in Arrow.
    Bits,
    /// So many bytes each.
    Fixed(usize),
    /// 32-bit offsets into bytes.
    Variable,
}

impl Layout {
    /// The layout of a storable type.
    pub(crate) fn of(data_type: &ArrowType) -> Self {
        match data_type {
            ArrowType::Boolean => Self::Bits,
            ArrowType::Binary | ArrowType::Utf8 => Self::Variable,
            fixed => Self::Fixed(fixed.primitive_width().unwrap_or(8)),
        }
    }
}

/// The values of a fixed-width array, its slice only; `None` for other layouts.
pub(crate) fn fixed_values(array: &dyn Array) -> Option<&Buffer> {
    fn values<T: ArrowPrimitiveType>(array: &dyn Array) -> Option<&Buffer> {
        array.as_primitive_opt::<T>().map(|array| array.values().inner())
    }
    match array.data_type() {
        ArrowType::Int8 => values::<Int8Type>(array),
        ArrowType::Int16 => values::<Int16Type>(array),
        ArrowType::Int32 => values::<Int32Type>(array),
        ArrowType::Int64 => values::<Int64Type>(array),
        ArrowType::UInt8 => values::<UInt8Type>(array),
        ArrowType::UInt16 => values::<UInt16Type>(array),
        ArrowType::UInt32 => values::<UInt32Type>(array),
        ArrowType::UInt64 => values::<UInt64Type>(array),
        ArrowType::Float32 => values::<Float32Type>(array),
        ArrowType::Float64 => values::<Float64Type>(array),
        ArrowType::Timestamp(TimeUnit::Second, _) => values::<TimestampSecondType>(array),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => values::<TimestampMillisecondType>(array),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => values::<TimestampMicrosecondType>(array),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => values::<TimestampNanosecondType>(array),
        ArrowType::Decimal128(_, _) => values::<Decimal128Type>(array),
        _ => None,
    }
}

/// Offsets and bytes of a variable-width array; the offsets point into the bytes and start anywhere.
pub(crate) fn variable_values(array: &dyn Array) -> Option<(&[i32], &[u8])> {
    match array.data_type() {
        ArrowType::Binary => array.as_binary_opt::<i32>().map(|array| (array.value_offsets(), array.value_data())),
        ArrowType::Utf8 => array.as_string_opt::<i32>().map(|array| (array.value_offsets(), array.value_data())),
        _ => None,
    }
}

/// Bytes of the cells of some rows, with offsets where the layout has them.
pub(crate) fn cell_bytes(array: &dyn Array, rows: std::ops::Range<usize>) -> usize {
    match Layout::of(array.data_type()) {
        Layout::Bits => rows.len().div_ceil(8),
        Layout::Fixed(width) => rows.len() * width,
        Layout::Variable => variable_values(array).map_or(0, |(offsets, _)| (offsets[rows.end] - offsets[rows.start]) as usize + 4 * rows.len()),
    }
}

/// A composite key's value, ordered within its type.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum KeyValue {
    /// INT and BIGINT.
    Signed(i64),
    /// INT UNSIGNED and BIGINT UNSIGNED.
    Unsigned(u64),
    /// VARCHAR, by bytes.
    Bytes(Box<[u8]>),
}

impl KeyValue {
    /// The key of a row; `None` for types that are no key.
    pub(crate) fn at(array: &dyn Array, row: usize) -> Option<Self> {
        Some(match array.data_type() {
            ArrowType::Int32 => Self::Signed(array.as_primitive_opt::<Int32Type>()?.value(row).into()),
            ArrowType::Int64 => Self::Signed(array.as_primitive_opt::<Int64Type>()?.value(row)),
            ArrowType::UInt32 => Self::Unsigned(array.as_primitive_opt::<UInt32Type>()?.value(row).into()),
            ArrowType::UInt64 => Self::Unsigned(array.as_primitive_opt::<UInt64Type>()?.value(row)),
            _ => {
                let (offsets, bytes) = variable_values(array)?;
                Self::Bytes(bytes[offsets[row] as usize..offsets[row + 1] as usize].into())
            }
        })
    }
}

/// Order of two composite keys of one type.
pub(crate) fn compare_keys(left: &dyn Array, left_row: usize, right: &dyn Array, right_row: usize) -> Ordering {
    fn primitive<T: ArrowPrimitiveType<Native: Ord>>(left: &dyn Array, left_row: usize, right: &dyn Array, right_row: usize) -> Option<Ordering> {
        Some(left.as_primitive_opt::<T>()?.value(left_row).cmp(&right.as_primitive_opt::<T>()?.value(right_row)))
    }
    let order = match left.data_type() {
        ArrowType::Int32 => primitive::<Int32Type>(left, left_row, right, right_row),
        ArrowType::Int64 => primitive::<Int64Type>(left, left_row, right, right_row),
        ArrowType::UInt32 => primitive::<UInt32Type>(left, left_row, right, right_row),
        ArrowType::UInt64 => primitive::<UInt64Type>(left, left_row, right, right_row),
        _ => variable_values(left).zip(variable_values(right)).map(|((left_offsets, left_bytes), (right_offsets, right_bytes))| {
            let left = &left_bytes[left_offsets[left_row] as usize..left_offsets[left_row + 1] as usize];
            left.cmp(&right_bytes[right_offsets[right_row] as usize..right_offsets[right_row + 1] as usize])
        }),
    };
    order.unwrap_or(Ordering::Equal)
}

/// Order of two rows by (timestamp, key).
pub(crate) fn compare_rows(left: (&[i64], Option<&ArrayRef>, usize), right: (&[i64], Option<&ArrayRef>, usize)) -> Ordering {
    left.0[left.2].cmp(&right.0[right.2]).then_with(|| match (left.1, right.1) {
        (Some(left_key), Some(right_key)) => compare_keys(left_key, left.2, right_key, right.2),
        _ => Ordering::Equal,
    })
}
