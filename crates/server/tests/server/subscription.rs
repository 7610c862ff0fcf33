//! Subscriptions: the same programs on the embedded engine and over WebSocket, then what only `/rest/tmq` has.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use arrow_array::{Array, cast::AsArray};
use embudo_client::{ConnectOptions, Driver, Dsn, Subscription, connect};
use embudo_server::{ServerHandle, ServerOptions};
use embudo_types::{
    Value, code,
    subscription::{Message, MessageKind, MetaEvent, OffsetReset, SubscribeOptions, TableChange},
};
use embudo_wire::{binary_message::action, tmq::frame, websocket::Message as Frame};
use serde_json::{Value as Json, json};

use crate::{PATIENCE, frames::Socket, start, start_with, wait_until};

const SOON: Duration = PATIENCE;
const SHORT: Duration = Duration::from_millis(100);

/// A database and how programs reach it.
struct Place {
    driver: Arc<dyn Driver>,
    _server: Option<ServerHandle>,
}

/// Both transports.
fn places() -> Vec<(&'static str, Place)> {
    let embedded = connect(&Dsn::parse("embudo:///:memory:?timezone=UTC").unwrap(), &ConnectOptions::default()).unwrap();
    let server = start();
    let dsn = Dsn::parse(&format!("taosws://root:taosdata@{}?timezone=UTC", server.address())).unwrap();
    let remote = connect(&dsn, &ConnectOptions::default()).unwrap();
    vec![("embedded", Place { driver: Arc::from(embedded), _server: None }), ("websocket", Place { driver: Arc::from(remote), _server: Some(server) })]
}

impl Place {
    fn run(&self, sql: &str) {
        self.driver.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).collect().unwrap();
    }

    fn all(&self, statements: &[&str]) {
        for sql in statements {
            self.run(sql);
        }
    }

    fn subscribe(&self, topics: &[&str], change: impl FnOnce(&mut SubscribeOptions)) -> Box<dyn Subscription> {
        let mut options = SubscribeOptions { offset_reset: OffsetReset::Earliest, auto_commit: false, ..SubscribeOptions::new("g", topics.iter().copied()) };
        change(&mut options);
        self.driver.subscribe(options).unwrap()
    }
}

const METERS: [&str; 5] = [
    "CREATE DATABASE d VGROUPS 1 WAL_RETENTION_PERIOD 3600",
    "USE d",
    "CREATE STABLE st (ts TIMESTAMP, v INT, s VARCHAR(10)) TAGS (g INT)",
    "CREATE TABLE c1 USING st TAGS (1)",
    "CREATE TABLE c2 USING st TAGS (2)",
];

/// The second column of all rows, as whole numbers.
fn values(message: &Message) -> Vec<Option<i32>> {
    message.blocks.iter().flat_map(|block| block.batch.column(1).as_primitive::<arrow_array::types::Int32Type>().iter().collect::<Vec<_>>()).collect()
}

/// Whether no message is there.
fn is_quiet(subscription: &dyn Subscription) -> bool {
    subscription.poll(Duration::from_millis(300)).unwrap().is_none()
}

/// Messages until the last of them has come, and none after it.
fn until(subscription: &dyn Subscription, mut is_last: impl FnMut(&Message) -> bool) -> Vec<Message> {
    let mut messages = Vec::new();
    while messages.last().is_none_or(|message| !is_last(message)) {
        messages.push(subscription.poll(SOON).unwrap().unwrap_or_else(|| panic!("nothing after {messages:?}")));
    }
    assert!(is_quiet(subscription), "{messages:?}");
    messages
}

/// As many values as are expected, however they are spread over messages.
fn drained(subscription: &dyn Subscription, count: usize) -> Vec<i32> {
    let mut got: Vec<i32> = Vec::new();
    while got.len() < count {
        let message = subscription.poll(SOON).unwrap().unwrap_or_else(|| panic!("nothing after {got:?}"));
        got.extend(values(&message).into_iter().flatten());
    }
    assert!(is_quiet(subscription), "{got:?}");
    got
}

