//! Users, rights, functions, streams and the cluster as SQL.

use std::fmt::{Display, Formatter, Result};

use super::{List, Name, Text, Texts, optional, when};
use crate::ast::administration::{
    AlterUser, ClusterStatement, CreateFunction, CreateStream, CreateToken, CreateUser, DnodeTarget, Grant, Kill, NodeRole, Privilege, PrivilegeLevel,
    Privileges, StreamColumn, StreamOptions, StreamTag, StreamTrigger, TokenLimit, TokenOptions, TopicMeta,
};

/// SQL that parses to the same statement.
impl Display for CreateUser {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        write!(f, "CREATE USER {} PASS {}", Name(&self.name), Text(&self.password))?;
        optional(f, " ENABLE ", self.enable)?;
        optional(f, " SYSINFO ", self.sysinfo)?;
        optional(f, " CREATEDB ", self.create_databases)?;
        optional(f, " TOTPSEED ", self.totp_seed.as_deref().map(Text))?;
        optional(f, " ALLOW_TOKEN_NUM ", self.token_limit)?;
        if self.hosts.is_empty() { Ok(()) } else { write!(f, " HOST {}", Texts(&self.hosts)) }
    }
}

/// SQL that parses to the same limit.
impl Display for TokenLimit {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Default => f.write_str("DEFAULT"),
            Self::Unlimited => f.write_str("UNLIMITED"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

/// SQL that parses to the same statement.
impl Display for CreateToken {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("CREATE TOKEN ")?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} FROM USER {}{}", Name(&self.name), Name(&self.user), self.options)
    }
}

/// SQL that parses to the same options, each after a space.
impl Display for TokenOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        optional(f, " ENABLE ", self.enable)?;
        optional(f, " PROVIDER ", self.provider.as_deref().map(Text))?;
        optional(f, " TTL ", self.ttl)?;
        optional(f, " EXTRA_INFO ", self.extra.as_deref().map(Text))
    }
}

/// SQL that parses to the same change, after ALTER USER and the name.
impl Display for AlterUser {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Password(password) => write!(f, "PASS {}", Text(password)),
            Self::Enable(value) => write!(f, "ENABLE {value}"),
            Self::Sysinfo(value) => write!(f, "SYSINFO {value}"),
            Self::CreateDatabases(value) => write!(f, "CREATEDB {value}"),
            Self::AddHosts(hosts) => write!(f, "ADD HOST {}", Texts(hosts)),
            Self::DropHosts(hosts) => write!(f, "DROP HOST {}", Texts(hosts)),
            Self::TotpSeed(seed) => write!(f, "TOTPSEED {}", Text(seed)),
            Self::TokenLimit(limit) => write!(f, "ALLOW_TOKEN_NUM {limit}"),
        }
    }
}

impl Grant {
    /// SQL that parses to the same statement.
    pub(super) fn show(&self, f: &mut Formatter<'_>, verb: &str, preposition: &str) -> Result {
        write!(f, "{verb} ")?;
        match &self.privileges {
            Privileges::All => f.write_str("ALL")?,
            Privileges::Subscribe => f.write_str("SUBSCRIBE")?,
            Privileges::List(list) => List(list, ", ").fmt(f)?,
        }
        match &self.level {
            PrivilegeLevel::Everything => f.write_str(" ON *.*")?,
            PrivilegeLevel::Database(database) => write!(f, " ON {}.*", Name(database))?,
            PrivilegeLevel::Table { database, table } => write!(f, " ON {}.{}", Name(database), Name(table))?,
            PrivilegeLevel::Topic(topic) => write!(f, " ON {}", Name(topic))?,
        }
        optional(f, " WITH ", self.condition.as_ref())?;
        write!(f, " {preposition} {}", Name(&self.user))
    }
}

/// The keyword.
impl Display for Privilege {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Alter => "ALTER",
        })
    }
}

/// SQL that parses to the same statement.
impl Display for CreateFunction {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("CREATE ")?;
        when(f, self.or_replace, "OR REPLACE ")?;
        when(f, self.aggregate, "AGGREGATE ")?;
        f.write_str("FUNCTION ")?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{} AS {} OUTPUTTYPE {}", Name(&self.name), Text(&self.path), self.output)?;
        optional(f, " BUFSIZE ", self.buffer_size)?;
        optional(f, " LANGUAGE ", self.language.as_deref().map(Text))
    }
}

/// The keywords with a space after them.
impl Display for TopicMeta {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::None => "",
            Self::With => "WITH META ",
            Self::Only => "ONLY META ",
        })
    }
}

