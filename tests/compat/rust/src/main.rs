//! A program over WebSocket by the official Rust crate: queries, prepared statements, errors, topics.

mod topics;

use anyhow::ensure;
use taos::{AsyncBindable, AsyncFetchable, AsyncQueryable, AsyncTBuilder, ColumnView, Stmt, TaosBuilder, Value};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let address = std::env::args().nth(1).unwrap_or_default().replace("http://", "");
    let taos = TaosBuilder::from_dsn(format!("taos+ws://root:taosdata@{address}/"))?.build().await?;
    ensure!(taos.server_version().await?.starts_with("3."));
    taos.exec_many([
        "DROP DATABASE IF EXISTS rust_db",
        "CREATE DATABASE rust_db",
        "USE rust_db",
        "CREATE STABLE meters (ts TIMESTAMP, f FLOAT, v INT, n NCHAR(16), b VARCHAR(16)) TAGS (groupid INT, location VARCHAR(24))",
    ])
    .await?;
    let affected = taos
        .exec("INSERT INTO d0 USING meters TAGS (0, 'Paris') VALUES (1700000000000, 10.5, 219, '涛思', 'it''s') (1700000000001, NULL, NULL, NULL, NULL)")
        .await?;
    ensure!(affected == 2, "{affected} rows");
    let mut result = taos.query("SELECT * FROM meters ORDER BY ts").await?;
    let rows = result.to_records().await?;
    ensure!(rows.len() == 2 && rows[0][2] == Value::Int(219) && rows[0][3] == Value::NChar("涛思".into()), "{rows:?}");
    ensure!(rows[1][1].is_null() && rows[0][6] == Value::VarChar("Paris".into()), "{rows:?}");
    let failed = taos.query("SELECT * FROM nope").await.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(failed.contains("Table does not exist"), "{failed}");

    let mut statement = Stmt::init(&taos).await?;
    statement.prepare("INSERT INTO ? USING meters TAGS (?, ?) VALUES (?, ?, ?, ?, ?)").await?;
    for child in 1..3 {
        statement.set_tbname(&format!("d{child}")).await?;
        statement.set_tags(&[Value::Int(child), Value::VarChar("Berlin".into())]).await?;
        let columns = [
            ColumnView::from_millis_timestamp(vec![1_700_000_000_000, 1_700_000_000_001]),
            ColumnView::from_floats(vec![Some(1.5), None]),
            ColumnView::from_ints(vec![1, 2]),
            ColumnView::from_nchar(vec!["a", "数"]),
            ColumnView::from_varchar(vec!["x", ""]),
        ];
        statement.bind(&columns).await?.add_batch().await?;
    }
    let affected = statement.execute().await?;
    ensure!(affected == 4, "{affected} rows bound");
    let sum: Option<(i64, i64)> = taos.query_one("SELECT COUNT(*), SUM(v) FROM meters WHERE location = 'Berlin'").await?;
    ensure!(sum == Some((4, 6)), "{sum:?}");
    topics::run(&address).await?;
    println!("taos passed");
    Ok(())
}
