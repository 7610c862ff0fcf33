//! EXPLAIN: a plan as lines of text, the operator that gives the rows first, what it reads below it; with ANALYZE beside each what it did.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, RecordBatch};
use arrow_schema::Schema;
use embudo_sql::ast::query::{JoinKind, JoinSide, Query};
use embudo_storage::TimeRange;
use embudo_types::{DataType, Error, Precision, Result, ResultSet, arrow};

use crate::QueryContext;
use crate::analysis::{Analysis, Figures, Operator, OperatorKind};
use crate::bind;
use crate::bind::relation::{Origin, Relation, TableOrigin};
use crate::plan::{AggregatePlan, Body, FillMode, Filter, JoinPlan, JoinSidePlan, QueryPlan, RowsPlan, SelectPlan, Stage, WindowPlan};
use crate::run;
use crate::window::grid::Grid;

/// Longest line that metadata announces.
const WIDTH: u32 = 16_382;

/// The plan's lines.
pub(crate) fn explain(query: &Query, context: &Arc<QueryContext>, analyze: bool, verbose: bool) -> Result<ResultSet> {
    let analysis = Arc::new(Analysis::new(&context.scheduler));
    let plan = Arc::new(bind::bind(query, context)?);
    let planned = analysis.elapsed();
    if analyze {
        let context = Arc::new(QueryContext { analysis: Some(Arc::clone(&analysis)), ..(**context).clone() });
        for batch in run::query::run(&plan, &context)? {
            batch?;
        }
    }
    let done = analysis.elapsed();
    let mut lines = Lines { text: Vec::new(), verbose, analysis: analyze.then_some(analysis) };
    lines.query(&plan, 0);
    if analyze {
        let milliseconds = |nanoseconds: u64| nanoseconds as f64 / 1e6;
        lines.text.push(format!("Planning Time: {:.3} ms", milliseconds(planned)));
        lines.text.push(format!("Execution Time: {:.3} ms", milliseconds(done - planned)));
    }
    let array: ArrayRef = Arc::new(BinaryArray::from_iter_values(lines.text.iter().map(String::as_bytes)));
    let schema = Arc::new(Schema::new(vec![arrow::field("QUERY_PLAN", DataType::Varchar(WIDTH), Precision::Milli)]));
    RecordBatch::try_new(schema, vec![array]).map(ResultSet::batch).map_err(|source| Error::internal(&source).caused_by(source))
}

struct Lines {
    text: Vec<String>,
    verbose: bool,
    /// Of a run, where there was one.
    analysis: Option<Arc<Analysis>>,
}

impl Lines {
    /// A line of an operator: its name, what it did, what it is.
    fn operator(&mut self, depth: usize, name: &str, operator: Option<Operator>, what: &str) {
        let did = match (&self.analysis, operator) {
            (Some(analysis), Some(operator)) => did(&analysis.operator(operator)),
            _ => String::new(),
        };
        self.text.push(format!("{}-> {name} ({did}{what})", "   ".repeat(depth)));
    }

    fn under(&mut self, depth: usize, line: &str) {
        self.text.push(format!("{}      {line}", "   ".repeat(depth)));
    }

    fn detail(&mut self, depth: usize, line: &str) {
        if self.verbose {
            self.under(depth, line);
        }
    }

    fn output(&mut self, depth: usize, columns: usize, width: u32) {
        self.detail(depth, &format!("Output: columns={columns} width={width}"));
    }

    fn query(&mut self, plan: &QueryPlan, mut depth: usize) {
        let width: u32 = plan.columns.iter().map(|column| column.data_type.storage_length()).sum();
        let columns = plan.columns.len();
        if !plan.order.is_empty() {
            // An order that a scan has anyway costs no sort.
            self.operator(depth, "Sort", Some(Operator::of(plan, OperatorKind::Sort)), &format!("columns={columns} width={width} "));
            self.output(depth, columns, width);
            self.limits(plan, depth);
            depth += 1;
        }
        match &plan.body {
            Body::Select(select) => {
                if select.distinct {
                    self.operator(depth, "Distinct", Some(Operator::of(plan, OperatorKind::Union)), &format!("columns={columns} width={width} "));
                    depth += 1;
                }
                self.select(select, width, depth);
            }
            Body::Union { left, right, all, .. } => {
                let name = if *all { "Merge" } else { "Distinct Merge" };
                self.operator(depth, name, Some(Operator::of(plan, OperatorKind::Union)), &format!("columns={columns} width={width} "));
                self.query(left, depth + 1);
                self.query(right, depth + 1);
            }
        }
        if plan.order.is_empty() {
            self.limits(plan, depth);
        }
    }

