//! Passwords stay out of logs and lists, whichever way they come; guessing them takes its time.

use std::{
    io,
    sync::{Mutex, MutexGuard, OnceLock},
    time::{Duration, Instant},
};

use base64::Engine as _;
use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use crate::{
    frames::Socket,
    http::{Connection, ROOT},
    start,
};

/// What the whole test program logs, at the most talkative level.
struct Log(Mutex<Vec<u8>>);

fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    let log = LOG.get_or_init(|| Log(Mutex::default()));
    let _ = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).with_writer(log).try_init();
    log
}

struct Writer(MutexGuard<'static, Vec<u8>>);

impl io::Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for &'static Log {
    type Writer = Writer;

    fn make_writer(&self) -> Writer {
        Writer(self.0.lock().unwrap())
    }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

#[test]
fn no_log_and_no_list_shows_a_password() {
    const SECRET: &str = "Xyzzy!1947_secret";
    let log = log();
    let server = start();
    let mut root = Connection::open(server.address());
    for sql in [
        format!("CREATE USER spy PASS '{SECRET}'"),
        format!("ALTER USER spy PASS'{SECRET}'"),
        format!("CREATE USER spy2 PASS '{SECRET}' oops"),
        format!("SELECT '{SECRET}', pass FROM nowhere"),
    ] {
        root.sql("/rest/sql", &sql);
    }
    let right = basic("spy", SECRET);
    let wrong = basic("spy", &format!("{SECRET}x"));
    for authorization in [&right, &wrong] {
        root.request("POST", "/rest/sql", &[("authorization", authorization)], b"SELECT 1");
        root.request("POST", "/influxdb/v1/write?db=none", &[("authorization", authorization)], b"m v=1");
        root.request("POST", "/rest/upload?db=d&table=t", &[("authorization", authorization)], b"");
        root.request("POST", "/prometheus/v1/remote_write/d", &[("authorization", authorization)], b"");
    }
    root.request("POST", &format!("/influxdb/v1/write?db=none&u=spy&p={SECRET}"), &[], b"m v=1");
    root.request("GET", &format!("/rest/login/spy/{SECRET}"), &[], b"");
    root.request("GET", &format!("/rest/login/spy/{SECRET}x"), &[], b"");
    let mut socket = Socket::open(server.address(), "/ws");
    for password in [format!("{SECRET}x"), SECRET.to_owned()] {
        socket.ask(&json!({"action": "conn", "args": {"req_id": 1, "user": "spy", "password": password}}).to_string());
    }
    socket.query(2, &format!("ALTER USER spy PASS '{SECRET}'"));
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(text.contains("a login failed") && text.contains("spy"), "the log is caught");
    let encoded = base64::engine::general_purpose::STANDARD.encode(format!("spy:{SECRET}"));
    for secret in [SECRET, encoded.as_str()] {
        let shown: Vec<&str> = text.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{shown:?}");
    }
}

#[test]
fn guessing_passwords_takes_longer_each_time() {
    let server = start();
    let guess = |user: &str, address: &str| {
        let begun = Instant::now();
        let answer =
            Connection::open(server.address()).request("POST", "/rest/sql", &[("authorization", &basic(user, "guessed")), ("x-real-ip", address)], b"SELECT 1");
        assert!(answer.text().contains("\"code\":855"), "{}", answer.text());
        begun.elapsed()
    };
    let knows = || {
        let begun = Instant::now();
        let right = Connection::open(server.address()).request("POST", "/rest/sql", &[ROOT, ("x-real-ip", "192.0.2.1")], b"SELECT 1");
        assert!(right.text().contains("[[1]]"), "{}", right.text());
        begun.elapsed()
    };
    for _ in 0..10 {
        guess("root", "192.0.2.1");
    }
    // The tenth failure made it 1.6 s, the next one 3.2 s. On a loaded machine others may need a while as well.
    let wait = Duration::from_millis(1_500);
    assert!(guess("root", "192.0.2.1") >= wait);
    // Nobody else waits, and whoever knows the password waits once.
    let others = (0..5).map(|_| guess("root", "192.0.2.2")).min().unwrap();
    assert!(others < wait, "{others:?}");
    assert!(knows() >= wait);
    let forgiven = (0..5).map(|_| knows()).min().unwrap();
    assert!(forgiven < wait, "{forgiven:?}");
}
