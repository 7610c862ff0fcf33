//! A running stream: follows the log of its source's database in the background, a step at a time, and keeps how far it has come in the
//! system log behind what it has written.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use embudo_catalog::{Stream, Table};
use embudo_sql::ast::Statement;
use embudo_sql::ast::administration::CreateStream;
use embudo_storage::{Entry, LogCursor, LogRecord, Uid};
use embudo_types::{Error, Result, Zone};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::compute::{bounds, delete, delete_windows, surplus, write_floating, write_windows};
use super::plan::Plan;
use super::progress::{Due, Progress, Shape, Trigger};
use crate::{Engine, Session};

/// Records that one step reads at most.
const STEP_RECORDS: usize = 1_024;
/// Rows that one step reads at most, about.
const STEP_ROWS: usize = 1 << 18;
/// Tables that one query names at most.
const STEP_TABLES: usize = 1_000;
/// How long what was written may be ahead of what the system log says was: a crash has it done again.
const SAVE_AFTER: Duration = Duration::from_secs(1);
/// When a step that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A stream that runs.
#[derive(Debug)]
pub(super) struct Runner {
    stream: Arc<Stream>,
    statement: CreateStream,
    engine: Weak<Engine>,
    database: u32,
    scheduled: AtomicBool,
    stopped: AtomicBool,
    state: Mutex<State>,
    failure: Mutex<Option<String>>,
}

#[derive(Debug)]
struct State {
    plan: Plan,
    cursor: LogCursor,
    progress: Progress,
    /// Names of the source's tables by number.
    names: FxHashMap<Uid, Arc<str>>,
    /// Whether `names` was read in this step: numbers that it does not have then are other tables'.
    names_are_fresh: bool,
    is_saved: bool,
    save_scheduled: bool,
    timer: Option<i64>,
}

impl Runner {
    pub fn new(engine: &Arc<Engine>, stream: Arc<Stream>) -> Result<Arc<Self>> {
        let Statement::CreateStream(statement) = embudo_sql::parse(&stream.statement)? else {
            return Err(Error::internal("a stream whose statement is another"));
        };
        let session = session_of(engine, &stream)?;
        let plan = plan_of(&session, &statement)?;
        let progress = Progress::restore(engine.catalog().stream_progress(&stream.name));
        let cursor = plan.database.store().read_log(progress.next);
        let state = State { plan, cursor, progress, names: FxHashMap::default(), names_are_fresh: false, is_saved: true, save_scheduled: false, timer: None };
        let runner = Self {
            database: state.plan.database.id,
            stream,
            statement: *statement,
            engine: Arc::downgrade(engine),
            scheduled: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            state: Mutex::new(state),
            failure: Mutex::new(None),
        };
        Ok(Arc::new(runner))
    }

    /// The number of the database whose log it reads.
    pub fn database(&self) -> u32 {
        self.database
    }

    /// What the catalogue had when it was started.
    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Why the last step failed.
    pub fn failure(&self) -> Option<String> {
        self.failure.lock().clone()
    }

    /// Has a step run in the background, unless one is about to.
    pub fn schedule(self: &Arc<Self>) {
        if self.scheduled.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(engine) = self.engine.upgrade() {
            let runner = self.clone();
            engine.scheduler().spawn(move || runner.work());
        }
    }

    fn schedule_after(self: &Arc<Self>, delay: Duration) {
        self.later(delay, Self::schedule);
    }

    /// Runs `work` after a while, if the stream still runs then.
    fn later(self: &Arc<Self>, delay: Duration, work: impl FnOnce(&Arc<Self>) + Send + 'static) {
        let Some(engine) = self.engine.upgrade() else { return };
        let runner = Arc::downgrade(self);
        engine.scheduler().spawn_after(delay, move || {
            if let Some(runner) = runner.upgrade() {
                work(&runner);
            }
        });
    }

    /// Ends it: waits for the step that runs, and saves where it was.
    pub fn stop(&self) -> Result<()> {
        self.stopped.store(true, Ordering::Release);
        let mut state = self.state.lock();
        match self.engine.upgrade() {
            Some(engine) => self.save(&engine, &mut state),
            None => Ok(()),
        }
    }

