//! One database's store: entries in, snapshots out. Keeps the order between log and memory and replaces versions; opening and
//! flushing have their own files.

mod compact;
mod flush;
mod log_reader;
mod open;
#[cfg(test)]
mod tests;
mod upkeep;

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use std::time::Duration;

use embudo_types::{Error, Result};

use crate::last_cache::LastCache;
use crate::manifest::{Change, Manifest};
use crate::options::{Figures, LogLevel, LogOptions, Recovery, StoreOptions};
use crate::resolve::{is_ascending, normalize};
use crate::rows::{Entry, Sequence, TablesBatch, TimeRange, Uid};
use crate::snapshot::Snapshot;
use crate::source::Tombstone;
use crate::version::Version;
use crate::vfs::VfsLock;
use crate::visible::{Applying, Visible};
use crate::wal::{Log, Recent, Record};

use log_reader::LogReaders;
pub use log_reader::{LogCursor, LogRecord};

/// Rows in memory above which closing writes them into files, so that the next open need not replay them.
const FLUSH_ON_CLOSE_BYTES: u64 = 8 << 20;

/// Bytes of recent records for readers of the log; without a log there are no others.
const RECENT_BYTES: u64 = 16 << 20;
const RECENT_BYTES_WITHOUT_LOG: u64 = 64 << 20;

/// One database's rows: the log, the memory tables and the block files.
pub struct Store {
    options: StoreOptions,
    this: OnceLock<Weak<Self>>,
    /// One writer at a time in a shard. Taken in ascending order, before the log's own lock, so that numbers ascend in a shard.
    writers: Vec<Mutex<()>>,
    version: RwLock<Arc<Version>>,
    visible: Visible,
    numbering: Numbering,
    manifest: Mutex<Manifest>,
    /// One flush at a time.
    flushing: Mutex<()>,
    /// Held while files are rewritten.
    compacting: Mutex<()>,
    /// Sequences of catalogue entries that the catalogue does not hold durably yet, ascending.
    meta: Mutex<std::collections::VecDeque<Sequence>>,
    last_cache: Arc<LastCache>,
    /// Recent records for who reads the log.
    recent: Recent,
    log_readers: LogReaders,
    observer: OnceLock<Arc<dyn Fn() + Send + Sync>>,
    sync_scheduled: AtomicBool,
    flush_scheduled: AtomicBool,
    upkeep_scheduled: AtomicBool,
    expiry_scheduled: AtomicBool,
    pack_scheduled: AtomicBool,
    /// Whether slices that are due to be packed have waited long enough.
    may_pack: AtomicBool,
    /// Merges so far, and the bytes that they wrote.
    merges: AtomicU64,
    merged_bytes: AtomicU64,
    /// KEEP in ticks.
    keep: Mutex<Option<i64>>,
    closed: AtomicBool,
    lock: Mutex<Option<Box<dyn VfsLock>>>,
}

/// Who numbers records.
enum Numbering {
    Log(Box<Log>),
    /// Without a log: the next sequence.
    Memory(AtomicU64),
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
    pub fn open(options: StoreOptions, meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>) -> Result<(Arc<Self>, Recovery)> {
        open::open(options, meta)
    }

    /// A store in memory.
    pub fn in_memory(options: StoreOptions) -> Result<Arc<Self>> {
        Self::open(options, &mut |_, _| Ok(())).map(|(store, _)| store)
    }

