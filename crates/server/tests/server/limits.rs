//! Bodies that are too big, too slow, broken or bombs; heads that never end; more connections than places.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use embudo_server::{ServerHandle, ServerOptions};
use embudo_wire::{
    binary_message::{Head, action},
    websocket::{Encoder, Message, Role},
};
use flate2::{Compression, write::GzEncoder};

use crate::{
    PATIENCE,
    frames::Socket,
    http::{Connection, ROOT},
    slow_query, start, start_with, wait_until,
};

fn gzip(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn bodies_over_the_limit_are_refused() {
    let server = start_with(ServerOptions { body_bytes: 1 << 20, ..ServerOptions::default() });
    let announced = Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT], &vec![b' '; (1 << 20) + 1]);
    assert_eq!(announced.status, 413);
    assert!(announced.text().starts_with("{\"code\":4356,"), "{}", announced.text());
    // Announced alone, nothing sent.
    let mut connection = Connection::open(server.address());
    connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "999999999999")], b"");
    assert_eq!(connection.read().unwrap().status, 413);
    // Chunked, so that the length shows only on the way.
    let mut connection = Connection::open(server.address());
    let mut body = Vec::new();
    for _ in 0..20 {
        body.extend_from_slice(format!("{:x}\r\n", 64 << 10).as_bytes());
        body.resize(body.len() + (64 << 10), b' ');
        body.extend_from_slice(b"\r\n");
    }
    connection.send("POST", "/rest/sql", &[ROOT, ("transfer-encoding", "chunked")], &body);
    assert_eq!(connection.read().unwrap().status, 413);
    // A bomb: small on the wire, large inside.
    let bomb = gzip(&vec![b' '; 64 << 20]);
    assert!(bomb.len() < 100_000);
    let answer = Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT, ("content-encoding", "gzip")], &bomb);
    assert_eq!(answer.status, 413);
    // The limit itself is allowed.
    let mut statement = b"select 1".to_vec();
    statement.resize(1 << 20, b' ');
    assert!(Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT], &statement).text().contains("\"data\":[[1]]"));
}

#[test]
fn a_chunked_body_is_a_body() {
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.send("POST", "/rest/sql", &[ROOT, ("transfer-encoding", "chunked")], b"4\r\nsele\r\n4\r\nct 1\r\n0\r\n\r\n");
    assert!(connection.read().unwrap().text().contains("\"data\":[[1]]"));
}

#[test]
fn a_body_that_pauses_too_long_is_given_up() {
    let server = start_with(ServerOptions { body_timeout: Duration::from_millis(200), ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "100")], b"select");
    assert_eq!(connection.read().unwrap().status, 408);
    assert!(connection.read().is_none());
}

#[test]
fn a_body_that_breaks_off_harms_nobody() {
    let server = start();
    for _ in 0..20 {
        let mut connection = Connection::open(server.address());
        connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "100")], b"create database half");
    }
    let answer = Connection::open(server.address()).sql("/rest/sql", "show databases");
    assert!(!answer.text().contains("half"), "{}", answer.text());
}

#[test]
fn a_head_that_never_ends_is_cut_off() {
    let server = start_with(ServerOptions { header_timeout: Duration::from_millis(200), ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.stream.write_all(b"POST /rest/sql HTTP/1.1\r\nauthorization: ").unwrap();
    let started = Instant::now();
    while connection.fill().is_some() {}
    // A minute and a quarter is what others have.
    assert!(started.elapsed() < PATIENCE);
}

#[test]
fn noise_is_no_request() {
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.stream.write_all(b"\x00\xff\x13\x37 not http at all\r\n\r\n").unwrap();
    assert!(connection.read().is_none_or(|answer| answer.status == 400));
    assert_eq!(Connection::open(server.address()).request("GET", "/-/ping", &[], b"").status, 200);
}

#[test]
fn a_statement_that_is_no_text_is_an_error() {
    let server = start();
    let answer = Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT], b"select '\xff\xfe'");
    assert_eq!(answer.status, 200);
    assert!(answer.text().starts_with("{\"code\":9728,") && answer.text().contains("byte 8"), "{}", answer.text());
}

