//! What a client may ask about server and session.

use embudo_types::{Error, Result, code};
use embudo_wire::websocket::Message;

use super::{
    Endpoint,
    reply::{Head, Reply},
    request::Arguments,
    session::Session,
};

/// `version`. The old endpoints answer shortly.
pub fn version(session: &Session, head: &Head) -> Message {
    let reply = if session.endpoint == Endpoint::Unified { Reply::new(head) } else { Reply::bare(&head.action) };
    reply.with("version", session.version().to_string()).finish(session.version())
}

/// `get_current_db`; empty where there is none.
pub fn current_database(session: &Session, head: &Head) -> Result<Message> {
    let database = session.engine()?.database().unwrap_or_default();
    Ok(Reply::new(head).with("db", database).finish(session.version()))
}

/// `get_server_info`.
pub fn server_information(session: &Session, head: &Head) -> Message {
    Reply::new(head).with("info", session.version().to_string()).finish(session.version())
}

/// `num_fields`.
pub fn field_count(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let fields = session.results.fields(arguments.unsigned("result_id")?)?;
    Ok(Reply::new(head).with("num_fields", fields).finish(session.version()))
}

/// `get_connection_info`: 0 is the user, 1 the name of the token, empty where it was none.
pub fn connection_information(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let information = match arguments.integer("info")?.unwrap_or(0) {
        0 => session.engine()?.user(),
        1 => session.engine()?.token().unwrap_or_default(),
        other => return Err(Error::with(code::INVALID_PARAMETERS, format!("unknown information {other} about a connection"))),
    };
    Ok(Reply::new(head).with("info", information).finish(session.version()))
}

/// `check_server_status`: whoever answers is there.
pub fn server_status(session: &Session, head: &Head) -> Message {
    /// "The service works".
    const SERVICE_OK: u8 = 2;
    Reply::new(head).with("status", SERVICE_OK).with("details", "").finish(session.version())
}
