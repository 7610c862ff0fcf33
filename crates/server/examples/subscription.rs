//! How many rows a second one consumer gets, embedded and over a WebSocket: `cargo run --release -p embudo-server --example subscription [rows]`.
// An example ends at the first thing that is not as expected.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow_array::{ArrayRef, Float32Array, Int32Array, Int64Array};
use embudo_client::{ConnectOptions, Dsn, Subscription, connect};
use embudo_engine::{Engine, EngineOptions, Session};
use embudo_server::{Server, ServerOptions};
use embudo_types::subscription::{OffsetReset, SubscribeOptions};

const CHILDREN: usize = 100;
const BATCH: usize = 1_000;

fn run(session: &Session, sql: &str) {
    session.execute(sql, &[]).unwrap().collect().unwrap();
}

fn fill(session: &Session, rows: usize) {
    run(session, "CREATE DATABASE power VGROUPS 1 WAL_RETENTION_PERIOD 3600 WAL_LEVEL 1");
    run(session, "USE power");
    run(session, "CREATE STABLE meters (ts TIMESTAMP, current FLOAT, voltage INT, phase FLOAT) TAGS (groupid INT, location VARCHAR(24))");
    for child in 0..CHILDREN {
        run(session, &format!("CREATE TABLE d{child} USING meters TAGS ({child}, 'California')"));
    }
    let mut statement = session.statement("INSERT INTO ? VALUES (?, ?, ?, ?)").unwrap();
    for batch in 0..rows / BATCH {
        statement.set_table(&format!("d{}", batch % CHILDREN)).unwrap();
        let start = 1_700_000_000_000 + (batch / CHILDREN * BATCH) as i64;
        let columns: [ArrayRef; 4] = [
            Arc::new(Int64Array::from_iter_values(start..start + BATCH as i64)),
            Arc::new(Float32Array::from_iter_values((0..BATCH).map(|row| row as f32 / 10.0))),
            Arc::new(Int32Array::from_iter_values((0..BATCH).map(|row| 200 + (row % 40) as i32))),
            Arc::new(Float32Array::from_iter_values((0..BATCH).map(|row| row as f32 / 1000.0))),
        ];
        statement.bind(&columns).unwrap();
        statement.execute().unwrap();
    }
}

fn consume(name: &str, subscription: &dyn Subscription, rows: usize) {
    let begun = Instant::now();
    let (mut got, mut messages) = (0, 0);
    while got < rows {
        let message = subscription.poll(Duration::from_secs(10)).unwrap().unwrap();
        got += message.rows();
        messages += 1;
    }
    subscription.commit_all().unwrap();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: {got} rows in {messages} messages, {seconds:.2} s, {:.2} M rows/s", got as f64 / seconds / 1e6);
}

fn main() {
    let rows = std::env::args().nth(1).and_then(|rows| rows.parse().ok()).unwrap_or(1_500_000);
    let engine = Engine::open(EngineOptions::memory()).unwrap();
    let session = engine.session("root").unwrap();
    fill(&session, rows);
    run(&session, "CREATE TOPIC all_rows AS DATABASE power");
    run(&session, "CREATE TOPIC of_query AS SELECT ts, current, voltage, phase FROM power.meters");
    let server = Server::start(Arc::clone(&engine), ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() }).unwrap();
    let driver = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}", server.address())).unwrap(), &ConnectOptions::default()).unwrap();
    for topic in ["all_rows", "of_query"] {
        for round in 0..3 {
            for poll_rows in [4_096, 16_384] {
                let options = SubscribeOptions {
                    offset_reset: OffsetReset::Earliest,
                    auto_commit: false,
                    poll_rows,
                    ..SubscribeOptions::new(format!("{round} {poll_rows}"), [topic])
                };
                consume(&format!("{topic}, WebSocket, messages of {poll_rows}"), &*driver.subscribe(options).unwrap(), rows);
            }
        }
        let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, auto_commit: false, ..SubscribeOptions::new("embedded", [topic]) };
        let consumer = session.subscribe(options).unwrap();
        let begun = Instant::now();
        let mut got = 0;
        while got < rows {
            got += consumer.poll(Duration::from_secs(10)).unwrap().unwrap().rows();
        }
        println!("{topic}, engine: {:.2} M rows/s", got as f64 / begun.elapsed().as_secs_f64() / 1e6);
    }
}
