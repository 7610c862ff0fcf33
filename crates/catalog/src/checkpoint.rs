//! Catalogue files: what a database's log says of its tables, up to a sequence, in two `redb` files that are written in turn. When one
//! is damaged the other stands with the log behind it, since the log keeps what the older of both does not have.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use embudo_storage::Sequence;
use embudo_storage::vfs::{OpenMode, Vfs, VfsFile};
use embudo_types::{Error, Result};
use parking_lot::{Mutex, MutexGuard};
use redb::{ReadableDatabase, ReadableTable, StorageBackend, TableDefinition};

use crate::change::{Change, decode, encode};
use crate::database::{Changed, Contents};
use crate::past::PastTable;

/// Tables by uid: the record that makes each.
const TABLES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("tables");
/// One row: the sequence that the file stands for.
const SEQUENCE: TableDefinition<'_, u8, u64> = TableDefinition::new("sequence");
/// Tables as they were before a record changed them, by its sequence and their uid: the record that makes each.
const PAST: TableDefinition<'_, (u64, u64), &[u8]> = TableDefinition::new("past");
const FILES: [&str; 2] = ["catalogue-a.redb", "catalogue-b.redb"];
const CACHE: usize = 4 << 20;

/// The two files of one database.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    sides: Mutex<[Side; 2]>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Side {
    /// What the file stands for, 0 for none.
    sequence: Sequence,
    /// The file does not hold what was not told as changed: it is made anew.
    anew: bool,
}

/// The right to write the older file.
#[derive(Debug)]
pub(crate) struct CheckpointWriter<'a> {
    checkpoint: &'a Checkpoint,
    sides: MutexGuard<'a, [Side; 2]>,
    side: usize,
}

/// What a database's files gave.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Loaded {
    /// What the newer file stands for, 0 for none: later records are to be applied.
    pub sequence: Sequence,
    /// The older file, where it is whole: records above its sequence and up to [`sequence`](Self::sequence) tell what it lacks.
    pub older: Option<(usize, Sequence)>,
}

impl Checkpoint {
    /// Fills `contents` from the newer file, or from the older where that is damaged.
    pub fn load(vfs: Arc<dyn Vfs>, directory: &Path, read_only: bool, contents: &Contents) -> Result<(Self, Loaded)> {
        let mut sides = [Side { sequence: 0, anew: true }; 2];
        let mut loaded = Loaded::default();
        let mut found: Vec<(Sequence, usize)> = Vec::new();
        for (side, name) in FILES.iter().enumerate() {
            let path = directory.join(name);
            if vfs.exists(&path).unwrap_or(false) {
                found.extend(whole(&path, open_file(&*vfs, &path, read_only).and_then(|file| read_sequence(&file, &path))).map(|sequence| (sequence, side)));
            }
        }
        found.sort_unstable();
        while let Some((sequence, side)) = found.pop() {
            let path = directory.join(FILES[side]);
            let records = open_file(&*vfs, &path, read_only).and_then(|file| read_records(&file, &path));
            let Some(records) = whole(&path, records) else { continue };
            let (records, past) = records;
            records.iter().try_for_each(|change| contents.apply(sequence, std::slice::from_ref(change), true))?;
            contents.restore_past(past);
            sides[side] = Side { sequence, anew: false };
            loaded.sequence = sequence;
            loaded.older = found.pop().map(|(older, side)| (side, older));
            match loaded.older {
                Some((side, sequence)) => sides[side] = Side { sequence, anew: false },
                None => contents.mark_all_changed(1 - side),
            }
            break;
        }
        Ok((Self { vfs, directory: directory.into(), sides: Mutex::new(sides) }, loaded))
    }

    /// Takes the turn of the older file.
    pub fn begin(&self) -> CheckpointWriter<'_> {
        let sides = self.sides.lock();
        let side = usize::from(sides[1].sequence < sides[0].sequence);
        CheckpointWriter { checkpoint: self, sides, side }
    }

    /// What a file holds is not known any more: it is made anew at its next turn.
    pub fn forget(&self, side: usize) {
        self.sides.lock()[side].anew = true;
    }
}

/// What was read of a file, or a word in the log that it was not.
fn whole<T>(path: &Path, read: Result<T>) -> Option<T> {
    read.inspect_err(|error| tracing::warn!(file = %path.display(), %error, "a catalogue file is damaged; the other one and the log stand in for it")).ok()
}

