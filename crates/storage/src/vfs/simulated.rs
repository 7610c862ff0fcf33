//! Files in memory that fail on purpose: power loss at any call, with unsynced writes lost, torn or reordered, and errors of a full or
//! broken disk. What a sync promised is kept, and nothing more.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::{OpenMode, Vfs, VfsFile, VfsLock};

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// A file system that can fail. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct SimulatedVfs {
    disk: Arc<Mutex<Disk>>,
}

/// What is to go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Calls that change something before the first that fails.
    pub after: u64,
    /// Calls that fail then; `u64::MAX`: all, as after a power loss.
    pub calls: u64,
    /// How they fail.
    pub kind: io::ErrorKind,
}

#[derive(Debug, Default)]
struct Disk {
    /// Content by file number: what programs see.
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    /// Names that a sync of their directory made durable.
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of names since, oldest first: those of one directory reach the disk in order.
    name_changes: Vec<NameChange>,
    locks: BTreeMap<PathBuf, String>,
    next: u64,
    calls: u64,
    fault: Option<Fault>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    bytes: Vec<u8>,
    /// As of the last sync.
    durable: Vec<u8>,
    /// Since then: offset and bytes; `None`: the length was set to the offset.
    changes: Vec<(u64, Option<Vec<u8>>)>,
}

#[derive(Clone, Debug)]
enum NameChange {
    Set(PathBuf, u64),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

impl NameChange {
    fn directory(&self) -> Option<&Path> {
        match self {
            Self::Set(path, _) | Self::Remove(path) | Self::Rename(_, path) => path.parent(),
        }
    }

    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Set(path, number) => {
                names.insert(path.clone(), *number);
            }
            Self::Remove(path) => {
                names.remove(path);
            }
            Self::Rename(from, to) => {
                if let Some(number) = names.remove(from) {
                    names.insert(to.clone(), number);
                }
            }
        }
    }
}

#[derive(Debug)]
struct SimulatedFile {
    disk: Arc<Mutex<Disk>>,
    number: u64,
}

#[derive(Debug)]
struct SimulatedLock {
    disk: Arc<Mutex<Disk>>,
    path: PathBuf,
}

impl VfsLock for SimulatedLock {}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        lock(&self.disk).locks.remove(&self.path);
    }
}

fn lock(disk: &Mutex<Disk>) -> MutexGuard<'_, Disk> {
    disk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A small random sequence (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound.max(1)
    }
}

impl SimulatedVfs {
    /// An empty disk without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Calls that changed something so far: the points at which a fault can be placed.
    pub fn calls(&self) -> u64 {
        lock(&self.disk).calls
    }

    /// Sets what is to go wrong from now on (counted from the disk's first call), or nothing.
    pub fn set_fault(&self, fault: Option<Fault>) {
        lock(&self.disk).fault = fault;
    }

    /// The disk after a power loss now: what was synced, and of the rest what `seed` decides.
    pub fn after_power_loss(&self, seed: u64) -> Self {
        let disk = lock(&self.disk);
        let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        let mut names = disk.durable_names.clone();
        // Of each directory a prefix of its changes.
        let mut stopped: Vec<PathBuf> = Vec::new();
        for change in &disk.name_changes {
            let Some(directory) = change.directory() else { continue };
            if stopped.iter().any(|other| other == directory) {
                continue;
            }
            if random.below(2) == 0 {
                stopped.push(directory.to_owned());
                continue;
            }
            change.apply(&mut names);
        }
        let files: BTreeMap<u64, Content> = names
            .values()
            .filter_map(|number| Some((*number, disk.files.get(number)?)))
            .map(|(number, content)| {
                let bytes = content.survive(&mut random);
                (number, Content { durable: bytes.clone(), bytes, changes: Vec::new() })
            })
            .collect();
        let survivor = Disk { files, durable_names: names.clone(), names, next: disk.next, ..Disk::default() };
        Self { disk: Arc::new(Mutex::new(survivor)) }
    }

    /// The disk after the process alone died: all that was written is there.
    pub fn after_kill(&self) -> Self {
        let disk = lock(&self.disk);
        let survivor = Disk {
            files: disk.files.clone(),
            names: disk.names.clone(),
            durable_names: disk.durable_names.clone(),
            name_changes: disk.name_changes.clone(),
            next: disk.next,
            ..Disk::default()
        };
        Self { disk: Arc::new(Mutex::new(survivor)) }
    }
}