    /// Steps until nothing is left to do.
    fn work(self: &Arc<Self>) {
        self.scheduled.store(false, Ordering::Release);
        while !self.stopped.load(Ordering::Acquire) {
            let Some(engine) = self.engine.upgrade() else { return };
            let mut state = self.state.lock();
            if self.stopped.load(Ordering::Acquire) {
                return;
            }
            match self.step(&engine, &mut state) {
                Ok(true) => {
                    *self.failure.lock() = None;
                }
                Ok(false) => {
                    *self.failure.lock() = None;
                    self.schedule_timers(&engine, &mut state);
                    return;
                }
                Err(error) => {
                    tracing::warn!(stream = %self.stream.name, %error, "a stream's step failed");
                    *self.failure.lock() = Some(error.to_string());
                    // What it took is read again from where the system log says.
                    let saved = engine.catalog().stream_progress(&self.stream.name);
                    state.progress = Progress::restore(saved);
                    let next = state.progress.next;
                    state.cursor.seek(next);
                    drop(state);
                    self.schedule_after(RETRY_AFTER);
                    return;
                }
            }
        }
    }

    /// Reads some records and writes what they ask for; `false` where there was nothing to do.
    fn step(&self, engine: &Arc<Engine>, state: &mut State) -> Result<bool> {
        let now = engine.clock().now() / 1_000_000;
        let session = session_of(engine, &self.stream)?;
        state.names_are_fresh = false;
        let mut rows = 0;
        let mut records = 0;
        while records < STEP_RECORDS && rows < STEP_ROWS {
            let Some(record) = state.cursor.read()? else { break };
            // Numbers have no gaps: what is between is gone.
            if record.sequence > state.progress.next {
                tracing::warn!(stream = %self.stream.name, "records are gone from the log: everything is computed again");
                state.touch_everything(&session, now, true)?;
            }
            rows += state.take(&record, now);
            state.progress.next = record.sequence + 1;
            records += 1;
        }
        let due = state.progress.take_due(&state.plan.rules, now);
        if records == 0 && due.is_empty() {
            return Ok(false);
        }
        state.is_saved = false;
        state.refresh(&session, &self.statement)?;
        match state.plan.rules.shape {
            Shape::Floating(_) => state.write_all_floating(&session, due, now)?,
            Shape::Grid(_) | Shape::Rows => state.write_all(&session, due)?,
        }
        Ok(true)
    }

    fn save(&self, engine: &Arc<Engine>, state: &mut State) -> Result<()> {
        if !state.is_saved {
            engine.catalog().save_stream_progress(&self.stream.name, state.progress.save())?;
            state.is_saved = true;
        }
        Ok(())
    }

    /// Has windows that wait for their delay written, and progress saved.
    fn schedule_timers(self: &Arc<Self>, engine: &Arc<Engine>, state: &mut State) {
        if !state.is_saved && !state.save_scheduled {
            state.save_scheduled = true;
            self.later(SAVE_AFTER, |runner| runner.save_later());
        }
        if let Some(due) = state.progress.next_delay(&state.plan.rules)
            && state.timer.is_none_or(|timer| due < timer || timer <= engine.clock().now() / 1_000_000)
        {
            state.timer = Some(due);
            let wait = due.saturating_sub(engine.clock().now() / 1_000_000).max(1);
            self.schedule_after(Duration::from_millis(wait.unsigned_abs()));
        }
    }

    fn save_later(&self) {
        let Some(engine) = self.engine.upgrade() else { return };
        let mut state = self.state.lock();
        state.save_scheduled = false;
        if !self.stopped.load(Ordering::Acquire)
            && let Err(error) = self.save(&engine, &mut state)
        {
            tracing::warn!(stream = %self.stream.name, %error, "a stream's progress cannot be saved");
        }
    }
}

/// A session of the stream's user, as it was where the stream was made.
fn session_of(engine: &Arc<Engine>, stream: &Stream) -> Result<Session> {
    let session = engine.session(&stream.user)?;
    session.set_zone(Zone::named(&stream.zone)?);
    if let Some(database) = &stream.database {
        session.use_database(database)?;
    }
    Ok(session)
}

