//! The embedded database: engines over directories or memory, sessions that execute SQL, prepared statements, Arrow in and out.
//! Everything below is reached through here.

mod account;
mod activity;
mod aggregate_ddl;
mod apply;
mod authorize;
mod batch_insert;
mod bind;
mod cells;
mod cluster;
mod database_ddl;
mod delete;
mod describe;
mod dispatch;
mod engine;
mod figures;
mod file;
mod grants;
mod insert;
mod insert_select;
mod lost_tail;
mod machine;
mod pending;
mod placement;
mod row_set;
mod schemaless;
mod session;
mod show;
mod show_create;
#[cfg(test)]
mod simulation;
mod statement;
mod streams;
mod subscription;
mod system_tables;
mod table_ddl;
mod template;
mod user_ddl;
mod view_ddl;

pub use activity::Origin;
pub use embudo_catalog::{Login, Proof, Token, TotpSecret};
pub use embudo_query::CancelToken;
pub use embudo_types::{FieldRole, StatementField};
pub use engine::{Engine, EngineOptions, Location, after_fork};
pub use figures::{EngineFigures, StoreFigures};
pub use schemaless::{LineOptions, LinesWritten};
pub use session::Session;
pub use statement::{BoundCells, Statement};
pub use subscription::Consumer;
