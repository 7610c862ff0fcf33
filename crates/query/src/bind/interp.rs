//! INTERP and its clauses RANGE, EVERY, FILL (spec/sql.md 5.10).

use embudo_expr::{BindContext, Binder, BoundExpr, EmptyScope};
use embudo_sql::ast::expr::{Expr, Literal};
use embudo_sql::ast::query::{Fill, Select};
use embudo_storage::TimeRange;
use embudo_types::{DataType, Error, Precision, Result, Value, code};

use super::filter::time_constant;
use super::scope::Found;
use crate::plan::{FillMode, InterpPlan, KeyPlan};

/// Binds `INTERP(column [, ignore_null])`.
pub(crate) fn bind_call(binder: &Binder<'_>, arguments: &[Expr]) -> Result<(BoundExpr, bool)> {
    let (argument, ignore) = match arguments {
        [argument] => (argument, false),
        [argument, Expr::Literal(Literal::Integer(flag @ (0 | 1)))] => (argument, *flag == 1),
        [_, _] => return Err(Error::with(code::INVALID_PARAMETER_VALUE, "Invalid parameter value : interp")),
        _ => return Err(Error::with(code::INVALID_NUMBER_OF_PARAMETERS, "Invalid number of parameters : interp")),
    };
    let bound = binder.bind(argument)?;
    let data_type = bound.data_type();
    if !(data_type.is_numeric() || matches!(data_type, DataType::Bool | DataType::Timestamp)) || bound.constant().is_some() {
        return Err(Error::with(code::INVALID_PARAMETER_DATA_TYPE, "Invalid parameter data type : interp"));
    }
    Ok((bound, ignore))
}

/// An error where RANGE, EVERY or FILL stand without INTERP.
pub(crate) fn check_absent(select: &Select) -> Result<()> {
    if select.range.is_some() || select.every.is_some() || (select.fill.is_some() && select.window.is_none()) {
        return Err(Error::with(code::INVALID_USAGE_OF_RANGE_CLAUSE_EVERY, "Invalid usage of RANGE clause, EVERY clause or FILL clause"));
    }
    Ok(())
}

/// Binds the clauses around INTERP calls.
pub(crate) fn bind(select: &Select, keys: Vec<KeyPlan>, found: Found, context: &BindContext) -> Result<InterpPlan> {
    let missing = || Error::with(code::INVALID_USAGE_OF_RANGE_CLAUSE_EVERY, "Missing RANGE clause, EVERY clause or FILL clause");
    let (Some((start, end)), Some(fill)) = (&select.range, &select.fill) else { return Err(missing()) };
    let bound = |expr: &Expr| time_constant(expr, context).ok_or_else(|| Error::with(code::INVALID_VALUE_TYPE, "Invalid timestamp in RANGE clause"));
    let start = bound(start)?;
    let end = match end {
        Some(end) => {
            if select.every.is_none() {
                return Err(missing());
            }
            bound(end)?
        }
        None => start,
    };
    if start > end {
        return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, "INTERP function invalid time range"));
    }
    let every = match select.every {
        None => 1,
        Some(every) => match every.ticks(context.precision) {
            Some(every) if every > 0 => every,
            _ => return Err(Error::with(code::INVALID_VALUE_TYPE, "Unsupported time unit in EVERY clause")),
        },
    };
    let ignore_null = found.interps.first().is_some_and(|call| call.1);
    if found.interps.iter().any(|call| call.1 != ignore_null) {
        return Err(Error::with(code::INVALID_PARAMETER_VALUE, "Invalid parameter value : interp"));
    }
    let calls: Vec<BoundExpr> = found.interps.into_iter().map(|call| call.0).collect();
    let (mode, values) = match fill {
        Fill::None => return Err(Error::with(code::INVALID_VALUE_TYPE, "Unsupported fill type")),
        Fill::Null { .. } => (FillMode::Null, Vec::new()),
        Fill::Previous => (FillMode::Previous, Vec::new()),
        Fill::Next => (FillMode::Next, Vec::new()),
        Fill::Linear => (FillMode::Linear, Vec::new()),
        Fill::Value { values, .. } => {
            let types: Vec<(DataType, Precision)> = calls.iter().map(|call| (call.data_type(), call.precision())).collect();
            (FillMode::Value, fill_values(values, &types, context)?)
        }
    };
    Ok(InterpPlan { keys, calls, ignore_null, range: TimeRange::new(start, end), every, mode, values, columns: found.columns, precision: context.precision })
}

/// The constants of FILL(VALUE, …), cast to the types of the columns they fill.
pub(crate) fn fill_values(values: &[Expr], types: &[(DataType, Precision)], context: &BindContext) -> Result<Vec<Value>> {
    if values.len() != types.len() {
        return Err(Error::with(code::INVALID_VALUE_TYPE, "Filled values number mismatch"));
    }
    let cast = |(value, (data_type, precision)): (&Expr, &(DataType, Precision))| {
        let context = BindContext { precision: *precision, ..context.clone() };
        let cast = Expr::Cast { expr: Box::new(value.clone()), data_type: *data_type, length_given: true };
        let bound = Binder::new(&context, &EmptyScope).bind(&cast)?;
        bound.constant().ok_or_else(|| Error::with(code::INVALID_VALUE_TYPE, "Filled data type mismatch"))
    };
    values.iter().zip(types).map(cast).collect()
}
