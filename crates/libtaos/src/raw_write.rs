//! Rows in TDengine's own layout, as they were fetched, written into a table.

use std::{
    ffi::{c_char, c_int, c_void},
    sync::Arc,
};

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use embudo_types::{Error, Result, arrow, code};
use embudo_wire::raw_block;

use crate::{
    abi::Field,
    boundary::{code_of, invalid, items, needed_text},
    connection::Connection,
};

/// Bytes of a block's head up to its length.
const LENGTH_END: usize = 8;

unsafe fn write(taos: *mut c_void, rows: c_int, data: *const c_char, table: *const c_char, fields: Option<(*const Field, c_int)>) -> c_int {
    code_of(|| {
        let connection = Connection::of(taos)?;
        // SAFETY: a text as the interface says.
        let table = unsafe { needed_text(table, "table") }?;
        if data.is_null() {
            return Err(invalid("no block"));
        }
        // SAFETY: a block tells its length after its version, as the interface says.
        let bytes = unsafe {
            let length = i32::from_le_bytes(data.cast::<[u8; 4]>().add(1).read());
            let length = usize::try_from(length).ok().filter(|&length| length >= LENGTH_END).ok_or_else(|| invalid("a block without a length"))?;
            std::slice::from_raw_parts(data.cast::<u8>(), length)
        };
        let target = columns_of(&connection, table)?;
        let block = raw_block::decode(bytes, target.precision)?;
        if usize::try_from(rows) != Ok(block.rows) {
            return Err(invalid("the block has another number of rows"));
        }
        let names: Vec<String> = match fields {
            // SAFETY: fields as the interface says.
            Some((fields, count)) => unsafe { items(fields, count, "fields") }?.iter().map(name_of).collect(),
            None => target.names,
        };
        if names.len() != block.columns.len() {
            return Err(Error::with(code::INVALID_PARAMETERS, format!("the block has {} columns, there are {} fields", block.columns.len(), names.len())));
        }
        let described = names.iter().zip(&block.columns).map(|(name, (data_type, _))| arrow::field(name, *data_type, target.precision));
        let schema = Arc::new(Schema::new(described.collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
        let arrays = block.columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new_with_options(schema, arrays, &options).map_err(Error::internal)?;
        connection.driver().insert(table, &mut std::iter::once(Ok(batch))).map(drop)
    })
}

/// What the table's columns are called, and the precision of its times.
struct Target {
    names: Vec<String>,
    precision: embudo_types::Precision,
}

fn columns_of(connection: &Connection, table: &str) -> Result<Target> {
    let mut sql = String::from("SELECT * FROM ");
    embudo_client::literal::write_name(table.as_bytes(), &mut sql)?;
    sql.push_str(" LIMIT 0");
    let result = connection.driver().execute(&sql, &[])?;
    Ok(Target { names: result.schema.fields().iter().map(|field| field.name().clone()).collect(), precision: result.precision() })
}

fn name_of(field: &Field) -> String {
    let end = field.name.iter().position(|&byte| byte == 0).unwrap_or(field.name.len());
    String::from_utf8_lossy(&field.name[..end]).into_owned()
}

/// Writes a block into a table whose columns it has, in their order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_write_raw_block(taos: *mut c_void, num_of_rows: c_int, data: *const c_char, tbname: *const c_char) -> c_int {
    // SAFETY: a block and a text as the interface says.
    unsafe { write(taos, num_of_rows, data, tbname, None) }
}

/// The same, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_write_raw_block_with_reqid(
    taos: *mut c_void,
    num_of_rows: c_int,
    data: *const c_char,
    tbname: *const c_char,
    _reqid: i64,
) -> c_int {
    // SAFETY: a block and a text as the interface says.
    unsafe { write(taos, num_of_rows, data, tbname, None) }
}

/// Writes a block of the named columns into a table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_write_raw_block_with_fields(
    taos: *mut c_void,
    rows: c_int,
    data: *const c_char,
    tbname: *const c_char,
    fields: *const Field,
    num_fields: c_int,
) -> c_int {
    // SAFETY: a block, a text and fields as the interface says.
    unsafe { write(taos, rows, data, tbname, Some((fields, num_fields))) }
}

/// The same, with an id for the server's log.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_write_raw_block_with_fields_with_reqid(
    taos: *mut c_void,
    rows: c_int,
    data: *const c_char,
    tbname: *const c_char,
    fields: *const Field,
    num_fields: c_int,
    _reqid: i64,
) -> c_int {
    // SAFETY: a block, a text and fields as the interface says.
    unsafe { write(taos, rows, data, tbname, Some((fields, num_fields))) }
}
