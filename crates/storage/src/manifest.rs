//! Which block files a store has and how far they reach (`docs/format.md`, Manifest): edits appended and synced, rewritten from time
//! to time by an atomic rename. What an edit means for readers is the store's.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use embudo_codec::{Reader, checksum, write_signed, write_varint};
use embudo_types::{Error, Precision, Result, code};

use crate::options::Damage;
use crate::rows::{Sequence, SequenceRange, TimeRange, Uid};
use crate::source::Tombstone;
use crate::vfs::{self, OpenMode, Vfs, VfsFile};
use crate::wal::{check_file_header, file_header};

const MAGIC: [u8; 8] = *b"EMBUDOMF";
const VERSION: u16 = 1;
const HEADER: usize = 32;
/// Length from which the manifest is rewritten once it is four times what it says.
const REWRITE_BYTES: usize = 1 << 20;

/// A block file as the manifest knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileEntry {
    /// Number in its name.
    pub(crate) number: u64,
    /// Its shard.
    pub(crate) shard: u16,
    /// Time of its rows.
    pub(crate) range: TimeRange,
    /// Sequences of its rows.
    pub(crate) sequences: SequenceRange,
    /// Rows.
    pub(crate) rows: u64,
    /// Length.
    pub(crate) bytes: u64,
}

/// One step of an edit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// What the store was made with: shards, slice, precision.
    Store(u16, i64, Precision),
    /// A new file.
    AddFile(FileEntry),
    /// A file that is replaced or empty.
    RemoveFile(u64),
    /// All of a shard up to the sequence is in files.
    Flushed(u16, Sequence),
    /// A deletion that files must be read with.
    AddTombstone(Tombstone),
    /// The table's deletions up to the sequence are applied everywhere.
    ForgetTombstones(Uid, Sequence),
    /// The catalogue holds its entries up to the sequence.
    Meta(Sequence),
    /// The next file's number.
    NextFile(u64),
}

/// What the edits come to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ManifestState {
    /// Number of shards; 0 in a manifest without its first edit.
    pub(crate) shards: u16,
    /// Ticks of a time slice.
    pub(crate) slice: i64,
    /// Precision of timestamps.
    pub(crate) precision: Precision,
    /// Files by number.
    pub(crate) files: BTreeMap<u64, FileEntry>,
    /// By shard.
    pub(crate) flushed: Vec<Sequence>,
    /// In order of table, then of arrival.
    pub(crate) tombstones: BTreeMap<Uid, Vec<Tombstone>>,
    /// The catalogue's checkpoint.
    pub(crate) meta: Sequence,
    /// Number of the next file.
    pub(crate) next_file: u64,
}

/// The manifest of an open store.
pub(crate) struct Manifest {
    vfs: Arc<dyn Vfs>,
    path: PathBuf,
    now: i64,
    file: Option<Arc<dyn VfsFile>>,
    length: usize,
    /// An edit failed: the file may hold more than `state`.
    in_doubt: bool,
    state: ManifestState,
}

impl ManifestState {
    fn apply(&mut self, change: &Change) {
        match change {
            Change::Store(shards, slice, precision) => {
                (self.shards, self.slice, self.precision) = (*shards, *slice, *precision);
                self.flushed.resize(usize::from(*shards), 0);
            }
            Change::AddFile(entry) => {
                self.files.insert(entry.number, *entry);
            }
            Change::RemoveFile(number) => {
                self.files.remove(number);
            }
            Change::Flushed(shard, sequence) => {
                if let Some(flushed) = self.flushed.get_mut(usize::from(*shard)) {
                    *flushed = *sequence;
                }
            }
            Change::AddTombstone(tombstone) => self.tombstones.entry(tombstone.uid).or_default().push(*tombstone),
            Change::ForgetTombstones(uid, sequence) => {
                if let Some(tombstones) = self.tombstones.get_mut(uid) {
                    tombstones.retain(|tombstone| tombstone.sequence > *sequence);
                    if tombstones.is_empty() {
                        self.tombstones.remove(uid);
                    }
                }
            }
            Change::Meta(sequence) => self.meta = *sequence,
            Change::NextFile(number) => self.next_file = *number,
        }
    }

    fn changes(&self) -> Vec<Change> {
        let mut changes = vec![Change::Store(self.shards, self.slice, self.precision), Change::Meta(self.meta), Change::NextFile(self.next_file)];
        changes.extend(self.files.values().map(|entry| Change::AddFile(*entry)));
        changes.extend(self.flushed.iter().enumerate().map(|(shard, sequence)| Change::Flushed(shard as u16, *sequence)));
        changes.extend(self.tombstones.values().flatten().map(|tombstone| Change::AddTombstone(*tombstone)));
        changes
    }
}

