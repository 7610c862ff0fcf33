//! WHERE, taken apart: what bounds time, what tags and names decide, what only rows can tell.

use embudo_expr::{BindContext, Binder, BoundExpr, EmptyScope};
use embudo_sql::ast::expr::{BinaryOp, Expr, PseudoColumn};
use embudo_storage::TimeRange;
use embudo_types::{DataType, Error, Result, Value, code, parse_timestamp};

use super::relation::{ColumnSource, Relation};
use super::scope::RowScope;
use crate::plan::Filter;

/// The time that a condition leaves to a column of made rows.
pub(crate) type ColumnTime = (usize, TimeRange);

/// Binds WHERE, and tells what time it leaves to columns of made rows. `scope` collects the inputs of what is left for rows.
pub(crate) fn bind(filter: Option<&Expr>, scope: &RowScope<'_>, context: &BindContext) -> Result<(Filter, Vec<ColumnTime>)> {
    let relation = scope.relation();
    let mut bound = Filter::none();
    let mut times = Vec::new();
    let Some(filter) = filter else { return Ok((bound, times)) };
    check(filter)?;
    let tables = RowScope::new(relation, code::THERE_MUSTN_T_BE_AGGREGATION);
    let (mut row_conditions, mut table_conditions) = (Vec::new(), Vec::new());
    for condition in conjuncts(filter) {
        let probe = RowScope::new(relation, code::THERE_MUSTN_T_BE_AGGREGATION);
        let expr = Binder::new(context, &probe).bind_condition(condition)?;
        if let Some(value) = expr.constant() {
            bound.never |= !is_true(&value);
            continue;
        }
        if let Some(range) = time_range(condition, relation, context) {
            bound.range = bound.range.intersection(range);
            // Made rows may have no time at all, which only the condition itself refuses.
            if relation.table().is_some() {
                continue;
            }
        }
        if relation.table().is_none() {
            times.extend(column_time(condition, relation, context));
        }
        let per_table = relation.table().is_some() && probe.is_per_table(&expr);
        match posting(condition, relation, context) {
            Some(posting) if per_table => bound.postings.push(posting),
            _ if per_table => table_conditions.push(condition),
            _ => row_conditions.push(condition),
        }
    }
    let binder = Binder::new(context, scope);
    bound.rows = bind_all(&row_conditions, &binder)?;
    if relation.table().is_none() {
        bound.parts = row_conditions.iter().map(|condition| binder.bind_condition(condition)).collect::<Result<_>>()?;
    }
    bound.table = bind_all(&table_conditions, &Binder::new(context, &tables))?;
    bound.table_inputs = tables.into_inputs();
    Ok((bound, times))
}

/// Window bounds do not exist before windows do.
fn check(filter: &Expr) -> Result<()> {
    for (column, name) in [(PseudoColumn::WindowStart, "_wstart"), (PseudoColumn::WindowEnd, "_wend"), (PseudoColumn::WindowDuration, "_wduration")] {
        if filter.any(&|part: &Expr| matches!(part, Expr::Pseudo { column: found, .. } if *found == column)) {
            return Err(Error::with(code::WSTART_WEND_AND_WDURATION_CAN_ONLY, format!("There mustn't be {name}")));
        }
    }
    let is_query = |part: &Expr| matches!(part, Expr::Pseudo { column: PseudoColumn::QueryStart | PseudoColumn::QueryEnd | PseudoColumn::QueryDuration, .. });
    if filter.any(&is_query) {
        return Err(Error::new(code::SOME_FUNCTIONS_ARE_ALLOWED_ONLY_IN));
    }
    Ok(())
}

fn bind_all(conditions: &[&Expr], binder: &Binder<'_>) -> Result<Option<BoundExpr>> {
    let all = Expr::joined(BinaryOp::And, conditions.iter().map(|condition| (*condition).clone()).collect());
    all.map(|all| binder.bind_condition(&all)).transpose()
}

/// The conditions that AND joins.
pub(crate) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::Binary { op: BinaryOp::And, left, right } => {
            let mut all = conjuncts(left);
            all.extend(conjuncts(right));
            all
        }
        other => vec![other],
    }
}

/// Whether a constant condition holds.
pub(crate) fn is_true(value: &Value) -> bool {
    match value {
        Value::Bool(value) => *value,
        Value::BigInt(value) => *value != 0,
        Value::UBigInt(value) => *value != 0,
        Value::Int(value) => *value != 0,
        Value::Double(value) => *value != 0.0,
        _ => false,
    }
}

/// The range that a comparison of the primary timestamp with a constant leaves; `None` where the condition is something else.
fn time_range(condition: &Expr, relation: &Relation, context: &BindContext) -> Option<TimeRange> {
    compared(condition, &|expr| relation.timeline.is_some() && !relation.is_join() && relation.find(expr).ok().flatten() == relation.timeline, context)
}

