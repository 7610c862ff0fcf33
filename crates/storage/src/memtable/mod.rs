//! Rows of one shard that are not in a file yet. Each table's rows are a list of chunks: in-order rows in the main ones, late and
//! equal-key rows in the tail ones, newest last; tables with few rows share arena chunks. One writer at a time; readers never wait
//! for it. Logging, ordering between shards and files are the store's.

mod active;
mod append_bytes;
mod chunk_layout;
mod chunk_list;
mod incoming;
mod source;
#[cfg(test)]
mod tests;

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType as ArrowType;
use embudo_types::Result;
use rustc_hash::{FxBuildHasher, FxHashMap};

use active::{ActiveChunk, ActiveWriter, CHUNK_ROWS};
use append_bytes::{AppendBytes, Writer};
use chunk_layout::{ChunkLayout, Layouts};
use chunk_list::ChunkList;
use incoming::Incoming;
use source::{MemorySource, SealedChunk};

use crate::budget::MemoryBudget;
use crate::cells::KeyValue;
use crate::resolve::{gather, normalize, resolve, slice};
use crate::rows::{BatchColumn, ColumnBatch, ColumnId, Sequence, SequenceRange, TablesBatch, Uid};
use crate::source::{Source, SourceRef, Tombstone};
use crate::store::shard_of;

/// A table's rows share arena chunks until it has more than this.
const ARENA_ROWS: usize = 64;
/// Rows of a table's first own chunk; each next one has twice as many.
const FIRST_ROWS: usize = 64;
/// A batch with this many rows becomes a chunk as it is.
const BULK_ROWS: usize = 512;
/// The table map's parts, so that growing one of them is short.
const PARTITIONS: usize = 64;

/// Unflushed rows of one shard.
pub(crate) struct MemoryTable {
    partitions: Box<[Partition]>,
    layouts: Layouts,
    arena: ChunkList<ArenaChunk>,
    arena_writers: Mutex<Vec<ArenaWriter>>,
    tombstones: RwLock<FxHashMap<Uid, Vec<Tombstone>>>,
    bytes: AtomicU64,
    budget: Arc<MemoryBudget>,
    rows: AtomicU64,
    tables: AtomicU64,
    first: AtomicU64,
    last: AtomicU64,
    /// Greatest timestamp of any table, known before the row is.
    newest: AtomicI64,
}

/// A part of the table map.
type Partition = RwLock<FxHashMap<Uid, Arc<Child>>>;

/// One table's rows.
struct Child {
    /// Newest arena row plus one; each arena row links to the one before.
    head: AtomicU32,
    /// Rows in arena chunks; counted by the writer.
    arena_rows: AtomicU32,
    /// Greatest timestamp so far, known before the row is.
    newest: AtomicI64,
    chunks: OnceLock<Box<ChunkList<Listed>>>,
    writer: Mutex<ChildWriter>,
}

#[derive(Default)]
struct ChildWriter {
    /// Greatest key so far.
    last: Option<(i64, Option<KeyValue>)>,
    main: Option<Box<ActiveWriter>>,
    tail: Option<Box<ActiveWriter>>,
}

struct Listed {
    is_tail: bool,
    chunk: MemoryChunk,
}

enum MemoryChunk {
    Active { chunk: Arc<ActiveChunk>, sorted: OnceLock<Arc<SealedChunk>> },
    Sealed(Arc<SealedChunk>),
}

/// Rows of many tables; `links` holds for each row the table's row before, plus one.
struct ArenaChunk {
    chunk: Arc<ActiveChunk>,
    links: Arc<AppendBytes>,
}

struct ArenaWriter {
    place: usize,
    rows: ActiveWriter,
    links: Writer,
}

/// Rows of a table that go to arena chunks.
struct ArenaRows {
    child: Arc<Child>,
    rows: Range<usize>,
}

impl MemoryTable {
    /// Nothing yet; what comes in counts in a budget until the table is gone.
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> Self {
        Self {
            partitions: (0..PARTITIONS).map(|_| RwLock::default()).collect(),
            layouts: Layouts::default(),
            arena: ChunkList::new(),
            arena_writers: Mutex::default(),
            tombstones: RwLock::default(),
            bytes: AtomicU64::new(0),
            budget: budget.clone(),
            rows: AtomicU64::new(0),
            tables: AtomicU64::new(0),
            first: AtomicU64::new(0),
            last: AtomicU64::new(0),
            newest: AtomicI64::new(i64::MIN),
        }
    }

