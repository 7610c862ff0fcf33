//! LIKE with its wildcards, MATCH with regular expressions.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, cast::AsArray};
use arrow_buffer::BooleanBuffer;
use embudo_types::{DataType, Error, Result, Value, code};
use regex::bytes::Regex;

use crate::BoundExpr;
use crate::bound::Kernel;
use crate::convert::TextColumn;
use crate::datum::{Datum, bytes_of};
use crate::json;

/// A compiled LIKE pattern: `%` is any run, `_` one character (one byte of a VARCHAR, as TDengine counts), `\%` and `\_` themselves.
#[derive(Debug)]
pub(crate) enum Like {
    /// No wildcard.
    Exact(Vec<u8>),
    /// `text%`.
    Prefix(Vec<u8>),
    /// `%text`.
    Suffix(Vec<u8>),
    /// `%text%`.
    Infix(Vec<u8>),
    /// Anything else.
    Tokens(Vec<Token>),
}

/// A piece of a pattern.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token {
    /// `%`.
    Run,
    /// `_`.
    One,
    /// A byte.
    Byte(u8),
}

impl Like {
    /// Compiles a pattern.
    pub(crate) fn new(pattern: &[u8]) -> Self {
        let tokens = tokens(pattern);
        let literal = |tokens: &[Token]| tokens.iter().map(|token| if let Token::Byte(byte) = token { Some(*byte) } else { None }).collect::<Option<Vec<u8>>>();
        let whole = match tokens.as_slice() {
            [Token::Run, middle @ .., Token::Run] => literal(middle).map(Self::Infix),
            [Token::Run, rest @ ..] => literal(rest).map(Self::Suffix),
            [rest @ .., Token::Run] => literal(rest).map(Self::Prefix),
            all => literal(all).map(Self::Exact),
        };
        whole.unwrap_or(Self::Tokens(tokens))
    }

    fn matches(&self, text: &[u8], characters: bool) -> bool {
        match self {
            Self::Exact(literal) => text == literal.as_slice(),
            Self::Prefix(literal) => text.starts_with(literal),
            Self::Suffix(literal) => text.ends_with(literal),
            Self::Infix(literal) => literal.is_empty() || text.windows(literal.len()).any(|window| window == literal.as_slice()),
            Self::Tokens(tokens) => matches_tokens(tokens, text, characters),
        }
    }
}

fn tokens(pattern: &[u8]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::with_capacity(pattern.len());
    let mut rest = pattern.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let token = match byte {
            b'\\' if matches!(rest.peek(), Some(b'%' | b'_')) => Token::Byte(rest.next().unwrap_or(byte)),
            b'%' => Token::Run,
            b'_' => Token::One,
            other => Token::Byte(other),
        };
        if token != Token::Run || tokens.last() != Some(&Token::Run) {
            tokens.push(token);
        }
    }
    tokens
}

/// Greedy with one step back to the last `%`: linear in text times pattern.
fn matches_tokens(tokens: &[Token], text: &[u8], characters: bool) -> bool {
    let step = |at: usize| if characters { 1 + text[at + 1..].iter().take_while(|byte| **byte & 0xC0 == 0x80).count() } else { 1 };
    let (mut at, mut token) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        match tokens.get(token) {
            Some(Token::Run) => {
                retry = Some((at, token + 1));
                token += 1;
                continue;
            }
            Some(Token::One) if at < text.len() => {
                at += step(at);
                token += 1;
                continue;
            }
            Some(Token::Byte(byte)) if text.get(at) == Some(byte) => {
                at += 1;
                token += 1;
                continue;
            }
            None if at == text.len() => return true,
            _ => {}
        }
        let Some((from, resume)) = retry else { return false };
        if from >= text.len() {
            return false;
        }
        let next = from + step(from);
        retry = Some((next, resume));
        (at, token) = (next, resume);
    }
}

/// What text is matched against.
pub(crate) enum Pattern {
    /// LIKE.
    Like(Like),
    /// MATCH.
    Regex(Regex),
}

impl Pattern {
    /// Compiles a regular expression.
    pub(crate) fn regex(pattern: &[u8]) -> Result<Self> {
        let invalid = || Error::with(code::INVALID_VALUE_TYPE, format!("Invalid regular expression: {}", String::from_utf8_lossy(pattern)));
        let text = std::str::from_utf8(pattern).map_err(|_| invalid())?;
        Regex::new(&format!("(?s){text}")).map(Self::Regex).map_err(|source| invalid().caused_by(source))
    }
}

/// `text [NOT] LIKE pattern`, `text MATCH regex`, `text NMATCH regex`.
pub(crate) struct Matches {
    pub(crate) pattern: Pattern,
    pub(crate) negated: bool,
}

impl Matches {
    fn holds(&self, text: &[u8], characters: bool) -> bool {
        let found = match &self.pattern {
            Pattern::Like(like) => like.matches(text, characters),
            Pattern::Regex(regex) => regex.is_match(text),
        };
        found != self.negated
    }
}

impl Kernel for Matches {
    fn evaluate(&self, arguments: &[BoundExpr], columns: &[ArrayRef], rows: usize) -> Result<Datum> {
        let data_type = arguments[0].data_type();
        let characters = matches!(data_type, DataType::NChar(_));
        let array = match arguments[0].datum(columns, rows)? {
            Datum::Scalar(value) => return Ok(Datum::Scalar(bytes_of(&value).map_or(Value::Null, |text| Value::Bool(self.holds(text, characters))))),
            Datum::Array(array) => array,
        };
        if data_type == DataType::Json {
            // Only strings match; other kinds of value satisfy neither the operator nor its negation.
            let holds = |cell: &str| matches!(json::scalar(cell), Some(json::Scalar::Text(text)) if self.holds(text.as_bytes(), true));
            let array = array.as_string_opt::<i32>().ok_or_else(|| Error::internal("JSON is not text"))?;
            return Ok(Datum::Array(Arc::new(array.iter().map(|cell| cell.map(holds)).collect::<BooleanArray>())));
        }
        let column = TextColumn::new(&array)?;
        let bits = BooleanBuffer::collect_bool(column.len(), |row| array.is_valid(row) && self.holds(column.value(row), characters));
        Ok(Datum::Array(Arc::new(BooleanArray::new(bits, array.nulls().cloned()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn like(text: &str, pattern: &str) -> bool {
        Like::new(pattern.as_bytes()).matches(text.as_bytes(), true)
    }

    #[test]
    fn wildcards_and_escapes() {
        for (text, pattern) in [
            ("gamma delta", "%a"),
            ("Zeta", "_eta"),
            ("x_y%z", "x\\_y%"),
            ("涛思数据", "____"),
            ("涛思数据", "%思%"),
            ("", "%"),
            ("", ""),
            ("a%b", "a\\%b"),
            ("abcabd", "%ab_"),
            ("aXbXc", "a%X_"),
        ] {
            assert!(like(text, pattern), "{text} LIKE {pattern}");
        }
        for (text, pattern) in [("xzy", "x\\_y"), ("Alpha", "alpha"), ("涛思数据", "___"), ("a", ""), ("", "_"), ("abc", "%d%"), ("aXbX", "a%X_")] {
            assert!(!like(text, pattern), "{text} LIKE {pattern}");
        }
    }

    proptest! {
        #[test]
        fn as_the_regular_expression_says(text in "[ab_]{0,8}", pattern in "[ab%_]{0,6}") {
            let regex = format!("^{}$", pattern.replace('_', ".").replace('%', ".*"));
            prop_assert_eq!(like(&text, &pattern), Regex::new(&regex).unwrap().is_match(text.as_bytes()));
        }
    }
}
