//! Large results, clients that leave them, many clients at once, and what is counted.

use std::{thread, time::Duration};

use embudo_server::ServerOptions;
use serde_json::Value;

use crate::{
    http::{Connection, ROOT},
    slow_query, start, start_with, wait_until,
};

/// A table with so many rows.
pub fn fill(connection: &mut Connection, rows: usize) {
    for sql in ["create database if not exists r", "create table if not exists r.t (ts timestamp, v int, s varchar(20))"] {
        let answer = connection.sql("/rest/sql", sql);
        assert!(answer.text().starts_with("{\"code\":0,"), "{}", answer.text());
    }
    for first in (0..rows).step_by(5_000) {
        let values = (first..rows.min(first + 5_000)).map(|row| format!("({},{row},'row {row}')", 1_700_000_000_000_u64 + row as u64));
        let sql = format!("insert into r.t values{}", values.collect::<String>());
        let answer = connection.sql("/rest/sql", &sql);
        assert!(answer.text().starts_with("{\"code\":0,"), "{}", answer.text());
    }
}

fn rows(text: &str) -> u64 {
    serde_json::from_str::<Value>(text).unwrap()["rows"].as_u64().unwrap()
}

#[test]
fn a_large_result_comes_whole_and_in_chunks() {
    let server = start();
    let mut connection = Connection::open(server.address());
    fill(&mut connection, 60_000);
    for headers in [vec![ROOT], vec![ROOT, ("accept-encoding", "gzip")]] {
        let answer = connection.request("POST", "/rest/sql/r", &headers, b"select * from t");
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["rows"], 60_000);
        let data = body["data"].as_array().unwrap();
        assert_eq!(data.len(), 60_000);
        assert_eq!(data[59_999][2], "row 59999");
    }
}

#[test]
fn a_client_that_leaves_frees_its_place() {
    let server = start();
    let mut connection = Connection::open(server.address());
    fill(&mut connection, 60_000);
    for _ in 0..30 {
        let mut leaving = Connection::open(server.address());
        leaving.send("POST", "/rest/sql/r", &[ROOT, ("content-length", "15")], b"select * from t");
        leaving.fill().unwrap();
    }
    // All of them are gone from the count, and others are served.
    let mut is_alone = || connection.request("GET", "/metrics", &[], b"").text().contains("embudo_connections 1\n");
    wait_until("one connection", &mut is_alone);
    assert_eq!(rows(&connection.sql("/rest/sql/r", "select * from t").text()), 60_000);
}

#[test]
fn a_statement_whose_client_left_is_stopped() {
    let server = start();
    let mut connection = Connection::open(server.address());
    let sql = slow_query(|sql| drop(connection.sql("/rest/sql", sql)));
    let mut leaving = Connection::open(server.address());
    leaving.send("POST", "/rest/sql", &[ROOT, ("content-length", &sql.len().to_string())], sql.as_bytes());
    let mut running = || connection.sql("/rest/sql", "show queries").text().contains("SELECT COUNT(*)");
    wait_until("the query runs", &mut running);
    drop(leaving);
    wait_until("the query has ended", || !running());
}

#[test]
fn a_result_that_is_not_read_is_dropped() {
    let server = start_with(ServerOptions { result_timeout: Duration::from_millis(300), ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "create database wide");
    connection.sql("/rest/sql", "create table wide.t (ts timestamp, s varchar(10000))");
    // 20 MB, more than sockets hold.
    for first in (0..2_000).step_by(50) {
        let values = (first..first + 50).map(|row| format!("({},'{}')", 1_700_000_000_000_u64 + row, "x".repeat(10_000)));
        let answer = connection.sql("/rest/sql/wide", &format!("insert into t values{}", values.collect::<String>()));
        assert!(answer.text().contains("[[50]]"), "{}", answer.text());
    }
    connection.send("POST", "/rest/sql/wide", &[ROOT, ("content-length", "15")], b"select * from t");
    connection.fill().unwrap();
    let mut other = Connection::open(server.address());
    let mut is_dropped = || other.request("GET", "/metrics", &[], b"").text().contains("embudo_statements_running 0\n");
    wait_until("the result is dropped", &mut is_dropped);
    // What the sockets held still comes, then the connection ends before the body does.
    assert!(connection.read().is_none());
}

#[test]
fn many_clients_at_once() {
    let server = start();
    let address = server.address();
    fill(&mut Connection::open(address), 100);
    thread::scope(|scope| {
        for writer in 0..4 {
            scope.spawn(move || {
                let mut connection = Connection::open(address);
                for row in 0..50 {
                    let answer = connection.sql("/rest/sql/r", &format!("insert into t values({},{row},'x')", 1_800_000_000_000_u64 + writer * 1_000 + row));
                    assert!(answer.text().contains("[[1]]"), "{}", answer.text());
                }
            });
        }
        for _ in 0..4 {
            scope.spawn(move || {
                let mut connection = Connection::open(address);
                for _ in 0..50 {
                    assert!(rows(&connection.sql("/rest/sql/r", "select * from t").text()) >= 100);
                }
            });
        }
    });
    let answer = Connection::open(address).sql("/rest/sql/r", "select count(*) from t");
    assert!(answer.text().contains("[[300]]"), "{}", answer.text());
}

#[test]
fn requests_may_follow_without_waiting() {
    let server = start();
    let mut connection = Connection::open(server.address());
    for _ in 0..10 {
        connection.send("POST", "/rest/sql", &[ROOT, ("content-length", "8")], b"select 1");
    }
    for _ in 0..10 {
        assert!(connection.read().unwrap().text().contains("[[1]]"));
    }
}

#[test]
fn what_happened_is_counted() {
    let server = start();
    let mut connection = Connection::open(server.address());
    fill(&mut connection, 10);
    connection.sql("/rest/sql/r", "select * from t");
    connection.sql("/rest/sql/r", "selec 1");
    let answer = connection.request("GET", "/metrics", &[], b"");
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    for line in ["embudo_rows_sent_total 10", "embudo_rows_affected_total 10", "embudo_statement_errors_total{code=\"0x2600\"} 1", "embudo_connections 1"] {
        assert!(answer.text().contains(line), "{line} in {}", answer.text());
    }
    assert!(!answer.text().contains("taosdata"));
}

#[test]
fn parameters_of_later_versions() {
    let server = start();
    let mut connection = Connection::open(server.address());
    fill(&mut connection, 1);
    let objects = connection.sql("/rest/sql/r?row_with_meta=true&timing=true", "select ts, v from t").text();
    assert!(objects.contains("\"data\":[{\"ts\":\"2023-11-14T22:13:20.000Z\",\"v\":0}],\"rows\":1,\"timing\":"), "{objects}");
    let zoned = connection.sql("/rest/sql/r?conn_tz=Asia/Shanghai", "select ts from t where ts = '2023-11-15 06:13:20'").text();
    assert!(zoned.contains("[[\"2023-11-15T06:13:20.000+08:00\"]]"), "{zoned}");
    // A token does as a parameter too.
    let token = "%2FKfeAzX%2Ff9na8qdtNZmtONryp201ma04bEl8LcvLUd7a8qdtNZmtONryp201ma04";
    assert!(connection.request("POST", &format!("/rest/sql?token={token}"), &[], b"select 1").text().contains("[[1]]"));
}
