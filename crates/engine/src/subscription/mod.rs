//! Subscriptions: consumers of topics, their groups, and the messages that the log's records become.

mod consumer;
pub(crate) mod ddl;
mod hub;
#[cfg(test)]
mod kill_test;
mod listing;
mod partition;
mod plan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use embudo_catalog::{Topic, TopicSource};
use embudo_query::{CancelToken, QueryContext, RowQuery};
use embudo_sql::ast::Statement;
use embudo_sql::ast::administration::TopicSource as Written;
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_sql::ast::query::{Query, QueryBody, Select, SelectItem, TableRef};
use embudo_types::{Error, Result, Zone};

pub use consumer::Consumer;
pub(crate) use hub::Hub;
pub(crate) use listing::{consumers, subscriptions, topics};

use crate::Session;
use crate::account::Account;
use crate::system_tables::SystemView;
use plan::{Delivery, TopicPlan};

/// A topic that a session's user may subscribe to, ready to be read: 0x03E1 where it is missing, 0x2644 without the right.
fn open(session: &Session, name: &str) -> Result<Arc<TopicPlan>> {
    let engine = session.engine();
    let topic = engine.catalog().topic(name)?;
    Account::of(engine.catalog(), session.user())?.require_topic(name, &topic.user)?;
    let database = engine.catalog().database(&topic.database)?;
    let delivery = delivery(session, &topic)?;
    Ok(Arc::new(TopicPlan { topic, database, delivery }))
}

/// What a topic delivers, with the rights of whoever made it.
fn delivery(session: &Session, topic: &Topic) -> Result<Delivery> {
    let Statement::CreateTopic { source, .. } = embudo_sql::parse(&topic.statement)? else { return Err(Error::internal("a topic that is none")) };
    let context = owner_context(session, topic)?;
    Ok(match (*source, &topic.source) {
        (Written::Query(query), TopicSource::Query { columns, .. }) => Delivery::Query(Box::new(RowQuery::bind(&query, &context, Some(columns))?)),
        (Written::Supertable { name, filter, .. }, TopicSource::Supertable { table, .. }) => {
            let filter = filter.map(|filter| children_query(name.database.as_deref(), &name.name, filter));
            Delivery::Supertable(*table, filter.map(|query| RowQuery::bind(&query, &context, None)).transpose()?.map(Box::new))
        }
        _ => Delivery::Database,
    })
}

fn owner_context(session: &Session, topic: &Topic) -> Result<QueryContext> {
    let engine = session.engine();
    let account = Account::of(engine.catalog(), &topic.user)?;
    Ok(QueryContext {
        catalog: engine.catalog().clone(),
        system: Arc::new(SystemView::new(engine.clone(), account.clone())),
        database: topic.current_database.clone(),
        zone: Zone::named(&topic.zone)?,
        now: engine.clock().now(),
        access: Arc::new(account),
        view_depth: 0,
        parameters: Arc::from([]),
        memory: engine.query_memory().clone(),
        cancel: CancelToken::new(),
        analysis: None,
        scheduler: engine.scheduler().clone(),
    })
}

/// The children of a supertable that a condition lets through.
fn children_query(database: Option<&str>, supertable: &str, filter: Expr) -> Query {
    let name = Expr::Pseudo { table: None, column: PseudoColumn::TableName, text: "tbname".into() };
    let select = Select {
        items: vec![SelectItem { expr: name, alias: None, text: "tbname".into() }],
        from: Some(TableRef::Table { database: database.map(Into::into), name: supertable.into(), alias: None }),
        filter: Some(filter),
        ..Select::default()
    };
    Query { body: QueryBody::Select(Box::new(select)), order_by: Vec::new(), slimit: None, limit: None }
}
