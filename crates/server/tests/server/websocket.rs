//! WebSocket connections beyond what is recorded: actions of later versions, limits, clients that break the rules or leave, the stop.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use embudo_server::ServerOptions;
use embudo_wire::{
    binary_message::{Head, action},
    raw_block,
    websocket::Message,
};
use serde_json::{Value, json};

use crate::{frames::Socket, slow_query, start, start_with, wait_until};

fn binary(request: u64, resource: u64, action: u64, body: &[u8]) -> Message {
    let mut bytes = Head { request, resource, action }.to_bytes();
    bytes.extend_from_slice(body);
    Message::Binary(bytes)
}

fn sql_body(sql: &str) -> Vec<u8> {
    [&1_u16.to_le_bytes()[..], &(sql.len() as u32).to_le_bytes(), sql.as_bytes()].concat()
}

impl Socket {
    fn binary_query(&mut self, request: u64, sql: &str) -> Value {
        self.send(&binary(request, 0, action::BINARY_QUERY, &sql_body(sql)));
        self.json()
    }

    fn fetch(&mut self, request: u64, result: u64) -> Vec<u8> {
        self.send(&binary(request, result, action::FETCH_RAW_BLOCK, &1_u16.to_le_bytes()));
        let Message::Binary(reply) = self.read() else { panic!("no block") };
        assert_eq!((&reply[..8], &reply[26..34]), (&[0xFF; 8][..], &request.to_le_bytes()[..]));
        reply
    }

    fn close_code(&mut self) -> u16 {
        match self.read() {
            Message::Close(Some((code, _))) => code,
            other => panic!("{other:?} is no close"),
        }
    }
}

#[test]
fn queries_and_blocks_in_binary() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    let update = socket.binary_query(u64::MAX, "CREATE DATABASE d");
    assert_eq!(
        (&update["action"], &update["is_update"], &update["id"], &update["fields_names"]),
        (&json!("binary_query"), &json!(true), &json!(0), &Value::Null)
    );
    assert_eq!((update["req_id"].as_u64(), &update["fields_precisions"]), (Some(u64::MAX), &Value::Null));
    let query = socket.binary_query(3, "SELECT CAST(1.5 AS DOUBLE), 'x'");
    assert_eq!((&query["id"], &query["fields_types"], &query["fields_scales"]), (&json!(1), &json!([7, 8]), &json!([0, 0])));
    let block = socket.fetch(4, 1);
    assert_eq!(block[50], 0);
    assert_eq!(raw_block::decode(&block[55..], embudo_types::Precision::Milli).unwrap().rows, 1);
    assert_eq!(socket.fetch(5, 1)[50..], [1]);
    // At the end it is gone.
    let gone = socket.fetch(6, 1);
    assert_eq!((&gone[34..38], &gone[42..55]), (&0xFFFF_u32.to_le_bytes()[..], &b"result is nil"[..]));
    let failed = socket.binary_query(7, "SELECT * FROM nope.t");
    assert_eq!((failed["code"].as_u64(), &failed["action"]), (Some(0x2662), &json!("binary_query")));
    for (body, message) in [
        (&[2, 0, 0, 0, 0, 0][..], "unknown binary query version:2"),
        (&[1, 0, 9, 0, 0, 0, b'x'], "uncompleted message, sql length:9, remainMessageLength:1"),
        (&[1], "message length is too short"),
    ] {
        socket.send(&binary(8, 0, action::BINARY_QUERY, body));
        assert_eq!(socket.json()["message"], message);
    }
    socket.send(&binary(9, 0, action::VALIDATE_SQL, &sql_body("selec 1")));
    let checked = socket.json();
    assert_eq!((&checked["code"], &checked["result_code"]), (&json!(0), &json!(0x2600)));
    socket.send(&binary(9, 0, 99, &[]));
    assert_eq!(socket.json()["message"], "unknown binary action 99");
    socket.send(&Message::Binary(vec![0; 23]));
    assert_eq!(socket.json()["message"], "message length is too short");
}

