//! Rows on their way: gathered table by table while a statement is read, checked against KEEP, and written as one atomic record a
//! database once all of it was right. Tables are looked up without holding anybody up; if one has changed when the rows are to be written,
//! the statement is read again.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_buffer::ScalarBuffer;
use embudo_catalog::{Database, NewChild, RightSet, Schema, Supertable, Table, TableOptions};
use embudo_storage::{BatchColumn, ColumnBatch, Entry, Uid};
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::FxHashMap;

use crate::session::StatementContext;

/// Rows of one table in the making.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Primary timestamps in ticks.
    pub timestamps: ScalarBuffer<i64>,
    /// The composite key's second part.
    pub key: Option<ArrayRef>,
    /// The other columns.
    pub columns: Vec<BatchColumn>,
}

/// Where rows go.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    /// A table that is there.
    Table(Table),
    /// A child that is made if it is still missing.
    New {
        /// Its supertable.
        supertable: Arc<Supertable>,
        /// One value a tag, in their order.
        tags: Vec<Value>,
        /// TTL and COMMENT.
        options: TableOptions,
    },
}

/// Number of a database in a [`Pending`].
pub(crate) type DatabaseNumber = usize;
/// Number of a table in its database in a [`Pending`].
pub(crate) type TableNumber = usize;

/// All rows of a statement.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    databases: Vec<PendingDatabase>,
}

#[derive(Debug)]
struct PendingDatabase {
    database: Arc<Database>,
    /// Ticks that rows may have.
    allowed: std::ops::RangeInclusive<i64>,
    tables: Vec<PendingTable>,
    by_name: FxHashMap<Arc<str>, TableNumber>,
}

#[derive(Debug)]
struct PendingTable {
    name: Arc<str>,
    target: Target,
    schema: Arc<Schema>,
    rows: Vec<Rows>,
}

/// Why rows were not written.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// A table has changed since it was looked up: read the statement again.
    Stale,
    /// Anything else.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// Highest ticks that a row may have, whatever KEEP says.
fn last_tick(precision: Precision) -> i64 {
    match precision {
        Precision::Milli => 31_556_995_200_000,
        Precision::Micro => 31_556_995_200_000_000,
        Precision::Nano => 9_214_646_400_000_000_000,
    }
}

/// Ticks that rows may have now (`now` in nanoseconds since 1970).
fn allowed_ticks(database: &Database, now: i64) -> std::ops::RangeInclusive<i64> {
    let precision = database.precision();
    let now = Precision::Nano.convert(now, precision);
    now.saturating_sub(database.options().keep_ticks())..=last_tick(precision)
}

impl Target {
    fn require_write(&self, context: &StatementContext<'_>, database: &Database, name: &str) -> Result<()> {
        match self {
            Self::Table(table) => context.require_table(RightSet::WRITE, database, table),
            Self::New { supertable, tags, .. } => context.account.require_new_child(database, supertable, name, tags, || context.query_context()),
        }
    }
}

impl Pending {
    /// The number of a database; `now` is the statement's time in nanoseconds since 1970.
    pub fn database(&mut self, database: &Arc<Database>, now: i64) -> DatabaseNumber {
        if let Some(found) = self.databases.iter().position(|pending| Arc::ptr_eq(&pending.database, database)) {
            return found;
        }
        let allowed = allowed_ticks(database, now);
        self.databases.push(PendingDatabase { database: database.clone(), allowed, tables: Vec::new(), by_name: FxHashMap::default() });
        self.databases.len() - 1
    }

    /// Ticks that rows of a database may have.
    pub fn allowed(&self, database: DatabaseNumber) -> std::ops::RangeInclusive<i64> {
        self.databases[database].allowed.clone()
    }

    /// The number of a table that this statement has named before.
    pub fn known(&self, database: DatabaseNumber, name: &str) -> Option<TableNumber> {
        self.databases[database].by_name.get(name).copied()
    }

    /// The schema and target of a table.
    pub fn table(&self, database: DatabaseNumber, table: TableNumber) -> (&Arc<Schema>, &Target) {
        let table = &self.databases[database].tables[table];
        (&table.schema, &table.target)
    }

    /// Names a table; the first target of a name counts. 0x2644 where the user may not write to it. Every way of writing rows comes by here.
    pub fn add_table(
        &mut self,
        context: &StatementContext<'_>,
        database: DatabaseNumber,
        name: &str,
        target: Target,
        schema: Arc<Schema>,
    ) -> Result<TableNumber> {
        if let Some(found) = self.known(database, name) {
            return Ok(found);
        }
        let pending = &mut self.databases[database];
        if !context.account.is_superuser() {
            target.require_write(context, &pending.database, name)?;
        }
        let name: Arc<str> = name.into();
        pending.by_name.insert(name.clone(), pending.tables.len());
        pending.tables.push(PendingTable { name, target, schema, rows: Vec::new() });
        Ok(pending.tables.len() - 1)
    }

