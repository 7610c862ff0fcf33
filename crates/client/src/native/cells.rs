//! Bound columns as the buffers that the library reads them from.

use std::ffi::{c_char, c_int};

use arrow_array::{Array, ArrayRef, BooleanArray, Decimal128Array, cast::AsArray};
use arrow_schema::DataType as ArrowType;
use embudo_types::{DataType, Error, Result};

use super::abi::{Bind2, MultiBind};
use crate::{literal, statement::BoundColumn};

/// `is_null` of a cell that is left as it is.
const UNSET: c_char = 2;

/// One column of cells: values without gaps, with the lengths of variable ones.
pub struct Cells {
    data_type: DataType,
    rows: usize,
    values: Vec<u8>,
    lengths: Option<Vec<i32>>,
    marks: Vec<c_char>,
}

impl Cells {
    /// The cells of a column.
    pub fn of(column: &BoundColumn) -> Result<Self> {
        let array = &column.array;
        let marks = (0..array.len()).map(|row| match &column.present {
            Some(present) if !present.value(row) => UNSET,
            _ => c_char::from(array.is_null(row)),
        });
        let mut cells = Self { data_type: column.data_type, rows: array.len(), values: Vec::new(), lengths: None, marks: marks.collect() };
        if *array.data_type() == ArrowType::Null || array.null_count() == array.len() {
            cells.values = vec![0; array.len() * 16];
            cells.lengths = Some(vec![0; array.len()]);
        } else if column.data_type.is_variable() || matches!(column.data_type, DataType::Decimal(..)) {
            cells.variable(array)?;
        } else {
            cells.fixed(array)?;
        }
        Ok(cells)
    }

    fn fixed(&mut self, array: &ArrayRef) -> Result<()> {
        if let Some(booleans) = array.as_any().downcast_ref::<BooleanArray>() {
            self.values = booleans.values().iter().map(u8::from).collect();
            return Ok(());
        }
        let (data, width) = (array.to_data(), self.data_type.length() as usize);
        let bytes = data.buffers().first().filter(|_| array.data_type().primitive_width() == Some(width));
        let bytes = bytes.ok_or_else(|| wrong(array, self.data_type))?;
        self.values = bytes.as_slice()[data.offset() * width..(data.offset() + array.len()) * width].to_vec();
        Ok(())
    }

    fn variable(&mut self, array: &ArrayRef) -> Result<()> {
        let mut lengths = Vec::with_capacity(array.len());
        let values = &mut self.values;
        let mut push = |value: Option<&[u8]>| {
            let value = value.unwrap_or_default();
            values.extend_from_slice(value);
            lengths.push(value.len() as i32);
        };
        if let Some(texts) = array.as_string_opt::<i32>() {
            texts.iter().for_each(|text| push(text.map(str::as_bytes)));
        } else if let Some(bytes) = array.as_binary_opt::<i32>() {
            bytes.iter().for_each(&mut push);
        } else if let Some(decimals) = array.as_any().downcast_ref::<Decimal128Array>() {
            let scale = usize::try_from(decimals.scale()).unwrap_or(0);
            for value in decimals {
                let text = value.map(|value| {
                    let mut text = String::new();
                    literal::write_decimal(value, scale, &mut text);
                    text
                });
                push(text.as_deref().map(str::as_bytes));
            }
        } else {
            return Err(wrong(array, self.data_type));
        }
        self.lengths = Some(lengths);
        Ok(())
    }

    fn lengths(&self) -> *const i32 {
        self.lengths.as_ref().map_or(std::ptr::null(), Vec::as_ptr)
    }

    /// As statements of the second kind read it. It holds addresses of this.
    pub fn bind2(&self) -> Bind2 {
        Bind2 {
            buffer_type: c_int::from(self.data_type.id()),
            buffer: self.values.as_ptr().cast(),
            length: self.lengths(),
            is_null: self.marks.as_ptr(),
            num: self.rows as c_int,
        }
    }

    /// Moves values apart, each at the same distance, as statements of the first kind read them.
    pub fn spread(&mut self) {
        let Some(lengths) = &self.lengths else { return };
        let stride = lengths.iter().copied().max().unwrap_or(0).max(1) as usize;
        let mut apart = vec![0; stride * self.rows];
        let mut at = 0;
        for (row, &length) in lengths.iter().enumerate() {
            let length = length as usize;
            if let Some(value) = self.values.get(at..at + length) {
                apart[row * stride..row * stride + length].copy_from_slice(value);
            }
            at += length;
        }
        self.values = apart;
    }

    /// As statements of the first kind read it, once [`spread`](Self::spread). It holds addresses of this.
    pub fn multi_bind(&self) -> MultiBind {
        let width = self.values.len() / self.rows.max(1);
        MultiBind {
            buffer_type: c_int::from(self.data_type.id()),
            buffer: self.values.as_ptr().cast(),
            buffer_length: width,
            length: self.lengths(),
            is_null: self.marks.as_ptr(),
            num: self.rows as c_int,
        }
    }
}

fn wrong(array: &ArrayRef, data_type: DataType) -> Error {
    Error::internal(format!("a column of type {data_type} came as Arrow's {}", array.data_type()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, StringArray};

    use super::*;

    #[test]
    fn cells_lie_as_the_interface_says() {
        let array: ArrayRef = Arc::new(Int32Array::from(vec![Some(9), Some(1), None]).slice(1, 2));
        let cells = Cells::of(&BoundColumn { data_type: DataType::Int, array, present: None }).unwrap();
        assert_eq!((cells.values[..4].to_vec(), cells.marks.clone()), (vec![1, 0, 0, 0], vec![0, 1]));
        let array: ArrayRef = Arc::new(StringArray::from(vec![Some("abc"), None, Some("d")]));
        let present = Some(vec![true, false, true].into());
        let mut cells = Cells::of(&BoundColumn { data_type: DataType::NChar(3), array, present }).unwrap();
        assert_eq!((cells.values.as_slice(), cells.lengths.clone().unwrap()), (b"abcd".as_slice(), vec![3, 0, 1]));
        assert_eq!(cells.marks, [0, 2, 0]);
        cells.spread();
        assert_eq!(cells.values, b"abc\0\0\0d\0\0");
        assert_eq!(cells.multi_bind().buffer_length, 3);
    }
}
