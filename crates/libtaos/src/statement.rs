//! Prepared statements of the first kind, `taos_stmt_*`: table, tags and rows are given step by step, and the steps have an order.

use std::{
    ffi::{c_char, c_int, c_ulong, c_void},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use embudo_client::{BoundColumn, FieldRole, StatementField, TableBind, literal};
use embudo_types::{Error, Result, code};

use crate::{
    abi::{FieldE, MultiBind, StatementOptions},
    allocation,
    bind::{self, Cells},
    boundary::{self, Status, give, invalid, needed_text, quietly, value_of},
    connection::Connection,
    handle,
    result::{QueryResult, field_e},
};

/// How far a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Opened,
    Prepared,
    TableSet,
    TagsSet,
    Bound,
    ColumnBound,
    BatchAdded,
    Executed,
}

/// What `TAOS_STMT *` stands for. Calls of several threads take turns.
pub struct Statement {
    inner: Mutex<Inner>,
}

struct Inner {
    connection: Arc<Connection>,
    prepared: Option<Prepared>,
    step: Step,
    status: Status,
    affected: u64,
    affected_once: u64,
    /// The handle of what the query gave; it is ended with the statement.
    result: usize,
}

/// A statement that the session has prepared.
pub struct Prepared {
    /// It.
    pub statement: Box<dyn embudo_client::Statement>,
    /// Whether it is `INSERT INTO ? …`: the table's name is no cell of its rows.
    pub table_is_open: bool,
    table: Option<String>,
    tags: Vec<BoundColumn>,
    fields: Option<Arc<Vec<StatementField>>>,
    /// Columns bound one by one.
    columns: Vec<BoundColumn>,
    parameters: Vec<BoundColumn>,
}

impl Prepared {
    /// Prepares a statement on a connection.
    pub fn new(connection: &Connection, sql: &str) -> Result<Self> {
        let statement = connection.driver().prepare(sql)?;
        Ok(Self { statement, table_is_open: is_open_insert(sql), table: None, tags: Vec::new(), fields: None, columns: Vec::new(), parameters: Vec::new() })
    }

    /// What the `?` stand for, asked once a table.
    pub fn fields(&mut self) -> Result<Arc<Vec<StatementField>>> {
        if let Some(fields) = &self.fields {
            return Ok(Arc::clone(fields));
        }
        let fields = Arc::new(self.statement.fields()?);
        self.fields = Some(Arc::clone(&fields));
        Ok(fields)
    }

    /// What each bound column stands for: all `?`, but table and tags of an open INSERT, and tags that were given apart.
    fn column_fields<'a>(&self, fields: &'a [StatementField]) -> Vec<&'a StatementField> {
        let all = !self.table_is_open && self.tags.is_empty();
        fields.iter().filter(|field| all || field.role == FieldRole::Column).collect()
    }

    /// Changes the table.
    pub fn set_table(&mut self, name: &str) -> Result<()> {
        if self.table.as_deref() != Some(name) {
            self.statement.set_table(name)?;
            self.table = Some(name.to_owned());
            self.tags.clear();
            // Those of USING stay the same.
            if self.fields.as_ref().is_none_or(|fields| !fields.iter().any(|field| field.role == FieldRole::Tag)) {
                self.fields = None;
            }
        }
        Ok(())
    }

    /// Adds rows to the table that is set, or as all cells of their statement.
    fn bind(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        if self.table_is_open || !self.tags.is_empty() {
            // Tags make the child at its first rows; later ones of the table need them no more.
            let tags = std::mem::take(&mut self.tags);
            return self.statement.bind(vec![TableBind { name: self.table.clone(), tags, columns }]);
        }
        self.statement.bind_columns(columns)
    }
}

/// Whether this is an INSERT whose table is a `?`.
fn is_open_insert(sql: &str) -> bool {
    let words = literal::words(sql);
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| sql[word.clone()].eq_ignore_ascii_case(text));
    let place = literal::placeholders(sql).first().copied();
    is(0, "insert") && is(1, "into") && place.is_some_and(|place| words.get(2).is_none_or(|word| place < word.start))
}

/// 0x022A.
pub fn misuse() -> Error {
    Error::new(code::STMT_API_USAGE_ERROR)
}

impl Inner {
    fn prepared(&mut self) -> Result<&mut Prepared> {
        self.prepared.as_mut().ok_or_else(misuse)
    }

