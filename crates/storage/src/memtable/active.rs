//! A chunk that grows in place: fixed capacity, one writer, readers that see whole records up to a sequence. Nothing published is
//! ever changed or moved, so what readers get are views, not copies. Runs, timestamps and cells lie in one piece of memory, so that a
//! row that comes alone touches little of it; only bytes of text and states of cells that are no values have their own.

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use arrow_array::types::{
    ArrowPrimitiveType, Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType,
    TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, MutableBuffer, NullBuffer, ScalarBuffer};
use arrow_data::ArrayDataBuilder;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{Error, Result};

use super::append_bytes::{AppendBytes, Writer};
use super::chunk_layout::{CAPACITY_STEP, ChunkLayout, RUN_BYTES, Slot};
use super::incoming::{Cells, Incoming, IncomingColumn};
use crate::cells::Layout;
use crate::rows::{BatchColumn, ColumnBatch, ColumnId, Sequence};

/// Rows of the largest chunk.
pub(crate) const CHUNK_ROWS: usize = 4096;
/// Bytes of variable-width cells that a chunk has room for, a row, unless a first cell needs more.
const VARIABLE_BYTES: usize = 24;

const VALUE: u8 = 0;
const NULL: u8 = 1;
const ABSENT: u8 = 2;

/// A growing chunk, as readers see it.
pub(crate) struct ActiveChunk {
    capacity: usize,
    layout: Arc<ChunkLayout>,
    /// Of all its rows.
    schema_version: u32,
    /// Sequence that run entries are counted from.
    base: Sequence,
    /// Published runs; each run is (sequence - base, row end), two u32.
    run_count: AtomicUsize,
    /// Runs, timestamps, then each slot's values.
    memory: Arc<AppendBytes>,
    /// One a slot.
    extras: Box<[Extra]>,
}

/// What of a column lies elsewhere.
#[derive(Default)]
struct Extra {
    /// Bytes of variable-width cells.
    bytes: Option<Arc<AppendBytes>>,
    /// One byte a row, there from the first cell that is not a value.
    states: OnceLock<Arc<AppendBytes>>,
}

/// The writing side of [`Extra`].
#[derive(Default)]
struct ExtraWriter {
    bytes: Option<Writer>,
    states: Option<Writer>,
    /// End of the last cell in `bytes`.
    end: usize,
}

/// The writing side of a chunk.
pub(super) struct ActiveWriter {
    chunk: Arc<ActiveChunk>,
    rows: usize,
    memory: Writer,
    extras: Box<[ExtraWriter]>,
}

impl ActiveWriter {
    /// A chunk for up to `capacity` rows of a layout, among them the given ones, which it will take next.
    pub(super) fn create(capacity: usize, layout: Arc<ChunkLayout>, rows: &mut Incoming<'_>, range: &Range<usize>, base: Sequence) -> Self {
        let capacity = capacity.next_multiple_of(CAPACITY_STEP);
        let (memory, memory_writer) = AppendBytes::create(layout.bytes(capacity));
        let mut extras: Vec<(Extra, ExtraWriter)> = layout.slots.iter().map(|_| Default::default()).collect();
        let places = rows.places(&layout).map(<[_]>::to_vec).unwrap_or_default();
        for (at, slot) in layout.slots.iter().enumerate().filter(|(_, slot)| slot.layout == Layout::Variable) {
            let first = places.get(at).copied().flatten().map_or(0, |place| rows.columns[place].cells.variable_size(range));
            let (bytes, writer) = AppendBytes::create((capacity * VARIABLE_BYTES).max(first));
            (extras[at].0.bytes, extras[at].1.bytes) = (Some(bytes), Some(writer));
            debug_assert!(slot.offset(capacity) < memory.capacity(), "inside");
        }
        let (extras, writers): (Vec<_>, Vec<_>) = extras.into_iter().unzip();
        let schema_version = rows.batch.schema_version;
        let extras = extras.into_boxed_slice();
        let chunk = Arc::new(ActiveChunk { capacity, layout, schema_version, base, run_count: AtomicUsize::new(0), memory, extras });
        Self { chunk, rows: 0, memory: memory_writer, extras: writers.into_boxed_slice() }
    }

    /// The reading side.
    pub(super) fn chunk(&self) -> &Arc<ActiveChunk> {
        &self.chunk
    }

