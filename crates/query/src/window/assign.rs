//! Which rows of a block fall into which windows, partition by partition in the order of time.

use std::ops::Range;

use arrow_array::{Array, ArrayRef, BooleanArray};
use embudo_expr::aggregate::Run;
use embudo_storage::TimeRange;
use embudo_types::Result;
use rustc_hash::FxHashMap;

use crate::array::RowKeys;
use crate::plan::WindowPlan;
use crate::run::block::{Block, evaluate_condition};
use crate::run::merge::gallop;

/// A group: one window of one partition, or the whole partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// The partition.
    pub partition: u32,
    /// Orders the windows of a partition: the start of INTERVAL's, else a running number.
    pub window: i64,
    /// `_wstart`.
    pub start: i64,
    /// `_wend`.
    pub end: i64,
    /// An event window that has not ended; it does not come out.
    pub open: bool,
}

/// Groups by number, found by partition and window.
#[derive(Default)]
pub(crate) struct Groups {
    list: Vec<Group>,
    numbers: FxHashMap<(u32, i64), u32>,
    last: usize,
}

impl Groups {
    /// All groups.
    pub(crate) fn list(&self) -> &[Group] {
        &self.list
    }

    /// The group's number; new ones get the next.
    pub(crate) fn number(&mut self, partition: u32, window: i64, bounds: impl FnOnce() -> (i64, i64)) -> u32 {
        // Windows mostly come again or in the order in which an earlier table made them.
        for guess in [self.last, self.last + 1] {
            if let Some(group) = self.list.get(guess)
                && group.partition == partition
                && group.window == window
            {
                self.last = guess;
                return guess as u32;
            }
        }
        let next = self.list.len() as u32;
        let number = *self.numbers.entry((partition, window)).or_insert(next);
        if number == next {
            let (start, end) = bounds();
            self.list.push(Group { partition, window, start, end, open: false });
        }
        self.last = number as usize;
        number
    }

    /// Changes a group.
    pub(crate) fn get_mut(&mut self, number: u32) -> &mut Group {
        &mut self.list[number as usize]
    }

    /// Forgets that a group's window may be found again.
    pub(crate) fn clear_open(&mut self, number: u32) {
        self.list[number as usize].open = false;
    }
}

/// What is known of a partition between blocks.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// Rows so far.
    rows: u64,
    /// Windows so far.
    windows: i64,
    /// The window that goes on.
    current: Option<u32>,
    /// The last window opened.
    opened: Option<u32>,
    /// Time of the last row.
    last: i64,
    /// State of the window that goes on.
    state: Vec<u8>,
}

/// Assigns rows to windows.
pub(crate) struct Assigner {
    progress: Vec<Progress>,
    state: Option<(ArrayRef, RowKeys)>,
    events: Option<(BooleanArray, BooleanArray)>,
    /// Windows of INTERVAL that start elsewhere are left out.
    starts: TimeRange,
}

impl Assigner {
    /// Nothing seen yet; windows of INTERVAL are those that start in a range.
    pub(crate) fn new(starts: TimeRange) -> Self {
        Self { progress: Vec::new(), state: None, events: None, starts }
    }

    /// Where windows of INTERVAL start.
    pub(crate) fn starts(&self) -> TimeRange {
        self.starts
    }

    /// Evaluates what the window clause says of the block's rows.
    pub(crate) fn prepare(&mut self, window: Option<&WindowPlan>, block: &Block) -> Result<()> {
        match window {
            Some(WindowPlan::State(expr)) => {
                let array = expr.evaluate(&block.columns, block.rows)?;
                let keys = RowKeys::encode(std::slice::from_ref(&array), &[], block.rows)?;
                self.state = Some((array, keys));
            }
            Some(WindowPlan::Event { start, end }) => {
                self.events = Some((evaluate_condition(start, &block.columns, block.rows)?, evaluate_condition(end, &block.columns, block.rows)?));
            }
            _ => {}
        }
        Ok(())
    }

