//! Typed columns that INSERT fills cell by cell and hands over as Arrow arrays without copying.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray,
    types::{ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type},
};
use arrow_buffer::{BooleanBuffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use embudo_types::{DataType, Error, Precision, Result, Value};

/// The cells of one column so far, of the type of `types::arrow::arrow_type`.
#[derive(Debug)]
pub(crate) struct ColumnBuilder {
    pub(crate) cells: Cells,
    /// Rows that are NULL, ascending; most columns have none.
    nulls: Vec<u32>,
}

/// Cells by their machine type; a NULL has a zero in its place.
#[derive(Debug)]
pub(crate) enum Cells {
    Bool(Vec<bool>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    F32(Vec<f32>),
    F64(Vec<f64>),
    Ticks(Vec<i64>, Precision),
    Decimal(Vec<i128>, u8, u8),
    Bytes(Texts),
    /// NCHAR and JSON.
    Chars(Texts),
}

/// Variable cells end to end; `ends` has one more element than there are cells.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) data: Vec<u8>,
    ends: Vec<i32>,
}

impl Texts {
    fn new(rows: usize) -> Self {
        let mut ends = Vec::with_capacity(rows + 1);
        ends.push(0);
        Self { data: Vec::new(), ends }
    }

    /// Ends the cell whose bytes were put into `data`; 31 bits of offset hold any statement, a file is taken in parts.
    pub(crate) fn end_cell(&mut self) {
        self.ends.push(self.data.len() as i32);
    }

    pub(crate) fn push(&mut self, cell: &[u8]) {
        self.data.extend_from_slice(cell);
        self.end_cell();
    }
}

impl ColumnBuilder {
    pub(crate) fn new(data_type: DataType, precision: Precision, rows: usize) -> Result<Self> {
        let cells = match data_type {
            DataType::Bool => Cells::Bool(Vec::with_capacity(rows)),
            DataType::TinyInt => Cells::I8(Vec::with_capacity(rows)),
            DataType::SmallInt => Cells::I16(Vec::with_capacity(rows)),
            DataType::Int => Cells::I32(Vec::with_capacity(rows)),
            DataType::BigInt => Cells::I64(Vec::with_capacity(rows)),
            DataType::UTinyInt => Cells::U8(Vec::with_capacity(rows)),
            DataType::USmallInt => Cells::U16(Vec::with_capacity(rows)),
            DataType::UInt => Cells::U32(Vec::with_capacity(rows)),
            DataType::UBigInt => Cells::U64(Vec::with_capacity(rows)),
            DataType::Float => Cells::F32(Vec::with_capacity(rows)),
            DataType::Double => Cells::F64(Vec::with_capacity(rows)),
            DataType::Timestamp => Cells::Ticks(Vec::with_capacity(rows), precision),
            DataType::Decimal(precision, scale) => Cells::Decimal(Vec::with_capacity(rows), precision, scale),
            DataType::NChar(_) | DataType::Json => Cells::Chars(Texts::new(rows)),
            DataType::Varchar(_) | DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob => Cells::Bytes(Texts::new(rows)),
            DataType::Null => return Err(Error::internal("a column without a type")),
        };
        Ok(Self { cells, nulls: Vec::new() })
    }

    /// Cells so far.
    pub(crate) fn len(&self) -> usize {
        match &self.cells {
            Cells::Bool(cells) => cells.len(),
            Cells::I8(cells) => cells.len(),
            Cells::I16(cells) => cells.len(),
            Cells::I32(cells) => cells.len(),
            Cells::I64(cells) | Cells::Ticks(cells, _) => cells.len(),
            Cells::U8(cells) => cells.len(),
            Cells::U16(cells) => cells.len(),
            Cells::U32(cells) => cells.len(),
            Cells::U64(cells) => cells.len(),
            Cells::F32(cells) => cells.len(),
            Cells::F64(cells) => cells.len(),
            Cells::Decimal(cells, ..) => cells.len(),
            Cells::Bytes(texts) | Cells::Chars(texts) => texts.ends.len() - 1,
        }
    }

    pub(crate) fn push_null(&mut self) {
        self.nulls.push(self.len() as u32);
        match &mut self.cells {
            Cells::Bool(cells) => cells.push(false),
            Cells::I8(cells) => cells.push(0),
            Cells::I16(cells) => cells.push(0),
            Cells::I32(cells) => cells.push(0),
            Cells::I64(cells) | Cells::Ticks(cells, _) => cells.push(0),
            Cells::U8(cells) => cells.push(0),
            Cells::U16(cells) => cells.push(0),
            Cells::U32(cells) => cells.push(0),
            Cells::U64(cells) => cells.push(0),
            Cells::F32(cells) => cells.push(0.0),
            Cells::F64(cells) => cells.push(0.0),
            Cells::Decimal(cells, ..) => cells.push(0),
            Cells::Bytes(texts) | Cells::Chars(texts) => texts.end_cell(),
        }
    }

    /// A value of the column's type.
    pub(crate) fn push(&mut self, value: &Value) -> Result<()> {
        match (&mut self.cells, value) {
            (_, Value::Null) => self.push_null(),
            (Cells::Bool(cells), Value::Bool(value)) => cells.push(*value),
            (Cells::I8(cells), Value::TinyInt(value)) => cells.push(*value),
            (Cells::I16(cells), Value::SmallInt(value)) => cells.push(*value),
            (Cells::I32(cells), Value::Int(value)) => cells.push(*value),
            (Cells::I64(cells), Value::BigInt(value)) | (Cells::Ticks(cells, _), Value::Timestamp(value)) => cells.push(*value),
            (Cells::U8(cells), Value::UTinyInt(value)) => cells.push(*value),
            (Cells::U16(cells), Value::USmallInt(value)) => cells.push(*value),
            (Cells::U32(cells), Value::UInt(value)) => cells.push(*value),
            (Cells::U64(cells), Value::UBigInt(value)) => cells.push(*value),
            (Cells::F32(cells), Value::Float(value)) => cells.push(*value),
            (Cells::F64(cells), Value::Double(value)) => cells.push(*value),
            (Cells::Decimal(cells, ..), Value::Decimal(value, ..)) => cells.push(*value),
            (Cells::Bytes(texts), Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes)) => texts.push(bytes),
            (Cells::Chars(texts), Value::NChar(text) | Value::Json(text)) => texts.push(text.as_bytes()),
            (_, other) => return Err(Error::internal(format!("a {} in a column of another type", other.data_type()))),
        }
        Ok(())
    }

    /// The column as an array.
    pub(crate) fn finish(self) -> Result<ArrayRef> {
        let nulls = null_buffer(self.len(), &self.nulls);
        Ok(match self.cells {
            Cells::Bool(cells) => Arc::new(BooleanArray::new(BooleanBuffer::from(cells), nulls)),
            Cells::I8(cells) => primitive::<Int8Type>(cells, nulls),
            Cells::I16(cells) => primitive::<Int16Type>(cells, nulls),
            Cells::I32(cells) => primitive::<Int32Type>(cells, nulls),
            Cells::I64(cells) => primitive::<Int64Type>(cells, nulls),
            Cells::U8(cells) => primitive::<UInt8Type>(cells, nulls),
            Cells::U16(cells) => primitive::<UInt16Type>(cells, nulls),
            Cells::U32(cells) => primitive::<UInt32Type>(cells, nulls),
            Cells::U64(cells) => primitive::<UInt64Type>(cells, nulls),
            Cells::F32(cells) => primitive::<Float32Type>(cells, nulls),
            Cells::F64(cells) => primitive::<Float64Type>(cells, nulls),
            Cells::Ticks(cells, Precision::Milli) => Arc::new(TimestampMillisecondArray::new(cells.into(), nulls)),
            Cells::Ticks(cells, Precision::Micro) => Arc::new(TimestampMicrosecondArray::new(cells.into(), nulls)),
            Cells::Ticks(cells, Precision::Nano) => Arc::new(TimestampNanosecondArray::new(cells.into(), nulls)),
            Cells::Decimal(cells, precision, scale) => {
                let array = Decimal128Array::new(cells.into(), nulls).with_precision_and_scale(precision, scale as i8);
                Arc::new(array.map_err(Error::internal)?)
            }
            Cells::Bytes(texts) => {
                let array = BinaryArray::try_new(OffsetBuffer::new(ScalarBuffer::from(texts.ends)), texts.data.into(), nulls);
                Arc::new(array.map_err(Error::internal)?)
            }
            Cells::Chars(texts) => {
                let array = StringArray::try_new(OffsetBuffer::new(ScalarBuffer::from(texts.ends)), texts.data.into(), nulls);
                Arc::new(array.map_err(Error::internal)?)
            }
        })
    }
}

fn primitive<T: ArrowPrimitiveType>(cells: Vec<T::Native>, nulls: Option<NullBuffer>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(cells), nulls))
}

fn null_buffer(rows: usize, nulls: &[u32]) -> Option<NullBuffer> {
    if nulls.is_empty() {
        return None;
    }
    let mut valid = vec![true; rows];
    for &row in nulls {
        valid[row as usize] = false;
    }
    Some(NullBuffer::from(valid))
}
