//! Random workloads against maps: appends, late rows, upserts, deletions, drops, flushes and reopens; then the same with power
//! losses, kills and failing disks at every point. `SEED=n` runs one seed, which each failure prints; `EMBUDO_SIMULATIONS=n` so many.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_buffer::BooleanBuffer;

use super::*;
use crate::clock::ManualClock;
use crate::scheduler::Scheduler;
use crate::vfs::{Fault, SimulatedVfs, Vfs};

type Cell = Option<Option<i64>>;
type Rows = BTreeMap<(i64, i32), [Cell; 2]>;
/// Tables by number: the first two by time alone, the others with a composite key.
pub(super) type Model = BTreeMap<Uid, Rows>;
/// What a scan gives: absent and NULL look the same.
type Contents = BTreeMap<Uid, BTreeMap<(i64, i32), [Option<i64>; 2]>>;

pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

const TABLES: u64 = 6;

fn has_key(uid: Uid) -> bool {
    uid > 3
}

fn random_entry(random: &mut Random, model: &mut Model) -> Entry {
    let uid = 1 + random.below(TABLES);
    let table = model.entry(uid).or_default();
    if random.below(8) == 0 {
        let start = random.below(3000) as i64;
        let end = start + random.below(400) as i64;
        table.retain(|(timestamp, _), _| *timestamp < start || *timestamp > end);
        return Entry::Delete { uid, start, end };
    }
    let rows = if random.below(12) == 0 { 600 } else { 1 + random.below(30) };
    let (base, step) = (random.below(3000) as i64, i64::from(random.below(3) > 0));
    let mut cells = Vec::new();
    for row in 0..rows as i64 {
        let timestamp = if step == 0 { random.below(3000) as i64 } else { base + row };
        let key = if has_key(uid) { random.below(3) as i32 } else { 0 };
        let mut cell = || match random.below(6) {
            0 => None,
            1 => Some(None),
            _ => Some(Some(random.below(1 << 40) as i64)),
        };
        let given = [cell(), cell()];
        let kept = table.entry((timestamp, key)).or_default();
        for (kept, new) in kept.iter_mut().zip(&given) {
            *kept = new.or(*kept);
        }
        cells.push(((timestamp, key), given));
    }
    let column = |at: usize| BatchColumn {
        id: at as u16 + 5,
        array: Arc::new(cells.iter().map(|row| row.1[at].flatten()).collect::<Int64Array>()),
        present: Some(cells.iter().map(|row| row.1[at].is_some()).collect::<BooleanBuffer>()),
    };
    let key = has_key(uid).then(|| Arc::new(cells.iter().map(|row| Some(row.0.1)).collect::<arrow_array::Int32Array>()) as arrow_array::ArrayRef);
    Entry::Rows(ColumnBatch { uid, schema_version: 1, timestamps: cells.iter().map(|row| row.0.0).collect(), key, columns: vec![column(0), column(1)] })
}

pub(super) fn record(random: &mut Random, model: &mut Model) -> Vec<Entry> {
    let mut entries: Vec<Entry> = (0..=random.below(3)).map(|_| random_entry(random, model)).collect();
    // A deletion hides rows of earlier records only, so a record has one kind of entries a table.
    let mut seen = Vec::new();
    entries.retain(|entry| {
        let (Entry::Rows(ColumnBatch { uid, .. }) | Entry::Delete { uid, .. }) = entry else { panic!() };
        let first = !seen.contains(uid);
        seen.push(*uid);
        first
    });
    if random.below(2) == 0 { joined(entries) } else { entries }
}

/// The same with rows of tables that have the same key type in one entry.
fn joined(entries: Vec<Entry>) -> Vec<Entry> {
    let (mut groups, mut others): (BTreeMap<bool, Vec<ColumnBatch>>, _) = (BTreeMap::new(), Vec::new());
    for entry in entries {
        match entry {
            Entry::Rows(batch) => groups.entry(batch.key.is_some()).or_default().push(batch),
            other => others.push(other),
        }
    }
    others.extend(groups.into_values().map(|batches| Entry::Tables(TablesBatch::join(&batches).unwrap())));
    others
}

