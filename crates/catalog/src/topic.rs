//! Topics: what the system log keeps of them. What they deliver is the engine's.

use std::sync::Arc;

use embudo_storage::{ColumnId, Uid};
use embudo_types::{Error, Result, code};

use crate::Catalog;
use crate::record::{Reader, Writer, broken};
use crate::system_change::SystemChange;

/// How many topics there may be.
const MAX_TOPICS: usize = 20;

/// A topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Name, one in the engine.
    pub name: Arc<str>,
    /// A number that no other topic has, also none before of the same name.
    pub id: u64,
    /// The database that it is on.
    pub database: Arc<str>,
    /// The CREATE TOPIC statement.
    pub statement: String,
    /// What lists show of it: keywords and names in lower case.
    pub text: String,
    /// The current database of whoever made it, in which unqualified names are looked up.
    pub current_database: Option<String>,
    /// The zone of its literals.
    pub zone: String,
    /// Whoever made it.
    pub user: String,
    /// What it delivers.
    pub source: TopicSource,
    /// Its columns as JSON, of a query topic.
    pub schema: String,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// What a topic delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopicSource {
    /// A query's rows.
    Query {
        /// The table in FROM.
        table: Uid,
        /// Columns and tags that it uses: they can neither be dropped nor modified.
        columns: Vec<ColumnId>,
    },
    /// Rows of a supertable's children.
    Supertable {
        /// The supertable.
        table: Uid,
        /// Whether DDL and deletions are delivered, and whether rows are.
        meta: TopicMeta,
    },
    /// All rows of the database.
    Database {
        /// Whether DDL and deletions are delivered, and whether rows are.
        meta: TopicMeta,
    },
}

/// Whether a topic delivers DDL and deletions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicMeta {
    /// Rows only.
    None,
    /// WITH META.
    With,
    /// ONLY META.
    Only,
}

impl TopicMeta {
    /// As lists show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::With => "yes",
            Self::Only => "only",
        }
    }

    fn from_id(id: u8) -> Result<Self> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::With),
            2 => Ok(Self::Only),
            _ => Err(broken()),
        }
    }
}

impl TopicSource {
    /// As lists show it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Query { .. } => "column",
            Self::Supertable { .. } => "stable",
            Self::Database { .. } => "db",
        }
    }

    /// Whether DDL and deletions are delivered.
    pub fn meta(&self) -> TopicMeta {
        match self {
            Self::Query { .. } => TopicMeta::None,
            Self::Supertable { meta, .. } | Self::Database { meta } => *meta,
        }
    }

    /// The one table that it is on.
    pub fn table(&self) -> Option<Uid> {
        match self {
            Self::Query { table, .. } | Self::Supertable { table, .. } => Some(*table),
            Self::Database { .. } => None,
        }
    }
}

impl Topic {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.name);
        w.unsigned(self.id);
        w.text(&self.database);
        w.text(&self.statement);
        w.text(&self.text);
        w.optional_text(self.current_database.as_deref());
        w.text(&self.zone);
        w.text(&self.user);
        match &self.source {
            TopicSource::Query { table, columns } => {
                w.byte(1);
                w.unsigned(*table);
                w.unsigned(columns.len() as u64);
                for column in columns {
                    w.unsigned(u64::from(*column));
                }
            }
            TopicSource::Supertable { table, meta } => {
                w.byte(2);
                w.unsigned(*table);
                w.byte(*meta as u8);
            }
            TopicSource::Database { meta } => {
                w.byte(3);
                w.byte(*meta as u8);
            }
        }
        w.text(&self.schema);
        w.signed(self.created);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            name: r.text()?.into(),
            id: r.unsigned()?,
            database: r.text()?.into(),
            statement: r.text()?.into(),
            text: r.text()?.into(),
            current_database: r.optional_text()?.map(Into::into),
            zone: r.text()?.into(),
            user: r.text()?.into(),
            source: match r.byte()? {
                1 => TopicSource::Query {
                    table: r.unsigned()?,
                    columns: {
                        let count = r.count()?;
                        (0..count).map(|_| r.narrow()).collect::<Result<_>>()?
                    },
                },
                2 => TopicSource::Supertable { table: r.unsigned()?, meta: TopicMeta::from_id(r.byte()?)? },
                3 => TopicSource::Database { meta: TopicMeta::from_id(r.byte()?)? },
                _ => return Err(broken()),
            },
            schema: r.text()?.into(),
            created: r.signed()?,
        })
    }
}

impl Catalog {
    /// Topics by name.
    pub fn topics(&self) -> Vec<Arc<Topic>> {
        self.state.read().topics.values().cloned().collect()
    }

    /// A topic: 0x03E1 "Topic not exist" where there is none of that name.
    pub fn topic(&self, name: &str) -> Result<Arc<Topic>> {
        self.state.read().topics.get(name).cloned().ok_or_else(|| Error::new(code::TOPIC_NOT_EXIST))
    }

    /// CREATE TOPIC; its number is given here. 0x03E0 where there is one of that name, 0x03E2 where there are 20.
    pub fn create_topic(&self, mut topic: Topic) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        {
            let state = self.state.read();
            if state.topics.contains_key(&topic.name) {
                return Err(Error::new(code::TOPIC_ALREADY_EXISTS));
            }
            if state.topics.len() >= MAX_TOPICS {
                return Err(Error::new(code::TOO_MANY_TOPICS));
            }
            topic.id = state.next_topic.max(1);
        }
        topic.created = self.now_milliseconds();
        self.log(vec![SystemChange::PutTopic(topic)])
    }

    /// DROP TOPIC with what its groups have committed.
    pub fn drop_topic(&self, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let topic = self.topic(name)?;
        let mut changes = vec![SystemChange::DropTopic(topic.name.clone())];
        changes.append(&mut self.rights_without(|rights| rights.revoke_topic(name)));
        self.log(changes)?;
        self.offsets().drop_topic(topic.id)
    }

    /// Topics that are on a table.
    pub fn topics_on(&self, database: &str, table: Uid) -> Vec<Arc<Topic>> {
        let on_table = |topic: &&Arc<Topic>| *topic.database == *database && topic.source.table() == Some(table);
        self.state.read().topics.values().filter(on_table).cloned().collect()
    }

    /// Whether a topic is on a database.
    pub fn has_topics(&self, database: &str) -> bool {
        self.state.read().topics.values().any(|topic| *topic.database == *database)
    }
}
