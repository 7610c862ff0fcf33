//! What a store does by itself: flushes when memory is short, merges block files before they become many, packs time slices that are not
//! written any more, drops files that KEEP has passed. Jobs are started by what makes them due, a flush or an opening, so that an idle
//! store does nothing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use embudo_types::{Error, Precision, Result, code};

use super::{Store, lock};
use crate::compaction::{due_tier, is_due_to_be_packed};
use crate::version::StoreFile;

/// How long a store waits after a flush before it packs: what comes next may be written into the same slice.
const PACK_DELAY: Duration = Duration::from_secs(30);
/// How long a job waits that failed, as on a full disk.
const RETRY_DELAY: Duration = Duration::from_secs(10);
/// The longest time until files are looked at for KEEP again.
const LONGEST_KEEP_DELAY: Duration = Duration::from_secs(86_400);

impl Store {
    /// Before rows come in: where memory is full, waits until a flush has made room, or says why none can.
    pub(super) fn wait_for_memory(&self) -> Result<()> {
        while self.version().memory_bytes() > 2 * self.options.memory_limit {
            self.flush()?;
        }
        let budget = &self.options.budget;
        while budget.used() > budget.limit() {
            match budget.largest() {
                // A store that goes away meanwhile makes room too.
                Some((store, bytes, _)) if bytes > 0 => store.flush()?,
                // All is flushed; readers still hold what was.
                _ if budget.used() <= 2 * budget.limit() => break,
                _ => return Err(Error::with(code::OUT_OF_MEMORY, "Out of Memory: running queries hold more rows in memory than the limit allows")),
            }
        }
        Ok(())
    }

    /// After rows came in: starts a flush where they are many.
    pub(super) fn flush_if_due(&self) {
        if self.version().memory_bytes() > self.options.memory_limit {
            self.schedule_flush(Duration::ZERO);
        } else if self.options.budget.is_short()
            && let Some((store, _, all)) = self.options.budget.largest()
            // What readers hold of flushed rows is no reason to flush the few that came since.
            && all > self.options.budget.limit() / 4
        {
            store.schedule_flush(Duration::ZERO);
        }
    }

    fn schedule_flush(&self, delay: Duration) {
        if self.flush_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.this.get().cloned().unwrap_or_default();
        self.options.scheduler.spawn_after(delay, move || {
            let Some(store) = this.upgrade() else { return };
            let limit = store.options.memory_limit;
            let rest = if store.version().memory_bytes() > limit { limit / 2 } else { 0 };
            let flushed = store.flush_to(rest);
            store.flush_scheduled.store(false, Ordering::Release);
            if let Err(error) = flushed {
                tracing::error!(%error, "cannot flush");
                store.schedule_flush(Duration::from_secs(1));
            }
        });
    }

    /// Sees to it that files are looked at: after a flush, an opening, a change of KEEP.
    pub(super) fn schedule_upkeep(&self, delay: Duration) {
        if self.options.read_only || self.upkeep_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.this.get().cloned().unwrap_or_default();
        self.options.scheduler.spawn_after(delay, move || {
            let Some(store) = this.upgrade() else { return };
            store.upkeep_scheduled.store(false, Ordering::Release);
            if store.closed.load(Ordering::Acquire) {
                return;
            }
            if let Err(error) = store.upkeep() {
                tracing::error!(%error, "cannot merge or drop block files");
                store.schedule_upkeep(RETRY_DELAY);
            }
        });
    }

    /// Drops what KEEP has passed, and merges once; comes again while there is more to merge.
    fn upkeep(&self) -> Result<()> {
        self.drop_expired()?;
        if self.merge_once()? {
            self.schedule_upkeep(Duration::ZERO);
        }
        Ok(())
    }

    /// The first tick that KEEP lets stay.
    pub(super) fn kept_from(&self) -> i64 {
        let keep = *lock(&self.keep);
        keep.map_or(i64::MIN, |keep| Precision::Nano.convert(self.options.clock.now(), self.options.precision).saturating_sub(keep))
    }

