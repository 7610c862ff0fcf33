//! InfluxDB lines: `measurement[,tag=v…] field=v[,field=v…] [timestamp]`.

use std::borrow::Cow;

use embudo_types::{Error, Result, code};

use super::{FieldValue, MAX_KEY, MAX_MEASUREMENT, Point, TimeUnit, in_line, invalid_key, telnet::underscored, value};

/// One line with its series still as written: whoever knows that text need not take it apart. Reused from line to line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InfluxLine<'a> {
    /// Measurement and tags as written; [`parse_series`] takes them apart.
    pub series: &'a str,
    /// Columns in the order written; whether one comes twice is not looked at.
    pub fields: Vec<(Cow<'a, str>, FieldValue<'a>)>,
    /// How many of the first columns are called as those of the line before.
    pub same_keys: usize,
    /// When; `None`: now.
    pub time: Option<(i64, TimeUnit)>,
}

/// Calls `each` with every point of `lines`, in order. Blank lines and comments (`#`) are passed over; a text without any point is an
/// error. The first bad line ends the work with an error that carries its number; points before it have been given.
pub fn parse_influx<'a>(lines: &'a str, unit: TimeUnit, each: &mut dyn FnMut(&Point<'a>) -> Result<()>) -> Result<()> {
    let mut point = Point::default();
    parse_influx_lines(lines, unit, &mut |line| {
        point.clear();
        parse_series(line.series, &mut point)?;
        point.fields.extend_from_slice(&line.fields);
        point.time = line.time;
        point.check()?;
        each(&point)
    })
}

/// As [`parse_influx`], with series as written.
pub fn parse_influx_lines<'a>(lines: &'a str, unit: TimeUnit, each: &mut dyn FnMut(&InfluxLine<'a>) -> Result<()>) -> Result<()> {
    let (mut parsed, mut seen) = (InfluxLine::default(), false);
    for (at, line) in lines.lines().enumerate() {
        let line = line.trim_end_matches(['\r', ' ']).trim_start_matches(' ');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        seen = true;
        parse_line(line, unit, &mut parsed).and_then(|()| each(&parsed)).map_err(|error| in_line(&error, at + 1, lines))?;
    }
    if seen { Ok(()) } else { Err(Error::with(code::INVALID_DATA_FORMAT, "line num is invalid")) }
}

/// Takes the measurement and the tags of a series apart, into a point that has none.
pub fn parse_series<'a>(series: &'a str, point: &mut Point<'a>) -> Result<()> {
    let end = unescaped(series, b',').unwrap_or(series.len());
    point.measurement_text = &series[..end];
    point.measurement = underscored(unescape(&series[..end]));
    if point.measurement.is_empty() || point.measurement.len() > MAX_MEASUREMENT {
        return Err(Error::with(code::INVALID_DATA_FORMAT, "measure is empty or too large than 192"));
    }
    let mut rest = &series[end..];
    while let Some(tags) = rest.strip_prefix(',') {
        let (key, after) = key(tags)?;
        let end = unescaped(after, b',').unwrap_or(after.len());
        if end == 0 {
            return Err(value::invalid(after));
        }
        point.tags.push((key, FieldValue::NChar(unescape(&after[..end]))));
        rest = &after[end..];
    }
    Ok(())
}

fn parse_line<'a>(line: &'a str, unit: TimeUnit, parsed: &mut InfluxLine<'a>) -> Result<()> {
    let end = unescaped(line, b' ').unwrap_or(line.len());
    parsed.series = &line[..end];
    parsed.same_keys = 0;
    let mut rest = line[end..].trim_start_matches(' ');
    if rest.is_empty() {
        parsed.fields.clear();
        return Err(Error::with(code::INVALID_DATA_FORMAT, "cols is empty"));
    }
    let mut count = 0;
    loop {
        let before = parsed.fields.get(count).map(|field| &field.0);
        let (key, after) = if let Some(known) = before.and_then(|before| same_key(rest, before)) {
            parsed.same_keys += usize::from(parsed.same_keys == count);
            known
        } else {
            key(rest)?
        };
        let (value, end) = match value::leading_number(after.as_bytes()) {
            Some(number) => number,
            None => long_value(after)?,
        };
        match parsed.fields.get_mut(count) {
            Some(field) => *field = (key, value),
            None => parsed.fields.push((key, value)),
        }
        count += 1;
        rest = &after[end..];
        let Some(next) = rest.strip_prefix(',') else { break };
        rest = next;
    }
    parsed.fields.truncate(count);
    parsed.time = timestamp(rest.trim_matches(' '), unit)?;
    Ok(())
}

