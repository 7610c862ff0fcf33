//! Block files of TSBS's shape (ten small integers every 10 s): `cargo bench -p embudo-storage --bench blocks`. Size, and speed of writing,
//! reading and point reads, on files in memory; numbers are of the best of some rounds.
#![allow(clippy::disallowed_methods, clippy::expect_used, reason = "a benchmark measures wall time and stops at the first fault")]

use std::{hint::black_box, path::Path, sync::Arc, time::Instant};

use arrow_array::Int64Array;
use embudo_storage::vfs::{MemoryVfs, Vfs};
use embudo_storage::{BatchColumn, BlockCache, BlockFile, BlockFileWriter, ColumnBatch, ColumnId, SequenceRange, SourceRef, TimeRange};
use embudo_types::{DataType, Precision, Result};

const HOSTS: u64 = 100;
const ROWS: usize = 8640;
const START: i64 = 1_700_000_000_000;
const PATH: &str = "/bench.blocks";

fn host(uid: u64) -> ColumnBatch {
    let mut seed = uid.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut uniform = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 11) as f64 / (1_u64 << 53) as f64
    };
    let columns = (2..12).map(|id| {
        let mut value = 50.0;
        let cells = (0..ROWS).map(|_| {
            value = f64::clamp(value + (0..12).map(|_| uniform()).sum::<f64>() - 6.0, 0.0, 100.0);
            Some(value as i64)
        });
        BatchColumn { id, array: Arc::new(cells.collect::<Int64Array>()), present: None }
    });
    ColumnBatch { uid, schema_version: 1, columns: columns.collect(), key: None, timestamps: (0..ROWS as i64).map(|row| START + row * 10_000).collect() }
}

fn best(rounds: usize, mut run: impl FnMut()) -> f64 {
    let round = |_| {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64()
    };
    (0..rounds).map(round).fold(f64::MAX, f64::min)
}

fn write(hosts: &[ColumnBatch], create: fn(&dyn Vfs, &Path, Precision) -> Result<BlockFileWriter>) -> MemoryVfs {
    let vfs = MemoryVfs::new();
    let mut writer = create(&vfs, Path::new(PATH), Precision::Milli).expect("a file in memory");
    for host in hosts {
        writer.write(host, SequenceRange { min: 1, max: 1 }).expect("rows in order");
    }
    writer.finish().expect("rows");
    vfs
}

fn sources(file: &Arc<BlockFile>, uid: u64, range: TimeRange) -> Vec<SourceRef> {
    file.sources(uid, range).expect("an undamaged file")
}

fn main() {
    let hosts: Vec<ColumnBatch> = (0..HOSTS).map(host).collect();
    let columns: Vec<(ColumnId, DataType)> = (2..12).map(|id| (id, DataType::BigInt)).collect();
    let cells = (HOSTS as usize * ROWS * 11) as f64 / 1e6;
    for (name, rounds, create) in
        [("flushed", 5, BlockFileWriter::create as fn(&dyn Vfs, &Path, Precision) -> Result<BlockFileWriter>), ("packed", 2, BlockFileWriter::create_packed)]
    {
        let writing = best(rounds, || drop(black_box(write(&hosts, create))));
        let vfs = write(&hosts, create);
        let open = || BlockFile::open(&vfs, Path::new(PATH), &BlockCache::new(1 << 30)).expect("an undamaged file");
        let read = |file: &Arc<BlockFile>| {
            for source in (0..HOSTS).flat_map(|uid| sources(file, uid, TimeRange::ALL)) {
                black_box(source.load(&columns, 0..source.rows()).expect("an undamaged file"));
            }
        };
        let cold = best(rounds, || read(&open()));
        let file = open();
        read(&file);
        let warm = best(rounds, || read(&file));
        let points = best(rounds, || {
            for place in 0..1000_i64 {
                let tick = START + place * 977 % ROWS as i64 * 10_000;
                let source = &sources(&file, place as u64 * 7 % HOSTS, TimeRange::new(tick, tick))[0];
                let row = source.rows_before(tick).expect("an undamaged file");
                black_box(source.load(&columns, row..row + 1).expect("an undamaged file"));
            }
        });
        let bytes = file.summary().bytes as f64 / file.summary().rows as f64;
        println!(
            "{name}: {bytes:.2} bytes a row; M values/s: write {:.0}, read cold {:.0}, cached {:.0}; point of 10 columns {:.1} us",
            cells / writing,
            cells / cold,
            cells / warm,
            points * 1e3
        );
    }
}
