//! CREATE, DROP, PAUSE and RESUME STREAM, and what lists show of streams.

use std::fmt::Write;

use embudo_catalog::{MAX_TABLE_NAME, RightSet, Stream};
use embudo_sql::Name;
use embudo_sql::ast::administration::{CreateStream, DropStream, ResumeStream, StreamTrigger};
use embudo_sql::ast::{ObjectName, Statement};
use embudo_types::{Error, Precision, Result, Value, arrow, code};

use super::compute::GROUP_ID;
use super::plan::Plan;
use super::runner::beginning;
use crate::Engine;
use crate::row_set::text;
use crate::session::StatementContext;

/// CREATE STREAM: makes the target where it is missing, and starts.
pub(crate) fn create(context: &StatementContext<'_>, statement: &CreateStream) -> Result<()> {
    let catalog = context.engine.catalog();
    if statement.name.len() > MAX_TABLE_NAME {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {}", statement.name)));
    }
    if catalog.stream(&statement.name).is_ok() {
        return if statement.if_not_exists { Ok(()) } else { Err(Error::new(code::STREAM_ALREADY_EXISTS)) };
    }
    let query_context = context.query_context();
    let plan = Plan::new(statement, &query_context)?;
    let target = ObjectName { database: Some(plan.target_database.clone()), name: plan.target.clone() };
    let target_database = context.database_of(&target)?;
    if target_database.id == plan.database.id && plan.source.name().as_ref() == plan.target {
        return Err(Error::with(code::INVALID_STREAM_QUERY, "A stream cannot write to its source"));
    }
    if target_database.table(&plan.target).is_none() {
        context.session.execute(&create_target(statement, &plan)?, &[])?;
    }
    let stream = Stream {
        name: statement.name.as_str().into(),
        // Two hashes of the process's random keys: no other stream has the number.
        id: std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), &statement.name) >> 1,
        statement: statement.to_string(),
        database: context.database.clone(),
        zone: context.zone.name(),
        user: context.account.name().to_owned(),
        source_database: plan.database.name.clone(),
        target_database: plan.target_database.as_str().into(),
        target: plan.target.as_str().into(),
        paused: false,
        created: context.now / 1_000_000,
    };
    // The system log, which is synced, must not tell of tables that a power loss takes.
    plan.database.store().sync()?;
    target_database.store().sync()?;
    let progress = beginning(context.session, plan, statement.options.fill_history == Some(true), context.now / 1_000_000)?;
    catalog.create_stream(stream, progress)?;
    context.engine.streams().start(context.engine, &statement.name)
}

/// The statement that makes a stream's target.
fn create_target(statement: &CreateStream, plan: &Plan) -> Result<String> {
    let mut sql = format!("CREATE STABLE IF NOT EXISTS {}.{} (", Name(&plan.target_database), Name(&plan.target));
    for (at, (name, field)) in plan.columns.iter().zip(&plan.fields).enumerate() {
        let is_key = statement.columns.get(at).is_some_and(|column| column.primary_key);
        let separator = if at == 0 { "" } else { ", " };
        // Writing to a text cannot fail.
        let _ = write!(sql, "{separator}{} {}{}", Name(name), arrow::data_type(field)?, if is_key { " PRIMARY KEY" } else { "" });
    }
    sql.push_str(") TAGS (");
    for (at, (name, data_type)) in plan.tags.iter().enumerate() {
        let _ = write!(sql, "{}{} {data_type}", if at == 0 { "" } else { ", " }, Name(name));
    }
    if plan.tags.is_empty() {
        let _ = write!(sql, "{GROUP_ID} BIGINT UNSIGNED");
    }
    sql.push(')');
    Ok(sql)
}

/// WRITE on the database that a stream writes to.
fn require(context: &StatementContext<'_>, stream: &Stream) -> Result<()> {
    context.account.require_database(&stream.target_database, RightSet::WRITE)
}

/// Runs `change` on a stream that is there; `if_exists` forgives one that is not.
fn on_stream(context: &StatementContext<'_>, name: &str, if_exists: bool, change: impl FnOnce() -> Result<()>) -> Result<()> {
    match context.engine.catalog().stream(name) {
        Ok(stream) => require(context, &stream).and_then(|()| change()),
        Err(_) if if_exists => Ok(()),
        Err(error) => Err(error),
    }
}

/// DROP STREAM: what it wrote stays.
pub(crate) fn drop_stream(context: &StatementContext<'_>, statement: &DropStream) -> Result<()> {
    on_stream(context, &statement.name, statement.if_exists, || {
        context.engine.streams().stop(&statement.name)?;
        context.engine.catalog().drop_stream(&statement.name)
    })
}

/// PAUSE STREAM.
pub(crate) fn pause(context: &StatementContext<'_>, statement: &DropStream) -> Result<()> {
    on_stream(context, &statement.name, statement.if_exists, || {
        context.engine.streams().stop(&statement.name)?;
        context.engine.catalog().pause_stream(&statement.name, true)
    })
}

/// RESUME STREAM; IGNORE UNTREATED goes on behind what came in between.
pub(crate) fn resume(context: &StatementContext<'_>, statement: &ResumeStream) -> Result<()> {
    on_stream(context, &statement.name, statement.if_exists, || {
        let catalog = context.engine.catalog();
        let stream = catalog.stream(&statement.name)?;
        if !stream.paused {
            return Ok(());
        }
        if statement.ignore_untreated {
            let mut progress = catalog.stream_progress(&statement.name);
            progress.next = catalog.database(&stream.source_database)?.store().log_range().1;
            catalog.save_stream_progress(&stream.name, progress)?;
        }
        catalog.pause_stream(&statement.name, false)?;
        context.engine.streams().start(context.engine, &statement.name)
    })
}

/// `ins_streams`.
pub(crate) fn rows(engine: &Engine, push: &mut dyn FnMut(Vec<Value>)) {
    for stream in engine.catalog().streams() {
        let Ok(Statement::CreateStream(statement)) = embudo_sql::parse(&stream.statement) else { continue };
        let status = match engine.streams().failure(&stream.name) {
            Some(_) => "failed",
            None if stream.paused => "paused",
            None => "ready",
        };
        let watermark = statement.options.watermark.and_then(|watermark| watermark.ticks(Precision::Milli)).unwrap_or(0);
        let trigger = match statement.options.trigger {
            Some(StreamTrigger::AtOnce) => "at once",
            None | Some(StreamTrigger::WindowClose) => "window close",
            Some(StreamTrigger::MaxDelay(_)) => "max delay",
        };
        push(vec![
            text(&*stream.name),
            Value::Timestamp(stream.created),
            text(format!("0x{:x}", stream.id)),
            Value::Null,
            text(&stream.statement),
            text(status),
            text(&*stream.source_database),
            text(&*stream.target_database),
            text(&*stream.target),
            Value::BigInt(watermark),
            text(trigger),
            Value::Null,
            Value::Null,
            Value::Null,
            Value::Null,
        ]);
    }
}
