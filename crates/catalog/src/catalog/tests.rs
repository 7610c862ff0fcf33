//! The system log stays short, and says the same after an opening; KEEP and TTL.

use embudo_storage::vfs::{MemoryVfs, SimulatedVfs};
use embudo_storage::{ManualClock, Scheduler};

use super::*;
use crate::ROOT;

fn open(vfs: Arc<dyn Vfs>) -> Result<(Arc<Catalog>, Arc<ManualClock>)> {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000_000_000));
    let scheduler = Scheduler::simulated(1, clock.clone());
    let (directory, memory_limit) = ("/engine".into(), 64 << 20);
    let options = CatalogOptions { vfs, clock: clock.clone(), scheduler, directory, in_memory: false, read_only: false, memory_limit };
    Catalog::open(options).map(|catalog| (catalog, clock))
}

/// A change whose record is long.
fn change_user(catalog: &Catalog, round: usize) -> Result<()> {
    catalog.alter_user(ROOT, |user| {
        user.hosts = (0..200).map(|host| format!("10.{round}.{host}.1")).collect();
        Ok(())
    })
}

fn says(catalog: &Catalog) -> Vec<SystemChange> {
    catalog.state.read().changes()
}

#[test]
fn the_system_log_stays_short() {
    let vfs: Arc<dyn Vfs> = Arc::new(MemoryVfs::new());
    let (catalog, _) = open(vfs.clone()).unwrap();
    let dropped = catalog.create_database("dropped", DatabaseOptions::default()).unwrap().id;
    catalog.drop_database("dropped").unwrap();
    catalog.create_database("kept", DatabaseOptions::default()).unwrap();
    for round in 0..2_000 {
        change_user(&catalog, round).unwrap();
    }
    let figures = catalog.system.figures();
    assert!(figures.log_bytes < 4 * SYSTEM_LOG_BYTES, "{figures:?}");
    let before = says(&catalog);
    catalog.close().unwrap();
    drop(catalog);
    let (catalog, _) = open(vfs).unwrap();
    assert_eq!(says(&catalog), before);
    let next = catalog.create_database("next", DatabaseOptions::default()).unwrap();
    assert!(next.id > dropped + 1, "numbers never come again");
}

/// A kill at any call while everything is written anew: what was said is still said.
#[test]
fn a_kill_while_the_system_log_is_written_anew_loses_nothing() {
    let run = |vfs: &SimulatedVfs| -> Option<(usize, u64)> {
        let (catalog, _) = open(Arc::new(vfs.clone())).ok()?;
        // As if it had grown long.
        let start = vfs.calls();
        let mut done = 0;
        for round in 0..4 {
            catalog.logged.store(2 * SYSTEM_LOG_BYTES, Ordering::Relaxed);
            if change_user(&catalog, round).is_err() {
                break;
            }
            done = round + 1;
        }
        std::mem::forget(catalog);
        Some((done, start))
    };
    let whole = SimulatedVfs::new();
    let (_, start) = run(&whole).unwrap();
    for after in start..whole.calls() {
        let vfs = SimulatedVfs::new();
        vfs.set_fault(Some(embudo_storage::vfs::Fault { after, calls: u64::MAX, kind: std::io::ErrorKind::Other }));
        let (done, _) = run(&vfs).unwrap();
        for survivor in [vfs.after_kill(), vfs.after_power_loss(after)] {
            let (catalog, _) = open(Arc::new(survivor)).unwrap();
            let hosts = &catalog.user(ROOT).unwrap().hosts;
            let kept = |round: usize| hosts.first().is_some_and(|host| *host == format!("10.{round}.0.1"));
            assert!(kept(done) || (done > 0 && kept(done - 1)) || (done == 0 && hosts.len() == 1), "call {after}: {done} changes, {hosts:?}");
        }
    }
}
