//! Results as Arrow leaves the process: timestamps labelled with the session's zone, VARCHAR as Utf8 where it is UTF-8,
//! JSON and GEOMETRY named by Arrow's extension types; and the C stream interface, which needs no Arrow package.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, RecordBatch, RecordBatchReader, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
    ffi_stream::FFI_ArrowArrayStream,
};
use arrow_schema::{ArrowError, DataType as ArrowType, Field, Schema, SchemaRef, TimeUnit};
use embudo_types::{BatchStream, DataType, Result, Zone, arrow};
use pyo3::{prelude::*, types::PyCapsule};

use crate::{arrays::typed, error::Outcome};

/// How the batches of one result leave.
#[derive(Clone)]
pub struct Export {
    schema: SchemaRef,
    zone: Arc<str>,
}

impl Export {
    /// For batches of `schema`; text columns that are not UTF-8 in `known` stay binary.
    pub fn new(schema: &Schema, zone: &Zone, known: &[RecordBatch]) -> Result<Self> {
        let zone: Arc<str> = zone.name().into();
        let mut fields = Vec::with_capacity(schema.fields().len());
        for (place, field) in schema.fields().iter().enumerate() {
            let data_type = arrow::data_type(field)?;
            let mut metadata = field.metadata().clone();
            let mut extension = |name: &str| {
                metadata.insert("ARROW:extension:name", name);
                metadata.insert("ARROW:extension:metadata", "");
            };
            let arrow_type = match (data_type, field.data_type()) {
                (DataType::Timestamp, ArrowType::Timestamp(unit, _)) => ArrowType::Timestamp(*unit, Some(zone.clone())),
                (DataType::Varchar(_), _) if known.iter().all(|batch| is_utf8(batch.column(place).as_ref())) => ArrowType::Utf8,
                (DataType::Json, other) => {
                    extension("arrow.json");
                    other.clone()
                }
                (DataType::Geometry(_), other) => {
                    extension("geoarrow.wkb");
                    other.clone()
                }
                (_, other) => other.clone(),
            };
            fields.push(Field::new(field.name(), arrow_type, true).with_metadata(metadata));
        }
        Ok(Self { schema: Arc::new(Schema::new(fields)), zone })
    }

    /// The schema of what leaves.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn batch(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let columns = batch.columns().iter().zip(self.schema.fields()).map(|(column, field)| self.column(column, field)).collect::<Result<_, _>>()?;
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
    }

    fn column(&self, column: &ArrayRef, field: &Field) -> Result<ArrayRef, ArrowError> {
        let external = |error: embudo_types::Error| ArrowError::ExternalError(Box::new(error));
        Ok(match (field.data_type(), column.data_type()) {
            (ArrowType::Timestamp(unit, _), _) => match unit {
                TimeUnit::Microsecond => Arc::new(typed::<TimestampMicrosecondArray>(column).map_err(external)?.clone().with_timezone(self.zone.clone())),
                TimeUnit::Nanosecond => Arc::new(typed::<TimestampNanosecondArray>(column).map_err(external)?.clone().with_timezone(self.zone.clone())),
                _ => Arc::new(typed::<TimestampMillisecondArray>(column).map_err(external)?.clone().with_timezone(self.zone.clone())),
            },
            (ArrowType::Utf8, ArrowType::Binary) => {
                let bytes = typed::<BinaryArray>(column).map_err(external)?;
                let text = StringArray::try_new(bytes.offsets().clone(), bytes.values().clone(), bytes.nulls().cloned());
                Arc::new(text.map_err(|error| ArrowError::CastError(format!("column {} holds text that is not UTF-8: {error}", field.name())))?)
            }
            _ => column.clone(),
        })
    }
}

fn is_utf8(array: &dyn Array) -> bool {
    let Some(array) = array.as_any().downcast_ref::<BinaryArray>() else { return false };
    if std::str::from_utf8(
        &array.values()[array.value_offsets().first().map_or(0, |&at| at as usize)..array.value_offsets().last().map_or(0, |&at| at as usize)],
    )
    .is_err()
    {
        return false;
    }
    // The whole is UTF-8; each value is, when no value ends within a letter.
    array.value_offsets().iter().all(|&at| array.values().get(at as usize).is_none_or(|byte| byte & 0xC0 != 0x80))
}

/// Batches on their way out, one by one.
pub struct Reader {
    batches: BatchStream,
    export: Export,
}

impl Reader {
    /// Of these batches.
    pub fn new(batches: BatchStream, export: Export) -> Self {
        Self { batches, export }
    }
}

impl Iterator for Reader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.batches.next()?;
        Some(next.map_err(|error| ArrowError::ExternalError(Box::new(error))).and_then(|batch| self.export.batch(&batch)))
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.export.schema.clone()
    }
}

/// The batches as a capsule of Arrow's C stream interface.
pub fn capsule(py: Python<'_>, batches: BatchStream, export: Export) -> Outcome<Bound<'_, PyCapsule>> {
    let stream = FFI_ArrowArrayStream::new(Box::new(Reader::new(batches, export)));
    Ok(PyCapsule::new_with_value(py, stream, c"arrow_array_stream")?)
}
