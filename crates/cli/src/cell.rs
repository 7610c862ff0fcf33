//! Cells as people read them: numbers as REST shows them, timestamps in the session's zone, binary values as hexadecimal digits.

use std::fmt::Write;

use arrow_array::{
    Array, ArrayRef,
    cast::AsArray,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType as ArrowType, Field, TimeUnit};
use embudo_types::{DataType, Precision, Result, Zone, arrow, format_rfc3339};
use embudo_wire::number;

/// How one column is shown.
#[derive(Clone)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    precision: Precision,
    zone: Zone,
    /// Whether instants carry their offset, so that they read back as the same instant.
    exact: bool,
}

impl Column {
    /// The column of a result's field.
    pub fn new(field: &Field, zone: &Zone) -> Result<Self> {
        Ok(Self { name: field.name().clone(), data_type: arrow::data_type(field)?, precision: arrow::precision(field), zone: zone.clone(), exact: false })
    }

    /// The same column for programs: timestamps as RFC 3339.
    pub fn exact(field: &Field, zone: &Zone) -> Result<Self> {
        Ok(Self { exact: true, ..Self::new(field, zone)? })
    }

    /// Whether its cells are flushed right.
    pub fn is_numeric(&self) -> bool {
        self.data_type.is_numeric()
    }

    /// One cell's text; `None` for NULL.
    pub fn text(&self, array: &ArrayRef, row: usize) -> Option<String> {
        if array.is_null(row) {
            return None;
        }
        let mut bytes = Vec::new();
        match array.data_type() {
            ArrowType::Boolean => return Some(array.as_boolean().value(row).to_string()),
            ArrowType::Int8 => number::write_integer(array.as_primitive::<Int8Type>().value(row), &mut bytes),
            ArrowType::Int16 => number::write_integer(array.as_primitive::<Int16Type>().value(row), &mut bytes),
            ArrowType::Int32 => number::write_integer(array.as_primitive::<Int32Type>().value(row), &mut bytes),
            ArrowType::Int64 => number::write_integer(array.as_primitive::<Int64Type>().value(row), &mut bytes),
            ArrowType::UInt8 => number::write_integer(array.as_primitive::<UInt8Type>().value(row), &mut bytes),
            ArrowType::UInt16 => number::write_integer(array.as_primitive::<UInt16Type>().value(row), &mut bytes),
            ArrowType::UInt32 => number::write_integer(array.as_primitive::<UInt32Type>().value(row), &mut bytes),
            ArrowType::UInt64 => number::write_integer(array.as_primitive::<UInt64Type>().value(row), &mut bytes),
            ArrowType::Float32 => number::write_single(array.as_primitive::<Float32Type>().value(row), &mut bytes),
            ArrowType::Float64 => number::write_double(array.as_primitive::<Float64Type>().value(row), &mut bytes),
            ArrowType::Decimal128(_, scale) => number::write_decimal(array.as_primitive::<Decimal128Type>().value(row), scale.unsigned_abs(), &mut bytes),
            ArrowType::Timestamp(unit, _) => return Some(self.instant(ticks(array, *unit, row))),
            ArrowType::Utf8 => return Some(array.as_string::<i32>().value(row).to_owned()),
            ArrowType::Binary => return Some(self.binary(array.as_binary::<i32>().value(row))),
            _ => return None,
        }
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn binary(&self, value: &[u8]) -> String {
        if self.data_type.is_text() {
            return String::from_utf8_lossy(value).into_owned();
        }
        value.iter().fold(String::with_capacity(value.len() * 2), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// `2018-10-03 14:38:05.000`, without the zone, as TDengine's own shell shows it; or exact.
    fn instant(&self, ticks: i64) -> String {
        let mut text = String::new();
        format_rfc3339(ticks, self.precision, &self.zone, &mut text);
        if self.exact {
            return text;
        }
        if let Some(point) = text.find('.') {
            text.truncate(point + 1 + self.precision.digits());
        }
        text.replacen('T', " ", 1)
    }
}

fn ticks(array: &ArrayRef, unit: TimeUnit, row: usize) -> i64 {
    match unit {
        TimeUnit::Nanosecond => array.as_primitive::<TimestampNanosecondType>().value(row),
        TimeUnit::Microsecond => array.as_primitive::<TimestampMicrosecondType>().value(row),
        _ => array.as_primitive_opt::<TimestampMillisecondType>().map_or(0, |array| array.value(row)),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Float64Array, StringArray, TimestampMicrosecondArray};
    use embudo_types::arrow::field;

    use super::*;

    #[test]
    fn cells_as_people_read_them() {
        let shanghai = Zone::named("Asia/Shanghai").unwrap();
        let text = |data_type, array: ArrayRef| Column::new(&field("c", data_type, Precision::Micro), &shanghai).unwrap().text(&array, 0);
        assert_eq!(text(DataType::Timestamp, Arc::new(TimestampMicrosecondArray::from(vec![1]))).unwrap(), "1970-01-01 08:00:00.000001");
        assert_eq!(text(DataType::Double, Arc::new(Float64Array::from(vec![1e21]))).unwrap(), "1e+21");
        assert_eq!(text(DataType::Varchar(3), Arc::new(BinaryArray::from(vec![b"ab\xff".as_slice()]))).unwrap(), "ab\u{fffd}");
        assert_eq!(text(DataType::VarBinary(3), Arc::new(BinaryArray::from(vec![b"ab\xff".as_slice()]))).unwrap(), "6162ff");
        assert_eq!(text(DataType::NChar(3), Arc::new(StringArray::from(vec![None::<&str>]))), None);
    }
}
