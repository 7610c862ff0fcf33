//! The cells of one tag of up to [`CHUNK`](crate::children::CHUNK) children: typed, so that 100,000 children cost what their tags hold.

use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, PrimitiveBuilder, StringBuilder};
use arrow_array::types::{
    ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef, Decimal128Array, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray};
use embudo_types::{DataType, Precision, Value};

/// Cells of one tag, each a value or NULL.
#[derive(Clone, Debug)]
pub(crate) enum TagColumn {
    Bool(Vec<Option<bool>>),
    TinyInt(Vec<Option<i8>>),
    SmallInt(Vec<Option<i16>>),
    Int(Vec<Option<i32>>),
    BigInt(Vec<Option<i64>>),
    UTinyInt(Vec<Option<u8>>),
    USmallInt(Vec<Option<u16>>),
    UInt(Vec<Option<u32>>),
    UBigInt(Vec<Option<u64>>),
    Float(Vec<Option<f32>>),
    Double(Vec<Option<f64>>),
    Timestamp(Vec<Option<i64>>),
    Decimal(Vec<Option<i128>>),
    /// VARCHAR, NCHAR, JSON, VARBINARY, GEOMETRY.
    Bytes(Vec<Option<Box<[u8]>>>),
}

macro_rules! each {
    ($column:expr, $cells:ident => $body:expr) => {
        match $column {
            TagColumn::Bool($cells) => $body,
            TagColumn::TinyInt($cells) => $body,
            TagColumn::SmallInt($cells) => $body,
            TagColumn::Int($cells) => $body,
            TagColumn::BigInt($cells) => $body,
            TagColumn::UTinyInt($cells) => $body,
            TagColumn::USmallInt($cells) => $body,
            TagColumn::UInt($cells) => $body,
            TagColumn::UBigInt($cells) => $body,
            TagColumn::Float($cells) => $body,
            TagColumn::Double($cells) => $body,
            TagColumn::Timestamp($cells) => $body,
            TagColumn::Decimal($cells) => $body,
            TagColumn::Bytes($cells) => $body,
        }
    };
}

impl TagColumn {
    /// No cells yet.
    pub fn new(data_type: DataType) -> Self {
        match data_type {
            DataType::Bool => Self::Bool(Vec::new()),
            DataType::TinyInt => Self::TinyInt(Vec::new()),
            DataType::SmallInt => Self::SmallInt(Vec::new()),
            DataType::Int => Self::Int(Vec::new()),
            DataType::BigInt => Self::BigInt(Vec::new()),
            DataType::UTinyInt => Self::UTinyInt(Vec::new()),
            DataType::USmallInt => Self::USmallInt(Vec::new()),
            DataType::UInt => Self::UInt(Vec::new()),
            DataType::UBigInt => Self::UBigInt(Vec::new()),
            DataType::Float => Self::Float(Vec::new()),
            DataType::Double => Self::Double(Vec::new()),
            DataType::Timestamp => Self::Timestamp(Vec::new()),
            DataType::Decimal(..) => Self::Decimal(Vec::new()),
            DataType::Null
            | DataType::Varchar(_)
            | DataType::NChar(_)
            | DataType::Json
            | DataType::VarBinary(_)
            | DataType::Geometry(_)
            | DataType::Blob
            | DataType::MediumBlob => Self::Bytes(Vec::new()),
        }
    }

    /// As many NULLs as asked.
    pub fn nulls(data_type: DataType, length: usize) -> Self {
        let mut column = Self::new(data_type);
        each!(&mut column, cells => cells.resize(length, None));
        column
    }

    /// Adds a cell; a value of another type than the tag's counts as NULL, which no caller produces.
    pub fn push(&mut self, value: &Value) {
        each!(self, cells => cells.push(None));
        let last = self.len() - 1;
        self.set(last, value);
    }

    /// Replaces a cell.
    pub fn set(&mut self, at: usize, value: &Value) {
        match (self, value) {
            (Self::Bool(cells), Value::Bool(v)) => cells[at] = Some(*v),
            (Self::TinyInt(cells), Value::TinyInt(v)) => cells[at] = Some(*v),
            (Self::SmallInt(cells), Value::SmallInt(v)) => cells[at] = Some(*v),
            (Self::Int(cells), Value::Int(v)) => cells[at] = Some(*v),
            (Self::BigInt(cells), Value::BigInt(v)) => cells[at] = Some(*v),
            (Self::UTinyInt(cells), Value::UTinyInt(v)) => cells[at] = Some(*v),
            (Self::USmallInt(cells), Value::USmallInt(v)) => cells[at] = Some(*v),
            (Self::UInt(cells), Value::UInt(v)) => cells[at] = Some(*v),
            (Self::UBigInt(cells), Value::UBigInt(v)) => cells[at] = Some(*v),
            (Self::Float(cells), Value::Float(v)) => cells[at] = Some(*v),
            (Self::Double(cells), Value::Double(v)) => cells[at] = Some(*v),
            (Self::Timestamp(cells), Value::Timestamp(v)) => cells[at] = Some(*v),
            (Self::Decimal(cells), Value::Decimal(v, ..)) => cells[at] = Some(*v),
            (Self::Bytes(cells), Value::Varchar(v) | Value::VarBinary(v) | Value::Geometry(v) | Value::Blob(v)) => cells[at] = Some(v.as_slice().into()),
            (Self::Bytes(cells), Value::NChar(v) | Value::Json(v)) => cells[at] = Some(v.as_bytes().into()),
            (column, _) => each!(column, cells => cells[at] = None),
        }
    }

    /// How many cells.
    pub fn len(&self) -> usize {
        each!(self, cells => cells.len())
    }

