//! Who runs when. Every statement starts in the short queue; one that lasts is a scan from then on, and scans have a queue of their own, so
//! that inserts, point queries and metadata never wait behind them. Scans run in pieces and line up anew for each.

use std::{sync::Arc, time::Duration};

use embudo_types::{Error, Result, code};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::spawn_blocking,
    time::timeout,
};

/// After this long a statement is no short one any more.
pub const SHORT: Duration = Duration::from_millis(50);

/// The queues of one server.
#[derive(Clone)]
pub struct Turns {
    short: Arc<Semaphore>,
    scans: Arc<Semaphore>,
    wait: Duration,
}

impl Turns {
    /// Queues for this machine. Short statements often wait for the log rather than compute, so more of them may run than there are
    /// processors; of scans, which compute, about as many.
    pub fn new(wait: Duration) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self { short: Arc::new(Semaphore::new(8 * processors.max(2))), scans: Arc::new(Semaphore::new(processors.max(2))), wait }
    }

    /// Runs the first piece of a statement in a blocking thread. It gives its place to the next as soon as it turns out to be long.
    pub async fn first<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.place(&self.short).await?;
        let mut running = spawn_blocking(work);
        let outcome = if let Ok(outcome) = timeout(SHORT, &mut running).await {
            outcome
        } else {
            drop(place);
            // Counts among the scans where there is room; it cannot be stopped where there is none.
            let _counted = Arc::clone(&self.scans).try_acquire_owned();
            running.await
        };
        outcome.map_err(Error::internal)
    }

    /// Runs a further piece of a statement with a large result.
    pub async fn further<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
        let place = self.place(&self.scans).await?;
        let outcome = spawn_blocking(work).await;
        drop(place);
        outcome.map_err(Error::internal)
    }

    async fn place(&self, queue: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit> {
        match timeout(self.wait, Arc::clone(queue).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Error::new(code::TOO_MANY_REQUESTS)),
        }
    }
}
