//! Groups and windows: accumulators fed blocks, pieces' statistics or the last cache, and what they give.
//!
//! Work is cut into tasks by the data alone, never by the number of threads; each task has its own accumulator, and they are
//! merged in the tasks' order. So one thread and two give the same bits.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array};
use embudo_expr::aggregate::{Aggregate, AggregateInput, Run, WindowBounds};
use embudo_storage::{Piece, TimeRange};
use embudo_types::{ColumnStatistics, DataType, Error, Precision, Result};
use rustc_hash::FxHashMap;

use super::block::{Batch, Block};
use super::group_hash;
use super::scan::{TableScan, timestamp_array};
use crate::QueryContext;
use crate::array::{RowKeys, concat, take};
use crate::context::CancelToken;
use crate::memory::Reservation;
use crate::plan::{AggregatePlan, KeyPlan, SelectPlan, Stage, StageColumn, WindowPlan};
use crate::window::assign::{Assigner, Groups};

/// Whose rows a block holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Partition {
    /// One partition's.
    Known(u32),
    /// The keys' values tell, row by row.
    ByRow,
}

/// The states of all aggregates over some of the rows.
pub(crate) struct Accumulator {
    select: Arc<SelectPlan>,
    states: Vec<Box<dyn Aggregate>>,
    groups: Groups,
    assigner: Assigner,
    keys: KeyTable,
    runs: Vec<Run>,
    bounds: Vec<WindowBounds>,
    statistics: bool,
    /// Rows looked at one by one.
    rows: usize,
    reservation: Reservation,
    cancel: CancelToken,
}

/// What a group takes beside its aggregates' states, and a state that holds no rows: about as much as their tables' entries.
const GROUP_BYTES: usize = 96;
/// See [`GROUP_BYTES`].
const STATE_BYTES: usize = 32;

fn plan(select: &SelectPlan) -> Result<&AggregatePlan> {
    match &select.stage {
        Stage::Aggregate(plan) => Ok(plan),
        _ => Err(Error::internal("an accumulator of what has no aggregates")),
    }
}

impl Accumulator {
    /// An empty accumulator.
    pub(crate) fn new(select: &Arc<SelectPlan>, context: &QueryContext) -> Result<Self> {
        Self::of_windows(select, context, TimeRange::ALL)
    }

    /// An empty accumulator that leaves out the windows of INTERVAL that do not start in a range.
    pub(crate) fn of_windows(select: &Arc<SelectPlan>, context: &QueryContext, starts: TimeRange) -> Result<Self> {
        let plan = plan(select)?;
        let companions: Vec<(DataType, Precision)> = plan.companions.iter().map(|expr| (expr.data_type(), expr.precision())).collect();
        let mut states = Vec::with_capacity(plan.calls.len());
        for (place, call) in plan.calls.iter().enumerate() {
            states.push(call.create(if plan.carrier == Some(place) { &companions } else { &[] })?);
        }
        let statistics = companions.is_empty()
            && !plan.many_rows
            && plan.calls.iter().all(embudo_expr::aggregate::BoundAggregate::takes_statistics)
            && plan.window.as_ref().is_none_or(|window| matches!(window, WindowPlan::Interval(grid) if grid.is_tumbling()));
        Ok(Self {
            select: Arc::clone(select),
            states,
            groups: Groups::default(),
            assigner: Assigner::new(starts),
            keys: KeyTable::default(),
            runs: Vec::new(),
            bounds: Vec::new(),
            statistics,
            rows: 0,
            reservation: Reservation::new(&context.memory),
            cancel: context.cancel.clone(),
        })
    }

    /// Takes a block's rows.
    pub(crate) fn take_block(&mut self, partition: Partition, block: &Block) -> Result<()> {
        self.take_numbered(partition, block, &[])
    }

