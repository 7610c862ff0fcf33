//! A result's batches, which come as its operators make them, as blocks of the size that clients are used to.

use arrow_array::{Array, RecordBatch, RecordBatchOptions, make_array};
use arrow_data::transform::MutableArrayData;
use arrow_schema::SchemaRef;
use embudo_types::{BatchStream, Error, Result};

/// Rows of a full block, as recorded.
pub const BLOCK_ROWS: usize = 4_096;
/// Bytes that a block should not exceed; one row always fits.
const BLOCK_BYTES: usize = 4 << 20;

/// The blocks of one result.
pub struct Blocks {
    schema: SchemaRef,
    /// None at the end: what the rows came from is let go at once.
    batches: Option<BatchStream>,
    /// Rows that did not fit into the last block.
    rest: Option<RecordBatch>,
}

impl Blocks {
    /// The blocks of a result with this schema.
    pub fn new(schema: SchemaRef, batches: BatchStream) -> Self {
        Self { schema, batches: Some(batches), rest: None }
    }

    /// Whether the next call gives `None`.
    pub fn is_done(&self) -> bool {
        self.batches.is_none() && self.rest.is_none()
    }

    /// The next block, never empty; works until it is full or the result ends.
    pub fn next(&mut self) -> Result<Option<RecordBatch>> {
        let (mut parts, mut rows, mut limit) = (Vec::new(), 0, BLOCK_ROWS);
        while rows < limit {
            let Some(part) = self.part()? else { break };
            limit = limit.min(rows_within(&part));
            rows += part.num_rows();
            parts.push(part);
        }
        if rows > limit
            && let Some(last) = parts.pop()
        {
            let keep = limit.saturating_sub(rows - last.num_rows());
            if keep > 0 {
                parts.push(last.slice(0, keep));
            }
            self.rest = Some(last.slice(keep, last.num_rows() - keep));
        }
        match parts.as_slice() {
            [] => Ok(None),
            [only] => self.with_own_schema(only).map(Some),
            _ => self.concatenate(&parts).map(Some),
        }
    }

    fn part(&mut self) -> Result<Option<RecordBatch>> {
        if let Some(rest) = self.rest.take() {
            return Ok(Some(rest));
        }
        let Some(batches) = &mut self.batches else { return Ok(None) };
        for batch in batches {
            let batch = batch?;
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
        self.batches = None;
        Ok(None)
    }

    fn with_own_schema(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        self.batch(batch.columns().to_vec(), batch.num_rows())
    }

    fn batch(&self, columns: Vec<arrow_array::ArrayRef>, rows: usize) -> Result<RecordBatch> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(Error::internal)
    }

    fn concatenate(&self, parts: &[RecordBatch]) -> Result<RecordBatch> {
        let rows = parts.iter().map(RecordBatch::num_rows).sum();
        let column = |at: usize| {
            let pieces: Vec<_> = parts.iter().map(|part| part.column(at).to_data()).collect();
            let mut joined = MutableArrayData::new(pieces.iter().collect(), false, rows);
            for (number, piece) in pieces.iter().enumerate() {
                joined.try_extend(number, 0, piece.len()).map_err(Error::internal)?;
            }
            Ok(make_array(joined.freeze()))
        };
        self.batch((0..self.schema.fields().len()).map(column).collect::<Result<_>>()?, rows)
    }
}

/// How many rows like these make a block, by their size.
fn rows_within(batch: &RecordBatch) -> usize {
    let bytes: usize = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    // NCHAR needs up to four times as much in a block.
    (BLOCK_BYTES / (bytes / batch.num_rows().max(1)).max(1)).max(1)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Int32Array};
    use arrow_schema::Schema;
    use embudo_types::{DataType, Precision, arrow::field};

    use super::*;

    fn numbers(range: std::ops::Range<i32>) -> RecordBatch {
        let schema = Arc::new(Schema::new(vec![field("a", DataType::Int, Precision::Milli)]));
        RecordBatch::try_new(schema, vec![Arc::new(Int32Array::from_iter_values(range))]).unwrap()
    }

    fn blocks(batches: Vec<RecordBatch>) -> Vec<RecordBatch> {
        let schema = batches[0].schema();
        let mut blocks = Blocks::new(schema, Box::new(batches.into_iter().map(Ok)));
        let made: Vec<_> = std::iter::from_fn(|| blocks.next().unwrap()).collect();
        assert!(blocks.is_done());
        made
    }

    #[test]
    fn rows_are_neither_lost_nor_moved() {
        let batches = vec![numbers(0..1), numbers(1..1), numbers(1..5_000), numbers(5_000..5_001), numbers(5_001..20_000)];
        let made = blocks(batches);
        assert_eq!(made.iter().map(RecordBatch::num_rows).collect::<Vec<_>>(), [4_096, 4_096, 4_096, 4_096, 3_616]);
        let all: Vec<i32> = made.iter().flat_map(|block| block.column(0).as_any().downcast_ref::<Int32Array>().unwrap().values().to_vec()).collect();
        assert_eq!(all, (0..20_000).collect::<Vec<_>>());
    }

    #[test]
    fn wide_rows_make_smaller_blocks() {
        let schema = Arc::new(Schema::new(vec![field("a", DataType::Varchar(65_000), Precision::Milli)]));
        let wide = vec![vec![b'x'; 60_000]; 200];
        let batch = RecordBatch::try_new(schema, vec![Arc::new(BinaryArray::from_iter_values(wide))]).unwrap();
        let made = blocks(vec![batch]);
        assert!(made.len() > 2 && made.iter().map(RecordBatch::num_rows).sum::<usize>() == 200);
    }
}
