//! TDengine's client library, opened when it is first wanted and never closed: connections, results and threads of its own hang on it.

use std::{
    collections::HashMap,
    ffi::{CStr, c_char, c_int, c_ulong, c_void},
    sync::{Mutex, PoisonError},
};

use embudo_types::{Error, Result, code};

use super::abi::{BindTables, Field, FieldAll, FieldE, MultiBind, RawData, Statement2Option, TopicAssignment};

macro_rules! functions {
    ($($(#[$note:meta])* $name:ident: fn($($argument:ty),*) $(-> $result:ty)?, $since:literal;)*) => {
        /// The functions of a library that this driver uses, as far as it has them.
        #[allow(missing_docs, reason = "the interface's own names")]
        pub struct Functions {
            $($name: Option<unsafe extern "C" fn($($argument),*) $(-> $result)?>,)*
        }

        #[allow(missing_docs, reason = "the interface's own names")]
        impl Functions {
            fn of(library: &libloading::Library) -> Self {
                Self {
                    $(
                        // SAFETY: the types are those of the interface, which has kept them since the version beside them.
                        $name: unsafe { library.get(concat!(stringify!($name), "\0").as_bytes()) }.ok().map(|symbol| *symbol),
                    )*
                }
            }
        }

        impl Library {
            $(
                $(#[$note])*
                #[allow(clippy::type_complexity, reason = "the interface's own types")]
                pub fn $name(&self) -> Result<unsafe extern "C" fn($($argument),*) $(-> $result)?> {
                    self.functions.$name.ok_or_else(|| self.missing(stringify!($name), $since))
                }
            )*
        }
    };
}

type Handle = *mut c_void;
type Text = *const c_char;

functions! {
    /// Version of the library.
    taos_get_client_info: fn() -> Text, "3.0.0.0";
    /// Options of the process.
    taos_options: fn(c_int, *const c_void) -> c_int, "3.0.0.0";
    /// Opens a connection.
    taos_connect: fn(Text, Text, Text, Text, u16) -> Handle, "3.0.0.0";
    /// Opens a connection with a one-time password.
    taos_connect_totp: fn(Text, Text, Text, Text, Text, u16) -> Handle, "3.4.0.0";
    /// Opens a connection with a token.
    taos_connect_token: fn(Text, Text, Text, u16) -> Handle, "3.4.0.0";
    /// Closes a connection.
    taos_close: fn(Handle), "3.0.0.0";
    /// Sets an option of a connection.
    taos_options_connection: fn(Handle, c_int, *const c_void) -> c_int, "3.3.5.0";
    /// Leaves the current database.
    taos_reset_current_db: fn(Handle), "3.0.0.0";
    /// The server's version.
    taos_get_server_info: fn(Handle) -> Text, "3.0.0.0";
    /// Checks a statement.
    taos_validate_sql: fn(Handle, Text) -> c_int, "3.0.0.0";
    /// Runs a statement.
    taos_query: fn(Handle, Text) -> Handle, "3.0.0.0";
    /// Runs a statement with an id.
    taos_query_with_reqid: fn(Handle, Text, i64) -> Handle, "3.0.3.0";
    /// Ends all that runs on a connection.
    taos_kill_query: fn(Handle), "3.0.0.0";
    /// Code of an error.
    taos_errno: fn(Handle) -> c_int, "3.0.0.0";
    /// Text of an error.
    taos_errstr: fn(Handle) -> Text, "3.0.0.0";
    /// Ends a result.
    taos_free_result: fn(Handle), "3.0.0.0";
    /// How many columns a result has.
    taos_field_count: fn(Handle) -> c_int, "3.0.0.0";
    /// Its columns.
    taos_fetch_fields: fn(Handle) -> *const Field, "3.0.0.0";
    /// Its columns with precision and scale.
    taos_fetch_fields_e: fn(Handle) -> *const FieldE, "3.3.6.0";
    /// Precision of its timestamps.
    taos_result_precision: fn(Handle) -> c_int, "3.0.0.0";
    /// Rows written.
    taos_affected_rows: fn(Handle) -> c_int, "3.0.0.0";
    /// Rows written.
    taos_affected_rows64: fn(Handle) -> i64, "3.0.5.0";
    /// The next block.
    taos_fetch_raw_block: fn(Handle, *mut c_int, *mut *mut c_void) -> c_int, "3.0.0.0";
    /// Writes lines, each a text.
    taos_schemaless_insert: fn(Handle, *mut *mut c_char, c_int, c_int, c_int) -> Handle, "3.0.0.0";
    /// Writes lines.
    taos_schemaless_insert_raw: fn(Handle, *mut c_char, c_int, *mut i32, c_int, c_int) -> Handle, "3.0.1.0";
    /// Writes lines, with a TTL and an id.
    taos_schemaless_insert_raw_ttl_with_reqid: fn(Handle, *mut c_char, c_int, *mut i32, c_int, c_int, i32, i64) -> Handle, "3.0.3.0";
    /// Writes lines, with the tag that names children.
    taos_schemaless_insert_raw_ttl_with_reqid_tbname_key:
        fn(Handle, *mut c_char, c_int, *mut i32, c_int, c_int, i32, i64, *mut c_char) -> Handle, "3.3.2.0";
    /// Opens a statement of the first kind.
    taos_stmt_init: fn(Handle) -> Handle, "3.0.0.0";
    /// Prepares it.
    taos_stmt_prepare: fn(Handle, Text, c_ulong) -> c_int, "3.0.0.0";
    /// Names its table.
    taos_stmt_set_tbname: fn(Handle, Text) -> c_int, "3.0.0.0";
    /// Gives the table's tags.
    taos_stmt_set_tags: fn(Handle, *const MultiBind) -> c_int, "3.0.0.0";
    /// What the tags are.
    taos_stmt_get_tag_fields: fn(Handle, *mut c_int, *mut *mut FieldE) -> c_int, "3.0.1.0";
    /// What the columns are.
    taos_stmt_get_col_fields: fn(Handle, *mut c_int, *mut *mut FieldE) -> c_int, "3.0.1.0";
    /// Takes back what the two gave.
    taos_stmt_reclaim_fields: fn(Handle, *mut FieldE), "3.0.3.0";
    /// Whether it is an INSERT.
    taos_stmt_is_insert: fn(Handle, *mut c_int) -> c_int, "3.0.0.0";
    /// Binds rows.
    taos_stmt_bind_param_batch: fn(Handle, *const MultiBind) -> c_int, "3.0.0.0";
    /// Binds parameters.
    taos_stmt_bind_param: fn(Handle, *const MultiBind) -> c_int, "3.0.0.0";
    /// Ends a batch.
    taos_stmt_add_batch: fn(Handle) -> c_int, "3.0.0.0";
    /// Executes.
    taos_stmt_execute: fn(Handle) -> c_int, "3.0.0.0";
    /// What a query gave.
    taos_stmt_use_result: fn(Handle) -> Handle, "3.0.0.0";
    /// Rows written by the last execution.
    taos_stmt_affected_rows_once: fn(Handle) -> c_int, "3.0.0.0";
    /// Text of an error.
    taos_stmt_errstr: fn(Handle) -> Text, "3.0.0.0";
    /// Ends a statement.
    taos_stmt_close: fn(Handle) -> c_int, "3.0.0.0";
    /// Opens a statement of the second kind.
    taos_stmt2_init: fn(Handle, *const Statement2Option) -> Handle, "3.3.5.0";
    /// Prepares it.
    taos_stmt2_prepare: fn(Handle, Text, c_ulong) -> c_int, "3.3.5.0";
    /// Binds tables, or parameters.
    taos_stmt2_bind_param: fn(Handle, *const BindTables, i32) -> c_int, "3.3.5.0";
    /// Executes.
    taos_stmt2_exec: fn(Handle, *mut c_int) -> c_int, "3.3.5.0";
    /// What a query gave.
    taos_stmt2_result: fn(Handle) -> Handle, "3.3.5.0";
    /// Whether it is an INSERT.
    taos_stmt2_is_insert: fn(Handle, *mut c_int) -> c_int, "3.3.5.0";
    /// What the parameters are.
    taos_stmt2_get_fields: fn(Handle, *mut c_int, *mut *mut FieldAll) -> c_int, "3.3.5.0";
    /// Takes back what it gave.
    taos_stmt2_free_fields: fn(Handle, *mut FieldAll), "3.3.5.0";
    /// Text of an error.
    taos_stmt2_error: fn(Handle) -> Text, "3.3.5.0";
    /// Ends a statement.
    taos_stmt2_close: fn(Handle) -> c_int, "3.3.5.0";
    /// A configuration.
    tmq_conf_new: fn() -> Handle, "3.0.0.0";
    /// Sets a key.
    tmq_conf_set: fn(Handle, Text, Text) -> c_int, "3.0.0.0";
    /// Ends a configuration.
    tmq_conf_destroy: fn(Handle), "3.0.0.0";
    /// A list of topics.
    tmq_list_new: fn() -> Handle, "3.0.0.0";
    /// Adds a topic.
    tmq_list_append: fn(Handle, Text) -> i32, "3.0.0.0";
    /// Ends a list.
    tmq_list_destroy: fn(Handle), "3.0.0.0";
    /// A consumer.
    tmq_consumer_new: fn(Handle, *mut c_char, i32) -> Handle, "3.0.0.0";
    /// Subscribes.
    tmq_subscribe: fn(Handle, Handle) -> i32, "3.0.0.0";
    /// Leaves the group.
    tmq_unsubscribe: fn(Handle) -> i32, "3.0.0.0";
    /// The next message.
    tmq_consumer_poll: fn(Handle, i64) -> Handle, "3.0.0.0";
    /// Ends a consumer.
    tmq_consumer_close: fn(Handle) -> i32, "3.0.0.0";
    /// Commits.
    tmq_commit_sync: fn(Handle, *const c_void) -> i32, "3.0.0.0";
    /// Commits an offset.
    tmq_commit_offset_sync: fn(Handle, Text, i32, i64) -> i32, "3.1.1.0";
    /// The vgroups of a topic.
    tmq_get_topic_assignment: fn(Handle, Text, *mut *mut TopicAssignment, *mut i32) -> i32, "3.0.5.0";
    /// Takes back what it gave.
    tmq_free_assignment: fn(*mut TopicAssignment), "3.0.5.0";
    /// Reads on elsewhere.
    tmq_offset_seek: fn(Handle, Text, i32, i64) -> i32, "3.0.5.0";
    /// Where the next poll reads.
    tmq_position: fn(Handle, Text, i32) -> i64, "3.1.1.0";
    /// What the group committed.
    tmq_committed: fn(Handle, Text, i32) -> i64, "3.1.1.0";
    /// The table of a block.
    tmq_get_table_name: fn(Handle) -> Text, "3.0.0.0";
    /// Text of a code.
    tmq_err2str: fn(i32) -> Text, "3.0.0.0";
    /// What a message holds.
    tmq_get_res_type: fn(Handle) -> c_int, "3.0.0.0";
    /// Its topic.
    tmq_get_topic_name: fn(Handle) -> Text, "3.0.0.0";
    /// Its database.
    tmq_get_db_name: fn(Handle) -> Text, "3.0.0.0";
    /// Its vgroup.
    tmq_get_vgroup_id: fn(Handle) -> i32, "3.0.0.0";
    /// Its place there.
    tmq_get_vgroup_offset: fn(Handle) -> i64, "3.1.1.0";
    /// Its events.
    tmq_get_json_meta: fn(Handle) -> *mut c_char, "3.0.0.0";
    /// Takes back what it gave.
    tmq_free_json_meta: fn(*mut c_char), "3.0.0.0";
    /// Does again what a message tells.
    tmq_write_raw: fn(Handle, RawData) -> i32, "3.0.0.0";
}

/// An opened library.
pub struct Library {
    functions: Functions,
    version: &'static str,
    /// It is this project's own.
    is_ours: bool,
}

/// The name that TDengine's installation gives it.
const NAME: &str = if cfg!(target_os = "windows") {
    "taos.dll"
} else if cfg!(target_os = "macos") {
    "libtaos.dylib"
} else {
    "libtaos.so"
};

/// Libraries by the path that they were opened by.
static OPENED: Mutex<Option<HashMap<String, &'static Library>>> = Mutex::new(None);

impl Library {
    /// The library of a path, or the one that the system finds by TDengine's name.
    pub fn open(path: Option<&str>) -> Result<&'static Self> {
        let path = path.unwrap_or(NAME);
        let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = opened.get_or_insert_default();
        if let Some(library) = opened.get(path) {
            return Ok(library);
        }
        let failed = |source: libloading::Error| {
            let what = format!("TDengine's client library {path} cannot be opened: {source}; its path can be given as library_path");
            Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, what).caused_by(source)
        };
        // SAFETY: opening it runs the library's own initialisation, as linking with it would.
        let library = unsafe { libloading::Library::new(path) }.map_err(failed)?;
        let is_ours = {
            // SAFETY: only looked for.
            unsafe { library.get::<unsafe extern "C" fn() -> Text>(b"embudo_libtaos_version\0") }.is_ok()
        };
        let functions = Functions::of(&library);
        // Never closed, see above.
        std::mem::forget(library);
        let mut library = Self { functions, version: "", is_ours };
        let Ok(told) = library.taos_get_client_info() else {
            let what = format!("{path} is no client library of TDengine: it has no taos_get_client_info");
            return Err(Error::with(code::VERSION_NOT_COMPATIBLE, what));
        };
        // SAFETY: it takes nothing and gives a text that lives as long as the library.
        let version = unsafe { told() };
        if !version.is_null() {
            // SAFETY: as above.
            library.version = unsafe { CStr::from_ptr(version) }.to_str().unwrap_or("");
        }
        if !library.version.starts_with(|digit: char| digit.is_ascii_digit() && digit >= '3') {
            return Err(Error::with(code::VERSION_NOT_COMPATIBLE, format!("{path} is of version '{}'; from 3.0 on it can be used", library.version)));
        }
        let library: &'static Self = Box::leak(Box::new(library));
        opened.insert(path.to_owned(), library);
        Ok(library)
    }

    /// Whether it is this project's own, which would only lead back here.
    pub fn is_ours(&self) -> bool {
        self.is_ours
    }

    /// The error of a function that this library has not.
    pub fn missing(&self, name: &str, since: &str) -> Error {
        let what = format!("this libtaos (version {}) has no {name}; TDengine's has it from {since} on", self.version);
        Error::with(code::OPERATION_NOT_SUPPORTED, what)
    }

    /// The error of a code, with the text that the library has for it: of a result, or of the thread's last call.
    pub fn error(&self, number: c_int, of: Handle) -> Error {
        let text = self.taos_errstr().map_or(std::ptr::null(), |function| {
            // SAFETY: a result that is there, or NULL.
            unsafe { function(of) }
        });
        // SAFETY: a text of the library, which lives until the next call.
        error_of(number, unsafe { read(text) })
    }

    /// The error of a call that says no more than that it failed.
    pub fn last_error(&self) -> Error {
        let number = self.taos_errno().map_or(0, |function| {
            // SAFETY: NULL asks for the thread's last error.
            unsafe { function(std::ptr::null_mut()) }
        });
        self.error(number, std::ptr::null_mut())
    }

    /// 0 is success; anything else is the thread's last error.
    pub fn check(&self, number: c_int) -> Result<()> {
        if number == 0 { Ok(()) } else { Err(self.error(number, std::ptr::null_mut())) }
    }

    /// 0 is success; anything else is a code whose text consumers tell.
    pub fn check_consumer(&self, number: i32) -> Result<()> {
        if number == 0 { Ok(()) } else { Err(self.consumer_error(number)) }
    }

    /// The error of a consumer's code; -1 says no more than that a call failed.
    pub fn consumer_error(&self, number: i32) -> Error {
        let last = self.last_error();
        // The thread's last error tells more than the code, where it is of this call.
        let is_of_this = number == -1 || last.code() == embudo_types::Code(number as u16);
        let Some(function) = self.tmq_err2str().ok().filter(|_| !is_of_this) else { return last };
        // SAFETY: it takes any number; its text lives until the thread's next call.
        error_of(number, unsafe { read(function(number)) })
    }
}

/// An error of a code as the interface gives it.
pub fn error_of(number: c_int, text: String) -> Error {
    let code = match number {
        0 | -1 => code::INTERNAL_ERROR,
        number => embudo_types::Code(number as u16),
    };
    if text.is_empty() || text == "success" { Error::new(code) } else { Error::with(code, text) }
}

/// A text of the library; empty for NULL.
///
/// # Safety
/// `text` is NULL or leads to a text that is ended by NUL.
pub unsafe fn read(text: Text) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: as the caller says.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_is_not_there_is_an_error_with_a_hint() {
        let error = Library::open(Some("/no/such/libtaos.so")).err().unwrap();
        assert!(error.message().contains("/no/such/libtaos.so") && error.message().contains("library_path"), "{error}");
    }

    #[test]
    fn codes_become_errors() {
        let error = error_of(0x8000_2662_u32 as i32, "text".into());
        assert_eq!((error.code().0, error.message()), (0x2662, "text"));
        assert_eq!(error_of(-1, String::new()).code(), code::INTERNAL_ERROR);
    }
}
