//! A chunk: one column of a block, in pages of 512 rows, each with its cells' states and its values.
//!
//! A page holds the values of those cells that have one; the states say where they belong.

use std::{ops::Range, sync::Arc};

use ::pco::wrapped::ChunkDecompressor;
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, NullArray, StringArray,
    cast::AsArray,
    make_array,
    types::{ByteArrayType, Decimal128Type},
};
use arrow_buffer::{BooleanBuffer, BooleanBufferBuilder, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_data::ArrayData;
use arrow_schema::DataType as ArrowType;
use embudo_types::{Error, Result, code};

use crate::{
    MAX_CHUNK_BYTES, PAGE_ROWS, PhysicalType, bitmap,
    bytes::{self, Strings},
    float, integer, pco,
    reader::{Reader, write_signed, write_varint},
};

/// How a chunk's bytes are to be read. The numbers stand in files; 4 (zstd) and 5 (dictionary of a whole chunk) are kept for
/// compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Codec {
    /// Lengths of the pages, then the pages.
    Pages = 1,
    /// First value and step of an integer column without NULL or absent cells.
    Sequence = 2,
    /// Length of pco's statistics, those, lengths of the pages, the pages: numbers only.
    Pco = 3,
}

impl Codec {
    /// The number in files.
    pub fn id(self) -> u8 {
        self as u8
    }

    /// The codec of a number in a file; one of a later version is an error that says so.
    pub fn from_id(id: u8) -> Result<Self> {
        match id {
            1 => Ok(Self::Pages),
            2 => Ok(Self::Sequence),
            3 => Ok(Self::Pco),
            other => Err(Error::with(code::VERSION_NOT_COMPATIBLE, format!("Version not compatible: codec {other} is not known to this version"))),
        }
    }
}

/// Cells of a column: an absent one is also NULL in the array.
#[derive(Clone, Debug)]
pub struct Cells {
    /// Values and NULLs.
    pub array: ArrayRef,
    /// Cells that are present; `None`: all.
    pub present: Option<BooleanBuffer>,
}

impl Cells {
    /// Whether each cell has a value, is NULL or is absent just as in `other`, and every value is equal.
    pub fn same(&self, other: &Self) -> bool {
        let all = BooleanBuffer::new_set(self.array.len());
        self.array.as_ref() == other.array.as_ref() && self.present.as_ref().unwrap_or(&all) == other.present.as_ref().unwrap_or(&all)
    }
}

fn pages(rows: usize) -> impl Iterator<Item = Range<usize>> {
    (0..rows).step_by(PAGE_ROWS).map(move |start| start..rows.min(start + PAGE_ROWS))
}

/// Appends the chunk of a column to `out` and says how it is encoded. `present` marks cells that are not absent.
///
/// Fails if variable-length values exceed [`MAX_CHUNK_BYTES`] or the type is not of `embudo_types::arrow::arrow_type`.
pub fn encode(array: &dyn Array, present: Option<&BooleanBuffer>, out: &mut Vec<u8>) -> Result<Codec> {
    let physical = PhysicalType::of(array.data_type())?;
    let valid = match (array.logical_nulls(), present) {
        (None, None) => None,
        (Some(nulls), None) => Some(nulls.into_inner()),
        (None, Some(present)) => Some(present.clone()),
        (Some(nulls), Some(present)) => Some(nulls.inner() & present),
    };
    if physical == PhysicalType::Int64 && valid.as_ref().is_none_or(|valid| valid.count_set_bits() == valid.len()) {
        let values: ScalarBuffer<i64> = words(array);
        if let Some(step) = step(&values) {
            write_signed(out, values[0]);
            write_signed(out, step);
            return Ok(Codec::Sequence);
        }
    }
    let states = States { valid: valid.as_ref(), present };
    macro_rules! integers {
        ($word:ty, $signed:literal) => {{
            let values: ScalarBuffer<$word> = words(array);
            write_pages(array.len(), &states, out, |rows, out| {
                with_values(&values, states.valid, rows, |values| integer::encode::<$word>(values, $signed, out));
            });
        }};
    }
    macro_rules! floats {
        ($float:ty) => {{
            let values: ScalarBuffer<$float> = words(array);
            write_pages(array.len(), &states, out, |rows, out| with_values(&values, states.valid, rows, |values| float::encode::<$float>(values, out)));
        }};
    }
    match physical {
        PhysicalType::Null => write_pages(array.len(), &states, out, |_, _| ()),
        PhysicalType::Boolean => {
            let values = array.as_boolean().values();
            write_pages(array.len(), &states, out, |rows, out| write_booleans(values, states.valid, rows, out));
        }
        PhysicalType::Int8 => integers!(u8, true),
        PhysicalType::Int16 => integers!(u16, true),
        PhysicalType::Int32 => integers!(u32, true),
        PhysicalType::Int64 => integers!(u64, true),
        PhysicalType::UInt8 => integers!(u8, false),
        PhysicalType::UInt16 => integers!(u16, false),
        PhysicalType::UInt32 => integers!(u32, false),
        PhysicalType::UInt64 => integers!(u64, false),
        PhysicalType::Float32 => floats!(f32),
        PhysicalType::Float64 => floats!(f64),
        PhysicalType::Decimal128 => {
            let values = array.as_primitive::<Decimal128Type>().values();
            write_pages(array.len(), &states, out, |rows, out| with_values(values, states.valid, rows, |values| write_decimals(values, out)));
        }
        PhysicalType::Binary => write_strings(array.as_binary::<i32>(), &states, out)?,
        PhysicalType::Utf8 => write_strings(array.as_string::<i32>(), &states, out)?,
    }
    Ok(Codec::Pages)
}

