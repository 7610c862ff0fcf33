//! TOP and BOTTOM: the k largest or smallest values of a group, each with its row.

use std::sync::Arc;

use arrow_array::types::{ArrowPrimitiveType, Decimal128Type};
use arrow_array::{Array, ArrayRef, PrimitiveArray, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::arrow::arrow_type;
use embudo_types::{DataType, Error, Precision, Result, Value};

use super::companions::{cells_of, columns_of};
use super::numbers::{Number, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::functions::{invalid_number, invalid_type};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("top", Kind::Rows, "The k largest values.", bind, create::<true>),
    Function::new("bottom", Kind::Rows, "The k smallest values.", bind, create::<false>),
];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument, count] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.argument(binder, argument)?;
    let argument = function.exact_number(binder, argument)?;
    let count = function.constant_integer(binder, count, 1..=100)?;
    let data_type = argument.data_type();
    Ok(BoundAggregate { constants: vec![Value::BigInt(count)], ..function.bound(argument, data_type) })
}

fn create<const LARGEST: bool>(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let Some(Value::BigInt(count)) = bound.constants.first() else { return Err(Error::internal("no count")) };
    let (count, types) = (*count as usize, companions.to_vec());
    let arrow_type = arrow_type(bound.data_type, bound.precision);
    if matches!(bound.data_type, DataType::Decimal(..)) {
        return Ok(Box::new(Ranking::<Decimal128Type, LARGEST> { arrow_type, count, types, states: Vec::new() }));
    }
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Ranking::<T, LARGEST> { arrow_type, count, types, states: Vec::new() }), else return Err(invalid_type(bound.name()))),
    )
}

/// A value among the best.
struct Ranked<N> {
    value: N,
    /// Place in the order of arrival.
    arrival: u64,
    companions: Vec<Value>,
}

/// The best values of a group, worst first; and what an empty one shows.
struct State<N> {
    ranked: Vec<Ranked<N>>,
    rows: u64,
    /// Companions of the first row, for a group whose values are all NULL.
    first: Vec<Value>,
}

impl<N> Default for State<N> {
    fn default() -> Self {
        Self { ranked: Vec::new(), rows: 0, first: Vec::new() }
    }
}

struct Ranking<T: ArrowPrimitiveType, const LARGEST: bool> {
    /// Of the result: decimals carry their digits in it.
    arrow_type: arrow_schema::DataType,
    count: usize,
    types: Vec<(DataType, Precision)>,
    states: Vec<State<T::Native>>,
}

impl<N: Number> State<N> {
    /// Whether `value` belongs among the best; of equals the earlier stays.
    fn admits<const LARGEST: bool>(&self, value: N, count: usize) -> bool {
        self.ranked.len() < count || self.ranked.first().is_some_and(|worst| if LARGEST { value > worst.value } else { value < worst.value })
    }

    fn insert<const LARGEST: bool>(&mut self, entry: Ranked<N>, count: usize) {
        if self.ranked.len() == count {
            self.ranked.remove(0);
        }
        let worse = |other: &Ranked<N>| if LARGEST { other.value < entry.value } else { other.value > entry.value };
        let at = self.ranked.partition_point(worse);
        self.ranked.insert(at, entry);
    }
}

impl<T: ArrowPrimitiveType, const LARGEST: bool> Aggregate for Ranking<T, LARGEST>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups.max(self.states.len()), State::default);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let (values, nulls) = (array.values(), array.nulls());
        for run in runs {
            let state = &mut self.states[run.group as usize];
            if state.rows == 0 {
                state.first = cells_of(input.companions, &self.types, run.start as usize);
            }
            let arrival = state.rows;
            valid_stretches(nulls, run.start as usize, run.end as usize, |start, end| {
                for row in start..end {
                    if state.admits::<LARGEST>(values[row], self.count) {
                        let arrival = arrival + (row - run.start as usize) as u64;
                        let entry = Ranked { value: values[row], arrival, companions: cells_of(input.companions, &self.types, row) };
                        state.insert::<LARGEST>(entry, self.count);
                    }
                }
            });
            state.rows += u64::from(run.end - run.start);
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (mut found, &group) in std::mem::take(&mut same_state::<Self>(other)?.states).into_iter().zip(groups) {
            let state = &mut self.states[group as usize];
            if state.rows == 0 {
                *state = found;
                continue;
            }
            // Earlier rows first, so that of equals the earlier stays.
            found.ranked.sort_by_key(|entry| entry.arrival);
            for entry in found.ranked {
                if state.admits::<LARGEST>(entry.value, self.count) {
                    let arrival = entry.arrival + state.rows;
                    state.insert::<LARGEST>(Ranked { arrival, ..entry }, self.count);
                }
            }
            state.rows += found.rows;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Err(Error::internal("TOP and BOTTOM give rows"))
    }

    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let (mut groups, mut values, mut companions) = (Vec::new(), Vec::new(), Vec::new());
        for (group, mut state) in std::mem::take(&mut self.states).into_iter().enumerate() {
            if state.ranked.is_empty() && state.rows > 0 {
                groups.push(group as u32);
                values.push(None);
                companions.push(state.first);
            }
            state.ranked.sort_by_key(|entry| entry.arrival);
            for entry in state.ranked {
                groups.push(group as u32);
                values.push(Some(entry.value));
                companions.push(entry.companions);
            }
        }
        let values = values.into_iter().collect::<PrimitiveArray<T>>().with_data_type(self.arrow_type.clone());
        Ok((groups, Arc::new(values), columns_of(&companions, &self.types)?))
    }
}