impl CheckpointWriter<'_> {
    /// Which file's turn it is.
    pub fn side(&self) -> usize {
        self.side
    }

    /// What the newer file stands for.
    pub fn newest(&self) -> Sequence {
        self.sides[0].sequence.max(self.sides[1].sequence)
    }

    /// What the file whose turn it is stands for; 0 where it is made anew.
    pub fn sequence(&self) -> Sequence {
        let side = self.sides[self.side];
        if side.anew { 0 } else { side.sequence }
    }

    /// Writes changed tables durably, and `past` tables, of which those that no record from `first` on needs go; gives the sequence up to
    /// which both files hold everything.
    pub fn write(&mut self, changes: &[Changed], past: &[Arc<PastTable>], first: Sequence, sequence: Sequence) -> Result<Sequence> {
        let path = self.checkpoint.directory.join(FILES[self.side]);
        let vfs = &*self.checkpoint.vfs;
        if self.sides[self.side].anew && vfs.exists(&path).unwrap_or(false) {
            vfs.remove(&path).map_err(|error| Error::io(format!("removing {}", path.display()), error))?;
        }
        // Until it is whole, the file stands for nothing.
        self.sides[self.side].anew = true;
        let file = vfs.open(&path, OpenMode::Create).map_err(|error| Error::io(format!("opening {}", path.display()), error))?;
        write_file(file, changes, past, first, sequence).map_err(|error| failed(&path, error))?;
        vfs.sync_directory(&self.checkpoint.directory).map_err(|error| Error::io("syncing the catalogue's directory", error))?;
        self.sides[self.side] = Side { sequence, anew: false };
        Ok(self.sides[0].sequence.min(self.sides[1].sequence))
    }
}

fn write_file(
    file: Arc<dyn VfsFile>,
    changes: &[Changed],
    past: &[Arc<PastTable>],
    first: Sequence,
    sequence: Sequence,
) -> std::result::Result<(), redb::Error> {
    let database = redb::Builder::new().set_cache_size(CACHE).create_with_backend(Backend(file))?;
    let transaction = database.begin_write()?;
    {
        let mut tables = transaction.open_table(TABLES)?;
        for (uid, _, record) in changes {
            match record {
                Some(record) => drop(tables.insert(uid, encode(std::slice::from_ref(record)).as_slice())?),
                None => drop(tables.remove(uid)?),
            }
        }
        let mut kept = transaction.open_table(PAST)?;
        kept.retain_in((0, 0)..(first.saturating_add(1), 0), |_, _| false)?;
        for table in past {
            kept.insert((table.until, table.uid), encode(std::slice::from_ref(&table.made)).as_slice())?;
        }
        transaction.open_table(SEQUENCE)?.insert(0, sequence)?;
    }
    transaction.commit()?;
    Ok(())
}

fn open_file(vfs: &dyn Vfs, path: &Path, read_only: bool) -> Result<redb::Database> {
    let open = || -> std::result::Result<redb::Database, redb::Error> {
        let mut builder = redb::Builder::new();
        builder.set_cache_size(CACHE);
        if read_only {
            let copy = redb::backends::InMemoryBackend::new();
            let bytes = embudo_storage::vfs::read(vfs, path)?;
            copy.set_len(bytes.len() as u64)?;
            copy.write(0, &bytes)?;
            Ok(builder.create_with_backend(copy)?)
        } else {
            Ok(builder.create_with_backend(Backend(vfs.open(path, OpenMode::Write)?))?)
        }
    };
    open().map_err(|error| failed(path, error))
}

fn read_sequence(database: &redb::Database, path: &Path) -> Result<Sequence> {
    let read = || -> std::result::Result<Sequence, redb::Error> {
        let sequence = database.begin_read()?.open_table(SEQUENCE)?.get(0)?;
        Ok(sequence.map_or(0, |sequence| sequence.value()))
    };
    read().map_err(|error| failed(path, error))
}

/// Records of a file, in order of uid: a supertable comes before its children. Then its past tables.
fn read_records(database: &redb::Database, path: &Path) -> Result<(Vec<Change>, Vec<PastTable>)> {
    let mut changes = Vec::new();
    let mut past = Vec::new();
    let mut read = || -> std::result::Result<Result<()>, redb::Error> {
        let transaction = database.begin_read()?;
        for entry in transaction.open_table(TABLES)?.iter()? {
            match decode(entry?.1.value()) {
                Ok(mut record) => changes.append(&mut record),
                Err(error) => return Ok(Err(error)),
            }
        }
        let kept = match transaction.open_table(PAST) {
            Ok(kept) => kept,
            // Files of versions before had none.
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(Ok(())),
            Err(error) => return Err(error.into()),
        };
        for entry in kept.iter()? {
            let (place, record) = entry?;
            let (until, uid) = place.value();
            match decode(record.value()) {
                Ok(made) => past.extend(made.into_iter().map(|made| PastTable { until, uid, made })),
                Err(error) => return Ok(Err(error)),
            }
        }
        Ok(Ok(()))
    };
    read().map_err(|error| failed(path, error))??;
    Ok((changes, past))
}

fn failed(path: &Path, error: redb::Error) -> Error {
    match error {
        redb::Error::Io(error) => Error::io(format!("catalogue file {}", path.display()), error),
        error => Error::internal(format!("catalogue file {}: {error}", path.display())).caused_by(error),
    }
}

/// A file of the `Vfs` as redb sees it. The directory's lock excludes other processes.
#[derive(Debug)]
struct Backend(Arc<dyn VfsFile>);

impl StorageBackend for Backend {
    fn len(&self) -> std::io::Result<u64> {
        self.0.length()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, length: u64) -> std::io::Result<()> {
        self.0.set_length(length)
    }

    fn sync_data(&self) -> std::io::Result<()> {
        self.0.sync()
    }

    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
