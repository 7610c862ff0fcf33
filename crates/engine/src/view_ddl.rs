//! CREATE, DROP and DESCRIBE of views (spec/sql.md 3.7). A view keeps its query as text; reading it binds the query anew, with the names
//! and rights of whoever made it.

use std::sync::Arc;

use embudo_catalog::{RightSet, View};
use embudo_query::QueryContext;
use embudo_sql::ast::query::Query;
use embudo_sql::ast::{ObjectName, Statement};
use embudo_types::{DataType, Error, Result, ResultSet, arrow, code};

use crate::database_ddl::refuse_system;
use crate::insert::check_table_name;
use crate::row_set::{RowSet, text};
use crate::session::StatementContext;

/// CREATE \[OR REPLACE\] VIEW: WRITE on the database, ALTER on another's view that is replaced, READ on what it reads.
pub(crate) fn create(context: &StatementContext<'_>, name: &ObjectName, or_replace: bool, query: &Query, query_text: &str) -> Result<()> {
    let database_name = context.database_name(name.database.as_deref())?;
    refuse_system(database_name)?;
    check_table_name(&name.name)?;
    context.account.require_database(database_name, RightSet::WRITE)?;
    let database = context.database_of(name)?;
    if let Some(there) = database.view(&name.name)
        && or_replace
    {
        context.account.require_view(RightSet::ALTER, &database, &there)?;
    }
    let fields = embudo_query::describe(query, &context.query_context())?;
    let mut names: Vec<_> = fields.iter().map(arrow_schema::Field::name).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::new(code::DUPLICATED_COLUMN_NAMES_263C));
    }
    let view = View {
        name: name.name.as_str().into(),
        query: query_text.into(),
        database: context.database.clone(),
        effective_user: context.account.name().into(),
        created: context.now / 1_000_000,
    };
    refuse_recursion(context, &database.name, &view, query)?;
    context.engine.catalog().create_view(&database, view, or_replace)
}

/// A view that is replaced must not come to read itself. What it reads now was bound before, so only its own name can close a circle.
fn refuse_recursion(context: &StatementContext<'_>, database: &str, view: &View, query: &Query) -> Result<()> {
    let own = (database.to_owned(), view.name.to_string());
    let named = |query: &Query, database: Option<&str>| -> Vec<(String, String)> {
        query.tables().into_iter().filter_map(|(of, name)| Some((of.or(database)?.to_owned(), name.to_owned()))).collect()
    };
    let mut left = named(query, context.database.as_deref());
    let mut seen = Vec::new();
    while let Some(name) = left.pop() {
        if name == own {
            return Err(Error::with(code::INVALID_OPERATION, format!("Invalid operation: view {} would read itself", view.name)));
        }
        if seen.contains(&name) {
            continue;
        }
        if let Ok(database) = context.engine.catalog().database(&name.0)
            && let Some(inner) = database.view(&name.1)
            && let Ok(Statement::Query(query)) = embudo_sql::parse(&inner.query)
        {
            left.append(&mut named(&query, inner.database.as_deref()));
        }
        seen.push(name);
    }
    Ok(())
}

/// DROP VIEW: ALTER on it.
pub(crate) fn drop_view(context: &StatementContext<'_>, name: &ObjectName, if_exists: bool) -> Result<()> {
    let database = context.database_of(name)?;
    let Some(view) = database.view(&name.name) else {
        return if if_exists { Ok(()) } else { Err(Error::new(code::VIEW_NOT_EXISTS_IN_DB)) };
    };
    context.account.require_view(RightSet::ALTER, &database, &view)?;
    context.engine.catalog().drop_view(&database, &name.name)
}

/// SHOW CREATE VIEW.
pub(crate) fn show_create(context: &StatementContext<'_>, name: &ObjectName) -> Result<ResultSet> {
    let database = context.database_of(name)?;
    let view = database.view(&name.name).ok_or_else(|| Error::new(code::VIEW_NOT_EXISTS_IN_DB))?;
    let mut rows = RowSet::new(&[("View", DataType::Varchar(193)), ("Create View", DataType::Varchar(65_517))]);
    rows.push(vec![text(&*view.name), text(format!("CREATE VIEW `{}`.`{}` AS {}", database.name, view.name, view.query))]);
    rows.finish()
}

/// Names and types of a view's columns, which everybody may see.
pub(crate) fn columns(context: &StatementContext<'_>, view: &View) -> Result<Vec<(String, DataType)>> {
    let Statement::Query(query) = embudo_sql::parse(&view.query)? else { return Err(Error::internal("a view that is no query")) };
    let all = QueryContext { access: Arc::new(()), database: view.database.clone(), ..(*context.query_context()).clone() };
    let fields = embudo_query::describe(&query, &Arc::new(all))?;
    fields.iter().map(|field| Ok((field.name().clone(), arrow::data_type(field)?))).collect()
}
