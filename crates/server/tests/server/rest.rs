//! REST beside statements: uploads, vgroups, the paths of TDengine 2, and who may do what there.

use embudo_server::{AdapterOptions, ServerOptions};

use crate::{http::Connection, start, start_with};

const BASIC: (&str, &str) = ("authorization", "Basic cm9vdDp0YW9zZGF0YQ==");

fn upload(connection: &mut Connection, path: &str, authorization: (&str, &str), file: &str) -> (u16, String) {
    let body = format!("--x\r\nContent-Disposition: form-data; name=\"data\"; filename=\"f.csv\"\r\n\r\n{file}\r\n--x--\r\n");
    let answer = connection.request("POST", path, &[authorization, ("content-type", "multipart/form-data; boundary=x")], body.as_bytes());
    (answer.status, answer.text())
}

#[test]
fn files_are_uploaded_whatever_stands_in_them() {
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE d");
    connection.sql("/rest/sql", "CREATE STABLE d.s (ts TIMESTAMP, v INT, b BOOL, n NCHAR(20)) TAGS (g INT)");
    connection.sql("/rest/sql", "CREATE TABLE d.c USING d.s TAGS (1)");
    let file = "1700000000000,1,true,\"it's, \\ \"\"quoted\"\"\"\n\n2023-11-14T22:13:21Z,,false,\n";
    let (status, text) = upload(&mut connection, "/rest/upload?db=d&table=c", BASIC, file);
    assert_eq!((status, text.as_str()), (200, r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[2]],"rows":1}"#));
    let rows = connection.sql("/rest/sql", "SELECT v, b, n FROM d.c").text();
    assert!(rows.contains(r#""data":[[1,true,"it's, \\ \"quoted\""],[null,false,null]]"#), "{rows}");
    let many: String = (0..40_000).map(|row| format!("{},{row},true,row {row}\n", 1_700_000_100_000_i64 + row)).collect();
    assert!(upload(&mut connection, "/rest/upload?db=d&table=c", BASIC, &many).1.contains("[[40000]]"));
    for (file, word) in [("1700000000000,\"1),(2\",true,x\n", "no value of column v"), ("1,2,true,x,y\n", "more fields"), ("1700000000000,x,true,x\n", "code")]
    {
        let (_, text) = upload(&mut connection, "/rest/upload?db=d&table=c", BASIC, file);
        assert!(text.contains(word) && !text.contains("\"code\":0"), "{file}: {text}");
    }
    let answer = connection.request("POST", "/rest/upload?db=d&table=c", &[BASIC, ("content-type", "text/csv")], b"1,2");
    assert!(answer.text().contains("named data"), "{}", answer.text());
}

#[test]
fn every_path_acts_as_the_user_that_logged_in() {
    let server = start();
    let mut connection = Connection::open(server.address());
    for sql in ["CREATE DATABASE d", "CREATE TABLE d.t (ts TIMESTAMP, v INT)", "CREATE USER u PASS 'Secret123_'"] {
        assert!(connection.sql("/rest/sql", sql).text().starts_with("{\"code\":0"), "{sql}");
    }
    // u:Secret123_
    let user = ("authorization", "Basic dTpTZWNyZXQxMjNf");
    let lines = "m,t=a v=1 1700000000000000000";
    let json = r#"[{"metric":"m","timestamp":1700000000,"value":1,"tags":{"t":"a"}}]"#;
    let calls: [(&str, &str); 7] = [
        ("/rest/sql/d", "SELECT * FROM t"),
        ("/rest/sql/d", "INSERT INTO t VALUES (NOW, 1)"),
        ("/rest/sql/d/vgid", "[\"t\"]"),
        ("/influxdb/v1/write?db=d", lines),
        ("/influxdb/v1/write?db=d&u=u&p=Secret123_", lines),
        ("/opentsdb/v1/put/telnet/d", "m 1700000000 1 t=a"),
        ("/opentsdb/v1/put/json/d", json),
    ];
    let refused = |text: &str| ["rivilege", "ermission", "Database not specified"].iter().any(|word| text.contains(word));
    for (path, body) in calls {
        let answer = connection.request("POST", path, &[user], body.as_bytes());
        assert!(refused(&answer.text()), "{path} {body}: {} {}", answer.status, answer.text());
        if path.contains("u=u") {
            // Before the header.
            continue;
        }
        let answer = connection.request("POST", path, &[BASIC], body.as_bytes());
        assert!(!refused(&answer.text()), "{path} {body}: {} {}", answer.status, answer.text());
    }
    let (_, text) = upload(&mut connection, "/rest/upload?db=d&table=t", user, "1700000000000,1\n");
    assert!(refused(&text), "{text}");
    let empty = snap_of_nothing();
    for path in ["/prometheus/v1/remote_write/d", "/prometheus/v1/remote_read/d"] {
        let answer = connection.request("POST", path, &[user], &empty);
        assert!(refused(&answer.text()), "{path}: {} {}", answer.status, answer.text());
    }
}

/// Snappy of an empty body.
fn snap_of_nothing() -> Vec<u8> {
    vec![0]
}

#[test]
fn old_paths_answer_as_they_did() {
    let server = start();
    let mut connection = Connection::open(server.address());
    connection.sql("/rest/sql", "CREATE DATABASE d");
    connection.sql("/rest/sql", "CREATE TABLE d.t (ts TIMESTAMP, v INT)");
    connection.sql("/rest/sql", "INSERT INTO d.t VALUES (1700000000123, 7)");
    for (path, rows) in [
        ("/rest/sqlt", "[[1700000000123,7]]"),
        ("/rest/sqlt/d", "[[1700000000123,7]]"),
        ("/rest/sqlutc", "[[\"2023-11-14T22:13:20.123Z\",7]]"),
        ("/rest/sqlutc/d", "[[\"2023-11-14T22:13:20.123Z\",7]]"),
    ] {
        let answer = connection.sql(path, "SELECT * FROM d.t").text();
        assert!(answer.contains(rows), "{path}: {answer}");
    }
    assert_eq!(connection.request("GET", "/genauth/root/taosdata/k", &[], b"").text(), "root:taosdata");
    for path in ["/-/ping", "/-/ping?action=query"] {
        assert_eq!(connection.request("GET", path, &[], b"").status, 200, "{path}");
    }
}

#[test]
fn what_the_adapter_can_be_set_to() {
    let adapter = AdapterOptions { http_code_server_error: true, restful_row_limit: Some(3), sml_auto_create_db: true };
    let server = start_with(ServerOptions { adapter, ..ServerOptions::default() });
    let mut connection = Connection::open(server.address());
    for (sql, status) in [("SELECT FROM", 400), ("SELECT * FROM d.missing", 500), ("SELECT 1", 200)] {
        assert_eq!(connection.sql("/rest/sql", sql).status, status, "{sql}");
    }
    let refused = connection.request("POST", "/rest/sql", &[("authorization", "Basic cm9vdDp3cm9uZw==")], b"SELECT 1");
    assert!(refused.status == 401 && refused.text().contains("\"code\":855"), "{} {}", refused.status, refused.text());
    for line in 0..5 {
        let written = connection.request("POST", "/influxdb/v1/write?db=made", &[BASIC], format!("m,t={line} v=1").as_bytes());
        assert_eq!(written.status, 204, "{}", written.text());
    }
    let rows = connection.sql("/rest/sql", "SELECT v FROM made.m").text();
    assert!(rows.contains("\"data\":[[1],[1],[1]],\"rows\":3}"), "{rows}");
    assert!(connection.sql("/rest/sql", "SHOW CREATE DATABASE made").text().contains("PRECISION 'ns'"));
}
