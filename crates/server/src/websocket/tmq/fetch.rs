//! Giving out the newest message: block by block (`fetch`, `fetch_block`), whole (`fetch_raw`, `fetch_raw_data`), its events
//! (`fetch_json_meta`).

use std::sync::{Arc, Mutex, PoisonError};

use embudo_types::{
    DataType, Error, Result, code,
    subscription::{Message, MessageKind, SubscribedBlock},
};
use embudo_wire::{
    raw_block,
    tmq::{self, RawMessage, body, frame, meta_json},
    websocket::Message as Frame,
};
use serde_json::Value as Json;

use super::session::{Subscriber, Subscription};
use crate::websocket::reply::{Head, Reply, types};

/// Below this many rows a message is encoded at once rather than in a thread for such work.
const FEW_ROWS: usize = 256;

/// A message that was polled and is the newest.
pub struct Held {
    /// Its id.
    pub id: u64,
    /// The message.
    pub message: Message,
    with_table_names: bool,
    in_lists: bool,
    walk: Mutex<Walk>,
}

/// How far `fetch` is.
#[derive(Default)]
struct Walk {
    /// Blocks that were announced.
    announced: usize,
    /// The id of the `fetch` that announced the last one, which the reply to `fetch_block` repeats.
    request: u64,
}

impl Held {
    /// A new message of a consumer.
    pub fn new(id: u64, message: Message, subscription: &Subscription) -> Self {
        // Blocks of a query are no table's.
        let with_table_names = subscription.with_table_names && message.blocks.iter().all(|block| block.table.is_some());
        Self { id, message, with_table_names, in_lists: subscription.in_lists, walk: Mutex::default() }
    }

    /// Announces the next block.
    fn announce(&self, request: u64) -> Option<&SubscribedBlock> {
        let mut walk = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        let block = self.message.blocks.get(walk.announced)?;
        walk.announced += 1;
        walk.request = request;
        Some(block)
    }

    /// The block that was announced last, and by which request.
    fn announced(&self) -> Option<(usize, u64)> {
        let walk = self.walk.lock().unwrap_or_else(PoisonError::into_inner);
        Some((walk.announced.checked_sub(1)?, walk.request))
    }
}

/// The message that a request is about, which must be the newest.
fn newest(subscriber: &Subscriber, head: &Head, otherwise: &str) -> Result<Arc<Held>> {
    subscriber.subscription()?;
    let held = subscriber.held().ok_or_else(|| Error::with(code::UNCLASSIFIED, "message has been freed"))?;
    if head.message == Some(held.id) { Ok(held) } else { Err(Error::with(code::UNCLASSIFIED, otherwise)) }
}

/// The message with rows that a request is about.
fn newest_rows(subscriber: &Subscriber, head: &Head, otherwise: &str) -> Result<Arc<Held>> {
    let held = newest(subscriber, head, otherwise)?;
    if held.message.kind == MessageKind::Meta { Err(Error::with(code::UNCLASSIFIED, "message type is not data")) } else { Ok(held) }
}

/// `fetch`: moves to the next block and describes it.
pub fn fetch(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let held = newest_rows(subscriber, head, "message ID are not equal")?;
    let block = held.announce(head.request);
    let reply = Reply::new(head).with("completed", block.is_none());
    let reply = reply.with("table_name", block.and_then(|block| block.table.as_deref()).unwrap_or_default());
    let reply = if let Some(block) = block {
        let schema = block.batch.schema();
        let types = types(&schema)?;
        let names: Vec<Json> = schema.fields().iter().map(|field| field.name().as_str().into()).collect();
        let list = |number: fn(&DataType) -> u32| Json::from(types.iter().map(number).collect::<Vec<_>>());
        reply
            .with("rows", block.batch.num_rows())
            .with("fields_count", names.len())
            .with("fields_names", names)
            .with("fields_types", list(|data_type| data_type.id().into()))
            .with("fields_lengths", list(|data_type| data_type.length()))
            .with("precision", body::precision(&schema).id())
    } else {
        let reply = reply.with("rows", 0).with("fields_count", 0).with("fields_names", Json::Null);
        reply.with("fields_types", Json::Null).with("fields_lengths", Json::Null).with("precision", 0)
    };
    Ok(reply.finish(subscriber.version()))
}

/// `fetch_block`: the block that the last `fetch` announced.
pub async fn fetch_block(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let held = newest_rows(subscriber, head, "message is nil")?;
    let (at, request) = held.announced().ok_or_else(|| Error::with(code::UNCLASSIFIED, "no fetch data"))?;
    let reply_head = frame::ReplyHead { request, ..reply_head(head) };
    let bytes = encoded(subscriber, held, move |message| {
        let block = message.blocks.get(at).ok_or_else(|| Error::internal("a block was announced that is not there"))?;
        frame::fetch_block_reply(reply_head, |out| raw_block::encode(&block.batch, raw_block::SUBSCRIPTION_VERSION, out))
    });
    Ok(Frame::Binary(bytes.await?))
}

/// `fetch_raw`: the whole message, rows or events.
pub async fn fetch_raw(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let held = newest(subscriber, head, "message ID are not equal")?;
    let (reply_head, names) = (reply_head(head), held.with_table_names);
    let bytes = encoded(subscriber, held, move |message| {
        let mut body = Vec::new();
        let raw_type = tmq::encode_message(message, names, &mut body)?;
        Ok(frame::fetch_raw_reply(reply_head, RawMessage { raw_type, body: &body }))
    });
    Ok(Frame::Binary(bytes.await?))
}

/// `fetch_raw_data`: the same in a frame that can tell of a failure.
pub async fn fetch_raw_data(subscriber: &Subscriber, head: &Head) -> Frame {
    let reply_head = reply_head(head);
    let bytes = match newest(subscriber, head, "message ID are not equal") {
        Ok(held) => {
            let names = held.with_table_names;
            let encode = move |message: &Message| {
                let mut body = Vec::new();
                let raw_type = tmq::encode_message(message, names, &mut body)?;
                Ok(frame::fetch_raw_data_reply(reply_head, Ok(RawMessage { raw_type, body: &body })))
            };
            encoded(subscriber, held, encode).await
        }
        Err(error) => Err(error),
    };
    Frame::Binary(bytes.unwrap_or_else(|error| {
        subscriber.server.metrics.error(&error);
        frame::fetch_raw_data_reply(reply_head, Err((error.code().0, error.message())))
    }))
}

/// `fetch_json_meta`: the events of a message; null where there are none.
pub async fn fetch_json_meta(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let held = newest(subscriber, head, "message ID are not equal")?;
    let in_lists = held.in_lists;
    let json = if held.message.meta.is_empty() {
        "null".to_owned()
    } else {
        // Many children may have been made at once.
        encoded(subscriber, held, move |message| Ok(meta_json::encode(&message.meta, in_lists))).await?
    };
    Ok(Reply::new(head).with_text("data", &json).finish(subscriber.version()))
}

fn reply_head(head: &Head) -> frame::ReplyHead {
    frame::ReplyHead { request: head.request, message: head.message.unwrap_or(0), timing: head.timing() }
}

/// What `encode` makes of a message; large ones in a turn.
async fn encoded<T: Send + 'static>(subscriber: &Subscriber, held: Arc<Held>, encode: impl FnOnce(&Message) -> Result<T> + Send + 'static) -> Result<T> {
    if held.message.rows() + held.message.meta.len() <= FEW_ROWS {
        return encode(&held.message);
    }
    subscriber.turn(move || encode(&held.message)).await
}
