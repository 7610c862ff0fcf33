use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, ArrayRef, Int32Array};
use arrow_buffer::BooleanBuffer;
use embudo_types::Precision;
use proptest::prelude::*;

use super::*;
use crate::block_cache::BlockCache;
use crate::block_file::BlockFileWriter;
use crate::rows::TimeRange;
use crate::vfs::MemoryVfs;

/// Absent, NULL or a value.
type Cell = Option<Option<i32>>;
/// By (table, timestamp, key): the cells of columns 2 and 3.
type Model = BTreeMap<(Uid, i64, i32), [Cell; 2]>;

fn batch(uid: Uid, rows: &[(i64, i32, [Cell; 2])], keyed: bool) -> ColumnBatch {
    let column = |place: usize| {
        let cells: Vec<Cell> = rows.iter().map(|row| row.2[place]).collect();
        let array: ArrayRef = Arc::new(cells.iter().map(|cell| cell.unwrap_or(Some(-9))).collect::<Int32Array>());
        BatchColumn { id: place as u16 + 2, array, present: Some(cells.iter().map(Option::is_some).collect::<BooleanBuffer>()) }
    };
    ColumnBatch {
        uid,
        schema_version: 1,
        timestamps: rows.iter().map(|row| row.0).collect(),
        key: keyed.then(|| Arc::new(rows.iter().map(|row| Some(row.1)).collect::<Int32Array>()) as ArrayRef),
        columns: vec![column(0), column(1)],
    }
}

fn write(vfs: &MemoryVfs, number: usize, rows: &Model, keyed: bool, sequences: SequenceRange) -> Option<Arc<BlockFile>> {
    let path = PathBuf::from(format!("/{number}"));
    let mut writer = BlockFileWriter::create(vfs, &path, Precision::Milli).unwrap();
    let mut tables: BTreeMap<Uid, Vec<(i64, i32, [Cell; 2])>> = BTreeMap::new();
    for ((uid, timestamp, key), cells) in rows {
        tables.entry(*uid).or_default().push((*timestamp, *key, *cells));
    }
    for (uid, rows) in &tables {
        writer.write(&batch(*uid, rows, keyed), sequences).unwrap();
    }
    writer.finish().ok()?;
    Some(BlockFile::open(vfs, &path, &BlockCache::new(1 << 20)).unwrap())
}

fn cells_of(batch: &ColumnBatch, out: &mut Model) {
    let cell = |id: u16, row: usize| -> Cell {
        let column = batch.columns.iter().find(|column| column.id == id)?;
        let is_present = column.present.as_ref().is_none_or(|present| present.value(row));
        let array = column.array.as_primitive::<Int32Type>();
        is_present.then(|| array.is_valid(row).then(|| array.value(row)))
    };
    for row in 0..batch.rows() {
        let key = batch.key.as_ref().map_or(0, |key| key.as_primitive::<Int32Type>().value(row));
        let earlier = out.insert((batch.uid, batch.timestamps[row], key), [cell(2, row), cell(3, row)]);
        assert!(earlier.is_none(), "a key comes twice");
    }
}

fn check(inputs: &[Model], deletions: &[(Uid, TimeRange, u64)], keyed: bool, is_oldest: bool) {
    let vfs = MemoryVfs::new();
    let mut expected = Model::new();
    let mut files = Vec::new();
    for (number, rows) in inputs.iter().enumerate() {
        let sequence = (number as u64 + 1) * 10;
        files.extend(write(&vfs, number, rows, keyed, SequenceRange { min: sequence - 3, max: sequence }));
        for (key, cells) in rows {
            if deletions.iter().any(|(uid, range, at)| *uid == key.0 && range.contains(key.1) && sequence < *at) {
                continue;
            }
            let row = expected.entry(*key).or_default();
            row.iter_mut().zip(cells).filter(|(_, new)| new.is_some()).for_each(|(old, new)| *old = *new);
        }
    }
    if is_oldest {
        expected.values_mut().flatten().for_each(|cell| *cell = Some(cell.flatten()));
    }
    let mut tombstones: FxHashMap<Uid, Vec<Tombstone>> = FxHashMap::default();
    for (uid, range, sequence) in deletions {
        tombstones.entry(*uid).or_default().push(Tombstone { uid: *uid, range: *range, sequence: *sequence });
    }
    let mut writer = BlockFileWriter::create_packed(&vfs, Path::new("/out"), Precision::Milli).unwrap();
    rewrite(&files, &tombstones, is_oldest, &mut |batch, sequences| writer.write(batch, sequences)).unwrap();
    let mut found = Model::new();
    if writer.finish().is_ok() {
        let file = BlockFile::open(&vfs, Path::new("/out"), &BlockCache::new(1 << 20)).unwrap();
        assert!(file.check().is_empty());
        for rows in Contents::new(file) {
            cells_of(&rows.unwrap().0, &mut found);
        }
    }
    assert_eq!(found, expected);
}

