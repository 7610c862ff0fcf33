//! How fast rows go in: ten BIGINT metrics by prepared statements and by Arrow batches, five columns as SQL text; and what 100,000
//! children cost. `cargo run --release -p embudo-engine --example ingest -- [DIRECTORY [prepared THREADS SECONDS | children COUNT]]` (in memory
//! without one, or with `memory`). `prepared` runs for so long, so that flushes take their share; `children` is in a process of its own, so
//! that their memory can be told.
#![expect(clippy::unwrap_used, reason = "a measurement by the machine's clock that stops at the first error")]

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use embudo_engine::{Engine, EngineOptions, Session};
use embudo_types::{Outcome, Value};

const METRICS: usize = 10;
const CHILDREN: i64 = 100;
const BATCH: i64 = 1_000;
const START: i64 = 1_700_000_000_000;

fn main() {
    let directory = std::env::args().nth(1).filter(|directory| directory != "memory");
    let open = || {
        let options = directory.as_ref().map_or_else(EngineOptions::memory, EngineOptions::directory);
        Engine::open(options).unwrap()
    };
    let engine = open();
    let session = engine.session("root").unwrap();
    run(&session, "CREATE DATABASE IF NOT EXISTS ingest KEEP 36500 DURATION 100");
    run(&session, "USE ingest");
    let metrics = (0..METRICS).map(|at| format!("m{at} BIGINT")).collect::<Vec<_>>().join(", ");
    for table in ["prepared", "batches"] {
        run(&session, &format!("CREATE STABLE {table} (ts TIMESTAMP, {metrics}) TAGS (g INT)"));
    }
    run(&session, "CREATE STABLE sql (ts TIMESTAMP, a INT, b DOUBLE, c BIGINT, d VARCHAR(16)) TAGS (g INT)");

    let arguments: Vec<String> = std::env::args().skip(2).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["prepared", threads, seconds] => return steadily(&session, threads.parse().unwrap(), seconds.parse().unwrap()),
        ["children", count] => {
            children(&session, count.parse().unwrap());
            return close_and_open(engine, session, open, directory.is_some());
        }
        _ => {}
    }
    for threads in [1, 2] {
        measure(&format!("prepared, {threads} threads"), || {
            std::thread::scope(|scope| {
                let workers: Vec<_> = (0..threads)
                    .map(|worker| {
                        scope.spawn({
                            let session = session.clone();
                            move || prepared(&session, worker, |batch| batch < 3_000 / threads)
                        })
                    })
                    .collect();
                workers.into_iter().map(|worker| worker.join().unwrap()).sum()
            })
        });
    }
    measure("Arrow batches of 100 children", || batches(&session, 30));
    measure("SQL text", || text(&session, 1_000));
    children(&session, 100_000);
    close_and_open(engine, session, open, directory.is_some());
}

fn close_and_open(engine: Arc<Engine>, session: Session, open: impl Fn() -> Arc<Engine>, is_kept: bool) {
    let started = Instant::now();
    engine.close().unwrap();
    drop((session, engine));
    println!("close: {:.0} ms", started.elapsed().as_secs_f64() * 1e3);
    if is_kept {
        let (started, before) = (Instant::now(), resident());
        let engine = open();
        let tables = engine.catalog().database("ingest").unwrap().table_count();
        println!("reopen with {tables} tables: {:.0} ms, {} KiB more", started.elapsed().as_secs_f64() * 1e3, resident().saturating_sub(before) / 1024);
    }
}

/// Prepared statements on so many threads for so long; the first second or two have no flush beside them.
fn steadily(session: &Session, threads: i64, seconds: u64) {
    let started = Instant::now();
    let rows: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|worker| scope.spawn(move || prepared(session, worker, |_| started.elapsed().as_secs() < seconds))).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    let figures = session.engine().catalog().database("ingest").unwrap().store().figures();
    println!("prepared, {threads} threads: {rows} rows, {:.2} M rows/s; {figures:?}", rows as f64 / started.elapsed().as_secs_f64() / 1e6);
}

fn run(session: &Session, sql: &str) -> u64 {
    match session.execute(sql, &[]).unwrap().outcome {
        Outcome::Affected(rows) => rows,
        Outcome::Rows(_) => 0,
    }
}

fn measure(what: &str, work: impl FnOnce() -> u64) {
    let started = Instant::now();
    let rows = work();
    let seconds = started.elapsed().as_secs_f64();
    println!("{what}: {rows} rows, {:.2} M rows/s", rows as f64 / seconds / 1e6);
}

fn columns(first: i64, rows: i64) -> Vec<ArrayRef> {
    let ts: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values((0..rows).map(|row| START + (first + row) * 10)));
    let metric = |at: i64| Arc::new(Int64Array::from_iter_values((0..rows).map(|row| (first + row) * (at + 1) % 1_000))) as ArrayRef;
    std::iter::once(ts).chain((0..METRICS as i64).map(metric)).collect()
}

