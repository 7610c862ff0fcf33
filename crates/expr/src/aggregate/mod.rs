//! Aggregates: state of many groups with dense numbers, fed runs of rows or a whole block's statistics.
//!
//! A query [`bind`]s a call, evaluates [`BoundAggregate::arguments`] for each chunk, and feeds the state it [`create`](BoundAggregate::create)d.

#![allow(clippy::unnecessary_wraps, reason = "functions of the tables share one signature")]

use std::any::Any;

use arrow_array::ArrayRef;
use embudo_sql::ast::expr::Expr;
use embudo_types::{ColumnStatistics, DataType, Error, Precision, Result, Value};

use crate::functions::{invalid_number, invalid_type};
use crate::{Binder, BoundExpr};

mod cells;
mod companions;
mod count;
mod decimal;
mod distinct;
mod extreme;
mod follower;
mod histogram;
mod join;
mod numbers;
mod percentile;
mod position;
mod ranking;
mod regression;
mod rows;
mod sketch;
mod sum;
#[cfg(test)]
mod tests;
mod timeline;

/// Consecutive rows `start..end` of a chunk that belong to one group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The group.
    pub group: u32,
    /// First row.
    pub start: u32,
    /// Row after the last.
    pub end: u32,
}

/// Where the windows of INTERVAL lie: TWA and ELAPSED weigh the time up to a window's edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowBounds {
    /// First tick.
    pub start: i64,
    /// Tick after the last.
    pub end: i64,
    /// Windows of one partition share a time line; rows of different ones are no neighbours.
    pub partition: u32,
}

/// One chunk's rows.
#[derive(Clone, Copy)]
pub struct AggregateInput<'a> {
    /// The primary timestamp of each row in ticks; may be empty unless [`BoundAggregate::needs_timestamps`].
    pub timestamps: &'a [i64],
    /// [`BoundAggregate::arguments`], evaluated: arrays of one cell a row.
    pub arguments: &'a [ArrayRef],
    /// Columns whose values of the selected row are wanted, in the order given to [`BoundAggregate::create`].
    pub companions: &'a [ArrayRef],
    /// Bounds by group number; empty outside INTERVAL.
    pub windows: &'a [WindowBounds],
}

/// What an aggregate gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One value a group.
    Value,
    /// One value a group, taken from a row: it may carry companion columns.
    Selector,
    /// Any number of rows a group ([`Aggregate::finish_rows`]), each taken from a row: TOP, UNIQUE, TAIL … .
    Rows,
}

/// A bound call: its arguments and how to make its state.
pub struct BoundAggregate {
    function: &'static Function,
    arguments: Vec<BoundExpr>,
    constants: Vec<Value>,
    data_type: DataType,
    precision: Precision,
    /// Of COLS: the call that picks the row.
    selection: Option<Box<BoundAggregate>>,
}

impl BoundAggregate {
    /// The function's name in lower case.
    pub fn name(&self) -> &'static str {
        self.function.name
    }

    /// What must be evaluated for each row, in the order of [`AggregateInput::arguments`]. Constant parameters (k of TOP) are not among them.
    pub fn arguments(&self) -> &[BoundExpr] {
        &self.arguments
    }

    /// Type of the result.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Precision of the result, where it is a TIMESTAMP.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// What it gives.
    pub fn kind(&self) -> Kind {
        self.function.kind
    }

    /// Whether [`Aggregate::update_statistics`] can stand for rows, given the statistics of the column that `arguments()[0]` is
    /// (any column's for a call without arguments, such as COUNT(*)) and no companions are wanted.
    pub fn takes_statistics(&self) -> bool {
        self.function.statistics && self.arguments.first().is_none_or(|argument| argument.input_index().is_some())
    }

    /// Whether it reads [`AggregateInput::timestamps`].
    pub fn needs_timestamps(&self) -> bool {
        self.function.timestamps || self.selection.as_ref().is_some_and(|selection| selection.needs_timestamps())
    }

    /// Whether rows of a group must come in time order over all tables (TWA, IRATE …).
    pub fn needs_time_order(&self) -> bool {
        self.function.time_order
    }

    /// Its value where there was no row at all: 0 of COUNT and HYPERLOGLOG, else NULL.
    pub fn value_without_rows(&self) -> Value {
        if self.function.zero_without_rows { Value::BigInt(0) } else { Value::Null }
    }

    /// An empty state; `companions` are the types of the columns that follow the selected row.
    pub fn create(&self, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
        (self.function.create)(self, companions)
    }
}

/// The state of one aggregate for groups `0..n`.
pub trait Aggregate: Any + Send {
    /// Makes room for groups `0..groups`; new ones are empty. Never shrinks.
    fn resize(&mut self, groups: usize);

    /// Takes the rows of `runs`. One call a chunk, so the loops inside are tight.
    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()>;

    /// Takes `rows` rows of one group by their column's statistics; `false` where these do not suffice and nothing was taken.
    fn update_statistics(&mut self, group: usize, rows: u64, statistics: &ColumnStatistics) -> Result<bool> {
        let _ = (group, rows, statistics);
        Ok(false)
    }

    /// Adds the other state's groups: its group `i` to this one's `groups[i]`. `other` came from the same [`BoundAggregate`] and holds rows
    /// that come after this one's; it is left empty.
    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()>;

    /// Bytes that it holds beyond a fixed few a group: rows, distinct values, texts. Cheap, since it is asked block by block.
    fn held_bytes(&self) -> usize {
        0
    }

    /// One value a group.
    fn finish(&mut self) -> Result<ArrayRef>;

    /// For a [`Kind::Selector`]: the companions of each group's selected row, NULL where there is none.
    fn finish_companions(&mut self) -> Result<Vec<ArrayRef>> {
        Ok(Vec::new())
    }

