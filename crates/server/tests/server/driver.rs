//! Our client's WebSocket driver against the server: values of every type, errors, parameters, columns, reconnecting, limits of time.

use std::{sync::Arc, time::Duration};

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMillisecondArray, UInt64Array,
    cast::AsArray,
};
use arrow_schema::{Field, Schema};
use embudo_client::{ConnectOptions, Driver, Dsn, connect};
use embudo_server::{ServerHandle, ServerOptions};
use embudo_types::{DataType, Outcome, Precision, Value, arrow, code};

use crate::{slow_query, start, start_with};

fn open(server: &ServerHandle, rest: &str) -> Box<dyn Driver> {
    try_open(server, rest).unwrap()
}

fn try_open(server: &ServerHandle, rest: &str) -> embudo_types::Result<Box<dyn Driver>> {
    connect(&Dsn::parse(&format!("taosws://root:taosdata@{}{rest}", server.address()))?, &ConnectOptions::default())
}

/// Servers that our client speaks to by Embudo's own actions, and by those of TDengine's adapter alone.
fn servers(options: &ServerOptions) -> [ServerHandle; 2] {
    [options.clone(), ServerOptions { advertised_version: "3.3.6.12".parse().unwrap(), ..options.clone() }].map(start_with)
}

fn run(driver: &dyn Driver, sql: &str) -> Vec<RecordBatch> {
    driver.execute(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error}")).collect().unwrap()
}

fn affected(driver: &dyn Driver, sql: &str, parameters: &[Value]) -> u64 {
    match driver.execute(sql, parameters).unwrap_or_else(|error| panic!("{sql}: {error}")).outcome {
        Outcome::Affected(rows) => rows,
        Outcome::Rows(_) => panic!("{sql} gave rows"),
    }
}

/// The first column as 64-bit integers.
fn numbers(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|batch| batch.column(0).as_primitive::<arrow_array::types::Int64Type>().values().to_vec()).collect()
}

const EVERY_TYPE: &str = "ts TIMESTAMP, b BOOL, ti TINYINT, si SMALLINT, i INT, bi BIGINT, tu TINYINT UNSIGNED, su SMALLINT UNSIGNED, iu INT UNSIGNED, \
    bu BIGINT UNSIGNED, f FLOAT, d DOUBLE, vc VARCHAR(16), nc NCHAR(8), vb VARBINARY(8), g GEOMETRY(64), de DECIMAL(20,4)";

#[test]
fn values_of_every_type_arrive_as_from_the_embedded_engine() {
    for compression in ["", "&compression=true"] {
        let server = start();
        let driver = open(&server, &format!("?timezone=UTC{compression}"));
        run(&*driver, "CREATE DATABASE d PRECISION 'us'");
        run(&*driver, "USE d");
        run(&*driver, &format!("CREATE STABLE s ({EVERY_TYPE}) TAGS (j JSON)"));
        run(&*driver, "CREATE TABLE t USING s TAGS ('{\"a\":1}')");
        let values = "TRUE,-1,-2,-3,-4,1,2,3,18446744073709551615,1.5,2.5,'it''s','数据',X'00ff','POINT(1 2)',-12.3456";
        let insert = format!(
            "INSERT INTO t VALUES (1700000000000001,{values}) (1700000000000002,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL)"
        );
        assert_eq!(affected(&*driver, &insert.replace("X'00ff'", "'\\x00ff'"), &[]), 2);
        let result = driver.execute("SELECT * FROM s ORDER BY ts", &[]).unwrap();
        let schema = result.schema.clone();
        let types: Vec<DataType> = schema.fields().iter().map(|field| arrow::data_type(field).unwrap()).collect();
        assert_eq!(types[16], DataType::Decimal(20, 4));
        assert_eq!((types[12], types[13]), (DataType::Varchar(16), DataType::NChar(8)));
        let batch = result.collect().unwrap().remove(0);
        assert_eq!(batch.num_rows(), 2);
        assert_eq!(batch.column(9).as_primitive::<arrow_array::types::UInt64Type>().value(0), u64::MAX);
        assert_eq!(batch.column(12).as_binary::<i32>().value(0), b"it's");
        assert_eq!(batch.column(13).as_string::<i32>().value(0), "数据");
        assert_eq!(batch.column(14).as_binary::<i32>().value(0), [0, 255]);
        assert_eq!(batch.column(16).as_any().downcast_ref::<Decimal128Array>().unwrap().value(0), -123_456);
        assert_eq!(batch.column(17).as_string::<i32>().value(0), "{\"a\":1}");
        assert!((1..17).all(|column| batch.column(column).is_null(1)));
        assert_eq!(batch.column(0).as_primitive::<arrow_array::types::TimestampMicrosecondType>().value(1), 1_700_000_000_000_002);
    }
}

