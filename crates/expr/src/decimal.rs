//! DECIMAL: digits and scale of what operators give, and exact arithmetic on unscaled numbers (the rules of TDengine 3.3.6).
//!
//! Integers beside a DECIMAL are decimals without a fraction; FLOAT, DOUBLE and text turn the operation into one of doubles. Whatever does
//! not fit in the digits of its type is 0x013D "Decimal value overflow", digits beyond the scale are rounded half away from zero.

use std::sync::Arc;

use arrow_array::types::Decimal128Type;
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use arrow_buffer::i256;
use embudo_sql::ast::expr::BinaryOp;
use embudo_types::{DataType, Error, Result, Value, code};

use crate::BoundExpr;
use crate::arithmetic::operands;
use crate::bound::Kernel;
use crate::datum::Datum;

/// Most digits of a DECIMAL.
pub(crate) const MOST_DIGITS: u8 = 38;

/// Digits behind the point that a result keeps where it has more digits than there is room for.
const KEPT_SCALE: u8 = 6;

/// Digits and scale.
pub(crate) type Shape = (u8, u8);

/// The shape that an operand beside a DECIMAL has; `None` where it turns the operation into one of doubles.
pub(crate) fn shape_of(data_type: DataType) -> Option<Shape> {
    Some(match data_type {
        DataType::Decimal(digits, scale) => (digits, scale),
        DataType::Bool | DataType::Null => (1, 0),
        DataType::TinyInt | DataType::UTinyInt => (3, 0),
        DataType::SmallInt | DataType::USmallInt => (5, 0),
        DataType::Int | DataType::UInt => (10, 0),
        DataType::BigInt => (19, 0),
        DataType::UBigInt => (20, 0),
        _ => return None,
    })
}

/// The shape of `left op right`.
pub(crate) fn result_shape(op: BinaryOp, left: Shape, right: Shape) -> Shape {
    let ((left_digits, left_scale), (right_digits, right_scale)) = (left, right);
    let (left_whole, right_whole) = (left_digits - left_scale, right_digits - right_scale);
    let scale = left_scale.max(right_scale);
    match op {
        BinaryOp::Multiply => fitted(left_digits + right_digits + 1, left_scale + right_scale),
        BinaryOp::Divide => {
            let scale = KEPT_SCALE.max(left_scale + right_digits + 1);
            fitted(left_whole + right_scale + scale, scale)
        }
        BinaryOp::Modulo => fitted(left_whole.min(right_whole) + scale, scale),
        _ => fitted(left_whole.max(right_whole) + scale + 1, scale),
    }
}

/// A shape cut to the digits there are: the fraction gives way, but for its first six digits.
fn fitted(digits: u8, scale: u8) -> Shape {
    if digits <= MOST_DIGITS {
        return (digits, scale);
    }
    let whole = digits - scale;
    (MOST_DIGITS, MOST_DIGITS.saturating_sub(whole).max(scale.min(KEPT_SCALE)))
}

/// The shape of AVG over decimals: of their sum divided by a BIGINT UNSIGNED.
pub(crate) fn mean_shape(scale: u8) -> Shape {
    result_shape(BinaryOp::Divide, (MOST_DIGITS, scale), (20, 0))
}

/// The shape that decimals of both shapes fit in; `None` where there is none.
pub(crate) fn common_shape(left: Shape, right: Shape) -> Option<Shape> {
    let scale = left.1.max(right.1);
    let digits = (left.0 - left.1).max(right.0 - right.1) + scale;
    (digits <= MOST_DIGITS).then_some((digits, scale))
}

/// TDengine's refusal of a number that has more digits than its type.
pub(crate) fn overflow() -> Error {
    Error::new(code::DECIMAL_VALUE_OVERFLOW)
}

/// `value` where it fits in `digits`.
pub(crate) fn checked(value: i128, digits: u8) -> Result<i128> {
    if value.unsigned_abs() < 10_u128.pow(u32::from(digits)) { Ok(value) } else { Err(overflow()) }
}

fn power(exponent: u8) -> Option<i256> {
    i256::from_i128(10).checked_pow(u32::from(exponent))
}

