//! The points of a call, gathered by supertable: cells by column, rows by series. What a column's type or a time forbids is found here,
//! line by line, before anything is written.

use std::fmt::Write;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow_buffer::ScalarBuffer;
use embudo_catalog::{Children, Database, Schema, Supertable, Table, TableOptions};
use embudo_storage::{BatchColumn, Uid};
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use embudo_wire::schemaless::{FieldValue, LineProtocol, Point, TimeUnit, parse_influx_lines, parse_json, parse_series, parse_telnet};
use rustc_hash::FxHashMap;

use super::LineOptions;
use super::cells::{Cells, ordered};
use super::series::{KnownChild, Series, SeriesCache};
use crate::pending::{ChildRows, ChildTarget, DatabaseNumber, Pending, Rows};
use crate::session::StatementContext;

/// What a parser calls with every point.
type AddPoint<'a> = &'a mut dyn FnMut(&Point<'_>) -> Result<()>;

/// What points are read with.
pub(super) struct Reading<'a> {
    /// Where they go.
    pub database: &'a Database,
    /// The time of points that name none, in nanoseconds since 1970.
    pub now: i64,
    /// Ticks that a point may have.
    pub allowed: RangeInclusive<i64>,
    /// Series known from earlier calls.
    pub series: &'a SeriesCache,
    /// The call.
    pub options: &'a LineOptions<'a>,
}

impl Reading<'_> {
    /// Reads a text; the first bad point refuses it.
    pub fn read(&self, text: &str) -> Result<Points> {
        let mut points = Points::default();
        match self.options.protocol {
            LineProtocol::Influx => self.read_influx(text, &mut points)?,
            LineProtocol::Telnet => self.read_points(&mut points, &mut |add| parse_telnet(text, add))?,
            LineProtocol::Json => self.read_points(&mut points, &mut |add| parse_json(text, add))?,
        }
        Ok(points)
    }

    /// Most lines are of children that an earlier line had, in this call or before: those are known by their text.
    fn read_influx(&self, text: &str, points: &mut Points) -> Result<()> {
        let by_text = self.series.of(self.database.id);
        let mut learned = Vec::new();
        {
            // Other names for the same text are not kept.
            let known = self.options.table_name_key.is_none().then(|| by_text.read());
            let mut new: FxHashMap<&str, Place> = FxHashMap::default();
            let mut last: (&str, Place) = ("", Place::default());
            parse_influx_lines(text, self.options.unit, &mut |line| {
                let before = if last.0.is_empty() { None } else { Some(last.1.measure) };
                if line.series != last.0 {
                    let known = known.as_ref().and_then(|known| known.get(line.series)).and_then(|child| points.place_of_child(self.database, child));
                    let place = if let Some(place) = known.or_else(|| new.get(line.series).copied()) {
                        place
                    } else {
                        let place = points.place(self.database, self.series_of(line.series)?)?;
                        learned.extend(points.child_at(place).map(|child| (line.series, child)));
                        new.insert(line.series, place);
                        place
                    };
                    last = (line.series, place);
                }
                let tick = self.tick(line.time)?;
                let same_keys = if before == Some(last.1.measure) { line.same_keys } else { 0 };
                points.measures[last.1.measure].add_row(last.1.series, tick, &line.fields, same_keys)
            })?;
        }
        if self.options.table_name_key.is_none() {
            self.series.keep(&by_text, learned);
        }
        Ok(())
    }

    fn series_of(&self, text: &str) -> Result<Series> {
        let mut point = Point::default();
        parse_series(text, &mut point)?;
        Series::of(&point, self.options.table_name_key)
    }

    /// The same for points that are no lines: their measurement and tags, written out, are the text that they are known by.
    fn read_points(&self, points: &mut Points, parse: &mut dyn FnMut(AddPoint<'_>) -> Result<()>) -> Result<()> {
        let by_text = self.series.of(self.database.id);
        let mut new: FxHashMap<Box<str>, (Place, Option<KnownChild>)> = FxHashMap::default();
        {
            // Other names for the same text are not kept.
            let known = self.options.table_name_key.is_none().then(|| by_text.read());
            let mut text = String::new();
            parse(&mut |point| {
                write_series(point, &mut text);
                let child = known.as_ref().and_then(|known| known.get(text.as_str()));
                let known = child.and_then(|child| points.place_of_child(self.database, child));
                let place = if let Some(place) = known.or_else(|| new.get(text.as_str()).map(|found| found.0)) {
                    place
                } else {
                    let place = points.place(self.database, Series::of(point, self.options.table_name_key)?)?;
                    new.insert(text.as_str().into(), (place, points.child_at(place)));
                    place
                };
                points.measures[place.measure].add_row(place.series, self.tick(point.time)?, &point.fields, 0)
            })?;
        }
        if self.options.table_name_key.is_none() {
            let learned = new.iter().filter_map(|(text, (_, child))| child.map(|child| (&**text, child))).collect();
            self.series.keep(&by_text, learned);
        }
        Ok(())
    }

    /// A point's time in ticks of the database.
    fn tick(&self, time: Option<(i64, TimeUnit)>) -> Result<i64> {
        let precision = self.database.precision();
        let Some((count, unit)) = time else { return Ok(Precision::Nano.convert(self.now, precision)) };
        let out_of_range = || Error::new(code::TIMESTAMP_DATA_OUT_OF_RANGE);
        match unit.ticks(count, precision).ok_or_else(out_of_range)? {
            ..=0 => Err(Error::new(code::INVALID_TIMESTAMP_FORMAT)),
            tick if self.allowed.contains(&tick) => Ok(tick),
            _ => Err(out_of_range()),
        }
    }
}

