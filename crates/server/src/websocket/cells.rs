//! JSON values of `bind` and `set_tags` as cells of a column.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, NullArray, UInt64Array,
    builder::{BinaryBuilder, StringBuilder},
};
use embudo_types::{DataType, Error, Precision, Result, Zone, code, parse_timestamp};
use serde_json::Value as Json;

/// Cells of a column of this type. Texts that are times are read in UTC, as RFC 3339 has it.
pub fn column(values: &[Json], data_type: DataType, precision: Precision) -> Result<ArrayRef> {
    let refused = |value: &Json| Error::with(code::UNCLASSIFIED, format!("{value} is no value of type {}", data_type.name()));
    Ok(match data_type {
        DataType::Null => Arc::new(NullArray::new(values.len())),
        DataType::Bool => Arc::new(BooleanArray::from(list(values, boolean, refused)?)),
        DataType::UBigInt => Arc::new(UInt64Array::from(list(values, Json::as_u64, refused)?)),
        DataType::Float | DataType::Double => Arc::new(Float64Array::from(list(values, Json::as_f64, refused)?)),
        DataType::Timestamp => Arc::new(Int64Array::from(list(values, |value| ticks(value, precision), refused)?)),
        other if other.is_integer() => Arc::new(Int64Array::from(list(values, Json::as_i64, refused)?)),
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => {
            let mut builder = BinaryBuilder::new();
            list(values, |value| value.as_str().and_then(from_hex), refused)?.into_iter().for_each(|cell| builder.append_option(cell));
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringBuilder::new();
            let text = |value: &Json| match value {
                Json::String(text) => Some(text.clone()),
                // A decimal, or a text that was sent without quotes.
                Json::Number(number) => Some(number.to_string()),
                _ => None,
            };
            list(values, text, refused)?.into_iter().for_each(|cell| builder.append_option(cell));
            Arc::new(builder.finish())
        }
    })
}

/// Cells of a parameter of a query, whose type nobody knows but the value.
pub fn parameter(value: &Json) -> Result<ArrayRef> {
    let data_type = match value {
        Json::Null => DataType::Null,
        Json::Bool(_) => DataType::Bool,
        Json::Number(number) if number.is_i64() => DataType::BigInt,
        Json::Number(number) if number.is_u64() => DataType::UBigInt,
        Json::Number(_) => DataType::Double,
        _ => DataType::Varchar(0),
    };
    column(std::slice::from_ref(value), data_type, Precision::Milli)
}

/// Values but NULLs, each as `read` has it.
fn list<T>(values: &[Json], read: impl Fn(&Json) -> Option<T>, refused: impl Fn(&Json) -> Error) -> Result<Vec<Option<T>>> {
    values.iter().map(|value| if value.is_null() { Ok(None) } else { read(value).map(Some).ok_or_else(|| refused(value)) }).collect()
}

fn boolean(value: &Json) -> Option<bool> {
    value.as_bool().or_else(|| value.as_f64().map(|number| number != 0.0))
}

fn ticks(value: &Json, precision: Precision) -> Option<i64> {
    match value {
        Json::Number(number) => number.as_i64(),
        Json::String(text) => parse_timestamp(text.as_bytes(), precision, &Zone::utc()),
        _ => None,
    }
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|digit| digit.to_digit(16).map(|digit| digit as u8)).collect::<Option<_>>()?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, cast::AsArray};
    use serde_json::json;

    use super::*;

    #[test]
    fn values_in_all_their_forms() {
        let cells = |values: Json, data_type| column(values.as_array().unwrap(), data_type, Precision::Milli);
        let times = cells(json!([1_700_000_000_000_i64, "2023-11-14T22:13:20.001Z", null]), DataType::Timestamp).unwrap();
        let times = times.as_primitive::<arrow_array::types::Int64Type>();
        assert_eq!((times.value(0), times.value(1), times.is_null(2)), (1_700_000_000_000, 1_700_000_000_001, true));
        let bytes = cells(json!(["01ff", ""]), DataType::VarBinary(4)).unwrap();
        assert_eq!(bytes.as_binary::<i32>().value(0), [1, 255]);
        assert!(cells(json!(["0"]), DataType::VarBinary(4)).is_err());
        assert!(cells(json!(["[1, 255]"]), DataType::VarBinary(4)).is_err());
        assert!(cells(json!([1.5]), DataType::Int).is_err());
        let large = cells(json!([u64::MAX]), DataType::UBigInt).unwrap();
        assert_eq!(large.as_primitive::<arrow_array::types::UInt64Type>().value(0), u64::MAX);
    }
}
