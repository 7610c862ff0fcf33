//! Any calls of the C interface in any order, with handles that are there, gone, of another kind or made up, and binds of any type and
//! number: each gives a value or a code; what is given is read as a program would. The driver underneath has rows of every type, and errors.
#![no_main]

use std::{
    ffi::{CStr, c_char, c_int, c_void},
    sync::Arc,
};

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::Schema;
use embudo_client::{
    BoundColumn, Driver, FieldRole, LineOptions, LinesWritten, Request, Statement, StatementField, TableBind, Transport,
    abi::{AsyncCallback, Bind2, BindTables, Field, FieldAll, FieldE, MultiBind, Statement2Option},
};
use embudo_types::{DataType, Error, Outcome, Precision, Result, ResultSet, arrow, code};

type Handle = *mut c_void;

unsafe extern "C" {
    fn taos_close(taos: Handle);
    fn taos_select_db(taos: Handle, name: *const c_char) -> c_int;
    fn taos_query(taos: Handle, sql: *const c_char) -> Handle;
    fn taos_query_a(taos: Handle, sql: *const c_char, callback: Option<AsyncCallback>, parameter: Handle);
    fn taos_schemaless_insert_raw(taos: Handle, lines: *const c_char, length: c_int, rows: *mut i32, protocol: c_int, precision: c_int) -> Handle;
    fn taos_errno(res: Handle) -> c_int;
    fn taos_errstr(res: Handle) -> *const c_char;
    fn taos_free_result(res: Handle);
    fn taos_stop_query(res: Handle);
    fn taos_field_count(res: Handle) -> c_int;
    fn taos_fetch_fields(res: Handle) -> *const Field;
    fn taos_fetch_lengths(res: Handle) -> *const c_int;
    fn taos_fetch_row(res: Handle) -> *const *const c_void;
    fn taos_fetch_block(res: Handle, rows: *mut *const *const c_void) -> c_int;
    fn taos_fetch_raw_block(res: Handle, rows: *mut c_int, data: *mut *const c_void) -> c_int;
    fn taos_get_column_data_offset(res: Handle, column: c_int) -> *const c_int;
    fn taos_is_null(res: Handle, row: c_int, column: c_int) -> bool;
    fn taos_is_null_by_column(res: Handle, column: c_int, result: *mut bool, rows: *mut c_int) -> c_int;
    fn taos_print_row_with_size(text: *mut c_char, size: u32, row: *const *const c_void, fields: *const Field, count: c_int) -> c_int;
    fn taos_stmt_init(taos: Handle) -> Handle;
    fn taos_stmt_prepare(stmt: Handle, sql: *const c_char, length: std::ffi::c_ulong) -> c_int;
    fn taos_stmt_set_tbname(stmt: Handle, name: *const c_char) -> c_int;
    fn taos_stmt_set_tags(stmt: Handle, tags: *const MultiBind) -> c_int;
    fn taos_stmt_get_col_fields(stmt: Handle, count: *mut c_int, fields: *mut *mut FieldE) -> c_int;
    fn taos_stmt_reclaim_fields(stmt: Handle, fields: *mut FieldE);
    fn taos_stmt_bind_param_batch(stmt: Handle, binds: *const MultiBind) -> c_int;
    fn taos_stmt_bind_single_param_batch(stmt: Handle, bind: *const MultiBind, column: c_int) -> c_int;
    fn taos_stmt_add_batch(stmt: Handle) -> c_int;
    fn taos_stmt_execute(stmt: Handle) -> c_int;
    fn taos_stmt_use_result(stmt: Handle) -> Handle;
    fn taos_stmt_errstr(stmt: Handle) -> *const c_char;
    fn taos_stmt_close(stmt: Handle) -> c_int;
    fn taos_stmt2_init(taos: Handle, option: *const Statement2Option) -> Handle;
    fn taos_stmt2_prepare(stmt: Handle, sql: *const c_char, length: std::ffi::c_ulong) -> c_int;
    fn taos_stmt2_get_fields(stmt: Handle, count: *mut c_int, fields: *mut *mut FieldAll) -> c_int;
    fn taos_stmt2_free_fields(stmt: Handle, fields: *mut FieldAll);
    fn taos_stmt2_bind_param(stmt: Handle, binds: *const BindTables, column: i32) -> c_int;
    fn taos_stmt2_exec(stmt: Handle, affected: *mut c_int) -> c_int;
    fn taos_stmt2_result(stmt: Handle) -> Handle;
    fn taos_stmt2_error(stmt: Handle) -> *const c_char;
    fn taos_stmt2_close(stmt: Handle) -> c_int;
    fn tmq_conf_new() -> Handle;
    fn tmq_conf_set(conf: Handle, key: *const c_char, value: *const c_char) -> c_int;
    fn tmq_conf_destroy(conf: Handle);
    fn tmq_list_new() -> Handle;
    fn tmq_list_append(list: Handle, topic: *const c_char) -> i32;
    fn tmq_list_destroy(list: Handle);
    fn tmq_get_table_name(res: Handle) -> *const c_char;
    fn tmq_get_res_type(res: Handle) -> c_int;
    fn tmq_get_json_meta(res: Handle) -> *mut c_char;
    fn tmq_free_json_meta(json: *mut c_char);
}

