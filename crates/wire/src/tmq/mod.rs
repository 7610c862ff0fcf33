//! Subscriptions on the wire (spec/protocols.md 3.8 and 3.9): messages with rows, events as JSON and as bytes, and the frames around them.
//!
//! Rows and what stands around them are TDengine's own format. Events are TDengine's as JSON; as bytes they are an encoding of our own with a
//! version in front, which only `write_raw` of this server reads again: clients pass such bytes on without looking at them.

pub mod body;
pub mod configuration;
pub mod frame;
pub mod meta_json;
pub mod meta_raw;
mod varint;

use embudo_types::{
    Result,
    subscription::{Message, MessageKind, MetaEvent, TableKind},
};

/// A message as `fetch_raw` gives it and `write_raw` takes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawMessage<'a> {
    /// What it is: see [`raw_type`].
    pub raw_type: u16,
    /// Its bytes.
    pub body: &'a [u8],
}

/// What the bytes of a message are.
pub mod raw_type {
    /// Rows.
    pub const DATA: u16 = 2;
    /// Rows, and the tables that are made for them.
    pub const DATA_AND_META: u16 = 4;
    /// Several events.
    pub const EVENTS: u16 = 5;
    /// CREATE TABLE.
    pub const CREATE_TABLE: u16 = 515;
    /// ALTER of a child or normal table.
    pub const ALTER_TABLE: u16 = 517;
    /// DROP of a child or normal table.
    pub const DROP_TABLE: u16 = 519;
    /// CREATE STABLE.
    pub const CREATE_STABLE: u16 = 531;
    /// ALTER STABLE.
    pub const ALTER_STABLE: u16 = 533;
    /// DROP STABLE.
    pub const DROP_STABLE: u16 = 535;
    /// DELETE.
    pub const DELETE: u16 = 579;
}

/// The number of a message's kind in `poll`.
pub fn message_type(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Data => 1,
        MessageKind::Meta => 2,
        MessageKind::DataAndMeta => 3,
    }
}

/// The kind of a number in `poll`.
pub fn message_kind(number: u64) -> Option<MessageKind> {
    match number {
        1 => Some(MessageKind::Data),
        2 => Some(MessageKind::Meta),
        3 => Some(MessageKind::DataAndMeta),
        _ => None,
    }
}

/// Appends the bytes of a message, and gives what they are.
pub fn encode_message(message: &Message, with_table_names: bool, out: &mut Vec<u8>) -> Result<u16> {
    if message.kind == MessageKind::Meta {
        meta_raw::encode(&message.meta, out);
        return Ok(events_type(&message.meta));
    }
    let head = body::BodyHead { begin: message.start, end: message.next, with_table_names };
    if message.kind == MessageKind::Data {
        body::encode(head, &message.blocks, None, out)?;
        return Ok(raw_type::DATA);
    }
    let creates = message.meta.iter().map(|event| {
        let mut create = Vec::new();
        meta_raw::encode(std::slice::from_ref(event), &mut create);
        create
    });
    body::encode(head, &message.blocks, Some(&creates.collect::<Vec<_>>()), out)?;
    Ok(raw_type::DATA_AND_META)
}

/// What was read from a message's bytes: the events, and the rows that come after them.
pub fn decode_message(raw: RawMessage<'_>) -> Result<(Vec<MetaEvent>, body::Body)> {
    if !matches!(raw.raw_type, raw_type::DATA | raw_type::DATA_AND_META) {
        return Ok((meta_raw::decode(raw.body)?, body::Body::default()));
    }
    let body = body::decode(raw.body, raw.raw_type == raw_type::DATA_AND_META)?;
    let mut events = Vec::new();
    for create in &body.creates {
        events.extend(meta_raw::decode(create)?);
    }
    Ok((events, body))
}

fn events_type(events: &[MetaEvent]) -> u16 {
    let [event] = events else { return raw_type::EVENTS };
    match event {
        MetaEvent::CreateSuper { .. } => raw_type::CREATE_STABLE,
        MetaEvent::CreateNormal { .. } | MetaEvent::CreateChild { .. } => raw_type::CREATE_TABLE,
        MetaEvent::Alter { kind: TableKind::Super, .. } => raw_type::ALTER_STABLE,
        MetaEvent::Alter { .. } => raw_type::ALTER_TABLE,
        MetaEvent::Drop { kind: TableKind::Super, .. } => raw_type::DROP_STABLE,
        MetaEvent::Drop { .. } => raw_type::DROP_TABLE,
        MetaEvent::Delete { .. } => raw_type::DELETE,
    }
}

/// Names of column options, as SQL writes them.
const OPTION_NAMES: [&str; 13] = ["disabled", "simple8b", "delta-i", "delta-d", "bit-packing", "lz4", "zlib", "zstd", "tsz", "xz", "high", "medium", "low"];

/// The name of a column's option; empty for one that is not known, which then is the type's own.
fn option_name(name: &str) -> &'static str {
    OPTION_NAMES.iter().find(|known| **known == name).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
