//! The body of a message with rows (spec/protocols.md 3.9), as `fetch_raw` and `fetch_raw_data` give it and `write_raw` takes it.
//!
//! ```text
//! u8 100, i32 18, 2 × { u8 0x11, i64 }              where reading began, and where it goes on
//! i32 blocks, u8 table names follow, u8 schemas follow
//! blocks × {
//!     varint bytes, i64 1, i64 rows (big-endian), u8 not compressed, u8 precision, raw block
//!     columns, schema version, columns × { u8 type, u8 flags, bytes, column id, varint name's bytes, name, 0 }      numbers signed varints
//!     varint name's bytes, name, 0                                                                                  of the table
//! }
//! i32 tables made, × { varint bytes, how to make it }        where the message makes tables
//! i64 0                                                      where it does not
//! ```

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use embudo_types::{Error, Precision, Result, arrow, code, subscription::SubscribedBlock};

use super::varint;
use crate::raw_block;

/// "The next bytes are the two offsets."
const VERSION: u8 = 100;
/// Bytes of the two offsets.
const OFFSET_BYTES: i32 = 18;
/// An offset in the log, in the present encoding.
const LOG_OFFSET: u8 = 0x11;
/// Bytes between a block's length and the block.
const BLOCK_HEAD_BYTES: usize = 18;
/// Flag of every column of a table.
const IN_STATISTICS: u8 = 1;
/// Schema versions are counted from 0 here, from 1 elsewhere.
const FIRST_SCHEMA_VERSION: u32 = 1;

/// What stands around the blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BodyHead {
    /// Where the reading of this message began.
    pub begin: i64,
    /// Where that of the next will begin.
    pub end: i64,
    /// Whether each block is a table's, and says whose.
    pub with_table_names: bool,
}

/// A body that was read.
#[derive(Clone, Debug, Default)]
pub struct Body {
    /// What stands around the blocks.
    pub head: BodyHead,
    /// Its blocks.
    pub blocks: Vec<SubscribedBlock>,
    /// How to make the tables that the message makes, each as whoever wrote it encodes that.
    pub creates: Vec<Vec<u8>>,
}

/// Appends a body. `creates` is for a message that makes tables.
pub fn encode(head: BodyHead, blocks: &[SubscribedBlock], creates: Option<&[Vec<u8>]>, out: &mut Vec<u8>) -> Result<()> {
    out.push(VERSION);
    out.extend_from_slice(&OFFSET_BYTES.to_le_bytes());
    for offset in [head.begin, head.end] {
        out.push(LOG_OFFSET);
        out.extend_from_slice(&offset.to_le_bytes());
    }
    out.extend_from_slice(&(blocks.len() as i32).to_le_bytes());
    out.extend_from_slice(&[head.with_table_names.into(), 1]);
    for block in blocks {
        encode_block(&block.batch, out)?;
        encode_schema(block, head.with_table_names, out)?;
        if head.with_table_names {
            write_name(block.table.as_deref().unwrap_or_default(), out);
        }
    }
    match creates {
        None => out.extend_from_slice(&0_i64.to_le_bytes()),
        Some(creates) => {
            out.extend_from_slice(&(creates.len() as i32).to_le_bytes());
            for create in creates {
                varint::write(create.len() as u64, out);
                out.extend_from_slice(create);
            }
        }
    }
    Ok(())
}

fn encode_block(batch: &RecordBatch, out: &mut Vec<u8>) -> Result<()> {
    // How long the length is shows only behind the block; the guess is right but for blocks near a power of 128.
    let guess = batch.columns().iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum::<usize>();
    let reserved = varint::length(guess as u64 + 100);
    let start = out.len();
    out.resize(start + reserved, 0);
    out.extend_from_slice(&1_i64.to_le_bytes());
    out.extend_from_slice(&(batch.num_rows() as i64).to_be_bytes());
    out.extend_from_slice(&[0, precision(batch.schema_ref()).id()]);
    raw_block::encode(batch, raw_block::SUBSCRIPTION_VERSION, out)?;
    let mut length = Vec::with_capacity(10);
    varint::write((out.len() - start - reserved) as u64, &mut length);
    out.splice(start..start + reserved, length);
    Ok(())
}

/// That of the first timestamp; milliseconds where there is none.
pub fn precision(schema: &Schema) -> Precision {
    let timestamp = schema.fields().iter().find(|field| matches!(field.data_type(), arrow_schema::DataType::Timestamp(..)));
    timestamp.map_or(Precision::Milli, |field| arrow::precision(field))
}

fn encode_schema(block: &SubscribedBlock, is_of_table: bool, out: &mut Vec<u8>) -> Result<()> {
    let fields = block.batch.schema_ref().fields();
    varint::write_signed(fields.len() as i64, out);
    varint::write_signed(block.schema_version.saturating_sub(FIRST_SCHEMA_VERSION).into(), out);
    for (at, field) in fields.iter().enumerate() {
        let data_type = arrow::data_type(field)?;
        out.extend_from_slice(&[data_type.id(), if is_of_table { IN_STATISTICS } else { 0 }]);
        varint::write_signed(raw_block::storage_bytes(data_type).into(), out);
        varint::write_signed(at as i64 + 1, out);
        write_name(field.name(), out);
    }
    Ok(())
}

