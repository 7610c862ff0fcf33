//! Opening a store: the lock, the manifest, the files, then the log into memory up to exactly what was acknowledged.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, RwLock};
use std::time::Duration;

use embudo_types::{Error, Result, code};

use super::log_reader::LogReaders;
use super::{Numbering, RECENT_BYTES, RECENT_BYTES_WITHOUT_LOG, Store, apply};
use crate::block_file::BlockFile;
use crate::last_cache::LastCache;
use crate::manifest::{Change, Manifest, ManifestState, block_file_path};
use crate::options::{Damage, LogLevel, Recovery, StoreOptions};
use crate::rows::{Entry, Sequence};
use crate::version::{StoreFile, Version};
use crate::vfs::{OpenMode, VfsLock};
use crate::visible::Visible;
use crate::wal::{Log, Recent, Replay, replay};

/// Times that a reader beside a writer looks again when a file goes away under it.
const READER_TRIES: usize = 5;

/// How long an opened store waits before it looks at its files, so that opening is not held up.
const UPKEEP_DELAY: Duration = Duration::from_secs(1);

pub(super) fn open(options: StoreOptions, meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>) -> Result<(Arc<Store>, Recovery)> {
    if !options.read_only {
        return open_once(options, meta);
    }
    // Meta entries are handed over only once an attempt went through.
    let mut tries = 0;
    loop {
        tries += 1;
        let mut seen: Vec<(Sequence, Vec<u8>)> = Vec::new();
        let opened = open_once(options.clone(), &mut |sequence, bytes| {
            seen.push((sequence, bytes.to_vec()));
            Ok(())
        });
        if opened.is_err() && tries < READER_TRIES {
            continue;
        }
        let opened = opened?;
        seen.iter().try_for_each(|(sequence, bytes)| meta(*sequence, bytes))?;
        return Ok(opened);
    }
}

fn open_once(mut options: StoreOptions, meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>) -> Result<(Arc<Store>, Recovery)> {
    let lock = if options.read_only { None } else { Some(prepare_directory(&options)?) };
    let (mut manifest, torn) = Manifest::open(options.vfs.clone(), options.directory.join("MANIFEST"), options.clock.now())?;
    let mut recovery = Recovery { damages: torn.into_iter().collect(), ..Recovery::default() };
    if manifest.state().shards == 0 {
        if options.read_only {
            return Err(Error::internal(format!("no database in {}", options.directory.display())));
        }
        manifest.edit(&[Change::Store(options.shards.max(1), options.slice.max(1), options.precision), Change::NextFile(1)])?;
    }
    if !options.read_only {
        manifest.settle()?;
    }
    let state = manifest.state().clone();
    (options.shards, options.slice, options.precision) = (state.shards, state.slice, state.precision);
    let version = Version::new(open_files(&options, &state, &mut recovery.damages), state.tombstones.clone().into_iter().collect(), &options.budget);
    let mut waiting = VecDeque::new();
    let log_directory = options.directory.join("log");
    let replayed = if options.log.level == LogLevel::None {
        Replay::default()
    } else {
        let mut take = |sequence, entries: Vec<Entry>| take_record(&version, &state, sequence, &entries, meta, &mut waiting);
        let safe = state.flushed.iter().copied().chain([state.meta]).min().unwrap_or(0);
        replay(&*options.vfs, &log_directory, options.read_only, safe, &mut take)?
    };
    recovery.damages.extend(replayed.damages.iter().cloned());
    recovery.records = replayed.records;
    recovery.sequence = state.flushed.iter().copied().chain([replayed.last, state.meta]).max().unwrap_or(0);
    if !options.read_only {
        sync_replayed(&options, &replayed)?;
        remove_orphans(&options, &state)?;
    }
    let numbering = if options.log.level == LogLevel::None {
        Numbering::Memory(AtomicU64::new(recovery.sequence + 1))
    } else {
        Numbering::Log(Box::new(Log::new(options.vfs.clone(), options.clock.clone(), log_directory, options.log, recovery.sequence, replayed.segments)))
    };
    let store = Arc::new(Store {
        this: OnceLock::new(),
        writers: (0..options.shards).map(|_| Mutex::default()).collect(),
        version: RwLock::new(Arc::new(version)),
        visible: Visible::new(recovery.sequence),
        numbering,
        manifest: Mutex::new(manifest),
        flushing: Mutex::default(),
        compacting: Mutex::default(),
        meta: Mutex::new(waiting),
        last_cache: Arc::new(LastCache::new(options.last_cache_bytes)),
        recent: recent_of(&options),
        log_readers: LogReaders::default(),
        observer: OnceLock::new(),
        sync_scheduled: AtomicBool::new(false),
        flush_scheduled: AtomicBool::new(false),
        upkeep_scheduled: AtomicBool::new(false),
        expiry_scheduled: AtomicBool::new(false),
        pack_scheduled: AtomicBool::new(false),
        may_pack: AtomicBool::new(false),
        merges: AtomicU64::new(0),
        merged_bytes: AtomicU64::new(0),
        keep: Mutex::new(options.keep),
        closed: AtomicBool::new(false),
        lock: Mutex::new(lock),
        options,
    });
    // Set once, here.
    let _ = store.this.set(Arc::downgrade(&store));
    store.options.budget.register(Arc::downgrade(&store));
    if store.version().shards.iter().any(|shard| !shard.files.is_empty()) {
        store.schedule_upkeep(UPKEEP_DELAY);
    }
    Ok((store, recovery))
}

