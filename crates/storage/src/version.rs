//! The set of memory tables, files and tombstones that a snapshot reads: replaced as a whole, never changed.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::memtable::MemoryTable;
use crate::rows::{Sequence, Uid};
use crate::source::Tombstone;

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
}

impl Version {
    /// An empty version.
    pub(crate) fn new(shards: u16) -> Self {
        let shards = (0..shards).map(|_| ShardVersion { active: Arc::new(MemoryTable::new()), frozen: Vec::new() }).collect();
        Self { shards, tombstones: Arc::default() }
    }

    /// Deletions of a table up to a sequence, by sequence.
    pub(crate) fn tombstones(&self, shard: usize, uid: Uid, visible: Sequence) -> Vec<Tombstone> {
        let mut all: Vec<Tombstone> = self.tombstones.get(&uid).into_iter().flatten().filter(|tombstone| tombstone.sequence <= visible).copied().collect();
        for memory in self.shards[shard].memory() {
            all.extend(memory.tombstones(uid, visible));
        }
        all
    }
}

impl ShardVersion {
    /// Memory tables, oldest first.
    pub(crate) fn memory(&self) -> impl Iterator<Item = &Arc<MemoryTable>> {
        self.frozen.iter().chain([&self.active])
    }
}
