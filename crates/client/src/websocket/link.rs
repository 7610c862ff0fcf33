//! One WebSocket connection, shared by threads: requests carry an id, replies are handed to whoever waits for it. There is no reading
//! thread until a future waits: of the threads that wait, one reads for all. A process-wide keeper pings idle links, so that a server never
//! counts them dead.

use std::{
    collections::{HashMap, HashSet},
    future::poll_fn,
    io,
    sync::{
        Arc, Condvar, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, Waker},
    thread,
    time::{Duration, Instant},
};

use embudo_types::{Error, Result, code};
use embudo_wire::websocket::{Decoder, Encoder, Message, Role};
use serde_json::Value as Json;

use super::{handshake, reply::Reply, stream::Stream};
use crate::{Dsn, Host, deadline::Deadline};

/// Largest message taken from a server.
const LARGEST: usize = 512 << 20;
/// How often idle links are looked after.
const KEEP: Duration = Duration::from_secs(30);
/// How long the reading thread of a link that was let go may live on.
const READ: Duration = Duration::from_secs(1);

/// A connection after its upgrade.
pub struct Link {
    host: Host,
    executes: bool,
    stream: Stream,
    writer: Mutex<Encoder>,
    reader: Mutex<Reader>,
    state: Mutex<State>,
    changed: Condvar,
    next_request: AtomicU64,
    /// Whether the link has a reading thread.
    has_reader: AtomicBool,
}

/// A request under way.
#[derive(Default)]
struct Slot {
    /// The reply once it has come.
    reply: Option<Reply>,
    /// Whether its time is over.
    is_late: bool,
    /// The future that waits for it.
    waker: Option<Waker>,
}

struct Reader {
    decoder: Decoder,
    buffer: Vec<u8>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<u64, Slot>,
    /// Queries that were given up before their answer came; the result that it names is let go.
    orphans: HashSet<u64>,
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
            executes: upgraded.executes,
            stream,
            writer: Mutex::new(Encoder::new(Role::Client, upgraded.deflates, handshake::random())),
            reader: Mutex::new(Reader { decoder, buffer: vec![0; 256 * 1024] }),
            state: Mutex::default(),
            changed: Condvar::new(),
            next_request: AtomicU64::new(1 << 32),
            has_reader: AtomicBool::new(false),
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

    /// Whether the server has Embudo's own actions ([`embudo_wire::execution`]).
    pub fn executes(&self) -> bool {
        self.executes
    }

