//! The store as its users see it.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use embudo_types::{DataType, Precision, Value};

use std::io;
use std::time::Duration;

use super::*;
use crate::options::{LogOptions, Recovery};
use crate::rows::{BatchColumn, ColumnBatch};
use crate::scan::ScanRequest;

fn rows(uid: Uid, rows: &[(i64, i64)]) -> Entry {
    let array = Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int64Array>());
    let columns = vec![BatchColumn { id: 2, array, present: None }];
    Entry::Rows(ColumnBatch { uid, schema_version: 1, timestamps: rows.iter().map(|row| row.0).collect(), key: None, columns })
}

fn read(snapshot: &Snapshot, uid: Uid, range: TimeRange) -> Vec<(i64, i64)> {
    let columns = vec![(2, DataType::BigInt)];
    let request = ScanRequest { uid, key: None, columns, range, descending: false, precision: Precision::Milli };
    let mut rows = Vec::new();
    for piece in snapshot.scan(&request).unwrap() {
        let chunk = piece.unwrap().load(&[0]).unwrap();
        rows.extend(chunk.timestamps.iter().copied().zip(chunk.columns[0].as_primitive::<Int64Type>().values().iter().copied()));
    }
    rows
}

#[test]
fn snapshots_do_not_change() {
    let store = Store::in_memory(StoreOptions::memory()).unwrap();
    store.append(vec![rows(1, &[(10, 1), (20, 2)]), rows(2, &[(10, 5)])]).unwrap();
    let before = store.snapshot();
    store.append(vec![rows(1, &[(20, 3), (5, 0)])]).unwrap();
    store.append(vec![Entry::Delete { uid: 1, start: 10, end: 10 }]).unwrap();
    assert_eq!(read(&before, 1, TimeRange::ALL), [(10, 1), (20, 2)]);
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL), [(5, 0), (20, 3)]);
    assert_eq!(read(&store.snapshot(), 1, TimeRange::new(6, 30)), [(20, 3)]);
    let last = store.snapshot().last_row(1, None, &[(2, DataType::BigInt), (3, DataType::Bool)]).unwrap().unwrap();
    assert_eq!((last.timestamp, last.values), (20, vec![Value::BigInt(3), Value::Null]));
    assert_eq!(store.snapshot().last(2, None, (2, DataType::BigInt)).unwrap(), Some((10, Value::BigInt(5))));
    store.drop_table(1).unwrap();
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL), []);
    assert_eq!(store.figures().memory_rows, 5);
}

mod model;
