//! Which records readers may see: those up to the first that is not applied yet, so that commit order is never seen with holes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::rows::Sequence;

/// The last visible sequence.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    sequence: AtomicU64,
    /// Applied sequences above the visible one.
    applied: Mutex<BTreeSet<Sequence>>,
    moved: Condvar,
}

impl Visible {
    /// Everything up to `sequence` is visible.
    pub(crate) fn new(sequence: Sequence) -> Self {
        Self { sequence: AtomicU64::new(sequence), ..Self::default() }
    }

    /// The last visible sequence.
    pub(crate) fn get(&self) -> Sequence {
        self.sequence.load(Ordering::Acquire)
    }

    /// Tells that a record is in memory (or will never be). Every sequence that was given out must come here once.
    pub(crate) fn applied(&self, sequence: Sequence) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.insert(sequence);
        let mut next = self.sequence.load(Ordering::Relaxed) + 1;
        while applied.remove(&next) {
            self.sequence.store(next, Ordering::Release);
            next += 1;
        }
        drop(applied);
        self.moved.notify_all();
    }

    /// Waits until a sequence is visible: until the writers before it are done.
    pub(crate) fn wait(&self, sequence: Sequence) {
        if self.get() >= sequence {
            return;
        }
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        while self.get() < sequence {
            applied = self.moved.wait(applied).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Makes a sequence count as applied on drop, so that a failure between numbering and memory does not stop the others.
pub(crate) struct Applying<'a> {
    pub(crate) visible: &'a Visible,
    pub(crate) sequence: Sequence,
}

impl Drop for Applying<'_> {
    fn drop(&mut self) {
        self.visible.applied(self.sequence);
    }
}
