//! Work outside the interpreter lock. A thread that is not the main one simply does it. The main thread is the one that
//! handles signals, so there a worker does it while the main thread wakes every 50 ms to look for them: Ctrl-C interrupts
//! whatever runs, on every transport.

use std::{
    cell::Cell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex, PoisonError,
        mpsc::{self, RecvTimeoutError, Sender},
    },
    thread,
    time::Duration,
};

use embudo_types::{Error, Result};
use pyo3::{prelude::*, sync::PyOnceLock};

use crate::error::Outcome;

/// How often the main thread looks for signals.
const WAKE: Duration = Duration::from_millis(50);
/// How long an interrupted call may take to end before it is left to itself.
const GRACE: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The thread that works for the main thread; it ends with its sender.
static WORKER: Mutex<Option<Sender<Job>>> = Mutex::new(None);

thread_local! {
    static IS_MAIN: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Does `job` outside the interpreter lock; `interrupt` is called when a signal handler raises, to make it end.
pub fn outside<T, F>(py: Python<'_>, interrupt: impl Fn(), job: F) -> Outcome<T>
where
    T: Send + 'static,
    F: FnOnce() -> Result<T> + Send + 'static,
{
    let guarded = move || catch_unwind(AssertUnwindSafe(job)).unwrap_or_else(|panic| Err(Error::internal(panic_text(panic.as_ref()))));
    if !is_main(py)? {
        return Ok(py.detach(guarded)?);
    }
    let (done, answer) = mpsc::sync_channel(1);
    submit(Box::new(move || {
        // Nobody waits any more for a call that was left to itself.
        let _ = done.send(guarded());
    }))?;
    // A receiver cannot be shared, but only one thread looks at it at a time: the closures run here.
    let answer = Mutex::new(answer);
    let wait = |time: Duration| answer.lock().unwrap_or_else(PoisonError::into_inner).recv_timeout(time);
    let ended = |reply: std::result::Result<Result<T>, RecvTimeoutError>| match reply {
        Ok(reply) => Some(reply),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => Some(Err(Error::internal("the worker thread ended"))),
    };
    loop {
        if let Some(reply) = ended(py.detach(|| wait(WAKE))) {
            return Ok(reply?);
        }
        if let Err(raised) = py.check_signals() {
            interrupt();
            if ended(py.detach(|| wait(GRACE))).is_none() {
                *WORKER.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
            return Err(raised.into());
        }
    }
}

/// Forgets the parent's worker and threads, in the child of a fork.
pub fn after_fork() {
    let mut worker = WORKER.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::forget(worker.take());
    IS_MAIN.set(None);
}

fn submit(mut job: Job) -> Result<()> {
    let mut worker = WORKER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*worker {
        match sender.send(job) {
            Ok(()) => return Ok(()),
            Err(back) => job = back.0,
        }
    }
    let (sender, jobs) = mpsc::channel::<Job>();
    let body = move || {
        for job in jobs {
            job();
        }
    };
    thread::Builder::new().name("embudo-call".into()).spawn(body).map_err(|source| Error::io("starting a thread", source))?;
    sender.send(job).map_err(|_| Error::internal("the worker thread ended"))?;
    *worker = Some(sender);
    Ok(())
}

static THREADING: PyOnceLock<Py<PyModule>> = PyOnceLock::new();

/// Whether this is the thread that Python runs signal handlers in.
fn is_main(py: Python<'_>) -> PyResult<bool> {
    if let Some(known) = IS_MAIN.get() {
        return Ok(known);
    }
    let threading = THREADING.get_or_try_init(py, || py.import("threading").map(Bound::unbind))?.bind(py);
    let main: u64 = threading.call_method0("main_thread")?.getattr("ident")?.extract()?;
    let this: u64 = threading.call_method0("get_ident")?.extract()?;
    IS_MAIN.set(Some(main == this));
    Ok(main == this)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a fault without a text".to_owned())
}
