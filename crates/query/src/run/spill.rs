//! Rows on disk that a sort, groups, DISTINCT or a join have no room for: chunks of columns one after another in a file without a name,
//! read back chunk by chunk.
//!
//! A chunk is, array by array: the rows, whether there are NULLs and the bits that tell them, then each buffer with its length before it, as
//! Arrow lays them out. Only the process that wrote a file reads it, so neither versions nor checksums are in it.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_data::transform::MutableArrayData;
use arrow_schema::DataType;
use embudo_storage::vfs::VfsFile;
use embudo_types::{Error, Result};

use super::block::Batch;

/// Bytes that wait to be written together: small chunks do not cost a call each.
const WRITE: usize = 64 << 10;

/// A file of chunks being written.
pub(crate) struct SpillWriter {
    file: Arc<dyn VfsFile>,
    /// Start and length of each chunk.
    chunks: Vec<(u64, usize)>,
    end: u64,
    /// What is not written yet; ends at `end`.
    waiting: Vec<u8>,
}

impl SpillWriter {
    /// Starts on an empty file.
    pub(crate) fn new(file: Arc<dyn VfsFile>) -> Self {
        Self { file, chunks: Vec::new(), end: 0, waiting: Vec::new() }
    }

    /// Appends rows.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<()> {
        let start = self.waiting.len();
        // Parts are aligned within their chunk.
        let mut bytes = Vec::new();
        write_number(&mut bytes, batch.rows);
        let groups = batch.groups.as_deref().unwrap_or_default();
        write_number(&mut bytes, groups.len());
        for group in groups {
            bytes.extend(group.to_le_bytes());
        }
        for column in &batch.columns {
            write_array(&mut bytes, &column.to_data())?;
        }
        self.chunks.push((self.end, bytes.len()));
        self.end += bytes.len() as u64;
        if start == 0 {
            self.waiting = bytes;
        } else {
            self.waiting.extend_from_slice(&bytes);
        }
        if self.waiting.len() >= WRITE { self.write() } else { Ok(()) }
    }

    fn write(&mut self) -> Result<()> {
        let start = self.end - self.waiting.len() as u64;
        self.file.write_all_at(&self.waiting, start).map_err(|error| Error::io("writing rows that do not fit in memory", error))?;
        self.waiting = Vec::new();
        Ok(())
    }

    /// The rows, in the order in which they were appended; they can be read as often as is needed.
    pub(crate) fn finish(mut self, types: Arc<[DataType]>) -> Result<SpillFile> {
        self.write()?;
        Ok(SpillFile { file: self.file, chunks: self.chunks.into(), types })
    }
}

/// A file of chunks, written; it goes with its last reader.
#[derive(Clone)]
pub(crate) struct SpillFile {
    file: Arc<dyn VfsFile>,
    chunks: Arc<[(u64, usize)]>,
    types: Arc<[DataType]>,
}

impl SpillFile {
    /// All chunks, one after another.
    pub(crate) fn read(&self) -> SpillReader {
        SpillReader { file: self.clone(), next: 0 }
    }

    /// One chunk.
    pub(crate) fn chunk(&self, place: usize) -> Result<Batch> {
        let Some(&(start, length)) = self.chunks.get(place) else { return Err(damaged()) };
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start).map_err(|error| Error::io("reading rows that did not fit in memory", error))?;
        let bytes = Buffer::from(bytes);
        let mut at = 0;
        let rows = read_number(&bytes, &mut at)?;
        let groups = read_number(&bytes, &mut at)?;
        let group_bytes = part(&bytes, &mut at, groups * 4)?;
        let groups = (groups > 0).then(|| group_bytes.as_slice().as_chunks::<4>().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect());
        let columns = self.types.iter().map(|data_type| read_array(&bytes, &mut at, data_type)).collect::<Result<_>>()?;
        Ok(Batch { rows, columns, groups })
    }
}

/// Reads a file of chunks.
pub(crate) struct SpillReader {
    file: SpillFile,
    next: usize,
}

impl Iterator for SpillReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.next;
        self.next += 1;
        (place < self.file.chunks.len()).then(|| self.file.chunk(place))
    }
}

/// Buffers begin at multiples of this many bytes, as typed arrays need.
const ALIGNMENT: usize = 16;

fn write_number(bytes: &mut Vec<u8>, number: usize) {
    bytes.extend((number as u64).to_le_bytes());
}

fn write_part(bytes: &mut Vec<u8>, part: &[u8]) {
    write_number(bytes, part.len());
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
    bytes.extend_from_slice(part);
}

fn write_array(bytes: &mut Vec<u8>, data: &ArrayData) -> Result<()> {
    if !data.child_data().is_empty() {
        return Err(Error::internal("a nested column on its way to disk"));
    }
    if data.offset() != 0 {
        let mut gathered = MutableArrayData::new(vec![data], false, data.len());
        gathered.try_extend(0, 0, data.len()).map_err(Error::internal)?;
        return write_array(bytes, &gathered.freeze());
    }
    write_number(bytes, data.len());
    let nulls = data.nulls().map(|nulls| nulls.inner().sliced());
    write_part(bytes, nulls.as_ref().map_or(&[], Buffer::as_slice));
    write_number(bytes, data.buffers().len());
    data.buffers().iter().for_each(|buffer| write_part(bytes, buffer.as_slice()));
    Ok(())
}

fn read_array(bytes: &Buffer, at: &mut usize, data_type: &DataType) -> Result<ArrayRef> {
    let rows = read_number(bytes, at)?;
    let nulls = read_part(bytes, at)?;
    let mut builder = ArrayData::builder(data_type.clone()).len(rows);
    if !nulls.is_empty() {
        builder = builder.nulls(Some(NullBuffer::new(arrow_buffer::BooleanBuffer::new(nulls, 0, rows))));
    }
    for _ in 0..read_number(bytes, at)? {
        builder = builder.add_buffer(read_part(bytes, at)?);
    }
    builder.align_buffers(true).build().map(make_array).map_err(|source| Error::internal("rows read back from disk").caused_by(source))
}

fn damaged() -> Error {
    Error::internal("rows on disk end early")
}

fn part(bytes: &Buffer, at: &mut usize, length: usize) -> Result<Buffer> {
    if at.checked_add(length).is_none_or(|end| end > bytes.len()) {
        return Err(damaged());
    }
    let part = bytes.slice_with_length(*at, length);
    *at += length;
    Ok(part)
}

fn read_number(bytes: &Buffer, at: &mut usize) -> Result<usize> {
    let part = part(bytes, at, 8)?;
    let number = part.as_slice().try_into().map(u64::from_le_bytes).map_err(|_| damaged())?;
    usize::try_from(number).map_err(|_| damaged())
}

fn read_part(bytes: &Buffer, at: &mut usize) -> Result<Buffer> {
    let length = read_number(bytes, at)?;
    *at = at.next_multiple_of(ALIGNMENT);
    part(bytes, at, length)
}
