//! WebSocket (RFC 6455) with permessage-deflate (RFC 7692) as bytes in, messages out; server and client share it and bring their own I/O.
//! Why not a library: docs/decisions/0009-websocket-codec.md.
//!
//! Compression never carries state from message to message, as TDengine's adapter has it. Limits hold for messages after decompression.
//!
//! ```
//! use embudo_wire::websocket::{Decoder, Encoder, Message, Role};
//! let mut bytes = Vec::new();
//! Encoder::new(Role::Client, false, 7).encode(&Message::Text("hello".into()), &mut bytes);
//! let mut decoder = Decoder::new(Role::Server, false, 1 << 20);
//! decoder.feed(&bytes);
//! assert_eq!(decoder.next()?, Some(Message::Text("hello".into())));
//! # Ok::<(), embudo_wire::websocket::Violation>(())
//! ```

mod deflate;
mod frame;
mod handshake;

use deflate::{deflate, inflate};
use frame::{Header, Opcode};

pub use handshake::{Extension, accept_key, negotiate, request_key};

/// Which end of the connection speaks: a client masks what it sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who asked for the upgrade.
    Client,
    /// Who granted it.
    Server,
}

/// One message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// UTF-8 text.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
    /// To be answered by [`Self::Pong`] with the same bytes, at most 125.
    Ping(Vec<u8>),
    /// The answer to a ping.
    Pong(Vec<u8>),
    /// The end, with a code and a reason.
    Close(Option<(u16, String)>),
}

/// Why a connection must be closed: the close code and what was wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Violation {
    /// 1002 protocol, 1007 not UTF-8, 1009 too large.
    pub code: u16,
    /// What was wrong.
    pub reason: String,
}

impl Violation {
    fn new(code: u16, reason: impl Into<String>) -> Self {
        Self { code, reason: reason.into() }
    }

    fn protocol(reason: impl Into<String>) -> Self {
        Self::new(1002, reason)
    }
}

/// Largest payload of a ping, pong or close.
const MAX_CONTROL: usize = 125;
/// Messages below this many bytes are not worth compressing.
const DEFLATE_FROM: usize = 256;

/// Takes bytes as they come and gives whole messages.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    deflates: bool,
    limit: usize,
    buffer: Vec<u8>,
    /// Where in `buffer` the next frame begins.
    start: usize,
    partial: Option<Partial>,
}

/// Bytes that a buffer keeps room for.
const KEPT: usize = 64 << 10;
/// The most that a byte becomes when it is inflated.
const LARGEST_RATIO: usize = 1_032;

/// A message whose last frame has not come yet.
#[derive(Debug)]
struct Partial {
    is_text: bool,
    compressed: bool,
    payload: Vec<u8>,
}

impl Decoder {
    /// A decoder for what arrives at `role`; `limit` is the largest message in bytes.
    pub fn new(role: Role, deflates: bool, limit: usize) -> Self {
        Self { role, deflates, limit, buffer: Vec::new(), start: 0, partial: None }
    }

    /// Changes how large a message may be, from the next frame on.
    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    /// Takes received bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
            // A large message leaves no large buffer behind.
            self.buffer.shrink_to(KEPT.max(self.buffer.len() + bytes.len()));
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes that have come and are of no whole message yet, or of one that was not taken.
    pub fn held(&self) -> usize {
        self.buffer.len() - self.start + self.partial.as_ref().map_or(0, |partial| partial.payload.len())
    }

    /// At most what there is to be held for the call of [`next`](Self::next): what has come, and the message that comes of it.
    pub fn demand(&self) -> usize {
        let Ok(Some(header)) = Header::parse(&self.buffer[self.start..]) else { return self.held() };
        if self.buffer.len() - self.start < header.size + header.length {
            return self.held();
        }
        let begun = self.partial.as_ref().map_or((0, header.compressed), |partial| (partial.payload.len(), partial.compressed));
        let (length, compressed) = (begun.0 + header.length, begun.1 && header.is_final);
        self.held() + if compressed { length.saturating_mul(LARGEST_RATIO).min(self.limit) } else { length }
    }

    /// The next whole message; `None` until more bytes come. After an error the connection is to be closed.
    #[allow(clippy::should_implement_trait, reason = "fallible, and there may be more after None")]
    pub fn next(&mut self) -> Result<Option<Message>, Violation> {
        loop {
            let Some(header) = Header::parse(&self.buffer[self.start..])? else { return Ok(None) };
            self.check(&header)?;
            if self.buffer.len() - self.start < header.size + header.length {
                return Ok(None);
            }
            let begin = self.start + header.size;
            self.start = begin + header.length;
            let payload = &mut self.buffer[begin..begin + header.length];
            if let Some(mask) = header.mask {
                frame::mask(payload, mask);
            }
            let payload = &self.buffer[begin..begin + header.length];
            if let Some(message) = Self::take(&mut self.partial, self.limit, &header, payload)? {
                return Ok(Some(message));
            }
        }
    }

