//! The REST driver against a scripted HTTP server: what it sends, that it keeps connections, what errors become.

#![expect(clippy::unwrap_used, reason = "the scripted server is part of the tests")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
    sync::mpsc,
    thread,
};

use embudo_client::{ConnectOptions, Driver, Dsn, HttpStatus, connect};
use embudo_types::{Outcome, Value, code};

/// A request as it came in: its head's lines and its body.
struct Seen {
    head: Vec<String>,
    body: String,
    connection: usize,
}

/// Answers each request with the next `(status, body)`; tells what came in.
fn server(answers: Vec<(u16, &'static str)>) -> (u16, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, seen) = mpsc::channel();
    thread::spawn(move || {
        let mut answers = answers.into_iter();
        for (connection, stream) in listener.incoming().enumerate() {
            let mut stream = stream.unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            loop {
                let mut head = Vec::new();
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    if reader.read_line(&mut line).unwrap_or(0) == 0 {
                        break;
                    }
                    let line = line.trim_end().to_owned();
                    if line.is_empty() {
                        break;
                    }
                    if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    head.push(line);
                }
                if head.is_empty() {
                    break;
                }
                let mut body = vec![0; length];
                reader.read_exact(&mut body).unwrap();
                let _ = tell.send(Seen { head, body: String::from_utf8(body).unwrap(), connection });
                let Some((status, answer)) = answers.next() else { return };
                write!(stream, "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{answer}", answer.len()).unwrap();
            }
        }
    });
    (port, seen)
}

fn open(dsn: &str) -> Box<dyn Driver> {
    connect(&Dsn::parse(dsn).unwrap(), &ConnectOptions::default()).unwrap()
}

const DONE: &str = r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[0]],"rows":1}"#;
const ONE: &str = r#"{"code":0,"column_meta":[["a","INT",4]],"data":[[1]],"rows":1}"#;

#[test]
fn requests_carry_what_the_session_holds() {
    let (port, seen) = server(vec![(200, DONE), (200, ONE), (200, ONE)]);
    let driver = open(&format!("taosrest://bob:a%3Ab@127.0.0.1:{port}/first?timezone=Asia/Shanghai"));
    assert!(driver.execute("USE Second", &[]).unwrap().is_update());
    let rows = driver.execute("SELECT ?", &[Value::Varchar(b"it's".to_vec())]).unwrap().collect().unwrap();
    assert_eq!(rows[0].num_rows(), 1);
    let request = embudo_client::Request { sql: "SELECT 1", request_id: Some(7), ..Default::default() };
    driver.run(&request).unwrap().collect().unwrap();
    let seen: Vec<Seen> = seen.iter().take(3).collect();
    assert_eq!(seen[0].head[0], "POST /rest/sql/first?conn_tz=Asia%2FShanghai HTTP/1.1");
    assert!(seen[0].head.iter().any(|line| line.eq_ignore_ascii_case("authorization: Basic Ym9iOmE6Yg==")), "{:?}", seen[0].head);
    assert_eq!(seen[0].body, "USE Second");
    assert_eq!(seen[1].head[0], "POST /rest/sql/second?conn_tz=Asia%2FShanghai HTTP/1.1");
    assert_eq!(seen[1].body, "SELECT 'it''s'");
    assert_eq!(seen[2].head[0], "POST /rest/sql/second?conn_tz=Asia%2FShanghai&req_id=7 HTTP/1.1");
    assert!(seen.iter().all(|request| request.connection == 0), "every request on one connection");
}

#[test]
fn errors_carry_code_text_and_status() {
    let (port, _seen) = server(vec![(200, r#"{"code":534,"desc":"syntax error near \"x\""}"#), (401, r#"{"code":4357,"desc":"no auth"}"#), (503, "busy")]);
    let driver = open(&format!("taosrest://127.0.0.1:{port}"));
    let failure = || driver.execute("x", &[]).err().unwrap();
    let status =
        |error: &embudo_types::Error| std::error::Error::source(error).and_then(|source| source.downcast_ref::<HttpStatus>()).map(|source| source.status);
    let syntax = failure();
    assert_eq!((syntax.code().0, syntax.message(), status(&syntax)), (0x0216, "syntax error near \"x\"", None));
    let refused = failure();
    assert_eq!((refused.code().0, refused.message(), status(&refused)), (4357, "no auth", Some(401)));
    let busy = failure();
    assert_eq!((busy.message(), status(&busy)), ("HTTP status 503: busy", Some(503)));
}

#[test]
fn the_second_host_answers_when_the_first_is_away() {
    let (port, _seen) = server(vec![(200, DONE)]);
    // The near end of a connection: taken, and nobody listens there.
    let far = TcpListener::bind("127.0.0.1:0").unwrap();
    let near = std::net::TcpStream::connect(far.local_addr().unwrap()).unwrap();
    let away = near.local_addr().unwrap().port();
    let driver = open(&format!("taosrest://127.0.0.1:{away},127.0.0.1:{port}"));
    assert!(matches!(driver.execute("x", &[]).unwrap().outcome, Outcome::Affected(0)));
    let error = open(&format!("taosrest://127.0.0.1:{away}")).execute("x", &[]).err().unwrap();
    assert_eq!(error.code(), code::UNABLE_TO_ESTABLISH_CONNECTION);
    assert!(error.message().starts_with(&format!("nothing answers on 127.0.0.1:{away}; start `embudo serve`")), "{error}");
}

#[test]
fn an_answer_that_does_not_come_times_out() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let driver = open(&format!("taosrest://127.0.0.1:{}?timeout=100ms", listener.local_addr().unwrap().port()));
    assert_eq!(driver.execute("x", &[]).err().unwrap().code(), code::CONN_READ_TIMEOUT);
}
