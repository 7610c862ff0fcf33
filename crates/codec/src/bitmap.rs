//! Bits of a page: which cells are valid or present, and booleans.

use std::ops::Range;

use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder};
use embudo_types::{Error, Result};

use crate::reader::Reader;

/// No bit is set.
pub const NONE: u8 = 0;
/// Every bit is set.
pub const ALL: u8 = 1;
/// The bits follow, lowest first, the last byte filled with zeros.
pub const SOME: u8 = 2;

/// How the bits of a range are written, and how many are set; a missing bitmap is all ones.
pub fn kind(bits: Option<&BooleanBuffer>, range: &Range<usize>) -> (u8, usize) {
    let set = bits.map_or(range.len(), |bits| bits.slice(range.start, range.len()).count_set_bits());
    let kind = match set {
        all if all == range.len() => ALL,
        0 => NONE,
        _ => SOME,
    };
    (kind, set)
}

/// Appends the bits of a range.
pub fn write(bits: &BooleanBuffer, range: &Range<usize>, out: &mut Vec<u8>) {
    let slice = bits.slice(range.start, range.len());
    let end = out.len() + range.len().div_ceil(8);
    for word in slice.bit_chunks().iter_padded() {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.truncate(end);
}

/// Appends `count` bits of a kind to `out`, and says how many are set.
pub fn read(kind: u8, reader: &mut Reader<'_>, count: usize, out: &mut BooleanBufferBuilder) -> Result<usize> {
    match kind {
        NONE => {
            out.append_n(count, false);
            Ok(0)
        }
        ALL => {
            out.append_n(count, true);
            Ok(count)
        }
        SOME => {
            let bytes = reader.take(count.div_ceil(8))?;
            let stray = bytes.last().is_some_and(|last| !count.is_multiple_of(8) && last >> (count % 8) != 0);
            if stray {
                return Err(Error::corrupt("bits past the end of a bitmap"));
            }
            out.append_packed_range(0..count, bytes);
            Ok(bytes.iter().map(|byte| byte.count_ones() as usize).sum())
        }
        other => Err(Error::corrupt(format!("unknown kind of bitmap {other}"))),
    }
}
