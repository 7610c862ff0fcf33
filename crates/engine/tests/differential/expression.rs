//! Scalar expressions and conditions: written as SQL, and looked at for one row.

use std::cmp::Ordering;

use super::cell::Cell;
use super::random::Random;
use super::world::{Kind, Row};

/// What can be named, with its type.
pub type Scope = Vec<(String, Kind)>;

#[derive(Clone, Debug, PartialEq)]
pub enum Expr {
    Column(String, Kind),
    Literal(Cell),
    /// Of numbers, in DOUBLE.
    Binary(Box<Expr>, char, Box<Expr>),
    /// Of numbers: ABS, FLOOR, CEIL, ROUND, SQRT; of text: UPPER, LOWER, LTRIM, RTRIM, LENGTH, `CHAR_LENGTH`.
    Call(&'static str, Box<Expr>),
    Concat(Box<Expr>, Box<Expr>),
    Substring(Box<Expr>, i64, Option<i64>),
    Case(Box<Cond>, Box<Expr>, Option<Box<Expr>>),
    ToText(Box<Expr>),
    ToWhole(Box<Expr>),
}

#[derive(Clone, Debug, PartialEq)]
pub enum Cond {
    Compare(Expr, &'static str, Expr),
    IsNull(Expr, bool),
    In(Expr, Vec<Cell>, bool),
    Between(Expr, Cell, Cell, bool),
    Like(Expr, &'static str, bool),
    Not(Box<Cond>),
    Both(Box<Cond>, Box<Cond>),
    Either(Box<Cond>, Box<Cond>),
}

impl Expr {
    pub fn kind(&self) -> Kind {
        match self {
            Self::Column(_, kind) => *kind,
            Self::Literal(Cell::Bool(_)) => Kind::Bool,
            Self::Literal(Cell::Int(_)) | Self::ToWhole(_) => Kind::Big,
            Self::Literal(Cell::Real(_)) | Self::Binary(..) => Kind::Double,
            Self::Literal(Cell::Time(_)) => Kind::Time,
            Self::Literal(_) | Self::ToText(_) => Kind::Varchar,
            Self::Call("ABS" | "FLOOR" | "CEIL" | "ROUND" | "UPPER" | "LOWER" | "LTRIM" | "RTRIM", inner)
            | Self::Concat(inner, _)
            | Self::Substring(inner, ..)
            | Self::Case(_, inner, _) => inner.kind(),
            Self::Call("SQRT", _) => Kind::Double,
            Self::Call(..) => Kind::Big,
        }
    }

    /// Whether it looks at nothing but these names.
    pub fn is_of(&self, names: &[&str]) -> bool {
        match self {
            Self::Column(name, _) => names.contains(&name.as_str()),
            Self::Literal(_) => true,
            Self::Binary(left, _, right) | Self::Concat(left, right) => left.is_of(names) && right.is_of(names),
            Self::Call(_, inner) | Self::Substring(inner, ..) | Self::ToText(inner) | Self::ToWhole(inner) => inner.is_of(names),
            Self::Case(condition, then, other) => condition.is_of(names) && then.is_of(names) && other.as_ref().is_none_or(|other| other.is_of(names)),
        }
    }

    pub fn sql(&self) -> String {
        match self {
            Self::Column(name, _) => name.clone(),
            Self::Literal(Cell::Int(v)) if *v < 0 => format!("({v})"),
            Self::Literal(Cell::Real(v)) if *v < 0.0 => format!("({v:?})"),
            Self::Literal(cell) => cell.sql(),
            Self::Binary(left, operator, right) => format!("({} {operator} {})", left.sql(), right.sql()),
            Self::Call(name, inner) => format!("{name}({})", inner.sql()),
            Self::Concat(left, right) => format!("CONCAT({}, {})", left.sql(), right.sql()),
            Self::Substring(inner, start, Some(length)) => format!("SUBSTR({}, {start}, {length})", inner.sql()),
            Self::Substring(inner, start, None) => format!("SUBSTR({}, {start})", inner.sql()),
            Self::Case(condition, then, other) => {
                let other = other.as_ref().map_or(String::new(), |other| format!(" ELSE {}", other.sql()));
                format!("CASE WHEN {} THEN {}{other} END", condition.sql(), then.sql())
            }
            Self::ToText(inner) => format!("CAST({} AS VARCHAR(24))", inner.sql()),
            Self::ToWhole(inner) => format!("CAST({} AS BIGINT)", inner.sql()),
        }
    }

    pub fn of(&self, row: &Row) -> Cell {
        match self {
            Self::Column(name, _) => row.get(name).cloned().unwrap_or(Cell::Null),
            Self::Literal(cell) => cell.clone(),
            Self::Binary(left, operator, right) => arithmetic(&left.of(row), *operator, &right.of(row)),
            Self::Call(name, inner) => call(name, inner.kind(), inner.of(row)),
            Self::Concat(left, right) => match (left.of(row), right.of(row)) {
                (Cell::Text(a), Cell::Text(b)) => Cell::Text([a, b].concat()),
                _ => Cell::Null,
            },
            Self::Substring(inner, start, length) => match inner.of(row) {
                Cell::Text(text) => Cell::Text(substring(&text, inner.kind() == Kind::NChar, *start, *length)),
                _ => Cell::Null,
            },
            Self::Case(condition, then, other) => {
                if condition.holds(row) == Some(true) {
                    then.of(row)
                } else {
                    other.as_ref().map_or(Cell::Null, |other| other.of(row))
                }
            }
            Self::ToText(inner) => match inner.of(row) {
                Cell::Null => Cell::Null,
                cell => Cell::text(&cell.sql()),
            },
            Self::ToWhole(inner) => match inner.of(row) {
                Cell::Bool(v) => Cell::Int(v.into()),
                Cell::Real(v) => Cell::Int(v.trunc() as i128),
                Cell::Time(v) => Cell::Int(v.into()),
                cell => cell,
            },
        }
    }

    pub fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Binary(left, _, right) => vec![(**left).clone(), (**right).clone()],
            Self::Call(_, inner) | Self::ToText(inner) | Self::ToWhole(inner) | Self::Substring(inner, ..) => vec![(**inner).clone()],
            Self::Concat(left, right) => vec![(**left).clone(), (**right).clone()],
            Self::Case(condition, then, other) => {
                let mut all = vec![(**then).clone()];
                all.extend(condition.simpler().into_iter().map(|condition| Self::Case(Box::new(condition), then.clone(), other.clone())));
                all
            }
            _ => Vec::new(),
        }
    }

