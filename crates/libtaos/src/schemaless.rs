//! Points of line protocols, from lines or from one text.

use std::ffi::{CStr, c_char, c_int, c_void};

use embudo_client::{LineOptions, LineProtocol, TimeUnit};
use embudo_types::{Error, Result, code};

use crate::{
    boundary::{self, Status, bytes, give, invalid, text},
    connection::Connection,
    result::QueryResult,
};

/// What all the variants say of their points.
struct Given {
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    request_id: Option<i64>,
    table_name_key: *const c_char,
}

impl Given {
    fn new(protocol: c_int, precision: c_int) -> Self {
        Self { protocol, precision, ttl: 0, request_id: None, table_name_key: std::ptr::null() }
    }
}

/// Points as a program gives them.
enum Points {
    Lines(*const *const c_char, c_int),
    Text(*const c_char, c_int, *mut i32),
}

unsafe fn insert(taos: *mut c_void, points: Points, given: &Given) -> *mut c_void {
    let connection = match boundary::caught(|| Connection::of(taos)) {
        Ok(connection) => connection,
        Err(error) => {
            boundary::set_last(Status::of(&error));
            return std::ptr::null_mut();
        }
    };
    let written = boundary::caught(|| {
        // SAFETY: as the caller says.
        let (points, key) = unsafe { (points.text()?, text(given.table_name_key)?) };
        let protocol = LineProtocol::from_id(given.protocol).map_err(|_| Error::new(code::INVALID_LINE_PROTOCOL_TYPE))?;
        let unit = TimeUnit::from_id(given.precision).map_err(|_| Error::new(code::INVALID_TIMESTAMP_PRECISION_TYPE))?;
        let ttl = u32::try_from(given.ttl).map_err(|_| invalid("a negative TTL"))?;
        let options = LineOptions { protocol, unit, ttl, table_name_key: key.filter(|key| !key.is_empty()), request_id: given.request_id.map(|id| id as u64) };
        let written = connection.driver().write_lines(&points.0, &options)?;
        // SAFETY: NULL or a place for a number, as the interface says.
        unsafe { give(points.1, written.total_rows as i32) };
        Ok(written)
    });
    written.map_or_else(|error| QueryResult::failed(&error), |written| QueryResult::written(written.affected_rows)).into_handle()
}

impl Points {
    /// All points as one text, and where the number of rows goes.
    unsafe fn text(self) -> Result<(String, *mut i32)> {
        let nothing = || Error::with(code::INVALID_DATA_FORMAT, "no data");
        match self {
            Self::Lines(lines, count) => {
                if lines.is_null() || count <= 0 {
                    return Err(nothing());
                }
                // SAFETY: as the caller says, `count` texts.
                let lines = unsafe { boundary::items(lines, count, "lines") }?;
                let mut all = String::new();
                for line in lines {
                    if line.is_null() {
                        return Err(nothing());
                    }
                    // SAFETY: as above.
                    let line = unsafe { CStr::from_ptr(*line) };
                    if !all.is_empty() {
                        all.push('\n');
                    }
                    all.push_str(line.to_str().map_err(|_| invalid("a line that is not UTF-8"))?);
                }
                Ok((all, std::ptr::null_mut()))
            }
            Self::Text(lines, length, rows) => {
                if lines.is_null() || length <= 0 {
                    return Err(nothing());
                }
                // SAFETY: as the caller says, `length` bytes.
                let all = unsafe { bytes(lines, length, "lines") }?;
                let all = std::str::from_utf8(all).map_err(|_| invalid("lines that are not UTF-8"))?;
                Ok((all.to_owned(), rows))
            }
        }
    }
}

/// Writes lines.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert(
    taos: *mut c_void,
    lines: *const *const c_char,
    num_lines: c_int,
    protocol: c_int,
    precision: c_int,
) -> *mut c_void {
    // SAFETY: texts as the interface says.
    unsafe { insert(taos, Points::Lines(lines, num_lines), &Given::new(protocol, precision)) }
}

