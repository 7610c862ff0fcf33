//! One block of rows as C programs read it: columns of fixed width lie where Arrow has them, variable ones are copied behind their lengths.

use arrow_array::{Array, ArrayRef, BooleanArray, Decimal128Array, RecordBatch, cast::AsArray};
use arrow_buffer::{Buffer, NullBuffer};
use arrow_schema::Field;
use embudo_types::{DataType, Error, Result, arrow};

/// Bytes of a decimal's cell, which holds its text and a NUL.
pub const DECIMAL_CELL: usize = 64;

/// One column of a block.
#[derive(Debug)]
pub struct Column {
    values: Values,
    nulls: Option<NullBuffer>,
}

#[derive(Debug)]
enum Values {
    /// Cells of one width.
    Fixed { cells: Buffer, width: usize },
    /// Texts of decimals in cells.
    Decimal(Buffer),
    /// Where each value begins, -1 for NULL, and the values behind their lengths of `prefix` bytes.
    Variable { offsets: Vec<i32>, area: Vec<u8>, prefix: usize },
}

impl Column {
    fn new(field: &Field, array: &ArrayRef) -> Result<Self> {
        let data_type = arrow::data_type(field)?;
        let values = match data_type {
            DataType::Null => Values::Fixed { cells: Buffer::from_vec(vec![0_u8; array.len()]), width: 1 },
            DataType::Bool => Values::Fixed { cells: booleans(downcast(array, data_type)?), width: 1 },
            DataType::Decimal(..) => Values::Decimal(decimals(downcast(array, data_type)?)),
            _ if data_type.is_variable() => variable(data_type, array)?,
            _ => {
                let width = data_type.length() as usize;
                let data = array.to_data();
                let cells = data.buffers().first().ok_or_else(|| wrong(array, data_type))?;
                if array.data_type().primitive_width() != Some(width) {
                    return Err(wrong(array, data_type));
                }
                Values::Fixed { cells: cells.slice_with_length(data.offset() * width, array.len() * width), width }
            }
        };
        Ok(Self { values, nulls: array.logical_nulls() })
    }

    /// Where the values lie: cells, or the area that [`Self::offsets`] lead into.
    pub fn data(&self) -> *const u8 {
        match &self.values {
            Values::Fixed { cells, .. } | Values::Decimal(cells) => cells.as_ptr(),
            Values::Variable { area, .. } => area.as_ptr(),
        }
    }

    /// Where each value of a variable type begins.
    pub fn offsets(&self) -> Option<&[i32]> {
        match &self.values {
            Values::Variable { offsets, .. } => Some(offsets),
            _ => None,
        }
    }

    /// Whether a row is NULL.
    pub fn is_null(&self, row: usize) -> bool {
        self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row))
    }

    /// A row's bytes; `None` for NULL.
    pub fn value(&self, row: usize) -> Option<&[u8]> {
        if self.is_null(row) {
            return None;
        }
        match &self.values {
            Values::Fixed { cells, width } => cells.get(row * width..(row + 1) * width),
            Values::Decimal(cells) => {
                let cell = cells.get(row * DECIMAL_CELL..(row + 1) * DECIMAL_CELL)?;
                Some(&cell[..cell.iter().position(|&byte| byte == 0).unwrap_or(DECIMAL_CELL)])
            }
            Values::Variable { offsets, area, prefix } => {
                let at = usize::try_from(*offsets.get(row)?).ok()?;
                let length = area.get(at..at + prefix)?.iter().rev().fold(0, |length, byte| length << 8 | usize::from(*byte));
                area.get(at + prefix..at + prefix + length)
            }
        }
    }
}

/// All columns of a batch.
pub fn columns(batch: &RecordBatch) -> Result<Vec<Column>> {
    batch.schema_ref().fields().iter().zip(batch.columns()).map(|(field, array)| Column::new(field, array)).collect()
}

fn wrong(array: &ArrayRef, data_type: DataType) -> Error {
    Error::internal(format!("a column of type {data_type} came as Arrow's {}", array.data_type()))
}

fn downcast<T: 'static>(array: &ArrayRef, data_type: DataType) -> Result<&T> {
    array.as_any().downcast_ref().ok_or_else(|| wrong(array, data_type))
}

fn booleans(array: &BooleanArray) -> Buffer {
    Buffer::from_vec(array.values().iter().map(u8::from).collect::<Vec<_>>())
}

