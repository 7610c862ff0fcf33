use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, Int32Array};
use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use embudo_types::{ColumnStatistics, DataType, Precision};
use proptest::prelude::*;

use super::*;
use crate::resolve::slice_column;
use crate::rows::{BatchColumn, ColumnId, SequenceRange, TIMESTAMP_COLUMN};
use crate::scan::Chunk;
use crate::source::Source;
use crate::statistics::column_statistics;

/// Absent, NULL or a value.
type Cell = Option<Option<i32>>;
/// A row's key, its cells of columns 2, 3 and 4.
type Row = ((i64, i32), [Cell; 3]);

const COLUMNS: [(ColumnId, DataType); 5] =
    [(TIMESTAMP_COLUMN, DataType::Timestamp), (2, DataType::Int), (3, DataType::Int), (4, DataType::Varchar(16)), (9, DataType::Int)];
const KEY: (ColumnId, DataType) = (9, DataType::Int);

/// A source in memory; its statistics are those of its cells.
struct Rows {
    timestamps: ScalarBuffer<i64>,
    key: Option<ArrayRef>,
    columns: Vec<BatchColumn>,
    sequence: u64,
    loads: AtomicUsize,
}

impl Rows {
    fn new(rows: &[Row], sequence: u64, keyed: bool, held: u8) -> Self {
        let column = |place: usize| {
            let cells: Vec<Cell> = rows.iter().map(|row| row.1[place]).collect();
            // What an absent cell holds has no meaning.
            let values = cells.iter().map(|cell| cell.unwrap_or(Some(-999)));
            let array: ArrayRef = match place {
                2 => Arc::new(values.map(|value| value.map(|value| value.to_string().into_bytes())).collect::<BinaryArray>()),
                _ => Arc::new(values.collect::<Int32Array>()),
            };
            let present = cells.iter().any(Option::is_none).then(|| cells.iter().map(Option::is_some).collect::<BooleanBuffer>());
            BatchColumn { id: place as ColumnId + 2, array, present }
        };
        Self {
            timestamps: rows.iter().map(|row| row.0.0).collect(),
            key: keyed.then(|| Arc::new(rows.iter().map(|row| Some(row.0.1)).collect::<Int32Array>()) as ArrayRef),
            columns: (0..3).filter(|place| held >> place & 1 == 1).map(column).collect(),
            sequence,
            loads: AtomicUsize::new(0),
        }
    }
}

impl Source for Rows {
    fn range(&self) -> TimeRange {
        TimeRange::new(self.timestamps[0], self.timestamps[self.timestamps.len() - 1])
    }

    fn sequences(&self) -> SequenceRange {
        SequenceRange { min: self.sequence, max: self.sequence }
    }

    fn rows(&self) -> usize {
        self.timestamps.len()
    }

    fn timestamps(&self, rows: Range<usize>) -> Result<ScalarBuffer<i64>> {
        Ok(self.timestamps.slice(rows.start, rows.len()))
    }

    fn keys(&self, rows: Range<usize>) -> Result<Option<ArrayRef>> {
        Ok(self.key.as_ref().map(|key| key.slice(rows.start, rows.len())))
    }

    fn statistics(&self, column: ColumnId, data_type: DataType) -> Option<ColumnStatistics> {
        match self.columns.iter().find(|held| held.id == column) {
            Some(column) => column_statistics(&self.timestamps, column, data_type),
            None => Some(ColumnStatistics { nulls: self.rows() as u64, ..ColumnStatistics::default() }),
        }
    }

    fn load(&self, columns: &[(ColumnId, DataType)], rows: Range<usize>) -> Result<Vec<Option<BatchColumn>>> {
        self.loads.fetch_add(columns.len(), Ordering::Relaxed);
        Ok(columns.iter().map(|(id, _)| self.columns.iter().find(|column| column.id == *id).map(|column| slice_column(column, rows.clone()))).collect())
    }
}

fn request(range: TimeRange, descending: bool, keyed: bool) -> ScanRequest {
    let columns = COLUMNS[..if keyed { 5 } else { 4 }].to_vec();
    ScanRequest { uid: 1, key: keyed.then_some(KEY), columns, range, descending, precision: Precision::Milli }
}

/// What the merge should give.
fn model(sources: &[(Vec<Row>, u64, u8)], tombstones: &[Tombstone], range: TimeRange) -> BTreeMap<(i64, i32), [Cell; 3]> {
    let mut all: BTreeMap<(i64, i32), [Cell; 3]> = BTreeMap::new();
    for (rows, sequence, held) in sources {
        for (key, cells) in rows {
            let hidden = tombstones.iter().any(|tombstone| tombstone.range.contains(key.0) && *sequence < tombstone.sequence);
            if range.contains(key.0) && !hidden {
                let row = all.entry(*key).or_default();
                for (place, (old, new)) in row.iter_mut().zip(cells).enumerate() {
                    if new.is_some() && held >> place & 1 == 1 {
                        *old = *new;
                    }
                }
            }
        }
    }
    all
}