fn cell() -> impl Strategy<Value = Cell> {
    proptest::option::weighted(0.7, proptest::option::weighted(0.8, 0_i32..1000))
}

fn rows(keyed: bool) -> impl Strategy<Value = Model> {
    let keys = (0_u64..4, 0_i64..300, 0_i32..3).prop_map(move |(uid, timestamp, key)| (uid, timestamp, if keyed { key } else { 0 }));
    proptest::collection::btree_map(keys, [cell(), cell()], 0..150)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rewrites_keep_what_readers_see(
        (keyed, inputs) in any::<bool>().prop_flat_map(|keyed| (Just(keyed), proptest::collection::vec(rows(keyed), 1..5))),
        deletions in proptest::collection::vec((0_u64..4, (-5_i64..300, 0_i64..200), 0_u64..6), 0..5),
        is_oldest: bool,
    ) {
        let deletions: Vec<_> = deletions.into_iter().map(|(uid, (start, length), at)| (uid, TimeRange::new(start, start + length), at * 10 + 5)).collect();
        check(&inputs, &deletions, keyed, is_oldest);
    }
}

#[test]
fn long_tables_and_many_small_ones_are_rewritten() {
    let long = |start: i64, step: i64| (0..9000).map(|row| ((7, start + row * step, 0), [Some(Some(row as i32)), None])).collect::<Model>();
    let small = |value: i32| (10..3000).map(|uid| ((uid, 5, 0), [None, Some(Some(value))])).collect::<Model>();
    let with = |mut left: Model, right: Model| {
        left.extend(right);
        left
    };
    check(&[with(long(0, 10), small(1)), with(long(5, 10), small(2)), long(90_000, 10)], &[(7, TimeRange::new(100, 50_000), 15)], false, true);
}

#[test]
fn files_of_like_size_are_merged_and_slices_left_alone_packed() {
    let vfs = MemoryVfs::new();
    let row: Model = [((1, 5, 0), [Some(Some(1)), None])].into();
    let written = write(&vfs, 1, &row, false, SequenceRange { min: 1, max: 1 }).unwrap();
    let make = |bytes: u64, sequence: u64| {
        let file = Ok(written.clone());
        let entry = crate::manifest::FileEntry {
            number: 1,
            shard: 0,
            range: TimeRange::ALL,
            sequences: SequenceRange { min: sequence, max: sequence },
            rows: 1,
            bytes,
        };
        StoreFile { entry, file }
    };
    let files = |sizes: &[u64]| sizes.iter().enumerate().map(|(at, bytes)| make(*bytes, at as u64 + 1)).collect::<Vec<_>>();
    let small = 100_000;
    assert_eq!(due_tier(&files(&[small; 3])), None);
    assert_eq!(due_tier(&files(&[small; 4])), Some(0..4));
    assert_eq!(due_tier(&files(&[40 << 20, small, small, small, small])), Some(1..5));
    assert_eq!(due_tier(&files(&[40 << 20, 30 << 20, 20 << 20, 17 << 20])), Some(0..4));
    assert_eq!(due_tier(&files(&[40 << 20, 30 << 20, 6 << 20, small])), None);
    assert!(is_due_to_be_packed(&files(&[small]), 2));
    assert!(!is_due_to_be_packed(&files(&[small, small]), 2));
}
