//! The log of one database: numbers records and appends them to segments, makes them durable in groups, drops segments whose rows
//! and catalogue entries are safe elsewhere. A failed write leaves the log as it was and is tried anew by the next append; after a
//! failed sync what was not durable is written again before anything else is. What records mean is the store's.

mod reader;
mod recent;
mod record;
mod segment_reader;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use embudo_codec::checksum;
use embudo_types::{Error, Result};

use crate::clock::Clock;
use crate::options::LogOptions;
use crate::rows::Sequence;
use crate::vfs::{OpenMode, Vfs, VfsFile};

pub(crate) use reader::{Replay, replay};
pub(crate) use recent::Recent;
pub(crate) use record::Record;
pub(crate) use segment_reader::{Found, SegmentReader};

/// Bytes before a segment's first record.
const SEGMENT_HEADER: usize = 32;
const MAGIC: [u8; 8] = *b"EMBUDOWL";
const VERSION: u16 = 1;
/// What flushed segments may take of the disk for subscriptions: one part of so many, whatever the retention.
const RETAINED_SHARE: u64 = 10;

/// A segment that is not written any more.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    /// Its file.
    pub(crate) path: PathBuf,
    /// First sequence in it.
    pub(crate) first: Sequence,
    /// Last sequence in it, or in those before.
    pub(crate) last: Sequence,
    /// Length of the file.
    pub(crate) bytes: u64,
    /// When its last record was written, nanoseconds since 1970; 0 where that is not known.
    pub(crate) ended: i64,
}

/// The writing side of a log.
pub(crate) struct Log {
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    directory: PathBuf,
    state: Mutex<State>,
    /// Last durable sequence.
    durable: AtomicU64,
    /// Whether a thread is syncing.
    syncing: Mutex<bool>,
    synced: Condvar,
}

struct State {
    options: LogOptions,
    next: Sequence,
    next_number: u64,
    current: Option<Current>,
    sealed: VecDeque<Segment>,
    /// Files with records that may not be durable, and whether their names are.
    unsynced: Vec<Arc<dyn VfsFile>>,
    new_names: bool,
    /// Records above `durable` that a failed sync left in doubt.
    doubtful: bool,
    /// A failed write left bytes behind the end of the current segment.
    has_rest: bool,
    closed: bool,
}

