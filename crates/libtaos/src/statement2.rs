//! Prepared statements of the second kind, `taos_stmt2_*`: tables with their tags and rows are bound together, and an execution may call
//! back.

use std::{
    ffi::{c_char, c_int, c_ulong, c_void},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use embudo_client::{BoundColumn, FieldRole, StatementField, TableBind};
use embudo_types::{Code, Error, Result, code};

use crate::{
    abi::{AsyncCallback, BindTables, ColumnBinds, FIELD_COLUMN, FIELD_TABLE, FIELD_TAG, FieldAll, Statement2Option},
    allocation,
    bind::{self, Cells},
    boundary::{self, Passed, Status, give, invalid, quietly, value_of},
    connection::Connection,
    handle,
    result::QueryResult,
    statement::{Prepared, description, misuse, no_statement, statement_text, status_text},
    worker,
};

/// What `TAOS_STMT2 *` stands for. Calls of several threads take turns.
pub struct Statement2 {
    inner: Mutex<Inner>,
    /// An execution is under way on another thread.
    busy: AtomicBool,
    callback: Option<(AsyncCallback, Passed)>,
}

struct Inner {
    connection: Arc<Connection>,
    prepared: Option<Prepared>,
    is_bound: bool,
    status: Status,
    parameters: Vec<BoundColumn>,
    /// Tables whose columns come one by one.
    partial: Vec<Partial>,
    /// The handle of what the last execution gave; it is ended with the statement.
    result: usize,
}

/// A table whose columns are not all there yet.
struct Partial {
    name: Option<String>,
    tags: Vec<BoundColumn>,
    columns: Vec<Option<BoundColumn>>,
}

impl Inner {
    fn prepared(&mut self) -> Result<&mut Prepared> {
        self.prepared.as_mut().ok_or_else(misuse)
    }

    fn prepare(&mut self, sql: &str) -> Result<()> {
        self.end_result();
        self.prepared = None;
        self.is_bound = false;
        self.partial.clear();
        self.prepared = Some(Prepared::new(&self.connection, sql)?);
        Ok(())
    }

    unsafe fn bind(&mut self, binds: *const BindTables, column: c_int) -> Result<()> {
        self.prepared()?;
        // SAFETY: NULL, or tables as the caller says.
        let binds = unsafe { binds.as_ref() }.ok_or_else(|| invalid("nothing to bind"))?;
        let count = usize::try_from(binds.count).ok().filter(|&count| count > 0).ok_or_else(|| invalid("a number of tables that is not positive"))?;
        if !self.prepared()?.statement.is_insert() {
            let wanted = self.prepared()?.statement.parameter_count()?;
            // SAFETY: as the caller says, one row of parameters.
            self.parameters = unsafe { columns_of(binds.columns, 0, wanted, &[]) }?.unwrap_or_default();
            self.is_bound = true;
            return Ok(());
        }
        for table in 0..count {
            // SAFETY: as the caller says.
            unsafe { self.bind_table(binds, table, column) }?;
        }
        self.is_bound = true;
        Ok(())
    }

    unsafe fn bind_table(&mut self, binds: &BindTables, table: usize, column: c_int) -> Result<()> {
        let prepared = self.prepared()?;
        let name = if binds.names.is_null() {
            None
        } else {
            // SAFETY: one for each table, as the caller says.
            unsafe { boundary::text(*binds.names.add(table)) }?
        };
        if let Some(name) = name.filter(|_| prepared.table_is_open) {
            prepared.set_table(name)?;
        }
        let fields = prepared.fields()?;
        let of = |role: FieldRole| fields.iter().filter(|field| field.role == role).collect::<Vec<_>>();
        let (tag_fields, column_fields) = (of(FieldRole::Tag), of(FieldRole::Column));
        // SAFETY: no tags, or those of each table, as the caller says.
        let tags = unsafe { columns_of(binds.tags, table, tag_fields.len(), &tag_fields) }?.unwrap_or_default();
        let name = name.map(str::to_owned);
        if let Ok(at) = usize::try_from(column) {
            let field = *column_fields.get(at).ok_or_else(|| invalid("no such column"))?;
            // SAFETY: as the caller says, the one column of each table.
            let bound = unsafe { columns_of(binds.columns, table, 1, &[field]) }?.and_then(|mut bound| bound.pop());
            let bound = bound.ok_or_else(|| invalid("no values"))?;
            return self.bind_one(table, name, tags, at, bound, column_fields.len());
        }
        // SAFETY: no columns, or those of each table, as the caller says.
        let columns = unsafe { columns_of(binds.columns, table, column_fields.len(), &column_fields) }?.unwrap_or_default();
        self.prepared()?.statement.bind(vec![TableBind { name, tags, columns }])
    }

    fn bind_one(&mut self, table: usize, name: Option<String>, tags: Vec<BoundColumn>, at: usize, bound: BoundColumn, count: usize) -> Result<()> {
        while self.partial.len() <= table {
            self.partial.push(Partial { name: None, tags: Vec::new(), columns: Vec::new() });
        }
        let partial = &mut self.partial[table];
        partial.columns.resize_with(count, || None);
        partial.columns[at] = Some(bound);
        partial.name = name.or_else(|| partial.name.take());
        if !tags.is_empty() {
            partial.tags = tags;
        }
        if partial.columns.iter().all(Option::is_some) {
            let columns: Vec<BoundColumn> = partial.columns.drain(..).flatten().collect();
            let bind = TableBind { name: partial.name.take(), tags: std::mem::take(&mut partial.tags), columns };
            let rows = bind.columns.first().map_or(0, |column| column.array.len());
            if bind.columns.iter().any(|column| column.array.len() != rows) {
                return Err(Error::with(code::INVALID_OPERATION, "row number in each bind param should be the same"));
            }
            self.prepared()?.statement.bind(vec![bind])?;
        }
        Ok(())
    }

    unsafe fn bind_columns(&mut self, binds: *const ColumnBinds) -> Result<()> {
        self.prepared()?;
        // SAFETY: NULL, or columns as the caller says.
        let binds = unsafe { binds.as_ref() }.ok_or_else(|| invalid("nothing to bind"))?;
        // SAFETY: as the caller says.
        let columns = unsafe { boundary::items(binds.columns, binds.columns_count, "columns") }?;
        let cells: Vec<Cells> = columns.iter().map(|column| Cells::of_column(column, binds.rows)).collect();
        let prepared = self.prepared()?;
        if !prepared.statement.is_insert() {
            // SAFETY: as the caller says.
            self.parameters = unsafe { bind::columns(&cells, &[]) }?;
            self.is_bound = true;
            return Ok(());
        }
        let fields = prepared.fields()?;
        if fields.len() != cells.len() {
            return Err(invalid("one column is needed for each ?"));
        }
        let fields: Vec<&StatementField> = fields.iter().collect();
        // SAFETY: as the caller says.
        let columns = unsafe { bind::columns(&cells, &fields) }?;
        prepared.statement.bind_columns(columns)?;
        self.is_bound = true;
        Ok(())
    }

    /// Writes what was bound, or runs the query; the result tells how it went.
    fn execute(&mut self) -> Result<QueryResult> {
        let is_bound = std::mem::take(&mut self.is_bound);
        if self.partial.iter().any(|partial| partial.columns.iter().any(Option::is_some)) {
            self.partial.clear();
            return Err(misuse());
        }
        let parameters = self.parameters.clone();
        let connection = Arc::clone(&self.connection);
        let prepared = self.prepared()?;
        if prepared.statement.is_insert() {
            if !is_bound && prepared.statement.parameter_count()? > 0 {
                return Err(misuse());
            }
            return prepared.statement.execute().map(QueryResult::written);
        }
        let outcome = prepared.statement.query(parameters);
        Ok(QueryResult::new(outcome, &connection))
    }

    /// Executes and keeps the result for [`taos_stmt2_result`]; gives the affected rows and the result's handle.
    fn run(&mut self) -> Result<(i64, *mut c_void)> {
        let result = self.execute()?;
        let (status, affected) = {
            let state = result.lock();
            (state.status.clone(), state.affected)
        };
        self.end_result();
        let handle = handle::register(Arc::new(result));
        self.result = handle.addr();
        if status.code() == 0 { Ok((affected, handle)) } else { Err(Error::with(Code(status.code() as u16), status.message())) }
    }

    /// Ends the last execution's result, which the program may have freed already.
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

/// The binds of one table as columns; `None` where there are none.
unsafe fn columns_of(binds: *const *const crate::abi::Bind2, table: usize, count: usize, fields: &[&StatementField]) -> Result<Option<Vec<BoundColumn>>> {
    if binds.is_null() || count == 0 {
        return Ok(None);
    }
    // SAFETY: as the caller says, a list for each table.
    let list = unsafe { *binds.add(table) };
    if list.is_null() {
        return Ok(None);
    }
    // SAFETY: as the caller says, as many as there are fields.
    let cells: Vec<Cells> = unsafe { std::slice::from_raw_parts(list, count) }.iter().map(Cells::from).collect();
    // SAFETY: as the caller says.
    unsafe { bind::columns(&cells, fields) }.map(Some)
}

impl Statement2 {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks it for a call; 0x022A while an execution is under way.
    fn enter(&self) -> Result<MutexGuard<'_, Inner>> {
        if self.busy.load(Ordering::Acquire) { Err(misuse()) } else { Ok(self.lock()) }
    }
}

fn with<T>(stmt: *mut c_void, otherwise: T, work: impl FnOnce(&mut Inner) -> Result<T>) -> (c_int, T) {
    let outcome = boundary::caught(|| {
        let statement = handle::find::<Statement2>(stmt).ok_or_else(no_statement)?;
        let mut inner = statement.enter()?;
        let outcome = boundary::caught(|| work(&mut inner));
        inner.status = outcome.as_ref().map_or_else(Status::of, |_| Status::success());
        outcome
    });
    match outcome {
        Ok(value) => {
            boundary::set_last(Status::success());
            (0, value)
        }
        Err(error) => {
            boundary::set_last(Status::of(&error));
            (error.code().errno(), otherwise)
        }
    }
}

fn code_with(stmt: *mut c_void, work: impl FnOnce(&mut Inner) -> Result<()>) -> c_int {
    with(stmt, (), work).0
}

/// Opens a statement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_init(taos: *mut c_void, option: *const Statement2Option) -> *mut c_void {
    value_of(std::ptr::null_mut(), || {
        // SAFETY: NULL, or options as the interface says.
        let callback = unsafe { option.as_ref() }.and_then(|option| Some((option.callback?, Passed(option.parameter))));
        let inner = Inner {
            connection: Connection::of(taos)?,
            prepared: None,
            is_bound: false,
            status: Status::success(),
            parameters: Vec::new(),
            partial: Vec::new(),
            result: 0,
        };
        Ok(handle::register(Arc::new(Statement2 { inner: Mutex::new(inner), busy: AtomicBool::new(false), callback })))
    })
}

