//! Shapes of kernels that many functions share.

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int8Type, Int16Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use arrow_buffer::{NullBuffer, ScalarBuffer};
use embudo_types::{DataType, Error, Precision, Result, Value};

use crate::BoundExpr;
use crate::arithmetic::{operands, union_nulls};
use crate::bound::Kernel;
use crate::compare::pack;
use crate::convert::{TextBuilder, TextColumn};
use crate::datum::{Datum, array_of_values, bytes_of, ticks, timestamp_array, value_at};

/// A function of one double; what is not finite is NULL.
pub(super) struct Double<F>(pub(super) F);

impl<F: Fn(f64) -> f64 + Send + Sync> Kernel for Double<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(Value::Double(value)) => finite(self.0(value)),
            Datum::Scalar(_) => Datum::Scalar(Value::Null),
            Datum::Array(array) => {
                let array = array.as_primitive::<Float64Type>();
                let values: ScalarBuffer<f64> = array.values().iter().map(|&value| self.0(value)).collect();
                finite_array(values, array.nulls())
            }
        })
    }
}

/// A function of two doubles; what is not finite is NULL.
pub(super) struct Doubles<F>(pub(super) F);

impl<F: Fn(f64, f64) -> f64 + Send + Sync> Kernel for Doubles<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let [left, right] = operands.as_slice() else { return Err(Error::internal("two operands are due")) };
        if let (Datum::Scalar(left), Datum::Scalar(right)) = (left, right) {
            return Ok(match (left, right) {
                (Value::Double(left), Value::Double(right)) => finite(self.0(*left, *right)),
                _ => Datum::Scalar(Value::Null),
            });
        }
        let left = left.clone().into_array(DataType::Double, Precision::Milli, rows)?;
        let right = right.clone().into_array(DataType::Double, Precision::Milli, rows)?;
        let (left, right) = (left.as_primitive::<Float64Type>(), right.as_primitive::<Float64Type>());
        let values: ScalarBuffer<f64> = left.values().iter().zip(right.values()).map(|(&left, &right)| self.0(left, right)).collect();
        Ok(finite_array(values, union_nulls(left.nulls(), right.nulls()).as_ref()))
    }
}

fn finite(value: f64) -> Datum {
    Datum::Scalar(if value.is_finite() { Value::Double(value) } else { Value::Null })
}

fn finite_array(values: ScalarBuffer<f64>, nulls: Option<&NullBuffer>) -> Datum {
    let nulls =
        if values.iter().all(|value| value.is_finite()) { nulls.cloned() } else { union_nulls(nulls, Some(&NullBuffer::new(pack(&values, f64::is_finite)))) };
    Datum::Array(Arc::new(PrimitiveArray::<Float64Type>::new(values, nulls)))
}

/// Whether every argument is a constant: then so is the result.
fn all_constant(operands: &[Datum]) -> bool {
    operands.iter().all(|operand| matches!(operand, Datum::Scalar(_)))
}

/// A function of texts that appends a text; NULL in any argument is NULL. It answers `false` for a NULL of its own.
pub(super) struct Texts<F> {
    pub(super) data_type: DataType,
    pub(super) function: F,
}

enum TextOperand<'a> {
    Column(TextColumn<'a>),
    Constant(Option<&'a [u8]>),
}

impl<'a> TextOperand<'a> {
    fn all(operands: &'a [Datum]) -> Result<Vec<Self>> {
        let operand = |datum: &'a Datum| match datum {
            Datum::Array(array) => TextColumn::new(array).map(Self::Column),
            Datum::Scalar(value) => Ok(Self::Constant(bytes_of(value))),
        };
        operands.iter().map(operand).collect()
    }

    fn get(&self, row: usize) -> Option<&'a [u8]> {
        match self {
            Self::Column(column) => column.get(row),
            Self::Constant(value) => *value,
        }
    }
}