/// `value / unit`, rounded half away from zero.
fn rounded_quotient(value: i256, unit: i256) -> Option<i256> {
    let (quotient, rest) = (value.checked_div(unit)?, value.checked_rem(unit)?);
    let (rest, half) = (rest.checked_abs()?, unit.checked_abs()?);
    // Compared without doubling, which may not fit.
    if rest >= half.checked_sub(rest)? {
        let away = if (value < i256::ZERO) == (unit < i256::ZERO) { i256::ONE } else { i256::MINUS_ONE };
        return quotient.checked_add(away);
    }
    Some(quotient)
}

fn scaled(value: i256, from: u8, to: u8) -> Option<i256> {
    if to >= from { value.checked_mul(power(to - from)?) } else { rounded_quotient(value, power(from - to)?) }
}

/// An unscaled number of scale `from` in the shape `to`.
pub(crate) fn rescale(value: i128, from: u8, to: Shape) -> Result<i128> {
    if from == to.1 {
        return checked(value, to.0);
    }
    scaled(i256::from_i128(value), from, to.1).and_then(i256::to_i128).ok_or_else(overflow).and_then(|value| checked(value, to.0))
}

/// `total / count` in the shape `to`.
pub(crate) fn mean(total: i128, scale: u8, count: u64, to: Shape) -> Result<i128> {
    let quotient = i256::from_i128(total).checked_mul(power(to.1.saturating_sub(scale)).ok_or_else(overflow)?);
    let quotient = quotient.and_then(|total| rounded_quotient(total, i256::from_i128(i128::from(count))));
    let quotient = if to.1 < scale { quotient.and_then(|quotient| scaled(quotient, scale, to.1)) } else { quotient };
    quotient.and_then(i256::to_i128).ok_or_else(overflow).and_then(|value| checked(value, to.0))
}

/// The DECIMAL nearest to a double.
pub(crate) fn of_double(value: f64, to: Shape) -> Result<i128> {
    let unscaled = (value * 10_f64.powi(i32::from(to.1))).round();
    // Doubles hold integers of 15 digits exactly; beyond, the text is exact.
    if unscaled.abs() < 1e15 {
        return checked(unscaled as i128, to.0);
    }
    if unscaled.is_nan() || unscaled.abs() >= 1e38 {
        return Err(overflow());
    }
    let text = format!("{value:.*}", usize::from(to.1)).replace('.', "");
    text.parse().map_err(|_| overflow()).and_then(|value| checked(value, to.0))
}

/// The DECIMAL that a text starts with; 0 where it starts with none.
pub(crate) fn of_text(text: &[u8], to: Shape) -> Result<i128> {
    let text = text.trim_ascii_start();
    let (negative, text) = match text.first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let (mut unscaled, mut scale, mut point, mut at) = (i256::ZERO, 0_i32, false, 0);
    while let Some(&byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                // Digits that no type can show only say how large the number is.
                let next = i256::from_i128(10).checked_mul(unscaled).and_then(|ten| ten.checked_add(i256::from_i128(i128::from(byte - b'0'))));
                match next {
                    Some(next) => (unscaled, scale) = (next, scale + i32::from(point)),
                    None => scale -= i32::from(!point),
                }
            }
            b'.' if !point => point = true,
            _ => break,
        }
        at += 1;
    }
    scale = scale.saturating_sub(exponent(text.get(at..).unwrap_or_default()));
    if unscaled == i256::ZERO {
        return Ok(0);
    }
    let wanted = i32::from(to.1);
    let value = match u8::try_from((wanted - scale).unsigned_abs()) {
        Ok(places) if wanted >= scale => power(places).and_then(|power| unscaled.checked_mul(power)),
        Ok(places) => match power(places) {
            Some(power) => rounded_quotient(unscaled, power),
            None => Some(i256::ZERO),
        },
        Err(_) if wanted >= scale => None,
        Err(_) => Some(i256::ZERO),
    };
    let value = value.and_then(i256::to_i128).ok_or_else(overflow)?;
    checked(if negative { -value } else { value }, to.0)
}

