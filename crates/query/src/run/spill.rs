//! Sorted rows on disk: chunks of columns one after another in a file without a name, read back chunk by chunk.
//!
//! A chunk is, array by array: the rows, whether there are NULLs and the bits that tell them, then each buffer with its length before it, as
//! Arrow lays them out. Only the process that wrote a file reads it, so neither versions nor checksums are in it.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType;
use embudo_storage::vfs::VfsFile;
use embudo_types::{Error, Result};

use super::block::Batch;

/// A file of chunks being written.
pub(crate) struct SpillWriter {
    file: Arc<dyn VfsFile>,
    /// Start and length of each chunk.
    chunks: Vec<(u64, usize)>,
    end: u64,
}

impl SpillWriter {
    /// Starts on an empty file.
    pub(crate) fn new(file: Arc<dyn VfsFile>) -> Self {
        Self { file, chunks: Vec::new(), end: 0 }
    }

    /// Appends rows; their arrays must begin at their buffers' begin, as gathered ones do.
    pub(crate) fn append(&mut self, batch: &Batch) -> Result<()> {
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
        self.file.write_all_at(&bytes, self.end).map_err(|error| Error::io("writing rows of a sort", error))?;
        self.chunks.push((self.end, bytes.len()));
        self.end += bytes.len() as u64;
        Ok(())
    }

    /// The rows again, in the order in which they were appended.
    pub(crate) fn read(self, types: Arc<[DataType]>) -> SpillReader {
        SpillReader { file: self.file, chunks: self.chunks.into_iter(), types }
    }
}

/// Reads a file of chunks.
pub(crate) struct SpillReader {
    file: Arc<dyn VfsFile>,
    chunks: std::vec::IntoIter<(u64, usize)>,
    types: Arc<[DataType]>,
}

impl Iterator for SpillReader {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, length) = self.chunks.next()?;
        Some(self.chunk(start, length))
    }
}

impl SpillReader {
    fn chunk(&self, start: u64, length: usize) -> Result<Batch> {
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, start).map_err(|error| Error::io("reading rows of a sort", error))?;
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
    if data.offset() != 0 || !data.child_data().is_empty() {
        return Err(Error::internal("a column of a sort that was not gathered"));
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
    builder.align_buffers(true).build().map(make_array).map_err(|source| Error::internal("rows of a sort read back").caused_by(source))
}

fn damaged() -> Error {
    Error::internal("rows of a sort end early")
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
