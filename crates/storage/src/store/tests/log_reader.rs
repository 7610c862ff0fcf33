//! Readers of the log against the list of what was appended.

use super::model::{Random, options};
use super::*;
use crate::store::LogCursor;
use crate::vfs::SimulatedVfs;

/// Records of a store by sequence, as texts.
type Appended = std::collections::BTreeMap<Sequence, String>;

fn append(store: &Store, appended: &mut Appended, random: &mut Random) {
    let text = format!("{}{}", random.below(1000), "x".repeat(random.below(200) as usize));
    let entries = vec![Entry::Meta(text.clone().into()), rows(random.below(5) + 1, &[(random.below(1000) as i64, 1)])];
    appended.insert(store.append(entries).unwrap(), text);
}

/// What a cursor gives until it has no more: texts of the records that have one.
fn drain(cursor: &mut LogCursor, upto: usize) -> Vec<(Sequence, String)> {
    let mut seen = Vec::new();
    while seen.len() < upto {
        let Some(record) = cursor.read().unwrap() else { break };
        if let Some(Entry::Meta(text)) = record.entries.first() {
            seen.push((record.sequence, String::from_utf8(text.clone()).unwrap()));
        }
    }
    seen
}

fn from(appended: &Appended, sequence: Sequence) -> Vec<(Sequence, String)> {
    appended.range(sequence..).map(|(sequence, text)| (*sequence, text.clone())).collect()
}

#[test]
fn every_record_comes_once_and_in_order() {
    for seed in 1..60 {
        let mut random = Random::new(seed);
        let vfs = SimulatedVfs::new();
        let options = || {
            let mut options = options(&vfs, seed);
            options.log.segment_bytes = 400;
            options.log.retention = None;
            options
        };
        let (mut store, _) = Store::open(options(), &mut |_, _| Ok(())).unwrap();
        let mut appended = Appended::new();
        let mut cursor = store.read_log(1);
        let mut seen = Vec::new();
        for _ in 0..random.below(150) {
            match random.below(12) {
                0..6 => append(&store, &mut appended, &mut random),
                6..8 => seen.extend(drain(&mut cursor, random.below(9) as usize)),
                8 => store.flush().unwrap(),
                9 => {
                    let position = random.below(appended.len() as u64 + 2) + 1;
                    cursor.seek(position);
                    seen.retain(|(sequence, _)| *sequence < position);
                }
                10 => {
                    store.set_meta_checkpoint(store.figures().sequence).unwrap();
                }
                _ => {
                    let position = cursor.position();
                    drop(cursor);
                    store.close().unwrap();
                    drop(store);
                    store = Store::open(options(), &mut |_, _| Ok(())).unwrap().0;
                    cursor = store.read_log(position);
                }
            }
        }
        let reached = seen.last().map_or(0, |(sequence, _)| *sequence).max(cursor.position() - 1);
        seen.extend(drain(&mut cursor, usize::MAX));
        // What was jumped over by a seek is not owed.
        let owed: Vec<_> =
            from(&appended, 1).into_iter().filter(|(sequence, _)| *sequence > reached || seen.iter().any(|(other, _)| other == sequence)).collect();
        assert_eq!(seen, owed, "seed {seed}");
        assert_eq!(drain(&mut store.read_log(0), usize::MAX), from(&appended, 1), "seed {seed}");
        assert_eq!(store.log_range().0, 1);
    }
}

#[test]
fn what_retention_dropped_is_passed_over() {
    let clock = Arc::new(ManualClock::new(0));
    let directory = Directory::new("log-retention");
    let mut options = StoreOptions { clock: clock.clone(), ..StoreOptions::directory(&directory.0) };
    options.log.retention = Some(Duration::from_secs(60));
    let (store, _) = Store::open(options.clone(), &mut |_, _| Ok(())).unwrap();
    let mut cursor = store.read_log(0);
    for sequence in 1..=3 {
        store.append(vec![rows(1, &[(sequence, 1)])]).unwrap();
    }
    store.flush().unwrap();
    assert_eq!(store.log_range(), (1, 4));
    store.append(vec![rows(1, &[(4, 1)])]).unwrap();
    clock.advance(Duration::from_secs(61));
    store.flush().unwrap();
    store.append(vec![rows(1, &[(5, 1)])]).unwrap();
    // The recent records are still in memory; without them only the last segment is there.
    assert_eq!(cursor.read().unwrap().unwrap().sequence, 1);
    drop(cursor);
    assert_eq!(store.log_range(), (5, 6));
    let mut cursor = store.read_log(2);
    assert_eq!(cursor.read().unwrap().unwrap().sequence, 5);
    assert!(cursor.read().unwrap().is_none());
    drop(cursor);
    store.close().unwrap();
    drop(store);
    let (store, recovery) = Store::open(options, &mut |_, _| Ok(())).unwrap();
    assert_eq!(recovery.damages, []);
    assert_eq!(store.read_log(0).read().unwrap().unwrap().sequence, 5);
}

#[test]
fn retained_segments_are_not_replayed() {
    let directory = Directory::new("log-passed-over");
    let mut options = StoreOptions::directory(&directory.0);
    options.log.retention = Some(Duration::from_secs(3600));
    let (store, _) = Store::open(options.clone(), &mut |_, _| Ok(())).unwrap();
    for at in 0..50 {
        store.append(vec![rows(1, &[(at, 1)])]).unwrap();
    }
    store.flush().unwrap();
    store.append(vec![rows(1, &[(100, 1)])]).unwrap();
    store.close().unwrap();
    drop(store);
    let (store, recovery) = Store::open(options, &mut |_, _| Ok(())).unwrap();
    assert!(recovery.records <= 2, "{} records were replayed", recovery.records);
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL).len(), 51);
    let mut cursor = store.read_log(0);
    assert_eq!(std::iter::from_fn(|| cursor.read().unwrap()).count(), 52);
}

#[test]
fn followers_are_told_of_every_append() {
    use std::sync::atomic::AtomicUsize;
    let store = Store::in_memory(StoreOptions::memory()).unwrap();
    let told = Arc::new(AtomicUsize::new(0));
    let counter = told.clone();
    store.observe_log(Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    }));
    store.append(vec![rows(1, &[(1, 1)])]).unwrap();
    assert_eq!(told.load(Ordering::Relaxed), 1);
    // Without retention nothing is kept in memory.
    assert_eq!(store.log_range(), (2, 2));
    store.set_log_options(LogOptions { retention: None, ..LogOptions::default() });
    store.append(vec![rows(1, &[(2, 1)])]).unwrap();
    assert_eq!(store.log_range(), (2, 3));
    assert_eq!(store.read_log(0).read().unwrap().unwrap().sequence, 2);
}
