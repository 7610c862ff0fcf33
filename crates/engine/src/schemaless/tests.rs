//! Lines in, rows out.

use std::collections::BTreeMap;

use embudo_types::{Outcome, Value, Zone, arrow, code};
use embudo_wire::schemaless::{LineProtocol, TimeUnit};
use proptest::prelude::*;

use super::LineOptions;
use crate::{Engine, EngineOptions, Session};

const TIME: i64 = 1_710_028_800_000;

fn session() -> Session {
    let session = Engine::open(EngineOptions::memory()).unwrap().session("root").unwrap();
    session.set_zone(Zone::utc());
    rows(&session, "CREATE DATABASE d KEEP 3650");
    session.use_database("d").unwrap();
    session
}

/// Rows as text, cells by `|`.
fn rows(session: &Session, sql: &str) -> Vec<String> {
    let result = session.execute(sql, &[]).unwrap();
    if let Outcome::Affected(rows) = result.outcome {
        return vec![rows.to_string()];
    }
    let types: Vec<_> = result.schema.fields().iter().map(|field| arrow::data_type(field).unwrap()).collect();
    let mut rows = Vec::new();
    for batch in result.collect().unwrap() {
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(&types).map(|(array, data_type)| match embudo_expr::value_at(array, *data_type, row) {
                Value::Null => "-".to_owned(),
                Value::Varchar(bytes) | Value::VarBinary(bytes) => String::from_utf8(bytes).unwrap(),
                Value::NChar(text) => text,
                Value::Bool(value) => value.to_string(),
                Value::TinyInt(value) => value.to_string(),
                Value::Int(value) => value.to_string(),
                Value::BigInt(value) | Value::Timestamp(value) => value.to_string(),
                Value::Double(value) => value.to_string(),
                Value::Float(value) => value.to_string(),
                other => format!("{other:?}"),
            });
            rows.push(cells.collect::<Vec<_>>().join("|"));
        }
    }
    rows
}

fn options<'a>() -> LineOptions<'a> {
    LineOptions { unit: TimeUnit::Milli, ..LineOptions::new(LineProtocol::Influx) }
}

fn write(session: &Session, text: &str) -> u64 {
    session.write_lines(text, &options()).unwrap_or_else(|error| panic!("{text}: {error}")).affected_rows
}

fn refused(session: &Session, text: &str) -> (u16, String) {
    let error = session.write_lines(text, &options()).unwrap_err();
    (error.code().0, error.message().to_owned())
}

