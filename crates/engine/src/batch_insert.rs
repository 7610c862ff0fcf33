//! Rows that come as Arrow record batches: columns found by name, children by `tbname`.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch};
use embudo_catalog::{MAX_TABLE_NAME, Schema, Table};
use embudo_sql::ast::ObjectName;
use embudo_sql::insert::{ColumnRole, Layout, LayoutColumn};
use embudo_sql::lexer::{TokenKind, fold, next_token, quoted_name};
use embudo_sql::literal::LiteralContext;
use embudo_types::{DataType, Error, Result, code};

use crate::bind::{Slot, convert};
use crate::insert::{SupertableRows, no_column, no_table, rows_of};
use crate::pending::{Target, write};
use crate::session::StatementContext;

/// Writes every batch as one record, and gives how many rows there were.
pub(crate) fn insert(context: &StatementContext<'_>, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
    let name = object_name(target)?;
    let mut rows = 0;
    for batch in batches {
        context.cancel.check()?;
        rows += insert_batch(context, &name, &batch?)?;
    }
    Ok(rows)
}

/// `[database.]table`, each part a word or in backticks.
pub(crate) fn object_name(text: &str) -> Result<ObjectName> {
    let wrong = || Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {text}"));
    let mut parts = Vec::new();
    let mut at = 0;
    loop {
        let token = next_token(text, at);
        let written = &text[token.start..token.end];
        parts.push(match token.kind {
            TokenKind::Word | TokenKind::ForeignWord => fold(written),
            TokenKind::Quoted => quoted_name(written),
            _ => return Err(wrong()),
        });
        let after = next_token(text, token.end);
        match after.kind {
            TokenKind::End => break,
            TokenKind::Dot if parts.len() == 1 => at = after.end,
            _ => return Err(wrong()),
        }
    }
    let name = parts.pop().ok_or_else(wrong)?;
    Ok(ObjectName { database: parts.pop(), name })
}

fn insert_batch(context: &StatementContext<'_>, name: &ObjectName, batch: &RecordBatch) -> Result<u64> {
    let rows = batch.num_rows();
    if rows == 0 {
        return Ok(0);
    }
    write(context.engine, |pending| {
        let database = context.database_of(name)?;
        let table = database.table(&name.name).ok_or_else(no_table)?;
        let schema = table.schema();
        let literals = LiteralContext { zone: &context.zone, now: context.now, precision: database.precision(), parameters: &[] };
        let is_super = matches!(table, Table::Super(_));
        let mut columns = Vec::with_capacity(batch.num_columns());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(batch.num_columns());
        for (field, array) in batch.schema().fields().iter().zip(batch.columns()) {
            let column = column_of(&schema, is_super, field.name())?;
            let array = convert(array, Slot { name: &column.name, data_type: column.data_type }, &literals)?;
            refuse_null(&column, &array)?;
            columns.push(column);
            arrays.push(array);
        }
        let layout = Layout { precision: database.precision(), supertable: is_super, keyed: schema.key().is_some(), columns };
        check_layout(&layout)?;
        let number = pending.database(&database, context.now);
        match table {
            Table::Super(supertable) => {
                let target = SupertableRows { database: &database, number, supertable: &supertable, schema: &schema, layout: &layout };
                target.add(context, pending, &arrays, rows)?;
            }
            table => {
                let made = rows_of(&schema, &layout, &arrays, 0, rows)?;
                let target = pending.add_table(context, number, &name.name, Target::Table(table), schema.clone())?;
                pending.add_rows(number, target, made)?;
            }
        }
        Ok(rows as u64)
    })
}

/// What a field is for: by its name, or by that in lower case.
fn column_of(schema: &Arc<Schema>, is_super: bool, name: &str) -> Result<LayoutColumn> {
    let lower = name.to_lowercase();
    for name in [name, &lower] {
        if let Some(at) = schema.column(name) {
            let column = &schema.columns[at];
            let role = match at {
                0 => ColumnRole::Timestamp,
                _ if column.primary_key => ColumnRole::Key,
                _ => ColumnRole::Value,
            };
            return Ok(LayoutColumn { name: name.to_owned(), data_type: column.data_type, role });
        }
        if is_super && name == "tbname" {
            return Ok(LayoutColumn { name: name.to_owned(), data_type: DataType::Varchar(MAX_TABLE_NAME as u32), role: ColumnRole::TableName });
        }
        if is_super && let Some(at) = schema.tag(name) {
            return Ok(LayoutColumn { name: name.to_owned(), data_type: schema.tags[at].data_type, role: ColumnRole::Tag });
        }
    }
    Err(no_column(name))
}

/// The row key is never NULL.
pub(crate) fn refuse_null(column: &LayoutColumn, array: &ArrayRef) -> Result<()> {
    if array.null_count() == 0 {
        return Ok(());
    }
    match column.role {
        ColumnRole::Timestamp => Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column can not be null")),
        ColumnRole::Key => Err(Error::new(code::PRIMARY_KEY_COLUMN_SHOULD_NOT_BE)),
        ColumnRole::TableName => Err(Error::with(code::INVALID_OPERATION, "tbname can not be null or empty")),
        ColumnRole::Value | ColumnRole::Tag => Ok(()),
    }
}

/// What every row needs is there, and nothing twice.
fn check_layout(layout: &Layout) -> Result<()> {
    let has = |role| layout.columns.iter().any(|column| column.role == role);
    if !has(ColumnRole::Timestamp) {
        return Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column should not be null"));
    }
    if layout.keyed && !has(ColumnRole::Key) {
        return Err(Error::with(code::INVALID_OPERATION, "Primary key column should not be none"));
    }
    for (at, column) in layout.columns.iter().enumerate() {
        if layout.columns[..at].iter().any(|earlier| earlier.name == column.name) {
            return Err(Error::new(code::DUPLICATED_COLUMN_NAMES_263C));
        }
    }
    Ok(())
}