fn rows_of(chunk: &Chunk, keyed: bool) -> Vec<Row> {
    let ints = |column: usize, row: usize| {
        let array = chunk.columns[column].as_primitive::<Int32Type>();
        array.is_valid(row).then(|| array.value(row))
    };
    let texts = chunk.columns[3].as_binary::<i32>();
    let text = |row: usize| texts.is_valid(row).then(|| std::str::from_utf8(texts.value(row)).unwrap().parse().unwrap());
    assert_eq!(chunk.columns[0].as_primitive::<TimestampMillisecondType>().values(), &chunk.timestamps);
    (0..chunk.timestamps.len())
        .map(|row| {
            let key = if keyed { ints(4, row).unwrap() } else { 0 };
            ((chunk.timestamps[row], key), [Some(ints(1, row)), Some(ints(2, row)), Some(text(row))])
        })
        .collect()
}

fn check(sources: &[(Vec<Row>, u64, u8)], tombstones: &[Tombstone], range: TimeRange, descending: bool, keyed: bool) -> usize {
    let request = request(range, descending, keyed);
    let made: Vec<SourceRef> = sources.iter().map(|(rows, sequence, held)| Arc::new(Rows::new(rows, *sequence, keyed, *held)) as SourceRef).collect();
    let mut pieces: Vec<Piece> = merge(made, tombstones, &request).collect::<Result<_>>().unwrap();
    if descending {
        pieces.reverse();
    }
    let mut merged = Vec::new();
    for piece in &pieces {
        let places: Vec<usize> = (0..request.columns.len()).collect();
        let chunk = piece.load(&places).unwrap();
        assert_eq!(chunk.timestamps.len(), piece.rows());
        assert!(piece.rows() > 0 && piece.rows() <= 2 * MERGE_ROWS);
        assert_eq!(piece.range(), TimeRange::new(chunk.timestamps[0], *chunk.timestamps.last().unwrap()));
        let second = piece.load(&[2]).unwrap();
        assert_eq!(second.columns[0].as_ref(), chunk.columns[2].as_ref());
        for (place, (id, data_type)) in request.columns.iter().enumerate() {
            let column = BatchColumn { id: *id, array: chunk.columns[place].clone(), present: None };
            if let Some(statistics) = piece.statistics(*id) {
                assert_eq!(Some(statistics), column_statistics(&chunk.timestamps, &column, *data_type), "column {id}");
            }
        }
        merged.extend(rows_of(&chunk, keyed));
    }
    let expected: Vec<Row> = model(sources, tombstones, range).into_iter().map(|(key, cells)| (key, cells.map(|cell| Some(cell.flatten())))).collect();
    assert_eq!(merged, expected);
    pieces.len()
}

fn regular(start: i64, step: i64, rows: i64) -> Vec<Row> {
    (0..rows).map(|row| ((start + row * step, 0), [Some(Some(row as i32)), Some(None), None])).collect()
}

#[test]
fn sources_apart_pass_through_with_statistics() {
    let sources: Vec<SourceRef> = (0..5).map(|at| Arc::new(Rows::new(&regular(at * 1000, 10, 100), 1, false, 7)) as SourceRef).collect();
    let pieces: Vec<Piece> = merge(sources, &[], &request(TimeRange::ALL, false, false)).collect::<Result<_>>().unwrap();
    assert_eq!(pieces.len(), 5);
    assert!(pieces.iter().all(|piece| piece.statistics(2).is_some_and(|statistics| statistics.count == 100)));
    let cut = request(TimeRange::new(1005, 2990), false, false);
    let sources: Vec<SourceRef> = (0..5).map(|at| Arc::new(Rows::new(&regular(at * 1000, 10, 100), 1, false, 7)) as SourceRef).collect();
    let pieces: Vec<Piece> = merge(sources, &[], &cut).collect::<Result<_>>().unwrap();
    assert_eq!(pieces.iter().map(Piece::rows).collect::<Vec<_>>(), [99, 100]);
    assert!(pieces[0].statistics(2).is_none() && pieces[1].statistics(2).is_some());
}

#[test]
fn a_source_without_rows_in_between_disturbs_nobody() {
    let sparse = vec![((0, 0), [Some(Some(-1)); 3]), ((100_000, 0), [Some(Some(-2)); 3])];
    let mut sources: Vec<SourceRef> = (0..90).map(|at| Arc::new(Rows::new(&regular(at * 1000 + 5, 10, 100), 1, false, 7)) as SourceRef).collect();
    sources.push(Arc::new(Rows::new(&sparse, 2, false, 7)));
    let pieces: Vec<Piece> = merge(sources, &[], &request(TimeRange::ALL, false, false)).collect::<Result<_>>().unwrap();
    assert_eq!(pieces.iter().filter(|piece| piece.statistics(2).is_some_and(|statistics| statistics.count == 100)).count(), 90);
}

