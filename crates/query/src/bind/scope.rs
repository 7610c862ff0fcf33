//! What names mean to expressions over rows and to expressions over groups.

use std::cell::RefCell;

use embudo_expr::aggregate::{self, BoundAggregate, Kind};
use embudo_expr::series::{self, BoundSeries};
use embudo_expr::{BindContext, Binder, BoundExpr, Input, Scope};
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_types::{Code, DataType, Error, Precision, Result, code};

use super::items::by_place;
use super::relation::{ColumnSource, Relation};
use crate::plan::StageColumn;

/// Expressions over rows: names are columns of the relation; no aggregate may occur.
pub(crate) struct RowScope<'a> {
    relation: &'a Relation,
    inputs: RefCell<Vec<usize>>,
    /// The error for an aggregate.
    aggregate: Code,
}

impl<'a> RowScope<'a> {
    /// A scope over a relation; `aggregate` is the error that an aggregate gives here.
    pub(crate) fn new(relation: &'a Relation, aggregate: Code) -> Self {
        Self { relation, inputs: RefCell::default(), aggregate }
    }

    /// A scope that goes on numbering inputs where another stopped.
    pub(crate) fn with_inputs(relation: &'a Relation, inputs: Vec<usize>, aggregate: Code) -> Self {
        Self { relation, inputs: RefCell::new(inputs), aggregate }
    }

    /// Columns of the relation that were asked for, by input.
    pub(crate) fn into_inputs(self) -> Vec<usize> {
        self.inputs.into_inner()
    }

    /// The relation.
    pub(crate) fn relation(&self) -> &'a Relation {
        self.relation
    }

    /// The input of a column of the relation.
    pub(crate) fn input(&self, column: usize) -> Input {
        let mut inputs = self.inputs.borrow_mut();
        let index = inputs.iter().position(|known| *known == column).unwrap_or_else(|| {
            inputs.push(column);
            inputs.len() - 1
        });
        let column = &self.relation.columns[column];
        Input { index, data_type: column.data_type, precision: column.precision }
    }

    /// The column of the relation that an input is.
    pub(crate) fn column_of(&self, input: usize) -> usize {
        self.inputs.borrow()[input]
    }

    /// Where the cells of an input come from.
    pub(crate) fn input_source(&self, input: usize) -> ColumnSource {
        self.relation.columns[self.inputs.borrow()[input]].source.clone()
    }

    /// Whether an expression over these inputs is the same in all rows of a child table.
    pub(crate) fn is_per_table(&self, expr: &BoundExpr) -> bool {
        let inputs = self.inputs.borrow();
        let mut per_table = true;
        expr.visit_inputs(&mut |input| per_table &= self.relation.is_per_table(inputs[input]));
        per_table
    }
}

impl Scope for RowScope<'_> {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        if let Expr::Function { name, .. } = expr {
            if name == "cols" {
                return Err(Error::new(code::INVALID_USING_COLS_FUNCTION));
            }
            if aggregate::lookup(name).is_some() {
                return Err(misplaced(self.aggregate, name));
            }
            if series::lookup(name).is_some() || name == "interp" {
                return Err(misplaced(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN, name));
            }
            return Ok(None);
        }
        if let Some(column) = self.relation.find(expr)? {
            return Ok(Some(self.input(column)));
        }
        match expr {
            Expr::Pseudo { column: PseudoColumn::WindowStart | PseudoColumn::WindowEnd | PseudoColumn::WindowDuration, .. } => {
                Err(Error::new(code::WSTART_WEND_AND_WDURATION_CAN_ONLY))
            }
            Expr::Pseudo { column: PseudoColumn::InterpTimestamp | PseudoColumn::IsFilled, text, .. } => {
                Err(misplaced(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN, text))
            }
            Expr::Pseudo { text, .. } => Err(Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {text}"))),
            _ => Ok(None),
        }
    }
}

fn misplaced(code: Code, name: &str) -> Error {
    match code {
        code::FUNCTION_IS_NOT_SUPPORTED_IN_TIME => Error::with(code, format!("{name} function is not supported in time window query")),
        _ => Error::new(code),
    }
}

/// An expression with its names settled, so that the same column written in two ways is equal: for GROUP BY and ORDER BY.
pub(crate) fn canonical(expr: &Expr, relation: &Relation) -> Expr {
    let mut expr = expr.clone();
    expr.replace(&mut |part| relation.find(part).ok().flatten().map(by_place));
    expr
}

