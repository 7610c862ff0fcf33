//! Joins: both sides in the order of time, matched by their timestamps, then by their keys.
//!
//! Both sides are read as far as rows can match: chunks whose times are complete on both sides, or, for ASOF and WINDOW joins, a chunk of the driving side
//! with what of the other is near it in time. Nothing else is held, so that sides may be larger than memory.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::NullBuffer;
use embudo_sql::ast::query::{JoinKind, JoinSide};
use embudo_types::{Precision, Result};
use rustc_hash::FxHashMap;

use super::block::{Batch, Batches, Block, Blocks};
use super::join_match::{BATCH, Chunk, Held, Pair, batch, equal, near, nearest, rows_by_key, time_of};
use super::relation::{ordered_blocks, ticks};
use crate::QueryContext;
use crate::analysis::{Operator, OperatorKind, counted};
use crate::array::{RowKeys, concat_columns, null_array};
use crate::bind::relation::Relation;
use crate::context::CancelToken;
use crate::memory::{Reservation, bytes_of};
use crate::plan::{JoinPlan, JoinSidePlan, TimeMatch};

/// Runs a join; its batches hold all columns of both sides, those not needed as NULLs.
pub(crate) fn run(plan: &Arc<JoinPlan>, relation: &Relation, inputs: &[usize], context: &Arc<QueryContext>) -> Result<Batches> {
    let offset = plan.left.relation.columns.len();
    let mut needed = inputs.to_vec();
    if let Some(condition) = &plan.condition {
        condition.visit_inputs(&mut |input| needed.push(input));
    }
    let of_left = needed.iter().copied().filter(|column| *column < offset);
    let of_right = needed.iter().filter(|column| **column >= offset).map(|column| column - offset);
    let precision = plan.left.time.precision().min(plan.right.time.precision());
    let left = Side::open(plan, false, of_left, precision, context)?;
    let right = Side::open(plan, true, of_right.filter(|column| *column < plan.right.relation.columns.len()), precision, context)?;
    let held = Held { cancel: context.cancel.clone(), reservation: Reservation::new(&context.memory), pairs: 0 };
    let operator = Operator::of(&**plan, OperatorKind::Join);
    let join = Box::new(Join {
        plan: Arc::clone(plan),
        left,
        right,
        held,
        types: relation.columns.iter().map(super::scan::arrow_type).collect(),
        driving_rows: 0,
        out: None,
        failed: false,
    });
    Ok(counted(join, context.analysis.as_ref(), operator))
}

/// One side, being read.
struct Side {
    plan: Arc<JoinPlan>,
    is_right: bool,
    needed: Vec<usize>,
    precision: Precision,
    blocks: Blocks,
    /// Rows that were read and may still match, in the order of time.
    held: Vec<Block>,
    /// Tick of the last of them.
    last: i64,
    ended: bool,
    reservation: Reservation,
    cancel: CancelToken,
}

impl Side {
    fn open(plan: &Arc<JoinPlan>, is_right: bool, needed: impl Iterator<Item = usize>, precision: Precision, context: &Arc<QueryContext>) -> Result<Self> {
        let side = if is_right { &plan.right } else { &plan.left };
        let mut needed: Vec<usize> = needed.collect();
        for expr in side.keys.iter().chain([&side.time]) {
            expr.visit_inputs(&mut |input| needed.push(input));
        }
        needed.sort_unstable();
        needed.dedup();
        let blocks = ordered_blocks(side, &needed, context)?;
        let reservation = Reservation::new(&context.memory);
        let plan = Arc::clone(plan);
        Ok(Self { plan, is_right, needed, precision, blocks, held: Vec::new(), last: i64::MIN, ended: false, reservation, cancel: context.cancel.clone() })
    }

    fn plan(&self) -> &JoinSidePlan {
        if self.is_right { &self.plan.right } else { &self.plan.left }
    }

    /// Reads one block more; `false` at the end.
    fn read(&mut self) -> Result<bool> {
        self.cancel.check()?;
        let Some(block) = self.blocks.next() else {
            self.ended = true;
            return Ok(false);
        };
        let block = block?;
        if block.rows == 0 {
            return Ok(true);
        }
        self.reservation.grow(3 * bytes_of(&block.columns) + 40 * block.rows)?;
        // All columns of the relation, for expressions over them.
        let rows = block.rows;
        let mut columns: Vec<ArrayRef> = self.plan().relation.columns.iter().map(|_| null_array(&arrow_schema::DataType::Null, rows)).collect();
        for (column, array) in self.needed.iter().zip(block.columns) {
            columns[*column] = array;
        }
        let block = Block { rows, timestamps: Vec::new().into(), columns };
        let block = Block { timestamps: self.ticks(&block)?.into(), ..block };
        self.last = block.timestamps[rows - 1];
        self.held.push(block);
        Ok(true)
    }

