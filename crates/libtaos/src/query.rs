//! Statements by their text: run in the caller's thread or with a callback, checked without being run, ended early.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::Arc,
};

use embudo_client::Request;
use embudo_types::code;

use crate::{
    abi::AsyncCallback,
    boundary::{self, Passed, Status, code_of, invalid, needed_text, quietly},
    connection::Connection,
    handle,
    result::QueryResult,
    worker,
};

/// Runs a statement; its result tells of errors.
fn run(connection: &Arc<Connection>, sql: &str, request_id: Option<u64>) -> QueryResult {
    let result = boundary::caught(|| connection.driver().run(&Request { sql, request_id, ..Request::default() }));
    QueryResult::new(result, connection)
}

unsafe fn query(taos: *mut c_void, sql: *const c_char, request_id: Option<u64>) -> *mut c_void {
    match boundary::caught(|| Connection::of(taos)) {
        Ok(connection) => {
            // SAFETY: as the caller says.
            let sql = unsafe { needed_text(sql, "statement") };
            sql.map_or_else(|error| QueryResult::failed(&error), |sql| run(&connection, sql, request_id)).into_handle()
        }
        Err(error) => {
            boundary::set_last(Status::of(&error));
            std::ptr::null_mut()
        }
    }
}

/// Runs a statement and gives its result, which tells of errors; NULL without a connection.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query(taos: *mut c_void, sql: *const c_char) -> *mut c_void {
    // SAFETY: a text as the interface says.
    unsafe { query(taos, sql, None) }
}

/// The same, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_with_reqid(taos: *mut c_void, sql: *const c_char, reqid: i64) -> *mut c_void {
    // SAFETY: a text as the interface says.
    unsafe { query(taos, sql, Some(reqid as u64)) }
}

unsafe fn query_async(taos: *mut c_void, sql: *const c_char, callback: Option<AsyncCallback>, parameter: *mut c_void, request_id: Option<u64>) {
    let Some(callback) = callback else {
        return boundary::set_last(Status::of(&invalid("no callback")));
    };
    let parameter = Passed(parameter);
    let started = boundary::caught(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: as the caller says.
        let sql = unsafe { needed_text(sql, "statement") }?.to_owned();
        worker::run(move || {
            let result = run(&connection, &sql, request_id);
            let code = result.lock().status.code();
            let res = result.into_handle();
            // SAFETY: the callback that the program gave for this, with its own parameter.
            unsafe { callback(parameter.get(), res, code) };
        })
    });
    if let Err(error) = started {
        boundary::set_last(Status::of(&error));
        // SAFETY: as above.
        unsafe { callback(parameter.get(), std::ptr::null_mut(), error.code().errno()) };
    }
}

/// Runs a statement on another thread, which then calls back with the result.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_a(taos: *mut c_void, sql: *const c_char, fp: Option<AsyncCallback>, param: *mut c_void) {
    // SAFETY: a text and a callback as the interface says.
    unsafe { query_async(taos, sql, fp, param, None) };
}

/// The same, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_query_a_with_reqid(taos: *mut c_void, sql: *const c_char, fp: Option<AsyncCallback>, param: *mut c_void, reqid: i64) {
    // SAFETY: a text and a callback as the interface says.
    unsafe { query_async(taos, sql, fp, param, Some(reqid as u64)) };
}

/// Ends what a result still does.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stop_query(res: *mut c_void) {
    quietly((), || {
        if let Ok(result) = QueryResult::of(res) {
            result.stop();
        }
    });
}

/// Ends everything that runs on a connection.
#[unsafe(no_mangle)]
pub extern "C" fn taos_kill_query(taos: *mut c_void) {
    quietly((), || {
        if let Ok(connection) = Connection::of(taos) {
            connection.driver().interrupt();
        }
    });
}

/// Ends a result, or a message of a subscription.
#[unsafe(no_mangle)]
pub extern "C" fn taos_free_result(res: *mut c_void) {
    quietly((), || drop(handle::remove::<QueryResult>(res)));
}

/// Checks a statement without running it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_validate_sql(taos: *mut c_void, sql: *const c_char) -> c_int {
    // SAFETY: a text as the interface says.
    code_of(|| Connection::of(taos)?.driver().validate(unsafe { needed_text(sql, "statement") }?))
}

/// Code of a result's error; of the thread's last one for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn taos_errno(res: *mut c_void) -> c_int {
    if res.is_null() {
        return boundary::last_code();
    }
    quietly(code::INTERNAL_ERROR.errno(), || QueryResult::of(res).map_or_else(|error| error.code().errno(), |result| result.lock().status.code()))
}

/// Text of a result's error; of the thread's last one for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn taos_errstr(res: *mut c_void) -> *const c_char {
    if res.is_null() {
        return boundary::last_text();
    }
    quietly(c"".as_ptr(), || match QueryResult::of(res) {
        Ok(result) => result.lock().status.text(),
        Err(error) => {
            boundary::set_last(Status::of(&error));
            boundary::last_text()
        }
    })
}