    /// Rows of the block, all of one partition, as runs of groups.
    pub(crate) fn assign(&mut self, window: Option<&WindowPlan>, partition: u32, rows: Range<usize>, ticks: &[i64], groups: &mut Groups, runs: &mut Vec<Run>) {
        let Range { start, end } = rows;
        let window = match window {
            None => {
                let group = groups.number(partition, 0, || (0, 0));
                push(runs, group, start, end);
                return;
            }
            Some(WindowPlan::Interval(grid)) => {
                if grid.is_tumbling() {
                    let mut row = start;
                    let mut closed: Option<i64> = None;
                    while row < end {
                        // Mostly the window that follows, which asks no calendar.
                        let following = closed.filter(|&closed| closed <= ticks[row] && ticks[row] < grid.end(closed));
                        let opens = following.unwrap_or_else(|| grid.last_start(ticks[row]));
                        let closes = grid.end(opens);
                        closed = Some(closes);
                        let next = gallop(row + 1, end, |at| ticks[at] < closes);
                        if self.starts.contains(opens) {
                            let group = groups.number(partition, opens, || grid.shown(opens, ticks[row]));
                            push(runs, group, row, next);
                        }
                        row = next;
                    }
                    return;
                }
                let mut opens = grid.first_start(ticks[start]);
                let (mut first, mut last) = (start, start);
                while opens <= ticks[end - 1] {
                    let closes = grid.end(opens);
                    first = gallop(first, end, |at| ticks[at] < opens);
                    last = gallop(last.max(first), end, |at| ticks[at] < closes);
                    if first < last {
                        if self.starts.contains(opens) {
                            let group = groups.number(partition, opens, || (opens, closes));
                            push(runs, group, first, last);
                        }
                        opens = grid.next_start(opens);
                    } else {
                        // Nothing here: on to the first window of the next row.
                        opens = grid.first_start(ticks[first]).max(grid.next_start(opens));
                    }
                }
                return;
            }
            Some(window) => window,
        };
        if self.progress.len() <= partition as usize {
            self.progress.resize(partition as usize + 1, Progress::default());
        }
        let progress = &mut self.progress[partition as usize];
        match (window, &self.state, &self.events) {
            (WindowPlan::Session { gap }, ..) => sessions(*gap, progress, partition, start..end, ticks, groups, runs),
            (WindowPlan::State(_), Some(state), _) => states(state, progress, partition, start..end, ticks, groups, runs),
            (WindowPlan::Event { .. }, _, Some(events)) => self::events(events, progress, partition, start..end, ticks, groups, runs),
            (WindowPlan::Count { count, step }, ..) => counts((*count, *step), progress, partition, start..end, ticks, groups, runs),
            _ => {}
        }
        progress.rows += (end - start) as u64;
        progress.last = ticks[end - 1];
    }

    /// After the last row, as recorded for states: rows with NULL stretch the window that is open at the end, and a partition
    /// without any other row gives one empty window.
    pub(crate) fn finish(&self, window: Option<&WindowPlan>, groups: &mut Groups) {
        if !matches!(window, Some(WindowPlan::State(_))) {
            return;
        }
        for (partition, progress) in self.progress.iter().enumerate() {
            match progress.current {
                Some(group) => groups.get_mut(group).end = progress.last,
                None if progress.rows > 0 => {
                    groups.number(partition as u32, 0, || (0, 0));
                }
                None => {}
            }
        }
    }
}

fn push(runs: &mut Vec<Run>, group: u32, start: usize, end: usize) {
    runs.push(Run { group, start: start as u32, end: end as u32 });
}

