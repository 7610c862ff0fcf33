//! CSUM and MAVG: over the values so far, and over the last k.

use std::collections::VecDeque;
use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use arrow_buffer::NullBuffer;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Result, Value};

use super::{BoundSeries, Clock, Function, Series, SeriesInput, SeriesOutput, widened};
use crate::Binder;
use crate::functions::invalid_number;

pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "csum", doc: "Sum of the values so far.", bind: bind_sum, create: create_sum },
    Function { name: "mavg", doc: "Mean of the last k values.", bind: bind_mean, create: create_mean },
];

fn bind_sum(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let [argument] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.number(binder, argument)?;
    let data_type = widened(argument.data_type());
    let argument = binder.to_type(argument, data_type)?;
    Ok(function.bound(argument, data_type))
}

fn bind_mean(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundSeries> {
    let [argument, count] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.number(binder, argument)?;
    let argument = binder.to_type(argument, DataType::Double)?;
    let count = function.constant_integer(binder, count, 1..=1_000)?;
    Ok(BoundSeries { constants: vec![Value::BigInt(count)], ..function.bound(argument, DataType::Double) })
}

fn create_sum(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    Ok(match bound.data_type {
        DataType::BigInt => Box::new(Sum::<Int64Type> { clock: Clock::default(), so_far: 0, plus: i64::wrapping_add }),
        DataType::UBigInt => Box::new(Sum::<UInt64Type> { clock: Clock::default(), so_far: 0, plus: u64::wrapping_add }),
        _ => Box::new(Sum::<Float64Type> { clock: Clock::default(), so_far: 0.0, plus: |left, right| left + right }),
    })
}

fn create_mean(bound: &BoundSeries) -> Result<Box<dyn Series>> {
    let [Value::BigInt(count)] = bound.constants[..] else { return Err(Error::internal("no count")) };
    Ok(Box::new(Mean { clock: Clock::default(), count: count as usize, values: VecDeque::new(), sum: 0.0, since_exact: 0 }))
}

/// What came out is where there is a value.
fn valid_rows(values: ArrayRef) -> SeriesOutput {
    SeriesOutput { emitted: values.nulls().map(NullBuffer::inner).cloned(), values }
}

struct Sum<T: ArrowPrimitiveType> {
    clock: Clock,
    so_far: T::Native,
    plus: fn(T::Native, T::Native) -> T::Native,
}

impl<T: ArrowPrimitiveType> Series for Sum<T> {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        self.clock.check(input.timestamps)?;
        let array = input.arguments[0].as_primitive::<T>();
        let mut cell = |value| {
            self.so_far = (self.plus)(self.so_far, value);
            self.so_far
        };
        let values: PrimitiveArray<T> = array.iter().map(|value| value.map(&mut cell)).collect();
        Ok(valid_rows(Arc::new(values)))
    }
}

struct Mean {
    clock: Clock,
    count: usize,
    values: VecDeque<f64>,
    sum: f64,
    /// Values since the sum was last added up anew: what rounding leaves behind must not pile up.
    since_exact: usize,
}

impl Mean {
    fn push(&mut self, value: f64) -> Option<f64> {
        self.values.push_back(value);
        self.sum += value;
        if self.values.len() > self.count {
            self.sum -= self.values.pop_front().unwrap_or(0.0);
        }
        self.since_exact += 1;
        if self.since_exact >= self.count {
            self.sum = self.values.iter().sum();
            self.since_exact = 0;
        }
        (self.values.len() == self.count).then(|| self.sum / self.count as f64)
    }
}

impl Series for Mean {
    fn update(&mut self, input: &SeriesInput<'_>) -> Result<SeriesOutput> {
        self.clock.check(input.timestamps)?;
        let array = input.arguments[0].as_primitive::<Float64Type>();
        let values: PrimitiveArray<Float64Type> = array.iter().map(|value| value.and_then(|value| self.push(value))).collect();
        Ok(valid_rows(Arc::new(values)))
    }
}
