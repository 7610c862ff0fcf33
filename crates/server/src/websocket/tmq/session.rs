//! One client's consumer, and which action each of its messages is.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use embudo_engine::Consumer;
use embudo_types::{Error, Result, code};
use embudo_wire::websocket::Message as Frame;
use tokio::{
    sync::{Notify, Semaphore},
    task::spawn_blocking,
};

use super::{
    fetch::{self, Held},
    offset,
    poll::{self, Polls},
    subscribe,
};
use crate::{
    budget::Budget,
    options::ServerOptions,
    router::State,
    version::{AdvertisedVersion, Since},
    websocket::{
        conversation::{Answer, Conversation},
        reply::{Head, Reply},
        request::Request,
        upgrade::Client,
    },
};

/// Between two signs of life for the consumer.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// A session of `/rest/tmq`.
pub struct Subscriber {
    /// Engine, settings, turns, counters.
    pub server: Arc<State>,
    /// Who is at the other end.
    pub client: Client,
    /// Held while a subscription is under way.
    pub subscribing: tokio::sync::Mutex<()>,
    /// Who polls.
    pub polls: Polls,
    /// Wakes a poll when the client is gone.
    pub gone: Notify,
    /// Taken by a reply that holds a message's rows until it is written: a client that does not read has one of them.
    rows: Arc<Semaphore>,
    subscription: Mutex<Option<Arc<Subscription>>>,
    held: Mutex<Option<Arc<Held>>>,
    last_message: AtomicU64,
    left: AtomicBool,
}

/// A consumer and how it was asked for.
pub struct Subscription {
    /// The engine's.
    pub consumer: Consumer,
    /// Whether blocks are tables', and say whose.
    pub with_table_names: bool,
    /// Whether events come in lists.
    pub in_lists: bool,
    /// Whether it has topics now.
    pub is_subscribed: AtomicBool,
}

impl Subscriber {
    /// A session without a consumer.
    pub fn new(server: Arc<State>, client: Client) -> Self {
        Self {
            server,
            client,
            subscribing: tokio::sync::Mutex::default(),
            polls: Polls::default(),
            gone: Notify::new(),
            rows: Arc::new(Semaphore::new(1)),
            subscription: Mutex::default(),
            held: Mutex::default(),
            last_message: AtomicU64::new(0),
            left: AtomicBool::new(false),
        }
    }

    /// The version that clients are told.
    pub fn version(&self) -> &AdvertisedVersion {
        &self.server.options.advertised_version
    }

    /// The consumer, once there is one.
    pub fn subscription(&self) -> Result<Arc<Subscription>> {
        let subscription = self.subscription.lock().unwrap_or_else(PoisonError::into_inner).clone();
        subscription.ok_or_else(|| Error::with(code::UNCLASSIFIED, "tmq not init"))
    }

