//! Loops over slices of numbers that compilers turn into vector instructions, and the dispatch from a type to its loop.

use arrow_buffer::NullBuffer;

/// Runs `$body` with `$arrow` standing for the Arrow type of a numeric `$data_type`, or `$other`.
macro_rules! with_number_type {
    ($data_type:expr, $arrow:ident => $body:expr, else $other:expr) => {{
        use arrow_array::types::{Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type};
        use embudo_types::DataType;
        macro_rules! with {
            ($type:ty) => {{
                type $arrow = $type;
                $body
            }};
        }
        match $data_type {
            DataType::TinyInt => with!(Int8Type),
            DataType::SmallInt => with!(Int16Type),
            DataType::Int => with!(Int32Type),
            DataType::BigInt => with!(Int64Type),
            DataType::UTinyInt => with!(UInt8Type),
            DataType::USmallInt => with!(UInt16Type),
            DataType::UInt => with!(UInt32Type),
            DataType::UBigInt => with!(UInt64Type),
            DataType::Float => with!(Float32Type),
            DataType::Double => with!(Float64Type),
            _ => $other,
        }
    }};
}
pub(super) use with_number_type;

/// A numeric cell.
pub(super) trait Number: Copy + PartialOrd + Default + Send + Sync + 'static {
    /// As a double.
    fn double(self) -> f64;
    /// Its square as a double; of a FLOAT rounded to one, as TDengine computes it.
    fn square(self) -> f64 {
        self.double() * self.double()
    }
    /// The cell of a value of its type.
    fn of(value: &embudo_types::Value) -> Option<Self>;
    /// Sum of a slice, exact of integers.
    fn total(values: &[Self]) -> Total;
}

/// A sum: exact of integers, in lanes of doubles otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Total {
    /// Of integers.
    Integer(i128),
    /// Of FLOAT and DOUBLE.
    Double(f64),
}

impl Total {
    /// As a double.
    pub(super) fn double(self) -> f64 {
        match self {
            Self::Integer(total) => total as f64,
            Self::Double(total) => total,
        }
    }

    /// The sum of both.
    pub(super) fn plus(self, other: Self) -> Self {
        match (self, other) {
            (Self::Integer(left), Self::Integer(right)) => Self::Integer(left.wrapping_add(right)),
            (left, right) => Self::Double(left.double() + right.double()),
        }
    }
}

const LANES: usize = 8;

/// Sum in eight lanes; the order is fixed by the slice alone.
pub(super) fn sum_doubles<N: Number>(values: &[N]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += value.double();
        }
    }
    let rest: f64 = rest.iter().map(|value| value.double()).sum();
    lanes.iter().sum::<f64>() + rest
}

/// Sum of squared distances from `mean`, in eight lanes; what rounding changed in [`Number::square`] is in it.
pub(super) fn squared_distances<N: Number>(values: &[N], mean: f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let square = |value: &N| {
        let distance = value.double() - mean;
        distance * distance + (value.square() - value.double() * value.double())
    };
    let (chunks, rest) = values.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += square(value);
        }
    }
    lanes.iter().sum::<f64>() + rest.iter().map(square).sum::<f64>()
}

/// Exact sum of 64-bit integers given with their sign bit flipped: halves are summed apart, so that nothing overflows in 2^32 rows.
fn sum_halves(values: impl Iterator<Item = u64>) -> u128 {
    let (mut low, mut high) = (0_u64, 0_u64);
    for value in values {
        low += value & 0xFFFF_FFFF;
        high += value >> 32;
    }
    (u128::from(high) << 32) + u128::from(low)
}

/// Rows whose halves cannot overflow when summed.
const HALVES: usize = 1 << 31;

macro_rules! narrow_number {
    ($native:ty, $variant:ident, $wide:ty) => {
        impl Number for $native {
            fn double(self) -> f64 {
                f64::from(self)
            }
            fn of(value: &embudo_types::Value) -> Option<Self> {
                if let embudo_types::Value::$variant(value) = value { Some(*value) } else { None }
            }
            fn total(values: &[Self]) -> Total {
                let chunk = |values: &[Self]| i128::from(values.iter().map(|&value| <$wide>::from(value)).sum::<$wide>());
                Total::Integer(values.chunks(HALVES).map(chunk).sum())
            }
        }
    };
}
narrow_number!(i8, TinyInt, i64);
narrow_number!(i16, SmallInt, i64);
narrow_number!(i32, Int, i64);
narrow_number!(u8, UTinyInt, u64);
narrow_number!(u16, USmallInt, u64);
narrow_number!(u32, UInt, u64);

