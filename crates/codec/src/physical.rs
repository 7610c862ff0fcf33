//! How a column's values lie in a chunk: the Arrow type without what the schema knows anyway.

use arrow_schema::DataType as ArrowType;
use embudo_types::{Error, Result};

/// What a chunk holds. Timestamps are `Int64`; a decimal's precision and scale, a timestamp's unit stand in the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PhysicalType {
    /// No values at all.
    Null = 0,
    /// Bits.
    Boolean = 1,
    /// 8-bit signed.
    Int8 = 2,
    /// 16-bit signed.
    Int16 = 3,
    /// 32-bit signed.
    Int32 = 4,
    /// 64-bit signed, timestamps too.
    Int64 = 5,
    /// 8-bit unsigned.
    UInt8 = 6,
    /// 16-bit unsigned.
    UInt16 = 7,
    /// 32-bit unsigned.
    UInt32 = 8,
    /// 64-bit unsigned.
    UInt64 = 9,
    /// 32-bit IEEE.
    Float32 = 10,
    /// 64-bit IEEE.
    Float64 = 11,
    /// 128-bit signed.
    Decimal128 = 12,
    /// Byte strings.
    Binary = 13,
    /// UTF-8 strings.
    Utf8 = 14,
}

impl PhysicalType {
    const ALL: [Self; 15] = [
        Self::Null,
        Self::Boolean,
        Self::Int8,
        Self::Int16,
        Self::Int32,
        Self::Int64,
        Self::UInt8,
        Self::UInt16,
        Self::UInt32,
        Self::UInt64,
        Self::Float32,
        Self::Float64,
        Self::Decimal128,
        Self::Binary,
        Self::Utf8,
    ];

    /// The number in files.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The type of a number in a file.
    pub fn from_id(id: u8) -> Result<Self> {
        Self::ALL.get(usize::from(id)).copied().ok_or_else(|| Error::corrupt(format!("unknown physical type {id}")))
    }

    /// How values of an Arrow type lie; the types are those of `embudo_types::arrow::arrow_type`.
    pub fn of(data_type: &ArrowType) -> Result<Self> {
        Ok(match data_type {
            ArrowType::Null => Self::Null,
            ArrowType::Boolean => Self::Boolean,
            ArrowType::Int8 => Self::Int8,
            ArrowType::Int16 => Self::Int16,
            ArrowType::Int32 => Self::Int32,
            ArrowType::Int64 | ArrowType::Timestamp(..) => Self::Int64,
            ArrowType::UInt8 => Self::UInt8,
            ArrowType::UInt16 => Self::UInt16,
            ArrowType::UInt32 => Self::UInt32,
            ArrowType::UInt64 => Self::UInt64,
            ArrowType::Float32 => Self::Float32,
            ArrowType::Float64 => Self::Float64,
            ArrowType::Decimal128(..) => Self::Decimal128,
            ArrowType::Binary => Self::Binary,
            ArrowType::Utf8 => Self::Utf8,
            other => return Err(Error::internal(format!("no column has the Arrow type {other}"))),
        })
    }

    /// Bytes of a value; 0 for bits, variable length and no values.
    pub fn width(self) -> usize {
        match self {
            Self::Null | Self::Boolean | Self::Binary | Self::Utf8 => 0,
            Self::Int8 | Self::UInt8 => 1,
            Self::Int16 | Self::UInt16 => 2,
            Self::Int32 | Self::UInt32 | Self::Float32 => 4,
            Self::Int64 | Self::UInt64 | Self::Float64 => 8,
            Self::Decimal128 => 16,
        }
    }
}
