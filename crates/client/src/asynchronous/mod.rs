//! Statements as futures, for event loops: nobody's thread waits for a server or for the engine.
//!
//! `executor` is the one thread that polls tasks, `pool` a few threads for work that blocks. Over a WebSocket a thread reads for all of a
//! connection's futures and wakes them by the ids of their requests; embedded and REST statements run in the pool. A future that is dropped
//! gives its statement up: embedded and on a server that can it is stopped, elsewhere its late answer is dropped.

mod blocking;
mod executor;
mod gate;
pub mod pool;

use std::{pin::Pin, time::Duration};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use embudo_types::{Result, Value};

use crate::Request;
#[cfg(feature = "embedded")]
pub(crate) use blocking::Pulled;
pub(crate) use blocking::start_in_pool;
pub use executor::{TaskHandle, spawn};
pub(crate) use gate::Gate;

/// What is still to come.
pub type Pending<T> = Pin<Box<dyn Future<Output = Result<T>> + Send>>;

/// A first batch of fewer rows than this is followed by the next at once: most results end there.
pub(crate) const FEW_ROWS: usize = 4_096;

/// One statement to run, with all it needs.
#[derive(Clone, Debug, Default)]
pub struct OwnedRequest {
    /// The statement.
    pub sql: String,
    /// A value for every `?`.
    pub parameters: Vec<Value>,
    /// An id that the server's logs show with it.
    pub request_id: Option<u64>,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

impl OwnedRequest {
    /// The same, borrowed.
    pub fn as_request(&self) -> Request<'_> {
        Request { sql: &self.sql, parameters: &self.parameters, request_id: self.request_id, timeout: self.timeout }
    }
}

/// What a statement gave.
pub struct AsyncResult {
    /// The fields; none where it gave no rows.
    pub schema: SchemaRef,
    /// Rows or a count.
    pub outcome: AsyncOutcome,
}

/// Rows or a count.
pub enum AsyncOutcome {
    /// Rows written or removed.
    Affected(u64),
    /// Batches that are here, then those that are to come.
    Rows {
        /// The first batches.
        ready: Vec<RecordBatch>,
        /// `None` where these are all.
        rest: Option<Box<dyn Batches>>,
    },
}

/// A batch and those after it; `None` at the end.
pub type Next = Option<(RecordBatch, Box<dyn Batches>)>;

/// The batches of a result that are still to come.
pub trait Batches: Send {
    /// The next one.
    fn next(self: Box<Self>) -> Pending<Next>;
}

/// Takes the first batch, and the second where the first is short.
pub(crate) async fn first_batches(rest: Box<dyn Batches>) -> Result<(Vec<RecordBatch>, Option<Box<dyn Batches>>)> {
    let Some((first, rest)) = rest.next().await? else { return Ok((Vec::new(), None)) };
    if first.num_rows() >= FEW_ROWS {
        return Ok((vec![first], Some(rest)));
    }
    Ok(match rest.next().await? {
        Some((second, rest)) => (vec![first, second], Some(rest)),
        None => (vec![first], None),
    })
}

/// Forgets threads of the parent, in the child of a fork.
pub(crate) fn after_fork() {
    executor::after_fork();
    pool::after_fork();
}
