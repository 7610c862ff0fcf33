//! OpenTSDB JSON: an object or an array of objects with exactly `metric`, `timestamp`, `value` and `tags`.

use std::borrow::Cow;

use embudo_types::{Error, Result, code};
use serde_json::{Map, Value as Json};

use super::{
    FieldValue, Point, TimeUnit,
    telnet::{VALUE_COLUMN, by_digits, underscored},
};

/// Calls `each` with every point of the text, in order.
pub fn parse_json(text: &str, each: &mut dyn FnMut(&Point<'_>) -> Result<()>) -> Result<()> {
    let parsed: Json = serde_json::from_str(text).map_err(|source| Error::new(code::INVALID_JSON_FORMAT_0221).caused_by(source))?;
    match &parsed {
        Json::Array(points) if !points.is_empty() => points.iter().try_for_each(|point| each(&parse_point(point)?)),
        point => each(&parse_point(point)?),
    }
}

fn parse_point(json: &Json) -> Result<Point<'_>> {
    let object = json.as_object().filter(|object| object.len() == 4).ok_or_else(shape)?;
    let member = |name: &str| object.get(name).ok_or_else(shape);
    let metric = member("metric")?.as_str().ok_or_else(kind)?;
    let tags = member("tags")?.as_object().ok_or_else(kind)?;
    let point = Point {
        measurement: underscored(Cow::Borrowed(metric)),
        measurement_text: metric,
        tags: tags.iter().map(|(key, json)| Ok((Cow::Borrowed(key.as_str()), value(json, true)?))).collect::<Result<_>>()?,
        fields: vec![(Cow::Borrowed(VALUE_COLUMN), value(member("value")?, false)?)],
        time: timestamp(member("timestamp")?)?,
    };
    point.check()?;
    Ok(point)
}

fn timestamp(json: &Json) -> Result<Option<(i64, TimeUnit)>> {
    let invalid = || Error::new(code::INVALID_TIMESTAMP_FORMAT);
    let whole = |json: &Json| json.as_i64().or_else(|| json.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 9e18).map(|number| number as i64));
    match json {
        Json::Object(typed) => {
            let (count, unit) = typed_value(typed)?;
            let count = whole(count).ok_or_else(kind)?;
            if count == 0 {
                return Ok(None);
            }
            Ok(Some((count, if unit.is_empty() { return Err(invalid()) } else { TimeUnit::parse(unit)? })))
        }
        Json::Number(_) => {
            let count = whole(json).ok_or_else(invalid)?;
            by_digits(count, count.to_string().len())
        }
        _ => Err(kind()),
    }
}

/// A plain value or `{"value": …, "type": …}`. Plain text is VARCHAR as a value and NCHAR as a tag.
fn value(json: &Json, is_tag: bool) -> Result<FieldValue<'_>> {
    match json {
        Json::Bool(value) => Ok(FieldValue::Bool(*value)),
        Json::Number(number) => Ok(FieldValue::Double(number.as_f64().ok_or_else(kind)?)),
        Json::String(text) if is_tag => Ok(FieldValue::NChar(Cow::Borrowed(text))),
        Json::String(text) => Ok(FieldValue::Varchar(Cow::Borrowed(text))),
        Json::Object(typed) => {
            let (json, name) = typed_value(typed)?;
            of_type(json, name)
        }
        Json::Null | Json::Array(_) => Err(kind()),
    }
}

fn typed_value(object: &Map<String, Json>) -> Result<(&Json, &str)> {
    match (object.len(), object.get("value"), object.get("type").and_then(Json::as_str)) {
        (2, Some(value), Some(name)) => Ok((value, name)),
        _ => Err(shape()),
    }
}

fn of_type<'a>(json: &'a Json, name: &str) -> Result<FieldValue<'a>> {
    let text = || json.as_str().map(Cow::Borrowed).ok_or_else(kind);
    let real = || json.as_f64().ok_or_else(kind);
    // Integers may be written as floats; outside the type's range they are refused.
    let whole = || {
        let number = json.as_i64().or_else(|| json.as_f64().filter(|number| number.abs() < 9.2e18).map(|number| number as i64));
        number.ok_or_else(|| Error::with(code::INVALID_VALUE_IN_CLIENT, format!("value out of range: {json}")))
    };
    macro_rules! narrowed {
        ($variant:ident) => {
            FieldValue::$variant(whole()?.try_into().map_err(|_| Error::with(code::INVALID_VALUE_IN_CLIENT, format!("value out of range: {json}")))?)
        };
    }
    Ok(match name.to_ascii_lowercase().as_str() {
        "bool" => FieldValue::Bool(json.as_bool().ok_or_else(kind)?),
        "tinyint" | "i8" => narrowed!(TinyInt),
        "smallint" | "i16" => narrowed!(SmallInt),
        "int" | "i32" => narrowed!(Int),
        "bigint" | "i64" => FieldValue::BigInt(whole()?),
        "float" | "f32" => FieldValue::Float(real()? as f32),
        "double" | "f64" => FieldValue::Double(real()?),
        "binary" => FieldValue::Varchar(text()?),
        "varbinary" => FieldValue::VarBinary(Cow::Borrowed(json.as_str().ok_or_else(kind)?.as_bytes())),
        "nchar" => FieldValue::NChar(text()?),
        _ => return Err(kind()),
    })
}

fn shape() -> Error {
    Error::new(code::INVALID_JSON_FORMAT_0221)
}

fn kind() -> Error {
    Error::new(code::INVALID_JSON_DATA_TYPE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_and_arrays_become_points() {
        let text = r#"[{"metric":"js.cpu","timestamp":1710028801000,"value":9.5,"tags":{"host":"web02","n":5,"b":true}},
            {"metric":"js.obj","timestamp":{"value":1710028801000,"type":"ms"},"value":{"value":7,"type":"int"},"tags":{"h":{"value":"x","type":"nchar"}}}]"#;
        let mut seen = Vec::new();
        parse_json(text, &mut |point| {
            seen.push((point.measurement.to_string(), point.time, point.fields[0].1.clone() == FieldValue::Int(7)));
            Ok(())
        })
        .unwrap();
        let time = Some((1_710_028_801_000, TimeUnit::Milli));
        assert_eq!(seen, [("js_cpu".into(), time, false), ("js_obj".into(), time, true)]);
    }

    #[test]
    fn bad_texts_say_why() {
        for (text, code) in [
            (r#"{"bad":1}"#, 0x221),
            ("nope", 0x221),
            (r#"{"metric":"a","timestamp":1}"#, 0x221),
            (r#"{"metric":"a","timestamp":1,"value":1,"tags":{"a":1}}"#, 0x127),
            (r#"{"metric":"a","timestamp":1710028801,"value":[1],"tags":{"a":1}}"#, 0x222),
            (r#"{"metric":"a","timestamp":1710028801,"value":{"value":300,"type":"i8"},"tags":{"a":1}}"#, 0x203),
        ] {
            assert_eq!(parse_json(text, &mut |_| Ok(())).unwrap_err().code().0, code, "{text}");
        }
    }
}