impl<F: Fn(&[&[u8]], &mut Vec<u8>) -> bool + Send + Sync> Kernel for Texts<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let constant = all_constant(&operands);
        let texts = TextOperand::all(&operands)?;
        let mut builder = TextBuilder::new(self.data_type)?;
        let mut cell = Vec::new();
        let mut cells: Vec<&[u8]> = Vec::with_capacity(texts.len());
        for row in 0..if constant { 1 } else { rows } {
            cells.clear();
            cells.extend(texts.iter().map_while(|text| text.get(row)));
            cell.clear();
            let present = cells.len() == texts.len() && (self.function)(&cells, &mut cell);
            builder.append(present.then_some(cell.as_slice()))?;
        }
        let array = builder.finish();
        Ok(if constant { Datum::Scalar(value_at(&array, self.data_type, 0)) } else { Datum::Array(array) })
    }
}

/// A function of values, row by row: for what is rare or has arguments of several types. NULLs are its business.
pub(super) struct Values<F> {
    pub(super) data_type: DataType,
    pub(super) precision: Precision,
    pub(super) function: F,
}

impl<F: Fn(&[Value]) -> Result<Value> + Send + Sync> Kernel for Values<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let constant = all_constant(&operands);
        let mut cells = vec![Value::Null; operands.len()];
        let rows = if constant { 1 } else { rows };
        let mut results = Vec::with_capacity(rows);
        for row in 0..rows {
            for ((cell, operand), argument) in cells.iter_mut().zip(&operands).zip(arguments) {
                *cell = match operand {
                    Datum::Scalar(value) => value.clone(),
                    Datum::Array(array) => value_at(array, argument.data_type(), row),
                };
            }
            results.push((self.function)(&cells)?);
        }
        if constant {
            return Ok(Datum::Scalar(results.pop().unwrap_or_default()));
        }
        array_of_values(&results, self.data_type, self.precision).map(Datum::Array)
    }
}

/// ABS of signed integers; the smallest value has no positive and wraps, as in C.
pub(super) struct AbsoluteInteger;

impl Kernel for AbsoluteInteger {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        macro_rules! absolute {
            ($array:expr, $arrow:ty) => {{
                let array = $array.as_primitive::<$arrow>();
                Datum::Array(Arc::new(array.unary::<_, $arrow>(|value| value.wrapping_abs())))
            }};
        }
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(value) => Datum::Scalar(match value {
                Value::TinyInt(value) => Value::TinyInt(value.wrapping_abs()),
                Value::SmallInt(value) => Value::SmallInt(value.wrapping_abs()),
                Value::Int(value) => Value::Int(value.wrapping_abs()),
                Value::BigInt(value) => Value::BigInt(value.wrapping_abs()),
                _ => Value::Null,
            }),
            Datum::Array(array) => match arguments[0].data_type() {
                DataType::TinyInt => absolute!(array, Int8Type),
                DataType::SmallInt => absolute!(array, Int16Type),
                DataType::Int => absolute!(array, Int32Type),
                _ => absolute!(array, Int64Type),
            },
        })
    }
}

/// Length of text: bytes of VARCHAR and VARBINARY, `bytes_per_character` for each character of NCHAR.
pub(super) struct TextLength {
    pub(super) bytes_per_character: i64,
}

impl Kernel for TextLength {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let characters = matches!(arguments[0].data_type(), DataType::NChar(_));
        let length = |text: &[u8]| {
            if characters { text.iter().filter(|byte| **byte & 0xC0 != 0x80).count() as i64 * self.bytes_per_character } else { text.len() as i64 }
        };
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(value) => Datum::Scalar(bytes_of(&value).map_or(Value::Null, |text| Value::BigInt(length(text)))),
            Datum::Array(array) => {
                let column = TextColumn::new(&array)?;
                let values = (0..column.len()).map(|row| length(column.value(row))).collect();
                Datum::Array(Arc::new(PrimitiveArray::<Int64Type>::new(values, column.nulls().cloned())))
            }
        })
    }
}

