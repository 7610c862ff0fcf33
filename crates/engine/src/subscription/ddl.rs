//! CREATE TOPIC, DROP TOPIC, DROP CONSUMER GROUP, and what a topic forbids to do to its tables (spec/sql.md 8.1).

use std::fmt::Write;
use std::sync::Arc;

use embudo_catalog::{Alteration, Catalog, Database, MAX_TABLE_NAME, RightSet, Table, Topic, TopicMeta, TopicSource};
use embudo_query::RowQuery;
use embudo_sql::ast::Statement;
use embudo_sql::ast::administration::{TopicMeta as WrittenMeta, TopicSource as Written};
use embudo_storage::{ColumnId, Uid};
use embudo_types::{DataType, Error, Result, ResultSet, arrow, code};

use super::children_query;
use crate::account::denied;
use crate::row_set::{RowSet, text};
use crate::session::StatementContext;

/// CREATE TOPIC; `sql` is the statement as it was written.
pub(crate) fn create(context: &StatementContext<'_>, statement: &Statement, sql: &str) -> Result<()> {
    let Statement::CreateTopic { name, if_not_exists, source } = statement else { return Err(Error::internal("no CREATE TOPIC")) };
    if name.len() > MAX_TABLE_NAME {
        return Err(Error::with(code::INVALID_IDENTIFIER_NAME, format!("Invalid identifier name: {name}")));
    }
    let catalog = context.engine.catalog();
    if catalog.topic(name).is_ok() {
        return if *if_not_exists { Ok(()) } else { Err(Error::new(code::TOPIC_ALREADY_EXISTS)) };
    }
    let (database, source, schema) = source_of(context, source)?;
    if database.options().wal_retention_period == 0 {
        return Err(Error::new(code::WAL_RETENTION_PERIOD_IS_ZERO));
    }
    let topic = Topic {
        name: name.as_str().into(),
        id: 0,
        database: database.name.clone(),
        statement: statement.to_string(),
        text: embudo_sql::lexer::fold(sql.trim().trim_end_matches(';').trim_end()),
        current_database: context.database.clone(),
        zone: context.zone.name(),
        user: context.account.name().to_owned(),
        source,
        schema,
        created: 0,
    };
    // The system log, which is synced, must not tell of tables that a power loss takes.
    database.store().sync()?;
    match catalog.create_topic(topic) {
        // Another session was faster.
        Err(error) if *if_not_exists && error.code() == code::TOPIC_ALREADY_EXISTS => Ok(()),
        outcome => outcome,
    }
}

/// The database that a topic is on, what it delivers, and the columns of a query.
fn source_of(context: &StatementContext<'_>, written: &Written) -> Result<(Arc<Database>, TopicSource, String)> {
    let catalog = context.engine.catalog();
    match written {
        Written::Query(query) => {
            let query = RowQuery::bind(query, &context.query_context(), None)?;
            let source = TopicSource::Query { table: query.table().uid(), columns: query.columns().to_vec() };
            Ok((catalog.database(query.database())?, source, schema_text(&query)?))
        }
        Written::Supertable { name, meta, filter } => {
            let database = context.database_of(name)?;
            let table = database.table(&name.name).ok_or_else(|| Error::new(code::STABLE_NOT_EXIST))?;
            let Table::Super(supertable) = &table else { return Err(Error::new(code::STABLE_NOT_EXIST)) };
            context.require_table(RightSet::READ, &database, &table)?;
            if let Some(filter) = filter {
                let query = RowQuery::bind(&children_query(Some(&*database.name), &name.name, filter.clone()), &context.query_context(), None)?;
                if !query.is_per_table() {
                    return Err(Error::new(code::INVALID_TOPIC_QUERY));
                }
            }
            let source = TopicSource::Supertable { table: supertable.uid, meta: meta_of(*meta) };
            Ok((database, source, String::new()))
        }
        Written::Database { name, meta } => {
            if !context.account.sees_database(name) {
                return Err(denied());
            }
            Ok((catalog.database(name)?, TopicSource::Database { meta: meta_of(*meta) }, String::new()))
        }
    }
}

fn meta_of(written: WrittenMeta) -> TopicMeta {
    match written {
        WrittenMeta::None => TopicMeta::None,
        WrittenMeta::With => TopicMeta::With,
        WrittenMeta::Only => TopicMeta::Only,
    }
}

/// A query's columns as lists show them.
fn schema_text(query: &RowQuery) -> Result<String> {
    let mut text = String::from("[");
    for (at, field) in query.schema().fields().iter().enumerate() {
        let data_type = arrow::data_type(field)?;
        let separator = if at == 0 { "" } else { "," };
        let name = field.name().replace('\\', "\\\\").replace('"', "\\\"");
        let length = if data_type.is_variable() { data_type.length() } else { data_type.storage_length() };
        // Writing to a string cannot fail.
        let _ = write!(text, "{separator}{{\"name\":\"{name}\",\"type\":\"{}\",\"length\":{length}}}", data_type.name());
    }
    text.push(']');
    Ok(text)
}

