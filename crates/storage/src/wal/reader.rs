//! Reading a log back: every record that was acknowledged, in order, whatever a crash or a broken disk left around it.

use std::path::{Path, PathBuf};

use embudo_types::{Error, Result};

use super::record::{HEADER, Header, decode_entries};
use super::{MAGIC, SEGMENT_HEADER, Segment, VERSION, check_file_header, segment_number};
use crate::options::Damage;
use crate::rows::{Entry, Sequence};
use crate::vfs::{self, OpenMode, Vfs};

/// What a replay found.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    /// Last sequence read; 0 if there was none.
    pub(crate) last: Sequence,
    /// Last sequence that a record says was durable.
    pub(crate) durable: Sequence,
    /// Records handed over.
    pub(crate) records: u64,
    /// Segments as they are now.
    pub(crate) segments: Vec<Segment>,
    /// What could not be read.
    pub(crate) damages: Vec<Damage>,
}

/// Bytes that are no whole record.
struct Hole {
    path: PathBuf,
    /// Place of the segment among the segments.
    segment: usize,
    offset: u64,
    bytes: u64,
    what: String,
}

/// Reads the segments of a directory in order and hands each record over once; leading segments with nothing above `safe` are passed
/// over, which is what retention keeps. A torn end is cut off, unless `read_only`.
pub(crate) fn replay(
    vfs: &dyn Vfs,
    directory: &Path,
    read_only: bool,
    safe: Sequence,
    take: &mut dyn FnMut(Sequence, Vec<Entry>) -> Result<()>,
) -> Result<Replay> {
    let mut result = Replay::default();
    let failed = |path: &Path| {
        let what = format!("read log segment {}", path.display());
        move |error| Error::io(what, error)
    };
    let names = vfs.list(directory).map_err(failed(directory))?;
    let mut paths: Vec<PathBuf> = names.iter().map(|name| directory.join(name)).filter(|path| segment_number(path).is_some()).collect();
    paths.sort_unstable_by_key(|path| segment_number(path));
    let mut holes: Vec<Hole> = Vec::new();
    result.segments = pass_over(vfs, &paths, safe);
    result.last = result.segments.last().map_or(0, |segment| segment.last);
    let passed = result.segments.len();
    for (place, path) in paths.iter().enumerate().skip(passed) {
        let before = result.last;
        let bytes = vfs::read(vfs, path).map_err(failed(path))?;
        let mut at = SEGMENT_HEADER;
        if let Err(what) = check_file_header(&bytes, MAGIC, VERSION) {
            if what.contains("this program") {
                return Err(Error::with(embudo_types::code::VERSION_NOT_COMPATIBLE, format!("Version not compatible: {}: {what}", path.display())));
            }
            holes.push(Hole { path: path.clone(), segment: place, offset: 0, bytes: SEGMENT_HEADER.min(bytes.len()) as u64, what });
        }
        while at < bytes.len() {
            let Some((header, payload)) = whole_record(&bytes[at..]) else {
                let header = Header::read(&bytes[at..]);
                // A whole header tells how long the broken payload is.
                let from = header.map_or(at + 1, |header| (at + HEADER).saturating_add(header.length));
                let next = if from <= bytes.len() { find_record(&bytes, from) } else { find_record(&bytes, at + 1) };
                let what = if header.is_some() { "broken record" } else { "no record" };
                holes.push(Hole { path: path.clone(), segment: place, offset: at as u64, bytes: (next - at) as u64, what: what.into() });
                at = next;
                continue;
            };
            let offset = at;
            at += HEADER + header.length;
            if header.sequence <= result.last {
                continue;
            }
            let follows = header.sequence == result.last + 1 || (result.last == 0 && holes.is_empty());
            if !follows && is_written_again(vfs, &paths[place + 1..], result.last) {
                // After a failed sync: what is left of this segment stands whole in a later one.
                let bytes = bytes.len() - offset;
                holes.push(Hole { path: path.clone(), segment: place, offset: offset as u64, bytes: bytes as u64, what: "no record".into() });
                break;
            }
            // A segment without its header is one that was never synced, unless a record of it was.
            let needed = if holes.iter().any(|hole| hole.offset == 0) { header.sequence } else { header.sequence - 1 };
            let is_whole = follows && needed < header.sequence;
            if !is_whole && header.durable.max(latest_durable(vfs, &bytes[at..], &paths[place + 1..])) < needed {
                cut(vfs, &paths, holes, place, offset, read_only, &mut result)?;
                return Ok(result);
            }
            if !is_whole && holes.is_empty() {
                let what = format!("records {} to {} are missing", result.last + 1, header.sequence - 1);
                holes.push(Hole { path: path.clone(), segment: place, offset: offset as u64, bytes: 0, what });
            }
            // Holes without a missing record are the rest of segments that were written again.
            let lost = holes.drain(..).filter(|_| !is_whole);
            result.damages.extend(lost.map(|hole| Damage { file: hole.path, offset: hole.offset, bytes: hole.bytes, what: hole.what, torn_tail: false }));
            match decode_entries(payload) {
                Ok(entries) => {
                    take(header.sequence, entries)?;
                    result.records += 1;
                }
                Err(error) => result.damages.push(Damage {
                    file: path.clone(),
                    offset: offset as u64,
                    bytes: (at - offset) as u64,
                    what: error.message().to_owned(),
                    torn_tail: false,
                }),
            }
            result.last = header.sequence;
            result.durable = result.durable.max(header.durable);
        }
        let first = bytes.get(SEGMENT_HEADER..).and_then(Header::read).map_or(before + 1, |header| header.sequence);
        let ended = paths.get(place + 1).and_then(|next| start_of(vfs, next)).map_or(0, |(started, _)| started);
        result.segments.push(Segment { path: path.clone(), first, last: result.last, bytes: bytes.len() as u64, ended });
    }
    if let Some(first) = holes.first() {
        let (place, offset) = (first.segment, first.offset as usize);
        cut(vfs, &paths, holes, place, offset, read_only, &mut result)?;
    }
    Ok(result)
}

