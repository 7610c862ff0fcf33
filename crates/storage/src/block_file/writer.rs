//! Writes a block file, front to back. What is held in memory is the open block, an index page and the root's list of pages.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, make_array, new_null_array};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, ScalarBuffer};
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType as ArrowType;
use embudo_codec::{PhysicalType, checksum, encode, encode_small};
use embudo_types::{ColumnStatistics, Error, Precision, Result};

use super::{
    BLOCK_BYTES, BLOCK_ROWS, BlockFileSummary, KEY_COLUMN, STATISTICS_ROWS,
    index_page::{ChunkPlace, Entry, IndexPageBuilder, StatisticsPlace},
    layout::{Extent, PagePlace, header, trailer, write_root},
    statistics::{StatisticsSection, statistics_of},
};
use crate::cells::{cell_bytes, compare_rows};
use crate::resolve::slice;
use crate::rows::{ColumnBatch, ColumnId, SequenceRange, TIMESTAMP_COLUMN, TimeRange, Uid};
use crate::vfs::{OpenMode, Vfs, VfsFile};

/// Bytes that are gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;

/// A block file being written. Nothing is readable before [`finish`](Self::finish); an unfinished file is refused when it is opened.
#[derive(Debug)]
pub struct BlockFileWriter {
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    buffer: Vec<u8>,
    /// Bytes of the file before those in `buffer`.
    written: u64,
    block: OpenBlock,
    page: IndexPageBuilder,
    /// By column and type: statistics of the page's blocks so far, shorter where the last blocks have none.
    statistics: BTreeMap<(ColumnId, u8), Vec<Option<ColumnStatistics>>>,
    pages: Vec<PagePlace>,
    last: Option<LastKey>,
    /// Whether chunks are made small rather than fast.
    is_packed: bool,
}

/// The last row that was taken.
#[derive(Debug)]
struct LastKey {
    uid: Uid,
    timestamp: i64,
    key: Option<ArrayRef>,
}

/// The rows of the block that is not closed yet.
#[derive(Debug, Default)]
struct OpenBlock {
    parts: Vec<ColumnBatch>,
    entries: Vec<Entry>,
    rows: usize,
    bytes: usize,
    types: BTreeMap<ColumnId, ArrowType>,
}

impl OpenBlock {
    /// Whether rows of `batch` may lie in the same block as those that are there.
    fn accepts(&self, batch: &ColumnBatch) -> bool {
        let (Some(first), Some(last)) = (self.parts.first(), self.entries.last()) else { return true };
        let large = last.rows >= STATISTICS_ROWS || batch.rows() >= STATISTICS_ROWS;
        self.rows < BLOCK_ROWS
            && self.bytes < BLOCK_BYTES
            && !(last.uid != batch.uid && large)
            && first.schema_version == batch.schema_version
            && first.key.as_ref().map(Array::data_type) == batch.key.as_ref().map(Array::data_type)
            && batch.columns.iter().all(|column| self.types.get(&column.id).is_none_or(|known| known == column.array.data_type()))
    }

    fn push(&mut self, part: ColumnBatch, bytes: usize, sequences: SequenceRange) {
        let (rows, range) = (part.rows(), TimeRange::new(part.timestamps[0], part.timestamps[part.rows() - 1]));
        match self.entries.last_mut() {
            Some(entry) if entry.uid == part.uid => {
                entry.rows += rows;
                entry.range.end = range.end;
                entry.sequences = SequenceRange { min: entry.sequences.min.min(sequences.min), max: entry.sequences.max.max(sequences.max) };
            }
            _ => self.entries.push(Entry { uid: part.uid, block: 0, first_row: self.rows, rows, range, sequences }),
        }
        for column in &part.columns {
            self.types.entry(column.id).or_insert_with(|| column.array.data_type().clone());
        }
        self.rows += rows;
        self.bytes += bytes;
        self.parts.push(part);
    }

    fn timestamps(&self) -> ScalarBuffer<i64> {
        match &self.parts[..] {
            [part] => part.timestamps.clone(),
            parts => parts.iter().flat_map(|part| part.timestamps.iter().copied()).collect(),
        }
    }

    fn key(&self) -> Result<Option<ArrayRef>> {
        let keys: Vec<&ArrayRef> = self.parts.iter().filter_map(|part| part.key.as_ref()).collect();
        (!keys.is_empty()).then(|| concat(&keys)).transpose()
    }

    /// A column's cells in all rows: absent where a part does not have the column.
    fn column(&self, id: ColumnId, data_type: &ArrowType) -> Result<(ArrayRef, Option<BooleanBuffer>)> {
        let parts: Vec<_> = self.parts.iter().map(|part| (part.rows(), part.columns.iter().find(|column| column.id == id))).collect();
        if let [(_, Some(column))] = &parts[..] {
            return Ok((column.array.clone(), column.present.clone()));
        }
        let arrays: Vec<ArrayRef> =
            parts.iter().map(|(rows, column)| column.map_or_else(|| new_null_array(data_type, *rows), |column| column.array.clone())).collect();
        let all_present = parts.iter().all(|(_, column)| column.is_some_and(|column| column.present.is_none()));
        let present = (!all_present).then(|| {
            let mut bits = BooleanBufferBuilder::new(self.rows);
            for (rows, column) in &parts {
                match column.map(|column| &column.present) {
                    None => bits.append_n(*rows, false),
                    Some(None) => bits.append_n(*rows, true),
                    Some(Some(present)) => bits.append_buffer(present),
                }
            }
            bits.finish()
        });
        Ok((concat(&arrays.iter().collect::<Vec<_>>())?, present))
    }
}

