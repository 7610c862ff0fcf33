//! Raw blocks and messages of subscriptions that a client writes into its database.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use embudo_engine::Session as EngineSession;
use embudo_types::{Error, Precision, Result, arrow, code};
use embudo_wire::{
    raw_block,
    tmq::{self, frame},
    websocket::Message,
};

use super::{
    Endpoint,
    reply::{Head, Reply},
    session::Session,
};

/// Bytes that describe a field: its name's 65, type, and length.
const FIELD_BYTES: usize = 72;
const NAME_BYTES: usize = 65;

/// `write_raw_block` and, where the columns' names follow the block, `write_raw_block_with_fields`. The reply says nothing but that it is done.
pub async fn write_block(session: &Session, head: &Head, body: &[u8], has_fields: bool) -> Result<Message> {
    let engine = session.engine()?.clone();
    let body = body.to_vec();
    let rows = session.turn(move || write(&engine, &body, has_fields)).await?;
    session.server.metrics.rows_affected(rows);
    Ok(Reply::new(head).finish(session.version()))
}

fn write(session: &EngineSession, body: &[u8], has_fields: bool) -> Result<u64> {
    let short = || Error::with(code::UNCLASSIFIED, "message length is too short");
    let rows = i32::from_le_bytes(body.get(..4).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?);
    let name_length = usize::from(u16::from_le_bytes(body.get(4..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?));
    let (name, bytes) = body[6..].split_at_checked(name_length).ok_or_else(short)?;
    let table = std::str::from_utf8(name).map_err(|_| Error::with(code::INVALID_IDENTIFIER_NAME, "a table name is not UTF-8"))?;
    let quoted = format!("`{}`", table.replace('`', "``"));
    // Also tells whether the table is there.
    let columns = columns(session, &quoted)?;
    let precision = columns.first().map_or(Precision::Milli, |column| arrow::precision(column));
    let block = raw_block::decode(bytes, precision)?;
    if usize::try_from(rows) != Ok(block.rows) {
        return Err(Error::with(code::INVALID_PARAMETERS, format!("a block of {} rows was announced as {rows}", block.rows)));
    }
    let names: Vec<String> = if has_fields {
        let total = bytes.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(u32::from_le_bytes).ok_or_else(short)? as usize;
        names(bytes.get(total..).ok_or_else(short)?, block.columns.len()).ok_or_else(short)?
    } else {
        columns.iter().map(|field| field.name().clone()).collect()
    };
    if names.len() != block.columns.len() {
        return Err(Error::with(code::INVALID_PARAMETERS, format!("a block of {} columns for a table of {}", block.columns.len(), names.len())));
    }
    let (fields, arrays): (Vec<Field>, Vec<_>) =
        names.iter().zip(block.columns).map(|(name, (data_type, array))| (arrow::field(name, data_type, precision), array)).unzip();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| Error::with(code::INVALID_MESSAGE, error.to_string()))?;
    session.insert_batches(&quoted, &mut std::iter::once(Ok(batch)))
}

/// `write_raw`: does again what a message tells, its events before its rows.
pub async fn write_message(session: &Session, head: &Head, message: u64, body: &[u8]) -> Result<Message> {
    let engine = session.engine()?.clone();
    let body = body.to_vec();
    let apply = move || -> Result<u64> {
        let raw = frame::read_raw(&body).ok_or_else(|| Error::with(code::UNCLASSIFIED, "message length is too short"))?;
        let (events, body) = tmq::decode_message(raw)?;
        for event in &events {
            engine.apply_event(event)?;
        }
        body.blocks.iter().map(|block| engine.apply_rows(block)).sum()
    };
    let rows = session.turn(apply).await?;
    session.server.metrics.rows_affected(rows);
    let reply = Reply::new(head);
    let reply = if session.endpoint == Endpoint::Unified { reply } else { reply.with("message_id", message) };
    Ok(reply.finish(session.version()))
}

/// The columns of a table, without its tags.
fn columns(session: &EngineSession, table: &str) -> Result<Vec<Arc<Field>>> {
    let result = session.execute(&format!("SELECT * FROM {table} LIMIT 0"), &[]);
    let result = result.map_err(|_| Error::with(code::TABLE_DOES_NOT_EXIST_2603, "Table does not exist"))?;
    Ok(result.schema.fields().iter().cloned().collect())
}

fn names(bytes: &[u8], count: usize) -> Option<Vec<String>> {
    let fields = bytes.get(..count.checked_mul(FIELD_BYTES)?)?;
    let name = |field: &[u8]| {
        let name = &field[..NAME_BYTES];
        let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
        String::from_utf8_lossy(&name[..end]).into_owned()
    };
    Some(fields.chunks_exact(FIELD_BYTES).map(name).collect())
}
