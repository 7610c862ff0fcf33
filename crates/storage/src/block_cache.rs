//! Decoded parts of block files between the files and their readers: column chunks, index pages, statistics. Bounded by bytes, with
//! CLOCK replacement. Checksums are checked before something comes in here and not again.

use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use embudo_codec::Cells;
use rustc_hash::{FxHashMap, FxHasher};

use crate::block_file::{IndexPage, StatisticsSection};

/// Parts with a lock of their own.
const SHARDS: usize = 16;
/// Parts that are remembered as read in part.
const PARTLY_READ: usize = 4_096;
/// Bytes that an entry takes beside its value.
const OVERHEAD: usize = 128;

/// Where a part lies: the number that the file got when it was opened, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct CacheKey {
    pub(crate) file: u64,
    pub(crate) offset: u64,
}

/// What the cache holds.
#[derive(Clone)]
pub(crate) enum Cached {
    /// A whole column chunk.
    Cells(Cells),
    /// An index page.
    Page(Arc<IndexPage>),
    /// Statistics of a column in the blocks of an index page.
    Statistics(Arc<StatisticsSection>),
}

/// The cache of decoded parts, shared by all files of a process or of a database.
pub struct BlockCache {
    shards: [Mutex<Shard>; SHARDS],
    hits: AtomicU64,
    misses: AtomicU64,
    files: AtomicU64,
    /// Hashes of parts that were read in part lately, each in the place that it says itself.
    partly_read: Box<[AtomicU64]>,
}

#[derive(Default)]
struct Shard {
    places: FxHashMap<CacheKey, usize>,
    slots: Vec<Slot>,
    hand: usize,
    bytes: usize,
    budget: usize,
}

struct Slot {
    key: CacheKey,
    value: Cached,
    bytes: usize,
    /// Used since the hand came by.
    used: bool,
}

/// How the cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheFigures {
    /// Parts that were there.
    pub hits: u64,
    /// Parts that had to be read.
    pub misses: u64,
    /// Bytes held.
    pub bytes: u64,
    /// Parts held.
    pub entries: u64,
}

impl fmt::Debug for BlockCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockCache").field("figures", &self.figures()).finish_non_exhaustive()
    }
}

impl BlockCache {
    /// A cache of at most `bytes`.
    pub fn new(bytes: u64) -> Arc<Self> {
        let budget = bytes as usize / SHARDS;
        let shards = std::array::from_fn(|_| Mutex::new(Shard { budget, ..Shard::default() }));
        let partly_read = (0..PARTLY_READ).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self { shards, hits: AtomicU64::new(0), misses: AtomicU64::new(0), files: AtomicU64::new(0), partly_read })
    }

    /// Changes the bound.
    pub fn set_budget(&self, bytes: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.budget = bytes as usize / SHARDS;
            shard.make_room(0);
        }
    }

    /// How the cache did so far.
    pub fn figures(&self) -> CacheFigures {
        let mut figures = CacheFigures { hits: self.hits.load(Ordering::Relaxed), misses: self.misses.load(Ordering::Relaxed), ..CacheFigures::default() };
        for shard in &self.shards {
            let shard = lock(shard);
            figures.bytes += shard.bytes as u64;
            figures.entries += shard.slots.len() as u64;
        }
        figures
    }

    /// A number for a file that is being opened; never given again, so that a file's successor at the same path is another file.
    pub(crate) fn register_file(&self) -> u64 {
        self.files.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn get(&self, key: CacheKey) -> Option<Cached> {
        let found = lock(self.shard(key)).get(key);
        let counter = if found.is_some() { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    /// Keeps a part of `bytes`, if it is not out of proportion to the cache.
    pub(crate) fn insert(&self, key: CacheKey, value: Cached, bytes: usize) {
        lock(self.shard(key)).insert(key, value, bytes + OVERHEAD);
    }

    /// Notes that a part is about to be read in part, and says whether it was before: who comes again is worth keeping it whole.
    pub(crate) fn comes_again(&self, key: CacheKey) -> bool {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(key) | 1;
        self.partly_read[(hash >> 20) as usize % PARTLY_READ].swap(hash, Ordering::Relaxed) == hash
    }

    /// Forgets all parts of a file.
    pub(crate) fn forget_file(&self, file: u64) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            let mut place = 0;
            while place < shard.slots.len() {
                if shard.slots[place].key.file == file { shard.remove(place) } else { place += 1 }
            }
        }
    }

    fn shard(&self, key: CacheKey) -> &Mutex<Shard> {
        let hash = BuildHasherDefault::<FxHasher>::default().hash_one(key);
        &self.shards[(hash >> 32) as usize % SHARDS]
    }
}

fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shard {
    fn get(&mut self, key: CacheKey) -> Option<Cached> {
        let slot = &mut self.slots[*self.places.get(&key)?];
        slot.used = true;
        Some(slot.value.clone())
    }

    fn insert(&mut self, key: CacheKey, value: Cached, bytes: usize) {
        if bytes > self.budget / 4 || self.places.contains_key(&key) {
            return;
        }
        self.make_room(bytes);
        self.bytes += bytes;
        self.places.insert(key, self.slots.len());
        self.slots.push(Slot { key, value, bytes, used: false });
    }

    /// Turns the hand until `bytes` more fit: what was used since the last turn stays.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > self.budget && !self.slots.is_empty() {
            if self.hand >= self.slots.len() {
                self.hand = 0;
            }
            if std::mem::take(&mut self.slots[self.hand].used) {
                self.hand += 1;
            } else {
                self.remove(self.hand);
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let slot = self.slots.swap_remove(place);
        self.bytes -= slot.bytes;
        self.places.remove(&slot.key);
        if let Some(moved) = self.slots.get(place) {
            self.places.insert(moved.key, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int32Array;

    use super::*;

    fn cells(value: i32) -> Cached {
        Cached::Cells(Cells { array: Arc::new(Int32Array::from(vec![value])), present: None })
    }

    #[test]
    fn the_bound_holds_and_used_parts_stay() {
        let cache = BlockCache::new(64 << 10);
        let hot = CacheKey { file: 1, offset: 7 };
        cache.insert(hot, cells(7), 100);
        for offset in 1000..3000 {
            assert!(cache.get(hot).is_some(), "after {offset}");
            cache.insert(CacheKey { file: 1, offset }, cells(1), 100);
            assert!(cache.figures().bytes <= 64 << 10);
        }
        let figures = cache.figures();
        assert_eq!(figures.hits, 2000);
        assert!(figures.entries > 200);
        assert!(cache.get(CacheKey { file: 1, offset: 1000 }).is_none());
        assert_eq!(cache.figures().misses, 1);
        cache.insert(CacheKey { file: 2, offset: 0 }, cells(1), 1 << 20);
        assert!(cache.get(CacheKey { file: 2, offset: 0 }).is_none());
        cache.forget_file(1);
        assert_eq!(cache.figures().bytes, 0);
        cache.insert(hot, cells(7), 100);
        cache.set_budget(0);
        assert_eq!(cache.figures().entries, 0);
    }
}
