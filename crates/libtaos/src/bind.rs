//! Cells that C programs bind: their buffers copied into Arrow columns, with everything checked that can be.

use std::{
    ffi::{c_char, c_int},
    sync::Arc,
};

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray, new_null_array, types as arrow_types};
use arrow_buffer::{ArrowNativeType, BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::DataType as ArrowType;
use embudo_client::{BoundColumn, FieldRole, StatementField};
use embudo_types::{DataType, Error, Result, code};

use crate::{
    abi::{Bind2, ColumnBind, MultiBind},
    boundary::invalid,
};

/// A cell that is left as it is.
const UNSET: c_char = 2;

/// One column of cells, of either kind of statement.
#[derive(Clone, Copy, Debug)]
pub struct Cells {
    buffer_type: c_int,
    buffer: *const u8,
    /// Bytes from value to value of variable types; without it they follow each other.
    stride: Option<usize>,
    length: *const i32,
    is_null: *const c_char,
    rows: c_int,
}

impl From<&MultiBind> for Cells {
    fn from(bind: &MultiBind) -> Self {
        let MultiBind { buffer_type, buffer, buffer_length, length, is_null, num } = *bind;
        Self { buffer_type, buffer: buffer.cast(), stride: Some(buffer_length), length, is_null, rows: num }
    }
}

impl From<&Bind2> for Cells {
    fn from(bind: &Bind2) -> Self {
        let Bind2 { buffer_type, buffer, length, is_null, num } = *bind;
        Self { buffer_type, buffer: buffer.cast(), stride: None, length, is_null, rows: num }
    }
}

impl Cells {
    /// A column whose rows are told beside it.
    pub fn of_column(bind: &ColumnBind, rows: c_int) -> Self {
        let ColumnBind { buffer_type, buffer, length, is_null } = *bind;
        Self { buffer_type, buffer: buffer.cast(), stride: None, length, is_null, rows }
    }

    /// How many cells there are.
    pub fn rows(&self) -> c_int {
        self.rows
    }

    /// The cells as a column, for a field of an INSERT or a parameter of a query.
    ///
    /// # Safety
    /// Every pointer is NULL or leads to as many values as `rows` says, laid out as the interface says.
    pub unsafe fn column(&self, field: Option<&StatementField>) -> Result<BoundColumn> {
        let rows = usize::try_from(self.rows).ok().filter(|&rows| rows > 0).ok_or_else(|| invalid("a number of rows that is not positive"))?;
        let marks = if self.is_null.is_null() {
            None
        } else {
            // SAFETY: a mark for each row, as the caller says.
            Some(unsafe { std::slice::from_raw_parts(self.is_null, rows) })
        };
        let marks = marks.filter(|marks| marks.iter().any(|&mark| mark != 0));
        let nulls = marks.map(|marks| NullBuffer::new(BooleanBuffer::collect_bool(rows, |row| marks[row] == 0)));
        let present = marks.filter(|marks| marks.contains(&UNSET)).map(|marks| BooleanBuffer::collect_bool(rows, |row| marks[row] != UNSET));
        let bound = u8::try_from(self.buffer_type).map_err(|_| invalid("an unknown type of a value")).and_then(|id| DataType::from_id(id, 0))?;
        if nulls.as_ref().is_some_and(|nulls| nulls.null_count() == rows) || bound == DataType::Null {
            return Ok(all_null(field, bound, rows, present));
        }
        if let Some(field) = field {
            check_type(field, bound)?;
        }
        if self.buffer.is_null() {
            return Err(invalid("no values"));
        }
        // Decimals come as text.
        let array = if bound.is_variable() || matches!(bound, DataType::Decimal(..)) {
            // SAFETY: as the caller says.
            unsafe { self.variable(bound, rows, nulls)? }
        } else {
            // SAFETY: as the caller says.
            unsafe { self.fixed(bound, rows, nulls)? }
        };
        let data_type = field.map_or(bound, |field| field.data_type);
        Ok(BoundColumn { data_type, array, present })
    }

    unsafe fn fixed(&self, data_type: DataType, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        // SAFETY: `rows` values of the type's width, as the caller says; they need not be aligned, so bytes are copied.
        let bytes = unsafe { std::slice::from_raw_parts(self.buffer, rows * data_type.length() as usize) };
        Ok(match data_type {
            DataType::Bool => Arc::new(BooleanArray::new(BooleanBuffer::collect_bool(rows, |row| bytes[row] != 0), nulls)),
            DataType::TinyInt => primitive::<arrow_types::Int8Type>(bytes, nulls),
            DataType::SmallInt => primitive::<arrow_types::Int16Type>(bytes, nulls),
            DataType::Int => primitive::<arrow_types::Int32Type>(bytes, nulls),
            // Times are ticks of the database's precision.
            DataType::BigInt | DataType::Timestamp => primitive::<arrow_types::Int64Type>(bytes, nulls),
            DataType::UTinyInt => primitive::<arrow_types::UInt8Type>(bytes, nulls),
            DataType::USmallInt => primitive::<arrow_types::UInt16Type>(bytes, nulls),
            DataType::UInt => primitive::<arrow_types::UInt32Type>(bytes, nulls),
            DataType::UBigInt => primitive::<arrow_types::UInt64Type>(bytes, nulls),
            DataType::Float => primitive::<arrow_types::Float32Type>(bytes, nulls),
            DataType::Double => primitive::<arrow_types::Float64Type>(bytes, nulls),
            other => return Err(Error::internal(format!("{other} has no fixed width"))),
        })
    }

    unsafe fn variable(&self, data_type: DataType, rows: usize, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        if self.length.is_null() {
            return Err(invalid("no lengths of the values"));
        }
        // SAFETY: a length for each row, as the caller says.
        let lengths = unsafe { std::slice::from_raw_parts(self.length, rows) };
        let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
        let mut offsets = Vec::with_capacity(rows + 1);
        let mut end = 0_i32;
        offsets.push(0);
        for (row, &length) in lengths.iter().enumerate() {
            let length = if is_null(row) { 0 } else { length };
            if length < 0 || self.stride.is_some_and(|stride| length as usize > stride) {
                return Err(invalid(&format!("a value of {length} bytes")));
            }
            end = end.checked_add(length).ok_or_else(|| invalid("values of more than 2 GiB"))?;
            offsets.push(end);
        }
        let mut values: Vec<u8> = Vec::with_capacity(end as usize);
        match self.stride {
            None => {
                // SAFETY: values without gaps whose lengths are as added up, as the caller says.
                values.extend_from_slice(unsafe { std::slice::from_raw_parts(self.buffer, end as usize) });
            }
            Some(stride) => {
                for row in 0..rows {
                    let length = (offsets[row + 1] - offsets[row]) as usize;
                    // SAFETY: each value lies within its stride, as the caller says and was checked.
                    values.extend_from_slice(unsafe { std::slice::from_raw_parts(self.buffer.add(row * stride), length) });
                }
            }
        }
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        if matches!(data_type, DataType::NChar(_) | DataType::Json | DataType::Decimal(..)) {
            let texts = StringArray::try_new(offsets, Buffer::from_vec(values), nulls);
            return texts.map(|texts| Arc::new(texts) as ArrayRef).map_err(|_| invalid("a text that is not UTF-8"));
        }
        let values = BinaryArray::try_new(offsets, Buffer::from_vec(values), nulls);
        values.map(|values| Arc::new(values) as ArrayRef).map_err(Error::internal)
    }
}

fn primitive<T: arrow_array::ArrowPrimitiveType>(bytes: &[u8], nulls: Option<NullBuffer>) -> ArrayRef
where
    T::Native: ArrowNativeType,
{
    let mut aligned = arrow_buffer::MutableBuffer::with_capacity(bytes.len());
    aligned.extend_from_slice(bytes);
    let rows = bytes.len() / size_of::<T::Native>();
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(aligned.into(), 0, rows), nulls))
}

