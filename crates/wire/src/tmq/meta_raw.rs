//! Events as bytes, in an encoding of our own: `EMB`, a version, how many, and each event as a number and its members. Numbers are varints,
//! texts have their length in front.

use embudo_types::{
    DataType, Error, Result, Value, code,
    subscription::{MetaColumn, MetaEvent, MetaTag, TableChange, TableKind},
};

use super::{option_name, varint};

/// What the bytes begin with: whose they are, and the version of the encoding.
const MAGIC: [u8; 4] = *b"EMB\x01";

/// Appends events.
pub fn encode(events: &[MetaEvent], out: &mut Vec<u8>) {
    out.extend_from_slice(&MAGIC);
    let mut writer = Writer { out };
    writer.list(events, Writer::event);
}

/// Reads events; what another server wrote is refused.
pub fn decode(bytes: &[u8]) -> Result<Vec<MetaEvent>> {
    let Some(bytes) = bytes.strip_prefix(&MAGIC) else {
        let version = bytes.strip_prefix(&MAGIC[..3]).and_then(<[u8]>::first);
        let what = version.map_or_else(|| "they are of another server".to_owned(), |version| format!("they are of version {version}"));
        return Err(Error::with(code::INVALID_MESSAGE, format!("{}: events that cannot be read, {what}", code::INVALID_MESSAGE.text())));
    };
    let mut reader = Reader { bytes };
    let events = reader.list(Reader::event);
    let events = events.filter(|_| reader.bytes.is_empty());
    events.ok_or_else(|| Error::with(code::INVALID_MESSAGE, format!("{}: broken events", code::INVALID_MESSAGE.text())))
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    fn number(&mut self, number: impl Into<u64>) {
        varint::write(number.into(), self.out);
    }

    fn signed(&mut self, number: i64) {
        varint::write_signed(number, self.out);
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.out.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn list<T>(&mut self, items: &[T], each: impl Fn(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            each(self, item);
        }
    }

    /// TTL and COMMENT.
    fn options(&mut self, ttl: u32, comment: Option<&String>) {
        self.number(ttl);
        self.list(comment.map_or(&[], std::slice::from_ref), |writer, comment| writer.text(comment));
    }

    fn event(&mut self, event: &MetaEvent) {
        match event {
            MetaEvent::CreateSuper { table, schema_version, columns, tags, comment } => {
                self.byte(0);
                self.text(table);
                self.number(*schema_version);
                self.list(columns, Self::column);
                self.list(tags, Self::column);
                self.options(0, comment.as_ref());
            }
            MetaEvent::CreateNormal { table, schema_version, columns, ttl, comment } => {
                self.byte(1);
                self.text(table);
                self.number(*schema_version);
                self.list(columns, Self::column);
                self.options(*ttl, comment.as_ref());
            }
            MetaEvent::CreateChild { table, supertable, tags, ttl, comment } => {
                self.byte(2);
                self.text(table);
                self.text(supertable);
                self.list(tags, Self::tag);
                self.options(*ttl, comment.as_ref());
            }
            MetaEvent::Alter { table, kind, change } => {
                self.byte(3);
                self.text(table);
                self.byte(kind_number(*kind));
                self.change(change);
            }
            MetaEvent::Drop { table, kind } => {
                self.byte(4);
                self.text(table);
                self.byte(kind_number(*kind));
            }
            MetaEvent::Delete { table, column, start, end } => {
                self.byte(5);
                self.text(table);
                self.text(column);
                self.signed(*start);
                self.signed(*end);
            }
        }
    }

    fn change(&mut self, change: &TableChange) {
        let named = |writer: &mut Self, number: u8, name: &str| {
            writer.byte(number);
            writer.text(name);
        };
        let defined = |writer: &mut Self, number: u8, column: &MetaColumn| {
            writer.byte(number);
            writer.column(column);
        };
        let renamed = |writer: &mut Self, number: u8, from: &str, to: &str| {
            writer.byte(number);
            writer.text(from);
            writer.text(to);
        };
        match change {
            TableChange::AddColumn(column) => defined(self, 0, column),
            TableChange::DropColumn(name) => named(self, 1, name),
            TableChange::ModifyColumn(column) => defined(self, 2, column),
            TableChange::RenameColumn { from, to } => renamed(self, 3, from, to),
            TableChange::SetCompression(column) => defined(self, 4, column),
            TableChange::AddTag(tag) => defined(self, 5, tag),
            TableChange::DropTag(name) => named(self, 6, name),
            TableChange::ModifyTag(tag) => defined(self, 7, tag),
            TableChange::RenameTag { from, to } => renamed(self, 8, from, to),
            TableChange::SetTag(tag) => {
                self.byte(9);
                self.tag(tag);
            }
            TableChange::SetOptions { ttl, comment } => {
                self.byte(10);
                self.options(*ttl, comment.as_ref());
            }
            TableChange::AddTagIndex(name) => named(self, 11, name),
            TableChange::DropTagIndex(name) => named(self, 12, name),
        }
    }

    fn column(&mut self, column: &MetaColumn) {
        self.text(&column.name);
        self.data_type(column.data_type);
        self.byte(column.primary_key.into());
        for option in [column.encode, column.compress, column.level] {
            self.text(option);
        }
    }

    fn tag(&mut self, tag: &MetaTag) {
        self.text(&tag.name);
        self.data_type(tag.data_type);
        self.value(&tag.value);
    }

    fn data_type(&mut self, data_type: DataType) {
        self.byte(data_type.id());
        match data_type {
            DataType::Decimal(precision, scale) => self.out.extend_from_slice(&[precision, scale]),
            other => self.number(other.length()),
        }
    }

    fn value(&mut self, value: &Value) {
        self.byte(value.data_type().id());
        match value {
            Value::Null => {}
            Value::Bool(value) => self.byte((*value).into()),
            Value::TinyInt(value) => self.signed((*value).into()),
            Value::SmallInt(value) => self.signed((*value).into()),
            Value::Int(value) => self.signed((*value).into()),
            Value::BigInt(value) | Value::Timestamp(value) => self.signed(*value),
            Value::UTinyInt(value) => self.number(*value),
            Value::USmallInt(value) => self.number(*value),
            Value::UInt(value) => self.number(*value),
            Value::UBigInt(value) => self.number(*value),
            Value::Float(value) => self.number(value.to_bits()),
            Value::Double(value) => self.number(value.to_bits()),
            Value::Varchar(bytes) | Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => self.bytes(bytes),
            Value::NChar(text) | Value::Json(text) => self.text(text),
            Value::Decimal(value, precision, scale) => {
                self.out.extend_from_slice(&[*precision, *scale]);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }
}

fn kind_number(kind: TableKind) -> u8 {
    match kind {
        TableKind::Super => 0,
        TableKind::Child => 1,
        TableKind::Normal => 2,
    }
}

/// Every reading gives `None` where the bytes are not what they should be.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.bytes.split_first()?;
        self.bytes = rest;
        Some(*byte)
    }

    fn number<T: TryFrom<u64>>(&mut self) -> Option<T> {
        let (number, rest) = varint::read(self.bytes)?;
        self.bytes = rest;
        number.try_into().ok()
    }

    fn signed<T: TryFrom<i64>>(&mut self) -> Option<T> {
        let (number, rest) = varint::read_signed(self.bytes)?;
        self.bytes = rest;
        number.try_into().ok()
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn section(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length)
    }

    fn text(&mut self) -> Option<String> {
        String::from_utf8(self.section()?.to_vec()).ok()
    }

    fn list<T>(&mut self, each: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count: usize = self.number()?;
        // Each takes a byte at least.
        if count > self.bytes.len() { None } else { (0..count).map(|_| each(self)).collect() }
    }

    fn options(&mut self) -> Option<(u32, Option<String>)> {
        Some((self.number()?, self.list(Self::text)?.pop()))
    }

    fn kind(&mut self) -> Option<TableKind> {
        match self.byte()? {
            0 => Some(TableKind::Super),
            1 => Some(TableKind::Child),
            2 => Some(TableKind::Normal),
            _ => None,
        }
    }

    fn event(&mut self) -> Option<MetaEvent> {
        let number = self.byte()?;
        let table = self.text()?;
        Some(match number {
            0 => {
                let (schema_version, columns, tags) = (self.number()?, self.list(Self::column)?, self.list(Self::column)?);
                MetaEvent::CreateSuper { table, schema_version, columns, tags, comment: self.options()?.1 }
            }
            1 => {
                let (schema_version, columns) = (self.number()?, self.list(Self::column)?);
                let (ttl, comment) = self.options()?;
                MetaEvent::CreateNormal { table, schema_version, columns, ttl, comment }
            }
            2 => {
                let (supertable, tags) = (self.text()?, self.list(Self::tag)?);
                let (ttl, comment) = self.options()?;
                MetaEvent::CreateChild { table, supertable, tags, ttl, comment }
            }
            3 => MetaEvent::Alter { table, kind: self.kind()?, change: self.change()? },
            4 => MetaEvent::Drop { table, kind: self.kind()? },
            5 => MetaEvent::Delete { table, column: self.text()?, start: self.signed()?, end: self.signed()? },
            _ => return None,
        })
    }

    fn change(&mut self) -> Option<TableChange> {
        Some(match self.byte()? {
            0 => TableChange::AddColumn(self.column()?),
            1 => TableChange::DropColumn(self.text()?),
            2 => TableChange::ModifyColumn(self.column()?),
            3 => TableChange::RenameColumn { from: self.text()?, to: self.text()? },
            4 => TableChange::SetCompression(self.column()?),
            5 => TableChange::AddTag(self.column()?),
            6 => TableChange::DropTag(self.text()?),
            7 => TableChange::ModifyTag(self.column()?),
            8 => TableChange::RenameTag { from: self.text()?, to: self.text()? },
            9 => TableChange::SetTag(self.tag()?),
            10 => {
                let (ttl, comment) = self.options()?;
                TableChange::SetOptions { ttl, comment }
            }
            11 => TableChange::AddTagIndex(self.text()?),
            12 => TableChange::DropTagIndex(self.text()?),
            _ => return None,
        })
    }

    fn column(&mut self) -> Option<MetaColumn> {
        let (name, data_type, primary_key) = (self.text()?, self.data_type()?, self.byte()? != 0);
        let mut option = || self.text().map(|name| option_name(&name));
        Some(MetaColumn { name, data_type, primary_key, encode: option()?, compress: option()?, level: option()? })
    }

    fn tag(&mut self) -> Option<MetaTag> {
        Some(MetaTag { name: self.text()?, data_type: self.data_type()?, value: self.value()? })
    }

    fn data_type(&mut self) -> Option<DataType> {
        let id = self.byte()?;
        match DataType::from_id(id, 0).ok()? {
            DataType::Decimal(..) => Some(DataType::Decimal(self.byte()?, self.byte()?)),
            _ => DataType::from_id(id, self.number()?).ok(),
        }
    }

    fn value(&mut self) -> Option<Value> {
        Some(match DataType::from_id(self.byte()?, 0).ok()? {
            DataType::Null => Value::Null,
            DataType::Bool => Value::Bool(self.byte()? != 0),
            DataType::TinyInt => Value::TinyInt(self.signed()?),
            DataType::SmallInt => Value::SmallInt(self.signed()?),
            DataType::Int => Value::Int(self.signed()?),
            DataType::BigInt => Value::BigInt(self.signed()?),
            DataType::Timestamp => Value::Timestamp(self.signed()?),
            DataType::UTinyInt => Value::UTinyInt(self.number()?),
            DataType::USmallInt => Value::USmallInt(self.number()?),
            DataType::UInt => Value::UInt(self.number()?),
            DataType::UBigInt => Value::UBigInt(self.number()?),
            DataType::Float => Value::Float(f32::from_bits(self.number()?)),
            DataType::Double => Value::Double(f64::from_bits(self.number()?)),
            DataType::Varchar(_) => Value::Varchar(self.section()?.to_vec()),
            DataType::VarBinary(_) => Value::VarBinary(self.section()?.to_vec()),
            DataType::Geometry(_) => Value::Geometry(self.section()?.to_vec()),
            DataType::Blob | DataType::MediumBlob => Value::Blob(self.section()?.to_vec()),
            DataType::NChar(_) => Value::NChar(self.text()?),
            DataType::Json => Value::Json(self.text()?),
            DataType::Decimal(..) => {
                let (precision, scale) = (self.byte()?, self.byte()?);
                Value::Decimal(i128::from_le_bytes(*self.take(16)?.first_chunk()?), precision, scale)
            }
        })
    }
}
