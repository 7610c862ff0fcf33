//! What a query must answer, one row after the other: nothing of the engine's is used.

use std::collections::BTreeMap;

use super::aggregate::aggregate;
use super::cell::Cell;
use super::expression::{Cond, Expr};
use super::query::{Fill, Item, Join, JoinKind, Query, Select, Shape, Source, Window};
use super::series;
use super::world::{Row, State, Table, World};

/// The rows of an answer, and what of their order and number is said.
pub struct Answer {
    /// In order, without the limit.
    pub rows: Vec<Vec<Cell>>,
    /// Columns that the rows are ordered by, whether descending, whether NULLs come first.
    pub order: Vec<(usize, bool, bool)>,
    pub limit: Option<(usize, usize)>,
    /// Of the groups, whose key is the first column, only so many come.
    pub groups: Option<usize>,
}

pub fn answer(query: &Query, state: &State, world: &World) -> Answer {
    match query {
        Query::One(select) => answer_of(select, state, world),
        Query::Union(left, right, all) => {
            let mut rows = answer_of(left, state, world).rows;
            rows.extend(answer_of(right, state, world).rows);
            if !all {
                rows = distinct(rows);
            }
            Answer { rows, order: Vec::new(), limit: None, groups: None }
        }
    }
}

fn distinct(rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    rows.into_iter().map(|row| (identity(&row), row)).collect::<BTreeMap<_, _>>().into_values().collect()
}

/// The same text for what is one group.
pub fn identity(cells: &[Cell]) -> String {
    cells.iter().map(|cell| if *cell == Cell::Real(0.0) { "Real(0.0)".to_owned() } else { format!("{cell:?}") }).collect::<Vec<_>>().join("|")
}

fn answer_of(select: &Select, state: &State, world: &World) -> Answer {
    let time = select.time();
    let mut rows = rows_of(&select.source, state, world);
    rows.retain(|row| {
        let is_in_range = select.range.is_none_or(|(start, end)| matches!(row.get(time), Some(Cell::Time(ts)) if (start..=end).contains(ts)));
        is_in_range && select.filter.as_ref().is_none_or(|filter| filter.holds(row) == Some(true))
    });
    let mut out = match &select.shape {
        Shape::Rows { distinct: false, items } => rows.iter().map(|row| items.iter().map(|item| item.of(row)).collect()).collect(),
        // Tables are asked, those without rows too.
        Shape::Rows { distinct: true, items } if matches!(select.source, Source::Super) && items.iter().all(|item| item.is_of(&OF_TABLES)) => {
            distinct(asked_tables(select, state).iter().map(|row| items.iter().map(|item| item.of(row)).collect()).collect())
        }
        Shape::Rows { distinct: true, items } => distinct(rows.iter().map(|row| items.iter().map(|item| item.of(row)).collect()).collect()),
        Shape::Groups { keys, window, fill, items, having, .. } => {
            let groups = groups(select, &rows, keys, state);
            let mut out = Vec::new();
            for (key, rows) in &groups {
                let windows = window.as_ref().map(|window| windows(window, rows, time));
                let windows = match windows {
                    None => vec![Piece { start: 0, end: 0, rows: rows.clone() }],
                    Some(windows) => windows,
                };
                let cells: Vec<(i64, Vec<Cell>)> = windows.iter().map(|piece| (piece.start, cells(items, key, piece, time))).collect();
                let cells = match (fill, window, select.range) {
                    (Some(fill), Some(Window::Interval(length, offset, _)), Some(range)) => filled(*fill, cells, items, key, (*length, *offset), range),
                    _ => cells,
                };
                for (piece, (_, cells)) in windows.iter().chain(std::iter::repeat(&Piece::NOTHING)).zip(cells) {
                    let stays = having.as_ref().is_none_or(|(item, operator, value)| {
                        let cell = item_of(item, key, piece, time);
                        Cond::Compare(Expr::Literal(cell), operator, Expr::Literal(value.clone())).holds(&Row::new()) == Some(true)
                    });
                    if stays {
                        out.push(cells);
                    }
                }
            }
            out
        }
        Shape::Series { by_table, series } => by_tables(*by_table, &rows, |rows| series::series(series, rows, world)),
        Shape::Interpolated { by_table, column, range, every, between, skips_nulls } => {
            by_tables(*by_table, &rows, |rows| series::interpolated(rows, column, *range, *every, *between, *skips_nulls))
        }
    };
    let order: Vec<(usize, bool, bool)> = select.order.iter().map(|(place, descending, nulls)| (*place, *descending, nulls.unwrap_or(!descending))).collect();
    out.sort_by(|a, b| compare_keys(a, b, &order));
    let limit = select.limit.filter(|_| !is_per_group(select));
    Answer { rows: out, order, limit, groups: select.groups }
}