/// Rows of every table as the store gives them; absent and NULL look the same here.
pub(super) fn contents(snapshot: &Snapshot) -> Contents {
    let mut all = BTreeMap::new();
    for uid in 1..=TABLES {
        let columns = vec![(5, DataType::BigInt), (6, DataType::BigInt), (4, DataType::Int)];
        let key = has_key(uid).then_some((4, DataType::Int));
        let columns = if has_key(uid) { columns } else { columns[..2].to_vec() };
        let request = ScanRequest { uid, key, columns: columns.clone(), range: TimeRange::ALL, descending: false, precision: Precision::Milli };
        let mut rows = BTreeMap::new();
        for piece in snapshot.scan(&request).unwrap() {
            let chunk = piece.unwrap().load(&(0..columns.len()).collect::<Vec<_>>()).unwrap();
            let cell = |at: usize, row: usize| {
                let array = chunk.columns[at].as_primitive::<Int64Type>();
                array.is_valid(row).then(|| array.value(row))
            };
            for row in 0..chunk.timestamps.len() {
                let key = if has_key(uid) { chunk.columns[2].as_primitive::<arrow_array::types::Int32Type>().value(row) } else { 0 };
                assert_eq!(rows.insert((chunk.timestamps[row], key), [cell(0, row), cell(1, row)]), None, "a key twice");
            }
        }
        if !rows.is_empty() {
            all.insert(uid, rows);
        }
    }
    all
}

/// Last row and last cells of every table, from the last cache and from the scanned rows.
fn check_last(snapshot: &Snapshot) {
    let all = contents(snapshot);
    for uid in 1..=TABLES {
        let rows = all.get(&uid).cloned().unwrap_or_default();
        let key = has_key(uid).then_some((4, DataType::Int));
        let value = |cell: Option<i64>| cell.map_or(Value::Null, Value::BigInt);
        let columns = [(5, DataType::BigInt), (6, DataType::BigInt)];
        let row = snapshot.last_row(uid, key, &columns).unwrap().map(|row| (row.timestamp, row.values));
        assert_eq!(row, rows.iter().next_back().map(|(key, cells)| (key.0, cells.map(value).to_vec())), "table {uid}");
        for (at, column) in columns.into_iter().enumerate() {
            let last = rows.iter().rev().find_map(|(key, cells)| Some((key.0, Value::BigInt(cells[at]?))));
            assert_eq!(snapshot.last(uid, key, column).unwrap(), last, "table {uid} column {at}");
        }
    }
}

pub(super) fn expected(model: &Model) -> Contents {
    let flat = |rows: &Rows| rows.iter().map(|(key, cells)| (*key, cells.map(Option::flatten))).collect();
    model.iter().filter(|(_, rows)| !rows.is_empty()).map(|(uid, rows)| (*uid, flat(rows))).collect()
}

/// Options for a simulation, and the clock that its delayed jobs wait for.
pub(super) fn timed_options(vfs: &SimulatedVfs, seed: u64) -> (StoreOptions, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(0));
    let options = StoreOptions {
        vfs: Arc::new(vfs.clone()) as Arc<dyn Vfs>,
        clock: clock.clone(),
        scheduler: Scheduler::simulated(seed, clock.clone()),
        slice: 1000,
        memory_limit: 64 << 20,
        log: LogOptions { segment_bytes: 20_000, retention: Some(Duration::ZERO), ..LogOptions::default() },
        ..StoreOptions::directory("/db")
    };
    (options, clock)
}

pub(super) fn options(vfs: &SimulatedVfs, seed: u64) -> StoreOptions {
    timed_options(vfs, seed).0
}

fn open(vfs: &SimulatedVfs, seed: u64) -> (Arc<Store>, Recovery) {
    Store::open(options(vfs, seed), &mut |_, _| Ok(())).unwrap()
}

/// Calls at which a disk fails: with `SEED` all of them, or the one of `CALL`; else a share that differs by seed.
fn points(seed: u64, from: u64, calls: u64) -> impl Iterator<Item = u64> {
    let step = if std::env::var_os("SEED").is_some() { 1 } else { 11 };
    let only: Option<u64> = std::env::var("CALL").ok().and_then(|call| call.parse().ok());
    (from + seed % step..calls).step_by(step as usize).filter(move |call| only.is_none_or(|only| only == *call))
}

fn seeds(count: u64) -> std::ops::Range<u64> {
    match std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => seed..seed + 1,
        // A soak asks for more of them.
        None => 1..1 + std::env::var("EMBUDO_SIMULATIONS").ok().and_then(|count| count.parse().ok()).unwrap_or(count),
    }
}