pub(super) fn plan_of(session: &Session, statement: &CreateStream) -> Result<Plan> {
    let mut plan = None;
    session.run("stream", &[], |context| {
        plan = Some(Plan::new(statement, &context.query_context())?);
        Ok(embudo_types::ResultSet::affected(0))
    })?;
    plan.ok_or_else(|| Error::internal("a stream without a plan"))
}

impl State {
    /// Takes note of a record and gives how many rows it has.
    fn take(&mut self, record: &LogRecord, now: i64) -> usize {
        let mut rows = 0;
        let mut seen: Option<(i64, i64)> = None;
        for entry in record.entries.iter() {
            match entry {
                Entry::Rows(batch) => rows += self.touch(batch.uid, &batch.timestamps, now, &mut seen),
                Entry::Tables(batch) => {
                    let mut start = 0;
                    for run in &batch.runs {
                        let end = start + run.rows as usize;
                        rows += self.touch(run.uid, &batch.rows.timestamps[start..end], now, &mut seen);
                        start = end;
                    }
                }
                Entry::Delete { uid, start, end } => {
                    if let Some(group) = self.group_of(*uid) {
                        self.progress.touch_range(&self.plan.rules, group, *start, *end, now);
                    }
                }
                Entry::DropTable { uid } => {
                    self.progress.forget(*uid);
                    self.names.remove(uid);
                }
                Entry::Meta(_) => {}
            }
        }
        if let Some((lowest, highest)) = seen {
            self.progress.advance(lowest, highest);
        }
        rows
    }

    fn touch(&mut self, uid: Uid, ticks: &[i64], now: i64, seen: &mut Option<(i64, i64)>) -> usize {
        let Some(group) = self.group_of(uid) else { return 0 };
        self.progress.touch(&self.plan.rules, group, ticks, now);
        for tick in ticks {
            *seen = Some(seen.map_or((*tick, *tick), |(low, high)| (low.min(*tick), high.max(*tick))));
        }
        ticks.len()
    }

    /// The group of a table's rows; `None` where the stream does not read it.
    fn group_of(&mut self, uid: Uid) -> Option<Uid> {
        let reads = match &self.plan.source {
            Table::Super(_) => self.name_of(uid).is_some(),
            table => table.uid() == uid,
        };
        reads.then_some(if self.plan.by_table { uid } else { 0 })
    }

    /// The name of a child of the source, by its number.
    fn name_of(&mut self, uid: Uid) -> Option<Arc<str>> {
        if let Some(name) = self.names.get(&uid) {
            return (!name.is_empty()).then(|| name.clone());
        }
        let Table::Super(supertable) = &self.plan.source else { return Some(self.plan.source.name().clone()) };
        if !self.names_are_fresh {
            let children = supertable.children();
            self.names.extend(children.slots().iter().map(|slot| (children.uid(slot), children.name(slot))));
            self.names_are_fresh = true;
        }
        // A table of another supertable stays one: numbers are never given again.
        let name = self.names.entry(uid).or_insert_with(|| "".into()).clone();
        (!name.is_empty()).then_some(name)
    }

    /// Makes the plan anew where the source's columns have changed.
    fn refresh(&mut self, session: &Session, statement: &CreateStream) -> Result<()> {
        let now = self.plan.database.table(self.plan.source.name());
        let is_same = now.as_ref().is_some_and(|now| now.uid() == self.plan.source.uid() && Arc::ptr_eq(&now.schema(), &self.plan.source.schema()));
        if !is_same {
            self.plan = plan_of(session, statement)?;
        }
        Ok(())
    }

    /// Computes windows on a grid, or rows, and writes them; tables with the same windows share a query.
    fn write_all(&mut self, session: &Session, due: Vec<Due>) -> Result<()> {
        let mut ranges: BTreeMap<(i64, i64, bool), Vec<Uid>> = BTreeMap::new();
        for due in due {
            ranges.entry((due.first, due.last, due.emptied)).or_default().push(due.table);
        }
        for ((first, last, emptied), tables) in ranges {
            let due = Due { table: 0, first, last, emptied };
            for tables in tables.chunks(STEP_TABLES) {
                self.write(session, due, tables)?;
            }
        }
        Ok(())
    }

