//! WebSocket conversations recorded between clients and a TDengine 3.3.1 with its adapter, replayed against a server that says it is one. They
//! lie outside this repository; where they are missing the tests say so and pass.

use std::{collections::HashMap, io::Write, path::PathBuf, time::Duration};

use arrow_array::Array;
use embudo_engine::{Engine, EngineOptions, Session};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_types::{Precision, Zone};
use embudo_wire::{raw_block, websocket::Message};
use serde_json::Value;

use crate::{
    frames::{Socket, from_hex},
    translation::{Translation, is_raw, without_places},
};

/// Replies whose text differs on purpose, by a part of what was recorded.
const DIFFERENT: [(&str, &str); 4] = [
    ("[0x-7ffffdd6] ", "the recorded text has a code that was printed wrongly"),
    ("stmt parse tag json:", "the recorded text is that of a JSON library"),
    ("unexpected mode: ", "the recorded number is an address in memory"),
    ("\"server_version()\"", "the field is as long as the version, which here is always this server's own"),
];
/// Members that differ from run to run, or from build to build.
const VARYING: [&str; 3] = ["timing", "version", "info"];

struct Replay {
    server: ServerHandle,
    sockets: HashMap<u64, Conversation>,
    differences: Vec<String>,
    last_sent: String,
    translation: Translation,
}

struct Conversation {
    socket: Socket,
    /// What came while something else was awaited.
    early: Vec<Message>,
    deflates: bool,
    /// The last statement that was sent.
    sql: String,
}

fn replay(name: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../../../shared/golden/wire/{name}.jsonl"));
    let Ok(recording) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is not there", path.display());
        return;
    };
    let mut lines = recording.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..EngineOptions::memory() }).unwrap();
    set_up(&engine.session("root").unwrap(), &lines.next().unwrap());
    let advertised_version = "3.3.1.0.alpha".parse().unwrap();
    let options = ServerOptions { listen: "127.0.0.1:0".into(), advertised_version, ..ServerOptions::default() };
    let server = Server::start(engine, options).unwrap();
    let mut replay = Replay { server, sockets: HashMap::new(), differences: Vec::new(), last_sent: String::new(), translation: Translation::default() };
    for line in lines {
        replay.step(&line);
    }
    assert!(replay.differences.is_empty(), "{name}: {} differ\n{}", replay.differences.len(), replay.differences.join("\n"));
}

fn set_up(session: &Session, head: &Value) {
    let run = |sql: &str| {
        let result = session.execute(sql, &[]).and_then(embudo_types::ResultSet::collect);
        assert!(result.is_ok(), "{sql}: {}", result.unwrap_err());
    };
    head["setup"].as_array().unwrap().iter().filter_map(Value::as_str).for_each(run);
    let rows = &head["setup_rows"];
    if rows.is_object() {
        let number = |key: &str| rows[key].as_i64().unwrap();
        let values: String = (0..number("rows")).map(|row| format!("({},{})", number("ts0") + row, row % number("modulo"))).collect();
        run(&format!("insert into {} values {values}", rows["table"].as_str().unwrap()));
    }
}

impl Replay {
    fn step(&mut self, line: &Value) {
        let number = line["conn"].as_u64().unwrap_or(1);
        if let Some(path) = line["path"].as_str() {
            let extensions = line["headers"]["sec-websocket-extensions"].as_str();
            let headers = extensions.map(|value| format!("Sec-WebSocket-Extensions: {value}\r\n")).unwrap_or_default();
            let socket = Socket::open_with(self.server.address(), path, &headers);
            self.sockets.insert(number, Conversation { socket, early: Vec::new(), deflates: extensions.is_some(), sql: String::new() });
            return;
        }
        if line["status"].is_u64() {
            let granted = line["headers"]["sec-websocket-extensions"].as_str();
            let conversation = &self.sockets[&number];
            assert_eq!(granted.is_some_and(|value| conversation.socket.answer.contains(value)), granted.is_some(), "{line}");
            return;
        }
        let conversation = self.sockets.get_mut(&number).unwrap();
        match line["from"].as_str() {
            Some("client") => {
                self.last_sent = line.to_string();
                conversation.send(line, &self.translation);
            }
            Some(_) => {
                if let Some(difference) = conversation.expect(line, &mut self.translation) {
                    self.differences.push(format!("{}\n   want {line}\n   got  {difference}", self.last_sent));
                }
            }
            None => {
                if let Some(message) = conversation.socket.read_within(Duration::from_millis(40)) {
                    self.differences.push(format!("{}\n   want no answer\n   got  {message:?}", self.last_sent));
                }
            }
        }
    }
}

impl Conversation {
    fn send(&mut self, line: &Value, translation: &Translation) {
        let bytes = || from_hex(line["hex"].as_str().unwrap());
        if line["compressed"].is_string() {
            // As it was sent, in a masked frame with the bit for compression.
            let payload = bytes();
            assert!(payload.len() < 126);
            let mut frame = vec![0xC1, 0x80 | payload.len() as u8];
            frame.extend_from_slice(&[0; 4]);
            frame.extend_from_slice(&payload);
            self.socket.stream.write_all(&frame).unwrap();
            return;
        }
        let message = match (line["op"].as_str(), line["text"].as_str()) {
            (Some("ping"), _) => Message::Ping(bytes()),
            (Some("pong"), _) => Message::Pong(bytes()),
            (Some(_), _) => Message::Close(None),
            (None, Some(text)) => Message::Text(text.into()),
            (None, None) => Message::Binary(bytes()),
        };
        if let Some(sql) = json(&message).and_then(|request| request["args"]["sql"].as_str().map(str::to_owned)) {
            self.sql = sql;
        }
        self.socket.send(&translation.request(message));
    }

