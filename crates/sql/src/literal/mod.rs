//! Literals become typed values: which text is accepted for which type, with TDengine's messages (spec/sql.md 2.7).
//! Used for tag values, SET TAG, parameters, and by INSERT for every cell that its fast paths do not take.

mod json;
mod number;
mod wkt;

use std::borrow::Cow;

use embudo_types::{DataType, Duration, Error, MAX_VARCHAR, Precision, Result, Value, Zone, code, parse_timestamp};

pub use json::normalise_json;
pub use wkt::wkt_to_wkb;

use crate::{ast::table::LiteralValue, lexer};

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

/// A literal as the lexer sees it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Scalar<'a> {
    Null,
    Bool(bool),
    /// A number as written, lower case, with its sign.
    Number(&'a str),
    /// Quoted text, escapes resolved.
    Text(&'a str),
    Now,
    Today,
    /// A bare word.
    Word(&'a str),
}

/// Why a literal is no value of a type.
pub(crate) enum Refusal {
    /// The reason in `syntax error near '…' (reason)`; the caller knows what stands near.
    Reason(Cow<'static, str>),
    /// An error that stands for itself.
    Error(Error),
}

impl From<&'static str> for Refusal {
    fn from(reason: &'static str) -> Self {
        Self::Reason(Cow::Borrowed(reason))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Refusal {
    /// The error, with what stands near the literal.
    pub(crate) fn near(self, text: &str) -> Error {
        match self {
            Self::Reason(reason) => syntax_error(text, &reason),
            Self::Error(error) => error,
        }
    }
}

/// Longest excerpt of a statement in an error of INSERT.
const EXCERPT: usize = 63;

/// TDengine's error for INSERT and literals: `syntax error near '…' (reason)`.
pub(crate) fn syntax_error(near: &str, reason: &str) -> Error {
    Error::with(code::SYNTAX_ERROR_IN_SQL, format!("syntax error near '{}' ({reason})", lexer::prefix(near, EXCERPT)))
}

/// 0x2653 with the column's or tag's name.
pub(crate) fn too_long(name: &str) -> Error {
    Error::with(code::VALUE_TOO_LONG_FOR_COLUMN_TAG, format!("Value too long for column/tag: {name}"))
}

pub(crate) const INVALID_DATA: &str = "invalid data or symbol";
const INVALID_TIMESTAMP: &str = "invalid timestamp";

/// `literal` as a value of `target`; `name` is the column or tag that an error names.
///
/// ```
/// use embudo_sql::{ast::table::LiteralValue, literal::{LiteralContext, convert}};
/// use embudo_types::{DataType, Precision, Value, Zone};
/// let context = LiteralContext { zone: &Zone::utc(), now: 0, precision: Precision::Milli, parameters: &[] };
/// assert_eq!(convert(&LiteralValue::String("12.6".into()), DataType::TinyInt, "v", &context).unwrap(), Value::TinyInt(13));
/// let error = convert(&LiteralValue::Number("128".into()), DataType::TinyInt, "v", &context).unwrap_err();
/// assert_eq!(error.message(), "syntax error near '128' (tinyint data overflow)");
/// ```
pub fn convert(literal: &LiteralValue, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
    let scalar = match literal {
        LiteralValue::Null => Scalar::Null,
        LiteralValue::Bool(value) => Scalar::Bool(*value),
        LiteralValue::Number(text) => Scalar::Number(text),
        LiteralValue::String(text) => Scalar::Text(text),
        LiteralValue::Now => Scalar::Now,
        LiteralValue::Today => Scalar::Today,
        LiteralValue::Word(text) => Scalar::Word(text),
        LiteralValue::Parameter(at) => {
            let value = context.parameters.get(*at).ok_or_else(|| missing_parameter(*at))?;
            return convert_value(value, target, name, context);
        }
        LiteralValue::Shifted { base, offset } => return shifted(base, *offset, target, name, context),
    };
    convert_scalar(scalar, target, name, context).map_err(|refusal| refusal.near(&near_text(literal)))
}

/// What an error shows of a literal: a string's text, else its spelling.
fn near_text(literal: &LiteralValue) -> Cow<'_, str> {
    match literal {
        LiteralValue::String(text) | LiteralValue::Number(text) | LiteralValue::Word(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string().to_ascii_lowercase()),
    }
}

/// The error of a `?` that no value was bound to.
pub(crate) fn missing_parameter(at: usize) -> Error {
    Error::with(code::STMT_API_USAGE_ERROR, format!("no value is bound to parameter {}", at + 1))
}

fn shifted(base: &LiteralValue, offset: Duration, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
    let refused = |reason| Err(syntax_error(&near_text(base), reason));
    if target != DataType::Timestamp {
        return refused(INVALID_DATA);
    }
    let Value::Timestamp(ticks) = convert(base, target, name, context)? else { return refused(INVALID_TIMESTAMP) };
    match shift(ticks, offset, context) {
        Some(moved) => Ok(Value::Timestamp(moved)),
        None => refused(INVALID_TIMESTAMP),
    }
}

/// Ticks moved by a duration of fixed length.
pub(crate) fn shift(ticks: i64, offset: Duration, context: &LiteralContext<'_>) -> Option<i64> {
    ticks.checked_add(offset.ticks(context.precision)?)
}

/// A bound parameter as a value of `target`: numbers by range, text by the rules of literals.
pub fn convert_value(value: &Value, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
    let number;
    let scalar = match value {
        Value::Null => return Ok(Value::Null),
        Value::Timestamp(_) if target == DataType::Timestamp => return Ok(value.clone()),
        Value::Bool(flag) if target.is_numeric() => {
            number = u8::from(*flag).to_string();
            Scalar::Number(&number)
        }
        Value::Bool(flag) => Scalar::Bool(*flag),
        Value::NChar(text) | Value::Json(text) => Scalar::Text(text),
        Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => {
            return match (target, std::str::from_utf8(bytes)) {
                // A text with a backslash is the lexer's business; bound bytes are what they are.
                (DataType::Varchar(_) | DataType::VarBinary(_) | DataType::Blob | DataType::MediumBlob, _) => bytes_value(bytes.clone(), target, name),
                (DataType::Geometry(_), _) if matches!(value, Value::Geometry(_)) => bytes_value(bytes.clone(), target, name),
                (_, Ok(text)) => convert_scalar(Scalar::Text(text), target, name, context).map_err(|refusal| refusal.near(text)),
                (_, Err(_)) => Err(Error::with(code::INVALID_VALUE_IN_CLIENT, format!("invalid UTF-8 in the value of {name}"))),
            };
        }
        Value::Float(float) if target == DataType::Double => return Ok(Value::Double(f64::from(*float))),
        Value::Float(float) if target == DataType::Float => return Ok(Value::Float(*float)),
        Value::Double(float) if target == DataType::Double => return Ok(Value::Double(*float)),
        numeric => {
            number = number_text(numeric);
            Scalar::Number(&number)
        }
    };
    let near = match scalar {
        Scalar::Text(text) | Scalar::Number(text) => text,
        _ => "",
    };
    convert_scalar(scalar, target, name, context).map_err(|refusal| refusal.near(near))
}

/// A numeric value as its literal.
fn number_text(value: &Value) -> String {
    match value {
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) | Value::Timestamp(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Decimal(unscaled, _, scale) => number::decimal_text(*unscaled, *scale),
        _ => String::new(),
    }
}

/// Bytes of a variable type, by its length.
fn bytes_value(bytes: Vec<u8>, target: DataType, name: &str) -> Result<Value> {
    if bytes.len() > target.length() as usize {
        return Err(too_long(name));
    }
    Ok(match target {
        DataType::VarBinary(_) => Value::VarBinary(bytes),
        DataType::Geometry(_) => Value::Geometry(bytes),
        DataType::Blob | DataType::MediumBlob => Value::Blob(bytes),
        _ => Value::Varchar(bytes),
    })
}

/// One literal as a value of `target`.
pub(crate) fn convert_scalar(scalar: Scalar<'_>, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value, Refusal> {
    let is_text =
        matches!(target, DataType::Varchar(_) | DataType::NChar(_) | DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob);
    match scalar {
        Scalar::Null => return Ok(Value::Null),
        Scalar::Text(text) if !is_text && text.eq_ignore_ascii_case("null") => return Ok(Value::Null),
        Scalar::Now | Scalar::Today if target != DataType::Timestamp => return Err(INVALID_DATA.into()),
        Scalar::Word(_) if !target.is_text() => return Err(INVALID_DATA.into()),
        _ => {}
    }
    if target.is_integer() {
        return number::integer(scalar, target);
    }
    match target {
        DataType::Null => Ok(Value::Null),
        DataType::Bool => number::boolean(scalar),
        DataType::Float | DataType::Double => number::float(scalar, target == DataType::Float),
        DataType::Decimal(precision, scale) => number::decimal(scalar, precision, scale),
        DataType::Timestamp => timestamp(scalar, context).map(Value::Timestamp),
        DataType::Json => match scalar {
            Scalar::Text(text) => Ok(normalise_json(text)?.map_or(Value::Null, Value::Json)),
            _ => Err("json error invalide value".into()),
        },
        DataType::NChar(length) => {
            let text = plain_text(scalar);
            if text.len() > length as usize && text.chars().count() > length as usize {
                return Err(too_long(name).into());
            }
            Ok(Value::NChar(text.to_owned()))
        }
        DataType::Geometry(length) => {
            let shape = wkt_to_wkb(plain_text(scalar)).map_err(|reason| Refusal::Reason(Cow::Owned(reason)))?;
            if shape.len() > length as usize {
                return Err(too_long(name).into());
            }
            Ok(Value::Geometry(shape))
        }
        DataType::VarBinary(_) => Ok(bytes_value(binary(plain_text(scalar), name, MAX_VARCHAR)?, target, name)?),
        DataType::Blob | DataType::MediumBlob => Ok(bytes_value(binary(plain_text(scalar), name, target.length())?, target, name)?),
        _ => Ok(bytes_value(plain_text(scalar).as_bytes().to_vec(), target, name)?),
    }
}

/// A literal as text: numbers and booleans as they are written.
fn plain_text(scalar: Scalar<'_>) -> &str {
    match scalar {
        Scalar::Text(text) | Scalar::Number(text) | Scalar::Word(text) => text,
        Scalar::Bool(true) => "true",
        Scalar::Bool(false) => "false",
        Scalar::Null | Scalar::Now | Scalar::Today => "",
    }
}

/// Bytes of `\x0102`, or the text's own.
pub(crate) fn binary(text: &str, name: &str, longest: u32) -> Result<Vec<u8>> {
    let Some(digits) = text.strip_prefix("\\x") else { return Ok(text.as_bytes().to_vec()) };
    let invalid = || Error::with(code::INVALID_VARBINARY_VALUE, format!("Invalid varbinary value: {name}"));
    if digits.len() % 2 != 0 {
        return Err(invalid());
    }
    if digits.len() > 2 * longest as usize {
        return Err(too_long(name));
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    digits.as_bytes().chunks_exact(2).map(|pair| Some(digit(pair[0])? << 4 | digit(pair[1])?)).collect::<Option<_>>().ok_or_else(invalid)
}

fn timestamp(scalar: Scalar<'_>, context: &LiteralContext<'_>) -> Result<i64, Refusal> {
    let ticks = match scalar {
        Scalar::Now => Some(now(context)),
        Scalar::Today => today(context),
        Scalar::Number(text) => number::whole(text).and_then(|value| i64::try_from(value).ok()),
        Scalar::Text(text) => timestamp_text(text, context),
        _ => None,
    };
    if let (None, Scalar::Text(text)) = (ticks, scalar) {
        // A time that only a coarser precision can hold.
        if parse_timestamp(text.as_bytes(), Precision::Milli, context.zone).is_some() {
            return Err(Error::new(code::TIMESTAMP_DATA_OUT_OF_RANGE).into());
        }
    }
    ticks.ok_or_else(|| INVALID_TIMESTAMP.into())
}

/// Ticks of a quoted time: a time text, digits alone, `now`, `now()`, `today()`.
fn timestamp_text(text: &str, context: &LiteralContext<'_>) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    match text.to_ascii_lowercase().as_str() {
        "now" | "now()" => Some(now(context)),
        "today" | "today()" => today(context),
        _ => parse_timestamp(text.as_bytes(), context.precision, context.zone),
    }
}

fn now(context: &LiteralContext<'_>) -> i64 {
    Precision::Nano.convert(context.now, context.precision)
}

/// Local midnight of the statement's day.
fn today(context: &LiteralContext<'_>) -> Option<i64> {
    let date = context.zone.local(context.now, Precision::Nano)?.date();
    context.zone.from_local(date.at(0, 0, 0, 0))?.checked_mul(context.precision.ticks_per_second())
}