/// A function of the ticks of TIMESTAMP arguments; the result is a TIMESTAMP where a precision is given, else a BIGINT.
pub(super) struct Ticks<F> {
    pub(super) result: Option<Precision>,
    pub(super) function: F,
}

impl<F: Fn(&[i64]) -> Option<i64> + Send + Sync> Kernel for Ticks<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let constant = all_constant(&operands);
        let rows = if constant { 1 } else { rows };
        let arrays = operands
            .into_iter()
            .zip(arguments)
            .map(|(operand, argument)| operand.into_array(argument.data_type(), argument.precision(), rows))
            .collect::<Result<Vec<_>>>()?;
        let values: Vec<&[i64]> = arrays.iter().map(|array| ticks(array)).collect();
        let mut cells = vec![0; values.len()];
        let cell = |row: usize| {
            if arrays.iter().any(|array| array.is_null(row)) {
                return None;
            }
            cells.iter_mut().zip(&values).for_each(|(cell, values)| *cell = values[row]);
            (self.function)(&cells)
        };
        let (_, values, nulls) = (0..rows).map(cell).collect::<PrimitiveArray<Int64Type>>().into_parts();
        let (array, data_type) = match self.result {
            Some(precision) => (timestamp_array(values, nulls, precision), DataType::Timestamp),
            None => (Arc::new(PrimitiveArray::<Int64Type>::new(values, nulls)) as ArrayRef, DataType::BigInt),
        };
        Ok(if constant { Datum::Scalar(value_at(&array, data_type, 0)) } else { Datum::Array(array) })
    }
}

/// Text of ticks given as BIGINT.
pub(super) struct TimeTexts<F> {
    pub(super) data_type: DataType,
    pub(super) function: F,
}

impl<F: Fn(i64, &mut String) -> Option<()> + Send + Sync> Kernel for TimeTexts<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let mut text = String::new();
        let mut cell = |ticks: i64| {
            text.clear();
            (self.function)(ticks, &mut text).map(|()| text.as_bytes().to_vec())
        };
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(Value::BigInt(ticks)) => Datum::Scalar(cell(ticks).map_or(Value::Null, Value::Varchar)),
            Datum::Scalar(_) => Datum::Scalar(Value::Null),
            Datum::Array(array) => {
                let array = array.as_primitive::<Int64Type>();
                let mut builder = TextBuilder::new(self.data_type)?;
                for ticks in array {
                    builder.append(ticks.and_then(&mut cell).as_deref())?;
                }
                Datum::Array(builder.finish())
            }
        })
    }
}

/// A TIMESTAMP of text.
pub(super) struct TimestampTexts<F> {
    pub(super) precision: Precision,
    pub(super) function: F,
}

impl<F: Fn(&[u8]) -> Result<i64> + Send + Sync> Kernel for TimestampTexts<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(value) => Datum::Scalar(match bytes_of(&value) {
                Some(text) => Value::Timestamp((self.function)(text)?),
                None => Value::Null,
            }),
            Datum::Array(array) => {
                let column = TextColumn::new(&array)?;
                let cells = (0..column.len()).map(|row| column.get(row).map(&self.function).transpose());
                let (_, values, nulls) = cells.collect::<Result<PrimitiveArray<Int64Type>>>()?.into_parts();
                Datum::Array(timestamp_array(values, nulls, self.precision))
            }
        })
    }
}

/// A kernel that answers anew each time, so that it is never folded; a row each even without arguments.
pub(super) struct Impure<K>(pub(super) K);

impl<F: Fn(&[Value]) -> Result<Value> + Send + Sync> Kernel for Impure<Values<F>> {
    fn evaluate(&self, _: &[BoundExpr], _: &[ArrayRef], rows: usize) -> Result<Datum> {
        let values = (0..rows).map(|_| (self.0.function)(&[])).collect::<Result<Vec<_>>>()?;
        array_of_values(&values, self.0.data_type, self.0.precision).map(Datum::Array)
    }

    fn is_pure(&self) -> bool {
        false
    }
}