    /// Keeps a new consumer.
    pub fn keep(&self, subscription: Subscription) {
        *self.subscription.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(subscription));
        if self.has_left() {
            self.leave();
        }
    }

    /// The newest message.
    pub fn held(&self) -> Option<Arc<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Holds a message, or none, instead of the one before.
    pub fn hold(&self, message: Option<Arc<Held>>) {
        let before = std::mem::replace(&mut *self.held.lock().unwrap_or_else(PoisonError::into_inner), message);
        drop(before);
    }

    /// The id of a new message.
    pub fn next_message(&self) -> u64 {
        self.last_message.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether the client is gone.
    pub fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    /// Does short work in its turn.
    pub async fn turn<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        if self.has_left() {
            return Err(Error::new(code::QUERY_TERMINATED));
        }
        self.server.turns.first(work).await.and_then(|outcome| outcome)
    }

    /// Does short work with the consumer in its turn.
    pub async fn consume<T: Send + 'static>(&self, work: impl FnOnce(&Consumer) -> Result<T> + Send + 'static) -> Result<T> {
        let subscription = self.subscription()?;
        self.turn(move || work(&subscription.consumer)).await
    }

    fn failed(&self, head: &Head, error: &Error) -> Frame {
        tracing::debug!(%error, action = head.action, "request failed");
        self.server.metrics.error(error);
        Reply::error(head, error).finish(self.version())
    }

    async fn answer(&self, text: &str) -> Option<Answer> {
        // Servers before say nothing to what they do not understand (recorded).
        let is_silent = !self.version().has(Since::BINARY_QUERY);
        let Some(request) = Request::parse(text) else {
            let error = Error::with(code::UNCLASSIFIED, "unmarshal request error");
            return (!is_silent).then(|| self.failed(&Head::new("", 0), &error).into());
        };
        let mut head = Head::new(request.action.as_str(), request.arguments.request_id());
        if !is_known(&request.action, self.version()) {
            let what = if request.action.is_empty() { "request no action".to_owned() } else { format!("unknown action {}", request.action) };
            return (!is_silent).then(|| self.failed(&head, &Error::with(code::UNCLASSIFIED, what)).into());
        }
        let has_rows = matches!(request.action.as_str(), "fetch_block" | "fetch_raw" | "fetch_raw_data" | "fetch_json_meta");
        let turn = if has_rows { Arc::clone(&self.rows).acquire_owned().await.ok() } else { None };
        let outcome = self.act(&mut head, &request).await;
        let message = outcome.unwrap_or_else(|error| Some(self.failed(&head, &error)))?;
        Some(Answer { message, turn })
    }

    async fn act(&self, head: &mut Head, request: &Request) -> Result<Option<Frame>> {
        let arguments = &request.arguments;
        if request.action != "version" {
            arguments.check()?;
        }
        // Replies about a message repeat its id, errors too.
        if matches!(request.action.as_str(), "fetch" | "fetch_block" | "fetch_raw" | "fetch_raw_data" | "fetch_json_meta" | "commit") {
            head.message = Some(arguments.unsigned("message_id")?);
        }
        Ok(Some(match request.action.as_str() {
            "version" => {
                let reply = if self.version().has(Since::BINARY_QUERY) { Reply::new(head) } else { Reply::bare(&head.action) };
                reply.with("version", self.version().to_string()).finish(self.version())
            }
            "subscribe" => subscribe::subscribe(self, head, arguments).await?,
            "unsubscribe" => subscribe::unsubscribe(self, head).await?,
            "list_topics" => subscribe::list_topics(self, head)?,
            "poll" => return poll::poll(self, head, arguments).await,
            "fetch" => fetch::fetch(self, head)?,
            "fetch_block" => fetch::fetch_block(self, head).await?,
            "fetch_raw" => fetch::fetch_raw(self, head).await?,
            "fetch_raw_data" => fetch::fetch_raw_data(self, head).await,
            "fetch_json_meta" => fetch::fetch_json_meta(self, head).await?,
            "commit" => offset::commit(self, head).await?,
            "commit_offset" => offset::commit_offset(self, head, arguments).await?,
            "committed" => offset::committed(self, head, arguments).await?,
            "position" => offset::position(self, head, arguments).await?,
            "seek" => offset::seek(self, head, arguments).await?,
            "assignment" => offset::assignment(self, head, arguments).await?,
            other => return Err(Error::internal(format!("action {other} is known and has no meaning"))),
        }))
    }
}

/// Whether a server of this version has an action.
fn is_known(action: &str, version: &AdvertisedVersion) -> bool {
    match action {
        "fetch_raw_data" => version.has(Since::BINARY_QUERY),
        "version" | "subscribe" | "unsubscribe" | "list_topics" | "poll" | "fetch" | "fetch_block" | "fetch_raw" | "fetch_json_meta" | "commit"
        | "commit_offset" | "committed" | "position" | "seek" | "assignment" => true,
        _ => false,
    }
}

impl Conversation for Subscriber {
    // A reply may be a whole message of the log.
    const UNDER_WAY: usize = 8;

    fn options(&self) -> &ServerOptions {
        &self.server.options
    }

    fn budgets(&self) -> (&Budget, &Budget) {
        (&self.server.bodies, &self.server.replies)
    }

    fn is_known(&self) -> bool {
        self.subscription().is_ok()
    }

    async fn handle(&self, message: Frame) -> Option<Answer> {
        match message {
            Frame::Text(text) => self.answer(&text).await,
            // There are no binary requests here.
            _ => None,
        }
    }

    fn rest(&self) -> Duration {
        HEARTBEAT
    }

    fn look_after(&self) {
        // While the connection is there the client lives, as it does for a client of TDengine's whose heartbeats are a thread's.
        if let Ok(subscription) = self.subscription() {
            subscription.consumer.heartbeat();
        }
    }

    fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.gone.notify_waiters();
        self.hold(None);
        let subscription = self.subscription.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Leaving the group may wait for the log.
        drop(spawn_blocking(move || drop(subscription)));
    }
}