/// Whether an expression calls an aggregate.
pub(crate) fn has_aggregate(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Function { name, .. } if aggregate::lookup(name).is_some()))
}

/// The error of a function of rows among windows or groups.
pub(super) fn not_in_groups(name: &str) -> Error {
    Error::with(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN, format!("{name} function is not supported in window query or group query"))
}

/// The first series function that an expression calls.
pub(crate) fn series_call(expr: &Expr) -> Option<&str> {
    let mut first = None;
    expr.walk(&mut |part| {
        if let Expr::Function { name, .. } = part
            && series::lookup(name).is_some()
        {
            first = first.or(Some(name.as_str()));
        }
    });
    first
}

/// Whether an expression calls INTERP.
pub(crate) fn has_interp(expr: &Expr) -> bool {
    expr.any(&|part| matches!(part, Expr::Function { name, .. } if name == "interp"))
}

/// What the calls of a [`GroupScope`] are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Calls {
    /// Aggregates.
    Aggregate,
    /// Series functions.
    Series,
    /// INTERP.
    Interp,
}

/// A key that select items may name.
pub(crate) struct ScopeKey {
    /// With its names settled.
    pub canonical: Expr,
    /// Its type.
    pub data_type: DataType,
    /// Of its ticks.
    pub precision: Precision,
}

/// Expressions over what a stage gives: keys, calls, window bounds, columns of the selected row.
pub(crate) struct GroupScope<'a> {
    rows: &'a RowScope<'a>,
    context: &'a BindContext,
    calls: Calls,
    windowed: bool,
    keys: Vec<ScopeKey>,
    /// The expression of `STATE_WINDOW`, settled and as a call of FIRST: it has one value in each window.
    state: Option<(Expr, Expr)>,
    found: RefCell<Found>,
}

/// What the expressions bound so far asked for.
#[derive(Default)]
pub(crate) struct Found {
    /// The stage's columns.
    pub columns: Vec<StageColumn>,
    /// Aggregates.
    pub aggregates: Vec<BoundAggregate>,
    /// Series functions.
    pub series: Vec<BoundSeries>,
    /// Arguments of INTERP, and whether it ignores NULLs.
    pub interps: Vec<(BoundExpr, bool)>,
    /// The calls, settled, in the order of the lists above.
    calls: Vec<Expr>,
    /// Columns of the relation that stand outside of calls and keys, with their input.
    pub companions: Vec<(usize, Input)>,
}

impl<'a> GroupScope<'a> {
    /// A scope over the groups of `rows`.
    pub(crate) fn new(rows: &'a RowScope<'a>, context: &'a BindContext, calls: Calls, windowed: bool, keys: Vec<ScopeKey>) -> Self {
        Self { rows, context, calls, windowed, keys, state: None, found: RefCell::default() }
    }

    /// Lets the expression of `STATE_WINDOW` stand in the select list.
    pub(crate) fn set_state(&mut self, state: &Expr) {
        let first = Expr::Function { name: "first".into(), arguments: vec![state.clone()] };
        self.state = Some((canonical(state, self.rows.relation()), first));
    }

    /// What was asked for.
    pub(crate) fn into_found(self) -> Found {
        self.found.into_inner()
    }

    fn column(&self, column: StageColumn, data_type: DataType, precision: Precision) -> Input {
        let columns = &mut self.found.borrow_mut().columns;
        let index = columns.iter().position(|known| *known == column).unwrap_or_else(|| {
            columns.push(column);
            columns.len() - 1
        });
        Input { index, data_type, precision }
    }

