//! A table's sources merged into pieces in key order: the newest source wins cell by cell, tombstones hide what is older.

use arrow_array::Array;
use embudo_types::arrow::arrow_type;
use embudo_types::{ColumnStatistics, DataType, Result};

use crate::resolve::{resolve, slice};
use crate::rows::{ColumnBatch, ColumnId, TIMESTAMP_COLUMN, TimeRange};
use crate::scan::{Chunk, Piece, PieceData, Scan, ScanRequest};
use crate::source::{SourceRef, Tombstone};

/// Pieces of a table out of its sources, oldest first.
pub(crate) fn merge(sources: Vec<SourceRef>, tombstones: &[Tombstone], request: &ScanRequest) -> Result<Scan> {
    let stored: Vec<(ColumnId, DataType)> =
        request.columns.iter().filter(|(id, _)| *id != TIMESTAMP_COLUMN && Some(*id) != request.key.map(|key| key.0)).copied().collect();
    let mut parts = Vec::new();
    for source in sources {
        if !source.range().overlaps(request.range) {
            continue;
        }
        let columns = source.load(&stored, 0..source.rows())?.into_iter().flatten().collect();
        let timestamps = source.timestamps(0..source.rows())?;
        let whole = ColumnBatch { uid: request.uid, schema_version: 0, timestamps, key: source.keys(0..source.rows())?, columns };
        let hidden = |timestamp: i64| {
            !request.range.contains(timestamp)
                || tombstones.iter().any(|tombstone| tombstone.range.contains(timestamp) && source.sequences().max < tombstone.sequence)
        };
        let mut start = 0;
        while start < whole.rows() {
            let is_hidden = hidden(whole.timestamps[start]);
            let end = (start..whole.rows()).find(|row| hidden(whole.timestamps[*row]) != is_hidden).unwrap_or(whole.rows());
            if !is_hidden {
                parts.push(slice(&whole, start..end));
            }
            start = end;
        }
    }
    if parts.is_empty() {
        return Ok(Scan::new(std::iter::empty()));
    }
    let merged = resolve(&parts)?;
    let mut pieces: Vec<Result<Piece>> = (0..merged.rows())
        .step_by(4096)
        .map(|start| Ok(Piece::new(Merged { batch: slice(&merged, start..merged.rows().min(start + 4096)), request: request.clone() })))
        .collect();
    if request.descending {
        pieces.reverse();
    }
    Ok(Scan::new(pieces.into_iter()))
}

struct Merged {
    batch: ColumnBatch,
    request: ScanRequest,
}

impl PieceData for Merged {
    fn rows(&self) -> usize {
        self.batch.rows()
    }

    fn range(&self) -> TimeRange {
        TimeRange::new(self.batch.timestamps[0], self.batch.timestamps[self.batch.rows() - 1])
    }

    fn statistics(&self, _column: ColumnId) -> Option<ColumnStatistics> {
        None
    }

    fn load(&self, columns: &[usize]) -> Result<Chunk> {
        let load = |&at: &usize| {
            let (id, data_type) = self.request.columns[at];
            let arrow = arrow_type(data_type, self.request.precision);
            if id == TIMESTAMP_COLUMN {
                let ticks = arrow_array::Int64Array::new(self.batch.timestamps.clone(), None);
                let data = ticks.into_data().into_builder().data_type(arrow).build().map_err(embudo_types::Error::internal)?;
                return Ok(arrow_array::make_array(data));
            }
            if Some(id) == self.request.key.map(|key| key.0) {
                return self.batch.key.clone().ok_or_else(|| embudo_types::Error::internal("no composite key"));
            }
            Ok(match self.batch.columns.iter().find(|column| column.id == id) {
                Some(column) => column.array.clone(),
                None => arrow_array::new_null_array(&arrow, self.batch.rows()),
            })
        };
        let columns = columns.iter().map(load).collect::<Result<_>>()?;
        Ok(Chunk { timestamps: self.batch.timestamps.clone(), columns })
    }
}
