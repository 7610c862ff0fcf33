//! HISTOGRAM: how many values lie in each bin.

use std::fmt::Write;
use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, BinaryArray, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value};

use super::numbers::{Number, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::{invalid_number, invalid_type, invalid_value};
use crate::json::{self, Scalar};
use crate::number_format::write_general;

pub(super) const FUNCTIONS: &[Function] = &[Function::new("histogram", Kind::Rows, "A row for each bin with its bounds and count, as JSON.", bind, create)];

/// Most bins that a description may make.
const MOST_BINS: f64 = 1_000.0;

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument, kind, description, normalized] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.argument(binder, argument)?;
    let argument = function.number(binder, argument)?;
    let text = |parameter| match function.constant(binder, parameter)? {
        Value::Varchar(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        _ => Err(invalid_type(function.name)),
    };
    let (kind, description) = (text(kind)?, text(description)?);
    let normalized = function.constant_integer(binder, normalized, 0..=1)?;
    let bounds = bounds(&kind.to_ascii_lowercase(), &description).ok_or_else(|| invalid_value(function.name))?;
    let constants = std::iter::once(Value::Bool(normalized == 1)).chain(bounds.into_iter().map(Value::Double)).collect();
    Ok(BoundAggregate { constants, ..function.bound(argument, DataType::Varchar(510)) })
}

/// Bounds of the bins in ascending order. `None` where the description is none.
fn bounds(kind: &str, description: &str) -> Option<Vec<f64>> {
    let mut bounds = match kind {
        "user_input" => {
            let list = description.trim().strip_prefix('[')?.strip_suffix(']')?;
            let bounds = list.split(',').map(|bound| bound.trim().parse().ok()).collect::<Option<Vec<f64>>>()?;
            bounds.is_sorted_by(|left, right| left < right).then_some(bounds)?
        }
        "linear_bin" => {
            let (start, width, count, infinite) = evenly(description, "width")?;
            if width == 0.0 {
                return None;
            }
            with_infinities((0..=count).map(|bin| start + width * f64::from(bin)).collect(), infinite)
        }
        "log_bin" => {
            let (start, factor, count, infinite) = evenly(description, "factor")?;
            if factor <= 0.0 || factor == 1.0 || start == 0.0 {
                return None;
            }
            with_infinities((0..=count).map(|bin| start * factor.powi(bin)).collect(), infinite)
        }
        _ => return None,
    };
    bounds.sort_by(f64::total_cmp);
    (bounds.len() >= 2 && bounds.iter().all(|bound| !bound.is_nan())).then_some(bounds)
}

fn evenly(description: &str, step: &str) -> Option<(f64, f64, i32, bool)> {
    let members = json::members(description)?;
    let find = |key: &str| members.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let number = |key: &str| if let Some(Scalar::Number(value)) = find(key) { Some(*value) } else { None };
    let count = number("count").filter(|count| (1.0..=MOST_BINS).contains(count))?;
    let infinite = if let Some(Scalar::Bool(value)) = find("infinity") { *value } else { return None };
    Some((number("start")?, number(step)?, count as i32, infinite))
}

fn with_infinities(mut bounds: Vec<f64>, infinite: bool) -> Vec<f64> {
    if infinite {
        bounds.extend([f64::NEG_INFINITY, f64::INFINITY]);
    }
    bounds
}

fn create(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let normalized = bound.constants.first() == Some(&Value::Bool(true));
    let bounds: Vec<f64> = bound.constants.iter().filter_map(|constant| if let Value::Double(bound) = constant { Some(*bound) } else { None }).collect();
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Histogram::<T> { normalized, bounds, states: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

/// Counts of a group; `rows` tells an empty one.
#[derive(Clone, Default)]
struct Counts {
    rows: u64,
    bins: Vec<u64>,
}

struct Histogram<T: ArrowPrimitiveType> {
    normalized: bool,
    bounds: Vec<f64>,
    states: Vec<Counts>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Histogram<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        let empty = Counts { rows: 0, bins: vec![0; self.bounds.len() - 1] };
        self.states.resize(groups.max(self.states.len()), empty);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        for run in runs {
            let state = &mut self.states[run.group as usize];
            state.rows += u64::from(run.end - run.start);
            valid_stretches(array.nulls(), run.start as usize, run.end as usize, |start, end| {
                for value in &array.values()[start..end] {
                    let value = value.double();
                    // Bins are open below and closed above.
                    let above = self.bounds.partition_point(|bound| *bound < value);
                    if above > 0 && above < self.bounds.len() {
                        state.bins[above - 1] += 1;
                    }
                }
            });
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (found, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            state.rows += found.rows;
            state.bins.iter_mut().zip(found.bins).for_each(|(bin, found)| *bin += found);
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Err(Error::internal("HISTOGRAM gives rows"))
    }

    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let (mut groups, mut texts) = (Vec::new(), Vec::new());
        for (group, state) in self.states.drain(..).enumerate().filter(|(_, state)| state.rows > 0) {
            let total: u64 = state.bins.iter().sum();
            for (bin, &count) in state.bins.iter().enumerate() {
                let mut text = String::from("{\"lower_bin\":");
                write_general(self.bounds[bin], &mut text);
                text.push_str(", \"upper_bin\":");
                write_general(self.bounds[bin + 1], &mut text);
                text.push_str(", \"count\":");
                if self.normalized {
                    let share = if total == 0 { 0.0 } else { count as f64 / total as f64 };
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{share:.6}");
                } else {
                    let _ = write!(text, "{count}");
                }
                text.push('}');
                groups.push(group as u32);
                texts.push(text.into_bytes());
            }
        }
        Ok((groups, Arc::new(BinaryArray::from_iter_values(texts)), Vec::new()))
    }
}

#[cfg(test)]
mod tests {
    use super::bounds;

    #[test]
    fn descriptions_of_bins() {
        assert_eq!(bounds("user_input", "[-100, 0, 100]"), Some(vec![-100.0, 0.0, 100.0]));
        assert_eq!(
            bounds("linear_bin", r#"{"start": -100, "width": 50, "count": 2, "infinity": true}"#),
            Some(vec![f64::NEG_INFINITY, -100.0, -50.0, 0.0, f64::INFINITY])
        );
        assert_eq!(bounds("log_bin", r#"{"start": 1, "factor": 2, "count": 3, "infinity": false}"#), Some(vec![1.0, 2.0, 4.0, 8.0]));
        for (kind, description) in [
            ("user_input", "[1]"),
            ("user_input", "[3, 1]"),
            ("linear_bin", "{}"),
            ("log_bin", r#"{"start": 1, "factor": 1, "count": 3, "infinity": false}"#),
            ("none", "[1, 2]"),
        ] {
            assert_eq!(bounds(kind, description), None, "{kind} {description}");
        }
    }
}
