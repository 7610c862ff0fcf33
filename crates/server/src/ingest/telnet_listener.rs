//! OpenTSDB's telnet protocol on a TCP port of its own (spec/protocols.md 2.4): lines as they come, no answer but to `version`. The protocol
//! knows no login, so whoever reaches the port writes as the configured user.

use std::{sync::Arc, time::Duration};

use embudo_types::{Error, Result};
use embudo_wire::schemaless::LineProtocol;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::timeout,
};

use super::unattended::{self, Destination};
use crate::{
    options::{ListenerOptions, ServerOptions},
    router::State,
};

/// Open connections; further ones wait to be accepted.
const CONNECTIONS: usize = 250;
/// Longest line in bytes; who sends a longer one is cut off.
const LINE_BYTES: usize = 64 << 10;
/// How much is read at once, and so written in one call.
const READ_BYTES: usize = 64 << 10;

/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(3_600);

/// Listens where the options say.
pub async fn bind(listener: &ListenerOptions, options: &ServerOptions) -> Result<TcpListener> {
    let address = unattended::address(listener, options).await?;
    TcpListener::bind(address).await.map_err(|source| Error::io(format!("listening for OpenTSDB telnet on {address}"), source))
}

/// Serves until `stopped` says so.
pub async fn serve(listener: TcpListener, options: ListenerOptions, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    let (places, destination) = (Arc::new(Semaphore::new(CONNECTIONS)), Destination::new(state, options, LineProtocol::Telnet));
    loop {
        let next = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) };
        let (permit, stream) = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        match stream {
            Ok((stream, _)) => {
                let (destination, mut stopped) = (Arc::clone(&destination), stopped.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = converse(stream, &destination) => {}
                        _ = stopped.wait_for(|stop| *stop) => {}
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an OpenTSDB connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection, until it closes. Lines are written as many as have arrived.
async fn converse(mut stream: TcpStream, destination: &Arc<Destination>) {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        let length = match timeout(SILENCE, stream.read(&mut chunk)).await {
            Ok(Ok(length)) => length,
            Ok(Err(error)) => return tracing::debug!(%error, "an OpenTSDB connection broke"),
            Err(_) => return tracing::debug!("an OpenTSDB connection was silent; closed"),
        };
        kept.extend_from_slice(&chunk[..length]);
        // What stands behind the last line feed goes on with the next chunk; the connection's end ends a line too.
        let end = if length == 0 { kept.len() } else { kept.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1) };
        let text = String::from_utf8_lossy(&kept[..end]).into_owned();
        kept.drain(..end);
        if kept.len() > LINE_BYTES {
            return tracing::warn!("an OpenTSDB connection sent a line of more than {LINE_BYTES} bytes; closed");
        }
        let (questions, points): (Vec<&str>, Vec<&str>) = text.lines().filter(|line| !line.trim().is_empty()).partition(|line| line.trim() == "version");
        if stream.write_all("1\n".repeat(questions.len()).as_bytes()).await.is_err() {
            return;
        }
        if !points.is_empty() {
            destination.write(points.join("\n")).await;
        }
        if length == 0 {
            return;
        }
    }
}
