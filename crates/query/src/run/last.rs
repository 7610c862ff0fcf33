//! LAST and `LAST_ROW` from the last cache: no scan.

use std::sync::Arc;

use embudo_expr::{BoundExpr, array_of_values};
use embudo_storage::TIMESTAMP_COLUMN;
use embudo_types::{DataType, Result, Value};

use super::aggregate::{Accumulator, KnownPartitions};
use super::scan::{InputSource, TableScan};
use super::select::is_stored;
use crate::QueryContext;
use crate::plan::{AggregatePlan, SelectPlan};

/// Children in a task.
const CHILDREN: usize = 512;

/// Whether every call is over a stored column or the timestamp.
pub(crate) fn answers(stage: &AggregatePlan, scan: &TableScan) -> bool {
    stage.calls.iter().all(|call| call.arguments().len() == 1 && call.arguments()[0].input_index().is_some_and(|input| is_stored(scan, input)))
}

/// More columns than this are looked for in the newest row first.
const MANY_COLUMNS: usize = 8;

/// Takes the children's last values.
pub(crate) fn run(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: &KnownPartitions,
    children: &[usize],
    context: &Arc<QueryContext>,
) -> Result<Accumulator> {
    let tasks: Vec<&[usize]> = children.chunks(CHILDREN).collect();
    let results = context.scheduler.parallel(tasks.len(), |task| take(plan, stage, scan, partitions, tasks[task], context));
    let mut accumulator = Accumulator::new(plan, context)?;
    for result in results {
        accumulator.merge(result?)?;
    }
    Ok(accumulator)
}

/// Cells of one call: whose, when, what.
#[derive(Default)]
struct Cells {
    partitions: Vec<u32>,
    ticks: Vec<i64>,
    values: Vec<Value>,
}

fn take(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: &KnownPartitions,
    children: &[usize],
    context: &Arc<QueryContext>,
) -> Result<Accumulator> {
    let mut accumulator = Accumulator::new(plan, context)?;
    let mut cells: Vec<Cells> = stage.calls.iter().map(|_| Cells::default()).collect();
    let column = |argument: &BoundExpr| match argument.input_index().map(|input| scan.source(input)) {
        Some(InputSource::Stored(place)) => scan.column(*place),
        _ => (TIMESTAMP_COLUMN, DataType::Timestamp),
    };
    let columns: Vec<_> = stage.calls.iter().map(|call| column(&call.arguments()[0])).collect();
    // Of many columns the newest row mostly has a value, which spares looking for each.
    let many = columns.len() > MANY_COLUMNS;
    let of_row = |call: usize| columns[call].0 != TIMESTAMP_COLUMN && (many || stage.calls[call].name() == "last_row");
    let whole_rows: Vec<usize> = (0..columns.len()).filter(|call| of_row(*call)).collect();
    let row_columns: Vec<_> = whole_rows.iter().map(|call| columns[*call]).collect();
    for child in children {
        context.cancel.check()?;
        let (uid, partition) = (scan.uid(*child), partitions.of_child[*child]);
        let Some(row) = scan.snapshot().last_row(uid, scan.key(), &row_columns)? else { continue };
        accumulator.touch(partition);
        let mut values = row.values.into_iter();
        for (call, cells) in cells.iter_mut().enumerate() {
            let in_row = if of_row(call) { values.next().unwrap_or(Value::Null) } else { Value::Null };
            let (tick, value) = if columns[call].0 == TIMESTAMP_COLUMN {
                (row.timestamp, Value::Timestamp(row.timestamp))
            } else if !in_row.is_null() || stage.calls[call].name() == "last_row" {
                (row.timestamp, in_row)
            } else {
                match scan.snapshot().last(uid, scan.key(), columns[call])? {
                    Some(found) => found,
                    None => continue,
                }
            };
            cells.partitions.push(partition);
            cells.ticks.push(tick);
            cells.values.push(value);
        }
    }
    for (call, cells) in cells.into_iter().enumerate() {
        let argument = &stage.calls[call].arguments()[0];
        let values = array_of_values(&cells.values, argument.data_type(), argument.precision())?;
        accumulator.take_cached(call, &cells.partitions, &cells.ticks, &values)?;
    }
    Ok(accumulator)
}
