//! ELAPSED, TWA and IRATE: what rows say about the time between them.
//!
//! In INTERVAL windows a window with a row before it in its partition counts from its start, one with a row after it to its end; TWA takes the
//! values there from the line between the rows on either side.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::types::ArrowPrimitiveType;
use arrow_array::{Array, ArrayRef, Float64Array, PrimitiveArray, cast::AsArray};
use embudo_sql::ast::expr::Expr;
use embudo_types::{DataType, Error, Precision, Result, Value, code};
use rustc_hash::FxHashMap;

use super::numbers::{Number, valid_stretches, with_number_type};
use super::{Aggregate, AggregateInput, BoundAggregate, Function, Kind, Run, WindowBounds, same_state};
use crate::Binder;
use crate::datum::ticks;
use crate::functions::time::unit_ticks;
use crate::functions::{invalid_number, invalid_type};

pub(super) const FUNCTIONS: &[Function] = &[
    Function::new("elapsed", Kind::Value, "Time covered by rows, in a unit.", bind_elapsed, create_elapsed).in_time_order(),
    Function::new("twa", Kind::Value, "Mean over time, straight lines between values.", bind_number, create_average).in_time_order(),
    Function::new("irate", Kind::Value, "Rate of change a second between the last two values; a fall counts from 0.", bind_rate, create_rate).in_time_order(),
];

fn bind_elapsed(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let (argument, unit) = match arguments {
        [argument] => (argument, None),
        [argument, unit] => (argument, Some(unit)),
        _ => return Err(invalid_number(function.name)),
    };
    let argument = function.argument(binder, argument)?;
    if argument.data_type() != DataType::Timestamp {
        return Err(invalid_type(function.name));
    }
    let unit = unit.map_or(Ok(1), |unit| unit_ticks(function.name, unit, argument.precision()))?;
    Ok(BoundAggregate { constants: vec![Value::BigInt(unit)], ..function.bound(argument, DataType::Double) })
}

fn bind_number(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let argument = function.only_number(binder, arguments)?;
    Ok(function.bound(argument, DataType::Double))
}

fn bind_rate(function: &'static Function, binder: &Binder<'_>, arguments: &[Expr]) -> Result<BoundAggregate> {
    let second = binder.context().precision.ticks_per_second();
    Ok(BoundAggregate { constants: vec![Value::BigInt(second)], ..bind_number(function, binder, arguments)? })
}

fn constant(bound: &BoundAggregate) -> Result<i64> {
    match bound.constants[..] {
        [Value::BigInt(value)] => Ok(value),
        _ => Err(Error::internal("no unit")),
    }
}

fn create_elapsed(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(Box::new(Elapsed { unit: constant(bound)?, states: Vec::new(), neighbours: Neighbours::default() }))
}

