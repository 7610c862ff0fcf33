//! Memory table against a naive model, and readers beside a writer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_array::Int64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_buffer::BooleanBuffer;
use embudo_types::DataType;
use proptest::prelude::*;

use super::*;
use crate::resolve::normalize;
use crate::rows::TimeRange;

/// A cell: absent, NULL, value.
type Cell = Option<Option<i64>>;
type Model = BTreeMap<i64, [Cell; 2]>;
/// Rows in the order given.
type Given = Vec<(i64, [Cell; 2])>;

fn batch(uid: Uid, rows: &[(i64, [Cell; 2])]) -> ColumnBatch {
    let column = |at: usize| BatchColumn {
        id: at as u16 + 2,
        array: Arc::new(rows.iter().map(|row| row.1[at].flatten()).collect::<Int64Array>()),
        present: Some(rows.iter().map(|row| row.1[at].is_some()).collect::<BooleanBuffer>()),
    };
    ColumnBatch { uid, schema_version: 1, timestamps: rows.iter().map(|row| row.0).collect(), key: None, columns: vec![column(0), column(1)] }
}

/// Rows of several tables, many of one: whatever writes them into files gets them under their own table.
#[test]
fn batches_carry_their_tables_number() {
    let table = MemoryTable::new(&MemoryBudget::new(1 << 40));
    let rows = |count: i64| (0..count).map(|row| (row, [Some(Some(row)), None])).collect::<Vec<_>>();
    let batches = [batch(7, &rows(3)), batch(8, &rows(600)), batch(9, &rows(100))];
    table.append_tables(&joined(&batches), 1, 0, 1).unwrap();
    for (uid, count) in [(7, 3), (8, 600), (9, 100)] {
        let batches = table.batches(uid, &[]).unwrap();
        assert!(batches.iter().all(|(batch, _)| batch.uid == uid));
        assert_eq!(batches.iter().map(|(batch, _)| batch.rows()).sum::<usize>(), count);
    }
}

/// Rows that came one by one: what is full has statistics as files have, what still grows has none.
#[test]
fn full_chunks_have_statistics() {
    let table = MemoryTable::new(&MemoryBudget::new(1 << 40));
    for row in 0..700 {
        table.append(&batch(7, &[(row, [Some(Some(row % 13)), Some(None)])]), row as u64 + 1).unwrap();
    }
    assert_eq!(table.newest(), Some(699));
    let mut known = 0;
    for source in table.sources(7, 700, &[]).unwrap() {
        let Some(statistics) = source.statistics(2, DataType::BigInt) else { continue };
        let column = source.load(&[(2, DataType::BigInt)], 0..source.rows()).unwrap().remove(0).unwrap();
        let values = column.array.as_primitive::<Int64Type>().values().to_vec();
        assert_eq!(statistics.count, values.len() as u64);
        assert_eq!(statistics.max, embudo_types::Value::BigInt(*values.iter().max().unwrap()));
        assert_eq!(source.statistics(3, DataType::BigInt).unwrap().nulls, values.len() as u64);
        known += values.len();
    }
    assert!((400..700).contains(&known), "{known} rows in full chunks");
}

/// What the sources and tombstones say, by the rules of `Source` and `Tombstone`, applied naively.
fn read(table: &MemoryTable, uid: Uid, visible: Sequence) -> Model {
    let tombstones = table.tombstones(uid, visible);
    let mut model = Model::new();
    for source in table.sources(uid, visible, &tombstones).unwrap() {
        let rows = source.rows();
        let timestamps = source.timestamps(0..rows).unwrap();
        assert!(timestamps.is_sorted_by(|left, right| left < right));
        assert_eq!(source.range(), TimeRange::new(timestamps[0], timestamps[rows - 1]));
        let columns = source.load(&[(2, DataType::BigInt), (3, DataType::BigInt)], 0..rows).unwrap();
        let cell = |column: &Option<BatchColumn>, row: usize| -> Cell {
            let column = column.as_ref()?;
            let values = column.array.as_primitive::<Int64Type>();
            column.present.as_ref().is_none_or(|present| present.value(row)).then(|| values.is_valid(row).then(|| values.value(row)))
        };
        for row in 0..rows {
            let hidden = |tombstone: &Tombstone| tombstone.range.contains(timestamps[row]) && source.sequences().max < tombstone.sequence;
            if !tombstones.iter().any(hidden) {
                let cells = model.entry(timestamps[row]).or_default();
                for (at, kept) in cells.iter_mut().enumerate() {
                    *kept = cell(&columns[at], row).or(*kept);
                }
            }
        }
    }
    model
}

fn joined(batches: &[ColumnBatch]) -> TablesBatch {
    TablesBatch::join(batches).unwrap()
}

