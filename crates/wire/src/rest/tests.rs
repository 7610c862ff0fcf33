//! Every type x NULL x empty x maximum x invalid UTF-8, pinned to recorded text where there is one.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, NullArray, RecordBatch,
    StringArray, TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray, UInt8Array, UInt16Array, UInt32Array, UInt64Array,
};
use arrow_schema::{Field, Schema};
use embudo_types::{DataType, Precision, Zone, arrow::field};

use super::{Encoder, Options, affected};

fn batch(columns: Vec<(&str, DataType, Precision, ArrayRef)>) -> RecordBatch {
    let fields: Vec<Field> = columns.iter().map(|(name, data_type, precision, _)| field(name, *data_type, *precision)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|column| column.3).collect()).unwrap()
}

fn encode(batch: &RecordBatch, options: &Options) -> String {
    let mut encoder = Encoder::new(&batch.schema(), options).unwrap();
    let mut out = Vec::new();
    encoder.begin(&mut out);
    encoder.rows(batch, 0..batch.num_rows(), &mut out).unwrap();
    encoder.finish(None, &mut out);
    assert_eq!(encoder.count(), batch.num_rows() as u64);
    String::from_utf8_lossy(&out).into_owned()
}

/// One column of one type: what its cells look like.
fn cells(data_type: DataType, array: impl arrow_array::Array + 'static) -> String {
    let text = encode(&batch(vec![("c", data_type, Precision::Milli, Arc::new(array))]), &Options::default());
    let (_, data) = text.split_once("\"data\":").unwrap();
    data.split_once(",\"rows\"").unwrap().0.to_owned()
}

#[test]
fn every_type_with_null_empty_and_maximum() {
    use DataType as T;
    assert_eq!(cells(T::Null, NullArray::new(2)), "[[null],[null]]");
    assert_eq!(cells(T::Bool, BooleanArray::from(vec![Some(true), Some(false), None])), "[[true],[false],[null]]");
    assert_eq!(cells(T::TinyInt, Int8Array::from(vec![Some(i8::MAX), Some(i8::MIN), None])), "[[127],[-128],[null]]");
    assert_eq!(cells(T::SmallInt, Int16Array::from(vec![Some(i16::MAX), Some(-32767), None])), "[[32767],[-32767],[null]]");
    assert_eq!(cells(T::Int, Int32Array::from(vec![Some(i32::MAX), Some(i32::MIN), None])), "[[2147483647],[-2147483648],[null]]");
    assert_eq!(cells(T::BigInt, Int64Array::from(vec![Some(i64::MAX), Some(i64::MIN), None])), "[[9223372036854775807],[-9223372036854775808],[null]]");
    assert_eq!(cells(T::UTinyInt, UInt8Array::from(vec![Some(u8::MAX), None])), "[[255],[null]]");
    assert_eq!(cells(T::USmallInt, UInt16Array::from(vec![Some(u16::MAX), None])), "[[65535],[null]]");
    assert_eq!(cells(T::UInt, UInt32Array::from(vec![Some(u32::MAX), None])), "[[4294967295],[null]]");
    assert_eq!(cells(T::UBigInt, UInt64Array::from(vec![Some(u64::MAX), None])), "[[18446744073709551615],[null]]");
    assert_eq!(cells(T::Float, Float32Array::from(vec![Some(f32::MAX), Some(f32::NAN), None])), "[[3.4028235e+38],[null],[null]]");
    assert_eq!(cells(T::Double, Float64Array::from(vec![Some(-1.5e300), Some(f64::INFINITY), None])), "[[-1.5e+300],[null],[null]]");
    assert_eq!(
        cells(T::Json, StringArray::from(vec![Some("{\"b\":true,\"k\":\"中\"}"), Some("1.500000000"), None])),
        "[[{\"b\":true,\"k\":\"中\"}],[1.500000000],[null]]"
    );
    assert_eq!(cells(T::NChar(10), StringArray::from(vec![Some("中文😀"), Some("<&>\t"), Some(""), None])), "[[\"中文😀\"],[\"<&>\\t\"],[\"\"],[null]]");
    for hex in [T::VarBinary(20), T::Geometry(64), T::Blob, T::MediumBlob] {
        assert_eq!(cells(hex, BinaryArray::from(vec![Some(b"\x98\xf4\x6e".as_slice()), Some(b""), None])), "[[\"98f46e\"],[\"\"],[null]]");
    }
    let decimals = Decimal128Array::from(vec![Some(-1_230), Some(5), None]).with_precision_and_scale(38, 2).unwrap();
    assert_eq!(cells(T::Decimal(38, 2), decimals), "[[\"-12.30\"],[\"0.05\"],[null]]");
}