/// Arrays of one type one behind another; there is at least one.
fn concat(arrays: &[&ArrayRef]) -> Result<ArrayRef> {
    if let [array] = arrays {
        return Ok(ArrayRef::clone(array));
    }
    let data: Vec<_> = arrays.iter().map(Array::to_data).collect();
    let mut all = MutableArrayData::new(data.iter().collect(), false, data.iter().map(arrow_data::ArrayData::len).sum());
    for (place, array) in data.iter().enumerate() {
        all.try_extend(place, 0, array.len()).map_err(|error| Error::internal("a block too large for its arrays").caused_by(error))?;
    }
    Ok(make_array(all.freeze()))
}

/// Raw bytes of the cells of a batch.
fn raw_bytes(batch: &ColumnBatch) -> usize {
    let rows = batch.rows();
    let cells = |array: &ArrayRef| cell_bytes(array, 0..rows);
    rows * 8 + batch.key.as_ref().map_or(0, cells) + batch.columns.iter().map(|column| cells(&column.array)).sum::<usize>()
}

impl BlockFileWriter {
    /// Starts a file; one that is there is an error.
    pub fn create(vfs: &dyn Vfs, path: &Path, precision: Precision) -> Result<Self> {
        Self::start(vfs, path, precision, false)
    }

    /// Starts a file whose chunks are made small, which takes several times as long: for rewrites.
    pub fn create_packed(vfs: &dyn Vfs, path: &Path, precision: Precision) -> Result<Self> {
        Self::start(vfs, path, precision, true)
    }

