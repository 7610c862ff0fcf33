//! Values and arrays into each other, for every type.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, NullArray, PrimitiveArray, StringArray, TimestampMicrosecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
    cast::AsArray,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use embudo_types::{DataType, Error, Precision, Result, Value};

/// An argument of a kernel: a cell a row, or one value for every row.
#[derive(Clone, Debug)]
pub(crate) enum Datum {
    /// One cell a row.
    Array(ArrayRef),
    /// The same value in every row; of the bound type, or `Null`.
    Scalar(Value),
}

impl Datum {
    /// The array of `rows` cells.
    pub(crate) fn into_array(self, data_type: DataType, precision: Precision, rows: usize) -> Result<ArrayRef> {
        match self {
            Self::Array(array) => Ok(array),
            Self::Scalar(value) => repeat(&value, data_type, precision, rows),
        }
    }
}

/// The cell of `array` at `row` as a value of `data_type`.
pub fn value_at(array: &dyn Array, data_type: DataType, row: usize) -> Value {
    if array.is_null(row) || data_type == DataType::Null {
        return Value::Null;
    }
    match data_type {
        DataType::Null => Value::Null,
        DataType::Bool => Value::Bool(array.as_boolean().value(row)),
        DataType::TinyInt => Value::TinyInt(array.as_primitive::<Int8Type>().value(row)),
        DataType::SmallInt => Value::SmallInt(array.as_primitive::<Int16Type>().value(row)),
        DataType::Int => Value::Int(array.as_primitive::<Int32Type>().value(row)),
        DataType::BigInt => Value::BigInt(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        DataType::Double => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp => Value::Timestamp(ticks(array).get(row).copied().unwrap_or_default()),
        DataType::UTinyInt => Value::UTinyInt(array.as_primitive::<UInt8Type>().value(row)),
        DataType::USmallInt => Value::USmallInt(array.as_primitive::<UInt16Type>().value(row)),
        DataType::UInt => Value::UInt(array.as_primitive::<UInt32Type>().value(row)),
        DataType::UBigInt => Value::UBigInt(array.as_primitive::<UInt64Type>().value(row)),
        DataType::NChar(_) => Value::NChar(array.as_string::<i32>().value(row).to_owned()),
        DataType::Json => Value::Json(array.as_string::<i32>().value(row).to_owned()),
        DataType::Varchar(_) => Value::Varchar(array.as_binary::<i32>().value(row).to_vec()),
        DataType::VarBinary(_) => Value::VarBinary(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Geometry(_) => Value::Geometry(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Blob | DataType::MediumBlob => Value::Blob(array.as_binary::<i32>().value(row).to_vec()),
        DataType::Decimal(precision, scale) => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row), precision, scale),
    }
}

/// The ticks of a timestamp array of any precision; empty where it is none.
pub(crate) fn ticks(array: &dyn Array) -> &[i64] {
    if let Some(array) = array.as_any().downcast_ref::<TimestampMillisecondArray>() {
        array.values()
    } else if let Some(array) = array.as_any().downcast_ref::<TimestampMicrosecondArray>() {
        array.values()
    } else if let Some(array) = array.as_any().downcast_ref::<TimestampNanosecondArray>() {
        array.values()
    } else if let Some(array) = array.as_any().downcast_ref::<PrimitiveArray<Int64Type>>() {
        array.values()
    } else {
        &[]
    }
}

/// A timestamp array of ticks.
pub(crate) fn timestamp_array(values: ScalarBuffer<i64>, nulls: Option<NullBuffer>, precision: Precision) -> ArrayRef {
    match precision {
        Precision::Milli => Arc::new(PrimitiveArray::<TimestampMillisecondType>::new(values, nulls)),
        Precision::Micro => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(values, nulls)),
        Precision::Nano => Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(values, nulls)),
    }
}