    /// The same; `numbers`, where there are any, tell the place of each row among all, by which partitions know their first.
    pub(crate) fn take_numbered(&mut self, partition: Partition, block: &Block, numbers: &[i64]) -> Result<()> {
        let select = Arc::clone(&self.select);
        let plan = plan(&select)?;
        self.runs.clear();
        self.rows += block.rows;
        self.assigner.prepare(plan.window.as_ref(), block)?;
        match partition {
            Partition::Known(partition) => {
                self.assigner.assign(plan.window.as_ref(), partition, 0..block.rows, &block.timestamps, &mut self.groups, &mut self.runs);
            }
            Partition::ByRow => {
                let numbers = self.keys.numbers(&plan.keys, block, numbers)?;
                let mut start = 0;
                while start < block.rows {
                    let mut end = start + 1;
                    while end < block.rows && numbers[end] == numbers[start] {
                        end += 1;
                    }
                    self.assigner.assign(plan.window.as_ref(), numbers[start], start..end, &block.timestamps, &mut self.groups, &mut self.runs);
                    start = end;
                }
            }
        }
        self.update(plan, block, &[])?;
        self.hold()
    }

    /// Reserves what groups, keys and states take by now.
    fn hold(&mut self) -> Result<()> {
        let groups = self.groups.list().len() * (GROUP_BYTES + self.states.len() * STATE_BYTES);
        let states: usize = self.states.iter().map(|state| state.held_bytes()).sum();
        self.reservation.resize(groups + self.keys.held_bytes() + states)
    }

    /// Feeds the runs to all aggregates but those that have taken them already.
    fn update(&mut self, plan: &AggregatePlan, block: &Block, done: &[bool]) -> Result<()> {
        self.make_room(plan);
        let mut companions = Vec::new();
        if plan.carrier.is_some() {
            for expr in &plan.companions {
                companions.push(expr.evaluate(&block.columns, block.rows)?);
            }
        }
        let mut arguments = Vec::new();
        for (place, (call, state)) in plan.calls.iter().zip(&mut self.states).enumerate() {
            if done.get(place) == Some(&true) {
                continue;
            }
            arguments.clear();
            for argument in call.arguments() {
                arguments.push(argument.evaluate(&block.columns, block.rows)?);
            }
            let carries = plan.carrier == Some(place);
            let input = AggregateInput {
                timestamps: &block.timestamps,
                arguments: &arguments,
                companions: if carries { &companions } else { &[] },
                windows: &self.bounds,
            };
            state.update(&input, &self.runs)?;
        }
        Ok(())
    }

    fn make_room(&mut self, plan: &AggregatePlan) {
        let groups = self.groups.list().len();
        for state in &mut self.states {
            state.resize(groups);
        }
        if plan.time_order && matches!(plan.window, Some(WindowPlan::Interval(_))) {
            let known = self.bounds.len();
            self.bounds.extend(self.groups.list()[known..].iter().map(|group| WindowBounds { start: group.start, end: group.end, partition: group.partition }));
        }
    }

    /// Takes a piece by its statistics where they suffice; says whether they did.
    pub(crate) fn take_statistics(&mut self, partition: u32, piece: &Piece, scan: &TableScan, child: usize) -> Result<bool> {
        if !self.statistics || scan.filters_rows() || scan.key().is_some() {
            return Ok(false);
        }
        let select = Arc::clone(&self.select);
        let plan = plan(&select)?;
        let (window, bounds) = match &plan.window {
            Some(WindowPlan::Interval(grid)) => {
                let range = piece.range();
                let start = grid.last_start(range.start);
                let end = grid.end(start);
                if range.end >= end {
                    return Ok(false);
                }
                (start, grid.shown(start, range.start))
            }
            _ => (0, (0, 0)),
        };
        if plan.window.is_some() && !self.assigner.starts().contains(window) {
            return Ok(true);
        }
        let rows = piece.rows() as u64;
        let mut known = Vec::with_capacity(plan.calls.len());
        for call in &plan.calls {
            let statistics = match call.arguments().first().and_then(embudo_expr::BoundExpr::input_index) {
                Some(input) => scan.statistics(input, piece),
                None => Some(ColumnStatistics { count: rows, ..ColumnStatistics::default() }),
            };
            let Some(statistics) = statistics else { return Ok(false) };
            known.push(statistics);
        }
        scan.note_statistics(piece);
        let group = self.groups.number(partition, window, || bounds);
        self.make_room(plan);
        let mut done = Vec::with_capacity(known.len());
        for (state, statistics) in self.states.iter_mut().zip(&known) {
            done.push(state.update_statistics(group as usize, rows, statistics)?);
        }
        if done.contains(&false)
            && let Some(block) = scan.load(child, piece, &mut super::scan::Constants::default())?
        {
            self.runs.clear();
            self.runs.push(Run { group, start: 0, end: block.rows as u32 });
            self.update(plan, &block, &done)?;
        }
        Ok(true)
    }

