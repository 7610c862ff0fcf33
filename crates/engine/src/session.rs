//! A session: current database, zone and user, and the statements that run with them. May be shared by threads.

use std::sync::Arc;

use arrow_array::RecordBatch;
use embudo_catalog::{Database, RightSet, Table, Token};
use embudo_query::{CancelToken, QueryContext};
use embudo_sql::ast::ObjectName;
use embudo_types::{Error, Result, ResultSet, Value, Zone, code};
use parking_lot::RwLock;

use crate::account::{Account, denied};
use crate::activity::{Origin, SessionEntry};
use crate::system_tables::SystemView;
use crate::{Engine, LineOptions, LinesWritten, Statement, batch_insert, dispatch, schemaless};

/// A session of one user. Clones are the same session.
#[derive(Clone, Debug)]
pub struct Session {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    engine: Arc<Engine>,
    id: u32,
    user: String,
    token: Option<Arc<Token>>,
    state: RwLock<State>,
}

#[derive(Clone, Debug)]
struct State {
    database: Option<String>,
    zone: Zone,
}

/// What one statement runs with, fixed when it starts.
pub(crate) struct StatementContext<'a> {
    /// The session.
    pub session: &'a Session,
    /// Its engine.
    pub engine: &'a Arc<Engine>,
    /// Its user, as the catalogue had it when the statement began.
    pub account: Account,
    /// Current database.
    pub database: Option<String>,
    /// Zone.
    pub zone: Zone,
    /// NOW in nanoseconds since 1970.
    pub now: i64,
    /// Values of `?`.
    pub parameters: &'a [Value],
    /// Stops the statement.
    pub cancel: CancelToken,
}

impl StatementContext<'_> {
    /// The database of a name as written, or the session's: 0x2616 where neither is there.
    pub fn database_name<'b>(&'b self, written: Option<&'b str>) -> Result<&'b str> {
        written.or(self.database.as_deref()).ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))
    }

    /// The database that a table's name is in: 0x2644 where the user has no right in it.
    pub fn database_of(&self, name: &ObjectName) -> Result<Arc<Database>> {
        let database = self.database_name(name.database.as_deref())?;
        if !self.account.sees_database(database) {
            return Err(denied());
        }
        self.engine.catalog().database(database)
    }

    /// One of the rights on a table: 0x2644.
    pub fn require_table(&self, rights: RightSet, database: &Database, table: &Table) -> Result<()> {
        self.account.require_table(rights, database, table, || self.query_context())
    }

    /// What a query of this statement runs in.
    pub fn query_context(&self) -> Arc<QueryContext> {
        Arc::new(QueryContext {
            catalog: self.engine.catalog().clone(),
            system: Arc::new(SystemView::new(self.engine.clone(), self.account.clone())),
            database: self.database.clone(),
            zone: self.zone.clone(),
            now: self.now,
            access: Arc::new(self.account.clone()),
            view_depth: 0,
            parameters: self.parameters.into(),
            memory: self.engine.query_memory().clone(),
            cancel: self.cancel.clone(),
            analysis: None,
            scheduler: self.engine.scheduler().clone(),
        })
    }
}

impl Session {
    pub(crate) fn new(engine: Arc<Engine>, id: u32, user: &str, token: Option<Arc<Token>>, zone: Zone) -> Self {
        let started = engine.clock().now() / 1_000_000;
        let entry = SessionEntry { user: user.into(), token: token.clone(), origin: Origin::default(), started, last_access: started };
        engine.activity().open_session(id, entry);
        Self { shared: Arc::new(Shared { engine, id, user: user.into(), token, state: RwLock::new(State { database: None, zone }) }) }
    }

    /// Runs one statement; `parameters` are the values of its `?` in order. The result's batches are made while they are taken.
    pub fn execute(&self, sql: &str, parameters: &[Value]) -> Result<ResultSet> {
        self.run(sql, parameters, |context| dispatch::execute(context, sql))
    }

    /// [`execute`](Self::execute), ended with 0x020F "Query terminated" once `cancel` is set; so are the batches that are still to come.
    pub fn execute_cancellable(&self, sql: &str, parameters: &[Value], cancel: &CancelToken) -> Result<ResultSet> {
        cancel.check()?;
        self.run_cancellable(sql, parameters, cancel, |context| dispatch::execute(context, sql))
    }

    /// Prepares a statement whose `?` are bound row by row or column by column.
    pub fn statement(&self, sql: &str) -> Result<Statement> {
        Statement::prepare(self.clone(), sql)
    }

    /// A consumer of topics, as a member of its group. 0x03E1 where a topic is missing, 0x0118 where an option cannot be.
    pub fn subscribe(&self, options: embudo_types::subscription::SubscribeOptions) -> Result<crate::Consumer> {
        crate::Consumer::new(self.clone(), options)
    }

