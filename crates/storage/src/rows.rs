//! What travels into a store and between its parts: rows of one table as columns, the entries of a log record, time and
//! sequence ranges. No behaviour beyond checks of their own shape.

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType as ArrowType;
use embudo_types::{Error, Result};

/// A table's number in its database; never reused.
pub type Uid = u64;

/// A column's number in its table; never reused there.
pub type ColumnId = u16;

/// Place of a record in the database's commit order; the first record has 1.
pub type Sequence = u64;

/// The timestamp column's number in every table.
pub const TIMESTAMP_COLUMN: ColumnId = 1;

/// A closed range of time in ticks of the database's precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimeRange {
    /// First tick inside.
    pub start: i64,
    /// Last tick inside.
    pub end: i64,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: i64::MIN, end: i64::MAX };

    /// The closed range from `start` to `end`.
    pub fn new(start: i64, end: i64) -> Self {
        Self { start, end }
    }

    /// Whether no tick is inside.
    pub fn is_empty(self) -> bool {
        self.start > self.end
    }

    /// Whether `tick` is inside.
    pub fn contains(self, tick: i64) -> bool {
        self.start <= tick && tick <= self.end
    }

    /// Whether all of `other` is inside.
    pub fn covers(self, other: Self) -> bool {
        self.start <= other.start && other.end <= self.end
    }

    /// Whether a tick is inside both.
    pub fn overlaps(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }

    /// The smallest range with both inside.
    pub fn union(self, other: Self) -> Self {
        Self { start: self.start.min(other.start), end: self.end.max(other.end) }
    }

    /// What is inside both; may be empty.
    pub fn intersection(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), end: self.end.min(other.end) }
    }
}

/// A closed range of sequences.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SequenceRange {
    /// Lowest.
    pub min: Sequence,
    /// Highest.
    pub max: Sequence,
}

/// Cells of one column. A cell has three states: value, NULL (invalid in `array`), absent (unset in `present`).
#[derive(Clone, Debug)]
pub struct BatchColumn {
    /// The column's number; never that of the timestamp or of the composite key.
    pub id: ColumnId,
    /// One cell a row, in the type that `types::arrow::arrow_type` gives.
    pub array: ArrayRef,
    /// Which cells are there; `None`: all of them. What an absent cell holds in `array` has no meaning.
    pub present: Option<BooleanBuffer>,
}

/// Rows of one table, in the order they were given. A column that is not listed is absent in every row.
#[derive(Clone, Debug)]
pub struct ColumnBatch {
    /// The table.
    pub uid: Uid,
    /// Version of the schema that the rows were made for.
    pub schema_version: u32,
    /// Timestamps in ticks.
    pub timestamps: ScalarBuffer<i64>,
    /// Second part of the row key, in tables that have one: `Int32`, `UInt32`, `Int64`, `UInt64`, `Binary` or `Utf8`, without NULL.
    pub key: Option<ArrayRef>,
    /// The other columns, each number once.
    pub columns: Vec<BatchColumn>,
}

impl ColumnBatch {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.timestamps.len()
    }

    /// An error unless every part has one cell a row, the types can be stored, the key has no NULL and no column comes twice.
    pub fn check(&self) -> Result<()> {
        let rows = self.rows();
        let fail = |what: &str| Err(Error::internal(format!("rows of table {}: {what}", self.uid)));
        if let Some(key) = &self.key {
            let is_key_type =
                matches!(key.data_type(), ArrowType::Int32 | ArrowType::UInt32 | ArrowType::Int64 | ArrowType::UInt64 | ArrowType::Binary | ArrowType::Utf8);
            if key.len() != rows || key.null_count() > 0 || !is_key_type {
                return fail("bad composite key");
            }
        }
        for (at, column) in self.columns.iter().enumerate() {
            if column.array.len() != rows || column.present.as_ref().is_some_and(|present| present.len() != rows) {
                return fail("columns of different lengths");
            }
            if column.id == TIMESTAMP_COLUMN || self.columns[..at].iter().any(|earlier| earlier.id == column.id) {
                return fail("a column comes twice");
            }
            if !is_storable(column.array.data_type()) {
                return fail("a type that cannot be stored");
            }
        }
        Ok(())
    }
}

/// Whether cells of the Arrow type can be stored: those that TDengine's types lie in.
pub fn is_storable(data_type: &ArrowType) -> bool {
    matches!(
        data_type,
        ArrowType::Boolean
            | ArrowType::Int8
            | ArrowType::Int16
            | ArrowType::Int32
            | ArrowType::Int64
            | ArrowType::UInt8
            | ArrowType::UInt16
            | ArrowType::UInt32
            | ArrowType::UInt64
            | ArrowType::Float32
            | ArrowType::Float64
            | ArrowType::Timestamp(_, None)
            | ArrowType::Binary
            | ArrowType::Utf8
            | ArrowType::Decimal128(_, _)
    )
}

