//! Events as TDengine's clients get them from `fetch_json_meta`: one object, or a list of them where events come in batches.

use std::fmt::Write;

use embudo_types::{
    DataType, Error, Result, Value, code,
    subscription::{MetaColumn, MetaEvent, MetaTag, TableChange, TableKind},
};
use serde_json::{Map, Value as Json};

use super::option_name;

/// The version of the list's form.
const VERSION: &str = "1.0";

/// Numbers of the changes of a table.
mod alter {
    pub const ADD_TAG: u64 = 1;
    pub const DROP_TAG: u64 = 2;
    pub const RENAME_TAG: u64 = 3;
    pub const SET_TAG: u64 = 4;
    pub const ADD_COLUMN: u64 = 5;
    pub const DROP_COLUMN: u64 = 6;
    pub const MODIFY_COLUMN: u64 = 7;
    pub const MODIFY_TAG: u64 = 8;
    pub const SET_OPTIONS: u64 = 9;
    pub const RENAME_COLUMN: u64 = 10;
    pub const ADD_TAG_INDEX: u64 = 11;
    pub const DROP_TAG_INDEX: u64 = 12;
    pub const SET_COMPRESSION: u64 = 13;
}

/// The events of one message. Tables that one statement made or dropped are one object; `in_list` is how a consumer with
/// `msg.enable.batchmeta` gets them.
pub fn encode(events: &[MetaEvent], in_list: bool) -> String {
    let objects = objects(events);
    match objects.as_slice() {
        [object] if !in_list => object.clone(),
        objects => format!("{{\"tmq_meta_version\":\"{VERSION}\",\"metas\":[{}]}}", objects.join(",")),
    }
}

/// Neighbours that are children being made, or tables being dropped, go together.
fn objects(events: &[MetaEvent]) -> Vec<String> {
    let together = |left: &MetaEvent, right: &MetaEvent| match (left, right) {
        (MetaEvent::CreateChild { .. }, MetaEvent::CreateChild { .. }) => true,
        (MetaEvent::Drop { kind: left, .. }, MetaEvent::Drop { kind: right, .. }) => *left != TableKind::Super && *right != TableKind::Super,
        _ => false,
    };
    events.chunk_by(together).map(object).collect()
}

fn object(events: &[MetaEvent]) -> String {
    match events {
        [MetaEvent::CreateChild { .. }, ..] => create_children(events),
        [MetaEvent::Drop { kind: TableKind::Child | TableKind::Normal, .. }, ..] => {
            let names = events.iter().filter_map(|event| if let MetaEvent::Drop { table, .. } = event { Some(table.as_str()) } else { None });
            Object::of("drop").json("tableNameList", &list(names.map(quoted))).finish()
        }
        [MetaEvent::CreateSuper { table, columns, tags, .. }] => create("super", table, columns, tags),
        [MetaEvent::CreateNormal { table, columns, .. }] => create("normal", table, columns, &[]),
        [MetaEvent::Alter { table, kind, change }] => alteration(table, *kind, change),
        [MetaEvent::Drop { table, .. }] => Object::of("drop").text("tableType", "super").text("tableName", table).finish(),
        [MetaEvent::Delete { table, column, start, end }] => {
            let sql = format!("delete from `{table}` where `{column}` >= {start} and `{column}` <= {end}");
            Object::of("delete").text("sql", &sql).finish()
        }
        _ => Object::default().finish(),
    }
}

fn create(kind: &str, table: &str, columns: &[MetaColumn], tags: &[MetaColumn]) -> String {
    let column = |column: &MetaColumn| {
        let object = Object::default().text("name", &column.name).typed("type", "length", column.data_type);
        let object = object.json("isPrimarykey", if column.primary_key { "true" } else { "false" });
        object.text("encode", column.encode).text("compress", column.compress).text("level", column.level).finish()
    };
    let tag = |tag: &MetaColumn| Object::default().text("name", &tag.name).typed("type", "length", tag.data_type).finish();
    let object = Object::of("create").text("tableType", kind).text("tableName", table);
    object.json("columns", &list(columns.iter().map(column))).json("tags", &list(tags.iter().map(tag))).finish()
}

