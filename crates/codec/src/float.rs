//! Pages of floating-point numbers.
//!
//! Most measured numbers are short decimals: `digits / 10^exponent` gives back the very same bits, and the digits pack as integers.
//! Those few that do not are listed beside. Other pages are seen as words: constant, byte planes with lz4, or plain.

use embudo_types::{Error, Result};

use crate::{
    PAGE_ROWS,
    bits::Word,
    integer,
    reader::{Reader, write_varint},
};

/// Exponent, exceptions, page of digits. Beside the schemes of [`integer`], which see the bits as words.
const DECIMAL: u8 = 4;

/// 1.5 x 2^52: adding it rounds to an integer and leaves that integer in the low bits, which vectorises where conversion does not.
/// Encoder and decoder do the same steps on the same bits, so the encoder's check holds for every input.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
const POWERS: [f64; 15] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14];
/// Values looked at to choose an exponent.
const SAMPLE: usize = 16;

/// A floating-point number and the word of its bits.
pub trait Float: Copy {
    /// Its bits.
    type Word: Word;
    /// Powers of ten worth trying.
    const EXPONENTS: usize;

    /// The bits.
    fn bits(self) -> Self::Word;
    /// The number of the bits.
    fn from_bits(bits: Self::Word) -> Self;
    /// Widened.
    fn wide(self) -> f64;
    /// Narrowed.
    fn narrow(value: f64) -> Self;
}

impl Float for f32 {
    type Word = u32;
    const EXPONENTS: usize = 8;

    fn bits(self) -> u32 {
        self.to_bits()
    }
    fn from_bits(bits: u32) -> Self {
        Self::from_bits(bits)
    }
    fn wide(self) -> f64 {
        f64::from(self)
    }
    fn narrow(value: f64) -> Self {
        value as Self
    }
}

impl Float for f64 {
    type Word = u64;
    const EXPONENTS: usize = POWERS.len();

    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn from_bits(bits: u64) -> Self {
        Self::from_bits(bits)
    }
    fn wide(self) -> f64 {
        self
    }
    fn narrow(value: f64) -> Self {
        value
    }
}

fn digits<F: Float>(value: F, power: f64) -> u64 {
    (value.wide() * power + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits())
}

fn number<F: Float>(digits: u64, power: f64) -> F {
    F::narrow((f64::from_bits(digits.wrapping_add(ROUNDER.to_bits())) - ROUNDER) / power)
}

fn exact<F: Float>(value: F, power: f64) -> bool {
    number::<F>(digits(value, power), power).bits() == value.bits()
}

/// The smallest exponent that fits all but one of a sample, if there is one.
fn exponent<F: Float>(values: &[F]) -> Option<usize> {
    let step = (values.len() / SAMPLE).max(1);
    (0..F::EXPONENTS).find(|exponent| values.iter().step_by(step).filter(|value| !exact(**value, POWERS[*exponent])).nth(1).is_none())
}

/// Appends a page of 1 to [`PAGE_ROWS`] values.
pub fn encode<F: Float>(values: &[F], out: &mut Vec<u8>) {
    let start = out.len();
    if decimal(values, out) && (out.len() - start) * 2 <= size_of_val(values) {
        return;
    }
    let decimal_length = out.len() - start;
    let mut words = [F::Word::default(); PAGE_ROWS];
    for (word, value) in words.iter_mut().zip(values) {
        *word = value.bits();
    }
    let mut page = Vec::with_capacity(size_of_val(values) + 16);
    integer::encode(&words[..values.len()], false, &mut page);
    if decimal_length == 0 || page.len() < decimal_length {
        out.truncate(start);
        out.append(&mut page);
    }
}

/// Appends the page as decimals; nothing and false if they are not.
fn decimal<F: Float>(values: &[F], out: &mut Vec<u8>) -> bool {
    if values.iter().all(|value| value.bits() == values[0].bits()) {
        return false;
    }
    let Some(exponent) = exponent(values) else { return false };
    let power = POWERS[exponent];
    let mut scratch = [0_u64; PAGE_ROWS];
    let page = &mut scratch[..values.len()];
    let mut inexact = 0;
    for (place, value) in page.iter_mut().zip(values) {
        *place = digits(*value, power);
        inexact += usize::from(number::<F>(*place, power).bits() != value.bits());
    }
    if inexact > values.len() / 16 {
        return false;
    }
    out.push(DECIMAL);
    out.push(exponent as u8);
    write_varint(out, inexact as u64);
    if inexact > 0 {
        // An exception takes its neighbour's digits, so that it does not widen the page.
        let mut neighbour = page.iter().zip(values).find(|(_, value)| exact(**value, power)).map_or(0, |(digits, _)| *digits);
        for (index, (place, value)) in page.iter_mut().zip(values).enumerate() {
            if exact(*value, power) {
                neighbour = *place;
            } else {
                *place = neighbour;
                write_varint(out, index as u64);
                F::Word::write(&[value.bits()], out);
            }
        }
    }
    integer::encode(page, true, out);
    true
}