fn all_null(field: Option<&StatementField>, bound: DataType, rows: usize, present: Option<BooleanBuffer>) -> BoundColumn {
    match field {
        Some(StatementField { data_type: data_type @ DataType::Decimal(..), .. }) => {
            BoundColumn { data_type: *data_type, array: new_null_array(&ArrowType::Utf8, rows), present }
        }
        Some(field) => {
            let array = new_null_array(&embudo_types::arrow::arrow_type(field.data_type, field.precision), rows);
            BoundColumn { data_type: field.data_type, array, present }
        }
        None => {
            let data_type = if bound == DataType::Null { DataType::Varchar(0) } else { bound };
            let array = new_null_array(&embudo_types::arrow::arrow_type(data_type, embudo_types::Precision::Milli), rows);
            BoundColumn { data_type, array, present }
        }
    }
}

/// 0x0200 where a value is not of its column's type.
fn check_type(field: &StatementField, bound: DataType) -> Result<()> {
    let is_decimal = |data_type| matches!(data_type, DataType::Decimal(..));
    if bound.id() == field.data_type.id() || (is_decimal(bound) && is_decimal(field.data_type)) {
        return Ok(());
    }
    let what = if field.role == FieldRole::Tag { "tag" } else { "column" };
    Err(Error::with(code::INVALID_OPERATION, format!("{what} type mis-match with buffer type")))
}

