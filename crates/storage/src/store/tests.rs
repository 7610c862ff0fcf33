//! The store as its users see it.

use std::sync::Arc;

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use embudo_types::{DataType, Precision, Value};

use std::io;
use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::options::{LogOptions, Recovery};
use crate::rows::{BatchColumn, ColumnBatch};
use crate::scan::ScanRequest;
use crate::vfs::{OpenMode, RealVfs, Vfs};

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

mod log_reader;
mod model;
mod upkeep;

/// A directory of the machine that goes with the value.
struct Directory(std::path::PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("embudo-storage-{name}-{}", std::process::id()));
        RealVfs.remove_directory(&path).unwrap();
        Self(path)
    }

    fn open(&self) -> Result<(Arc<Store>, Recovery)> {
        Store::open(StoreOptions::directory(&self.0), &mut |_, _| Ok(()))
    }

    fn flip(&self, file: &str, offset: u64) {
        let file = RealVfs.open(&self.0.join(file), OpenMode::Write).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset).unwrap();
        file.write_all_at(&[byte[0] ^ 0x40], offset).unwrap();
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What is left over is only a temporary directory.
        let _ = RealVfs.remove_directory(&self.0);
    }
}

#[test]
fn a_second_process_is_told_who_has_it() {
    let directory = Directory::new("lock");
    let (store, _) = directory.open().unwrap();
    let error = directory.open().unwrap_err();
    assert!(error.message().contains(&format!("opened by pid {}", std::process::id())), "{error}");
    store.append(vec![rows(1, &[(10, 1)])]).unwrap();
    // A reader opens beside the writer, and changes nothing.
    let options = StoreOptions { read_only: true, ..StoreOptions::directory(&directory.0) };
    let (reader, _) = Store::open(options, &mut |_, _| Ok(())).unwrap();
    assert_eq!(read(&reader.snapshot(), 1, TimeRange::ALL), [(10, 1)]);
    assert!(reader.append(vec![rows(1, &[(11, 1)])]).is_err());
    drop(reader);
    store.append(vec![rows(1, &[(12, 2)])]).unwrap();
    store.close().unwrap();
    assert!(store.append(vec![rows(1, &[(13, 2)])]).is_err());
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL), [(10, 1), (12, 2)]);
    let (again, recovery) = directory.open().unwrap();
    assert_eq!((recovery.records, recovery.damages.len()), (3, 0));
    assert_eq!(read(&again.snapshot(), 1, TimeRange::ALL), [(10, 1), (12, 2)]);
}

#[test]
fn meta_entries_come_back_until_the_catalogue_holds_them() {
    let directory = Directory::new("meta");
    let open = || {
        let mut seen = Vec::new();
        let opened = Store::open(StoreOptions::directory(&directory.0), &mut |sequence, meta| {
            seen.push((sequence, meta.to_vec()));
            Ok(())
        });
        (opened.unwrap().0, seen)
    };
    let (store, _) = open();
    for at in 1..=4u8 {
        store.append(vec![Entry::Meta(vec![at]), rows(u64::from(at), &[(1, 1)])]).unwrap();
    }
    store.flush().unwrap();
    assert!(store.figures().log_segments > 0, "the log is needed for the catalogue");
    drop(store);
    let (store, seen) = open();
    assert_eq!(seen, [(1, vec![1]), (2, vec![2]), (3, vec![3]), (4, vec![4])]);
    store.set_meta_checkpoint(2).unwrap();
    drop(store);
    let (store, seen) = open();
    assert_eq!(seen, [(3, vec![3]), (4, vec![4])]);
    store.set_meta_checkpoint(4).unwrap();
    assert_eq!(store.figures().log_bytes, 0);
    let next = store.append(vec![rows(9, &[(1, 1)])]).unwrap();
    assert!(next > 4, "sequences never come again");
}

#[test]
fn a_flipped_byte_in_the_log_is_told_and_loses_only_its_record() {
    let directory = Directory::new("flip");
    let (store, _) = directory.open().unwrap();
    for uid in 1..=9 {
        store.append(vec![rows(uid, &[(10, uid as i64), (20, 5)])]).unwrap();
    }
    drop(store);
    let length = RealVfs.open(&directory.0.join("log/0000000001.log"), OpenMode::Read).unwrap().length().unwrap();
    directory.flip("log/0000000001.log", length / 2);
    let (store, recovery) = directory.open().unwrap();
    let [damage] = &recovery.damages[..] else { panic!("{recovery:?}") };
    assert!(damage.file.ends_with("0000000001.log") && damage.offset <= length / 2 && damage.offset + damage.bytes > length / 2 && !damage.torn_tail);
    let whole = (1..=9).filter(|uid| read(&store.snapshot(), *uid, TimeRange::ALL).len() == 2).count();
    assert_eq!(whole, 8);
}

#[test]
fn a_damaged_block_file_refuses_only_the_reads_that_need_it() {
    let directory = Directory::new("damage");
    let (store, _) = directory.open().unwrap();
    // Two slices: two files of one shard.
    let far = 40 * 86_400_000;
    store.append(vec![rows(1, &[(10, 1), (far, 2)])]).unwrap();
    store.flush().unwrap();
    drop(store);
    directory.flip("blocks/0000000001.blocks", 3);
    let (store, recovery) = directory.open().unwrap();
    assert!(recovery.damages.iter().any(|damage| damage.file.ends_with("0000000001.blocks")), "{recovery:?}");
    assert_eq!(read(&store.snapshot(), 1, TimeRange::new(far, far)), [(far, 2)]);
    let request = ScanRequest { uid: 1, key: None, columns: vec![], range: TimeRange::ALL, descending: false, precision: Precision::Milli };
    let error = store.snapshot().scan(&request).err().unwrap();
    assert!(error.message().contains("0000000001.blocks"), "{error}");
    store.append(vec![rows(1, &[(far + 1, 3)])]).unwrap();
    assert_eq!(read(&store.snapshot(), 1, TimeRange::new(far, far + 9)), [(far, 2), (far + 1, 3)]);
}

#[test]
fn small_tables_cost_little_more_than_their_rows() {
    let store = Store::in_memory(StoreOptions::memory()).unwrap();
    for from in (0..100_000u64).step_by(1000) {
        store.append((from..from + 1000).map(|uid| rows(uid, &[(1, 1)])).collect()).unwrap();
    }
    let figures = store.figures();
    assert_eq!((figures.memory_tables, figures.memory_rows), (100_000, 100_000));
    assert!(figures.memory_bytes / 100_000 < 320, "{} bytes a table", figures.memory_bytes / 100_000);
    assert_eq!(read(&store.snapshot(), 77_777, TimeRange::ALL), [(1, 1)]);
}

#[test]
fn memory_over_its_limit_is_flushed() {
    let options = StoreOptions { memory_limit: 1 << 20, ..StoreOptions::memory() };
    let store = Store::in_memory(options).unwrap();
    for at in 0..200i64 {
        store.append(vec![rows(1 + at as u64 % 4, &(0..1000).map(|row| (at * 1000 + row, row)).collect::<Vec<_>>())]).unwrap();
        assert!(store.figures().memory_bytes < 3 << 20);
    }
    assert!(store.figures().files > 0);
    assert_eq!((1..=4).map(|uid| read(&store.snapshot(), uid, TimeRange::ALL).len()).sum::<usize>(), 200_000);
}
