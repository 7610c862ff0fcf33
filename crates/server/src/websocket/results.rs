//! Results that a client has not fetched to their end, and fetching them: the old way by `fetch` and `fetch_block`, and `fetch_raw_block`.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use embudo_types::{Error, Outcome, Result, ResultSet, code};
use embudo_wire::{
    binary_message::{Fetched, fetch_raw_block_reply},
    raw_block,
    websocket::Message,
};
use serde_json::Value as Json;
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::{
    blocks::Blocks,
    reply::{Head, Reply, types},
    request::Arguments,
    session::Session,
};

/// Below this many rows a block is encoded at once rather than in a thread for such work.
const FEW_ROWS: usize = 256;

/// What a statement gave: rows that wait to be fetched, or a count.
pub enum Opened {
    /// Rows written or removed.
    Affected(u64),
    /// A result with its first block.
    Rows(Box<HeldResult>),
}

/// One result.
pub struct HeldResult {
    /// Its fields.
    pub schema: SchemaRef,
    blocks: Blocks,
    /// The block that the next fetch gives, made ahead.
    next: Option<RecordBatch>,
    /// The block that the last `fetch` announced.
    fetched: Option<RecordBatch>,
    used: Instant,
}

impl Opened {
    /// Pulls a result's first block, so that a statement which fails at once fails in its own reply. Blocks.
    pub fn pull(result: ResultSet) -> Result<Self> {
        match result.outcome {
            Outcome::Affected(rows) => Ok(Self::Affected(rows)),
            Outcome::Rows(batches) => {
                let mut blocks = Blocks::new(result.schema.clone(), batches);
                let next = blocks.next()?;
                Ok(Self::Rows(Box::new(HeldResult { schema: result.schema, blocks, next, fetched: None, used: Instant::now() })))
            }
        }
    }
}

impl HeldResult {
    fn is_ready(&self) -> bool {
        self.next.is_some() || self.blocks.is_done()
    }

    /// Whether all rows were taken.
    pub fn is_over(&self) -> bool {
        self.next.is_none() && self.blocks.is_done()
    }

    /// The next block with the number of its rows, as a raw block.
    pub fn take_encoded(&mut self) -> Result<Option<(usize, Vec<u8>)>> {
        self.take_next()?.map(|block| encoded(&block)).transpose()
    }

    fn take_next(&mut self) -> Result<Option<RecordBatch>> {
        self.used = Instant::now();
        match self.next.take() {
            Some(block) => Ok(Some(block)),
            None => self.blocks.next(),
        }
    }
}

/// The results of one session by their ids.
#[derive(Default)]
pub struct Results {
    held: Mutex<HashMap<u64, Entry>>,
    last: AtomicU64,
}

struct Entry {
    fields: usize,
    result: Arc<AsyncMutex<HeldResult>>,
}

impl Results {
    /// Holds a result, and gives its id.
    pub fn add(&self, result: HeldResult) -> u64 {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let entry = Entry { fields: result.schema.fields().len(), result: Arc::new(AsyncMutex::new(result)) };
        self.held().insert(id, entry);
        id
    }

    /// How many fields a result has.
    pub fn fields(&self, id: u64) -> Result<usize> {
        self.held().get(&id).map(|entry| entry.fields).ok_or_else(nil)
    }

    /// Lets a result go; of one that is being fetched the fetch ends first.
    pub fn remove(&self, id: u64) {
        // Not under the lock: what is behind a result may take its time to end.
        let removed = self.held().remove(&id);
        drop(removed);
    }

    /// Lets go of all.
    pub fn clear(&self) {
        let removed = std::mem::take(&mut *self.held());
        drop(removed);
    }

    /// Lets go of those that nobody fetched from for so long.
    pub fn drop_idle(&self, limit: Duration) {
        let idle = |entry: &mut Entry| entry.result.try_lock().is_ok_and(|result| result.used.elapsed() >= limit);
        let mut held = self.held();
        let ids: Vec<u64> = held.iter_mut().filter_map(|(id, entry)| idle(entry).then_some(*id)).collect();
        let removed: Vec<_> = ids.iter().filter_map(|id| held.remove(id)).collect();
        drop(held);
        if !removed.is_empty() {
            tracing::warn!(results = removed.len(), "a client left results unread; dropped");
        }
    }

