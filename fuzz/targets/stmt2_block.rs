//! Any bytes are bound values of either layout, or an error; what is read is written again and reads as the same tables.
#![no_main]

use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, BinaryArray, Int32Array, StringArray, TimestampMillisecondArray};
use embudo_fuzz::Input;
use embudo_types::{DataType, Precision};
use embudo_wire::stmt2::{self, BoundColumn, ColumnPayload, TableBind};

fn columns(rows: i64) -> Vec<BoundColumn> {
    let arrays: [(DataType, ArrayRef); 4] = [
        (DataType::Timestamp, Arc::new((0..rows).map(Some).collect::<TimestampMillisecondArray>())),
        (DataType::Int, Arc::new((0..rows).map(|row| (row % 2 == 0).then_some(row as i32)).collect::<Int32Array>())),
        (DataType::Varchar(8), Arc::new((0..rows).map(|row| Some(vec![b'a'; row as usize % 8])).collect::<BinaryArray>())),
        (DataType::NChar(8), Arc::new((0..rows).map(|_| Some("é")).collect::<StringArray>())),
    ];
    arrays.into_iter().map(|(data_type, array)| BoundColumn { data_type, array, present: None }).collect()
}

fn examples() -> &'static [Vec<u8>] {
    static EXAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let bind = |name: &str, rows| TableBind { name: Some(name.into()), tags: columns(1), columns: columns(rows) };
        let by_column = ColumnPayload { rows: 3, tables: 1, columns: columns(3) };
        vec![
            stmt2::encode(&[bind("a", 3), bind("b", 1)]).expect("binds"),
            stmt2::encode(&[TableBind { columns: columns(2), ..TableBind::default() }]).expect("binds"),
            stmt2::encode_columns(&by_column).expect("columns"),
        ]
    })
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let bytes = input.bytes(examples());
    if let Ok(binds) = stmt2::decode(&bytes, Precision::Milli) {
        for column in binds.iter().flat_map(|bind| bind.tags.iter().chain(&bind.columns)) {
            column.array.to_data().validate_full().expect("an array that holds together");
        }
        if let Ok(again) = stmt2::encode(&binds) {
            let back = stmt2::decode(&again, Precision::Milli).expect("what was just encoded");
            assert_eq!(back.len(), binds.len());
        }
    }
    if let Ok(payload) = stmt2::decode_columns(&bytes, Precision::Milli) {
        for column in &payload.columns {
            column.array.to_data().validate_full().expect("an array that holds together");
            assert_eq!(column.array.len(), payload.rows);
        }
    }
});
