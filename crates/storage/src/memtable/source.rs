//! Rows in memory as a source of scans: a view of a chunk, or a batch that was sorted for the reader.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_array::ArrayRef;
use arrow_buffer::ScalarBuffer;
use embudo_types::{ColumnStatistics, DataType, Result};

use super::active::ActiveChunk;
use crate::resolve::slice_column;
use crate::rows::{BatchColumn, ColumnBatch, ColumnId, SequenceRange, TimeRange, Uid};
use crate::source::Source;
use crate::statistics::column_statistics;

/// A sorted, unchanging batch with the sequences of its rows; statistics are computed once asked.
pub(crate) struct SealedChunk {
    pub(super) batch: ColumnBatch,
    pub(super) sequences: SequenceRange,
    statistics: Mutex<Vec<(ColumnId, ColumnStatistics)>>,
}

impl SealedChunk {
    /// A chunk of a batch with ascending keys and at least one row.
    pub(super) fn new(batch: ColumnBatch, sequences: SequenceRange) -> Arc<Self> {
        Arc::new(Self { batch, sequences, statistics: Mutex::default() })
    }

    fn statistics(&self, id: ColumnId, data_type: DataType) -> Option<ColumnStatistics> {
        let mut known = self.statistics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, statistics)) = known.iter().find(|(known, _)| *known == id) {
            return Some(statistics.clone());
        }
        let column = self.batch.columns.iter().find(|column| column.id == id);
        let statistics = match column {
            Some(column) => column_statistics(&self.batch.timestamps, column, data_type)?,
            None => ColumnStatistics { nulls: self.batch.rows() as u64, ..ColumnStatistics::default() },
        };
        known.push((id, statistics.clone()));
        Some(statistics)
    }
}

/// Some rows of a chunk in memory.
pub(super) struct MemorySource {
    rows: Range<usize>,
    range: TimeRange,
    sequences: SequenceRange,
    body: Body,
}

enum Body {
    Active(Arc<ActiveChunk>),
    Sealed(Arc<SealedChunk>),
}

impl MemorySource {
    /// Rows of a growing chunk, all published and in key order; not empty.
    pub(super) fn active(chunk: &Arc<ActiveChunk>, rows: Range<usize>, sequences: SequenceRange) -> Self {
        let timestamps = chunk.timestamps(rows.end);
        let range = TimeRange::new(timestamps[rows.start], timestamps[rows.end - 1]);
        Self { rows, range, sequences, body: Body::Active(chunk.clone()) }
    }

    /// All rows of a sealed chunk.
    pub(super) fn sealed(chunk: Arc<SealedChunk>) -> Self {
        let timestamps = &chunk.batch.timestamps;
        let range = TimeRange::new(timestamps[0], timestamps[timestamps.len() - 1]);
        Self { rows: 0..timestamps.len(), range, sequences: chunk.sequences, body: Body::Sealed(chunk) }
    }

    /// All rows with all columns.
    pub(super) fn batch(&self, uid: Uid) -> Result<ColumnBatch> {
        match &self.body {
            Body::Active(chunk) => chunk.batch(uid, self.rows.clone()),
            Body::Sealed(chunk) => Ok(chunk.batch.clone()),
        }
    }

    fn shift(&self, rows: &Range<usize>) -> Range<usize> {
        self.rows.start + rows.start..self.rows.start + rows.end
    }
}

impl Source for MemorySource {
    fn range(&self) -> TimeRange {
        self.range
    }

    fn sequences(&self) -> SequenceRange {
        self.sequences
    }

    fn rows(&self) -> usize {
        self.rows.len()
    }

    fn timestamps(&self, rows: Range<usize>) -> Result<ScalarBuffer<i64>> {
        let rows = self.shift(&rows);
        Ok(match &self.body {
            Body::Active(chunk) => chunk.timestamps(rows.end).slice(rows.start, rows.len()),
            Body::Sealed(chunk) => chunk.batch.timestamps.slice(rows.start, rows.len()),
        })
    }

    fn keys(&self, rows: Range<usize>) -> Result<Option<ArrayRef>> {
        let rows = self.shift(&rows);
        let keys = match &self.body {
            Body::Active(chunk) => chunk.keys(rows.end)?,
            Body::Sealed(chunk) => chunk.batch.key.clone(),
        };
        Ok(keys.map(|keys| keys.slice(rows.start, rows.len())))
    }

    fn statistics(&self, column: ColumnId, data_type: DataType) -> Option<ColumnStatistics> {
        match &self.body {
            Body::Active(_) => None,
            Body::Sealed(chunk) => chunk.statistics(column, data_type),
        }
    }

    fn load(&self, columns: &[(ColumnId, DataType)], rows: Range<usize>) -> Result<Vec<Option<BatchColumn>>> {
        let rows = self.shift(&rows);
        let load = |&(id, _): &(ColumnId, DataType)| {
            let column = match &self.body {
                Body::Active(chunk) => chunk.load(id, rows.end)?,
                Body::Sealed(chunk) => chunk.batch.columns.iter().find(|column| column.id == id).cloned(),
            };
            Ok(column.map(|column| slice_column(&column, rows.clone())))
        };
        columns.iter().map(load).collect()
    }
}
