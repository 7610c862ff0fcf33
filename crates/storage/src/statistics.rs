//! Statistics of a column's cells, and single cells as values.

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_codec::PhysicalType;
use embudo_types::arrow::arrow_type;
use embudo_types::{ColumnStatistics, DataType, Precision, Value};

use crate::block_file::{label, statistics_of};
use crate::rows::BatchColumn;

/// Statistics of a column in time order, absent cells counted as NULL, by the same rules as a block's in a file; `None` where they are
/// better not kept or the array is not of the type.
pub(crate) fn column_statistics(timestamps: &[i64], column: &BatchColumn, data_type: DataType) -> Option<ColumnStatistics> {
    let expected = PhysicalType::of(&arrow_type(data_type, Precision::Milli)).ok()?;
    if PhysicalType::of(column.array.data_type()).ok()? != expected {
        return None;
    }
    statistics_of(timestamps, &column.array, column.present.as_ref()).map(|statistics| label(statistics, data_type))
}

/// A cell that is a value, as the value of a type; `None` if the array is not of that type.
pub(crate) fn cell(array: &dyn Array, row: usize, data_type: DataType) -> Option<Value> {
    fn primitive<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> Option<T::Native> {
        Some(array.as_primitive_opt::<T>()?.value(row))
    }
    let bytes = || array.as_binary_opt::<i32>().map(|array| array.value(row).to_vec());
    Some(match data_type {
        DataType::Null => Value::Null,
        DataType::Bool => Value::Bool(array.as_boolean_opt()?.value(row)),
        DataType::TinyInt => Value::TinyInt(primitive::<Int8Type>(array, row)?),
        DataType::SmallInt => Value::SmallInt(primitive::<Int16Type>(array, row)?),
        DataType::Int => Value::Int(primitive::<Int32Type>(array, row)?),
        DataType::BigInt => Value::BigInt(primitive::<Int64Type>(array, row)?),
        DataType::UTinyInt => Value::UTinyInt(primitive::<UInt8Type>(array, row)?),
        DataType::USmallInt => Value::USmallInt(primitive::<UInt16Type>(array, row)?),
        DataType::UInt => Value::UInt(primitive::<UInt32Type>(array, row)?),
        DataType::UBigInt => Value::UBigInt(primitive::<UInt64Type>(array, row)?),
        DataType::Float => Value::Float(primitive::<Float32Type>(array, row)?),
        DataType::Double => Value::Double(primitive::<Float64Type>(array, row)?),
        DataType::Timestamp => Value::Timestamp(match array.data_type() {
            ArrowType::Timestamp(TimeUnit::Millisecond, _) => primitive::<TimestampMillisecondType>(array, row)?,
            ArrowType::Timestamp(TimeUnit::Microsecond, _) => primitive::<TimestampMicrosecondType>(array, row)?,
            _ => primitive::<TimestampNanosecondType>(array, row)?,
        }),
        DataType::Varchar(_) => Value::Varchar(bytes()?),
        DataType::VarBinary(_) => Value::VarBinary(bytes()?),
        DataType::Geometry(_) => Value::Geometry(bytes()?),
        DataType::Blob | DataType::MediumBlob => Value::Blob(bytes()?),
        DataType::NChar(_) => Value::NChar(array.as_string_opt::<i32>()?.value(row).to_owned()),
        DataType::Json => Value::Json(array.as_string_opt::<i32>()?.value(row).to_owned()),
        DataType::Decimal(precision, scale) => Value::Decimal(primitive::<arrow_array::types::Decimal128Type>(array, row)?, precision, scale),
    })
}