    /// A column, or something made of columns.
    pub fn random(random: &mut Random, scope: &Scope, base: i64) -> Self {
        match random.below(6) {
            0 | 1 => Self::column(random, scope, |_| true).unwrap_or_else(|| Self::number(random, scope, 1, base)),
            2 => Self::text(random, scope).unwrap_or_else(|| Self::number(random, scope, 1, base)),
            _ => Self::number(random, scope, 2, base),
        }
    }

    pub fn column(random: &mut Random, scope: &Scope, is_wanted: impl Fn(Kind) -> bool) -> Option<Self> {
        let all: Vec<&(String, Kind)> = scope.iter().filter(|(_, kind)| is_wanted(*kind)).collect();
        if all.is_empty() {
            return None;
        }
        let (name, kind) = random.pick(&all);
        Some(Self::Column(name.clone(), *kind))
    }

    pub fn number(random: &mut Random, scope: &Scope, depth: usize, base: i64) -> Self {
        let column = Self::column(random, scope, Kind::is_number);
        let Some(column) = column else { return Self::Literal(Cell::Int(random.between(1, 5).into())) };
        if depth == 0 {
            return column;
        }
        match random.below(10) {
            0..=3 => column,
            4 | 5 => {
                let right =
                    if random.one_in(2) { Self::Literal(Cell::Int(random.between(-2, 4).into())) } else { Self::number(random, scope, depth - 1, base) };
                Self::Binary(Box::new(Self::number(random, scope, depth - 1, base)), *random.pick(&['+', '-', '*', '/', '%']), Box::new(right))
            }
            6 => Self::Call(random.word(&["ABS", "FLOOR", "CEIL", "ROUND", "SQRT"]), Box::new(Self::number(random, scope, depth - 1, base))),
            7 => {
                let other = if random.one_in(3) { None } else { Some(Box::new(Self::Literal(Cell::Int(random.between(0, 3).into())))) };
                Self::Case(Box::new(Cond::random(random, scope, 1, base)), Box::new(Self::Literal(Cell::Int(random.between(0, 3).into()))), other)
            }
            8 => match Self::column(random, scope, Kind::is_text) {
                Some(text) => Self::Call(random.word(&["LENGTH", "CHAR_LENGTH"]), Box::new(text)),
                None => column,
            },
            _ => Self::ToWhole(Box::new(column)),
        }
    }