    fn prepared_insert(&mut self) -> Result<&mut Prepared> {
        let prepared = self.prepared()?;
        if prepared.statement.is_insert() { Ok(prepared) } else { Err(misuse()) }
    }

    fn allow(&self, steps: &[Step]) -> Result<()> {
        if steps.contains(&self.step) { Ok(()) } else { Err(misuse()) }
    }

    fn prepare(&mut self, sql: &str) -> Result<()> {
        self.end_result();
        self.prepared = None;
        self.step = Step::Opened;
        self.prepared = Some(Prepared::new(&self.connection, sql)?);
        self.step = Step::Prepared;
        Ok(())
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        let is_bound = matches!(self.step, Step::Bound | Step::ColumnBound);
        let prepared = self.prepared_insert()?;
        if is_bound || !prepared.table_is_open {
            return Err(misuse());
        }
        prepared.set_table(name)?;
        self.step = Step::TableSet;
        Ok(())
    }

    unsafe fn set_tags(&mut self, tags: *const MultiBind) -> Result<()> {
        let prepared = self.prepared_insert()?;
        if prepared.table_is_open {
            self.allow(&[Step::TableSet, Step::TagsSet])?;
        } else {
            self.allow(&[Step::Prepared, Step::TagsSet, Step::Executed])?;
        }
        let prepared = self.prepared_insert()?;
        let fields = prepared.fields()?;
        let fields: Vec<_> = fields.iter().filter(|field| field.role == FieldRole::Tag).collect();
        // SAFETY: a bind for each tag, as the caller says.
        prepared.tags = unsafe { bind::columns(&cells(tags, fields.len())?, &fields) }?;
        if prepared.tags.iter().any(|tag| tag.array.len() != 1) {
            prepared.tags.clear();
            return Err(invalid("one value is needed for each tag"));
        }
        self.step = Step::TagsSet;
        Ok(())
    }

    /// Binds all columns: `num` of the first says how many rows, `single` that it is one.
    unsafe fn bind(&mut self, binds: *const MultiBind, single: bool) -> Result<()> {
        if self.step == Step::ColumnBound {
            return Err(misuse());
        }
        let prepared = self.prepared()?;
        if prepared.statement.is_insert() {
            if prepared.table_is_open && prepared.table.is_none() {
                return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET));
            }
            let fields = prepared.fields()?;
            let fields = prepared.column_fields(&fields);
            // SAFETY: a bind for each column, as the caller says.
            let cells = unsafe { cells(binds, fields.len()) }?;
            if single && cells.iter().any(|cells| cells.rows() > 1) {
                return Err(invalid("more than one row"));
            }
            // SAFETY: as the caller says.
            let columns = unsafe { bind::columns(&cells, &fields) }?;
            prepared.bind(columns)?;
        } else {
            let count = prepared.statement.parameter_count()?;
            // SAFETY: a bind for each parameter, as the caller says.
            prepared.parameters = unsafe { bind::columns(&cells(binds, count)?, &[]) }?;
        }
        self.step = Step::Bound;
        Ok(())
    }

    unsafe fn bind_column(&mut self, bind: *const MultiBind, column: c_int) -> Result<()> {
        if self.step == Step::Bound {
            return Err(misuse());
        }
        let prepared = self.prepared_insert()?;
        let fields = prepared.fields()?;
        let fields = prepared.column_fields(&fields);
        let at = usize::try_from(column).ok().filter(|&at| at < fields.len()).ok_or_else(|| invalid("no such column"))?;
        if at != prepared.columns.len() {
            prepared.columns.clear();
            return Err(Error::with(code::INVALID_OPERATION, "bind column index not in sequence"));
        }
        // SAFETY: one bind, as the caller says.
        let cells = unsafe { cells(bind, 1) }?[0];
        if prepared.columns.first().is_some_and(|first| i32::try_from(first.array.len()) != Ok(cells.rows())) {
            prepared.columns.clear();
            return Err(Error::with(code::INVALID_OPERATION, "row number in each bind param should be the same"));
        }
        // SAFETY: as the caller says.
        let bound = unsafe { cells.column(Some(fields[at])) }?;
        prepared.columns.push(bound);
        if prepared.columns.len() == fields.len() {
            let columns = std::mem::take(&mut prepared.columns);
            prepared.bind(columns)?;
        }
        self.step = Step::ColumnBound;
        Ok(())
    }

    fn add_batch(&mut self) -> Result<()> {
        self.allow(&[Step::Bound, Step::ColumnBound])?;
        if !self.prepared()?.columns.is_empty() {
            return Err(misuse());
        }
        self.step = Step::BatchAdded;
        Ok(())
    }

    fn execute(&mut self) -> Result<()> {
        if self.prepared()?.statement.is_insert() {
            self.allow(&[Step::BatchAdded])?;
            let outcome = self.prepared()?.statement.execute();
            // What was bound is gone either way.
            self.step = Step::Executed;
            self.affected_once = outcome?;
            self.affected += self.affected_once;
            return Ok(());
        }
        if self.prepared()?.statement.parameter_count()? > 0 {
            self.allow(&[Step::Bound, Step::BatchAdded, Step::Executed])?;
        }
        let prepared = self.prepared()?;
        let outcome = prepared.statement.query(prepared.parameters.clone());
        let result = QueryResult::new(outcome, &self.connection);
        let status = result.lock().status.clone();
        self.end_result();
        self.step = Step::Executed;
        self.affected_once = u64::try_from(result.lock().affected).unwrap_or(0);
        self.affected += self.affected_once;
        self.result = handle::register(Arc::new(result)).addr();
        if status.code() == 0 { Ok(()) } else { Err(Error::with(embudo_types::Code(status.code() as u16), status.message())) }
    }

    fn use_result(&mut self) -> Result<*mut c_void> {
        if self.step != Step::Executed || self.result == 0 || self.prepared()?.statement.is_insert() {
            return Err(misuse());
        }
        Ok(std::ptr::without_provenance_mut(self.result))
    }

    /// Ends the last query's result, which the program may have freed already.
    fn end_result(&mut self) {
        let handle: *mut c_void = std::ptr::without_provenance_mut(std::mem::take(&mut self.result));
        drop(handle::remove::<QueryResult>(handle));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end_result();
    }
}

