//! INSERT … FILE: the files that a statement may read.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use embudo_storage::vfs::{OpenMode, RealVfs, Vfs, VfsFile};
use embudo_types::{Error, Result};

/// Bytes asked for at a time.
const STEP: usize = 1 << 16;

/// Opens a file of the machine.
pub(crate) fn open(path: &str) -> Result<Box<dyn Read>> {
    let fail = |error| Error::io(format!("reading {path}"), error);
    let file = RealVfs.open(Path::new(path), OpenMode::Read).map_err(fail)?;
    let length = file.length().map_err(fail)?;
    Ok(Box::new(FileReader { file, offset: 0, length }))
}

/// Reads a file from its beginning to the end that it had when it was opened.
struct FileReader {
    file: Arc<dyn VfsFile>,
    offset: u64,
    length: u64,
}

impl Read for FileReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.length.saturating_sub(self.offset);
        let step = buffer.len().min(STEP).min(usize::try_from(left).unwrap_or(STEP));
        self.file.read_exact_at(&mut buffer[..step], self.offset)?;
        self.offset += step as u64;
        Ok(step)
    }
}
