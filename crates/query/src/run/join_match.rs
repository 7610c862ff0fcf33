//! Which rows of two chunks belong together: chunks that are in the order of time and hold all rows that can match each other.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use arrow_buffer::NullBuffer;
use embudo_sql::ast::query::{JoinKind, JoinSide};
use embudo_types::Result;
use rustc_hash::FxHashMap;

use super::block::{Batch, Block, evaluate_condition};
use crate::array::{NO_ROW, RowKeys, null_array, selected, take_or_null};
use crate::context::CancelToken;
use crate::memory::Reservation;
use crate::plan::{JoinPlan, TimeMatch};

/// Rows of a batch that comes out.
pub(super) const BATCH: usize = 4_096;

/// Rows of one side with their ticks and keys.
pub(super) struct Chunk {
    /// All columns of the relation; those not needed hold NULLs.
    pub block: Block,
    /// What matches in time.
    pub ticks: Vec<i64>,
    /// What must be equal.
    pub keys: Option<RowKeys>,
    /// Rows whose keys are all known; NULL is equal to nothing.
    pub known: Option<NullBuffer>,
}

impl Chunk {
    /// The keys of a row; none where one is NULL.
    pub(super) fn key(&self, row: usize) -> Option<&[u8]> {
        let is_known = self.known.as_ref().is_none_or(|known| known.is_valid(row));
        is_known.then(|| self.keys.as_ref().map_or(&[][..], |keys| keys.get(row)))
    }
}

/// What pairs may take, asked every so many of them, when it is also seen whether the query shall stop.
pub(super) struct Held {
    pub cancel: CancelToken,
    pub reservation: Reservation,
    /// Pairs that were asked for.
    pub pairs: usize,
}

impl Held {
    /// Pairs between two questions.
    const STEP: usize = 4_096;

    /// Lets go of all pairs.
    pub(super) fn clear(&mut self) {
        self.reservation.clear();
        self.pairs = 0;
    }

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
pub(super) type Pair = (u32, u32);

/// The rows of pairs. `driver`, in a WINDOW join, tells whether the right side drives, and the number of its chunk's first row.
pub(super) fn batch(left: &Chunk, right: &Chunk, pairs: &[Pair], types: &[arrow_schema::DataType], driver: Option<(bool, i64)>) -> Result<Batch> {
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
        columns.push(match driver {
            Some((right_drives, first)) if place == 0 => {
                let rows = if right_drives { &right_rows } else { &left_rows };
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| first + i64::from(*row))))
            }
            _ => null_array(data_type, pairs.len()),
        });
    }
    Ok(Batch { rows: pairs.len(), columns, groups: None })
}

/// Pairs whose timestamps and keys are equal and for which the condition holds, with what the kind of join makes of the others.
pub(super) fn equal(plan: &JoinPlan, left: &Chunk, right: &Chunk, held: &mut Held) -> Result<Vec<Pair>> {
    let (left_ticks, right_ticks) = (&left.ticks[..], &right.ticks[..]);
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
            if let Some(key) = right.key(row) {
                by_key.entry(key).or_default().push(row as u32);
            }
        }
        for row in l..left_end {
            let others = left.key(row).and_then(|key| by_key.get(key)).map_or(&[][..], Vec::as_slice);
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
pub(super) fn near(plan: &JoinPlan, driver: &Chunk, other: &Chunk, held: &mut Held) -> Result<Vec<Pair>> {
    let other_ticks = &other.ticks;
    let (time, nearest) = (time_of(plan), nearest(plan));
    let by_key = rows_by_key(other);
    let mut pairs = Vec::with_capacity(driver.block.rows);
    for (row, &tick) in driver.ticks.iter().enumerate() {
        let rows: &[u32] = driver.key(row).and_then(|key| by_key.get(key)).map_or(&[], Vec::as_slice);
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
    if plan.side == JoinSide::Right {
        for pair in &mut pairs {
            *pair = (pair.1, pair.0);
        }
    }
    Ok(pairs)
}

/// Rows of a chunk by their keys, in the order of time.
pub(super) fn rows_by_key(chunk: &Chunk) -> FxHashMap<&[u8], Vec<u32>> {
    let mut by_key: FxHashMap<&[u8], Vec<u32>> = FxHashMap::default();
    for row in 0..chunk.block.rows {
        if let Some(key) = chunk.key(row) {
            by_key.entry(key).or_default().push(row as u32);
        }
    }
    by_key
}

/// How the ticks of the side that is not driving match the driving side's.
pub(super) fn time_of(plan: &JoinPlan) -> TimeMatch {
    if plan.side == JoinSide::Right { mirrored(plan.time) } else { plan.time }
}

/// Matches of a driving row at most.
pub(super) fn nearest(plan: &JoinPlan) -> usize {
    plan.limit.unwrap_or(if plan.kind == JoinKind::Asof { 1 } else { usize::MAX })
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
