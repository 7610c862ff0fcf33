//! A log record as bytes (`docs/format.md`, Log): entries in columns, encoded and checked outside any lock; number and header last.

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, UInt32Type, UInt64Type};
use arrow_array::{Array, ArrayRef, Int64Array, UInt32Array, UInt64Array};
use arrow_buffer::BooleanBuffer;
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_codec::{Reader, checksum, decode, encode, write_signed, write_varint};
use embudo_types::{Error, Result};

use crate::rows::{BatchColumn, ColumnBatch, ColumnId, Entry, Sequence, TableRun, TablesBatch, Uid};

/// Bytes before a record's payload.
pub(super) const HEADER: usize = 32;

const ROWS: u8 = 1;
const DELETE: u8 = 2;
const DROP_TABLE: u8 = 3;
const META: u8 = 4;
const TABLES: u8 = 5;

const HAS_KEY: u8 = 1;
const SAME_COLUMNS: u8 = 2;

/// A record without its number.
pub(crate) struct Record {
    /// Room for the header, then the payload.
    bytes: Vec<u8>,
    checksum: u32,
    /// Whether the catalogue wants it back.
    pub(crate) has_meta: bool,
}

impl Record {
    /// Encodes entries; rows must have ascending keys.
    pub(crate) fn encode(entries: &[Entry]) -> Result<Self> {
        let mut bytes = vec![0; HEADER];
        write_varint(&mut bytes, entries.len() as u64);
        let mut chunk = Vec::new();
        let mut before: Option<&ColumnBatch> = None;
        for entry in entries {
            match entry {
                Entry::Rows(batch) => {
                    write_rows(batch, before, &mut chunk, &mut bytes)?;
                    before = Some(batch);
                }
                Entry::Tables(batch) => {
                    write_tables(batch, before, &mut chunk, &mut bytes)?;
                    before = Some(&batch.rows);
                }
                Entry::Delete { uid, start, end } => {
                    bytes.push(DELETE);
                    write_varint(&mut bytes, *uid);
                    write_signed(&mut bytes, *start);
                    write_signed(&mut bytes, *end);
                }
                Entry::DropTable { uid } => {
                    bytes.push(DROP_TABLE);
                    write_varint(&mut bytes, *uid);
                }
                Entry::Meta(meta) => {
                    bytes.push(META);
                    write_varint(&mut bytes, meta.len() as u64);
                    bytes.extend_from_slice(meta);
                }
            }
        }
        if bytes.len() - HEADER > u32::MAX as usize {
            return Err(Error::internal("a log record over 4 GiB"));
        }
        let checksum = checksum(&bytes[HEADER..]);
        Ok(Self { bytes, checksum, has_meta: entries.iter().any(|entry| matches!(entry, Entry::Meta(_))) })
    }

    /// Length in the log.
    pub(super) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The bytes to write, once the number is known.
    pub(super) fn number(&mut self, sequence: Sequence, durable: Sequence) -> &[u8] {
        let length = (self.bytes.len() - HEADER) as u32;
        self.bytes[..4].copy_from_slice(&length.to_le_bytes());
        self.bytes[8..12].copy_from_slice(&self.checksum.to_le_bytes());
        self.bytes[12..20].copy_from_slice(&sequence.to_le_bytes());
        self.bytes[20..28].copy_from_slice(&durable.to_le_bytes());
        let header = checksum(&self.bytes[..28]);
        self.bytes[28..HEADER].copy_from_slice(&header.to_le_bytes());
        &self.bytes
    }
}

fn write_rows(batch: &ColumnBatch, before: Option<&ColumnBatch>, chunk: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
    out.push(ROWS);
    write_varint(out, batch.uid);
    write_body(batch, before, chunk, out)
}

fn write_tables(batch: &TablesBatch, before: Option<&ColumnBatch>, chunk: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
    out.push(TABLES);
    write_varint(out, batch.runs.len() as u64);
    write_chunk(&batch.runs.iter().map(|run| Some(run.uid)).collect::<UInt64Array>(), None, chunk, out)?;
    write_chunk(&batch.runs.iter().map(|run| Some(run.rows)).collect::<UInt32Array>(), None, chunk, out)?;
    write_body(&batch.rows, before, chunk, out)
}

