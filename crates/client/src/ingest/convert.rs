//! A column of data as exactly the Arrow type of its target. What would lose something is an error that names row, column and
//! value: numbers out of range or with a fraction, finer time units, text that is too long. NaN is NULL.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, PrimitiveArray, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    cast::AsArray,
    new_null_array,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{DataType, Error, Precision, Result, Value, Zone, arrow, code, parse_timestamp};

use super::{invalid, target::column_length};

/// A column of data.
#[derive(Clone, Debug)]
pub enum Column {
    /// An Arrow array; timestamps of any unit are instants, whatever zone they are labelled with.
    Array(ArrayRef),
    /// A value a row.
    Values(Vec<Value>),
    /// One value for every row.
    Constant(Value),
}

impl Column {
    /// How many rows it has; a constant has any number.
    pub fn rows(&self) -> Option<usize> {
        match self {
            Self::Array(array) => Some(array.len()),
            Self::Values(values) => Some(values.len()),
            Self::Constant(_) => None,
        }
    }

    /// The value of a row; a timestamp as nanoseconds or text is the caller's to read.
    pub fn value(&self, row: usize) -> Result<Value> {
        match self {
            Self::Array(array) => cell(array.as_ref(), row),
            Self::Values(values) => Ok(values[row].clone()),
            Self::Constant(value) => Ok(value.clone()),
        }
    }

    /// Whether a row has the value of the row before it; false where that is not cheap to tell.
    pub fn same_as_before(&self, row: usize) -> bool {
        fn equal<T: ArrowPrimitiveType>(array: &dyn Array, row: usize) -> bool {
            array.as_primitive_opt::<T>().is_some_and(|array| array.value(row) == array.value(row - 1))
        }
        match self {
            Self::Constant(_) => true,
            Self::Values(values) => values[row] == values[row - 1],
            Self::Array(array) if array.null_count() > 0 => false,
            Self::Array(array) => match array.data_type() {
                ArrowType::Int16 => equal::<Int16Type>(array, row),
                ArrowType::Int32 => equal::<Int32Type>(array, row),
                ArrowType::Int64 => equal::<Int64Type>(array, row),
                ArrowType::UInt32 => equal::<UInt32Type>(array, row),
                ArrowType::UInt64 => equal::<UInt64Type>(array, row),
                ArrowType::Utf8 => array.as_string_opt::<i32>().is_some_and(|array| array.value(row) == array.value(row - 1)),
                _ => false,
            },
        }
    }

    /// The type that a new column for these data gets.
    pub fn data_type(&self, name: &str) -> Result<DataType> {
        let no_type = |what: String| invalid(format!("column {name} holds {what}: a new column cannot take its type from that; create the table first"));
        match self {
            Self::Array(array) => array_type(array, name)?.ok_or_else(|| no_type(array.data_type().to_string())),
            Self::Values(values) => values_type(values, name)?.ok_or_else(|| no_type("only NULL".into())),
            Self::Constant(value) => values_type(std::slice::from_ref(value), name)?.ok_or_else(|| no_type("only NULL".into())),
        }
    }

    /// Letters of the longest text.
    pub fn longest_text_chars(&self) -> usize {
        let chars = |value: &Value| match value {
            Value::Varchar(bytes) => String::from_utf8_lossy(bytes).chars().count(),
            Value::NChar(text) => text.chars().count(),
            _ => 0,
        };
        match self {
            Self::Constant(value) => chars(value),
            Self::Values(values) => values.iter().map(chars).max().unwrap_or(0),
            Self::Array(array) => array.as_string_opt::<i32>().map_or(0, |array| array.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0)),
        }
    }
}

fn array_type(array: &ArrayRef, name: &str) -> Result<Option<DataType>> {
    Ok(Some(match array.data_type() {
        ArrowType::Boolean => DataType::Bool,
        ArrowType::Int8 => DataType::TinyInt,
        ArrowType::Int16 => DataType::SmallInt,
        ArrowType::Int32 => DataType::Int,
        ArrowType::Int64 => DataType::BigInt,
        ArrowType::UInt8 => DataType::UTinyInt,
        ArrowType::UInt16 => DataType::USmallInt,
        ArrowType::UInt32 => DataType::UInt,
        ArrowType::UInt64 => DataType::UBigInt,
        ArrowType::Float32 => DataType::Float,
        ArrowType::Float64 => DataType::Double,
        ArrowType::Timestamp(..) => DataType::Timestamp,
        ArrowType::Utf8 => {
            let longest = array.as_string::<i32>().iter().flatten().map(str::len).max().unwrap_or(0);
            DataType::Varchar(column_length(longest, name)?)
        }
        ArrowType::Binary => {
            let longest = array.as_binary::<i32>().iter().flatten().map(<[u8]>::len).max().unwrap_or(0);
            DataType::VarBinary(column_length(longest, name)?)
        }
        ArrowType::Decimal128(precision, scale) => DataType::Decimal(*precision, *scale as u8),
        _ => return values_type(&(0..array.len()).map(|row| cell(array.as_ref(), row)).collect::<Result<Vec<_>>>()?, name),
    }))
}

