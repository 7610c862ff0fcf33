//! All rows of a block file, front to back: for rewrites. Every block is read and decoded once and stays out of the cache.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_buffer::ScalarBuffer;
use embudo_codec::decode;
use embudo_types::{Error, Result};

use super::index_page::IndexPage;
use super::reader::{BlockFile, locate};
use super::values::plain_type;
use super::{KEY_COLUMN, TIMESTAMP_COLUMN};
use crate::resolve::slice;
use crate::rows::{BatchColumn, ColumnBatch, SequenceRange};

/// Rows of one table in a block, and their sequences.
pub(crate) type Rows = (ColumnBatch, SequenceRange);

/// The runs of rows of a file in order of (table, key). Columns have the plain type of their bytes (timestamps are i64, decimals without
/// scale), which is all that a writer of files looks at.
pub(crate) struct Contents {
    file: Arc<BlockFile>,
    /// Index pages to come.
    pages: Range<usize>,
    page: Option<(Arc<IndexPage>, Range<usize>)>,
    /// Place in the page of the block that is decoded, and its rows as if they were one table's.
    block: Option<(usize, ColumnBatch)>,
}

impl Contents {
    pub(crate) fn new(file: Arc<BlockFile>) -> Self {
        Self { pages: 0..file.pages().len(), file, page: None, block: None }
    }

    fn advance(&mut self) -> Result<Option<Rows>> {
        let (page, place) = loop {
            if let Some((page, entries)) = &mut self.page
                && let Some(place) = entries.next()
            {
                break (page.clone(), place);
            }
            let Some(next) = self.pages.next() else { return Ok(None) };
            let page = self.file.page(&self.file.pages()[next])?;
            self.page = Some((page.clone(), 0..page.len()));
            self.block = None;
        };
        let entry = page.entry(place);
        let block = match self.block.take() {
            Some((block, rows)) if block == entry.block => rows,
            _ => self.decode(&page, entry.block)?,
        };
        let rows = ColumnBatch { uid: entry.uid, ..slice(&block, entry.first_row..entry.first_row + entry.rows) };
        self.block = Some((entry.block, block));
        Ok(Some((rows, entry.sequences)))
    }

    fn decode(&self, page: &IndexPage, block: usize) -> Result<ColumnBatch> {
        let place = &page.blocks()[block];
        let mut timestamps: Option<ScalarBuffer<i64>> = None;
        let mut key: Option<ArrayRef> = None;
        let mut columns = Vec::new();
        let chunks = page.chunks(block).collect::<Result<Vec<_>>>().map_err(|error| locate(self.file.path(), place.offset, &error))?;
        let length = chunks.iter().map(|chunk| u64::from(chunk.extent.length)).sum();
        let bytes = self.file.read_unchecked(place.offset, length)?;
        for chunk in chunks {
            let start = (chunk.extent.offset - place.offset) as usize;
            let bytes = &bytes[start..start + chunk.extent.length as usize];
            self.file.verify(chunk.extent, bytes)?;
            let cells =
                decode(chunk.codec, &plain_type(chunk.physical), place.rows, bytes).map_err(|error| locate(self.file.path(), chunk.extent.offset, &error))?;
            match chunk.column {
                TIMESTAMP_COLUMN => timestamps = cells.array.as_primitive_opt::<Int64Type>().map(|times| times.values().clone()),
                KEY_COLUMN => key = Some(cells.array),
                id => columns.push(BatchColumn { id, array: cells.array, present: cells.present }),
            }
        }
        let timestamps = timestamps.ok_or_else(|| locate(self.file.path(), place.offset, &Error::corrupt("block without timestamps")))?;
        Ok(ColumnBatch { uid: 0, schema_version: place.schema_version, timestamps, key, columns })
    }
}

impl Iterator for Contents {
    type Item = Result<Rows>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}