/// Prepares a statement.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_prepare(stmt: *mut c_void, sql: *const c_char, length: c_ulong) -> c_int {
    // SAFETY: a text as the interface says.
    code_with(stmt, |inner| inner.prepare(unsafe { statement_text(sql, length) }?))
}

/// Binds tables with tags and columns, or one column of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param(stmt: *mut c_void, bindv: *const BindTables, col_idx: i32) -> c_int {
    // SAFETY: binds as the interface says.
    code_with(stmt, |inner| unsafe { inner.bind(bindv, col_idx) })
}

/// The same, calling back when done. The cells are read before this returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param_a(
    stmt: *mut c_void,
    bindv: *const BindTables,
    col_idx: i32,
    fp: Option<AsyncCallback>,
    param: *mut c_void,
) -> c_int {
    let Some(callback) = fp else {
        return boundary::code_of(|| Err(invalid("no callback")));
    };
    // SAFETY: binds as the interface says.
    let code = unsafe { taos_stmt2_bind_param(stmt, bindv, col_idx) };
    let parameter = Passed(param);
    boundary::code_of(|| {
        // SAFETY: the callback that the program gave for this, with its own parameter.
        worker::run(move || unsafe { callback(parameter.get(), std::ptr::null_mut(), code) })
    })
}

