//! Joins: which timestamps match how, which columns must be equal, what else must hold (spec/sql.md 5.12).

use std::cell::RefCell;
use std::sync::Arc;

use embudo_expr::{BindContext, Binder, BoundExpr, Input, Scope};
use embudo_sql::ast::expr::{BinaryOp, Expr};
use embudo_sql::ast::query::{Join, JoinKind, JoinSide};
use embudo_storage::TimeRange;
use embudo_types::{DataType, DurationUnit, Error, Result, code};

use super::filter::conjuncts;
use super::from;
use super::items::by_place;
use super::pushdown;
use super::relation::{Column, ColumnSource, Driver, Origin, Relation};
use crate::QueryContext;
use crate::plan::{JoinPlan, JoinSidePlan, TimeMatch};

/// Most rows of JLIMIT.
const MOST_NEAREST: i64 = 1_024;

/// Binds a join. `filter` is WHERE, where a join written with commas has its condition.
pub(crate) fn bind(join: &Join, filter: Option<&Expr>, context: &QueryContext) -> Result<Relation> {
    check_kind(join)?;
    let left = from::bind(Some(&join.left), filter, context)?;
    let right = from::bind(Some(&join.right), filter, context)?;
    for column in &right.columns {
        if !column.table.is_empty() && left.columns.iter().any(|other| other.table == column.table) {
            return Err(Error::with(code::NOT_UNIQUE_TABLE_ALIAS, format!("Not unique table/alias: '{}'", column.table)));
        }
    }
    if left.timeline.is_none() || right.timeline.is_none() {
        return Err(Error::with(code::NOT_SUPPORTED_JOIN_TYPE, "Join requires valid time series input"));
    }
    let precision = left.precision.min(right.precision);
    let bind_context = context.bind_context(precision);
    let sides = Sides { left: &left, right: &right };
    let mut parts = Parts::default();
    let on = join.on.as_ref();
    for (condition, is_on) in on
        .into_iter()
        .flat_map(conjuncts)
        .map(|condition| (condition, true))
        .chain(filter.filter(|_| on.is_none()).into_iter().flat_map(conjuncts).map(|condition| (condition, false)))
    {
        parts.take(condition, is_on, join.kind, &sides);
    }
    let time = time_match(join, &parts, &bind_context)?;
    let (left_time, right_time) = match parts.time {
        Some((left, _, right)) => (left, right),
        None => (by_place(left.timeline.unwrap_or(0)), by_place(right.timeline.unwrap_or(0))),
    };
    let (mut left_keys, mut right_keys) = (Vec::new(), Vec::new());
    for (left_key, right_key) in &parts.keys {
        let (left_key, right_key) = bind_keys(left_key, right_key, &sides, &bind_context)?;
        left_keys.push(left_key);
        right_keys.push(right_key);
    }
    let left_time = bind_side(&left_time, &left, &bind_context)?;
    let right_time = bind_side(&right_time, &right, &bind_context)?;
    let mut columns = joined_columns(&left, &right);
    let driver = (join.kind == JoinKind::Window).then(|| {
        let row = columns.len();
        columns.push(Column { source: ColumnSource::Output(row), ..from::constant_column(embudo_types::Value::Null, DataType::BigInt, precision) });
        Driver { row, columns: if join.side == JoinSide::Right { left.columns.len()..row } else { 0..left.columns.len() } }
    });
    let timeline = match join.side {
        JoinSide::Inner | JoinSide::Left => left.timeline,
        JoinSide::Right => right.timeline.map(|place| place + left.columns.len()),
        JoinSide::Full => None,
    };
    let limit = join.limit.map(|limit| limit as usize);
    let mut relation = Relation { columns, timeline, ordered: true, precision, driver, origin: Origin::Nothing };
    let all = Expr::joined(BinaryOp::And, parts.rest.iter().map(|part| (*part).clone()).collect());
    let condition = all.map(|all| bind_side(&all, &relation, &bind_context)).transpose()?;
    let parts = parts.rest.iter().map(|part| bind_side(part, &relation, &bind_context)).collect::<Result<Vec<_>>>()?;
    let mut plan = JoinPlan {
        left: JoinSidePlan { relation: left, time: left_time, keys: left_keys, conditions: Vec::new(), range: TimeRange::ALL },
        right: JoinSidePlan { relation: right, time: right_time, keys: right_keys, conditions: Vec::new(), range: TimeRange::ALL },
        side: join.side,
        kind: join.kind,
        time,
        limit,
        condition,
    };
    pushdown::hand_down_on(&mut plan, &parts);
    relation.origin = Origin::Join(Arc::new(plan));
    Ok(relation)
}

