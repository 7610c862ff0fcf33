//! Arrays that users bring become arrays of a column's type: other widths, other units of time, text of every Arrow kind. What does not fit
//! is an error, never cut or wrapped.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, PrimitiveArray, new_null_array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_sql::literal::{LiteralContext, convert_value};
use embudo_types::{DataType, Error, Precision, Result, Value, arrow::arrow_type, code};

use crate::cells::{check_lengths, take};

/// What a bound array is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slot<'a> {
    /// Column or tag, for messages.
    pub name: &'a str,
    /// Its type.
    pub data_type: DataType,
}

/// `array` as cells of `slot`, in the Arrow type that storage takes.
pub(crate) fn convert(array: &ArrayRef, slot: Slot<'_>, context: &LiteralContext<'_>) -> Result<ArrayRef> {
    let target = arrow_type(slot.data_type, context.precision);
    let converted = match array.data_type() {
        ArrowType::Null => return Ok(new_null_array(&target, array.len())),
        ArrowType::Dictionary(..) => return convert(&plain_of_dictionary(array)?, slot, context),
        from if *from == target => array.clone(),
        from if from.is_integer() && target.is_integer() => integers(array, &target, slot.name)?,
        ArrowType::Timestamp(unit, _) if slot.data_type == DataType::Timestamp => timestamps(array, *unit, context.precision)?,
        ArrowType::Int64 if slot.data_type == DataType::Timestamp => ticks_as_timestamps(array, context.precision),
        ArrowType::Float64 if target == ArrowType::Float32 => Arc::new(array.as_primitive::<Float64Type>().unary::<_, Float32Type>(|value| value as f32)),
        ArrowType::Utf8 | ArrowType::LargeUtf8 | ArrowType::Utf8View | ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView
            if matches!(slot.data_type, DataType::Varchar(_) | DataType::NChar(_)) =>
        {
            texts(array, &target, slot.name)?
        }
        ArrowType::Binary | ArrowType::LargeBinary | ArrowType::BinaryView if target == ArrowType::Binary => texts(array, &target, slot.name)?,
        _ => by_value(array, slot, context)?,
    };
    let finite = without_nan(converted);
    check_lengths(&finite, slot.data_type, slot.name)?;
    Ok(finite)
}

/// The values of a dictionary, spread over its keys.
fn plain_of_dictionary(array: &ArrayRef) -> Result<ArrayRef> {
    let dictionary = array.as_any_dictionary();
    let values = dictionary.values();
    let keys = dictionary.normalized_keys();
    // A key that is NULL points nowhere: at one more value that is NULL.
    let null = values.len() as u32;
    let rows: Vec<u32> = (0..array.len()).map(|row| if array.is_null(row) { null } else { keys[row] as u32 }).collect();
    let with_null = extend_with_null(values)?;
    take(&with_null, &rows)
}

fn extend_with_null(values: &ArrayRef) -> Result<ArrayRef> {
    let data = values.to_data();
    let mut output = arrow_data::transform::MutableArrayData::new(vec![&data], true, values.len() + 1);
    let failed = |error| Error::internal(format!("copying a dictionary: {error}"));
    output.try_extend(0, 0, values.len()).map_err(failed)?;
    output.try_extend_nulls(1).map_err(failed)?;
    Ok(arrow_array::make_array(output.freeze()))
}

/// 0x0112-class: a number that the column cannot hold.
fn out_of_range(name: &str) -> Error {
    Error::with(code::OUT_OF_RANGE, format!("Out of range: value of column {name}"))
}

/// Whole numbers of one width as those of another.
fn integers(array: &ArrayRef, target: &ArrowType, name: &str) -> Result<ArrayRef> {
    macro_rules! wide {
        ($($from:ident $arrow:ty),*) => {
            match array.data_type() {
                $(ArrowType::$from => {
                    let cells = array.as_primitive::<$arrow>();
                    (0..cells.len()).map(|row| (!cells.is_null(row)).then(|| i128::from(cells.value(row)))).collect::<Vec<_>>()
                })*
                other => return Err(Error::internal(format!("{other} is no integer"))),
            }
        };
    }
    let values: Vec<Option<i128>> =
        wide!(Int8 Int8Type, Int16 Int16Type, Int32 Int32Type, Int64 Int64Type, UInt8 UInt8Type, UInt16 UInt16Type, UInt32 UInt32Type, UInt64 UInt64Type);
    narrow_integers(&values, target, name)
}

