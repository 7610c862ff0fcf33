//! Conversations recorded between clients and a TDengine 3.3.1 with its adapter, replayed. A line may say why ours differs: then the answer
//! is not compared.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{http::Connection, start};

/// Headers that are compared.
const COMPARED: [&str; 6] = [
    "content-type",
    "content-encoding",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-max-age",
];

fn replay(name: &str, recording: &str) {
    let server = start();
    let mut connection = Connection::open(server.address());
    let mut lines = recording.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    for sql in lines.next().unwrap()["setup"].as_array().unwrap() {
        let answer = connection.sql("/rest/sql", sql.as_str().unwrap());
        assert!(answer.text().starts_with("{\"code\":0,"), "{name}: {sql}: {}", answer.text());
    }
    let mut differences = Vec::new();
    for line in lines {
        let request = &line["request"];
        let headers: Vec<(&str, &str)> = request["headers"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
        let body = request["body_hex"].as_str().map_or_else(|| request["body"].as_str().unwrap_or("").as_bytes().to_vec(), from_hex);
        connection.send(request["method"].as_str().unwrap(), request["path"].as_str().unwrap(), &headers, &body);
        let answer = connection.read().unwrap();
        if line.get("differs").is_some() {
            continue;
        }
        let want = &line["answer"];
        let got_headers: BTreeMap<&str, &str> = COMPARED.into_iter().filter_map(|name| Some((name, answer.header(name)?))).collect();
        let want_headers: BTreeMap<&str, &str> = COMPARED.into_iter().filter_map(|name| Some((name, want["headers"].get(name)?.as_str()?))).collect();
        let chunked = |headers: Option<&str>| headers == Some("chunked");
        let same = u64::from(answer.status) == want["status"].as_u64().unwrap()
            && without_time(&answer.text()) == without_time(want["body"].as_str().unwrap_or(""))
            && got_headers == want_headers
            && chunked(answer.header("transfer-encoding")) == chunked(want["headers"].get("transfer-encoding").and_then(Value::as_str));
        if !same {
            differences.push(format!("{request}\n   want {want}\n   got  {} {:?} {}", answer.status, answer.headers, answer.text()));
        }
    }
    assert!(differences.is_empty(), "{name}: {} differ\n{}", differences.len(), differences.join("\n"));
}

/// The time that a statement took is another every time.
fn without_time(body: &str) -> &str {
    body.find(",\"timing\":").map_or(body, |at| &body[..at])
}

fn from_hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

macro_rules! recordings {
    ($($name:ident),*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name), include_str!(concat!("recorded/", stringify!($name), ".jsonl")));
        })*
    };
}

recordings!(errors, types_ms, types_us, types_ns, tags, gzip, taosrest, login, ingest, upload);
