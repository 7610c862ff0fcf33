//! What a subscription asks for and what it delivers: the same for the engine, the clients and the wires. How a meta event reads as
//! JSON or as raw bytes is the wire's.

use std::time::Duration;

use arrow_array::RecordBatch;

use crate::{DataType, Value};

/// Where a consumer begins in a vgroup for which its group has committed nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OffsetReset {
    /// At the oldest record that the log holds.
    Earliest,
    /// Behind the newest.
    #[default]
    Latest,
    /// Nowhere: a poll is an error until something is committed or sought.
    None,
}

/// What a consumer is made with. The defaults are those of TDengine's clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeOptions {
    /// Topics.
    pub topics: Vec<String>,
    /// `group.id`.
    pub group: String,
    /// `client.id`.
    pub client: String,
    /// `auto.offset.reset`.
    pub offset_reset: OffsetReset,
    /// `enable.auto.commit`: a poll commits what earlier polls gave, once an interval.
    pub auto_commit: bool,
    /// `auto.commit.interval.ms`.
    pub auto_commit_interval: Duration,
    /// `session.timeout.ms`: a consumer that is not heard of for so long loses its vgroups to the others.
    pub session_timeout: Duration,
    /// `max.poll.interval.ms`: a consumer that does not poll for so long loses its vgroups to the others.
    pub max_poll_interval: Duration,
    /// `msg.with.table.name`: blocks of stable and database topics name their table.
    pub with_table_name: bool,
    /// `min.poll.rows`: rows at which a message is full. A record is never split, so that a message may have more.
    pub poll_rows: usize,
    /// `msg.enable.batchmeta`: successive meta events come in one message.
    pub batch_meta: bool,
    /// `experimental.snapshot.enable`: rows that the log does not hold any more are read from the tables first.
    pub snapshot: bool,
    /// `enable.replay`: rows come at the pace of their timestamps.
    pub replay: bool,
}

impl SubscribeOptions {
    /// A consumer of a group on topics.
    pub fn new<T: Into<String>>(group: impl Into<String>, topics: impl IntoIterator<Item = T>) -> Self {
        Self {
            topics: topics.into_iter().map(Into::into).collect(),
            group: group.into(),
            client: String::new(),
            offset_reset: OffsetReset::Latest,
            auto_commit: true,
            auto_commit_interval: Duration::from_secs(5),
            session_timeout: Duration::from_secs(12),
            max_poll_interval: Duration::from_secs(300),
            with_table_name: true,
            poll_rows: 4096,
            batch_meta: false,
            snapshot: false,
            replay: false,
        }
    }
}

/// What a message holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// Rows.
    Data,
    /// Events.
    Meta,
    /// Rows, and the events that must be carried out before them.
    DataAndMeta,
}

/// What one poll gave: records of one vgroup of one topic.
#[derive(Clone, Debug)]
pub struct Message {
    /// The topic.
    pub topic: String,
    /// The topic's database.
    pub database: String,
    /// The vgroup.
    pub vgroup: i32,
    /// Offset that was read from.
    pub start: i64,
    /// Offset behind the message: what a commit of it stores.
    pub next: i64,
    /// What it holds.
    pub kind: MessageKind,
    /// Rows, in the order they were written.
    pub blocks: Vec<SubscribedBlock>,
    /// Events, in their order.
    pub meta: Vec<MetaEvent>,
}

impl Message {
    /// The offset that TDengine's clients show: of rows where reading began, of events what is behind them.
    pub fn offset(&self) -> i64 {
        if self.kind == MessageKind::Meta { self.next } else { self.start }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.blocks.iter().map(|block| block.batch.num_rows()).sum()
    }
}

/// Rows of one table.
#[derive(Clone, Debug)]
pub struct SubscribedBlock {
    /// The table; `None` in query topics and where names were not asked for.
    pub table: Option<String>,
    /// Version of the table's schema.
    pub schema_version: u32,
    /// The rows; fields carry TDengine's types ([`crate::arrow::field`]).
    pub batch: RecordBatch,
}

