//! Log, memory tables and block files of one database: a [`Store`] takes entries, keeps them safe, and gives snapshots to read.
//! Tables are numbers here and columns are numbers; names, schemas and tags are the catalogue's.

mod block_cache;
mod block_file;
mod budget;
mod cells;
mod clock;
mod compaction;
mod last_cache;
mod manifest;
mod memtable;
mod merge;
mod options;
mod resolve;
mod rows;
mod scan;
mod scheduler;
mod snapshot;
mod source;
mod statistics;
mod store;
mod version;
pub mod vfs;
mod visible;
mod wal;

pub use block_cache::{BlockCache, CacheFigures};
pub use block_file::{BLOCK_ROWS, BlockFile, BlockFileSummary, BlockFileWriter, FileDamage};
pub use budget::MemoryBudget;
pub use clock::{Clock, ManualClock, SystemClock};
pub use options::{Damage, Figures, LogLevel, LogOptions, Recovery, StoreOptions};
pub use rows::{BatchColumn, ColumnBatch, ColumnId, Entry, Sequence, SequenceRange, TIMESTAMP_COLUMN, TableRun, TablesBatch, TimeRange, Uid, is_storable};
pub use scan::{Chunk, Piece, PieceData, Scan, ScanRequest};
pub use scheduler::{Job, Scheduler};
pub use snapshot::{FilesInRange, LastRow, Snapshot};
pub use source::{Source, SourceRef, Tombstone};
pub use store::{LogCursor, LogRecord, Store};
