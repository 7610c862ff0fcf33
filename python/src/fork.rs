//! What a forked child inherits: nothing of it may be used or ended, since the parent's threads, locks and files stand behind it.

use std::{
    mem::ManuallyDrop,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::error::{Outcome, misuse};

static GENERATION: AtomicU64 = AtomicU64::new(0);

/// Called in the child of every fork.
pub fn after_fork() {
    GENERATION.fetch_add(1, Ordering::Relaxed);
    crate::ending::after_fork();
    crate::wait::after_fork();
    taos::after_fork();
    embudo_client::after_fork();
}

/// A value that only the process that made it may use; in a forked child it is neither used nor dropped.
pub struct Owned<T> {
    value: ManuallyDrop<T>,
    generation: u64,
}

impl<T> Owned<T> {
    /// Of this process.
    pub fn new(value: T) -> Self {
        Self { value: ManuallyDrop::new(value), generation: GENERATION.load(Ordering::Relaxed) }
    }

    /// The value, in the process that made it.
    pub fn get(&self) -> Outcome<&T> {
        if self.generation == GENERATION.load(Ordering::Relaxed) {
            Ok(&self.value)
        } else {
            Err(misuse("opened before fork: a connection belongs to the process that opened it; connect again in the child"))
        }
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        if self.generation == GENERATION.load(Ordering::Relaxed) {
            // SAFETY: dropped once, here, and not used after.
            unsafe { ManuallyDrop::drop(&mut self.value) };
        }
    }
}