/// SQL that parses to the same statement.
impl Display for CreateStream {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str("CREATE STREAM ")?;
        when(f, self.if_not_exists, "IF NOT EXISTS ")?;
        write!(f, "{}{} INTO {}", Name(&self.name), self.options, self.target)?;
        if !self.columns.is_empty() {
            write!(f, " ({})", List(&self.columns, ", "))?;
        }
        if !self.tags.is_empty() {
            write!(f, " TAGS ({})", List(&self.tags, ", "))?;
        }
        if let Some(subtable) = &self.subtable {
            write!(f, " SUBTABLE({subtable})")?;
        }
        write!(f, " AS {}", self.query)
    }
}

/// The options, each with a space before it.
impl Display for StreamOptions {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self.trigger {
            Some(StreamTrigger::AtOnce) => f.write_str(" TRIGGER AT_ONCE")?,
            Some(StreamTrigger::WindowClose) => f.write_str(" TRIGGER WINDOW_CLOSE")?,
            Some(StreamTrigger::MaxDelay(delay)) => write!(f, " TRIGGER MAX_DELAY {delay}")?,
            None => {}
        }
        optional(f, " WATERMARK ", self.watermark)?;
        optional(f, " IGNORE EXPIRED ", self.ignore_expired.map(u8::from))?;
        optional(f, " IGNORE UPDATE ", self.ignore_update.map(u8::from))?;
        optional(f, " FILL_HISTORY ", self.fill_history.map(u8::from))?;
        optional(f, " DELETE_MARK ", self.delete_mark)
    }
}

/// SQL that parses to the same column.
impl Display for StreamColumn {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Name(&self.name).fmt(f)?;
        when(f, self.primary_key, " PRIMARY KEY")
    }
}

/// SQL that parses to the same tag.
impl Display for StreamTag {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        Name(&self.name).fmt(f)?;
        optional(f, " ", self.data_type)
    }
}

/// SQL that parses to the same statement.
impl Display for Kill {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Connection(id) => write!(f, "KILL CONNECTION {id}"),
            Self::Query(id) => write!(f, "KILL QUERY {}", Text(id)),
            Self::Transaction(id) => write!(f, "KILL TRANSACTION {id}"),
            Self::Compact(id) => write!(f, "KILL COMPACT {id}"),
        }
    }
}

/// The keyword.
impl Display for NodeRole {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_str(match self {
            Self::Mnode => "MNODE",
            Self::Qnode => "QNODE",
            Self::Snode => "SNODE",
            Self::Bnode => "BNODE",
            Self::Vnode => "VNODE",
        })
    }
}

/// A number or a quoted endpoint.
impl Display for DnodeTarget {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Endpoint(endpoint) => Text(endpoint).fmt(f),
        }
    }
}

/// SQL that parses to the same statement.
impl Display for ClusterStatement {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::CreateDnode { endpoint, port } => {
                write!(f, "CREATE DNODE {}", Text(endpoint))?;
                optional(f, " PORT ", *port)
            }
            Self::DropDnode { dnode, force, unsafe_drop } => {
                write!(f, "DROP DNODE {dnode}")?;
                when(f, *force, " FORCE")?;
                when(f, *unsafe_drop, " UNSAFE")
            }
            Self::AlterDnode { dnode, key, value } => {
                match dnode {
                    Some(dnode) => write!(f, "ALTER DNODE {dnode} {}", Text(key))?,
                    None => write!(f, "ALTER ALL DNODES {}", Text(key))?,
                }
                optional(f, " ", value.as_deref().map(Text))
            }
            Self::AlterCluster { key, value } => {
                write!(f, "ALTER CLUSTER {}", Text(key))?;
                optional(f, " ", value.as_deref().map(Text))
            }
            Self::AlterLocal { key, value } => {
                write!(f, "ALTER LOCAL {}", Text(key))?;
                optional(f, " ", value.as_deref().map(Text))
            }
            Self::CreateNode { role, dnode } => write!(f, "CREATE {role} ON DNODE {dnode}"),
            Self::DropNode { role, dnode } => write!(f, "DROP {role} ON DNODE {dnode}"),
            Self::Restore { role: Some(role), dnode } => write!(f, "RESTORE {role} ON DNODE {dnode}"),
            Self::Restore { role: None, dnode } => write!(f, "RESTORE DNODE {dnode}"),
            Self::CreateEncryptKey(key) => write!(f, "CREATE ENCRYPT_KEY {}", Text(key)),
            Self::BalanceVgroup => f.write_str("BALANCE VGROUP"),
            Self::BalanceVgroupLeader { vgroup } => {
                f.write_str("BALANCE VGROUP LEADER")?;
                optional(f, " ON ", *vgroup)
            }
            Self::MergeVgroup(first, second) => write!(f, "MERGE VGROUP {first} {second}"),
            Self::SplitVgroup(vgroup) => write!(f, "SPLIT VGROUP {vgroup}"),
            Self::RedistributeVgroup { vgroup, dnodes } => {
                write!(f, "REDISTRIBUTE VGROUP {vgroup}")?;
                dnodes.iter().try_for_each(|dnode| write!(f, " DNODE {dnode}"))
            }
        }
    }
}
