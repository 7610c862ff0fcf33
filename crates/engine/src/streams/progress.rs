//! What a stream has to do yet: which windows rows have touched, and when they may be written. Knows no tables and runs no query.

use std::collections::BTreeMap;

use embudo_catalog::{GroupProgress, PendingWindows, StreamProgress, WrittenWindow};
use embudo_query::WindowGrid;
use embudo_storage::{Sequence, Uid};

/// Windows whose place hangs on the rows that are remembered of a table: the newest ones, which rows that come may still change.
const WRITTEN_WINDOWS: usize = 4;
/// More ranges of a group than this become one, which computes more than needed and nothing wrong.
const MOST_RANGES: usize = 1_024;
/// Rows of a statement that are computed each for itself; more of them together, with what lies between.
const FEW_ROWS: usize = 16;

/// When windows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trigger {
    /// With every row.
    AtOnce,
    /// Once the time that rows have reached passes their end.
    Close,
    /// The same, or so many milliseconds after their first row came.
    Delay(i64),
}

/// Windows of one group that are to be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    /// The table; 0 for all of them together.
    pub table: Uid,
    /// The first window's start.
    pub first: i64,
    /// The last window's start.
    pub last: i64,
    /// Rows were deleted: what is there of these windows goes first.
    pub emptied: bool,
}

/// Where windows lie.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    /// INTERVAL: on a grid.
    Grid(WindowGrid),
    /// SESSION, `STATE_WINDOW`, `EVENT_WINDOW`, `COUNT_WINDOW`: where the rows say. A row may still join a window so many ticks after its end.
    Floating(i64),
    /// No windows: every row for itself.
    Rows,
}

/// How a stream decides.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub trigger: Trigger,
    pub shape: Shape,
    /// Ticks that time stays behind the highest one seen.
    pub watermark: i64,
    /// Rows of windows that time has passed are dropped.
    pub ignore_expired: bool,
}

/// The state of a stream.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub next: Sequence,
    pub(super) seen: Option<(i64, i64)>,
    groups: BTreeMap<Uid, Group>,
}

#[derive(Clone, Debug, Default)]
struct Group {
    /// By first start; they neither overlap nor touch the same window.
    pending: BTreeMap<i64, PendingWindows>,
    written: Vec<WrittenWindow>,
    last: Option<i64>,
}

impl Rules {
    /// The windows that a tick may lie in, as first and last start.
    fn windows_of(&self, tick: i64) -> (i64, i64) {
        match &self.shape {
            Shape::Grid(grid) => (grid.first_start(tick), grid.last_start(tick)),
            Shape::Floating(_) | Shape::Rows => (tick, tick),
        }
    }

    /// First tick at which a window, by its start, is over; of floating windows, at which a row of that time is.
    fn end(&self, start: i64) -> i64 {
        match &self.shape {
            Shape::Grid(grid) => grid.end(start),
            Shape::Floating(gap) => start.saturating_add(*gap).saturating_add(1),
            Shape::Rows => i64::MAX,
        }
    }
}

impl Progress {
    pub fn restore(saved: StreamProgress) -> Self {
        let groups = saved.groups.into_iter().map(|group| {
            let pending = group.pending.into_iter().map(|windows| (windows.first, windows)).collect();
            (group.table, Group { pending, written: group.written, last: group.last })
        });
        Self { next: saved.next, seen: saved.seen, groups: groups.collect() }
    }

    pub fn save(&self) -> StreamProgress {
        let groups = self.groups.iter().filter(|(_, group)| !group.pending.is_empty() || !group.written.is_empty() || group.last.is_some());
        let groups = groups.map(|(table, group)| GroupProgress {
            table: *table,
            pending: group.pending.values().copied().collect(),
            written: group.written.clone(),
            last: group.last,
        });
        StreamProgress { next: self.next, seen: self.seen, groups: groups.collect() }
    }