fn number_rows(place: &Place, table: &str, range: std::ops::Range<i64>) {
    let rows: String = range.map(|row| format!("({}, {row}, 'r{row}')", 1_700_000_000_000 + row)).collect();
    place.run(&format!("INSERT INTO d.{table} VALUES {rows}"));
}

#[test]
fn rows_of_a_query_arrive_in_order_and_the_group_goes_on_where_it_committed() {
    for (name, place) in places() {
        place.all(&METERS);
        place.run("CREATE TOPIC q AS SELECT ts, v, s, tbname FROM d.st");
        number_rows(&place, "c1", 0..3);
        let subscription = place.subscribe(&["q"], |_| {});
        assert_eq!(subscription.topics(), ["q"]);
        let message = subscription.poll(SOON).unwrap().expect("rows");
        assert_eq!((message.topic.as_str(), message.database.as_str(), message.kind), ("q", "d", MessageKind::Data), "{name}");
        assert_eq!(values(&message), [Some(0), Some(1), Some(2)], "{name}");
        let block = &message.blocks[0];
        assert_eq!(block.table, None);
        let names: Vec<_> = block.batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        assert_eq!(names, ["ts", "v", "s", "tbname"]);
        assert_eq!(block.batch.column(3).as_binary::<i32>().value(0), b"c1");
        assert_eq!(subscription.committed("q", message.vgroup).unwrap(), None, "{name}");
        subscription.commit_message(&message).unwrap();
        assert_eq!(subscription.committed("q", message.vgroup).unwrap(), Some(message.next), "{name}");
        assert_eq!(subscription.position("q", message.vgroup).unwrap(), Some(message.next), "{name}");
        number_rows(&place, "c2", 3..5);
        assert_eq!(drained(&*subscription, 2), [3, 4], "{name}");
        subscription.close().unwrap();
        // What was not committed comes again.
        let again = place.subscribe(&["q"], |_| {});
        assert_eq!(drained(&*again, 2), [3, 4], "{name}");
        again.commit_all().unwrap();
        drop(again);
        let third = place.subscribe(&["q"], |_| {});
        number_rows(&place, "c2", 5..6);
        assert_eq!(drained(&*third, 1), [5], "{name}");
    }
}

#[test]
fn seeking_and_assignments() {
    for (name, place) in places() {
        place.all(&METERS);
        place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
        number_rows(&place, "c1", 0..1);
        let subscription = place.subscribe(&["q"], |_| {});
        let first = subscription.poll(SOON).unwrap().expect("a row");
        number_rows(&place, "c1", 1..2);
        number_rows(&place, "c1", 2..3);
        assert_eq!(drained(&*subscription, 2), [1, 2], "{name}");
        let assigned = subscription.assignment("q").unwrap();
        assert_eq!(assigned.len(), 1, "{name}");
        let place_of = &assigned[0];
        assert_eq!((place_of.topic.as_str(), place_of.vgroup, place_of.current), ("q", first.vgroup, place_of.end), "{name}");
        assert!(place_of.begin <= first.start && place_of.end >= first.next, "{name}: {assigned:?} {first:?}");
        subscription.seek("q", first.vgroup, first.next).unwrap();
        assert_eq!(subscription.position("q", first.vgroup).unwrap(), Some(first.next), "{name}");
        assert_eq!(drained(&*subscription, 2), [1, 2], "{name}");
        subscription.seek("q", first.vgroup, place_of.begin).unwrap();
        assert_eq!(drained(&*subscription, 3), [0, 1, 2], "{name}");
        // A message that was fetched ahead is not given after a seek past it.
        subscription.seek("q", first.vgroup, place_of.begin).unwrap();
        let again = subscription.poll(SOON).unwrap().expect("rows");
        assert_eq!(values(&again)[0], Some(0), "{name}");
        subscription.seek("q", first.vgroup, place_of.end).unwrap();
        assert!(is_quiet(&*subscription), "{name}");
        assert_eq!(subscription.seek("q", 9999, 0).unwrap_err().code(), code::VGID_DOES_NOT_BELONG_TO_THIS, "{name}");
        assert_eq!(subscription.assignment("nope").unwrap_err().code(), code::TOPIC_DOES_NOT_BELONG_TO_THIS, "{name}");
    }
}