/// Like [`encode`], but takes its time to make the chunk small: for rewrites.
pub fn encode_small(array: &dyn Array, present: Option<&BooleanBuffer>, out: &mut Vec<u8>) -> Result<Codec> {
    let start = out.len();
    let codec = encode(array, present, out)?;
    let physical = PhysicalType::of(array.data_type())?;
    if codec == Codec::Sequence || physical.width() == 0 {
        return Ok(codec);
    }
    let valid = NullBuffer::union(array.logical_nulls().as_ref(), present.map(|present| NullBuffer::new(present.clone())).as_ref());
    let states = States { valid: valid.as_ref().map(NullBuffer::inner), present };
    let mut packed = Vec::new();
    let is_packed = match physical {
        PhysicalType::Int8 => write_packed::<u8>(array, &states, true, &mut packed)?,
        PhysicalType::Int16 => write_packed::<u16>(array, &states, true, &mut packed)?,
        PhysicalType::Int32 => write_packed::<u32>(array, &states, true, &mut packed)?,
        PhysicalType::Int64 => write_packed::<u64>(array, &states, true, &mut packed)?,
        PhysicalType::UInt8 => write_packed::<u8>(array, &states, false, &mut packed)?,
        PhysicalType::UInt16 => write_packed::<u16>(array, &states, false, &mut packed)?,
        PhysicalType::UInt32 => write_packed::<u32>(array, &states, false, &mut packed)?,
        PhysicalType::UInt64 => write_packed::<u64>(array, &states, false, &mut packed)?,
        PhysicalType::Float32 => write_packed::<f32>(array, &states, false, &mut packed)?,
        PhysicalType::Float64 => write_packed::<f64>(array, &states, false, &mut packed)?,
        _ => false,
    };
    // Own pages unpack several times as fast: what replaces them has to be worth it.
    if is_packed && packed.len() < (out.len() - start) / 16 * 15 {
        out.truncate(start);
        out.append(&mut packed);
        return Ok(Codec::Pco);
    }
    Ok(codec)
}

/// Appends the column as a chunk of pco pages; false and nothing if it has few values.
fn write_packed<T: pco::Packed + arrow_buffer::ArrowNativeType>(array: &dyn Array, states: &States<'_>, signed: bool, out: &mut Vec<u8>) -> Result<bool> {
    let values: ScalarBuffer<T> = words(array);
    let mut dense: Vec<Vec<T>> = Vec::new();
    for page in pages(array.len()) {
        with_values(&values, states.valid, page, |values| dense.push(values.to_vec()));
    }
    dense.retain(|page| !page.is_empty());
    if dense.iter().map(Vec::len).sum::<usize>() < pco::WORTH_PACKING {
        return Ok(false);
    }
    let packed = pco::pack(&dense, signed)?;
    write_varint(out, packed.statistics.len() as u64);
    out.extend_from_slice(&packed.statistics);
    let mut bodies = packed.pages.into_iter();
    write_pages(array.len(), states, out, |_, out| out.extend(bodies.next().unwrap_or_default()));
    Ok(true)
}

/// The values of a fixed-width array seen as words of the same width.
fn words<T: arrow_buffer::ArrowNativeType>(array: &dyn Array) -> ScalarBuffer<T> {
    let data = array.to_data();
    ScalarBuffer::new(data.buffers()[0].clone(), data.offset(), data.len())
}