    /// Waits for the reply that a line tells of; gives what came instead.
    fn expect(&mut self, line: &Value, translation: &mut Translation) -> Option<String> {
        if line["op"] == "ping" {
            return None;
        }
        let mut want = line.clone();
        if line["compressed"].is_string() {
            assert!(self.deflates);
            want["text"] = inflate(&from_hex(line["hex"].as_str().unwrap())).into();
        }
        let place = self.early.iter().position(|message| answers(message, &want));
        let message = match place {
            Some(place) => self.early.remove(place),
            None => loop {
                match self.socket.read_within(crate::PATIENCE) {
                    None => return Some(format!("nothing; before: {:?}", self.early)),
                    Some(message) if answers(&message, &want) => break message,
                    Some(message) => self.early.push(message),
                }
            },
        };
        // Lists have no order.
        difference(&message, &want, self.sql.starts_with("show "), translation)
    }
}

fn inflate(payload: &[u8]) -> String {
    let mut out = Vec::with_capacity(1 << 16);
    flate2::Decompress::new(false).decompress_vec(payload, &mut out, flate2::FlushDecompress::Sync).unwrap();
    String::from_utf8(out).unwrap()
}

fn json(message: &Message) -> Option<Value> {
    if let Message::Text(text) = message { serde_json::from_str(text).ok() } else { None }
}

/// Whether a message is the reply that is meant, right or wrong.
fn answers(message: &Message, want: &Value) -> bool {
    if want["op"].is_string() {
        return matches!(message, Message::Pong(_));
    }
    match want["text"].as_str() {
        None => matches!(message, Message::Binary(_)) || json(message).is_some_and(|got| got["action"] == "fetch_block"),
        Some(text) => {
            let want: Value = serde_json::from_str(text).unwrap();
            json(message).is_some_and(|got| (&got["action"], got.get("req_id")) == (&want["action"], want.get("req_id")))
        }
    }
}

fn difference(message: &Message, want: &Value, in_any_order: bool, translation: &mut Translation) -> Option<String> {
    let same = match message {
        Message::Text(got) => {
            let Some(text) = want["text"].as_str() else { return Some(got.clone()) };
            // A fetch and a `free_result` that cross: either may be first.
            let crossed = text.contains("result is nil") && got.contains("\"completed\":true");
            translation.learn(text, got);
            crossed || DIFFERENT.iter().any(|(part, _)| text.contains(part)) || without_varying(got) == without_varying(text)
        }
        // A timing is in front.
        Message::Binary(got) => {
            let want = from_hex(want["hex"].as_str().unwrap());
            if is_raw(&want) {
                let (got, want) = translation.raw(got, &want);
                return (got != want).then(|| format!("{got:02x?}\n   want {want:02x?}"));
            }
            got[8..] == want[8..] || (got.len() == want.len() && rows(got, in_any_order) == rows(&want, in_any_order))
        }
        Message::Pong(got) => *got == from_hex(want["hex"].as_str().unwrap()),
        Message::Ping(_) | Message::Close(_) => false,
    };
    (!same).then(|| match message {
        Message::Binary(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        other => format!("{other:?}"),
    })
}

/// The rows of a block: bits behind the last row and values behind a NULL are whatever was in the recorded server's memory.
fn rows(reply: &[u8], in_any_order: bool) -> Vec<String> {
    // The head of a reply about a message is longer.
    let is_block = |at: usize| reply.get(at + 4..at + 8) == Some(&((reply.len() - at) as u32).to_le_bytes());
    let block = raw_block::decode(&reply[if is_block(24) { 24 } else { 16 }..], Precision::Milli).unwrap();
    let row = |row: usize| block.columns.iter().map(|(data_type, array)| format!("{data_type} {:?}", array.slice(row, 1))).collect();
    let mut rows: Vec<String> = (0..block.rows).map(row).collect();
    if in_any_order {
        rows.sort();
    }
    rows
}

/// A reply's text with zeros for what varies: also the order of members and the escapes are compared.
fn without_varying(text: &str) -> String {
    let mut text = text.to_owned();
    let members: Value = serde_json::from_str(&text).unwrap();
    for name in VARYING {
        if let Some(value) = members.get(name) {
            text = text.replace(&format!("\"{name}\":{value}"), &format!("\"{name}\":0"));
        }
    }
    without_places(&text)
}

macro_rules! recordings {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*
    };
}

recordings!(
    raw_deflate,
    raw_keepalive,
    raw_rest_schemaless,
    raw_rest_stmt,
    raw_rest_ws,
    raw_tmq,
    raw_tmq_meta,
    raw_ws_errors,
    raw_ws_query,
    raw_ws_schemaless,
    raw_ws_stmt,
    raw_ws_write_raw,
    taosws_blocks,
    taosws_errors,
    taosws_plain,
    taosws_schemaless,
    taosws_stmt,
    taosws_stmt2,
    taosws_tags,
    taosws_tmq,
    taosws_tmq_errors,
    taosws_types
);