impl Content {
    /// Durable bytes, with a random choice of the sectors written since; a last write may be torn anywhere.
    fn survive(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        // All, none, or each sector by itself: the first two are what happens most.
        let mode = random.below(4);
        for (offset, written) in &self.changes {
            let offset = *offset as usize;
            match written {
                None if mode == 0 || (mode > 1 && random.below(2) == 0) => bytes.resize(offset, 0),
                None => {}
                Some(written) => {
                    let mut start = 0;
                    while start < written.len() {
                        let end = (start + SECTOR - (offset + start) % SECTOR).min(written.len());
                        let keeps = mode == 0 || (mode > 1 && random.below(3) > 0);
                        if bytes.len() < offset + end && (keeps || mode == 2) {
                            bytes.resize(offset + end, 0);
                        }
                        if keeps {
                            bytes[offset + start..offset + end].copy_from_slice(&written[start..end]);
                        }
                        start = end;
                    }
                }
            }
        }
        bytes
    }
}

impl Disk {
    /// Counts a call that changes something; an error if it is to fail.
    fn call(&mut self) -> io::Result<()> {
        self.calls += 1;
        match self.fault {
            Some(fault) if self.calls > fault.after && self.calls - fault.after <= fault.calls => Err(fault.kind.into()),
            _ => Ok(()),
        }
    }

    fn change_name(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.name_changes.push(change);
    }

    fn content(&mut self, number: u64) -> &mut Content {
        self.files.entry(number).or_default()
    }
}

impl Vfs for SimulatedVfs {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>> {
        let mut disk = lock(&self.disk);
        let number = match (disk.names.get(path).copied(), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(number), _) => number,
            (None, OpenMode::Read | OpenMode::Write) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                disk.call()?;
                disk.next += 1;
                let number = disk.next;
                disk.change_name(NameChange::Set(path.into(), number));
                disk.content(number);
                number
            }
        };
        Ok(Arc::new(SimulatedFile { disk: self.disk.clone(), number }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(lock(&self.disk).names.keys().any(|name| name.starts_with(path)))
    }

    fn create_directories(&self, _path: &Path) -> io::Result<()> {
        lock(&self.disk).call()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let disk = lock(&self.disk);
        let names = disk.names.keys().filter_map(|name| name.strip_prefix(path).ok()?.components().next());
        let mut names: Vec<String> = names.map(|name| name.as_os_str().to_string_lossy().into_owned()).collect();
        names.dedup();
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        if !disk.names.contains_key(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change_name(NameChange::Rename(from.into(), to.into()));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        if !disk.names.contains_key(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        disk.change_name(NameChange::Remove(path.into()));
        Ok(())
    }

    fn remove_directory(&self, path: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        let inside: Vec<PathBuf> = disk.names.keys().filter(|name| name.starts_with(path)).cloned().collect();
        for name in inside {
            disk.change_name(NameChange::Remove(name));
        }
        Ok(())
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        let changes = std::mem::take(&mut disk.name_changes);
        let (done, rest): (Vec<_>, Vec<_>) = changes.into_iter().partition(|change| change.directory() == Some(path));
        for change in &done {
            change.apply(&mut disk.durable_names);
        }
        disk.name_changes = rest;
        Ok(())
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn VfsLock>> {
        let mut disk = lock(&self.disk);
        if let Some(present) = disk.locks.get(path) {
            return Err(io::Error::new(io::ErrorKind::WouldBlock, present.clone()));
        }
        disk.locks.insert(path.into(), holder.into());
        Ok(Box::new(SimulatedLock { disk: self.disk.clone(), path: path.into() }))
    }
}

impl VfsFile for SimulatedFile {
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let bytes = &disk.content(self.number).bytes;
        let part = bytes.get(offset as usize..).and_then(|rest| rest.get(..buffer.len())).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(part);
        Ok(())
    }

    fn write_all_at(&self, new: &[u8], offset: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        let failed = disk.call().err();
        // A write that fails has written half of it.
        let new = if failed.is_some() { &new[..new.len() / 2] } else { new };
        let content = disk.content(self.number);
        let start = offset as usize;
        if content.bytes.len() < start + new.len() {
            content.bytes.resize(start + new.len(), 0);
        }
        content.bytes[start..start + new.len()].copy_from_slice(new);
        content.changes.push((offset, Some(new.to_vec())));
        failed.map_or(Ok(()), Err)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(lock(&self.disk).content(self.number).bytes.len() as u64)
    }

    fn set_length(&self, length: u64) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        let content = disk.content(self.number);
        content.bytes.resize(length as usize, 0);
        content.changes.push((length, None));
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut disk = lock(&self.disk);
        disk.call()?;
        let content = disk.content(self.number);
        content.durable.clone_from(&content.bytes);
        content.changes.clear();
        Ok(())
    }
}
