//! Rows of a relation that is no stored table: subqueries, system tables, joins.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use embudo_expr::repeat;
use embudo_types::{Error, Result};

use super::block::{Batch, Block, Blocks};
use super::{join, query};
use crate::QueryContext;
use crate::array::{concat_columns, null_array};
use crate::bind::relation::{ColumnSource, Origin, Relation};
use crate::memory::{Reservation, bytes_of};
use crate::plan::{Filter, RowsPlan, SelectPlan, Stage};

/// Blocks with the given columns of the relation.
pub(crate) fn blocks(relation: &Relation, inputs: &[usize], context: &Arc<QueryContext>) -> Result<Blocks> {
    let batches: super::block::Batches = match &relation.origin {
        Origin::Rows(RowsPlan::Query(plan)) => query::run(plan, context)?,
        Origin::Rows(RowsPlan::Batch { batch, .. }) => {
            Box::new(std::iter::once(Ok(Batch { rows: batch.num_rows(), columns: batch.columns().to_vec(), groups: None })))
        }
        Origin::Join(plan) => join::run(plan, relation, inputs, context)?,
        Origin::Nothing | Origin::Table(_) => return Err(Error::internal("rows of what is not rows")),
    };
    let sources: Vec<_> =
        inputs.iter().map(|input| (relation.columns[*input].source.clone(), relation.columns[*input].data_type, relation.columns[*input].precision)).collect();
    let timeline = relation.timeline.map(|place| relation.columns[place].source.clone());
    Ok(Box::new(batches.filter(|batch| !matches!(batch, Ok(batch) if batch.rows == 0)).map(move |batch| {
        let batch = batch?;
        let mut columns = Vec::with_capacity(sources.len());
        for (source, data_type, precision) in &sources {
            columns.push(match source {
                ColumnSource::Output(place) => Arc::clone(&batch.columns[*place]),
                ColumnSource::Constant(value) => repeat(value, *data_type, *precision, batch.rows)?,
                _ => return Err(Error::internal("a stored column among made rows")),
            });
        }
        let timestamps = match &timeline {
            Some(ColumnSource::Output(place)) => ticks(&batch.columns[*place]),
            _ => Vec::new().into(),
        };
        Ok(Block { rows: batch.rows, timestamps, columns })
    })))
}

/// The ticks of a timestamp array; NULLs come first of all.
pub(crate) fn ticks(array: &ArrayRef) -> ScalarBuffer<i64> {
    use arrow_array::cast::AsArray;
    use arrow_array::types::{TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType};
    let values = if let Some(array) = array.as_primitive_opt::<TimestampMillisecondType>() {
        array.values().clone()
    } else if let Some(array) = array.as_primitive_opt::<TimestampMicrosecondType>() {
        array.values().clone()
    } else if let Some(array) = array.as_primitive_opt::<TimestampNanosecondType>() {
        array.values().clone()
    } else {
        return vec![i64::MIN; array.len()].into();
    };
    match array.nulls() {
        Some(nulls) if nulls.null_count() > 0 => values.iter().enumerate().map(|(row, tick)| if nulls.is_valid(row) { *tick } else { i64::MIN }).collect(),
        _ => values,
    }
}

/// All blocks as one, its rows in the order of time; equal times keep their order.
pub(crate) fn sorted(source: Blocks, context: &QueryContext) -> Result<Blocks> {
    let mut reservation = Reservation::new(&context.memory);
    let mut blocks: Vec<Block> = Vec::new();
    for block in source {
        context.cancel.check()?;
        let block = block?;
        reservation.grow(3 * bytes_of(&block.columns) + 16 * block.rows)?;
        blocks.push(block);
    }
    let Some(first) = blocks.first() else { return Ok(Box::new(std::iter::empty())) };
    let types: Vec<arrow_schema::DataType> = first.columns.iter().map(|column| column.data_type().clone()).collect();
    let columns: Vec<Vec<ArrayRef>> = blocks.iter().map(|block| block.columns.clone()).collect();
    let timestamps: Vec<i64> = blocks.iter().flat_map(|block| block.timestamps.iter().copied()).collect();
    let block = Block { rows: timestamps.len(), timestamps: timestamps.into(), columns: concat_columns(&columns, &types)? };
    if block.timestamps.is_sorted() {
        return Ok(held(block, reservation));
    }
    let mut rows: Vec<u32> = (0..block.rows as u32).collect();
    rows.sort_by_key(|row| block.timestamps[*row as usize]);
    let block = block.take(&rows)?;
    Ok(held(block, reservation))
}

/// One block, reserved until it is taken and let go of.
fn held(block: Block, reservation: Reservation) -> Blocks {
    Box::new(std::iter::once(Ok(block)).inspect(move |_| {
        let _held = &reservation;
    }))
}

/// All rows of a relation in the order of its timeline, column by column of the relation; those not needed hold NULLs.
pub(crate) fn whole(relation: &Relation, needed: &[usize], context: &Arc<QueryContext>, reservation: &mut Reservation) -> Result<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for block in ordered_blocks(relation, needed, context)? {
        context.cancel.check()?;
        let block = block?;
        reservation.grow(2 * bytes_of(&block.columns) + 8 * block.rows)?;
        blocks.push(block);
    }
    let rows = blocks.iter().map(|block| block.rows).sum();
    let timestamps: Vec<i64> = blocks.iter().flat_map(|block| block.timestamps.iter().copied()).collect();
    let types: Vec<arrow_schema::DataType> = needed.iter().map(|column| super::scan::arrow_type(&relation.columns[*column])).collect();
    let parts: Vec<Vec<ArrayRef>> = blocks.into_iter().map(|block| block.columns).collect();
    let loaded = concat_columns(&parts, &types)?;
    let mut columns: Vec<ArrayRef> = relation.columns.iter().map(|_| null_array(&arrow_schema::DataType::Null, rows)).collect();
    for (column, array) in needed.iter().zip(loaded) {
        columns[*column] = array;
    }
    Ok(Block { rows, timestamps: timestamps.into(), columns })
}

fn ordered_blocks(relation: &Relation, needed: &[usize], context: &Arc<QueryContext>) -> Result<Blocks> {
    if relation.table().is_none() {
        let blocks = blocks(relation, needed, context)?;
        return if relation.ordered { Ok(blocks) } else { sorted(blocks, context) };
    }
    let plan = Arc::new(SelectPlan {
        relation: relation.shared()?,
        inputs: needed.to_vec(),
        filter: Filter::none(),
        stage: Stage::Rows { keys: Vec::new() },
        having: None,
        items: Vec::new(),
        shown: 0,
        fill: None,
        distinct: false,
        hash_order: false,
    });
    super::select::blocks(&plan, context, true)
}