#[test]
fn text_escapes_what_json_demands_and_passes_broken_utf8_on() {
    let array = BinaryArray::from(vec![Some(b"a\"b\\c/d\n\r\t\x01\x7f".as_slice()), Some(b"\xff\xc3"), Some(b""), None]);
    let batch = batch(vec![("c", DataType::Varchar(20), Precision::Milli, Arc::new(array))]);
    let mut encoder = Encoder::new(&batch.schema(), &Options::default()).unwrap();
    let mut out = Vec::new();
    encoder.rows(&batch, 0..4, &mut out).unwrap();
    assert_eq!(out, b"[\"a\\\"b\\\\c/d\\n\\r\\t\\u0001\x7f\"],[\"\xff\xc3\"],[\"\"],[null]");
}

#[test]
fn timestamps_in_every_precision_and_zone() {
    let at = 1_700_000_000_000_i64;
    for (precision, array, text) in [
        (Precision::Milli, Arc::new(TimestampMillisecondArray::from(vec![Some(at), None])) as ArrayRef, "2023-11-14T22:13:20.000"),
        (Precision::Micro, Arc::new(TimestampMicrosecondArray::from(vec![Some(at * 1_000 + 1), None])), "2023-11-14T22:13:20.000001"),
        (Precision::Nano, Arc::new(TimestampNanosecondArray::from(vec![Some(at * 1_000_000 + 8), None])), "2023-11-14T22:13:20.000000008"),
    ] {
        let batch = batch(vec![("ts", DataType::Timestamp, precision, array)]);
        assert!(encode(&batch, &Options::default()).contains(&format!("[\"{text}Z\"],[null]")));
        let shanghai = Options { zone: Zone::named("Asia/Shanghai").unwrap(), ..Options::default() };
        assert!(encode(&batch, &shanghai).contains(&format!("[\"{}+08:00\"]", text.replace("14T22", "15T06"))));
        let new_york = Options { zone: Zone::named("America/New_York").unwrap(), ..Options::default() };
        assert!(encode(&batch, &new_york).contains(&format!("[\"{}-05:00\"]", text.replace("T22", "T17"))));
    }
}

#[test]
fn bodies_have_their_members_in_the_recorded_order() {
    let batch = batch(vec![
        ("ts", DataType::Timestamp, Precision::Milli, Arc::new(TimestampMillisecondArray::from(vec![1_700_000_000_000]))),
        ("j->'k'", DataType::Json, Precision::Milli, Arc::new(StringArray::from(vec!["\"中\""]))),
        ("d\"e", DataType::Decimal(20, 3), Precision::Milli, Arc::new(Decimal128Array::from(vec![1_500]).with_precision_and_scale(20, 3).unwrap())),
    ]);
    assert_eq!(
        encode(&batch, &Options::default()),
        r#"{"code":0,"column_meta":[["ts","TIMESTAMP",8],["j->'k'","JSON",4095],["d\"e","DECIMAL(20,3)",16]],"data":[["2023-11-14T22:13:20.000Z","中","1.500"]],"rows":1}"#
    );
    let objects = Options { row_with_meta: true, ..Options::default() };
    assert!(encode(&batch, &objects).contains(r#""data":[{"ts":"2023-11-14T22:13:20.000Z","j->'k'":"中","d\"e":"1.500"}],"#));
}

#[test]
fn statements_without_rows() {
    let body = |row_with_meta, timing| {
        let mut out = Vec::new();
        affected(2, row_with_meta, timing, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(body(false, None), r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[[2]],"rows":1}"#);
    assert_eq!(body(true, Some(7)), r#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":[{"affected_rows":2}],"rows":1,"timing":7}"#);
}

#[test]
fn an_array_of_the_wrong_type_is_an_error() {
    let wrong: ArrayRef = Arc::new(Int32Array::from(vec![1]));
    let fields = vec![field("c", DataType::Int, Precision::Milli)];
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), vec![wrong]).unwrap();
    let mut encoder = Encoder::new(&Schema::new(vec![field("c", DataType::BigInt, Precision::Milli)]), &Options::default()).unwrap();
    assert!(encoder.rows(&batch, 0..1, &mut Vec::new()).is_err());
    assert!(Encoder::new(&Schema::new(vec![Field::new("c", arrow_schema::DataType::Int32, true)]), &Options::default()).is_err());
}
