//! TDengine's data types: ids, names, widths and limits (spec/sql.md section 2, spec/protocols.md 0.2).

use crate::{Error, Result, code};

/// A column's, tag's or expression's type. Lengths of [`Varchar`](Self::Varchar), [`VarBinary`](Self::VarBinary) and
/// [`Geometry`](Self::Geometry) are bytes, of [`NChar`](Self::NChar) characters, without any header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DataType {
    /// The type of a bare NULL.
    Null,
    /// True or false.
    Bool,
    /// 8-bit signed.
    TinyInt,
    /// 16-bit signed.
    SmallInt,
    /// 32-bit signed.
    Int,
    /// 64-bit signed.
    BigInt,
    /// 32-bit IEEE.
    Float,
    /// 64-bit IEEE.
    Double,
    /// Bytes, usually UTF-8 text; BINARY is its alias.
    Varchar(u32),
    /// Ticks since 1970-01-01 UTC in the database's precision.
    Timestamp,
    /// Unicode text, counted in characters.
    NChar(u32),
    /// 8-bit unsigned.
    UTinyInt,
    /// 16-bit unsigned.
    USmallInt,
    /// 32-bit unsigned.
    UInt,
    /// 64-bit unsigned.
    UBigInt,
    /// JSON object of a tag, or a value taken out of one.
    Json,
    /// Bytes.
    VarBinary(u32),
    /// Exact decimal of `precision` digits, `scale` of them after the point.
    Decimal(u8, u8),
    /// Large bytes.
    Blob,
    /// Larger bytes.
    MediumBlob,
    /// A shape as little-endian WKB.
    Geometry(u32),
}

/// Longest VARCHAR, VARBINARY or GEOMETRY column in bytes.
pub const MAX_VARCHAR: u32 = 65_517;
/// Longest NCHAR column in characters.
pub const MAX_NCHAR: u32 = 16_379;
/// Length that metadata gives for a JSON tag.
pub const JSON_LENGTH: u32 = 4_095;