/// An array of `data_type` with `rows` times the same value.
pub fn repeat(value: &Value, data_type: DataType, precision: Precision, rows: usize) -> Result<ArrayRef> {
    macro_rules! primitive {
        ($variant:ident, $arrow:ty) => {{
            let Value::$variant(value) = value else { return Err(mismatch(value, data_type)) };
            Arc::new(PrimitiveArray::<$arrow>::new(ScalarBuffer::from(vec![*value; rows]), None))
        }};
    }
    if value.is_null() {
        return Ok(arrow_array::new_null_array(&embudo_types::arrow::arrow_type(data_type, precision), rows));
    }
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Bool => {
            let Value::Bool(value) = value else { return Err(mismatch(value, data_type)) };
            Arc::new(BooleanArray::from(vec![*value; rows]))
        }
        DataType::TinyInt => primitive!(TinyInt, Int8Type),
        DataType::SmallInt => primitive!(SmallInt, Int16Type),
        DataType::Int => primitive!(Int, Int32Type),
        DataType::BigInt => primitive!(BigInt, Int64Type),
        DataType::Float => primitive!(Float, Float32Type),
        DataType::Double => primitive!(Double, Float64Type),
        DataType::UTinyInt => primitive!(UTinyInt, UInt8Type),
        DataType::USmallInt => primitive!(USmallInt, UInt16Type),
        DataType::UInt => primitive!(UInt, UInt32Type),
        DataType::UBigInt => primitive!(UBigInt, UInt64Type),
        DataType::Timestamp => {
            let Value::Timestamp(value) = value else { return Err(mismatch(value, data_type)) };
            timestamp_array(ScalarBuffer::from(vec![*value; rows]), None, precision)
        }
        DataType::Decimal(..) => array_of_values(&vec![value.clone(); rows], data_type, precision)?,
        _ => {
            let bytes = bytes_of(value).ok_or_else(|| mismatch(value, data_type))?;
            if matches!(data_type, DataType::NChar(_) | DataType::Json) {
                let text = std::str::from_utf8(bytes).map_err(|_| mismatch(value, data_type))?;
                Arc::new(StringArray::from_iter_values(std::iter::repeat_n(text, rows)))
            } else {
                Arc::new(BinaryArray::from_iter_values(std::iter::repeat_n(bytes, rows)))
            }
        }
    })
}

/// The bytes of a value of variable length.
pub(crate) fn bytes_of(value: &Value) -> Option<&[u8]> {
    match value {
        Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => Some(bytes),
        Value::NChar(text) | Value::Json(text) => Some(text.as_bytes()),
        _ => None,
    }
}

fn mismatch(value: &Value, data_type: DataType) -> Error {
    Error::internal(format!("value of type {} where {data_type} is due", value.data_type()))
}

/// An array of `data_type` from values of that type or NULL.
pub fn array_of_values(values: &[Value], data_type: DataType, precision: Precision) -> Result<ArrayRef> {
    fn primitive<T: ArrowPrimitiveType>(values: &[Value], data_type: DataType, get: impl Fn(&Value) -> Option<T::Native>) -> Result<PrimitiveArray<T>> {
        let cell = |value: &Value| if value.is_null() { Ok(None) } else { get(value).map(Some).ok_or_else(|| mismatch(value, data_type)) };
        values.iter().map(cell).collect()
    }
    macro_rules! primitive {
        ($variant:ident, $arrow:ty) => {
            Arc::new(primitive::<$arrow>(values, data_type, |value| if let Value::$variant(value) = value { Some(*value) } else { None })?)
        };
    }
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Bool => {
            let cell = |value: &Value| match value {
                Value::Null => Ok(None),
                Value::Bool(value) => Ok(Some(*value)),
                other => Err(mismatch(other, data_type)),
            };
            Arc::new(values.iter().map(cell).collect::<Result<BooleanArray>>()?)
        }
        DataType::TinyInt => primitive!(TinyInt, Int8Type),
        DataType::SmallInt => primitive!(SmallInt, Int16Type),
        DataType::Int => primitive!(Int, Int32Type),
        DataType::BigInt => primitive!(BigInt, Int64Type),
        DataType::Float => primitive!(Float, Float32Type),
        DataType::Double => primitive!(Double, Float64Type),
        DataType::UTinyInt => primitive!(UTinyInt, UInt8Type),
        DataType::USmallInt => primitive!(USmallInt, UInt16Type),
        DataType::UInt => primitive!(UInt, UInt32Type),
        DataType::UBigInt => primitive!(UBigInt, UInt64Type),
        DataType::Timestamp => {
            let array: PrimitiveArray<Int64Type> = primitive(values, data_type, |value| if let Value::Timestamp(value) = value { Some(*value) } else { None })?;
            let (_, values, nulls) = array.into_parts();
            timestamp_array(values, nulls, precision)
        }
        DataType::Decimal(digits, scale) => {
            let array: Decimal128Array = primitive(values, data_type, |value| if let Value::Decimal(value, ..) = value { Some(*value) } else { None })?;
            Arc::new(array.with_precision_and_scale(digits, scale as i8).map_err(|source| Error::internal("decimal").caused_by(source))?)
        }
        DataType::NChar(_) | DataType::Json => {
            let mut builder = StringBuilder::new();
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    other => builder.append_value(bytes_of(other).and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(|| mismatch(other, data_type))?),
                }
            }
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = BinaryBuilder::new();
            for value in values {
                match value {
                    Value::Null => builder.append_null(),
                    other => builder.append_value(bytes_of(other).ok_or_else(|| mismatch(other, data_type))?),
                }
            }
            Arc::new(builder.finish())
        }
    })
}
