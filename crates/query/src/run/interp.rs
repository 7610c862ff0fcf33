//! INTERP: values at the points of a grid, taken from rows or filled between them.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use embudo_expr::{array_of_values, value_at};
use embudo_types::{Error, Result, Value, code};

use super::block::{Batch, Batches, Block, Blocks, none};
use super::scan::timestamp_array;
use super::select::{joined, project};
use super::series::partitions;
use crate::QueryContext;
use crate::array::take;
use crate::context::CancelToken;
use crate::memory::{Reservation, bytes_of};
use crate::plan::{FillMode, InterpPlan, SelectPlan, Stage, StageColumn};
use crate::window::fill::between;

/// Most points that one partition may give.
const MOST_POINTS: i64 = 10_000_000;

/// Points that come out together.
const STEP: usize = 4_096;

/// Runs the stage.
pub(crate) fn run(plan: &Arc<SelectPlan>, stage: &InterpPlan, context: &Arc<QueryContext>) -> Result<Batches> {
    if stage.range.end.saturating_sub(stage.range.start) / stage.every >= MOST_POINTS {
        return Err(Error::new(code::START_END_TIME_OF_QUERY_RANGE));
    }
    let (plan, context) = (Arc::clone(plan), Arc::clone(context));
    let parts = partitions(&plan, &stage.keys, &context)?;
    Ok(Box::new(parts.enumerate().flat_map(move |(number, blocks)| {
        let batches = partition(&plan, blocks, number as u32, &context);
        batches.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
    })))
}

/// What comes out for a partition.
fn partition(plan: &Arc<SelectPlan>, blocks: Result<Blocks>, number: u32, context: &QueryContext) -> Result<Batches> {
    let Stage::Interp(stage) = &plan.stage else { return Err(Error::internal("points of what has none")) };
    let mut reservation = Reservation::new(&context.memory);
    let mut rows = Vec::new();
    for block in blocks? {
        context.cancel.check()?;
        let block: Block = block?;
        reservation.grow(2 * bytes_of(&block.columns))?;
        rows.push(block);
    }
    if rows.is_empty() && !stage.keys.is_empty() {
        return Ok(none());
    }
    let block = joined(&rows, plan)?;
    let arrays = stage.calls.iter().map(|call| call.evaluate(&block.columns, block.rows)).collect::<Result<Vec<ArrayRef>>>()?;
    // The rows that are points of each call.
    let rows_of: Vec<Vec<u32>> = arrays
        .iter()
        .map(|array| {
            let nulls = array.logical_nulls();
            (0..block.rows as u32).filter(|row| !stage.ignore_null || nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row as usize))).collect()
        })
        .collect();
    let mut points = Points { block, arrays, rows_of, number, tick: Some(stage.range.start), cancel: context.cancel.clone(), _reservation: reservation };
    let plan = Arc::clone(plan);
    Ok(Box::new(std::iter::from_fn(move || {
        while points.tick.is_some() {
            let batch = points.batch(&plan).and_then(|batch| project(&plan, &batch.columns, batch.rows, batch.groups));
            if batch.is_err() {
                points.tick = None;
            }
            if let Some(batch) = batch.transpose() {
                return Some(batch);
            }
        }
        None
    })))
}

/// The points of one partition, which come out batch by batch.
struct Points {
    block: Block,
    /// What is interpolated, by call.
    arrays: Vec<ArrayRef>,
    /// The rows that are points of each call.
    rows_of: Vec<Vec<u32>>,
    number: u32,
    /// The next point.
    tick: Option<i64>,
    cancel: CancelToken,
    _reservation: Reservation,
}

impl Points {
    fn batch(&mut self, plan: &SelectPlan) -> Result<Batch> {
        let Stage::Interp(stage) = &plan.stage else { return Err(Error::internal("points of what has none")) };
        self.cancel.check()?;
        let (mut ticks, mut filled) = (Vec::new(), Vec::new());
        let mut values: Vec<Vec<Value>> = vec![Vec::new(); self.arrays.len()];
        for _ in 0..STEP {
            let Some(tick) = self.tick.filter(|tick| *tick <= stage.range.end) else {
                self.tick = None;
                break;
            };
            let mut cells = Vec::with_capacity(self.arrays.len());
            let mut is_filled = false;
            for (call, array) in self.arrays.iter().enumerate() {
                let (cell, exact) = point(stage, call, array, &self.rows_of[call], &self.block.timestamps, tick);
                is_filled |= !exact;
                cells.push(cell);
            }
            if cells.iter().any(Option::is_some) {
                ticks.push(tick);
                filled.push(is_filled);
                for (values, cell) in values.iter_mut().zip(cells) {
                    values.push(cell.unwrap_or(Value::Null));
                }
            }
            self.tick = tick.checked_add(stage.every);
        }
        rows(stage, &self.block, self.number, &ticks, &filled, &values)
    }
}

fn rows(stage: &InterpPlan, block: &Block, partition: u32, ticks: &[i64], filled: &[bool], values: &[Vec<Value>]) -> Result<Batch> {
    let rows = ticks.len();
    let first_rows = vec![0_u32; rows];
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(stage.columns.len());
    for column in &stage.columns {
        columns.push(match column {
            StageColumn::InterpTimestamp => timestamp_array(ticks.to_vec().into(), stage.precision),
            StageColumn::IsFilled => Arc::new(BooleanArray::from(filled.to_vec())),
            StageColumn::Call(call) => array_of_values(&values[*call], stage.calls[*call].data_type(), stage.calls[*call].precision())?,
            StageColumn::Key(key) => {
                let array = stage.keys[*key].expr.evaluate(&block.columns, block.rows)?;
                if array.is_empty() { crate::array::null_array(array.data_type(), rows) } else { take(&array, &first_rows)? }
            }
            _ => return Err(Error::internal("a window's column in INTERP")),
        });
    }
    Ok(Batch { rows, columns, groups: Some(vec![partition; rows]) })
}

/// The value of one call at a tick, and whether a row has exactly that time; `None` where nothing comes out.
fn point(stage: &InterpPlan, call: usize, array: &ArrayRef, rows: &[u32], timestamps: &[i64], tick: i64) -> (Option<Value>, bool) {
    let data_type = stage.calls[call].data_type();
    let value = |row: u32| value_at(array, data_type, row as usize);
    let after = rows.partition_point(|row| timestamps[*row as usize] <= tick);
    let before = after.checked_sub(1).map(|place| rows[place]);
    if let Some(row) = before
        && timestamps[row as usize] == tick
    {
        return (Some(value(row)), true);
    }
    let next = rows.get(after).copied();
    let cell = match stage.mode {
        FillMode::Null => Some(Value::Null),
        FillMode::Value => Some(stage.values[call].clone()),
        FillMode::Previous => before.map(value),
        FillMode::Next => next.map(value),
        FillMode::Linear => {
            before.zip(next).map(|(before, next)| between((timestamps[before as usize], &value(before)), (timestamps[next as usize], &value(next)), tick))
        }
    };
    (cell, false)
}
