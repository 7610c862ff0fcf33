//! What a bound query is: every name settled, every expression typed, ready to run any number of times over the same snapshot.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::Field;
use embudo_expr::BoundExpr;
use embudo_expr::aggregate::BoundAggregate;
use embudo_expr::series::BoundSeries;
use embudo_sql::ast::query::{JoinKind, JoinSide, Limit};
use embudo_storage::TimeRange;
use embudo_types::{DataType, Precision, Value, arrow};

use crate::array::KeyOrder;
use crate::bind::relation::Relation;
use crate::window::grid::Grid;

/// A bound query.
pub(crate) struct QueryPlan {
    /// The rows before ORDER BY.
    pub body: Body,
    /// Result columns.
    pub columns: Vec<OutputColumn>,
    /// Sort keys: places among the columns the body gives, hidden ones included.
    pub order: Vec<(usize, KeyOrder)>,
    /// SLIMIT.
    pub slimit: Option<Limit>,
    /// LIMIT.
    pub limit: Option<Limit>,
    /// Whether LIMIT counts within each group.
    pub limit_per_group: bool,
}

/// A column of a result.
#[derive(Clone, Debug)]
pub(crate) struct OutputColumn {
    /// Its name.
    pub name: String,
    /// Whether an outer query can name it: an alias or a plain column.
    pub named: bool,
    /// Its type.
    pub data_type: DataType,
    /// Of its ticks.
    pub precision: Precision,
}

impl OutputColumn {
    /// As a field of the result.
    pub(crate) fn field(&self) -> Field {
        arrow::field(&self.name, self.data_type, self.precision)
    }
}

/// SELECT or UNION.
pub(crate) enum Body {
    /// One SELECT.
    Select(Arc<SelectPlan>),
    /// UNION; the right operand's columns are cast to the left's types by these expressions, and the left's too where text grows.
    Union {
        /// Left operand.
        left: Arc<QueryPlan>,
        /// Right operand.
        right: Arc<QueryPlan>,
        /// Casts of the right operand's columns.
        casts: Vec<BoundExpr>,
        /// UNION ALL.
        all: bool,
    },
}

/// Rows made by something that is not a stored table.
pub(crate) enum RowsPlan {
    /// A subquery.
    Query(Arc<QueryPlan>),
    /// A system table.
    Batch {
        /// Its name, for EXPLAIN.
        name: String,
        /// Its rows.
        batch: RecordBatch,
    },
}

/// A bound SELECT.
pub(crate) struct SelectPlan {
    /// FROM.
    pub relation: Relation,
    /// Columns of the relation that expressions over rows read, in the order of their inputs.
    pub inputs: Vec<usize>,
    /// WHERE.
    pub filter: Filter,
    /// What is made of the rows.
    pub stage: Stage,
    /// HAVING, over the stage's columns.
    pub having: Option<BoundExpr>,
    /// The select list and hidden sort keys, over the stage's columns.
    pub items: Vec<BoundExpr>,
    /// How many of the items the result shows.
    pub shown: usize,
    /// FILL of INTERVAL.
    pub fill: Option<FillPlan>,
    /// DISTINCT.
    pub distinct: bool,
    /// Whether groups come in the order of their keys' hashes: SLIMIT picks them so.
    pub hash_order: bool,
}

impl SelectPlan {
    /// By input: whether it is read row by row. What only keys of whole tables read is not.
    pub(crate) fn read_inputs(&self) -> Vec<bool> {
        let mut read = vec![false; self.inputs.len()];
        let mut visit = |expr: &BoundExpr| expr.visit_inputs(&mut |input| read[input] = true);
        let stage = match &self.stage {
            Stage::Aggregate(stage) => stage,
            // A side of a join has no items of its own.
            Stage::Rows { keys } if !self.items.is_empty() => {
                self.filter.rows.iter().chain(&self.having).chain(&self.items).for_each(&mut visit);
                for key in keys {
                    visit(&key.expr);
                }
                return read;
            }
            _ => return vec![true; self.inputs.len()],
        };
        self.filter.rows.iter().chain(&stage.companions).for_each(&mut visit);
        stage.calls.iter().flat_map(BoundAggregate::arguments).for_each(&mut visit);
        if stage.keys.iter().any(|key| !key.per_table) {
            stage.keys.iter().for_each(|key| visit(&key.expr));
        }
        match &stage.window {
            Some(WindowPlan::State(expr)) => visit(expr),
            Some(WindowPlan::Event { start, end }) => [start, end].into_iter().for_each(visit),
            _ => {}
        }
        read
    }
}

