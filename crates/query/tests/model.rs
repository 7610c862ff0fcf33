//! Queries against a model that looks at one row at a time: windows, fills, groups, orders and limits, over rows that came late,
//! twice and out of order, flushed and not, on one thread and on two.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "model/analysis.rs"]
mod analysis;
#[path = "model/budget.rs"]
mod budget;
#[path = "model/joins.rs"]
mod joins;
#[path = "model/pushdown.rs"]
mod pushdown;
#[path = "model/stopping.rs"]
mod stopping;
#[path = "model/time_slices.rs"]
mod time_slices;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use arrow_array::Int64Array;
use embudo_catalog::{Catalog, CatalogOptions, Column, DatabaseOptions, NewChild, TableOptions};
use embudo_query::{CancelToken, QueryContext};
use embudo_sql::ast::Statement;
use embudo_storage::vfs::MemoryVfs;
use embudo_storage::{BatchColumn, ColumnBatch, Entry, Scheduler, SystemClock};
use embudo_types::{DataType, Result, Value, Zone, arrow};
use proptest::prelude::*;

const TABLES: usize = 3;

/// A database `d` with a supertable `s` (ts, v) and children `t0` to `t2`, tag `g` = child modulo 2.
struct Fixture {
    catalog: Arc<Catalog>,
    uids: Vec<u64>,
}

/// One INSERT: rows of one child.
type Insert = (usize, Vec<(i64, Option<i64>)>);

impl Fixture {
    fn new() -> Self {
        Self::with_children(TABLES)
    }

    /// The same with so many children.
    fn with_children(children: usize) -> Self {
        let catalog = Catalog::open(CatalogOptions {
            vfs: Arc::new(MemoryVfs::new()),
            clock: Arc::new(SystemClock::new()),
            scheduler: Scheduler::new(1),
            directory: Path::new("/memory").into(),
            in_memory: true,
            read_only: false,
            memory_limit: 256 << 20,
        })
        .unwrap();
        // Rows are of 1970.
        let mut options = DatabaseOptions::default();
        options.set_keep(&[365_000 * 1_440]).unwrap();
        let database = catalog.create_database("d", options).unwrap();
        let columns = vec![Column::new(0, "ts", DataType::Timestamp), Column::new(0, "v", DataType::BigInt)];
        let mut changing = database.changing();
        changing.create_supertable("s", columns, vec![Column::tag(0, "g", DataType::Int)], TableOptions::default()).unwrap();
        changing.commit(Vec::new()).unwrap();
        let supertable = database.supertables().remove(0);
        let mut uids = Vec::new();
        for table in 0..children {
            let mut changing = database.changing();
            let made = changing.create_child(&format!("t{table}"), &supertable, vec![Value::Int((table % 2) as i32)], TableOptions::default()).unwrap();
            changing.commit(Vec::new()).unwrap();
            let (NewChild::Made(uid) | NewChild::Existing(uid)) = made;
            uids.push(uid);
        }
        Self { catalog, uids }
    }

    fn insert(&self, (table, rows): &Insert) {
        let database = self.catalog.database("d").unwrap();
        let batch = ColumnBatch {
            uid: self.uids[*table],
            schema_version: 1,
            timestamps: rows.iter().map(|row| row.0).collect(),
            key: None,
            columns: vec![BatchColumn { id: 2, array: Arc::new(rows.iter().map(|row| row.1).collect::<Int64Array>()), present: None }],
        };
        database.store().append(vec![Entry::Rows(batch)]).unwrap();
    }

    fn flush(&self) {
        self.catalog.database("d").unwrap().store().flush().unwrap();
    }

    fn context(&self, threads: usize) -> QueryContext {
        QueryContext {
            catalog: Arc::clone(&self.catalog),
            system: Arc::new(()),
            database: Some("d".into()),
            zone: Zone::utc(),
            now: 0,
            access: Arc::new(()),
            view_depth: 0,
            parameters: Arc::from([]),
            memory: Arc::new(embudo_query::MemoryBudget::unlimited()),
            cancel: CancelToken::new(),
            analysis: None,
            scheduler: Scheduler::new(threads),
        }
    }

    fn query(&self, sql: &str, threads: usize) -> Result<Vec<Vec<Option<i64>>>> {
        Self::ask(sql, &Arc::new(self.context(threads)))
    }

