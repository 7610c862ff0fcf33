//! Expressions as SQL; parentheses stand where the tree needs them.

use std::fmt::{Display, Formatter, Result};

use super::{List, Name, Text};
use crate::ast::expr::{BinaryOp, Expr, Literal};

/// How tightly an expression holds together; an operand weaker than its place asks for is put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Strength {
    Or,
    And,
    /// NOT and predicates.
    Predicate,
    Bits,
    Sum,
    Product,
    /// A sign before a number, or `-x`.
    Sign,
    Primary,
}

fn operator_strength(op: BinaryOp) -> Strength {
    match op {
        BinaryOp::Or => Strength::Or,
        BinaryOp::And => Strength::And,
        BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::Less | BinaryOp::LessEqual | BinaryOp::Greater | BinaryOp::GreaterEqual => Strength::Predicate,
        BinaryOp::BitAnd | BinaryOp::BitOr => Strength::Bits,
        BinaryOp::Add | BinaryOp::Subtract => Strength::Sum,
        BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => Strength::Product,
    }
}

fn strength(expr: &Expr) -> Strength {
    match expr {
        Expr::Binary { op, .. } => operator_strength(*op),
        Expr::Not(_) | Expr::Like { .. } | Expr::Match { .. } | Expr::Between { .. } | Expr::InList { .. } | Expr::IsNull { .. } | Expr::Contains { .. } => {
            Strength::Predicate
        }
        Expr::Negate(_) => Strength::Sign,
        Expr::Literal(Literal::Integer(value)) if *value < 0 => Strength::Sign,
        Expr::Literal(Literal::Double(value)) if value.is_sign_negative() => Strength::Sign,
        _ => Strength::Primary,
    }
}

/// An expression as operand of a place that asks for at least `least`.
struct Operand<'a>(&'a Expr, Strength);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if strength(self.0) < self.1 { write!(f, "({})", self.0) } else { self.0.fmt(f) }
    }
}

/// The SQL spelling.
impl Display for BinaryOp {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Or => "OR",
            Self::And => "AND",
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessEqual => "<=",
            Self::Greater => ">",
            Self::GreaterEqual => ">=",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
        })
    }
}

/// The SQL spelling.
impl Display for Literal {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Null => f.write_str("NULL"),
            Self::Bool(true) => f.write_str("TRUE"),
            Self::Bool(false) => f.write_str("FALSE"),
            Self::Integer(value) => value.fmt(f),
            Self::Unsigned(value) => value.fmt(f),
            // The exponent form keeps every number a DOUBLE for the lexer.
            // A number beyond DOUBLE is read as infinity, which has no other spelling.
            Self::Double(value) if value.is_infinite() => f.write_str(if value.is_sign_negative() { "-1e999" } else { "1e999" }),
            Self::Double(value) => write!(f, "{value:e}"),
            Self::String(text) => Text(text).fmt(f),
            Self::Timestamp(text) => write!(f, "TIMESTAMP {}", Text(text)),
            Self::Duration(duration) => duration.fmt(f),
        }
    }
}

/// Operands of nested `op`, left to right.
fn flatten<'a>(op: BinaryOp, expr: &'a Expr, operands: &mut Vec<&'a Expr>) {
    match expr {
        Expr::Binary { op: inner, left, right } if *inner == op => {
            flatten(op, left, operands);
            flatten(op, right, operands);
        }
        other => operands.push(other),
    }
}

/// AND and OR: a chain that the parser would build the same way is shown flat.
fn logic(f: &mut Formatter<'_>, op: BinaryOp, expr: &Expr, left: &Expr, right: &Expr) -> Result {
    let mut operands = Vec::new();
    flatten(op, expr, &mut operands);
    let inner = if op == BinaryOp::Or { Strength::And } else { Strength::Predicate };
    if operands.len() > 2 && Expr::joined(op, operands.iter().map(|operand| (*operand).clone()).collect()).as_ref() == Some(expr) {
        for (at, operand) in operands.iter().enumerate() {
            if at > 0 {
                write!(f, " {op} ")?;
            }
            Operand(operand, inner).fmt(f)?;
        }
        return Ok(());
    }
    write!(f, "{} {op} {}", Operand(left, inner), Operand(right, inner))
}