    fn limits(&mut self, plan: &QueryPlan, depth: usize) {
        for (name, limit) in [("Limit", plan.limit), ("Slimit", plan.slimit)] {
            if let Some(limit) = limit {
                self.detail(depth, &format!("{name}: {} offset={}", limit.count, limit.offset));
            }
        }
    }

    fn select(&mut self, plan: &SelectPlan, width: u32, mut depth: usize) {
        if let Some(fill) = &plan.fill {
            let mode = match fill.mode {
                FillMode::Null => "null",
                FillMode::Value => "value",
                FillMode::Previous => "prev",
                FillMode::Next => "next",
                FillMode::Linear => "linear",
            };
            self.operator(depth, "Fill", Some(Operator::of(plan, OperatorKind::Fill)), &format!("mode={mode} width={width} "));
            self.output(depth, plan.shown, width);
            self.detail(depth, &time_range(fill.range));
            depth += 1;
        }
        let stage_operator = Operator::of(plan, OperatorKind::Stage);
        match &plan.stage {
            Stage::Rows { keys } => {
                let name = if keys.is_empty() { "Projection" } else { "Partition" };
                let groups = if keys.is_empty() { String::new() } else { format!(" group_keys={}", keys.len()) };
                self.operator(depth, name, Some(stage_operator), &format!("columns={} width={width}{groups} input_order=asc ", plan.shown));
                self.output(depth, plan.shown, width);
            }
            Stage::Tables => {
                self.operator(depth, "Tag Scan", Some(stage_operator), &format!("columns={} width={width} ", plan.shown));
                return;
            }
            Stage::Aggregate(stage) => self.aggregate(plan, stage, width, depth),
            Stage::Series(stage) => {
                self.operator(depth, "Indefinite Rows Function", Some(stage_operator), &format!("functions={} width={width} ", stage.calls.len()));
            }
            Stage::Interp(stage) => {
                self.operator(depth, "Interp", Some(stage_operator), &format!("functions={} width={width} ", stage.calls.len()));
                self.detail(depth, &time_range(stage.range));
            }
        }
        if plan.having.is_some() {
            self.detail(depth, "Filter: on groups");
        }
        self.relation(&plan.relation, Some(plan), depth + 1);
    }

    fn aggregate(&mut self, plan: &SelectPlan, stage: &AggregatePlan, width: u32, depth: usize) {
        let name = match &stage.window {
            // So TDengine spells it.
            None => "Aggragate",
            Some(WindowPlan::Interval(_)) => "Interval on Column ts",
            Some(WindowPlan::Session { .. }) => "Session",
            Some(WindowPlan::State(_)) => "StateWindow",
            Some(WindowPlan::Event { .. }) => "EventWindow",
            Some(WindowPlan::Count { .. }) => "CountWindow",
        };
        let name = match (&stage.window, plan.relation.timeline) {
            (Some(WindowPlan::Interval(_)), Some(timeline)) => format!("Interval on Column {}", plan.relation.columns[timeline].label),
            _ => name.to_owned(),
        };
        let groups = if stage.keys.is_empty() { String::new() } else { format!(" group_keys={}", stage.keys.len()) };
        let what = format!("functions={} width={width}{groups} input_order=asc ", stage.calls.len());
        self.operator(depth, &name, Some(Operator::of(plan, OperatorKind::Stage)), &what);
        self.output(depth, plan.shown, width);
        match &stage.window {
            Some(WindowPlan::Interval(Grid::Fixed { length, step, .. })) => self.detail(depth, &format!("Time Window: interval={length} sliding={step}")),
            Some(WindowPlan::Interval(Grid::Calendar { months, .. })) => self.detail(depth, &format!("Time Window: interval={months}n")),
            Some(WindowPlan::Session { gap }) => self.detail(depth, &format!("Window: gap={gap}")),
            _ => {}
        }
    }

