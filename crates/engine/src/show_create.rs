//! SHOW CREATE: the statements that would make a database or table as it is (spec/sql.md 7.6).

use std::fmt::Write;

use embudo_catalog::{Child, Column, Database, Schema, Table, TableOptions};
use embudo_sql::ast::ObjectName;
use embudo_types::{DataType, Error, Result, ResultSet, Value, code};

use crate::insert::no_table;
use crate::row_set::{RowSet, text};
use crate::session::StatementContext;
use crate::system_tables::tag_text;

/// SHOW CREATE DATABASE.
pub(crate) fn database(context: &StatementContext<'_>, name: &str) -> Result<ResultSet> {
    let database = context.engine.catalog().database(name)?;
    let mut rows = RowSet::new(&[("Database", DataType::Varchar(63)), ("Create Database", DataType::Varchar(65_517))]);
    rows.push(vec![text(&*database.name), text(create_database(&database))]);
    rows.finish()
}

fn create_database(database: &Database) -> String {
    let o = database.options();
    let [keep0, keep1, keep2] = o.keep;
    let mut sql = format!(
        "CREATE DATABASE `{}` BUFFER {} CACHESIZE {} CACHEMODEL '{}' COMP {} DURATION {}m WAL_FSYNC_PERIOD {} MAXROWS {} MINROWS {} STT_TRIGGER {} \
         KEEP {keep0}m,{keep1}m,{keep2}m PAGES {} PAGESIZE {} PRECISION '{}' REPLICA {} WAL_LEVEL {} VGROUPS {} SINGLE_STABLE {} TABLE_PREFIX {} \
         TABLE_SUFFIX {} TSDB_PAGESIZE {} WAL_RETENTION_PERIOD {} WAL_RETENTION_SIZE {} KEEP_TIME_OFFSET {} ENCRYPT_ALGORITHM 'none' S3_CHUNKSIZE {} \
         S3_KEEPLOCAL {}m S3_COMPACT {}",
        database.name,
        o.buffer,
        o.cache_size,
        o.cache_model.name(),
        o.compression,
        o.duration,
        o.wal_fsync_period,
        o.max_rows,
        o.min_rows,
        o.stt_trigger,
        o.pages,
        o.page_size,
        o.precision.name(),
        o.replica,
        o.wal_level,
        o.vgroups,
        o.single_stable,
        o.table_prefix,
        o.table_suffix,
        o.tsdb_page_size,
        o.wal_retention_period,
        o.wal_retention_size,
        o.keep_time_offset,
        o.s3_chunk_size,
        o.s3_keep_local,
        o.s3_compact,
    );
    if !o.retentions.is_empty() {
        sql.push_str(" RETENTIONS ");
        sql.push_str(&o.retentions);
    }
    sql
}

/// SHOW CREATE TABLE, SHOW CREATE STABLE.
pub(crate) fn table(context: &StatementContext<'_>, name: &ObjectName, only_super: bool) -> Result<ResultSet> {
    let database = context.database_of(name)?;
    let table = database.table(&name.name).ok_or_else(no_table)?;
    let sql = match &table {
        Table::Super(table) => {
            let (schema, options) = (table.schema(), table.options());
            let mut sql = format!("CREATE STABLE {} ({}) TAGS ({})", quoted_name(&table.name), definitions(&schema.columns), tag_definitions(&schema));
            append_sma(&mut sql, &schema, &options);
            append_options(&mut sql, &options);
            sql
        }
        _ if only_super => return Err(Error::new(code::TABLE_IS_NOT_A_SUPER_TABLE)),
        Table::Normal(table) => {
            let mut sql = format!("CREATE TABLE {} ({})", quoted_name(&table.name), definitions(&table.schema().columns));
            append_options(&mut sql, &table.options());
            sql
        }
        Table::Child(child) => create_child(&database, child),
    };
    let mut rows = RowSet::new(&[("Table", DataType::Varchar(193)), ("Create Table", DataType::Varchar(3_145_726))]);
    rows.push(vec![text(&**table.name()), text(sql)]);
    rows.finish()
}

/// A name as statements write it.
fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as statements write it, between quotes of the kind.
fn quoted_text(text: &str, quote: char) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for character in text.chars() {
        if character == quote || character == '\\' {
            out.push(character);
        }
        out.push(character);
    }
    out.push(quote);
    out
}

fn definitions(columns: &[Column]) -> String {
    let definition = |column: &Column| {
        let key = if column.primary_key { " PRIMARY KEY" } else { "" };
        let (encode, compress, level) = (column.encode.name(), column.compress.name(), column.level.name());
        format!("{} {} ENCODE '{encode}' COMPRESS '{compress}' LEVEL '{level}'{key}", quoted_name(&column.name), column.data_type)
    };
    columns.iter().map(definition).collect::<Vec<_>>().join(", ")
}

fn tag_definitions(schema: &Schema) -> String {
    schema.tags.iter().map(|tag| format!("{} {}", quoted_name(&tag.name), tag.data_type)).collect::<Vec<_>>().join(", ")
}

/// SMA is written where not every column is in it.
fn append_sma(sql: &mut String, schema: &Schema, options: &TableOptions) {
    let Some(sma) = &options.sma else { return };
    let names: Vec<_> = schema.columns.iter().filter(|column| sma.contains(&column.id)).map(|column| quoted_name(&column.name)).collect();
    if !names.is_empty() && names.len() < schema.columns.len() {
        // Writing to a string does not fail.
        let _ = write!(sql, " SMA({})", names.join(","));
    }
}

fn append_options(sql: &mut String, options: &TableOptions) {
    if options.ttl > 0 {
        let _ = write!(sql, " TTL {}", options.ttl);
    }
    if let Some(comment) = &options.comment {
        let _ = write!(sql, " COMMENT {}", quoted_text(comment, '\''));
    }
}

fn create_child(database: &Database, child: &Child) -> String {
    let children = child.supertable.children();
    let tags = &children.schema().tags;
    let names = tags.iter().map(|tag| quoted_name(&tag.name)).collect::<Vec<_>>().join(", ");
    let literal = |position: usize| {
        let value = children.tag_value(position, child.slot);
        match (tag_text(&value, database.precision()), &value) {
            (None, _) => "NULL".to_owned(),
            // `ins_tags` shows few digits; here every one counts.
            (_, Value::Float(number)) => number.to_string(),
            (_, Value::Double(number)) => number.to_string(),
            (Some(text), Value::Varchar(_) | Value::NChar(_) | Value::Json(_)) => quoted_text(&text, '"'),
            (Some(text), Value::VarBinary(_) | Value::Geometry(_)) => format!("\"{text}\""),
            (Some(text), _) => text,
        }
    };
    let values = (0..tags.len()).map(literal).collect::<Vec<_>>().join(", ");
    let mut sql = format!("CREATE TABLE {} USING {} ({names}) TAGS ({values})", quoted_name(&child.name), quoted_name(&child.supertable.name));
    append_options(&mut sql, &children.options(child.slot));
    sql
}