pub fn compare_keys(a: &[Cell], b: &[Cell], order: &[(usize, bool, bool)]) -> std::cmp::Ordering {
    let mut outcome = std::cmp::Ordering::Equal;
    for (place, descending, nulls_first) in order {
        let (a, b) = (&a[*place], &b[*place]);
        outcome = outcome.then_with(|| match (a.is_null(), b.is_null()) {
            (true, false) => {
                if *nulls_first {
                    std::cmp::Ordering::Less
                } else {
                    std::cmp::Ordering::Greater
                }
            }
            (false, true) => {
                if *nulls_first {
                    std::cmp::Ordering::Greater
                } else {
                    std::cmp::Ordering::Less
                }
            }
            _ if *descending => b.order(a),
            _ => a.order(b),
        });
    }
    outcome
}

/// Whether LIMIT counts in each group: the rows of each table here.
fn is_per_group(select: &Select) -> bool {
    matches!(&select.shape, Shape::Groups { keys, .. } if !keys.is_empty()) && select.order.is_empty()
}

fn by_tables(by_table: bool, rows: &[Row], of: impl Fn(&[&Row]) -> Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
    if !by_table {
        return of(&rows.iter().collect::<Vec<_>>());
    }
    let mut tables: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        tables.entry(format!("{:?}", row["tbname"])).or_default().push(row);
    }
    let with_name = |rows: Vec<&Row>| {
        let name = rows[0]["tbname"].clone();
        of(&rows).into_iter().map(|cells| std::iter::once(name.clone()).chain(cells).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    tables.into_values().flat_map(with_name).collect()
}

/// Rows in the order of time.
fn rows_of(source: &Source, state: &State, world: &World) -> Vec<Row> {
    match source {
        Source::Table(table) => table_rows(state, |number| number == *table),
        Source::Super => table_rows(state, |number| state.tables[number].tags.is_some()),
        Source::Sub(select) => {
            let name = |place: usize| if place == 0 { "ts".to_owned() } else { format!("a{place}") };
            let rows = answer_of(select, state, world).rows;
            let mut rows: Vec<Row> = rows.into_iter().map(|cells| cells.into_iter().enumerate().map(|(place, cell)| (name(place), cell)).collect()).collect();
            rows.sort_by(|a: &Row, b: &Row| a["ts"].order(&b["ts"]));
            rows
        }
        Source::Join(join) => joined(join, state, world),
    }
}

fn table_rows(state: &State, is_wanted: impl Fn(usize) -> bool) -> Vec<Row> {
    let mut rows: Vec<(i64, Row)> = Vec::new();
    for ((table, ts, _), row) in &state.rows {
        if !is_wanted(*table) {
            continue;
        }
        let (mut row, table) = (row.clone(), &state.tables[*table]);
        row.insert("tbname".into(), Cell::text(&table.name));
        if let Some((g, h)) = &table.tags {
            row.insert("g".into(), g.clone());
            row.insert("h".into(), h.clone());
        }
        rows.push((*ts, row));
    }
    rows.sort_by_key(|row| row.0);
    rows.into_iter().map(|row| row.1).collect()
}

fn joined(join: &Join, state: &State, world: &World) -> Vec<Row> {
    let of = |table: Option<usize>, side: &str| -> Vec<Row> {
        let rows = rows_of(&table.map_or(Source::Super, Source::Table), state, world);
        rows.into_iter().map(|row| row.into_iter().map(|(name, cell)| (format!("{side}.{name}"), cell)).collect()).collect()
    };
    let (left, right) = (of(join.tables.map(|tables| tables.0), "a"), of(join.tables.map(|tables| tables.1), "b"));
    let time = |row: &Row| row.get("a.ts").or(row.get("b.ts")).map_or(0, |cell| if let Cell::Time(ts) = cell { *ts } else { 0 });
    let both = |a: &Row, b: &Row| -> Row { a.iter().chain(b).map(|(name, cell)| (name.clone(), cell.clone())).collect() };
    let matches = |a: &Row, b: &Row| {
        let pair = both(a, b);
        let tags = join.tables.is_some() || pair["a.g"].compare(&pair["b.g"]) == Some(std::cmp::Ordering::Equal);
        tags && join.on.as_ref().is_none_or(|on| on.holds(&pair) == Some(true))
    };
    let equal = |a: &Row, b: &Row| time(a) == time(b) && matches(a, b);
    let mut out = Vec::new();
    match join.kind {
        JoinKind::Inner | JoinKind::Left | JoinKind::Full | JoinKind::LeftSemi | JoinKind::LeftAnti => {
            for a in &left {
                let pairs: Vec<Row> = right.iter().filter(|b| equal(a, b)).map(|b| both(a, b)).collect();
                match join.kind {
                    JoinKind::LeftSemi => out.extend((!pairs.is_empty()).then(|| a.clone())),
                    JoinKind::LeftAnti => out.extend(pairs.is_empty().then(|| a.clone())),
                    JoinKind::Inner => out.extend(pairs),
                    _ if pairs.is_empty() => out.push(a.clone()),
                    _ => out.extend(pairs),
                }
            }
            if join.kind == JoinKind::Full {
                out.extend(right.iter().filter(|b| !left.iter().any(|a| equal(a, b))).cloned());
            }
        }
        JoinKind::Right | JoinKind::RightSemi | JoinKind::RightAnti => {
            for b in &right {
                let pairs: Vec<Row> = left.iter().filter(|a| equal(a, b)).map(|a| both(a, b)).collect();
                match join.kind {
                    JoinKind::RightSemi => out.extend((!pairs.is_empty()).then(|| b.clone())),
                    JoinKind::RightAnti => out.extend(pairs.is_empty().then(|| b.clone())),
                    _ if pairs.is_empty() => out.push(b.clone()),
                    _ => out.extend(pairs),
                }
            }
        }
        JoinKind::LeftAsof(operator) => {
            let limit = join.limit.unwrap_or(1);
            for a in &left {
                let is_near = |b: &&Row| match operator {
                    ">=" => time(a) >= time(b),
                    ">" => time(a) > time(b),
                    "<=" => time(a) <= time(b),
                    "<" => time(a) < time(b),
                    _ => time(a) == time(b),
                };
                let mut near: Vec<&Row> = right.iter().filter(is_near).collect();
                if operator.starts_with('>') {
                    near.reverse();
                }
                near.truncate(limit);
                if near.is_empty() {
                    out.push(a.clone());
                }
                out.extend(near.into_iter().map(|b| both(a, b)));
            }
        }
        JoinKind::LeftWindow(start, end) => {
            for a in &left {
                let range = time(a) + start * world.step..=time(a) + end * world.step;
                let near: Vec<&Row> = right.iter().filter(|b| range.contains(&time(b))).take(join.limit.unwrap_or(usize::MAX)).collect();
                if near.is_empty() {
                    out.push(a.clone());
                }
                out.extend(near.into_iter().map(|b| both(a, b)));
            }
        }
    }
    out
}

/// Rows of one window.
#[derive(Clone)]
pub struct Piece<'a> {
    pub start: i64,
    pub end: i64,
    pub rows: Vec<&'a Row>,
}

