//! Prepared statements of the library: of the second kind where it has them, else of the first.

use std::{
    ffi::{c_char, c_int, c_ulong, c_void},
    sync::Arc,
};

use embudo_types::{DataType, Error, FieldRole, Precision, Result, ResultSet, StatementField, Zone, code};

use super::{
    Connection,
    abi::{Bind2, BindTables, FIELD_TABLE, FIELD_TAG, FieldAll, FieldE, MultiBind, NAME_BYTES, Statement2Option},
    c_text,
    cells::Cells,
    library::{self, Library},
    result::{Answer, name},
};
use crate::{
    literal,
    statement::{BoundColumn, Statement, TableBind, fitted, parameter, tables, wrong_count},
};

/// What a child is named while nobody has named it, to be told its fields. None is made of that name.
const DESCRIBED: &str = "embudo_described";

/// A statement of a native session.
pub struct NativeStatement {
    open: Arc<Open>,
    sql: String,
    zone: Zone,
    is_insert: bool,
    /// It is `INSERT INTO ? …`.
    table_is_open: bool,
    table: Option<String>,
    fields: Option<Vec<StatementField>>,
    /// Something was bound since the last execution; the library refuses one of nothing.
    is_bound: bool,
}

/// An open statement of the library, closed when nothing needs it any more.
struct Open {
    library: &'static Library,
    handle: *mut c_void,
    is_second: bool,
    _connection: Arc<Connection>,
}

// SAFETY: a statement may be used by any thread, by one at a time; only `NativeStatement` calls with it, which takes it mutably.
unsafe impl Send for Open {}
// SAFETY: as above; results that keep it only keep it from being closed.
unsafe impl Sync for Open {}

impl Open {
    fn new(library: &'static Library, connection: Arc<Connection>) -> Result<Self> {
        let is_second = library.taos_stmt2_init().is_ok();
        let handle = if is_second {
            let option = Statement2Option { request_id: 0, single_supertable: false, single_bind: false, callback: None, parameter: std::ptr::null_mut() };
            // SAFETY: a connection that is there and options that are read before it returns.
            unsafe { library.taos_stmt2_init()?(connection.handle, &raw const option) }
        } else {
            // SAFETY: a connection that is there.
            unsafe { library.taos_stmt_init()?(connection.handle) }
        };
        if handle.is_null() {
            return Err(library.last_error());
        }
        Ok(Self { library, handle, is_second, _connection: connection })
    }

    /// 0 is success; anything else has its text with the statement.
    fn check(&self, number: c_int) -> Result<()> {
        if number == 0 {
            return Ok(());
        }
        let text = if self.is_second { self.library.taos_stmt2_error() } else { self.library.taos_stmt_errstr() };
        let text = text.map_or_else(
            |_| String::new(),
            |function| {
                // SAFETY: a statement that is there; its text lives until its next call.
                unsafe { library::read(function(self.handle)) }
            },
        );
        Err(library::error_of(number, text))
    }

    fn prepare(&self, sql: &str) -> Result<()> {
        let (text, length) = (sql.as_ptr().cast::<c_char>(), sql.len() as c_ulong);
        let function = if self.is_second { self.library.taos_stmt2_prepare()? } else { self.library.taos_stmt_prepare()? };
        // SAFETY: a statement that is there and a text with its length.
        self.check(unsafe { function(self.handle, text, length) })
    }

    fn is_insert(&self) -> Result<bool> {
        let mut insert = 0;
        let function = if self.is_second { self.library.taos_stmt2_is_insert()? } else { self.library.taos_stmt_is_insert()? };
        // SAFETY: a statement that is there and a place for the answer.
        self.check(unsafe { function(self.handle, &raw mut insert) })?;
        Ok(insert != 0)
    }

    fn set_table(&self, table: &str) -> Result<()> {
        let table = c_text(table)?;
        // SAFETY: a statement that is there and a text.
        self.check(unsafe { self.library.taos_stmt_set_tbname()?(self.handle, table.as_ptr()) })
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let function = if self.is_second { self.library.taos_stmt2_close() } else { self.library.taos_stmt_close() };
        if let Ok(function) = function {
            // SAFETY: closed once, here.
            unsafe { function(self.handle) };
        }
    }
}