/// Binds that C gave as many of as there are fields.
unsafe fn cells(binds: *const MultiBind, count: usize) -> Result<Vec<Cells>> {
    // SAFETY: as the caller says.
    let binds = unsafe { boundary::items(binds, count as c_int, "values to bind") }?;
    Ok(binds.iter().map(Cells::from).collect())
}

impl Statement {
    fn open(taos: *mut c_void) -> *mut c_void {
        value_of(std::ptr::null_mut(), || {
            let inner = Inner {
                connection: Connection::of(taos)?,
                prepared: None,
                step: Step::Opened,
                status: Status::success(),
                affected: 0,
                affected_once: 0,
                result: 0,
            };
            Ok(handle::register(Arc::new(Self { inner: Mutex::new(inner) })))
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A statement's handle that is none.
pub fn no_statement() -> Error {
    invalid("no statement")
}

/// A statement's error as its status has it, or that there is none such.
pub fn status_text(of: Option<*const c_char>) -> *const c_char {
    of.unwrap_or_else(|| {
        boundary::set_last(Status::of(&no_statement()));
        boundary::last_text()
    })
}

/// Does something with a statement; its outcome is the statement's status too.
fn with<T>(stmt: *mut c_void, otherwise: T, work: impl FnOnce(&mut Inner) -> Result<T>) -> (c_int, T) {
    let Some(statement) = handle::find::<Statement>(stmt) else {
        let status = Status::of(&no_statement());
        let code = status.code();
        boundary::set_last(status);
        return (code, otherwise);
    };
    let mut inner = statement.lock();
    let outcome = boundary::caught(|| work(&mut inner));
    let (status, value) = match outcome {
        Ok(value) => (Status::success(), value),
        Err(error) => (Status::of(&error), otherwise),
    };
    let code = status.code();
    boundary::set_last(status.clone());
    inner.status = status;
    (code, value)
}

fn code_with(stmt: *mut c_void, work: impl FnOnce(&mut Inner) -> Result<()>) -> c_int {
    with(stmt, (), work).0
}

/// The text of a statement, with its length or ended by NUL.
pub unsafe fn statement_text<'a>(sql: *const c_char, length: c_ulong) -> Result<&'a str> {
    if length == 0 || sql.is_null() {
        // SAFETY: as the caller says.
        return unsafe { needed_text(sql, "statement") };
    }
    // SAFETY: as the caller says.
    let bytes = unsafe { std::slice::from_raw_parts(sql.cast::<u8>(), length as usize) };
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    std::str::from_utf8(&bytes[..end]).map_err(|error| invalid(&format!("the statement is not UTF-8 at byte {}", error.valid_up_to())))
}

/// A field as statements describe it, with its length in storage.
pub fn description(field: &StatementField) -> FieldE {
    field_e(&field.name, field.data_type, field.data_type.storage_length(), field.precision.id())
}

/// Opens a statement.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_init(taos: *mut c_void) -> *mut c_void {
    Statement::open(taos)
}

/// Opens a statement, with an id for the server's log.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_init_with_reqid(taos: *mut c_void, _reqid: i64) -> *mut c_void {
    Statement::open(taos)
}

/// Opens a statement with options, which hint at how it will be used.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_init_with_options(taos: *mut c_void, _options: *const StatementOptions) -> *mut c_void {
    Statement::open(taos)
}

/// Prepares a statement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_prepare(stmt: *mut c_void, sql: *const c_char, length: c_ulong) -> c_int {
    // SAFETY: a text as the interface says.
    code_with(stmt, |inner| inner.prepare(unsafe { statement_text(sql, length) }?))
}