    fn start(vfs: &dyn Vfs, path: &Path, precision: Precision, is_packed: bool) -> Result<Self> {
        let file = vfs.open(path, OpenMode::CreateNew).map_err(|error| Error::io(format!("cannot create {}", path.display()), error))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            buffer: header(precision, is_packed).to_vec(),
            written: 0,
            block: OpenBlock::default(),
            page: IndexPageBuilder::default(),
            statistics: BTreeMap::new(),
            pages: Vec::new(),
            last: None,
            is_packed,
        })
    }

    /// Adds rows of a table with the sequences they came with. Tables come in ascending order of their numbers, a table's rows in
    /// ascending order of (timestamp, key), each key once, in as many calls as the caller likes.
    pub fn write(&mut self, batch: &ColumnBatch, sequences: SequenceRange) -> Result<()> {
        if batch.rows() == 0 {
            return Ok(());
        }
        batch.check()?;
        self.check_order(batch)?;
        let mut start = 0;
        while start < batch.rows() {
            let rest = if start == 0 { batch.clone() } else { slice(batch, start..batch.rows()) };
            if !self.block.accepts(&rest) {
                self.close_block()?;
            }
            let rows = self.rows_that_fit(&rest);
            let part = slice(&rest, 0..rows);
            let bytes = raw_bytes(&part);
            self.block.push(part, bytes, sequences);
            start += rows;
        }
        Ok(())
    }

    /// How many rows of a batch the open block takes: at least one.
    fn rows_that_fit(&self, batch: &ColumnBatch) -> usize {
        let most = batch.rows().min(BLOCK_ROWS - self.block.rows);
        let room = BLOCK_BYTES.saturating_sub(self.block.bytes);
        if raw_bytes(&slice(batch, 0..most)) <= room {
            return most;
        }
        // Halving finds a place close enough: cells of very different lengths make a block a little larger or smaller.
        let (mut fits, mut exceeds) = (1, most);
        while exceeds - fits > 1 {
            let middle = usize::midpoint(fits, exceeds);
            if raw_bytes(&slice(batch, 0..middle)) <= room { fits = middle } else { exceeds = middle }
        }
        fits
    }

    fn check_order(&mut self, batch: &ColumnBatch) -> Result<()> {
        let (timestamps, key) = (&batch.timestamps[..], batch.key.as_ref());
        let mut ordered = crate::resolve::is_ascending(timestamps, key);
        if let Some(last) = &self.last {
            ordered &= last.uid < batch.uid
                || last.uid == batch.uid && compare_rows((&[last.timestamp], last.key.as_ref(), 0), (timestamps, key, 0)) == std::cmp::Ordering::Less;
        }
        if !ordered {
            return Err(Error::internal(format!("rows of table {} out of order for {}", batch.uid, self.path.display())));
        }
        let row = batch.rows() - 1;
        self.last = Some(LastKey { uid: batch.uid, timestamp: timestamps[row], key: key.map(|key| key.slice(row, 1)) });
        Ok(())
    }

    fn position(&self) -> u64 {
        self.written + self.buffer.len() as u64
    }

    /// Puts bytes behind those that are there and says where they lie.
    fn append(&mut self, bytes: &[u8]) -> Result<Extent> {
        let extent = Extent { offset: self.position(), length: bytes.len() as u32, checksum: checksum(bytes) };
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= WRITE_BYTES {
            self.write_buffer()?;
        }
        Ok(extent)
    }

    fn write_buffer(&mut self) -> Result<()> {
        self.file.write_all_at(&self.buffer, self.written).map_err(|error| Error::io(format!("cannot write {}", self.path.display()), error))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn close_block(&mut self) -> Result<()> {
        let block = std::mem::take(&mut self.block);
        let (Some(first), offset) = (block.parts.first(), self.position()) else { return Ok(()) };
        let timestamps = block.timestamps();
        let has_statistics = block.entries.len() == 1 && block.rows >= STATISTICS_ROWS;
        let mut chunks = vec![self.write_chunk(TIMESTAMP_COLUMN, &Int64Array::new(timestamps.clone(), None), None)?];
        if let Some(key) = block.key()? {
            chunks.push(self.write_chunk(KEY_COLUMN, &key, None)?);
        }
        for (id, data_type) in &block.types {
            let (array, present) = block.column(*id, data_type)?;
            chunks.push(self.write_chunk(*id, &array, present.as_ref())?);
            if has_statistics {
                let kept = self.statistics.entry((*id, PhysicalType::of(data_type)?.id())).or_default();
                kept.resize(self.page.blocks(), None);
                kept.push(statistics_of(&timestamps, &array, present.as_ref()));
            }
        }
        self.page.push(offset, first.schema_version, block.entries.into_iter(), &chunks);
        if self.page.is_full() { self.close_page() } else { Ok(()) }
    }

    fn write_chunk(&mut self, column: ColumnId, array: &dyn Array, present: Option<&BooleanBuffer>) -> Result<ChunkPlace> {
        let mut bytes = Vec::new();
        let codec = if self.is_packed { encode_small } else { encode }(array, present, &mut bytes)?.id();
        Ok(ChunkPlace { column, physical: PhysicalType::of(array.data_type())?, codec, extent: self.append(&bytes)? })
    }

    fn close_page(&mut self) -> Result<()> {
        let page = std::mem::take(&mut self.page);
        let (Some(first), Some(last)) = (page.entries.first(), page.entries.last()) else { return Ok(()) };
        let (mut places, mut sections) = (Vec::new(), Vec::new());
        for ((column, physical), mut blocks) in std::mem::take(&mut self.statistics) {
            blocks.resize(page.blocks(), None);
            let physical = PhysicalType::from_id(physical)?;
            let section = StatisticsSection::encode(physical, &blocks)?;
            // The offset follows from the lengths; what is written is length and checksum.
            places.push(StatisticsPlace { column, physical, extent: Extent { offset: 0, length: section.len() as u32, checksum: checksum(&section) } });
            sections.push(section);
        }
        let extent = self.append(&page.encode(&places)?)?;
        for section in sections {
            self.append(&section)?;
        }
        let (mut range, mut sequences, mut rows) = (first.range, first.sequences, 0);
        for entry in &page.entries {
            range = range.union(entry.range);
            sequences = SequenceRange { min: sequences.min.min(entry.sequences.min), max: sequences.max.max(entry.sequences.max) };
            rows += entry.rows as u64;
        }
        self.pages.push(PagePlace { first: first.uid, last: last.uid, extent, range, sequences, rows });
        Ok(())
    }

    /// Writes the rest and makes the file durable (its name is the caller's to make so). A file without rows is an error.
    pub fn finish(mut self) -> Result<BlockFileSummary> {
        self.close_block()?;
        self.close_page()?;
        let root = write_root(&self.pages)?;
        let place = self.append(&root)?;
        self.append(&trailer(place.offset, &root))?;
        self.write_buffer()?;
        self.file.sync().map_err(|error| Error::io(format!("cannot sync {}", self.path.display()), error))?;
        summary(&self.pages, self.written, self.is_packed).ok_or_else(|| Error::internal(format!("no rows for {}", self.path.display())))
    }
}

/// What a file of these pages holds; `None` without rows.
pub(crate) fn summary(pages: &[PagePlace], bytes: u64, is_packed: bool) -> Option<BlockFileSummary> {
    let first = pages.first()?;
    let empty = BlockFileSummary { rows: 0, pages: pages.len() as u64, bytes, range: first.range, sequences: first.sequences, is_packed };
    Some(pages.iter().fold(empty, |sum, page| BlockFileSummary {
        rows: sum.rows + page.rows,
        range: sum.range.union(page.range),
        sequences: SequenceRange { min: sum.sequences.min.min(page.sequences.min), max: sum.sequences.max.max(page.sequences.max) },
        ..sum
    }))
}
