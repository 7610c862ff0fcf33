//! INTERP: values at the points of a grid, taken from rows or filled between them.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray};
use embudo_expr::{array_of_values, value_at};
use embudo_types::{Error, Result, Value, code};

use super::block::{Batch, Batches, Block, Blocks};
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

/// Points between two looks at the budget and at whether to stop.
const STEP: usize = 4_096;

/// Runs the stage.
pub(crate) fn run(plan: &Arc<SelectPlan>, stage: &InterpPlan, context: &Arc<QueryContext>) -> Result<Batches> {
    if stage.range.end.saturating_sub(stage.range.start) / stage.every >= MOST_POINTS {
        return Err(Error::new(code::START_END_TIME_OF_QUERY_RANGE));
    }
    let (plan, context) = (Arc::clone(plan), Arc::clone(context));
    let parts = partitions(&plan, &stage.keys, &context)?;
    Ok(Box::new(parts.enumerate().filter_map(move |(number, blocks)| partition(&plan, blocks, number as u32, &context).transpose())))
}

/// What comes out for a partition.
fn partition(plan: &SelectPlan, blocks: Result<Blocks>, number: u32, context: &QueryContext) -> Result<Option<Batch>> {
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
        return Ok(None);
    }
    let block = joined(&rows, plan)?;
    let batch = points(stage, &block, number, &mut reservation, &context.cancel)?;
    project(plan, &batch.columns, batch.rows, batch.groups)
}

/// The points of one partition.
fn points(stage: &InterpPlan, block: &Block, partition: u32, reservation: &mut Reservation, cancel: &CancelToken) -> Result<Batch> {
    let arrays = stage.calls.iter().map(|call| call.evaluate(&block.columns, block.rows)).collect::<Result<Vec<ArrayRef>>>()?;
    // The rows that are points of each call.
    let rows_of: Vec<Vec<u32>> = arrays
        .iter()
        .map(|array| {
            let nulls = array.logical_nulls();
            (0..block.rows as u32).filter(|row| !stage.ignore_null || nulls.as_ref().is_none_or(|nulls| nulls.is_valid(*row as usize))).collect()
        })
        .collect();
    let (mut ticks, mut filled) = (Vec::new(), Vec::new());
    let mut values: Vec<Vec<Value>> = vec![Vec::new(); arrays.len()];
    let mut held = 0;
    let mut tick = stage.range.start;
    while tick <= stage.range.end {
        if ticks.len() == held {
            cancel.check()?;
            reservation.grow(STEP * (size_of::<i64>() + 1 + arrays.len() * size_of::<Value>()))?;
            held += STEP;
        }
        let mut cells = Vec::with_capacity(arrays.len());
        let mut is_filled = false;
        for (call, array) in arrays.iter().enumerate() {
            let (cell, exact) = point(stage, call, array, &rows_of[call], &block.timestamps, tick);
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
        tick = match tick.checked_add(stage.every) {
            Some(next) => next,
            None => break,
        };
    }
    let rows = ticks.len();
    let first_rows = vec![0_u32; rows];
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(stage.columns.len());
    for column in &stage.columns {
        columns.push(match column {
            StageColumn::InterpTimestamp => timestamp_array(ticks.clone().into(), stage.precision),
            StageColumn::IsFilled => Arc::new(BooleanArray::from(filled.clone())),
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
