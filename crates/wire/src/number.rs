//! Numbers as the recorded JSON shows them: integers in full, floats as the shortest text that reads back, exponents below 1e-6 and
//! from 1e21 on, with a sign and at least two digits (`1e-07`, `1e+21`); no trailing `.0`.

/// Appends an integer.
pub fn write_integer<I: itoa::Integer>(value: I, out: &mut Vec<u8>) {
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// Appends a DOUBLE; `null` where it is no number.
pub fn write_double(value: f64, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    write_float(value, magnitude == 0.0 || (1e-6..1e21).contains(&magnitude), value.is_finite(), out);
}

/// Appends a FLOAT; the shortest text that reads back as the same 32 bits.
pub fn write_single(value: f32, out: &mut Vec<u8>) {
    let magnitude = value.abs();
    write_float(value, magnitude == 0.0 || (1e-6..1e21).contains(&magnitude), value.is_finite(), out);
}

fn write_float<F: zmij::Float>(value: F, plain: bool, finite: bool, out: &mut Vec<u8>) {
    if !finite {
        return out.extend_from_slice(b"null");
    }
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value).as_bytes();
    if plain && !text.contains(&b'e') {
        return out.extend_from_slice(text.strip_suffix(b".0").unwrap_or(text));
    }
    let (negative, text) = text.strip_prefix(b"-").map_or((false, text), |rest| (true, rest));
    if negative {
        out.push(b'-');
    }
    let decimal = Decimal::parse(text);
    if plain { decimal.write_plain(out) } else { decimal.write_scientific(out) }
}

/// Significant digits and the place of the point: `0.d1d2d3… × 10^point`.
struct Decimal {
    /// A double needs 17 digits at most; as many zeros as a plain text below 1e21 has may follow.
    digits: [u8; 40],
    length: usize,
    point: i32,
}

impl Decimal {
    /// Reads what the shortest-digits crate prints: digits with an optional point and an optional exponent.
    fn parse(text: &[u8]) -> Self {
        let mut decimal = Self { digits: [b'0'; 40], length: 0, point: 0 };
        let (mut before_point, mut exponent, mut negative) = (true, 0, false);
        let mut bytes = text.iter();
        for &byte in bytes.by_ref() {
            match byte {
                b'.' => before_point = false,
                b'e' => break,
                digit => {
                    if decimal.length > 0 || digit != b'0' {
                        if decimal.length < decimal.digits.len() {
                            decimal.digits[decimal.length] = digit;
                            decimal.length += 1;
                        }
                        decimal.point += i32::from(before_point);
                    } else if !before_point {
                        decimal.point -= 1;
                    }
                }
            }
        }
        for &byte in bytes {
            match byte {
                b'-' => negative = true,
                b'+' => {}
                digit => exponent = exponent * 10 + i32::from(digit - b'0'),
            }
        }
        decimal.point += if negative { -exponent } else { exponent };
        while decimal.length > 1 && decimal.digits[decimal.length - 1] == b'0' {
            decimal.length -= 1;
        }
        decimal
    }

    fn write_plain(&self, out: &mut Vec<u8>) {
        let digits = &self.digits[..self.length];
        if self.point <= 0 {
            out.extend_from_slice(b"0.");
            out.extend(std::iter::repeat_n(b'0', -self.point as usize));
            return out.extend_from_slice(digits);
        }
        let point = self.point as usize;
        if point >= digits.len() {
            out.extend_from_slice(digits);
            out.extend(std::iter::repeat_n(b'0', point - digits.len()));
        } else {
            out.extend_from_slice(&digits[..point]);
            out.push(b'.');
            out.extend_from_slice(&digits[point..]);
        }
    }

    fn write_scientific(&self, out: &mut Vec<u8>) {
        out.push(self.digits[0]);
        if self.length > 1 {
            out.push(b'.');
            out.extend_from_slice(&self.digits[1..self.length]);
        }
        let exponent = self.point - 1;
        out.extend_from_slice(if exponent < 0 { b"e-" } else { b"e+" });
        if exponent.abs() < 10 {
            out.push(b'0');
        }
        write_integer(exponent.unsigned_abs(), out);
    }
}

/// Appends an exact decimal with all of its fraction digits: `-0.05`.
pub fn write_decimal(value: i128, scale: u8, out: &mut Vec<u8>) {
    let scale = usize::from(scale);
    if value < 0 {
        out.push(b'-');
    }
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(value.unsigned_abs()).as_bytes();
    let whole = digits.len().saturating_sub(scale);
    out.extend_from_slice(if whole == 0 { b"0" } else { &digits[..whole] });
    if scale > 0 {
        out.push(b'.');
        out.extend(std::iter::repeat_n(b'0', scale - (digits.len() - whole)));
        out.extend_from_slice(&digits[whole..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn double(value: f64) -> String {
        let mut out = Vec::new();
        write_double(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_as_recorded() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1e20, "100000000000000000000"),
            (1e21, "1e+21"),
            (1e-6, "0.000001"),
            (1e-7, "1e-07"),
            (-1.5e300, "-1.5e+300"),
            (1.0 / 3.0, "0.3333333333333333"),
            (100.0, "100"),
            (0.1, "0.1"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (123_456_789_012_345_680.0, "123456789012345680"),
            (9.999_999e-7, "9.999999e-07"),
            (f64::NAN, "null"),
            (f64::NEG_INFINITY, "null"),
        ] {
            assert_eq!(double(value), text);
        }
    }

    #[test]
    fn singles_as_recorded() {
        for (value, text) in
            [(16_777_216.0_f32, "16777216"), (0.1, "0.1"), (3.25, "3.25"), (1e-7, "1e-07"), (f32::MAX, "3.4028235e+38"), (1e20, "100000000000000000000")]
        {
            let mut out = Vec::new();
            write_single(value, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn decimals_show_their_whole_scale() {
        for (value, scale, text) in
            [(5, 2, "0.05"), (-1_230, 2, "-12.30"), (7, 0, "7"), (0, 3, "0.000"), (i128::MIN, 38, "-1.70141183460469231731687303715884105728")]
        {
            let mut out = Vec::new();
            write_decimal(value, scale, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    proptest! {
        #[test]
        fn every_double_reads_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(value.is_finite());
            prop_assert_eq!(double(value).parse::<f64>().unwrap().to_bits(), bits);
        }

        #[test]
        fn every_single_reads_back(bits in any::<u32>()) {
            let value = f32::from_bits(bits);
            prop_assume!(value.is_finite());
            let mut out = Vec::new();
            write_single(value, &mut out);
            prop_assert_eq!(String::from_utf8(out).unwrap().parse::<f32>().unwrap().to_bits(), bits);
        }
    }
}