/// A session whose statements say themselves what they give.
struct Canned;

fn columns(rows: usize) -> Vec<(DataType, ArrayRef)> {
    let texts = |row: usize| (row % 3 != 1).then(|| "é".repeat(row % 5));
    vec![
        (DataType::Timestamp, Arc::new((0..rows as i64).map(Some).collect::<TimestampMillisecondArray>()) as ArrayRef),
        (DataType::BigInt, Arc::new((0..rows as i64).map(|row| (row % 2 == 0).then_some(row)).collect::<Int64Array>())),
        (DataType::Bool, Arc::new((0..rows).map(|row| Some(row % 2 == 0)).collect::<BooleanArray>())),
        (DataType::Double, Arc::new((0..rows).map(|row| Some(row as f64 / 3.0)).collect::<Float64Array>())),
        (DataType::Varchar(9), Arc::new((0..rows).map(|row| texts(row).map(String::into_bytes)).collect::<BinaryArray>())),
        (DataType::NChar(9), Arc::new((0..rows).map(texts).collect::<StringArray>())),
        (
            DataType::Decimal(10, 2),
            Arc::new((0..rows as i128).map(Some).collect::<Decimal128Array>().with_precision_and_scale(10, 2).expect("a scale that fits")),
        ),
    ]
}

fn batch(rows: usize) -> RecordBatch {
    let columns = columns(rows);
    let fields: Vec<_> = columns.iter().enumerate().map(|(at, column)| arrow::field(&format!("c{at}"), column.0, Precision::Milli)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|column| column.1).collect()).expect("columns as described")
}

fn rows() -> ResultSet {
    let schema = batch(0).schema();
    ResultSet { schema, outcome: Outcome::Rows(Box::new([Ok(batch(5)), Ok(batch(0)), Ok(batch(4_100)), Err(Error::new(code::CONN_IS_BROKEN))].into_iter())) }
}

impl Driver for Canned {
    fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
        match request.sql.chars().next() {
            Some('S') => Ok(rows()),
            Some('I' | 'U') => Ok(ResultSet::affected(7)),
            _ => Err(Error::new(code::SYNTAX_ERROR_NEAR)),
        }
    }

    fn write_lines(&self, text: &str, _options: &LineOptions<'_>) -> Result<LinesWritten> {
        Ok(LinesWritten { affected_rows: text.len() as u64, total_rows: 1 })
    }

    fn prepare(&self, sql: &str) -> Result<Box<dyn Statement>> {
        Ok(Box::new(CannedStatement { is_insert: sql.starts_with('I'), rows: 0 }))
    }

    fn transport(&self) -> Transport {
        Transport::WebSocket
    }

    fn interrupt(&self) {}

    fn close(&self) -> Result<()> {
        Ok(())
    }
}

