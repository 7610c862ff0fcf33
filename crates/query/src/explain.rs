//! EXPLAIN: a plan as lines of text, the operator that gives the rows first, what it reads below it.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::Schema;
use embudo_sql::ast::query::{JoinKind, JoinSide, Query};
use embudo_types::{DataType, Error, Precision, Result, ResultSet, arrow};

use crate::QueryContext;
use crate::bind;
use crate::bind::relation::{Origin, Relation};
use crate::plan::{Body, QueryPlan, RowsPlan, SelectPlan, Stage, WindowPlan};
use crate::run;

/// Longest line that metadata announces.
const WIDTH: u32 = 16_382;

/// The plan's lines.
pub(crate) fn explain(query: &Query, context: &Arc<QueryContext>, analyze: bool, verbose: bool) -> Result<ResultSet> {
    let plan = Arc::new(bind::bind(query, context)?);
    let mut lines = Lines { text: Vec::new(), verbose };
    lines.query(&plan, 0);
    if analyze {
        let (mut rows, mut batches) = (0, 0);
        for batch in run::query::run(&plan, context)? {
            rows += batch?.rows;
            batches += 1;
        }
        lines.add(0, &format!("rows={rows} blocks={batches}"));
    }
    let array: ArrayRef = Arc::new(BinaryArray::from_iter_values(lines.text.iter().map(String::as_bytes)));
    let schema = Arc::new(Schema::new(vec![arrow::field("QUERY_PLAN", DataType::Varchar(WIDTH), Precision::Milli)]));
    RecordBatch::try_new(schema, vec![array]).map(ResultSet::batch).map_err(|source| Error::internal(&source).caused_by(source))
}

struct Lines {
    text: Vec<String>,
    verbose: bool,
}

impl Lines {
    fn add(&mut self, depth: usize, line: &str) {
        self.text.push(format!("{}-> {line}", "   ".repeat(depth)));
    }

    fn detail(&mut self, depth: usize, line: &str) {
        if self.verbose {
            self.text.push(format!("{}   {line}", "   ".repeat(depth)));
        }
    }

    fn query(&mut self, plan: &QueryPlan, mut depth: usize) {
        let width: u32 = plan.columns.iter().map(|column| column.data_type.storage_length()).sum();
        if !plan.order.is_empty() {
            self.add(depth, &format!("Sort (keys={} width={width})", plan.order.len()));
            if let Some(limit) = plan.limit {
                self.detail(depth, &format!("Limit: {} offset={}", limit.count, limit.offset));
            }
            depth += 1;
        }
        match &plan.body {
            Body::Select(select) => self.select(select, width, depth),
            Body::Union { left, right, all, .. } => {
                self.add(depth, &format!("{} (columns={} width={width})", if *all { "Merge" } else { "Distinct Merge" }, plan.columns.len()));
                self.query(left, depth + 1);
                self.query(right, depth + 1);
            }
        }
    }

    fn select(&mut self, plan: &SelectPlan, width: u32, mut depth: usize) {
        if let Some(fill) = &plan.fill {
            self.add(depth, &format!("Fill (mode={:?} width={width})", fill.mode));
            depth += 1;
        }
        match &plan.stage {
            Stage::Rows { keys } if keys.is_empty() => {}
            Stage::Rows { keys } => {
                self.add(depth, &format!("Partition on {} keys (width={width})", keys.len()));
                depth += 1;
            }
            Stage::Tables => {
                self.add(depth, &format!("Tag Scan (columns={} width={width})", plan.shown));
                return;
            }
            Stage::Aggregate(stage) => {
                let name = match &stage.window {
                    None => "Aggregate",
                    Some(WindowPlan::Interval(_)) => "Interval",
                    Some(WindowPlan::Session { .. }) => "Session",
                    Some(WindowPlan::State(_)) => "State Window",
                    Some(WindowPlan::Event { .. }) => "Event Window",
                    Some(WindowPlan::Count { .. }) => "Count Window",
                };
                let groups = if stage.keys.is_empty() { String::new() } else { format!(" group_keys={}", stage.keys.len()) };
                self.add(depth, &format!("{name} (functions={} width={width}{groups} input_order=asc )", stage.calls.len()));
                depth += 1;
            }
            Stage::Series(stage) => {
                self.add(depth, &format!("Indefinite Rows Function (functions={} width={width})", stage.calls.len()));
                depth += 1;
            }
            Stage::Interp(stage) => {
                self.add(depth, &format!("Interp (functions={} width={width})", stage.calls.len()));
                depth += 1;
            }
        }
        self.relation(&plan.relation, Some(plan), depth);
    }

    fn relation(&mut self, relation: &Relation, plan: Option<&SelectPlan>, depth: usize) {
        match &relation.origin {
            Origin::Nothing => self.add(depth, "Project (constant)"),
            Origin::Table(table) => {
                let inputs: Vec<usize> = plan.map_or_else(|| (0..relation.columns.len()).collect(), |plan| plan.inputs.clone());
                let width: u32 = inputs.iter().map(|input| relation.columns[*input].data_type.storage_length()).sum();
                let kind = if table.is_single() { "Table Scan" } else { "Table Merge Scan" };
                self.add(
                    depth,
                    &format!("{kind} on {} (columns={} width={width} order=[asc|1 desc|0] mode=ts_order data_load=data)", table.name, inputs.len()),
                );
                if let Some(plan) = plan {
                    let range = plan.filter.range;
                    self.detail(depth, &format!("Time Range: [{}, {}]", range.start, range.end));
                    if plan.filter.rows.is_some() {
                        self.detail(depth, "Filter: on columns");
                    }
                    if plan.filter.table.is_some() || !plan.filter.postings.is_empty() {
                        self.detail(depth, "Tag Index Filter: on tags");
                    }
                }
            }
            Origin::Rows(RowsPlan::Query(query)) => self.query(query, depth),
            Origin::Rows(RowsPlan::Batch { name, batch }) => self.add(depth, &format!("System Table Scan on {name} (columns={})", batch.num_columns())),
            Origin::Join(join) => {
                let side = match join.side {
                    JoinSide::Inner => "Inner",
                    JoinSide::Left => "Left",
                    JoinSide::Right => "Right",
                    JoinSide::Full => "Full",
                };
                let kind = match join.kind {
                    JoinKind::Plain => "",
                    JoinKind::Semi => " Semi",
                    JoinKind::Anti => " Anti",
                    JoinKind::Asof => " Asof",
                    JoinKind::Window => " Window",
                };
                self.add(depth, &format!("{side}{kind} Join (columns={})", relation.columns.len()));
                self.relation(&join.left.relation, None, depth + 1);
                self.relation(&join.right.relation, None, depth + 1);
            }
        }
    }
}