/// Leading segments whose records are all at or below `safe`: those behind which another begins no later than `safe + 1`.
fn pass_over(vfs: &dyn Vfs, paths: &[PathBuf], safe: Sequence) -> Vec<Segment> {
    let mut passed = Vec::new();
    let mut start = paths.first().and_then(|path| start_of(vfs, path));
    for pair in paths.windows(2) {
        let next = start_of(vfs, &pair[1]);
        let (Some((_, first)), Some((ended, follower))) = (start, next) else { break };
        let length = vfs.open(&pair[0], OpenMode::Read).and_then(|file| file.length());
        let (Ok(bytes), true) = (length, follower <= safe + 1) else { break };
        passed.push(Segment { path: pair[0].clone(), first, last: follower - 1, bytes, ended });
        start = next;
    }
    passed
}

/// When a segment was begun and its first sequence; `None` where it has no whole start.
fn start_of(vfs: &dyn Vfs, path: &Path) -> Option<(i64, Sequence)> {
    let mut bytes = [0; SEGMENT_HEADER + HEADER];
    vfs.open(path, OpenMode::Read).ok()?.read_exact_at(&mut bytes, 0).ok()?;
    check_file_header(&bytes, MAGIC, VERSION).ok()?;
    let started = i64::from_le_bytes(bytes[16..24].try_into().ok()?);
    Some((started, Header::read(&bytes[SEGMENT_HEADER..])?.sequence))
}

/// Ends the log at its first hole (or at `offset` of a segment): nothing behind it was ever promised.
fn cut(vfs: &dyn Vfs, paths: &[PathBuf], holes: Vec<Hole>, place: usize, offset: usize, read_only: bool, result: &mut Replay) -> Result<()> {
    let (place, offset, what) = match holes.into_iter().next() {
        Some(hole) => (hole.segment, hole.offset, hole.what),
        None => (place, offset as u64, "a record is missing before it".into()),
    };
    result.segments.truncate(place);
    for (at, path) in paths.iter().enumerate().skip(place) {
        let failed = |error| Error::io(format!("cut log segment {}", path.display()), error);
        let start = if at == place { offset } else { 0 };
        let file = vfs.open(path, if read_only { OpenMode::Read } else { OpenMode::Write }).map_err(failed)?;
        let length = file.length().map_err(failed)?;
        let what = what.clone();
        if length > start {
            result.damages.push(Damage { file: path.clone(), offset: start, bytes: length - start, what, torn_tail: true });
        }
        if read_only {
            continue;
        }
        if start > SEGMENT_HEADER as u64 {
            file.set_length(start).and_then(|()| file.sync()).map_err(failed)?;
            let first = start_of(vfs, path).map_or(result.last, |(_, first)| first);
            result.segments.push(Segment { path: path.clone(), first, last: result.last, bytes: start, ended: 0 });
        } else {
            vfs.remove(path).map_err(failed)?;
        }
    }
    Ok(())
}

/// Whether a later segment begins with a record that follows `last`, or with one before it.
fn is_written_again(vfs: &dyn Vfs, later: &[PathBuf], last: Sequence) -> bool {
    later.iter().any(|path| {
        let bytes = vfs::read(vfs, path).unwrap_or_default();
        bytes.get(SEGMENT_HEADER..).and_then(whole_record).is_some_and(|(header, _)| header.sequence <= last + 1)
    })
}

/// Last sequence that records in `bytes` or in later segments say was durable.
fn latest_durable(vfs: &dyn Vfs, bytes: &[u8], later: &[PathBuf]) -> Sequence {
    let in_bytes = |bytes: &[u8]| {
        let (mut at, mut latest) = (0, 0);
        while at < bytes.len() {
            at = match whole_record(&bytes[at..]) {
                Some((header, _)) => {
                    latest = header.durable.max(latest);
                    at + HEADER + header.length
                }
                None => find_record(bytes, at + 1),
            };
        }
        latest
    };
    // A segment that cannot be read proves nothing; the replay itself reports it.
    let later = later.iter().filter_map(|path| vfs::read(vfs, path).ok()).map(|bytes| in_bytes(&bytes)).max();
    in_bytes(bytes).max(later.unwrap_or(0))
}

fn whole_record(bytes: &[u8]) -> Option<(Header, &[u8])> {
    let header = Header::read(bytes)?;
    Some((header, header.payload(bytes)?))
}

/// Offset of the first whole record from `from` on; the length of `bytes` if there is none.
fn find_record(bytes: &[u8], from: usize) -> usize {
    (from..bytes.len()).find(|at| whole_record(&bytes[*at..]).is_some()).unwrap_or(bytes.len())
}

/// Appends a segment's whole records above `durable` to `out`; an error if one of them is broken.
pub(super) fn copy_records(vfs: &dyn Vfs, path: &Path, durable: Sequence, out: &mut Vec<u8>) -> Result<()> {
    let bytes = vfs::read(vfs, path).map_err(|error| Error::io(format!("read log segment {}", path.display()), error))?;
    let mut at = SEGMENT_HEADER;
    while at < bytes.len() {
        let Some((header, _)) = whole_record(&bytes[at..]) else {
            return Err(Error::corrupt(format!("log segment {} at {at}: a record that was not durable yet is broken", path.display())));
        };
        let end = at + HEADER + header.length;
        if header.sequence > durable {
            out.extend_from_slice(&bytes[at..end]);
        }
        at = end;
    }
    Ok(())
}
