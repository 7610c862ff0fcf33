//! One typed value: a literal, a tag's value, a parameter, a cell on its way to a user.

use crate::DataType;

/// A single value. Timestamps are ticks; whoever holds the value knows their precision.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value.
    #[default]
    Null,
    /// BOOL.
    Bool(bool),
    /// TINYINT.
    TinyInt(i8),
    /// SMALLINT.
    SmallInt(i16),
    /// INT.
    Int(i32),
    /// BIGINT.
    BigInt(i64),
    /// TINYINT UNSIGNED.
    UTinyInt(u8),
    /// SMALLINT UNSIGNED.
    USmallInt(u16),
    /// INT UNSIGNED.
    UInt(u32),
    /// BIGINT UNSIGNED.
    UBigInt(u64),
    /// FLOAT.
    Float(f32),
    /// DOUBLE.
    Double(f64),
    /// TIMESTAMP, ticks.
    Timestamp(i64),
    /// VARCHAR: bytes, usually UTF-8.
    Varchar(Vec<u8>),
    /// NCHAR.
    NChar(String),
    /// JSON text: an object with sorted keys, or a scalar taken out of one.
    Json(String),
    /// VARBINARY.
    VarBinary(Vec<u8>),
    /// GEOMETRY as WKB.
    Geometry(Vec<u8>),
    /// DECIMAL: unscaled value, precision, scale.
    Decimal(i128, u8, u8),
    /// BLOB.
    Blob(Vec<u8>),
}

impl Value {
    /// Whether this is NULL.
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The type of the value; lengths are those of the value itself.
    pub fn data_type(&self) -> DataType {
        match self {
            Self::Null => DataType::Null,
            Self::Bool(_) => DataType::Bool,
            Self::TinyInt(_) => DataType::TinyInt,
            Self::SmallInt(_) => DataType::SmallInt,
            Self::Int(_) => DataType::Int,
            Self::BigInt(_) => DataType::BigInt,
            Self::UTinyInt(_) => DataType::UTinyInt,
            Self::USmallInt(_) => DataType::USmallInt,
            Self::UInt(_) => DataType::UInt,
            Self::UBigInt(_) => DataType::UBigInt,
            Self::Float(_) => DataType::Float,
            Self::Double(_) => DataType::Double,
            Self::Timestamp(_) => DataType::Timestamp,
            Self::Varchar(bytes) => DataType::Varchar(bytes.len() as u32),
            Self::NChar(text) => DataType::NChar(text.chars().count() as u32),
            Self::Json(_) => DataType::Json,
            Self::VarBinary(bytes) => DataType::VarBinary(bytes.len() as u32),
            Self::Geometry(bytes) => DataType::Geometry(bytes.len() as u32),
            Self::Decimal(_, precision, scale) => DataType::Decimal(*precision, *scale),
            Self::Blob(_) => DataType::Blob,
        }
    }
}