#[test]
fn the_latest_and_what_comes_while_a_poll_waits() {
    for (name, place) in places() {
        place.all(&METERS);
        place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
        number_rows(&place, "c1", 0..3);
        let subscription = place.subscribe(&["q"], |options| options.offset_reset = OffsetReset::Latest);
        let begun = Instant::now();
        assert!(subscription.poll(Duration::from_millis(200)).unwrap().is_none(), "{name}");
        assert!((Duration::from_millis(190)..PATIENCE).contains(&begun.elapsed()), "{name}: {:?}", begun.elapsed());
        let driver = Arc::clone(&place.driver);
        let writer = thread::spawn(move || {
            thread::sleep(Duration::from_millis(200));
            driver.execute("INSERT INTO d.c2 VALUES (1700000009000, 7, 'x')", &[]).unwrap();
        });
        let begun = Instant::now();
        let message = subscription.poll(PATIENCE * 2).unwrap().expect("a row");
        assert_eq!(values(&message), [Some(7)], "{name}");
        assert!(begun.elapsed() < PATIENCE, "{name}");
        writer.join().unwrap();
    }
}

#[test]
fn polls_can_be_interrupted() {
    for (name, place) in places() {
        place.all(&METERS);
        place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
        let subscription: Arc<dyn Subscription> = Arc::from(place.subscribe(&["q"], |_| {}));
        let other = Arc::clone(&subscription);
        let (begun, (told, ended)) = (Instant::now(), std::sync::mpsc::channel::<()>());
        let interrupter = thread::spawn(move || {
            // A poll that has not begun cannot be interrupted.
            while ended.recv_timeout(Duration::from_millis(50)) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                other.interrupt();
            }
        });
        assert!(subscription.poll(PATIENCE * 2).unwrap().is_none(), "{name}");
        assert!(begun.elapsed() < PATIENCE, "{name}");
        drop(told);
        interrupter.join().unwrap();
        // Nothing is lost by it.
        number_rows(&place, "c1", 0..2);
        assert_eq!(drained(&*subscription, 2), [0, 1], "{name}");
    }
}

#[test]
fn polls_commit_what_earlier_ones_gave_where_asked_for() {
    for (name, place) in places() {
        place.all(&METERS);
        place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
        number_rows(&place, "c1", 0..1);
        let subscription = place.subscribe(&["q"], |options| (options.auto_commit, options.auto_commit_interval) = (true, Duration::from_millis(1)));
        let first = subscription.poll(SOON).unwrap().expect("a row");
        thread::sleep(Duration::from_millis(5));
        number_rows(&place, "c1", 1..2);
        let second = subscription.poll(SOON).unwrap().expect("a row");
        assert_eq!(subscription.committed("q", first.vgroup).unwrap(), Some(first.next), "{name}");
        subscription.unsubscribe().unwrap();
        drop(subscription);
        let again = place.subscribe(&["q"], |_| {});
        assert_eq!(again.committed("q", first.vgroup).unwrap(), Some(second.next), "{name}");
    }
}

/// Tables made, changed and dropped in every way, rows between them.
const CHANGES: [&str; 16] = [
    "CREATE STABLE st (ts TIMESTAMP, v INT, s VARCHAR(10)) TAGS (g INT, n NCHAR(8))",
    "CREATE TABLE c1 USING st TAGS (1, '涛')",
    "CREATE TABLE n (ts TIMESTAMP, d DOUBLE, b VARBINARY(4))",
    "INSERT INTO c1 VALUES (1700000000000, 1, 'a') (1700000000001, NULL, NULL)",
    "ALTER STABLE st ADD COLUMN x DOUBLE",
    "ALTER STABLE st MODIFY COLUMN s VARCHAR(20)",
    "ALTER STABLE st ADD TAG t VARCHAR(9)",
    "ALTER STABLE st RENAME TAG t u",
    "ALTER TABLE c1 SET TAG g = 9",
    "INSERT INTO c2 USING st TAGS (2, NULL, 'w') VALUES (1700000000002, 2, 'twenty characters', 1.5)",
    "ALTER TABLE n ADD COLUMN i BIGINT",
    "ALTER TABLE n RENAME COLUMN i j",
    "INSERT INTO n VALUES (1700000000000, 2.5, '\\x0102', 7)",
    "DELETE FROM c1 WHERE ts = 1700000000001",
    "ALTER STABLE st DROP COLUMN x",
    "CREATE TABLE c3 USING st TAGS (3, 'a', 'b') c4 USING st TAGS (4, 'c', 'd')",
];

