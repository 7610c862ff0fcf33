//! One database: its store, its tables by name, and the gate that orders DDL among writers.

use std::collections::BTreeMap;
use std::sync::Arc;

use embudo_storage::{Store, Uid};
use embudo_types::Precision;
use parking_lot::RwLock;

use crate::namespace::{Name, Namespace};
use crate::{Child, DatabaseOptions, NormalTable, Supertable, Table};

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Its directory's number, never used again.
    pub id: u32,
    /// Name.
    pub name: Arc<str>,
    /// Milliseconds since 1970.
    pub created: i64,
    options: RwLock<Arc<DatabaseOptions>>,
    store: Arc<Store>,
    namespace: Arc<Namespace>,
    tables: RwLock<Tables>,
}

/// Tables by uid, so that lists come in order of creation.
#[derive(Debug, Default)]
struct Tables {
    supertables: BTreeMap<Uid, Arc<Supertable>>,
    normal: BTreeMap<Uid, Arc<NormalTable>>,
}

impl Database {
    /// Its options now.
    pub fn options(&self) -> Arc<DatabaseOptions> {
        self.options.read().clone()
    }

    /// Ticks of its timestamps; never changes.
    pub fn precision(&self) -> Precision {
        self.options.read().precision
    }

    /// Its rows.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What a name in FROM means.
    pub fn table(&self, name: &str) -> Option<Table> {
        match self.namespace.get(name)? {
            Name::Super(uid) => self.tables.read().supertables.get(&uid).cloned().map(Table::Super),
            Name::Normal(uid) => self.tables.read().normal.get(&uid).cloned().map(Table::Normal),
            Name::Child(uid, slot) => {
                let supertable = self.tables.read().supertables.get(&uid).cloned()?;
                let children = supertable.children();
                if !children.slots().contains(slot) {
                    return None;
                }
                Some(Table::Child(Child { uid: children.uid(slot), name: children.name(slot), slot, supertable }))
            }
        }
    }

    /// Supertables in order of creation.
    pub fn supertables(&self) -> Vec<Arc<Supertable>> {
        self.tables.read().supertables.values().cloned().collect()
    }

    /// Normal tables in order of creation.
    pub fn normal_tables(&self) -> Vec<Arc<NormalTable>> {
        self.tables.read().normal.values().cloned().collect()
    }
}
