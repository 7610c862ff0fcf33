//! Bit packing of unsigned words.
//!
//! A full page is packed in lanes: word `w` of row `r` holds a part of value `r * LANES + w`, so that packing and unpacking are
//! the same shift for neighbouring values, which compilers turn into vector code. A shorter page is one bit string, lowest bit first,
//! so that it takes no more bytes than its values need.

use embudo_types::{Error, Result};

use crate::{PAGE_ROWS, reader::Reader};

/// An unsigned integer that pages are made of.
pub trait Word: Copy + Default + Ord + std::hash::Hash + Send + Sync + arrow_buffer::ArrowNativeType {
    /// Its width.
    const BITS: usize;
    /// The sign bit of the signed integer of this width.
    const SIGN: Self;

    /// Sum modulo 2^BITS.
    fn plus(self, other: Self) -> Self;
    /// Difference modulo 2^BITS.
    fn minus(self, other: Self) -> Self;
    /// Bits that a value up to `self` needs.
    fn width(self) -> usize;
    /// As the signed integer of this width.
    fn signed(self) -> i64;
    /// The low bits of a signed integer.
    fn from_signed(value: i64) -> Self;
    /// As an unsigned integer.
    fn unsigned(self) -> u64;
    /// The low bits of an unsigned integer.
    fn from_unsigned(value: u64) -> Self;
    /// Appends values little-endian.
    fn write(values: &[Self], out: &mut Vec<u8>);
    /// Appends values read little-endian; `bytes` is a whole number of them.
    fn read(bytes: &[u8], out: &mut Vec<Self>);
    /// Packs a full page into `width` bits a value, 0 < width < BITS.
    fn pack(values: &[Self; PAGE_ROWS], width: usize, out: &mut Vec<u8>);
    /// Unpacks a full page of 0 < width <= BITS from exactly `width * 64` bytes.
    fn unpack(bytes: &[u8], width: usize, values: &mut [Self; PAGE_ROWS]);
}

macro_rules! word {
    ($word:ty, $signed:ty) => {
        impl Word for $word {
            const BITS: usize = <$word>::BITS as usize;
            const SIGN: Self = 1 << (<$word>::BITS - 1);

            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            fn width(self) -> usize {
                (<$word>::BITS - self.leading_zeros()) as usize
            }
            fn signed(self) -> i64 {
                self as $signed as i64
            }
            fn from_signed(value: i64) -> Self {
                value as $word
            }
            fn unsigned(self) -> u64 {
                self as u64
            }
            fn from_unsigned(value: u64) -> Self {
                value as $word
            }

            fn write(values: &[Self], out: &mut Vec<u8>) {
                let start = out.len();
                out.resize(start + size_of_val(values), 0);
                for (bytes, value) in out[start..].as_chunks_mut().0.iter_mut().zip(values) {
                    *bytes = value.to_le_bytes();
                }
            }

            fn read(bytes: &[u8], out: &mut Vec<Self>) {
                out.extend(bytes.as_chunks().0.iter().map(|bytes| Self::from_le_bytes(*bytes)));
            }

            fn pack(values: &[Self; PAGE_ROWS], width: usize, out: &mut Vec<u8>) {
                const BITS: usize = <$word>::BITS as usize;
                const LANES: usize = PAGE_ROWS / BITS;
                let mut words = [0; PAGE_ROWS];
                let lanes = words.as_chunks_mut::<LANES>().0;
                for (row, values) in values.as_chunks::<LANES>().0.iter().enumerate() {
                    let (word, shift) = (row * width / BITS, row * width % BITS);
                    for (lane, value) in lanes[word].iter_mut().zip(values) {
                        *lane |= value << shift;
                    }
                    if shift + width > BITS {
                        for (lane, value) in lanes[word + 1].iter_mut().zip(values) {
                            *lane = value >> (BITS - shift);
                        }
                    }
                }
                Self::write(&words[..width * LANES], out);
            }

            fn unpack(bytes: &[u8], width: usize, values: &mut [Self; PAGE_ROWS]) {
                const BITS: usize = <$word>::BITS as usize;
                const LANES: usize = PAGE_ROWS / BITS;
                let mut words = [0; PAGE_ROWS];
                for (word, bytes) in words.iter_mut().zip(bytes.as_chunks().0) {
                    *word = Self::from_le_bytes(*bytes);
                }
                let lanes = words.as_chunks::<LANES>().0;
                let mask = Self::MAX >> (BITS - width);
                for (row, values) in values.as_chunks_mut::<LANES>().0.iter_mut().enumerate() {
                    let (word, shift) = (row * width / BITS, row * width % BITS);
                    if shift + width > BITS {
                        for (value, (low, high)) in values.iter_mut().zip(lanes[word].iter().zip(&lanes[word + 1])) {
                            *value = (low >> shift | high << (BITS - shift)) & mask;
                        }
                    } else {
                        for (value, low) in values.iter_mut().zip(&lanes[word]) {
                            *value = low >> shift & mask;
                        }
                    }
                }
            }
        }
    };
}

