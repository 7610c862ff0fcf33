//! The fixed parts of a block file (header, root, trailer) and arrays within its metadata.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, UInt32Array, UInt64Array};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use embudo_codec::{Reader, checksum, decode, encode, write_varint};
use embudo_types::{Error, Precision, Result, code};

use crate::rows::{SequenceRange, TimeRange, Uid};

pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const TRAILER_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"EMBUDOBF";
const END_MAGIC: &[u8; 4] = b"EMBF";
const VERSION: u16 = 1;
/// Required features that this version knows: none so far.
const KNOWN_FEATURES: u64 = 0;
/// Optional feature: chunks were made small rather than fast.
const PACKED: u64 = 1;

/// Appends an array: codec, length, chunk.
pub(crate) fn write_array(array: &dyn Array, out: &mut Vec<u8>) -> Result<()> {
    let mut chunk = Vec::new();
    let codec = encode(array, None, &mut chunk)?;
    out.push(codec.id());
    write_varint(out, chunk.len() as u64);
    out.append(&mut chunk);
    Ok(())
}

/// The next array, of `rows` values.
pub(crate) fn read_array(reader: &mut Reader<'_>, data_type: &ArrowType, rows: usize) -> Result<ArrayRef> {
    let codec = reader.byte()?;
    let length = reader.length(reader.remaining())?;
    Ok(decode(codec, data_type, rows, reader.take(length)?)?.array)
}

macro_rules! number_arrays {
    ($write:ident, $read:ident, $number:ty, $array:ty, $type:expr) => {
        /// Appends an array of numbers.
        pub(crate) fn $write(values: Vec<$number>, out: &mut Vec<u8>) -> Result<()> {
            write_array(&<$array>::from(values), out)
        }

        /// The next array of numbers, none of them NULL.
        pub(crate) fn $read(reader: &mut Reader<'_>, rows: usize) -> Result<ScalarBuffer<$number>> {
            let array = read_array(reader, &$type, rows)?;
            match array.as_any().downcast_ref::<$array>() {
                Some(numbers) if numbers.null_count() == 0 => Ok(numbers.values().clone()),
                _ => Err(Error::corrupt("a number is missing")),
            }
        }
    };
}

number_arrays!(write_u64s, read_u64s, u64, UInt64Array, ArrowType::UInt64);
number_arrays!(write_u32s, read_u32s, u32, UInt32Array, ArrowType::UInt32);
number_arrays!(write_i64s, read_i64s, i64, Int64Array, ArrowType::Int64);

/// The first bytes of a file.
pub(crate) fn header(precision: Precision, is_packed: bool) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(MAGIC);
    header[8..10].copy_from_slice(&VERSION.to_le_bytes());
    header[10] = match precision {
        Precision::Milli => 0,
        Precision::Micro => 1,
        Precision::Nano => 2,
    };
    header[24..32].copy_from_slice(&if is_packed { PACKED } else { 0 }.to_le_bytes());
    let checksum = checksum(&header[..60]);
    header[60..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// Checks the first bytes of a file; gives its precision and whether it is packed.
pub(crate) fn read_header(bytes: &[u8; HEADER_BYTES]) -> Result<(Precision, bool)> {
    let mut reader = Reader::new(bytes);
    if reader.array::<8>()? != *MAGIC {
        return Err(Error::corrupt("not a block file"));
    }
    if checksum(&bytes[..60]).to_le_bytes() != bytes[60..] {
        return Err(Error::corrupt("damaged header"));
    }
    let version = u16::from_le_bytes(reader.array()?);
    if version != VERSION {
        return Err(refused(&format!("block file version {version}")));
    }
    let precision = match reader.byte()? {
        0 => Precision::Milli,
        1 => Precision::Micro,
        2 => Precision::Nano,
        other => return Err(Error::corrupt(format!("unknown precision {other}"))),
    };
    reader.take(5)?;
    let unknown = reader.u64()? & !KNOWN_FEATURES;
    if unknown != 0 {
        return Err(refused(&format!("required features {unknown:#x}")));
    }
    Ok((precision, reader.u64()? & PACKED != 0))
}

fn refused(what: &str) -> Error {
    Error::with(code::VERSION_NOT_COMPATIBLE, format!("Version not compatible: {what} not known to this version"))
}

/// The last bytes of a file, for the root at `offset`.
pub(crate) fn trailer(offset: u64, root: &[u8]) -> [u8; TRAILER_BYTES] {
    let mut trailer = [0; TRAILER_BYTES];
    trailer[..8].copy_from_slice(&offset.to_le_bytes());
    trailer[8..12].copy_from_slice(&(root.len() as u32).to_le_bytes());
    trailer[12..16].copy_from_slice(&checksum(root).to_le_bytes());
    let checksum = checksum(&trailer[..24]);
    trailer[24..28].copy_from_slice(&checksum.to_le_bytes());
    trailer[28..].copy_from_slice(END_MAGIC);
    trailer
}

/// A checked run of bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    pub(crate) offset: u64,
    pub(crate) length: u32,
    pub(crate) checksum: u32,
}

