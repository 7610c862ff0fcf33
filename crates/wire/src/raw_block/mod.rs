//! The raw block, version 3 (spec/protocols.md 3.5): rows as columns in TDengine's own memory layout, all little-endian.
//!
//! ```text
//! i32 version, i32 total bytes, i32 rows, i32 columns, i32 flags, u64 group      28 bytes
//! columns × { i8 type, i32 storage bytes }, columns × i32 data bytes
//! fixed width: bitmap of NULLs (most significant bit first), rows × width bytes
//! variable:    rows × i32 offset (-1 is NULL), then values with a length of 2 bytes (BLOB: 4)
//! u8 0                                                                          not behind JSON columns
//! ```
//! Written from a batch's schema alone, and read back into Arrow arrays. A block carries no column names and no precision: the message
//! around it does.

mod decode;
mod encode;

pub use decode::{Block, decode};
pub use encode::{FETCH_VERSION, SUBSCRIPTION_VERSION, encode, storage_bytes};

/// Bytes before the columns' types.
const HEADER_BYTES: usize = 28;
/// "The columns' types follow", the only flag.
const FLAG_SCHEMA: u32 = 0x8000_0000;
/// Storage length that blocks give for a JSON column (recorded).
const JSON_STORAGE: i32 = 16_384;

#[cfg(test)]
mod tests;
