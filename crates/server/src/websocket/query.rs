//! Statements by their text: `query`, `binary_query`, `validate_sql`.

use arrow_schema::SchemaRef;
use embudo_types::{Error, Result, code};
use embudo_wire::{binary_message, websocket::Message};

use super::{
    reply::{Head, Reply},
    results::Opened,
    session::Session,
};

/// Runs a statement. Of one with rows the reply gives the id to fetch them by.
pub async fn run(session: &Session, head: &Head, sql: String) -> Result<Message> {
    let engine = session.engine()?.clone();
    let cancellable = session.cancellations.start(head.request);
    let opened = session.turn(move || {
        let result = engine.execute_cancellable(&sql, &[], cancellable.token())?;
        Opened::pull(cancellable.follow(result))
    });
    let opened = opened.await;
    session.server.metrics.statement(head.received.elapsed());
    answer(session, Reply::new(head), "id", opened?)
}

/// The reply that says what a statement gave. `id` names the member with the result's id.
pub fn answer(session: &Session, reply: Reply, id: &str, opened: Opened) -> Result<Message> {
    match opened {
        Opened::Affected(rows) => affected(session, reply, id, rows),
        Opened::Rows(result) => {
            let schema = result.schema.clone();
            described(session, reply, id, session.results.add(*result), &schema)
        }
    }
}

/// The reply of a statement without rows.
pub fn affected(session: &Session, reply: Reply, id: &str, rows: u64) -> Result<Message> {
    session.server.metrics.rows_affected(rows);
    let reply = reply.with(id, 0).with("is_update", true).with("affected_rows", rows).with_fields(None, session.version())?;
    Ok(reply.finish(session.version()))
}

/// The reply that describes rows, which are fetched by the id `held`.
pub fn described(session: &Session, reply: Reply, id: &str, held: u64, schema: &SchemaRef) -> Result<Message> {
    let reply = reply.with(id, held).with("is_update", false).with("affected_rows", 0).with_fields(Some(schema), session.version())?;
    Ok(reply.finish(session.version()))
}

/// `binary_query`.
pub async fn run_binary(session: &Session, head: &Head, body: &[u8]) -> Result<Message> {
    run(session, head, text(body)?).await
}

/// `validate_sql`: the code of what is wrong with a statement, 0 for nothing.
pub async fn validate(session: &Session, head: &Head, body: &[u8]) -> Result<Message> {
    let (engine, sql) = (session.engine()?.clone(), text(body)?);
    let outcome = session.turn(move || Ok(engine.statement(&sql).map(drop))).await?;
    let result = outcome.map_or_else(|error| i64::from(error.code().0), |()| 0);
    Ok(Reply::new(head).with("result_code", result).finish(session.version()))
}

fn text(body: &[u8]) -> Result<String> {
    let bytes = binary_message::sql(body).map_err(|what| Error::with(code::UNCLASSIFIED, what))?;
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Error::with(code::SYNTAX_ERROR_NEAR, format!("syntax error: the statement is not valid UTF-8 at byte {}", error.valid_up_to())))?;
    Ok(text.to_owned())
}
