//! Which sources have rows when: visible stretches of the sources, and the windows of time in which the same of them take part.

use embudo_types::Result;

use super::piece::Part;
use crate::rows::TimeRange;
use crate::source::{SourceRef, Tombstone};

/// A stretch of a source that the request sees.
pub(super) struct Fragment {
    pub(super) source: SourceRef,
    /// The time of the stretch; rows of the source outside are hidden or not asked for.
    pub(super) range: TimeRange,
}

impl Fragment {
    /// Its rows within a window.
    pub(super) fn part(&self, window: TimeRange) -> Result<Part> {
        let source = &self.source;
        let range = self.range.intersection(window);
        let start = source.rows_before(range.start)?;
        let end = match range.end.checked_add(1) {
            Some(after) => source.rows_before(after)?,
            None => source.rows(),
        };
        Ok(Part { source: source.clone(), rows: start..end.max(start) })
    }
}

/// A stretch of time in which the same fragments take part.
pub(super) struct Window {
    pub(super) range: TimeRange,
    /// Places of the fragments, oldest source first.
    pub(super) members: Vec<usize>,
}

/// The visible stretches of the sources, still oldest source first. A stretch between tombstones may turn out to have no rows.
pub(super) fn fragments(sources: Vec<SourceRef>, tombstones: &[Tombstone], range: TimeRange) -> Vec<Fragment> {
    let mut fragments = Vec::with_capacity(sources.len());
    for source in sources {
        let visible = source.range().intersection(range);
        if visible.is_empty() {
            continue;
        }
        let newest = source.sequences().max;
        let mut stretches = vec![visible];
        for tombstone in tombstones.iter().filter(|tombstone| newest < tombstone.sequence && tombstone.range.overlaps(visible)) {
            stretches = stretches.into_iter().flat_map(|stretch| without(stretch, tombstone.range)).collect();
        }
        fragments.extend(stretches.into_iter().map(|range| Fragment { source: source.clone(), range }));
    }
    fragments
}

/// What of a range is outside another.
fn without(range: TimeRange, hole: TimeRange) -> impl Iterator<Item = TimeRange> {
    let before = if hole.start > range.start { Some(TimeRange::new(range.start, range.end.min(hole.start - 1))) } else { None };
    let after = if hole.end < range.end { Some(TimeRange::new(range.start.max(hole.end + 1), range.end)) } else { None };
    before.into_iter().chain(after)
}

/// The windows in order of time. They cut a fragment only where another begins or ends inside it.
pub(super) fn windows(fragments: &[Fragment]) -> Vec<Window> {
    let mut order: Vec<usize> = (0..fragments.len()).collect();
    order.sort_by_key(|fragment| fragments[*fragment].range.start);
    let mut windows = Vec::with_capacity(order.len());
    let mut coming = order.into_iter().peekable();
    let mut active: Vec<usize> = Vec::new();
    let mut from = i64::MIN;
    loop {
        if active.is_empty() {
            match coming.peek() {
                Some(next) => from = fragments[*next].range.start,
                None => return windows,
            }
        }
        while let Some(next) = coming.next_if(|next| fragments[*next].range.start <= from) {
            active.push(next);
        }
        active.sort_unstable();
        let ends = active.iter().map(|fragment| fragments[*fragment].range.end);
        let until = ends.chain(coming.peek().map(|next| fragments[*next].range.start - 1)).min().unwrap_or(i64::MAX);
        windows.push(Window { range: TimeRange::new(from, until), members: active.clone() });
        active.retain(|fragment| fragments[*fragment].range.end > until);
        from = until.saturating_add(1);
    }
}