/// The key that a text begins with, if it is the one of the line before and has no escapes, and what stands behind its `=`.
fn same_key<'a>(text: &'a str, before: &Cow<'a, str>) -> Option<(Cow<'a, str>, &'a str)> {
    let Cow::Borrowed(before) = before else { return None };
    let after = text.strip_prefix(before)?.strip_prefix('=')?;
    Some((Cow::Borrowed(&text[..before.len()]), after))
}

/// A value of any kind, and where it ends.
fn long_value(text: &str) -> Result<(FieldValue<'_>, usize)> {
    let end = value_end(text)?;
    if end == 0 {
        return Err(value::invalid(text));
    }
    Ok((value::require(&text[..end])?, end))
}

/// The key that a text begins with, and what stands behind its `=`.
fn key(text: &str) -> Result<(Cow<'_, str>, &str)> {
    let (bytes, mut at, mut is_escaped) = (text.as_bytes(), 0, false);
    loop {
        match bytes.get(at) {
            Some(b'=') => break,
            Some(b'\\') => {
                is_escaped = true;
                at += 1;
            }
            Some(b' ' | b',') => return Err(Error::with(code::INVALID_DATA_FORMAT, format!("invalid data:{}", &text[at..]))),
            Some(_) => {}
            None => return Err(invalid_key(text)),
        }
        at += 1;
    }
    let key = if is_escaped { unescape(&text[..at]) } else { Cow::Borrowed(&text[..at]) };
    if key.is_empty() || key.len() > MAX_KEY {
        return Err(invalid_key(&key));
    }
    Ok((key, &text[at + 1..]))
}

/// Where a value ends: an unescaped comma or blank outside quotes.
fn value_end(text: &str) -> Result<usize> {
    let (bytes, mut at, mut inside) = (text.as_bytes(), 0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' => inside = !inside,
            b',' | b' ' if !inside => return Ok(at),
            _ => {}
        }
        at += 1;
    }
    if inside {
        let opened = text.find('"').unwrap_or(0);
        return Err(Error::with(code::INVALID_DATA_FORMAT, format!("unbalanced quotes:{}", &text[opened..])));
    }
    Ok(bytes.len())
}

fn timestamp(text: &str, unit: TimeUnit) -> Result<Option<(i64, TimeUnit)>> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let count = text.parse().map_err(|_| Error::with(code::INVALID_TIMESTAMP_FORMAT, format!("invalid timestamp:{text}")))?;
    Ok(Some((count, unit)))
}

/// Position of the first `stop` (an ASCII character) behind an even number of backslashes.
fn unescaped(text: &str, stop: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + text[from..].find(char::from(stop))?;
        let backslashes = text.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(at);
        }
        from = at + 1;
    }
}