impl Manifest {
    /// Reads the manifest, if there is one, and what of it was damaged. A torn last edit never happened.
    pub(crate) fn open(vfs: Arc<dyn Vfs>, path: PathBuf, now: i64) -> Result<(Self, Option<Damage>)> {
        let mut manifest = Self { vfs, path, now, file: None, length: 0, in_doubt: false, state: ManifestState::default() };
        let failed = |error| Error::io(format!("read {}", manifest.path.display()), error);
        if !manifest.vfs.exists(&manifest.path).map_err(failed)? {
            return Ok((manifest, None));
        }
        let bytes = vfs::read(&*manifest.vfs, &manifest.path).map_err(failed)?;
        if let Err(what) = check_file_header(&bytes, MAGIC, VERSION) {
            let code = if what.contains("this program") { code::VERSION_NOT_COMPATIBLE } else { code::CHECKSUM_ERROR };
            return Err(Error::with(code, format!("{}: {what}", manifest.path.display())));
        }
        let mut at = HEADER;
        while let Some(payload) = edit_at(&bytes, at) {
            let broken = |error: Error| Error::corrupt(format!("{} at {at}: {}", manifest.path.display(), error.message()));
            for change in read_changes(payload).map_err(broken)? {
                manifest.state.apply(&change);
            }
            at += 8 + payload.len();
        }
        let rest = bytes.len() - at;
        // Behind a torn edit there is nothing; a whole edit there means that a byte in between was lost.
        if (at + 1..bytes.len()).any(|from| edit_at(&bytes, from).is_some_and(|payload| !payload.is_empty() && read_changes(payload).is_ok())) {
            return Err(Error::corrupt(format!("{} at {at}: broken edit", manifest.path.display())));
        }
        let damage =
            (rest > 0).then(|| Damage { file: manifest.path.clone(), offset: at as u64, bytes: rest as u64, what: "torn edit".into(), torn_tail: true });
        manifest.length = at;
        manifest.in_doubt = rest > 0;
        Ok((manifest, damage))
    }

    /// What the edits so far come to.
    pub(crate) fn state(&self) -> &ManifestState {
        &self.state
    }

    /// After an edit that failed the disk may hold it or not: writes the state before it again, so that it never happened.
    pub(crate) fn settle(&mut self) -> Result<()> {
        if self.in_doubt { self.rewrite(&self.state.clone()) } else { Ok(()) }
    }

    /// Makes an edit durable. After an error it may be there or not; [`settle`](Self::settle) decides that it is not.
    pub(crate) fn edit(&mut self, changes: &[Change]) -> Result<()> {
        let mut next = self.state.clone();
        for change in changes {
            next.apply(change);
        }
        let edit = edit_bytes(changes);
        let size = HEADER + self.state.files.len() * 40 + self.state.tombstones.len() * 24;
        self.settle()?;
        if self.length == 0 || self.length + edit.len() > REWRITE_BYTES.max(4 * size) {
            self.rewrite(&next)?;
        } else if let Err(error) = self.append(&edit) {
            self.in_doubt = true;
            return Err(Error::io(format!("write {}", self.path.display()), error));
        }
        self.state = next;
        Ok(())
    }

    fn append(&mut self, edit: &[u8]) -> io::Result<()> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.vfs.open(&self.path, OpenMode::Write)?,
        };
        file.write_all_at(edit, self.length as u64)?;
        file.sync()?;
        self.file = Some(file);
        self.length += edit.len();
        Ok(())
    }

    fn rewrite(&mut self, state: &ManifestState) -> Result<()> {
        let mut bytes = file_header(MAGIC, VERSION, self.now).to_vec();
        bytes.extend_from_slice(&edit_bytes(&state.changes()));
        (self.file, self.length, self.in_doubt) = (None, 0, true);
        vfs::replace(&*self.vfs, &self.path, &bytes).map_err(|error| Error::io(format!("write {}", self.path.display()), error))?;
        (self.length, self.in_doubt) = (bytes.len(), false);
        Ok(())
    }
}

/// The name of a block file.
pub(crate) fn block_file_path(directory: &Path, number: u64) -> PathBuf {
    directory.join("blocks").join(format!("{number:010}.blocks"))
}

fn edit_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes.get(at..)?);
    let (length, sum) = (reader.u32().ok()?, reader.u32().ok()?);
    let payload = reader.take(length as usize).ok()?;
    (checksum(payload) == sum).then_some(payload)
}

