//! Streams against the query that they stand for: whatever is written, late, over or away again, the target says what the query says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use embudo_types::Outcome;

use crate::{Engine, EngineOptions, Session};

fn engine() -> (Arc<Engine>, Session) {
    let engine = Engine::open(EngineOptions::memory()).unwrap();
    let session = engine.session("root").unwrap();
    session.set_zone(embudo_types::Zone::utc());
    for sql in [
        "CREATE DATABASE d KEEP 36500",
        "USE d",
        "CREATE STABLE m (ts TIMESTAMP, v INT) TAGS (g INT)",
        "CREATE TABLE a USING m TAGS (1)",
        "CREATE TABLE b USING m TAGS (2)",
    ] {
        session.execute(sql, &[]).unwrap();
    }
    (engine, session)
}

/// Rows as texts.
fn rows(session: &Session, sql: &str) -> Vec<String> {
    let result = session.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let types: Vec<_> = result.schema.fields().iter().map(|field| embudo_types::arrow::data_type(field).unwrap()).collect();
    let Outcome::Rows(batches) = result.outcome else { return Vec::new() };
    let mut rows = Vec::new();
    for batch in batches {
        let batch = batch.unwrap();
        for row in 0..batch.num_rows() {
            let cells = batch.columns().iter().zip(&types).map(|(array, data_type)| format!("{:?}", embudo_expr::value_at(array, *data_type, row)));
            rows.push(cells.collect::<Vec<_>>().join(" "));
        }
    }
    rows
}

