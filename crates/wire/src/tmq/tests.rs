//! Recorded bodies and events are read, and written again byte for byte; whatever else there may be comes back; any bytes are an error or a
//! message.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, Int32Array, RecordBatch, TimestampMicrosecondArray, cast::AsArray};
use arrow_schema::Schema;
use embudo_types::{
    DataType, Precision, Value,
    arrow::field,
    subscription::{Message, MessageKind, MetaColumn, MetaEvent, MetaTag, SubscribedBlock, TableChange, TableKind},
};
use proptest::prelude::*;

use super::{RawMessage, body, decode_message, encode_message, meta_json, meta_raw, raw_type};

fn bytes_of(hex: &str) -> Vec<u8> {
    hex.trim().as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

const QUERY_TOPIC: &str = include_str!("recorded/query_topic.hex");
const DATABASE_TOPIC: &str = include_str!("recorded/database_topic.hex");

#[test]
fn recorded_bodies_are_read_and_written_again() {
    for (name, hex, tables) in [("query", QUERY_TOPIC, [None, None]), ("database", DATABASE_TOPIC, [Some("c1"), Some("c2")])] {
        let recorded = bytes_of(hex);
        let read = body::decode(&recorded, false).unwrap();
        assert_eq!(read.blocks.iter().map(|block| block.table.as_deref()).collect::<Vec<_>>(), tables, "{name}");
        assert_eq!(read.blocks.iter().map(|block| block.batch.num_rows()).collect::<Vec<_>>(), [2, 1], "{name}");
        let mut again = Vec::new();
        body::encode(read.head, &read.blocks, None, &mut again).unwrap();
        assert_eq!(again, recorded, "{name}");
    }
    let database = body::decode(&bytes_of(DATABASE_TOPIC), false).unwrap();
    assert_eq!((database.head.begin, database.head.end), (4, 6));
    let batch = &database.blocks[0].batch;
    assert_eq!(batch.schema().fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(), ["ts", "v", "s"]);
    assert_eq!(batch.column(1).as_primitive::<arrow_array::types::Int32Type>().iter().collect::<Vec<_>>(), [Some(1), None]);
    assert_eq!(batch.column(2).as_binary::<i32>().iter().collect::<Vec<_>>(), [Some(&b"a"[..]), None]);
}

#[test]
fn offsets_in_the_old_form_are_read() {
    let recorded = bytes_of(DATABASE_TOPIC);
    // Without the length in front, and in the encoding before the present one.
    let mut old = Vec::new();
    for offset in [4_i64, 6] {
        old.push(1);
        old.extend_from_slice(&offset.to_le_bytes());
    }
    old.extend_from_slice(&recorded[23..]);
    let read = body::decode(&old, false).unwrap();
    assert_eq!((read.head.begin, read.head.end, read.blocks.len()), (4, 6, 2));
    // A place that is not known has no bytes behind its kind.
    let mut reset = vec![0xff, 1];
    reset.extend_from_slice(&6_i64.to_le_bytes());
    reset.extend_from_slice(&recorded[23..]);
    let read = body::decode(&reset, false).unwrap();
    assert_eq!((read.head.begin, read.head.end, read.blocks.len()), (0, 6, 2));
}

#[test]
fn recorded_events_are_read_and_written_again() {
    for line in include_str!("recorded/events.jsonl").lines() {
        let events = meta_json::decode(&serde_json::from_str(line).unwrap()).unwrap();
        assert_eq!(meta_json::encode(&events, false), line);
        let list = meta_json::encode(&events, true);
        assert_eq!(list, format!("{{\"tmq_meta_version\":\"1.0\",\"metas\":[{line}]}}"));
        assert_eq!(meta_json::decode(&serde_json::from_str(&list).unwrap()).unwrap(), events);
        let mut raw = Vec::new();
        meta_raw::encode(&events, &mut raw);
        assert_eq!(meta_raw::decode(&raw).unwrap(), events);
    }
}

fn child(name: &str) -> MetaEvent {
    let tag = |name: &str, data_type, value| MetaTag { name: name.into(), data_type, value };
    let tags = vec![
        tag("a", DataType::Varchar(9), Value::Varchar(b"x \"y\"".to_vec())),
        tag("b", DataType::NChar(9), Value::NChar("涛".into())),
        tag("c", DataType::Bool, Value::Bool(true)),
        tag("d", DataType::Double, Value::Double(3.0)),
        tag("e", DataType::Float, Value::Float(1.1)),
        tag("f", DataType::VarBinary(4), Value::VarBinary(vec![0, 255])),
        tag("g", DataType::Int, Value::Null),
        tag("h", DataType::UBigInt, Value::UBigInt(u64::MAX)),
    ];
    MetaEvent::CreateChild { table: name.into(), supertable: "st".into(), tags, ttl: 0, comment: None }
}

#[test]
fn children_of_one_statement_are_one_object() {
    let values = "\"tags\":[{\"name\":\"a\",\"type\":8,\"value\":\"\\\"x \\\"y\\\"\\\"\"},{\"name\":\"b\",\"type\":10,\"value\":\"\\\"涛\\\"\"},\
        {\"name\":\"c\",\"type\":1,\"value\":1},{\"name\":\"d\",\"type\":7,\"value\":3},{\"name\":\"e\",\"type\":6,\"value\":1.100000023841858},\
        {\"name\":\"f\",\"type\":16,\"value\":\"\\\"\\\\x00FF\\\"\"},{\"name\":\"h\",\"type\":14,\"value\":18446744073709551615}]";
    let member = |name: &str| format!("\"tableName\":\"{name}\",\"using\":\"st\",\"tagNum\":8,{values}");
    let want = format!("{{\"type\":\"create\",\"tableType\":\"child\",{},\"createList\":[{{{}}},{{{}}}]}}", member("c1"), member("c1"), member("c2"));
    let events = [child("c1"), child("c2")];
    assert_eq!(meta_json::encode(&events, false), want);
    let read = meta_json::decode(&serde_json::from_str(&want).unwrap()).unwrap();
    assert_eq!(read.len(), 2);
    let MetaEvent::CreateChild { tags, .. } = &read[1] else { panic!("{read:?}") };
    assert_eq!((&tags[0].value, &tags[4].value), (&Value::Varchar(b"x \"y\"".to_vec()), &Value::Float(1.1)));
    // Tables that are dropped too; a supertable is an object of its own.
    let drop = |table: &str, kind| MetaEvent::Drop { table: table.into(), kind };
    let dropped = [drop("c1", TableKind::Child), drop("n", TableKind::Normal), drop("st", TableKind::Super)];
    let list = "{\"tmq_meta_version\":\"1.0\",\"metas\":[{\"type\":\"drop\",\"tableNameList\":[\"c1\",\"n\"]},{\"type\":\"drop\",\"tableType\":\"super\",\"tableName\":\"st\"}]}";
    assert_eq!(meta_json::encode(&dropped, false), list);
}

#[test]
fn a_message_that_makes_tables_carries_them() {
    let batch = rows(&[Some(1), None], Some(b"text"));
    let message = Message {
        topic: "t".into(),
        database: "d".into(),
        vgroup: 2,
        start: 5,
        next: 9,
        kind: MessageKind::DataAndMeta,
        blocks: vec![SubscribedBlock { table: Some("c1".into()), schema_version: 3, batch: batch.clone() }],
        meta: vec![child("c1"), child("c2")],
    };
    let mut out = Vec::new();
    assert_eq!(encode_message(&message, true, &mut out).unwrap(), raw_type::DATA_AND_META);
    let (events, body) = decode_message(RawMessage { raw_type: raw_type::DATA_AND_META, body: &out }).unwrap();
    assert_eq!(events, message.meta);
    assert_eq!((body.blocks[0].table.as_deref(), body.blocks[0].schema_version, &body.blocks[0].batch), (Some("c1"), 3, &batch));
}

fn rows(numbers: &[Option<i32>], text: Option<&[u8]>) -> RecordBatch {
    let times = TimestampMicrosecondArray::from_iter_values((0..numbers.len()).map(|at| at as i64));
    let columns: [(&str, DataType, ArrayRef); 3] = [
        ("ts", DataType::Timestamp, Arc::new(times)),
        ("v", DataType::Int, Arc::new(Int32Array::from(numbers.to_vec()))),
        ("s", DataType::Varchar(20_000), Arc::new(BinaryArray::from_opt_vec(vec![text; numbers.len()]))),
    ];
    let fields: Vec<_> = columns.iter().map(|(name, data_type, _)| field(name, *data_type, Precision::Micro)).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns.into_iter().map(|column| column.2).collect()).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    "[a-z]{1,9}|涛|a b|`"
}

