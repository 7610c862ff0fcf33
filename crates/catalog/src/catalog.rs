//! All databases and users of an engine, and the system log that says which there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use embudo_types::{Error, Result, code};
use parking_lot::RwLock;

use crate::Database;

/// Databases and users.
#[derive(Debug)]
pub struct Catalog {
    databases: RwLock<BTreeMap<Arc<str>, Arc<Database>>>,
}

impl Catalog {
    /// A database by name; 0x0388 "Database not exist" where there is none.
    pub fn database(&self, name: &str) -> Result<Arc<Database>> {
        self.databases.read().get(name).cloned().ok_or_else(|| Error::new(code::DATABASE_NOT_EXIST))
    }

    /// All databases by name.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        self.databases.read().values().cloned().collect()
    }
}
