//! Embudo's own actions: one message with a statement, one back with its first rows.

use embudo_server::ServerOptions;
use embudo_types::{Precision, Value};
use embudo_wire::{
    binary_message::{Head, action},
    execution::{self, HEADER},
    raw_block,
    stmt2::{self, BoundColumn, TableBind},
    websocket::Message,
};
use serde_json::{Value as Json, json};

use crate::{frames::Socket, start, start_with};

/// What a statement was answered with: its members, whether there is more, the rows of the first block.
struct Answer {
    members: Json,
    has_more: bool,
    rows: usize,
}

impl Socket {
    fn executed(&mut self, message: Vec<u8>) -> Answer {
        let request = u64::from_le_bytes(message[..8].try_into().unwrap());
        self.send(&Message::Binary(message));
        let Message::Binary(reply) = self.read() else { panic!("no reply in bytes") };
        assert_eq!((&reply[..8], &reply[26..34]), (&[0xFF; 8][..], &request.to_le_bytes()[..]));
        let executed = execution::read_reply(&reply).unwrap();
        let members: Json = serde_json::from_slice(executed.members).unwrap();
        assert_eq!(members["req_id"], request);
        let rows = executed.block.map_or(0, |block| raw_block::decode(block, Precision::Milli).unwrap().rows);
        Answer { members, has_more: executed.has_more, rows }
    }

    fn execute(&mut self, request: u64, sql: &str, parameters: &[Value]) -> Answer {
        self.executed(execution::execute_request(request, sql, parameters))
    }

    fn refused(&mut self, message: Vec<u8>) -> Json {
        self.send(&Message::Binary(message));
        self.json()
    }
}

#[test]
fn a_server_tells_of_its_own_actions_unless_it_passes_for_another() {
    let line = format!("{}: {}", HEADER.0, HEADER.1);
    assert!(Socket::open(start().address(), "/ws").answer.contains(&line));
    let other = start_with(ServerOptions { advertised_version: "3.3.1.0".parse().unwrap(), ..ServerOptions::default() });
    assert!(!Socket::open(other.address(), "/ws").answer.contains(HEADER.0));
    assert!(!Socket::open(start().address(), "/rest/ws").answer.contains(HEADER.0));
}

#[test]
fn statements_are_answered_with_their_rows() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    let made = socket.execute(1, "CREATE DATABASE d", &[]);
    assert_eq!((&made.members["action"], &made.members["is_update"], made.has_more), (&json!("execute"), &json!(true), false));
    socket.execute(2, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)", &[]);
    let insert = "INSERT INTO d.t VALUES (?, ?)";
    let written = socket.execute(3, insert, &[Value::Timestamp(1_700_000_000_000), Value::BigInt(5)]);
    assert_eq!((&written.members["affected_rows"], written.rows), (&json!(1), 0));
    let point = socket.execute(4, "SELECT v FROM d.t WHERE ts = ?", &[Value::Timestamp(1_700_000_000_000)]);
    assert_eq!((&point.members["fields_names"], point.rows, point.has_more), (&json!(["v"]), 1, false));
    // Nothing of it is held.
    assert_eq!(point.members["id"], 0);
    let none = socket.execute(5, "SELECT v FROM d.t WHERE ts = 5", &[]);
    assert_eq!((&none.members["fields_types"], none.rows, none.has_more), (&json!([5]), 0, false));
    let values: String = (0..9_000).map(|row| format!("({},{row})", 1_700_000_000_001_i64 + row)).collect();
    socket.execute(6, &format!("INSERT INTO d.t VALUES {values}"), &[]);
    let many = socket.execute(7, "SELECT * FROM d.t", &[]);
    assert_eq!((many.rows, many.has_more, &many.members["id"]), (4_096, true, &json!(1)));
    let mut rows = many.rows;
    loop {
        let mut bytes = Head { request: 8, resource: 1, action: action::FETCH_RAW_BLOCK }.to_bytes();
        bytes.extend_from_slice(&1_u16.to_le_bytes());
        socket.send(&Message::Binary(bytes));
        let Message::Binary(reply) = socket.read() else { panic!("no block") };
        match reply[50] {
            0 => rows += raw_block::decode(&reply[55..], Precision::Milli).unwrap().rows,
            _ => break,
        }
    }
    assert_eq!(rows, 9_001);
}

#[test]
fn failures_are_answered_as_those_of_other_actions() {
    let server = start();
    let mut stranger = Socket::open(server.address(), "/ws");
    assert_eq!(stranger.refused(execution::execute_request(1, "SELECT 1", &[]))["message"], "server not connected");
    let mut socket = Socket::log_in(server.address(), "");
    let failed = socket.refused(execution::execute_request(2, "SELECT * FROM nope.t", &[]));
    assert_eq!((failed["code"].as_u64(), &failed["action"], &failed["req_id"]), (Some(0x2662), &json!("execute"), &json!(2)));
    let mut short = execution::execute_request(3, "SELECT ?", &[Value::Int(1)]);
    short.pop();
    assert_eq!(socket.refused(short)["message"], "message length is too short");
    let missing = socket.refused(execution::execute_statement_request(4, 99, &[]));
    assert_eq!((&missing["action"], &missing["stmt_id"], &missing["message"]), (&json!("execute_statement"), &json!(99), &json!("stmt is nil")));
    assert_eq!(socket.execute(5, "SELECT 1", &[]).rows, 1);
}

#[test]
fn prepared_statements_bind_and_run_at_once() {
    let server = start();
    let mut socket = Socket::log_in(server.address(), "");
    socket.execute(1, "CREATE DATABASE d", &[]);
    socket.execute(1, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)", &[]);
    let prepare = |socket: &mut Socket, sql: &str| {
        let id = socket.ask(r#"{"action":"stmt2_init","args":{"req_id":2}}"#)["stmt_id"].as_u64().unwrap();
        let prepared = socket.ask(&json!({"action": "stmt2_prepare", "args": {"req_id": 3, "stmt_id": id, "sql": sql}}).to_string());
        assert_eq!(prepared["code"], 0, "{prepared}");
        id
    };
    let column = |data_type, array| BoundColumn { data_type, array, present: None };
    let payload = |columns: Vec<BoundColumn>| stmt2::encode(&[TableBind { name: None, tags: Vec::new(), columns }]).unwrap();
    let times = std::sync::Arc::new(arrow_array::TimestampMillisecondArray::from_iter_values([1_700_000_000_000, 1_700_000_000_001]));
    let numbers = |numbers: &[i64]| std::sync::Arc::new(arrow_array::Int64Array::from_iter_values(numbers.iter().copied()));
    let insert = prepare(&mut socket, "INSERT INTO d.t VALUES (?, ?)");
    let rows = payload(vec![column(embudo_types::DataType::Timestamp, times), column(embudo_types::DataType::BigInt, numbers(&[4, 5]))]);
    let written = socket.executed(execution::execute_statement_request(5, insert, &rows));
    assert_eq!((&written.members["affected_rows"], &written.members["stmt_id"]), (&json!(2), &json!(insert)));
    let query = prepare(&mut socket, "SELECT v FROM d.t WHERE v > ?");
    for (than, count) in [(3, 2), (4, 1), (5, 0)] {
        let parameter = payload(vec![column(embudo_types::DataType::BigInt, numbers(&[than]))]);
        let given = socket.executed(execution::execute_statement_request(6, query, &parameter));
        assert_eq!((given.rows, given.has_more), (count, false));
    }
}
