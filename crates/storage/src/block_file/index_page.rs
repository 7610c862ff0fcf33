//! An index page: which tables' rows lie in which blocks, and where the blocks' column chunks lie.

use std::ops::Range;

use arrow_buffer::ScalarBuffer;
use embudo_codec::{PhysicalType, Reader, write_varint};
use embudo_types::{Error, Result};

use super::{
    BLOCK_ROWS, PAGE_BLOCKS, PAGE_ENTRIES,
    layout::{Extent, read_i64s, read_u32s, read_u64s, write_i64s, write_u32s, write_u64s},
};
use crate::rows::{ColumnId, SequenceRange, TimeRange, Uid};

/// A run of one table's rows in one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) uid: Uid,
    /// Place of the block in the page.
    pub(crate) block: usize,
    /// Place of the first row in the block.
    pub(crate) first_row: usize,
    pub(crate) rows: usize,
    pub(crate) range: TimeRange,
    pub(crate) sequences: SequenceRange,
}

/// A column chunk of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChunkPlace {
    pub(crate) column: ColumnId,
    pub(crate) physical: PhysicalType,
    pub(crate) codec: u8,
    pub(crate) extent: Extent,
}

/// A block as the page knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BlockPlace {
    pub(crate) offset: u64,
    pub(crate) rows: usize,
    pub(crate) schema_version: u32,
    /// Number of entries; statistics are kept only for a single one.
    pub(crate) entries: usize,
    directory: Range<usize>,
}

/// Statistics of one column in the blocks of the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StatisticsPlace {
    pub(crate) column: ColumnId,
    pub(crate) physical: PhysicalType,
    pub(crate) extent: Extent,
}

/// An index page in memory.
#[derive(Debug)]
pub(crate) struct IndexPage {
    uids: ScalarBuffer<u64>,
    block_of: ScalarBuffer<u32>,
    first_rows: Vec<u32>,
    rows: ScalarBuffer<u32>,
    starts: ScalarBuffer<i64>,
    ends: ScalarBuffer<i64>,
    sequence_mins: ScalarBuffer<u64>,
    sequence_maxes: ScalarBuffer<u64>,
    blocks: Vec<BlockPlace>,
    directories: Vec<u8>,
    statistics: Vec<StatisticsPlace>,
}

/// An index page being made.
#[derive(Debug, Default)]
pub(crate) struct IndexPageBuilder {
    pub(crate) entries: Vec<Entry>,
    offsets: Vec<u64>,
    schema_versions: Vec<u32>,
    directory_ends: Vec<u32>,
    directories: Vec<u8>,
}

impl IndexPageBuilder {
    pub(crate) fn blocks(&self) -> usize {
        self.offsets.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.blocks() >= PAGE_BLOCKS || self.entries.len() >= PAGE_ENTRIES
    }

    /// Adds a block: its entries (whose place of the block is set here) and its chunks, one behind another from `offset`.
    pub(crate) fn push(&mut self, offset: u64, schema_version: u32, entries: impl Iterator<Item = Entry>, chunks: &[ChunkPlace]) {
        let block = self.blocks();
        self.entries.extend(entries.map(|entry| Entry { block, ..entry }));
        self.offsets.push(offset);
        self.schema_versions.push(schema_version);
        for chunk in chunks {
            write_varint(&mut self.directories, chunk.column.into());
            self.directories.extend([chunk.physical.id(), chunk.codec]);
            write_varint(&mut self.directories, chunk.extent.length.into());
            self.directories.extend_from_slice(&chunk.extent.checksum.to_le_bytes());
        }
        self.directory_ends.push(self.directories.len() as u32);
    }

    /// The page's bytes, for the sections of statistics that will follow it.
    pub(crate) fn encode(&self, statistics: &[StatisticsPlace]) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        write_varint(&mut out, self.blocks() as u64);
        write_varint(&mut out, self.entries.len() as u64);
        let entries = &self.entries;
        write_u64s(entries.iter().map(|entry| entry.uid).collect(), &mut out)?;
        write_u32s(entries.iter().map(|entry| entry.block as u32).collect(), &mut out)?;
        write_u32s(entries.iter().map(|entry| entry.rows as u32).collect(), &mut out)?;
        write_i64s(entries.iter().map(|entry| entry.range.start).collect(), &mut out)?;
        write_i64s(entries.iter().map(|entry| entry.range.end).collect(), &mut out)?;
        write_u64s(entries.iter().map(|entry| entry.sequences.min).collect(), &mut out)?;
        write_u64s(entries.iter().map(|entry| entry.sequences.max).collect(), &mut out)?;
        write_u64s(self.offsets.clone(), &mut out)?;
        write_u32s(self.schema_versions.clone(), &mut out)?;
        write_u32s(self.directory_ends.clone(), &mut out)?;
        write_varint(&mut out, self.directories.len() as u64);
        out.extend_from_slice(&self.directories);
        write_varint(&mut out, statistics.len() as u64);
        for place in statistics {
            write_varint(&mut out, place.column.into());
            out.push(place.physical.id());
            write_varint(&mut out, place.extent.length.into());
            out.extend_from_slice(&place.extent.checksum.to_le_bytes());
        }
        Ok(out)
    }
}

