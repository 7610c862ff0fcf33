//! Numbers and booleans out of literals.

use std::borrow::Cow;

use embudo_types::{DataType, Value};

use super::{INVALID_DATA, Refusal, Scalar};

/// The number in a text: digits, hex, binary, or a fraction.
enum Number {
    Whole(i128),
    Fraction(f64),
}

/// A whole number with its sign; decimal, `0x1f` or `0b11`. Beyond 128 bits there is none.
pub(super) fn whole(text: &str) -> Option<i128> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let radix = match digits.as_bytes() {
        [b'0', b'x' | b'X', _, ..] => 16,
        [b'0', b'b' | b'B', _, ..] => 2,
        _ => 10,
    };
    let digits = if radix == 10 { digits } else { &digits[2..] };
    if !digits.bytes().all(|byte| char::from(byte).is_digit(radix)) {
        return None;
    }
    let value = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -value } else { value })
}

fn number(text: &str) -> Option<Number> {
    if let Some(value) = whole(text) {
        return Some(Number::Whole(value));
    }
    // What the lexer calls a number: no names such as `inf`.
    if !text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')) {
        return None;
    }
    text.parse().ok().map(Number::Fraction)
}

fn reason(text: String) -> Refusal {
    Refusal::Reason(Cow::Owned(text))
}

/// The text to read a number from; `None` for a boolean.
fn numeric_text(scalar: Scalar<'_>) -> Result<Option<&str>, Refusal> {
    match scalar {
        Scalar::Text("") => Err("invalid numeric data".into()),
        Scalar::Text(text) => Ok(Some(text.trim_start())),
        Scalar::Number(text) => Ok(Some(text)),
        Scalar::Bool(_) => Ok(None),
        _ => Err(INVALID_DATA.into()),
    }
}

/// An integer of `target`; fractions are rounded half away from zero.
pub(super) fn integer(scalar: Scalar<'_>, target: DataType) -> Result<Value, Refusal> {
    let name = match target {
        DataType::TinyInt => "tinyint",
        DataType::SmallInt => "smallint",
        DataType::Int => "int",
        DataType::BigInt => "bigint",
        DataType::UTinyInt => "unsigned tinyint",
        DataType::USmallInt => "unsigned smallint",
        DataType::UInt => "unsigned int",
        _ => "unsigned bigint",
    };
    let invalid = || reason(format!("invalid {name} data"));
    let value = match numeric_text(scalar)?.and_then(number).ok_or_else(invalid)? {
        Number::Whole(value) => value,
        Number::Fraction(value) if value.abs() < 1e20 => value.round() as i128,
        Number::Fraction(_) => return Err(invalid()),
    };
    let widest = if target.is_unsigned() { 0..=i128::from(u64::MAX) } else { i128::from(i64::MIN)..=i128::from(i64::MAX) };
    if !widest.contains(&value) {
        return Err(invalid());
    }
    let narrowed = match target {
        DataType::TinyInt => i8::try_from(value).map(Value::TinyInt),
        DataType::SmallInt => i16::try_from(value).map(Value::SmallInt),
        DataType::Int => i32::try_from(value).map(Value::Int),
        DataType::BigInt => i64::try_from(value).map(Value::BigInt),
        DataType::UTinyInt => u8::try_from(value).map(Value::UTinyInt),
        DataType::USmallInt => u16::try_from(value).map(Value::USmallInt),
        DataType::UInt => u32::try_from(value).map(Value::UInt),
        _ => u64::try_from(value).map(Value::UBigInt),
    };
    narrowed.map_err(|_| reason(format!("{name} data overflow")))
}

/// TRUE, FALSE in any case and quoted, or a number that is not zero.
pub(super) fn boolean(scalar: Scalar<'_>) -> Result<Value, Refusal> {
    if let Scalar::Bool(value) = scalar {
        return Ok(Value::Bool(value));
    }
    let invalid = || Refusal::from("invalid bool data");
    let (Scalar::Text(text) | Scalar::Number(text)) = scalar else { return Err(invalid()) };
    if text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") {
        return Ok(Value::Bool(text.len() == 4));
    }
    Ok(Value::Bool(match number(text).ok_or_else(invalid)? {
        Number::Whole(value) => value != 0,
        Number::Fraction(value) => value != 0.0,
    }))
}

/// FLOAT (`single`) or DOUBLE: finite, and not so small that digits are lost.
pub(super) fn float(scalar: Scalar<'_>, single: bool) -> Result<Value, Refusal> {
    let illegal = || Refusal::from(if single { "illegal float data" } else { "illegal double data" });
    let value = match numeric_text(scalar)?.and_then(number).ok_or_else(illegal)? {
        Number::Whole(value) => value as f64,
        Number::Fraction(value) => value,
    };
    // A number token is checked before its column's type is known, hence one text for both types.
    let out_of_range = || if matches!(scalar, Scalar::Number(_)) { Refusal::from("illegal float data") } else { illegal() };
    if !value.is_finite() || value.is_subnormal() {
        return Err(out_of_range());
    }
    if !single {
        return Ok(Value::Double(value));
    }
    if value.abs() > f64::from(f32::MAX) {
        return Err(out_of_range());
    }
    Ok(Value::Float(value as f32))
}

/// An exact decimal; digits beyond the scale are rounded half away from zero.
pub(super) fn decimal(scalar: Scalar<'_>, precision: u8, scale: u8) -> Result<Value, Refusal> {
    let invalid = || Refusal::from("invalid decimal data");
    let text = match scalar {
        Scalar::Bool(value) => {
            if value {
                "1"
            } else {
                "0"
            }
        }
        other => numeric_text(other)?.ok_or_else(invalid)?,
    };
    let unscaled = unscaled(text, i32::from(scale)).ok_or_else(invalid)?;
    if unscaled.unsigned_abs() >= 10_u128.pow(u32::from(precision)) {
        return Err("decimal data overflow".into());
    }
    Ok(Value::Decimal(unscaled, precision, scale))
}

/// `text` times ten to the `scale`, rounded.
fn unscaled(text: &str, scale: i32) -> Option<i128> {
    if let Some(value) = whole(text) {
        return value.checked_mul(10_i128.checked_pow(u32::try_from(scale).ok()?)?);
    }
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
        None => (text, 0),
    };
    let (negative, mantissa) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if before.is_empty() && after.is_empty() {
        return None;
    }
    let digits: Vec<u8> = before.bytes().chain(after.bytes()).collect();
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // Digits kept before the rounding position.
    let kept = i64::try_from(before.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let digit = |at: i64| usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |byte| i128::from(byte - b'0'));
    let mut value = 0_i128;
    for at in 0..kept {
        value = value.checked_mul(10)?.checked_add(digit(at))?;
    }
    if kept >= 0 && digit(kept) >= 5 {
        value += 1;
    }
    Some(if negative { -value } else { value })
}

/// A decimal's text, all digits of its scale shown.
pub(super) fn decimal_text(unscaled: i128, scale: u8) -> String {
    let scale = usize::from(scale);
    let digits = format!("{:0>width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (before, after) = digits.split_at(digits.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{before}") } else { format!("{sign}{before}.{after}") }
}
