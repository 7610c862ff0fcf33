//! One database's store: entries in, snapshots out. Numbers records, keeps the order between log and memory, and replaces versions.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use embudo_types::Result;

use crate::memtable::MemoryTable;
use crate::options::{Figures, LogOptions, Recovery, StoreOptions};
use crate::resolve::normalize;
use crate::rows::{Entry, Sequence, TimeRange, Uid};
use crate::snapshot::Snapshot;
use crate::source::Tombstone;
use crate::version::Version;
use crate::visible::{Applying, Visible};

/// One database's rows: the log, the memory tables and the block files.
pub struct Store {
    options: StoreOptions,
    /// One writer at a time in a shard. Taken in ascending order, before the log's own lock, so that numbers ascend in a shard.
    writers: Vec<Mutex<()>>,
    version: RwLock<Arc<Version>>,
    visible: Visible,
    next: AtomicU64,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("directory", &self.options.directory).finish_non_exhaustive()
    }
}

/// The shard of a table among `shards`.
pub(crate) fn shard_of(uid: Uid, shards: usize) -> usize {
    ((uid.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) % shards as u64) as usize
}

impl Store {
    /// Opens a store, or makes it. The log is replayed: `meta` gets the catalogue's entries above
    /// [`set_meta_checkpoint`](Self::set_meta_checkpoint) in commit order, before this returns.
    pub fn open(options: StoreOptions, _meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>) -> Result<(Arc<Self>, Recovery)> {
        let store = Self {
            writers: (0..options.shards).map(|_| Mutex::default()).collect(),
            version: RwLock::new(Arc::new(Version::new(options.shards))),
            visible: Visible::new(0),
            next: AtomicU64::new(1),
            options,
        };
        Ok((Arc::new(store), Recovery::default()))
    }

    /// A store in memory.
    pub fn in_memory(options: StoreOptions) -> Result<Arc<Self>> {
        Self::open(options, &mut |_, _| Ok(())).map(|(store, _)| store)
    }

    /// Adds entries as one atomic record: after a crash all of them are there or none. On return they are visible to every new
    /// snapshot and as durable as the log's level says.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Sequence> {
        let entries = prepare(entries)?;
        let mut shards: Vec<usize> = entries.iter().filter_map(entry_uid).map(|uid| shard_of(uid, self.writers.len())).collect();
        shards.sort_unstable();
        shards.dedup();
        let guards: Vec<_> = shards.iter().map(|shard| self.writers[*shard].lock().unwrap_or_else(PoisonError::into_inner)).collect();
        let sequence = self.next.fetch_add(1, Ordering::AcqRel);
        {
            let _applying = Applying { visible: &self.visible, sequence };
            let version = self.version();
            for entry in &entries {
                if let Some(uid) = entry_uid(entry) {
                    apply(&version.shards[shard_of(uid, self.writers.len())].active, entry, sequence)?;
                }
            }
        }
        drop(guards);
        self.visible.wait(sequence);
        Ok(sequence)
    }

    fn version(&self) -> Arc<Version> {
        self.version.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is visible now, unchanging.
    pub fn snapshot(&self) -> Snapshot {
        // Both under one lock: rows leave memory only into a version that a later sequence is read with.
        let version = self.version.read().unwrap_or_else(PoisonError::into_inner);
        Snapshot { version: version.clone(), sequence: self.visible.get(), precision: self.options.precision }
    }

    /// The shard that a table belongs to: 0 up to [`shards`](Self::shards).
    pub fn shard_of(&self, uid: Uid) -> u16 {
        shard_of(uid, self.writers.len()) as u16
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.writers.len() as u16
    }

    /// Makes everything acknowledged durable.
    pub fn sync(&self) -> Result<()> {
        Ok(())
    }

    /// Writes the rows in memory into block files.
    pub fn flush(&self) -> Result<()> {
        Ok(())
    }

    /// Rewrites block files that reach into the range into fewer, better packed ones.
    pub fn compact(&self, _range: TimeRange) -> Result<()> {
        Ok(())
    }

    /// Removes a table's rows; its number is never used again.
    pub fn drop_table(&self, uid: Uid) -> Result<Sequence> {
        self.append(vec![Entry::DropTable { uid }])
    }

    /// Tells that the catalogue holds durably what Meta entries up to `sequence` say: they are not handed back any more and the
    /// log may drop them.
    pub fn set_meta_checkpoint(&self, _sequence: Sequence) -> Result<()> {
        Ok(())
    }

    /// Changes the log's settings.
    pub fn set_log_options(&self, _options: LogOptions) {}

    /// What the store weighs.
    pub fn figures(&self) -> Figures {
        let version = self.version();
        let mut figures = Figures { sequence: self.visible.get(), ..Figures::default() };
        for memory in version.shards.iter().flat_map(|shard| shard.memory()) {
            figures.memory_rows += memory.rows();
            figures.memory_bytes += memory.bytes();
            figures.memory_tables += memory.tables();
        }
        figures
    }

    /// Makes everything durable and releases the lock. Later appends are refused; snapshots stay readable.
    pub fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Checked entries with rows in key order, each key once.
fn prepare(entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let prepare = |entry| match entry {
        Entry::Rows(batch) => {
            batch.check()?;
            Ok(Entry::Rows(normalize(batch)?))
        }
        other => Ok(other),
    };
    entries.into_iter().map(prepare).collect()
}

/// The table that an entry changes.
fn entry_uid(entry: &Entry) -> Option<Uid> {
    match entry {
        Entry::Rows(batch) => Some(batch.uid),
        Entry::Delete { uid, .. } | Entry::DropTable { uid } => Some(*uid),
        Entry::Meta(_) => None,
    }
}

fn apply(memory: &MemoryTable, entry: &Entry, sequence: Sequence) -> Result<()> {
    match entry {
        Entry::Rows(batch) => memory.append(batch, sequence)?,
        Entry::Delete { uid, start, end } => memory.delete(Tombstone { uid: *uid, range: TimeRange::new(*start, *end), sequence }),
        Entry::DropTable { uid } => memory.delete(Tombstone { uid: *uid, range: TimeRange::ALL, sequence }),
        Entry::Meta(_) => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
