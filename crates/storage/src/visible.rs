//! Which records readers may see: those up to the first that is not applied yet, so that commit order is never seen with holes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use crate::rows::Sequence;

/// The last visible sequence.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    sequence: AtomicU64,
    state: Mutex<State>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Applied sequences above the visible one.
    applied: BTreeSet<Sequence>,
    waiting: usize,
}

/// How often a waiting writer looks again before it sleeps: the others are done within microseconds, and waking takes longer.
const LOOKS: usize = 200;

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
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut next = self.sequence.load(Ordering::Relaxed) + 1;
        if sequence == next {
            next += 1;
        } else {
            state.applied.insert(sequence);
        }
        while state.applied.remove(&next) {
            next += 1;
        }
        self.sequence.store(next - 1, Ordering::Release);
        let is_awaited = state.waiting > 0;
        drop(state);
        if is_awaited {
            self.moved.notify_all();
        }
    }

    /// Waits until a sequence is visible: until the writers before it are done.
    pub(crate) fn wait(&self, sequence: Sequence) {
        for _ in 0..LOOKS {
            if self.get() >= sequence {
                return;
            }
            std::hint::spin_loop();
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.waiting += 1;
        while self.get() < sequence {
            state = self.moved.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.waiting -= 1;
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
