//! Recursive descent over the tokens of one statement: this file has the cursor, names and errors; each family of statements its own.

mod administration;
mod database;
mod expr;
mod query;
mod show;
mod statement;
mod table;

use embudo_types::{Code, Duration, Error, Result, code};

use crate::{
    MAX_STATEMENT,
    ast::{ObjectName, Statement, expr::Expr},
    lexer::{self, Token, TokenKind},
};

/// Nesting of parentheses, subqueries, CASE and joins, so that no statement can exhaust the stack.
const MAX_DEPTH: u32 = 128;

/// Height of an expression in steps of the stack that it costs: levels of nesting, of AND and OR, links of arithmetic.
const MAX_HEIGHT: u32 = 1024;
const LEVEL: u32 = 4;
const LINK: u32 = 2;

/// Longest name of a database, a column, a tag or an index in bytes.
pub(crate) const MAX_COLUMN_NAME: usize = 64;
/// Longest name of a table, topic or stream in bytes.
pub(crate) const MAX_TABLE_NAME: usize = 192;

/// The tree of one statement; what follows a semicolon is not read. INSERT … VALUES has no tree: see [`crate::insert`].
///
/// ```
/// let statement = embudo_sql::parse("SELECT COUNT(*) FROM meters WHERE ts > NOW - 1h;").unwrap();
/// assert_eq!(statement.to_string(), "SELECT count(*) FROM `meters` WHERE `ts` > now - 1h");
/// let error = embudo_sql::parse("SELECT FROM t").unwrap_err();
/// assert_eq!(error.to_string(), "[0x2600]: syntax error near \"from t\"");
/// ```
pub fn parse(sql: &str) -> Result<Statement> {
    if sql.len() > MAX_STATEMENT {
        return Err(Error::new(code::SQL_STATEMENT_TOO_LONG));
    }
    let folded = lexer::fold(sql);
    let mut parser = Parser::new(&folded);
    let statement = parser.statement()?;
    if !parser.at_end() {
        return Err(parser.unexpected());
    }
    Ok(statement)
}

/// The tree of one expression, such as a condition that was kept as text.
pub fn parse_expression(sql: &str) -> Result<Expr> {
    let folded = lexer::fold(sql);
    let mut parser = Parser::new(&folded);
    let expr = parser.expression()?;
    if parser.at_end() { Ok(expr) } else { Err(parser.unexpected()) }
}

/// A cursor over a folded statement.
pub(crate) struct Parser<'a> {
    sql: &'a str,
    token: Token,
    /// The token before `token`.
    previous: Token,
    depth: u32,
    /// Of the highest expression that ended since whoever measures began.
    height: u32,
    /// `?` so far.
    parameters: usize,
}

impl<'a> Parser<'a> {
    pub(crate) fn new(sql: &'a str) -> Self {
        let token = lexer::next_token(sql, 0);
        Self { sql, token, previous: Token { kind: TokenKind::End, start: 0, end: 0 }, depth: 0, height: 0, parameters: 0 }
    }

    // ---- the cursor ----

    fn advance(&mut self) -> Token {
        let token = self.token;
        self.previous = token;
        self.token = lexer::next_token(self.sql, token.end);
        token
    }

    fn peek(&self) -> Token {
        lexer::next_token(self.sql, self.token.end)
    }