fn data_type() -> impl Strategy<Value = DataType> {
    prop_oneof![
        Just(DataType::Timestamp),
        Just(DataType::Int),
        Just(DataType::Json),
        (1_u32..60_000).prop_map(DataType::Varchar),
        (1_u32..16_000).prop_map(DataType::NChar),
        (1_u8..39, 0_u8..1).prop_map(|(precision, scale)| DataType::Decimal(precision, scale)),
    ]
}

fn column() -> impl Strategy<Value = MetaColumn> {
    (name(), data_type(), any::<bool>()).prop_map(|(name, data_type, primary_key)| MetaColumn {
        name,
        data_type,
        primary_key,
        encode: "simple8b",
        compress: "zstd",
        level: "low",
    })
}

fn tag() -> impl Strategy<Value = MetaTag> {
    let value = prop_oneof![
        Just((DataType::Int, Value::Null)),
        any::<i64>().prop_map(|value| (DataType::BigInt, Value::BigInt(value))),
        any::<u64>().prop_map(|value| (DataType::UBigInt, Value::UBigInt(value))),
        (-1e30_f32..1e30).prop_map(|value| (DataType::Float, Value::Float(value))),
        (-1e300_f64..1e300).prop_map(|value| (DataType::Double, Value::Double(value))),
        any::<Vec<u8>>().prop_map(|value| (DataType::VarBinary(900), Value::VarBinary(value))),
        any::<String>().prop_map(|value| (DataType::NChar(900), Value::NChar(value))),
        any::<i64>().prop_map(|value| (DataType::Timestamp, Value::Timestamp(value))),
    ];
    (name(), value).prop_map(|(name, (data_type, value))| MetaTag { name, data_type, value })
}

