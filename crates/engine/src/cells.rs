//! Small work on Arrow arrays that writes need: ticks out of timestamp arrays, rows in another order, values converted to a column's type.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, make_array};
use arrow_buffer::ScalarBuffer;
use arrow_data::transform::{Capacities, MutableArrayData};
use arrow_schema::DataType as ArrowType;
use embudo_expr::{BindContext, Binder, BoundExpr, EmptyScope, Input};
use embudo_types::{DataType, Error, Precision, Result, code};

/// The ticks of a timestamp or 64-bit integer array; what a NULL holds has no meaning.
pub(crate) fn ticks(array: &dyn Array) -> Result<ScalarBuffer<i64>> {
    if !matches!(array.data_type(), ArrowType::Timestamp(..) | ArrowType::Int64) {
        return Err(Error::internal(format!("{} where timestamps are due", array.data_type())));
    }
    let data = array.to_data();
    let buffer = data.buffers().first().ok_or_else(|| Error::internal("a timestamp array without values"))?;
    Ok(ScalarBuffer::new(buffer.clone(), data.offset(), data.len()))
}

/// The cells at `rows`, in that order.
pub(crate) fn take(array: &ArrayRef, rows: &[u32]) -> Result<ArrayRef> {
    let data = array.to_data();
    let mut output = MutableArrayData::with_capacities(vec![&data], false, Capacities::Array(rows.len()));
    let mut at = 0;
    while at < rows.len() {
        let start = rows[at] as usize;
        let mut length = 1;
        while at + length < rows.len() && rows[at + length] as usize == start + length {
            length += 1;
        }
        output.try_extend(0, start, start + length).map_err(|error| Error::internal(format!("taking rows: {error}")))?;
        at += length;
    }
    Ok(make_array(output.freeze()))
}

/// `array` of `from` as cells of `to`, by the rules of CAST.
pub(crate) fn cast(array: &ArrayRef, from: (DataType, Precision), to: (DataType, Precision), context: &BindContext) -> Result<ArrayRef> {
    let same_type = from.0.id() == to.0.id() && (from.0 != DataType::Timestamp || from.1 == to.1);
    if same_type && (!to.0.is_variable() || from.0.length() <= to.0.length()) {
        return Ok(Arc::clone(array));
    }
    let input = BoundExpr::input(Input { index: 0, data_type: from.0, precision: from.1 });
    let scope = EmptyScope;
    Binder::new(context, &scope).convert(input, to.0, to.1)?.evaluate(std::slice::from_ref(array), array.len())
}

/// An error where a cell of a variable-length column is longer than the column.
pub(crate) fn check_lengths(array: &dyn Array, data_type: DataType, name: &str) -> Result<()> {
    let limit = data_type.length() as usize;
    let is_too_long = match data_type {
        DataType::NChar(_) => {
            let texts = array.as_any().downcast_ref::<arrow_array::StringArray>();
            texts.is_some_and(|texts| texts.iter().flatten().any(|text| text.len() > limit && text.chars().count() > limit))
        }
        DataType::Varchar(_) | DataType::VarBinary(_) | DataType::Geometry(_) => {
            let bytes = array.as_any().downcast_ref::<arrow_array::BinaryArray>();
            bytes.is_some_and(|bytes| bytes.iter().flatten().any(|cell| cell.len() > limit))
        }
        _ => false,
    };
    if is_too_long { Err(too_long(name)) } else { Ok(()) }
}

/// 0x2653 with the column's name.
pub(crate) fn too_long(name: &str) -> Error {
    Error::with(code::VALUE_TOO_LONG_FOR_COLUMN_TAG, format!("Value too long for column/tag: {name}"))
}
