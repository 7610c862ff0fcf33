//! Going through the parts of an expression, to look and to replace; conditions put into a query.

use super::expr::{BinaryOp, Expr};
use super::query::Select;

impl Expr {
    /// Calls `visit` for each direct part, in the order of the text.
    pub fn for_each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        match self {
            Self::Literal(_) | Self::Column { .. } | Self::Pseudo { .. } | Self::Star { .. } | Self::Parameter(_) => {}
            Self::Negate(inner) | Self::Not(inner) => visit(inner),
            Self::Binary { left, right, .. } => [left, right].into_iter().for_each(|part| visit(part)),
            Self::JsonGet { json, .. } | Self::Contains { json, .. } => visit(json),
            Self::Like { expr, pattern, .. } | Self::Match { expr, pattern, .. } => [expr, pattern].into_iter().for_each(|part| visit(part)),
            Self::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|part| visit(part)),
            Self::InList { expr, list, .. } => {
                visit(expr);
                list.iter().for_each(visit);
            }
            Self::IsNull { expr, .. } | Self::Cast { expr, .. } => visit(expr),
            Self::Case { operand, branches, otherwise } => {
                if let Some(part) = operand {
                    visit(part);
                }
                for (when, then) in branches {
                    visit(when);
                    visit(then);
                }
                if let Some(part) = otherwise {
                    visit(part);
                }
            }
            Self::Function { arguments, .. } => arguments.iter().for_each(visit),
        }
    }

    /// The same with parts that may be changed.
    pub fn for_each_part_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        match self {
            Self::Literal(_) | Self::Column { .. } | Self::Pseudo { .. } | Self::Star { .. } | Self::Parameter(_) => {}
            Self::Negate(inner) | Self::Not(inner) => visit(inner),
            Self::Binary { left, right, .. } => [left, right].into_iter().for_each(|part| visit(part)),
            Self::JsonGet { json, .. } | Self::Contains { json, .. } => visit(json),
            Self::Like { expr, pattern, .. } | Self::Match { expr, pattern, .. } => [expr, pattern].into_iter().for_each(|part| visit(part)),
            Self::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|part| visit(part)),
            Self::InList { expr, list, .. } => {
                visit(expr);
                list.iter_mut().for_each(visit);
            }
            Self::IsNull { expr, .. } | Self::Cast { expr, .. } => visit(expr),
            Self::Case { operand, branches, otherwise } => {
                if let Some(part) = operand {
                    visit(part);
                }
                for (when, then) in branches {
                    visit(when);
                    visit(then);
                }
                if let Some(part) = otherwise {
                    visit(part);
                }
            }
            Self::Function { arguments, .. } => arguments.iter_mut().for_each(visit),
        }
    }

    /// Calls `visit` for the expression and every part of it, outer ones first.
    ///
    /// ```
    /// let expr = embudo_sql::parse_expression("a + abs(b)")?;
    /// let mut parts = 0;
    /// expr.walk(&mut |_| parts += 1);
    /// assert_eq!(parts, 4);
    /// # Ok::<(), embudo_types::Error>(())
    /// ```
    pub fn walk<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        self.for_each_part(&mut |part| part.walk(visit));
    }

    /// Puts what `replacement` gives for a part in its place, outer parts first; what was put in is not looked at again.
    pub fn replace(&mut self, replacement: &mut dyn FnMut(&Self) -> Option<Self>) {
        match replacement(self) {
            Some(new) => *self = new,
            None => self.for_each_part_mut(&mut |part| part.replace(replacement)),
        }
    }
}

impl Select {
    /// Adds a condition that must hold too.
    pub fn restrict(&mut self, condition: Expr) {
        self.filter = Some(match self.filter.take() {
            None => condition,
            Some(before) => Expr::Binary { op: BinaryOp::And, left: Box::new(before), right: Box::new(condition) },
        });
    }
}
