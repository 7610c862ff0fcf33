//! An engine: one open directory, or one database in memory, and the sessions on it.

use std::path::PathBuf;
use std::sync::Arc;

use embudo_catalog::Catalog;
use embudo_types::{Error, Result, Zone, code};

use crate::Session;

/// Where an engine keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In memory, for this engine alone.
    Memory,
    /// In memory, shared by every engine of the process that names it.
    SharedMemory(String),
    /// A directory, shared by every engine of the process that opens it.
    Directory(PathBuf),
}

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where.
    pub location: Location,
    /// Opens beside a writer, at its last checkpoint, and refuses to write.
    pub read_only: bool,
    /// Bytes for memory tables, caches and queries; `None` takes a quarter of the machine's.
    pub memory_limit: Option<u64>,
    /// Zone of new sessions.
    pub zone: Zone,
    /// Threads for background work, and for a query; `None` takes one a core.
    pub threads: Option<usize>,
}

impl EngineOptions {
    /// A private engine in memory.
    pub fn memory() -> Self {
        Self { location: Location::Memory, read_only: false, memory_limit: None, zone: Zone::system(), threads: None }
    }

    /// An engine on a directory, made if missing.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self { location: Location::Directory(path.into()), ..Self::memory() }
    }
}

/// An open engine.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
}

impl Engine {
    /// Opens an engine, or gives the one that the process already has open at that place.
    pub fn open(options: EngineOptions) -> Result<Arc<Self>> {
        let _ = options;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// A session of a user, without asking for a password: see [`authenticate`](Self::authenticate).
    pub fn session(self: &Arc<Self>, user: &str) -> Result<Session> {
        let _ = user;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Whether the password is the user's: 0x0357 "Authentication failure" if not or if the user is disabled.
    pub fn authenticate(&self, user: &str, password: &str) -> Result<()> {
        let _ = (user, password);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Databases and users.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Makes everything durable and closes files; later calls of sessions fail. An engine that is dropped without it loses
    /// nothing that was acknowledged.
    pub fn close(&self) -> Result<()> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }
}
