//! What the log's records mean: tables as they were when a record was written, and its catalogue entries as events.

use std::sync::Arc;

use embudo_storage::{ColumnId, Sequence, Uid};
use embudo_types::subscription::{MetaColumn, MetaEvent, MetaTag, TableChange, TableKind};
use embudo_types::{Result, Value};

use crate::change::{Change, decode};
use crate::{Column, Database, Schema, Table, TableOptions};

/// A table as it was when a record was written.
#[derive(Clone, Debug)]
pub struct LoggedTable {
    /// Its number.
    pub uid: Uid,
    /// Name.
    pub name: Arc<str>,
    /// Kind.
    pub kind: TableKind,
    /// A child's supertable: number and name.
    pub supertable: Option<(Uid, Arc<str>)>,
    /// Columns, and the tags of a supertable or of a child's.
    pub schema: Arc<Schema>,
    /// A child's tags: those that it has now, or had when it was dropped.
    pub tags: Vec<(ColumnId, Value)>,
}

/// A catalogue entry of the log as an event.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// The table's number.
    pub uid: Uid,
    /// A child's supertable.
    pub supertable: Option<Uid>,
    /// Its kind.
    pub kind: TableKind,
    /// What happened.
    pub event: MetaEvent,
}

impl Database {
    /// Waits until memory has all that the log's visible records say of tables.
    pub fn wait_for_changes(&self) {
        drop(self.writing());
    }

    /// Whether a table is there now.
    pub fn has_table(&self, uid: Uid) -> bool {
        self.contents().table_by_uid(uid).is_some()
    }

    /// The sequence of the last record that changed tables: none comes or goes without another one.
    pub fn last_change(&self) -> Sequence {
        self.contents().applied()
    }

    /// A table by number as it was when the record of `sequence` was written; `None` where that is not known any more.
    pub fn logged_table(&self, uid: Uid, sequence: Sequence) -> Option<LoggedTable> {
        let table = match self.contents().past_table(uid, sequence) {
            Some(past) => self.made_by(&past.made, past.until - 1)?,
            None => self.contents().table_by_uid(uid).map(current)?,
        };
        Some(self.at(table, sequence))
    }

    /// A child with its supertable's columns as they were: those of [`made_by`](Self::made_by) and [`current`] fit its tags.
    fn at(&self, mut table: LoggedTable, sequence: Sequence) -> LoggedTable {
        if let Some((supertable, _)) = &table.supertable
            && let Some(past) = self.contents().past_table(*supertable, sequence)
            && let Change::CreateSupertable { schema, .. } = &past.made
        {
            table.schema = Arc::new(schema.clone());
        }
        table
    }

    /// The table that had a name before the record of `sequence`.
    fn named_before(&self, name: &str, sequence: Sequence) -> Option<LoggedTable> {
        let table = match self.contents().past_named(name, sequence - 1) {
            Some(past) => self.made_by(&past.made, past.until - 1)?,
            None => self.contents().table(name).map(current)?,
        };
        Some(self.at(table, sequence - 1))
    }

    fn made_by(&self, made: &Change, sequence: Sequence) -> Option<LoggedTable> {
        let table = |uid: &Uid, name: &Arc<str>, kind, schema: &Schema| LoggedTable {
            uid: *uid,
            name: name.clone(),
            kind,
            supertable: None,
            schema: Arc::new(schema.clone()),
            tags: Vec::new(),
        };
        match made {
            Change::CreateSupertable { uid, name, schema, .. } => Some(table(uid, name, TableKind::Super, schema)),
            Change::CreateNormal { uid, name, schema, .. } => Some(table(uid, name, TableKind::Normal, schema)),
            Change::CreateChild { uid, supertable, name, tags, .. } => {
                let supertable = self.logged_table(*supertable, sequence)?;
                let tags = supertable.schema.tags.iter().map(|tag| tag.id).zip(tags.iter().cloned()).collect();
                Some(LoggedTable {
                    uid: *uid,
                    name: name.clone(),
                    kind: TableKind::Child,
                    supertable: Some((supertable.uid, supertable.name)),
                    schema: supertable.schema,
                    tags,
                })
            }
            _ => None,
        }
    }

    /// What a catalogue entry of the record of `sequence` says. What cannot be told any more is left out.
    pub fn logged_events(&self, sequence: Sequence, entry: &[u8]) -> Result<Vec<LoggedEvent>> {
        let mut events = Vec::new();
        for change in decode(entry)? {
            self.add_events(sequence, &change, &mut events);
        }
        Ok(events)
    }

