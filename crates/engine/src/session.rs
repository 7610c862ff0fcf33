//! A session: current database, zone and user, and the statements that run with them. May be shared by threads.

use std::sync::Arc;

use arrow_array::RecordBatch;
use embudo_types::{Error, Result, ResultSet, Value, Zone, code};

use crate::{Engine, Statement};

/// A session of one user.
#[derive(Debug)]
pub struct Session {
    engine: Arc<Engine>,
}

impl Session {
    /// Runs one statement; `parameters` are the values of its `?` in order. The result's batches are made while they are taken.
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<ResultSet> {
        let _ = (sql, parameters);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Prepares a statement whose `?` are bound row by row or column by column.
    pub fn statement(&self, sql: &str) -> Result<Statement> {
        let _ = sql;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Writes rows that come as Arrow columns named like the target's; each batch is one atomic record. `target` (`[database.]table`) is a
    /// child or normal table, or a supertable: then a column `tbname` names the children, and columns of its tags give those of children that
    /// are made. Columns that are missing stay absent. Returns how many rows were given.
    pub fn insert_batches(&self, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
        let _ = (target, batches);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Changes the current database, as USE does.
    pub fn use_database(&self, name: &str) -> Result<()> {
        let _ = name;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// The current database.
    pub fn database(&self) -> Option<String> {
        None
    }

    /// Changes the zone that reads literals, aligns windows and labels results.
    pub fn set_zone(&self, zone: Zone) {
        let _ = zone;
    }

    /// The zone.
    pub fn zone(&self) -> Zone {
        Zone::utc()
    }

    /// The user.
    pub fn user(&self) -> &str {
        ""
    }

    /// Ends what runs in this session now with 0x020F "Query terminated"; later statements run.
    pub fn interrupt(&self) {}

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}
