//! JSON tags: an object of numbers, strings, booleans and NULL (spec/sql.md 2.8), kept as text with sorted keys.

use std::collections::BTreeMap;

use super::{Refusal, syntax_error};

/// Longest JSON text of a tag.
const MAX_JSON: usize = 4_095;
/// Longest key.
const MAX_KEY: usize = 256;

/// The text of a JSON tag with sorted keys, the first of equal keys kept and empty keys left out; `None` where it stands for NULL.
pub(crate) fn normalise(text: &str) -> Result<Option<String>, Refusal> {
    let trimmed = text.trim();
    if trimmed.is_empty() || trimmed.eq_ignore_ascii_case("null") {
        return Ok(None);
    }
    if text.len() > MAX_JSON {
        return Err("json string too long than 4095".into());
    }
    let mut reader = Reader { rest: trimmed };
    match reader.peek() {
        Some('{') => {}
        Some('[' | '"' | '0'..='9' | '-' | 't' | 'f') => return Err("json error invalide value".into()),
        _ => return Err(PARSE_ERROR.into()),
    }
    let members = reader.object()?;
    if !reader.rest.trim_start().is_empty() {
        return Err(PARSE_ERROR.into());
    }
    if members.is_empty() {
        return Ok(None);
    }
    let mut out = String::from("{");
    for (at, (key, value)) in members.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        quote(key, &mut out);
        out.push(':');
        out.push_str(value);
    }
    out.push('}');
    Ok(Some(out))
}

const PARSE_ERROR: &str = "json parse error";

/// JSON text in canonical form, as [`normalise`] gives it to a literal; here with the refused text in the error.
///
/// ```
/// use embudo_sql::literal::normalise_json;
/// assert_eq!(normalise_json(r#"{"b": 1, "a": "x", "b": 2}"#).unwrap().unwrap(), r#"{"a":"x","b":1}"#);
/// assert!(normalise_json("[1]").is_err());
/// assert_eq!(normalise_json(" ").unwrap(), None);
/// ```
pub fn normalise_json(text: &str) -> embudo_types::Result<Option<String>> {
    normalise(text).map_err(|refusal| refusal.near(text))
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn peek(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.rest = &self.rest[wanted.len_utf8()..];
        }
        found
    }

    fn expect(&mut self, wanted: char) -> Result<(), Refusal> {
        if self.eat(wanted) { Ok(()) } else { Err(PARSE_ERROR.into()) }
    }

    fn object(&mut self) -> Result<BTreeMap<String, String>, Refusal> {
        let mut members = BTreeMap::new();
        self.expect('{')?;
        if self.eat('}') {
            return Ok(members);
        }
        loop {
            self.peek();
            let key = self.string()?;
            if key.len() > MAX_KEY {
                return Err(syntax_error(&key, "json key too long, more than 256").into());
            }
            if key.chars().any(|character| !(' '..='~').contains(&character)) {
                return Err(syntax_error(&key, "json key not validate").into());
            }
            self.expect(':')?;
            let value = self.value()?;
            if !key.is_empty() {
                members.entry(key).or_insert(value);
            }
            if !self.eat(',') {
                self.expect('}')?;
                return Ok(members);
            }
        }
    }

    fn value(&mut self) -> Result<String, Refusal> {
        match self.peek() {
            Some('"') => {
                let text = self.string()?;
                let mut out = String::with_capacity(text.len() + 2);
                quote(&text, &mut out);
                Ok(out)
            }
            Some('{' | '[') => Err("invalidate json value".into()),
            Some('-' | '0'..='9') => self.number(),
            _ => {
                for word in ["true", "false", "null"] {
                    if let Some(rest) = self.rest.strip_prefix(word) {
                        self.rest = rest;
                        return Ok(word.to_owned());
                    }
                }
                Err(PARSE_ERROR.into())
            }
        }
    }

    fn number(&mut self) -> Result<String, Refusal> {
        let end = self.rest.find(|character: char| !matches!(character, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(self.rest.len());
        let (text, rest) = self.rest.split_at(end);
        let value: f64 = text.parse().map_err(|_| Refusal::from(PARSE_ERROR))?;
        if !value.is_finite() {
            return Err("json number overflow".into());
        }
        self.rest = rest;
        // Every number is a DOUBLE; a whole one keeps its short form.
        Ok(value.to_string())
    }

    fn string(&mut self) -> Result<String, Refusal> {
        let error = || Refusal::from(PARSE_ERROR);
        let body = self.rest.strip_prefix('"').ok_or_else(error)?;
        let mut text = String::new();
        let mut characters = body.char_indices();
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.rest = &body[at + 1..];
                    return Ok(text);
                }
                '\\' => match characters.next().ok_or_else(error)?.1 {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    'b' => text.push('\u{8}'),
                    'f' => text.push('\u{c}'),
                    'u' => {
                        let mut unit = || {
                            let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                            u16::from_str_radix(&digits, 16).map_err(|_| error())
                        };
                        let first = unit()?;
                        let units = if (0xd800..0xdc00).contains(&first) {
                            if characters.next().map(|(_, c)| c) != Some('\\') || characters.next().map(|(_, c)| c) != Some('u') {
                                return Err(error());
                            }
                            let digits: String = characters.by_ref().take(4).map(|(_, digit)| digit).collect();
                            vec![first, u16::from_str_radix(&digits, 16).map_err(|_| error())?]
                        } else {
                            vec![first]
                        };
                        text.push_str(&String::from_utf16(&units).map_err(|_| error())?);
                    }
                    plain @ ('"' | '\\' | '/') => text.push(plain),
                    _ => return Err(error()),
                },
                plain => text.push(plain),
            }
        }
        Err(error())
    }
}

/// `text` as a JSON string.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => out.extend(format!("\\u{:04x}", control as u32).chars()),
            plain => out.push(plain),
        }
    }
    out.push('"');
}
