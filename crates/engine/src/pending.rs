//! Rows on their way: gathered table by table while a statement is read, checked against KEEP, and written as one atomic record a
//! database once all of it was right. Tables are looked up without holding anybody up; if one has changed when the rows are to be written,
//! the statement is read again.

mod children;

use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use embudo_catalog::{Database, NewChild, RightSet, Schema, Supertable, Table, TableOptions};
use embudo_storage::{BatchColumn, ColumnBatch, Entry, TablesBatch, Uid};
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::FxHashMap;

use crate::Engine;
use crate::session::StatementContext;

pub(crate) use children::{ChildRows, ChildTarget};

/// Rows in the making.
#[derive(Debug)]
pub(crate) struct Rows {
    /// Primary timestamps in ticks.
    pub timestamps: ScalarBuffer<i64>,
    /// The composite key's second part.
    pub key: Option<ArrayRef>,
    /// The other columns.
    pub columns: Vec<BatchColumn>,
}

impl Rows {
    /// Some of the rows, without columns that none of them names.
    fn slice(&self, start: usize, length: usize) -> Self {
        let part = |column: &BatchColumn| {
            let present = column.present.as_ref().map(|present| present.slice(start, length));
            let there = present.as_ref().map_or(length, arrow_buffer::BooleanBuffer::count_set_bits);
            let present = present.filter(|_| there < length);
            (there > 0).then(|| BatchColumn { id: column.id, array: column.array.slice(start, length), present })
        };
        Self {
            timestamps: self.timestamps.slice(start, length),
            key: self.key.as_ref().map(|key| key.slice(start, length)),
            columns: self.columns.iter().filter_map(part).collect(),
        }
    }
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
    /// Rows of children of supertables, each supertable once; empty where tables are named in other ways too.
    children: Vec<ChildRows>,
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
        self.databases.push(PendingDatabase { database: database.clone(), allowed, tables: Vec::new(), by_name: FxHashMap::default(), children: Vec::new() });
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
        self.databases[database].split_children()?;
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

    /// Adds rows of many children: 0x060B where one lies outside what KEEP allows, 0x2644 where the user may not write to a child.
    pub fn add_children(&mut self, context: &StatementContext<'_>, database: DatabaseNumber, rows: ChildRows) -> Result<()> {
        let pending = &mut self.databases[database];
        rows.require_write(context, &pending.database)?;
        pending.check_ticks(&rows.rows)?;
        let is_alone = pending.tables.is_empty() && pending.children.iter().all(|other| other.supertable.uid != rows.supertable.uid);
        pending.children.push(rows);
        if is_alone { Ok(()) } else { pending.split_children() }
    }

    /// Adds rows: 0x060B where one lies outside what KEEP allows.
    pub fn add_rows(&mut self, database: DatabaseNumber, table: TableNumber, rows: Rows) -> Result<()> {
        let pending = &mut self.databases[database];
        pending.check_ticks(&rows)?;
        pending.tables[table].rows.push(rows);
        Ok(())
    }

    /// Rows with a key of their own: what a statement reports, since rows of one statement that share table, time and key become one.
    pub fn distinct_rows(&self) -> u64 {
        let of_tables: u64 = self.databases.iter().flat_map(|database| &database.tables).map(PendingTable::distinct_rows).sum();
        of_tables + self.databases.iter().flat_map(|database| &database.children).map(ChildRows::distinct_rows).sum::<u64>()
    }

    /// Writes everything, one atomic record a database; tables without rows are made too.
    pub fn commit(self) -> Result<(), Refusal> {
        self.databases.into_iter().try_for_each(PendingDatabase::commit)
    }
}

impl PendingDatabase {
    fn check_ticks(&self, rows: &Rows) -> Result<()> {
        if rows.timestamps.iter().all(|tick| self.allowed.contains(tick)) { Ok(()) } else { Err(Error::new(code::TIMESTAMP_DATA_OUT_OF_RANGE)) }
    }

    /// Turns rows of children into those of tables, in the order in which they came: 0x0603 or 0x061D where another table has a child's name.
    fn split_children(&mut self) -> Result<()> {
        for children in std::mem::take(&mut self.children) {
            for (name, target, rows) in children.split() {
                let next = self.tables.len();
                let number = *self.by_name.entry(name.clone()).or_insert(next);
                if number == next {
                    self.tables.push(PendingTable { name, target, schema: children.schema.clone(), rows: Vec::new() });
                }
                let owner = match &self.tables[number].target {
                    Target::Table(Table::Child(child)) => child.supertable.uid,
                    Target::New { supertable, .. } => supertable.uid,
                    Target::Table(_) => return Err(Error::new(code::TABLE_ALREADY_EXISTS)),
                };
                if owner != children.supertable.uid {
                    return Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES));
                }
                self.tables[number].rows.push(rows);
            }
        }
        Ok(())
    }

    fn commit(self) -> Result<(), Refusal> {
        let database = self.database;
        let makes_tables = self.tables.iter().any(|table| matches!(table.target, Target::New { .. })) || self.children.iter().any(ChildRows::makes_tables);
        let mut batches = Vec::with_capacity(self.tables.len());
        let mut entries = Vec::new();
        if !makes_tables {
            let writing = database.writing();
            for table in self.tables {
                let uid = table.uid_if_unchanged(&database)?;
                table.into_batches(uid, &mut batches);
            }
            for children in self.children {
                entries.push(children.into_entry(&database, None)?);
            }
            join_small(batches, &mut entries)?;
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
                    let is_there = database.supertable(supertable.uid).is_some_and(|there| Arc::ptr_eq(&there, supertable));
                    if !is_there || !Arc::ptr_eq(&supertable.schema(), &table.schema) {
                        return Err(Refusal::Stale);
                    }
                    match changing.create_child(&table.name, supertable, tags.clone(), options.clone())? {
                        NewChild::Made(uid) | NewChild::Existing(uid) => uid,
                    }
                }
            };
            table.into_batches(uid, &mut batches);
        }
        for children in self.children {
            entries.push(children.into_entry(&database, Some(&mut changing))?);
        }
        join_small(batches, &mut entries)?;
        changing.commit(entries)?;
        Ok(())
    }
}

