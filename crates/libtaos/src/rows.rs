//! Small results read whole, for functions that ask the database by SQL.

use arrow_array::{Array, ArrayRef, RecordBatch, cast::AsArray, types::Int64Type};
use embudo_types::{Result, ResultSet};

/// The first cell of a result as text; `None` for NULL or no row.
pub fn first_text(result: ResultSet) -> Result<Option<Vec<u8>>> {
    let batches = result.collect()?;
    let batch = batches.iter().find(|batch| batch.num_rows() > 0);
    Ok(batch.and_then(|batch| cell_text(batch.column(0), 0)))
}

/// A cell of a text column; `None` for NULL.
pub fn cell_text(array: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    if array.is_null(row) {
        return None;
    }
    let text = array.as_string_opt::<i32>().map(|texts| texts.value(row).as_bytes().to_vec());
    text.or_else(|| array.as_binary_opt::<i32>().map(|bytes| bytes.value(row).to_vec()))
}

/// A cell of a whole-number column; `None` for NULL.
pub fn cell_number(batch: &RecordBatch, column: usize, row: usize) -> Option<i64> {
    use arrow_array::types::{Int16Type, Int32Type};
    let array = batch.columns().get(column)?;
    if array.is_null(row) {
        return None;
    }
    let wide = array.as_primitive_opt::<Int64Type>().map(|array| array.value(row));
    let int = || array.as_primitive_opt::<Int32Type>().map(|array| i64::from(array.value(row)));
    let small = || array.as_primitive_opt::<Int16Type>().map(|array| i64::from(array.value(row)));
    wide.or_else(int).or_else(small)
}