#[test]
fn errors_keep_code_and_text_and_the_connection_goes_on() {
    let server = start();
    let driver = open(&server, "");
    for (sql, code, text) in [
        ("selec 1", code::SYNTAX_ERROR_NEAR, "syntax error near \"selec 1\""),
        ("SELECT * FROM nope.t", code::FAIL_TO_GET_TABLE_INFO_ERROR, "Fail to get table info, error: Database not exist"),
        ("DROP DATABASE nope", code::DATABASE_NOT_EXIST, "Database not exist"),
    ] {
        let error = driver.execute(sql, &[]).err().unwrap();
        assert_eq!((error.code(), error.message()), (code, text), "{sql}");
    }
    assert_eq!(numbers(&run(&*driver, "SELECT 1")), [1]);
    assert_eq!(try_open(&server, "/nope").err().unwrap().code(), code::DATABASE_NOT_EXIST);
    let wrong = connect(&Dsn::parse(&format!("taosws://root:wrong@{}", server.address())).unwrap(), &ConnectOptions::default());
    assert_eq!(wrong.err().unwrap().code(), code::AUTHENTICATION_FAILURE);
}

#[test]
fn large_results_come_in_blocks_and_may_be_left() {
    for server in servers(&ServerOptions::default()) {
        let driver = open(&server, "");
        run(&*driver, "CREATE DATABASE d");
        run(&*driver, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
        for part in 0..4 {
            let values: String = (0..5_000).map(|row| format!("({},{})", 1_700_000_000_000_i64 + part * 5_000 + row, part * 5_000 + row)).collect();
            run(&*driver, &format!("INSERT INTO d.t VALUES {values}"));
        }
        let all = run(&*driver, "SELECT v FROM d.t ORDER BY ts");
        assert!(all.len() >= 5);
        assert_eq!(numbers(&all), (0..20_000).collect::<Vec<_>>());
        let Outcome::Rows(mut batches) = driver.execute("SELECT v FROM d.t", &[]).unwrap().outcome else { panic!("no rows") };
        assert!(batches.next().unwrap().is_ok());
        drop(batches);
        let (one, two) = (driver.execute("SELECT v FROM d.t ORDER BY ts", &[]).unwrap(), driver.execute("SELECT v FROM d.t ORDER BY ts DESC", &[]).unwrap());
        let (Outcome::Rows(one), Outcome::Rows(two)) = (one.outcome, two.outcome) else { panic!("no rows") };
        for (one, two) in one.zip(two) {
            assert_eq!(one.unwrap().num_rows(), two.unwrap().num_rows());
        }
    }
}

#[test]
fn parameters_are_bound_as_values() {
    for server in servers(&ServerOptions::default()) {
        let driver = open(&server, "?timezone=UTC");
        run(&*driver, "CREATE DATABASE d");
        run(&*driver, "USE d");
        run(&*driver, "CREATE STABLE s (ts TIMESTAMP, a INT, v VARCHAR(32), d DOUBLE) TAGS (g INT, n NCHAR(8))");
        let row = |ts: i64, text: &str| {
            [
                Value::Varchar(b"c1".to_vec()),
                Value::Int(7),
                Value::NChar("涛".into()),
                Value::Timestamp(ts),
                Value::BigInt(5),
                Value::Varchar(text.as_bytes().to_vec()),
                Value::Null,
            ]
        };
        let insert = "INSERT INTO ? USING s TAGS (?, ?) VALUES (?, ?, ?, ?)";
        assert_eq!(affected(&*driver, insert, &row(1_700_000_000_000, "it's ?; \\' -- no comment")), 1);
        assert_eq!(affected(&*driver, insert, &row(1_700_000_000_001, "two")), 1);
        let mixed = "INSERT INTO s (tbname, ts, g, a) VALUES (?, ?, ?, ?)";
        assert_eq!(affected(&*driver, mixed, &[Value::Varchar(b"c2".to_vec()), Value::Timestamp(1_700_000_000_002), Value::Int(8), Value::Int(6)]), 1);
        let query = "SELECT COUNT(*) FROM s WHERE v = ? AND a > ?";
        let parameters = [Value::Varchar(b"it's ?; \\' -- no comment".to_vec()), Value::Int(4)];
        for _ in 0..3 {
            assert_eq!(numbers(&driver.execute(query, &parameters).unwrap().collect().unwrap()), [1]);
        }
        let since = driver.execute("SELECT COUNT(*) FROM s WHERE ts >= ?", &[Value::Timestamp(1_700_000_000_001)]).unwrap().collect().unwrap();
        assert_eq!(numbers(&since), [2]);
        let since = driver.execute("SELECT COUNT(*) FROM s WHERE ts >= ?", &[Value::Varchar(b"2023-11-14T22:13:20.001Z".to_vec())]).unwrap().collect().unwrap();
        assert_eq!(numbers(&since), [2]);
        let tags = run(&*driver, "SELECT CAST(g AS BIGINT) FROM s WHERE n = '涛' AND tbname = 'c1' LIMIT 1");
        assert_eq!(numbers(&tags), [7]);
        assert_eq!(driver.execute(query, &[Value::Null]).err().unwrap().code(), code::INVALID_PARAMETERS);
        // A form that takes no columns, and a value that fits no column.
        assert_eq!(affected(&*driver, "INSERT INTO c1 (ts, a) VALUES (1700000000010, ?)", &[Value::Int(1)]), 1);
        let error = driver.execute("INSERT INTO c1 (ts, a) VALUES (?, ?)", &[Value::Timestamp(1), Value::BigInt(1 << 40)]).err().unwrap();
        assert_ne!(error.code(), code::INTERNAL_ERROR, "{error}");
    }
}

#[test]
fn a_changed_table_is_noticed_by_kept_statements() {
    for server in servers(&ServerOptions::default()) {
        let driver = open(&server, "");
        run(&*driver, "CREATE DATABASE d");
        run(&*driver, "USE d");
        run(&*driver, "CREATE TABLE t (ts TIMESTAMP, v VARCHAR(4))");
        let insert = "INSERT INTO t VALUES (?, ?)";
        let row = |ts: i64, text: &str| [Value::Timestamp(1_700_000_000_000 + ts), Value::Varchar(text.as_bytes().to_vec())];
        assert_eq!(affected(&*driver, insert, &row(0, "abcd")), 1);
        assert!(driver.execute(insert, &row(1, "abcde")).is_err());
        let other = open(&server, "/d");
        run(&*other, "ALTER TABLE t MODIFY COLUMN v VARCHAR(8)");
        assert_eq!(affected(&*driver, insert, &row(1, "abcde")), 1);
        run(&*other, "DROP TABLE t");
        run(&*other, "CREATE TABLE t (ts TIMESTAMP, v VARCHAR(4))");
        assert_eq!(affected(&*driver, insert, &row(2, "x")), 1);
        assert_eq!(numbers(&run(&*driver, "SELECT COUNT(*) FROM t")), [1]);
    }
}

/// Rows of one batch.
const ROWS: i64 = 60_000;

#[test]
fn columns_go_in_by_messages_of_bounded_size() {
    for server in servers(&ServerOptions { body_bytes: 8 << 20, ..ServerOptions::default() }) {
        let driver = open(&server, "?timezone=UTC");
        run(&*driver, "CREATE DATABASE d");
        run(&*driver, &format!("CREATE STABLE d.s ({EVERY_TYPE}) TAGS (n INT)"));
        let cells: Vec<(&str, DataType, ArrayRef)> = vec![
            ("tbname", DataType::Varchar(8), Arc::new(BinaryArray::from_iter_values((0..ROWS).map(|row| format!("c{}", row / 1_000))))),
            ("ts", DataType::Timestamp, Arc::new(TimestampMillisecondArray::from_iter_values((0..ROWS).map(|row| 1_700_000_000_000 + row)))),
            ("b", DataType::Bool, Arc::new((0..ROWS).map(|row| (row % 3 > 0).then_some(row % 2 == 0)).collect::<BooleanArray>())),
            ("i", DataType::Int, Arc::new((0..ROWS).map(|row| (row % 5 > 0).then_some(row as i32)).collect::<Int32Array>())),
            ("bu", DataType::UBigInt, Arc::new(UInt64Array::from_iter_values((0..ROWS).map(|row| u64::MAX - row as u64)))),
            ("d", DataType::Double, Arc::new(Float64Array::from_iter_values((0..ROWS).map(|row| row as f64 / 2.0)))),
            ("vc", DataType::Varchar(16), Arc::new(BinaryArray::from_iter_values((0..ROWS).map(|_| vec![b'x'; 16])))),
            ("nc", DataType::NChar(8), Arc::new(StringArray::from_iter_values((0..ROWS).map(|_| "涛思数据涛思数据")))),
            ("de", DataType::Decimal(20, 4), Arc::new(Decimal128Array::from_iter_values((0..ROWS).map(i128::from)).with_precision_and_scale(20, 4).unwrap())),
            ("n", DataType::Int, Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| (row / 1_000) as i32)))),
        ];
        let fields: Vec<Field> = cells.iter().map(|(name, data_type, _)| arrow::field(name, *data_type, Precision::Milli)).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), cells.into_iter().map(|(_, _, array)| array).collect()).unwrap();
        assert_eq!(driver.insert("d.s", &mut std::iter::once(Ok(batch))).unwrap(), ROWS as u64);
        let sums = run(&*driver, "SELECT COUNT(*), COUNT(b), COUNT(i), SUM(d), SUM(CAST(n AS BIGINT)) FROM d.s");
        assert_eq!(numbers(&sums), [ROWS]);
        assert_eq!(sums[0].column(1).as_primitive::<arrow_array::types::Int64Type>().value(0), ROWS / 3 * 2);
        assert_eq!(sums[0].column(2).as_primitive::<arrow_array::types::Int64Type>().value(0), ROWS / 5 * 4);
        assert_eq!(numbers(&run(&*driver, "SELECT COUNT(*) FROM (SELECT DISTINCT tbname FROM d.s)")), [60]);
        let decimals = run(&*driver, "SELECT de FROM d.s ORDER BY ts DESC LIMIT 1");
        assert_eq!(decimals[0].column(0).as_any().downcast_ref::<Decimal128Array>().unwrap().value(0), i128::from(ROWS - 1));
        let rows: Vec<Vec<Value>> = (0..5_i64).map(|row| vec![Value::Timestamp(1_800_000_000_000 + row), Value::Int(row as i32)]).collect();
        assert_eq!(driver.insert_rows("INSERT INTO d.c0 (ts, i) VALUES (?, ?)", &rows).unwrap(), Some(5));
    }
}

