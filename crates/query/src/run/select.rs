//! One SELECT, running: its rows through its stage to its items.

use std::sync::Arc;

use arrow_array::ArrayRef;
use embudo_expr::BoundExpr;
use embudo_storage::TimeRange;
use embudo_types::{DataType, Result};

use super::aggregate::KnownPartitions;
use super::block::{Batch, Batches, Block, Blocks, evaluate_condition};
use super::parallel::RowScan;
use super::scan::{InputSource, TableScan};
use super::{grouping, interp, partition, relation, series};
use crate::QueryContext;
use crate::analysis::{Operator, OperatorKind, counted};
use crate::array::{concat_columns, null_array, selected};
use crate::bind::relation::Origin;
use crate::plan::{SelectPlan, Stage};
use crate::window::fill;

/// What the query above asks of a SELECT.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Needs {
    /// The group of each row.
    pub groups: bool,
    /// Rows in the order of time: `Some(true)` backwards.
    pub time_order: Option<bool>,
    /// More rows than these are not looked at.
    pub most: Option<usize>,
    /// Only so many of the last windows are looked at.
    pub last_windows: Option<usize>,
}

/// Runs a SELECT. Rows come in the asked order of time where the second part says so.
pub(crate) fn run(plan: &Arc<SelectPlan>, context: &Arc<QueryContext>, needs: Needs) -> Result<(Batches, bool)> {
    let (batches, ordered) = match &plan.stage {
        Stage::Rows { keys } if keys.is_empty() => rows(plan, context, needs)?,
        Stage::Rows { keys } => (partitioned_rows(plan, keys, context)?, false),
        Stage::Tables => (tables(plan, context)?, false),
        Stage::Aggregate(stage) => (grouping::run(plan, stage, context, needs)?, false),
        Stage::Series(stage) => (series::run(plan, stage, context)?, false),
        Stage::Interp(stage) => (interp::run(plan, stage, context)?, false),
    };
    let batches = counted(batches, context.analysis.as_ref(), Operator::of(&**plan, OperatorKind::Stage));
    let batches = match &plan.fill {
        Some(_) => counted(fill::filled(batches, plan, context)?, context.analysis.as_ref(), Operator::of(&**plan, OperatorKind::Fill)),
        None => batches,
    };
    Ok((batches, ordered))
}

/// The stage's columns through HAVING to the items; `None` where no row is left.
pub(crate) fn project(plan: &SelectPlan, columns: &[ArrayRef], rows: usize, groups: Option<Vec<u32>>) -> Result<Option<Batch>> {
    if rows == 0 {
        return Ok(None);
    }
    let batch = Batch { rows, columns: columns.to_vec(), groups };
    let batch = match &plan.having {
        None => batch,
        Some(having) => match selected(&evaluate_condition(having, &batch.columns, rows)?) {
            None => batch,
            Some(picked) => batch.take(&picked)?,
        },
    };
    if batch.rows == 0 {
        return Ok(None);
    }
    let columns = plan.items.iter().map(|item| cells(item, &batch.columns, batch.rows)).collect::<Result<_>>()?;
    Ok(Some(Batch { rows: batch.rows, columns, groups: batch.groups }))
}

fn cells(item: &BoundExpr, columns: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
    // NULLs without a type are VARCHAR to users.
    if item.data_type() == DataType::Null { Ok(null_array(&arrow_schema::DataType::Binary, rows)) } else { item.evaluate(columns, rows) }
}

/// Blocks of the relation, filtered: any order but that of a timeline that is asked for.
pub(crate) fn blocks(plan: &Arc<SelectPlan>, context: &Arc<QueryContext>, time_order: bool) -> Result<Blocks> {
    if plan.relation.table().is_some() {
        let scan = Arc::new(TableScan::new(plan, context)?);
        let children: Vec<usize> = (0..scan.children()).collect();
        return if time_order { scan.merged(&children, false) } else { Ok(scan.blocks(children, false)) };
    }
    if plan.filter.never {
        return Ok(Box::new(std::iter::empty()));
    }
    let blocks = relation::blocks(&plan.relation, &plan.inputs, context)?;
    let (filter, range, has_time) = (plan.filter.rows.clone(), plan.filter.range, plan.relation.timeline.is_some());
    let filtered = blocks
        .filter_map(move |block| block.and_then(|block| within(block, range, has_time)?.map_or(Ok(None), |block| block.filtered(filter.as_ref()))).transpose());
    if time_order && !plan.relation.ordered { partition::by_time(Box::new(filtered), context) } else { Ok(Box::new(filtered)) }
}

/// The rows of a block in a range of time; `None` where there is none.
fn within(block: Block, range: TimeRange, has_time: bool) -> Result<Option<Block>> {
    if !has_time || range == TimeRange::ALL || block.timestamps.iter().all(|tick| range.contains(*tick)) {
        return Ok(Some(block));
    }
    let rows: Vec<u32> = (0..block.rows as u32).filter(|row| range.contains(block.timestamps[*row as usize])).collect();
    if rows.is_empty() { Ok(None) } else { block.take(&rows).map(Some) }
}

