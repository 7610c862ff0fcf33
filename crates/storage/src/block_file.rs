//! Block files: a shard's rows of one time slice, sorted by (table, key), written once and read by block and column.
//!
//! `docs/format.md` gives the bytes. [`BlockFileWriter`] streams with bounded memory; [`BlockFile`] gives each table's blocks as
//! [`Source`](crate::Source)s for the merge. Which files there are, and when they are written, is the store's.

mod contents;
mod index_page;
mod layout;
mod reader;
mod statistics;
mod values;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use contents::{Contents, Rows};
pub(crate) use index_page::IndexPage;
pub use reader::{BlockFile, FileDamage};
pub(crate) use statistics::{StatisticsSection, label, statistics_of};
pub use writer::BlockFileWriter;

use crate::rows::{SequenceRange, TIMESTAMP_COLUMN, TimeRange};

/// Most rows of a block.
pub const BLOCK_ROWS: usize = 4096;
/// Raw bytes at which a block closes.
const BLOCK_BYTES: usize = 1 << 20;
/// Rows from which a block has statistics.
const STATISTICS_ROWS: usize = 256;
/// Blocks of an index page.
const PAGE_BLOCKS: usize = 64;
/// Entries at which an index page closes.
const PAGE_ENTRIES: usize = 4096;
/// Longest first or last value kept in statistics.
const STATISTICS_VALUE_BYTES: usize = 256;
/// Number of the composite key's chunk in a directory.
const KEY_COLUMN: u16 = 0;

/// What a block file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockFileSummary {
    /// Rows.
    pub rows: u64,
    /// Index pages.
    pub pages: u64,
    /// Length of the file.
    pub bytes: u64,
    /// First and last timestamp.
    pub range: TimeRange,
    /// Lowest and highest sequence.
    pub sequences: SequenceRange,
    /// Whether its chunks were made small rather than fast.
    pub is_packed: bool,
}
