//! `/rest/tmq` (spec/protocols.md 3.8): one consumer of topics a connection.
//!
//! `session` decides which action a message is, `subscribe` makes the consumer, `poll` waits for messages without holding a thread, `fetch`
//! gives out the newest one, `offset` is about where the consumer stands.

mod fetch;
mod offset;
mod poll;
mod session;
mod subscribe;

pub use session::Subscriber;
