//! What runs on the server: lists of connections and statements, and ending them.

use std::time::{Duration, Instant};

use embudo_server::ServerHandle;
use serde_json::{Value, json};

use crate::{frames::Socket, http::Connection, slow_query, start, wait_until};

fn rows(server: &ServerHandle, sql: &str) -> Vec<Vec<Value>> {
    let answer = Connection::open(server.address()).sql("/rest/sql", sql);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    answer["data"].as_array().unwrap().iter().map(|row| row.as_array().unwrap().clone()).collect()
}

/// What the list of statements says of the slow query, once it runs: kill id, connection.
fn running(server: &ServerHandle) -> (String, u64) {
    let mut found = None;
    wait_until("the query is listed", || {
        let rows = rows(server, "SELECT kill_id, conn_id FROM performance_schema.perf_queries WHERE `sql` LIKE 'SELECT COUNT(*)%'");
        if let [row] = rows.as_slice() {
            found = Some((row[0].as_str().unwrap().to_owned(), row[1].as_u64().unwrap()));
        }
        found.is_some()
    });
    found.unwrap()
}

/// Starts the slow query on a connection of its own, and waits until it runs.
fn begin(server: &ServerHandle, sql: &str) -> (Socket, String, u64) {
    let mut socket = Socket::log_in(server.address(), "");
    socket.text(&json!({"action": "query", "args": {"req_id": 7, "sql": sql}}).to_string());
    let (kill, connection) = running(server);
    (socket, kill, connection)
}

#[test]
fn a_killed_query_ends_soon_and_its_connection_goes_on() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    let sql = slow_query(|sql| drop(socket.query(1, sql)));
    drop(socket);
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let (mut socket, kill, _) = begin(&server, &sql);
        let begun = Instant::now();
        assert!(Connection::open(server.address()).sql("/rest/sql", &format!("KILL QUERY '{kill}'")).text().starts_with("{\"code\":0"));
        let reply = socket.json();
        shortest = shortest.min(begun.elapsed());
        assert_eq!(reply["code"], 0x020F, "{reply}");
        assert_eq!(socket.query(8, "SELECT 1")["code"], 0);
    }
    // 100 ms is measured in release builds on a quiet machine; here it is told from the query's own end.
    assert!(shortest < Duration::from_secs(2), "{shortest:?}");
}

#[test]
fn a_killed_connection_ends_with_what_runs_on_it() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    let sql = slow_query(|sql| drop(socket.query(1, sql)));
    drop(socket);
    let (mut socket, _, connection) = begin(&server, &sql);
    Connection::open(server.address()).sql("/rest/sql", &format!("KILL CONNECTION {connection}"));
    assert!(socket.is_closed());
    wait_until("the connection is listed no more", || {
        rows(&server, "SELECT conn_id FROM performance_schema.perf_connections WHERE app = 'websocket'").is_empty()
    });
    let answer = Connection::open(server.address()).sql("/rest/sql", "KILL CONNECTION 99999");
    assert!(answer.text().contains(&0x030E.to_string()), "{}", answer.text());
}

#[test]
fn connections_say_where_they_are_and_what_they_are() {
    let server = start();
    let mut socket = Socket::open(server.address(), "/ws");
    socket.ask(&json!({"action": "conn", "args": {"req_id": 1, "user": "root", "password": "taosdata", "app": "weather"}}).to_string());
    let listed = rows(&server, "SELECT `user`, end_point FROM performance_schema.perf_connections WHERE app = 'weather'");
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0][0], "root");
    assert!(listed[0][1].as_str().unwrap().starts_with("127.0.0.1:"));
}
