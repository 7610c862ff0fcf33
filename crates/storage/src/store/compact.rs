//! Compaction: the block files of a shard's time slice become one packed file, with deletions applied. Readers go on with the files
//! that they have; writers and flushes are not held up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use embudo_types::{Error, Result};

use super::{Store, lock};
use crate::block_file::{BlockFile, BlockFileWriter};
use crate::compaction::rewrite;
use crate::manifest::{Change, FileEntry, block_file_path};
use crate::resolve::slice;
use crate::rows::{Sequence, TimeRange, Uid};
use crate::source::Tombstone;
use crate::version::StoreFile;

impl Store {
    /// Compacts every slice that has a file reaching into the range. What fails leaves its files as they were; the first failure is
    /// returned, after the other slices are done.
    pub(super) fn compact_range(&self, range: TimeRange) -> Result<()> {
        let _one = lock(&self.compacting);
        let mut groups: BTreeMap<(usize, i64), Vec<StoreFile>> = BTreeMap::new();
        for (shard, part) in self.version().shards.iter().enumerate() {
            for file in &part.files {
                groups.entry((shard, file.entry.range.start.div_euclid(self.options.slice))).or_default().push(file.clone());
            }
        }
        let groups: Vec<_> = groups.into_iter().filter(|(_, files)| files.iter().any(|file| file.entry.range.overlaps(range))).collect();
        let done = self.options.scheduler.parallel(groups.len(), |group| self.compact_files(groups[group].0.0, &groups[group].1));
        done.into_iter().collect::<Result<()>>()?;
        self.forget_tombstones()
    }

    /// Puts one packed file in the place of all files of a slice, oldest first.
    fn compact_files(&self, shard: usize, files: &[StoreFile]) -> Result<()> {
        if let [only] = files
            && only.file.as_ref().map_err(Clone::clone)?.summary().is_packed
            && !self.version().tombstones.values().flatten().any(|tombstone| may_hide(tombstone, only))
        {
            return Ok(());
        }
        self.merge_files(shard, files, true, true)
    }

    /// Puts one file in the place of files of a slice that follow one another, oldest first; `is_oldest` tells that the slice has none before
    /// them. Rows older than KEEP are left out.
    pub(super) fn merge_files(&self, shard: usize, files: &[StoreFile], is_oldest: bool, packed: bool) -> Result<()> {
        let inputs: Vec<Arc<BlockFile>> = files.iter().map(|file| file.file.clone()).collect::<Result<_>>()?;
        let (version, kept_from) = (self.version(), self.kept_from());
        let number = self.reserve_file()?;
        let path = block_file_path(&self.options.directory, number);
        let options = &self.options;
        let mut writer: Option<BlockFileWriter> = None;
        let written = rewrite(&inputs, &version.tombstones, is_oldest, &mut |batch, sequences| {
            let expired = batch.timestamps.partition_point(|timestamp| *timestamp < kept_from);
            if expired == batch.rows() {
                return Ok(());
            }
            let create = if packed { BlockFileWriter::create_packed } else { BlockFileWriter::create };
            let writer = match &mut writer {
                Some(writer) => writer,
                None => writer.insert(create(&*options.vfs, &path, options.precision)?),
            };
            writer.write(&slice(batch, expired..batch.rows()), sequences)
        });
        let finished = written.and_then(|()| writer.take().map(BlockFileWriter::finish).transpose()).and_then(|summary| {
            let Some(summary) = summary else { return Ok(None) };
            if let Some(directory) = path.parent() {
                options.vfs.sync_directory(directory).map_err(|error| Error::io(format!("sync {}", directory.display()), error))?;
            }
            let (range, sequences, rows, bytes) = (summary.range, summary.sequences, summary.rows, summary.bytes);
            let entry = FileEntry { number, shard: shard as u16, range, sequences, rows, bytes };
            Ok(Some(StoreFile { entry, file: Ok(BlockFile::open(&*options.vfs, &path, &options.block_cache)?) }))
        });
        match finished {
            Ok(file) => {
                self.merges.fetch_add(1, Ordering::Relaxed);
                self.merged_bytes.fetch_add(file.as_ref().map_or(0, |file| file.entry.bytes), Ordering::Relaxed);
                self.replace_files(shard, files, file)
            }
            Err(error) => {
                // The manifest does not name it: what cannot be removed now is removed when the store is opened again.
                let _ = options.vfs.remove(&path);
                Err(error)
            }
        }
    }

