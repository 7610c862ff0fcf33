//! All file access of storage and the crates above it: a small interface with three implementations, the machine's files,
//! files in memory, and files in memory that fail on purpose. Knows nothing of formats.

mod memory;
mod real;
mod simulated;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

pub use memory::MemoryVfs;
pub use real::{RealVfs, after_fork, directory_identity};
pub use simulated::{Fault, SimulatedVfs};

/// How a file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// An existing file, to read.
    Read,
    /// An existing file, to read and write.
    Write,
    /// To read and write; made if missing.
    Create,
    /// To read and write; made, an error if it exists.
    CreateNew,
}

/// A file system.
pub trait Vfs: Send + Sync + Debug {
    /// Opens a file.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn VfsFile>>;
    /// Whether a file or directory is there.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes a directory and those above it.
    fn create_directories(&self, path: &Path) -> io::Result<()>;
    /// Names in a directory, sorted; empty if there is no such directory.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Puts a file in another's place, atomically.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; readers that have it open go on.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_directory(&self, path: &Path) -> io::Result<()>;
    /// Makes names that were created, renamed or removed in a directory durable.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;
    /// Bytes of the disk that a path lies on; `None` where that means nothing.
    fn capacity(&self, path: &Path) -> io::Result<Option<u64>> {
        let _ = path;
        Ok(None)
    }
    /// Takes the exclusive lock of a file (made if missing) and writes `holder` into it; `Err` carries what the present holder
    /// wrote, with kind [`WouldBlock`](io::ErrorKind::WouldBlock). The lock goes with the value, or with the process.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Box<dyn VfsLock>>;
}

/// An open file. All calls take offsets, so that readers may share it.
pub trait VfsFile: Send + Sync + Debug {
    /// Fills `buffer` from `offset`; kind [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;
    /// Writes all of `bytes` at `offset`. After a failure any part of them may have been written.
    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// Cuts the file, or extends it with zeros.
    fn set_length(&self, length: u64) -> io::Result<()>;
    /// Makes data and length durable.
    fn sync(&self) -> io::Result<()>;
}

/// A held lock; released on drop.
pub trait VfsLock: Send + Sync + Debug {}

/// Reads a whole file.
pub fn read(vfs: &dyn Vfs, path: &Path) -> io::Result<Vec<u8>> {
    let file = vfs.open(path, OpenMode::Read)?;
    let mut bytes = vec![0; file.length()? as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

/// Puts a durable file with these contents in the place of `path`: whoever opens it sees the old or the new one, whole.
pub fn replace(vfs: &dyn Vfs, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let file = vfs.open(&temporary, OpenMode::Create)?;
    file.set_length(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync()?;
    vfs.rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => vfs.sync_directory(directory),
        None => Ok(()),
    }
}
