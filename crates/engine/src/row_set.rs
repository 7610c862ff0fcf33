//! Small results made row by row: SHOW, DESCRIBE, system tables.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Value, arrow};

/// Rows of values under named columns.
#[derive(Clone, Debug)]
pub(crate) struct RowSet {
    columns: Vec<(String, DataType)>,
    rows: Vec<Vec<Value>>,
}

/// Text as a VARCHAR value.
pub(crate) fn text(text: impl AsRef<str>) -> Value {
    Value::Varchar(text.as_ref().as_bytes().to_vec())
}

impl RowSet {
    /// No rows under these columns.
    pub fn new<N: AsRef<str>>(columns: &[(N, DataType)]) -> Self {
        Self { columns: columns.iter().map(|(name, data_type)| (name.as_ref().to_owned(), *data_type)).collect(), rows: Vec::new() }
    }

    /// Adds a row: one value a column, of its type or NULL.
    pub fn push(&mut self, row: Vec<Value>) {
        self.rows.push(row);
    }

    /// How many columns.
    pub fn width(&self) -> usize {
        self.columns.len()
    }

    /// Keeps the rows whose value in a column satisfies.
    pub fn retain(&mut self, column: usize, keep: impl Fn(&Value) -> bool) {
        self.rows.retain(|row| row.get(column).is_some_and(&keep));
    }

    /// Keeps the first columns only.
    pub fn truncate_columns(&mut self, columns: usize) {
        self.columns.truncate(columns);
        self.rows.iter_mut().for_each(|row| row.truncate(columns));
    }

    /// Takes columns out by name.
    pub fn remove_columns(&mut self, names: &[&str]) {
        for at in (0..self.columns.len()).rev().filter(|at| names.contains(&self.columns[*at].0.as_str())).collect::<Vec<_>>() {
            self.columns.remove(at);
            self.rows.iter_mut().filter(|row| at < row.len()).for_each(|row| drop(row.remove(at)));
        }
    }

    /// The rows as one batch; timestamps are milliseconds.
    pub fn batch(&self) -> Result<RecordBatch> {
        let fields: Vec<_> = self.columns.iter().map(|(name, data_type)| arrow::field(name, *data_type, Precision::Milli)).collect();
        let arrays = (0..self.columns.len())
            .map(|at| {
                let values: Vec<Value> = self.rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect();
                embudo_expr::array_of_values(&values, self.columns[at].1, Precision::Milli)
            })
            .collect::<Result<Vec<ArrayRef>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows.len()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|error| Error::internal(format!("making rows: {error}")))
    }

    /// The rows as a result.
    pub fn finish(self) -> Result<ResultSet> {
        self.batch().map(ResultSet::batch)
    }
}