#[test]
fn events_arrive_as_they_happened_on_both_transports() {
    type Seen = Vec<(MessageKind, Vec<MetaEvent>, Vec<String>)>;
    let mut seen: Vec<Seen> = Vec::new();
    for (name, place) in places() {
        place.all(&["CREATE DATABASE d VGROUPS 1 WAL_RETENTION_PERIOD 3600", "USE d", "CREATE TOPIC m WITH META AS DATABASE d"]);
        place.all(&CHANGES);
        let subscription = place.subscribe(&["m"], |_| {});
        let messages = until(&*subscription, |message| message.meta.iter().any(|event| matches!(event, MetaEvent::CreateChild { table, .. } if table == "c4")));
        let has = |wanted: fn(&MetaEvent) -> bool| messages.iter().any(|message| message.meta.iter().any(wanted));
        assert!(has(|event| matches!(event, MetaEvent::CreateSuper { table, tags, .. } if table == "st" && tags.len() == 2)), "{name}: {messages:?}");
        assert!(has(|event| matches!(event, MetaEvent::CreateNormal { table, .. } if table == "n")), "{name}");
        assert!(
            has(|event| matches!(event, MetaEvent::CreateChild { table, tags, .. } if table == "c1" && tags[1].value == Value::NChar("涛".into()))),
            "{name}"
        );
        assert!(has(|event| matches!(event, MetaEvent::CreateChild { table, .. } if table == "c2")), "{name}");
        assert!(has(|event| matches!(event, MetaEvent::Alter { change: TableChange::AddColumn(column), .. } if column.name == "x")), "{name}");
        assert!(has(|event| matches!(event, MetaEvent::Alter { change: TableChange::SetTag(tag), .. } if tag.value == Value::Int(9))), "{name}");
        assert!(has(|event| matches!(event, MetaEvent::Delete { table, start: 1_700_000_000_001, end: 1_700_000_000_001, .. } if table == "c1")), "{name}");
        let rows = |message: &Message| message.blocks.iter().map(|block| format!("{:?} {:?}", block.table, block.batch)).collect();
        seen.push(messages.iter().map(|message| (message.kind, message.meta.clone(), rows(message))).collect());
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn every_type_arrives_as_it_was_written() {
    let mut seen = Vec::new();
    for (name, place) in places() {
        place.all(&[
            "CREATE DATABASE d PRECISION 'us' VGROUPS 1 WAL_RETENTION_PERIOD 3600",
            "USE d",
            "CREATE TABLE t (ts TIMESTAMP, v INT, b BOOL, ti TINYINT, si SMALLINT, bi BIGINT, tu TINYINT UNSIGNED, su SMALLINT UNSIGNED, iu INT UNSIGNED, \
             bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, vc VARCHAR(16), nc NCHAR(8), vb VARBINARY(8), g GEOMETRY(64), de DECIMAL(20,4))",
            "CREATE TOPIC m AS DATABASE d",
            "INSERT INTO t VALUES (1700000000000001,1,TRUE,-1,-2,-4,1,2,3,18446744073709551615,1.5,2.5,'it''s','数据','\\x00ff','POINT(1 2)',-12.3456) \
             (1700000000000002,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)",
        ]);
        let subscription = place.subscribe(&["m"], |_| {});
        let message = subscription.poll(SOON).unwrap().expect("rows");
        let block = &message.blocks[0];
        assert_eq!(block.table.as_deref(), Some("t"), "{name}");
        assert_eq!(block.batch.column(9).as_primitive::<arrow_array::types::UInt64Type>().value(0), u64::MAX, "{name}");
        assert_eq!(block.batch.column(0).as_primitive::<arrow_array::types::TimestampMicrosecondType>().value(1), 1_700_000_000_000_002, "{name}");
        assert!((1..17).all(|column| block.batch.column(column).is_null(1)), "{name}");
        seen.push((block.schema_version, block.batch.clone()));
    }
    assert_eq!(seen[0], seen[1]);
}

#[test]
fn a_consumer_may_change_its_topics() {
    for (name, place) in places() {
        place.all(&METERS);
        place.all(&["CREATE TOPIC q1 AS SELECT ts, v FROM d.c1", "CREATE TOPIC q2 AS SELECT ts, v FROM d.c2"]);
        number_rows(&place, "c1", 0..1);
        number_rows(&place, "c2", 1..2);
        let subscription = place.subscribe(&["q1"], |_| {});
        assert_eq!(drained(&*subscription, 1), [0], "{name}");
        subscription.unsubscribe().unwrap();
        assert!(subscription.topics().is_empty(), "{name}");
        subscription.subscribe(&["q2".to_owned()]).unwrap();
        assert_eq!(drained(&*subscription, 1), [1], "{name}");
        let both = place.subscribe(&["q1", "q2"], |options| options.group = "other".into());
        let mut values = drained(&*both, 2);
        values.sort_unstable();
        assert_eq!(values, [0, 1], "{name}");
        let missing = place.driver.subscribe(SubscribeOptions::new("g", ["nope"]));
        assert_eq!(missing.err().map(|error| error.code()), Some(code::TOPIC_NOT_EXIST), "{name}");
    }
}

#[test]
fn groups_share_the_vgroups_of_a_topic() {
    for (name, place) in places() {
        place.all(&["CREATE DATABASE d VGROUPS 4 WAL_RETENTION_PERIOD 3600", "USE d", "CREATE STABLE st (ts TIMESTAMP, v INT, s VARCHAR(10)) TAGS (g INT)"]);
        for child in 0..40 {
            place.run(&format!("CREATE TABLE c{child} USING st TAGS ({child})"));
        }
        place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
        let (one, two) = (place.subscribe(&["q"], |_| {}), place.subscribe(&["q"], |_| {}));
        for child in 0..40 {
            place.run(&format!("INSERT INTO c{child} VALUES (1700000000000, {child}, '')"));
        }
        let mut got: Vec<i32> = Vec::new();
        let deadline = Instant::now() + PATIENCE;
        let mut took_part = [false, false];
        while got.len() < 40 && Instant::now() < deadline {
            for (number, subscription) in [&one, &two].into_iter().enumerate() {
                while let Some(message) = subscription.poll(SHORT).unwrap() {
                    took_part[number] = true;
                    got.extend(values(&message).into_iter().flatten());
                    subscription.commit_message(&message).unwrap();
                }
            }
        }
        got.sort_unstable();
        assert_eq!(got, (0..40).collect::<Vec<_>>(), "{name}");
        assert_eq!(took_part, [true, true], "{name}");
        let vgroups = |subscription: &dyn Subscription| subscription.assignment("q").unwrap().len();
        assert_eq!(vgroups(&*one) + vgroups(&*two), 4, "{name}");
        // What one leaves goes to the other.
        two.close().unwrap();
        wait_until("all vgroups are one's", || {
            one.poll(SHORT).unwrap();
            vgroups(&*one) == 4
        });
    }
}

/// A relay in front of a server whose connections can be cut.
struct Relay {
    address: std::net::SocketAddr,
    open: Arc<std::sync::Mutex<Vec<std::net::TcpStream>>>,
}

impl Relay {
    fn start(server: std::net::SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, open) = (listener.local_addr().unwrap(), Arc::<std::sync::Mutex<Vec<std::net::TcpStream>>>::default());
        let held = Arc::clone(&open);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = std::net::TcpStream::connect(server).unwrap();
                held.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
                    thread::spawn(move || std::io::copy(&mut from, &mut to));
                }
            }
        });
        Self { address, open }
    }

    fn cut(&self) {
        for stream in self.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }
}

