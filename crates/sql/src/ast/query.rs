//! SELECT and what it is made of.

use embudo_types::Duration;

use super::expr::Expr;

/// A query with its order and limits; `body` is one SELECT or a UNION.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// SELECT or UNION.
    pub body: QueryBody,
    /// ORDER BY.
    pub order_by: Vec<SortItem>,
    /// SLIMIT.
    pub slimit: Option<Limit>,
    /// LIMIT.
    pub limit: Option<Limit>,
}

/// One SELECT or a set operation.
#[derive(Clone, Debug, PartialEq)]
pub enum QueryBody {
    /// SELECT.
    Select(Box<Select>),
    /// UNION, left associative.
    Union {
        /// Left operand.
        left: Box<Query>,
        /// Right operand.
        right: Box<Query>,
        /// UNION ALL keeps equal rows.
        all: bool,
    },
}

impl Query {
    /// Every table that FROM names, subqueries and joins included: database where written, and name.
    pub fn tables(&self) -> Vec<(Option<&str>, &str)> {
        let mut found = Vec::new();
        self.visit_sources(&mut |source| {
            if let TableRef::Table { database, name, .. } = source {
                found.push((database.as_deref(), name.as_str()));
            }
        });
        found
    }

    /// How many queries stand in each other at the deepest place, this one included.
    pub fn nesting(&self) -> u32 {
        1 + match &self.body {
            QueryBody::Select(select) => select.from.as_ref().map_or(0, TableRef::nesting),
            QueryBody::Union { left, right, .. } => left.nesting().max(right.nesting()),
        }
    }

    fn visit_sources<'a>(&'a self, visit: &mut dyn FnMut(&'a TableRef)) {
        match &self.body {
            QueryBody::Select(select) => select.from.iter().for_each(|source| source.visit(visit)),
            QueryBody::Union { left, right, .. } => {
                left.visit_sources(visit);
                right.visit_sources(visit);
            }
        }
    }
}

impl TableRef {
    fn nesting(&self) -> u32 {
        match self {
            Self::Table { .. } => 0,
            Self::Subquery { query, .. } => query.nesting(),
            Self::Join(join) => 1 + join.left.nesting().max(join.right.nesting()),
        }
    }

    fn visit<'a>(&'a self, visit: &mut dyn FnMut(&'a Self)) {
        visit(self);
        match self {
            Self::Table { .. } => {}
            Self::Subquery { query, .. } => query.visit_sources(visit),
            Self::Join(join) => {
                join.left.visit(visit);
                join.right.visit(visit);
            }
        }
    }
}

/// LIMIT or SLIMIT with its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// At most so many.
    pub count: i64,
    /// After so many.
    pub offset: i64,
}

/// One key of ORDER BY.
#[derive(Clone, Debug, PartialEq)]
pub struct SortItem {
    /// Expression, alias or ordinal.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST (`Some(true)`) or LAST; unwritten, ASC puts them first and DESC last.
    pub nulls_first: Option<bool>,
}

/// SELECT … FROM … to HAVING.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Select {
    /// Hints such as `batch_scan()`, lower case, without effect on results.
    pub hints: Vec<String>,
    /// DISTINCT.
    pub distinct: bool,
    /// `SELECT TAGS`: one row per child.
    pub tags_only: bool,
    /// The select list.
    pub items: Vec<SelectItem>,
    /// FROM; comma-separated tables are an inner join with its condition in WHERE.
    pub from: Option<TableRef>,
    /// WHERE.
    pub filter: Option<Expr>,
    /// PARTITION BY.
    pub partition_by: Vec<PartitionItem>,
    /// RANGE.
    pub range: Option<(Expr, Option<Expr>)>,
    /// EVERY.
    pub every: Option<Duration>,
    /// FILL that belongs to INTERP or, with INTERVAL, to the window.
    pub fill: Option<Fill>,
    /// Window clause.
    pub window: Option<Window>,
    /// GROUP BY.
    pub group_by: Vec<Expr>,
    /// HAVING.
    pub having: Option<Expr>,
}