fn values_type(values: &[Value], name: &str) -> Result<Option<DataType>> {
    let mut found: Option<DataType> = None;
    let mut longest = 0;
    for value in values.iter().filter(|value| !value.is_null()) {
        let this = match value {
            Value::Varchar(bytes) => {
                longest = longest.max(bytes.len());
                DataType::Varchar(0)
            }
            Value::NChar(text) => {
                longest = longest.max(text.len());
                DataType::Varchar(0)
            }
            Value::VarBinary(bytes) => {
                longest = longest.max(bytes.len());
                DataType::VarBinary(0)
            }
            other => other.data_type(),
        };
        found = Some(match (found, this) {
            (None, this) => this,
            (Some(found), this) if found == this => found,
            (Some(DataType::BigInt | DataType::Double), DataType::BigInt | DataType::Double) => DataType::Double,
            (Some(DataType::BigInt | DataType::UBigInt), DataType::BigInt | DataType::UBigInt) => DataType::UBigInt,
            (Some(DataType::Decimal(p, s)), DataType::Decimal(q, t)) => DataType::Decimal(((p - s).max(q - t) + s.max(t)).min(38), s.max(t)),
            (Some(found), this) => return Err(invalid(format!("column {name} mixes {} and {}", found.name(), this.name()))),
        });
    }
    Ok(match found {
        Some(DataType::Varchar(_)) => Some(DataType::Varchar(column_length(longest, name)?)),
        Some(DataType::VarBinary(_)) => Some(DataType::VarBinary(column_length(longest, name)?)),
        other => other,
    })
}

/// The column as an array of `data_type`.
pub fn convert(name: &str, column: &Column, data_type: DataType, precision: Precision, rows: usize, truncate: bool, zone: &Zone) -> Result<ArrayRef> {
    let to = To { name, data_type, precision, truncate, zone };
    match column {
        Column::Array(array) => to.array(array),
        Column::Values(values) => to.values(values.iter().map(|value| Ok(value.clone()))),
        Column::Constant(Value::Null) => Ok(new_null_array(&arrow::arrow_type(data_type, precision), rows)),
        Column::Constant(value) => to.values(std::iter::repeat_n(value, rows).map(|value| Ok(value.clone()))),
    }
}

/// The values at `place` of every row as an array of `data_type`.
pub fn column_of_rows<R: AsRef<[Value]>>(rows: &[R], place: usize, name: &str, data_type: DataType, precision: Precision, zone: &Zone) -> Result<ArrayRef> {
    To { name, data_type, precision, truncate: false, zone }.values(rows.iter().map(|row| Ok(row.as_ref()[place].clone())))
}

struct To<'a> {
    name: &'a str,
    data_type: DataType,
    precision: Precision,
    truncate: bool,
    zone: &'a Zone,
}

