//! One WebSocket connection, shared by threads: requests carry an id, replies are handed to whoever waits for it. There is no reading
//! thread: of the threads that wait, one reads for all. A process-wide keeper pings idle links, so that a server never counts them dead.

use std::{
    collections::HashMap,
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use embudo_types::{Error, Result, code};
use embudo_wire::websocket::{Decoder, Encoder, Message, Role};
use serde_json::Value as Json;

use super::{handshake, reply::Reply, stream::Stream};
use crate::{Dsn, Host};

/// Largest message taken from a server.
const LARGEST: usize = 512 << 20;
/// How often idle links are looked after.
const KEEP: Duration = Duration::from_secs(30);

/// A connection after its upgrade.
pub struct Link {
    host: Host,
    stream: Stream,
    writer: Mutex<Encoder>,
    reader: Mutex<Reader>,
    state: Mutex<State>,
    changed: Condvar,
    next_request: AtomicU64,
}

struct Reader {
    decoder: Decoder,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct State {
    /// Requests under way, with the reply once it has come.
    waiting: HashMap<u64, Option<Reply>>,
    /// Why nothing goes any more.
    broken: Option<Error>,
    /// Whether a thread reads for all; set and cleared under this lock, so that no one sleeps while nobody reads.
    reading: bool,
    last_used: Option<Instant>,
}

impl Link {
    /// Connects and upgrades; `path` is that of the endpoint.
    pub fn open(dsn: &Dsn, host: &Host, path: &str) -> Result<Arc<Self>> {
        let stream = Stream::connect(dsn, host)?;
        let upgraded = handshake::upgrade(&stream, dsn, host, path)?;
        let mut decoder = Decoder::new(Role::Client, upgraded.deflates, LARGEST);
        decoder.feed(&upgraded.rest);
        let link = Arc::new(Self {
            host: host.clone(),
            stream,
            writer: Mutex::new(Encoder::new(Role::Client, upgraded.deflates, handshake::random())),
            reader: Mutex::new(Reader { decoder, buffer: vec![0; 256 * 1024] }),
            state: Mutex::default(),
            changed: Condvar::new(),
            next_request: AtomicU64::new(1 << 32),
        });
        keeper::watch(&link);
        Ok(link)
    }

    /// An id that no request of this link has had.
    pub fn next_request(&self) -> u64 {
        self.next_request.fetch_add(1, Ordering::Relaxed)
    }

    /// Whether requests can still go out.
    pub fn is_usable(&self) -> bool {
        self.state().broken.is_none()
    }

    /// Sends a JSON action and waits for its reply.
    pub fn call(&self, action: &str, mut arguments: Json, deadline: Option<Instant>) -> Result<Json> {
        let request = self.next_request();
        arguments["req_id"] = request.into();
        let text = serde_json::json!({ "action": action, "args": arguments }).to_string();
        self.send(request, |encoder, out| encoder.text(&text, out))?;
        match self.wait(request, deadline)? {
            Reply::Json(json) => Ok(json),
            Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, format!("{} answered {action} with bytes", self.host))),
        }
    }

    /// Sends a binary message that carries the id `request`; [`Self::wait`] gives the reply.
    pub fn send_binary(&self, request: u64, bytes: &[u8]) -> Result<()> {
        self.send(request, |encoder, out| encoder.binary(bytes, out))
    }

    /// Asks for the block of a result that `fetch` announced. The reply carries the result's id where others carry the request's, so both
    /// are the same here; ids of requests begin far above those of results.
    pub fn call_for_block(&self, result: u64, deadline: Option<Instant>) -> Result<Reply> {
        let text = serde_json::json!({ "action": "fetch_block", "args": { "req_id": result, "id": result } }).to_string();
        self.send(result, |encoder, out| encoder.text(&text, out))?;
        self.wait(result, deadline)
    }

    /// Gives up a request: whoever waits for it gets `QUERY_TERMINATED`, its reply is dropped.
    pub fn abandon(&self, request: u64) {
        self.forget(request);
        self.changed.notify_all();
    }

    /// Ends everything that is under way with `QUERY_TERMINATED`, and the connection with it.
    pub fn interrupt(&self) {
        self.state().broken.get_or_insert_with(|| Error::new(code::QUERY_TERMINATED));
        self.close();
    }

    /// Sends a JSON action that has no reply.
    pub fn tell(&self, action: &str, mut arguments: Json) -> Result<()> {
        arguments["req_id"] = self.next_request().into();
        let text = serde_json::json!({ "action": action, "args": arguments }).to_string();
        self.write(|encoder, out| encoder.text(&text, out))
    }

    fn send(&self, request: u64, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Result<()> {
        self.state().waiting.insert(request, None);
        let sent = self.write(encode);
        if sent.is_err() {
            self.forget(request);
        }
        sent
    }

    fn write(&self, encode: impl FnOnce(&mut Encoder, &mut Vec<u8>)) -> Result<()> {
        if let Some(error) = &self.state().broken {
            return Err(error.clone());
        }
        let mut encoder = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut bytes = Vec::new();
        encode(&mut encoder, &mut bytes);
        self.stream.write_all(&bytes).map_err(|error| self.fail(&error))
    }

    /// The reply to `request`; late ones, after an error here, are dropped.
    pub fn wait(&self, request: u64, deadline: Option<Instant>) -> Result<Reply> {
        let result = self.wait_for(request, deadline);
        self.forget(request);
        result
    }

    fn wait_for(&self, request: u64, deadline: Option<Instant>) -> Result<Reply> {
        loop {
            let mut state = self.state();
            match state.waiting.get_mut(&request).map(Option::take) {
                Some(Some(reply)) => return Ok(reply),
                Some(None) => {}
                None => return Err(Error::new(code::QUERY_TERMINATED)),
            }
            if let Some(error) = &state.broken {
                return Err(error.clone());
            }
            let left = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(Error::with(code::CONN_READ_TIMEOUT, format!("{} did not answer within the timeout", self.host))),
                left => left,
            };
            if state.reading {
                match left {
                    Some(left) => drop(self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner)),
                    None => drop(self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)),
                }
            } else {
                state.reading = true;
                drop(state);
                self.read_for_all(left)?;
            }
        }
    }

    /// One round of reading by the thread that set `reading`.
    fn read_for_all(&self, limit: Option<Duration>) -> Result<()> {
        let outcome = self.read_some(&mut self.reader.lock().unwrap_or_else(PoisonError::into_inner), limit);
        self.state().reading = false;
        self.changed.notify_all();
        outcome
    }

    /// Reads until at least one message was handled or the time is over.
    fn read_some(&self, reader: &mut Reader, limit: Option<Duration>) -> Result<()> {
        if self.handle_decoded(reader)? {
            return Ok(());
        }
        self.stream.set_read_timeout(limit).map_err(|error| self.fail(&error))?;
        match self.stream.read(&mut reader.buffer) {
            Ok(0) => Err(self.fail(&io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                let Reader { decoder, buffer } = reader;
                decoder.feed(&buffer[..count]);
                self.handle_decoded(reader).map(|_| ())
            }
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted) => Ok(()),
            Err(error) => Err(self.fail(&error)),
        }
    }

    fn handle_decoded(&self, reader: &mut Reader) -> Result<bool> {
        let mut any = false;
        loop {
            match reader.decoder.next() {
                Ok(None) => return Ok(any),
                Ok(Some(message)) => self.handle(message)?,
                Err(violation) => return Err(self.fail(&io::Error::new(io::ErrorKind::InvalidData, violation))),
            }
            any = true;
        }
    }

    fn handle(&self, message: Message) -> Result<()> {
        let reply = match message {
            Message::Ping(bytes) => return self.write(|encoder, out| encoder.encode(&Message::Pong(bytes), out)),
            Message::Pong(_) => return Ok(()),
            Message::Close(reason) => {
                let said = reason.map_or_else(String::new, |(code, reason)| format!(" ({code} {reason})"));
                return Err(self.fail(&io::Error::new(io::ErrorKind::ConnectionAborted, format!("the server closed it{said}"))));
            }
            Message::Text(text) => Reply::Json(serde_json::from_str(&text).map_err(|source| self.fail(&source.into()))?),
            Message::Binary(bytes) => Reply::Binary(bytes),
        };
        if let Some(request) = reply.request()
            && let Some(slot) = self.state().waiting.get_mut(&request)
        {
            *slot = Some(reply);
        }
        Ok(())
    }

    fn forget(&self, request: u64) {
        let mut state = self.state();
        state.waiting.remove(&request);
        state.last_used = Some(Instant::now());
    }

    /// Marks the link broken and gives the error that tells of it.
    fn fail(&self, source: &io::Error) -> Error {
        let error = Error::with(code::CONN_IS_BROKEN, format!("the connection to {} failed: {source}", self.host));
        let mut state = self.state();
        let first = state.broken.get_or_insert(error).clone();
        drop(state);
        self.stream.shutdown();
        self.changed.notify_all();
        first
    }

    /// Says goodbye and ends the connection.
    pub fn close(&self) {
        // The other end may be gone; then there is nobody to say it to.
        let _ = self.write(|encoder, out| encoder.encode(&Message::Close(Some((1000, String::new()))), out));
        self.state().broken.get_or_insert_with(|| Error::with(code::INVALID_OPTION, "the connection is closed"));
        self.stream.shutdown();
        self.changed.notify_all();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pings an idle link and takes what has come to it.
    fn keep(&self) {
        let is_idle = { self.state().last_used.is_none_or(|used| used.elapsed() >= KEEP) };
        if !is_idle || self.write(|encoder, out| encoder.encode(&Message::Ping(Vec::new()), out)).is_err() {
            return;
        }
        if !std::mem::replace(&mut self.state().reading, true) {
            // A failure marks the link; the next call tells.
            let _ = self.read_for_all(Some(Duration::from_millis(1)));
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.close();
    }
}

/// The one thread that looks after idle links of the process.
mod keeper {
    use super::{Arc, KEEP, Link, Mutex, PoisonError, Weak, thread};

    static LINKS: Mutex<(Vec<Weak<Link>>, bool)> = Mutex::new((Vec::new(), false));

    pub(super) fn watch(link: &Arc<Link>) {
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        links.0.push(Arc::downgrade(link));
        if !links.1 {
            // Without the thread links still work; only idle ones may be closed by the server, and are then opened again.
            links.1 = thread::Builder::new().name("embudo-keeper".into()).stack_size(128 * 1024).spawn(run).is_ok();
        }
    }

    fn run() {
        loop {
            thread::sleep(KEEP);
            let links: Vec<Arc<Link>> = {
                let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
                links.0.retain(|link| link.strong_count() > 0);
                links.0.iter().filter_map(Weak::upgrade).collect()
            };
            for link in &links {
                link.keep();
            }
        }
    }

    /// In the child of a fork the thread is gone and the links are the parent's.
    pub(crate) fn after_fork() {
        if let Ok(mut links) = LINKS.try_lock() {
            std::mem::forget(std::mem::take(&mut links.0));
            links.1 = false;
        }
    }
}

pub(crate) use keeper::after_fork;
