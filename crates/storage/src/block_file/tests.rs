use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_array::{Array, BooleanArray, Float64Array, Int32Array, Int64Array, make_array};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType as ArrowType;
use embudo_types::{Value, code};
use proptest::prelude::*;

use super::*;
use crate::rows::{BatchColumn, ColumnBatch, ColumnId, Uid};
use crate::source::SourceRef;
use crate::vfs::{MemoryVfs, OpenMode, Vfs};
use embudo_types::{DataType, Precision, arrow::arrow_type};
use std::path::Path;

const PATH: &str = "/data/7.block";

fn types() -> Vec<DataType> {
    let mut types = vec![DataType::Bool, DataType::TinyInt, DataType::SmallInt, DataType::Int, DataType::BigInt, DataType::Float, DataType::Double];
    types.extend([DataType::UTinyInt, DataType::USmallInt, DataType::UInt, DataType::UBigInt, DataType::Timestamp, DataType::Decimal(38, 6)]);
    types.extend([DataType::Varchar(100), DataType::NChar(100), DataType::VarBinary(100), DataType::Geometry(100), DataType::Decimal(10, 2)]);
    types
}

/// Absent, NULL or what a value is made from.
type Seed = Option<Option<u128>>;

/// Cells of a type.
fn column(id: ColumnId, data_type: DataType, seeds: &[Seed]) -> BatchColumn {
    let arrow = arrow_type(data_type, Precision::Micro);
    let values: Vec<Option<u128>> = seeds.iter().map(|seed| seed.flatten()).collect();
    let array: arrow_array::ArrayRef = match arrow {
        ArrowType::Boolean => Arc::new(values.iter().map(|seed| seed.map(|seed| seed & 1 == 1)).collect::<BooleanArray>()),
        ArrowType::Utf8 => {
            let mut builder = StringBuilder::new();
            for seed in values {
                builder.append_option(seed.map(|seed| format!("ü{seed}").chars().take((seed % 40) as usize).collect::<String>()));
            }
            Arc::new(builder.finish())
        }
        ArrowType::Binary => {
            let mut builder = BinaryBuilder::new();
            for seed in values {
                builder.append_option(seed.map(|seed| seed.to_be_bytes()[(seed % 17) as usize..].to_vec()));
            }
            Arc::new(builder.finish())
        }
        other => {
            let width = other.primitive_width().unwrap();
            let bytes: Vec<u8> = values.iter().flat_map(|seed| seed.unwrap_or(0).to_le_bytes()[..width].to_vec()).collect();
            let nulls = values.iter().map(Option::is_some).collect::<NullBuffer>();
            make_array(ArrayData::builder(other).len(seeds.len()).add_buffer(Buffer::from_vec(bytes)).nulls(Some(nulls)).align_buffers(true).build().unwrap())
        }
    };
    let present = seeds.iter().any(Option::is_none).then(|| seeds.iter().map(Option::is_some).collect::<BooleanBuffer>());
    BatchColumn { id, array, present }
}

fn batch(uid: Uid, start: i64, columns: Vec<BatchColumn>, rows: usize) -> ColumnBatch {
    ColumnBatch { uid, schema_version: 1, timestamps: (0..rows as i64).map(|row| start + row * 10).collect(), key: None, columns }
}

fn write(vfs: &MemoryVfs, batches: &[(ColumnBatch, SequenceRange)]) -> BlockFileSummary {
    write_with(BlockFileWriter::create(vfs, Path::new(PATH), Precision::Micro).unwrap(), batches)
}

fn write_packed(vfs: &MemoryVfs, batches: &[(ColumnBatch, SequenceRange)]) -> BlockFileSummary {
    write_with(BlockFileWriter::create_packed(vfs, Path::new(PATH), Precision::Micro).unwrap(), batches)
}

fn write_with(mut writer: BlockFileWriter, batches: &[(ColumnBatch, SequenceRange)]) -> BlockFileSummary {
    for (batch, sequences) in batches {
        writer.write(batch, *sequences).unwrap();
    }
    writer.finish().unwrap()
}

fn open(vfs: &MemoryVfs) -> embudo_types::Result<Arc<BlockFile>> {
    BlockFile::open(vfs, Path::new(PATH), &crate::block_cache::BlockCache::new(64 << 20))
}

fn sequences(min: u64, max: u64) -> SequenceRange {
    SequenceRange { min, max }
}

