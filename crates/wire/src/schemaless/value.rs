//! One value as InfluxDB and telnet lines write it: numbers with suffixes, booleans, quoted strings.

use std::borrow::Cow;

use embudo_types::{Error, Result, code};

use super::FieldValue;

/// Types a value as written, without its surroundings; `None` where it is none.
pub fn parse(text: &str) -> Option<FieldValue<'_>> {
    let bytes = text.as_bytes();
    match bytes.first()? {
        b'"' => quoted(text).map(FieldValue::Varchar),
        b'L' | b'l' if bytes.get(1) == Some(&b'"') => quoted(&text[1..]).map(FieldValue::NChar),
        b'B' | b'b' if bytes.get(1) == Some(&b'"') => quoted(&text[1..]).and_then(binary),
        b'G' | b'g' if bytes.get(1) == Some(&b'"') => quoted(&text[1..]).map(FieldValue::Geometry),
        b't' | b'T' | b'f' | b'F' => boolean(text).map(FieldValue::Bool),
        _ => number(text),
    }
}

/// The error of a value that is none.
pub fn invalid(text: &str) -> Error {
    Error::with(code::INVALID_DATA_FORMAT, format!("invalid value:{text}"))
}

fn quoted(text: &str) -> Option<Cow<'_, str>> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return (!inner.contains('"')).then_some(Cow::Borrowed(inner));
    }
    let mut out = String::with_capacity(inner.len());
    let mut chars = inner.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some(next @ ('"' | '\\'))) => {
                out.push(*next);
                chars.next();
            }
            ('"', _) => return None,
            _ => out.push(char),
        }
    }
    Some(Cow::Owned(out))
}

fn binary(text: Cow<'_, str>) -> Option<FieldValue<'_>> {
    if let Some(hex) = text.strip_prefix("\\x").or_else(|| text.strip_prefix("\\X")) {
        if hex.len() % 2 != 0 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let bytes = (0..hex.len()).step_by(2).filter_map(|at| u8::from_str_radix(&hex[at..at + 2], 16).ok()).collect();
        return Some(FieldValue::VarBinary(Cow::Owned(bytes)));
    }
    Some(FieldValue::VarBinary(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    }))
}

fn boolean(text: &str) -> Option<bool> {
    let is = |word: &str| text.eq_ignore_ascii_case(word);
    if is("t") || is("true") {
        Some(true)
    } else if is("f") || is("false") {
        Some(false)
    } else {
        None
    }
}

/// A number with its suffix; without one DOUBLE. Words such as `inf` and `nan` are no numbers.
fn number(text: &str) -> Option<FieldValue<'_>> {
    let end = text.bytes().position(|byte| !(byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'))).unwrap_or(text.len());
    let (digits, suffix) = text.split_at(end);
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut letters = [0_u8; 3];
    letters.get_mut(..suffix.len())?.copy_from_slice(suffix.as_bytes());
    if let Some(letter) = letters.first_mut() {
        letter.make_ascii_lowercase();
    }
    let whole = digits.strip_prefix('+').unwrap_or(digits);
    Some(match &letters[..suffix.len()] {
        b"" | b"f64" => FieldValue::Double(finite(digits.parse().ok()?)?),
        b"f32" => FieldValue::Float(finite_single(digits.parse().ok()?)?),
        b"i" | b"i64" => FieldValue::BigInt(whole.parse().ok()?),
        b"i8" => FieldValue::TinyInt(whole.parse().ok()?),
        b"i16" => FieldValue::SmallInt(whole.parse().ok()?),
        b"i32" => FieldValue::Int(whole.parse().ok()?),
        b"u" | b"u64" => FieldValue::UBigInt(whole.parse().ok()?),
        b"u8" => FieldValue::UTinyInt(whole.parse().ok()?),
        b"u16" => FieldValue::USmallInt(whole.parse().ok()?),
        b"u32" => FieldValue::UInt(whole.parse().ok()?),
        _ => return None,
    })
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn finite_single(value: f32) -> Option<f32> {
    value.is_finite().then_some(value)
}

/// The result of [`parse`] or the error that names the text.
pub fn require(text: &str) -> Result<FieldValue<'_>> {
    parse(text).ok_or_else(|| invalid(text))
}
