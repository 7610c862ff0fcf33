//! Subscriptions over `/rest/tmq` (spec/protocols.md 3.8).
//!
//! While a program works on a message the next one is asked for already. What the program has not seen is never committed, so commits name
//! their offsets. A connection that broke is opened again by the next poll, and the group goes on at what it committed; where it committed
//! nothing yet, at the first message that this consumer saw.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use embudo_types::{
    Error, Result, code,
    subscription::{Assignment, Message, MessageKind, OffsetReset, SubscribeOptions},
};
use embudo_wire::tmq::{self, RawMessage, body, frame, meta_json};
use serde_json::{Value as Json, json};

use super::{
    BINARY, connecting, is_since,
    link::Link,
    reply::{self, Reply},
};
use crate::{Dsn, Subscription};

/// The offset that stands for none: the code of "No committed info" as clients of TDengine count it.
const NONE: i64 = -2_147_467_247;
/// How often all hosts are tried again.
const RETRIES: u64 = 5;
/// The longest that a server is asked to wait.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// How long a poll waits while there is still something to go back to.
const GOING_BACK: Duration = Duration::from_millis(100);
/// How long it may take after a broken connection until vgroups are this consumer's again.
const REGAINED: Duration = Duration::from_secs(3);
/// How long a reply may take that has nothing to wait for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A consumer on a server.
pub struct WebSocketSubscription {
    dsn: Dsn,
    application: Option<String>,
    timeout: Duration,
    options: SubscribeOptions,
    /// Held by the thread that polls.
    polling: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    link: Option<Arc<Link>>,
    /// Whether the server gives whole messages in the present form.
    speaks_raw: bool,
    topics: Vec<String>,
    is_closed: bool,
    /// Whether a poll that waits shall end.
    is_interrupted: bool,
    /// The newest message that was fetched.
    seen: u64,
    /// The poll that is under way.
    asked: Option<u64>,
    /// A message that was fetched and that no poll has given yet.
    ready: Option<Message>,
    places: HashMap<(String, i32), Place>,
    /// Where to go back to once these vgroups are this consumer's again, and until when.
    lost: HashMap<(String, i32), (i64, Instant)>,
    last_commit: Option<Instant>,
}

/// How far the program is in a vgroup.
struct Place {
    /// Where the first message began that it got.
    first: i64,
    /// Behind the last one.
    next: i64,
    is_committed: bool,
}

