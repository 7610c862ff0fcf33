//! INSERT … SELECT: runs the query, casts its columns to the target's, and writes its rows.

use arrow_array::{Array, ArrayRef};
use embudo_catalog::Table;
use embudo_sql::ast::statement::InsertSelect;
use embudo_storage::BatchColumn;
use embudo_types::{Error, Outcome, Result, arrow, code};

use crate::cells::{cast, ticks};
use crate::delete::bind_context;
use crate::insert::{no_column, no_table};
use crate::pending::{Rows, Target, write};
use crate::session::StatementContext;
use crate::system_tables::is_system_database;

/// Runs the statement and gives the number of rows.
pub(crate) fn execute(context: &StatementContext<'_>, insert: &InsertSelect) -> Result<u64> {
    if is_system_database(context.database_name(insert.table.database.as_deref())?) {
        return Err(Error::with(code::IS_NOT_SUPPORTED_IN_SYSTEM_TABLE, "INSERT is not supported in system table query"));
    }
    write(context.engine, |pending| {
        let database = context.database_of(&insert.table)?;
        let table = match database.table(&insert.table.name).ok_or_else(no_table)? {
            Table::Super(_) => return Err(Error::with(code::INVALID_OPERATION, "insert data into super table is not supported")),
            table => table,
        };
        let schema = table.schema();
        // Places of the target's columns, in the order of the query's.
        let places = if insert.columns.is_empty() {
            (0..schema.columns.len()).collect::<Vec<_>>()
        } else {
            insert.columns.iter().map(|name| schema.column(name).ok_or_else(|| no_column(name))).collect::<Result<_>>()?
        };
        if !places.contains(&0) {
            return Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column should not be null"));
        }
        if schema.key().is_some() && !places.contains(&1) {
            return Err(Error::with(code::SHOULD_NOT_BE_NONE, "Primary key column should not be none"));
        }
        let result = embudo_query::execute(&insert.query, &context.query_context())?;
        let fields = result.schema.fields().clone();
        if fields.len() != places.len() {
            return Err(Error::new(code::ILLEGAL_NUMBER_OF_COLUMNS));
        }
        let Outcome::Rows(batches) = result.outcome else { return Err(Error::internal("a query without rows")) };
        let precision = database.precision();
        let bind = bind_context(context, precision);
        let number = pending.database(&database, context.now);
        let target = pending.add_table(context, number, &insert.table.name, Target::Table(table), schema.clone())?;
        let mut written = 0;
        for batch in batches {
            let batch = batch?;
            let mut rows = Rows { timestamps: Vec::new().into(), key: None, columns: Vec::with_capacity(places.len()) };
            for ((field, array), place) in fields.iter().zip(batch.columns()).zip(&places) {
                let column = &schema.columns[*place];
                let from = (arrow::data_type(field)?, arrow::precision(field));
                let array: ArrayRef = cast(array, from, (column.data_type, precision), &bind)?;
                if (*place == 0 || column.primary_key) && array.null_count() > 0 {
                    let message = if *place == 0 { "Primary timestamp column should not be null" } else { "Primary key column should not be null" };
                    return Err(Error::with(if *place == 0 { code::INVALID_OPERATION } else { code::PRIMARY_KEY_COLUMN_SHOULD_NOT_BE }, message));
                }
                match place {
                    0 => rows.timestamps = ticks(&array)?,
                    _ if column.primary_key => rows.key = Some(array),
                    _ => rows.columns.push(BatchColumn { id: column.id, array, present: None }),
                }
            }
            written += batch.num_rows() as u64;
            if batch.num_rows() > 0 {
                pending.add_rows(number, target, rows)?;
            }
        }
        Ok(written)
    })
}