/// What rows of one table and of several have in common.
fn write_body(batch: &ColumnBatch, before: Option<&ColumnBatch>, chunk: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
    write_varint(out, u64::from(batch.schema_version));
    write_varint(out, batch.rows() as u64);
    let key_type = |batch: &ColumnBatch| batch.key.as_ref().map(|key| key.data_type().clone());
    let same = before.is_some_and(|before| {
        key_type(before) == key_type(batch)
            && before.columns.len() == batch.columns.len()
            && before.columns.iter().zip(&batch.columns).all(|(left, right)| left.id == right.id && left.array.data_type() == right.array.data_type())
    });
    out.push(if batch.key.is_some() { HAS_KEY } else { 0 } | if same { SAME_COLUMNS } else { 0 });
    if !same {
        if let Some(key) = &batch.key {
            write_type(key.data_type(), out)?;
        }
        write_varint(out, batch.columns.len() as u64);
        for column in &batch.columns {
            write_varint(out, u64::from(column.id));
            write_type(column.array.data_type(), out)?;
        }
    }
    write_chunk(&Int64Array::new(batch.timestamps.clone(), None), None, chunk, out)?;
    if let Some(key) = &batch.key {
        write_chunk(&**key, None, chunk, out)?;
    }
    batch.columns.iter().try_for_each(|column| write_chunk(&*column.array, column.present.as_ref(), chunk, out))
}

fn write_chunk(array: &dyn Array, present: Option<&BooleanBuffer>, chunk: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<()> {
    chunk.clear();
    let codec = encode(array, present, chunk)?;
    out.push(codec.id());
    write_varint(out, chunk.len() as u64);
    out.extend_from_slice(chunk);
    Ok(())
}

const DECIMAL: u8 = 12;

fn write_type(data_type: &ArrowType, out: &mut Vec<u8>) -> Result<()> {
    let id = match data_type {
        ArrowType::Boolean => 1,
        ArrowType::Int8 => 2,
        ArrowType::Int16 => 3,
        ArrowType::Int32 => 4,
        ArrowType::Int64 => 5,
        ArrowType::UInt8 => 6,
        ArrowType::UInt16 => 7,
        ArrowType::UInt32 => 8,
        ArrowType::UInt64 => 9,
        ArrowType::Float32 => 10,
        ArrowType::Float64 => 11,
        ArrowType::Decimal128(_, _) => DECIMAL,
        ArrowType::Binary => 13,
        ArrowType::Utf8 => 14,
        ArrowType::Timestamp(TimeUnit::Second, None) => 32,
        ArrowType::Timestamp(TimeUnit::Millisecond, None) => 33,
        ArrowType::Timestamp(TimeUnit::Microsecond, None) => 34,
        ArrowType::Timestamp(TimeUnit::Nanosecond, None) => 35,
        other => return Err(Error::internal(format!("a column of {other}"))),
    };
    out.push(id);
    if let ArrowType::Decimal128(precision, scale) = data_type {
        out.push(*precision);
        out.push(*scale as u8);
    }
    Ok(())
}

fn read_type(reader: &mut Reader<'_>) -> Result<ArrowType> {
    Ok(match reader.byte()? {
        1 => ArrowType::Boolean,
        2 => ArrowType::Int8,
        3 => ArrowType::Int16,
        4 => ArrowType::Int32,
        5 => ArrowType::Int64,
        6 => ArrowType::UInt8,
        7 => ArrowType::UInt16,
        8 => ArrowType::UInt32,
        9 => ArrowType::UInt64,
        10 => ArrowType::Float32,
        11 => ArrowType::Float64,
        DECIMAL => {
            let [precision, scale] = reader.array()?;
            if precision == 0 || precision > 38 || scale > precision {
                return Err(Error::corrupt("a decimal of impossible precision"));
            }
            ArrowType::Decimal128(precision, scale as i8)
        }
        13 => ArrowType::Binary,
        14 => ArrowType::Utf8,
        32 => ArrowType::Timestamp(TimeUnit::Second, None),
        33 => ArrowType::Timestamp(TimeUnit::Millisecond, None),
        34 => ArrowType::Timestamp(TimeUnit::Microsecond, None),
        35 => ArrowType::Timestamp(TimeUnit::Nanosecond, None),
        other => return Err(Error::corrupt(format!("type {other}"))),
    })
}

/// Where a record lies and what its header says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// Payload's length.
    pub(super) length: usize,
    pub(super) checksum: u32,
    pub(super) sequence: Sequence,
    pub(super) durable: Sequence,
}

impl Header {
    /// The header at the start of `bytes`, if it is whole.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        let mut reader = Reader::new(bytes);
        let mut word = || reader.u32().ok();
        let (length, zero, payload) = (word()?, word()?, word()?);
        let (sequence, durable, header) = (reader.u64().ok()?, reader.u64().ok()?, reader.u32().ok()?);
        // The sequence is tested first: it tells most garbage at no cost.
        (zero == 0 && sequence > durable && checksum(&bytes[..28]) == header).then_some(Self { length: length as usize, checksum: payload, sequence, durable })
    }

    /// The payload behind the header, if it is whole.
    pub(super) fn payload<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let payload = bytes.get(HEADER..HEADER.checked_add(self.length)?)?;
        (checksum(payload) == self.checksum).then_some(payload)
    }
}

