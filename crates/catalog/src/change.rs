//! What happens to the tables of a database, as its log says it. A checkpoint is made of the same records: those that make every
//! table as it is now.

use std::sync::Arc;

use embudo_storage::Uid;
use embudo_types::{Result, Value};

use crate::record::{Reader, Writer, broken};
use crate::{Schema, TableOptions, TagIndex};

/// First byte of every Meta entry.
const VERSION: u8 = 1;

/// One change.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Change {
    /// CREATE STABLE.
    CreateSupertable { uid: Uid, name: Arc<str>, created: i64, altered: i64, schema: Schema, options: TableOptions, indexes: Vec<TagIndex> },
    /// CREATE TABLE with columns.
    CreateNormal { uid: Uid, name: Arc<str>, created: i64, schema: Schema, options: TableOptions },
    /// CREATE TABLE … USING, or INSERT … USING.
    CreateChild { uid: Uid, supertable: Uid, name: Arc<str>, created: i64, tags: Vec<Value>, options: TableOptions },
    /// DROP TABLE; of a supertable, its children go with it.
    DropTable { name: Arc<str> },
    /// ALTER TABLE of columns or tags; tags are added and dropped by their ids.
    SetSchema { name: Arc<str>, altered: i64, schema: Schema },
    /// SET TAG; `tag` is the tag's id.
    SetTag { name: Arc<str>, tag: u16, value: Value },
    /// ALTER TABLE … COMMENT, TTL.
    SetOptions { name: Arc<str>, options: TableOptions },
    /// CREATE INDEX, DROP INDEX.
    SetIndexes { name: Arc<str>, indexes: Vec<TagIndex> },
    /// No uid below this may be given again, whatever tables are left.
    NextUid { uid: Uid },
}

impl Change {
    /// The table that it is about.
    pub fn name(&self) -> Option<&Arc<str>> {
        match self {
            Self::CreateSupertable { name, .. }
            | Self::CreateNormal { name, .. }
            | Self::CreateChild { name, .. }
            | Self::DropTable { name }
            | Self::SetSchema { name, .. }
            | Self::SetTag { name, .. }
            | Self::SetOptions { name, .. }
            | Self::SetIndexes { name, .. } => Some(name),
            Self::NextUid { .. } => None,
        }
    }

    /// Whether it gives a table a TTL.
    pub fn sets_ttl(&self) -> bool {
        matches!(self, Self::CreateNormal { options, .. } | Self::CreateChild { options, .. } | Self::SetOptions { options, .. } if options.ttl > 0)
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Self::CreateSupertable { uid, name, created, altered, schema, options, indexes } => {
                w.byte(1);
                w.unsigned(*uid);
                w.text(name);
                w.signed(*created);
                w.signed(*altered);
                w.schema(schema);
                w.options(options);
                w.indexes(indexes);
            }
            Self::CreateNormal { uid, name, created, schema, options } => {
                w.byte(2);
                w.unsigned(*uid);
                w.text(name);
                w.signed(*created);
                w.schema(schema);
                w.options(options);
            }
            Self::CreateChild { uid, supertable, name, created, tags, options } => {
                w.byte(3);
                w.unsigned(*uid);
                w.unsigned(*supertable);
                w.text(name);
                w.signed(*created);
                w.unsigned(tags.len() as u64);
                for tag in tags {
                    w.value(tag);
                }
                w.options(options);
            }
            Self::DropTable { name } => {
                w.byte(4);
                w.text(name);
            }
            Self::SetSchema { name, altered, schema } => {
                w.byte(5);
                w.text(name);
                w.signed(*altered);
                w.schema(schema);
            }
            Self::SetTag { name, tag, value } => {
                w.byte(6);
                w.text(name);
                w.unsigned(u64::from(*tag));
                w.value(value);
            }
            Self::SetOptions { name, options } => {
                w.byte(7);
                w.text(name);
                w.options(options);
            }
            Self::SetIndexes { name, indexes } => {
                w.byte(8);
                w.text(name);
                w.indexes(indexes);
            }
            Self::NextUid { uid } => {
                w.byte(9);
                w.unsigned(*uid);
            }
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self> {
        Ok(match r.byte()? {
            1 => Self::CreateSupertable {
                uid: r.unsigned()?,
                name: r.text()?.into(),
                created: r.signed()?,
                altered: r.signed()?,
                schema: r.schema()?,
                options: r.options()?,
                indexes: r.indexes()?,
            },
            2 => Self::CreateNormal { uid: r.unsigned()?, name: r.text()?.into(), created: r.signed()?, schema: r.schema()?, options: r.options()? },
            3 => Self::CreateChild {
                uid: r.unsigned()?,
                supertable: r.unsigned()?,
                name: r.text()?.into(),
                created: r.signed()?,
                tags: r.values()?,
                options: r.options()?,
            },
            4 => Self::DropTable { name: r.text()?.into() },
            5 => Self::SetSchema { name: r.text()?.into(), altered: r.signed()?, schema: r.schema()? },
            6 => Self::SetTag { name: r.text()?.into(), tag: r.narrow()?, value: r.value()? },
            7 => Self::SetOptions { name: r.text()?.into(), options: r.options()? },
            8 => Self::SetIndexes { name: r.text()?.into(), indexes: r.indexes()? },
            9 => Self::NextUid { uid: r.unsigned()? },
            _ => return Err(broken()),
        })
    }
}

/// The bytes of a Meta entry.
pub(crate) fn encode(changes: &[Change]) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.byte(VERSION);
    for change in changes {
        change.write(&mut writer);
    }
    writer.0
}

