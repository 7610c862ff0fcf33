//! Texts of a CSV column into an Arrow array of the table's type.

use std::{str::FromStr, sync::Arc};

use arrow_array::{
    ArrayRef, ArrowPrimitiveType, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, StringArray,
    types::{
        Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType,
        UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use embudo_types::{DataType, Precision, Zone, parse_timestamp};

/// A cell that its column's type does not take.
#[derive(Debug, PartialEq)]
pub struct BadCell {
    /// Its row.
    pub row: usize,
}

/// The array of a column; `None` becomes NULL. Timestamps are texts (in `zone` where they name none) or ticks, binary values
/// hexadecimal digits.
pub fn parse_column(data_type: DataType, precision: Precision, cells: &[Option<&str>], zone: &Zone) -> Result<ArrayRef, BadCell> {
    Ok(match data_type {
        DataType::Bool => Arc::new(BooleanArray::from(values(cells, boolean)?)),
        DataType::TinyInt => numbers::<Int8Type>(cells)?,
        DataType::SmallInt => numbers::<Int16Type>(cells)?,
        DataType::Int => numbers::<Int32Type>(cells)?,
        DataType::BigInt => numbers::<Int64Type>(cells)?,
        DataType::UTinyInt => numbers::<UInt8Type>(cells)?,
        DataType::USmallInt => numbers::<UInt16Type>(cells)?,
        DataType::UInt => numbers::<UInt32Type>(cells)?,
        DataType::UBigInt => numbers::<UInt64Type>(cells)?,
        DataType::Float => numbers::<Float32Type>(cells)?,
        DataType::Double => numbers::<Float64Type>(cells)?,
        DataType::Timestamp => {
            let ticks = values(cells, |text| text.trim().parse().ok().or_else(|| parse_timestamp(text.trim().as_bytes(), precision, zone)))?;
            match precision {
                Precision::Milli => Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(ticks)),
                Precision::Micro => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::from(ticks)),
                Precision::Nano => Arc::new(PrimitiveArray::<TimestampNanosecondType>::from(ticks)),
            }
        }
        DataType::NChar(_) | DataType::Json => Arc::new(StringArray::from(cells.to_vec())),
        DataType::Varchar(_) => Arc::new(BinaryArray::from(cells.iter().map(|cell| cell.map(str::as_bytes)).collect::<Vec<_>>())),
        DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => {
            Arc::new(values(cells, hexadecimal)?.into_iter().collect::<BinaryArray>())
        }
        DataType::Decimal(digits, scale) => {
            let unscaled = values(cells, |text| decimal(text.trim(), scale).filter(|value| value.unsigned_abs() < 10_u128.pow(u32::from(digits))))?;
            let array = Decimal128Array::from(unscaled).with_precision_and_scale(digits, scale as i8);
            Arc::new(array.map_err(|_| BadCell { row: 0 })?)
        }
        DataType::Null => Arc::new(arrow_array::NullArray::new(cells.len())),
    })
}

fn values<T>(cells: &[Option<&str>], parse: impl Fn(&str) -> Option<T>) -> Result<Vec<Option<T>>, BadCell> {
    let value = |(row, cell): (usize, Option<&str>)| match cell {
        None => Ok(None),
        Some(text) => parse(text).map(Some).ok_or(BadCell { row }),
    };
    cells.iter().copied().enumerate().map(value).collect()
}

fn numbers<T: ArrowPrimitiveType<Native: FromStr>>(cells: &[Option<&str>]) -> Result<ArrayRef, BadCell> {
    Ok(Arc::new(values(cells, |text| text.trim().parse().ok())?.into_iter().collect::<PrimitiveArray<T>>()))
}

fn boolean(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "true" | "t" | "1" => Some(true),
        "false" | "f" | "0" => Some(false),
        _ => None,
    }
}

fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim().trim_start_matches("\\x").as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect()
}

/// The value times 10^scale; more fraction digits than the scale has must be zeros.
fn decimal(text: &str, scale: u8) -> Option<i128> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text.trim_start_matches('+')), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let scale = usize::from(scale);
    let (kept, cut) = fraction.split_at_checked(scale).unwrap_or((fraction, ""));
    if whole.is_empty() && fraction.is_empty() || cut.bytes().any(|byte| byte != b'0') || !digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return None;
    }
    let unscaled = format!("{whole}{kept:0<scale$}").parse::<i128>().ok()?;
    Some(if negative { -unscaled } else { unscaled })
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, cast::AsArray};

    use super::*;

    #[test]
    fn cells_become_values_of_the_type() {
        let parse = |data_type, cells: &[Option<&str>]| parse_column(data_type, Precision::Milli, cells, &Zone::utc());
        let ticks = parse(DataType::Timestamp, &[Some("1970-01-01T08:00:01.5+08:00"), Some("7"), None]).unwrap();
        assert_eq!(ticks.as_primitive::<TimestampMillisecondType>().values()[..2], [1_500, 7]);
        assert!(ticks.is_null(2));
        assert_eq!(parse(DataType::VarBinary(4), &[Some("98f4"), Some("9")]).unwrap_err(), BadCell { row: 1 });
        assert_eq!(parse(DataType::TinyInt, &[Some("127"), None, Some("128")]).unwrap_err(), BadCell { row: 2 });
        assert!(parse(DataType::Bool, &[Some("TRUE"), Some("0")]).is_ok());
    }

    #[test]
    fn decimals_keep_every_digit() {
        for (text, scale, value) in [
            ("12.5", 2, Some(1_250)),
            ("-0.05", 2, Some(-5)),
            ("7", 0, Some(7)),
            (".5", 1, Some(5)),
            ("1.230", 2, Some(123)),
            ("1.234", 2, None),
            ("", 2, None),
            ("1.2.3", 4, None),
            ("x", 0, None),
        ] {
            assert_eq!(decimal(text, scale), value, "{text}");
        }
    }
}
