//! OpenTSDB telnet lines: `[put ]metric timestamp value tag=v [tag=v …]`.

use std::borrow::Cow;

use embudo_types::{Error, Result, code};

use super::{FieldValue, Point, TimeUnit, in_line, value};

/// The one column of a metric.
pub const VALUE_COLUMN: &str = "_value";

/// Calls `each` with every point of `lines`, in order; otherwise as [`super::parse_influx`].
pub fn parse_telnet<'a>(lines: &'a str, each: &mut dyn FnMut(&Point<'a>) -> Result<()>) -> Result<()> {
    let (mut point, mut seen) = (Point::default(), false);
    for (at, line) in lines.lines().enumerate() {
        let line = line.trim_matches(['\r', ' ']);
        let line = line.strip_prefix("put ").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        seen = true;
        point.clear();
        parse_line(line, &mut point).and_then(|()| each(&point)).map_err(|error| in_line(&error, at + 1, lines))?;
    }
    if seen { Ok(()) } else { Err(Error::with(code::INVALID_DATA_FORMAT, "line num is invalid")) }
}

fn parse_line<'a>(line: &'a str, point: &mut Point<'a>) -> Result<()> {
    let mut words = line.split(' ').filter(|word| !word.is_empty());
    let metric = words.next().unwrap_or_default();
    point.measurement_text = metric;
    point.measurement = underscored(Cow::Borrowed(metric));
    let Some(time) = words.next() else { return Err(Error::with(code::TABLE_NAME_TOO_LONG, "invalid data:")) };
    point.time = timestamp(time)?;
    let text = words.next().unwrap_or_default();
    let Some(value) = value::parse(text) else { return Err(missing("invalid value:")) };
    point.fields.push((Cow::Borrowed(VALUE_COLUMN), value));
    for word in words {
        let (key, text) = word.split_once('=').ok_or_else(|| missing(&format!("invalid data:{word}")))?;
        if text.is_empty() {
            return Err(missing(&format!("invalid value:{word}")));
        }
        point.tags.push((Cow::Borrowed(key), FieldValue::NChar(Cow::Borrowed(text))));
    }
    if point.tags.is_empty() {
        return Err(missing("invalid value:"));
    }
    point.check()
}

/// A metric's name as that of a supertable: dots become underscores.
pub fn underscored(metric: Cow<'_, str>) -> Cow<'_, str> {
    if metric.contains('.') { Cow::Owned(metric.replace('.', "_")) } else { metric }
}

fn timestamp(text: &str) -> Result<Option<(i64, TimeUnit)>> {
    match text.parse() {
        Ok(count) => by_digits(count, text.len()),
        Err(_) => Err(not_a_time(text)),
    }
}

/// 10 digits are seconds, 13 milliseconds, 0 is now; nothing else is a time.
pub fn by_digits(count: i64, digits: usize) -> Result<Option<(i64, TimeUnit)>> {
    match (count, digits) {
        (0, 1) => Ok(None),
        (1.., 10) => Ok(Some((count, TimeUnit::Second))),
        (1.., 13) => Ok(Some((count, TimeUnit::Milli))),
        _ => Err(not_a_time(&count.to_string())),
    }
}

fn not_a_time(text: &str) -> Error {
    Error::with(code::INVALID_TIMESTAMP_FORMAT, format!("invalid timestamp:{text}"))
}

fn missing(text: &str) -> Error {
    Error::with(code::INVALID_VALUE_IN_CLIENT, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(line: &str) -> Result<Point<'_>> {
        let mut out = Point::default();
        parse_telnet(line, &mut |point| {
            out = point.clone();
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn lines_become_points() {
        let point = one("put meters.current 1710028800000 10.3 host=web01 id=1").unwrap();
        assert_eq!((point.measurement.as_ref(), point.time), ("meters_current", Some((1_710_028_800_000, TimeUnit::Milli))));
        assert_eq!(point.fields, [(VALUE_COLUMN.into(), FieldValue::Double(10.3))]);
        assert_eq!(point.tags, [("host".into(), FieldValue::NChar("web01".into())), ("id".into(), FieldValue::NChar("1".into()))]);
        assert_eq!(one("m 1710028801 219i32 h=a").unwrap().fields[0].1, FieldValue::Int(219));
    }

    #[test]
    fn bad_lines_say_why() {
        for (line, code) in [("bad", 0x20A), ("noval 1710028800000 host=a", 0x203), ("notags 1710028800000 5", 0x203), ("m 123 5 a=b", 0x127), ("", 0x3002)] {
            assert_eq!(one(line).unwrap_err().code().0, code, "{line}");
        }
    }
}
