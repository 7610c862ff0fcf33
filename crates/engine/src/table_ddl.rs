//! CREATE, ALTER and DROP of tables and indexes: from the tree to the catalogue.

use std::sync::Arc;

use embudo_catalog::{Alteration, Changing, Column, Database, MAX_COMMENT, NewChild, Supertable, Table, TableOptions};
use embudo_sql::ast::ObjectName;
use embudo_sql::ast::table::{
    AlterAction, AlterTable, ColumnDefinition, ColumnStorage, CreateChildTable, CreateIndex, CreateTable, DropTable, TableOptions as WrittenOptions,
};
use embudo_sql::literal::{LiteralContext, convert};
use embudo_types::{Error, Precision, Result, Value, code};

use crate::aggregate_ddl;
use crate::insert::{check_table_name, no_table};
use crate::session::StatementContext;
use crate::subscription;

/// CREATE TABLE with columns, CREATE STABLE.
pub(crate) fn create_table(context: &StatementContext<'_>, create: &CreateTable) -> Result<()> {
    let database = context.database_of(&create.name)?;
    let name = &create.name.name;
    check_table_name(name)?;
    let columns = create.columns.iter().map(column_of).collect::<Result<Vec<_>>>()?;
    let tags: Vec<_> = create.tags.iter().map(|tag| Column::tag(0, &tag.name, tag.data_type)).collect();
    if create.tags.iter().any(|tag| tag.primary_key) {
        return Err(Error::new(code::TAG_CAN_NOT_BE_PRIMARY_KEY));
    }
    refuse_rollup(&create.options)?;
    let mut options = options_of(&create.options)?;
    let mut changing = database.changing();
    let created = if tags.is_empty() {
        changing.create_normal(name, columns, options)
    } else {
        if create.options.ttl.is_some() {
            return Err(invalid_option("ttl"));
        }
        options.sma = Some(sma_columns(&create.options.sma, &columns)?);
        changing.create_supertable(name, columns, tags, options)
    };
    match created {
        Ok(_) => changing.commit(Vec::new()).map(drop),
        Err(error) if create.if_not_exists && matches!(error.code(), code::TABLE_ALREADY_EXISTS | code::STABLE_ALREADY_EXISTS) => Ok(()),
        Err(error) => Err(error),
    }
}

fn column_of(definition: &ColumnDefinition) -> Result<Column> {
    let mut column = Column::new(0, &definition.name, definition.data_type);
    column.primary_key = definition.primary_key;
    let ColumnStorage { encode, compress, level } = &definition.storage;
    column.set_storage(encode.as_deref(), compress.as_deref(), level.as_deref())?;
    Ok(column)
}

/// Ids of the columns in SMA(…), all where it is not written; a table's first columns are numbered from 1.
fn sma_columns(names: &[String], columns: &[Column]) -> Result<Vec<u16>> {
    if names.is_empty() {
        return Ok((1..=columns.len() as u16).collect());
    }
    let id = |name: &String| columns.iter().position(|column| *column.name == **name).map(|at| at as u16 + 1);
    names.iter().map(|name| id(name).ok_or_else(|| crate::insert::no_column(name))).collect()
}

fn invalid_option(name: &str) -> Error {
    Error::with(code::INVALID_TABLE_OPTION, format!("Invalid table option: {name}"))
}

/// ROLLUP and its kind belong to databases with RETENTIONS, of which there are none.
fn refuse_rollup(options: &WrittenOptions) -> Result<()> {
    let written = [
        (options.max_delay.is_empty(), "maxdelay"),
        (options.watermark.is_empty(), "watermark"),
        (options.rollup.is_empty(), "rollup"),
        (options.delete_mark.is_empty(), "delete_mark"),
    ];
    written.into_iter().find(|(is_empty, _)| !is_empty).map_or(Ok(()), |(_, name)| Err(invalid_option(name)))
}

/// COMMENT and TTL.
fn options_of(options: &WrittenOptions) -> Result<TableOptions> {
    check_comment(options.comment.as_deref())?;
    Ok(TableOptions { comment: options.comment.as_deref().map(Into::into), ttl: ttl_of(options.ttl)?.unwrap_or(0), sma: None })
}

fn check_comment(comment: Option<&str>) -> Result<()> {
    if comment.is_some_and(|comment| comment.len() > MAX_COMMENT) { Err(Error::new(code::COMMENT_TOO_LONG)) } else { Ok(()) }
}

fn ttl_of(ttl: Option<i64>) -> Result<Option<u32>> {
    ttl.map(|days| i32::try_from(days).ok().and_then(|days| u32::try_from(days).ok()).ok_or_else(|| invalid_option("ttl"))).transpose()
}