/// Name, type and length of columns and tags.
fn described(session: &Session, table: &str) -> Vec<String> {
    rows(session, &format!("DESCRIBE `{table}`")).iter().map(|row| row.split('|').take(4).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn supertables_are_made_as_recorded() {
    let session = session();
    assert_eq!(write(&session, &format!(r#"st,t1=3,t2=4,t3="t3" c1=3i64,c3="passit",c2=false,c4=4f64 {TIME}"#)), 1);
    assert_eq!(write(&session, &format!("st,t1=3,t2=4,t3=\"t3\" c1=9i64 {}", TIME + 2_000)), 1);
    assert_eq!(
        described(&session, "st"),
        ["_ts TIMESTAMP 8 ", "c1 BIGINT 8 ", "c3 VARCHAR 8 ", "c2 BOOL 1 ", "c4 DOUBLE 8 ", "t1 NCHAR 2 TAG", "t2 NCHAR 2 TAG", "t3 NCHAR 8 TAG"]
    );
    assert_eq!(
        rows(&session, "SELECT tbname, * FROM st ORDER BY _ts"),
        [
            format!("t_17d1cfdd30855b7f6d956157345f1099|{TIME}|3|passit|false|4|3|4|\"t3\""),
            format!("t_17d1cfdd30855b7f6d956157345f1099|{}|9|-|-|-|3|4|\"t3\"", TIME + 2_000)
        ]
    );
    write(&session, &format!("notag v=1 {TIME}"));
    assert_eq!(described(&session, "notag"), ["_ts TIMESTAMP 8 ", "v DOUBLE 8 ", "_tag_null NCHAR 1 TAG"]);
    write(&session, &format!("vb,t=a v=B\"abc\",g=G\"POINT(1 1)\",n=L\"中\" {TIME}"));
    assert_eq!(described(&session, "vb")[1..4], ["v VARBINARY 4 ", "g GEOMETRY 32 ", "n NCHAR 4 "]);
    write(&session, &format!("a.b,t=x v=1 {TIME}"));
    assert_eq!(rows(&session, "SELECT v FROM a_b"), ["1"]);
}

#[test]
fn columns_and_tags_are_added_and_lengthened() {
    let session = session();
    write(&session, &format!("m,t=a v=1,s=\"x\" {TIME}"));
    write(&session, &format!("m,t=a,u=long-tag v=1,w=2,s=\"0123456789\" {}\nm,t=aaaa v=3 {TIME}", TIME + 1));
    assert_eq!(described(&session, "m"), ["_ts TIMESTAMP 8 ", "v DOUBLE 8 ", "s VARCHAR 16 ", "w DOUBLE 8 ", "t NCHAR 8 TAG", "u NCHAR 16 TAG"]);
    assert_eq!(rows(&session, "SELECT t, u, v, w, s FROM m ORDER BY t, u"), ["a|-|1|-|x", "a|long-tag|1|2|0123456789", "aaaa|-|3|-|-"]);
    write(&session, &format!("m,t=a s=\"{}\" {TIME}", "y".repeat(1_500)));
    assert_eq!(described(&session, "m")[2], "s VARCHAR 1500 ");
    // Widening what SQL made, whose time column has another name.
    rows(&session, "CREATE STABLE made (ts TIMESTAMP, v DOUBLE) TAGS (t NCHAR(2))");
    write(&session, &format!("made,t=abc v=1 {TIME}"));
    assert_eq!(rows(&session, "SELECT ts, v, t FROM made"), [format!("{TIME}|1|abc")]);
}

#[test]
fn absent_fields_keep_what_was_there() {
    let session = session();
    write(&session, &format!("m,t=a v=1,w=1 {TIME}\nm,t=a v=2 {TIME}\nm,t=b w=5 {TIME}"));
    write(&session, &format!("m,t=a w=7 {TIME}"));
    assert_eq!(rows(&session, "SELECT t, v, w FROM m ORDER BY t"), ["a|2|7", "b|-|5"]);
}

#[test]
fn a_bad_line_refuses_the_whole_call() {
    let session = session();
    write(&session, &format!("m,t=a v=1 {TIME}"));
    for (text, want) in [
        (format!("m,t=a v=2 {TIME}\nm,t=a v=3i {TIME}"), (0x3004, "Not the same type like before (line 2)")),
        (format!("n,t=a v=2 {TIME}\nm,t=a v=\"x\" {TIME}"), (0x3002, "Invalid data format (line 2)")),
        (format!("new,t=a v=2 {TIME}\nbad"), (0x3002, "cols is empty (line 2)")),
        (format!("new,t=a v=2,v=3 {TIME}"), (0x021D, "duplicated column names")),
        (format!("new,t=a,t=b v=2 {TIME}"), (0x021D, "duplicated column names")),
        (format!("new,t=a t=2 {TIME}"), (0x021D, "duplicated column names")),
        (format!("new,v=a v=2 {TIME}"), (0x021D, "duplicated column names")),
        (format!("m,v=a x=2 {TIME}"), (0x021D, "duplicated column names")),
        ("new,t=a v=2 1".into(), (0x060B, "Timestamp data out of range")),
        ("new,t=a v=2 -1".into(), (0x0127, "Invalid timestamp format")),
        ("new,t=a v=2 99999999999999999".into(), (0x060B, "Timestamp data out of range")),
    ] {
        assert_eq!(refused(&session, &text), (want.0, want.1.to_owned()), "{text}");
    }
    assert_eq!(rows(&session, "SHOW STABLES"), ["m"]);
    assert_eq!(rows(&session, "SELECT v FROM m"), ["1"]);
    rows(&session, "CREATE TABLE plain (ts TIMESTAMP, v DOUBLE)");
    rows(&session, "CREATE STABLE keyed (ts TIMESTAMP, k INT PRIMARY KEY, v DOUBLE) TAGS (t NCHAR(2))");
    assert_eq!(refused(&session, &format!("plain,t=a v=2 {TIME}")).0, 0x3002);
    assert_eq!(refused(&session, &format!("keyed,t=a v=2 {TIME}")).0, 0x3006);
}

#[test]
fn times_are_scaled_and_default_to_now() {
    let session = session();
    let mut second = options();
    second.unit = TimeUnit::Second;
    session.write_lines("m,t=a v=1 1710028800", &second).unwrap();
    write(&session, "m,t=b v=1\nm,t=c v=1 0");
    assert_eq!(rows(&session, "SELECT _ts FROM m WHERE t = 'a'"), [TIME.to_string()]);
    assert_eq!(rows(&session, "SELECT COUNT(*) FROM m WHERE _ts > NOW - 1h"), ["2"]);
}

#[test]
fn children_are_named_and_expire_as_asked() {
    let session = session();
    let named = LineOptions { ttl: 5, table_name_key: Some("name"), ..options() };
    session.write_lines(&format!("m,name=n.1,t=a v=1 {TIME}\nm,t=b v=2 {TIME}\nm,name=n.1,t=c v=3 {}", TIME + 1), &named).unwrap();
    assert_eq!(rows(&session, "SELECT tbname, v, t FROM m WHERE t = 'a' ORDER BY _ts"), ["n_1|1|a", "n_1|3|a"]);
    assert_eq!(rows(&session, "SELECT `ttl` FROM information_schema.ins_tables WHERE table_name = 'n_1'"), ["5"]);
    assert_eq!(described(&session, "m").len(), 3);
    let error = session.write_lines(&format!("other,name=n.1 v=1 {TIME}"), &named).unwrap_err();
    assert_eq!(error.code(), code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES);
}

#[test]
fn the_other_protocols() {
    let session = session();
    let telnet = LineOptions::new(LineProtocol::Telnet);
    let written = session.write_lines("put sys.cpu 1700000000000 1.5 host=h1 dc=a\n\nsys.cpu 1700000001 2.5 host=h2", &telnet).unwrap();
    assert_eq!((written.affected_rows, written.total_rows), (2, 2));
    assert_eq!(rows(&session, "SELECT _ts, _value, `host`, dc FROM sys_cpu ORDER BY _ts"), ["1700000000000|1.5|h1|a", "1700000001000|2.5|h2|-"]);
    let json = LineOptions::new(LineProtocol::Json);
    let text = r#"[{"metric":"js.m","timestamp":1700000000000,"value":10.5,"tags":{"loc":"x","id":1}},
        {"metric":"js.m","timestamp":1700000001000,"value":{"value":7,"type":"double"},"tags":{"loc":"y"}}]"#;
    assert_eq!(session.write_lines(text, &json).unwrap().total_rows, 2);
    assert_eq!(rows(&session, "SELECT _value, loc, id FROM js_m ORDER BY _ts"), ["10.5|x|1", "7|y|-"]);
    let changed = r#"{"metric":"js.m","timestamp":1700000000000,"value":{"value":7,"type":"int"},"tags":{"loc":"x"}}"#;
    assert_eq!(session.write_lines(changed, &json).unwrap_err().code(), code::INVALID_DATA_FORMAT);
}

#[test]
fn children_known_by_their_text_are_the_right_ones() {
    let session = session();
    let both = format!("m,a=1,b=2 v=1 {TIME}\nm,b=2,a=1 v=2 {TIME}\nn,a=1,b=2 v=3 {TIME}");
    for _ in 0..3 {
        // One child by two texts: the later line counts.
        assert_eq!(write(&session, &both), 2);
        assert_eq!(rows(&session, "SELECT v, a, b FROM m"), ["2|1|2"]);
    }
    // A dropped child and a dropped supertable are made anew, a dropped tag is added again.
    rows(&session, &format!("DROP TABLE {}", rows(&session, "SELECT DISTINCT tbname FROM m")[0]));
    write(&session, &format!("m,a=1,b=2 v=4 {TIME}"));
    assert_eq!(rows(&session, "SELECT v, a, b FROM m"), ["4|1|2"]);
    rows(&session, "DROP TABLE m");
    write(&session, &format!("m,a=1,b=2 v=5 {TIME}"));
    assert_eq!(rows(&session, "SELECT v, a, b FROM m"), ["5|1|2"]);
    rows(&session, "ALTER STABLE m DROP TAG b");
    write(&session, &format!("m,a=1,b=2 v=6 {TIME}"));
    assert_eq!(rows(&session, "SELECT v, a, b FROM m"), ["6|1|-"]);
    // The same text in another database.
    rows(&session, "CREATE DATABASE e KEEP 3650");
    session.use_database("e").unwrap();
    write(&session, &format!("x,k=1 v=0 {TIME}\nm,a=1,b=2 v=7 {TIME}"));
    assert_eq!(rows(&session, "SELECT v FROM e.m"), ["7"]);
    assert_eq!(rows(&session, "SELECT v FROM d.m"), ["6"]);
}

#[test]
fn points_that_are_no_lines_are_known_by_their_series_too() {
    let session = session();
    let telnet = LineOptions::new(LineProtocol::Telnet);
    let point = |value: f64, tags: &str| format!("put sys.cpu 1700000000000 {value} {tags}");
    for round in 0..3 {
        let text =
            [point(1.0, "host=h1 dc=a"), point(2.0, "host=h1"), point(3.0, "host=\"h1\" dc=a"), point(4.0 + f64::from(round), "dc=a host=h1")].join("\n");
        let written = session.write_lines(&text, &telnet).unwrap();
        assert_eq!((written.affected_rows, written.total_rows), (3, 4), "round {round}");
        let last = format!("{}|h1|a", 4 + round);
        assert_eq!(rows(&session, "SELECT CAST(_value AS INT), `host`, dc FROM sys_cpu ORDER BY _value DESC LIMIT 1"), [last]);
    }
    assert_eq!(rows(&session, "SELECT COUNT(*) FROM sys_cpu"), ["3"]);
    // Dropped, they are made anew.
    rows(&session, "DROP TABLE sys_cpu");
    session.write_lines(&point(7.0, "host=h1 dc=a"), &telnet).unwrap();
    assert_eq!(rows(&session, "SELECT _value, dc FROM sys_cpu"), ["7|a"]);
    let json = LineOptions::new(LineProtocol::Json);
    let text = |value: i32, id: &str| format!(r#"{{"metric":"js.m","timestamp":1700000000000,"value":{value}.5,"tags":{{"loc":"x","id":{id}}}}}"#);
    for value in 0..3 {
        // A number and a text that look alike are two children; here the tag's type forbids the second.
        session.write_lines(&text(value, "1"), &json).unwrap();
        assert!(session.write_lines(&text(9, "\"1\""), &json).is_err());
        assert_eq!(rows(&session, "SELECT _value, id FROM js_m"), [format!("{value}.5|1")]);
    }
}

#[test]
fn a_database_is_needed() {
    let session = Engine::open(EngineOptions::memory()).unwrap().session("root").unwrap();
    assert_eq!(session.write_lines("m v=1", &options()).unwrap_err().code(), code::DATABASE_NOT_SPECIFIED_OR_AVAILABLE);
}

/// The fields of a point that are there.
type Fields = (Option<i32>, Option<i64>, Option<String>);
/// A point: series, time, fields that are there.
type Drawn = (u8, i64, Option<i32>, Option<i64>, Option<String>);

fn drawn() -> impl Strategy<Value = Drawn> {
    let fields = (proptest::option::of(-50..50), proptest::option::of(any::<i64>()), proptest::option::of("[a-z ,=\"\\\\]{0,12}"));
    (0..5_u8, 0..6_i64, fields).prop_map(|(series, time, (double, integer, text))| (series, time, double, integer, text))
}

fn line((series, time, double, integer, text): &Drawn) -> Option<String> {
    let quoted = |text: &String| text.replace('\\', "\\\\").replace('"', "\\\"");
    let fields =
        [double.map(|value| format!("f={value}")), integer.map(|value| format!("i={value}i")), text.as_ref().map(|text| format!("s=\"{}\"", quoted(text)))];
    let fields: Vec<String> = fields.into_iter().flatten().collect();
    (!fields.is_empty()).then(|| format!("m,t={series} {} {}", fields.join(","), TIME + time))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn rows_are_what_a_plain_map_says(calls in proptest::collection::vec(proptest::collection::vec(drawn(), 1..25), 1..5)) {
        let session = session();
        let mut model: BTreeMap<(u8, i64), Fields> = BTreeMap::new();
        // So that every column is there.
        write(&session, &format!("m,t=9 f=0,i=0i,s=\"\" {TIME}"));
        for call in &calls {
            let lines: Vec<String> = call.iter().filter_map(line).collect();
            if lines.is_empty() {
                continue;
            }
            session.write_lines(&lines.join("\n"), &options()).unwrap();
            for (series, time, double, integer, text) in call.iter().filter(|point| line(point).is_some()) {
                let row = model.entry((*series, *time)).or_default();
                row.0 = double.or(row.0);
                row.1 = integer.or(row.1);
                row.2 = text.clone().or_else(|| row.2.take());
            }
        }
        let show = |cell: Option<String>| cell.unwrap_or_else(|| "-".into());
        let want: Vec<String> = model.into_iter().map(|((series, time), (double, integer, text))| {
            format!("{series}|{}|{}|{}|{}", TIME + time, show(double.map(|value| value.to_string())), show(integer.map(|value| value.to_string())), show(text))
        }).collect();
        prop_assert_eq!(rows(&session, "SELECT t, _ts, f, i, s FROM m WHERE t <> '9' ORDER BY t, _ts"), want);
    }
}
