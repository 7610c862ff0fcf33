//! `ins_topics`, `ins_subscriptions` and `perf_consumers`.

use embudo_types::Value;
use embudo_types::subscription::OffsetReset;

use super::hub::{Member, offset_text};
use crate::Engine;
use crate::row_set::text;

type Push<'a> = &'a mut dyn FnMut(Vec<Value>);

/// `ins_topics`.
pub(crate) fn topics(engine: &Engine, push: Push<'_>) {
    for topic in engine.catalog().topics() {
        let schema = if topic.schema.is_empty() { "NULL" } else { &topic.schema };
        push(vec![
            text(&*topic.name),
            text(&*topic.database),
            Value::Timestamp(topic.created),
            text(&topic.text),
            text(schema),
            text(topic.source.meta().name()),
            text(topic.source.name()),
        ]);
    }
}

/// `ins_subscriptions`: every group of every topic, shard by shard.
pub(crate) fn subscriptions(engine: &Engine, push: Push<'_>) {
    for topic in engine.catalog().topics() {
        let Ok(database) = engine.catalog().database(&topic.database) else { continue };
        let (_, end) = database.store().log_range();
        for (group, offsets) in engine.catalog().offsets().groups(topic.id) {
            for shard in 0..database.store().shards() {
                let (reader, rows) = engine.hub().reader(&topic, &group, shard);
                push(vec![
                    text(&*topic.name),
                    text(&*group),
                    Value::Int(database.first_vgroup + i32::from(shard)),
                    reader.map_or(Value::Null, |id| text(format!("0x{id:x}"))),
                    text(offset_text(offsets.get(&shard).copied(), end)),
                    Value::BigInt(rows as i64),
                ]);
            }
        }
    }
}

/// `perf_consumers`: every member, a row for each of its topics.
pub(crate) fn consumers(engine: &Engine, push: Push<'_>) {
    for (id, member) in engine.hub().members() {
        let names: Vec<Value> = member.topics.iter().map(|plan| text(&*plan.topic.name)).collect();
        let names = if names.is_empty() { vec![Value::Null] } else { names };
        for name in names {
            let mut row =
                vec![text(format!("0x{id:x}")), text(&*member.group), text(&member.options.client), text(if member.is_lost { "lost" } else { "ready" }), name];
            row.extend(member.times.map(Value::Timestamp));
            row.push(text(parameters(&member)));
            push(row);
        }
    }
}

fn parameters(member: &Member) -> String {
    let options = &member.options;
    let reset = match options.offset_reset {
        OffsetReset::Earliest => "earliest",
        OffsetReset::Latest => "latest",
        OffsetReset::None => "none",
    };
    let (names, commits) = (u8::from(options.with_table_name), u8::from(options.auto_commit));
    format!("tbname:{names},commit:{commits},interval:{}ms,reset:{reset}", options.auto_commit_interval.as_millis())
}