#[derive(Clone, Debug)]
enum Step {
    Rows(Uid, Given),
    /// Runs of rows of tables, in one batch.
    Tables(Vec<(Uid, Given)>),
    Delete(Uid, i64, i64),
    /// So many ascending rows from a timestamp.
    Bulk(Uid, i64, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cell = || prop_oneof![1 => Just(None), 1 => Just(Some(None)), 4 => any::<i64>().prop_map(|value| Some(Some(value)))];
    let row = (0..400i64, [cell(), cell()]);
    let run = (1..3u64, prop::collection::vec(row.clone(), 1..4));
    let step = prop_oneof![
        6 => prop::collection::vec(run, 1..12).prop_map(Step::Tables),
        8 => (1..3u64, prop::collection::vec(row, 1..40)).prop_map(|(uid, rows)| Step::Rows(uid, rows)),
        2 => (1..3u64, 0..400i64, 0..60i64).prop_map(|(uid, start, length)| Step::Delete(uid, start, start + length)),
        1 => (1..3u64, 0..300i64, 500..700usize).prop_map(|(uid, start, rows)| Step::Bulk(uid, start, rows)),
    ];
    prop::collection::vec(step, 1..25)
}

proptest! {
    #[test]
    fn agrees_with_a_map(steps in steps()) {
        let table = MemoryTable::new(&MemoryBudget::new(1 << 40));
        let mut models = vec![[Model::new(), Model::new()]];
        for (at, step) in steps.iter().enumerate() {
            let sequence = at as Sequence + 1;
            let mut next = models[at].clone();
            let mut keep = |uid: Uid, rows: &[(i64, [Cell; 2])]| {
                for (timestamp, cells) in rows {
                    let kept = next[uid as usize - 1].entry(*timestamp).or_default();
                    for (kept, new) in kept.iter_mut().zip(cells) {
                        *kept = new.or(*kept);
                    }
                }
            };
            match step {
                Step::Rows(uid, rows) => {
                    table.append(&normalize(batch(*uid, rows)).unwrap(), sequence).unwrap();
                    keep(*uid, rows);
                }
                Step::Tables(runs) => {
                    let batches: Vec<_> = runs.iter().map(|(uid, rows)| normalize(batch(*uid, rows)).unwrap()).collect();
                    table.append_tables(&joined(&batches), sequence, 0, 1).unwrap();
                    for (uid, rows) in runs {
                        keep(*uid, rows);
                    }
                }
                Step::Delete(uid, start, end) => {
                    table.delete(Tombstone { uid: *uid, range: TimeRange::new(*start, *end), sequence });
                    next[*uid as usize - 1].retain(|timestamp, _| timestamp < start || timestamp > end);
                }
                Step::Bulk(uid, start, count) => {
                    let rows: Vec<_> = (0..*count as i64).map(|row| (start + row, [Some(Some(row)), Some(Some(-row))])).collect();
                    table.append(&batch(*uid, &rows), sequence).unwrap();
                    next[*uid as usize - 1].extend(rows);
                }
            }
            models.push(next);
        }
        // Every sequence that was ever visible still reads as it did.
        for (visible, model) in models.iter().enumerate() {
            for uid in 1..3 {
                prop_assert_eq!(&read(&table, uid, visible as Sequence), &model[uid as usize - 1], "table {} at {}", uid, visible);
            }
        }
    }
}

/// Many readers while one writer appends to several tables: a reader sees all of a record or none of it.
#[test]
fn readers_never_see_half_a_record() {
    let table = MemoryTable::new(&MemoryBudget::new(1 << 40));
    let (visible, done) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let now = visible.load(Ordering::Acquire);
                    for uid in 1..=3 {
                        let model = read(&table, uid, now);
                        // Record n gives every table two rows: 2n, or a late one for odd n, and the common upsert of row 0.
                        assert_eq!(model.len() as u64, if now == 0 { 0 } else { now + 1 });
                        if now > 0 {
                            assert_eq!(model[&0][0], Some(Some(now as i64)));
                        }
                    }
                }
            });
        }
        for sequence in 1..=1500u64 {
            let late = if sequence % 2 == 1 { sequence as i64 } else { 10_000 + sequence as i64 };
            let rows = [(0, [Some(Some(sequence as i64)), None]), (late, [Some(Some(1)), Some(None)])];
            let batches = [1, 2, 3].map(|uid| batch(uid, &rows));
            if sequence % 3 == 0 {
                for batch in &batches {
                    table.append(batch, sequence).unwrap();
                }
            } else {
                table.append_tables(&joined(&batches), sequence, 0, 1).unwrap();
            }
            visible.store(sequence, Ordering::Release);
        }
        done.store(true, Ordering::Relaxed);
    });
}

/// Text, booleans and composite keys through arena, own chunks and tails.
#[test]
fn text_and_composite_keys() {
    use arrow_array::{BinaryArray, BooleanArray, StringArray};
    let table = MemoryTable::new(&MemoryBudget::new(1 << 40));
    let mut rows = 0;
    for sequence in 1..=200u64 {
        let keys: Vec<String> = (0..3).map(|key| format!("key-{}", (sequence + key) % 5)).collect();
        let texts: Vec<Option<Vec<u8>>> = (0..3).map(|at| (at != 1).then(|| vec![b'x'; (sequence as usize * 37) % 900])).collect();
        let given = ColumnBatch {
            uid: 9,
            schema_version: 1,
            timestamps: vec![sequence as i64 / 4; 3].into(),
            key: Some(Arc::new(StringArray::from(keys))),
            columns: vec![
                BatchColumn { id: 5, array: Arc::new(texts.iter().map(|text| text.as_deref()).collect::<BinaryArray>()), present: None },
                BatchColumn { id: 6, array: Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])), present: None },
            ],
        };
        table.append(&normalize(given).unwrap(), sequence).unwrap();
        rows += 3;
    }
    assert_eq!(table.rows(), rows);
    let sources = table.sources(9, Sequence::MAX - 1, &[]).unwrap();
    let seen: usize = sources.iter().map(|source| source.rows()).sum();
    assert!(seen >= 51 && seen as u64 <= rows);
    for source in sources {
        let keys = source.keys(0..source.rows()).unwrap();
        assert!(crate::resolve::is_ascending(&source.timestamps(0..source.rows()).unwrap(), keys.as_ref()));
        let columns = source.load(&[(5, DataType::Varchar(900)), (6, DataType::Bool), (7, DataType::Bool)], 0..source.rows()).unwrap();
        assert_eq!(columns[0].as_ref().unwrap().array.len(), source.rows());
        assert!(columns[2].is_none());
    }
}
