//! Comparisons: which type two operands meet in (spec/sql.md 2.5), and the loops over values of one type.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, BooleanArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use embudo_sql::ast::expr::BinaryOp;
use embudo_types::{DataType, Error, MAX_VARCHAR, Result, Value, code};

use crate::BoundExpr;
use crate::arithmetic::{operands, union_nulls};
use crate::bound::Kernel;
use crate::convert::{TextColumn, cannot_convert};
use crate::datum::{Datum, bytes_of, ticks};
use crate::decimal;
use crate::json;

/// The type that `left` and `right` are converted to before they are compared.
pub(crate) fn common_type(left: DataType, right: DataType) -> Result<DataType> {
    use DataType::{BigInt, Bool, Double, Float, Geometry, NChar, Null, Timestamp, UBigInt, VarBinary, Varchar};
    let text = Varchar(MAX_VARCHAR);
    Ok(match (left, right) {
        (Null, other) | (other, Null) => other,
        (Varchar(_) | NChar(_), Varchar(_) | NChar(_)) => text,
        (VarBinary(_), VarBinary(_) | Varchar(_) | NChar(_)) | (Varchar(_) | NChar(_), VarBinary(_)) => VarBinary(MAX_VARCHAR),
        (Geometry(_), Geometry(_) | Varchar(_)) | (Varchar(_), Geometry(_)) => Geometry(MAX_VARCHAR),
        (left, right) if left == right && !left.is_variable() => left,
        (VarBinary(_) | Geometry(_), _) | (_, VarBinary(_) | Geometry(_)) => return Err(cannot_convert()),
        (Timestamp, Varchar(_) | NChar(_)) | (Varchar(_) | NChar(_), Timestamp) => Timestamp,
        (Varchar(_), other) | (other, Varchar(_)) if other.is_signed() || other == Bool => BigInt,
        (Varchar(_) | NChar(_), other) | (other, Varchar(_) | NChar(_)) if other.is_numeric() || other == Bool => Double,
        (DataType::Decimal(..), _) | (_, DataType::Decimal(..)) if decimal::shape_of(left).is_some() && decimal::shape_of(right).is_some() => {
            let shape = decimal::shape_of(left).zip(decimal::shape_of(right)).and_then(|(left, right)| decimal::common_shape(left, right));
            shape.map_or(Double, |(digits, scale)| DataType::Decimal(digits, scale))
        }
        (Double | DataType::Decimal(..), other) | (other, Double | DataType::Decimal(..)) if other.is_numeric() || matches!(other, Bool | Timestamp) => Double,
        (Float, other) | (other, Float) if other.is_integer() || matches!(other, Bool | Timestamp) => Float,
        (UBigInt, other) | (other, UBigInt) if other.is_signed() || other == Timestamp => Double,
        (UBigInt, other) | (other, UBigInt) if other.is_unsigned() || other == Bool => UBigInt,
        (Timestamp, other) | (other, Timestamp) if other.is_integer() || other == Bool => Timestamp,
        (left, right) if (left.is_integer() || left == Bool) && (right.is_integer() || right == Bool) => BigInt,
        _ => return Err(cannot_convert()),
    })
}

/// `left op right` of operands of one type.
pub(crate) struct Compare(pub(crate) BinaryOp);

impl Kernel for Compare {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let operands = operands(arguments, columns, rows)?;
        let data_type = arguments[0].data_type();
        match operands.as_slice() {
            [Datum::Scalar(Value::Null), _] | [_, Datum::Scalar(Value::Null)] => Ok(Datum::Scalar(Value::Null)),
            [Datum::Array(left), Datum::Array(right)] => compare_arrays(self.0, left, right, data_type).map(Datum::Array),
            [Datum::Array(left), Datum::Scalar(right)] => compare_constant(self.0, left, right, data_type).map(Datum::Array),
            [Datum::Scalar(left), Datum::Array(right)] => compare_constant(swapped(self.0), right, left, data_type).map(Datum::Array),
            [Datum::Scalar(left), Datum::Scalar(_)] => {
                let left = crate::repeat(left, data_type, arguments[0].precision(), 1)?;
                let Datum::Scalar(right) = &operands[1] else { return Err(Error::internal("constant")) };
                Ok(Datum::Scalar(crate::value_at(&compare_constant(self.0, &left, right, data_type)?, DataType::Bool, 0)))
            }
            _ => Err(Error::internal("two operands are due")),
        }
    }
}

