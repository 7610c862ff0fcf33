//! A frame's header, and masking.

use super::Violation;

/// What a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0 => Self::Continuation,
            1 => Self::Text,
            2 => Self::Binary,
            8 => Self::Close,
            9 => Self::Ping,
            10 => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0,
            Self::Text => 1,
            Self::Binary => 2,
            Self::Close => 8,
            Self::Ping => 9,
            Self::Pong => 10,
        }
    }

    pub(super) fn is_control(self) -> bool {
        self.bits() >= 8
    }
}

/// A frame without its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) opcode: Opcode,
    pub(super) is_final: bool,
    pub(super) compressed: bool,
    pub(super) mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub(super) length: usize,
    /// Bytes of the header itself, as read.
    pub(super) size: usize,
}

impl Header {
    /// The header at the front of `bytes`; `None` where it is not whole yet.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, Violation> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x30 != 0 {
            return Err(Violation::protocol("reserved bits are set"));
        }
        let opcode = Opcode::from_bits(first & 0x0f).ok_or_else(|| Violation::protocol(format!("unknown opcode {}", first & 0x0f)))?;
        let (length, extended) = match (second & 0x7f, rest) {
            (126, rest) => match rest.first_chunk() {
                Some(length) => (u64::from(u16::from_be_bytes(*length)), 2),
                None => return Ok(None),
            },
            (127, rest) => match rest.first_chunk() {
                Some(length) => (u64::from_be_bytes(*length), 8),
                None => return Ok(None),
            },
            (short, _) => (u64::from(short), 0),
        };
        if (extended == 2 && length < 126) || (extended == 8 && (u16::try_from(length).is_ok() || length >> 63 != 0)) {
            return Err(Violation::protocol("a length is not in its shortest form"));
        }
        let mask = match (second & 0x80 != 0, rest[extended..].first_chunk()) {
            (false, _) => None,
            (true, Some(mask)) => Some(*mask),
            (true, None) => return Ok(None),
        };
        let length = usize::try_from(length).map_err(|_| Violation::new(1009, "a frame is too large"))?;
        let size = 2 + extended + if mask.is_some() { 4 } else { 0 };
        Ok(Some(Self { opcode, is_final: first & 0x80 != 0, compressed: first & 0x40 != 0, mask, length, size }))
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        out.push(flag(self.is_final, 0x80) | flag(self.compressed, 0x40) | self.opcode.bits());
        let masked = flag(self.mask.is_some(), 0x80);
        match self.length {
            0..=125 => out.push(masked | self.length as u8),
            126..=0xffff => {
                out.push(masked | 0x7e);
                out.extend_from_slice(&(self.length as u16).to_be_bytes());
            }
            _ => {
                out.push(masked | 0x7f);
                out.extend_from_slice(&(self.length as u64).to_be_bytes());
            }
        }
        out.extend_from_slice(self.mask.as_ref().map_or(&[][..], |mask| &mask[..]));
    }
}

/// Masks or unmasks in place.
pub(super) fn mask(payload: &mut [u8], mask: [u8; 4]) {
    let word = u64::from_ne_bytes([mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3]]);
    let mut words = payload.chunks_exact_mut(8);
    for chunk in &mut words {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(chunk);
        chunk.copy_from_slice(&(u64::from_ne_bytes(bytes) ^ word).to_ne_bytes());
    }
    for (at, byte) in words.into_remainder().iter_mut().enumerate() {
        *byte ^= mask[at % 4];
    }
}
