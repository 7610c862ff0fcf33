//! C's `%e` and `%g`, which Rust's formatting does not have.

use std::fmt::Write;

/// Appends `%.{digits}e`: at least two digits of exponent, with its sign.
pub(crate) fn write_scientific(value: f64, digits: usize, out: &mut String) {
    let text = format!("{value:.digits$e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Writing to a String cannot fail.
    let _ = write!(out, "{mantissa}e{}{:02}", if exponent < 0 { '-' } else { '+' }, exponent.abs());
}

/// Appends `%g`: six significant digits without trailing zeros, with an exponent where it is below -4 or above 5.
pub(crate) fn write_general(value: f64, out: &mut String) {
    const SIGNIFICANT: i32 = 6;
    if !value.is_finite() {
        out.push_str(if value.is_nan() {
            "nan"
        } else if value > 0.0 {
            "inf"
        } else {
            "-inf"
        });
        return;
    }
    let mut scientific = String::new();
    write_scientific(value, SIGNIFICANT as usize - 1, &mut scientific);
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..SIGNIFICANT).contains(&power) {
        let decimals = (SIGNIFICANT - 1 - power) as usize;
        out.push_str(without_trailing_zeros(&format!("{value:.decimals$}")));
    } else {
        out.push_str(without_trailing_zeros(mantissa));
        let _ = write!(out, "e{exponent}");
    }
}

fn without_trailing_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_c_prints() {
        for (value, text) in [
            (0.0, "0"),
            (-100.0, "-100"),
            (1.5, "1.5"),
            (1e6, "1e+06"),
            (123_456.0, "123456"),
            (1.234_567_8, "1.23457"),
            (0.0001, "0.0001"),
            (0.00001, "1e-05"),
            (f64::INFINITY, "inf"),
        ] {
            let mut out = String::new();
            write_general(value, &mut out);
            assert_eq!(out, text);
        }
        let mut out = String::new();
        write_scientific(-0.00125, 2, &mut out);
        assert_eq!(out, "-1.25e-03");
    }
}
