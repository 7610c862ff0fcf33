//! All databases and users of an engine, and the system log that says which there are.

mod accounts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use embudo_storage::vfs::Vfs;
use embudo_storage::{BlockCache, Clock, Entry, LogLevel, LogOptions, MemoryBudget, Scheduler, Store, StoreOptions};
use embudo_types::{Error, Result, code};
use parking_lot::{Mutex, RwLock};

use crate::checkpoint::{Checkpoint, Loaded};
use crate::database::{Contents, DatabaseParts};
use crate::system_change::{SystemChange, decode, encode};
use crate::token::TokenKey;
use crate::totp::UsedCodes;
use crate::user::{User, Verified};
use crate::{Database, DatabaseOptions, Offsets, Rights, Stream, StreamProgress, Token, Topic, View, WindowAggregates};

pub use accounts::{Login, NewUser, Proof};

/// Number of the first vgroup: 1 is the one that TDengine keeps its own tables in.
const FIRST_VGROUP: u32 = 2;

/// Bytes of changes in the system log after which everything is written anew, or four times what that takes.
const SYSTEM_LOG_BYTES: u64 = 1 << 20;
/// Bytes of a segment of the system log: what was written anew goes with its segment.
const SYSTEM_SEGMENT_BYTES: u64 = 1 << 20;

/// How a catalogue is opened.
#[derive(Clone, Debug)]
pub struct CatalogOptions {
    /// Where files lie.
    pub vfs: Arc<dyn Vfs>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Background work.
    pub scheduler: Arc<Scheduler>,
    /// The engine's directory.
    pub directory: PathBuf,
    /// No log and no catalogue files: everything goes with the process.
    pub in_memory: bool,
    /// Refuses every change.
    pub read_only: bool,
    /// Bytes that unflushed rows of all databases may take; what was read from their files may take a quarter as much.
    pub memory_limit: u64,
}

/// Told the number of a database whose log has grown.
pub type LogWatcher = Arc<dyn Fn(u32) + Send + Sync>;

/// The one watcher of all logs.
#[derive(Default)]
struct WatcherCell(OnceLock<LogWatcher>);

impl std::fmt::Debug for WatcherCell {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WatcherCell")
    }
}

/// Databases and users.
#[derive(Debug)]
pub struct Catalog {
    options: CatalogOptions,
    memory: Memory,
    log_watcher: Arc<WatcherCell>,
    system: Arc<Store>,
    /// Held shared while a change is logged and put in memory, exclusive while everything is written anew.
    logging: RwLock<()>,
    /// Bytes of changes since then, and what everything took.
    logged: AtomicU64,
    state_bytes: AtomicU64,
    pub(crate) state: RwLock<State>,
    offsets: Offsets,
    databases: RwLock<BTreeMap<Arc<str>, Arc<Database>>>,
    /// Held by whoever changes databases or users, so that memory changes in the order of the log.
    pub(crate) changing: Mutex<()>,
    verified: Verified,
    used_codes: UsedCodes,
}

/// Memory that the stores of all databases share.
#[derive(Debug)]
struct Memory {
    /// Of unflushed rows.
    budget: Arc<MemoryBudget>,
    /// Of what was read from block files.
    block_cache: Arc<BlockCache>,
}

/// What the system log says.
#[derive(Debug, Default)]
pub(crate) struct State {
    cluster: Cluster,
    databases: BTreeMap<u32, Description>,
    next_database: u32,
    users: BTreeMap<String, Arc<User>>,
    /// Of users that were granted any.
    rights: BTreeMap<String, Arc<Rights>>,
    tokens: BTreeMap<Arc<str>, Arc<Token>>,
    token_key: Option<TokenKey>,
    /// By the number of their database.
    views: BTreeMap<(u32, Arc<str>), Arc<View>>,
    /// By the number of their database.
    aggregates: BTreeMap<(u32, Arc<str>), Arc<WindowAggregates>>,
    streams: BTreeMap<Arc<str>, Arc<Stream>>,
    stream_progress: BTreeMap<Arc<str>, StreamProgress>,
    pub(crate) topics: BTreeMap<Arc<str>, Arc<Topic>>,
    /// Above the number of every topic that there was.
    pub(crate) next_topic: u64,
    /// Of databases by number: their first vgroup.
    vgroups: BTreeMap<u32, u32>,
    /// Above every vgroup that there was.
    next_vgroup: u32,
}