    fn call(&self, expr: &Expr, name: &str, arguments: &[Expr]) -> Result<Option<Input>> {
        let is_call = match self.calls {
            Calls::Aggregate => aggregate::lookup(name).is_some(),
            Calls::Series => series::lookup(name).is_some(),
            Calls::Interp => name == "interp",
        };
        if !is_call {
            if aggregate::lookup(name).is_some() || series::lookup(name).is_some() || name == "interp" {
                return Err(match (self.calls, self.windowed) {
                    (Calls::Aggregate, true) if name != "interp" => not_in_groups(name),
                    _ => Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN),
                });
            }
            return Ok(None);
        }
        // What COLS starts with is its selector.
        let nested = match (name, arguments) {
            ("cols", [Expr::Function { arguments, .. }, outputs @ ..]) => arguments.iter().chain(outputs).any(has_aggregate),
            _ => arguments.iter().any(has_aggregate),
        };
        if nested {
            return Err(Error::new(code::AGGREGATE_FUNCTIONS_DO_NOT_SUPPORT_NESTING));
        }
        let settled = canonical(expr, self.rows.relation());
        let known = self.found.borrow().calls.iter().position(|call| *call == settled);
        let place = if let Some(place) = known {
            place
        } else {
            self.bind_call(name, arguments)?;
            let mut found = self.found.borrow_mut();
            found.calls.push(settled);
            found.calls.len() - 1
        };
        let (data_type, precision) = {
            let found = self.found.borrow();
            match self.calls {
                Calls::Aggregate => (found.aggregates[place].data_type(), found.aggregates[place].precision()),
                Calls::Series => (found.series[place].data_type(), found.series[place].precision()),
                Calls::Interp => (found.interps[place].0.data_type(), found.interps[place].0.precision()),
            }
        };
        Ok(Some(self.column(StageColumn::Call(place), data_type, precision)))
    }

    fn bind_call(&self, name: &str, arguments: &[Expr]) -> Result<()> {
        let binder = Binder::new(self.context, self.rows);
        match self.calls {
            Calls::Aggregate => {
                let Some(function) = aggregate::lookup(name) else { return Err(Error::new(code::INVALID_FUNCTION_NAME)) };
                let call = aggregate::bind(&binder, function, arguments)?;
                self.found.borrow_mut().aggregates.push(call);
            }
            Calls::Series => {
                let Some(function) = series::lookup(name) else { return Err(Error::new(code::INVALID_FUNCTION_NAME)) };
                let call = series::bind(&binder, function, arguments)?;
                self.found.borrow_mut().series.push(call);
            }
            Calls::Interp => {
                let call = super::interp::bind_call(&binder, arguments)?;
                self.found.borrow_mut().interps.push(call);
            }
        }
        Ok(())
    }

    fn companion(&self, column: usize) -> Input {
        let input = self.rows.input(column);
        let place = {
            let companions = &mut self.found.borrow_mut().companions;
            companions.iter().position(|known| known.0 == column).unwrap_or_else(|| {
                companions.push((column, input));
                companions.len() - 1
            })
        };
        self.column(StageColumn::Companion(place), input.data_type, input.precision)
    }
}

impl Scope for GroupScope<'_> {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        if matches!(expr, Expr::Literal(_) | Expr::Parameter(_)) {
            return Ok(None);
        }
        let relation = self.rows.relation();
        if !self.keys.is_empty() {
            let settled = canonical(expr, relation);
            if let Some(place) = self.keys.iter().position(|key| key.canonical == settled) {
                let key = &self.keys[place];
                return Ok(Some(self.column(StageColumn::Key(place), key.data_type, key.precision)));
            }
        }
        if let Some((state, Expr::Function { name, arguments })) = &self.state
            && *state == canonical(expr, relation)
        {
            return self.call(&Expr::Function { name: name.clone(), arguments: arguments.clone() }, name, arguments);
        }
        match expr {
            Expr::Function { name, arguments } => self.call(expr, name, arguments),
            Expr::Pseudo { column: PseudoColumn::WindowStart, .. } if self.windowed => {
                Ok(Some(self.column(StageColumn::WindowStart, DataType::Timestamp, relation.precision)))
            }
            Expr::Pseudo { column: PseudoColumn::WindowEnd, .. } if self.windowed => {
                Ok(Some(self.column(StageColumn::WindowEnd, DataType::Timestamp, relation.precision)))
            }
            Expr::Pseudo { column: PseudoColumn::WindowDuration, .. } if self.windowed => {
                Ok(Some(self.column(StageColumn::WindowDuration, DataType::BigInt, relation.precision)))
            }
            Expr::Pseudo { column: PseudoColumn::InterpTimestamp, .. } if self.calls == Calls::Interp => {
                Ok(Some(self.column(StageColumn::InterpTimestamp, DataType::Timestamp, relation.precision)))
            }
            Expr::Pseudo { column: PseudoColumn::IsFilled, .. } if self.calls == Calls::Interp => {
                Ok(Some(self.column(StageColumn::IsFilled, DataType::Bool, relation.precision)))
            }
            Expr::Column { .. } | Expr::Pseudo { .. } => match relation.find(expr)? {
                Some(column) => Ok(Some(self.companion(column))),
                None => self.rows.resolve(expr).map(|_| None),
            },
            _ => Ok(None),
        }
    }
}

/// Whether a call gives several rows a group.
pub(crate) fn gives_rows(call: &BoundAggregate) -> bool {
    call.kind() == Kind::Rows
}