fn step(values: &[i64]) -> Option<i64> {
    let step = match values {
        [] => return None,
        [_] => 0,
        [first, second, ..] => second.wrapping_sub(*first),
    };
    let (pairs, tail) = (values.chunks_exact(64), values.len() / 64 * 64);
    let mut previous = values[0].wrapping_sub(step);
    for block in pairs.chain(std::iter::once(&values[tail..])) {
        let mut differs = false;
        for value in block {
            differs |= value.wrapping_sub(previous) != step;
            previous = *value;
        }
        if differs {
            return None;
        }
    }
    Some(step)
}

struct States<'a> {
    valid: Option<&'a BooleanBuffer>,
    present: Option<&'a BooleanBuffer>,
}

/// Appends the lengths of the pages and the pages; `values` appends the values of the rows of one that has any.
fn write_pages(rows: usize, states: &States<'_>, out: &mut Vec<u8>, mut values: impl FnMut(Range<usize>, &mut Vec<u8>)) {
    let mut body = Vec::new();
    for page in pages(rows) {
        let start = body.len();
        let (present, _) = bitmap::kind(states.present, &page);
        let (valid, count) = bitmap::kind(states.valid, &page);
        body.push(valid | present << 2);
        if let (bitmap::SOME, Some(bits)) = (present, states.present) {
            bitmap::write(bits, &page, &mut body);
        }
        if let (bitmap::SOME, Some(bits)) = (valid, states.valid) {
            bitmap::write(bits, &page, &mut body);
        }
        if count > 0 {
            values(page, &mut body);
        }
        write_varint(out, (body.len() - start) as u64);
    }
    out.append(&mut body);
}

/// Calls `use_values` with the values of those rows that have one.
fn with_values<T: Copy + Default>(values: &[T], valid: Option<&BooleanBuffer>, rows: Range<usize>, use_values: impl FnOnce(&[T])) {
    match valid {
        Some(valid) if bitmap::kind(Some(valid), &rows).0 != bitmap::ALL => {
            let mut scratch = [T::default(); PAGE_ROWS];
            let mut count = 0;
            for index in valid.slice(rows.start, rows.len()).set_indices() {
                scratch[count] = values[rows.start + index];
                count += 1;
            }
            use_values(&scratch[..count]);
        }
        _ => use_values(&values[rows]),
    }
}

fn write_booleans(values: &BooleanBuffer, valid: Option<&BooleanBuffer>, rows: Range<usize>, out: &mut Vec<u8>) {
    let gathered =
        valid.map(|valid| valid.slice(rows.start, rows.len()).set_indices().map(|index| values.value(rows.start + index)).collect::<BooleanBuffer>());
    let (bits, range) = match &gathered {
        Some(gathered) => (gathered, 0..gathered.len()),
        None => (values, rows),
    };
    let (kind, _) = bitmap::kind(Some(bits), &range);
    out.push(kind);
    if kind == bitmap::SOME {
        bitmap::write(bits, &range, out);
    }
}

/// A page of decimals that fit 64 bits is a page of those.
const NARROW: u8 = 1;
const WIDE: u8 = 0;

fn write_decimals(values: &[i128], out: &mut Vec<u8>) {
    let narrow: Vec<u64> = values.iter().map_while(|value| i64::try_from(*value).ok()).map(|value| value as u64).collect();
    if narrow.len() == values.len() {
        out.push(NARROW);
        return integer::encode(&narrow, true, out);
    }
    out.push(WIDE);
    integer::encode(&values.iter().map(|value| *value as u64).collect::<Vec<_>>(), false, out);
    integer::encode(&values.iter().map(|value| (*value >> 64) as u64).collect::<Vec<_>>(), true, out);
}

