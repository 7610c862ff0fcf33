//! Any bytes are cells or an error; cells encode, small or fast, to bytes that give them back.
#![no_main]

use arrow_schema::{DataType, TimeUnit};

libfuzzer_sys::fuzz_target!(|input: (u8, u8, u16, &[u8])| {
    let (kind, codec, rows, bytes) = input;
    let types = [
        DataType::Boolean,
        DataType::Int8,
        DataType::UInt16,
        DataType::Int32,
        DataType::Int64,
        DataType::UInt64,
        DataType::Float32,
        DataType::Float64,
        DataType::Timestamp(TimeUnit::Nanosecond, None),
        DataType::Decimal128(38, 4),
        DataType::Binary,
        DataType::Utf8,
    ];
    let data_type = &types[usize::from(kind) % types.len()];
    let rows = usize::from(rows) % 4097;
    let Ok(cells) = embudo_codec::decode(codec % 8, data_type, rows, bytes) else { return };
    cells.array.to_data().validate_full().expect("an array that holds together");
    assert_eq!(cells.array.len(), rows);
    for encode in [embudo_codec::encode, embudo_codec::encode_small] {
        let mut again = Vec::new();
        let codec = encode(cells.array.as_ref(), cells.present.as_ref(), &mut again).expect("cells that were decoded");
        let back = embudo_codec::decode(codec.id(), data_type, rows, &again).expect("what was just encoded");
        // NaN is not equal to itself: floats only have to come back at all.
        assert!(data_type.is_floating() || back.same(&cells));
    }
});