    /// Rows that are in.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// How many rows of the range fit: none if a column, a type or the sequence does not.
    pub(super) fn room(&self, rows: &mut Incoming<'_>, range: &Range<usize>, sequence: Sequence) -> usize {
        let chunk = &*self.chunk;
        if rows.batch.schema_version != chunk.schema_version || sequence - chunk.base > u64::from(u32::MAX) || rows.places(&chunk.layout).is_none() {
            return 0;
        }
        let mut room = range.len().min(chunk.capacity - self.rows);
        if chunk.layout.has_variable() {
            let places = rows.places(&chunk.layout).unwrap_or_default().to_vec();
            for (place, extra) in places.iter().zip(&self.extras) {
                if let (Some(at), Some(_)) = (place, &extra.bytes) {
                    room = room.min(extra.room(rows.columns[*at].cells, range));
                }
            }
        }
        room
    }

    /// Appends rows that [`room`](Self::room) said fit, as one run of the record `sequence`.
    pub(super) fn append(&mut self, rows: &mut Incoming<'_>, range: Range<usize>, sequence: Sequence) {
        self.append_ranges(rows, std::slice::from_ref(&range), sequence);
    }

    /// Whether all rows of the ranges fit.
    pub(super) fn has_room_for(&self, rows: &mut Incoming<'_>, ranges: &[Range<usize>], count: usize, sequence: Sequence) -> bool {
        let Some(first) = ranges.first() else { return true };
        if self.rows + count > self.chunk.capacity || self.room(rows, first, sequence) < first.len() {
            return false;
        }
        let fits = |(at, extra): (usize, &ExtraWriter)| {
            let Some(bytes) = &extra.bytes else { return true };
            let Some(place) = rows.places(&self.chunk.layout).and_then(|places| places[at]) else { return true };
            let size: usize = ranges.iter().map(|range| rows.columns[place].cells.variable_size(range)).sum();
            extra.end + size <= bytes.capacity().min(i32::MAX as usize)
        };
        !self.chunk.layout.has_variable() || self.extras.iter().enumerate().all(fits)
    }

    /// Appends the rows of ranges, which fit, one behind another, as one run of the record `sequence`.
    pub(super) fn append_ranges(&mut self, rows: &mut Incoming<'_>, ranges: &[Range<usize>], sequence: Sequence) {
        let chunk = self.chunk.clone();
        let (first, capacity) = (self.rows, chunk.capacity);
        let timestamps = rows.batch.timestamps.inner().as_slice();
        let start = chunk.layout.timestamps(capacity);
        let mut count = 0;
        for range in ranges {
            self.memory.write(start + (first + count) * 8, &timestamps[range.start * 8..range.end * 8]);
            count += range.len();
        }
        if rows.places(&chunk.layout).is_none() {
            debug_assert!(false, "rows that do not fit");
            return;
        }
        let (places, columns) = rows.matched();
        for (at, slot) in chunk.layout.slots.iter().enumerate() {
            match places.get(at).copied().flatten() {
                Some(place) => self.append_column(at, slot, &columns[place], ranges),
                None => self.append_absent(at, slot, count),
            }
        }
        self.rows += count;
        let run = chunk.run_count.load(Ordering::Relaxed);
        self.memory.write(run * RUN_BYTES, &((sequence - chunk.base) as u32).to_ne_bytes());
        self.memory.write(run * RUN_BYTES + 4, &(self.rows as u32).to_ne_bytes());
        chunk.run_count.store(run + 1, Ordering::Release);
    }

    fn append_column(&mut self, at: usize, slot: &Slot, column: &IncomingColumn<'_>, ranges: &[Range<usize>]) {
        let (first, start) = (self.rows, slot.offset(self.chunk.capacity));
        let mut row = first;
        match column.cells {
            Cells::Fixed(values, width) => {
                for range in ranges {
                    self.memory.write(start + row * width, &values[range.start * width..range.end * width]);
                    row += range.len();
                }
            }
            Cells::Bits(array) => {
                for value in ranges.iter().cloned().flatten().map(|row| array.value(row)) {
                    self.memory.write(start + row, &[u8::from(value)]);
                    row += 1;
                }
            }
            Cells::Variable(offsets, bytes) => {
                let ExtraWriter { bytes: Some(writer), end, .. } = &mut self.extras[at] else { return };
                for range in ranges {
                    let from = offsets[range.start] as usize;
                    writer.write(*end, &bytes[from..offsets[range.end] as usize]);
                    for offset in &offsets[range.start + 1..=range.end] {
                        let cell_end = *end + *offset as usize - from;
                        self.memory.write(start + (row + 1) * 4, &(cell_end as i32).to_ne_bytes());
                        row += 1;
                    }
                    *end += offsets[range.end] as usize - from;
                }
            }
        }
        if column.nulls.is_none() && column.present.is_none() {
            return;
        }
        for (to, from) in (first..).zip(ranges.iter().cloned().flatten()) {
            if column.present.is_some_and(|present| !present.value(from)) {
                self.mark(at, to, ABSENT);
            } else if column.nulls.is_some_and(|nulls| nulls.is_null(from)) {
                self.mark(at, to, NULL);
            }
        }
    }

