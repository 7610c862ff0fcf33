//! REST's JSON bodies (spec/protocols.md 1.4 to 1.6): `{"code":0,"column_meta":[…],"data":[…],"rows":N}`, members in this order.
//!
//! A body is written in pieces: [`Encoder::begin`], any number of [`Encoder::rows`], [`Encoder::finish`]; whoever calls decides
//! how much text is held before it is sent.

mod cell;
mod text;
mod timestamp;

use std::ops::Range;

use arrow_array::RecordBatch;
use arrow_schema::Schema;
use embudo_types::{Code, DataType, Error, Result, Zone, arrow};

use cell::Cells;
use timestamp::TimestampWriter;

use crate::number;

/// How a result is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// The zone that timestamps are shown in.
    pub zone: Zone,
    /// Rows as objects keyed by column name instead of arrays.
    pub row_with_meta: bool,
    /// Timestamps as numbers, in ticks since 1970, instead of strings.
    pub epoch: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { zone: Zone::utc(), row_with_meta: false, epoch: false }
    }
}

/// Writes one result as JSON.
///
/// ```
/// use arrow_schema::Schema;
/// use embudo_types::{DataType, Precision, arrow::field};
/// use embudo_wire::rest::{Encoder, Options};
/// let schema = Schema::new(vec![field("v", DataType::Int, Precision::Milli)]);
/// let mut encoder = Encoder::new(&schema, &Options::default())?;
/// let mut body = Vec::new();
/// encoder.begin(&mut body);
/// encoder.finish(None, &mut body);
/// assert_eq!(body, br#"{"code":0,"column_meta":[["v","INT",4]],"data":[],"rows":0}"#);
/// # Ok::<(), embudo_types::Error>(())
/// ```
pub struct Encoder {
    columns: Vec<Column>,
    row_with_meta: bool,
    epoch: bool,
    rows: u64,
}

struct Column {
    data_type: DataType,
    /// The name as a JSON string.
    name: Vec<u8>,
    timestamps: TimestampWriter,
}

impl Encoder {
    /// An encoder for batches of this schema, whose fields are made by [`arrow::field`].
    pub fn new(schema: &Schema, options: &Options) -> Result<Self> {
        let column = |field: &std::sync::Arc<arrow_schema::Field>| {
            let mut name = Vec::new();
            text::write_string(field.name().as_bytes(), &mut name);
            Ok(Column { data_type: arrow::data_type(field)?, name, timestamps: TimestampWriter::new(arrow::precision(field), options.zone.clone()) })
        };
        let columns = schema.fields().iter().map(column).collect::<Result<_>>()?;
        Ok(Self { columns, row_with_meta: options.row_with_meta, epoch: options.epoch, rows: 0 })
    }

    /// Writes everything before the first row.
    pub fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"code":0,"column_meta":["#);
        for (at, column) in self.columns.iter().enumerate() {
            out.extend_from_slice(if at == 0 { b"[" } else { b",[" });
            out.extend_from_slice(&column.name);
            out.extend_from_slice(b",\"");
            match column.data_type {
                DataType::Decimal(..) => out.extend_from_slice(column.data_type.to_string().as_bytes()),
                other => out.extend_from_slice(other.name().as_bytes()),
            }
            out.extend_from_slice(b"\",");
            number::write_integer(column.data_type.length(), out);
            out.push(b']');
        }
        out.extend_from_slice(br#"],"data":["#);
    }

    /// Writes these rows of a batch.
    pub fn rows(&mut self, batch: &RecordBatch, range: Range<usize>, out: &mut Vec<u8>) -> Result<()> {
        if batch.num_columns() != self.columns.len() || range.end > batch.num_rows() {
            return Err(Error::internal("a batch that does not fit its result's schema"));
        }
        let cells: Vec<Cells<'_>> =
            self.columns.iter().zip(batch.columns()).map(|(column, array)| Cells::new(column.data_type, array, self.epoch)).collect::<Result<_>>()?;
        let (open, close) = if self.row_with_meta { (b'{', b'}') } else { (b'[', b']') };
        for row in range {
            if self.rows > 0 {
                out.push(b',');
            }
            self.rows += 1;
            out.push(open);
            for (at, (column, cells)) in self.columns.iter_mut().zip(&cells).enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                if self.row_with_meta {
                    out.extend_from_slice(&column.name);
                    out.push(b':');
                }
                cells.write(row, &mut column.timestamps, out);
            }
            out.push(close);
        }
        Ok(())
    }

    /// Writes everything behind the last row; `timing` (ns) only where the client asked for it.
    pub fn finish(&self, timing: Option<u64>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"],"rows":"#);
        number::write_integer(self.rows, out);
        if let Some(timing) = timing {
            out.extend_from_slice(br#","timing":"#);
            number::write_integer(timing, out);
        }
        out.push(b'}');
    }

    /// Rows written so far.
    pub fn count(&self) -> u64 {
        self.rows
    }
}

/// The whole body of a statement without rows.
pub fn affected(rows: u64, row_with_meta: bool, timing: Option<u64>, out: &mut Vec<u8>) {
    out.extend_from_slice(br#"{"code":0,"column_meta":[["affected_rows","INT",4]],"data":["#);
    out.extend_from_slice(if row_with_meta { br#"{"affected_rows":"# } else { b"[" });
    number::write_integer(rows, out);
    out.extend_from_slice(if row_with_meta { br#"}],"rows":1"# } else { br#"]],"rows":1"# });
    if let Some(timing) = timing {
        out.extend_from_slice(br#","timing":"#);
        number::write_integer(timing, out);
    }
    out.push(b'}');
}

/// The whole body of a failure; also of a login, whose `desc` is the token.
///
/// ```
/// use embudo_types::code;
/// let body = embudo_wire::rest::message(code::SYNTAX_ERROR_NEAR, "syntax error near \"<\"");
/// assert_eq!(body, br#"{"code":9728,"desc":"syntax error near \"\u003c\""}"#);
/// ```
pub fn message(code: Code, desc: &str) -> Vec<u8> {
    let mut out = br#"{"code":"#.to_vec();
    number::write_integer(code.0, &mut out);
    out.extend_from_slice(br#","desc":"#);
    text::write_html_safe_string(desc, &mut out);
    out.push(b'}');
    out
}

#[cfg(test)]
mod tests;
