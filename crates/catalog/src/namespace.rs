//! The names of one database's tables: supertables, children and normal tables share them.

use std::sync::Arc;

use embudo_storage::Uid;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

/// Name to table; read by every statement, written by DDL.
#[derive(Debug, Default)]
pub(crate) struct Namespace {
    names: RwLock<FxHashMap<Arc<str>, Name>>,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// A supertable by uid.
    Super(Uid),
    /// A normal table by uid.
    Normal(Uid),
    /// A child by its supertable's uid and its slot there.
    Child(Uid, u32),
}

impl Namespace {
    /// What a name stands for.
    pub fn get(&self, name: &str) -> Option<Name> {
        self.names.read().get(name).copied()
    }

    /// Supertable and slot of a child.
    pub fn child(&self, name: &str) -> Option<(Uid, u32)> {
        match self.get(name) {
            Some(Name::Child(supertable, slot)) => Some((supertable, slot)),
            _ => None,
        }
    }

    /// Gives a name.
    pub fn insert(&self, name: Arc<str>, what: Name) {
        self.names.write().insert(name, what);
    }

    /// Takes a name back.
    pub fn remove(&self, name: &str) {
        self.names.write().remove(name);
    }

    /// Makes room for so many more names.
    #[expect(dead_code)]
    pub fn reserve(&self, names: usize) {
        self.names.write().reserve(names);
    }
}
