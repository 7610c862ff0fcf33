//! What a result holds: its columns, its rows one by one, in blocks of columns and in blocks of TDengine's own layout.

use std::ffi::{c_char, c_int, c_void};

use embudo_types::Result;

use crate::{
    abi::{AsyncCallback, Field, FieldE},
    boundary::{self, Passed, Status, give, invalid, quietly},
    result::{Block, QueryResult, State},
    worker,
};

/// Asks a result; what is no result gives `otherwise`, and the thread's last error says so.
fn ask<T: Copy>(res: *const c_void, otherwise: T, question: impl FnOnce(&QueryResult, &mut State) -> Result<T>) -> T {
    let answer = boundary::caught(|| {
        let result = QueryResult::of(res)?;
        let mut state = result.lock();
        question(&result, &mut state)
    });
    answer.unwrap_or_else(|error| {
        boundary::set_last(Status::of(&error));
        otherwise
    })
}

/// How many columns there are; 0 for a statement without rows.
#[unsafe(no_mangle)]
pub extern "C" fn taos_field_count(res: *mut c_void) -> c_int {
    ask(res, 0, |_, state| Ok(state.fields.len() as c_int))
}

/// The same.
#[unsafe(no_mangle)]
pub extern "C" fn taos_num_fields(res: *mut c_void) -> c_int {
    taos_field_count(res)
}

/// The columns; of a message, those of its current block.
#[unsafe(no_mangle)]
pub extern "C" fn taos_fetch_fields(res: *mut c_void) -> *const Field {
    ask(res, std::ptr::null(), |_, state| Ok(if state.fields.is_empty() { std::ptr::null() } else { state.fields.as_ptr() }))
}

/// The columns with precision and scale.
#[unsafe(no_mangle)]
pub extern "C" fn taos_fetch_fields_e(res: *mut c_void) -> *const FieldE {
    ask(res, std::ptr::null(), |_, state| Ok(if state.fields_e.is_empty() { std::ptr::null() } else { state.fields_e.as_ptr() }))
}

/// Precision of the result's timestamps.
#[unsafe(no_mangle)]
pub extern "C" fn taos_result_precision(res: *mut c_void) -> c_int {
    ask(res, 0, |_, state| Ok(state.precision))
}

/// Rows written or removed.
#[unsafe(no_mangle)]
pub extern "C" fn taos_affected_rows(res: *mut c_void) -> c_int {
    c_int::try_from(taos_affected_rows64(res)).unwrap_or(c_int::MAX)
}

/// Rows written or removed.
#[unsafe(no_mangle)]
pub extern "C" fn taos_affected_rows64(res: *mut c_void) -> i64 {
    ask(res, 0, |_, state| Ok(state.affected))
}

/// Whether the statement had no rows to give.
#[unsafe(no_mangle)]
pub extern "C" fn taos_is_update_query(res: *mut c_void) -> bool {
    ask(res, true, |_, state| Ok(state.fields.is_empty()))
}

/// The next row: an address for each column, NULL for NULL. NULL at the end or on an error.
#[unsafe(no_mangle)]
pub extern "C" fn taos_fetch_row(res: *mut c_void) -> *const c_void {
    ask(res, std::ptr::null(), QueryResult::next_row)
}

/// Bytes of each value of the last row; after a block, of each column.
#[unsafe(no_mangle)]
pub extern "C" fn taos_fetch_lengths(res: *mut c_void) -> *const c_int {
    ask(res, std::ptr::null(), |_, state| Ok(state.lengths()))
}

/// The next block: an address for each column. Gives its rows, 0 at the end or on an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_block(res: *mut c_void, rows: *mut *const c_void) -> c_int {
    // SAFETY: NULL or a place for an address, as the interface says.
    ask(res, 0, |result, state| unsafe { fetch_block(result, state, rows) })
}

unsafe fn fetch_block(result: &QueryResult, state: &mut State, rows: *mut *const c_void) -> Result<c_int> {
    let count = result.next_block(state)?;
    let addresses = match state.block() {
        Some(block) => block.column_addresses()?,
        None => std::ptr::null(),
    };
    // SAFETY: as the caller says.
    unsafe { give(rows, addresses) };
    Ok(count as c_int)
}

