//! The structure of INSERT around its cells: tables, USING, column lists, VALUES and FILE.

use std::{
    io::{BufRead, BufReader},
    sync::Arc,
};

use embudo_types::{Error, Result, Value, code};

use super::{
    ColumnRole, InsertContext, InsertSink, Layout, LayoutColumn, TableClause, Using,
    cells::{CellReader, Column},
    clock::Clock,
};
use crate::{
    ast::ObjectName,
    columns::ColumnBuilder,
    lexer::{self, Token, TokenKind},
    literal::{LiteralContext, syntax_error},
    parser::{MAX_COLUMN_NAME, MAX_TABLE_NAME},
};

/// Rows of a file that are handed over at once.
const FILE_ROWS: usize = 1_000_000;
/// Bytes of a file that are handed over at once.
const FILE_BYTES: usize = 256 << 20;

/// Reads a whole statement.
pub(super) struct Reader<'a, 's> {
    cells: CellReader<'a>,
    context: &'a InsertContext<'a>,
    sink: &'s mut dyn InsertSink,
    /// Which of VALUES (false) and FILE (true) the statement uses.
    from_file: Option<bool>,
    rows: u64,
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(sql: &'a str, context: &'a InsertContext<'a>, sink: &'s mut dyn InsertSink) -> Self {
        let cells = CellReader { sql, at: 0, clock: Clock::new(context.zone), parameters: 0 };
        Self { cells, context, sink, from_file: None, rows: 0 }
    }

    /// Reads the statement and gives the number of its rows.
    pub(super) fn statement(mut self) -> Result<u64> {
        let verb = self.token();
        self.cells.at = verb.end;
        self.keyword("into", "keyword INTO is expected")?;
        loop {
            self.clause()?;
            let mut token = self.token();
            if token.kind == TokenKind::Comma {
                self.cells.at = token.end;
                token = self.token();
            }
            if matches!(token.kind, TokenKind::End | TokenKind::Semicolon) {
                return Ok(self.rows);
            }
        }
    }

    // ---- tokens ----

    /// The token under the cursor; a comment is none, since INSERT takes no comments.
    fn token(&mut self) -> Token {
        self.cells.skip_space();
        let at = self.cells.at;
        let rest = self.cells.rest();
        if rest.starts_with(b"--") || rest.starts_with(b"/*") {
            return Token { kind: TokenKind::Illegal, start: at, end: self.cells.sql.len() };
        }
        lexer::next_token(self.cells.sql, at)
    }

