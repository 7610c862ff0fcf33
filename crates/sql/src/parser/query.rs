//! SELECT, UNION, FROM, windows (spec/sql.md section 5).

use embudo_types::{Duration, Error, Result, code};

use super::{MAX_COLUMN_NAME, MAX_TABLE_NAME, Parser};
use crate::{
    ast::{
        expr::{BinaryOp, Expr, Literal, PseudoColumn},
        query::{Fill, Join, JoinKind, JoinSide, Limit, PartitionItem, Query, QueryBody, Select, SelectItem, SortItem, TableRef, Window, WindowDuration},
    },
    lexer::{self, Token, TokenKind},
};

/// UNION operators in one statement.
const MAX_UNIONS: usize = 100;

/// Bytes of a result column's name.
const MAX_RESULT_NAME: usize = 64;

/// The longest start of `text` that fits a result column's name.
fn result_name(text: &str) -> String {
    lexer::prefix(text, MAX_RESULT_NAME).to_owned()
}

impl Parser<'_> {
    /// Whether a query can start here.
    pub(super) fn at_query(&self) -> bool {
        if self.at_word("select") {
            return true;
        }
        let mut token = self.token;
        while token.kind == TokenKind::LeftParen {
            token = lexer::next_token(self.sql, token.end);
        }
        token.start != self.token.start && self.is_word(token, "select")
    }

    /// SELECT or UNION with ORDER BY and limits.
    pub(super) fn query(&mut self) -> Result<Query> {
        self.nested(|parser| {
            let parenthesised = parser.at(TokenKind::LeftParen);
            let mut query = parser.operand()?;
            let mut unions = 0;
            while parser.eat_word("union") {
                unions += 1;
                if unions > MAX_UNIONS {
                    return Err(parser.unexpected_at(parser.previous));
                }
                let all = parser.eat_word("all");
                let right = Box::new(parser.operand()?);
                query = Query { body: QueryBody::Union { left: Box::new(query), right, all }, order_by: Vec::new(), slimit: None, limit: None };
            }
            // A query in parentheses has its own clauses inside; others belong to a union of it.
            if parenthesised && unions == 0 {
                return Ok(query);
            }
            if parser.eat_word("order") {
                parser.expect_word("by")?;
                query.order_by = parser.comma_separated(Self::sort_item)?;
            }
            query.slimit = parser.limit("slimit", "soffset")?;
            query.limit = parser.limit("limit", "offset")?;
            Ok(query)
        })
    }

    fn operand(&mut self) -> Result<Query> {
        if self.at(TokenKind::LeftParen) {
            return self.parenthesised(Self::query);
        }
        let select = Box::new(self.select()?);
        Ok(Query { body: QueryBody::Select(select), order_by: Vec::new(), slimit: None, limit: None })
    }

    fn sort_item(&mut self) -> Result<SortItem> {
        let expr = self.value()?;
        let descending = self.eat_word("desc");
        if !descending {
            self.eat_word("asc");
        }
        let nulls_first = if self.eat_word("nulls") {
            let first = self.eat_word("first");
            if !first {
                self.expect_word("last")?;
            }
            Some(first)
        } else {
            None
        };
        Ok(SortItem { expr, descending, nulls_first })
    }

    /// `LIMIT n`, `LIMIT n OFFSET m`, `LIMIT m, n`.
    fn limit(&mut self, word: &str, offset_word: &str) -> Result<Option<Limit>> {
        if !self.eat_word(word) {
            return Ok(None);
        }
        let first = self.integer()?;
        Ok(Some(if self.eat(TokenKind::Comma) {
            Limit { count: self.integer()?, offset: first }
        } else if self.eat_word(offset_word) {
            Limit { count: first, offset: self.integer()? }
        } else {
            Limit { count: first, offset: 0 }
        }))
    }

    fn select(&mut self) -> Result<Select> {
        self.expect_word("select")?;
        let mut select = Select::default();
        if self.at(TokenKind::Hint) {
            let hint = self.advance();
            select.hints = hints(self.text(hint));
        }
        select.distinct = self.eat_word("distinct");
        if !select.distinct {
            self.eat_word("all");
        }
        select.tags_only = self.eat_word("tags");
        select.items = self.comma_separated(Self::select_items)?.concat();
        if self.eat_word("from") {
            select.from = Some(self.from()?);
        }
        if self.eat_word("where") {
            select.filter = Some(self.expression()?);
        }
        if self.eat_word("partition") {
            self.expect_word("by")?;
            select.partition_by = self.comma_separated(|parser| Ok(PartitionItem { expr: parser.value()?, alias: parser.alias(MAX_COLUMN_NAME)? }))?;
        }
        if self.eat_word("range") {
            select.range = Some(self.parenthesised(|parser| {
                let start = parser.value()?;
                let end = if parser.eat(TokenKind::Comma) { Some(parser.value()?) } else { None };
                Ok((start, end))
            })?);
        }
        if self.eat_word("every") {
            select.every = Some(self.parenthesised(Self::duration)?);
        }
        let interp_fill = self.fill()?;
        select.window = self.window()?;
        let mut lasting = if matches!(select.window, Some(Window::State(_) | Window::Event { .. })) { self.true_for()? } else { None };
        let window_fill = if matches!(select.window, Some(Window::Interval { .. })) { self.fill()? } else { None };
        if interp_fill.is_some() && select.window.is_some() {
            return Err(Error::new(code::INVALID_USAGE_OF_RANGE_CLAUSE_EVERY));
        }
        select.fill = window_fill.or(interp_fill);
        if self.eat_word("group") {
            self.expect_word("by")?;
            select.group_by = self.comma_separated(Self::value)?;
        }
        if self.eat_word("having") {
            let having = self.expression()?;
            select.having = Some(match lasting.take() {
                Some(lasting) => Expr::Binary { op: BinaryOp::And, left: Box::new(lasting), right: Box::new(having) },
                None => having,
            });
        }
        select.having = select.having.or(lasting);
        Ok(select)
    }

    /// `COLS(selection, output [AS alias], …)` is an item for each output; all else is one.
    fn select_items(&mut self) -> Result<Vec<SelectItem>> {
        if !self.at_word("cols") || self.peek().kind != TokenKind::LeftParen {
            return Ok(vec![self.select_item()?]);
        }
        self.advance();
        let mut items = self.parenthesised(|parser| {
            let selection = parser.value()?;
            let mut items = Vec::new();
            while parser.eat(TokenKind::Comma) {
                let item = parser.select_item()?;
                let arguments = vec![selection.clone(), item.expr];
                items.push(SelectItem { expr: Expr::Function { name: "cols".into(), arguments }, ..item });
            }
            Ok(items)
        })?;
        if items.is_empty() {
            return Err(Error::new(code::INVALID_USING_COLS_FUNCTION));
        }
        if let Some(alias) = self.alias(usize::MAX)? {
            match items.as_mut_slice() {
                [item] if item.alias.is_none() => item.alias = Some(result_name(&alias)),
                _ => return Err(Error::new(code::INVALID_USING_ALIAS_FOR_COLS_FUNCTION)),
            }
        }
        Ok(items)
    }

    fn select_item(&mut self) -> Result<SelectItem> {
        let first = self.token;
        if let Some(expr) = self.star()? {
            return Ok(SelectItem { expr, alias: None, text: self.source(first) });
        }
        let expr = self.expression()?;
        let text = self.source(first);
        // A longer alias is cut without a word.
        let alias = self.alias(usize::MAX)?.map(|alias| result_name(&alias));
        Ok(SelectItem { expr, alias, text })
    }

    /// The text from `first` to the last token read; a backtick at either end is not part of it.
    fn source(&self, first: Token) -> String {
        let start = first.start + usize::from(first.kind == TokenKind::Quoted);
        let end = self.previous.end - usize::from(self.previous.kind == TokenKind::Quoted);
        result_name(&self.sql[start..end])
    }

    /// `[AS] alias`.
    fn alias(&mut self, limit: usize) -> Result<Option<String>> {
        let named = self.eat_word("as");
        match self.token.kind {
            TokenKind::ForeignWord => {
                let token = self.advance();
                Ok(Some(self.text(token).to_owned()))
            }
            TokenKind::Quoted => self.name(limit).map(Some),
            TokenKind::Word if named || !lexer::is_reserved(self.word()) => self.name(limit).map(Some),
            _ if named => Err(self.unexpected()),
            _ => Ok(None),
        }
    }

    fn from(&mut self) -> Result<TableRef> {
        let mut left = self.joined()?;
        let mut links = 0;
        while self.eat(TokenKind::Comma) {
            links += 1;
            if links > super::MAX_DEPTH {
                return Err(self.unexpected());
            }
            let right = self.joined()?;
            let join = Join { left, right, side: JoinSide::Inner, kind: JoinKind::Plain, on: None, window_offset: None, limit: None };
            left = TableRef::Join(Box::new(join));
        }
        Ok(left)
    }

    /// A source and what is joined to it, left to right.
    fn joined(&mut self) -> Result<TableRef> {
        let mut left = self.nested(Self::source_table)?;
        let mut links = 0;
        while let Some((side, kind)) = self.join_type()? {
            links += 1;
            if links > super::MAX_DEPTH {
                return Err(self.unexpected());
            }
            let right = self.nested(Self::source_table)?;
            let on = if self.eat_word("on") { Some(self.expression()?) } else { None };
            let window_offset = if self.eat_word("window_offset") {
                Some(self.parenthesised(|parser| {
                    let low = parser.signed_duration()?;
                    parser.expect(TokenKind::Comma)?;
                    Ok((low, parser.signed_duration()?))
                })?)
            } else {
                None
            };
            let limit = if self.eat_word("jlimit") { Some(self.integer()?) } else { None };
            left = TableRef::Join(Box::new(Join { left, right, side, kind, on, window_offset, limit }));
        }
        Ok(left)
    }

    /// `[INNER|LEFT|RIGHT|FULL] [OUTER|SEMI|ANTI|ASOF|WINDOW] JOIN`.
    fn join_type(&mut self) -> Result<Option<(JoinSide, JoinKind)>> {
        let side = match self.word() {
            "inner" => JoinSide::Inner,
            "left" => JoinSide::Left,
            "right" => JoinSide::Right,
            "full" => JoinSide::Full,
            "join" => {
                self.advance();
                return Ok(Some((JoinSide::Inner, JoinKind::Plain)));
            }
            _ => return Ok(None),
        };
        self.advance();
        let kind = match self.word() {
            "semi" => JoinKind::Semi,
            "anti" => JoinKind::Anti,
            "asof" => JoinKind::Asof,
            "window" => JoinKind::Window,
            "outer" if side != JoinSide::Inner => JoinKind::Plain,
            _ => {
                self.expect_word("join")?;
                return Ok(Some((side, JoinKind::Plain)));
            }
        };
        self.advance();
        self.expect_word("join")?;
        Ok(Some((side, kind)))
    }

    fn source_table(&mut self) -> Result<TableRef> {
        if !self.at(TokenKind::LeftParen) {
            let name = self.object_name()?;
            return Ok(TableRef::Table { database: name.database, name: name.name, alias: self.alias(MAX_TABLE_NAME)? });
        }
        if self.at_query() {
            let query = Box::new(self.parenthesised(Self::query)?);
            return Ok(TableRef::Subquery { query, alias: self.alias(MAX_TABLE_NAME)? });
        }
        self.advance();
        let inner = self.joined()?;
        // Parentheses are for joins and queries, not for a plain table.
        if matches!(inner, TableRef::Table { .. }) || !self.at(TokenKind::RightParen) {
            return Err(self.unexpected());
        }
        self.advance();
        Ok(inner)
    }

    fn window(&mut self) -> Result<Option<Window>> {
        let word = self.word();
        if !matches!(word, "interval" | "session" | "state_window" | "event_window" | "count_window") {
            return Ok(None);
        }
        self.advance();
        Ok(Some(match word {
            "interval" => self.interval()?,
            "session" => self.parenthesised(|parser| {
                let column = parser.value()?;
                parser.expect(TokenKind::Comma)?;
                Ok(Window::Session { column, gap: parser.window_duration()? })
            })?,
            "state_window" => Window::State(self.parenthesised(Self::value)?),
            "event_window" => {
                self.expect_word("start")?;
                self.expect_word("with")?;
                let start = self.expression()?;
                self.expect_word("end")?;
                self.expect_word("with")?;
                Window::Event { start, end: self.expression()? }
            }
            _ => self.parenthesised(|parser| {
                let count = parser.integer()?;
                let sliding = if parser.eat(TokenKind::Comma) { Some(parser.integer()?) } else { None };
                Ok(Window::Count { count, sliding })
            })?,
        }))
    }

    /// `TRUE_FOR (duration)`: only windows that last so long, which is a condition on them.
    fn true_for(&mut self) -> Result<Option<Expr>> {
        if !self.eat_word("true_for") {
            return Ok(None);
        }
        let shortest = self.parenthesised(|parser| {
            if parser.at(TokenKind::Minus) {
                return Err(Error::new(code::TRUE_FOR_DURATION_CANNOT_BE_NEGATIVE));
            }
            parser.window_duration()
        })?;
        let shortest = match shortest {
            WindowDuration::Ticks(ticks) => Literal::Integer(ticks),
            WindowDuration::Duration(duration) if duration.unit.is_calendar() => return Err(Error::new(code::CANNOT_USE_YEAR_OR_MONTH_AS_TRUE_FOR)),
            WindowDuration::Duration(duration) => Literal::Duration(duration),
        };
        let duration = Expr::Pseudo { table: None, column: PseudoColumn::WindowDuration, text: "_wduration".into() };
        Ok(Some(Expr::Binary { op: BinaryOp::GreaterEqual, left: Box::new(duration), right: Box::new(Expr::Literal(shortest)) }))
    }

    /// `(length [, offset]) [SLIDING (step)]`.
    fn interval(&mut self) -> Result<Window> {
        let (interval, offset) = self.window_lengths()?;
        let sliding = if self.eat_word("sliding") { Some(self.parenthesised(Self::window_duration)?) } else { None };
        Ok(Window::Interval { interval, offset, sliding })
    }

    /// `(length [, offset])`.
    pub(super) fn window_lengths(&mut self) -> Result<(WindowDuration, Option<WindowDuration>)> {
        self.parenthesised(|parser| {
            let interval = parser.window_duration()?;
            let offset = if parser.eat(TokenKind::Comma) { Some(parser.window_duration()?) } else { None };
            Ok((interval, offset))
        })
    }

    /// `10s`, `'10s'` or a count of ticks.
    pub(super) fn window_duration(&mut self) -> Result<WindowDuration> {
        match self.token.kind {
            TokenKind::Integer => self.integer().map(WindowDuration::Ticks),
            TokenKind::String => {
                let text = lexer::string_text(self.text(self.token)).into_owned();
                let length = match text.parse() {
                    Ok(ticks) => WindowDuration::Ticks(ticks),
                    Err(_) => WindowDuration::Duration(Duration::parse(&text).map_err(|_| self.unexpected())?),
                };
                self.advance();
                Ok(length)
            }
            _ => self.duration().map(WindowDuration::Duration),
        }
    }

    fn fill(&mut self) -> Result<Option<Fill>> {
        if !self.eat_word("fill") {
            return Ok(None);
        }
        self.parenthesised(|parser| {
            let word = parser.word();
            let fill = match word {
                "none" => Fill::None,
                "prev" => Fill::Previous,
                "next" => Fill::Next,
                "linear" => Fill::Linear,
                "null" | "null_f" => Fill::Null { forced: word == "null_f" },
                "value" | "value_f" => {
                    parser.advance();
                    parser.expect(TokenKind::Comma)?;
                    let values: Vec<Expr> = parser.comma_separated(Self::value)?;
                    return Ok(Some(Fill::Value { values, forced: word == "value_f" }));
                }
                _ => return Err(parser.unexpected()),
            };
            parser.advance();
            Ok(Some(fill))
        })
    }
}

/// The names in a hint comment; reading stops at the first that is not `name()`.
fn hints(comment: &str) -> Vec<String> {
    let body = comment.trim_start_matches("/*+").trim_end_matches("*/");
    let mut names = Vec::new();
    let mut at = 0;
    loop {
        let name = lexer::next_token(body, at);
        let open = lexer::next_token(body, name.end);
        let close = lexer::next_token(body, open.end);
        let known = matches!(
            &body[name.start..name.end],
            "batch_scan" | "no_batch_scan" | "sort_for_group" | "partition_first" | "para_tables_sort" | "smalldata_ts_sort" | "hash_join" | "skip_tsma"
        );
        if !known || open.kind != TokenKind::LeftParen || close.kind != TokenKind::RightParen {
            return names;
        }
        names.push(body[name.start..name.end].to_owned());
        at = close.end;
    }
}