/// A point's measurement, also as it was written, and tags as a text that no other point has, and no line either.
fn write_series(point: &Point<'_>, text: &mut String) {
    text.clear();
    text.push('\0');
    // Quoted and escaped; writing to a text does not fail.
    let _ = write!(text, "{:?} {:?}", point.measurement, point.measurement_text);
    for (tag, value) in &point.tags {
        let _ = write!(text, " {tag:?} {value:?}");
    }
}

/// Where a series' rows are gathered.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    measure: usize,
    series: u32,
}

/// All points of a call.
#[derive(Debug, Default)]
pub(super) struct Points {
    pub measures: Vec<Measure>,
    by_name: FxHashMap<Arc<str>, usize>,
    by_uid: FxHashMap<Uid, usize>,
}

impl Points {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.measures.iter().map(|measure| measure.timestamps.len() as u64).sum()
    }

    fn place(&mut self, database: &Database, series: Series) -> Result<Place> {
        let measure = match self.by_name.get(&series.measurement) {
            Some(found) => *found,
            None => self.add_measure(series.measurement.clone(), database.table(&series.measurement))?,
        };
        Ok(Place { measure, series: self.measures[measure].add_series(database, series)? })
    }

    /// Where rows of a child are gathered that an earlier call came to know; nothing if it, or its supertable's schema, is another now.
    fn place_of_child(&mut self, database: &Database, child: &KnownChild) -> Option<Place> {
        let measure = if let Some(found) = self.by_uid.get(&child.supertable) {
            *found
        } else {
            let supertable = database.supertable(child.supertable)?;
            self.add_measure(supertable.name.clone(), Some(Table::Super(supertable))).ok()?
        };
        Some(Place { measure, series: self.measures[measure].series_of_child(child)? })
    }

    /// The child of a place, if it is there already.
    fn child_at(&self, place: Place) -> Option<KnownChild> {
        let measure = &self.measures[place.measure];
        let known = measure.known.as_ref()?;
        let Gathered::Child { slot, uid } = measure.series[place.series as usize] else { return None };
        Some(KnownChild { supertable: known.supertable.uid, schema_version: known.schema.version, slot, uid })
    }

    fn add_measure(&mut self, name: Arc<str>, table: Option<Table>) -> Result<usize> {
        let number = self.measures.len();
        let measure = Measure::new(name.clone(), table)?;
        self.by_uid.extend(measure.known.as_ref().map(|known| (known.supertable.uid, number)));
        self.by_name.insert(name, number);
        self.measures.push(measure);
        Ok(number)
    }

    /// Hands all rows over; the supertables have what they need.
    pub fn add_to(self, context: &StatementContext<'_>, pending: &mut Pending, number: DatabaseNumber, database: &Database, ttl: u32) -> Result<()> {
        self.measures.into_iter().try_for_each(|measure| measure.add_to(context, pending, number, database, ttl))
    }
}