#[test]
fn a_connection_that_broke_is_opened_again_and_nothing_is_lost() {
    let server = start();
    let relay = Relay::start(server.address());
    let driver = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}", server.address())).unwrap(), &ConnectOptions::default()).unwrap();
    let place = Place { driver: Arc::from(driver), _server: None };
    place.all(&METERS);
    place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
    number_rows(&place, "c1", 0..1);
    let far = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}", relay.address)).unwrap(), &ConnectOptions::default()).unwrap();
    let far = Place { driver: Arc::from(far), _server: None };
    for committed in [false, true] {
        let subscription = far.subscribe(&["q"], |options| {
            options.group = format!("g{committed}");
            // Where nothing is committed the latest would be behind what this consumer saw.
            options.offset_reset = if committed { OffsetReset::Earliest } else { OffsetReset::Latest };
        });
        let vgroup = subscription.assignment("q").unwrap()[0].clone();
        subscription.seek("q", vgroup.vgroup, vgroup.begin).unwrap();
        let message = subscription.poll(SOON).unwrap().expect("a row");
        assert_eq!(values(&message)[0], Some(0), "committed: {committed}");
        if committed {
            subscription.commit_message(&message).unwrap();
        }
        relay.cut();
        number_rows(&place, "c1", 1..2);
        let want: &[i32] = if committed { &[1] } else { &[0, 1] };
        let got: Vec<i32> = drained(&*subscription, want.len());
        assert_eq!(got[..], *want, "committed: {committed}");
        relay.cut();
        // Also while nothing waits to be read.
        subscription.commit_all().unwrap();
        place.run("DELETE FROM d.c1");
        number_rows(&place, "c1", 0..1);
        while !is_quiet(&*subscription) {}
        subscription.close().unwrap();
    }
}

