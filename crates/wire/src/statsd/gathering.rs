//! What the values of an interval come to: counters summed, gauges as they stand, sets counted, timings and histograms summed up. Every name
//! with its tags becomes one point.

use std::collections::{BTreeMap, HashSet};

use super::{Change, Metric};
use crate::schemaless::LineWriter;

/// Values of one distribution that percentiles are taken from; of more, a sample.
const SAMPLE: usize = 1_000;
/// Percentiles that are told.
const PERCENTILES: [u32; 3] = [50, 90, 99];

/// Values of an interval, bounded: what would be one series or member too many is dropped and counted.
#[derive(Debug)]
pub struct Gathering {
    series: BTreeMap<(Kind, String), Series>,
    limit: usize,
    /// Series and members of sets.
    held: usize,
    dropped: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
    Set,
    Timing,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Set => "set",
            Self::Timing => "timing",
        }
    }
}

#[derive(Debug)]
enum Series {
    Number(f64),
    Members(HashSet<String>),
    Distribution(Distribution),
}

/// Sums of a distribution, by Welford's method, and a sample of its values.
#[derive(Debug, Default)]
struct Distribution {
    count: u64,
    mean: f64,
    squares: f64,
    sum: f64,
    lower: f64,
    upper: f64,
    sample: Vec<f64>,
}

impl Gathering {
    /// Nothing yet; takes so many series and members at most.
    pub fn new(limit: usize) -> Self {
        Self { series: BTreeMap::new(), limit, held: 0, dropped: 0 }
    }

    /// Takes a value in. Dots in names become underscores.
    pub fn add(&mut self, metric: &Metric<'_>) {
        let kind = match metric.change {
            Change::Count(_) => Kind::Counter,
            Change::Gauge(_) | Change::GaugeBy(_) => Kind::Gauge,
            Change::Timing(..) => Kind::Timing,
            Change::Histogram(..) => Kind::Histogram,
            Change::Member(_) => Kind::Set,
        };
        let key = (kind, head(metric, kind));
        if !self.series.contains_key(&key) && !self.takes_one_more() {
            return;
        }
        let series = self.series.entry(key).or_insert_with(|| match kind {
            Kind::Counter | Kind::Gauge => Series::Number(0.0),
            Kind::Set => Series::Members(HashSet::new()),
            Kind::Timing | Kind::Histogram => Series::Distribution(Distribution::default()),
        });
        match (series, metric.change) {
            (Series::Number(number), Change::Count(by) | Change::GaugeBy(by)) => *number += by,
            (Series::Number(number), Change::Gauge(state)) => *number = state,
            (Series::Distribution(distribution), Change::Timing(value, times) | Change::Histogram(value, times)) => distribution.add(value, times),
            (Series::Members(members), Change::Member(member)) if !members.contains(member) => {
                if self.held >= self.limit {
                    self.dropped += 1;
                } else {
                    self.held += 1;
                    members.insert(member.to_owned());
                }
            }
            // A member that is known; else the kind of a series is part of its key.
            _ => {}
        }
    }

    fn takes_one_more(&mut self) -> bool {
        let takes = self.held < self.limit;
        if takes {
            self.held += 1;
        } else {
            self.dropped += 1;
        }
        takes
    }

    /// Values that were dropped since the last interval.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Ends the interval: the points of its series, all of this time.
    pub fn finish(&mut self, nanoseconds: i64) -> String {
        let mut lines = LineWriter::new();
        for ((_, head), series) in std::mem::take(&mut self.series) {
            lines.head(&head);
            match series {
                Series::Number(value) if !value.is_finite() => lines.double("value", f64::MAX),
                Series::Number(value) => lines.double("value", value),
                Series::Members(members) => lines.integer("value", members.len() as i64),
                Series::Distribution(distribution) => distribution.write(&mut lines),
            }
            .end(nanoseconds);
        }
        (self.held, self.dropped) = (0, 0);
        lines.finish()
    }
}

/// Name and tags as a line begins with them; tags are sorted, so that their order makes no other series.
fn head(metric: &Metric<'_>, kind: Kind) -> String {
    let mut lines = LineWriter::new();
    lines.measurement(&metric.name.replace(['.', '-'], "_"));
    let mut tags: BTreeMap<&str, &str> = metric.tags.iter().copied().collect();
    tags.insert("metric_type", kind.name());
    for (name, value) in tags {
        lines.tag(name, value);
    }
    lines.finish()
}

