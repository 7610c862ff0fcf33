//! A few threads of the process for work that blocks: embedded statements, HTTP requests, bulk writes.

use std::{
    collections::VecDeque,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Poll, Waker},
    thread,
};

use embudo_types::{Error, Result};

use super::Pending;

/// Most threads.
const THREADS: usize = 4;

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), threads: 0, idle: 0 });
static WORK: Condvar = Condvar::new();

/// Does `work` in the pool. Work of a future that was dropped before its turn is not begun.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Pending<T> {
    let answer = Arc::new(Mutex::new((None, None::<Waker>)));
    let abandoned = Abandoned(Arc::default());
    let (place, is_abandoned) = (Arc::clone(&answer), Arc::clone(&abandoned.0));
    let submitted = submit(Box::new(move || {
        if is_abandoned.load(Ordering::Acquire) {
            return;
        }
        let outcome = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(fault(panic.as_ref())));
        let mut answer = place.lock().unwrap_or_else(PoisonError::into_inner);
        answer.0 = Some(outcome);
        let waker = answer.1.take();
        drop(answer);
        if let Some(waker) = waker {
            waker.wake();
        }
    }));
    Box::pin(async move {
        let _abandoned = abandoned;
        submitted?;
        poll_fn(|context| {
            let mut answer = answer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(outcome) = answer.0.take() {
                return Poll::Ready(outcome);
            }
            answer.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    })
}

/// Set when the future is dropped.
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

fn fault(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    Error::internal(text.unwrap_or_else(|| "a fault without a text".to_owned()))
}

fn submit(job: Job) -> Result<()> {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    pool.jobs.push_back(job);
    if pool.idle < pool.jobs.len() && pool.threads < THREADS {
        match thread::Builder::new().name("embudo-pool".into()).spawn(work) {
            Ok(_) => pool.threads += 1,
            Err(source) if pool.threads == 0 => {
                pool.jobs.pop_back();
                return Err(Error::io("starting a thread", source));
            }
            // Those that are there do it.
            Err(_) => {}
        }
    }
    drop(pool);
    WORK.notify_one();
    Ok(())
}

fn work() {
    let mut pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        if let Some(job) = pool.jobs.pop_front() {
            drop(pool);
            job();
            pool = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        } else {
            pool.idle += 1;
            pool = WORK.wait(pool).unwrap_or_else(PoisonError::into_inner);
            pool.idle -= 1;
        }
    }
}

/// In the child of a fork the threads are gone and the jobs are the parent's.
pub fn after_fork() {
    if let Ok(mut pool) = POOL.try_lock() {
        std::mem::forget(std::mem::take(&mut pool.jobs));
        (pool.threads, pool.idle) = (0, 0);
    }
}
