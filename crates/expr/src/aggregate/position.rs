//! FIRST, LAST and `LAST_ROW`: the value at one end of time.

use arrow_array::{Array, ArrayRef};
use embudo_sql::ast::expr::Expr;
use embudo_types::{ColumnStatistics, DataType, Precision, Result, Value};

use super::companions::Companions;
use super::numbers::{first_valid, last_valid};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, same_state};
use crate::Binder;
use crate::datum::{array_of_values, value_at};
use crate::functions::invalid_type;

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("first", Kind::Selector, "First value in time.", bind, |bound, companions| create(bound, companions, End::First))
        .taking_statistics()
        .with_timestamps(),
    Function::new("last", Kind::Selector, "Last value in time.", bind, |bound, companions| create(bound, companions, End::Last))
        .taking_statistics()
        .with_timestamps(),
    Function::new("last_row", Kind::Selector, "Value of the newest row, NULL too.", bind, |bound, companions| create(bound, companions, End::LastRow))
        .taking_statistics()
        .with_timestamps(),
];

fn bind(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_argument(binder, arguments)?;
    let data_type = argument.data_type();
    if data_type == DataType::Null {
        return Err(invalid_type(function.name));
    }
    Ok(function.bound(argument, data_type))
}

fn create(bound: &BoundAggregate, companions: &[(DataType, Precision)], end: End) -> Result<Box<dyn Aggregate>> {
    let (data_type, precision) = (bound.data_type, bound.precision);
    Ok(Box::new(Position { end, data_type, precision, times: Vec::new(), values: Vec::new(), companions: Companions::new(companions) }))
}

/// Which end of time.
#[derive(Clone, Copy, PartialEq)]
enum End {
    First,
    Last,
    LastRow,
}

/// What is known of a group.
#[derive(Clone, Copy, PartialEq)]
enum Time {
    /// No row.
    Nothing,
    /// Rows without a value; companions are the first row's.
    Null,
    /// The picked row's.
    At(i64),
}

struct Position {
    end: End,
    data_type: DataType,
    precision: Precision,
    times: Vec<Time>,
    values: Vec<Value>,
    companions: Companions,
}

impl Position {
    /// Whether a row at `time` replaces the state: of rows with equal times in different calls the first stays, as recorded for
    /// equal times in several tables. Within a run the last of equal times is the one with the greatest key.
    fn improves(&self, group: usize, time: i64) -> bool {
        match self.times[group] {
            Time::At(known) if self.end == End::First => time < known,
            Time::At(known) => time > known,
            _ => true,
        }
    }
}

impl Aggregate for Position {
    fn resize(&mut self, groups: usize) {
        let groups = groups.max(self.times.len());
        self.times.resize(groups, Time::Nothing);
        self.values.resize(groups, Value::Null);
        self.companions.resize(groups);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = &input.arguments[0];
        let nulls = array.logical_nulls();
        for run in runs {
            let (group, start, end) = (run.group as usize, run.start as usize, run.end as usize);
            if start == end {
                continue;
            }
            let found = match self.end {
                End::First => first_valid(nulls.as_ref(), start, end),
                End::Last => last_valid(nulls.as_ref(), start, end),
                End::LastRow => Some(end - 1),
            };
            match found {
                None => {
                    if self.times[group] == Time::Nothing {
                        self.times[group] = Time::Null;
                        self.companions.pick(group, input.companions, start);
                    }
                }
                Some(row) => {
                    let time = input.timestamps[row];
                    if self.improves(group, time) {
                        self.times[group] = Time::At(time);
                        self.values[group] = value_at(array, self.data_type, row);
                        self.companions.pick(group, input.companions, row);
                    }
                }
            }
        }
        Ok(())
    }

    fn update_statistics(&mut self, group: usize, _: u64, statistics: &ColumnStatistics) -> Result<bool> {
        let end = if self.end == End::First { &statistics.first } else { &statistics.last };
        let Some((time, value)) = end else { return Ok(statistics.count == 0 && self.end != End::LastRow) };
        if self.end == End::LastRow && statistics.nulls > 0 {
            return Ok(false);
        }
        if self.improves(group, *time) {
            self.times[group] = Time::At(*time);
            self.values[group] = value.clone();
        }
        Ok(true)
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        let other = same_state::<Self>(other)?;
        for (at, &group) in groups.iter().enumerate().take(other.times.len()) {
            let group = group as usize;
            let better = match other.times[at] {
                Time::Nothing => false,
                Time::Null => self.times[group] == Time::Nothing,
                Time::At(time) => self.improves(group, time),
            };
            if better {
                self.times[group] = other.times[at];
                self.values[group] = std::mem::take(&mut other.values[at]);
                self.companions.take(group, &mut other.companions, at);
            }
        }
        other.times.clear();
        other.values.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        self.times.clear();
        array_of_values(&std::mem::take(&mut self.values), self.data_type, self.precision)
    }

    fn finish_companions(&mut self) -> Result<Vec<ArrayRef>> {
        self.companions.finish()
    }
}