    /// For [`Kind::Rows`]: the group of each row in ascending order, the value, the companions.
    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        Err(Error::internal("the aggregate gives one value a group"))
    }
}

/// An entry of the table of aggregates.
pub struct Function {
    /// Lower-case name.
    pub name: &'static str,
    /// What it gives.
    pub kind: Kind,
    /// One line for users.
    pub doc: &'static str,
    statistics: bool,
    timestamps: bool,
    time_order: bool,
    zero_without_rows: bool,
    bind: Bind,
    create: Create,
}

/// Checks arguments and settles types.
type Bind = fn(&'static Function, &Binder<'_>, &[Expr]) -> Result<BoundAggregate>;
/// Makes an empty state.
type Create = fn(&BoundAggregate, &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>>;

impl Function {
    const fn new(name: &'static str, kind: Kind, doc: &'static str, bind: Bind, create: Create) -> Self {
        Self { name, kind, doc, statistics: false, timestamps: false, time_order: false, zero_without_rows: false, bind, create }
    }

    /// Statistics of the argument's column can stand for its rows.
    const fn taking_statistics(self) -> Self {
        Self { statistics: true, ..self }
    }

    /// Reads timestamps.
    const fn with_timestamps(self) -> Self {
        Self { timestamps: true, ..self }
    }

    /// Needs the rows of a group in time order.
    const fn in_time_order(self) -> Self {
        Self { timestamps: true, time_order: true, ..self }
    }

    /// Is 0 where there is no row.
    const fn counting(self) -> Self {
        Self { zero_without_rows: true, ..self }
    }

    /// A call bound without anything special.
    fn bound(&'static self, argument: BoundExpr, data_type: DataType) -> BoundAggregate {
        let precision = argument.precision();
        BoundAggregate { function: self, arguments: vec![argument], constants: Vec::new(), data_type, precision, selection: None }
    }

    /// The only argument.
    fn only_argument(&self, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundExpr> {
        let [argument] = arguments else { return Err(invalid_number(self.name)) };
        self.argument(binder, argument)
    }

    /// An argument; `*` is none.
    fn argument(&self, binder: &Binder<'_>, argument: &Expr) -> Result<BoundExpr> {
        if matches!(argument, Expr::Star { .. }) {
            return Err(invalid_type(self.name));
        }
        binder.bind(argument)
    }

    /// The only argument, a number; NULL is a BIGINT without a value, a DECIMAL is computed as DOUBLE.
    fn only_number(&self, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundExpr> {
        let argument = self.only_argument(binder, arguments)?;
        self.number(binder, argument)
    }

    /// See [`only_number`](Self::only_number).
    fn number(&self, binder: &Binder<'_>, argument: BoundExpr) -> Result<BoundExpr> {
        match argument.data_type() {
            DataType::Null => binder.to_type(argument, DataType::BigInt),
            DataType::Decimal(..) => binder.to_type(argument, DataType::Double),
            data_type if data_type.is_numeric() => Ok(argument),
            _ => Err(invalid_type(self.name)),
        }
    }

    /// The only argument, a number in its own type; NULL is a BIGINT without a value.
    fn only_exact_number(&self, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundExpr> {
        let argument = self.only_argument(binder, arguments)?;
        self.exact_number(binder, argument)
    }

    /// See [`only_exact_number`](Self::only_exact_number).
    fn exact_number(&self, binder: &Binder<'_>, argument: BoundExpr) -> Result<BoundExpr> {
        if matches!(argument.data_type(), DataType::Decimal(..)) { Ok(argument) } else { self.number(binder, argument) }
    }

    /// A constant parameter.
    fn constant(&self, binder: &Binder<'_>, parameter: &Expr) -> Result<Value> {
        binder.bind(parameter)?.constant().ok_or_else(|| invalid_type(self.name))
    }

    /// A constant integer within bounds.
    fn constant_integer(&self, binder: &Binder<'_>, parameter: &Expr, bounds: std::ops::RangeInclusive<i64>) -> Result<i64> {
        match self.constant(binder, parameter)? {
            Value::BigInt(value) if bounds.contains(&value) => Ok(value),
            Value::BigInt(_) => Err(crate::functions::invalid_value(self.name)),
            _ => Err(invalid_type(self.name)),
        }
    }
}

/// The other state of a merge as the same kind of state.
fn same_state<T: Aggregate>(other: &mut dyn Aggregate) -> Result<&mut T> {
    let other: &mut dyn Any = other;
    other.downcast_mut::<T>().ok_or_else(|| Error::internal("merge of different aggregates"))
}

/// The aggregate of a lower-case name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    FAMILIES.iter().copied().flatten().find(|function| function.name == name)
}

/// Every aggregate.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten()
}

/// Binds a call of `function` with its arguments as written (`*` is `Expr::Star`). FIRST, LAST and `LAST_ROW` take one argument here: the
/// planner expands `*` and lists before.
pub fn bind(binder: &Binder<'_>, function: &'static Function, arguments: &[Expr]) -> Result<BoundAggregate> {
    (function.bind)(function, binder, arguments)
}

/// Every family's table.
const FAMILIES: &[&[Function]] = &[
    count::FUNCTIONS,
    sum::FUNCTIONS,
    extreme::FUNCTIONS,
    follower::FUNCTIONS,
    position::FUNCTIONS,
    ranking::FUNCTIONS,
    distinct::FUNCTIONS,
    percentile::FUNCTIONS,
    regression::FUNCTIONS,
    histogram::FUNCTIONS,
    timeline::FUNCTIONS,
    rows::FUNCTIONS,
    join::FUNCTIONS,
];
