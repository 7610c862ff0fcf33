//! A random database and what happens to it: tables of random columns, rows that come late, again and in parts, deletes, changed columns
//! and tags; and the model of what must be in it.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::random::Random;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Tiny,
    Small,
    Int,
    Big,
    UTiny,
    USmall,
    UInt,
    UBig,
    Float,
    Double,
    Varchar,
    NChar,
    Time,
    Bytes,
    Decimal,
}

/// Every type a column may have, with the name such a column bears.
pub const COLUMNS: [(&str, Kind, &str); 16] = [
    ("ci", Kind::Int, "INT"),
    ("cb", Kind::Bool, "BOOL"),
    ("ct", Kind::Tiny, "TINYINT"),
    ("cs", Kind::Small, "SMALLINT"),
    ("cl", Kind::Big, "BIGINT"),
    ("cut", Kind::UTiny, "TINYINT UNSIGNED"),
    ("cus", Kind::USmall, "SMALLINT UNSIGNED"),
    ("cui", Kind::UInt, "INT UNSIGNED"),
    ("cul", Kind::UBig, "BIGINT UNSIGNED"),
    ("cf", Kind::Float, "FLOAT"),
    ("cd", Kind::Double, "DOUBLE"),
    ("cv", Kind::Varchar, "VARCHAR(16)"),
    ("cn", Kind::NChar, "NCHAR(8)"),
    ("cw", Kind::Time, "TIMESTAMP"),
    ("cx", Kind::Bytes, "VARBINARY(8)"),
    ("ce", Kind::Decimal, "DECIMAL(12,2)"),
];

const TEXTS: [&str; 9] = ["", "a", "A", "ab", "b%c", "x_y", "zz", "10", " sp "];
const WIDE: [&str; 5] = ["é", "中", "a", "zb", ""];
/// How many places in time there are.
const PLACES: i64 = 300;

impl Kind {
    pub fn is_whole(self) -> bool {
        matches!(self, Self::Tiny | Self::Small | Self::Int | Self::Big | Self::UTiny | Self::USmall | Self::UInt | Self::UBig)
    }

    pub fn is_unsigned(self) -> bool {
        matches!(self, Self::UTiny | Self::USmall | Self::UInt | Self::UBig)
    }

    pub fn is_number(self) -> bool {
        self.is_whole() || matches!(self, Self::Float | Self::Double)
    }

    pub fn is_text(self) -> bool {
        matches!(self, Self::Varchar | Self::NChar)
    }

    /// A value that comes again often enough.
    pub fn value(self, random: &mut Random, base: i64) -> Cell {
        match self {
            Self::Bool => Cell::Bool(random.one_in(2)),
            Self::Tiny | Self::Small | Self::Int => Cell::Int(random.between(-5, 6).into()),
            // Such as a 32-bit float still holds exactly, for comparisons are made in those too.
            Self::Big => Cell::Int((if random.one_in(3) { random.between(-(1 << 20), 1 << 20) } else { random.between(-3, 3) }).into()),
            Self::UTiny | Self::USmall | Self::UInt | Self::UBig => Cell::Int(random.between(0, 9).into()),
            Self::Float | Self::Double => Cell::Real(random.between(-20, 20) as f64 / 4.0),
            Self::Varchar => Cell::text(random.word(&TEXTS)),
            Self::NChar => Cell::text(random.word(&WIDE)),
            Self::Time => Cell::Time(base + random.between(0, 9)),
            Self::Bytes => Cell::Bytes((0..random.below(3)).map(|_| random.below(3) as u8).collect()),
            Self::Decimal => Cell::Decimal(random.between(-250, 250).into()),
        }
    }
}

/// What makes a row one of its own beside its time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    None,
    Int(i64),
    Text(String),
}

impl Key {
    fn cell(&self) -> Cell {
        match self {
            Self::None => Cell::Null,
            Self::Int(v) => Cell::Int((*v).into()),
            Self::Text(v) => Cell::text(v),
        }
    }
}

#[derive(Clone, Debug)]
pub struct Column {
    pub name: String,
    pub kind: Kind,
    pub sql: String,
}

#[derive(Clone, Debug)]
pub struct Table {
    pub name: String,
    /// Of children `g` and `h`.
    pub tags: Option<(Cell, Cell)>,
}