#[test]
fn settings_and_questions() {
    let server = start();
    let mut socket = Socket::open(server.address(), "/ws");
    assert_eq!(socket.ask(r#"{"action":"version"}"#)["version"], "3.3.6.13");
    let status = socket.ask(r#"{"action":"check_server_status","args":{"req_id":1,"fqdn":null,"port":6041}}"#);
    assert_eq!((&status["status"], &status["details"]), (&json!(2), &json!("")));
    let bad = socket.ask(r#"{"action":"conn","args":{"req_id":2,"user":"root","password":"taosdata","tz":"Nowhere/X"}}"#);
    assert_ne!(bad["code"], 0);
    let connected = socket.ask(r#"{"action":"conn","args":{"req_id":2,"user":"root","password":"taosdata","tz":"Asia/Shanghai"}}"#);
    assert_eq!((&connected["code"], &connected["version"]), (&json!(0), &json!("3.3.6.13")));
    let zone = |socket: &mut Socket| {
        let query = socket.query(5, "SELECT TO_CHAR(TO_TIMESTAMP('2024-01-01 00:00:00', 'yyyy-mm-dd hh24:mi:ss'), 'hh24'), TIMEZONE()");
        let id = query["id"].as_u64().unwrap();
        let reply = socket.fetch(6, id);
        String::from_utf8_lossy(&reply).into_owned()
    };
    assert!(zone(&mut socket).contains("Asia/Shanghai"));
    let set = |options: Value| json!({"action": "options_connection", "args": {"req_id": 7, "options": options}}).to_string();
    assert_eq!(socket.ask(&set(json!([{"option": 1, "value": "Europe/Paris"}, {"option": 3, "value": null}, {"option": 2, "value": "192.0.2.1"}])))["code"], 0);
    assert!(zone(&mut socket).contains("Europe/Paris"));
    assert_eq!(socket.ask(&set(json!([{"option": 1, "value": null}])))["code"], 0);
    assert!(zone(&mut socket).contains("UTC"));
    assert_ne!(socket.ask(&set(json!([{"option": 77, "value": "x"}])))["code"], 0);
    assert_eq!(socket.ask(r#"{"action":"get_connection_info","args":{"req_id":8}}"#)["info"], "root");
    assert_eq!(socket.ask("[1]")["message"], "unmarshal request error");
    assert_eq!(socket.ask("{}")["message"], "request no action");

    let newest = start_with(ServerOptions { advertised_version: "3.4.1.13".parse().unwrap(), ..ServerOptions::default() });
    let mut socket = Socket::open(newest.address(), "/ws");
    let connected = socket.ask(r#"{"action":"conn","args":{"req_id":2,"user":"root","password":"taosdata","list_instances":true}}"#);
    assert_eq!(connected["list_instances"], json!(["x"]));
    assert_eq!(socket.ask(r#"{"action":"get_connection_info","args":{"req_id":8,"info":0}}"#)["info"], "root");
}

#[test]
fn what_breaks_the_rules_is_closed_with_a_reason() {
    let server = start_with(ServerOptions { body_bytes: 1 << 16, ..ServerOptions::default() });
    for (frame, code) in [
        // Not masked.
        (&[0x81, 0x01, b'x'][..], 1002),
        // Compressed although nothing was agreed.
        (&[0xC1, 0x81, 0, 0, 0, 0, b'x'], 1002),
        // A ping in fragments, a continuation of nothing, an unknown kind.
        (&[0x09, 0x80, 0, 0, 0, 0], 1002),
        (&[0x80, 0x80, 0, 0, 0, 0], 1002),
        (&[0x83, 0x80, 0, 0, 0, 0], 1002),
        // Text that is not UTF-8.
        (&[0x81, 0x81, 0, 0, 0, 0, 0xFF], 1007),
        // More than a message may hold, announced.
        (&[0x82, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0], 1009),
    ] {
        let mut socket = Socket::log_in(server.address(), "");
        socket.stream.write_all(frame).unwrap();
        assert_eq!(socket.close_code(), code, "{frame:?}");
        assert!(socket.is_closed());
    }
    // A small message that would become a large one.
    let mut socket = Socket::open_with(server.address(), "/ws", "Sec-WebSocket-Extensions: permessage-deflate\r\n");
    socket.text(&format!("{{\"action\":\"{}\"}}", "x".repeat(1 << 20)));
    assert_eq!(socket.close_code(), 1009);
    // Strangers' messages are small, whatever users may send.
    let generous = start();
    for path in ["/ws", "/rest/tmq"] {
        let mut stranger = Socket::open(generous.address(), path);
        stranger.stream.write_all(&[0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0]).unwrap();
        assert_eq!(stranger.close_code(), 1009, "{path}");
    }
    let mut user = Socket::log_in(generous.address(), "");
    assert_eq!(user.query(1, &format!("SELECT 1{}", " ".repeat(1 << 17)))["code"], 0);
    // Requests that ask for no WebSocket are answered as such.
    let mut connection = crate::http::Connection::open(server.address());
    connection.send("GET", "/ws", &[], b"");
    assert_eq!(connection.read().unwrap().status, 400);
}

#[test]
fn replies_overtake_and_none_is_lost() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    socket.query(1, "CREATE DATABASE d");
    socket.query(1, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
    for request in 100..400 {
        socket.text(
            &json!({"action": "query", "args": {"req_id": request, "sql": format!("INSERT INTO d.t VALUES ({}, 1)", 1_700_000_000_000_i64 + request)}})
                .to_string(),
        );
    }
    let mut seen: Vec<u64> = (100..400).map(|_| socket.json()["req_id"].as_u64().unwrap()).collect();
    seen.sort_unstable();
    assert_eq!(seen, (100..400).collect::<Vec<_>>());
    let rows = socket.query(1, "SELECT * FROM d.t");
    assert_eq!(socket.ask(&json!({"action": "fetch", "args": {"req_id": 2, "id": rows["id"]}}).to_string())["rows"], 300);
}

#[test]
fn a_client_that_leaves_takes_its_queries_along() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    let query = slow_query(|sql| drop(socket.query(1, sql)));
    let mut leaving = Socket::log_in(server.address(), "");
    leaving.text(&json!({"action": "query", "args": {"req_id": 1, "sql": query}}).to_string());
    std::thread::sleep(Duration::from_millis(50));
    drop(leaving);
    let mut running = |sql: &str| {
        let id = socket.query(1, sql)["id"].clone();
        socket.ask(&json!({"action": "fetch", "args": {"req_id": 2, "id": id}}).to_string())["rows"].as_u64()
    };
    // SHOW QUERIES lists itself; SHOW CONNECTIONS this connection.
    wait_until("the session of a client that left is gone", || running("SHOW CONNECTIONS") == Some(1));
}

#[test]
fn results_that_nobody_fetches_are_dropped() {
    let server = start_with(ServerOptions { result_timeout: Duration::from_millis(200), ..ServerOptions::default() });
    let mut socket = Socket::log_in(server.address(), "");
    // On a loaded machine the server looks later than it means to.
    wait_until("a result is dropped", || {
        let id = socket.query(1, "SELECT 1")["id"].clone();
        std::thread::sleep(Duration::from_millis(500));
        let reply = socket.ask(&json!({"action": "fetch", "args": {"req_id": 2, "id": id}}).to_string());
        reply["message"] == "result is nil"
    });
}

#[test]
fn a_stop_finishes_what_is_under_way_and_says_goodbye() {
    let mut server = start();
    let mut idle = Socket::log_in(server.address(), "");
    let mut busy = Socket::log_in(server.address(), "");
    let query = vec!["SELECT SERVER_VERSION()"; 50].join(" UNION ALL ");
    busy.text(&json!({"action": "query", "args": {"req_id": 7, "sql": query}}).to_string());
    // Until it is under way, or even answered.
    busy.stream.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
    let mut other = crate::http::Connection::open(server.address());
    wait_until("the query runs", || busy.stream.peek(&mut [0]).is_ok() || other.sql("/rest/sql", "SHOW QUERIES").text().contains("UNION ALL"));
    drop(other);
    let begun = Instant::now();
    server.shutdown();
    // A stop waits 30 s for those that do not end.
    assert!(begun.elapsed() < Duration::from_secs(25));
    assert_eq!(busy.json()["code"], 0);
    assert_eq!((busy.close_code(), idle.close_code()), (1001, 1001));
}

#[test]
fn connections_count_against_the_limit_until_they_end() {
    let server = start_with(ServerOptions { connections: 2, ..ServerOptions::default() });
    let mut first = Socket::log_in(server.address(), "");
    let second = Socket::log_in(server.address(), "");
    let address = server.address();
    let third = std::thread::spawn(move || Socket::log_in(address, ""));
    std::thread::sleep(Duration::from_millis(100));
    assert!(!third.is_finished());
    drop(second);
    let _third = third.join().unwrap();
    assert_eq!(first.query(1, "SELECT 1")["code"], 0);
}

#[test]
fn statements_of_the_second_kind_say_what_they_take() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    socket.query(1, "CREATE DATABASE d PRECISION 'us'");
    socket.query(1, "USE d");
    socket.query(1, "CREATE STABLE s (ts TIMESTAMP, v VARCHAR(10), m DECIMAL(10,2)) TAGS (g INT, n NCHAR(4))");
    let opened = socket.ask(r#"{"action":"stmt2_init","args":{"req_id":2,"single_stb_insert":true,"single_table_bind_once":false}}"#);
    assert_eq!(opened["stmt_id"], 1);
    let prepare = |sql: &str| json!({"action": "stmt2_prepare", "args": {"req_id": 3, "stmt_id": 1, "sql": sql, "get_fields": true}}).to_string();
    let prepared = socket.ask(&prepare("INSERT INTO ? USING s TAGS (?, 'a') VALUES (?, ?, ?)"));
    assert_eq!((&prepared["is_insert"], &prepared["fields_count"]), (&json!(true), &json!(5)));
    assert_eq!(prepared["fields"][0]["bind_type"], 4);
    assert_eq!(prepared["fields"][1], json!({"name": "g", "field_type": 4, "precision": 0, "scale": 0, "bytes": 4, "bind_type": 2}));
    assert_eq!(prepared["fields"][2], json!({"name": "ts", "field_type": 9, "precision": 1, "scale": 0, "bytes": 8, "bind_type": 1}));
    assert_eq!(prepared["fields"][3]["bytes"], 12);
    assert_eq!((&prepared["fields"][4]["precision"], &prepared["fields"][4]["scale"]), (&json!(10), &json!(2)));
    let query = socket.ask(&prepare("SELECT * FROM s WHERE v = ? AND g > ?"));
    assert_eq!((&query["is_insert"], &query["fields"], &query["fields_count"]), (&json!(false), &Value::Null, &json!(2)));
    assert_eq!(socket.ask(&prepare("INSERT INTO ? VALUES (?, ?, ?)"))["code"], 0x022B);
    let failed = socket.ask(&prepare("selec ?"));
    assert_eq!((&failed["code"], &failed["stmt_id"]), (&json!(0x2600), &json!(1)));
    let close = r#"{"action":"stmt2_close","args":{"req_id":4,"stmt_id":1}}"#;
    assert_eq!(socket.ask(close)["code"], 0);
    assert_eq!(socket.ask(close)["message"], "stmt is nil");
}

#[test]
fn a_refused_binding_writes_nothing() {
    let server = start_with(ServerOptions { advertised_version: "3.4.1.13".parse().unwrap(), ..ServerOptions::default() });
    let mut socket = Socket::log_in(server.address(), "");
    socket.query(1, "CREATE DATABASE d");
    socket.query(1, "USE d");
    socket.query(1, "CREATE TABLE t1 (ts TIMESTAMP, v INT)");
    socket.ask(r#"{"action":"stmt2_init","args":{"req_id":2}}"#);
    socket.ask(r#"{"action":"stmt2_prepare","args":{"req_id":3,"stmt_id":1,"sql":"INSERT INTO t1 VALUES (?, ?)"}}"#);
    // Two columns by action 11: (1700000000000, 7).
    let column = |id: u32, bytes: &[u8]| {
        let total = 4 + 4 + 4 + 1 + 1 + 4 + bytes.len() as u32;
        [&total.to_le_bytes()[..], &id.to_le_bytes(), &1_u32.to_le_bytes(), &[0, 0], &(bytes.len() as u32).to_le_bytes(), bytes].concat()
    };
    let payload = |columns: &[Vec<u8>]| {
        let blocks = columns.concat();
        let head = [20 + blocks.len() as u32, 1, 1, columns.len() as u32, 20];
        [&1_u16.to_le_bytes()[..], &head.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>(), &blocks].concat()
    };
    let (ts, v) = (column(9, &1_700_000_000_000_i64.to_le_bytes()), column(4, &7_i32.to_le_bytes()));
    socket.send(&binary(5, 1, action::STATEMENT2_BIND_EXECUTE, &payload(&[ts.clone(), v.clone()])));
    let done = socket.json();
    assert_eq!((&done["action"], &done["affected"], &done["stmt_id"]), (&json!("stmt2_bind_exec"), &json!(1), &json!(1)));
    for broken in [payload(std::slice::from_ref(&ts)), payload(&[v, ts])[..30].to_vec(), vec![1, 0], vec![]] {
        socket.send(&binary(6, 1, action::STATEMENT2_BIND_EXECUTE, &broken));
        assert_ne!(socket.json()["code"], 0);
        socket.send(&binary(6, 1, action::STATEMENT2_BIND, &[&[1, 0, 255, 255, 255, 255][..], &broken].concat()));
        assert_ne!(socket.json()["code"], 0);
    }
    let rows = socket.query(1, "SELECT * FROM t1");
    assert_eq!(socket.ask(&json!({"action": "fetch", "args": {"req_id": 2, "id": rows["id"]}}).to_string())["rows"], 1);
}
