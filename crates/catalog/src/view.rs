//! What a database has beside tables: views, and aggregates that were asked for by TSMA and SMA index. The system log keeps them.

use std::sync::Arc;

use embudo_types::Result;

use crate::record::{Reader, Writer, broken};

/// A query with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Name, shared with the database's tables.
    pub name: Arc<str>,
    /// Its query as SQL.
    pub query: String,
    /// The current database of whoever made it, in which unqualified names are looked up.
    pub database: Option<String>,
    /// Whoever made it: its query runs with that user's rights.
    pub effective_user: String,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl View {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.name);
        w.text(&self.query);
        w.optional_text(self.database.as_deref());
        w.text(&self.effective_user);
        w.signed(self.created);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            name: r.text()?.into(),
            query: r.text()?.into(),
            database: r.optional_text()?.map(Into::into),
            effective_user: r.text()?.into(),
            created: r.signed()?,
        })
    }
}

/// Which statement asked for aggregates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregateKind {
    /// CREATE TSMA, CREATE RECURSIVE TSMA.
    Tsma,
    /// CREATE SMA INDEX.
    SmaIndex,
}

/// Aggregates over windows that were asked for. They are kept and shown; queries read the rows, whose blocks have their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WindowAggregates {
    /// Name.
    pub name: Arc<str>,
    /// Which statement made it.
    pub kind: AggregateKind,
    /// The table.
    pub table: Arc<str>,
    /// The TSMA that this one is made of.
    pub base: Option<Arc<str>>,
    /// Window length as written.
    pub interval: String,
    /// Functions as written, joined by commas.
    pub functions: String,
    /// The statement.
    pub statement: String,
    /// Milliseconds since 1970.
    pub created: i64,
}

impl WindowAggregates {
    pub(crate) fn write(&self, w: &mut Writer) {
        w.text(&self.name);
        w.byte(match self.kind {
            AggregateKind::Tsma => 0,
            AggregateKind::SmaIndex => 1,
        });
        w.text(&self.table);
        w.optional_text(self.base.as_deref());
        for text in [&self.interval, &self.functions, &self.statement] {
            w.text(text);
        }
        w.signed(self.created);
    }

    pub(crate) fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(Self {
            name: r.text()?.into(),
            kind: match r.byte()? {
                0 => AggregateKind::Tsma,
                1 => AggregateKind::SmaIndex,
                _ => return Err(broken()),
            },
            table: r.text()?.into(),
            base: r.optional_text()?.map(Into::into),
            interval: r.text()?.into(),
            functions: r.text()?.into(),
            statement: r.text()?.into(),
            created: r.signed()?,
        })
    }
}
