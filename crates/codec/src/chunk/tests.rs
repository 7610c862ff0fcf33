use arrow_array::{TimestampMillisecondArray, builder::BinaryBuilder};
use arrow_schema::TimeUnit;
use proptest::prelude::*;

use super::*;

/// The types of `embudo_types::arrow::arrow_type`.
fn types() -> Vec<ArrowType> {
    let mut types = vec![ArrowType::Null, ArrowType::Boolean, ArrowType::Int8, ArrowType::Int16, ArrowType::Int32, ArrowType::Int64];
    types.extend([ArrowType::UInt8, ArrowType::UInt16, ArrowType::UInt32, ArrowType::UInt64, ArrowType::Float32, ArrowType::Float64]);
    types.extend([ArrowType::Utf8, ArrowType::Binary, ArrowType::Decimal128(38, 4), ArrowType::Decimal128(18, 2)]);
    types.extend([TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond].map(|unit| ArrowType::Timestamp(unit, None)));
    types
}

/// An array of any type from 128-bit seeds; `None` is NULL.
fn array(data_type: &ArrowType, seeds: &[Option<u128>]) -> ArrayRef {
    let text = |seed: u128| format!("{}é", seed % 1_000_003).repeat((seed % 4) as usize);
    match data_type {
        ArrowType::Null => Arc::new(NullArray::new(seeds.len())),
        ArrowType::Boolean => Arc::new(seeds.iter().map(|seed| seed.map(|seed| seed & 1 == 1)).collect::<BooleanArray>()),
        ArrowType::Utf8 => Arc::new(seeds.iter().map(|seed| seed.map(text)).collect::<StringArray>()),
        ArrowType::Binary => {
            let mut builder = BinaryBuilder::new();
            for seed in seeds {
                builder.append_option(seed.map(|seed| seed.to_le_bytes()[..(seed % 17) as usize].to_vec()));
            }
            Arc::new(builder.finish())
        }
        other => {
            let width = PhysicalType::of(other).unwrap().width();
            let bytes: Vec<u8> = seeds.iter().flat_map(|seed| seed.unwrap_or(0).to_le_bytes()[..width].to_vec()).collect();
            let nulls = seeds.iter().map(Option::is_some).collect::<NullBuffer>();
            let data = ArrayData::builder(other.clone()).len(seeds.len()).add_buffer(Buffer::from_vec(bytes)).nulls(Some(nulls)).align_buffers(true);
            make_array(data.build().unwrap())
        }
    }
}

/// Bits, so that NaN equals itself.
fn bits(array: &ArrayRef) -> ArrayRef {
    let to = match array.data_type() {
        ArrowType::Float32 => ArrowType::UInt32,
        ArrowType::Float64 => ArrowType::UInt64,
        _ => return array.clone(),
    };
    make_array(array.to_data().into_builder().data_type(to).build().unwrap())
}

fn check(array: &ArrayRef, present: Option<&BooleanBuffer>) -> usize {
    let mut bytes = Vec::new();
    let codec = encode_small(array.as_ref(), present, &mut bytes).unwrap();
    check_chunk(array, present, codec, &bytes);
    bytes.clear();
    let codec = encode(array.as_ref(), present, &mut bytes).unwrap();
    check_chunk(array, present, codec, &bytes);
    bytes.len()
}

fn check_chunk(array: &ArrayRef, present: Option<&BooleanBuffer>, codec: Codec, bytes: &[u8]) {
    let expected = |range: Range<usize>| {
        let data = array.slice(range.start, range.len()).to_data();
        let nulls = NullBuffer::union(data.nulls(), present.map(|present| NullBuffer::new(present.slice(range.start, range.len()))).as_ref());
        let array = if array.data_type() == &ArrowType::Null { array.clone() } else { make_array(data.into_builder().nulls(nulls).build().unwrap()) };
        Cells { array: bits(&array), present: present.map(|present| present.slice(range.start, range.len())) }
    };
    let length = array.len();
    for range in [0..length, length / 3..length / 2, length / 2..length, 0..length.min(1), length..length] {
        if array.data_type() == &ArrowType::Null && range.len() != length {
            continue;
        }
        let mut cells = decode_rows(codec.id(), array.data_type(), length, bytes, range.clone()).unwrap();
        assert_eq!(cells.array.data_type(), array.data_type());
        cells.array = bits(&cells.array);
        assert!(cells.same(&expected(range.clone())), "{} {range:?}\n{cells:?}\n{:?}", array.data_type(), expected(range.clone()));
    }
}

