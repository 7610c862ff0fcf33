//! A chunk that grows in place: fixed capacity, one writer, readers that see whole records up to a sequence. Nothing published is
//! ever changed or moved, so what readers get are views, not copies.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, BooleanArray, PrimitiveArray, cast::AsArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow_data::ArrayDataBuilder;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{Error, Result};

use super::append_bytes::{AppendBytes, Writer};
use crate::cells::{Layout, fixed_values, variable_values};
use crate::rows::{BatchColumn, ColumnBatch, ColumnId, Sequence};

/// Rows of the largest chunk.
pub(crate) const CHUNK_ROWS: usize = 4096;
/// Bytes of variable-width cells that a chunk has room for, a row, unless a first cell needs more.
const VARIABLE_BYTES: usize = 24;

const VALUE: u8 = 0;
const NULL: u8 = 1;
const ABSENT: u8 = 2;

/// The columns a chunk holds.
pub(super) type ChunkLayout = Vec<(ColumnId, ArrowType)>;

/// A growing chunk, as readers see it.
pub(crate) struct ActiveChunk {
    capacity: usize,
    /// Of all its rows.
    schema_version: u32,
    /// Sequence that run entries are counted from.
    base: Sequence,
    /// Published runs; each run is (sequence - base, row end), two u32.
    run_count: AtomicUsize,
    runs: Arc<AppendBytes>,
    timestamps: Arc<AppendBytes>,
    key: Option<GrowingColumn>,
    columns: Vec<GrowingColumn>,
}

struct GrowingColumn {
    id: ColumnId,
    data_type: ArrowType,
    /// Values, or offsets of variable-width cells; one byte a BOOL.
    values: Arc<AppendBytes>,
    bytes: Option<Arc<AppendBytes>>,
    /// One byte a row, there from the first cell that is not a value.
    states: OnceLock<Arc<AppendBytes>>,
}

struct ColumnWriter {
    values: Writer,
    bytes: Option<Writer>,
    states: Option<Writer>,
    /// End of the last cell in `bytes`.
    end: usize,
}

/// The writing side of a chunk.
pub(super) struct ActiveWriter {
    chunk: Arc<ActiveChunk>,
    rows: usize,
    runs: Writer,
    timestamps: Writer,
    key: Option<ColumnWriter>,
    columns: Vec<ColumnWriter>,
}

impl GrowingColumn {
    fn create(id: ColumnId, data_type: &ArrowType, capacity: usize, first_cells: usize) -> (Self, ColumnWriter) {
        let ((values, values_writer), bytes) = match Layout::of(data_type) {
            Layout::Bits => (AppendBytes::create(capacity), None),
            Layout::Fixed(width) => (AppendBytes::create(capacity * width), None),
            Layout::Variable => (AppendBytes::create((capacity + 1) * 4), Some(AppendBytes::create((capacity * VARIABLE_BYTES).max(first_cells)))),
        };
        let (bytes, bytes_writer) = bytes.unzip();
        let column = Self { id, data_type: data_type.clone(), values, bytes, states: OnceLock::new() };
        (column, ColumnWriter { values: values_writer, bytes: bytes_writer, states: None, end: 0 })
    }

    fn memory(&self) -> usize {
        self.values.capacity() + self.bytes.as_deref().map_or(0, AppendBytes::capacity) + self.states.get().map_or(0, |states| states.capacity())
    }
}

impl ActiveWriter {
    /// A chunk for up to `capacity` rows like those of `first`, whose rows it will take next.
    pub(super) fn create(capacity: usize, layout: &ChunkLayout, first: &ColumnBatch, rows: &Range<usize>, base: Sequence) -> Self {
        let (runs, runs_writer) = AppendBytes::create(capacity * 8);
        let (timestamps, timestamps_writer) = AppendBytes::create(capacity * 8);
        let key = first.key.as_ref().map(|key| GrowingColumn::create(0, key.data_type(), capacity, variable_size(&**key, rows)));
        let (key, key_writer) = key.unzip();
        let mut columns = Vec::with_capacity(layout.len());
        let mut writers = Vec::with_capacity(layout.len());
        for (id, data_type) in layout {
            let first_cells = first.columns.iter().find(|column| column.id == *id).map_or(0, |column| variable_size(&*column.array, rows));
            let (column, writer) = GrowingColumn::create(*id, data_type, capacity, first_cells);
            columns.push(column);
            writers.push(writer);
        }
        let schema_version = first.schema_version;
        let chunk = Arc::new(ActiveChunk { capacity, schema_version, base, run_count: AtomicUsize::new(0), runs, timestamps, key, columns });
        Self { chunk, rows: 0, runs: runs_writer, timestamps: timestamps_writer, key: key_writer, columns: writers }
    }