fn write_strings<T: ByteArrayType<Offset = i32>>(array: &arrow_array::GenericByteArray<T>, states: &States<'_>, out: &mut Vec<u8>) -> Result<()>
where
    T::Native: AsRef<[u8]>,
{
    let offsets = array.value_offsets();
    let total = offsets[offsets.len() - 1] - offsets[0];
    if total as usize > MAX_CHUNK_BYTES {
        return Err(Error::with(code::OUT_OF_RANGE, format!("{total} bytes of strings in one column chunk")));
    }
    write_pages(array.len(), states, out, |rows, out| {
        let values: Vec<&[u8]> = match states.valid {
            Some(valid) => rows.filter(|row| valid.value(*row)).map(|row| array.value(row).as_ref()).collect(),
            None => rows.map(|row| array.value(row).as_ref()).collect(),
        };
        bytes::encode(&values, out);
    });
    Ok(())
}

/// First value and step of a chunk whose values are `first + row * step`, so that a row is found without decoding.
pub fn sequence(codec: u8, bytes: &[u8]) -> Result<Option<(i64, i64)>> {
    if codec != Codec::Sequence.id() {
        return Ok(None);
    }
    let mut reader = Reader::new(bytes);
    let found = (reader.signed()?, reader.signed()?);
    reader.end()?;
    Ok(Some(found))
}

/// The cells of a whole chunk of `rows` rows.
pub fn decode(codec: u8, data_type: &ArrowType, rows: usize, bytes: &[u8]) -> Result<Cells> {
    decode_rows(codec, data_type, rows, bytes, 0..rows)
}

/// The cells of `wanted` rows of a chunk of `rows` rows; only the pages that hold them are decoded.
pub fn decode_rows(codec: u8, data_type: &ArrowType, rows: usize, bytes: &[u8], wanted: Range<usize>) -> Result<Cells> {
    let physical = PhysicalType::of(data_type)?;
    if wanted.start > wanted.end || wanted.end > rows {
        return Err(Error::internal(format!("rows {wanted:?} of a chunk of {rows}")));
    }
    let codec = Codec::from_id(codec)?;
    if codec == Codec::Sequence {
        return decode_sequence(data_type, physical, bytes, wanted);
    }
    let mut reader = Reader::new(bytes);
    let packing = if codec == Codec::Pco {
        let length = reader.length(reader.remaining())?;
        Packing::of(physical, reader.take(length)?)?
    } else {
        Packing::Own
    };
    let mut lengths = Vec::new();
    for _ in pages(rows) {
        lengths.push(reader.length(bytes.len())?);
    }
    let mut decoder = Decoder::new(physical, packing, wanted.len().next_multiple_of(PAGE_ROWS));
    let first_page = wanted.start / PAGE_ROWS;
    for (page, length) in pages(rows).zip(lengths) {
        let body = reader.take(length)?;
        if !wanted.is_empty() && page.start < wanted.end && page.end > wanted.start {
            let mut body = Reader::new(body);
            decoder.page(&mut body, page.len())?;
            body.end()?;
        }
    }
    reader.end()?;
    let cells = decoder.finish(data_type)?;
    let start = if wanted.is_empty() { 0 } else { wanted.start - first_page * PAGE_ROWS };
    if start == 0 && cells.array.len() == wanted.len() {
        return Ok(cells);
    }
    Ok(Cells { array: cells.array.slice(start, wanted.len()), present: cells.present.map(|present| present.slice(start, wanted.len())) })
}

fn decode_sequence(data_type: &ArrowType, physical: PhysicalType, bytes: &[u8], wanted: Range<usize>) -> Result<Cells> {
    let Some((first, step)) = sequence(Codec::Sequence.id(), bytes)? else { return Err(Error::internal("a sequence is one")) };
    if physical != PhysicalType::Int64 {
        return Err(Error::corrupt(format!("a sequence cannot hold {data_type}")));
    }
    let values: Vec<i64> = wanted.map(|row| first.wrapping_add(step.wrapping_mul(row as i64))).collect();
    Ok(Cells { array: fixed(data_type, Buffer::from_vec(values), None)?, present: None })
}

/// Values of the pages read so far, dense until [`Decoder::finish`].
enum Values {
    Null,
    Bits(BooleanBufferBuilder),
    Word8(Vec<u8>),
    Word16(Vec<u16>),
    Word32(Vec<u32>),
    Word64(Vec<u64>),
    Float32(Vec<f32>),
    Float64(Vec<f64>),
    Word128(Vec<i128>),
    Strings(Strings),
}

/// How the values of the pages are packed.
enum Packing {
    Own,
    Word16(ChunkDecompressor<u16>),
    Word32(ChunkDecompressor<u32>),
    Word64(ChunkDecompressor<u64>),
    Float32(ChunkDecompressor<f32>),
    Float64(ChunkDecompressor<f64>),
}

impl Packing {
    fn of(physical: PhysicalType, statistics: &[u8]) -> Result<Self> {
        Ok(match physical {
            PhysicalType::Int8 | PhysicalType::UInt8 | PhysicalType::Int16 | PhysicalType::UInt16 => Self::Word16(pco::statistics(statistics)?),
            PhysicalType::Int32 | PhysicalType::UInt32 => Self::Word32(pco::statistics(statistics)?),
            PhysicalType::Int64 | PhysicalType::UInt64 => Self::Word64(pco::statistics(statistics)?),
            PhysicalType::Float32 => Self::Float32(pco::statistics(statistics)?),
            PhysicalType::Float64 => Self::Float64(pco::statistics(statistics)?),
            other => return Err(Error::corrupt(format!("pco cannot hold {other:?}"))),
        })
    }
}

/// Takes the pages of a chunk.
struct Decoder {
    packing: Packing,
    /// Whether words are signed integers.
    signed: bool,
    valid: BooleanBufferBuilder,
    present: BooleanBufferBuilder,
    values: Values,
}

impl Decoder {
    fn new(physical: PhysicalType, packing: Packing, rows: usize) -> Self {
        // A chunk of few bytes may claim many rows: what is set aside at once stays small.
        let capacity = rows.min(1 << 16);
        let values = match physical {
            PhysicalType::Null => Values::Null,
            PhysicalType::Boolean => Values::Bits(BooleanBufferBuilder::new(capacity)),
            PhysicalType::Int8 | PhysicalType::UInt8 => Values::Word8(Vec::with_capacity(capacity)),
            PhysicalType::Int16 | PhysicalType::UInt16 => Values::Word16(Vec::with_capacity(capacity)),
            PhysicalType::Int32 | PhysicalType::UInt32 => Values::Word32(Vec::with_capacity(capacity)),
            PhysicalType::Int64 | PhysicalType::UInt64 => Values::Word64(Vec::with_capacity(capacity)),
            PhysicalType::Float32 => Values::Float32(Vec::with_capacity(capacity)),
            PhysicalType::Float64 => Values::Float64(Vec::with_capacity(capacity)),
            PhysicalType::Decimal128 => Values::Word128(Vec::with_capacity(capacity)),
            PhysicalType::Binary | PhysicalType::Utf8 => Values::Strings(Strings::default()),
        };
        let signed = matches!(physical, PhysicalType::Int8 | PhysicalType::Int16 | PhysicalType::Int32 | PhysicalType::Int64);
        Self { packing, signed, valid: BooleanBufferBuilder::new(capacity), present: BooleanBufferBuilder::new(capacity), values }
    }

    fn page(&mut self, reader: &mut Reader<'_>, rows: usize) -> Result<()> {
        let states = reader.byte()?;
        bitmap::read(states >> 2, reader, rows, &mut self.present)?;
        let count = bitmap::read(states & 3, reader, rows, &mut self.valid)?;
        let row = self.valid.len() - rows;
        // Pages before this one are full, so its bits start with a byte.
        let valid = &self.valid.as_slice()[row / 8..];
        let spread = |index: usize| valid[index / 8] >> (index % 8) & 1 == 1;
        let (packing, signed) = (&mut self.packing, self.signed);
        match &mut self.values {
            Values::Null if count > 0 => return Err(Error::corrupt("values in a column that has none")),
            Values::Null => {}
            Values::Bits(bits) => read_booleans(reader, rows, count, spread, bits)?,
            Values::Word8(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Word16(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => integer::decode(reader, count, values),
            })?,
            Values::Word16(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Word16(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => integer::decode(reader, count, values),
            })?,
            Values::Word32(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Word32(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => integer::decode(reader, count, values),
            })?,
            Values::Word64(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Word64(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => integer::decode(reader, count, values),
            })?,
            Values::Float32(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Float32(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => float::decode(reader, count, values),
            })?,
            Values::Float64(values) => read_values(rows, count, valid, values, |count, values| match packing {
                Packing::Float64(chunk) => pco::page(chunk, reader, count, signed, values),
                _ => float::decode(reader, count, values),
            })?,
            Values::Word128(values) => read_values(rows, count, valid, values, |count, values| read_decimals(reader, count, values))?,
            Values::Strings(strings) => read_strings(reader, rows, count, spread, strings)?,
        }
        Ok(())
    }

    fn finish(mut self, data_type: &ArrowType) -> Result<Cells> {
        let rows = self.valid.len();
        let (valid, present) = (self.valid.finish(), self.present.finish());
        if present.count_set_bits() < rows && (&valid & &present) != valid {
            return Err(Error::corrupt("absent cells with values"));
        }
        let nulls = (valid.count_set_bits() < rows).then(|| NullBuffer::new(valid));
        let present = (present.count_set_bits() < rows).then_some(present);
        let array = match self.values {
            Values::Null => Arc::new(NullArray::new(rows)) as ArrayRef,
            Values::Bits(mut bits) => Arc::new(BooleanArray::new(bits.finish(), nulls)),
            Values::Word8(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Word16(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Word32(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Word64(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Float32(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Float64(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Word128(values) => fixed(data_type, Buffer::from_vec(values), nulls)?,
            Values::Strings(strings) => {
                let mut offsets = strings.ends;
                offsets.insert(0, 0);
                let (offsets, bytes) = (OffsetBuffer::new(offsets.into()), Buffer::from_vec(strings.bytes));
                if data_type == &ArrowType::Utf8 {
                    Arc::new(StringArray::try_new(offsets, bytes, nulls).map_err(damaged)?) as ArrayRef
                } else {
                    Arc::new(BinaryArray::try_new(offsets, bytes, nulls).map_err(damaged)?)
                }
            }
        };
        Ok(Cells { array, present })
    }
}

fn damaged(error: arrow_schema::ArrowError) -> Error {
    Error::corrupt("strings do not make an array").caused_by(error)
}

/// An array of fixed-width values of any type of that width.
fn fixed(data_type: &ArrowType, values: Buffer, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
    let width = PhysicalType::of(data_type)?.width();
    let data = ArrayData::builder(data_type.clone()).len(values.len() / width).add_buffer(values).nulls(nulls).build().map_err(damaged)?;
    Ok(make_array(data))
}

/// Reads the `count` values of a page of `rows` cells and moves each to its row; `valid` has the page's bits.
fn read_values<T: Copy + Default>(
    rows: usize,
    count: usize,
    valid: &[u8],
    values: &mut Vec<T>,
    read: impl FnOnce(usize, &mut Vec<T>) -> Result<()>,
) -> Result<()> {
    let start = values.len();
    if count > 0 {
        read(count, values)?;
    }
    if count < rows {
        let mut dense = [T::default(); PAGE_ROWS];
        dense[..count].copy_from_slice(&values[start..]);
        values.resize(start + rows, T::default());
        let mut next = 0;
        // What a cell without a value gets has no meaning, so there is no branch.
        for (places, bits) in values[start..].chunks_mut(8).zip(valid) {
            for (bit, place) in places.iter_mut().enumerate() {
                *place = dense[next % PAGE_ROWS];
                next += usize::from(bits >> bit & 1);
            }
        }
    }
    Ok(())
}

fn read_booleans(reader: &mut Reader<'_>, rows: usize, count: usize, valid: impl Fn(usize) -> bool, out: &mut BooleanBufferBuilder) -> Result<()> {
    if count == 0 {
        out.append_n(rows, false);
        return Ok(());
    }
    let kind = reader.byte()?;
    if count == rows {
        bitmap::read(kind, reader, count, out)?;
        return Ok(());
    }
    let mut dense = BooleanBufferBuilder::new(count);
    bitmap::read(kind, reader, count, &mut dense)?;
    let mut next = 0;
    for row in 0..rows {
        let is_valid = valid(row);
        out.append(is_valid && dense.get_bit(next));
        next += usize::from(is_valid);
    }
    Ok(())
}

fn read_decimals(reader: &mut Reader<'_>, count: usize, out: &mut Vec<i128>) -> Result<()> {
    let mut low: Vec<u64> = Vec::with_capacity(count);
    match reader.byte()? {
        NARROW => {
            integer::decode(reader, count, &mut low)?;
            out.extend(low.into_iter().map(|value| i128::from(value as i64)));
        }
        WIDE => {
            let mut high: Vec<u64> = Vec::with_capacity(count);
            integer::decode(reader, count, &mut low)?;
            integer::decode(reader, count, &mut high)?;
            out.extend(low.into_iter().zip(high).map(|(low, high)| i128::from(high as i64) << 64 | i128::from(low)));
        }
        other => return Err(Error::corrupt(format!("unknown decimal scheme {other}"))),
    }
    Ok(())
}

fn read_strings(reader: &mut Reader<'_>, rows: usize, count: usize, valid: impl Fn(usize) -> bool, out: &mut Strings) -> Result<()> {
    let start = out.ends.len();
    let before = out.ends.last().copied().unwrap_or(0);
    if count > 0 {
        bytes::decode(reader, count, out)?;
    }
    if count < rows {
        let dense = out.ends.split_off(start);
        let mut ends = dense.into_iter();
        let mut end = before;
        for row in 0..rows {
            if valid(row) {
                end = ends.next().unwrap_or(end);
            }
            out.ends.push(end);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
