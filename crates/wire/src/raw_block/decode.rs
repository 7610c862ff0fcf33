//! Raw blocks into Arrow arrays. Any bytes may come in: every length is checked before it is believed.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BooleanArray, Decimal128Array, NullArray, PrimitiveArray,
    builder::{BinaryBuilder, StringBuilder},
    types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use embudo_types::{DataType, Error, Precision, Result, code};

/// Bytes of a column's values, together; Arrow's offsets end at 2 GiB.
const LARGEST_COLUMN: usize = 1 << 30;

/// What a block holds.
#[derive(Debug)]
pub struct Block {
    /// Rows of every column.
    pub rows: usize,
    /// Type and values of each column; lengths of variable types are user lengths.
    pub columns: Vec<(DataType, ArrayRef)>,
    /// Bytes of the block up to the last column's end; a trailing zero may follow.
    pub used: usize,
}

/// Reads one block; its timestamps are in `precision`.
pub fn decode(bytes: &[u8], precision: Precision) -> Result<Block> {
    let mut input = Input { bytes, at: 0 };
    let _version = input.int()?;
    let _total = input.int()?;
    let (rows, columns) = (input.size()?, input.size()?);
    input.take(12)?;
    let schema = (0..columns).map(|_| read_type(&mut input)).collect::<Result<Vec<_>>>()?;
    let lengths = schema.iter().map(|_| input.size()).collect::<Result<Vec<_>>>()?;
    let mut arrays = Vec::with_capacity(schema.len());
    for (data_type, length) in schema.into_iter().zip(lengths) {
        let array = if data_type.is_variable() {
            read_variable(data_type, rows, length, &mut input)?
        } else {
            read_fixed(data_type, precision, rows, length, &mut input)?
        };
        arrays.push((data_type, array));
    }
    Ok(Block { rows, columns: arrays, used: input.at })
}

fn broken(what: &str) -> Error {
    Error::with(code::INVALID_MESSAGE, format!("{}: {what} in a raw block", code::INVALID_MESSAGE.text()))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or_else(|| broken("too few bytes"))?;
        self.at += length;
        Ok(taken)
    }

    fn int(&mut self) -> Result<i32> {
        self.take(4).map(|bytes| i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn size(&mut self) -> Result<usize> {
        usize::try_from(self.int()?).map_err(|_| broken("a negative length"))
    }
}

fn read_type(input: &mut Input<'_>) -> Result<DataType> {
    let id = input.take(1)?[0];
    let storage = input.int()?;
    // Three bytes of a decimal's storage are its width, precision and scale.
    let [scale, digits, ..] = storage.to_le_bytes();
    let user = (storage.max(0) as u32).saturating_sub(2);
    Ok(match id {
        10 => DataType::NChar(user / 4),
        17 | 21 if digits == 0 || digits > 38 || scale > digits || (id == 21 && digits > 18) => return Err(broken("an impossible decimal")),
        17 | 21 => DataType::Decimal(digits, scale),
        _ => DataType::from_id(id, user)?,
    })
}

fn read_fixed(data_type: DataType, precision: Precision, rows: usize, length: usize, input: &mut Input<'_>) -> Result<ArrayRef> {
    let bitmap = input.take(rows.div_ceil(8))?;
    let values = input.take(length)?;
    let width = data_type.length() as usize;
    if length != rows.checked_mul(width).ok_or_else(|| broken("too many rows"))? {
        return Err(broken("a column of the wrong length"));
    }
    let nulls = read_bitmap(bitmap, rows);
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Bool => Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| values[row] != 0), nulls)),
        DataType::TinyInt => primitive::<Int8Type>(values, nulls),
        DataType::SmallInt => primitive::<Int16Type>(values, nulls),
        DataType::Int => primitive::<Int32Type>(values, nulls),
        DataType::BigInt => primitive::<Int64Type>(values, nulls),
        DataType::UTinyInt => primitive::<UInt8Type>(values, nulls),
        DataType::USmallInt => primitive::<UInt16Type>(values, nulls),
        DataType::UInt => primitive::<UInt32Type>(values, nulls),
        DataType::UBigInt => primitive::<UInt64Type>(values, nulls),
        DataType::Float => primitive::<Float32Type>(values, nulls),
        DataType::Double => primitive::<Float64Type>(values, nulls),
        DataType::Timestamp => match precision {
            Precision::Milli => primitive::<TimestampMillisecondType>(values, nulls),
            Precision::Micro => primitive::<TimestampMicrosecondType>(values, nulls),
            Precision::Nano => primitive::<TimestampNanosecondType>(values, nulls),
        },
        DataType::Decimal(digits, scale) => {
            let value = |bytes: &[u8]| {
                // Sign-extended to 16 bytes.
                let mut wide = [if bytes[width - 1] & 0x80 == 0 { 0 } else { 0xFF }; 16];
                wide[..width].copy_from_slice(bytes);
                i128::from_le_bytes(wide)
            };
            let array = Decimal128Array::new(values.chunks_exact(width).map(value).collect(), nulls);
            Arc::new(array.with_precision_and_scale(digits, scale as i8).map_err(Error::internal)?)
        }
        _ => return Err(broken("an unknown type")),
    })
}