impl To<'_> {
    fn array(&self, array: &ArrayRef) -> Result<ArrayRef> {
        match (self.data_type, array.data_type()) {
            (DataType::Timestamp, ArrowType::Timestamp(unit, _)) => self.instants(array, *unit),
            (DataType::Float, ArrowType::Float32) => Ok(Arc::new(without_nan::<Float32Type>(array.as_primitive(), f32::is_nan))),
            (DataType::Double, ArrowType::Float64) => Ok(Arc::new(without_nan::<Float64Type>(array.as_primitive(), f64::is_nan))),
            (DataType::Float, ArrowType::Float64) => {
                let doubles = without_nan::<Float64Type>(array.as_primitive(), f64::is_nan);
                let narrow = |value: f64| if value.is_finite() && value.abs() > f64::from(f32::MAX) { None } else { Some(value as f32) };
                self.primitive::<Float64Type, Float32Type>(&doubles, narrow)
            }
            (DataType::Double, ArrowType::Float32) => {
                let floats = without_nan::<Float32Type>(array.as_primitive(), f32::is_nan);
                self.primitive::<Float32Type, Float64Type>(&floats, |value| Some(f64::from(value)))
            }
            (DataType::Int, ArrowType::Int64) => self.primitive::<Int64Type, Int32Type>(array.as_primitive(), |value| i32::try_from(value).ok()),
            (DataType::SmallInt, ArrowType::Int64) => self.primitive::<Int64Type, Int16Type>(array.as_primitive(), |value| i16::try_from(value).ok()),
            (DataType::TinyInt, ArrowType::Int64) => self.primitive::<Int64Type, Int8Type>(array.as_primitive(), |value| i8::try_from(value).ok()),
            (DataType::BigInt, ArrowType::Int32) => self.primitive::<Int32Type, Int64Type>(array.as_primitive(), |value| Some(i64::from(value))),
            (data_type, from)
                if !data_type.is_variable() && !matches!(data_type, DataType::Timestamp) && *from == arrow::arrow_type(data_type, self.precision) =>
            {
                Ok(array.clone())
            }
            _ => self.values((0..array.len()).map(|row| cell(array.as_ref(), row))),
        }
    }

    fn primitive<F: ArrowPrimitiveType, T: ArrowPrimitiveType>(
        &self,
        array: &PrimitiveArray<F>,
        convert: impl Fn(F::Native) -> Option<T::Native>,
    ) -> Result<ArrayRef>
    where
        F::Native: std::fmt::Display,
    {
        let mut values = Vec::with_capacity(array.len());
        for (row, &value) in array.values().iter().enumerate() {
            match convert(value) {
                Some(value) => values.push(value),
                None if array.is_null(row) => values.push(T::Native::default()),
                None => return Err(self.refuse(row, value, "does not fit")),
            }
        }
        Ok(Arc::new(PrimitiveArray::<T>::new(values.into(), array.nulls().cloned())))
    }

    fn instants(&self, array: &ArrayRef, unit: TimeUnit) -> Result<ArrayRef> {
        let (values, per_second) = match unit {
            TimeUnit::Second => (array.as_primitive::<TimestampSecondType>().values(), 1),
            TimeUnit::Millisecond => (array.as_primitive::<TimestampMillisecondType>().values(), 1_000),
            TimeUnit::Microsecond => (array.as_primitive::<TimestampMicrosecondType>().values(), 1_000_000),
            TimeUnit::Nanosecond => (array.as_primitive::<TimestampNanosecondType>().values(), 1_000_000_000),
        };
        let wanted = self.precision.ticks_per_second();
        if per_second == wanted {
            return Ok(self.ticks(values.clone(), array.nulls().cloned()));
        }
        let mut ticks = Vec::with_capacity(values.len());
        for (row, &value) in values.iter().enumerate() {
            if array.is_null(row) {
                ticks.push(0);
                continue;
            }
            let moved = if wanted > per_second {
                value.checked_mul(wanted / per_second)
            } else {
                (value % (per_second / wanted) == 0).then(|| value / (per_second / wanted))
            };
            let refusal =
                || self.refuse(row, value, &format!("(in 1/{per_second} s) has no exact time in the database's precision of {}", self.precision.name()));
            ticks.push(moved.ok_or_else(refusal)?);
        }
        Ok(self.ticks(ticks.into(), array.nulls().cloned()))
    }

    fn ticks(&self, values: arrow_buffer::ScalarBuffer<i64>, nulls: Option<arrow_buffer::NullBuffer>) -> ArrayRef {
        match self.precision {
            Precision::Milli => Arc::new(TimestampMillisecondArray::new(values, nulls)),
            Precision::Micro => Arc::new(TimestampMicrosecondArray::new(values, nulls)),
            Precision::Nano => Arc::new(TimestampNanosecondArray::new(values, nulls)),
        }
    }

    /// Cell by cell.
    fn values(&self, values: impl Iterator<Item = Result<Value>>) -> Result<ArrayRef> {
        macro_rules! integers {
            ($array:ty, $native:ty) => {
                Arc::new(<$array>::from(self.cells(values, |value| integer(value).and_then(|value| <$native>::try_from(value).ok()))?))
            };
        }
        Ok(match self.data_type {
            DataType::TinyInt => integers!(PrimitiveArray<Int8Type>, i8),
            DataType::SmallInt => integers!(PrimitiveArray<Int16Type>, i16),
            DataType::Int => integers!(PrimitiveArray<Int32Type>, i32),
            DataType::BigInt => integers!(PrimitiveArray<Int64Type>, i64),
            DataType::UTinyInt => integers!(PrimitiveArray<UInt8Type>, u8),
            DataType::USmallInt => integers!(PrimitiveArray<UInt16Type>, u16),
            DataType::UInt => integers!(PrimitiveArray<UInt32Type>, u32),
            DataType::UBigInt => integers!(PrimitiveArray<UInt64Type>, u64),
            DataType::Bool => Arc::new(BooleanArray::from(self.cells(values, |value| match value {
                Value::Bool(value) => Some(*value),
                other => integer(other).filter(|value| (0..=1).contains(value)).map(|value| value == 1),
            })?)),
            DataType::Float => Arc::new(Float32Array::from(
                self.cells(values, |value| double(value).filter(|value| !value.is_finite() || value.abs() <= f64::from(f32::MAX)).map(|value| value as f32))?,
            )),
            DataType::Double => Arc::new(Float64Array::from(self.cells(values, double)?)),
            DataType::Timestamp => {
                let cells = self.cells(values, |value| match value {
                    Value::Varchar(text) => parse_timestamp(text, self.precision, self.zone),
                    Value::NChar(text) => parse_timestamp(text.as_bytes(), self.precision, self.zone),
                    Value::Timestamp(ticks) => Some(*ticks),
                    other => integer(other).and_then(|value| i64::try_from(value).ok()),
                })?;
                let ticks: PrimitiveArray<Int64Type> = cells.into();
                self.ticks(ticks.values().clone(), ticks.nulls().cloned())
            }
            DataType::Varchar(length) => {
                Arc::new(BinaryArray::from_iter(self.cells(values, |value| self.text(value, length as usize, false).map(String::into_bytes))?))
            }
            DataType::NChar(length) => Arc::new(StringArray::from_iter(self.cells(values, |value| self.text(value, length as usize, true))?)),
            DataType::Json => Arc::new(StringArray::from_iter(self.cells(values, |value| match value {
                Value::Json(text) | Value::NChar(text) => Some(text.clone()),
                Value::Varchar(bytes) => String::from_utf8(bytes.clone()).ok(),
                _ => None,
            })?)),
            DataType::VarBinary(length) | DataType::Geometry(length) => Arc::new(BinaryArray::from_iter(self.cells(values, |value| match value {
                Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) | Value::Varchar(bytes) => {
                    (bytes.len() <= length as usize).then(|| bytes.clone())
                }
                _ => None,
            })?)),
            DataType::Blob | DataType::MediumBlob => Arc::new(BinaryArray::from_iter(self.cells(values, |value| match value {
                Value::VarBinary(bytes) | Value::Blob(bytes) | Value::Varchar(bytes) => Some(bytes.clone()),
                _ => None,
            })?)),
            DataType::Decimal(precision, scale) => {
                let cells = self.cells(values, |value| decimal(value, precision, scale))?;
                let array = Decimal128Array::from(cells).with_precision_and_scale(precision, scale as i8);
                Arc::new(array.map_err(Error::internal)?)
            }
            DataType::Null => new_null_array(&ArrowType::Null, values.count()),
        })
    }

    fn cells<T>(&self, values: impl Iterator<Item = Result<Value>>, convert: impl Fn(&Value) -> Option<T>) -> Result<Vec<Option<T>>> {
        values
            .enumerate()
            .map(|(row, value)| match value? {
                Value::Null => Ok(None),
                Value::Double(value) if value.is_nan() => Ok(None),
                Value::Float(value) if value.is_nan() => Ok(None),
                value => convert(&value).map(Some).ok_or_else(|| self.refuse(row, shown(&value), "does not fit")),
            })
            .collect()
    }

    /// Text that fits, counted in letters or bytes.
    fn text(&self, value: &Value, length: usize, letters: bool) -> Option<String> {
        let text = match value {
            Value::Varchar(bytes) => std::str::from_utf8(bytes).ok()?,
            Value::NChar(text) => text,
            _ => return None,
        };
        let fits = |text: &str| if letters { text.chars().count() <= length } else { text.len() <= length };
        if fits(text) {
            return Some(text.to_owned());
        }
        if !self.truncate {
            return None;
        }
        let mut end = 0;
        for (count, (at, letter)) in text.char_indices().enumerate() {
            if if letters { count >= length } else { at + letter.len_utf8() > length } {
                break;
            }
            end = at + letter.len_utf8();
        }
        Some(text[..end].to_owned())
    }

    fn refuse(&self, row: usize, value: impl std::fmt::Display, why: &str) -> Error {
        let target = if why == "does not fit" { format!("{why} {}", self.data_type) } else { why.to_owned() };
        Error::with(code::OUT_OF_RANGE, format!("row {row}, column {}, value {value}: {target}", self.name))
    }
}

