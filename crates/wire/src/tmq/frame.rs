//! Binary replies of `/rest/tmq` (spec/protocols.md 3.8): a block, or the body of a message. All integers little-endian.

use super::RawMessage;
use crate::binary_message;

/// What every binary reply says of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplyHead {
    /// The client's id of the request; in the reply to `fetch_block` that of the `fetch` before.
    pub request: u64,
    /// The message.
    pub message: u64,
    /// Nanoseconds since the request came.
    pub timing: u64,
}

/// The number of the action in a reply to `fetch_raw_data`.
pub const FETCH_RAW_DATA: u64 = 8;
/// Bytes in front of the block in a reply to `fetch_block`.
pub const BLOCK_HEAD_BYTES: usize = 24;
/// Bytes in front of the body in a reply to `fetch_raw`.
pub const RAW_HEAD_BYTES: usize = 38;
/// Bytes in front of the body in a reply to `fetch_raw_data`.
pub const RAW_DATA_HEAD_BYTES: usize = 56;

/// The reply to `fetch_block`; `write` appends the block.
pub fn fetch_block_reply<E>(head: ReplyHead, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<Vec<u8>, E> {
    let mut out: Vec<u8> = [head.timing, head.request, head.message].iter().flat_map(|word| word.to_le_bytes()).collect();
    write(&mut out)?;
    Ok(out)
}

/// The reply to `fetch_raw`, the way that the Go driver asks for it.
pub fn fetch_raw_reply(head: ReplyHead, raw: RawMessage<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(RAW_HEAD_BYTES + raw.body.len());
    for word in [head.timing, head.request, head.message, binary_message::action::WRITE_RAW] {
        out.extend_from_slice(&word.to_le_bytes());
    }
    out.extend_from_slice(&(raw.body.len() as u32).to_le_bytes());
    out.extend_from_slice(&raw.raw_type.to_le_bytes());
    out.extend_from_slice(raw.body);
    out
}

/// The reply to `fetch_raw_data`; a failure is TDengine's code and a text.
pub fn fetch_raw_data_reply(head: ReplyHead, raw: Result<RawMessage<'_>, (u16, &str)>) -> Vec<u8> {
    let (code, text) = raw.err().unwrap_or((0, ""));
    let mut out = Vec::with_capacity(RAW_DATA_HEAD_BYTES + text.len() + raw.map_or(0, |raw| raw.body.len()));
    out.extend_from_slice(&u64::MAX.to_le_bytes());
    out.extend_from_slice(&FETCH_RAW_DATA.to_le_bytes());
    out.extend_from_slice(&1_u16.to_le_bytes());
    out.extend_from_slice(&head.timing.to_le_bytes());
    out.extend_from_slice(&head.request.to_le_bytes());
    out.extend_from_slice(&u32::from(code).to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&head.message.to_le_bytes());
    if let Ok(raw) = raw {
        out.extend_from_slice(&raw.raw_type.to_le_bytes());
        out.extend_from_slice(&(raw.body.len() as u32).to_le_bytes());
        out.extend_from_slice(raw.body);
    }
    out
}

/// A reply to `fetch_raw_data` as it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchedRaw<'a> {
    /// The message's body.
    Message(RawMessage<'a>),
    /// A failure: code and text.
    Failed(u32, &'a [u8]),
}

/// Reads a reply to `fetch_raw_data`; `None` where it is too short.
pub fn read_fetch_raw_data(frame: &[u8]) -> Option<FetchedRaw<'_>> {
    let (code, length) = (int(frame, 34)?, int(frame, 38)? as usize);
    let rest = frame.get(42..)?;
    let text = rest.get(..length)?;
    if code != 0 {
        return Some(FetchedRaw::Failed(code, text));
    }
    let rest = rest.get(length + 8..)?;
    let size = int(rest, 2)? as usize;
    let body = rest.get(6..)?.get(..size)?;
    Some(FetchedRaw::Message(RawMessage { raw_type: short(rest, 0)?, body }))
}

/// The body in a reply to `fetch_raw`, or behind the head of a binary `write_raw`: a length, a type, and bytes.
pub fn read_raw(bytes: &[u8]) -> Option<RawMessage<'_>> {
    let length = int(bytes, 0)? as usize;
    Some(RawMessage { raw_type: short(bytes, 4)?, body: bytes.get(6..)?.get(..length)? })
}

fn int(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

fn short(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_travel_in_every_frame() {
        let head = ReplyHead { request: 0x79, message: 4, timing: 1000 };
        let raw = RawMessage { raw_type: 2, body: b"body" };
        let frame = fetch_raw_reply(head, raw);
        assert_eq!(read_raw(&frame[32..]), Some(raw));
        let frame = fetch_raw_data_reply(head, Ok(raw));
        assert_eq!(frame.len(), RAW_DATA_HEAD_BYTES + 4);
        assert_eq!(read_fetch_raw_data(&frame), Some(FetchedRaw::Message(raw)));
        for cut in 0..frame.len() {
            assert_eq!(read_fetch_raw_data(&frame[..cut]), None);
        }
        let frame = fetch_raw_data_reply(head, Err((65_535, "message is nil")));
        assert_eq!(read_fetch_raw_data(&frame), Some(FetchedRaw::Failed(65_535, b"message is nil")));
        assert_eq!(frame[frame.len() - 8..], 4_u64.to_le_bytes());
    }
}
