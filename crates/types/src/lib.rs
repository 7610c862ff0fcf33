//! What every layer of Embudo speaks: TDengine's data types, values, precision, durations, timestamps, zones,
//! the error-code table and the one [`Error`]. Knows no other crate of the project.

pub mod arrow;
pub mod code;
mod data_type;
mod duration;
mod error;
mod precision;
mod result_set;
mod statement;
mod statistics;
pub mod subscription;
mod timestamp;
mod value;
mod zone;

pub use code::Code;
pub use data_type::{DataType, JSON_LENGTH, MAX_NCHAR, MAX_VARCHAR};
pub use duration::{Duration, DurationUnit};
pub use error::{Error, Result};
pub use precision::Precision;
pub use result_set::{BatchStream, Outcome, ResultSet};
pub use statement::{FieldRole, StatementField};
pub use statistics::ColumnStatistics;
pub use timestamp::{civil_from_days, format_rfc3339, parse_timestamp};
pub use value::Value;
pub use zone::Zone;

/// The version that `SERVER_VERSION()` and every protocol announce: the TDengine whose dialect and formats these are.
pub const SERVER_VERSION: &str = "3.3.6.13";
