//! The points of a call, gathered by supertable: cells by column, rows by series. What a column's type or a time forbids is found here,
//! line by line, before anything is written.

use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow_buffer::{BooleanBuffer, ScalarBuffer};
use embudo_catalog::{Database, Schema, Supertable, Table, TableOptions};
use embudo_storage::BatchColumn;
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use embudo_wire::schemaless::{FieldValue, LineProtocol, Point, TimeUnit, parse_influx_lines, parse_json, parse_series, parse_telnet};
use rustc_hash::FxHashMap;

use super::LineOptions;
use super::cells::{Cells, ordered};
use super::series::{Series, SeriesCache};
use crate::pending::{DatabaseNumber, Pending, Rows, Target};
use crate::session::StatementContext;

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
            LineProtocol::Telnet => parse_telnet(text, &mut |point| self.add_point(&mut points, point))?,
            LineProtocol::Json => parse_json(text, &mut |point| self.add_point(&mut points, point))?,
        }
        Ok(points)
    }

    /// Most lines are of series that an earlier line had: those are known by their text.
    fn read_influx(&self, text: &str, points: &mut Points) -> Result<()> {
        let mut known: FxHashMap<&str, Place> = FxHashMap::default();
        let mut last: (&str, Place) = ("", Place::default());
        parse_influx_lines(text, self.options.unit, &mut |line| {
            if line.series != last.0 {
                let place = match known.get(line.series) {
                    Some(place) => *place,
                    None => *known.entry(line.series).or_insert(points.place(self.database, self.series_of(line.series)?)?),
                };
                last = (line.series, place);
            }
            let tick = self.tick(line.time)?;
            points.measures[last.1.measure].add_row(last.1.series, tick, &line.fields)
        })
    }

    fn series_of(&self, text: &str) -> Result<Arc<Series>> {
        let make = || {
            let mut point = Point::default();
            parse_series(text, &mut point)?;
            Series::of(&point, self.options.table_name_key)
        };
        // Other names for the same text are not worth keeping.
        if self.options.table_name_key.is_some() { make().map(Arc::new) } else { self.series.get(text, make) }
    }

    fn add_point(&self, points: &mut Points, point: &Point<'_>) -> Result<()> {
        let series = Series::of(point, self.options.table_name_key)?;
        let place = points.place(self.database, Arc::new(series))?;
        points.measures[place.measure].add_row(place.series, self.tick(point.time)?, &point.fields)
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
}

impl Points {
    /// How many there are.
    pub fn count(&self) -> u64 {
        self.measures.iter().map(|measure| measure.timestamps.len() as u64).sum()
    }

    fn place(&mut self, database: &Database, series: Arc<Series>) -> Result<Place> {
        let measure = if let Some(found) = self.by_name.get(&series.measurement) {
            *found
        } else {
            self.measures.push(Measure::new(database, series.measurement.clone())?);
            self.by_name.insert(series.measurement.clone(), self.measures.len() - 1);
            self.measures.len() - 1
        };
        Ok(Place { measure, series: self.measures[measure].add_series(series)? })
    }

    /// Hands all rows over; the supertables have what they need.
    pub fn add_to(self, context: &StatementContext<'_>, pending: &mut Pending, number: DatabaseNumber, database: &Database, ttl: u32) -> Result<()> {
        self.measures.into_iter().try_for_each(|measure| measure.add_to(context, pending, number, database, ttl))
    }
}

/// The points of one supertable.
#[derive(Debug)]
pub(super) struct Measure {
    /// The supertable's name.
    pub name: Arc<str>,
    /// Its schema when the first point was read; `None` while it is missing.
    pub known: Option<Arc<Schema>>,
    /// Columns that points name, in the order in which they first come.
    pub columns: Vec<(Box<str>, Cells)>,
    /// Tags that points name, with the length of the longest value in bytes.
    pub tags: Vec<(Box<str>, DataType)>,
    column_of: FxHashMap<Box<str>, usize>,
    /// Columns of the last point, by their place in it: the next is likely to be the same.
    layout: Vec<usize>,
    series: Vec<Arc<Series>>,
    series_of: FxHashMap<Arc<str>, u32>,
    timestamps: Vec<i64>,
    /// The series of every row.
    rows: Vec<u32>,
}

