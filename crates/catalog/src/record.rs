//! How catalogue records lie in bytes: variable-length integers (7 bits a byte, low first; signed ones folded), texts with their
//! length before them, and schemas and values made of those. Integrity is the log's and the checkpoint's business.

use std::sync::Arc;

use embudo_types::{DataType, Error, Result, Value};

use crate::schema::{Column, Compression, Encoding, Level, Schema};
use crate::{TableOptions, TagIndex};

/// Appends to a record.
#[derive(Debug, Default)]
pub(crate) struct Writer(pub Vec<u8>);

impl Writer {
    pub fn byte(&mut self, value: u8) {
        self.0.push(value);
    }

    pub fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    pub fn bytes(&mut self, value: &[u8]) {
        self.unsigned(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    pub fn text(&mut self, value: &str) {
        self.bytes(value.as_bytes());
    }

    pub fn data_type(&mut self, data_type: DataType) {
        self.byte(data_type.id());
        match data_type {
            DataType::Decimal(precision, scale) => {
                self.byte(precision);
                self.byte(scale);
            }
            other if other.is_variable() => self.unsigned(u64::from(other.length())),
            _ => {}
        }
    }

    pub fn column(&mut self, column: &Column) {
        self.unsigned(u64::from(column.id));
        self.text(&column.name);
        self.data_type(column.data_type);
        self.byte(u8::from(column.primary_key));
        self.byte(column.encode as u8);
        self.byte(column.compress as u8);
        self.byte(column.level as u8);
    }

    pub fn schema(&mut self, schema: &Schema) {
        self.unsigned(u64::from(schema.version));
        self.unsigned(u64::from(schema.next_id));
        for columns in [&schema.columns, &schema.tags] {
            self.unsigned(columns.len() as u64);
            for column in columns {
                self.column(column);
            }
        }
    }

    pub fn options(&mut self, options: &TableOptions) {
        self.optional_text(options.comment.as_deref());
        self.unsigned(u64::from(options.ttl));
        match &options.sma {
            None => self.byte(0),
            Some(columns) => {
                self.byte(1);
                self.unsigned(columns.len() as u64);
                for id in columns {
                    self.unsigned(u64::from(*id));
                }
            }
        }
    }

    pub fn indexes(&mut self, indexes: &[TagIndex]) {
        self.unsigned(indexes.len() as u64);
        for index in indexes {
            self.text(&index.name);
            self.unsigned(u64::from(index.tag));
            self.signed(index.created);
        }
    }

    pub fn optional_text(&mut self, text: Option<&str>) {
        self.byte(u8::from(text.is_some()));
        if let Some(text) = text {
            self.text(text);
        }
    }

    pub fn value(&mut self, value: &Value) {
        let data_type = value.data_type();
        self.byte(data_type.id());
        match value {
            Value::Null => {}
            Value::Bool(v) => self.byte(u8::from(*v)),
            Value::TinyInt(v) => self.signed(i64::from(*v)),
            Value::SmallInt(v) => self.signed(i64::from(*v)),
            Value::Int(v) => self.signed(i64::from(*v)),
            Value::BigInt(v) | Value::Timestamp(v) => self.signed(*v),
            Value::UTinyInt(v) => self.unsigned(u64::from(*v)),
            Value::USmallInt(v) => self.unsigned(u64::from(*v)),
            Value::UInt(v) => self.unsigned(u64::from(*v)),
            Value::UBigInt(v) => self.unsigned(*v),
            Value::Float(v) => self.0.extend(v.to_le_bytes()),
            Value::Double(v) => self.0.extend(v.to_le_bytes()),
            Value::Varchar(v) | Value::VarBinary(v) | Value::Geometry(v) | Value::Blob(v) => self.bytes(v),
            Value::NChar(v) | Value::Json(v) => self.text(v),
            Value::Decimal(v, precision, scale) => {
                self.0.extend(v.to_le_bytes());
                self.byte(*precision);
                self.byte(*scale);
            }
        }
    }
}

/// Takes a record apart.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let (part, rest) = self.0.split_at_checked(length).ok_or_else(broken)?;
        self.0 = rest;
        Ok(part)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| broken())
    }

    pub fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    pub fn unsigned(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(broken())
    }

    pub fn signed(&mut self) -> Result<i64> {
        let folded = self.unsigned()?;
        Ok((folded >> 1) as i64 ^ -((folded & 1) as i64))
    }

    /// A number that must fit a narrower type.
    pub fn narrow<T: TryFrom<u64>>(&mut self) -> Result<T> {
        self.unsigned()?.try_into().map_err(|_| broken())
    }

    fn narrow_signed<T: TryFrom<i64>>(&mut self) -> Result<T> {
        self.signed()?.try_into().map_err(|_| broken())
    }

    /// A count of things that take at least a byte each, so that a broken one cannot ask for much memory.
    pub fn count(&mut self) -> Result<usize> {
        let count = self.narrow::<usize>()?;
        if count > self.0.len() { Err(broken()) } else { Ok(count) }
    }

    pub fn bytes(&mut self) -> Result<&'a [u8]> {
        let length = self.count()?;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<&'a str> {
        std::str::from_utf8(self.bytes()?).map_err(|_| broken())
    }

    pub fn data_type(&mut self) -> Result<DataType> {
        let id = self.byte()?;
        match DataType::from_id(id, 0).map_err(|_| broken())? {
            DataType::Decimal(..) => Ok(DataType::Decimal(self.byte()?, self.byte()?)),
            other if other.is_variable() => {
                let length = self.narrow()?;
                DataType::from_id(id, length).map_err(|_| broken())
            }
            other => Ok(other),
        }
    }

    pub fn column(&mut self) -> Result<Column> {
        Ok(Column {
            id: self.narrow()?,
            name: self.text()?.into(),
            data_type: self.data_type()?,
            primary_key: self.byte()? != 0,
            encode: Encoding::from_id(self.byte()?).ok_or_else(broken)?,
            compress: Compression::from_id(self.byte()?).ok_or_else(broken)?,
            level: Level::from_id(self.byte()?).ok_or_else(broken)?,
        })
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        let count = self.count()?;
        (0..count).map(|_| item(self)).collect()
    }

    pub fn schema(&mut self) -> Result<Schema> {
        Ok(Schema { version: self.narrow()?, next_id: self.narrow()?, columns: self.list(Self::column)?, tags: self.list(Self::column)? })
    }

    pub fn options(&mut self) -> Result<TableOptions> {
        Ok(TableOptions {
            comment: self.optional_text()?.map(Arc::from),
            ttl: self.narrow()?,
            sma: if self.byte()? == 0 { None } else { Some(self.list(Self::narrow)?) },
        })
    }

    pub fn indexes(&mut self) -> Result<Vec<TagIndex>> {
        self.list(|reader| Ok(TagIndex { name: reader.text()?.into(), tag: reader.narrow()?, created: reader.signed()? }))
    }

    pub fn optional_text(&mut self) -> Result<Option<&'a str>> {
        if self.byte()? == 0 { Ok(None) } else { self.text().map(Some) }
    }

    pub fn values(&mut self) -> Result<Vec<Value>> {
        self.list(Self::value)
    }

    pub fn value(&mut self) -> Result<Value> {
        let data_type = DataType::from_id(self.byte()?, 0).map_err(|_| broken())?;
        Ok(match data_type {
            DataType::Null => Value::Null,
            DataType::Bool => Value::Bool(self.byte()? != 0),
            DataType::TinyInt => Value::TinyInt(self.narrow_signed()?),
            DataType::SmallInt => Value::SmallInt(self.narrow_signed()?),
            DataType::Int => Value::Int(self.narrow_signed()?),
            DataType::BigInt => Value::BigInt(self.signed()?),
            DataType::Timestamp => Value::Timestamp(self.signed()?),
            DataType::UTinyInt => Value::UTinyInt(self.narrow()?),
            DataType::USmallInt => Value::USmallInt(self.narrow()?),
            DataType::UInt => Value::UInt(self.narrow()?),
            DataType::UBigInt => Value::UBigInt(self.unsigned()?),
            DataType::Float => Value::Float(f32::from_le_bytes(self.array()?)),
            DataType::Double => Value::Double(f64::from_le_bytes(self.array()?)),
            DataType::Varchar(_) => Value::Varchar(self.bytes()?.into()),
            DataType::VarBinary(_) => Value::VarBinary(self.bytes()?.into()),
            DataType::Geometry(_) => Value::Geometry(self.bytes()?.into()),
            DataType::Blob | DataType::MediumBlob => Value::Blob(self.bytes()?.into()),
            DataType::NChar(_) => Value::NChar(self.text()?.into()),
            DataType::Json => Value::Json(self.text()?.into()),
            DataType::Decimal(..) => Value::Decimal(i128::from_le_bytes(self.array()?), self.byte()?, self.byte()?),
        })
    }
}

/// A record that no version of this code wrote.
pub(crate) fn broken() -> Error {
    Error::internal("a catalogue record cannot be read")
}
