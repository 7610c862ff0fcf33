//! What a statement gives: a count of affected rows, or a stream of Arrow record batches. The one result type from the
//! operator that makes it to the user.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema, SchemaRef};

use crate::{DataType, Precision, Result};

/// Batches in order; dropped early, it stops the work behind it.
pub type BatchStream = Box<dyn Iterator<Item = Result<RecordBatch>> + Send>;

/// The outcome of one statement.
pub struct ResultSet {
    /// Fields made by [`crate::arrow::field`]; for an update the one INT column `affected_rows`, as REST shows it.
    pub schema: SchemaRef,
    /// What came out.
    pub outcome: Outcome,
}

/// Either of the two kinds of result.
pub enum Outcome {
    /// A statement without rows: how many rows it wrote or removed (0 for DDL).
    Affected(u64),
    /// A statement with rows.
    Rows(BatchStream),
}

impl ResultSet {
    /// The result of a statement without rows.
    pub fn affected(rows: u64) -> Self {
        let field = crate::arrow::field("affected_rows", DataType::Int, Precision::Milli);
        Self { schema: Arc::new(Schema::new(vec![field])), outcome: Outcome::Affected(rows) }
    }

    /// The result of a statement with rows.
    pub fn rows(fields: Vec<Field>, batches: BatchStream) -> Self {
        Self { schema: Arc::new(Schema::new(fields)), outcome: Outcome::Rows(batches) }
    }

    /// A result that is already whole.
    pub fn batch(batch: RecordBatch) -> Self {
        Self { schema: batch.schema(), outcome: Outcome::Rows(Box::new(std::iter::once(Ok(batch)))) }
    }

    /// Whether the statement had no rows to give.
    pub fn is_update(&self) -> bool {
        matches!(self.outcome, Outcome::Affected(_))
    }

    /// The coarsest need of clients: the precision of the result's timestamps (that of its first timestamp column).
    pub fn precision(&self) -> Precision {
        let is_timestamp = |field: &&Arc<Field>| matches!(field.data_type(), arrow_schema::DataType::Timestamp(..));
        self.schema.fields().iter().find(is_timestamp).map_or(Precision::Milli, |field| crate::arrow::precision(field))
    }

    /// All batches; an update gives none.
    pub fn collect(self) -> Result<Vec<RecordBatch>> {
        match self.outcome {
            Outcome::Affected(_) => Ok(Vec::new()),
            Outcome::Rows(batches) => batches.collect(),
        }
    }
}
