//! Listeners for datagrams: statsd and collectd (spec/protocols.md 2.4). Datagrams are taken in as they come, and what they come to is written
//! at intervals, the next while the last is on its way; what cannot be held is dropped, as datagrams are.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use embudo_types::{Error, Result};
use embudo_wire::{
    collectd::{self, TypeSet},
    schemaless::{LineProtocol, LineWriter},
    statsd::{self, Gathering},
};
use tokio::{
    net::UdpSocket,
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};

use super::unattended::{self, Destination};
use crate::{
    options::{ListenerOptions, ServerOptions},
    router::State,
};

/// The largest datagram there is.
const DATAGRAM: usize = 64 << 10;
/// Bytes of points that wait to be written.
const WAITING: usize = 4 << 20;
/// How often points of collectd are written.
const COLLECTD_INTERVAL: Duration = Duration::from_millis(200);
/// Series and members of sets that an interval of statsd holds.
const STATSD_SERIES: usize = 100_000;

/// What datagrams come to.
trait Gatherer: Send {
    /// Takes a datagram in.
    fn take(&mut self, datagram: &[u8]);

    /// The lines since the last time.
    fn lines(&mut self) -> String;
}

/// A bound socket.
pub struct Listener {
    socket: UdpSocket,
    options: ListenerOptions,
    gatherer: Box<dyn Gatherer>,
    interval: Duration,
}

impl Listener {
    /// Listens for statsd.
    pub async fn statsd(listener: &ListenerOptions, options: &ServerOptions) -> Result<Self> {
        let gatherer = Statsd { gathering: Gathering::new(STATSD_SERIES) };
        Self::bind(listener, options, Box::new(gatherer), options.statsd_interval.max(Duration::from_millis(10))).await
    }

    /// Listens for collectd.
    pub async fn collectd(listener: &ListenerOptions, options: &ServerOptions) -> Result<Self> {
        let types = match &options.collectd_types {
            None => TypeSet::standard(),
            Some(path) => {
                let text = std::fs::read_to_string(path).map_err(|source| Error::io(format!("reading {}", path.display()), source))?;
                TypeSet::with_file(&text)?
            }
        };
        Self::bind(listener, options, Box::new(Collectd { types, lines: LineWriter::new() }), COLLECTD_INTERVAL).await
    }

    async fn bind(listener: &ListenerOptions, options: &ServerOptions, gatherer: Box<dyn Gatherer>, interval: Duration) -> Result<Self> {
        let address = unattended::address(listener, options).await?;
        let socket = UdpSocket::bind(address).await.map_err(|source| Error::io(format!("listening for datagrams on {address}"), source))?;
        Ok(Self { socket, options: listener.clone(), gatherer, interval })
    }

    /// Where it listens.
    pub fn address(&self) -> Option<SocketAddr> {
        self.socket.local_addr().ok()
    }

    /// Serves until `stopped` says so, and writes what it has then.
    pub async fn serve(mut self, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
        let destination = Destination::new(state, self.options, LineProtocol::Influx);
        let mut buffer = vec![0; DATAGRAM];
        let mut ticks = interval(self.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut writing: Option<JoinHandle<()>> = None;
        loop {
            tokio::select! {
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, _)) => self.gatherer.take(&buffer[..length]),
                    Err(error) => tracing::debug!(%error, "no datagram"),
                },
                _ = ticks.tick() => {
                    if writing.as_ref().is_none_or(JoinHandle::is_finished) {
                        let text = self.gatherer.lines();
                        let destination = Arc::clone(&destination);
                        writing = (!text.is_empty()).then(|| tokio::spawn(async move { destination.write(text).await }));
                    }
                }
                _ = stopped.wait_for(|stop| *stop) => break,
            }
        }
        if let Some(writing) = writing {
            // A failed write is in the log.
            let _ = writing.await;
        }
        let text = self.gatherer.lines();
        if !text.is_empty() {
            destination.write(text).await;
        }
    }
}

/// Nanoseconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

struct Statsd {
    gathering: Gathering,
}

impl Gatherer for Statsd {
    fn take(&mut self, datagram: &[u8]) {
        for line in String::from_utf8_lossy(datagram).lines() {
            if let Err(error) = statsd::parse_line(line, &mut |metric| self.gathering.add(&metric)) {
                tracing::debug!(%error, "a line was refused");
            }
        }
    }

    fn lines(&mut self) -> String {
        let dropped = self.gathering.dropped();
        if dropped > 0 {
            tracing::warn!(dropped, "statsd: more series than an interval holds");
        }
        self.gathering.finish(now())
    }
}

struct Collectd {
    types: TypeSet,
    lines: LineWriter,
}

impl Gatherer for Collectd {
    fn take(&mut self, datagram: &[u8]) {
        if self.lines.len() > WAITING {
            return tracing::warn!("collectd: more values than can be written; dropped");
        }
        let (types, lines, now) = (&self.types, &mut self.lines, now());
        if let Err(error) = collectd::parse(datagram, &mut |list| collectd::write_lines(list, types, now, lines)) {
            tracing::debug!(%error, "a datagram was refused");
        }
    }

    fn lines(&mut self) -> String {
        std::mem::take(&mut self.lines).finish()
    }
}