    /// Adds rows: 0x060B where one lies outside what KEEP allows.
    pub fn add_rows(&mut self, database: DatabaseNumber, table: TableNumber, rows: Rows) -> Result<()> {
        let pending = &mut self.databases[database];
        if rows.timestamps.iter().any(|tick| !pending.allowed.contains(tick)) {
            return Err(Error::new(code::TIMESTAMP_DATA_OUT_OF_RANGE));
        }
        pending.tables[table].rows.push(rows);
        Ok(())
    }

    /// Rows with a key of their own: what a statement reports, since rows of one statement that share table, time and key become one.
    pub fn distinct_rows(&self) -> u64 {
        self.databases.iter().flat_map(|database| &database.tables).map(PendingTable::distinct_rows).sum()
    }

    /// Writes everything, one atomic record a database; tables without rows are made too.
    pub fn commit(self) -> Result<(), Refusal> {
        self.databases.into_iter().try_for_each(PendingDatabase::commit)
    }
}

impl PendingDatabase {
    fn commit(self) -> Result<(), Refusal> {
        let database = self.database;
        let makes_tables = self.tables.iter().any(|table| matches!(table.target, Target::New { .. }));
        let mut entries = Vec::with_capacity(self.tables.len());
        if !makes_tables {
            let writing = database.writing();
            for table in self.tables {
                let uid = table.uid_if_unchanged(&database)?;
                table.into_entries(uid, &mut entries);
            }
            if !entries.is_empty() {
                writing.append(entries)?;
            }
            return Ok(());
        }
        let mut changing = database.changing();
        for table in self.tables {
            let uid = match &table.target {
                Target::Table(_) => table.uid_if_unchanged(&database)?,
                Target::New { supertable, tags, options } => {
                    let is_there = matches!(database.table(&supertable.name), Some(Table::Super(there)) if Arc::ptr_eq(&there, supertable));
                    if !is_there || !Arc::ptr_eq(&supertable.schema(), &table.schema) {
                        return Err(Refusal::Stale);
                    }
                    match changing.create_child(&table.name, supertable, tags.clone(), options.clone())? {
                        NewChild::Made(uid) | NewChild::Existing(uid) => uid,
                    }
                }
            };
            table.into_entries(uid, &mut entries);
        }
        changing.commit(entries)?;
        Ok(())
    }
}

impl PendingTable {
    fn distinct_rows(&self) -> u64 {
        let rows: usize = self.rows.iter().map(|rows| rows.timestamps.len()).sum();
        if let [only] = self.rows.as_slice()
            && only.timestamps.windows(2).all(|pair| pair[0] < pair[1])
        {
            return rows as u64;
        }
        let mut keys = Vec::with_capacity(rows);
        for part in &self.rows {
            let key_type = self.schema.key().map_or(DataType::Null, |column| column.data_type);
            for (row, tick) in part.timestamps.iter().enumerate() {
                let key = part.key.as_ref().map_or(Value::Null, |key| embudo_expr::value_at(key, key_type, row));
                keys.push((*tick, key_bytes(key)));
            }
        }
        keys.sort_unstable();
        keys.dedup();
        keys.len() as u64
    }

    fn uid_if_unchanged(&self, database: &Database) -> Result<Uid, Refusal> {
        let Target::Table(seen) = &self.target else { return Err(Refusal::Stale) };
        match database.table(&self.name) {
            Some(now) if now.uid() == seen.uid() && Arc::ptr_eq(&now.schema(), &self.schema) => Ok(now.uid()),
            _ => Err(Refusal::Stale),
        }
    }

    fn into_entries(self, uid: Uid, entries: &mut Vec<Entry>) {
        let schema_version = self.schema.version;
        entries.extend(self.rows.into_iter().map(|rows| {
            let Rows { timestamps, key, columns } = rows;
            Entry::Rows(ColumnBatch { uid, schema_version, timestamps, key, columns })
        }));
    }
}

/// Bytes that equal composite keys share.
fn key_bytes(key: Value) -> Vec<u8> {
    match key {
        Value::Varchar(bytes) => bytes,
        Value::Int(value) => value.to_le_bytes().to_vec(),
        Value::UInt(value) => value.to_le_bytes().to_vec(),
        Value::BigInt(value) => value.to_le_bytes().to_vec(),
        Value::UBigInt(value) => value.to_le_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// How often a statement whose tables change under it is read.
const ATTEMPTS: usize = 5;

/// Runs `gather` and writes what it gathered; again while tables change in between. `gather` must start anew each time.
pub(crate) fn write(mut gather: impl FnMut(&mut Pending) -> Result<u64>) -> Result<u64> {
    for _ in 0..ATTEMPTS {
        let mut pending = Pending::default();
        let rows = gather(&mut pending)?;
        match pending.commit() {
            Ok(()) => return Ok(rows),
            Err(Refusal::Stale) => {}
            Err(Refusal::Error(error)) => return Err(error),
        }
    }
    Err(Error::new(code::TABLE_SCHEMA_IS_OLD))
}