/// Binds one column for each `?`: table names, tags and cells.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_bind_param_column(stmt: *mut c_void, bindv: *const ColumnBinds) -> c_int {
    // SAFETY: binds as the interface says.
    code_with(stmt, |inner| unsafe { inner.bind_columns(bindv) })
}

/// Writes what was bound, or runs the query; with a callback on another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_exec(stmt: *mut c_void, affected_rows: *mut c_int) -> c_int {
    let Some(statement) = quietly(None, || handle::find::<Statement2>(stmt)) else {
        return boundary::code_of(|| Err(no_statement()));
    };
    if let Some((callback, parameter)) = statement.callback {
        return boundary::code_of(|| execute_async(&statement, callback, parameter));
    }
    code_with(stmt, |inner| {
        let (affected, _) = inner.run()?;
        // SAFETY: NULL or a place for a number, as the interface says.
        unsafe { give(affected_rows, c_int::try_from(affected).unwrap_or(c_int::MAX)) };
        Ok(())
    })
}

fn execute_async(statement: &Arc<Statement2>, callback: AsyncCallback, parameter: Passed) -> Result<()> {
    statement.lock().prepared()?;
    if statement.busy.swap(true, Ordering::AcqRel) {
        return Err(misuse());
    }
    let running = Arc::clone(statement);
    let started = worker::run(move || {
        let outcome = boundary::caught(|| {
            let mut inner = running.lock();
            let outcome = boundary::caught(|| inner.run());
            inner.status = outcome.as_ref().map_or_else(Status::of, |_| Status::success());
            outcome
        });
        running.busy.store(false, Ordering::Release);
        drop(running);
        let (code, res) = match outcome {
            Ok((_, res)) => (0, res),
            Err(error) => (error.code().errno(), std::ptr::null_mut()),
        };
        // SAFETY: the callback that the program gave with the statement, with its own parameter.
        unsafe { callback(parameter.get(), res, code) };
    });
    if started.is_err() {
        statement.busy.store(false, Ordering::Release);
    }
    started
}

