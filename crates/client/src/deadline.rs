//! Time limits of embedded calls and of futures: one thread for the process watches them all and interrupts what is late.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use embudo_types::{BatchStream, Error, Result, code};

type Interrupt = Box<dyn Fn() + Send>;

/// What is watched, by due time and number.
struct Watch {
    entries: BTreeMap<(Instant, u64), (Interrupt, Arc<AtomicBool>)>,
    next: u64,
    running: bool,
}

static WATCH: Mutex<Watch> = Mutex::new(Watch { entries: BTreeMap::new(), next: 0, running: false });
static CHANGED: Condvar = Condvar::new();

/// A running time limit; it ends when dropped.
pub struct Deadline {
    key: (Instant, u64),
    passed: Arc<AtomicBool>,
    limit: Duration,
}

impl Deadline {
    /// Calls `interrupt` after `limit`, unless dropped before.
    pub fn start(limit: Duration, interrupt: Interrupt) -> Result<Self> {
        let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
        if !watch.running {
            thread::Builder::new().name("embudo-deadline".into()).spawn(watch_all).map_err(|source| Error::io("starting a thread", source))?;
            watch.running = true;
        }
        let key = (Instant::now() + limit, watch.next);
        let passed = Arc::new(AtomicBool::new(false));
        watch.next += 1;
        watch.entries.insert(key, (interrupt, passed.clone()));
        CHANGED.notify_one();
        Ok(Self { key, passed, limit })
    }

    /// The error of an interrupted call told as what it is.
    pub fn check<T>(&self, result: Result<T>) -> Result<T> {
        match result {
            Err(error) if error.code() == code::QUERY_TERMINATED && self.passed.load(Ordering::Acquire) => {
                Err(Error::with(code::OPERATION_TIMEOUT, format!("the statement was not done within its timeout of {:?}", self.limit)))
            }
            other => other,
        }
    }
}

impl Drop for Deadline {
    fn drop(&mut self) {
        WATCH.lock().unwrap_or_else(PoisonError::into_inner).entries.remove(&self.key);
    }
}

/// The stream with the limit on all that is still to come.
pub fn within(deadline: Deadline, batches: BatchStream) -> BatchStream {
    Box::new(batches.map(move |batch| deadline.check(batch)))
}

fn watch_all() {
    let mut watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let now = Instant::now();
        match watch.entries.first_key_value().map(|(key, _)| *key) {
            Some(key) if key.0 <= now => {
                if let Some((interrupt, passed)) = watch.entries.remove(&key) {
                    passed.store(true, Ordering::Release);
                    drop(watch);
                    interrupt();
                    watch = WATCH.lock().unwrap_or_else(PoisonError::into_inner);
                }
            }
            Some(key) => watch = CHANGED.wait_timeout(watch, key.0 - now).unwrap_or_else(PoisonError::into_inner).0,
            None => watch = CHANGED.wait(watch).unwrap_or_else(PoisonError::into_inner),
        }
    }
}

/// Forgets the parent's thread, in the child of a fork.
pub fn after_fork() {
    if let Ok(mut watch) = WATCH.try_lock() {
        watch.running = false;
        std::mem::forget(std::mem::take(&mut watch.entries));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_work_is_interrupted_and_named() {
        let late = Arc::new(AtomicBool::new(false));
        let seen = late.clone();
        let deadline = Deadline::start(Duration::from_millis(20), Box::new(move || seen.store(true, Ordering::SeqCst))).unwrap();
        let early = Deadline::start(Duration::from_secs(60), Box::new(|| ())).unwrap();
        let started = Instant::now();
        while !late.load(Ordering::SeqCst) && started.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(1));
        }
        let terminated = || Err::<(), _>(Error::new(code::QUERY_TERMINATED));
        assert_eq!(deadline.check(terminated()).unwrap_err().code(), code::OPERATION_TIMEOUT);
        assert_eq!(early.check(terminated()).unwrap_err().code(), code::QUERY_TERMINATED);
    }
}
