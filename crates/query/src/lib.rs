//! Queries: from the syntax tree of a SELECT to a stream of record batches.
//!
//! TDengine's SELECT has one plan shape - scan, filter, partition, window or group, fill, having, sort, slimit, limit - plus joins,
//! unions and FROM-subqueries that compose it. [`execute`] binds names and types, decides what each operator may ask of its input,
//! and runs vectorised operators over blocks of Arrow arrays. What expressions, aggregates and series functions compute is
//! `embudo-expr`'s business; where rows lie is storage's and the catalogue's.

mod access;
mod analysis;
mod array;
mod bind;
mod context;
mod explain;
mod memory;
mod plan;
mod run;
mod window;

pub use access::{Access, Reach, child_in_reach, children_in_reach, tags_in_reach};
pub use analysis::Analysis;
pub use bind::interval_grid;
pub use bind::row_query::{RowInput, RowQuery, RowSource};
pub use context::{CancelToken, QueryContext, SystemTables};
pub use memory::MemoryBudget;
pub use window::grid::Grid as WindowGrid;

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use embudo_sql::ast::query::Query;
use embudo_types::{Error, Result, ResultSet};

/// Runs a query. The result's batches are made while they are asked for; dropped early, they stop the work.
pub fn execute(query: &Query, context: &Arc<QueryContext>) -> Result<ResultSet> {
    let plan = Arc::new(bind::bind(query, context)?);
    let fields: Vec<Field> = plan.columns.iter().map(plan::OutputColumn::field).collect();
    let schema = Arc::new(Schema::new(fields.clone()));
    let batches = run::query::run(&plan, context)?.map(move |batch| {
        let batch = batch?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.rows));
        RecordBatch::try_new_with_options(Arc::clone(&schema), batch.columns, &options).map_err(|source| Error::internal(&source).caused_by(source))
    });
    Ok(ResultSet::rows(fields, Box::new(batches)))
}

/// The fields of a query's result without running it: for prepared statements, CREATE STREAM, CREATE TOPIC and INSERT … SELECT.
pub fn describe(query: &Query, context: &Arc<QueryContext>) -> Result<Vec<Field>> {
    Ok(bind::bind(query, context)?.columns.iter().map(plan::OutputColumn::field).collect())
}

/// EXPLAIN: the plan as lines of one VARCHAR column `QUERY_PLAN`. With `analyze` the query runs and its figures are shown.
pub fn explain(query: &Query, context: &Arc<QueryContext>, analyze: bool, verbose: bool) -> Result<ResultSet> {
    explain::explain(query, context, analyze, verbose)
}
