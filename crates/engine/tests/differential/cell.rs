//! Cells of the model: wide enough for every type, compared and written without the engine's help.

use std::cmp::Ordering;
use std::fmt::Write as _;

use embudo_types::Value;

#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    Null,
    Bool(bool),
    Int(i128),
    Real(f64),
    Text(Vec<u8>),
    Time(i64),
    Bytes(Vec<u8>),
    /// Hundredths.
    Decimal(i128),
}

impl Cell {
    pub fn text(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }

    /// What the engine answered.
    pub fn of(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(v) => Self::Bool(v),
            Value::TinyInt(v) => Self::Int(v.into()),
            Value::SmallInt(v) => Self::Int(v.into()),
            Value::Int(v) => Self::Int(v.into()),
            Value::BigInt(v) => Self::Int(v.into()),
            Value::UTinyInt(v) => Self::Int(v.into()),
            Value::USmallInt(v) => Self::Int(v.into()),
            Value::UInt(v) => Self::Int(v.into()),
            Value::UBigInt(v) => Self::Int(v.into()),
            Value::Float(v) => Self::Real(v.into()),
            Value::Double(v) => Self::Real(v),
            Value::Timestamp(v) => Self::Time(v),
            Value::Varchar(v) => Self::Text(v),
            Value::NChar(v) | Value::Json(v) => Self::Text(v.into_bytes()),
            Value::VarBinary(v) | Value::Geometry(v) | Value::Blob(v) => Self::Bytes(v),
            Value::Decimal(v, _, _) => Self::Decimal(v),
        }
    }

    pub fn is_null(&self) -> bool {
        *self == Self::Null
    }

    /// As a number in arithmetic.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Bool(v) => Some(f64::from(u8::from(*v))),
            Self::Int(v) => Some(*v as f64),
            Self::Real(v) => Some(*v),
            Self::Time(v) => Some(*v as f64),
            _ => None,
        }
    }

    /// As a literal.
    pub fn sql(&self) -> String {
        match self {
            Self::Null => "NULL".into(),
            Self::Bool(v) => v.to_string(),
            Self::Int(v) => v.to_string(),
            Self::Real(v) => format!("{v:?}"),
            Self::Time(v) => v.to_string(),
            Self::Text(v) => format!("'{}'", String::from_utf8_lossy(v).replace('\\', "\\\\").replace('\'', "''")),
            Self::Bytes(v) => {
                let mut out = String::from("'\\x");
                for byte in v {
                    let _ = write!(out, "{byte:02x}");
                }
                out + "'"
            }
            Self::Decimal(v) => format!("{}{}.{:02}", if *v < 0 { "-" } else { "" }, v.unsigned_abs() / 100, v.unsigned_abs() % 100),
        }
    }

    /// The order of ORDER BY: NULL below everything.
    pub fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            _ => self.compare(other).unwrap_or(Ordering::Equal),
        }
    }

    /// How two values stand to each other; `None` where one is NULL.
    pub fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Null, _) | (_, Self::Null) => None,
            (Self::Text(a), Self::Text(b)) | (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Int(a), Self::Int(b)) | (Self::Decimal(a), Self::Decimal(b)) => Some(a.cmp(b)),
            (Self::Time(a), Self::Time(b)) => Some(a.cmp(b)),
            _ => self.number()?.partial_cmp(&other.number()?),
        }
    }

    /// Whether an answer is what was expected: sums of fractions may differ in their last bits.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Real(a), Self::Real(b)) => a == b || (a - b).abs() <= 1e-9 * a.abs().max(b.abs()).max(1e-3),
            _ => self == other,
        }
    }
}

/// As a corpus file writes it.
pub fn shown(cell: &Cell) -> String {
    match cell {
        Cell::Text(v) if v.is_empty() => "(empty)".into(),
        Cell::Text(v) => String::from_utf8_lossy(v).into_owned(),
        Cell::Bytes(_) => cell.sql().trim_matches('\'').to_owned(),
        _ => cell.sql(),
    }
}
