//! Pages of integers, and of anything seen as words of 8 to 64 bits.
//!
//! Frame of reference (a base, then offsets in few bits; no bits at all when every value is equal) or deltas (a first value, the
//! smallest delta, then offsets of the deltas; no bits for a constant step), whichever is smaller. Words that need nearly all their
//! bits are split into byte planes and compressed with lz4, or lie plain.

use embudo_types::{Error, Result};

use crate::{
    PAGE_ROWS,
    bits::{self, Word},
    reader::{Reader, write_signed, write_varint},
};

/// Values little-endian.
pub const PLAIN: u8 = 0;
/// Base, width, packed offsets.
pub const FRAME: u8 = 1;
/// First value, smallest delta, width, packed delta offsets.
pub const DELTA: u8 = 2;
/// Length, then lz4 of the byte planes.
pub const SPLIT: u8 = 3;

/// Widest offsets, of 64ths of a word, that are taken without trying [`SPLIT`].
const DENSE: usize = 48;

/// What the choice between the schemes needs.
struct Shape<T> {
    base: T,
    width: usize,
    least_delta: T,
    delta_width: usize,
}

/// One pass over the values. Comparisons are of `value + bias` so that signed and unsigned order are one unsigned comparison.
fn shape<T: Word>(values: &[T], signed: bool) -> Shape<T> {
    let bias = if signed { T::SIGN } else { T::default() };
    let start = values[0];
    let (mut least, mut most) = (start.plus(bias), start.plus(bias));
    let (mut least_delta, mut most_delta) = match values {
        [first, second, ..] => (second.minus(*first).plus(T::SIGN), second.minus(*first).plus(T::SIGN)),
        _ => (T::SIGN, T::SIGN),
    };
    for (previous, value) in values.iter().zip(&values[1..]) {
        let biased = value.plus(bias);
        let delta = value.minus(*previous).plus(T::SIGN);
        least = least.min(biased);
        most = most.max(biased);
        least_delta = least_delta.min(delta);
        most_delta = most_delta.max(delta);
    }
    Shape {
        base: least.minus(bias),
        width: most.minus(least).width(),
        least_delta: least_delta.minus(T::SIGN),
        delta_width: most_delta.minus(least_delta).width(),
    }
}

/// Appends a page of 1 to [`PAGE_ROWS`] values; `signed` tells their order.
pub fn encode<T: Word>(values: &[T], signed: bool, out: &mut Vec<u8>) {
    let shape = shape(values, signed);
    let width = shape.width.min(shape.delta_width);
    if width * 64 > DENSE * T::BITS && T::BITS >= 32 && split(values, out) {
        return;
    }
    let mut scratch = [T::default(); PAGE_ROWS];
    let offsets = &mut scratch[..values.len()];
    if width == T::BITS {
        out.push(PLAIN);
        T::write(values, out);
    } else if shape.width <= shape.delta_width {
        for (offset, value) in offsets.iter_mut().zip(values) {
            *offset = value.minus(shape.base);
        }
        out.push(FRAME);
        write_signed(out, shape.base.signed());
        out.push(shape.width as u8);
        bits::pack(offsets, shape.width, out);
    } else {
        for (offset, (previous, value)) in offsets[1..].iter_mut().zip(values.iter().zip(&values[1..])) {
            *offset = value.minus(*previous).minus(shape.least_delta);
        }
        out.push(DELTA);
        write_signed(out, values[0].signed());
        write_signed(out, shape.least_delta.signed());
        out.push(shape.delta_width as u8);
        bits::pack(offsets, shape.delta_width, out);
    }
}

/// Appends the page as compressed byte planes if that saves an eighth; says whether it did.
pub fn split<T: Word>(values: &[T], out: &mut Vec<u8>) -> bool {
    let width = T::BITS / 8;
    let mut planes = [0_u8; PAGE_ROWS * 8];
    let planes = &mut planes[..values.len() * width];
    for (byte, plane) in planes.chunks_exact_mut(values.len()).enumerate() {
        for (place, value) in plane.iter_mut().zip(values) {
            *place = (value.unsigned() >> (byte * 8)) as u8;
        }
    }
    let mut compressed = [0_u8; lz4_flex::block::get_maximum_output_size(PAGE_ROWS * 8)];
    match lz4_flex::block::compress_into(planes, &mut compressed) {
        Ok(length) if length < planes.len() / 8 * 7 => {
            out.push(SPLIT);
            write_varint(out, length as u64);
            out.extend_from_slice(&compressed[..length]);
            true
        }
        _ => false,
    }
}

