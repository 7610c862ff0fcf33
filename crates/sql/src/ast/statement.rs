//! Statements: what one call to [`crate::parse`] gives. Tables and databases are in [`super::table`] and [`super::database`],
//! SHOW in [`super::show`], users, topics, streams and the cluster in [`super::administration`].

use super::{
    administration::{
        AlterUser, ClusterStatement, CreateFunction, CreateStream, CreateToken, CreateUser, DropStream, Grant, Kill, ResumeStream, TokenOptions, TopicSource,
    },
    database::DatabaseOption,
    expr::Expr,
    query::Query,
    show::Show,
    table::{AlterTable, CreateChildTable, CreateIndex, CreateSmaIndex, CreateTable, CreateTsma, DropTable},
};

/// `[database.]name`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ObjectName {
    /// Database, where written.
    pub database: Option<String>,
    /// Table, view, index …
    pub name: String,
}

impl ObjectName {
    /// A name without a database.
    pub fn bare(name: impl Into<String>) -> Self {
        Self { database: None, name: name.into() }
    }
}

/// One statement. INSERT … VALUES and INSERT … FILE have no tree: see [`crate::insert`].
#[derive(Clone, Debug, PartialEq)]
pub enum Statement {
    /// SELECT and UNION.
    Query(Box<Query>),
    /// INSERT INTO … SELECT.
    InsertSelect(Box<InsertSelect>),
    /// DELETE FROM table \[WHERE …\].
    Delete {
        /// Normal, child or super table.
        table: ObjectName,
        /// WHERE.
        filter: Option<Expr>,
    },
    /// EXPLAIN \[ANALYZE\].
    Explain(Box<Explain>),
    /// DESCRIBE or DESC.
    Describe(ObjectName),
    /// SHOW in every form.
    Show(Show),
    /// USE.
    UseDatabase(String),
    /// CREATE DATABASE.
    CreateDatabase {
        /// Name.
        name: String,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// As written; the last of equal options counts.
        options: Vec<DatabaseOption>,
    },
    /// ALTER DATABASE.
    AlterDatabase {
        /// Name.
        name: String,
        /// As written; the last of equal options counts.
        options: Vec<DatabaseOption>,
    },
    /// DROP DATABASE.
    DropDatabase {
        /// Name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// FLUSH DATABASE.
    FlushDatabase(String),
    /// TRIM DATABASE.
    TrimDatabase {
        /// Name.
        name: String,
        /// BWLIMIT in MB/s.
        bandwidth_limit: Option<i64>,
    },
    /// COMPACT DATABASE.
    CompactDatabase {
        /// Name.
        name: String,
        /// START WITH: an integer, a string or a TIMESTAMP literal.
        start: Option<Expr>,
        /// END WITH.
        end: Option<Expr>,
    },
    /// S3MIGRATE DATABASE.
    MigrateDatabase(String),
    /// CREATE TABLE with columns, or CREATE STABLE.
    CreateTable(Box<CreateTable>),
    /// CREATE TABLE … USING …, one or several.
    CreateChildTables(Vec<CreateChildTable>),
    /// DROP TABLE.
    DropTables(Vec<DropTable>),
    /// DROP STABLE.
    DropSupertable(DropTable),
    /// ALTER TABLE or ALTER STABLE.
    AlterTable(Box<AlterTable>),
    /// CREATE INDEX on a tag.
    CreateIndex(CreateIndex),
    /// CREATE SMA INDEX.
    CreateSmaIndex(Box<CreateSmaIndex>),
    /// DROP INDEX.
    DropIndex {
        /// Name.
        name: ObjectName,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE \[RECURSIVE\] TSMA.
    CreateTsma(Box<CreateTsma>),
    /// DROP TSMA.
    DropTsma {
        /// Name.
        name: ObjectName,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE VIEW.
    CreateView {
        /// Name.
        name: ObjectName,
        /// OR REPLACE.
        or_replace: bool,
        /// What it stands for.
        query: Box<Query>,
        /// The query as written, apart from the case of what is unquoted: what its columns are called depends on it.
        text: String,
    },
    /// DROP VIEW.
    DropView {
        /// Name.
        name: ObjectName,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE USER.
    CreateUser(CreateUser),
    /// ALTER USER.
    AlterUser {
        /// Name.
        name: String,
        /// What changes.
        change: AlterUser,
    },
    /// DROP USER.
    DropUser(String),
    /// CREATE `TOTP_SECRET` FOR USER.
    CreateTotpSecret(String),
    /// DROP `TOTP_SECRET` FROM USER.
    DropTotpSecret(String),
    /// CREATE TOKEN.
    CreateToken(Box<CreateToken>),
    /// ALTER TOKEN.
    AlterToken {
        /// Name.
        name: String,
        /// What changes.
        options: TokenOptions,
    },
    /// DROP TOKEN.
    DropToken {
        /// Name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// GRANT … TO.
    Grant(Box<Grant>),
    /// REVOKE … FROM.
    Revoke(Box<Grant>),
    /// CREATE FUNCTION.
    CreateFunction(CreateFunction),
    /// DROP FUNCTION.
    DropFunction {
        /// Name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE TOPIC.
    CreateTopic {
        /// Name.
        name: String,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// What it delivers.
        source: Box<TopicSource>,
    },
    /// DROP TOPIC.
    DropTopic {
        /// Name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
        /// FORCE: also while somebody is subscribed.
        force: bool,
    },
    /// DROP CONSUMER GROUP … ON topic.
    DropConsumerGroup {
        /// Group.
        group: String,
        /// IF EXISTS.
        if_exists: bool,
        /// Topic.
        topic: String,
    },
    /// CREATE STREAM.
    CreateStream(Box<CreateStream>),
    /// DROP STREAM.
    DropStream(DropStream),
    /// PAUSE STREAM.
    PauseStream(DropStream),
    /// RESUME STREAM.
    ResumeStream(ResumeStream),
    /// KILL.
    Kill(Kill),
    /// RESET QUERY CACHE.
    ResetQueryCache,
    /// Nodes, vgroups and configuration.
    Cluster(ClusterStatement),
}

/// INSERT INTO table \[(columns)\] query.
#[derive(Clone, Debug, PartialEq)]
pub struct InsertSelect {
    /// Normal or child table.
    pub table: ObjectName,
    /// The columns that are filled, in the query's order; empty for all.
    pub columns: Vec<String>,
    /// Where the rows come from.
    pub query: Query,
}

/// EXPLAIN.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// ANALYZE also runs the statement.
    pub analyze: bool,
    /// VERBOSE.
    pub verbose: Option<bool>,
    /// RATIO.
    pub ratio: Option<f64>,
    /// [`Statement::Query`] or [`Statement::InsertSelect`].
    pub statement: Statement,
}