/// A vgroup of a topic and where its consumer stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The topic.
    pub topic: String,
    /// The vgroup.
    pub vgroup: i32,
    /// Oldest offset that can be read.
    pub begin: i64,
    /// Offset that the next record will have.
    pub end: i64,
    /// Offset that is read next.
    pub current: i64,
}

/// A change of tables or a deletion, in a topic that delivers them.
#[derive(Clone, Debug, PartialEq)]
pub enum MetaEvent {
    /// CREATE STABLE.
    CreateSuper {
        /// Name.
        table: String,
        /// Version of its schema.
        schema_version: u32,
        /// Columns, the timestamp first.
        columns: Vec<MetaColumn>,
        /// Tags.
        tags: Vec<MetaColumn>,
        /// COMMENT.
        comment: Option<String>,
    },
    /// CREATE TABLE with columns.
    CreateNormal {
        /// Name.
        table: String,
        /// Version of its schema.
        schema_version: u32,
        /// Columns, the timestamp first.
        columns: Vec<MetaColumn>,
        /// TTL in days, 0 for none.
        ttl: u32,
        /// COMMENT.
        comment: Option<String>,
    },
    /// CREATE TABLE … USING, or the first INSERT … USING.
    CreateChild {
        /// Name.
        table: String,
        /// Its supertable.
        supertable: String,
        /// Every tag.
        tags: Vec<MetaTag>,
        /// TTL in days, 0 for none.
        ttl: u32,
        /// COMMENT.
        comment: Option<String>,
    },
    /// ALTER TABLE, one change.
    Alter {
        /// The table.
        table: String,
        /// Its kind.
        kind: TableKind,
        /// What changed.
        change: TableChange,
    },
    /// DROP TABLE, DROP STABLE.
    Drop {
        /// The table.
        table: String,
        /// Its kind; with a supertable its children are gone.
        kind: TableKind,
    },
    /// DELETE of one table's rows.
    Delete {
        /// The table.
        table: String,
        /// Name of its timestamp column.
        column: String,
        /// First tick that is gone.
        start: i64,
        /// Last.
        end: i64,
    },
}

/// What kind a table is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// A supertable.
    Super,
    /// A child of one.
    Child,
    /// A table of its own.
    Normal,
}

/// A column or a tag of a new or altered table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaColumn {
    /// Name.
    pub name: String,
    /// Type with length.
    pub data_type: DataType,
    /// Whether it is the second half of the row key.
    pub primary_key: bool,
    /// `ENCODE`, as SQL writes it.
    pub encode: &'static str,
    /// `COMPRESS`.
    pub compress: &'static str,
    /// `LEVEL`.
    pub level: &'static str,
}

/// A tag of a child.
#[derive(Clone, Debug, PartialEq)]
pub struct MetaTag {
    /// Name.
    pub name: String,
    /// Type with length.
    pub data_type: DataType,
    /// Value.
    pub value: Value,
}

/// One change of a table.
#[derive(Clone, Debug, PartialEq)]
pub enum TableChange {
    /// ADD COLUMN.
    AddColumn(MetaColumn),
    /// DROP COLUMN.
    DropColumn(String),
    /// MODIFY COLUMN: a longer type.
    ModifyColumn(MetaColumn),
    /// RENAME COLUMN.
    RenameColumn {
        /// Name until now.
        from: String,
        /// Name from now on.
        to: String,
    },
    /// MODIFY COLUMN … ENCODE, COMPRESS, LEVEL.
    SetCompression(MetaColumn),
    /// ADD TAG.
    AddTag(MetaColumn),
    /// DROP TAG.
    DropTag(String),
    /// MODIFY TAG: a longer type.
    ModifyTag(MetaColumn),
    /// RENAME TAG.
    RenameTag {
        /// Name until now.
        from: String,
        /// Name from now on.
        to: String,
    },
    /// SET TAG, of a child.
    SetTag(MetaTag),
    /// COMMENT, TTL.
    SetOptions {
        /// TTL in days, 0 for none.
        ttl: u32,
        /// COMMENT.
        comment: Option<String>,
    },
    /// CREATE INDEX on a tag.
    AddTagIndex(String),
    /// DROP INDEX of a tag.
    DropTagIndex(String),
}
