//! `embudo serve`: the server on a database, until a signal.

use std::io::{IsTerminal, Write};

use embudo_engine::{Engine, EngineOptions};
use embudo_server::{LogControl, Server};
use embudo_types::{Error, Result, code};
use tracing_subscriber::{Registry, filter::LevelFilter, fmt, layer::SubscriberExt, reload, util::SubscriberInitExt};

use crate::{
    arguments::{LogFormat, LogLevel, ServeOptions},
    configuration::Configuration,
};

/// Serves, then closes the database.
pub fn run(options: ServeOptions) -> Result<()> {
    let configuration = Configuration::resolve(options)?;
    let log = log_to_standard_error(configuration.log, configuration.log_format);
    let mut engine_options = match configuration.data.as_str() {
        ":memory:" => EngineOptions::memory(),
        directory => EngineOptions::directory(directory),
    };
    engine_options.memory_limit = configuration.memory_limit;
    if let Some(zone) = configuration.timezone {
        engine_options.zone = zone;
    }
    let mut server_options = configuration.server;
    server_options.log = log;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), data = configuration.data, "opening");
    let engine = Engine::open(engine_options)?;
    let served = Server::start(engine.clone(), server_options).and_then(|mut server| {
        let scheme = if server.is_encrypted() { "https" } else { "http" };
        let announced = writeln!(
            std::io::stdout(),
            "embudo {} serves {} on {scheme}://{} (Ctrl-C stops it)",
            env!("CARGO_PKG_VERSION"),
            configuration.data,
            server.address()
        );
        announced.map_err(|source| Error::io("writing to standard output", source))?;
        server.run_until_signal()
    });
    let closed = engine.close();
    tracing::info!("closed");
    served.and(closed)
}

/// Sends the log to standard error, and gives what changes how much is logged. Where a subscriber is set already, as in a Python process, that
/// one stays.
fn log_to_standard_error(level: LogLevel, format: LogFormat) -> Option<LogControl> {
    let (layer, handle) = reload::Layer::new(filter(level));
    let registry = Registry::default().with(layer);
    let set = match format {
        LogFormat::Text => registry.with(fmt::layer().with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr)).try_init(),
        LogFormat::Json => registry.with(fmt::layer().json().flatten_event(true).with_writer(std::io::stderr)).try_init(),
    };
    set.ok()?;
    Some(LogControl::new(move |word| {
        let level = match word {
            "error" => LogLevel::Error,
            "warn" | "warning" => LogLevel::Warn,
            "info" => LogLevel::Info,
            "debug" | "trace" => LogLevel::Debug,
            _ => return Err(Error::with(code::INVALID_CONFIG_OPTION, format!("{word:?} is no level; there are error, warn, info, debug"))),
        };
        handle.reload(filter(level)).map_err(Error::internal)
    }))
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    }
}