/// Who this engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// A random number.
    pub id: i64,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// A database as the system log has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Description {
    pub id: u32,
    pub name: Arc<str>,
    pub created: i64,
    pub options: DatabaseOptions,
}

impl Catalog {
    /// Opens or makes an engine's databases and users.
    pub fn open(options: CatalogOptions) -> Result<Arc<Self>> {
        let memory = Memory { budget: MemoryBudget::new(options.memory_limit), block_cache: BlockCache::new(options.memory_limit / 4) };
        let mut state = State::default();
        let system_options = StoreOptions { shards: 1, ..store_options(&options, &memory, &options.directory.join("system"), &DatabaseOptions::default()) };
        // A change of databases or users is rare and never lost.
        let log = LogOptions {
            level: if options.in_memory { LogLevel::None } else { LogLevel::Sync },
            sync_period: Duration::ZERO,
            retention: Some(Duration::ZERO),
            segment_bytes: SYSTEM_SEGMENT_BYTES,
            ..system_options.log
        };
        let mut logged = 0;
        let (system, _) = Store::open(StoreOptions { log, ..system_options }, &mut |_, bytes| {
            logged += bytes.len() as u64;
            for change in decode(bytes)? {
                state.apply(change);
            }
            Ok(())
        })?;
        let directory = Offsets::directory(&options.directory);
        let exists = options.vfs.exists(&directory).map_err(|error| Error::io(format!("looking for {}", directory.display()), error))?;
        let offsets = Offsets::open(store_options(&options, &memory, &directory, &DatabaseOptions::default()), options.in_memory, exists)?;
        let catalog = Self {
            memory,
            system,
            logging: RwLock::new(()),
            logged: AtomicU64::new(logged),
            state_bytes: AtomicU64::new(0),
            state: RwLock::new(state),
            offsets,
            databases: RwLock::default(),
            changing: Mutex::new(()),
            verified: Verified::new(),
            used_codes: UsedCodes::default(),
            log_watcher: Arc::default(),
            options,
        };
        catalog.start()?;
        Ok(Arc::new(catalog))
    }

