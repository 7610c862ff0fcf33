//! Statements as SQL.

use std::fmt::{Display, Formatter, Result};

use super::{List, Name, Names, Text, optional, when};
use crate::ast::{
    Statement,
    administration::TopicSource,
    show::{DatabaseScope, Show, TableScope, TagItem},
    statement::{Explain, InsertSelect},
};

fn drop_object(f: &mut Formatter<'_>, what: &str, if_exists: bool, name: impl Display) -> Result {
    write!(f, "DROP {what} {}{name}", if if_exists { "IF EXISTS " } else { "" })
}

/// SQL that parses to the same statement.
impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Query(query) => query.fmt(f),
            Self::InsertSelect(insert) => insert.fmt(f),
            Self::Delete { table, filter } => {
                write!(f, "DELETE FROM {table}")?;
                optional(f, " WHERE ", filter.as_ref())
            }
            Self::Explain(explain) => explain.fmt(f),
            Self::Describe(table) => write!(f, "DESCRIBE {table}"),
            Self::Show(show) => show.fmt(f),
            Self::UseDatabase(name) => write!(f, "USE {}", Name(name)),
            Self::CreateDatabase { name, if_not_exists, options } => {
                f.write_str("CREATE DATABASE ")?;
                when(f, *if_not_exists, "IF NOT EXISTS ")?;
                Name(name).fmt(f)?;
                options.iter().try_for_each(|option| write!(f, " {option}"))
            }
            Self::AlterDatabase { name, options } => {
                write!(f, "ALTER DATABASE {}", Name(name))?;
                options.iter().try_for_each(|option| write!(f, " {option}"))
            }
            Self::DropDatabase { name, if_exists } => drop_object(f, "DATABASE", *if_exists, Name(name)),
            Self::FlushDatabase(name) => write!(f, "FLUSH DATABASE {}", Name(name)),
            Self::TrimDatabase { name, bandwidth_limit } => {
                write!(f, "TRIM DATABASE {}", Name(name))?;
                optional(f, " BWLIMIT ", *bandwidth_limit)
            }
            Self::CompactDatabase { name, start, end } => {
                write!(f, "COMPACT DATABASE {}", Name(name))?;
                optional(f, " START WITH ", start.as_ref())?;
                optional(f, " END WITH ", end.as_ref())
            }
            Self::MigrateDatabase(name) => write!(f, "S3MIGRATE DATABASE {}", Name(name)),
            Self::CreateTable(table) => table.fmt(f),
            Self::CreateChildTables(tables) => write!(f, "CREATE TABLE {}", List(tables, " ")),
            Self::DropTables(tables) => write!(f, "DROP TABLE {}", List(tables, ", ")),
            Self::DropSupertable(table) => write!(f, "DROP STABLE {table}"),
            Self::AlterTable(alter) => alter.fmt(f),
            Self::CreateIndex(index) => index.fmt(f),
            Self::CreateSmaIndex(index) => index.fmt(f),
            Self::DropIndex { name, if_exists } => drop_object(f, "INDEX", *if_exists, name),
            Self::CreateTsma(tsma) => tsma.fmt(f),
            Self::DropTsma { name, if_exists } => drop_object(f, "TSMA", *if_exists, name),
            Self::CreateView { name, or_replace, text, .. } => {
                write!(f, "CREATE {}VIEW {name} AS {text}", if *or_replace { "OR REPLACE " } else { "" })
            }
            Self::DropView { name, if_exists } => drop_object(f, "VIEW", *if_exists, name),
            Self::CreateUser(user) => user.fmt(f),
            Self::AlterUser { name, change } => write!(f, "ALTER USER {} {change}", Name(name)),
            Self::DropUser(name) => write!(f, "DROP USER {}", Name(name)),
            Self::CreateTotpSecret(user) => write!(f, "CREATE TOTP_SECRET FOR USER {}", Name(user)),
            Self::DropTotpSecret(user) => write!(f, "DROP TOTP_SECRET FROM USER {}", Name(user)),
            Self::CreateToken(token) => token.fmt(f),
            Self::AlterToken { name, options } => write!(f, "ALTER TOKEN {}{options}", Name(name)),
            Self::DropToken { name, if_exists } => drop_object(f, "TOKEN", *if_exists, Name(name)),
            Self::Grant(grant) => grant.show(f, "GRANT", "TO"),
            Self::Revoke(grant) => grant.show(f, "REVOKE", "FROM"),
            Self::CreateFunction(function) => function.fmt(f),
            Self::DropFunction { name, if_exists } => drop_object(f, "FUNCTION", *if_exists, Name(name)),
            Self::CreateTopic { name, if_not_exists, source } => {
                f.write_str("CREATE TOPIC ")?;
                when(f, *if_not_exists, "IF NOT EXISTS ")?;
                write!(f, "{} {source}", Name(name))
            }
            Self::DropTopic { name, if_exists, force } => {
                f.write_str("DROP TOPIC ")?;
                when(f, *if_exists, "IF EXISTS ")?;
                when(f, *force, "FORCE ")?;
                Name(name).fmt(f)
            }
            Self::DropConsumerGroup { group, if_exists, topic } => {
                drop_object(f, "CONSUMER GROUP", *if_exists, Name(group))?;
                write!(f, " ON {}", Name(topic))
            }
            Self::CreateStream(stream) => stream.fmt(f),
            Self::DropStream(stream) => drop_object(f, "STREAM", stream.if_exists, Name(&stream.name)),
            Self::PauseStream(stream) => {
                f.write_str("PAUSE STREAM ")?;
                when(f, stream.if_exists, "IF EXISTS ")?;
                Name(&stream.name).fmt(f)
            }
            Self::ResumeStream(stream) => {
                f.write_str("RESUME STREAM ")?;
                when(f, stream.if_exists, "IF EXISTS ")?;
                when(f, stream.ignore_untreated, "IGNORE UNTREATED ")?;
                Name(&stream.name).fmt(f)
            }
            Self::Kill(kill) => kill.fmt(f),
            Self::ResetQueryCache => f.write_str("RESET QUERY CACHE"),
            Self::Cluster(statement) => statement.fmt(f),
        }
    }
}

