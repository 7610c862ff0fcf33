//! A server that goes away in the middle: every call ends with a code and a text, nothing hangs, nothing stays open; once it is back, the
//! same handles work again.

use std::{
    ffi::{c_int, c_void},
    fmt::Write as _,
    sync::mpsc,
};

use embudo_client::abi::{Bind2, BindTables, MultiBind};
use embudo_server::ServerHandle;
use embudo_types::code;

use crate::{interface::*, serve, wait_until, wire::Wire};

/// What a program may be told of a server that is gone: that it cannot be reached, or that it left.
fn assert_gone((number, text): (c_int, String), what: &str) {
    let gone = [code::UNABLE_TO_ESTABLISH_CONNECTION, code::CONN_IS_BROKEN];
    assert!(gone.iter().any(|code| code.errno() == number), "{what}: 0x{number:08x} {text}");
    assert!(!text.is_empty(), "{what}");
}

fn last() -> (c_int, String) {
    error_of(std::ptr::null_mut())
}

/// A server behind a wire, a database `d` with a table `d.t`, and a connection.
fn reached() -> (ServerHandle, Wire, *mut c_void) {
    let (server, _) = serve();
    let wire = Wire::to(server.address());
    let taos = connect(wire.port());
    run(taos, "CREATE DATABASE d");
    run(taos, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
    (server, wire, taos)
}

/// Closes the connection, after which nothing is open any more.
fn end(wire: &Wire, taos: *mut c_void) {
    // SAFETY: closed once.
    unsafe { taos_close(taos) };
    wait_until("connections are closed", || wire.open() == 0);
}

/// 200,000 rows of random numbers, which no compression makes small.
fn fill(taos: *mut c_void) {
    let mut random = 1_u64;
    for part in 0..20 {
        let mut sql = String::from("INSERT INTO d.t VALUES");
        for row in 0..10_000_i64 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            write!(sql, "({},{})", 1_700_000_000_000 + part * 10_000 + row, random as i64).unwrap();
        }
        run(taos, &sql);
    }
}

#[test]
fn while_rows_are_fetched() {
    let (_server, wire, taos) = reached();
    fill(taos);
    for by_row in [false, true] {
        wire.cut_after(500_000);
        let mut rows = 0;
        // SAFETY: handles, places of this function and results that are freed once.
        unsafe {
            let res = taos_query(taos, c"SELECT ts, v FROM d.t".as_ptr());
            assert_eq!(taos_errno(res), 0);
            if by_row {
                while !taos_fetch_row(res).is_null() {
                    rows += 1;
                }
            } else {
                let (mut count, mut data) = (0, std::ptr::null());
                while taos_fetch_raw_block(res, &raw mut count, &raw mut data) == 0 {
                    assert!(count > 0, "an end after {rows} rows");
                    rows += count;
                }
            }
            assert_gone(error_of(res), "fetching");
            assert!(rows < 200_000, "{rows}");
            // What has failed goes on failing.
            assert!(taos_fetch_row(res).is_null());
            assert_gone(error_of(res), "fetching again");
            taos_free_result(res);
        }
        assert_gone(outcome(taos, "SELECT 1"), "a query");
        wire.mend();
        run(taos, "SELECT COUNT(*) FROM d.t");
    }
    end(&wire, taos);
}

#[test]
fn before_a_write_is_answered() {
    let (_server, wire, taos) = reached();
    wire.cut_after(0);
    assert_gone(outcome(taos, "INSERT INTO d.t VALUES (1700000000000, 1)"), "an INSERT");
    wire.mend();
    run(taos, "USE d");
    wire.cut_after(0);
    let lines = [c"a,b=c d=1 1700000000000".as_ptr()];
    // SAFETY: a text; the result is freed once.
    unsafe {
        let res = taos_schemaless_insert(taos, lines.as_ptr(), 1, 1, 0);
        assert_gone(error_of(res), "a line");
        assert_eq!(taos_affected_rows(res), 0);
        taos_free_result(res);
    }
    end(&wire, taos);
}

extern "C" fn tell(parameter: *mut c_void, res: *mut c_void, number: c_int) {
    // SAFETY: the sender that the test gave, which lives for ever; the result is freed once.
    unsafe {
        let tell = &*parameter.cast::<mpsc::Sender<(c_int, c_int, String)>>();
        let told = if res.is_null() { (number, String::from("none")) } else { error_of(res) };
        taos_free_result(res);
        tell.send((number, told.0, told.1)).unwrap();
    }
}

#[test]
fn before_a_callback() {
    let (_server, wire, taos) = reached();
    let (sender, told) = mpsc::channel::<(c_int, c_int, String)>();
    // The callback is still in it when what it tells is here already.
    let sender: &mpsc::Sender<_> = Box::leak(Box::new(sender));
    wire.cut_after(0);
    // SAFETY: a handle, a text and a callback whose parameter lives for ever.
    unsafe { taos_query_a(taos, c"SELECT * FROM d.t".as_ptr(), Some(tell), std::ptr::from_ref(sender).cast_mut().cast()) };
    let (number, of_result, text) = told.recv().unwrap();
    assert_gone((number, text.clone()), "a query with a callback");
    assert_gone((of_result, text), "its result");
    end(&wire, taos);
}

