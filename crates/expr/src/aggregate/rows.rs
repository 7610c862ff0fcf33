//! UNIQUE, TAIL and SAMPLE: rows picked from a group, each with its companions.

use arrow_array::ArrayRef;
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::FxHashMap;

use super::cells::{Key, keys};
use super::companions::{cells_of, columns_of};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::datum::{array_of_values, value_at};
use crate::functions::invalid_number;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("unique", Kind::Rows, "The first row of each different value.", bind_unique, create_unique).with_timestamps(),
    Function::new("tail", Kind::Rows, "The newest k rows after skipping some.", bind_tail, create_tail).with_timestamps(),
    Function::new("sample", Kind::Rows, "k rows at random.", bind_sample, create_sample),
];

fn bind_unique(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_argument(binder, arguments)?;
    if argument.constant().is_some() {
        return Err(Error::with(code::FUNCTION_SPECIFIC_TEXT, format!("The parameters of {} must contain columns", function.name.to_ascii_uppercase())));
    }
    let data_type = argument.data_type();
    Ok(function.bound(argument, data_type))
}

fn bind_tail(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let (argument, count, offset) = match arguments {
        [argument, count] => (argument, count, None),
        [argument, count, offset] => (argument, count, Some(offset)),
        _ => return Err(invalid_number(function.name)),
    };
    let argument = function.argument(binder, argument)?;
    let count = function.constant_integer(binder, count, 1..=100)?;
    let offset = offset.map_or(Ok(0), |offset| function.constant_integer(binder, offset, 0..=100))?;
    let data_type = argument.data_type();
    Ok(BoundAggregate { constants: vec![Value::BigInt(count), Value::BigInt(offset)], ..function.bound(argument, data_type) })
}

fn bind_sample(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let [argument, count] = arguments else { return Err(invalid_number(function.name)) };
    let argument = function.argument(binder, argument)?;
    let count = function.constant_integer(binder, count, 1..=1_000)?;
    let data_type = argument.data_type();
    Ok(BoundAggregate { constants: vec![Value::BigInt(count)], ..function.bound(argument, data_type) })
}

fn count(bound: &BoundAggregate, at: usize) -> usize {
    if let Some(Value::BigInt(count)) = bound.constants.get(at) { *count as usize } else { 0 }
}

fn layout(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Layout {
    Layout { data_type: bound.data_type, precision: bound.precision, companions: companions.to_vec() }
}

fn create_unique(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Unique { layout: layout(bound, companions), states: Vec::new(), held: 0 }))
}

fn create_tail(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Tail { layout: layout(bound, companions), count: count(bound, 0), offset: count(bound, 1), states: Vec::new() }))
}

fn create_sample(bound: &BoundAggregate, companions: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Sample { layout: layout(bound, companions), count: count(bound, 0), states: Vec::new(), random: 0x2545_F491_4F6C_DD1D }))
}

/// Types of a picked row.
struct Layout {
    data_type: DataType,
    precision: Precision,
    companions: Vec<(DataType, Precision)>,
}

/// A row picked from a group.
struct Picked {
    time: i64,
    value: Value,
    companions: Vec<Value>,
}

impl Layout {
    fn pick(&self, input: &AggregateInput<'_>, row: usize) -> Picked {
        Picked {
            time: input.timestamps.get(row).copied().unwrap_or(0),
            value: value_at(&input.arguments[0], self.data_type, row),
            companions: cells_of(input.companions, &self.companions, row),
        }
    }

    fn finish(&self, groups: impl Iterator<Item = Vec<Picked>>) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let (mut numbers, mut values, mut companions) = (Vec::new(), Vec::new(), Vec::new());
        for (group, rows) in groups.enumerate() {
            for row in rows {
                numbers.push(group as u32);
                values.push(row.value);
                companions.push(row.companions);
            }
        }
        Ok((numbers, array_of_values(&values, self.data_type, self.precision)?, columns_of(&companions, &self.companions)?))
    }
}

fn gives_rows() -> Error {
    Error::internal("the aggregate gives rows")
}

/// The first row of each key; NULL is one.
struct Unique {
    layout: Layout,
    states: Vec<FxHashMap<Key, Picked>>,
    held: usize,
}

