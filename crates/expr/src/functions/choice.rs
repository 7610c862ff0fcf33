//! Functions that choose among their arguments: IF, IFNULL, COALESCE, NULLIF, GREATEST … .

use embudo_sql::ast::expr::BinaryOp;
use embudo_types::{DataType, Result};

use super::{Function, FunctionCall, invalid_type};
use crate::binder::{node, null_of};
use crate::compare::{self, IsNull};
use crate::convert::BadTime;
use crate::logic::Case;
use crate::{Binder, BoundExpr};

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "if", arguments: (3, 3), doc: "The second argument where the first is true, else the third.", bind: if_ },
    Function { name: "ifnull", arguments: (2, 2), doc: "The first argument that is not NULL.", bind: coalesce },
    Function { name: "nvl", arguments: (2, 2), doc: "The first argument that is not NULL.", bind: coalesce },
    Function { name: "coalesce", arguments: (1, 64), doc: "The first argument that is not NULL.", bind: coalesce },
    Function { name: "nvl2", arguments: (3, 3), doc: "The second argument where the first is not NULL, else the third.", bind: nvl2 },
    Function { name: "nullif", arguments: (2, 2), doc: "NULL where both arguments are equal, else the first.", bind: nullif },
    Function { name: "isnull", arguments: (1, 1), doc: "Whether the argument is NULL.", bind: |call| is_null(call, false) },
    Function { name: "isnotnull", arguments: (1, 1), doc: "Whether the argument is not NULL.", bind: |call| is_null(call, true) },
    Function { name: "greatest", arguments: (2, 64), doc: "The largest argument; NULL where any is.", bind: |call| extreme(call, BinaryOp::GreaterEqual) },
    Function { name: "least", arguments: (2, 64), doc: "The smallest argument; NULL where any is.", bind: |call| extreme(call, BinaryOp::LessEqual) },
];

/// Pairs of condition and result, and what is left, converted to the type they share.
fn choose(binder: &Binder<'_>, branches: Vec<(BoundExpr, BoundExpr)>, otherwise: BoundExpr) -> Result<BoundExpr> {
    let mut shared = DataType::Null;
    for result in branches.iter().map(|(_, result)| result).chain([&otherwise]) {
        shared = shared_type(shared, result.data_type())?;
    }
    let precision = branches
        .iter()
        .map(|(_, result)| result)
        .chain([&otherwise])
        .find(|result| result.data_type() == shared)
        .map_or(otherwise.precision, |result| result.precision);
    let mut arguments = Vec::with_capacity(2 * branches.len() + 1);
    for (condition, result) in branches {
        arguments.push(condition);
        arguments.push(binder.converted(result, shared, precision, BadTime::Epoch)?);
    }
    arguments.push(binder.converted(otherwise, shared, precision, BadTime::Epoch)?);
    node(Case { data_type: shared, precision }, arguments, shared, precision)
}

/// The type that holds values of both: the longer text, the wider number, DOUBLE where no integer does, VARCHAR of unlike kinds.
fn shared_type(left: DataType, right: DataType) -> Result<DataType> {
    use DataType::{NChar, Null, Timestamp, Varchar};
    Ok(match (left, right) {
        (Null, other) | (other, Null) => other,
        (Varchar(left), Varchar(right)) => Varchar(left.max(right)),
        (NChar(left) | Varchar(left), NChar(right) | Varchar(right)) => NChar(left.max(right)),
        (left, right) if left == right => left,
        (left, right) if is_opaque(left) || is_opaque(right) => compare::common_type(left, right)?,
        (Varchar(length), other) | (other, Varchar(length)) => Varchar(length.max(text_length(other))),
        (NChar(length), other) | (other, NChar(length)) => NChar(length.max(text_length(other))),
        (Timestamp, other) | (other, Timestamp) if other.is_integer() || other == DataType::Bool => Timestamp,
        (left, right) => {
            let common = compare::common_type(left, right)?;
            let widest = if left.length() >= right.length() { left } else { right };
            if common == DataType::BigInt && left.is_signed() && right.is_signed() { widest } else { common }
        }
    })
}