    fn relation(&mut self, relation: &Relation, plan: Option<&SelectPlan>, depth: usize) {
        match &relation.origin {
            Origin::Nothing => {}
            Origin::Table(table) => {
                if let Some(plan) = plan {
                    let read = plan.read_inputs();
                    let inputs: Vec<usize> = plan.inputs.iter().zip(read).filter(|(_, read)| *read).map(|(column, _)| *column).collect();
                    self.scan(relation, table, &inputs, data_load(plan), depth);
                    self.filter(&plan.filter, depth);
                }
            }
            Origin::Rows(RowsPlan::Query(query)) => self.query(query, depth),
            Origin::Rows(RowsPlan::Batch { name, batch }) => {
                self.operator(depth, &format!("System Table Scan on {name}"), None, &format!("columns={} ", batch.num_columns()));
            }
            Origin::Join(join) => self.join(join, relation, depth),
        }
    }

    fn scan(&mut self, relation: &Relation, table: &TableOrigin, inputs: &[usize], load: &str, depth: usize) {
        let width: u32 = inputs.iter().map(|input| relation.columns[*input].data_type.storage_length()).sum();
        let of_table = inputs.iter().filter(|input| relation.is_per_table(**input)).count();
        let pseudo = if of_table > 0 { format!(" pseudo_columns={of_table}") } else { String::new() };
        let figures = self.analysis.as_ref().map(|analysis| analysis.scan(Operator::of(table, OperatorKind::Scan)));
        let did = figures.as_ref().map(|figures| did(&figures.out)).unwrap_or_default();
        let what = format!("columns={}{pseudo} width={width} order=[asc|1 desc|0] mode=ts_order data_load={load}", inputs.len() - of_table);
        self.operator(depth, &format!("Table Scan on {}", table.name), None, &format!("{did}{what}"));
        if let Some(totals) = figures.map(|figures| figures.totals()) {
            let line = format!(
                "I/O: total_blocks={} load_blocks={} load_block_SMAs={} total_rows={} check_rows={} bytes={} tables={} files={} skip_files={}",
                totals.loaded + totals.by_statistics,
                totals.loaded,
                totals.by_statistics,
                totals.rows_checked + totals.rows_by_statistics,
                totals.rows_checked,
                totals.bytes,
                totals.children,
                totals.files_read,
                totals.files_skipped
            );
            self.under(depth, &line);
        }
        self.output(depth, inputs.len(), width);
    }

    fn filter(&mut self, filter: &Filter, depth: usize) {
        self.detail(depth, &time_range(filter.range));
        if filter.rows.is_some() {
            self.detail(depth, "Filter: on columns");
        }
        if filter.table.is_some() || !filter.postings.is_empty() {
            self.detail(depth, "Tag Index Filter: on tags");
        }
    }

    fn join(&mut self, join: &JoinPlan, relation: &Relation, depth: usize) {
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
        let what = format!("columns={} input_order=asc ", relation.columns.len());
        self.operator(depth, &format!("{side}{kind} Join"), Some(Operator::of(join, OperatorKind::Join)), &what);
        for side in [&join.left, &join.right] {
            self.side(side, depth + 1);
        }
    }

    fn side(&mut self, side: &JoinSidePlan, depth: usize) {
        let Origin::Table(table) = &side.relation.origin else { return self.relation(&side.relation, None, depth) };
        let mut inputs: Vec<usize> = Vec::new();
        for expr in side.keys.iter().chain([&side.time]).chain(&side.conditions) {
            expr.visit_inputs(&mut |input| {
                if !inputs.contains(&input) {
                    inputs.push(input);
                }
            });
        }
        self.scan(&side.relation, table, &inputs, "data", depth);
        self.detail(depth, &time_range(side.range));
        if !side.conditions.is_empty() {
            self.detail(depth, "Filter: on columns");
        }
    }
}

/// When rows came out of an operator, in milliseconds, and how many.
fn did(figures: &Figures) -> String {
    let (first, last) = figures.cost();
    format!("cost={first:.3}..{last:.3} rows={} blocks={} ", figures.rows(), figures.blocks())
}

fn time_range(range: TimeRange) -> String {
    format!("Time Range: [{}, {}]", range.start, range.end)
}

/// What of a table's blocks a SELECT needs: nothing, statistics where there are any, or the rows.
fn data_load(plan: &SelectPlan) -> &'static str {
    if plan.filter.never {
        return "no";
    }
    match &plan.stage {
        Stage::Aggregate(stage)
            if plan.filter.rows.is_none()
                && stage.companions.is_empty()
                && !stage.many_rows
                && stage.calls.iter().all(embudo_expr::aggregate::BoundAggregate::takes_statistics) =>
        {
            "sma"
        }
        _ => "data",
    }
}
