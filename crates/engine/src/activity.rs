//! What runs in an engine: sessions and statements, for SHOW CONNECTIONS, SHOW QUERIES, KILL and interruption.

use std::collections::BTreeMap;
use std::sync::Arc;

use embudo_query::CancelToken;
use embudo_types::{Outcome, ResultSet};
use parking_lot::Mutex;

/// Sessions and statements of an engine.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    sessions: BTreeMap<u32, SessionEntry>,
    statements: BTreeMap<u64, StatementEntry>,
    next_statement: u64,
}

/// An open session.
#[derive(Clone, Debug)]
pub(crate) struct SessionEntry {
    /// User.
    pub user: String,
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
        self.state.lock().sessions.insert(id, entry);
    }

    pub fn close_session(&self, id: u32) {
        self.state.lock().sessions.remove(&id);
    }

    /// Puts a statement on the list with the flag that stops it.
    pub fn start(self: &Arc<Self>, session: u32, user: &str, sql: &str, now: i64, cancel: &CancelToken) -> Running {
        let mut state = self.state.lock();
        state.next_statement += 1;
        let id = state.next_statement;
        if let Some(session) = state.sessions.get_mut(&session) {
            session.last_access = now;
        }
        let mut end = sql.len().min(SHOWN_SQL);
        while !sql.is_char_boundary(end) {
            end -= 1;
        }
        state.statements.insert(id, StatementEntry { session, user: user.into(), sql: sql[..end].into(), started: now, cancel: cancel.clone() });
        Running { activity: self.clone(), id }
    }

    /// Stops every statement of a session; `false` where there is no such session.
    pub fn interrupt_session(&self, session: u32) -> bool {
        let state = self.state.lock();
        state.statements.values().filter(|statement| statement.session == session).for_each(|statement| statement.cancel.cancel());
        state.sessions.contains_key(&session)
    }

    /// Stops one statement of a session; `false` where it does not run.
    pub fn interrupt_statement(&self, session: u32, id: u64) -> bool {
        let state = self.state.lock();
        let found = state.statements.get(&id).filter(|statement| statement.session == session);
        found.inspect(|statement| statement.cancel.cancel()).is_some()
    }

    pub fn sessions(&self) -> Vec<(u32, SessionEntry)> {
        self.state.lock().sessions.iter().map(|(id, entry)| (*id, entry.clone())).collect()
    }

    pub fn statements(&self) -> Vec<(u64, StatementEntry)> {
        self.state.lock().statements.iter().map(|(id, entry)| (*id, entry.clone())).collect()
    }
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
