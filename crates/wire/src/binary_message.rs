//! Binary WebSocket messages of TDengine's adapter (spec/protocols.md 3.3): the head that every request has, and the reply to
//! `fetch_raw_block`. All integers little-endian.
//!
//! ```
//! use embudo_wire::binary_message::{Head, action};
//! let head = Head { request: 0x12, resource: 5, action: action::FETCH_RAW_BLOCK };
//! assert_eq!(Head::parse(&head.to_bytes()), Some((head, &[][..])));
//! ```

/// Numbers of the actions.
pub mod action {
    /// The tags of a statement, as a raw block of one row.
    pub const SET_TAGS: u64 = 1;
    /// Rows of a statement, as a raw block.
    pub const BIND: u64 = 2;
    /// A message of a subscription, to be written elsewhere.
    pub const WRITE_RAW: u64 = 3;
    /// A raw block into a table.
    pub const WRITE_RAW_BLOCK: u64 = 4;
    /// The same with the columns' names.
    pub const WRITE_RAW_BLOCK_WITH_FIELDS: u64 = 5;
    /// A statement's text.
    pub const BINARY_QUERY: u64 = 6;
    /// The next block of a result.
    pub const FETCH_RAW_BLOCK: u64 = 7;
    /// Tables, tags and rows of a statement of the second kind.
    pub const STATEMENT2_BIND: u64 = 9;
    /// A statement's text, to be checked only.
    pub const VALIDATE_SQL: u64 = 10;
    /// Columns of a statement of the second kind, to be run at once.
    pub const STATEMENT2_BIND_EXECUTE: u64 = 11;
    /// Embudo's own: a statement with its parameters, answered with its first rows. Those of TDengine are counted from 1.
    pub const EXECUTE: u64 = 1_001;
    /// Embudo's own: a statement of the second kind with what is bound to it, answered likewise.
    pub const EXECUTE_STATEMENT: u64 = 1_002;
}

/// Bytes of [`Head`].
pub const HEAD_BYTES: usize = 24;

/// The head of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The client's id of the request, echoed in the reply.
    pub request: u64,
    /// The result, statement or message that it is about; 0 for none.
    pub resource: u64,
    /// What to do: see [`action`].
    pub action: u64,
}

impl Head {
    /// The head of a message and what follows it; `None` where it is too short.
    pub fn parse(message: &[u8]) -> Option<(Self, &[u8])> {
        let (head, body) = message.split_at_checked(HEAD_BYTES)?;
        let word = |at: usize| head[at..at + 8].try_into().map(u64::from_le_bytes).ok();
        Some((Self { request: word(0)?, resource: word(8)?, action: word(16)? }, body))
    }

    /// The head as it is sent.
    pub fn to_bytes(self) -> Vec<u8> {
        [self.request, self.resource, self.action].iter().flat_map(|word| word.to_le_bytes()).collect()
    }
}

/// The statement's text in `binary_query` and `validate_sql`: version, length, text. An error says what is wrong with the message.
pub fn sql(body: &[u8]) -> Result<&[u8], String> {
    let short = || "message length is too short".to_owned();
    let version = u16::from_le_bytes(body.get(..2).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?);
    let length = u32::from_le_bytes(body.get(2..6).and_then(|bytes| bytes.try_into().ok()).ok_or_else(short)?) as usize;
    if version != 1 {
        return Err(format!("unknown binary query version:{version}"));
    }
    let rest = &body[6..];
    rest.get(..length).ok_or_else(|| format!("uncompleted message, sql length:{length}, remainMessageLength:{}", rest.len()))
}

/// What a reply to `fetch_raw_block` says.
#[derive(Clone, Copy, Debug)]
pub enum Fetched<'a> {
    /// A raw block.
    Block(&'a [u8]),
    /// There are no more.
    End,
    /// A failure: TDengine's code and the text.
    Failed(u16, &'a str),
}

/// A reply to `fetch_raw_block` about `result`, that took `timing` nanoseconds.
pub fn fetch_raw_block_reply(request: u64, result: u64, timing: u64, fetched: Fetched<'_>) -> Vec<u8> {
    let (code, text, block) = match fetched {
        Fetched::Block(block) => (0, "", Some(block)),
        Fetched::End => (0, "", None),
        Fetched::Failed(code, text) => (u32::from(code), text, None),
    };
    let mut out = Vec::with_capacity(55 + text.len() + block.map_or(0, <[u8]>::len));
    out.extend_from_slice(&u64::MAX.to_le_bytes());
    out.extend_from_slice(&action::FETCH_RAW_BLOCK.to_le_bytes());
    out.extend_from_slice(&1_u16.to_le_bytes());
    out.extend_from_slice(&timing.to_le_bytes());
    out.extend_from_slice(&request.to_le_bytes());
    out.extend_from_slice(&code.to_le_bytes());
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(&result.to_le_bytes());
    match block {
        None => out.push(1),
        Some(block) => {
            out.push(0);
            out.extend_from_slice(&(block.len() as u32).to_le_bytes());
            out.extend_from_slice(block);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn documented_vectors() {
        // spec/protocols.md 3.11.
        let query = bytes("11000000000000000000000000000000060000000000000001000800000073656c6563742031");
        let (head, body) = Head::parse(&query).unwrap();
        assert_eq!(head, Head { request: 0x11, resource: 0, action: action::BINARY_QUERY });
        assert_eq!(sql(body).unwrap(), b"select 1");
        let end = bytes("ffffffffffffffff07000000000000000100e80300000000000012000000000000000000000000000000050000000000000001");
        assert_eq!(fetch_raw_block_reply(0x12, 5, 1000, Fetched::End), end);
    }

    #[test]
    fn torn_messages_say_what_is_wrong() {
        assert!(Head::parse(&[0; 23]).is_none());
        assert_eq!(sql(&[1, 0, 0]), Err("message length is too short".into()));
        assert_eq!(sql(&[2, 0, 0, 0, 0, 0]), Err("unknown binary query version:2".into()));
        assert_eq!(sql(&[1, 0, 9, 0, 0, 0, b'x']), Err("uncompleted message, sql length:9, remainMessageLength:1".into()));
    }
}