    /// Takes values that the last cache gave for one call: (partition, tick, value) rows in the order of children.
    pub(crate) fn take_cached(&mut self, call: usize, partitions: &[u32], ticks: &[i64], values: &ArrayRef) -> Result<()> {
        let select = Arc::clone(&self.select);
        let plan = plan(&select)?;
        self.runs.clear();
        for (row, partition) in partitions.iter().enumerate() {
            let group = self.groups.number(*partition, 0, || (0, 0));
            self.runs.push(Run { group, start: row as u32, end: row as u32 + 1 });
        }
        self.make_room(plan);
        let input = AggregateInput { timestamps: ticks, arguments: std::slice::from_ref(values), companions: &[], windows: &[] };
        self.states[call].update(&input, &self.runs)
    }

    /// How many rows were looked at one by one, not counting those of merged accumulators.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The place among all rows of each found partition's first row, where rows were numbered.
    pub(crate) fn first_rows(&self) -> Vec<i64> {
        self.keys.first_rows.clone()
    }

    /// The keys of found partitions, an array a key.
    pub(crate) fn found_keys(&self) -> Result<Vec<ArrayRef>> {
        self.keys.finish(&plan(&self.select)?.keys)
    }

    /// How many groups there are.
    pub(crate) fn groups(&self) -> usize {
        self.groups.list().len()
    }

    /// Sees that a partition's group is there, rows or not.
    pub(crate) fn touch(&mut self, partition: u32) {
        self.groups.number(partition, 0, || (0, 0));
    }

    /// Adds another task's groups, whose rows come after this one's.
    pub(crate) fn merge(&mut self, mut other: Self) -> Result<()> {
        let select = Arc::clone(&self.select);
        let plan = plan(&select)?;
        other.assigner.finish(plan.window.as_ref(), &mut other.groups);
        let partitions = self.keys.adopt(other.keys, &self.cancel)?;
        let mut numbers = Vec::with_capacity(other.groups.list().len());
        for (place, group) in other.groups.list().iter().enumerate() {
            if place % CHECKED == 0 {
                self.cancel.check()?;
            }
            let partition = partitions.get(group.partition as usize).copied().unwrap_or(group.partition);
            let number = self.groups.number(partition, group.window, || (group.start, group.end));
            self.groups.get_mut(number).open = group.open;
            numbers.push(number);
        }
        self.make_room(plan);
        for (state, other) in self.states.iter_mut().zip(&mut other.states) {
            other.resize(numbers.len());
            state.merge(other.as_mut(), &numbers)?;
        }
        self.hold()
    }

