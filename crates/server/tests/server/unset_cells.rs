//! Cells that a prepared statement leaves unset keep what a row has already, on both transports that can say so.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, Int64Array, StringArray, cast::AsArray, types::Int32Type};
use arrow_buffer::BooleanBuffer;
use embudo_client::{BoundColumn, ConnectOptions, Driver, Dsn, TableBind, connect};
use embudo_types::DataType;

use crate::start;

fn column(data_type: DataType, array: ArrayRef, present: Option<Vec<bool>>) -> BoundColumn {
    BoundColumn { data_type, array, present: present.map(BooleanBuffer::from) }
}

fn rows(driver: &dyn Driver) -> Vec<(Option<i32>, Option<String>)> {
    let batches = driver.execute("SELECT v, s FROM d.c1 ORDER BY ts", &[]).unwrap().collect().unwrap();
    let rows = batches.iter().flat_map(|batch| {
        let texts = batch.column(1).as_binary::<i32>().iter().map(|text| text.map(|text| String::from_utf8(text.to_vec()).unwrap()));
        batch.column(0).as_primitive::<Int32Type>().iter().zip(texts).collect::<Vec<_>>()
    });
    rows.collect()
}

#[test]
fn unset_cells_keep_what_a_row_has() {
    let server = start();
    let remote = format!("taosws://root:taosdata@{}", server.address());
    for dsn in [":memory:", remote.as_str()] {
        let driver = connect(&Dsn::parse(dsn).unwrap(), &ConnectOptions::default()).unwrap();
        for sql in [
            "CREATE DATABASE d",
            "CREATE STABLE d.st (ts TIMESTAMP, v INT, s VARCHAR(8)) TAGS (g INT)",
            "CREATE TABLE d.c1 USING d.st TAGS (1)",
            "INSERT INTO d.c1 VALUES (1700000000000, 1, 'a') (1700000000001, 2, 'b')",
        ] {
            driver.execute(sql, &[]).unwrap().collect().unwrap();
        }
        let mut statement = driver.prepare("INSERT INTO d.c1 VALUES (?, ?, ?)").unwrap();
        let columns = || {
            vec![
                column(DataType::Timestamp, Arc::new(Int64Array::from_iter_values(1_700_000_000_000..1_700_000_000_003)), None),
                // Unset, NULL, unset in a new row.
                column(DataType::Int, Arc::new(Int32Array::from(vec![None, None, None])), Some(vec![false, true, false])),
                // A value, unset, a value.
                column(DataType::Varchar(8), Arc::new(StringArray::from(vec![Some("x"), None, Some("z")])), Some(vec![true, false, true])),
            ]
        };
        statement.bind(vec![TableBind { name: None, tags: Vec::new(), columns: columns() }]).unwrap();
        assert_eq!(statement.execute().unwrap(), 3, "{dsn}");
        let text = |text: &str| Some(text.to_owned());
        let want = [(Some(1), text("x")), (None, text("b")), (None, text("z"))];
        assert_eq!(rows(&*driver), want, "{dsn}");
        // All columns of the statement at once say the same.
        statement.bind_columns(columns()).unwrap();
        statement.execute().unwrap();
        assert_eq!(rows(&*driver), want, "{dsn}");
    }
}