    fn add_events(&self, sequence: Sequence, change: &Change, events: &mut Vec<LoggedEvent>) {
        match change {
            Change::CreateSupertable { uid, name, schema, options, .. } => {
                let event = MetaEvent::CreateSuper {
                    table: name.to_string(),
                    schema_version: schema.version,
                    columns: schema.columns.iter().map(column).collect(),
                    tags: schema.tags.iter().map(column).collect(),
                    comment: comment(options),
                };
                events.push(LoggedEvent { uid: *uid, supertable: None, kind: TableKind::Super, event });
            }
            Change::CreateNormal { uid, name, schema, options, .. } => {
                let event = MetaEvent::CreateNormal {
                    table: name.to_string(),
                    schema_version: schema.version,
                    columns: schema.columns.iter().map(column).collect(),
                    ttl: options.ttl,
                    comment: comment(options),
                };
                events.push(LoggedEvent { uid: *uid, supertable: None, kind: TableKind::Normal, event });
            }
            Change::CreateChild { uid, supertable, name, tags, options, .. } => {
                let Some(supertable) = self.logged_table(*supertable, sequence) else { return };
                let tags = supertable.schema.tags.iter().zip(tags).map(|(tag, value)| meta_tag(tag, value)).collect();
                let event = MetaEvent::CreateChild {
                    table: name.to_string(),
                    supertable: supertable.name.to_string(),
                    tags,
                    ttl: options.ttl,
                    comment: comment(options),
                };
                events.push(LoggedEvent { uid: *uid, supertable: Some(supertable.uid), kind: TableKind::Child, event });
            }
            Change::DropTable { name } => {
                let Some(table) = self.named_before(name, sequence) else { return };
                events.push(event_of(&table, MetaEvent::Drop { table: name.to_string(), kind: table.kind }));
            }
            Change::SetSchema { name, schema, .. } => {
                let Some(table) = self.named_before(name, sequence) else { return };
                for change in differences(&table.schema, schema) {
                    events.push(altered(&table, change));
                }
            }
            Change::SetTag { name, tag, value } => {
                let Some(table) = self.named_before(name, sequence) else { return };
                if let Some(tag) = table.schema.tags.iter().find(|column| column.id == *tag) {
                    events.push(altered(&table, TableChange::SetTag(meta_tag(tag, value))));
                }
            }
            Change::SetOptions { name, options } => {
                let Some(table) = self.named_before(name, sequence) else { return };
                events.push(altered(&table, TableChange::SetOptions { ttl: options.ttl, comment: comment(options) }));
            }
            // Indexes have no effect on what a table holds.
            Change::SetIndexes { .. } | Change::NextUid { .. } => {}
        }
    }
}

fn current(table: Table) -> LoggedTable {
    let (uid, name, schema) = (table.uid(), table.name().clone(), table.schema());
    match table {
        Table::Super(_) => LoggedTable { uid, name, kind: TableKind::Super, supertable: None, schema, tags: Vec::new() },
        Table::Normal(_) => LoggedTable { uid, name, kind: TableKind::Normal, supertable: None, schema, tags: Vec::new() },
        Table::Child(child) => {
            let children = child.supertable.children();
            let schema = children.schema().clone();
            let tags = schema.tags.iter().enumerate().map(|(at, tag)| (tag.id, children.tag_value(at, child.slot))).collect();
            LoggedTable { uid, name, kind: TableKind::Child, supertable: Some((child.supertable.uid, child.supertable.name.clone())), schema, tags }
        }
    }
}

fn event_of(table: &LoggedTable, event: MetaEvent) -> LoggedEvent {
    LoggedEvent { uid: table.uid, supertable: table.supertable.as_ref().map(|(uid, _)| *uid), kind: table.kind, event }
}

fn altered(table: &LoggedTable, change: TableChange) -> LoggedEvent {
    event_of(table, MetaEvent::Alter { table: table.name.to_string(), kind: table.kind, change })
}

fn column(column: &Column) -> MetaColumn {
    MetaColumn {
        name: column.name.to_string(),
        data_type: column.data_type,
        primary_key: column.primary_key,
        encode: column.encode.name(),
        compress: column.compress.name(),
        level: column.level.name(),
    }
}

fn meta_tag(tag: &Column, value: &Value) -> MetaTag {
    MetaTag { name: tag.name.to_string(), data_type: tag.data_type, value: value.clone() }
}

fn comment(options: &TableOptions) -> Option<String> {
    options.comment.as_ref().map(ToString::to_string)
}

