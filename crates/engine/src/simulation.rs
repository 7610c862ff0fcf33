//! A whole engine on a disk that fails: at every call a power loss or a kill, while rows are written, changed, flushed, merged and dropped,
//! a stream computes, a consumer commits and users are made. After it an engine opens by itself, and goes on as if nothing had been:
//! rows are those that some statement left, the stream's windows are its query's, every row is delivered at least once, also those
//! that come later. `SEED=n` runs one seed at every call, `EMBUDO_SIMULATIONS` that many seeds.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use embudo_storage::vfs::{Fault, SimulatedVfs};
use embudo_storage::{ManualClock, Scheduler};
use embudo_types::subscription::{OffsetReset, SubscribeOptions};
use embudo_types::{Outcome, Result, Zone};

use crate::{Consumer, Engine, Session};

const START: i64 = 1_700_000_000_000;
const STEPS: usize = 50;
/// Runs a seed, spread over its calls.
const POINTS: u64 = 10;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

struct Place {
    engine: Arc<Engine>,
    session: Session,
    clock: Arc<ManualClock>,
    scheduler: Arc<Scheduler>,
}

impl Place {
    fn open(vfs: &SimulatedVfs, seed: u64, minutes: u64) -> Result<Self> {
        let clock = Arc::new(ManualClock::new(START * 1_000_000));
        clock.advance(Duration::from_secs(60 * minutes));
        let scheduler = Scheduler::simulated(seed, clock.clone());
        let engine = Engine::simulated(Arc::new(vfs.clone()), clock.clone(), scheduler.clone())?;
        let session = engine.session("root")?;
        session.set_zone(Zone::utc());
        Ok(Self { engine, session, clock, scheduler })
    }

    fn run(&self, sql: &str) -> Result<()> {
        self.session.execute(sql, &[]).and_then(embudo_types::ResultSet::collect).map(drop)
    }

    /// Background work, and what comes after a while.
    fn rest(&self) {
        self.scheduler.run_pending();
        self.clock.advance(Duration::from_secs(16));
        self.scheduler.run_pending();
    }

    fn numbers(&self, sql: &str) -> Vec<i64> {
        let batches = self.session.execute(sql, &[]).and_then(embudo_types::ResultSet::collect).unwrap_or_else(|error| panic!("{sql}: {error}"));
        batches.iter().flat_map(|batch| batch.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
    }

    fn rows(&self, sql: &str, what: &str) -> Vec<String> {
        let result = self.session.execute(sql, &[]).unwrap_or_else(|error| panic!("{what}: {sql}: {error}"));
        let types: Vec<_> = result.schema.fields().iter().map(|field| embudo_types::arrow::data_type(field).unwrap()).collect();
        let Outcome::Rows(batches) = result.outcome else { return Vec::new() };
        let batches: Vec<_> = batches.map(|batch| batch.unwrap()).collect();
        let cells = |batch: &arrow_array::RecordBatch, row: usize| {
            let cells = batch.columns().iter().zip(&types).map(|(array, data_type)| format!("{:?}", embudo_expr::value_at(array, *data_type, row)));
            cells.collect::<Vec<_>>().join(" ")
        };
        batches.iter().flat_map(|batch| (0..batch.num_rows()).map(|row| cells(batch, row)).collect::<Vec<_>>()).collect()
    }

    fn consumer(&self) -> Result<Consumer> {
        let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, auto_commit: false, ..SubscribeOptions::new("g", ["t"]) };
        self.session.subscribe(options)
    }
}

const SETUP: [&str; 6] = [
    "CREATE DATABASE d VGROUPS 1 KEEP 36500 WAL_RETENTION_PERIOD 36000",
    "USE d",
    "CREATE STABLE m (ts TIMESTAMP, n BIGINT, v INT) TAGS (g INT)",
    "CREATE TABLE a USING m TAGS (1) b USING m TAGS (2)",
    "CREATE STREAM s TRIGGER AT_ONCE IGNORE EXPIRED 0 INTO o SUBTABLE(CONCAT('o_', tbname)) AS SELECT _wstart w, COUNT(*) c, SUM(v) x FROM m PARTITION BY tbname INTERVAL(10a)",
    "CREATE TOPIC t AS SELECT n FROM m",
];

/// What a run has done until the disk failed.
#[derive(Default)]
struct Run {
    /// Numbers of rows that were acknowledged: the first so many.
    rows: i64,
    /// Users that were acknowledged.
    users: i64,
    /// Rows that came before a commit that was acknowledged.
    committed: BTreeSet<i64>,
}

/// Takes messages, and commits them.
fn take(consumer: &Consumer, seen: &mut BTreeSet<i64>) -> Result<bool> {
    let Some(message) = consumer.try_poll()? else { return Ok(false) };
    for block in &message.blocks {
        seen.extend(block.batch.column(0).as_primitive::<Int64Type>().values());
    }
    consumer.commit(&message.topic, message.vgroup, message.next)?;
    Ok(true)
}

