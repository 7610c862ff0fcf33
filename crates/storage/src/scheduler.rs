//! All threads of storage and the crates above it: background jobs, jobs after a delay, and parallel parts of a query. In a
//! simulation there is no thread: jobs wait until [`Scheduler::run_pending`] runs them one at a time in the order of a seed.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::{Clock, SystemClock};

/// Work for later.
pub type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs. Threads start with the first job, so that opening costs nothing; they end when the scheduler is dropped.
pub struct Scheduler {
    shared: Arc<Shared>,
    clock: Arc<dyn Clock>,
    threads: usize,
    /// Helper threads that parallel calls may still take.
    helpers: AtomicUsize,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
}

struct State {
    ready: Vec<Job>,
    /// By due time on the clock, then order of arrival.
    delayed: BTreeMap<(Duration, u64), Job>,
    arrived: u64,
    running: usize,
    workers: usize,
    closed: bool,
    /// Of a simulation: the state of its random order.
    seed: Option<u64>,
}

impl fmt::Debug for Scheduler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scheduler").field("threads", &self.threads).finish_non_exhaustive()
    }
}

impl Scheduler {
    /// A scheduler with up to `threads` threads for background jobs, and as many for parallel work (the caller counted).
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self::with(threads.max(1), Arc::new(SystemClock::new()), None))
    }

    /// A scheduler without threads, whose jobs run in an order that only `seed` decides.
    pub fn simulated(seed: u64, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self::with(1, clock, Some(seed | 1)))
    }

    fn with(threads: usize, clock: Arc<dyn Clock>, seed: Option<u64>) -> Self {
        let state = State { ready: Vec::new(), delayed: BTreeMap::new(), arrived: 0, running: 0, workers: 0, closed: false, seed };
        let shared = Arc::new(Shared { state: Mutex::new(state), wake: Condvar::new() });
        Self { shared, clock, threads, helpers: AtomicUsize::new(threads - 1) }
    }

    /// Time on its clock since some fixed moment.
    pub fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    /// Threads that parallel work may use, the caller counted.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Runs a job in the background.
    pub fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        state.ready.push(Box::new(job));
        self.start_worker(&mut state);
    }

    /// Runs a job in the background once `delay` has passed.
    pub fn spawn_after(&self, delay: Duration, job: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        state.arrived += 1;
        let due = (self.clock.elapsed() + delay, state.arrived);
        state.delayed.insert(due, Box::new(job));
        self.start_worker(&mut state);
    }

    /// Runs `work(0)` to `work(jobs - 1)`, on this thread and on as many others as are free, and returns what they gave, in order.
    pub fn parallel<R: Send>(&self, jobs: usize, work: impl Fn(usize) -> R + Sync) -> Vec<R> {
        let helpers = if self.is_simulated() { 0 } else { self.take_helpers(jobs.saturating_sub(1)) };
        if helpers == 0 {
            return (0..jobs).map(work).collect();
        }
        let next = AtomicUsize::new(0);
        let take = || {
            let mut done = Vec::new();
            loop {
                let job = next.fetch_add(1, Ordering::Relaxed);
                if job >= jobs {
                    return done;
                }
                done.push((job, work(job)));
            }
        };
        let joined = std::thread::scope(|scope| {
            let others: Vec<_> = (0..helpers).map(|_| scope.spawn(take)).collect();
            let own = catch_unwind(AssertUnwindSafe(take));
            let mut joined = vec![own];
            joined.extend(others.into_iter().map(std::thread::ScopedJoinHandle::join));
            joined
        });
        self.helpers.fetch_add(helpers, Ordering::AcqRel);
        let mut results: Vec<(usize, R)> = Vec::with_capacity(jobs);
        for part in joined {
            match part {
                Ok(part) => results.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results.sort_unstable_by_key(|(job, _)| *job);
        results.into_iter().map(|(_, result)| result).collect()
    }

    /// Of a simulation: runs jobs that are due, one at a time, until none is left; returns how many ran.
    pub fn run_pending(&self) -> usize {
        let mut ran = 0;
        loop {
            let job = {
                let mut state = self.shared.lock();
                state.promote(self.clock.elapsed());
                match state.pick() {
                    Some(job) => job,
                    None => return ran,
                }
            };
            job();
            ran += 1;
        }
    }

    /// Whether jobs wait for [`run_pending`](Self::run_pending).
    pub fn is_simulated(&self) -> bool {
        self.shared.lock().seed.is_some()
    }

    fn take_helpers(&self, wanted: usize) -> usize {
        let taken = self.helpers.fetch_update(Ordering::AcqRel, Ordering::Acquire, |free| Some(free - free.min(wanted)));
        taken.map_or(0, |free| free.min(wanted))
    }

    #[allow(clippy::disallowed_methods, reason = "the one place that starts threads")]
    fn start_worker(&self, state: &mut State) {
        if state.seed.is_some() {
            return;
        }
        // One worker more than run jobs, so that one can watch the delays; a thread that cannot start leaves the job to the others.
        let wanted = state.ready.len() + state.running + 1;
        if state.workers < wanted.min(self.threads + 1) {
            let (shared, clock) = (self.shared.clone(), self.clock.clone());
            match std::thread::Builder::new().name("embudo-worker".into()).spawn(move || shared.work(&*clock)) {
                Ok(_) => state.workers += 1,
                Err(error) => tracing::warn!(%error, "cannot start a thread"),
            }
        }
        self.shared.wake.notify_one();
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, clock: &dyn Clock) {
        let mut state = self.lock();
        while !state.closed {
            state.promote(clock.elapsed());
            if let Some(job) = state.pick() {
                state.running += 1;
                drop(state);
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a background job panicked");
                }
                state = self.lock();
                state.running -= 1;
                continue;
            }
            let delay = state.delayed.keys().next().map(|(due, _)| due.saturating_sub(clock.elapsed()));
            state = match delay {
                Some(delay) => self.wake.wait_timeout(state, delay).unwrap_or_else(PoisonError::into_inner).0,
                None => self.wake.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
        state.workers -= 1;
    }
}

impl State {
    /// Moves delayed jobs that are due to the ready ones.
    fn promote(&mut self, now: Duration) {
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > now {
                break;
            }
            self.ready.push(first.remove());
        }
    }

    /// The next job: the oldest, or in a simulation any (xorshift over the seed).
    fn pick(&mut self) -> Option<Job> {
        if self.ready.is_empty() {
            return None;
        }
        let at = match &mut self.seed {
            Some(seed) => {
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                (*seed % self.ready.len() as u64) as usize
            }
            None => 0,
        };
        Some(self.ready.remove(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    #[test]
    fn parallel_work_keeps_the_order() {
        let scheduler = Scheduler::new(2);
        for jobs in [0, 1, 7, 1000] {
            assert_eq!(scheduler.parallel(jobs, |job| job * 2), (0..jobs).map(|job| job * 2).collect::<Vec<_>>());
        }
    }

    #[test]
    fn background_jobs_run() {
        let scheduler = Scheduler::new(2);
        let (sender, receiver) = std::sync::mpsc::channel();
        for delay in [20, 0, 10] {
            let sender = sender.clone();
            scheduler.spawn_after(Duration::from_millis(delay), move || sender.send(delay).unwrap());
        }
        // Threads that are slow to wake tell in any order.
        let mut ran: Vec<u64> = receiver.iter().take(3).collect();
        ran.sort_unstable();
        assert_eq!(ran, [0, 10, 20]);
    }

    #[test]
    fn a_simulation_runs_only_when_told() {
        let clock = Arc::new(ManualClock::new(0));
        let scheduler = Scheduler::simulated(7, clock.clone());
        scheduler.spawn(|| ());
        scheduler.spawn_after(Duration::from_secs(1), || ());
        assert_eq!(scheduler.run_pending(), 1);
        clock.advance(Duration::from_secs(1));
        assert_eq!(scheduler.run_pending(), 1);
        let (sender, receiver) = std::sync::mpsc::channel();
        for delay in [20, 0, 10] {
            let sender = sender.clone();
            scheduler.spawn_after(Duration::from_millis(delay), move || sender.send(delay).unwrap());
        }
        for due in [0, 10, 20] {
            assert_eq!((scheduler.run_pending(), receiver.try_recv()), (1, Ok(due)));
            clock.advance(Duration::from_millis(10));
        }
    }
}
