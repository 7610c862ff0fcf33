//! FROM: names to tables, system tables and subqueries.

use std::sync::Arc;

use embudo_catalog::{Database, Schema, Table, View};
use embudo_sql::ast::Statement;
use embudo_sql::ast::expr::Expr;
use embudo_sql::ast::query::TableRef;
use embudo_types::{DataType, Error, Precision, Result, Value, arrow, code};

use super::relation::{Column, ColumnSource, Origin, Relation, TABLE_NAME_TYPE, TableKind, TableOrigin};
use super::{join, query};
use crate::QueryContext;
use crate::access::{Reach, child_in_reach, children_in_reach};
use crate::plan::{QueryPlan, RowsPlan};

/// Databases whose tables the engine makes up.
pub(crate) const SYSTEM_DATABASES: [&str; 2] = ["information_schema", "performance_schema"];

/// Binds FROM. `filter` is WHERE, where a join written with commas has its condition.
pub(crate) fn bind(from: Option<&TableRef>, filter: Option<&Expr>, context: &QueryContext) -> Result<Relation> {
    match from {
        None => Ok(Relation::nothing()),
        Some(TableRef::Table { database, name, alias }) => bind_table(database.as_deref(), name, alias.as_deref(), context),
        Some(TableRef::Subquery { query, alias }) => Ok(subquery(query::bind(query, context)?, alias.as_deref())),
        Some(TableRef::Join(join)) => join::bind(join, filter, context),
    }
}

/// The database of a table reference.
pub(crate) fn database_name<'a>(database: Option<&'a str>, context: &'a QueryContext) -> Result<&'a str> {
    database.or(context.database.as_deref()).ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))
}

fn bind_table(database: Option<&str>, name: &str, alias: Option<&str>, context: &QueryContext) -> Result<Relation> {
    let database = database_name(database, context)?;
    let label: Arc<str> = alias.unwrap_or(name).into();
    if SYSTEM_DATABASES.contains(&database) {
        return system_table(database, name, &label, context);
    }
    context.access.database(database)?;
    let missing = |what: &str| Error::with(code::FAIL_TO_GET_TABLE_INFO_ERROR, format!("Fail to get table info, error: {what}"));
    let database = context.catalog.database(database).map_err(|error| missing(error.message()))?;
    if let Some(view) = database.view(name) {
        return bind_view(&database, &view, &label, context);
    }
    let table = database.table(name).ok_or_else(|| missing("Table does not exist"))?;
    let precision = database.precision();
    let reach = context.access.table(&database, &table)?;
    let (kind, schema) = match &table {
        Table::Super(supertable) => {
            let children = match &reach {
                Reach::Everything => supertable.children(),
                Reach::Children(conditions) => {
                    let children = supertable.children();
                    children.restricted(&children_in_reach(conditions, &children, precision, context)?)
                }
            };
            let schema = Arc::clone(children.schema());
            (TableKind::Super(children), schema)
        }
        Table::Child(child) => {
            let children = child.supertable.children();
            if let Reach::Children(conditions) = &reach
                && !child_in_reach(conditions, &children, child.slot, precision, context)?
            {
                return Err(Error::new(code::PERMISSION_DENIED_OR_TARGET_OBJECT_NOT));
            }
            let schema = Arc::clone(children.schema());
            (TableKind::Child { children, slot: child.slot }, schema)
        }
        Table::Normal(normal) => (TableKind::Normal(normal.uid), normal.schema()),
    };
    let columns = table_columns(&schema, &label, precision, matches!(kind, TableKind::Super(_)));
    let vgroups = u32::try_from(database.options().vgroups).unwrap_or(1);
    let origin =
        TableOrigin { name: Arc::clone(table.name()), kind, schema, database: Arc::clone(&database.name), vgroups, snapshot: database.store().snapshot() };
    Ok(Relation { columns, timeline: Some(0), ordered: true, precision, driver: None, origin: Origin::Table(Arc::new(origin)) })
}

/// Queries that views may put into each other at most, so that no chain of views exhausts the stack.
const DEEPEST_VIEW: u32 = 128;

