//! One statement to what carries it out.

use std::sync::Arc;

use embudo_sql::ast::Statement;
use embudo_sql::ast::administration::{CreateFunction, Kill};
use embudo_storage::TimeRange;
use embudo_types::{Error, Result, ResultSet, code};

use crate::authorize::authorize;
use crate::session::StatementContext;
use crate::system_tables::is_system_database;
use crate::{aggregate_ddl, cluster, database_ddl, delete, describe, grants, insert, show, streams, subscription, table_ddl, user_ddl, view_ddl};

/// Runs one statement of a session.
pub(crate) fn execute(context: &StatementContext<'_>, sql: &str) -> Result<ResultSet> {
    if embudo_sql::insert::is_insert(sql) {
        return insert::execute(context, sql).map(ResultSet::affected);
    }
    let statement = embudo_sql::parse(sql)?;
    if matches!(statement, Statement::CreateTopic { .. }) {
        authorize(context, &statement)?;
        return done(subscription::ddl::create(context, &statement, sql));
    }
    execute_parsed(context, &statement)
}

/// Runs a statement that is not INSERT … VALUES.
pub(crate) fn execute_parsed(context: &StatementContext<'_>, statement: &Statement) -> Result<ResultSet> {
    authorize(context, statement)?;
    match statement {
        Statement::Query(query) => embudo_query::execute(query, &context.query_context()),
        Statement::InsertSelect(insert) => crate::insert_select::execute(context, insert).map(ResultSet::affected),
        Statement::Delete { table, filter } => delete::execute(context, table, filter.as_ref()).map(ResultSet::affected),
        Statement::Explain(explain) => match &explain.statement {
            Statement::Query(query) => embudo_query::explain(query, &context.query_context(), explain.analyze, explain.verbose.unwrap_or(false)),
            Statement::InsertSelect(insert) => {
                embudo_query::explain(&insert.query, &context.query_context(), explain.analyze, explain.verbose.unwrap_or(false))
            }
            _ => Err(unsupported()),
        },
        Statement::Describe(table) => describe::execute(context, table),
        Statement::Show(show) => show::execute(context, show),
        Statement::UseDatabase(name) => done(context.session.use_database(name)),
        Statement::CreateDatabase { name, if_not_exists, options } => done(database_ddl::create(context, name, *if_not_exists, options)),
        Statement::AlterDatabase { name, options } => done(database_ddl::alter(context, name, options)),
        Statement::DropDatabase { name, if_exists } => done(database_ddl::drop_database(context, name, *if_exists)),
        Statement::FlushDatabase(name) => done(context.engine.catalog().database(name).and_then(|database| database.store().flush())),
        Statement::TrimDatabase { name, .. } => done(context.engine.catalog().database(name).and_then(|database| database.drop_expired()).map(drop)),
        Statement::CompactDatabase { name, start, end } => compact(context, name, start.as_ref(), end.as_ref()),
        Statement::CreateTable(create) => done(table_ddl::create_table(context, create)),
        Statement::CreateChildTables(children) => done(table_ddl::create_children(context, children)),
        Statement::DropTables(tables) => changing(context, || table_ddl::drop_tables(context, tables)),
        Statement::DropSupertable(table) => changing(context, || table_ddl::drop_supertable(context, table)),
        Statement::AlterTable(alter) => changing(context, || table_ddl::alter_table(context, alter)),
        Statement::CreateIndex(index) => done(table_ddl::create_index(context, index)),
        Statement::DropIndex { name, if_exists } => done(table_ddl::drop_index(context, name, *if_exists)),
        Statement::CreateUser(user) => done(user_ddl::create(context, user)),
        Statement::AlterUser { name, change } => done(user_ddl::alter(context, name, change)),
        Statement::DropUser(name) => done(user_ddl::drop_user(context, name)),
        Statement::CreateTotpSecret(user) => user_ddl::create_secret(context, user),
        Statement::DropTotpSecret(user) => done(user_ddl::drop_secret(context, user)),
        Statement::CreateToken(token) => user_ddl::create_token(context, token),
        Statement::AlterToken { name, options } => done(user_ddl::alter_token(context, name, options)),
        Statement::DropToken { name, if_exists } => done(user_ddl::drop_token(context, name, *if_exists)),
        Statement::Grant(grant) => done(grants::grant(context, grant)),
        Statement::Revoke(grant) => done(grants::revoke(context, grant)),
        Statement::CreateView { name, or_replace, query, text } => done(view_ddl::create(context, name, *or_replace, query, text)),
        Statement::DropView { name, if_exists } => done(view_ddl::drop_view(context, name, *if_exists)),
        Statement::Kill(kill) => done(kill_activity(context, kill)),
        Statement::ResetQueryCache => done(Ok(())),
        Statement::Cluster(statement) => done(cluster::execute(statement)),
        Statement::CreateTsma(tsma) => done(aggregate_ddl::create_tsma(context, tsma)),
        Statement::DropTsma { name, if_exists } => done(aggregate_ddl::drop_tsma(context, name, *if_exists)),
        Statement::CreateSmaIndex(index) => done(aggregate_ddl::create_sma_index(context, index)),
        Statement::CreateTopic { .. } => done(subscription::ddl::create(context, statement, &statement.to_string())),
        Statement::DropTopic { name, if_exists, force } => done(subscription::ddl::drop_topic(context, name, *if_exists, *force)),
        Statement::DropConsumerGroup { group, if_exists, topic } => done(subscription::ddl::drop_group(context, group, topic, *if_exists)),
        Statement::CreateStream(stream) => done(streams::ddl::create(context, stream)),
        Statement::DropStream(stream) => done(streams::ddl::drop_stream(context, stream)),
        Statement::PauseStream(stream) => done(streams::ddl::pause(context, stream)),
        Statement::ResumeStream(stream) => done(streams::ddl::resume(context, stream)),
        Statement::DropFunction { if_exists, .. } => done(missing(*if_exists, code::FUNC_NOT_EXISTS)),
        Statement::CreateFunction(function) => Err(refuse_function(function)),
        Statement::MigrateDatabase(_) => Err(unsupported()),
    }
}

