//! One database: its store, its tables by name, and the gate that orders DDL among writers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use embudo_storage::{Clock, Entry, Scheduler, Sequence, Store, Uid};
use embudo_types::{Precision, Result};
use parking_lot::{RwLock, RwLockReadGuard};
use rustc_hash::FxHashMap;

use crate::change::Change;
use crate::changing::Changing;
use crate::checkpoint::Checkpoint;
use crate::namespace::{Name, Namespace};
use crate::past::{Past, PastTable};
use crate::record::broken;
use crate::table::{NormalBody, SupertableBody};
use crate::{Child, DatabaseOptions, NormalTable, Schema, Supertable, Table, TagIndex, View, WindowAggregates};

/// A database.
#[derive(Debug)]
pub struct Database {
    /// Its directory's number, never used again.
    pub id: u32,
    /// Name.
    pub name: Arc<str>,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Number of its first vgroup; the others follow, one a shard. Never used again.
    pub first_vgroup: i32,
    options: RwLock<Arc<DatabaseOptions>>,
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    contents: Arc<Contents>,
    pub(crate) checkpoint: Option<Checkpoint>,
    /// Held shared by whoever writes rows of tables it looked up, exclusive by whoever changes tables: so that rows never meet a
    /// schema they were not made for, and memory changes in the order of the log.
    gate: RwLock<()>,
    scheduler: Arc<Scheduler>,
    /// Whether a checkpoint is due already.
    checkpoint_due: AtomicBool,
    /// Whether tables with a TTL are looked through later already.
    expiry_due: AtomicBool,
    /// What the system log says of it beside its tables.
    pub(crate) views: RwLock<BTreeMap<Arc<str>, Arc<View>>>,
    pub(crate) aggregates: RwLock<BTreeMap<Arc<str>, Arc<WindowAggregates>>>,
    this: Weak<Self>,
}

/// How long changes wait for the next checkpoint.
const CHECKPOINT_DELAY: Duration = Duration::from_secs(30);
/// Changes that do not wait.
const CHECKPOINT_CHANGES: usize = 20_000;
/// Past tables above which every change looks for some that can go.
const PAST_TABLES: usize = 256;

/// The parts that a database is made of.
pub(crate) struct DatabaseParts {
    pub first_vgroup: i32,
    pub store: Arc<Store>,
    pub clock: Arc<dyn Clock>,
    pub scheduler: Arc<Scheduler>,
    pub contents: Arc<Contents>,
    pub checkpoint: Option<Checkpoint>,
}

/// The tables, apart from the store, so that replay can fill them while the store opens.
#[derive(Debug)]
pub(crate) struct Contents {
    precision: Precision,
    namespace: Arc<Namespace>,
    tables: RwLock<Tables>,
    /// The next uid to give.
    next_uid: AtomicU64,
    /// Sequence of the last record that was applied.
    applied: AtomicU64,
    /// Names of changed tables by uid, for each of the two checkpoint files; unused in memory.
    changed: parking_lot::Mutex<[FxHashMap<Uid, Arc<str>>; 2]>,
    keeps_changes: bool,
    /// What records that the log still holds need.
    past: RwLock<Past>,
}

/// Tables by uid, so that lists come in order of creation.
#[derive(Debug, Default)]
struct Tables {
    supertables: BTreeMap<Uid, Arc<Supertable>>,
    normal: BTreeMap<Uid, Arc<NormalTable>>,
}

/// The right to write rows: while it is held, no table changes. Do not hold it while waiting for anything but the store.
#[derive(Debug)]
pub struct Writing<'a> {
    database: &'a Database,
    _gate: RwLockReadGuard<'a, ()>,
}

impl Writing<'_> {
    /// Appends rows and deletes of tables that were looked up since this was taken, as one atomic record.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Sequence> {
        self.database.store.append(entries)
    }
}