impl Piece<'_> {
    const NOTHING: Self = Self { start: 0, end: 0, rows: Vec::new() };
}

type Group<'a> = (Vec<Cell>, Vec<&'a Row>);

fn groups<'a>(select: &Select, rows: &'a [Row], keys: &[Expr], state: &State) -> Vec<Group<'a>> {
    let Shape::Groups { window, items, fill, is_group_by, having, .. } = &select.shape else { return Vec::new() };
    let counts = items.iter().chain(having.iter().map(|having| &having.0)).any(Item::counts) && window.is_none() && !asks_nothing(select, state);
    let forced = matches!(fill, Some(Fill::NullForced | Fill::ValueForced(_)));
    if keys.is_empty() {
        return if rows.is_empty() && !forced && !counts { Vec::new() } else { vec![(Vec::new(), rows.iter().collect())] };
    }
    if rows.is_empty() && forced {
        return vec![(vec![Cell::Null; keys.len()], Vec::new())];
    }
    let mut groups: BTreeMap<String, Group<'a>> = BTreeMap::new();
    for row in rows {
        let key: Vec<Cell> = keys.iter().map(|key| key.of(row)).collect();
        groups.entry(identity(&key)).or_insert_with(|| (key, Vec::new())).1.push(row);
    }
    // What a table says of itself is there without rows.
    let is_named = |name: &str| keys.iter().any(|key| matches!(key, Expr::Column(other, _) if other == name));
    if counts && keys.iter().all(|key| key.is_of(&OF_TABLES)) && (!is_group_by || is_named("tbname")) {
        for row in asked_tables(select, state) {
            let key: Vec<Cell> = keys.iter().map(|key| key.of(&row)).collect();
            groups.entry(identity(&key)).or_insert_with(|| (key, Vec::new()));
        }
    }
    groups.into_values().collect()
}

