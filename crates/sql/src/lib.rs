//! Lexer, syntax tree and parser of TDengine's SQL; knows nothing of tables or data.
//!
//! [`parse`] makes a tree of every statement except INSERT … VALUES, which [`insert::parse`] reads straight into typed columns.

/// The syntax tree.
pub mod ast {
    pub mod administration;
    pub mod database;
    pub mod expr;
    pub mod query;
    pub mod show;
    pub mod statement;
    pub mod table;
    mod walk;

    pub use statement::{ObjectName, Statement};
}
mod columns;
mod display;
pub mod insert;
pub mod lexer;
pub mod literal;
mod parser;

pub use display::{Name, Text};
pub use parser::{parse, parse_expression};

/// Longest statement in bytes.
pub const MAX_STATEMENT: usize = 1_048_576;