impl Database {
    /// A database out of its parts.
    pub(crate) fn new(id: u32, name: Arc<str>, created: i64, options: DatabaseOptions, parts: DatabaseParts) -> Arc<Self> {
        let DatabaseParts { first_vgroup, store, clock, scheduler, contents, checkpoint } = parts;
        Arc::new_cyclic(|this| Self {
            id,
            name,
            created,
            first_vgroup,
            options: RwLock::new(Arc::new(options)),
            store,
            clock,
            contents,
            checkpoint,
            gate: RwLock::new(()),
            scheduler,
            checkpoint_due: AtomicBool::new(false),
            expiry_due: AtomicBool::new(false),
            views: RwLock::default(),
            aggregates: RwLock::default(),
            this: this.clone(),
        })
    }

    /// Sees to it that what has changed gets into a catalogue file before long.
    pub(crate) fn checkpoint_later(&self) {
        if self.checkpoint.is_none() || self.checkpoint_due.swap(true, Ordering::AcqRel) {
            return;
        }
        let delay = if self.unwritten_changes() < CHECKPOINT_CHANGES { CHECKPOINT_DELAY } else { Duration::ZERO };
        let this = self.this.clone();
        self.scheduler.spawn_after(delay, move || {
            let Some(database) = this.upgrade() else { return };
            database.checkpoint_due.store(false, Ordering::Release);
            if let Err(error) = database.write_checkpoint() {
                tracing::warn!(database = %database.name, %error, "the catalogue file could not be written; the log keeps what it lacks");
            }
        });
    }

    /// Its options now.
    pub fn options(&self) -> Arc<DatabaseOptions> {
        self.options.read().clone()
    }

    pub(crate) fn set_options(&self, options: DatabaseOptions) {
        *self.options.write() = Arc::new(options);
    }

    /// Ticks of its timestamps; never changes.
    pub fn precision(&self) -> Precision {
        self.contents.precision
    }

    /// Its rows. Whoever appends does so through [`writing`](Self::writing).
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// Keeps tables as they are, to write rows.
    pub fn writing(&self) -> Writing<'_> {
        Writing { database: self, _gate: self.gate.read() }
    }

    /// Keeps writers out, to change tables.
    pub fn changing(&self) -> Changing<'_> {
        Changing::new(self, self.gate.write())
    }

    /// What a name in FROM means.
    pub fn table(&self, name: &str) -> Option<Table> {
        self.contents.table(name)
    }

    /// A view by name.
    pub fn view(&self, name: &str) -> Option<Arc<View>> {
        self.views.read().get(name).cloned()
    }

    /// Views by name.
    pub fn views(&self) -> Vec<Arc<View>> {
        self.views.read().values().cloned().collect()
    }

    /// Aggregates that TSMA and SMA index statements asked for, by name.
    pub fn aggregates(&self) -> Vec<Arc<WindowAggregates>> {
        self.aggregates.read().values().cloned().collect()
    }

    /// Supertables in order of creation.
    pub fn supertables(&self) -> Vec<Arc<Supertable>> {
        self.contents.tables.read().supertables.values().cloned().collect()
    }

    /// A supertable by uid.
    pub fn supertable(&self, uid: Uid) -> Option<Arc<Supertable>> {
        self.contents.tables.read().supertables.get(&uid).cloned()
    }

    /// Normal tables in order of creation.
    pub fn normal_tables(&self) -> Vec<Arc<NormalTable>> {
        self.contents.tables.read().normal.values().cloned().collect()
    }

    /// How many children and normal tables there are.
    pub fn table_count(&self) -> u64 {
        let tables = self.contents.tables.read();
        tables.normal.len() as u64 + tables.supertables.values().map(|table| table.children().len()).sum::<u64>()
    }

    /// Writes what has changed since the last time into the catalogue file; nothing to do in memory. The log keeps what neither of
    /// the two files has.
    pub fn write_checkpoint(&self) -> Result<()> {
        let Some(checkpoint) = &self.checkpoint else { return Ok(()) };
        let mut writer = checkpoint.begin();
        if self.contents.applied() <= writer.newest() {
            return Ok(());
        }
        let (changes, sequence) = {
            let _tables_stay = self.gate.read();
            self.contents.take_changes(writer.side())
        };
        self.contents.forget_past(self.store.log_range().0);
        let past = self.contents.past_since(writer.sequence());
        match writer.write(&changes, &past, self.store.log_range().0, sequence) {
            Ok(safe) => self.store.set_meta_checkpoint(safe),
            Err(error) => {
                // What the file holds now is not known.
                self.contents.give_back(writer.side(), &changes);
                self.contents.mark_all_changed(writer.side());
                Err(error)
            }
        }
    }

    /// Changes that the file written longest ago does not have.
    pub fn unwritten_changes(&self) -> usize {
        self.contents.changed.lock().iter().map(FxHashMap::len).max().unwrap_or(0)
    }

    /// Forgets tables as they were before all that the log holds, now and then.
    pub(crate) fn forget_past(&self) {
        if self.contents.past_len() > PAST_TABLES {
            self.contents.forget_past(self.store.log_range().0);
        }
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    pub(crate) fn weak(&self) -> Weak<Self> {
        self.this.clone()
    }

    /// Whether nobody has started it yet.
    pub(crate) fn start_expiry(&self) -> bool {
        !self.expiry_due.swap(true, Ordering::AcqRel)
    }

    pub(crate) fn end_expiry(&self) {
        self.expiry_due.store(false, Ordering::Release);
    }

    pub(crate) fn now_milliseconds(&self) -> i64 {
        self.clock.now() / 1_000_000
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }
}

