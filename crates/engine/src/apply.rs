//! Doing again what a message of a subscription tells: tables made, changed and dropped, rows deleted and written, in the session's database.
//! Messages may come more than once, so what is done already is no error.

use std::fmt::Write;

use embudo_catalog::{Column, Table};
use embudo_sql::{Name, Text};
use embudo_types::subscription::{MetaColumn, MetaEvent, MetaTag, SubscribedBlock, TableChange, TableKind};
use embudo_types::{DataType, Error, Result, Value, code};

use crate::Session;

impl Session {
    /// Carries out an event.
    pub fn apply_event(&self, event: &MetaEvent) -> Result<()> {
        let Some((sql, parameters)) = statement_of(self, event)? else { return Ok(()) };
        self.execute(&sql, &parameters)?.collect().map(drop)
    }

    /// Writes rows into the table that they name; returns how many. 0x2603 where it is missing.
    pub fn apply_rows(&self, block: &SubscribedBlock) -> Result<u64> {
        let table = block.table.as_deref().filter(|table| !table.is_empty());
        let table = table.ok_or_else(|| Error::with(code::INVALID_PARAMETERS, "rows of a query name no table to write them to"))?;
        if self.table_named(table)?.is_none() {
            return Err(Error::with(code::TABLE_DOES_NOT_EXIST_2603, "Table does not exist"));
        }
        self.insert_batches(&Name(table).to_string(), &mut std::iter::once(Ok(block.batch.clone())))
    }

    fn table_named(&self, name: &str) -> Result<Option<Table>> {
        let database = self.database().ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))?;
        Ok(self.engine().catalog().database(&database)?.table(name))
    }
}

/// The statement that does it, with the values of its `?`; `None` where there is nothing to do any more.
fn statement_of(session: &Session, event: &MetaEvent) -> Result<Option<(String, Vec<Value>)>> {
    let made = |sql: String| Ok(Some((sql, Vec::new())));
    match event {
        MetaEvent::CreateSuper { table, columns, tags, comment, .. } => {
            let tags = tags.iter().map(|tag| format!("{} {}", Name(&tag.name), tag.data_type)).collect::<Vec<_>>();
            let sql = format!("CREATE STABLE IF NOT EXISTS {} ({}) TAGS ({})", Name(table), definitions(columns), tags.join(", "));
            made(with_options(sql, 0, comment.as_deref()))
        }
        MetaEvent::CreateNormal { table, columns, ttl, comment, .. } => {
            let sql = format!("CREATE TABLE IF NOT EXISTS {} ({})", Name(table), definitions(columns));
            made(with_options(sql, *ttl, comment.as_deref()))
        }
        MetaEvent::CreateChild { table, supertable, tags, ttl, comment } => {
            let names = tags.iter().map(|tag| Name(&tag.name).to_string()).collect::<Vec<_>>();
            let mut parameters = Vec::new();
            let values = tags.iter().map(|tag| value_of(tag, &mut parameters)).collect::<Vec<_>>();
            let sql = format!("CREATE TABLE IF NOT EXISTS {} USING {} ({}) TAGS ({})", Name(table), Name(supertable), names.join(", "), values.join(", "));
            Ok(Some((with_options(sql, *ttl, comment.as_deref()), parameters)))
        }
        MetaEvent::Alter { table, kind, change } => match session.table_named(table)? {
            Some(there) if !is_done(&there, change) => Ok(alteration(table, *kind, change)),
            _ => Ok(None),
        },
        MetaEvent::Drop { table, kind: TableKind::Super } => made(format!("DROP STABLE IF EXISTS {}", Name(table))),
        MetaEvent::Drop { table, .. } => made(format!("DROP TABLE IF EXISTS {}", Name(table))),
        MetaEvent::Delete { table, column, start, end } => {
            let Some(_there) = session.table_named(table)? else { return Ok(None) };
            made(format!("DELETE FROM {} WHERE {column} >= {start} AND {column} <= {end}", Name(table), column = Name(column)))
        }
    }
}