    /// A time that no row of any table is after; `None` where there is none.
    pub(crate) fn newest(&self) -> Option<i64> {
        Some(self.newest.load(Ordering::Acquire)).filter(|newest| *newest > i64::MIN)
    }

    fn grow(&self, bytes: u64) {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.budget.add(bytes);
    }

    /// Bytes taken, the index counted.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Rows, before merging.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Tables with rows.
    pub(crate) fn tables(&self) -> u64 {
        self.tables.load(Ordering::Relaxed)
    }

    /// Sequences of what is in; `None` when nothing is.
    pub(crate) fn sequences(&self) -> Option<SequenceRange> {
        let (min, max) = (self.first.load(Ordering::Acquire), self.last.load(Ordering::Acquire));
        (max > 0).then_some(SequenceRange { min, max })
    }

    fn partition(&self, uid: Uid) -> &Partition {
        let mut hasher = FxBuildHasher.build_hasher();
        hasher.write_u64(uid);
        // Not the bits that the map itself takes.
        &self.partitions[(hasher.finish() >> 40) as usize % PARTITIONS]
    }

    fn child(&self, uid: Uid) -> Option<Arc<Child>> {
        self.partition(uid).read().unwrap_or_else(PoisonError::into_inner).get(&uid).cloned()
    }

    /// Tables with rows, ascending.
    pub(crate) fn uids(&self) -> Vec<Uid> {
        let mut uids: Vec<Uid> = Vec::new();
        for partition in &self.partitions {
            uids.extend(partition.read().unwrap_or_else(PoisonError::into_inner).keys());
        }
        uids.sort_unstable();
        uids
    }

    fn touch(&self, sequence: Sequence) {
        if self.first.load(Ordering::Relaxed) == 0 {
            self.first.store(sequence, Ordering::Relaxed);
        }
        self.last.store(sequence, Ordering::Release);
    }

    /// Adds a deletion. The caller is the shard's one writer.
    pub(crate) fn delete(&self, tombstone: Tombstone) {
        self.tombstones.write().unwrap_or_else(PoisonError::into_inner).entry(tombstone.uid).or_default().push(tombstone);
        self.grow(2 * size_of::<Tombstone>() as u64);
        self.touch(tombstone.sequence);
    }

    /// Whether there may be rows of a table at or after a time, or deletions of any.
    pub(crate) fn reaches(&self, uid: Uid, timestamp: i64) -> bool {
        self.child(uid).is_some_and(|child| child.newest.load(Ordering::Acquire) >= timestamp)
            || self.tombstones.read().unwrap_or_else(PoisonError::into_inner).contains_key(&uid)
    }

    /// Deletions of a table up to a sequence.
    pub(crate) fn tombstones(&self, uid: Uid, visible: Sequence) -> Vec<Tombstone> {
        let tombstones = self.tombstones.read().unwrap_or_else(PoisonError::into_inner);
        tombstones.get(&uid).into_iter().flatten().filter(|tombstone| tombstone.sequence <= visible).copied().collect()
    }

    /// All deletions, by table and sequence.
    pub(crate) fn all_tombstones(&self) -> Vec<Tombstone> {
        let mut all: Vec<Tombstone> = self.tombstones.read().unwrap_or_else(PoisonError::into_inner).values().flatten().copied().collect();
        all.sort_unstable_by_key(|tombstone| (tombstone.uid, tombstone.sequence));
        all
    }

    /// Adds rows whose keys ascend (see `resolve::normalize`). The caller is the shard's one writer; sequences never go back.
    pub(crate) fn append(&self, batch: &ColumnBatch, sequence: Sequence) -> Result<()> {
        let Some(newest) = batch.timestamps.last() else { return Ok(()) };
        self.newest.fetch_max(*newest, Ordering::AcqRel);
        let (mut incoming, mut arena) = (Incoming::new(batch), Vec::new());
        self.append_run(batch.uid, &mut incoming, 0..batch.rows(), sequence, &mut arena)?;
        self.append_to_arena(&mut incoming, &arena, sequence);
        self.touch(sequence);
        Ok(())
    }