/// Appends the `count` (at most a page) values of a page to `out`.
pub fn decode<F: Float>(reader: &mut Reader<'_>, count: usize, out: &mut Vec<F>) -> Result<()> {
    let mut ahead = reader.clone();
    if ahead.byte()? != DECIMAL {
        let mut words = Vec::with_capacity(count);
        integer::decode::<F::Word>(reader, count, &mut words)?;
        out.extend(words.into_iter().map(F::from_bits));
        return Ok(());
    }
    *reader = ahead;
    let exponent = usize::from(reader.byte()?);
    let power = *POWERS.get(exponent).ok_or_else(|| Error::corrupt(format!("decimal exponent {exponent}")))?;
    let exceptions = reader.length(count)?;
    let mut positions = [(0, F::Word::default()); PAGE_ROWS];
    let mut word = Vec::with_capacity(1);
    for place in &mut positions[..exceptions] {
        let index = reader.length(count.saturating_sub(1))?;
        word.clear();
        F::Word::read(reader.take(size_of::<F>())?, &mut word);
        *place = (index, word[0]);
    }
    let mut page = Vec::with_capacity(count);
    integer::decode(reader, count, &mut page)?;
    let start = out.len();
    out.extend(page.into_iter().map(|digits| number::<F>(digits, power)));
    for (index, bits) in &positions[..exceptions] {
        out[start + index] = F::from_bits(*bits);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip<F: Float>(values: &[F]) -> usize {
        let mut bytes = Vec::new();
        encode(values, &mut bytes);
        let mut back = Vec::<F>::new();
        let mut reader = Reader::new(&bytes);
        decode(&mut reader, values.len(), &mut back).unwrap();
        reader.end().unwrap();
        for (value, back) in values.iter().zip(&back) {
            assert!(value.bits() == back.bits());
        }
        assert_eq!(values.len(), back.len());
        bytes.len()
    }

    #[test]
    fn decimals_pack_and_odd_ones_survive() {
        let gauge: Vec<f64> = (0..512).map(|index| f64::from(2000 + index * 7 % 100) / 100.0).collect();
        assert!(round_trip(&gauge) < 512);
        let mut odd = gauge;
        odd[17] = f64::NAN;
        odd[18] = f64::NEG_INFINITY;
        odd[300] = -0.0;
        odd[301] = 1e300;
        odd[302] = 0.1 + 0.2;
        assert!(round_trip(&odd) < 600);
        let current: Vec<f32> = (0..512_u16).map(|index| f32::from(100 + index % 30) / 10.0).collect();
        assert!(round_trip(&current) < 400);
        assert!(round_trip(&[std::f64::consts::PI; 512]) < 20);
    }

    proptest! {
        #[test]
        fn any_numbers_round_trip(wide in proptest::collection::vec(any::<u64>(), 1..=512), narrow in proptest::collection::vec(any::<u32>(), 1..=512)) {
            round_trip(&wide.iter().map(|bits| f64::from_bits(*bits)).collect::<Vec<_>>());
            round_trip(&narrow.iter().map(|bits| f32::from_bits(*bits)).collect::<Vec<_>>());
        }

        #[test]
        fn any_decimals_round_trip(values in proptest::collection::vec(-1_000_000_i32..1_000_000, 1..=512), exponent in 0_i32..8) {
            round_trip(&values.iter().map(|value| f64::from(*value) / 10_f64.powi(exponent)).collect::<Vec<_>>());
            round_trip(&values.iter().map(|value| (f64::from(*value) / 10_f64.powi(exponent)) as f32).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_values_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0_usize..=512) {
            let bytes: Vec<u8> = std::iter::once(DECIMAL).chain(bytes).collect();
            let _ = decode::<f64>(&mut Reader::new(&bytes), count, &mut Vec::new());
            let _ = decode::<f32>(&mut Reader::new(&bytes), count, &mut Vec::new());
        }
    }
}