pub type Row = BTreeMap<String, Cell>;

/// One row of an INSERT: time, key and the values of the columns it names.
pub type Given = (i64, Key, Vec<Cell>);

#[derive(Clone, Debug)]
pub enum Step {
    /// Rows by table; columns by name.
    Insert(Vec<(usize, Vec<String>, Vec<Given>)>),
    /// Of one table, or of the supertable where a tag has a value.
    Delete(Option<usize>, Option<i64>, i64, i64),
    AddColumn(Column),
    DropColumn(String),
    SetTag(usize, Cell),
    Flush,
    Compact,
    Reopen,
}

/// What is fixed from the beginning.
#[derive(Clone, Debug)]
pub struct World {
    pub precision: &'static str,
    /// A letter of a duration and its ticks: the distance between places in time.
    pub letter: char,
    pub step: i64,
    pub base: i64,
    pub key: Option<Kind>,
    pub first_columns: Vec<Column>,
    pub tables: Vec<Table>,
    /// Whether rows of several children may have one time.
    pub is_shared: bool,
}

/// What is in the database at last.
#[derive(Clone, Debug)]
pub struct State {
    pub columns: Vec<Column>,
    pub tables: Vec<Table>,
    pub rows: BTreeMap<(usize, i64, Key), Row>,
}

impl World {
    pub fn random(random: &mut Random) -> Self {
        let (precision, per_millisecond): (_, i64) = *random.pick(&[("ms", 1), ("us", 1_000), ("ns", 1_000_000)]);
        let millisecond = |count: i64| count * per_millisecond;
        let mut units = vec![('a', millisecond(1)), ('s', millisecond(1_000)), ('m', millisecond(60_000)), ('h', millisecond(3_600_000))];
        if per_millisecond > 1 {
            units.push(('u', per_millisecond / 1_000));
        }
        if per_millisecond > 1_000 {
            units.push(('b', 1));
        }
        let (letter, step) = *random.pick(&units);
        let mut picked: Vec<usize> = (1..COLUMNS.len()).collect();
        while picked.len() > 5 {
            picked.remove(random.below(picked.len()));
        }
        let column = |place: usize| Column { name: COLUMNS[place].0.into(), kind: COLUMNS[place].1, sql: COLUMNS[place].2.into() };
        let first_columns = std::iter::once(0).chain(picked).map(column).collect();
        let children = 1 + random.below(4);
        let mut tables: Vec<Table> = (0..children)
            .map(|child| {
                let g = if random.one_in(6) { Cell::Null } else { Cell::Int(random.between(1, 2).into()) };
                let h = if random.one_in(6) { Cell::Null } else { Cell::text(random.word(&["x", "y"])) };
                Table { name: format!("t{child}"), tags: Some((g, h)) }
            })
            .collect();
        tables.push(Table { name: "n".into(), tags: None });
        let key = if random.one_in(4) { Some(*random.pick(&[Kind::Int, Kind::Big, Kind::Varchar])) } else { None };
        let base = 1_700_000_000_000 * per_millisecond + if random.one_in(2) { 0 } else { random.between(0, step.min(1_000)) };
        Self { precision, letter, step, base, key, first_columns, tables, is_shared: random.one_in(2) }
    }

    pub fn creation(&self) -> Vec<String> {
        let key = self.key.map_or(String::new(), |kind| format!(", ck {} PRIMARY KEY", key_type(kind)));
        let columns: String = self.first_columns.iter().map(|column| format!(", {} {}", column.name, column.sql)).collect();
        let mut all = vec![
            format!("CREATE DATABASE d PRECISION '{}' KEEP 36500 DURATION 10 STT_TRIGGER 1", self.precision),
            "USE d".to_owned(),
            format!("CREATE STABLE s (ts TIMESTAMP{key}{columns}) TAGS (g INT, h VARCHAR(8))"),
            format!("CREATE TABLE n (ts TIMESTAMP{key}{columns})"),
        ];
        for table in &self.tables {
            if let Some((g, h)) = &table.tags {
                all.push(format!("CREATE TABLE {} USING s TAGS ({}, {})", table.name, g.sql(), h.sql()));
            }
        }
        all
    }

