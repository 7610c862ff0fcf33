//! Rows about the engine as the one node of a cluster: nodes, vgroups, users, settings, what runs.

use embudo_catalog::{RightSet, RightTarget};
use embudo_types::Value;

use crate::Engine;
use crate::row_set::text;

pub(crate) type Push<'a> = &'a mut dyn FnMut(Vec<Value>);

/// What clients connect to, as a cluster would say it.
pub(crate) const ENDPOINT: &str = "localhost:6030";

/// Values of text.
pub(crate) fn texts(values: &[&str]) -> Vec<Value> {
    values.iter().map(text).collect()
}

fn milliseconds(nanoseconds: i64) -> Value {
    Value::Timestamp(nanoseconds / 1_000_000)
}

/// `ins_users`.
pub(crate) fn users(engine: &Engine, push: Push<'_>) {
    for user in engine.catalog().users() {
        push(vec![
            text(&user.name),
            Value::TinyInt(i8::from(user.superuser)),
            Value::TinyInt(user.enabled as i8),
            Value::TinyInt(user.sysinfo as i8),
            Value::Timestamp(user.created),
            text(user.hosts.join(",")),
            Value::TinyInt(i8::from(user.totp.is_some())),
        ]);
    }
}

/// `ins_tokens`: a token that never expires does so in 1970, as theirs.
pub(crate) fn tokens(engine: &Engine, push: Push<'_>) {
    for token in engine.catalog().tokens() {
        push(vec![
            text(&token.name),
            text(&token.user),
            text(&token.provider),
            Value::TinyInt(i8::from(token.enabled)),
            Value::Timestamp(token.created),
            Value::Timestamp(token.expires),
            text(&token.extra),
        ]);
    }
}

/// `ins_user_privileges`: root has all; of everybody else one row a right, or one for all.
pub(crate) fn privileges(engine: &Engine, push: Push<'_>) {
    for user in engine.catalog().users() {
        if user.superuser {
            push(texts(&[&user.name, "all", "all", "", "", ""]));
            continue;
        }
        let granted = engine.catalog().rights(&user.name);
        for (target, rights) in granted.granted() {
            let (database, table, condition) = match target {
                RightTarget::Everything => ("all", "", ""),
                RightTarget::Database(name) => (name.as_str(), "", ""),
                RightTarget::Table { database, name, condition } => (database.as_str(), name.as_str(), condition.as_deref().unwrap_or_default()),
            };
            let is_view = engine.catalog().database(database).is_ok_and(|database| database.view(table).is_some());
            let note = if is_view { "view" } else { "" };
            let words = if rights == RightSet::ALL { vec![rights] } else { RightSet::EACH.into_iter().filter(|right| rights.contains(*right)).collect() };
            for right in words {
                push(texts(&[&user.name, right.name(), database, table, condition, note]));
            }
        }
        granted.topics().for_each(|topic| push(texts(&[&user.name, "subscribe", topic, "", "", "topic"])));
        if granted.create_databases {
            push(texts(&[&user.name, "createdb", "all", "", "", ""]));
        }
    }
}

/// `ins_dnodes`.
pub(crate) fn dnodes(engine: &Engine, push: Push<'_>) {
    let vnodes: i32 = engine.catalog().databases().iter().map(|database| i32::from(database.store().shards())).sum();
    push(vec![
        Value::Int(1),
        text(ENDPOINT),
        Value::SmallInt(vnodes as i16),
        Value::SmallInt(1_024),
        text("ready"),
        Value::Timestamp(engine.catalog().cluster().created),
        milliseconds(engine.started()),
        text(""),
    ]);
}

/// `ins_mnodes`.
pub(crate) fn mnodes(engine: &Engine, push: Push<'_>) {
    let created = Value::Timestamp(engine.catalog().cluster().created);
    push(vec![Value::Int(1), text(ENDPOINT), text("leader"), text("ready"), created, milliseconds(engine.started())]);
}

