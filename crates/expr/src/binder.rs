//! Syntax to bound expressions: names through the scope, types by TDengine's rules, constants folded.

use embudo_sql::ast::expr::{Expr, Literal};
use embudo_types::{Error, Result, Value, code};

use crate::{BindContext, BoundExpr, Scope};

/// Turns `ast::Expr` into [`BoundExpr`].
pub struct Binder<'a> {
    context: &'a BindContext,
    scope: &'a dyn Scope,
}

impl<'a> Binder<'a> {
    /// A binder of one statement's expressions over `scope`.
    pub fn new(context: &'a BindContext, scope: &'a dyn Scope) -> Self {
        Self { context, scope }
    }

    /// The statement's facts.
    pub fn context(&self) -> &BindContext {
        self.context
    }

    /// Binds a value expression or a condition.
    pub fn bind(&self, expr: &Expr) -> Result<BoundExpr> {
        if let Some(input) = self.scope.resolve(expr)? {
            return Ok(BoundExpr::input(input));
        }
        match expr {
            Expr::Literal(literal) => self.literal(literal),
            Expr::Column { name, .. } => Err(Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))),
            _ => Err(Error::new(code::OPERATION_NOT_SUPPORTED)),
        }
    }

    /// Binds what filters rows (WHERE, HAVING, ON): the result is BOOL; any other type counts as true where it is not zero.
    pub fn bind_condition(&self, expr: &Expr) -> Result<BoundExpr> {
        self.bind(expr)
    }

    fn literal(&self, literal: &Literal) -> Result<BoundExpr> {
        let value = match literal {
            Literal::Null => Value::Null,
            Literal::Bool(value) => Value::Bool(*value),
            Literal::Integer(value) => Value::BigInt(*value),
            Literal::Unsigned(value) => Value::UBigInt(*value),
            Literal::Double(value) => Value::Double(*value),
            Literal::String(text) => Value::Varchar(text.clone().into_bytes()),
            Literal::Timestamp(_) | Literal::Duration(_) => return Err(Error::new(code::OPERATION_NOT_SUPPORTED)),
        };
        Ok(BoundExpr::literal(value, self.context.precision))
    }
}