    /// The time that rows have reached: windows that end at or before it are over.
    pub fn time(&self, rules: &Rules) -> Option<i64> {
        self.seen.map(|(_, highest)| highest.saturating_sub(rules.watermark))
    }

    /// Rows of a table, in runs of ticks as they were written by one statement. Time moves on only by [`advance`](Self::advance), so that
    /// a statement's own rows never expire each other.
    pub fn touch(&mut self, rules: &Rules, table: Uid, ticks: &[i64], now: i64) {
        let time = self.time(rules);
        let group = self.groups.entry(table).or_default();
        if matches!(rules.shape, Shape::Rows) && ticks.len() > FEW_ROWS {
            let ends = ticks.iter().copied().min().zip(ticks.iter().copied().max());
            if let Some((first, last)) = ends {
                group.add(PendingWindows { first, last, since: now, emptied: false });
            }
            return;
        }
        let mut covered: Option<(i64, i64)> = None;
        for tick in ticks {
            let (mut first, last) = rules.windows_of(*tick);
            if let (true, Some(time), Shape::Grid(grid)) = (rules.ignore_expired, time, &rules.shape) {
                while first <= last && grid.end(first) <= time {
                    let next = grid.next_start(first);
                    if next <= first {
                        break;
                    }
                    first = next;
                }
                if first > last || grid.end(first) <= time {
                    continue;
                }
            } else if rules.ignore_expired && time.is_some_and(|time| rules.end(first) <= time) {
                continue;
            }
            if covered.is_some_and(|(from, to)| from <= first && last <= to) {
                continue;
            }
            covered = Some((first, last));
            group.add(PendingWindows { first, last, since: now, emptied: false });
        }
    }

    /// Rows of a table in a closed range are gone.
    pub fn touch_range(&mut self, rules: &Rules, table: Uid, start: i64, end: i64, now: i64) {
        let Some((lowest, highest)) = self.seen else { return };
        let (start, end) = (start.max(lowest), end.min(highest));
        if start > end {
            return;
        }
        let (mut first, last) = (rules.windows_of(start).0, rules.windows_of(end).1);
        if let (true, Some(time), Shape::Grid(grid)) = (rules.ignore_expired, self.time(rules), &rules.shape) {
            let open = grid.first_start(time);
            first = first.max(open);
        }
        if first <= last {
            self.groups.entry(table).or_default().add(PendingWindows { first, last, since: now, emptied: true });
        }
    }

    /// Time that rows have.
    pub fn advance(&mut self, lowest: i64, highest: i64) {
        self.seen = Some(self.seen.map_or((lowest, highest), |(low, high)| (low.min(lowest), high.max(highest))));
    }

    /// Everything between two times has to be computed again; `emptied` where rows may be gone from it.
    pub fn touch_all(&mut self, rules: &Rules, table: Uid, lowest: i64, highest: i64, now: i64, emptied: bool) {
        self.advance(lowest, highest);
        let (first, last) = (rules.windows_of(lowest).0, rules.windows_of(highest).1);
        self.groups.entry(table).or_default().add(PendingWindows { first, last, since: now, emptied });
    }

    /// Takes what is to be written now out of what is pending; `now` in milliseconds. Floating windows are only known once they are
    /// computed, so that all of them are due, and those that must wait are given back by [`keep`](Self::keep).
    pub fn take_due(&mut self, rules: &Rules, now: i64) -> Vec<Due> {
        let time = self.time(rules);
        let mut due = Vec::new();
        for (table, group) in &mut self.groups {
            let pending = std::mem::take(&mut group.pending);
            for windows in pending.into_values() {
                let is_late = matches!(rules.trigger, Trigger::Delay(delay) if now.saturating_sub(windows.since) >= delay);
                let all = rules.trigger == Trigger::AtOnce || is_late || matches!(rules.shape, Shape::Rows);
                match &rules.shape {
                    _ if all => due.push(Due { table: *table, first: windows.first, last: windows.last, emptied: windows.emptied }),
                    Shape::Grid(grid) => {
                        let over = time.and_then(|time| last_over(grid, windows, time));
                        if let Some(over) = over {
                            due.push(Due { table: *table, first: windows.first, last: over, emptied: windows.emptied });
                        }
                        let rest = over.map_or(windows.first, |over| grid.next_start(over));
                        if rest <= windows.last {
                            group.add(PendingWindows { first: rest, ..windows });
                        }
                    }
                    // Nothing can be over before time has passed the first row.
                    _ if time.is_some_and(|time| rules.end(windows.first) <= time) => {
                        due.push(Due { table: *table, first: windows.first, last: windows.last, emptied: windows.emptied });
                    }
                    _ => group.add(windows),
                }
            }
        }
        due
    }

