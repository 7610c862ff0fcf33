//! Scalar functions: per family one table of name, number of arguments, doc line and binding; a binding states types, NULL rule and kernel.

#![allow(clippy::unnecessary_wraps, clippy::needless_pass_by_value, reason = "functions of the tables share one signature")]

use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Result, Value, code};

use crate::{Binder, BoundExpr};

mod checksum;
mod choice;
mod digest;
mod geometry;
mod json;
mod kernels;
mod numeric;
mod shapes;
mod system;
mod text;
pub(crate) mod time;
mod time_format;

pub use digest::totp_secret;

/// An entry of the tables.
pub struct Function {
    /// Lower-case name.
    pub name: &'static str,
    /// Fewest and most arguments.
    pub arguments: (usize, usize),
    /// One line for users.
    pub doc: &'static str,
    bind: fn(FunctionCall<'_>) -> Result<BoundExpr>,
}

/// A call on its way to be bound.
struct FunctionCall<'a> {
    binder: &'a Binder<'a>,
    name: &'a str,
    /// As written: durations are units to some functions.
    expressions: &'a [Expr],
    /// Bound.
    arguments: Vec<BoundExpr>,
}

/// Every family's table.
const FAMILIES: &[&[Function]] = &[
    numeric::FUNCTIONS,
    text::FUNCTIONS,
    time::FUNCTIONS,
    choice::FUNCTIONS,
    digest::FUNCTIONS,
    checksum::FUNCTIONS,
    json::FUNCTIONS,
    geometry::FUNCTIONS,
    shapes::FUNCTIONS,
    system::FUNCTIONS,
];

/// The scalar function of a lower-case name.
pub fn lookup(name: &str) -> Option<&'static Function> {
    FAMILIES.iter().copied().flatten().find(|function| function.name == name)
}

/// Every scalar function.
pub fn all() -> impl Iterator<Item = &'static Function> {
    FAMILIES.iter().copied().flatten()
}

pub(crate) fn bind(binder: &Binder<'_>, function: &'static Function, name: &str, expressions: &[Expr]) -> Result<BoundExpr> {
    let (fewest, most) = function.arguments;
    if expressions.len() < fewest || expressions.len() > most {
        return Err(invalid_number(name));
    }
    let arguments = expressions.iter().map(|argument| binder.bind(argument)).collect::<Result<Vec<_>>>()?;
    (function.bind)(FunctionCall { binder, name, expressions, arguments })
}

/// TDengine's refusal of a number of arguments.
pub(crate) fn invalid_number(name: &str) -> Error {
    Error::with(code::INVALID_NUMBER_OF_PARAMETERS, format!("Invalid number of parameters : {name}"))
}

/// TDengine's refusal of an argument's type.
pub(crate) fn invalid_type(name: &str) -> Error {
    Error::with(code::INVALID_PARAMETER_DATA_TYPE, format!("Invalid parameter data type : {name}"))
}

/// TDengine's refusal of an argument's value.
pub(crate) fn invalid_value(name: &str) -> Error {
    Error::with(code::INVALID_PARAMETER_VALUE, format!("Invalid parameter value : {name}"))
}

impl FunctionCall<'_> {
    fn data_type(&self, index: usize) -> DataType {
        self.arguments.get(index).map_or(DataType::Null, BoundExpr::data_type)
    }

    /// Refuses arguments for which `allowed` does not hold.
    fn check(&self, allowed: impl Fn(DataType) -> bool) -> Result<()> {
        if self.arguments.iter().all(|argument| allowed(argument.data_type())) { Ok(()) } else { Err(invalid_type(self.name)) }
    }

    /// The constant at `index`; NULL where the argument is absent.
    fn constant(&self, index: usize) -> Result<Value> {
        match self.arguments.get(index) {
            None => Ok(Value::Null),
            Some(argument) => argument.constant().ok_or_else(|| invalid_type(self.name)),
        }
    }
}