/// A supertable that is there.
#[derive(Debug)]
pub(super) struct KnownTable {
    pub supertable: Arc<Supertable>,
    pub schema: Arc<Schema>,
    children: Children,
}

/// A child whose rows are gathered.
#[derive(Debug)]
enum Gathered {
    /// One that is there.
    Child { slot: u32, uid: Uid },
    /// One that may have to be made.
    Named(Series),
}

/// The points of one supertable.
#[derive(Debug)]
pub(super) struct Measure {
    /// The supertable's name.
    pub name: Arc<str>,
    /// The supertable when the first point was read; `None` while it is missing.
    pub known: Option<KnownTable>,
    /// Columns that points name, in the order in which they first come.
    pub columns: Vec<(Box<str>, Cells)>,
    /// Tags that points name, with the length of the longest value in bytes.
    pub tags: Vec<(Box<str>, DataType)>,
    column_of: FxHashMap<Box<str>, usize>,
    /// Columns of the last point, by their place in it: the next is likely to be the same.
    layout: Vec<usize>,
    series: Vec<Gathered>,
    by_name: FxHashMap<Arc<str>, u32>,
    by_slot: FxHashMap<u32, u32>,
    timestamps: Vec<i64>,
    /// The series of every row.
    rows: Vec<u32>,
}

