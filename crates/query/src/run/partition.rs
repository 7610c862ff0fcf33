//! The rows of a relation by the values of PARTITION BY's keys: partition after partition, each with its rows in the order in which they came.
//! They are sorted by the numbers of their partitions, so that what does not fit in memory goes on on disk.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, UInt32Array, UInt64Array};
use arrow_buffer::ScalarBuffer;
use embudo_types::{Error, Result};

use super::aggregate::KeyTable;
use super::block::{Batch, Batches, Block, Blocks};
use super::{group_hash, sort};
use crate::QueryContext;
use crate::array::KeyOrder;
use crate::memory::{Reservation, bytes_of};
use crate::plan::KeyPlan;

/// Partition after partition: its blocks.
pub(crate) type Partitions = Box<dyn Iterator<Item = Result<Held>> + Send>;

/// The rows of a partition, reserved while they are held.
pub(crate) struct Held {
    blocks: Vec<Block>,
    reservation: Reservation,
}

impl Held {
    /// Its blocks, one after another.
    pub(crate) fn blocks(self) -> Blocks {
        let Self { blocks, reservation } = self;
        Box::new(blocks.into_iter().map(move |block| {
            let _held = &reservation;
            Ok(block)
        }))
    }
}

/// All rows by partition: in the order of their first rows, or of their keys' hashes where `hash_order` says so.
pub(crate) fn partitions(source: Blocks, keys: &[KeyPlan], hash_order: bool, context: &Arc<QueryContext>) -> Result<Partitions> {
    let numbered =
        Numbered { source, keys: keys.to_vec(), table: KeyTable::default(), hashes: hash_order.then(Vec::new), reservation: Reservation::new(&context.memory) };
    let ascending = KeyOrder { descending: false, nulls_first: true };
    // Behind the cells stand the time and what orders partitions.
    let mut source = numbered.peekable();
    let Some(first) = source.peek() else { return Ok(Box::new(std::iter::empty())) };
    let columns = first.as_ref().map_or(0, |batch| batch.columns.len());
    let order: Vec<(usize, KeyOrder)> = if hash_order {
        vec![(columns.saturating_sub(2), ascending), (columns.saturating_sub(1), ascending)]
    } else {
        vec![(columns.saturating_sub(1), ascending)]
    };
    let sorted = sort::sorted(Box::new(source), &order, None, context)?;
    let cells = columns.saturating_sub(if hash_order { 3 } else { 2 });
    Ok(Box::new(ByNumber { sorted, cells, ahead: None, context: Arc::clone(context), failed: false }))
}

/// Rows with the numbers of their partitions.
struct Numbered {
    source: Blocks,
    keys: Vec<KeyPlan>,
    table: KeyTable,
    /// By partition, where they order partitions.
    hashes: Option<Vec<u64>>,
    reservation: Reservation,
}

impl Numbered {
    fn batch(&mut self, block: &Block) -> Result<Batch> {
        let numbers = self.table.numbers(&self.keys, block, &[])?;
        self.reservation.resize(self.table.held_bytes())?;
        let mut columns = block.columns.clone();
        columns.push(Arc::new(Int64Array::new(block.timestamps.clone(), None)));
        if let Some(hashes) = &mut self.hashes {
            if self.table.len() > hashes.len() {
                let values = self.keys.iter().map(|key| key.expr.evaluate(&block.columns, block.rows)).collect::<Result<Vec<ArrayRef>>>()?;
                for (row, number) in numbers.iter().enumerate() {
                    if *number as usize == hashes.len() {
                        hashes.push(group_hash::hash_of_row(&self.keys, &values, row));
                    }
                }
            }
            columns.push(Arc::new(UInt64Array::from_iter_values(numbers.iter().map(|number| hashes[*number as usize]))));
        }
        columns.push(Arc::new(UInt32Array::from(numbers.clone())));
        Ok(Batch { rows: block.rows, columns, groups: Some(numbers) })
    }
}

impl Iterator for Numbered {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let block = self.source.next()?;
        Some(block.and_then(|block| self.batch(&block)))
    }
}

/// Cuts sorted rows where their partition changes.
struct ByNumber {
    sorted: Batches,
    cells: usize,
    /// What was read beyond the last partition.
    ahead: Option<Batch>,
    context: Arc<QueryContext>,
    failed: bool,
}

impl ByNumber {
    fn partition(&mut self) -> Result<Option<Held>> {
        let mut held = Held { blocks: Vec::new(), reservation: Reservation::new(&self.context.memory) };
        let mut number = None;
        loop {
            self.context.cancel.check()?;
            let batch = match self.ahead.take() {
                Some(batch) => batch,
                None => match self.sorted.next().transpose()? {
                    Some(batch) if batch.rows == 0 => continue,
                    Some(batch) => batch,
                    None => break,
                },
            };
            let Some(groups) = &batch.groups else { return Err(Error::internal("rows without their partition")) };
            let own = *number.get_or_insert(groups[0]);
            let end = groups.iter().take_while(|group| **group == own).count();
            if end > 0 {
                let part = batch.slice(0, end);
                held.reservation.grow(bytes_of(&part.columns))?;
                held.blocks.push(block(&part, self.cells)?);
            }
            if end < batch.rows {
                self.ahead = Some(batch.slice(end, batch.rows - end));
                break;
            }
        }
        Ok((!held.blocks.is_empty()).then_some(held))
    }
}

fn block(batch: &Batch, cells: usize) -> Result<Block> {
    let Some(ticks) = batch.columns[cells].as_primitive_opt::<Int64Type>() else { return Err(Error::internal("rows without their time")) };
    let timestamps: ScalarBuffer<i64> = ticks.values().clone();
    Ok(Block { rows: batch.rows, timestamps, columns: batch.columns[..cells].to_vec() })
}

impl Iterator for ByNumber {
    type Item = Result<Held>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let partition = self.partition();
        self.failed = partition.is_err();
        partition.transpose()
    }
}

/// All rows of a relation in the order of time; equal times keep their order.
pub(crate) fn by_time(source: Blocks, context: &Arc<QueryContext>) -> Result<Blocks> {
    let mut source = source.peekable();
    let Some(first) = source.peek() else { return Ok(Box::new(std::iter::empty())) };
    let cells = first.as_ref().map_or(0, |block| block.columns.len());
    let batches = source.map(|block| {
        let block = block?;
        let mut columns = block.columns;
        columns.push(Arc::new(Int64Array::new(block.timestamps, None)));
        Ok(Batch { rows: block.rows, columns, groups: None })
    });
    let sorted = sort::sorted(Box::new(batches), &[(cells, KeyOrder { descending: false, nulls_first: true })], None, context)?;
    Ok(Box::new(sorted.map(move |batch| block(&batch?, cells))))
}
