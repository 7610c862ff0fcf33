//! Groups that do not fit in memory all at once: rows go to disk by the hash of their keys, and one bucket after another is aggregated.
//!
//! What comes out is what comes out in memory, bit for bit: a bucket keeps its rows in the blocks and tasks in which they were read, tasks have their own
//! accumulators, merged in the tasks' order, and partitions come in the order of their first rows.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int64Array, UInt64Array};
use embudo_storage::TimeRange;
use embudo_types::{Error, Result};

use super::aggregate::{Accumulator, Partition};
use super::block::{Batch, Batches, Block, none};
use super::buckets::{Bucket, Buckets};
use super::grouping::halves;
use super::select::project;
use super::spill::{SpillFile, SpillWriter};
use super::{group_hash, sort};
use crate::QueryContext;
use crate::array::{KeyOrder, RowKeys};
use crate::memory::{Reservation, is_exhausted};
use crate::plan::{AggregatePlan, SelectPlan, WindowPlan};

/// Rows of a chunk of results.
const BATCH: usize = 4_096;

/// Takes all rows of a SELECT, task by task.
pub(crate) struct Spilling<'a> {
    stage: &'a AggregatePlan,
    buckets: Buckets,
    next_row: i64,
    /// Time of all rows.
    range: Option<TimeRange>,
}

impl<'a> Spilling<'a> {
    /// No rows yet.
    pub(crate) fn new(stage: &'a AggregatePlan, context: &QueryContext) -> Self {
        Self { stage, buckets: Buckets::new(&context.memory), next_row: 0, range: None }
    }

    /// Adds a block of a task.
    pub(crate) fn add(&mut self, block: &Block, task: u32) -> Result<()> {
        let keys = keys_of(self.stage, block)?;
        for tick in &*block.timestamps {
            let own = TimeRange::new(*tick, *tick);
            self.range = Some(self.range.map_or(own, |range| range.union(own)));
        }
        let mut columns = block.columns.clone();
        columns.push(Arc::new(Int64Array::new(block.timestamps.clone(), None)));
        columns.push(Arc::new(Int64Array::from_iter_values(self.next_row..self.next_row + block.rows as i64)));
        self.next_row += block.rows as i64;
        self.buckets.add(&Batch { rows: block.rows, columns, groups: None }, keys.as_ref(), 0..block.rows as u32, task)
    }

    /// The groups of all rows, through HAVING to the items.
    pub(crate) fn finish(self, select: &Arc<SelectPlan>, grouped: bool, context: &Arc<QueryContext>) -> Result<Batches> {
        let starts = match (&self.stage.window, self.range) {
            (Some(WindowPlan::Interval(grid)), Some(range)) => TimeRange::new(grid.first_start(range.start), grid.last_start(range.end)),
            _ => TimeRange::ALL,
        };
        let mut found = Found { hashes: select.hash_order, columns: select.items.len(), writer: None, types: Arc::default() };
        let mut waiting: Vec<Part> = self.buckets.finish()?.into_iter().rev().map(|bucket| Part { bucket, starts }).collect();
        while let Some(part) = waiting.pop() {
            match part.groups(select, self.stage, context) {
                Ok(batch) => found.add(batch, context)?,
                Err(error) if is_exhausted(&error) => waiting.extend(part.split(self.stage, context, error)?.into_iter().rev()),
                Err(error) => return Err(error),
            }
        }
        found.sorted(grouped, context)
    }
}

/// Keys of a block's rows; `None` where there are no keys.
fn keys_of(stage: &AggregatePlan, block: &Block) -> Result<Option<RowKeys>> {
    if stage.keys.is_empty() {
        return Ok(None);
    }
    let arrays = stage.keys.iter().map(|key| key.expr.evaluate(&block.columns, block.rows)).collect::<Result<Vec<ArrayRef>>>()?;
    RowKeys::encode(&arrays, &[], block.rows).map(Some)
}

/// A bucket's rows, or some of its windows.
struct Part {
    bucket: Bucket,
    starts: TimeRange,
}

