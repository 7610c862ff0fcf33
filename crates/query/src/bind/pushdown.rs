//! What an outer query needs of the queries it reads, handed down to them: conditions on rows, tags and names, the time that rows can have, and which
//! columns are read at all. Conditions stay where they were written too, so that a query below may give more rows than it must, never fewer.
//!
//! Nothing passes LIMIT and SLIMIT, whose rows hang on all others; windows let through what bounds their starts, groups what their keys decide.

use std::sync::Arc;

use embudo_expr::{BoundExpr, Input};
use embudo_sql::ast::query::{JoinKind, JoinSide};
use embudo_storage::TimeRange;

use super::relation::{ColumnSource, Origin, Relation};
use crate::plan::{AggregatePlan, Body, JoinPlan, QueryPlan, RowsPlan, SelectPlan, Stage, StageColumn, TimeMatch, WindowPlan};
use crate::window::grid::Grid;

/// Hands down what a SELECT needs. `times` are the ranges that its WHERE leaves to columns of made rows.
pub(crate) fn hand_down(select: &mut SelectPlan, times: &[(usize, TimeRange)]) {
    for (column, range) in times {
        narrow_relation(&mut select.relation, *column, *range);
    }
    if let (Some(timeline), false) = (select.relation.timeline, select.filter.range == TimeRange::ALL) {
        narrow_relation(&mut select.relation, timeline, select.filter.range);
    }
    for condition in std::mem::take(&mut select.filter.parts) {
        let condition = over_columns(&condition, select);
        restrict_relation(&mut select.relation, &condition);
    }
    let read = select.read_inputs();
    let needed = select.inputs.iter().zip(read).filter(|(_, read)| *read).map(|(column, _)| *column).collect();
    prune_relation(&mut select.relation, needed);
}

/// A condition over a SELECT's inputs as one over its relation's columns.
fn over_columns(condition: &BoundExpr, select: &SelectPlan) -> BoundExpr {
    condition.substituted(&|input| column(&select.relation, select.inputs[input]))
}

fn column(relation: &Relation, index: usize) -> BoundExpr {
    let column = &relation.columns[index];
    BoundExpr::input(Input { index, data_type: column.data_type, precision: column.precision })
}

/// All places that an expression reads.
fn places(expr: &BoundExpr) -> Vec<usize> {
    let mut places = Vec::new();
    expr.visit_inputs(&mut |place| places.push(place));
    places
}

/// The result columns of a subquery that places of its relation are; `None` where one is something else.
fn outputs(relation: &Relation, condition: &BoundExpr) -> Option<BoundExpr> {
    let output = |place: usize| if let ColumnSource::Output(output) = relation.columns[place].source { Some(output) } else { None };
    if places(condition).iter().any(|place| output(*place).is_none()) {
        return None;
    }
    Some(condition.substituted(&|place| {
        let column = &relation.columns[place];
        BoundExpr::input(Input { index: output(place).unwrap_or(place), data_type: column.data_type, precision: column.precision })
    }))
}

/// Hands a condition over a relation's columns to what makes its rows.
fn restrict_relation(relation: &mut Relation, condition: &BoundExpr) {
    if places(condition).is_empty() || !condition.is_pure() {
        return;
    }
    let own = outputs(relation, condition);
    match &mut relation.origin {
        Origin::Rows(RowsPlan::Query(query)) => {
            if let (Some(query), Some(condition)) = (Arc::get_mut(query), own) {
                restrict_query(query, &condition);
            }
        }
        Origin::Join(join) => {
            if let Some(join) = Arc::get_mut(join) {
                restrict_join(join, condition);
            }
        }
        Origin::Nothing | Origin::Table(_) | Origin::Rows(RowsPlan::Batch { .. }) => {}
    }
}

/// Hands a condition over a query's result columns to its SELECTs.
fn restrict_query(query: &mut QueryPlan, condition: &BoundExpr) {
    if query.limit.is_some() || query.slimit.is_some() {
        return;
    }
    match &mut query.body {
        Body::Select(select) => {
            if let Some(select) = Arc::get_mut(select) {
                restrict_select(select, condition);
            }
        }
        Body::Union { left, right, casts, .. } => {
            let cast = condition.substituted(&|place| casts[place].clone());
            if let (Some(left), Some(right)) = (Arc::get_mut(left), Arc::get_mut(right)) {
                restrict_query(left, condition);
                restrict_query(right, &cast);
            }
        }
    }
}

