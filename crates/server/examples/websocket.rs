//! Measures WebSocket sessions against a server in the same process: `cargo run --release -p embudo-server --example websocket [WHAT [SECONDS]]`.
//!
//! - `latency`: point queries by one session, as text and with parameters.
//! - `text`, `bound`: 500 sessions of which 64 ask point queries all the time, as text or with parameters. Nothing is written, so that resident
//!   memory must not grow.
//! - `overwrite`: the same sessions, every tenth statement writes one of 100,000 rows anew into a database on a directory, with a memory limit that
//!   its unflushed rows reach early.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::format_collect, reason = "a measurement ends at the first thing that is not as expected")]

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_types::{Value, Zone};

const SESSIONS: usize = 500;
const BUSY: usize = 64;
const CHILDREN: i64 = 100;
const ROWS: i64 = 1_000;
const FIRST: i64 = 1_700_000_000_000;
/// Parts of the time that memory is told for.
const SAMPLES: u32 = 24;

type Work = fn(&dyn Driver, i64);

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let seconds = arguments.get(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    match arguments.first().map_or("latency", String::as_str) {
        "latency" => latency(),
        "text" => load(&serve(EngineOptions::memory()), seconds, point),
        "bound" => load(&serve(EngineOptions::memory()), seconds, bound),
        "overwrite" => {
            let directory = std::env::temp_dir().join(format!("embudo-websocket-{}", std::process::id()));
            load(&serve(EngineOptions { memory_limit: Some(64 << 20), ..EngineOptions::directory(&directory) }), seconds, overwrite);
            std::fs::remove_dir_all(directory).unwrap();
        }
        other => {
            eprintln!("latency, text, bound or overwrite, not {other}");
            std::process::exit(2);
        }
    }
}

/// A server with 100 children of 1,000 rows each.
fn serve(options: EngineOptions) -> ServerHandle {
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..options }).unwrap();
    let session = engine.session("root").unwrap();
    session.execute("CREATE DATABASE d", &[]).unwrap();
    session.use_database("d").unwrap();
    session.execute("CREATE STABLE s (ts TIMESTAMP, v BIGINT, f DOUBLE) TAGS (g INT)", &[]).unwrap();
    for child in 0..CHILDREN {
        let values: String = (0..ROWS).map(|row| format!("({},{row},{row}.5)", FIRST + row * 1_000)).collect();
        session.execute(&format!("INSERT INTO c{child} USING s TAGS ({child}) VALUES {values}"), &[]).unwrap();
    }
    Server::start(engine, ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() }).unwrap()
}

fn open(server: &ServerHandle) -> Arc<dyn Driver> {
    connect(&Dsn::parse(&format!("taosws://root:taosdata@{}/d", server.address())).unwrap(), &ConnectOptions::default()).unwrap().into()
}

fn latency() {
    let server = serve(EngineOptions::memory());
    let session = open(&server);
    for (what, work) in [("as text", point as Work), ("with parameters", bound)] {
        let before = processor_time();
        let taken: Vec<Duration> = (0..5_000).map(|round| timed(|| work(&*session, round))).collect();
        let each = processor_time().saturating_sub(before) / taken.len() as u32;
        report(&format!("point queries {what}, one session, {each:?} of processor time each"), taken);
    }
}

/// What resident memory does while a part of all sessions is busy.
fn load(server: &ServerHandle, seconds: u64, work: Work) {
    let sessions: Vec<Arc<dyn Driver>> = (0..SESSIONS).map(|_| open(server)).collect();
    let (stop, all) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let mut samples = vec![resident()];
    let begun = Instant::now();
    thread::scope(|scope| {
        for (number, session) in sessions.iter().take(BUSY).enumerate() {
            let (stop, all) = (&stop, &all);
            scope.spawn(move || {
                // Each takes one place for every millisecond at most, so that what is measured stays no part of what is held.
                let mut taken = vec![0_u64; 10_000];
                let mut round = number as i64 * 7_919;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let took = timed(|| work(&**session, round));
                    taken[(took.as_micros() / 100).min(9_999) as usize] += 1;
                }
                all.lock().unwrap().push(taken);
            });
        }
        for _ in 0..SAMPLES {
            thread::sleep(Duration::from_secs(seconds) / SAMPLES);
            samples.push(resident());
        }
        stop.store(true, Ordering::Relaxed);
    });
    let elapsed = begun.elapsed().as_secs_f64();
    let counts = all.into_inner().unwrap().into_iter().fold(vec![0; 10_000], |sum: Vec<u64>, taken| sum.iter().zip(&taken).map(|(a, b)| a + b).collect());
    let total: u64 = counts.iter().sum();
    let at = |part: f64| {
        let mut left = (total as f64 * part) as u64;
        let place = counts.iter().position(|count| left.checked_sub(*count).map(|rest| left = rest).is_none());
        place.unwrap_or(counts.len() - 1) as f64 / 10.0
    };
    println!("{SESSIONS} sessions, {BUSY} busy: {total} statements, {:.0} a second, median {:.1} ms, 99 % {:.1} ms", total as f64 / elapsed, at(0.5), at(0.99));
    let warm = SAMPLES as usize / 4;
    println!(
        "resident memory in MiB: start {:.1}, after a quarter of the time {:.1}, end {:.1}; all: {samples:.1?}",
        samples[0], samples[warm], samples[SAMPLES as usize]
    );
    for session in &sessions {
        session.execute("SELECT 1", &[]).unwrap().collect().unwrap();
    }
}

fn point(session: &dyn Driver, round: i64) {
    let sql = format!("SELECT v, f FROM c{} WHERE ts = {}", round % CHILDREN, FIRST + round % ROWS * 1_000);
    assert_eq!(session.execute(&sql, &[]).unwrap().collect().unwrap()[0].num_rows(), 1);
}

fn bound(session: &dyn Driver, round: i64) {
    let rows = session.execute("SELECT v, f FROM c7 WHERE ts = ?", &[Value::Timestamp(FIRST + round % ROWS * 1_000)]);
    assert_eq!(rows.unwrap().collect().unwrap()[0].num_rows(), 1);
}

fn overwrite(session: &dyn Driver, round: i64) {
    if round % 10 != 0 {
        return point(session, round);
    }
    let sql = format!("INSERT INTO c{} VALUES ({}, {round}, 1.5)", round / 10 % CHILDREN, FIRST + round / 1_000 % ROWS * 1_000);
    session.execute(&sql, &[]).unwrap();
}

fn timed(work: impl FnOnce()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn report(what: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |part: f64| taken[((taken.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!("{what}: {} times, median {:.3} ms, 99 % {:.3} ms, longest {:.3} ms", taken.len(), at(0.5), at(0.99), at(1.0));
}

/// Of this process, in MiB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Of all threads of this process, client and server.
fn processor_time() -> Duration {
    let threads = std::fs::read_dir("/proc/self/task").unwrap();
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let text = std::fs::read_to_string(entry.unwrap().path().join("schedstat")).unwrap_or_default();
        text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0)
    };
    Duration::from_nanos(threads.map(of).sum())
}
