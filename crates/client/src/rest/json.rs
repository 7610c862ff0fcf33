//! Cuts a JSON text that arrives in pieces into whole values, without building any: enough for the answers of `/rest/sql`,
//! whose rows must become Arrow columns at the network's speed and in bounded memory.

use std::io::Read;

use embudo_types::{Error, Result, code};

/// What is read at first: most answers are small, and large buffers between small things that stay leave holes behind.
const FIRST_READ: usize = 8 * 1024;
const LARGEST_READ: usize = 256 * 1024;

/// A JSON text under way: what was read and not yet taken.
pub struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    start: usize,
    /// How much is asked for next.
    step: usize,
    ended: bool,
}

impl<R: Read> Source<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, step: FIRST_READ, ended: false }
    }

    /// The next byte that is no white space, not taken.
    pub fn peek(&mut self) -> Result<u8> {
        loop {
            while let Some(&byte) = self.buffer.get(self.start) {
                if !is_space(byte) {
                    return Ok(byte);
                }
                self.start += 1;
            }
            if !self.more()? {
                return Err(broken("ends too early"));
            }
        }
    }

    /// Takes `byte`, which must come next.
    pub fn expect(&mut self, byte: u8) -> Result<()> {
        if self.peek()? != byte {
            return Err(broken(format!("no '{}' where one belongs", char::from(byte))));
        }
        self.start += 1;
        Ok(())
    }

    /// Takes `byte` if it comes next.
    pub fn eat(&mut self, byte: u8) -> Result<bool> {
        let found = self.peek()? == byte;
        self.start += usize::from(found);
        Ok(found)
    }

    /// Takes one whole value, reading until it is there.
    pub fn value(&mut self) -> Result<&[u8]> {
        self.peek()?;
        let mut scan = Scan::default();
        loop {
            if let Some(end) = scan.end(&self.buffer[self.start..]) {
                let at = self.start;
                self.start += end;
                return Ok(&self.buffer[at..at + end]);
            }
            if !self.more()? {
                return Err(broken("ends within a value"));
            }
        }
    }

    /// Reads on to the text's end, which must be near: an HTTP connection is kept only when its answer was read whole.
    pub fn drain(&mut self) -> Result<()> {
        for _ in 0..4 {
            self.start = self.buffer.len();
            if !self.more()? {
                break;
            }
        }
        Ok(())
    }

    fn more(&mut self) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.buffer.drain(..self.start);
        self.start = 0;
        let filled = self.buffer.len();
        self.buffer.resize(filled + self.step, 0);
        let read = self
            .reader
            .read(&mut self.buffer[filled..])
            .map_err(|source| Error::with(code::CONN_IS_BROKEN, format!("the answer broke off: {source}")).caused_by(source))?;
        self.buffer.truncate(filled + read);
        if read == self.step {
            self.step = (self.step * 2).min(LARGEST_READ);
        }
        self.ended = read == 0;
        Ok(read > 0)
    }
}

/// The error of an answer that is not what it should be.
pub fn broken(what: impl std::fmt::Display) -> Error {
    Error::with(code::INVALID_JSON_FORMAT, format!("the server's answer is not the expected JSON: {what}"))
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\n' | b'\r' | b'\t')
}

/// Finds a value's end; goes on where it stopped when more bytes have come.
#[derive(Default)]
struct Scan {
    at: usize,
    depth: usize,
    in_string: bool,
}

impl Scan {
    /// Length of the value at the front of `text`, which must be followed by a byte if it is a number or word.
    fn end(&mut self, text: &[u8]) -> Option<usize> {
        while self.at < text.len() {
            let byte = text[self.at];
            if self.in_string {
                match byte {
                    b'\\' if self.at + 1 == text.len() => return None,
                    b'\\' => self.at += 1,
                    b'"' => {
                        self.in_string = false;
                        if self.depth == 0 {
                            return Some(self.at + 1);
                        }
                    }
                    _ => {}
                }
            } else {
                match byte {
                    b'"' => self.in_string = true,
                    b'[' | b'{' => self.depth += 1,
                    b']' | b'}' if self.depth == 0 => return Some(self.at),
                    b']' | b'}' => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Some(self.at + 1);
                        }
                    }
                    b',' | b':' | b' ' | b'\n' | b'\r' | b'\t' if self.depth == 0 => return Some(self.at),
                    _ => {}
                }
            }
            self.at += 1;
        }
        None
    }
}

