//! Measures appends: `cargo run --release -p embudo-storage --example ingest -- DIR [children] [seconds] [batch] [threads]`.
//!
//! Ten BIGINT columns that walk at random, batches of one child each; then reopens the store and scans it.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::Int64Array;
use embudo_storage::{BatchColumn, Clock, ColumnBatch, Entry, ScanRequest, Store, StoreOptions, SystemClock, TimeRange};
use embudo_types::{DataType, Precision};

const COLUMNS: usize = 10;

fn batch(uid: u64, start: i64, rows: usize, state: &mut u64) -> Entry {
    let columns = (0..COLUMNS).map(|column| {
        let mut value = 1000 * column as i64;
        let cells: Int64Array = (0..rows)
            .map(|_| {
                *state ^= *state << 13;
                *state ^= *state >> 7;
                *state ^= *state << 17;
                value += (*state % 21) as i64 - 10;
                Some(value)
            })
            .collect();
        BatchColumn { id: column as u16 + 2, array: Arc::new(cells), present: None }
    });
    let timestamps = (0..rows as i64).map(|row| start + row * 1000).collect();
    Entry::Rows(ColumnBatch { uid, schema_version: 1, timestamps, key: None, columns: columns.collect() })
}

#[expect(clippy::unchecked_time_subtraction, reason = "the clock does not go back")]
fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = arguments.next().ok_or("which directory?")?;
    let mut number = |default: u64| arguments.next().map_or(Ok(default), |text| text.parse());
    let (children, seconds, rows, threads) = (number(100)?, number(10)?, number(1000)? as usize, number(2)?);
    let clock = SystemClock::new();
    let options = || StoreOptions::directory(Path::new(&directory));
    let (store, _) = Store::open(options(), &mut |_, _| Ok(()))?;
    let (total, generating) = (AtomicU64::new(0), AtomicU64::new(0));
    let begin = clock.elapsed();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (store, clock, total, generating) = (&store, &clock, &total, &generating);
            scope.spawn(move || {
                let mut state = thread + 88_172_645_463_325_252;
                // Rows are made beforehand; appending one again under new timestamps costs nothing but the append.
                let made: Vec<Entry> = (0..32).map(|_| batch(0, 0, rows, &mut state)).collect();
                let mut round = 0;
                while (clock.elapsed() - begin).as_secs() < seconds {
                    for child in (0..children).filter(|child| child % threads == thread) {
                        let from = clock.elapsed();
                        let Entry::Rows(template) = &made[(child + round) as usize % made.len()] else { continue };
                        let start = 1_700_000_000_000 + (round * rows as u64 * 1000) as i64;
                        let timestamps = (0..rows as i64).map(|row| start + row * 1000).collect();
                        let entry = Entry::Rows(ColumnBatch { uid: child + 1, timestamps, ..template.clone() });
                        generating.fetch_add((clock.elapsed() - from).as_nanos() as u64, Ordering::Relaxed);
                        if let Err(error) = store.append(vec![entry]) {
                            eprintln!("{error}");
                            return;
                        }
                        total.fetch_add(rows as u64, Ordering::Relaxed);
                    }
                    round += 1;
                }
            });
        }
    });
    let took = clock.elapsed() - begin;
    let rows = total.load(Ordering::Relaxed);
    println!(
        "{rows} rows in {took:.2?}: {:.2} M rows/s (making rows {:.2} s)",
        rows as f64 / took.as_secs_f64() / 1e6,
        generating.load(Ordering::Relaxed) as f64 / 1e9
    );
    println!("{:?}", store.figures());
    let from = clock.elapsed();
    store.flush()?;
    println!("flush of the rest {:.2?}; {:?}", clock.elapsed() - from, store.figures());
    store.close()?;
    drop(store);
    let from = clock.elapsed();
    let (store, recovery) = Store::open(options(), &mut |_, _| Ok(()))?;
    println!("open {:.2?}: {} records", clock.elapsed() - from, recovery.records);
    let from = clock.elapsed();
    let mut found = 0;
    for uid in 1..=children {
        let columns = (0..COLUMNS).map(|column| (column as u16 + 2, DataType::BigInt)).collect();
        let request = ScanRequest { uid, key: None, columns, range: TimeRange::ALL, descending: false, precision: Precision::Milli };
        for piece in store.snapshot().scan(&request)? {
            found += piece?.load(&(0..COLUMNS).collect::<Vec<_>>())?.timestamps.len();
        }
    }
    println!("scan {:.2?}: {found} rows of {rows}", clock.elapsed() - from);
    Ok(())
}