/// A name or tag value without its escapes; a backslash before any other character stays.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('\\', Some(',' | '=' | ' ' | '"' | '\\')) => out.extend(chars.next()),
            _ => out.push(char),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(lines: &str) -> Result<Vec<Point<'_>>> {
        let mut out = Vec::new();
        parse_influx(lines, TimeUnit::Milli, &mut |point| {
            out.push(point.clone());
            Ok(())
        })?;
        Ok(out)
    }

    #[test]
    fn every_suffix_has_its_type() {
        let line = r#"m2,t=a a=1i8,b=1u8,c=1i16,d=1u16,e=1i32,f=1u32,g=1i64,h=1u64,i=1f32,j=1f64,k=t,l=F,m="s",n=L"nchar",o=1i,p=-1.5e3,q=+2i,r=B"\x6162",s=g"POINT(1 1)" 5"#;
        let fields = points(line).unwrap().remove(0).fields;
        let expected = [
            FieldValue::TinyInt(1),
            FieldValue::UTinyInt(1),
            FieldValue::SmallInt(1),
            FieldValue::USmallInt(1),
            FieldValue::Int(1),
            FieldValue::UInt(1),
            FieldValue::BigInt(1),
            FieldValue::UBigInt(1),
            FieldValue::Float(1.0),
            FieldValue::Double(1.0),
            FieldValue::Bool(true),
            FieldValue::Bool(false),
            FieldValue::Varchar("s".into()),
            FieldValue::NChar("nchar".into()),
            FieldValue::BigInt(1),
            FieldValue::Double(-1500.0),
            FieldValue::BigInt(2),
            FieldValue::VarBinary(b"ab".into()),
            FieldValue::Geometry("POINT(1 1)".into()),
        ];
        assert_eq!(fields.into_iter().map(|field| field.1).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn child_names_are_those_recorded() {
        for (line, name) in [
            (r#"st,t1=3,t2=4,t3="t3" c=1"#, "t_17d1cfdd30855b7f6d956157345f1099"),
            ("cpu,host=a usage=0.5", "t_630ceacf723a6a06ea68a91ab3ca11ee"),
            (r"sp\ ace,ta\,g=v\=1 fi\ eld=1", "t_e76a984ca8d15cb11d5ccd76446ce68d"),
            ("notag v=1", "t_f6dab02ecd8f1ec55e12d92c17dd2db8"),
        ] {
            assert_eq!(points(line).unwrap()[0].child_name(), name, "{line}");
        }
        assert_eq!(points("st,b=2,a=1 c=1").unwrap()[0].child_name(), points("st,a=1,b=2 c=1").unwrap()[0].child_name());
    }

    #[test]
    fn bad_lines_say_why_and_where() {
        for (line, code, message) in [
            ("bad", 0x3002, "cols is empty"),
            ("bad,t=a", 0x3002, "cols is empty"),
            ("bad,t=a v=", 0x3002, "invalid value:"),
            ("m1,t1=a c1= 1", 0x3002, "invalid value: 1"),
            ("bad line", 0x021F, "invalid key or key is too long than 64:line"),
            ("not a line", 0x3002, "invalid data: line"),
            ("bad,t=a v=1 xyz", 0x0127, "invalid timestamp:xyz"),
            ("bad,t=a v=\"unterminated 17", 0x3002, "unbalanced quotes:\"unterminated 17"),
            ("", 0x3002, "line num is invalid"),
            ("# comment", 0x3002, "line num is invalid"),
            ("m v=300i8", 0x3002, "invalid value:300i8"),
            ("m v=nan", 0x3002, "invalid value:nan"),
            ("m v=1\nm v=2\nm", 0x3002, "cols is empty (line 3)"),
        ] {
            let error = points(line).unwrap_err();
            assert_eq!((error.code().0, error.message()), (code, message), "{line}");
        }
        assert!(points("m,a=1,a=2 v=1").is_err());
        assert!(points(&format!("m {}=1", "k".repeat(65))).is_err());
        assert!(points("bad\\").is_err() && points("bad\\ v\\").is_err() && points("m,\\").is_err() && points("m a=\\").is_err());
    }

    #[test]
    fn times_scale_to_ticks() {
        use embudo_types::Precision;
        assert_eq!(TimeUnit::Nano.ticks(1_710_028_800_000_000_001, Precision::Milli), Some(1_710_028_800_000));
        assert_eq!(TimeUnit::Hour.ticks(475_008, Precision::Milli), Some(1_710_028_800_000));
        assert_eq!(TimeUnit::Second.ticks(i64::MAX, Precision::Nano), None);
        assert_eq!(points("m v=1 7").unwrap()[0].time, Some((7, TimeUnit::Milli)));
        assert_eq!(points("m v=1").unwrap()[0].time, None);
    }
}
