//! A block file with any bytes changed is read, in part or whole, or refused. Checksums always hold here (feature `fuzzing` of embudo-codec).
#![no_main]

use std::path::Path;
use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, BinaryArray, Decimal128Array, Float64Array, Int32Array, StringArray};
use embudo_storage::vfs::{MemoryVfs, OpenMode, Vfs, read};
use embudo_storage::{BatchColumn, BlockCache, BlockFile, BlockFileWriter, ColumnBatch, SequenceRange, TimeRange};
use embudo_types::{DataType, Precision};

const PATH: &str = "/fuzz.blocks";

/// Small tables in one block, a large one with statistics, every way in which values lie.
fn whole() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let vfs = MemoryVfs::new();
        let mut writer = BlockFileWriter::create_packed(&vfs, Path::new(PATH), Precision::Milli).expect("a file in memory");
        for (uid, rows) in [(1, 3), (2, 4), (3, 700_i64)] {
            let arrays: [ArrayRef; 5] = [
                Arc::new((0..rows).map(|row| (row % 7 != 3).then_some((row * row % 1000) as i32)).collect::<Int32Array>()),
                Arc::new((0..rows).map(|row| Some(row as f64 / 8.0)).collect::<Float64Array>()),
                Arc::new((0..rows).map(|row| Some(format!("state {}", row % 5))).collect::<StringArray>()),
                Arc::new((0..rows).map(|row| Some(format!("{row} and {row}").into_bytes())).collect::<BinaryArray>()),
                Arc::new((0..rows).map(|row| Some(i128::from(row) << 70)).collect::<Decimal128Array>()),
            ];
            let columns = arrays.into_iter().zip(2..).map(|(array, id)| BatchColumn { id, array, present: None }).collect();
            let batch = ColumnBatch { uid, schema_version: 1, timestamps: (0..rows).map(|row| row * 10 + row % 3).collect(), key: None, columns };
            writer.write(&batch, SequenceRange { min: 1, max: 2 }).expect("rows in order");
        }
        writer.finish().expect("rows");
        read(&vfs, Path::new(PATH)).expect("the file")
    })
}

libfuzzer_sys::fuzz_target!(|changes: Vec<(u16, u8)>| {
    let mut bytes = whole().to_vec();
    for (at, value) in changes {
        let at = usize::from(at) % bytes.len();
        bytes[at] = value;
    }
    let vfs = MemoryVfs::new();
    vfs.open(Path::new(PATH), OpenMode::Create).and_then(|file| file.write_all_at(&bytes, 0)).expect("a file in memory");
    let Ok(file) = BlockFile::open(&vfs, Path::new(PATH), &BlockCache::new(1 << 20)) else { return };
    file.check();
    let columns: Vec<_> = [DataType::Int, DataType::Double, DataType::NChar(20), DataType::Varchar(20), DataType::Decimal(38, 0)]
        .into_iter()
        .zip(2..)
        .map(|(data_type, id)| (id, data_type))
        .collect();
    for uid in file.uids().take(8).map_while(Result::ok) {
        for source in file.sources(uid, TimeRange::ALL).into_iter().flatten().take(16) {
            let _ = source.timestamps(0..source.rows());
            let _ = source.rows_before(1000);
            for column in &columns {
                let _ = source.statistics(column.0, column.1);
                let _ = source.load(&[*column], 0..source.rows());
                let _ = source.load(&[*column], source.rows() / 2..source.rows() / 2 + 1);
            }
        }
    }
});
