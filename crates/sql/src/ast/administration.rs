//! Users, functions, topics, streams, KILL and the cluster (spec/sql.md 3.8, 3.9, 3.11, 8.1, 8.3).

use embudo_types::{DataType, Duration};

use super::{expr::Expr, query::Query, statement::ObjectName};

/// CREATE USER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateUser {
    /// Name.
    pub name: String,
    /// PASS.
    pub password: String,
    /// ENABLE.
    pub enable: Option<i64>,
    /// SYSINFO.
    pub sysinfo: Option<i64>,
    /// CREATEDB.
    pub create_databases: Option<i64>,
    /// HOST: addresses or CIDR ranges.
    pub hosts: Vec<String>,
    /// TOTPSEED.
    pub totp_seed: Option<String>,
    /// `ALLOW_TOKEN_NUM`.
    pub token_limit: Option<TokenLimit>,
}

/// `ALLOW_TOKEN_NUM`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenLimit {
    /// DEFAULT.
    Default,
    /// UNLIMITED.
    Unlimited,
    /// So many.
    Number(i64),
}

/// CREATE TOKEN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateToken {
    /// Name.
    pub name: String,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// FROM USER.
    pub user: String,
    /// The rest.
    pub options: TokenOptions,
}

/// What CREATE TOKEN and ALTER TOKEN set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenOptions {
    /// ENABLE.
    pub enable: Option<i64>,
    /// PROVIDER.
    pub provider: Option<String>,
    /// TTL in days, 0 for ever.
    pub ttl: Option<i64>,
    /// `EXTRA_INFO`.
    pub extra: Option<String>,
}

/// What ALTER USER changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlterUser {
    /// PASS.
    Password(String),
    /// ENABLE.
    Enable(i64),
    /// SYSINFO.
    Sysinfo(i64),
    /// CREATEDB.
    CreateDatabases(i64),
    /// ADD HOST.
    AddHosts(Vec<String>),
    /// DROP HOST.
    DropHosts(Vec<String>),
    /// TOTPSEED.
    TotpSeed(String),
    /// `ALLOW_TOKEN_NUM`.
    TokenLimit(TokenLimit),
}

/// GRANT and REVOKE.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// What is given or taken.
    pub privileges: Privileges,
    /// On what.
    pub level: PrivilegeLevel,
    /// WITH: which children of a super table.
    pub condition: Option<Expr>,
    /// To or from whom.
    pub user: String,
}

/// Rights of GRANT and REVOKE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Privileges {
    /// ALL.
    All,
    /// SUBSCRIBE, on a topic.
    Subscribe,
    /// A list.
    List(Vec<Privilege>),
}

/// One right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// READ.
    Read,
    /// WRITE.
    Write,
    /// ALTER.
    Alter,
}

/// Where rights hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PrivilegeLevel {
    /// `*.*`.
    Everything,
    /// `db.*`.
    Database(String),
    /// `db.table`.
    Table {
        /// Database.
        database: String,
        /// Table.
        table: String,
    },
    /// `topic`.
    Topic(String),
}

/// CREATE FUNCTION.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateFunction {
    /// OR REPLACE.
    pub or_replace: bool,
    /// AGGREGATE.
    pub aggregate: bool,
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Name.
    pub name: String,
    /// AS: the library's path.
    pub path: String,
    /// OUTPUTTYPE.
    pub output: DataType,
    /// BUFSIZE.
    pub buffer_size: Option<i64>,
    /// LANGUAGE.
    pub language: Option<String>,
}

/// What a topic delivers.
#[derive(Clone, Debug, PartialEq)]
pub enum TopicSource {
    /// AS query.
    Query(Query),
    /// AS DATABASE.
    Database {
        /// Its name.
        name: String,
        /// WITH META, ONLY META.
        meta: TopicMeta,
    },
    /// AS STABLE \[WHERE …\].
    Supertable {
        /// Its name.
        name: ObjectName,
        /// WITH META, ONLY META.
        meta: TopicMeta,
        /// Which children, by tags.
        filter: Option<Expr>,
    },
}

/// Whether a topic delivers DDL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TopicMeta {
    /// Rows only.
    #[default]
    None,
    /// WITH META: rows and DDL.
    With,
    /// ONLY META.
    Only,
}

/// CREATE STREAM.
#[derive(Clone, Debug, PartialEq)]
pub struct CreateStream {
    /// IF NOT EXISTS.
    pub if_not_exists: bool,
    /// Name.
    pub name: String,
    /// As written.
    pub options: StreamOptions,
    /// INTO: the super table that takes the results.
    pub target: ObjectName,
    /// Its columns for the select list's items; empty for all.
    pub columns: Vec<StreamColumn>,
    /// TAGS; empty for none.
    pub tags: Vec<StreamTag>,
    /// SUBTABLE: how children are named.
    pub subtable: Option<Expr>,
    /// AS.
    pub query: Query,
}

