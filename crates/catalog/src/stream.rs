//! Streams: what the system log keeps of them. What they compute is the engine's.

use std::sync::Arc;

use embudo_storage::Sequence;
use embudo_types::Result;

use crate::record::{Reader, Writer};

/// A query that runs over rows as they come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// Name, one in the engine.
    pub name: Arc<str>,
    /// A number for lists.
    pub id: u64,
    /// The CREATE STREAM statement.
    pub statement: String,
    /// The current database of whoever made it, in which unqualified names are looked up.
    pub database: Option<String>,
    /// The zone of its windows.
    pub zone: String,
    /// Whoever made it: it reads and writes with that user's rights.
    pub user: String,
    /// The database of its source, and that of its target: it goes with either.
    pub source_database: Arc<str>,
    /// See `source_database`.
    pub target_database: Arc<str>,
    /// The supertable that it writes to.
    pub target: Arc<str>,
    /// PAUSE STREAM.
    pub paused: bool,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl Stream {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.name);
        w.unsigned(self.id);
        w.text(&self.statement);
        w.optional_text(self.database.as_deref());
        w.text(&self.zone);
        w.text(&self.user);
        w.text(&self.source_database);
        w.text(&self.target_database);
        w.text(&self.target);
        w.byte(u8::from(self.paused));
        w.signed(self.created);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            name: r.text()?.into(),
            id: r.unsigned()?,
            statement: r.text()?.into(),
            database: r.optional_text()?.map(Into::into),
            zone: r.text()?.into(),
            user: r.text()?.into(),
            source_database: r.text()?.into(),
            target_database: r.text()?.into(),
            target: r.text()?.into(),
            paused: r.byte()? != 0,
            created: r.signed()?,
        })
    }
}

/// How far a stream has come: everything that the log's records before `next` asked for is written, but what is pending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamProgress {
    /// The first record that it has not seen.
    pub next: Sequence,
    /// Lowest and highest time of a row that it has seen, in ticks.
    pub seen: Option<(i64, i64)>,
    /// What is left of each group.
    pub groups: Vec<GroupProgress>,
}

/// What a stream remembers of a group: a table, or all tables together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupProgress {
    /// The table's number; 0 for all tables.
    pub table: u64,
    /// Windows that rows have touched and that are not written yet.
    pub pending: Vec<PendingWindows>,
    /// Windows whose place hangs on the rows (SESSION and its kind): the newest that were written.
    pub written: Vec<WrittenWindow>,
    /// Start of the newest window that was written.
    pub last: Option<i64>,
}

/// Windows that begin in a closed range of ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingWindows {
    /// The first one's start.
    pub first: i64,
    /// The last one's start.
    pub last: i64,
    /// When the first row came, in milliseconds since 1970.
    pub since: i64,
    /// Rows were deleted: some of the windows may have none left.
    pub emptied: bool,
}

/// A window that was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenWindow {
    /// Its first row's time.
    pub start: i64,
    /// Its last row's time.
    pub end: i64,
    /// The time of its row in the target.
    pub output: i64,
}

impl StreamProgress {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.unsigned(self.next);
        w.byte(u8::from(self.seen.is_some()));
        if let Some((lowest, highest)) = self.seen {
            w.signed(lowest);
            w.signed(highest);
        }
        w.unsigned(self.groups.len() as u64);
        for group in &self.groups {
            w.unsigned(group.table);
            w.unsigned(group.pending.len() as u64);
            for pending in &group.pending {
                for value in [pending.first, pending.last, pending.since] {
                    w.signed(value);
                }
                w.byte(u8::from(pending.emptied));
            }
            w.unsigned(group.written.len() as u64);
            for window in &group.written {
                for value in [window.start, window.end, window.output] {
                    w.signed(value);
                }
            }
            w.byte(u8::from(group.last.is_some()));
            if let Some(last) = group.last {
                w.signed(last);
            }
        }
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        let next = r.unsigned()?;
        let seen = if r.byte()? != 0 { Some((r.signed()?, r.signed()?)) } else { None };
        let count = r.count()?;
        let groups = (0..count).map(|_| read_group(r)).collect::<Result<_>>()?;
        Ok(Self { next, seen, groups })
    }
}

fn read_group(r: &mut Reader<'_>) -> Result<GroupProgress> {
    let table = r.unsigned()?;
    let count = r.count()?;
    let pending =
        (0..count).map(|_| Ok(PendingWindows { first: r.signed()?, last: r.signed()?, since: r.signed()?, emptied: r.byte()? != 0 })).collect::<Result<_>>()?;
    let count = r.count()?;
    let written = (0..count).map(|_| Ok(WrittenWindow { start: r.signed()?, end: r.signed()?, output: r.signed()? })).collect::<Result<_>>()?;
    let last = if r.byte()? != 0 { Some(r.signed()?) } else { None };
    Ok(GroupProgress { table, pending, written, last })
}
