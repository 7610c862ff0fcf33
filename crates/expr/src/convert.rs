//! Conversions between every pair of types: what CAST does, and what operators do to their operands (spec/sql.md 2.5, 2.6).

use std::io::Write;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use embudo_sql::literal::wkt_to_wkb;
use embudo_types::{DataType, Error, Precision, Result, Value, Zone, code, parse_timestamp};

use crate::datum::{Datum, repeat, ticks, timestamp_array, value_at};
use crate::decimal;
use crate::json;
use crate::text_number::{double_prefix, integer_prefix, unsigned_prefix, write_double};

/// A type with the precision of its ticks.
pub(crate) type Typed = (DataType, Precision);

/// What to do with text that is no time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum BadTime {
    /// It is 1970-01-01, as CAST has it.
    Epoch,
    /// It is NULL, as time functions have it.
    Null,
    /// It is an error, as comparison with a constant has it.
    Error,
}

/// How to convert.
pub(crate) struct Conversion<'a> {
    pub(crate) from: Typed,
    pub(crate) to: Typed,
    pub(crate) zone: &'a Zone,
    pub(crate) bad_time: BadTime,
}

/// A number that converts as C does on the machines TDengine runs on: integers wrap, floats cut their fraction.
trait Number: Copy {
    fn to_i64(self) -> i64;
    fn to_u64(self) -> u64;
    fn to_f64(self) -> f64;
    fn to_f32(self) -> f32;
    fn is_true(self) -> bool;
    /// Itself, where its type has no fractions.
    fn to_whole(self) -> Option<i128> {
        None
    }
}

macro_rules! integer_number {
    ($($native:ty)*) => {$(
        impl Number for $native {
            fn to_i64(self) -> i64 { self as i64 }
            fn to_u64(self) -> u64 { self as u64 }
            fn to_f64(self) -> f64 { self as f64 }
            fn to_f32(self) -> f32 { self as f32 }
            fn is_true(self) -> bool { self != 0 }
            fn to_whole(self) -> Option<i128> { Some(i128::from(self)) }
        }
    )*};
}
integer_number!(i8 i16 i32 i64 u8 u16 u32 u64);

/// 2^63.
const TWO_63: f64 = 9_223_372_036_854_775_808.0;

/// C's conversion on x86: outside the range it is the smallest i64.
fn double_to_i64(value: f64) -> i64 {
    if (-TWO_63..TWO_63).contains(&value) { value as i64 } else { i64::MIN }
}

