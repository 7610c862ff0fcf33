//! SHOW (spec/sql.md 7.4).

use super::{expr::Expr, statement::ObjectName};

/// One SHOW statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Show {
    /// SHOW \[USER|SYSTEM\] DATABASES.
    Databases(DatabaseScope),
    /// SHOW \[db.\]STABLES \[LIKE …\].
    Supertables {
        /// Database, where written.
        database: Option<String>,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW \[NORMAL|CHILD\] \[db.\]TABLES \[LIKE …\].
    Tables {
        /// Which kind.
        scope: TableScope,
        /// Database, where written.
        database: Option<String>,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW \[db.\]VIEWS \[LIKE …\].
    Views {
        /// Database, where written.
        database: Option<String>,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW \[db.\]VGROUPS.
    Vgroups {
        /// Database, where written.
        database: Option<String>,
    },
    /// SHOW \[db.\]TSMAS.
    Tsmas {
        /// Database, where written.
        database: Option<String>,
    },
    /// SHOW \[db.\]ALIVE.
    Alive {
        /// Database, where written.
        database: Option<String>,
    },
    /// SHOW INDEXES FROM.
    Indexes(ObjectName),
    /// SHOW TAGS FROM child.
    Tags(ObjectName),
    /// SHOW TABLE TAGS \[items\] FROM supertable.
    TableTags {
        /// Super table.
        table: ObjectName,
        /// `TBNAME`, `_TAGS`, tags with alias; empty for all.
        items: Vec<TagItem>,
    },
    /// SHOW CREATE DATABASE.
    CreateDatabase(String),
    /// SHOW CREATE TABLE.
    CreateTable(ObjectName),
    /// SHOW CREATE STABLE.
    CreateSupertable(ObjectName),
    /// SHOW CREATE VIEW.
    CreateView(ObjectName),
    /// SHOW CREATE TOPIC.
    CreateTopic(String),
    /// SHOW \[CLUSTER\] VARIABLES \[LIKE …\]: the cluster's.
    Variables {
        /// Pattern for names.
        like: Option<String>,
    },
    /// SHOW LOCAL VARIABLES: the client's.
    LocalVariables,
    /// SHOW DNODE n VARIABLES \[LIKE …\].
    DnodeVariables {
        /// Node.
        dnode: i64,
        /// LIKE.
        like: Option<String>,
    },
    /// SHOW TABLE DISTRIBUTED.
    TableDistributed(ObjectName),
    /// SHOW COMPACT n.
    Compact(i64),
    /// SHOW VNODES \[ON DNODE n\].
    Vnodes {
        /// Node.
        dnode: Option<i64>,
    },
    /// A list without arguments.
    List(ShowList),
}

/// Which databases SHOW lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DatabaseScope {
    /// All.
    #[default]
    All,
    /// USER: all but the two system ones.
    User,
    /// SYSTEM.
    System,
}

/// Which tables SHOW lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TableScope {
    /// All.
    #[default]
    All,
    /// NORMAL.
    Normal,
    /// CHILD.
    Child,
}

/// An item of SHOW TABLE TAGS.
#[derive(Clone, Debug, PartialEq)]
pub struct TagItem {
    /// A tag, `TBNAME` or `_TAGS`.
    pub expr: Expr,
    /// AS.
    pub alias: Option<String>,
}

macro_rules! lists {
    ($($variant:ident $text:literal;)*) => {
        /// Lists that SHOW names by keywords alone.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ShowList {
            $(#[doc = concat!("`", $text, "`")] $variant,)*
        }

        impl ShowList {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The keywords after SHOW, in upper case.
            pub fn keywords(self) -> &'static str {
                match self {
                    $(Self::$variant => $text,)*
                }
            }
        }
    };
}

lists! {
    Functions "FUNCTIONS";
    Streams "STREAMS";
    Topics "TOPICS";
    Subscriptions "SUBSCRIPTIONS";
    Consumers "CONSUMERS";
    Dnodes "DNODES";
    Mnodes "MNODES";
    Qnodes "QNODES";
    Snodes "SNODES";
    Bnodes "BNODES";
    Cluster "CLUSTER";
    ClusterMachines "CLUSTER MACHINES";
    ClusterAlive "CLUSTER ALIVE";
    Users "USERS";
    UserPrivileges "USER PRIVILEGES";
    Tokens "TOKENS";
    Arbgroups "ARBGROUPS";
    Encryptions "ENCRYPTIONS";
    Compacts "COMPACTS";
    Grants "GRANTS";
    GrantsFull "GRANTS FULL";
    GrantsLogs "GRANTS LOGS";
    Licences "LICENCES";
    Connections "CONNECTIONS";
    Queries "QUERIES";
    Transactions "TRANSACTIONS";
    Apps "APPS";
    Scores "SCORES";
    Accounts "ACCOUNTS";
}