    /// A file number that no flush will take.
    fn reserve_file(&self) -> Result<u64> {
        let _no_flush = lock(&self.flushing);
        let mut manifest = lock(&self.manifest);
        manifest.settle()?;
        let number = manifest.state().next_file;
        manifest.edit(&[Change::NextFile(number + 1)])?;
        Ok(number)
    }

    /// Names the new file instead of the old ones, lets readers see it, and removes the old ones.
    pub(super) fn replace_files(&self, shard: usize, old: &[StoreFile], new: Option<StoreFile>) -> Result<()> {
        let mut changes: Vec<Change> = new.iter().map(|file| Change::AddFile(file.entry)).collect();
        changes.extend(old.iter().map(|file| Change::RemoveFile(file.entry.number)));
        // On an error the manifest may name either: both stay until it is settled.
        lock(&self.manifest).edit(&changes)?;
        let is_old = |file: &StoreFile| old.iter().any(|old| old.entry.number == file.entry.number);
        self.replace_version(|version| {
            let files = &mut version.shards[shard].files;
            let place = files.iter().position(is_old).unwrap_or(files.len());
            files.retain(|file| !is_old(file));
            if let Some(new) = new {
                files.insert(place.min(files.len()), new);
            }
        });
        for file in old {
            // What cannot be removed now is removed when the store is opened again.
            let _ = self.options.vfs.remove(&block_file_path(&self.options.directory, file.entry.number));
        }
        Ok(())
    }

    /// Forgets deletions that no file has rows for any more.
    pub(super) fn forget_tombstones(&self) -> Result<()> {
        let version = self.version();
        let mut forgotten: Vec<(Uid, Sequence)> = Vec::new();
        for (&uid, tombstones) in version.tombstones.iter() {
            let files = &version.shards[self.shard_of(uid) as usize].files;
            let is_needed = |tombstone: &Tombstone| {
                files.iter().filter(|file| may_hide(tombstone, file)).any(|file| match file.sources(uid, tombstone.range) {
                    Ok(sources) => sources.iter().any(|source| source.sequences().max < tombstone.sequence),
                    // A file that cannot tell may hold such rows.
                    Err(_) => true,
                })
            };
            // By sequence: those before the first that is needed.
            if let Some(last) = tombstones.iter().take_while(|tombstone| !is_needed(tombstone)).last() {
                forgotten.push((uid, last.sequence));
            }
        }
        if forgotten.is_empty() {
            return Ok(());
        }
        lock(&self.manifest).edit(&forgotten.iter().map(|&(uid, sequence)| Change::ForgetTombstones(uid, sequence)).collect::<Vec<_>>())?;
        self.replace_version(|version| {
            let all = Arc::make_mut(&mut version.tombstones);
            for (uid, sequence) in forgotten {
                if let Some(tombstones) = all.get_mut(&uid) {
                    tombstones.retain(|tombstone| tombstone.sequence > sequence);
                    if tombstones.is_empty() {
                        all.remove(&uid);
                    }
                }
            }
        });
        Ok(())
    }
}

/// Whether the file may have rows that the deletion hides, as far as its own ranges tell.
fn may_hide(tombstone: &Tombstone, file: &StoreFile) -> bool {
    file.entry.range.overlaps(tombstone.range) && file.entry.sequences.min < tombstone.sequence
}
