//! Reads a block file: which rows of a table lie where, and column chunks through the block cache.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use arrow_schema::DataType as ArrowType;
use embudo_codec::{Cells, Codec, PAGE_ROWS, PhysicalType, checksum, decode, decode_rows};
use embudo_types::{ColumnStatistics, DataType, Error, Precision, Result, Value, arrow::arrow_type, code};

use super::{
    BlockFileSummary, KEY_COLUMN, STATISTICS_ROWS,
    index_page::{ChunkPlace, Entry, IndexPage},
    layout::{Extent, HEADER_BYTES, PagePlace, TRAILER_BYTES, read_header, read_root, read_trailer},
    statistics::{StatisticsSection, label},
    values::plain_type,
    writer::summary,
};
use crate::block_cache::{BlockCache, CacheKey, Cached};
use crate::rows::{BatchColumn, ColumnId, SequenceRange, TIMESTAMP_COLUMN, TimeRange, Uid};
use crate::source::{Source, SourceRef};
use crate::vfs::{OpenMode, Vfs, VfsFile};

/// A gap between chunks up to which one read takes both.
const READ_GAP: u64 = 16 << 10;
/// Encoded bytes up to which a chunk is decoded whole even for one row.
const SMALL_CHUNK: u32 = 2048;

/// An open block file.
pub struct BlockFile {
    file: Arc<dyn VfsFile>,
    path: PathBuf,
    cache: Arc<BlockCache>,
    /// The file's number in the cache.
    number: u64,
    precision: Precision,
    pages: Vec<PagePlace>,
    summary: BlockFileSummary,
}

/// Damage in a block file that [`BlockFile::check`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDamage {
    /// First byte of the damaged part.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// What is wrong.
    pub what: String,
}

impl fmt::Debug for BlockFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockFile").field("path", &self.path).field("summary", &self.summary).finish_non_exhaustive()
    }
}

impl Drop for BlockFile {
    fn drop(&mut self) {
        self.cache.forget_file(self.number);
    }
}