/// A column of a stream's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamColumn {
    /// Name.
    pub name: String,
    /// PRIMARY KEY.
    pub primary_key: bool,
}

/// A tag of a stream's target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamTag {
    /// Name: a PARTITION BY alias.
    pub name: String,
    /// Type, where the target is made by the stream.
    pub data_type: Option<DataType>,
}

/// Options of CREATE STREAM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamOptions {
    /// TRIGGER.
    pub trigger: Option<StreamTrigger>,
    /// WATERMARK.
    pub watermark: Option<Duration>,
    /// IGNORE EXPIRED.
    pub ignore_expired: Option<bool>,
    /// IGNORE UPDATE.
    pub ignore_update: Option<bool>,
    /// `FILL_HISTORY`.
    pub fill_history: Option<bool>,
    /// `DELETE_MARK`.
    pub delete_mark: Option<Duration>,
}

/// When a stream writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamTrigger {
    /// `AT_ONCE`.
    AtOnce,
    /// `WINDOW_CLOSE`.
    WindowClose,
    /// `MAX_DELAY`.
    MaxDelay(Duration),
}

/// DROP STREAM and PAUSE STREAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DropStream {
    /// Name.
    pub name: String,
    /// IF EXISTS.
    pub if_exists: bool,
}

/// RESUME STREAM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResumeStream {
    /// Name.
    pub name: String,
    /// IF EXISTS.
    pub if_exists: bool,
    /// IGNORE UNTREATED: what came while paused is passed over.
    pub ignore_untreated: bool,
}

/// KILL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kill {
    /// KILL CONNECTION.
    Connection(i64),
    /// KILL QUERY 'connection:query'.
    Query(String),
    /// KILL TRANSACTION.
    Transaction(i64),
    /// KILL COMPACT.
    Compact(i64),
}

/// Statements on nodes, vgroups and configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClusterStatement {
    /// CREATE DNODE endpoint \[PORT n\].
    CreateDnode {
        /// Host, or `host:port`.
        endpoint: String,
        /// PORT.
        port: Option<i64>,
    },
    /// DROP DNODE.
    DropDnode {
        /// Which.
        dnode: DnodeTarget,
        /// FORCE.
        force: bool,
        /// UNSAFE.
        unsafe_drop: bool,
    },
    /// ALTER DNODE n or ALTER ALL DNODES.
    AlterDnode {
        /// `None` for all.
        dnode: Option<i64>,
        /// Option, or `option value` in one string.
        key: String,
        /// Value.
        value: Option<String>,
    },
    /// ALTER CLUSTER.
    AlterCluster {
        /// Option.
        key: String,
        /// Value.
        value: Option<String>,
    },
    /// ALTER LOCAL: an option of the client.
    AlterLocal {
        /// Option.
        key: String,
        /// Value.
        value: Option<String>,
    },
    /// CREATE MNODE|QNODE|SNODE|BNODE ON DNODE n.
    CreateNode {
        /// Which kind.
        role: NodeRole,
        /// Where.
        dnode: i64,
    },
    /// DROP MNODE|QNODE|SNODE|BNODE ON DNODE n.
    DropNode {
        /// Which kind.
        role: NodeRole,
        /// Where.
        dnode: i64,
    },
    /// RESTORE DNODE n, RESTORE MNODE|QNODE|VNODE ON DNODE n.
    Restore {
        /// `None` restores the whole dnode.
        role: Option<NodeRole>,
        /// Where.
        dnode: i64,
    },
    /// CREATE `ENCRYPT_KEY`.
    CreateEncryptKey(String),
    /// BALANCE VGROUP.
    BalanceVgroup,
    /// BALANCE VGROUP LEADER \[ON n\].
    BalanceVgroupLeader {
        /// Vgroup.
        vgroup: Option<i64>,
    },
    /// MERGE VGROUP.
    MergeVgroup(i64, i64),
    /// SPLIT VGROUP.
    SplitVgroup(i64),
    /// REDISTRIBUTE VGROUP n DNODE n ….
    RedistributeVgroup {
        /// Vgroup.
        vgroup: i64,
        /// Nodes.
        dnodes: Vec<i64>,
    },
}

/// A node by number or endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnodeTarget {
    /// Number.
    Id(i64),
    /// `host:port`.
    Endpoint(String),
}

/// What a node does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeRole {
    /// MNODE.
    Mnode,
    /// QNODE.
    Qnode,
    /// SNODE.
    Snode,
    /// BNODE.
    Bnode,
    /// VNODE.
    Vnode,
}