#[test]
fn an_idle_connection_that_broke_is_opened_again() {
    let mut server = start();
    let port = server.address().port();
    let driver = open(&server, "?conn_retries=20&retry_backoff_ms=50");
    run(&*driver, "CREATE DATABASE d");
    run(&*driver, "USE d");
    server.shutdown();
    let again = start_with_port(port);
    let failed = driver.execute("SELECT 1", &[]).and_then(embudo_types::ResultSet::collect);
    // What was under way when it broke fails; the next statement finds a connection.
    assert!(failed.is_err() || failed.is_ok_and(|rows| numbers(&rows) == [1]));
    let setup = connect(&Dsn::parse(&format!("taosws://root:taosdata@{}", again.address())).unwrap(), &ConnectOptions::default()).unwrap();
    run(&*setup, "CREATE DATABASE IF NOT EXISTS d");
    assert_eq!(numbers(&run(&*driver, "SELECT 1")), [1]);
    assert_eq!(run(&*driver, "SELECT DATABASE()")[0].column(0).as_binary::<i32>().value(0), b"d");
}

fn start_with_port(port: u16) -> ServerHandle {
    use embudo_engine::{Engine, EngineOptions};
    let engine = Engine::open(EngineOptions { zone: embudo_types::Zone::utc(), ..EngineOptions::memory() }).unwrap();
    engine.session("root").unwrap().execute("CREATE DATABASE d", &[]).unwrap();
    embudo_server::Server::start(engine, ServerOptions { listen: format!("127.0.0.1:{port}"), ..ServerOptions::default() }).unwrap()
}