/// The entries of a payload.
pub(super) fn decode_entries(payload: &[u8]) -> Result<Vec<Entry>> {
    decode_entries_of(payload, &|_| true)
}

/// The entries of a payload, of rows those of the tables that are wanted; an entry of several tables comes whole where one is.
pub(super) fn decode_entries_of(payload: &[u8], is_wanted: &dyn Fn(Uid) -> bool) -> Result<Vec<Entry>> {
    let mut reader = Reader::new(payload);
    let count = reader.length(payload.len())?;
    let mut entries = Vec::with_capacity(count);
    let mut columns = Columns::default();
    for _ in 0..count {
        entries.push(match reader.byte()? {
            ROWS => {
                let uid = reader.varint()?;
                if !is_wanted(uid) {
                    pass_body(&mut reader, &mut columns)?;
                    continue;
                }
                Entry::Rows(read_body(uid, &mut reader, &mut columns)?)
            }
            TABLES => {
                let runs = read_runs(&mut reader)?;
                if !runs.iter().any(|run| is_wanted(run.uid)) {
                    pass_body(&mut reader, &mut columns)?;
                    continue;
                }
                let batch = TablesBatch { runs, rows: read_body(0, &mut reader, &mut columns)? };
                batch.check()?;
                Entry::Tables(batch)
            }
            DELETE => Entry::Delete { uid: reader.varint()?, start: reader.signed()?, end: reader.signed()? },
            DROP_TABLE => Entry::DropTable { uid: reader.varint()? },
            META => {
                let length = reader.length(payload.len())?;
                Entry::Meta(reader.take(length)?.to_vec())
            }
            other => return Err(Error::corrupt(format!("log entry of kind {other}"))),
        });
    }
    reader.end()?;
    Ok(entries)
}

/// Column numbers and types of the rows entry before.
#[derive(Default)]
struct Columns {
    key: Option<ArrowType>,
    columns: Vec<(ColumnId, ArrowType)>,
}

fn read_runs(reader: &mut Reader<'_>) -> Result<Vec<TableRun>> {
    let runs = reader.length(u32::MAX as usize)?;
    let (uids, _) = read_chunk(reader, &ArrowType::UInt64, runs)?;
    let (rows, _) = read_chunk(reader, &ArrowType::UInt32, runs)?;
    let (Some(uids), Some(rows)) = (uids.as_primitive_opt::<UInt64Type>(), rows.as_primitive_opt::<UInt32Type>()) else {
        return Err(Error::corrupt("tables of another type"));
    };
    Ok(uids.values().iter().zip(rows.values()).map(|(uid, rows)| TableRun { uid: *uid, rows: *rows }).collect())
}

/// What precedes the columns of rows: schema version, number of rows, and the layout, which stays for the next.
fn read_layout(reader: &mut Reader<'_>, layout: &mut Columns) -> Result<(u32, usize)> {
    let schema_version = reader.length(u32::MAX as usize)? as u32;
    let rows = reader.length(u32::MAX as usize)?;
    let flags = reader.byte()?;
    if flags & SAME_COLUMNS == 0 {
        layout.key = if flags & HAS_KEY != 0 { Some(read_type(reader)?) } else { None };
        let count = reader.length(reader.remaining())?;
        layout.columns.clear();
        for _ in 0..count {
            let id = reader.length(usize::from(ColumnId::MAX))? as ColumnId;
            layout.columns.push((id, read_type(reader)?));
        }
    }
    Ok((schema_version, rows))
}

/// Passes over rows.
fn pass_body(reader: &mut Reader<'_>, layout: &mut Columns) -> Result<()> {
    read_layout(reader, layout)?;
    for _ in 0..1 + usize::from(layout.key.is_some()) + layout.columns.len() {
        reader.byte()?;
        let length = reader.length(reader.remaining())?;
        reader.take(length)?;
    }
    Ok(())
}

fn read_body(uid: u64, reader: &mut Reader<'_>, layout: &mut Columns) -> Result<ColumnBatch> {
    let (schema_version, rows) = read_layout(reader, layout)?;
    let (array, _) = read_chunk(reader, &ArrowType::Int64, rows)?;
    let timestamps = array.as_primitive_opt::<Int64Type>().ok_or_else(|| Error::corrupt("timestamps of another type"))?.values().clone();
    let key = layout.key.as_ref().map(|data_type| Ok::<_, Error>(read_chunk(reader, data_type, rows)?.0)).transpose()?;
    let mut columns = Vec::with_capacity(layout.columns.len());
    for (id, data_type) in &layout.columns {
        let (array, present) = read_chunk(reader, data_type, rows)?;
        columns.push(BatchColumn { id: *id, array, present });
    }
    let batch = ColumnBatch { uid, schema_version, timestamps, key, columns };
    batch.check()?;
    Ok(batch)
}

