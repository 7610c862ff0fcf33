//! Whole numbers of as many bytes as they need: seven bits a byte, the lowest first. Signed ones alternate in sign (0, -1, 1, -2 …).

/// Appends a number.
pub fn write(mut number: u64, out: &mut Vec<u8>) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number.
pub fn write_signed(number: i64, out: &mut Vec<u8>) {
    write((number << 1 ^ number >> 63).cast_unsigned(), out);
}

/// Bytes that a number takes.
pub fn length(number: u64) -> usize {
    (64 - (number | 1).leading_zeros() as usize).div_ceil(7)
}

/// A number and the bytes behind it; `None` where there is none, or none of 64 bits.
pub fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (at, &byte) in bytes.iter().enumerate().take(10) {
        if at == 9 && byte > 1 {
            return None;
        }
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

/// A signed number and the bytes behind it.
pub fn read_signed(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (number, rest) = read(bytes)?;
    Some(((number >> 1).cast_signed() ^ -(number & 1).cast_signed(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn recorded_numbers() {
        let mut out = Vec::new();
        write(136, &mut out);
        write_signed(272, &mut out);
        write_signed(4, &mut out);
        assert_eq!(out, [0x88, 0x01, 0xa0, 0x04, 0x08]);
        assert!(read(&[0x80; 10]).is_none() && read(&[]).is_none() && read(&[0x80]).is_none());
    }

    proptest! {
        #[test]
        fn numbers_come_back(number in any::<u64>(), shift in 0_u32..64, signed in any::<i64>()) {
            let mut out = Vec::new();
            write(number >> shift, &mut out);
            prop_assert_eq!(out.len(), length(number >> shift));
            write_signed(signed >> shift, &mut out);
            let (first, rest) = read(&out).unwrap();
            prop_assert_eq!(first, number >> shift);
            prop_assert_eq!(read_signed(rest), Some((signed >> shift, &[][..])));
        }
    }
}