impl BlockFile {
    /// Opens a file: reads header, trailer and root.
    pub fn open(vfs: &dyn Vfs, path: &Path, cache: &Arc<BlockCache>) -> Result<Arc<Self>> {
        let at = |offset: u64| move |error: Error| locate(path, offset, &error);
        let io = |error| Error::io(format!("cannot read {}", path.display()), error);
        let file = vfs.open(path, OpenMode::Read).map_err(io)?;
        let bytes = file.length().map_err(io)?;
        if bytes < (HEADER_BYTES + TRAILER_BYTES) as u64 {
            return Err(at(0)(Error::corrupt("too short for a block file")));
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).map_err(io)?;
        let (precision, is_packed) = read_header(&header).map_err(at(0))?;
        let end = bytes - TRAILER_BYTES as u64;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, end).map_err(io)?;
        let place = read_trailer(&trailer).map_err(at(end))?;
        if place.offset < HEADER_BYTES as u64 || place.offset.checked_add(place.length.into()) != Some(end) {
            return Err(at(end)(Error::corrupt("root out of place")));
        }
        let mut root = vec![0; place.length as usize];
        file.read_exact_at(&mut root, place.offset).map_err(io)?;
        if checksum(&root) != place.checksum {
            return Err(at(place.offset)(Error::corrupt("damaged root")));
        }
        let pages = read_root(&root, bytes).map_err(at(place.offset))?;
        let summary = summary(&pages, bytes, is_packed).ok_or_else(|| at(place.offset)(Error::corrupt("no rows")))?;
        Ok(Arc::new(Self { file, path: path.to_owned(), cache: cache.clone(), number: cache.register_file(), precision, pages, summary }))
    }

    /// The file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn pages(&self) -> &[PagePlace] {
        &self.pages
    }

    /// What the file holds.
    pub fn summary(&self) -> BlockFileSummary {
        self.summary
    }

    /// The rows of a table whose blocks reach into `range`, in key order: a source for each block.
    pub fn sources(self: &Arc<Self>, uid: Uid, range: TimeRange) -> Result<Vec<SourceRef>> {
        let mut sources: Vec<SourceRef> = Vec::new();
        let first = self.pages.partition_point(|page| page.last < uid);
        for place in self.pages[first..].iter().take_while(|page| page.first <= uid).filter(|page| page.range.overlaps(range)) {
            let page = self.page(place)?;
            for entry in page.entries_of(uid).map(|entry| page.entry(entry)).filter(|entry| entry.range.overlaps(range)) {
                sources.push(Arc::new(BlockRows { file: self.clone(), page: page.clone(), entry }));
            }
        }
        Ok(sources)
    }

    /// Numbers of the tables with rows here, ascending.
    pub fn uids(self: &Arc<Self>) -> impl Iterator<Item = Result<Uid>> + use<> {
        let file = self.clone();
        let mut pages = 0..self.pages.len();
        let mut ready: VecDeque<Uid> = VecDeque::new();
        let mut last = None;
        std::iter::from_fn(move || {
            loop {
                while let Some(uid) = ready.pop_front() {
                    if last.replace(uid) != Some(uid) {
                        return Some(Ok(uid));
                    }
                }
                match file.page(&file.pages[pages.next()?]) {
                    Ok(page) => ready.extend((0..page.len()).map(|entry| page.entry(entry).uid)),
                    Err(error) => return Some(Err(error)),
                }
            }
        })
    }

    /// Reads and checks every part of the file, and says what is damaged.
    pub fn check(&self) -> Vec<FileDamage> {
        let mut damages = Vec::new();
        let mut note = |extent: Extent, result: Result<()>| {
            if let Err(error) = result {
                damages.push(FileDamage { offset: extent.offset, bytes: extent.length.into(), what: error.message().to_owned() });
            }
        };
        for place in &self.pages {
            let page = match self.read(place.extent).and_then(|bytes| self.decode_page(place, &bytes)) {
                Ok(page) => page,
                Err(error) => {
                    note(place.extent, Err(error));
                    continue;
                }
            };
            for (number, block) in page.blocks().iter().enumerate() {
                for chunk in page.chunks(number) {
                    match chunk {
                        Ok(chunk) => {
                            let decoded = self.read(chunk.extent).and_then(|bytes| decode(chunk.codec, &plain_type(chunk.physical), block.rows, &bytes));
                            note(chunk.extent, decoded.map(drop));
                        }
                        Err(error) => note(place.extent, Err(error)),
                    }
                }
            }
            for statistics in page.statistics() {
                let decoded = self.read(statistics.extent).and_then(|bytes| StatisticsSection::decode(statistics.physical, page.blocks().len(), &bytes));
                note(statistics.extent, decoded.map(drop));
            }
        }
        damages
    }

    /// Bytes of the file, checked.
    fn read(&self, extent: Extent) -> Result<Vec<u8>> {
        let bytes = self.read_unchecked(extent.offset, extent.length.into())?;
        self.verify(extent, &bytes)?;
        Ok(bytes)
    }

    pub(super) fn read_unchecked(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        if offset.checked_add(length).is_none_or(|end| end > self.summary.bytes) {
            return Err(locate(&self.path, offset, &Error::corrupt("past the end of the file")));
        }
        let mut bytes = vec![0; length as usize];
        self.file.read_exact_at(&mut bytes, offset).map_err(|error| Error::io(format!("cannot read {}, offset {offset}", self.path.display()), error))?;
        Ok(bytes)
    }

    pub(super) fn verify(&self, extent: Extent, bytes: &[u8]) -> Result<()> {
        if checksum(bytes) == extent.checksum { Ok(()) } else { Err(locate(&self.path, extent.offset, &Error::corrupt("checksum does not match"))) }
    }

    fn decode_page(&self, place: &PagePlace, bytes: &[u8]) -> Result<IndexPage> {
        IndexPage::decode(bytes, place.extent.offset + u64::from(place.extent.length)).map_err(|error| locate(&self.path, place.extent.offset, &error))
    }

    pub(super) fn page(&self, place: &PagePlace) -> Result<Arc<IndexPage>> {
        let key = CacheKey { file: self.number, offset: place.extent.offset };
        if let Some(Cached::Page(page)) = self.cache.get(key) {
            return Ok(page);
        }
        let page = Arc::new(self.decode_page(place, &self.read(place.extent)?)?);
        self.cache.insert(key, Cached::Page(page.clone()), page.bytes());
        Ok(page)
    }

    fn statistics(&self, page: &IndexPage, column: ColumnId, physical: PhysicalType) -> Result<Option<Arc<StatisticsSection>>> {
        let Some(place) = page.statistics().iter().find(|place| place.column == column && place.physical == physical) else { return Ok(None) };
        let key = CacheKey { file: self.number, offset: place.extent.offset };
        if let Some(Cached::Statistics(section)) = self.cache.get(key) {
            return Ok(Some(section));
        }
        let bytes = self.read(place.extent)?;
        let section = StatisticsSection::decode(physical, page.blocks().len(), &bytes).map_err(|error| locate(&self.path, place.extent.offset, &error))?;
        let section = Arc::new(section);
        self.cache.insert(key, Cached::Statistics(section.clone()), section.bytes());
        Ok(Some(section))
    }

    /// Cells of some rows of chunks of one block; chunks that are not cached are read in as few reads as their places allow.
    fn cells(&self, chunks: &[(ChunkPlace, ArrowType)], block_rows: usize, rows: &Range<usize>) -> Result<Vec<Cells>> {
        let mut found: Vec<Option<Cells>> = Vec::with_capacity(chunks.len());
        let mut missing = Vec::new();
        for (place, (chunk, data_type)) in chunks.iter().enumerate() {
            let cached = self.cache.get(CacheKey { file: self.number, offset: chunk.extent.offset });
            if let Some(Cached::Cells(cells)) = cached {
                found.push(Some(cut(relabel(cells, data_type)?, block_rows, rows)));
            } else {
                found.push(None);
                missing.push(place);
            }
        }
        missing.sort_unstable_by_key(|place| chunks[*place].0.extent.offset);
        let mut next = 0;
        while next < missing.len() {
            let start = chunks[missing[next]].0.extent.offset;
            let end_of = |place: usize| chunks[place].0.extent.offset.saturating_add(chunks[place].0.extent.length.into());
            let (mut end, mut last) = (end_of(missing[next]), next + 1);
            while last < missing.len() && chunks[missing[last]].0.extent.offset <= end.saturating_add(READ_GAP) {
                end = end.max(end_of(missing[last]));
                last += 1;
            }
            let bytes = self.read_unchecked(start, end - start)?;
            for &place in &missing[next..last] {
                let (chunk, data_type) = &chunks[place];
                let offset = (chunk.extent.offset - start) as usize;
                found[place] = Some(self.decode_cells(chunk, data_type, &bytes[offset..offset + chunk.extent.length as usize], block_rows, rows)?);
            }
            next = last;
        }
        Ok(found.into_iter().flatten().collect())
    }

    /// Decodes a chunk and keeps it in the cache, or just the page or two that are asked of a large one; the second time whole, since a scan of tables
    /// that share a block comes back for each of them.
    fn decode_cells(&self, chunk: &ChunkPlace, data_type: &ArrowType, bytes: &[u8], block_rows: usize, rows: &Range<usize>) -> Result<Cells> {
        self.verify(chunk.extent, bytes)?;
        let at = |error: Error| locate(&self.path, chunk.extent.offset, &error);
        let key = CacheKey { file: self.number, offset: chunk.extent.offset };
        if rows.len() < PAGE_ROWS && block_rows > 2 * PAGE_ROWS && chunk.extent.length > SMALL_CHUNK && !self.cache.comes_again(key) {
            return decode_rows(chunk.codec, data_type, block_rows, bytes, rows.clone()).map_err(at);
        }
        let cells = decode(chunk.codec, data_type, block_rows, bytes).map_err(at)?;
        let size = cells.array.get_array_memory_size() + cells.present.as_ref().map_or(0, |present| present.inner().len());
        self.cache.insert(key, Cached::Cells(cells.clone()), size);
        Ok(cut(cells, block_rows, rows))
    }
}

