//! Schemaless writing: InfluxDB lines, OpenTSDB telnet lines and OpenTSDB JSON become [`Point`]s. What a point does to tables is the
//! engine's business. Formats and rules: spec/protocols.md 2.1 and 2.2, spec/sql.md 8.4; messages as a TDengine 3.3.1 was seen to give them.
//!
//! ```
//! use embudo_wire::schemaless::{FieldValue, TimeUnit, parse_influx};
//! let mut seen = Vec::new();
//! parse_influx("cpu,host=a usage=0.5,n=3i32 1710028800000", TimeUnit::Milli, &mut |point| {
//!     seen.push((point.measurement.to_string(), point.fields[1].1.clone()));
//!     Ok(())
//! })?;
//! assert_eq!(seen, [("cpu".to_string(), FieldValue::Int(3))]);
//! # Ok::<(), embudo_types::Error>(())
//! ```

mod influx;
mod json;
mod line_writer;
mod telnet;
mod value;

use std::{borrow::Cow, fmt::Write as _};

use embudo_types::{Error, Precision, Result, code};
use md5::{Digest, Md5};

pub use influx::{InfluxLine, parse_influx, parse_influx_lines, parse_series};
pub use json::parse_json;
pub use line_writer::LineWriter;
pub use telnet::parse_telnet;

/// One measurement of one child table at one time, as written. A `Point` is reused from line to line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Point<'a> {
    /// Supertable, escapes resolved.
    pub measurement: Cow<'a, str>,
    /// The measurement as it was written: the child's name is made from it.
    pub measurement_text: &'a str,
    /// Tags in the order written.
    pub tags: Vec<(Cow<'a, str>, FieldValue<'a>)>,
    /// Columns in the order written.
    pub fields: Vec<(Cow<'a, str>, FieldValue<'a>)>,
    /// When; `None`: now.
    pub time: Option<(i64, TimeUnit)>,
}

/// A typed cell of a point.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldValue<'a> {
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
    /// VARCHAR.
    Varchar(Cow<'a, str>),
    /// NCHAR.
    NChar(Cow<'a, str>),
    /// VARBINARY.
    VarBinary(Cow<'a, [u8]>),
    /// GEOMETRY as WKT.
    Geometry(Cow<'a, str>),
}

/// How points are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineProtocol {
    /// InfluxDB lines.
    Influx,
    /// OpenTSDB telnet lines.
    Telnet,
    /// OpenTSDB JSON.
    Json,
}

impl LineProtocol {
    /// The protocol of a request's or the C interface's number, 1 to 3.
    pub fn from_id(id: i32) -> Result<Self> {
        match id {
            1 => Ok(Self::Influx),
            2 => Ok(Self::Telnet),
            3 => Ok(Self::Json),
            _ => Err(Error::with(code::INVALID_LINE_PROTOCOL_TYPE, "protocol invalidate")),
        }
    }
}

/// Unit of a written time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeUnit {
    /// Hours.
    Hour,
    /// Minutes.
    Minute,
    /// Seconds.
    Second,
    /// Milliseconds.
    Milli,
    /// Microseconds.
    Micro,
    /// Nanoseconds: what no unit means.
    #[default]
    Nano,
}

impl TimeUnit {
    /// The unit of a request's `precision`: `h m s ms u us ns`, empty for nanoseconds.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "h" => Self::Hour,
            "m" => Self::Minute,
            "s" => Self::Second,
            "ms" => Self::Milli,
            "u" | "us" | "μ" | "µ" => Self::Micro,
            "" | "ns" => Self::Nano,
            _ => return Err(Error::new(code::INVALID_TIMESTAMP_FORMAT)),
        })
    }

    /// As [`parse`](Self::parse), but what is no unit means nanoseconds, as HTTP and WebSocket requests were seen to be understood.
    pub fn of_request(text: &str) -> Self {
        Self::parse(text).unwrap_or_default()
    }

    /// The unit of a C interface's number, 0 to 6.
    pub fn from_id(id: i32) -> Result<Self> {
        let units = [Self::Nano, Self::Hour, Self::Minute, Self::Second, Self::Milli, Self::Micro, Self::Nano];
        usize::try_from(id).ok().and_then(|id| units.get(id).copied()).ok_or_else(|| Error::new(code::INVALID_TIMESTAMP_PRECISION_TYPE))
    }

    /// A count of this unit as ticks; `None` where it does not fit.
    pub fn ticks(self, count: i64, precision: Precision) -> Option<i64> {
        let nanoseconds: i64 = match self {
            Self::Hour => 3_600_000_000_000,
            Self::Minute => 60_000_000_000,
            Self::Second => 1_000_000_000,
            Self::Milli => 1_000_000,
            Self::Micro => 1_000,
            Self::Nano => 1,
        };
        let tick = precision.nanoseconds();
        if nanoseconds >= tick { count.checked_mul(nanoseconds / tick) } else { Some(count.div_euclid(tick / nanoseconds)) }
    }
}

