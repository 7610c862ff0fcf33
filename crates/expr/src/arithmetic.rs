//! `+ - * / %`, unary minus, `& |`, and times moved by durations (spec/sql.md 2.4).
//!
//! All arithmetic is in doubles, save TIMESTAMP with an integer or a duration, which stays a TIMESTAMP.

use std::sync::Arc;

use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer, ScalarBuffer};
use embudo_sql::ast::expr::BinaryOp;
use embudo_types::{DataType, Duration, Error, Precision, Result, Value, Zone, code};

use crate::BoundExpr;
use crate::bound::Kernel;
use crate::datum::{Datum, ticks, timestamp_array};
use crate::decimal;

/// The type of `left op right`.
pub(crate) fn result_type(op: BinaryOp, left: DataType, right: DataType) -> Result<DataType> {
    let opaque = |data_type| matches!(data_type, DataType::VarBinary(_) | DataType::Geometry(_) | DataType::Blob | DataType::MediumBlob);
    let invalid = || Err(Error::new(code::INVALID_OPERATION));
    if opaque(left) || opaque(right) {
        return invalid();
    }
    if matches!(op, BinaryOp::BitAnd | BinaryOp::BitOr) {
        return Ok(DataType::BigInt);
    }
    if matches!(left, DataType::Decimal(..)) || matches!(right, DataType::Decimal(..)) {
        if left == DataType::Timestamp || right == DataType::Timestamp {
            return invalid();
        }
        let shapes = decimal::shape_of(left).zip(decimal::shape_of(right));
        return Ok(shapes.map_or(DataType::Double, |(left, right)| {
            let (digits, scale) = decimal::result_shape(op, left, right);
            DataType::Decimal(digits, scale)
        }));
    }
    let counts_ticks = |data_type: DataType| data_type.is_integer() || matches!(data_type, DataType::Bool | DataType::Null);
    match (left, right) {
        (DataType::Timestamp, DataType::Timestamp) => invalid(),
        (DataType::Timestamp, other) | (other, DataType::Timestamp) if counts_ticks(other) => Ok(DataType::Timestamp),
        (DataType::Timestamp, _) | (_, DataType::Timestamp) => invalid(),
        _ => Ok(DataType::Double),
    }
}

/// The nulls of a row-wise operation: those of either side.
pub(crate) fn union_nulls(left: Option<&NullBuffer>, right: Option<&NullBuffer>) -> Option<NullBuffer> {
    NullBuffer::union(left, right)
}

/// Two operands of one primitive type; at least one is an array where the batch has rows that differ.
fn pairs<T: arrow_array::ArrowPrimitiveType>(
    left: &Datum,
    right: &Datum,
    scalar: impl Fn(&Value) -> Option<T::Native>,
    operation: impl Fn(T::Native, T::Native) -> T::Native + Copy,
) -> Result<(ScalarBuffer<T::Native>, Option<NullBuffer>)> {
    let constant = |value: &Value| scalar(value).ok_or_else(|| Error::internal("operand of another type"));
    Ok(match (left, right) {
        (Datum::Array(left), Datum::Array(right)) => {
            let (left, right) = (left.as_primitive::<T>(), right.as_primitive::<T>());
            let values = left.values().iter().zip(right.values()).map(|(&left, &right)| operation(left, right)).collect();
            (values, union_nulls(left.nulls(), right.nulls()))
        }
        (Datum::Array(left), Datum::Scalar(right)) => {
            let (left, right) = (left.as_primitive::<T>(), constant(right)?);
            (left.values().iter().map(|&left| operation(left, right)).collect(), left.nulls().cloned())
        }
        (Datum::Scalar(left), Datum::Array(right)) => {
            let (left, right) = (constant(left)?, right.as_primitive::<T>());
            (right.values().iter().map(|&right| operation(left, right)).collect(), right.nulls().cloned())
        }
        (Datum::Scalar(left), Datum::Scalar(right)) => (ScalarBuffer::from(vec![operation(constant(left)?, constant(right)?)]), None),
    })
}

fn double(value: &Value) -> Option<f64> {
    if let Value::Double(value) = value { Some(*value) } else { None }
}

fn integer(value: &Value) -> Option<i64> {
    if let Value::BigInt(value) = value { Some(*value) } else { None }
}

/// What comes of a kernel whose operands may both be constants: then it is one.
fn result(array: ArrayRef, operands: &[Datum], data_type: DataType) -> Datum {
    let constant = operands.iter().all(|operand| matches!(operand, Datum::Scalar(_)));
    if constant { Datum::Scalar(crate::value_at(&array, data_type, 0)) } else { Datum::Array(array) }
}

fn any_null_constant(operands: &[Datum]) -> bool {
    operands.iter().any(|operand| matches!(operand, Datum::Scalar(Value::Null)))
}

/// Evaluates operands.
pub(crate) fn operands(arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Vec<Datum>> {
    arguments.iter().map(|argument| argument.datum(columns, rows)).collect()
}

/// `+ - * / %` of doubles. Division and remainder by zero are NULL.
pub(crate) struct DoubleArithmetic(pub(crate) BinaryOp);

impl Kernel for DoubleArithmetic {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        if any_null_constant(&operands) {
            return Ok(Datum::Scalar(Value::Null));
        }
        let [left, right] = operands.as_slice() else { return Err(Error::internal("two operands are due")) };
        let (values, mut nulls) = match self.0 {
            BinaryOp::Add => pairs::<Float64Type>(left, right, double, |left, right| left + right),
            BinaryOp::Subtract => pairs::<Float64Type>(left, right, double, |left, right| left - right),
            BinaryOp::Multiply => pairs::<Float64Type>(left, right, double, |left, right| left * right),
            BinaryOp::Divide => pairs::<Float64Type>(left, right, double, |left, right| left / right),
            BinaryOp::Modulo => pairs::<Float64Type>(left, right, double, |left, right| left - (left / right).trunc() * right),
            _ => return Err(Error::internal("not an arithmetic operator")),
        }?;
        if matches!(self.0, BinaryOp::Divide | BinaryOp::Modulo) {
            nulls = without_zero_divisors(nulls, right, values.len());
        }
        Ok(result(Arc::new(PrimitiveArray::<Float64Type>::new(values, nulls)), &operands, DataType::Double))
    }
}