#[test]
fn only_named_columns_are_loaded() {
    let sources = [1, 2].map(|sequence| Arc::new(Rows::new(&regular(0, 10, 100), sequence, false, 7)));
    let merged = merge(sources.iter().map(|source| source.clone() as SourceRef).collect(), &[], &request(TimeRange::ALL, false, false));
    let piece = merged.map(Result::unwrap).next().unwrap();
    assert_eq!(sources[0].loads.load(Ordering::Relaxed), 0);
    piece.load(&[0]).unwrap();
    assert_eq!(sources[0].loads.load(Ordering::Relaxed), 0);
    piece.load(&[1, 0]).unwrap();
    assert_eq!(sources[0].loads.load(Ordering::Relaxed), 1);
}

#[test]
fn wide_overlaps_come_in_bounded_pieces() {
    let sources: Vec<_> = (0..12).map(|at| (regular(at, 12, 4096), at as u64 + 1, 7)).collect();
    assert!(check(&sources, &[], TimeRange::ALL, false, false) >= 6);
    check(&sources, &[], TimeRange::new(500, 40_000), true, false);
    let same: Vec<_> = (0..12).map(|at| (regular(0, 1, 4096), at + 1, 7)).collect();
    check(&same, &[Tombstone { uid: 1, range: TimeRange::new(100, 200), sequence: 20 }], TimeRange::ALL, false, false);
}

#[test]
fn ends_of_time_are_times() {
    let ends = |value| vec![((i64::MIN, 0), [Some(Some(value)); 3]), ((i64::MAX, 0), [Some(Some(value)), None, None])];
    let tombstone = |start, end| [Tombstone { uid: 1, range: TimeRange::new(start, end), sequence: 2 }];
    let sources = [(ends(1), 1, 7), (ends(2), 2, 7)];
    for descending in [false, true] {
        check(&sources, &[], TimeRange::ALL, descending, false);
        check(&sources, &tombstone(i64::MIN, i64::MIN), TimeRange::ALL, descending, false);
        check(&sources, &tombstone(i64::MAX, i64::MAX), TimeRange::new(i64::MAX, i64::MAX), descending, false);
        check(&sources[..1], &tombstone(i64::MIN, i64::MAX), TimeRange::ALL, descending, false);
    }
}

fn cell() -> impl Strategy<Value = Cell> {
    proptest::option::weighted(0.7, proptest::option::weighted(0.8, 0_i32..1000))
}

/// Rows with ascending keys, in a few shapes: anywhere, dense, far apart.
fn rows(keyed: bool) -> impl Strategy<Value = Vec<Row>> {
    let keys = (0_i64..200, 1_i64..20, proptest::collection::btree_set((0_i64..60, 0_i32..3), 1..40));
    let keys = keys.prop_map(move |(start, step, places)| {
        let keys: BTreeSet<(i64, i32)> = places.into_iter().map(|(at, key)| (start + at * step, if keyed { key } else { 0 })).collect();
        keys.into_iter().collect::<Vec<_>>()
    });
    keys.prop_flat_map(|keys| {
        let count = keys.len();
        (Just(keys), proptest::collection::vec([cell(), cell(), cell()], count)).prop_map(|(keys, cells)| keys.into_iter().zip(cells).collect())
    })
}

/// Sources (rows, sequence, held columns), tombstones, range, descending, with composite key.
type Scenario = (Vec<(Vec<Row>, u64, u8)>, Vec<Tombstone>, TimeRange, bool, bool);

fn scenario() -> impl Strategy<Value = Scenario> {
    any::<bool>().prop_flat_map(|keyed| {
        let sources = proptest::collection::vec((rows(keyed), 0_u8..8), 0..7)
            .prop_map(|sources| sources.into_iter().zip(1..).map(|((rows, held), at)| (rows, at * 10, held)).collect());
        let tombstones = proptest::collection::vec((-10_i64..1300, 0_i64..300, 0_u64..8), 0..4).prop_map(|all| {
            all.into_iter().map(|(start, length, at)| Tombstone { uid: 1, range: TimeRange::new(start, start + length), sequence: at * 10 + 5 }).collect()
        });
        let range = prop_oneof![Just(TimeRange::ALL), (-10_i64..1300, 0_i64..900).prop_map(|(start, length)| TimeRange::new(start, start + length))];
        (sources, tombstones, range, any::<bool>(), Just(keyed))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn merges_are_what_the_model_says((sources, tombstones, range, descending, keyed) in scenario()) {
        check(&sources, &tombstones, range, descending, keyed);
    }
}

#[test]
fn keys_of_one_timestamp_merge_by_key() {
    let rows = |keys: &[i32], value| keys.iter().map(|key| ((7, *key), [Some(Some(value)), None, Some(None)])).collect::<Vec<Row>>();
    check(&[(rows(&[1, 3, 5], 1), 1, 7), (rows(&[2, 3], 2), 2, 7), (rows(&[0, 9], 3), 3, 5)], &[], TimeRange::ALL, false, true);
}