fn change() -> impl Strategy<Value = TableChange> {
    let renamed = || (name(), name());
    prop_oneof![
        column().prop_map(TableChange::AddColumn),
        name().prop_map(TableChange::DropColumn),
        column().prop_map(TableChange::ModifyColumn),
        renamed().prop_map(|(from, to)| TableChange::RenameColumn { from, to }),
        column().prop_map(TableChange::SetCompression),
        column().prop_map(TableChange::AddTag),
        name().prop_map(TableChange::DropTag),
        column().prop_map(TableChange::ModifyTag),
        renamed().prop_map(|(from, to)| TableChange::RenameTag { from, to }),
        tag().prop_map(TableChange::SetTag),
        (any::<u32>(), proptest::option::of(name())).prop_map(|(ttl, comment)| TableChange::SetOptions { ttl, comment }),
        name().prop_map(TableChange::AddTagIndex),
        name().prop_map(TableChange::DropTagIndex),
    ]
}

fn event() -> impl Strategy<Value = MetaEvent> {
    let kind = || prop_oneof![Just(TableKind::Super), Just(TableKind::Child), Just(TableKind::Normal)];
    let columns = || proptest::collection::vec(column(), 1..4);
    let options = || (any::<u32>(), proptest::option::of(name()));
    prop_oneof![
        (name(), any::<u32>(), columns(), columns(), options())
            .prop_map(|(table, schema_version, columns, tags, (_, comment))| { MetaEvent::CreateSuper { table, schema_version, columns, tags, comment } }),
        (name(), any::<u32>(), columns(), options())
            .prop_map(|(table, schema_version, columns, (ttl, comment))| { MetaEvent::CreateNormal { table, schema_version, columns, ttl, comment } }),
        (name(), name(), proptest::collection::vec(tag(), 0..4), options()).prop_map(|(table, supertable, tags, (ttl, comment))| MetaEvent::CreateChild {
            table,
            supertable,
            tags,
            ttl,
            comment
        }),
        (name(), kind(), change()).prop_map(|(table, kind, change)| {
            let kind = if matches!(change, TableChange::SetTag(_)) { TableKind::Child } else { kind };
            MetaEvent::Alter { table, kind, change }
        }),
        (name(), kind()).prop_map(|(table, kind)| MetaEvent::Drop { table, kind }),
        (name(), name(), any::<i64>(), any::<i64>()).prop_map(|(table, column, start, end)| MetaEvent::Delete { table, column, start, end }),
    ]
}