fn run(vfs: &SimulatedVfs, seed: u64) -> (Run, Option<Place>) {
    let mut run = Run::default();
    let Ok(place) = Place::open(vfs, seed, 0) else { return (run, None) };
    // It ends where the disk fails.
    let _ = work(&place, seed, &mut run);
    (run, Some(place))
}

fn work(place: &Place, seed: u64, run: &mut Run) -> Result<()> {
    let mut random = Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
    SETUP.iter().try_for_each(|sql| place.run(sql))?;
    let consumer = place.consumer()?;
    for _ in 0..STEPS {
        match random.below(16) {
            0 => place.run("FLUSH DATABASE d")?,
            1 => place.run("COMPACT DATABASE d")?,
            2 | 3 => place.rest(),
            4 => {
                place.run(&format!("CREATE USER u{} PASS 'Passw0rd#{}'", run.users, run.users))?;
                run.users += 1;
            }
            5..8 => {
                let mut seen = run.committed.clone();
                if take(&consumer, &mut seen)? {
                    run.committed = seen;
                }
            }
            _ => {
                let rows: Vec<String> =
                    (0..=random.below(3)).map(|row| format!("({}, {}, {row})", START + run.rows + row as i64, run.rows + row as i64)).collect();
                let table = if random.below(2) == 0 { "a" } else { "b" };
                place.run(&format!("INSERT INTO {table} VALUES {}", rows.join(" ")))?;
                run.rows += rows.len() as i64;
            }
        }
    }
    Ok(())
}

/// What must hold after the disk failed: `is_kill` where everything that was acknowledged is there.
fn check(vfs: &SimulatedVfs, seed: u64, run: &Run, is_kill: bool, what: &str) {
    let place = Place::open(vfs, seed + 1, 10).unwrap_or_else(|error| panic!("{what}: {error}"));
    let users = place.numbers("SELECT COUNT(*) FROM information_schema.ins_users WHERE name LIKE 'u%'")[0];
    assert!(users <= run.users + 1 && (!is_kill || users >= run.users), "{what}: {users} of {} users", run.users);
    // Somebody who lost more than that makes it again.
    for sql in SETUP {
        if let Err(error) = place.run(sql) {
            assert!(error.message().contains("exist"), "{what}: {sql}: {error}");
        }
    }
    let rows = place.numbers("SELECT n FROM m ORDER BY n");
    let kept = rows.len() as i64;
    assert_eq!(rows, (0..kept).collect::<Vec<_>>(), "{what}: no prefix");
    assert!(!is_kill || kept >= run.rows, "{what}: {kept} of {} rows", run.rows);
    // Rows that come now take the places of those that were lost.
    place.run(&format!("INSERT INTO a VALUES ({}, {kept}, 5) ({}, {}, 6)", START + kept, START + kept + 1, kept + 1)).unwrap();
    let consumer = place.consumer().unwrap_or_else(|error| panic!("{what}: {error}"));
    let mut seen = run.committed.clone();
    for _ in 0..4 {
        place.rest();
        while take(&consumer, &mut seen).unwrap_or_else(|error| panic!("{what}: {error}")) {}
    }
    let missing: Vec<i64> = (0..kept + 2).filter(|number| !seen.contains(number)).collect();
    assert!(missing.is_empty(), "{what}: rows {missing:?} of {} were not delivered, {} committed", kept + 2, run.committed.len());
    let (target, query) = (
        "SELECT w, c, x FROM o ORDER BY w, x, c",
        "SELECT w, c, x FROM (SELECT _wstart w, COUNT(*) c, SUM(v) x FROM m PARTITION BY tbname INTERVAL(10a)) ORDER BY w, x, c",
    );
    assert_eq!(place.rows(target, what), place.rows(query, what), "{what}: {:?}", place.engine.streams().failure("s"));
}

/// The seeds to run, and how many calls lie between two failures.
fn seeds(calls: impl Fn(u64) -> u64) -> Vec<(u64, usize)> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match number("SEED") {
        Some(seed) => vec![(seed, 1)],
        None => (1..=number("EMBUDO_SIMULATIONS").unwrap_or(2)).map(|seed| (seed, (calls(seed) / POINTS).max(1) as usize)).collect(),
    }
}

#[test]
fn an_engine_goes_on_after_power_losses_and_kills() {
    let calls = |seed: u64| {
        let vfs = SimulatedVfs::new();
        drop(run(&vfs, seed));
        vfs.calls()
    };
    for (seed, step) in seeds(calls) {
        println!("SEED={seed}");
        for after in (seed % step as u64..calls(seed)).step_by(step) {
            let vfs = SimulatedVfs::new();
            vfs.set_fault(Some(Fault { after, calls: u64::MAX, kind: std::io::ErrorKind::Other }));
            let (run, place) = run(&vfs, seed);
            let survivors = [(vfs.after_kill(), true), (vfs.after_power_loss(seed * 1_000 + after), false)];
            drop(place);
            for (survivor, is_kill) in survivors {
                check(&survivor, seed, &run, is_kill, &format!("SEED={seed} call {after} {}", if is_kill { "kill" } else { "power loss" }));
            }
        }
    }
}
