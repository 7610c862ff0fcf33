//! Reading one segment from its start on while it may still grow.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use embudo_types::{Error, Result};

use super::SEGMENT_HEADER;
use super::record::{HEADER, Header, decode_entries_of};
use crate::rows::{Entry, Sequence, Uid};
use crate::vfs::{OpenMode, Vfs, VfsFile};

/// Bytes that are read ahead.
const READ_AHEAD: usize = 256 << 10;

/// A place in a segment.
pub(crate) struct SegmentReader {
    path: PathBuf,
    file: Arc<dyn VfsFile>,
    /// Where the next record starts.
    offset: u64,
    /// What was read, and where it begins.
    bytes: Vec<u8>,
    begin: u64,
}

/// What a segment has next.
pub(crate) enum Found {
    /// A record.
    Record(Sequence, Vec<Entry>),
    /// Nothing, or nothing that can be read.
    End,
}

impl SegmentReader {
    /// The start of a segment; `None` where it is gone.
    pub(crate) fn open(vfs: &dyn Vfs, path: &Path) -> Result<Option<Self>> {
        match vfs.open(path, OpenMode::Read) {
            Ok(file) => Ok(Some(Self { path: path.to_path_buf(), file, offset: SEGMENT_HEADER as u64, bytes: Vec::new(), begin: 0 })),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io(format!("read log segment {}", path.display()), error)),
        }
    }

    /// Its file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next record whose sequence is `from` or above, without rows of tables that are not wanted.
    pub(crate) fn next(&mut self, from: Sequence, is_wanted: &dyn Fn(Uid) -> bool) -> Result<Found> {
        loop {
            let Some(header) = self.fill(HEADER)?.and_then(Header::read) else { return Ok(Found::End) };
            if header.sequence < from {
                self.offset += (HEADER + header.length) as u64;
                continue;
            }
            let whole = self.fill(HEADER + header.length)?;
            let Some(payload) = whole.and_then(|bytes| header.payload(bytes)) else { return Ok(Found::End) };
            let entries = decode_entries_of(payload, is_wanted);
            self.offset += (HEADER + header.length) as u64;
            match entries {
                Ok(entries) => return Ok(Found::Record(header.sequence, entries)),
                Err(error) => tracing::warn!(path = %self.path.display(), sequence = header.sequence, %error, "a log record cannot be read"),
            }
        }
    }

    /// At least `length` bytes from where the next record starts; `None` where the file has fewer.
    fn fill(&mut self, length: usize) -> Result<Option<&[u8]>> {
        let held = (self.begin + self.bytes.len() as u64).saturating_sub(self.offset) as usize;
        if self.offset < self.begin || held < length {
            let failed = |error| Error::io(format!("read log segment {}", self.path.display()), error);
            let there = self.file.length().map_err(failed)?.saturating_sub(self.offset);
            if there < length as u64 {
                return Ok(None);
            }
            self.bytes.resize(length.max(READ_AHEAD).min(there as usize), 0);
            self.begin = self.offset;
            self.file.read_exact_at(&mut self.bytes, self.offset).map_err(failed)?;
        }
        Ok(self.bytes.get((self.offset - self.begin) as usize..))
    }
}