    fn append_absent(&mut self, at: usize, slot: &Slot, rows: usize) {
        let start = slot.offset(self.chunk.capacity);
        for row in self.rows..self.rows + rows {
            if slot.layout == Layout::Variable {
                let end = self.extras[at].end as i32;
                self.memory.write(start + (row + 1) * 4, &end.to_ne_bytes());
            }
            self.mark(at, row, ABSENT);
        }
    }

    fn mark(&mut self, at: usize, row: usize, state: u8) {
        let chunk = &self.chunk;
        let writer = self.extras[at].states.get_or_insert_with(|| {
            let (states, writer) = AppendBytes::create(chunk.capacity);
            // The one writer sets it, once.
            let _ = chunk.extras[at].states.set(states);
            writer
        });
        writer.write(row, &[state]);
    }
}

impl ExtraWriter {
    /// How many rows of the range have room in `bytes`.
    fn room(&self, cells: Cells<'_>, range: &Range<usize>) -> usize {
        let (Some(bytes), Cells::Variable(offsets, _)) = (&self.bytes, cells) else { return range.len() };
        let free = (bytes.capacity() - self.end).min(i32::MAX as usize - self.end);
        let cells = &offsets[range.start..=range.end];
        if (cells[cells.len() - 1] - cells[0]) as usize <= free {
            return range.len();
        }
        cells.partition_point(|end| (end - cells[0]) as usize <= free) - 1
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

impl ActiveChunk {
    /// The columns held.
    pub(super) fn layout(&self) -> &Arc<ChunkLayout> {
        &self.layout
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
        let extra = |extra: &Extra| extra.bytes.as_deref().map_or(0, AppendBytes::capacity) + extra.states.get().map_or(0, |states| states.capacity());
        let extras: usize = self.extras.iter().map(extra).sum();
        self.memory.capacity() + extras + size_of::<Self>() + self.extras.len() * (size_of::<Extra>() + size_of::<ExtraWriter>()) + size_of::<ActiveWriter>()
    }

    /// A published run: (sequence - base, row end).
    fn run(&self, at: usize) -> (u32, u32) {
        let word = |from: usize| self.cell::<4>(from).map_or(0, u32::from_ne_bytes);
        (word(at * RUN_BYTES), word(at * RUN_BYTES + 4))
    }

    /// Some bytes of the memory, of a published run or row.
    fn cell<const WIDTH: usize>(&self, offset: usize) -> Option<[u8; WIDTH]> {
        // SAFETY: callers ask for what lies below an acquired count, written before it was published.
        unsafe { self.memory.slice(offset..offset + WIDTH) }.first_chunk().copied()
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
        self.schema_version == other.schema_version && Arc::ptr_eq(&self.layout, &other.layout)
    }

    /// Published rows of chunks that are alike, copied into a batch; at least one.
    pub(super) fn gather(uid: u64, rows: &[(&Self, usize)]) -> Result<ColumnBatch> {
        let first = rows[0].0;
        let timestamp = |(chunk, row): &(&Self, usize)| chunk.cell(chunk.layout.timestamps(chunk.capacity) + row * 8).map_or(0, i64::from_ne_bytes);
        let timestamps = rows.iter().map(timestamp).collect();
        let columns = (0..first.layout.columns().len()).map(|at| gather_column(at, rows)).collect::<Result<_>>()?;
        let key = first.layout.key().map(|at| Ok::<_, Error>(gather_column(at, rows)?.array)).transpose()?;
        Ok(ColumnBatch { uid, schema_version: first.schema_version, timestamps, key, columns })
    }

    /// The first `rows` timestamps (rows of a visible run).
    pub(super) fn timestamps(&self, rows: usize) -> ScalarBuffer<i64> {
        let start = self.layout.timestamps(self.capacity);
        // SAFETY: the caller's row count comes from an acquired run, whose rows were written before it was published.
        ScalarBuffer::from(unsafe { self.memory.view(start..start + rows * 8) })
    }

    /// The first `rows` composite keys.
    pub(super) fn keys(&self, rows: usize) -> Result<Option<ArrayRef>> {
        self.layout.key().map(|at| Ok(self.column(at, rows)?.array)).transpose()
    }

    /// The first `rows` cells of a column; `None` if the chunk does not hold it.
    pub(super) fn load(&self, id: ColumnId, rows: usize) -> Result<Option<BatchColumn>> {
        self.layout.columns().iter().position(|slot| slot.id == id).map(|at| self.column(at, rows)).transpose()
    }

    /// All visible rows of a range as a batch.
    pub(super) fn batch(&self, uid: u64, rows: Range<usize>) -> Result<ColumnBatch> {
        let columns = (0..self.layout.columns().len()).map(|at| self.column(at, rows.end)).collect::<Result<Vec<_>>>()?;
        let whole = ColumnBatch { uid, schema_version: self.schema_version, timestamps: self.timestamps(rows.end), key: self.keys(rows.end)?, columns };
        Ok(crate::resolve::slice(&whole, rows))
    }

    fn column(&self, at: usize, rows: usize) -> Result<BatchColumn> {
        let (slot, extra) = (&self.layout.slots[at], &self.extras[at]);
        let (nulls, present) = match extra.states.get() {
            None => (None, None),
            Some(states) => {
                // SAFETY: states of these rows were written before the run that covers them was published.
                let states = unsafe { states.view(0..rows) };
                let any = |state| states.as_slice().contains(&state);
                let valid = any(NULL) || any(ABSENT);
                (
                    valid.then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| states[row] == VALUE))),
                    any(ABSENT).then(|| BooleanBuffer::collect_bool(rows, |row| states[row] != ABSENT)),
                )
            }
        };
        // SAFETY: values and offsets of these rows were written before the run that covers them was published.
        let values = unsafe { self.memory.view(slot.values(self.capacity, rows)) };
        let array: ArrayRef = match slot.layout {
            Layout::Bits => Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| values[row] != 0), nulls)),
            Layout::Fixed(_) => fixed_array(&slot.data_type, values, nulls)?,
            Layout::Variable => {
                let end = values.typed_data::<i32>()[rows] as usize;
                let bytes = match &extra.bytes {
                    // SAFETY: bytes below the last published offset were written before it.
                    Some(bytes) => unsafe { bytes.view(0..end) },
                    None => Buffer::from(Vec::<u8>::new()),
                };
                variable_array(&slot.data_type, rows, values, bytes, nulls)
            }
        };
        Ok(BatchColumn { id: slot.id, array, present })
    }

    /// State of a published cell.
    fn state(&self, at: usize, row: usize) -> u8 {
        // SAFETY: the row is published.
        let state = self.extras[at].states.get().map(|states| unsafe { states.slice(row..row + 1) });
        state.and_then(|state| state.first().copied()).unwrap_or(VALUE)
    }
}

