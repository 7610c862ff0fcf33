//! Measures WebSocket sessions against a server in the same process: the latency of point queries by one session, then 500 sessions of which
//! 64 ask all the time. `cargo run --release -p embudo-server --example websocket [seconds]`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::format_collect, reason = "a measurement ends at the first thing that is not as expected")]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerOptions};
use embudo_types::{Value, Zone};

const SESSIONS: usize = 500;
const BUSY: usize = 64;
const CHILDREN: i64 = 100;
const ROWS: i64 = 1_000;

fn main() {
    let seconds = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(10);
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..EngineOptions::memory() }).unwrap();
    let session = engine.session("root").unwrap();
    session.execute("CREATE DATABASE d", &[]).unwrap();
    session.use_database("d").unwrap();
    session.execute("CREATE STABLE s (ts TIMESTAMP, v BIGINT, f DOUBLE) TAGS (g INT)", &[]).unwrap();
    for child in 0..CHILDREN {
        let values: String = (0..ROWS).map(|row| format!("({},{row},{row}.5)", 1_700_000_000_000 + row * 1_000)).collect();
        session.execute(&format!("INSERT INTO c{child} USING s TAGS ({child}) VALUES {values}"), &[]).unwrap();
    }
    let server = Server::start(engine, ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() }).unwrap();
    let open = || connect(&Dsn::parse(&format!("taosws://root:taosdata@{}/d", server.address())).unwrap(), &ConnectOptions::default()).unwrap();

    let one = open();
    report("point queries as text, one session", measure(5_000, |round| point(&*one, round)));
    report("point queries with parameters, one session", measure(5_000, |round| bound(&*one, round)));

    let sessions: Vec<Box<dyn Driver>> = (0..SESSIONS).map(|_| open()).collect();
    let (stop, all) = (AtomicBool::new(false), Mutex::new(Vec::new()));
    let before = resident();
    let begun = Instant::now();
    thread::scope(|scope| {
        for (number, session) in sessions.iter().take(BUSY).enumerate() {
            let (stop, all) = (&stop, &all);
            scope.spawn(move || {
                let mut taken = Vec::new();
                let mut round = number as i64;
                while !stop.load(Ordering::Relaxed) {
                    round += 1;
                    let started = Instant::now();
                    if round % 10 == 0 {
                        let sql = format!("INSERT INTO c{} VALUES (NOW, {round}, 1.5)", round % CHILDREN);
                        session.execute(&sql, &[]).unwrap();
                    } else {
                        point(&**session, round);
                    }
                    taken.push(started.elapsed());
                }
                all.lock().unwrap().append(&mut taken);
            });
        }
        thread::sleep(Duration::from_secs(seconds));
        stop.store(true, Ordering::Relaxed);
    });
    let taken = all.into_inner().unwrap();
    println!(
        "{SESSIONS} sessions, {BUSY} busy: {:.0} statements/s, resident memory {before} -> {} MiB",
        taken.len() as f64 / begun.elapsed().as_secs_f64(),
        resident()
    );
    report("their statements", taken);
    for session in &sessions {
        session.execute("SELECT 1", &[]).unwrap().collect().unwrap();
    }
}

fn point(session: &dyn Driver, round: i64) {
    let ts = 1_700_000_000_000 + round % ROWS * 1_000;
    let sql = format!("SELECT v, f FROM c{} WHERE ts = {ts}", round % CHILDREN);
    assert_eq!(session.execute(&sql, &[]).unwrap().collect().unwrap()[0].num_rows(), 1);
}

fn bound(session: &dyn Driver, round: i64) {
    let rows = session.execute("SELECT v, f FROM c7 WHERE ts = ?", &[Value::Timestamp(1_700_000_000_000 + round % ROWS * 1_000)]);
    assert_eq!(rows.unwrap().collect().unwrap()[0].num_rows(), 1);
}

fn measure(rounds: i64, work: impl Fn(i64)) -> Vec<Duration> {
    (0..rounds)
        .map(|round| {
            let started = Instant::now();
            work(round);
            started.elapsed()
        })
        .collect()
}

fn report(what: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |part: f64| taken[((taken.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3;
    println!("{what}: {} times, median {:.3} ms, 99 % {:.3} ms, longest {:.3} ms", taken.len(), at(0.5), at(0.99), at(1.0));
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).unwrap_or(0) / 1024
}