fn without_zero_divisors(nulls: Option<NullBuffer>, divisor: &Datum, rows: usize) -> Option<NullBuffer> {
    let defined = match divisor {
        Datum::Scalar(Value::Double(0.0)) => BooleanBuffer::new_unset(rows),
        Datum::Scalar(_) => return nulls,
        Datum::Array(divisors) => {
            let divisors = divisors.as_primitive::<Float64Type>().values();
            if divisors.iter().all(|&divisor| divisor != 0.0) {
                return nulls;
            }
            BooleanBuffer::collect_bool(rows, |row| divisors[row] != 0.0)
        }
    };
    union_nulls(nulls.as_ref(), Some(&NullBuffer::new(defined)))
}

/// `-x` of a column: a double, without a negative zero.
pub(crate) struct NegateDouble;

impl Kernel for NegateDouble {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        if any_null_constant(&operands) {
            return Ok(Datum::Scalar(Value::Null));
        }
        let (values, nulls) = pairs::<Float64Type>(&Datum::Scalar(Value::Double(0.0)), &operands[0], double, |zero, value| zero - value)?;
        Ok(result(Arc::new(PrimitiveArray::<Float64Type>::new(values, nulls)), &operands, DataType::Double))
    }
}

/// `& |` of BIGINT.
pub(crate) struct BitArithmetic(pub(crate) BinaryOp);

impl Kernel for BitArithmetic {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        if any_null_constant(&operands) {
            return Ok(Datum::Scalar(Value::Null));
        }
        let [left, right] = operands.as_slice() else { return Err(Error::internal("two operands are due")) };
        let (values, nulls) = if self.0 == BinaryOp::BitAnd {
            pairs::<Int64Type>(left, right, integer, |left, right| left & right)
        } else {
            pairs::<Int64Type>(left, right, integer, |left, right| left | right)
        }?;
        Ok(result(Arc::new(PrimitiveArray::<Int64Type>::new(values, nulls)), &operands, DataType::BigInt))
    }
}

/// TIMESTAMP and an integer, both given as BIGINT. Sums and differences count ticks and wrap; what TDengine answers to the other
/// operators has no meaning - the bits of the double that came out - and is kept.
pub(crate) struct TickArithmetic {
    pub(crate) op: BinaryOp,
    pub(crate) precision: Precision,
}

impl Kernel for TickArithmetic {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        if any_null_constant(&operands) {
            return Ok(Datum::Scalar(Value::Null));
        }
        let [left, right] = operands.as_slice() else { return Err(Error::internal("two operands are due")) };
        let bits = |value: f64| value.to_bits() as i64;
        let (values, nulls) = match self.op {
            BinaryOp::Add => pairs::<Int64Type>(left, right, integer, i64::wrapping_add)?,
            BinaryOp::Subtract => pairs::<Int64Type>(left, right, integer, i64::wrapping_sub)?,
            BinaryOp::Multiply => pairs::<Int64Type>(left, right, integer, |left, right| bits(left as f64 * right as f64))?,
            op => {
                let quotient = |left: i64, right: i64| left as f64 / right as f64;
                let remainder = |left: i64, right: i64| left as f64 - quotient(left, right).trunc() * right as f64;
                let (values, nulls) = if op == BinaryOp::Divide {
                    pairs::<Int64Type>(left, right, integer, |left, right| bits(quotient(left, right)))
                } else {
                    pairs::<Int64Type>(left, right, integer, |left, right| bits(remainder(left, right)))
                }?;
                let nonzero = BooleanBuffer::collect_bool(values.len(), |row| match right {
                    Datum::Scalar(value) => integer(value) != Some(0),
                    Datum::Array(array) => array.as_primitive::<Int64Type>().value(row) != 0,
                });
                (values, union_nulls(nulls.as_ref(), Some(&NullBuffer::new(nonzero))))
            }
        };
        Ok(result(timestamp_array(values, nulls, self.precision), &operands, DataType::Timestamp))
    }
}

/// A TIMESTAMP moved by calendar months or years in the session's zone.
pub(crate) struct CalendarShift {
    pub(crate) duration: Duration,
    /// 1 or -1.
    pub(crate) times: i64,
    pub(crate) precision: Precision,
    pub(crate) zone: Zone,
}

impl Kernel for CalendarShift {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let moved = |ticks: i64| self.duration.add_to(ticks, self.times, self.precision, &self.zone);
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(Value::Timestamp(ticks)) => Datum::Scalar(moved(ticks).map_or(Value::Null, Value::Timestamp)),
            Datum::Scalar(_) => Datum::Scalar(Value::Null),
            Datum::Array(array) => {
                let cells = ticks(&array).iter().enumerate().map(|(row, &ticks)| if array.is_null(row) { None } else { moved(ticks) });
                let (_, values, nulls) = cells.collect::<PrimitiveArray<Int64Type>>().into_parts();
                Datum::Array(timestamp_array(values, nulls, self.precision))
            }
        })
    }
}
