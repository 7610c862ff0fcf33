//! Reading: what was visible at one moment.

use std::fmt;
use std::sync::Arc;

use arrow_array::Array;
use embudo_types::{DataType, Error, Precision, Result, Value};

use crate::last_cache::{FileRow, LastCache};
use crate::merge::merge;
use crate::rows::{ColumnId, Sequence, TimeRange, Uid};
use crate::scan::{Scan, ScanRequest};
use crate::statistics::cell;
use crate::store::shard_of;
use crate::version::{ShardVersion, Version};

/// What was visible at one moment; unchanging, and blocks nobody.
#[derive(Clone)]
pub struct Snapshot {
    pub(crate) version: Arc<Version>,
    pub(crate) sequence: Sequence,
    pub(crate) precision: Precision,
    /// First tick that KEEP shows.
    pub(crate) kept_from: i64,
    pub(crate) cache: Arc<LastCache>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("sequence", &self.sequence).finish_non_exhaustive()
    }
}

/// How many block files a range of time reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FilesInRange {
    /// Files with rows in it.
    pub inside: usize,
    /// Files without.
    pub outside: usize,
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

    /// How many block files have rows in a range, and how many have none.
    pub fn files_in(&self, range: TimeRange) -> FilesInRange {
        let files = self.version.shards.iter().flat_map(|shard| &shard.files);
        files.fold(FilesInRange::default(), |counted, file| {
            let inside = usize::from(file.entry.range.overlaps(range));
            FilesInRange { inside: counted.inside + inside, outside: counted.outside + 1 - inside }
        })
    }

    /// A time that no row of any table is after, found without a look at any; `None` where there is no row at all.
    pub fn newest(&self) -> Option<i64> {
        let of_shard = |shard: &ShardVersion| {
            let in_files = shard.files.iter().map(|file| file.entry.range.end).max();
            in_files.max(shard.memory().filter_map(|memory| memory.newest()).max())
        };
        self.version.shards.iter().filter_map(of_shard).max()
    }

    /// Pieces of one table in key order.
    pub fn scan(&self, request: &ScanRequest) -> Result<Scan> {
        self.scan_of(request, Of::Both)
    }

    fn scan_of(&self, request: &ScanRequest, of: Of) -> Result<Scan> {
        let range = TimeRange::new(request.range.start.max(self.kept_from), request.range.end);
        let request = &ScanRequest { range, ..request.clone() };
        let shard = shard_of(request.uid, self.version.shards.len());
        let part = &self.version.shards[shard];
        let tombstones = match of {
            Of::Files => self.version.tombstones.get(&request.uid).cloned().unwrap_or_default(),
            Of::Memory | Of::Both => self.version.tombstones(shard, request.uid, self.sequence),
        };
        let mut sources = if of == Of::Memory { Vec::new() } else { part.file_sources(request.uid, request.range)? };
        if of != Of::Files {
            sources.extend(part.memory_sources(request.uid, self.sequence, &tombstones)?);
        }
        Ok(merge(sources, &tombstones, request))
    }

    /// The table's last row: the greatest key, with the cells of `columns` (NULL where NULL or absent). `key` is the composite
    /// key column, in tables that have one. From the last cache, unless memory holds something newer.
    pub fn last_row(&self, uid: Uid, key: Option<(ColumnId, DataType)>, columns: &[(ColumnId, DataType)]) -> Result<Option<LastRow>> {
        let serial = self.part(uid).serial;
        let ids = || columns.iter().map(|column| column.0);
        let in_files = if let Some(known) = self.cache.row(uid, serial, ids()) {
            known
        } else {
            let found = last_of(self.backwards(uid, key, columns, i64::MIN, Of::Files)?, columns)?;
            self.cache.keep_row(uid, serial, &found, ids());
            found
        };
        let found = match in_files {
            None => last_of(self.backwards(uid, key, columns, i64::MIN, Of::Memory)?, columns)?,
            Some((timestamp, values)) if !self.memory_reaches(uid, timestamp) => Some((timestamp, values)),
            Some((timestamp, _)) => match last_of(self.backwards(uid, key, columns, timestamp, Of::Both)?, columns)? {
                Some(found) => Some(found),
                // Memory deleted it.
                None => last_of(self.backwards(uid, key, columns, i64::MIN, Of::Both)?, columns)?,
            },
        };
        Ok(found.filter(|(timestamp, _)| *timestamp >= self.kept_from).map(|(timestamp, values)| LastRow { timestamp, values }))
    }

    /// The last cell of `column` that is not NULL, with its timestamp. From the last cache, unless memory holds something newer.
    pub fn last(&self, uid: Uid, key: Option<(ColumnId, DataType)>, column: (ColumnId, DataType)) -> Result<Option<(i64, Value)>> {
        let serial = self.part(uid).serial;
        let in_files = if let Some(known) = self.cache.last(uid, serial, column.0) {
            known
        } else {
            let found = last_value(self.backwards(uid, key, &[column], i64::MIN, Of::Files)?, column)?;
            self.cache.keep_last(uid, serial, column.0, found.clone());
            found
        };
        let in_files = in_files.filter(|(timestamp, _)| *timestamp >= self.kept_from);
        match in_files {
            None => last_value(self.backwards(uid, key, &[column], i64::MIN, Of::Both)?, column),
            Some((timestamp, value)) if !self.memory_reaches(uid, timestamp) => Ok(Some((timestamp, value))),
            Some((timestamp, _)) => match last_value(self.backwards(uid, key, &[column], timestamp, Of::Both)?, column)? {
                Some(found) => Ok(Some(found)),
                // Memory deleted it, or made it NULL.
                None => last_value(self.backwards(uid, key, &[column], i64::MIN, Of::Both)?, column),
            },
        }
    }

    fn part(&self, uid: Uid) -> &ShardVersion {
        &self.version.shards[shard_of(uid, self.version.shards.len())]
    }

    /// Whether memory may hold rows of the table at or after a time, or deletions.
    fn memory_reaches(&self, uid: Uid, timestamp: i64) -> bool {
        self.part(uid).memory().any(|memory| memory.reaches(uid, timestamp))
    }

    fn backwards(&self, uid: Uid, key: Option<(ColumnId, DataType)>, columns: &[(ColumnId, DataType)], start: i64, of: Of) -> Result<Scan> {
        let range = TimeRange::new(start, i64::MAX);
        self.scan_of(&ScanRequest { uid, key, columns: columns.to_vec(), range, descending: true, precision: self.precision }, of)
    }
}