    fn write(&mut self, session: &Session, due: Due, tables: &[Uid]) -> Result<()> {
        let mut named = Vec::new();
        for table in tables.iter().filter(|table| **table != 0) {
            match self.name_of(*table) {
                Some(name) => named.push((*table, name.to_string())),
                None => self.progress.forget(*table),
            }
        }
        if named.is_empty() && !tables.contains(&0) {
            return Ok(());
        }
        let end = match &self.plan.rules.shape {
            Shape::Grid(grid) => grid.end(due.last).saturating_sub(1),
            Shape::Floating(_) | Shape::Rows => due.last,
        };
        // Windows without rows come from the last one that was written.
        let start = if self.plan.fills {
            let before = tables.iter().filter_map(|table| self.progress.last_written(*table)).min();
            before.map_or(due.first, |before| before.min(due.first))
        } else {
            due.first
        };
        if due.emptied && self.plan.keyed_by_start {
            let range = (due.first, due.last);
            if named.is_empty() {
                delete(session, &self.plan, None, range)?;
            }
            for table in &named {
                delete(session, &self.plan, Some(table), range)?;
            }
        }
        let newest = write_windows(session, &self.plan, &named, (start, end), due)?;
        if let Some(newest) = newest {
            for table in tables {
                self.progress.note_written(*table, newest);
            }
        }
        Ok(())
    }

    fn write_all_floating(&mut self, session: &Session, due: Vec<Due>, now: i64) -> Result<()> {
        let time = self.progress.time(&self.plan.rules);
        let Shape::Floating(gap) = self.plan.rules.shape else { return Ok(()) };
        for due in due {
            let Some(name) = self.name_of(due.table) else {
                self.progress.forget(due.table);
                continue;
            };
            let table = (due.table, name.to_string());
            let restart = self.progress.restart(due.table, due.first);
            let from = restart.unwrap_or(i64::MIN);
            let all = self.plan.rules.trigger != Trigger::Close;
            let over = |end: i64| all || time.is_some_and(|time| end.saturating_add(gap) < time);
            let computed = write_floating(session, &self.plan, &table, from, &over)?;
            let mut gone = self.progress.replace_written(due.table, from, &computed.written);
            if restart.is_none() {
                // More windows may be gone than are remembered.
                gone = surplus(session, &self.plan, &table, &computed.written)?;
            }
            delete_windows(session, &self.plan, &table, &gone)?;
            if let Some(waiting) = computed.waiting {
                self.progress.keep(due.table, waiting, waiting.max(due.last), now);
            }
        }
        Ok(())
    }

    /// Every row that the source has counts as new.
    fn touch_everything(&mut self, session: &Session, now: i64, emptied: bool) -> Result<()> {
        let tables: Vec<Uid> = match &self.plan.source {
            Table::Super(supertable) => {
                let children = supertable.children();
                children.slots().iter().map(|slot| children.uid(slot)).collect()
            }
            table => vec![table.uid()],
        };
        // Where rows are gone, windows that they made may be too.
        let seen = self.progress.seen.filter(|_| emptied);
        let ends = bounds(session, &self.plan)?.into_iter().chain(seen).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)));
        let Some((lowest, highest)) = ends else { return Ok(()) };
        let groups: Vec<Uid> = if self.plan.by_table { tables } else { vec![0] };
        for group in groups {
            self.progress.touch_all(&self.plan.rules, group, lowest, highest, now, emptied);
        }
        Ok(())
    }
}

/// Where a new stream begins: behind what is there, or with all of it for `FILL_HISTORY`.
pub(super) fn beginning(session: &Session, plan: Plan, history: bool, now: i64) -> Result<embudo_catalog::StreamProgress> {
    let store = plan.database.store().clone();
    // What comes from here on is read from the log; what came before is seen by the first query. Rows in both are computed twice.
    let (_, next) = store.log_range();
    let cursor = store.read_log(next);
    let progress = Progress::restore(embudo_catalog::StreamProgress { next, ..Default::default() });
    let mut state = State { plan, cursor, progress, names: FxHashMap::default(), names_are_fresh: false, is_saved: false, save_scheduled: false, timer: None };
    if history {
        state.touch_everything(session, now, false)?;
    }
    Ok(state.progress.save())
}
