//! What unflushed rows of several stores may take together. Counts bytes as memory tables grow and go; the stores themselves flush.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use crate::store::Store;

/// A budget that stores share, so that many databases take no more memory than one.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    stores: Mutex<Vec<Weak<Store>>>,
}

impl MemoryBudget {
    /// A budget of so many bytes. From half of it on the largest store flushes; at all of it writers wait for that.
    pub fn new(limit: u64) -> Arc<Self> {
        Arc::new(Self { limit, used: AtomicU64::new(0), stores: Mutex::default() })
    }

    /// Bytes of unflushed rows, and of flushed ones that a reader still holds.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that they may take.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether a store should flush.
    pub(crate) fn is_short(&self) -> bool {
        self.used() > self.limit / 2
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.used.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn remove(&self, bytes: u64) {
        self.used.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Counts a store in.
    pub(crate) fn register(&self, store: Weak<Store>) {
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.retain(|store| store.strong_count() > 0);
        stores.push(store);
    }

    /// The open store with most bytes to flush, how many these are, and how many all stores have.
    pub(crate) fn largest(&self) -> Option<(Arc<Store>, u64, u64)> {
        let stores: Vec<Arc<Store>> = self.stores.lock().unwrap_or_else(PoisonError::into_inner).iter().filter_map(Weak::upgrade).collect();
        // What a closed one holds goes with its last reader.
        let open = stores.into_iter().filter(|store| !store.is_closed());
        let weighed: Vec<(u64, Arc<Store>)> = open.map(|store| (store.version().memory_bytes(), store)).collect();
        let all = weighed.iter().map(|(bytes, _)| bytes).sum();
        weighed.into_iter().max_by_key(|(bytes, _)| *bytes).map(|(bytes, store)| (store, bytes, all))
    }
}