    /// Milliseconds since 1970 at which the next windows are due by their delay.
    pub fn next_delay(&self, rules: &Rules) -> Option<i64> {
        let Trigger::Delay(delay) = rules.trigger else { return None };
        let since = self.groups.values().flat_map(|group| group.pending.values()).map(|windows| windows.since).min();
        since.map(|since| since.saturating_add(delay))
    }

    /// Gives windows back that could not be written yet.
    pub fn keep(&mut self, table: Uid, first: i64, last: i64, now: i64) {
        self.groups.entry(table).or_default().add(PendingWindows { first, last, since: now, emptied: false });
    }

    /// Start of the newest window of a group that was written.
    pub fn last_written(&self, table: Uid) -> Option<i64> {
        self.groups.get(&table).and_then(|group| group.last)
    }

    /// Notes the newest window of a group.
    pub fn note_written(&mut self, table: Uid, start: i64) {
        let last = &mut self.groups.entry(table).or_default().last;
        *last = Some(last.map_or(start, |last| last.max(start)));
    }

    /// Where computing floating windows again has to begin for a change at `tick`: the window before the first one that reaches it, since
    /// a row may join the two. `None` for the beginning of time.
    pub fn restart(&self, table: Uid, tick: i64) -> Option<i64> {
        let written = &self.groups.get(&table)?.written;
        // Windows of counts may overlap.
        let reaching = written.iter().position(|window| window.start <= tick && window.end >= tick);
        let found = reaching.or_else(|| written.iter().rposition(|window| window.start <= tick))?;
        Some(written.get(found.checked_sub(1)?)?.start)
    }

    /// Replaces the remembered windows of a table from `from` on and gives the output times of those that are no more.
    pub fn replace_written(&mut self, table: Uid, from: i64, windows: &[WrittenWindow]) -> Vec<i64> {
        let written = &mut self.groups.entry(table).or_default().written;
        let kept = written.iter().position(|window| window.start >= from).unwrap_or(written.len());
        let before = written.split_off(kept);
        let gone = before.iter().filter(|old| !windows.iter().any(|new| new.output == old.output)).map(|old| old.output).collect();
        written.extend_from_slice(windows);
        let surplus = written.len().saturating_sub(WRITTEN_WINDOWS);
        written.drain(..surplus);
        gone
    }

    /// Forgets a table that was dropped.
    pub fn forget(&mut self, table: Uid) {
        self.groups.remove(&table);
    }
}

/// The last of some windows that is over at a time.
fn last_over(grid: &WindowGrid, windows: PendingWindows, time: i64) -> Option<i64> {
    // The latest window that could contain the tick before `time` and all before it are over, if they end by then.
    let mut last = windows.last.min(grid.last_start(time.saturating_sub(1)));
    while last >= windows.first && grid.end(last) > time {
        let before = grid.last_start(last.saturating_sub(1));
        if before >= last {
            return None;
        }
        last = before;
    }
    (last >= windows.first).then_some(last)
}

