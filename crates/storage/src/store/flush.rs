//! Memory into block files: freeze a shard's memory table, make the log durable up to it, write its rows by time slice, name the files
//! in the manifest, then let readers see them instead of the memory, and drop log segments that nothing needs any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use embudo_types::{Error, Result};

use super::{Numbering, Store, lock};
use crate::block_file::{BlockFile, BlockFileWriter};
use crate::manifest::{Change, FileEntry, block_file_path};
use crate::memtable::MemoryTable;
use crate::resolve::{resolve, slice};
use crate::rows::{ColumnBatch, Sequence, SequenceRange, TimeRange};
use crate::source::Tombstone;
use crate::version::{ShardVersion, StoreFile, Version};
use crate::wal::Log;

impl Store {
    /// Flushes shards, the one with most bytes first, until no more than `bytes` are in memory.
    pub(super) fn flush_to(&self, bytes: u64) -> Result<()> {
        let _one = lock(&self.flushing);
        for _ in 0..self.writers.len() {
            let version = self.version();
            if bytes > 0 && version.memory_bytes() <= bytes {
                break;
            }
            let weight = |shard: &ShardVersion| shard.memory().map(|memory| memory.bytes()).sum::<u64>();
            let Some((largest, _)) = version.shards.iter().map(weight).enumerate().max_by_key(|(_, weight)| *weight).filter(|(_, weight)| *weight > 0) else {
                break;
            };
            self.flush_shard(largest)?;
            self.schedule_upkeep(Duration::ZERO);
        }
        self.trim_log()
    }

    /// Writes all that a shard has in memory now.
    fn flush_shard(&self, shard: usize) -> Result<()> {
        self.freeze(shard);
        loop {
            let Some(memory) = self.version().shards[shard].frozen.first().cloned() else { return Ok(()) };
            let Some(sequences) = memory.sequences() else {
                self.replace_version(|version| drop(version.shards[shard].frozen.remove(0)));
                continue;
            };
            self.visible.wait(sequences.max);
            if let Numbering::Log(log) = &self.numbering {
                log.sync(sequences.max)?;
            }
            self.write_memory(shard, &memory, sequences)?;
        }
    }

    /// Gives writers a new memory table; the old one is complete then.
    fn freeze(&self, shard: usize) {
        let _writer = lock(&self.writers[shard]);
        self.replace_version(|version| {
            let part = &mut version.shards[shard];
            if part.active.sequences().is_some() {
                part.frozen.push(std::mem::replace(&mut part.active, Arc::new(MemoryTable::new(&self.options.budget))));
            }
        });
    }

    pub(super) fn replace_version(&self, change: impl FnOnce(&mut Version)) {
        let mut current = self.version.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut next = Version::clone(&current);
        change(&mut next);
        *current = Arc::new(next);
    }

    fn write_memory(&self, shard: usize, memory: &Arc<MemoryTable>, sequences: SequenceRange) -> Result<()> {
        let next = {
            let mut manifest = lock(&self.manifest);
            // Numbers may come again only once no manifest names them.
            manifest.settle()?;
            manifest.state().next_file
        };
        let mut writers = SliceWriters { store: self, next, writers: BTreeMap::new() };
        let written = write_tables(memory, &mut writers).and_then(|()| writers.finish(shard as u16));
        let (next, entries) = match written {
            Ok(written) => written,
            Err(error) => {
                self.remove_unfinished(next);
                return Err(error);
            }
        };
        let kept = self.tombstones_to_keep(shard, memory);
        let mut changes: Vec<Change> = entries.iter().map(|entry| Change::AddFile(*entry)).collect();
        changes.push(Change::NextFile(next));
        changes.push(Change::Flushed(shard as u16, sequences.max));
        changes.extend(kept.iter().map(|tombstone| Change::AddTombstone(*tombstone)));
        let mut files = Vec::with_capacity(entries.len());
        for entry in entries {
            let path = block_file_path(&self.options.directory, entry.number);
            files.push(StoreFile { entry, file: Ok(BlockFile::open(&*self.options.vfs, &path, &self.options.block_cache)?) });
        }
        // On an error the manifest may name the files or not: they stay until it is settled.
        lock(&self.manifest).edit(&changes)?;
        self.replace_version(|version| {
            let part = &mut version.shards[shard];
            part.frozen.remove(0);
            part.files.extend(files);
            part.serial += 1;
            if !kept.is_empty() {
                let tombstones = Arc::make_mut(&mut version.tombstones);
                for tombstone in kept {
                    tombstones.entry(tombstone.uid).or_default().push(tombstone);
                }
            }
        });
        Ok(())
    }

