//! What an expression may refer to: the columns of a batch, told by whoever plans the query, and the facts of the
//! statement. Names are resolved here and nowhere else in this crate.

use std::sync::Arc;

use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Precision, Result, Value, Zone};

/// A column of the batch that [`BoundExpr::evaluate`](crate::BoundExpr::evaluate) is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Its place in the batch.
    pub index: usize,
    /// Its type; the array's Arrow type is [`embudo_types::arrow::arrow_type`] of it.
    pub data_type: DataType,
    /// What its ticks are, where it is a TIMESTAMP.
    pub precision: Precision,
}

/// Tells what a node of the syntax tree means.
pub trait Scope {
    /// Asked first for every node: a column, a pseudo-column, a function call, a whole group key. `Ok(None)` leaves the node to
    /// the binder, which refuses a column it was not told about.
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>>;
}

/// A scope without names: constants only.
pub struct EmptyScope;

impl Scope for EmptyScope {
    fn resolve(&self, _: &Expr) -> Result<Option<Input>> {
        Ok(None)
    }
}

/// Facts of a statement that expressions see.
#[derive(Clone, Debug)]
pub struct BindContext {
    /// The session's zone: parses time literals, aligns days, formats.
    pub zone: Zone,
    /// NOW of the whole statement in nanoseconds since 1970-01-01 UTC.
    pub now: i64,
    /// Precision of the tables in FROM; milliseconds without any.
    pub precision: Precision,
    /// Values of `?`, by place.
    pub parameters: Arc<[Value]>,
    /// The session's user, for `CURRENT_USER()`.
    pub user: String,
    /// The session's database, for `DATABASE()`.
    pub database: Option<String>,
}

impl Default for BindContext {
    fn default() -> Self {
        Self { zone: Zone::utc(), now: 0, precision: Precision::Milli, parameters: Arc::from([]), user: "root".into(), database: None }
    }
}