impl Measure {
    fn new(name: Arc<str>, table: Option<Table>) -> Result<Self> {
        let known = table.map(|table| known_table(&table)).transpose()?;
        Ok(Self {
            name,
            known,
            columns: Vec::new(),
            tags: Vec::new(),
            column_of: FxHashMap::default(),
            layout: Vec::new(),
            series: Vec::new(),
            by_name: FxHashMap::default(),
            by_slot: FxHashMap::default(),
            timestamps: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// The number of a child's series, if the child and the schema are still those.
    fn series_of_child(&mut self, child: &KnownChild) -> Option<u32> {
        let known = self.known.as_ref()?;
        if known.schema.version != child.schema_version {
            return None;
        }
        if let Some(number) = self.by_slot.get(&child.slot) {
            return Some(*number);
        }
        known.children.holds(child.slot, child.uid).then(|| self.add_child(child.slot, child.uid))
    }

    fn add_child(&mut self, slot: u32, uid: Uid) -> u32 {
        let next = self.series.len() as u32;
        let number = *self.by_slot.entry(slot).or_insert(next);
        if number == next {
            self.series.push(Gathered::Child { slot, uid });
        }
        number
    }

    /// The number of a series. Its tags become the supertable's.
    fn add_series(&mut self, database: &Database, series: Series) -> Result<u32> {
        for (place, (key, value)) in series.tags.iter().enumerate() {
            let is_expected = |tag: &(Box<str>, DataType)| tag.0 == *key;
            let data_type = type_of_tag(value);
            let at = if self.tags.get(place).is_some_and(is_expected) { Some(place) } else { self.tags.iter().position(is_expected) };
            let Some(at) = at else {
                self.add_tag(key, data_type)?;
                continue;
            };
            let tag = &mut self.tags[at].1;
            if tag.id() != data_type.id() {
                return Err(Error::new(code::NOT_THE_SAME_TYPE_LIKE_BEFORE));
            }
            if data_type.length() > tag.length() {
                *tag = data_type;
            }
        }
        if let Some(known) = &self.known
            && let Some(Table::Child(child)) = database.table(&series.child)
            && child.supertable.uid == known.supertable.uid
            && known.children.holds(child.slot, child.uid)
        {
            return Ok(self.add_child(child.slot, child.uid));
        }
        let next = self.series.len() as u32;
        let number = *self.by_name.entry(series.child.clone()).or_insert(next);
        if number == next {
            self.series.push(Gathered::Named(series));
        }
        Ok(number)
    }

    fn add_tag(&mut self, key: &str, data_type: DataType) -> Result<()> {
        if self.column_of.contains_key(key) {
            return Err(duplicate());
        }
        if let Some(known) = &self.known {
            check_tag(&known.schema, key, data_type)?;
        }
        self.tags.push((key.into(), data_type));
        Ok(())
    }

    /// Adds a row; the first `same_keys` of its fields are called as those of the row before.
    fn add_row(&mut self, series: u32, tick: i64, fields: &[(std::borrow::Cow<'_, str>, FieldValue<'_>)], same_keys: usize) -> Result<()> {
        let row = self.timestamps.len();
        for (place, (key, value)) in fields.iter().enumerate() {
            let at = match self.layout.get(place) {
                Some(at) if place < same_keys || *self.columns[*at].0 == **key => *at,
                _ => self.column_at(place, key, value)?,
            };
            let cells = &mut self.columns[at].1;
            if cells.len() > row {
                return Err(duplicate());
            }
            cells.pad(row);
            cells.push(value)?;
        }
        self.timestamps.push(tick);
        self.rows.push(series);
        Ok(())
    }

    /// The column of a key, and a new one where there is none.
    fn column_at(&mut self, place: usize, key: &str, value: &FieldValue<'_>) -> Result<usize> {
        let known = self.column_of.get(key).copied();
        let at = known.map_or_else(|| self.add_column(key, value), Ok)?;
        if let Some(expected) = self.layout.get_mut(place) {
            *expected = at;
        } else if place == self.layout.len() {
            self.layout.push(at);
        }
        Ok(at)
    }

    fn add_column(&mut self, key: &str, value: &FieldValue<'_>) -> Result<usize> {
        let cells = Cells::new(value);
        if self.tags.iter().any(|(tag, _)| **tag == *key) {
            return Err(duplicate());
        }
        if let Some(known) = &self.known {
            check_column(&known.schema, key, cells.data_type())?;
        }
        self.columns.push((key.into(), cells));
        self.column_of.insert(key.into(), self.columns.len() - 1);
        Ok(self.columns.len() - 1)
    }

    fn add_to(self, context: &StatementContext<'_>, pending: &mut Pending, number: DatabaseNumber, database: &Database, ttl: u32) -> Result<()> {
        let changed = || Error::new(code::TABLE_SCHEMA_IS_OLD);
        let Some(Table::Super(supertable)) = database.table(&self.name) else { return Err(changed()) };
        let schema = supertable.schema();
        let (order, ranges) = by_series(&self.rows, self.series.len());
        let order = order.as_deref();
        let rows = self.timestamps.len();
        let timestamps = ScalarBuffer::from(ordered(self.timestamps, order));
        let mut columns = Vec::with_capacity(self.columns.len());
        for (name, mut cells) in self.columns {
            let column = schema.column(&name).map(|at| &schema.columns[at]).filter(|column| column.data_type.id() == cells.data_type().id());
            cells.pad(rows);
            let (array, present) = cells.finish(order)?;
            columns.push(BatchColumn { id: column.ok_or_else(changed)?.id, array, present });
        }
        let runs = self.series.into_iter().zip(ranges);
        let runs = runs.map(|(series, range)| Ok((target_of(database, &supertable, &schema, series)?, range.len() as u32))).collect::<Result<_>>()?;
        let options = TableOptions { ttl, ..TableOptions::default() };
        pending.add_children(context, number, ChildRows { supertable, schema, options, runs, rows: Rows { timestamps, key: None, columns } })
    }
}

/// 0x021D: a name twice in a point.
pub(super) fn duplicate() -> Error {
    Error::new(code::DUPLICATED_COLUMN_NAMES)
}

/// A table that points may go to: a supertable without a composite key.
fn known_table(table: &Table) -> Result<KnownTable> {
    schema_of(table)?;
    let Table::Super(supertable) = table else { return Err(Error::new(code::INVALID_DATA_FORMAT)) };
    let children = supertable.children();
    Ok(KnownTable { supertable: supertable.clone(), schema: children.schema().clone(), children })
}

/// The schema of a table that points may go to: a supertable without a composite key.
pub(super) fn schema_of(table: &Table) -> Result<Arc<Schema>> {
    let Table::Super(supertable) = table else {
        return Err(Error::with(code::INVALID_DATA_FORMAT, format!("measurement {} is the name of a table that is no supertable", table.name())));
    };
    let schema = supertable.schema();
    if schema.key().is_some() {
        return Err(Error::new(code::CAN_NOT_INSERT_DATA_INTO_TABLE));
    }
    Ok(schema)
}

/// The place of a column in a schema: 0x3002 where it is there with another type.
pub(super) fn check_column(schema: &Schema, name: &str, data_type: DataType) -> Result<Option<usize>> {
    if schema.tag(name).is_some() {
        return Err(duplicate());
    }
    of_type(schema.column(name).map(|at| (at, schema.columns[at].data_type)), data_type)
}

/// The same of a tag.
pub(super) fn check_tag(schema: &Schema, name: &str, data_type: DataType) -> Result<Option<usize>> {
    if schema.column(name).is_some() {
        return Err(duplicate());
    }
    of_type(schema.tag(name).map(|at| (at, schema.tags[at].data_type)), data_type)
}

fn of_type(found: Option<(usize, DataType)>, data_type: DataType) -> Result<Option<usize>> {
    match found {
        Some((_, there)) if there.id() != data_type.id() => Err(Error::new(code::INVALID_DATA_FORMAT)),
        found => Ok(found.map(|(at, _)| at)),
    }
}

/// A tag's type, lengths in bytes.
fn type_of_tag(value: &Value) -> DataType {
    match value {
        Value::NChar(text) => DataType::NChar(text.len() as u32),
        value => value.data_type(),
    }
}

/// Rows in the order of their series (`None` where they are), and where each series' rows are then.
fn by_series(rows: &[u32], count: usize) -> (Option<Vec<u32>>, Vec<Range<usize>>) {
    let mut ends = vec![0; count];
    for series in rows {
        ends[*series as usize] += 1;
    }
    let mut start = 0;
    let ranges: Vec<Range<usize>> = ends
        .iter()
        .map(|length| {
            start += length;
            start - length..start
        })
        .collect();
    if rows.is_sorted() {
        return (None, ranges);
    }
    let mut next: Vec<usize> = ranges.iter().map(|range| range.start).collect();
    let mut order = vec![0; rows.len()];
    for (row, series) in rows.iter().enumerate() {
        let next = &mut next[*series as usize];
        order[*next] = row as u32;
        *next += 1;
    }
    (Some(order), ranges)
}

/// Where a series' rows go.
fn target_of(database: &Database, supertable: &Supertable, schema: &Schema, series: Gathered) -> Result<ChildTarget> {
    let series = match series {
        Gathered::Child { slot, uid } => return Ok(ChildTarget::Known { slot, uid }),
        Gathered::Named(series) => series,
    };
    match database.table(&series.child) {
        Some(Table::Child(child)) if child.supertable.uid == supertable.uid => Ok(ChildTarget::Known { slot: child.slot, uid: child.uid }),
        Some(Table::Child(_)) => Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES)),
        Some(_) => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
        None => {
            let mut tags = vec![Value::Null; schema.tags.len()];
            for (key, value) in series.tags {
                let at = schema.tag(&key).ok_or_else(|| Error::new(code::TABLE_SCHEMA_IS_OLD))?;
                tags[at] = value;
            }
            Ok(ChildTarget::New { name: series.child, tags })
        }
    }
}
