//! statsd's text protocol: `name[,tag=value…]:value|kind[|@rate][|#tag:value,…][:value|kind…]`, a line each. What is gathered from the lines of an
//! interval is [`Gathering`]'s business.

mod gathering;

use embudo_types::{Error, Result, code};

pub use gathering::Gathering;

/// What a value does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change<'a> {
    /// Adds to a counter, weighed by the rate at which it was sampled.
    Count(f64),
    /// Is the state of a gauge.
    Gauge(f64),
    /// Moves a gauge.
    GaugeBy(f64),
    /// A duration in milliseconds, and how many it stands for.
    Timing(f64, u32),
    /// A value of a distribution, and how many it stands for.
    Histogram(f64, u32),
    /// A member of a set.
    Member(&'a str),
}

/// One value of a line.
#[derive(Clone, Debug, PartialEq)]
pub struct Metric<'a> {
    /// Its name as written.
    pub name: &'a str,
    /// Tags in the name, then those behind the value.
    pub tags: Vec<(&'a str, &'a str)>,
    /// What it does.
    pub change: Change<'a>,
}

/// The most that one sampled value stands for.
const HEAVIEST: f64 = 10_000.0;

/// Calls `each` with every value of a line. Events and service checks of Datadog's clients are passed over.
pub fn parse_line<'a>(line: &'a str, each: &mut dyn FnMut(Metric<'a>)) -> Result<()> {
    let line = line.trim();
    if line.is_empty() || line.starts_with("_e{") || line.starts_with("_sc|") {
        return Ok(());
    }
    let bad = |what: &str| Error::with(code::INVALID_DATA_FORMAT, format!("statsd line: {what}"));
    let (bucket, values) = line.split_once(':').ok_or_else(|| bad("no value"))?;
    let mut parts = bucket.split(',');
    let name = parts.next().filter(|name| !name.is_empty()).ok_or_else(|| bad("no name"))?;
    let mut tags = Vec::new();
    for part in parts {
        tags.push(part.split_once('=').ok_or_else(|| bad("a tag without a value"))?);
    }
    for value in split_values(values) {
        let (change, more) = parse_value(value).ok_or_else(|| bad("a value that cannot be read"))?;
        let tags = tags.iter().copied().chain(more.split(',').filter(|tag| !tag.is_empty()).map(|tag| tag.split_once(':').unwrap_or((tag, "true")))).collect();
        each(Metric { name, tags, change });
    }
    Ok(())
}

/// The values of a line, which colons separate; those in tags behind a value, and behind the `c` of a container's id, do not.
fn split_values(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut fields, mut start) = (0, 0);
        let end = text.bytes().enumerate().find_map(|(at, byte)| {
            let field = &text.as_bytes()[start..at];
            match byte {
                b'|' => (fields, start) = (fields + 1, at + 1),
                b':' if !(field.starts_with(b"#") || fields > 1 && field == b"c") => return Some(at),
                _ => {}
            }
            None
        });
        rest = end.map(|end| &text[end + 1..]);
        Some(&text[..end.unwrap_or(text.len())])
    })
}

/// A value and the tags behind it.
fn parse_value(text: &str) -> Option<(Change<'_>, &str)> {
    let mut parts = text.split('|');
    let (value, kind) = (parts.next()?, parts.next()?);
    let (mut rate, mut tags) = (1.0, "");
    for part in parts {
        match part.split_at_checked(1)? {
            ("@", text) => rate = text.parse::<f64>().ok().filter(|rate| *rate > 0.0 && *rate <= 1.0)?,
            ("#", text) => tags = text,
            // Container ids, times and the like.
            _ => {}
        }
    }
    let number = || value.parse::<f64>().ok().filter(|number| number.is_finite());
    let times = (1.0 / rate).round().min(HEAVIEST) as u32;
    let change = match kind {
        "c" => Change::Count(number()? / rate),
        "g" if value.starts_with(['+', '-']) => Change::GaugeBy(number()?),
        "g" => Change::Gauge(number()?),
        "ms" => Change::Timing(number()?, times),
        "h" | "d" => Change::Histogram(number()?, times),
        "s" if !value.is_empty() => Change::Member(value),
        _ => return None,
    };
    Some((change, tags))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Parsed = (String, Vec<(String, String)>, String);

    fn parsed(line: &str) -> Option<Vec<Parsed>> {
        let mut seen = Vec::new();
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let outcome = parse_line(line, &mut |metric| {
            seen.push((metric.name.to_owned(), metric.tags.iter().map(owned).collect(), format!("{:?}", metric.change)));
        });
        outcome.is_ok().then_some(seen)
    }

    fn changes(line: &str) -> Option<Vec<String>> {
        parsed(line).map(|metrics| metrics.into_iter().map(|(_, _, change)| change).collect())
    }

    #[test]
    fn every_kind_is_read() {
        for (line, expected) in [
            ("a:1|c", "Count(1.0)"),
            ("a:1|c|@0.1", "Count(10.0)"),
            ("a:32|g", "Gauge(32.0)"),
            ("a:+10|g", "GaugeBy(10.0)"),
            ("a:-10|g", "GaugeBy(-10.0)"),
            ("a:320|ms", "Timing(320.0, 1)"),
            ("a:320|ms|@0.25", "Timing(320.0, 4)"),
            ("a:1.5|h", "Histogram(1.5, 1)"),
            ("a:2|d|#x:y", "Histogram(2.0, 1)"),
            ("a:user 1|s", "Member(\"user 1\")"),
        ] {
            assert_eq!(changes(line).as_deref(), Some(&[expected.to_owned()][..]), "{line}");
        }
        assert_eq!(changes("a:1|c:2|c|@0.5:7|ms").unwrap(), ["Count(1.0)", "Count(4.0)", "Timing(7.0, 1)"]);
    }

    #[test]
    fn tags_stand_in_the_name_or_behind_the_value() {
        let tags = |line: &str| parsed(line).unwrap().remove(0).1;
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(tags("a,host=x,dc=1:1|c"), [pair("host", "x"), pair("dc", "1")]);
        assert_eq!(tags("a:1|c|@1|#host:x:y,flag"), [pair("host", "x:y"), pair("flag", "true")]);
        assert_eq!(tags("a:1|c|#t:v|c:ci-9|T1700000000"), [pair("t", "v")]);
    }

    #[test]
    fn what_is_no_metric_is_refused_or_passed_over() {
        for line in ["a", "a:", ":1|c", "a:x|c", "a:1|q", "a:1|c|@0", "a:1|c|@2", "a:|s", "a:nan|g", "a,b:1|c", "a:1|c|"] {
            assert_eq!(parsed(line), None, "{line}");
        }
        for line in ["", "  ", "_e{5,4}:title|text", "_sc|name|0"] {
            assert_eq!(parsed(line), Some(Vec::new()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "[a-c:|@#,=.0-9+\\-gmshcd \\PC]{0,40}") {
            let _ = parsed(&line);
        }
    }
}
