//! The cells of one column over the points of a call: typed by the first, absent where a point does not name the column.

use std::sync::Arc;

use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{ArrayRef, BinaryArray, BooleanArray, PrimitiveArray, StringArray};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, OffsetBuffer, ScalarBuffer};
use embudo_sql::literal::wkt_to_wkb;
use embudo_types::{DataType, Error, Result, Value, code};
use embudo_wire::schemaless::FieldValue;

/// Cells of a column, one a point so far.
#[derive(Debug)]
pub(super) struct Cells {
    values: Values,
    /// `None` while every cell is there.
    present: Option<BooleanBufferBuilder>,
}

macro_rules! values {
    ($($variant:ident $native:ty, $arrow:ty;)*) => {
        #[derive(Debug)]
        enum Values {
            Bool(Vec<bool>),
            $($variant(Vec<$native>),)*
            Bytes(Bytes),
        }

        impl Values {
            fn new(value: &FieldValue<'_>) -> Self {
                match value {
                    FieldValue::Bool(_) => Self::Bool(Vec::new()),
                    $(FieldValue::$variant(_) => Self::$variant(Vec::new()),)*
                    FieldValue::Varchar(_) => Self::Bytes(Bytes::new(DataType::Varchar(0))),
                    FieldValue::NChar(_) => Self::Bytes(Bytes::new(DataType::NChar(0))),
                    FieldValue::VarBinary(_) => Self::Bytes(Bytes::new(DataType::VarBinary(0))),
                    FieldValue::Geometry(_) => Self::Bytes(Bytes::new(DataType::Geometry(0))),
                }
            }

            fn len(&self) -> usize {
                match self {
                    Self::Bool(values) => values.len(),
                    $(Self::$variant(values) => values.len(),)*
                    Self::Bytes(bytes) => bytes.ends.len(),
                }
            }

            fn push(&mut self, value: &FieldValue<'_>) -> Result<()> {
                match (self, value) {
                    (Self::Bool(values), FieldValue::Bool(value)) => values.push(*value),
                    $((Self::$variant(values), FieldValue::$variant(value)) => values.push(*value),)*
                    (Self::Bytes(bytes), value) => bytes.push(value)?,
                    _ => return Err(changed_type()),
                }
                Ok(())
            }

            /// Cells without meaning up to a length.
            fn pad(&mut self, length: usize) {
                match self {
                    Self::Bool(values) => values.resize(length, false),
                    $(Self::$variant(values) => values.resize(length, <$native>::default()),)*
                    Self::Bytes(bytes) => bytes.ends.resize(length, bytes.content.len()),
                }
            }

            fn data_type(&self) -> DataType {
                match self {
                    Self::Bool(_) => DataType::Bool,
                    $(Self::$variant(_) => DataType::$variant,)*
                    Self::Bytes(bytes) => bytes.data_type,
                }
            }

            fn array(self, order: Option<&[u32]>) -> Result<ArrayRef> {
                Ok(match self {
                    Self::Bool(values) => Arc::new(BooleanArray::from(ordered(values, order))),
                    $(Self::$variant(values) => primitive::<$arrow>(ordered(values, order)),)*
                    Self::Bytes(bytes) => bytes.array(order)?,
                })
            }
        }

        /// A value as a tag's.
        pub(super) fn owned(value: &FieldValue<'_>) -> Result<Value> {
            Ok(match value {
                FieldValue::Bool(value) => Value::Bool(*value),
                $(FieldValue::$variant(value) => Value::$variant(*value),)*
                FieldValue::Varchar(text) => Value::Varchar(text.as_bytes().to_vec()),
                FieldValue::NChar(text) => Value::NChar(text.to_string()),
                FieldValue::VarBinary(bytes) => Value::VarBinary(bytes.to_vec()),
                FieldValue::Geometry(text) => Value::Geometry(shape(text)?),
            })
        }
    };
}

values! {
    TinyInt i8, Int8Type;
    SmallInt i16, Int16Type;
    Int i32, Int32Type;
    BigInt i64, Int64Type;
    UTinyInt u8, UInt8Type;
    USmallInt u16, UInt16Type;
    UInt u32, UInt32Type;
    UBigInt u64, UInt64Type;
    Float f32, Float32Type;
    Double f64, Float64Type;
}

/// Values of variable length.
#[derive(Debug)]
struct Bytes {
    /// With the length of the longest value in bytes.
    data_type: DataType,
    /// Where each value ends in `content`.
    ends: Vec<usize>,
    content: Vec<u8>,
}

