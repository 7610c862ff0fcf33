//! What the parser makes of the dialect's corners, and the errors it gives.

use super::parse;
use crate::ast::{
    Statement,
    expr::{BinaryOp, Expr, Literal},
    query::{QueryBody, Select, Window, WindowDuration},
};

fn select(sql: &str) -> Select {
    match parse(sql) {
        Ok(Statement::Query(query)) => match query.body {
            QueryBody::Select(select) => *select,
            QueryBody::Union { .. } => panic!("a union: {sql}"),
        },
        other => panic!("{other:?} of {sql}"),
    }
}

fn item(sql: &str) -> Expr {
    select(&format!("SELECT {sql}")).items.remove(0).expr
}

#[test]
fn errors_name_the_rest_of_the_statement() {
    for (sql, wanted) in [
        ("", "[0x2601]: Incomplete SQL statement"),
        (";", "[0x2600]: syntax error near \";\""),
        ("SELECT", "[0x2601]: Incomplete SQL statement"),
        ("SELECT FROM t", "[0x2600]: syntax error near \"from t\""),
        ("SELEC * FROM T", "[0x2600]: syntax error near \"selec * from t\""),
        ("SELECT a b c FROM t", "[0x2600]: syntax error near \"c from t\""),
        ("SELECT * FROM t LIMIT -1", "[0x2600]: syntax error near \"-1\""),
        ("SELECT SUM() FROM t", "[0x2600]: syntax error near \") from t\""),
        ("SELECT COUNT(DISTINCT a) FROM t", "[0x2600]: syntax error near \"distinct a) from t\""),
        ("SELECT 'open", "[0x2600]: unrecognized token: \"'open\""),
        ("SELECT a#b", "[0x2600]: unrecognized token: \"#b\""),
        ("SELECT 0x1F", "[0x2600]: syntax error near \"0x1f\""),
        ("SELECT 'a' 'b'", "[0x2600]: syntax error near \"'b'\""),
        ("SELECT * FROM (n) LIMIT 1", "[0x2600]: syntax error near \") limit 1\""),
        ("SELECT a FROM t WHERE a > 1 AND NULL ORDER BY a", "[0x2600]: syntax error near \"order by a\""),
        ("SELECT a FROM t WHERE flag AND a > 1", "[0x2600]: syntax error near \"and a > 1\""),
        ("SELECT a FROM t WHERE NOT flag", "[0x2601]: Incomplete SQL statement"),
        ("SELECT (a IS NULL) = (b IS NULL) FROM t", "[0x2600]: syntax error near \"= (b is null) from t\""),
        ("SELECT (SELECT a FROM t)", "[0x2600]: syntax error near \"select a from t)\""),
        ("SELECT a FROM t GROUP BY b INTERVAL(1m)", "[0x2600]: syntax error near \"interval(1m)\""),
        ("SELECT COUNT(*) FROM t INTERVAL(1x)", "[0x2600]: syntax error near \"x)\""),
        ("CREATE STABLE s (ts TIMESTAMP, a INT)", "[0x2601]: Incomplete SQL statement"),
        ("CREATE TABLE t (ts TIMESTAMP, a VARCHAR)", "[0x2600]: syntax error near \")\""),
        ("CREATE TABLE t (ts TIMESTAMP, order INT)", "[0x2600]: syntax error near \"order int)\""),
        ("CREATE TABLE `a.b` (ts TIMESTAMP, a INT)", "[0x2617]: The table name cannot contain '.'"),
        ("ALTER DATABASE d VGROUPS 2", "[0x2600]: syntax error near \"vgroups 2\""),
        ("ALTER TABLE t SET TAG a = 1, b = 2", "[0x2600]: syntax error near \", b = 2\""),
        ("SHOW VARIABLES LIKE 'x'", "[0x2600]: syntax error near \"like 'x'\""),
        ("CREATE TOKEN t", "[0x2601]: Incomplete SQL statement"),
        ("CREATE TOKEN t FROM USER u TTL x", "[0x2600]: syntax error near \"x\""),
        ("ALTER TOKEN t", "[0x2601]: Incomplete SQL statement"),
        ("CREATE TOTP_SECRET FROM USER u", "[0x2600]: syntax error near \"from user u\""),
        ("DROP USER IF EXISTS u", "[0x2600]: syntax error near \"if exists u\""),
        ("CREATE USER u PASS ''", "[0x2611]: Password can not be empty"),
        ("CREATE USER uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu PASS 'a'", "[0x2610]: Name or password too long"),
        ("CREATE ACCOUNT a PASS 'x'", "[0x2614]: This statement is no longer supported"),
        ("CREATE FUNCTION f AS '/a' OUTPUTTYPE JSON", "[0x2600]: syntax error near \"json\""),
        ("REDISTRIBUTE VGROUP 1 DNODE 1 DNODE 2 DNODE 3 DNODE 4", "[0x2656]: The REDISTRIBUTE VGROUP statement only support 1 to 3 dnodes"),
        ("CREATE DNODE 'h' PORT 65535", "[0x2612]: Port should be an integer that is less than 65535 and greater than 0"),
    ] {
        let error = parse(sql).err().map_or_else(|| "accepted".to_owned(), |error| error.to_string());
        assert_eq!(error, wanted, "{sql}");
    }
    assert_eq!(parse("SELECT a b c FROM t").err().and_then(|error| error.position()), Some(11));
}