/// All columns of a row of binds: as many cells in each.
///
/// # Safety
/// As [`Cells::column`], for each.
pub unsafe fn columns(cells: &[Cells], fields: &[&StatementField]) -> Result<Vec<BoundColumn>> {
    if let Some(first) = cells.first()
        && cells.iter().any(|cells| cells.rows() != first.rows())
    {
        return Err(Error::with(code::INVALID_OPERATION, "row number in each bind param should be the same"));
    }
    // SAFETY: as the caller says.
    cells.iter().enumerate().map(|(at, cells)| unsafe { cells.column(fields.get(at).copied()) }).collect()
}

#[cfg(test)]
mod tests {
    use arrow_array::{Array, cast::AsArray};
    use std::ffi::c_void;

    use embudo_types::Precision;

    use super::*;

    fn pointer<T>(values: &[T]) -> *const c_void {
        values.as_ptr().cast()
    }

    fn field(data_type: DataType) -> StatementField {
        StatementField { name: "c".into(), data_type, precision: Precision::Milli, role: FieldRole::Column }
    }

    #[test]
    fn fixed_and_variable_cells() {
        let (values, marks) = ([1_i32, 2, 3], [0, 1, 0]);
        let bind = MultiBind { buffer_type: 4, buffer: pointer(&values), buffer_length: 4, length: std::ptr::null(), is_null: marks.as_ptr(), num: 3 };
        // SAFETY: three values and marks.
        let column = unsafe { Cells::from(&bind).column(Some(&field(DataType::Int))) }.unwrap();
        assert_eq!(column.array.as_primitive::<arrow_types::Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None, Some(3)]);
        // SAFETY: as above.
        let error = unsafe { Cells::from(&bind).column(Some(&field(DataType::BigInt))) }.unwrap_err();
        assert_eq!((error.code(), error.message()), (code::INVALID_OPERATION, "column type mis-match with buffer type"));

        let (texts, lengths) = (*b"ab..c...", [2, 1]);
        let bind = MultiBind { buffer_type: 8, buffer: pointer(&texts), buffer_length: 4, length: lengths.as_ptr(), is_null: std::ptr::null(), num: 2 };
        // SAFETY: two values of four bytes.
        let column = unsafe { Cells::from(&bind).column(Some(&field(DataType::Varchar(9)))) }.unwrap();
        assert_eq!(column.array.as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(b"ab".as_slice()), Some(b"c")]);
        let too_long = [5, 1];
        // SAFETY: refused before it is read.
        assert!(unsafe { Cells::from(&MultiBind { length: too_long.as_ptr(), ..bind }).column(None) }.is_err());
        // SAFETY: as above.
        assert!(unsafe { Cells::from(&MultiBind { length: std::ptr::null(), ..bind }).column(None) }.is_err());
        // SAFETY: as above.
        assert!(unsafe { Cells::from(&MultiBind { num: -1, ..bind }).column(None) }.is_err());
        // SAFETY: as above.
        assert!(unsafe { Cells::from(&MultiBind { buffer_type: 99, ..bind }).column(None) }.is_err());
    }

    #[test]
    fn unset_cells_and_values_without_gaps() {
        let (texts, lengths, marks) = (*"中x".as_bytes().first_chunk::<4>().unwrap(), [3, 9, 1], [0, 2, 0]);
        let bind = Bind2 { buffer_type: 10, buffer: pointer(&texts), length: lengths.as_ptr(), is_null: marks.as_ptr(), num: 3 };
        // SAFETY: four bytes of two values; the length of what is unset does not count.
        let column = unsafe { Cells::from(&bind).column(Some(&field(DataType::NChar(9)))) }.unwrap();
        assert_eq!(column.array.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("中"), None, Some("x")]);
        assert_eq!(column.present.unwrap().iter().collect::<Vec<_>>(), [true, false, true]);
    }

    #[test]
    fn nulls_need_no_values_and_no_type() {
        let marks = [1];
        let bind = Bind2 { buffer_type: 0, buffer: std::ptr::null(), length: std::ptr::null(), is_null: marks.as_ptr(), num: 1 };
        // SAFETY: one mark.
        let column = unsafe { Cells::from(&bind).column(Some(&field(DataType::Double))) }.unwrap();
        assert!(column.array.is_null(0) && *column.array.data_type() == ArrowType::Float64);
    }
}