impl Group {
    /// Adds windows; ranges that overlap become one.
    fn add(&mut self, mut windows: PendingWindows) {
        while let Some((key, before)) = self.pending.range(..=windows.last).next_back().map(|(key, before)| (*key, *before)) {
            if before.last < windows.first {
                break;
            }
            self.pending.remove(&key);
            windows = PendingWindows {
                first: windows.first.min(before.first),
                last: windows.last.max(before.last),
                since: windows.since.min(before.since),
                emptied: windows.emptied || before.emptied,
            };
        }
        self.pending.insert(windows.first, windows);
        if self.pending.len() > MOST_RANGES {
            let all = self.pending.values().copied().reduce(|left, right| PendingWindows {
                first: left.first.min(right.first),
                last: left.last.max(right.last),
                since: left.since.min(right.since),
                emptied: left.emptied || right.emptied,
            });
            self.pending.clear();
            self.pending.extend(all.map(|all| (all.first, all)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use embudo_query::interval_grid;
    use embudo_sql::ast::query::WindowDuration;

    fn rules(length: i64, step: i64, trigger: Trigger) -> Rules {
        let grid = interval_grid(WindowDuration::Ticks(length), None, Some(WindowDuration::Ticks(step)), &embudo_expr::BindContext::default()).unwrap();
        Rules { trigger, shape: Shape::Grid(grid), watermark: 0, ignore_expired: true }
    }

    fn touch(progress: &mut Progress, rules: &Rules, ticks: &[i64]) {
        progress.touch(rules, 1, ticks, 0);
        progress.advance(*ticks.iter().min().unwrap(), *ticks.iter().max().unwrap());
    }

    fn due(progress: &mut Progress, rules: &Rules) -> Vec<(i64, i64)> {
        progress.take_due(rules, 0).into_iter().map(|due| (due.first, due.last)).collect()
    }

    #[test]
    fn windows_close_when_time_passes_them() {
        let rules = rules(10, 10, Trigger::Close);
        let mut progress = Progress::default();
        touch(&mut progress, &rules, &[1, 5, 12]);
        assert_eq!(due(&mut progress, &rules), [(0, 0)]);
        touch(&mut progress, &rules, &[3, 19]);
        assert_eq!(due(&mut progress, &rules), [], "a row that is too late is dropped");
        touch(&mut progress, &rules, &[40]);
        assert_eq!(due(&mut progress, &rules), [(10, 10)]);
        assert_eq!(Progress::restore(progress.save()).save(), progress.save());
    }

    #[test]
    fn overlapping_windows_are_all_touched() {
        let rules = rules(10, 5, Trigger::AtOnce);
        let mut progress = Progress::default();
        touch(&mut progress, &rules, &[12]);
        assert_eq!(due(&mut progress, &rules), [(5, 10)]);
        touch(&mut progress, &rules, &[16, 11]);
        assert_eq!(due(&mut progress, &rules), [(5, 15)]);
        assert!(due(&mut progress, &rules).is_empty());
    }

    #[test]
    fn late_windows_are_written_after_their_delay() {
        let rules = rules(10, 10, Trigger::Delay(500));
        let mut progress = Progress::default();
        touch(&mut progress, &rules, &[1]);
        assert!(progress.take_due(&rules, 499).is_empty());
        assert_eq!(progress.next_delay(&rules), Some(500));
        assert_eq!(progress.take_due(&rules, 500).len(), 1);
        assert_eq!(progress.next_delay(&rules), None);
    }

    #[test]
    fn floating_windows_begin_again_where_a_row_can_touch_them() {
        let mut progress = Progress::default();
        let window = |start, end| WrittenWindow { start, end, output: start };
        assert_eq!(progress.replace_written(1, i64::MIN, &[window(0, 5), window(10, 12), window(20, 22)]), Vec::<i64>::new());
        assert_eq!(progress.restart(1, 25), Some(10));
        assert_eq!(progress.restart(1, 13), Some(0));
        assert_eq!(progress.restart(1, 3), None);
        assert_eq!(progress.replace_written(1, 10, &[window(10, 22)]), [20], "two became one");
    }
}