/// The same for any column that is a timestamp of the precision in which constants are read.
fn column_time(condition: &Expr, relation: &Relation, context: &BindContext) -> Option<ColumnTime> {
    let column = match condition {
        Expr::Binary { left, right, .. } => [left, right].into_iter().find_map(|side| relation.find(side).ok().flatten()),
        Expr::Between { expr, .. } => relation.find(expr).ok().flatten(),
        _ => None,
    }?;
    let of = &relation.columns[column];
    if of.data_type != DataType::Timestamp || of.precision != context.precision {
        return None;
    }
    compared(condition, &|expr| relation.find(expr).ok().flatten() == Some(column), context).map(|range| (column, range))
}

fn compared(condition: &Expr, is_time: &dyn Fn(&Expr) -> bool, context: &BindContext) -> Option<TimeRange> {
    match condition {
        Expr::Binary { op, left, right } => {
            let (op, constant) = if is_time(left) {
                (*op, right)
            } else if is_time(right) {
                (mirrored(*op)?, left)
            } else {
                return None;
            };
            let tick = time_constant(constant, context)?;
            Some(match op {
                BinaryOp::Equal => TimeRange::new(tick, tick),
                BinaryOp::Less => tick.checked_sub(1).map_or(TimeRange::new(i64::MAX, i64::MIN), |end| TimeRange::new(i64::MIN, end)),
                BinaryOp::LessEqual => TimeRange::new(i64::MIN, tick),
                BinaryOp::Greater => tick.checked_add(1).map_or(TimeRange::new(i64::MAX, i64::MIN), |start| TimeRange::new(start, i64::MAX)),
                BinaryOp::GreaterEqual => TimeRange::new(tick, i64::MAX),
                _ => return None,
            })
        }
        Expr::Between { expr, low, high, negated: false } if is_time(expr) => Some(TimeRange::new(time_constant(low, context)?, time_constant(high, context)?)),
        _ => None,
    }
}

fn mirrored(op: BinaryOp) -> Option<BinaryOp> {
    Some(match op {
        BinaryOp::Equal => BinaryOp::Equal,
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        _ => return None,
    })
}

/// Ticks of a constant in a timestamp position: a timestamp, whole ticks, a text.
pub(crate) fn time_constant(expr: &Expr, context: &BindContext) -> Option<i64> {
    let bound = Binder::new(context, &EmptyScope).bind(expr).ok()?;
    match bound.constant()? {
        Value::Timestamp(ticks) => Some(bound.precision().convert(ticks, context.precision)),
        Value::BigInt(ticks) => Some(ticks),
        Value::Varchar(text) => text_ticks(&text, context),
        Value::NChar(text) => text_ticks(text.as_bytes(), context),
        _ => None,
    }
}

fn text_ticks(text: &[u8], context: &BindContext) -> Option<i64> {
    parse_timestamp(text, context.precision, &context.zone).or_else(|| std::str::from_utf8(text).ok()?.parse().ok())
}

/// `tag = constant` and `tag IN (constants)` over whole values, as postings answer them: the tag's place and the values, of its type.
fn posting(condition: &Expr, relation: &Relation, context: &BindContext) -> Option<(usize, Vec<Value>)> {
    let (expr, constants): (&Expr, Vec<&Expr>) = match condition {
        Expr::Binary { op: BinaryOp::Equal, left, right } => (left, vec![right]),
        Expr::InList { expr, list, negated: false } => (expr, list.iter().collect()),
        _ => return None,
    };
    let column = &relation.columns[relation.find(expr).ok().flatten()?];
    let ColumnSource::Tag(place) = column.source else { return None };
    let value = |expr: &&Expr| {
        let value = Binder::new(context, &EmptyScope).bind(expr).ok()?.constant()?;
        exact(value, column.data_type)
    };
    Some((place, constants.iter().map(value).collect::<Option<_>>()?))
}

/// A constant as a value of a tag's type, where comparing with it is plain equality.
fn exact(value: Value, data_type: DataType) -> Option<Value> {
    match (value, data_type) {
        (Value::Varchar(text), DataType::Varchar(_)) => Some(Value::Varchar(text)),
        (Value::Varchar(text), DataType::NChar(_)) => String::from_utf8(text).ok().map(Value::NChar),
        (Value::BigInt(value), DataType::BigInt) => Some(Value::BigInt(value)),
        (Value::BigInt(value), DataType::Int) => i32::try_from(value).ok().map(Value::Int),
        (Value::BigInt(value), DataType::SmallInt) => i16::try_from(value).ok().map(Value::SmallInt),
        (Value::BigInt(value), DataType::TinyInt) => i8::try_from(value).ok().map(Value::TinyInt),
        _ => None,
    }
}