impl Number for f64 {
    fn to_i64(self) -> i64 {
        double_to_i64(self)
    }
    fn to_u64(self) -> u64 {
        if self < TWO_63 { double_to_i64(self) as u64 } else { double_to_i64(self - TWO_63) as u64 ^ (1 << 63) }
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn to_f32(self) -> f32 {
        self as f32
    }
    fn is_true(self) -> bool {
        self != 0.0
    }
}

impl Number for f32 {
    fn to_i64(self) -> i64 {
        f64::from(self).to_i64()
    }
    fn to_u64(self) -> u64 {
        f64::from(self).to_u64()
    }
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
    fn to_f32(self) -> f32 {
        self
    }
    fn is_true(self) -> bool {
        self != 0.0
    }
}

/// Converts; the result is of type `conversion.to` with the nulls of `datum` (more where text is no time and that is NULL).
pub(crate) fn convert(datum: &Datum, conversion: &Conversion<'_>) -> Result<Datum> {
    let (from, to) = (conversion.from, conversion.to);
    if from == to || (from.0 == to.0 && to.0 != DataType::Timestamp) {
        return Ok(datum.clone());
    }
    match datum {
        Datum::Array(array) => convert_array(array, conversion).map(Datum::Array),
        Datum::Scalar(value) => {
            let array = convert_array(&repeat(value, from.0, from.1, 1)?, conversion)?;
            Ok(Datum::Scalar(value_at(&array, to.0, 0)))
        }
    }
}

fn convert_array(array: &ArrayRef, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    let (from, to) = (conversion.from, conversion.to);
    match from.0 {
        DataType::Null => repeat(&Value::Null, to.0, to.1, array.len()),
        _ if is_bytes(from.0) => from_text(array, conversion),
        DataType::Decimal(..) => from_decimal(array, conversion),
        DataType::Timestamp if to.0 == DataType::Timestamp => {
            let values = ticks(array).iter().map(|&value| from.1.convert(value, to.1)).collect();
            Ok(timestamp_array(values, array.nulls().cloned(), to.1))
        }
        _ if is_bytes(to.0) => to_text(array, conversion),
        DataType::Bool => {
            let array = array.as_boolean();
            let values: Vec<i8> = array.values().iter().map(i8::from).collect();
            numbers(&values, array.nulls(), conversion)
        }
        DataType::TinyInt => primitive_numbers::<Int8Type>(array, conversion),
        DataType::SmallInt => primitive_numbers::<Int16Type>(array, conversion),
        DataType::Int => primitive_numbers::<Int32Type>(array, conversion),
        DataType::BigInt => primitive_numbers::<Int64Type>(array, conversion),
        DataType::UTinyInt => primitive_numbers::<UInt8Type>(array, conversion),
        DataType::USmallInt => primitive_numbers::<UInt16Type>(array, conversion),
        DataType::UInt => primitive_numbers::<UInt32Type>(array, conversion),
        DataType::UBigInt => primitive_numbers::<UInt64Type>(array, conversion),
        DataType::Float => primitive_numbers::<Float32Type>(array, conversion),
        DataType::Double => primitive_numbers::<Float64Type>(array, conversion),
        DataType::Timestamp => numbers(ticks(array), array.nulls(), conversion),
        _ => Err(cannot_convert()),
    }
}

fn is_bytes(data_type: DataType) -> bool {
    data_type.is_variable()
}

/// TDengine's refusal of a pair of types.
pub(crate) fn cannot_convert() -> Error {
    Error::new(code::CANNOT_CONVERT_TO_SPECIFIC_TYPE)
}

fn primitive_numbers<T: ArrowPrimitiveType>(array: &ArrayRef, conversion: &Conversion<'_>) -> Result<ArrayRef>
where
    T::Native: Number,
{
    numbers(array.as_primitive::<T>().values(), array.nulls(), conversion)
}

fn numbers<N: Number>(values: &[N], nulls: Option<&NullBuffer>, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    fn map<N: Copy, T: ArrowPrimitiveType>(values: &[N], nulls: Option<&NullBuffer>, convert: impl Fn(N) -> T::Native) -> ArrayRef {
        let values: ScalarBuffer<T::Native> = values.iter().map(|&value| convert(value)).collect();
        Arc::new(PrimitiveArray::<T>::new(values, nulls.cloned()))
    }
    Ok(match conversion.to.0 {
        DataType::Bool => Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(values.len(), |row| values[row].is_true()), nulls.cloned())),
        DataType::TinyInt => map::<N, Int8Type>(values, nulls, |value| value.to_i64() as i8),
        DataType::SmallInt => map::<N, Int16Type>(values, nulls, |value| value.to_i64() as i16),
        DataType::Int => map::<N, Int32Type>(values, nulls, |value| value.to_i64() as i32),
        DataType::BigInt => map::<N, Int64Type>(values, nulls, Number::to_i64),
        DataType::UTinyInt => map::<N, UInt8Type>(values, nulls, |value| value.to_i64() as u8),
        DataType::USmallInt => map::<N, UInt16Type>(values, nulls, |value| value.to_i64() as u16),
        DataType::UInt => map::<N, UInt32Type>(values, nulls, |value| value.to_i64() as u32),
        DataType::UBigInt => map::<N, UInt64Type>(values, nulls, Number::to_u64),
        DataType::Float => map::<N, Float32Type>(values, nulls, Number::to_f32),
        DataType::Double => map::<N, Float64Type>(values, nulls, Number::to_f64),
        DataType::Timestamp => {
            let values: ScalarBuffer<i64> = values.iter().map(|value| value.to_i64()).collect();
            timestamp_array(values, nulls.cloned(), conversion.to.1)
        }
        DataType::Decimal(precision, scale) => {
            let shape = (precision, scale);
            decimal_rows(values.len(), nulls, shape, |row| {
                values[row].to_whole().map_or_else(|| decimal::of_double(values[row].to_f64(), shape), |whole| decimal::rescale(whole, 0, shape))
            })?
        }
        _ => return Err(cannot_convert()),
    })
}