    async fn lock(&self, id: u64) -> Result<OwnedMutexGuard<HeldResult>> {
        let result = self.held().get(&id).map(|entry| Arc::clone(&entry.result)).ok_or_else(nil)?;
        Ok(result.lock_owned().await)
    }

    fn held(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Entry>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nil() -> Error {
    Error::with(code::UNCLASSIFIED, "result is nil")
}

/// The next block of a result, with what `encode` makes of it in the same turn. At the end and after a failure the result is let go.
async fn next<T: Send + 'static>(
    session: &Session,
    id: u64,
    encode: impl FnOnce(&mut HeldResult, RecordBatch) -> Result<T> + Send + 'static,
) -> Result<Option<T>> {
    let mut held = session.results.lock(id).await?;
    let is_ready = held.is_ready();
    let is_small = is_ready && held.next.as_ref().is_none_or(|block| block.num_rows() <= FEW_ROWS);
    let work = move || held.take_next()?.map(|block| encode(&mut held, block)).transpose();
    let fetched = if is_small {
        work()
    } else if is_ready {
        session.server.turns.first(work).await.and_then(|fetched| fetched)
    } else {
        session.server.turns.further(work).await.and_then(|fetched| fetched)
    };
    if !matches!(fetched, Ok(Some(_))) {
        session.results.remove(id);
    }
    fetched
}

/// `fetch`: moves to the next block and says how large it is.
pub async fn fetch(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let id = arguments.unsigned("id")?;
    let rows = next(session, id, |held, block| {
        let rows = block.num_rows();
        let lengths: Vec<u32> = types(&held.schema)?.into_iter().map(raw_block::storage_bytes).collect();
        held.fetched = Some(block);
        Ok((rows, lengths))
    });
    let reply = Reply::new(head).with("id", id);
    let reply = match rows.await? {
        Some((rows, lengths)) => {
            session.server.metrics.rows_sent(rows as u64);
            reply.with("completed", false).with("lengths", lengths).with("rows", rows)
        }
        None => reply.with("completed", true).with("lengths", Json::Null).with("rows", 0),
    };
    Ok(reply.finish(session.version()))
}

/// `fetch_block`: the block that the last `fetch` announced.
pub async fn fetch_block(session: &Session, head: &Head, arguments: &Arguments) -> Result<Message> {
    let id = arguments.unsigned("id")?;
    let held = session.results.lock(id).await?;
    let block = held.fetched.clone().ok_or_else(|| Error::with(code::UNCLASSIFIED, "block is nil"))?;
    drop(held);
    let head = head.clone();
    let encode = move || -> Result<Message> {
        let mut out = Vec::new();
        out.extend_from_slice(&head.timing().to_le_bytes());
        out.extend_from_slice(&id.to_le_bytes());
        raw_block::encode(&block, raw_block::FETCH_VERSION, &mut out)?;
        Ok(Message::Binary(out))
    };
    session.server.turns.first(encode).await.and_then(|message| message)
}

fn encoded(block: &RecordBatch) -> Result<(usize, Vec<u8>)> {
    let mut out = Vec::new();
    raw_block::encode(block, raw_block::FETCH_VERSION, &mut out)?;
    Ok((block.num_rows(), out))
}

/// `fetch_raw_block`: the next block in one go. Failures are replies of the same kind.
pub async fn fetch_raw_block(session: &Session, head: &Head, id: u64, body: &[u8]) -> Message {
    let block = if body.get(..2) == Some(&1_u16.to_le_bytes()) {
        next(session, id, |_, block| encoded(&block)).await
    } else {
        Err(Error::with(code::UNCLASSIFIED, "unknown fetch raw block version"))
    };
    let fetched = match &block {
        Ok(Some((rows, block))) => {
            session.server.metrics.rows_sent(*rows as u64);
            Fetched::Block(block)
        }
        Ok(None) => Fetched::End,
        Err(error) => {
            session.server.metrics.error(error);
            Fetched::Failed(error.code().0, error.message())
        }
    };
    Message::Binary(fetch_raw_block_reply(head.request, id, head.timing(), fetched))
}
