//! Who is let in, on every path: tokens of users, second factors, lists of hosts; and whose connection ends.

use std::net::SocketAddr;

use embudo_client::{ConnectOptions, Dsn, connect};
use embudo_server::ServerHandle;
use embudo_types::subscription::SubscribeOptions;
use serde_json::{Value, json};

use crate::{
    frames::Socket,
    http::{Connection, ROOT},
    start, wait_until,
};

/// Runs a statement as root and gives its rows.
fn root(address: SocketAddr, sql: &str) -> Value {
    let answer = Connection::open(address).sql("/rest/sql", sql);
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(answer["code"], 0, "{sql}: {answer}");
    answer["data"].clone()
}

/// The one cell of a statement's answer.
fn cell(address: SocketAddr, sql: &str) -> String {
    root(address, sql)[0][0].as_str().unwrap().to_owned()
}

/// Asks who a request is let in as.
fn whoami(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let answer = Connection::open(address).request("POST", path, headers, b"SELECT CURRENT_USER()");
    (answer.status, answer.text())
}

/// Opens `/ws` and sends `conn`.
fn conn(address: SocketAddr, path: &str, headers: &str, arguments: &Value) -> (Socket, Value) {
    let mut socket = Socket::open_with(address, path, headers);
    let reply = socket.ask(&json!({"action": "conn", "args": arguments}).to_string());
    (socket, reply)
}

fn subscribe(address: SocketAddr, headers: &str, mut arguments: Value) -> (Socket, Value) {
    let mut socket = Socket::open_with(address, "/rest/tmq", headers);
    for (name, value) in [("req_id", json!(1)), ("group_id", json!("g")), ("topics", json!(["tp"]))] {
        arguments[name] = value;
    }
    let reply = socket.ask(&json!({"action": "subscribe", "args": arguments}).to_string());
    (socket, reply)
}

/// A database with a topic, and a user that may read both.
fn user_of_everything(server: &ServerHandle, create: &str) {
    for sql in [
        "CREATE DATABASE d",
        "CREATE TABLE d.t (ts TIMESTAMP, v INT)",
        "CREATE TOPIC tp AS DATABASE d",
        create,
        "GRANT ALL ON d.* TO ann",
        "GRANT SUBSCRIBE ON tp TO ann",
    ] {
        root(server.address(), sql);
    }
}

#[test]
fn a_token_opens_every_path() {
    let server = start();
    let address = server.address();
    user_of_everything(&server, "CREATE USER ann PASS 'secret'");
    let token = cell(address, "CREATE TOKEN reports FROM USER ann");
    let bearer = format!("Bearer {token}");
    let url = format!("/rest/sql?token={token}");
    for (path, headers) in [
        ("/rest/sql", vec![("authorization", bearer.as_str())]),
        (url.as_str(), vec![]),
        (url.as_str(), vec![("authorization", "Bearer of what a gateway adds")]),
        (&format!("{url}?req_id=5"), vec![]),
        ("/rest/sqlt", vec![("authorization", bearer.as_str())]),
    ] {
        let (status, text) = whoami(address, path, &headers);
        assert!(status == 200 && text.contains("\"ann@"), "{path}: {status} {text}");
    }
    for (path, authorization, body) in [
        ("/influxdb/v1/write?db=d", bearer.clone(), "m v=1"),
        ("/api/v2/write?bucket=d", format!("Token {token}"), "m v=2"),
        ("/opentsdb/v1/put/telnet/d", bearer.clone(), "m2 1700000000 1 a=b"),
    ] {
        let answer = Connection::open(address).request("POST", path, &[("authorization", &authorization)], body.as_bytes());
        assert_eq!(answer.status, 204, "{path}: {}", answer.text());
    }
    for (path, arguments) in [
        ("/ws", json!({"req_id": 1, "bearer_token": token})),
        ("/ws", json!({"req_id": 1, "user": "root", "password": "wrong", "totp_code": "000000", "bearer_token": token})),
        (format!("/ws?token={token}").as_str(), json!({"req_id": 1, "user": "root", "password": "taosdata"})),
    ] {
        let (mut socket, reply) = conn(address, path, "", &arguments);
        assert_eq!(reply["code"], 0, "{reply}");
        for (info, want) in [(0, "ann"), (1, "reports")] {
            assert_eq!(socket.ask(&json!({"action": "get_connection_info", "args": {"req_id": 2, "info": info}}).to_string())["info"], want);
        }
    }
    for arguments in [json!({"bearer_token": token}), json!({"user": "root", "password": "wrong", "config": {"td.connect.token": token}})] {
        assert_eq!(subscribe(address, "", arguments).1["code"], 0);
    }
    for dsn in
        [format!("taosrest://{address}?bearer_token={token}"), format!("taosws://{address}?bearerToken={token}"), format!("taosws://{address}?token={token}")]
    {
        let driver = connect(&Dsn::parse(&dsn).unwrap(), &ConnectOptions::default()).unwrap();
        driver.execute("SELECT * FROM d.t", &[]).unwrap();
        assert!(driver.execute("DROP USER ann", &[]).is_err(), "the token has the user's rights");
        if dsn.starts_with("taosws") {
            driver.subscribe(SubscribeOptions::new("of the client", ["tp"])).unwrap();
        }
    }
    // A user's own password still counts, and has no token.
    let (mut socket, _) = conn(address, "/ws", "", &json!({"req_id": 1, "user": "ann", "password": "secret"}));
    assert_eq!(socket.ask(&json!({"action": "get_connection_info", "args": {"req_id": 2, "info": 1}}).to_string())["info"], "");
}

