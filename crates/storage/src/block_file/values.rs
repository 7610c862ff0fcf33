//! Single values in and out of arrays, for statistics. Values carry the type that their bytes show (an i64 is BIGINT); [`label`]
//! turns that into the column's.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, NullArray, UInt8Array,
    UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::DataType as ArrowType;
use embudo_codec::PhysicalType;
use embudo_types::{DataType, Value};

/// The plainest Arrow type that lies as `physical` does.
pub(crate) fn plain_type(physical: PhysicalType) -> ArrowType {
    match physical {
        PhysicalType::Null => ArrowType::Null,
        PhysicalType::Boolean => ArrowType::Boolean,
        PhysicalType::Int8 => ArrowType::Int8,
        PhysicalType::Int16 => ArrowType::Int16,
        PhysicalType::Int32 => ArrowType::Int32,
        PhysicalType::Int64 => ArrowType::Int64,
        PhysicalType::UInt8 => ArrowType::UInt8,
        PhysicalType::UInt16 => ArrowType::UInt16,
        PhysicalType::UInt32 => ArrowType::UInt32,
        PhysicalType::UInt64 => ArrowType::UInt64,
        PhysicalType::Float32 => ArrowType::Float32,
        PhysicalType::Float64 => ArrowType::Float64,
        PhysicalType::Decimal128 => ArrowType::Decimal128(38, 0),
        PhysicalType::Binary => ArrowType::Binary,
        PhysicalType::Utf8 => ArrowType::Utf8,
    }
}

/// The value of a cell of an array of a [`plain_type`].
pub(crate) fn plain_value(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        ArrowType::Boolean => Value::Bool(array.as_boolean().value(row)),
        ArrowType::Int8 => Value::TinyInt(array.as_primitive::<Int8Type>().value(row)),
        ArrowType::Int16 => Value::SmallInt(array.as_primitive::<Int16Type>().value(row)),
        ArrowType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row)),
        ArrowType::Int64 => Value::BigInt(array.as_primitive::<Int64Type>().value(row)),
        ArrowType::UInt8 => Value::UTinyInt(array.as_primitive::<UInt8Type>().value(row)),
        ArrowType::UInt16 => Value::USmallInt(array.as_primitive::<UInt16Type>().value(row)),
        ArrowType::UInt32 => Value::UInt(array.as_primitive::<UInt32Type>().value(row)),
        ArrowType::UInt64 => Value::UBigInt(array.as_primitive::<UInt64Type>().value(row)),
        ArrowType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        ArrowType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Decimal128(precision, scale) => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row), *precision, *scale as u8),
        ArrowType::Binary => Value::Varchar(array.as_binary::<i32>().value(row).to_vec()),
        ArrowType::Utf8 => Value::NChar(array.as_string::<i32>().value(row).to_owned()),
        _ => Value::Null,
    }
}

/// An array of the plain type out of values of that type; other values become NULL.
pub(crate) fn plain_array<'a>(physical: PhysicalType, values: impl ExactSizeIterator<Item = &'a Value>) -> ArrayRef {
    macro_rules! array {
        ($array:ty, $value:ident) => {
            Arc::new(
                values
                    .map(|value| match value {
                        Value::$value(value) => Some(*value),
                        _ => None,
                    })
                    .collect::<$array>(),
            )
        };
    }
    match physical {
        PhysicalType::Null => Arc::new(NullArray::new(values.len())),
        PhysicalType::Boolean => array!(BooleanArray, Bool),
        PhysicalType::Int8 => array!(Int8Array, TinyInt),
        PhysicalType::Int16 => array!(Int16Array, SmallInt),
        PhysicalType::Int32 => array!(Int32Array, Int),
        PhysicalType::Int64 => array!(Int64Array, BigInt),
        PhysicalType::UInt8 => array!(UInt8Array, UTinyInt),
        PhysicalType::UInt16 => array!(UInt16Array, USmallInt),
        PhysicalType::UInt32 => array!(UInt32Array, UInt),
        PhysicalType::UInt64 => array!(UInt64Array, UBigInt),
        PhysicalType::Float32 => array!(Float32Array, Float),
        PhysicalType::Float64 => array!(Float64Array, Double),
        PhysicalType::Decimal128 => {
            let decimals = values.map(|value| match value {
                Value::Decimal(value, ..) => Some(*value),
                _ => None,
            });
            Arc::new(decimals.collect::<Decimal128Array>().with_data_type(ArrowType::Decimal128(38, 0)))
        }
        PhysicalType::Binary => {
            let mut builder = BinaryBuilder::new();
            for value in values {
                builder.append_option(if let Value::Varchar(bytes) = value { Some(bytes) } else { None });
            }
            Arc::new(builder.finish())
        }
        PhysicalType::Utf8 => {
            let mut builder = StringBuilder::new();
            for value in values {
                builder.append_option(if let Value::NChar(text) = value { Some(text) } else { None });
            }
            Arc::new(builder.finish())
        }
    }
}

/// The value as one of the column's type.
pub(crate) fn label(value: Value, data_type: DataType) -> Value {
    match (value, data_type) {
        (Value::BigInt(ticks), DataType::Timestamp) => Value::Timestamp(ticks),
        (Value::Decimal(value, ..), DataType::Decimal(precision, scale)) => Value::Decimal(value, precision, scale),
        (Value::Varchar(bytes), DataType::VarBinary(_)) => Value::VarBinary(bytes),
        (Value::Varchar(bytes), DataType::Geometry(_)) => Value::Geometry(bytes),
        (Value::Varchar(bytes), DataType::Blob | DataType::MediumBlob) => Value::Blob(bytes),
        (Value::NChar(text), DataType::Json) => Value::Json(text),
        (value, _) => value,
    }
}