    /// What the groups came to. `known` holds the keys of known partitions, an array a key, by partition.
    pub(crate) fn finish(mut self, known: &[ArrayRef]) -> Result<Batch> {
        let select = Arc::clone(&self.select);
        let plan = plan(&select)?;
        self.assigner.finish(plan.window.as_ref(), &mut self.groups);
        self.make_room(plan);
        let list = self.groups.list();
        let mut order: Vec<u32> = (0..list.len() as u32).filter(|group| !list[*group as usize].open).collect();
        let found = self.keys.finish(&plan.keys)?;
        if select.hash_order && !found.is_empty() {
            let mut place_of = vec![0; self.keys.len()];
            group_hash::order(&plan.keys, &found, self.keys.len()).iter().enumerate().for_each(|(place, partition)| place_of[*partition as usize] = place);
            order = sorted_by(order, |group| (place_of[list[group as usize].partition as usize], list[group as usize].window), &self.cancel)?;
        } else {
            order = sorted_by(order, |group| (list[group as usize].partition as usize, list[group as usize].window), &self.cancel)?;
        }
        let keys = if found.is_empty() { known } else { &found };
        if order.is_empty() {
            return Ok(Batch { rows: 0, columns: Vec::new(), groups: None });
        }
        let mut values: Vec<ArrayRef> = Vec::with_capacity(plan.calls.len());
        let mut companions: Vec<ArrayRef> = Vec::new();
        // The group of each row that comes out.
        let mut rows = order.clone();
        if plan.many_rows {
            let (groups, array, followers) = self.states[0].finish_rows()?;
            let mut rank = vec![u32::MAX; list.len()];
            for (place, group) in order.iter().enumerate() {
                rank[*group as usize] = place as u32;
            }
            let mut picked: Vec<u32> = (0..groups.len() as u32).filter(|row| rank[groups[*row as usize] as usize] != u32::MAX).collect();
            picked.sort_by_key(|row| rank[groups[*row as usize] as usize]);
            rows = picked.iter().map(|row| groups[*row as usize]).collect();
            values.push(take(&array, &picked)?);
            for follower in &followers {
                companions.push(take(follower, &picked)?);
            }
        } else {
            for (place, state) in self.states.iter_mut().enumerate() {
                self.cancel.check()?;
                values.push(take(&state.finish()?, &order)?);
                if plan.carrier == Some(place) {
                    for follower in state.finish_companions()? {
                        companions.push(take(&follower, &order)?);
                    }
                }
            }
        }
        let list = self.groups.list();
        let of = |get: fn(&crate::window::assign::Group) -> i64| rows.iter().map(|group| get(&list[*group as usize])).collect::<Vec<i64>>();
        let partitions: Vec<u32> = rows.iter().map(|group| list[*group as usize].partition).collect();
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(plan.columns.len());
        for column in &plan.columns {
            columns.push(match column {
                StageColumn::Key(key) => take(&keys[*key], &partitions)?,
                StageColumn::Call(call) => Arc::clone(&values[*call]),
                StageColumn::Companion(place) => Arc::clone(&companions[*place]),
                StageColumn::WindowStart => timestamp_array(of(|group| group.start).into(), plan.precision),
                StageColumn::WindowEnd => timestamp_array(of(|group| group.end).into(), plan.precision),
                StageColumn::WindowDuration => Arc::new(Int64Array::from(of(|group| group.end.wrapping_sub(group.start)))),
                StageColumn::InterpTimestamp | StageColumn::IsFilled => return Err(Error::internal("INTERP's columns among aggregates")),
            });
        }
        Ok(Batch { rows: rows.len(), columns, groups: Some(partitions) })
    }
}

/// Groups between two looks at whether to stop.
const CHECKED: usize = 65_536;

