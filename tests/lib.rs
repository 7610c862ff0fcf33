//! A corpus file's view of a result: column letters and cells as text, the same for every transport.
//!
//! Letters: `I` integers, `R` floats and decimals, `B` BOOL, `W` timestamps ("when"), `T` text, `J` JSON, `X` bytes, `N` a bare NULL.
//! Cells: timestamps in UTC to their precision, bytes as `\x…`, NULL as `NULL`, empty text as `(empty)`, control characters and
//! backslashes of text escaped as in Rust.

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, StringArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::Field;
use embudo_types::{DataType, Precision, Result, Zone, arrow, format_rfc3339};

/// The letter of a column's type.
pub fn letter(data_type: DataType) -> char {
    match data_type {
        DataType::Null => 'N',
        DataType::Bool => 'B',
        DataType::Timestamp => 'W',
        DataType::Varchar(_) | DataType::NChar(_) => 'T',
        DataType::Json => 'J',
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => 'X',
        DataType::Float | DataType::Double | DataType::Decimal(..) => 'R',
        _ => 'I',
    }
}

/// One cell as the corpus writes it.
pub fn cell(field: &Field, array: &ArrayRef, row: usize) -> Result<String> {
    if array.is_null(row) || arrow::data_type(field)? == DataType::Null {
        return Ok("NULL".into());
    }
    let text = match arrow::data_type(field)? {
        DataType::Timestamp => timestamp(arrow::precision(field), array, row),
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => bytes(array, row),
        _ => plain(array, row),
    };
    Ok(if text.is_empty() { "(empty)".into() } else { text })
}

fn timestamp(precision: Precision, array: &ArrayRef, row: usize) -> String {
    let any = array.as_any();
    let ticks = any
        .downcast_ref::<TimestampMillisecondArray>()
        .map(|array| array.value(row))
        .or_else(|| any.downcast_ref::<TimestampMicrosecondArray>().map(|array| array.value(row)))
        .or_else(|| any.downcast_ref::<TimestampNanosecondArray>().map(|array| array.value(row)));
    let mut out = String::new();
    format_rfc3339(ticks.unwrap_or_default(), precision, &Zone::utc(), &mut out);
    out
}

fn bytes(array: &ArrayRef, row: usize) -> String {
    use std::fmt::Write as _;
    let mut out = String::from("\\x");
    for byte in array.as_any().downcast_ref::<BinaryArray>().map_or(&[][..], |array| array.value(row)) {
        let _ = write!(out, "{byte:02x}");
    }
    out
}

fn plain(array: &ArrayRef, row: usize) -> String {
    macro_rules! try_each {
        ($($kind:ty),*) => {
            $(if let Some(array) = array.as_any().downcast_ref::<$kind>() { return array.value(row).to_string(); })*
        };
    }
    try_each!(BooleanArray, Int8Array, Int16Array, Int32Array, Int64Array, UInt8Array, UInt16Array, UInt32Array, UInt64Array, Float32Array, Float64Array);
    if let Some(array) = array.as_any().downcast_ref::<StringArray>() {
        return escaped(array.value(row));
    }
    if let Some(array) = array.as_any().downcast_ref::<Decimal128Array>() {
        return array.value_as_string(row);
    }
    array.as_any().downcast_ref::<BinaryArray>().map_or_else(String::new, |array| escaped(&String::from_utf8_lossy(array.value(row))))
}

/// Text on one line.
fn escaped(text: &str) -> String {
    let is_plain = |char: char| !char.is_control() && char != '\\';
    if text.chars().all(is_plain) {
        text.into()
    } else {
        text.chars().map(|char| if is_plain(char) { char.to_string() } else { char.escape_default().to_string() }).collect()
    }
}