/// A view: its query as if it stood there in parentheses, with the names and rights of whoever made it.
fn bind_view(database: &Database, view: &View, label: &Arc<str>, context: &QueryContext) -> Result<Relation> {
    let access = context.access.view(database, view)?;
    let Statement::Query(query) = embudo_sql::parse(&view.query)? else { return Err(Error::internal("a view that is no query")) };
    let view_depth = context.view_depth + query.nesting();
    if view_depth > DEEPEST_VIEW {
        return Err(Error::with(code::PARSER_INTERNAL_ERROR, format!("views put more than {DEEPEST_VIEW} queries into each other")));
    }
    let inner = QueryContext { access, database: view.database.clone(), view_depth, ..context.clone() };
    let mut relation = subquery(query::bind(&query, &inner)?, Some(label));
    // A view's columns have names, be they those of expressions.
    for column in &mut relation.columns {
        column.name = Some(Arc::clone(&column.label));
    }
    Ok(relation)
}

fn table_columns(schema: &Schema, label: &Arc<str>, precision: Precision, is_super: bool) -> Vec<Column> {
    let column = |name: &Arc<str>, data_type: DataType, source: ColumnSource, listed: bool| Column {
        table: Arc::clone(label),
        name: Some(Arc::clone(name)),
        label: Arc::clone(name),
        data_type,
        precision,
        source,
        listed,
    };
    let mut columns = Vec::with_capacity(schema.columns.len() + schema.tags.len() + 1);
    for (at, stored) in schema.columns.iter().enumerate() {
        let source = if at == 0 { ColumnSource::Timestamp } else { ColumnSource::Stored(stored.id) };
        columns.push(column(&stored.name, stored.data_type, source, true));
    }
    for (at, tag) in schema.tags.iter().enumerate() {
        columns.push(column(&tag.name, tag.data_type, ColumnSource::Tag(at), is_super));
    }
    columns.push(column(&"tbname".into(), TABLE_NAME_TYPE, ColumnSource::TableName, false));
    columns
}

fn system_table(database: &str, name: &str, label: &Arc<str>, context: &QueryContext) -> Result<Relation> {
    let missing = || Error::with(code::FAIL_TO_GET_TABLE_INFO_ERROR, "Fail to get table info, error: Table does not exist");
    let batch = context.system.table(database, name)?.ok_or_else(missing)?;
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (at, field) in batch.schema().fields().iter().enumerate() {
        let name: Arc<str> = field.name().as_str().into();
        columns.push(Column {
            table: Arc::clone(label),
            name: Some(Arc::clone(&name)),
            label: name,
            data_type: arrow::data_type(field)?,
            precision: arrow::precision(field),
            source: ColumnSource::Output(at),
            listed: true,
        });
    }
    let origin = Origin::Rows(RowsPlan::Batch { name: name.to_owned(), batch });
    Ok(Relation { columns, timeline: None, ordered: false, precision: Precision::Milli, driver: None, origin })
}

/// A bound query as a relation.
pub(crate) fn subquery(plan: QueryPlan, alias: Option<&str>) -> Relation {
    let label: Arc<str> = alias.unwrap_or("").into();
    let column = |(at, output): (usize, &crate::plan::OutputColumn)| {
        let name: Arc<str> = output.name.as_str().into();
        Column {
            table: Arc::clone(&label),
            name: output.named.then(|| Arc::clone(&name)),
            label: name,
            // A bare NULL column has no type of its own above its query.
            data_type: output.data_type,
            precision: output.precision,
            source: ColumnSource::Output(at),
            listed: true,
        }
    };
    let columns: Vec<Column> = plan.columns.iter().enumerate().map(column).collect();
    let (timeline, ordered) = plan.timeline();
    let precision = timeline.map_or_else(
        || columns.iter().find(|column| column.data_type == DataType::Timestamp).map_or(plan.precision(), |column| column.precision),
        |at| columns[at].precision,
    );
    Relation { columns, timeline, ordered, precision, driver: None, origin: Origin::Rows(RowsPlan::Query(Arc::new(plan))) }
}

/// The same value in every row as a column that no name finds.
pub(crate) fn constant_column(value: Value, data_type: DataType, precision: Precision) -> Column {
    Column { table: "".into(), name: None, label: "".into(), data_type, precision, source: ColumnSource::Constant(value), listed: false }
}
