//! One column's cells as JSON: the array's type is settled once a batch, then each cell is one match.

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, StringArray,
    cast::AsArray,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::NullBuffer;
use arrow_schema::TimeUnit;
use embudo_types::{DataType, Error, Result};

use super::{
    text::{write_hex, write_string},
    timestamp::TimestampWriter,
};
use crate::number::{write_decimal, write_double, write_integer, write_single};

/// The cells of one column of a batch.
pub struct Cells<'a> {
    nulls: Option<&'a NullBuffer>,
    values: Values<'a>,
}

enum Values<'a> {
    Null,
    Bool(&'a BooleanArray),
    Int8(&'a [i8]),
    Int16(&'a [i16]),
    Int32(&'a [i32]),
    Int64(&'a [i64]),
    UInt8(&'a [u8]),
    UInt16(&'a [u16]),
    UInt32(&'a [u32]),
    UInt64(&'a [u64]),
    Float(&'a [f32]),
    Double(&'a [f64]),
    Timestamp(&'a [i64]),
    Text(Bytes<'a>),
    /// Inserted as it is: JSON text.
    Json(Bytes<'a>),
    Hex(Bytes<'a>),
    Decimal(&'a Decimal128Array, u8),
}

/// Values of varying length.
enum Bytes<'a> {
    Binary(&'a BinaryArray),
    Utf8(&'a StringArray),
}

impl<'a> Bytes<'a> {
    fn value(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Binary(array) => array.value(row),
            Self::Utf8(array) => array.value(row).as_bytes(),
        }
    }
}

impl<'a> Cells<'a> {
    /// The cells of an array that holds values of `data_type` as [`embudo_types::arrow::arrow_type`] says.
    ///
    /// `epoch`: timestamps are written as numbers.
    pub fn new(data_type: DataType, array: &'a ArrayRef, epoch: bool) -> Result<Self> {
        let nulls = array.nulls();
        let values = values(data_type, array).map(|values| match values {
            Values::Timestamp(ticks) if epoch => Values::Int64(ticks),
            values => values,
        });
        let values = values.ok_or_else(|| Error::internal(format!("a column of type {data_type} came as Arrow's {}", array.data_type())))?;
        Ok(Self { nulls, values })
    }

    /// Appends one cell.
    #[inline]
    pub fn write(&self, row: usize, timestamps: &mut TimestampWriter, out: &mut Vec<u8>) {
        if self.nulls.is_some_and(|nulls| nulls.is_null(row)) {
            return out.extend_from_slice(b"null");
        }
        match &self.values {
            Values::Null => out.extend_from_slice(b"null"),
            Values::Bool(array) => out.extend_from_slice(if array.value(row) { b"true" } else { b"false" }),
            Values::Int8(values) => write_integer(values[row], out),
            Values::Int16(values) => write_integer(values[row], out),
            Values::Int32(values) => write_integer(values[row], out),
            Values::Int64(values) => write_integer(values[row], out),
            Values::UInt8(values) => write_integer(values[row], out),
            Values::UInt16(values) => write_integer(values[row], out),
            Values::UInt32(values) => write_integer(values[row], out),
            Values::UInt64(values) => write_integer(values[row], out),
            Values::Float(values) => write_single(values[row], out),
            Values::Double(values) => write_double(values[row], out),
            Values::Timestamp(values) => timestamps.write(values[row], out),
            Values::Text(bytes) => write_string(bytes.value(row), out),
            Values::Json(bytes) => out.extend_from_slice(bytes.value(row)),
            Values::Hex(bytes) => write_hex(bytes.value(row), out),
            Values::Decimal(array, scale) => {
                out.push(b'"');
                write_decimal(array.value(row), *scale, out);
                out.push(b'"');
            }
        }
    }
}

fn values(data_type: DataType, array: &ArrayRef) -> Option<Values<'_>> {
    if *array.data_type() == arrow_schema::DataType::Null {
        return Some(Values::Null);
    }
    Some(match data_type {
        // A value of no type is shown only where all of them are NULL.
        DataType::Null if array.null_count() == array.len() => Values::Null,
        DataType::Null => return None,
        DataType::Bool => Values::Bool(array.as_boolean_opt()?),
        DataType::TinyInt => Values::Int8(primitive::<Int8Type>(array)?),
        DataType::SmallInt => Values::Int16(primitive::<Int16Type>(array)?),
        DataType::Int => Values::Int32(primitive::<Int32Type>(array)?),
        DataType::BigInt => Values::Int64(primitive::<Int64Type>(array)?),
        DataType::UTinyInt => Values::UInt8(primitive::<UInt8Type>(array)?),
        DataType::USmallInt => Values::UInt16(primitive::<UInt16Type>(array)?),
        DataType::UInt => Values::UInt32(primitive::<UInt32Type>(array)?),
        DataType::UBigInt => Values::UInt64(primitive::<UInt64Type>(array)?),
        DataType::Float => Values::Float(primitive::<Float32Type>(array)?),
        DataType::Double => Values::Double(primitive::<Float64Type>(array)?),
        DataType::Timestamp => Values::Timestamp(ticks(array)?),
        DataType::Varchar(_) | DataType::NChar(_) => Values::Text(bytes(array)?),
        DataType::Json => Values::Json(bytes(array)?),
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => Values::Hex(bytes(array)?),
        DataType::Decimal(_, scale) => Values::Decimal(array.as_primitive_opt::<Decimal128Type>()?, scale),
    })
}

fn primitive<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<&[T::Native]> {
    array.as_any().downcast_ref::<PrimitiveArray<T>>().map(|array| array.values().as_ref())
}

/// The ticks of a timestamp array of any unit.
pub(crate) fn ticks(array: &ArrayRef) -> Option<&[i64]> {
    match array.data_type() {
        arrow_schema::DataType::Timestamp(TimeUnit::Millisecond, _) => primitive::<TimestampMillisecondType>(array),
        arrow_schema::DataType::Timestamp(TimeUnit::Microsecond, _) => primitive::<TimestampMicrosecondType>(array),
        arrow_schema::DataType::Timestamp(TimeUnit::Nanosecond, _) => primitive::<TimestampNanosecondType>(array),
        _ => None,
    }
}

fn bytes(array: &ArrayRef) -> Option<Bytes<'_>> {
    array.as_binary_opt::<i32>().map(Bytes::Binary).or_else(|| array.as_string_opt::<i32>().map(Bytes::Utf8))
}
