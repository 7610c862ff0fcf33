//! `insert`: points of a line protocol.

use embudo_engine::LineOptions;
use embudo_types::Result;
use embudo_wire::{
    schemaless::{LineProtocol, TimeUnit},
    websocket::Message,
};

use super::{
    Endpoint,
    reply::{Head, Reply},
    request::Arguments,
    session::Session,
};
use crate::version::Since;

/// Writes the points into the session's database.
pub async fn insert(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let engine = session.engine()?.clone();
    let protocol = i32::try_from(arguments.integer("protocol")?.unwrap_or(0)).map_err(|_| arguments.refused())?;
    let unit = TimeUnit::of_request(arguments.text("precision")?);
    let ttl = u32::try_from(arguments.integer("ttl")?.unwrap_or(0)).unwrap_or(0);
    let text = arguments.text("data")?.to_owned();
    // Servers before take no notice of it.
    let key = Some(arguments.text("table_name_key")?.to_owned()).filter(|key| !key.is_empty() && session.version().has(Since::DECIMAL));
    let protocol = LineProtocol::from_id(protocol)?;
    let written = session.turn(move || engine.write_lines(&text, &LineOptions { protocol, unit, ttl, table_name_key: key.as_deref() })).await?;
    session.server.metrics.rows_affected(written.affected_rows);
    let reply = if session.endpoint == Endpoint::Schemaless { Reply::with_id_first(head) } else { Reply::new(head) };
    let reply = if session.version().has(Since::BINARY_QUERY) {
        reply.with("affected_rows", written.affected_rows).with("total_rows", written.total_rows)
    } else {
        reply
    };
    Ok(reply.finish(session.version()))
}