impl Aggregate for Unique {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups.max(self.states.len()), FxHashMap::default);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        for run in runs {
            let state = &mut self.states[run.group as usize];
            keys(&input.arguments[0], self.layout.data_type, run.start as usize, run.end as usize, |row, key| {
                let time = input.timestamps[row];
                match state.get_mut(&key) {
                    Some(known) if time >= known.time => {}
                    Some(known) => *known = self.layout.pick(input, row),
                    None => {
                        self.held += key.entry_bytes();
                        state.insert(key, self.layout.pick(input, row));
                    }
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        self.held += other.held;
        for (found, &group) in other.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            for (key, row) in found {
                if state.get(&key).is_none_or(|known| row.time < known.time) {
                    state.insert(key, row);
                }
            }
        }
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.held
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Err(gives_rows())
    }

    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let states = std::mem::take(&mut self.states);
        let in_time_order = |state: FxHashMap<Key, Picked>| {
            let mut rows: Vec<Picked> = state.into_values().collect();
            rows.sort_by_key(|row| row.time);
            rows
        };
        self.layout.finish(states.into_iter().map(in_time_order))
    }
}

/// The newest rows, oldest first.
struct Tail {
    layout: Layout,
    count: usize,
    offset: usize,
    states: Vec<Vec<Picked>>,
}

impl Tail {
    /// Adds a row that comes after all known rows of equal time.
    fn add(state: &mut Vec<Picked>, row: Picked, most: usize) {
        let at = state.partition_point(|known| known.time <= row.time);
        if state.len() == most {
            if at == 0 {
                return;
            }
            state.insert(at, row);
            state.remove(0);
        } else {
            state.insert(at, row);
        }
    }
}

impl Aggregate for Tail {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups.max(self.states.len()), Vec::new);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let most = self.count + self.offset;
        for run in runs {
            // Rows of a run are in time order, so only its end can be among the newest.
            let start = (run.start as usize).max((run.end as usize).saturating_sub(most));
            for row in start..run.end as usize {
                Self::add(&mut self.states[run.group as usize], self.layout.pick(input, row), most);
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let most = self.count + self.offset;
        for (found, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            for row in found {
                Self::add(&mut self.states[group as usize], row, most);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Err(gives_rows())
    }

    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let states = std::mem::take(&mut self.states);
        let newest_first = |mut state: Vec<Picked>| {
            state.reverse();
            state.into_iter().skip(self.offset).take(self.count).collect()
        };
        self.layout.finish(states.into_iter().map(newest_first))
    }
}

/// Reservoirs (Vitter's algorithm R) from a generator with a fixed seed: the same rows in the same order give the same sample.
struct Sample {
    layout: Layout,
    count: usize,
    states: Vec<(u64, Vec<Picked>)>,
    random: u64,
}

impl Sample {
    /// A number below `bound` (xorshift64*).
    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % bound
    }

    /// The place that the next row of a group takes.
    fn place(&mut self, group: usize) -> Option<usize> {
        let (rows, picked) = &mut self.states[group];
        *rows += 1;
        if picked.len() < self.count {
            return Some(picked.len());
        }
        let rows = *rows;
        let place = self.below(rows) as usize;
        (place < self.count).then_some(place)
    }

    fn put(&mut self, group: usize, place: usize, row: Picked) {
        let picked = &mut self.states[group].1;
        if place == picked.len() { picked.push(row) } else { picked[place] = row }
    }
}

impl Aggregate for Sample {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups.max(self.states.len()), Default::default);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        for run in runs {
            for row in run.start as usize..run.end as usize {
                if let Some(place) = self.place(run.group as usize) {
                    let picked = self.layout.pick(input, row);
                    self.put(run.group as usize, place, picked);
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for ((rows, picked), &group) in std::mem::take(&mut same_state::<Self>(other)?.states).into_iter().zip(groups) {
            let group = group as usize;
            // Each sampled row stands for its share of the rows it was drawn from.
            let share = rows / picked.len().max(1) as u64;
            for row in picked {
                if let Some(place) = self.place(group) {
                    self.put(group, place, row);
                }
                self.states[group].0 += share.saturating_sub(1);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Err(gives_rows())
    }

    fn finish_rows(&mut self) -> Result<(Vec<u32>, ArrayRef, Vec<ArrayRef>)> {
        let states = std::mem::take(&mut self.states);
        self.layout.finish(states.into_iter().map(|(_, picked)| picked))
    }
}