/// What is the same in all rows of a table.
const OF_TABLES: [&str; 3] = ["tbname", "g", "h"];

/// Tables that conditions on tags leave.
fn asked_tables(select: &Select, state: &State) -> Vec<Row> {
    let parts: Vec<&Cond> = select.filter.iter().flat_map(Cond::parts).filter(|part| part.is_of(&OF_TABLES)).collect();
    let of = |table: &Table| -> Row {
        let (g, h) = table.tags.clone().unwrap_or((Cell::Null, Cell::Null));
        Row::from([("tbname".to_owned(), Cell::text(&table.name)), ("g".to_owned(), g), ("h".to_owned(), h)])
    };
    let is_meant = |number: usize| match &select.source {
        Source::Super => state.tables[number].tags.is_some(),
        Source::Table(table) => number == *table,
        _ => false,
    };
    let rows = (0..state.tables.len()).filter(|number| is_meant(*number)).map(|number| of(&state.tables[number]));
    rows.filter(|row| parts.iter().all(|part| part.holds(row) == Some(true))).collect()
}

/// Whether not even a count comes back: a condition without columns does not hold, or the one table is not meant.
fn asks_nothing(select: &Select, state: &State) -> bool {
    let never = select.filter.iter().flat_map(Cond::parts).any(|part| part.is_of(&[]) && part.holds(&Row::new()) != Some(true));
    never || (matches!(select.source, Source::Table(_)) && asked_tables(select, state).is_empty())
}

fn time_of(row: &Row, time: &str) -> i64 {
    if let Some(Cell::Time(ts)) = row.get(time) { *ts } else { 0 }
}

fn windows<'a>(window: &Window, rows: &[&'a Row], time: &str) -> Vec<Piece<'a>> {
    let at = |place: usize| time_of(rows[place], time);
    let piece = |first: usize, last: usize| Piece { start: at(first), end: at(last), rows: rows[first..=last].to_vec() };
    let count = rows.len();
    let mut out = Vec::new();
    if count == 0 {
        return out;
    }
    match window {
        Window::Interval(length, offset, slide) => {
            let slide = slide.unwrap_or(*length);
            let mut start = (at(0) - length - offset).div_euclid(slide) * slide + offset;
            while start <= at(count - 1) {
                let inside: Vec<&Row> = rows.iter().copied().filter(|row| (start..start + length).contains(&time_of(row, time))).collect();
                if !inside.is_empty() {
                    out.push(Piece { start, end: start + length, rows: inside });
                }
                start += slide;
            }
        }
        Window::Session(gap) => {
            let mut first = 0;
            for place in 0..count {
                if place + 1 == count || at(place + 1) - at(place) > *gap {
                    out.push(piece(first, place));
                    first = place + 1;
                }
            }
        }
        Window::Count(size, slide) => {
            for first in (0..count).step_by(*slide) {
                out.push(piece(first, (first + size).min(count) - 1));
            }
        }
        Window::Event(opens, closes) => {
            let mut first = None;
            for (place, row) in rows.iter().enumerate() {
                if first.is_none() && opens.holds(row) == Some(true) {
                    first = Some(place);
                }
                if let Some(start) = first
                    && closes.holds(row) == Some(true)
                {
                    out.push(piece(start, place));
                    first = None;
                }
            }
        }
        Window::State(state) => {
            // NULLs neither split nor count; at the end they stretch the last state.
            let known: Vec<usize> = (0..count).filter(|place| !state.of(rows[*place]).is_null()).collect();
            for same in known.chunk_by(|a, b| state.of(rows[*a]) == state.of(rows[*b])) {
                let (first, last) = (same[0], same[same.len() - 1]);
                out.push(Piece { start: at(first), end: at(last), rows: same.iter().map(|place| rows[*place]).collect() });
            }
            match out.last_mut() {
                Some(last) => last.end = at(count - 1),
                None => out.push(Piece { start: 0, end: 0, rows: Vec::new() }),
            }
        }
    }
    out
}

