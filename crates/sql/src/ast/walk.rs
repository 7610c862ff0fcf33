//! Going through the parts of an expression, to look and to replace; conditions put together.

use super::expr::{BinaryOp, Expr};
use super::query::Select;

/// Calls `$visit` for each direct part of `$expr`, in the order of the text. What `$expr` is decides whether parts are borrowed or may be
/// changed; `$each` is the iterator over a list that fits.
macro_rules! for_each_part {
    ($expr:expr, $visit:expr, $each:ident) => {
        match $expr {
            Expr::Literal(_) | Expr::Column { .. } | Expr::Pseudo { .. } | Expr::Star { .. } | Expr::Parameter(_) => {}
            Expr::Negate(inner) | Expr::Not(inner) => $visit(inner),
            Expr::Binary { left, right, .. } => [left, right].into_iter().for_each(|part| $visit(part)),
            Expr::JsonGet { json, .. } | Expr::Contains { json, .. } => $visit(json),
            Expr::Like { expr, pattern, .. } | Expr::Match { expr, pattern, .. } => [expr, pattern].into_iter().for_each(|part| $visit(part)),
            Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|part| $visit(part)),
            Expr::InList { expr, list, .. } => {
                $visit(expr);
                list.$each().for_each($visit);
            }
            Expr::IsNull { expr, .. } | Expr::Cast { expr, .. } => $visit(expr),
            Expr::Case { operand, branches, otherwise } => {
                if let Some(operand) = operand {
                    $visit(operand);
                }
                for (when, then) in branches {
                    $visit(when);
                    $visit(then);
                }
                if let Some(otherwise) = otherwise {
                    $visit(otherwise);
                }
            }
            Expr::Function { arguments, .. } => arguments.$each().for_each($visit),
        }
    };
}

impl Expr {
    /// Calls `visit` for each direct part, in the order of the text.
    pub fn for_each_part<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        for_each_part!(self, visit, iter);
    }

    /// The same with parts that may be changed.
    pub fn for_each_part_mut(&mut self, visit: &mut dyn FnMut(&mut Self)) {
        for_each_part!(self, visit, iter_mut);
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

    /// Whether the expression or any part of it satisfies `test`.
    pub fn any(&self, test: &dyn Fn(&Self) -> bool) -> bool {
        let mut found = test(self);
        if !found {
            self.for_each_part(&mut |part| found = found || part.any(test));
        }
        found
    }

    /// Puts what `replacement` gives for a part in its place, outer parts first; what was put in is not looked at again.
    pub fn replace(&mut self, replacement: &mut dyn FnMut(&Self) -> Option<Self>) {
        match replacement(self) {
            Some(new) => *self = new,
            None => self.for_each_part_mut(&mut |part| part.replace(replacement)),
        }
    }

    /// Operands joined by one associative operator as a balanced tree, so that a long chain stays shallow; nothing where there are none.
    pub fn joined(op: BinaryOp, operands: Vec<Self>) -> Option<Self> {
        let mut level = operands;
        while level.len() > 1 {
            let mut next = Vec::with_capacity(level.len().div_ceil(2));
            let mut pairs = level.into_iter();
            while let Some(left) = pairs.next() {
                next.push(match pairs.next() {
                    Some(right) => Self::Binary { op, left: Box::new(left), right: Box::new(right) },
                    None => left,
                });
            }
            level = next;
        }
        level.pop()
    }

    /// A condition that holds where both do. Many are [joined](Self::joined) instead.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self::Binary { op: BinaryOp::And, left: Box::new(self), right: Box::new(other) }
    }
}

impl Select {
    /// Adds a condition that must hold too.
    pub fn restrict(&mut self, condition: Expr) {
        self.filter = Some(match self.filter.take() {
            None => condition,
            Some(before) => before.and(condition),
        });
    }
}
