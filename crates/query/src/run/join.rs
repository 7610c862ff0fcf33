//! Joins: both sides in the order of time, matched by their timestamps, then by their keys.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use embudo_expr::BoundExpr;
use embudo_sql::ast::query::{JoinKind, JoinSide};
use embudo_types::{Precision, Result};
use rustc_hash::FxHashMap;

use super::block::{Batch, Batches, Block, evaluate_condition};
use super::relation::{ticks, whole};
use crate::QueryContext;
use crate::array::{NO_ROW, RowKeys, null_array, selected, take_or_null};
use crate::bind::relation::Relation;
use crate::context::CancelToken;
use crate::memory::Reservation;
use crate::plan::{JoinPlan, JoinSidePlan, TimeMatch};

/// Rows of a batch that comes out.
const BATCH: usize = 4_096;

/// Runs a join; its batches hold all columns of both sides, those not needed as NULLs.
pub(crate) fn run(plan: &Arc<JoinPlan>, relation: &Relation, inputs: &[usize], context: &Arc<QueryContext>) -> Result<Batches> {
    let offset = plan.left.relation.columns.len();
    let mut needed = inputs.to_vec();
    if let Some(condition) = &plan.condition {
        condition.visit_inputs(&mut |input| needed.push(input));
    }
    let of_left = needed.iter().copied().filter(|column| *column < offset);
    let of_right = needed.iter().filter(|column| **column >= offset).map(|column| column - offset);
    let left = Side::load(&plan.left, of_left, context)?;
    let right = Side::load(&plan.right, of_right.filter(|column| *column < plan.right.relation.columns.len()), context)?;
    let precision = plan.left.time.precision().min(plan.right.time.precision());
    let (left_ticks, right_ticks) = (left.ticks(&plan.left.time, precision)?, right.ticks(&plan.right.time, precision)?);
    let mut held = Held { cancel: context.cancel.clone(), reservation: Reservation::new(&context.memory), pairs: 0 };
    let pairs = match plan.kind {
        JoinKind::Asof | JoinKind::Window => near(plan, &left, &right, &left_ticks, &right_ticks, &mut held)?,
        _ => equal(plan, &left, &right, &left_ticks, &right_ticks, &mut held)?,
    };
    let types: Vec<arrow_schema::DataType> = relation.columns.iter().map(super::scan::arrow_type).collect();
    let driving_rows = (plan.kind == JoinKind::Window).then_some(plan.side == JoinSide::Right);
    let cancel = context.cancel.clone();
    let mut start = 0;
    Ok(Box::new(std::iter::from_fn(move || {
        let _held = &held;
        if start >= pairs.len() {
            return None;
        }
        let end = (start + BATCH).min(pairs.len());
        let chunk = &pairs[start..end];
        start = end;
        Some(cancel.check().and_then(|()| batch(&left, &right, chunk, &types, driving_rows)))
    })))
}

/// What pairs may take, asked every so many of them, when it is also seen whether the query shall stop.
struct Held {
    cancel: CancelToken,
    reservation: Reservation,
    /// Pairs that were asked for.
    pairs: usize,
}

impl Held {
    /// Pairs between two questions.
    const STEP: usize = 65_536;

    /// Sees that `pairs` pairs may be held: once as found, once sorted or filtered.
    fn make_room(&mut self, pairs: usize) -> Result<()> {
        while self.pairs < pairs {
            self.cancel.check()?;
            self.reservation.grow(2 * Self::STEP * size_of::<Pair>())?;
            self.pairs += Self::STEP;
        }
        Ok(())
    }
}

/// A pair of rows; one side is [`NO_ROW`] where it has no match.
type Pair = (u32, u32);

fn batch(left: &Side, right: &Side, pairs: &[Pair], types: &[arrow_schema::DataType], driving_rows: Option<bool>) -> Result<Batch> {
    let left_rows: Vec<u32> = pairs.iter().map(|pair| pair.0).collect();
    let right_rows: Vec<u32> = pairs.iter().map(|pair| pair.1).collect();
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(types.len());
    for array in &left.block.columns {
        columns.push(take_or_null(array, &left_rows)?);
    }
    for array in &right.block.columns {
        columns.push(take_or_null(array, &right_rows)?);
    }
    // Behind both sides stands, in a WINDOW join, the driving row's number; what is constant is made elsewhere.
    for (place, data_type) in types[columns.len().min(types.len())..].iter().enumerate() {
        columns.push(match driving_rows {
            Some(right_drives) if place == 0 => {
                let rows = if right_drives { &right_rows } else { &left_rows };
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| i64::from(*row))))
            }
            _ => null_array(data_type, pairs.len()),
        });
    }
    Ok(Batch { rows: pairs.len(), columns, groups: None })
}

