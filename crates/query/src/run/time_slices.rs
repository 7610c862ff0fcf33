//! Slices of time in which very many children are merged one after another, since each keeps a block of its own open while it takes part.

use embudo_storage::TimeRange;

/// Children up to which each keeps a whole block open.
pub(super) const CURSORS: usize = 1_024;
/// Rows that all children of a larger merge keep open.
const OPEN_ROWS: u64 = 1 << 20;
/// Rows of a child in a slice, at least: opening its next slice must not cost more than its rows.
const LEAST_ROWS: u64 = 256;

/// Slices, at most.
const MOST_SLICES: u64 = 1 << 16;

/// What is known of some of the children that are to be merged.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    pub(super) children: u64,
    pub(super) rows: u64,
    /// From their first row to their last.
    pub(super) range: Option<TimeRange>,
}

impl Sample {
    /// Adds rows of a child.
    pub(super) fn add(&mut self, rows: usize, range: TimeRange) {
        self.rows += rows as u64;
        self.range = Some(self.range.map_or(range, |known| known.union(range)));
    }
}

/// Slices that together are `whole`, in order, each with so few rows of `children` as the sample lets expect.
pub(super) fn slices(whole: TimeRange, children: usize, sample: Sample) -> Vec<TimeRange> {
    let Some(range) = sample.range.map(|range| range.intersection(whole)).filter(|range| !range.is_empty()) else { return vec![whole] };
    let rows = sample.rows / sample.children.max(1);
    let wanted = (OPEN_ROWS / children.max(1) as u64).max(LEAST_ROWS);
    let length = i128::from(range.end) - i128::from(range.start) + 1;
    let count = i128::from(rows.div_ceil(wanted).clamp(1, MOST_SLICES)).min(length);
    // Bounds that fall together make no slice.
    let mut starts: Vec<i64> = (1..count).map(|slice| (i128::from(range.start) + length * slice / count) as i64).filter(|start| *start > whole.start).collect();
    starts.dedup();
    let mut slices = Vec::with_capacity(starts.len() + 1);
    let mut from = whole.start;
    for start in starts {
        slices.push(TimeRange::new(from, start - 1));
        from = start;
    }
    slices.push(TimeRange::new(from, whole.end));
    slices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_the_whole_without_gap_or_overlap() {
        let sample = |rows, start, end| Sample { children: 2, rows, range: Some(TimeRange::new(start, end)) };
        for (whole, children, sample) in [
            (TimeRange::ALL, 4_000, sample(60_000, 1_700_000_000_000, 1_700_259_200_000)),
            (TimeRange::ALL, 4_000, sample(60_000, i64::MIN, i64::MAX)),
            (TimeRange::new(5, 9), 1_000_000, sample(1 << 40, 0, 100)),
            (TimeRange::new(5, 9), 2_000, sample(1 << 20, 7, 7)),
            (TimeRange::new(5, 9), 2_000, sample(1 << 20, 50, 70)),
            (TimeRange::ALL, 2_000, Sample::default()),
        ] {
            let slices = slices(whole, children, sample);
            assert_eq!((slices[0].start, slices[slices.len() - 1].end), (whole.start, whole.end));
            assert!(slices.windows(2).all(|pair| pair[0].end + 1 == pair[1].start) && slices.iter().all(|slice| !slice.is_empty()), "{slices:?}");
        }
        assert_eq!(slices(TimeRange::ALL, 4_000, sample(60_000, 0, 1_000_000)).len(), 115);
        assert_eq!(slices(TimeRange::ALL, 4_000, sample(500, 0, 1_000_000)).len(), 1);
    }
}
