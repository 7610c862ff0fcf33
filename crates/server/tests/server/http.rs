//! A small HTTP/1.1 client that can also misbehave.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

/// What came back.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The body, inflated.
    pub body: Vec<u8>,
}

impl Response {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// One kept-alive connection.
pub struct Connection {
    pub stream: TcpStream,
    buffer: Vec<u8>,
}

pub const ROOT: (&str, &str) = ("authorization", "Basic cm9vdDp0YW9zZGF0YQ==");

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(crate::PATIENCE * 2)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::new() }
    }

    /// Runs a statement as root.
    pub fn sql(&mut self, path: &str, sql: &str) -> Response {
        self.request("POST", path, &[ROOT], sql.as_bytes())
    }

    /// Sends a request with its length and reads the answer.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let length = body.len().to_string();
        let mut all = headers.to_vec();
        all.push(("content-length", &length));
        self.send(method, path, &all, body);
        self.read().unwrap()
    }

    /// Sends a request as it is.
    pub fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let headers: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
        let mut bytes = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n{headers}\r\n").into_bytes();
        bytes.extend_from_slice(body);
        // The server may have refused and closed before everything was sent.
        let _ = self.stream.write_all(&bytes);
    }

    /// Reads one answer; `None` where the server closed instead.
    pub fn read(&mut self) -> Option<Response> {
        let end = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            self.fill()?;
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let mut lines = head.lines();
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
        let mut response = Response { status, headers, body: Vec::new() };
        if response.header("transfer-encoding") == Some("chunked") {
            response.body = self.read_chunks()?;
        } else if status != 204 {
            let length = response.header("content-length").map_or(0, |length| length.parse().unwrap());
            response.body = self.take(length)?;
        }
        if response.header("content-encoding") == Some("gzip") {
            let mut inflated = Vec::new();
            flate2::read::GzDecoder::new(&response.body[..]).read_to_end(&mut inflated).unwrap();
            response.body = inflated;
        }
        Some(response)
    }

    /// `None` where the body broke off.
    fn read_chunks(&mut self) -> Option<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let end = loop {
                if let Some(at) = find(&self.buffer, b"\r\n") {
                    break at;
                }
                self.fill()?;
            };
            let line = self.take(end + 2)?;
            let length = usize::from_str_radix(std::str::from_utf8(&line[..end]).unwrap(), 16).unwrap();
            let chunk = self.take(length + 2)?;
            if length == 0 {
                return Some(body);
            }
            body.extend_from_slice(&chunk[..length]);
        }
    }

    fn take(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < length {
            self.fill()?;
        }
        Some(self.buffer.drain(..length).collect())
    }

    /// Reads what is there; `None` at the connection's end.
    pub fn fill(&mut self) -> Option<()> {
        let mut chunk = vec![0; 64 << 10];
        let length = self.stream.read(&mut chunk).ok().filter(|&length| length > 0)?;
        self.buffer.extend_from_slice(&chunk[..length]);
        Some(())
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    bytes.windows(mark.len()).position(|window| window == mark)
}