    /// Deletions in the memory that rows of older files may need.
    fn tombstones_to_keep(&self, shard: usize, memory: &MemoryTable) -> Vec<Tombstone> {
        let version = self.version();
        let older = &version.shards[shard].files;
        let needed = |tombstone: &Tombstone| {
            // A file that cannot tell may hold such rows.
            older.iter().any(|file| file.sources(tombstone.uid, tombstone.range).is_ok_and(|sources| !sources.is_empty()) || file.file.is_err())
        };
        memory.all_tombstones().into_iter().filter(needed).collect()
    }

    /// Removes the files of a flush that failed, whose numbers began with `first`. Compaction's have lower ones.
    fn remove_unfinished(&self, first: u64) {
        let state = lock(&self.manifest).state().clone();
        let directory = self.options.directory.join("blocks");
        for name in self.options.vfs.list(&directory).unwrap_or_default() {
            let number = name.strip_suffix(".blocks").and_then(|number| number.parse::<u64>().ok());
            if number.is_some_and(|number| number >= first && !state.files.contains_key(&number)) {
                // What cannot be removed now is removed when the store is opened again.
                let _ = self.options.vfs.remove(&directory.join(name));
            }
        }
    }

    /// Drops log segments up to the first record that memory or the catalogue still needs.
    pub(super) fn trim_log(&self) -> Result<()> {
        let Numbering::Log(log) = &self.numbering else { return Ok(()) };
        // Read before the version: what is appended meanwhile has a higher sequence.
        let mut safe = self.visible.get();
        if let Some(first) = lock(&self.meta).front() {
            safe = safe.min(first - 1);
        }
        for shard in &self.version().shards {
            for memory in shard.memory() {
                if let Some(sequences) = memory.sequences() {
                    safe = safe.min(sequences.min - 1);
                }
            }
        }
        log.trim(safe)?;
        self.mark_flushed(log, safe)
    }

    /// Writes down that nothing at or below `safe` is needed of the log, where that spares the next open a segment which retention keeps.
    fn mark_flushed(&self, log: &Log, safe: Sequence) -> Result<()> {
        let marked = {
            let manifest = lock(&self.manifest);
            let state = manifest.state();
            state.flushed.iter().copied().chain([state.meta]).min().unwrap_or(0)
        };
        if !log.has_sealed(marked, safe) {
            return Ok(());
        }
        // The manifest must not speak of records that a power loss may still take.
        log.sync(safe)?;
        let mut manifest = lock(&self.manifest);
        let state = manifest.state();
        let shards = state.flushed.iter().enumerate().filter(|(_, flushed)| **flushed < safe).map(|(shard, _)| Change::Flushed(shard as u16, safe));
        let mut changes: Vec<Change> = shards.collect();
        if state.meta < safe {
            changes.push(Change::Meta(safe));
        }
        manifest.edit(&changes)
    }
}

/// Block files being written, one a time slice.
struct SliceWriters<'a> {
    store: &'a Store,
    next: u64,
    writers: BTreeMap<i64, (u64, BlockFileWriter)>,
}

