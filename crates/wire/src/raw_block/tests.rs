//! Recorded blocks read, and written again byte for byte; every type x NULL x empty x maximum x broken text; any bytes.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, RecordBatch,
    StringArray, TimestampMillisecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array, cast::AsArray,
};
use arrow_schema::Schema;
use embudo_types::{DataType, Precision, arrow::field};
use proptest::prelude::*;

use super::{FETCH_VERSION, decode, encode};

fn recorded(hex: &str) -> Vec<u8> {
    hex.trim().as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn batch(columns: Vec<(DataType, ArrayRef)>) -> RecordBatch {
    let fields: Vec<_> = columns.iter().enumerate().map(|(at, (data_type, _))| field(&format!("c{at}"), *data_type, Precision::Milli)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|column| column.1).collect()).unwrap()
}

#[test]
fn recorded_blocks_are_read_and_written_again() {
    for (name, hex, rows, columns) in [
        ("every type", include_str!("recorded/every_type.hex"), 9, 16),
        ("constants", include_str!("recorded/constants.hex"), 1, 3),
        ("JSON tags", include_str!("recorded/json_tags.hex"), 2, 5),
        ("every tag", include_str!("recorded/every_tag.hex"), 2, 18),
    ] {
        let bytes = recorded(hex);
        let block = decode(&bytes, Precision::Milli).unwrap();
        assert_eq!((block.rows, block.columns.len()), (rows, columns), "{name}");
        assert!(bytes.len() - block.used <= 1, "{name}");
        let mut again = Vec::new();
        encode(&batch(block.columns), FETCH_VERSION, &mut again).unwrap();
        assert_eq!(again.len(), bytes.len(), "{name}");
        // Bytes under NULL are whatever the writer had there.
        let second = decode(&again, Precision::Milli).unwrap();
        let first = decode(&bytes, Precision::Milli).unwrap();
        for (at, (left, right)) in first.columns.iter().zip(&second.columns).enumerate() {
            assert_eq!(left, right, "{name}, column {at}");
        }
    }
}

#[test]
fn recorded_values() {
    let block = decode(&recorded(include_str!("recorded/every_type.hex")), Precision::Milli).unwrap();
    let types: Vec<DataType> = block.columns.iter().map(|column| column.0).collect();
    assert_eq!(types[12..], [DataType::Varchar(20), DataType::NChar(10), DataType::VarBinary(20), DataType::Geometry(64)]);
    assert_eq!(block.columns[13].1.as_string::<i32>().value(0), "中文😀");
    assert_eq!(block.columns[12].1.as_binary::<i32>().value(3), b"a\"b\\c/d");
    assert!(block.columns[1].1.is_null(2) && block.columns[1].1.is_null(8) && !block.columns[2].1.is_null(8));
    assert_eq!(block.columns[10].1.as_primitive::<arrow_array::types::Float32Type>().value(1), -0.1);
}

