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

/// Sums over values y and their numbers i, counted from 0.
#[derive(Clone, Copy, Default)]
struct Sums {
    count: f64,
    places: f64,
    squares: f64,
    values: f64,
    products: f64,
}

impl Sums {
    fn add(&mut self, value: f64) {
        self.places += self.count;
        self.squares += self.count * self.count;
        self.values += value;
        self.products += self.count * value;
        self.count += 1.0;
    }

    /// Both, the other's values after this one's.
    fn plus(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            places: self.places + other.places + self.count * other.count,
            squares: self.squares + other.squares + 2.0 * self.count * other.places + self.count * self.count * other.count,
            values: self.values + other.values,
            products: self.products + other.products + self.count * other.values,
        }
    }

    /// Slope and intercept over x = start + i * step.
    fn line(self, start: f64, step: f64) -> Option<(f64, f64)> {
        let determinant = self.count * self.squares - self.places * self.places;
        if determinant == 0.0 {
            return None;
        }
        let slope = (self.count * self.products - self.places * self.values) / determinant;
        let at_first = (self.values - slope * self.places) / self.count;
        let slope = slope / step;
        Some((slope, at_first - slope * start))
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
                array.values()[start..end].iter().for_each(|value| state.add(value.double()))
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (sums, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            *state = state.plus(sums);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let text = |sums: Sums| {
            let (slope, intercept) = sums.line(self.start, self.step)?;
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
        let all = values.iter().fold(Sums::default(), |mut sums, &value| {
            sums.add(value);
            sums
        });
        let (mut left, mut right) = (Sums::default(), Sums::default());
        values[..2].iter().for_each(|&value| left.add(value));
        values[2..].iter().for_each(|&value| right.add(value));
        assert_eq!(left.plus(right).line(1.0, 2.0), all.line(1.0, 2.0));
        assert_eq!(Sums::default().line(1.0, 1.0), None);
    }

    #[test]
    fn long_numbers_get_an_exponent() {
        let mut text = String::new();
        write_item(1.804_380_433_463_563e18, &mut text);
        assert_eq!(text, "1.8043804334635630e+18");
    }
}
