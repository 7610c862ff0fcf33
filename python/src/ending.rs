//! The interpreter's end: a thread of ours that still called into it while it is taken apart would end the process. Such threads enter
//! through [`attach`], which is shut before that begins.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::Duration,
};

use pyo3::prelude::*;

static IS_ENDING: AtomicBool = AtomicBool::new(false);
/// Threads that are inside, or about to look whether they may be.
static INSIDE: AtomicUsize = AtomicUsize::new(0);

/// How often those that are inside are looked for, and how many times at most: a function of the user's may never come back.
const STEP: Duration = Duration::from_millis(1);
const STEPS: usize = 5_000;

/// Runs `body` with the interpreter; not where it is ending, when nobody waits for anything any more.
pub fn attach<T>(body: impl FnOnce(Python<'_>) -> T) -> Option<T> {
    // Counted before the flag is read, and the flag set before the count is: one of the two sees the other.
    INSIDE.fetch_add(1, Ordering::SeqCst);
    let done = if IS_ENDING.load(Ordering::SeqCst) { None } else { Python::try_attach(body) };
    INSIDE.fetch_sub(1, Ordering::SeqCst);
    done
}

/// Lets nobody in any more and waits for those who are; `atexit` calls it.
#[pyfunction]
pub fn at_exit(py: Python<'_>) {
    IS_ENDING.store(true, Ordering::SeqCst);
    py.detach(|| {
        for _ in 0..STEPS {
            if INSIDE.load(Ordering::SeqCst) == 0 {
                break;
            }
            thread::sleep(STEP);
        }
    });
}

/// The parent's threads are not in its forked child.
pub fn after_fork() {
    INSIDE.store(0, Ordering::SeqCst);
}