fn narrow_integers(values: &[Option<i128>], target: &ArrowType, name: &str) -> Result<ArrayRef> {
    fn narrow<T: ArrowPrimitiveType>(values: &[Option<i128>], name: &str) -> Result<ArrayRef>
    where
        T::Native: TryFrom<i128>,
    {
        let mut builder = PrimitiveBuilder::<T>::with_capacity(values.len());
        for value in values {
            match value {
                None => builder.append_null(),
                Some(value) => builder.append_value(T::Native::try_from(*value).map_err(|_| out_of_range(name))?),
            }
        }
        Ok(Arc::new(builder.finish()))
    }
    match target {
        ArrowType::Int8 => narrow::<Int8Type>(values, name),
        ArrowType::Int16 => narrow::<Int16Type>(values, name),
        ArrowType::Int32 => narrow::<Int32Type>(values, name),
        ArrowType::Int64 => narrow::<Int64Type>(values, name),
        ArrowType::UInt8 => narrow::<UInt8Type>(values, name),
        ArrowType::UInt16 => narrow::<UInt16Type>(values, name),
        ArrowType::UInt32 => narrow::<UInt32Type>(values, name),
        ArrowType::UInt64 => narrow::<UInt64Type>(values, name),
        other => Err(Error::internal(format!("{other} is no integer"))),
    }
}

/// Ticks of a unit as those of the database; finer ones are cut towards the past.
fn timestamps(array: &ArrayRef, unit: TimeUnit, precision: Precision) -> Result<ArrayRef> {
    let ticks = crate::cells::ticks(array)?;
    let per_second = |unit: TimeUnit| match unit {
        TimeUnit::Second => 1,
        TimeUnit::Millisecond => 1_000,
        TimeUnit::Microsecond => 1_000_000,
        TimeUnit::Nanosecond => 1_000_000_000,
    };
    let (from, to) = (per_second(unit), precision.ticks_per_second());
    let converted: ScalarBuffer<i64> = match from.cmp(&to) {
        std::cmp::Ordering::Equal => ticks,
        std::cmp::Ordering::Greater => ticks.iter().map(|tick| tick.div_euclid(from / to)).collect(),
        // Saturated ticks are refused as out of range.
        std::cmp::Ordering::Less => ticks.iter().map(|tick| tick.saturating_mul(to / from)).collect(),
    };
    Ok(timestamp_array(converted, array, precision))
}

fn ticks_as_timestamps(array: &ArrayRef, precision: Precision) -> ArrayRef {
    timestamp_array(array.as_primitive::<Int64Type>().values().clone(), array, precision)
}

fn timestamp_array(ticks: ScalarBuffer<i64>, like: &ArrayRef, precision: Precision) -> ArrayRef {
    let nulls = like.nulls().cloned();
    match precision {
        Precision::Milli => Arc::new(PrimitiveArray::<TimestampMillisecondType>::new(ticks, nulls)),
        Precision::Micro => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(ticks, nulls)),
        Precision::Nano => Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(ticks, nulls)),
    }
}

/// Text or bytes of any Arrow kind as VARCHAR (`Binary`) or NCHAR (`Utf8`).
fn texts(array: &ArrayRef, target: &ArrowType, name: &str) -> Result<ArrayRef> {
    let cells: Box<dyn Iterator<Item = Option<&[u8]>>> = match array.data_type() {
        ArrowType::Utf8 => Box::new(array.as_string::<i32>().iter().map(|cell| cell.map(str::as_bytes))),
        ArrowType::LargeUtf8 => Box::new(array.as_string::<i64>().iter().map(|cell| cell.map(str::as_bytes))),
        ArrowType::Utf8View => Box::new(array.as_string_view().iter().map(|cell| cell.map(str::as_bytes))),
        ArrowType::Binary => Box::new(array.as_binary::<i32>().iter()),
        ArrowType::LargeBinary => Box::new(array.as_binary::<i64>().iter()),
        ArrowType::BinaryView => Box::new(array.as_binary_view().iter()),
        other => return Err(Error::internal(format!("{other} is no text"))),
    };
    if *target == ArrowType::Binary {
        let mut builder = BinaryBuilder::with_capacity(array.len(), array.len() * 8);
        cells.for_each(|cell| builder.append_option(cell));
        return Ok(Arc::new(builder.finish()));
    }
    let mut builder = StringBuilder::with_capacity(array.len(), array.len() * 8);
    for cell in cells {
        let text = cell.map(std::str::from_utf8).transpose();
        builder.append_option(text.map_err(|_| Error::with(code::INVALID_PARAMETERS, format!("column {name} takes UTF-8 only")))?);
    }
    Ok(Arc::new(builder.finish()))
}