fn write_name(name: &str, out: &mut Vec<u8>) {
    varint::write(name.len() as u64 + 1, out);
    out.extend_from_slice(name.as_bytes());
    out.push(0);
}

/// Reads a body. `makes_tables`: its message is of the kind that does.
pub fn decode(bytes: &[u8], makes_tables: bool) -> Result<Body> {
    let mut input = Input { bytes };
    let (begin, end) = input.offsets()?;
    let count = input.count()?;
    let (with_table_names, with_schema) = (input.byte()? != 0, input.byte()? != 0);
    let mut body = Body { head: BodyHead { begin, end, with_table_names }, ..Body::default() };
    for _ in 0..count {
        let section = input.section()?;
        let (precision, block) = section.get(BLOCK_HEAD_BYTES - 1).zip(section.get(BLOCK_HEAD_BYTES..)).ok_or_else(|| broken("a block without its head"))?;
        let precision = Precision::from_id(*precision)?;
        let block = raw_block::decode(block, precision)?;
        let (schema_version, names) = if with_schema { input.names(block.columns.len())? } else { (FIRST_SCHEMA_VERSION, Vec::new()) };
        let table = if with_table_names { Some(input.name()?).filter(|name| !name.is_empty()) } else { None };
        body.blocks.push(SubscribedBlock { table, schema_version, batch: batch(block, &names, precision)? });
    }
    if makes_tables && !input.bytes.is_empty() {
        for _ in 0..input.count()? {
            body.creates.push(input.section()?.to_vec());
        }
    }
    Ok(body)
}

fn batch(block: raw_block::Block, names: &[String], precision: Precision) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<_>, Vec<_>) = block
        .columns
        .into_iter()
        .enumerate()
        .map(|(at, (data_type, array))| (arrow::field(names.get(at).map_or("", String::as_str), data_type, precision), array))
        .unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(block.rows));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).map_err(|source| broken("columns that do not fit").caused_by(source))
}

fn broken(what: &str) -> Error {
    Error::with(code::INVALID_MESSAGE, format!("{}: {what} in a message of a subscription", code::INVALID_MESSAGE.text()))
}

struct Input<'a> {
    bytes: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or_else(|| broken("too few bytes"))?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn int(&mut self) -> Result<i32> {
        let bytes = self.take(4)?;
        Ok(i32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn long(&mut self) -> Result<i64> {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(self.take(8)?);
        Ok(i64::from_le_bytes(bytes))
    }

    /// How many of something follow; each takes a byte at least.
    fn count(&mut self) -> Result<usize> {
        usize::try_from(self.int()?).ok().filter(|count| *count <= self.bytes.len()).ok_or_else(|| broken("an impossible count"))
    }

    fn varint(&mut self) -> Result<u64> {
        let (number, rest) = varint::read(self.bytes).ok_or_else(|| broken("a torn number"))?;
        self.bytes = rest;
        Ok(number)
    }

    fn signed(&mut self) -> Result<i64> {
        let (number, rest) = varint::read_signed(self.bytes).ok_or_else(|| broken("a torn number"))?;
        self.bytes = rest;
        Ok(number)
    }

    /// Bytes behind their length.
    fn section(&mut self) -> Result<&'a [u8]> {
        let length = usize::try_from(self.varint()?).map_err(|_| broken("too few bytes"))?;
        self.take(length)
    }

    /// A text that ends with a zero, behind its length.
    fn name(&mut self) -> Result<String> {
        let bytes = self.section()?;
        Ok(String::from_utf8_lossy(bytes.strip_suffix(&[0]).unwrap_or(bytes)).into_owned())
    }

    /// The two offsets: behind their length, or as they were written before there was one.
    fn offsets(&mut self) -> Result<(i64, i64)> {
        let version = self.byte()?;
        if (VERSION..0x80).contains(&version) {
            let length = usize::try_from(self.int()?).map_err(|_| broken("a negative length"))?;
            let mut offsets = Input { bytes: self.take(length)? };
            return Ok((offsets.offset().unwrap_or(0), offsets.offset().unwrap_or(0)));
        }
        let begin = self.offset_of(version)?;
        Ok((begin, self.offset()?))
    }

    fn offset(&mut self) -> Result<i64> {
        let kind = self.byte()?;
        self.offset_of(kind)
    }

    fn offset_of(&mut self, kind: u8) -> Result<i64> {
        match kind {
            // A place that is not known yet.
            0x80.. => Ok(0),
            kind if kind & 0x0f == 1 => self.long(),
            // In a snapshot: a table and a time.
            kind if matches!(kind & 0x0f, 2 | 3) => {
                self.long()?;
                self.long()
            }
            _ => Err(broken("an unknown kind of offset")),
        }
    }

    /// The schema's version and the names of its columns.
    fn names(&mut self, columns: usize) -> Result<(u32, Vec<String>)> {
        if usize::try_from(self.signed()?) != Ok(columns) {
            return Err(broken("a schema of other columns than the block's"));
        }
        let version = u32::try_from(self.signed()?).unwrap_or(0).saturating_add(FIRST_SCHEMA_VERSION);
        let name = |input: &mut Self| {
            // Type, flags, length and column id: the block says what is needed.
            input.take(2)?;
            input.signed()?;
            input.signed()?;
            input.name()
        };
        Ok((version, (0..columns).map(|_| name(self)).collect::<Result<_>>()?))
    }
}
