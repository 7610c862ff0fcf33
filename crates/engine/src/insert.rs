//! INSERT … VALUES: tells the parser what the named tables take, and gathers the rows that it reads.

use std::io::Read;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray};
use embudo_catalog::{Column, Database, MAX_TABLE_NAME, Schema, Supertable, Table, TableOptions};
use embudo_sql::ast::ObjectName;
use embudo_sql::insert::{ColumnRole, InsertContext, InsertOutcome, InsertSink, Layout, LayoutColumn, TableClause, TagLayout, Using, parse};
use embudo_storage::BatchColumn;
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::FxHashMap;

use crate::cells::{take, ticks};
use crate::pending::{ChildRows, ChildTarget, DatabaseNumber, Pending, Rows, TableNumber, Target, write};
use crate::session::StatementContext;
use crate::{file, insert_select};

/// Runs an INSERT of any kind and gives the number of rows.
pub(crate) fn execute(context: &StatementContext<'_>, sql: &str) -> Result<u64> {
    let insert_context = InsertContext { zone: &context.zone, now: context.now, parameters: context.parameters };
    let mut select = None;
    let rows = write(context.engine, |pending| {
        let mut sink = Sink { context, pending, clause: None, last: None };
        match parse(sql, &insert_context, &mut sink)? {
            InsertOutcome::Rows(_) => Ok(pending.distinct_rows()),
            InsertOutcome::Select(insert) => {
                select = Some(insert);
                Ok(0)
            }
        }
    })?;
    match select {
        Some(insert) => insert_select::execute(context, &insert),
        None => Ok(rows),
    }
}

/// Gathers what the parser reads.
struct Sink<'a, 'b> {
    context: &'a StatementContext<'b>,
    pending: &'a mut Pending,
    clause: Option<Clause>,
    /// The last layout with the schema and columns that it was made for: like clauses share it.
    last: Option<KnownLayout>,
}

/// A layout with what it was made for: schema and column list.
type KnownLayout = (Arc<Schema>, Option<Vec<String>>, Arc<Layout>);

/// Where the rows that come next go.
struct Clause {
    database: DatabaseNumber,
    destination: Destination,
    layout: Arc<Layout>,
}

enum Destination {
    Table(TableNumber),
    /// Children named by a `tbname` column.
    Supertable(Arc<Database>, Arc<Supertable>, Arc<Schema>),
}

/// 0x2603 without a name, as INSERT says it.
pub(crate) fn no_table() -> Error {
    Error::with(code::TABLE_DOES_NOT_EXIST_2603, "Table does not exist")
}

/// 0x2602 with the name.
pub(crate) fn no_column(name: &str) -> Error {
    Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))
}

impl Sink<'_, '_> {
    /// The supertable of a USING clause.
    fn supertable(&self, name: &ObjectName) -> Result<(Arc<Database>, Arc<Supertable>)> {
        let database = self.context.database_of(name)?;
        match database.table(&name.name) {
            Some(Table::Super(supertable)) => Ok((database, supertable)),
            Some(_) => Err(Error::with(code::INVALID_OPERATION, "create table only from super table is allowed")),
            None => Err(no_table()),
        }
    }

    /// What the clause's table is, and the schema that its rows have.
    fn target(&self, database: &Arc<Database>, clause: &TableClause) -> Result<(Target, Arc<Schema>)> {
        let name = &clause.table.name;
        match (database.table(name), &clause.using) {
            (Some(table), None) => {
                let schema = table.schema();
                Ok((Target::Table(table), schema))
            }
            (Some(Table::Child(child)), Some(using)) => {
                let (_, supertable) = self.supertable(&using.supertable)?;
                if supertable.uid != child.supertable.uid {
                    return Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES));
                }
                let schema = supertable.schema();
                Ok((Target::Table(Table::Child(child)), schema))
            }
            (Some(_), Some(_)) => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
            (None, None) => Err(no_table()),
            (None, Some(using)) => {
                let (owner, supertable) = self.supertable(&using.supertable)?;
                if !Arc::ptr_eq(&owner, database) {
                    return Err(Error::new(code::CORRESPONDING_SUPER_TABLE_NOT_IN_THIS));
                }
                check_table_name(name)?;
                let schema = supertable.schema();
                let tags = tag_values(&schema, using)?;
                Ok((Target::New { supertable, tags, options: options_of(using) }, schema))
            }
        }
    }

    fn layout_for(&mut self, schema: &Arc<Schema>, supertable: bool, columns: Option<Vec<String>>, precision: Precision) -> Result<Arc<Layout>> {
        if let Some((known, names, layout)) = &self.last
            && Arc::ptr_eq(known, schema)
            && *names == columns
            && layout.supertable == supertable
        {
            return Ok(layout.clone());
        }
        let layout = Arc::new(layout(schema, supertable, columns.as_deref(), precision)?);
        self.last = Some((schema.clone(), columns, layout.clone()));
        Ok(layout)
    }
}

