//! The tables of a database as readers see them.

use std::sync::Arc;

use embudo_storage::{ColumnId, Uid};
use embudo_types::Precision;
use parking_lot::RwLock;

use crate::children::ChildSet;
use crate::namespace::Namespace;
use crate::postings::PostingCache;
use crate::{Children, Schema};

/// What a name in FROM means.
#[derive(Clone, Debug)]
pub enum Table {
    /// A supertable.
    Super(Arc<Supertable>),
    /// A child of one.
    Child(Child),
    /// A table of its own.
    Normal(Arc<NormalTable>),
}

/// A child table.
#[derive(Clone, Debug)]
pub struct Child {
    /// Whose rows these are in the store.
    pub uid: Uid,
    /// Name.
    pub name: Arc<str>,
    /// Its place among the supertable's children, valid as long as the process runs.
    pub slot: u32,
    /// What gives it columns and tags.
    pub supertable: Arc<Supertable>,
}

/// Options that a table of any kind has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// `COMMENT`.
    pub comment: Option<Arc<str>>,
    /// `TTL` in days, 0 for ever.
    pub ttl: u32,
    /// `SMA(…)`: columns named there; `None` where none was written.
    pub sma: Option<Vec<ColumnId>>,
}

/// CREATE INDEX on a tag. Results do not depend on it: every tag has postings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagIndex {
    /// Name.
    pub name: Arc<str>,
    /// The tag.
    pub tag: ColumnId,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// A supertable: columns, tags and children.
#[derive(Debug)]
pub struct Supertable {
    /// Never used again in the database.
    pub uid: Uid,
    /// Name.
    pub name: Arc<str>,
    /// Milliseconds since 1970.
    pub created: i64,
    pub(crate) body: RwLock<SupertableBody>,
    pub(crate) namespace: Arc<Namespace>,
    pub(crate) postings: Arc<PostingCache>,
    pub(crate) precision: Precision,
}

/// What ALTER and CREATE TABLE … USING change, as one immutable whole.
#[derive(Clone, Debug)]
pub(crate) struct SupertableBody {
    pub schema: Arc<Schema>,
    pub children: Arc<ChildSet>,
    pub options: Arc<TableOptions>,
    pub indexes: Arc<Vec<TagIndex>>,
    /// Milliseconds since 1970 of the last ALTER.
    pub altered: i64,
}

impl Supertable {
    /// Columns and tags now.
    pub fn schema(&self) -> Arc<Schema> {
        self.body.read().schema.clone()
    }

    /// Children and schema at one moment.
    pub fn children(&self) -> Children {
        let body = self.body.read();
        Children::new(body.children.clone(), body.schema.clone(), self.uid, self.namespace.clone(), self.postings.clone(), self.precision)
    }

    /// COMMENT, TTL, SMA.
    pub fn options(&self) -> Arc<TableOptions> {
        self.body.read().options.clone()
    }

    /// Indexes on tags, the first tag's own among them.
    pub fn indexes(&self) -> Arc<Vec<TagIndex>> {
        self.body.read().indexes.clone()
    }

    /// When it was last altered, milliseconds since 1970.
    pub fn altered(&self) -> i64 {
        self.body.read().altered
    }
}

/// A table with columns and no tags.
#[derive(Debug)]
pub struct NormalTable {
    /// Whose rows these are in the store.
    pub uid: Uid,
    /// Name.
    pub name: Arc<str>,
    /// Milliseconds since 1970.
    pub created: i64,
    pub(crate) body: RwLock<NormalBody>,
}

/// What ALTER changes in a normal table.
#[derive(Clone, Debug)]
pub(crate) struct NormalBody {
    pub schema: Arc<Schema>,
    pub options: Arc<TableOptions>,
}

impl NormalTable {
    /// Columns now.
    pub fn schema(&self) -> Arc<Schema> {
        self.body.read().schema.clone()
    }

    /// COMMENT, TTL, SMA.
    pub fn options(&self) -> Arc<TableOptions> {
        self.body.read().options.clone()
    }
}

impl Table {
    /// The table's uid.
    pub fn uid(&self) -> Uid {
        match self {
            Self::Super(table) => table.uid,
            Self::Child(child) => child.uid,
            Self::Normal(table) => table.uid,
        }
    }

    /// The table's name.
    pub fn name(&self) -> &Arc<str> {
        match self {
            Self::Super(table) => &table.name,
            Self::Child(child) => &child.name,
            Self::Normal(table) => &table.name,
        }
    }

    /// Its columns, and tags where it has them.
    pub fn schema(&self) -> Arc<Schema> {
        match self {
            Self::Super(table) => table.schema(),
            Self::Child(child) => child.supertable.schema(),
            Self::Normal(table) => table.schema(),
        }
    }
}