struct CannedStatement {
    is_insert: bool,
    rows: u64,
}

impl Statement for CannedStatement {
    fn is_insert(&self) -> bool {
        self.is_insert
    }

    fn parameter_count(&mut self) -> Result<usize> {
        Ok(if self.is_insert { 4 } else { 2 })
    }

    fn fields(&mut self) -> Result<Vec<StatementField>> {
        let field = |name: &str, data_type, role| StatementField { name: name.into(), data_type, precision: Precision::Milli, role };
        Ok(vec![
            field("tbname", DataType::Varchar(192), FieldRole::Table),
            field("g", DataType::Int, FieldRole::Tag),
            field("ts", DataType::Timestamp, FieldRole::Column),
            field("note", DataType::NChar(20), FieldRole::Column),
        ])
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        if name.is_empty() { Err(Error::new(code::INVALID_PARAMETERS)) } else { Ok(()) }
    }

    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()> {
        self.bind_columns(tables.into_iter().flat_map(|table| table.tags.into_iter().chain(table.columns)).collect())
    }

    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        for column in columns {
            column.array.to_data().validate_full().expect("an array that holds together");
            self.rows += column.array.len() as u64;
        }
        Ok(())
    }

    fn execute(&mut self) -> Result<u64> {
        Ok(std::mem::take(&mut self.rows))
    }

    fn query(&mut self, _parameters: Vec<BoundColumn>) -> Result<ResultSet> {
        Ok(rows())
    }
}

const TEXTS: [&CStr; 7] = [c"SELECT 1", c"INSERT INTO ? VALUES(?,?)", c"INSERT INTO t VALUES(?,?)", c"UNKNOWN", c"", c"name", c"\xff\xfe"];
/// Cells that binds may lead to, and how far apart they may lie.
const CELLS: usize = 8;
const STRIDE: usize = 64;

/// Everything that one bind leads to.
struct Buffers {
    values: Vec<u8>,
    lengths: [i32; CELLS],
    marks: [c_char; CELLS],
}

impl Buffers {
    fn of(seed: [u8; 3]) -> Self {
        let value = |at: usize| seed[at % 3].wrapping_mul(at as u8 | 1);
        // Together no longer than the values, since those of the second kind follow each other; some are negative.
        let length = |at: usize| i32::from(value(at) % 12) - i32::from(seed[0] == 0xff) * 20;
        Self {
            values: (0..CELLS * STRIDE).map(value).collect(),
            lengths: std::array::from_fn(length),
            marks: std::array::from_fn(|at| (value(at + 7) % 4) as c_char),
        }
    }
}

struct Choice([u8; 3]);

impl Choice {
    fn text(&self) -> *const c_char {
        TEXTS.get(usize::from(self.0[1]) % (TEXTS.len() + 1)).map_or(std::ptr::null(), |text| text.as_ptr())
    }

    fn number(&self) -> c_int {
        c_int::from(self.0[2] as i8)
    }

    /// As many cells as there are, none, or a number that cannot be.
    fn cells(&self) -> c_int {
        let count = c_int::from(self.0[1] as i8 % 10);
        count.min(CELLS as c_int)
    }

    fn multi(&self, buffers: &Buffers) -> MultiBind {
        let [one, two, three] = self.0;
        MultiBind {
            buffer_type: c_int::from(three as i8 % 24),
            buffer: if one & 1 == 0 { buffers.values.as_ptr().cast() } else { std::ptr::null() },
            buffer_length: usize::from(two) % (STRIDE + 1),
            length: if one & 2 == 0 { buffers.lengths.as_ptr() } else { std::ptr::null() },
            is_null: if one & 4 == 0 { buffers.marks.as_ptr() } else { std::ptr::null() },
            num: self.cells(),
        }
    }
}

extern "C" fn called(_parameter: Handle, res: Handle, _code: c_int) {
    // SAFETY: the result that came with the call, freed once.
    unsafe { taos_free_result(res) };
}

