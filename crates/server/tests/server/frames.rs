//! A WebSocket client for tests, which may also send what no client should.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use embudo_wire::websocket::{Decoder, Encoder, Message, Role};
use serde_json::Value;

use crate::PATIENCE;

/// One connection.
pub struct Socket {
    pub stream: TcpStream,
    decoder: Decoder,
    deflates: bool,
    /// The head of the answer to the upgrade.
    pub answer: String,
}

impl Socket {
    /// Connects and upgrades.
    pub fn open(address: SocketAddr, path: &str) -> Self {
        Self::open_with(address, path, "")
    }

    /// The same with further header lines.
    pub fn open_with(address: SocketAddr, path: &str, headers: &str) -> Self {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.push(byte[0]);
        }
        let answer = String::from_utf8(head).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 101 "), "{answer}");
        let deflates = answer.contains("permessage-deflate");
        Self { stream, decoder: Decoder::new(Role::Client, deflates, 1 << 30), deflates, answer }
    }

    /// Opens `/ws` and logs in.
    pub fn log_in(address: SocketAddr, database: &str) -> Self {
        let mut socket = Self::open(address, "/ws");
        let reply = socket.ask(&format!(r#"{{"action":"conn","args":{{"req_id":1,"user":"root","password":"taosdata","db":"{database}"}}}}"#));
        assert_eq!(reply["code"], 0, "{reply}");
        socket
    }

    pub fn send(&mut self, message: &Message) {
        let mut bytes = Vec::new();
        Encoder::new(Role::Client, self.deflates, 3).encode(message, &mut bytes);
        self.stream.write_all(&bytes).unwrap();
    }

    pub fn text(&mut self, text: &str) {
        self.send(&Message::Text(text.into()));
    }

    /// The next message but pings and pongs.
    pub fn read(&mut self) -> Message {
        loop {
            match self.read_within(PATIENCE).expect("a message") {
                Message::Ping(_) | Message::Pong(_) => {}
                message => return message,
            }
        }
    }

    /// The next message; `None` when the time is over or the connection closed.
    pub fn read_within(&mut self, limit: Duration) -> Option<Message> {
        let end = Instant::now() + limit;
        loop {
            if let Some(message) = self.decoder.next().unwrap() {
                return Some(message);
            }
            let left = end.saturating_duration_since(Instant::now());
            self.stream.set_read_timeout(Some(left.max(Duration::from_millis(1)))).unwrap();
            let mut buffer = vec![0; 65_536];
            match self.stream.read(&mut buffer) {
                Ok(count) if count > 0 => self.decoder.feed(&buffer[..count]),
                _ => return None,
            }
        }
    }

    /// Whether the server has closed the connection, within a while.
    pub fn is_closed(&mut self) -> bool {
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut buffer = vec![0; 65_536];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
            }
        }
    }

    /// Sends a text and reads the reply, which is JSON.
    pub fn ask(&mut self, text: &str) -> Value {
        self.text(text);
        self.json()
    }

    pub fn json(&mut self) -> Value {
        match self.read() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("{other:?} is no JSON"),
        }
    }

    /// Runs a statement the old way.
    pub fn query(&mut self, request: u64, sql: &str) -> Value {
        self.ask(&serde_json::json!({"action": "query", "args": {"req_id": request, "sql": sql}}).to_string())
    }
}

pub fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}
