//! The server that TDengine's clients talk to: taosAdapter's HTTP interface on an open [`Engine`].
//!
//! The only crate that knows tokio. It reads requests, lets them wait their turn, runs them on the engine in blocking threads and
//! streams results; what a statement means is the engine's business, what a body looks like is `wire`'s.
//!
//! One folder a protocol (`rest`, `websocket`, `ingest`), all on the same parts: `authentication` (who asks), `turns` (who runs when), `answer` (a result
//! as a body, piece by piece), `compression`, `metrics`, `connections` (sockets, limits, the graceful stop).

mod adapter_options;
mod answer;
mod authentication;
mod budget;
mod compression;
mod connections;
mod incoming;
mod ingest;
mod log_text;
mod metrics;
mod options;
mod refusal;
mod rest;
mod router;
mod signals;
mod slow_down;
mod tls;
mod turns;
mod version;
mod websocket;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use embudo_engine::Engine;
use embudo_types::{Error, Result};
use tokio::{net::TcpListener, runtime::Runtime, sync::watch, task::JoinHandle};

pub use adapter_options::AdapterOptions;
pub use options::{DEFAULT_PORT, ListenerOptions, LogControl, ServerOptions, TlsOptions};
pub use version::AdvertisedVersion;

/// Starts servers.
pub struct Server;

impl Server {
    /// Listens and answers in threads of its own until the handle is shut down or dropped. The engine stays the caller's: it is
    /// neither synced nor closed here.
    ///
    /// Refuses to listen beyond the own machine while `root` has its well-known password.
    pub fn start(engine: Arc<Engine>, options: ServerOptions) -> Result<ServerHandle> {
        let addresses = options.addresses()?;
        authentication::refuse_default_password(&engine, &addresses)?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(options.worker_threads)
            .max_blocking_threads(options.blocking_threads)
            .thread_name("embudo-server")
            .enable_all()
            .build()
            .map_err(|source| Error::io("starting the server's threads", source))?;
        let listener =
            runtime.block_on(TcpListener::bind(addresses.as_slice())).map_err(|source| Error::io(format!("listening on {}", options.listen), source))?;
        let address = listener.local_addr().map_err(|source| Error::io("reading the listening address", source))?;
        let (stop, stopped) = watch::channel(false);
        let tls = options.tls.clone().map(|files| tls::Tls::load(files).map(Arc::new)).transpose()?;
        if let Some(tls) = &tls {
            runtime.spawn(tls::watch_files(Arc::clone(tls), stopped.clone()));
        }
        let state = router::State::new(engine, options);
        let (mut addresses, mut serving) = (ListenerAddresses::default(), Vec::new());
        if let Some(telnet) = state.options.opentsdb_telnet.clone() {
            let listener = runtime.block_on(ingest::telnet_listener::bind(&telnet, &state.options))?;
            addresses.opentsdb_telnet = listener.local_addr().ok();
            serving.push(runtime.spawn(ingest::telnet_listener::serve(listener, telnet, Arc::clone(&state), stopped.clone())));
        }
        if let Some(statsd) = &state.options.statsd {
            let listener = runtime.block_on(ingest::datagrams::Listener::statsd(statsd, &state.options))?;
            addresses.statsd = listener.address();
            serving.push(runtime.spawn(listener.serve(Arc::clone(&state), stopped.clone())));
        }
        if let Some(collectd) = &state.options.collectd {
            let listener = runtime.block_on(ingest::datagrams::Listener::collectd(collectd, &state.options))?;
            addresses.collectd = listener.address();
            serving.push(runtime.spawn(listener.serve(Arc::clone(&state), stopped.clone())));
        }
        if let Some(limit) = state.options.statement_timeout {
            runtime.spawn(interrupt_old_statements(Arc::clone(&state), limit, stopped.clone()));
        }
        serving.push(runtime.spawn(connections::serve(listener, state, tls.clone(), stopped)));
        tracing::info!(%address, encrypted = tls.is_some(), "listening");
        Ok(ServerHandle { address, addresses, tls, stop, running: Some((runtime, serving)) })
    }
}

/// Ends statements that take too long, until the server stops.
async fn interrupt_old_statements(state: Arc<router::State>, limit: Duration, mut stopped: watch::Receiver<bool>) {
    let mut looks = tokio::time::interval((limit / 10).clamp(Duration::from_millis(20), Duration::from_secs(1)));
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            _ = stopped.wait_for(|stop| *stop) => return,
        }
        let statements = state.engine.interrupt_older_than(limit);
        if statements > 0 {
            tracing::warn!(statements, "took longer than they may; ended");
        }
    }
}

/// A running server.
pub struct ServerHandle {
    address: SocketAddr,
    addresses: ListenerAddresses,
    tls: Option<Arc<tls::Tls>>,
    stop: watch::Sender<bool>,
    running: Option<(Runtime, Vec<JoinHandle<()>>)>,
}

/// Where a server listens for protocols with ports of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct ListenerAddresses {
    /// OpenTSDB telnet, TCP.
    pub opentsdb_telnet: Option<SocketAddr>,
    /// statsd, UDP.
    pub statsd: Option<SocketAddr>,
    /// collectd, UDP.
    pub collectd: Option<SocketAddr>,
}

impl ServerHandle {
    /// Where it listens; with the port that was chosen where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for protocols with ports of their own.
    pub fn listener_addresses(&self) -> ListenerAddresses {
        self.addresses
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.tls.is_some()
    }

    /// Reads certificate and key again, for connections to come. Changed files are noticed without it, within seconds.
    pub fn reload(&self) -> Result<()> {
        self.tls.as_ref().map_or(Ok(()), |tls| tls.reload())
    }

    /// Takes no more connections, finishes the requests that are under way and returns. Must not be called from an async task.
    pub fn shutdown(&mut self) {
        let Some((runtime, serving)) = self.running.take() else { return };
        self.stop.send_replace(true);
        for serving in serving {
            if let Err(error) = runtime.block_on(serving) {
                tracing::error!(%error, "the server ended badly");
            }
        }
        runtime.shutdown_background();
        tracing::info!(address = %self.address, "stopped");
    }

    /// Serves until the process is told to stop (SIGTERM, SIGINT or Ctrl-C), then shuts down gracefully. A second signal ends the
    /// waiting for open requests. SIGHUP reads the certificate again.
    pub fn run_until_signal(&mut self) -> Result<()> {
        let Some((runtime, _)) = &self.running else { return Ok(()) };
        let reload = || {
            if let Err(error) = self.reload() {
                tracing::warn!(%error, "the certificate cannot be read again; the old one stays");
            }
        };
        runtime.block_on(signals::first_that_stops(reload))?;
        tracing::info!("stopping: finishing requests");
        runtime.spawn(signals::exit_on_the_next());
        self.shutdown();
        Ok(())
    }
}

impl Drop for ServerHandle {
    fn drop(&mut self) {
        self.shutdown();
    }
}
