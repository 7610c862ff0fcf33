//! Literals become typed values: which text is accepted for which type, with TDengine's messages (spec/sql.md 2.7).
//! Used for tag values, SET TAG and parameters; INSERT's cells follow the same rules without making a [`Value`].

use embudo_types::{DataType, Error, Precision, Result, Value, Zone, code};

use crate::ast::table::LiteralValue;

/// What the meaning of a literal depends on.
#[derive(Clone, Copy, Debug)]
pub struct LiteralContext<'a> {
    /// The session's zone, for time texts without one and for TODAY.
    pub zone: &'a Zone,
    /// The statement's time in nanoseconds since the epoch, for NOW and TODAY.
    pub now: i64,
    /// Ticks of the table's database.
    pub precision: Precision,
    /// Values of `?`.
    pub parameters: &'a [Value],
}

/// `literal` as a value of `target`; `name` is the column or tag that an error names.
pub fn convert(literal: &LiteralValue, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
    let _ = (literal, target, name, context);
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}

/// A bound parameter as a value of `target`: numbers by range, text by the rules of literals.
pub fn convert_value(value: &Value, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
    let _ = (value, target, name, context);
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}
