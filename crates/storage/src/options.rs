//! How a store is opened, what opening found, and what the store weighs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use embudo_types::Precision;

use crate::block_cache::BlockCache;
use crate::budget::MemoryBudget;
use crate::clock::{Clock, SystemClock};
use crate::rows::Sequence;
use crate::scheduler::Scheduler;
use crate::vfs::{MemoryVfs, RealVfs, Vfs};

/// How a store is opened. Start from [`directory`](Self::directory) or [`memory`](Self::memory) and change fields.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// Where files lie.
    pub vfs: Arc<dyn Vfs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub scheduler: Arc<Scheduler>,
    /// The store's directory.
    pub directory: PathBuf,
    /// Precision of the timestamps.
    pub precision: Precision,
    /// Number of shards (VGROUPS); read only when the store is made.
    pub shards: u16,
    /// Ticks in a time slice of block files (DURATION); read only when the store is made.
    pub slice: i64,
    /// The log.
    pub log: LogOptions,
    /// Bytes that unflushed rows may take before a flush starts; at twice that, writers wait for it.
    pub memory_limit: u64,
    /// What unflushed rows of all stores that share it may take.
    pub budget: Arc<MemoryBudget>,
    /// Ticks that rows stay (KEEP): older ones are not shown and go from disk. `None`: for ever.
    pub keep: Option<i64>,
    /// Decoded column chunks; stores of a process may share one.
    pub block_cache: Arc<BlockCache>,
    /// Bytes of the last cache (CACHESIZE).
    pub last_cache_bytes: u64,
    /// Opens without the lock and without writing anything; appends are refused.
    pub read_only: bool,
    /// Process and command that the lock file names to a second process.
    pub holder: String,
}

impl StoreOptions {
    /// A store in a directory of the machine.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self {
            vfs: Arc::new(RealVfs),
            clock: Arc::new(SystemClock::new()),
            scheduler: Scheduler::new(2),
            directory: path.into(),
            precision: Precision::Milli,
            shards: 2,
            slice: 10 * 86_400_000,
            log: LogOptions::default(),
            memory_limit: 256 << 20,
            budget: MemoryBudget::new(1 << 30),
            keep: None,
            block_cache: BlockCache::new(64 << 20),
            last_cache_bytes: 16 << 20,
            read_only: false,
            holder: format!("pid {} ({})", std::process::id(), std::env::args().collect::<Vec<_>>().join(" ")),
        }
    }

    /// A store in memory, without a log.
    pub fn memory() -> Self {
        let log = LogOptions { level: LogLevel::None, ..LogOptions::default() };
        Self { vfs: Arc::new(MemoryVfs::new()), log, ..Self::directory("/memory") }
    }
}

/// What is written before a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// No log: for databases in memory.
    None,
    /// `WAL_LEVEL 1`: written before the reply, synced every period.
    Write,
    /// `WAL_LEVEL 2`: the same, and with a period of zero synced before the reply.
    Sync,
}

/// The log's settings; may change while the store is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// `WAL_LEVEL`.
    pub level: LogLevel,
    /// `WAL_FSYNC_PERIOD`.
    pub sync_period: Duration,
    /// Size at which a new segment starts.
    pub segment_bytes: u64,
    /// `WAL_RETENTION_PERIOD`: how long segments stay after they are flushed, for subscriptions; `None`: for ever.
    pub retention: Option<Duration>,
    /// `WAL_RETENTION_SIZE` in bytes over all flushed segments; `None`: no limit.
    pub retention_bytes: Option<u64>,
}

impl Default for LogOptions {
    fn default() -> Self {
        Self { level: LogLevel::Write, sync_period: Duration::from_secs(3), segment_bytes: 64 << 20, retention: Some(Duration::ZERO), retention_bytes: None }
    }
}

/// What opening a store found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Last sequence that was restored.
    pub sequence: Sequence,
    /// Log records that were replayed.
    pub records: u64,
    /// Damage, each with its file; what is not named here was restored.
    pub damages: Vec<Damage>,
}

/// A part of a file that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub file: PathBuf,
    /// First byte that is lost.
    pub offset: u64,
    /// Bytes that were dropped.
    pub bytes: u64,
    /// What was wrong; a torn tail is the normal end of a crash, all else is damage.
    pub what: String,
    /// Whether it is the unfinished end of the log, whose record was never acknowledged.
    pub torn_tail: bool,
}

/// What a store weighs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Rows in block files, before merging.
    pub file_rows: u64,
    /// Block files.
    pub files: u64,
    /// Bytes of block files.
    pub file_bytes: u64,
    /// Rows in memory, before merging.
    pub memory_rows: u64,
    /// Bytes of rows in memory, with their index.
    pub memory_bytes: u64,
    /// Tables with rows in memory.
    pub memory_tables: u64,
    /// Bytes of the last cache.
    pub last_cache_bytes: u64,
    /// Parts of block files that the block cache had.
    pub cache_hits: u64,
    /// Parts of block files that had to be read.
    pub cache_misses: u64,
    /// Bytes of the block cache.
    pub cache_bytes: u64,
    /// Bytes of the log's segments.
    pub log_bytes: u64,
    /// Log segments.
    pub log_segments: u64,
    /// Last visible sequence.
    pub sequence: Sequence,
    /// Tombstones not yet applied by a compaction.
    pub tombstones: u64,
    /// Block files that are packed: small, and not merged again.
    pub packed_files: u64,
    /// Merges of block files since the store was opened, packing among them.
    pub merges: u64,
    /// Bytes that these merges wrote.
    pub merged_bytes: u64,
    /// Bytes of unflushed rows of all stores that share the budget.
    pub budget_bytes: u64,
    /// Bytes that these may take.
    pub budget_limit: u64,
}