    /// Adds entries as one atomic record: after a crash all of them are there or none. On return they are visible to every new
    /// snapshot and as durable as the log's level says.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Sequence> {
        self.check_writable()?;
        let entries = prepare(entries)?;
        let mut record = match &self.numbering {
            Numbering::Log(_) => Some(Record::encode(&entries)?),
            Numbering::Memory(_) => None,
        };
        self.wait_for_memory()?;
        let shards = self.shards_of(&entries);
        let guards: Vec<_> = shards.iter().map(|shard| lock(&self.writers[*shard])).collect();
        let sequence = self.number(record.as_mut())?;
        {
            let _applying = Applying { visible: &self.visible, sequence };
            let version = self.version();
            for entry in &entries {
                apply(&version, entry, sequence, &|_| true)?;
            }
            if self.recent.is_kept() {
                self.recent.add(sequence, Arc::new(entries), self.options.clock.now());
            }
        }
        drop(guards);
        self.visible.wait(sequence);
        if let Some(observer) = self.observer.get() {
            observer();
        }
        self.make_durable(sequence)?;
        self.flush_if_due();
        Ok(sequence)
    }

    /// The shards that entries change, ascending.
    fn shards_of(&self, entries: &[Entry]) -> Vec<usize> {
        let shards = self.writers.len();
        let mut touched = vec![false; shards];
        let mut touch = |uid: Uid| touched[shard_of(uid, shards)] = true;
        for entry in entries {
            match entry {
                Entry::Rows(batch) => touch(batch.uid),
                Entry::Tables(batch) => batch.runs.iter().for_each(|run| touch(run.uid)),
                Entry::Delete { uid, .. } | Entry::DropTable { uid } => touch(*uid),
                Entry::Meta(_) => {}
            }
        }
        (0..shards).filter(|shard| touched[*shard]).collect()
    }

    fn check_writable(&self) -> Result<()> {
        if self.options.read_only {
            return Err(Error::internal("the database is opened read-only"));
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::internal("the database is closed"));
        }
        Ok(())
    }

    /// Numbers a record, in the log if there is one.
    fn number(&self, record: Option<&mut Record>) -> Result<Sequence> {
        match (&self.numbering, record) {
            (Numbering::Log(log), Some(record)) => {
                if !record.has_meta {
                    return log.append(record);
                }
                // Under the lock, so that they are listed in order and before a checkpoint can name them.
                let mut meta = lock(&self.meta);
                let sequence = log.append(record)?;
                meta.push_back(sequence);
                Ok(sequence)
            }
            (Numbering::Memory(next), _) => Ok(next.fetch_add(1, Ordering::AcqRel)),
            (Numbering::Log(_), None) => Err(Error::internal("a record that was not encoded")),
        }
    }

    /// Gives a record the durability that the log's level promises before the reply.
    fn make_durable(&self, sequence: Sequence) -> Result<()> {
        let Numbering::Log(log) = &self.numbering else { return Ok(()) };
        let options = log.options();
        if options.level == LogLevel::Sync && options.sync_period.is_zero() {
            return log.sync(sequence);
        }
        if !self.sync_scheduled.swap(true, Ordering::AcqRel) {
            let this = self.this.get().cloned().unwrap_or_default();
            self.options.scheduler.spawn_after(options.sync_period, move || {
                let Some(store) = this.upgrade() else { return };
                store.sync_scheduled.store(false, Ordering::Release);
                if let Err(error) = store.sync() {
                    tracing::error!(%error, "cannot sync the log");
                }
            });
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn version(&self) -> Arc<Version> {
        self.version.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What is visible now, unchanging.
    pub fn snapshot(&self) -> Snapshot {
        // Both under one lock: rows leave memory only into a version that a later sequence is read with.
        let version = self.version.read().unwrap_or_else(PoisonError::into_inner);
        Snapshot {
            version: version.clone(),
            sequence: self.visible.get(),
            precision: self.options.precision,
            kept_from: self.kept_from(),
            cache: self.last_cache.clone(),
        }
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
        match &self.numbering {
            Numbering::Log(log) if !self.options.read_only => log.sync(log.last()),
            _ => Ok(()),
        }
    }

    /// Writes the rows in memory into block files.
    pub fn flush(&self) -> Result<()> {
        self.flush_to(0)
    }

    /// Writes the rows in memory into block files and rewrites all files of the time slices that reach into the range into one packed
    /// file a slice, deletions applied. Readers and writers go on meanwhile.
    pub fn compact(&self, range: TimeRange) -> Result<()> {
        self.check_writable()?;
        self.flush()?;
        self.compact_range(range)
    }

    /// Removes a table's rows; its number is never used again.
    pub fn drop_table(&self, uid: Uid) -> Result<Sequence> {
        self.append(vec![Entry::DropTable { uid }])
    }

    /// Tells that the catalogue holds durably what Meta entries up to `sequence` say: they are not handed back any more and the
    /// log may drop them.
    pub fn set_meta_checkpoint(&self, sequence: Sequence) -> Result<()> {
        self.check_writable()?;
        if let Numbering::Log(log) = &self.numbering {
            // The manifest must not speak of records that a power loss may still take.
            log.sync(sequence.min(log.last()))?;
        }
        lock(&self.manifest).edit(&[Change::Meta(sequence)])?;
        let mut meta = lock(&self.meta);
        while meta.front().is_some_and(|first| *first <= sequence) {
            meta.pop_front();
        }
        drop(meta);
        self.trim_log()
    }

    /// Changes the log's settings.
    pub fn set_log_options(&self, options: LogOptions) {
        match &self.numbering {
            Numbering::Log(log) => log.set_options(options),
            Numbering::Memory(_) => self.recent.keep(options.retention != Some(Duration::ZERO), options.retention),
        }
    }

    /// What the store weighs.
    pub fn figures(&self) -> Figures {
        let version = self.version();
        let mut figures = Figures { sequence: self.visible.get(), ..Figures::default() };
        for shard in &version.shards {
            for memory in shard.memory() {
                figures.memory_rows += memory.rows();
                figures.memory_bytes += memory.bytes();
                figures.memory_tables += memory.tables();
                figures.tombstones += memory.all_tombstones().len() as u64;
            }
            for file in &shard.files {
                figures.files += 1;
                figures.file_rows += file.entry.rows;
                figures.file_bytes += file.entry.bytes;
                figures.packed_files += u64::from(file.file.as_ref().is_ok_and(|file| file.summary().is_packed));
            }
        }
        (figures.merges, figures.merged_bytes) = (self.merges.load(Ordering::Relaxed), self.merged_bytes.load(Ordering::Relaxed));
        (figures.budget_bytes, figures.budget_limit) = (self.options.budget.used(), self.options.budget.limit());
        figures.last_cache_bytes = self.last_cache.bytes();
        let cache = self.options.block_cache.figures();
        (figures.cache_hits, figures.cache_misses, figures.cache_bytes) = (cache.hits, cache.misses, cache.bytes);
        figures.tombstones += version.tombstones.values().map(Vec::len).sum::<usize>() as u64;
        if let Numbering::Log(log) = &self.numbering {
            (figures.log_segments, figures.log_bytes) = log.weight();
        }
        figures
    }

    /// Reads every block file whole. Gives what is damaged, each with its file and offset.
    pub fn check(&self) -> Vec<Error> {
        let version = self.version();
        let mut damages = Vec::new();
        for file in version.shards.iter().flat_map(|shard| &shard.files) {
            match &file.file {
                Ok(file) => damages.extend(file.check().iter().map(|damage| {
                    // A failed read names the place itself; what is wrong comes last.
                    let what = damage.what.rsplit(": ").next().unwrap_or(&damage.what);
                    Error::corrupt(format!("{}, offset {}, {} bytes: {what}", file.path().display(), damage.offset, damage.bytes))
                })),
                Err(error) => damages.push(error.clone()),
            }
        }
        damages
    }

    /// Makes everything durable and releases the lock. Later appends are refused; snapshots stay readable.
    pub fn close(&self) -> Result<()> {
        if self.options.read_only || self.closed.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let Numbering::Log(log) = &self.numbering else { return Ok(()) };
        let flushed = if self.version().memory_bytes() > FLUSH_ON_CLOSE_BYTES { self.flush_to(0) } else { Ok(()) };
        let closed = log.close();
        *lock(&self.lock) = None;
        flushed.and(closed)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "cannot close the store cleanly");
        }
    }
}