/// One column of published rows of chunks that are alike.
fn gather_column(at: usize, cells: &[(&ActiveChunk, usize)]) -> Result<BatchColumn> {
    let (slot, rows) = (&cells[0].0.layout.slots[at], cells.len());
    let (mut nulls, mut present) = (None, None);
    if cells.iter().any(|(chunk, _)| chunk.extras[at].states.get().is_some()) {
        let states: Vec<u8> = cells.iter().map(|(chunk, row)| chunk.state(at, *row)).collect();
        nulls = states.iter().any(|state| *state != VALUE).then(|| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| states[row] == VALUE)));
        present = states.contains(&ABSENT).then(|| BooleanBuffer::collect_bool(rows, |row| states[row] != ABSENT));
    }
    let array: ArrayRef = match slot.layout {
        Layout::Bits => {
            let set = |row: usize| {
                let (chunk, row) = cells[row];
                chunk.cell::<1>(slot.offset(chunk.capacity) + row) == Some([1])
            };
            Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, set), nulls))
        }
        Layout::Fixed(width) => {
            let mut values = MutableBuffer::with_capacity(rows * width);
            for (chunk, row) in cells {
                let start = slot.offset(chunk.capacity) + row * width;
                // SAFETY: the rows are published.
                values.extend_from_slice(unsafe { chunk.memory.slice(start..start + width) });
            }
            fixed_array(&slot.data_type, values.into(), nulls)?
        }
        Layout::Variable => {
            let (mut offsets, mut values) = (vec![0i32], Vec::new());
            for (chunk, row) in cells {
                let end = |row: usize| chunk.cell(slot.offset(chunk.capacity) + row * 4).map_or(0, i32::from_ne_bytes) as usize;
                if let Some(bytes) = &chunk.extras[at].bytes {
                    // SAFETY: bytes below a published row's offset are published.
                    values.extend_from_slice(unsafe { bytes.slice(end(*row)..end(row + 1)) });
                }
                let end = i32::try_from(values.len()).map_err(|_| Error::internal("a table's text exceeds 2 GiB"))?;
                offsets.push(end);
            }
            variable_array(&slot.data_type, rows, Buffer::from_vec(offsets), Buffer::from_vec(values), nulls)
        }
    };
    Ok(BatchColumn { id: slot.id, array, present })
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