/// Opens the partition's next window at a tick. Windows are known by their start: rows of several tables at one time cannot make two.
fn open(progress: &mut Progress, partition: u32, tick: i64, groups: &mut Groups) -> u32 {
    let group = match progress.opened {
        Some(group) if groups.list()[group as usize].start == tick => group,
        _ => {
            let window = progress.windows;
            progress.windows += 1;
            groups.number(partition, window, || (tick, tick))
        }
    };
    progress.opened = Some(group);
    progress.current = Some(group);
    group
}

fn sessions(gap: i64, progress: &mut Progress, partition: u32, rows: Range<usize>, ticks: &[i64], groups: &mut Groups, runs: &mut Vec<Run>) {
    let Range { start, end } = rows;
    let mut row = start;
    while row < end {
        let before = if row == start { progress.last } else { ticks[row - 1] };
        let group = match progress.current {
            Some(group) if ticks[row].saturating_sub(before) <= gap => group,
            _ => open(progress, partition, ticks[row], groups),
        };
        let mut next = row + 1;
        while next < end && ticks[next].saturating_sub(ticks[next - 1]) <= gap {
            next += 1;
        }
        groups.get_mut(group).end = ticks[next - 1];
        push(runs, group, row, next);
        row = next;
    }
}

fn states(
    (array, keys): &(ArrayRef, RowKeys),
    progress: &mut Progress,
    partition: u32,
    rows: Range<usize>,
    ticks: &[i64],
    groups: &mut Groups,
    runs: &mut Vec<Run>,
) {
    let Range { start, end } = rows;
    let nulls = array.logical_nulls();
    let is_null = |row: usize| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    let mut row = start;
    while row < end {
        if is_null(row) {
            row += 1;
            continue;
        }
        let state = keys.get(row);
        let group = match progress.current {
            Some(group) if progress.state == state => group,
            _ => {
                progress.state.clear();
                progress.state.extend_from_slice(state);
                open(progress, partition, ticks[row], groups)
            }
        };
        let mut next = row + 1;
        while next < end && !is_null(next) && keys.get(next) == state {
            next += 1;
        }
        groups.get_mut(group).end = ticks[next - 1];
        push(runs, group, row, next);
        row = next;
    }
}

fn events(
    (opens, closes): &(BooleanArray, BooleanArray),
    progress: &mut Progress,
    partition: u32,
    rows: Range<usize>,
    ticks: &[i64],
    groups: &mut Groups,
    runs: &mut Vec<Run>,
) {
    let Range { start, end } = rows;
    let is_true = |array: &BooleanArray, row: usize| array.is_valid(row) && array.value(row);
    let mut row = start;
    while row < end {
        let group = match progress.current {
            Some(group) => group,
            None if is_true(opens, row) => {
                let group = open(progress, partition, ticks[row], groups);
                groups.get_mut(group).open = true;
                group
            }
            None => {
                row += 1;
                continue;
            }
        };
        let mut next = row;
        while next < end && !is_true(closes, next) {
            next += 1;
        }
        let closed = next < end;
        let next = (next + 1).min(end);
        groups.get_mut(group).end = ticks[next - 1];
        push(runs, group, row, next);
        if closed {
            groups.clear_open(group);
            progress.current = None;
        }
        row = next;
    }
}

fn counts((count, step): (u64, u64), progress: &mut Progress, partition: u32, rows: Range<usize>, ticks: &[i64], groups: &mut Groups, runs: &mut Vec<Run>) {
    let Range { start, end } = rows;
    let (first, after) = (progress.rows, progress.rows + (end - start) as u64);
    // Windows k cover rows k * step up to k * step + count.
    let mut window = if first < count { 0 } else { (first - count) / step + 1 };
    while window * step < after {
        let from = (window * step).max(first);
        let to = (window * step + count).min(after);
        if from < to {
            let (from, to) = (start + (from - first) as usize, start + (to - first) as usize);
            let group = groups.number(partition, window as i64, || (ticks[from], ticks[from]));
            groups.get_mut(group).end = ticks[to - 1];
            push(runs, group, from, to);
        }
        window += 1;
    }
}