/// Whether a table is already as a change makes it.
fn is_done(table: &Table, change: &TableChange) -> bool {
    let schema = table.schema();
    let (columns, tags) = (&schema.columns, &schema.tags);
    let there = |list: &[Column], name: &str| list.iter().find(|column| *column.name == *name).map(|column| column.data_type);
    let is_longer = |list: &[Column], changed: &MetaColumn| there(list, &changed.name).is_some_and(|now| now.length() >= changed.data_type.length());
    match change {
        TableChange::AddColumn(column) => there(columns, &column.name) == Some(column.data_type),
        TableChange::DropColumn(name) => there(columns, name).is_none(),
        TableChange::ModifyColumn(column) => is_longer(columns, column),
        TableChange::RenameColumn { from, to } => there(columns, from).is_none() && there(columns, to).is_some(),
        TableChange::AddTag(tag) => there(tags, &tag.name) == Some(tag.data_type),
        TableChange::DropTag(name) => there(tags, name).is_none(),
        TableChange::ModifyTag(tag) => is_longer(tags, tag),
        TableChange::RenameTag { from, to } => there(tags, from).is_none() && there(tags, to).is_some(),
        // An index is part of every tag here.
        TableChange::AddTagIndex(_) | TableChange::DropTagIndex(_) => true,
        TableChange::SetCompression(_) | TableChange::SetTag(_) | TableChange::SetOptions { .. } => false,
    }
}

fn alteration(table: &str, kind: TableKind, change: &TableChange) -> Option<(String, Vec<Value>)> {
    let kind = if kind == TableKind::Super { "STABLE" } else { "TABLE" };
    let mut parameters = Vec::new();
    let typed = |column: &MetaColumn| format!("{} {}", Name(&column.name), column.data_type);
    let what = match change {
        TableChange::AddColumn(column) => format!("ADD COLUMN {}", definition(column)),
        TableChange::DropColumn(name) => format!("DROP COLUMN {}", Name(name)),
        TableChange::ModifyColumn(column) => format!("MODIFY COLUMN {}", typed(column)),
        TableChange::RenameColumn { from, to } => format!("RENAME COLUMN {} {}", Name(from), Name(to)),
        TableChange::SetCompression(column) => format!("MODIFY COLUMN {}{}", Name(&column.name), storage_of(column)),
        TableChange::AddTag(tag) => format!("ADD TAG {}", typed(tag)),
        TableChange::DropTag(name) => format!("DROP TAG {}", Name(name)),
        TableChange::ModifyTag(tag) => format!("MODIFY TAG {}", typed(tag)),
        TableChange::RenameTag { from, to } => format!("RENAME TAG {} {}", Name(from), Name(to)),
        TableChange::SetTag(tag) => format!("SET TAG {} = {}", Name(&tag.name), value_of(tag, &mut parameters)),
        TableChange::SetOptions { ttl, comment } => {
            let ttl = if kind == "TABLE" { format!(" TTL {ttl}") } else { String::new() };
            format!("{ttl} COMMENT {}", Text(comment.as_deref().unwrap_or_default()))
        }
        TableChange::AddTagIndex(_) | TableChange::DropTagIndex(_) => return None,
    };
    Some((format!("ALTER {kind} {} {what}", Name(table)), parameters))
}

/// A tag's value: a `?`, or NULL.
fn value_of(tag: &MetaTag, parameters: &mut Vec<Value>) -> String {
    if tag.value.is_null() {
        return "NULL".into();
    }
    parameters.push(match &tag.value {
        // What came without its type, from JSON.
        Value::Varchar(bytes) if tag.data_type == DataType::Json => Value::Json(String::from_utf8_lossy(bytes).into_owned()),
        value => value.clone(),
    });
    "?".into()
}

fn definitions(columns: &[MetaColumn]) -> String {
    columns.iter().map(definition).collect::<Vec<_>>().join(", ")
}

fn definition(column: &MetaColumn) -> String {
    let key = if column.primary_key { " PRIMARY KEY" } else { "" };
    format!("{} {}{}{key}", Name(&column.name), column.data_type, storage_of(column))
}

/// How a column is stored, as far as that is told.
fn storage_of(column: &MetaColumn) -> String {
    let mut text = String::new();
    for (word, value) in [("ENCODE", column.encode), ("COMPRESS", column.compress), ("LEVEL", column.level)] {
        if !value.is_empty() {
            // Writing to a string does not fail.
            let _ = write!(text, " {word} '{value}'");
        }
    }
    text
}

fn with_options(mut sql: String, ttl: u32, comment: Option<&str>) -> String {
    if let Some(comment) = comment {
        let _ = write!(sql, " COMMENT {}", Text(comment));
    }
    if ttl > 0 {
        let _ = write!(sql, " TTL {ttl}");
    }
    sql
}
