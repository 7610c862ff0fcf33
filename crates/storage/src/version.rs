//! The set of memory tables, files and tombstones that a snapshot reads: replaced as a whole, never changed.

use std::sync::Arc;

use embudo_types::{Error, Result};
use rustc_hash::FxHashMap;

use crate::block_file::BlockFile;
use crate::budget::MemoryBudget;
use crate::manifest::FileEntry;
use crate::memtable::MemoryTable;
use crate::rows::{Sequence, TimeRange, Uid};
use crate::source::{SourceRef, Tombstone};

/// What readers read.
#[derive(Clone)]
pub(crate) struct Version {
    /// One a shard.
    pub(crate) shards: Vec<ShardVersion>,
    /// Deletions of rows in files, a table's by sequence.
    pub(crate) tombstones: Arc<FxHashMap<Uid, Vec<Tombstone>>>,
}

/// A shard's part.
#[derive(Clone)]
pub(crate) struct ShardVersion {
    /// Where writers append.
    pub(crate) active: Arc<MemoryTable>,
    /// On their way into files, oldest first.
    pub(crate) frozen: Vec<Arc<MemoryTable>>,
    /// Oldest first.
    pub(crate) files: Vec<StoreFile>,
    /// Grows whenever the files or their tombstones change.
    pub(crate) serial: u64,
}

/// A block file, or why it cannot be read.
#[derive(Clone)]
pub(crate) struct StoreFile {
    /// What the manifest says.
    pub(crate) entry: FileEntry,
    /// The open file.
    pub(crate) file: Result<Arc<BlockFile>, Error>,
}

impl StoreFile {
    /// A table's rows in the range; an error if the file is damaged where they would be.
    pub(crate) fn sources(&self, uid: Uid, range: TimeRange) -> Result<Vec<SourceRef>> {
        if !self.entry.range.overlaps(range) {
            return Ok(Vec::new());
        }
        self.file.as_ref().map_err(Clone::clone)?.sources(uid, range)
    }
}

impl Version {
    /// A version with empty memory.
    pub(crate) fn new(files: Vec<Vec<StoreFile>>, tombstones: FxHashMap<Uid, Vec<Tombstone>>, budget: &Arc<MemoryBudget>) -> Self {
        let shards = files.into_iter().map(|files| ShardVersion { active: Arc::new(MemoryTable::new(budget)), frozen: Vec::new(), files, serial: 1 }).collect();
        Self { shards, tombstones: Arc::new(tombstones) }
    }

    /// Deletions of a table up to a sequence.
    pub(crate) fn tombstones(&self, shard: usize, uid: Uid, visible: Sequence) -> Vec<Tombstone> {
        let mut all: Vec<Tombstone> = self.tombstones.get(&uid).into_iter().flatten().filter(|tombstone| tombstone.sequence <= visible).copied().collect();
        for memory in self.shards[shard].memory() {
            all.extend(memory.tombstones(uid, visible));
        }
        all
    }

    /// Bytes of rows in memory.
    pub(crate) fn memory_bytes(&self) -> u64 {
        self.shards.iter().flat_map(ShardVersion::memory).map(|memory| memory.bytes()).sum()
    }
}

impl ShardVersion {
    /// Memory tables, oldest first.
    pub(crate) fn memory(&self) -> impl Iterator<Item = &Arc<MemoryTable>> {
        self.frozen.iter().chain([&self.active])
    }

    /// A table's rows in files that reach into the range, oldest source first.
    pub(crate) fn file_sources(&self, uid: Uid, range: TimeRange) -> Result<Vec<SourceRef>> {
        let mut sources = Vec::new();
        for file in &self.files {
            sources.extend(file.sources(uid, range)?);
        }
        Ok(sources)
    }

    /// A table's visible rows in memory, oldest source first; all newer than those in files.
    pub(crate) fn memory_sources(&self, uid: Uid, visible: Sequence, tombstones: &[Tombstone]) -> Result<Vec<SourceRef>> {
        let mut sources = Vec::new();
        for memory in self.memory() {
            sources.extend(memory.sources(uid, visible, tombstones)?);
        }
        Ok(sources)
    }
}
