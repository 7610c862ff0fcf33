//! Lexer, syntax tree and parser of TDengine's SQL; knows nothing of tables or data.

/// The syntax tree.
pub mod ast {
    pub mod expr;
    pub mod query;
}
