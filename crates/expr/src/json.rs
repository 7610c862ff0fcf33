//! JSON tags: flat objects of scalars (spec/sql.md 2.8). `->` takes a member out, CONTAINS asks for a key, comparisons look at the kind of value.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray, cast::AsArray};
use embudo_types::{Error, Result};

/// A member's value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    /// null.
    Null,
    /// true, false.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string, escapes resolved.
    Text(Cow<'a, str>),
}

/// Reads one scalar, such as a cell that `->` gave. `None` where it is none.
pub(crate) fn scalar(text: &str) -> Option<Scalar<'_>> {
    let mut cursor = Cursor { text, at: 0 };
    let value = cursor.scalar()?;
    cursor.skip_blanks();
    (cursor.at == text.len()).then_some(value)
}

/// The members of a flat object in the order written. `None` where the text is no flat object.
pub(crate) fn members(text: &str) -> Option<Vec<(Cow<'_, str>, Scalar<'_>)>> {
    let mut cursor = Cursor { text, at: 0 };
    let mut members = Vec::new();
    cursor.expect(b'{')?;
    if cursor.eat(b'}') {
        return cursor.ended().then_some(members);
    }
    loop {
        cursor.skip_blanks();
        let key = cursor.string()?;
        cursor.expect(b':')?;
        members.push((key, cursor.scalar()?));
        if !cursor.eat(b',') {
            break;
        }
    }
    cursor.expect(b'}')?;
    cursor.ended().then_some(members)
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn skip_blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    }

    fn eat(&mut self, byte: u8) -> bool {
        self.skip_blanks();
        let found = self.text.as_bytes().get(self.at) == Some(&byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.eat(byte).then_some(())
    }

    fn ended(&mut self) -> bool {
        self.skip_blanks();
        self.at == self.text.len()
    }

    fn scalar(&mut self) -> Option<Scalar<'a>> {
        self.skip_blanks();
        let rest = &self.text[self.at..];
        for (word, value) in [("null", Scalar::Null), ("true", Scalar::Bool(true)), ("false", Scalar::Bool(false))] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Some(value);
            }
        }
        if rest.starts_with('"') {
            return self.string().map(Scalar::Text);
        }
        let length = rest.bytes().take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E')).count();
        let number = rest[..length].parse().ok()?;
        self.at += length;
        Some(Scalar::Number(number))
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        if bytes.get(self.at) != Some(&b'"') {
            return None;
        }
        let start = self.at + 1;
        let mut end = start;
        let mut escaped = false;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    end += 2;
                }
                _ => end += 1,
            }
        }
        self.at = end + 1;
        let raw = &self.text[start..end];
        if escaped { unescape(raw).map(Cow::Owned) } else { Some(Cow::Borrowed(raw)) }
    }
}

fn unescape(raw: &str) -> Option<String> {
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw.chars();
    while let Some(character) = rest.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        match rest.next()? {
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'u' => {
                let first = code_unit(&mut rest)?;
                let unit = if (0xD800..0xDC00).contains(&first) {
                    (rest.next()? == '\\' && rest.next()? == 'u').then_some(())?;
                    let second = code_unit(&mut rest)?.checked_sub(0xDC00)?;
                    0x1_0000 + ((first - 0xD800) << 10) + second
                } else {
                    first
                };
                out.push(char::from_u32(unit)?);
            }
            other => out.push(other),
        }
    }
    Some(out)
}

fn code_unit(rest: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |unit, _| Some(unit * 16 + rest.next()?.to_digit(16)?))
}

/// Appends the scalar as JSON text; numbers carry nine digits after the point, as TDengine shows them.
pub(crate) fn write_scalar(value: &Scalar<'_>, out: &mut String) {
    match value {
        Scalar::Null => out.push_str("null"),
        Scalar::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Scalar::Number(value) => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{value:.9}");
        }
        Scalar::Text(text) => write_string(text, out),
    }
}

