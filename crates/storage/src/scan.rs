//! What a scan asks for and what it gives: pieces of one table in key order, read only as far as they are asked.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::ScalarBuffer;
use embudo_types::{ColumnStatistics, DataType, Precision, Result};

use crate::rows::{ColumnId, TimeRange, Uid};

/// What to read of one table.
#[derive(Clone, Debug)]
pub struct ScanRequest {
    /// The table.
    pub uid: Uid,
    /// The composite key column, in tables that have one.
    pub key: Option<(ColumnId, DataType)>,
    /// Columns that [`Piece::load`] may be asked for; the timestamp and the composite key may be among them.
    pub columns: Vec<(ColumnId, DataType)>,
    /// The time to read, closed.
    pub range: TimeRange,
    /// Pieces from the last to the first. Rows within a piece are ascending all the same.
    pub descending: bool,
    /// Precision of the database, for the Arrow type of TIMESTAMP columns.
    pub precision: Precision,
}

/// Rows that were loaded: plain Arrow, absent cells turned NULL.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Timestamps, ascending.
    pub timestamps: ScalarBuffer<i64>,
    /// The columns asked for, in that order.
    pub columns: Vec<ArrayRef>,
}

/// A run of a table's rows as [`Piece`] offers it; the merge implements it.
pub trait PieceData: Send + Sync {
    /// See [`Piece::rows`].
    fn rows(&self) -> usize;
    /// See [`Piece::range`].
    fn range(&self) -> TimeRange;
    /// See [`Piece::statistics`].
    fn statistics(&self, column: ColumnId) -> Option<ColumnStatistics>;
    /// See [`Piece::load`].
    fn load(&self, columns: &[usize]) -> Result<Chunk>;
}

/// A run of a table's rows: visible, inside the request's range, overlapped by no other piece.
#[derive(Clone)]
pub struct Piece(Arc<dyn PieceData>);

impl Piece {
    /// A piece over the merge's data.
    pub fn new(data: impl PieceData + 'static) -> Self {
        Self(Arc::new(data))
    }

    /// Number of rows, at least one.
    pub fn rows(&self) -> usize {
        self.0.rows()
    }

    /// Time of the first and of the last row.
    pub fn range(&self) -> TimeRange {
        self.0.range()
    }

    /// Statistics of a column of the request over exactly these rows, where they are known without reading them.
    pub fn statistics(&self, column: ColumnId) -> Option<ColumnStatistics> {
        self.0.statistics(column)
    }

    /// Cells of the columns at these places of the request.
    pub fn load(&self, columns: &[usize]) -> Result<Chunk> {
        self.0.load(columns)
    }
}

/// Pieces of one table in key order (backwards when the request is descending).
pub struct Scan(Box<dyn Iterator<Item = Result<Piece>> + Send>);

impl Scan {
    /// A scan over prepared pieces.
    pub fn new(pieces: impl Iterator<Item = Result<Piece>> + Send + 'static) -> Self {
        Self(Box::new(pieces))
    }
}

impl Iterator for Scan {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }
}
