//! A message of a subscription, as results hold it, and what programs ask of it.

use std::ffi::{CString, c_char, c_int, c_void};

use embudo_client::RawMessage;
use embudo_types::{
    Code, Error, Result, code,
    subscription::{MessageKind, SubscribedBlock},
};
use embudo_wire::tmq::{self, meta_json};

use crate::{
    abi::RawData,
    allocation,
    boundary::{self, Status, c_text, code_of, invalid, quietly},
    connection::Connection,
    result::QueryResult,
};

/// `TMQ_RES_INVALID`.
const INVALID: c_int = -1;

/// What came of one topic from one vgroup.
pub struct Message {
    /// What the subscription gave.
    pub given: embudo_types::subscription::Message,
    topic: CString,
    database: CString,
    /// The consumer wants events in lists.
    in_list: bool,
    /// The consumer wants the names of tables.
    with_table_names: bool,
}

impl Message {
    /// A message for a consumer with these wishes.
    pub fn new(given: embudo_types::subscription::Message, in_list: bool, with_table_names: bool) -> Self {
        let (topic, database) = (c_text(&given.topic), c_text(&given.database));
        Self { given, topic, database, in_list, with_table_names }
    }

    /// Rows with the name of their table, where it was asked for.
    pub fn blocks(&self) -> &[SubscribedBlock] {
        &self.given.blocks
    }

    fn json(&self) -> Option<String> {
        (self.given.kind != MessageKind::Data && !self.given.meta.is_empty()).then(|| meta_json::encode(&self.given.meta, self.in_list))
    }
}

/// Asks a message; what is none gives `otherwise`, and the thread's last error says so.
fn ask<T: Copy>(res: *const c_void, otherwise: T, question: impl FnOnce(&Message) -> Result<T>) -> T {
    let answer = boundary::caught(|| {
        let result = QueryResult::of(res)?;
        question(result.message().ok_or_else(no_message)?)
    });
    answer.unwrap_or_else(|error| {
        boundary::set_last(Status::of(&error));
        otherwise
    })
}

/// 0x4000.
pub fn no_message() -> Error {
    Error::new(code::INVALID_MESSAGE_4000)
}

/// What a message holds: rows 1, events 2, both 3.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_res_type(res: *mut c_void) -> c_int {
    ask(res, INVALID, |message| Ok(c_int::from(tmq::message_type(message.given.kind))))
}

/// The topic of a message.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_topic_name(res: *mut c_void) -> *const c_char {
    ask(res, std::ptr::null(), |message| Ok(message.topic.as_ptr()))
}

/// The database of a message.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_db_name(res: *mut c_void) -> *const c_char {
    ask(res, std::ptr::null(), |message| Ok(message.database.as_ptr()))
}

/// The vgroup of a message.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_vgroup_id(res: *mut c_void) -> i32 {
    ask(res, INVALID, |message| Ok(message.given.vgroup))
}

/// The place of a message in its vgroup.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_vgroup_offset(res: *mut c_void) -> i64 {
    ask(res, i64::from(code::INVALID_PARAMETERS.errno()), |message| Ok(message.given.offset()))
}

/// The table of the block that was fetched last.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_table_name(res: *mut c_void) -> *const c_char {
    quietly(std::ptr::null(), || {
        let Ok(result) = QueryResult::of(res) else { return std::ptr::null() };
        let state = result.lock();
        state.table().map_or(std::ptr::null(), |name| name.as_ptr())
    })
}

/// The events of a message as JSON, to be given back with `tmq_free_json_meta`; NULL where there are none.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_get_json_meta(res: *mut c_void) -> *mut c_char {
    ask(res, std::ptr::null_mut(), |message| match message.json() {
        Some(json) => allocation::hand_out(c_text(&json).as_bytes_with_nul()).map(<*mut u8>::cast),
        None => Ok(std::ptr::null_mut()),
    })
}

/// Takes back what `tmq_get_json_meta` gave.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_free_json_meta(json: *mut c_char) {
    quietly((), || allocation::take_back(json));
}

/// A message as bytes that can be written elsewhere, to be given back with `tmq_free_raw`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_get_raw(res: *mut c_void, raw: *mut RawData) -> i32 {
    code_of(|| {
        // SAFETY: NULL or a place as the interface says.
        let raw = unsafe { raw.as_mut() }.ok_or_else(|| invalid("no place for the bytes"))?;
        let result = QueryResult::of(res)?;
        let message = result.message().ok_or_else(no_message)?;
        let mut bytes = Vec::new();
        let kind = tmq::encode_message(&message.given, message.with_table_names, &mut bytes)?;
        let length = u32::try_from(bytes.len()).map_err(|_| invalid("a message of more than 4 GiB"))?;
        *raw = RawData { raw: allocation::hand_out(&bytes)?.cast(), length, kind };
        Ok(())
    })
}

/// Does again what a message tells, in the current database.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn tmq_write_raw(taos: *mut c_void, raw: RawData) -> i32 {
    code_of(|| {
        let connection = Connection::of(taos)?;
        if raw.raw.is_null() {
            return Err(invalid("no message"));
        }
        // SAFETY: as many bytes as the structure says.
        let body = unsafe { std::slice::from_raw_parts(raw.raw.cast::<u8>(), raw.length as usize) };
        connection.driver().write_raw(RawMessage { raw_type: raw.kind, body })
    })
}

/// Takes back what `tmq_get_raw` gave.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_free_raw(raw: RawData) {
    quietly((), || allocation::take_back(raw.raw));
}

/// The text of a code.
#[unsafe(no_mangle)]
pub extern "C" fn tmq_err2str(code: i32) -> *const c_char {
    match code {
        0 => c"success".as_ptr(),
        -1 => c"fail".as_ptr(),
        code if code == boundary::last_code() => boundary::last_text(),
        code => {
            boundary::set_last(Status::of(&Error::new(Code(code as u16))));
            boundary::last_text()
        }
    }
}
