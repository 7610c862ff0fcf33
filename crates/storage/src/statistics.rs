//! Statistics of a column's cells, computed in one pass.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{ColumnStatistics, DataType, Value};

use crate::rows::BatchColumn;

/// Statistics of a column in time order, absent cells counted as NULL; `None` for an array that is not of the type.
pub(crate) fn column_statistics(timestamps: &[i64], column: &BatchColumn, data_type: DataType) -> Option<ColumnStatistics> {
    let array = &column.array;
    let is_value = |row: usize| array.is_valid(row) && column.present.as_ref().is_none_or(|present| present.value(row));
    let all = array.null_count() == 0 && column.present.is_none();
    let rows = array.len();
    let count = if all { rows } else { (0..rows).filter(|row| is_value(*row)).count() };
    let mut statistics = ColumnStatistics { count: count as u64, nulls: (rows - count) as u64, ..ColumnStatistics::default() };
    if count == 0 {
        return Some(statistics);
    }
    let first = (0..rows).find(|row| is_value(*row))?;
    let last = (0..rows).rev().find(|row| is_value(*row))?;
    statistics.first = Some((timestamps[first], cell(array, first, data_type)?));
    statistics.last = Some((timestamps[last], cell(array, last, data_type)?));
    let cells = Cells { array, is_value: &is_value, all };
    match array.data_type() {
        ArrowType::Boolean => {
            let set = array.as_boolean_opt()?.values();
            let trues = (0..rows).filter(|row| is_value(*row) && set.value(*row)).count();
            statistics.sum = Value::BigInt(trues as i64);
            statistics.min = Value::Bool(trues == count);
            statistics.max = Value::Bool(trues > 0);
        }
        ArrowType::Int8 => cells.signed::<Int8Type>(&mut statistics, Value::TinyInt)?,
        ArrowType::Int16 => cells.signed::<Int16Type>(&mut statistics, Value::SmallInt)?,
        ArrowType::Int32 => cells.signed::<Int32Type>(&mut statistics, Value::Int)?,
        ArrowType::Int64 => cells.signed::<Int64Type>(&mut statistics, Value::BigInt)?,
        ArrowType::UInt8 => cells.unsigned::<UInt8Type>(&mut statistics, Value::UTinyInt)?,
        ArrowType::UInt16 => cells.unsigned::<UInt16Type>(&mut statistics, Value::USmallInt)?,
        ArrowType::UInt32 => cells.unsigned::<UInt32Type>(&mut statistics, Value::UInt)?,
        ArrowType::UInt64 => cells.unsigned::<UInt64Type>(&mut statistics, Value::UBigInt)?,
        ArrowType::Float32 => cells.float::<Float32Type>(&mut statistics, Value::Float)?,
        ArrowType::Float64 => cells.float::<Float64Type>(&mut statistics, Value::Double)?,
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => cells.timestamp::<TimestampMillisecondType>(&mut statistics)?,
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => cells.timestamp::<TimestampMicrosecondType>(&mut statistics)?,
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => cells.timestamp::<TimestampNanosecondType>(&mut statistics)?,
        _ => {}
    }
    Some(statistics)
}

struct Cells<'a, F> {
    array: &'a ArrayRef,
    is_value: &'a F,
    all: bool,
}

impl<F: Fn(usize) -> bool> Cells<'_, F> {
    /// Folds the values, whole slices without a test per cell.
    fn fold<T: ArrowPrimitiveType, A>(&self, start: A, mut step: impl FnMut(A, T::Native) -> A) -> Option<A> {
        let values = self.array.as_primitive_opt::<T>()?.values();
        let mut state = start;
        for (row, value) in values.iter().enumerate() {
            if self.all || (self.is_value)(row) {
                state = step(state, *value);
            }
        }
        Some(state)
    }

    fn range<T: ArrowPrimitiveType<Native: PartialOrd>>(&self, value: impl Fn(T::Native) -> Value, statistics: &mut ColumnStatistics) -> Option<()> {
        let (min, max) = self.fold::<T, Option<(T::Native, T::Native)>>(None, |range, value| {
            Some(range.map_or((value, value), |(min, max)| (if value < min { value } else { min }, if value > max { value } else { max })))
        })??;
        statistics.min = value(min);
        statistics.max = value(max);
        Some(())
    }

    fn signed<T: ArrowPrimitiveType<Native: Into<i64> + PartialOrd>>(&self, statistics: &mut ColumnStatistics, value: fn(T::Native) -> Value) -> Option<()> {
        let sum = self.fold::<T, i128>(0, |sum, value| sum + i128::from(value.into()))?;
        statistics.sum = i64::try_from(sum).map_or(Value::Null, Value::BigInt);
        self.range::<T>(value, statistics)
    }

    fn unsigned<T: ArrowPrimitiveType<Native: Into<u64> + PartialOrd>>(&self, statistics: &mut ColumnStatistics, value: fn(T::Native) -> Value) -> Option<()> {
        let sum = self.fold::<T, u128>(0, |sum, value| sum + u128::from(value.into()))?;
        statistics.sum = u64::try_from(sum).map_or(Value::Null, Value::UBigInt);
        self.range::<T>(value, statistics)
    }

    fn float<T: ArrowPrimitiveType<Native: Into<f64> + PartialOrd>>(&self, statistics: &mut ColumnStatistics, value: fn(T::Native) -> Value) -> Option<()> {
        statistics.sum = Value::Double(self.fold::<T, f64>(0.0, |sum, value| sum + value.into())?);
        self.range::<T>(value, statistics)
    }

    fn timestamp<T: ArrowPrimitiveType<Native = i64>>(&self, statistics: &mut ColumnStatistics) -> Option<()> {
        self.range::<T>(Value::Timestamp, statistics)
    }
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
