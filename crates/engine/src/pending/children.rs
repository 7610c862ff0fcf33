//! Rows of many children of one supertable that come together: kept in one piece from the statement to the log, since a slice of every
//! column for each child would cost more than the rows themselves.

use std::sync::Arc;

use embudo_catalog::{Changing, Child, Database, NewChild, RightSet, Schema, Supertable, Table, TableOptions};
use embudo_query::Reach;
use embudo_storage::{ColumnBatch, Entry, TableRun, TablesBatch, Uid};
use embudo_types::{Error, Result, Value};

use super::{Refusal, Rows, Target, distinct_keys};
use crate::session::StatementContext;

/// A child that rows go to.
#[derive(Debug)]
pub(crate) enum ChildTarget {
    /// One that is there.
    Known {
        /// Its place among the supertable's children.
        slot: u32,
        /// Its uid.
        uid: Uid,
    },
    /// One that is made if it is still missing.
    New {
        /// Name.
        name: Arc<str>,
        /// One value a tag, in their order.
        tags: Vec<Value>,
    },
}

/// The rows.
#[derive(Debug)]
pub(crate) struct ChildRows {
    /// Whose children they are for.
    pub supertable: Arc<Supertable>,
    /// The schema that they were made for.
    pub schema: Arc<Schema>,
    /// TTL and COMMENT of children that are made.
    pub options: TableOptions,
    /// Each child with its number of rows, at least one, in the order of the rows; a child comes once.
    pub runs: Vec<(ChildTarget, u32)>,
    /// All rows, each child's behind one another.
    pub rows: Rows,
}

impl ChildRows {
    /// Whether a child may have to be made.
    pub fn makes_tables(&self) -> bool {
        self.runs.iter().any(|(target, _)| matches!(target, ChildTarget::New { .. }))
    }

    /// Rows with a key of their own.
    pub fn distinct_rows(&self) -> u64 {
        let mut start = 0;
        let rows = |(_, rows): &(ChildTarget, u32)| {
            let run = start..start + *rows as usize;
            start = run.end;
            distinct_keys(std::iter::once((&self.rows, run)), &self.schema)
        };
        self.runs.iter().map(rows).sum()
    }

    /// Refuses rows of children that the user may not write: 0x2644.
    pub fn require_write(&self, context: &StatementContext<'_>, database: &Database) -> Result<()> {
        let whole = Table::Super(self.supertable.clone());
        if context.account.is_superuser() || matches!(context.account.reach(RightSet::WRITE, database, &whole), Ok(Reach::Everything)) {
            return Ok(());
        }
        self.targets().try_for_each(|(name, target)| target.require_write(context, database, &name))
    }

    /// Each child by name, as a table of its own.
    fn targets(&self) -> impl Iterator<Item = (Arc<str>, Target)> {
        let children = self.supertable.children();
        self.runs.iter().map(move |(target, _)| match target {
            ChildTarget::Known { slot, uid } => {
                let child = Child { uid: *uid, name: children.name(*slot), slot: *slot, supertable: self.supertable.clone() };
                (child.name.clone(), Target::Table(Table::Child(child)))
            }
            ChildTarget::New { name, tags } => {
                (name.clone(), Target::New { supertable: self.supertable.clone(), tags: tags.clone(), options: self.options.clone() })
            }
        })
    }

    /// The rows child by child, for statements that name children in other ways too.
    pub fn split(&self) -> Vec<(Arc<str>, Target, Rows)> {
        let mut start = 0;
        let lengths = self.runs.iter().map(|(_, rows)| *rows as usize);
        let split = |((name, target), length): ((Arc<str>, Target), usize)| {
            let rows = self.rows.slice(start, length);
            start += length;
            (name, target, rows)
        };
        self.targets().zip(lengths).map(split).collect()
    }

    /// The rows as an entry of the log; missing children are made by `changing`.
    pub fn into_entry(self, database: &Database, mut changing: Option<&mut Changing<'_>>) -> Result<Entry, Refusal> {
        let is_there = database.supertable(self.supertable.uid).is_some_and(|there| Arc::ptr_eq(&there, &self.supertable));
        let children = self.supertable.children();
        if !is_there || !Arc::ptr_eq(children.schema(), &self.schema) {
            return Err(Refusal::Stale);
        }
        let mut runs = Vec::with_capacity(self.runs.len());
        for (target, rows) in self.runs {
            let uid = match target {
                ChildTarget::Known { slot, uid } if children.holds(slot, uid) => uid,
                ChildTarget::Known { .. } => return Err(Refusal::Stale),
                ChildTarget::New { name, tags } => {
                    let changing = changing.as_deref_mut().ok_or_else(|| Error::internal("a child to be made without the right to"))?;
                    match changing.create_child(&name, &self.supertable, tags, self.options.clone())? {
                        NewChild::Made(uid) | NewChild::Existing(uid) => uid,
                    }
                }
            };
            runs.push(TableRun { uid, rows });
        }
        let Rows { timestamps, key, columns } = self.rows;
        let uid = runs.first().map_or(0, |run| run.uid);
        Ok(Entry::Tables(TablesBatch { runs, rows: ColumnBatch { uid, schema_version: self.schema.version, timestamps, key, columns } }))
    }
}