struct Current {
    path: PathBuf,
    file: Arc<dyn VfsFile>,
    length: u64,
    first: Sequence,
    last: Sequence,
    ended: i64,
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Log").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Log {
    /// A log that goes on after what was replayed; the first append makes a segment.
    pub(crate) fn new(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>, directory: PathBuf, options: LogOptions, last: Sequence, mut segments: Vec<Segment>) -> Self {
        let now = clock.now();
        segments.iter_mut().filter(|segment| segment.ended == 0).for_each(|segment| segment.ended = now);
        let next_number = segments.iter().filter_map(|segment| segment_number(&segment.path)).max().map_or(1, |number| number + 1);
        let state = State {
            options,
            next: last + 1,
            next_number,
            current: None,
            sealed: segments.into(),
            unsynced: Vec::new(),
            new_names: false,
            doubtful: false,
            has_rest: false,
            closed: false,
        };
        Self { vfs, clock, directory, state: Mutex::new(state), durable: AtomicU64::new(last), syncing: Mutex::new(false), synced: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Numbers a record and appends it. On an error nothing was appended and the number is still free.
    pub(crate) fn append(&self, record: &mut Record) -> Result<Sequence> {
        let mut state = self.state();
        if state.closed {
            return Err(Error::internal("the database is closed"));
        }
        self.repair(&mut state)?;
        if state.current.as_ref().is_some_and(|current| current.length + record.length() > state.options.segment_bytes.max(SEGMENT_HEADER as u64 + 1)) {
            state.seal();
        }
        if state.current.is_none() {
            self.start_segment(&mut state)?;
        }
        let sequence = state.next;
        let now = self.clock.now();
        let durable = self.durable.load(Ordering::Acquire);
        let Some(current) = &mut state.current else { return Err(Error::internal("no log segment")) };
        let bytes = record.number(sequence, durable);
        if let Err(error) = current.file.write_all_at(bytes, current.length) {
            let (path, length) = (current.path.clone(), current.length);
            state.has_rest = current.file.set_length(length).is_err();
            return Err(read_only(&path, length, error));
        }
        current.length += bytes.len() as u64;
        current.last = sequence;
        current.ended = now;
        state.next += 1;
        Ok(sequence)
    }

    /// Brings a log that failed back into a state in which it can be appended to, or says why it cannot.
    fn repair(&self, state: &mut State) -> Result<()> {
        if state.has_rest
            && let Some(current) = &state.current
        {
            current.file.set_length(current.length).map_err(|error| read_only(&current.path, current.length, error))?;
            state.has_rest = false;
        }
        if state.doubtful { self.write_again(state) } else { Ok(()) }
    }

    /// After a failed sync the kernel may have dropped what was written and call it clean: everything above the last durable
    /// sequence is read back, checked, and written into a new segment, which must sync.
    fn write_again(&self, state: &mut State) -> Result<()> {
        state.seal();
        let durable = self.durable.load(Ordering::Acquire);
        let mut bytes = Vec::new();
        for segment in state.sealed.iter().filter(|segment| segment.last > durable) {
            reader::copy_records(&*self.vfs, &segment.path, durable, &mut bytes)?;
        }
        let number = state.next_number;
        let path = self.directory.join(segment_name(number));
        let write = || -> io::Result<Arc<dyn VfsFile>> {
            let file = self.vfs.open(&path, OpenMode::Create)?;
            file.set_length(0)?;
            file.write_all_at(&segment_header(self.clock.now()), 0)?;
            file.write_all_at(&bytes, SEGMENT_HEADER as u64)?;
            file.sync()?;
            self.vfs.sync_directory(&self.directory)?;
            Ok(file)
        };
        let file = write().map_err(|error| read_only(&path, 0, error))?;
        let length = (SEGMENT_HEADER + bytes.len()) as u64;
        state.next_number = number + 1;
        // Records that are appended to it from now on are not durable yet.
        state.unsynced = vec![file.clone()];
        state.current = Some(Current { path, file, length, first: durable + 1, last: state.next - 1, ended: self.clock.now() });
        state.new_names = false;
        state.doubtful = false;
        self.durable.store(state.next - 1, Ordering::Release);
        Ok(())
    }

    fn start_segment(&self, state: &mut State) -> Result<()> {
        let number = state.next_number;
        let path = self.directory.join(segment_name(number));
        let now = self.clock.now();
        let create = || -> io::Result<Arc<dyn VfsFile>> {
            let file = self.vfs.open(&path, OpenMode::Create)?;
            file.set_length(0)?;
            file.write_all_at(&segment_header(now), 0)?;
            Ok(file)
        };
        let file = create().map_err(|error| read_only(&path, 0, error))?;
        state.next_number = number + 1;
        state.new_names = true;
        state.unsynced.push(file.clone());
        state.current = Some(Current { path, file, length: SEGMENT_HEADER as u64, first: state.next, last: state.next - 1, ended: now });
        Ok(())
    }

    /// Last durable sequence.
    pub(crate) fn durable(&self) -> Sequence {
        self.durable.load(Ordering::Acquire)
    }

    /// Last sequence that was given out.
    pub(crate) fn last(&self) -> Sequence {
        self.state().next - 1
    }

    /// Makes every record up to `sequence` durable; callers that come while a sync runs share the next one.
    pub(crate) fn sync(&self, sequence: Sequence) -> Result<()> {
        let mut syncing = self.syncing.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if self.durable() >= sequence {
                return Ok(());
            }
            if !*syncing {
                break;
            }
            syncing = self.synced.wait(syncing).unwrap_or_else(PoisonError::into_inner);
        }
        *syncing = true;
        drop(syncing);
        let done = self.sync_now();
        *self.syncing.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.synced.notify_all();
        done
    }

    fn sync_now(&self) -> Result<()> {
        let (files, new_names, next_number, written) = {
            let mut state = self.state();
            // With records in doubt only writing them again makes anything durable.
            self.repair(&mut state)?;
            (state.unsynced.clone(), state.new_names, state.next_number, state.next - 1)
        };
        let sync = || -> io::Result<()> {
            files.iter().try_for_each(|file| file.sync())?;
            if new_names { self.vfs.sync_directory(&self.directory) } else { Ok(()) }
        };
        let synced = sync();
        let mut state = self.state();
        if let Err(error) = synced {
            state.doubtful = true;
            return Err(read_only(&self.directory, 0, error));
        }
        // The current segment goes on; segments that began meanwhile keep their turn.
        let current = state.current.as_ref().map(|current| current.file.clone());
        let is_in = |files: &[Arc<dyn VfsFile>], file: &Arc<dyn VfsFile>| files.iter().any(|other| Arc::ptr_eq(other, file));
        state.unsynced.retain(|file| !is_in(&files, file) || current.as_ref().is_some_and(|current| Arc::ptr_eq(current, file)));
        state.new_names &= state.next_number != next_number;
        self.durable.fetch_max(written, Ordering::AcqRel);
        Ok(())
    }

    /// Drops segments whose records are all at or below `sequence`, as far as retention allows.
    pub(crate) fn trim(&self, sequence: Sequence) -> Result<()> {
        let mut state = self.state();
        if state.current.as_ref().is_some_and(|current| current.last <= sequence) {
            state.seal();
        }
        let now = self.clock.now();
        let mut kept: u64 = state.sealed.iter().map(|segment| segment.bytes).sum();
        let share = self.vfs.capacity(&self.directory).ok().flatten().map(|bytes| bytes / RETAINED_SHARE);
        let limit = state.options.retention_bytes.into_iter().chain(share).min();
        while let Some(segment) = state.sealed.front() {
            let old = state.options.retention.is_some_and(|retention| now.saturating_sub(segment.ended) as u128 >= retention.as_nanos());
            let over = limit.is_some_and(|limit| kept > limit);
            if segment.last > sequence || segment.last > self.durable() || !(old || over) {
                break;
            }
            if !old {
                tracing::warn!(path = %segment.path.display(), "log segment dropped before its retention: too many bytes");
            }
            self.vfs.remove(&segment.path).map_err(|error| Error::io(format!("remove log segment {}", segment.path.display()), error))?;
            kept -= segment.bytes;
            state.sealed.pop_front();
        }
        Ok(())
    }

    /// Whether a finished segment ends above `above` and at or below `end`.
    pub(crate) fn has_sealed(&self, above: Sequence, end: Sequence) -> bool {
        self.state().sealed.iter().any(|segment| segment.last > above && segment.last <= end)
    }

    /// First sequence that the log holds, if any.
    pub(crate) fn first(&self) -> Option<Sequence> {
        self.state().starts().map(|(first, _)| first).min()
    }

    /// First sequence at or above `sequence` that a segment begins with.
    pub(crate) fn first_from(&self, sequence: Sequence) -> Option<Sequence> {
        self.state().starts().map(|(first, _)| first).filter(|first| *first >= sequence).min()
    }

    /// The segment that holds a sequence if any does: the last that begins at or before it, since records written again stand in a later one.
    pub(crate) fn segment_of(&self, sequence: Sequence) -> Option<PathBuf> {
        self.state().starts().filter(|(first, _)| *first <= sequence).last().map(|(_, path)| path.clone())
    }

    /// Number of segments and their bytes.
    pub(crate) fn weight(&self) -> (u64, u64) {
        let state = self.state();
        let bytes: u64 = state.sealed.iter().map(|segment| segment.bytes).sum();
        (state.sealed.len() as u64 + u64::from(state.current.is_some()), bytes + state.current.as_ref().map_or(0, |current| current.length))
    }

    /// The settings.
    pub(crate) fn options(&self) -> LogOptions {
        self.state().options
    }

    /// Changes the settings.
    pub(crate) fn set_options(&self, options: LogOptions) {
        self.state().options = options;
    }

    /// Syncs, marks a clean end, and refuses further records.
    pub(crate) fn close(&self) -> Result<()> {
        if self.state().closed {
            return Ok(());
        }
        let last = self.last();
        self.sync(last)?;
        let has_current = self.state().current.is_some();
        if has_current {
            let mark = self.append(&mut Record::encode(&[])?)?;
            self.sync(mark)?;
        }
        self.state().closed = true;
        Ok(())
    }
}

impl State {
    /// Every segment with records, with its first sequence.
    fn starts(&self) -> impl Iterator<Item = (Sequence, &PathBuf)> {
        let current = self.current.iter().filter(|current| current.last >= current.first).map(|current| (current.first, &current.path));
        self.sealed.iter().map(|segment| (segment.first, &segment.path)).chain(current)
    }

