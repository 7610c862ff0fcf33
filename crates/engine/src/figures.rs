//! What an engine holds and does, in numbers, for whoever watches it.

use std::time::Duration;

pub use embudo_storage::Figures as StoreFigures;

use crate::Engine;

/// Numbers of one moment.
#[derive(Clone, Debug, Default)]
pub struct EngineFigures {
    /// Open sessions.
    pub sessions: u64,
    /// Statements that run, or whose rows are not all taken.
    pub statements: u64,
    /// Bytes that running queries hold.
    pub query_bytes: u64,
    /// Bytes that they may hold together.
    pub query_limit: u64,
    /// Each database's store.
    pub databases: Vec<(String, StoreFigures)>,
}

impl Engine {
    /// Ends what has been running for longer than this with 0x020F, results whose rows are not all taken included; how many there were.
    pub fn interrupt_older_than(&self, limit: Duration) -> usize {
        let limit = i64::try_from(limit.as_millis()).unwrap_or(i64::MAX);
        self.activity().interrupt_older_than((self.clock().now() / 1_000_000).saturating_sub(limit))
    }

    /// The numbers of now.
    pub fn figures(&self) -> EngineFigures {
        let (sessions, statements) = self.activity().counts();
        let databases = self.catalog().databases().iter().map(|database| (database.name.to_string(), database.store().figures())).collect();
        let queries = self.query_memory();
        EngineFigures { sessions: sessions as u64, statements: statements as u64, query_bytes: queries.used(), query_limit: queries.limit(), databases }
    }
}