impl Bytes {
    fn new(data_type: DataType) -> Self {
        Self { data_type, ends: Vec::new(), content: Vec::new() }
    }

    fn push(&mut self, value: &FieldValue<'_>) -> Result<()> {
        let before = self.content.len();
        let longest = match (&mut self.data_type, value) {
            (DataType::Varchar(longest), FieldValue::Varchar(text)) | (DataType::NChar(longest), FieldValue::NChar(text)) => {
                self.content.extend_from_slice(text.as_bytes());
                longest
            }
            (DataType::VarBinary(longest), FieldValue::VarBinary(bytes)) => {
                self.content.extend_from_slice(bytes);
                longest
            }
            (DataType::Geometry(longest), FieldValue::Geometry(text)) => {
                self.content.append(&mut shape(text)?);
                longest
            }
            _ => return Err(changed_type()),
        };
        *longest = (*longest).max((self.content.len() - before) as u32);
        self.ends.push(self.content.len());
        Ok(())
    }

    fn array(self, order: Option<&[u32]>) -> Result<ArrayRef> {
        let (ends, bytes) = match order {
            None => (self.ends, self.content),
            Some(order) => {
                let mut bytes = Vec::with_capacity(self.content.len());
                let start = |row: usize| if row == 0 { 0 } else { self.ends[row - 1] };
                let ends = order.iter().map(|row| {
                    bytes.extend_from_slice(&self.content[start(*row as usize)..self.ends[*row as usize]]);
                    bytes.len()
                });
                (ends.collect::<Vec<_>>(), bytes)
            }
        };
        let too_many = |_| Error::with(code::OUT_OF_RANGE, "a column of one call holds more than 2 GiB");
        i32::try_from(bytes.len()).map_err(too_many)?;
        let offsets = std::iter::once(0).chain(ends.iter().map(|end| *end as i32)).collect::<Vec<_>>();
        let (offsets, bytes) = (OffsetBuffer::new(ScalarBuffer::from(offsets)), Buffer::from_vec(bytes));
        Ok(if matches!(self.data_type, DataType::NChar(_)) {
            Arc::new(StringArray::try_new(offsets, bytes, None).map_err(|error| Error::internal(format!("text of points: {error}")))?)
        } else {
            Arc::new(BinaryArray::new(offsets, bytes, None))
        })
    }
}

impl Cells {
    /// A column of the value's type; the value is not in it yet.
    pub fn new(value: &FieldValue<'_>) -> Self {
        Self { values: Values::new(value), present: None }
    }

    /// Number of cells, absent ones among them.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// One more cell: 0x3004 where the value is of another type.
    pub fn push(&mut self, value: &FieldValue<'_>) -> Result<()> {
        self.values.push(value)?;
        if let Some(present) = &mut self.present {
            present.append(true);
        }
        Ok(())
    }

    /// Absent cells up to a length.
    pub fn pad(&mut self, length: usize) {
        let before = self.len();
        if length <= before {
            return;
        }
        let present = self.present.get_or_insert_with(|| {
            let mut present = BooleanBufferBuilder::new(length);
            present.append_n(before, true);
            present
        });
        present.append_n(length - before, false);
        self.values.pad(length);
    }

    /// The type; of variable length, with the length of the longest value in bytes.
    pub fn data_type(&self) -> DataType {
        self.values.data_type()
    }

    /// The cells, in another order where one is given, and which of them are there (`None`: all).
    pub fn finish(self, order: Option<&[u32]>) -> Result<(ArrayRef, Option<BooleanBuffer>)> {
        let present = self.present.map(|mut present| {
            let present = present.finish();
            match order {
                None => present,
                Some(order) => order.iter().map(|row| present.value(*row as usize)).collect(),
            }
        });
        Ok((self.values.array(order)?, present))
    }
}

/// Values in the order given.
pub(super) fn ordered<T: Copy>(values: Vec<T>, order: Option<&[u32]>) -> Vec<T> {
    match order {
        None => values,
        Some(order) => order.iter().map(|row| values[*row as usize]).collect(),
    }
}

fn primitive<T: ArrowPrimitiveType>(values: Vec<T::Native>) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::from(values), None))
}

/// 0x3004: a column has one type in a call.
fn changed_type() -> Error {
    Error::new(code::NOT_THE_SAME_TYPE_LIKE_BEFORE)
}

fn shape(text: &str) -> Result<Vec<u8>> {
    wkt_to_wkb(text).map_err(|reason| Error::with(code::INVALID_DATA_FORMAT, format!("invalid value:{text} ({reason})")))
}