fn edit_bytes(changes: &[Change]) -> Vec<u8> {
    let mut out = vec![0; 8];
    for change in changes {
        match change {
            Change::Store(shards, slice, precision) => {
                out.push(1);
                write_varint(&mut out, u64::from(*shards));
                write_signed(&mut out, *slice);
                out.push(*precision as u8);
            }
            Change::AddFile(entry) => {
                out.push(2);
                write_varint(&mut out, entry.number);
                write_varint(&mut out, u64::from(entry.shard));
                write_signed(&mut out, entry.range.start);
                write_signed(&mut out, entry.range.end);
                for number in [entry.sequences.min, entry.sequences.max, entry.rows, entry.bytes] {
                    write_varint(&mut out, number);
                }
            }
            Change::RemoveFile(number) => {
                out.push(3);
                write_varint(&mut out, *number);
            }
            Change::Flushed(shard, sequence) => {
                out.push(4);
                write_varint(&mut out, u64::from(*shard));
                write_varint(&mut out, *sequence);
            }
            Change::AddTombstone(tombstone) => {
                out.push(5);
                write_varint(&mut out, tombstone.uid);
                write_signed(&mut out, tombstone.range.start);
                write_signed(&mut out, tombstone.range.end);
                write_varint(&mut out, tombstone.sequence);
            }
            Change::ForgetTombstones(uid, sequence) => {
                out.push(6);
                write_varint(&mut out, *uid);
                write_varint(&mut out, *sequence);
            }
            Change::Meta(sequence) => {
                out.push(7);
                write_varint(&mut out, *sequence);
            }
            Change::NextFile(number) => {
                out.push(8);
                write_varint(&mut out, *number);
            }
        }
    }
    let length = (out.len() - 8) as u32;
    out[..4].copy_from_slice(&length.to_le_bytes());
    let sum = checksum(&out[8..]);
    out[4..8].copy_from_slice(&sum.to_le_bytes());
    out
}

fn read_changes(payload: &[u8]) -> Result<Vec<Change>> {
    let mut reader = Reader::new(payload);
    let reader = &mut reader;
    let shard = |reader: &mut Reader<'_>| Ok::<_, Error>(reader.length(usize::from(u16::MAX))? as u16);
    let range = |reader: &mut Reader<'_>| Ok::<_, Error>(TimeRange::new(reader.signed()?, reader.signed()?));
    let mut changes = Vec::new();
    while reader.remaining() > 0 {
        changes.push(match reader.byte()? {
            1 => {
                let (shards, slice) = (shard(reader)?, reader.signed()?);
                let precision = match reader.byte()? {
                    0 => Precision::Milli,
                    1 => Precision::Micro,
                    2 => Precision::Nano,
                    other => return Err(Error::corrupt(format!("precision {other}"))),
                };
                Change::Store(shards, slice, precision)
            }
            2 => Change::AddFile(FileEntry {
                number: reader.varint()?,
                shard: shard(reader)?,
                range: range(reader)?,
                sequences: SequenceRange { min: reader.varint()?, max: reader.varint()? },
                rows: reader.varint()?,
                bytes: reader.varint()?,
            }),
            3 => Change::RemoveFile(reader.varint()?),
            4 => Change::Flushed(shard(reader)?, reader.varint()?),
            5 => Change::AddTombstone(Tombstone { uid: reader.varint()?, range: range(reader)?, sequence: reader.varint()? }),
            6 => Change::ForgetTombstones(reader.varint()?, reader.varint()?),
            7 => Change::Meta(reader.varint()?),
            8 => Change::NextFile(reader.varint()?),
            other => return Err(Error::corrupt(format!("manifest change {other}"))),
        });
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vfs::MemoryVfs;

    #[test]
    fn edits_come_back_and_a_torn_one_never_happened() {
        let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
        let path = PathBuf::from("/db/MANIFEST");
        let (mut manifest, _) = Manifest::open(vfs.clone(), path.clone(), 0).unwrap();
        manifest.edit(&[Change::Store(2, 86_400_000, Precision::Micro), Change::NextFile(1)]).unwrap();
        let entry = FileEntry { number: 1, shard: 1, range: TimeRange::new(-5, 9), sequences: SequenceRange { min: 3, max: 8 }, rows: 10, bytes: 99 };
        let tombstone = Tombstone { uid: 4, range: TimeRange::ALL, sequence: 9 };
        manifest.edit(&[Change::AddFile(entry), Change::NextFile(2), Change::Flushed(1, 8), Change::AddTombstone(tombstone)]).unwrap();
        let before = manifest.state().clone();
        manifest.edit(&[Change::Meta(7), Change::ForgetTombstones(4, 9), Change::RemoveFile(1)]).unwrap();
        let (again, damage) = Manifest::open(vfs.clone(), path.clone(), 0).unwrap();
        assert_eq!((again.state(), damage), (manifest.state(), None));
        let file = vfs.open(&path, OpenMode::Write).unwrap();
        file.set_length(file.length().unwrap() - 1).unwrap();
        let (mut again, damage) = Manifest::open(vfs.clone(), path.clone(), 0).unwrap();
        assert_eq!(again.state(), &before);
        assert!(damage.unwrap().torn_tail);
        again.edit(&[Change::Meta(8)]).unwrap();
        let (last, damage) = Manifest::open(vfs, path, 0).unwrap();
        assert_eq!((last.state(), damage), (again.state(), None));
    }
}
