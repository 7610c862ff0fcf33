//! Subscriptions in Python: a member of a consumer group, and the messages that it polls.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use embudo_client::{Driver, Subscription as ClientSubscription, consumer_configuration, meta_json};
use embudo_types::subscription::{Message as Polled, MessageKind, SubscribeOptions};
use pyo3::{prelude::*, types::PyDict};

use crate::{
    error::{Outcome, misuse},
    fork::Owned,
    result::Table,
    wait,
    zone::ShownZone,
};

/// Refuses keys and values that are none of a consumer's configuration.
#[pyfunction]
pub fn check_consumer(configuration: &Bound<'_, PyDict>) -> Outcome<()> {
    options(Vec::new(), configuration).map(drop)
}

fn options(topics: Vec<String>, configuration: &Bound<'_, PyDict>) -> Outcome<SubscribeOptions> {
    let mut options = SubscribeOptions::new("", topics);
    for (key, value) in configuration.iter() {
        consumer_configuration::set(&mut options, &key.extract::<String>()?, &value.extract::<String>()?)?;
    }
    Ok(options)
}

/// How long one wait for a message lasts; a longer poll is several.
const STEP: Duration = Duration::from_secs(1);

/// A member of a consumer group.
#[pyclass(frozen, name = "Subscription", module = "embudo._embudo")]
pub struct Subscription {
    /// `None` once closed.
    inner: Owned<Mutex<Option<Arc<dyn ClientSubscription>>>>,
    shown: ShownZone,
}

impl Subscription {
    /// Subscribes a session to topics; `configuration` has the keys of TDengine's consumers.
    pub fn open(py: Python<'_>, driver: &Arc<dyn Driver>, topics: Vec<String>, configuration: &Bound<'_, PyDict>, shown: &ShownZone) -> Outcome<Self> {
        let options = options(topics, configuration)?;
        let work = driver.clone();
        let subscription = wait::outside(py, || driver.interrupt(), move || work.subscribe(options))?;
        Ok(Self { inner: Owned::new(Mutex::new(Some(Arc::from(subscription)))), shown: shown.clone() })
    }

    /// The client's subscription, while this one is open.
    pub fn open_one(&self) -> Outcome<Arc<dyn ClientSubscription>> {
        let inner = self.inner.get()?.lock().unwrap_or_else(PoisonError::into_inner).clone();
        inner.ok_or_else(|| misuse("the consumer is closed"))
    }

    /// A message that came.
    pub fn message(&self, message: Polled) -> Message {
        Message { message, shown: self.shown.clone() }
    }

    fn with<T: Send + 'static>(&self, py: Python<'_>, work: impl FnOnce(&dyn ClientSubscription) -> embudo_types::Result<T> + Send + 'static) -> Outcome<T> {
        let inner = self.open_one()?;
        let waited = inner.clone();
        wait::outside(py, || waited.interrupt(), move || work(inner.as_ref()))
    }
}

#[pymethods]
impl Subscription {
    /// The next message, if there is one within `timeout` seconds; None waits for ever.
    #[pyo3(signature = (timeout=None))]
    fn poll(&self, py: Python<'_>, timeout: Option<f64>) -> Outcome<Option<Message>> {
        let limit = match timeout {
            None => None,
            Some(seconds) => Some(Duration::try_from_secs_f64(seconds).map_err(|_| misuse(format!("a timeout is a number of seconds, not {seconds}")))?),
        };
        let end = limit.and_then(|limit| Instant::now().checked_add(limit));
        loop {
            let step = end.map_or(STEP, |end| end.saturating_duration_since(Instant::now()).min(STEP));
            if let Some(message) = self.with(py, move |subscription| subscription.poll(step))? {
                return Ok(Some(self.message(message)));
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                return Ok(None);
            }
        }
    }

    /// Commits an offset.
    fn commit(&self, py: Python<'_>, topic: String, vgroup: i32, offset: i64) -> Outcome<()> {
        self.with(py, move |subscription| subscription.commit(&topic, vgroup, offset))
    }