/// Cell by cell, by the rules that bound parameters follow.
fn by_value(array: &ArrayRef, slot: Slot<'_>, context: &LiteralContext<'_>) -> Result<ArrayRef> {
    let values = (0..array.len())
        .map(|row| match user_value(array, row)? {
            Value::Null => Ok(Value::Null),
            value => convert_value(&value, slot.data_type, slot.name, context),
        })
        .collect::<Result<Vec<_>>>()?;
    embudo_expr::array_of_values(&values, slot.data_type, context.precision)
}

/// A cell of any array that a user may bring.
pub(crate) fn user_value(array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    let text = |bytes: &[u8]| Value::Varchar(bytes.to_vec());
    Ok(match array.data_type() {
        ArrowType::Null => Value::Null,
        ArrowType::Boolean => Value::Bool(array.as_boolean().value(row)),
        ArrowType::Int8 => Value::TinyInt(array.as_primitive::<Int8Type>().value(row)),
        ArrowType::Int16 => Value::SmallInt(array.as_primitive::<Int16Type>().value(row)),
        ArrowType::Int32 => Value::Int(array.as_primitive::<Int32Type>().value(row)),
        ArrowType::Int64 => Value::BigInt(array.as_primitive::<Int64Type>().value(row)),
        ArrowType::UInt8 => Value::UTinyInt(array.as_primitive::<UInt8Type>().value(row)),
        ArrowType::UInt16 => Value::USmallInt(array.as_primitive::<UInt16Type>().value(row)),
        ArrowType::UInt32 => Value::UInt(array.as_primitive::<UInt32Type>().value(row)),
        ArrowType::UInt64 => Value::UBigInt(array.as_primitive::<UInt64Type>().value(row)),
        ArrowType::Float32 => finite(f64::from(array.as_primitive::<Float32Type>().value(row))),
        ArrowType::Float64 => finite(array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Utf8 => text(array.as_string::<i32>().value(row).as_bytes()),
        ArrowType::LargeUtf8 => text(array.as_string::<i64>().value(row).as_bytes()),
        ArrowType::Utf8View => text(array.as_string_view().value(row).as_bytes()),
        ArrowType::Binary => Value::VarBinary(array.as_binary::<i32>().value(row).to_vec()),
        ArrowType::LargeBinary => Value::VarBinary(array.as_binary::<i64>().value(row).to_vec()),
        ArrowType::BinaryView => Value::VarBinary(array.as_binary_view().value(row).to_vec()),
        ArrowType::Decimal128(precision, scale) => {
            Value::Decimal(array.as_primitive::<arrow_array::types::Decimal128Type>().value(row), *precision, (*scale).max(0) as u8)
        }
        other => return Err(Error::with(code::INVALID_PARAMETERS, format!("cells of Arrow's {other} cannot be written"))),
    })
}

/// NaN is how data frames write a missing number.
fn finite(value: f64) -> Value {
    if value.is_nan() { Value::Null } else { Value::Double(value) }
}

/// Floats with NaN turned NULL.
fn without_nan(array: ArrayRef) -> ArrayRef {
    macro_rules! filtered {
        ($arrow:ty) => {{
            let cells = array.as_primitive::<$arrow>();
            if !cells.values().iter().any(|value| value.is_nan()) {
                return array;
            }
            Arc::new(cells.iter().map(|cell| cell.filter(|value| !value.is_nan())).collect::<PrimitiveArray<$arrow>>())
        }};
    }
    match array.data_type() {
        ArrowType::Float32 => filtered!(Float32Type),
        ArrowType::Float64 => filtered!(Float64Type),
        _ => array,
    }
}
