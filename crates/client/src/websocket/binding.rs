//! Values and Arrow columns bound to prepared statements. What cannot be bound goes as text, by the rules of literals: the server then says
//! what is wrong with it.

use std::{sync::Arc, time::Instant};

use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType as ArrowType;
use embudo_types::{Error, Result, ResultSet, StatementField, Value, Zone, arrow, code};

use super::{
    link::Link,
    statement::{self, Cache, Lease},
};
use crate::ingest::{Column, column_of_rows, convert};

/// One use of the statements of a session.
pub struct Binding<'a> {
    /// The session's open statements.
    pub cache: &'a Arc<Cache>,
    /// Its connection.
    pub link: &'a Arc<Link>,
    /// The zone that texts with times are read in.
    pub zone: &'a Zone,
    /// When to give up.
    pub deadline: Option<Instant>,
}

impl Binding<'_> {
    /// Runs one statement with its parameters; `None` where it is better sent as text.
    pub fn run(&self, sql: &str, values: &[Value]) -> Result<Option<ResultSet>> {
        let Some(lease) = self.prepare(sql)? else { return Ok(None) };
        if lease.prepared()?.fields.is_some() {
            let rows = std::slice::from_ref(&values);
            return Ok(self.write_rows(lease, rows)?.map(ResultSet::affected));
        }
        let Some(tables) = statement::parameters(values) else { return Ok(None) };
        let prepared = lease.prepared()?;
        prepared.bind(&tables, self.deadline)?;
        let answered = prepared.run(self.deadline)?;
        Ok(Some(answered.keeping(lease).into()))
    }

    /// Writes rows of values by one INSERT, together; `None` where they are better sent as text.
    pub fn insert_rows(&self, sql: &str, rows: &[Vec<Value>]) -> Result<Option<u64>> {
        let rows: Vec<&[Value]> = rows.iter().map(Vec::as_slice).collect();
        match self.prepare(sql)? {
            Some(lease) if lease.prepared()?.fields.is_some() => self.write_rows(lease, &rows),
            _ => Ok(None),
        }
    }

    /// Writes the columns of a batch, which are found by their names; `None` where they are better sent as text.
    pub fn insert_batch(&self, target: &str, batch: &RecordBatch) -> Result<Option<u64>> {
        let sql = insert_statement(target, batch)?;
        let Some(lease) = self.prepare(&sql)? else { return Ok(None) };
        let Some(fields) = lease.prepared()?.fields.clone().filter(|fields| fields.len() == batch.num_columns()) else { return Ok(None) };
        let arrays = fields.iter().zip(batch.columns()).map(|(field, array)| {
            let is_bytes = matches!(array.data_type(), ArrowType::Utf8 | ArrowType::Binary) && field.data_type.is_variable();
            if is_bytes || *array.data_type() == arrow::arrow_type(field.data_type, field.precision) {
                return Ok(Arc::clone(array));
            }
            convert(&field.name, &Column::Array(Arc::clone(array)), field.data_type, field.precision, batch.num_rows(), false, self.zone)
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        self.write(lease, &fields, &arrays, batch.num_rows()).map(Some)
    }

    /// A prepared statement, tried anew where a kept one may be out of date; `None` where the server does not prepare it.
    fn prepare(&self, sql: &str) -> Result<Option<Lease>> {
        match self.cache.take(self.link, sql, self.deadline) {
            Ok((lease, _)) => Ok(Some(lease)),
            Err(error) if self.link.is_usable() && error.code() != code::CONN_READ_TIMEOUT => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write_rows(&self, lease: Lease, rows: &[&[Value]]) -> Result<Option<u64>> {
        let fields = lease.prepared()?.fields.clone().unwrap_or_default();
        if rows.iter().any(|row| row.len() != fields.len()) || fields.is_empty() {
            return Ok(None);
        }
        let column = |(place, field): (usize, &StatementField)| column_of_rows(rows, place, &field.name, field.data_type, field.precision, self.zone);
        let Ok(arrays) = fields.iter().enumerate().map(column).collect::<Result<Vec<_>>>() else { return Ok(None) };
        self.write(lease, &fields, &arrays, rows.len()).map(Some)
    }

    /// Binds all rows, in as many messages as they need, and writes them at once.
    fn write(&self, mut lease: Lease, fields: &[StatementField], arrays: &[ArrayRef], rows: usize) -> Result<u64> {
        let step = statement::rows_of_a_message(arrays, rows);
        let prepared = lease.prepared()?;
        for start in (0..rows).step_by(step) {
            let count = step.min(rows - start);
            let part: Vec<ArrayRef> = arrays.iter().map(|array| array.slice(start, count)).collect();
            prepared.bind(&statement::tables(fields, &part)?, self.deadline)?;
        }
        let affected = prepared.run(self.deadline)?.affected();
        lease.keep();
        Ok(affected)
    }
}

/// The INSERT that takes a batch's columns.
fn insert_statement(target: &str, batch: &RecordBatch) -> Result<String> {
    let mut sql = String::from("INSERT INTO ");
    crate::literal::write_name(target.as_bytes(), &mut sql)?;
    sql.push_str(" (");
    for (place, field) in batch.schema_ref().fields().iter().enumerate() {
        let name = field.name();
        if name.contains('`') {
            return Err(Error::with(code::INVALID_PARAMETERS, format!("a column's name holds a backtick: {name}")));
        }
        let quote = if name == "tbname" { "" } else { "`" };
        let comma = if place == 0 { "" } else { "," };
        sql.extend([comma, quote, name, quote]);
    }
    let places = vec!["?"; batch.num_columns()].join(",");
    sql.extend([") VALUES (", &places, ")"]);
    Ok(sql)
}