    /// Makes what a new engine has, and opens the databases.
    fn start(&self) -> Result<()> {
        if self.state.read().cluster.created == 0 && !self.options.read_only {
            let created = self.now_milliseconds();
            let root = User::root(created);
            // Two hashes of the process's random hash keys make a number that no other engine has.
            let id = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), created) >> 1;
            self.log(vec![SystemChange::Cluster(Cluster { id: id as i64, created }), SystemChange::PutUser(root)])?;
        }
        let descriptions: Vec<Description> = self.state.read().databases.values().cloned().collect();
        self.number_vgroups(&descriptions)?;
        if !self.options.read_only {
            self.remove_leftovers(&descriptions)?;
        }
        for description in descriptions {
            let database = self.open_database(description)?;
            if !self.options.read_only {
                database.start_expiring();
            }
            self.databases.write().insert(database.name.clone(), database);
        }
        Ok(())
    }

    /// Gives numbers to the vgroups of databases that have none.
    fn number_vgroups(&self, databases: &[Description]) -> Result<()> {
        let unnumbered: Vec<SystemChange> = {
            let state = self.state.read();
            let mut next = state.next_vgroup.max(FIRST_VGROUP);
            let mut number = |database: &Description| {
                let (first, count) = (next, database.options.vgroups as u32);
                next += count;
                SystemChange::PutVgroups(database.id, first, count)
            };
            databases.iter().filter(|database| !state.vgroups.contains_key(&database.id)).map(&mut number).collect()
        };
        if self.options.read_only {
            let mut state = self.state.write();
            for change in unnumbered {
                state.apply(change);
            }
            return Ok(());
        }
        if unnumbered.is_empty() { Ok(()) } else { self.log(unnumbered) }
    }

    /// Directories of databases that were dropped while their files could not be removed.
    fn remove_leftovers(&self, known: &[Description]) -> Result<()> {
        let parent = self.options.directory.join("databases");
        let names = self.options.vfs.list(&parent).map_err(|error| Error::io(format!("listing {}", parent.display()), error))?;
        for name in names {
            let is_known = name.parse::<u32>().is_ok_and(|id| known.iter().any(|database| database.id == id));
            if !is_known && name.parse::<u32>().is_ok() {
                let path = parent.join(&name);
                self.options.vfs.remove_directory(&path).map_err(|error| Error::io(format!("removing {}", path.display()), error))?;
            }
        }
        Ok(())
    }

    fn directory_of(&self, id: u32) -> PathBuf {
        self.options.directory.join("databases").join(id.to_string())
    }

    /// Has `watcher` called after every record that a database's log gets, by the thread that wrote it. Only the first watcher counts.
    pub fn watch_logs(&self, watcher: LogWatcher) {
        // There is one engine to a catalogue, and it watches once.
        let _ = self.log_watcher.0.set(watcher);
    }

    fn open_database(&self, description: Description) -> Result<Arc<Database>> {
        let directory = self.directory_of(description.id);
        let keeps_files = !self.options.in_memory;
        let contents = Arc::new(Contents::new(description.options.precision, keeps_files && !self.options.read_only));
        let (checkpoint, loaded) = if keeps_files {
            let (checkpoint, loaded) = Checkpoint::load(self.options.vfs.clone(), &directory, self.options.read_only, &contents)?;
            (Some(checkpoint).filter(|_| !self.options.read_only), loaded)
        } else {
            (None, Loaded::default())
        };
        let mut older_is_known = true;
        let (store, recovery) = Store::open(store_options(&self.options, &self.memory, &directory, &description.options), &mut |sequence, bytes| {
            let changes = crate::change::decode(bytes)?;
            if sequence > loaded.sequence {
                return contents.apply(sequence, &changes, false);
            }
            if let Some((side, older)) = loaded.older
                && sequence > older
            {
                older_is_known &= contents.note_passed(side, &changes);
            }
            Ok(())
        })?;
        if let (Some(checkpoint), Some((side, _)), false) = (&checkpoint, loaded.older, older_is_known) {
            checkpoint.forget(side);
            contents.mark_all_changed(side);
        }
        for damage in &recovery.damages {
            tracing::warn!(database = %description.name, file = %damage.file.display(), offset = damage.offset, what = %damage.what, "damage was passed over");
        }
        let (watcher, number) = (self.log_watcher.clone(), description.id);
        store.observe_log(Arc::new(move || {
            if let Some(watcher) = watcher.0.get() {
                watcher(number);
            }
        }));
        let Description { id, name, created, options } = description;
        let first_vgroup = self.state.read().vgroups.get(&id).map_or(FIRST_VGROUP, |first| *first) as i32;
        let parts = DatabaseParts { store, first_vgroup, clock: self.options.clock.clone(), scheduler: self.options.scheduler.clone(), contents, checkpoint };
        let database = Database::new(id, name, created, options, parts);
        let state = self.state.read();
        let views = state.views.iter().filter(|((of, _), _)| *of == id).map(|((_, name), view)| (name.clone(), view.clone()));
        *database.views.write() = views.collect();
        let aggregates = state.aggregates.iter().filter(|((of, _), _)| *of == id).map(|((_, name), aggregates)| (name.clone(), aggregates.clone()));
        *database.aggregates.write() = aggregates.collect();
        drop(state);
        Ok(database)
    }

    pub(crate) fn now_milliseconds(&self) -> i64 {
        self.options.clock.now() / 1_000_000
    }

    /// Logs changes, then shows them.
    pub(crate) fn log(&self, changes: Vec<SystemChange>) -> Result<()> {
        self.refuse_read_only()?;
        let bytes = encode(&changes);
        let length = bytes.len() as u64;
        {
            let _in_state_before_all_is_written = self.logging.read();
            self.system.append(vec![Entry::Meta(bytes)])?;
            let mut state = self.state.write();
            for change in changes {
                state.apply(change);
            }
        }
        let logged = self.logged.fetch_add(length, Ordering::Relaxed) + length;
        if logged > SYSTEM_LOG_BYTES.max(4 * self.state_bytes.load(Ordering::Relaxed)) && !self.options.in_memory {
            // The change itself is safe; what is too long now is tried again with the next one.
            if let Err(error) = self.write_state() {
                tracing::warn!(%error, "the system log could not be shortened");
            }
        }
        Ok(())
    }

    /// Writes all that the system log says anew and lets go of what is before.
    fn write_state(&self) -> Result<()> {
        let _alone = self.logging.write();
        let bytes = encode(&self.state.read().changes());
        self.state_bytes.store(bytes.len() as u64, Ordering::Relaxed);
        let sequence = self.system.append(vec![Entry::Meta(bytes)])?;
        self.logged.store(0, Ordering::Relaxed);
        self.system.set_meta_checkpoint(sequence - 1)
    }

    fn refuse_read_only(&self) -> Result<()> {
        if self.options.read_only { Err(Error::with(code::OPERATION_NOT_SUPPORTED, "Operation not supported: opened read-only")) } else { Ok(()) }
    }

    /// Whether every change is refused.
    pub fn is_read_only(&self) -> bool {
        self.options.read_only
    }

    /// What consumer groups have committed.
    pub fn offsets(&self) -> &Offsets {
        &self.offsets
    }

    /// Who this engine is.
    pub fn cluster(&self) -> Cluster {
        self.state.read().cluster
    }

    /// A database by name; 0x0388 "Database not exist" where there is none.
    pub fn database(&self, name: &str) -> Result<Arc<Database>> {
        self.databases.read().get(name).cloned().ok_or_else(|| Error::new(code::DATABASE_NOT_EXIST))
    }

    /// All databases in order of creation.
    pub fn databases(&self) -> Vec<Arc<Database>> {
        let mut databases: Vec<_> = self.databases.read().values().cloned().collect();
        databases.sort_by_key(|database| database.id);
        databases
    }

    /// CREATE DATABASE: 0x0381 where there is one of that name. The options must have been checked.
    pub fn create_database(&self, name: &str, options: DatabaseOptions) -> Result<Arc<Database>> {
        let _one_at_a_time = self.changing.lock();
        if self.databases.read().contains_key(name) {
            return Err(Error::new(code::DATABASE_ALREADY_EXISTS));
        }
        let id = self.state.read().next_database;
        let description = Description { id, name: name.into(), created: self.now_milliseconds(), options };
        let (first, count) = (self.state.read().next_vgroup.max(FIRST_VGROUP), description.options.vgroups as u32);
        self.log(vec![SystemChange::PutDatabase(description.clone()), SystemChange::PutVgroups(id, first, count)])?;
        match self.open_database(description) {
            Ok(database) => {
                self.databases.write().insert(database.name.clone(), database.clone());
                Ok(database)
            }
            Err(error) => {
                self.log(vec![SystemChange::DropDatabase(id)])?;
                Err(error)
            }
        }
    }

    /// ALTER DATABASE: 0x038A where nothing would change.
    pub fn alter_database(&self, name: &str, options: DatabaseOptions) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let database = self.database(name)?;
        if *database.options() == options {
            return Err(Error::new(code::DATABASE_OPTIONS_NOT_CHANGED));
        }
        let description = Description { id: database.id, name: database.name.clone(), created: database.created, options };
        self.log(vec![SystemChange::PutDatabase(description.clone())])?;
        database.store().set_log_options(log_options(&self.options, &description.options));
        database.store().set_keep(Some(description.options.keep_ticks()));
        database.set_options(description.options);
        Ok(())
    }

    /// DROP DATABASE with its files. Queries that run on it end with what they have open.
    pub fn drop_database(&self, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let database = self.database(name)?;
        if self.has_topics(name) {
            return Err(Error::new(code::TOPIC_MUST_BE_DROPPED_FIRST));
        }
        let mut changes = vec![SystemChange::DropDatabase(database.id)];
        changes.append(&mut self.rights_without(|rights| rights.forget_database(name)));
        let goes = |stream: &Arc<Stream>| *stream.source_database == *name || *stream.target_database == *name;
        changes.extend(self.streams().into_iter().filter(goes).map(|stream| SystemChange::DropStream(stream.name.clone())));
        self.log(changes)?;
        self.databases.write().remove(name);
        // Writers that hold the database find its store closed.
        database.store().close()?;
        let path = self.directory_of(database.id);
        self.options.vfs.remove_directory(&path).map_err(|error| Error::io(format!("removing {}", path.display()), error))
    }

    /// What was granted to a user.
    pub fn rights(&self, user: &str) -> Arc<Rights> {
        self.state.read().rights.get(user).cloned().unwrap_or_default()
    }

    /// GRANT and REVOKE: `change` gets the user's rights as they are. 0x0351 where there is no such user.
    pub fn change_rights(&self, user: &str, change: impl FnOnce(&mut Rights) -> Result<()>) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        self.user(user)?;
        let mut rights = (*self.rights(user)).clone();
        change(&mut rights)?;
        self.log(vec![SystemChange::PutRights(user.into(), rights)])
    }

    /// Forgets everybody's rights on a table or view that is gone, so that another of its name starts without them.
    pub fn forget_table_rights(&self, database: &str, table: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let changes = self.rights_without(|rights| rights.forget_table(database, table));
        if changes.is_empty() { Ok(()) } else { self.log(changes) }
    }

    /// Forgets everybody's SUBSCRIBE on a topic that is gone.
    pub fn forget_topic_rights(&self, topic: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let changes = self.rights_without(|rights| rights.revoke_topic(topic));
        if changes.is_empty() { Ok(()) } else { self.log(changes) }
    }

    /// The changes that `forget` makes to users' rights.
    pub(crate) fn rights_without(&self, mut forget: impl FnMut(&mut Rights) -> bool) -> Vec<SystemChange> {
        let state = self.state.read();
        let changed = state.rights.iter().filter_map(|(user, rights)| {
            let mut rights = (**rights).clone();
            forget(&mut rights).then(|| SystemChange::PutRights(user.clone(), rights))
        });
        changed.collect()
    }

    /// CREATE VIEW: 0x04A0 where there is one of that name and `or_replace` is not set, 0x266E where a table has the name.
    pub fn create_view(&self, database: &Database, view: View, or_replace: bool) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        // No table may take the name in between.
        let _tables_stay = database.changing();
        if database.table(&view.name).is_some() {
            return Err(Error::new(code::VIEW_NAME_IS_CONFLICT_WITH_TABLE));
        }
        if database.view(&view.name).is_some() && !or_replace {
            return Err(Error::new(code::VIEW_ALREADY_EXISTS_IN_DB));
        }
        self.log(vec![SystemChange::PutView(database.id, view.clone())])?;
        database.views.write().insert(view.name.clone(), Arc::new(view));
        Ok(())
    }

    /// DROP VIEW: 0x04A1 where there is none of that name.
    pub fn drop_view(&self, database: &Database, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let view = database.view(name).ok_or_else(|| Error::new(code::VIEW_NOT_EXISTS_IN_DB))?;
        let mut changes = vec![SystemChange::DropView(database.id, view.name.clone())];
        changes.append(&mut self.rights_without(|rights| rights.forget_table(&database.name, name)));
        self.log(changes)?;
        database.views.write().remove(name);
        Ok(())
    }

    /// A stream by name: 0x03F1 where there is none.
    pub fn stream(&self, name: &str) -> Result<Arc<Stream>> {
        self.state.read().streams.get(name).cloned().ok_or_else(|| Error::new(code::STREAM_NOT_EXIST))
    }

    /// All streams by name.
    pub fn streams(&self) -> Vec<Arc<Stream>> {
        self.state.read().streams.values().cloned().collect()
    }

    /// CREATE STREAM, with where it begins: 0x03F0 where there is one of that name, 0x03F7 where another writes to the same supertable.
    pub fn create_stream(&self, stream: Stream, progress: StreamProgress) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        for other in self.streams() {
            if other.name == stream.name {
                return Err(Error::new(code::STREAM_ALREADY_EXISTS));
            }
            if other.target_database == stream.target_database && other.target == stream.target {
                return Err(Error::new(code::CANNOT_WRITE_THE_SAME_STABLE_AS));
            }
        }
        let name = stream.name.clone();
        self.log(vec![SystemChange::PutStream(stream), SystemChange::PutStreamProgress(name, progress)])
    }

    /// PAUSE STREAM and RESUME STREAM: 0x03F1 where there is none of that name.
    pub fn pause_stream(&self, name: &str, paused: bool) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let stream = self.stream(name)?;
        self.log(vec![SystemChange::PutStream(Stream { paused, ..(*stream).clone() })])
    }

    /// DROP STREAM: 0x03F1 where there is none of that name.
    pub fn drop_stream(&self, name: &str) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let stream = self.stream(name)?;
        self.log(vec![SystemChange::DropStream(stream.name.clone())])
    }

    /// How far a stream has come.
    pub fn stream_progress(&self, name: &str) -> StreamProgress {
        self.state.read().stream_progress.get(name).cloned().unwrap_or_default()
    }

    /// Keeps how far a stream has come; nothing where it was dropped in between.
    pub fn save_stream_progress(&self, name: &Arc<str>, progress: StreamProgress) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        if self.stream(name).is_err() {
            return Ok(());
        }
        self.log(vec![SystemChange::PutStreamProgress(name.clone(), progress)])
    }

    /// CREATE TSMA, CREATE SMA INDEX: 0x0480 where there are aggregates of that name.
    pub fn create_aggregates(&self, database: &Database, aggregates: WindowAggregates) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        if database.aggregates.read().contains_key(&aggregates.name) {
            return Err(Error::new(code::SMA_ALREADY_EXISTS));
        }
        self.log(vec![SystemChange::PutAggregates(database.id, aggregates.clone())])?;
        database.aggregates.write().insert(aggregates.name.clone(), Arc::new(aggregates));
        Ok(())
    }

    /// Drops aggregates of a database by name; those that are not there are passed over.
    pub fn drop_aggregates(&self, database: &Database, names: &[Arc<str>]) -> Result<()> {
        let _one_at_a_time = self.changing.lock();
        let changes: Vec<_> = names.iter().map(|name| SystemChange::DropAggregates(database.id, name.clone())).collect();
        if changes.is_empty() {
            return Ok(());
        }
        self.log(changes)?;
        let mut aggregates = database.aggregates.write();
        for name in names {
            aggregates.remove(name);
        }
        Ok(())
    }

    /// Checkpoints and closes every database. What fails is reported once all were tried.
    pub fn close(&self) -> Result<()> {
        let mut outcome = Ok(());
        for database in self.databases() {
            let written = if self.options.read_only { Ok(()) } else { database.write_checkpoint() };
            outcome = outcome.and(written).and(database.store().close());
        }
        outcome.and(self.offsets.close()).and(self.system.close())
    }
}

