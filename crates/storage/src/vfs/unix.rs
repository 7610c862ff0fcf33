//! What only Unix does its way: reads and writes at an offset, locks that forks inherit, device and inode, the size of a disk.
#![allow(clippy::disallowed_methods, reason = "part of the one place that reaches the machine's files")]

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Descriptors of the locks that this process holds.
static LOCKED: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

pub(super) fn note_locked(file: &File) {
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner).push(file.as_raw_fd());
}

pub(super) fn note_unlocked(file: &File) {
    let descriptor = file.as_raw_fd();
    LOCKED.lock().unwrap_or_else(PoisonError::into_inner).retain(|&held| held != descriptor);
}

/// Closes the locks that a forked child inherited, so that they stay the parent's alone: a lock is its open file's, and would
/// outlive the parent in its child. To be called in the child, where nothing that the parent opened may be used or dropped any more.
pub fn after_fork() {
    // A thread of the parent may have held the list just then; its locks are then kept, which is safe, if not kind.
    let Ok(mut locked) = LOCKED.try_lock() else { return };
    for descriptor in locked.drain(..) {
        // SAFETY: the descriptor was open in the parent when it forked, so it is in the child; its owner, a RealLock of the parent,
        // is never dropped here, so it is closed once.
        drop(unsafe { OwnedFd::from_raw_fd(descriptor) });
    }
}

/// What tells a directory from every other one whatever its path: device and inode.
pub fn directory_identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Bytes of the disk that a path lies on.
pub(super) fn disk_size(path: &Path) -> io::Result<u64> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
}

pub(super) fn read_exact_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<()> {
    FileExt::read_exact_at(file, buffer, offset)
}

pub(super) fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
    FileExt::write_all_at(file, bytes, offset)
}