#[expect(clippy::needless_pass_by_value, reason = "literals stand in the calls")]
fn ask(socket: &mut Socket, action: &str, arguments: Json) -> Json {
    socket.ask(&json!({ "action": action, "args": arguments }).to_string())
}

/// A consumer of topic `q` on a raw socket.
#[expect(clippy::needless_pass_by_value, reason = "literals stand in the calls")]
fn subscribed(server: &ServerHandle, extra: Json) -> Socket {
    let mut socket = Socket::open(server.address(), "/rest/tmq");
    let mut arguments = json!({ "req_id": 1, "user": "root", "password": "taosdata", "group_id": "g", "offset_rest": "earliest", "topics": ["q"] });
    arguments.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    let reply = ask(&mut socket, "subscribe", arguments);
    assert_eq!((&reply["code"], &reply["action"]), (&json!(0), &json!("subscribe")), "{reply}");
    assert!(reply["version"].is_string());
    socket
}

fn with_topic(options: ServerOptions) -> (ServerHandle, Place) {
    let server = start_with(options);
    let driver = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}", server.address())).unwrap(), &ConnectOptions::default()).unwrap();
    let place = Place { driver: Arc::from(driver), _server: None };
    place.all(&METERS);
    place.run("CREATE TOPIC q AS SELECT ts, v FROM d.st");
    (server, place)
}

#[test]
fn refusals_of_later_versions() {
    let (server, _place) = with_topic(ServerOptions::default());
    let mut socket = Socket::open(server.address(), "/rest/tmq");
    let version = ask(&mut socket, "version", json!({ "req_id": 5 }));
    assert_eq!((&version["req_id"], version["timing"].is_u64()), (&json!(5), true), "{version}");
    let mut refused = |change: Json| {
        let mut arguments = json!({ "req_id": 6, "user": "root", "password": "taosdata", "group_id": "g", "topics": ["q"] });
        arguments.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let reply = ask(&mut socket, "subscribe", arguments);
        (reply["code"].as_u64().unwrap(), reply["message"].as_str().unwrap().to_owned())
    };
    assert_eq!(refused(json!({ "offset_rest": "bogus" })), (0x0118, "invalid value for key 'auto.offset.reset': bogus".into()));
    assert_eq!(refused(json!({ "config": { "a.b": "c" } })), (0x0118, "unknown configuration key: a.b".into()));
    assert_eq!(refused(json!({ "topics": ["nope"] })), (0x03E1, "Topic not exist".into()));
    assert_eq!(refused(json!({ "password": "wrong" })).0, 0x0357);
    assert_eq!(refused(json!({ "topics": [1] })), (65_535, "unmarshal subscribe request error".into()));
    let unknown = ask(&mut socket, "nope", json!({ "req_id": 7 }));
    assert_eq!((&unknown["message"], &unknown["req_id"]), (&json!("unknown action nope"), &json!(7)));
    let early = ask(&mut socket, "poll", json!({ "req_id": 8, "blocking_time": 10 }));
    assert_eq!(early["message"], "tmq not init");
}

