//! How TDengine's types lie in Arrow: one mapping for operators, wires and users.
//!
//! VARCHAR, VARBINARY, GEOMETRY and BLOB are `Binary`; NCHAR and JSON are `Utf8`; TIMESTAMP is `Timestamp(unit)` in the
//! database's precision, labelled with a zone only when it leaves for a user. The exact type stands in the field's metadata.

use std::collections::HashMap;

use arrow_schema::{DataType as ArrowType, Field, TimeUnit};

use crate::{DataType, Error, Precision, Result};

const TYPE: &str = "embudo.type";
const LENGTH: &str = "embudo.length";
const SCALE: &str = "embudo.scale";

/// The Arrow type that holds values of `data_type`.
pub fn arrow_type(data_type: DataType, precision: Precision) -> ArrowType {
    match data_type {
        DataType::Null => ArrowType::Null,
        DataType::Bool => ArrowType::Boolean,
        DataType::TinyInt => ArrowType::Int8,
        DataType::SmallInt => ArrowType::Int16,
        DataType::Int => ArrowType::Int32,
        DataType::BigInt => ArrowType::Int64,
        DataType::Float => ArrowType::Float32,
        DataType::Double => ArrowType::Float64,
        DataType::Timestamp => ArrowType::Timestamp(time_unit(precision), None),
        DataType::NChar(_) | DataType::Json => ArrowType::Utf8,
        DataType::UTinyInt => ArrowType::UInt8,
        DataType::USmallInt => ArrowType::UInt16,
        DataType::UInt => ArrowType::UInt32,
        DataType::UBigInt => ArrowType::UInt64,
        DataType::Varchar(_) | DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => ArrowType::Binary,
        DataType::Decimal(precision, scale) => ArrowType::Decimal128(precision, scale as i8),
    }
}

/// Arrow's unit of a precision.
pub fn time_unit(precision: Precision) -> TimeUnit {
    match precision {
        Precision::Milli => TimeUnit::Millisecond,
        Precision::Micro => TimeUnit::Microsecond,
        Precision::Nano => TimeUnit::Nanosecond,
    }
}

/// A nullable field whose metadata carries TDengine's type, so that every wire can be written from the schema alone.
pub fn field(name: &str, data_type: DataType, precision: Precision) -> Field {
    let (length, scale) = match data_type {
        DataType::Decimal(precision, scale) => (u32::from(precision), scale),
        other => (other.length(), 0),
    };
    let metadata = HashMap::from([(TYPE.into(), data_type.id().to_string()), (LENGTH.into(), length.to_string()), (SCALE.into(), scale.to_string())]);
    Field::new(name, arrow_type(data_type, precision), true).with_metadata(metadata)
}

/// The TDengine type of a field made by [`field`].
pub fn data_type(field: &Field) -> Result<DataType> {
    let number = |key| field.metadata().get(key).and_then(|text| text.parse::<u32>().ok());
    let (Some(id), Some(length)) = (number(TYPE), number(LENGTH)) else {
        return Err(Error::internal(format!("field {} has no TDengine type", field.name())));
    };
    Ok(match DataType::from_id(id as u8, length)? {
        DataType::Decimal(..) => DataType::Decimal(length as u8, number(SCALE).unwrap_or(0) as u8),
        other => other,
    })
}

/// The precision of a timestamp field; milliseconds for any other.
pub fn precision(field: &Field) -> Precision {
    match field.data_type() {
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => Precision::Micro,
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => Precision::Nano,
        _ => Precision::Milli,
    }
}
