//! Cells of any type as keys and as hashes, for what counts distinct values.

use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, cast::AsArray};
use embudo_types::{DataType, Result};

use crate::convert::TextColumn;
use crate::datum::ticks;

/// A cell by its value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// NULL.
    Null,
    /// Anything of up to eight bytes; zeros of floats are one.
    Bits(u64),
    /// The rest.
    Bytes(Box<[u8]>),
}

impl Key {
    /// Bytes that an entry of a table takes under this key, with a value or two beside it.
    pub fn entry_bytes(&self) -> usize {
        const ENTRY: usize = 160;
        match self {
            Self::Null | Self::Bits(_) => ENTRY,
            // Once as the key, once as the value.
            Self::Bytes(bytes) => ENTRY + 2 * bytes.len(),
        }
    }
}

/// Calls `visit` with row and key of each cell in `start..end`.
pub(super) fn keys(array: &ArrayRef, data_type: DataType, start: usize, end: usize, mut visit: impl FnMut(usize, Key) -> Result<()>) -> Result<()> {
    macro_rules! bits {
        ($values:expr, $bits:expr) => {{
            let (values, bits) = ($values, $bits);
            for row in start..end {
                visit(row, if array.is_null(row) { Key::Null } else { Key::Bits(bits(values[row])) })?;
            }
        }};
    }
    match data_type {
        DataType::TinyInt => bits!(array.as_primitive::<Int8Type>().values(), |value| i64::from(value) as u64),
        DataType::SmallInt => bits!(array.as_primitive::<Int16Type>().values(), |value| i64::from(value) as u64),
        DataType::Int => bits!(array.as_primitive::<Int32Type>().values(), |value| i64::from(value) as u64),
        DataType::BigInt => bits!(array.as_primitive::<Int64Type>().values(), |value| value as u64),
        DataType::UTinyInt => bits!(array.as_primitive::<UInt8Type>().values(), u64::from),
        DataType::USmallInt => bits!(array.as_primitive::<UInt16Type>().values(), u64::from),
        DataType::UInt => bits!(array.as_primitive::<UInt32Type>().values(), u64::from),
        DataType::UBigInt => bits!(array.as_primitive::<UInt64Type>().values(), |value| value),
        DataType::Float => bits!(array.as_primitive::<Float32Type>().values(), |value: f32| (f64::from(value) + 0.0).to_bits()),
        DataType::Double => bits!(array.as_primitive::<Float64Type>().values(), |value: f64| (value + 0.0).to_bits()),
        DataType::Timestamp => bits!(ticks(array), |value| value as u64),
        DataType::Bool => {
            let values = array.as_boolean();
            for row in start..end {
                visit(row, if array.is_null(row) { Key::Null } else { Key::Bits(u64::from(values.value(row))) })?;
            }
        }
        DataType::Null => {
            for row in start..end {
                visit(row, Key::Null)?;
            }
        }
        DataType::Decimal(..) => {
            let values = array.as_primitive::<Decimal128Type>().values();
            for row in start..end {
                visit(row, if array.is_null(row) { Key::Null } else { Key::Bytes(values[row].to_le_bytes().into()) })?;
            }
        }
        _ => {
            let column = TextColumn::new(array)?;
            for row in start..end {
                visit(row, column.get(row).map_or(Key::Null, |cell| Key::Bytes(cell.into())))?;
            }
        }
    }
    Ok(())
}

/// A 64-bit hash of a key, the same in every process (finalizer of `MurmurHash3` over eight bytes at a time).
pub(super) fn hash(key: &Key) -> u64 {
    match key {
        Key::Null => 0,
        Key::Bits(bits) => mix(*bits),
        Key::Bytes(bytes) => bytes.chunks(8).fold(mix(bytes.len() as u64), |state, chunk| {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            mix(state.rotate_left(25) ^ u64::from_le_bytes(word))
        }),
    }
}

fn mix(mut word: u64) -> u64 {
    word = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    word = (word ^ (word >> 33)).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
    word = (word ^ (word >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
    word ^ (word >> 33)
}
