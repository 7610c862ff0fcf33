//! Rows about databases and tables.

use std::fmt::Write;

use embudo_catalog::{AggregateKind, Column, Database, Supertable};
use embudo_storage::Uid;
use embudo_types::{DataType, Precision, Value};

use super::columns::{INFORMATION, PERFORMANCE, TABLES};
use crate::Engine;
use crate::row_set::text;

type Push<'a> = &'a mut dyn FnMut(Vec<Value>);

fn optional_text(value: Option<&str>) -> Value {
    value.map_or(Value::Null, text)
}

/// `ins_databases`: the two system ones first, of which little is said.
pub(crate) fn databases(engine: &Engine, push: Push<'_>) {
    for name in [INFORMATION, PERFORMANCE] {
        let tables = TABLES.iter().filter(|table| table.database == name).count() as i64;
        let mut row = vec![Value::Null; 34];
        row[0] = text(name);
        row[3] = Value::BigInt(tables);
        row[15] = text("ready");
        push(row);
    }
    for database in engine.catalog().databases() {
        push(database_row(&database));
    }
}

fn database_row(database: &Database) -> Vec<Value> {
    let o = database.options();
    let int = |value: i64| Value::Int(value as i32);
    let small = |value: i64| Value::SmallInt(value as i16);
    let tiny = |value: i64| Value::TinyInt(value as i8);
    let [keep0, keep1, keep2] = o.keep;
    vec![
        text(&*database.name),
        Value::Timestamp(database.created),
        int(o.vgroups),
        Value::BigInt(database.table_count() as i64),
        tiny(o.replica),
        text("on"),
        text(format!("{}m", o.duration)),
        text(format!("{keep0}m,{keep1}m,{keep2}m")),
        int(o.buffer),
        int(o.page_size),
        int(o.pages),
        int(o.min_rows),
        int(o.max_rows),
        tiny(o.compression),
        text(o.precision.name()),
        text("ready"),
        if o.retentions.is_empty() { Value::Null } else { text(&o.retentions) },
        Value::Bool(o.single_stable != 0),
        text(o.cache_model.name()),
        int(o.cache_size),
        tiny(o.wal_level),
        int(o.wal_fsync_period),
        int(o.wal_retention_period),
        Value::BigInt(o.wal_retention_size),
        small(o.stt_trigger),
        small(o.table_prefix),
        small(o.table_suffix),
        int(o.tsdb_page_size),
        int(o.keep_time_offset),
        int(o.s3_chunk_size),
        text(format!("{}m", o.s3_keep_local)),
        tiny(o.s3_compact),
        tiny(0),
        text("none"),
    ]
}

/// `ins_indexes`.
pub(crate) fn indexes(engine: &Engine, push: Push<'_>) {
    for_each_supertable(engine, |database, table| {
        let schema = table.schema();
        for index in table.indexes().iter() {
            let tag = schema.tags.iter().find(|tag| tag.id == index.tag);
            push(vec![
                text(&*index.name),
                text(&*database.name),
                text(&*table.name),
                Value::Null,
                Value::Timestamp(index.created),
                optional_text(tag.map(|tag| &*tag.name)),
                text("tag_index"),
            ]);
        }
    });
    for database in engine.catalog().databases() {
        for index in database.aggregates().iter().filter(|aggregates| aggregates.kind == AggregateKind::SmaIndex) {
            let named = [&index.name, &database.name, &index.table].map(|name| text(&**name));
            push(named.into_iter().chain([Value::Null, Value::Timestamp(index.created), text(&index.functions), text("sma_index")]).collect());
        }
    }
}

/// `ins_tsmas`: none is made by a stream or kept in a table of its own, so these stay empty.
pub(crate) fn tsmas(engine: &Engine, push: Push<'_>) {
    for database in engine.catalog().databases() {
        for tsma in database.aggregates().iter().filter(|aggregates| aggregates.kind == AggregateKind::Tsma) {
            push(vec![
                text(&*tsma.name),
                text(&*database.name),
                text(&*tsma.table),
                Value::Null,
                Value::Null,
                Value::Null,
                Value::Timestamp(tsma.created),
                text(&tsma.interval),
                text(&tsma.statement),
                text(&tsma.functions),
            ]);
        }
    }
}

fn for_each_supertable(engine: &Engine, mut work: impl FnMut(&Database, &Supertable)) {
    for database in engine.catalog().databases() {
        for table in database.supertables() {
            work(&database, &table);
        }
    }
}

/// `ins_stables`.
pub(crate) fn supertables(engine: &Engine, push: Push<'_>) {
    for_each_supertable(engine, |database, table| {
        let schema = table.schema();
        push(vec![
            text(&*table.name),
            text(&*database.name),
            Value::Timestamp(table.created),
            Value::Int(schema.columns.len() as i32),
            Value::Int(schema.tags.len() as i32),
            Value::Timestamp(table.altered()),
            optional_text(table.options().comment.as_deref()),
            text("-1a,-1a"),
            text("-1a,-1a"),
            text(""),
        ]);
    });
}