/// The first child stands for itself; where there are several, all of them follow in a list.
fn create_children(events: &[MetaEvent]) -> String {
    let child = |object: Object, event: &MetaEvent| {
        let MetaEvent::CreateChild { table, supertable, tags, .. } = event else { return object };
        // Tags without a value are left out.
        let values = tags.iter().filter(|tag| !tag.value.is_null());
        let values = values.map(|tag| Object::default().text("name", &tag.name).number("type", tag.data_type.id()).json("value", &value(&tag.value)).finish());
        object.text("tableName", table).text("using", supertable).number("tagNum", tags.len() as u64).json("tags", &list(values))
    };
    let all = if events.len() > 1 { events } else { &[] };
    let object = events.iter().take(1).fold(Object::of("create").text("tableType", "child"), child);
    object.json("createList", &list(all.iter().map(|event| child(Object::default(), event).finish()))).finish()
}

fn alteration(table: &str, kind: TableKind, change: &TableChange) -> String {
    let kind = match kind {
        TableKind::Super => "super",
        TableKind::Child => "child",
        TableKind::Normal => "normal",
    };
    let object = |number: u64| Object::of("alter").text("tableType", kind).text("tableName", table).number("alterType", number);
    let named = |number: u64, name: &str| object(number).text("colName", name);
    let defined = |number: u64, column: &MetaColumn| named(number, &column.name).typed("colType", "colLength", column.data_type);
    let renamed = |number: u64, from: &str, to: &str| named(number, from).text("colNewName", to);
    match change {
        TableChange::AddColumn(column) => defined(alter::ADD_COLUMN, column),
        TableChange::DropColumn(name) => named(alter::DROP_COLUMN, name),
        TableChange::ModifyColumn(column) => defined(alter::MODIFY_COLUMN, column),
        TableChange::RenameColumn { from, to } => renamed(alter::RENAME_COLUMN, from, to),
        TableChange::SetCompression(column) => {
            named(alter::SET_COMPRESSION, &column.name).text("encode", column.encode).text("compress", column.compress).text("level", column.level)
        }
        TableChange::AddTag(tag) => defined(alter::ADD_TAG, tag),
        TableChange::DropTag(name) => named(alter::DROP_TAG, name),
        TableChange::ModifyTag(tag) => defined(alter::MODIFY_TAG, tag),
        TableChange::RenameTag { from, to } => renamed(alter::RENAME_TAG, from, to),
        TableChange::SetTag(tag) => {
            let object = named(alter::SET_TAG, &tag.name);
            let is_null = tag.value.is_null();
            let object = if is_null { object } else { object.text("colValue", &text_of(&tag.value)) };
            object.json("colValueNull", if is_null { "true" } else { "false" })
        }
        TableChange::SetOptions { ttl, comment } => {
            let object = object(alter::SET_OPTIONS).number("ttl", *ttl);
            comment.iter().fold(object, |object, comment| object.text("comment", comment))
        }
        TableChange::AddTagIndex(name) => named(alter::ADD_TAG_INDEX, name),
        TableChange::DropTagIndex(name) => named(alter::DROP_TAG_INDEX, name),
    }
    .finish()
}

/// An object being written, its members in the order in which TDengine has them.
#[derive(Default)]
struct Object {
    text: String,
}

impl Object {
    fn of(kind: &str) -> Self {
        Self::default().text("type", kind)
    }

    fn json(mut self, name: &str, json: &str) -> Self {
        self.text.push(if self.text.is_empty() { '{' } else { ',' });
        // Writing to a string never fails.
        let _ = write!(self.text, "\"{name}\":{json}");
        self
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.json(name, &quoted(text))
    }

    fn number(self, name: &str, number: impl Into<u64>) -> Self {
        self.json(name, &number.into().to_string())
    }

