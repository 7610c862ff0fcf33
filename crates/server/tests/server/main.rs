//! The server over real sockets: recorded conversations, limits, clients that misbehave, the stop.

// A test ends at the first thing that is not as expected.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::format_collect)]

mod activity;
mod driver;
mod frames;
mod http;
mod ingest;
mod lifecycle;
mod limits;
mod recorded;
mod recorded_websocket;
mod rest;
mod results;
mod secrets;
mod subscription;
mod tls;
mod translation;
mod unset_cells;
mod websocket;

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_types::Zone;

/// A server on an empty database in memory, in UTC as the recordings were.
fn start() -> ServerHandle {
    start_with(ServerOptions::default())
}

fn start_with(mut options: ServerOptions) -> ServerHandle {
    options.listen = "127.0.0.1:0".into();
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..EngineOptions::memory() }).unwrap();
    Server::start(engine, options).unwrap()
}
