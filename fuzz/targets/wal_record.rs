//! A log with any bytes changed is replayed up to where it is whole, or refused; what was replayed can be read. Checksums always hold here
//! (feature `fuzzing` of embudo-codec).
#![no_main]

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, BinaryArray, Int32Array};
use embudo_fuzz::changed;
use embudo_storage::vfs::{MemoryVfs, OpenMode, Vfs, read};
use embudo_storage::{BatchColumn, ColumnBatch, Entry, ManualClock, Scheduler, Store, StoreOptions};

const DIRECTORY: &str = "/fuzz";

fn options(vfs: Arc<MemoryVfs>) -> StoreOptions {
    let clock = Arc::new(ManualClock::new(1_700_000_000_000_000_000));
    StoreOptions { vfs, scheduler: Scheduler::simulated(1, clock.clone()), clock, ..StoreOptions::directory(DIRECTORY) }
}

/// The files of a store that was never flushed.
fn files() -> &'static [(PathBuf, Vec<u8>)] {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let vfs = Arc::new(MemoryVfs::new());
        let (store, _) = Store::open(options(vfs.clone()), &mut |_, _| Ok(())).expect("a store in memory");
        for round in 0..3_i64 {
            let arrays: [ArrayRef; 2] = [
                Arc::new((0..5).map(|row| (row != 2).then_some(row)).collect::<Int32Array>()),
                Arc::new((0..5).map(|row| Some(vec![b'a'; row])).collect::<BinaryArray>()),
            ];
            let columns = arrays.into_iter().zip(2..).map(|(array, id)| BatchColumn { id, array, present: None }).collect();
            let rows =
                ColumnBatch { uid: 1 + round as u64 % 2, schema_version: 1, timestamps: (0..5).map(|row| row + round * 3).collect(), key: None, columns };
            let entries = vec![Entry::Meta(b"meta".to_vec()), Entry::Rows(rows), Entry::Delete { uid: 1, start: 2, end: 3 }];
            store.append(entries).expect("entries");
        }
        store.append(vec![Entry::DropTable { uid: 2 }]).expect("an entry");
        drop(store);
        let names = ["", "log", "blocks"].map(|folder| Path::new(DIRECTORY).join(folder));
        let paths = names.iter().flat_map(|folder| vfs.list(folder).expect("a folder").into_iter().map(|name| folder.join(name)).collect::<Vec<_>>());
        paths.filter(|path| vfs.exists(path).expect("memory")).filter_map(|path| read(&*vfs, &path).ok().map(|bytes| (path, bytes))).collect()
    })
}

libfuzzer_sys::fuzz_target!(|changes: Vec<(u16, u8)>| {
    let vfs = Arc::new(MemoryVfs::new());
    for folder in ["", "log", "blocks"] {
        vfs.create_directories(&Path::new(DIRECTORY).join(folder)).expect("memory");
    }
    for (path, bytes) in files() {
        let mut bytes = bytes.clone();
        if path.extension().is_some_and(|extension| extension == "log") {
            changed(&mut bytes, &changes);
        }
        vfs.open(path, OpenMode::Create).and_then(|file| file.write_all_at(&bytes, 0)).expect("a file in memory");
    }
    let Ok((store, _)) = Store::open(options(vfs), &mut |_, _| Ok(())) else { return };
    store.figures();
    store.append(vec![Entry::Meta(Vec::new())]).expect("a store that opens takes entries");
});