    /// The reading side.
    pub(super) fn chunk(&self) -> &Arc<ActiveChunk> {
        &self.chunk
    }

    /// Rows that are in.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many of the rows fit: none if a column, a type or the sequence does not.
    pub(super) fn room(&self, batch: &ColumnBatch, rows: &Range<usize>, sequence: Sequence) -> usize {
        if batch.schema_version != self.chunk.schema_version || sequence - self.chunk.base > u64::from(u32::MAX) {
            return 0;
        }
        if batch.key.as_ref().map(Array::data_type) != self.chunk.key.as_ref().map(|key| &key.data_type) {
            return 0;
        }
        let mut room = rows.len().min(self.chunk.capacity - self.rows);
        if let (Some(key), Some(writer)) = (&batch.key, &self.key) {
            room = room.min(writer.room(&**key, rows));
        }
        for (at, column) in batch.columns.iter().enumerate() {
            match self.chunk.place(at, column.id) {
                Some(place) if self.chunk.columns[place].data_type == *column.array.data_type() => {
                    room = room.min(self.columns[place].room(&*column.array, rows));
                }
                _ => return 0,
            }
        }
        room
    }

    /// Appends rows that [`room`](Self::room) said fit, as one run of the record `sequence`.
    pub(super) fn append(&mut self, batch: &ColumnBatch, rows: Range<usize>, sequence: Sequence) {
        let (chunk, at) = (&self.chunk, self.rows);
        let timestamps = batch.timestamps.inner().as_slice();
        self.timestamps.write(at * 8, &timestamps[rows.start * 8..rows.end * 8]);
        if let (Some(writer), Some(column), Some(key)) = (&mut self.key, &chunk.key, &batch.key) {
            writer.append(column, chunk.capacity, at, &**key, None, &rows);
        }
        let mut listed = 0;
        for (position, given) in batch.columns.iter().enumerate() {
            if let Some(place) = chunk.place(position, given.id) {
                listed += 1;
                self.columns[place].append(&chunk.columns[place], chunk.capacity, at, &*given.array, given.present.as_ref(), &rows);
            }
        }
        if listed < chunk.columns.len() {
            for (column, writer) in chunk.columns.iter().zip(&mut self.columns) {
                if !batch.columns.iter().any(|given| given.id == column.id) {
                    writer.append_absent(column, chunk.capacity, at, rows.len());
                }
            }
        }
        self.rows += rows.len();
        let run = chunk.run_count.load(Ordering::Relaxed);
        self.runs.write(run * 8, &((sequence - chunk.base) as u32).to_ne_bytes());
        self.runs.write(run * 8 + 4, &(self.rows as u32).to_ne_bytes());
        chunk.run_count.store(run + 1, Ordering::Release);
    }
}

