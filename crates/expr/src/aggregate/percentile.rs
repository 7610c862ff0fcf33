//! PERCENTILE, exact, and APERCENTILE, estimated from a histogram or a t-digest.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, BinaryArray, Float64Array, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Precision, Result, Value};

use super::numbers::{Number, valid_stretches, with_number_type};
use super::sketch::{Digest, Histogram};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::functions::{invalid_number, invalid_type, invalid_value};
use crate::{Binder, BoundExpr};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("percentile", Kind::Value, "Exact percentiles, interpolated; several come as one text.", bind_exact, create_exact),
    Function::new("apercentile", Kind::Value, "Estimated percentile, from a histogram or a t-digest.", bind_estimate, create_estimate),
];

/// A percentage from 0 to 100.
fn percentage(function: &Function, binder: &Binder<'_>, parameter: &Expr) -> Result<Value> {
    let percentage = match function.constant(binder, parameter)? {
        Value::BigInt(value) => value as f64,
        Value::Double(value) => value,
        _ => return Err(invalid_type(function.name)),
    };
    if (0.0..=100.0).contains(&percentage) { Ok(Value::Double(percentage)) } else { Err(invalid_value(function.name)) }
}

fn number_argument(function: &Function, binder: &Binder<'_>, argument: &Expr) -> Result<BoundExpr> {
    let argument = function.argument(binder, argument)?;
    if argument.data_type() == DataType::Null { Err(invalid_type(function.name)) } else { function.number(binder, argument) }
}

fn bind_exact(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    if !(2..=11).contains(&arguments.len()) {
        return Err(invalid_number(function.name));
    }
    let argument = number_argument(function, binder, &arguments[0])?;
    let constants = arguments[1..].iter().map(|parameter| percentage(function, binder, parameter)).collect::<Result<Vec<_>>>()?;
    let data_type = if constants.len() == 1 { DataType::Double } else { DataType::Varchar(510) };
    Ok(BoundAggregate { constants, ..function.bound(argument, data_type) })
}

fn bind_estimate(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    if !(2..=3).contains(&arguments.len()) {
        return Err(invalid_number(function.name));
    }
    let argument = number_argument(function, binder, &arguments[0])?;
    let mut constants = vec![percentage(function, binder, &arguments[1])?];
    if let Some(algorithm) = arguments.get(2) {
        let Value::Varchar(name) = function.constant(binder, algorithm)? else { return Err(invalid_type(function.name)) };
        if !name.eq_ignore_ascii_case(b"default") && !name.eq_ignore_ascii_case(b"t-digest") {
            return Err(invalid_value(function.name));
        }
        constants.push(Value::Bool(name.eq_ignore_ascii_case(b"t-digest")));
    }
    Ok(BoundAggregate { constants, ..function.bound(argument, DataType::Double) })
}

fn percentages(bound: &BoundAggregate) -> Vec<f64> {
    bound.constants.iter().filter_map(|constant| if let Value::Double(percentage) = constant { Some(*percentage) } else { None }).collect()
}

fn create_exact(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let percentages = percentages(bound);
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Exact::<T> { percentages, groups: Vec::new(), held: 0, cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

fn create_estimate(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let percentage = percentages(bound)[0];
    let digest = bound.constants.get(1) == Some(&Value::Bool(true));
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Estimate::<T> { percentage, digest, sketches: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

/// Every value of each group.
struct Exact<T: ArrowPrimitiveType> {
    percentages: Vec<f64>,
    groups: Vec<Vec<f64>>,
    held: usize,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Exact<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.groups.resize(groups.max(self.groups.len()), Vec::new());
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let held = &mut self.held;
        for run in runs {
            let group = &mut self.groups[run.group as usize];
            valid_stretches(array.nulls(), run.start as usize, run.end as usize, |start, end| {
                group.extend(array.values()[start..end].iter().map(|value| value.double()));
                // A growing list has up to twice its length.
                *held += (end - start) * 2 * size_of::<f64>();
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        self.held += other.held;
        for (values, &group) in other.groups.drain(..).zip(groups) {
            self.groups[group as usize].extend(values);
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let mut groups = std::mem::take(&mut self.groups);
        for values in &mut groups {
            values.sort_unstable_by(f64::total_cmp);
        }
        if let [percentage] = self.percentages[..] {
            return Ok(Arc::new(groups.iter().map(|values| interpolated(values, percentage)).collect::<Float64Array>()));
        }
        let text = |values: &Vec<f64>| {
            let texts =
                self.percentages.iter().map(|&percentage| interpolated(values, percentage).map(|value| format!("{value:.6}"))).collect::<Option<Vec<_>>>()?;
            Some(format!("[{}]", texts.join(", ")).into_bytes())
        };
        Ok(Arc::new(groups.iter().map(text).collect::<BinaryArray>()))
    }
}

/// The percentile of sorted values, linear between neighbours.
fn interpolated(sorted: &[f64], percentage: f64) -> Option<f64> {
    let place = percentage * sorted.len().checked_sub(1)? as f64 / 100.0;
    let (below, share) = (place.floor() as usize, place.fract());
    let low = sorted[below];
    Some(sorted.get(below + 1).map_or(low, |high| (1.0 - share) * low + share * high))
}

/// A group's sketch.
enum Sketch {
    Histogram(Histogram),
    Digest(Digest),
}

struct Estimate<T: ArrowPrimitiveType> {
    percentage: f64,
    digest: bool,
    sketches: Vec<Sketch>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Estimate<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        let digest = self.digest;
        let sketch = || if digest { Sketch::Digest(Digest::default()) } else { Sketch::Histogram(Histogram::default()) };
        self.sketches.resize_with(groups.max(self.sketches.len()), sketch);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        for run in runs {
            let sketch = &mut self.sketches[run.group as usize];
            valid_stretches(array.nulls(), run.start as usize, run.end as usize, |start, end| {
                let values = array.values()[start..end].iter().map(|value| value.double());
                match sketch {
                    Sketch::Histogram(histogram) => values.for_each(|value| histogram.add(value)),
                    Sketch::Digest(digest) => values.for_each(|value| digest.add(value)),
                }
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (found, &group) in same_state::<Self>(other)?.sketches.drain(..).zip(groups) {
            match (&mut self.sketches[group as usize], found) {
                (Sketch::Histogram(known), Sketch::Histogram(found)) => known.merge(found),
                (Sketch::Digest(known), Sketch::Digest(found)) => known.merge(found),
                _ => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let share = self.percentage / 100.0;
        let estimate = |sketch| match sketch {
            Sketch::Histogram(mut histogram) => histogram.quantile(share),
            Sketch::Digest(mut digest) => digest.quantile(share),
        };
        Ok(Arc::new(self.sketches.drain(..).map(estimate).collect::<Float64Array>()))
    }
}

#[cfg(test)]
mod tests {
    use super::interpolated;

    #[test]
    fn percentiles_lie_between_neighbours() {
        let values = [1.0, 2.0, 4.0, 8.0];
        assert_eq!(interpolated(&values, 0.0), Some(1.0));
        assert_eq!(interpolated(&values, 50.0), Some(3.0));
        assert_eq!(interpolated(&values, 100.0), Some(8.0));
        assert_eq!(interpolated(&[], 50.0), None);
    }
}
