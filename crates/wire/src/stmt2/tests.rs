use std::sync::Arc;

use arrow_array::{Array, BinaryArray, BooleanArray, Int32Array, StringArray, TimestampMicrosecondArray};
use arrow_buffer::BooleanBuffer;
use embudo_types::{DataType, Precision};
use proptest::prelude::*;

use super::*;

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn the_documented_payload_is_read_and_written() {
    // spec/protocols.md 3.11: table "t1", one INT column [1, NULL].
    let vector = bytes("400000000100000000000000010000001c000000000000002100000003007431001b0000001b0000000400000002000000000100080000000100000000000000");
    let binds = decode(&vector, Precision::Milli).unwrap();
    assert_eq!(binds[0].name.as_deref(), Some("t1"));
    let column = &binds[0].columns[0];
    assert_eq!(column.data_type, DataType::Int);
    assert_eq!(column.array.as_any().downcast_ref::<Int32Array>().unwrap(), &Int32Array::from(vec![Some(1), None]));
    assert_eq!(encode(&binds).unwrap(), vector);
}

fn table(name: &str) -> TableBind {
    let bound = |data_type, array: ArrayRef, present: Option<Vec<bool>>| BoundColumn { data_type, array, present: present.map(BooleanBuffer::from) };
    TableBind {
        name: Some(name.into()),
        tags: vec![bound(DataType::NChar(6), Arc::new(StringArray::from(vec!["数据"])), None)],
        columns: vec![
            bound(DataType::Timestamp, Arc::new(TimestampMicrosecondArray::from(vec![1, 2, 3])), None),
            bound(DataType::Bool, Arc::new(BooleanArray::from(vec![Some(true), None, Some(false)])), None),
            bound(DataType::Varchar(2), Arc::new(BinaryArray::from(vec![Some(&b"ab"[..]), None, Some(b"")])), Some(vec![true, false, true])),
            bound(DataType::Int, Arc::new(Int32Array::from(vec![None, None, None])), None),
        ],
    }
}

#[test]
fn tables_tags_and_unset_cells_come_back() {
    let sent = [table("a"), table("b")];
    let read = decode(&encode(&sent).unwrap(), Precision::Micro).unwrap();
    assert_eq!(read.len(), 2);
    for (sent, read) in sent.iter().zip(&read) {
        assert_eq!(sent.name, read.name);
        for (sent, read) in sent.tags.iter().chain(&sent.columns).zip(read.tags.iter().chain(&read.columns)) {
            assert_eq!((sent.data_type, &sent.present), (read.data_type, &read.present));
            assert_eq!(sent.array.as_ref(), read.array.as_ref());
        }
    }
}

#[test]
fn columns_come_back() {
    let payload = ColumnPayload { rows: 3, tables: 1, columns: table("a").columns };
    let read = decode_columns(&encode_columns(&payload).unwrap(), Precision::Micro).unwrap();
    assert_eq!((read.rows, read.tables, read.columns.len()), (3, 1, 4));
    assert_eq!(read.columns[2].array.as_ref(), payload.columns[2].array.as_ref());
}

proptest! {
    #[test]
    fn broken_payloads_are_refused(mut payload in Just(encode(&[table("a"), table("b")]).unwrap()), at in 0_usize..400, byte: u8, cut in 0_usize..400) {
        let length = payload.len();
        payload[at % length] = byte;
        payload.truncate(cut.max(1));
        let _ = decode(&payload, Precision::Milli);
        let _ = decode_columns(&payload, Precision::Milli);
    }

    #[test]
    fn any_bytes_are_refused_or_read(payload: Vec<u8>) {
        let _ = decode(&payload, Precision::Milli);
        let _ = decode_columns(&payload, Precision::Milli);
    }
}