/// Cells as text, with absent ones marked, so that NaN is equal to itself.
fn cells(column: Option<&BatchColumn>, rows: usize) -> Vec<String> {
    let Some(column) = column else { return vec!["absent".into(); rows] };
    let array = match column.array.data_type() {
        ArrowType::Float32 => make_array(column.array.to_data().into_builder().data_type(ArrowType::UInt32).build().unwrap()),
        ArrowType::Float64 => make_array(column.array.to_data().into_builder().data_type(ArrowType::UInt64).build().unwrap()),
        _ => column.array.clone(),
    };
    let text = |row: usize| {
        if column.present.as_ref().is_some_and(|present| !present.value(row)) {
            "absent".into()
        } else if array.is_null(row) {
            "NULL".into()
        } else {
            format!("{:?}", array.slice(row, 1))
        }
    };
    (0..rows).map(text).collect()
}

/// A table's cells column by column, source after source.
fn read_all(sources: &[SourceRef], columns: &[(ColumnId, DataType)]) -> embudo_types::Result<(Vec<i64>, Vec<Vec<String>>)> {
    let mut times = Vec::new();
    let mut all = vec![Vec::new(); columns.len()];
    for source in sources {
        times.extend(source.timestamps(0..source.rows())?.iter());
        for (column, all) in source.load(columns, 0..source.rows())?.iter().zip(&mut all) {
            all.extend(cells(column.as_ref(), source.rows()));
        }
    }
    Ok((times, all))
}

