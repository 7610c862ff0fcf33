//! Streams: queries that run over rows as they come and write what they give into a supertable. A stream follows its source's log
//! ([`runner`]), notes which windows the rows touch ([`progress`]), and has the ordinary query compute those again over the rows as they
//! are ([`compute`]); what it writes are upserts by (child, time), so that doing a part twice after a crash changes nothing. So updates,
//! late rows and deletes are right by construction. What a statement may say is [`plan`]'s; the statements themselves are [`ddl`]'s.

mod compute;
pub(crate) mod ddl;
mod plan;
mod progress;
mod runner;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use embudo_catalog::Stream;
use embudo_types::Result;
use parking_lot::Mutex;

use crate::Engine;
use runner::Runner;

/// The streams of an engine that run.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    running: Mutex<HashMap<Arc<str>, Arc<Runner>>>,
    /// How many run, so that writers ask nobody where there are none.
    count: AtomicUsize,
}

impl Streams {
    /// Starts every stream that is not paused. One that cannot start says so in the log and stays.
    pub fn start_all(&self, engine: &Arc<Engine>) {
        for stream in engine.catalog().streams() {
            if !stream.paused
                && let Err(error) = self.start(engine, &stream.name)
            {
                tracing::warn!(stream = %stream.name, %error, "a stream cannot start");
            }
        }
    }

    /// Starts a stream where it was left.
    pub fn start(&self, engine: &Arc<Engine>, name: &str) -> Result<()> {
        let stream = engine.catalog().stream(name)?;
        let runner = Runner::new(engine, stream.clone())?;
        self.change(|running| drop(running.insert(stream.name.clone(), runner.clone())));
        runner.schedule();
        Ok(())
    }

    /// Stops a stream and waits for what it is doing.
    pub fn stop(&self, name: &str) -> Result<()> {
        let runner = self.change(|running| running.remove(name));
        runner.map_or(Ok(()), |runner| runner.stop())
    }

    /// Stops the streams that `goes` says, or all where it says so of each.
    pub fn stop_where(&self, goes: impl Fn(&Stream) -> bool) -> Result<()> {
        let gone: Vec<_> = self.change(|running| running.extract_if(|_, runner| goes(runner.stream())).map(|(_, runner)| runner).collect());
        gone.into_iter().try_for_each(|runner| runner.stop())
    }

    /// Why a stream's last step failed, if it did.
    pub fn failure(&self, name: &str) -> Option<String> {
        self.running.lock().get(name).and_then(|runner| runner.failure())
    }

    /// Has the streams on a database look at its log.
    pub fn wake(&self, database: u32) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        for runner in self.running.lock().values().filter(|runner| runner.database() == database) {
            runner.schedule();
        }
    }

    fn change<R>(&self, change: impl FnOnce(&mut HashMap<Arc<str>, Arc<Runner>>) -> R) -> R {
        let mut running = self.running.lock();
        let outcome = change(&mut running);
        self.count.store(running.len(), Ordering::Release);
        outcome
    }
}
