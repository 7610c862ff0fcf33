//! MIN, MAX and SPREAD.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Decimal128Type};
use arrow_array::{Array, ArrayRef, Float64Array, PrimitiveArray, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::arrow::arrow_type;
use embudo_types::{ColumnStatistics, DataType, Precision, Result};

use super::companions::Companions;
use super::numbers::{Number, best, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::invalid_type;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("min", Kind::Selector, "Smallest number; companions come from the first row that has it.", bind, create::<false>).taking_statistics(),
    Function::new("max", Kind::Selector, "Largest number; companions come from the first row that has it.", bind, create::<true>).taking_statistics(),
    Function::new("spread", Kind::Value, "Largest minus smallest number or time.", bind_spread, create_spread).taking_statistics(),
];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_exact_number(binder, arguments)?;
    let data_type = argument.data_type();
    Ok(function.bound(argument, data_type))
}

fn bind_spread(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_argument(binder, arguments)?;
    let argument = match argument.data_type() {
        DataType::Null => return Err(invalid_type(function.name)),
        DataType::Timestamp => binder.to_type(argument, DataType::BigInt)?,
        _ => function.number(binder, argument)?,
    };
    Ok(function.bound(argument, DataType::Double))
}

fn create<const LARGEST: bool>(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let companions = Companions::new(companions);
    let arrow_type = arrow_type(bound.data_type, bound.precision);
    if matches!(bound.data_type, DataType::Decimal(..)) {
        return Ok(Box::new(Extreme::<Decimal128Type, LARGEST> { arrow_type, states: Vec::new(), companions }));
    }
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Extreme::<T, LARGEST> { arrow_type, states: Vec::new(), companions }), else return Err(invalid_type(bound.name()))),
    )
}

fn create_spread(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(with_number_type!(bound.arguments[0].data_type(), T => Box::new(Spread::<T> { states: Vec::new() }), else return Err(invalid_type(bound.name()))))
}

/// What is known of a group.
#[derive(Clone, Copy, PartialEq)]
enum Best<N> {
    /// No row.
    Nothing,
    /// Rows without a value; companions are the first row's.
    Null,
    /// The best value.
    Value(N),
}

struct Extreme<T: ArrowPrimitiveType, const LARGEST: bool> {
    /// Of the result: decimals carry their digits in it.
    arrow_type: arrow_schema::DataType,
    states: Vec<Best<T::Native>>,
    companions: Companions,
}

impl<T: ArrowPrimitiveType, const LARGEST: bool> Extreme<T, LARGEST>
where
    T::Native: Number,
{
    /// Whether `value` replaces the state.
    fn improves(state: Best<T::Native>, value: T::Native) -> bool {
        match state {
            Best::Value(known) if LARGEST => value > known,
            Best::Value(known) => value < known,
            _ => true,
        }
    }
}

impl<T: ArrowPrimitiveType, const LARGEST: bool> Aggregate for Extreme<T, LARGEST>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), Best::Nothing);
        self.companions.resize(groups);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let (values, nulls) = (array.values(), array.nulls());
        for run in runs {
            let group = run.group as usize;
            let state = &mut self.states[group];
            if *state == Best::Nothing && run.start < run.end {
                *state = Best::Null;
                if !self.companions.is_empty() {
                    self.companions.pick(group, input.companions, run.start as usize);
                }
            }
            let companions = &mut self.companions;
            valid_stretches(nulls, run.start as usize, run.end as usize, |start, end| {
                let stretch = &values[start..end];
                let Some(found) = best::<_, LARGEST>(stretch) else { return };
                if Self::improves(*state, found) {
                    *state = Best::Value(found);
                    if !companions.is_empty() {
                        let row = stretch.iter().position(|value| *value == found).unwrap_or(0);
                        companions.pick(group, input.companions, start + row);
                    }
                }
            });
        }
        Ok(())
    }

    fn update_statistics(&mut self, group: usize, _: u64, statistics: &ColumnStatistics) -> Result<bool> {
        if statistics.count == 0 {
            return Ok(true);
        }
        let Some(value) = T::Native::of(if LARGEST { &statistics.max } else { &statistics.min }) else { return Ok(false) };
        if Self::improves(self.states[group], value) {
            self.states[group] = Best::Value(value);
        }
        Ok(true)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        for (at, (found, &group)) in std::mem::take(&mut other.states).into_iter().zip(groups).enumerate() {
            let group = group as usize;
            let better = match found {
                Best::Nothing => false,
                Best::Null => self.states[group] == Best::Nothing,
                Best::Value(value) => Self::improves(self.states[group], value),
            };
            if better {
                self.states[group] = found;
                self.companions.take(group, &mut other.companions, at);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let cell = |state| if let Best::Value(value) = state { Some(value) } else { None };
        Ok(Arc::new(self.states.drain(..).map(cell).collect::<PrimitiveArray<T>>().with_data_type(self.arrow_type.clone())))
    }

    fn finish_companions(&mut self) -> Result<Vec<ArrayRef>> {
        self.companions.finish()
    }
}

struct Spread<T: ArrowPrimitiveType> {
    /// Smallest and largest.
    states: Vec<Option<(T::Native, T::Native)>>,
}

impl<T: ArrowPrimitiveType> Spread<T>
where
    T::Native: Number,
{
    fn widen(&mut self, group: usize, low: T::Native, high: T::Native) {
        let state = &mut self.states[group];
        *state = Some(match *state {
            None => (low, high),
            Some((smallest, largest)) => (if low < smallest { low } else { smallest }, if high > largest { high } else { largest }),
        });
    }
}

impl<T: ArrowPrimitiveType> Aggregate for Spread<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), None);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let (values, nulls) = (array.values(), array.nulls());
        for run in runs {
            valid_stretches(nulls, run.start as usize, run.end as usize, |start, end| {
                if let (Some(low), Some(high)) = (best::<_, false>(&values[start..end]), best::<_, true>(&values[start..end])) {
                    self.widen(run.group as usize, low, high);
                }
            });
        }
        Ok(())
    }

    fn update_statistics(&mut self, group: usize, _: u64, statistics: &ColumnStatistics) -> Result<bool> {
        if statistics.count == 0 {
            return Ok(true);
        }
        let (Some(low), Some(high)) = (T::Native::of(&statistics.min), T::Native::of(&statistics.max)) else { return Ok(false) };
        self.widen(group, low, high);
        Ok(true)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        for (state, &group) in std::mem::take(&mut other.states).into_iter().zip(groups) {
            if let Some((low, high)) = state {
                self.widen(group as usize, low, high);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let cell = |state: Option<(T::Native, T::Native)>| state.map(|(low, high)| high.double() - low.double());
        Ok(Arc::new(self.states.drain(..).map(cell).collect::<Float64Array>()))
    }
}
