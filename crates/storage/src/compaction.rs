//! Several block files become one: their rows by key, the newest cell of each, without what deletions hide; and which files of a slice are
//! due for it. What becomes of them is the store's.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::make_array;
use arrow_buffer::NullBuffer;
use embudo_types::{Error, Result};
use rustc_hash::FxHashMap;

use crate::block_file::{BlockFile, Contents, Rows};
use crate::resolve::{resolve, slice};
use crate::rows::{BatchColumn, ColumnBatch, Sequence, SequenceRange, Uid};
use crate::source::Tombstone;
use crate::version::StoreFile;

/// Files of like size that are merged into one.
const TIER_FILES: usize = 4;
/// Bytes of the files of the first tier; those of the next are up to four times as large.
const TIER_BYTES: u64 = 1 << 20;
/// Files above it are not merged with others while their slice is written.
const LARGEST_TIER_BYTES: u64 = 1 << 30;
/// A packed slice is packed again once this share of it has come on top.
const REPACK_SHARE: u64 = 4;

/// Whether the files of one time slice of a shard are to become one packed file. `newest` is the last sequence in any file of the shard: a
/// slice that the last flush did not touch is not written any more.
pub(crate) fn is_due_to_be_packed(files: &[StoreFile], newest: Sequence) -> bool {
    let is_packed = |file: &StoreFile| file.file.as_ref().is_ok_and(|file| file.summary().is_packed);
    let loose: u64 = files.iter().filter(|file| !is_packed(file)).map(|file| file.entry.bytes).sum();
    let packed: u64 = files.iter().filter(|file| is_packed(file)).map(|file| file.entry.bytes).sum();
    loose > packed / REPACK_SHARE && files.iter().all(|file| file.entry.sequences.max < newest)
}

/// Which files of one time slice of a shard, oldest first, are to become one because there are many of their size.
pub(crate) fn due_tier(files: &[StoreFile]) -> Option<Range<usize>> {
    let tiers: Vec<u32> = files.iter().map(|file| (file.entry.bytes / TIER_BYTES).max(1).ilog2() / 2).collect();
    let highest = (LARGEST_TIER_BYTES / TIER_BYTES).ilog2() / 2;
    (0..highest).find_map(|tier| {
        let mut start = 0;
        for run in tiers.chunk_by(|left, right| (*left <= tier) == (*right <= tier)) {
            let end = start + run.len();
            // Smaller ones among them and behind them go along; larger ones stay.
            if run.iter().filter(|other| **other == tier).count() >= TIER_FILES {
                return Some(start..end);
            }
            start = end;
        }
        None
    })
}

/// Gives the rows of `files` (oldest first, nothing between them in sequence) to `write`, in order of (table, key), each key once.
///
/// `tombstones` are a table's deletions; each is applied to the rows that are older than it. If `is_oldest`, no older file can hold
/// a cell of these rows, and absent cells become NULL.
pub(crate) fn rewrite(
    files: &[Arc<BlockFile>],
    tombstones: &FxHashMap<Uid, Vec<Tombstone>>,
    is_oldest: bool,
    write: &mut dyn FnMut(&ColumnBatch, SequenceRange) -> Result<()>,
) -> Result<()> {
    let mut inputs: Vec<Input<'_>> = files.iter().map(|file| Input { rows: Contents::new(file.clone()), head: None, tombstones }).collect();
    for input in &mut inputs {
        input.refill()?;
    }
    while let Some(uid) = inputs.iter().filter_map(|input| input.head.as_ref()).map(|(batch, _)| batch.uid).min() {
        let heads = || inputs.iter().filter_map(|input| input.head.as_ref()).filter(|(batch, _)| batch.uid == uid);
        // Up to where the head that ends first ends, nothing is missing; if it ends before another begins, it stands alone.
        let Some(cut) = heads().map(|(batch, _)| batch.timestamps[batch.rows() - 1]).min() else { break };
        let mut parts: Vec<Rows> = Vec::new();
        for input in &mut inputs {
            input.take(uid, cut, &mut parts)?;
        }
        let Some(sequences) = parts.iter().map(|(_, sequences)| *sequences).reduce(union) else {
            return Err(Error::internal("a rewrite that does not advance"));
        };
        let mut batch = match parts.len() {
            1 => parts.swap_remove(0).0,
            _ => resolve(&parts.into_iter().map(|(batch, _)| batch).collect::<Vec<_>>())?,
        };
        if is_oldest {
            batch.columns = batch.columns.into_iter().map(absent_to_null).collect::<Result<_>>()?;
        }
        write(&batch, sequences)?;
    }
    Ok(())
}