    pub fn text(random: &mut Random, scope: &Scope) -> Option<Self> {
        let column = Self::column(random, scope, Kind::is_text)?;
        // Case, blanks and bytes of letters beyond ASCII are another matter.
        let is_narrow = column.kind() == Kind::Varchar;
        Some(match random.below(6) {
            0 | 1 => column,
            2 => Self::Concat(Box::new(column.clone()), Box::new(column)),
            3 if is_narrow => Self::Call(random.word(&["UPPER", "LOWER", "LTRIM", "RTRIM"]), Box::new(column)),
            4 => {
                let start = if random.one_in(2) { random.between(1, 3) } else { random.between(-3, -1) };
                let length = if random.one_in(2) { None } else { Some(random.between(0, 3)) };
                Self::Substring(Box::new(column), start, length)
            }
            _ => match Self::column(random, scope, Kind::is_whole) {
                Some(whole) => Self::ToText(Box::new(whole)),
                None => column,
            },
        })
    }
}

fn arithmetic(left: &Cell, operator: char, right: &Cell) -> Cell {
    let (Some(a), Some(b)) = (left.number(), right.number()) else { return Cell::Null };
    Cell::Real(match operator {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        _ if b == 0.0 => return Cell::Null,
        '/' => a / b,
        // The quotient is rounded before it is cut.
        _ => a - (a / b).trunc() * b,
    })
}

fn call(name: &str, kind: Kind, cell: Cell) -> Cell {
    match cell {
        Cell::Int(v) if name == "ABS" => Cell::Int(v.abs()),
        Cell::Int(v) if name == "SQRT" => {
            if v < 0 {
                Cell::Null
            } else {
                Cell::Real((v as f64).sqrt())
            }
        }
        Cell::Int(v) => Cell::Int(v),
        Cell::Real(v) => match name {
            "ABS" => Cell::Real(v.abs()),
            "FLOOR" => Cell::Real(v.floor()),
            "CEIL" => Cell::Real(v.ceil()),
            "ROUND" => Cell::Real(v.round()),
            _ if v < 0.0 => Cell::Null,
            _ => Cell::Real(v.sqrt()),
        },
        Cell::Text(text) => {
            let letters = String::from_utf8_lossy(&text).into_owned();
            match name {
                "UPPER" => Cell::text(&letters.to_ascii_uppercase()),
                "LOWER" => Cell::text(&letters.to_ascii_lowercase()),
                "LTRIM" => Cell::text(letters.trim_start_matches(' ')),
                "RTRIM" => Cell::text(letters.trim_end_matches(' ')),
                // Four bytes a character.
                "LENGTH" if kind == Kind::NChar => Cell::Int(4 * letters.chars().count() as i128),
                "CHAR_LENGTH" if kind == Kind::NChar => Cell::Int(letters.chars().count() as i128),
                _ => Cell::Int(text.len() as i128),
            }
        }
        _ => Cell::Null,
    }
}

fn substring(text: &[u8], is_wide: bool, start: i64, length: Option<i64>) -> Vec<u8> {
    let units: Vec<Vec<u8>> = if is_wide {
        String::from_utf8_lossy(text).chars().map(|letter| letter.to_string().into_bytes()).collect()
    } else {
        text.iter().map(|byte| vec![*byte]).collect()
    };
    let count = units.len() as i64;
    // Before the beginning is the beginning.
    let first = if start > 0 { start - 1 } else { (count + start).max(0) };
    if first >= count {
        return Vec::new();
    }
    let last = length.map_or(count, |length| (first + length).min(count));
    units[first as usize..last as usize].concat()
}

impl Cond {
    pub fn sql(&self) -> String {
        let not = |negated: &bool| if *negated { "NOT " } else { "" };
        match self {
            Self::Compare(left, operator, right) => format!("{} {operator} {}", left.sql(), right.sql()),
            Self::IsNull(inner, negated) => format!("{} IS {}NULL", inner.sql(), not(negated)),
            Self::In(inner, list, negated) => format!("{} {}IN ({})", inner.sql(), not(negated), list.iter().map(Cell::sql).collect::<Vec<_>>().join(", ")),
            Self::Between(inner, least, most, negated) => format!("{} {}BETWEEN {} AND {}", inner.sql(), not(negated), least.sql(), most.sql()),
            Self::Like(inner, pattern, negated) => format!("{} {}LIKE '{pattern}'", inner.sql(), not(negated)),
            Self::Not(inner) => format!("NOT ({})", inner.sql()),
            Self::Both(left, right) => format!("({} AND {})", left.sql(), right.sql()),
            Self::Either(left, right) => format!("({} OR {})", left.sql(), right.sql()),
        }
    }

