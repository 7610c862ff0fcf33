//! gzip both ways. Bodies are inflated up to the limit and not a byte further; results are compressed as they stream, at the level where
//! it costs least. What fits a packet or two is only wrapped: a compressor takes 400 kB and longer than that saves.

use std::io::{Read, Write};

use embudo_types::{Error, Result};
use flate2::{Compression, Crc, read::MultiGzDecoder, write::GzEncoder};

/// Answers up to this size are wrapped as they are.
const SMALL: usize = 2 << 10;
/// Magic, deflate, no flags, no time, fastest, unknown system.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 4, 255];
/// A block that is stored and the last.
const LAST_STORED: u8 = 1;

/// Whether an `Accept-Encoding` header takes gzip.
pub fn accepts_gzip(header: &str) -> bool {
    header.split(',').any(|item| {
        let mut parts = item.split(';').map(str::trim);
        let named = parts.next().is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
        named && !parts.any(|parameter| matches!(parameter.split_once('='), Some(("q", weight)) if weight.parse() == Ok(0.0)))
    })
}

/// Why a body could not be inflated.
#[derive(Debug, PartialEq)]
pub enum Failure {
    /// It is no gzip, or broken.
    Broken,
    /// There is more in it than the limit.
    TooBig,
}

/// The inflated body, of at most `limit` bytes.
pub fn inflate(body: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut inflated).map_err(|_| Failure::Broken)?;
    if inflated.len() > limit { Err(Failure::TooBig) } else { Ok(inflated) }
}

/// A body on its way out, as it is or compressed.
pub struct Sink {
    text: Vec<u8>,
    coding: Coding,
}

enum Coding {
    Plain,
    /// Of what is small so far, and may stay so.
    Undecided,
    Gzip(Box<GzEncoder<Vec<u8>>>),
}

impl Sink {
    /// An empty sink.
    pub fn new(gzip: bool) -> Self {
        Self { text: Vec::new(), coding: if gzip { Coding::Undecided } else { Coding::Plain } }
    }

    /// Where text is written to.
    pub fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Compresses what was written, if that is asked for, and tells how many bytes are ready to be sent.
    pub fn settle(&mut self) -> Result<usize> {
        if matches!(self.coding, Coding::Undecided) {
            if self.text.len() <= SMALL {
                return Ok(0);
            }
            self.coding = Coding::Gzip(Box::new(GzEncoder::new(Vec::new(), Compression::fast())));
        }
        let Coding::Gzip(encoder) = &mut self.coding else { return Ok(self.text.len()) };
        encoder.write_all(&self.text).map_err(|source| Error::io("compressing a result", source))?;
        self.text.clear();
        Ok(encoder.get_ref().len())
    }

    /// What is ready to be sent.
    pub fn take(&mut self) -> Vec<u8> {
        match &mut self.coding {
            Coding::Plain => std::mem::take(&mut self.text),
            Coding::Undecided => Vec::new(),
            Coding::Gzip(encoder) => std::mem::take(encoder.get_mut()),
        }
    }

    /// The last bytes.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        self.settle()?;
        match &mut self.coding {
            Coding::Plain => {}
            Coding::Undecided => return Ok(wrapped(&std::mem::take(&mut self.text))),
            Coding::Gzip(encoder) => encoder.try_finish().map_err(|source| Error::io("compressing a result", source))?,
        }
        Ok(self.take())
    }
}

/// At most [`SMALL`] bytes as gzip that stores them.
fn wrapped(text: &[u8]) -> Vec<u8> {
    let mut sum = Crc::new();
    sum.update(text);
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    let mut out = Vec::with_capacity(text.len() + 24);
    out.extend(GZIP_HEADER);
    out.push(LAST_STORED);
    out.extend(length.to_le_bytes());
    out.extend((!length).to_le_bytes());
    out.extend(text);
    out.extend(sum.sum().to_le_bytes());
    out.extend(sum.amount().to_le_bytes());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compress(text: &[u8]) -> Vec<u8> {
        let mut sink = Sink::new(true);
        sink.text().extend_from_slice(text);
        sink.finish().unwrap()
    }

    #[test]
    fn what_was_compressed_inflates_again() {
        let text = "select 1;".repeat(10_000).into_bytes();
        let compressed = compress(&text);
        assert!(compressed.len() < text.len() / 20);
        assert_eq!(inflate(&compressed, text.len()), Ok(text));
    }

    #[test]
    fn every_size_inflates_again() {
        for length in [0, 1, 255, 256, SMALL - 1, SMALL, SMALL + 1, 65_535, 65_536, 200_000] {
            let text: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            assert_eq!(inflate(&compress(&text), length), Ok(text), "{length}");
        }
    }

    #[test]
    fn pieces_inflate_again() {
        let (mut sink, mut sent) = (Sink::new(true), Vec::new());
        for piece in 0..100_usize {
            sink.text().extend(std::iter::repeat_n(piece as u8, piece * 7));
            sink.settle().unwrap();
            sent.extend(sink.take());
        }
        sent.extend(sink.finish().unwrap());
        let whole: Vec<u8> = (0..100_usize).flat_map(|piece| std::iter::repeat_n(piece as u8, piece * 7)).collect();
        assert_eq!(inflate(&sent, whole.len()), Ok(whole));
    }

    #[test]
    fn bombs_and_noise_are_refused() {
        let bomb = compress(&vec![0; 10 << 20]);
        assert_eq!(inflate(&bomb, 1 << 20), Err(Failure::TooBig));
        assert_eq!(inflate(b"select 1", 1 << 20), Err(Failure::Broken));
        assert_eq!(inflate(&bomb[..bomb.len() / 2], 100 << 20), Err(Failure::Broken));
        assert_eq!(inflate(b"", 1 << 20), Err(Failure::Broken));
    }

    #[test]
    fn encodings_that_clients_send() {
        assert!(accepts_gzip("gzip"));
        assert!(accepts_gzip("deflate, GZIP;q=0.5"));
        for header in ["", "deflate", "identity", "gzip;q=0", "gzip; q=0.0", "x-gzip"] {
            assert!(!accepts_gzip(header), "{header}");
        }
    }
}
