//! What an engine holds and does, in numbers, for whoever watches it.

pub use embudo_storage::Figures as StoreFigures;

use crate::Engine;

/// Numbers of one moment.
#[derive(Clone, Debug, Default)]
pub struct EngineFigures {
    /// Open sessions.
    pub sessions: u64,
    /// Statements that run, or whose rows are not all taken.
    pub statements: u64,
    /// Each database's store.
    pub databases: Vec<(String, StoreFigures)>,
}

impl Engine {
    /// The numbers of now.
    pub fn figures(&self) -> EngineFigures {
        let (sessions, statements) = self.activity().counts();
        let databases = self.catalog().databases().iter().map(|database| (database.name.to_string(), database.store().figures())).collect();
        EngineFigures { sessions: sessions as u64, statements: statements as u64, databases }
    }
}