/// Names the table of `INSERT INTO ?`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tbname(stmt: *mut c_void, name: *const c_char) -> c_int {
    // SAFETY: a text as the interface says.
    code_with(stmt, |inner| inner.set_table(unsafe { needed_text(name, "name of a table") }?))
}

/// The same, for children.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_sub_tbname(stmt: *mut c_void, name: *const c_char) -> c_int {
    // SAFETY: as there.
    unsafe { taos_stmt_set_tbname(stmt, name) }
}

/// Gives the tags of the table.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tags(stmt: *mut c_void, tags: *const MultiBind) -> c_int {
    // SAFETY: binds as the interface says.
    code_with(stmt, |inner| unsafe { inner.set_tags(tags) })
}

/// Names the table and gives its tags.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_set_tbname_tags(stmt: *mut c_void, name: *const c_char, tags: *const MultiBind) -> c_int {
    code_with(stmt, |inner| {
        // SAFETY: a text and binds as the interface says.
        unsafe {
            inner.set_table(needed_text(name, "name of a table")?)?;
            if tags.is_null() { Ok(()) } else { inner.set_tags(tags) }
        }
    })
}

unsafe fn describe(stmt: *mut c_void, count: *mut c_int, fields: *mut *mut FieldE, role: FieldRole) -> c_int {
    code_with(stmt, |inner| {
        let prepared = inner.prepared_insert()?;
        let all = prepared.fields()?;
        let of_role = |field: &&StatementField| field.role == role || (role == FieldRole::Column && !prepared.table_is_open && field.role == FieldRole::Table);
        let described: Vec<FieldE> = all.iter().filter(of_role).map(description).collect();
        // SAFETY: places for a number and an address, as the interface says.
        unsafe {
            give(count, described.len() as c_int);
            if !fields.is_null() {
                give(fields, allocation::hand_out(&described)?);
            }
        }
        Ok(())
    })
}

/// What the tags are; to be given back with `taos_stmt_reclaim_fields`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_get_tag_fields(stmt: *mut c_void, count: *mut c_int, fields: *mut *mut FieldE) -> c_int {
    // SAFETY: places as the interface says.
    unsafe { describe(stmt, count, fields, FieldRole::Tag) }
}

/// What the columns are; to be given back with `taos_stmt_reclaim_fields`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_get_col_fields(stmt: *mut c_void, count: *mut c_int, fields: *mut *mut FieldE) -> c_int {
    // SAFETY: places as the interface says.
    unsafe { describe(stmt, count, fields, FieldRole::Column) }
}

/// Takes back what the two gave.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_reclaim_fields(_stmt: *mut c_void, fields: *mut FieldE) {
    quietly((), || allocation::take_back(fields));
}

/// Whether it is an INSERT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_is_insert(stmt: *mut c_void, insert: *mut c_int) -> c_int {
    code_with(stmt, |inner| {
        let is_insert = inner.prepared()?.statement.is_insert();
        // SAFETY: NULL or a place for a number, as the interface says.
        unsafe { give(insert, c_int::from(is_insert)) };
        Ok(())
    })
}