    /// A time: places of tables that share none lie beside each other.
    pub fn time(&self, random: &mut Random, table: usize) -> i64 {
        let place = if random.one_in(3) { random.between(0, 40) } else { random.between(0, PLACES) };
        let place = if self.is_shared { place } else { place * 8 + table as i64 };
        self.base + place * self.step
    }

    /// Two times, the earlier first.
    pub fn range(&self, random: &mut Random) -> (i64, i64) {
        let table = random.below(8);
        let (one, other) = (self.time(random, table), self.time(random, table));
        (one.min(other), one.max(other))
    }

    fn key(&self, random: &mut Random) -> Key {
        match self.key {
            None => Key::None,
            Some(Kind::Varchar) => Key::Text((random.word(&["k", "l", "ka"])).into()),
            Some(_) => Key::Int(random.between(-1, 1)),
        }
    }

    fn rows(&self, random: &mut Random, state: &State, table: usize) -> (usize, Vec<String>, Vec<Given>) {
        let mut columns: Vec<Column> = if table == self.tables.len() - 1 { self.first_columns.clone() } else { state.columns.clone() };
        if random.one_in(3) {
            // Others keep what they hold.
            while columns.len() > 1 && !random.one_in(3) {
                columns.remove(random.below(columns.len()));
            }
        }
        let many = if random.one_in(8) { 120 } else { 12 };
        let given = (0..=random.below(many))
            .map(|_| {
                let values = columns.iter().map(|column| if random.one_in(5) { Cell::Null } else { column.kind.value(random, self.base) }).collect();
                (self.time(random, table), self.key(random), values)
            })
            .collect();
        (table, columns.into_iter().map(|column| column.name).collect(), given)
    }

    fn inserted(&self, random: &mut Random, state: &State) -> Vec<(usize, Vec<String>, Vec<Given>)> {
        let mut tables = Vec::new();
        for _ in 0..=random.below(3) {
            let table = random.below(self.tables.len());
            tables.push(self.rows(random, state, table));
        }
        tables
    }

    pub fn steps(&self, random: &mut Random) -> Vec<Step> {
        let (mut state, mut steps) = (State::new(self), Vec::new());
        let children = self.tables.len() - 1;
        for _ in 0..3 + random.below(10) {
            let step = match random.below(20) {
                0..=9 => Step::Insert(self.inserted(random, &state)),
                10 | 11 => {
                    let ((start, end), table) = (self.range(random), random.below(self.tables.len()));
                    let end = if random.one_in(3) { end } else { end.min(start + self.step * 30) };
                    match random.below(4) {
                        0 => Step::Delete(None, None, start, end),
                        1 => Step::Delete(None, Some(random.between(1, 2)), start, end),
                        _ => Step::Delete(Some(table), None, start, end),
                    }
                }
                12 => match COLUMNS.iter().find(|column| state.columns.iter().all(|other| other.name != column.0)) {
                    Some(column) => Step::AddColumn(Column { name: column.0.into(), kind: column.1, sql: column.2.into() }),
                    None => Step::Flush,
                },
                13 if state.columns.len() > 3 => Step::DropColumn(state.columns[1 + random.below(state.columns.len() - 1)].name.clone()),
                14 => Step::SetTag(random.below(children), if random.one_in(4) { Cell::Null } else { Cell::Int(random.between(1, 3).into()) }),
                15 | 16 => Step::Compact,
                17 => Step::Reopen,
                _ => Step::Flush,
            };
            state.apply(&step, self);
            steps.push(step);
        }
        steps
    }
}

fn key_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Big => "BIGINT",
        Kind::Varchar => "VARCHAR(8)",
        _ => "INT",
    }
}

impl State {
    pub fn new(world: &World) -> Self {
        Self { columns: world.first_columns.clone(), tables: world.tables.clone(), rows: BTreeMap::new() }
    }

    pub fn after(world: &World, steps: &[Step]) -> Self {
        let mut state = Self::new(world);
        for step in steps {
            state.apply(step, world);
        }
        state
    }