word!(u8, i8);
word!(u16, i16);
word!(u32, i32);
word!(u64, i64);

/// Packs up to a page of values into `width` bits each (0 <= width < BITS).
pub fn pack<T: Word>(values: &[T], width: usize, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    if let Ok(page) = values.try_into() {
        return T::pack(page, width, out);
    }
    let (mut buffer, mut filled) = (0_u128, 0);
    for value in values {
        buffer |= u128::from(value.unsigned()) << filled;
        filled += width;
        while filled >= 8 {
            out.push(buffer as u8);
            buffer >>= 8;
            filled -= 8;
        }
    }
    if filled > 0 {
        out.push(buffer as u8);
    }
}

/// Unpacks `values.len()` values, at most a page, of `width` bits each.
pub fn unpack<T: Word>(reader: &mut Reader<'_>, width: usize, values: &mut [T]) -> Result<()> {
    if width > T::BITS {
        return Err(Error::corrupt(format!("{width} bits for a value of {}", T::BITS)));
    }
    let bytes = reader.take((values.len() * width).div_ceil(8))?;
    if width == 0 {
        values.fill(T::default());
        return Ok(());
    }
    if let Ok(page) = values.try_into() {
        T::unpack(bytes, width, page);
        return Ok(());
    }
    let mask = u64::MAX >> (64 - width);
    for (index, value) in values.iter_mut().enumerate() {
        let (start, shift) = (index * width / 8, index * width % 8);
        let word = match bytes[start..].first_chunk() {
            Some(word) => u128::from_le_bytes(*word),
            None => bytes[start..].iter().rev().fold(0, |word, byte| word << 8 | u128::from(*byte)),
        };
        *value = T::from_unsigned((word >> shift) as u64 & mask);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: Word + std::fmt::Debug>(count: usize) {
        for width in 0..T::BITS {
            let mask = if width == 0 { 0 } else { u64::MAX >> (64 - width) };
            let values: Vec<T> = (0..count as u64).map(|index| T::from_unsigned(index.wrapping_mul(0x9E37_79B9_7F4A_7C15) & mask)).collect();
            let mut bytes = Vec::new();
            pack(&values, width, &mut bytes);
            assert_eq!(bytes.len(), (count * width).div_ceil(8));
            let mut back = vec![T::default(); count];
            let mut reader = Reader::new(&bytes);
            unpack(&mut reader, width, &mut back).unwrap();
            reader.end().unwrap();
            assert_eq!(values, back, "{count} values of {width} bits");
        }
    }

    #[test]
    fn every_width_round_trips() {
        for count in [0, 1, 7, 64, 511, PAGE_ROWS] {
            round_trip::<u8>(count);
            round_trip::<u16>(count);
            round_trip::<u32>(count);
            round_trip::<u64>(count);
        }
    }

    #[test]
    fn too_wide_or_too_short_is_an_error() {
        assert!(unpack(&mut Reader::new(&[0; 64]), 9, &mut [0_u8; 4]).is_err());
        assert!(unpack(&mut Reader::new(&[0; 3]), 8, &mut [0_u8; 4]).is_err());
    }
}
