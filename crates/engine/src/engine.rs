//! An engine: one open directory, or databases in memory, and the sessions on it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};

use embudo_catalog::{Catalog, CatalogOptions, Login, Proof, Token};
use embudo_query::MemoryBudget;
use embudo_storage::vfs::{MemoryVfs, RealVfs, Vfs, directory_identity};
use embudo_storage::{Clock, Scheduler, SystemClock};
use embudo_types::{Error, Result, Zone, code};
use parking_lot::{Condvar, Mutex, RwLock};

use crate::Session;
use crate::activity::Activity;
use crate::schemaless::SeriesCache;
use crate::streams::Streams;
use crate::subscription::Hub;

/// Where an engine keeps its data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// In memory, for this engine alone.
    Memory,
    /// In memory, shared by every engine of the process that names it.
    SharedMemory(String),
    /// A directory, shared by every engine of the process that opens it.
    Directory(PathBuf),
}

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where.
    pub location: Location,
    /// Opens beside a writer, at its last checkpoint, and refuses to write.
    pub read_only: bool,
    /// Bytes for memory tables, caches and queries; `None` takes a quarter of the machine's.
    pub memory_limit: Option<u64>,
    /// Zone of new sessions.
    pub zone: Zone,
    /// Threads for background work, and for a query; `None` takes one a core.
    pub threads: Option<usize>,
}

/// Bytes that the texts of series take at most: those of some 500,000 children.
const LARGEST_SERIES_CACHE: u64 = 128 << 20;

/// A quarter of the machine's memory in bytes, at least 64 MiB.
fn default_memory() -> u64 {
    (crate::machine::memory() / 4).max(64 << 20)
}

impl EngineOptions {
    /// A private engine in memory.
    pub fn memory() -> Self {
        Self { location: Location::Memory, read_only: false, memory_limit: None, zone: Zone::system(), threads: None }
    }

    /// An engine on a directory, made if missing.
    pub fn directory(path: impl Into<PathBuf>) -> Self {
        Self { location: Location::Directory(path.into()), ..Self::memory() }
    }
}

/// What tells engines of the process apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Identity {
    Memory(String),
    /// Device and inode; readers beside the writer are engines of their own.
    Directory(u64, u64, bool),
}

/// Engines of the process by identity. An entry goes only when its engine has let go of its files.
static ENGINES: Mutex<Option<HashMap<Identity, Weak<Engine>>>> = Mutex::new(None);
/// Told when an entry of [`ENGINES`] goes.
static ENGINE_GONE: Condvar = Condvar::new();

/// An open engine.
#[derive(Debug)]
pub struct Engine {
    catalog: Arc<Catalog>,
    query_memory: Arc<MemoryBudget>,
    clock: Arc<dyn Clock>,
    scheduler: Arc<Scheduler>,
    zone: Zone,
    identity: Option<Identity>,
    /// Nanoseconds since 1970 when it was opened.
    started: i64,
    next_session: AtomicU32,
    activity: Arc<Activity>,
    series: SeriesCache,
    streams: Arc<Streams>,
    /// Held shared by a statement that changes or drops tables, alone by a writer that they must not change under.
    table_changes: RwLock<()>,
    hub: Arc<Hub>,
    closed: Mutex<bool>,
}

/// What an engine stands on.
struct Ground {
    vfs: Arc<dyn Vfs>,
    clock: Arc<dyn Clock>,
    scheduler: Arc<Scheduler>,
    directory: PathBuf,
    in_memory: bool,
}

impl Ground {
    /// The machine's files, time and threads.
    fn real(options: &EngineOptions) -> Self {
        let threads = options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into));
        let (vfs, directory, in_memory): (Arc<dyn Vfs>, PathBuf, bool) = match &options.location {
            Location::Directory(path) => (Arc::new(RealVfs), path.clone(), false),
            Location::Memory | Location::SharedMemory(_) => (Arc::new(MemoryVfs::new()), Path::new("/memory").into(), true),
        };
        Self { vfs, clock: Arc::new(SystemClock::new()), scheduler: Scheduler::new(threads), directory, in_memory }
    }
}