    /// Changes KEEP, in ticks.
    pub fn set_keep(&self, keep: Option<i64>) {
        *lock(&self.keep) = keep;
        // What the last cache knows was seen under the KEEP before.
        self.replace_version(|version| version.shards.iter_mut().for_each(|shard| shard.serial += 1));
        self.schedule_upkeep(Duration::ZERO);
    }

    /// Removes files whose rows are all older than KEEP, and comes again when the next one will be.
    fn drop_expired(&self) -> Result<()> {
        if lock(&self.keep).is_none() {
            return Ok(());
        }
        let from = self.kept_from();
        {
            let _one = lock(&self.compacting);
            for shard in 0..self.writers.len() {
                let expired: Vec<StoreFile> = self.version().shards[shard].files.iter().filter(|file| file.entry.range.end < from).cloned().collect();
                if !expired.is_empty() {
                    self.replace_files(shard, &expired, None)?;
                    self.forget_tombstones()?;
                }
            }
        }
        self.expire_later(from);
        Ok(())
    }

    /// Sees to it that files are looked at again when the next one has expired.
    fn expire_later(&self, from: i64) {
        let version = self.version();
        let Some(end) = version.shards.iter().flat_map(|shard| &shard.files).map(|file| file.entry.range.end).min() else { return };
        if self.expiry_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let ticks = end.saturating_sub(from).saturating_add(1).max(0);
        let seconds = ticks / self.options.precision.ticks_per_second() + 1;
        let delay = Duration::from_secs(seconds as u64).min(LONGEST_KEEP_DELAY);
        let this = self.this.get().cloned().unwrap_or_default();
        self.options.scheduler.spawn_after(delay, move || {
            let Some(store) = this.upgrade() else { return };
            store.expiry_scheduled.store(false, Ordering::Release);
            store.schedule_upkeep(Duration::ZERO);
        });
    }

    /// Merges the files of one slice, if some are due; whether there were.
    fn merge_once(&self) -> Result<bool> {
        let _one = lock(&self.compacting);
        let version = self.version();
        let is_busy = version.memory_bytes() > self.options.memory_limit / 4;
        let mut packing_is_due = false;
        for (shard, part) in version.shards.iter().enumerate() {
            let mut slices: BTreeMap<i64, Vec<StoreFile>> = BTreeMap::new();
            for file in &part.files {
                slices.entry(file.entry.range.start.div_euclid(self.options.slice)).or_default().push(file.clone());
            }
            let newest = part.files.iter().map(|file| file.entry.sequences.max).max().unwrap_or(0);
            for files in slices.values() {
                // A damaged file stays where it is, with those beside it.
                if files.iter().any(|file| file.file.is_err()) {
                    continue;
                }
                let wants_packing = is_due_to_be_packed(files, newest);
                if wants_packing && !is_busy && self.may_pack.load(Ordering::Acquire) {
                    self.merge_files(shard, files, true, true)?;
                    return self.forget_tombstones().map(|()| true);
                }
                if let Some(range) = due_tier(files) {
                    let is_oldest = range.start == 0;
                    self.merge_files(shard, &files[range], is_oldest, false)?;
                    return self.forget_tombstones().map(|()| true);
                }
                // Of a busy store the next flush asks again.
                packing_is_due |= wants_packing && !is_busy;
            }
        }
        self.may_pack.store(false, Ordering::Release);
        if packing_is_due {
            self.pack_later();
        }
        Ok(false)
    }

    /// Sees to it that slices are packed after a while.
    fn pack_later(&self) {
        if self.pack_scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        let this = self.this.get().cloned().unwrap_or_default();
        self.options.scheduler.spawn_after(PACK_DELAY, move || {
            let Some(store) = this.upgrade() else { return };
            store.pack_scheduled.store(false, Ordering::Release);
            store.may_pack.store(true, Ordering::Release);
            store.schedule_upkeep(Duration::ZERO);
        });
    }
}
