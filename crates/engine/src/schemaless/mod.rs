//! Schemaless writing: InfluxDB lines, OpenTSDB telnet lines and OpenTSDB JSON become rows of children whose supertables are made and
//! widened as the points ask (spec/sql.md 8.4). `wire` reads the text; here points are gathered by supertable ([`points`]), tables are
//! brought up to what they need ([`tables`]), and all rows of a call are written as one atomic record.
//!
//! A call is all or nothing: a bad line, a value of another type than its column's, a time outside KEEP refuse the whole call before any
//! table is touched.

mod cells;
mod points;
mod series;
mod tables;
#[cfg(test)]
mod tests;

use embudo_sql::ast::ObjectName;
use embudo_types::{Error, Result, code};
use embudo_wire::schemaless::{LineProtocol, TimeUnit};

use crate::pending::write;
use crate::session::StatementContext;

pub(crate) use series::SeriesCache;

/// How a text of points is to be read and written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineOptions<'a> {
    /// Its protocol.
    pub protocol: LineProtocol,
    /// Unit of the times in InfluxDB lines; the other protocols tell theirs by the digits.
    pub unit: TimeUnit,
    /// TTL in days of children that are made, 0 for ever.
    pub ttl: u32,
    /// The tag whose value names the child; it is no tag of the table then. Points without it are named as always.
    pub table_name_key: Option<&'a str>,
}

impl LineOptions<'_> {
    /// A protocol with times in nanoseconds where their unit is not told, and children that stay for ever.
    pub fn new(protocol: LineProtocol) -> Self {
        Self { protocol, unit: TimeUnit::Nano, ttl: 0, table_name_key: None }
    }
}

/// What a call wrote.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinesWritten {
    /// Rows with a key of their own.
    pub affected_rows: u64,
    /// Points in the text.
    pub total_rows: u64,
}

/// Writes the points of a text into the session's database: 0x0217 where it has none.
pub(crate) fn write_lines(context: &StatementContext<'_>, text: &str, options: &LineOptions<'_>) -> Result<LinesWritten> {
    let name = context.database.as_deref().ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED_OR_AVAILABLE))?;
    let database = context.database_of(&ObjectName { database: Some(name.into()), name: String::new() })?;
    let mut total_rows = 0;
    let affected_rows = write(context.engine, |pending| {
        let number = pending.database(&database, context.now);
        let reading = points::Reading { database: &database, now: context.now, allowed: pending.allowed(number), series: context.engine.series(), options };
        let points = reading.read(text)?;
        context.cancel.check()?;
        total_rows = points.count();
        tables::bring_up(context, &database, &points)?;
        points.add_to(context, pending, number, &database, options.ttl)?;
        Ok(pending.distinct_rows())
    })?;
    Ok(LinesWritten { affected_rows, total_rows })
}