    fn ticks(&self, block: &Block) -> Result<Vec<i64>> {
        let time = &self.plan().time;
        let array = time.evaluate(&block.columns, block.rows)?;
        Ok(ticks(&array).iter().map(|tick| time.precision().convert(*tick, self.precision)).collect())
    }

    /// Reads until there is a row, or the end.
    fn fill(&mut self) -> Result<()> {
        while self.held.is_empty() && self.read()? {}
        Ok(())
    }

    /// Takes all rows before a tick out.
    fn take_before(&mut self, limit: Option<i64>) -> Result<Chunk> {
        let mut taken = Vec::new();
        let mut rest = Vec::new();
        for block in std::mem::take(&mut self.held) {
            let end = limit.map_or(block.rows, |limit| block.timestamps.partition_point(|tick| *tick < limit));
            if end > 0 {
                taken.push(block.slice(0, end));
            }
            if end < block.rows {
                rest.push(block.slice(end, block.rows - end));
            }
        }
        self.held = rest;
        self.chunk(&taken)
    }

    /// Rows end to end with their keys.
    fn chunk(&self, blocks: &[Block]) -> Result<Chunk> {
        let plan = self.plan();
        let block = if let [block] = blocks {
            block.clone()
        } else {
            let mut types = vec![arrow_schema::DataType::Null; plan.relation.columns.len()];
            self.needed.iter().for_each(|column| types[*column] = super::scan::arrow_type(&plan.relation.columns[*column]));
            let parts: Vec<Vec<ArrayRef>> = blocks.iter().map(|block| block.columns.clone()).collect();
            let rows = blocks.iter().map(|block| block.rows).sum();
            let mut columns = concat_columns(&parts, &types)?;
            for column in columns.iter_mut().filter(|column| column.data_type() == &arrow_schema::DataType::Null) {
                *column = null_array(&arrow_schema::DataType::Null, rows);
            }
            Block { rows, timestamps: blocks.iter().flat_map(|block| block.timestamps.iter().copied()).collect(), columns }
        };
        let (keys, known) = if plan.keys.is_empty() {
            (None, None)
        } else {
            let arrays = plan.keys.iter().map(|key| key.evaluate(&block.columns, block.rows)).collect::<Result<Vec<_>>>()?;
            let known = arrays.iter().fold(None, |known, array| NullBuffer::union(known.as_ref(), array.logical_nulls().as_ref()));
            (Some(RowKeys::encode(&arrays, &[], block.rows)?), known)
        };
        Ok(Chunk { ticks: block.timestamps.to_vec(), block, keys, known })
    }

    /// Reserves what is held, and a chunk of other rows.
    fn settle(&mut self, chunk: usize) -> Result<()> {
        let held: usize = self.held.iter().map(|block| 3 * bytes_of(&block.columns) + 40 * block.rows).sum();
        self.reservation.resize(held + chunk)
    }
}

/// What a chunk takes.
fn bytes_of_chunk(chunk: &Chunk) -> usize {
    2 * bytes_of(&chunk.block.columns) + 32 * chunk.block.rows
}

struct Join {
    plan: Arc<JoinPlan>,
    left: Side,
    right: Side,
    held: Held,
    types: Vec<arrow_schema::DataType>,
    /// Rows of the driving side that were looked at.
    driving_rows: i64,
    out: Option<Out>,
    failed: bool,
}

/// Matches on their way out.
struct Out {
    left: Chunk,
    right: Chunk,
    pairs: Vec<Pair>,
    start: usize,
    driver: Option<(bool, i64)>,
}

impl Join {
    fn batch(&mut self) -> Result<Option<Batch>> {
        loop {
            if let Some(out) = &mut self.out {
                if out.start < out.pairs.len() {
                    self.held.cancel.check()?;
                    let end = (out.start + BATCH).min(out.pairs.len());
                    let pairs = &out.pairs[out.start..end];
                    out.start = end;
                    return batch(&out.left, &out.right, pairs, &self.types, out.driver).map(Some);
                }
                self.out = None;
                self.held.clear();
            }
            let next = match self.plan.kind {
                JoinKind::Asof | JoinKind::Window => self.near()?,
                _ => self.equal()?,
            };
            if next.is_none() {
                return Ok(None);
            }
            self.out = next;
        }
    }