impl State {
    fn apply(&mut self, change: SystemChange) {
        match change {
            SystemChange::Cluster(cluster) => self.cluster = cluster,
            SystemChange::PutDatabase(database) => {
                self.next_database = self.next_database.max(database.id + 1);
                self.databases.insert(database.id, database);
            }
            SystemChange::DropDatabase(id) => {
                self.databases.remove(&id);
                self.vgroups.remove(&id);
                self.views.retain(|(of, _), _| *of != id);
                self.aggregates.retain(|(of, _), _| *of != id);
            }
            SystemChange::PutUser(user) => drop(self.users.insert(user.name.clone(), Arc::new(user))),
            SystemChange::DropUser(name) => {
                self.users.remove(&name);
                self.rights.remove(&name);
                self.tokens.retain(|_, token| token.user != name);
            }
            SystemChange::PutToken(token) => drop(self.tokens.insert(token.name.clone(), Arc::new(token))),
            SystemChange::DropToken(name) => drop(self.tokens.remove(&name)),
            SystemChange::PutTokenKey(key) => self.token_key = Some(key),
            SystemChange::PutRights(user, rights) => drop(self.rights.insert(user, Arc::new(rights))),
            SystemChange::PutView(database, view) => drop(self.views.insert((database, view.name.clone()), Arc::new(view))),
            SystemChange::DropView(database, name) => drop(self.views.remove(&(database, name))),
            SystemChange::PutAggregates(database, aggregates) => {
                self.aggregates.insert((database, aggregates.name.clone()), Arc::new(aggregates));
            }
            SystemChange::DropAggregates(database, name) => drop(self.aggregates.remove(&(database, name))),
            SystemChange::PutStream(stream) => drop(self.streams.insert(stream.name.clone(), Arc::new(stream))),
            SystemChange::DropStream(name) => {
                self.streams.remove(&name);
                self.stream_progress.remove(&name);
            }
            SystemChange::PutStreamProgress(name, progress) => drop(self.stream_progress.insert(name, progress)),
            SystemChange::PutTopic(topic) => {
                self.next_topic = self.next_topic.max(topic.id + 1);
                self.topics.insert(topic.name.clone(), Arc::new(topic));
            }
            SystemChange::DropTopic(name) => drop(self.topics.remove(&name)),
            SystemChange::PutVgroups(database, first, count) => {
                self.next_vgroup = self.next_vgroup.max(first + count);
                self.vgroups.insert(database, first);
            }
            SystemChange::Numbers(database, topic, vgroup) => {
                self.next_database = self.next_database.max(database);
                self.next_topic = self.next_topic.max(topic);
                self.next_vgroup = self.next_vgroup.max(vgroup);
            }
        }
    }