/// The DECIMAL column of what `value` gives for each row that is not NULL.
fn decimal_rows(rows: usize, nulls: Option<&NullBuffer>, shape: decimal::Shape, value: impl Fn(usize) -> Result<i128>) -> Result<ArrayRef> {
    let cell = |row: usize| if nulls.is_some_and(|nulls| nulls.is_null(row)) { Ok(None) } else { value(row).map(Some) };
    decimal::array((0..rows).map(cell).collect::<Result<_>>()?, shape)
}

fn from_decimal(array: &ArrayRef, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    let DataType::Decimal(_, scale) = conversion.from.0 else { return Err(cannot_convert()) };
    let array = array.as_primitive::<Decimal128Type>();
    if let DataType::Decimal(digits, to_scale) = conversion.to.0 {
        return decimal_rows(array.len(), array.nulls(), (digits, to_scale), |row| decimal::rescale(array.value(row), scale, (digits, to_scale)));
    }
    if is_bytes(conversion.to.0) {
        return text_rows(array.len(), array.nulls(), conversion, |row, out| write_decimal(array.value(row), scale, out));
    }
    if conversion.to.0.is_integer() || conversion.to.0 == DataType::Timestamp {
        let unit = 10_i128.pow(u32::from(scale));
        let values: Vec<i64> = array.values().iter().map(|&value| (value / unit).clamp(i128::from(i64::MIN), i128::from(u64::MAX)) as i64).collect();
        return numbers(&values, array.nulls(), conversion);
    }
    let unit = 10_f64.powi(i32::from(scale));
    let values: Vec<f64> = array.values().iter().map(|&value| value as f64 / unit).collect();
    if conversion.to.0 == DataType::Double {
        return Ok(Arc::new(PrimitiveArray::<Float64Type>::new(values.into(), array.nulls().cloned())));
    }
    numbers(&values, array.nulls(), conversion)
}

fn write_decimal(value: i128, scale: u8, out: &mut Vec<u8>) {
    let unit = 10_u128.pow(u32::from(scale));
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{sign}{}", magnitude / unit);
    if scale > 0 {
        let _ = write!(out, ".{:0width$}", magnitude % unit, width = usize::from(scale));
    }
}

/// Text of numbers, BOOL and TIMESTAMP, cut to the target's length.
fn to_text(array: &ArrayRef, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    macro_rules! written {
        ($arrow:ty) => {{
            let values = array.as_primitive::<$arrow>().values();
            text_rows(array.len(), array.nulls(), conversion, |row, out| {
                let _ = write!(out, "{}", values[row]);
            })
        }};
    }
    match conversion.from.0 {
        DataType::Bool => {
            let values = array.as_boolean();
            text_rows(array.len(), array.nulls(), conversion, |row, out| out.extend_from_slice(if values.value(row) { b"true" } else { b"false" }))
        }
        DataType::TinyInt => written!(Int8Type),
        DataType::SmallInt => written!(Int16Type),
        DataType::Int => written!(Int32Type),
        DataType::BigInt => written!(Int64Type),
        DataType::UTinyInt => written!(UInt8Type),
        DataType::USmallInt => written!(UInt16Type),
        DataType::UInt => written!(UInt32Type),
        DataType::UBigInt => written!(UInt64Type),
        DataType::Timestamp => {
            let values = ticks(array);
            text_rows(array.len(), array.nulls(), conversion, |row, out| {
                let _ = write!(out, "{}", values[row]);
            })
        }
        DataType::Float => {
            let values = array.as_primitive::<Float32Type>().values();
            text_rows(array.len(), array.nulls(), conversion, |row, out| write_double(f64::from(values[row]), out))
        }
        DataType::Double => {
            let values = array.as_primitive::<Float64Type>().values();
            text_rows(array.len(), array.nulls(), conversion, |row, out| write_double(values[row], out))
        }
        _ => Err(cannot_convert()),
    }
}

/// Builds the text column that `conversion.to` names from what `write` appends for each row that is not NULL.
fn text_rows(rows: usize, nulls: Option<&NullBuffer>, conversion: &Conversion<'_>, mut write: impl FnMut(usize, &mut Vec<u8>)) -> Result<ArrayRef> {
    let mut builder = TextBuilder::new(conversion.to.0)?;
    let mut cell = Vec::new();
    for row in 0..rows {
        if nulls.is_some_and(|nulls| nulls.is_null(row)) {
            builder.append(None)?;
        } else {
            cell.clear();
            write(row, &mut cell);
            builder.append(Some(&cell))?;
        }
    }
    Ok(builder.finish())
}

