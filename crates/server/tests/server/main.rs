//! The server over real sockets: recorded conversations, limits, clients that misbehave, the stop.

// A test ends at the first thing that is not as expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::format_collect)]

mod accounts;
mod activity;
mod driver;
mod execution;
mod frames;
mod http;
mod ingest;
mod lifecycle;
mod limits;
mod recorded;
mod recorded_websocket;
mod rest;
mod results;
mod secrets;
mod subscription;
mod tls;
mod translation;
mod unset_cells;
mod websocket;

use std::{
    thread,
    time::{Duration, Instant},
};

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_types::Zone;

/// How long a test waits for what must come, on machines of every speed.
const PATIENCE: Duration = Duration::from_secs(60);

/// Asks until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A server on an empty database in memory, in UTC as the recordings were.
fn start() -> ServerHandle {
    start_with(ServerOptions::default())
}

fn start_with(mut options: ServerOptions) -> ServerHandle {
    options.listen = "127.0.0.1:0".into();
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..EngineOptions::memory() }).unwrap();
    Server::start(engine, options).unwrap()
}

/// Makes a database `slow` with `run`, and gives a query on it that takes much longer than any test waits: many sorts, each short, since
/// what ends a query is looked for between them.
fn slow_query(mut run: impl FnMut(&str)) -> String {
    run("CREATE DATABASE slow");
    run("CREATE TABLE slow.t (ts TIMESTAMP, v BIGINT)");
    let values: String = (0..20_000).map(|row| format!("({},{row})", 1_700_000_000_000_i64 + row)).collect();
    run(&format!("INSERT INTO slow.t VALUES {values}"));
    let mut query = "SELECT ts, v FROM slow.t".to_owned();
    for _ in 0..30 {
        query = format!("SELECT ts, v + 1 AS v FROM ({query}) ORDER BY v DESC, ts");
    }
    vec![format!("SELECT COUNT(*) FROM ({query})"); 20].join(" UNION ALL ")
}
