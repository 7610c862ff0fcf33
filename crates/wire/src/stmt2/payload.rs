//! The two payloads that carry bind-data blocks: by table (binary action 9) and by column (binary action 11).

use arrow_array::Array;
use embudo_types::{Precision, Result};

use super::{
    BoundColumn, TableBind,
    column::{self, Bytes},
    refused,
};

/// Bytes of the header of a payload by table.
const HEADER: usize = 28;
/// Bytes of the header of a payload by column.
const COLUMN_HEADER: usize = 20;
/// Most fields of one statement.
const MAX_FIELDS: usize = 4096;

/// Reads a payload by table: names, tags and columns of each.
pub fn decode(payload: &[u8], precision: Precision) -> Result<Vec<TableBind>> {
    let mut header = Bytes::new(payload, 0);
    if payload.len() < HEADER {
        return Err(refused(format!("bind payload has {} bytes, its header alone {HEADER}", payload.len())));
    }
    let total = header.length()?;
    let (tables, tags, columns) = (header.length()?, header.length()?, header.length()?);
    let (names_at, tags_at, columns_at) = (header.length()?, header.length()?, header.length()?);
    if total != payload.len() {
        return Err(refused(format!("bind payload says {total} bytes, holds {}", payload.len())));
    }
    for (what, count, at) in [("tags", tags, tags_at), ("columns", columns, columns_at)] {
        if (count == 0) != (at == 0) || (at != 0 && !(HEADER..total).contains(&at)) || count > MAX_FIELDS {
            return Err(refused(format!("bind payload: {count} {what} at offset {at}")));
        }
    }
    // Every table costs at least its length word in a section that is there.
    if tables == 0 || tables > total / 2 {
        return Err(refused(format!("bind payload: {tables} tables in {total} bytes")));
    }
    let mut binds: Vec<TableBind> = Vec::new();
    binds.resize_with(tables, TableBind::default);
    if names_at != 0 {
        names(payload, names_at, &mut binds)?;
    }
    if tags_at != 0 {
        section(payload, tags_at, tags, precision, &mut binds, |bind| &mut bind.tags)?;
    }
    if columns_at != 0 {
        section(payload, columns_at, columns, precision, &mut binds, |bind| &mut bind.columns)?;
    }
    for (table, bind) in binds.iter().enumerate() {
        let rows = bind.columns.first().map_or(0, |column| column.array.len());
        if bind.tags.iter().any(|tag| tag.array.len() != 1) || bind.columns.iter().any(|column| column.array.len() != rows) {
            return Err(refused(format!("bind data row count error, tableIndex: {table}")));
        }
    }
    Ok(binds)
}

fn names(payload: &[u8], at: usize, binds: &mut [TableBind]) -> Result<()> {
    let mut lengths = Bytes::new(payload, at);
    let mut text = Bytes::new(payload, at + binds.len() * 2);
    for (table, bind) in binds.iter_mut().enumerate() {
        let length = usize::from(lengths.u16()?);
        let name = text.take(length)?.strip_suffix(&[0]).filter(|name| !name.is_empty());
        let name = name.and_then(|name| std::str::from_utf8(name).ok()).ok_or_else(|| refused(format!("table name error, tableIndex: {table}")))?;
        bind.name = Some(name.to_owned());
    }
    Ok(())
}

fn section(
    payload: &[u8],
    at: usize,
    count: usize,
    precision: Precision,
    binds: &mut [TableBind],
    part: impl Fn(&mut TableBind) -> &mut Vec<BoundColumn>,
) -> Result<()> {
    let mut lengths = Bytes::new(payload, at);
    let mut blocks = Bytes::new(payload, at + binds.len() * 4);
    for (table, bind) in binds.iter_mut().enumerate() {
        let (length, start) = (lengths.length()?, blocks.at());
        for _ in 0..count {
            part(bind).push(column::decode(&mut blocks, precision)?);
        }
        if blocks.at() - start != length {
            return Err(refused(format!("bind data length error, tableIndex: {table}, says {length}, holds {}", blocks.at() - start)));
        }
    }
    Ok(())
}