    fn text(&self, token: Token) -> &'a str {
        &self.sql[token.start..token.end]
    }

    fn at(&self, kind: TokenKind) -> bool {
        self.token.kind == kind
    }

    pub(crate) fn at_end(&self) -> bool {
        matches!(self.token.kind, TokenKind::End | TokenKind::Semicolon)
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.at(kind);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, kind: TokenKind) -> Result<Token> {
        if self.at(kind) { Ok(self.advance()) } else { Err(self.unexpected()) }
    }

    fn is_word(&self, token: Token, word: &str) -> bool {
        token.kind == TokenKind::Word && self.text(token) == word
    }

    /// Whether the cursor stands on a keyword, given in lower case.
    fn at_word(&self, word: &str) -> bool {
        self.is_word(self.token, word)
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<()> {
        if self.eat_word(word) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// The keyword under the cursor, or an empty text that is no keyword.
    fn word(&self) -> &'a str {
        if self.at(TokenKind::Word) { self.text(self.token) } else { "" }
    }

    /// One or more, separated by commas.
    fn comma_separated<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let mut items = vec![item(self)?];
        while self.eat(TokenKind::Comma) {
            items.push(item(self)?);
        }
        Ok(items)
    }

    /// `( … )`.
    fn parenthesised<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.expect(TokenKind::LeftParen)?;
        let value = inner(self)?;
        self.expect(TokenKind::RightParen)?;
        Ok(value)
    }

    /// Runs `inner` one level deeper.
    fn nested<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.unexpected());
        }
        self.depth += 1;
        let result = self.measured(|parser| {
            let result = inner(parser)?;
            parser.grow(LEVEL)?;
            Ok(result)
        });
        self.depth -= 1;
        result
    }

    /// Runs `inner` with a height that begins anew; the higher one stays.
    fn measured<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let beside = std::mem::take(&mut self.height);
        let result = inner(self);
        self.height = self.height.max(beside);
        result
    }

    /// The expression that is being measured got higher.
    fn grow(&mut self, height: u32) -> Result<()> {
        self.height += height;
        if self.height > MAX_HEIGHT { Err(self.unexpected()) } else { Ok(()) }
    }

    // ---- errors ----

    /// The error of a statement that cannot go on with the token under the cursor.
    fn unexpected(&self) -> Error {
        self.unexpected_at(self.token)
    }

    fn unexpected_at(&self, token: Token) -> Error {
        let rest = &self.sql[token.start..];
        match token.kind {
            TokenKind::End => Error::new(code::INCOMPLETE_SQL_STATEMENT),
            TokenKind::Illegal => Error::with(code::SYNTAX_ERROR_NEAR, format!("unrecognized token: \"{rest}\"")),
            _ => Error::with(code::SYNTAX_ERROR_NEAR, format!("syntax error near \"{rest}\"")),
        }
        .at(token.start)
    }

    fn error(code: Code, message: impl Into<String>) -> Error {
        Error::with(code, message)
    }

    // ---- names ----

    /// A name of at most `limit` bytes: a word that is not reserved, or anything in backticks.
    fn name(&mut self, limit: usize) -> Result<String> {
        let token = self.token;
        let (name, start) = match token.kind {
            TokenKind::Word if !lexer::is_reserved(self.text(token)) => (self.text(token).to_owned(), token.start),
            TokenKind::Quoted => (lexer::quoted_name(self.text(token)), token.start + 1),
            _ => return Err(self.unexpected()),
        };
        if name.is_empty() {
            return Err(Error::new(code::OUT_OF_MEMORY).at(token.start));
        }
        if name.len() > limit {
            return Err(Self::error(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {}", &self.sql[start..])).at(token.start));
        }
        self.advance();
        Ok(name)
    }

    fn column_name(&mut self) -> Result<String> {
        self.name(MAX_COLUMN_NAME)
    }

    fn database_name(&mut self) -> Result<String> {
        self.name(MAX_COLUMN_NAME)
    }

    fn table_name(&mut self) -> Result<String> {
        self.name(MAX_TABLE_NAME)
    }

    /// `[database.]name`.
    fn object_name(&mut self) -> Result<ObjectName> {
        let token = self.token;
        let first = self.table_name()?;
        if !self.eat(TokenKind::Dot) {
            return Ok(ObjectName::bare(first));
        }
        if first.len() > MAX_COLUMN_NAME {
            let start = token.start + usize::from(token.kind == TokenKind::Quoted);
            return Err(Self::error(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {}", &self.sql[start..])).at(token.start));
        }
        Ok(ObjectName { database: Some(first), name: self.table_name()? })
    }

    /// `[database.]` before a keyword, as in SHOW.
    fn database_prefix(&mut self) -> Result<Option<String>> {
        if self.peek().kind != TokenKind::Dot {
            return Ok(None);
        }
        let name = self.database_name()?;
        self.expect(TokenKind::Dot)?;
        Ok(Some(name))
    }

    /// A name that is being made: without a point.
    fn check_no_point(name: &str, what: &str) -> Result<()> {
        if name.contains('.') {
            return Err(Self::error(code::INVALID_IDENTIFIER_NAME, format!("The {what} name cannot contain '.'")));
        }
        Ok(())
    }

    // ---- literals ----

    fn string(&mut self) -> Result<String> {
        let token = self.expect(TokenKind::String)?;
        Ok(lexer::string_text(self.text(token)).into_owned())
    }

    /// A whole number without a sign; beyond 63 bits it is the greatest.
    fn integer(&mut self) -> Result<i64> {
        let token = self.expect(TokenKind::Integer)?;
        Ok(self.text(token).parse().unwrap_or(i64::MAX))
    }

    fn signed_integer(&mut self) -> Result<i64> {
        if self.eat(TokenKind::Minus) {
            return Ok(-self.integer()?);
        }
        self.eat(TokenKind::Plus);
        self.integer()
    }

    fn duration(&mut self) -> Result<Duration> {
        if !self.at(TokenKind::Duration) {
            return Err(self.unexpected());
        }
        let duration = Duration::parse(self.text(self.token)).map_err(|_| self.unexpected())?;
        self.advance();
        Ok(duration)
    }

    fn signed_duration(&mut self) -> Result<Duration> {
        let negative = self.eat(TokenKind::Minus);
        let duration = self.duration()?;
        Ok(if negative { Duration { value: -duration.value, ..duration } } else { duration })
    }

    // ---- phrases ----

    fn if_exists(&mut self) -> Result<bool> {
        let found = self.eat_word("if");
        if found {
            self.expect_word("exists")?;
        }
        Ok(found)
    }

    fn if_not_exists(&mut self) -> Result<bool> {
        let found = self.eat_word("if");
        if found {
            self.expect_word("not")?;
            self.expect_word("exists")?;
        }
        Ok(found)
    }

    fn like(&mut self) -> Result<Option<String>> {
        if self.eat_word("like") { Ok(Some(self.string()?)) } else { Ok(None) }
    }
}

#[cfg(test)]
mod tests;
