//! gzip both ways. Bodies are inflated up to the limit and not a byte further; results are compressed as they stream, at the level where
//! it costs least.

use std::io::{Read, Write};

use embudo_types::{Error, Result};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

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
    gzip: Option<Box<GzEncoder<Vec<u8>>>>,
}

impl Sink {
    /// An empty sink.
    pub fn new(gzip: bool) -> Self {
        Self { text: Vec::new(), gzip: gzip.then(|| Box::new(GzEncoder::new(Vec::new(), Compression::fast()))) }
    }

    /// Where text is written to.
    pub fn text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Compresses what was written, if that is asked for, and tells how many bytes are ready to be sent.
    pub fn settle(&mut self) -> Result<usize> {
        let Some(encoder) = &mut self.gzip else { return Ok(self.text.len()) };
        encoder.write_all(&self.text).map_err(|source| Error::io("compressing a result", source))?;
        self.text.clear();
        Ok(encoder.get_ref().len())
    }

    /// What is ready to be sent.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(match &mut self.gzip {
            Some(encoder) => encoder.get_mut(),
            None => &mut self.text,
        })
    }

    /// The last bytes.
    pub fn finish(&mut self) -> Result<Vec<u8>> {
        self.settle()?;
        if let Some(encoder) = &mut self.gzip {
            encoder.try_finish().map_err(|source| Error::io("compressing a result", source))?;
        }
        Ok(self.take())
    }
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
