//! Which right a statement needs before it runs. Queries are asked where FROM is bound, written rows where their table is named, new
//! children where their tags are known; statements that only name things are asked here.

use embudo_catalog::{RightSet, Table};
use embudo_sql::ast::administration::{AlterUser, ClusterStatement, Kill, TopicSource};
use embudo_sql::ast::show::Show;
use embudo_sql::ast::table::AlterTable;
use embudo_sql::ast::{ObjectName, Statement};
use embudo_types::{Error, Result, code};

use crate::account::denied;
use crate::session::StatementContext;
use crate::system_tables::is_system_database;

/// What lets change a table.
const CHANGE: RightSet = RightSet::WRITE;

/// 0x0303 or 0x2644 where the user may not run the statement.
pub(crate) fn authorize(context: &StatementContext<'_>, statement: &Statement) -> Result<()> {
    let account = &context.account;
    if account.is_superuser() {
        return Ok(());
    }
    match statement {
        Statement::Describe(name) => any_on(context, name),
        Statement::Show(show) => authorize_show(context, show),
        Statement::CreateDatabase { .. } => account.require_create_database(),
        Statement::AlterDatabase { name, .. } | Statement::DropDatabase { name, .. } | Statement::MigrateDatabase(name) => account.require_owner(name),
        Statement::FlushDatabase(name) | Statement::TrimDatabase { name, .. } | Statement::CompactDatabase { name, .. } => {
            account.require_database(name, CHANGE)
        }
        Statement::CreateTable(create) => write_in_database_of(context, &create.name),
        Statement::DropTables(tables) => tables.iter().try_for_each(|table| on_table(context, &table.name, CHANGE)),
        Statement::DropSupertable(table) => on_table(context, &table.name, CHANGE),
        Statement::AlterTable(alter) => authorize_alter(context, alter),
        Statement::CreateIndex(index) => on_table(context, &index.table, CHANGE | RightSet::ALTER),
        Statement::CreateSmaIndex(index) => on_table(context, &index.table, CHANGE | RightSet::ALTER),
        Statement::CreateTsma(tsma) => write_in_database_of(context, &tsma.source),
        Statement::DropIndex { name, .. } | Statement::DropTsma { name, .. } => write_in_database_of(context, name),
        Statement::AlterUser { name, change: AlterUser::Password(_) } if name == account.name() => Ok(()),
        Statement::CreateTotpSecret(user) if user == account.name() => Ok(()),
        Statement::CreateToken(token) if token.user == account.name() => Ok(()),
        Statement::AlterToken { name, .. } | Statement::DropToken { name, .. } if owns_token(context, name) => Ok(()),
        Statement::CreateUser(_)
        | Statement::CreateTotpSecret(_)
        | Statement::DropTotpSecret(_)
        | Statement::CreateToken(_)
        | Statement::AlterToken { .. }
        | Statement::DropToken { .. }
        | Statement::AlterUser { .. }
        | Statement::DropUser(_)
        | Statement::Grant(_)
        | Statement::Revoke(_)
        | Statement::CreateFunction(_)
        | Statement::DropFunction { .. } => account.require_superuser(),
        Statement::CreateTopic { source, .. } => authorize_topic(context, source),
        Statement::CreateStream(stream) => write_in_database_of(context, &stream.target),
        Statement::Kill(kill) => authorize_kill(context, kill),
        Statement::Cluster(ClusterStatement::AlterLocal { .. }) => Ok(()),
        Statement::Cluster(_) => account.require_superuser(),
        Statement::Query(_)
        | Statement::InsertSelect(_)
        | Statement::Delete { .. }
        | Statement::Explain(_)
        | Statement::UseDatabase(_)
        | Statement::CreateChildTables(_)
        | Statement::CreateView { .. }
        | Statement::DropView { .. }
        | Statement::DropTopic { .. }
        | Statement::DropConsumerGroup { .. }
        | Statement::DropStream(_)
        | Statement::PauseStream(_)
        | Statement::ResumeStream(_)
        | Statement::ResetQueryCache => Ok(()),
    }
}