    fn apply(&mut self, step: &Step, world: &World) {
        match step {
            Step::Insert(tables) => {
                for (table, columns, given) in tables {
                    for (ts, key, values) in given {
                        let row = self.rows.entry((*table, *ts, key.clone())).or_insert_with(|| {
                            let mut row = Row::from([("ts".to_owned(), Cell::Time(*ts))]);
                            if world.key.is_some() {
                                row.insert("ck".into(), key.cell());
                            }
                            row
                        });
                        for (name, value) in columns.iter().zip(values) {
                            row.insert(name.clone(), value.clone());
                        }
                    }
                }
            }
            Step::Delete(table, tag, start, end) => {
                let tables = &self.tables;
                let is_meant = |number: usize| match (table, tag) {
                    (Some(table), _) => number == *table,
                    (None, None) => tables[number].tags.is_some(),
                    (None, Some(tag)) => tables[number].tags.as_ref().is_some_and(|tags| tags.0 == Cell::Int((*tag).into())),
                };
                self.rows.retain(|(number, ts, _), _| !(is_meant(*number) && (*start..=*end).contains(ts)));
            }
            Step::AddColumn(column) => self.columns.push(column.clone()),
            Step::DropColumn(name) => {
                self.columns.retain(|column| column.name != *name);
                let normal = self.tables.len() - 1;
                for ((table, _, _), row) in &mut self.rows {
                    if *table != normal {
                        row.remove(name);
                    }
                }
            }
            Step::SetTag(table, value) => {
                if let Some(tags) = &mut self.tables[*table].tags {
                    tags.0 = value.clone();
                }
            }
            Step::Flush | Step::Compact | Step::Reopen => {}
        }
    }
}

impl Step {
    /// The statement; what is done otherwise has none.
    pub fn sql(&self, world: &World) -> Option<String> {
        Some(match self {
            Self::Insert(tables) => {
                let clauses: Vec<String> = tables.iter().map(|(table, columns, given)| insert_clause(world, *table, columns, given)).collect();
                format!("INSERT INTO {}", clauses.join(" "))
            }
            Self::Delete(table, tag, start, end) => {
                let name = table.map_or("s", |table| world.tables[table].name.as_str());
                let tag = tag.map_or(String::new(), |tag| format!(" AND g = {tag}"));
                format!("DELETE FROM {name} WHERE ts >= {start} AND ts <= {end}{tag}")
            }
            Self::AddColumn(column) => format!("ALTER STABLE s ADD COLUMN {} {}", column.name, column.sql),
            Self::DropColumn(name) => format!("ALTER STABLE s DROP COLUMN {name}"),
            Self::SetTag(table, value) => format!("ALTER TABLE {} SET TAG g = {}", world.tables[*table].name, value.sql()),
            Self::Flush => "FLUSH DATABASE d".into(),
            Self::Compact => "COMPACT DATABASE d".into(),
            Self::Reopen => return None,
        })
    }

    /// The same with less in it.
    pub fn simpler(&self) -> Vec<Self> {
        let Self::Insert(tables) = self else { return Vec::new() };
        let mut all = Vec::new();
        for place in 0..tables.len() {
            if tables.len() > 1 {
                let mut fewer = tables.clone();
                fewer.remove(place);
                all.push(Self::Insert(fewer));
            }
            let count = tables[place].2.len();
            for part in [count / 2, 1] {
                if part == 0 || part >= count {
                    continue;
                }
                for start in (0..count).step_by(part) {
                    let mut fewer = tables.clone();
                    fewer[place].2.drain(start..(start + part).min(count));
                    if !fewer[place].2.is_empty() {
                        all.push(Self::Insert(fewer));
                    }
                }
            }
        }
        all
    }
}

fn insert_clause(world: &World, table: usize, columns: &[String], given: &[Given]) -> String {
    let key = if world.key.is_some() { ", ck" } else { "" };
    let names: String = columns.iter().map(|name| format!(", {name}")).collect();
    let rows: String = given
        .iter()
        .map(|(ts, key, values)| {
            let key = if world.key.is_some() { format!(", {}", key.cell().sql()) } else { String::new() };
            let values: String = values.iter().map(|value| format!(", {}", value.sql())).collect();
            format!(" ({ts}{key}{values})")
        })
        .collect();
    format!("{} (ts{key}{names}) VALUES{rows}", world.tables[table].name)
}
