//! Which statement it is, and those that are in no family: INSERT … SELECT, DELETE, EXPLAIN, USE, views, KILL.

use embudo_types::Result;

use super::Parser;
use crate::{
    ast::{
        Statement,
        administration::Kill,
        statement::{Explain, InsertSelect},
    },
    lexer::TokenKind,
};

impl Parser<'_> {
    pub(super) fn statement(&mut self) -> Result<Statement> {
        if self.at(TokenKind::LeftParen) {
            return self.query().map(|query| Statement::Query(Box::new(query)));
        }
        let word = self.word();
        match word {
            "select" => return self.query().map(|query| Statement::Query(Box::new(query))),
            "insert" | "import" => return self.insert_select(),
            "create" => return self.create(),
            "alter" => return self.alter(),
            "drop" => return self.drop_object(),
            _ => {}
        }
        let leader = self.token;
        self.advance();
        match word {
            "delete" => {
                self.expect_word("from")?;
                let table = self.object_name()?;
                let filter = if self.eat_word("where") { Some(self.expression()?) } else { None };
                Ok(Statement::Delete { table, filter })
            }
            "explain" => self.explain(),
            "desc" | "describe" => self.object_name().map(Statement::Describe),
            "show" => self.show().map(Statement::Show),
            "use" => self.database_name().map(Statement::UseDatabase),
            "flush" => {
                self.expect_word("database")?;
                self.database_name().map(Statement::FlushDatabase)
            }
            "trim" => self.trim_database(),
            "compact" => self.compact_database(),
            "s3migrate" => {
                self.expect_word("database")?;
                self.database_name().map(Statement::MigrateDatabase)
            }
            "grant" => self.grant("to").map(|grant| Statement::Grant(Box::new(grant))),
            "revoke" => self.grant("from").map(|grant| Statement::Revoke(Box::new(grant))),
            "pause" => self.pause_stream(),
            "resume" => self.resume_stream(),
            "kill" => self.kill().map(Statement::Kill),
            "reset" => {
                self.expect_word("query")?;
                self.expect_word("cache")?;
                Ok(Statement::ResetQueryCache)
            }
            "balance" | "merge" | "split" | "redistribute" | "restore" => self.cluster_statement(word),
            _ => Err(self.unexpected_at(leader)),
        }
    }

    /// `INSERT INTO table [(columns)] query`.
    fn insert_select(&mut self) -> Result<Statement> {
        self.advance();
        self.expect_word("into")?;
        let table = self.object_name()?;
        let columns = if self.at(TokenKind::LeftParen) && !self.at_query() {
            self.parenthesised(|parser| {
                parser.comma_separated(|parser| if parser.eat_word("tbname") { Ok("tbname".to_owned()) } else { parser.column_name() })
            })?
        } else {
            Vec::new()
        };
        if !self.at_query() {
            return Err(self.unexpected());
        }
        let query = self.query()?;
        Ok(Statement::InsertSelect(Box::new(InsertSelect { table, columns, query })))
    }

    fn explain(&mut self) -> Result<Statement> {
        let analyze = self.eat_word("analyze");
        let (mut verbose, mut ratio) = (None, None);
        loop {
            if self.eat_word("verbose") {
                let value = self.eat_word("true");
                if !value {
                    self.expect_word("false")?;
                }
                verbose = Some(value);
            } else if self.eat_word("ratio") {
                let token = self.expect(TokenKind::Float)?;
                ratio = self.text(token).parse().ok();
            } else {
                break;
            }
        }
        let statement = if self.at_word("insert") { self.insert_select()? } else { Statement::Query(Box::new(self.query()?)) };
        Ok(Statement::Explain(Box::new(Explain { analyze, verbose, ratio, statement })))
    }

    fn create(&mut self) -> Result<Statement> {
        self.advance();
        let word = self.word();
        let leader = self.token;
        self.advance();
        match word {
            "database" => self.create_database(),
            "table" | "stable" => self.create_table(word == "stable"),
            "index" => self.create_index(),
            "sma" => self.create_sma_index(),
            "tsma" => self.create_tsma(false),
            "recursive" => {
                self.expect_word("tsma")?;
                self.create_tsma(true)
            }
            "view" => self.create_view(false),
            "user" => self.create_user(),
            "token" => self.create_token(),
            "totp_secret" => self.totp_user("for").map(Statement::CreateTotpSecret),
            "topic" => self.create_topic(),
            "stream" => self.create_stream(),
            "or" => {
                self.expect_word("replace")?;
                if self.eat_word("view") { self.create_view(true) } else { self.create_function(true) }
            }
            "aggregate" | "function" => {
                self.rewind(leader);
                self.create_function(false)
            }
            "dnode" | "mnode" | "qnode" | "snode" | "bnode" | "encrypt_key" => self.create_node(word),
            "account" => Err(Self::no_longer_supported()),
            _ => Err(self.unexpected_at(leader)),
        }
    }

    fn alter(&mut self) -> Result<Statement> {
        self.advance();
        let word = self.word();
        let leader = self.token;
        self.advance();
        match word {
            "database" => self.alter_database(),
            "table" | "stable" => self.alter_table(word == "stable"),
            "user" => self.alter_user(),
            "token" => self.alter_token(),
            "dnode" | "all" | "cluster" | "local" => self.alter_configuration(word),
            "account" => Err(Self::no_longer_supported()),
            _ => Err(self.unexpected_at(leader)),
        }
    }

    fn drop_object(&mut self) -> Result<Statement> {
        self.advance();
        let word = self.word();
        let leader = self.token;
        self.advance();
        match word {
            "database" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropDatabase { name: self.database_name()?, if_exists })
            }
            "table" => self.comma_separated(Self::drop_table).map(Statement::DropTables),
            "stable" => self.drop_table().map(Statement::DropSupertable),
            "index" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropIndex { name: self.object_name()?, if_exists })
            }
            "tsma" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropTsma { name: self.object_name()?, if_exists })
            }
            "view" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropView { name: self.object_name()?, if_exists })
            }
            "user" => self.user_name().map(Statement::DropUser),
            "token" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropToken { name: self.token_name()?, if_exists })
            }
            "totp_secret" => self.totp_user("from").map(Statement::DropTotpSecret),
            "function" => {
                let if_exists = self.if_exists()?;
                Ok(Statement::DropFunction { name: self.column_name()?, if_exists })
            }
            "topic" => {
                let if_exists = self.if_exists()?;
                let force = self.eat_word("force");
                Ok(Statement::DropTopic { name: self.table_name()?, if_exists, force })
            }
            "consumer" => {
                self.expect_word("group")?;
                let if_exists = self.if_exists()?;
                let group = self.table_name()?;
                self.expect_word("on")?;
                Ok(Statement::DropConsumerGroup { group, if_exists, topic: self.table_name()? })
            }
            "stream" => self.stream_reference().map(Statement::DropStream),
            "dnode" | "mnode" | "qnode" | "snode" | "bnode" => self.drop_node(word),
            "account" => Err(Self::no_longer_supported()),
            _ => Err(self.unexpected_at(leader)),
        }
    }

    fn create_view(&mut self, or_replace: bool) -> Result<Statement> {
        let name = self.object_name()?;
        self.expect_word("as")?;
        let start = self.token.start;
        let query = Box::new(self.query()?);
        Ok(Statement::CreateView { name, or_replace, query, text: self.sql[start..self.previous.end].into() })
    }

    fn kill(&mut self) -> Result<Kill> {
        let word = self.word();
        if !matches!(word, "connection" | "query" | "transaction" | "compact") {
            return Err(self.unexpected());
        }
        self.advance();
        Ok(match word {
            "connection" => Kill::Connection(self.integer()?),
            "query" => Kill::Query(self.string()?),
            "transaction" => Kill::Transaction(self.integer()?),
            _ => Kill::Compact(self.integer()?),
        })
    }
}