/// A growing column of VARCHAR, NCHAR, VARBINARY, GEOMETRY or JSON; cells are cut to the type's length.
pub(crate) enum TextBuilder {
    /// Bytes.
    Bytes(BinaryBuilder, usize),
    /// Characters.
    Text(StringBuilder, usize),
}

impl TextBuilder {
    /// A builder of cells of `data_type`.
    pub(crate) fn new(data_type: DataType) -> Result<Self> {
        Ok(match data_type {
            DataType::Varchar(length) | DataType::VarBinary(length) => Self::Bytes(BinaryBuilder::new(), length as usize),
            DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => Self::Bytes(BinaryBuilder::new(), usize::MAX),
            DataType::NChar(length) => Self::Text(StringBuilder::new(), length as usize),
            DataType::Json => Self::Text(StringBuilder::new(), usize::MAX),
            _ => return Err(cannot_convert()),
        })
    }

    /// Appends a cell. Bytes that are not UTF-8 are refused where characters are due.
    pub(crate) fn append(&mut self, cell: Option<&[u8]>) -> Result<()> {
        match (self, cell) {
            (Self::Bytes(builder, _), None) => builder.append_null(),
            (Self::Text(builder, _), None) => builder.append_null(),
            (Self::Bytes(builder, length), Some(bytes)) => builder.append_value(&bytes[..bytes.len().min(*length)]),
            (Self::Text(builder, length), Some(bytes)) => {
                let text = std::str::from_utf8(bytes).map_err(|source| Error::new(code::CANNOT_CONVERT_TO_SPECIFIC_TYPE).caused_by(source))?;
                builder.append_value(cut_characters(text, *length));
            }
        }
        Ok(())
    }

    /// The column.
    pub(crate) fn finish(self) -> ArrayRef {
        match self {
            Self::Bytes(mut builder, _) => Arc::new(builder.finish()),
            Self::Text(mut builder, _) => Arc::new(builder.finish()),
        }
    }
}

/// The first `length` characters.
fn cut_characters(text: &str, length: usize) -> &str {
    if text.len() <= length {
        return text;
    }
    text.char_indices().nth(length).map_or(text, |(end, _)| &text[..end])
}

/// Cells of variable length as bytes.
pub(crate) enum TextColumn<'a> {
    /// VARCHAR, VARBINARY, GEOMETRY.
    Bytes(&'a arrow_array::BinaryArray),
    /// NCHAR, JSON.
    Text(&'a arrow_array::StringArray),
}

impl<'a> TextColumn<'a> {
    /// The cells of an array of variable length.
    pub(crate) fn new(array: &'a ArrayRef) -> Result<Self> {
        if let Some(array) = array.as_binary_opt::<i32>() {
            Ok(Self::Bytes(array))
        } else if let Some(array) = array.as_string_opt::<i32>() {
            Ok(Self::Text(array))
        } else {
            Err(Error::internal(format!("{} where text is due", array.data_type())))
        }
    }

    /// The cell's bytes, whatever its validity.
    pub(crate) fn value(&self, row: usize) -> &'a [u8] {
        match self {
            Self::Bytes(array) => array.value(row),
            Self::Text(array) => array.value(row).as_bytes(),
        }
    }

    /// The validity.
    pub(crate) fn nulls(&self) -> Option<&'a NullBuffer> {
        match self {
            Self::Bytes(array) => Array::nulls(*array),
            Self::Text(array) => Array::nulls(*array),
        }
    }

    /// The cell, `None` where it is NULL.
    pub(crate) fn get(&self, row: usize) -> Option<&'a [u8]> {
        self.nulls().is_none_or(|nulls| nulls.is_valid(row)).then(|| self.value(row))
    }

    /// Rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bytes(array) => array.len(),
            Self::Text(array) => array.len(),
        }
    }
}