/// The next block, with the code of an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_block_s(res: *mut c_void, num_of_rows: *mut c_int, rows: *mut *const c_void) -> c_int {
    fetch_code(|| {
        let result = QueryResult::of(res)?;
        let mut state = result.lock();
        // SAFETY: places for a number and an address, as the interface says.
        unsafe {
            give(num_of_rows, 0);
            give(num_of_rows, fetch_block(&result, &mut state, rows)?);
        }
        Ok(())
    })
}

/// The next block in TDengine's own layout, with the code of an error; no rows at the end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_raw_block(res: *mut c_void, num_of_rows: *mut c_int, data: *mut *const c_void) -> c_int {
    fetch_code(|| {
        let result = QueryResult::of(res)?;
        let mut state = result.lock();
        // SAFETY: places for a number and an address, as the interface says.
        unsafe {
            give(num_of_rows, 0);
            give(data, std::ptr::null());
        }
        let rows = result.next_block(&mut state)?;
        if let Some(block) = state.block() {
            let raw = block.raw()?;
            // SAFETY: as above.
            unsafe {
                give(num_of_rows, rows as c_int);
                give(data, raw);
            }
        }
        Ok(())
    })
}

fn fetch_code(work: impl FnOnce() -> Result<()>) -> c_int {
    match boundary::caught(work) {
        Ok(()) => 0,
        Err(error) => {
            boundary::set_last(Status::of(&error));
            error.code().errno()
        }
    }
}

/// The current block in TDengine's own layout.
#[unsafe(no_mangle)]
pub extern "C" fn taos_get_raw_block(res: *mut c_void) -> *const c_void {
    ask(res, std::ptr::null(), |_, state| state.block().map_or(Ok(std::ptr::null()), Block::raw))
}

/// The place of the current block's addresses.
#[unsafe(no_mangle)]
pub extern "C" fn taos_result_block(res: *mut c_void) -> *const c_void {
    ask(res, std::ptr::null(), |_, state| state.block().map_or(Ok(std::ptr::null()), Block::place_of_addresses))
}

/// Where the values of a variable column begin, in the current block; -1 is NULL.
#[unsafe(no_mangle)]
pub extern "C" fn taos_get_column_data_offset(res: *mut c_void, column: c_int) -> *const c_int {
    ask(res, std::ptr::null(), |_, state| {
        let Some(block) = state.block() else { return Ok(std::ptr::null()) };
        let column = usize::try_from(column).ok().and_then(|at| block.columns().ok()?.get(at)?.offsets());
        Ok(column.map_or(std::ptr::null(), <[i32]>::as_ptr))
    })
}

/// Whether a value of the current block is NULL; what is not there is.
#[unsafe(no_mangle)]
pub extern "C" fn taos_is_null(res: *mut c_void, row: c_int, col: c_int) -> bool {
    ask(res, true, |_, state| {
        let Some(block) = state.block() else { return Ok(true) };
        let (Ok(row), Ok(column), rows) = (usize::try_from(row), usize::try_from(col), block.rows()) else { return Ok(true) };
        Ok(row >= rows || block.columns()?.get(column).is_none_or(|column| column.is_null(row)))
    })
}

/// Which values of a column are NULL; `rows` is the room of `result` and becomes the number given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_is_null_by_column(res: *mut c_void, column: c_int, result: *mut bool, rows: *mut c_int) -> c_int {
    fetch_code(|| {
        let answer = QueryResult::of(res)?;
        let mut state = answer.lock();
        // SAFETY: NULL or a number, as the interface says.
        let room = unsafe { rows.as_mut() }.filter(|room| **room > 0 && !result.is_null()).ok_or_else(|| invalid("no room for the answer"))?;
        let block = state.block().ok_or_else(|| invalid("no block was fetched"))?;
        let count = block.rows().min(*room as usize);
        let column = usize::try_from(column).ok().and_then(|at| block.columns().ok()?.get(at)).ok_or_else(|| invalid("no such column"))?;
        for row in 0..count {
            // SAFETY: `count` is within the room that the program gave.
            unsafe { result.add(row).write(column.is_null(row)) };
        }
        *room = count as c_int;
        Ok(())
    })
}