#[test]
fn agrees_with_maps_over_flush_and_reopen() {
    for seed in seeds(15) {
        println!("SEED={seed}");
        let mut random = Random::new(seed);
        let vfs = SimulatedVfs::new();
        let (mut store, _) = open(&vfs, seed);
        let mut model = Model::new();
        for _ in 0..60 {
            match random.below(12) {
                0 => store.flush().unwrap(),
                1 => {
                    store.close().unwrap();
                    drop(store);
                    store = open(&vfs, seed).0;
                }
                2 => assert_eq!(contents(&store.snapshot()), expected(&model)),
                4 | 5 => check_last(&store.snapshot()),
                3 => store.compact(TimeRange::ALL).unwrap(),
                _ => {
                    let entries = record(&mut random, &mut model.clone());
                    replay_into(&entries, &mut model);
                    store.append(entries).unwrap();
                }
            }
        }
        assert_eq!(contents(&store.snapshot()), expected(&model));
        store.flush().unwrap();
        assert_eq!(contents(&store.snapshot()), expected(&model));
        check_last(&store.snapshot());
        assert_eq!(store.figures().memory_rows, 0);
    }
}

/// What entries that were kept do to the model.
pub(super) fn replay_into(entries: &[Entry], model: &mut Model) {
    for entry in entries {
        match entry {
            Entry::Tables(batch) => batch.tables().for_each(|rows| replay_into(&[Entry::Rows(rows)], model)),
            Entry::Rows(batch) => {
                let table = model.entry(batch.uid).or_default();
                for row in 0..batch.rows() {
                    let key = batch.key.as_ref().map_or(0, |key| key.as_primitive::<arrow_array::types::Int32Type>().value(row));
                    let kept = table.entry((batch.timestamps[row], key)).or_default();
                    for (kept, column) in kept.iter_mut().zip(&batch.columns) {
                        let values = column.array.as_primitive::<Int64Type>();
                        if column.present.as_ref().is_none_or(|present| present.value(row)) {
                            *kept = Some(values.is_valid(row).then(|| values.value(row)));
                        }
                    }
                }
            }
            Entry::Delete { uid, start, end } => {
                model.entry(*uid).or_default().retain(|(timestamp, _), _| timestamp < start || timestamp > end);
            }
            Entry::DropTable { uid } => drop(model.remove(uid)),
            Entry::Meta(_) => {}
        }
    }
}

/// A workload until the disk fails: the models after each record, how many records were acknowledged, and how many of them a sync
/// had made durable.
struct Run {
    models: Vec<Model>,
    acknowledged: usize,
    durable: usize,
}

fn run(vfs: &SimulatedVfs, seed: u64, steps: usize) -> Run {
    let mut random = Random::new(seed);
    let mut run = Run { models: vec![Model::new()], acknowledged: 0, durable: 0 };
    let (options, clock) = timed_options(vfs, seed);
    let Ok((store, _)) = Store::open(options, &mut |_, _| Ok(())) else { return run };
    for _ in 0..steps {
        match random.below(12) {
            // Background work: merges, packing, syncs. What fails is tried again.
            11 => {
                clock.advance(Duration::from_secs(16));
                store.options.scheduler.run_pending();
            }
            0 => {
                if store.flush().is_err() {
                    return run;
                }
            }
            1 => {
                if store.sync().is_err() {
                    return run;
                }
                run.durable = run.acknowledged;
            }
            2 => {
                if store.compact(TimeRange::ALL).is_err() {
                    return run;
                }
            }
            _ => {
                let mut model = run.models[run.acknowledged].clone();
                let entries = record(&mut random, &mut model.clone());
                replay_into(&entries, &mut model);
                run.models.push(model);
                if store.append(entries).is_err() {
                    return run;
                }
                run.acknowledged += 1;
            }
        }
    }
    run
}