impl IndexPage {
    /// Reads a page; `end` is the offset in the file where it ends and its statistics begin.
    pub(crate) fn decode(bytes: &[u8], end: u64) -> Result<Self> {
        let mut reader = Reader::new(bytes);
        let blocks = reader.length(PAGE_BLOCKS)?;
        let entries = reader.length(PAGE_ENTRIES + BLOCK_ROWS)?;
        let uids = read_u64s(&mut reader, entries)?;
        let block_of = read_u32s(&mut reader, entries)?;
        let rows = read_u32s(&mut reader, entries)?;
        let (starts, ends) = (read_i64s(&mut reader, entries)?, read_i64s(&mut reader, entries)?);
        let (sequence_mins, sequence_maxes) = (read_u64s(&mut reader, entries)?, read_u64s(&mut reader, entries)?);
        let offsets = read_u64s(&mut reader, blocks)?;
        let schema_versions = read_u32s(&mut reader, blocks)?;
        let directory_ends = read_u32s(&mut reader, blocks)?;
        let length = reader.length(reader.remaining())?;
        let directories = reader.take(length)?.to_vec();
        let statistics = read_statistics_places(&mut reader, end)?;
        reader.end()?;

        let mut places: Vec<BlockPlace> = Vec::with_capacity(blocks);
        for block in 0..blocks {
            let start = block.checked_sub(1).map_or(0, |before| directory_ends[before] as usize);
            let directory = start..directory_ends[block] as usize;
            if directory.start > directory.end || directory.end > directories.len() {
                return Err(Error::corrupt("directory out of bounds"));
            }
            places.push(BlockPlace { offset: offsets[block], rows: 0, schema_version: schema_versions[block], entries: 0, directory });
        }
        let mut first_rows = Vec::with_capacity(entries);
        for entry in 0..entries {
            let place = places.get_mut(block_of[entry] as usize).ok_or_else(|| Error::corrupt("entry of no block"))?;
            first_rows.push(place.rows as u32);
            place.rows += rows[entry] as usize;
            place.entries += 1;
            if rows[entry] == 0 || place.rows > BLOCK_ROWS || starts[entry] > ends[entry] || sequence_mins[entry] > sequence_maxes[entry] {
                return Err(Error::corrupt("entry with impossible numbers"));
            }
        }
        if !uids.is_sorted() || !block_of.is_sorted() {
            return Err(Error::corrupt("entries out of order"));
        }
        Ok(Self { uids, block_of, first_rows, rows, starts, ends, sequence_mins, sequence_maxes, blocks: places, directories, statistics })
    }

    /// Bytes that the page takes in memory.
    pub(crate) fn bytes(&self) -> usize {
        self.uids.len() * 52 + self.blocks.len() * size_of::<BlockPlace>() + self.directories.len() + self.statistics.len() * size_of::<StatisticsPlace>()
    }

    pub(crate) fn len(&self) -> usize {
        self.uids.len()
    }

    /// Places of a table's entries.
    pub(crate) fn entries_of(&self, uid: Uid) -> Range<usize> {
        self.uids.partition_point(|entry| *entry < uid)..self.uids.partition_point(|entry| *entry <= uid)
    }

    pub(crate) fn entry(&self, place: usize) -> Entry {
        Entry {
            uid: self.uids[place],
            block: self.block_of[place] as usize,
            first_row: self.first_rows[place] as usize,
            rows: self.rows[place] as usize,
            range: TimeRange::new(self.starts[place], self.ends[place]),
            sequences: SequenceRange { min: self.sequence_mins[place], max: self.sequence_maxes[place] },
        }
    }

    pub(crate) fn blocks(&self) -> &[BlockPlace] {
        &self.blocks
    }

    /// The chunks of a block, in file order.
    pub(crate) fn chunks(&self, block: usize) -> impl Iterator<Item = Result<ChunkPlace>> + '_ {
        let place = &self.blocks[block];
        let mut reader = Reader::new(&self.directories[place.directory.clone()]);
        let mut offset = place.offset;
        std::iter::from_fn(move || {
            if reader.remaining() == 0 {
                return None;
            }
            let chunk = read_chunk_place(&mut reader, offset);
            match &chunk {
                Ok(chunk) => offset = offset.saturating_add(chunk.extent.length.into()),
                Err(_) => reader = Reader::new(&[]),
            }
            Some(chunk)
        })
    }

    /// The chunk of a column in a block.
    pub(crate) fn chunk(&self, block: usize, column: ColumnId) -> Result<Option<ChunkPlace>> {
        for chunk in self.chunks(block) {
            let chunk = chunk?;
            if chunk.column == column {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }

    pub(crate) fn statistics(&self) -> &[StatisticsPlace] {
        &self.statistics
    }
}

fn read_chunk_place(reader: &mut Reader<'_>, offset: u64) -> Result<ChunkPlace> {
    let column = reader.length(u16::MAX.into())? as ColumnId;
    let physical = PhysicalType::from_id(reader.byte()?)?;
    let codec = reader.byte()?;
    let length = reader.length(u32::MAX as usize)? as u32;
    Ok(ChunkPlace { column, physical, codec, extent: Extent { offset, length, checksum: reader.u32()? } })
}

fn read_statistics_places(reader: &mut Reader<'_>, end: u64) -> Result<Vec<StatisticsPlace>> {
    let count = reader.length(reader.remaining())?;
    let mut offset = end;
    let mut places = Vec::new();
    for _ in 0..count {
        let column = reader.length(u16::MAX.into())? as ColumnId;
        let physical = PhysicalType::from_id(reader.byte()?)?;
        let length = reader.length(u32::MAX as usize)? as u32;
        places.push(StatisticsPlace { column, physical, extent: Extent { offset, length, checksum: reader.u32()? } });
        offset = offset.saturating_add(length.into());
    }
    Ok(places)
}