#[test]
fn names_have_their_lengths() {
    let column = |length: usize| parse(&format!("SELECT {} FROM t", "c".repeat(length)));
    assert!(column(64).is_ok());
    assert_eq!(column(65).unwrap_err().message(), format!("Invalid identifier name: {} from t", "c".repeat(65)));
    let table = |length: usize| parse(&format!("DROP TABLE `{}`", "L".repeat(length)));
    assert!(table(192).is_ok());
    assert_eq!(table(193).unwrap_err().message(), format!("Invalid identifier name: {}`", "L".repeat(193)));
    assert!(parse(&format!("SELECT '{}'", "x".repeat(crate::MAX_STATEMENT))).unwrap_err().to_string().starts_with("[0x0219]"));
}

#[test]
fn operators_bind_as_the_dialect_says() {
    assert_eq!(item("a + b * c & d"), item("(a + (b * c)) & d"));
    assert_eq!(item("a - b - c"), item("(a - b) - c"));
    assert_eq!(item("a = 1 OR b = 2 AND NOT c = 3"), item("a = 1 OR (b = 2 AND (NOT c = 3))"));
    assert_eq!(item("2*-3"), Expr::Binary { op: BinaryOp::Multiply, left: Box::new(item("2")), right: Box::new(Expr::Literal(Literal::Integer(-3))) });
    assert_eq!(item("-9223372036854775808"), Expr::Literal(Literal::Integer(i64::MIN)));
    assert_eq!(item("99999999999999999999999"), Expr::Literal(Literal::Unsigned(u64::MAX)));
    assert_eq!(item("1--1"), Expr::Literal(Literal::Integer(1)));
    assert_eq!(item("NOW"), item("now()"));
}

#[test]
fn result_names_are_the_text_as_typed() {
    let name = |sql: &str| select(&format!("SELECT {sql} FROM t")).items.remove(0).text;
    assert_eq!(name("COUNT( * )"), "count( * )");
    assert_eq!(name("Max(a.V)  + 1"), "max(a.v)  + 1");
    assert_eq!(name("'It''s'"), "'It''s'");
    assert_eq!(name("`Mixed` + 1"), "Mixed` + 1");
    assert_eq!(name("SUM(`Mixed`)"), "sum(`Mixed`)");
    assert_eq!(name("CONCAT('涛思数据涛思数据涛思数据涛思数据涛思数据涛思数据涛思数据', 'x')").len(), 62);
    let select = select("SELECT a AS AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA, b 涛 FROM t");
    assert_eq!(select.items[0].alias.as_deref().map(str::len), Some(64));
    assert_eq!(select.items[1].alias.as_deref(), Some("涛"));
}

#[test]
fn windows_and_limits_have_several_spellings() {
    let window = |sql: &str| select(&format!("SELECT COUNT(*) FROM t {sql}")).window;
    assert_eq!(window("INTERVAL('10s')"), window("INTERVAL(10s)"));
    assert!(matches!(window("INTERVAL(10)"), Some(Window::Interval { interval: WindowDuration::Ticks(10), .. })));
    assert_eq!(parse("SELECT a FROM t LIMIT 2, 5"), parse("SELECT a FROM t LIMIT 5 OFFSET 2"));
    assert_eq!(select("SELECT /*+ batch_scan() nope() hash_join() */ a FROM t").hints, ["batch_scan"]);
    assert_eq!(parse("SELECT 1; DROP TABLE t"), parse("SELECT 1"));
}

#[test]
fn parameters_are_counted_in_order() {
    let select = select("SELECT ? FROM t WHERE a > ? AND b IN (?, 1)");
    assert_eq!(select.items[0].expr, Expr::Parameter(0));
    assert!(format!("{:?}", select.filter).contains("Parameter(2)"));
}

/// What stands between SQL fences of a page, without the semicolons.
fn examples(page: &str) -> Vec<&str> {
    let fenced = page.split("```").skip(1).step_by(2).filter_map(|block| block.strip_prefix("sql\n"));
    fenced.flat_map(str::lines).map(|line| line.trim_end_matches(';')).collect()
}

#[test]
fn the_reference_parses_and_prints_itself() {
    let examples = examples(include_str!("../../../../docs/sql/statements.md"));
    assert!(examples.len() > 90, "{}", examples.len());
    for sql in examples {
        let statement = parse(sql).unwrap_or_else(|error| panic!("{error}: {sql}"));
        let printed = statement.to_string();
        let again = parse(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
        assert_eq!(again.to_string(), printed);
    }
}