fn restrict_select(select: &mut SelectPlan, condition: &BoundExpr) {
    if select.fill.is_some() || places(condition).iter().any(|place| *place >= select.shown || !select.items[*place].is_pure()) {
        return;
    }
    let staged = condition.substituted(&|place| select.items[place].clone());
    if places(&staged).is_empty() {
        return;
    }
    let of_key = |place: usize| match &select.stage {
        Stage::Rows { .. } | Stage::Tables => None,
        Stage::Aggregate(stage) => key(&stage.columns, &stage.keys, place),
        Stage::Interp(stage) => key(&stage.columns, &stage.keys, place),
        Stage::Series(stage) => match stage.columns.get(place) {
            Some(StageColumn::Companion(companion)) => {
                let input = stage.companions[*companion].input_index();
                stage.keys.iter().map(|key| &key.expr).find(|key| input.is_some() && key.input_index() == input).cloned()
            }
            _ => None,
        },
    };
    let over_inputs = match &select.stage {
        Stage::Rows { .. } | Stage::Tables => staged,
        _ if places(&staged).iter().any(|place| of_key(*place).is_none_or(|key| !key.is_pure())) => return,
        _ => staged.substituted(&|place| of_key(place).unwrap_or_else(|| BoundExpr::null(condition.data_type()))),
    };
    add_condition(select, over_inputs);
}

fn key(columns: &[StageColumn], keys: &[crate::plan::KeyPlan], place: usize) -> Option<BoundExpr> {
    match columns.get(place) {
        Some(StageColumn::Key(key)) => Some(keys[*key].expr.clone()),
        _ => None,
    }
}

/// Adds a condition over a SELECT's inputs to its WHERE.
fn add_condition(select: &mut SelectPlan, condition: BoundExpr) {
    if places(&condition).is_empty() || matches!(select.relation.origin, Origin::Nothing) {
        return;
    }
    let per_table = select.relation.table().is_some() && places(&condition).iter().all(|input| select.relation.is_per_table(select.inputs[*input]));
    if !per_table {
        if matches!(select.stage, Stage::Tables) {
            return;
        }
        let below = over_columns(&condition, select);
        select.filter.rows = Some(and(select.filter.rows.take(), condition));
        restrict_relation(&mut select.relation, &below);
        return;
    }
    let mut table_inputs = std::mem::take(&mut select.filter.table_inputs);
    for input in places(&condition) {
        if !table_inputs.contains(&select.inputs[input]) {
            table_inputs.push(select.inputs[input]);
        }
    }
    let place_of = |input: usize| {
        let index = table_inputs.iter().position(|column| *column == select.inputs[input]).unwrap_or(0);
        let column = &select.relation.columns[select.inputs[input]];
        BoundExpr::input(Input { index, data_type: column.data_type, precision: column.precision })
    };
    let condition = condition.substituted(&place_of);
    select.filter.table = Some(and(select.filter.table.take(), condition));
    select.filter.table_inputs = table_inputs;
}

fn and(known: Option<BoundExpr>, condition: BoundExpr) -> BoundExpr {
    match known {
        Some(known) => known.and(condition),
        None => condition,
    }
}

/// Hands a condition over joined columns to the side whose columns they are, where rows of that side without it do not come out.
fn restrict_join(join: &mut JoinPlan, condition: &BoundExpr) {
    let offset = join.left.relation.columns.len();
    let width = offset + join.right.relation.columns.len();
    let places = places(condition);
    let is_right = places.iter().all(|place| (offset..width).contains(place));
    if !is_right && !places.iter().all(|place| *place < offset) {
        return;
    }
    let survives = match join.side {
        JoinSide::Inner => true,
        JoinSide::Left => !is_right,
        JoinSide::Right => is_right,
        JoinSide::Full => false,
    };
    if survives {
        restrict_side(join, is_right, condition);
    }
}

/// Hands a condition over joined columns, all of one side, to that side.
fn restrict_side(join: &mut JoinPlan, is_right: bool, condition: &BoundExpr) {
    let offset = if is_right { join.left.relation.columns.len() } else { 0 };
    let side = if is_right { &mut join.right } else { &mut join.left };
    let own = condition.substituted(&|place| column(&side.relation, place - offset));
    if side.relation.table().is_some() {
        side.conditions.push(own);
    } else {
        restrict_relation(&mut side.relation, &own);
    }
}