/// Forgets the parent's engines and their locks. To be called in the child of a fork, where nothing of them may be used or dropped.
pub fn after_fork() {
    // A thread of the parent may have held the list just then; nobody will let go of it here.
    if let Some(mut engines) = ENGINES.try_lock() {
        std::mem::forget(engines.take());
    }
    embudo_storage::vfs::after_fork();
}

/// A directory that another process writes to: what to do instead.
fn opened_elsewhere(options: &EngineOptions, error: Error) -> Error {
    match &options.location {
        Location::Directory(path) if error.code() == code::UNABLE_TO_ESTABLISH_CONNECTION => {
            let hint = format!("; run `embudo serve --data {}` and connect all programs to it, or open it with read_only", path.display());
            Error::with(error.code(), format!("{}{hint}", error.message())).caused_by(error)
        }
        _ => error,
    }
}

/// What queries may hold: beside memory tables (half) and the block cache (an eighth), with room to spare. Where there is a directory, sorts
/// go on in files of it; what a process left there when it died is removed.
fn query_memory(options: &EngineOptions, memory_limit: u64, vfs: &Arc<dyn Vfs>, directory: &Path) -> Result<Arc<MemoryBudget>> {
    let budget = MemoryBudget::new(memory_limit / 4);
    if options.read_only || !matches!(options.location, Location::Directory(_)) {
        return Ok(Arc::new(budget));
    }
    let temporary = directory.join("temporary");
    if vfs.exists(&temporary).unwrap_or(false) {
        vfs.remove_directory(&temporary).map_err(|error| Error::io(format!("removing {}", temporary.display()), error))?;
    }
    Ok(Arc::new(budget.spilling_to(vfs.clone(), temporary)))
}

impl Engine {
    /// Opens an engine, or gives the one that the process already has open at that place; then only `location` and `read_only` count.
    pub fn open(options: EngineOptions) -> Result<Arc<Self>> {
        let identity = match &options.location {
            Location::Memory => return Self::start(Ground::real(&options), options, None).map(Arc::new),
            Location::SharedMemory(name) => Identity::Memory(name.clone()),
            Location::Directory(path) => {
                let fail = |error| Error::io(format!("opening {}", path.display()), error);
                if !options.read_only {
                    RealVfs.create_directories(path).map_err(fail)?;
                }
                let (device, inode) = directory_identity(path).map_err(fail)?;
                Identity::Directory(device, inode, options.read_only)
            }
        };
        let mut engines = ENGINES.lock();
        while let Some(entry) = engines.get_or_insert_default().get(&identity) {
            if let Some(engine) = entry.upgrade() {
                return Ok(engine);
            }
            // Its last owner is letting go of the files.
            ENGINE_GONE.wait(&mut engines);
        }
        let engine = Self::start(Ground::real(&options), options.clone(), Some(identity.clone())).map_err(|error| opened_elsewhere(&options, error))?;
        let engine = Arc::new(engine);
        engines.get_or_insert_default().insert(identity, Arc::downgrade(&engine));
        drop(engines);
        if !options.read_only {
            engine.streams.start_all(&engine);
        }
        Ok(engine)
    }

    /// An engine whose disk, time and background work a test holds.
    #[cfg(test)]
    pub(crate) fn simulated(vfs: Arc<dyn Vfs>, clock: Arc<dyn Clock>, scheduler: Arc<Scheduler>) -> Result<Arc<Self>> {
        let ground = Ground { vfs, clock, scheduler, directory: "/engine".into(), in_memory: false };
        let options = EngineOptions { memory_limit: Some(64 << 20), zone: Zone::utc(), ..EngineOptions::memory() };
        let engine = Arc::new(Self::start(ground, options, None)?);
        engine.streams.start_all(&engine);
        Ok(engine)
    }