    /// Adds the rows of those tables that belong to `shard` among `shards`; each run's keys ascend.
    pub(crate) fn append_tables(&self, batch: &TablesBatch, sequence: Sequence, shard: usize, shards: usize) -> Result<()> {
        self.newest.fetch_max(batch.rows.timestamps.iter().copied().max().unwrap_or(i64::MIN), Ordering::AcqRel);
        let (mut incoming, mut arena) = (Incoming::new(&batch.rows), Vec::new());
        let mut start = 0;
        for run in &batch.runs {
            let rows = start..start + run.rows as usize;
            start = rows.end;
            if shard_of(run.uid, shards) == shard {
                self.append_run(run.uid, &mut incoming, rows, sequence, &mut arena)?;
            }
        }
        self.append_to_arena(&mut incoming, &arena, sequence);
        self.touch(sequence);
        Ok(())
    }

    /// Adds rows of one table, or lists those that are for the arena.
    fn append_run(&self, uid: Uid, incoming: &mut Incoming<'_>, rows: Range<usize>, sequence: Sequence, arena: &mut Vec<ArenaRows>) -> Result<()> {
        let child = self.child_to_write(uid);
        let batch = incoming.batch;
        let mut writer = child.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let late = writer.late_rows(batch, &rows);
        if late < rows.len() {
            child.newest.store(batch.timestamps[rows.end - 1], Ordering::Release);
            writer.last = Some((batch.timestamps[rows.end - 1], batch.key.as_ref().and_then(|key| KeyValue::at(&**key, rows.end - 1))));
        }
        self.rows.fetch_add(rows.len() as u64, Ordering::Relaxed);
        let in_arena = child.arena_rows.load(Ordering::Relaxed) as usize;
        if child.chunks.get().is_none() && in_arena + rows.len() <= ARENA_ROWS {
            child.arena_rows.store((in_arena + rows.len()) as u32, Ordering::Relaxed);
            drop(writer);
            arena.push(ArenaRows { child, rows });
            return Ok(());
        }
        let list = child.chunks.get_or_init(|| {
            self.grow(size_of::<ChunkList<Listed>>() as u64);
            Box::new(ChunkList::new())
        });
        let (tail, main) = (rows.start..rows.start + late, rows.start + late..rows.end);
        self.append_chunks((uid, list), &mut writer.tail, true, incoming, tail, sequence)?;
        self.append_chunks((uid, list), &mut writer.main, false, incoming, main, sequence)
    }

    fn child_to_write(&self, uid: Uid) -> Arc<Child> {
        if let Some(child) = self.child(uid) {
            return child;
        }
        let child = Arc::new(Child {
            head: AtomicU32::new(0),
            arena_rows: AtomicU32::new(0),
            newest: AtomicI64::new(i64::MIN),
            chunks: OnceLock::new(),
            writer: Mutex::default(),
        });
        self.grow((size_of::<Child>() + 16 + 2 * size_of::<(Uid, Arc<Child>)>()) as u64);
        self.tables.fetch_add(1, Ordering::Relaxed);
        self.partition(uid).write().unwrap_or_else(PoisonError::into_inner).insert(uid, child.clone());
        child
    }

    /// Adds rows of several tables to arena chunks: as many at once as a chunk has room for.
    fn append_to_arena(&self, incoming: &mut Incoming<'_>, mut arena: &[ArenaRows], sequence: Sequence) {
        let mut writers = self.arena_writers.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ranges: Vec<Range<usize>> = Vec::with_capacity(arena.len());
        while let Some(first) = arena.first() {
            let (at, room) = self.arena_writer(&mut writers, incoming, &first.rows, sequence);
            let writer = &mut writers[at];
            let free = writer.rows.chunk().capacity() - writer.rows.rows();
            ranges.clear();
            let mut count = 0;
            for next in arena.iter().take_while(|next| {
                count += next.rows.len();
                count <= free
            }) {
                ranges.push(next.rows.clone());
            }
            let count = ranges.iter().map(ExactSizeIterator::len).sum();
            if ranges.is_empty() || !writer.rows.has_room_for(incoming, &ranges, count, sequence) {
                self.append_piecewise(&mut writers, incoming, first, (at, room), sequence);
                arena = &arena[1..];
                continue;
            }
            let mut row = writer.rows.rows();
            for next in &arena[..ranges.len()] {
                link_rows(writer, &next.child, &mut row, next.rows.len());
            }
            writer.rows.append_ranges(incoming, &ranges, sequence);
            arena = &arena[ranges.len()..];
        }
    }

    /// Adds rows of one table over several arena chunks; `writer` takes the first so many.
    fn append_piecewise(&self, writers: &mut Vec<ArenaWriter>, incoming: &mut Incoming<'_>, next: &ArenaRows, mut writer: (usize, usize), sequence: Sequence) {
        let mut rows = next.rows.clone();
        while !rows.is_empty() {
            let (at, room) = writer;
            let place = &mut writers[at];
            let mut row = place.rows.rows();
            link_rows(place, &next.child, &mut row, room);
            place.rows.append(incoming, rows.start..rows.start + room, sequence);
            rows.start += room;
            if !rows.is_empty() {
                writer = self.arena_writer(writers, incoming, &rows, sequence);
            }
        }
    }