#[test]
fn every_type_with_every_state_round_trips() {
    for data_type in types() {
        for rows in [0, 1, 2, 511, 512, 513, 4096] {
            let full: Vec<Option<u128>> = (0..rows).map(|row| Some(row as u128 * 7)).collect();
            let extremes: Vec<Option<u128>> = (0..rows).map(|row| [Some(0), Some(u128::MAX), None, Some(u128::MAX >> 1), Some(1 << 127)][row % 5]).collect();
            let sparse: Vec<Option<u128>> = (0..rows).map(|row| (row % 700 == 3).then_some(row as u128)).collect();
            let none = vec![None; rows];
            for seeds in [full, extremes, sparse, none] {
                let array = array(&data_type, &seeds);
                check(&array, None);
                check(&array, Some(&BooleanBuffer::collect_bool(rows, |row| row % 3 != 1)));
                check(&array, Some(&BooleanBuffer::collect_bool(rows, |row| row < rows / 2)));
                check(&array, Some(&BooleanBuffer::new_unset(rows)));
            }
        }
    }
}

#[test]
fn a_slice_is_encoded_as_its_rows() {
    for data_type in types() {
        let whole = array(&data_type, &(0..2000).map(|row| (row % 11 != 5).then_some(row * row)).collect::<Vec<_>>());
        check(&whole.slice(77, 1200), None);
        check(&whole.slice(77, 1200), Some(&BooleanBuffer::collect_bool(1300, |row| row % 5 > 1).slice(100, 1200)));
    }
}

#[test]
fn regular_times_are_a_sequence() {
    let times: ArrayRef = Arc::new(TimestampMillisecondArray::from_iter_values((0..4096).map(|row| 1_700_000_000_000 + row * 10_000)));
    let mut bytes = Vec::new();
    let codec = encode(times.as_ref(), None, &mut bytes).unwrap();
    assert_eq!(codec, Codec::Sequence);
    assert!(bytes.len() < 12);
    assert_eq!(sequence(codec.id(), &bytes).unwrap(), Some((1_700_000_000_000, 10_000)));
    assert!(check(&times, None) < 12);
    assert!(decode(codec.id(), &ArrowType::Int32, 4096, &bytes).is_err());
}

#[test]
fn an_unknown_codec_is_refused_by_name() {
    let error = decode(4, &ArrowType::Int32, 1, &[0]).unwrap_err();
    assert_eq!(error.code(), code::VERSION_NOT_COMPATIBLE);
    assert!(error.message().contains("codec 4"));
}

#[test]
fn invalid_text_is_an_error() {
    let mut bytes = Vec::new();
    let codec = encode(&BinaryArray::from_vec(vec![b"\xFF\xFE"]), None, &mut bytes).unwrap();
    assert!(decode(codec.id(), &ArrowType::Binary, 1, &bytes).is_ok());
    assert!(decode(codec.id(), &ArrowType::Utf8, 1, &bytes).is_err());
}

fn seeds() -> impl Strategy<Value = Vec<Option<u128>>> {
    (0_u32..128).prop_flat_map(|shift| proptest::collection::vec(proptest::option::weighted(0.9, any::<u128>().prop_map(move |seed| seed >> shift)), 0..1200))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_cells_round_trip(seeds in seeds(), absent in proptest::option::of(any::<u64>())) {
        let present = absent.map(|absent| BooleanBuffer::collect_bool(seeds.len(), |row| absent >> (row % 64) & 1 == 0));
        for data_type in types() {
            check(&array(&data_type, &seeds), present.as_ref());
        }
    }

    #[test]
    fn damaged_chunks_never_panic(seeds in seeds(), at in any::<prop::sample::Index>(), flip in 1_u8.., kind in any::<prop::sample::Index>(), cut: bool, small: bool) {
        let data_type = kind.get(&types()).clone();
        let array = array(&data_type, &seeds);
        let mut bytes = Vec::new();
        let codec = if small { encode_small(array.as_ref(), None, &mut bytes) } else { encode(array.as_ref(), None, &mut bytes) }.unwrap();
        if !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            if cut {
                bytes.truncate(at);
            }
        }
        let _ = decode(codec.id(), &data_type, seeds.len(), &bytes);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), rows in 0_usize..2000, codec in 0_u8..6) {
        for data_type in types() {
            let _ = decode(codec, &data_type, rows, &bytes);
        }
    }
}

#[test]
fn rewrites_pack_walks_smaller() {
    let mut seed = 1_u64;
    let mut value = 50_i64;
    let walk: ArrayRef = Arc::new(arrow_array::Int64Array::from_iter_values((0..4096).map(|_| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        value = (value + [0, 0, 0, 1, -1, 1, -1, 2, -2, 0][(seed >> 40) as usize % 10]).clamp(0, 100);
        value
    })));
    let (mut fast, mut small) = (Vec::new(), Vec::new());
    encode(walk.as_ref(), None, &mut fast).unwrap();
    assert_eq!(encode_small(walk.as_ref(), None, &mut small).unwrap(), Codec::Pco);
    assert!(small.len() * 10 < fast.len() * 9, "{} against {}", small.len(), fast.len());
    check(&walk, None);
}
