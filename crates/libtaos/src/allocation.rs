//! Memory that C programs own until they give it back: of C's own heap, since some give it back by `free`.

use std::{
    ffi::c_void,
    sync::{Mutex, MutexGuard, PoisonError},
};

use embudo_types::{Error, Result, code};
use rustc_hash::FxHashSet;

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn free(memory: *mut c_void);
}

/// What was handed out, so that a stray or repeated return is found out.
static OWNED: Mutex<Option<FxHashSet<usize>>> = Mutex::new(None);

fn owned() -> MutexGuard<'static, Option<FxHashSet<usize>>> {
    OWNED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A copy of the items; NULL of none.
pub fn hand_out<T: Copy>(items: &[T]) -> Result<*mut T> {
    if items.is_empty() {
        return Ok(std::ptr::null_mut());
    }
    // SAFETY: C's allocator takes any size; what it gives is aligned for every type of the interface.
    let memory: *mut T = unsafe { malloc(size_of_val(items)) }.cast();
    if memory.is_null() {
        return Err(Error::new(code::OUT_OF_MEMORY));
    }
    // SAFETY: it has room for the items.
    unsafe { memory.copy_from_nonoverlapping(items.as_ptr(), items.len()) };
    owned().get_or_insert_default().insert(memory.addr());
    Ok(memory)
}

/// Takes back what [`hand_out`] gave; anything else is left alone.
pub fn take_back<T>(memory: *mut T) {
    if owned().as_mut().is_some_and(|owned| owned.remove(&memory.addr())) {
        // SAFETY: it came from `malloc` and was not given back before.
        unsafe { free(memory.cast()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_taken_back_once() {
        let numbers = hand_out(&[1_i64, 2, 3]).unwrap();
        // SAFETY: three numbers.
        assert_eq!(unsafe { std::slice::from_raw_parts(numbers, 3) }, [1, 2, 3]);
        take_back(numbers);
        take_back(numbers);
        take_back::<u8>(std::ptr::null_mut());
        assert!(hand_out::<u8>(&[]).unwrap().is_null());
    }
}
