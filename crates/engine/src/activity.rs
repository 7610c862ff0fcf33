//! What runs in an engine: sessions and statements, for SHOW CONNECTIONS, SHOW QUERIES, KILL and interruption.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use embudo_catalog::Token;
use embudo_query::CancelToken;
use embudo_types::{Error, Outcome, Result, ResultSet, code};
use parking_lot::Mutex;

/// Sessions and statements of an engine.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<u32, OpenSession>,
    statements: BTreeMap<u64, StatementEntry>,
    next_statement: u64,
}

/// Who is at the other end of a session, as SHOW CONNECTIONS tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The program.
    pub application: String,
    /// `host:port`.
    pub address: String,
    /// Its process.
    pub process: u32,
    /// The program as it calls itself.
    pub user_application: String,
    /// The address that it says that it is at.
    pub user_address: String,
}

impl Origin {
    /// The address without the port.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.address.parse::<SocketAddr>().ok().map(|address| address.ip())
    }
}

/// This process.
impl Default for Origin {
    fn default() -> Self {
        Self {
            application: "embudo".into(),
            address: "127.0.0.1:0".into(),
            process: std::process::id(),
            user_application: String::new(),
            user_address: String::new(),
        }
    }
}

/// Told when a session is killed.
type OnKill = Arc<dyn Fn() + Send + Sync>;

/// A session on the list.
struct OpenSession {
    entry: SessionEntry,
    killed: bool,
    on_kill: Option<OnKill>,
}

impl std::fmt::Debug for OpenSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OpenSession").field("entry", &self.entry).field("killed", &self.killed).finish_non_exhaustive()
    }
}

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct SessionEntry {
    /// User.
    pub user: String,
    /// The token that it was opened with.
    pub token: Option<Arc<Token>>,
    /// Who is at the other end.
    pub origin: Origin,
    /// Milliseconds since 1970.
    pub started: i64,
    /// Milliseconds since 1970 of its last statement.
    pub last_access: i64,
}

/// A statement that runs, or whose rows are not all taken.
#[derive(Clone, Debug)]
pub(crate) struct StatementEntry {
    /// Its session.
    pub session: u32,
    /// User.
    pub user: String,
    /// As given.
    pub sql: String,
    /// Milliseconds since 1970.
    pub started: i64,
    cancel: CancelToken,
}

/// Takes a statement off the list when it ends.
#[derive(Debug)]
pub(crate) struct Running {
    activity: Arc<Activity>,
    id: u64,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.activity.state.lock().statements.remove(&self.id);
    }
}

/// Longest statement text that lists show.
const SHOWN_SQL: usize = 1_024;

impl Activity {
    pub fn open_session(&self, id: u32, entry: SessionEntry) {
        self.state.lock().sessions.insert(id, OpenSession { entry, killed: false, on_kill: None });
    }

    pub fn close_session(&self, id: u32) {
        self.state.lock().sessions.remove(&id);
    }

    /// Says who is at the other end of a session.
    pub fn set_origin(&self, id: u32, origin: Origin) {
        if let Some(session) = self.state.lock().sessions.get_mut(&id) {
            session.entry.origin = origin;
        }
    }

    /// What is told when the session is killed.
    pub fn on_kill(&self, id: u32, told: OnKill) {
        if let Some(session) = self.state.lock().sessions.get_mut(&id) {
            session.on_kill = Some(told);
        }
    }

    /// Puts a statement on the list with the flag that stops it: 0x0215 in a session that was killed.
    pub fn start(self: &Arc<Self>, session: u32, user: &str, sql: &str, now: i64, cancel: &CancelToken) -> Result<Running> {
        let mut state = self.state.lock();
        state.next_statement += 1;
        let id = state.next_statement;
        if let Some(session) = state.sessions.get_mut(&session) {
            if session.killed {
                return Err(Error::new(code::CONNECTION_KILLED));
            }
            session.entry.last_access = now;
        }
        let mut end = sql.len().min(SHOWN_SQL);
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        state.statements.insert(id, StatementEntry { session, user: user.into(), sql: sql[..end].into(), started: now, cancel: cancel.clone() });
        Ok(Running { activity: self.clone(), id })
    }

    /// Stops every statement of a session; `false` where there is no such session.
    pub fn interrupt_session(&self, session: u32) -> bool {
        let state = self.state.lock();
        state.statements.values().filter(|statement| statement.session == session).for_each(|statement| statement.cancel.cancel());
        state.sessions.contains_key(&session)
    }

    /// Stops every statement that began before this moment, in milliseconds since 1970; how many there were.
    pub fn interrupt_older_than(&self, moment: i64) -> usize {
        let state = self.state.lock();
        let old = state.statements.values().filter(|statement| statement.started < moment && !statement.cancel.is_cancelled());
        old.map(|statement| statement.cancel.cancel()).count()
    }

