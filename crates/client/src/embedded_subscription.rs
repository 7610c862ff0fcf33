//! Subscriptions on an engine in this process.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    task::{Wake, Waker},
    time::{Duration, Instant},
};

use embudo_engine::{Consumer, Session};
use embudo_types::{
    Error, Result, code,
    subscription::{Assignment, Message, SubscribeOptions},
};

use crate::Subscription;

/// A consumer of the engine.
pub struct EmbeddedSubscription {
    /// `None` once closed.
    consumer: Mutex<Option<Arc<Consumer>>>,
    bell: Arc<Bell>,
    /// Held by the thread that polls.
    polling: Mutex<()>,
}

/// What a poll waits for.
#[derive(Default)]
struct Bell {
    rung: Mutex<Rung>,
    changed: Condvar,
}

#[derive(Clone, Copy, Default)]
struct Rung {
    /// There may be something new.
    by_log: bool,
    /// The poll shall end.
    by_user: bool,
}

impl Bell {
    fn ring(&self, how: impl FnOnce(&mut Rung)) {
        how(&mut self.rung.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for a ring, and forgets it.
    fn wait(&self, deadline: Instant) -> Rung {
        let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        while !rung.by_log && !rung.by_user {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            rung = self.changed.wait_timeout(rung, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        std::mem::take(&mut *rung)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring(|rung| rung.by_log = true);
    }
}

impl EmbeddedSubscription {
    /// Begins to consume.
    pub fn begin(session: &Session, options: SubscribeOptions) -> Result<Self> {
        let consumer = session.subscribe(options)?;
        Ok(Self { consumer: Mutex::new(Some(Arc::new(consumer))), bell: Arc::default(), polling: Mutex::default() })
    }

    fn consumer(&self) -> Result<Arc<Consumer>> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        consumer.ok_or_else(|| Error::with(code::CONSUMER_CLOSED, code::CONSUMER_CLOSED.text()))
    }
}

impl Subscription for EmbeddedSubscription {
    fn poll(&self, timeout: Duration) -> Result<Option<Message>> {
        let _one_at_a_time = self.polling.lock().unwrap_or_else(PoisonError::into_inner);
        let deadline = Instant::now() + timeout.min(Duration::from_secs(1 << 30));
        let waker = Waker::from(Arc::clone(&self.bell));
        loop {
            let consumer = self.consumer()?;
            consumer.wake(&waker);
            if let Some(message) = consumer.try_poll()? {
                return Ok(Some(message));
            }
            // A consumer that is closed meanwhile is not kept by its poll.
            drop(consumer);
            let rung = self.bell.wait(deadline);
            if rung.by_user || (!rung.by_log && Instant::now() >= deadline) {
                return Ok(None);
            }
        }
    }

    fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        self.consumer()?.commit(topic, vgroup, offset)
    }

    fn commit_all(&self) -> Result<()> {
        self.consumer()?.commit_all()
    }

    fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.consumer()?.committed(topic, vgroup)
    }

    fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        self.consumer()?.position(topic, vgroup)
    }

    fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        self.consumer()?.seek(topic, vgroup, offset)
    }

    fn assignment(&self, topic: &str) -> Result<Vec<Assignment>> {
        self.consumer()?.assignment(topic)
    }

    fn topics(&self) -> Vec<String> {
        self.consumer().map(|consumer| consumer.topics()).unwrap_or_default()
    }

    fn subscribe(&self, topics: &[String]) -> Result<()> {
        self.consumer()?.subscribe(topics)
    }

    fn unsubscribe(&self) -> Result<()> {
        self.consumer()?.unsubscribe()
    }

    fn interrupt(&self) {
        self.bell.ring(|rung| rung.by_user = true);
    }

    fn close(&self) -> Result<()> {
        let consumer = self.consumer.lock().unwrap_or_else(PoisonError::into_inner).take();
        let left = consumer.map_or(Ok(()), |consumer| consumer.unsubscribe());
        self.interrupt();
        left
    }
}