/// SHOW CREATE TOPIC.
pub(crate) fn show_create(context: &StatementContext<'_>, name: &str) -> Result<ResultSet> {
    let topic = context.engine.catalog().topic(name)?;
    if !context.account.sees_database(&topic.database) {
        return Err(denied());
    }
    let mut rows = RowSet::new(&[("Topic", DataType::Varchar(192)), ("Create Topic", DataType::Varchar(65_517))]);
    rows.push(vec![text(&*topic.name), text(&topic.statement)]);
    rows.finish()
}

/// DROP TOPIC: 0x03EB while somebody is subscribed, unless by force.
pub(crate) fn drop_topic(context: &StatementContext<'_>, name: &str, if_exists: bool, force: bool) -> Result<()> {
    let topic = match context.engine.catalog().topic(name) {
        Err(error) if if_exists && error.code() == code::TOPIC_NOT_EXIST => return Ok(()),
        topic => topic?,
    };
    if !context.account.is_superuser() && context.account.name() != topic.user {
        return Err(denied());
    }
    if !force && context.engine.hub().is_subscribed(topic.id, None) {
        return Err(Error::new(code::TOPIC_SUBSCRIBED_CANNOT_BE_DROPPED));
    }
    context.engine.catalog().drop_topic(name)?;
    context.engine.catalog().forget_topic_rights(name)?;
    context.engine.hub().forget_topic(topic.id);
    Ok(())
}

/// DROP CONSUMER GROUP … ON topic: 0x03EC while it has members.
pub(crate) fn drop_group(context: &StatementContext<'_>, group: &str, topic: &str, if_exists: bool) -> Result<()> {
    let catalog = context.engine.catalog();
    let missing = |code| if if_exists { Ok(()) } else { Err(Error::new(code)) };
    let Ok(topic) = catalog.topic(topic) else { return missing(code::TOPIC_NOT_EXIST) };
    if !context.account.is_superuser() && context.account.name() != topic.user {
        return Err(denied());
    }
    if catalog.offsets().group(topic.id, group).is_none() {
        return missing(code::SUBCRIBE_NOT_EXIST);
    }
    if context.engine.hub().is_subscribed(topic.id, Some(group)) {
        return Err(Error::new(code::CONSUMER_GROUP_BEING_USED_BY_SOME));
    }
    catalog.offsets().drop_group(topic.id, group)?;
    context.engine.hub().forget_group(topic.id, group);
    Ok(())
}

/// Topics whose query or condition is over a table: a supertable's are also those over a child of it.
fn topics_over(catalog: &Catalog, database: &Database, table: &Table) -> Vec<Arc<Topic>> {
    let is_over = |uid: Uid| {
        uid == table.uid() || database.logged_table(uid, u64::MAX).and_then(|child| child.supertable).is_some_and(|(supertable, _)| supertable == table.uid())
    };
    catalog.topics().into_iter().filter(|topic| topic.database == database.name && topic.source.table().is_some_and(is_over)).collect()
}

/// DROP TABLE, DROP STABLE: 0x03ED where a topic is on the table.
pub(crate) fn check_drop(catalog: &Catalog, database: &Database, table: &Table) -> Result<()> {
    if topics_over(catalog, database, table).is_empty() { Ok(()) } else { Err(Error::new(code::TOPIC_MUST_BE_DROPPED_FIRST)) }
}

/// ALTER TABLE: columns and tags of a topic's query stay as they are, 0x03C4; 0x0527 in a table of its own.
pub(crate) fn check_alteration(catalog: &Catalog, database: &Database, table: &Table, alteration: &Alteration) -> Result<()> {
    let (Alteration::DropColumn(name)
    | Alteration::ModifyColumn { name, .. }
    | Alteration::RenameColumn { from: name, .. }
    | Alteration::DropTag(name)
    | Alteration::ModifyTag { name, .. }
    | Alteration::RenameTag { from: name, .. }) = alteration
    else {
        return Ok(());
    };
    let schema = table.schema();
    let Some(id) = schema.columns.iter().chain(&schema.tags).find(|column| *column.name == **name).map(|column| column.id) else { return Ok(()) };
    if topics_over(catalog, database, table).iter().any(|topic| uses(topic, id)) {
        return Err(Error::new(if matches!(table, Table::Super(_)) { code::FIELD_USED_BY_TOPIC } else { code::TABLE_COLUMN_IS_SUBSCRIBED }));
    }
    Ok(())
}

fn uses(topic: &Topic, column: ColumnId) -> bool {
    matches!(&topic.source, TopicSource::Query { columns, .. } if columns.contains(&column))
}