#[test]
fn a_slow_answer_times_out_and_interruption_ends_a_call() {
    let server = start();
    let driver = open(&server, "");
    let slow = slow_query(|sql| drop(run(&*driver, sql)));
    let request = embudo_client::Request { sql: &slow, timeout: Some(Duration::from_millis(50)), ..Default::default() };
    let failed = driver.run(&request).and_then(embudo_types::ResultSet::collect).unwrap_err();
    assert_eq!(failed.code(), code::CONN_READ_TIMEOUT);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| driver.execute(&slow, &[]).and_then(embudo_types::ResultSet::collect));
        // What has not begun cannot be interrupted.
        while !running.is_finished() {
            driver.interrupt();
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(running.join().unwrap().unwrap_err().code(), code::QUERY_TERMINATED);
    });
    assert_eq!(numbers(&run(&*driver, "SELECT 1")), [1]);
}

#[test]
fn lines_go_in() {
    use embudo_client::LineOptions;
    use embudo_wire::schemaless::{LineProtocol, TimeUnit};
    let server = start();
    let driver = open(&server, "");
    run(&*driver, "CREATE DATABASE d");
    run(&*driver, "USE d");
    let options = LineOptions { protocol: LineProtocol::Influx, unit: TimeUnit::Milli, ttl: 0, table_name_key: Some("name"), request_id: None };
    let written = driver.write_lines("m,name=c1,t=a v=1i64 1700000000000\nm,name=c2,t=b v=2i64 1700000000000", &options).unwrap();
    assert_eq!((written.affected_rows, written.total_rows), (2, 2));
    assert_eq!(numbers(&run(&*driver, "SELECT v FROM c2")), [2]);
    assert_eq!(driver.write_lines("bad", &options).unwrap_err().message(), "cols is empty");
}

