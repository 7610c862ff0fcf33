//! Topics and consumers through a session.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int32Type, TimestampMillisecondType};
use embudo_types::subscription::{Message, MessageKind, MetaEvent, OffsetReset, SubscribeOptions, TableChange};
use embudo_types::{Code, Result, code};

use crate::{Consumer, Engine, EngineOptions, Session};

fn session() -> Session {
    let session = Engine::open(EngineOptions::memory()).unwrap().session("root").unwrap();
    run(&session, &["CREATE DATABASE d VGROUPS 1 KEEP 36500", "USE d", "CREATE STABLE st (ts TIMESTAMP, v INT, s VARCHAR(10)) TAGS (g INT)"]);
    run(&session, &["CREATE TABLE c1 USING st TAGS (1)", "CREATE TABLE c2 USING st TAGS (2)"]);
    session
}

fn run(session: &Session, statements: &[&str]) {
    for sql in statements {
        session.execute(sql, &[]).and_then(embudo_types::ResultSet::collect).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

fn refused(session: &Session, sql: &str) -> Code {
    session.execute(sql, &[]).err().unwrap_or_else(|| panic!("{sql} was not refused")).code()
}

fn rows_of(session: &Session, sql: &str) -> Vec<String> {
    let batches = session.execute(sql, &[]).unwrap().collect().unwrap();
    batches.iter().flat_map(rows).collect()
}

/// Rows as text, for short assertions.
fn rows(batch: &arrow_array::RecordBatch) -> Vec<String> {
    let cell = |column: &arrow_array::ArrayRef, row: usize| {
        if column.is_null(row) {
            return "null".to_owned();
        }
        match column.data_type() {
            arrow_schema::DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
            arrow_schema::DataType::Int64 => column.as_primitive::<arrow_array::types::Int64Type>().value(row).to_string(),
            arrow_schema::DataType::Binary => String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned(),
            arrow_schema::DataType::Timestamp(..) => column.as_primitive::<TimestampMillisecondType>().value(row).to_string(),
            other => panic!("{other}"),
        }
    };
    (0..batch.num_rows()).map(|row| batch.columns().iter().map(|column| cell(column, row)).collect::<Vec<_>>().join(" ")).collect()
}

fn options(topic: &str) -> SubscribeOptions {
    SubscribeOptions { offset_reset: OffsetReset::Earliest, ..SubscribeOptions::new("g", [topic]) }
}

fn next(consumer: &Consumer) -> Message {
    consumer.poll(Duration::from_secs(60)).unwrap().expect("a message")
}

fn data(message: &Message) -> Vec<(Option<String>, Vec<String>)> {
    message.blocks.iter().map(|block| (block.table.clone(), rows(&block.batch))).collect()
}

#[test]
fn a_query_topic_gives_projected_rows() {
    let session = session();
    run(&session, &["CREATE TOPIC t AS SELECT ts, CAST(v + 1 AS INT) AS w, s, g, tbname FROM st WHERE v > 1"]);
    run(
        &session,
        &[
            "INSERT INTO c1 VALUES (1, 1, 'a') (2, 2, NULL)",
            "INSERT INTO c2 VALUES (3, 5, 'c')",
            "CREATE TABLE n (ts TIMESTAMP, v INT)",
            "INSERT INTO n VALUES (1, 9)",
        ],
    );
    let consumer = session.subscribe(options("t")).unwrap();
    let assignment = consumer.assignment("t").unwrap();
    let vgroup = assignment[0].vgroup;
    assert_eq!((assignment.len(), assignment[0].begin, assignment[0].current), (1, 0, 0));
    // Nothing was read, so there is nothing to commit.
    consumer.commit_all().unwrap();
    assert_eq!(consumer.committed("t", vgroup).unwrap(), None);
    let message = next(&consumer);
    assert_eq!((message.kind, message.start, message.offset(), message.database.as_str()), (MessageKind::Data, 0, 0, "d"));
    assert_eq!(data(&message), [(None, vec!["2 3 null 1 c1".to_owned()]), (None, vec!["3 6 c 2 c2".to_owned()])]);
    assert!(consumer.try_poll().unwrap().is_none());
    assert_eq!(consumer.position("t", vgroup).unwrap(), Some(assignment[0].end));
    consumer.commit_all().unwrap();
    assert_eq!(consumer.committed("t", vgroup).unwrap(), Some(assignment[0].end));
    consumer.seek("t", vgroup, message.start).unwrap();
    assert_eq!(data(&next(&consumer)), data(&message));
    consumer.commit("t", vgroup, 2).unwrap();
    assert_eq!(consumer.committed("t", vgroup).unwrap(), Some(2));
    drop(consumer);
    // The group goes on where it committed.
    let consumer = session.subscribe(options("t")).unwrap();
    assert_eq!(next(&consumer).start, 2);
}

#[test]
fn a_database_topic_gives_everything_in_order() {
    let session = session();
    run(&session, &["CREATE TOPIC t WITH META AS DATABASE d", "INSERT INTO c1 VALUES (1, 1, 'a')", "INSERT INTO c2 VALUES (2, 2, 'b')"]);
    run(&session, &["ALTER STABLE st ADD COLUMN x INT", "ALTER TABLE c1 SET TAG g = 9", "INSERT INTO c3 USING st TAGS (3) VALUES (4, 4, 'd', 8)"]);
    run(&session, &["DELETE FROM c2 WHERE ts = 2", "DROP TABLE c3", "ALTER STABLE st DROP COLUMN v", "INSERT INTO c1 VALUES (7, 'z', 6)"]);
    let consumer = session.subscribe(options("t")).unwrap();
    let mut seen = Vec::new();
    while let Some(message) = consumer.try_poll().unwrap() {
        let events = message.meta.iter().map(|event| match event {
            MetaEvent::CreateSuper { table, columns, tags, .. } => format!("super {table} {} {}", columns.len(), tags.len()),
            MetaEvent::CreateChild { table, supertable, tags, .. } => format!("child {table} of {supertable} {:?}", tags[0].value),
            MetaEvent::Alter { table, change: TableChange::AddColumn(column), .. } => format!("{table} +{}", column.name),
            MetaEvent::Alter { table, change: TableChange::DropColumn(column), .. } => format!("{table} -{column}"),
            MetaEvent::Alter { table, change: TableChange::SetTag(tag), .. } => format!("{table} {}={:?}", tag.name, tag.value),
            MetaEvent::Delete { table, column, start, end } => format!("delete {table} {column} {start} {end}"),
            MetaEvent::Drop { table, .. } => format!("drop {table}"),
            other => format!("{other:?}"),
        });
        let blocks =
            message.blocks.iter().flat_map(|block| rows(&block.batch).into_iter().map(|row| format!("{} {row}", block.table.clone().unwrap_or_default())));
        seen.push((message.offset(), message.kind, events.chain(blocks).collect::<Vec<_>>().join(", ")));
    }
    let expected = [
        (2, MessageKind::Meta, "super st 3 1"),
        (3, MessageKind::Meta, "child c1 of st Int(1)"),
        (4, MessageKind::Meta, "child c2 of st Int(2)"),
        (4, MessageKind::Data, "c1 1 1 a, c2 2 2 b"),
        (7, MessageKind::Meta, "st +x"),
        (8, MessageKind::Meta, "c1 g=Int(9)"),
        (10, MessageKind::Meta, "delete c2 ts 2 2"),
        (11, MessageKind::Meta, "drop c3"),
        (12, MessageKind::Meta, "st -v"),
        (12, MessageKind::Data, "c1 7 z 6"),
    ];
    let expected: Vec<_> = expected.into_iter().map(|(offset, kind, text)| (offset, kind, text.to_owned())).collect();
    assert_eq!(seen, expected);
    // Without meta the same rows; with meta only no rows.
    run(&session, &["CREATE TOPIC plain AS DATABASE d", "CREATE TOPIC events ONLY META AS DATABASE d"]);
    let consumer = session.subscribe(options("plain")).unwrap();
    let message = next(&consumer);
    let tables: Vec<_> = data(&message).into_iter().map(|(table, _)| table.unwrap()).collect();
    assert_eq!((message.kind, tables), (MessageKind::Data, ["c1", "c2", "c1"].map(String::from).to_vec()));
    let consumer = session.subscribe(SubscribeOptions { batch_meta: true, ..options("events") }).unwrap();
    let message = next(&consumer);
    assert_eq!((message.kind, message.meta.len(), message.blocks.len()), (MessageKind::Meta, 8, 0));
    assert!(consumer.try_poll().unwrap().is_none());
}

#[test]
fn a_supertable_topic_filters_children_by_tags() {
    let session = session();
    run(&session, &["CREATE TOPIC t WITH META AS STABLE st WHERE g > 1", "CREATE STABLE other (ts TIMESTAMP, v INT) TAGS (g INT)"]);
    run(&session, &["INSERT INTO c1 VALUES (1, 1, 'a')", "INSERT INTO c2 VALUES (2, 2, 'b')", "INSERT INTO o USING other TAGS (7) VALUES (1, 1)"]);
    run(&session, &["INSERT INTO c5 USING st TAGS (0) VALUES (5, 5, 'e')", "DELETE FROM c1", "DELETE FROM c2", "DROP TABLE c1"]);
    let consumer = session.subscribe(SubscribeOptions { batch_meta: true, ..options("t") }).unwrap();
    let (first, second, third) = (next(&consumer), next(&consumer), next(&consumer));
    assert!(matches!(&first.meta[..], [MetaEvent::CreateSuper { .. }, MetaEvent::CreateChild { table, .. }] if table == "c2"));
    assert_eq!(data(&second), [(Some("c2".into()), vec!["2 2 b".to_owned()])]);
    assert!(matches!(&third.meta[..], [MetaEvent::Delete { table, start: 2, end: 2, .. }] if table == "c2"), "{:?}", third.meta);
    assert!(consumer.try_poll().unwrap().is_none());
    assert_eq!(refused(&session, "CREATE TOPIC u AS STABLE st WHERE v > 1"), code::INVALID_TOPIC_QUERY);
}

#[test]
fn deletions_tell_of_the_first_and_the_last_row() {
    let session = session();
    run(
        &session,
        &["CREATE TOPIC t WITH META AS DATABASE d", "INSERT INTO c1 VALUES (1, 1, 'a') (3, 3, 'c') (9, 9, 'i')", "INSERT INTO c2 VALUES (5, 5, 'e')"],
    );
    let consumer = session.subscribe(options("t")).unwrap();
    let deletions = || {
        let mut seen = Vec::new();
        while let Some(message) = consumer.try_poll().unwrap() {
            seen.extend(message.meta.iter().filter_map(|event| match event {
                MetaEvent::Delete { table, start, end, .. } => Some(format!("{table} {start} {end}")),
                _ => None,
            }));
        }
        seen
    };
    run(&session, &["DELETE FROM c1 WHERE ts > 1 AND ts < 100", "INSERT INTO c1 VALUES (4, 4, 'd')", "DELETE FROM st", "DELETE FROM c1 WHERE ts <= 50"]);
    assert_eq!(deletions(), ["c1 3 9", "c1 1 4", "c2 5 5"]);
    assert_eq!(rows(&session.execute("SELECT COUNT(*) FROM st", &[]).unwrap().collect().unwrap()[0]), ["0"]);
}

#[test]
fn members_of_a_group_share_its_vgroups() {
    let session = Engine::open(EngineOptions::memory()).unwrap().session("root").unwrap();
    run(
        &session,
        &["CREATE DATABASE d VGROUPS 4 KEEP 36500", "USE d", "CREATE STABLE st (ts TIMESTAMP, v INT) TAGS (g INT)", "CREATE TOPIC t AS SELECT v FROM st"],
    );
    for child in 0..40 {
        run(&session, &[&format!("INSERT INTO c{child} USING st TAGS ({child}) VALUES (1, {child})")]);
    }
    let vgroups = |consumer: &Consumer| consumer.assignment("t").unwrap().iter().map(|assignment| assignment.vgroup).collect::<Vec<_>>();
    let first = session.subscribe(options("t")).unwrap();
    assert_eq!(vgroups(&first).len(), 4);
    let second = session.subscribe(options("t")).unwrap();
    let third = session.subscribe(SubscribeOptions { group: "h".into(), ..options("t") }).unwrap();
    let (a, b) = (vgroups(&first), vgroups(&second));
    assert_eq!((a.len(), b.len(), vgroups(&third).len()), (2, 2, 4));
    assert!(a.iter().all(|vgroup| !b.contains(vgroup)));
    let values = |consumer: &Consumer| {
        let mut values: Vec<i32> = Vec::new();
        while let Some(message) = consumer.try_poll().unwrap() {
            values.extend(message.blocks.iter().flat_map(|block| block.batch.column(0).as_primitive::<Int32Type>().values().to_vec()));
        }
        values
    };
    let mut all: Vec<i32> = values(&first).into_iter().chain(values(&second)).collect();
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>());
    assert_eq!(values(&third).len(), 40);
    // Two go on with what the third had; nobody gets what the group has committed.
    second.commit_all().unwrap();
    first.commit_all().unwrap();
    drop(second);
    assert_eq!(vgroups(&first).len(), 4);
    assert!(values(&first).is_empty());
    assert_eq!(rows_of(&session, "SELECT COUNT(*) FROM information_schema.ins_subscriptions WHERE consumer_group = 'g' AND consumer_id IS NOT NULL"), ["4"]);
    first.unsubscribe().unwrap();
    assert!(first.topics().is_empty() && first.try_poll().unwrap().is_none());
    first.subscribe(&["t".into()]).unwrap();
    assert_eq!(vgroups(&first).len(), 4);
}

#[test]
fn silent_members_lose_their_vgroups() {
    let session = session();
    run(&session, &["CREATE TOPIC t AS SELECT * FROM st"]);
    let silent = || SubscribeOptions { auto_commit: false, ..options("t") };
    let first = session.subscribe(SubscribeOptions { max_poll_interval: Duration::from_millis(100), ..silent() }).unwrap();
    let second = session.subscribe(silent()).unwrap();
    run(&session, &["INSERT INTO c1 VALUES (1, 1, 'a')"]);
    // The second waits and is woken when the first has been silent for too long.
    assert_eq!(next(&second).rows(), 1);
    let is = |status: &[&str]| rows_of(&session, "SELECT status FROM performance_schema.perf_consumers ORDER BY status") == status;
    assert!(is(&["lost", "ready"]));
    // Nor does who polls and then gives no sign of life stay a member.
    drop(second);
    let third = session.subscribe(SubscribeOptions { session_timeout: Duration::from_millis(50), ..silent() }).unwrap();
    third.try_poll().unwrap();
    third.heartbeat();
    let started = std::time::Instant::now();
    while !is(&["lost", "lost"]) {
        assert!(started.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    // A poll brings it back.
    assert_eq!(next(&first).rows(), 1);
}

#[test]
fn what_topics_forbid() {
    let session = session();
    run(&session, &["CREATE TOPIC q AS SELECT ts, v FROM st WHERE g > 0", "CREATE TOPIC d AS DATABASE d", "CREATE TOPIC s AS STABLE st"]);
    for (sql, expected) in [
        ("CREATE TOPIC q AS DATABASE d", code::TOPIC_ALREADY_EXISTS),
        ("CREATE TOPIC x AS SELECT COUNT(*) FROM st", code::INVALID_TOPIC_QUERY),
        ("CREATE TOPIC x AS SELECT * FROM st ORDER BY ts", code::INVALID_TOPIC_QUERY),
        ("CREATE TOPIC x AS SELECT * FROM (SELECT * FROM st)", code::INVALID_TOPIC_QUERY),
        ("CREATE TOPIC x AS SELECT DISTINCT v FROM st", code::INVALID_TOPIC_QUERY),
        ("CREATE TOPIC x AS SELECT DIFF(v) FROM c1", code::INVALID_TOPIC_QUERY),
        ("CREATE TOPIC x AS STABLE c1", code::STABLE_NOT_EXIST),
        ("CREATE TOPIC x AS DATABASE nowhere", code::DATABASE_NOT_EXIST),
        ("DROP TOPIC x", code::TOPIC_NOT_EXIST),
        ("DROP CONSUMER GROUP g ON q", code::SUBCRIBE_NOT_EXIST),
        ("DROP DATABASE d", code::TOPIC_MUST_BE_DROPPED_FIRST),
        ("DROP STABLE st", code::TOPIC_MUST_BE_DROPPED_FIRST),
        ("ALTER STABLE st DROP COLUMN v", code::FIELD_USED_BY_TOPIC),
        ("ALTER STABLE st RENAME TAG g h", code::FIELD_USED_BY_TOPIC),
    ] {
        assert_eq!(refused(&session, sql), expected, "{sql}");
    }
    run(
        &session,
        &["CREATE TOPIC IF NOT EXISTS q AS DATABASE d", "DROP TOPIC IF EXISTS x", "DROP CONSUMER GROUP IF EXISTS g ON q", "ALTER STABLE st DROP COLUMN s"],
    );
    assert_eq!(
        rows_of(&session, "SELECT topic_name, `meta`, `type` FROM information_schema.ins_topics ORDER BY topic_name"),
        ["d no db", "q no column", "s no stable"]
    );
    let consumer = session.subscribe(options("q")).unwrap();
    assert_eq!(refused(&session, "DROP TOPIC q"), code::TOPIC_SUBSCRIBED_CANNOT_BE_DROPPED);
    assert_eq!(refused(&session, "DROP CONSUMER GROUP g ON q"), code::CONSUMER_GROUP_BEING_USED_BY_SOME);
    let code_of = |result: Result<()>| result.unwrap_err().code();
    assert_eq!(code_of(consumer.seek("q", 2, 0)), code::ASSIGNMENT_OR_POLL_INTERFACE_NEED_TO);
    let vgroup = consumer.assignment("q").unwrap()[0].vgroup;
    assert_eq!(code_of(consumer.seek("q", 999, 0)), code::VGID_DOES_NOT_BELONG_TO_THIS);
    assert_eq!(code_of(consumer.seek("nope", vgroup, 0)), code::TOPIC_DOES_NOT_BELONG_TO_THIS);
    assert_eq!(code_of(consumer.commit("q", vgroup, 1_000)), code::OFFSET_OUT_OF_RANGE);
    run(&session, &["DROP TOPIC FORCE q"]);
    assert!(consumer.topics().is_empty() && consumer.try_poll().unwrap().is_none());
    drop(consumer);
    assert_eq!(session.subscribe(options("q")).unwrap_err().code(), code::TOPIC_NOT_EXIST);
    let none = session.subscribe(SubscribeOptions { offset_reset: OffsetReset::None, ..options("d") }).unwrap();
    assert_eq!(none.try_poll().unwrap_err().code(), code::NO_COMMITTED_INFO);
    drop(none);
    run(&session, &["DROP CONSUMER GROUP g ON d", "DROP TOPIC d", "DROP TOPIC s", "DROP DATABASE d", "CREATE DATABASE z WAL_RETENTION_PERIOD 0"]);
    assert_eq!(refused(&session, "CREATE TOPIC z AS DATABASE z"), code::WAL_RETENTION_PERIOD_IS_ZERO);
}

#[test]
fn groups_go_on_after_a_restart() {
    let directory = std::env::temp_dir().join(format!("embudo-topics-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&directory);
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    for round in 0..3_i64 {
        let engine = Engine::open(EngineOptions::directory(&directory)).unwrap();
        let session = engine.session("root").unwrap();
        if round == 0 {
            run(&session, &["CREATE DATABASE d KEEP 36500", "USE d", "CREATE TABLE n (ts TIMESTAMP, v INT)", "CREATE TOPIC t AS SELECT ts, v FROM n"]);
        }
        session.use_database("d").unwrap();
        for row in 0..10 {
            run(&session, &[&format!("INSERT INTO n VALUES ({}, 1)", round * 10 + row)]);
        }
        if round == 1 {
            run(&session, &["FLUSH DATABASE d"]);
        }
        let consumer = session.subscribe(options("t")).unwrap();
        while let Some(message) = consumer.try_poll().unwrap() {
            for block in &message.blocks {
                let ticks = block.batch.column(0).as_primitive::<TimestampMillisecondType>();
                ticks.values().iter().for_each(|tick| *seen.entry(*tick).or_default() += 1);
            }
        }
        consumer.commit_all().unwrap();
        drop((consumer, session));
        engine.close().unwrap();
    }
    assert_eq!(seen, (0..30).map(|tick| (tick, 1)).collect());
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn waiting_consumers_are_woken_by_writers() {
    let session = session();
    run(&session, &["CREATE TOPIC t AS SELECT v FROM st"]);
    let consumer = Arc::new(session.subscribe(SubscribeOptions { offset_reset: OffsetReset::Latest, ..options("t") }).unwrap());
    let reader = std::thread::spawn({
        let consumer = consumer.clone();
        move || (0..20).map(|_| next(&consumer).rows()).sum::<usize>()
    });
    for row in 0..20 {
        run(&session, &[&format!("INSERT INTO c1 VALUES ({row}, 1, 'a')")]);
        std::thread::sleep(Duration::from_millis(2));
        while consumer.position("t", consumer.assignment("t").unwrap()[0].vgroup).unwrap() != Some(consumer.assignment("t").unwrap()[0].end) {
            std::thread::yield_now();
        }
    }
    assert_eq!(reader.join().unwrap(), 20);
}

/// Numbers without a pattern.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

/// What a consumer has got: numbers of statements and tables, in order, by vgroup.
type Got = BTreeMap<i32, Vec<(i32, String)>>;

fn take(consumer: &Consumer, messages: usize, got: &mut Got) {
    for _ in 0..messages {
        let Some(message) = consumer.try_poll().unwrap() else { return };
        for block in &message.blocks {
            let numbers = block.batch.column(1).as_primitive::<Int32Type>();
            let table = block.table.clone().unwrap();
            got.entry(message.vgroup).or_default().extend(numbers.values().iter().map(|number| (*number, table.clone())));
        }
    }
}

fn check_got(got: &Got, written: &[(i32, String)], seed: u64) {
    for (vgroup, rows) in got {
        assert!(rows.is_sorted_by_key(|(number, _)| *number), "seed {seed}, vgroup {vgroup}: {rows:?}");
    }
    let mut all: Vec<_> = got.values().flatten().cloned().collect();
    let mut expected = written.to_vec();
    all.sort_unstable();
    expected.sort_unstable();
    assert_eq!(all, expected, "seed {seed}");
}

#[test]
fn every_row_comes_once_and_in_order_whatever_happens_between() {
    for seed in 1..=6 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed) | 1);
        let directory = std::env::temp_dir().join(format!("embudo-topics-model-{seed}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&directory);
        let open = || {
            let engine = Engine::open(EngineOptions::directory(&directory)).unwrap();
            let session = engine.session("root").unwrap();
            (engine, session)
        };
        let (mut engine, mut session) = open();
        run(
            &session,
            &["CREATE DATABASE d VGROUPS 3 KEEP 36500", "USE d", "CREATE STABLE st (ts TIMESTAMP, n INT) TAGS (g INT)", "CREATE TOPIC t AS DATABASE d"],
        );
        let manual = SubscribeOptions { auto_commit: false, poll_rows: 5, ..options("t") };
        let mut consumer = session.subscribe(manual.clone()).unwrap();
        // What is to come to this consumer, what is there for one that begins at last, and what came.
        let (mut written, mut present, mut got) = (Vec::new(), Vec::new(), Got::new());
        let mut added = 0;
        for number in 0..60_i32 {
            match random.below(14) {
                0 => run(&session, &["FLUSH DATABASE d"]),
                1 => {
                    let table = format!("c{}", random.below(6));
                    run(&session, &[&format!("DROP TABLE IF EXISTS {table}")]);
                    let came: Vec<_> = got.values().flatten().cloned().collect();
                    written.retain(|row: &(i32, String)| row.1 != table || came.contains(row));
                    present.retain(|row: &(i32, String)| row.1 != table);
                }
                2 if added < 3 => {
                    added += 1;
                    run(&session, &[&format!("ALTER STABLE st ADD COLUMN x{added} INT")]);
                }
                3 => {
                    consumer.commit_all().unwrap();
                    drop(consumer);
                    consumer = session.subscribe(manual.clone()).unwrap();
                }
                4 => {
                    consumer.commit_all().unwrap();
                    drop((consumer, session));
                    engine.close().unwrap();
                    (engine, session) = open();
                    session.use_database("d").unwrap();
                    consumer = session.subscribe(manual.clone()).unwrap();
                }
                5..8 => take(&consumer, 2, &mut got),
                _ => {
                    let tables: std::collections::BTreeSet<u64> = (0..=random.below(3)).map(|_| random.below(6)).collect();
                    let rows = tables.iter().map(|table| format!("c{table} USING st TAGS ({table}) (ts, n) VALUES ({number}, {number})"));
                    run(&session, &[&format!("INSERT INTO {}", rows.collect::<Vec<_>>().join(" "))]);
                    for rows in [&mut written, &mut present] {
                        rows.extend(tables.iter().map(|table| (number, format!("c{table}"))));
                    }
                }
            }
        }
        take(&consumer, usize::MAX, &mut got);
        check_got(&got, &written, seed);
        let mut again = Got::new();
        take(&session.subscribe(SubscribeOptions { group: "other".into(), ..manual }).unwrap(), usize::MAX, &mut again);
        check_got(&again, &present, seed);
        drop((consumer, session, engine));
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
