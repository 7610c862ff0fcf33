//! Rows as byte strings that compare, hash and equal as their cells do: one form for GROUP BY, DISTINCT, joins and ORDER BY.
//!
//! A cell is a marker byte (0 NULL first, 1 value, 2 NULL last) and, of a value, bytes whose unsigned order is the values' order:
//! integers big-endian with the sign bit turned, floats likewise, byte strings with 0 escaped as 0 255 and ended by 0 0.
//! DESC inverts every byte of the value. `-0.0` equals `0.0`, every NaN equals every other and sorts last.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, TimeUnit};
use embudo_types::{Error, Result};

/// Order of one key column.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeyOrder {
    /// DESC.
    pub descending: bool,
    /// NULLs before values.
    pub nulls_first: bool,
}

/// Keys of the rows of a batch.
#[derive(Default)]
pub(crate) struct RowKeys {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl RowKeys {
    /// The keys of `rows` rows over key columns; without orders they serve equality only.
    pub(crate) fn encode(columns: &[ArrayRef], orders: &[KeyOrder], rows: usize) -> Result<Self> {
        let mut cells = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            cells.push(Self::encode_column(column, orders.get(at).copied().unwrap_or_default())?);
        }
        if let [only] = &mut cells[..] {
            return Ok(std::mem::take(only));
        }
        let mut keys = Self { bytes: Vec::with_capacity(cells.iter().map(|cells| cells.bytes.len()).sum()), ends: Vec::with_capacity(rows) };
        for row in 0..rows {
            for cells in &cells {
                keys.bytes.extend_from_slice(cells.get(row));
            }
            keys.ends.push(keys.bytes.len());
        }
        Ok(keys)
    }

    /// The key of a row.
    pub(crate) fn get(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    fn encode_column(column: &ArrayRef, order: KeyOrder) -> Result<Self> {
        let rows = column.len();
        let mut keys = Self { bytes: Vec::with_capacity(rows * 9), ends: Vec::with_capacity(rows) };
        let null = if order.nulls_first { 0 } else { 2 };
        let nulls = column.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        macro_rules! cells {
            ($array:expr, $encode:expr) => {
                for row in 0..rows {
                    if is_null(row) {
                        keys.bytes.push(null);
                    } else {
                        keys.bytes.push(1);
                        let start = keys.bytes.len();
                        $encode($array.value(row), &mut keys.bytes);
                        if order.descending {
                            keys.bytes[start..].iter_mut().for_each(|byte| *byte = !*byte);
                        }
                    }
                    keys.ends.push(keys.bytes.len());
                }
            };
        }
        match column.data_type() {
            DataType::Null => {
                for row in 0..rows {
                    keys.bytes.push(null);
                    keys.ends.push(row + 1);
                }
            }
            DataType::Boolean => cells!(column.as_boolean(), |value, out: &mut Vec<u8>| out.push(u8::from(value))),
            DataType::Binary => cells!(column.as_binary::<i32>(), escape),
            DataType::Utf8 => cells!(column.as_string::<i32>(), |value: &str, out: &mut Vec<u8>| escape(value.as_bytes(), out)),
            DataType::Float32 => cells!(column.as_primitive::<Float32Type>(), |value: f32, out: &mut Vec<u8>| {
                let value = if value == 0.0 {
                    0.0
                } else if value.is_nan() {
                    f32::NAN
                } else {
                    value
                };
                let bits = value.to_bits();
                out.extend_from_slice(&(if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }).to_be_bytes());
            }),
            DataType::Float64 => cells!(column.as_primitive::<Float64Type>(), |value: f64, out: &mut Vec<u8>| {
                let value = if value == 0.0 {
                    0.0
                } else if value.is_nan() {
                    f64::NAN
                } else {
                    value
                };
                let bits = value.to_bits();
                out.extend_from_slice(&(if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }).to_be_bytes());
            }),
            DataType::Int8 => cells!(column.as_primitive::<Int8Type>(), Integer::append),
            DataType::Int16 => cells!(column.as_primitive::<Int16Type>(), Integer::append),
            DataType::Int32 => cells!(column.as_primitive::<Int32Type>(), Integer::append),
            DataType::Int64 => cells!(column.as_primitive::<Int64Type>(), Integer::append),
            DataType::UInt8 => cells!(column.as_primitive::<UInt8Type>(), Integer::append),
            DataType::UInt16 => cells!(column.as_primitive::<UInt16Type>(), Integer::append),
            DataType::UInt32 => cells!(column.as_primitive::<UInt32Type>(), Integer::append),
            DataType::UInt64 => cells!(column.as_primitive::<UInt64Type>(), Integer::append),
            DataType::Decimal128(..) => cells!(column.as_primitive::<Decimal128Type>(), Integer::append),
            DataType::Timestamp(TimeUnit::Millisecond, _) => cells!(column.as_primitive::<TimestampMillisecondType>(), Integer::append),
            DataType::Timestamp(TimeUnit::Microsecond, _) => cells!(column.as_primitive::<TimestampMicrosecondType>(), Integer::append),
            DataType::Timestamp(TimeUnit::Nanosecond, _) => cells!(column.as_primitive::<TimestampNanosecondType>(), Integer::append),
            other => return Err(Error::internal(format!("{other} is no key"))),
        }
        Ok(keys)
    }
}

