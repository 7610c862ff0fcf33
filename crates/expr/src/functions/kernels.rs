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
use crate::datum::{Datum, array_of_values, bytes_of, value_at};

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
