//! The C interface as programs meet it when things go wrong: servers that go away, users that change under a connection, threads that do
//! everything at once; and the native driver on libraries that are old, broken or none.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends at the first thing that is not as expected")]

mod gone;
mod interface;
mod native;
mod notifications;
mod options;
mod threads;
mod wire;

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{Server, ServerHandle, ServerOptions};
use embudo_types::Zone;

/// How long a test waits for what must come, on machines of every speed.
const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until something is so.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// A server on an empty database in memory, and the engine behind it.
fn serve() -> (ServerHandle, Arc<Engine>) {
    let engine = Engine::open(EngineOptions { zone: Zone::utc(), ..EngineOptions::memory() }).unwrap();
    let server = Server::start(Arc::clone(&engine), ServerOptions { listen: "127.0.0.1:0".into(), ..ServerOptions::default() }).unwrap();
    (server, engine)
}