fn without_nan<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, is_nan: impl Fn(T::Native) -> bool) -> PrimitiveArray<T> {
    if !array.values().iter().any(|&value| is_nan(value)) {
        return array.clone();
    }
    array.iter().map(|value| value.filter(|&value| !is_nan(value))).collect()
}

fn integer(value: &Value) -> Option<i128> {
    Some(match value {
        Value::TinyInt(value) => i128::from(*value),
        Value::SmallInt(value) => i128::from(*value),
        Value::Int(value) => i128::from(*value),
        Value::BigInt(value) => i128::from(*value),
        Value::UTinyInt(value) => i128::from(*value),
        Value::USmallInt(value) => i128::from(*value),
        Value::UInt(value) => i128::from(*value),
        Value::UBigInt(value) => i128::from(*value),
        Value::Float(value) => return whole(f64::from(*value)),
        Value::Double(value) => return whole(*value),
        _ => return None,
    })
}

/// A number without a fraction; 2^64 bounds every integer type.
fn whole(value: f64) -> Option<i128> {
    (value.fract() == 0.0 && value.abs() <= 18_446_744_073_709_551_616.0).then_some(value as i128)
}

fn double(value: &Value) -> Option<f64> {
    match value {
        Value::Float(value) => Some(f64::from(*value)),
        Value::Double(value) => Some(*value),
        Value::Decimal(unscaled, _, scale) => Some(*unscaled as f64 / 10_f64.powi(i32::from(*scale))),
        other => integer(other).filter(|&value| (value as f64) as i128 == value).map(|value| value as f64),
    }
}