    fn check(&self, header: &Header) -> Result<(), Violation> {
        if header.mask.is_some() != (self.role == Role::Server) {
            return Err(Violation::protocol("a frame is masked where it must not be, or is not where it must be"));
        }
        if header.compressed && (!self.deflates || header.opcode.is_control() || header.opcode == Opcode::Continuation) {
            return Err(Violation::protocol("a frame is compressed where it must not be"));
        }
        if header.opcode.is_control() && (!header.is_final || header.length > MAX_CONTROL) {
            return Err(Violation::protocol("a control frame is fragmented or too large"));
        }
        let held = self.partial.as_ref().map_or(0, |partial| partial.payload.len());
        if header.length > self.limit.saturating_sub(held) {
            return Err(Violation::new(1009, format!("a message is larger than {} bytes", self.limit)));
        }
        Ok(())
    }

    fn take(partial: &mut Option<Partial>, limit: usize, header: &Header, payload: &[u8]) -> Result<Option<Message>, Violation> {
        match header.opcode {
            Opcode::Ping => return Ok(Some(Message::Ping(payload.to_vec()))),
            Opcode::Pong => return Ok(Some(Message::Pong(payload.to_vec()))),
            Opcode::Close => return close(payload).map(Some),
            Opcode::Text | Opcode::Binary => {
                let begun = Partial { is_text: header.opcode == Opcode::Text, compressed: header.compressed, payload: payload.to_vec() };
                if partial.replace(begun).is_some() {
                    return Err(Violation::protocol("a message begins inside another"));
                }
            }
            Opcode::Continuation => {
                let begun = partial.as_mut().ok_or_else(|| Violation::protocol("a continuation without a beginning"))?;
                begun.payload.extend_from_slice(payload);
            }
        }
        match partial.take() {
            Some(whole) if header.is_final => whole.into_message(limit).map(Some),
            begun => {
                *partial = begun;
                Ok(None)
            }
        }
    }
}

impl Partial {
    fn into_message(self, limit: usize) -> Result<Message, Violation> {
        let payload = if self.compressed { inflate(&self.payload, limit)? } else { self.payload };
        if !self.is_text {
            return Ok(Message::Binary(payload));
        }
        String::from_utf8(payload).map(Message::Text).map_err(|_| Violation::new(1007, "a text message is not UTF-8"))
    }
}

fn close(payload: &[u8]) -> Result<Message, Violation> {
    match payload {
        [] => Ok(Message::Close(None)),
        [_] => Err(Violation::protocol("a close frame of one byte")),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            let reason = std::str::from_utf8(reason).map_err(|_| Violation::new(1007, "the reason of a close is not UTF-8"))?;
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::protocol(format!("close code {code} must not be sent")));
            }
            Ok(Message::Close(Some((code, reason.to_owned()))))
        }
    }
}

/// Turns messages into bytes, each into one frame.
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    deflates: bool,
    mask_state: u64,
}

impl Encoder {
    /// An encoder for what `role` sends; `seed` starts the sequence of a client's masks and should be unpredictable.
    pub fn new(role: Role, deflates: bool, seed: u64) -> Self {
        Self { role, deflates, mask_state: seed | 1 }
    }

    /// Appends a message's frame to `out`. Control payloads are cut to what a control frame takes.
    pub fn encode(&mut self, message: &Message, out: &mut Vec<u8>) {
        match message {
            Message::Text(text) => self.data(Opcode::Text, text.as_bytes(), out),
            Message::Binary(bytes) => self.data(Opcode::Binary, bytes, out),
            Message::Ping(bytes) => self.frame(Opcode::Ping, false, &bytes[..bytes.len().min(MAX_CONTROL)], out),
            Message::Pong(bytes) => self.frame(Opcode::Pong, false, &bytes[..bytes.len().min(MAX_CONTROL)], out),
            Message::Close(None) => self.frame(Opcode::Close, false, &[], out),
            Message::Close(Some((code, reason))) => {
                let mut payload = code.to_be_bytes().to_vec();
                payload.extend(
                    reason
                        .chars()
                        .scan(2, |size, char| {
                            *size += char.len_utf8();
                            (*size <= MAX_CONTROL).then_some(char)
                        })
                        .collect::<String>()
                        .bytes(),
                );
                self.frame(Opcode::Close, false, &payload, out);
            }
        }
    }

    /// Appends a binary message without taking it over.
    pub fn binary(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.data(Opcode::Binary, bytes, out);
    }

    /// Appends a text message without taking it over.
    pub fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        self.data(Opcode::Text, text.as_bytes(), out);
    }

    fn data(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        if self.deflates && payload.len() >= DEFLATE_FROM {
            self.frame(opcode, true, &deflate(payload), out);
        } else {
            self.frame(opcode, false, payload, out);
        }
    }

    fn frame(&mut self, opcode: Opcode, compressed: bool, payload: &[u8], out: &mut Vec<u8>) {
        let mask = (self.role == Role::Client).then(|| self.next_mask());
        Header { opcode, is_final: true, compressed, mask, length: payload.len(), size: 0 }.write(out);
        let begin = out.len();
        out.extend_from_slice(payload);
        if let Some(mask) = mask {
            frame::mask(&mut out[begin..], mask);
        }
    }

    /// xorshift64*: masks keep intermediaries from being fooled, they are no secret.
    fn next_mask(&mut self) -> [u8; 4] {
        let state = &mut self.mask_state;
        *state ^= *state >> 12;
        *state ^= *state << 25;
        *state ^= *state >> 27;
        ((state.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32).to_le_bytes()
    }
}

#[cfg(test)]
mod tests;