/// How many numbers from 0 on the predicate holds for; it holds for a prefix of `0..count`.
fn partition_point(count: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, count);
    while low < high {
        let middle = low.midpoint(high);
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

/// Bytes of the variable-width cells of some rows; 0 for other layouts.
fn variable_size(array: &dyn Array, rows: &Range<usize>) -> usize {
    variable_values(array).map_or(0, |(offsets, _)| (offsets[rows.end] - offsets[rows.start]) as usize)
}

impl ColumnWriter {
    fn room(&self, array: &dyn Array, rows: &Range<usize>) -> usize {
        let (Some(bytes), Some((offsets, _))) = (&self.bytes, variable_values(array)) else { return rows.len() };
        let free = (bytes.capacity() - self.end).min(i32::MAX as usize - self.end);
        let cells = &offsets[rows.start..=rows.end];
        if (cells[cells.len() - 1] - cells[0]) as usize <= free {
            return rows.len();
        }
        cells.partition_point(|end| (end - cells[0]) as usize <= free) - 1
    }

    fn append(&mut self, column: &GrowingColumn, capacity: usize, at: usize, array: &dyn Array, present: Option<&BooleanBuffer>, rows: &Range<usize>) {
        match Layout::of(&column.data_type) {
            Layout::Fixed(width) => {
                if let Some(values) = fixed_values(array) {
                    self.values.write(at * width, &values.as_slice()[rows.start * width..rows.end * width]);
                }
            }
            Layout::Bits => {
                if let Some(array) = array.as_boolean_opt() {
                    for (offset, row) in rows.clone().enumerate() {
                        self.values.write(at + offset, &[u8::from(array.value(row))]);
                    }
                }
            }
            Layout::Variable => {
                if let (Some((offsets, bytes)), Some(writer)) = (variable_values(array), &mut self.bytes) {
                    let first = offsets[rows.start] as usize;
                    writer.write(self.end, &bytes[first..offsets[rows.end] as usize]);
                    for (offset, row) in rows.clone().enumerate() {
                        let end = self.end + offsets[row + 1] as usize - first;
                        self.values.write((at + offset + 1) * 4, &(end as i32).to_ne_bytes());
                    }
                    self.end += offsets[rows.end] as usize - first;
                }
            }
        }
        if array.null_count() == 0 && present.is_none() {
            return;
        }
        for (offset, row) in rows.clone().enumerate() {
            let state = if present.is_some_and(|present| !present.value(row)) {
                ABSENT
            } else if array.is_null(row) {
                NULL
            } else {
                continue;
            };
            self.mark(column, capacity, at + offset, state);
        }
    }

    fn append_absent(&mut self, column: &GrowingColumn, capacity: usize, at: usize, rows: usize) {
        for row in at..at + rows {
            if self.bytes.is_some() {
                self.values.write((row + 1) * 4, &(self.end as i32).to_ne_bytes());
            }
            self.mark(column, capacity, row, ABSENT);
        }
    }

    fn mark(&mut self, column: &GrowingColumn, capacity: usize, row: usize, state: u8) {
        let writer = self.states.get_or_insert_with(|| {
            let (states, writer) = AppendBytes::create(capacity);
            // The one writer sets it, once.
            let _ = column.states.set(states);
            writer
        });
        writer.write(row, &[state]);
    }
}

impl ActiveChunk {
    fn place(&self, guess: usize, id: ColumnId) -> Option<usize> {
        if self.columns.get(guess).is_some_and(|column| column.id == id) {
            return Some(guess);
        }
        self.columns.iter().position(|column| column.id == id)
    }

    /// The columns held.
    pub(super) fn layout(&self) -> ChunkLayout {
        self.columns.iter().map(|column| (column.id, column.data_type.clone())).collect()
    }

    /// Rows it has room for.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Version of the schema that its rows were made for.
    pub(super) fn schema_version(&self) -> u32 {
        self.schema_version
    }

    /// Bytes taken.
    pub(super) fn memory(&self) -> usize {
        let columns: usize = self.columns.iter().chain(&self.key).map(GrowingColumn::memory).sum();
        columns + self.runs.capacity() + self.timestamps.capacity() + size_of::<Self>()
    }

    /// A published run: (sequence - base, row end).
    fn run(&self, at: usize) -> (u32, u32) {
        // SAFETY: callers ask for runs below an acquired count, written before it was published.
        let bytes = unsafe { self.runs.slice((at + 1) * 8) };
        let word = |from: usize| bytes[from..].first_chunk().map_or(0, |word| u32::from_ne_bytes(*word));
        (word(at * 8), word(at * 8 + 4))
    }

    /// Rows of records up to `visible`.
    pub(super) fn visible_rows(&self, visible: Sequence) -> usize {
        let runs = self.run_count.load(Ordering::Acquire);
        let count = partition_point(runs, |run| self.base + u64::from(self.run(run).0) <= visible);
        if count == 0 { 0 } else { self.run(count - 1).1 as usize }
    }

    /// Sequence of a published row.
    pub(super) fn sequence_of(&self, row: usize) -> Sequence {
        let runs = self.run_count.load(Ordering::Acquire);
        let run = partition_point(runs, |run| self.run(run).1 as usize <= row);
        // A row beyond what is published belongs to a record that is not visible to anybody.
        if run == runs { Sequence::MAX } else { self.base + u64::from(self.run(run).0) }
    }

    /// Whether rows of both can stand in one batch without absent cells.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let same = |left: &GrowingColumn, right: &GrowingColumn| left.id == right.id && left.data_type == right.data_type;
        std::ptr::eq(self, other)
            || (self.schema_version == other.schema_version
                && self.columns.len() == other.columns.len()
                && self.columns.iter().zip(&other.columns).all(|(left, right)| same(left, right))
                && self.key.as_ref().zip(other.key.as_ref()).is_none_or(|(left, right)| same(left, right))
                && self.key.is_some() == other.key.is_some())
    }

    /// Published rows of chunks that are alike, copied into a batch; at least one.
    pub(super) fn gather(uid: u64, rows: &[(&Self, usize)]) -> Result<ColumnBatch> {
        let first = rows[0].0;
        let timestamps = rows.iter().map(|(chunk, row)| cell_of::<8>(&chunk.timestamps, *row).map_or(0, i64::from_ne_bytes)).collect();
        let columns = (0..first.columns.len()).map(|at| {
            let cells: Vec<(&GrowingColumn, usize)> = rows.iter().map(|(chunk, row)| (&chunk.columns[at], *row)).collect();
            gather_column(&first.columns[at], &cells)
        });
        let columns = columns.collect::<Result<_>>()?;
        let keys: Vec<(&GrowingColumn, usize)> = rows.iter().filter_map(|(chunk, row)| Some((chunk.key.as_ref()?, *row))).collect();
        let key = first.key.as_ref().map(|key| Ok::<_, Error>(gather_column(key, &keys)?.array)).transpose()?;
        Ok(ColumnBatch { uid, schema_version: first.schema_version, timestamps, key, columns })
    }

    /// The first `rows` timestamps (rows of a visible run).
    pub(super) fn timestamps(&self, rows: usize) -> ScalarBuffer<i64> {
        // SAFETY: the caller's row count comes from an acquired run, whose rows were written before it was published.
        ScalarBuffer::from(unsafe { self.timestamps.view(rows * 8) })
    }

    /// The first `rows` composite keys.
    pub(super) fn keys(&self, rows: usize) -> Result<Option<ArrayRef>> {
        self.key.as_ref().map(|key| Ok(Self::column(key, rows)?.array)).transpose()
    }

    /// The first `rows` cells of a column; `None` if the chunk does not hold it.
    pub(super) fn load(&self, id: ColumnId, rows: usize) -> Result<Option<BatchColumn>> {
        self.columns.iter().find(|column| column.id == id).map(|column| Self::column(column, rows)).transpose()
    }

    /// All visible rows of a range as a batch.
    pub(super) fn batch(&self, uid: u64, rows: Range<usize>) -> Result<ColumnBatch> {
        let columns = self.columns.iter().map(|column| Self::column(column, rows.end)).collect::<Result<Vec<_>>>()?;
        let whole = ColumnBatch { uid, schema_version: self.schema_version, timestamps: self.timestamps(rows.end), key: self.keys(rows.end)?, columns };
        Ok(crate::resolve::slice(&whole, rows))
    }

    fn column(column: &GrowingColumn, rows: usize) -> Result<BatchColumn> {
        let (nulls, present) = match column.states.get() {
            None => (None, None),
            Some(states) => {
                // SAFETY: states of these rows were written before the run that covers them was published.
                let states = unsafe { states.view(rows) };
                let any = |state| states.as_slice().contains(&state);
                let valid = any(NULL) || any(ABSENT);
                (
                    valid.then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| states[row] == VALUE))),
                    any(ABSENT).then(|| BooleanBuffer::collect_bool(rows, |row| states[row] != ABSENT)),
                )
            }
        };
        // SAFETY: values and offsets of these rows were written before the run that covers them was published.
        let values = |length| unsafe { column.values.view(length) };
        let array: ArrayRef = match Layout::of(&column.data_type) {
            Layout::Bits => {
                let bytes = values(rows);
                Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| bytes[row] != 0), nulls))
            }
            Layout::Fixed(width) => fixed_array(&column.data_type, values(rows * width), nulls)?,
            Layout::Variable => {
                let offsets = values((rows + 1) * 4);
                let end = offsets.typed_data::<i32>()[rows] as usize;
                let bytes = match &column.bytes {
                    // SAFETY: bytes below the last published offset were written before it.
                    Some(bytes) => unsafe { bytes.view(end) },
                    None => Buffer::from(Vec::<u8>::new()),
                };
                variable_array(&column.data_type, rows, offsets, bytes, nulls)
            }
        };
        Ok(BatchColumn { id: column.id, array, present })
    }
}

