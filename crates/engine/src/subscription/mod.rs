//! Subscriptions: consumers of topics, their groups, and the messages that the log's records become.

mod consumer;

pub use consumer::Consumer;
