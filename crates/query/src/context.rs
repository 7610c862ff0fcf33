//! What a query runs in: the session's facts, the tables it may see, and the means to stop it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arrow_array::RecordBatch;
use embudo_catalog::Catalog;
use embudo_expr::BindContext;
use embudo_storage::Scheduler;
use embudo_types::{Error, Precision, Result, Value, Zone, code};

use crate::{Access, Analysis, MemoryBudget};

/// Everything a statement's query needs from outside. NOW is fixed here, so that it is one value in the whole statement.
#[derive(Clone)]
pub struct QueryContext {
    /// Databases and their tables.
    pub catalog: Arc<Catalog>,
    /// `information_schema` and `performance_schema`.
    pub system: Arc<dyn SystemTables>,
    /// The session's database.
    pub database: Option<String>,
    /// The session's zone.
    pub zone: Zone,
    /// NOW in nanoseconds since 1970-01-01 UTC.
    pub now: i64,
    /// The session's user, and what that user may read.
    pub access: Arc<dyn Access>,
    /// How many queries of views the query stands in.
    pub view_depth: u32,
    /// Values of `?`, by place.
    pub parameters: Arc<[Value]>,
    /// What queries may hold.
    pub memory: Arc<MemoryBudget>,
    /// Stops the query from another thread.
    pub cancel: CancelToken,
    /// Counts what operators do, for EXPLAIN ANALYZE.
    pub analysis: Option<Arc<Analysis>>,
    /// Runs the parallel parts of a query; results do not depend on how many threads it has.
    pub scheduler: Arc<Scheduler>,
}

impl QueryContext {
    /// What expressions see of it; `precision` is that of the tables in FROM.
    pub(crate) fn bind_context(&self, precision: Precision) -> BindContext {
        BindContext {
            zone: self.zone.clone(),
            now: self.now,
            precision,
            parameters: Arc::clone(&self.parameters),
            user: self.access.user().into(),
            database: self.database.clone(),
        }
    }
}

/// Tables whose rows the engine makes up when asked.
pub trait SystemTables: Send + Sync {
    /// All rows of `database.table`, with fields made by [`embudo_types::arrow::field`]; `None` where there is no such table.
    fn table(&self, database: &str, name: &str) -> Result<Option<RecordBatch>>;
}

/// No system tables.
impl SystemTables for () {
    fn table(&self, _: &str, _: &str) -> Result<Option<RecordBatch>> {
        Ok(None)
    }
}

/// A flag that stops a running query at its next block; clones share it.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<Cancel>);

#[derive(Debug, Default)]
struct Cancel {
    asked: AtomicBool,
    /// How often the query has looked.
    checks: AtomicU64,
    /// The look at which it finds that it shall stop; 0 where only [`CancelToken::cancel`] stops it.
    at: u64,
}

impl CancelToken {
    /// A token that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// A token that stops the query when it looks for the `checks`th time.
    pub fn after(checks: u64) -> Self {
        Self(Arc::new(Cancel { at: checks, ..Cancel::default() }))
    }

    /// How often the query has looked whether it shall stop.
    pub fn checks(&self) -> u64 {
        self.0.checks.load(Ordering::Relaxed)
    }

    /// Asks the query to stop.
    pub fn cancel(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
    }

    /// Whether [`cancel`](Self::cancel) was called.
    pub fn is_cancelled(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// An error where the query should stop.
    pub fn check(&self) -> Result<()> {
        let checks = self.0.checks.fetch_add(1, Ordering::Relaxed) + 1;
        if checks == self.0.at {
            self.cancel();
        }
        if self.is_cancelled() { Err(Error::new(code::QUERY_TERMINATED)) } else { Ok(()) }
    }
}