/// One side's rows with their keys.
struct Side {
    block: Block,
    keys: Option<RowKeys>,
    _reservation: Reservation,
}

impl Side {
    fn load(plan: &JoinSidePlan, needed: impl Iterator<Item = usize>, context: &Arc<QueryContext>) -> Result<Self> {
        let mut needed: Vec<usize> = needed.collect();
        for expr in plan.keys.iter().chain([&plan.time]) {
            expr.visit_inputs(&mut |input| needed.push(input));
        }
        needed.sort_unstable();
        needed.dedup();
        let mut reservation = Reservation::new(&context.memory);
        let block = whole(&plan.relation, &needed, context, &mut reservation)?;
        let keys = if plan.keys.is_empty() {
            None
        } else {
            let arrays = plan.keys.iter().map(|key| key.evaluate(&block.columns, block.rows)).collect::<Result<Vec<_>>>()?;
            Some(RowKeys::encode(&arrays, &[], block.rows)?)
        };
        Ok(Self { block, keys, _reservation: reservation })
    }

    fn ticks(&self, time: &BoundExpr, precision: Precision) -> Result<Vec<i64>> {
        let array = time.evaluate(&self.block.columns, self.block.rows)?;
        Ok(ticks(&array).iter().map(|tick| time.precision().convert(*tick, precision)).collect())
    }

    fn key(&self, row: usize) -> &[u8] {
        self.keys.as_ref().map_or(&[], |keys| keys.get(row))
    }
}

/// Pairs whose timestamps and keys are equal and for which the condition holds, with what the kind of join makes of the others.
fn equal(plan: &JoinPlan, left: &Side, right: &Side, left_ticks: &[i64], right_ticks: &[i64], held: &mut Held) -> Result<Vec<Pair>> {
    let mut pairs: Vec<Pair> = Vec::new();
    let (mut l, mut r) = (0, 0);
    while l < left_ticks.len() && r < right_ticks.len() {
        match left_ticks[l].cmp(&right_ticks[r]) {
            Ordering::Less => {
                l += 1;
                continue;
            }
            Ordering::Greater => {
                r += 1;
                continue;
            }
            Ordering::Equal => {}
        }
        let tick = left_ticks[l];
        let left_end = l + left_ticks[l..].iter().take_while(|other| **other == tick).count();
        let right_end = r + right_ticks[r..].iter().take_while(|other| **other == tick).count();
        let mut by_key: FxHashMap<&[u8], Vec<u32>> = FxHashMap::default();
        for row in r..right_end {
            by_key.entry(right.key(row)).or_default().push(row as u32);
        }
        for row in l..left_end {
            let others = by_key.get(left.key(row)).map_or(&[][..], Vec::as_slice);
            held.make_room(pairs.len() + others.len())?;
            pairs.extend(others.iter().map(|other| (row as u32, *other)));
        }
        (l, r) = (left_end, right_end);
    }
    if let Some(condition) = &plan.condition {
        let mut kept = Vec::with_capacity(pairs.len());
        for chunk in pairs.chunks(BATCH) {
            held.cancel.check()?;
            let batch = batch(left, right, chunk, &[], None)?;
            match selected(&evaluate_condition(condition, &batch.columns, batch.rows)?) {
                None => kept.extend_from_slice(chunk),
                Some(rows) => kept.extend(rows.iter().map(|row| chunk[*row as usize])),
            }
        }
        pairs = kept;
    }
    Ok(outcome(plan, pairs, left_ticks, right_ticks))
}