/// Reads a text to its end.
unsafe fn read(text: *const c_char) -> usize {
    // SAFETY: as the caller says, NULL or a text.
    if text.is_null() { 0 } else { unsafe { CStr::from_ptr(text) }.to_bytes().len() }
}

/// Reads what a result gives, as far as the choice says.
unsafe fn read_result(res: Handle, choice: &Choice) {
    // SAFETY: whatever the handle is, what comes back is NULL or as the interface says.
    unsafe {
        let count = taos_field_count(res);
        let fields = taos_fetch_fields(res);
        match choice.0[1] % 4 {
            0 => {
                let row = taos_fetch_row(res);
                let mut text = [0_u8; 64];
                let size = u32::from(choice.0[2]) % 64;
                assert!(taos_print_row_with_size(text.as_mut_ptr().cast(), size, row, fields, count) < 64);
                let lengths = taos_fetch_lengths(res);
                for column in (0..count as usize).filter(|_| !row.is_null() && !lengths.is_null()) {
                    let value = *row.add(column);
                    if !value.is_null() {
                        std::hint::black_box(std::slice::from_raw_parts(value.cast::<u8>(), *lengths.add(column) as usize).to_vec());
                    }
                }
            }
            1 => {
                let mut columns = std::ptr::null();
                let rows = taos_fetch_block(res, &raw mut columns);
                for column in 0..count.min(if rows > 0 { count } else { 0 }) {
                    let offsets = taos_get_column_data_offset(res, column);
                    let data = (*columns.add(column as usize)).cast::<u8>();
                    for row in 0..rows as usize {
                        let at = if offsets.is_null() { row as i32 } else { *offsets.add(row) };
                        if at >= 0 {
                            std::hint::black_box(*data.add(at as usize));
                        }
                        std::hint::black_box(taos_is_null(res, row as c_int, column));
                    }
                }
            }
            2 => {
                let (mut rows, mut data) = (0, std::ptr::null());
                if taos_fetch_raw_block(res, &raw mut rows, &raw mut data) == 0 && rows > 0 {
                    let length = data.cast::<i32>().add(1).read_unaligned();
                    std::hint::black_box(std::slice::from_raw_parts(data.cast::<u8>(), length as usize).to_vec());
                }
            }
            _ => {
                let (mut nulls, mut rows) = ([false; 16], choice.number().min(16));
                taos_is_null_by_column(res, choice.number(), nulls.as_mut_ptr(), &raw mut rows);
                taos_is_null(res, choice.number(), choice.number());
                taos_get_column_data_offset(res, choice.number());
                read(tmq_get_table_name(res));
                tmq_get_res_type(res);
                tmq_free_json_meta(tmq_get_json_meta(res));
            }
        }
    }
}

unsafe fn bind_tables(stmt: Handle, choice: &Choice, buffers: &Buffers) {
    let multi = choice.multi(buffers);
    let cell = |buffer_type| Bind2 { buffer_type, buffer: multi.buffer, length: multi.length, is_null: multi.is_null, num: multi.num };
    let columns = [cell(9), cell(multi.buffer_type), cell(10), cell(4)];
    let (names, lists) = ([choice.text(); 2], [columns.as_ptr(), std::ptr::null()]);
    let there = |bit: u8, list: *const *const Bind2| if choice.0[2] & bit == 0 { list } else { std::ptr::null() };
    let tables = BindTables {
        count: c_int::from(choice.0[0] as i8 % 3),
        names: if choice.0[2] & 1 == 0 { names.as_ptr() } else { std::ptr::null() },
        tags: there(2, lists.as_ptr()),
        columns: there(4, lists.as_ptr()),
    };
    // SAFETY: at most two tables, of as many binds as any statement here has fields.
    unsafe { taos_stmt2_bind_param(stmt, &raw const tables, i32::from(choice.0[1] as i8 % 5) - 2) };
}

