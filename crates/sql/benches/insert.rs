//! How fast INSERT … VALUES becomes typed columns: `cargo bench -p embudo-sql`. Prints rows per second of processor time per shape of row.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a benchmark measures wall time and stops at the first fault")]

use std::{fmt::Write, sync::Arc, time::Instant};

use arrow_array::ArrayRef;
use embudo_sql::{
    ast::ObjectName,
    insert::{self, ColumnRole, InsertContext, InsertOutcome, InsertSink, Layout, LayoutColumn, TableClause, TagLayout},
};
use embudo_types::{DataType, Precision, Result, Zone};

/// Counts rows of one known table.
struct Counter(Arc<Layout>, usize);

impl InsertSink for Counter {
    fn tags(&mut self, _: &ObjectName, _: &[String]) -> Result<Arc<TagLayout>> {
        Ok(Arc::new(TagLayout { precision: Precision::Milli, tags: Vec::new() }))
    }

    fn layout(&mut self, _: TableClause) -> Result<Arc<Layout>> {
        Ok(self.0.clone())
    }

    fn rows(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<()> {
        self.1 += rows * usize::from(!columns.is_empty());
        Ok(())
    }
}

fn layout(types: &[DataType]) -> Arc<Layout> {
    let column = |(at, data_type): (usize, &DataType)| LayoutColumn {
        name: format!("c{at}"),
        data_type: *data_type,
        role: if at == 0 { ColumnRole::Timestamp } else { ColumnRole::Value },
    };
    Arc::new(Layout { precision: Precision::Milli, supertable: false, keyed: false, columns: types.iter().enumerate().map(column).collect() })
}

/// Processor time of this thread where Linux tells it, so that other work on the machine does not count; else wall time.
fn processor_seconds(start: Instant) -> f64 {
    let own = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = own.as_deref().and_then(|text| text.split(' ').next()).and_then(|text| text.parse::<u64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |nanoseconds| nanoseconds as f64 / 1e9)
}

/// Runs a statement of about 1 MB for a second.
fn measure(name: &str, types: &[DataType], zone: &Zone, row: impl Fn(&mut String, i64)) {
    let mut sql = String::from("INSERT INTO t VALUES ");
    let mut rows = 0;
    while sql.len() < 1_000_000 {
        row(&mut sql, rows);
        rows += 1;
    }
    let context = InsertContext { zone, now: 0, parameters: &[] };
    let mut sink = Counter(layout(types), 0);
    let start = Instant::now();
    let before = processor_seconds(start);
    while start.elapsed().as_secs_f64() < 1.0 {
        let outcome = insert::parse(&sql, &context, &mut sink).expect("the statement is right");
        assert_eq!(outcome, InsertOutcome::Rows(rows as u64));
    }
    let seconds = processor_seconds(start) - before;
    let bytes = sql.len() as f64 / rows as f64;
    println!("{name:32} {:6.2} M rows/s, {bytes:.0} bytes a row, {:.0} MB/s", sink.1 as f64 / seconds / 1e6, sink.1 as f64 * bytes / seconds / 1e6);
}

fn main() {
    let meters = [DataType::Timestamp, DataType::Float, DataType::Int, DataType::Float];
    let utc = Zone::utc();
    measure("ticks, FLOAT, INT, FLOAT", &meters, &utc, |sql, at| {
        let _ = write!(sql, "({},{}.{},{},0.{})", 1_710_000_000_000 + at * 10_000, 10 + at % 5, at % 100, 200 + at % 30, 200 + at % 100);
    });
    measure("time text, FLOAT, INT, FLOAT", &meters, &utc, |sql, at| {
        let _ = write!(
            sql,
            "('2024-03-10 {:02}:{:02}:{:02}.000',{}.{},{},0.{})",
            at / 3600 % 24,
            at / 60 % 60,
            at % 60,
            10 + at % 5,
            at % 100,
            200 + at % 30,
            200 + at % 100
        );
    });
    measure("ticks, three BIGINT", &[DataType::Timestamp, DataType::BigInt, DataType::BigInt, DataType::BigInt], &utc, |sql, at| {
        let _ = write!(sql, "({}, {}, {}, {}) ", 1_710_000_000_000 + at, at, at * 7919, at % 100);
    });
    measure("ticks, two DOUBLE, VARCHAR", &[DataType::Timestamp, DataType::Double, DataType::Double, DataType::Varchar(16)], &utc, |sql, at| {
        let _ = write!(sql, "({}, {}, {}, 'state{}') ", 1_710_000_000_000 + at, at as f64 / 64.0, (at as f64).sqrt(), at % 10);
    });
}