fn seeds(rows: usize, salt: u128) -> Vec<Seed> {
    let mix = |row: usize| (row as u128 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (0..rows)
        .map(|row| [Some(Some(mix(row))), Some(Some(u128::MAX)), Some(None), None, Some(Some(0)), Some(Some(row as u128))][(mix(row) >> 120) as usize % 6])
        .collect()
}

#[test]
fn every_type_and_state_comes_back() {
    check_every_type(write);
    check_every_type(write_packed);
}

fn check_every_type(write: fn(&MemoryVfs, &[(ColumnBatch, SequenceRange)]) -> BlockFileSummary) {
    let vfs = MemoryVfs::new();
    let columns: Vec<(ColumnId, DataType)> = types().into_iter().zip(2..).map(|(data_type, id)| (id, data_type)).collect();
    let tables = [(3, 5_usize), (4, 300), (5, 9000), (6, 1), (7, 1)];
    let full = |uid: Uid, rows: usize| columns.iter().map(|&(id, data_type)| column(id, data_type, &seeds(rows, u128::from(uid) + u128::from(id)))).collect();
    let batches: Vec<_> = tables.iter().map(|&(uid, rows)| (batch(uid, 1000, full(uid, rows), rows), sequences(uid, uid + 10))).collect();
    let summary = write(&vfs, &batches);
    assert_eq!(summary.rows, 9307);
    assert_eq!((summary.range, summary.sequences), (TimeRange::new(1000, 1000 + 8999 * 10), sequences(3, 17)));
    let file = open(&vfs).unwrap();
    assert_eq!(file.summary(), summary);
    assert_eq!(file.uids().collect::<embudo_types::Result<Vec<_>>>().unwrap(), [3, 4, 5, 6, 7]);
    assert!(file.check().is_empty());
    for round in 0..2 {
        for (batch, written) in &batches {
            let sources = file.sources(batch.uid, TimeRange::ALL).unwrap();
            assert!(sources.iter().all(|source| source.sequences() == *written), "round {round}");
            let (times, read) = read_all(&sources, &columns).unwrap();
            assert_eq!(times, batch.timestamps.to_vec());
            for (column, read) in batch.columns.iter().zip(&read) {
                assert_eq!(&cells(Some(column), batch.rows()), read, "table {} column {}", batch.uid, column.id);
            }
        }
    }
    let source = &file.sources(5, TimeRange::new(50_000, 50_000)).unwrap()[0];
    assert_eq!(source.rows_before(50_000).unwrap(), 4900 - 4096);
    assert_eq!(source.rows_before(50_001).unwrap(), 4901 - 4096);
    for rows in [0..1, 700..701, 4000..4096, 4095..4096] {
        let part = source.load(&columns, rows.clone()).unwrap();
        assert_eq!(source.timestamps(rows.clone()).unwrap()[0], 1000 + (4096 + rows.start as i64) * 10);
        for (place, column) in part.iter().enumerate() {
            assert_eq!(cells(column.as_ref(), rows.len()), cells(Some(&batches[2].0.columns[place]), 9000)[4096 + rows.start..4096 + rows.end]);
        }
    }
    assert!(file.sources(8, TimeRange::ALL).unwrap().is_empty());
    assert!(file.sources(5, TimeRange::new(0, 999)).unwrap().is_empty());
    assert!(source.load(&[(99, DataType::Int)], 0..10).unwrap()[0].is_none());
    assert_eq!(source.load(&[(2, DataType::Int)], 0..10).unwrap_err().code(), code::CHECKSUM_ERROR);
}

#[test]
fn small_tables_share_blocks_and_large_ones_have_statistics() {
    let vfs = MemoryVfs::new();
    let ints = |rows: usize| vec![column(2, DataType::Int, &(0..rows).map(|row| Some(Some(row as u128))).collect::<Vec<_>>())];
    let mut batches: Vec<_> = (1..=1000).map(|uid| (batch(uid, 0, ints(3), 3), sequences(1, 1))).collect();
    batches.push((batch(1001, 0, ints(5000), 5000), sequences(2, 2)));
    let summary = write(&vfs, &batches);
    assert!(summary.bytes < 50_000, "{} bytes", summary.bytes);
    let file = open(&vfs).unwrap();
    for uid in [1, 500, 1000] {
        let sources = file.sources(uid, TimeRange::ALL).unwrap();
        assert_eq!(sources.len(), 1);
        assert!(sources[0].statistics(2, DataType::Int).is_none());
        assert_eq!(read_all(&sources, &[(2, DataType::Int)]).unwrap().0, [0, 10, 20]);
    }
    let sources = file.sources(1001, TimeRange::ALL).unwrap();
    let statistics = sources[1].statistics(2, DataType::Int).unwrap();
    assert_eq!((statistics.count, statistics.nulls), (904, 0));
    assert_eq!((statistics.min, statistics.max), (Value::Int(4096), Value::Int(4999)));
    assert_eq!(statistics.sum, Value::BigInt((4096..5000).sum()));
    assert_eq!(statistics.first, Some((40_960, Value::Int(4096))));
    assert_eq!(statistics.last, Some((49_990, Value::Int(4999))));
    let absent = sources[0].statistics(77, DataType::Int).unwrap();
    assert_eq!((absent.count, absent.nulls), (0, 4096));
    assert_eq!(sources[0].statistics(1, DataType::Timestamp).unwrap().max, Value::Timestamp(40_950));
}

#[test]
fn statistics_say_what_the_cells_say() {
    let rows = 300;
    let times: Vec<i64> = (0..rows as i64).collect();
    for data_type in types() {
        let column = column(2, data_type, &seeds(rows, 5));
        let Some(statistics) = statistics_of(&times, &column.array, column.present.as_ref()).map(|statistics| label(statistics, data_type)) else {
            assert!(matches!(data_type, DataType::Float | DataType::Double), "{data_type:?}");
            continue;
        };
        let section = StatisticsSection::encode(
            embudo_codec::PhysicalType::of(column.array.data_type()).unwrap(),
            &[None, statistics_of(&times, &column.array, column.present.as_ref())],
        );
        let section = StatisticsSection::decode(embudo_codec::PhysicalType::of(column.array.data_type()).unwrap(), 2, &section.unwrap()).unwrap();
        assert!(section.block(0, rows).is_none());
        let back = label(section.block(1, rows).unwrap(), data_type);
        assert_eq!(ColumnStatisticsWithoutSum(&back), ColumnStatisticsWithoutSum(&statistics));
        let text = cells(Some(&column), rows);
        let valid: Vec<usize> = (0..rows).filter(|row| text[*row] != "absent" && text[*row] != "NULL").collect();
        assert_eq!((statistics.count as usize, statistics.nulls as usize), (valid.len(), rows - valid.len()));
        assert_eq!(statistics.first.map(|(at, _)| at), valid.first().map(|row| *row as i64));
        assert_eq!(statistics.last.map(|(at, _)| at), valid.last().map(|row| *row as i64));
    }
    let floats = Arc::new(Float64Array::from(vec![Some(2.5), None, Some(-1.0), Some(7.0)])) as arrow_array::ArrayRef;
    let statistics = statistics_of(&times, &floats, None).unwrap();
    assert_eq!((statistics.min, statistics.max, statistics.sum), (Value::Double(-1.0), Value::Double(7.0), Value::Double(8.5)));
    let nan = Arc::new(Float64Array::from(vec![1.0, f64::NAN])) as arrow_array::ArrayRef;
    assert!(statistics_of(&times, &nan, None).is_none());
    let large = Arc::new(Int64Array::from(vec![i64::MAX, 1])) as arrow_array::ArrayRef;
    assert_eq!(statistics_of(&times, &large, None).unwrap().sum, Value::Null);
}

/// Timestamps lose their sum when they are labelled; everything else must be equal.
struct ColumnStatisticsWithoutSum<'a>(&'a embudo_types::ColumnStatistics);