fn check_kind(join: &Join) -> Result<()> {
    let unsupported = || Err(Error::new(code::NOT_SUPPORTED_JOIN_TYPE));
    match (join.kind, join.side) {
        (JoinKind::Plain, _) | (_, JoinSide::Left | JoinSide::Right) => {}
        _ => return unsupported(),
    }
    if join.kind != JoinKind::Window && join.window_offset.is_some() {
        return unsupported();
    }
    if join.kind == JoinKind::Window && join.window_offset.is_none() {
        return Err(Error::with(code::NOT_SUPPORTED_JOIN_TYPE, "WINDOW_OFFSET required for WINDOW join"));
    }
    if let Some(limit) = join.limit {
        if !matches!(join.kind, JoinKind::Asof | JoinKind::Window) {
            return Err(Error::with(code::NOT_SUPPORTED_JOIN_TYPE, "JLIMIT not supported for this join"));
        }
        if !(0..=MOST_NEAREST).contains(&limit) {
            return Err(Error::with(code::NOT_SUPPORTED_JOIN_TYPE, "JLIMIT value is out of valid range [0, 1024]"));
        }
    }
    // Only inner joins nest.
    let nested = [&join.left, &join.right].into_iter().any(|side| matches!(side, embudo_sql::ast::query::TableRef::Join(inner) if (inner.kind, inner.side) != (JoinKind::Plain, JoinSide::Inner) || (join.kind, join.side) != (JoinKind::Plain, JoinSide::Inner)));
    if nested { unsupported() } else { Ok(()) }
}

/// Both sides, for telling whose a column is.
struct Sides<'a> {
    left: &'a Relation,
    right: &'a Relation,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Owner {
    Left,
    Right,
    Both,
    Neither,
}

impl Sides<'_> {
    fn owner(&self, expr: &Expr) -> Owner {
        let (left, right) = (RefCell::new(false), RefCell::new(false));
        expr.any(&|part| {
            if matches!(part, Expr::Column { .. } | Expr::Pseudo { .. }) {
                *left.borrow_mut() |= matches!(self.left.find(part), Ok(Some(_)));
                *right.borrow_mut() |= matches!(self.right.find(part), Ok(Some(_)));
            }
            false
        });
        match (left.into_inner(), right.into_inner()) {
            (true, false) => Owner::Left,
            (false, true) => Owner::Right,
            (true, true) => Owner::Both,
            (false, false) => Owner::Neither,
        }
    }

    fn is_time(&self, expr: &Expr, owner: Owner) -> bool {
        let relation = if owner == Owner::Left { self.left } else { self.right };
        match expr {
            Expr::Function { name, arguments } if name == "timetruncate" => arguments.first().is_some_and(|argument| self.is_time(argument, owner)),
            other => matches!(relation.find(other), Ok(Some(place)) if Some(place) == relation.timeline),
        }
    }
}

/// ON, taken apart.
#[derive(Default)]
struct Parts<'a> {
    time: Option<(Expr, BinaryOp, Expr)>,
    keys: Vec<(Expr, Expr)>,
    rest: Vec<&'a Expr>,
    alternatives: bool,
}

impl<'a> Parts<'a> {
    fn take(&mut self, condition: &'a Expr, is_on: bool, kind: JoinKind, sides: &Sides<'_>) {
        if let Expr::Binary { op, left, right } = condition {
            let ordered = match (sides.owner(left), sides.owner(right)) {
                (Owner::Left, Owner::Right) => Some((left, *op, right)),
                (Owner::Right, Owner::Left) => Some((right, mirrored(*op), left)),
                _ => None,
            };
            if let Some((left, op, right)) = ordered {
                let is_time = sides.is_time(left, Owner::Left) && sides.is_time(right, Owner::Right);
                let fits = op == BinaryOp::Equal
                    || (kind == JoinKind::Asof && matches!(op, BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual));
                if is_time && fits && self.time.is_none() {
                    self.time = Some(((**left).clone(), op, (**right).clone()));
                    return;
                }
                if op == BinaryOp::Equal {
                    self.keys.push(((**left).clone(), (**right).clone()));
                    return;
                }
            }
            self.alternatives |= *op == BinaryOp::Or;
        }
        // What WHERE says is applied to the joined rows anyway.
        if is_on {
            self.rest.push(condition);
        }
    }
}

fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

fn time_match(join: &Join, parts: &Parts<'_>, context: &BindContext) -> Result<TimeMatch> {
    match join.kind {
        JoinKind::Window => {
            let (from, to) = join.window_offset.ok_or_else(|| Error::new(code::NOT_SUPPORTED_JOIN_TYPE))?;
            let ticks = |offset: embudo_types::Duration| match offset.unit {
                DurationUnit::Month | DurationUnit::Year => {
                    Err(Error::with(code::INVALID_WINDOW_OFFSET_UNIT, format!("Invalid WINDOW_OFFSET unit \"{}\"", offset.unit.letter())))
                }
                _ => Ok(offset.ticks(context.precision).unwrap_or(0)),
            };
            let (from, to) = (ticks(from)?, ticks(to)?);
            if parts.time.is_some() || !parts.rest.is_empty() {
                return Err(Error::new(code::NOT_SUPPORTED_JOIN_CONDITIONS));
            }
            Ok(TimeMatch::Within(from.min(to), from.max(to)))
        }
        JoinKind::Asof => {
            if !parts.rest.is_empty() {
                return Err(Error::new(code::NOT_SUPPORTED_JOIN_CONDITIONS));
            }
            let default = if join.side == JoinSide::Right { BinaryOp::LessEqual } else { BinaryOp::GreaterEqual };
            Ok(match parts.time.as_ref().map_or(default, |time| time.1) {
                BinaryOp::Greater => TimeMatch::Before,
                BinaryOp::GreaterEqual => TimeMatch::AtOrBefore,
                BinaryOp::Less => TimeMatch::After,
                BinaryOp::LessEqual => TimeMatch::AtOrAfter,
                _ => TimeMatch::Equal,
            })
        }
        _ if parts.time.is_some() => Ok(TimeMatch::Equal),
        _ if parts.alternatives => Err(Error::new(code::NOT_SUPPORTED_JOIN_CONDITIONS)),
        _ => Err(Error::new(code::EXPECT_TS_EQUAL)),
    }
}

/// Every column of a relation is an input of the same number.
struct WholeScope<'a>(&'a Relation);

impl Scope for WholeScope<'_> {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        if let Expr::Function { name, .. } = expr
            && embudo_expr::aggregate::lookup(name).is_some()
        {
            return Err(Error::new(code::THERE_MUSTN_T_BE_AGGREGATION));
        }
        Ok(self.0.find(expr)?.map(|index| Input { index, data_type: self.0.columns[index].data_type, precision: self.0.columns[index].precision }))
    }
}

fn bind_side(expr: &Expr, relation: &Relation, context: &BindContext) -> Result<BoundExpr> {
    let context = BindContext { precision: relation.precision, ..context.clone() };
    Binder::new(&context, &WholeScope(relation)).bind(expr)
}

/// Both expressions of an equality, the right one cast where its cells would not compare byte by byte.
fn bind_keys(left: &Expr, right: &Expr, sides: &Sides<'_>, context: &BindContext) -> Result<(BoundExpr, BoundExpr)> {
    let left = bind_side(left, sides.left, context)?;
    let bound = bind_side(right, sides.right, context)?;
    let same = left.data_type().id() == bound.data_type().id() && (left.data_type() != DataType::Timestamp || left.precision() == bound.precision());
    if same {
        return Ok((left, bound));
    }
    let cast = Expr::Cast { expr: Box::new(right.clone()), data_type: left.data_type(), length_given: true };
    let context = BindContext { precision: left.precision(), ..context.clone() };
    let right = Binder::new(&context, &WholeScope(sides.right)).bind(&cast)?;
    Ok((left, right))
}

fn joined_columns(left: &Relation, right: &Relation) -> Vec<Column> {
    let all = left.columns.iter().chain(&right.columns);
    all.enumerate().map(|(place, column)| Column { source: ColumnSource::Output(place), ..column.clone() }).collect()
}
