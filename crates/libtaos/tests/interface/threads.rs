//! Threads that share what the interface lets them share, and what it does not: connections, statements and results; whatever one thread
//! does, another gets a value or a code.

use std::{
    ffi::{c_int, c_void},
    sync::{
        Barrier, Condvar, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use embudo_client::abi::MultiBind;

use crate::{interface::*, serve};

const THREADS: usize = 8;

/// Does something with a connection embedded, and with one over WebSocket.
fn on_both(name: &str, work: impl Fn(*mut c_void)) {
    let taos = open(&format!("embudo://root:taosdata@/:memory:{name}?timezone=UTC"));
    work(taos);
    let (server, _) = serve();
    work(connect(server.address().port()));
}

/// A table `d.t` with 20,000 rows, which makes several blocks.
fn filled(taos: *mut c_void) {
    run(taos, "CREATE DATABASE d");
    run(taos, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
    let rows: Vec<String> = (0..20_000_i64).map(|row| format!("({},{row})", 1_700_000_000_000 + row)).collect();
    run(taos, &format!("INSERT INTO d.t VALUES {}", rows.join(" ")));
}

#[test]
fn one_connection_for_all() {
    on_both("one_connection", |taos| {
        run(taos, "CREATE DATABASE d");
        for thread in 0..THREADS {
            run(taos, &format!("CREATE TABLE d.t{thread} (ts TIMESTAMP, v BIGINT)"));
        }
        let shared = Shared(taos);
        thread::scope(|scope| {
            for number in 0..THREADS {
                scope.spawn(move || {
                    for round in 0..25 {
                        run(shared.get(), &format!("INSERT INTO d.t{number} VALUES ({}, {round})", 1_700_000_000_000_i64 + round));
                        let sql = c(&format!("SELECT COUNT(*) FROM d.t{number}"));
                        // SAFETY: a connection that is there; the result is this thread's.
                        unsafe {
                            let res = taos_query(shared.get(), sql.as_ptr());
                            assert_eq!(taos_errno(res), 0, "{}", read(taos_errstr(res)));
                            let row = taos_fetch_row(res);
                            assert_eq!((*row).cast::<i64>().read_unaligned(), round + 1);
                            taos_free_result(res);
                        }
                        // The last error is the thread's own.
                        assert_ne!(outcome(shared.get(), "SELEC").0, 0);
                        assert_eq!(outcome(shared.get(), "SELECT 1").0, 0);
                    }
                });
            }
        });
        // SAFETY: closed once.
        unsafe { taos_close(taos) };
    });
}

#[test]
fn one_statement_of_two_threads() {
    on_both("one_statement", |taos| {
        filled(taos);
        // SAFETY: a connection that is there.
        let stmt = Shared(unsafe { taos_stmt_init(taos) });
        let together = Barrier::new(2);
        thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let stmt = stmt.get();
                    together.wait();
                    for round in 0..100_i64 {
                        let (time, value) = (1_800_000_000_000_i64 + round, round);
                        let bind = |buffer_type: c_int, value: &i64| MultiBind {
                            buffer_type,
                            buffer: std::ptr::from_ref(value).cast(),
                            buffer_length: 8,
                            length: std::ptr::null(),
                            is_null: std::ptr::null(),
                            num: 1,
                        };
                        let binds = [bind(9, &time), bind(5, &value)];
                        // SAFETY: a statement, a text and binds of one value. Whatever the other thread did between, each call says how it went.
                        let codes = unsafe {
                            [
                                taos_stmt_prepare(stmt, c"INSERT INTO d.t VALUES(?, ?)".as_ptr(), 0),
                                taos_stmt_bind_param_batch(stmt, binds.as_ptr()),
                                taos_stmt_add_batch(stmt),
                                taos_stmt_execute(stmt),
                            ]
                        };
                        assert!(codes.iter().all(|&code| code <= 0), "{codes:x?}");
                    }
                });
            }
        });
        // SAFETY: closed once; a second time it is none.
        unsafe {
            assert_eq!(taos_stmt_close(stmt.get()), 0);
            assert_ne!(taos_stmt_close(stmt.get()), 0);
            taos_close(taos);
        }
    });
}

/// How many callbacks were called, for those who wait for them.
#[derive(Default)]
struct Called {
    count: Mutex<usize>,
    changed: Condvar,
    rows: AtomicUsize,
}

impl Called {
    fn wait_for(&self, count: usize) {
        let mut called = self.count.lock().unwrap();
        while *called < count {
            called = self.changed.wait(called).unwrap();
        }
    }
}