/// The single changes that make one schema into another.
fn differences(old: &Schema, new: &Schema) -> Vec<TableChange> {
    let mut changes = Vec::new();
    compare(&old.columns, &new.columns, &mut changes, &Kind::COLUMN);
    compare(&old.tags, &new.tags, &mut changes, &Kind::TAG);
    changes
}

/// How changes of columns and of tags are called.
struct Kind {
    add: fn(MetaColumn) -> TableChange,
    remove: fn(String) -> TableChange,
    modify: fn(MetaColumn) -> TableChange,
    rename: fn(String, String) -> TableChange,
}

impl Kind {
    const COLUMN: Self = Self {
        add: TableChange::AddColumn,
        remove: TableChange::DropColumn,
        modify: TableChange::ModifyColumn,
        rename: |from, to| TableChange::RenameColumn { from, to },
    };
    const TAG: Self =
        Self { add: TableChange::AddTag, remove: TableChange::DropTag, modify: TableChange::ModifyTag, rename: |from, to| TableChange::RenameTag { from, to } };
}

fn compare(old: &[Column], new: &[Column], changes: &mut Vec<TableChange>, kind: &Kind) {
    for before in old {
        let Some(after) = new.iter().find(|column| column.id == before.id) else {
            changes.push((kind.remove)(before.name.to_string()));
            continue;
        };
        if before.name != after.name {
            changes.push((kind.rename)(before.name.to_string(), after.name.to_string()));
        }
        if before.data_type != after.data_type {
            changes.push((kind.modify)(column(after)));
        }
        if (before.encode, before.compress, before.level) != (after.encode, after.compress, after.level) {
            changes.push(TableChange::SetCompression(column(after)));
        }
    }
    for after in new {
        if old.iter().all(|column| column.id != after.id) {
            changes.push((kind.add)(column(after)));
        }
    }
}

#[cfg(test)]
mod tests {
    use embudo_storage::vfs::MemoryVfs;
    use embudo_storage::{Clock, Entry, ManualClock, Scheduler};
    use embudo_types::DataType;

    use super::*;
    use crate::{Alteration, Catalog, CatalogOptions, DatabaseOptions};