/// A fixed-width cell of a published row.
fn cell_of<const WIDTH: usize>(values: &AppendBytes, row: usize) -> Option<[u8; WIDTH]> {
    // SAFETY: the caller's row is published.
    let bytes = unsafe { values.slice((row + 1) * WIDTH) };
    bytes.get(row * WIDTH..)?.first_chunk().copied()
}

/// Cells of published rows, copied; the columns are of one type.
fn gather_column(first: &GrowingColumn, cells: &[(&GrowingColumn, usize)]) -> Result<BatchColumn> {
    let rows = cells.len();
    let state = |(column, row): &(&GrowingColumn, usize)| column.states.get().and_then(|states| cell_of::<1>(states, *row)).map_or(VALUE, |[state]| state);
    let (mut nulls, mut present) = (None, None);
    if cells.iter().any(|(column, _)| column.states.get().is_some()) {
        let states: Vec<u8> = cells.iter().map(state).collect();
        nulls = states.iter().any(|state| *state != VALUE).then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| states[row] == VALUE)));
        present = states.contains(&ABSENT).then(|| BooleanBuffer::collect_bool(rows, |row| states[row] != ABSENT));
    }
    let array: ArrayRef = match Layout::of(&first.data_type) {
        Layout::Bits => {
            let set = |row: usize| cell_of::<1>(&cells[row].0.values, cells[row].1) == Some([1]);
            Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, set), nulls))
        }
        Layout::Fixed(width) => {
            let mut values = MutableBuffer::with_capacity(rows * width);
            for (column, row) in cells {
                // SAFETY: the rows are published.
                let bytes = unsafe { column.values.slice((row + 1) * width) };
                values.extend_from_slice(&bytes[row * width..]);
            }
            fixed_array(&first.data_type, values.into(), nulls)?
        }
        Layout::Variable => {
            let (mut offsets, mut values) = (vec![0i32], Vec::new());
            for (column, row) in cells {
                let end = |row: usize| cell_of::<4>(&column.values, row).map_or(0, i32::from_ne_bytes) as usize;
                let (from, to) = (end(*row), end(row + 1));
                if let Some(bytes) = &column.bytes {
                    // SAFETY: bytes below a published row's offset are published.
                    values.extend_from_slice(&unsafe { bytes.slice(to) }[from..]);
                }
                let end = i32::try_from(values.len()).map_err(|_| Error::internal("a table's text exceeds 2 GiB"))?;
                offsets.push(end);
            }
            variable_array(&first.data_type, rows, Buffer::from_vec(offsets), Buffer::from_vec(values), nulls)
        }
    };
    Ok(BatchColumn { id: first.id, array, present })
}