#[test]
fn connections_over_the_limit_wait() {
    let server = start_with(ServerOptions { connections: 2, ..ServerOptions::default() });
    let mut first = Connection::open(server.address());
    let mut second = Connection::open(server.address());
    assert_eq!(first.request("GET", "/-/ping", &[], b"").status, 200);
    assert_eq!(second.request("GET", "/-/ping", &[], b"").status, 200);
    let mut third = Connection::open(server.address());
    third.send("GET", "/-/ping", &[], b"");
    third.stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(third.read().is_none());
    drop(first);
    third.stream.set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(third.read().unwrap().status, 200);
}

#[test]
fn a_body_that_trickles_in_is_given_up_in_the_end() {
    let server = start_with(ServerOptions { body_timeout: Duration::from_millis(100), ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "100000")], b"select");
    let started = Instant::now();
    while connection.stream.write_all(b" ").is_ok() && started.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(20));
        connection.stream.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        if let Some(answer) = connection.read() {
            assert_eq!(answer.status, 408);
            break;
        }
    }
    assert!(started.elapsed() < PATIENCE, "{:?}", started.elapsed());
}

#[test]
fn bodies_together_hold_no_more_than_they_may() {
    let options = ServerOptions { body_bytes: 1 << 20, bodies_bytes: 2 << 20, body_timeout: Duration::from_secs(2), ..ServerOptions::default() };
    let server = start_with(options);
    let half_sent = || {
        let mut connection = Connection::open(server.address());
        connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "1000000")], &vec![b' '; 900_000]);
        connection.stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
        connection
    };
    let mut waiting: Vec<Connection> = (0..6).map(|_| half_sent()).collect();
    // Small statements need nothing of it.
    assert!(Connection::open(server.address()).sql("/rest/sql", "select 1").text().contains("[[1]]"));
    // Bodies that go on keep their share, so that others wait until they are refused, on machines of every speed.
    let started = Instant::now();
    let mut refused = None;
    while refused.is_none() && started.elapsed() < PATIENCE {
        for connection in &mut waiting {
            // The server may have answered and closed.
            let _ = connection.stream.write_all(b" ");
            refused = refused.or(connection.read().filter(|answer| answer.status == 503));
        }
    }
    assert!(refused.is_some());
    drop(waiting);
    // All was given back.
    let mut statement = b"select 1".to_vec();
    statement.resize(1 << 20, b' ');
    assert!(Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT], &statement).text().contains("[[1]]"));
}

#[test]
fn heads_have_a_limit() {
    let server = start();
    let mut connection = Connection::open(server.address());
    let long = "x".repeat(1 << 20);
    // The server may close before all is sent.
    let _ = connection.stream.write_all(format!("POST /rest/sql HTTP/1.1\r\nhost: x\r\nlong: {long}\r\n\r\n").as_bytes());
    assert!(connection.read().is_none_or(|answer| answer.status == 431));
    let many: String = (0..2_000).map(|number| format!("h{number}: x\r\n")).collect();
    let mut connection = Connection::open(server.address());
    let _ = connection.stream.write_all(format!("POST /rest/sql HTTP/1.1\r\nhost: x\r\n{many}\r\n").as_bytes());
    assert!(connection.read().is_none_or(|answer| answer.status == 431));
    assert_eq!(Connection::open(server.address()).request("GET", "/-/ping", &[], b"").status, 200);
}

