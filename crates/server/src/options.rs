//! What a server can be told.

use std::{
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use embudo_types::{Error, Result, code};

use crate::{AdapterOptions, version::AdvertisedVersion};

/// The port of TDengine's HTTP interface.
pub const DEFAULT_PORT: u16 = 6041;

/// Settings of a server; [`Default`] listens on the own machine only.
#[derive(Clone, Debug)]
pub struct ServerOptions {
    /// `host:port`, `host` (port 6041) or `:port` (every interface). Port 0 takes a free one.
    pub listen: String,
    /// Threads that handle sockets; statements run in others.
    pub worker_threads: usize,
    /// Threads that statements may run in.
    pub blocking_threads: usize,
    /// Open connections; further ones wait to be accepted.
    pub connections: usize,
    /// Bytes of a request's body or of a WebSocket message, inflated.
    pub body_bytes: usize,
    /// Bytes that the bodies and WebSocket messages of all requests may hold together, and as many that replies may which clients do not read; further
    /// ones wait.
    pub bodies_bytes: usize,
    /// How long a connection may take to send a request's head, idle time between requests included.
    pub header_timeout: Duration,
    /// How long a request's body may pause; in all it may take ten times as long.
    pub body_timeout: Duration,
    /// How long a statement may wait for its turn.
    pub queue_timeout: Duration,
    /// How long a statement may take, fetching its rows included; `None`: as long as it needs.
    pub statement_timeout: Option<Duration>,
    /// How long a client may leave a result unread.
    pub result_timeout: Duration,
    /// How long a stop waits for open requests.
    pub stop_timeout: Duration,
    /// The version that WebSocket clients are told, and whose actions they find.
    pub advertised_version: AdvertisedVersion,
    /// Encryption of HTTP and WebSocket; without it connections are plain.
    pub tls: Option<TlsOptions>,
    /// How long a client may take to agree on encryption.
    pub handshake_timeout: Duration,
    /// A TCP port for OpenTSDB's telnet protocol.
    pub opentsdb_telnet: Option<ListenerOptions>,
    /// A UDP port for statsd.
    pub statsd: Option<ListenerOptions>,
    /// How often what statsd's clients sent is summed up and written.
    pub statsd_interval: Duration,
    /// A UDP port for collectd.
    pub collectd: Option<ListenerOptions>,
    /// A `types.db` that names values of collectd's types, beside those that collectd comes with.
    pub collectd_types: Option<PathBuf>,
    /// Whether these listeners, which know no login, may listen beyond the own machine.
    pub open_listeners: bool,
    /// What TDengine's adapter can be set to.
    pub adapter: AdapterOptions,
    /// Changes how much is logged, for `PUT /config`.
    pub log: Option<LogControl>,
}

type SetLevel = dyn Fn(&str) -> Result<()> + Send + Sync;

/// What changes how much is logged.
#[derive(Clone)]
pub struct LogControl(Arc<SetLevel>);

impl LogControl {
    /// `set` is given a level's name.
    pub fn new(set: impl Fn(&str) -> Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(set))
    }

    /// Logs as much as the level of this name says.
    pub fn set(&self, level: &str) -> Result<()> {
        (self.0)(level)
    }
}

impl std::fmt::Debug for LogControl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogControl")
    }
}

/// Files of encryption, in PEM form; read again when they change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The certificate and those that vouch for it.
    pub certificate: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// A port for a protocol that knows no login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerOptions {
    /// `host:port`, or a port of the own machine; port 0 takes a free one.
    pub listen: String,
    /// The database that points go to; made where it is missing.
    pub database: String,
    /// The user that writes.
    pub user: String,
}

impl ListenerOptions {
    /// Listens at `listen` and writes into a database as root.
    pub fn new(listen: &str, database: &str) -> Self {
        Self { listen: listen.into(), database: database.into(), user: "root".into() }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            listen: format!("127.0.0.1:{DEFAULT_PORT}"),
            worker_threads: 2,
            blocking_threads: 256,
            connections: 1_024,
            body_bytes: 16 << 20,
            bodies_bytes: 256 << 20,
            header_timeout: Duration::from_secs(75),
            body_timeout: Duration::from_secs(30),
            queue_timeout: Duration::from_secs(60),
            statement_timeout: None,
            result_timeout: Duration::from_secs(300),
            stop_timeout: Duration::from_secs(30),
            advertised_version: AdvertisedVersion::default(),
            tls: None,
            handshake_timeout: Duration::from_secs(10),
            opentsdb_telnet: None,
            statsd: None,
            statsd_interval: Duration::from_secs(5),
            collectd: None,
            collectd_types: None,
            open_listeners: false,
            adapter: AdapterOptions::default(),
            log: None,
        }
    }
}

impl ServerOptions {
    /// The socket addresses that `listen` names.
    pub fn addresses(&self) -> Result<Vec<SocketAddr>> {
        let listen = self.listen.trim();
        let with_port = if listen.parse::<std::net::Ipv6Addr>().is_ok() {
            format!("[{listen}]:{DEFAULT_PORT}")
        } else if let Some(port) = listen.strip_prefix(':') {
            // Dual stack: also takes IPv4.
            format!("[::]:{port}")
        } else if listen.contains(':') && !listen.ends_with(']') {
            listen.to_owned()
        } else {
            format!("{listen}:{DEFAULT_PORT}")
        };
        let invalid = |source| Error::with(code::INVALID_CONFIG_OPTION, format!("cannot listen on {listen:?}: {source}; give host:port")).caused_by(source);
        Ok(with_port.to_socket_addrs().map_err(invalid)?.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_of_an_address() {
        for (listen, address) in [
            ("127.0.0.1:0", "127.0.0.1:0"),
            ("127.0.0.1", "127.0.0.1:6041"),
            (":6042", "[::]:6042"),
            ("::1", "[::1]:6041"),
            ("[::1]", "[::1]:6041"),
            ("[::1]:7", "[::1]:7"),
            ("0.0.0.0:6041", "0.0.0.0:6041"),
        ] {
            let options = ServerOptions { listen: listen.into(), ..ServerOptions::default() };
            assert_eq!(options.addresses().unwrap(), [address.parse().unwrap()], "{listen}");
        }
        for listen in ["", "127.0.0.1:70000", "127.0.0.1:x"] {
            assert!(ServerOptions { listen: listen.into(), ..ServerOptions::default() }.addresses().is_err(), "{listen}");
        }
    }
}
