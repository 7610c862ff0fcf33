//! The HTTP upgrade of a connected stream.

use std::{
    hash::{BuildHasher, Hasher},
    time::Duration,
};

use embudo_types::{Error, Result, code};
use embudo_wire::{
    execution::HEADER,
    websocket::{Extension, accept_key, negotiate, request_key},
};

use super::stream::Stream;
use crate::{Dsn, Host, HttpStatus};

/// Longest answer to the request.
const LONGEST: usize = 16 * 1024;

/// What the server granted.
pub struct Upgraded {
    /// Whether messages may be compressed.
    pub deflates: bool,
    /// Whether the server has Embudo's own actions.
    pub executes: bool,
    /// Bytes that came behind the answer's head.
    pub rest: Vec<u8>,
}

/// Asks for the upgrade and checks the answer.
pub fn upgrade(stream: &Stream, dsn: &Dsn, host: &Host, path: &str) -> Result<Upgraded> {
    let key = request_key(u128::to_ne_bytes(u128::from(random()) << 64 | u128::from(random())));
    let query = dsn
        .option("token")
        .map_or_else(String::new, |token| format!("?token={}", percent_encoding::utf8_percent_encode(token, percent_encoding::NON_ALPHANUMERIC)));
    let mut request = format!(
        "GET {path}{query} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\nUser-Agent: embudo/{}\r\n",
        env!("CARGO_PKG_VERSION")
    );
    let compress = dsn.flag("compression")?.unwrap_or(false);
    if compress {
        request.extend(["Sec-WebSocket-Extensions: ", Extension::HEADER, "\r\n"]);
    }
    request.push_str("\r\n");
    let failed =
        |source: std::io::Error| Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, format!("asking {host} for a WebSocket: {source}")).caused_by(source);
    stream.write_all(request.as_bytes()).map_err(failed)?;
    stream.set_read_timeout(Some(dsn.duration("connect_timeout")?.unwrap_or(Duration::from_secs(10)))).map_err(failed)?;
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        let count = stream.read(&mut buffer).map_err(failed)?;
        if count == 0 || bytes.len() > LONGEST {
            return Err(failed(std::io::ErrorKind::UnexpectedEof.into()));
        }
        bytes.extend_from_slice(&buffer[..count]);
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status: u16 = head.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    if status != 101 {
        let what = format!("{host} has no WebSocket at {path}: it answered with HTTP status {status}; is it TDengine's port 6041?");
        return Err(Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, what).caused_by(HttpStatus { status }));
    }
    if header(&head, "sec-websocket-accept") != Some(accept_key(&key).as_str()) {
        return Err(Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, format!("{host} answered the upgrade with a wrong key")));
    }
    let deflates = compress && header(&head, "sec-websocket-extensions").is_some_and(negotiate);
    let (name, value) = HEADER;
    let executes = header(&head, name).is_some_and(|actions| actions.split(',').any(|action| action.trim() == value));
    Ok(Upgraded { deflates, executes, rest: bytes[end + 4..].to_vec() })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().filter_map(|line| line.split_once(':')).find(|(key, _)| key.trim().eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

/// Bits that nobody can foresee: the seeds of the standard library's hash maps come from the operating system.
pub fn random() -> u64 {
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}
