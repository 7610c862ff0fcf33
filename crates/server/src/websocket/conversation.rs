//! What a connection needs of the session that its messages are for.

use std::time::Duration;

use embudo_wire::websocket::Message;

use tokio::sync::OwnedSemaphorePermit;

use crate::{budget::Budget, options::ServerOptions};

/// An answer on its way to the client.
pub struct Answer {
    /// What is sent.
    pub message: Message,
    /// Given back when it is written: what large answers of a connection take turns by.
    pub turn: Option<OwnedSemaphorePermit>,
}

impl From<Message> for Answer {
    fn from(message: Message) -> Self {
        Self { message, turn: None }
    }
}

/// A session; messages of its connection are handled with it, several at a time.
pub trait Conversation: Send + Sync + 'static {
    /// Messages that are handled at a time; each may have a reply in memory.
    const UNDER_WAY: usize;

    /// The server's settings.
    fn options(&self) -> &ServerOptions;

    /// What messages may hold, and what replies may.
    fn budgets(&self) -> (&Budget, &Budget);

    /// Whether a user is at the other end. Messages of strangers are small.
    fn is_known(&self) -> bool;

    /// Answers a message; some get no answer.
    fn handle(&self, message: Message) -> impl Future<Output = Option<Answer>> + Send;

    /// Whether a message was done with at once: it waits for no place among those that are handled, and has no answer.
    fn does_at_once(&self, message: &Message) -> bool {
        let _ = message;
        false
    }

    /// How often [`look_after`](Self::look_after) is called.
    fn rest(&self) -> Duration;

    /// Does what is due from time to time, quickly.
    fn look_after(&self);

    /// The client is gone: what runs for it ends, what it holds is let go.
    fn leave(&self);
}
