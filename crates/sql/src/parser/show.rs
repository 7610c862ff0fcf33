//! SHOW (spec/sql.md 7.4).

use embudo_types::Result;

use super::Parser;
use crate::{
    ast::{
        ObjectName,
        expr::Expr,
        show::{DatabaseScope, Show, ShowList, TableScope, TagItem},
    },
    lexer::TokenKind,
};

impl Parser<'_> {
    /// After SHOW.
    pub(super) fn show(&mut self) -> Result<Show> {
        if self.peek().kind == TokenKind::Dot {
            return self.show_in_database();
        }
        let word = self.word();
        match word {
            "stables" | "tables" | "views" | "vgroups" | "tsmas" | "alive" => return self.show_in_database(),
            "create" | "table" | "databases" | "user" | "system" | "normal" | "child" | "indexes" | "tags" | "local" | "variables" | "dnode" | "compact"
            | "vnodes" => {}
            _ => return self.show_list(),
        }
        if word == "user" && self.is_word(self.peek(), "privileges") {
            return self.show_list();
        }
        self.advance();
        Ok(match word {
            "create" => return self.show_create(),
            "table" => return self.show_table(),
            "databases" => Show::Databases(DatabaseScope::All),
            "user" | "system" => {
                self.expect_word("databases")?;
                Show::Databases(if word == "user" { DatabaseScope::User } else { DatabaseScope::System })
            }
            "normal" | "child" => {
                let scope = if word == "normal" { TableScope::Normal } else { TableScope::Child };
                let database = self.database_prefix()?;
                self.expect_word("tables")?;
                Show::Tables { scope, database, like: self.like()? }
            }
            "indexes" => Show::Indexes(self.shown_table()?),
            "tags" => Show::Tags(self.shown_table()?),
            "local" => {
                self.expect_word("variables")?;
                Show::LocalVariables
            }
            // Recorded: only CLUSTER VARIABLES and those of a node take a pattern.
            "variables" => Show::Variables { like: None },
            "dnode" => {
                let dnode = self.integer()?;
                self.expect_word("variables")?;
                Show::DnodeVariables { dnode, like: self.like()? }
            }
            "compact" => Show::Compact(self.integer()?),
            _ => {
                let dnode = if self.eat_word("on") {
                    self.expect_word("dnode")?;
                    Some(self.integer()?)
                } else {
                    None
                };
                Show::Vnodes { dnode }
            }
        })
    }

    fn show_in_database(&mut self) -> Result<Show> {
        let database = self.database_prefix()?;
        let word = self.word();
        if !matches!(word, "stables" | "tables" | "views" | "vgroups" | "tsmas" | "alive") {
            return Err(self.unexpected());
        }
        self.advance();
        Ok(match word {
            "stables" => Show::Supertables { database, like: self.like()? },
            "tables" => Show::Tables { scope: TableScope::All, database, like: self.like()? },
            "views" => Show::Views { database, like: self.like()? },
            "vgroups" => Show::Vgroups { database },
            "tsmas" => Show::Tsmas { database },
            _ => Show::Alive { database },
        })
    }

    fn show_create(&mut self) -> Result<Show> {
        let word = self.word();
        if !matches!(word, "database" | "table" | "stable" | "view" | "topic") {
            return Err(self.unexpected());
        }
        self.advance();
        Ok(match word {
            "database" => Show::CreateDatabase(self.database_name()?),
            "table" => Show::CreateTable(self.object_name()?),
            "stable" => Show::CreateSupertable(self.object_name()?),
            "topic" => Show::CreateTopic(self.table_name()?),
            _ => Show::CreateView(self.object_name()?),
        })
    }

    /// After SHOW TABLE: DISTRIBUTED or TAGS.
    fn show_table(&mut self) -> Result<Show> {
        if self.eat_word("distributed") {
            return self.object_name().map(Show::TableDistributed);
        }
        self.expect_word("tags")?;
        let items = if self.at_word("from") { Vec::new() } else { self.comma_separated(Self::tag_item)? };
        Ok(Show::TableTags { table: self.shown_table()?, items })
    }

    fn tag_item(&mut self) -> Result<TagItem> {
        let expr = if self.at_word("tbname") || self.at_word("_tags") { self.value()? } else { Expr::Column { table: None, name: self.column_name()? } };
        let named = self.eat_word("as");
        let alias =
            if named || !self.at_word("from") && matches!(self.token.kind, TokenKind::Word | TokenKind::Quoted) { Some(self.column_name()?) } else { None };
        Ok(TagItem { expr, alias })
    }

    /// `FROM [db.]table [FROM db]`.
    fn shown_table(&mut self) -> Result<ObjectName> {
        self.expect_word("from")?;
        let mut table = self.object_name()?;
        if table.database.is_none() && self.eat_word("from") {
            table.database = Some(self.database_name()?);
        }
        Ok(table)
    }

    /// A list named by keywords; the longest that fits.
    fn show_list(&mut self) -> Result<Show> {
        let first = self.token;
        self.advance();
        if first.kind != TokenKind::Word {
            return Err(self.unexpected_at(first));
        }
        let words = self.text(first).to_ascii_uppercase();
        let two = format!("{words} {}", self.word().to_ascii_uppercase());
        if let Some(list) = ShowList::ALL.iter().find(|list| list.keywords() == two) {
            self.advance();
            return Ok(Show::List(*list));
        }
        if words == "CLUSTER" && self.eat_word("variables") {
            return Ok(Show::Variables { like: self.like()? });
        }
        match ShowList::ALL.iter().find(|list| list.keywords() == words) {
            Some(list) => Ok(Show::List(*list)),
            None if ShowList::ALL.iter().any(|list| list.keywords().split(' ').next() == Some(&words)) => Err(self.unexpected()),
            None => Err(self.unexpected_at(first)),
        }
    }
}