#[test]
fn a_message_whose_announcement_was_lost_is_announced_again() {
    let (server, place) = with_topic(ServerOptions::default());
    number_rows(&place, "c1", 0..1);
    let mut socket = subscribed(&server, json!({}));
    let first = ask(&mut socket, "poll", json!({ "req_id": 2, "blocking_time": 60_000, "message_id": 0 }));
    assert_eq!((&first["have_message"], &first["message_id"]), (&json!(true), &json!(1)), "{first}");
    let again = ask(&mut socket, "poll", json!({ "req_id": 3, "blocking_time": 60_000, "message_id": 0 }));
    assert_eq!((&again["message_id"], &again["offset"]), (&json!(1), &first["offset"]));
    let none = ask(&mut socket, "poll", json!({ "req_id": 4, "blocking_time": 50, "message_id": 1 }));
    assert_eq!(none["have_message"], false);
    // A message is the newest until there is another; then it is gone.
    number_rows(&place, "c1", 1..2);
    let second = ask(&mut socket, "poll", json!({ "req_id": 5, "blocking_time": 60_000, "message_id": 1 }));
    assert_eq!(second["message_id"], 2);
    socket.text(&json!({ "action": "fetch_raw_data", "args": { "req_id": 6, "message_id": 1 } }).to_string());
    let Frame::Binary(failed) = socket.read() else { panic!("no frame") };
    assert_eq!(frame::read_fetch_raw_data(&failed), Some(frame::FetchedRaw::Failed(65_535, b"message ID are not equal")));
    socket.text(&json!({ "action": "fetch_raw_data", "args": { "req_id": 7, "message_id": 2 } }).to_string());
    let Frame::Binary(reply) = socket.read() else { panic!("no frame") };
    assert!(matches!(frame::read_fetch_raw_data(&reply), Some(frame::FetchedRaw::Message(raw)) if raw.raw_type == 2));
    assert_eq!(reply[26..34], 7_u64.to_le_bytes());
}

#[test]
fn of_polls_that_wait_the_newest_is_answered() {
    let (server, place) = with_topic(ServerOptions::default());
    let mut socket = subscribed(&server, json!({}));
    for request in 10..14 {
        socket.text(&json!({ "action": "poll", "args": { "req_id": request, "blocking_time": 60_000, "message_id": 0 } }).to_string());
        thread::sleep(Duration::from_millis(30));
    }
    // Other actions go on meanwhile.
    let topics = ask(&mut socket, "list_topics", json!({ "req_id": 20 }));
    assert_eq!(topics["topics"], json!(["q"]));
    number_rows(&place, "c1", 0..1);
    let (first, last) = (socket.json(), socket.json());
    assert_eq!((&first["req_id"], &first["have_message"]), (&json!(10), &json!(true)), "{first}");
    // It has not seen the message of the first, so it gets it too.
    assert_eq!((&last["req_id"], &last["message_id"]), (&json!(13), &first["message_id"]), "{last}");
    assert!(socket.read_within(Duration::from_millis(200)).is_none());
}