fn not(negated: bool) -> &'static str {
    if negated { "NOT " } else { "" }
}

/// SQL that parses to the same expression.
impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        // What a predicate compares.
        let value = |expr| Operand(expr, Strength::Bits);
        match self {
            Self::Literal(literal) => literal.fmt(f),
            Self::Column { table, name } => {
                if let Some(table) = table {
                    write!(f, "{}.", Name(table))?;
                }
                Name(name).fmt(f)
            }
            Self::Pseudo { table, text, .. } => {
                if let Some(table) = table {
                    write!(f, "{}.", Name(table))?;
                }
                f.write_str(text)
            }
            Self::Star { table: Some(table) } => write!(f, "{}.*", Name(table)),
            Self::Star { table: None } => f.write_str("*"),
            Self::Parameter(_) => f.write_str("?"),
            // `--` would be a comment, and a sign before a number would be the number's.
            Self::Negate(expr) if matches!(**expr, Self::Literal(_)) => write!(f, "-({expr})"),
            Self::Negate(expr) => write!(f, "-{}", Operand(expr, Strength::Primary)),
            Self::Not(expr) if matches!(**expr, Self::Not(_)) => write!(f, "NOT ({expr})"),
            Self::Not(expr) => write!(f, "NOT {}", Operand(expr, Strength::Predicate)),
            Self::Binary { op: op @ (BinaryOp::Or | BinaryOp::And), left, right } => logic(f, *op, self, left, right),
            Self::Binary { op, left, right } if operator_strength(*op) == Strength::Predicate => write!(f, "{} {op} {}", value(left), value(right)),
            Self::Binary { op, left, right } => {
                let own = operator_strength(*op);
                let tighter = match own {
                    Strength::Bits => Strength::Sum,
                    Strength::Sum => Strength::Product,
                    _ => Strength::Sign,
                };
                write!(f, "{} {op} {}", Operand(left, own), Operand(right, tighter))
            }
            Self::JsonGet { json, key } => write!(f, "{json} -> {}", Text(key)),
            Self::Contains { json, key } => write!(f, "{} CONTAINS {}", value(json), Text(key)),
            Self::Like { expr, pattern, negated } => write!(f, "{} {}LIKE {}", value(expr), not(*negated), value(pattern)),
            Self::Match { expr, pattern, negated } => write!(f, "{} {}MATCH {}", value(expr), if *negated { "N" } else { "" }, value(pattern)),
            Self::Between { expr, low, high, negated } => write!(f, "{} {}BETWEEN {} AND {}", value(expr), not(*negated), value(low), value(high)),
            Self::InList { expr, list, negated } => write!(f, "{} {}IN ({})", value(expr), not(*negated), List(list, ", ")),
            Self::IsNull { expr, negated } => write!(f, "{} IS {}NULL", value(expr), not(*negated)),
            Self::Case { operand, branches, otherwise } => {
                f.write_str("CASE")?;
                super::optional(f, " ", operand.as_ref())?;
                for (when, then) in branches {
                    write!(f, " WHEN {when} THEN {then}")?;
                }
                super::optional(f, " ELSE ", otherwise.as_ref())?;
                f.write_str(" END")
            }
            Self::Cast { expr, data_type, length_given } => {
                if *length_given || !data_type.is_variable() || matches!(data_type, embudo_types::DataType::Geometry(_)) {
                    write!(f, "CAST({expr} AS {data_type})")
                } else {
                    write!(f, "CAST({expr} AS {})", data_type.name())
                }
            }
            Self::Function { name, arguments } if arguments.is_empty() && matches!(name.as_str(), "now" | "today") => f.write_str(name),
            Self::Function { name, arguments } => match (name.as_str(), arguments.as_slice()) {
                ("trim", [Self::Literal(Literal::String(side)), part, text]) => write!(f, "trim({side} {part} FROM {text})"),
                _ => write!(f, "{name}({})", List(arguments, ", ")),
            },
        }
    }
}