impl Distribution {
    fn add(&mut self, value: f64, times: u32) {
        for _ in 0..times {
            self.count += 1;
            if self.count == 1 {
                (self.lower, self.upper) = (value, value);
            }
            self.sum += value;
            let distance = value - self.mean;
            self.mean += distance / self.count as f64;
            self.squares += distance * (value - self.mean);
            (self.lower, self.upper) = (self.lower.min(value), self.upper.max(value));
            if self.sample.len() < SAMPLE {
                self.sample.push(value);
            } else if let Some(place) = self.sample.get_mut((mix(self.count) % self.count) as usize) {
                *place = value;
            }
        }
    }

    fn write(mut self, lines: &mut LineWriter) -> &mut LineWriter {
        self.sample.sort_by(f64::total_cmp);
        lines.integer("count", self.count as i64);
        let deviation = (self.squares / self.count as f64).max(0.0).sqrt();
        for (name, value) in [("lower", self.lower), ("mean", self.mean), ("stddev", deviation), ("sum", self.sum), ("upper", self.upper)] {
            lines.double(name, if value.is_finite() { value } else { f64::MAX });
        }
        for percentile in PERCENTILES {
            let rank = (self.sample.len() * percentile as usize).div_ceil(100).saturating_sub(1);
            if let Some(value) = self.sample.get(rank) {
                lines.double(&format!("{percentile}_percentile"), *value);
            }
        }
        lines
    }
}

/// Bits that follow no pattern of what is measured.
fn mix(number: u64) -> u64 {
    let mut bits = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::parse_line, *};

    fn gather(lines: &[&str], limit: usize) -> (String, u64) {
        let mut gathering = Gathering::new(limit);
        for line in lines {
            parse_line(line, &mut |metric| gathering.add(&metric)).unwrap();
        }
        let dropped = gathering.dropped();
        (gathering.finish(9), dropped)
    }

    #[test]
    fn an_interval_comes_to_points() {
        let lines = ["a.b:1|c", "a.b:1|c|@0.5", "g,host=x:5|g", "g,host=x:-2|g", "s:1|s:2|s:1|s", "t:1|ms:2|ms:3|ms", "h:4|h"];
        let expected = "\
a_b,metric_type=counter value=3 9
g,host=x,metric_type=gauge value=3 9
h,metric_type=histogram count=1i,lower=4,mean=4,stddev=0,sum=4,upper=4,50_percentile=4,90_percentile=4,99_percentile=4 9
s,metric_type=set value=2i 9
t,metric_type=timing count=3i,lower=1,mean=2,stddev=0.816496580927726,sum=6,upper=3,50_percentile=2,90_percentile=3,99_percentile=3 9
";
        assert_eq!(gather(&lines, 100), (expected.to_owned(), 0));
    }

    #[test]
    fn order_of_tags_does_not_matter_and_too_many_are_dropped() {
        assert_eq!(gather(&["a,x=1,y=2:1|c", "a,y=2,x=1:1|c"], 10).0, "a,metric_type=counter,x=1,y=2 value=2 9\n");
        let (text, dropped) = gather(&["a:1|c", "b:1|c", "c:1|c", "a:1|c", "s:1|s"], 2);
        assert_eq!((text.lines().count(), dropped), (2, 2));
        assert_eq!(gather(&["s:1|s:2|s:3|s:1|s"], 3), ("s,metric_type=set value=2i 9\n".to_owned(), 1));
    }

    proptest! {
        #[test]
        fn sums_are_as_those_of_a_plain_list(values in proptest::collection::vec(-1e6_f64..1e6, 1..200)) {
            let mut distribution = Distribution::default();
            for value in values.iter().copied() {
                distribution.add(value, 1);
            }
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            prop_assert!((distribution.mean - mean).abs() < 1e-6);
            let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
            prop_assert!((distribution.squares - square).abs() <= 1e-9 * square.max(1.0));
            prop_assert_eq!(distribution.lower, values.iter().copied().fold(f64::INFINITY, f64::min));
        }
    }
}
