//! What the listeners have in common whose protocols know no login: their address, which stays on this machine unless the options open it; the
//! user and the database that points go to; writing without anybody to tell of a failure but the log.

use std::{net::SocketAddr, sync::Arc};

use embudo_engine::{LineOptions, Session};
use embudo_types::{Error, Result, code};
use embudo_wire::schemaless::LineProtocol;

use crate::{
    options::{ListenerOptions, ServerOptions},
    router::State,
};

/// Where a listener listens: `host:port`, or a port of this machine.
pub async fn address(listener: &ListenerOptions, options: &ServerOptions) -> Result<SocketAddr> {
    let listen = listener.listen.trim();
    let port = listen.strip_prefix(':').unwrap_or(listen);
    let wanted = if port.bytes().all(|byte| byte.is_ascii_digit()) { format!("127.0.0.1:{port}") } else { listen.to_owned() };
    let invalid = |what: String| Error::with(code::INVALID_CONFIG_OPTION, what);
    let mut addresses = tokio::net::lookup_host(&wanted).await.map_err(|source| invalid(format!("cannot listen on {wanted}: {source}")).caused_by(source))?;
    let address = addresses.next().ok_or_else(|| invalid(format!("{wanted} names no address")))?;
    if !address.ip().is_loopback() && !options.open_listeners {
        let what = format!("will not listen on {address} for a protocol without login; set open-listeners if only friends can reach that address");
        return Err(invalid(what));
    }
    Ok(address)
}

/// Where points go.
pub struct Destination {
    state: Arc<State>,
    options: ListenerOptions,
    protocol: LineProtocol,
}

impl Destination {
    /// Points of this protocol, as the options say.
    pub fn new(state: Arc<State>, options: ListenerOptions, protocol: LineProtocol) -> Arc<Self> {
        Arc::new(Self { state, options, protocol })
    }

    /// Writes lines together; where one of them is refused, each by itself, so that only bad ones are lost. The database is made where it is
    /// missing.
    pub async fn write(self: &Arc<Self>, text: String) {
        let here = Arc::clone(self);
        let outcome = self.state.turns.first(move || {
            let session = here.state.engine.session(&here.options.user)?;
            here.enter(&session)?;
            Ok(here.write_text(&session, &text).unwrap_or_else(|_| text.lines().map(|line| here.write_line(&session, line)).sum()))
        });
        match outcome.await.and_then(|outcome| outcome) {
            Ok(rows) => self.state.metrics.rows_affected(rows),
            Err(error) => tracing::warn!(%error, database = self.options.database, "points were lost"),
        }
    }

    fn enter(&self, session: &Session) -> Result<()> {
        match session.use_database(&self.options.database) {
            Err(error) if error.code() == code::DATABASE_NOT_EXIST => {
                let name = self.options.database.replace('`', "``");
                session.execute(&format!("CREATE DATABASE IF NOT EXISTS `{name}` PRECISION 'ns'"), &[])?;
                session.use_database(&self.options.database)
            }
            outcome => outcome,
        }
    }

    fn write_text(&self, session: &Session, text: &str) -> Result<u64> {
        session.write_lines(text, &LineOptions::new(self.protocol)).map(|written| written.affected_rows)
    }

    fn write_line(&self, session: &Session, line: &str) -> u64 {
        self.write_text(session, line).unwrap_or_else(|error| {
            tracing::warn!(%error, database = self.options.database, "a point was refused");
            0
        })
    }
}
