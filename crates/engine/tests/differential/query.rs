//! Queries: what they are made of, how they are written, and what is left when something is taken away.

use super::cell::Cell;
use super::expression::{Cond, Expr};

#[derive(Clone, Debug)]
pub enum Source {
    Table(usize),
    /// `s` with all children.
    Super,
    /// Its columns are named by their place: `ts`, then `a1`, `a2` …
    Sub(Box<Select>),
    Join(Box<Join>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
    LeftSemi,
    LeftAnti,
    RightSemi,
    RightAnti,
    /// The operator between the times.
    LeftAsof(&'static str),
    /// The window's bounds in steps.
    LeftWindow(i64, i64),
}

/// Of two tables, or of the supertable with itself where tags are equal.
#[derive(Clone, Debug)]
pub struct Join {
    pub kind: JoinKind,
    pub tables: Option<(usize, usize)>,
    /// Beside equal times.
    pub on: Option<Cond>,
    pub limit: Option<usize>,
}

#[derive(Clone, Debug)]
pub enum Window {
    /// Length, offset and slide in ticks.
    Interval(i64, i64, Option<i64>),
    Session(i64),
    State(Expr),
    Event(Cond, Cond),
    Count(usize, usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    None,
    Null,
    NullForced,
    Value(i64),
    ValueForced(i64),
    Prev,
    Next,
}

#[derive(Clone, Debug)]
pub enum Item {
    /// A key of the groups, by place.
    Key(usize),
    Start,
    End,
    Duration,
    Aggregate(&'static str, Option<Expr>),
    /// Arithmetic of two aggregates.
    Sum(Box<Item>, Box<Item>),
}

#[derive(Clone, Debug)]
pub enum Series {
    Diff(Expr, bool),
    RunningSum(Expr),
    MovingAverage(Expr, usize),
    StateCount(Expr, &'static str, i64),
    /// In ticks.
    StateDuration(Expr, &'static str, i64),
    Derivative(Expr, bool),
    Tail(Expr, usize, usize),
    Top(Expr, usize),
    Bottom(Expr, usize),
    Unique(Expr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Between {
    Null,
    Value(i64),
    Prev,
    Next,
    /// Of floats.
    Linear,
}

#[derive(Clone, Debug)]
pub enum Shape {
    Rows {
        distinct: bool,
        items: Vec<Expr>,
    },
    Groups {
        keys: Vec<Expr>,
        is_group_by: bool,
        window: Option<Window>,
        fill: Option<Fill>,
        items: Vec<Item>,
        having: Option<(Item, &'static str, Cell)>,
    },
    Series {
        by_table: bool,
        series: Series,
    },
    /// From, to and step.
    Interpolated {
        by_table: bool,
        column: Expr,
        range: (i64, i64),
        every: i64,
        between: Between,
        skips_nulls: bool,
    },
}

#[derive(Clone, Debug)]
pub struct Select {
    pub source: Source,
    /// First and last time.
    pub range: Option<(i64, i64)>,
    pub filter: Option<Cond>,
    pub shape: Shape,
    /// Places of output columns, whether descending, and where NULLs go if said.
    pub order: Vec<(usize, bool, Option<bool>)>,
    /// How many, after how many.
    pub limit: Option<(usize, usize)>,
    /// So many groups.
    pub groups: Option<usize>,
}

#[derive(Clone, Debug)]
pub enum Query {
    One(Select),
    /// Whether all rows stay.
    Union(Select, Select, bool),
}

/// How things are called and durations are written.
pub struct Names<'a> {
    pub tables: Vec<&'a str>,
    pub letter: char,
    pub step: i64,
    /// The letter whose duration is a tick.
    pub tick: char,
}

impl Names<'_> {
    pub fn duration(&self, ticks: i64) -> String {
        if ticks % self.step == 0 { format!("{}{}", ticks / self.step, self.letter) } else { format!("{ticks}{}", self.tick) }
    }
}

impl Query {
    pub fn sql(&self, names: &Names<'_>) -> String {
        match self {
            Self::One(select) => select.sql(names, false),
            Self::Union(left, right, all) => format!("{} UNION {}{}", left.sql(names, false), if *all { "ALL " } else { "" }, right.sql(names, false)),
        }
    }

    pub fn simpler(&self) -> Vec<Self> {
        match self {
            Self::One(select) => select.simpler().into_iter().map(Self::One).collect(),
            Self::Union(left, right, all) => {
                let mut simpler: Vec<Self> = left.simpler().into_iter().map(|left| Self::Union(left, right.clone(), *all)).collect();
                simpler.extend(right.simpler().into_iter().map(|right| Self::Union(left.clone(), right, *all)));
                // Types stay alike.
                simpler.retain(|query| matches!(query, Self::Union(left, right, _) if left.items() == right.items()));
                simpler
            }
        }
    }
}

impl Select {
    fn items(&self) -> &[Expr] {
        if let Shape::Rows { items, .. } = &self.shape { items } else { &[] }
    }

    pub fn width(&self) -> usize {
        match &self.shape {
            Shape::Rows { items, .. } => items.len(),
            Shape::Groups { items, .. } => items.len(),
            Shape::Series { .. } | Shape::Interpolated { .. } => 0,
        }
    }

    /// The name of the rows' time.
    pub fn time(&self) -> &'static str {
        match &self.source {
            Source::Join(join) if matches!(join.kind, JoinKind::Right | JoinKind::RightSemi | JoinKind::RightAnti) => "b.ts",
            Source::Join(_) => "a.ts",
            _ => "ts",
        }
    }

    /// As a subquery its columns are named.
    pub fn sql(&self, names: &Names<'_>, is_sub: bool) -> String {
        let alias = |place: usize| match (is_sub, place) {
            (false, _) => String::new(),
            (true, 0) => " AS ts".to_owned(),
            (true, _) => format!(" AS a{place}"),
        };
        let list = |items: Vec<String>| items.into_iter().enumerate().map(|(place, item)| item + &alias(place)).collect::<Vec<_>>().join(", ");
        let (items, tail) = match &self.shape {
            Shape::Rows { distinct, items } => {
                (format!("{}{}", if *distinct { "DISTINCT " } else { "" }, list(items.iter().map(Expr::sql).collect())), String::new())
            }
            Shape::Groups { keys, is_group_by, window, fill, items, having } => (
                list(items.iter().map(|item| item.sql(keys)).collect()),
                groups_tail(keys, *is_group_by, window.as_ref(), *fill, items, having.as_ref(), self.time(), names),
            ),
            Shape::Series { by_table, series } => (series.sql(*by_table, names), (if *by_table { " PARTITION BY tbname" } else { "" }).to_owned()),
            Shape::Interpolated { by_table, column, range, every, between, skips_nulls } => {
                let head = if *by_table { "tbname, " } else { "" };
                let skips = if *skips_nulls { ", 1" } else { "" };
                let fill = match between {
                    Between::Null => "NULL".to_owned(),
                    Between::Value(value) => format!("VALUE, {value}"),
                    Between::Prev => "PREV".into(),
                    Between::Next => "NEXT".into(),
                    Between::Linear => "LINEAR".into(),
                };
                (
                    format!("{head}_irowts, _isfilled, INTERP({}{skips})", column.sql()),
                    format!(
                        "{} RANGE({}, {}) EVERY({}) FILL({fill})",
                        if *by_table { " PARTITION BY tbname" } else { "" },
                        range.0,
                        range.1,
                        names.duration(*every)
                    ),
                )
            }
        };
        let mut conditions = Vec::new();
        if let Some((start, end)) = self.range {
            conditions.push(format!("{0} >= {start} AND {0} <= {end}", self.time()));
        }
        conditions.extend(self.filter.as_ref().map(Cond::sql));
        let filter = if conditions.is_empty() { String::new() } else { format!(" WHERE {}", conditions.join(" AND ")) };
        format!("SELECT {items} FROM {}{filter}{tail}{}", self.source.sql(names), self.end())
    }

    fn end(&self) -> String {
        let mut out = String::new();
        if !self.order.is_empty() {
            let keys: Vec<String> = self
                .order
                .iter()
                .map(|(place, descending, nulls)| {
                    let nulls = nulls.map_or("", |first| if first { " NULLS FIRST" } else { " NULLS LAST" });
                    format!("{}{}{nulls}", place + 1, if *descending { " DESC" } else { "" })
                })
                .collect();
            out = format!(" ORDER BY {}", keys.join(", "));
        }
        if let Some(groups) = self.groups {
            out += &format!(" SLIMIT {groups}");
        }
        match self.limit {
            Some((count, 0)) => out + &format!(" LIMIT {count}"),
            Some((count, skipped)) => out + &format!(" LIMIT {count} OFFSET {skipped}"),
            None => out,
        }
    }

    pub fn simpler(&self) -> Vec<Self> {
        let mut all = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut other = self.clone();
            change(&mut other);
            all.push(other);
        };
        if self.filter.is_some() {
            add(&|select| select.filter = None);
        }
        let is_filled = matches!(self.shape, Shape::Groups { fill: Some(_), .. });
        if self.range.is_some() && !is_filled {
            add(&|select| select.range = None);
        }
        if self.limit.is_some() {
            add(&|select| select.limit = None);
        }
        if !self.order.is_empty() && self.limit.is_none() {
            add(&|select| select.order.clear());
        }
        for filter in self.filter.iter().flat_map(Cond::simpler) {
            add(&|select| select.filter = Some(filter.clone()));
        }
        if let Source::Sub(inner) = &self.source {
            for simpler in inner.simpler().into_iter().filter(|simpler| simpler.width() == inner.width()) {
                add(&|select| select.source = Source::Sub(Box::new(simpler.clone())));
            }
        }
        if let Source::Join(join) = &self.source
            && join.on.is_some()
        {
            add(&|select| {
                if let Source::Join(join) = &mut select.source {
                    join.on = None;
                }
            });
        }
        match &self.shape {
            Shape::Rows { items, .. } if self.order.is_empty() && items.len() > 1 => {
                for place in 0..items.len() {
                    add(&|select| {
                        if let Shape::Rows { items, .. } = &mut select.shape {
                            drop(items.remove(place));
                        }
                    });
                }
            }
            Shape::Groups { items, having, .. } => {
                if having.is_some() {
                    add(&|select| {
                        if let Shape::Groups { having, .. } = &mut select.shape {
                            *having = None;
                        }
                    });
                }
                if self.order.is_empty() && items.iter().filter(|item| item.is_aggregate()).count() > 1 {
                    for place in 0..items.len() {
                        add(&|select| {
                            if let Shape::Groups { items, .. } = &mut select.shape {
                                drop(items.remove(place));
                            }
                        });
                    }
                }
            }
            _ => {}
        }
        if let Shape::Rows { items, .. } = &self.shape {
            for (place, item) in items.iter().enumerate() {
                for simpler in item.simpler() {
                    add(&|select| {
                        if let Shape::Rows { items, .. } = &mut select.shape {
                            items[place] = simpler.clone();
                        }
                    });
                }
            }
        }
        if let Shape::Groups { items, .. } = &self.shape {
            for (place, item) in items.iter().enumerate() {
                for simpler in item.simpler() {
                    add(&|select| {
                        if let Shape::Groups { items, .. } = &mut select.shape {
                            items[place] = simpler.clone();
                        }
                    });
                }
            }
        }
        all.retain(|select| !matches!(&select.shape, Shape::Groups { items, .. } if !items.iter().any(Item::is_aggregate)));
        // Groups are told apart by their key.
        all.retain(|select| select.groups.is_none() || matches!(&select.shape, Shape::Groups { items, .. } if matches!(items[0], Item::Key(0))));
        all
    }
}

#[expect(clippy::too_many_arguments, reason = "the parts of a clause")]
fn groups_tail(
    keys: &[Expr],
    is_group_by: bool,
    window: Option<&Window>,
    fill: Option<Fill>,
    items: &[Item],
    having: Option<&(Item, &'static str, Cell)>,
    time: &str,
    names: &Names<'_>,
) -> String {
    let mut out = String::new();
    let keys_sql = keys.iter().map(Expr::sql).collect::<Vec<_>>().join(", ");
    if !keys.is_empty() && !is_group_by {
        out += &format!(" PARTITION BY {keys_sql}");
    }
    if let Some(window) = window {
        out += &match window {
            Window::Interval(length, offset, slide) => {
                let offset = if *offset == 0 { String::new() } else { format!(", {}", names.duration(*offset)) };
                let slide = slide.map_or(String::new(), |slide| format!(" SLIDING({})", names.duration(slide)));
                format!(" INTERVAL({}{offset}){slide}", names.duration(*length))
            }
            Window::Session(gap) => format!(" SESSION({time}, {})", names.duration(*gap)),
            Window::State(state) => format!(" STATE_WINDOW({})", state.sql()),
            Window::Event(start, end) => format!(" EVENT_WINDOW START WITH {} END WITH {}", start.sql(), end.sql()),
            Window::Count(count, slide) if count == slide => format!(" COUNT_WINDOW({count})"),
            Window::Count(count, slide) => format!(" COUNT_WINDOW({count}, {slide})"),
        };
    }
    if let Some(fill) = fill {
        let values = |value: i64| format!(", {value}").repeat(items.iter().filter(|item| item.is_aggregate()).count());
        out += &match fill {
            Fill::None => " FILL(NONE)".to_owned(),
            Fill::Null => " FILL(NULL)".into(),
            Fill::NullForced => " FILL(NULL_F)".into(),
            Fill::Value(value) => format!(" FILL(VALUE{})", values(value)),
            Fill::ValueForced(value) => format!(" FILL(VALUE_F{})", values(value)),
            Fill::Prev => " FILL(PREV)".into(),
            Fill::Next => " FILL(NEXT)".into(),
        };
    }
    if !keys.is_empty() && is_group_by {
        out += &format!(" GROUP BY {keys_sql}");
    }
    if let Some((item, operator, value)) = having {
        out += &format!(" HAVING {} {operator} {}", item.sql(keys), value.sql());
    }
    out
}

impl Item {
    pub fn is_aggregate(&self) -> bool {
        matches!(self, Self::Aggregate(..) | Self::Sum(..))
    }

    fn sql(&self, keys: &[Expr]) -> String {
        match self {
            Self::Key(place) => keys[*place].sql(),
            Self::Start => "_wstart".into(),
            Self::End => "_wend".into(),
            Self::Duration => "_wduration".into(),
            Self::Aggregate(name, Some(argument)) => format!("{name}({})", argument.sql()),
            Self::Aggregate(name, None) => format!("{name}(*)"),
            Self::Sum(left, right) => format!("{} + {}", left.sql(keys), right.sql(keys)),
        }
    }

    fn simpler(&self) -> Vec<Self> {
        match self {
            Self::Aggregate(name, Some(argument)) => {
                argument.simpler().into_iter().filter(|simpler| simpler.kind().is_number()).map(|simpler| Self::Aggregate(name, Some(simpler))).collect()
            }
            Self::Sum(left, right) => vec![(**left).clone(), (**right).clone()],
            _ => Vec::new(),
        }
    }
}

impl Series {
    fn sql(&self, by_table: bool, names: &Names<'_>) -> String {
        let head = if by_table { "tbname, " } else { "" };
        let call = match self {
            Self::Diff(column, false) => format!("DIFF({})", column.sql()),
            Self::Diff(column, true) => format!("DIFF({}, 1)", column.sql()),
            Self::RunningSum(column) => format!("CSUM({})", column.sql()),
            Self::MovingAverage(column, count) => format!("MAVG({}, {count})", column.sql()),
            Self::StateCount(column, operator, value) => format!("STATECOUNT({}, '{operator}', {value})", column.sql()),
            Self::StateDuration(column, operator, value) => format!("STATEDURATION({}, '{operator}', {value}, 1{})", column.sql(), names.tick),
            Self::Derivative(column, ignores) => format!("DERIVATIVE({}, 1s, {})", column.sql(), u8::from(*ignores)),
            Self::Tail(column, count, 0) => return format!("{head}TAIL({}, {count})", column.sql()),
            Self::Tail(column, count, skipped) => return format!("{head}TAIL({}, {count}, {skipped})", column.sql()),
            Self::Top(column, count) => return format!("{head}TOP({}, {count})", column.sql()),
            Self::Bottom(column, count) => return format!("{head}BOTTOM({}, {count})", column.sql()),
            Self::Unique(column) => return format!("{head}UNIQUE({})", column.sql()),
        };
        format!("{head}ts, {call}")
    }
}

impl Source {
    fn sql(&self, names: &Names<'_>) -> String {
        match self {
            Self::Table(table) => names.tables[*table].to_owned(),
            Self::Super => "s".into(),
            Self::Sub(select) => format!("({})", select.sql(names, true)),
            Self::Join(join) => join.sql(names),
        }
    }
}

impl Join {
    fn sql(&self, names: &Names<'_>) -> String {
        let (left, right) = self.tables.map_or(("s", "s"), |(left, right)| (names.tables[left], names.tables[right]));
        let words = match self.kind {
            JoinKind::Inner => "JOIN",
            JoinKind::Left => "LEFT JOIN",
            JoinKind::Right => "RIGHT JOIN",
            JoinKind::Full => "FULL JOIN",
            JoinKind::LeftSemi => "LEFT SEMI JOIN",
            JoinKind::LeftAnti => "LEFT ANTI JOIN",
            JoinKind::RightSemi => "RIGHT SEMI JOIN",
            JoinKind::RightAnti => "RIGHT ANTI JOIN",
            JoinKind::LeftAsof(_) => "LEFT ASOF JOIN",
            JoinKind::LeftWindow(..) => "LEFT WINDOW JOIN",
        };
        let times = match self.kind {
            JoinKind::LeftAsof(operator) => format!(" ON a.ts {operator} b.ts"),
            JoinKind::LeftWindow(..) => String::new(),
            _ => " ON a.ts = b.ts".into(),
        };
        let tags = if self.tables.is_none() { " AND a.g = b.g" } else { "" };
        let on = self.on.as_ref().map_or(String::new(), |on| format!(" AND {}", on.sql()));
        let window = match self.kind {
            JoinKind::LeftWindow(start, end) => format!(" WINDOW_OFFSET({}, {})", signed(start, names), signed(end, names)),
            _ => String::new(),
        };
        let limit = self.limit.map_or(String::new(), |limit| format!(" JLIMIT {limit}"));
        format!("{left} a {words} {right} b{times}{tags}{on}{window}{limit}")
    }
}

fn signed(steps: i64, names: &Names<'_>) -> String {
    format!("{}{}", if steps < 0 { "-" } else { "" }, names.duration(steps.abs() * names.step))
}
