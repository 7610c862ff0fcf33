//! The newest records as they were appended, for readers of the log that follow it: decoded, and of databases in memory all there is.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType as ArrowType;

use crate::rows::{ColumnBatch, Entry, Sequence};

/// Records by sequence, the oldest of which go when they weigh too much or are too old.
pub(crate) struct Recent {
    kept: AtomicBool,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    records: BTreeMap<Sequence, Held>,
    bytes: u64,
    limit: u64,
    /// How long records stay; `None`: as long as they fit.
    retention: Option<Duration>,
}

struct Held {
    entries: Arc<Vec<Entry>>,
    bytes: u64,
    /// Nanoseconds since 1970.
    appended: i64,
}

impl Recent {
    /// Keeps up to `limit` bytes once [`keep`](Self::keep) says so.
    pub(crate) fn new(limit: u64) -> Self {
        Self { kept: AtomicBool::new(false), state: Mutex::new(State { limit, ..State::default() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether records are kept from now on, and how long.
    pub(crate) fn keep(&self, kept: bool, retention: Option<Duration>) {
        self.kept.store(kept, Ordering::Release);
        let mut state = self.state();
        state.retention = retention;
        if !kept {
            state.records.clear();
            state.bytes = 0;
        }
    }

    /// Whether [`add`](Self::add) should be called.
    pub(crate) fn is_kept(&self) -> bool {
        self.kept.load(Ordering::Acquire)
    }

    /// Adds a record. Records may come out of order; they are read only once all before them are there.
    pub(crate) fn add(&self, sequence: Sequence, entries: Arc<Vec<Entry>>, now: i64) {
        let bytes = entries.iter().map(weight).sum();
        let mut state = self.state();
        state.bytes += bytes;
        state.records.insert(sequence, Held { entries, bytes, appended: now });
        while let Some(first) = state.records.first_entry() {
            let (first, held) = (*first.key(), first.get());
            let age = u128::try_from(now.saturating_sub(held.appended)).unwrap_or(0);
            let is_old = state.retention.is_some_and(|retention| age > retention.as_nanos());
            if !is_old && state.bytes <= state.limit || first == sequence {
                break;
            }
            if let Some(held) = state.records.pop_first() {
                state.bytes -= held.1.bytes;
            }
        }
    }

    /// A record, if it is held.
    pub(crate) fn get(&self, sequence: Sequence) -> Option<Arc<Vec<Entry>>> {
        self.state().records.get(&sequence).map(|held| held.entries.clone())
    }

    /// The first held record at or above `sequence`.
    pub(crate) fn first_from(&self, sequence: Sequence) -> Option<Sequence> {
        self.state().records.range(sequence..).next().map(|(sequence, _)| *sequence)
    }
}

/// Bytes that a batch takes beside its arrays, and an array beside its values: objects, buffers, and what the allocator adds. Of a record
/// with one row they are nearly all.
const BATCH: u64 = 320;
const ARRAY: u64 = 256;

/// Bytes that an entry holds.
fn weight(entry: &Entry) -> u64 {
    let rows = |batch: &ColumnBatch| {
        let columns: u64 = batch.columns.iter().map(|column| array_weight(&column.array)).sum();
        batch.timestamps.len() as u64 * 8 + columns + batch.key.as_ref().map_or(0, array_weight) + BATCH
    };
    match entry {
        Entry::Rows(batch) => rows(batch),
        Entry::Tables(batch) => rows(&batch.rows) + batch.runs.len() as u64 * 16,
        Entry::Delete { .. } | Entry::DropTable { .. } => 64,
        Entry::Meta(bytes) => bytes.len() as u64 + 64,
    }
}

fn array_weight(array: &ArrayRef) -> u64 {
    use arrow_array::cast::AsArray;
    let rows = array.len() as u64;
    ARRAY
        + rows / 8
        + match array.data_type() {
            ArrowType::Binary => {
                array.as_binary_opt::<i32>().map_or(0, |array| u64::try_from(array.value_offsets()[array.len()] - array.value_offsets()[0]).unwrap_or(0))
                    + rows * 4
            }
            ArrowType::Utf8 => {
                array.as_string_opt::<i32>().map_or(0, |array| u64::try_from(array.value_offsets()[array.len()] - array.value_offsets()[0]).unwrap_or(0))
                    + rows * 4
            }
            other => other.primitive_width().map_or(0, |width| width as u64 * rows),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_one_row_weigh_what_they_take() {
        use crate::rows::BatchColumn;
        let column = BatchColumn { id: 2, array: Arc::new(arrow_array::Int64Array::from(vec![1])), present: None };
        let row = ColumnBatch { uid: 1, schema_version: 1, timestamps: vec![1].into(), key: None, columns: vec![column] };
        // Its values are 16 bytes.
        assert!(weight(&Entry::Rows(row)) > 500);
    }

    #[test]
    fn the_oldest_go_first() {
        let recent = Recent::new(1000);
        recent.keep(true, Some(Duration::from_nanos(50)));
        for sequence in [2, 1, 3, 4] {
            recent.add(sequence, Arc::new(vec![Entry::Meta(vec![0; 236])]), 0);
        }
        assert_eq!(recent.first_from(0), Some(2));
        assert!(recent.get(1).is_none() && recent.get(4).is_some());
        recent.add(5, Arc::default(), 51);
        assert_eq!(recent.first_from(0), Some(5));
        recent.keep(false, None);
        assert!(!recent.is_kept() && recent.first_from(0).is_none());
    }
}
