//! Embudo's own actions (`wire::execution`): a statement and its parameters in one message, the first rows in the reply. What is small is over
//! with that; nothing of it is held.

use embudo_types::{Error, Result};
use embudo_wire::{
    execution::{self, Executed, Execution},
    websocket::Message,
};

use super::{
    query,
    reply::{Head, Reply},
    results::Opened,
    session::Session,
    statement2, statements,
};

/// What a statement gave, with its first block as it travels.
struct Ran {
    opened: Opened,
    /// The rows of the block, and its bytes.
    first: Option<(usize, Vec<u8>)>,
}

impl Ran {
    fn new(mut opened: Opened) -> Result<Self> {
        let first = match &mut opened {
            Opened::Affected(_) => None,
            Opened::Rows(result) => result.take_encoded()?,
        };
        Ok(Self { opened, first })
    }
}

/// A statement's text with its parameters.
pub async fn execute(session: &Session, head: &Head, body: &[u8]) -> Result<Message> {
    let engine = session.engine()?.clone();
    let Execution { sql, parameters } = execution::execution(body)?;
    let cancellable = session.cancellations.start(head.request);
    let ran = session.turn(move || {
        let result = engine.execute_cancellable(&sql, &parameters, cancellable.token())?;
        Ran::new(Opened::pull(cancellable.follow(result))?)
    });
    let ran = ran.await;
    session.server.metrics.statement(head.received.elapsed());
    reply(session, head, ran?)
}

/// A prepared statement with what is bound to it last.
pub async fn execute_statement(session: &Session, head: &Head, id: u64, body: &[u8]) -> Result<Message> {
    let payload = execution::versioned(body)?.to_vec();
    let ran = statements::with(session, id, move |prepared| {
        if !payload.is_empty() {
            statement2::bind_payload(prepared, &payload, None)?;
        }
        let affected = statement2::execute(prepared)?;
        Ran::new(prepared.result.take().map_or(Opened::Affected(affected), Opened::Rows))
    });
    let ran = ran.await;
    session.server.metrics.statement(head.received.elapsed());
    reply(session, head, ran?)
}

fn reply(session: &Session, head: &Head, ran: Ran) -> Result<Message> {
    if let Some((rows, _)) = ran.first {
        session.server.metrics.rows_sent(rows as u64);
    }
    let (members, has_more) = match ran.opened {
        Opened::Affected(rows) => (query::affected(session, Reply::new(head), "id", rows)?, false),
        Opened::Rows(result) => {
            let (schema, is_over) = (result.schema.clone(), result.is_over());
            let held = if is_over { 0 } else { session.results.add(*result) };
            (query::described(session, Reply::new(head), "id", held, &schema)?, !is_over)
        }
    };
    let Message::Text(members) = members else { return Err(Error::internal("members that are no text")) };
    let executed = Executed { members: members.as_bytes(), has_more, block: ran.first.as_ref().map(|(_, block)| block.as_slice()) };
    Ok(Message::Binary(execution::reply(head.request, head.timing(), executed)))
}