    /// The next rows of both sides whose times are complete.
    fn equal(&mut self) -> Result<Option<Out>> {
        self.left.fill()?;
        self.right.fill()?;
        let (left_ended, right_ended) = (self.left.held.is_empty(), self.right.held.is_empty());
        let done = match self.plan.side {
            JoinSide::Inner => left_ended || right_ended,
            JoinSide::Left => left_ended,
            JoinSide::Right => right_ended,
            JoinSide::Full => left_ended && right_ended,
        };
        if done {
            return Ok(None);
        }
        // Rows of a side's last tick may go on in its next block.
        loop {
            let open = [&self.left, &self.right].into_iter().filter(|side| !side.ended).map(|side| side.last).min();
            let has_rows = |side: &Side| side.held.first().is_some_and(|block| open.is_none_or(|open| block.timestamps[0] < open));
            if has_rows(&self.left) || has_rows(&self.right) {
                let (left, right) = (self.left.take_before(open)?, self.right.take_before(open)?);
                self.left.settle(bytes_of_chunk(&left))?;
                self.right.settle(bytes_of_chunk(&right))?;
                let pairs = equal(&self.plan, &left, &right, &mut self.held)?;
                return Ok(Some(Out { left, right, pairs, start: 0, driver: None }));
            }
            let (left, right) = (self.left.last, self.right.last);
            let shorter = if self.right.ended || (!self.left.ended && left <= right) { &mut self.left } else { &mut self.right };
            shorter.read()?;
        }
    }

    /// The next rows of the driving side and what of the other may be near them.
    fn near(&mut self) -> Result<Option<Out>> {
        let drives_right = self.plan.side == JoinSide::Right;
        let (driver, other) = if drives_right { (&mut self.right, &mut self.left) } else { (&mut self.left, &mut self.right) };
        driver.fill()?;
        if driver.held.is_empty() {
            return Ok(None);
        }
        let chunk = driver.take_before(None)?;
        driver.settle(bytes_of_chunk(&chunk))?;
        let (first, last) = (chunk.ticks[0], chunk.ticks[chunk.ticks.len() - 1]);
        let time = time_of(&self.plan);
        let until = match time {
            TimeMatch::Within(_, to) => last.saturating_add(to),
            _ => last,
        };
        while !other.ended && (other.held.is_empty() || other.last <= until) {
            other.read()?;
        }
        let most = nearest(&self.plan);
        let near_rows = loop {
            let rows = other.chunk(&other.held)?;
            let looks_ahead = matches!(time, TimeMatch::AtOrAfter | TimeMatch::After);
            if !looks_ahead || other.ended || has_all_after(&chunk, &rows, time, most) {
                break rows;
            }
            // As much again: rows of a key may be far apart.
            let wanted = 2 * rows.block.rows;
            while !other.ended && other.held.iter().map(|block| block.rows).sum::<usize>() < wanted {
                other.read()?;
            }
        };
        let pairs = near(&self.plan, &chunk, &near_rows, &mut self.held)?;
        other.held = vec![kept(&near_rows, time, (first, last), most)?];
        other.settle(bytes_of_chunk(&near_rows))?;
        let number = self.driving_rows;
        self.driving_rows += chunk.block.rows as i64;
        let (left, right) = if drives_right { (near_rows, chunk) } else { (chunk, near_rows) };
        Ok(Some(Out { left, right, pairs, start: 0, driver: (self.plan.kind == JoinKind::Window).then_some((drives_right, number)) }))
    }
}

/// Whether the last driving row of each key finds as many rows after it as it may match.
fn has_all_after(driver: &Chunk, other: &Chunk, time: TimeMatch, most: usize) -> bool {
    let by_key = rows_by_key(other);
    let mut last: FxHashMap<&[u8], i64> = FxHashMap::default();
    for (row, tick) in driver.ticks.iter().enumerate() {
        if let Some(key) = driver.key(row) {
            last.insert(key, *tick);
        }
    }
    last.iter().all(|(key, tick)| {
        let rows: &[u32] = by_key.get(key).map_or(&[], Vec::as_slice);
        let start = rows.partition_point(|row| if time == TimeMatch::After { other.ticks[*row as usize] <= *tick } else { other.ticks[*row as usize] < *tick });
        rows.len() - start >= most
    })
}

/// Rows of the other side that driving rows after those up to the tick `last` may match.
fn kept(other: &Chunk, time: TimeMatch, (first, last): (i64, i64), most: usize) -> Result<Block> {
    debug_assert!(first <= last);
    let rows = other.block.rows;
    let from = |limit: i64| other.ticks.partition_point(|tick| *tick < limit);
    let start = match time {
        TimeMatch::Within(from_offset, _) => from(last.saturating_add(from_offset)),
        TimeMatch::Equal | TimeMatch::AtOrAfter | TimeMatch::After => from(last),
        TimeMatch::AtOrBefore | TimeMatch::Before => {
            // Of each key the nearest before, and all that may still be after.
            let limit = from(last);
            let mut picked: Vec<u32> = (limit as u32..rows as u32).collect();
            for rows in rows_by_key(other).values() {
                let before = rows.partition_point(|row| (*row as usize) < limit);
                picked.extend(&rows[before.saturating_sub(most)..before]);
            }
            picked.sort_unstable();
            return if picked.len() == rows { Ok(other.block.clone()) } else { other.block.take(&picked) };
        }
    };
    Ok(other.block.slice(start, rows - start))
}

impl Iterator for Join {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = self.batch();
        self.failed = batch.is_err();
        batch.transpose()
    }
}
