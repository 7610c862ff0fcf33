//! Numbers in text and text of numbers, the way TDengine's server reads and writes them (C's `strtoll`, `strtod` and `%f`).

use std::io::Write;

fn skip_blanks(text: &[u8]) -> &[u8] {
    let blanks = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C)).count();
    &text[blanks..]
}

fn split_sign(text: &[u8]) -> (bool, &[u8]) {
    match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

/// The integer that `text` starts with, saturating; 0 where it starts with none.
pub(crate) fn integer_prefix(text: &[u8]) -> i64 {
    let (negative, digits) = split_sign(skip_blanks(text));
    let mut value = 0_i64;
    for digit in digits.iter().take_while(|byte| byte.is_ascii_digit()) {
        let digit = i64::from(digit - b'0');
        value = value.saturating_mul(10);
        value = if negative { value.saturating_sub(digit) } else { value.saturating_add(digit) };
    }
    value
}

/// The unsigned integer that `text` starts with, saturating; a minus sign wraps round, as in C.
pub(crate) fn unsigned_prefix(text: &[u8]) -> u64 {
    let (negative, digits) = split_sign(skip_blanks(text));
    let value =
        digits.iter().take_while(|byte| byte.is_ascii_digit()).fold(0_u64, |value, digit| value.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    if negative { value.wrapping_neg() } else { value }
}

/// The number that `text` starts with, decimal with an exponent or hexadecimal; 0 where it starts with none.
pub(crate) fn double_prefix(text: &[u8]) -> f64 {
    let (negative, text) = split_sign(skip_blanks(text));
    let magnitude = hexadecimal_prefix(text).unwrap_or_else(|| decimal_prefix(text));
    if negative { -magnitude } else { magnitude }
}

fn hexadecimal_prefix(text: &[u8]) -> Option<f64> {
    let digits = text.strip_prefix(b"0x").or_else(|| text.strip_prefix(b"0X"))?;
    let count = digits.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let digit = |byte: &u8| f64::from(char::from(*byte).to_digit(16).unwrap_or(0));
    (count > 0).then(|| digits[..count].iter().fold(0.0, |value, byte| value * 16.0 + digit(byte)))
}

fn decimal_prefix(text: &[u8]) -> f64 {
    let digits = |from: usize| text[from.min(text.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(0);
    let mut end = whole;
    let mut fraction = 0;
    if text.get(end) == Some(&b'.') {
        fraction = digits(end + 1);
        end += 1 + fraction;
    }
    if whole + fraction == 0 {
        return 0.0;
    }
    if matches!(text.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    // Only digits, a point and an exponent: ASCII that f64's parser takes.
    std::str::from_utf8(&text[..end]).ok().and_then(|number| number.parse().ok()).unwrap_or(0.0)
}

/// Appends `%f`: six digits after the point.
pub(crate) fn write_double(value: f64, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value:.6}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_as_c_reads_them() {
        for (text, value) in
            [("5a", 5.0), ("0x10", 16.0), (" 5 ", 5.0), ("x", 0.0), ("-1.5e2z", -150.0), (".5", 0.5), ("1e", 1.0), (".", 0.0), ("", 0.0), ("-", 0.0)]
        {
            assert_eq!(double_prefix(text.as_bytes()), value, "{text}");
        }
        assert_eq!(integer_prefix(b"-5.7"), -5);
        assert_eq!(integer_prefix(b"99999999999999999999"), i64::MAX);
        assert_eq!(integer_prefix(b"-99999999999999999999"), i64::MIN);
        assert_eq!(unsigned_prefix(b"-1"), u64::MAX);
    }
}
