//! INSERT against a sink of known tables.

use std::io::Cursor;

use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Decimal128Array, Float32Array, Float64Array, Int8Array, Int32Array, Int64Array, StringArray,
    TimestampMillisecondArray, UInt64Array,
};
use embudo_types::parse_timestamp;
use proptest::prelude::*;

use super::{clock::Clock, *};

/// Tables `n` (ts, a INT, b VARCHAR(10)), `k` with a composite key, `s` a super table like `n` with tags `g INT, name VARCHAR(24)`, `c` its
/// child, and `x` with one column `v` of a type.
struct Tables {
    v: DataType,
    csv: &'static str,
    clauses: Vec<TableClause>,
    arrays: Vec<(Vec<ArrayRef>, usize)>,
}

impl Tables {
    fn new(v: DataType) -> Self {
        Self { v, csv: "", clauses: Vec::new(), arrays: Vec::new() }
    }

    fn columns(&self, table: &str) -> Result<Vec<LayoutColumn>> {
        let column = |name: &str, data_type, role| LayoutColumn { name: name.into(), data_type, role };
        let mut columns = vec![column("ts", DataType::Timestamp, ColumnRole::Timestamp)];
        match table {
            "n" | "s" | "c" | "new" => columns.extend([column("a", DataType::Int, ColumnRole::Value), column("b", DataType::Varchar(10), ColumnRole::Value)]),
            "k" => columns.extend([column("id", DataType::BigInt, ColumnRole::Key), column("a", DataType::Int, ColumnRole::Value)]),
            "x" => columns.push(column("v", self.v, ColumnRole::Value)),
            _ => return Err(Error::with(code::TABLE_DOES_NOT_EXIST_2603, "Table does not exist")),
        }
        if table == "s" {
            let tag = |name, data_type| column(name, data_type, ColumnRole::Tag);
            columns.extend([column("tbname", DataType::Varchar(192), ColumnRole::TableName), tag("g", DataType::Int), tag("name", DataType::Varchar(24))]);
        }
        Ok(columns)
    }
}

impl InsertSink for Tables {
    fn tags(&mut self, supertable: &ObjectName, names: &[String]) -> Result<Arc<TagLayout>> {
        if supertable.name != "s" {
            return Err(Error::with(code::TABLE_DOES_NOT_EXIST_2603, "Table does not exist"));
        }
        let all = [("g".to_owned(), DataType::Int), ("name".to_owned(), DataType::Varchar(24))];
        let tags = all.into_iter().filter(|(name, _)| names.is_empty() || names.contains(name)).collect();
        Ok(Arc::new(TagLayout { precision: Precision::Milli, tags }))
    }

    fn layout(&mut self, clause: TableClause) -> Result<Arc<Layout>> {
        let known = self.columns(if clause.using.is_some() { "new" } else { &clause.table.name })?;
        let columns = match &clause.columns {
            None => known,
            Some(names) => names
                .iter()
                .map(|name| {
                    let invalid = || Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"));
                    known.iter().find(|column| column.name == *name).cloned().ok_or_else(invalid)
                })
                .collect::<Result<_>>()?,
        };
        let layout = Layout { precision: Precision::Milli, supertable: clause.table.name == "s", keyed: clause.table.name == "k", columns };
        self.clauses.push(clause);
        Ok(Arc::new(layout))
    }