/// Libraries of functions are not loaded: 0x0100, and 0x264D for a name that a function of the engine has.
fn refuse_function(function: &CreateFunction) -> Error {
    let name = function.name.as_str();
    if embudo_expr::functions::lookup(name).is_some() || embudo_expr::aggregate::lookup(name).is_some() || embudo_expr::series::lookup(name).is_some() {
        Error::new(code::INVALID_FUNCTION_NAME)
    } else {
        Error::with(code::OPERATION_NOT_SUPPORTED, "Operation not supported: functions from libraries are not loaded")
    }
}

/// 0x0100 "Operation not supported".
pub(crate) fn unsupported() -> Error {
    Error::new(code::OPERATION_NOT_SUPPORTED)
}

/// [`done`] for a statement that changes tables, which waits for a writer that they must not change under.
fn changing(context: &StatementContext<'_>, change: impl FnOnce() -> Result<()>) -> Result<ResultSet> {
    let _others_may_too = context.engine.table_changes().read();
    done(change())
}

/// The result of a statement that only does something.
fn done(outcome: Result<()>) -> Result<ResultSet> {
    outcome.map(|()| ResultSet::affected(0))
}

/// DROP of a thing of a kind that there is none of.
fn missing(if_exists: bool, code: code::Code) -> Result<()> {
    if if_exists { Ok(()) } else { Err(Error::new(code)) }
}

/// COMPACT DATABASE: one row of result, id and reason.
fn compact(
    context: &StatementContext<'_>,
    name: &str,
    start: Option<&embudo_sql::ast::expr::Expr>,
    end: Option<&embudo_sql::ast::expr::Expr>,
) -> Result<ResultSet> {
    if is_system_database(name) {
        return Err(unsupported());
    }
    let database = context.engine.catalog().database(name)?;
    let tick = |expr: &embudo_sql::ast::expr::Expr| delete::constant_tick(context, expr, database.precision());
    let range =
        TimeRange { start: start.map(tick).transpose()?.unwrap_or(TimeRange::ALL.start), end: end.map(tick).transpose()?.unwrap_or(TimeRange::ALL.end) };
    database.store().flush()?;
    database.store().compact(range)?;
    let mut rows = crate::row_set::RowSet::new(&[
        ("result", embudo_types::DataType::Varchar(64)),
        ("id", embudo_types::DataType::Int),
        ("reason", embudo_types::DataType::Varchar(128)),
    ]);
    rows.push(vec![crate::row_set::text("accepted"), embudo_types::Value::Int(1), crate::row_set::text("success")]);
    rows.finish()
}

/// KILL: statements and sessions of this engine; there are no transactions and no background compactions to end.
fn kill_activity(context: &StatementContext<'_>, kill: &Kill) -> Result<()> {
    let activity = Arc::clone(context.engine.activity());
    match kill {
        Kill::Connection(id) => {
            let found = u32::try_from(*id).is_ok_and(|id| activity.kill_session(id));
            if found { Ok(()) } else { Err(Error::new(code::INVALID_CONNECTION_ID)) }
        }
        Kill::Query(text) => {
            let parts = text.split_once(':').and_then(|(session, statement)| Some((hex(session)?, hex(statement)?)));
            let found = parts.is_some_and(|(session, statement)| activity.interrupt_statement(session as u32, statement));
            if found { Ok(()) } else { Err(Error::new(code::INVALID_QUERY_ID)) }
        }
        Kill::Transaction(_) => Err(Error::new(code::TRANSACTION_NOT_EXISTS)),
        Kill::Compact(_) => Err(Error::new(code::INVALID_PARAMETERS)),
    }
}

fn hex(text: &str) -> Option<u64> {
    u64::from_str_radix(text.trim_start_matches("0x"), 16).ok()
}