    fn start(ground: Ground, options: EngineOptions, identity: Option<Identity>) -> Result<Self> {
        let Ground { vfs, clock, scheduler, directory, in_memory } = ground;
        let memory_limit = options.memory_limit.unwrap_or_else(default_memory);
        let series_bytes = (memory_limit / 16).min(LARGEST_SERIES_CACHE);
        let catalog = Catalog::open(CatalogOptions {
            vfs: vfs.clone(),
            clock: clock.clone(),
            scheduler: scheduler.clone(),
            directory: directory.clone(),
            in_memory,
            read_only: options.read_only,
            memory_limit: memory_limit / 2,
        })?;
        // The catalogue holds the directory's lock from here on.
        if !options.read_only {
            crate::lost_tail::settle(&catalog)?;
        }
        let query_memory = query_memory(&options, memory_limit, &vfs, &directory)?;
        let streams = Arc::<Streams>::default();
        let woken = streams.clone();
        let hub = Hub::new(clock.clone(), scheduler.clone());
        let readers = hub.clone();
        catalog.watch_logs(Arc::new(move |database| {
            woken.wake(database);
            readers.wake_readers(database);
        }));
        Ok(Self {
            catalog,
            query_memory,
            started: clock.now(),
            clock,
            scheduler,
            zone: options.zone,
            identity,
            next_session: AtomicU32::new(1),
            activity: Arc::default(),
            series: SeriesCache::new(series_bytes as usize),
            streams,
            table_changes: RwLock::new(()),
            hub,
            closed: Mutex::new(false),
        })
    }

    /// A session of a user, without asking for a password: see [`authenticate`](Self::authenticate). 0x0351 where there is no such user,
    /// 0x0315 where it is disabled.
    pub fn session(self: &Arc<Self>, user: &str) -> Result<Session> {
        self.catalog.user(user)?;
        let (user, _) = self.catalog.account(user)?;
        Ok(self.open_session(&user.name, None))
    }

    fn open_session(self: &Arc<Self>, user: &str, token: Option<Arc<Token>>) -> Session {
        let id = self.next_session.fetch_add(1, Ordering::Relaxed);
        Session::new(self.clone(), id, user, token, self.zone.clone())
    }

    /// Whether the password is the user's, for somebody on this machine: 0x0357 "Authentication failure" if not, 0x0315 if the user is disabled.
    pub fn authenticate(&self, user: &str, password: &str) -> Result<()> {
        self.log_in(Proof::Password { user, password, code: "" }, IpAddr::V4(Ipv4Addr::LOCALHOST)).map(drop)
    }

    /// Lets somebody in who comes from an address, by a password with a second factor or a token: 0x0357 where the proof is none, 0x0315 where
    /// the user is disabled, 0x0134 where the user may not come from there.
    pub fn log_in(&self, proof: Proof<'_>, from: IpAddr) -> Result<Login> {
        self.catalog.log_in(proof, from)
    }

    /// A session of whom [`log_in`](Self::log_in) let in.
    pub fn session_of(self: &Arc<Self>, login: &Login) -> Session {
        self.open_session(&login.user.name, login.token.clone())
    }

    /// Databases and users.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Makes everything durable and closes files; later calls of sessions fail. An engine that is dropped without it loses
    /// nothing that was acknowledged.
    pub fn close(&self) -> Result<()> {
        let mut closed = self.closed.lock();
        if std::mem::replace(&mut *closed, true) {
            return Ok(());
        }
        let outcome = self.streams.stop_where(|_| true).and(self.catalog.close());
        if let Some(identity) = &self.identity {
            if let Some(engines) = ENGINES.lock().as_mut() {
                engines.remove(identity);
            }
            ENGINE_GONE.notify_all();
        }
        outcome
    }

    /// Consumers and their groups.
    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// What queries may hold.
    pub fn query_memory(&self) -> &Arc<MemoryBudget> {
        &self.query_memory
    }

    pub(crate) fn scheduler(&self) -> &Arc<Scheduler> {
        &self.scheduler
    }

    pub(crate) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// Series that points were written to.
    pub(crate) fn series(&self) -> &SeriesCache {
        &self.series
    }

    /// Who may change tables now.
    pub(crate) fn table_changes(&self) -> &RwLock<()> {
        &self.table_changes
    }

    /// Streams that run.
    pub(crate) fn streams(&self) -> &Streams {
        &self.streams
    }

    /// Nanoseconds since 1970 when it was opened.
    pub(crate) fn started(&self) -> i64 {
        self.started
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing an engine");
        }
    }
}
