//! OpenTSDB's telnet protocol on a TCP port of its own (spec/protocols.md 2.4): lines as they come, no answer but to `version`. The protocol
//! knows no login, so whoever reaches the port writes as the configured user.

use std::sync::Arc;

use embudo_engine::{LineOptions, Session};
use embudo_types::{Error, Result};
use embudo_wire::schemaless::LineProtocol;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
};

use crate::{options::TelnetOptions, router::State};

/// Open connections; further ones wait to be accepted.
const CONNECTIONS: usize = 250;
/// Longest line in bytes; who sends a longer one is cut off.
const LINE_BYTES: usize = 64 << 10;
/// How much is read at once, and so written in one call.
const READ_BYTES: usize = 64 << 10;

/// Listens where the options say.
pub async fn bind(options: &TelnetOptions) -> Result<TcpListener> {
    let failed = |source| Error::io(format!("listening for OpenTSDB telnet on {}", options.listen), source);
    TcpListener::bind(&options.listen).await.map_err(failed)
}

/// Serves until `stopped` says so.
pub async fn serve(listener: TcpListener, options: TelnetOptions, state: Arc<State>, mut stopped: watch::Receiver<bool>) {
    let (places, options) = (Arc::new(Semaphore::new(CONNECTIONS)), Arc::new(options));
    loop {
        let next = async { (Arc::clone(&places).acquire_owned().await, listener.accept().await) };
        let (permit, stream) = tokio::select! {
            next = next => next,
            _ = stopped.wait_for(|stop| *stop) => return,
        };
        match stream {
            Ok((stream, _)) => {
                let (state, options, mut stopped) = (Arc::clone(&state), Arc::clone(&options), stopped.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        () = converse(stream, &state, &options) => {}
                        _ = stopped.wait_for(|stop| *stop) => {}
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept an OpenTSDB connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            }
        }
    }
}

/// One connection, until it closes. Lines are written as many as have arrived.
async fn converse(mut stream: TcpStream, state: &Arc<State>, options: &Arc<TelnetOptions>) {
    let (mut kept, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        let length = match stream.read(&mut chunk).await {
            Ok(0) => 0,
            Ok(length) => length,
            Err(error) => return tracing::debug!(%error, "an OpenTSDB connection broke"),
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
            write(state, options, points.join("\n")).await;
        }
        if length == 0 {
            return;
        }
    }
}

/// Writes lines together; where one of them is refused, each by itself, so that only bad ones are lost.
async fn write(state: &Arc<State>, options: &Arc<TelnetOptions>, text: String) {
    let (engine, options) = (Arc::clone(&state.engine), Arc::clone(options));
    let outcome = state.turns.first(move || {
        let session = engine.session(&options.user)?;
        session.use_database(&options.database)?;
        Ok(match write_text(&session, &text) {
            Ok(rows) => rows,
            Err(_) => text
                .lines()
                .map(|line| {
                    write_text(&session, line).unwrap_or_else(|error| {
                        tracing::warn!(%error, "an OpenTSDB line was refused");
                        0
                    })
                })
                .sum(),
        })
    });
    match outcome.await.and_then(|outcome| outcome) {
        Ok(rows) => state.metrics.rows_affected(rows),
        Err(error) => tracing::warn!(%error, "OpenTSDB lines were refused"),
    }
}

fn write_text(session: &Session, text: &str) -> Result<u64> {
    session.write_lines(text, &LineOptions::new(LineProtocol::Telnet)).map(|written| written.affected_rows)
}
