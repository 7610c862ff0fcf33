//! AND, OR, NOT with three values, IN lists, CASE.

use std::sync::Arc;

use arrow_array::types::{Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use embudo_types::{DataType, Error, Precision, Result, Value};
use rustc_hash::FxHashSet;

use crate::BoundExpr;
use crate::bound::Kernel;
use crate::convert::{TextBuilder, TextColumn};
use crate::datum::{Datum, bytes_of, ticks, timestamp_array};

/// A condition's rows that are true and rows that are false; the rest is NULL.
struct Truth {
    is_true: BooleanBuffer,
    is_false: BooleanBuffer,
}

impl Truth {
    fn new(datum: &Datum, rows: usize) -> Result<Self> {
        Ok(match datum {
            Datum::Scalar(Value::Bool(true)) => Self { is_true: BooleanBuffer::new_set(rows), is_false: BooleanBuffer::new_unset(rows) },
            Datum::Scalar(Value::Bool(false)) => Self { is_true: BooleanBuffer::new_unset(rows), is_false: BooleanBuffer::new_set(rows) },
            Datum::Scalar(_) => Self { is_true: BooleanBuffer::new_unset(rows), is_false: BooleanBuffer::new_unset(rows) },
            Datum::Array(array) => {
                let array = array.as_boolean_opt().ok_or_else(|| Error::internal("a condition is not BOOL"))?;
                match array.nulls() {
                    None => Self { is_true: array.values().clone(), is_false: !array.values() },
                    Some(nulls) => Self { is_true: array.values() & nulls.inner(), is_false: &!array.values() & nulls.inner() },
                }
            }
        })
    }

    fn into_array(self) -> ArrayRef {
        let valid = NullBuffer::new(&self.is_true | &self.is_false);
        Arc::new(BooleanArray::new(self.is_true, (valid.null_count() > 0).then_some(valid)))
    }
}

/// AND or OR of conditions; those behind one that decides every row are not looked at.
pub(crate) struct Connective {
    pub(crate) or: bool,
}

impl Kernel for Connective {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let mut all: Option<Truth> = None;
        for argument in arguments {
            let datum = argument.datum(columns, rows)?;
            if all.is_none() && matches!(&datum, Datum::Scalar(Value::Bool(decides)) if *decides == self.or) {
                return Ok(datum);
            }
            let next = Truth::new(&datum, rows)?;
            let truth = match all {
                None => next,
                Some(known) if self.or => Truth { is_true: &known.is_true | &next.is_true, is_false: &known.is_false & &next.is_false },
                Some(known) => Truth { is_true: &known.is_true & &next.is_true, is_false: &known.is_false | &next.is_false },
            };
            let deciding = if self.or { &truth.is_true } else { &truth.is_false };
            if rows > 0 && deciding.count_set_bits() == rows {
                return Ok(Datum::Array(truth.into_array()));
            }
            all = Some(truth);
        }
        Ok(all.map_or(Datum::Scalar(Value::Bool(!self.or)), |truth| Datum::Array(truth.into_array())))
    }

    fn is_conjunction(&self) -> bool {
        !self.or
    }
}

/// NOT.
pub(crate) struct Not;

impl Kernel for Not {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        Ok(match arguments[0].datum(columns, rows)? {
            Datum::Scalar(Value::Bool(value)) => Datum::Scalar(Value::Bool(!value)),
            Datum::Scalar(_) => Datum::Scalar(Value::Null),
            Datum::Array(array) => {
                let array = array.as_boolean_opt().ok_or_else(|| Error::internal("a condition is not BOOL"))?;
                Datum::Array(Arc::new(BooleanArray::new(!array.values(), array.nulls().cloned())))
            }
        })
    }
}

/// `x [NOT] IN (constants)`; the constants are of x's type already.
pub(crate) struct InList {
    members: Members,
    has_null: bool,
    negated: bool,
}

enum Members {
    /// Integers, BOOL, TIMESTAMP: the value as i64 (unsigned ones by their bits).
    Integers(FxHashSet<i64>),
    /// FLOAT and DOUBLE, by the bits of the double; zeros are one.
    Doubles(FxHashSet<u64>),
    /// Bytes.
    Bytes(FxHashSet<Vec<u8>>),
    /// Unscaled numbers of one scale.
    Decimals(FxHashSet<i128>),
}