impl NativeStatement {
    /// Prepares a statement.
    pub fn prepare(library: &'static Library, connection: Arc<Connection>, sql: &str, zone: Zone) -> Result<Self> {
        let open = Open::new(library, connection)?;
        open.prepare(sql)?;
        let is_insert = open.is_insert()?;
        let table_is_open = is_insert && is_open_insert(sql);
        Ok(Self { open: Arc::new(open), sql: sql.to_owned(), zone, is_insert, table_is_open, table: None, fields: None, is_bound: false })
    }

    fn described(&mut self) -> Result<&[StatementField]> {
        if self.fields.is_none() {
            let fields = if self.open.is_second { self.second_fields()? } else { self.first_fields()? };
            self.fields = Some(fields);
        }
        Ok(self.fields.as_deref().unwrap_or_default())
    }

    fn second_fields(&self) -> Result<Vec<StatementField>> {
        if self.table_is_open
            && let Some(table) = &self.table
        {
            // The fields of an INSERT whose table is open are told once it is named.
            let name = c_text(table)?;
            let mut names = [name.as_ptr()];
            let bind = BindTables { count: 1, names: names.as_mut_ptr(), tags: std::ptr::null(), columns: std::ptr::null() };
            // SAFETY: a statement that is there, and a name. A library that wants rows too says no, and is asked without.
            let _ = unsafe { self.open.library.taos_stmt2_bind_param()?(self.open.handle, &raw const bind, -1) };
        }
        let (mut count, mut list): (c_int, *mut FieldAll) = (0, std::ptr::null_mut());
        // SAFETY: a statement that is there and places for the answer.
        self.open.check(unsafe { self.open.library.taos_stmt2_get_fields()?(self.open.handle, &raw mut count, &raw mut list) })?;
        // SAFETY: as many as it says.
        let all = if list.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(list, usize::try_from(count).unwrap_or(0)) } };
        let fields = all.iter().map(|field| {
            let role = match field.field_type {
                FIELD_TABLE => FieldRole::Table,
                FIELD_TAG => FieldRole::Tag,
                _ => FieldRole::Column,
            };
            described(&field.name, field.data_type, field.precision, field.scale, field.bytes, role)
        });
        let fields = fields.collect();
        // SAFETY: given back once.
        unsafe { self.open.library.taos_stmt2_free_fields()?(self.open.handle, list) };
        fields
    }

    fn first_fields(&self) -> Result<Vec<StatementField>> {
        let mut fields = Vec::new();
        let has_using = literal::words(&self.sql).iter().any(|word| self.sql[word.clone()].eq_ignore_ascii_case("using"));
        if self.table_is_open {
            match (&self.table, has_using) {
                (Some(_), _) => {}
                // The supertable tells them, whatever the child is named; it is named anew before it is bound.
                (None, true) => self.open.set_table(DESCRIBED)?,
                (None, false) => return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET)),
            }
            fields.push(StatementField { name: "tbname".into(), data_type: DataType::Varchar(269), precision: Precision::Milli, role: FieldRole::Table });
        }
        let columns = self.first_fields_of(self.open.library.taos_stmt_get_col_fields()?, FieldRole::Column)?;
        if has_using && literal::placeholders(&self.sql).len() > columns.len() + fields.len() {
            fields.extend(self.first_fields_of(self.open.library.taos_stmt_get_tag_fields()?, FieldRole::Tag)?);
        }
        fields.extend(columns);
        Ok(fields)
    }

    fn first_fields_of(&self, ask: unsafe extern "C" fn(*mut c_void, *mut c_int, *mut *mut FieldE) -> c_int, role: FieldRole) -> Result<Vec<StatementField>> {
        let (mut count, mut list): (c_int, *mut FieldE) = (0, std::ptr::null_mut());
        // SAFETY: a statement that is there and places for the answer.
        self.open.check(unsafe { ask(self.open.handle, &raw mut count, &raw mut list) })?;
        // SAFETY: as many as it says.
        let all = if list.is_null() { &[] } else { unsafe { std::slice::from_raw_parts(list, usize::try_from(count).unwrap_or(0)) } };
        let fields = all.iter().map(|field| described(&field.name, field.data_type, field.precision, field.scale, field.bytes, role)).collect();
        if let Ok(function) = self.open.library.taos_stmt_reclaim_fields() {
            // SAFETY: given back once.
            unsafe { function(self.open.handle, list) };
        }
        fields
    }

    fn bind_table(&mut self, table: TableBind) -> Result<()> {
        let name = table.name.or_else(|| self.table.clone());
        // Tags of the first kind come behind the name of their table, each time.
        let is_new = self.table != name || (!self.open.is_second && !table.tags.is_empty());
        if let Some(name) = name.as_deref().filter(|_| self.table_is_open && is_new) {
            self.set_table(name)?;
        }
        let zone = self.zone.clone();
        let fields = self.described()?;
        let of_role = |role: FieldRole| fields.iter().filter(move |field| field.role == role);
        let tags = if table.tags.is_empty() { Vec::new() } else { fitted(of_role(FieldRole::Tag), table.tags, &zone)? };
        let columns = fitted(of_role(FieldRole::Column), table.columns, &zone)?;
        let tags = tags.iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
        let columns = columns.iter().map(Cells::of).collect::<Result<Vec<_>>>()?;
        if self.open.is_second {
            self.bind_second(name.as_deref(), &tags, &columns)?;
        } else {
            self.bind_first(tags, columns)?;
        }
        self.is_bound = true;
        Ok(())
    }

    fn bind_second(&self, name: Option<&str>, tags: &[Cells], columns: &[Cells]) -> Result<()> {
        let name = name.map(c_text).transpose()?;
        let names = [name.as_ref().map_or(std::ptr::null(), |name| name.as_ptr())];
        let tags: Vec<Bind2> = tags.iter().map(Cells::bind2).collect();
        let columns: Vec<Bind2> = columns.iter().map(Cells::bind2).collect();
        let (tag_list, column_list) = ([tags.as_ptr()], [columns.as_ptr()]);
        let list = |is_there: bool, list: *const *const Bind2| if is_there { list } else { std::ptr::null() };
        let bind = BindTables {
            count: 1,
            names: if name.is_some() { names.as_ptr() } else { std::ptr::null() },
            tags: list(!tags.is_empty(), tag_list.as_ptr()),
            columns: list(!columns.is_empty(), column_list.as_ptr()),
        };
        // SAFETY: a statement that is there; everything that the bind leads to lives until it returns.
        self.open.check(unsafe { self.open.library.taos_stmt2_bind_param()?(self.open.handle, &raw const bind, -1) })
    }

    fn bind_first(&self, mut tags: Vec<Cells>, mut columns: Vec<Cells>) -> Result<()> {
        tags.iter_mut().chain(&mut columns).for_each(Cells::spread);
        let library = self.open.library;
        let binds = |cells: &[Cells]| cells.iter().map(Cells::multi_bind).collect::<Vec<MultiBind>>();
        if !tags.is_empty() {
            let tags = binds(&tags);
            // SAFETY: a statement that is there; everything that the binds lead to lives until it returns.
            self.open.check(unsafe { library.taos_stmt_set_tags()?(self.open.handle, tags.as_ptr()) })?;
        }
        let columns = binds(&columns);
        // SAFETY: as above.
        unsafe {
            self.open.check(library.taos_stmt_bind_param_batch()?(self.open.handle, columns.as_ptr()))?;
            self.open.check(library.taos_stmt_add_batch()?(self.open.handle))
        }
    }
}