impl PartialEq for ColumnStatisticsWithoutSum<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl std::fmt::Debug for ColumnStatisticsWithoutSum<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[test]
fn composite_keys_order_rows() {
    let vfs = MemoryVfs::new();
    let rows = 6000;
    let key = Arc::new((0..rows).map(|row| Some(row % 3)).collect::<Int32Array>()) as arrow_array::ArrayRef;
    let values = column(5, DataType::Int, &(0..rows as usize).map(|row| Some(Some(row as u128))).collect::<Vec<_>>());
    let batch = ColumnBatch { uid: 1, schema_version: 3, timestamps: (0..i64::from(rows)).map(|row| row / 3).collect(), key: Some(key), columns: vec![values] };
    write(&vfs, &[(batch.clone(), sequences(1, 1))]);
    let file = open(&vfs).unwrap();
    let sources = file.sources(1, TimeRange::ALL).unwrap();
    let keys = sources[0].keys(300..303).unwrap().unwrap();
    assert_eq!(keys.as_primitive::<Int32Type>().values()[..], [0, 1, 2]);
    assert_eq!(sources[1].rows_before(1366).unwrap(), (1366 * 3 - 4096) as usize);
    let vfs = MemoryVfs::new();
    let mut writer = BlockFileWriter::create(&vfs, Path::new(PATH), Precision::Milli).unwrap();
    writer.write(&batch, sequences(1, 1)).unwrap();
    assert!(writer.write(&batch, sequences(1, 1)).is_err());
}

#[test]
fn wide_rows_close_blocks_early() {
    let vfs = MemoryVfs::new();
    let mut builder = BinaryBuilder::new();
    (0..200).for_each(|row| builder.append_value(vec![row as u8; 30_000]));
    let wide = BatchColumn { id: 2, array: Arc::new(builder.finish()), present: None };
    write(&vfs, &[(batch(1, 0, vec![wide], 200), sequences(1, 1))]);
    let sources = open(&vfs).unwrap().sources(1, TimeRange::ALL).unwrap();
    assert!((5..=8).contains(&sources.len()), "{} blocks", sources.len());
    let loaded = sources[1].load(&[(2, DataType::Varchar(30_000))], 0..1).unwrap();
    assert_eq!(loaded[0].as_ref().unwrap().array.as_binary::<i32>().value(0).len(), 30_000);
}

fn sample_file() -> (MemoryVfs, Vec<u8>, Vec<(ColumnId, DataType)>) {
    let vfs = MemoryVfs::new();
    let columns = vec![(2, DataType::Int), (3, DataType::Double), (4, DataType::Varchar(20))];
    let all = |rows: usize, salt: u128| columns.iter().map(|&(id, data_type)| column(id, data_type, &seeds(rows, salt))).collect::<Vec<_>>();
    let mut batches: Vec<_> = (1..6).map(|uid| (batch(uid, 0, all(6, uid.into()), 6), sequences(1, 1))).collect();
    batches.push((batch(9, 0, all(260, 9).into_iter().take(1).collect(), 260), sequences(2, 2)));
    write(&vfs, &batches);
    let bytes = crate::vfs::read(&vfs, Path::new(PATH)).unwrap();
    (vfs, bytes, columns)
}

type Contents = Vec<(Uid, Option<(Vec<i64>, Vec<Vec<String>>)>, Vec<Option<embudo_types::ColumnStatistics>>)>;

/// What can be read of a file: tables that cannot are `None`.
fn contents(vfs: &MemoryVfs, columns: &[(ColumnId, DataType)]) -> Option<Contents> {
    let file = open(vfs).map_err(|error| assert!(error.message().contains(PATH) || error.code() == code::VERSION_NOT_COMPATIBLE, "{error}")).ok()?;
    let mut contents = Vec::new();
    for uid in [1, 2, 3, 4, 5, 9] {
        let sources = file.sources(uid, TimeRange::ALL);
        let read = sources.and_then(|sources| Ok((read_all(&sources, columns)?, sources)));
        match read {
            Ok((read, sources)) => {
                let statistics = sources.iter().flat_map(|source| columns.iter().map(|&(id, data_type)| source.statistics(id, data_type))).collect();
                contents.push((uid, Some(read), statistics));
            }
            Err(error) => {
                assert!(error.message().contains(PATH) && error.message().contains("offset"), "{error}");
                contents.push((uid, None, Vec::new()));
            }
        }
    }
    Some(contents)
}