/// Batches of 1,000 rows a child, children in turn, while `goes_on` says so of the next one's number.
fn prepared(session: &Session, worker: i64, goes_on: impl Fn(i64) -> bool) -> u64 {
    let cells = ["?"; METRICS + 1].join(", ");
    let mut statement = session.statement(&format!("INSERT INTO ? USING prepared TAGS (?) VALUES ({cells})")).unwrap();
    let mut rows = 0;
    for batch in (0..).take_while(|batch| goes_on(*batch)) {
        let child = batch % CHILDREN;
        statement.set_table(&format!("p{worker}_{child}")).unwrap();
        statement.set_tags(&[Value::Int(child as i32)]).unwrap();
        statement.bind(&columns(batch / CHILDREN * BATCH, BATCH)).unwrap();
        rows += statement.execute().unwrap();
    }
    rows
}

/// Batches of 100 children with 1,000 rows each, named by a column.
fn batches(session: &Session, batches: i64) -> u64 {
    let names: ArrayRef = Arc::new(StringArray::from_iter_values((0..CHILDREN).flat_map(|child| std::iter::repeat_n(format!("b{child}"), BATCH as usize))));
    let made = (0..batches).map(|batch| {
        let one = columns(batch * BATCH, BATCH);
        let mut fields = vec![("tbname".to_owned(), names.clone())];
        for (at, array) in one.iter().enumerate() {
            let copies: Vec<&dyn arrow_array::Array> = (0..CHILDREN).map(|_| &**array).collect();
            fields.push((if at == 0 { "ts".into() } else { format!("m{}", at - 1) }, repeat(&copies)));
        }
        Ok(RecordBatch::try_from_iter(fields).unwrap())
    });
    session.insert_batches("batches", &mut made.collect::<Vec<_>>().into_iter()).unwrap()
}

fn repeat(arrays: &[&dyn arrow_array::Array]) -> ArrayRef {
    let data: Vec<_> = arrays.iter().map(|array| array.to_data()).collect();
    let mut output = arrow_data::transform::MutableArrayData::new(data.iter().collect(), false, 0);
    for (at, array) in arrays.iter().enumerate() {
        output.try_extend(at, 0, array.len()).unwrap();
    }
    arrow_array::make_array(output.freeze())
}

/// Statements of 1,000 rows of five columns.
fn text(session: &Session, statements: i64) -> u64 {
    let texts: Vec<String> = (0..statements)
        .map(|statement| {
            let mut sql = format!("INSERT INTO t{} USING sql TAGS ({}) VALUES ", statement % CHILDREN, statement % CHILDREN);
            for row in 0..BATCH {
                let at = statement / CHILDREN * BATCH + row;
                write!(sql, "({},{},{}.25,{},'text{}')", START + at * 10, at, at % 100, at * 7, at % 10).unwrap();
            }
            sql
        })
        .collect();
    let started = Instant::now();
    let rows: u64 = texts.iter().map(|sql| run(session, sql)).sum();
    println!("SQL text without making it: {:.2} M rows/s", rows as f64 / started.elapsed().as_secs_f64() / 1e6);
    rows
}

/// CREATE TABLE … USING in statements of 100.
fn children(session: &Session, count: usize) {
    run(session, "CREATE STABLE many (ts TIMESTAMP, a INT) TAGS (hostname VARCHAR(32), region VARCHAR(16), rack INT)");
    let before = resident();
    let started = Instant::now();
    for first in (0..count).step_by(100) {
        let mut sql = "CREATE TABLE".to_owned();
        for child in first..first + 100 {
            write!(sql, " child_{child} USING many TAGS ('host_{child}', 'region_{}', {})", child % 10, child % 100).unwrap();
        }
        run(session, &sql);
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("{count} children: {:.0} /s, {} bytes each", count as f64 / seconds, resident().saturating_sub(before) / count);
    let insert = |first: usize| {
        let mut sql = "INSERT INTO".to_owned();
        for child in first..first + 10_000 {
            write!(sql, " child_{child} VALUES ({START}, {child})").unwrap();
        }
        sql
    };
    let texts: Vec<String> = (0..count).step_by(10_000).map(insert).collect();
    let (started, before) = (Instant::now(), resident());
    let rows: u64 = texts.iter().map(|sql| run(session, sql)).sum();
    let seconds = started.elapsed().as_secs_f64();
    println!("a row each, 10,000 a statement: {:.0} rows/s, {} bytes more each", rows as f64 / seconds, resident().saturating_sub(before) / count);
}

/// Resident bytes of this process.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statm.split_whitespace().nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or(0) * 4096
}