    /// Ends a session: its statements stop, none may follow, and who asked to be told is told. `false` where there is no such session.
    pub fn kill_session(&self, id: u32) -> bool {
        let told = {
            let mut state = self.state.lock();
            let Some(session) = state.sessions.get_mut(&id) else { return false };
            session.killed = true;
            session.on_kill.clone()
        };
        self.interrupt_session(id);
        if let Some(told) = told {
            told();
        }
        true
    }

    /// Ends the connections of sessions that must not go on: what runs in them stops, and who asked to be told is told.
    pub fn disconnect(&self, must_end: impl Fn(&SessionEntry) -> bool) {
        let ended: Vec<(u32, Option<OnKill>)> = {
            let state = self.state.lock();
            state.sessions.iter().filter(|(_, session)| must_end(&session.entry)).map(|(id, session)| (*id, session.on_kill.clone())).collect()
        };
        for (id, told) in ended {
            if let Some(told) = told {
                self.interrupt_session(id);
                told();
            }
        }
    }

    /// Stops one statement of a session; `false` where it does not run.
    pub fn interrupt_statement(&self, session: u32, id: u64) -> bool {
        let state = self.state.lock();
        let found = state.statements.get(&id).filter(|statement| statement.session == session);
        found.inspect(|statement| statement.cancel.cancel()).is_some()
    }

    pub fn sessions(&self) -> Vec<(u32, SessionEntry)> {
        self.state.lock().sessions.iter().filter(|(_, session)| !session.killed).map(|(id, session)| (*id, session.entry.clone())).collect()
    }

    /// Statements by their numbers, with who asked. Of one that may hold a secret the text is left out.
    pub fn statements(&self) -> Vec<(u64, StatementEntry, Origin)> {
        let state = self.state.lock();
        let shown = |entry: &StatementEntry| {
            let origin = state.sessions.get(&entry.session).map(|session| session.entry.origin.clone()).unwrap_or_default();
            let sql = if may_hold_a_secret(&entry.sql) { "(a statement that may hold a secret)".into() } else { entry.sql.clone() };
            (StatementEntry { sql, ..entry.clone() }, origin)
        };
        let listed = state.statements.iter().map(|(id, entry)| (id, shown(entry)));
        listed.map(|(id, (entry, origin))| (*id, entry, origin)).collect()
    }

    /// How many sessions are open and how many statements run.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.lock();
        (state.sessions.len(), state.statements.len())
    }
}

/// Whether words stand in a statement that come before secrets. Rather too careful: it does not matter where they stand.
pub(crate) fn may_hold_a_secret(sql: &str) -> bool {
    const WORDS: [&[u8]; 3] = [b"pass", b"totp", b"token"];
    WORDS.iter().any(|word| sql.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word)))
}

impl Running {
    /// Keeps the statement on the list until the result's rows are taken or given up.
    pub fn follow(self, result: ResultSet) -> ResultSet {
        match result.outcome {
            Outcome::Affected(_) => result,
            Outcome::Rows(batches) => {
                let running = self;
                let followed = batches.inspect(move |_| {
                    let _held = &running;
                });
                ResultSet { schema: result.schema, outcome: Outcome::Rows(Box::new(followed)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_killed_session_is_told_and_runs_nothing_more() {
        let activity = Arc::new(Activity::default());
        activity.open_session(7, SessionEntry { user: "u".into(), token: None, origin: Origin::default(), started: 0, last_access: 0 });
        let told = Arc::new(AtomicU32::new(0));
        let count = told.clone();
        activity.on_kill(
            7,
            Arc::new(move || {
                count.fetch_add(1, Ordering::Relaxed);
            }),
        );
        let cancel = CancelToken::new();
        let running = activity.start(7, "u", "SELECT 1", 0, &cancel).unwrap();
        assert!(!activity.kill_session(8) && activity.kill_session(7));
        assert!(cancel.check().is_err() && told.load(Ordering::Relaxed) == 1);
        assert_eq!(activity.start(7, "u", "SELECT 1", 0, &cancel).map(drop).unwrap_err().code(), code::CONNECTION_KILLED);
        assert_eq!(activity.counts(), (1, 1));
        drop(running);
        activity.close_session(7);
        assert_eq!(activity.counts(), (0, 0));
    }

    #[test]
    fn secrets_are_not_listed() {
        let activity = Arc::new(Activity::default());
        let cancel = CancelToken::new();
        let _running = [
            activity.start(1, "root", "ALTER USER u PASS'secret'", 0, &cancel).unwrap(),
            activity.start(1, "root", "SELECT 'öffentlich'", 0, &cancel).unwrap(),
        ];
        let listed: Vec<String> = activity.statements().into_iter().map(|(_, entry, _)| entry.sql).collect();
        assert_eq!(listed, ["(a statement that may hold a secret)", "SELECT 'öffentlich'"]);
    }
}