fn call(action: u8, handle: Handle, choice: &Choice) -> Handle {
    let buffers = Buffers::of(choice.0);
    let binds = [choice.multi(&buffers); 4];
    let none = std::ptr::null_mut();
    // SAFETY: texts, binds and places of this function, and handles of every kind, which the library tells apart.
    unsafe {
        match action % 36 {
            0 => taos::handle_of(Arc::new(Canned), "root"),
            1 => (taos_close(handle), none).1,
            2 => taos_query(handle, choice.text()),
            3 => (taos_select_db(handle, choice.text()), none).1,
            4 => {
                let mut rows = 0;
                taos_schemaless_insert_raw(handle, c"a,b=c d=1 1".as_ptr(), choice.number().min(11), &raw mut rows, 1, 0)
            }
            5 => (taos_errno(handle), none).1,
            6 => (read(taos_errstr(handle)), none).1,
            7 => (taos_free_result(handle), none).1,
            8 => (taos_stop_query(handle), none).1,
            9..=13 => (read_result(handle, choice), none).1,
            14 => taos_stmt_init(handle),
            15 => (taos_stmt_prepare(handle, choice.text(), 0), none).1,
            16 => (taos_stmt_set_tbname(handle, choice.text()), none).1,
            17 => (taos_stmt_set_tags(handle, binds.as_ptr()), none).1,
            18 => {
                let (mut count, mut fields) = (0, std::ptr::null_mut());
                taos_stmt_get_col_fields(handle, &raw mut count, &raw mut fields);
                taos_stmt_reclaim_fields(handle, fields);
                (taos_stmt_reclaim_fields(handle, fields), none).1
            }
            19 => (taos_stmt_bind_param_batch(handle, binds.as_ptr()), none).1,
            20 => (taos_stmt_bind_single_param_batch(handle, binds.as_ptr(), choice.number()), none).1,
            21 => (taos_stmt_add_batch(handle), none).1,
            22 => (taos_stmt_execute(handle), none).1,
            23 => taos_stmt_use_result(handle),
            24 => (read(taos_stmt_errstr(handle)), taos_stmt_close(handle), none).2,
            25 => taos_stmt2_init(handle, std::ptr::null()),
            26 => (taos_stmt2_prepare(handle, choice.text(), 0), none).1,
            27 => {
                let (mut count, mut fields) = (0, std::ptr::null_mut());
                taos_stmt2_get_fields(handle, &raw mut count, &raw mut fields);
                (taos_stmt2_free_fields(handle, fields), none).1
            }
            28 => (bind_tables(handle, choice, &buffers), none).1,
            29 => (taos_stmt2_exec(handle, std::ptr::null_mut()), none).1,
            30 => taos_stmt2_result(handle),
            31 => (read(taos_stmt2_error(handle)), taos_stmt2_close(handle), none).2,
            32 => tmq_conf_new(),
            33 => (tmq_conf_set(handle, choice.text(), choice.text()), tmq_conf_destroy(handle), none).2,
            34 => (tmq_list_append(handle, choice.text()), tmq_list_destroy(handle), tmq_list_new()).2,
            _ => (taos_query_a(handle, choice.text(), Some(called), none), none).1,
        }
    }
}

/// Ends whatever a handle stands for.
fn end(handle: Handle) {
    // SAFETY: a handle that is there or not; each function ends its own kind.
    unsafe {
        taos_stmt_close(handle);
        taos_stmt2_close(handle);
        taos_free_result(handle);
        taos_close(handle);
        tmq_conf_destroy(handle);
        tmq_list_destroy(handle);
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let mut handles = vec![std::ptr::null_mut(), std::ptr::without_provenance_mut(0x12_3450), taos::handle_of(Arc::new(Canned), "root")];
    for step in bytes.chunks_exact(5).take(200) {
        // The newest handles are used most.
        let back = usize::from(step[1]) % handles.len().min(16);
        let handle = handles[handles.len() - 1 - back];
        let made = call(step[0], handle, &Choice([step[2], step[3], step[4]]));
        if !made.is_null() {
            handles.push(made);
        }
    }
    handles.into_iter().for_each(end);
});
