//! Batches into raw blocks.

use arrow_array::RecordBatch;
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, PrimitiveArray,
    cast::AsArray,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::{NullBuffer, ToByteSlice};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{DataType, Error, Result, arrow, code};

use super::{FLAG_SCHEMA, HEADER_BYTES, JSON_STORAGE};

/// Version of blocks in answers to fetches.
pub const FETCH_VERSION: i32 = 1;
/// Version of blocks in subscriptions.
pub const SUBSCRIPTION_VERSION: i32 = 2;

const _: () = assert!(cfg!(target_endian = "little"), "values are copied as they lie in memory");

/// Appends a batch, whose fields are made by [`arrow::field`], as one block.
pub fn encode(batch: &RecordBatch, version: i32, out: &mut Vec<u8>) -> Result<()> {
    let start = out.len();
    let schema = batch.schema();
    let types = schema.fields().iter().map(|field| arrow::data_type(field)).collect::<Result<Vec<_>>>()?;
    let (rows, columns) = (length(batch.num_rows())?, length(batch.num_columns())?);
    for word in [version, 0, rows, columns, FLAG_SCHEMA as i32, 0, 0] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    for &data_type in &types {
        out.push(data_type.id());
        out.extend_from_slice(&storage(data_type).to_le_bytes());
    }
    let lengths = out.len();
    out.resize(lengths + 4 * types.len(), 0);
    for (at, (&data_type, array)) in types.iter().zip(batch.columns()).enumerate() {
        let bytes = if data_type.is_variable() { write_variable(data_type, array, out)? } else { write_fixed(data_type, array, out)? };
        out[lengths + 4 * at..][..4].copy_from_slice(&length(bytes)?.to_le_bytes());
    }
    if !types.contains(&DataType::Json) {
        out.push(0);
    }
    let total = length(out.len() - start)?;
    debug_assert!(out.len() - start >= HEADER_BYTES);
    out[start + 4..start + 8].copy_from_slice(&total.to_le_bytes());
    Ok(())
}

/// The bytes that a value of a type has in blocks, as `fetch` tells them.
pub fn storage_bytes(data_type: DataType) -> u32 {
    match data_type {
        DataType::Json => JSON_STORAGE as u32,
        other => other.storage_length(),
    }
}

/// The bytes of a type in a block's schema; a decimal's are width, precision and scale.
fn storage(data_type: DataType) -> i32 {
    match data_type {
        DataType::Json => JSON_STORAGE,
        DataType::Decimal(precision, scale) => (data_type.length() as i32) << 24 | i32::from(precision) << 8 | i32::from(scale),
        other => other.storage_length() as i32,
    }
}

fn length(number: usize) -> Result<i32> {
    i32::try_from(number).map_err(|_| Error::with(code::OUT_OF_RANGE, "a block of 2 GiB or more"))
}

fn wrong(data_type: DataType, array: &ArrayRef) -> Error {
    Error::internal(format!("a column of type {data_type} came as Arrow's {}", array.data_type()))
}

/// Bitmap and values; gives the bytes of the values.
fn write_fixed(data_type: DataType, array: &ArrayRef, out: &mut Vec<u8>) -> Result<usize> {
    write_bitmap(array, out);
    let start = out.len();
    let written = match data_type {
        _ if *array.data_type() == ArrowType::Null => {
            out.resize(start + array.len() * data_type.length() as usize, 0);
            Some(())
        }
        DataType::Bool => array.as_boolean_opt().map(|array| out.extend(array.values().iter().map(u8::from))),
        DataType::TinyInt => copy::<Int8Type>(array, out),
        DataType::SmallInt => copy::<Int16Type>(array, out),
        DataType::Int => copy::<Int32Type>(array, out),
        DataType::BigInt => copy::<Int64Type>(array, out),
        DataType::UTinyInt => copy::<UInt8Type>(array, out),
        DataType::USmallInt => copy::<UInt16Type>(array, out),
        DataType::UInt => copy::<UInt32Type>(array, out),
        DataType::UBigInt => copy::<UInt64Type>(array, out),
        DataType::Float => copy::<Float32Type>(array, out),
        DataType::Double => copy::<Float64Type>(array, out),
        DataType::Timestamp => match array.data_type() {
            ArrowType::Timestamp(TimeUnit::Millisecond, _) => copy::<TimestampMillisecondType>(array, out),
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => copy::<TimestampMicrosecondType>(array, out),
            ArrowType::Timestamp(TimeUnit::Nanosecond, _) => copy::<TimestampNanosecondType>(array, out),
            _ => None,
        },
        DataType::Decimal(precision, _) if precision > 18 => copy::<Decimal128Type>(array, out),
        DataType::Decimal(..) => array.as_primitive_opt::<Decimal128Type>().map(|array| {
            // 18 digits always fit.
            out.extend(array.values().iter().flat_map(|&value| (value as i64).to_le_bytes()));
        }),
        _ => None,
    };
    written.ok_or_else(|| wrong(data_type, array))?;
    Ok(out.len() - start)
}