/// The number behind `e`, or 0.
fn exponent(text: &[u8]) -> i32 {
    let [b'e' | b'E', rest @ ..] = text else { return 0 };
    let end = rest.iter().enumerate().take_while(|(at, byte)| byte.is_ascii_digit() || (*at == 0 && matches!(byte, b'-' | b'+'))).count();
    std::str::from_utf8(&rest[..end]).ok().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

/// The array of unscaled numbers.
pub(crate) fn array(values: Vec<Option<i128>>, shape: Shape) -> Result<ArrayRef> {
    let array = PrimitiveArray::<Decimal128Type>::from(values).with_precision_and_scale(shape.0, shape.1 as i8);
    array.map(|array| Arc::new(array) as ArrayRef).map_err(|source| Error::internal("decimal type").caused_by(source))
}

/// Unscaled numbers of an operand.
enum Operand<'a> {
    Constant(Option<i128>),
    Column(&'a PrimitiveArray<Decimal128Type>),
}

impl<'a> Operand<'a> {
    fn new(datum: &'a Datum) -> Self {
        match datum {
            Datum::Array(array) => Self::Column(array.as_primitive::<Decimal128Type>()),
            Datum::Scalar(Value::Decimal(value, ..)) => Self::Constant(Some(*value)),
            Datum::Scalar(_) => Self::Constant(None),
        }
    }

    fn get(&self, row: usize) -> Option<i128> {
        match self {
            Self::Constant(value) => *value,
            Self::Column(array) => array.is_valid(row).then(|| array.value(row)),
        }
    }
}

/// A function of unscaled numbers, row by row; NULL in any is NULL.
pub(crate) struct DecimalKernel<F> {
    pub(crate) shape: Shape,
    pub(crate) function: F,
}

impl<F: Fn(&[i128]) -> Result<Option<i128>> + Send + Sync> Kernel for DecimalKernel<F> {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let constant = operands.iter().all(|operand| matches!(operand, Datum::Scalar(_)));
        let operands: Vec<Operand<'_>> = operands.iter().map(Operand::new).collect();
        let mut cells = Vec::with_capacity(operands.len());
        let mut values = Vec::with_capacity(if constant { 1 } else { rows });
        for row in 0..if constant { 1 } else { rows } {
            cells.clear();
            cells.extend(operands.iter().map_while(|operand| operand.get(row)));
            values.push(if cells.len() == operands.len() { (self.function)(&cells)? } else { None });
        }
        if constant {
            let value = values.pop().flatten();
            return Ok(Datum::Scalar(value.map_or(Value::Null, |value| Value::Decimal(value, self.shape.0, self.shape.1))));
        }
        array(values, self.shape).map(Datum::Array)
    }
}

