//! SUM, AVG and the family of STDDEV: what adds up.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, UInt64Array, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::{ColumnStatistics, DataType, Precision, Result, Value};

use super::decimal::{self, DecimalSum};
use super::numbers::{Number, Total, squared_distances, sum_doubles, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::invalid_type;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("sum", Kind::Value, "Sum; of integers it wraps at 64 bits.", bind_sum, create_sum).taking_statistics(),
    Function::new("avg", Kind::Value, "Mean.", bind_mean, create_sum).taking_statistics(),
    Function::new("stddev", Kind::Value, "Standard deviation of the population.", bind_double, create_deviation),
    Function::new("stddev_pop", Kind::Value, "Standard deviation of the population.", bind_double, create_deviation),
    Function::new("std", Kind::Value, "Standard deviation of the population.", bind_double, create_deviation),
    Function::new("stddev_samp", Kind::Value, "Standard deviation of a sample; NULL of fewer than two values.", bind_double, create_deviation),
    Function::new("var_pop", Kind::Value, "Variance of the population.", bind_double, create_deviation),
    Function::new("variance", Kind::Value, "Variance of the population.", bind_double, create_deviation),
    Function::new("var_samp", Kind::Value, "Variance of a sample; NULL of fewer than two values.", bind_double, create_deviation),
];

fn bind_sum(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_exact_number(binder, arguments)?;
    let data_type = match argument.data_type() {
        DataType::Decimal(_, scale) => decimal::result_type(false, scale),
        data_type if data_type.is_signed() => DataType::BigInt,
        data_type if data_type.is_unsigned() => DataType::UBigInt,
        _ => DataType::Double,
    };
    Ok(function.bound(argument, data_type))
}

fn bind_mean(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_exact_number(binder, arguments)?;
    let data_type = if let DataType::Decimal(_, scale) = argument.data_type() { decimal::result_type(true, scale) } else { DataType::Double };
    Ok(function.bound(argument, data_type))
}

fn bind_double(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_number(binder, arguments)?;
    Ok(function.bound(argument, DataType::Double))
}

fn create_sum(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    if let DataType::Decimal(_, scale) = bound.arguments[0].data_type() {
        return Ok(Box::new(DecimalSum { mean: bound.name() == "avg", scale, states: Vec::new() }));
    }
    let result = if bound.name() == "avg" { SumResult::Mean } else { SumResult::Sum(bound.data_type) };
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Sum::<T> { result, states: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

fn create_deviation(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let sample = bound.name().ends_with("_samp");
    let variance = bound.name().starts_with("var");
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Deviation::<T> { sample, variance, states: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

/// What a sum is for.
#[derive(Clone, Copy)]
enum SumResult {
    Sum(DataType),
    Mean,
}

/// Sum and count of each group.
struct Sum<T: ArrowPrimitiveType> {
    result: SumResult,
    states: Vec<(Total, u64)>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Sum<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        let zero = <T::Native as Number>::total(&[]);
        self.states.resize(groups.max(self.states.len()), (zero, 0));
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let (values, nulls) = (array.values(), array.nulls());
        for run in runs {
            let state = &mut self.states[run.group as usize];
            valid_stretches(nulls, run.start as usize, run.end as usize, |start, end| {
                state.0 = state.0.plus(Number::total(&values[start..end]));
                state.1 += (end - start) as u64;
            });
        }
        Ok(())
    }

    fn update_statistics(&mut self, group: usize, _: u64, statistics: &ColumnStatistics) -> Result<bool> {
        let total = match statistics.sum {
            _ if statistics.count == 0 => return Ok(true),
            Value::BigInt(sum) => Total::Integer(i128::from(sum)),
            Value::UBigInt(sum) => Total::Integer(i128::from(sum)),
            Value::Double(sum) => Total::Double(sum),
            _ => return Ok(false),
        };
        let state = &mut self.states[group];
        state.0 = state.0.plus(total);
        state.1 += statistics.count;
        Ok(true)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for ((total, count), &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            *state = (state.0.plus(total), state.1 + count);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let states = std::mem::take(&mut self.states);
        let integer = |(total, count): &(Total, u64)| match total {
            Total::Integer(total) if *count > 0 => Some(*total),
            _ => None,
        };
        Ok(match self.result {
            SumResult::Mean => Arc::new(states.iter().map(|(total, count)| (*count > 0).then(|| total.double() / *count as f64)).collect::<Float64Array>()),
            SumResult::Sum(DataType::BigInt) => Arc::new(states.iter().map(|state| integer(state).map(|total| total as i64)).collect::<Int64Array>()),
            SumResult::Sum(DataType::UBigInt) => Arc::new(states.iter().map(|state| integer(state).map(|total| total as u64)).collect::<UInt64Array>()),
            SumResult::Sum(_) => Arc::new(states.iter().map(|(total, count)| (*count > 0).then(|| total.double())).collect::<Float64Array>()),
        })
    }
}

/// Count, mean and sum of squared distances from it (Chan, Golub, `LeVeque` 1979).
#[derive(Clone, Copy, Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn of<N: Number>(values: &[N]) -> Self {
        let count = values.len() as f64;
        let mean = sum_doubles(values) / count;
        Self { count, mean, squares: squared_distances(values, mean) }
    }

    fn plus(self, other: Self) -> Self {
        if self.count == 0.0 {
            return other;
        }
        if other.count == 0.0 {
            return self;
        }
        let count = self.count + other.count;
        let distance = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + distance * (other.count / count),
            squares: self.squares + other.squares + distance * distance * (self.count * other.count / count),
        }
    }
}

/// STDDEV and the variances.
struct Deviation<T: ArrowPrimitiveType> {
    sample: bool,
    variance: bool,
    states: Vec<Moments>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Deviation<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), Moments::default());
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let (values, nulls) = (array.values(), array.nulls());
        for run in runs {
            let state = &mut self.states[run.group as usize];
            valid_stretches(nulls, run.start as usize, run.end as usize, |start, end| {
                if start < end {
                    *state = state.plus(Moments::of(&values[start..end]));
                }
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (moments, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            *state = state.plus(moments);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let freedom = if self.sample { 1.0 } else { 0.0 };
        let result = |state: Moments| {
            let variance = (state.count > freedom).then(|| state.squares / (state.count - freedom));
            if self.variance { variance } else { variance.map(f64::sqrt) }
        };
        Ok(Arc::new(self.states.drain(..).map(result).collect::<Float64Array>()))
    }
}