extern "C" fn freeing(parameter: *mut c_void, res: *mut c_void, _: c_int) {
    // SAFETY: what the test gave, which lives for ever. The result is freed within its own callback.
    unsafe {
        taos_free_result(res);
        taos_free_result(res);
        let called = &*parameter.cast::<Called>();
        *called.count.lock().unwrap() += 1;
        called.changed.notify_all();
    }
}

extern "C" fn fetched(parameter: *mut c_void, res: *mut c_void, rows: c_int) {
    // SAFETY: as above.
    let called = unsafe { &*parameter.cast::<Called>() };
    if rows > 0 {
        called.rows.fetch_add(rows as usize, Ordering::SeqCst);
        // SAFETY: a result, or a handle that another thread has freed.
        unsafe { taos_fetch_rows_a(res, Some(fetched), parameter) };
    } else {
        freeing(parameter, res, rows);
    }
}

extern "C" fn queried(parameter: *mut c_void, res: *mut c_void, _: c_int) {
    // SAFETY: as above.
    unsafe { taos_fetch_rows_a(res, Some(fetched), parameter) };
}

#[test]
fn results_are_freed_within_callbacks_and_connections_closed_before_them() {
    on_both("callbacks", |taos| {
        filled(taos);
        // The last callback is still in it when the test has its number.
        let called: &Called = Box::leak(Box::default());
        let parameter = std::ptr::from_ref(called).cast_mut().cast();
        for _ in 0..50 {
            // SAFETY: a connection, a text and callbacks whose parameter lives for ever.
            unsafe {
                taos_query_a(taos, c"SELECT * FROM d.t LIMIT 5000".as_ptr(), Some(freeing), parameter);
                taos_query_a(taos, c"SELECT * FROM d.t LIMIT 5000".as_ptr(), Some(queried), parameter);
            }
        }
        // SAFETY: closed once, while queries run.
        unsafe { taos_close(taos) };
        called.wait_for(100);
        // Those that began before the end of the connection gave their rows.
        assert_eq!(called.rows.load(Ordering::SeqCst) % 5000, 0);
    });
}

#[test]
fn what_another_thread_reads_is_stopped_freed_and_closed() {
    on_both("closing", |taos| {
        filled(taos);
        for round in 0..40 {
            // SAFETY: a connection and a text.
            let res = Shared(unsafe { taos_query(taos, c"SELECT * FROM d.t".as_ptr()) });
            let together = Barrier::new(2);
            thread::scope(|scope| {
                scope.spawn(|| {
                    together.wait();
                    let (mut count, mut data, mut rows) = (0, std::ptr::null(), std::ptr::null());
                    // SAFETY: a result, or a handle of one that is gone; what a block leads to is not read here, since the other thread may free it.
                    unsafe {
                        while taos_fetch_raw_block(res.get(), &raw mut count, &raw mut data) == 0 && count > 0 {}
                        taos_fetch_block(res.get(), &raw mut rows);
                        taos_fetch_row(res.get());
                        taos_errno(res.get());
                    }
                });
                scope.spawn(|| {
                    together.wait();
                    for _ in 0..round * 100 {
                        std::hint::spin_loop();
                    }
                    // SAFETY: a result that is there.
                    unsafe {
                        if round % 3 == 0 {
                            taos_stop_query(res.get());
                        }
                        taos_free_result(res.get());
                    }
                });
            });
        }
        // The connection is well after all that.
        assert_eq!(outcome(taos, "SELECT COUNT(*) FROM d.t").0, 0);
        // SAFETY: closed once; what was made of it goes on.
        unsafe {
            let res = taos_query(taos, c"SELECT * FROM d.t".as_ptr());
            taos_close(taos);
            let mut rows = 0;
            while !taos_fetch_row(res).is_null() {
                rows += 1;
            }
            assert_eq!((rows, taos_errno(res)), (20_000, 0));
            taos_free_result(res);
        }
        assert_ne!(outcome(taos, "SELECT 1").0, 0);
    });
}

#[test]
fn queries_are_killed_while_they_run() {
    on_both("killing", |taos| {
        filled(taos);
        let shared = Shared(taos);
        let running = AtomicUsize::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..10 {
                        let sql = "SELECT COUNT(*) FROM (SELECT * FROM d.t ORDER BY v DESC)";
                        let (code, text) = outcome(shared.get(), sql);
                        assert!(code <= 0 && (code == 0) == (text == "success"), "0x{code:08x} {text}");
                    }
                    running.fetch_sub(1, Ordering::SeqCst);
                });
            }
            scope.spawn(|| {
                while running.load(Ordering::SeqCst) > 0 {
                    // SAFETY: a connection that is there.
                    unsafe { taos_kill_query(shared.get()) };
                    thread::yield_now();
                }
            });
        });
        run(taos, "SELECT COUNT(*) FROM d.t");
        // SAFETY: closed once.
        unsafe { taos_close(taos) };
    });
}