    /// Sends a JSON action and waits for its reply.
    pub fn call(&self, action: &str, arguments: Json, deadline: Option<Instant>) -> Result<Json> {
        let request = self.next_request();
        self.send_action(request, action, arguments)?;
        match self.wait(request, deadline)? {
            Reply::Json(json) => Ok(json),
            Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, format!("{} answered {action} with bytes", self.host))),
        }
    }

    /// Sends a JSON action that carries the id `request`; [`Self::wait`] gives the reply.
    pub fn send_action(&self, request: u64, action: &str, mut arguments: Json) -> Result<()> {
        arguments["req_id"] = request.into();
        let text = serde_json::json!({ "action": action, "args": arguments }).to_string();
        self.send(request, |encoder, out| encoder.text(&text, out))
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

    /// Gives up a query: a server that can stops it, and the result that a late answer names is let go.
    pub fn cancel_query(&self, request: u64) {
        let answered = { self.state().waiting.get_mut(&request).and_then(|slot| slot.reply.take()) };
        if let Some(reply) = answered {
            self.free_result_of(&reply);
        } else {
            self.state().orphans.insert(request);
            // Servers that do not know the action answer so, to nobody.
            let _ = self.tell("cancel", serde_json::json!({ "id": request }));
        }
        self.abandon(request);
    }

    fn free_result_of(&self, reply: &Reply) {
        if let Some(id) = reply.held_result() {
            // Where the link is broken the server has freed it already.
            let _ = self.tell("free_result", serde_json::json!({ "id": id }));
        }
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
        self.state().waiting.insert(request, Slot::default());
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

    /// As [`Self::wait`], but a reply that has not come by then may be waited for again.
    pub fn wait_until(&self, request: u64, deadline: Instant) -> Result<Option<Reply>> {
        match self.wait_for(request, Some(deadline)) {
            Err(error) if error.code() == code::CONN_READ_TIMEOUT => Ok(None),
            other => {
                self.forget(request);
                other.map(Some)
            }
        }
    }

    fn wait_for(&self, request: u64, deadline: Option<Instant>) -> Result<Reply> {
        loop {
            let mut state = self.state();
            match state.waiting.get_mut(&request).map(|slot| slot.reply.take()) {
                Some(Some(reply)) => return Ok(reply),
                Some(None) => {}
                None => return Err(Error::new(code::QUERY_TERMINATED)),
            }
            if let Some(error) = &state.broken {
                return Err(error.clone());
            }
            let left = match deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())) {
                Some(Duration::ZERO) => return Err(self.late()),
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

    fn late(&self) -> Error {
        Error::with(code::CONN_READ_TIMEOUT, format!("{} did not answer within the timeout", self.host))
    }

    /// As [`Self::wait`], as a future: dropped, it gives the request up. The link needs its reading thread.
    pub async fn reply(self: &Arc<Self>, request: u64, deadline: Option<Instant>) -> Result<Reply> {
        let watch = deadline.map(|deadline| {
            let link = Arc::downgrade(self);
            let expire = move || link.upgrade().into_iter().for_each(|link| link.expire(request));
            Deadline::start(deadline.saturating_duration_since(Instant::now()), Box::new(expire))
        });
        let _watch = watch.transpose()?;
        let _forget = Forget { link: self, request };
        poll_fn(|context| {
            let mut state = self.state();
            let broken = state.broken.clone();
            let Some(slot) = state.waiting.get_mut(&request) else { return Poll::Ready(Err(Error::new(code::QUERY_TERMINATED))) };
            match (slot.reply.take(), broken) {
                (Some(reply), _) => return Poll::Ready(Ok(reply)),
                (None, Some(error)) => return Poll::Ready(Err(error)),
                (None, None) if slot.is_late => return Poll::Ready(Err(self.late())),
                (None, None) => slot.waker = Some(context.waker().clone()),
            }
            Poll::Pending
        })
        .await
    }

    /// As [`Self::call`], as a future.
    pub async fn request(self: &Arc<Self>, action: &str, arguments: Json, deadline: Option<Instant>) -> Result<Json> {
        let request = self.next_request();
        self.send_action(request, action, arguments)?;
        match self.reply(request, deadline).await? {
            Reply::Json(json) => Ok(json),
            Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, format!("{} answered {action} with bytes", self.host))),
        }
    }

    /// As [`Self::call_for_block`], as a future.
    pub async fn request_block(self: &Arc<Self>, result: u64, deadline: Option<Instant>) -> Result<Reply> {
        let text = serde_json::json!({ "action": "fetch_block", "args": { "req_id": result, "id": result } }).to_string();
        self.send(result, |encoder, out| encoder.text(&text, out))?;
        self.reply(result, deadline).await
    }

    fn expire(&self, request: u64) {
        let waker = self.state().waiting.get_mut(&request).and_then(|slot| {
            slot.is_late = true;
            slot.waker.take()
        });
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Starts the thread that reads for futures; it ends with the link.
    pub fn ensure_reader(self: &Arc<Self>) -> Result<()> {
        if self.has_reader.swap(true, Ordering::AcqRel) {
            return Ok(());
        }
        let link = Arc::downgrade(self);
        let body = move || {
            while let Some(link) = link.upgrade()
                && link.is_usable()
            {
                let mut state = link.state();
                if state.reading {
                    // Another thread reads, and says when it stops.
                    drop(link.changed.wait_timeout(state, READ).unwrap_or_else(PoisonError::into_inner));
                    continue;
                }
                state.reading = true;
                drop(state);
                // A failure marks the link and tells all who wait.
                let _ = link.read_for_all(Some(READ));
            }
        };
        let started = thread::Builder::new().name("embudo-reader".into()).stack_size(256 * 1024).spawn(body);
        started.map(drop).map_err(|source| {
            self.has_reader.store(false, Ordering::Release);
            Error::io("starting a thread", source)
        })
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
        let Some(request) = reply.request() else { return Ok(()) };
        let mut state = self.state();
        let Some(slot) = state.waiting.get_mut(&request) else {
            let is_orphan = state.orphans.remove(&request);
            drop(state);
            if is_orphan {
                self.free_result_of(&reply);
            }
            return Ok(());
        };
        slot.reply = Some(reply);
        let waker = slot.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
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
        self.wake_all();
        first
    }

    /// Whoever waits, thread or future, looks again.
    fn wake_all(&self) {
        self.changed.notify_all();
        let wakers: Vec<Waker> = self.state().waiting.values_mut().filter_map(|slot| slot.waker.take()).collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Says goodbye and ends the connection.
    pub fn close(&self) {
        // The other end may be gone; then there is nobody to say it to.
        let _ = self.write(|encoder, out| encoder.encode(&Message::Close(Some((1000, String::new()))), out));
        self.state().broken.get_or_insert_with(|| Error::with(code::INVALID_OPTION, "the connection is closed"));
        self.stream.shutdown();
        self.wake_all();
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

/// Forgets a request when the future that waits for it is dropped.
struct Forget<'a> {
    link: &'a Link,
    request: u64,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.link.forget(self.request);
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