    /// `None` where it is unknown.
    pub fn holds(&self, row: &Row) -> Option<bool> {
        let negated = |value: Option<bool>, negated: bool| value.map(|value| value != negated);
        match self {
            Self::Compare(left, operator, right) => {
                let order = left.of(row).compare(&right.of(row))?;
                Some(match *operator {
                    "=" => order == Ordering::Equal,
                    "<>" => order != Ordering::Equal,
                    "<" => order == Ordering::Less,
                    "<=" => order != Ordering::Greater,
                    ">" => order == Ordering::Greater,
                    _ => order != Ordering::Less,
                })
            }
            Self::IsNull(inner, is_not) => Some(inner.of(row).is_null() != *is_not),
            Self::In(inner, list, is_not) => {
                let cell = inner.of(row);
                if cell.is_null() {
                    return None;
                }
                negated(Some(list.iter().any(|other| cell.compare(other) == Some(Ordering::Equal))), *is_not)
            }
            Self::Between(inner, least, most, is_not) => {
                let cell = inner.of(row);
                negated(Some(cell.compare(least)? != Ordering::Less && cell.compare(most)? != Ordering::Greater), *is_not)
            }
            Self::Like(inner, pattern, is_not) => match inner.of(row) {
                Cell::Text(text) => {
                    negated(Some(is_like(&String::from_utf8_lossy(&text).chars().collect::<Vec<_>>(), &pattern.chars().collect::<Vec<_>>())), *is_not)
                }
                _ => None,
            },
            Self::Not(inner) => inner.holds(row).map(|value| !value),
            Self::Both(left, right) => match (left.holds(row), right.holds(row)) {
                (Some(false), _) | (_, Some(false)) => Some(false),
                (Some(true), Some(true)) => Some(true),
                _ => None,
            },
            Self::Either(left, right) => match (left.holds(row), right.holds(row)) {
                (Some(true), _) | (_, Some(true)) => Some(true),
                (Some(false), Some(false)) => Some(false),
                _ => None,
            },
        }
    }

    /// Conditions that must all hold.
    pub fn parts(&self) -> Vec<&Self> {
        match self {
            Self::Both(left, right) => left.parts().into_iter().chain(right.parts()).collect(),
            _ => vec![self],
        }
    }

