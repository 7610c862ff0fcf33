//! DIFF and its kind: row functions with memory, over the rows of each partition in the order of time.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use embudo_expr::series::{Series, SeriesInput};
use embudo_types::{Error, Result};

use super::aggregate::KnownPartitions;
use super::block::{Batch, Batches, Block, Blocks};
use super::partition;
use super::scan::TableScan;
use super::select::{blocks, project};
use crate::QueryContext;
use crate::array::{NO_ROW, take, take_or_null};
use crate::plan::{KeyPlan, SelectPlan, SeriesPlan, Stage, StageColumn};

/// Runs the stage.
pub(crate) fn run(plan: &Arc<SelectPlan>, stage: &SeriesPlan, context: &Arc<QueryContext>) -> Result<Batches> {
    let parts = partitions(plan, &stage.keys, context)?;
    let plan = Arc::clone(plan);
    Ok(Box::new(parts.enumerate().flat_map(move |(partition, blocks)| match (blocks, Partition::new(&plan, partition as u32)) {
        (Ok(blocks), Ok(mut state)) => {
            // `None` after the last block: what waits for rows that do not come.
            let blocks = blocks.map(|block| block.map(Some)).chain(std::iter::once(Ok(None)));
            Box::new(blocks.filter_map(move |block| block.and_then(|block| state.advance(block)).transpose())) as Batches
        }
        (Err(error), _) | (_, Err(error)) => Box::new(std::iter::once(Err(error))),
    })))
}

/// The rows of each partition in the order of time.
pub(crate) fn partitions(plan: &Arc<SelectPlan>, keys: &[KeyPlan], context: &Arc<QueryContext>) -> Result<Box<dyn Iterator<Item = Result<Blocks>> + Send>> {
    if keys.is_empty() {
        return Ok(Box::new(std::iter::once(Ok(blocks(plan, context, true)?))));
    }
    if plan.relation.table().is_some() && keys.iter().all(|key| key.per_table) {
        let scan = Arc::new(TableScan::new(plan, context)?);
        let known = KnownPartitions::of(keys, &scan)?;
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); known.count];
        for (child, partition) in known.of_child.iter().enumerate() {
            sets[*partition as usize].push(child);
        }
        return Ok(Box::new(sets.into_iter().map(move |children| scan.merged(&children, false))));
    }
    let parts = partition::partitions(blocks(plan, context, true)?, keys, false, context)?;
    Ok(Box::new(parts.map(|part| part.map(partition::Held::blocks))))
}

/// The functions' states in one partition.
struct Partition {
    plan: Arc<SelectPlan>,
    number: u32,
    states: Vec<Box<dyn Series>>,
    /// Time of the last row.
    last: Option<i64>,
    /// How many rows the functions look ahead, and the rows that wait for them.
    ahead: usize,
    waiting: Option<Block>,
}

fn stage(plan: &SelectPlan) -> Result<&SeriesPlan> {
    if let Stage::Series(stage) = &plan.stage { Ok(stage) } else { Err(Error::internal("series functions of what has none")) }
}

impl Partition {
    /// DIFF and DERIVATIVE over a composite key: of rows with equal times only the one with the smallest key counts.
    fn least_keys(&mut self, block: &Block) -> Result<Option<Block>> {
        let has_key = self.plan.relation.table().is_some_and(|table| table.key().is_some() && table.is_single());
        if !has_key || !stage(&self.plan)?.calls.iter().all(|call| matches!(call.name(), "diff" | "derivative")) {
            return Ok(None);
        }
        let last = std::mem::replace(&mut self.last, block.timestamps.last().copied());
        let is_new = |row: &u32| match row.checked_sub(1) {
            Some(before) => block.timestamps[before as usize] != block.timestamps[*row as usize],
            None => last != block.timestamps.first().copied(),
        };
        let rows: Vec<u32> = (0..block.rows as u32).filter(is_new).collect();
        block.take(&rows).map(Some)
    }

    fn new(plan: &Arc<SelectPlan>, number: u32) -> Result<Self> {
        let states: Vec<Box<dyn Series>> = stage(plan)?.calls.iter().map(embudo_expr::series::BoundSeries::create).collect::<Result<_>>()?;
        let ahead = states.iter().map(|state| state.ahead()).max().unwrap_or(0);
        Ok(Self { plan: Arc::clone(plan), number, states, last: None, ahead, waiting: None })
    }

    /// What comes out at the next block, or at the end.
    fn advance(&mut self, block: Option<Block>) -> Result<Option<Batch>> {
        if self.ahead == 0 {
            return block.map_or(Ok(None), |block| self.rows(&block, 0));
        }
        let Some(block) = block else {
            return self.waiting.take().map_or(Ok(None), |waiting| self.rows(&waiting, 0));
        };
        let block = match self.waiting.take() {
            Some(waiting) => waiting.followed_by(&block)?,
            None => block,
        };
        let ready = block.rows.saturating_sub(self.ahead);
        self.waiting = Some(block.slice(ready, block.rows - ready));
        if ready == 0 { Ok(None) } else { self.rows(&block, self.ahead) }
    }

    /// What comes out for a block but its `following` last rows: the rows that any function emits, NULL where another does not.
    fn rows(&mut self, block: &Block, following: usize) -> Result<Option<Batch>> {
        let least_keys = self.least_keys(block)?;
        let block = least_keys.as_ref().unwrap_or(block);
        let stage = stage(&self.plan)?;
        let mut outputs = Vec::with_capacity(self.states.len());
        for (call, state) in stage.calls.iter().zip(&mut self.states) {
            let arguments = call.arguments().iter().map(|argument| argument.evaluate(&block.columns, block.rows)).collect::<Result<Vec<_>>>()?;
            outputs.push(state.update(&SeriesInput { timestamps: &block.timestamps, arguments: &arguments, following })?);
        }
        let ready = (following > 0).then(|| block.slice(0, block.rows - following));
        let block = ready.as_ref().unwrap_or(block);
        let mut emitted: Option<BooleanBuffer> = Some(BooleanBuffer::new_unset(block.rows));
        for output in &outputs {
            emitted = match (emitted, &output.emitted) {
                (Some(all), Some(own)) => Some(&all | own),
                _ => None,
            };
        }
        let rows: Vec<u32> = match &emitted {
            Some(emitted) => emitted.set_indices().map(|row| row as u32).collect(),
            None => (0..block.rows as u32).collect(),
        };
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(stage.columns.len());
        for column in &stage.columns {
            columns.push(match column {
                StageColumn::Call(call) => {
                    let output = &outputs[*call];
                    let own = |row: u32| output.emitted.as_ref().is_none_or(|emitted| emitted.value(row as usize));
                    take_or_null(&output.values, &rows.iter().map(|row| if own(*row) { *row } else { NO_ROW }).collect::<Vec<_>>())?
                }
                StageColumn::Companion(place) => take(&stage.companions[*place].evaluate(&block.columns, block.rows)?, &rows)?,
                _ => return Err(Error::internal("a group's column among rows in series")),
            });
        }
        debug_assert!(columns.iter().all(|column| column.len() == rows.len()));
        project(&self.plan, &columns, rows.len(), Some(vec![self.number; rows.len()]))
    }
}