/// Copies values as they lie; Arrow wants them aligned.
fn primitive<T: ArrowPrimitiveType>(bytes: &[u8], nulls: Option<NullBuffer>) -> ArrayRef {
    let mut aligned = MutableBuffer::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    let length = bytes.len() / size_of::<T::Native>();
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(aligned.into(), 0, length), nulls))
}

fn read_bitmap(bitmap: &[u8], rows: usize) -> Option<NullBuffer> {
    if bitmap.iter().all(|&byte| byte == 0) {
        return None;
    }
    let valid: Vec<u8> = bitmap.iter().map(|byte| !byte.reverse_bits()).collect();
    Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(valid), 0, rows)))
}

fn read_variable(data_type: DataType, rows: usize, length: usize, input: &mut Input<'_>) -> Result<ArrayRef> {
    let offsets = input.take(rows.checked_mul(4).ok_or_else(|| broken("too many rows"))?)?;
    let area = input.take(length)?;
    let wide = matches!(data_type, DataType::Blob | DataType::MediumBlob);
    let values = offsets.as_chunks::<4>().0.iter().map(|offset| match usize::try_from(i32::from_le_bytes(*offset)) {
        // Any negative offset means NULL; -1 is what is written.
        Err(_) => Ok(None),
        Ok(at) => value(area, at, wide).map(Some),
    });
    // Rows may share a value, so what they need together is bounded by nothing in the block.
    let mut total = 0;
    let values = values.map(|value: Result<Option<&[u8]>>| {
        let value = value?;
        total += value.map_or(0, <[u8]>::len);
        if total > LARGEST_COLUMN { Err(broken("a column of more than 1 GiB")) } else { Ok(value) }
    });
    if matches!(data_type, DataType::NChar(_) | DataType::Json) {
        let mut builder = StringBuilder::new();
        for value in values {
            match value? {
                None => builder.append_null(),
                Some(bytes) if data_type == DataType::Json => builder.append_value(String::from_utf8_lossy(bytes)),
                Some(bytes) => builder.append_value(utf32(bytes)?),
            }
        }
        return Ok(Arc::new(builder.finish()));
    }
    let mut builder = BinaryBuilder::new();
    for value in values {
        builder.append_option(value?);
    }
    Ok(Arc::new(builder.finish()))
}

fn value(area: &[u8], at: usize, wide: bool) -> Result<&[u8]> {
    let mut input = Input { bytes: area, at };
    let length = if wide {
        input.size()?
    } else {
        let bytes = input.take(2)?;
        usize::from(u16::from_le_bytes([bytes[0], bytes[1]]))
    };
    input.take(length)
}

/// Text from 4-byte code units; what is no character becomes U+FFFD.
fn utf32(bytes: &[u8]) -> Result<String> {
    let (units, rest) = bytes.as_chunks::<4>();
    if !rest.is_empty() {
        return Err(broken("a torn character"));
    }
    Ok(units.iter().map(|unit| char::from_u32(u32::from_le_bytes(*unit)).unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