    fn open(vfs: &Arc<MemoryVfs>) -> Arc<Catalog> {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(1_000_000));
        let scheduler = Scheduler::simulated(1, clock.clone());
        let directory = "/engine".into();
        Catalog::open(CatalogOptions { vfs: vfs.clone(), clock, scheduler, directory, in_memory: false, read_only: false, memory_limit: 64 << 20 }).unwrap()
    }

    /// Every event of the log, with the record's sequence.
    fn events(database: &Database) -> Vec<(Sequence, LoggedEvent)> {
        let mut cursor = database.store().read_log(0);
        let mut events = Vec::new();
        while let Some(record) = cursor.read().unwrap() {
            for entry in record.entries.iter() {
                if let Entry::Meta(bytes) = entry {
                    events.extend(database.logged_events(record.sequence, bytes).unwrap().into_iter().map(|event| (record.sequence, event)));
                }
            }
        }
        events
    }

    fn alter(database: &Database, name: &str, alteration: &Alteration) -> Sequence {
        let mut changing = database.changing();
        changing.alter(&database.table(name).unwrap(), alteration).unwrap();
        changing.commit(Vec::new()).unwrap()
    }

    fn drop_named(database: &Database, name: &str) -> Sequence {
        let mut changing = database.changing();
        changing.drop_table(&database.table(name).unwrap());
        changing.commit(Vec::new()).unwrap()
    }

    fn child(database: &Database, name: &str, tag: i32) -> Uid {
        let Some(Table::Super(table)) = database.table("st") else { panic!() };
        let mut changing = database.changing();
        let crate::NewChild::Made(uid) = changing.create_child(name, &table, vec![Value::Int(tag)], TableOptions::default()).unwrap() else { panic!() };
        changing.commit(Vec::new()).unwrap();
        uid
    }

    fn create(database: &Database) -> Uid {
        let columns = vec![Column::new(0, "ts", DataType::Timestamp), Column::new(0, "v", DataType::Varchar(4))];
        let mut changing = database.changing();
        let uid = changing.create_supertable("st", columns, vec![Column::tag(0, "g", DataType::Int)], TableOptions::default()).unwrap();
        changing.commit(Vec::new()).unwrap();
        uid
    }

    fn columns(database: &Database, uid: Uid, sequence: Sequence) -> Vec<String> {
        let table = database.logged_table(uid, sequence);
        table.map(|table| table.schema.columns.iter().map(|column| column.name.to_string()).collect()).unwrap_or_default()
    }

    #[test]
    fn tables_are_known_as_they_were() {
        let vfs = Arc::new(MemoryVfs::new());
        let catalog = open(&vfs);
        let mut database = catalog.create_database("d", DatabaseOptions::default()).unwrap();
        let supertable = create(&database);
        let first = child(&database, "c", 1);
        let third = child(&database, "d", 3);
        let added = alter(&database, "st", &Alteration::AddColumn(Column::new(0, "w", DataType::Int)));
        let retagged = alter(&database, "c", &Alteration::SetTag { name: "g".into(), value: Value::Int(7) });
        let dropped = drop_named(&database, "c");
        let second = child(&database, "c", 2);
        let longer = alter(&database, "st", &Alteration::ModifyColumn { name: "v".into(), data_type: DataType::Varchar(8) });
        let gone = drop_named(&database, "st");
        let again = create(&database);
        for step in 0..4 {
            let tag = |uid, sequence| database.logged_table(uid, sequence).map(|table| table.tags[0].1.clone());
            assert_eq!(columns(&database, supertable, added - 1), ["ts", "v"]);
            assert_eq!(columns(&database, first, added), ["ts", "v", "w"]);
            assert_eq!((tag(first, 1), tag(first, dropped)), (Some(Value::Int(7)), None));
            assert_eq!((tag(second, gone - 1), tag(second, gone)), (Some(Value::Int(2)), None));
            assert_eq!(database.logged_table(second, longer - 1).unwrap().schema.columns[1].data_type, DataType::Varchar(4));
            assert_eq!(columns(&database, third, retagged), ["ts", "v", "w"]);
            assert_eq!(columns(&database, third, added - 1), ["ts", "v"]);
            assert_eq!(columns(&database, again, gone + 1), ["ts", "v"]);
            let events = events(&database);
            let changes: Vec<_> = events.iter().map(|(sequence, event)| (*sequence, event.uid, event.kind)).collect();
            let expected = [
                (1, supertable, TableKind::Super),
                (2, first, TableKind::Child),
                (3, third, TableKind::Child),
                (added, supertable, TableKind::Super),
                (retagged, first, TableKind::Child),
                (dropped, first, TableKind::Child),
                (dropped + 1, second, TableKind::Child),
                (longer, supertable, TableKind::Super),
                (gone, supertable, TableKind::Super),
                (gone + 1, again, TableKind::Super),
            ];
            assert_eq!(changes, expected, "step {step}");
            let change = |at: usize| match &events[at].1.event {
                MetaEvent::Alter { change, .. } => change.clone(),
                other => panic!("{other:?}"),
            };
            assert!(matches!(change(3), TableChange::AddColumn(column) if column.name == "w"));
            assert!(matches!(change(4), TableChange::SetTag(tag) if tag.value == Value::Int(7) && tag.name == "g"));
            assert!(matches!(change(7), TableChange::ModifyColumn(column) if column.data_type == DataType::Varchar(8)));
            let MetaEvent::CreateChild { supertable, tags, .. } = &events[1].1.event else { panic!() };
            assert_eq!((supertable.as_str(), &tags[0].value), ("st", &Value::Int(1)));
            // The same over checkpoints into either file and a new start.
            match step {
                0 | 1 => database.write_checkpoint().unwrap(),
                2 => {
                    catalog.close().unwrap();
                    database = open(&vfs).database("d").unwrap();
                }
                _ => {}
            }
        }
    }

    #[test]
    fn what_the_log_has_dropped_is_forgotten() {
        let vfs = Arc::new(MemoryVfs::new());
        let catalog = open(&vfs);
        let mut options = DatabaseOptions::default();
        options.set_integer("wal_retention_period", 0).unwrap();
        let database = catalog.create_database("d", options).unwrap();
        create(&database);
        let uid = child(&database, "c", 1);
        let dropped = drop_named(&database, "c");
        assert!(database.logged_table(uid, dropped - 1).is_some());
        catalog.close().unwrap();
        let catalog = open(&vfs);
        let database = catalog.database("d").unwrap();
        assert!(database.logged_table(uid, dropped - 1).is_some());
        for _ in 0..3 {
            child(&database, "d", 1);
            drop_named(&database, "d");
            database.write_checkpoint().unwrap();
            database.store().flush().unwrap();
        }
        assert!(database.store().log_range().0 > dropped);
        assert!(database.logged_table(uid, dropped - 1).is_none());
    }
}