/// A field as the interface tells it; its length is that in storage.
fn described(name_bytes: &[u8; NAME_BYTES], id: i8, precision: u8, scale: u8, bytes: i32, role: FieldRole) -> Result<StatementField> {
    let storage = bytes.max(0) as u32;
    let user = match DataType::from_id(id as u8, 0)? {
        DataType::NChar(_) => storage.saturating_sub(2) / 4,
        data_type if data_type.is_variable() => storage.saturating_sub(2),
        _ => storage,
    };
    let data_type = match DataType::from_id(id as u8, user)? {
        DataType::Decimal(..) => DataType::Decimal(precision, scale),
        other => other,
    };
    let precision = if data_type == DataType::Timestamp { Precision::from_id(precision)? } else { Precision::Milli };
    Ok(StatementField { name: name(name_bytes), data_type, precision, role })
}

/// Whether this is an INSERT whose table is a `?`.
fn is_open_insert(sql: &str) -> bool {
    let words = literal::words(sql);
    let place = literal::placeholders(sql).first().copied();
    place.is_some_and(|place| words.get(2).is_none_or(|word| place < word.start))
}

impl Statement for NativeStatement {
    fn is_insert(&self) -> bool {
        self.is_insert
    }

    fn parameter_count(&mut self) -> Result<usize> {
        Ok(literal::placeholders(&self.sql).len())
    }

