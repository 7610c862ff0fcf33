//! The native driver on libraries of other people's making: one of TDengine 3.0, which has none of what came later, and files that are no
//! library, another machine's, of another version, or answer errors.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use embudo_client::{BoundColumn, ConnectOptions, Driver, Dsn, FieldRole, LineOptions, LineProtocol, RawMessage, TableBind, TimeUnit, connect};
use embudo_types::{
    Code, DataType, Error, Result, Value, code,
    subscription::{OffsetReset, SubscribeOptions},
};

use crate::{serve, wait_until};

/// A library from C, built into the tests' folder.
fn built(name: &str, source: &str, arguments: &[&str]) -> PathBuf {
    let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("lib{name}.so"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let source = if source == OLD {
        root.join(source)
    } else {
        let file = library.with_extension("c");
        std::fs::write(&file, source).unwrap();
        file
    };
    let target = std::env::current_exe().unwrap().with_file_name("libtaos.so");
    let mut command = Command::new("cc");
    command.args(["-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o"]).arg(&library).arg(source);
    command.arg("-I").arg(root.join("crates/libtaos/include")).arg(format!("-DTARGET=\"{}\"", target.display())).args(arguments).arg("-ldl");
    assert!(command.status().unwrap().success(), "{command:?}");
    library
}

const START: i64 = 1_700_000_000_000;
const OLD: &str = "tests/libtaos_3_0.c";

/// Connects by a library to a port of this machine.
fn connected(library: &Path, port: u16) -> Result<Box<dyn Driver>> {
    let dsn = format!("taos+native://root:taosdata@127.0.0.1:{port}/?library_path={}&timezone=UTC", library.display());
    connect(&Dsn::parse(&dsn)?, &ConnectOptions::default())
}

fn texts(driver: &dyn Driver, sql: &str, parameters: &[Value]) -> Vec<String> {
    let batches = driver.execute(sql, parameters).unwrap().collect().unwrap();
    let cells = batches.iter().flat_map(|batch| {
        (0..batch.num_rows()).map(|row| {
            let cells = batch.columns().iter().map(|column| arrow_cast_text(column, row)).collect::<Vec<_>>();
            cells.join(" ")
        })
    });
    cells.collect()
}

/// A cell as text, of the few types that the tests read.
fn arrow_cast_text(column: &arrow_array::ArrayRef, row: usize) -> String {
    use arrow_array::{Array, cast::AsArray, types};
    if column.is_null(row) {
        return "NULL".into();
    }
    if let Some(numbers) = column.as_primitive_opt::<types::Int64Type>() {
        return numbers.value(row).to_string();
    }
    if let Some(numbers) = column.as_primitive_opt::<types::Int32Type>() {
        return numbers.value(row).to_string();
    }
    if let Some(texts) = column.as_string_opt::<i32>() {
        return texts.value(row).to_owned();
    }
    String::from_utf8_lossy(column.as_binary::<i32>().value(row)).into_owned()
}

fn column(data_type: DataType, array: impl arrow_array::Array + 'static) -> BoundColumn {
    BoundColumn { data_type, array: std::sync::Arc::new(array), present: None }
}

fn lines(key: Option<&str>, ttl: u32) -> LineOptions<'_> {
    LineOptions { protocol: LineProtocol::Influx, unit: TimeUnit::Milli, ttl, table_name_key: key, request_id: None }
}

/// Asserts that the error names a function and the version that has it.
fn assert_names<T>(outcome: Result<T>, function: &str, version: &str) {
    let error = outcome.err().unwrap();
    assert_eq!(error.code(), code::OPERATION_NOT_SUPPORTED, "{error}");
    assert!(error.message().contains(function) && error.message().contains(version) && error.message().contains("3.0.0.1"), "{error}");
}