impl Part {
    /// Its groups, with the order of their partitions in the last columns.
    fn groups(&self, select: &Arc<SelectPlan>, stage: &AggregatePlan, context: &QueryContext) -> Result<Option<Batch>> {
        let new = || Accumulator::of_windows(select, context, self.starts);
        let mut whole: Option<Accumulator> = None;
        let (mut own, mut own_task) = (new()?, 0);
        let partition = if stage.keys.is_empty() { Partition::Known(0) } else { Partition::ByRow };
        for chunk in self.bucket.chunks() {
            context.cancel.check()?;
            let (chunk, task) = chunk?;
            if task != own_task {
                let done = std::mem::replace(&mut own, new()?);
                own_task = task;
                whole = Some(with(whole, done)?);
            }
            let cells = chunk.columns.len() - 2;
            let block = Block { rows: chunk.rows, timestamps: integers(&chunk.columns[cells])?.clone(), columns: chunk.columns[..cells].to_vec() };
            own.take_numbered(partition, &block, integers(&chunk.columns[cells + 1])?)?;
        }
        let whole = with(whole, own)?;
        let (mut first_rows, keys) = (whole.first_rows(), whole.found_keys()?);
        if stage.keys.is_empty() {
            first_rows = vec![0];
        }
        let hashes = if select.hash_order { group_hash::hashes(&stage.keys, &keys, first_rows.len()) } else { Vec::new() };
        let batch = whole.finish(&[])?;
        let Some(mut batch) = project(select, &batch.columns, batch.rows, batch.groups)? else { return Ok(None) };
        let partitions = batch.groups.take().unwrap_or_default();
        if select.hash_order {
            batch.columns.push(Arc::new(UInt64Array::from_iter_values(partitions.iter().map(|partition| hashes[*partition as usize]))));
        }
        batch.columns.push(Arc::new(Int64Array::from_iter_values(partitions.iter().map(|partition| first_rows[*partition as usize]))));
        Ok(Some(batch))
    }

    /// Smaller parts: buckets of other hashes, else windows of less time; `error` where there is neither.
    fn split(&self, stage: &AggregatePlan, context: &QueryContext, error: Error) -> Result<Vec<Self>> {
        if let Some(mut buckets) = self.bucket.spread(&context.memory) {
            for chunk in self.bucket.chunks() {
                context.cancel.check()?;
                let (chunk, task) = chunk?;
                let cells = chunk.columns.len() - 2;
                let block = Block { rows: chunk.rows, timestamps: Vec::new().into(), columns: chunk.columns[..cells].to_vec() };
                let keys = keys_of(stage, &block)?;
                buckets.add(&chunk, keys.as_ref(), 0..chunk.rows as u32, task)?;
            }
            return Ok(buckets.finish()?.into_iter().map(|bucket| Self { bucket, starts: self.starts }).collect());
        }
        match halves(stage, self.starts) {
            Some(halves) => Ok(halves.into_iter().map(|starts| Self { bucket: self.bucket.clone(), starts }).collect()),
            None => Err(error),
        }
    }
}

/// An accumulator and the next task's.
fn with(whole: Option<Accumulator>, next: Accumulator) -> Result<Accumulator> {
    let Some(mut whole) = whole else { return Ok(next) };
    whole.merge(next)?;
    Ok(whole)
}

fn integers(column: &ArrayRef) -> Result<&arrow_buffer::ScalarBuffer<i64>> {
    column.as_primitive_opt::<Int64Type>().map(arrow_array::PrimitiveArray::values).ok_or_else(|| Error::internal("rows on disk without their time"))
}

/// Result rows, on disk until all are there.
struct Found {
    hashes: bool,
    columns: usize,
    writer: Option<SpillWriter>,
    types: Arc<[arrow_schema::DataType]>,
}

impl Found {
    fn add(&mut self, batch: Option<Batch>, context: &QueryContext) -> Result<()> {
        let Some(batch) = batch else { return Ok(()) };
        self.types = batch.columns.iter().map(|column| column.data_type().clone()).collect();
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => {
                let Some(file) = context.memory.spill_file()? else { return Err(Reservation::new(&context.memory).exhausted()) };
                empty.insert(SpillWriter::new(file))
            }
        };
        for start in (0..batch.rows).step_by(BATCH) {
            context.cancel.check()?;
            writer.append(&batch.slice(start, BATCH.min(batch.rows - start)))?;
        }
        Ok(())
    }

    /// All rows in the order of their partitions, which are numbered anew.
    fn sorted(self, grouped: bool, context: &Arc<QueryContext>) -> Result<Batches> {
        let Some(writer) = self.writer else { return Ok(none()) };
        let rows = writer.finish(self.types)?;
        let ascending = KeyOrder { descending: false, nulls_first: true };
        let order: Vec<(usize, KeyOrder)> = (self.columns..self.columns + 1 + usize::from(self.hashes)).map(|place| (place, ascending)).collect();
        let columns = self.columns;
        let (mut number, mut last) = (0_u32, None);
        let sorted = sort::sorted(Box::new(SpillFile::read(&rows)), &order, None, context)?;
        Ok(Box::new(sorted.map(move |batch| {
            let mut batch = batch?;
            if grouped {
                let first_rows = batch.columns.last().map(integers).transpose()?.cloned().unwrap_or_default();
                let number_of = |first_row: &i64| {
                    if last.is_some_and(|last| last != *first_row) {
                        number += 1;
                    }
                    last = Some(*first_row);
                    number
                };
                batch.groups = Some(first_rows.iter().map(number_of).collect());
            }
            batch.columns.truncate(columns);
            Ok(batch)
        })))
    }
}