/// An item of the select list.
#[derive(Clone, Debug, PartialEq)]
pub struct SelectItem {
    /// What is selected.
    pub expr: Expr,
    /// `AS alias`.
    pub alias: Option<String>,
    /// The source text with everything outside quotes in lower case, without a backtick at either end and cut to 64 bytes: the
    /// result's name where there is no alias and `expr` is no plain column.
    pub text: String,
}

/// An item of PARTITION BY.
#[derive(Clone, Debug, PartialEq)]
pub struct PartitionItem {
    /// The key.
    pub expr: Expr,
    /// Its name for a stream's TAGS and SUBTABLE.
    pub alias: Option<String>,
}

/// FROM.
#[derive(Clone, Debug, PartialEq)]
pub enum TableRef {
    /// `[db.]table [alias]`.
    Table {
        /// Database, where written.
        database: Option<String>,
        /// Table.
        name: String,
        /// Alias.
        alias: Option<String>,
    },
    /// `(query) [alias]`.
    Subquery {
        /// The query.
        query: Box<Query>,
        /// Alias.
        alias: Option<String>,
    },
    /// A join.
    Join(Box<Join>),
}

/// A join of two sources.
#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    /// Left source.
    pub left: TableRef,
    /// Right source.
    pub right: TableRef,
    /// INNER, LEFT, RIGHT, FULL.
    pub side: JoinSide,
    /// Plain (OUTER), SEMI, ANTI, ASOF, WINDOW.
    pub kind: JoinKind,
    /// ON.
    pub on: Option<Expr>,
    /// `WINDOW_OFFSET`.
    pub window_offset: Option<(Duration, Duration)>,
    /// JLIMIT.
    pub limit: Option<i64>,
}

/// Which side's rows are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinSide {
    /// Matches only.
    Inner,
    /// Every left row.
    Left,
    /// Every right row.
    Right,
    /// Every row of both.
    Full,
}

/// What a join makes of matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    /// Pairs.
    Plain,
    /// Rows with a match.
    Semi,
    /// Rows without one.
    Anti,
    /// The nearest rows in time.
    Asof,
    /// Rows in a range of time around.
    Window,
}

/// The window clause.
#[derive(Clone, Debug, PartialEq)]
pub enum Window {
    /// INTERVAL(length [, offset]) [SLIDING(s)].
    Interval {
        /// Length.
        interval: WindowDuration,
        /// Offset of the grid.
        offset: Option<WindowDuration>,
        /// Step.
        sliding: Option<WindowDuration>,
    },
    /// SESSION(ts, gap).
    Session {
        /// The timestamp column.
        column: Expr,
        /// Longest gap.
        gap: WindowDuration,
    },
    /// `STATE_WINDOW(expr)`.
    State(Expr),
    /// `EVENT_WINDOW` START WITH … END WITH ….
    Event {
        /// Opens.
        start: Expr,
        /// Closes.
        end: Expr,
    },
    /// `COUNT_WINDOW(n [, step])`.
    Count {
        /// Rows in a window.
        count: i64,
        /// Rows from one start to the next.
        sliding: Option<i64>,
    },
}

/// A window's length: with a unit, or a count of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WindowDuration {
    /// `10s` or `'10s'`.
    Duration(Duration),
    /// Ticks of the database's precision.
    Ticks(i64),
}

/// FILL(…).
#[derive(Clone, Debug, PartialEq)]
pub enum Fill {
    /// NONE.
    None,
    /// NULL; `forced` is `NULL_F`.
    Null {
        /// Also where the range has no rows at all.
        forced: bool,
    },
    /// PREV.
    Previous,
    /// NEXT.
    Next,
    /// LINEAR.
    Linear,
    /// VALUE, …; `forced` is `VALUE_F`.
    Value {
        /// Constants, one per aggregate.
        values: Vec<Expr>,
        /// Also where the range has no rows at all.
        forced: bool,
    },
}
