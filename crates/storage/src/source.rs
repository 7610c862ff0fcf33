//! What a scan reads from: sorted runs of one table's rows, in memory or in a file, and the tombstones between them.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::ScalarBuffer;
use embudo_types::{ColumnStatistics, DataType, Result};

use crate::rows::{BatchColumn, ColumnId, Sequence, SequenceRange, TimeRange, Uid};

/// Rows of one table, sorted by (timestamp, key), every key once, unchanging.
///
/// A reader gets the sources of a table **oldest first**: where keys are equal, the later source in the list wins cell by cell.
pub trait Source: Send + Sync {
    /// From the first row's timestamp to the last's.
    fn range(&self) -> TimeRange;

    /// Lowest and highest sequence of the rows.
    fn sequences(&self) -> SequenceRange;

    /// Number of rows, at least one.
    fn rows(&self) -> usize;

    /// Timestamps of some rows.
    fn timestamps(&self, rows: Range<usize>) -> Result<ScalarBuffer<i64>>;

    /// Composite keys of some rows; `None` in tables without.
    fn keys(&self, rows: Range<usize>) -> Result<Option<ArrayRef>>;

    /// Statistics of a column over all rows, absent cells counted as NULL; `None` where they are not known. A column that the
    /// source does not hold may answer with all rows NULL.
    fn statistics(&self, column: ColumnId, data_type: DataType) -> Option<ColumnStatistics>;

    /// Cells of some rows, one result a column asked for; `None` where the source does not hold the column (absent throughout).
    fn load(&self, columns: &[(ColumnId, DataType)], rows: Range<usize>) -> Result<Vec<Option<BatchColumn>>>;

    /// Number of rows with a timestamp below `tick`.
    fn rows_before(&self, tick: i64) -> Result<usize> {
        let range = self.range();
        if tick <= range.start {
            return Ok(0);
        }
        if tick > range.end {
            return Ok(self.rows());
        }
        Ok(self.timestamps(0..self.rows())?.partition_point(|timestamp| *timestamp < tick))
    }
}

/// A shared source.
pub type SourceRef = Arc<dyn Source>;

/// A deletion: hides rows of `uid` inside `range` in every source whose highest sequence is below `sequence`. No source's
/// sequences lie on both sides of a tombstone of its table that reaches into its time range: memory sources are split there,
/// and a flush applies the tombstones of the memory it writes before it writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tombstone {
    /// The table.
    pub uid: Uid,
    /// The deleted time, closed.
    pub range: TimeRange,
    /// Commit order of the deletion.
    pub sequence: Sequence,
}