    fn fields(&mut self) -> Result<Vec<StatementField>> {
        if self.is_insert { self.described().map(<[StatementField]>::to_vec) } else { Err(Error::new(code::STMT_API_USAGE_ERROR)) }
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        if !self.open.is_second {
            self.open.set_table(name)?;
        }
        let has_tags = self.fields.as_ref().is_some_and(|fields| fields.iter().any(|field| field.role == FieldRole::Tag));
        if !has_tags {
            self.fields = None;
        }
        self.table = Some(name.to_owned());
        Ok(())
    }

    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()> {
        let bound = tables.into_iter().try_for_each(|table| self.bind_table(table));
        if bound.is_err() {
            // What was bound is forgotten with the statement's preparation.
            self.open.prepare(&self.sql)?;
            self.is_bound = false;
            self.fields = None;
            if let Some(table) = self.table.clone().filter(|_| !self.open.is_second && self.table_is_open) {
                self.open.set_table(&table)?;
            }
        }
        bound
    }

    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        let zone = self.zone.clone();
        let fields = self.described()?.to_vec();
        let columns = fitted(fields.iter(), columns, &zone)?;
        self.bind(tables(&fields, &columns)?)
    }

    fn execute(&mut self) -> Result<u64> {
        if !std::mem::take(&mut self.is_bound) {
            return Ok(0);
        }
        let library = self.open.library;
        if self.open.is_second {
            let mut affected = 0;
            // SAFETY: a statement that is there and a place for the answer.
            self.open.check(unsafe { library.taos_stmt2_exec()?(self.open.handle, &raw mut affected) })?;
            return Ok(u64::try_from(affected).unwrap_or(0));
        }
        // SAFETY: a statement that is there.
        unsafe {
            self.open.check(library.taos_stmt_execute()?(self.open.handle))?;
            Ok(u64::try_from(library.taos_stmt_affected_rows_once()?(self.open.handle)).unwrap_or(0))
        }
    }

    fn query(&mut self, parameters: Vec<BoundColumn>) -> Result<ResultSet> {
        if parameters.len() != self.parameter_count()? {
            return Err(wrong_count());
        }
        let library = self.open.library;
        let mut cells = parameters.into_iter().map(|column| Cells::of(&parameter(column)?)).collect::<Result<Vec<_>>>()?;
        let handle = self.open.handle;
        let result = if self.open.is_second {
            self.bind_second(None, &[], &cells)?;
            // SAFETY: a statement that is there.
            unsafe {
                self.open.check(library.taos_stmt2_exec()?(handle, std::ptr::null_mut()))?;
                library.taos_stmt2_result()?(handle)
            }
        } else {
            cells.iter_mut().for_each(Cells::spread);
            let binds: Vec<MultiBind> = cells.iter().map(Cells::multi_bind).collect();
            // SAFETY: a statement that is there; everything that the binds lead to lives until they are bound.
            unsafe {
                self.open.check(library.taos_stmt_bind_param()?(handle, binds.as_ptr()))?;
                self.open.check(library.taos_stmt_add_batch()?(handle))?;
                self.open.check(library.taos_stmt_execute()?(handle))?;
                library.taos_stmt_use_result()?(handle)
            }
        };
        let owner: Arc<dyn Send + Sync> = Arc::clone(&self.open) as _;
        Answer::borrowed(library, result, owner)?.into_result_set()
    }
}