/// The operator that gives the same answer with its operands exchanged.
pub(crate) fn swapped(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// Bits of `predicate` over values, 64 at a time.
pub(crate) fn pack<N: Copy>(values: &[N], predicate: impl Fn(N) -> bool) -> BooleanBuffer {
    let word = |chunk: &[N]| chunk.iter().enumerate().fold(0_u64, |word, (bit, &value)| word | u64::from(predicate(value)) << bit);
    let words: Vec<u64> = values.chunks(64).map(word).collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}

fn pack_pairs<N: Copy>(left: &[N], right: &[N], predicate: impl Fn(N, N) -> bool) -> BooleanBuffer {
    let word = |(left, right): (&[N], &[N])| {
        left.iter().zip(right).enumerate().fold(0_u64, |word, (bit, (&left, &right))| word | u64::from(predicate(left, right)) << bit)
    };
    let words: Vec<u64> = left.chunks(64).zip(right.chunks(64)).map(word).collect();
    BooleanBuffer::new(Buffer::from_vec(words), 0, left.len())
}

fn with_constant<N: Copy + PartialOrd>(op: BinaryOp, left: &[N], right: N) -> BooleanBuffer {
    match op {
        BinaryOp::Equal => pack(left, |left| left == right),
        BinaryOp::NotEqual => pack(left, |left| left != right),
        BinaryOp::Less => pack(left, |left| left < right),
        BinaryOp::LessEqual => pack(left, |left| left <= right),
        BinaryOp::Greater => pack(left, |left| left > right),
        _ => pack(left, |left| left >= right),
    }
}

fn with_values<N: Copy + PartialOrd>(op: BinaryOp, left: &[N], right: &[N]) -> BooleanBuffer {
    match op {
        BinaryOp::Equal => pack_pairs(left, right, |left, right| left == right),
        BinaryOp::NotEqual => pack_pairs(left, right, |left, right| left != right),
        BinaryOp::Less => pack_pairs(left, right, |left, right| left < right),
        BinaryOp::LessEqual => pack_pairs(left, right, |left, right| left <= right),
        BinaryOp::Greater => pack_pairs(left, right, |left, right| left > right),
        _ => pack_pairs(left, right, |left, right| left >= right),
    }
}

/// Whether an ordering satisfies the operator.
pub(crate) fn satisfies(op: BinaryOp, ordering: std::cmp::Ordering) -> bool {
    match op {
        BinaryOp::Equal => ordering.is_eq(),
        BinaryOp::NotEqual => ordering.is_ne(),
        BinaryOp::Less => ordering.is_lt(),
        BinaryOp::LessEqual => ordering.is_le(),
        BinaryOp::Greater => ordering.is_gt(),
        _ => ordering.is_ge(),
    }
}

fn compare_constant(op: BinaryOp, left: &ArrayRef, right: &Value, data_type: DataType) -> Result<ArrayRef> {
    macro_rules! primitive {
        ($arrow:ty, $variant:ident) => {{
            let Value::$variant(right) = right else { return Err(Error::internal("constant of another type")) };
            with_constant(op, left.as_primitive::<$arrow>().values(), *right)
        }};
    }
    let bits = match data_type {
        DataType::Bool => {
            let Value::Bool(right) = right else { return Err(Error::internal("constant of another type")) };
            let left = left.as_boolean().values();
            BooleanBuffer::collect_bool(left.len(), |row| satisfies(op, left.value(row).cmp(right)))
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
            let Value::Timestamp(right) = right else { return Err(Error::internal("constant of another type")) };
            with_constant(op, ticks(left), *right)
        }
        DataType::Decimal(..) => {
            let Value::Decimal(right, ..) = right else { return Err(Error::internal("constant of another type")) };
            with_constant(op, left.as_primitive::<Decimal128Type>().values(), *right)
        }
        _ => {
            let right = bytes_of(right).ok_or_else(|| Error::internal("constant of another type"))?;
            let column = TextColumn::new(left)?;
            BooleanBuffer::collect_bool(column.len(), |row| satisfies(op, column.value(row).cmp(right)))
        }
    };
    Ok(Arc::new(BooleanArray::new(bits, left.nulls().cloned())))
}

fn compare_arrays(op: BinaryOp, left: &ArrayRef, right: &ArrayRef, data_type: DataType) -> Result<ArrayRef> {
    macro_rules! primitive {
        ($arrow:ty) => {
            with_values(op, left.as_primitive::<$arrow>().values(), right.as_primitive::<$arrow>().values())
        };
    }
    let bits = match data_type {
        DataType::Null => return Ok(arrow_array::new_null_array(&arrow_schema::DataType::Boolean, left.len())),
        DataType::Bool => {
            let (left, right) = (left.as_boolean().values(), right.as_boolean().values());
            BooleanBuffer::collect_bool(left.len(), |row| satisfies(op, left.value(row).cmp(&right.value(row))))
        }
        DataType::TinyInt => primitive!(Int8Type),
        DataType::SmallInt => primitive!(Int16Type),
        DataType::Int => primitive!(Int32Type),
        DataType::BigInt => primitive!(Int64Type),
        DataType::UTinyInt => primitive!(UInt8Type),
        DataType::USmallInt => primitive!(UInt16Type),
        DataType::UInt => primitive!(UInt32Type),
        DataType::UBigInt => primitive!(UInt64Type),
        DataType::Float => primitive!(Float32Type),
        DataType::Double => primitive!(Float64Type),
        DataType::Timestamp => with_values(op, ticks(left), ticks(right)),
        DataType::Decimal(..) => primitive!(Decimal128Type),
        _ => {
            let (left, right) = (TextColumn::new(left)?, TextColumn::new(right)?);
            BooleanBuffer::collect_bool(left.len(), |row| satisfies(op, left.value(row).cmp(right.value(row))))
        }
    };
    Ok(Arc::new(BooleanArray::new(bits, union_nulls(left.nulls(), right.nulls()))))
}

/// `json -> 'k' op constant`: a member of another kind than the constant never satisfies, a missing one is NULL.
pub(crate) struct CompareJson {
    pub(crate) op: BinaryOp,
    pub(crate) constant: JsonOperand,
}

/// The constant beside a JSON member.
pub(crate) enum JsonOperand {
    /// BOOL.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// Text.
    Text(String),
}

impl JsonOperand {
    /// The operand that a constant is; `None` for NULL.
    pub(crate) fn new(value: &Value) -> Result<Option<Self>> {
        Ok(Some(match value {
            Value::Null => return Ok(None),
            Value::Bool(value) => Self::Bool(*value),
            Value::BigInt(value) => Self::Number(*value as f64),
            Value::UBigInt(value) => Self::Number(*value as f64),
            Value::Double(value) => Self::Number(*value),
            Value::Varchar(bytes) => Self::Text(String::from_utf8_lossy(bytes).into_owned()),
            Value::NChar(text) => Self::Text(text.clone()),
            _ => return Err(Error::new(code::JSON_NOT_SUPPORT_IN_THIS_PLACE)),
        }))
    }
}

impl Kernel for CompareJson {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let array = arguments[0].evaluate(columns, rows)?;
        let array = array.as_string_opt::<i32>().ok_or_else(|| Error::internal("JSON is not text"))?;
        let holds = |text: &str| {
            let ordering = match (json::scalar(text), &self.constant) {
                (Some(json::Scalar::Bool(member)), JsonOperand::Bool(constant)) => Some(member.cmp(constant)),
                (Some(json::Scalar::Number(member)), JsonOperand::Number(constant)) => member.partial_cmp(constant),
                (Some(json::Scalar::Text(member)), JsonOperand::Text(constant)) => Some(member.as_ref().cmp(constant.as_str())),
                _ => None,
            };
            ordering.is_some_and(|ordering| satisfies(self.op, ordering))
        };
        Ok(Datum::Array(Arc::new(array.iter().map(|cell| cell.map(holds)).collect::<BooleanArray>())))
    }
}

/// `x IS [NOT] NULL`.
pub(crate) struct IsNull {
    pub(crate) negated: bool,
}

impl Kernel for IsNull {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(value) => Datum::Scalar(Value::Bool(value.is_null() != self.negated)),
            Datum::Array(array) => {
                let valid = array.logical_nulls().map_or_else(|| BooleanBuffer::new_set(array.len()), NullBuffer::into_inner);
                Datum::Array(Arc::new(BooleanArray::new(if self.negated { valid } else { !&valid }, None)))
            }
        })
    }
}