/// Writes a payload by table. All tables have equally many tags and columns; either all are named or none is.
pub fn encode(binds: &[TableBind]) -> Result<Vec<u8>> {
    let (tags, columns) = binds.first().map_or((0, 0), |bind| (bind.tags.len(), bind.columns.len()));
    if binds.iter().any(|bind| bind.tags.len() != tags || bind.columns.len() != columns || bind.name.is_some() != binds[0].name.is_some()) {
        return Err(refused("tables are bound with different numbers of tags or columns"));
    }
    let mut out = vec![0; HEADER];
    let mut offsets = [0_u32; 3];
    if binds.first().is_some_and(|bind| bind.name.is_some()) {
        offsets[0] = out.len() as u32;
        let names = || binds.iter().filter_map(|bind| bind.name.as_deref());
        for name in names() {
            let length = u16::try_from(name.len() + 1).map_err(|_| refused("table name is too long"))?;
            out.extend_from_slice(&length.to_le_bytes());
        }
        names().for_each(|name| out.extend(name.bytes().chain([0])));
    }
    if tags > 0 {
        offsets[1] = encode_section(binds, |bind| &bind.tags, &mut out)?;
    }
    if columns > 0 {
        offsets[2] = encode_section(binds, |bind| &bind.columns, &mut out)?;
    }
    let words = [out.len() as u32, binds.len() as u32, tags as u32, columns as u32, offsets[0], offsets[1], offsets[2]];
    for (place, word) in out.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_le_bytes());
    }
    Ok(out)
}

fn encode_section(binds: &[TableBind], part: impl Fn(&TableBind) -> &Vec<BoundColumn>, out: &mut Vec<u8>) -> Result<u32> {
    let at = out.len();
    out.resize(at + binds.len() * 4, 0);
    for (table, bind) in binds.iter().enumerate() {
        let start = out.len();
        part(bind).iter().try_for_each(|bound| column::encode(bound, out))?;
        let length = (out.len() - start) as u32;
        out[at + table * 4..][..4].copy_from_slice(&length.to_le_bytes());
    }
    Ok(at as u32)
}

/// A payload by column: every `?` in order, the table's name among them, with one cell a row.
#[derive(Clone, Debug)]
pub struct ColumnPayload {
    /// Rows in every column.
    pub rows: usize,
    /// Runs of equal table names; 1 where none is bound.
    pub tables: usize,
    /// The columns in the order of their `?`.
    pub columns: Vec<BoundColumn>,
}

/// Reads a payload by column.
pub fn decode_columns(payload: &[u8], precision: Precision) -> Result<ColumnPayload> {
    let mut header = Bytes::new(payload, 0);
    let total = header.length()?;
    let (rows, tables, fields, at) = (header.length()?, header.length()?, header.length()?, header.length()?);
    if total != payload.len() || at < COLUMN_HEADER || fields > MAX_FIELDS {
        return Err(refused(format!("bind payload: says {total} bytes and {fields} fields at {at}, holds {}", payload.len())));
    }
    let mut blocks = Bytes::new(payload, at);
    let columns = (0..fields).map(|_| column::decode(&mut blocks, precision)).collect::<Result<Vec<_>>>()?;
    if let Some(place) = columns.iter().position(|column| column.array.len() != rows) {
        return Err(refused(format!("bind data row count error, field: {place}")));
    }
    Ok(ColumnPayload { rows, tables, columns })
}

/// Writes a payload by column.
pub fn encode_columns(payload: &ColumnPayload) -> Result<Vec<u8>> {
    let mut out = vec![0; COLUMN_HEADER];
    payload.columns.iter().try_for_each(|bound| column::encode(bound, &mut out))?;
    let words = [out.len(), payload.rows, payload.tables, payload.columns.len(), COLUMN_HEADER];
    for (place, word) in out.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&(word as u32).to_le_bytes());
    }
    Ok(out)
}