/// What the query gave. It ends with the statement, unless it was freed before.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt2_result(stmt: *mut c_void) -> *mut c_void {
    let (_, result) = with(stmt, std::ptr::null_mut(), |inner| {
        let result = inner.result;
        if result == 0 || inner.prepared()?.statement.is_insert() {
            return Err(misuse());
        }
        Ok(std::ptr::without_provenance_mut(result))
    });
    result
}

/// Whether it is an INSERT.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_is_insert(stmt: *mut c_void, insert: *mut c_int) -> c_int {
    code_with(stmt, |inner| {
        let is_insert = inner.prepared()?.statement.is_insert();
        // SAFETY: NULL or a place for a number, as the interface says.
        unsafe { give(insert, c_int::from(is_insert)) };
        Ok(())
    })
}

/// What the `?` of an INSERT stand for, to be given back with `taos_stmt2_free_fields`; of a query how many there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn taos_stmt2_get_fields(stmt: *mut c_void, count: *mut c_int, fields: *mut *mut FieldAll) -> c_int {
    code_with(stmt, |inner| {
        let prepared = inner.prepared()?;
        if !prepared.statement.is_insert() {
            let parameters = prepared.statement.parameter_count()?;
            // SAFETY: NULL or places for a number and an address, as the interface says.
            unsafe {
                give(count, parameters as c_int);
                give(fields, std::ptr::null_mut());
            }
            return Ok(());
        }
        let described: Vec<FieldAll> = prepared.fields()?.iter().map(field_all).collect();
        // SAFETY: as above.
        unsafe {
            give(count, described.len() as c_int);
            if !fields.is_null() {
                give(fields, allocation::hand_out(&described)?);
            }
        }
        Ok(())
    })
}

fn field_all(field: &StatementField) -> FieldAll {
    let described = description(field);
    let field_type = match field.role {
        FieldRole::Table => FIELD_TABLE,
        FieldRole::Tag => FIELD_TAG,
        FieldRole::Column => FIELD_COLUMN,
    };
    FieldAll {
        name: described.name,
        data_type: described.data_type,
        precision: described.precision,
        scale: described.scale,
        bytes: described.bytes,
        field_type,
    }
}

/// Takes back what `taos_stmt2_get_fields` gave.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt2_free_fields(_stmt: *mut c_void, fields: *mut FieldAll) {
    quietly((), || allocation::take_back(fields));
}

/// Text of the last call's error; it lives until the next call.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt2_error(stmt: *mut c_void) -> *const c_char {
    quietly(c"".as_ptr(), || status_text(handle::find::<Statement2>(stmt).map(|statement| statement.lock().status.text())))
}

/// Ends a statement, and what its query gave.
#[unsafe(no_mangle)]
pub extern "C" fn taos_stmt2_close(stmt: *mut c_void) -> c_int {
    boundary::code_of(|| handle::remove::<Statement2>(stmt).map(drop).ok_or_else(no_statement))
}

#[cfg(test)]
mod tests {
    use embudo_types::{DataType, Precision};

    use super::*;

    #[test]
    fn fields_tell_what_they_are_for() {
        let field = |role| StatementField { name: "c".into(), data_type: DataType::Decimal(10, 2), precision: Precision::Milli, role };
        let described = field_all(&field(FieldRole::Tag));
        assert_eq!((described.field_type, described.precision, described.scale, described.data_type), (FIELD_TAG, 10, 2, 21));
        assert_eq!(field_all(&field(FieldRole::Table)).field_type, FIELD_TABLE);
    }

    #[test]
    fn what_is_no_statement_is_refused() {
        let made_up = std::ptr::without_provenance_mut(0x99);
        // SAFETY: nothing is followed.
        unsafe {
            assert_eq!(taos_stmt2_prepare(made_up, c"x".as_ptr(), 0), code::INVALID_PARAMETERS.errno());
            assert_eq!(taos_stmt2_exec(std::ptr::null_mut(), std::ptr::null_mut()), code::INVALID_PARAMETERS.errno());
            assert!(taos_stmt2_init(made_up, std::ptr::null()).is_null());
        }
        assert!(taos_stmt2_result(made_up).is_null());
        assert_eq!(taos_stmt2_close(made_up), code::INVALID_PARAMETERS.errno());
    }
}