/// CREATE TABLE … USING …: all children of a database in one record.
pub(crate) fn create_children(context: &StatementContext<'_>, children: &[CreateChildTable]) -> Result<()> {
    let mut left: &[CreateChildTable] = children;
    while let Some(first) = left.first() {
        let database = context.database_of(&first.name)?;
        let mut changing = database.changing();
        let mut here = 0;
        for child in left {
            if context.database_name(child.name.database.as_deref())? != &*database.name {
                break;
            }
            create_child(context, &database, &mut changing, child)?;
            here += 1;
        }
        changing.commit(Vec::new())?;
        left = &left[here..];
    }
    Ok(())
}

fn create_child(context: &StatementContext<'_>, database: &Database, changing: &mut Changing<'_>, child: &CreateChildTable) -> Result<()> {
    if context.database_name(child.supertable.database.as_deref())? != &*database.name {
        return Err(Error::new(code::CORRESPONDING_SUPER_TABLE_NOT_IN_THIS));
    }
    let supertable = match database.table(&child.supertable.name) {
        Some(Table::Super(supertable)) => supertable,
        Some(_) => return Err(Error::with(code::INVALID_OPERATION, "create table only from super table is allowed")),
        None => return Err(no_table()),
    };
    check_table_name(&child.name.name)?;
    let tags = tags_of(context, &supertable, child, database.precision())?;
    context.account.require_new_child(database, &supertable, &child.name.name, &tags, || context.query_context())?;
    let made = changing.create_child(&child.name.name, &supertable, tags, options_of(&child.options)?);
    match made {
        Ok(NewChild::Made(_)) => Ok(()),
        Ok(NewChild::Existing(_)) if child.if_not_exists => Ok(()),
        Ok(NewChild::Existing(_)) => Err(Error::new(code::TABLE_ALREADY_EXISTS)),
        Err(error) if child.if_not_exists && error.code() == code::TABLE_ALREADY_EXISTS => Ok(()),
        Err(error) => Err(error),
    }
}

/// One value a tag, NULL where the statement names none.
fn tags_of(context: &StatementContext<'_>, supertable: &Arc<Supertable>, child: &CreateChildTable, precision: Precision) -> Result<Vec<Value>> {
    let schema = supertable.schema();
    let places: Vec<usize> = if child.tag_names.is_empty() {
        (0..schema.tags.len()).collect()
    } else {
        let place = |name: &String| schema.tag(name).ok_or_else(|| Error::with(code::INVALID_TAG_NAME, format!("Invalid tag name: {name}")));
        child.tag_names.iter().map(place).collect::<Result<_>>()?
    };
    if places.len() != child.values.len() {
        return Err(Error::new(code::TAGS_NUMBER_NOT_MATCHED));
    }
    let literals = literal_context(context, precision);
    let mut tags = vec![Value::Null; schema.tags.len()];
    for (place, value) in places.into_iter().zip(&child.values) {
        let tag = &schema.tags[place];
        tags[place] = convert(value, tag.data_type, &tag.name, &literals)?;
    }
    Ok(tags)
}

fn literal_context<'a>(context: &'a StatementContext<'_>, precision: Precision) -> LiteralContext<'a> {
    LiteralContext { zone: &context.zone, now: context.now, precision, parameters: context.parameters }
}

/// DROP TABLE t, …: all of one database in one record.
pub(crate) fn drop_tables(context: &StatementContext<'_>, tables: &[DropTable]) -> Result<()> {
    let mut left = tables;
    while let Some(first) = left.first() {
        let database = context.database_of(&first.name)?;
        let mut changing = database.changing();
        let mut here = 0;
        let mut dropped = Vec::new();
        for table in left {
            if context.database_name(table.name.database.as_deref())? != &*database.name {
                break;
            }
            here += 1;
            match database.table(&table.name.name) {
                Some(Table::Super(_)) if tables.len() > 1 => return Err(Error::new(code::CANNOT_DROP_SUPER_TABLE_IN_BATCH)),
                Some(found) if dropped.contains(&found.uid()) => {}
                Some(found) => {
                    subscription::ddl::check_drop(context.engine.catalog(), &database, &found)?;
                    aggregate_ddl::check_drop(&database, &found)?;
                    dropped.push(found.uid());
                    changing.drop_table(&found);
                }
                None if table.if_exists => {}
                None => return Err(no_table()),
            }
        }
        changing.commit(Vec::new())?;
        for table in &left[..here] {
            forget(context, &database, &table.name.name)?;
        }
        left = &left[here..];
    }
    Ok(())
}

/// Forgets what hung on a table that is gone: rights by its name, SMA indexes over it.
fn forget(context: &StatementContext<'_>, database: &Database, table: &str) -> Result<()> {
    let aggregates = database.aggregates();
    let names: Vec<_> = aggregates.iter().filter(|aggregates| &*aggregates.table == table).map(|aggregates| aggregates.name.clone()).collect();
    context.engine.catalog().drop_aggregates(database, &names)?;
    context.engine.catalog().forget_table_rights(&database.name, table)
}