fn escape(value: &[u8], out: &mut Vec<u8>) {
    for &byte in value {
        out.push(byte);
        if byte == 0 {
            out.push(255);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// Integers in bytes whose order is theirs.
trait Integer {
    fn append(self, out: &mut Vec<u8>);
}

macro_rules! signed {
    ($($type:ty),*) => { $(impl Integer for $type {
        fn append(self, out: &mut Vec<u8>) {
            out.extend_from_slice(&(self ^ <$type>::MIN).to_be_bytes());
        }
    })* };
}
macro_rules! unsigned {
    ($($type:ty),*) => { $(impl Integer for $type {
        fn append(self, out: &mut Vec<u8>) {
            out.extend_from_slice(&self.to_be_bytes());
        }
    })* };
}
signed!(i8, i16, i32, i64, i128);
unsigned!(u8, u16, u32, u64);

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, Float64Array, Int16Array};
    use proptest::prelude::*;
    use std::cmp::Ordering;
    use std::sync::Arc;

    fn value_order<T>(a: Option<&T>, b: Option<&T>, order: KeyOrder, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
        let nulls = if order.nulls_first { Ordering::Less } else { Ordering::Greater };
        match (a, b) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => nulls,
            (Some(_), None) => nulls.reverse(),
            (Some(a), Some(b)) if order.descending => compare(b, a),
            (Some(a), Some(b)) => compare(a, b),
        }
    }

    proptest! {
        #[test]
        fn keys_order_as_cells_do(
            rows in prop::collection::vec((prop::option::of(any::<i16>()), prop::option::of(prop::num::f64::NORMAL | prop::num::f64::ZERO), prop::option::of(prop::collection::vec(0_u8..3, 0..4))), 2..12),
            descending in any::<[bool; 3]>(), nulls_first in any::<[bool; 3]>(),
        ) {
            let orders: Vec<KeyOrder> = (0..3).map(|at| KeyOrder { descending: descending[at], nulls_first: nulls_first[at] }).collect();
            let numbers: ArrayRef = Arc::new(rows.iter().map(|row| row.0).collect::<Int16Array>());
            let floats: ArrayRef = Arc::new(rows.iter().map(|row| row.1).collect::<Float64Array>());
            let bytes: ArrayRef = Arc::new(rows.iter().map(|row| row.2.as_deref()).collect::<BinaryArray>());
            let keys = RowKeys::encode(&[numbers, floats, bytes], &orders, rows.len()).unwrap();
            for a in 0..rows.len() {
                for b in 0..rows.len() {
                    let expected = value_order(rows[a].0.as_ref(), rows[b].0.as_ref(), orders[0], Ord::cmp)
                        .then(value_order(rows[a].1.as_ref(), rows[b].1.as_ref(), orders[1], |a, b| a.partial_cmp(b).unwrap()))
                        .then(value_order(rows[a].2.as_ref(), rows[b].2.as_ref(), orders[2], Ord::cmp));
                    prop_assert_eq!(keys.get(a).cmp(keys.get(b)), expected);
                }
            }
        }
    }
}