    /// Writes rows that come as Arrow columns named like the target's; each batch is one atomic record. `target` (`[database.]table`) is a
    /// child or normal table, or a supertable: then a column `tbname` names the children, and columns of its tags give those of children that
    /// are made. Columns that are missing stay absent. Returns how many rows were given.
    pub fn insert_batches(&self, target: &str, batches: &mut dyn Iterator<Item = Result<RecordBatch>>) -> Result<u64> {
        let result = self.run(target, &[], |context| batch_insert::insert(context, target, batches).map(ResultSet::affected))?;
        match result.outcome {
            embudo_types::Outcome::Affected(rows) => Ok(rows),
            embudo_types::Outcome::Rows(_) => Ok(0),
        }
    }

    /// Writes points of a line protocol as one atomic record; supertables are made and widened as the points need. A bad point refuses the
    /// whole text, with the number of its line where there are several.
    ///
    /// ```
    /// use embudo_engine::{Engine, EngineOptions, LineOptions};
    /// use embudo_wire::schemaless::LineProtocol;
    /// let session = Engine::open(EngineOptions::memory())?.session("root")?;
    /// session.execute("CREATE DATABASE d", &[])?;
    /// session.use_database("d")?;
    /// let written = session.write_lines("cpu,host=a usage=0.5\ncpu,host=b usage=0.25", &LineOptions::new(LineProtocol::Influx))?;
    /// assert_eq!(written.affected_rows, 2);
    /// # Ok::<(), embudo_types::Error>(())
    /// ```
    pub fn write_lines(&self, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
        let mut written = LinesWritten::default();
        self.run("schemaless write", &[], |context| {
            written = schemaless::write_lines(context, text, options)?;
            Ok(ResultSet::affected(written.affected_rows))
        })?;
        Ok(written)
    }

    /// Runs `work` as a statement that lists show and [`interrupt`](Self::interrupt) ends.
    pub(crate) fn run(&self, sql: &str, parameters: &[Value], work: impl FnOnce(&StatementContext<'_>) -> Result<ResultSet>) -> Result<ResultSet> {
        self.run_cancellable(sql, parameters, &CancelToken::new(), work)
    }

    fn run_cancellable(
        &self,
        sql: &str,
        parameters: &[Value],
        cancel: &CancelToken,
        work: impl FnOnce(&StatementContext<'_>) -> Result<ResultSet>,
    ) -> Result<ResultSet> {
        let account = self.account()?;
        let now = self.shared.engine.clock().now();
        let running = self.shared.engine.activity().start(self.shared.id, &self.shared.user, sql, now / 1_000_000, cancel)?;
        let State { database, zone } = self.shared.state.read().clone();
        let context = StatementContext { session: self, engine: &self.shared.engine, account, database, zone, now, parameters, cancel: cancel.clone() };
        work(&context).map(|result| running.follow(result))
    }

    /// Its user, who may still do something: 0x0351 after DROP USER, 0x0315 after ENABLE 0, 0x0357 where the token counts no more.
    pub(crate) fn account(&self) -> Result<Account> {
        let catalog = self.shared.engine.catalog();
        if let Some(token) = &self.shared.token {
            catalog.check_token(token)?;
        }
        Account::of(catalog, &self.shared.user)
    }

    /// Changes the current database, as USE does: 0x0388 where there is none of that name, 0x0303 where the user has no right in it.
    pub fn use_database(&self, name: &str) -> Result<()> {
        if !crate::system_tables::is_system_database(name) {
            let account = Account::of(self.shared.engine.catalog(), &self.shared.user)?;
            let found = self.shared.engine.catalog().database(name);
            if !account.sees_database(name) {
                return Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION));
            }
            found?;
        }
        self.shared.state.write().database = Some(name.into());
        Ok(())
    }

    /// Leaves the current database: names need theirs from here on.
    pub fn leave_database(&self) {
        self.shared.state.write().database = None;
    }

    /// The current database.
    pub fn database(&self) -> Option<String> {
        self.shared.state.read().database.clone()
    }

    /// Changes the zone that reads literals, aligns windows and labels results.
    pub fn set_zone(&self, zone: Zone) {
        self.shared.state.write().zone = zone;
    }

    /// The zone.
    pub fn zone(&self) -> Zone {
        self.shared.state.read().zone.clone()
    }

    /// The user.
    pub fn user(&self) -> &str {
        &self.shared.user
    }

    /// The name of the token that it was opened with.
    pub fn token(&self) -> Option<&str> {
        self.shared.token.as_ref().map(|token| &*token.name)
    }

    /// The number that SHOW CONNECTIONS gives it.
    pub fn id(&self) -> u32 {
        self.shared.id
    }

    /// Ends what runs in this session now with 0x020F "Query terminated"; later statements run.
    pub fn interrupt(&self) {
        self.shared.engine.activity().interrupt_session(self.shared.id);
    }

    /// Says who is at the other end, where that is another process.
    pub fn set_origin(&self, origin: Origin) {
        self.shared.engine.activity().set_origin(self.shared.id, origin);
    }

    /// Has `told` called when KILL CONNECTION ends this session: the connection behind it should end too. Statements fail with 0x0215 from then on.
    pub fn on_kill(&self, told: impl Fn() + Send + Sync + 'static) {
        self.shared.engine.activity().on_kill(self.shared.id, Arc::new(told));
    }

    /// The engine.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.engine.activity().close_session(self.id);
    }
}
