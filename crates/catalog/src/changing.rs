//! A change of tables in the making: checked against what is there, logged together with rows, then put in memory.

use std::sync::Arc;

use embudo_storage::{Entry, Sequence, Uid};
use embudo_types::{Error, Result, Value, code};
use parking_lot::RwLockWriteGuard;
use rustc_hash::FxHashMap;

use crate::change::{Change, encode};
use crate::database::Database;
use crate::{Column, Schema, Supertable, Table, TableOptions, TagIndex, rules};

/// The right to change tables; nothing happens before [`commit`](Self::commit).
#[derive(Debug)]
pub struct Changing<'a> {
    pub(crate) database: &'a Database,
    _gate: RwLockWriteGuard<'a, ()>,
    changes: Vec<Change>,
    /// Tables that this change makes, by name: their uid and, of children, the supertable's.
    made: FxHashMap<Arc<str>, (Uid, Option<Uid>)>,
    dropped: Vec<Uid>,
    now: i64,
}

/// What [`Changing::create_child`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewChild {
    /// There was none of that name.
    Made(Uid),
    /// It is a child of that supertable already, its tags as they were.
    Existing(Uid),
}

impl<'a> Changing<'a> {
    pub(crate) fn new(database: &'a Database, gate: RwLockWriteGuard<'a, ()>) -> Self {
        let now = database.now_milliseconds();
        Self { database, _gate: gate, changes: Vec::new(), made: FxHashMap::default(), dropped: Vec::new(), now }
    }

    /// Whether nothing has been asked for.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// CREATE STABLE. Column ids are given here. 0x0360 where a supertable has the name, 0x0603 where another table has it.
    pub fn create_supertable(&mut self, name: &str, columns: Vec<Column>, tags: Vec<Column>, options: TableOptions) -> Result<Uid> {
        rules::check_table(&columns, &tags)?;
        match self.database.table(name) {
            Some(Table::Super(_)) => return Err(Error::new(code::STABLE_ALREADY_EXISTS)),
            Some(_) => return Err(Error::new(code::TABLE_ALREADY_EXISTS)),
            None => self.refuse_view(name)?,
        }
        if self.database.options().single_stable == 1 && !self.database.supertables().is_empty() {
            return Err(Error::new(code::DATABASE_IS_SINGLE_STABLE_MODE));
        }
        let schema = numbered(columns, tags);
        let name: Arc<str> = name.into();
        // TDengine makes an index of the first tag by itself.
        let indexes = schema.tags.first().map(|tag| TagIndex { name: format!("{}_{name}", tag.name).into(), tag: tag.id, created: self.now });
        let uid = self.made(&name, None);
        self.changes.push(Change::CreateSupertable {
            uid,
            name,
            created: self.now,
            altered: self.now,
            schema,
            options,
            indexes: indexes.into_iter().collect(),
        });
        Ok(uid)
    }

    /// CREATE TABLE with columns. 0x0603 where the name is taken.
    pub fn create_normal(&mut self, name: &str, columns: Vec<Column>, options: TableOptions) -> Result<Uid> {
        rules::check_table(&columns, &[])?;
        if self.database.table(name).is_some() {
            return Err(Error::new(code::TABLE_ALREADY_EXISTS));
        }
        self.refuse_view(name)?;
        let name: Arc<str> = name.into();
        let uid = self.made(&name, None);
        self.changes.push(Change::CreateNormal { uid, name, created: self.now, schema: numbered(columns, Vec::new()), options });
        Ok(uid)
    }