#[test]
fn threads_share_a_session() {
    let server = start();
    let driver = open(&server, "");
    run(&*driver, "CREATE DATABASE d");
    run(&*driver, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
    std::thread::scope(|scope| {
        for thread in 0..8_i64 {
            let driver = &driver;
            scope.spawn(move || {
                for round in 0..50_i64 {
                    let ts = Value::Timestamp(1_700_000_000_000 + thread * 1_000 + round);
                    assert_eq!(affected(&**driver, "INSERT INTO d.t VALUES (?, ?)", &[ts.clone(), Value::BigInt(round)]), 1);
                    let rows = driver.execute("SELECT v FROM d.t WHERE ts = ?", &[ts]).unwrap().collect().unwrap();
                    assert_eq!(numbers(&rows), [round]);
                }
            });
        }
    });
    assert_eq!(numbers(&run(&*driver, "SELECT COUNT(*) FROM d.t")), [400]);
}

#[test]
fn servers_of_older_versions_are_understood() {
    for version in ["3.3.1.0", "3.3.2.0", "3.3.5.1", "3.4.1.13"] {
        let server = start_with(ServerOptions { advertised_version: version.parse().unwrap(), ..ServerOptions::default() });
        let driver = open(&server, "");
        run(&*driver, "CREATE DATABASE d");
        run(&*driver, "CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)");
        assert_eq!(affected(&*driver, "INSERT INTO d.t VALUES (?, ?)", &[Value::Timestamp(1_700_000_000_000), Value::BigInt(3)]), 1, "{version}");
        let rows = driver.execute("SELECT v FROM d.t WHERE v = ?", &[Value::BigInt(3)]).unwrap().collect().unwrap();
        assert_eq!(numbers(&rows), [3], "{version}");
    }
}