/// After a power loss at any call, what is there is what some record left, none of the durable ones missing.
#[test]
fn power_loss_leaves_a_prefix() {
    for seed in seeds(2) {
        let whole = SimulatedVfs::new();
        run(&whole, seed, 25);
        for after in points(seed, 0, whole.calls()) {
            let vfs = SimulatedVfs::new();
            vfs.set_fault(Some(Fault { after, calls: u64::MAX, kind: io::ErrorKind::Other }));
            let run = run(&vfs, seed, 25);
            for loss in 0..3 {
                let survivor = vfs.after_power_loss(seed * 1000 + after * 10 + loss);
                let (store, recovery) = open(&survivor, seed);
                let found = contents(&store.snapshot());
                let kept = (run.durable..run.models.len()).rev().find(|at| found == expected(&run.models[*at]));
                assert!(kept.is_some(), "SEED={seed} call {after} loss {loss}: no prefix from {} to {}: {recovery:?}", run.durable, run.models.len());
                assert!(recovery.damages.iter().all(|damage| damage.torn_tail), "SEED={seed} call {after}: {recovery:?}");
                // The store goes on: what is appended now is there after the next open.
                let mut model = run.models[kept.unwrap()].clone();
                let mut random = Random::new(seed + after);
                for _ in 0..2 {
                    let entries = record(&mut random, &mut model.clone());
                    replay_into(&entries, &mut model);
                    store.append(entries).unwrap();
                }
                store.close().unwrap();
                drop(store);
                let (store, recovery) = open(&survivor, seed);
                assert_eq!(contents(&store.snapshot()), expected(&model), "SEED={seed} call {after} loss {loss}");
                assert_eq!(recovery.damages, [], "SEED={seed} call {after} loss {loss}");
            }
        }
    }
}

/// After a kill at any call everything acknowledged is there, and at most the one record that was being written.
#[test]
fn a_kill_loses_nothing() {
    for seed in seeds(3) {
        let whole = SimulatedVfs::new();
        run(&whole, seed, 40);
        for after in points(seed, 0, whole.calls()) {
            let vfs = SimulatedVfs::new();
            vfs.set_fault(Some(Fault { after, calls: u64::MAX, kind: io::ErrorKind::Other }));
            let run = run(&vfs, seed, 40);
            let (store, recovery) = open(&vfs.after_kill(), seed);
            let found = contents(&store.snapshot());
            let kept = (run.acknowledged..run.models.len()).any(|at| found == expected(&run.models[at]));
            assert!(kept, "SEED={seed} call {after}: {recovery:?}");
        }
    }
}

/// A disk that is full, or fails, for a while: appends are refused with an error, nothing acknowledged is lost, and once the disk
/// works again so does the store.
#[test]
fn failing_disks_refuse_and_recover() {
    for seed in seeds(1) {
        let whole = SimulatedVfs::new();
        run(&whole, seed, 40);
        for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
            for after in points(seed, 6, whole.calls()) {
                let vfs = SimulatedVfs::new();
                let (options, clock) = timed_options(&vfs, seed);
                let Ok((store, _)) = Store::open(options, &mut |_, _| Ok(())) else { panic!() };
                vfs.set_fault(Some(Fault { after, calls: 3, kind }));
                let mut random = Random::new(seed);
                let mut model = Model::new();
                let mut refused = 0;
                for _ in 0..40 {
                    match random.below(12) {
                        11 => {
                            clock.advance(Duration::from_secs(16));
                            store.options.scheduler.run_pending();
                        }
                        0 => refused += usize::from(store.flush().is_err()),
                        1 => refused += usize::from(store.sync().is_err()),
                        2 => refused += usize::from(store.compact(TimeRange::ALL).is_err()),
                        _ => {
                            let entries = record(&mut random, &mut model.clone());
                            let done = store.append(entries.clone());
                            if done.is_ok() {
                                replay_into(&entries, &mut model);
                            } else {
                                refused += 1;
                            }
                        }
                    }
                    assert_eq!(contents(&store.snapshot()), expected(&model), "SEED={seed} {kind:?} call {after}");
                }
                assert!(refused <= 4, "SEED={seed} {kind:?} call {after}: {refused} refused");
                vfs.set_fault(None);
                store.sync().unwrap();
                let survivor = vfs.after_power_loss(seed + after);
                drop(store);
                let (store, recovery) = open(&survivor, seed);
                let (found, wanted) = (contents(&store.snapshot()), expected(&model));
                for uid in 1..=TABLES {
                    let (found, wanted) = (found.get(&uid).cloned().unwrap_or_default(), wanted.get(&uid).cloned().unwrap_or_default());
                    let differs: Vec<_> = found.iter().filter(|(key, row)| wanted.get(key) != Some(row)).take(3).collect();
                    let missing: Vec<_> = wanted.iter().filter(|(key, _)| !found.contains_key(key)).take(3).collect();
                    assert!(
                        differs.is_empty() && missing.is_empty(),
                        "SEED={seed} {kind:?} call {after} after power loss: table {uid} has {differs:?} and misses {missing:?}; {recovery:?}"
                    );
                }
            }
        }
    }
}