/// A table name's limits.
pub(crate) fn check_table_name(name: &str) -> Result<()> {
    if name.is_empty() || name.len() > MAX_TABLE_NAME {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {name}")));
    }
    if name.contains('.') {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, "The table name cannot contain '.'"));
    }
    Ok(())
}

/// One value a tag, NULL where USING names none.
fn tag_values(schema: &Schema, using: &Using) -> Result<Vec<Value>> {
    if using.tag_names.is_empty() {
        return Ok(using.values.clone());
    }
    let mut tags = vec![Value::Null; schema.tags.len()];
    for (name, value) in using.tag_names.iter().zip(&using.values) {
        tags[schema.tag(name).ok_or_else(|| no_tag(name))?] = value.clone();
    }
    Ok(tags)
}

fn no_tag(name: &str) -> Error {
    Error::with(code::INVALID_TAG_NAME, format!("Invalid tag name: {name}"))
}

fn options_of(using: &Using) -> TableOptions {
    TableOptions { comment: using.comment.as_deref().map(Into::into), ttl: using.ttl.unwrap_or(0).clamp(0, i64::from(u32::MAX)) as u32, sma: None }
}

/// What the cells of a row are: the named columns, or all.
fn layout(schema: &Schema, supertable: bool, names: Option<&[String]>, precision: Precision) -> Result<Layout> {
    let of_column = |at: usize, column: &Column| LayoutColumn {
        name: column.name.to_string(),
        data_type: column.data_type,
        role: match at {
            0 => ColumnRole::Timestamp,
            _ if column.primary_key => ColumnRole::Key,
            _ => ColumnRole::Value,
        },
    };
    let columns = match names {
        None => schema.columns.iter().enumerate().map(|(at, column)| of_column(at, column)).collect(),
        Some(names) => names
            .iter()
            .map(|name| {
                if let Some(at) = schema.column(name) {
                    return Ok(of_column(at, &schema.columns[at]));
                }
                if supertable && name == "tbname" {
                    return Ok(LayoutColumn { name: name.clone(), data_type: DataType::Varchar(MAX_TABLE_NAME as u32), role: ColumnRole::TableName });
                }
                match schema.tag(name) {
                    Some(at) if supertable => Ok(LayoutColumn { name: name.clone(), data_type: schema.tags[at].data_type, role: ColumnRole::Tag }),
                    _ => Err(no_column(name)),
                }
            })
            .collect::<Result<_>>()?,
    };
    Ok(Layout { precision, supertable, keyed: schema.key().is_some(), columns })
}

impl InsertSink for Sink<'_, '_> {
    fn tags(&mut self, supertable: &ObjectName, names: &[String]) -> Result<Arc<TagLayout>> {
        let (database, supertable) = self.supertable(supertable)?;
        let schema = supertable.schema();
        let tags = if names.is_empty() {
            schema.tags.iter().map(|tag| (tag.name.to_string(), tag.data_type)).collect()
        } else {
            let tag = |name: &String| schema.tag(name).map(|at| (name.clone(), schema.tags[at].data_type)).ok_or_else(|| no_tag(name));
            names.iter().map(tag).collect::<Result<_>>()?
        };
        Ok(Arc::new(TagLayout { precision: database.precision(), tags }))
    }

    fn layout(&mut self, clause: TableClause) -> Result<Arc<Layout>> {
        let database = self.context.database_of(&clause.table)?;
        let number = self.pending.database(&database, self.context.now);
        if let Some(table) = self.pending.known(number, &clause.table.name) {
            let schema = self.pending.table(number, table).0.clone();
            let layout = self.layout_for(&schema, false, clause.columns, database.precision())?;
            self.clause = Some(Clause { database: number, destination: Destination::Table(table), layout: layout.clone() });
            return Ok(layout);
        }
        let (target, schema) = self.target(&database, &clause)?;
        let precision = database.precision();
        let (destination, supertable) = match target {
            Target::Table(Table::Super(supertable)) => (Destination::Supertable(database, supertable, schema.clone()), true),
            target => (Destination::Table(self.pending.add_table(self.context, number, &clause.table.name, target, schema.clone())?), false),
        };
        let layout = self.layout_for(&schema, supertable, clause.columns, precision)?;
        self.clause = Some(Clause { database: number, destination, layout: layout.clone() });
        Ok(layout)
    }