#[test]
fn a_bomb_in_snappy_is_refused() {
    let server = start_with(ServerOptions { body_bytes: 1 << 20, ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "create database d");
    let bomb = snap::raw::Encoder::new().compress_vec(&vec![0; 16 << 20]).unwrap();
    assert!(bomb.len() < 1 << 20);
    for path in ["/prometheus/v1/remote_write/d", "/prometheus/v1/remote_read/d"] {
        let answer = connection.request("POST", path, &[ROOT], &bomb);
        assert_eq!(answer.status, 400);
        assert!(answer.text().contains("decompressed"), "{}", answer.text());
    }
}

#[test]
fn a_statement_that_takes_too_long_is_ended() {
    let server = start_with(ServerOptions { statement_timeout: Some(Duration::from_millis(300)), ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    let query = slow_query(|sql| drop(connection.sql("/rest/sql", sql)));
    let started = Instant::now();
    let answer = connection.sql("/rest/sql", &query);
    assert!(answer.text().contains("\"code\":527"), "{}", answer.text());
    assert!(started.elapsed() >= Duration::from_millis(300), "{:?}", started.elapsed());
    assert!(connection.sql("/rest/sql", "select 1").text().contains("[[1]]"));
}

/// What `/metrics` says that requests or replies hold.
fn held(server: &ServerHandle, what: &str) -> usize {
    let text = Connection::open(server.address()).request("GET", "/metrics", &[], b"").text();
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("embudo_held_bytes{{what=\"{what}\"}} ")));
    line.unwrap().parse().unwrap()
}

#[test]
fn messages_of_all_connections_hold_no_more_than_a_budget() {
    const LARGEST: usize = 1 << 20;
    let options = ServerOptions { body_bytes: LARGEST, bodies_bytes: 2 * LARGEST, body_timeout: Duration::from_millis(50), ..ServerOptions::default() };
    let server = start_with(options);
    let mut whole = Vec::new();
    let text = format!("{{\"action\":\"query\",\"args\":{{\"req_id\":2,\"sql\":\"SELECT 1{}\"}}}}", " ".repeat(LARGEST - 100));
    Encoder::new(Role::Client, false, 3).encode(&Message::Text(text), &mut whole);
    // Two who send all but the end hold what there is; nobody waits for them.
    let mut holders: Vec<Socket> = (0..2).map(|_| Socket::log_in(server.address(), "")).collect();
    for socket in &mut holders {
        socket.stream.write_all(&whole[..whole.len() - 1]).unwrap();
    }
    wait_until("both are held", || held(&server, "requests") > 3 * LARGEST / 2);
    let mut refused = Socket::log_in(server.address(), "");
    // The server may close before everything is sent.
    let _ = refused.stream.write_all(&whole);
    assert!(matches!(refused.read_within(PATIENCE), Some(Message::Close(Some((1013, _)))) | None));
    assert!(held(&server, "requests") <= 2 * LARGEST + (128 << 10));
    // Small ones need no room, and whoever comes to the end is answered.
    assert_eq!(Socket::log_in(server.address(), "").query(2, "SELECT 1")["code"], 0);
    drop(holders.pop());
    wait_until("one is gone", || held(&server, "requests") < LARGEST);
    holders[0].stream.write_all(&whole[whole.len() - 1..]).unwrap();
    assert_eq!(holders[0].json()["code"], 0);
    wait_until("nothing is held", || held(&server, "requests") == 0);
}

#[test]
fn replies_that_are_not_read_hold_no_more_than_a_budget() {
    const BUDGET: usize = 1 << 20;
    let server = start_with(ServerOptions { body_bytes: 64 << 10, bodies_bytes: BUDGET, ..ServerOptions::default() });
    let mut socket = Socket::log_in(server.address(), "");
    for sql in ["CREATE DATABASE d", "CREATE TABLE d.t (ts TIMESTAMP, s VARCHAR(1000))"] {
        assert_eq!(socket.query(2, sql)["code"], 0);
    }
    for batch in 0..100_i64 {
        let values: String = (0..50).map(|row| format!("({},'{}')", 1_700_000_000_000 + batch * 50 + row, "x".repeat(1_000))).collect();
        assert_eq!(socket.query(3, &format!("INSERT INTO d.t VALUES {values}"))["code"], 0);
    }
    // More than the sockets' own buffers take, on any machine: 30 results of 5 MB.
    let results: Vec<u64> = (0..30).map(|request| socket.query(10 + request, "SELECT * FROM d.t")["id"].as_u64().unwrap()).collect();
    for (request, result) in results.iter().enumerate() {
        let mut bytes = Head { request: 100 + request as u64, resource: *result, action: action::FETCH_RAW_BLOCK }.to_bytes();
        bytes.extend_from_slice(&1_u16.to_le_bytes());
        socket.send(&Message::Binary(bytes));
    }
    wait_until("replies are held", || held(&server, "replies") > 0);
    for _ in 0..20 {
        assert!(held(&server, "replies") <= BUDGET);
    }
    // Others go on meanwhile.
    assert_eq!(Socket::log_in(server.address(), "d").query(2, "SELECT COUNT(*) FROM t")["code"], 0);
    let mut answered: Vec<u64> = (0..results.len())
        .map(|_| {
            let Message::Binary(reply) = socket.read() else { panic!("no block") };
            assert!(reply.len() > 1 << 20, "{}", reply.len());
            u64::from_le_bytes(reply[26..34].try_into().unwrap())
        })
        .collect();
    answered.sort_unstable();
    assert_eq!(answered, (100..130).collect::<Vec<u64>>());
    wait_until("nothing is held", || held(&server, "replies") == 0);
}