fn union(left: SequenceRange, right: SequenceRange) -> SequenceRange {
    SequenceRange { min: left.min.min(right.min), max: left.max.max(right.max) }
}

fn absent_to_null(column: BatchColumn) -> Result<BatchColumn> {
    let Some(present) = column.present else { return Ok(column) };
    let data = column.array.to_data();
    let nulls = NullBuffer::union(data.nulls(), Some(&NullBuffer::new(present)));
    let array = data.into_builder().nulls(nulls).build().map_err(|error| Error::internal("absent cells do not fit their column").caused_by(error))?;
    Ok(BatchColumn { id: column.id, array: make_array(array), present: None })
}

/// A file's rows, what deletions hide left out.
struct Input<'a> {
    rows: Contents,
    /// The next rows, none only at the end.
    head: Option<Rows>,
    tombstones: &'a FxHashMap<Uid, Vec<Tombstone>>,
}

impl Input<'_> {
    /// Moves on to the next visible rows.
    fn refill(&mut self) -> Result<()> {
        self.head = None;
        for next in self.rows.by_ref() {
            let (batch, sequences) = next?;
            let tombstones = self.tombstones.get(&batch.uid).map_or(&[][..], Vec::as_slice);
            if let Some(batch) = visible(batch, sequences, tombstones)? {
                self.head = Some((batch, sequences));
                break;
            }
        }
        Ok(())
    }

    /// Moves a table's rows up to `cut` (with it) to `parts`.
    fn take(&mut self, uid: Uid, cut: i64, parts: &mut Vec<Rows>) -> Result<()> {
        while let Some((batch, sequences)) = &mut self.head {
            let rows = batch.timestamps.partition_point(|timestamp| *timestamp <= cut);
            if batch.uid != uid || rows == 0 {
                break;
            }
            parts.push((slice(batch, 0..rows), *sequences));
            if rows < batch.rows() {
                *batch = slice(batch, rows..batch.rows());
                break;
            }
            self.refill()?;
        }
        Ok(())
    }
}

/// The rows that no newer deletion hides, if there are any.
fn visible(batch: ColumnBatch, sequences: SequenceRange, tombstones: &[Tombstone]) -> Result<Option<ColumnBatch>> {
    let (first, last) = (batch.timestamps[0], batch.timestamps[batch.rows() - 1]);
    let mut hidden: Vec<_> = tombstones.iter().filter(|tombstone| sequences.max < tombstone.sequence).map(|tombstone| tombstone.range).collect();
    hidden.retain(|range| range.start <= last && first <= range.end);
    if hidden.is_empty() {
        return Ok(Some(batch));
    }
    hidden.sort_unstable_by_key(|range| range.start);
    let mut parts = Vec::new();
    let mut start = 0;
    for range in hidden {
        let from = batch.timestamps.partition_point(|timestamp| *timestamp < range.start);
        if from > start {
            parts.push(slice(&batch, start..from));
        }
        start = start.max(batch.timestamps.partition_point(|timestamp| *timestamp <= range.end));
    }
    if start < batch.rows() {
        parts.push(slice(&batch, start..batch.rows()));
    }
    match parts.len() {
        0 => Ok(None),
        1 => Ok(parts.pop()),
        _ => resolve(&parts).map(Some),
    }
}

#[cfg(test)]
mod tests;