    fn ask(sql: &str, context: &Arc<QueryContext>) -> Result<Vec<Vec<Option<i64>>>> {
        let Statement::Query(query) = embudo_sql::parse(sql)? else { panic!("{sql} is no query") };
        let result = embudo_query::execute(&query, context)?;
        let types: Vec<DataType> = result.schema.fields().iter().map(|field| arrow::data_type(field).unwrap()).collect();
        let mut rows = Vec::new();
        for batch in result.collect()? {
            for row in 0..batch.num_rows() {
                rows.push(
                    types
                        .iter()
                        .zip(batch.columns())
                        .map(|(data_type, column)| match embudo_expr::value_at(column, *data_type, row) {
                            Value::BigInt(value) | Value::Timestamp(value) => Some(value),
                            Value::Int(value) => Some(value.into()),
                            Value::Bool(value) => Some(value.into()),
                            Value::Double(value) => Some(value as i64),
                            // A child's name stands for its number.
                            Value::Varchar(name) => std::str::from_utf8(&name[1..]).unwrap().parse().ok(),
                            _ => None,
                        })
                        .collect(),
                );
            }
        }
        Ok(rows)
    }

    /// The answer, which one and two threads must give alike.
    fn answer(&self, sql: &str) -> Vec<Vec<Option<i64>>> {
        let one = self.query(sql, 1).unwrap_or_else(|error| panic!("{sql}: {error}"));
        let two = self.query(sql, 2).unwrap();
        assert_eq!(one, two, "{sql}");
        one
    }
}

/// Rows by child and time.
type Model = BTreeMap<(usize, i64), Option<i64>>;

/// Count, sum, min, max, first, last of rows in the order of time, of children where times are equal.
fn aggregates(rows: &[(i64, Option<i64>)]) -> Vec<Option<i64>> {
    let values: Vec<i64> = rows.iter().filter_map(|row| row.1).collect();
    let of = |row: Option<&(i64, Option<i64>)>| row.and_then(|row| row.1);
    let first = rows.iter().filter(|row| row.1.is_some()).min_by_key(|row| row.0);
    // Of equal times the first counts.
    let last = rows.iter().filter(|row| row.1.is_some()).rev().max_by_key(|row| row.0);
    vec![Some(rows.len() as i64), values.iter().copied().reduce(|a, b| a + b), values.iter().min().copied(), values.iter().max().copied(), of(first), of(last)]
}

const LIST: &str = "COUNT(*), SUM(v), MIN(v), MAX(v), FIRST(v), LAST(v)";

fn with(head: &[i64], tail: Vec<Option<i64>>) -> Vec<Option<i64>> {
    head.iter().map(|value| Some(*value)).chain(tail).collect()
}

fn sorted(mut rows: Vec<Vec<Option<i64>>>) -> Vec<Vec<Option<i64>>> {
    rows.sort();
    rows
}

fn inserts() -> impl Strategy<Value = Vec<Insert>> {
    let rows = prop::collection::vec((0_i64..400, prop::option::weighted(0.8, -5_i64..6)), 1..60);
    prop::collection::vec((0..TABLES, rows), 0..7)
}

fn filled(inserts: &[Insert], flushes: &[bool]) -> (Fixture, Model) {
    let (fixture, mut model) = (Fixture::new(), Model::new());
    for (place, insert) in inserts.iter().enumerate() {
        fixture.insert(insert);
        model.extend(insert.1.iter().map(|(tick, value)| ((insert.0, *tick), *value)));
        if flushes[place % flushes.len()] {
            fixture.flush();
        }
    }
    (fixture, model)
}