/// `+ - * / %` of decimals; division and remainder by zero are NULL, as of doubles.
pub(crate) fn arithmetic(op: BinaryOp, left: Shape, right: Shape) -> DecimalKernel<impl Fn(&[i128]) -> Result<Option<i128>> + Send + Sync> {
    let shape = result_shape(op, left, right);
    let (left_scale, right_scale) = (left.1, right.1);
    let function = move |cells: &[i128]| {
        let (left, right) = (i256::from_i128(cells[0]), i256::from_i128(cells[1]));
        if right == i256::ZERO && matches!(op, BinaryOp::Divide | BinaryOp::Modulo) {
            return Ok(None);
        }
        let scale = left_scale.max(right_scale);
        let same_scale = || Some((scaled(left, left_scale, scale)?, scaled(right, right_scale, scale)?));
        let exact = match op {
            BinaryOp::Multiply => left.checked_mul(right).and_then(|product| scaled(product, left_scale + right_scale, shape.1)),
            BinaryOp::Divide => {
                // left / 10^l over right / 10^r, with `shape.1` digits behind the point.
                let (up, down) = (shape.1 + right_scale, left_scale);
                if up >= down {
                    power(up - down).and_then(|power| left.checked_mul(power)).and_then(|left| rounded_quotient(left, right))
                } else {
                    power(down - up).and_then(|power| right.checked_mul(power)).and_then(|right| rounded_quotient(left, right))
                }
            }
            BinaryOp::Modulo => same_scale().and_then(|(left, right)| left.checked_rem(right)).and_then(|rest| scaled(rest, scale, shape.1)),
            BinaryOp::Subtract => same_scale().and_then(|(left, right)| left.checked_sub(right)).and_then(|value| scaled(value, scale, shape.1)),
            _ => same_scale().and_then(|(left, right)| left.checked_add(right)).and_then(|value| scaled(value, scale, shape.1)),
        };
        exact.and_then(i256::to_i128).ok_or_else(overflow).and_then(|value| checked(value, shape.0)).map(Some)
    };
    DecimalKernel { shape, function }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn shapes_of_results() {
        assert_eq!(result_shape(BinaryOp::Add, (10, 2), (8, 4)), (13, 4));
        assert_eq!(result_shape(BinaryOp::Multiply, (10, 2), (8, 4)), (19, 6));
        assert_eq!(result_shape(BinaryOp::Divide, (10, 2), (8, 4)), (23, 11));
        assert_eq!(result_shape(BinaryOp::Modulo, (10, 2), (8, 4)), (8, 4));
        assert_eq!(result_shape(BinaryOp::Multiply, (38, 10), (38, 10)), (38, 6));
        assert_eq!(result_shape(BinaryOp::Add, (38, 0), (38, 0)), (38, 0));
        assert_eq!(mean_shape(2), (38, 6));
        assert_eq!(mean_shape(10), (38, 10));
    }

    #[test]
    fn numbers_of_text_and_doubles() {
        let shape = (10, 2);
        for (text, value) in
            [("12.345", 1_235), (" -0.005x", -1), ("1e3", 100_000), ("1.5E-1", 15), ("abc", 0), (".5", 50), ("1e-400", 0), ("99999999.994", 9_999_999_999)]
        {
            assert_eq!(of_text(text.as_bytes(), shape).unwrap(), value, "{text}");
        }
        for text in ["100000000", "1e300", "99999999.995"] {
            assert_eq!(of_text(text.as_bytes(), shape).unwrap_err().code(), code::DECIMAL_VALUE_OVERFLOW, "{text}");
        }
        assert_eq!(of_double(1.5, shape).unwrap(), 150);
        assert_eq!(of_double(1e20, (38, 10)).unwrap(), 10_i128.pow(30));
        assert!(of_double(f64::NAN, shape).is_err());
        assert!(of_double(1e9, shape).is_err());
    }

    proptest! {
        #[test]
        fn small_decimals_agree_with_integers(left in -1_000_000_i128..1_000_000, right in -1_000_000_i128..1_000_000, left_scale in 0_u8..6, right_scale in 0_u8..6) {
            let (left_shape, right_shape) = ((12, left_scale), (12, right_scale));
            for op in [BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo] {
                let kernel = arithmetic(op, left_shape, right_shape);
                let Some(found) = (kernel.function)(&[left, right]).unwrap() else {
                    prop_assert!(right == 0);
                    continue;
                };
                // Both sides with ten digits behind the point.
                let (left, right) = (left * 10_i128.pow(10 - u32::from(left_scale)), right * 10_i128.pow(10 - u32::from(right_scale)));
                let unit = 10_i128.pow(u32::from(kernel.shape.1));
                let (numerator, denominator) = match op {
                    BinaryOp::Add => (left + right, 10_i128.pow(10)),
                    BinaryOp::Subtract => (left - right, 10_i128.pow(10)),
                    BinaryOp::Multiply => (left * right, 10_i128.pow(20)),
                    BinaryOp::Divide => (left, right),
                    _ => (left % right, 10_i128.pow(10)),
                };
                let exact = i256::from_i128(numerator) * i256::from_i128(unit);
                let off = exact - i256::from_i128(found) * i256::from_i128(denominator);
                prop_assert!(off.checked_abs().unwrap() * i256::from_i128(2) <= i256::from_i128(denominator).checked_abs().unwrap(), "{op:?} {found}");
            }
        }
    }
}