    /// A child of `supertable` with one value a tag, in the order of its tags and of their types; an existing one keeps its tags.
    /// 0x0603 where another kind of table has the name, 0x061D where it is another supertable's child.
    pub fn create_child(&mut self, name: &str, supertable: &Supertable, tags: Vec<Value>, options: TableOptions) -> Result<NewChild> {
        if let Some((uid, owner)) = self.made.get(name) {
            return match owner {
                Some(owner) if *owner == supertable.uid => Ok(NewChild::Existing(*uid)),
                Some(_) => Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES)),
                None => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
            };
        }
        match self.database.table(name) {
            Some(Table::Child(child)) if child.supertable.uid == supertable.uid => return Ok(NewChild::Existing(child.uid)),
            Some(Table::Child(_)) => return Err(Error::new(code::TABLE_ALREADY_EXISTS_IN_OTHER_STABLES)),
            Some(_) => return Err(Error::new(code::TABLE_ALREADY_EXISTS)),
            None => self.refuse_view(name)?,
        }
        let name: Arc<str> = name.into();
        let uid = self.made(&name, Some(supertable.uid));
        self.changes.push(Change::CreateChild { uid, supertable: supertable.uid, name, created: self.now, tags, options });
        Ok(NewChild::Made(uid))
    }

    /// Views share the tables' names: 0x266E where one has this.
    fn refuse_view(&self, name: &str) -> Result<()> {
        if self.database.view(name).is_some() { Err(Error::new(code::VIEW_NAME_IS_CONFLICT_WITH_TABLE)) } else { Ok(()) }
    }

    /// DROP TABLE of any kind; a supertable's children go with it.
    pub fn drop_table(&mut self, table: &Table) {
        match table {
            Table::Super(supertable) => {
                let children = supertable.children();
                self.dropped.extend(children.slots().iter().map(|slot| children.uid(slot)));
            }
            Table::Child(_) | Table::Normal(_) => self.dropped.push(table.uid()),
        }
        self.changes.push(Change::DropTable { name: table.name().clone() });
    }

    /// CREATE INDEX on one tag: 0x0483 where the tag or the name has one.
    pub fn create_index(&mut self, table: &Supertable, name: &str, tag: &str) -> Result<()> {
        let schema = table.schema();
        let tag = schema.tag(tag).ok_or_else(|| Error::new(code::TAG_DOES_NOT_EXIST))?;
        let tag = schema.tags[tag].id;
        let mut indexes = (*table.indexes()).clone();
        if indexes.iter().any(|index| index.tag == tag || &*index.name == name) {
            return Err(Error::new(code::INDEX_ALREADY_EXISTS_IN_DB));
        }
        indexes.push(TagIndex { name: name.into(), tag, created: self.now });
        self.changes.push(Change::SetIndexes { name: table.name.clone(), indexes });
        Ok(())
    }

    /// DROP INDEX by name in the whole database; `false` where there is none.
    pub fn drop_index(&mut self, name: &str) -> bool {
        for table in self.database.supertables() {
            let mut indexes = (*table.indexes()).clone();
            let before = indexes.len();
            indexes.retain(|index| &*index.name != name);
            if indexes.len() < before {
                self.changes.push(Change::SetIndexes { name: table.name.clone(), indexes });
                return true;
            }
        }
        false
    }

    /// Logs the change and `entries` (rows, of new tables too) as one atomic record, then shows the change to everybody.
    pub fn commit(self, mut entries: Vec<Entry>) -> Result<Sequence> {
        let mut record = Vec::with_capacity(entries.len() + self.dropped.len() + 1);
        if !self.changes.is_empty() {
            record.push(Entry::Meta(encode(&self.changes)));
        }
        record.append(&mut entries);
        record.extend(self.dropped.iter().map(|uid| Entry::DropTable { uid: *uid }));
        if record.is_empty() {
            return Ok(self.database.contents().applied());
        }
        let sequence = self.database.store().append(record)?;
        self.database.contents().apply(sequence, &self.changes, false)?;
        self.database.forget_past();
        self.database.checkpoint_later();
        if self.changes.iter().any(Change::sets_ttl) {
            self.database.expire_later();
        }
        Ok(sequence)
    }

    pub(crate) fn push(&mut self, change: Change) {
        self.changes.push(change);
    }

    pub(crate) fn now(&self) -> i64 {
        self.now
    }

    fn made(&mut self, name: &Arc<str>, supertable: Option<Uid>) -> Uid {
        let uid = self.database.contents().take_uid();
        self.made.insert(name.clone(), (uid, supertable));
        uid
    }
}

/// A first schema: columns and tags numbered from the timestamp on.
fn numbered(mut columns: Vec<Column>, mut tags: Vec<Column>) -> Schema {
    let mut next_id = crate::schema::TIMESTAMP_ID;
    for column in columns.iter_mut().chain(&mut tags) {
        column.id = next_id;
        next_id += 1;
    }
    Schema { version: 1, columns, tags, next_id }
}
