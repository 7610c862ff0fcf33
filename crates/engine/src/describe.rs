//! DESCRIBE: columns and tags of a table (spec/sql.md 7.5).

use embudo_catalog::{Column, Table};
use embudo_sql::ast::ObjectName;
use embudo_types::{DataType, Result, ResultSet, Value};

use crate::insert::no_table;
use crate::row_set::{RowSet, text};
use crate::session::StatementContext;
use crate::system_tables::{SystemView, find, is_system_database};
use crate::view_ddl;

/// Four columns for children and system tables.
const SHORT: [(&str, DataType); 4] =
    [("field", DataType::Varchar(64)), ("type", DataType::Varchar(20)), ("length", DataType::Int), ("note", DataType::Varchar(16))];
/// Three more for tables that own their columns.
const STORAGE: [(&str, DataType); 3] = [("encode", DataType::Varchar(12)), ("compress", DataType::Varchar(12)), ("level", DataType::Varchar(12))];

/// Runs a DESCRIBE.
pub(crate) fn execute(context: &StatementContext<'_>, name: &ObjectName) -> Result<ResultSet> {
    let database_name = context.database_name(name.database.as_deref())?;
    if is_system_database(database_name) {
        let mut rows = RowSet::new(&SHORT);
        let table = find(database_name, &name.name).ok_or_else(no_table)?;
        let later = SystemView::new(context.engine.clone(), context.account.clone()).later_columns(table);
        for (field, data_type) in table.columns.iter().filter(|(field, _)| !later.contains(field)) {
            rows.push(short_row(field, *data_type, ""));
        }
        return rows.finish();
    }
    let database = context.database_of(name)?;
    if let Some(view) = database.view(&name.name) {
        let mut rows = RowSet::new(&SHORT);
        for (field, data_type) in view_ddl::columns(context, &view)? {
            rows.push(short_row(&field, data_type, "VIEW COL"));
        }
        return rows.finish();
    }
    let table = database.table(&name.name).ok_or_else(no_table)?;
    let owns_columns = !matches!(table, Table::Child(_));
    let columns: Vec<_> = SHORT.into_iter().chain(STORAGE).take(if owns_columns { 7 } else { 4 }).collect();
    let mut rows = RowSet::new(&columns);
    let schema = table.schema();
    for (column, is_tag) in schema.columns.iter().map(|column| (column, false)).chain(schema.tags.iter().map(|tag| (tag, true))) {
        let note = match column {
            _ if is_tag => "TAG",
            Column { primary_key: true, .. } => "PRIMARY KEY",
            _ => "",
        };
        let mut row = short_row(&column.name, column.data_type, note);
        if owns_columns {
            row.extend([column.encode.name(), column.compress.name(), column.level.name()].map(text));
        }
        rows.push(row);
    }
    rows.finish()
}

fn short_row(name: &str, data_type: DataType, note: &str) -> Vec<Value> {
    let type_name = match data_type {
        DataType::Decimal(..) => data_type.to_string(),
        other => other.name().to_owned(),
    };
    vec![text(name), text(type_name), Value::Int(data_type.length() as i32), text(note)]
}
