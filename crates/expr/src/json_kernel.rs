//! `->` and CONTAINS as nodes of an expression.

use arrow_array::ArrayRef;
use embudo_types::{DataType, Result, Value};

use crate::BoundExpr;
use crate::bound::Kernel;
use crate::datum::Datum;
use crate::json;

/// `json -> 'key'`.
pub(crate) struct JsonGet(pub(crate) String);

impl Kernel for JsonGet {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        on_objects(&arguments[0], columns, rows, DataType::Json, |array| json::get(array, &self.0))
    }
}

/// `json CONTAINS 'key'`.
pub(crate) struct JsonContains(pub(crate) String);

impl Kernel for JsonContains {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        on_objects(&arguments[0], columns, rows, DataType::Bool, |array| json::contains(array, &self.0))
    }
}

fn on_objects(argument: &BoundExpr, columns: &[ArrayRef], rows: usize, data_type: DataType, function: impl Fn(&ArrayRef) -> Result<ArrayRef>) -> Result<Datum> {
    Ok(match argument.datum(columns, rows)? {
        Datum::Scalar(Value::Null) => Datum::Scalar(Value::Null),
        Datum::Scalar(value) => {
            let array = crate::repeat(&value, argument.data_type(), argument.precision(), 1)?;
            Datum::Scalar(crate::value_at(&function(&array)?, data_type, 0))
        }
        Datum::Array(array) => Datum::Array(function(&array)?),
    })
}
