//! Beginning and ending a subscription: `subscribe`, `unsubscribe`, `list_topics`.

use std::sync::atomic::{AtomicBool, Ordering};

use embudo_types::{Error, Result, Zone, code, subscription::SubscribeOptions};
use embudo_wire::{tmq::configuration, websocket::Message as Frame};
use serde_json::Value as Json;

use super::session::{Subscriber, Subscription};
use crate::{
    version::Since,
    websocket::{
        reply::{Head, Reply},
        request::Arguments,
        upgrade::{Introduction, unlisted},
    },
};

/// Members of a request that have a key of their own in the configuration.
const MEMBERS: [(&str, &str); 14] = [
    ("group_id", "group.id"),
    ("client_id", "client.id"),
    ("offset_rest", "auto.offset.reset"),
    ("offset_reset", "auto.offset.reset"),
    ("auto_commit", "enable.auto.commit"),
    ("auto_commit_interval_ms", "auto.commit.interval.ms"),
    ("snapshot_enable", "experimental.snapshot.enable"),
    ("with_table_name", "msg.with.table.name"),
    ("enable_batch_meta", "msg.enable.batchmeta"),
    ("msg_consume_excluded", "msg.consume.excluded"),
    ("msg_consume_rawdata", "msg.consume.rawdata"),
    ("session_timeout_ms", "session.timeout.ms"),
    ("max_poll_interval_ms", "max.poll.interval.ms"),
    ("db", "td.connect.db"),
];

/// `subscribe`. A connection has one consumer; after `unsubscribe` it takes other topics and keeps all else.
pub async fn subscribe(subscriber: &Subscriber, head: &Head, arguments: &Arguments) -> Result<Frame> {
    let _one_at_a_time = subscriber.subscribing.lock().await;
    let topics = topics(arguments)?;
    match subscriber.subscription() {
        Ok(subscription) if subscription.is_subscribed.load(Ordering::Acquire) => {
            return Err(Error::with(code::UNCLASSIFIED, "tmq should have unsubscribed first"));
        }
        Ok(subscription) => {
            subscriber.consume(move |consumer| consumer.subscribe(&topics)).await?;
            subscription.is_subscribed.store(true, Ordering::Release);
        }
        Err(_) => {
            let subscription = begin(subscriber, arguments, topics).await?;
            subscriber.keep(subscription);
        }
    }
    let version = subscriber.version();
    let mut reply = Reply::new(head);
    if version.has(Since::BINARY_QUERY) {
        reply = reply.with("version", version.to_string());
    }
    if version.has(Since::INSTANCES) && arguments.flag("list_instances")? {
        reply = reply.with("list_instances", subscriber.client.host.iter().cloned().collect::<Vec<_>>());
    }
    Ok(reply.finish(version))
}

async fn begin(subscriber: &Subscriber, arguments: &Arguments, topics: Vec<String>) -> Result<Subscription> {
    let is_recorded = !subscriber.version().has(Since::BINARY_QUERY);
    let options = options(arguments, topics).map_err(|error| match error.code() {
        code::INVALID_PARAMETERS if is_recorded => Error::with(code::UNCLASSIFIED, "fail"),
        _ => error,
    })?;
    let zone = Some(arguments.text("tz")?).filter(|zone| !zone.is_empty()).map(Zone::named).transpose()?;
    let configured = arguments.get("config").and_then(|config| config.get("td.connect.token")).and_then(Json::as_str).filter(|token| !token.is_empty());
    let attempt = subscriber.client.attempt(&subscriber.server, arguments, configured).await?;
    let (with_table_names, in_lists) = (options.with_table_name, options.batch_meta && !is_recorded);
    let session = subscriber.turn(move || attempt.session()).await.map_err(unlisted).map_err(|error| match error.code() {
        code::AUTHENTICATION_FAILURE if is_recorded => Error::with(code::UNCLASSIFIED, "new consumer return nil"),
        _ => error,
    })?;
    subscriber.client.own(&session, &Introduction { application: arguments.text("app")?.to_owned(), address: arguments.text("ip")?.to_owned() });
    if let Some(zone) = zone {
        session.set_zone(zone);
    }
    let consumer = subscriber.turn(move || session.subscribe(options)).await?;
    Ok(Subscription { consumer, with_table_names, in_lists, is_subscribed: AtomicBool::new(true) })
}

fn topics(arguments: &Arguments) -> Result<Vec<String>> {
    arguments.list("topics")?.iter().map(|topic| topic.as_str().map(str::to_owned).ok_or_else(|| arguments.refused())).collect()
}

/// What a request asks for. The adapter commits only where it is told to; entries of `config` win over members.
fn options(arguments: &Arguments, topics: Vec<String>) -> Result<SubscribeOptions> {
    let mut options = SubscribeOptions { auto_commit: false, topics, ..SubscribeOptions::new("", [""; 0]) };
    for (member, key) in MEMBERS {
        let value = arguments.text(member)?;
        if !value.is_empty() {
            configuration::set(&mut options, key, value)?;
        }
    }
    match arguments.get("config") {
        None => {}
        Some(Json::Object(entries)) => {
            for (key, value) in entries {
                configuration::set(&mut options, key, value.as_str().ok_or_else(|| arguments.refused())?)?;
            }
        }
        Some(_) => return Err(arguments.refused()),
    }
    Ok(options)
}

/// `unsubscribe`: the consumer stays, with no topics.
pub async fn unsubscribe(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let subscription = subscriber.subscription()?;
    let _one_at_a_time = subscriber.subscribing.lock().await;
    if subscription.is_subscribed.swap(false, Ordering::AcqRel) {
        subscriber.hold(None);
        subscriber.consume(embudo_engine::Consumer::unsubscribe).await?;
    }
    Ok(Reply::new(head).finish(subscriber.version()))
}

/// `list_topics`.
pub fn list_topics(subscriber: &Subscriber, head: &Head) -> Result<Frame> {
    let subscription = subscriber.subscription()?;
    let topics = if subscription.is_subscribed.load(Ordering::Acquire) { subscription.consumer.topics() } else { Vec::new() };
    Ok(Reply::new(head).with("topics", topics).finish(subscriber.version()))
}