/// SQL that parses to the same statement.
impl Display for InsertSelect {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "INSERT INTO {} ", self.table)?;
        if !self.columns.is_empty() {
            write!(f, "({}) ", Names(&self.columns))?;
        }
        self.query.fmt(f)
    }
}

/// SQL that parses to the same statement.
impl Display for Explain {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("EXPLAIN ")?;
        when(f, self.analyze, "ANALYZE ")?;
        if let Some(verbose) = self.verbose {
            f.write_str(if verbose { "VERBOSE TRUE " } else { "VERBOSE FALSE " })?;
        }
        if let Some(ratio) = self.ratio {
            write!(f, "RATIO {ratio:?} ")?;
        }
        self.statement.fmt(f)
    }
}

/// SQL that parses to the same source, after the topic's name.
impl Display for TopicSource {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Query(query) => write!(f, "AS {query}"),
            Self::Database { name, meta } => write!(f, "{meta}AS DATABASE {}", Name(name)),
            Self::Supertable { name, meta, filter } => {
                write!(f, "{meta}AS STABLE {name}")?;
                optional(f, " WHERE ", filter.as_ref())
            }
        }
    }
}

/// SHOW's `[db.]word [LIKE '…']`.
fn show_in_database(f: &mut Formatter<'_>, database: Option<&str>, word: &str, like: Option<&str>) -> Result {
    if let Some(database) = database {
        write!(f, "{}.", Name(database))?;
    }
    f.write_str(word)?;
    optional(f, " LIKE ", like.map(Text))
}

/// SQL that parses to the same statement.
impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("SHOW ")?;
        match self {
            Self::Databases(DatabaseScope::All) => f.write_str("DATABASES"),
            Self::Databases(DatabaseScope::User) => f.write_str("USER DATABASES"),
            Self::Databases(DatabaseScope::System) => f.write_str("SYSTEM DATABASES"),
            Self::Supertables { database, like } => show_in_database(f, database.as_deref(), "STABLES", like.as_deref()),
            Self::Tables { scope, database, like } => {
                f.write_str(match scope {
                    TableScope::All => "",
                    TableScope::Normal => "NORMAL ",
                    TableScope::Child => "CHILD ",
                })?;
                show_in_database(f, database.as_deref(), "TABLES", like.as_deref())
            }
            Self::Views { database, like } => show_in_database(f, database.as_deref(), "VIEWS", like.as_deref()),
            Self::Vgroups { database } => show_in_database(f, database.as_deref(), "VGROUPS", None),
            Self::Tsmas { database } => show_in_database(f, database.as_deref(), "TSMAS", None),
            Self::Alive { database } => show_in_database(f, database.as_deref(), "ALIVE", None),
            Self::Indexes(table) => write!(f, "INDEXES FROM {table}"),
            Self::Tags(table) => write!(f, "TAGS FROM {table}"),
            Self::TableTags { table, items } => {
                f.write_str("TABLE TAGS ")?;
                if !items.is_empty() {
                    write!(f, "{} ", List(items, ", "))?;
                }
                write!(f, "FROM {table}")
            }
            Self::CreateDatabase(name) => write!(f, "CREATE DATABASE {}", Name(name)),
            Self::CreateTable(name) => write!(f, "CREATE TABLE {name}"),
            Self::CreateSupertable(name) => write!(f, "CREATE STABLE {name}"),
            Self::CreateView(name) => write!(f, "CREATE VIEW {name}"),
            Self::CreateTopic(name) => write!(f, "CREATE TOPIC {}", Name(name)),
            Self::Variables { like } => {
                f.write_str(if like.is_some() { "CLUSTER VARIABLES" } else { "VARIABLES" })?;
                optional(f, " LIKE ", like.as_deref().map(Text))
            }
            Self::LocalVariables => f.write_str("LOCAL VARIABLES"),
            Self::DnodeVariables { dnode, like } => {
                write!(f, "DNODE {dnode} VARIABLES")?;
                optional(f, " LIKE ", like.as_deref().map(Text))
            }
            Self::TableDistributed(name) => write!(f, "TABLE DISTRIBUTED {name}"),
            Self::Compact(id) => write!(f, "COMPACT {id}"),
            Self::Vnodes { dnode } => {
                f.write_str("VNODES")?;
                optional(f, " ON DNODE ", *dnode)
            }
            Self::List(list) => f.write_str(list.keywords()),
        }
    }
}

/// SQL that parses to the same item.
impl Display for TagItem {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.expr.fmt(f)?;
        optional(f, " AS ", self.alias.as_deref().map(Name))
    }
}
