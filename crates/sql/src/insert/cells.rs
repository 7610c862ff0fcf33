//! Cells: the common forms straight from bytes into the column, every other form by the lexer and [`crate::literal`].

use std::borrow::Cow;

use embudo_types::{DataType, Error, Result, Value, code};

use super::{ColumnRole, LayoutColumn, clock::Clock};
use crate::{
    columns::{Cells, ColumnBuilder},
    lexer::{self, TokenKind, is_space, is_word},
    literal::{self, LiteralContext, Scalar},
    parser::MAX_TABLE_NAME,
};

/// A column and what it is for.
pub(super) struct Column<'l> {
    pub(super) layout: &'l LayoutColumn,
    pub(super) builder: ColumnBuilder,
}

/// Reads cells from a statement, or from a line of a file.
pub(super) struct CellReader<'a> {
    pub(super) sql: &'a str,
    pub(super) at: usize,
    pub(super) clock: Clock<'a>,
    /// `?` so far.
    pub(super) parameters: usize,
}

/// What TDengine says of a row with more or fewer cells than columns.
pub(super) fn wrong_number() -> Error {
    Error::new(code::ILLEGAL_NUMBER_OF_COLUMNS)
}

/// Exact powers of ten.
const POWERS: [f64; 23] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22];

/// A whole number of up to 18 digits that nothing but a space or punctuation follows, and its length.
fn short_integer(bytes: &[u8]) -> Option<(i64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut value = 0_i64;
    let mut at = start;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if at - start == 18 {
            return None;
        }
        value = value * 10 + i64::from(digit);
        at += 1;
    }
    let ends = at > start && bytes.get(at).is_none_or(|&byte| byte != b'.' && !is_word(byte));
    ends.then_some((if negative { -value } else { value }, at))
}

/// A decimal number whose nearest double one division gives, and its length.
fn short_float(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let mut mantissa = 0_u64;
    let mut at = start;
    while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
        at += 1;
    }
    let mut digits = at - start;
    let mut scale = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = bytes.get(at).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        scale = at - point;
        digits += scale;
    }
    if digits == 0 || digits > 18 || mantissa >= 1 << 53 || bytes.get(at).is_some_and(|&byte| byte == b'.' || is_word(byte)) {
        return None;
    }
    let value = mantissa as f64 / POWERS.get(scale)?;
    Some((if negative { -value } else { value }, at))
}

/// Any other finite decimal number, by the standard library's correctly rounding reader, and its length.
fn long_float(bytes: &[u8]) -> Option<(f64, usize)> {
    let start = usize::from(bytes.first() == Some(&b'-'));
    if !bytes.get(start)?.is_ascii_digit() {
        return None;
    }
    let (kind, length) = lexer::number(&bytes[start..]);
    let length = start + length;
    if !matches!(kind, TokenKind::Integer | TokenKind::Float) || bytes.get(length).is_some_and(|&byte| is_word(byte)) {
        return None;
    }
    let value: f64 = std::str::from_utf8(&bytes[..length]).ok()?.parse().ok()?;
    (value.is_finite() && !value.is_subnormal()).then_some((value, length))
}

/// A quoted text without escapes: its bytes and the length with the quotes.
fn plain_string(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let quote = *bytes.first()?;
    if quote != b'\'' && quote != b'"' {
        return None;
    }
    let body = &bytes[1..];
    let end = body.iter().position(|&byte| byte == quote || byte == b'\\')?;
    (body[end] == quote && body.get(end + 1) != Some(&quote)).then(|| (&body[..end], end + 2))
}

/// Whether `bytes` start with a word in any case and end with it.
fn starts_with_word(bytes: &[u8], word: &[u8]) -> bool {
    bytes.len() >= word.len() && bytes[..word.len()].eq_ignore_ascii_case(word) && bytes.get(word.len()).is_none_or(|&byte| !is_word(byte))
}

macro_rules! push_integer {
    ($cells:expr, $bytes:expr) => {
        match short_integer($bytes) {
            Some((value, length)) => match value.try_into() {
                Ok(value) => {
                    $cells.push(value);
                    length
                }
                Err(_) => 0,
            },
            None => 0,
        }
    };
}