/// Where a scan looks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    Files,
    Memory,
    Both,
}

/// Time and cells of the first row of a backward scan.
fn last_of(mut scan: Scan, columns: &[(ColumnId, DataType)]) -> Result<FileRow> {
    let Some(piece) = scan.next().transpose()? else { return Ok(None) };
    let chunk = piece.load(&(0..columns.len()).collect::<Vec<_>>())?;
    let row = chunk.timestamps.len() - 1;
    let values = chunk.columns.iter().zip(columns).map(|(array, column)| value(&**array, row, column.1)).collect::<Result<_>>()?;
    Ok(Some((chunk.timestamps[row], values)))
}

/// The first cell of a backward scan that is not NULL.
fn last_value(scan: Scan, column: (ColumnId, DataType)) -> Result<Option<(i64, Value)>> {
    for piece in scan {
        let piece = piece?;
        if let Some(statistics) = piece.statistics(column.0) {
            match statistics.last {
                Some(last) => return Ok(Some(last)),
                // Statistics may leave a value out, but not that there is one.
                None if statistics.count == 0 => continue,
                None => {}
            }
        }
        let chunk = piece.load(&[0])?;
        if let Some(row) = (0..chunk.timestamps.len()).rev().find(|row| chunk.columns[0].is_valid(*row)) {
            return Ok(Some((chunk.timestamps[row], value(&*chunk.columns[0], row, column.1)?)));
        }
    }
    Ok(None)
}

fn value(array: &dyn Array, row: usize, data_type: DataType) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    cell(array, row, data_type).ok_or_else(|| Error::internal("a column of another type than its schema says"))
}