fn double_bits(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

impl InList {
    /// A list of values of `data_type` or NULL.
    pub(crate) fn new(data_type: DataType, list: &[Value], negated: bool) -> Result<Self> {
        let values = || list.iter().filter(|value| !value.is_null());
        let members = if matches!(data_type, DataType::Float | DataType::Double) {
            Members::Doubles(
                values()
                    .filter_map(|value| match value {
                        Value::Float(value) => Some(double_bits(f64::from(*value))),
                        Value::Double(value) => Some(double_bits(*value)),
                        _ => None,
                    })
                    .collect(),
            )
        } else if data_type.is_variable() {
            Members::Bytes(values().filter_map(bytes_of).map(<[u8]>::to_vec).collect())
        } else if matches!(data_type, DataType::Decimal(..)) {
            Members::Decimals(values().filter_map(|value| if let Value::Decimal(value, ..) = value { Some(*value) } else { None }).collect())
        } else if data_type.is_integer() || matches!(data_type, DataType::Bool | DataType::Timestamp | DataType::Null) {
            Members::Integers(values().filter_map(integer_of).collect())
        } else {
            return Err(crate::convert::cannot_convert());
        };
        Ok(Self { members, has_null: list.iter().any(Value::is_null), negated })
    }

    fn found(&self, array: &ArrayRef, data_type: DataType) -> Result<BooleanBuffer> {
        Ok(match &self.members {
            Members::Doubles(members) if data_type == DataType::Float => {
                crate::compare::pack(array.as_primitive::<Float32Type>().values(), |value| members.contains(&double_bits(f64::from(value))))
            }
            Members::Doubles(members) => crate::compare::pack(array.as_primitive::<Float64Type>().values(), |value| members.contains(&double_bits(value))),
            Members::Decimals(members) => crate::compare::pack(array.as_primitive::<Decimal128Type>().values(), |value| members.contains(&value)),
            Members::Bytes(members) => {
                let column = TextColumn::new(array)?;
                BooleanBuffer::collect_bool(column.len(), |row| members.contains(column.value(row)))
            }
            Members::Integers(members) => {
                macro_rules! primitive {
                    ($arrow:ty) => {
                        crate::compare::pack(array.as_primitive::<$arrow>().values(), |value| members.contains(&(value as i64)))
                    };
                }
                match data_type {
                    DataType::Bool => {
                        let values = array.as_boolean().values();
                        BooleanBuffer::collect_bool(values.len(), |row| members.contains(&i64::from(values.value(row))))
                    }
                    DataType::TinyInt => primitive!(Int8Type),
                    DataType::SmallInt => primitive!(Int16Type),
                    DataType::Int => primitive!(Int32Type),
                    DataType::BigInt => primitive!(Int64Type),
                    DataType::UTinyInt => primitive!(UInt8Type),
                    DataType::USmallInt => primitive!(UInt16Type),
                    DataType::UInt => primitive!(UInt32Type),
                    DataType::UBigInt => primitive!(UInt64Type),
                    DataType::Timestamp => crate::compare::pack(ticks(array), |value| members.contains(&value)),
                    _ => BooleanBuffer::new_unset(array.len()),
                }
            }
        })
    }
}

/// Integers, BOOL and TIMESTAMP as i64.
fn integer_of(value: &Value) -> Option<i64> {
    Some(match value {
        Value::Bool(value) => i64::from(*value),
        Value::TinyInt(value) => i64::from(*value),
        Value::SmallInt(value) => i64::from(*value),
        Value::Int(value) => i64::from(*value),
        Value::BigInt(value) | Value::Timestamp(value) => *value,
        Value::UTinyInt(value) => i64::from(*value),
        Value::USmallInt(value) => i64::from(*value),
        Value::UInt(value) => i64::from(*value),
        Value::UBigInt(value) => *value as i64,
        _ => return None,
    })
}

impl Kernel for InList {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let argument = &arguments[0];
        let datum = argument.datum(columns, rows)?;
        if matches!(datum, Datum::Scalar(Value::Null)) {
            return Ok(datum);
        }
        let constant = matches!(datum, Datum::Scalar(_));
        let array = datum.into_array(argument.data_type(), argument.precision(), if constant { 1 } else { rows })?;
        let found = self.found(&array, argument.data_type())?;
        // A value that is not in the list may still equal its NULL.
        let nulls =
            if self.has_null { NullBuffer::union(array.logical_nulls().as_ref(), Some(&NullBuffer::new(found.clone()))) } else { array.logical_nulls() };
        let result: ArrayRef = Arc::new(BooleanArray::new(if self.negated { !&found } else { found }, nulls));
        Ok(if constant { Datum::Scalar(crate::value_at(&result, DataType::Bool, 0)) } else { Datum::Array(result) })
    }
}

/// CASE: conditions and results take turns, an odd last argument is ELSE; all results are of the node's type.
pub(crate) struct Case {
    pub(crate) data_type: DataType,
    pub(crate) precision: Precision,
}

/// No branch: NULL.
const NO_BRANCH: u32 = u32::MAX;