/// Where the root lies.
pub(crate) fn read_trailer(bytes: &[u8; TRAILER_BYTES]) -> Result<Extent> {
    if checksum(&bytes[..24]).to_le_bytes() != bytes[24..28] || bytes[28..] != *END_MAGIC {
        return Err(Error::corrupt("damaged or unfinished end"));
    }
    let mut reader = Reader::new(bytes);
    Ok(Extent { offset: reader.u64()?, length: reader.u32()?, checksum: reader.u32()? })
}

/// An index page as the root knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PagePlace {
    pub(crate) first: Uid,
    pub(crate) last: Uid,
    pub(crate) extent: Extent,
    pub(crate) range: TimeRange,
    pub(crate) sequences: SequenceRange,
    pub(crate) rows: u64,
}

/// The root over the index pages.
pub(crate) fn write_root(pages: &[PagePlace]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write_varint(&mut out, pages.len() as u64);
    let unsigned = |field: fn(&PagePlace) -> u64| pages.iter().map(field).collect::<Vec<_>>();
    write_u64s(unsigned(|page| page.first), &mut out)?;
    write_u64s(unsigned(|page| page.last), &mut out)?;
    write_u64s(unsigned(|page| page.extent.offset), &mut out)?;
    write_u32s(pages.iter().map(|page| page.extent.length).collect(), &mut out)?;
    write_u32s(pages.iter().map(|page| page.extent.checksum).collect(), &mut out)?;
    write_i64s(pages.iter().map(|page| page.range.start).collect(), &mut out)?;
    write_i64s(pages.iter().map(|page| page.range.end).collect(), &mut out)?;
    write_u64s(unsigned(|page| page.sequences.min), &mut out)?;
    write_u64s(unsigned(|page| page.sequences.max), &mut out)?;
    write_u64s(unsigned(|page| page.rows), &mut out)?;
    Ok(out)
}

/// The index pages of a file of `file_bytes`.
pub(crate) fn read_root(bytes: &[u8], file_bytes: u64) -> Result<Vec<PagePlace>> {
    let mut reader = Reader::new(bytes);
    // A page takes some dozen bytes at least, so the file's length bounds what is set aside.
    let count = reader.length(file_bytes as usize / 32)?;
    let (first, last) = (read_u64s(&mut reader, count)?, read_u64s(&mut reader, count)?);
    let (offsets, lengths, checksums) = (read_u64s(&mut reader, count)?, read_u32s(&mut reader, count)?, read_u32s(&mut reader, count)?);
    let (starts, ends) = (read_i64s(&mut reader, count)?, read_i64s(&mut reader, count)?);
    let (mins, maxes, rows) = (read_u64s(&mut reader, count)?, read_u64s(&mut reader, count)?, read_u64s(&mut reader, count)?);
    reader.end()?;
    let pages: Vec<PagePlace> = (0..count)
        .map(|page| PagePlace {
            first: first[page],
            last: last[page],
            extent: Extent { offset: offsets[page], length: lengths[page], checksum: checksums[page] },
            range: TimeRange::new(starts[page], ends[page]),
            sequences: SequenceRange { min: mins[page], max: maxes[page] },
            rows: rows[page],
        })
        .collect();
    if !pages.is_sorted_by(|left, right| left.last <= right.first) || pages.iter().any(|page| page.first > page.last) {
        return Err(Error::corrupt("index pages out of order"));
    }
    Ok(pages)
}

/// An array of its own for numbers that may be missing.
pub(crate) fn numbers(values: impl Iterator<Item = Option<i64>>) -> ArrayRef {
    Arc::new(values.collect::<Int64Array>())
}
