//! The log on memory files: order, torn ends, flipped bytes, trimming.

use std::time::Duration;

use super::*;
use crate::clock::ManualClock;
use crate::options::LogLevel;
use crate::rows::Entry;
use crate::vfs::{self, MemoryVfs};

fn log(vfs: &Arc<dyn Vfs>, last: Sequence, segments: Vec<Segment>, segment_bytes: u64) -> Log {
    let options = LogOptions { level: LogLevel::Write, segment_bytes, retention: Some(Duration::ZERO), ..LogOptions::default() };
    Log::new(vfs.clone(), Arc::new(ManualClock::new(0)), "/log".into(), options, last, segments)
}

fn append(log: &Log, text: &str) -> Sequence {
    log.append(&mut Record::encode(&[Entry::Meta(text.into())]).unwrap()).unwrap()
}

fn read(vfs: &Arc<dyn Vfs>) -> (Vec<(Sequence, String)>, Replay) {
    let mut seen = Vec::new();
    let result = replay(&**vfs, Path::new("/log"), false, 0, &mut |sequence, entries| {
        for entry in entries {
            if let Entry::Meta(meta) = entry {
                seen.push((sequence, String::from_utf8(meta).unwrap()));
            }
        }
        Ok(())
    });
    (seen, result.unwrap())
}

fn texts(range: std::ops::RangeInclusive<u64>) -> Vec<(Sequence, String)> {
    range.map(|at| (at, format!("entry {at}"))).collect()
}

fn filled(segment_bytes: u64, synced: u64) -> Arc<dyn Vfs> {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let log = log(&vfs, 0, Vec::new(), segment_bytes);
    for at in 1..=20 {
        assert_eq!(append(&log, &format!("entry {at}")), at);
        if at == synced {
            log.sync(at).unwrap();
        }
    }
    vfs
}

fn change(vfs: &Arc<dyn Vfs>, number: u64, offset: u64, change: impl Fn(u8) -> u8) {
    let file = vfs.open(&Path::new("/log").join(segment_name(number)), OpenMode::Write).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).unwrap();
    file.write_all_at(&[change(byte[0])], offset).unwrap();
}

#[test]
fn records_come_back_in_order_over_segments() {
    let vfs = filled(200, 7);
    assert!(vfs.list(Path::new("/log")).unwrap().len() > 3);
    let (seen, result) = read(&vfs);
    assert_eq!(seen, texts(1..=20));
    assert_eq!((result.last, result.damages.len()), (20, 0));
    let log = log(&vfs, result.last, result.segments, 200);
    append(&log, "entry 21");
    assert_eq!(read(&vfs).0, texts(1..=21));
    log.close().unwrap();
    assert!(log.append(&mut Record::encode(&[]).unwrap()).is_err());
    assert_eq!(read(&vfs).1.last, 22);
}

#[test]
fn every_torn_end_leaves_a_prefix() {
    let whole = vfs::read(&*filled(1 << 20, 5), &Path::new("/log").join(segment_name(1))).unwrap();
    for length in 0..whole.len() {
        for zeros in [0, 40] {
            let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
            let file = vfs.open(&Path::new("/log").join(segment_name(1)), OpenMode::Create).unwrap();
            file.write_all_at(&whole[..length], 0).unwrap();
            file.set_length((length + zeros) as u64).unwrap();
            let (seen, result) = read(&vfs);
            assert_eq!(seen, texts(1..=result.last));
            assert!(result.damages.iter().all(|damage| damage.torn_tail && damage.offset <= length as u64));
            // Afterwards the log is clean and goes on.
            let log = log(&vfs, result.last, result.segments, 1 << 20);
            append(&log, &format!("entry {}", result.last + 1));
            let (again, second) = read(&vfs);
            assert_eq!(again, texts(1..=result.last + 1));
            assert!(second.damages.is_empty(), "{:?}", second.damages);
        }
    }
}

#[test]
fn a_flipped_byte_in_the_durable_part_loses_one_record() {
    let length = vfs::read(&*filled(1 << 20, 20), &Path::new("/log").join(segment_name(1))).unwrap().len();
    for offset in 0..length as u64 {
        let vfs = filled(1 << 20, 19);
        // A later record says what was durable.
        let (_, found) = read(&vfs);
        let log = log(&vfs, found.last, found.segments, 1 << 20);
        append(&log, "entry 21");
        log.close().unwrap();
        change(&vfs, 1, offset, |byte| byte ^ 0x10);
        let (seen, result) = read(&vfs);
        assert_eq!(result.last, 22, "offset {offset}");
        assert_eq!(result.damages.len(), usize::from(seen.len() < 21 || offset < 32), "offset {offset}: {:?}", result.damages);
        assert!(seen.len() >= 20 && texts(1..=21).iter().filter(|entry| !seen.contains(entry)).count() == 21 - seen.len());
        assert!(result.damages.iter().all(|damage| !damage.torn_tail && damage.offset <= offset && offset < damage.offset + damage.bytes));
    }
}

#[test]
fn a_hole_in_what_was_never_durable_ends_the_log() {
    let vfs = filled(1 << 20, 3);
    let (_, found) = read(&vfs);
    let length = found.segments[0].bytes;
    change(&vfs, 1, length / 2, |_| 0xFF);
    let (seen, result) = read(&vfs);
    assert!(seen.len() >= 3 && seen.len() < 20);
    assert_eq!(seen, texts(1..=result.last));
    assert!(result.damages[0].torn_tail);
    assert_eq!(read(&vfs).1.damages, []);
}

#[test]
fn trimming_keeps_what_is_not_safe() {
    let vfs = filled(200, 20);
    let (_, found) = read(&vfs);
    let log = log(&vfs, 20, found.segments, 200);
    let before = log.weight().0;
    log.trim(10).unwrap();
    assert!(log.weight().0 < before);
    let (seen, _) = read(&vfs);
    assert!(seen[0].0 <= 11 && seen.last().unwrap().0 == 20);
    log.trim(20).unwrap();
    assert_eq!(log.weight().0, 0);
}
