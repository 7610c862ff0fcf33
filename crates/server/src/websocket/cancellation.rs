//! Queries that their client may stop by the id of its request, while they run and while their rows are fetched.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use embudo_engine::CancelToken;
use embudo_types::{Outcome, ResultSet};

type Running = Arc<Mutex<HashMap<u64, CancelToken>>>;

/// The queries of one session by the ids of their requests.
#[derive(Default)]
pub struct Cancellations {
    running: Running,
}

impl Cancellations {
    /// Lists a query. Of two with the same id the later one can be stopped.
    pub fn start(&self, request: u64) -> Cancellable {
        let token = CancelToken::new();
        lock(&self.running).insert(request, token.clone());
        Cancellable { running: Arc::clone(&self.running), request, token }
    }

    /// Stops a query, if it runs.
    pub fn cancel(&self, request: u64) {
        if let Some(token) = lock(&self.running).get(&request) {
            token.cancel();
        }
    }
}

/// A listed query; it is taken off the list when dropped.
pub struct Cancellable {
    running: Running,
    request: u64,
    token: CancelToken,
}

impl Cancellable {
    /// What stops it.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Keeps the query on the list until its rows are taken or given up.
    pub fn follow(self, result: ResultSet) -> ResultSet {
        let Outcome::Rows(batches) = result.outcome else { return result };
        let followed = batches.inspect(move |_| {
            let _held = &self;
        });
        ResultSet { schema: result.schema, outcome: Outcome::Rows(Box::new(followed)) }
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        lock(&self.running).remove(&self.request);
    }
}

fn lock(running: &Running) -> std::sync::MutexGuard<'_, HashMap<u64, CancelToken>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_listed_while_they_run() {
        let session = Cancellations::default();
        let (one, two) = (session.start(1), session.start(2));
        session.cancel(1);
        session.cancel(9);
        assert!(one.token().is_cancelled() && !two.token().is_cancelled());
        drop((one, two));
        assert!(lock(&session.running).is_empty());
    }
}
