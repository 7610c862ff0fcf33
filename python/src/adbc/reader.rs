//! Results as ADBC's readers: the batches as they leave to Python too.

use adbc_core::error::Result;
use arrow_array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow_schema::{ArrowError, SchemaRef};
use embudo_types::{BatchStream, Outcome, ResultSet, Zone};

use super::failed;
use crate::export::{Export, Reader};

/// A reader of batches.
pub type BoxedReader = Box<dyn RecordBatchReader + Send + 'static>;

/// The reader of a result. What a statement without rows gives has no columns.
pub fn of_result(result: ResultSet, zone: &Zone) -> Result<BoxedReader> {
    let mut batches: BatchStream = match result.outcome {
        Outcome::Rows(batches) => batches,
        Outcome::Affected(_) => Box::new(std::iter::empty()),
    };
    // The first batch tells whether texts are UTF-8.
    let first = batches.next().transpose().map_err(failed)?;
    let export = Export::new(&result.schema, zone, first.as_slice()).map_err(failed)?;
    Ok(Box::new(Reader::new(Box::new(first.into_iter().map(Ok).chain(batches)), export)))
}

/// The reader of one batch.
pub fn of_batch(batch: RecordBatch) -> BoxedReader {
    let schema: SchemaRef = batch.schema();
    Box::new(RecordBatchIterator::new([Ok::<_, ArrowError>(batch)], schema))
}
