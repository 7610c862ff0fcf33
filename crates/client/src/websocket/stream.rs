//! A byte stream to a host that one thread reads while others write: plain TCP, or TLS by rustls.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, TcpStream, ToSocketAddrs},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use embudo_types::{Error, Result, code};
use rustls::{ClientConnection, pki_types::ServerName};

use crate::{Dsn, Host, rest::nothing_answers, tls::Tls};

/// A connected stream. Reading and writing take `&self`.
pub struct Stream {
    socket: TcpStream,
    tls: Option<Mutex<ClientConnection>>,
}

impl Stream {
    /// Connects to a host as the DSN says.
    pub fn connect(dsn: &Dsn, host: &Host) -> Result<Self> {
        let limit = dsn.duration("connect_timeout")?.unwrap_or(Duration::from_secs(10));
        let socket = open(host, limit)?;
        let failed = |source: io::Error| Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, format!("connecting to {host}: {source}")).caused_by(source);
        socket.set_nodelay(dsn.flag("tcp_nodelay")?.unwrap_or(true)).map_err(failed)?;
        socket.set_write_timeout(Some(Duration::from_secs(60))).map_err(failed)?;
        let tls = if dsn.tls { Some(Mutex::new(session(dsn, host)?)) } else { None };
        Ok(Self { socket, tls })
    }

    /// How long a read may wait; `None`: for ever.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        // The socket takes no zero.
        self.socket.set_read_timeout(limit.map(|limit| limit.max(Duration::from_millis(1))))
    }

    /// Reads what there is, at least one byte unless the other end is done.
    pub fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return (&self.socket).read(buffer) };
        let mut encrypted = [0; 16 * 1024];
        loop {
            match tls.lock().unwrap_or_else(PoisonError::into_inner).reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                other => return other,
            }
            // Not under the lock: writers go on while this waits.
            let count = (&self.socket).read(&mut encrypted)?;
            if count == 0 {
                return Ok(0);
            }
            let mut rest = &encrypted[..count];
            let mut session = tls.lock().unwrap_or_else(PoisonError::into_inner);
            while !rest.is_empty() {
                session.read_tls(&mut rest)?;
                session.process_new_packets().map_err(|source| io::Error::new(io::ErrorKind::InvalidData, source))?;
            }
            self.flush(&mut session)?;
        }
    }

    /// Writes all bytes. Callers keep their messages apart.
    pub fn write_all(&self, bytes: &[u8]) -> io::Result<()> {
        let Some(tls) = &self.tls else { return (&self.socket).write_all(bytes) };
        let mut session = tls.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = session.writer().write(rest)?;
            rest = &rest[taken..];
            self.flush(&mut session)?;
        }
        Ok(())
    }

    /// Ends the connection; a read that waits returns.
    pub fn shutdown(&self) {
        // An end that is gone already is as good.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn flush(&self, session: &mut ClientConnection) -> io::Result<()> {
        while session.wants_write() {
            session.write_tls(&mut &self.socket)?;
        }
        Ok(())
    }
}

fn open(host: &Host, limit: Duration) -> Result<TcpStream> {
    let addresses = (host.name.as_str(), host.port).to_socket_addrs();
    let addresses =
        addresses.map_err(|source| Error::with(code::UNABLE_TO_RESOLVE_FQDN, format!("the host name {} cannot be resolved", host.name)).caused_by(source))?;
    let mut last = None;
    for address in addresses {
        match TcpStream::connect_timeout(&address, limit) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = Some(error),
        }
    }
    Err(match last {
        Some(error) if error.kind() == io::ErrorKind::TimedOut => {
            Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, format!("no connection to {host} within the connect timeout")).caused_by(error)
        }
        Some(error) => Error::with(code::UNABLE_TO_ESTABLISH_CONNECTION, nothing_answers(host)).caused_by(error),
        None => Error::with(code::UNABLE_TO_RESOLVE_FQDN, format!("the host name {} has no address", host.name)),
    })
}

fn session(dsn: &Dsn, host: &Host) -> Result<ClientConnection> {
    let refused = |what: String| Error::with(code::INVALID_CONFIG_OPTION, what);
    let name = ServerName::try_from(host.name.clone()).map_err(|source| refused(format!("{} is no name for TLS", host.name)).caused_by(source))?;
    ClientConnection::new(Tls::of(dsn)?.rustls()?, name).map_err(|source| refused(format!("TLS to {host}: {source}")).caused_by(source))
}
