//! Reading: what was visible at one moment.

use std::fmt;
use std::sync::Arc;

use arrow_array::Array;
use embudo_types::{DataType, Error, Precision, Result, Value};

use crate::merge::merge;
use crate::rows::{ColumnId, Sequence, TimeRange, Uid};
use crate::scan::{Scan, ScanRequest};
use crate::statistics::cell;
use crate::store::shard_of;
use crate::version::Version;

/// What was visible at one moment; unchanging, and blocks nobody.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) version: Arc<Version>,
    pub(crate) sequence: Sequence,
    pub(crate) precision: Precision,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// A table's last row.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRow {
    /// Its time in ticks.
    pub timestamp: i64,
    /// Its cells, in the order asked for.
    pub values: Vec<Value>,
}

impl Snapshot {
    /// Last sequence that is visible.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Pieces of one table in key order.
    pub fn scan(&self, request: &ScanRequest) -> Result<Scan> {
        let shard = shard_of(request.uid, self.version.shards.len());
        let tombstones = self.version.tombstones(shard, request.uid, self.sequence);
        let sources = self.version.shards[shard].sources(request.uid, request.range, self.sequence, &tombstones)?;
        Ok(merge(sources, &tombstones, request))
    }

    /// The table's last row: the greatest key, with the cells of `columns` (NULL where NULL or absent). `key` is the composite
    /// key column, in tables that have one.
    pub fn last_row(&self, uid: Uid, key: Option<(ColumnId, DataType)>, columns: &[(ColumnId, DataType)]) -> Result<Option<LastRow>> {
        let Some(piece) = self.backwards(uid, key, columns)?.next().transpose()? else { return Ok(None) };
        let chunk = piece.load(&(0..columns.len()).collect::<Vec<_>>())?;
        let row = chunk.timestamps.len() - 1;
        let values = chunk.columns.iter().zip(columns).map(|(array, column)| value(&**array, row, column.1)).collect::<Result<_>>()?;
        Ok(Some(LastRow { timestamp: chunk.timestamps[row], values }))
    }

    /// The last cell of `column` that is not NULL, with its timestamp.
    pub fn last(&self, uid: Uid, key: Option<(ColumnId, DataType)>, column: (ColumnId, DataType)) -> Result<Option<(i64, Value)>> {
        for piece in self.backwards(uid, key, &[column])? {
            let piece = piece?;
            if let Some(statistics) = piece.statistics(column.0) {
                match statistics.last {
                    Some(last) => return Ok(Some(last)),
                    None => continue,
                }
            }
            let chunk = piece.load(&[0])?;
            if let Some(row) = (0..chunk.timestamps.len()).rev().find(|row| chunk.columns[0].is_valid(*row)) {
                return Ok(Some((chunk.timestamps[row], value(&*chunk.columns[0], row, column.1)?)));
            }
        }
        Ok(None)
    }

    fn backwards(&self, uid: Uid, key: Option<(ColumnId, DataType)>, columns: &[(ColumnId, DataType)]) -> Result<Scan> {
        self.scan(&ScanRequest { uid, key, columns: columns.to_vec(), range: TimeRange::ALL, descending: true, precision: self.precision })
    }
}

fn value(array: &dyn Array, row: usize, data_type: DataType) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    cell(array, row, data_type).ok_or_else(|| Error::internal("a column of another type than its schema says"))
}