/// A changed table for a checkpoint: its uid, and the record that makes it, or `None` where it is gone.
pub(crate) type Changed = (Uid, Arc<str>, Option<Change>);

impl Contents {
    pub fn new(precision: Precision, keeps_changes: bool) -> Self {
        Self {
            precision,
            namespace: Arc::default(),
            tables: RwLock::default(),
            next_uid: AtomicU64::new(1),
            applied: AtomicU64::new(0),
            changed: parking_lot::Mutex::default(),
            keeps_changes,
            past: RwLock::default(),
        }
    }

    /// A table as it was when a record was written, where it has changed since.
    pub fn past_table(&self, uid: Uid, sequence: Sequence) -> Option<Arc<PastTable>> {
        self.past.read().table(uid, sequence)
    }

    /// The table that had a name when a record was written, where it has changed since.
    pub fn past_named(&self, name: &str, sequence: Sequence) -> Option<Arc<PastTable>> {
        self.past.read().named(name, sequence)
    }

    /// Past tables of records above `sequence`.
    pub fn past_since(&self, sequence: Sequence) -> Vec<Arc<PastTable>> {
        self.past.read().since(sequence)
    }

    /// Adds past tables that a checkpoint held.
    pub fn restore_past(&self, tables: Vec<PastTable>) {
        let mut past = self.past.write();
        for table in tables {
            past.add(table);
        }
    }

    /// How many past tables there are.
    pub fn past_len(&self) -> usize {
        self.past.read().len()
    }

    /// Forgets what no record from `first` on needs.
    pub fn forget_past(&self, first: Sequence) {
        self.past.write().forget(first);
    }

    /// Remembers what a change is about to take away.
    fn remember(&self, sequence: Sequence, change: &Change) {
        let (Change::DropTable { name } | Change::SetSchema { name, .. }) = change else { return };
        let Some(table) = self.table(name) else { return };
        let mut gone = vec![(table.uid(), name.clone())];
        if let (Change::DropTable { .. }, Table::Super(table)) = (change, &table) {
            let children = table.children();
            gone.extend(children.slots().iter().map(|slot| (children.uid(slot), children.name(slot))));
        }
        let gone: Vec<PastTable> =
            gone.into_iter().filter_map(|(uid, name)| Some(PastTable { until: sequence, uid, made: self.record_of(uid, &name)? })).collect();
        self.restore_past(gone);
    }