fn outcome(plan: &JoinPlan, pairs: Vec<Pair>, left_ticks: &[i64], right_ticks: &[i64]) -> Vec<Pair> {
    let matched = |rows: usize, side: fn(&Pair) -> u32| {
        let mut matched = vec![false; rows];
        for pair in &pairs {
            matched[side(pair) as usize] = true;
        }
        matched
    };
    let unmatched = |matched: Vec<bool>| matched.into_iter().enumerate().filter(|(_, matched)| !matched).map(|(row, _)| row as u32);
    let lonely_left = || unmatched(matched(left_ticks.len(), |pair| pair.0)).map(|row| (row, NO_ROW));
    let lonely_right = || unmatched(matched(right_ticks.len(), |pair| pair.1)).map(|row| (NO_ROW, row));
    match (plan.kind, plan.side) {
        (JoinKind::Semi, JoinSide::Right) => {
            let mut pairs = pairs;
            pairs.sort_by_key(|pair| pair.1);
            pairs.dedup_by_key(|pair| pair.1);
            pairs
        }
        (JoinKind::Semi, _) => {
            let mut pairs = pairs;
            pairs.dedup_by_key(|pair| pair.0);
            pairs
        }
        (JoinKind::Anti, JoinSide::Right) => lonely_right().collect(),
        (JoinKind::Anti, _) => lonely_left().collect(),
        (_, JoinSide::Inner) => pairs,
        (_, JoinSide::Left) => {
            let lonely: Vec<Pair> = lonely_left().collect();
            let mut all = pairs;
            all.extend(lonely);
            all.sort_by_key(|pair| pair.0);
            all
        }
        (_, JoinSide::Right) => {
            let lonely: Vec<Pair> = lonely_right().collect();
            let mut all = pairs;
            all.extend(lonely);
            all.sort_by_key(|pair| pair.1);
            all
        }
        (_, JoinSide::Full) => {
            let (lonely_left, lonely_right): (Vec<Pair>, Vec<Pair>) = (lonely_left().collect(), lonely_right().collect());
            let mut all = pairs;
            all.extend(lonely_left);
            all.extend(lonely_right);
            all.sort_by_key(|pair| if pair.0 == NO_ROW { right_ticks[pair.1 as usize] } else { left_ticks[pair.0 as usize] });
            all
        }
    }
}

/// ASOF and WINDOW: for each row of the driving side, rows of the other near it in time with the same keys.
fn near(plan: &JoinPlan, left: &Side, right: &Side, left_ticks: &[i64], right_ticks: &[i64], held: &mut Held) -> Result<Vec<Pair>> {
    let drives_right = plan.side == JoinSide::Right;
    let (driver, other, driver_ticks, other_ticks) = if drives_right { (right, left, right_ticks, left_ticks) } else { (left, right, left_ticks, right_ticks) };
    let time = if drives_right { mirrored(plan.time) } else { plan.time };
    let mut by_key: FxHashMap<&[u8], Vec<u32>> = FxHashMap::default();
    for row in 0..other.block.rows {
        by_key.entry(other.key(row)).or_default().push(row as u32);
    }
    let nearest = plan.limit.unwrap_or(if plan.kind == JoinKind::Asof { 1 } else { usize::MAX });
    let mut pairs = Vec::with_capacity(driver.block.rows);
    for (row, &tick) in driver_ticks.iter().enumerate() {
        let rows: &[u32] = by_key.get(driver.key(row)).map_or(&[], Vec::as_slice);
        let before = |limit: i64| rows.partition_point(|other| other_ticks[*other as usize] < limit);
        let upto = |limit: i64| rows.partition_point(|other| other_ticks[*other as usize] <= limit);
        let range = match time {
            TimeMatch::AtOrBefore => last(0, upto(tick), nearest),
            TimeMatch::Before => last(0, before(tick), nearest),
            TimeMatch::AtOrAfter => first(before(tick), rows.len(), nearest),
            TimeMatch::After => first(upto(tick), rows.len(), nearest),
            TimeMatch::Equal => first(before(tick), upto(tick), nearest),
            TimeMatch::Within(from, to) => first(before(tick.saturating_add(from)), upto(tick.saturating_add(to)), nearest),
        };
        held.make_room(pairs.len() + range.len() + 1)?;
        let mut found = false;
        for other in &rows[range] {
            found = true;
            pairs.push((row as u32, *other));
        }
        if !found {
            pairs.push((row as u32, NO_ROW));
        }
    }
    if drives_right {
        for pair in &mut pairs {
            *pair = (pair.1, pair.0);
        }
    }
    Ok(pairs)
}

fn last(start: usize, end: usize, most: usize) -> std::ops::Range<usize> {
    start.max(end.saturating_sub(most)).min(end)..end
}

fn first(start: usize, end: usize, most: usize) -> std::ops::Range<usize> {
    let end = end.max(start);
    start..end.min(start.saturating_add(most))
}

fn mirrored(time: TimeMatch) -> TimeMatch {
    match time {
        TimeMatch::AtOrBefore => TimeMatch::AtOrAfter,
        TimeMatch::Before => TimeMatch::After,
        TimeMatch::AtOrAfter => TimeMatch::AtOrBefore,
        TimeMatch::After => TimeMatch::Before,
        other => other,
    }
}