#[test]
fn an_old_library_does_what_it_can() {
    use arrow_array::{Int32Array, StringArray, TimestampMillisecondArray};
    let (server, _) = serve();
    let driver = connected(&built("taos_old", OLD, &[]), server.address().port()).unwrap();
    assert!(driver.server_version().unwrap().starts_with("3."));
    driver.execute("CREATE DATABASE d", &[]).unwrap();
    driver.execute("USE d", &[]).unwrap();
    driver.execute("CREATE STABLE s (ts TIMESTAMP, v INT, note NCHAR(10)) TAGS (g INT, name VARCHAR(10))", &[]).unwrap();

    // Statements of the first kind: tables with tags, one after the other; a second bind of the same table; queries.
    let mut statement = driver.prepare("INSERT INTO ? USING s TAGS(?, ?) VALUES(?, ?, ?)").unwrap();
    let rows = |start: i64, values: Vec<Option<i32>>, notes: Vec<Option<&str>>| {
        let times = (start..).take(values.len()).collect::<Vec<_>>();
        vec![
            column(DataType::Timestamp, TimestampMillisecondArray::from(times)),
            column(DataType::Int, Int32Array::from(values)),
            column(DataType::NChar(10), StringArray::from(notes)),
        ]
    };
    let tags =
        |group: i32, name: &str| vec![column(DataType::Int, Int32Array::from(vec![group])), column(DataType::Varchar(10), StringArray::from(vec![name]))];
    let table = |name: &str, tags, columns| TableBind { name: Some(name.to_owned()), tags, columns };
    statement
        .bind(vec![
            table("a", tags(1, "x"), rows(START, vec![Some(1), None], vec![Some("中"), None])),
            table("b", tags(2, ""), rows(START, vec![Some(3)], vec![Some("")])),
        ])
        .unwrap();
    assert_eq!(statement.execute().unwrap(), 3);
    statement.bind(vec![table("a", Vec::new(), rows(START + 9, vec![Some(4)], vec![None]))]).unwrap();
    assert_eq!(statement.execute().unwrap(), 1);
    assert_eq!(statement.execute().unwrap(), 0);
    assert_eq!(texts(&*driver, "SELECT v, note, g, name FROM s ORDER BY v", &[]), ["NULL NULL 1 x", "1 中 1 x", "3  2 ", "4 NULL 1 x"]);
    let parameters = [Value::Int(1), Value::Varchar("x".into())];
    assert_eq!(texts(&*driver, "SELECT COUNT(*) FROM s WHERE v > ? AND name = ?", &parameters), ["1"]);
    // What is bound wrong is refused, and the statement goes on.
    assert!(
        statement.bind(vec![table("c", tags(1, "far too long a name"), rows(START, vec![Some(1)], vec![None]))]).and_then(|()| statement.execute()).is_err()
    );
    statement.bind(vec![table("c", tags(3, "y"), rows(START, vec![Some(9)], vec![None]))]).unwrap();
    assert_eq!(statement.execute().unwrap(), 1);
    assert!(driver.prepare("INSERT INTO s VALUES(?").is_err());
    // A table that stands in the statement, with tags that do not; and fields that are told before a table is named.
    let mut statement = driver.prepare("INSERT INTO d USING s TAGS(?, ?) VALUES(?, ?, ?)").unwrap();
    let roles: Vec<_> = statement.fields().unwrap().iter().map(|field| field.role).collect();
    assert_eq!(roles, [FieldRole::Tag, FieldRole::Tag, FieldRole::Column, FieldRole::Column, FieldRole::Column]);
    statement.bind(vec![TableBind { name: None, tags: tags(4, "z"), columns: rows(START, vec![Some(11)], vec![None]) }]).unwrap();
    assert_eq!(statement.execute().unwrap(), 1);
    assert_eq!(texts(&*driver, "SELECT v, g, name FROM s WHERE TBNAME = 'd'", &[]), ["11 4 z"]);
    let mut statement = driver.prepare("INSERT INTO ? USING s TAGS(?, ?) VALUES(?, ?, ?)").unwrap();
    assert_eq!(statement.fields().unwrap().len(), 6);
    statement.bind(vec![table("e", tags(5, ""), rows(START, vec![Some(12)], vec![None]))]).unwrap();
    assert_eq!(statement.execute().unwrap(), 1);
    assert_eq!(texts(&*driver, "SELECT DISTINCT TBNAME FROM s WHERE v >= 11", &[]), ["d", "e"]);

    // Lines go one by one where a text of them cannot.
    assert_eq!(driver.write_lines("m,host=a v=1i 1700000000000\n\nm,host=b v=2i 1700000000000\n", &lines(None, 0)).unwrap().total_rows, 2);
    assert_eq!(texts(&*driver, "SELECT SUM(v) FROM m", &[]), ["3"]);

    driver.validate("SELECT * FROM s").unwrap();
    assert!(driver.validate("SELEC").is_err());
    driver.reset_database().unwrap();
    assert_eq!(driver.execute("SELECT * FROM s", &[]).err().unwrap().code(), code::DATABASE_NOT_SPECIFIED);
    driver.execute("USE d", &[]).unwrap();

    // Ids are for logs alone.
    let request = embudo_client::Request { sql: "SELECT 1", request_id: Some(7), ..embudo_client::Request::default() };
    driver.run(&request).unwrap();
    assert_names(driver.execute("SELECT CAST(1.5 AS DECIMAL(10, 2))", &[]), "taos_fetch_fields_e", "3.3.6.0");
    assert_names(driver.write_lines("m,host=a v=1i 1700000000000", &lines(None, 5)), "taos_schemaless_insert_raw_ttl_with_reqid", "3.0.3.0");
    assert_names(driver.write_lines("m,host=a v=1i 1700000000000", &lines(Some("host"), 0)), "taos_schemaless_insert_raw_ttl_with_reqid_tbname_key", "3.3.2.0");
    assert_names(driver.set_timezone("Asia/Tokyo"), "taos_options_connection", "3.3.5.0");
    driver.close().unwrap();
    assert_eq!(driver.execute("SELECT 1", &[]).err().unwrap().code(), code::INVALID_OPERATION);
}