fn decimals(array: &Decimal128Array) -> Buffer {
    let mut cells = vec![0_u8; array.len() * DECIMAL_CELL];
    for (row, cell) in cells.chunks_exact_mut(DECIMAL_CELL).enumerate() {
        // A sign, 38 digits and a point fit.
        let text = array.value_as_string(row);
        let count = text.len().min(DECIMAL_CELL - 1);
        cell[..count].copy_from_slice(&text.as_bytes()[..count]);
    }
    Buffer::from_vec(cells)
}

fn variable(data_type: DataType, array: &ArrayRef) -> Result<Values> {
    let prefix = if matches!(data_type, DataType::Blob | DataType::MediumBlob) { 4 } else { 2 };
    let mut offsets = Vec::with_capacity(array.len());
    let mut area = Vec::new();
    let mut push = |value: Option<&[u8]>| {
        let Some(value) = value else {
            offsets.push(-1);
            return Ok(());
        };
        offsets.push(i32::try_from(area.len()).map_err(|_| Error::internal("a column of more than 2 GiB"))?);
        let length = u32::try_from(value.len()).ok().filter(|&length| prefix == 4 || u16::try_from(length).is_ok());
        let length = length.ok_or_else(|| Error::internal(format!("a value of {} bytes in a column of type {data_type}", value.len())))?;
        area.extend_from_slice(&length.to_le_bytes()[..prefix]);
        area.extend_from_slice(value);
        Ok(())
    };
    if let Some(texts) = array.as_string_opt::<i32>() {
        texts.iter().try_for_each(|text| push(text.map(str::as_bytes)))?;
    } else if let Some(values) = array.as_binary_opt::<i32>() {
        values.iter().try_for_each(&mut push)?;
    } else {
        return Err(wrong(array, data_type));
    }
    Ok(Values::Variable { offsets, area, prefix })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, Int32Array, StringArray, TimestampMicrosecondArray};
    use arrow_schema::Schema;
    use embudo_types::Precision;

    use super::*;

    #[test]
    fn columns_are_as_the_interface_says() {
        let given: Vec<(DataType, ArrayRef)> = vec![
            (DataType::Timestamp, Arc::new(TimestampMicrosecondArray::from(vec![Some(1), None, Some(-1)]))),
            (DataType::Int, Arc::new(Int32Array::from(vec![Some(9), Some(7), None, Some(5)]).slice(1, 3))),
            (DataType::Bool, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
            (DataType::Varchar(9), Arc::new(BinaryArray::from(vec![Some(b"ab".as_slice()), None, Some(b"")]))),
            (DataType::NChar(9), Arc::new(StringArray::from(vec![Some("中"), None, Some("x")]))),
            (DataType::Blob, Arc::new(BinaryArray::from(vec![Some(vec![1; 70_000].as_slice()), None, Some(b"")]))),
            (DataType::Decimal(10, 2), Arc::new(Decimal128Array::from(vec![Some(-1234), None, Some(5)]).with_precision_and_scale(10, 2).unwrap())),
            (DataType::Null, Arc::new(arrow_array::NullArray::new(3))),
        ];
        let fields: Vec<_> = given.iter().map(|(data_type, _)| arrow::field("c", *data_type, Precision::Micro)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), given.into_iter().map(|column| column.1).collect()).unwrap();
        let columns = columns(&batch).unwrap();
        assert_eq!(columns[0].value(2), Some((-1_i64).to_le_bytes().as_slice()));
        assert!(columns[0].is_null(1) && columns[0].offsets().is_none() && columns[0].value(1).is_none());
        assert_eq!(columns[1].value(0), Some(7_i32.to_le_bytes().as_slice()));
        assert_eq!(columns[1].value(2), Some(5_i32.to_le_bytes().as_slice()));
        assert!(columns[1].is_null(1));
        assert_eq!((columns[2].value(0), columns[2].value(2)), (Some([1].as_slice()), Some([0].as_slice())));
        assert_eq!(columns[3].offsets(), Some([0, -1, 4].as_slice()));
        assert_eq!((columns[3].value(0), columns[3].value(2)), (Some(b"ab".as_slice()), Some(b"".as_slice())));
        assert_eq!(columns[4].value(0), Some("中".as_bytes()));
        assert_eq!(columns[5].value(0).map(<[u8]>::len), Some(70_000));
        assert_eq!((columns[6].value(0), columns[6].value(2)), (Some(b"-12.34".as_slice()), Some(b"0.05".as_slice())));
        assert!((0..3).all(|row| columns[7].is_null(row)));
    }
}