proptest! {
    #[test]
    fn events_come_back_from_bytes(events in proptest::collection::vec(event(), 0..5)) {
        let mut out = Vec::new();
        meta_raw::encode(&events, &mut out);
        prop_assert_eq!(meta_raw::decode(&out).unwrap(), events);
        for cut in 0..out.len() {
            prop_assert!(meta_raw::decode(&out[..cut]).is_err());
        }
    }

    #[test]
    fn events_come_back_from_json(mut events in proptest::collection::vec(event(), 1..5), in_list in any::<bool>()) {
        for event in &mut events {
            // Of tags without a value JSON tells only how many there are.
            if let MetaEvent::CreateChild { tags, .. } = event {
                tags.retain(|tag| !tag.value.is_null());
            }
        }
        let json = meta_json::encode(&events, in_list);
        let read = meta_json::decode(&serde_json::from_str(&json).unwrap()).unwrap();
        // What JSON tells is all there.
        prop_assert_eq!(meta_json::encode(&read, in_list), json);
    }

    #[test]
    fn bodies_come_back(
        blocks in proptest::collection::vec((proptest::collection::vec(proptest::option::of(any::<i32>()), 1..40), 0_usize..500, name()), 0..4),
        begin in any::<i64>(),
        end in any::<i64>(),
        with_table_names in any::<bool>(),
    ) {
        let text = vec![b'x'; 500];
        let blocks: Vec<_> = blocks
            .into_iter()
            .map(|(numbers, length, table)| SubscribedBlock {
                table: with_table_names.then_some(table),
                schema_version: length as u32 + 1,
                batch: rows(&numbers, Some(&text[..length])),
            })
            .collect();
        let mut out = Vec::new();
        let head = body::BodyHead { begin, end, with_table_names };
        body::encode(head, &blocks, None, &mut out).unwrap();
        let read = body::decode(&out, false).unwrap();
        prop_assert_eq!(read.head, head);
        prop_assert_eq!(read.blocks.len(), blocks.len());
        for (read, want) in read.blocks.iter().zip(&blocks) {
            prop_assert_eq!((&read.table, read.schema_version, &read.batch), (&want.table, want.schema_version, &want.batch));
        }
    }

    #[test]
    fn any_bytes_are_an_error_or_a_message(
        flips in proptest::collection::vec((0_usize..364, any::<u8>()), 1..6),
        cut in 0_usize..364,
        raw_type in prop_oneof![Just(2_u16), Just(4), Just(515), any::<u16>()],
    ) {
        let mut bytes = bytes_of(QUERY_TOPIC);
        for (at, byte) in flips {
            bytes[at % 364] = byte;
        }
        let _ = decode_message(RawMessage { raw_type, body: &bytes });
        bytes.truncate(cut);
        let _ = decode_message(RawMessage { raw_type, body: &bytes });
        let mut events = b"EMB\x01".to_vec();
        events.extend_from_slice(&bytes);
        let _ = meta_raw::decode(&events);
    }
}
