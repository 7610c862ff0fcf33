//! Summaries of many numbers that answer quantiles: the streaming histogram of Ben-Haim and Tom-Tov (2010), and Dunning's t-digest (2019).
//! Both gather values in a buffer and compress sorted runs, so that adding is cheap and the outcome depends on the order of values alone.

/// Values at one place and how many.
#[derive(Clone, Copy, Debug)]
struct Bin {
    value: f64,
    count: f64,
}

/// Sorted bins plus a buffer of values not yet among them.
fn absorb(bins: &mut Vec<Bin>, buffer: &mut Vec<Bin>) {
    bins.append(buffer);
    bins.sort_by(|left, right| left.value.total_cmp(&right.value));
    bins.dedup_by(|later, kept| {
        let same = later.value == kept.value;
        if same {
            kept.count += later.count;
        }
        same
    });
}

const BUFFER: usize = 1_024;

/// A histogram of at most [`Histogram::BINS`] bins; exact while fewer different values are known.
#[derive(Default)]
pub(super) struct Histogram {
    bins: Vec<Bin>,
    buffer: Vec<Bin>,
    bounds: Option<(f64, f64)>,
}

impl Histogram {
    const BINS: usize = 500;

    /// Adds a value.
    pub(super) fn add(&mut self, value: f64) {
        let (low, high) = self.bounds.unwrap_or((value, value));
        self.bounds = Some((low.min(value), high.max(value)));
        self.buffer.push(Bin { value, count: 1.0 });
        if self.buffer.len() >= BUFFER {
            self.compress();
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.bounds = match (self.bounds, other.bounds) {
            (Some((low, high)), Some((other_low, other_high))) => Some((low.min(other_low), high.max(other_high))),
            (known, found) => known.or(found),
        };
        self.buffer.append(&mut other.bins);
        self.buffer.append(&mut other.buffer);
        self.compress();
    }

    /// Joins the nearest neighbours until few enough bins are left.
    fn compress(&mut self) {
        absorb(&mut self.bins, &mut self.buffer);
        while self.bins.len() > Self::BINS {
            let mut gaps: Vec<f64> = self.bins.windows(2).map(|pair| pair[1].value - pair[0].value).collect();
            let excess = self.bins.len() - Self::BINS;
            let (_, widest, _) = gaps.select_nth_unstable_by(excess - 1, f64::total_cmp);
            let widest = *widest;
            let mut joined: Vec<Bin> = Vec::with_capacity(self.bins.len());
            let mut left = excess;
            let mut grown = false;
            for &bin in &self.bins {
                match joined.last_mut() {
                    Some(last) if left > 0 && !grown && bin.value - last.value <= widest => {
                        let count = last.count + bin.count;
                        *last = Bin { value: (last.value * last.count + bin.value * bin.count) / count, count };
                        left -= 1;
                        // A bin joins one neighbour a pass, so that chains do not collapse into one.
                        grown = true;
                    }
                    _ => {
                        joined.push(bin);
                        grown = false;
                    }
                }
            }
            self.bins = joined;
        }
    }

    /// The value below which a share of all values lies: counts run evenly from one bin's middle to the next one's.
    pub(super) fn quantile(&mut self, share: f64) -> Option<f64> {
        self.compress();
        let (low, high) = self.bounds?;
        let total: f64 = self.bins.iter().map(|bin| bin.count).sum();
        let wanted = share * total;
        if wanted <= 0.0 {
            return Some(low);
        }
        if wanted >= total {
            return Some(high);
        }
        let mut below = 0.0;
        for (at, bin) in self.bins.iter().enumerate() {
            below += bin.count;
            if wanted < below {
                return Some(bin.value);
            }
            if let Some(next) = self.bins.get(at + 1).filter(|next| wanted < below + next.count) {
                return Some(bin.value + (next.value - bin.value) * trapezoid_share(bin.count, next.count, wanted - below));
            }
        }
        Some(high)
    }
}

/// How far into a trapezoid whose sides are `left` and `right` and whose width is 1 the area from its left side is `area`.
fn trapezoid_share(left: f64, right: f64, area: f64) -> f64 {
    let slope = right - left;
    if slope == 0.0 { area / left } else { (-left + (left * left + 2.0 * slope * area).sqrt()) / slope }
}

/// A t-digest: centroids are small near the ends and large in the middle.
#[derive(Default)]
pub(super) struct Digest {
    centroids: Vec<Bin>,
    buffer: Vec<Bin>,
    bounds: Option<(f64, f64)>,
}

impl Digest {
    /// More keeps more centroids.
    const COMPRESSION: f64 = 300.0;

