//! The functions that the tests call, as a C program has them, and what reads what they give.

use std::ffi::{CStr, CString, c_char, c_int, c_void};

use embudo_client::abi::{AsyncCallback, BindTables, MultiBind, NotifyCallback, Statement2Option};
// The functions are those of the library that this program is linked with.
use taos as _;

unsafe extern "C" {
    pub fn taos_connect(ip: *const c_char, user: *const c_char, pass: *const c_char, db: *const c_char, port: u16) -> *mut c_void;
    pub fn taos_connect_with_dsn(dsn: *const c_char) -> *mut c_void;
    pub fn taos_close(taos: *mut c_void);
    pub fn taos_errno(res: *mut c_void) -> c_int;
    pub fn taos_errstr(res: *mut c_void) -> *const c_char;
    pub fn taos_options_connection(taos: *mut c_void, option: c_int, value: *const c_void) -> c_int;
    pub fn taos_query(taos: *mut c_void, sql: *const c_char) -> *mut c_void;
    pub fn taos_query_a(taos: *mut c_void, sql: *const c_char, callback: Option<AsyncCallback>, parameter: *mut c_void);
    pub fn taos_free_result(res: *mut c_void);
    pub fn taos_stop_query(res: *mut c_void);
    pub fn taos_kill_query(taos: *mut c_void);
    pub fn taos_fetch_row(res: *mut c_void) -> *const *const c_void;
    pub fn taos_fetch_block(res: *mut c_void, rows: *mut *const c_void) -> c_int;
    pub fn taos_fetch_raw_block(res: *mut c_void, rows: *mut c_int, data: *mut *const c_void) -> c_int;
    pub fn taos_fetch_rows_a(res: *mut c_void, callback: Option<AsyncCallback>, parameter: *mut c_void);
    pub fn taos_affected_rows(res: *mut c_void) -> c_int;
    pub fn taos_set_notify_cb(taos: *mut c_void, callback: Option<NotifyCallback>, parameter: *mut c_void, kind: c_int) -> c_int;
    pub fn taos_schemaless_insert(taos: *mut c_void, lines: *const *const c_char, count: c_int, protocol: c_int, precision: c_int) -> *mut c_void;
    pub fn taos_stmt_init(taos: *mut c_void) -> *mut c_void;
    pub fn taos_stmt_prepare(stmt: *mut c_void, sql: *const c_char, length: std::ffi::c_ulong) -> c_int;
    pub fn taos_stmt_bind_param_batch(stmt: *mut c_void, bind: *const MultiBind) -> c_int;
    pub fn taos_stmt_add_batch(stmt: *mut c_void) -> c_int;
    pub fn taos_stmt_execute(stmt: *mut c_void) -> c_int;
    pub fn taos_stmt_errstr(stmt: *mut c_void) -> *const c_char;
    pub fn taos_stmt_close(stmt: *mut c_void) -> c_int;
    pub fn taos_stmt2_init(taos: *mut c_void, option: *const Statement2Option) -> *mut c_void;
    pub fn taos_stmt2_prepare(stmt: *mut c_void, sql: *const c_char, length: std::ffi::c_ulong) -> c_int;
    pub fn taos_stmt2_bind_param(stmt: *mut c_void, binds: *const BindTables, column: i32) -> c_int;
    pub fn taos_stmt2_exec(stmt: *mut c_void, affected: *mut c_int) -> c_int;
    pub fn taos_stmt2_error(stmt: *mut c_void) -> *const c_char;
    pub fn taos_stmt2_close(stmt: *mut c_void) -> c_int;
    pub fn tmq_conf_new() -> *mut c_void;
    pub fn tmq_conf_set(conf: *mut c_void, key: *const c_char, value: *const c_char) -> c_int;
    pub fn tmq_conf_destroy(conf: *mut c_void);
    pub fn tmq_list_new() -> *mut c_void;
    pub fn tmq_list_append(list: *mut c_void, topic: *const c_char) -> i32;
    pub fn tmq_list_destroy(list: *mut c_void);
    pub fn tmq_consumer_new(conf: *mut c_void, text: *mut c_char, length: i32) -> *mut c_void;
    pub fn tmq_subscribe(tmq: *mut c_void, topics: *mut c_void) -> i32;
    pub fn tmq_consumer_poll(tmq: *mut c_void, timeout: i64) -> *mut c_void;
    pub fn tmq_commit_sync(tmq: *mut c_void, message: *const c_void) -> i32;
    pub fn tmq_consumer_close(tmq: *mut c_void) -> i32;
}

/// A handle that other threads use too.
#[derive(Clone, Copy)]
pub struct Shared(pub *mut c_void);

// SAFETY: handles are numbers for the library, whose rules let threads share what the tests share.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    /// The handle. (A method, so that closures take the whole wrapper.)
    pub fn get(self) -> *mut c_void {
        self.0
    }
}

/// A text of the library's.
pub fn read(text: *const c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: a text that lives until the next call.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// A text for the library.
pub fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// Code and text of a result's error, or of the thread's last one.
pub fn error_of(res: *mut c_void) -> (c_int, String) {
    // SAFETY: a handle, or NULL.
    unsafe { (taos_errno(res), read(taos_errstr(res))) }
}

/// Connects to a server's port as a user.
pub fn connect_as(user: &str, password: &str, port: u16) -> *mut c_void {
    let (user, password) = (c(user), c(password));
    // SAFETY: texts.
    unsafe { taos_connect(c"127.0.0.1".as_ptr(), user.as_ptr(), password.as_ptr(), std::ptr::null(), port) }
}

/// Connects to a server's port as root.
pub fn connect(port: u16) -> *mut c_void {
    let taos = connect_as("root", "taosdata", port);
    assert!(!taos.is_null(), "{:?}", error_of(std::ptr::null_mut()));
    taos
}

/// Opens a database in this process.
pub fn open(dsn: &str) -> *mut c_void {
    let dsn = c(dsn);
    // SAFETY: a text.
    let taos = unsafe { taos_connect_with_dsn(dsn.as_ptr()) };
    assert!(!taos.is_null(), "{:?}", error_of(std::ptr::null_mut()));
    taos
}

/// Runs a statement; code and text of its error, 0 for none.
pub fn outcome(taos: *mut c_void, sql: &str) -> (c_int, String) {
    let sql = c(sql);
    // SAFETY: a handle and a text; the result is freed once.
    unsafe {
        let res = taos_query(taos, sql.as_ptr());
        let told = error_of(res);
        taos_free_result(res);
        told
    }
}

/// Runs a statement that must succeed.
pub fn run(taos: *mut c_void, sql: &str) {
    let (code, text) = outcome(taos, sql);
    assert_eq!(code, 0, "{sql}: {text}");
}
