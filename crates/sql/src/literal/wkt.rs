//! Well-known text to well-known binary (OGC 06-103r4, little-endian, two dimensions).

/// Points in one shape.
const MAX_POINTS: usize = 4_094;
/// Shapes inside shapes.
const MAX_NESTING: usize = 16;

/// WKB of a WKT shape, or the reason it is none.
///
/// ```
/// use embudo_sql::literal::wkt_to_wkb;
/// assert_eq!(wkt_to_wkb("POINT(1 2)").unwrap().len(), 21);
/// assert_eq!(wkt_to_wkb("POINT(1)").unwrap_err(), "ParseException: Expected number but encountered ')'");
/// ```
pub fn wkt_to_wkb(text: &str) -> Result<Vec<u8>, String> {
    let mut reader = Reader { rest: text, points: 0 };
    let mut out = Vec::new();
    reader.shape(&mut out, 0)?;
    match reader.token() {
        Token::End => Ok(out),
        other => Err(format!("ParseException: Unexpected text after end of geometry: '{}'", other.text())),
    }
}

#[derive(Clone, Copy)]
enum Token<'a> {
    Word(&'a str),
    Number(f64, &'a str),
    Symbol(&'a str),
    End,
}

impl<'a> Token<'a> {
    fn text(self) -> &'a str {
        match self {
            Token::Word(text) | Token::Number(_, text) | Token::Symbol(text) => text,
            Token::End => "",
        }
    }
}

struct Reader<'a> {
    rest: &'a str,
    points: usize,
}

fn expected(what: &str, got: Token<'_>) -> String {
    match got {
        Token::End => format!("ParseException: Expected {what} but encountered end of stream"),
        Token::Word(text) => format!("ParseException: Expected {what} but encountered word: '{}'", text.to_uppercase()),
        Token::Number(value, _) => format!("ParseException: Expected {what} but encountered number: '{value}'"),
        Token::Symbol(text) => format!("ParseException: Expected {what} but encountered '{text}'"),
    }
}

impl<'a> Reader<'a> {
    fn token(&mut self) -> Token<'a> {
        self.rest = self.rest.trim_start();
        let Some(first) = self.rest.chars().next() else { return Token::End };
        let is_number = |c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.');
        let end = if is_number(first) {
            self.rest.find(|c: char| !is_number(c) && !matches!(c, 'e' | 'E')).unwrap_or(self.rest.len())
        } else if first.is_alphabetic() {
            self.rest.find(|c: char| !c.is_alphanumeric()).unwrap_or(self.rest.len())
        } else {
            first.len_utf8()
        };
        let (text, rest) = self.rest.split_at(end);
        self.rest = rest;
        match text.parse() {
            Ok(value) if is_number(first) => Token::Number(value, text),
            _ if first.is_alphabetic() => Token::Word(text),
            _ => Token::Symbol(text),
        }
    }

    fn number(&mut self) -> Result<f64, String> {
        match self.token() {
            Token::Number(value, _) => Ok(value),
            other => Err(expected("number", other)),
        }
    }

    /// `(` (true) or EMPTY (false).
    fn opens(&mut self) -> Result<bool, String> {
        match self.token() {
            Token::Symbol("(") => Ok(true),
            Token::Word(word) if word.eq_ignore_ascii_case("empty") => Ok(false),
            other => Err(expected("'Z', 'M', 'ZM', 'EMPTY' or '('", other)),
        }
    }

    /// `,` (true) or `)` (false).
    fn goes_on(&mut self) -> Result<bool, String> {
        match self.token() {
            Token::Symbol(",") => Ok(true),
            Token::Symbol(")") => Ok(false),
            other => Err(expected("',' or ')'", other)),
        }
    }

    /// `( item, … )` or EMPTY, written with its count before it.
    fn list(&mut self, out: &mut Vec<u8>, mut item: impl FnMut(&mut Self, &mut Vec<u8>) -> Result<(), String>) -> Result<u32, String> {
        let at = out.len();
        out.extend(0_u32.to_le_bytes());
        let mut count = 0_u32;
        if self.opens()? {
            loop {
                item(self, out)?;
                count += 1;
                if !self.goes_on()? {
                    break;
                }
            }
        }
        out[at..at + 4].copy_from_slice(&count.to_le_bytes());
        Ok(count)
    }

    fn position(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        self.points += 1;
        if self.points > MAX_POINTS {
            return Err(format!("IllegalArgumentException: more than {MAX_POINTS} points"));
        }
        out.extend(self.number()?.to_le_bytes());
        out.extend(self.number()?.to_le_bytes());
        Ok(())
    }

    fn positions(&mut self, out: &mut Vec<u8>) -> Result<u32, String> {
        self.list(out, Self::position)
    }

    /// A closed ring of a polygon.
    fn ring(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        let start = out.len() + 4;
        let count = self.positions(out)? as usize;
        if count > 0 && (count < 4 || out[start..start + 16] != out[out.len() - 16..]) {
            return Err("IllegalArgumentException: Points of LinearRing do not form a closed linestring".into());
        }
        Ok(())
    }

    fn shape(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), String> {
        let word = match self.token() {
            Token::Word(word) => word.to_ascii_uppercase(),
            other => return Err(expected("word", other)),
        };
        if depth > MAX_NESTING {
            return Err("ParseException: geometry collections are nested too deeply".into());
        }
        let kind: u32 = match word.as_str() {
            "POINT" => 1,
            "LINESTRING" => 2,
            "POLYGON" => 3,
            "MULTIPOINT" => 4,
            "MULTILINESTRING" => 5,
            "MULTIPOLYGON" => 6,
            "GEOMETRYCOLLECTION" => 7,
            _ => return Err(format!("ParseException: Unknown type: '{word}'")),
        };
        header(out, kind);
        match kind {
            1 => {
                if self.opens()? {
                    self.position(out)?;
                    match self.token() {
                        Token::Symbol(")") => {}
                        other => return Err(expected("')'", other)),
                    }
                } else {
                    out.extend([f64::NAN.to_le_bytes(), f64::NAN.to_le_bytes()].concat());
                }
            }
            2 => {
                if self.positions(out)? == 1 {
                    return Err("IllegalArgumentException: point array must contain 0 or >1 elements".into());
                }
            }
            3 => self.list(out, Self::ring).map(drop)?,
            4 => self.list(out, Self::inner_point).map(drop)?,
            5 => self
                .list(out, |reader, out| {
                    header(out, 2);
                    reader.positions(out).map(drop)
                })
                .map(drop)?,
            6 => self
                .list(out, |reader, out| {
                    header(out, 3);
                    reader.list(out, Self::ring).map(drop)
                })
                .map(drop)?,
            _ => self.list(out, |reader, out| reader.shape(out, depth + 1)).map(drop)?,
        }
        Ok(())
    }

    /// A point of MULTIPOINT, with or without its own parentheses.
    fn inner_point(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        header(out, 1);
        if !self.rest.trim_start().starts_with('(') {
            return self.position(out);
        }
        self.token();
        self.position(out)?;
        match self.token() {
            Token::Symbol(")") => Ok(()),
            other => Err(expected("')'", other)),
        }
    }
}

/// Byte order 1 (little-endian) and the type.
fn header(out: &mut Vec<u8>, kind: u32) {
    out.push(1);
    out.extend(kind.to_le_bytes());
}