    /// Changes that make this out of nothing.
    fn changes(&self) -> Vec<SystemChange> {
        let mut changes = vec![SystemChange::Cluster(self.cluster), SystemChange::Numbers(self.next_database, self.next_topic, self.next_vgroup)];
        changes.extend(self.databases.values().map(|database| SystemChange::PutDatabase(database.clone())));
        changes.extend(self.vgroups.iter().map(|(database, first)| SystemChange::PutVgroups(*database, *first, 0)));
        changes.extend(self.users.values().map(|user| SystemChange::PutUser((**user).clone())));
        changes.extend(self.token_key.map(SystemChange::PutTokenKey));
        changes.extend(self.tokens.values().map(|token| SystemChange::PutToken((**token).clone())));
        changes.extend(self.rights.iter().map(|(user, rights)| SystemChange::PutRights(user.clone(), (**rights).clone())));
        changes.extend(self.views.iter().map(|((database, _), view)| SystemChange::PutView(*database, (**view).clone())));
        changes.extend(self.aggregates.iter().map(|((database, _), aggregates)| SystemChange::PutAggregates(*database, (**aggregates).clone())));
        changes.extend(self.streams.values().map(|stream| SystemChange::PutStream((**stream).clone())));
        changes.extend(self.stream_progress.iter().map(|(name, progress)| SystemChange::PutStreamProgress(name.clone(), progress.clone())));
        changes.extend(self.topics.values().map(|topic| SystemChange::PutTopic((**topic).clone())));
        changes
    }
}