#[test]
fn subscriptions_of_an_old_library() {
    let (server, _) = serve();
    let driver = connected(&built("taos_old_topics", OLD, &[]), server.address().port()).unwrap();
    driver.execute("CREATE DATABASE d", &[]).unwrap();
    driver.execute("CREATE TABLE d.t (ts TIMESTAMP, v BIGINT)", &[]).unwrap();
    driver.execute("INSERT INTO d.t VALUES (1700000000000, 1) (1700000000001, 2)", &[]).unwrap();
    driver.execute("CREATE TOPIC old_topic AS SELECT ts, v FROM d.t", &[]).unwrap();
    let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, ..SubscribeOptions::new("g", ["old_topic"]) };
    let subscription = driver.subscribe(options).unwrap();
    let mut rows = 0;
    let mut message = None;
    wait_until("rows come", || {
        if let Some(polled) = subscription.poll(Duration::from_millis(200)).unwrap() {
            rows += polled.blocks.iter().map(|block| block.batch.num_rows()).sum::<usize>();
            message = Some(polled);
        }
        rows == 2
    });
    subscription.commit_all().unwrap();
    let message = message.unwrap();
    assert_eq!((message.topic.as_str(), message.database.as_str()), ("old_topic", "d"));
    assert_names(subscription.commit_message(&message), "tmq_commit_offset_sync", "3.1.1.0");
    assert_names(subscription.committed("old_topic", message.vgroup), "tmq_committed", "3.1.1.0");
    assert_names(subscription.position("old_topic", message.vgroup), "tmq_position", "3.1.1.0");
    assert_names(subscription.seek("old_topic", message.vgroup, 0), "tmq_offset_seek", "3.0.5.0");
    assert_names(subscription.assignment("old_topic"), "tmq_get_topic_assignment", "3.0.5.0");
    subscription.unsubscribe().unwrap();
    subscription.close().unwrap();
}

/// The error of opening a library.
fn refused(library: &Path) -> Error {
    let error = connected(library, 1).err().unwrap();
    assert!(error.message().contains(library.to_str().unwrap()), "{error}");
    error
}

#[test]
fn what_is_no_library_of_tdengine_is_refused() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let text = folder.join("libtext.so");
    std::fs::write(&text, "this is no library").unwrap();
    let empty = folder.join("libempty.so");
    std::fs::write(&empty, "").unwrap();
    let good = std::fs::read(built("taos_machine", OLD, &[])).unwrap();
    // The machine of an ELF file stands at its 18th byte.
    let foreign = folder.join("libforeign.so");
    std::fs::write(&foreign, [&good[..18], &[183, 0], &good[20..]].concat()).unwrap();
    let incomplete = built("incomplete", "extern int of_another_library; int *needed = &of_another_library;", &[]);
    for library in [&text, &empty, &foreign, &incomplete, &folder.join("libmissing.so"), &folder.to_owned()] {
        let error = refused(library);
        assert_eq!(error.code(), code::UNABLE_TO_ESTABLISH_CONNECTION, "{error}");
        assert!(error.message().contains("library_path"), "{error}");
    }

    let other = built("other", "int add(int a, int b) { return a + b; }", &[]);
    let error = refused(&other);
    assert_eq!(error.code(), code::VERSION_NOT_COMPATIBLE, "{error}");
    for (name, version) in [("taos_2", "\"2.6.0.34\""), ("taos_none", "NULL"), ("taos_empty", "\"\""), ("taos_words", "\"version three\"")] {
        let error = refused(&built(name, OLD, &[&format!("-DVERSION={version}")]));
        assert_eq!(error.code(), code::VERSION_NOT_COMPATIBLE, "{error}");
    }
    // A library that has the name of the version, and nothing to connect with.
    let bare = built("bare", "const char *taos_get_client_info(void) { return \"3.0.0.1\"; }", &[]);
    assert_names(connected(&bare, 1), "taos_options", "3.0.0.0");
}