    /// An arena chunk that takes the first rows, and how many.
    fn arena_writer(&self, writers: &mut Vec<ArenaWriter>, incoming: &mut Incoming<'_>, rows: &Range<usize>, sequence: Sequence) -> (usize, usize) {
        let layout = self.layout_of(None, incoming);
        let version = incoming.batch.schema_version;
        let same = |writer: &ArenaWriter| Arc::ptr_eq(writer.rows.chunk().layout(), &layout) && writer.rows.chunk().schema_version() == version;
        let found = writers.iter().position(same);
        if let Some(at) = found {
            let room = writers[at].rows.room(incoming, rows, sequence);
            if room > 0 {
                return (at, room);
            }
        }
        let capacity = found.map_or(FIRST_ROWS, |at| (writers[at].rows.chunk().capacity() * 4).min(CHUNK_ROWS));
        let (links, links_writer) = AppendBytes::create(capacity * 4);
        let active = ActiveWriter::create(capacity, layout, incoming, rows, sequence);
        self.grow((active.chunk().memory() + links.capacity()) as u64);
        let place = self.arena.push(ArenaChunk { chunk: active.chunk().clone(), links });
        let writer = ArenaWriter { place, rows: active, links: links_writer };
        let room = writer.rows.room(incoming, rows, sequence).max(1);
        let at = found.unwrap_or(writers.len());
        if found.is_some() {
            writers[at] = writer;
        } else {
            writers.push(writer);
        }
        (at, room)
    }

    /// The layout of a chunk for the rows: the columns of the table's last chunk, those of the rows added or taken as they are now.
    fn layout_of(&self, last: Option<&ChunkLayout>, incoming: &Incoming<'_>) -> Arc<ChunkLayout> {
        let mut columns: Vec<(ColumnId, ArrowType)> =
            last.map_or_else(Vec::new, |layout| layout.columns().iter().map(|slot| (slot.id, slot.data_type.clone())).collect());
        for column in &incoming.batch.columns {
            match columns.iter_mut().find(|(id, _)| *id == column.id) {
                Some((_, data_type)) => *data_type = column.array.data_type().clone(),
                None => columns.push((column.id, column.array.data_type().clone())),
            }
        }
        self.layouts.get(ChunkLayout::new(columns.into_iter(), incoming.batch.key.as_ref().map(Array::data_type)))
    }

    fn append_chunks(
        &self,
        (uid, list): (Uid, &ChunkList<Listed>),
        slot: &mut Option<Box<ActiveWriter>>,
        is_tail: bool,
        incoming: &mut Incoming<'_>,
        mut rows: Range<usize>,
        sequence: Sequence,
    ) -> Result<()> {
        if rows.len() >= BULK_ROWS {
            // What is written next must be listed after these rows.
            *slot = None;
            let batch = compact(ColumnBatch { uid, ..slice(incoming.batch, rows) })?;
            let sequences = SequenceRange { min: sequence, max: sequence };
            for start in (0..batch.rows()).step_by(CHUNK_ROWS) {
                let part = slice(&batch, start..batch.rows().min(start + CHUNK_ROWS));
                self.grow(batch_bytes(&part));
                list.push(Listed { is_tail, chunk: MemoryChunk::Sealed(SealedChunk::new(part, sequences)) });
            }
            return Ok(());
        }
        while !rows.is_empty() {
            let room = slot.as_ref().map_or(0, |writer| writer.room(incoming, &rows, sequence));
            if let (Some(writer), true) = (slot.as_mut(), room > 0) {
                writer.append(incoming, rows.start..rows.start + room, sequence);
                rows.start += room;
                continue;
            }
            let capacity = slot.as_ref().map_or(FIRST_ROWS, |writer| {
                let chunk = writer.chunk();
                if writer.rows() == chunk.capacity() { (chunk.capacity() * 2).min(CHUNK_ROWS) } else { chunk.capacity() }
            });
            let layout = self.layout_of(slot.as_ref().map(|writer| &**writer.chunk().layout()), incoming);
            let writer = ActiveWriter::create(capacity.max(FIRST_ROWS), layout, incoming, &rows, sequence);
            self.grow(writer.chunk().memory() as u64);
            list.push(Listed { is_tail, chunk: MemoryChunk::Active { chunk: writer.chunk().clone(), sorted: OnceLock::new() } });
            *slot = Some(Box::new(writer));
        }
        Ok(())
    }