    /// A type, and its length where it has one. That of a decimal is its digits and its scale in one number.
    fn typed(self, name: &str, length_name: &str, data_type: DataType) -> Self {
        let object = self.number(name, data_type.id());
        match data_type {
            DataType::Varchar(length) | DataType::NChar(length) | DataType::VarBinary(length) | DataType::Geometry(length) => {
                object.number(length_name, length)
            }
            DataType::Decimal(precision, scale) => object.number(length_name, u32::from(precision) << 8 | u32::from(scale)),
            _ => object,
        }
    }

    fn finish(mut self) -> String {
        self.text.push_str(if self.text.is_empty() { "{}" } else { "}" });
        self.text
    }
}

fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

/// A tag's value: a number where it is one, else a text that holds the value as SQL writes it.
fn value(value: &Value) -> String {
    match value {
        Value::Bool(value) => u8::from(*value).to_string(),
        Value::Float(number) => float(f64::from(*number)),
        Value::Double(number) => float(*number),
        Value::Json(text) => quoted(text),
        Value::Varchar(_) | Value::NChar(_) | Value::VarBinary(_) | Value::Geometry(_) | Value::Blob(_) | Value::Decimal(..) => quoted(&text_of(value)),
        other => text_of(other),
    }
}

fn float(number: f64) -> String {
    // Whole numbers have no fraction here.
    if number.fract() == 0.0 && number.abs() < 1e15 { format!("{number:.0}") } else { Json::from(number).to_string() }
}

/// A value as SQL writes it.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) | Value::Timestamp(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Float(value) => Json::from(*value).to_string(),
        Value::Double(value) => Json::from(*value).to_string(),
        Value::Varchar(bytes) => format!("\"{}\"", String::from_utf8_lossy(bytes)),
        Value::NChar(text) => format!("\"{text}\""),
        Value::Json(text) => text.clone(),
        Value::VarBinary(bytes) | Value::Geometry(bytes) | Value::Blob(bytes) => {
            bytes.iter().fold("\"\\x".to_owned(), |text, byte| text + &format!("{byte:02X}")) + "\""
        }
        Value::Decimal(value, _, scale) => {
            let mut out = Vec::new();
            crate::number::write_decimal(*value, *scale, &mut out);
            String::from_utf8_lossy(&out).into_owned()
        }
    }
}

/// Reads what [`encode`] writes. What JSON does not tell — TTL, comments, lengths of tags' types, versions — is as if there were none.
pub fn decode(json: &Json) -> Result<Vec<MetaEvent>> {
    let objects = json["metas"].as_array().map_or(std::slice::from_ref(json), Vec::as_slice);
    let mut events = Vec::new();
    for object in objects {
        let object = object.as_object().and_then(|object| read(object, &mut events));
        object.ok_or_else(|| Error::with(code::INVALID_MESSAGE, format!("{}: events that cannot be read", code::INVALID_MESSAGE.text())))?;
    }
    Ok(events)
}

fn read(object: &Map<String, Json>, events: &mut Vec<MetaEvent>) -> Option<()> {
    let text = |name: &str| object.get(name)?.as_str().map(str::to_owned);
    let list = |name: &str| object.get(name).and_then(Json::as_array).map_or(&[][..], Vec::as_slice);
    let columns = |name: &str| list(name).iter().map(read_column).collect::<Option<Vec<_>>>();
    match (object.get("type")?.as_str()?, object.get("tableType").and_then(Json::as_str)) {
        ("create", Some("super")) => {
            let (table, columns, tags) = (text("tableName")?, columns("columns")?, columns("tags")?);
            events.push(MetaEvent::CreateSuper { table, schema_version: 1, columns, tags, comment: None });
        }
        ("create", Some("normal")) => {
            events.push(MetaEvent::CreateNormal { table: text("tableName")?, schema_version: 1, columns: columns("columns")?, ttl: 0, comment: None });
        }
        ("create", Some("child")) => {
            let several = list("createList");
            if several.is_empty() {
                events.push(read_child(object)?);
            }
            for child in several {
                events.push(read_child(child.as_object()?)?);
            }
        }
        ("alter", Some(kind)) => {
            let kind = match kind {
                "super" => TableKind::Super,
                "child" => TableKind::Child,
                "normal" => TableKind::Normal,
                _ => return None,
            };
            let change = read_change(object)?;
            // A change of one tag's value is that of a child, whatever kind the server calls it.
            let kind = if matches!(change, TableChange::SetTag(_)) { TableKind::Child } else { kind };
            events.push(MetaEvent::Alter { table: text("tableName")?, kind, change });
        }
        ("drop", Some("super")) => events.push(MetaEvent::Drop { table: text("tableName")?, kind: TableKind::Super }),
        ("drop", _) => {
            for table in list("tableNameList") {
                events.push(MetaEvent::Drop { table: table.as_str()?.to_owned(), kind: TableKind::Child });
            }
        }
        ("delete", _) => events.push(read_delete(object.get("sql")?.as_str()?)?),
        _ => return None,
    }
    Some(())
}