impl SliceWriters<'_> {
    /// Writes sorted rows of one table, cut at slices.
    fn write(&mut self, batch: &ColumnBatch, sequences: SequenceRange) -> Result<()> {
        let ticks = self.store.options.slice;
        let mut start = 0;
        while start < batch.rows() {
            let number = batch.timestamps[start].div_euclid(ticks);
            let end = start + batch.timestamps[start..].partition_point(|timestamp| timestamp.div_euclid(ticks) == number);
            let writer = match self.writers.entry(number) {
                std::collections::btree_map::Entry::Occupied(open) => &mut open.into_mut().1,
                std::collections::btree_map::Entry::Vacant(free) => {
                    let options = &self.store.options;
                    let path = block_file_path(&options.directory, self.next);
                    // The number of a flush that failed may come again.
                    if options.vfs.exists(&path).map_err(|error| Error::io(format!("look for {}", path.display()), error))? {
                        options.vfs.remove(&path).map_err(|error| Error::io(format!("remove {}", path.display()), error))?;
                    }
                    let writer = BlockFileWriter::create(&*options.vfs, &path, options.precision)?;
                    self.next += 1;
                    &mut free.insert((self.next - 1, writer)).1
                }
            };
            writer.write(&slice(batch, start..end), sequences)?;
            start = end;
        }
        Ok(())
    }

    /// Makes the files and their names durable.
    fn finish(self, shard: u16) -> Result<(u64, Vec<FileEntry>)> {
        let mut entries = Vec::with_capacity(self.writers.len());
        for (number, writer) in self.writers.into_values() {
            let summary = writer.finish()?;
            let (range, sequences, rows, bytes) = (summary.range, summary.sequences, summary.rows, summary.bytes);
            entries.push(FileEntry { number, shard, range, sequences, rows, bytes });
        }
        let directory = self.store.options.directory.join("blocks");
        self.store.options.vfs.sync_directory(&directory).map_err(|error| Error::io(format!("sync {}", directory.display()), error))?;
        Ok((self.next, entries))
    }
}

/// Writes all tables of a memory table, its own deletions applied.
fn write_tables(memory: &MemoryTable, writers: &mut SliceWriters<'_>) -> Result<()> {
    for uid in memory.uids() {
        let tombstones = memory.tombstones(uid, u64::MAX);
        let mut parts: Vec<(ColumnBatch, SequenceRange)> = Vec::new();
        for (batch, sequences) in memory.batches(uid, &tombstones)? {
            cut_deleted(batch, sequences, &tombstones, &mut parts);
        }
        for (batch, sequences) in disjoint(&parts)? {
            writers.write(&batch, sequences)?;
        }
    }
    Ok(())
}

/// Adds the rows of a source that no newer deletion hides.
fn cut_deleted(batch: ColumnBatch, sequences: SequenceRange, tombstones: &[Tombstone], out: &mut Vec<(ColumnBatch, SequenceRange)>) {
    let mut hidden: Vec<TimeRange> = tombstones.iter().filter(|tombstone| tombstone.sequence > sequences.max).map(|tombstone| tombstone.range).collect();
    if hidden.is_empty() {
        out.push((batch, sequences));
        return;
    }
    hidden.sort_unstable_by_key(|range| range.start);
    let mut start = 0;
    for range in hidden {
        let from = batch.timestamps.partition_point(|timestamp| *timestamp < range.start);
        let to = batch.timestamps.partition_point(|timestamp| *timestamp <= range.end);
        if from > start {
            out.push((slice(&batch, start..from), sequences));
        }
        start = start.max(to);
    }
    if start < batch.rows() {
        out.push((slice(&batch, start..batch.rows()), sequences));
    }
}

/// The same rows in key order: parts whose times overlap become one. `parts` are oldest first.
fn disjoint(parts: &[(ColumnBatch, SequenceRange)]) -> Result<Vec<(ColumnBatch, SequenceRange)>> {
    let range = |batch: &ColumnBatch| TimeRange::new(batch.timestamps[0], batch.timestamps[batch.rows() - 1]);
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|at| range(&parts[*at].0).start);
    let mut output = Vec::with_capacity(parts.len());
    let mut at = 0;
    while at < order.len() {
        let mut end = range(&parts[order[at]].0).end;
        let mut next = at + 1;
        while next < order.len() && range(&parts[order[next]].0).start <= end {
            end = end.max(range(&parts[order[next]].0).end);
            next += 1;
        }
        let cluster = &mut order[at..next];
        cluster.sort_unstable();
        let sequences =
            cluster.iter().map(|member| parts[*member].1).reduce(|left, right| SequenceRange { min: left.min.min(right.min), max: left.max.max(right.max) });
        let batches: Vec<ColumnBatch> = cluster.iter().map(|member| parts[*member].0.clone()).collect();
        if let (Some(sequences), false) = (sequences, batches.is_empty()) {
            output.push((if batches.len() == 1 { batches[0].clone() } else { resolve(&batches)? }, sequences));
        }
        at = next;
    }
    Ok(output)
}