/// An array over cells that were copied whole from arrays of the same type, with ascending offsets that end inside the bytes.
fn variable_array(data_type: &ArrowType, rows: usize, offsets: Buffer, bytes: Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
    let data = ArrayDataBuilder::new(data_type.clone()).len(rows).nulls(nulls).add_buffer(offsets).add_buffer(bytes);
    // SAFETY: see above; whole cells of text stay UTF-8.
    make_array(unsafe { data.build_unchecked() })
}

fn fixed_array(data_type: &ArrowType, values: Buffer, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    fn array<T: ArrowPrimitiveType>(data_type: &ArrowType, values: Buffer, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls).with_data_type(data_type.clone()))
    }
    Ok(match data_type {
        ArrowType::Int8 => array::<Int8Type>(data_type, values, nulls),
        ArrowType::Int16 => array::<Int16Type>(data_type, values, nulls),
        ArrowType::Int32 => array::<Int32Type>(data_type, values, nulls),
        ArrowType::Int64 => array::<Int64Type>(data_type, values, nulls),
        ArrowType::UInt8 => array::<UInt8Type>(data_type, values, nulls),
        ArrowType::UInt16 => array::<UInt16Type>(data_type, values, nulls),
        ArrowType::UInt32 => array::<UInt32Type>(data_type, values, nulls),
        ArrowType::UInt64 => array::<UInt64Type>(data_type, values, nulls),
        ArrowType::Float32 => array::<Float32Type>(data_type, values, nulls),
        ArrowType::Float64 => array::<Float64Type>(data_type, values, nulls),
        ArrowType::Timestamp(TimeUnit::Second, _) => array::<TimestampSecondType>(data_type, values, nulls),
        ArrowType::Timestamp(TimeUnit::Millisecond, _) => array::<TimestampMillisecondType>(data_type, values, nulls),
        ArrowType::Timestamp(TimeUnit::Microsecond, _) => array::<TimestampMicrosecondType>(data_type, values, nulls),
        ArrowType::Timestamp(TimeUnit::Nanosecond, _) => array::<TimestampNanosecondType>(data_type, values, nulls),
        ArrowType::Decimal128(_, _) => array::<Decimal128Type>(data_type, values, nulls),
        other => return Err(Error::internal(format!("no fixed-width array of {other}"))),
    })
}