/// Appends `text` as a JSON string.
pub(crate) fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if (control as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", control as u32);
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// Applies `function` to each object that is not NULL; rows of one child carry the same tag, so the last answer is kept.
fn map_objects<T: Clone>(array: &StringArray, mut function: impl FnMut(&str) -> T) -> Vec<Option<T>> {
    let mut last: Option<(&str, T)> = None;
    let cell = |row| {
        if array.is_null(row) {
            return None;
        }
        let text = array.value(row);
        if last.as_ref().is_none_or(|(known, _)| *known != text) {
            last = Some((text, function(text)));
        }
        last.as_ref().map(|(_, answer)| answer.clone())
    };
    (0..array.len()).map(cell).collect()
}

fn find<'a>(text: &'a str, key: &str) -> Option<Scalar<'a>> {
    members(text)?.into_iter().find(|(name, _)| name == key).map(|(_, value)| value)
}

fn texts(array: &ArrayRef) -> Result<&StringArray> {
    array.as_string_opt::<i32>().ok_or_else(|| Error::internal("JSON is not text"))
}

/// `json -> key`: the member as JSON text, NULL where there is none.
pub(crate) fn get(array: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let found = map_objects(texts(array)?, |text| {
        find(text, key).map(|value| {
            let mut out = String::new();
            write_scalar(&value, &mut out);
            out
        })
    });
    let mut builder = StringBuilder::new();
    for cell in found {
        builder.append_option(cell.flatten());
    }
    Ok(Arc::new(builder.finish()))
}

/// `json CONTAINS key`.
pub(crate) fn contains(array: &ArrayRef, key: &str) -> Result<ArrayRef> {
    let found = map_objects(texts(array)?, |text| find(text, key).is_some());
    Ok(Arc::new(found.into_iter().collect::<BooleanArray>()))
}

/// Scalars as the plain text that a cast starts from: strings without quotes, true as 1, null as NULL.
pub(crate) fn texts_of_scalars(array: &ArrayRef) -> Result<ArrayRef> {
    let array = texts(array)?;
    let mut builder = BinaryBuilder::new();
    for row in 0..array.len() {
        match (array.is_valid(row)).then(|| scalar(array.value(row))) {
            None | Some(Some(Scalar::Null)) => builder.append_null(),
            Some(Some(Scalar::Bool(value))) => builder.append_value(if value { "1" } else { "0" }),
            Some(Some(Scalar::Number(value))) => builder.append_value(value.to_string()),
            Some(Some(Scalar::Text(text))) => builder.append_value(text.as_bytes()),
            Some(None) => builder.append_value(array.value(row)),
        }
    }
    Ok(Arc::new(builder.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_flat_objects() {
        let text = r#"{"k1": "a\"\u6d9b", "k2": -3.5e1, "k3": true, "k4": null, " sp": 1}"#;
        assert_eq!(find(text, "k1"), Some(Scalar::Text("a\"涛".into())));
        assert_eq!(find(text, "k2"), Some(Scalar::Number(-35.0)));
        assert_eq!(find(text, "k4"), Some(Scalar::Null));
        assert_eq!(find(text, "none"), None);
        assert_eq!(members("{}"), Some(vec![]));
        for broken in ["", "{", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,}", "{\"a\":[1]}", "[1]", "{\"a\":\"x\\", "{} x"] {
            assert_eq!(members(broken), None, "{broken}");
        }
    }

    #[test]
    fn members_render_as_json() {
        let array: ArrayRef = Arc::new(StringArray::from(vec![Some(r#"{"a": 10, "b": "x"}"#), None, Some("{}")]));
        let numbers = get(&array, "a").unwrap();
        assert_eq!(numbers.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("10.000000000"), None, None]);
        let texts = get(&array, "b").unwrap();
        assert_eq!(texts.as_string::<i32>().value(0), "\"x\"");
        let keys = contains(&array, "b").unwrap();
        assert_eq!(keys.as_boolean().iter().collect::<Vec<_>>(), [Some(true), None, Some(false)]);
    }
}
