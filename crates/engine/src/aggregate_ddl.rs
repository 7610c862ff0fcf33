//! TSMA and SMA index (spec/sql.md 3.6): aggregates over windows that TDengine computes ahead. They are checked, kept and shown; queries do not
//! need them, since blocks carry statistics of their own, so answers are those of the rows in any case.

use std::sync::Arc;

use embudo_catalog::{AggregateKind, Database, Table, WindowAggregates};
use embudo_sql::ast::expr::Expr;
use embudo_sql::ast::query::WindowDuration;
use embudo_sql::ast::table::{CreateSmaIndex, CreateTsma};
use embudo_sql::ast::{ObjectName, Statement};
use embudo_types::{Error, Precision, Result, code};

use crate::insert::{check_table_name, no_column, no_table};
use crate::session::StatementContext;

/// Functions that a TSMA may have.
const FUNCTIONS: [&str; 9] = ["min", "max", "sum", "first", "last", "avg", "count", "spread", "stddev"];
/// TSMAs of an engine at most.
const MOST: usize = 3;
/// Bytes of the longest name of a TSMA.
const LONGEST_NAME: usize = 178;
/// Shortest and longest window of a TSMA in nanoseconds: a minute and an hour.
const WINDOWS: std::ops::RangeInclusive<i64> = 60_000_000_000..=3_600_000_000_000;

/// CREATE TSMA, CREATE RECURSIVE TSMA.
pub(crate) fn create_tsma(context: &StatementContext<'_>, tsma: &CreateTsma) -> Result<()> {
    let database = context.database_of(&tsma.source)?;
    let name = &tsma.name.name;
    if name.len() > LONGEST_NAME {
        return Err(Error::with(code::NAME_TOO_LONG_3111, "TSMA name too long"));
    }
    check_table_name(name)?;
    let (table, base, functions) = if tsma.recursive {
        let base = tsma_of(&database, &tsma.source.name).ok_or_else(|| Error::new(code::SMA_NOT_EXIST))?;
        (base.table.clone(), Some(base.name.clone()), base.functions.clone())
    } else {
        let table = database.table(&tsma.source.name).ok_or_else(no_table)?;
        if matches!(table, Table::Child(_)) {
            return Err(Error::with(code::TSMA_TABLE, "TSMA can only be created on super tables and normal tables"));
        }
        (table.name().clone(), None, functions_of(&table, &tsma.functions)?)
    };
    let length = nanoseconds(tsma.interval, database.precision()).filter(|length| WINDOWS.contains(length));
    let wrong = || Error::with(code::INTERVAL_1M_1H, "Invalid tsma interval, 1m ~ 1h is allowed");
    let length = length.ok_or_else(wrong)?;
    if let Some(base) = &base
        && let Some(base) = tsma_of(&database, base)
        && let Some(Statement::CreateTsma(base)) = embudo_sql::parse(&base.statement).ok()
        && nanoseconds(base.interval, database.precision()).is_none_or(|base| length <= base || length % base != 0)
    {
        return Err(wrong());
    }
    let databases = context.engine.catalog().databases();
    if databases.iter().flat_map(|database| database.aggregates()).filter(|aggregates| aggregates.kind == AggregateKind::Tsma).count() >= MOST {
        return Err(Error::new(code::MAX_TSMA_NUM_EXCEEDED));
    }
    let aggregates = WindowAggregates {
        name: name.as_str().into(),
        kind: AggregateKind::Tsma,
        table,
        base,
        interval: written(tsma.interval),
        functions,
        statement: Statement::CreateTsma(Box::new(tsma.clone())).to_string(),
        created: context.now / 1_000_000,
    };
    create(context, &database, aggregates, tsma.if_not_exists)
}

/// CREATE SMA INDEX.
pub(crate) fn create_sma_index(context: &StatementContext<'_>, index: &CreateSmaIndex) -> Result<()> {
    let database = context.database_of(&index.table)?;
    let table = database.table(&index.table.name).ok_or_else(no_table)?;
    if nanoseconds(index.interval, database.precision()).is_none_or(|length| length <= 0) {
        return Err(Error::new(code::INVALID_SMA_INDEX));
    }
    let aggregates = WindowAggregates {
        name: index.name.name.as_str().into(),
        kind: AggregateKind::SmaIndex,
        table: table.name().clone(),
        base: None,
        interval: written(index.interval),
        functions: index.functions.iter().map(ToString::to_string).collect::<Vec<_>>().join(","),
        statement: Statement::CreateSmaIndex(Box::new(index.clone())).to_string(),
        created: context.now / 1_000_000,
    };
    create(context, &database, aggregates, index.if_not_exists)
}

