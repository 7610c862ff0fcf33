//! `poll`: waiting for a message. No thread waits: the log wakes a task, which then looks in its turn.

use std::{
    sync::{Arc, atomic::Ordering},
    task::{Wake, Waker},
    time::Duration,
};

use embudo_types::{Error, Result, code, subscription::Message};
use embudo_wire::{tmq::message_type, websocket::Message as Frame};
use tokio::{
    sync::{Mutex, MutexGuard, Notify, watch},
    time::{Instant, sleep_until},
};

use super::{
    fetch::Held,
    session::{Subscriber, Subscription},
};
use crate::websocket::{
    reply::{Head, Reply},
    request::Arguments,
};

/// The longest wait that a client may ask for.
const LONGEST: Duration = Duration::from_secs(3600);

/// Polls of one connection: one runs, at most one waits for it.
pub struct Polls {
    running: Mutex<()>,
    newest: watch::Sender<u64>,
}

impl Default for Polls {
    fn default() -> Self {
        Self { running: Mutex::default(), newest: watch::Sender::new(0) }
    }
}

impl Polls {
    /// Waits for the poll that runs; `None` where a newer one came meanwhile, which takes this one's place.
    async fn enter(&self) -> Option<MutexGuard<'_, ()>> {
        let mut newest = self.newest.subscribe();
        let mut number = 0;
        self.newest.send_modify(|newest| {
            *newest += 1;
            number = *newest;
        });
        tokio::select! {
            biased;
            running = self.running.lock() => Some(running),
            _ = newest.wait_for(|newest| *newest > number) => None,
        }
    }
}

/// Wakes a task.
#[derive(Default)]
struct Bell {
    rung: Notify,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.rung.notify_one();
    }
}

/// `poll`. A client says which message it saw last: where that is not the newest one, the reply to its last poll was lost, and it gets that
/// message again.
pub async fn poll(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Option<Frame>> {
    subscriber.subscription()?;
    let wait = Duration::from_millis(u64::try_from(arguments.integer("blocking_time")?.unwrap_or(0)).unwrap_or(0)).min(LONGEST);
    let deadline = Instant::now() + wait;
    let seen = arguments.get("message_id").map(|_| arguments.unsigned("message_id")).transpose()?;
    let Some(_running) = subscriber.polls.enter().await else { return Ok(None) };
    if let (Some(seen), Some(held)) = (seen, subscriber.held())
        && held.id != seen
    {
        return Ok(Some(answer(subscriber, head, Some(&held))));
    }
    let subscription = subscriber.subscription()?;
    let Some(message) = next(subscriber, &subscription, deadline).await? else {
        return Ok(Some(answer(subscriber, head, None)));
    };
    subscriber.server.metrics.rows_sent(message.rows() as u64);
    let held = Arc::new(Held::new(subscriber.next_message(), message, &subscription));
    // An unsubscription that came meanwhile lets go of messages; this one too.
    if subscription.is_subscribed.load(Ordering::Acquire) && !subscriber.has_left() {
        subscriber.hold(Some(Arc::clone(&held)));
    }
    Ok(Some(answer(subscriber, head, Some(&held))))
}

/// The next message, if there is one until then.
async fn next(subscriber: &Subscriber, subscription: &Arc<Subscription>, deadline: Instant) -> Result<Option<Message>> {
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    loop {
        // Before looking at whether it is over: whoever says so wakes those that wait by then.
        let gone = subscriber.gone.notified();
        if subscription.is_subscribed.load(Ordering::Acquire) {
            subscription.consumer.wake(&waker);
            let polled = Arc::clone(subscription);
            if let Some(message) = subscriber.turn(move || polled.consumer.try_poll()).await? {
                return Ok(Some(message));
            }
        } else if subscriber.has_left() {
            return Err(Error::new(code::QUERY_TERMINATED));
        }
        tokio::select! {
            () = bell.rung.notified() => {}
            () = sleep_until(deadline) => return Ok(None),
            () = gone => return Err(Error::new(code::QUERY_TERMINATED)),
        }
    }
}

fn answer(subscriber: &Subscriber, head: &Head, held: Option<&Held>) -> Frame {
    let reply = Reply::new(head).with("have_message", held.is_some());
    let reply = match held {
        Some(held) => {
            let message = &held.message;
            reply
                .with("topic", message.topic.as_str())
                .with("database", message.database.as_str())
                .with("vgroup_id", message.vgroup)
                .with("message_type", message_type(message.kind))
                .with("message_id", held.id)
                .with("offset", message.offset())
        }
        None => reply.with("topic", "").with("database", "").with("vgroup_id", 0).with("message_type", 0).with("message_id", 0).with("offset", 0),
    };
    reply.finish(subscriber.version())
}