fn decimal(value: &Value, precision: u8, scale: u8) -> Option<i128> {
    let (unscaled, from) = match value {
        Value::Decimal(unscaled, _, scale) => (*unscaled, *scale),
        Value::Varchar(_) | Value::NChar(_) | Value::Bool(_) => return None,
        Value::Float(_) | Value::Double(_) => (whole(double(value)?)?, 0),
        other => (integer(other)?, 0),
    };
    let moved = if scale >= from {
        unscaled.checked_mul(10_i128.checked_pow(u32::from(scale - from))?)?
    } else {
        let unit = 10_i128.checked_pow(u32::from(from - scale))?;
        (unscaled % unit == 0).then(|| unscaled / unit)?
    };
    (moved.unsigned_abs() < 10_u128.pow(u32::from(precision))).then_some(moved)
}

fn shown(value: &Value) -> String {
    let mut text = String::new();
    if crate::literal::write_literal(value, &mut text).is_err() {
        return "of bytes".into();
    }
    if text.chars().count() > 60 {
        text = format!("{}…", text.chars().take(60).collect::<String>());
    }
    text
}

/// One cell of an array; instants are refused, since only [`To::instants`] knows their unit.
fn cell(array: &dyn Array, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
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
        ArrowType::Float32 => Value::Float(array.as_primitive::<Float32Type>().value(row)),
        ArrowType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        ArrowType::Utf8 => Value::Varchar(array.as_string::<i32>().value(row).into()),
        ArrowType::LargeUtf8 => Value::Varchar(array.as_string::<i64>().value(row).into()),
        ArrowType::Utf8View => Value::Varchar(array.as_string_view().value(row).into()),
        ArrowType::Binary => Value::VarBinary(array.as_binary::<i32>().value(row).to_vec()),
        ArrowType::LargeBinary => Value::VarBinary(array.as_binary::<i64>().value(row).to_vec()),
        ArrowType::BinaryView => Value::VarBinary(array.as_binary_view().value(row).to_vec()),
        ArrowType::Decimal128(precision, scale) if *scale >= 0 => Value::Decimal(array.as_primitive::<Decimal128Type>().value(row), *precision, *scale as u8),
        ArrowType::Dictionary(..) => {
            let dictionary = array.as_any_dictionary();
            return cell(dictionary.values().as_ref(), dictionary.normalized_keys()[row]);
        }
        other => return Err(Error::with(code::INVALID_PARAMETERS, format!("a column of type {other} cannot be written"))),
    })
}