#[test]
fn a_token_that_is_none_opens_nothing() {
    let server = start();
    let address = server.address();
    user_of_everything(&server, "CREATE USER ann PASS 'secret'");
    let token = cell(address, "CREATE TOKEN t FROM USER ann");
    let other = format!("{}{}", &token[..62], if token.ends_with('x') { 'y' } else { 'x' });
    let refused = |token: &str, reason: &str| {
        let (status, text) = whoami(address, "/rest/sql", &[("authorization", &format!("Bearer {token}"))]);
        assert!(status == 200 && text.contains("\"code\":855") && text.contains(reason), "{status} {text}");
        let (_, reply) = conn(address, "/ws", "", &json!({"req_id": 1, "user": "root", "password": "taosdata", "bearer_token": token}));
        assert_eq!((&reply["code"], &reply["message"]), (&json!(855), &json!(reason)), "{reply}");
        let (_, reply) = subscribe(address, "", json!({"user": "root", "password": "taosdata", "config": {"td.connect.token": token}}));
        assert_eq!((&reply["code"], &reply["message"]), (&json!(855), &json!(reason)), "{reply}");
    };
    refused(&other, "Invalid token");
    let (status, text) = whoami(address, "/rest/sql", &[("authorization", "Bearer short")]);
    assert!(status == 401 && text.contains("4386"), "{status} {text}");
    // Somebody whose token is taken away is gone: at once on a connection, with the next request on REST.
    let (mut held, _) = conn(address, "/ws", "", &json!({"req_id": 1, "bearer_token": token}));
    root(address, "ALTER TOKEN t ENABLE 0");
    assert!(held.is_closed());
    refused(&token, "Token is disabled");
    root(address, "ALTER TOKEN t ENABLE 1");
    let (mut held, reply) = conn(address, "/ws", "", &json!({"req_id": 1, "bearer_token": token}));
    assert_eq!(reply["code"], 0);
    root(address, "ALTER TOKEN t EXTRA_INFO 'no reason to go'");
    assert_eq!(held.query(2, "SELECT 1")["code"], 0);
    root(address, "DROP TOKEN t");
    assert!(held.is_closed());
    refused(&token, "Invalid token");
    let token = cell(address, "CREATE TOKEN t FROM USER ann");
    let (mut held, _) = conn(address, "/ws", "", &json!({"req_id": 1, "bearer_token": token}));
    root(address, "ALTER USER ann ENABLE 0");
    assert_eq!(held.query(2, "SELECT 1")["code"], 0x0315);
    let (_, reply) = conn(address, "/ws", "", &json!({"req_id": 1, "bearer_token": token}));
    assert_eq!(reply["code"], 0x0315, "{reply}");
    // Consumers ask at each poll.
    root(address, "ALTER USER ann ENABLE 1");
    let (mut consumer, reply) = subscribe(address, "", json!({"bearer_token": token}));
    assert_eq!(reply["code"], 0, "{reply}");
    root(address, "ALTER USER ann ENABLE 0");
    let poll = json!({"action": "poll", "args": {"req_id": 3, "blocking_time": 0}}).to_string();
    assert_eq!(consumer.ask(&poll)["code"], 0x0315);
    root(address, "ALTER USER ann ENABLE 1");
    assert_eq!(consumer.ask(&poll)["code"], 0);
    root(address, "DROP USER ann");
    assert!(consumer.is_closed());
    refused(&token, "Invalid token");
}