fn cells(items: &[Item], key: &[Cell], piece: &Piece<'_>, time: &str) -> Vec<Cell> {
    items.iter().map(|item| item_of(item, key, piece, time)).collect()
}

fn item_of(item: &Item, key: &[Cell], piece: &Piece<'_>, time: &str) -> Cell {
    match item {
        Item::Key(place) => key[*place].clone(),
        Item::Start => Cell::Time(piece.start),
        Item::End => Cell::Time(piece.end),
        Item::Duration => Cell::Int((piece.end - piece.start).into()),
        Item::Aggregate(name, argument) => aggregate(name, argument.as_ref(), &piece.rows, time),
        Item::Sum(left, right) => match (item_of(left, key, piece, time).number(), item_of(right, key, piece, time).number()) {
            (Some(a), Some(b)) => Cell::Real(a + b),
            _ => Cell::Null,
        },
    }
}

impl Item {
    fn counts(&self) -> bool {
        match self {
            Self::Aggregate(name, _) => *name == "COUNT",
            Self::Sum(left, right) => left.counts() || right.counts(),
            _ => false,
        }
    }
}

/// All windows of a range: those that have rows, and what stands for the others.
fn filled(fill: Fill, known: Vec<(i64, Vec<Cell>)>, items: &[Item], key: &[Cell], (length, offset): (i64, i64), range: (i64, i64)) -> Vec<(i64, Vec<Cell>)> {
    if fill == Fill::None {
        return known;
    }
    let mut all = Vec::new();
    let mut start = (range.0 - offset).div_euclid(length) * length + offset;
    while start <= range.1 {
        all.push((start, known.iter().find(|window| window.0 == start)));
        start += length;
    }
    let value = |place: usize, item: usize| all[place].1.map(|window| window.1[item].clone()).filter(|cell| !cell.is_null());
    let constant = |item: &Item, value: i64| if item.is_real() { Cell::Real(value as f64) } else { Cell::Int(value.into()) };
    let mut out = Vec::new();
    for (place, (start, _)) in all.iter().enumerate() {
        let cell = |number: usize, item: &Item| match item {
            // NEXT takes the group from the next row too, and behind the last one there is none.
            Item::Key(_) if fill == Fill::Next && all[place..].iter().all(|window| window.1.is_none()) => Cell::Null,
            Item::Key(place) => key[*place].clone(),
            Item::Start => Cell::Time(*start),
            Item::End => Cell::Time(start + length),
            Item::Duration => Cell::Int(length.into()),
            _ => value(place, number).unwrap_or_else(|| match fill {
                Fill::Value(value) | Fill::ValueForced(value) => constant(item, value),
                Fill::Prev => (0..place).rev().find_map(|place| value(place, number)).unwrap_or(Cell::Null),
                Fill::Next => (place..all.len()).find_map(|place| value(place, number)).unwrap_or(Cell::Null),
                _ => Cell::Null,
            }),
        };
        out.push((*start, items.iter().enumerate().map(|(number, item)| cell(number, item)).collect()));
    }
    out
}

impl Item {
    fn is_real(&self) -> bool {
        match self {
            Self::Aggregate("COUNT", _) => false,
            Self::Aggregate("AVG" | "STDDEV" | "SPREAD", _) | Self::Sum(..) => true,
            Self::Aggregate(_, argument) => argument.as_ref().is_some_and(|argument| !argument.kind().is_whole()),
            _ => false,
        }
    }
}