    /// A table's visible rows, oldest source first. `tombstones` are all of the table's that are visible: no source given has
    /// sequences on both sides of one.
    pub(crate) fn sources(&self, uid: Uid, visible: Sequence, tombstones: &[Tombstone]) -> Result<Vec<SourceRef>> {
        Ok(self.memory_sources(uid, visible, tombstones)?.into_iter().map(|source| Arc::new(source) as SourceRef).collect())
    }

    /// The same as whole batches, for a flush.
    pub(crate) fn batches(&self, uid: Uid, tombstones: &[Tombstone]) -> Result<Vec<(ColumnBatch, SequenceRange)>> {
        self.memory_sources(uid, Sequence::MAX - 1, tombstones)?.iter().map(|source| Ok((source.batch(uid)?, source.sequences()))).collect()
    }

    fn memory_sources(&self, uid: Uid, visible: Sequence, tombstones: &[Tombstone]) -> Result<Vec<MemorySource>> {
        let mut sources: Vec<MemorySource> = Vec::new();
        let Some(child) = self.child(uid) else { return Ok(sources) };
        self.arena_sources(uid, &child, visible, tombstones, &mut sources)?;
        let Some(list) = child.chunks.get() else { return Ok(sources) };
        let mut tails: Vec<MemorySource> = Vec::new();
        for listed in list.iter() {
            let output = if listed.is_tail { &mut tails } else { &mut sources };
            match &listed.chunk {
                MemoryChunk::Sealed(chunk) if chunk.sequences.max <= visible => output.push(MemorySource::sealed(chunk.clone())),
                MemoryChunk::Sealed(_) => {}
                MemoryChunk::Active { chunk, sorted } => {
                    for (rows, sequences) in segments(chunk, visible, tombstones) {
                        let whole = rows.len() == chunk.capacity();
                        if !listed.is_tail && !whole {
                            output.push(MemorySource::active(chunk, rows, sequences));
                            continue;
                        }
                        // A full chunk changes no more: sorted once, and its statistics are kept.
                        let seal = || {
                            let batch = chunk.batch(uid, rows.clone())?;
                            Ok(SealedChunk::new(if listed.is_tail { normalize(batch)? } else { batch }, sequences))
                        };
                        let sealed = match (whole, sorted.get()) {
                            (true, Some(known)) => known.clone(),
                            (true, None) => {
                                let made = seal()?;
                                sorted.get_or_init(|| made).clone()
                            }
                            (false, _) => seal()?,
                        };
                        output.push(MemorySource::sealed(sealed));
                    }
                }
            }
        }
        sources.append(&mut tails);
        Ok(sources)
    }

    fn arena_sources(&self, uid: Uid, child: &Child, visible: Sequence, tombstones: &[Tombstone], sources: &mut Vec<MemorySource>) -> Result<()> {
        // Oldest first.
        let mut rows: Vec<(&ActiveChunk, usize, Sequence)> = Vec::new();
        let mut link = child.head.load(Ordering::Acquire);
        while link > 0 {
            let (place, row) = ((link - 1) as usize / CHUNK_ROWS, (link - 1) as usize % CHUNK_ROWS);
            let Some(arena) = self.arena.get(place) else { break };
            let sequence = arena.chunk.sequence_of(row);
            if sequence <= visible {
                rows.push((&arena.chunk, row, sequence));
            }
            link = arena.link(row);
        }
        rows.reverse();
        let boundaries = boundaries(tombstones);
        for part in rows.chunk_by(|left, right| side(&boundaries, left.2) == side(&boundaries, right.2)) {
            let sequences = SequenceRange { min: part[0].2, max: part[part.len() - 1].2 };
            let mut batches = Vec::new();
            for rows in part.chunk_by(|left, right| left.0.is_like(right.0)) {
                let rows: Vec<(&ActiveChunk, usize)> = rows.iter().map(|(chunk, row, _)| (*chunk, *row)).collect();
                batches.push(ActiveChunk::gather(uid, &rows)?);
            }
            let batch = match batches.len() {
                1 => normalize(batches.swap_remove(0))?,
                _ => resolve(&batches)?,
            };
            sources.push(MemorySource::sealed(SealedChunk::new(batch, sequences)));
        }
        Ok(())
    }
}

