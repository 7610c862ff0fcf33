//! Threads for asynchronous calls: made when needed, up to a limit, and gone after some idle time.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use embudo_types::{Error, Result};

use crate::boundary;

const LIMIT: usize = 16;
const IDLE: Duration = Duration::from_secs(10);

type Job = Box<dyn FnOnce() + Send>;

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { jobs: VecDeque::new(), threads: 0, idle: 0 });
static WORK: Condvar = Condvar::new();

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a job on another thread, after those given before where all threads are busy.
pub fn run(job: impl FnOnce() + Send + 'static) -> Result<()> {
    let mut pool = pool();
    if pool.idle <= pool.jobs.len() && pool.threads < LIMIT {
        let spawned = thread::Builder::new().name("taos-callback".into()).spawn(work);
        match spawned {
            Ok(_) => pool.threads += 1,
            Err(source) if pool.threads == 0 => return Err(Error::io("starting a thread", source)),
            // Those that are there will come to it.
            Err(_) => {}
        }
    }
    pool.jobs.push_back(Box::new(job));
    WORK.notify_one();
    Ok(())
}

fn work() {
    let mut pool = pool();
    loop {
        if let Some(job) = pool.jobs.pop_front() {
            drop(pool);
            boundary::quietly((), job);
            pool = self::pool();
            continue;
        }
        pool.idle += 1;
        let (next, waited) = WORK.wait_timeout(pool, IDLE).unwrap_or_else(PoisonError::into_inner);
        pool = next;
        pool.idle -= 1;
        if waited.timed_out() && pool.jobs.is_empty() {
            pool.threads -= 1;
            return;
        }
    }
}

/// Forgets the parent's threads and their jobs, in the child of a fork.
pub fn after_fork() {
    if let Ok(mut pool) = POOL.try_lock() {
        std::mem::forget(std::mem::take(&mut pool.jobs));
        pool.threads = 0;
        pool.idle = 0;
    }
}

/// The name of the running program, for lists of connections.
pub fn program_name() -> Option<String> {
    let path = std::env::current_exe().ok()?;
    path.file_name().map(|name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_run_even_behind_panics_and_from_within_jobs() {
        let (tell, told) = mpsc::channel();
        run(|| panic!("boom")).unwrap();
        for number in 0..100 {
            let tell = tell.clone();
            run(move || {
                let _ = run(move || {
                    let _ = tell.send(number);
                });
            })
            .unwrap();
        }
        drop(tell);
        let mut numbers: Vec<i32> = told.iter().collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..100).collect::<Vec<_>>());
    }
}