/// What a user's second factor gives now, told by the secret's text.
fn totp_code(secret: &str) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let secret = data_encoding::BASE32_NOPAD.decode(secret.as_bytes()).unwrap();
    embudo_engine::TotpSecret::new(secret).code(now.as_secs()).unwrap()
}

#[test]
fn a_second_factor_is_asked_for() {
    let server = start();
    let address = server.address();
    root(address, "CREATE USER ann PASS 'secret'");
    let secret = cell(address, "CREATE TOTP_SECRET FOR USER ann");
    let log_in = |code: &str| conn(address, "/ws", "", &json!({"req_id": 1, "user": "ann", "password": "secret", "totp_code": code})).1;
    let wrong = |reply: &Value| assert_eq!((&reply["code"], &reply["message"]), (&json!(855), &json!("Wrong TOTP code")), "{reply}");
    wrong(&log_in(""));
    let code = totp_code(&secret);
    wrong(&log_in(if code == "000000" { "000001" } else { "000000" }));
    assert_eq!(log_in(&code)["code"], 0);
    // Clients open several connections with one code; from elsewhere it is worth nothing.
    assert_eq!(log_in(&code)["code"], 0);
    let elsewhere = conn(address, "/ws", "X-Real-IP: 192.0.2.9\r\n", &json!({"req_id": 1, "user": "ann", "password": "secret", "totp_code": code})).1;
    wrong(&elsewhere);
    // REST has no place for a code: a token is for that.
    let (_, text) = whoami(address, "/rest/sql", &[("authorization", "Basic YW5uOnNlY3JldA==")]);
    assert!(text.contains("Wrong TOTP code"), "{text}");
    let login = Connection::open(address).request("GET", "/rest/login/ann/secret", &[], b"");
    assert_eq!(login.status, 401);
    let token = cell(address, "CREATE TOKEN t FROM USER ann");
    assert!(whoami(address, "/rest/sql", &[("authorization", &format!("Bearer {token}"))]).1.contains("ann@"));
    let driver = connect(&Dsn::parse(&format!("taosws://ann:secret@{address}?totp_code={}", totp_code(&secret))).unwrap(), &ConnectOptions::default()).unwrap();
    driver.execute("SELECT 1", &[]).unwrap();
    root(address, "DROP TOTP_SECRET FROM USER ann");
    assert_eq!(log_in("")["code"], 0);
    // The secret that a seed stands for is the one that the function tells.
    root(address, "CREATE USER bob PASS 'secret' TOTPSEED 'seed'");
    let code = totp_code(&cell(address, "SELECT GENERATE_TOTP_SECRET('seed')"));
    assert_eq!(conn(address, "/ws", "", &json!({"req_id": 1, "user": "bob", "password": "secret", "totp_code": code})).1["code"], 0);
}

