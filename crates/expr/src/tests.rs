//! Expressions as SQL over a small table: one row a rule, and evaluation against a naive evaluator of single rows.

use arrow_array::ArrayRef;
use embudo_sql::ast::Statement;
use embudo_sql::ast::expr::{BinaryOp, Expr, Literal};
use embudo_sql::ast::query::QueryBody;
use embudo_types::{DataType, Precision, Result, Value};
use proptest::prelude::*;

use crate::{BindContext, Binder, BoundExpr, Input, Scope, array_of_values, value_at};

/// Columns by name.
struct Columns(Vec<(&'static str, DataType, Vec<Value>)>);

impl Scope for Columns {
    fn resolve(&self, expr: &Expr) -> Result<Option<Input>> {
        let Expr::Column { name, .. } = expr else { return Ok(None) };
        let index = self.0.iter().position(|column| column.0 == name);
        Ok(index.map(|index| Input { index, data_type: self.0[index].1, precision: Precision::Milli }))
    }
}

impl Columns {
    fn arrays(&self) -> Vec<ArrayRef> {
        self.0.iter().map(|(_, data_type, values)| array_of_values(values, *data_type, Precision::Milli).unwrap()).collect()
    }

    fn rows(&self) -> usize {
        self.0[0].2.len()
    }
}

fn expression(sql: &str) -> Expr {
    let statement = embudo_sql::parse(&format!("SELECT {sql}")).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let Statement::Query(query) = statement else { panic!("{sql}") };
    let QueryBody::Select(select) = query.body else { panic!("{sql}") };
    select.items[0].expr.clone()
}

/// 2024-03-10 00:00:00 in milliseconds.
const DAY: i64 = 1_710_028_800_000;

fn table() -> Columns {
    Columns(vec![
        ("ts", DataType::Timestamp, vec![Value::Timestamp(DAY), Value::Timestamp(DAY + 1_500), Value::Timestamp(DAY + 86_400_000)]),
        ("b", DataType::Bool, vec![Value::Bool(true), Value::Null, Value::Bool(false)]),
        ("ti", DataType::TinyInt, vec![Value::TinyInt(-41), Value::Null, Value::TinyInt(100)]),
        ("i", DataType::Int, vec![Value::Int(5), Value::Int(0), Value::Null]),
        ("bu", DataType::UBigInt, vec![Value::UBigInt(u64::MAX), Value::UBigInt(1), Value::Null]),
        ("f", DataType::Float, vec![Value::Float(10.3), Value::Float(-0.5), Value::Null]),
        ("d", DataType::Double, vec![Value::Double(2.5), Value::Null, Value::Double(-7.0)]),
        ("v", DataType::Varchar(8), vec![Value::Varchar(b"12abc".to_vec()), Value::Varchar("涛思".into()), Value::Null]),
        ("n", DataType::NChar(8), vec![Value::NChar("x_y%z".into()), Value::NChar("涛思数据".into()), Value::Null]),
        ("j", DataType::Json, vec![Value::Json(r#"{"k": 10, "s": "str", "b": true}"#.into()), Value::Null, Value::Json(r#"{"k": null}"#.into())]),
    ])
}

fn context() -> BindContext {
    BindContext { now: DAY * 1_000_000 + 42_000_000_000, database: Some("power".into()), ..BindContext::default() }
}

/// The type and the values of an expression as text, `|` between rows.
fn shown(sql: &str) -> String {
    let (table, context) = (table(), context());
    let bound = match Binder::new(&context, &table).bind(&expression(sql)) {
        Ok(bound) => bound,
        Err(error) => return error.to_string(),
    };
    let array = match bound.evaluate(&table.arrays(), table.rows()) {
        Ok(array) => array,
        Err(error) => return error.to_string(),
    };
    let rows: Vec<String> = (0..table.rows()).map(|row| shown_value(&value_at(&array, bound.data_type(), row))).collect();
    let rows = if bound.constant().is_some() { &rows[..1] } else { &rows[..] };
    format!("{} {}", bound.data_type(), rows.join("|"))
}

fn shown_value(value: &Value) -> String {
    match value {
        Value::Null => "NULL".into(),
        Value::Bool(value) => value.to_string(),
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Float(value) => value.to_string(),
        Value::Double(value) => value.to_string(),
        Value::Timestamp(ticks) => format!("@{}", ticks - DAY),
        Value::NChar(text) | Value::Json(text) => text.clone(),
        other => String::from_utf8_lossy(crate::datum::bytes_of(other).unwrap_or_default()).into_owned(),
    }
}

fn check(rows: &[(&str, &str)]) {
    for (sql, expected) in rows {
        assert_eq!(shown(sql), *expected, "{sql}");
    }
}

#[test]
fn arithmetic() {
    check(&[
        ("i + 2", "DOUBLE 7|2|NULL"),
        ("7 / 2", "DOUBLE 3.5"),
        ("i / 0", "DOUBLE NULL|NULL|NULL"),
        ("d % i", "DOUBLE 2.5|NULL|NULL"),
        ("7 % 3", "DOUBLE 1"),
        ("'5a' + 1", "DOUBLE 6"),
        ("'0x10' + 1", "DOUBLE 17"),
        ("v + 1", "DOUBLE 13|1|NULL"),
        ("-i", "DOUBLE -5|0|NULL"),
        ("-5", "BIGINT -5"),
        ("-true", "BOOL false"),
        ("NULL + 1", "DOUBLE NULL"),
        ("ti & 7", "BIGINT 7|NULL|4"),
        ("f | 7", "BIGINT 15|7|NULL"),
        ("ts + 1s", "TIMESTAMP @1000|@2500|@86401000"),
        ("ts - 1u", "TIMESTAMP @0|@1500|@86400000"),
        ("1n + ts", "TIMESTAMP @2678400000|@2678401500|@2764800000"),
        ("ts + i", "TIMESTAMP @5|@1500|NULL"),
        ("ts - ts", "[0x0200]: Invalid operation"),
        ("ts + 1.5", "[0x0200]: Invalid operation"),
        ("nothing + 1", "[0x2602]: Invalid column name: nothing"),
    ]);
}

#[test]
fn comparisons() {
    check(&[
        ("i > 1.5", "BOOL true|false|NULL"),
        ("f = 10.3", "BOOL true|false|NULL"),
        ("bu > 1", "BOOL true|false|NULL"),
        ("bu > -1", "BOOL true|true|NULL"),
        ("ti = 300", "BOOL false|NULL|false"),
        ("b = 'true'", "BOOL false|NULL|true"),
        ("i = '5'", "BOOL true|false|NULL"),
        ("v = 12", "BOOL true|false|NULL"),
        ("n = 'x_y%z'", "BOOL true|false|NULL"),
        ("ts >= '2024-03-10 00:00:01'", "BOOL false|true|true"),
        ("ts = 1710028800000", "BOOL true|false|false"),
        ("ts = 'abc'", "[0x0127]: Invalid timestamp format"),
        ("ts > now", "BOOL false|false|true"),
        ("i BETWEEN 0 AND 4", "BOOL false|true|NULL"),
        ("i NOT BETWEEN 0 AND 4", "BOOL true|false|NULL"),
        ("i IN (5, 6)", "BOOL true|false|NULL"),
        ("i NOT IN (NULL, 5)", "BOOL false|NULL|NULL"),
        ("v IN ('12abc')", "BOOL true|false|NULL"),
        ("i IS NULL", "BOOL false|false|true"),
        ("b IS NOT NULL", "BOOL true|false|true"),
        ("i = NULL", "BOOL NULL"),
        ("v LIKE '12%'", "BOOL true|false|NULL"),
        ("n LIKE 'x\\_y%'", "BOOL true|false|NULL"),
        ("n NOT LIKE '____'", "BOOL true|false|NULL"),
        ("n MATCH '^.思'", "BOOL false|true|NULL"),
        ("v NMATCH 'a'", "BOOL false|true|NULL"),
        ("i LIKE 'x'", "[0x0200]: Invalid operation"),
    ]);
}

#[test]
fn logic() {
    check(&[
        ("i > 1 AND d > 1", "BOOL true|false|false"),
        ("i > 1 OR d > 1", "BOOL true|NULL|NULL"),
        ("NOT (i > 1)", "BOOL false|true|NULL"),
        ("CASE WHEN i > 1 THEN 1 ELSE 2.5 END", "BIGINT 1|2|2"),
        ("CASE i WHEN 5 THEN 'n' WHEN 0 THEN 'xyz' ELSE 'other' END", "VARCHAR(3) n|xyz|oth"),
        ("CASE WHEN i IS NULL THEN ti END", "TINYINT NULL|NULL|100"),
        ("CASE WHEN NULL THEN 1 ELSE 2 END", "BIGINT 2"),
        ("COALESCE(ti, i, 7)", "BIGINT -41|0|100"),
        ("NULLIF(i, 5)", "INT NULL|0|NULL"),
        ("GREATEST(i, d)", "DOUBLE 5|NULL|NULL"),
        ("LEAST(1, 2.5, 0)", "DOUBLE 0"),
        ("NVL2(i, 'set', 'null')", "VARCHAR(4) set|set|null"),
    ]);
}

#[test]
fn casts() {
    check(&[
        ("CAST(300 AS TINYINT)", "TINYINT 44"),
        ("CAST(-1 AS TINYINT UNSIGNED)", "TINYINT UNSIGNED 255"),
        ("CAST(1e20 AS BIGINT)", "BIGINT -9223372036854775808"),
        ("CAST(1e20 AS BIGINT UNSIGNED)", "BIGINT UNSIGNED 0"),
        ("CAST(d AS INT)", "INT 2|NULL|-7"),
        ("CAST(v AS INT)", "INT 12|0|NULL"),
        ("CAST(f AS VARCHAR(5))", "VARCHAR(5) 10.30|-0.50|NULL"),
        ("CAST(b AS NCHAR(3))", "NCHAR(3) tru|NULL|fal"),
        ("CAST(ts AS BIGINT)", "BIGINT 1710028800000|1710028801500|1710115200000"),
        ("CAST('2024-03-10' AS TIMESTAMP)", "TIMESTAMP @0"),
        ("CAST('x' AS TIMESTAMP)", "TIMESTAMP @-1710028800000"),
        ("CAST(NULL AS INT)", "INT NULL"),
        ("CAST(1 AS VARCHAR(70000))", "[0x2800]: CAST function converted length should be in range (0, 65517] bytes"),
    ]);
}

#[test]
fn json_members() {
    check(&[
        ("j->'k'", "JSON 10.000000000|NULL|null"),
        ("j->'s'", "JSON \"str\"|NULL|NULL"),
        ("j CONTAINS 'k'", "BOOL true|NULL|true"),
        ("j->'k' > 5", "BOOL true|NULL|false"),
        ("j->'s' > 5", "BOOL false|NULL|NULL"),
        ("j->'b' = true", "BOOL true|NULL|NULL"),
        ("j->'s' LIKE 's%'", "BOOL true|NULL|NULL"),
        ("j->'k' + 1", "DOUBLE 11|NULL|NULL"),
        ("j = '{}'", "[0x072D]: Json not support in this place"),
        ("j->'k' IN (10)", "[0x0110]: Json not support in in/notin operator"),
        ("TO_JSON('{\"a\": 1}')", "JSON {\"a\": 1}"),
    ]);
}

#[test]
fn numeric_functions() {
    check(&[
        ("ABS(ti)", "TINYINT 41|NULL|100"),
        ("ABS(NULL)", "BIGINT NULL"),
        ("ABS(v)", "[0x2802]: Invalid parameter data type : abs"),
        ("CEIL(f)", "FLOAT 11|-0|NULL"),
        ("FLOOR(2)", "BIGINT 2"),
        ("ROUND(2.5)", "DOUBLE 3"),
        ("ROUND(1.239, 2)", "DOUBLE 1.24"),
        ("ROUND(-155, -1)", "BIGINT -160"),
        ("ROUND(d, 2, 3)", "[0x2801]: Invalid number of parameters : round"),
        ("SQRT(-1)", "DOUBLE NULL"),
        ("LOG(8, 2)", "DOUBLE 3"),
        ("LOG(8, 1)", "DOUBLE NULL"),
        ("POW(-8, 0.5)", "DOUBLE NULL"),
        ("SIGN(d)", "DOUBLE 1|NULL|-1"),
        ("MOD(7, 0)", "DOUBLE NULL"),
        ("TRUNCATE(-1.239, 2)", "DOUBLE -1.23"),
        ("nofunc(i)", "[0x0374]: Func not exists"),
        ("SUM(i)", "[0x2608]: There mustn't be aggregation"),
    ]);
}

#[test]
fn text_functions() {
    check(&[
        ("LENGTH(v)", "BIGINT 5|6|NULL"),
        ("LENGTH(n)", "BIGINT 20|16|NULL"),
        ("CHAR_LENGTH(n)", "BIGINT 5|4|NULL"),
        ("LENGTH(i)", "[0x2802]: Invalid parameter data type : length"),
        ("UPPER(v)", "VARCHAR(8) 12ABC|涛思|NULL"),
        ("CONCAT(v, '-', n)", "NCHAR(21) 12abc-x_y%z|涛思-涛思数据|NULL"),
        ("CONCAT_WS('-', v, 'z')", "VARCHAR(14) 12abc-z|涛思-z|NULL"),
        ("CONCAT('a', NULL)", "VARCHAR(4) NULL"),
        ("SUBSTR(n, 2, 2)", "NCHAR(8) _y|思数|NULL"),
        ("SUBSTR('abc', -10)", "VARCHAR(3) abc"),
        ("SUBSTR(v, 0)", "[0x2803]: Invalid parameter value : substr"),
        ("LTRIM('  a ')", "VARCHAR(4) a "),
        ("REPEAT('ab', 3)", "VARCHAR(6) ababab"),
        ("SUBSTRING_INDEX('a.b.c', '.', -2)", "VARCHAR(5) b.c"),
        ("FIND_IN_SET('b', 'a,b')", "BIGINT 2"),
        ("ASCII(v)", "BIGINT 49|230|NULL"),
        ("CHAR(65, 66)", "VARCHAR(8) AB"),
        ("MD5('abc')", "VARCHAR(32) 900150983cd24fb0d6963f7d28e17f72"),
        ("SHA1('abc')", "VARCHAR(40) a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("GENERATE_TOTP_SECRET('')", "VARCHAR(52) WYJWPGQICTM6Y5ZPSXLXRQ27YX7RNF6ESNYVMU6GY4JBIQUSYWWQ"),
        ("CRC32('abc')", "INT UNSIGNED 891568578"),
        ("TO_BASE64('abc')", "VARCHAR(8) YWJj"),
        ("FROM_BASE64('YWJj')", "VARCHAR(4) abc"),
    ]);
}

#[test]
fn time_functions() {
    check(&[
        ("NOW()", "TIMESTAMP @42000"),
        ("TODAY()", "TIMESTAMP @0"),
        ("TIMEZONE()", "VARCHAR(16) UTC (UTC, +0000)"),
        ("TIMETRUNCATE(ts, 1s)", "TIMESTAMP @0|@1000|@86400000"),
        ("TIMETRUNCATE(ts, 1w)", "TIMESTAMP @-259200000|@-259200000|@-259200000"),
        ("TIMETRUNCATE(ts, 3s)", "[0x2800]: TIMETRUNCATE function time unit parameter should be one of the following: [1b, 1u, 1a, 1s, 1m, 1h, 1d, 1w]"),
        ("TIMETRUNCATE(ts, 1u)", "[0x2800]: TIMETRUNCATE function time unit parameter should be greater than db precision"),
        ("TIMEDIFF(ts, '2024-03-09', 1h)", "BIGINT 24|24|48"),
        ("TIMEDIFF('x', '2024-01-02', 1h)", "BIGINT NULL"),
        ("TIMEDIFF(NULL, ts)", "[0x2802]: Invalid parameter data type : timediff"),
        ("TO_ISO8601(ts, '+05:30')", "VARCHAR(62) 2024-03-10T05:30:00.000+05:30|2024-03-10T05:30:01.500+05:30|2024-03-11T05:30:00.000+05:30"),
        ("TO_ISO8601(1709208000)", "VARCHAR(62) 2024-02-29T12:00:00+0000"),
        ("TO_ISO8601(ts, '+13:00')", "[0x2800]: Invalid timzone format"),
        ("TO_UNIXTIMESTAMP('2024-03-10T00:00:00Z')", "BIGINT 1710028800000"),
        ("TO_UNIXTIMESTAMP('bad', 1)", "TIMESTAMP NULL"),
        ("TO_CHAR(ts, 'yyyy-mm-dd hh24:mi:ss.ms')", "VARCHAR(4094) 2024-03-10 00:00:00.000|2024-03-10 00:00:01.500|2024-03-11 00:00:00.000"),
        ("TO_TIMESTAMP('2024-03-10', 'yyyy-mm-dd')", "TIMESTAMP @0"),
        ("WEEKDAY(ts)", "BIGINT 6|6|0"),
        ("DAYOFWEEK(ts)", "BIGINT 1|1|2"),
        ("DATABASE()", "VARCHAR(5) power"),
        ("SERVER_STATUS()", "INT 1"),
        ("CLIENT_VERSION() = SERVER_VERSION()", "BOOL true"),
    ]);
}

#[test]
fn zones() {
    let context = BindContext { zone: embudo_types::Zone::named("America/New_York").unwrap(), ..context() };
    let text = |sql: &str| {
        let bound = Binder::new(&context, &crate::EmptyScope).bind(&expression(sql)).unwrap();
        shown_value(&bound.constant().unwrap())
    };
    for (sql, expected) in [
        ("TO_UNIXTIMESTAMP('2024-03-10 02:30:00')", "1710055800000"),
        ("TO_UNIXTIMESTAMP('2024-11-03 01:30:00')", "1730615400000"),
        ("CAST(TIMETRUNCATE('2100-07-01 00:00:00', 1d) AS BIGINT)", "4118014800000"),
        ("CAST(TIMETRUNCATE('1969-12-31 23:00:00', 1d) AS BIGINT)", "18000000"),
        ("TO_ISO8601(CAST('2024-03-10 02:30:00' AS TIMESTAMP))", "2024-03-10T03:30:00.000-0400"),
        ("TIMEDIFF('2024-03-10', '2000-01-01 00:00:00', 1h)", "212040"),
        ("TO_CHAR(CAST('2024-07-01' AS TIMESTAMP), 'hh24 TZH')", "00 -04"),
        ("TIMEZONE()", "America/New_York (EST, -0500)"),
    ] {
        assert_eq!(text(sql), expected, "{sql}");
    }
}

#[test]
fn parameters_are_values() {
    let context = BindContext { parameters: vec![Value::Int(5), Value::Varchar(b"12%".to_vec())].into(), ..context() };
    let table = table();
    let binder = Binder::new(&context, &table);
    let equal = Expr::Binary { op: BinaryOp::Equal, left: Box::new(expression("i")), right: Box::new(Expr::Parameter(0)) };
    let array = binder.bind(&equal).unwrap().evaluate(&table.arrays(), 3).unwrap();
    assert_eq!((0..3).map(|row| value_at(&array, DataType::Bool, row)).collect::<Vec<_>>(), [Value::Bool(true), Value::Bool(false), Value::Null]);
    assert!(binder.bind(&Expr::Parameter(2)).is_err());
}

/// One row's value of arithmetic, comparison and logic over BIGINT columns, in the plainest way.
fn naive(expr: &Expr, row: &[Option<i64>]) -> Option<f64> {
    let truth = |value: bool| if value { 1.0 } else { 0.0 };
    match expr {
        Expr::Literal(Literal::Integer(value)) => Some(*value as f64),
        Expr::Column { name, .. } => row[usize::from(name.as_bytes()[0] - b'p')].map(|value| value as f64),
        Expr::Not(operand) => naive(operand, row).map(|value| truth(value == 0.0)),
        Expr::IsNull { expr, negated } => Some(truth(naive(expr, row).is_none() != *negated)),
        Expr::Binary { op, left, right } => {
            let (left, right) = (naive(left, row), naive(right, row));
            match op {
                BinaryOp::And if left == Some(0.0) || right == Some(0.0) => return Some(0.0),
                BinaryOp::Or if left.is_some_and(|value| value != 0.0) || right.is_some_and(|value| value != 0.0) => return Some(1.0),
                _ => {}
            }
            let (left, right) = (left?, right?);
            Some(match op {
                BinaryOp::And => truth(left != 0.0 && right != 0.0),
                BinaryOp::Or => truth(left != 0.0 || right != 0.0),
                BinaryOp::Equal => truth(left == right),
                BinaryOp::NotEqual => truth(left != right),
                BinaryOp::Less => truth(left < right),
                BinaryOp::LessEqual => truth(left <= right),
                BinaryOp::Greater => truth(left > right),
                BinaryOp::GreaterEqual => truth(left >= right),
                BinaryOp::Add => left + right,
                BinaryOp::Subtract => left - right,
                BinaryOp::Multiply => left * right,
                BinaryOp::Divide if right == 0.0 => return None,
                BinaryOp::Divide => left / right,
                BinaryOp::Modulo if right == 0.0 => return None,
                BinaryOp::Modulo => left - (left / right).trunc() * right,
                _ => return None,
            })
        }
        _ => None,
    }
}

fn values() -> impl Strategy<Value = Expr> {
    let column = prop::sample::select(vec!["p", "q", "r"]).prop_map(|name| Expr::Column { table: None, name: name.into() });
    let leaf = prop_oneof![column, (-5_i64..6).prop_map(|value| Expr::Literal(Literal::Integer(value)))];
    let operators = vec![BinaryOp::Add, BinaryOp::Subtract, BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo];
    leaf.prop_recursive(3, 12, 2, move |inner| {
        (prop::sample::select(operators.clone()), inner.clone(), inner).prop_map(|(op, left, right)| Expr::Binary {
            op,
            left: Box::new(left),
            right: Box::new(right),
        })
    })
}

fn conditions() -> impl Strategy<Value = Expr> {
    let comparisons = vec![BinaryOp::Equal, BinaryOp::NotEqual, BinaryOp::Less, BinaryOp::LessEqual, BinaryOp::Greater, BinaryOp::GreaterEqual];
    let comparison =
        (prop::sample::select(comparisons), values(), values()).prop_map(|(op, left, right)| Expr::Binary { op, left: Box::new(left), right: Box::new(right) });
    let is_null = (values(), any::<bool>()).prop_map(|(expr, negated)| Expr::IsNull { expr: Box::new(expr), negated });
    prop_oneof![comparison, is_null].prop_recursive(3, 10, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|operand| Expr::Not(Box::new(operand))),
            (prop::sample::select(vec![BinaryOp::And, BinaryOp::Or]), inner.clone(), inner).prop_map(|(op, left, right)| Expr::Binary {
                op,
                left: Box::new(left),
                right: Box::new(right)
            }),
        ]
    })
}

/// What a value is as a number.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(value) => Some(if *value { 1.0 } else { 0.0 }),
        Value::BigInt(value) => Some(*value as f64),
        Value::Double(value) => Some(*value),
        _ => None,
    }
}

fn evaluated(bound: &BoundExpr, table: &Columns) -> Vec<Option<f64>> {
    let array = bound.evaluate(&table.arrays(), table.rows()).unwrap();
    (0..table.rows()).map(|row| number(&value_at(&array, bound.data_type(), row))).collect()
}

proptest! {
    #[test]
    fn vectors_agree_with_single_rows(expr in prop_oneof![values(), conditions()], rows in prop::collection::vec(prop::array::uniform3(prop::option::of(-4_i64..5)), 1..70)) {
        let column = |at: usize| rows.iter().map(|row| row[at].map_or(Value::Null, Value::BigInt)).collect();
        let table = Columns(vec![("p", DataType::BigInt, column(0)), ("q", DataType::BigInt, column(1)), ("r", DataType::BigInt, column(2))]);
        let context = context();
        let bound = Binder::new(&context, &table).bind(&expr).unwrap();
        let expected: Vec<Option<f64>> = rows.iter().map(|row| naive(&expr, row)).collect();
        let found = evaluated(&bound, &table);
        // A product of zeros and negatives may be a negative zero on one side only.
        prop_assert!(found.iter().zip(&expected).all(|(found, expected)| found == expected), "{:?}: {:?} {:?}", expr, found, expected);
    }
}