/// Whether a token is the user's.
fn owns_token(context: &StatementContext<'_>, name: &str) -> bool {
    context.engine.catalog().token(name).is_some_and(|token| token.user == context.account.name())
}

/// WRITE on the database that a name is in.
fn write_in_database_of(context: &StatementContext<'_>, name: &ObjectName) -> Result<()> {
    context.account.require_database(context.database_name(name.database.as_deref())?, RightSet::WRITE)
}

/// One of the rights on a table; one that is missing is the statement's to refuse.
fn on_table(context: &StatementContext<'_>, name: &ObjectName, rights: RightSet) -> Result<()> {
    let database = context.database_of(name)?;
    database.table(&name.name).map_or(Ok(()), |table| context.require_table(rights, &database, &table))
}

/// Any right on a table or view, by which its columns are seen.
fn any_on(context: &StatementContext<'_>, name: &ObjectName) -> Result<()> {
    if is_system_database(context.database_name(name.database.as_deref())?) {
        return Ok(());
    }
    let database = context.database_of(name)?;
    let supertable = if let Some(Table::Child(child)) = database.table(&name.name) { Some(child.supertable.name.clone()) } else { None };
    let is_view = database.view(&name.name).is_some();
    if is_view || context.account.sees_table(&database.name, &name.name, supertable.as_deref()) { Ok(()) } else { Err(denied()) }
}

fn authorize_alter(context: &StatementContext<'_>, alter: &AlterTable) -> Result<()> {
    on_table(context, &alter.name, CHANGE | RightSet::ALTER)
}

fn authorize_show(context: &StatementContext<'_>, show: &Show) -> Result<()> {
    let sees = |name: Option<&str>| {
        let name = context.database_name(name)?;
        if context.account.sees_database(name) { Ok(()) } else { Err(denied()) }
    };
    match show {
        Show::Supertables { database, .. }
        | Show::Tables { database, .. }
        | Show::Views { database, .. }
        | Show::Vgroups { database }
        | Show::Tsmas { database } => sees(database.as_deref()),
        Show::CreateDatabase(name) => sees(Some(name)),
        Show::Indexes(name)
        | Show::Tags(name)
        | Show::CreateTable(name)
        | Show::CreateSupertable(name)
        | Show::CreateView(name)
        | Show::TableDistributed(name) => any_on(context, name),
        // Asked where children are listed, since a condition may hide some, and where the topic is found.
        Show::TableTags { .. } | Show::CreateTopic(_) => Ok(()),
        Show::Alive { .. }
        | Show::Databases(_)
        | Show::Variables { .. }
        | Show::LocalVariables
        | Show::DnodeVariables { .. }
        | Show::Compact(_)
        | Show::Vnodes { .. }
        | Show::List(_) => Ok(()),
    }
}

/// READ on what a topic delivers; a query is asked where it is bound.
fn authorize_topic(context: &StatementContext<'_>, source: &TopicSource) -> Result<()> {
    match source {
        TopicSource::Query(_) => Ok(()),
        TopicSource::Database { name, .. } => context.account.require_database(name, RightSet::READ),
        TopicSource::Supertable { name, .. } => on_table(context, name, RightSet::READ),
    }
}

/// Everybody may end what is their own.
fn authorize_kill(context: &StatementContext<'_>, kill: &Kill) -> Result<()> {
    let user = context.account.name();
    let activity = context.engine.activity();
    let is_own = match kill {
        Kill::Connection(id) => activity.sessions().iter().any(|(session, entry)| i64::from(*session) == *id && entry.user == user),
        Kill::Query(text) => activity.statements().iter().any(|(id, entry, _)| *text == format!("{:x}:{id:x}", entry.session) && entry.user == user),
        Kill::Transaction(_) | Kill::Compact(_) => false,
    };
    if is_own { Ok(()) } else { Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION)) }
}