impl Measure {
    fn new(database: &Database, name: Arc<str>) -> Result<Self> {
        let known = match database.table(&name) {
            None => None,
            Some(table) => Some(schema_of(&table)?),
        };
        Ok(Self {
            name,
            known,
            columns: Vec::new(),
            tags: Vec::new(),
            column_of: FxHashMap::default(),
            layout: Vec::new(),
            series: Vec::new(),
            series_of: FxHashMap::default(),
            timestamps: Vec::new(),
            rows: Vec::new(),
        })
    }

    /// The number of a series. Its tags become the supertable's.
    fn add_series(&mut self, series: Arc<Series>) -> Result<u32> {
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
        let next = self.series.len() as u32;
        let number = *self.series_of.entry(series.child.clone()).or_insert(next);
        if number == next {
            self.series.push(series);
        }
        Ok(number)
    }

    fn add_tag(&mut self, key: &str, data_type: DataType) -> Result<()> {
        if self.column_of.contains_key(key) {
            return Err(duplicate());
        }
        if let Some(schema) = &self.known {
            check_tag(schema, key, data_type)?;
        }
        self.tags.push((key.into(), data_type));
        Ok(())
    }

    fn add_row(&mut self, series: u32, tick: i64, fields: &[(std::borrow::Cow<'_, str>, FieldValue<'_>)]) -> Result<()> {
        let row = self.timestamps.len();
        for (place, (key, value)) in fields.iter().enumerate() {
            let at = match self.layout.get(place) {
                Some(at) if *self.columns[*at].0 == **key => *at,
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
        if let Some(schema) = &self.known {
            check_column(schema, key, cells.data_type())?;
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
        for (series, range) in self.series.iter().zip(ranges) {
            let target = target_of(pending, number, database, &supertable, &schema, series, ttl)?;
            let table = pending.add_table(context, number, &series.child, target, schema.clone())?;
            let columns = columns.iter().filter_map(|column| part_of(column, &range)).collect();
            pending.add_rows(number, table, Rows { timestamps: timestamps.slice(range.start, range.len()), key: None, columns })?;
        }
        Ok(())
    }
}

/// 0x021D: a name twice in a point.
pub(super) fn duplicate() -> Error {
    Error::new(code::DUPLICATED_COLUMN_NAMES)
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

/// Some rows of a column; `None` where it is absent in all of them.
fn part_of(column: &BatchColumn, range: &Range<usize>) -> Option<BatchColumn> {
    let present = column.present.as_ref().map(|present| present.slice(range.start, range.len()));
    let there = present.as_ref().map_or(range.len(), BooleanBuffer::count_set_bits);
    let present = present.filter(|_| there < range.len());
    (there > 0).then(|| BatchColumn { id: column.id, array: column.array.slice(range.start, range.len()), present })
}

/// Where a series' rows go.
fn target_of(
    pending: &Pending,
    number: DatabaseNumber,
    database: &Database,
    supertable: &Arc<Supertable>,
    schema: &Schema,
    series: &Series,
    ttl: u32,
) -> Result<Target> {
    if pending.known(number, &series.child).is_some() {
        return Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES));
    }
    match database.table(&series.child) {
        Some(Table::Child(child)) if child.supertable.uid == supertable.uid => Ok(Target::Table(Table::Child(child))),
        Some(Table::Child(_)) => Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES)),
        Some(_) => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
        None => {
            let mut tags = vec![Value::Null; schema.tags.len()];
            for (key, value) in &series.tags {
                let at = schema.tag(key).ok_or_else(|| Error::new(code::TABLE_SCHEMA_IS_OLD))?;
                tags[at] = value.clone();
            }
            Ok(Target::New { supertable: supertable.clone(), tags, options: TableOptions { ttl, ..TableOptions::default() } })
        }
    }
}