/// Waits until two queries give the same.
#[allow(clippy::disallowed_methods, reason = "streams run in the background")]
fn settle(session: &Session, target: &str, expected: &str) {
    let started = Instant::now();
    loop {
        let (have, want) = (rows(session, target), rows(session, expected));
        if have == want {
            return;
        }
        assert!(
            started.elapsed() < Duration::from_secs(120),
            "{target}\n  has   {have:#?}\n  wants {want:#?}\n  {:?}",
            session.engine().streams().failure("s")
        );
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn run(session: &Session, statements: &[&str]) {
    for sql in statements {
        session.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

#[test]
fn windows_follow_rows_updates_late_rows_and_deletes() {
    let (_engine, session) = engine();
    run(
        &session,
        &[
            "CREATE STREAM s TRIGGER AT_ONCE IGNORE EXPIRED 0 INTO o SUBTABLE(CONCAT('o_', tbname)) AS SELECT _wstart, COUNT(*) c, SUM(v) s FROM m PARTITION BY tbname INTERVAL(10a)",
        ],
    );
    let expected = "SELECT _wstart, COUNT(*), SUM(v) FROM m PARTITION BY tbname INTERVAL(10a) ORDER BY _wstart, SUM(v)";
    let target = "SELECT `_wstart`, c, s FROM o ORDER BY `_wstart`, s";
    for step in [
        "INSERT INTO a VALUES (1, 1) (5, 2) (12, 3) b VALUES (3, 100)",
        "INSERT INTO a VALUES (33, 4)",
        "INSERT INTO a VALUES (2, 5)",
        "INSERT INTO a VALUES (1, 7)",
        "DELETE FROM a WHERE ts >= 12 AND ts <= 12",
        "DELETE FROM m WHERE ts >= 0 AND ts < 4",
    ] {
        run(&session, &[step]);
        settle(&session, target, expected);
    }
    assert!(rows(&session, "SELECT DISTINCT tbname FROM o").iter().all(|name| name.contains("Varchar(")));
}

#[test]
fn groups_name_children_and_tags() {
    let (_engine, session) = engine();
    run(
        &session,
        &[
            "CREATE STREAM s TRIGGER AT_ONCE INTO o TAGS (g INT) SUBTABLE(CONCAT('g', CAST(g AS VARCHAR(8)))) AS SELECT _wstart w, MAX(v) x FROM m PARTITION BY g INTERVAL(10a)",
            "INSERT INTO a VALUES (1, 1) b VALUES (3, 100)",
        ],
    );
    settle(&session, "SELECT w, x, g FROM o ORDER BY g", "SELECT _wstart, MAX(v), g FROM m PARTITION BY g INTERVAL(10a) ORDER BY g");
    let names = rows(&session, "SELECT table_name FROM information_schema.ins_tables WHERE stable_name = 'o' ORDER BY table_name");
    assert_eq!(names.len(), 2);
}

#[test]
fn windows_wait_for_their_end() {
    let (_engine, session) = engine();
    run(
        &session,
        &[
            "CREATE STREAM s TRIGGER WINDOW_CLOSE WATERMARK 5a INTO o AS SELECT _wstart w, COUNT(*) c FROM m INTERVAL(10a)",
            "INSERT INTO a VALUES (1, 1) (14, 2)",
        ],
    );
    run(&session, &["INSERT INTO b VALUES (2, 2)", "INSERT INTO a VALUES (15, 1)"]);
    settle(&session, "SELECT w, c FROM o", "SELECT _wstart, COUNT(*) FROM m WHERE ts < 10 INTERVAL(10a)");
    // Too late: the window is closed, and time stands at 10.
    run(&session, &["INSERT INTO a VALUES (3, 1)", "INSERT INTO a VALUES (27, 1)"]);
    settle(&session, "SELECT w, c FROM o", "SELECT _wstart, COUNT(*) FROM m WHERE (ts < 3 OR ts > 3) AND ts < 20 INTERVAL(10a)");
}

#[test]
fn floating_windows() {
    for (window, write) in [
        (
            "SESSION(ts, 5a)",
            [
                "INSERT INTO a VALUES (1, 1) (4, 1) (20, 1)",
                "INSERT INTO a VALUES (15, 2)",
                "INSERT INTO a VALUES (9, 2) (10, 3)",
                "DELETE FROM a WHERE ts >= 9 AND ts <= 10",
            ],
        ),
        (
            "STATE_WINDOW(v)",
            ["INSERT INTO a VALUES (1, 1) (4, 1) (20, 1)", "INSERT INTO a VALUES (15, 2)", "INSERT INTO a VALUES (15, 1)", "INSERT INTO a VALUES (30, 3)"],
        ),
    ] {
        let (_engine, session) = engine();
        run(
            &session,
            &[&format!("CREATE STREAM s TRIGGER AT_ONCE IGNORE EXPIRED 0 INTO o AS SELECT _wstart w, COUNT(*) c FROM m PARTITION BY tbname {window}")],
        );
        for step in write {
            run(&session, &[step, "INSERT INTO b VALUES (40, 1)"]);
            settle(&session, "SELECT w, c FROM o ORDER BY w", &format!("SELECT _wstart, COUNT(*) FROM m PARTITION BY tbname {window} ORDER BY _wstart"));
        }
    }
}

#[test]
fn rows_history_pause_and_resume() {
    let (_engine, session) = engine();
    run(
        &session,
        &[
            "INSERT INTO a VALUES (1, 1) (2, 2)",
            "CREATE STREAM s TRIGGER AT_ONCE FILL_HISTORY 1 INTO o AS SELECT ts, v * 2 x FROM m WHERE v > 1 PARTITION BY tbname",
            "INSERT INTO b VALUES (5, 0) (6, 6)",
        ],
    );
    let (target, expected) = ("SELECT ts, x FROM o ORDER BY ts", "SELECT ts, v * 2 FROM m WHERE v > 1 ORDER BY ts");
    settle(&session, target, expected);
    run(&session, &["PAUSE STREAM s", "INSERT INTO b VALUES (7, 7)"]);
    assert_eq!(rows(&session, target).len(), 2);
    run(&session, &["RESUME STREAM s"]);
    settle(&session, target, expected);
    run(&session, &["PAUSE STREAM s", "INSERT INTO b VALUES (8, 8)", "RESUME STREAM IGNORE UNTREATED s", "INSERT INTO b VALUES (9, 9)"]);
    settle(&session, target, "SELECT ts, v * 2 FROM m WHERE v > 1 AND (ts < 8 OR ts > 8) ORDER BY ts");
    run(&session, &["DROP STREAM s", "INSERT INTO b VALUES (10, 10)"]);
    assert!(rows(&session, "SHOW STREAMS").is_empty());
    assert_eq!(rows(&session, target).len(), 4);
}

#[test]
fn empty_windows_are_filled() {
    let (_engine, session) = engine();
    run(
        &session,
        &[
            "CREATE STREAM s TRIGGER AT_ONCE INTO o AS SELECT _wstart w, SUM(v) x FROM a INTERVAL(10a) FILL(PREV)",
            "INSERT INTO a VALUES (1, 1)",
            "INSERT INTO a VALUES (44, 4)",
        ],
    );
    settle(&session, "SELECT w, x FROM o ORDER BY w", "SELECT _wstart, SUM(v) FROM a WHERE ts >= 0 AND ts < 50 INTERVAL(10a) FILL(PREV)");
}

#[test]
fn streams_survive_a_restart() {
    let directory = std::env::temp_dir().join(format!("embudo-streams-{}", std::process::id()));
    let open = || Engine::open(EngineOptions::directory(&directory)).unwrap();
    {
        let engine = open();
        let session = engine.session("root").unwrap();
        run(
            &session,
            &[
                "CREATE DATABASE d KEEP 36500",
                "USE d",
                "CREATE TABLE t (ts TIMESTAMP, v INT)",
                "CREATE STREAM s INTO o AS SELECT _wstart w, SUM(v) x FROM t INTERVAL(10a)",
                "INSERT INTO t VALUES (1, 1) (2, 2) (11, 4)",
            ],
        );
        settle(&session, "SELECT w, x FROM o", "SELECT _wstart, SUM(v) FROM t WHERE ts < 10 INTERVAL(10a)");
        engine.close().unwrap();
    }
    let engine = open();
    let session = engine.session("root").unwrap();
    run(&session, &["USE d", "INSERT INTO t VALUES (12, 8) (25, 1)"]);
    settle(&session, "SELECT w, x FROM o ORDER BY w", "SELECT _wstart, SUM(v) FROM t WHERE ts < 20 INTERVAL(10a)");
    engine.close().unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn what_streams_cannot_be() {
    let (_engine, session) = engine();
    for (sql, code) in [
        ("CREATE STREAM s INTO o AS SELECT ts, v FROM m PARTITION BY tbname", 0x2645),
        ("CREATE STREAM s TRIGGER AT_ONCE INTO o AS SELECT v FROM a", 0x2645),
        ("CREATE STREAM s INTO o AS SELECT _wstart, TOP(v, 2) FROM a INTERVAL(1s)", 0x265A),
        ("CREATE STREAM s INTO o AS SELECT _wstart, COUNT(*) FROM m SESSION(ts, 1s)", 0x2645),
        ("CREATE STREAM s INTO o AS SELECT _wstart, COUNT(*) FROM a COUNT_WINDOW(3)", 0x2645),
        ("CREATE STREAM s INTO o AS SELECT _wstart, COUNT(*) FROM a INTERVAL(1s) LIMIT 1", 0x2645),
        ("CREATE STREAM s INTO a AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", 0x2645),
        ("CREATE STREAM s INTO m AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", 0x2645),
        ("CREATE STREAM s INTO o AS SELECT _wstart, COUNT(*) x, SUM(v) x FROM m INTERVAL(1s)", 0x263C),
        ("CREATE STREAM s TRIGGER MAX_DELAY 1s INTO o AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", 0x03F2),
        ("DROP STREAM s", 0x03F1),
        ("PAUSE STREAM s", 0x03F1),
    ] {
        let error = session.execute(sql, &[]).err().unwrap_or_else(|| panic!("{sql} works"));
        assert_eq!(error.code().0, code, "{sql}: {error}");
    }
    run(&session, &["CREATE STREAM s INTO o AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", "DROP STREAM IF EXISTS nothing"]);
    assert_eq!(session.execute("CREATE STREAM s INTO p AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", &[]).err().unwrap().code().0, 0x03F0);
    assert_eq!(session.execute("CREATE STREAM r INTO o AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)", &[]).err().unwrap().code().0, 0x03F7);
    run(&session, &["CREATE STREAM IF NOT EXISTS s INTO o AS SELECT _wstart, COUNT(*) FROM m INTERVAL(1s)"]);
    assert_eq!(rows(&session, "SELECT stream_name, status, target_table FROM information_schema.ins_streams").len(), 1);
}

/// Random rows, late and over again, and deletes; whatever comes, the target is what the query gives at the end.
#[test]
fn a_stream_is_its_query() {
    for (seed, (window, key)) in [
        ("INTERVAL(10a)", "_wstart"),
        ("INTERVAL(10a) SLIDING(4a)", "_wstart"),
        ("SESSION(ts, 3a)", "_wstart"),
        ("STATE_WINDOW(v)", "_wstart"),
        ("INTERVAL(10a, 3a)", "_wstart"),
    ]
    .into_iter()
    .enumerate()
    {
        let (_engine, session) = engine();
        run(
            &session,
            &[&format!(
                "CREATE STREAM s TRIGGER AT_ONCE IGNORE EXPIRED 0 INTO o TAGS (t VARCHAR(20)) AS SELECT {key} w, COUNT(*) c, LAST(v) l FROM m PARTITION BY tbname t {window}"
            )],
        );
        let mut random = 0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed as u64 + 1) | 1;
        let mut below = |bound: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % bound
        };
        for step in 0..40_u64 {
            let table = if below(2) == 0 { "a" } else { "b" };
            let at = step * 3 + below(60);
            if below(6) == 0 {
                run(&session, &[&format!("DELETE FROM {table} WHERE ts >= {at} AND ts <= {}", at + below(15))]);
            } else {
                let rows: Vec<String> = (0..=below(3)).map(|_| format!("({}, {})", at + below(20), below(3))).collect();
                run(&session, &[&format!("INSERT INTO {table} VALUES {}", rows.join(" "))]);
            }
        }
        settle(
            &session,
            "SELECT t, w, c, l FROM o ORDER BY t, w",
            &format!("SELECT tbname, w, c, l FROM (SELECT tbname, {key} w, COUNT(*) c, LAST(v) l FROM m PARTITION BY tbname {window}) ORDER BY tbname, w"),
        );
    }
}