    /// A table by number.
    pub fn table_by_uid(&self, uid: Uid) -> Option<Table> {
        let tables = self.tables.read();
        if let Some(table) = tables.supertables.get(&uid) {
            return Some(Table::Super(table.clone()));
        }
        if let Some(table) = tables.normal.get(&uid) {
            return Some(Table::Normal(table.clone()));
        }
        tables.supertables.values().find_map(|supertable| {
            let children = supertable.children();
            let slot = children.slot_of_uid(uid)?;
            Some(Table::Child(Child { uid, name: children.name(slot), slot, supertable: supertable.clone() }))
        })
    }

    pub fn table(&self, name: &str) -> Option<Table> {
        match self.namespace.get(name)? {
            Name::Super(uid) => self.tables.read().supertables.get(&uid).cloned().map(Table::Super),
            Name::Normal(uid) => self.tables.read().normal.get(&uid).cloned().map(Table::Normal),
            Name::Child(uid, slot) => {
                let supertable = self.tables.read().supertables.get(&uid).cloned()?;
                let children = supertable.children();
                if !children.slots().contains(slot) {
                    return None;
                }
                Some(Table::Child(Child { uid: children.uid(slot), name: children.name(slot), slot, supertable }))
            }
        }
    }

    /// Gives a uid that no table had.
    pub fn take_uid(&self) -> Uid {
        self.next_uid.fetch_add(1, Ordering::Relaxed)
    }

    /// Sequence of the last record in memory.
    pub fn applied(&self) -> Sequence {
        self.applied.load(Ordering::Acquire)
    }

    /// Does what a record says. `checkpointed` tells that it comes from a checkpoint, so that no file needs it again.
    pub fn apply(&self, sequence: Sequence, changes: &[Change], checkpointed: bool) -> Result<()> {
        for change in changes {
            if !checkpointed {
                self.remember(sequence, change);
            }
            let changed = self.apply_one(change)?;
            if self.keeps_changes && !checkpointed {
                let mut sides = self.changed.lock();
                for (uid, name) in changed {
                    sides.iter_mut().for_each(|side| drop(side.insert(uid, name.clone())));
                }
            }
        }
        self.applied.fetch_max(sequence, Ordering::AcqRel);
        Ok(())
    }

    /// Notes what a record says that the newer file has and this older one has not; `false` where that cannot be told, since a table
    /// was dropped.
    pub fn note_passed(&self, side: usize, changes: &[Change]) -> bool {
        let mut changed = self.changed.lock();
        for change in changes {
            let (uid, name) = match change {
                Change::CreateSupertable { uid, name, .. } | Change::CreateNormal { uid, name, .. } | Change::CreateChild { uid, name, .. } => {
                    (Some(*uid), name)
                }
                Change::SetTag { name, .. } | Change::SetOptions { name, .. } | Change::SetIndexes { name, .. } => {
                    (self.table(name).map(|table| table.uid()), name)
                }
                // Dropped tables have no uid here any more, and other tags change every child.
                Change::DropTable { .. } | Change::SetSchema { .. } => return false,
                Change::NextUid { .. } => continue,
            };
            if let Some(uid) = uid {
                changed[side].insert(uid, name.clone());
            }
        }
        true
    }