/// Where recent records are kept; without a log from now on.
fn recent_of(options: &StoreOptions) -> Recent {
    if options.log.level != LogLevel::None {
        return Recent::new(RECENT_BYTES);
    }
    let recent = Recent::new(RECENT_BYTES_WITHOUT_LOG.min(options.memory_limit / 8));
    recent.keep(options.log.retention != Some(Duration::ZERO), options.log.retention);
    recent
}

/// Makes the directories and takes the lock.
fn prepare_directory(options: &StoreOptions) -> Result<Box<dyn VfsLock>> {
    let make = |path: &Path| options.vfs.create_directories(path).map_err(|error| Error::io(format!("make directory {}", path.display()), error));
    make(&options.directory.join("log"))?;
    make(&options.directory.join("blocks"))?;
    options.vfs.sync_directory(&options.directory).map_err(|error| Error::io(format!("sync {}", options.directory.display()), error))?;
    options.vfs.lock(&options.directory.join("LOCK"), &options.holder).map_err(|error| {
        if error.kind() == std::io::ErrorKind::WouldBlock {
            Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, format!("{} is opened by {error}", options.directory.display()))
        } else {
            Error::io(format!("lock {}", options.directory.display()), error)
        }
    })
}

/// Opens the files that the manifest names; one that cannot be opened is reported and refuses the reads that need it.
fn open_files(options: &StoreOptions, state: &ManifestState, damages: &mut Vec<Damage>) -> Vec<Vec<StoreFile>> {
    let mut shards: Vec<Vec<StoreFile>> = (0..state.shards).map(|_| Vec::new()).collect();
    for entry in state.files.values() {
        let path = block_file_path(&options.directory, entry.number);
        let file = BlockFile::open(&*options.vfs, &path, &options.block_cache);
        if let Err(error) = &file {
            damages.push(Damage { file: path, offset: 0, bytes: entry.bytes, what: error.message().to_owned(), torn_tail: false });
        }
        if let Some(shard) = shards.get_mut(usize::from(entry.shard)) {
            shard.push(StoreFile { entry: *entry, file });
        }
    }
    for shard in &mut shards {
        shard.sort_by_key(|file| (file.entry.sequences.min, file.entry.number));
    }
    shards
}

/// Brings into memory what of a record is not in files yet.
fn take_record(
    version: &Version,
    state: &ManifestState,
    sequence: Sequence,
    entries: &[Entry],
    meta: &mut dyn FnMut(Sequence, &[u8]) -> Result<()>,
    waiting: &mut VecDeque<Sequence>,
) -> Result<()> {
    for entry in entries {
        match entry {
            Entry::Meta(bytes) if sequence > state.meta => {
                meta(sequence, bytes)?;
                if waiting.back() != Some(&sequence) {
                    waiting.push_back(sequence);
                }
            }
            entry => apply(version, entry, sequence, &|shard| sequence > state.flushed[shard])?,
        }
    }
    Ok(())
}

/// What was replayed may be only in the kernel's memory: it becomes durable before new records say so.
fn sync_replayed(options: &StoreOptions, replayed: &Replay) -> Result<()> {
    for segment in replayed.segments.iter().filter(|segment| segment.last > replayed.durable) {
        let failed = |error| Error::io(format!("sync {}", segment.path.display()), error);
        options.vfs.open(&segment.path, OpenMode::Write).and_then(|file| file.sync()).map_err(failed)?;
    }
    Ok(())
}

/// Removes files of flushes that did not come to their end.
fn remove_orphans(options: &StoreOptions, state: &ManifestState) -> Result<()> {
    let directory = options.directory.join("blocks");
    let failed = |error| Error::io(format!("clean {}", directory.display()), error);
    for name in options.vfs.list(&directory).map_err(failed)? {
        let number = name.strip_suffix(".blocks").and_then(|number| number.parse::<u64>().ok());
        if number.is_some_and(|number| !state.files.contains_key(&number)) {
            options.vfs.remove(&directory.join(&name)).map_err(failed)?;
        }
    }
    Ok(())
}