impl Drop for MemoryTable {
    fn drop(&mut self) {
        self.budget.remove(self.bytes());
    }
}

impl ArenaChunk {
    fn link(&self, row: usize) -> u32 {
        // SAFETY: a row's link is written before the head that leads to it is published, and the caller came here over such a head.
        let link = unsafe { self.links.slice(row * 4..row * 4 + 4) };
        link.first_chunk().map_or(0, |link| u32::from_ne_bytes(*link))
    }
}

impl ChildWriter {
    /// How many of the first rows are not above every key so far.
    fn late_rows(&self, batch: &ColumnBatch, rows: &Range<usize>) -> usize {
        let Some((timestamp, key)) = &self.last else { return 0 };
        let timestamps = &batch.timestamps[rows.clone()];
        if timestamps[0] > *timestamp {
            return 0;
        }
        let below = timestamps.partition_point(|row| row < timestamp);
        let upto = timestamps.partition_point(|row| row <= timestamp);
        match (&batch.key, key) {
            (Some(keys), Some(key)) => (below..upto).find(|row| KeyValue::at(&**keys, rows.start + row).as_ref() > Some(key)).unwrap_or(upto),
            _ => upto,
        }
    }
}

/// Links the next rows of an arena chunk, from `row` on, to a table's rows before them. Readers may come to a row before it is there, and
/// on to those before: no run covers it yet, so that it belongs to no record that they see.
fn link_rows(writer: &mut ArenaWriter, child: &Child, row: &mut usize, count: usize) {
    let mut head = child.head.load(Ordering::Relaxed);
    for _ in 0..count {
        writer.links.write(*row * 4, &head.to_ne_bytes());
        head = (writer.place * CHUNK_ROWS + *row) as u32 + 1;
        *row += 1;
    }
    child.head.store(head, Ordering::Release);
}

/// Sequences at which sources are split, ascending.
fn boundaries(tombstones: &[Tombstone]) -> Vec<Sequence> {
    let mut boundaries: Vec<Sequence> = tombstones.iter().map(|tombstone| tombstone.sequence).collect();
    boundaries.sort_unstable();
    boundaries
}

/// Between which boundaries a sequence lies.
fn side(boundaries: &[Sequence], sequence: Sequence) -> usize {
    boundaries.partition_point(|boundary| *boundary <= sequence)
}

/// A growing chunk's visible rows, split where a tombstone lies between their sequences.
fn segments(chunk: &ActiveChunk, visible: Sequence, tombstones: &[Tombstone]) -> Vec<(Range<usize>, SequenceRange)> {
    let mut ends: Vec<usize> = boundaries(tombstones).iter().map(|boundary| chunk.visible_rows(boundary - 1)).collect();
    ends.push(chunk.visible_rows(visible));
    let mut start = 0;
    let mut segments = Vec::new();
    for end in ends {
        if end > start {
            segments.push((start..end, SequenceRange { min: chunk.sequence_of(start), max: chunk.sequence_of(end - 1) }));
            start = end;
        }
    }
    segments
}

/// Bytes that a batch's cells take.
fn batch_bytes(batch: &ColumnBatch) -> u64 {
    let cells = |array: &dyn Array| crate::cells::cell_bytes(array, 0..array.len());
    let columns: usize = batch.columns.iter().map(|column| cells(&*column.array) + size_of::<BatchColumn>() + 96).sum();
    (columns + batch.key.as_ref().map_or(0, |key| cells(&**key)) + batch.rows() * 8 + size_of::<SealedChunk>()) as u64
}

/// The batch, copied where its arrays hold much more memory than its rows need (a slice of something large).
fn compact(batch: ColumnBatch) -> Result<ColumnBatch> {
    let rows = batch.rows();
    let fit = |array: ArrayRef| {
        let needed = crate::cells::cell_bytes(&*array, 0..rows) + rows / 8 + 64;
        if array.get_buffer_memory_size() <= 2 * needed { Ok(array) } else { gather(&[&array], (0..rows as u32).map(|row| Some((0, row)))) }
    };
    let timestamps = if batch.timestamps.inner().capacity() <= 16 * rows + 64 { batch.timestamps } else { batch.timestamps.iter().copied().collect() };
    let columns = batch.columns.into_iter().map(|column| Ok(BatchColumn { array: fit(column.array)?, ..column })).collect::<Result<_>>()?;
    Ok(ColumnBatch { timestamps, key: batch.key.map(fit).transpose()?, columns, ..batch })
}