/// Rows of one table within a [`TablesBatch`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableRun {
    /// The table.
    pub uid: Uid,
    /// How many rows, at least one.
    pub rows: u32,
}

/// Rows of several tables that have the same columns. A table may come in several runs; later rows are newer.
#[derive(Clone, Debug)]
pub struct TablesBatch {
    /// Whose rows the batch holds, in order.
    pub runs: Vec<TableRun>,
    /// All rows one behind another; its own `uid` has no meaning.
    pub rows: ColumnBatch,
}

impl TablesBatch {
    /// Rows of several tables behind one another: at least one, all with the same columns in the same order.
    pub fn join(batches: &[ColumnBatch]) -> Result<Self> {
        let first = batches.first().ok_or_else(|| Error::internal("rows of no table"))?;
        let runs = batches.iter().map(|batch| TableRun { uid: batch.uid, rows: batch.rows() as u32 }).collect();
        let key = match &first.key {
            None => None,
            Some(_) => Some(concatenate(&batches.iter().filter_map(|batch| batch.key.as_ref()).collect::<Vec<_>>())?),
        };
        let columns = first.columns.iter().enumerate().map(|(at, column)| {
            let parts: Vec<&BatchColumn> = batches.iter().filter_map(|batch| batch.columns.get(at)).filter(|part| part.id == column.id).collect();
            let present = parts.iter().any(|part| part.present.is_some()).then(|| {
                let mut bits = BooleanBufferBuilder::new(0);
                for part in &parts {
                    match &part.present {
                        Some(present) => bits.append_buffer(present),
                        None => bits.append_n(part.array.len(), true),
                    }
                }
                bits.finish()
            });
            Ok(BatchColumn { id: column.id, array: concatenate(&parts.iter().map(|part| &part.array).collect::<Vec<_>>())?, present })
        });
        let columns = columns.collect::<Result<_>>()?;
        let timestamps = batches.iter().flat_map(|batch| batch.timestamps.iter().copied()).collect();
        Ok(Self { runs, rows: ColumnBatch { uid: first.uid, schema_version: first.schema_version, timestamps, key, columns } })
    }

    /// Rows of each run, without copying.
    pub fn tables(&self) -> impl Iterator<Item = ColumnBatch> {
        let mut start = 0;
        self.runs.iter().map(move |run| {
            let rows = start..start + run.rows as usize;
            start = rows.end;
            ColumnBatch { uid: run.uid, ..crate::resolve::slice(&self.rows, rows) }
        })
    }

    /// An error unless the rows are sound and the runs account for each of them.
    pub fn check(&self) -> Result<()> {
        self.rows.check()?;
        let rows: u64 = self.runs.iter().map(|run| u64::from(run.rows)).sum();
        if rows != self.rows.rows() as u64 || self.runs.iter().any(|run| run.rows == 0) {
            return Err(Error::internal("runs of tables that do not fit their rows"));
        }
        Ok(())
    }
}

/// Arrays of one type behind one another.
fn concatenate(arrays: &[&ArrayRef]) -> Result<ArrayRef> {
    if let [only] = arrays {
        return Ok(ArrayRef::clone(only));
    }
    let data: Vec<ArrayData> = arrays.iter().map(Array::to_data).collect();
    let mut output = MutableArrayData::new(data.iter().collect(), false, data.iter().map(ArrayData::len).sum());
    for (at, part) in data.iter().enumerate() {
        output.try_extend(at, 0, part.len()).map_err(|error| Error::internal(format!("joining rows: {error}")))?;
    }
    Ok(make_array(output.freeze()))
}

/// A part of a log record.
#[derive(Clone, Debug)]
pub enum Entry {
    /// Rows to add; rows whose key exists replace it cell by cell, absent cells keep what was there.
    Rows(ColumnBatch),
    /// The same of several tables at once: cheaper than an entry each where tables have few rows.
    Tables(TablesBatch),
    /// Rows of a table in the closed time range go: those of earlier records, not of this one.
    Delete {
        /// The table.
        uid: Uid,
        /// First tick.
        start: i64,
        /// Last tick.
        end: i64,
    },
    /// All of a table's rows go; its number is never used again.
    DropTable {
        /// The table.
        uid: Uid,
    },
    /// The catalogue's own, opaque here; handed back in commit order when the log is replayed.
    Meta(Vec<u8>),
}
