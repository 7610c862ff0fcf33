//! Reading the log as it grows: committed records in commit order, from memory where they are recent and from segments otherwise.
//! What the entries mean is the catalogue's; a cursor holds nothing back, so that a slow one may find its records gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use embudo_types::Result;

use super::{Numbering, Store};
use crate::rows::{Entry, Sequence};
use crate::wal::{Found, SegmentReader};

/// A committed record.
#[derive(Clone, Debug)]
pub struct LogRecord {
    /// Its place in the commit order.
    pub sequence: Sequence,
    /// What was appended.
    pub entries: Arc<Vec<Entry>>,
}

/// A place in a store's log. While one exists, the store keeps recent records in memory.
pub struct LogCursor {
    store: Arc<Store>,
    next: Sequence,
    /// The shard whose rows are wanted; `None`: all of them.
    shard: Option<u16>,
    segment: Option<SegmentReader>,
}

impl std::fmt::Debug for LogCursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogCursor").field("next", &self.next).finish_non_exhaustive()
    }
}

/// Counts the cursors of a store.
#[derive(Debug, Default)]
pub(crate) struct LogReaders(AtomicUsize);

impl LogCursor {
    /// The next record's place, or what it will be.
    pub fn position(&self) -> Sequence {
        self.next
    }

    /// Need not give rows of other shards: what is read from segments is then cheaper.
    #[must_use]
    pub fn of_shard(mut self, shard: u16) -> Self {
        self.shard = Some(shard);
        self
    }

    /// Goes to another place.
    pub fn seek(&mut self, sequence: Sequence) {
        if sequence < self.next {
            self.segment = None;
        }
        self.next = sequence.max(1);
    }

    /// The next committed record; `None` while there is none. Records that the log does not hold any more are passed over.
    pub fn read(&mut self) -> Result<Option<LogRecord>> {
        let visible = self.store.visible.get();
        while self.next <= visible {
            if let Some(entries) = self.store.recent.get(self.next) {
                let sequence = self.next;
                self.next += 1;
                return Ok(Some(LogRecord { sequence, entries }));
            }
            match &self.store.numbering {
                Numbering::Memory(_) => self.next = self.store.recent.first_from(self.next).unwrap_or(visible + 1),
                Numbering::Log(_) => {
                    if let Some(record) = self.step(visible)? {
                        return Ok(Some(record));
                    }
                }
            }
        }
        Ok(None)
    }

    /// The next record of the segments, or a step towards it.
    fn step(&mut self, visible: Sequence) -> Result<Option<LogRecord>> {
        let Numbering::Log(log) = &self.store.numbering else { return Ok(None) };
        let Some(segment) = &mut self.segment else {
            match log.segment_of(self.next) {
                Some(path) => {
                    self.segment = SegmentReader::open(&*self.store.options.vfs, &path)?;
                    if self.segment.is_none() && log.segment_of(self.next) == Some(path) {
                        self.pass_over(visible);
                    }
                }
                None => self.pass_over(visible),
            }
            return Ok(None);
        };
        let (store, shard) = (&self.store, self.shard);
        match segment.next(self.next, &|uid| shard.is_none_or(|shard| store.shard_of(uid) == shard))? {
            Found::Record(sequence, entries) if sequence <= visible => {
                self.next = sequence + 1;
                return Ok(Some(LogRecord { sequence, entries: Arc::new(entries) }));
            }
            Found::Record(..) => self.next = visible + 1,
            Found::End => {
                let ended = segment.path().to_path_buf();
                self.segment = None;
                if log.segment_of(self.next) == Some(ended) {
                    self.pass_over(visible);
                }
            }
        }
        Ok(None)
    }

    /// Goes on behind records that are lost: where a later segment begins, or behind what is visible.
    fn pass_over(&mut self, visible: Sequence) {
        let Numbering::Log(log) = &self.store.numbering else { return };
        self.next = log.first_from(self.next + 1).unwrap_or(visible + 1);
    }
}

impl Drop for LogCursor {
    fn drop(&mut self) {
        if self.store.log_readers.0.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.store.keep_recent();
        }
    }
}

impl Store {
    /// Reads the log from a sequence on.
    pub fn read_log(self: &Arc<Self>, from: Sequence) -> LogCursor {
        self.log_readers.0.fetch_add(1, Ordering::AcqRel);
        self.keep_recent();
        LogCursor { store: self.clone(), next: from.max(1), shard: None, segment: None }
    }

    /// The first sequence that [`read_log`](Self::read_log) still finds, and the one that the next record will have; equal where nothing is held.
    pub fn log_range(&self) -> (Sequence, Sequence) {
        let next = self.visible.get() + 1;
        let first = match &self.numbering {
            Numbering::Log(log) => log.first(),
            Numbering::Memory(_) => self.recent.first_from(0),
        };
        (first.unwrap_or(next).min(next), next)
    }

    /// Has `observer` called after every record that became visible, by the thread that appended it. Only the first observer counts.
    pub fn observe_log(&self, observer: Arc<dyn Fn() + Send + Sync>) {
        // A second one is not needed: the first tells everybody.
        let _ = self.observer.set(observer);
    }

    /// Keeps recent records in memory while somebody reads the log. Without a log they are kept anyway.
    fn keep_recent(&self) {
        if let Numbering::Log(_) = &self.numbering {
            self.recent.keep(self.log_readers.0.load(Ordering::Acquire) > 0, None);
        }
    }
}
