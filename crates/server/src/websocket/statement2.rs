//! Prepared statements of the second kind: `stmt2_init` … `stmt2_result`. Tables, tags and columns come in one payload, or all columns of the
//! statement at once; both are decoded by `wire::stmt2`.

use embudo_engine::BoundCells;
use embudo_types::{Error, Precision, Result, code};
use embudo_wire::{
    stmt2::{self, BoundColumn, TableBind},
    websocket::Message,
};

use super::{
    action::Statement2Action,
    reply::{Head, Reply},
    request::Arguments,
    session::Session,
    statements::{self, Prepared, describe, parameter, plain},
};
use crate::version::Since;

/// Does what a JSON request asks.
pub async fn act(session: &Session, action: Statement2Action, head: &Head, arguments: &Arguments) -> Result<Message> {
    let id = arguments.unsigned("stmt_id")?;
    let reply = Reply::new(head);
    let reply = match action {
        Statement2Action::Open => {
            // The two options say how a client means to bind; every way goes at any time.
            arguments.flag("single_stb_insert")?;
            arguments.flag("single_table_bind_once")?;
            reply.with("stmt_id", session.statements.open())
        }
        Statement2Action::Prepare => prepare(session, reply, id, arguments).await?,
        Statement2Action::Execute => {
            let affected = statements::with(session, id, execute).await?;
            session.server.metrics.rows_affected(affected);
            reply.with("affected", affected)
        }
        Statement2Action::Result => statements::give_result(session, reply, id, "id").await?,
        Statement2Action::Close if session.statements.close(id) => reply,
        Statement2Action::Close => return Err(statements::nil()),
    };
    Ok(reply.finish(session.version()))
}

async fn prepare(session: &Session, reply: Reply, id: u64, arguments: &Arguments) -> Result<Reply> {
    let engine = session.engine()?.clone();
    let (sql, wants_fields) = (arguments.text("sql")?.to_owned(), arguments.flag("get_fields")?);
    let tells_bind_type = session.version().has(Since::BIND_TYPE);
    let (is_insert, fields, count) = statements::with(session, id, move |prepared| {
        prepared.set(Ok(engine.statement(&sql)?));
        let statement = prepared.statement()?;
        let is_insert = statement.is_insert();
        if !wants_fields {
            return Ok((is_insert, None, 0));
        }
        if !is_insert {
            return Ok((is_insert, None, statement.parameter_count()));
        }
        if statement.lacks_table() && !statement.names_supertable() {
            return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET));
        }
        let fields = statement.parameters()?;
        Ok((is_insert, Some(describe(&fields, tells_bind_type)), fields.len()))
    })
    .await?;
    Ok(reply.with("is_insert", is_insert).with_text("fields", fields.as_deref().unwrap_or("null")).with("fields_count", count))
}

/// Writes what was bound, or runs the query.
pub fn execute(prepared: &mut Prepared) -> Result<u64> {
    if !prepared.statement()?.is_insert() {
        return prepared.run_query();
    }
    let columns = std::mem::take(&mut prepared.columns);
    if !columns.is_empty() {
        let mut columns: Vec<_> = columns.into_iter().collect();
        columns.sort_by_key(|(number, _)| *number);
        let cells: Vec<_> = columns.into_iter().map(|(_, cells)| cells).collect();
        prepared.statement()?.bind_cells(&cells)?;
    }
    prepared.statement()?.execute()
}

/// `stmt2_bind`: a payload by table; with a column's number, a single column.
pub async fn bind(session: &Session, head: &Head, id: u64, body: &[u8]) -> Result<Message> {
    let short = || Error::with(code::UNCLASSIFIED, "message length is too short");
    check_version(body)?;
    let number = i32::from_le_bytes(body.get(2..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?);
    let payload = body[6..].to_vec();
    statements::with(session, id, move |prepared| bind_payload(prepared, &payload, usize::try_from(number).ok())).await?;
    Ok(Reply::new(head).finish(session.version()))
}

/// Binds a payload by table; with a column's number, a single column.
pub fn bind_payload(prepared: &mut Prepared, payload: &[u8], column: Option<usize>) -> Result<()> {
    let tables = stmt2::decode(payload, Precision::Milli)?;
    let statement = prepared.statement()?;
    if statement.is_insert() {
        let bound = bind_tables(prepared, tables, column);
        if bound.is_err() {
            // Nothing of a payload that was refused is written.
            prepared.statement()?.clear();
        }
        return bound;
    }
    prepared.bound = Some(tables.into_iter().next().map(|table| parameters(table.columns)).unwrap_or_default());
    Ok(())
}

fn bind_tables(prepared: &mut Prepared, tables: Vec<TableBind>, column: Option<usize>) -> Result<()> {
    if let Some(number) = column {
        let single = |table: TableBind| bound(table.columns).pop();
        let cells = tables.into_iter().next().and_then(single).ok_or_else(|| Error::new(code::INVALID_PARAMETERS))?;
        prepared.columns.insert(number, cells);
        return Ok(());
    }
    let statement = prepared.statement()?;
    for table in tables {
        if let Some(name) = &table.name {
            statement.set_table_name(name)?;
        }
        if !table.tags.is_empty() {
            statement.set_tag_cells(&arrays(table.tags))?;
        }
        if !table.columns.is_empty() {
            statement.bind_cells(&bound(table.columns))?;
        }
    }
    Ok(())
}

fn arrays(columns: Vec<BoundColumn>) -> Vec<arrow_array::ArrayRef> {
    columns.into_iter().map(|column| plain(column.array)).collect()
}

/// Cells of rows; some may not be set.
fn bound(columns: Vec<BoundColumn>) -> Vec<BoundCells> {
    columns.into_iter().map(|column| BoundCells { array: plain(column.array), present: column.present }).collect()
}

fn parameters(columns: Vec<BoundColumn>) -> Vec<arrow_array::ArrayRef> {
    columns.into_iter().map(|column| parameter(column.data_type, column.array)).collect()
}

/// `stmt2_bind_exec`: every `?` of the statement as a column, run at once.
pub async fn bind_and_execute(session: &Session, head: &Head, id: u64, body: &[u8]) -> Result<Message> {
    check_version(body)?;
    let payload = body[2..].to_vec();
    let affected = statements::with(session, id, move |prepared| {
        let columns = stmt2::decode_columns(&payload, Precision::Milli)?.columns;
        let statement = prepared.statement()?;
        if !statement.is_insert() {
            prepared.bound = Some(parameters(columns));
            return prepared.run_query();
        }
        if let Err(error) = statement.bind_parameter_cells(&bound(columns)) {
            statement.clear();
            return Err(error);
        }
        statement.execute()
    })
    .await?;
    session.server.metrics.rows_affected(affected);
    Ok(Reply::new(head).with("affected", affected).finish(session.version()))
}

fn check_version(body: &[u8]) -> Result<()> {
    match body.get(..2) {
        Some([1, 0]) => Ok(()),
        Some([low, high]) => Err(Error::with(code::UNCLASSIFIED, format!("unknown stmt2 bind version:{}", u16::from_le_bytes([*low, *high])))),
        _ => Err(Error::with(code::UNCLASSIFIED, "message length is too short")),
    }
}