impl<'a> CellReader<'a> {
    pub(super) fn rest(&self) -> &'a [u8] {
        &self.sql.as_bytes()[self.at..]
    }

    pub(super) fn skip_space(&mut self) {
        while self.sql.as_bytes().get(self.at).is_some_and(|&byte| is_space(byte)) {
            self.at += 1;
        }
    }

    /// The error at a byte: what stands there in lower case, and why it is wrong.
    pub(super) fn error_at(&self, at: usize, reason: &str) -> Error {
        literal::syntax_error(&lexer::fold(&self.sql[at..]), reason).at(at)
    }

    /// The cells of a row to the closing parenthesis, or in a file to the end of the line.
    pub(super) fn row(&mut self, columns: &mut [Column<'_>], context: &LiteralContext<'_>, close: Option<u8>) -> Result<()> {
        let last = columns.len() - 1;
        for (place, column) in columns.iter_mut().enumerate() {
            self.skip_space();
            self.cell(column, context)?;
            self.skip_space();
            let next = self.sql.as_bytes().get(self.at).copied();
            if place < last {
                if next != Some(b',') {
                    return Err(self.error_at(self.at, ", expected"));
                }
            } else if next == Some(b',') {
                return Err(wrong_number());
            } else if next != close {
                return Err(self.error_at(self.at, ") expected"));
            }
            self.at += usize::from(next.is_some());
        }
        Ok(())
    }

    fn cell(&mut self, column: &mut Column<'_>, context: &LiteralContext<'_>) -> Result<()> {
        let length = self.short_cell(column);
        if length > 0 {
            self.at += length;
            return Ok(());
        }
        self.long_cell(column, context)
    }

    /// Reads a cell in one of the common forms; 0 if it is in none, and nothing is read then.
    #[inline]
    fn short_cell(&mut self, column: &mut Column<'_>) -> usize {
        let bytes = self.rest();
        if column.layout.role == ColumnRole::TableName {
            return 0;
        }
        let length = match &mut column.builder.cells {
            Cells::I8(cells) => push_integer!(cells, bytes),
            Cells::I16(cells) => push_integer!(cells, bytes),
            Cells::I32(cells) => push_integer!(cells, bytes),
            Cells::I64(cells) => push_integer!(cells, bytes),
            Cells::U8(cells) => push_integer!(cells, bytes),
            Cells::U16(cells) => push_integer!(cells, bytes),
            Cells::U32(cells) => push_integer!(cells, bytes),
            Cells::U64(cells) => push_integer!(cells, bytes),
            Cells::F64(cells) => match short_float(bytes).or_else(|| long_float(bytes)) {
                Some((value, length)) => {
                    cells.push(value);
                    length
                }
                None => 0,
            },
            Cells::F32(cells) => match short_float(bytes) {
                Some((value, length)) => {
                    cells.push(value as f32);
                    length
                }
                None => 0,
            },
            Cells::Ticks(cells, precision) => {
                let read = if bytes.first() == Some(&b'\'') { self.clock.read(bytes, *precision) } else { short_integer(bytes) };
                match read {
                    // A sign after it moves it.
                    Some((value, length)) if !followed_by_sign(&bytes[length..]) => {
                        cells.push(value);
                        length
                    }
                    _ => 0,
                }
            }
            Cells::Bool(cells) => {
                if starts_with_word(bytes, b"true") {
                    cells.push(true);
                    4
                } else if starts_with_word(bytes, b"false") {
                    cells.push(false);
                    5
                } else {
                    0
                }
            }
            Cells::Bytes(texts) => match (plain_string(bytes), column.layout.data_type) {
                (Some((text, length)), DataType::Varchar(limit)) if text.len() <= limit as usize => {
                    texts.push(text);
                    length
                }
                _ => 0,
            },
            Cells::Chars(texts) => match (plain_string(bytes), column.layout.data_type) {
                // No text has more characters than bytes.
                (Some((text, length)), DataType::NChar(limit)) if text.len() <= limit as usize => {
                    texts.push(text);
                    length
                }
                _ => 0,
            },
            Cells::Decimal(..) => 0,
        };
        if length == 0 && column.layout.role == ColumnRole::Value && starts_with_word(bytes, b"null") {
            column.builder.push_null();
            return 4;
        }
        length
    }

    fn long_cell(&mut self, column: &mut Column<'_>, context: &LiteralContext<'_>) -> Result<()> {
        let start = self.at;
        if self.rest().first() == Some(&b')') {
            return Err(wrong_number());
        }
        let LayoutColumn { name, data_type, role } = column.layout;
        let value = self.literal(*data_type, name, context, false)?;
        match role {
            ColumnRole::Timestamp if value.is_null() => return Err(self.error_at(start, "Primary timestamp column should not be null")),
            ColumnRole::Key if value.is_null() => return Err(Error::new(code::PRIMARY_KEY_COLUMN_SHOULD_NOT_BE)),
            ColumnRole::TableName => check_table_name(&value)?,
            _ => {}
        }
        column.builder.push(&value)
    }

    /// The literal under the cursor as a value of `target`; bare words are taken as text where `words`.
    pub(super) fn literal(&mut self, target: DataType, name: &str, context: &LiteralContext<'_>, words: bool) -> Result<Value> {
        let token = lexer::next_token(self.sql, self.at);
        let text = &self.sql[token.start..token.end];
        let invalid = |reader: &Self| reader.error_at(token.start, literal::INVALID_DATA);
        self.at = token.end;
        let folded: Cow<'_, str>;
        let scalar = match token.kind {
            TokenKind::Question => return self.parameter(target, name, context),
            TokenKind::String => {
                folded = lexer::string_text(text);
                Scalar::Text(&folded)
            }
            TokenKind::Integer | TokenKind::Float | TokenKind::Hex | TokenKind::Binary => {
                folded = Cow::Owned(text.to_ascii_lowercase());
                Scalar::Number(&folded)
            }
            TokenKind::Plus | TokenKind::Minus => {
                let number = lexer::next_token(self.sql, token.end);
                if !matches!(number.kind, TokenKind::Integer | TokenKind::Float | TokenKind::Hex | TokenKind::Binary) {
                    return Err(invalid(self));
                }
                self.at = number.end;
                let sign = if token.kind == TokenKind::Minus { "-" } else { "" };
                folded = Cow::Owned(format!("{sign}{}", self.sql[number.start..number.end].to_ascii_lowercase()));
                Scalar::Number(&folded)
            }
            TokenKind::Word => {
                folded = Cow::Owned(text.to_ascii_lowercase());
                match folded.as_ref() {
                    "null" => Scalar::Null,
                    "true" => Scalar::Bool(true),
                    "false" => Scalar::Bool(false),
                    "now" | "today" => {
                        self.skip_parentheses();
                        if folded == "now" { Scalar::Now } else { Scalar::Today }
                    }
                    _ if words && target.is_text() && !lexer::is_reserved(&folded) => return self.bare_text(token.start, target, name, context),
                    _ => return Err(invalid(self)),
                }
            }
            _ => return Err(invalid(self)),
        };
        let near = |reader: &Self, refusal: literal::Refusal| {
            match scalar {
                Scalar::Text(text) => refusal.near(text),
                _ => refusal.near(&lexer::fold(&reader.sql[token.start..])),
            }
            .at(token.start)
        };
        let value = literal::convert_scalar(scalar, target, name, context).map_err(|refusal| near(self, refusal))?;
        let Value::Timestamp(ticks) = value else { return Ok(value) };
        match self.offset()? {
            None => Ok(value),
            Some(offset) => literal::shift(ticks, offset, context).map(Value::Timestamp).ok_or_else(|| near(self, "invalid timestamp".into())),
        }
    }

    /// `()` after NOW and TODAY.
    fn skip_parentheses(&mut self) {
        let open = lexer::next_token(self.sql, self.at);
        let close = lexer::next_token(self.sql, open.end);
        if open.kind == TokenKind::LeftParen && close.kind == TokenKind::RightParen {
            self.at = close.end;
        }
    }

    /// `+ 1s` or `- 1s` after a time.
    fn offset(&mut self) -> Result<Option<embudo_types::Duration>> {
        let sign = lexer::next_token(self.sql, self.at);
        if !matches!(sign.kind, TokenKind::Plus | TokenKind::Minus) {
            return Ok(None);
        }
        let token = lexer::next_token(self.sql, sign.end);
        if token.kind != TokenKind::Duration {
            return Err(self.error_at(token.start, "value expected in timestamp"));
        }
        self.at = token.end;
        let duration = embudo_types::Duration::parse(&self.sql[token.start..token.end])?;
        let value = if sign.kind == TokenKind::Minus { -duration.value } else { duration.value };
        Ok(Some(embudo_types::Duration { value, ..duration }))
    }

    /// Words and points without a space between them, in lower case.
    fn bare_text(&mut self, start: usize, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
        while self.rest().first().is_some_and(|&byte| is_word(byte) || byte == b'.') {
            self.at += 1;
        }
        let text = self.sql[start..self.at].to_ascii_lowercase();
        literal::convert_scalar(Scalar::Word(&text), target, name, context).map_err(|refusal| refusal.near(&text))
    }

    fn parameter(&mut self, target: DataType, name: &str, context: &LiteralContext<'_>) -> Result<Value> {
        let at = self.parameters;
        self.parameters += 1;
        literal::convert_value(context.parameters.get(at).ok_or_else(|| literal::missing_parameter(at))?, target, name, context)
    }
}

fn followed_by_sign(bytes: &[u8]) -> bool {
    let next = bytes.iter().find(|&&byte| !is_space(byte));
    matches!(next, Some(b'+' | b'-'))
}

/// A `tbname` cell names a child: not NULL, not empty, not too long, without a point.
fn check_table_name(value: &Value) -> Result<()> {
    let Value::Varchar(name) = value else {
        return Err(Error::with(code::INVALID_OPERATION, "tbname column should not be null"));
    };
    if name.is_empty() {
        return Err(Error::with(code::INVALID_OPERATION, "tbname should not be empty"));
    }
    if name.len() > MAX_TABLE_NAME {
        return Err(Error::with(code::INVALID_OPERATION, "tbname is too long"));
    }
    if name.contains(&b'.') {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, "tbname can not contain '.'"));
    }
    Ok(())
}
