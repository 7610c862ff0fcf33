//! Recursive descent over the tokens of one statement.

use embudo_types::{Error, Result, code};

use crate::ast::Statement;

/// The tree of one statement. INSERT … VALUES has none: see [`crate::insert`].
pub fn parse(sql: &str) -> Result<Statement> {
    let _ = sql;
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}
