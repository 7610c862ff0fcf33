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

/// Powers of ten that are exact.
const POWERS: [f64; 16] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Digits that BIGINT always holds.
const WHOLE_DIGITS: usize = 18;
/// Digits that DOUBLE holds exactly.
const EXACT_DIGITS: usize = 15;

/// The number that a text begins with and where it ends, if it is what nearly all values are: a whole number with suffix `i` or a
/// decimal of up to 15 digits, with a comma, a blank or nothing behind it. What [`parse`] makes of the same text, in one pass.
pub fn leading_number(text: &[u8]) -> Option<(FieldValue<'static>, usize)> {
    let is_negative = text.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let (whole, end) = digits(text, start, 0);
    let count = end - start;
    let ends = |at: usize| matches!(text.get(at), None | Some(b',' | b' '));
    if count == 0 || count > WHOLE_DIGITS {
        return None;
    }
    if text.get(end) == Some(&b'i') && ends(end + 1) {
        let value = whole as i64;
        return Some((FieldValue::BigInt(if is_negative { -value } else { value }), end + 1));
    }
    let (mantissa, fraction, end) = if text.get(end) == Some(&b'.') {
        let (mantissa, last) = digits(text, end + 1, whole);
        (mantissa, last - end - 1, last)
    } else {
        (whole, 0, end)
    };
    if count + fraction > EXACT_DIGITS || !ends(end) {
        return None;
    }
    // Both are exact, so the quotient is the nearest number to what is written.
    let value = mantissa as f64 / POWERS[fraction];
    Some((FieldValue::Double(if is_negative { -value } else { value }), end))
}

/// Decimal digits from `at` on behind those of `value`, and where they end; beyond 19 of them the value means nothing.
fn digits(text: &[u8], mut at: usize, mut value: u64) -> (u64, usize) {
    while let Some(digit) = text.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        value = value.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    (value, at)
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn leading_numbers_are_those_of_the_general_rule(text in "-?[0-9]{0,20}(\\.[0-9]{0,17})?(i|u|f32|e5)?[, ]?[0-9,]{0,3}") {
            let end = text.find([',', ' ']).unwrap_or(text.len());
            if let Some((value, length)) = leading_number(text.as_bytes()) {
                prop_assert_eq!(length, end);
                prop_assert_eq!(Some(value), parse(&text[..end]));
            }
        }
    }

    #[test]
    fn common_numbers_are_taken() {
        for (text, want) in [("57i,", FieldValue::BigInt(57)), ("-0.25", FieldValue::Double(-0.25)), ("12 1", FieldValue::Double(12.0))] {
            assert_eq!(leading_number(text.as_bytes()).unwrap().0, want);
        }
        let Some((FieldValue::Double(zero), 4)) = leading_number(b"-0.0,") else { panic!() };
        assert!(zero.is_sign_negative());
    }
}