#[test]
fn our_own_library_is_opened_by_its_path_alone() {
    let (server, _) = serve();
    let own = std::env::current_exe().unwrap().with_file_name("libtaos.so");
    let driver = connected(&own, server.address().port()).unwrap();
    assert_eq!(texts(&*driver, "SELECT 1", &[]), ["1"]);
}

/// What a whole program does with a connection; the first error ends it.
fn program(library: &Path, port: u16) -> Result<()> {
    let driver = connected(library, port)?;
    driver.server_version()?;
    driver.execute("CREATE DATABASE IF NOT EXISTS f", &[])?;
    driver.execute("USE f", &[])?;
    driver.validate("SELECT 1")?;
    driver.execute("CREATE STABLE IF NOT EXISTS s (ts TIMESTAMP, v BIGINT) TAGS (g INT)", &[])?;
    driver.write_lines("m,host=a v=1i 1700000000000", &lines(None, 0))?;
    let mut statement = driver.prepare("INSERT INTO ? USING s TAGS(?) VALUES(?, ?)")?;
    let columns = vec![
        column(DataType::Timestamp, arrow_array::TimestampMillisecondArray::from(vec![START])),
        column(DataType::BigInt, arrow_array::Int64Array::from(vec![1])),
    ];
    let tags = vec![column(DataType::Int, arrow_array::Int32Array::from(vec![1]))];
    statement.set_table("a")?;
    statement.fields()?;
    statement.bind(vec![TableBind { name: None, tags, columns }])?;
    statement.execute()?;
    let mut query = driver.prepare("SELECT v FROM s WHERE v > ?")?;
    query.query(vec![column(DataType::BigInt, arrow_array::Int64Array::from(vec![0]))])?.collect()?;
    driver.execute("CREATE TOPIC IF NOT EXISTS failing AS SELECT ts, v FROM s", &[])?;
    let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, ..SubscribeOptions::new("f", ["failing"]) };
    let subscription = driver.subscribe(options)?;
    let mut polled = Ok(None);
    wait_until("a message or an error comes", || {
        polled = subscription.poll(Duration::from_millis(200));
        !matches!(polled, Ok(None))
    });
    polled?;
    subscription.commit_all()?;
    subscription.unsubscribe()?;
    subscription.close()
}

#[test]
fn a_library_that_answers_errors_is_believed() {
    let (server, _) = serve();
    let port = server.address().port();
    program(&built("taos_all_right", OLD, &[]), port).unwrap();
    for function in [
        "taos_options",
        "taos_connect",
        "taos_errno",
        "taos_validate_sql",
        "taos_query",
        "taos_fetch_fields",
        "taos_fetch_raw_block",
        "taos_schemaless_insert",
        "taos_stmt_init",
        "taos_stmt_prepare",
        "taos_stmt_set_tbname",
        "taos_stmt_set_tags",
        "taos_stmt_get_tag_fields",
        "taos_stmt_get_col_fields",
        "taos_stmt_is_insert",
        "taos_stmt_bind_param",
        "taos_stmt_bind_param_batch",
        "taos_stmt_add_batch",
        "taos_stmt_execute",
        "taos_stmt_use_result",
        "tmq_conf_new",
        "tmq_conf_set",
        "tmq_list_new",
        "tmq_list_append",
        "tmq_consumer_new",
        "tmq_subscribe",
        "tmq_unsubscribe",
        "tmq_get_res_type",
        "tmq_commit_sync",
        "tmq_consumer_close",
    ] {
        let error = program(&built(&format!("taos_{function}"), OLD, &[&format!("-DFAILING=\"{function}\"")]), port).err();
        let error = error.unwrap_or_else(|| panic!("{function} fails and nobody sees it"));
        assert_ne!(error.code(), Code(0), "{function}");
        assert!(!error.message().is_empty(), "{function}");
    }
}

#[test]
fn messages_and_names_with_a_nul_never_reach_a_library() {
    let (server, _) = serve();
    let driver = connected(&built("taos_nul", OLD, &[]), server.address().port()).unwrap();
    assert!(driver.execute("SELECT 'a\0b'", &[]).is_err());
    assert!(driver.write_raw(RawMessage { raw_type: 1, body: b"no message" }).is_err());
    assert_eq!(texts(&*driver, "SELECT 1", &[]), ["1"]);
}
