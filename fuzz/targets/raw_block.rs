//! Any bytes are a raw block or an error; a block that is read is written again to the same rows.
#![no_main]

use std::sync::{Arc, OnceLock};

use arrow_array::{ArrayRef, BinaryArray, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray};
use arrow_schema::Schema;
use embudo_fuzz::Input;
use embudo_types::{DataType, Precision, arrow::field};
use embudo_wire::raw_block;

fn examples() -> &'static [Vec<u8>] {
    static EXAMPLES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    EXAMPLES.get_or_init(|| {
        let fields = [
            ("ts", DataType::Timestamp),
            ("b", DataType::Bool),
            ("i", DataType::Int),
            ("d", DataType::Double),
            ("v", DataType::Varchar(20)),
            ("n", DataType::NChar(20)),
        ];
        let schema = Arc::new(Schema::new(fields.map(|(name, data_type)| field(name, data_type, Precision::Milli)).to_vec()));
        [0, 1, 9]
            .map(|rows: i64| {
                let some = |row: i64| row % 3 != 1;
                let arrays: Vec<ArrayRef> = vec![
                    Arc::new((0..rows).map(Some).collect::<TimestampMillisecondArray>()),
                    Arc::new((0..rows).map(|row| some(row).then_some(row % 2 == 0)).collect::<BooleanArray>()),
                    Arc::new((0..rows).map(|row| some(row).then_some(row as i32)).collect::<Int32Array>()),
                    Arc::new((0..rows).map(|row| Some(row as f64)).collect::<Float64Array>()),
                    Arc::new((0..rows).map(|row| some(row).then(|| vec![b'x'; row as usize])).collect::<BinaryArray>()),
                    Arc::new((0..rows).map(|row| some(row).then(|| "é😀".repeat(row as usize % 3))).collect::<StringArray>()),
                ];
                let batch = RecordBatch::try_new(Arc::clone(&schema), arrays).expect("arrays of the fields");
                let mut bytes = Vec::new();
                raw_block::encode(&batch, raw_block::FETCH_VERSION, &mut bytes).expect("a block");
                bytes
            })
            .to_vec()
    })
}

libfuzzer_sys::fuzz_target!(|input: Input<'_>| {
    let bytes = input.bytes(examples());
    let Ok(block) = raw_block::decode(&bytes, Precision::Milli) else { return };
    assert!(block.used <= bytes.len());
    for (_, array) in &block.columns {
        array.to_data().validate_full().expect("an array that holds together");
        assert_eq!(array.len(), block.rows);
    }
    let fields: Vec<_> = block.columns.iter().map(|(data_type, _)| field("c", *data_type, Precision::Milli)).collect();
    let arrays = block.columns.iter().map(|(_, array)| Arc::clone(array)).collect();
    // A block may have no columns, or name types in ways that no result has.
    let Ok(batch) = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays) else { return };
    let mut again = Vec::new();
    if raw_block::encode(&batch, raw_block::FETCH_VERSION, &mut again).is_ok() {
        let back = raw_block::decode(&again, Precision::Milli).expect("what was just encoded");
        assert_eq!(back.rows, block.rows);
    }
});