impl Number for i64 {
    fn double(self) -> f64 {
        self as f64
    }
    fn of(value: &embudo_types::Value) -> Option<Self> {
        if let embudo_types::Value::BigInt(value) = value { Some(*value) } else { None }
    }
    fn total(values: &[Self]) -> Total {
        let chunk = |values: &[Self]| sum_halves(values.iter().map(|&value| value as u64 ^ 1 << 63)) as i128 - ((values.len() as i128) << 63);
        Total::Integer(values.chunks(HALVES).map(chunk).sum())
    }
}

impl Number for u64 {
    fn double(self) -> f64 {
        self as f64
    }
    fn of(value: &embudo_types::Value) -> Option<Self> {
        if let embudo_types::Value::UBigInt(value) = value { Some(*value) } else { None }
    }
    fn total(values: &[Self]) -> Total {
        Total::Integer(values.chunks(HALVES).map(|values| sum_halves(values.iter().copied()) as i128).sum())
    }
}

/// Unscaled numbers of DECIMAL, for what compares them.
impl Number for i128 {
    fn double(self) -> f64 {
        self as f64
    }
    fn of(value: &embudo_types::Value) -> Option<Self> {
        if let embudo_types::Value::Decimal(value, ..) = value { Some(*value) } else { None }
    }
    fn total(values: &[Self]) -> Total {
        Total::Integer(values.iter().fold(0, |total, value| total.wrapping_add(*value)))
    }
}

macro_rules! float_number {
    ($native:ty, $variant:ident) => {
        impl Number for $native {
            fn double(self) -> f64 {
                self.into()
            }
            fn square(self) -> f64 {
                (self * self).into()
            }
            fn of(value: &embudo_types::Value) -> Option<Self> {
                if let embudo_types::Value::$variant(value) = value { Some(*value) } else { None }
            }
            fn total(values: &[Self]) -> Total {
                Total::Double(sum_doubles(values))
            }
        }
    };
}
float_number!(f32, Float);
float_number!(f64, Double);

/// The value of a slice that is not worse than any other, in eight lanes; `None` of an empty one.
pub(super) fn best<N: Number, const LARGEST: bool>(values: &[N]) -> Option<N> {
    let better = |left: N, right: N| {
        if LARGEST {
            if right > left { right } else { left }
        } else if right < left {
            right
        } else {
            left
        }
    };
    let (chunks, rest) = values.as_chunks::<LANES>();
    let Some((first, chunks)) = chunks.split_first() else { return rest.iter().copied().reduce(better) };
    let mut lanes = *first;
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = better(*lane, value);
        }
    }
    lanes.into_iter().chain(rest.iter().copied()).reduce(better)
}

/// Calls `visit` with each stretch of `start..end` that has no NULL.
pub(super) fn valid_stretches(nulls: Option<&NullBuffer>, start: usize, end: usize, mut visit: impl FnMut(usize, usize)) {
    match nulls {
        None => visit(start, end),
        Some(nulls) => {
            let nulls = nulls.slice(start, end - start);
            if nulls.null_count() == 0 {
                visit(start, end);
            } else {
                nulls.valid_slices().for_each(|(from, to)| visit(start + from, start + to));
            }
        }
    }
}

/// The first row of `start..end` with a value.
pub(super) fn first_valid(nulls: Option<&NullBuffer>, start: usize, end: usize) -> Option<usize> {
    match nulls {
        None => (start < end).then_some(start),
        Some(nulls) => (start..end).find(|&row| nulls.is_valid(row)),
    }
}

/// The last row of `start..end` with a value.
pub(super) fn last_valid(nulls: Option<&NullBuffer>, start: usize, end: usize) -> Option<usize> {
    match nulls {
        None => (start < end).then(|| end - 1),
        Some(nulls) => (start..end).rev().find(|&row| nulls.is_valid(row)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sums_are_exact(values: Vec<i64>, unsigned: Vec<u64>) {
            prop_assert_eq!(i64::total(&values), Total::Integer(values.iter().map(|&value| i128::from(value)).sum()));
            prop_assert_eq!(u64::total(&unsigned), Total::Integer(unsigned.iter().map(|&value| i128::from(value)).sum()));
        }

        #[test]
        fn lanes_find_the_extremes(values: Vec<i16>) {
            prop_assert_eq!(best::<_, true>(&values), values.iter().copied().max());
            prop_assert_eq!(best::<_, false>(&values), values.iter().copied().min());
        }
    }
}