    /// Ends the current segment; the next record starts another.
    fn seal(&mut self) {
        if let Some(current) = self.current.take() {
            self.sealed.push_back(Segment { path: current.path, first: current.first, last: current.last, bytes: current.length, ended: current.ended });
        }
    }
}

fn segment_name(number: u64) -> String {
    format!("{number:010}.log")
}

fn segment_number(path: &Path) -> Option<u64> {
    if path.extension()? != "log" {
        return None;
    }
    path.file_stem()?.to_str()?.parse().ok()
}

fn segment_header(now: i64) -> [u8; SEGMENT_HEADER] {
    file_header(MAGIC, VERSION, now)
}

/// The header that segments and manifests share.
pub(crate) fn file_header(magic: [u8; 8], version: u16, now: i64) -> [u8; SEGMENT_HEADER] {
    let mut header = [0; SEGMENT_HEADER];
    header[..8].copy_from_slice(&magic);
    header[8..10].copy_from_slice(&version.to_le_bytes());
    header[16..24].copy_from_slice(&now.to_le_bytes());
    let sum = checksum(&header[..28]);
    header[28..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// Checks a header made by [`file_header`]: what is wrong with it, if anything.
pub(crate) fn check_file_header(bytes: &[u8], magic: [u8; 8], version: u16) -> std::result::Result<(), String> {
    let Some(header) = bytes.first_chunk::<SEGMENT_HEADER>() else { return Err("shorter than its header".into()) };
    if header[..8] != magic[..] {
        return Err("not the magic bytes of its kind".into());
    }
    if checksum(&header[..28]).to_le_bytes() != header[28..] {
        return Err("broken header".into());
    }
    let found = u16::from_le_bytes([header[8], header[9]]);
    if found > version {
        return Err(format!("format version {found}, this program knows {version}"));
    }
    if header[12..16] != [0; 4] {
        return Err("requires features that this program does not know".into());
    }
    Ok(())
}

fn read_only(path: &Path, offset: u64, error: io::Error) -> Error {
    Error::io(format!("The database is read-only until its log can be written ({} at {offset})", path.display()), error)
}