/// Writes lines, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_with_reqid(
    taos: *mut c_void,
    lines: *const *const c_char,
    num_lines: c_int,
    protocol: c_int,
    precision: c_int,
    reqid: i64,
) -> *mut c_void {
    // SAFETY: texts as the interface says.
    unsafe { insert(taos, Points::Lines(lines, num_lines), &Given { request_id: Some(reqid), ..Given::new(protocol, precision) }) }
}

/// Writes lines, with the TTL of children that are made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_ttl(
    taos: *mut c_void,
    lines: *const *const c_char,
    num_lines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
) -> *mut c_void {
    // SAFETY: texts as the interface says.
    unsafe { insert(taos, Points::Lines(lines, num_lines), &Given { ttl, ..Given::new(protocol, precision) }) }
}

/// Writes lines, with the TTL of children that are made and an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_ttl_with_reqid(
    taos: *mut c_void,
    lines: *const *const c_char,
    num_lines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
) -> *mut c_void {
    // SAFETY: texts as the interface says.
    unsafe { insert(taos, Points::Lines(lines, num_lines), &Given { ttl, request_id: Some(reqid), ..Given::new(protocol, precision) }) }
}

/// Writes lines, with the tag that names the children.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_ttl_with_reqid_tbname_key(
    taos: *mut c_void,
    lines: *const *const c_char,
    num_lines: c_int,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
    tbname_key: *const c_char,
) -> *mut c_void {
    let given = Given { ttl, request_id: Some(reqid), table_name_key: tbname_key, ..Given::new(protocol, precision) };
    // SAFETY: texts as the interface says.
    unsafe { insert(taos, Points::Lines(lines, num_lines), &given) }
}

/// Writes one text of lines.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_raw(
    taos: *mut c_void,
    lines: *const c_char,
    len: c_int,
    total_rows: *mut i32,
    protocol: c_int,
    precision: c_int,
) -> *mut c_void {
    // SAFETY: bytes as the interface says.
    unsafe { insert(taos, Points::Text(lines, len, total_rows), &Given::new(protocol, precision)) }
}

/// Writes one text of lines, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_raw_with_reqid(
    taos: *mut c_void,
    lines: *const c_char,
    len: c_int,
    total_rows: *mut i32,
    protocol: c_int,
    precision: c_int,
    reqid: i64,
) -> *mut c_void {
    // SAFETY: bytes as the interface says.
    unsafe { insert(taos, Points::Text(lines, len, total_rows), &Given { request_id: Some(reqid), ..Given::new(protocol, precision) }) }
}

/// Writes one text of lines, with the TTL of children that are made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl(
    taos: *mut c_void,
    lines: *const c_char,
    len: c_int,
    total_rows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
) -> *mut c_void {
    // SAFETY: bytes as the interface says.
    unsafe { insert(taos, Points::Text(lines, len, total_rows), &Given { ttl, ..Given::new(protocol, precision) }) }
}

/// Writes one text of lines, with the TTL of children that are made and an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl_with_reqid(
    taos: *mut c_void,
    lines: *const c_char,
    len: c_int,
    total_rows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
) -> *mut c_void {
    let given = Given { ttl, request_id: Some(reqid), ..Given::new(protocol, precision) };
    // SAFETY: bytes as the interface says.
    unsafe { insert(taos, Points::Text(lines, len, total_rows), &given) }
}

/// Writes one text of lines, with the tag that names the children.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_schemaless_insert_raw_ttl_with_reqid_tbname_key(
    taos: *mut c_void,
    lines: *const c_char,
    len: c_int,
    total_rows: *mut i32,
    protocol: c_int,
    precision: c_int,
    ttl: i32,
    reqid: i64,
    tbname_key: *const c_char,
) -> *mut c_void {
    let given = Given { ttl, request_id: Some(reqid), table_name_key: tbname_key, ..Given::new(protocol, precision) };
    // SAFETY: bytes as the interface says.
    unsafe { insert(taos, Points::Text(lines, len, total_rows), &given) }
}