/// Rows of the newest or oldest that are worth holding of every child.
const FEW_ROWS: usize = 4_096;

fn rows(plan: &Arc<SelectPlan>, context: &Arc<QueryContext>, needs: Needs) -> Result<(Batches, bool)> {
    if let Origin::Nothing = plan.relation.origin {
        let batch = if plan.filter.never { None } else { project(plan, &[], 1, None)? };
        return Ok((Box::new(batch.into_iter().map(Ok)), false));
    }
    if plan.relation.table().is_none() {
        let project_plan = Arc::clone(plan);
        let batches =
            blocks(plan, context, false)?.filter_map(move |block| block.and_then(|block| project(&project_plan, &block.columns, block.rows, None)).transpose());
        return Ok((Box::new(batches), needs.time_order == Some(false) && plan.relation.ordered));
    }
    let scan = Arc::new(TableScan::new(plan, context)?);
    let children: Vec<usize> = (0..scan.children()).collect();
    let Some(descending) = needs.time_order else {
        return Ok((Box::new(RowScan::new(plan, scan, context, needs.most)), false));
    };
    let project_plan = Arc::clone(plan);
    let blocks = match needs.most {
        // A few rows of the newest or oldest: no child needs to give more than them, nor what lies beyond those found.
        Some(most) if children.len() > 1 && most <= FEW_ROWS => super::top::rows(&scan, &children, descending, most, context)?,
        _ => scan.merged(&children, descending)?,
    };
    Ok((Box::new(blocks.filter_map(move |block| block.and_then(|block| project(&project_plan, &block.columns, block.rows, None)).transpose())), true))
}

fn partitioned_rows(plan: &Arc<SelectPlan>, keys: &[crate::plan::KeyPlan], context: &Arc<QueryContext>) -> Result<Batches> {
    if keys.iter().all(|key| key.per_table) && plan.relation.table().is_some() {
        let scan = Arc::new(TableScan::new(plan, context)?);
        let partitions = KnownPartitions::of(keys, &scan)?;
        let mut children: Vec<usize> = (0..scan.children()).collect();
        children.sort_by_key(|child| partitions.of_child[*child]);
        let plan = Arc::clone(plan);
        let batches = children.into_iter().flat_map(move |child| {
            let (plan, partition) = (Arc::clone(&plan), partitions.of_child[child]);
            scan.blocks(vec![child], false)
                .filter_map(move |block| block.and_then(|block| project(&plan, &block.columns, block.rows, Some(vec![partition; block.rows]))).transpose())
        });
        return Ok(Box::new(batches));
    }
    let parts = partition::partitions(blocks(plan, context, false)?, keys, plan.hash_order, context)?;
    let plan = Arc::clone(plan);
    Ok(Box::new(parts.enumerate().flat_map(move |(number, part)| {
        let plan = Arc::clone(&plan);
        let blocks = part.map_or_else(|error| Box::new(std::iter::once(Err(error))) as Blocks, partition::Held::blocks);
        blocks.filter_map(move |block| block.and_then(|block| project(&plan, &block.columns, block.rows, Some(vec![number as u32; block.rows]))).transpose())
    })))
}

/// Blocks end to end.
pub(crate) fn joined(blocks: &[Block], plan: &SelectPlan) -> Result<Block> {
    let types: Vec<arrow_schema::DataType> = plan.inputs.iter().map(|input| super::scan::arrow_type(&plan.relation.columns[*input])).collect();
    let columns: Vec<Vec<ArrayRef>> = blocks.iter().map(|block| block.columns.clone()).collect();
    let timestamps: Vec<i64> = blocks.iter().flat_map(|block| block.timestamps.iter().copied()).collect();
    Ok(Block { rows: blocks.iter().map(|block| block.rows).sum(), timestamps: timestamps.into(), columns: concat_columns(&columns, &types)? })
}

/// Children that come out together.
const CHILDREN: usize = 16_384;

/// One row a child table, whether it has rows or not.
fn tables(plan: &Arc<SelectPlan>, context: &Arc<QueryContext>) -> Result<Batches> {
    let scan = TableScan::new(plan, context)?;
    let (plan, cancel, cells, children, mut start) = (Arc::clone(plan), context.cancel.clone(), scan.per_table_inputs(), scan.children(), 0);
    Ok(Box::new(std::iter::from_fn(move || {
        while start < children {
            let rows = CHILDREN.min(children - start);
            let columns: Vec<ArrayRef> =
                cells.iter().map(|column| if column.len() == children { column.slice(start, rows) } else { Arc::clone(column) }).collect();
            start += rows;
            let batch = cancel.check().and_then(|()| project(&plan, &columns, rows, None));
            if batch.is_err() {
                start = children;
            }
            if let Some(batch) = batch.transpose() {
                return Some(batch);
            }
        }
        None
    })))
}

/// Whether an input is a stored column or the timestamp.
pub(crate) fn is_stored(scan: &TableScan, input: usize) -> bool {
    !matches!(scan.source(input), InputSource::PerTable(_))
}
