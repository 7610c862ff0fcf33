//! The last cache: for each table the last row that is in files, and for each of its columns the last cell there that is not NULL.
//! Filled when asked, so that opening reads nothing. An entry holds for one set of a shard's files and their tombstones; what is in
//! memory comes on top, in [`Snapshot`](crate::Snapshot), so that late rows, upserts and deletions are never missed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use embudo_types::Value;
use rustc_hash::FxHashMap;

use crate::rows::{ColumnId, Uid};

/// Parts of the cache, each with its own lock.
const PARTS: usize = 16;

/// A bounded cache of tables' last rows and cells in files.
#[derive(Debug)]
pub(crate) struct LastCache {
    parts: [Mutex<FxHashMap<Uid, Entry>>; PARTS],
    bytes: AtomicU64,
    limit: u64,
}

/// What is known of a table under one set of files.
#[derive(Debug, Default)]
struct Entry {
    serial: u64,
    /// Time of the last row, once known.
    row: Known<i64>,
    /// Cells of the last row.
    cells: Vec<(ColumnId, Value)>,
    /// Last cells that are not NULL.
    last: Vec<(ColumnId, Option<(i64, Value)>)>,
}

/// What is known, if anything; `None` inside: there is none.
pub(crate) type Known<T> = Option<Option<T>>;

/// The last row in files: its time and the cells asked for; `None`: no row.
pub(crate) type FileRow = Option<(i64, Vec<Value>)>;

impl LastCache {
    /// A cache of about `limit` bytes.
    pub(crate) fn new(limit: u64) -> Self {
        Self { parts: Default::default(), bytes: AtomicU64::new(0), limit }
    }

    /// Bytes held.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    fn part(&self, uid: Uid) -> MutexGuard<'_, FxHashMap<Uid, Entry>> {
        self.parts[uid as usize % PARTS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The last row of a table's files with these cells; `None` if it is not known under `serial`.
    pub(crate) fn row(&self, uid: Uid, serial: u64, columns: impl Iterator<Item = ColumnId>) -> Known<(i64, Vec<Value>)> {
        let part = self.part(uid);
        let entry = part.get(&uid).filter(|entry| entry.serial == serial)?;
        let Some(timestamp) = entry.row? else { return Some(None) };
        let cell = |id: ColumnId| entry.cells.iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone());
        Some(Some((timestamp, columns.map(cell).collect::<Option<_>>()?)))
    }

    /// The last cell of a column that is not NULL in a table's files; `None` if it is not known under `serial`.
    pub(crate) fn last(&self, uid: Uid, serial: u64, column: ColumnId) -> Known<(i64, Value)> {
        let part = self.part(uid);
        let entry = part.get(&uid).filter(|entry| entry.serial == serial)?;
        entry.last.iter().find(|(known, _)| *known == column).map(|(_, last)| last.clone())
    }

    /// Keeps a table's last row in files.
    pub(crate) fn keep_row(&self, uid: Uid, serial: u64, row: &FileRow, columns: impl Iterator<Item = ColumnId>) {
        self.change(uid, serial, |entry| {
            entry.row = Some(row.as_ref().map(|(timestamp, _)| *timestamp));
            for (id, value) in columns.zip(row.iter().flat_map(|(_, values)| values)) {
                if entry.cells.iter().all(|(known, _)| *known != id) {
                    entry.cells.push((id, value.clone()));
                }
            }
        });
    }

    /// Keeps a column's last cell in files.
    pub(crate) fn keep_last(&self, uid: Uid, serial: u64, column: ColumnId, last: Option<(i64, Value)>) {
        self.change(uid, serial, |entry| {
            if entry.last.iter().all(|(known, _)| *known != column) {
                entry.last.push((column, last));
            }
        });
    }

    fn change(&self, uid: Uid, serial: u64, change: impl FnOnce(&mut Entry)) {
        let mut part = self.part(uid);
        let entry = part.entry(uid).or_default();
        // An older snapshot leaves what newer ones know.
        if entry.serial > serial {
            return;
        }
        let before = entry.weight();
        if entry.serial < serial {
            *entry = Entry { serial, ..Entry::default() };
        }
        change(entry);
        let after = entry.weight();
        self.bytes.fetch_add(after, Ordering::Relaxed);
        self.bytes.fetch_sub(before, Ordering::Relaxed);
        if self.bytes() > self.limit {
            // Whole parts go: entries are cheap to find again, and no order of use need be kept.
            let weight: u64 = part.drain().map(|(_, entry)| entry.weight()).sum();
            self.bytes.fetch_sub(weight, Ordering::Relaxed);
        }
    }
}

impl Entry {
    /// Bytes, the map's slot counted; nothing while nothing is known.
    fn weight(&self) -> u64 {
        if self.row.is_none() && self.last.is_empty() {
            return 0;
        }
        let values = self.cells.iter().map(|(_, value)| value).chain(self.last.iter().flat_map(|(_, last)| last.iter().map(|(_, value)| value)));
        let heap: usize = values.map(heap_bytes).sum();
        (2 * size_of::<Self>() + 64 * (self.cells.len() + self.last.len()) + heap) as u64
    }
}

fn heap_bytes(value: &Value) -> usize {
    match value {
        Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => bytes.len(),
        Value::NChar(text) | Value::Json(text) => text.len(),
        _ => 0,
    }
}
