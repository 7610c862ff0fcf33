//! Rows of a relation that is no stored table: subqueries, system tables, joins.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::ScalarBuffer;
use embudo_expr::{BoundExpr, Input, repeat};
use embudo_types::{Error, Result};

use super::block::{Batch, Block, Blocks};
use super::{join, partition, query};
use crate::QueryContext;
use crate::bind::relation::{ColumnSource, Origin, Relation};
use crate::plan::{Filter, JoinSidePlan, RowsPlan, SelectPlan, Stage};

/// Rows of a system table that are handed on together.
const ROWS: usize = 16_384;

/// Blocks with the given columns of the relation.
pub(crate) fn blocks(relation: &Relation, inputs: &[usize], context: &Arc<QueryContext>) -> Result<Blocks> {
    let batches: super::block::Batches = match &relation.origin {
        Origin::Rows(RowsPlan::Query(plan)) => query::run(plan, context)?,
        Origin::Rows(RowsPlan::Batch { batch, .. }) => {
            let (batch, cancel, rows) = (batch.clone(), context.cancel.clone(), batch.num_rows());
            Box::new((0..rows).step_by(ROWS).map(move |start| {
                cancel.check()?;
                let part = batch.slice(start, ROWS.min(rows - start));
                Ok(Batch { rows: part.num_rows(), columns: part.columns().to_vec(), groups: None })
            }))
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

/// The given columns of a join side's rows that may matter, in the order of its timeline.
pub(crate) fn ordered_blocks(side: &JoinSidePlan, needed: &[usize], context: &Arc<QueryContext>) -> Result<Blocks> {
    let relation = &side.relation;
    if relation.table().is_none() {
        let blocks = blocks(relation, needed, context)?;
        return if relation.ordered { Ok(blocks) } else { partition::by_time(blocks, context) };
    }
    let mut inputs = needed.to_vec();
    let mut filter = Filter { range: side.range, ..Filter::none() };
    for condition in &side.conditions {
        let mut per_table = true;
        condition.visit_inputs(&mut |column| per_table &= relation.is_per_table(column));
        let (places, known) = if per_table { (&mut filter.table_inputs, &mut filter.table) } else { (&mut inputs, &mut filter.rows) };
        condition.visit_inputs(&mut |column| {
            if !places.contains(&column) {
                places.push(column);
            }
        });
        let own = condition.substituted(&|column| {
            let index = places.iter().position(|known| *known == column).unwrap_or(0);
            BoundExpr::input(Input { index, data_type: relation.columns[column].data_type, precision: relation.columns[column].precision })
        });
        *known = Some(match known.take() {
            Some(known) => known.and(own),
            None => own,
        });
    }
    let plan = Arc::new(SelectPlan {
        relation: relation.shared()?,
        inputs,
        filter,
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
