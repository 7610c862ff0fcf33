//! What a store does by itself: merges, KEEP, the budget that stores share.

use super::model::{Model, Random, contents, expected, record, replay_into, timed_options};
use super::*;
use crate::budget::MemoryBudget;
use crate::vfs::SimulatedVfs;

/// The store has what the model has; tells the first rows that differ.
fn check(store: &Store, model: &Model, what: &str) {
    let (found, wanted) = (contents(&store.snapshot()), expected(model));
    for uid in found.keys().chain(wanted.keys()) {
        let (found, wanted) = (found.get(uid).cloned().unwrap_or_default(), wanted.get(uid).cloned().unwrap_or_default());
        let differs: Vec<_> = found.iter().filter(|(key, row)| wanted.get(key) != Some(row)).map(|(key, row)| (key, row, wanted.get(key))).take(3).collect();
        let missing: Vec<_> = wanted.keys().filter(|key| !found.contains_key(key)).take(3).collect();
        assert!(differs.is_empty() && missing.is_empty(), "{what}: table {uid} differs in {differs:?} and misses {missing:?}");
    }
}

#[test]
fn files_stay_few_and_rows_as_they_are() {
    for seed in 1..=3 {
        let mut random = Random::new(seed);
        let vfs = SimulatedVfs::new();
        let (options, clock) = timed_options(&vfs, seed);
        let (store, _) = Store::open(options, &mut |_, _| Ok(())).unwrap();
        let mut model = Model::new();
        for round in 0..60 {
            let entries = record(&mut random, &mut model.clone());
            replay_into(&entries, &mut model);
            store.append(entries).unwrap();
            store.flush().unwrap();
            check(&store, &model, &format!("SEED={seed} round {round} flush"));
            if random.below(3) == 0 {
                store.options.scheduler.run_pending();
                check(&store, &model, &format!("SEED={seed} round {round}"));
            }
            if random.below(10) == 0 {
                clock.advance(Duration::from_secs(31));
            }
        }
        store.options.scheduler.run_pending();
        // Two shards of four slices, each with fewer files than are merged.
        assert!(store.figures().files <= 2 * 4 * 3, "SEED={seed}: {:?}", store.figures());
        for _ in 0..3 {
            clock.advance(Duration::from_secs(31));
            store.options.scheduler.run_pending();
        }
        check(&store, &model, &format!("SEED={seed}"));
        // Nothing is left to do while nothing comes in.
        clock.advance(Duration::from_secs(3600));
        assert_eq!(store.options.scheduler.run_pending(), 0, "SEED={seed}");
        drop(store);
        let (store, recovery) = Store::open(timed_options(&vfs, seed).0, &mut |_, _| Ok(())).unwrap();
        check(&store, &model, &format!("SEED={seed} opened again"));
        assert_eq!(recovery.damages, []);
    }
}

#[test]
fn rows_that_keep_has_passed_are_not_shown_and_go() {
    let (options, clock) = timed_options(&SimulatedVfs::new(), 1);
    let (store, _) = Store::open(StoreOptions { keep: Some(5_000), ..options }, &mut |_, _| Ok(())).unwrap();
    let last = || store.snapshot().last(1, None, (2, DataType::BigInt)).unwrap().map(|(timestamp, _)| timestamp);
    store.append(vec![rows(1, &[(100, 1), (900, 2), (2_500, 3)]), rows(2, &[(100, 1)])]).unwrap();
    store.flush().unwrap();
    store.append(vec![rows(1, &[(200, 4)])]).unwrap();
    assert_eq!(last(), Some(2_500));
    clock.advance(Duration::from_millis(5_500));
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL), [(900, 2), (2_500, 3)]);
    assert_eq!(read(&store.snapshot(), 2, TimeRange::ALL), []);
    assert_eq!(store.snapshot().last_row(2, None, &[]).unwrap(), None);
    let before = store.figures().files;
    clock.advance(Duration::from_secs(1));
    store.options.scheduler.run_pending();
    assert!(store.figures().files < before, "{:?}", store.figures());
    assert_eq!(read(&store.snapshot(), 1, TimeRange::ALL), [(2_500, 3)]);
    clock.advance(Duration::from_secs(5));
    assert_eq!((read(&store.snapshot(), 1, TimeRange::ALL), last()), (Vec::new(), None));
    store.options.scheduler.run_pending();
    assert_eq!(store.figures().files, 0);
    // Whoever keeps longer sees what is still in memory.
    store.set_keep(None);
    assert_eq!((read(&store.snapshot(), 1, TimeRange::ALL), last()), (vec![(200, 4)], Some(200)));
}

#[test]
fn many_stores_take_no_more_memory_than_one() {
    let budget = MemoryBudget::new(2 << 20);
    let open = |seed| Store::in_memory(StoreOptions { budget: budget.clone(), ..timed_options(&SimulatedVfs::new(), seed).0 }).unwrap();
    let stores: Vec<_> = (0..8).map(open).collect();
    let batch: Vec<(i64, i64)> = (0..2_000).map(|row| (row, row)).collect();
    for round in 0..40 {
        for store in &stores {
            store.append(vec![rows(1 + round, &batch)]).unwrap();
            assert!(budget.used() <= budget.limit() + (128 << 10), "{} bytes", budget.used());
        }
    }
    assert!(stores.iter().all(|store| (1..=40).all(|uid| read(&store.snapshot(), uid, TimeRange::ALL).len() == 2_000)));
    // A store that was closed with rows in memory stops nobody.
    let closed = open(9);
    closed.append(vec![rows(1, &batch)]).unwrap();
    closed.closed.store(true, Ordering::Release);
    for round in 100..140 {
        stores[0].append(vec![rows(round, &batch)]).unwrap();
    }
    drop(closed);
    // What a reader holds counts until it lets go.
    let held = stores[0].snapshot();
    for store in &stores {
        store.flush().unwrap();
    }
    assert!(stores.iter().all(|store| store.figures().memory_bytes == 0));
    drop((held, stores));
    assert_eq!(budget.used(), 0);
}