/// Rows of one table up to which an entry of the log of its own costs more than they do.
const SMALL_ROWS: usize = 64;

/// Entries of rows; few rows of many tables with the same columns become one.
fn join_small(batches: Vec<ColumnBatch>, entries: &mut Vec<Entry>) -> Result<()> {
    let mut times: FxHashMap<Uid, u32> = FxHashMap::default();
    for batch in &batches {
        *times.entry(batch.uid).or_default() += 1;
    }
    let mut groups: Vec<Vec<ColumnBatch>> = Vec::new();
    for batch in batches {
        // Rows of one table stay in the order in which they came.
        if batch.rows() == 0 || batch.rows() > SMALL_ROWS || times.get(&batch.uid) != Some(&1) {
            entries.push(Entry::Rows(batch));
            continue;
        }
        match groups.iter_mut().find(|group| group.first().is_some_and(|first| have_same_columns(first, &batch))) {
            Some(group) => group.push(batch),
            None => groups.push(vec![batch]),
        }
    }
    for mut group in groups {
        entries.push(match group.len() {
            1 => Entry::Rows(group.swap_remove(0)),
            _ => Entry::Tables(TablesBatch::join(&group)?),
        });
    }
    Ok(())
}

fn have_same_columns(left: &ColumnBatch, right: &ColumnBatch) -> bool {
    let same = |(left, right): (&BatchColumn, &BatchColumn)| left.id == right.id && left.array.data_type() == right.array.data_type();
    left.schema_version == right.schema_version
        && left.key.as_ref().map(Array::data_type) == right.key.as_ref().map(Array::data_type)
        && left.columns.len() == right.columns.len()
        && left.columns.iter().zip(&right.columns).all(same)
}

/// How many keys some rows have.
fn distinct_keys<'a>(parts: impl Iterator<Item = (&'a Rows, Range<usize>)> + Clone, schema: &Schema) -> u64 {
    let rows = parts.clone().map(|(_, range)| range.len()).sum();
    let mut rest = parts.clone();
    if let (Some((only, range)), None) = (rest.next(), rest.next())
        && only.timestamps[range].is_sorted_by(|left, right| left < right)
    {
        return rows as u64;
    }
    let key_type = schema.key().map_or(DataType::Null, |column| column.data_type);
    let mut keys = Vec::with_capacity(rows);
    for (part, range) in parts {
        for row in range {
            let key = part.key.as_ref().map_or(Value::Null, |key| embudo_expr::value_at(key, key_type, row));
            keys.push((part.timestamps[row], key_bytes(key)));
        }
    }
    keys.sort_unstable();
    keys.dedup();
    keys.len() as u64
}

impl PendingTable {
    fn distinct_rows(&self) -> u64 {
        distinct_keys(self.rows.iter().map(|rows| (rows, 0..rows.timestamps.len())), &self.schema)
    }

    fn uid_if_unchanged(&self, database: &Database) -> Result<Uid, Refusal> {
        let Target::Table(seen) = &self.target else { return Err(Refusal::Stale) };
        if let Table::Child(child) = seen {
            let children = child.supertable.children();
            let is_there = database.supertable(child.supertable.uid).is_some_and(|there| Arc::ptr_eq(&there, &child.supertable));
            let is_same = is_there && children.holds(child.slot, child.uid) && Arc::ptr_eq(children.schema(), &self.schema);
            return if is_same { Ok(child.uid) } else { Err(Refusal::Stale) };
        }
        match database.table(&self.name) {
            Some(now) if now.uid() == seen.uid() && Arc::ptr_eq(&now.schema(), &self.schema) => Ok(now.uid()),
            _ => Err(Refusal::Stale),
        }
    }

    fn into_batches(self, uid: Uid, batches: &mut Vec<ColumnBatch>) {
        let schema_version = self.schema.version;
        batches.extend(self.rows.into_iter().map(|Rows { timestamps, key, columns }| ColumnBatch { uid, schema_version, timestamps, key, columns }));
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

/// How often a statement whose tables change under it is read before it keeps them from changing.
const ATTEMPTS: usize = 5;

/// Runs `gather` and writes what it gathered; again while tables change in between, at last with statements that change them held up, so
/// that a stream of those cannot starve a writer. `gather` must start anew each time.
pub(crate) fn write(engine: &Engine, mut gather: impl FnMut(&mut Pending) -> Result<u64>) -> Result<u64> {
    for attempt in 0..=ATTEMPTS {
        let _undisturbed = (attempt == ATTEMPTS).then(|| engine.table_changes().write());
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