fn copy<T: ArrowPrimitiveType>(array: &ArrayRef, out: &mut Vec<u8>) -> Option<()> {
    let array = array.as_any().downcast_ref::<PrimitiveArray<T>>()?;
    out.extend_from_slice(array.values().as_ref().to_byte_slice());
    Some(())
}

/// Arrow marks values from the least significant bit on; a block marks NULLs from the most significant one on.
fn write_bitmap(array: &ArrayRef, out: &mut Vec<u8>) {
    let bytes = array.len().div_ceil(8);
    let Some(nulls) = array.logical_nulls() else { return out.resize(out.len() + bytes, 0) };
    let valid = nulls.inner().sliced();
    out.extend(valid.as_slice()[..bytes].iter().map(|byte| !byte.reverse_bits()));
    let tail = array.len() % 8;
    if tail > 0
        && let Some(last) = out.last_mut()
    {
        *last &= 0xFF << (8 - tail);
    }
}

/// Offsets and values; gives the bytes of the values.
fn write_variable(data_type: DataType, array: &ArrayRef, out: &mut Vec<u8>) -> Result<usize> {
    let nulls = array.logical_nulls();
    let offsets = out.len();
    out.resize(offsets + 4 * array.len(), 0xFF);
    let mut writer = ValueWriter { offsets, start: out.len(), nulls, out };
    if *array.data_type() == ArrowType::Null {
        return Ok(0);
    }
    if let Some(texts) = array.as_string_opt::<i32>() {
        for row in 0..texts.len() {
            writer.write(row, texts.value(row).as_bytes(), data_type)?;
        }
    } else if let Some(values) = array.as_binary_opt::<i32>() {
        for row in 0..values.len() {
            writer.write(row, values.value(row), data_type)?;
        }
    } else {
        return Err(wrong(data_type, array));
    }
    Ok(writer.out.len() - writer.start)
}

struct ValueWriter<'a> {
    /// Where the offsets stand in `out`, and the first value.
    offsets: usize,
    start: usize,
    nulls: Option<NullBuffer>,
    out: &'a mut Vec<u8>,
}

impl ValueWriter<'_> {
    fn write(&mut self, row: usize, value: &[u8], data_type: DataType) -> Result<()> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Ok(());
        }
        let offset = length(self.out.len() - self.start)?;
        self.out[self.offsets + 4 * row..][..4].copy_from_slice(&offset.to_le_bytes());
        let wide = matches!(data_type, DataType::Blob | DataType::MediumBlob);
        let at = self.out.len();
        self.out.resize(at + if wide { 4 } else { 2 }, 0);
        let first = self.out.len();
        if matches!(data_type, DataType::NChar(_)) {
            self.out.extend(String::from_utf8_lossy(value).chars().flat_map(|character| u32::from(character).to_le_bytes()));
        } else {
            self.out.extend_from_slice(value);
        }
        let bytes = self.out.len() - first;
        if wide {
            self.out[at..first].copy_from_slice(&length(bytes)?.to_le_bytes());
        } else {
            let bytes = u16::try_from(bytes).map_err(|_| Error::with(code::OUT_OF_RANGE, format!("a value of type {data_type} with {bytes} bytes")))?;
            self.out[at..first].copy_from_slice(&bytes.to_le_bytes());
        }
        Ok(())
    }
}
