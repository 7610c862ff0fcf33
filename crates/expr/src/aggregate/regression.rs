//! LEASTSQUARES: the line through values at evenly spaced places.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, BinaryArray, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Precision, Result, Value};

use super::numbers::{Number, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::{invalid_number, invalid_type, invalid_value};
use crate::number_format::write_scientific;

pub(super) const FUNCTIONS: &[Function] = &[Function::new("leastsquares", Kind::Value, "Slope and intercept of the line through the values.", bind, create)];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument, start, step] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.argument(binder, argument)?;
    if argument.data_type() == DataType::Null {
        return Err(invalid_type(function.name));
    }
    let argument = function.number(binder, argument)?;
    let constants = [start, step].into_iter().map(|parameter| number(function, binder, parameter)).collect::<Result<Vec<_>>>()?;
    if constants[1] == Value::Double(0.0) {
        return Err(invalid_value(function.name));
    }
    Ok(BoundAggregate { constants, ..function.bound(argument, DataType::Varchar(126)) })
}

fn number(function: &Function, binder: &Binder<'_>, parameter: &Expr) -> Result<Value> {
    match function.constant(binder, parameter)? {
        Value::BigInt(value) => Ok(Value::Double(value as f64)),
        Value::Double(value) => Ok(Value::Double(value)),
        _ => Err(invalid_type(function.name)),
    }
}

fn create(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let [Value::Double(start), Value::Double(step)] = bound.constants[..] else { return Err(invalid_type(bound.name())) };
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Line::<T> { start, step, states: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

/// Sums over values y at places x.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    places: f64,
    squares: f64,
    values: f64,
    products: f64,
}

impl Sums {
    fn add(&mut self, value: f64, start: f64, step: f64) {
        let place = start + self.count * step;
        self.places += place;
        self.squares += place * place;
        self.values += value;
        self.products += place * value;
        self.count += 1.0;
    }

    /// Both, the other's values after this one's: they move by as many steps as this one has values.
    fn plus(self, other: Self, step: f64) -> Self {
        let shift = self.count * step;
        Self {
            count: self.count + other.count,
            places: self.places + other.places + shift * other.count,
            squares: self.squares + other.squares + 2.0 * shift * other.places + shift * shift * other.count,
            values: self.values + other.values,
            products: self.products + other.products + shift * other.values,
        }
    }

    /// Slope and intercept; `None` of fewer than two values.
    fn line(self) -> Option<(f64, f64)> {
        if self.count < 2.0 {
            return None;
        }
        let mean_place = self.places / self.count;
        let slope = (self.products - self.values * mean_place) / (self.squares - self.places * mean_place);
        Some((slope, (self.values - slope * self.places) / self.count))
    }
}

struct Line<T: ArrowPrimitiveType> {
    start: f64,
    step: f64,
    states: Vec<Sums>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Line<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), Sums::default());
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        for run in runs {
            let state = &mut self.states[run.group as usize];
            valid_stretches(array.nulls(), run.start as usize, run.end as usize, |start, end| {
                for value in &array.values()[start..end] {
                    state.add(value.double(), self.start, self.step);
                }
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (sums, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            *state = state.plus(sums, self.step);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let text = |sums: Sums| {
            let (slope, intercept) = sums.line()?;
            let mut text = String::from("{slop:");
            write_item(slope, &mut text);
            text.push_str(", intercept:");
            write_item(intercept, &mut text);
            text.push('}');
            Some(text.into_bytes())
        };
        Ok(Arc::new(self.states.drain(..).map(text).collect::<BinaryArray>()))
    }
}

/// `%.6f`, or with an exponent where that would take 25 characters or more.
fn write_item(value: f64, out: &mut String) {
    let plain = format!("{value:.6}");
    if plain.len() < 25 { out.push_str(&plain) } else { write_scientific(value, 16, out) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_join() {
        let values = [3.0, 5.0, 8.0, 4.0, 1.0];
        let sums = |values: &[f64]| {
            values.iter().fold(Sums::default(), |mut sums, &value| {
                sums.add(value, 1.0, 2.0);
                sums
            })
        };
        assert_eq!(sums(&values[..2]).plus(sums(&values[2..]), 2.0).line(), sums(&values).line());
        assert_eq!(sums(&[2.0, 4.0]).line(), Some((1.0, 1.0)));
        assert_eq!(sums(&[2.0]).line(), None);
    }

    #[test]
    fn long_numbers_get_an_exponent() {
        let mut text = String::new();
        write_item(1.804_380_433_463_563e18, &mut text);
        assert_eq!(text, "1.8043804334635630e+18");
    }
}