#[test]
fn polls_that_wait_hold_no_thread() {
    let (server, place) = with_topic(ServerOptions { blocking_threads: 2, ..ServerOptions::default() });
    let mut sockets: Vec<Socket> = (0..40).map(|number| subscribed(&server, json!({ "group_id": format!("g{number}") }))).collect();
    for socket in &mut sockets {
        socket.text(r#"{"action":"poll","args":{"req_id":2,"blocking_time":120000}}"#);
    }
    thread::sleep(Duration::from_millis(300));
    let begun = Instant::now();
    place.run("SELECT 1");
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    number_rows(&place, "c1", 0..1);
    for socket in &mut sockets {
        assert_eq!(socket.json()["have_message"], true);
    }
    // None came only because its time was over.
    assert!(begun.elapsed() < PATIENCE * 2, "{:?}", begun.elapsed());
}

#[test]
fn a_consumer_ends_with_its_connection() {
    let (server, place) = with_topic(ServerOptions::default());
    number_rows(&place, "c1", 0..1);
    // Long before a session times out.
    let patient = json!({ "config": { "session.timeout.ms": "600000", "max.poll.interval.ms": "600000" } });
    let mut one = subscribed(&server, patient);
    assert_eq!(ask(&mut one, "poll", json!({ "req_id": 2, "blocking_time": 60_000 }))["have_message"], true);
    one.text(r#"{"action":"poll","args":{"req_id":3,"blocking_time":60000,"message_id":1}}"#);
    drop(one);
    let mut two = subscribed(&server, json!({}));
    // Nothing was committed, so the other begins where this one did.
    wait_until("the other has the message", || ask(&mut two, "poll", json!({ "req_id": 4, "blocking_time": 200 }))["have_message"] == true);
}

#[test]
fn events_and_rows_can_be_written_elsewhere() {
    let server = start();
    let driver = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}?timezone=UTC", server.address())).unwrap(), &ConnectOptions::default()).unwrap();
    let place = Place { driver: Arc::from(driver), _server: None };
    place.all(&["CREATE DATABASE e", "CREATE DATABASE d VGROUPS 1 WAL_RETENTION_PERIOD 3600", "USE d", "CREATE TOPIC q WITH META AS DATABASE d"]);
    place.all(&CHANGES);
    // The last message.
    place.run("CREATE TABLE done (ts TIMESTAMP, v INT)");
    let mut consumer = subscribed(&server, json!({ "with_table_name": "true" }));
    let mut writer = Socket::log_in(server.address(), "e");
    let mut messages = 0;
    let is_done = || {
        let found = place.driver.execute("SELECT table_name FROM information_schema.ins_tables WHERE db_name = 'e' AND table_name = 'done'", &[]);
        found.unwrap().collect().unwrap().iter().any(|batch| batch.num_rows() > 0)
    };
    while !is_done() {
        let poll = ask(&mut consumer, "poll", json!({ "req_id": 3, "blocking_time": 60_000, "message_id": messages }));
        assert_eq!(poll["have_message"], true, "after {messages} messages");
        messages = poll["message_id"].as_u64().unwrap();
        consumer.text(&json!({ "action": "fetch_raw", "args": { "req_id": 4, "message_id": messages } }).to_string());
        let Frame::Binary(frame) = consumer.read() else { panic!("no message") };
        let mut request: Vec<u8> = [5, messages, action::WRITE_RAW].iter().flat_map(|word: &u64| word.to_le_bytes()).collect();
        request.extend_from_slice(&frame[32..]);
        // A message that comes twice does no harm.
        for twice in [false, true] {
            writer.send(&Frame::Binary(request.clone()));
            let reply = writer.json();
            let done = (&reply["code"], &reply["action"], &reply["req_id"]);
            assert_eq!(done, (&json!(0), &json!("write_raw"), &json!(5)), "{poll} {reply}, twice: {twice}");
        }
    }
    assert!(messages > 8, "{messages} messages");
    for sql in ["SELECT * FROM x.st ORDER BY ts", "SELECT * FROM x.n ORDER BY ts", "SHOW CREATE STABLE x.st", "SELECT tbname, g, n, u FROM x.st"] {
        let of = |database: &str| {
            let rows = place.driver.execute(&sql.replace("x.", &format!("{database}.")), &[]).unwrap().collect().unwrap();
            format!("{rows:?}")
        };
        assert_eq!(of("d"), of("e"), "{sql}");
    }
}