/// Rows of some children in a range, in the order of time.
fn rows_of(model: &Model, table: impl Fn(usize) -> bool, range: std::ops::Range<i64>) -> Vec<(i64, Option<i64>)> {
    let mut rows: Vec<(i64, Option<i64>)> =
        model.iter().filter(|((t, tick), _)| table(*t) && range.contains(tick)).map(|((_, tick), value)| (*tick, *value)).collect();
    rows.sort_by_key(|row| row.0);
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn intervals(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), length in 1_i64..90, overlap in 1_i64..4, offset in 0_i64..90, from in 0_i64..200, span in 1_i64..300) {
        let (fixture, model) = filled(&inserts, &flushes);
        let (step, offset, range) = ((length / overlap).max(1), offset % length, from..from + span);
        let windows = |rows: &[(i64, Option<i64>)], head: &[i64]| {
            let mut expected = Vec::new();
            let mut start = (range.start - length - offset).div_euclid(step) * step + offset;
            while start < range.end {
                let inside: Vec<_> = rows.iter().copied().filter(|row| start <= row.0 && row.0 < start + length).collect();
                if !inside.is_empty() {
                    let head: Vec<i64> = head.iter().copied().chain([start, start + length]).collect();
                    expected.push(with(&head, aggregates(&inside)));
                }
                start += step;
            }
            expected
        };
        let clause = format!("WHERE ts >= {} AND ts < {}", range.start, range.end);
        let window = format!("INTERVAL({length}a, {offset}a) SLIDING({step}a)");
        let all = rows_of(&model, |_| true, range.clone());
        prop_assert_eq!(fixture.answer(&format!("SELECT _wstart, _wend, {LIST} FROM s {clause} {window}")), windows(&all, &[]));
        if offset == 0 && step == length {
            let mut newest = windows(&all, &[]);
            newest.reverse();
            newest.truncate(3);
            prop_assert_eq!(fixture.answer(&format!("SELECT _wstart, _wend, {LIST} FROM s {clause} INTERVAL({length}a) ORDER BY _wstart DESC LIMIT 3")), newest);
        }
        let mut by_table = Vec::new();
        for table in 0..TABLES {
            by_table.extend(windows(&rows_of(&model, |t| t == table, range.clone()), &[table as i64]));
        }
        prop_assert_eq!(fixture.answer(&format!("SELECT tbname, _wstart, _wend, {LIST} FROM s {clause} PARTITION BY tbname {window}")), by_table);
        let mut by_tag = Vec::new();
        for tag in 0..2 {
            by_tag.extend(windows(&rows_of(&model, |t| t % 2 == tag, range.clone()), &[tag as i64]));
        }
        prop_assert_eq!(sorted(fixture.answer(&format!("SELECT g, _wstart, _wend, {LIST} FROM s {clause} PARTITION BY g {window}"))), by_tag);
    }

    #[test]
    fn fills(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), length in 5_i64..90, from in 0_i64..200, span in 1_i64..300) {
        let (fixture, model) = filled(&inserts, &flushes);
        let rows = rows_of(&model, |_| true, from..from + span);
        let mut windows: Vec<(i64, Option<Option<i64>>)> = Vec::new();
        let mut start = from.div_euclid(length) * length;
        while start < from + span {
            let inside: Vec<_> = rows.iter().copied().filter(|row| start <= row.0 && row.0 < start + length).collect();
            windows.push((start, (!inside.is_empty()).then(|| aggregates(&inside)[1])));
            start += length;
        }
        let expect = |value: &dyn Fn(usize) -> Option<i64>| -> Vec<Vec<Option<i64>>> {
            if rows.is_empty() { Vec::new() } else { windows.iter().enumerate().map(|(place, window)| vec![Some(window.0), value(place)]).collect() }
        };
        let ask = |mode: &str| fixture.answer(&format!("SELECT _wstart, SUM(v) FROM s WHERE ts >= {from} AND ts < {} INTERVAL({length}a) FILL({mode})", from + span));
        let known = |place: usize| windows[place].1.flatten();
        prop_assert_eq!(ask("NULL"), expect(&known));
        prop_assert_eq!(ask("VALUE, 7"), expect(&|place| known(place).or(Some(7))));
        prop_assert_eq!(ask("PREV"), expect(&|place| (0..=place).rev().find_map(known)));
        prop_assert_eq!(ask("NEXT"), expect(&|place| (place..windows.len()).find_map(known)));
    }

    #[test]
    fn windows_of_rows(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), gap in 1_i64..30, count in 2_i64..9, step in 1_i64..9) {
        let (fixture, model) = filled(&inserts, &flushes);
        let step = step.min(count);
        let (mut sessions, mut counts, mut states, mut events) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for table in 0..TABLES {
            let rows = rows_of(&model, |t| t == table, 0..1_000);
            let bounds = |rows: &[(i64, Option<i64>)]| with(&[table as i64, rows[0].0, rows[rows.len() - 1].0], aggregates(rows));
            let mut start = 0;
            for row in 0..rows.len() {
                if row + 1 == rows.len() || rows[row + 1].0 - rows[row].0 > gap {
                    sessions.push(bounds(&rows[start..=row]));
                    start = row + 1;
                }
            }
            for start in (0..rows.len()).step_by(step as usize) {
                counts.push(bounds(&rows[start..rows.len().min(start + count as usize)]));
            }
            let valued: Vec<_> = rows.iter().copied().filter(|row| row.1.is_some()).collect();
            for same in valued.chunk_by(|a, b| a.1 == b.1) {
                states.push(bounds(same));
            }
            if let (Some(last), Some(end), Some(row)) = (states.last_mut(), rows.last(), valued.last()) {
                // NULLs stretch the last state.
                if last[0] == Some(table as i64) && end.0 > row.0 { last[2] = Some(end.0); }
            }
            if valued.is_empty() && !rows.is_empty() {
                states.push(with(&[table as i64, 0, 0], aggregates(&[])));
            }
            let mut open: Option<usize> = None;
            for row in 0..rows.len() {
                if open.is_none() && rows[row].1.is_some_and(|value| value > 1) { open = Some(row); }
                if let Some(start) = open && rows[row].1.is_some_and(|value| value < 0 || value == 3) {
                    events.push(bounds(&rows[start..=row]));
                    open = None;
                }
            }
        }
        let ask = |window: &str| fixture.answer(&format!("SELECT tbname, _wstart, _wend, {LIST} FROM s PARTITION BY tbname {window}"));
        prop_assert_eq!(ask(&format!("SESSION(ts, {gap}a)")), sessions);
        prop_assert_eq!(ask(&format!("COUNT_WINDOW({count}, {step})")), counts);
        prop_assert_eq!(ask("STATE_WINDOW(v)"), states);
        prop_assert_eq!(ask("EVENT_WINDOW START WITH v > 1 END WITH v < 0 OR v = 3"), events);
    }

    #[test]
    fn groups_orders_and_limits(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), limit in 0_usize..20, offset in 0_usize..10, least in -5_i64..6) {
        let (fixture, model) = filled(&inserts, &flushes);
        let rows = rows_of(&model, |_| true, 0..1_000);
        let mut groups: BTreeMap<Option<i64>, Vec<(i64, Option<i64>)>> = BTreeMap::new();
        for row in &rows {
            groups.entry(row.1).or_default().push(*row);
        }
        let by_value: Vec<_> = groups.iter().map(|(value, rows)| [*value].into_iter().chain(aggregates(rows)).collect::<Vec<_>>()).collect();
        prop_assert_eq!(fixture.answer(&format!("SELECT v, {LIST} FROM s GROUP BY v ORDER BY v")), by_value);
        let distinct: Vec<_> = groups.keys().map(|value| vec![*value]).collect();
        prop_assert_eq!(fixture.answer("SELECT DISTINCT v FROM s ORDER BY v"), distinct);
        let all: Vec<_> = if rows.is_empty() { vec![vec![Some(0), None, None, None, None, None]] } else { vec![aggregates(&rows)] };
        prop_assert_eq!(fixture.answer(&format!("SELECT {LIST} FROM s")), all);
        let above: Vec<_> = rows.iter().copied().filter(|row| row.1.is_some_and(|value| value >= least)).collect();
        let filtered = if above.is_empty() { vec![vec![Some(0), None, None, None, None, None]] } else { vec![aggregates(&above)] };
        prop_assert_eq!(fixture.answer(&format!("SELECT {LIST} FROM s WHERE v >= {least}")), filtered);
        let ticks: Vec<Vec<Option<i64>>> = above.iter().map(|row| vec![Some(row.0)]).collect();
        let page = |ticks: Vec<Vec<Option<i64>>>| ticks.into_iter().skip(offset).take(limit).collect::<Vec<_>>();
        prop_assert_eq!(fixture.answer(&format!("SELECT ts FROM s WHERE v >= {least} ORDER BY ts LIMIT {limit} OFFSET {offset}")), page(ticks.clone()));
        prop_assert_eq!(fixture.answer(&format!("SELECT ts FROM s WHERE v >= {least} ORDER BY ts DESC LIMIT {limit} OFFSET {offset}")), page(ticks.into_iter().rev().collect()));
        let mut by_table = Vec::new();
        for table in 0..TABLES {
            by_table.extend(rows_of(&model, |t| t == table, 0..1_000).into_iter().skip(offset).take(limit).map(|row| vec![Some(table as i64), Some(row.0), row.1]));
        }
        prop_assert_eq!(fixture.answer(&format!("SELECT tbname, ts, v FROM s PARTITION BY tbname LIMIT {limit} OFFSET {offset}")), by_table);
        let mut last = Vec::new();
        for table in 0..TABLES {
            let rows = rows_of(&model, |t| t == table, 0..1_000);
            if let Some(row) = rows.last() {
                let valued = rows.iter().rev().find_map(|row| row.1);
                last.push(vec![Some(table as i64), Some(row.0), row.1, valued]);
            }
        }
        prop_assert_eq!(fixture.answer("SELECT tbname, LAST_ROW(ts), LAST_ROW(v), LAST(v) FROM s PARTITION BY tbname"), last);
    }
}

#[test]
fn a_cancelled_query_stops() {
    let fixture = Fixture::new();
    fixture.insert(&(0, vec![(1, Some(1)), (2, None)]));
    let context = Arc::new(fixture.context(1));
    context.cancel.cancel();
    let Statement::Query(query) = embudo_sql::parse("SELECT * FROM s").unwrap() else { panic!("no query") };
    let error = embudo_query::execute(&query, &context).and_then(embudo_types::ResultSet::collect).unwrap_err();
    assert_eq!(error.code(), embudo_types::code::QUERY_TERMINATED);
    assert!(fixture.query("SELECT ts FROM s", 1).unwrap().len() == 2);
}
