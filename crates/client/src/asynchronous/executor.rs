//! The thread that polls tasks. Polls are short: they send a request or decode an answer; what blocks goes to the pool.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Sender},
    },
    task::{Context, Wake, Waker},
    thread,
};

use embudo_types::{Error, Result};

type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

static QUEUE: Mutex<Option<Sender<Arc<Task>>>> = Mutex::new(None);

/// A future on its way.
struct Task {
    /// `None` once it is done or was cancelled.
    body: Mutex<Option<Body>>,
    queue: Sender<Arc<Task>>,
    is_queued: AtomicBool,
    is_cancelled: AtomicBool,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.is_queued.swap(true, Ordering::AcqRel) {
            let queue = self.queue.clone();
            // The thread lives as long as the process.
            let _ = queue.send(self);
        }
    }
}

/// A task that can be cancelled.
pub struct TaskHandle(Arc<Task>);

impl TaskHandle {
    /// Drops the task's future soon, unless it is done.
    pub fn cancel(&self) {
        self.0.is_cancelled.store(true, Ordering::Release);
        Arc::clone(&self.0).wake();
    }
}

/// Starts a task.
pub fn spawn(body: impl Future<Output = ()> + Send + 'static) -> Result<TaskHandle> {
    let queue = queue()?;
    let task = Arc::new(Task { body: Mutex::new(Some(Box::pin(body))), queue, is_queued: AtomicBool::new(false), is_cancelled: AtomicBool::new(false) });
    Arc::clone(&task).wake();
    Ok(TaskHandle(task))
}

fn queue() -> Result<Sender<Arc<Task>>> {
    let mut queue = QUEUE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*queue {
        return Ok(sender.clone());
    }
    let (sender, tasks) = mpsc::channel::<Arc<Task>>();
    let body = move || {
        for task in tasks {
            poll(&task);
        }
    };
    thread::Builder::new().name("embudo-async".into()).spawn(body).map_err(|source| Error::io("starting a thread", source))?;
    Ok(queue.insert(sender).clone())
}

fn poll(task: &Arc<Task>) {
    task.is_queued.store(false, Ordering::Release);
    let mut slot = task.body.lock().unwrap_or_else(PoisonError::into_inner);
    if task.is_cancelled.load(Ordering::Acquire) {
        let body = slot.take();
        drop(slot);
        drop(body);
        return;
    }
    let Some(body) = slot.as_mut() else { return };
    let waker = Waker::from(Arc::clone(task));
    // A task that fails by a fault must not take the others with it; its owner catches faults where it makes the answer.
    let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| body.as_mut().poll(&mut Context::from_waker(&waker))));
    if !matches!(polled, Ok(std::task::Poll::Pending)) {
        *slot = None;
    }
}

/// In the child of a fork the thread is gone and the tasks are the parent's.
pub fn after_fork() {
    if let Ok(mut queue) = QUEUE.try_lock() {
        std::mem::forget(queue.take());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{future::poll_fn, sync::mpsc::channel, task::Poll, time::Duration};

    #[test]
    fn tasks_end_or_are_dropped() {
        let (done, ended) = channel();
        let handle = spawn(async move { done.send(7).unwrap() }).unwrap();
        assert_eq!(ended.recv_timeout(Duration::from_secs(60)).unwrap(), 7);
        handle.cancel();

        let (held, dropped) = channel::<()>();
        let waiting = spawn(async move {
            let _held = held;
            poll_fn(|_| Poll::<()>::Pending).await;
        });
        assert!(dropped.recv_timeout(Duration::from_millis(20)).is_err_and(|error| error == mpsc::RecvTimeoutError::Timeout));
        waiting.unwrap().cancel();
        assert!(dropped.recv_timeout(Duration::from_secs(60)).is_err_and(|error| error == mpsc::RecvTimeoutError::Disconnected));
    }
}