    /// Gives the tables that changed.
    fn apply_one(&self, change: &Change) -> Result<Vec<(Uid, Arc<str>)>> {
        Ok(match change {
            Change::CreateSupertable { uid, name, created, altered, schema, options, indexes } => {
                let body = SupertableBody {
                    schema: Arc::new(schema.clone()),
                    children: Arc::default(),
                    options: Arc::new(options.clone()),
                    indexes: Arc::new(indexes.clone()),
                    altered: *altered,
                };
                let table = Supertable {
                    uid: *uid,
                    name: name.clone(),
                    created: *created,
                    body: RwLock::new(body),
                    namespace: self.namespace.clone(),
                    postings: Arc::default(),
                    precision: self.precision,
                };
                self.tables.write().supertables.insert(*uid, Arc::new(table));
                self.name(*uid, name, Name::Super(*uid))
            }
            Change::CreateNormal { uid, name, created, schema, options } => {
                let body = NormalBody { schema: Arc::new(schema.clone()), options: Arc::new(options.clone()) };
                let table = NormalTable { uid: *uid, name: name.clone(), created: *created, body: RwLock::new(body) };
                self.tables.write().normal.insert(*uid, Arc::new(table));
                self.name(*uid, name, Name::Normal(*uid))
            }
            Change::CreateChild { uid, supertable, name, created, tags, options } => {
                let table = self.tables.read().supertables.get(supertable).cloned().ok_or_else(broken)?;
                let slot = {
                    let mut body = table.body.write();
                    let types = body.schema.tags.iter().map(|tag| tag.data_type).collect::<Vec<_>>();
                    Arc::make_mut(&mut body.children).push(*uid, name.clone(), *created, &types, tags, options.clone())
                };
                self.name(*uid, name, Name::Child(*supertable, slot))
            }
            Change::DropTable { name } => self.drop_table(name)?,
            Change::SetSchema { name, altered, schema } => match self.table(name).ok_or_else(broken)? {
                Table::Super(table) => {
                    set_schema(&table, schema, *altered);
                    vec![(table.uid, name.clone())].into_iter().chain(self.every_child_of_retagged(&table, schema)).collect()
                }
                Table::Normal(table) => {
                    table.body.write().schema = Arc::new(schema.clone());
                    vec![(table.uid, name.clone())]
                }
                Table::Child(_) => return Err(broken()),
            },
            Change::SetTag { name, tag, value } => {
                let Some(Table::Child(child)) = self.table(name) else { return Err(broken()) };
                let mut body = child.supertable.body.write();
                let position = body.schema.tags.iter().position(|column| column.id == *tag).ok_or_else(broken)?;
                Arc::make_mut(&mut body.children).set_tag(child.slot, position, value);
                vec![(child.uid, name.clone())]
            }
            Change::SetOptions { name, options } => {
                let table = self.table(name).ok_or_else(broken)?;
                match &table {
                    Table::Super(table) => table.body.write().options = Arc::new(options.clone()),
                    Table::Normal(table) => table.body.write().options = Arc::new(options.clone()),
                    Table::Child(child) => {
                        Arc::make_mut(&mut child.supertable.body.write().children).set_options(child.slot, options.clone());
                    }
                }
                vec![(table.uid(), name.clone())]
            }
            Change::SetIndexes { name, indexes } => {
                let Some(Table::Super(table)) = self.table(name) else { return Err(broken()) };
                table.body.write().indexes = Arc::new(indexes.clone());
                vec![(table.uid, name.clone())]
            }
            Change::NextUid { uid } => {
                self.next_uid.fetch_max(*uid, Ordering::Relaxed);
                Vec::new()
            }
        })
    }

    fn name(&self, uid: Uid, name: &Arc<str>, what: Name) -> Vec<(Uid, Arc<str>)> {
        self.namespace.insert(name.clone(), what);
        self.next_uid.fetch_max(uid + 1, Ordering::Relaxed);
        vec![(uid, name.clone())]
    }

    fn drop_table(&self, name: &Arc<str>) -> Result<Vec<(Uid, Arc<str>)>> {
        let table = self.table(name).ok_or_else(broken)?;
        let mut gone = vec![(table.uid(), name.clone())];
        match &table {
            Table::Super(table) => {
                let children = table.children();
                for slot in children.slots() {
                    self.namespace.remove(&children.name(slot));
                    gone.push((children.uid(slot), children.name(slot)));
                }
                self.tables.write().supertables.remove(&table.uid);
            }
            Table::Normal(table) => drop(self.tables.write().normal.remove(&table.uid)),
            Table::Child(child) => Arc::make_mut(&mut child.supertable.body.write().children).remove(child.slot),
        }
        self.namespace.remove(name);
        Ok(gone)
    }

