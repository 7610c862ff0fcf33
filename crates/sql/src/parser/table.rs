//! Tables, indexes and TSMA (spec/sql.md 3.2 to 3.6).

use embudo_types::{Code, Duration, Error, Result, code};

use super::Parser;
use crate::{
    ast::{
        ObjectName, Statement,
        expr::Expr,
        table::{
            AlterAction, AlterTable, ColumnDefinition, ColumnStorage, CreateChildTable, CreateIndex, CreateSmaIndex, CreateTable, CreateTsma, DropTable,
            LiteralValue, TableOptions,
        },
    },
    lexer::{self, TokenKind},
};

impl Parser<'_> {
    /// A table's name that is being made.
    fn new_table_name(&mut self) -> Result<ObjectName> {
        let name = self.object_name()?;
        Self::check_no_point(&name.name, "table")?;
        Ok(name)
    }

    pub(super) fn create_table(&mut self, supertable: bool) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.new_table_name()?;
        if !supertable && self.at_word("using") {
            return self.create_child_tables(if_not_exists, name);
        }
        let columns = self.parenthesised(|parser| parser.comma_separated(Self::column_definition))?;
        let tags = if supertable || self.at_word("tags") {
            self.expect_word("tags")?;
            self.parenthesised(|parser| parser.comma_separated(Self::tag_definition))?
        } else {
            Vec::new()
        };
        let options = self.table_options()?;
        Ok(Statement::CreateTable(Box::new(CreateTable { name, if_not_exists, columns, tags, options })))
    }

    fn create_child_tables(&mut self, if_not_exists: bool, name: ObjectName) -> Result<Statement> {
        let mut tables = vec![self.create_child_table(if_not_exists, name)?];
        while !self.at_end() {
            let if_not_exists = self.if_not_exists()?;
            let name = self.new_table_name()?;
            tables.push(self.create_child_table(if_not_exists, name)?);
        }
        Ok(Statement::CreateChildTables(tables))
    }

    fn create_child_table(&mut self, if_not_exists: bool, name: ObjectName) -> Result<CreateChildTable> {
        self.expect_word("using")?;
        let supertable = self.object_name()?;
        let tag_names = if self.at(TokenKind::LeftParen) { self.parenthesised(|parser| parser.comma_separated(Self::column_name))? } else { Vec::new() };
        self.expect_word("tags")?;
        let values = self.parenthesised(|parser| parser.comma_separated(Self::literal_value))?;
        let options = self.table_options()?;
        Ok(CreateChildTable { if_not_exists, name, supertable, tag_names, values, options })
    }

    fn column_definition(&mut self) -> Result<ColumnDefinition> {
        let name = self.column_name()?;
        let (data_type, _) = self.data_type(false)?;
        let (mut primary_key, mut storage) = (false, ColumnStorage::default());
        loop {
            if self.eat_word("primary") {
                self.expect_word("key")?;
                primary_key = true;
            } else if !self.storage_option(&mut storage)? {
                return Ok(ColumnDefinition { name, data_type, primary_key, storage });
            }
        }
    }

    fn tag_definition(&mut self) -> Result<ColumnDefinition> {
        let name = self.column_name()?;
        let (data_type, _) = self.data_type(false)?;
        Ok(ColumnDefinition { name, data_type, primary_key: false, storage: ColumnStorage::default() })
    }

    /// One of ENCODE, COMPRESS, LEVEL, if that is next.
    fn storage_option(&mut self, storage: &mut ColumnStorage) -> Result<bool> {
        let option = match self.word() {
            "encode" => &mut storage.encode,
            "compress" => &mut storage.compress,
            "level" => &mut storage.level,
            _ => return Ok(false),
        };
        self.advance();
        *option = Some(self.string()?);
        Ok(true)
    }

    pub(super) fn table_options(&mut self) -> Result<TableOptions> {
        let mut options = TableOptions::default();
        loop {
            match self.word() {
                "comment" => {
                    self.advance();
                    options.comment = Some(self.string()?);
                }
                "ttl" => {
                    self.advance();
                    options.ttl = Some(self.integer()?);
                }
                "sma" => {
                    self.advance();
                    options.sma = self.parenthesised(|parser| parser.comma_separated(Self::column_name))?;
                }
                "rollup" => {
                    self.advance();
                    options.rollup = self.parenthesised(|parser| parser.comma_separated(Self::function_name))?;
                }
                "max_delay" => options.max_delay = self.option_durations()?,
                "watermark" => options.watermark = self.option_durations()?,
                "delete_mark" => options.delete_mark = self.option_durations()?,
                _ => return Ok(options),
            }
        }
    }

    fn option_durations(&mut self) -> Result<Vec<Duration>> {
        self.advance();
        self.comma_separated(Self::duration)
    }

    /// A function's name alone: some, such as FIRST, are reserved words.
    fn function_name(&mut self) -> Result<String> {
        let word = self.word();
        if matches!(word, "first" | "last" | "count" | "last_row") {
            self.advance();
            return Ok(word.to_owned());
        }
        self.column_name()
    }

    /// A literal of TAGS or SET TAG.
    pub(super) fn literal_value(&mut self) -> Result<LiteralValue> {
        let mut value = self.literal_base()?;
        // Two tokens tell a time moved by a duration from the next value.
        while matches!(self.token.kind, TokenKind::Plus | TokenKind::Minus) && self.peek().kind == TokenKind::Duration {
            if matches!(value, LiteralValue::Shifted { .. }) {
                break;
            }
            let negative = self.at(TokenKind::Minus);
            self.advance();
            let duration = self.duration()?;
            let offset = if negative { Duration { value: -duration.value, ..duration } } else { duration };
            value = LiteralValue::Shifted { base: Box::new(value), offset };
        }
        Ok(value)
    }

    fn literal_base(&mut self) -> Result<LiteralValue> {
        let token = self.token;
        match token.kind {
            TokenKind::String => self.string().map(LiteralValue::String),
            TokenKind::Integer | TokenKind::Float | TokenKind::Hex | TokenKind::Binary => {
                self.advance();
                Ok(LiteralValue::Number(self.text(token).to_owned()))
            }
            TokenKind::Plus | TokenKind::Minus => {
                self.advance();
                let number = self.token;
                if !matches!(number.kind, TokenKind::Integer | TokenKind::Float | TokenKind::Hex | TokenKind::Binary) {
                    return Err(self.unexpected());
                }
                self.advance();
                let sign = if token.kind == TokenKind::Minus { "-" } else { "" };
                Ok(LiteralValue::Number(format!("{sign}{}", self.text(number))))
            }
            TokenKind::Question => {
                self.advance();
                self.parameters += 1;
                Ok(LiteralValue::Parameter(self.parameters - 1))
            }
            TokenKind::Word => self.literal_word(),
            _ => Err(self.unexpected()),
        }
    }

    fn literal_word(&mut self) -> Result<LiteralValue> {
        let word = self.word();
        let value = match word {
            "null" => LiteralValue::Null,
            "true" => LiteralValue::Bool(true),
            "false" => LiteralValue::Bool(false),
            "now" => LiteralValue::Now,
            "today" => LiteralValue::Today,
            "timestamp" if self.peek().kind == TokenKind::String => {
                self.advance();
                return self.string().map(LiteralValue::String);
            }
            _ if lexer::is_reserved(word) => return Err(self.unexpected()),
            _ => return Ok(LiteralValue::Word(self.bare_text())),
        };
        self.advance();
        if matches!(value, LiteralValue::Now | LiteralValue::Today) && self.at(TokenKind::LeftParen) {
            self.advance();
            self.expect(TokenKind::RightParen)?;
        }
        Ok(value)
    }

    /// Words and points without a space between them, as in `California.SanFrancisco`.
    fn bare_text(&mut self) -> String {
        let start = self.token.start;
        self.advance();
        while self.token.start == self.previous.end && matches!(self.token.kind, TokenKind::Dot | TokenKind::Word) {
            self.advance();
        }
        self.sql[start..self.previous.end].to_owned()
    }

    pub(super) fn drop_table(&mut self) -> Result<DropTable> {
        let if_exists = self.if_exists()?;
        Ok(DropTable { name: self.object_name()?, if_exists })
    }

    pub(super) fn alter_table(&mut self, supertable: bool) -> Result<Statement> {
        let name = self.object_name()?;
        let action = self.alter_action()?;
        Ok(Statement::AlterTable(Box::new(AlterTable { name, supertable, action })))
    }

    fn alter_action(&mut self) -> Result<AlterAction> {
        let word = self.word();
        match word {
            "comment" | "ttl" => return self.table_options().map(AlterAction::Options),
            "add" | "drop" | "modify" | "rename" | "set" => self.advance(),
            _ => return Err(self.unexpected()),
        };
        if word == "set" {
            self.expect_word("tag")?;
            let name = self.column_name()?;
            self.expect(TokenKind::Equal)?;
            return Ok(AlterAction::SetTag { name, value: self.literal_value()? });
        }
        let tag = self.eat_word("tag");
        if !tag {
            self.expect_word("column")?;
        }
        let name = self.column_name()?;
        Ok(match (word, tag) {
            ("add", true) => AlterAction::AddTag { name, data_type: self.data_type(false)?.0 },
            ("add", false) => {
                let (data_type, _) = self.data_type(false)?;
                let mut storage = ColumnStorage::default();
                while self.storage_option(&mut storage)? {}
                AlterAction::AddColumn(ColumnDefinition { name, data_type, primary_key: false, storage })
            }
            ("drop", true) => AlterAction::DropTag(name),
            ("drop", false) => AlterAction::DropColumn(name),
            ("modify", true) => AlterAction::ModifyTag { name, data_type: self.data_type(false)?.0 },
            ("modify", false) => {
                let mut storage = ColumnStorage::default();
                while self.storage_option(&mut storage)? {}
                if storage == ColumnStorage::default() {
                    AlterAction::ModifyColumn { name, data_type: self.data_type(false)?.0 }
                } else {
                    AlterAction::ModifyStorage { name, storage }
                }
            }
            (_, true) => AlterAction::RenameTag { from: name, to: self.column_name()? },
            (_, false) => AlterAction::RenameColumn { from: name, to: self.column_name()? },
        })
    }

    pub(super) fn create_index(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        self.expect_word("on")?;
        let table = self.object_name()?;
        let columns = self.parenthesised(|parser| parser.comma_separated(Self::column_name))?;
        Ok(Statement::CreateIndex(CreateIndex { name, if_not_exists, table, columns }))
    }

    /// After CREATE SMA.
    pub(super) fn create_sma_index(&mut self) -> Result<Statement> {
        self.expect_word("index")?;
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        self.expect_word("on")?;
        let table = self.object_name()?;
        let functions = self.aggregates()?;
        self.expect_word("interval")?;
        let (interval, offset) = self.window_lengths()?;
        let sliding = if self.eat_word("sliding") { Some(self.parenthesised(Self::window_duration)?) } else { None };
        let mut index =
            CreateSmaIndex { name, if_not_exists, table, functions, interval, offset, sliding, watermark: None, max_delay: None, delete_mark: None };
        loop {
            let option = match self.word() {
                "watermark" => &mut index.watermark,
                "max_delay" => &mut index.max_delay,
                "delete_mark" => &mut index.delete_mark,
                _ => return Ok(Statement::CreateSmaIndex(Box::new(index))),
            };
            self.advance();
            *option = Some(self.duration()?);
        }
    }

    /// `FUNCTION (f(…), …)`.
    fn aggregates(&mut self) -> Result<Vec<Expr>> {
        self.expect_word("function")?;
        self.parenthesised(|parser| {
            parser.comma_separated(|parser| {
                let start = parser.token;
                let expr = parser.value()?;
                if matches!(expr, Expr::Function { .. }) { Ok(expr) } else { Err(parser.unexpected_at(start)) }
            })
        })
    }

    pub(super) fn create_tsma(&mut self, recursive: bool) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.object_name()?;
        self.expect_word("on")?;
        let source = self.object_name()?;
        let functions = if recursive { Vec::new() } else { self.aggregates()? };
        self.expect_word("interval")?;
        let interval = self.parenthesised(Self::window_duration)?;
        Ok(Statement::CreateTsma(Box::new(CreateTsma { name, if_not_exists, source, recursive, functions, interval })))
    }

    pub(super) fn no_longer_supported() -> Error {
        let code: Code = code::THIS_STATEMENT_IS_NO_LONGER_SUPPORTED;
        Error::new(code)
    }
}