/// Hands what ON says of one side alone to that side: rows for which it does not hold match nothing.
pub(crate) fn hand_down_on(join: &mut JoinPlan, conditions: &[BoundExpr]) {
    if !matches!(join.kind, JoinKind::Plain | JoinKind::Semi | JoinKind::Anti) {
        return;
    }
    let offset = join.left.relation.columns.len();
    for condition in conditions.iter().filter(|condition| condition.is_pure()) {
        let places = places(condition);
        let is_right = places.iter().all(|place| *place >= offset);
        if places.is_empty() || (!is_right && !places.iter().all(|place| *place < offset)) {
            continue;
        }
        let only_matches = match (join.kind, join.side) {
            (_, JoinSide::Inner) => true,
            // What matches nothing comes out all the same, or is what comes out.
            (JoinKind::Semi, _) => true,
            (_, JoinSide::Left) => is_right,
            (_, JoinSide::Right) => !is_right,
            (_, JoinSide::Full) => false,
        };
        if only_matches {
            restrict_side(join, is_right, condition);
        }
    }
}

/// Hands the time that a column's rows can have to what makes them.
fn narrow_relation(relation: &mut Relation, place: usize, range: TimeRange) {
    match (&mut relation.origin, &relation.columns[place].source) {
        (Origin::Rows(RowsPlan::Query(query)), ColumnSource::Output(output)) => {
            if let Some(query) = Arc::get_mut(query) {
                narrow_query(query, *output, range);
            }
        }
        (Origin::Join(join), _) => {
            if let Some(join) = Arc::get_mut(join) {
                narrow_join(join, place, range);
            }
        }
        _ => {}
    }
}

fn narrow_query(query: &mut QueryPlan, place: usize, range: TimeRange) {
    if query.limit.is_some() || query.slimit.is_some() {
        return;
    }
    match &mut query.body {
        Body::Select(select) => {
            if let Some(select) = Arc::get_mut(select) {
                narrow_select(select, place, range);
            }
        }
        Body::Union { left, right, casts, .. } => {
            let same = casts[place].input_index() == Some(place);
            if let (Some(left), Some(right), true) = (Arc::get_mut(left), Arc::get_mut(right), same) {
                narrow_query(left, place, range);
                narrow_query(right, place, range);
            }
        }
    }
}

fn narrow_select(select: &mut SelectPlan, place: usize, range: TimeRange) {
    let Some(item) = select.items.get(place).and_then(BoundExpr::input_index).filter(|_| place < select.shown && select.fill.is_none()) else { return };
    let Some(timeline) = select.relation.timeline else { return };
    let rows = match &select.stage {
        Stage::Rows { .. } if select.inputs[item] == timeline => range,
        Stage::Aggregate(stage) if stage.columns[item] == StageColumn::WindowStart => match rows_of_windows(stage, range) {
            Some(rows) => rows,
            None => return,
        },
        _ => return,
    };
    // NULLs have no time; what is no table may have them.
    select.filter.range = select.filter.range.intersection(rows);
    narrow_relation(&mut select.relation, timeline, rows);
}

/// The time of rows in windows that start within a range, where windows can be looked at by themselves.
fn rows_of_windows(stage: &AggregatePlan, starts: TimeRange) -> Option<TimeRange> {
    let Some(WindowPlan::Interval(grid @ Grid::Fixed { .. })) = &stage.window else { return None };
    if stage.time_order || starts.is_empty() {
        return None;
    }
    let end = if starts.end == i64::MAX { i64::MAX } else { grid.end(grid.last_start(starts.end)) };
    Some(TimeRange::new(starts.start, end))
}

fn narrow_join(join: &mut JoinPlan, place: usize, range: TimeRange) {
    let offset = join.left.relation.columns.len();
    let is_right = place >= offset;
    let drives = match join.side {
        JoinSide::Right => is_right,
        _ => !is_right,
    };
    let plain = join.kind == JoinKind::Plain;
    // Of rows that were not matched the column is NULL, which no bound of time lets through.
    if !plain && !drives {
        return;
    }
    let timeline = |is_right: bool| if is_right { join.right.relation.timeline } else { join.left.relation.timeline };
    if timeline(is_right) != Some(if is_right { place - offset } else { place }) {
        return;
    }
    let is_plain_time = |is_right: bool| {
        let side = if is_right { &join.right } else { &join.left };
        side.time.input_index().is_some() && side.time.input_index() == side.relation.timeline
    };
    let same_times = matches!(join.time, TimeMatch::Equal)
        && matches!(join.kind, JoinKind::Plain | JoinKind::Semi | JoinKind::Anti)
        && is_plain_time(false)
        && is_plain_time(true)
        && join.left.time.precision() == join.right.time.precision();
    narrow_side(join, is_right, range);
    if same_times {
        narrow_side(join, !is_right, range);
    }
}