#[test]
fn every_type_with_null_empty_and_maximum() {
    let decimals = |precision: u8| {
        Arc::new(Decimal128Array::from(vec![Some(-5), None, Some(10_i128.pow(u32::from(precision)) - 1)]).with_precision_and_scale(precision, 2).unwrap())
    };
    let bytes = || Arc::new(BinaryArray::from(vec![Some(b"\xff\xc3a".as_slice()), None, Some(b"")]));
    let longest = "😀".repeat(16_379);
    let columns: Vec<(DataType, ArrayRef)> = vec![
        (DataType::Timestamp, Arc::new(TimestampMillisecondArray::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        (DataType::Bool, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)]))),
        (DataType::TinyInt, Arc::new(Int8Array::from(vec![Some(i8::MIN), None, Some(i8::MAX)]))),
        (DataType::SmallInt, Arc::new(Int16Array::from(vec![Some(i16::MIN), None, Some(i16::MAX)]))),
        (DataType::Int, Arc::new(Int32Array::from(vec![Some(i32::MIN), None, Some(i32::MAX)]))),
        (DataType::BigInt, Arc::new(Int64Array::from(vec![Some(i64::MIN), None, Some(i64::MAX)]))),
        (DataType::UTinyInt, Arc::new(UInt8Array::from(vec![Some(0), None, Some(u8::MAX)]))),
        (DataType::USmallInt, Arc::new(UInt16Array::from(vec![Some(0), None, Some(u16::MAX)]))),
        (DataType::UInt, Arc::new(UInt32Array::from(vec![Some(0), None, Some(u32::MAX)]))),
        (DataType::UBigInt, Arc::new(UInt64Array::from(vec![Some(0), None, Some(u64::MAX)]))),
        (DataType::Float, Arc::new(Float32Array::from(vec![Some(f32::MIN), None, Some(f32::INFINITY)]))),
        (DataType::Double, Arc::new(Float64Array::from(vec![Some(f64::MIN), None, Some(5e-324)]))),
        (DataType::Varchar(65_517), bytes()),
        (DataType::NChar(16_379), Arc::new(StringArray::from(vec![Some(longest.as_str()), None, Some("")]))),
        (DataType::VarBinary(9), bytes()),
        (DataType::Geometry(9), bytes()),
        (DataType::Decimal(38, 2), decimals(38)),
        (DataType::Decimal(18, 2), decimals(18)),
    ];
    let batch = batch(columns);
    let mut out = b"before".to_vec();
    encode(&batch, FETCH_VERSION, &mut out).unwrap();
    let block = decode(&out[6..], Precision::Milli).unwrap();
    assert_eq!(out.len() - 6 - block.used, 1);
    for ((data_type, array), (field, want)) in block.columns.iter().zip(batch.schema().fields().iter().zip(batch.columns())) {
        assert_eq!(*data_type, embudo_types::arrow::data_type(field).unwrap());
        assert_eq!(array, want, "{data_type}");
    }
}

#[test]
fn json_and_blobs() {
    let json = Arc::new(StringArray::from(vec![Some("{\"a\":1}"), None, Some("\"中\"")]));
    let blobs = Arc::new(BinaryArray::from(vec![Some(vec![7; 70_000].as_slice()), None, Some(b"")]));
    let batch = batch(vec![(DataType::Json, json.clone()), (DataType::Blob, blobs.clone())]);
    let mut out = Vec::new();
    encode(&batch, FETCH_VERSION, &mut out).unwrap();
    let block = decode(&out, Precision::Milli).unwrap();
    assert_eq!(block.used, out.len());
    assert_eq!(block.columns[0].1.as_string::<i32>(), &*json);
    assert_eq!(block.columns[1].1.as_binary::<i32>(), &*blobs);
}

#[test]
fn a_value_that_no_block_can_carry_is_an_error() {
    let long = Arc::new(BinaryArray::from(vec![vec![b'x'; 65_536].as_slice()]));
    assert!(encode(&batch(vec![(DataType::Varchar(65_517), long)]), FETCH_VERSION, &mut Vec::new()).is_err());
}

proptest! {
    #[test]
    fn nulls_anywhere(values in proptest::collection::vec(proptest::option::of(any::<i32>()), 0..70), skip in 0_usize..9) {
        let array = Int32Array::from(values);
        let slice = array.slice(skip.min(array.len()), array.len() - skip.min(array.len()));
        let mut out = Vec::new();
        encode(&batch(vec![(DataType::Int, Arc::new(slice.clone()))]), FETCH_VERSION, &mut out).unwrap();
        let block = decode(&out, Precision::Milli).unwrap();
        prop_assert_eq!(block.columns[0].1.as_primitive::<arrow_array::types::Int32Type>(), &slice);
    }

    #[test]
    fn any_bytes_are_an_error_or_a_block(flips in proptest::collection::vec((0_usize..1_007, any::<u8>()), 1..6), cut in 0_usize..1_008) {
        let mut bytes = recorded(include_str!("recorded/every_type.hex"));
        for (at, byte) in flips {
            bytes[at] = byte;
        }
        let _ = decode(&bytes, Precision::Nano);
        bytes.truncate(cut);
        let _ = decode(&bytes, Precision::Nano);
    }
}
