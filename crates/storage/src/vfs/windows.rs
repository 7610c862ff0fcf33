//! What only Windows does its way: reads and writes at an offset, volume and file number, the size of a disk. It has no fork.

use std::fs::File;
use std::io;
use std::os::windows::fs::FileExt;
use std::path::Path;

use winapi_util::Handle;
use winapi_util::file::information;

pub(super) fn note_locked(_file: &File) {}

pub(super) fn note_unlocked(_file: &File) {}

/// Nothing is inherited where there is no fork.
pub fn after_fork() {}

/// What tells a directory from every other one whatever its path: the volume and the file's number on it.
pub fn directory_identity(path: &Path) -> io::Result<(u64, u64)> {
    let facts = information(Handle::from_path_any(path)?)?;
    Ok((facts.volume_serial_number(), facts.file_index()))
}

/// Bytes of the disk that a path lies on.
pub(super) fn disk_size(path: &Path) -> io::Result<u64> {
    fs4::total_space(path)
}

pub(super) fn read_exact_at(file: &File, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
    while !buffer.is_empty() {
        match file.seek_read(buffer, offset) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                buffer = &mut buffer[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

pub(super) fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => {
                bytes = &bytes[count..];
                offset += count as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
