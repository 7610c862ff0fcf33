//! Databases and their options (spec/sql.md 3.1).

use embudo_types::Result;

use super::Parser;
use crate::{
    ast::{
        Statement,
        database::{DatabaseOption, IntegerOption, KeepTime, Retention},
        expr::{Expr, Literal},
    },
    lexer::TokenKind,
};

impl Parser<'_> {
    pub(super) fn create_database(&mut self) -> Result<Statement> {
        let if_not_exists = self.if_not_exists()?;
        let name = self.database_name()?;
        Self::check_no_point(&name, "database")?;
        let mut options = Vec::new();
        while let Some(option) = self.database_option(false)? {
            options.push(option);
        }
        Ok(Statement::CreateDatabase { name, if_not_exists, options })
    }

    pub(super) fn alter_database(&mut self) -> Result<Statement> {
        let name = self.database_name()?;
        let mut options = Vec::new();
        while let Some(option) = self.database_option(true)? {
            options.push(option);
        }
        if options.is_empty() {
            return Err(self.unexpected());
        }
        Ok(Statement::AlterDatabase { name, options })
    }

    fn database_option(&mut self, altering: bool) -> Result<Option<DatabaseOption>> {
        let word = self.word();
        if let Some(option) = IntegerOption::from_keyword(word) {
            if altering && !option.is_alterable() {
                return Err(self.unexpected());
            }
            self.advance();
            let signed =
                matches!(option, IntegerOption::WalRetentionPeriod | IntegerOption::WalRetentionSize | IntegerOption::TablePrefix | IntegerOption::TableSuffix);
            let value = if signed { self.signed_integer()? } else { self.integer()? };
            return Ok(Some(DatabaseOption::Integer(option, value)));
        }
        let known = if altering {
            matches!(word, "cachemodel" | "keep" | "s3_keeplocal" | "encrypt_algorithm")
        } else {
            matches!(word, "cachemodel" | "precision" | "encrypt_algorithm" | "duration" | "keep" | "s3_keeplocal" | "retentions")
        };
        if !known {
            return Ok(None);
        }
        self.advance();
        Ok(Some(match word {
            "cachemodel" => DatabaseOption::CacheModel(self.string()?),
            "precision" => DatabaseOption::Precision(self.string()?),
            "encrypt_algorithm" => DatabaseOption::EncryptAlgorithm(self.string()?),
            "duration" => DatabaseOption::Duration(self.keep_time()?),
            "keep" => DatabaseOption::Keep(self.comma_separated(Self::keep_time)?),
            "s3_keeplocal" => DatabaseOption::S3KeepLocal(self.keep_time()?),
            _ => DatabaseOption::Retentions(self.comma_separated(Self::retention)?),
        }))
    }

    fn keep_time(&mut self) -> Result<KeepTime> {
        if self.at(TokenKind::Integer) { self.integer().map(KeepTime::Days) } else { self.duration().map(KeepTime::Duration) }
    }

    fn retention(&mut self) -> Result<Retention> {
        let frequency = if self.eat(TokenKind::Minus) { None } else { Some(self.duration()?) };
        self.expect(TokenKind::Colon)?;
        Ok(Retention { frequency, keep: self.duration()? })
    }

    /// After TRIM.
    pub(super) fn trim_database(&mut self) -> Result<Statement> {
        // The word is also a function's name, which the dialect then refuses at the word itself.
        if !self.at_word("database") {
            return Err(self.unexpected());
        }
        self.advance();
        let name = self.database_name()?;
        let bandwidth_limit = if self.eat_word("bwlimit") { Some(self.integer()?) } else { None };
        Ok(Statement::TrimDatabase { name, bandwidth_limit })
    }

    /// After COMPACT.
    pub(super) fn compact_database(&mut self) -> Result<Statement> {
        self.expect_word("database")?;
        let name = self.database_name()?;
        let start = self.compact_bound("start")?;
        let end = self.compact_bound("end")?;
        Ok(Statement::CompactDatabase { name, start, end })
    }

    fn compact_bound(&mut self, word: &str) -> Result<Option<Expr>> {
        if !self.eat_word(word) {
            return Ok(None);
        }
        self.expect_word("with")?;
        let literal = if self.at(TokenKind::Integer) {
            Literal::Integer(self.integer()?)
        } else if self.eat_word("timestamp") {
            Literal::Timestamp(self.string()?)
        } else {
            Literal::String(self.string()?)
        };
        Ok(Some(Expr::Literal(literal)))
    }
}