impl Point<'_> {
    /// The child's name where nothing else names it: `t_` and the MD5 of the measurement and its tags sorted by key.
    pub fn child_name(&self) -> String {
        let mut order: Vec<usize> = (0..self.tags.len()).collect();
        order.sort_by(|left, right| self.tags[*left].0.as_bytes().cmp(self.tags[*right].0.as_bytes()));
        let mut hash = Md5::new();
        hash.update(self.measurement_text.as_bytes());
        for at in order {
            let (key, value) = &self.tags[at];
            hash.update(b",");
            hash.update(key.as_bytes());
            hash.update(b"=");
            value.hash_into(&mut hash);
        }
        digest_name(hash)
    }

    fn clear(&mut self) {
        self.measurement = Cow::Borrowed("");
        self.measurement_text = "";
        self.tags.clear();
        self.fields.clear();
        self.time = None;
    }

    fn check(&self) -> Result<()> {
        if self.measurement.is_empty() || self.measurement.len() > MAX_MEASUREMENT {
            return Err(Error::with(code::INVALID_DATA_FORMAT, "measure is empty or too large than 192"));
        }
        let keys = || self.tags.iter().chain(&self.fields).map(|(key, _)| key);
        for (at, key) in keys().enumerate() {
            if key.is_empty() || key.len() > MAX_KEY {
                return Err(invalid_key(key));
            }
            if keys().take(at).any(|earlier| earlier == key) {
                return Err(Error::new(code::DUPLICATED_COLUMN_NAMES));
            }
        }
        Ok(())
    }
}

/// Longest name of a supertable in bytes.
const MAX_MEASUREMENT: usize = 192;
/// Longest name of a column or tag in bytes.
const MAX_KEY: usize = 64;

impl FieldValue<'_> {
    /// Text as it is, numbers as their little-endian bytes.
    fn hash_into(&self, hash: &mut Md5) {
        match self {
            Self::Bool(value) => hash.update([u8::from(*value)]),
            Self::TinyInt(value) => hash.update(value.to_le_bytes()),
            Self::SmallInt(value) => hash.update(value.to_le_bytes()),
            Self::Int(value) => hash.update(value.to_le_bytes()),
            Self::BigInt(value) => hash.update(value.to_le_bytes()),
            Self::UTinyInt(value) => hash.update(value.to_le_bytes()),
            Self::USmallInt(value) => hash.update(value.to_le_bytes()),
            Self::UInt(value) => hash.update(value.to_le_bytes()),
            Self::UBigInt(value) => hash.update(value.to_le_bytes()),
            Self::Float(value) => hash.update(value.to_le_bytes()),
            Self::Double(value) => hash.update(value.to_le_bytes()),
            Self::Varchar(text) | Self::NChar(text) | Self::Geometry(text) => hash.update(text.as_bytes()),
            Self::VarBinary(bytes) => hash.update(bytes),
        }
    }
}

fn invalid_key(key: &str) -> Error {
    Error::with(code::INVALID_COLUMN_LENGTH, format!("invalid key or key is too long than 64:{key}"))
}

/// The name of a child that nothing else names: `t_` and the digest of what makes it one.
pub(crate) fn digest_name(hash: Md5) -> String {
    let mut name = String::with_capacity(34);
    name.push_str("t_");
    for byte in hash.finalize() {
        let _ = write!(name, "{byte:02x}");
    }
    name
}

/// The same error with the number of its line behind its text, where there are several.
fn in_line(error: &Error, line: usize, lines: &str) -> Error {
    if lines.lines().nth(1).is_none() { error.clone() } else { Error::with(error.code(), format!("{} (line {line})", error.message())) }
}
