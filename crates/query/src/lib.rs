//! Queries: from the syntax tree of a SELECT to a stream of record batches.
//!
//! TDengine's SELECT has one plan shape - scan, filter, partition, window or group, fill, having, sort, slimit, limit - plus joins,
//! unions and FROM-subqueries that compose it. [`execute`] binds names and types, decides what each operator may ask of its input,
//! and runs vectorised operators over blocks of Arrow arrays. What expressions, aggregates and series functions compute is
//! `embudo-expr`'s business; where rows lie is storage's and the catalogue's.

mod context;

pub use context::{CancelToken, QueryContext, SystemTables};

use std::sync::Arc;

use arrow_schema::Field;
use embudo_sql::ast::query::Query;
use embudo_types::{Error, Result, ResultSet, code};

/// Runs a query. The result's batches are made while they are asked for; dropped early, they stop the work.
pub fn execute(query: &Query, context: &Arc<QueryContext>) -> Result<ResultSet> {
    let _ = (query, context);
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}

/// The fields of a query's result without running it: for prepared statements, CREATE STREAM, CREATE TOPIC and INSERT … SELECT.
pub fn describe(query: &Query, context: &Arc<QueryContext>) -> Result<Vec<Field>> {
    let _ = (query, context);
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}

/// EXPLAIN: the plan as lines of one VARCHAR column `QUERY_PLAN`. With `analyze` the query runs and its figures are shown.
pub fn explain(query: &Query, context: &Arc<QueryContext>, analyze: bool, verbose: bool) -> Result<ResultSet> {
    let _ = (query, context, analyze, verbose);
    Err(Error::new(code::OPERATION_NOT_SUPPORTED))
}