    /// Children whose records hold other tags than before: a checkpoint keeps tags by place.
    fn every_child_of_retagged(&self, table: &Supertable, schema: &Schema) -> Vec<(Uid, Arc<str>)> {
        let children = table.children();
        if !self.keeps_changes || schema.tags.is_empty() {
            return Vec::new();
        }
        children.slots().iter().map(|slot| (children.uid(slot), children.name(slot))).collect()
    }

    /// What changed since the last checkpoint into this file, and the sequence that it stands for. The gate must be held.
    pub fn take_changes(&self, side: usize) -> (Vec<Changed>, Sequence) {
        let changed = std::mem::take(&mut self.changed.lock()[side]);
        let mut records: Vec<Changed> = changed.into_iter().map(|(uid, name)| (uid, name.clone(), self.record_of(uid, &name))).collect();
        records.sort_unstable_by_key(|(uid, ..)| *uid);
        records.push((0, "".into(), Some(Change::NextUid { uid: self.next_uid.load(Ordering::Relaxed) })));
        (records, self.applied())
    }

    /// After a checkpoint that failed.
    pub fn give_back(&self, side: usize, changes: &[Changed]) {
        let mut changed = self.changed.lock();
        for (uid, name, _) in changes.iter().filter(|(uid, ..)| *uid != 0) {
            changed[side].entry(*uid).or_insert_with(|| name.clone());
        }
    }

    /// Marks every table as unknown to a file that was lost.
    pub fn mark_all_changed(&self, side: usize) {
        let tables = self.tables.read();
        let mut all = FxHashMap::default();
        for table in tables.supertables.values() {
            all.insert(table.uid, table.name.clone());
            let children = table.children();
            all.extend(children.slots().iter().map(|slot| (children.uid(slot), children.name(slot))));
        }
        all.extend(tables.normal.values().map(|table| (table.uid, table.name.clone())));
        self.changed.lock()[side].extend(all);
    }

    /// The record that makes a table as it is now; `None` where it is gone.
    fn record_of(&self, uid: Uid, name: &str) -> Option<Change> {
        let table = self.table(name).filter(|table| table.uid() == uid)?;
        Some(match table {
            Table::Super(table) => {
                let body = table.body.read();
                Change::CreateSupertable {
                    uid,
                    name: table.name.clone(),
                    created: table.created,
                    altered: body.altered,
                    schema: (*body.schema).clone(),
                    options: (*body.options).clone(),
                    indexes: (*body.indexes).clone(),
                }
            }
            Table::Normal(table) => {
                let body = table.body.read();
                Change::CreateNormal { uid, name: table.name.clone(), created: table.created, schema: (*body.schema).clone(), options: (*body.options).clone() }
            }
            Table::Child(child) => {
                let children = child.supertable.children();
                Change::CreateChild {
                    uid,
                    supertable: child.supertable.uid,
                    name: child.name.clone(),
                    created: children.created(child.slot),
                    tags: (0..children.schema().tags.len()).map(|position| children.tag_value(position, child.slot)).collect(),
                    options: (*children.options(child.slot)).clone(),
                }
            }
        })
    }
}

/// Puts another schema in place and brings the children's tags to it.
fn set_schema(table: &Supertable, schema: &Schema, altered: i64) {
    let mut body = table.body.write();
    let old = body.schema.clone();
    for (position, tag) in old.tags.iter().enumerate().rev() {
        if schema.tags.iter().all(|kept| kept.id != tag.id) {
            Arc::make_mut(&mut body.children).drop_tag(position);
            table.postings.forget(tag.id);
        }
    }
    for tag in &schema.tags {
        if old.tags.iter().all(|known| known.id != tag.id) {
            Arc::make_mut(&mut body.children).add_tag(tag.data_type);
        }
    }
    let is_left = |index: &TagIndex| schema.tags.iter().any(|tag| tag.id == index.tag);
    if !body.indexes.iter().all(is_left) {
        Arc::make_mut(&mut body.indexes).retain(is_left);
    }
    body.schema = Arc::new(schema.clone());
    body.altered = altered;
}