/// Appends the `count` (at most a page) values of a page to `out`.
pub fn decode<T: Word>(reader: &mut Reader<'_>, count: usize, out: &mut Vec<T>) -> Result<()> {
    let mut scratch = [T::default(); PAGE_ROWS];
    let page = &mut scratch[..count];
    match reader.byte()? {
        PLAIN => {
            T::read(reader.take(count * T::BITS / 8)?, out);
            return Ok(());
        }
        FRAME => {
            let base = T::from_signed(reader.signed()?);
            let width = usize::from(reader.byte()?);
            bits::unpack(reader, width, page)?;
            for value in &mut *page {
                *value = value.plus(base);
            }
        }
        DELTA => {
            let first = T::from_signed(reader.signed()?);
            let least = T::from_signed(reader.signed()?);
            let width = usize::from(reader.byte()?);
            bits::unpack(reader, width, page)?;
            let mut value = first.minus(least);
            for place in &mut *page {
                value = value.plus(*place).plus(least);
                *place = value;
            }
        }
        SPLIT => {
            let mut planes = [0_u8; PAGE_ROWS * 8];
            let planes = &mut planes[..count * T::BITS / 8];
            let length = reader.length(reader.remaining())?;
            decompress(reader.take(length)?, planes)?;
            for (byte, plane) in planes.chunks_exact(count.max(1)).enumerate() {
                for (value, part) in page.iter_mut().zip(plane) {
                    *value = T::from_unsigned(value.unsigned() | u64::from(*part) << (byte * 8));
                }
            }
        }
        scheme => return Err(Error::corrupt(format!("unknown page scheme {scheme}"))),
    }
    out.extend_from_slice(page);
    Ok(())
}

/// Decompresses lz4 into exactly the whole of `out`.
pub fn decompress(compressed: &[u8], out: &mut [u8]) -> Result<()> {
    match lz4_flex::block::decompress_into(compressed, out) {
        Ok(length) if length == out.len() => Ok(()),
        _ => Err(Error::corrupt("compressed data does not unpack")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip<T: Word + std::fmt::Debug>(values: &[T], signed: bool) -> usize {
        let mut bytes = Vec::new();
        encode(values, signed, &mut bytes);
        let mut back = Vec::new();
        let mut reader = Reader::new(&bytes);
        decode(&mut reader, values.len(), &mut back).unwrap();
        reader.end().unwrap();
        assert_eq!(values, back);
        bytes.len()
    }

    #[test]
    fn regular_values_take_few_bytes() {
        let times: Vec<u64> = (0..512).map(|index| 1_700_000_000_000 + index * 10_000).collect();
        assert!(round_trip(&times, true) < 20);
        assert!(round_trip(&[7_u32; 512], true) < 8);
        let jitter: Vec<u64> = (0..512).map(|index| 1_700_000_000_000 + index * 10_000 + index * index % 16).collect();
        assert!(round_trip(&jitter, true) < 512 * 6 / 8);
        assert!(round_trip(&[u64::MAX, 0, 1, u64::MAX / 2], false) < 40);
    }

    proptest! {
        #[test]
        fn any_values_round_trip(values in proptest::collection::vec(any::<u64>(), 1..=512), shift in 0_u32..64, signed: bool) {
            round_trip(&values.iter().map(|value| value >> shift).collect::<Vec<_>>(), signed);
            round_trip(&values.iter().map(|value| (value >> shift) as u32).collect::<Vec<_>>(), signed);
            round_trip(&values.iter().map(|value| (value >> shift) as u16).collect::<Vec<_>>(), signed);
            round_trip(&values.iter().map(|value| (value >> shift) as u8).collect::<Vec<_>>(), signed);
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), scheme in 0_u8..5, count in 0_usize..=512) {
            let bytes: Vec<u8> = std::iter::once(scheme).chain(bytes).collect();
            let mut out: Vec<u64> = Vec::new();
            if decode(&mut Reader::new(&bytes), count, &mut out).is_ok() {
                prop_assert_eq!(out.len(), count);
            }
            let _ = decode::<u8>(&mut Reader::new(&bytes), count, &mut Vec::new());
        }
    }
}