/// How many cells a row has, or parameters a query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_num_params(stmt: *mut c_void, nums: *mut c_int) -> c_int {
    code_with(stmt, |inner| {
        let prepared = inner.prepared()?;
        let count = if prepared.statement.is_insert() {
            let fields = prepared.fields()?;
            prepared.column_fields(&fields).len()
        } else {
            prepared.statement.parameter_count()?
        };
        // SAFETY: NULL or a place for a number, as the interface says.
        unsafe { give(nums, count as c_int) };
        Ok(())
    })
}

/// Type and length of a cell of an INSERT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_get_param(stmt: *mut c_void, idx: c_int, data_type: *mut c_int, bytes: *mut c_int) -> c_int {
    code_with(stmt, |inner| {
        let prepared = inner.prepared_insert()?;
        let fields = prepared.fields()?;
        let fields = prepared.column_fields(&fields);
        let field = usize::try_from(idx).ok().and_then(|at| fields.get(at)).ok_or_else(|| invalid("no such parameter"))?;
        // SAFETY: NULL or places for numbers, as the interface says.
        unsafe {
            give(data_type, c_int::from(field.data_type.id()));
            give(bytes, field.data_type.storage_length() as c_int);
        }
        Ok(())
    })
}

/// Binds one row, or the parameters of a query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_bind_param(stmt: *mut c_void, bind: *const MultiBind) -> c_int {
    // SAFETY: binds as the interface says.
    code_with(stmt, |inner| unsafe { inner.bind(bind, true) })
}

/// Binds rows, all columns of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_bind_param_batch(stmt: *mut c_void, bind: *const MultiBind) -> c_int {
    // SAFETY: binds as the interface says.
    code_with(stmt, |inner| unsafe { inner.bind(bind, false) })
}

/// Binds one column of rows; columns come in their order.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt_bind_single_param_batch(stmt: *mut c_void, bind: *const MultiBind, col_idx: c_int) -> c_int {
    // SAFETY: a bind as the interface says.
    code_with(stmt, |inner| unsafe { inner.bind_column(bind, col_idx) })
}

/// Ends what was bound as a batch.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_add_batch(stmt: *mut c_void) -> c_int {
    code_with(stmt, Inner::add_batch)
}

/// Writes the batches, or runs the query.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_execute(stmt: *mut c_void) -> c_int {
    code_with(stmt, Inner::execute)
}

/// What the query gave. It ends with the statement, unless it was freed before.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_use_result(stmt: *mut c_void) -> *mut c_void {
    with(stmt, std::ptr::null_mut(), Inner::use_result).1
}

/// Rows written by all executions.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_affected_rows(stmt: *mut c_void) -> c_int {
    quietly(0, || handle::find::<Statement>(stmt).map_or(0, |statement| c_int::try_from(statement.lock().affected).unwrap_or(c_int::MAX)))
}

/// Rows written by the last execution.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_affected_rows_once(stmt: *mut c_void) -> c_int {
    quietly(0, || handle::find::<Statement>(stmt).map_or(0, |statement| c_int::try_from(statement.lock().affected_once).unwrap_or(c_int::MAX)))
}

/// Text of the last call's error; it lives until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_errstr(stmt: *mut c_void) -> *const c_char {
    quietly(c"".as_ptr(), || status_text(handle::find::<Statement>(stmt).map(|statement| statement.lock().status.text())))
}

/// Ends a statement, and what its query gave.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt_close(stmt: *mut c_void) -> c_int {
    boundary::code_of(|| handle::remove::<Statement>(stmt).map(drop).ok_or_else(no_statement))
}

#[cfg(test)]
mod tests {
    use embudo_types::DataType;

    use super::*;

    #[test]
    fn open_inserts() {
        for (sql, open) in [
            ("INSERT INTO ? VALUES(?,?)", true),
            ("insert into ? using s tags(?) values(?)", true),
            ("INSERT INTO t VALUES(?,?)", false),
            ("INSERT INTO s(tbname, ts) VALUES(?,?)", false),
            ("SELECT * FROM t WHERE a = ?", false),
        ] {
            assert_eq!(is_open_insert(sql), open, "{sql}");
        }
    }

    #[test]
    fn lengths_are_those_in_storage() {
        let field = |data_type| StatementField { name: "c".into(), data_type, precision: embudo_types::Precision::Micro, role: FieldRole::Column };
        assert_eq!(description(&field(DataType::Varchar(10))).bytes, 12);
        assert_eq!(description(&field(DataType::NChar(10))).bytes, 42);
        assert_eq!(description(&field(DataType::Timestamp)).precision, 1);
    }
}