/// WHERE, split by what it can be decided on.
pub(crate) struct Filter {
    /// Time that rows can have.
    pub range: TimeRange,
    /// Conditions on tags and names, over [`Filter::table_inputs`].
    pub table: Option<BoundExpr>,
    /// Columns of the relation that `table` reads.
    pub table_inputs: Vec<usize>,
    /// `tag = value`, answered by postings: places of tags and alternatives.
    pub postings: Vec<(usize, Vec<Value>)>,
    /// What is left, over the select's inputs.
    pub rows: Option<BoundExpr>,
    /// The same condition by condition, to be handed down to what makes the rows; empty where a table does.
    pub parts: Vec<BoundExpr>,
    /// A constant condition is false: no row qualifies.
    pub never: bool,
}

impl Filter {
    /// Every row.
    pub(crate) fn none() -> Self {
        Self { range: TimeRange::ALL, table: None, table_inputs: Vec::new(), postings: Vec::new(), rows: None, parts: Vec::new(), never: false }
    }
}

/// What a SELECT makes of its rows.
pub(crate) enum Stage {
    /// The rows themselves; the stage's columns are the inputs. Keys of PARTITION BY group them.
    Rows {
        /// PARTITION BY.
        keys: Vec<KeyPlan>,
    },
    /// One row a child table: SELECT TAGS, SELECT DISTINCT of tags.
    Tables,
    /// Groups and windows.
    Aggregate(AggregatePlan),
    /// DIFF and its kind.
    Series(SeriesPlan),
    /// INTERP.
    Interp(InterpPlan),
}

/// A key of GROUP BY or PARTITION BY.
#[derive(Clone, Debug)]
pub(crate) struct KeyPlan {
    /// Over the inputs.
    pub expr: BoundExpr,
    /// Whether it is the same in all rows of a child table.
    pub per_table: bool,
}

/// A column that a stage gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StageColumn {
    /// A key.
    Key(usize),
    /// A call of an aggregate or series function.
    Call(usize),
    /// A column of the selected row, or of the row in series.
    Companion(usize),
    /// `_wstart`.
    WindowStart,
    /// `_wend`.
    WindowEnd,
    /// `_wduration`.
    WindowDuration,
    /// `_irowts`.
    InterpTimestamp,
    /// `_isfilled`.
    IsFilled,
}

/// Groups, windows and their aggregates.
pub(crate) struct AggregatePlan {
    /// GROUP BY or PARTITION BY, and what depends on it.
    pub keys: Vec<KeyPlan>,
    /// The window clause.
    pub window: Option<WindowPlan>,
    /// Aggregates.
    pub calls: Vec<BoundAggregate>,
    /// Columns that follow the selected row, over the inputs.
    pub companions: Vec<BoundExpr>,
    /// The call whose row the companions come from.
    pub carrier: Option<usize>,
    /// The stage's columns.
    pub columns: Vec<StageColumn>,
    /// Whether a call gives several rows a group.
    pub many_rows: bool,
    /// Whether rows must come in time order over all tables of a group.
    pub time_order: bool,
    /// Of the timestamps.
    pub precision: Precision,
    /// Whether a group comes out even where no row fell into it (a list with COUNT).
    pub empty_groups: bool,
    /// The calls all are LAST or `LAST_ROW` of stored columns: the last cache answers.
    pub last_cache: bool,
}