impl WebSocketSubscription {
    /// Connects, and begins to consume.
    pub fn begin(dsn: &Dsn, application: Option<String>, timeout: Option<Duration>, options: SubscribeOptions) -> Result<Self> {
        let state = State { topics: options.topics.clone(), last_commit: Some(Instant::now()), ..State::default() };
        let timeout = timeout.unwrap_or(PATIENCE);
        let subscription = Self { dsn: dsn.clone(), application, timeout, options, polling: Mutex::default(), state: Mutex::new(state) };
        subscription.link()?;
        Ok(subscription)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// The connection, opened again where it broke.
    fn link(&self) -> Result<Arc<Link>> {
        let topics = {
            let state = self.state();
            if state.is_closed {
                return Err(Error::new(code::CONSUMER_CLOSED));
            }
            if let Some(link) = state.link.as_ref().filter(|link| link.is_usable()) {
                return Ok(Arc::clone(link));
            }
            state.topics.clone()
        };
        let (link, speaks_raw) = connecting::connect(&self.dsn, "/rest/tmq", RETRIES, |link| self.log_in(link, &topics))?;
        let mut state = self.state();
        if state.is_closed {
            return Err(Error::new(code::CONSUMER_CLOSED));
        }
        // Whatever the server had for this consumer is gone with its connection.
        (state.speaks_raw, state.seen, state.asked, state.ready) = (speaks_raw, 0, None, None);
        state.link = Some(Arc::clone(&link));
        let until = Instant::now() + 2 * self.options.session_timeout;
        let places = std::mem::take(&mut state.places).into_iter().filter(|(_, place)| !place.is_committed);
        state.lost.extend(places.map(|(key, place)| (key, (place.first, until))));
        Ok(link)
    }

    /// Says who this is and what it wants; gives whether the server speaks the present form.
    fn log_in(&self, link: &Link, topics: &[String]) -> Result<bool> {
        let version = link.call("version", json!({}), Some(self.deadline()))?;
        let version = version.get("version").and_then(Json::as_str).unwrap_or_default().to_owned();
        if !topics.is_empty() {
            reply::checked(link.call("subscribe", self.arguments(topics), Some(self.deadline()))?)?;
        }
        Ok(is_since(&version, BINARY))
    }

    fn arguments(&self, topics: &[String]) -> Json {
        let options = &self.options;
        let milliseconds = |duration: Duration| duration.as_millis().to_string();
        let mut arguments = connecting::credentials(&self.dsn, self.dsn.database.as_deref(), self.application.as_deref());
        let reset = match options.offset_reset {
            OffsetReset::Earliest => "earliest",
            OffsetReset::Latest => "latest",
            OffsetReset::None => "none",
        };
        for (key, value) in [
            ("group_id", options.group.clone()),
            ("client_id", options.client.clone()),
            ("offset_rest", reset.to_owned()),
            // Only this end knows what the program has seen.
            ("auto_commit", false.to_string()),
            ("snapshot_enable", options.snapshot.to_string()),
            ("with_table_name", options.with_table_name.to_string()),
            ("enable_batch_meta", u8::from(options.batch_meta).to_string()),
            ("session_timeout_ms", milliseconds(options.session_timeout)),
            ("max_poll_interval_ms", milliseconds(options.max_poll_interval)),
        ] {
            arguments[key] = value.into();
        }
        arguments["config"] = json!({ "min.poll.rows": options.poll_rows.to_string(), "enable.replay": options.replay.to_string() });
        arguments["topics"] = topics.into();
        arguments
    }

    /// Where the group has committed nothing, lets it begin where this consumer began before its connection broke. The server may take a
    /// while to see that the old connection is gone; where the vgroup is another's by then, that one decides. Says whether all is done.
    fn go_back(&self, link: &Link) -> Result<bool> {
        let lost: Vec<_> = { self.state().lost.iter().map(|((topic, vgroup), place)| (topic.clone(), *vgroup, *place)).collect() };
        for (topic, vgroup, (first, until)) in lost {
            let committed = link.call("committed", json!({ "topic_vgroup_ids": [{ "topic": topic, "vgroup_id": vgroup }] }), Some(self.deadline()))?;
            let is_begun = reply::checked(committed).is_ok_and(|committed| committed["committed"][0].as_i64() != Some(NONE));
            let seek = json!({ "topic": topic, "vgroup_id": vgroup, "offset": first });
            if is_begun || Instant::now() >= until || reply::checked(link.call("seek", seek, Some(self.deadline()))?).is_ok() {
                self.state().lost.remove(&(topic, vgroup));
            }
        }
        Ok(self.state().lost.is_empty())
    }

    /// Does what may be done twice: where the connection broke, on a new one. The vgroups are this consumer's again as soon as the server sees
    /// that the old connection is gone.
    fn call(&self, action: &str, arguments: &Json) -> Result<Json> {
        let once = || reply::checked(self.link()?.call(action, arguments.clone(), Some(self.deadline()))?);
        match once() {
            Err(error) if connecting::is_connection_lost(&error) => {}
            other => return other,
        }
        let until = Instant::now() + REGAINED;
        loop {
            match once() {
                Err(error) if error.code() == code::VGID_DOES_NOT_BELONG_TO_THIS && Instant::now() < until => thread::sleep(GOING_BACK),
                other => return other,
            }
        }
    }

    /// Asks for the next message. The server may wait so long.
    fn ask(&self, link: &Link, wait: Duration) -> Result<u64> {
        let request = link.next_request();
        let mut state = self.state();
        let blocking_time = u64::try_from(wait.min(LONGEST_WAIT).as_millis()).unwrap_or(0);
        link.send_action(request, "poll", json!({ "blocking_time": blocking_time, "message_id": state.seen }))?;
        state.asked = Some(request);
        Ok(request)
    }

    /// The message that a reply to a poll tells of.
    fn fetch(&self, link: &Link, poll: &Json) -> Result<Option<Message>> {
        if poll["have_message"].as_bool() != Some(true) {
            return Ok(None);
        }
        let broken = |what: &str| Error::with(code::INVALID_MESSAGE, format!("a reply to poll without {what}"));
        let id = poll["message_id"].as_u64().ok_or_else(|| broken("a message"))?;
        let kind = poll["message_type"].as_u64().and_then(tmq::message_kind).ok_or_else(|| broken("a known kind of message"))?;
        let text = |name: &str| poll[name].as_str().unwrap_or_default().to_owned();
        let offset = poll["offset"].as_i64().unwrap_or(0);
        let vgroup = poll["vgroup_id"].as_i64().and_then(|vgroup| i32::try_from(vgroup).ok()).ok_or_else(|| broken("a vgroup"))?;
        let mut message =
            Message { topic: text("topic"), database: text("database"), vgroup, start: offset, next: offset, kind, blocks: Vec::new(), meta: Vec::new() };
        self.fill(link, id, &mut message)?;
        self.state().seen = id;
        Ok(Some(message))
    }

    /// Fetches rows and events.
    fn fill(&self, link: &Link, id: u64, message: &mut Message) -> Result<()> {
        let frame = self.raw(link, id)?;
        let raw = read_raw(&frame)?;
        match tmq::decode_message(raw) {
            Ok((events, body)) => {
                message.meta = events;
                take_body(message, body);
            }
            // Events of another server are read as JSON.
            Err(_) if message.kind != MessageKind::Data => {
                let meta = reply::checked(link.call("fetch_json_meta", json!({ "message_id": id }), Some(self.deadline()))?)?;
                message.meta = meta_json::decode(&meta["data"])?;
                if message.kind == MessageKind::DataAndMeta {
                    take_body(message, body::decode(raw.body, false)?);
                }
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The reply with a whole message.
    fn raw(&self, link: &Link, id: u64) -> Result<Vec<u8>> {
        let action = if self.state().speaks_raw { "fetch_raw_data" } else { "fetch_raw" };
        let request = link.next_request();
        link.send_action(request, action, json!({ "message_id": id }))?;
        match link.wait(request, Some(self.deadline()))? {
            Reply::Binary(frame) => Ok(frame),
            Reply::Json(json) => reply::checked(json).and_then(|_| Err(Error::with(code::INVALID_MESSAGE, "a message was asked for, members came"))),
        }
    }

    /// Waits for the message that was asked for, and keeps it for the next poll: after this the server has given nothing that is not here.
    fn settle(&self) -> Result<Arc<Link>> {
        let _no_poll = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let link = self.link()?;
        let asked = { self.state().asked.take() };
        if let Some(request) = asked
            && let Reply::Json(poll) = link.wait(request, Some(self.deadline()))?
        {
            let message = self.fetch(&link, &reply::checked(poll)?)?;
            self.state().ready = message;
        }
        Ok(link)
    }

    /// The next message, with the connection as it is.
    fn poll_once(&self, deadline: Instant) -> Result<Option<Message>> {
        let link = self.link()?;
        loop {
            let ready = { self.state().ready.take() };
            if ready.is_some() {
                return Ok(ready);
            }
            if self.take_interruption() {
                return Ok(None);
            }
            let asked = { self.state().asked };
            let left = deadline.saturating_duration_since(Instant::now());
            let left = if asked.is_some() || self.go_back(&link)? { left } else { left.min(GOING_BACK) };
            let request = match asked {
                Some(request) => request,
                None => self.ask(&link, left)?,
            };
            // The server answers when the time is over; what is late is late for another reason.
            let Some(reply) = link.wait_until(request, deadline + self.timeout)? else {
                return Err(Error::with(code::CONN_READ_TIMEOUT, "the server did not answer a poll within the timeout"));
            };
            self.state().asked = None;
            let Reply::Json(poll) = reply else { return Err(Error::with(code::INVALID_MESSAGE, "a poll was answered with bytes")) };
            match self.fetch(&link, &reply::checked(poll)?)? {
                // It lies behind what this consumer goes back to.
                Some(message) if self.state().lost.contains_key(&(message.topic.clone(), message.vgroup)) => {}
                Some(message) => {
                    // The next one, where there is one already, comes while the program works on this one.
                    self.ask(&link, Duration::ZERO)?;
                    return Ok(Some(message));
                }
                None if Instant::now() >= deadline => return Ok(None),
                None => {}
            }
        }
    }

    fn take_interruption(&self) -> bool {
        std::mem::take(&mut self.state().is_interrupted)
    }

    /// Notes that the program has a message.
    fn note(&self, message: &Message) {
        let mut state = self.state();
        let place = state.places.entry((message.topic.clone(), message.vgroup));
        let place = place.or_insert(Place { first: message.start, next: message.next, is_committed: false });
        (place.next, place.is_committed) = (message.next, false);
    }

    fn commit_if_due(&self) -> Result<()> {
        if !self.options.auto_commit {
            return Ok(());
        }
        let is_due = { self.state().last_commit.is_none_or(|last| last.elapsed() >= self.options.auto_commit_interval) };
        if is_due { self.commit_all() } else { Ok(()) }
    }

    fn offset(&self, action: &str, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let answer = self.call(action, &json!({ "topic_vgroup_ids": [{ "topic": topic, "vgroup_id": vgroup }] }))?;
        let offset = answer[action][0].as_i64().ok_or_else(|| Error::with(code::INVALID_MESSAGE, format!("a reply to {action} without an offset")))?;
        Ok((offset != NONE).then_some(offset))
    }
}

fn read_raw(frame: &[u8]) -> Result<RawMessage<'_>> {
    let short = || Error::with(code::INVALID_MESSAGE, "a message is too short");
    if frame.first_chunk() != Some(&u64::MAX.to_le_bytes()) {
        return frame.get(32..).and_then(frame::read_raw).ok_or_else(short);
    }
    match frame::read_fetch_raw_data(frame).ok_or_else(short)? {
        frame::FetchedRaw::Message(raw) => Ok(raw),
        frame::FetchedRaw::Failed(number, text) => Err(Error::with(embudo_types::Code(number as u16), String::from_utf8_lossy(text))),
    }
}

fn take_body(message: &mut Message, body: body::Body) {
    if message.kind != MessageKind::Meta {
        (message.start, message.next) = (body.head.begin, body.head.end);
    }
    message.blocks = body.blocks;
}

impl Subscription for WebSocketSubscription {
    fn poll(&self, timeout: Duration) -> Result<Option<Message>> {
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + timeout.min(Duration::from_secs(1 << 30));
        let mut pause = Duration::from_millis(50);
        loop {
            let polled = self.commit_if_due().and_then(|()| self.poll_once(deadline));
            match polled {
                Err(error) if connecting::is_connection_lost(&error) && Instant::now() < deadline && !self.state().is_closed => {
                    thread::sleep(pause.min(deadline.saturating_duration_since(Instant::now())));
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
                Err(error) if error.code() == code::QUERY_TERMINATED && self.take_interruption() => return Ok(None),
                Ok(Some(message)) => {
                    self.note(&message);
                    return Ok(Some(message));
                }
                other => return other,
            }
        }
    }

    fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        self.call("commit_offset", &json!({ "topic": topic, "vgroup_id": vgroup, "offset": offset }))?;
        if let Some(place) = self.state().places.get_mut(&(topic.to_owned(), vgroup)) {
            // From here on the group goes on where it committed, whatever this consumer saw first.
            (place.first, place.is_committed) = (offset, offset >= place.next);
        }
        Ok(())
    }

    fn commit_all(&self) -> Result<()> {
        let places: Vec<_> = {
            let mut state = self.state();
            state.last_commit = Some(Instant::now());
            let open = state.places.iter().filter(|(_, place)| !place.is_committed);
            open.map(|((topic, vgroup), place)| (topic.clone(), *vgroup, place.next)).collect()
        };
        for (topic, vgroup, next) in places {
            match self.commit(&topic, vgroup, next) {
                // It is another consumer's by now, which decides.
                Err(error) if matches!(error.code(), code::VGID_DOES_NOT_BELONG_TO_THIS | code::TOPIC_DOES_NOT_BELONG_TO_THIS) => {
                    self.state().places.remove(&(topic, vgroup));
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.offset("committed", topic, vgroup)
    }

    fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.settle()?;
        let ready = self.state().ready.as_ref().filter(|ready| ready.topic == topic && ready.vgroup == vgroup).map(|ready| ready.start);
        if ready.is_some() { Ok(ready) } else { self.offset("position", topic, vgroup) }
    }

    fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        self.settle()?;
        self.call("seek", &json!({ "topic": topic, "vgroup_id": vgroup, "offset": offset }))?;
        let mut state = self.state();
        state.ready.take_if(|ready| ready.topic == topic && ready.vgroup == vgroup);
        state.places.remove(&(topic.to_owned(), vgroup));
        state.lost.remove(&(topic.to_owned(), vgroup));
        Ok(())
    }

    fn assignment(&self, topic: &str) -> Result<Vec<Assignment>> {
        self.settle()?;
        let answer = self.call("assignment", &json!({ "topic": topic }))?;
        let state = self.state();
        let read = |json: &Json| {
            let number = |name: &str| json[name].as_i64();
            let vgroup = i32::try_from(number("vgroup_id")?).ok()?;
            let ready = state.ready.as_ref().filter(|ready| ready.topic == topic && ready.vgroup == vgroup).map(|ready| ready.start);
            let current = ready.or_else(|| number("offset"))?;
            Some(Assignment { topic: topic.to_owned(), vgroup, begin: number("begin")?, end: number("end")?, current })
        };
        let list = answer["assignment"].as_array().map_or(&[][..], Vec::as_slice);
        let list = list.iter().map(read).collect::<Option<Vec<_>>>();
        list.ok_or_else(|| Error::with(code::INVALID_MESSAGE, "a reply to assignment that cannot be read"))
    }

    fn topics(&self) -> Vec<String> {
        self.state().topics.clone()
    }

    fn subscribe(&self, topics: &[String]) -> Result<()> {
        if !self.state().topics.is_empty() {
            self.unsubscribe()?;
        }
        self.call("subscribe", &self.arguments(topics))?;
        self.state().topics = topics.to_vec();
        Ok(())
    }

    fn unsubscribe(&self) -> Result<()> {
        if self.state().topics.is_empty() {
            return Ok(());
        }
        self.settle()?;
        if self.options.auto_commit {
            self.commit_all()?;
        }
        self.call("unsubscribe", &json!({}))?;
        let mut state = self.state();
        state.topics.clear();
        state.places.clear();
        state.lost.clear();
        state.ready = None;
        Ok(())
    }

    fn interrupt(&self) {
        let (link, asked) = {
            let mut state = self.state();
            state.is_interrupted = true;
            (state.link.clone(), state.asked.take())
        };
        // Whatever its reply tells, the server tells again: the next poll says what was seen.
        if let (Some(link), Some(asked)) = (link, asked) {
            link.abandon(asked);
            // The thread that waits is reading; any answer makes it look. Where there is none, the connection is gone, which it sees too.
            let _ = link.tell("version", json!({}));
        }
    }

    fn close(&self) -> Result<()> {
        self.interrupt();
        let is_connected = { self.state().link.as_ref().is_some_and(|link| link.is_usable()) };
        let left = if is_connected { self.unsubscribe() } else { Ok(()) };
        let link = {
            let mut state = self.state();
            state.is_closed = true;
            state.link.take()
        };
        if let Some(link) = link {
            link.close();
        }
        // What cannot be said to a server that is gone was said by its going.
        left.or_else(|error| if connecting::is_connection_lost(&error) { Ok(()) } else { Err(error) })
    }
}
