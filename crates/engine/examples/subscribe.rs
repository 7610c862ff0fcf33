//! How many rows a second one consumer gets: `cargo run --release -p embudo-engine --example subscribe`.
//! Arguments: millions of rows (default 20), rows a record (default 4096), directory (default: a temporary one). Ten BIGINT metrics, 100 children.

use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use arrow_schema::Schema;
use embudo_engine::{Engine, EngineOptions, Session};
use embudo_types::subscription::{OffsetReset, SubscribeOptions};
use embudo_types::{DataType, Error, Precision, Result, arrow};

const METRICS: usize = 10;
const CHILDREN: usize = 100;

/// Rows of one child from `start` on.
fn batch(start: i64, rows: usize) -> Result<RecordBatch> {
    let ticks: TimestampMillisecondArray = (0..rows as i64).map(|row| Some(1_700_000_000_000 + start + row)).collect();
    let mut state = start as u64 | 1;
    let mut columns: Vec<ArrayRef> = vec![Arc::new(ticks)];
    let mut fields = vec![arrow::field("ts", DataType::Timestamp, Precision::Milli)];
    for metric in 0..METRICS {
        let values: Int64Array = (0..rows)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                Some((state >> 40) as i64 % 1000)
            })
            .collect();
        columns.push(Arc::new(values));
        fields.push(arrow::field(&format!("m{metric}"), DataType::BigInt, Precision::Milli));
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(|error| Error::internal(&error))
}

fn write(session: &Session, total: usize, rows: usize, from: usize) -> Result<()> {
    for record in 0..total / rows {
        let start = (from + record / CHILDREN * rows) as i64;
        session.insert_batches(&format!("c{}", record % CHILDREN), &mut std::iter::once(batch(start, rows)))?;
    }
    Ok(())
}

fn consume(session: &Session, topic: &str, total: usize) -> Result<Duration> {
    let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, ..SubscribeOptions::new("bench", [topic]) };
    let consumer = session.subscribe(options)?;
    let (started, mut rows) = (Instant::now(), 0);
    while rows < total {
        let Some(message) = consumer.poll(Duration::from_secs(10))? else { return Err(Error::internal(format!("{rows} rows of {total}"))) };
        rows += message.rows();
    }
    Ok(started.elapsed())
}

fn report(what: &str, rows: usize, spent: Duration) {
    println!("{what}: {rows} rows in {:.2} s, {:.2} M rows/s", spent.as_secs_f64(), rows as f64 / spent.as_secs_f64() / 1e6);
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| arguments.next().and_then(|text| text.parse().ok()).unwrap_or(default);
    let (millions, rows) = (number(20), number(4_096).max(1));
    let temporary = std::env::temp_dir().join(format!("embudo-subscribe-{}", std::process::id()));
    let directory = std::env::args().nth(3).map_or_else(|| temporary.clone(), Into::into);
    let session = Engine::open(EngineOptions::directory(&directory))?.session("root")?;
    session.execute("CREATE DATABASE bench", &[])?;
    session.use_database("bench")?;
    let metrics: Vec<String> = (0..METRICS).map(|metric| format!("m{metric} BIGINT")).collect();
    session.execute(&format!("CREATE STABLE st (ts TIMESTAMP, {}) TAGS (g INT)", metrics.join(", ")), &[])?;
    for child in 0..CHILDREN {
        session.execute(&format!("CREATE TABLE c{child} USING st TAGS ({child})"), &[])?;
    }
    session.execute("CREATE TOPIC whole AS DATABASE bench", &[])?;
    session.execute("CREATE TOPIC projected AS SELECT ts, m0, m1, g, tbname FROM st", &[])?;
    session.execute("CREATE TOPIC filtered AS SELECT ts, m0 + m1 FROM st WHERE m2 >= 0", &[])?;
    let total = (millions * 1_000_000 / rows / CHILDREN).max(1) * rows * CHILDREN;
    let started = Instant::now();
    write(&session, total, rows, 0)?;
    report("written", total, started.elapsed());
    for topic in ["whole", "projected", "filtered"] {
        report(&format!("from segments, {topic}"), total, consume(&session, topic, total)?);
    }
    // A consumer beside the writer.
    session.execute("CREATE TOPIC beside AS DATABASE bench", &[])?;
    let options = SubscribeOptions::new("bench", ["beside"]);
    let consumer = session.subscribe(options)?;
    let (writer, from) = (session.clone(), total / CHILDREN);
    #[allow(clippy::disallowed_methods, reason = "a program of its own")]
    let writing = std::thread::spawn(move || write(&writer, total, rows, from));
    let (started, mut seen) = (Instant::now(), 0);
    while seen < total {
        let Some(message) = consumer.poll(Duration::from_secs(10))? else { return Err(Error::internal(format!("{seen} rows of {total}"))) };
        seen += message.rows();
    }
    report("beside the writer, whole", total, started.elapsed());
    writing.join().map_err(|_| Error::internal("the writer panicked"))??;
    drop((consumer, session));
    if directory == temporary {
        std::fs::remove_dir_all(&temporary).map_err(|error| Error::io("removing the directory", error))?;
    }
    Ok(())
}