/// The window clause, bound.
pub(crate) enum WindowPlan {
    /// INTERVAL.
    Interval(Grid),
    /// SESSION.
    Session {
        /// Longest gap in ticks.
        gap: i64,
    },
    /// `STATE_WINDOW`.
    State(BoundExpr),
    /// `EVENT_WINDOW`.
    Event {
        /// Opens.
        start: BoundExpr,
        /// Closes.
        end: BoundExpr,
    },
    /// `COUNT_WINDOW`.
    Count {
        /// Rows.
        count: u64,
        /// Step.
        step: u64,
    },
}

/// FILL of INTERVAL, over the select's shown items.
pub(crate) struct FillPlan {
    /// How.
    pub mode: FillMode,
    /// Also where there is no row at all.
    pub forced: bool,
    /// What each item is to the fill.
    pub items: Vec<FillItem>,
    /// The item that is `_wstart`.
    pub start: usize,
    /// The windows.
    pub grid: Grid,
    /// The query's range.
    pub range: TimeRange,
    /// Of the windows.
    pub precision: Precision,
}

/// The modes of FILL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FillMode {
    /// NULL.
    Null,
    /// VALUE.
    Value,
    /// PREV.
    Previous,
    /// NEXT.
    Next,
    /// LINEAR.
    Linear,
}

/// What an item of the select list is to FILL.
#[derive(Clone, Debug)]
pub(crate) enum FillItem {
    /// `_wstart` or an expression of it: evaluated over (start, end, duration) of the missing window.
    Window(BoundExpr),
    /// The same in all windows of a partition.
    Partition,
    /// An aggregate, with the constant of FILL(VALUE) cast to its type.
    Value(Value),
}

/// Series functions over partitions.
pub(crate) struct SeriesPlan {
    /// PARTITION BY.
    pub keys: Vec<KeyPlan>,
    /// The calls.
    pub calls: Vec<BoundSeries>,
    /// Other columns of the row, over the inputs.
    pub companions: Vec<BoundExpr>,
    /// The stage's columns.
    pub columns: Vec<StageColumn>,
}

/// INTERP over partitions.
pub(crate) struct InterpPlan {
    /// PARTITION BY.
    pub keys: Vec<KeyPlan>,
    /// What is interpolated, over the inputs.
    pub calls: Vec<BoundExpr>,
    /// NULLs are no points.
    pub ignore_null: bool,
    /// First and last tick of the output.
    pub range: TimeRange,
    /// Step in ticks.
    pub every: i64,
    /// How.
    pub mode: FillMode,
    /// Constants of FILL(VALUE), a call each, of its type.
    pub values: Vec<Value>,
    /// The stage's columns.
    pub columns: Vec<StageColumn>,
    /// Of the timestamps.
    pub precision: Precision,
}

/// A join of two relations. Its columns are the left's, then the right's.
pub(crate) struct JoinPlan {
    /// Left side.
    pub left: JoinSidePlan,
    /// Right side.
    pub right: JoinSidePlan,
    /// Whose rows are kept.
    pub side: JoinSide,
    /// What is made of matches.
    pub kind: JoinKind,
    /// How the timestamps match.
    pub time: TimeMatch,
    /// JLIMIT.
    pub limit: Option<usize>,
    /// What is left of ON, over the joined columns.
    pub condition: Option<BoundExpr>,
}

/// One side of a join.
pub(crate) struct JoinSidePlan {
    /// Its rows.
    pub relation: Relation,
    /// The timestamp that matches (truncated where so written), over the relation's columns.
    pub time: BoundExpr,
    /// Equality keys, over the relation's columns.
    pub keys: Vec<BoundExpr>,
    /// Of a stored table: conditions that its rows must meet to matter, over its columns.
    pub conditions: Vec<BoundExpr>,
    /// The time outside of which rows do not matter.
    pub range: TimeRange,
}

/// How the two timestamps of a join match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeMatch {
    /// Equal.
    Equal,
    /// ASOF: right at or before the left's.
    AtOrBefore,
    /// ASOF: right before.
    Before,
    /// ASOF: right at or after.
    AtOrAfter,
    /// ASOF: right after.
    After,
    /// WINDOW: right within these ticks around the left's.
    Within(i64, i64),
}