/// `ins_tables`: system tables, then every database's normal tables and children.
pub(crate) fn tables(engine: &Engine, push: Push<'_>) {
    for table in TABLES {
        let mut row = vec![Value::Null; 10];
        row[0] = text(table.name);
        row[1] = text(table.database);
        row[3] = Value::Int(table.columns.len() as i32);
        row[9] = text("SYSTEM_TABLE");
        push(row);
    }
    for database in engine.catalog().databases() {
        let first_vgroup = database.first_vgroup;
        let vgroup = |uid: Uid| Value::Int(first_vgroup + i32::from(database.store().shard_of(uid)));
        for table in database.normal_tables() {
            let options = table.options();
            push(vec![
                text(&*table.name),
                text(&*database.name),
                Value::Timestamp(table.created),
                Value::Int(table.schema().columns.len() as i32),
                Value::Null,
                Value::BigInt(table.uid as i64),
                vgroup(table.uid),
                Value::Int(options.ttl as i32),
                optional_text(options.comment.as_deref()),
                text("NORMAL_TABLE"),
            ]);
        }
        for table in database.supertables() {
            let children = table.children();
            let columns = Value::Int(children.schema().columns.len() as i32);
            for slot in children.slots() {
                let (uid, options) = (children.uid(slot), children.options(slot));
                push(vec![
                    text(&*children.name(slot)),
                    text(&*database.name),
                    Value::Timestamp(children.created(slot)),
                    columns.clone(),
                    text(&*table.name),
                    Value::BigInt(uid as i64),
                    vgroup(uid),
                    Value::Int(options.ttl as i32),
                    optional_text(options.comment.as_deref()),
                    text("CHILD_TABLE"),
                ]);
            }
        }
    }
}

/// `ins_views`.
pub(crate) fn views(engine: &Engine, push: Push<'_>) {
    for database in engine.catalog().databases() {
        for view in database.views() {
            push(vec![
                text(&*view.name),
                text(&*database.name),
                text(&view.effective_user),
                Value::Timestamp(view.created),
                text("NORMAL"),
                text(&view.query),
                Value::Null,
                Value::Null,
                Value::Null,
            ]);
        }
    }
}

/// `ins_tags`: one row a child and tag.
pub(crate) fn tags(engine: &Engine, push: Push<'_>) {
    for_each_supertable(engine, |database, table| {
        let children = table.children();
        for slot in children.slots() {
            let name = children.name(slot);
            for (position, tag) in children.schema().tags.iter().enumerate() {
                push(vec![
                    text(&*name),
                    text(&*database.name),
                    text(&*table.name),
                    text(&*tag.name),
                    text(tag.data_type.to_string()),
                    tag_text(&children.tag_value(position, slot), database.precision()).map_or(Value::Null, text),
                ]);
            }
        }
    });
}

/// A tag's value as `ins_tags` shows it; `None` for NULL.
pub(crate) fn tag_text(value: &Value, _precision: Precision) -> Option<String> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(v) => v.to_string(),
        Value::TinyInt(v) => v.to_string(),
        Value::SmallInt(v) => v.to_string(),
        Value::Int(v) => v.to_string(),
        Value::BigInt(v) | Value::Timestamp(v) => v.to_string(),
        Value::UTinyInt(v) => v.to_string(),
        Value::USmallInt(v) => v.to_string(),
        Value::UInt(v) => v.to_string(),
        Value::UBigInt(v) => v.to_string(),
        Value::Float(v) => format!("{v:.5}"),
        Value::Double(v) => format!("{v:.9}"),
        Value::Varchar(v) => String::from_utf8_lossy(v).into_owned(),
        Value::NChar(v) | Value::Json(v) => v.clone(),
        Value::VarBinary(v) => v.iter().fold("\\x".to_owned(), |mut out, byte| {
            // Writing to a string does not fail.
            let _ = write!(out, "{byte:02X}");
            out
        }),
        Value::Geometry(v) | Value::Blob(v) => String::from_utf8_lossy(v).into_owned(),
        Value::Decimal(unscaled, _, scale) => decimal_text(*unscaled, *scale),
    })
}

fn decimal_text(unscaled: i128, scale: u8) -> String {
    let digits = unscaled.unsigned_abs().to_string();
    let scale = usize::from(scale);
    let padded = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let sign = if unscaled < 0 { "-" } else { "" };
    if scale == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// `ins_columns`: of system tables, supertables, normal tables and children.
pub(crate) fn columns(engine: &Engine, push: Push<'_>) {
    for table in TABLES {
        for (name, data_type) in table.columns {
            push(column_row(table.name, table.database, "SYSTEM_TABLE", name, *data_type));
        }
    }
    for database in engine.catalog().databases() {
        let mut of_table = |name: &str, kind: &str, columns: &[Column]| {
            for column in columns {
                push(column_row(name, &database.name, kind, &column.name, column.data_type));
            }
        };
        for table in database.normal_tables() {
            of_table(&table.name, "NORMAL_TABLE", &table.schema().columns);
        }
        for table in database.supertables() {
            let children = table.children();
            of_table(&table.name, "SUPER_TABLE", &children.schema().columns);
            for slot in children.slots() {
                of_table(&children.name(slot), "CHILD_TABLE", &children.schema().columns);
            }
        }
    }
}

fn column_row(table: &str, database: &str, kind: &str, name: &str, data_type: DataType) -> Vec<Value> {
    let length = Value::Int(data_type.storage_length() as i32);
    vec![text(table), text(database), text(kind), text(name), text(data_type.to_string()), length, Value::Null, Value::Null, Value::Null]
}