    /// A cell as a value of the tag's type.
    pub fn value(&self, at: usize, data_type: DataType) -> Value {
        fn of<T: Copy>(cells: &[Option<T>], at: usize, wrap: impl Fn(T) -> Value) -> Value {
            cells.get(at).copied().flatten().map_or(Value::Null, wrap)
        }
        match self {
            Self::Bool(cells) => of(cells, at, Value::Bool),
            Self::TinyInt(cells) => of(cells, at, Value::TinyInt),
            Self::SmallInt(cells) => of(cells, at, Value::SmallInt),
            Self::Int(cells) => of(cells, at, Value::Int),
            Self::BigInt(cells) => of(cells, at, Value::BigInt),
            Self::UTinyInt(cells) => of(cells, at, Value::UTinyInt),
            Self::USmallInt(cells) => of(cells, at, Value::USmallInt),
            Self::UInt(cells) => of(cells, at, Value::UInt),
            Self::UBigInt(cells) => of(cells, at, Value::UBigInt),
            Self::Float(cells) => of(cells, at, Value::Float),
            Self::Double(cells) => of(cells, at, Value::Double),
            Self::Timestamp(cells) => of(cells, at, Value::Timestamp),
            Self::Decimal(cells) => {
                let (precision, scale) = if let DataType::Decimal(precision, scale) = data_type { (precision, scale) } else { (38, 0) };
                of(cells, at, |value| Value::Decimal(value, precision, scale))
            }
            Self::Bytes(cells) => cells.get(at).and_then(Option::as_deref).map_or(Value::Null, |bytes| bytes_value(bytes, data_type)),
        }
    }
}

/// Bytes of a variable-length tag as its type's value.
fn bytes_value(bytes: &[u8], data_type: DataType) -> Value {
    match data_type {
        DataType::NChar(_) => Value::NChar(String::from_utf8_lossy(bytes).into_owned()),
        DataType::Json => Value::Json(String::from_utf8_lossy(bytes).into_owned()),
        DataType::VarBinary(_) => Value::VarBinary(bytes.to_vec()),
        DataType::Geometry(_) => Value::Geometry(bytes.to_vec()),
        DataType::Blob | DataType::MediumBlob => Value::Blob(bytes.to_vec()),
        _ => Value::Varchar(bytes.to_vec()),
    }
}

/// An Arrow array of the tag's type out of cells that lie in several chunks: `cells` gives chunk and place of each row.
pub(crate) fn gather<'a>(data_type: DataType, precision: Precision, rows: usize, cells: impl Iterator<Item = (&'a TagColumn, usize)>) -> ArrayRef {
    macro_rules! primitive {
        ($arrow:ty, $variant:ident) => {
            Arc::new(primitives::<$arrow>(rows, cells.map(|(column, at)| if let TagColumn::$variant(cells) = column { cells[at] } else { None })).finish())
        };
    }
    match data_type {
        DataType::Bool => {
            let mut builder = BooleanBuilder::with_capacity(rows);
            cells.for_each(|(column, at)| builder.append_option(if let TagColumn::Bool(cells) = column { cells[at] } else { None }));
            Arc::new(builder.finish())
        }
        DataType::TinyInt => primitive!(Int8Type, TinyInt),
        DataType::SmallInt => primitive!(Int16Type, SmallInt),
        DataType::Int => primitive!(Int32Type, Int),
        DataType::BigInt => primitive!(Int64Type, BigInt),
        DataType::UTinyInt => primitive!(UInt8Type, UTinyInt),
        DataType::USmallInt => primitive!(UInt16Type, USmallInt),
        DataType::UInt => primitive!(UInt32Type, UInt),
        DataType::UBigInt => primitive!(UInt64Type, UBigInt),
        DataType::Float => primitive!(Float32Type, Float),
        DataType::Double => primitive!(Float64Type, Double),
        DataType::Timestamp => {
            let ticks = cells.map(|(column, at)| if let TagColumn::Timestamp(cells) = column { cells[at] } else { None });
            match precision {
                Precision::Milli => Arc::new(ticks.collect::<TimestampMillisecondArray>()),
                Precision::Micro => Arc::new(ticks.collect::<TimestampMicrosecondArray>()),
                Precision::Nano => Arc::new(ticks.collect::<TimestampNanosecondArray>()),
            }
        }
        DataType::Decimal(digits, scale) => {
            let values: Decimal128Array = cells.map(|(column, at)| if let TagColumn::Decimal(cells) = column { cells[at] } else { None }).collect();
            let typed = values.to_data().into_builder().data_type(arrow_schema::DataType::Decimal128(digits, scale as i8)).build();
            typed.map_or_else(|_| Arc::new(values) as ArrayRef, arrow_array::make_array)
        }
        DataType::NChar(_) | DataType::Json => {
            let mut builder = StringBuilder::with_capacity(rows, rows * 8);
            cells.for_each(|(column, at)| builder.append_option(bytes_at(column, at).map(String::from_utf8_lossy)));
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = BinaryBuilder::with_capacity(rows, rows * 8);
            cells.for_each(|(column, at)| builder.append_option(bytes_at(column, at)));
            Arc::new(builder.finish())
        }
    }
}

fn bytes_at(column: &TagColumn, at: usize) -> Option<&[u8]> {
    if let TagColumn::Bytes(cells) = column { cells[at].as_deref() } else { None }
}

fn primitives<T: ArrowPrimitiveType>(rows: usize, cells: impl Iterator<Item = Option<T::Native>>) -> PrimitiveBuilder<T> {
    let mut builder = PrimitiveBuilder::with_capacity(rows);
    cells.for_each(|cell| builder.append_option(cell));
    builder
}