    fn rows(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<()> {
        let clause = self.clause.as_ref().ok_or_else(|| Error::internal("rows without a table"))?;
        if rows == 0 {
            return Ok(());
        }
        match &clause.destination {
            Destination::Table(table) => {
                let schema = self.pending.table(clause.database, *table).0.clone();
                let rows = rows_of(&schema, &clause.layout, &columns, 0, rows)?;
                self.pending.add_rows(clause.database, *table, rows)
            }
            Destination::Supertable(database, supertable, schema) => {
                let target = SupertableRows { database, number: clause.database, supertable, schema, layout: &clause.layout };
                target.add(self.context, self.pending, &columns, rows)
            }
        }
    }

    fn file(&mut self, path: &str) -> Result<Box<dyn Read>> {
        file::open(path)
    }
}

/// Rows `start..start + rows` of arrays as the layout orders them; tags and `tbname` are left out.
pub(crate) fn rows_of(schema: &Schema, layout: &Layout, arrays: &[ArrayRef], start: usize, rows: usize) -> Result<Rows> {
    let mut made = Rows { timestamps: Vec::new().into(), key: None, columns: Vec::with_capacity(arrays.len()) };
    for (column, array) in layout.columns.iter().zip(arrays) {
        let array = if start == 0 && rows == array.len() { array.clone() } else { array.slice(start, rows) };
        match column.role {
            ColumnRole::Timestamp => made.timestamps = ticks(&array)?,
            ColumnRole::Key => made.key = Some(array),
            ColumnRole::Value => {
                let at = schema.column(&column.name).ok_or_else(|| no_column(&column.name))?;
                made.columns.push(BatchColumn { id: schema.columns[at].id, array, present: None });
            }
            ColumnRole::Tag | ColumnRole::TableName => {}
        }
    }
    if made.timestamps.len() != rows {
        return Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column should not be null"));
    }
    Ok(made)
}

/// Children in the order in which they first come, each with its runs of rows; NULL counts as an empty name.
fn groups_of(names: &BinaryArray, rows: usize) -> Vec<(&[u8], Vec<Range<usize>>)> {
    let name_of = |row: usize| if names.is_null(row) { &[][..] } else { names.value(row) };
    let mut groups: Vec<(&[u8], Vec<Range<usize>>)> = Vec::new();
    let mut group_of: FxHashMap<&[u8], usize> = FxHashMap::default();
    let mut start = 0;
    while start < rows {
        let name = name_of(start);
        let mut end = start + 1;
        while end < rows && name_of(end) == name {
            end += 1;
        }
        let group = *group_of.entry(name).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[group].1.push(start..end);
        start = end;
    }
    groups
}

/// Rows of many children, named by a `tbname` column.
pub(crate) struct SupertableRows<'a> {
    pub database: &'a Arc<Database>,
    pub number: DatabaseNumber,
    pub supertable: &'a Arc<Supertable>,
    pub schema: &'a Arc<Schema>,
    pub layout: &'a Layout,
}

impl SupertableRows<'_> {
    /// Adds the rows, children in the order in which they first come.
    pub fn add(&self, context: &StatementContext<'_>, pending: &mut Pending, columns: &[ArrayRef], rows: usize) -> Result<()> {
        let named = self.layout.columns.iter().position(|column| column.role == ColumnRole::TableName);
        let names = named.and_then(|at| columns[at].as_any().downcast_ref::<BinaryArray>());
        let names = names.ok_or_else(|| Error::with(code::INVALID_OPERATION, "tbname column should not be null"))?;
        let groups = groups_of(names, rows);
        let runs = groups.iter().map(|(name, runs)| {
            let length: usize = runs.iter().map(Range::len).sum();
            Ok((self.child(name, columns, runs[0].start)?, length as u32))
        });
        let runs = runs.collect::<Result<Vec<_>>>()?;
        let rows = if groups.iter().all(|(_, runs)| runs.len() == 1) {
            rows_of(self.schema, self.layout, columns, 0, rows)?
        } else {
            let order: Vec<u32> = groups.iter().flat_map(|(_, runs)| runs.iter().cloned().flatten()).map(|row| row as u32).collect();
            let sorted = columns.iter().map(|array| take(array, &order)).collect::<Result<Vec<_>>>()?;
            rows_of(self.schema, self.layout, &sorted, 0, rows)?
        };
        let (supertable, schema, options) = (self.supertable.clone(), self.schema.clone(), TableOptions::default());
        pending.add_children(context, self.number, ChildRows { supertable, schema, options, runs, rows })
    }

    /// The child of a name; if it is missing, its tags are those of its first row.
    fn child(&self, name: &[u8], columns: &[ArrayRef], row: usize) -> Result<ChildTarget> {
        let name = std::str::from_utf8(name).map_err(|_| Error::with(code::INVALID_IDENTIFIER_NAME, "Invalid identifier name"))?;
        if name.is_empty() {
            return Err(Error::with(code::INVALID_OPERATION, "tbname can not be null or empty"));
        }
        match self.database.table(name) {
            Some(Table::Child(child)) if child.supertable.uid == self.supertable.uid => Ok(ChildTarget::Known { slot: child.slot, uid: child.uid }),
            Some(Table::Child(_)) => Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES)),
            Some(_) => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
            None => {
                check_table_name(name)?;
                let mut tags = vec![Value::Null; self.schema.tags.len()];
                for (column, array) in self.layout.columns.iter().zip(columns).filter(|(column, _)| column.role == ColumnRole::Tag) {
                    let at = self.schema.tag(&column.name).ok_or_else(|| no_tag(&column.name))?;
                    tags[at] = embudo_expr::value_at(array, self.schema.tags[at].data_type, row);
                }
                Ok(ChildTarget::New { name: name.into(), tags })
            }
        }
    }
}