    fn rows(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<()> {
        self.arrays.push((columns, rows));
        Ok(())
    }

    fn file(&mut self, _: &str) -> Result<Box<dyn Read>> {
        Ok(Box::new(Cursor::new(self.csv)))
    }
}

/// 2024-03-10 00:00:00 UTC.
const NOW: i64 = 1_710_028_800_000_000_000;

fn run_with(sql: &str, tables: &mut Tables, parameters: &[Value]) -> Result<InsertOutcome> {
    parse(sql, &InsertContext { zone: &Zone::utc(), now: NOW, parameters }, tables)
}

fn run(sql: &str) -> Result<Tables> {
    let mut tables = Tables::new(DataType::Int);
    run_with(sql, &mut tables, &[]).map(|_| tables)
}

fn error(sql: &str) -> String {
    run(sql).err().map_or_else(|| format!("accepted {sql}"), |error| error.to_string())
}

/// The cells of `x.v` of a type after `VALUES (0, cell)` for each.
fn cells(data_type: DataType, cells: &[&str]) -> Result<ArrayRef> {
    let rows = cells.iter().fold(String::new(), |rows, cell| rows + "(0, " + cell + ") ");
    let mut tables = Tables::new(data_type);
    run_with(&format!("INSERT INTO x VALUES {rows}"), &mut tables, &[])?;
    Ok(tables.arrays[0].0[1].clone())
}

fn cell_error(data_type: DataType, cell: &str) -> String {
    cells(data_type, &[cell]).map_or_else(|error| error.message().to_owned(), |array| format!("accepted {array:?}"))
}

#[test]
fn clauses_of_every_form() {
    let tables = run(
        "insert INTO `n` VALUES (1, 2, 'x'), (2, NULL, \"y\")(3,4,NULL) c (B, TS) VALUES ('z', 4) d.new USING d.s TAGS (1, 'one') TTL 3 COMMENT 'c' (ts a) \
         VALUES (5, 6) 'new' (ts) USING s (name) TAGS (California.SanFrancisco) VALUES (NOW);",
    )
    .unwrap();
    assert_eq!(tables.arrays.iter().map(|(_, rows)| *rows).collect::<Vec<_>>(), [3, 1, 1, 1]);
    let numbers: Vec<_> = tables.arrays[0].0[1].as_any().downcast_ref::<Int32Array>().unwrap().iter().collect();
    assert_eq!(numbers, [Some(2), None, Some(4)]);
    assert_eq!(tables.clauses[1].columns.as_deref(), Some(["b".to_owned(), "ts".to_owned()].as_slice()));
    let using = tables.clauses[2].using.as_ref().unwrap();
    assert_eq!((using.values.clone(), using.ttl, using.comment.as_deref()), (vec![Value::Int(1), Value::Varchar(b"one".to_vec())], Some(3), Some("c")));
    assert_eq!(tables.clauses[2].table.database.as_deref(), Some("d"));
    assert_eq!(tables.clauses[3].using.as_ref().unwrap().values, [Value::Varchar(b"california.sanfrancisco".to_vec())]);
    let now = tables.arrays[3].0[0].as_any().downcast_ref::<TimestampMillisecondArray>().unwrap().value(0);
    assert_eq!(now, NOW / 1_000_000);
}

#[test]
fn supertable_form_gives_names_and_tags_as_columns() {
    let tables = run("INSERT INTO s (tbname, ts, a, g) VALUES ('c1', 1, 2, 3) ('c2', 1, 2, NULL)").unwrap();
    let names = tables.arrays[0].0[0].as_any().downcast_ref::<BinaryArray>().unwrap().clone();
    assert_eq!((names.value(0), names.value(1)), (b"c1".as_slice(), b"c2".as_slice()));
    assert!(error("INSERT INTO s (tbname, ts, a) VALUES ('', 1, 2)").contains("tbname"));
    assert!(error("INSERT INTO s (tbname, ts, a) VALUES (NULL, 1, 2)").contains("tbname"));
}

#[test]
fn select_goes_back_to_the_tree() {
    let mut tables = Tables::new(DataType::Int);
    let outcome = run_with("INSERT INTO n (ts, a) SELECT ts, a FROM c", &mut tables, &[]).unwrap();
    assert!(matches!(outcome, InsertOutcome::Select(select) if select.columns == ["ts", "a"]));
}

#[test]
fn errors_as_recorded() {
    for (sql, wanted) in [
        ("INSERT INTO n", "[0x2601]: Incomplete SQL statement"),
        ("INSERT INTO n VALUES", "[0x0216]: syntax error near 'no any data points'"),
        ("INSERT INTO n VALUES ()", "[0x263F]: Illegal number of columns"),
        ("INSERT INTO n VALUES (1, 2, 'x', 3)", "[0x263F]: Illegal number of columns"),
        ("INSERT INTO n VALUES (1, 2)", "[0x0216]: syntax error near ')' (, expected)"),
        ("INSERT INTO n (ts, a) VALUES (1, 2 3)", "[0x0216]: syntax error near '3)' () expected)"),
        ("INSERT INTO n VALUES (1, 2, 'x'", "[0x0216]: syntax error near '' () expected)"),
        ("INSERT n VALUES (1, 2, 'x')", "[0x0216]: syntax error near 'n values (1, 2, 'x')' (keyword INTO is expected)"),
        ("INSERT INTO n (a) VALUES (1)", "[0x0200]: Primary timestamp column should not be null"),
        ("INSERT INTO n VALUES (NULL, 2, 'x')", "[0x0216]: syntax error near 'null, 2, 'x')' (Primary timestamp column should not be null)"),
        ("INSERT INTO n (ts, zz) VALUES (1, 2)", "[0x2602]: Invalid column name: zz"),
        ("INSERT INTO n (ts, a, a) VALUES (1, 2, 3)", "[0x0216]: syntax error near 'a' (duplicated column name)"),
        ("INSERT INTO nope VALUES (1, 2, 'x')", "[0x2603]: Table does not exist"),
        ("INSERT INTO d . n VALUES (1, 2, 'x')", "[0x2603]: Table does not exist"),
        ("INSERT INTO n USING nope TAGS (1) VALUES (1, 2, 'x')", "[0x2603]: Table does not exist"),
        ("INSERT INTO n USING s TAGS (3) VALUES (1)", "[0x0216]: syntax error near ') values (1)' (invalid data or symbol)"),
        ("INSERT INTO s VALUES (1, 2)", "[0x0216]: syntax error near ' values (1, 2)' ((...tbname, ts...) bounded cols is expected for supertable insertion)"),
        ("INSERT INTO s (ts, a) VALUES (1, 2)", "[0x0200]: tbname column should not be null"),
        ("INSERT INTO n VALUES (1, 2, 'long long long')", "[0x2653]: Value too long for column/tag: b"),
        ("INSERT INTO k (ts, a) VALUES (1, 2)", "[0x0200]: Primary key column should not be none"),
        ("INSERT INTO k VALUES (1, NULL, 2)", "[0x267B]: Primary key column should not be null"),
        ("INSERT INTO 9abc VALUES (1)", "[0x0216]: syntax error near '9abc values (1)' (table_name is expected)"),
        ("INSERT INTO a$b VALUES (1)", "[0x2600]: unrecognized token: \"$b values (1)\""),
        ("INSERT INTO n (ts) VALUE (1)", "[0x2600]: syntax error near \"value (1)\""),
        ("INSERT INTO n (ts) VALUES (1) -- c", "[0x0216]: syntax error near '-- c' (table_name is expected)"),
        ("INSERT INTO `a.b` VALUES (1)", "[0x2617]: The table name cannot contain '.'"),
        ("INSERT INTO n FILE 'x' n VALUES (1, 2, 'x')", "[0x021A]: File is empty"),
        ("INSERT INTO n (ts) VALUES (?)", "[0x022A]: no value is bound to parameter 1"),
        ("INSERT INTO n VALUES ('2024-01-01", "[0x0216]: syntax error near ''2024-01-01' (invalid data or symbol)"),
    ] {
        assert_eq!(error(sql), wanted, "{sql}");
    }
}

#[test]
fn integers_take_every_spelling_and_keep_their_range() {
    let array =
        cells(DataType::TinyInt, &["-128", "127", "'12'", "'12.6'", "12.4", "12.5", "-12.5", "0x1F", "'0x1f'", "0b101", "1e2", "NULL", "'null'", "- 0", "+5"])
            .unwrap();
    let values: Vec<_> = array.as_any().downcast_ref::<Int8Array>().unwrap().iter().collect();
    let wanted = [-128, 127, 12, 13, 12, 13, -13, 31, 31, 5, 100].map(Some).into_iter().chain([None, None, Some(0), Some(5)]);
    assert_eq!(values, wanted.collect::<Vec<_>>());
    let array = cells(DataType::UBigInt, &["18446744073709551615", "0", "-0"]).unwrap();
    assert_eq!(array.as_any().downcast_ref::<UInt64Array>().unwrap().values().to_vec(), [u64::MAX, 0, 0]);
    assert_eq!(cell_error(DataType::TinyInt, "128"), "syntax error near '128) ' (tinyint data overflow)");
    assert_eq!(cell_error(DataType::BigInt, "9223372036854775808"), "syntax error near '9223372036854775808) ' (invalid bigint data)");
    assert_eq!(cell_error(DataType::UTinyInt, "-1"), "syntax error near '-1) ' (invalid unsigned tinyint data)");
    assert_eq!(cell_error(DataType::Int, "true"), "syntax error near 'true) ' (invalid int data)");
    assert_eq!(cell_error(DataType::Int, "'abc'"), "syntax error near 'abc' (invalid int data)");
    assert_eq!(cell_error(DataType::Int, "''"), "syntax error near '' (invalid numeric data)");
    assert_eq!(cell_error(DataType::Int, "abc"), "syntax error near 'abc) ' (invalid data or symbol)");
    assert_eq!(cell_error(DataType::Int, "1e"), "syntax error near 'e) ' () expected)");
}

#[test]
fn fractions_booleans_and_decimals() {
    let array = cells(DataType::Double, &["1.7e308", "-.5", "5.", "0x10", "'12.25'", "0.30000000000000004"]).unwrap();
    assert_eq!(array.as_any().downcast_ref::<Float64Array>().unwrap().values().to_vec(), [1.7e308, -0.5, 5.0, 16.0, 12.25, 0.300_000_000_000_000_04]);
    let array = cells(DataType::Float, &["3.4e38", "-1e-40", "8.19"]).unwrap();
    assert_eq!(array.as_any().downcast_ref::<Float32Array>().unwrap().values().to_vec(), [3.4e38, -1e-40, 8.19]);
    assert_eq!(cell_error(DataType::Float, "3.5e38"), "syntax error near '3.5e38) ' (illegal float data)");
    assert_eq!(cell_error(DataType::Double, "1.9e308"), "syntax error near '1.9e308) ' (illegal float data)");
    assert_eq!(cell_error(DataType::Double, "-4.9e-324"), "syntax error near '-4.9e-324) ' (illegal float data)");
    assert_eq!(cell_error(DataType::Double, "'inf'"), "syntax error near 'inf' (illegal double data)");
    let array = cells(DataType::Bool, &["true", "FALSE", "1", "0", "2", "-1", "'True'", "1.5", "NULL"]).unwrap();
    let wanted = [true, false, true, false, true, true, true, true].map(Some).into_iter().chain([None]);
    assert_eq!(array.as_any().downcast_ref::<BooleanArray>().unwrap().iter().collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
    assert_eq!(cell_error(DataType::Bool, "'yes'"), "syntax error near 'yes' (invalid bool data)");
    let array = cells(DataType::Decimal(10, 2), &["1.005", "-1.005", "'12'", "1e3", "99999999.99", "0.004"]).unwrap();
    assert_eq!(array.as_any().downcast_ref::<Decimal128Array>().unwrap().values().to_vec(), [101, -101, 1200, 100_000, 9_999_999_999, 0]);
    assert_eq!(cell_error(DataType::Decimal(4, 2), "100"), "syntax error near '100) ' (decimal data overflow)");
}

#[test]
fn texts_bytes_and_shapes() {
    let array = cells(DataType::Varchar(8), &["'it''s'", r"'a\'b'", r"'a\nb'", "'涛思'", "1E3", "true", "''", r"'\x41'", r"'50\%'"]).unwrap();
    let texts = array.as_any().downcast_ref::<BinaryArray>().unwrap().clone();
    let texts: Vec<_> = texts.iter().map(|text| String::from_utf8(text.unwrap().to_vec()).unwrap()).collect();
    assert_eq!(texts, ["it's", "a'b", "a\nb", "涛思", "1e3", "true", "", "\\x41", "50\\%"]);
    assert_eq!(cell_error(DataType::Varchar(8), "'涛思数'"), "Value too long for column/tag: v");
    let array = cells(DataType::NChar(4), &["'涛思数据'", "'😀😀'"]).unwrap();
    assert_eq!(array.as_any().downcast_ref::<StringArray>().unwrap().value(1), "😀😀");
    assert_eq!(cell_error(DataType::NChar(4), "'abcde'"), "Value too long for column/tag: v");
    let array = cells(DataType::VarBinary(8), &[r"'\x0102ff'", r"'\x'", "'plain'"]).unwrap();
    let bytes = array.as_any().downcast_ref::<BinaryArray>().unwrap().clone();
    assert_eq!((bytes.value(0), bytes.value(1), bytes.value(2)), ([1, 2, 255].as_slice(), [].as_slice(), b"plain".as_slice()));
    assert_eq!(cell_error(DataType::VarBinary(8), r"'\x01g'"), "Invalid varbinary value: v");
    assert_eq!(cell_error(DataType::Geometry(64), "'not wkt'"), "syntax error near 'not wkt' (ParseException: Unknown type: 'NOT')");
    assert_eq!(cells(DataType::Geometry(64), &["'LINESTRING(0 0, 1 1)'"]).unwrap().as_any().downcast_ref::<BinaryArray>().unwrap().value(0).len(), 41);
}

#[test]
fn times_of_every_form() {
    let forms = [
        "'2024-02-29 12:00:00'",
        "1710000000000",
        "'2024-03-10T08:00:00+08:00'",
        "'2024-3-10 8:0:0.5'",
        "'1710000000000'",
        "1710000000000+1s",
        "'2024-03-10' - 1d",
        "NOW() + 1h",
        "today",
        "'now'",
        "-1",
    ];
    let array = cells(DataType::Timestamp, &forms).unwrap();
    let now = NOW / 1_000_000;
    let wanted =
        [1_709_208_000_000, 1_710_000_000_000, now, now + 28_800_500, 1_710_000_000_000, 1_710_000_001_000, now - 86_400_000, now + 3_600_000, now, now, -1];
    assert_eq!(array.as_any().downcast_ref::<TimestampMillisecondArray>().unwrap().values().to_vec(), wanted);
    for refused in ["'2024-02-30'", "'now+1s'", "'1.5'", "'2024-06'"] {
        assert!(cell_error(DataType::Timestamp, refused).ends_with("(invalid timestamp)"), "{refused}");
    }
    assert_eq!(cell_error(DataType::Timestamp, "170 + 1n"), "syntax error near '170 + 1n) ' (invalid timestamp)");
}

#[test]
fn parameters_are_typed_by_their_column() {
    let mut tables = Tables::new(DataType::Int);
    let parameters = [
        Value::Varchar(b"new".to_vec()),
        Value::BigInt(1),
        Value::NChar("one".into()),
        Value::Timestamp(5),
        Value::Double(2.5),
        Value::Null,
        Value::Varchar(b"1970-01-01 00:00:01".to_vec()),
        Value::Bool(true),
        Value::Varchar(br"\x".to_vec()),
    ];
    run_with("INSERT INTO ? USING s TAGS (?, ?) VALUES (?, ?, ?) (?, ?, ?)", &mut tables, &parameters).unwrap();
    assert_eq!(tables.clauses[0].table, ObjectName::bare("new"));
    assert_eq!(tables.clauses[0].using.as_ref().unwrap().values, [Value::Int(1), Value::Varchar(b"one".to_vec())]);
    let columns = &tables.arrays[0].0;
    assert_eq!(columns[0].as_any().downcast_ref::<TimestampMillisecondArray>().unwrap().values().to_vec(), [5, 1_000]);
    assert_eq!(columns[1].as_any().downcast_ref::<Int32Array>().unwrap().values().to_vec(), [3, 1]);
    assert!(columns[2].is_null(0));
    let refused = run_with("INSERT INTO n VALUES (1, ?, 'x')", &mut tables, &[Value::BigInt(1 << 40)]).unwrap_err();
    assert_eq!(refused.message(), "syntax error near '1099511627776' (int data overflow)");
}

#[test]
fn files_skip_their_heading_and_name_a_bad_line() {
    let mut tables = Tables { csv: "ts,a,b\n'2024-01-01 00:00:00', 1, 'x'\r\n\n1704067201000,NULL,\"y\"", ..Tables::new(DataType::Int) };
    assert_eq!(run_with("INSERT INTO n FILE 'x.csv'", &mut tables, &[]).unwrap(), InsertOutcome::Rows(2));
    let mut tables = Tables { csv: "1,1,'x'\n2,,'y'", ..Tables::new(DataType::Int) };
    assert_eq!(
        run_with("INSERT INTO n FILE 'x.csv'", &mut tables, &[]).unwrap_err().message(),
        "syntax error near ',,'y'' (invalid data or symbol)".replace(",,", ",")
    );
}

#[test]
fn an_hour_that_stands_twice_goes_on_with_the_offset_before_it() {
    let zone = Zone::named("America/New_York").unwrap();
    let read = |texts: &[&str]| {
        let mut clock = Clock::new(&zone);
        texts.iter().map(|text| clock.read(format!("'{text}'").as_bytes(), Precision::Milli).unwrap().0 / 1_000).last().unwrap()
    };
    let (daylight, standard) = (1_730_611_800, 1_730_615_400);
    assert_eq!(read(&["2024-11-03 01:30:00"]), standard);
    assert_eq!(read(&["2024-11-03 00:30:00", "2024-11-03 01:30:00"]), daylight);
    assert_eq!(read(&["2024-11-03 02:30:00", "2024-11-03 01:30:00"]), standard);
    assert_eq!(read(&["2024-07-01 00:00:00", "2024-11-03 02:30:00"]), standard + 3_600);
}

proptest! {
    #[test]
    fn the_clock_agrees_with_the_long_way(seconds in 0_i64..2_000_000_000, millisecond in 0_u32..1000, zone in 0_usize..4) {
        let zone = Zone::named(["UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"][zone]).unwrap();
        let mut clock = Clock::new(&zone);
        // Wall-clock texts, also those that a clock change skips or repeats.
        for minute in [0, 31, 59] {
            let wall = jiff_text(seconds, minute, millisecond);
            let quoted = format!("'{wall}'");
            if let Some((ticks, length)) = clock.read(quoted.as_bytes(), Precision::Milli) {
                prop_assert_eq!(Some(ticks), parse_timestamp(wall.as_bytes(), Precision::Milli, &zone), "{}", wall);
                prop_assert_eq!(length, quoted.len());
            }
        }
    }

    #[test]
    fn numbers_agree_with_the_standard_reader(value in any::<f64>(), whole in any::<i64>(), scale in 0_usize..20) {
        let fixed = format!("{}.{:0scale$}", whole, 7);
        let texts = [format!("{value}"), format!("{value:e}"), fixed, whole.to_string()];
        for text in texts {
            let wanted: f64 = text.parse().unwrap();
            if wanted.is_finite() && !wanted.is_subnormal() {
                let array = cells(DataType::Double, &[&text]).unwrap();
                prop_assert_eq!(array.as_any().downcast_ref::<Float64Array>().unwrap().value(0).to_bits(), wanted.to_bits(), "{}", text);
            }
        }
        let array = cells(DataType::BigInt, &[&whole.to_string()]).unwrap();
        prop_assert_eq!(array.as_any().downcast_ref::<Int64Array>().unwrap().value(0), whole);
    }

    #[test]
    fn no_text_panics(rest in "( ?(\\(|\\)|,|'|\"|\\?|;|[a-z]{1,3}|[0-9.]{1,3}|-|\\+|1s|null|now|n|s|using|tags|values|file|\\\\|é)){0,14}") {
        let _ = run(&format!("INSERT INTO {rest}"));
        let _ = run(&format!("INSERT INTO n VALUES ({rest}"));
    }
}

/// `YYYY-MM-DD HH:mm:00.mmm` of a UTC second, with the minute replaced.
fn jiff_text(seconds: i64, minute: u32, millisecond: u32) -> String {
    let mut text = String::new();
    embudo_types::format_rfc3339(seconds * 1_000, Precision::Milli, &Zone::utc(), &mut text);
    format!("{} {}:{minute:02}:00.{millisecond:03}", &text[..10], &text[11..13])
}
