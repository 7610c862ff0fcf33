//! DIFF and DERIVATIVE: from one value to the next.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, PrimitiveArray, cast::AsArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Result, Value, code};

use super::{BoundSeries, Clock, Function, Series, SeriesInput, SeriesOutput, widened};
use crate::Binder;
use crate::functions::{invalid_number, invalid_type, invalid_value};

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        name: "diff",
        doc: "Difference from the last value; negative ones are NULL where the flag is 1.",
        bind: bind_difference,
        create: create_difference,
    },
    Function {
        name: "derivative",
        doc: "Change over an interval since the last value; negative ones are left out where the flag is 1.",
        bind: bind_derivative,
        create: create_derivative,
    },
];

fn bind_difference(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let (argument, flag) = match arguments {
        [argument] => (argument, None),
        [argument, flag] => (argument, Some(flag)),
        _ => return Err(invalid_number(function.name)),
    };
    let argument = match binder.bind(argument)? {
        bound if matches!(bound.data_type(), DataType::Bool | DataType::Timestamp) => binder.to_type(bound, DataType::BigInt)?,
        _ => function.number(binder, argument)?,
    };
    let ignore = match flag.map(|flag| function.constant(binder, flag)).transpose()? {
        None | Some(Value::BigInt(0)) => false,
        Some(Value::BigInt(1)) => true,
        Some(Value::BigInt(_)) => return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, "Second parameter of DIFF function should be only 0 or 1")),
        Some(_) => return Err(invalid_type(function.name)),
    };
    let data_type = widened(argument.data_type());
    let argument = binder.to_type(argument, data_type)?;
    Ok(BoundSeries { constants: vec![Value::Bool(ignore)], ..function.bound(argument, data_type) })
}

fn bind_derivative(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let [argument, interval, flag] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.number(binder, argument)?;
    let argument = binder.to_type(argument, DataType::Double)?;
    let interval = match function.constant(binder, interval)? {
        Value::BigInt(interval) if interval > 0 => interval,
        Value::BigInt(_) => return Err(invalid_value(function.name)),
        _ => return Err(invalid_type(function.name)),
    };
    let ignore = function.constant_integer(binder, flag, 0..=1)? == 1;
    Ok(BoundSeries { constants: vec![Value::BigInt(interval), Value::Bool(ignore)], ..function.bound(argument, DataType::Double) })
}

fn create_difference(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let ignore = bound.constants.first() == Some(&Value::Bool(true));
    Ok(match bound.data_type {
        DataType::BigInt => Box::new(Difference::<Int64Type> { ignore, clock: Clock::default(), last: None }),
        DataType::UBigInt => Box::new(Difference::<UInt64Type> { ignore, clock: Clock::default(), last: None }),
        _ => Box::new(Difference::<Float64Type> { ignore, clock: Clock::default(), last: None }),
    })
}

fn create_derivative(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let [Value::BigInt(interval), Value::Bool(ignore)] = bound.constants[..] else { return Err(Error::internal("no interval")) };
    Ok(Box::new(Derivative { interval: interval as f64, ignore, clock: Clock::default(), last: None }))
}

/// A difference of two values of a type: wraps where integers overflow.
trait Subtract: Copy {
    fn minus(self, other: Self) -> Self;
    fn less(self, other: Self) -> bool;
}

impl Subtract for i64 {
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn less(self, other: Self) -> bool {
        self < other
    }
}

impl Subtract for u64 {
    fn minus(self, other: Self) -> Self {
        self.wrapping_sub(other)
    }
    fn less(self, other: Self) -> bool {
        self < other
    }
}

impl Subtract for f64 {
    fn minus(self, other: Self) -> Self {
        self - other
    }
    fn less(self, other: Self) -> bool {
        self < other
    }
}

struct Difference<T: ArrowPrimitiveType> {
    ignore: bool,
    clock: Clock,
    last: Option<T::Native>,
}

impl<T: ArrowPrimitiveType> Series for Difference<T>
where
    T::Native: Subtract,
{
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        self.clock.check(input.timestamps)?;
        let array = input.arguments[0].as_primitive::<T>();
        let mut first = None;
        let cell = |(row, value): (usize, Option<T::Native>)| {
            let value = value?;
            let Some(last) = self.last.replace(value) else {
                first = Some(row);
                return None;
            };
            (!(self.ignore && value.less(last))).then(|| value.minus(last))
        };
        let values: PrimitiveArray<T> = array.iter().enumerate().map(cell).collect();
        // Only the partition's first value gives no row.
        let emitted = first.map(|first| BooleanBuffer::collect_bool(array.len(), |row| row != first));
        Ok(SeriesOutput { emitted, values: Arc::new(values) })
    }
}

struct Derivative {
    interval: f64,
    ignore: bool,
    clock: Clock,
    last: Option<(i64, f64)>,
}

impl Series for Derivative {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        self.clock.check(input.timestamps)?;
        let array = input.arguments[0].as_primitive::<Float64Type>();
        let cell = |(value, &time): (Option<f64>, &i64)| {
            let value = value?;
            let (before, last) = self.last.replace((time, value))?;
            let rate = (value - last) / (time - before) as f64 * self.interval;
            (!(self.ignore && rate < 0.0)).then_some(rate)
        };
        let values: PrimitiveArray<Float64Type> = array.iter().zip(input.timestamps).map(cell).collect();
        let emitted = values.nulls().map(NullBuffer::inner).cloned();
        Ok(SeriesOutput { emitted, values: Arc::new(values) })
    }
}