/// Numbers in the order of their keys, which may take as long as there are many: runs are sorted, then merged in pairs, with looks in between.
fn sorted_by<K: Ord>(mut numbers: Vec<u32>, key: impl Fn(u32) -> K, cancel: &CancelToken) -> Result<Vec<u32>> {
    for run in numbers.chunks_mut(CHECKED) {
        cancel.check()?;
        run.sort_by_key(|number| key(*number));
    }
    let mut length = CHECKED;
    while length < numbers.len() {
        let mut merged = Vec::with_capacity(numbers.len());
        for pair in numbers.chunks(2 * length) {
            let (mut left, mut right) = pair.split_at(length.min(pair.len()));
            while let (Some(first), Some(second)) = (left.first(), right.first()) {
                if merged.len() % CHECKED == 0 {
                    cancel.check()?;
                }
                let from = if key(*second) < key(*first) { &mut right } else { &mut left };
                merged.push(from[0]);
                *from = &from[1..];
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        numbers = merged;
        length *= 2;
    }
    Ok(numbers)
}

/// Partitions found by their keys' values.
#[derive(Default)]
pub(crate) struct KeyTable {
    numbers: FxHashMap<Box<[u8]>, u32>,
    /// In the order of the numbers.
    bytes: Vec<Box<[u8]>>,
    /// Key by key, the values of partitions in order of their numbers, in parts.
    cells: Vec<Vec<ArrayRef>>,
    /// Where rows are numbered: the first of each partition.
    first_rows: Vec<i64>,
    /// Bytes of all keys.
    key_bytes: usize,
}

impl KeyTable {
    /// The partition of each row. `places` are the rows' places among all, where partitions shall know their first.
    pub(crate) fn numbers(&mut self, keys: &[KeyPlan], block: &Block, places: &[i64]) -> Result<Vec<u32>> {
        let mut arrays = Vec::with_capacity(keys.len());
        for key in keys {
            arrays.push(key.expr.evaluate(&block.columns, block.rows)?);
        }
        let encoded = RowKeys::encode(&arrays, &[], block.rows)?;
        let mut numbers: Vec<u32> = Vec::with_capacity(block.rows);
        let mut new_rows = Vec::new();
        for row in 0..encoded.len() {
            let key = encoded.get(row);
            if row > 0 && key == encoded.get(row - 1) {
                numbers.push(numbers[row - 1]);
                continue;
            }
            if let Some(number) = self.numbers.get(key) {
                numbers.push(*number);
                continue;
            }
            let number = self.bytes.len() as u32;
            self.bytes.push(key.into());
            self.key_bytes += key.len();
            self.numbers.insert(key.into(), number);
            self.first_rows.extend(places.get(row));
            new_rows.push(row as u32);
            numbers.push(number);
        }
        if !new_rows.is_empty() {
            self.cells.resize(arrays.len(), Vec::new());
            for (cells, array) in self.cells.iter_mut().zip(&arrays) {
                cells.push(take(array, &new_rows)?);
            }
        }
        Ok(numbers)
    }

    /// Bytes that keys take: once to be found, once as bytes, once as cells.
    pub(crate) fn held_bytes(&self) -> usize {
        3 * self.key_bytes + self.bytes.len() * GROUP_BYTES
    }

    /// How many partitions there are.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Takes over another table's partitions and gives their numbers here.
    fn adopt(&mut self, other: Self, cancel: &CancelToken) -> Result<Vec<u32>> {
        let known = self.bytes.len();
        let mut numbers = Vec::with_capacity(other.bytes.len());
        let mut new_rows = Vec::new();
        for (row, key) in other.bytes.into_iter().enumerate() {
            if row % CHECKED == 0 {
                cancel.check()?;
            }
            let next = self.bytes.len() as u32;
            let number = *self.numbers.entry(key.clone()).or_insert(next);
            if number == next {
                self.key_bytes += key.len();
                self.bytes.push(key);
                self.first_rows.extend(other.first_rows.get(row));
                new_rows.push(row as u32);
            }
            numbers.push(number);
        }
        if self.bytes.len() > known {
            self.cells.resize(other.cells.len(), Vec::new());
            for (cells, parts) in self.cells.iter_mut().zip(other.cells) {
                // A few rows out of a few parts: taken part by part.
                let mut start = 0;
                for part in parts {
                    let end = start + part.len() as u32;
                    let rows: Vec<u32> = new_rows.iter().filter(|row| (start..end).contains(row)).map(|row| row - start).collect();
                    cells.push(take(&part, &rows)?);
                    start = end;
                }
            }
        }
        Ok(numbers)
    }

    /// Key by key, the values of all partitions; empty where none was found by key.
    fn finish(&self, keys: &[KeyPlan]) -> Result<Vec<ArrayRef>> {
        let arrow = |key: &KeyPlan| embudo_types::arrow::arrow_type(key.expr.data_type(), key.expr.precision());
        self.cells.iter().zip(keys).map(|(parts, key)| concat(parts, &arrow(key))).collect()
    }
}

/// The partitions of a table's children, where keys are the same in all rows of a child.
pub(crate) struct KnownPartitions {
    /// By child.
    pub of_child: Vec<u32>,
    /// Key by key, by partition.
    pub keys: Vec<ArrayRef>,
    /// How many.
    pub count: usize,
}

impl KnownPartitions {
    /// Numbers partitions in the order of their first children.
    pub(crate) fn of(keys: &[KeyPlan], scan: &TableScan) -> Result<Self> {
        let children = scan.children();
        if keys.is_empty() {
            return Ok(Self { of_child: vec![0; children], keys: Vec::new(), count: 1 });
        }
        let block = Block { rows: children, timestamps: Vec::new().into(), columns: scan.per_table_inputs() };
        let mut table = KeyTable::default();
        let mut of_child = table.numbers(keys, &block, &[])?;
        let count = table.len();
        let values: Vec<ArrayRef> = if count == 0 {
            keys.iter().map(|key| crate::array::null_array(&embudo_types::arrow::arrow_type(key.expr.data_type(), key.expr.precision()), 0)).collect()
        } else {
            table.finish(keys)?
        };
        if !scan.plan().hash_order {
            return Ok(Self { of_child, keys: values, count });
        }
        let order = group_hash::order(keys, &values, count);
        let mut place_of = vec![0; count];
        order.iter().enumerate().for_each(|(place, partition)| place_of[*partition as usize] = place as u32);
        for partition in &mut of_child {
            *partition = place_of[*partition as usize];
        }
        Ok(Self { of_child, keys: values.iter().map(|array| take(array, &order)).collect::<Result<_>>()?, count })
    }
}