fn create_average(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Average::<T> { states: Vec::new(), neighbours: Neighbours::default(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

fn create_rate(bound: &BoundAggregate, _: &[(DataType, Precision)]) -> Result<Box<dyn Aggregate>> {
    let second = constant(bound)?;
    Ok(
        with_number_type!(bound.arguments[0].data_type(), T => Box::new(Rate::<T> { second, states: Vec::new(), cells: PhantomData }), else return Err(invalid_type(bound.name()))),
    )
}

/// A value and its time.
type Point = (i64, f64);

/// The value at a time on the line through two points.
fn on_line(left: Point, right: Point, time: i64) -> f64 {
    if right.0 == left.0 { right.1 } else { left.1 + (right.1 - left.1) * (time - left.0) as f64 / (right.0 - left.0) as f64 }
}

/// Rows beside windows: which came last in a partition, and which windows wait for a row after them.
#[derive(Default)]
struct Neighbours {
    partitions: FxHashMap<u32, Partition>,
}

#[derive(Default)]
struct Partition {
    /// The last two rows: a sliding window's first row may be the last one already.
    last: [Option<Point>; 2],
    open: Vec<u32>,
}

/// What a run of rows tells about windows.
struct Edges {
    /// The row before the run's window, where it is the window's first run.
    before: Option<Point>,
    /// Windows of the partition that the run lies behind, with their first row after.
    closed: Vec<(u32, Point)>,
}

impl Neighbours {
    /// Takes the next run of a window, `points` in time order and not empty; `earlier` is the row before it in its chunk.
    fn pass(&mut self, group: u32, windows: &[WindowBounds], points: &[Point], earlier: Option<Point>) -> Edges {
        let window = windows[group as usize];
        let partition = self.partitions.entry(window.partition).or_default();
        let first = points[0];
        let is_new = !partition.open.contains(&group);
        let before = if is_new {
            [partition.last[1], partition.last[0], earlier].into_iter().flatten().filter(|point| point.0 < first.0).max_by_key(|point| point.0)
        } else {
            None
        };
        let mut closed = Vec::new();
        partition.open.retain(|&open| {
            let end = windows[open as usize].end;
            let after = points.get(points.partition_point(|point| point.0 < end));
            if let (Some(&point), true) = (after, open != group) {
                closed.push((open, point));
                return false;
            }
            true
        });
        if is_new {
            partition.open.push(group);
        }
        let last = points[points.len() - 1];
        if partition.last[1].is_none_or(|known| last.0 > known.0) {
            let previous = if points.len() > 1 { Some(points[points.len() - 2]) } else { partition.last[1] };
            partition.last = [previous, Some(last)];
        }
        Edges { before, closed }
    }
}

/// The rows of a chunk that come before others in their partition.
struct RowsBefore {
    /// By row, where rows of several partitions stand between each other.
    of_row: Option<Vec<Option<u32>>>,
}

impl RowsBefore {
    fn of(runs: &[Run], windows: &[WindowBounds]) -> Self {
        let partition = |run: &Run| windows.get(run.group as usize).map(|window| window.partition);
        if runs.windows(2).all(|pair| partition(&pair[0]) == partition(&pair[1])) {
            return Self { of_row: None };
        }
        let mut owners: Vec<Option<u32>> = vec![None; runs.iter().map(|run| run.end as usize).max().unwrap_or(0)];
        for run in runs {
            owners[run.start as usize..run.end as usize].fill(partition(run));
        }
        let mut last: FxHashMap<u32, u32> = FxHashMap::default();
        let of_row = owners.iter().enumerate().map(|(row, owner)| owner.and_then(|owner| last.insert(owner, row as u32))).collect();
        Self { of_row: Some(of_row) }
    }

    /// The nearest row before one in its partition for which `test` holds.
    fn find(&self, row: u32, test: impl Fn(usize) -> bool) -> Option<usize> {
        let before = |row: u32| match &self.of_row {
            None => row.checked_sub(1),
            Some(of_row) => of_row[row as usize],
        };
        std::iter::successors(before(row), |row| before(*row)).map(|row| row as usize).find(|row| test(*row))
    }
}

/// First and last time of each group.
struct Elapsed {
    unit: i64,
    states: Vec<Option<(i64, i64)>>,
    neighbours: Neighbours,
}

impl Aggregate for Elapsed {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), None);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let times = ticks(&input.arguments[0]);
        let rows_before = RowsBefore::of(runs, input.windows);
        for run in runs.iter().filter(|run| run.start < run.end) {
            let rows = &times[run.start as usize..run.end as usize];
            let (mut low, mut high) = rows.iter().fold((rows[0], rows[0]), |(low, high), &time| (low.min(time), high.max(time)));
            if !input.windows.is_empty() {
                let points: Vec<Point> = rows.iter().map(|&time| (time, 0.0)).collect();
                let earlier = rows_before.find(run.start, |_| true).map(|row| (times[row], 0.0));
                let edges = self.neighbours.pass(run.group, input.windows, &points, earlier);
                if edges.before.is_some() {
                    low = input.windows[run.group as usize].start;
                }
                for (window, _) in edges.closed {
                    let end = input.windows[window as usize].end;
                    self.widen(window as usize, end, end);
                }
            }
            if let Some((known_low, known_high)) = self.states[run.group as usize] {
                (low, high) = (low.min(known_low), high.max(known_high));
            }
            self.states[run.group as usize] = Some((low, high));
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (found, &group) in std::mem::take(&mut same_state::<Self>(other)?.states).into_iter().zip(groups) {
            if let Some((low, high)) = found {
                self.widen(group as usize, low, high);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let unit = self.unit as f64;
        Ok(Arc::new(self.states.drain(..).map(|state| state.map(|(low, high)| (high - low) as f64 / unit)).collect::<Float64Array>()))
    }
}

impl Elapsed {
    fn widen(&mut self, group: usize, low: i64, high: i64) {
        let state = &mut self.states[group];
        *state = Some(state.map_or((low, high), |(known_low, known_high)| (low.min(known_low), high.max(known_high))));
    }
}

/// The curve of a group so far.
#[derive(Clone, Copy)]
struct Curve {
    first: Point,
    last: Point,
    /// Area under it times 2.
    area: f64,
}

impl Curve {
    fn extend(&mut self, point: Point) {
        self.area += twice_the_area(self.last, point);
        self.last = point;
    }

    fn mean(&self) -> f64 {
        let span = (self.last.0 - self.first.0) as f64;
        if span == 0.0 { self.last.1 } else { self.area / (2.0 * span) }
    }
}

/// Twice the area between the line through two points and zero. A line that crosses zero is cut there, which rounds as TDengine's does.
fn twice_the_area(left: Point, right: Point) -> f64 {
    if (left.1 >= 0.0) == (right.1 >= 0.0) || left.1 == 0.0 || right.1 == 0.0 {
        return (left.1 + right.1) * (right.0 - left.0) as f64;
    }
    let (left_time, right_time) = (left.0 as f64, right.0 as f64);
    let crossing = (left_time * right.1 - right_time * left.1) / (right.1 - left.1);
    left.1 * (crossing - left_time) + right.1 * (right_time - crossing)
}

struct Average<T: ArrowPrimitiveType> {
    states: Vec<Option<Curve>>,
    neighbours: Neighbours,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Aggregate for Average<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), None);
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let mut points = Vec::new();
        let rows_before = RowsBefore::of(runs, input.windows);
        for run in runs {
            points.clear();
            collect_points(array, input.timestamps, run.start as usize, run.end as usize, &mut points);
            let Some(&first) = points.first() else { continue };
            let group = run.group as usize;
            if !input.windows.is_empty() {
                let earlier = rows_before.find(run.start, |row| array.is_valid(row)).map(|row| (input.timestamps[row], array.values()[row].double()));
                let edges = self.neighbours.pass(run.group, input.windows, &points, earlier);
                for (window, after) in edges.closed {
                    // The last tick of the window.
                    let end = input.windows[window as usize].end - 1;
                    if let Some(curve) = self.states[window as usize].as_mut().filter(|curve| curve.last.0 < end) {
                        let point = (end, on_line(curve.last, after, end));
                        curve.extend(point);
                    }
                }
                let start = input.windows[group].start;
                if let Some(before) = edges.before.filter(|_| self.states[group].is_none() && start < first.0) {
                    let point = (start, on_line(before, first, start));
                    self.states[group] = Some(Curve { first: point, last: point, area: 0.0 });
                }
            }
            let state = &mut self.states[group];
            for &point in &points {
                match state {
                    None => *state = Some(Curve { first: point, last: point, area: 0.0 }),
                    Some(curve) if curve.last.0 == point.0 && curve.first.0 != point.0 => {
                        return Err(Error::new(code::DUPLICATE_TIMESTAMPS_NOT_ALLOWED_IN_FUNCTION));
                    }
                    Some(curve) => curve.extend(point),
                }
            }
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for (found, &group) in same_state::<Self>(other)?.states.drain(..).zip(groups) {
            let state = &mut self.states[group as usize];
            match (state.as_mut(), found) {
                (Some(curve), Some(found)) => {
                    curve.extend(found.first);
                    curve.area += found.area;
                    curve.last = found.last;
                }
                (None, found) => *state = found,
                (Some(_), None) => {}
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        Ok(Arc::new(self.states.drain(..).map(|state| state.map(|curve| curve.mean())).collect::<Float64Array>()))
    }
}

fn collect_points<T: ArrowPrimitiveType>(array: &PrimitiveArray<T>, times: &[i64], start: usize, end: usize, points: &mut Vec<Point>)
where
    T::Native: Number,
{
    valid_stretches(array.nulls(), start, end, |start, end| {
        points.extend(times[start..end].iter().zip(&array.values()[start..end]).map(|(&time, value)| (time, value.double())));
    });
}

/// The last two points of each group.
struct Rate<T: ArrowPrimitiveType> {
    second: i64,
    states: Vec<(bool, [Option<Point>; 2])>,
    cells: PhantomData<fn() -> T>,
}

impl<T: ArrowPrimitiveType> Rate<T> {
    fn push(&mut self, group: usize, point: Point) -> Result<()> {
        let (_, points) = &mut self.states[group];
        if points[1].is_some_and(|last| last.0 == point.0) {
            return Err(Error::new(code::DUPLICATE_TIMESTAMPS_NOT_ALLOWED_IN_FUNCTION));
        }
        *points = [points[1], Some(point)];
        Ok(())
    }
}

impl<T: ArrowPrimitiveType> Aggregate for Rate<T>
where
    T::Native: Number,
{
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups.max(self.states.len()), (false, [None, None]));
    }

    fn update(&mut self, input: &AggregateInput<'_>, runs: &[Run]) -> Result<()> {
        let array = input.arguments[0].as_primitive::<T>();
        let mut points = Vec::new();
        for run in runs {
            points.clear();
            collect_points(array, input.timestamps, run.start as usize, run.end as usize, &mut points);
            self.states[run.group as usize].0 |= run.start < run.end;
            points.iter().try_for_each(|&point| self.push(run.group as usize, point))?;
        }
        Ok(())
    }

    fn merge(&mut self, other: &mut dyn Aggregate, groups: &[u32]) -> Result<()> {
        for ((rows, points), &group) in std::mem::take(&mut same_state::<Self>(other)?.states).into_iter().zip(groups) {
            self.states[group as usize].0 |= rows;
            points.into_iter().flatten().try_for_each(|point| self.push(group as usize, point))?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<ArrayRef> {
        let second = self.second as f64;
        let rate = |(rows, points): (bool, [Option<Point>; 2])| match points {
            [Some(before), Some(last)] => {
                let change = if last.1 < before.1 { last.1 } else { last.1 - before.1 };
                Some(change * second / (last.0 - before.0) as f64)
            }
            _ => rows.then_some(0.0),
        };
        Ok(Arc::new(self.states.drain(..).map(rate).collect::<Float64Array>()))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, TimestampMillisecondArray};

    use super::*;

    const WINDOWS: [WindowBounds; 3] = [
        WindowBounds { start: 0, end: 10, partition: 0 },
        WindowBounds { start: 10, end: 20, partition: 0 },
        WindowBounds { start: 20, end: 30, partition: 0 },
    ];

    fn doubles(array: &ArrayRef) -> Vec<Option<f64>> {
        array.as_primitive::<arrow_array::types::Float64Type>().iter().collect()
    }

    #[test]
    fn windows_reach_their_edges_where_rows_lie_beyond() {
        let times = [4, 8, 12, 18, 24];
        let runs = [Run { group: 0, start: 0, end: 2 }, Run { group: 1, start: 2, end: 4 }, Run { group: 2, start: 4, end: 5 }];
        let mut elapsed = Elapsed { unit: 1, states: Vec::new(), neighbours: Neighbours::default() };
        elapsed.resize(3);
        let arguments: [ArrayRef; 1] = [Arc::new(TimestampMillisecondArray::from(times.to_vec()))];
        elapsed.update(&AggregateInput { timestamps: &times, arguments: &arguments, companions: &[], windows: &WINDOWS }, &runs).unwrap();
        assert_eq!(doubles(&elapsed.finish().unwrap()), [Some(6.0), Some(10.0), Some(4.0)]);

        // Values equal to their time: the mean is the middle of what a window covers.
        let mut average = Average::<arrow_array::types::Int32Type> { states: Vec::new(), neighbours: Neighbours::default(), cells: PhantomData };
        average.resize(3);
        let arguments: [ArrayRef; 1] = [Arc::new(Int32Array::from(vec![4, 8, 12, 18, 24]))];
        average.update(&AggregateInput { timestamps: &times, arguments: &arguments, companions: &[], windows: &WINDOWS }, &runs).unwrap();
        assert_eq!(doubles(&average.finish().unwrap()), [Some(6.5), Some(14.5), Some(22.0)]);
    }
}
