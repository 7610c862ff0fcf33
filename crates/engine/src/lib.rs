//! The embedded database: engines over directories or memory, sessions that execute SQL, prepared statements, Arrow in and out.
//! Everything below is reached through here.

mod engine;
mod session;
mod statement;

pub use engine::{Engine, EngineOptions, Location};
pub use session::Session;
pub use statement::{Statement, StatementField};