/// The elements of an array's text, one by one.
pub struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// Over the text of one array, brackets included.
    pub fn of(array: &'a [u8]) -> Result<Self> {
        match array {
            [b'[', inner @ .., b']'] => Ok(Self(inner)),
            _ => Err(broken("a row is no array")),
        }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let mut text = self.0;
        while let [byte, rest @ ..] = text {
            if !is_space(*byte) && *byte != b',' {
                break;
            }
            text = rest;
        }
        if text.is_empty() {
            return None;
        }
        // Plain strings, numbers and words, the common cells, need no bracket counting.
        let end = match text[0] {
            b'"' => Scan { at: 1, depth: 0, in_string: true }.end(text),
            b'[' | b'{' => Scan::default().end(text),
            _ => text.iter().position(|&byte| byte == b',' || is_space(byte)),
        };
        let (element, rest) = text.split_at(end.unwrap_or(text.len()));
        self.0 = rest;
        Some(element)
    }
}

/// Appends the text of a JSON string (quotes included) to `out`; bytes that are no UTF-8 pass through.
pub fn unescape(string: &[u8], out: &mut Vec<u8>) -> Result<()> {
    let [b'"', inner @ .., b'"'] = string else { return Err(broken("a text cell is no string")) };
    let mut rest = inner;
    while let Some(at) = rest.iter().position(|&byte| byte == b'\\') {
        out.extend_from_slice(&rest[..at]);
        let (&escape, after) = rest[at + 1..].split_first().ok_or_else(|| broken("a string ends in '\\'"))?;
        rest = after;
        match escape {
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'u' => rest = unicode(rest, out)?,
            other => out.push(other),
        }
    }
    out.extend_from_slice(rest);
    Ok(())
}

/// What follows `\u`: four hex digits, and the second half of a surrogate pair; an unpaired half becomes U+FFFD.
fn unicode<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8]> {
    let unit = |text: &[u8]| text.get(..4).and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    let first = unit(text).ok_or_else(|| broken("a broken \\u escape"))?;
    let mut rest = &text[4..];
    let mut point = first;
    if (0xD800..0xDC00).contains(&first)
        && rest.starts_with(b"\\u")
        && let Some(second) = unit(&rest[2..]).filter(|second| (0xDC00..0xE000).contains(second))
    {
        point = 0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00);
        rest = &rest[6..];
    }
    let letter = char::from_u32(point).unwrap_or(char::REPLACEMENT_CHARACTER);
    out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
    Ok(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives its bytes in pieces of one size.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let size = self.0.len().min(self.1).min(out.len());
            out[..size].copy_from_slice(&self.0[..size]);
            self.0 = &self.0[size..];
            Ok(size)
        }
    }

    #[test]
    fn values_are_cut_wherever_the_pieces_end() {
        let text = br#" {"a" : [1, "x]\"}", {"b":[null]}], "c":true } "#;
        for size in 1..text.len() {
            let mut source = Source::new(Pieces(text, size));
            source.expect(b'{').unwrap();
            assert_eq!(source.value().unwrap(), br#""a""#);
            source.expect(b':').unwrap();
            assert_eq!(source.value().unwrap(), br#"[1, "x]\"}", {"b":[null]}]"#);
            assert!(source.eat(b',').unwrap());
            assert_eq!(source.value().unwrap(), br#""c""#);
            source.expect(b':').unwrap();
            assert_eq!(source.value().unwrap(), b"true");
            source.expect(b'}').unwrap();
            assert!(source.peek().is_err());
        }
    }

    #[test]
    fn elements_of_a_row() {
        let row = br#"[1, "a,\"]",null,{"k":[1,2]} ,-1.5e3,"\u00e9\ud83d\ude00\n"]"#;
        let elements: Vec<_> = Elements::of(row).unwrap().collect();
        assert_eq!(elements.len(), 6);
        assert_eq!(elements[3], br#"{"k":[1,2]}"#);
        assert_eq!(elements[4], b"-1.5e3");
        let mut text = Vec::new();
        unescape(elements[5], &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "é😀\n");
        assert_eq!(Elements::of(b"[]").unwrap().count(), 0);
    }

    proptest! {
        #[test]
        fn any_text_comes_back(texts in prop::collection::vec("\\PC{0,20}", 0..5), size in 1_usize..40) {
            let json = serde_json::to_vec(&texts).unwrap();
            let mut source = Source::new(Pieces(&json, size));
            let array = source.value().unwrap().to_vec();
            prop_assert_eq!(&array, &json);
            let read: Vec<_> = Elements::of(&array).unwrap().map(|element| {
                let mut out = Vec::new();
                unescape(element, &mut out).unwrap();
                String::from_utf8(out).unwrap()
            }).collect();
            prop_assert_eq!(read, texts);
        }
    }
}