#[test]
fn lists_of_hosts_keep_others_out() {
    let server = start();
    let address = server.address();
    user_of_everything(&server, "CREATE USER ann PASS 'secret' HOST '10.0.0.0/8'");
    let token = cell(address, "CREATE TOKEN t FROM USER ann");
    let bearer = format!("Bearer {token}");
    let ann = ("authorization", "Basic YW5uOnNlY3JldA==");
    for authorization in [ann, ("authorization", bearer.as_str())] {
        for (from, status, part) in
            [("10.1.2.3", 200, "ann@"), ("192.0.2.1", 403, "{\"code\":65535,\"desc\":\"whitelist prohibits current IP access\"}"), ("127.0.0.1", 200, "ann@")]
        {
            let (got, text) = whoami(address, "/rest/sql", &[authorization, ("x-real-ip", from)]);
            assert!(got == status && text.contains(part), "{from}: {got} {text}");
        }
    }
    for (path, status, part) in [
        ("/influxdb/v1/write?db=d", 401, "\"forbidden\""),
        ("/opentsdb/v1/put/telnet/d", 403, "\"code\":403"),
        ("/prometheus/v1/remote_write/d", 403, "whitelist"),
        ("/rest/sql/d/vgid", 403, "whitelist"),
    ] {
        let body: &[u8] = if path.ends_with("vgid") {
            b"[\"t\"]"
        } else if path.contains("prometheus") {
            b"\0"
        } else {
            b"m v=1"
        };
        let answer = Connection::open(address).request("POST", path, &[ann, ("x-real-ip", "192.0.2.1")], body);
        assert!(answer.status == status && answer.text().contains(part), "{path}: {} {}", answer.status, answer.text());
    }
    let outside = "X-Real-IP: 192.0.2.1\r\n";
    let credentials = json!({"req_id": 1, "user": "ann", "password": "secret"});
    let (mut socket, reply) = conn(address, "/ws", outside, &credentials);
    assert_eq!((&reply["code"], &reply["message"]), (&json!(65535), &json!("ip not in whitelist")), "{reply}");
    // The session is left as it was: somebody else may log in.
    assert_eq!(socket.ask(&json!({"action": "conn", "args": {"req_id": 2, "user": "root", "password": "taosdata"}}).to_string())["code"], 0);
    let (_, reply) = subscribe(address, outside, credentials.clone());
    assert_eq!((&reply["code"], &reply["message"]), (&json!(65535), &json!("ip not in whitelist")), "{reply}");
    // Whoever never had a list may come from everywhere.
    assert!(whoami(address, "/rest/sql", &[ROOT, ("x-real-ip", "192.0.2.1")]).1.contains("root@"));
}

#[test]
fn connections_end_that_may_not_go_on() {
    let server = start();
    let address = server.address();
    user_of_everything(&server, "CREATE USER ann PASS 'secret' HOST '10.0.0.0/8', '192.0.2.0/24'");
    let from = |ip: &str| format!("X-Real-IP: {ip}\r\n");
    let credentials = json!({"req_id": 1, "user": "ann", "password": "secret"});
    let open = |ip: &str| {
        let (socket, reply) = conn(address, "/ws", &from(ip), &credentials);
        assert_eq!(reply["code"], 0, "{reply}");
        socket
    };
    let (mut inside, mut outside, mut here) = (open("10.0.0.1"), open("192.0.2.1"), open("127.0.0.1"));
    let (mut consumer, reply) = subscribe(address, &from("192.0.2.1"), credentials.clone());
    assert_eq!(reply["code"], 0, "{reply}");
    root(address, "ALTER USER ann DROP HOST '192.0.2.0/24'");
    assert!(outside.is_closed() && consumer.is_closed());
    for socket in [&mut inside, &mut here] {
        assert_eq!(socket.query(2, "SELECT 1")["code"], 0);
    }
    root(address, "DROP USER ann");
    assert!(inside.is_closed() && here.is_closed());
    wait_until("nobody is listed any more", || {
        root(address, "SELECT * FROM performance_schema.perf_connections WHERE `user` = 'ann'").as_array().unwrap().is_empty()
    });
}

#[test]
fn lists_show_program_and_address_as_clients_say_them() {
    let server = start();
    let address = server.address();
    let arguments = json!({"req_id": 1, "user": "root", "password": "taosdata", "app": "weather", "ip": "192.0.2.44"});
    let (mut socket, _) = conn(address, "/ws", "", &arguments);
    let shown = || {
        let rows = root(address, "SHOW CONNECTIONS");
        let found: Vec<_> = rows.as_array().unwrap().iter().filter(|row| row[2] != "rest").map(|row| (row[7].clone(), row[8].clone())).collect();
        found
    };
    assert_eq!(shown(), [(json!("weather"), json!("192.0.2.44"))]);
    let set = |options: Value| json!({"action": "options_connection", "args": {"req_id": 2, "options": options}}).to_string();
    socket.ask(&set(json!([{"option": 3, "value": "other"}, {"option": 2, "value": "192.0.2.45"}])));
    assert_eq!(shown(), [(json!("other"), json!("192.0.2.45"))]);
    socket.ask(&set(json!([{"option": 2, "value": null}])));
    assert_eq!(shown(), [(json!("other"), json!("192.0.2.44"))]);
    socket.ask(&set(json!([{"option": -1, "value": null}])));
    assert_eq!(shown(), [(json!("weather"), json!("192.0.2.44"))]);
}