fn read_chunk(reader: &mut Reader<'_>, data_type: &ArrowType, rows: usize) -> Result<(ArrayRef, Option<BooleanBuffer>)> {
    let codec = reader.byte()?;
    let length = reader.length(reader.remaining())?;
    let cells = decode(codec, data_type, rows, reader.take(length)?)?;
    Ok((cells.array, cells.present))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BinaryArray, BooleanArray, Decimal128Array, Float64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    #[test]
    fn entries_round_trip() {
        let batch = |uid, rows: usize| {
            let columns: Vec<ArrayRef> = vec![
                Arc::new((0..rows).map(|row| (row % 3 > 0).then_some(row as f64 / 3.0)).collect::<Float64Array>()),
                Arc::new((0..rows).map(|row| (row % 2 > 0).then_some(row % 3 > 0)).collect::<BooleanArray>()),
                Arc::new((0..rows).map(|row| Some(format!("text {row}"))).collect::<StringArray>()),
                Arc::new((0..rows).map(|row| Some(vec![row as u8; row % 7])).collect::<BinaryArray>()),
                Arc::new((0..rows).map(|row| Some(row as i128)).collect::<Decimal128Array>().with_precision_and_scale(20, 3).unwrap()),
                Arc::new((0..rows).map(|row| Some(row as i64)).collect::<TimestampMicrosecondArray>()),
            ];
            let present = (0..rows).map(|row| row % 5 > 0).collect();
            let mut columns: Vec<BatchColumn> =
                columns.into_iter().enumerate().map(|(id, array)| BatchColumn { id: id as u16 + 3, array, present: None }).collect();
            columns[2].present = Some(present);
            let key = Some(Arc::new((0..rows).map(|row| Some(row as i64)).collect::<Int64Array>()) as ArrayRef);
            Entry::Rows(ColumnBatch { uid, schema_version: 3, timestamps: (0..rows as i64).collect(), key, columns })
        };
        let Entry::Rows(rows) = batch(0, 600) else { panic!() };
        let runs = [(5, 1), (1 << 50, 598), (5, 1)].map(|(uid, rows)| TableRun { uid, rows }).to_vec();
        let tables = Entry::Tables(TablesBatch { runs: runs.clone(), rows });
        let delete = Entry::Delete { uid: 4, start: i64::MIN, end: 5 };
        let entries = vec![batch(1, 700), batch(7, 1), tables, batch(1 << 60, 3), delete, Entry::Meta(vec![1, 2])];
        let mut record = Record::encode(&entries).unwrap();
        let bytes = record.number(9, 4);
        let header = Header::read(bytes).unwrap();
        assert_eq!((header.sequence, header.durable), (9, 4));
        let back = decode_entries(header.payload(bytes).unwrap()).unwrap();
        assert_eq!(back.len(), entries.len());
        for (left, right) in entries.iter().zip(&back) {
            let (left, right) = match (left, right) {
                (Entry::Rows(left), Entry::Rows(right)) => (left, right),
                (Entry::Tables(left), Entry::Tables(right)) => {
                    assert_eq!(right.runs, runs);
                    (&left.rows, &right.rows)
                }
                (left, right) => {
                    assert_eq!(format!("{left:?}"), format!("{right:?}"));
                    continue;
                }
            };
            assert_eq!((left.uid, &left.timestamps, &left.key), (right.uid, &right.timestamps, &right.key));
            for (left, right) in left.columns.iter().zip(&right.columns) {
                let cells = |column: &BatchColumn| embudo_codec::Cells { array: column.array.clone(), present: column.present.clone() };
                if left.present.is_none() {
                    assert!(cells(left).same(&cells(right)));
                } else {
                    assert_eq!(left.present, right.present);
                }
            }
        }
        // Entries of other tables are passed over, and the layout that they set is kept for those that follow.
        let some = decode_entries_of(header.payload(bytes).unwrap(), &|uid| uid > 7).unwrap();
        let shape = |entry: &Entry| match entry {
            Entry::Rows(rows) => format!("{} {:?} {:?}", rows.uid, rows.timestamps, rows.columns.iter().map(|column| &column.array).collect::<Vec<_>>()),
            Entry::Tables(tables) => format!("{:?} {:?}", tables.runs, tables.rows.timestamps),
            other => format!("{other:?}"),
        };
        let kept: Vec<String> = back.iter().filter(|entry| !matches!(entry, Entry::Rows(rows) if rows.uid <= 7)).map(shape).collect();
        assert_eq!(some.iter().map(shape).collect::<Vec<_>>(), kept);
        for cut in 0..bytes.len() {
            assert!(Header::read(&bytes[..cut]).is_none_or(|header| header.payload(&bytes[..cut]).is_none()));
        }
    }
}