    /// Adds a value.
    pub(super) fn add(&mut self, value: f64) {
        let (low, high) = self.bounds.unwrap_or((value, value));
        self.bounds = Some((low.min(value), high.max(value)));
        self.buffer.push(Bin { value, count: 1.0 });
        if self.buffer.len() >= BUFFER {
            self.compress();
        }
    }

    /// Adds all of another.
    pub(super) fn merge(&mut self, mut other: Self) {
        self.bounds = match (self.bounds, other.bounds) {
            (Some((low, high)), Some((other_low, other_high))) => Some((low.min(other_low), high.max(other_high))),
            (known, found) => known.or(found),
        };
        self.buffer.append(&mut other.centroids);
        self.buffer.append(&mut other.buffer);
        self.compress();
    }

    fn compress(&mut self) {
        self.centroids.append(&mut self.buffer);
        self.centroids.sort_by(|left, right| left.value.total_cmp(&right.value));
        let total: f64 = self.centroids.iter().map(|centroid| centroid.count).sum();
        let mut joined: Vec<Bin> = Vec::new();
        let mut below = 0.0;
        for &centroid in &self.centroids {
            if let Some(last) = joined.last_mut() {
                let count = last.count + centroid.count;
                let middle = (below + count / 2.0) / total;
                if count <= (4.0 * total * middle * (1.0 - middle) / Self::COMPRESSION).max(1.0) {
                    *last = Bin { value: last.value + (centroid.value - last.value) * centroid.count / count, count };
                    continue;
                }
                below += last.count;
            }
            joined.push(centroid);
        }
        self.centroids = joined;
    }

    /// The value below which a share of all values lies, linear between middles of centroids.
    pub(super) fn quantile(&mut self, share: f64) -> Option<f64> {
        self.compress();
        let (low, high) = self.bounds?;
        let total: f64 = self.centroids.iter().map(|centroid| centroid.count).sum();
        let wanted = share * total;
        let mut before = (0.0, low);
        let mut below = 0.0;
        for centroid in &self.centroids {
            let middle = (below + centroid.count / 2.0, centroid.value);
            if wanted < middle.0 {
                return Some(between(before, middle, wanted));
            }
            before = middle;
            below += centroid.count;
        }
        Some(between(before, (total, high), wanted))
    }
}

fn between(left: (f64, f64), right: (f64, f64), at: f64) -> f64 {
    if right.0 <= left.0 { right.1 } else { left.1 + (right.1 - left.1) * (at - left.0) / (right.0 - left.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_are_exact() {
        let mut histogram = Histogram::default();
        (1..=18).for_each(|value| histogram.add(f64::from(value)));
        assert_eq!(histogram.quantile(0.5), Some(9.0));
        let mut histogram = Histogram::default();
        (1..=17).for_each(|value| histogram.add(f64::from(value)));
        assert_eq!(histogram.quantile(0.5), Some(8.5));
        let mut digest = Digest::default();
        (1..=17).for_each(|value| digest.add(f64::from(value)));
        assert_eq!(digest.quantile(0.5), Some(9.0));
        let mut equal = Histogram::default();
        (0..9).for_each(|_| equal.add(5.0));
        assert_eq!(equal.quantile(0.5), Some(5.0));
        assert_eq!(Digest::default().quantile(0.5), None);
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn many_values_are_near() {
        let values = |count: u64| (0..count).map(move |at| (at.wrapping_mul(2_654_435_761) % count) as f64);
        let (mut histogram, mut digest) = (Histogram::default(), Digest::default());
        values(100_003).for_each(|value| {
            histogram.add(value);
            digest.add(value);
        });
        for share in [0.01, 0.25, 0.5, 0.9, 0.99] {
            for estimate in [histogram.quantile(share), digest.quantile(share)] {
                let error = (estimate.unwrap() - share * 100_003.0).abs() / 100_003.0;
                assert!(error < 0.01, "{share}: {error}");
            }
        }
    }
}