/// DROP STABLE.
pub(crate) fn drop_supertable(context: &StatementContext<'_>, table: &DropTable) -> Result<()> {
    let database = context.database_of(&table.name)?;
    let mut changing = database.changing();
    match database.table(&table.name.name) {
        Some(found @ Table::Super(_)) => {
            subscription::ddl::check_drop(context.engine.catalog(), &database, &found)?;
            aggregate_ddl::check_drop(&database, &found)?;
            changing.drop_table(&found);
        }
        _ if table.if_exists => return Ok(()),
        _ => return Err(Error::new(code::STABLE_NOT_EXIST)),
    }
    changing.commit(Vec::new())?;
    forget(context, &database, &table.name.name)
}

/// ALTER TABLE, ALTER STABLE.
pub(crate) fn alter_table(context: &StatementContext<'_>, alter: &AlterTable) -> Result<()> {
    let database = context.database_of(&alter.name)?;
    let mut changing = database.changing();
    let table = match database.table(&alter.name.name) {
        Some(table @ Table::Super(_)) => table,
        _ if alter.supertable => return Err(Error::new(code::STABLE_NOT_EXIST)),
        Some(table) => table,
        None => return Err(no_table()),
    };
    let alteration = alteration_of(context, &table, &alter.action, database.precision())?;
    subscription::ddl::check_alteration(context.engine.catalog(), &database, &table, &alteration)?;
    changing.alter(&table, &alteration)?;
    changing.commit(Vec::new()).map(drop)
}

fn alteration_of(context: &StatementContext<'_>, table: &Table, action: &AlterAction, precision: Precision) -> Result<Alteration> {
    Ok(match action {
        AlterAction::Options(options) => {
            refuse_rollup(options)?;
            check_comment(options.comment.as_deref())?;
            Alteration::Options { comment: options.comment.clone(), ttl: ttl_of(options.ttl)? }
        }
        AlterAction::AddColumn(definition) if definition.primary_key => return Err(Error::new(code::PRIMARY_KEY_COLUMN_CAN_NOT_BE)),
        AlterAction::AddColumn(definition) => Alteration::AddColumn(column_of(definition)?),
        AlterAction::DropColumn(name) => Alteration::DropColumn(name.clone()),
        AlterAction::ModifyColumn { name, data_type } => Alteration::ModifyColumn { name: name.clone(), data_type: *data_type },
        AlterAction::ModifyStorage { name, storage } => {
            Alteration::ModifyStorage { name: name.clone(), encode: storage.encode.clone(), compress: storage.compress.clone(), level: storage.level.clone() }
        }
        AlterAction::RenameColumn { from, to } => Alteration::RenameColumn { from: from.clone(), to: to.clone() },
        AlterAction::AddTag { name, data_type } => Alteration::AddTag(Column::tag(0, name, *data_type)),
        AlterAction::DropTag(name) => Alteration::DropTag(name.clone()),
        AlterAction::ModifyTag { name, data_type } => Alteration::ModifyTag { name: name.clone(), data_type: *data_type },
        AlterAction::RenameTag { from, to } => Alteration::RenameTag { from: from.clone(), to: to.clone() },
        AlterAction::SetTag { name, value } => {
            // An unknown tag, or a table without tags, is the catalogue's to refuse.
            let schema = table.schema();
            let tag = schema.tags.iter().find(|tag| *tag.name == **name);
            let value = tag.map_or(Ok(Value::Null), |tag| convert(value, tag.data_type, &tag.name, &literal_context(context, precision)))?;
            Alteration::SetTag { name: name.clone(), value }
        }
    })
}

/// CREATE INDEX on one tag.
pub(crate) fn create_index(context: &StatementContext<'_>, index: &CreateIndex) -> Result<()> {
    let database = context.database_of(&index.table)?;
    let mut changing = database.changing();
    let Some(Table::Super(table)) = database.table(&index.table.name) else { return Err(Error::new(code::STABLE_NOT_EXIST)) };
    let [tag] = index.columns.as_slice() else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
    match changing.create_index(&table, &index.name.name, tag) {
        Ok(()) => changing.commit(Vec::new()).map(drop),
        Err(error) if index.if_not_exists && error.code() == code::INDEX_ALREADY_EXISTS_IN_DB => Ok(()),
        Err(error) => Err(error),
    }
}

/// DROP INDEX.
pub(crate) fn drop_index(context: &StatementContext<'_>, name: &ObjectName, if_exists: bool) -> Result<()> {
    let database = context.database_of(name)?;
    let mut changing = database.changing();
    if changing.drop_index(&name.name) {
        return changing.commit(Vec::new()).map(drop);
    }
    drop(changing);
    let is_sma = aggregate_ddl::drop_sma_index(context, &database, &name.name)?;
    if is_sma || if_exists { Ok(()) } else { Err(Error::new(code::INDEX_NOT_EXIST_0484)) }
}