fn narrow_side(join: &mut JoinPlan, is_right: bool, range: TimeRange) {
    let side = if is_right { &mut join.right } else { &mut join.left };
    side.range = side.range.intersection(range);
    if let Some(timeline) = side.relation.timeline {
        narrow_relation(&mut side.relation, timeline, range);
    }
}

/// Lets what makes a relation's rows leave out the columns that are not needed.
fn prune_relation(relation: &mut Relation, mut needed: Vec<usize>) {
    needed.extend(relation.timeline);
    match &mut relation.origin {
        Origin::Rows(RowsPlan::Query(query)) => {
            let outputs: Vec<usize> = needed
                .iter()
                .filter_map(|place| if let ColumnSource::Output(output) = relation.columns[*place].source { Some(output) } else { None })
                .collect();
            if let Some(query) = Arc::get_mut(query) {
                prune_query(query, outputs);
            }
        }
        Origin::Join(join) => {
            let Some(join) = Arc::get_mut(join) else { return };
            if let Some(condition) = &join.condition {
                needed.extend(places(condition));
            }
            let offset = join.left.relation.columns.len();
            for (side, start) in [(&mut join.left, 0), (&mut join.right, offset)] {
                let width = side.relation.columns.len();
                let mut own: Vec<usize> = needed.iter().filter(|place| (start..start + width).contains(*place)).map(|place| place - start).collect();
                own.extend(side.keys.iter().chain([&side.time]).flat_map(places));
                if side.relation.table().is_none() {
                    prune_relation(&mut side.relation, own);
                }
            }
        }
        Origin::Nothing | Origin::Table(_) | Origin::Rows(RowsPlan::Batch { .. }) => {}
    }
}

fn prune_query(query: &mut QueryPlan, mut needed: Vec<usize>) {
    needed.extend(query.order.iter().map(|(place, _)| *place));
    match &mut query.body {
        Body::Select(select) => {
            if let Some(select) = Arc::get_mut(select) {
                prune_select(select, &needed);
            }
        }
        Body::Union { left, right, casts, all } => {
            let (Some(left), Some(right), true) = (Arc::get_mut(left), Arc::get_mut(right), *all) else { return };
            for (place, cast) in casts.iter_mut().enumerate().filter(|(place, _)| !needed.contains(place)) {
                debug_assert!(place < query.columns.len());
                *cast = BoundExpr::null(cast.data_type());
            }
            prune_query(left, needed.clone());
            prune_query(right, needed);
        }
    }
}

fn prune_select(select: &mut SelectPlan, needed: &[usize]) {
    if select.distinct || select.fill.is_some() {
        return;
    }
    for (place, item) in select.items.iter_mut().enumerate() {
        if !needed.contains(&place) && item.constant().is_none() {
            *item = BoundExpr::null(item.data_type());
        }
    }
    let mut used: Vec<usize> = Vec::new();
    select.items.iter().chain(&select.having).for_each(|expr| used.extend(places(expr)));
    if let Stage::Aggregate(stage) = &mut select.stage {
        prune_calls(stage, &used);
    }
    let read = select.read_inputs();
    let needed = select.inputs.iter().zip(read).filter(|(_, read)| *read).map(|(column, _)| *column).collect();
    prune_relation(&mut select.relation, needed);
}

/// Leaves out aggregates whose values nobody reads. The others see the rows in the order in which they would anyway: of equal times the first counts.
fn prune_calls(stage: &mut AggregatePlan, used: &[usize]) {
    if stage.many_rows || stage.carrier.is_some() {
        return;
    }
    let is_used = |call: usize| stage.columns.iter().enumerate().any(|(place, column)| *column == StageColumn::Call(call) && used.contains(&place));
    let mut kept: Vec<usize> = (0..stage.calls.len()).filter(|call| is_used(*call)).collect();
    if kept.is_empty() {
        kept.extend((!stage.calls.is_empty()).then_some(0));
    }
    if kept.len() == stage.calls.len() {
        return;
    }
    let calls = std::mem::take(&mut stage.calls);
    stage.calls = calls.into_iter().enumerate().filter(|(call, _)| kept.contains(call)).map(|(_, call)| call).collect();
    for column in &mut stage.columns {
        if let StageColumn::Call(call) = column {
            // What is left out is never read: any call stands for it.
            *call = kept.iter().position(|kept| kept == call).unwrap_or(0);
        }
    }
}