impl DataType {
    /// TDengine's type id, as on every wire.
    pub fn id(self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool => 1,
            Self::TinyInt => 2,
            Self::SmallInt => 3,
            Self::Int => 4,
            Self::BigInt => 5,
            Self::Float => 6,
            Self::Double => 7,
            Self::Varchar(_) => 8,
            Self::Timestamp => 9,
            Self::NChar(_) => 10,
            Self::UTinyInt => 11,
            Self::USmallInt => 12,
            Self::UInt => 13,
            Self::UBigInt => 14,
            Self::Json => 15,
            Self::VarBinary(_) => 16,
            Self::Decimal(precision, _) if precision > 18 => 17,
            Self::Decimal(..) => 21,
            Self::Blob => 18,
            Self::MediumBlob => 19,
            Self::Geometry(_) => 20,
        }
    }

    /// The type of an id with its user length (precision and scale of decimals come separately).
    pub fn from_id(id: u8, length: u32) -> Result<Self> {
        Ok(match id {
            0 => Self::Null,
            1 => Self::Bool,
            2 => Self::TinyInt,
            3 => Self::SmallInt,
            4 => Self::Int,
            5 => Self::BigInt,
            6 => Self::Float,
            7 => Self::Double,
            8 => Self::Varchar(length),
            9 => Self::Timestamp,
            10 => Self::NChar(length),
            11 => Self::UTinyInt,
            12 => Self::USmallInt,
            13 => Self::UInt,
            14 => Self::UBigInt,
            15 => Self::Json,
            16 => Self::VarBinary(length),
            17 => Self::Decimal(38, 0),
            18 => Self::Blob,
            19 => Self::MediumBlob,
            20 => Self::Geometry(length),
            21 => Self::Decimal(18, 0),
            _ => return Err(Error::with(code::INVALID_PARAMETERS, format!("unknown type id {id}"))),
        })
    }

    /// The name that metadata shows, without a length: `TINYINT UNSIGNED`, `VARCHAR`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Bool => "BOOL",
            Self::TinyInt => "TINYINT",
            Self::SmallInt => "SMALLINT",
            Self::Int => "INT",
            Self::BigInt => "BIGINT",
            Self::Float => "FLOAT",
            Self::Double => "DOUBLE",
            Self::Varchar(_) => "VARCHAR",
            Self::Timestamp => "TIMESTAMP",
            Self::NChar(_) => "NCHAR",
            Self::UTinyInt => "TINYINT UNSIGNED",
            Self::USmallInt => "SMALLINT UNSIGNED",
            Self::UInt => "INT UNSIGNED",
            Self::UBigInt => "BIGINT UNSIGNED",
            Self::Json => "JSON",
            Self::VarBinary(_) => "VARBINARY",
            Self::Decimal(..) => "DECIMAL",
            Self::Blob => "BLOB",
            Self::MediumBlob => "MEDIUMBLOB",
            Self::Geometry(_) => "GEOMETRY",
        }
    }

    /// User length: what REST's `column_meta` and DESCRIBE show; the byte width of fixed types.
    pub fn length(self) -> u32 {
        match self {
            Self::Null | Self::Bool | Self::TinyInt | Self::UTinyInt => 1,
            Self::SmallInt | Self::USmallInt => 2,
            Self::Int | Self::UInt | Self::Float => 4,
            Self::BigInt | Self::UBigInt | Self::Double | Self::Timestamp => 8,
            Self::Varchar(n) | Self::NChar(n) | Self::VarBinary(n) | Self::Geometry(n) => n,
            Self::Json => JSON_LENGTH,
            Self::Decimal(precision, _) => {
                if precision > 18 {
                    16
                } else {
                    8
                }
            }
            Self::Blob | Self::MediumBlob => 4_194_304,
        }
    }

    /// Storage length: bytes a row counts for it, with the 2-byte header of variable types; NCHAR and JSON count 4 a character.
    pub fn storage_length(self) -> u32 {
        match self {
            Self::Varchar(n) | Self::VarBinary(n) | Self::Geometry(n) => n + 2,
            Self::NChar(n) => 4 * n + 2,
            Self::Json => 4 * JSON_LENGTH + 2,
            fixed => fixed.length(),
        }
    }

    /// Whether values have varying lengths.
    pub fn is_variable(self) -> bool {
        matches!(self, Self::Varchar(_) | Self::NChar(_) | Self::Json | Self::VarBinary(_) | Self::Geometry(_) | Self::Blob | Self::MediumBlob)
    }

    /// VARCHAR or NCHAR.
    pub fn is_text(self) -> bool {
        matches!(self, Self::Varchar(_) | Self::NChar(_))
    }

    /// Signed or unsigned integer (not BOOL, not TIMESTAMP).
    pub fn is_integer(self) -> bool {
        self.is_signed() || self.is_unsigned()
    }

    /// Signed integer.
    pub fn is_signed(self) -> bool {
        matches!(self, Self::TinyInt | Self::SmallInt | Self::Int | Self::BigInt)
    }

    /// Unsigned integer.
    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::UTinyInt | Self::USmallInt | Self::UInt | Self::UBigInt)
    }

    /// Integer, FLOAT, DOUBLE or DECIMAL: what the function tables call NUM.
    pub fn is_numeric(self) -> bool {
        self.is_integer() || matches!(self, Self::Float | Self::Double | Self::Decimal(..))
    }
}

/// The SQL spelling, with the length where the type has one: `VARCHAR(24)`, `DECIMAL(10,2)`.
impl std::fmt::Display for DataType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Varchar(n) | Self::NChar(n) | Self::VarBinary(n) | Self::Geometry(n) => write!(f, "{}({n})", self.name()),
            Self::Decimal(precision, scale) => write!(f, "DECIMAL({precision},{scale})"),
            _ => f.write_str(self.name()),
        }
    }
}
