//! Where the consumer stands, and where its group does.

use embudo_engine::Consumer;
use embudo_types::{Result, code};
use embudo_wire::websocket::Message as Frame;
use serde_json::{Value as Json, json};

use super::session::Subscriber;
use crate::websocket::{
    reply::{Head, Reply},
    request::Arguments,
};

/// What stands for an offset that is not there: the code of "No committed info" as TDengine's clients count it.
const NONE: i64 = (0x8000_0000_u32 | code::NO_COMMITTED_INFO.0 as u32).cast_signed() as i64;

/// `commit`: everything that was polled.
pub async fn commit(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    subscriber.consume(Consumer::commit_all).await?;
    Ok(Reply::new(head).finish(subscriber.version()))
}

/// `commit_offset`: one offset, also back.
pub async fn commit_offset(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    let place = Place::of(arguments)?;
    let offset = arguments.integer("offset")?.unwrap_or(0);
    let reply = Reply::new(head).with("topic", place.topic.as_str()).with("vgroup_id", place.vgroup).with("offset", offset);
    subscriber.consume(move |consumer| consumer.commit(&place.topic, place.vgroup, offset)).await?;
    Ok(reply.finish(subscriber.version()))
}

/// `seek`. The newest message stays what it is.
pub async fn seek(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    let place = Place::of(arguments)?;
    let offset = arguments.integer("offset")?.unwrap_or(0);
    subscriber.consume(move |consumer| consumer.seek(&place.topic, place.vgroup, offset)).await?;
    Ok(Reply::new(head).finish(subscriber.version()))
}

/// `assignment`: the vgroups of a topic that are this consumer's.
pub async fn assignment(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    let topic = arguments.text("topic")?.to_owned();
    let assigned = subscriber.consume(move |consumer| consumer.assignment(&topic)).await?;
    let one = |assigned: &embudo_types::subscription::Assignment| {
        let (vgroup, offset, begin, end) = (assigned.vgroup, assigned.current, assigned.begin, assigned.end);
        format!("{{\"vgroup_id\":{vgroup},\"offset\":{offset},\"begin\":{begin},\"end\":{end}}}")
    };
    let list = format!("[{}]", assigned.iter().map(one).collect::<Vec<_>>().join(","));
    Ok(Reply::new(head).with_text("assignment", &list).finish(subscriber.version()))
}

/// `committed`: what the group has committed.
pub async fn committed(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    offsets(subscriber, head, arguments, "committed", Consumer::committed).await
}

/// `position`: where the next poll reads.
pub async fn position(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    offsets(subscriber, head, arguments, "position", Consumer::position).await
}

async fn offsets(
    subscriber: &Subscriber,
    head: &Head,
    arguments: &Arguments,
    name: &str,
    of: fn(&Consumer, &str, i32) -> Result<Option<i64>>,
) -> Result<Frame> {
    let places = arguments.list("topic_vgroup_ids")?.iter().map(|place| Place::read(place).ok_or_else(|| arguments.refused()));
    let places = places.collect::<Result<Vec<_>>>()?;
    let all = move |consumer: &Consumer| places.iter().map(|place| Ok(of(consumer, &place.topic, place.vgroup)?.unwrap_or(NONE))).collect::<Result<Vec<_>>>();
    Ok(Reply::new(head).with(name, json!(subscriber.consume(all).await?)).finish(subscriber.version()))
}

/// A vgroup of a topic.
struct Place {
    topic: String,
    vgroup: i32,
}

impl Place {
    /// The one that a request is about.
    fn of(arguments: &Arguments) -> Result<Self> {
        let vgroup = arguments.integer("vgroup_id")?.unwrap_or(0);
        Ok(Self { topic: arguments.text("topic")?.to_owned(), vgroup: i32::try_from(vgroup).map_err(|_| arguments.refused())? })
    }

    /// One of a list.
    fn read(json: &Json) -> Option<Self> {
        let vgroup = json["vgroup_id"].as_i64().and_then(|vgroup| i32::try_from(vgroup).ok());
        Some(Self { topic: json["topic"].as_str()?.to_owned(), vgroup: vgroup? })
    }
}
