//! Pages of byte strings: a dictionary where values repeat, else lengths and the bytes, compressed with lz4 where that saves.

use embudo_types::{Error, Result};
use rustc_hash::FxHashMap;

use crate::{
    MAX_CHUNK_BYTES, PAGE_ROWS, integer,
    reader::{Reader, write_varint},
};

/// Page of lengths, bytes.
const PLAIN: u8 = 0;
/// Number of entries, page of entries (not a dictionary), page of 16-bit codes.
const DICTIONARY: u8 = 1;
/// Page of lengths, length, lz4 of the bytes.
const COMPRESSED: u8 = 2;

/// lz4 cannot unpack to more than this many times its input.
const MOST_EXPANSION: usize = 255;
/// Fewer bytes than this are not worth compressing.
const WORTH_COMPRESSING: usize = 32;

/// Byte strings one after another: `ends` closes each of them.
#[derive(Debug, Default)]
pub struct Strings {
    /// End of each string in `bytes`.
    pub ends: Vec<i32>,
    /// The strings.
    pub bytes: Vec<u8>,
}

impl Strings {
    fn room(&self, more: usize) -> Result<usize> {
        let total = self.bytes.len().saturating_add(more);
        if total > MAX_CHUNK_BYTES { Err(Error::corrupt(format!("{total} bytes of strings in one chunk"))) } else { Ok(total) }
    }

    fn close(&mut self, lengths: &[u32]) {
        let mut end = self.ends.last().copied().unwrap_or(0);
        self.ends.extend(lengths.iter().map(|length| {
            end += *length as i32;
            end
        }));
    }
}

/// Appends a page of 1 to [`PAGE_ROWS`] strings.
pub fn encode(values: &[&[u8]], out: &mut Vec<u8>) {
    if let Some((entries, codes)) = dictionary(values) {
        out.push(DICTIONARY);
        write_varint(out, entries.len() as u64);
        plain(&entries, out);
        integer::encode(&codes, false, out);
    } else {
        plain(values, out);
    }
}

/// Distinct values and each value's place among them, if they are at most a quarter.
fn dictionary<'a>(values: &[&'a [u8]]) -> Option<(Vec<&'a [u8]>, Vec<u16>)> {
    let most = values.len() / 4;
    if most == 0 {
        return None;
    }
    let mut places: FxHashMap<&[u8], u16> = FxHashMap::default();
    let mut entries = Vec::new();
    let mut codes = Vec::with_capacity(values.len());
    for value in values {
        let next = entries.len();
        let code = *places.entry(value).or_insert(next as u16);
        if usize::from(code) == next {
            if next == most {
                return None;
            }
            entries.push(*value);
        }
        codes.push(code);
    }
    Some((entries, codes))
}

fn plain(values: &[&[u8]], out: &mut Vec<u8>) {
    let lengths: Vec<u32> = values.iter().map(|value| value.len() as u32).collect();
    let bytes = values.concat();
    if bytes.len() >= WORTH_COMPRESSING {
        let compressed = lz4_flex::block::compress(&bytes);
        if compressed.len() < bytes.len() / 16 * 15 {
            out.push(COMPRESSED);
            integer::encode(&lengths, false, out);
            write_varint(out, compressed.len() as u64);
            out.extend_from_slice(&compressed);
            return;
        }
    }
    out.push(PLAIN);
    integer::encode(&lengths, false, out);
    out.extend_from_slice(&bytes);
}

/// Appends the `count` (at most a page) strings of a page to `out`.
pub fn decode(reader: &mut Reader<'_>, count: usize, out: &mut Strings) -> Result<()> {
    match reader.byte()? {
        DICTIONARY => {
            let entries = reader.length(PAGE_ROWS)?;
            let mut dictionary = Strings::default();
            match reader.byte()? {
                DICTIONARY => return Err(Error::corrupt("dictionary of a dictionary")),
                scheme => decode_plain(scheme, reader, entries, &mut dictionary)?,
            }
            let mut codes: Vec<u16> = Vec::with_capacity(count);
            integer::decode(reader, count, &mut codes)?;
            expand(&dictionary, &codes, out)
        }
        scheme => decode_plain(scheme, reader, count, out),
    }
}

