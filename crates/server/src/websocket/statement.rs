//! Prepared statements of the first kind: `init` … `exec`. Cells come as JSON or as raw blocks, in the types of the table's columns.

use std::sync::Arc;

use arrow_array::ArrayRef;
use embudo_engine::{FieldRole, StatementField};
use embudo_types::{DataType, Error, Precision, Result, code};
use embudo_wire::{raw_block, websocket::Message};
use serde_json::Value as Json;

use super::{
    Endpoint,
    action::StatementAction,
    cells,
    reply::{Head, Reply},
    request::Arguments,
    session::Session,
    statements::{self, Prepared, describe, nulls, parameter, plain},
};

/// Does what a JSON request asks; `close` has no reply.
pub async fn act(session: &Session, action: StatementAction, head: &Head, arguments: &Arguments) -> Result<Option<Message>> {
    let id = arguments.unsigned("stmt_id")?;
    let reply = Reply::new(head);
    let reply = match action {
        StatementAction::Open => {
            session.engine()?;
            reply.with("stmt_id", session.statements.open())
        }
        StatementAction::Prepare => {
            let is_insert = prepare(session, id, arguments.text("sql")?.to_owned()).await?;
            if session.endpoint == Endpoint::Unified { reply.with("is_insert", is_insert) } else { reply }
        }
        StatementAction::SetTable => {
            let name = arguments.text("name")?.to_owned();
            statements::with(session, id, move |prepared| prepared.statement()?.set_table_name(&name)).await?;
            reply
        }
        StatementAction::SetTags => {
            let tags = arguments.list("tags")?.to_vec();
            statements::with(session, id, move |prepared| set_tags(prepared, &tags)).await?;
            reply
        }
        StatementAction::Bind => {
            let columns = arguments.list("columns")?.iter().map(|column| column.as_array().cloned().ok_or_else(|| arguments.refused()));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let queries = queries(session);
            statements::with(session, id, move |prepared| bind(prepared, &columns, queries)).await?;
            reply
        }
        StatementAction::AddBatch => {
            statements::with(session, id, add_batch).await?;
            reply
        }
        StatementAction::Execute => {
            let queries = queries(session);
            let affected = statements::with(session, id, move |prepared| execute(prepared, queries)).await?;
            session.server.metrics.rows_affected(affected);
            reply.with("affected", affected)
        }
        StatementAction::Close => {
            // On the newer endpoint an unknown id is met with silence too.
            return if session.statements.close(id) || session.endpoint == Endpoint::Unified { Ok(None) } else { Err(statements::nil()) };
        }
        StatementAction::TagFields => {
            let fields = statements::with(session, id, tag_fields).await?;
            if fields.is_empty() { reply } else { reply.with_text("fields", &describe(&fields, false)) }
        }
        StatementAction::ColumnFields => {
            let fields = statements::with(session, id, |prepared| prepared.statement()?.columns()).await?;
            reply.with_text("fields", &describe(&fields, false))
        }
        StatementAction::UseResult => statements::give_result(session, reply, id, "result_id").await?,
        StatementAction::ParameterCount => reply.with("num_params", statements::with(session, id, parameter_count).await?),
        StatementAction::Parameter => {
            let index = arguments.unsigned("index")?;
            let data_type = statements::with(session, id, move |prepared| parameter_type(prepared, index as usize)).await?;
            reply.with("index", index).with("data_type", data_type.id()).with("length", data_type.storage_length())
        }
    };
    Ok(Some(reply.finish(session.version())))
}

/// Whether statements that are no INSERT run at all: on the older endpoint they do not.
fn queries(session: &Session) -> bool {
    session.endpoint == Endpoint::Unified
}

async fn prepare(session: &Session, id: u64, sql: String) -> Result<bool> {
    let engine = session.engine()?.clone();
    statements::with(session, id, move |prepared| {
        let statement = engine.statement(&sql);
        let is_insert = statement.as_ref().is_ok_and(embudo_engine::Statement::is_insert);
        prepared.set(statement);
        Ok(is_insert)
    })
    .await
}

fn set_tags(prepared: &mut Prepared, tags: &[Json]) -> Result<()> {
    let fields = tag_fields(prepared)?;
    if fields.len() != tags.len() {
        return Err(Error::with(code::UNCLASSIFIED, "stmt tags count not match"));
    }
    let cells = fields.iter().zip(tags).map(|(field, tag)| cells::column(std::slice::from_ref(tag), field.data_type, field.precision));
    let cells = cells.collect::<Result<Vec<ArrayRef>>>().map_err(|error| {
        let text = format!("stmt parse tag json:{}", error.message());
        Error::with(error.code(), text)
    })?;
    prepared.statement()?.set_tag_cells(&cells)
}

/// The fields of the `?` of TAGS.
fn tag_fields(prepared: &mut Prepared) -> Result<Vec<StatementField>> {
    let statement = prepared.statement()?;
    if statement.lacks_table() {
        return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET));
    }
    if !statement.names_supertable() {
        return Err(Error::new(code::STMT_API_USAGE_ERROR));
    }
    Ok(statement.parameters()?.into_iter().filter(|field| field.role == FieldRole::Tag).collect())
}