/// `ins_cluster`.
pub(crate) fn cluster(engine: &Engine, push: Push<'_>) {
    let cluster = engine.catalog().cluster();
    let uptime = (engine.clock().now() - engine.started()) / 1_000_000_000;
    push(vec![
        Value::BigInt(cluster.id),
        text(format!("{:016x}", cluster.id)),
        Value::Int(uptime.clamp(0, i64::from(i32::MAX)) as i32),
        Value::Timestamp(cluster.created),
        text("community"),
        Value::Null,
    ]);
}

/// `ins_grants`.
pub(crate) fn grants(push: Push<'_>) {
    push(texts(&["community", "unlimited", "limited", "false", "ungranted", "unlimited", "unlimited", "unlimited"]));
}

/// `ins_vgroups`.
pub(crate) fn vgroups(engine: &Engine, push: Push<'_>) {
    for database in engine.catalog().databases() {
        let first = database.first_vgroup;
        let mut tables = vec![0_i32; usize::from(database.store().shards())];
        let mut count = |uid| tables[usize::from(database.store().shard_of(uid))] += 1;
        database.normal_tables().iter().for_each(|table| count(table.uid));
        for table in database.supertables() {
            let children = table.children();
            children.slots().iter().for_each(|slot| count(children.uid(slot)));
        }
        for (shard, tables) in tables.into_iter().enumerate() {
            let mut row = vec![Value::Int(first + shard as i32), text(&*database.name), Value::Int(tables), Value::SmallInt(1), text("leader")];
            row.resize(11, Value::Null);
            row.extend([Value::Int(0), Value::Int(0), Value::TinyInt(0)]);
            push(row);
        }
    }
}

/// `ins_vnodes`.
pub(crate) fn vnodes(engine: &Engine, push: Push<'_>) {
    let started = milliseconds(engine.started());
    for database in engine.catalog().databases() {
        let first = database.first_vgroup;
        for shard in 0..i32::from(database.store().shards()) {
            push(vec![Value::Int(1), Value::Int(first + shard), text(&*database.name), text("leader"), started.clone(), started.clone(), Value::Bool(true)]);
        }
    }
}

/// `perf_connections`.
pub(crate) fn connections(engine: &Engine, push: Push<'_>) {
    for (id, session) in engine.activity().sessions() {
        push(vec![
            Value::UInt(id),
            text(&session.user),
            text(&session.origin.application),
            Value::UInt(session.origin.process),
            text(&session.origin.address),
            Value::Timestamp(session.started),
            Value::Timestamp(session.last_access),
            text(&session.origin.user_application),
            text(&session.origin.user_address),
        ]);
    }
}

/// `perf_queries`.
pub(crate) fn queries(engine: &Engine, push: Push<'_>) {
    let now = engine.clock().now() / 1_000_000;
    for (id, statement, origin) in engine.activity().statements() {
        push(vec![
            text(format!("{:x}:{id:x}", statement.session)),
            Value::UBigInt(id),
            Value::UInt(statement.session),
            text(&origin.application),
            Value::Int(origin.process as i32),
            text(&statement.user),
            text(&origin.address),
            Value::Timestamp(statement.started),
            Value::BigInt((now - statement.started).max(0) * 1_000),
            Value::Bool(false),
            Value::Bool(false),
            Value::Int(0),
            text(""),
            text(&statement.sql),
        ]);
    }
}

/// `perf_apps`: this process.
pub(crate) fn apps(engine: &Engine, push: Push<'_>) {
    let mut row = vec![Value::UBigInt(u64::from(std::process::id())), text("127.0.0.1"), Value::Int(std::process::id() as i32), text("embudo")];
    row.push(milliseconds(engine.started()));
    row.resize(14, Value::UBigInt(0));
    row[13] = Value::UBigInt(engine.activity().counts().1 as u64);
    row.push(milliseconds(engine.clock().now()));
    push(row);
}