/// Whether values of a type have no text.
fn is_opaque(data_type: DataType) -> bool {
    matches!(data_type, DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob)
}

/// Characters that the text of a value may take.
fn text_length(data_type: DataType) -> u32 {
    if data_type.is_variable() { data_type.length() } else { 32 }
}

fn not_null(binder: &Binder<'_>, argument: &BoundExpr) -> Result<BoundExpr> {
    binder.call(IsNull { negated: true }, vec![argument.clone()], DataType::Bool)
}

fn if_(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let [condition, then, otherwise] = <[BoundExpr; 3]>::try_from(call.arguments).map_err(|_| invalid_type(call.name))?;
    let condition = call.binder.condition(condition)?;
    choose(call.binder, vec![(condition, then)], otherwise)
}

fn coalesce(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let mut arguments = call.arguments;
    let Some(last) = arguments.pop() else { return Ok(null_of(DataType::Null)) };
    first_of(call.binder, arguments.into_iter(), Vec::new(), last)
}

/// Every argument is tested and, where it is not NULL, given.
fn first_of(binder: &Binder<'_>, mut open: std::vec::IntoIter<BoundExpr>, mut branches: Vec<(BoundExpr, BoundExpr)>, last: BoundExpr) -> Result<BoundExpr> {
    let Some(argument) = open.next() else { return choose(binder, branches, last) };
    argument.shared(|argument| {
        branches.push((not_null(binder, &argument)?, argument));
        first_of(binder, open, branches, last)
    })
}

fn nvl2(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let [tested, then, otherwise] = <[BoundExpr; 3]>::try_from(call.arguments).map_err(|_| invalid_type(call.name))?;
    choose(call.binder, vec![(not_null(call.binder, &tested)?, then)], otherwise)
}

fn nullif(call: FunctionCall<'_>) -> Result<BoundExpr> {
    let [value, other] = <[BoundExpr; 2]>::try_from(call.arguments).map_err(|_| invalid_type(call.name))?;
    value.shared(|value| {
        let equal = call.binder.compare(BinaryOp::Equal, value.clone(), other)?;
        let null = null_of(value.data_type());
        choose(call.binder, vec![(equal, null)], value)
    })
}

fn is_null(call: FunctionCall<'_>, negated: bool) -> Result<BoundExpr> {
    call.binder.call(IsNull { negated }, call.arguments, DataType::Bool)
}

fn extreme(call: FunctionCall<'_>, op: BinaryOp) -> Result<BoundExpr> {
    let binder = call.binder;
    // Text beside numbers: all are compared as text.
    let is_text = |argument: &BoundExpr| argument.data_type().is_text();
    let as_text = call.arguments.iter().any(is_text) && call.arguments.iter().any(|argument| !is_text(argument) && argument.data_type() != DataType::Null);
    let as_text = |argument: BoundExpr| {
        if !as_text || is_text(&argument) {
            return Ok(argument);
        }
        let length = text_length(argument.data_type());
        binder.to_type(argument, DataType::Varchar(length))
    };
    let mut arguments = call.arguments.into_iter().map(as_text).collect::<Result<Vec<_>>>()?.into_iter();
    let Some(mut best) = arguments.next() else { return Ok(null_of(DataType::Null)) };
    for argument in arguments {
        best = best.shared(|best| {
            argument.shared(|argument| {
                // Where the comparison is NULL the ELSE branch is: one of both is NULL, and NULL + NULL is what must come out.
                let better = binder.compare(op, best.clone(), argument.clone())?;
                let worse = binder.compare(compare::swapped(op), best.clone(), argument.clone())?;
                let null = null_of(argument.data_type());
                choose(binder, vec![(better, best), (worse, argument)], null)
            })
        })?;
    }
    Ok(best)
}