fn lock<T: ?Sized>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Checked entries with each table's rows in key order, each key once.
fn prepare(entries: Vec<Entry>) -> Result<Vec<Entry>> {
    let mut prepared = Vec::with_capacity(entries.len());
    for entry in entries {
        match entry {
            Entry::Rows(batch) => {
                batch.check()?;
                prepared.push(Entry::Rows(normalize(batch)?));
            }
            Entry::Tables(batch) => {
                batch.check()?;
                if are_runs_ascending(&batch) {
                    prepared.push(Entry::Tables(batch));
                } else {
                    for rows in batch.tables() {
                        prepared.push(Entry::Rows(normalize(rows)?));
                    }
                }
            }
            other => prepared.push(other),
        }
    }
    Ok(prepared)
}

/// Whether the keys of every run ascend.
fn are_runs_ascending(batch: &TablesBatch) -> bool {
    let mut start = 0;
    batch.runs.iter().all(|run| {
        let (rows, end) = (&batch.rows, start + run.rows as usize);
        let key = rows.key.as_ref().map(|key| key.slice(start, run.rows as usize));
        let ascending = run.rows == 1 || is_ascending(&rows.timestamps[start..end], key.as_ref());
        start = end;
        ascending
    })
}

/// Puts an entry into the memory of those shards that `wanted` names.
fn apply(version: &Version, entry: &Entry, sequence: Sequence, wanted: &dyn Fn(usize) -> bool) -> Result<()> {
    let memory = |uid: Uid| {
        let shard = shard_of(uid, version.shards.len());
        wanted(shard).then(|| &*version.shards[shard].active)
    };
    match entry {
        Entry::Rows(batch) => memory(batch.uid).map_or(Ok(()), |memory| memory.append(batch, sequence)),
        Entry::Tables(batch) => {
            let shards = version.shards.len();
            (0..shards).filter(|shard| wanted(*shard)).try_for_each(|shard| version.shards[shard].active.append_tables(batch, sequence, shard, shards))
        }
        Entry::Delete { uid, start, end } => {
            if let Some(memory) = memory(*uid) {
                memory.delete(Tombstone { uid: *uid, range: TimeRange::new(*start, *end), sequence });
            }
            Ok(())
        }
        Entry::DropTable { uid } => {
            if let Some(memory) = memory(*uid) {
                memory.delete(Tombstone { uid: *uid, range: TimeRange::ALL, sequence });
            }
            Ok(())
        }
        Entry::Meta(_) => Ok(()),
    }
}
