//! What differs from run to run in recorded subscriptions: vgroups, offsets in the log, and events as bytes, which each server writes its own way.

use std::collections::HashMap;

use embudo_wire::{binary_message::action, websocket::Message};
use serde_json::Value;

/// The offset that stands for none, which does not vary.
const NONE: i64 = -2_147_467_247;
/// Where the two offsets stand in a reply to `fetch_raw`.
const OFFSETS: [std::ops::Range<usize>; 2] = [44..52, 53..61];
/// Where the type of a message stands there, and its body.
const RAW_TYPE: std::ops::Range<usize> = 36..38;
const RAW: usize = 32;

/// Numbers of the recorded server, and what they are here.
#[derive(Default)]
pub struct Translation {
    vgroups: HashMap<i64, i64>,
    /// The first offset there, and here.
    begins: Option<(i64, i64)>,
    /// The last message that was fetched here: length, type, body.
    raw: Vec<u8>,
}

impl Translation {
    /// A request as it is to be sent here.
    pub fn request(&self, message: Message) -> Message {
        match message {
            Message::Text(text) => match serde_json::from_str::<Value>(&text) {
                Ok(mut json) if json["args"]["topic"].is_string() || json["args"]["topic_vgroup_ids"].is_array() => {
                    self.members(&mut json["args"]);
                    Message::Text(json.to_string())
                }
                _ => Message::Text(text),
            },
            Message::Binary(bytes) if bytes.get(16..24) == Some(&action::WRITE_RAW.to_le_bytes()) => Message::Binary([&bytes[..24], &self.raw].concat()),
            other => other,
        }
    }

    fn members(&self, json: &mut Value) {
        match json {
            Value::Object(members) => {
                for (name, value) in members {
                    match (name.as_str(), value.as_i64()) {
                        ("vgroup_id", Some(number)) => *value = self.vgroups.get(&number).copied().unwrap_or(number).into(),
                        ("offset", Some(number)) => *value = self.offset(number).into(),
                        _ => self.members(value),
                    }
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.members(item)),
            _ => {}
        }
    }

    fn offset(&self, there: i64) -> i64 {
        self.begins.map_or(there, |(begin, here)| here + there - begin)
    }

    /// Learns from a reply.
    pub fn learn(&mut self, want: &str, got: &str) {
        let (Ok(want), Ok(got)) = (serde_json::from_str::<Value>(want), serde_json::from_str::<Value>(got)) else { return };
        let (there, here) = if want["assignment"].is_array() { (&want["assignment"][0], &got["assignment"][0]) } else { (&want, &got) };
        if let (Some(there), Some(here)) = (there["vgroup_id"].as_i64(), here["vgroup_id"].as_i64())
            && there > 0
        {
            self.vgroups.insert(there, here);
        }
        if let (Some(there), Some(here)) = (there["begin"].as_i64(), here["begin"].as_i64()) {
            self.begins = Some((there, here));
        }
    }

    /// Takes a reply to `fetch_raw`, and gives what two of them must share.
    pub fn raw(&mut self, got: &[u8], want: &[u8]) -> (Vec<u8>, Vec<u8>) {
        self.raw = got.get(RAW..).unwrap_or_default().to_vec();
        (comparable(got), comparable(want))
    }
}

/// Whether a binary reply is that to `fetch_raw`.
pub fn is_raw(reply: &[u8]) -> bool {
    reply.get(24..32) == Some(&action::WRITE_RAW.to_le_bytes())
}

fn comparable(reply: &[u8]) -> Vec<u8> {
    let mut reply = reply[8..].to_vec();
    let shifted = |range: std::ops::Range<usize>| range.start - 8..range.end - 8;
    if reply.get(shifted(RAW_TYPE)) == Some(&2_u16.to_le_bytes()) {
        for range in OFFSETS {
            reply[shifted(range)].fill(0);
        }
    } else {
        // Of events only the type.
        reply.truncate(RAW_TYPE.end - 8);
        reply[RAW - 8..RAW_TYPE.start - 8].fill(0);
    }
    reply
}

/// A reply's text without vgroups and offsets, but for that which stands for none.
pub fn without_places(text: &str) -> String {
    let mut out = text.to_owned();
    for name in ["vgroup_id", "offset", "begin", "end"] {
        out = replace_numbers(&out, &format!("\"{name}\":"));
    }
    for name in ["committed", "position"] {
        out = replace_numbers(&out, &format!("\"{name}\":["));
    }
    out
}

fn replace_numbers(text: &str, before: &str) -> String {
    let mut parts = text.split(before);
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|character: char| character != '-' && !character.is_ascii_digit()).unwrap_or(part.len());
        let number = part[..end].parse::<i64>();
        out.push_str(before);
        out.push_str(if number == Ok(NONE) { &part[..end] } else { "0" });
        out.push_str(&part[end..]);
    }
    out
}
