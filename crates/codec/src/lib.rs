//! Column encodings and checksums: a column of cells to bytes and back, by pure functions without I/O.
//!
//! A *chunk* is one column of a block: pages of [`PAGE_ROWS`] rows, each encoded by whatever suits its values, so that a point
//! read decodes one page. Cells have three states (value, NULL, absent). The byte layout stands in `docs/format.md`; where chunks
//! lie in files, and their checksums' places, is storage's. Decoders take arbitrary bytes: they answer with an error, never with a
//! panic or with memory that the input does not account for.

mod bitmap;
mod bits;
mod bytes;
mod chunk;
mod float;
mod integer;
mod pco;
mod physical;
mod reader;

pub use chunk::{Cells, Codec, decode, decode_rows, encode, encode_small, sequence};
pub use physical::PhysicalType;
pub use reader::{Reader, write_signed, write_varint};

/// Rows of a page; the last page of a chunk may have fewer.
pub const PAGE_ROWS: usize = 512;

/// Bytes that the variable-length values of one chunk may come to.
pub const MAX_CHUNK_BYTES: usize = 256 << 20;

/// CRC-32 (ISO-HDLC) of `bytes`, as every checksum in Embudo's files. With the feature `fuzzing` every checksum is the same, so that a
/// fuzzer gets past them to what they protect.
pub fn checksum(bytes: &[u8]) -> u32 {
    if cfg!(feature = "fuzzing") { 0 } else { crc32fast::hash(bytes) }
}