#[test]
fn a_flipped_byte_anywhere_is_an_error_or_harms_nothing() {
    let (vfs, bytes, columns) = sample_file();
    let whole = contents(&vfs, &columns).unwrap();
    assert!(whole.iter().all(|(_, read, _)| read.is_some()));
    let file = vfs.open(Path::new(PATH), OpenMode::Write).unwrap();
    let (mut refused, mut partly, mut whole_again) = (0, 0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        file.write_all_at(&[byte ^ 0x41], at as u64).unwrap();
        match contents(&vfs, &columns) {
            None => refused += 1,
            Some(read) => {
                let mut differs = false;
                for ((_, was, statistics), (_, is, known)) in whole.iter().zip(&read) {
                    if is.is_some() {
                        assert_eq!(was, is, "byte {at}");
                        assert!(statistics.iter().zip(known).all(|(was, is)| is.is_none() || format!("{was:?}") == format!("{is:?}")), "byte {at}");
                    } else {
                        differs = true;
                    }
                }
                if differs {
                    partly += 1;
                } else {
                    whole_again += 1;
                }
                assert!(!open(&vfs).unwrap().check().is_empty(), "byte {at} is under no checksum");
            }
        }
        file.write_all_at(&[*byte], at as u64).unwrap();
    }
    assert!(refused > 100 && partly > 500 && whole_again > 50, "{refused} {partly} {whole_again}");
}

#[test]
fn a_cut_file_is_refused() {
    let (vfs, bytes, _) = sample_file();
    let file = vfs.open(Path::new(PATH), OpenMode::Write).unwrap();
    for length in (0..bytes.len()).rev().step_by(7) {
        file.set_length(length as u64).unwrap();
        assert!(open(&vfs).is_err());
    }
}

#[test]
fn unknown_required_features_and_versions_are_refused_by_name() {
    let (vfs, bytes, columns) = sample_file();
    let file = vfs.open(Path::new(PATH), OpenMode::Write).unwrap();
    let patch = |at: usize, value: u8| {
        let mut header = bytes[..64].to_vec();
        header[at] = value;
        let checksum = embudo_codec::checksum(&header[..60]);
        header[60..].copy_from_slice(&checksum.to_le_bytes());
        file.write_all_at(&header, 0).unwrap();
        open(&vfs)
    };
    for (at, word) in [(8, "version 2"), (16, "0x2")] {
        let error = patch(at, 2).unwrap_err();
        assert_eq!(error.code(), code::VERSION_NOT_COMPATIBLE);
        assert!(error.message().contains(word) && error.message().contains(PATH), "{error}");
    }
    patch(24, 2).unwrap();
    assert!(contents(&vfs, &columns).is_some());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_tables_come_back(tables in proptest::collection::vec((1_usize..700, 1_usize..3, any::<u64>(), 0_usize..18), 1..30), packed: bool) {
        let vfs = MemoryVfs::new();
        let mut batches = Vec::new();
        for (uid, (rows, parts, salt, first)) in tables.iter().enumerate() {
            for part in 0..*parts {
                let columns = types().into_iter().enumerate().skip(*first).take(3);
                let columns = columns.map(|(place, data_type)| column(place as u16 + 2, data_type, &seeds(*rows, u128::from(*salt) + place as u128))).collect();
                batches.push((batch(uid as u64, (part * rows) as i64 * 10, columns, *rows), sequences(part as u64 + 1, part as u64 + 1)));
            }
        }
        let summary = if packed { write_packed(&vfs, &batches) } else { write(&vfs, &batches) };
        let file = open(&vfs).unwrap();
        prop_assert_eq!(file.summary(), summary);
        prop_assert!(file.check().is_empty());
        let columns: Vec<_> = types().into_iter().zip(2..).map(|(data_type, id)| (id, data_type)).collect();
        for uid in 0..tables.len() as u64 {
            let (times, read) = read_all(&file.sources(uid, TimeRange::ALL).unwrap(), &columns).unwrap();
            let parts: Vec<&ColumnBatch> = batches.iter().map(|(batch, _)| batch).filter(|batch| batch.uid == uid).collect();
            prop_assert_eq!(times, parts.iter().flat_map(|part| part.timestamps.to_vec()).collect::<Vec<_>>());
            for ((id, _), read) in columns.iter().zip(read) {
                let written: Vec<String> = parts.iter().flat_map(|part| cells(part.columns.iter().find(|column| column.id == *id), part.rows())).collect();
                prop_assert_eq!(written, read);
            }
        }
    }
}