fn read_type(object: &Map<String, Json>, name: &str, length_name: &str) -> Option<DataType> {
    let (id, length) = (u8::try_from(object.get(name)?.as_u64()?).ok()?, object.get(length_name).and_then(Json::as_u64).unwrap_or(0));
    match DataType::from_id(id, u32::try_from(length).ok()?).ok()? {
        DataType::Decimal(..) if length > 0 => Some(DataType::Decimal((length >> 8) as u8, length as u8)),
        other => Some(other),
    }
}

fn read_column(json: &Json) -> Option<MetaColumn> {
    let object = json.as_object()?;
    Some(column_named(object.get("name")?.as_str()?, read_type(object, "type", "length")?, object))
}

fn column_named(name: &str, data_type: DataType, object: &Map<String, Json>) -> MetaColumn {
    let option = |name: &str| option_name(object.get(name).and_then(Json::as_str).unwrap_or_default());
    let primary_key = object.get("isPrimarykey").and_then(Json::as_bool).unwrap_or(false);
    MetaColumn { name: name.to_owned(), data_type, primary_key, encode: option("encode"), compress: option("compress"), level: option("level") }
}

fn read_child(object: &Map<String, Json>) -> Option<MetaEvent> {
    let text = |name: &str| object.get(name)?.as_str().map(str::to_owned);
    let tag = |tag: &Json| {
        let tag = tag.as_object()?;
        let data_type = read_type(tag, "type", "length")?;
        Some(MetaTag { name: tag.get("name")?.as_str()?.to_owned(), data_type, value: read_value(tag.get("value")?, data_type)? })
    };
    let tags = object.get("tags")?.as_array()?.iter().map(tag).collect::<Option<_>>()?;
    Some(MetaEvent::CreateChild { table: text("tableName")?, supertable: text("using")?, tags, ttl: 0, comment: None })
}

