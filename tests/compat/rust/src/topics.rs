//! Topics over WebSocket: a query and a database with its events; commits, offsets, seeking, a group that goes on.

use anyhow::ensure;
use taos::{AsAsyncConsumer, AsyncQueryable, AsyncTBuilder, IsAsyncData, IsAsyncMeta, IsOffset, JsonMeta, MessageSet, MetaUnit, TaosBuilder, Timeout, TmqBuilder};

/// "Nothing is committed."
const NOT_COMMITTED: i64 = -2_147_467_247;

type Consumer = <TmqBuilder as AsyncTBuilder>::Target;
type Offset = <Consumer as AsAsyncConsumer>::Offset;

async fn consumer(address: &str, group: &str, topic: &str) -> anyhow::Result<Consumer> {
    let dsn = format!("taos+ws://root:taosdata@{address}/?group.id={group}&client.id=compat&auto.offset.reset=earliest&enable.auto.commit=false");
    let mut consumer = TmqBuilder::from_dsn(dsn)?.build().await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

/// Polls until so many rows came and then nothing more: how many, where they were, which events.
async fn take(consumer: &Consumer, rows: usize) -> anyhow::Result<(usize, Vec<Offset>, Vec<MetaUnit>)> {
    let (mut count, mut offsets, mut events, mut empty) = (0, Vec::new(), Vec::new(), 0);
    while empty < 2 {
        let Some((offset, message)) = consumer.recv_timeout(Timeout::from_millis(500)).await? else {
            empty += usize::from(count >= rows);
            continue;
        };
        ensure!(offset.database() == "rust_topics", "{}", offset.database());
        offsets.push(offset);
        let (meta, data) = match message {
            MessageSet::Meta(meta) => (Some(meta), None),
            MessageSet::Data(data) => (None, Some(data)),
            MessageSet::MetaData(meta, data) => (Some(meta), Some(data)),
        };
        if let Some(meta) = meta {
            match meta.as_json_meta().await? {
                JsonMeta::Plural { metas, .. } => events.extend(metas),
                JsonMeta::Single(unit) => events.push(unit),
            }
        }
        if let Some(data) = data {
            while let Some(block) = data.fetch_raw_block().await? {
                count += block.nrows();
            }
        }
    }
    Ok((count, offsets, events))
}

pub async fn run(address: &str) -> anyhow::Result<()> {
    let taos = TaosBuilder::from_dsn(format!("taos+ws://root:taosdata@{address}/"))?.build().await?;
    taos.exec_many([
        "DROP TOPIC IF EXISTS rust_query",
        "DROP TOPIC IF EXISTS rust_all",
        "DROP DATABASE IF EXISTS rust_topics",
        "CREATE DATABASE rust_topics VGROUPS 1 WAL_RETENTION_PERIOD 3600",
        "CREATE STABLE rust_topics.meters (ts TIMESTAMP, v INT, n NCHAR(8)) TAGS (g INT, location VARCHAR(16))",
        "CREATE TABLE rust_topics.d1 USING rust_topics.meters TAGS (1, 'Paris')",
        "CREATE TOPIC rust_query AS SELECT ts, v, n FROM rust_topics.meters",
        "CREATE TOPIC rust_all WITH META AS DATABASE rust_topics",
        "INSERT INTO rust_topics.d1 VALUES (1700000000000, 1, '涛') (1700000000001, NULL, NULL)",
    ])
    .await?;

    let mut first = consumer(address, "g1", "rust_query").await?;
    ensure!(first.list_topics().await? == ["rust_query"]);
    let (count, mut offsets, _) = take(&first, 2).await?;
    ensure!(count == 2 && offsets[0].topic() == "rust_query", "{count} rows");
    let vgroup = offsets[0].vgroup_id();
    let assigned = first.topic_assignment("rust_query").await;
    ensure!(assigned.len() == 1 && assigned[0].vgroup_id() == vgroup && assigned[0].begin() <= assigned[0].end(), "{assigned:?}");
    let committed = first.committed("rust_query", vgroup).await.unwrap_or(NOT_COMMITTED);
    ensure!(committed == NOT_COMMITTED, "{committed}");
    if let Some(offset) = offsets.pop() {
        first.commit(offset).await?;
    }
    let committed = first.committed("rust_query", vgroup).await?;
    ensure!(committed == first.position("rust_query", vgroup).await?, "{committed}");
    first.offset_seek("rust_query", vgroup, assigned[0].begin()).await?;
    ensure!(take(&first, 2).await?.0 == 2);
    first.commit_offset("rust_query", vgroup, committed).await?;
    first.unsubscribe().await;

    taos.exec_many([
        "INSERT INTO rust_topics.d2 USING rust_topics.meters TAGS (2, 'Berlin') VALUES (1700000000002, 3, 'x')",
        "ALTER STABLE rust_topics.meters ADD COLUMN x DOUBLE",
        "DELETE FROM rust_topics.d1 WHERE ts = 1700000000001",
    ])
    .await?;
    let second = consumer(address, "g1", "rust_query").await?;
    let (count, ..) = take(&second, 1).await?;
    ensure!(count == 1, "{count} rows after the commit");
    second.unsubscribe().await;

    let third = consumer(address, "g2", "rust_all").await?;
    let (count, _, events) = take(&third, 3).await?;
    ensure!(count == 3, "{count} rows");
    // The statements that would do it again.
    let statements: Vec<String> = events.iter().map(ToString::to_string).collect();
    let has = |words: &[&str]| statements.iter().any(|statement| words.iter().all(|word| statement.contains(word)));
    ensure!(has(&["CREATE", "`meters`", "`location`"]) && has(&["`d1`", "USING", "Paris"]) && has(&["ALTER", "`x`"]) && has(&["delete from `d1`"]), "{statements:?}");
    third.unsubscribe().await;
    Ok(())
}
