//! permessage-deflate of one message: raw deflate, flushed, without the four bytes that every flush ends with.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::Violation;

const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// Compresses a message.
pub(super) fn deflate(payload: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::fast(), false);
    let mut out = Vec::with_capacity(payload.len() / 2 + 64);
    loop {
        let taken = compress.total_in() as usize;
        if out.capacity() - out.len() < 64 {
            out.reserve(out.capacity());
        }
        // Deflate itself cannot fail; where it would not go on, what is there is whole.
        let status = compress.compress_vec(&payload[taken..], &mut out, FlushCompress::Sync);
        let done = compress.total_in() as usize == payload.len() && out.len() < out.capacity();
        if done || !matches!(status, Ok(Status::Ok)) {
            break;
        }
    }
    if out.ends_with(&TAIL) {
        out.truncate(out.len() - TAIL.len());
    }
    out
}

/// Decompresses a message of at most `limit` bytes.
pub(super) fn inflate(payload: &[u8], limit: usize) -> Result<Vec<u8>, Violation> {
    let mut decompress = Decompress::new(false);
    let mut out = Vec::with_capacity((payload.len() * 3).clamp(64, limit.saturating_add(1)));
    for part in [payload, &TAIL] {
        let before = decompress.total_in();
        loop {
            let taken = (decompress.total_in() - before) as usize;
            let (length, status) = (out.len(), decompress.decompress_vec(&part[taken..], &mut out, FlushDecompress::Sync));
            let status = status.map_err(|_| Violation::protocol("a message is not compressed as it says"))?;
            if out.len() > limit {
                return Err(Violation::new(1009, format!("a message is larger than {limit} bytes")));
            }
            let taken = (decompress.total_in() - before) as usize;
            if status == Status::StreamEnd {
                return Ok(out);
            }
            if taken == part.len() && out.len() < out.capacity() {
                break;
            }
            if out.len() == out.capacity() {
                out.reserve((out.capacity()).min(limit.saturating_add(1) - out.len()).max(64));
            } else if out.len() == length && status == Status::BufError {
                break;
            }
        }
    }
    Ok(out)
}