    /// Commits what polls gave so far.
    fn commit_all(&self, py: Python<'_>) -> Outcome<()> {
        self.with(py, |subscription| subscription.commit_all())
    }

    /// What the group has committed; None: nothing yet.
    fn committed(&self, py: Python<'_>, topic: String, vgroup: i32) -> Outcome<Option<i64>> {
        self.with(py, move |subscription| subscription.committed(&topic, vgroup))
    }

    /// Where the next poll reads; None: not known yet.
    fn position(&self, py: Python<'_>, topic: String, vgroup: i32) -> Outcome<Option<i64>> {
        self.with(py, move |subscription| subscription.position(&topic, vgroup))
    }

    /// Reads on at another offset.
    fn seek(&self, py: Python<'_>, topic: String, vgroup: i32, offset: i64) -> Outcome<()> {
        self.with(py, move |subscription| subscription.seek(&topic, vgroup, offset))
    }

    /// A tuple of vgroup, begin, end and current offset for each vgroup of a topic that is this consumer's.
    fn assignment(&self, py: Python<'_>, topic: String) -> Outcome<Vec<(i32, i64, i64, i64)>> {
        let found = self.with(py, move |subscription| subscription.assignment(&topic))?;
        Ok(found.into_iter().map(|part| (part.vgroup, part.begin, part.end, part.current)).collect())
    }

    /// The topics subscribed to.
    fn topics(&self) -> Outcome<Vec<String>> {
        Ok(self.open_one()?.topics())
    }

    /// Subscribes to other topics.
    fn subscribe(&self, py: Python<'_>, topics: Vec<String>) -> Outcome<()> {
        self.with(py, move |subscription| subscription.subscribe(&topics))
    }

    /// Leaves the group.
    fn unsubscribe(&self, py: Python<'_>) -> Outcome<()> {
        self.with(py, |subscription| subscription.unsubscribe())
    }

    /// Makes a poll that waits in another thread end with nothing.
    fn interrupt(&self) -> Outcome<()> {
        self.open_one()?.interrupt();
        Ok(())
    }

    /// Leaves the group for good; more than once is allowed.
    fn close(&self, py: Python<'_>) -> Outcome<()> {
        let Ok(inner) = self.inner.get() else { return Ok(()) };
        let last = inner.lock().unwrap_or_else(PoisonError::into_inner).take();
        match last {
            Some(subscription) => wait::outside(py, || (), move || subscription.close()),
            None => Ok(()),
        }
    }
}

/// What one poll gave.
#[pyclass(frozen, name = "Message", module = "embudo._embudo")]
pub struct Message {
    message: Polled,
    shown: ShownZone,
}

#[pymethods]
impl Message {
    #[getter]
    fn topic(&self) -> &str {
        &self.message.topic
    }

    #[getter]
    fn database(&self) -> &str {
        &self.message.database
    }

    #[getter]
    fn vgroup(&self) -> i32 {
        self.message.vgroup
    }

    /// The offset that TDengine's clients show.
    #[getter]
    fn offset(&self) -> i64 {
        self.message.offset()
    }

    /// What a commit of it stores.
    #[getter]
    fn next(&self) -> i64 {
        self.message.next
    }

    /// 1 rows, 2 events, 3 both.
    #[getter]
    fn kind(&self) -> u8 {
        match self.message.kind {
            MessageKind::Data => 1,
            MessageKind::Meta => 2,
            MessageKind::DataAndMeta => 3,
        }
    }

    /// The rows, table by table: its name, where it is known, and the rows.
    fn blocks(&self) -> Vec<(Option<String>, Table)> {
        let table = |batch: &arrow_array::RecordBatch| Table::new(batch.schema(), vec![batch.clone()], self.shown.clone());
        self.message.blocks.iter().map(|block| (block.table.clone(), table(&block.batch))).collect()
    }

    /// The events as TDengine's JSON; None without any.
    fn meta(&self) -> Option<String> {
        (!self.message.meta.is_empty()).then(|| meta_json(&self.message.meta, false))
    }
}