fn expand(dictionary: &Strings, codes: &[u16], out: &mut Strings) -> Result<()> {
    let mut lengths = Vec::with_capacity(codes.len());
    for code in codes {
        let code = usize::from(*code);
        let end = *dictionary.ends.get(code).ok_or_else(|| Error::corrupt(format!("code {code} outside the dictionary")))?;
        lengths.push((end - code.checked_sub(1).map_or(0, |before| dictionary.ends[before])) as u32);
    }
    let total = lengths.iter().map(|length| *length as usize).sum();
    out.room(total)?;
    out.bytes.reserve(total);
    for (code, length) in codes.iter().zip(&lengths) {
        let end = dictionary.ends[usize::from(*code)] as usize;
        out.bytes.extend_from_slice(&dictionary.bytes[end - *length as usize..end]);
    }
    out.close(&lengths);
    Ok(())
}

fn decode_plain(scheme: u8, reader: &mut Reader<'_>, count: usize, out: &mut Strings) -> Result<()> {
    let mut lengths: Vec<u32> = Vec::with_capacity(count);
    integer::decode(reader, count, &mut lengths)?;
    let total = lengths.iter().fold(0_usize, |total, length| total.saturating_add(*length as usize));
    let end = out.room(total)?;
    match scheme {
        PLAIN => out.bytes.extend_from_slice(reader.take(total)?),
        COMPRESSED => {
            let length = reader.length(reader.remaining())?;
            let compressed = reader.take(length)?;
            if total > compressed.len().saturating_mul(MOST_EXPANSION) {
                return Err(Error::corrupt("compressed strings too short for their lengths"));
            }
            let start = out.bytes.len();
            out.bytes.resize(end, 0);
            integer::decompress(compressed, &mut out.bytes[start..])?;
        }
        other => return Err(Error::corrupt(format!("unknown string scheme {other}"))),
    }
    out.close(&lengths);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn round_trip(values: &[Vec<u8>]) -> usize {
        let slices: Vec<&[u8]> = values.iter().map(Vec::as_slice).collect();
        let mut bytes = Vec::new();
        encode(&slices, &mut bytes);
        let mut back = Strings::default();
        let mut reader = Reader::new(&bytes);
        decode(&mut reader, values.len(), &mut back).unwrap();
        reader.end().unwrap();
        let mut start = 0;
        for (value, end) in values.iter().zip(&back.ends) {
            assert_eq!(value.as_slice(), &back.bytes[start..*end as usize]);
            start = *end as usize;
        }
        assert_eq!(back.ends.len(), values.len());
        bytes.len()
    }

    #[test]
    fn repeated_strings_take_few_bytes() {
        let states: Vec<Vec<u8>> = (0..512).map(|index| format!("state number {}", index % 5).into_bytes()).collect();
        assert!(round_trip(&states) < 512 * 3 / 8 + 100);
        assert!(round_trip(&vec![b"the same".to_vec(); 512]) < 30);
        assert!(round_trip(&(0..512).map(|index| format!("measurement {index:06}").into_bytes()).collect::<Vec<_>>()) < 512 * 9);
    }

    proptest! {
        #[test]
        fn any_strings_round_trip(values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..=512), repeat in 1_usize..8) {
            let repeated: Vec<Vec<u8>> = values.iter().enumerate().map(|(index, _)| values[index / repeat].clone()).collect();
            round_trip(&repeated);
            round_trip(&values);
        }

        #[test]
        fn any_bytes_are_strings_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200), scheme in 0_u8..4, count in 0_usize..=512) {
            let bytes: Vec<u8> = std::iter::once(scheme).chain(bytes).collect();
            let mut out = Strings::default();
            if decode(&mut Reader::new(&bytes), count, &mut out).is_ok() {
                prop_assert_eq!(out.ends.len(), count);
                prop_assert_eq!(out.ends.last().copied().unwrap_or(0) as usize, out.bytes.len());
            }
        }
    }
}