/// The error with the file and the offset where it was found.
pub(super) fn locate(path: &Path, offset: u64, error: &Error) -> Error {
    let message = error.message();
    let what = message.strip_prefix(code::CHECKSUM_ERROR.text()).map_or(message, |rest| rest.trim_start_matches(": "));
    Error::with(error.code(), format!("{}: {}, offset {offset}: {what}", error.code().text(), path.display())).caused_by(error.clone())
}

/// The same cells in another Arrow type that lies in the same way.
fn relabel(cells: Cells, data_type: &ArrowType) -> Result<Cells> {
    if cells.array.data_type() == data_type {
        return Ok(cells);
    }
    let data =
        cells.array.to_data().into_builder().data_type(data_type.clone()).build().map_err(|error| Error::corrupt("cells of another type").caused_by(error))?;
    Ok(Cells { array: arrow_array::make_array(data), present: cells.present })
}

fn cut(cells: Cells, block_rows: usize, rows: &Range<usize>) -> Cells {
    if rows.len() == block_rows {
        return cells;
    }
    Cells { array: cells.array.slice(rows.start, rows.len()), present: cells.present.map(|present| present.slice(rows.start, rows.len())) }
}

/// One table's rows in one block.
struct BlockRows {
    file: Arc<BlockFile>,
    page: Arc<IndexPage>,
    entry: Entry,
}