    /// Whether it looks at nothing but these names.
    pub fn is_of(&self, names: &[&str]) -> bool {
        match self {
            Self::Compare(left, _, right) => left.is_of(names) && right.is_of(names),
            Self::IsNull(inner, _) | Self::In(inner, ..) | Self::Between(inner, ..) | Self::Like(inner, ..) => inner.is_of(names),
            Self::Not(inner) => inner.is_of(names),
            Self::Both(left, right) | Self::Either(left, right) => left.is_of(names) && right.is_of(names),
        }
    }

    pub fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Not(inner) => vec![(**inner).clone()],
            Self::Both(left, right) | Self::Either(left, right) => {
                let mut all = vec![(**left).clone(), (**right).clone()];
                let again = |left: Self, right: Self| {
                    if matches!(self, Self::Both(..)) { Self::Both(Box::new(left), Box::new(right)) } else { Self::Either(Box::new(left), Box::new(right)) }
                };
                all.extend(left.simpler().into_iter().map(|left| again(left, (**right).clone())));
                all.extend(right.simpler().into_iter().map(|right| again((**left).clone(), right)));
                all
            }
            Self::Compare(left, operator, right) => left
                .simpler()
                .into_iter()
                .map(|left| (left, right.clone()))
                .chain(right.simpler().into_iter().map(|right| (left.clone(), right)))
                .filter(|(left, right)| left.kind().is_text() == right.kind().is_text())
                .map(|(left, right)| Self::Compare(left, operator, right))
                .collect(),
            Self::IsNull(inner, negated) => inner.simpler().into_iter().map(|inner| Self::IsNull(inner, *negated)).collect(),
            _ => Vec::new(),
        }
    }

    pub fn random(random: &mut Random, scope: &Scope, depth: usize, base: i64) -> Self {
        if depth > 0 && random.one_in(2) {
            let (left, right) = (Box::new(Self::random(random, scope, depth - 1, base)), Box::new(Self::random(random, scope, depth - 1, base)));
            return match random.below(5) {
                0 => Self::Not(left),
                1 | 2 => Self::Both(left, right),
                _ => Self::Either(left, right),
            };
        }
        let operator = random.word(&["=", "<>", "<", "<=", ">", ">="]);
        let column = Expr::column(random, scope, |_| true);
        match (random.below(8), column) {
            (0, Some(column)) => Self::IsNull(column, random.one_in(2)),
            (1, Some(column)) if column.kind().is_whole() || column.kind().is_text() => {
                let list = (0..=random.below(3)).map(|_| column.kind().value(random, base)).collect();
                Self::In(column, list, random.one_in(3))
            }
            (2, Some(column)) if column.kind().is_number() => {
                let (least, most) = (column.kind().value(random, base), column.kind().value(random, base));
                Self::Between(column, least, most, random.one_in(3))
            }
            (3, Some(column)) if column.kind().is_text() => Self::Like(column, random.word(&["a%", "%b", "_", "%", "%\\_%", "__%", "A", ""]), random.one_in(3)),
            (4 | 5, Some(column)) if !matches!(column.kind(), Kind::Bytes | Kind::Decimal) => {
                let value = column.kind().value(random, base);
                let operator = if column.kind() == Kind::Bool { "=" } else { operator };
                Self::Compare(column, operator, Expr::Literal(value))
            }
            _ => Self::Compare(Expr::number(random, scope, depth, base), operator, Expr::number(random, scope, 0, base)),
        }
    }
}

fn is_like(text: &[char], pattern: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['%', rest @ ..] => (0..=text.len()).any(|at| is_like(&text[at..], rest)),
        ['_', rest @ ..] => !text.is_empty() && is_like(&text[1..], rest),
        ['\\', letter @ ('_' | '%'), rest @ ..] | [letter, rest @ ..] => text.first() == Some(letter) && is_like(&text[1..], rest),
    }
}