fn create(context: &StatementContext<'_>, database: &Database, aggregates: WindowAggregates, if_not_exists: bool) -> Result<()> {
    match context.engine.catalog().create_aggregates(database, aggregates) {
        Err(error) if if_not_exists && error.code() == code::SMA_ALREADY_EXISTS => Ok(()),
        outcome => outcome,
    }
}

/// DROP TSMA: 0x0485 while another is made of it.
pub(crate) fn drop_tsma(context: &StatementContext<'_>, name: &ObjectName, if_exists: bool) -> Result<()> {
    let database = context.database_of(name)?;
    let Some(tsma) = tsma_of(&database, &name.name) else {
        return if if_exists { Ok(()) } else { Err(Error::new(code::SMA_NOT_EXIST)) };
    };
    if database.aggregates().iter().any(|other| other.base.as_deref() == Some(&*tsma.name)) {
        return Err(Error::new(code::INVALID_DROP_BASE_TSMA_DROP_RECURSIVE));
    }
    context.engine.catalog().drop_aggregates(&database, std::slice::from_ref(&tsma.name))
}

/// 0x3110 while a TSMA is over the table.
pub(crate) fn check_drop(database: &Database, table: &Table) -> Result<()> {
    let is_over = |aggregates: &Arc<WindowAggregates>| aggregates.kind == AggregateKind::Tsma && aggregates.table == *table.name();
    if database.aggregates().iter().any(is_over) { Err(Error::new(code::TSMA_MUST_BE_DROPPED_FIRST)) } else { Ok(()) }
}

/// DROP INDEX of an SMA index; `false` where there is none of that name.
pub(crate) fn drop_sma_index(context: &StatementContext<'_>, database: &Database, name: &str) -> Result<bool> {
    let found = database.aggregates().into_iter().find(|aggregates| aggregates.kind == AggregateKind::SmaIndex && &*aggregates.name == name);
    let Some(index) = found else { return Ok(false) };
    context.engine.catalog().drop_aggregates(database, std::slice::from_ref(&index.name)).map(|()| true)
}

fn tsma_of(database: &Database, name: &str) -> Option<Arc<WindowAggregates>> {
    database.aggregates().into_iter().find(|aggregates| aggregates.kind == AggregateKind::Tsma && &*aggregates.name == name)
}

/// The functions as written, each once: one plain column each.
fn functions_of(table: &Table, functions: &[Expr]) -> Result<String> {
    let schema = table.schema();
    let mut texts: Vec<String> = Vec::new();
    for function in functions {
        let Expr::Function { name, arguments } = function else { return Err(Error::with(code::UNSUPPORTED_FUNC, "Tsma func not supported")) };
        if !FUNCTIONS.contains(&name.as_str()) {
            return Err(Error::with(code::UNSUPPORTED_FUNC, format!("Tsma func not supported: {name}")));
        }
        let [Expr::Column { name: column, .. }] = arguments.as_slice() else {
            return Err(Error::with(code::FUNC_PARAM, "Invalid tsma func param, only one non-tag column allowed"));
        };
        if schema.column(column).is_none() {
            return Err(no_column(column));
        }
        let text = format!("{name}({column})");
        if !texts.contains(&text) {
            texts.push(text);
        }
    }
    Ok(texts.join(","))
}

/// A window's length in nanoseconds; `None` for months and years.
fn nanoseconds(duration: WindowDuration, precision: Precision) -> Option<i64> {
    match duration {
        WindowDuration::Ticks(ticks) => Some(precision.convert(ticks, Precision::Nano)),
        WindowDuration::Duration(duration) => duration.ticks(Precision::Nano),
    }
}

fn written(duration: WindowDuration) -> String {
    match duration {
        WindowDuration::Ticks(ticks) => ticks.to_string(),
        WindowDuration::Duration(duration) => format!("{}{}", duration.value, duration.unit.letter()),
    }
}
