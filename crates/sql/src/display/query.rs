//! Queries as SQL.

use std::fmt::{Display, Formatter, Result};

use super::{List, Name, optional, when};
use crate::ast::query::{
    Fill, Join, JoinKind, JoinSide, Limit, PartitionItem, Query, QueryBody, Select, SelectItem, SortItem, TableRef, Window, WindowDuration,
};

/// SQL that parses to the same query.
impl Display for Query {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match &self.body {
            QueryBody::Select(select) => select.fmt(f)?,
            QueryBody::Union { left, right, all } => write!(f, "{} UNION{} {}", Operand(left, true), if *all { " ALL" } else { "" }, Operand(right, false))?,
        }
        if !self.order_by.is_empty() {
            write!(f, " ORDER BY {}", List(&self.order_by, ", "))?;
        }
        show_limit(f, self.slimit, " SLIMIT ", " SOFFSET ")?;
        show_limit(f, self.limit, " LIMIT ", " OFFSET ")
    }
}

fn show_limit(f: &mut Formatter<'_>, limit: Option<Limit>, word: &str, offset_word: &str) -> Result {
    let Some(limit) = limit else { return Ok(()) };
    write!(f, "{word}{}", limit.count)?;
    if limit.offset != 0 { write!(f, "{offset_word}{}", limit.offset) } else { Ok(()) }
}

/// An operand of UNION; the left one may itself be a union.
struct Operand<'a>(&'a Query, bool);

impl Display for Operand<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        let Query { body, order_by, slimit, limit } = self.0;
        let bare = order_by.is_empty() && slimit.is_none() && limit.is_none() && (self.1 || matches!(body, QueryBody::Select(_)));
        if bare { self.0.fmt(f) } else { write!(f, "({})", self.0) }
    }
}

/// SQL that parses to the same item.
impl Display for SortItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.expr.fmt(f)?;
        when(f, self.descending, " DESC")?;
        optional(f, " NULLS ", self.nulls_first.map(|first| if first { "FIRST" } else { "LAST" }))
    }
}

/// SQL that parses to the same SELECT; an item without an alias keeps its name only where [`SelectItem::text`] is its own spelling.
impl Display for Select {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SELECT ")?;
        if !self.hints.is_empty() {
            f.write_str("/*+ ")?;
            for hint in &self.hints {
                write!(f, "{hint}() ")?;
            }
            f.write_str("*/ ")?;
        }
        when(f, self.distinct, "DISTINCT ")?;
        when(f, self.tags_only, "TAGS ")?;
        List(&self.items, ", ").fmt(f)?;
        optional(f, " FROM ", self.from.as_ref())?;
        optional(f, " WHERE ", self.filter.as_ref())?;
        if !self.partition_by.is_empty() {
            write!(f, " PARTITION BY {}", List(&self.partition_by, ", "))?;
        }
        if let Some((start, end)) = &self.range {
            write!(f, " RANGE({start}")?;
            optional(f, ", ", end.as_ref())?;
            f.write_str(")")?;
        }
        if let Some(every) = self.every {
            write!(f, " EVERY({every})")?;
        }
        optional(f, " ", self.window.as_ref())?;
        optional(f, " ", self.fill.as_ref())?;
        if !self.group_by.is_empty() {
            write!(f, " GROUP BY {}", List(&self.group_by, ", "))?;
        }
        optional(f, " HAVING ", self.having.as_ref())
    }
}

/// SQL that parses to the same item.
impl Display for SelectItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.expr.fmt(f)?;
        optional(f, " AS ", self.alias.as_deref().map(Name))
    }
}

/// SQL that parses to the same item.
impl Display for PartitionItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.expr.fmt(f)?;
        optional(f, " AS ", self.alias.as_deref().map(Name))
    }
}

/// SQL that parses to the same source.
impl Display for TableRef {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Table { database, name, alias } => {
                if let Some(database) = database {
                    write!(f, "{}.", Name(database))?;
                }
                Name(name).fmt(f)?;
                optional(f, " ", alias.as_deref().map(Name))
            }
            Self::Subquery { query, alias } => {
                write!(f, "({query})")?;
                optional(f, " ", alias.as_deref().map(Name))
            }
            Self::Join(join) => join.fmt(f),
        }
    }
}

/// SQL that parses to the same join.
impl Display for Join {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.left.fmt(f)?;
        f.write_str(match self.side {
            JoinSide::Inner => " INNER",
            JoinSide::Left => " LEFT",
            JoinSide::Right => " RIGHT",
            JoinSide::Full => " FULL",
        })?;
        f.write_str(match self.kind {
            JoinKind::Plain => " JOIN ",
            JoinKind::Semi => " SEMI JOIN ",
            JoinKind::Anti => " ANTI JOIN ",
            JoinKind::Asof => " ASOF JOIN ",
            JoinKind::Window => " WINDOW JOIN ",
        })?;
        if matches!(self.right, TableRef::Join(_)) {
            write!(f, "({})", self.right)?;
        } else {
            self.right.fmt(f)?;
        }
        optional(f, " ON ", self.on.as_ref())?;
        if let Some((low, high)) = self.window_offset {
            write!(f, " WINDOW_OFFSET({low}, {high})")?;
        }
        optional(f, " JLIMIT ", self.limit)
    }
}

/// SQL that parses to the same length.
impl Display for WindowDuration {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Duration(duration) => duration.fmt(f),
            Self::Ticks(ticks) => ticks.fmt(f),
        }
    }
}

/// SQL that parses to the same window.
impl Display for Window {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Interval { interval, offset, sliding } => {
                write!(f, "INTERVAL({interval}")?;
                optional(f, ", ", *offset)?;
                f.write_str(")")?;
                sliding.map_or(Ok(()), |sliding| write!(f, " SLIDING({sliding})"))
            }
            Self::Session { column, gap } => write!(f, "SESSION({column}, {gap})"),
            Self::State(expr) => write!(f, "STATE_WINDOW({expr})"),
            Self::Event { start, end } => write!(f, "EVENT_WINDOW START WITH {start} END WITH {end}"),
            Self::Count { count, sliding } => {
                write!(f, "COUNT_WINDOW({count}")?;
                optional(f, ", ", *sliding)?;
                f.write_str(")")
            }
        }
    }
}

/// SQL that parses to the same FILL.
impl Display for Fill {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::None => f.write_str("FILL(NONE)"),
            Self::Null { forced } => write!(f, "FILL(NULL{})", if *forced { "_F" } else { "" }),
            Self::Previous => f.write_str("FILL(PREV)"),
            Self::Next => f.write_str("FILL(NEXT)"),
            Self::Linear => f.write_str("FILL(LINEAR)"),
            Self::Value { values, forced } => write!(f, "FILL(VALUE{}, {})", if *forced { "_F" } else { "" }, List(values, ", ")),
        }
    }
}