impl Kernel for Case {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let mut choice = vec![NO_BRANCH; rows];
        let mut open = rows;
        let mut branches = Vec::with_capacity(arguments.len() / 2 + 1);
        for pair in arguments.chunks_exact(2) {
            if open == 0 {
                break;
            }
            let truth = Truth::new(&pair[0].datum(columns, rows)?, rows)?;
            let branch = branches.len() as u32;
            let mut taken = 0;
            for row in truth.is_true.set_indices() {
                if choice[row] == NO_BRANCH {
                    choice[row] = branch;
                    taken += 1;
                }
            }
            open -= taken;
            // A branch that no row takes is not computed.
            branches.push(if taken > 0 { pair[1].datum(columns, rows)? } else { Datum::Scalar(Value::Null) });
        }
        if let ([otherwise], true) = (arguments.chunks_exact(2).remainder(), open > 0) {
            let branch = branches.len() as u32;
            choice.iter_mut().filter(|choice| **choice == NO_BRANCH).for_each(|choice| *choice = branch);
            branches.push(otherwise.datum(columns, rows)?);
        }
        choose(&branches, &choice, self.data_type, self.precision).map(Datum::Array)
    }
}

/// Row by row the cell of the branch that `choice` names.
fn choose(branches: &[Datum], choice: &[u32], data_type: DataType, precision: Precision) -> Result<ArrayRef> {
    fn validity(branches: &[Datum], choice: &[u32]) -> NullBuffer {
        NullBuffer::new(BooleanBuffer::collect_bool(choice.len(), |row| match branches.get(choice[row] as usize) {
            None => false,
            Some(Datum::Scalar(value)) => !value.is_null(),
            Some(Datum::Array(array)) => array.is_valid(row),
        }))
    }
    fn native<T: ArrowPrimitiveType>(
        branches: &[Datum],
        choice: &[u32],
        scalar: impl Fn(&Value) -> Option<T::Native>,
        values: impl Fn(&ArrayRef) -> &[T::Native],
    ) -> PrimitiveArray<T> {
        let mut chosen = vec![T::default_value(); choice.len()];
        for (branch, datum) in branches.iter().enumerate() {
            let rows = chosen.iter_mut().zip(choice).enumerate().filter(|(_, (_, taken))| **taken == branch as u32);
            match datum {
                Datum::Scalar(value) => {
                    let value = scalar(value).unwrap_or_default();
                    rows.for_each(|(_, (cell, _))| *cell = value);
                }
                Datum::Array(array) => {
                    let values = values(array);
                    rows.for_each(|(row, (cell, _))| *cell = values[row]);
                }
            }
        }
        let nulls = validity(branches, choice);
        PrimitiveArray::new(chosen.into(), (nulls.null_count() > 0).then_some(nulls))
    }
    macro_rules! primitive {
        ($arrow:ty, $variant:ident) => {
            Arc::new(native::<$arrow>(
                branches,
                choice,
                |value| if let Value::$variant(value) = value { Some(*value) } else { None },
                |array| array.as_primitive::<$arrow>().values(),
            ))
        };
    }
    Ok(match data_type {
        DataType::Null => arrow_array::new_null_array(&arrow_schema::DataType::Null, choice.len()),
        DataType::Bool => {
            let nulls = validity(branches, choice);
            let bits = BooleanBuffer::collect_bool(choice.len(), |row| match branches.get(choice[row] as usize) {
                Some(Datum::Scalar(Value::Bool(value))) => *value,
                Some(Datum::Array(array)) => array.as_boolean().value(row),
                _ => false,
            });
            Arc::new(BooleanArray::new(bits, (nulls.null_count() > 0).then_some(nulls)))
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
            let (_, values, nulls) =
                native::<Int64Type>(branches, choice, |value| if let Value::Timestamp(value) = value { Some(*value) } else { None }, |array| ticks(array))
                    .into_parts();
            timestamp_array(values, nulls, precision)
        }
        DataType::Decimal(digits, scale) => {
            let array = native::<Decimal128Type>(
                branches,
                choice,
                |value| if let Value::Decimal(value, ..) = value { Some(*value) } else { None },
                |array| array.as_primitive::<Decimal128Type>().values(),
            );
            Arc::new(array.with_precision_and_scale(digits, scale as i8).map_err(|source| Error::internal("decimal type").caused_by(source))?)
        }
        _ => {
            let columns = branches
                .iter()
                .map(|datum| if let Datum::Array(array) = datum { TextColumn::new(array).map(Some) } else { Ok(None) })
                .collect::<Result<Vec<_>>>()?;
            let mut builder = TextBuilder::new(data_type)?;
            for (row, &branch) in choice.iter().enumerate() {
                let branch = branch as usize;
                builder.append(match (columns.get(branch), branches.get(branch)) {
                    (Some(Some(column)), _) => column.get(row),
                    (_, Some(Datum::Scalar(value))) => bytes_of(value),
                    _ => None,
                })?;
            }
            builder.finish()
        }
    })
}
