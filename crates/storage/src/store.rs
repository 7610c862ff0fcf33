//! One database's store: entries in, snapshots out.

use std::sync::Arc;

use embudo_types::{DataType, Error, Result, Value};

use crate::options::{Figures, LogOptions, Recovery, StoreOptions};
use crate::rows::{ColumnId, Entry, Sequence, TimeRange, Uid};
use crate::scan::{Scan, ScanRequest};

/// One database's rows: the log, the memory tables and the block files.
#[derive(Debug)]
pub struct Store {
    options: StoreOptions,
}

impl Store {
    /// Opens a store, or makes it. The log is replayed: `meta` gets the catalogue's entries above
    /// [`set_meta_checkpoint`](Self::set_meta_checkpoint) in commit order, before this returns.
    pub fn open(options: StoreOptions, _meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>) -> Result<(Arc<Self>, Recovery)> {
        Ok((Arc::new(Self { options }), Recovery::default()))
    }

    /// A store in memory.
    pub fn in_memory(options: StoreOptions) -> Result<Arc<Self>> {
        Self::open(options, &mut |_, _| Ok(())).map(|(store, _)| store)
    }

    /// Adds entries as one atomic record: after a crash all of them are there or none. On return they are visible to every new
    /// snapshot and as durable as the log's level says.
    pub fn append(&self, _entries: Vec<Entry>) -> Result<Sequence> {
        Err(Error::internal("not built"))
    }

    /// What is visible now, unchanging.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot {}
    }

    /// The shard that a table belongs to: 0 up to [`shards`](Self::shards).
    pub fn shard_of(&self, uid: Uid) -> u16 {
        (uid % u64::from(self.options.shards)) as u16
    }

    /// Number of shards.
    pub fn shards(&self) -> u16 {
        self.options.shards
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
        Figures::default()
    }

    /// Makes everything durable and releases the lock. Later appends are refused; snapshots stay readable.
    pub fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// What was visible at one moment; unchanging, and blocks nobody.
#[derive(Clone, Debug)]
pub struct Snapshot {}

impl Snapshot {
    /// Last sequence that is visible.
    pub fn sequence(&self) -> Sequence {
        0
    }

    /// Pieces of one table in key order.
    pub fn scan(&self, _request: &ScanRequest) -> Result<Scan> {
        Ok(Scan::new(std::iter::empty()))
    }

    /// The table's last row: the greatest timestamp, with the cells of `columns` (NULL where NULL or absent). From the last cache.
    /// `key` is the composite key column, in tables that have one.
    pub fn last_row(&self, _uid: Uid, _key: Option<(ColumnId, DataType)>, _columns: &[(ColumnId, DataType)]) -> Result<Option<LastRow>> {
        Ok(None)
    }

    /// The last cell of `column` that is not NULL, with its timestamp. From the last cache.
    pub fn last(&self, _uid: Uid, _key: Option<(ColumnId, DataType)>, _column: (ColumnId, DataType)) -> Result<Option<(i64, Value)>> {
        Ok(None)
    }
}

/// A table's last row.
#[derive(Clone, Debug, PartialEq)]
pub struct LastRow {
    /// Its time in ticks.
    pub timestamp: i64,
    /// Its cells, in the order asked for.
    pub values: Vec<Value>,
}
