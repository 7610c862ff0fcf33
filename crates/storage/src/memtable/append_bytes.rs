//! Memory that one writer fills while readers look at what is already published: the ground of active chunks.
//!
//! The unsafe code of the memory table is here. Its argument: memory never moves and is freed only with the last reference;
//! writes go through the one [`Writer`]'s `&mut`; a reader gets a [`Buffer`] only over bytes that were written before a length was
//! published with release order and read with acquire order, and those bytes are never written again.

use std::cell::UnsafeCell;
use std::ops::Range;
use std::ptr::NonNull;
use std::sync::Arc;

use arrow_buffer::Buffer;

/// Zeroed memory of fixed size, aligned for every storable type.
pub(super) struct AppendBytes {
    memory: Box<[UnsafeCell<u128>]>,
}

// SAFETY: shared access goes through `view` (published bytes, never written again) and the single `Writer`.
unsafe impl Sync for AppendBytes {}

impl std::panic::RefUnwindSafe for AppendBytes {}

/// The right to write: one for each memory.
pub(super) struct Writer(Arc<AppendBytes>);

impl AppendBytes {
    /// Memory of at least `capacity` bytes, and the right to write it.
    pub(super) fn create(capacity: usize) -> (Arc<Self>, Writer) {
        let memory = Box::into_raw(vec![0u128; capacity.div_ceil(16)].into_boxed_slice());
        // SAFETY: UnsafeCell<u128> has the layout of u128, and the box owned the memory.
        let memory = unsafe { Box::from_raw(memory as *mut [UnsafeCell<u128>]) };
        let shared = Arc::new(Self { memory });
        (shared.clone(), Writer(shared))
    }

    /// Size in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.memory.len() * 16
    }

    /// The part of a range that there is.
    fn inside(&self, range: &Range<usize>) -> (usize, usize) {
        let end = range.end.min(self.capacity());
        let start = range.start.min(end);
        (start, end - start)
    }

    /// Some of the bytes (never more than there are).
    ///
    /// # Safety
    /// Every one of them that the writer ever writes was written before the caller acquired the length that covers it.
    pub(super) unsafe fn view(self: &Arc<Self>, range: Range<usize>) -> Buffer {
        let (start, length) = self.inside(&range);
        // SAFETY: the start is inside the memory or at its end.
        let pointer = unsafe { NonNull::from(&*self.memory).cast::<u8>().add(start) };
        // SAFETY: the memory lives as long as the buffer, which holds the reference; the bytes do not change any more.
        unsafe { Buffer::from_custom_allocation(pointer, length, self.clone()) }
    }
}

impl AppendBytes {
    /// The same bytes without a reference count.
    ///
    /// # Safety
    /// As of [`view`](Self::view).
    pub(super) unsafe fn slice(&self, range: Range<usize>) -> &[u8] {
        let (start, length) = self.inside(&range);
        // SAFETY: inside the memory, which lives as long as `self`; the bytes do not change any more.
        unsafe { std::slice::from_raw_parts(self.memory.as_ptr().cast::<u8>().add(start), length) }
    }
}

impl Writer {
    /// Writes bytes that are not published yet; what does not fit is left out (callers check for room first).
    pub(super) fn write(&mut self, offset: usize, bytes: &[u8]) {
        if offset + bytes.len() > self.0.capacity() {
            debug_assert!(false, "no room");
            return;
        }
        let pointer = self.0.memory.as_ptr() as *mut u8;
        // SAFETY: inside the memory; no reader looks at unpublished bytes and this is the one writer.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), pointer.add(offset), bytes.len()) }
    }

    /// Size in bytes.
    pub(super) fn capacity(&self) -> usize {
        self.0.capacity()
    }
}
