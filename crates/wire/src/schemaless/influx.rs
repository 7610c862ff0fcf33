//! InfluxDB lines: `measurement[,tag=v…] field=v[,field=v…] [timestamp]`.

use std::borrow::Cow;

use embudo_types::{Error, Result, code};

use super::{FieldValue, Point, TimeUnit, in_line, value};

/// Calls `each` with every point of `lines`, in order. Blank lines and comments (`#`) are passed over; a text without any point is an
/// error. The first bad line ends the work with an error that carries its number; points before it have been given.
pub fn parse_influx<'a>(lines: &'a str, unit: TimeUnit, each: &mut dyn FnMut(&Point<'a>) -> Result<()>) -> Result<()> {
    let count = lines.lines().count();
    let (mut point, mut seen) = (Point::default(), false);
    for (at, line) in lines.lines().enumerate() {
        let line = line.trim_end_matches(['\r', ' ']).trim_start_matches(' ');
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        seen = true;
        point.clear();
        parse_line(line, unit, &mut point).and_then(|()| each(&point)).map_err(|error| in_line(&error, at + 1, count))?;
    }
    if seen { Ok(()) } else { Err(Error::with(code::INVALID_DATA_FORMAT, "line num is invalid")) }
}

fn parse_line<'a>(line: &'a str, unit: TimeUnit, point: &mut Point<'a>) -> Result<()> {
    let end = unescaped(line, b", ").unwrap_or(line.len());
    point.measurement_text = &line[..end];
    point.measurement = unescape(&line[..end]);
    let mut rest = &line[end..];
    while let Some(tags) = rest.strip_prefix(',') {
        let end = unescaped(tags, b", ").unwrap_or(tags.len());
        let (key, text) = key_and_value(&tags[..end])?;
        if text.is_empty() {
            return Err(value::invalid(text));
        }
        point.tags.push((key, FieldValue::NChar(unescape(text))));
        rest = &tags[end..];
    }
    let mut rest = rest.trim_start_matches(' ');
    if rest.is_empty() {
        return Err(Error::with(code::INVALID_DATA_FORMAT, "cols is empty"));
    }
    loop {
        let end = field_end(rest)?;
        let (key, text) = key_and_value(&rest[..end])?;
        point.fields.push((key, value::require(text)?));
        rest = &rest[end..];
        let Some(next) = rest.strip_prefix(',') else { break };
        rest = next;
    }
    point.time = timestamp(rest.trim_matches(' '), unit)?;
    point.check()
}

/// Where a field ends: an unescaped comma or blank outside quotes.
fn field_end(text: &str) -> Result<usize> {
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

fn key_and_value(pair: &str) -> Result<(Cow<'_, str>, &str)> {
    let Some(equals) = unescaped(pair, b"=") else { return Err(value::invalid("")) };
    Ok((unescape(&pair[..equals]), &pair[equals + 1..]))
}

fn timestamp(text: &str, unit: TimeUnit) -> Result<Option<(i64, TimeUnit)>> {
    if text.is_empty() || text == "0" {
        return Ok(None);
    }
    let count = text.parse().map_err(|_| Error::with(code::INVALID_TIMESTAMP_FORMAT, format!("invalid timestamp:{text}")))?;
    Ok(Some((count, unit)))
}

/// Position of the first byte of `stops` that no backslash stands before.
fn unescaped(text: &str, stops: &[u8]) -> Option<usize> {
    let (bytes, mut at) = (text.as_bytes(), 0);
    while at < bytes.len() {
        if bytes[at] == b'\\' {
            at += 1;
        } else if stops.contains(&bytes[at]) {
            return Some(at);
        }
        at += 1;
    }
    None
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