fn read_value(json: &Json, data_type: DataType) -> Option<Value> {
    let bytes = || {
        let text = json.as_str()?;
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        Some(text.to_owned())
    };
    let signed = || json.as_i64();
    let unsigned = || json.as_u64();
    Some(match data_type {
        DataType::Bool => Value::Bool(json.as_f64()? != 0.0),
        DataType::TinyInt => Value::TinyInt(signed()?.try_into().ok()?),
        DataType::SmallInt => Value::SmallInt(signed()?.try_into().ok()?),
        DataType::Int => Value::Int(signed()?.try_into().ok()?),
        DataType::BigInt => Value::BigInt(signed()?),
        DataType::Timestamp => Value::Timestamp(signed()?),
        DataType::UTinyInt => Value::UTinyInt(unsigned()?.try_into().ok()?),
        DataType::USmallInt => Value::USmallInt(unsigned()?.try_into().ok()?),
        DataType::UInt => Value::UInt(unsigned()?.try_into().ok()?),
        DataType::UBigInt => Value::UBigInt(unsigned()?),
        DataType::Float => Value::Float(json.as_f64()? as f32),
        DataType::Double => Value::Double(json.as_f64()?),
        DataType::Varchar(_) => Value::Varchar(bytes()?.into_bytes()),
        DataType::NChar(_) => Value::NChar(bytes()?),
        DataType::Json => Value::Json(json.as_str()?.to_owned()),
        DataType::VarBinary(_) => Value::VarBinary(from_hex(&bytes()?)?),
        DataType::Geometry(_) => Value::Geometry(from_hex(&bytes()?)?),
        _ => return None,
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = digits.as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some((digit(*high)? << 4 | digit(*low)?) as u8)).collect::<Option<_>>()?;
    rest.is_empty().then_some(bytes)
}

fn read_change(object: &Map<String, Json>) -> Option<TableChange> {
    let name = || object.get("colName")?.as_str().map(str::to_owned);
    let new_name = || object.get("colNewName")?.as_str().map(str::to_owned);
    let column = || Some(column_named(&name()?, read_type(object, "colType", "colLength")?, object));
    Some(match object.get("alterType")?.as_u64()? {
        alter::ADD_TAG => TableChange::AddTag(column()?),
        alter::DROP_TAG => TableChange::DropTag(name()?),
        alter::RENAME_TAG => TableChange::RenameTag { from: name()?, to: new_name()? },
        alter::SET_TAG => {
            // The text does not tell the tag's type: it is what SQL makes of it.
            let is_null = object.get("colValueNull").and_then(Json::as_bool).unwrap_or(false);
            let text = object.get("colValue").and_then(Json::as_str).unwrap_or_default();
            let (data_type, value) = if is_null { (DataType::Null, Value::Null) } else { untyped(text) };
            TableChange::SetTag(MetaTag { name: name()?, data_type, value })
        }
        alter::ADD_COLUMN => TableChange::AddColumn(column()?),
        alter::DROP_COLUMN => TableChange::DropColumn(name()?),
        alter::MODIFY_COLUMN => TableChange::ModifyColumn(column()?),
        alter::MODIFY_TAG => TableChange::ModifyTag(column()?),
        alter::SET_OPTIONS => TableChange::SetOptions {
            ttl: object.get("ttl").and_then(Json::as_u64).and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(0),
            comment: object.get("comment").and_then(Json::as_str).map(str::to_owned),
        },
        alter::RENAME_COLUMN => TableChange::RenameColumn { from: name()?, to: new_name()? },
        alter::ADD_TAG_INDEX => TableChange::AddTagIndex(name()?),
        alter::DROP_TAG_INDEX => TableChange::DropTagIndex(name()?),
        alter::SET_COMPRESSION => TableChange::SetCompression(column_named(&name()?, DataType::Null, object)),
        _ => return None,
    })
}

/// A value whose type only its spelling tells.
fn untyped(text: &str) -> (DataType, Value) {
    let quoted = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let value = match (quoted, text.parse::<Json>()) {
        (Some(inner), _) => from_hex(inner).map_or_else(|| Value::Varchar(inner.as_bytes().to_vec()), Value::VarBinary),
        (None, Ok(Json::Bool(truth))) => Value::Bool(truth),
        (None, Ok(Json::Number(number))) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::BigInt(number),
            (None, Some(number)) => Value::UBigInt(number),
            (None, None) => Value::Double(number.as_f64().unwrap_or(f64::NAN)),
        },
        _ => Value::Json(text.to_owned()),
    };
    (value.data_type(), value)
}

/// Table, column, first and last tick of the statement in a deletion.
fn read_delete(sql: &str) -> Option<MetaEvent> {
    let rest = sql.strip_prefix("delete from `")?;
    let (table, rest) = rest.rsplit_once("` where `").map_or_else(|| rest.split_once("` where `"), Some)?;
    let (column, rest) = rest.split_once("` >= ")?;
    let (start, rest) = rest.split_once(" and `")?;
    let end = rest.strip_prefix(column)?.strip_prefix("` <= ")?;
    Some(MetaEvent::Delete { table: table.to_owned(), column: column.to_owned(), start: start.parse().ok()?, end: end.parse().ok()? })
}