/// The changes of a Meta entry.
pub(crate) fn decode(bytes: &[u8]) -> Result<Vec<Change>> {
    let mut reader = Reader(bytes);
    if reader.byte()? != VERSION {
        return Err(broken());
    }
    let mut changes = Vec::new();
    while !reader.is_empty() {
        changes.push(Change::read(&mut reader)?);
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use embudo_types::DataType;
    use proptest::prelude::*;

    use super::*;
    use crate::schema::{Column, Encoding};

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i8>().prop_map(Value::TinyInt),
            any::<i16>().prop_map(Value::SmallInt),
            any::<i32>().prop_map(Value::Int),
            any::<i64>().prop_map(Value::BigInt),
            any::<u8>().prop_map(Value::UTinyInt),
            any::<u16>().prop_map(Value::USmallInt),
            any::<u32>().prop_map(Value::UInt),
            any::<u64>().prop_map(Value::UBigInt),
            proptest::num::f32::NORMAL.prop_map(Value::Float),
            proptest::num::f64::NORMAL.prop_map(Value::Double),
            any::<i64>().prop_map(Value::Timestamp),
            any::<Vec<u8>>().prop_map(Value::Varchar),
            any::<String>().prop_map(Value::NChar),
            any::<String>().prop_map(Value::Json),
            any::<Vec<u8>>().prop_map(Value::VarBinary),
            any::<Vec<u8>>().prop_map(Value::Geometry),
            (any::<i128>(), 1..38u8, 0..10u8).prop_map(|(value, precision, scale)| Value::Decimal(value, precision, scale)),
        ]
    }

    fn data_type() -> impl Strategy<Value = DataType> {
        prop_oneof![
            Just(DataType::Bool),
            Just(DataType::BigInt),
            Just(DataType::Double),
            Just(DataType::Timestamp),
            Just(DataType::Json),
            (1..65_517u32).prop_map(DataType::Varchar),
            (1..16_379u32).prop_map(DataType::NChar),
            (1..65_517u32).prop_map(DataType::VarBinary),
            (1..65_517u32).prop_map(DataType::Geometry),
            (1..=38u8, 0..=10u8).prop_map(|(precision, scale)| DataType::Decimal(precision, scale)),
        ]
    }

    fn column() -> impl Strategy<Value = Column> {
        (any::<u16>(), any::<String>(), data_type(), any::<bool>()).prop_map(|(id, name, data_type, primary_key)| Column {
            primary_key,
            encode: Encoding::default_of(data_type),
            ..Column::new(id, &name, data_type)
        })
    }

    fn schema() -> impl Strategy<Value = Schema> {
        (any::<u32>(), proptest::collection::vec(column(), 0..5), proptest::collection::vec(column(), 0..5), any::<u16>())
            .prop_map(|(version, columns, tags, next_id)| Schema { version, columns, tags, next_id })
    }

    fn options() -> impl Strategy<Value = TableOptions> {
        (any::<Option<String>>(), any::<u32>(), any::<Option<Vec<u16>>>()).prop_map(|(comment, ttl, sma)| TableOptions {
            comment: comment.map(Arc::from),
            ttl,
            sma,
        })
    }

    fn name() -> impl Strategy<Value = Arc<str>> {
        any::<String>().prop_map(Arc::from)
    }

    fn change() -> impl Strategy<Value = Change> {
        let indexes = || proptest::collection::vec((name(), any::<u16>(), any::<i64>()).prop_map(|(name, tag, created)| TagIndex { name, tag, created }), 0..3);
        prop_oneof![
            (any::<u64>(), name(), any::<(i64, i64)>(), schema(), options(), indexes()).prop_map(
                |(uid, name, (created, altered), schema, options, indexes)| Change::CreateSupertable { uid, name, created, altered, schema, options, indexes }
            ),
            (any::<u64>(), name(), any::<i64>(), schema(), options()).prop_map(|(uid, name, created, schema, options)| Change::CreateNormal {
                uid,
                name,
                created,
                schema,
                options
            }),
            (any::<(u64, u64)>(), name(), any::<i64>(), proptest::collection::vec(value(), 0..6), options())
                .prop_map(|((uid, supertable), name, created, tags, options)| Change::CreateChild { uid, supertable, name, created, tags, options }),
            name().prop_map(|name| Change::DropTable { name }),
            (name(), any::<i64>(), schema()).prop_map(|(name, altered, schema)| Change::SetSchema { name, altered, schema }),
            (name(), any::<u16>(), value()).prop_map(|(name, tag, value)| Change::SetTag { name, tag, value }),
            (name(), options()).prop_map(|(name, options)| Change::SetOptions { name, options }),
            (name(), indexes()).prop_map(|(name, indexes)| Change::SetIndexes { name, indexes }),
            any::<u64>().prop_map(|uid| Change::NextUid { uid }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(changes in proptest::collection::vec(change(), 0..6)) {
            prop_assert_eq!(decode(&encode(&changes)).unwrap(), changes);
        }

        #[test]
        fn broken_bytes_are_an_error_not_a_panic(bytes in any::<Vec<u8>>()) {
            let mut versioned = vec![VERSION];
            versioned.extend(bytes);
            let _ = decode(&versioned);
        }

        #[test]
        fn cut_records_are_refused(change in change(), cut in any::<prop::sample::Index>()) {
            let bytes = encode(&[change]);
            let end = 1 + cut.index(bytes.len() - 1);
            if end > 1 && end < bytes.len() {
                prop_assert!(decode(&bytes[..end]).is_err());
            }
        }
    }
}