impl BlockRows {
    fn block_rows(&self) -> usize {
        self.page.blocks()[self.entry.block].rows
    }

    /// Rows of the block for rows of this source.
    fn rows_in_block(&self, rows: &Range<usize>) -> Range<usize> {
        self.entry.first_row + rows.start..self.entry.first_row + rows.end
    }

    fn chunk(&self, column: ColumnId) -> Result<Option<ChunkPlace>> {
        self.page.chunk(self.entry.block, column).map_err(|error| locate(&self.file.path, self.page.blocks()[self.entry.block].offset, &error))
    }

    fn timestamp_chunk(&self) -> Result<ChunkPlace> {
        self.chunk(TIMESTAMP_COLUMN)?
            .filter(|chunk| chunk.physical == PhysicalType::Int64)
            .ok_or_else(|| locate(&self.file.path, self.page.blocks()[self.entry.block].offset, &Error::corrupt("block without timestamps")))
    }

    /// The step between timestamps, where it is the same everywhere: then the index page says it all.
    fn step(&self) -> Result<Option<i64>> {
        if Codec::from_id(self.timestamp_chunk()?.codec)? != Codec::Sequence {
            return Ok(None);
        }
        let TimeRange { start, end } = self.entry.range;
        let steps = self.entry.rows as u64 - 1;
        Ok(Some((end.wrapping_sub(start) as u64).checked_div(steps).unwrap_or(0) as i64))
    }

    fn known_statistics(&self, column: ColumnId, data_type: DataType) -> Result<Option<ColumnStatistics>> {
        let rows = self.entry.rows;
        let Some(chunk) = self.chunk(column)? else {
            return Ok(Some(ColumnStatistics { nulls: rows as u64, ..ColumnStatistics::default() }));
        };
        if rows < STATISTICS_ROWS
            || self.page.blocks()[self.entry.block].entries != 1
            || chunk.physical != PhysicalType::of(&arrow_type(data_type, self.file.precision))?
        {
            return Ok(None);
        }
        let section = self.file.statistics(&self.page, column, chunk.physical)?;
        Ok(section.and_then(|section| section.block(self.entry.block, rows)).map(|statistics| label(statistics, data_type)))
    }
}

