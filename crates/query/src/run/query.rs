//! A query, running: SELECT or UNION, then order and limits.

use std::sync::Arc;

use embudo_types::Result;

use super::block::{Batch, Batches};
use super::distinct;
use super::limit::{Limits, limited};
use super::select::{self, Needs};
use super::sort;
use crate::QueryContext;
use crate::analysis::{Operator, OperatorKind, counted};
use crate::bind::relation::Relation;
use crate::plan::{Body, QueryPlan, SelectPlan, Stage, StageColumn, WindowPlan};

/// Runs a query; batches hold the shown columns.
pub(crate) fn run(plan: &Arc<QueryPlan>, context: &Arc<QueryContext>) -> Result<Batches> {
    let most = plan.limit.map(|limit| usize::try_from(limit.count.saturating_add(limit.offset)).unwrap_or(usize::MAX));
    let (mut batches, ordered) = match &plan.body {
        Body::Select(select) => {
            let time_order = time_order(plan, select);
            let by_group = plan.limit_per_group && (plan.limit.is_some() || plan.slimit.is_some()) || plan.slimit.is_some();
            let plain = plan.order.is_empty() || time_order.is_some();
            let most = most.filter(|_| plain && !select.distinct && !by_group && plan.slimit.is_none());
            let (batches, ordered) = select::run(select, context, Needs { groups: by_group, time_order, most, last_windows: last_windows(plan, select) })?;
            let operator = Operator::of(&**plan, OperatorKind::Union);
            let distinct = |batches| counted(distinct::distinct(batches, select.shown, context), context.analysis.as_ref(), operator);
            (if select.distinct { distinct(batches) } else { batches }, ordered)
        }
        Body::Union { left, right, casts, all } => {
            let (left, right) = (run(left, context)?, run(right, context)?);
            let casts = casts.clone();
            let right = right.map(move |batch| {
                let batch = batch?;
                let columns = casts.iter().map(|cast| cast.evaluate(&batch.columns, batch.rows)).collect::<Result<_>>()?;
                Ok(Batch { columns, ..batch })
            });
            let batches: Batches = Box::new(left.chain(right));
            let shown = plan.columns.len();
            let batches = if *all { batches } else { distinct::distinct(batches, shown, context) };
            (counted(batches, context.analysis.as_ref(), Operator::of(&**plan, OperatorKind::Union)), false)
        }
    };
    // SLIMIT picks groups before an order mixes their rows.
    let mut slimit = plan.slimit;
    if !plan.order.is_empty()
        && let Some(groups) = slimit.take()
    {
        batches = limited(batches, Limits { slimit: Some(groups), limit: None, per_group: false });
    }
    if !plan.order.is_empty() && !ordered {
        batches = counted(sort::sorted(batches, &plan.order, most, context)?, context.analysis.as_ref(), Operator::of(&**plan, OperatorKind::Sort));
    }
    if slimit.is_some() || plan.limit.is_some() {
        batches = limited(batches, Limits { slimit, limit: plan.limit, per_group: plan.limit_per_group });
    }
    let shown = plan.columns.len();
    Ok(Box::new(batches.map(move |batch| {
        batch.map(|mut batch| {
            batch.columns.truncate(shown);
            batch
        })
    })))
}

/// Whether the query's order is that of the rows' primary timestamp, which a scan can give: `Some(true)` backwards.
fn time_order(plan: &QueryPlan, select: &SelectPlan) -> Option<bool> {
    let [(item, by)] = plan.order[..] else { return None };
    let is_rows = matches!(&select.stage, Stage::Rows { keys } if keys.is_empty()) && !select.distinct;
    let place = select.items[item].input_index().filter(|_| is_rows)?;
    (select.relation.timeline == Some(select.inputs[place]) && readable_in_order(&select.relation, by.descending)).then_some(by.descending)
}

/// How many of the last windows a query wants, where it wants no other.
fn last_windows(plan: &QueryPlan, select: &SelectPlan) -> Option<usize> {
    let [(item, by)] = plan.order[..] else { return None };
    let Stage::Aggregate(stage) = &select.stage else { return None };
    let Some(WindowPlan::Interval(grid)) = &stage.window else { return None };
    let is_start = select.items[item].input_index().is_some_and(|column| stage.columns[column] == StageColumn::WindowStart);
    let whole = stage.keys.is_empty() && !stage.many_rows && select.having.is_none() && select.fill.is_none() && !select.distinct;
    let limit = plan.limit?;
    (is_start && by.descending && whole && !stage.time_order && grid.is_tumbling())
        .then(|| usize::try_from(limit.count.saturating_add(limit.offset)).unwrap_or(usize::MAX))
}

fn readable_in_order(relation: &Relation, descending: bool) -> bool {
    relation.table().is_some() || (relation.ordered && !descending)
}
