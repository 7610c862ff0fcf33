//! Drivers whose calls block, as futures: their calls run in the pool.

use std::sync::Arc;

use arrow_array::RecordBatch;
use embudo_types::{BatchStream, Outcome, Result, ResultSet};

use super::{AsyncOutcome, AsyncResult, Batches, FEW_ROWS, Next, OwnedRequest, Pending, pool};
use crate::Driver;

/// Runs a statement of any driver in the pool.
pub fn start_in_pool<D: Driver + ?Sized + 'static>(driver: Arc<D>, request: OwnedRequest) -> Pending<AsyncResult> {
    Pulled::start((), move || driver.run(&request.as_request()))
}

/// Batches that are pulled in the pool. `guard` lives until the last was taken, or nobody wants more.
pub struct Pulled<G> {
    stream: BatchStream,
    guard: G,
}

impl<G: Send + 'static> Pulled<G> {
    /// Runs `work`, and pulls its first batches.
    pub fn start(guard: G, work: impl FnOnce() -> Result<ResultSet> + Send + 'static) -> Pending<AsyncResult> {
        let pulled = pool::run(move || {
            let result = work()?;
            let (schema, mut stream) = match result.outcome {
                Outcome::Affected(rows) => return Ok((result.schema, Err(rows))),
                Outcome::Rows(stream) => (result.schema, stream),
            };
            let mut ready = Vec::new();
            while ready.last().is_none_or(|batch: &RecordBatch| batch.num_rows() < FEW_ROWS) && ready.len() < 2 {
                match stream.next().transpose()? {
                    Some(batch) => ready.push(batch),
                    None => return Ok((schema, Ok((ready, None)))),
                }
            }
            Ok((schema, Ok((ready, Some(stream)))))
        });
        Box::pin(async move {
            let (schema, outcome) = pulled.await?;
            let outcome = match outcome {
                Err(rows) => AsyncOutcome::Affected(rows),
                Ok((ready, stream)) => AsyncOutcome::Rows { ready, rest: stream.map(|stream| Box::new(Self { stream, guard }) as Box<dyn Batches>) },
            };
            Ok(AsyncResult { schema, outcome })
        })
    }
}

impl<G: Send + 'static> Batches for Pulled<G> {
    fn next(self: Box<Self>) -> Pending<Next> {
        let Self { mut stream, guard } = *self;
        let pulled = pool::run(move || Ok(stream.next().transpose()?.map(|batch| (batch, stream))));
        Box::pin(async move { Ok(pulled.await?.map(|(batch, stream)| (batch, Box::new(Self { stream, guard }) as Box<dyn Batches>))) })
    }
}