/// Makes the next block on another thread, which then calls back with the number of its rows: 0 at the end, a code on an error.
unsafe fn fetch_async(res: *mut c_void, callback: Option<AsyncCallback>, parameter: *mut c_void) {
    let Some(callback) = callback else {
        return boundary::set_last(Status::of(&invalid("no callback")));
    };
    let (passed, parameter) = (Passed(res), Passed(parameter));
    let started = boundary::caught(|| {
        let result = QueryResult::of(res)?;
        worker::run(move || {
            let outcome = boundary::caught(|| result.next_block_for_callback(&mut result.lock()));
            let number = outcome.map_or_else(|error| error.code().errno(), |rows| rows as c_int);
            drop(result);
            // SAFETY: the callback that the program gave for this, with its own parameter.
            unsafe { callback(parameter.get(), passed.get(), number) };
        })
    });
    if let Err(error) = started {
        boundary::set_last(Status::of(&error));
        // SAFETY: as above.
        unsafe { callback(parameter.get(), res, error.code().errno()) };
    }
}

/// Fetches rows with a callback; it reads them by `taos_fetch_row`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_rows_a(res: *mut c_void, fp: Option<AsyncCallback>, param: *mut c_void) {
    // SAFETY: a callback as the interface says.
    unsafe { fetch_async(res, fp, param) };
}

/// Fetches a block with a callback; it reads it by `taos_get_raw_block`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_fetch_raw_block_a(res: *mut c_void, fp: Option<AsyncCallback>, param: *mut c_void) {
    // SAFETY: a callback as the interface says.
    unsafe { fetch_async(res, fp, param) };
}

/// The name of a type.
#[unsafe(no_mangle)]
pub extern "C" fn taos_data_type(data_type: c_int) -> *const c_char {
    const NAMES: [&std::ffi::CStr; 22] = [
        c"TSDB_DATA_TYPE_NULL",
        c"TSDB_DATA_TYPE_BOOL",
        c"TSDB_DATA_TYPE_TINYINT",
        c"TSDB_DATA_TYPE_SMALLINT",
        c"TSDB_DATA_TYPE_INT",
        c"TSDB_DATA_TYPE_BIGINT",
        c"TSDB_DATA_TYPE_FLOAT",
        c"TSDB_DATA_TYPE_DOUBLE",
        c"TSDB_DATA_TYPE_VARCHAR",
        c"TSDB_DATA_TYPE_TIMESTAMP",
        c"TSDB_DATA_TYPE_NCHAR",
        c"TSDB_DATA_TYPE_UTINYINT",
        c"TSDB_DATA_TYPE_USMALLINT",
        c"TSDB_DATA_TYPE_UINT",
        c"TSDB_DATA_TYPE_UBIGINT",
        c"TSDB_DATA_TYPE_JSON",
        c"TSDB_DATA_TYPE_VARBINARY",
        c"TSDB_DATA_TYPE_DECIMAL",
        c"TSDB_DATA_TYPE_BLOB",
        c"TSDB_DATA_TYPE_MEDIUMBLOB",
        c"TSDB_DATA_TYPE_GEOMETRY",
        c"TSDB_DATA_TYPE_DECIMAL64",
    ];
    quietly(c"UNKNOWN".as_ptr(), || usize::try_from(data_type).ok().and_then(|at| NAMES.get(at)).map_or(c"UNKNOWN".as_ptr(), |name| name.as_ptr()))
}

#[cfg(test)]
mod tests {
    use embudo_types::code;

    use super::*;

    #[test]
    fn what_is_no_result_has_nothing() {
        let made_up = std::ptr::without_provenance_mut(0x1234);
        for res in [std::ptr::null_mut(), made_up] {
            assert!(taos_fetch_row(res).is_null() && taos_fetch_fields(res).is_null() && taos_fetch_lengths(res).is_null());
            assert_eq!((taos_field_count(res), taos_affected_rows(res)), (0, 0));
            assert_eq!(boundary::last_code(), code::INVALID_QHANDLE.errno());
            // SAFETY: places of this function.
            unsafe {
                let mut rows = 7;
                assert_eq!(taos_fetch_block(res, std::ptr::null_mut()), 0);
                assert_eq!(taos_fetch_block_s(res, &raw mut rows, std::ptr::null_mut()), code::INVALID_QHANDLE.errno());
                assert_eq!(taos_is_null_by_column(res, 0, std::ptr::null_mut(), &raw mut rows), code::INVALID_QHANDLE.errno());
            }
        }
    }
}