#[test]
fn while_a_statement_is_bound() {
    let (_server, wire, taos) = reached();
    let (times, values) = ([1_700_000_000_000_i64, 1_700_000_000_001], [1_i64, 2]);
    let bind = |buffer_type, values: &[i64; 2]| MultiBind {
        buffer_type,
        buffer: values.as_ptr().cast(),
        buffer_length: 8,
        length: std::ptr::null(),
        is_null: std::ptr::null(),
        num: 2,
    };
    let binds = [bind(9, &times), bind(5, &values)];
    // SAFETY: handles that are closed once, and binds of two values.
    unsafe {
        let stmt = taos_stmt_init(taos);
        assert_eq!(taos_stmt_prepare(stmt, c"INSERT INTO d.t VALUES(?, ?)".as_ptr(), 0), 0);
        assert_eq!(taos_stmt_bind_param_batch(stmt, binds.as_ptr()), 0);
        assert_eq!(taos_stmt_add_batch(stmt), 0);
        wire.cut();
        assert_gone((taos_stmt_execute(stmt), read(taos_stmt_errstr(stmt))), "execute");
        assert_gone((taos_stmt_prepare(stmt, c"INSERT INTO d.t VALUES(?, ?)".as_ptr(), 0), read(taos_stmt_errstr(stmt))), "prepare");
        // Once the server is back, the same statement is prepared again.
        wire.mend();
        assert_eq!(taos_stmt_prepare(stmt, c"INSERT INTO d.t VALUES(?, ?)".as_ptr(), 0), 0, "{}", read(taos_stmt_errstr(stmt)));
        assert_eq!(taos_stmt_bind_param_batch(stmt, binds.as_ptr()), 0);
        assert_eq!(taos_stmt_add_batch(stmt), 0);
        assert_eq!(taos_stmt_execute(stmt), 0, "{}", read(taos_stmt_errstr(stmt)));
        assert_eq!(taos_stmt_close(stmt), 0);

        let stmt = taos_stmt2_init(taos, std::ptr::null());
        assert_eq!(taos_stmt2_prepare(stmt, c"INSERT INTO d.t VALUES(?, ?)".as_ptr(), 0), 0);
        let cells =
            |buffer_type, values: &[i64; 2]| Bind2 { buffer_type, buffer: values.as_ptr().cast(), length: std::ptr::null(), is_null: std::ptr::null(), num: 2 };
        let columns = [cells(9, &times), cells(5, &values)];
        let list = [columns.as_ptr()];
        let tables = BindTables { count: 1, names: std::ptr::null(), tags: std::ptr::null(), columns: list.as_ptr() };
        assert_eq!(taos_stmt2_bind_param(stmt, &raw const tables, -1), 0);
        wire.cut();
        assert_gone((taos_stmt2_exec(stmt, std::ptr::null_mut()), read(taos_stmt2_error(stmt))), "execute, second kind");
        assert_gone((taos_stmt2_prepare(stmt, c"SELECT 1".as_ptr(), 0), read(taos_stmt2_error(stmt))), "prepare, second kind");
        assert_eq!(taos_stmt2_close(stmt), 0);
    }
    end(&wire, taos);
}

#[test]
fn while_a_consumer_polls() {
    let (_server, wire, taos) = reached();
    run(taos, "INSERT INTO d.t VALUES (1700000000000, 1)");
    run(taos, "CREATE TOPIC gone AS SELECT ts, v FROM d.t");
    let port = wire.port().to_string();
    // SAFETY: handles that are ended once, and texts.
    unsafe {
        let conf = tmq_conf_new();
        for (key, value) in [("group.id", "g"), ("auto.offset.reset", "earliest"), ("td.connect.ip", "127.0.0.1"), ("td.connect.port", &port)] {
            assert_eq!(tmq_conf_set(conf, c(key).as_ptr(), c(value).as_ptr()), 0, "{key}");
        }
        let tmq = tmq_consumer_new(conf, std::ptr::null_mut(), 0);
        assert!(!tmq.is_null(), "{:?}", last());
        tmq_conf_destroy(conf);
        let topics = tmq_list_new();
        assert_eq!(tmq_list_append(topics, c"gone".as_ptr()), 0);
        assert_eq!(tmq_subscribe(tmq, topics), 0);
        let mut message = std::ptr::null_mut();
        wait_until("a message comes", || {
            message = tmq_consumer_poll(tmq, 100);
            !message.is_null()
        });
        // A message stays what it is.
        wire.cut();
        assert!(!taos_fetch_row(message).is_null());
        let number = tmq_commit_sync(tmq, message);
        assert_gone(last(), "commit");
        assert_eq!(number, last().0);
        taos_free_result(message);
        let message = tmq_consumer_poll(tmq, 200);
        assert!(message.is_null());
        if last().0 != 0 {
            assert_gone(last(), "poll");
        }
        let list = tmq_subscribe(tmq, topics);
        assert_gone((list, last().1), "subscribe");
        // It cannot leave its group where nobody hears it; it is gone all the same.
        tmq_consumer_close(tmq);
        assert_ne!(tmq_consumer_close(tmq), 0);
        tmq_list_destroy(topics);
    }
    end(&wire, taos);
}

#[test]
fn before_anything() {
    let (server, _) = serve();
    let wire = Wire::to(server.address());
    wire.cut();
    assert!(connect_as("root", "taosdata", wire.port()).is_null());
    assert_gone(last(), "connect");
    wire.mend();
    // In the middle of logging in.
    wire.cut_after(10);
    assert!(connect_as("root", "taosdata", wire.port()).is_null());
    assert_gone(last(), "logging in");
    wait_until("connections are closed", || wire.open() == 0);
}
