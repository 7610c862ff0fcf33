//! `embudo serve`: the server on a database, until a signal.

use std::io::{IsTerminal, Write};

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{ListenerOptions, Server, ServerOptions};
use embudo_types::{Error, Result};

use crate::{
    arguments::{LogLevel, ServeOptions},
    configuration::Configuration,
};

/// Serves, then closes the database.
pub fn run(options: ServeOptions) -> Result<()> {
    let configuration = Configuration::resolve(options)?;
    log_to_standard_error(configuration.log);
    let mut engine_options = match configuration.data.as_str() {
        ":memory:" => EngineOptions::memory(),
        directory => EngineOptions::directory(directory),
    };
    engine_options.memory_limit = configuration.memory_limit;
    if let Some(zone) = configuration.timezone {
        engine_options.zone = zone;
    }
    let mut server_options = ServerOptions::default();
    if let Some(listen) = configuration.listen {
        server_options.listen = listen;
    }
    if let Some(bytes) = configuration.body_limit {
        server_options.body_bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    }
    if let Some(connections) = configuration.connections {
        server_options.connections = connections;
    }
    if let Some(timeout) = configuration.result_timeout {
        server_options.result_timeout = timeout;
    }
    if let Some(version) = configuration.advertise_version {
        server_options.advertised_version = version;
    }
    server_options.opentsdb_telnet = configuration.opentsdb_telnet.as_deref().map(|listen| ListenerOptions::new(listen, "opentsdb_telnet"));
    let engine = Engine::open(engine_options)?;
    let served = Server::start(engine.clone(), server_options).and_then(|mut server| {
        let announced =
            writeln!(std::io::stdout(), "embudo {} serves {} on http://{} (Ctrl-C stops it)", env!("CARGO_PKG_VERSION"), configuration.data, server.address());
        announced.map_err(|source| Error::io("writing to standard output", source))?;
        server.run_until_signal()
    });
    let closed = engine.close();
    served.and(closed)
}

/// Sends the log to standard error. Where a subscriber is set already, as in a Python process, that one stays.
fn log_to_standard_error(level: LogLevel) {
    let level = match level {
        LogLevel::Error => tracing::Level::ERROR,
        LogLevel::Warn => tracing::Level::WARN,
        LogLevel::Info => tracing::Level::INFO,
        LogLevel::Debug => tracing::Level::DEBUG,
    };
    let colours = std::io::stderr().is_terminal();
    let _ = tracing_subscriber::fmt().with_max_level(level).with_ansi(colours).with_writer(std::io::stderr).try_init();
}
