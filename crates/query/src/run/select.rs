//! One SELECT, running: its rows through its stage to its items.

use std::sync::Arc;

use arrow_array::ArrayRef;
use embudo_expr::BoundExpr;
use embudo_storage::{Piece, TimeRange};
use embudo_types::{DataType, Result};

use super::aggregate::{Accumulator, KeyTable, KnownPartitions, Partition};
use super::block::{Batch, Batches, Block, Blocks, evaluate_condition, none};
use super::parallel::RowScan;
use super::scan::{Constants, InputSource, TableScan};
use super::{interp, relation, series};
use crate::QueryContext;
use crate::array::{concat_columns, null_array, selected};
use crate::bind::relation::Origin;
use crate::memory::{Reservation, bytes_of};
use crate::plan::{AggregatePlan, SelectPlan, Stage, WindowPlan};
use crate::window::fill;
use crate::window::grid::Grid;

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
        Stage::Aggregate(stage) => (aggregate(plan, stage, context, needs)?, false),
        Stage::Series(stage) => (series::run(plan, stage, context)?, false),
        Stage::Interp(stage) => (interp::run(plan, stage, context)?, false),
    };
    let batches = match &plan.fill {
        Some(_) => fill::filled(batches, plan, context)?,
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
        let scan = Arc::new(TableScan::new(plan, &context.cancel)?);
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
    if time_order && !plan.relation.ordered { relation::sorted(Box::new(filtered), context) } else { Ok(Box::new(filtered)) }
}

/// The rows of a block in a range of time; `None` where there is none.
fn within(block: Block, range: TimeRange, has_time: bool) -> Result<Option<Block>> {
    if !has_time || range == TimeRange::ALL || block.timestamps.iter().all(|tick| range.contains(*tick)) {
        return Ok(Some(block));
    }
    let rows: Vec<u32> = (0..block.rows as u32).filter(|row| range.contains(block.timestamps[*row as usize])).collect();
    if rows.is_empty() { Ok(None) } else { block.take(&rows).map(Some) }
}

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
    let scan = Arc::new(TableScan::new(plan, &context.cancel)?);
    let children: Vec<usize> = (0..scan.children()).collect();
    let Some(descending) = needs.time_order else {
        return Ok((Box::new(RowScan::new(plan, scan, context, needs.most)), false));
    };
    let project_plan = Arc::clone(plan);
    let blocks = match needs.most {
        // A few rows of the newest or oldest: no child needs to give more than them, nor what lies beyond those found.
        Some(most) if children.len() > 1 => super::top::rows(&scan, &children, descending, most)?,
        _ => scan.merged(&children, descending)?,
    };
    Ok((Box::new(blocks.filter_map(move |block| block.and_then(|block| project(&project_plan, &block.columns, block.rows, None)).transpose())), true))
}