fn from_text(array: &ArrayRef, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    if conversion.from.0 == DataType::Json && conversion.to.0 != DataType::Json {
        return convert_array(&json::texts_of_scalars(array)?, &Conversion { from: (DataType::Varchar(u32::MAX), conversion.from.1), ..*conversion });
    }
    let column = TextColumn::new(array)?;
    macro_rules! parsed {
        ($arrow:ty, $parse:expr) => {{
            let parse = $parse;
            let values = (0..column.len()).map(|row| if array.is_null(row) { Default::default() } else { parse(column.value(row)) });
            Arc::new(PrimitiveArray::<$arrow>::new(values.collect(), array.nulls().cloned()))
        }};
    }
    Ok(match conversion.to.0 {
        DataType::Bool => {
            let values = BooleanBuffer::collect_bool(column.len(), |row| array.is_valid(row) && integer_prefix(column.value(row)) != 0);
            Arc::new(BooleanArray::new(values, array.nulls().cloned()))
        }
        DataType::TinyInt => parsed!(Int8Type, |text| integer_prefix(text) as i8),
        DataType::SmallInt => parsed!(Int16Type, |text| integer_prefix(text) as i16),
        DataType::Int => parsed!(Int32Type, |text| integer_prefix(text) as i32),
        DataType::BigInt => parsed!(Int64Type, integer_prefix),
        DataType::UTinyInt => parsed!(UInt8Type, |text| integer_prefix(text) as u8),
        DataType::USmallInt => parsed!(UInt16Type, |text| integer_prefix(text) as u16),
        DataType::UInt => parsed!(UInt32Type, |text| integer_prefix(text) as u32),
        DataType::UBigInt => parsed!(UInt64Type, unsigned_prefix),
        DataType::Float => parsed!(Float32Type, |text| double_prefix(text) as f32),
        DataType::Double => parsed!(Float64Type, double_prefix),
        DataType::Decimal(precision, scale) => {
            decimal_rows(column.len(), array.nulls(), (precision, scale), |row| decimal::of_text(column.value(row), (precision, scale)))?
        }
        DataType::Timestamp => times(&column, conversion)?,
        DataType::VarBinary(_) if conversion.from.0.is_text() => {
            let mut builder = TextBuilder::new(conversion.to.0)?;
            for row in 0..column.len() {
                match column.get(row) {
                    None => builder.append(None)?,
                    Some(text) => builder.append(Some(&binary_of_text(text)?))?,
                }
            }
            builder.finish()
        }
        DataType::Geometry(_) if conversion.from.0.is_text() => {
            let mut builder = TextBuilder::new(conversion.to.0)?;
            for row in 0..column.len() {
                let shape = column.get(row).map(|text| wkt_to_wkb(&String::from_utf8_lossy(text)).map_err(|_| cannot_convert())).transpose()?;
                builder.append(shape.as_deref())?;
            }
            builder.finish()
        }
        DataType::Null => return Err(cannot_convert()),
        _ => {
            let mut builder = TextBuilder::new(conversion.to.0)?;
            for row in 0..column.len() {
                builder.append(column.get(row))?;
            }
            builder.finish()
        }
    })
}

/// The bytes that text stands for where VARBINARY is due: `\x` and hexadecimal digits, or the text itself.
pub(crate) fn binary_of_text(text: &[u8]) -> Result<Vec<u8>> {
    let Some(digits) = text.strip_prefix(b"\\x").or_else(|| text.strip_prefix(b"\\X")) else { return Ok(text.to_vec()) };
    let invalid = || Error::with(code::INVALID_VARBINARY_VALUE, format!("Invalid varbinary value: {}", String::from_utf8_lossy(text)));
    if digits.len() % 2 == 1 {
        return Err(invalid());
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? * 16 + digit(pair[1])?)).collect::<Option<_>>().ok_or_else(invalid)
}

fn times(column: &TextColumn<'_>, conversion: &Conversion<'_>) -> Result<ArrayRef> {
    let precision = conversion.to.1;
    let mut values = Vec::with_capacity(column.len());
    let mut valid = Vec::with_capacity(column.len());
    for row in 0..column.len() {
        let time = column.get(row).map(|text| parse_timestamp(text, precision, conversion.zone));
        if time == Some(None) && conversion.bad_time == BadTime::Error {
            return Err(Error::new(code::INVALID_TIMESTAMP_FORMAT));
        }
        values.push(time.flatten().unwrap_or(0));
        valid.push(match time {
            None => false,
            Some(None) => conversion.bad_time == BadTime::Epoch,
            Some(Some(_)) => true,
        });
    }
    let nulls = NullBuffer::from(valid);
    Ok(timestamp_array(values.into(), (nulls.null_count() > 0).then_some(nulls), precision))
}