impl Source for BlockRows {
    fn range(&self) -> TimeRange {
        self.entry.range
    }

    fn sequences(&self) -> SequenceRange {
        self.entry.sequences
    }

    fn rows(&self) -> usize {
        self.entry.rows
    }

    fn timestamps(&self, rows: Range<usize>) -> Result<ScalarBuffer<i64>> {
        if let Some(step) = self.step()? {
            return Ok(rows.map(|row| self.entry.range.start.wrapping_add(step.wrapping_mul(row as i64))).collect());
        }
        let cells = self.file.cells(&[(self.timestamp_chunk()?, ArrowType::Int64)], self.block_rows(), &self.rows_in_block(&rows))?;
        match cells.first() {
            Some(cells) if cells.array.null_count() == 0 => Ok(cells.array.as_primitive::<Int64Type>().values().clone()),
            _ => Err(locate(&self.file.path, self.page.blocks()[self.entry.block].offset, &Error::corrupt("timestamps missing"))),
        }
    }

    fn keys(&self, rows: Range<usize>) -> Result<Option<ArrayRef>> {
        let Some(chunk) = self.chunk(KEY_COLUMN)? else { return Ok(None) };
        let cells = self.file.cells(&[(chunk, plain_type(chunk.physical))], self.block_rows(), &self.rows_in_block(&rows))?;
        Ok(cells.into_iter().next().map(|cells| cells.array))
    }

    fn statistics(&self, column: ColumnId, data_type: DataType) -> Option<ColumnStatistics> {
        if column == TIMESTAMP_COLUMN {
            let TimeRange { start, end } = self.entry.range;
            let ends = [start, end].map(|at| if data_type == DataType::Timestamp { Value::Timestamp(at) } else { Value::BigInt(at) });
            let [first, last] = ends.clone();
            let [min, max] = ends;
            return Some(ColumnStatistics {
                count: self.entry.rows as u64,
                nulls: 0,
                sum: Value::Null,
                min,
                max,
                first: Some((start, first)),
                last: Some((end, last)),
            });
        }
        // Damage shows when the cells are read.
        self.known_statistics(column, data_type).ok().flatten()
    }

    fn load(&self, columns: &[(ColumnId, DataType)], rows: Range<usize>) -> Result<Vec<Option<BatchColumn>>> {
        let mut chunks = Vec::with_capacity(columns.len());
        let mut places = Vec::with_capacity(columns.len());
        for &(id, data_type) in columns {
            let found = if id == KEY_COLUMN { None } else { self.chunk(id)? };
            places.push(found.map(|_| chunks.len()));
            if let Some(chunk) = found {
                let data_type = arrow_type(data_type, self.file.precision);
                if PhysicalType::of(&data_type)? != chunk.physical {
                    let what = format!("column {id} of table {} is {:?} here and not {data_type}", self.entry.uid, chunk.physical);
                    return Err(locate(&self.file.path, chunk.extent.offset, &Error::corrupt(what)));
                }
                chunks.push((chunk, data_type));
            }
        }
        let cells = self.file.cells(&chunks, self.block_rows(), &self.rows_in_block(&rows))?;
        let column = |(&(id, _), place): (&(ColumnId, DataType), Option<usize>)| {
            place.map(|place| BatchColumn { id, array: cells[place].array.clone(), present: cells[place].present.clone() })
        };
        Ok(columns.iter().zip(places).map(column).collect())
    }

    fn rows_before(&self, tick: i64) -> Result<usize> {
        let TimeRange { start, end } = self.entry.range;
        if tick <= start {
            return Ok(0);
        }
        if tick > end {
            return Ok(self.entry.rows);
        }
        match self.step()? {
            Some(step) if step > 0 => Ok(((tick.wrapping_sub(start) as u64).div_ceil(step as u64) as usize).min(self.entry.rows)),
            _ => Ok(self.timestamps(0..self.entry.rows)?.partition_point(|timestamp| *timestamp < tick)),
        }
    }
}