/// How a database's store is opened.
fn store_options(catalog: &CatalogOptions, memory: &Memory, directory: &Path, options: &DatabaseOptions) -> StoreOptions {
    StoreOptions {
        vfs: catalog.vfs.clone(),
        clock: catalog.clock.clone(),
        scheduler: catalog.scheduler.clone(),
        precision: options.precision,
        shards: options.vgroups as u16,
        slice: options.duration_ticks(),
        log: log_options(catalog, options),
        // In memory BUFFER is no ceiling: there is nowhere to flush to.
        memory_limit: if catalog.in_memory { catalog.memory_limit } else { catalog.memory_limit.min((options.buffer as u64) << 20) },
        budget: memory.budget.clone(),
        block_cache: memory.block_cache.clone(),
        last_cache_bytes: (options.cache_size as u64) << 20,
        keep: Some(options.keep_ticks()),
        read_only: catalog.read_only,
        ..StoreOptions::directory(directory)
    }
}

/// The log's settings of a database.
fn log_options(catalog: &CatalogOptions, options: &DatabaseOptions) -> LogOptions {
    let retention = |value: i64| u64::try_from(value).ok();
    LogOptions {
        level: match options.wal_level {
            _ if catalog.in_memory => LogLevel::None,
            2 => LogLevel::Sync,
            _ => LogLevel::Write,
        },
        sync_period: Duration::from_millis(options.wal_fsync_period as u64),
        retention: retention(options.wal_retention_period).map(Duration::from_secs),
        retention_bytes: retention(options.wal_retention_size).filter(|size| *size > 0).map(|size| size * 1_024),
        ..LogOptions::default()
    }
}

#[cfg(test)]
mod tests;
