//! A list that only grows, in segments that never move: one writer pushes, readers walk without a lock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Items of the first segment; each further one is as large as all before it.
const FIRST: usize = 4;
const SEGMENTS: usize = 29;

/// An append-only list.
pub(super) struct ChunkList<T> {
    segments: [OnceLock<Box<[OnceLock<T>]>>; SEGMENTS],
    length: AtomicUsize,
}

/// Segment of an item, and its place there.
fn locate(at: usize) -> (usize, usize) {
    if at < FIRST {
        return (0, at);
    }
    let segment = (at / FIRST).ilog2() as usize + 1;
    (segment, at - (FIRST << (segment - 1)))
}

impl<T> ChunkList<T> {
    /// An empty list.
    pub(super) fn new() -> Self {
        Self { segments: [const { OnceLock::new() }; SEGMENTS], length: AtomicUsize::new(0) }
    }

    /// Items that readers may ask for.
    pub(super) fn len(&self) -> usize {
        self.length.load(Ordering::Acquire)
    }

    /// Adds an item and returns its place. Only one thread at a time may push; others' items would be lost.
    pub(super) fn push(&self, item: T) -> usize {
        let at = self.length.load(Ordering::Relaxed);
        let (segment, place) = locate(at);
        let size = if segment == 0 { FIRST } else { FIRST << (segment - 1) };
        let slots = self.segments[segment].get_or_init(|| (0..size).map(|_| OnceLock::new()).collect());
        let pushed = slots[place].set(item);
        debug_assert!(pushed.is_ok(), "two writers");
        self.length.store(at + 1, Ordering::Release);
        at
    }

    /// An item.
    pub(super) fn get(&self, at: usize) -> Option<&T> {
        let (segment, place) = locate(at);
        self.segments.get(segment)?.get()?.get(place)?.get()
    }

    /// The items that are there now, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len()).filter_map(|at| self.get(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_stay_in_order() {
        let list = ChunkList::new();
        for item in 0..1000 {
            assert_eq!(list.push(item), item);
        }
        assert!(list.iter().copied().eq(0..1000));
    }
}