fn bind(prepared: &mut Prepared, columns: &[Vec<Json>], queries: bool) -> Result<()> {
    let statement = prepared.statement()?;
    if !statement.is_insert() {
        if !queries {
            return Err(Error::new(code::STMT_API_USAGE_ERROR));
        }
        let cells = columns.iter().map(|column| column.first().map_or_else(|| Ok(nulls(1)), cells::parameter));
        prepared.bound = Some(cells.collect::<Result<_>>()?);
        return Ok(());
    }
    let fields = statement.columns()?;
    let rows = columns.first().map_or(0, Vec::len);
    if columns.len() > fields.len() || columns.iter().any(|column| column.len() != rows) {
        return Err(not_match());
    }
    let cells = fields.iter().enumerate().map(|(at, field)| match columns.get(at) {
        Some(column) => cells::column(column, field.data_type, field.precision),
        // Columns that are not sent stay empty (recorded).
        None => Ok(nulls(rows)),
    });
    prepared.bound = Some(cells.collect::<Result<_>>()?);
    Ok(())
}

fn not_match() -> Error {
    Error::with(code::UNCLASSIFIED, "stmt column count not match")
}

/// Adds the bound rows to those that the next `exec` writes.
fn add_batch(prepared: &mut Prepared) -> Result<()> {
    let Some(cells) = prepared.bound.take() else { return Ok(()) };
    if !prepared.statement()?.is_insert() {
        prepared.bound = Some(cells);
        return Ok(());
    }
    prepared.statement()?.bind(&cells).map_err(|error| match error.code() {
        code::VALUE_TOO_LONG_FOR_COLUMN_TAG => Error::new(code::INVALID_PARAMETERS),
        _ => error,
    })
}

fn execute(prepared: &mut Prepared, queries: bool) -> Result<u64> {
    if prepared.statement()?.is_insert() {
        add_batch(prepared)?;
        return prepared.statement()?.execute();
    }
    if queries { prepared.run_query() } else { Err(Error::new(code::STMT_API_USAGE_ERROR)) }
}

fn parameter_count(prepared: &mut Prepared) -> Result<usize> {
    let statement = prepared.statement()?;
    if statement.is_insert() { Ok(statement.columns()?.len()) } else { Ok(statement.parameter_count()) }
}

fn parameter_type(prepared: &mut Prepared, index: usize) -> Result<DataType> {
    let statement = prepared.statement()?;
    if !statement.is_insert() {
        // Recorded: the statement is of no use afterwards.
        prepared.is_broken = true;
        return Err(Error::new(code::STMT_API_USAGE_ERROR));
    }
    statement.columns()?.get(index).map(|field| field.data_type).ok_or_else(|| Error::new(code::INVALID_PARAMETERS))
}

/// Binary `set_tags`.
pub async fn set_tags_block(session: &Session, head: &Head, id: u64, body: &[u8]) -> Result<Message> {
    let block = decode(body)?;
    statements::with(session, id, move |prepared| {
        let fields = tag_fields(prepared)?;
        if block.rows != 1 || block.columns.len() != fields.len() {
            return Err(Error::with(code::UNCLASSIFIED, "stmt tags count not match"));
        }
        let cells: Vec<ArrayRef> = block.columns.into_iter().map(|(_, array)| plain(array)).collect();
        prepared.statement()?.set_tag_cells(&cells)
    })
    .await?;
    Ok(Reply::new(head).finish(session.version()))
}

/// Binary `bind`.
pub async fn bind_block(session: &Session, head: &Head, id: u64, body: &[u8]) -> Result<Message> {
    let block = decode(body)?;
    let queries = queries(session);
    statements::with(session, id, move |prepared| bind_cells(prepared, block, queries)).await?;
    Ok(Reply::new(head).finish(session.version()))
}

fn bind_cells(prepared: &mut Prepared, block: raw_block::Block, queries: bool) -> Result<()> {
    let statement = prepared.statement()?;
    if statement.is_insert() {
        if statement.columns()?.len() != block.columns.len() {
            return Err(not_match());
        }
        prepared.bound = Some(block.columns.into_iter().map(|(_, array)| plain(array)).collect());
        return Ok(());
    }
    if !queries {
        return Err(Error::new(code::STMT_API_USAGE_ERROR));
    }
    if let Some((data_type, _)) = block.columns.iter().find(|(data_type, _)| !is_parameter(*data_type)) {
        return Err(Error::with(code::UNCLASSIFIED, format!("parse row block info error:unsupported data type {}", data_type.id())));
    }
    prepared.bound = Some(block.columns.into_iter().map(|(data_type, array)| parameter(data_type, array)).collect());
    Ok(())
}

/// Types that a parameter of a query may have here.
fn is_parameter(data_type: DataType) -> bool {
    !matches!(data_type, DataType::Timestamp | DataType::Geometry(_) | DataType::Decimal(..))
}

fn decode(body: &[u8]) -> Result<raw_block::Block> {
    let failed = |error: Error| Error::with(code::UNCLASSIFIED, format!("parse row block info error:{}", error.message())).caused_by(Arc::new(error));
    raw_block::decode(body, Precision::Milli).map_err(failed)
}