    fn text(&self, token: Token) -> &'a str {
        &self.cells.sql[token.start..token.end]
    }

    fn is_keyword(&self, token: Token, word: &str) -> bool {
        token.kind == TokenKind::Word && self.text(token).eq_ignore_ascii_case(word)
    }

    fn eat_keyword(&mut self, word: &str) -> bool {
        let token = self.token();
        let found = self.is_keyword(token, word);
        if found {
            self.cells.at = token.end;
        }
        found
    }

    fn keyword(&mut self, word: &str, reason: &str) -> Result<()> {
        if self.eat_keyword(word) { Ok(()) } else { Err(self.error(reason)) }
    }

    fn symbol(&mut self, kind: TokenKind, reason: &str) -> Result<()> {
        let token = self.token();
        if token.kind != kind {
            return Err(self.cells.error_at(token.start, reason));
        }
        self.cells.at = token.end;
        Ok(())
    }

    /// An error at the token under the cursor.
    fn error(&mut self, reason: &str) -> Error {
        let start = self.token().start;
        self.cells.error_at(start, reason)
    }

    // ---- names ----

    /// `[db.]table` without spaces, each part a word, in backticks or in quotes; or `?`.
    fn table_name(&mut self) -> Result<ObjectName> {
        let token = self.token();
        if token.kind == TokenKind::Question {
            self.cells.at = token.end;
            return self.bound_table_name();
        }
        let first = self.name_part(token)?;
        if self.cells.rest().first() != Some(&b'.') {
            return Ok(ObjectName::bare(first));
        }
        self.cells.at += 1;
        let token = self.token();
        if first.len() > MAX_COLUMN_NAME {
            return Err(Error::with(code::INVALID_OPERATION, "name too long"));
        }
        Ok(ObjectName { database: Some(first), name: self.name_part(token)? })
    }

    fn name_part(&mut self, token: Token) -> Result<String> {
        let text = self.text(token);
        let name = match token.kind {
            TokenKind::Word => text.to_ascii_lowercase(),
            TokenKind::Quoted => lexer::quoted_name(text),
            TokenKind::String => lexer::string_text(text).into_owned(),
            _ => return Err(self.cells.error_at(token.start, "table_name is expected")),
        };
        if token.kind == TokenKind::Word && lexer::is_reserved(&name) {
            return Err(self.cells.error_at(token.start, "table_name is expected"));
        }
        self.cells.at = token.end;
        // Recorded: backticks count.
        if name.is_empty() || text.len() > MAX_TABLE_NAME {
            return Err(Error::with(code::INVALID_OPERATION, "name too long"));
        }
        if name.contains('.') {
            return Err(Error::with(code::INVALID_IDENTIFIER_NAME, "The table name cannot contain '.'"));
        }
        Ok(name)
    }

    /// A table's name from a parameter.
    fn bound_table_name(&mut self) -> Result<ObjectName> {
        let at = self.cells.parameters;
        self.cells.parameters += 1;
        let text = match self.context.parameters.get(at) {
            Some(Value::Varchar(bytes)) => String::from_utf8(bytes.clone()).ok(),
            Some(Value::NChar(text)) => Some(text.clone()),
            _ => None,
        };
        let text = text.filter(|text| !text.is_empty()).ok_or_else(|| Error::new(code::STMT_TABLE_NAME_NOT_SET))?;
        let part = |part: &str| part.strip_prefix('`').and_then(|part| part.strip_suffix('`')).unwrap_or(part).to_owned();
        let name = match text.split_once('.') {
            Some((database, table)) => ObjectName { database: Some(part(database)), name: part(table) },
            None => ObjectName::bare(part(&text)),
        };
        if name.name.len() > MAX_TABLE_NAME {
            return Err(Error::with(code::INVALID_OPERATION, "name too long"));
        }
        Ok(name)
    }

    /// `( name, … )`: the commas may be missing.
    fn names(&mut self) -> Result<Vec<String>> {
        self.symbol(TokenKind::LeftParen, "( is expected")?;
        let mut names = Vec::new();
        loop {
            let token = self.token();
            let text = self.text(token);
            match token.kind {
                TokenKind::RightParen => {
                    self.cells.at = token.end;
                    return Ok(names);
                }
                TokenKind::End | TokenKind::Illegal => return Err(self.cells.error_at(token.start, ") expected")),
                TokenKind::Comma => {}
                TokenKind::Quoted => names.push(lexer::quoted_name(text)),
                _ => names.push(text.to_ascii_lowercase()),
            }
            self.cells.at = token.end;
        }
    }

    // ---- clauses ----

    /// One table and its rows.
    fn clause(&mut self) -> Result<()> {
        let table = self.table_name()?;
        let table_end = self.cells.at;
        let (columns, using) = match self.clause_head() {
            Ok(head) => head,
            Err(error) => {
                // That there is no such table is the better answer.
                if !matches!(error.code(), code::TABLE_DOES_NOT_EXIST_2603) && !self.names_supertable(table_end) {
                    self.sink.layout(TableClause { table, using: None, columns: None })?;
                }
                return Err(error);
            }
        };
        let from_file = self.source()?;
        let listed = columns.clone();
        let layout = self.sink.layout(TableClause { table, using, columns })?;
        self.check_layout(&layout, listed.as_deref(), table_end)?;
        if from_file { self.file(&layout) } else { self.values(&layout) }
    }

    /// Whether USING stands somewhere between the table's name and its rows.
    fn names_supertable(&self, from: usize) -> bool {
        let mut token = lexer::next_token(self.cells.sql, from);
        while !matches!(token.kind, TokenKind::End | TokenKind::Illegal) && !self.is_keyword(token, "values") && !self.is_keyword(token, "file") {
            if self.is_keyword(token, "using") {
                return true;
            }
            token = lexer::next_token(self.cells.sql, token.end);
        }
        false
    }

    /// `[columns] [USING …] [columns]` up to VALUES or FILE.
    fn clause_head(&mut self) -> Result<(Option<Vec<String>>, Option<Using>)> {
        let mut columns = None;
        if self.token().kind == TokenKind::LeftParen {
            columns = Some(self.names()?);
        }
        let using = if self.eat_keyword("using") { Some(self.using()?) } else { None };
        if columns.is_none() && self.token().kind == TokenKind::LeftParen {
            columns = Some(self.names()?);
        }
        let token = self.token();
        if !self.is_keyword(token, "values") && !self.is_keyword(token, "file") {
            return Err(self.cells.error_at(token.start, "keyword VALUES or FILE is expected"));
        }
        Ok((columns, using))
    }

    /// VALUES (false) or FILE (true).
    fn source(&mut self) -> Result<bool> {
        let token = self.token();
        let from_file = self.is_keyword(token, "file");
        if self.from_file.is_some_and(|before| before != from_file) {
            return Err(self.cells.error_at(token.start, "keyword VALUES or FILE is exclusive"));
        }
        self.cells.at = token.end;
        self.from_file = Some(from_file);
        Ok(from_file)
    }

    fn using(&mut self) -> Result<Using> {
        let supertable = self.table_name()?;
        let tag_names = if self.token().kind == TokenKind::LeftParen { self.names()? } else { Vec::new() };
        self.keyword("tags", "TAGS is expected")?;
        self.symbol(TokenKind::LeftParen, "( is expected")?;
        let layout = self.sink.tags(&supertable, &tag_names)?;
        let context = self.literal_context(layout.precision);
        let mut values = Vec::with_capacity(layout.tags.len());
        for (place, (name, data_type)) in layout.tags.iter().enumerate() {
            if place > 0 && self.token().kind == TokenKind::Comma {
                self.cells.at = self.token().end;
            }
            self.cells.skip_space();
            values.push(self.cells.literal(*data_type, name, &context, true)?);
        }
        self.symbol(TokenKind::RightParen, ") is expected")?;
        let (mut ttl, mut comment) = (None, None);
        loop {
            if self.eat_keyword("ttl") {
                let token = self.token();
                ttl = Some(self.text(token).parse().map_err(|_| self.cells.error_at(token.start, "Invalid option ttl"))?);
                self.cells.at = token.end;
            } else if self.eat_keyword("comment") {
                let token = self.token();
                if token.kind != TokenKind::String {
                    return Err(self.cells.error_at(token.start, "Invalid option comment"));
                }
                comment = Some(lexer::string_text(self.text(token)).into_owned());
                self.cells.at = token.end;
            } else {
                return Ok(Using { supertable, tag_names, values, ttl, comment });
            }
        }
    }

    fn literal_context(&self, precision: embudo_types::Precision) -> LiteralContext<'a> {
        LiteralContext { zone: self.context.zone, now: self.context.now, precision, parameters: self.context.parameters }
    }

    /// What the columns of a clause must have.
    fn check_layout(&self, layout: &Layout, listed: Option<&[String]>, table_end: usize) -> Result<()> {
        if let Some(names) = listed {
            for (at, name) in names.iter().enumerate() {
                if names[..at].contains(name) {
                    return Err(syntax_error(name, "duplicated column name"));
                }
            }
        }
        let has = |role| layout.columns.iter().any(|column| column.role == role);
        if layout.supertable {
            if listed.is_none() {
                return Err(self.cells.error_at(table_end, "(...tbname, ts...) bounded cols is expected for supertable insertion"));
            }
            if !has(ColumnRole::TableName) {
                return Err(Error::with(code::INVALID_OPERATION, "tbname column should not be null"));
            }
        }
        if !has(ColumnRole::Timestamp) {
            return Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column should not be null"));
        }
        if layout.keyed && !has(ColumnRole::Key) {
            return Err(Error::with(code::INVALID_OPERATION, "Primary key column should not be none"));
        }
        Ok(())
    }

    fn columns<'l>(layout: &'l Layout, rows: usize) -> Result<Vec<Column<'l>>> {
        let column = |column: &'l LayoutColumn| Ok(Column { layout: column, builder: ColumnBuilder::new(column.data_type, layout.precision, rows)? });
        layout.columns.iter().map(column).collect()
    }

    fn hand_over(&mut self, columns: Vec<Column<'_>>) -> Result<()> {
        let rows = columns.first().map_or(0, |column| column.builder.len());
        let arrays = columns.into_iter().map(|column| column.builder.finish()).collect::<Result<_>>()?;
        self.rows += rows as u64;
        self.sink.rows(arrays, rows)
    }

    /// `(…) [,] (…) …`.
    fn values(&mut self, layout: &Arc<Layout>) -> Result<()> {
        let context = self.literal_context(layout.precision);
        let mut columns = Self::columns(layout, 0)?;
        let mut rows = 0_u64;
        loop {
            self.cells.skip_space();
            let comma = rows > 0 && self.cells.rest().first() == Some(&b',');
            let before = self.cells.at;
            if comma {
                self.cells.at += 1;
                self.cells.skip_space();
            }
            if self.cells.rest().first() != Some(&b'(') {
                self.cells.at = before;
                break;
            }
            self.cells.at += 1;
            self.cells.row(&mut columns, &context, Some(b')'))?;
            rows += 1;
        }
        if rows == 0 {
            return Err(Error::with(code::SYNTAX_ERROR_IN_SQL, "syntax error near 'no any data points'"));
        }
        self.hand_over(columns)
    }

    /// `'path'`: a line a row; a first line that is no row is a heading.
    fn file(&mut self, layout: &Arc<Layout>) -> Result<()> {
        let token = self.token();
        if token.kind != TokenKind::String {
            return Err(self.cells.error_at(token.start, "file path is required following keyword FILE"));
        }
        self.cells.at = token.end;
        let path = lexer::string_text(self.text(token)).into_owned();
        let mut lines = BufReader::new(self.sink.file(&path)?);
        let context = self.literal_context(layout.precision);
        let before = self.rows;
        let mut columns = Self::columns(layout, 0)?;
        let (mut number, mut bytes) = (0_u64, 0);
        let mut line = String::new();
        loop {
            line.clear();
            let length = lines.read_line(&mut line).map_err(|error| Error::io(format_args!("read {path}"), error))?;
            if length == 0 {
                break;
            }
            number += 1;
            let row = line.trim_end_matches(['\n', '\r']);
            if row.trim().is_empty() || number == 1 && self.file_row(row, &context, &mut Self::columns(layout, 1)?).is_err() {
                continue;
            }
            self.file_row(row, &context, &mut columns)?;
            bytes += length;
            if bytes >= FILE_BYTES || columns.first().is_some_and(|column| column.builder.len() >= FILE_ROWS) {
                self.hand_over(std::mem::replace(&mut columns, Self::columns(layout, 0)?))?;
                bytes = 0;
            }
        }
        if columns.first().is_some_and(|column| column.builder.len() > 0) {
            self.hand_over(columns)?;
        }
        if self.rows == before {
            return Err(Error::new(code::FILE_IS_EMPTY));
        }
        Ok(())
    }

    /// One line; what the clock learned from it is kept for the next.
    fn file_row(&mut self, line: &str, context: &LiteralContext<'_>, columns: &mut [Column<'_>]) -> Result<()> {
        let mut reader = CellReader { sql: line, at: 0, clock: self.cells.clock, parameters: 0 };
        reader.row(columns, context, None)?;
        self.cells.clock.take_hour(&reader.clock);
        Ok(())
    }
}