fn partitioned_rows(plan: &Arc<SelectPlan>, keys: &[crate::plan::KeyPlan], context: &Arc<QueryContext>) -> Result<Batches> {
    if keys.iter().all(|key| key.per_table) && plan.relation.table().is_some() {
        let scan = Arc::new(TableScan::new(plan, &context.cancel)?);
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
    let mut reservation = Reservation::new(&context.memory);
    let mut parts = partition_blocks(blocks(plan, context, false)?, keys, plan, &mut reservation)?;
    if plan.hash_order {
        let order = super::group_hash::order_of_blocks(keys, &parts)?;
        parts = order.into_iter().map(|part| parts[part as usize].clone()).collect();
    }
    let plan = Arc::clone(plan);
    Ok(Box::new(parts.into_iter().enumerate().filter_map(move |(partition, block)| {
        let _held = &reservation;
        project(&plan, &block.columns, block.rows, Some(vec![partition as u32; block.rows])).transpose()
    })))
}

/// All rows, a block a partition, in the order they came; partitions in the order of their first rows.
pub(crate) fn partition_blocks(blocks: Blocks, keys: &[crate::plan::KeyPlan], plan: &SelectPlan, reservation: &mut Reservation) -> Result<Vec<Block>> {
    let mut table = KeyTable::default();
    let mut parts: Vec<Vec<Block>> = Vec::new();
    for block in blocks {
        let block = block?;
        reservation.grow(2 * bytes_of(&block.columns) + 16 * block.rows)?;
        let numbers = table.numbers(keys, &block)?;
        let mut rows: Vec<Vec<u32>> = vec![Vec::new(); table.len()];
        for (row, number) in numbers.iter().enumerate() {
            rows[*number as usize].push(row as u32);
        }
        parts.resize_with(table.len(), Vec::new);
        for (part, rows) in parts.iter_mut().zip(rows) {
            if !rows.is_empty() {
                part.push(block.take(&rows)?);
            }
        }
    }
    parts.iter().map(|blocks| joined(blocks, plan)).collect()
}

/// Blocks end to end.
pub(crate) fn joined(blocks: &[Block], plan: &SelectPlan) -> Result<Block> {
    let types: Vec<arrow_schema::DataType> = plan.inputs.iter().map(|input| super::scan::arrow_type(&plan.relation.columns[*input])).collect();
    let columns: Vec<Vec<ArrayRef>> = blocks.iter().map(|block| block.columns.clone()).collect();
    let timestamps: Vec<i64> = blocks.iter().flat_map(|block| block.timestamps.iter().copied()).collect();
    Ok(Block { rows: blocks.iter().map(|block| block.rows).sum(), timestamps: timestamps.into(), columns: concat_columns(&columns, &types)? })
}

/// One row a child table, whether it has rows or not.
fn tables(plan: &Arc<SelectPlan>, context: &Arc<QueryContext>) -> Result<Batches> {
    let scan = TableScan::new(plan, &context.cancel)?;
    let batch = project(plan, &scan.per_table_inputs(), scan.children(), None)?;
    Ok(Box::new(batch.into_iter().map(Ok)))
}

fn aggregate(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>, needs: Needs) -> Result<Batches> {
    let batch =
        if plan.relation.table().is_some() { table_aggregate(plan, stage, context, needs.last_windows)? } else { stream_aggregate(plan, stage, context)? };
    let groups = if needs.groups || plan.fill.is_some() { batch.groups } else { None };
    let batch = project(plan, &batch.columns, batch.rows, groups)?;
    Ok(batch.map_or_else(none, |batch| Box::new(std::iter::once(Ok(batch)))))
}

fn stream_aggregate(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>) -> Result<Batch> {
    let mut accumulator = Accumulator::new(plan, &context.memory)?;
    let partition = if stage.keys.is_empty() { Partition::Known(0) } else { Partition::ByRow };
    if stage.empty_groups && stage.keys.is_empty() && !plan.filter.never {
        accumulator.touch(0);
    }
    if let Origin::Nothing = plan.relation.origin {
        let row = Block { rows: 1, timestamps: Vec::new().into(), columns: Vec::new() };
        accumulator.take_block(partition, &row)?;
        return accumulator.finish(&[]);
    }
    for block in blocks(plan, context, stage.time_order || stage.window.is_some())? {
        context.cancel.check()?;
        accumulator.take_block(partition, &block?)?;
    }
    accumulator.finish(&[])
}

fn table_aggregate(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>, last_windows: Option<usize>) -> Result<Batch> {
    let scan = Arc::new(TableScan::new(plan, &context.cancel)?);
    if plan.filter.never || (scan.children() == 0 && plan.relation.is_single_table()) {
        // Nothing is asked, so not even a count comes back, as recorded.
        return Accumulator::new(plan, &context.memory)?.finish(&KnownPartitions::of(&[], &scan)?.keys);
    }
    let known = stage.keys.iter().all(|key| key.per_table);
    let partitions = if known { Some(KnownPartitions::of(&stage.keys, &scan)?) } else { None };
    let accumulator = match (&partitions, last_windows, &stage.window) {
        (Some(partitions), _, _) if stage.last_cache && !scan.filters_rows() && scan.range() == TimeRange::ALL && super::last::answers(stage, &scan) => {
            super::last::run(plan, stage, &scan, partitions, context)?
        }
        (Some(partitions), Some(most), Some(WindowPlan::Interval(grid))) => last_windows_of(plan, stage, &scan, partitions, context, grid, most)?,
        _ => accumulate(plan, stage, &scan, partitions.as_ref(), context)?,
    };
    let Some(partitions) = partitions else { return accumulator.finish(&[]) };
    let mut accumulator = accumulator;
    if stage.empty_groups {
        for partition in 0..partitions.count {
            accumulator.touch(partition as u32);
        }
    }
    accumulator.finish(&partitions.keys)
}

/// The last windows: reads backwards from the latest row, each time eight times as far, until there are enough.
fn last_windows_of(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: &KnownPartitions,
    context: &Arc<QueryContext>,
    grid: &Grid,
    most: usize,
) -> Result<Accumulator> {
    let Some(latest) = scan.latest()? else { return Accumulator::new(plan, &context.memory) };
    let last = grid.last_start(latest);
    let length = grid.end(last).saturating_sub(last);
    let mut windows = most.max(1) as i64;
    loop {
        let start = grid.last_start(last.saturating_sub(length.saturating_mul(windows - 1)));
        let part = Arc::new(scan.narrowed(TimeRange::new(start, i64::MAX)));
        let accumulator = accumulate(plan, stage, &part, Some(partitions), context)?;
        if accumulator.groups() >= most || start <= scan.range().start || windows >= i64::MAX / 8 || length.saturating_mul(windows) == i64::MAX {
            return Ok(accumulator);
        }
        windows *= 8;
    }
}

/// Reads all rows into one accumulator, task by task.
fn accumulate(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: Option<&KnownPartitions>,
    context: &Arc<QueryContext>,
) -> Result<Accumulator> {
    let partition = |child: usize| partitions.map_or(Partition::ByRow, |partitions| Partition::Known(partitions.of_child[child]));
    let tasks = cut(stage, scan, partitions)?;
    let work = |task: &Work| -> Result<Accumulator> {
        let mut accumulator = Accumulator::new(plan, &context.memory)?;
        match task {
            Work::Children(children) => {
                let mut constants = Constants::default();
                for child in children {
                    let pieces = scan.pieces(*child, scan.range(), false)?;
                    take_pieces(&mut accumulator, partition(*child), scan, *child, pieces, &mut constants)?;
                }
            }
            Work::Pieces(child, pieces) => {
                take_pieces(&mut accumulator, partition(*child), scan, *child, pieces.iter().cloned().map(Ok), &mut Constants::default())?;
            }
            Work::Merged(sets) => {
                for children in sets {
                    for block in scan.merged(children, false)? {
                        accumulator.take_block(partition(children[0]), &block?)?;
                    }
                }
            }
        }
        Ok(accumulator)
    };
    let Some((first, rest)) = tasks.split_first() else { return Accumulator::new(plan, &context.memory) };
    let mut accumulator = work(first)?;
    // Threads cost more than a little work does; how much there is, the first task tells.
    if accumulator.rows().saturating_mul(rest.len()) < WORTH_THREADS {
        for task in rest {
            accumulator.merge(work(task)?)?;
        }
        return Ok(accumulator);
    }
    for result in context.scheduler.parallel(rest.len(), |task| work(&rest[task])) {
        accumulator.merge(result?)?;
    }
    Ok(accumulator)
}

/// Tasks of a scan at most; cut by the data alone.
const TASKS: usize = 32;
/// Children are cut into pieces where they are fewer than this.
const FEW_CHILDREN: usize = 8;
/// Rows that are worth starting threads for.
const WORTH_THREADS: usize = 65_536;
/// Pieces of one child in a task at least.
const PIECES: usize = 16;

/// What a task reads.
enum Work {
    /// Children, one after the other.
    Children(Vec<usize>),
    /// Pieces of one child.
    Pieces(usize, Vec<Piece>),
    /// The children of a partition, merged by time.
    Merged(Vec<Vec<usize>>),
}

fn take_pieces(
    accumulator: &mut Accumulator,
    partition: Partition,
    scan: &TableScan,
    child: usize,
    pieces: impl Iterator<Item = Result<Piece>>,
    constants: &mut Constants,
) -> Result<()> {
    let mut held: Option<Block> = None;
    for piece in pieces {
        let piece = piece?;
        if let Partition::Known(partition) = partition
            && accumulator.take_statistics(partition, &piece, scan, child)?
        {
            continue;
        }
        let Some(block) = scan.load(child, &piece, constants)? else { continue };
        if scan.key().is_none() {
            accumulator.take_block(partition, &block)?;
            continue;
        }
        // Rows of equal time and different keys are taken together, so that the greatest key is known to be last.
        held = Some(match held.take() {
            Some(before) if before.timestamps.last() == block.timestamps.first() => joined(&[before, block], scan.plan())?,
            Some(before) => {
                accumulator.take_block(partition, &before)?;
                block
            }
            None => block,
        });
    }
    held.map_or(Ok(()), |block| accumulator.take_block(partition, &block))
}

/// Cuts a scan into tasks.
fn cut(stage: &AggregatePlan, scan: &Arc<TableScan>, partitions: Option<&KnownPartitions>) -> Result<Vec<Work>> {
    let children = scan.children();
    if children == 0 {
        return Ok(Vec::new());
    }
    if stage.time_order {
        let Some(partitions) = partitions else { return Ok(vec![Work::Merged(vec![(0..children).collect()])]) };
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); partitions.count];
        for (child, partition) in partitions.of_child.iter().enumerate() {
            sets[*partition as usize].push(child);
        }
        let each = sets.len().div_ceil(TASKS);
        return Ok(sets.chunks(each).map(|sets| Work::Merged(sets.to_vec())).collect());
    }
    // Equal times of a composite key must not be torn apart.
    if children >= FEW_CHILDREN || scan.key().is_some() {
        let each = children.div_ceil(TASKS);
        let all: Vec<usize> = (0..children).collect();
        return Ok(all.chunks(each).map(|children| Work::Children(children.to_vec())).collect());
    }
    let mut tasks = Vec::new();
    for child in 0..children {
        let pieces = scan.pieces(child, scan.range(), false)?.collect::<Result<Vec<Piece>>>()?;
        let each = pieces.len().div_ceil(TASKS).max(PIECES);
        tasks.extend(pieces.chunks(each).map(|pieces| Work::Pieces(child, pieces.to_vec())));
    }
    Ok(tasks)
}

/// Whether an input is a stored column or the timestamp.
pub(crate) fn is_stored(scan: &TableScan, input: usize) -> bool {
    !matches!(scan.source(input), InputSource::PerTable(_))
}
