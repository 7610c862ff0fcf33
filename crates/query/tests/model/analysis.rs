//! What EXPLAIN ANALYZE tells, and by it that queries read no more than they need.

use super::*;

impl Fixture {
    fn explained(&self, sql: &str) -> Vec<String> {
        let Statement::Explain(explain) = embudo_sql::parse(sql).unwrap() else { panic!("{sql} explains nothing") };
        let Statement::Query(query) = &explain.statement else { panic!("{sql} explains no query") };
        let result = embudo_query::explain(query, &Arc::new(self.context(1)), explain.analyze, explain.verbose.unwrap_or(false)).unwrap();
        let mut lines = Vec::new();
        for batch in result.collect().unwrap() {
            let column = batch.column(0).as_any().downcast_ref::<arrow_array::BinaryArray>().unwrap();
            lines.extend(column.iter().map(|line| String::from_utf8(line.unwrap().to_vec()).unwrap()));
        }
        lines
    }

    /// A figure of every scan, in the order of the plan.
    fn figures(&self, sql: &str, name: &str) -> Vec<u64> {
        let lines = self.explained(&format!("EXPLAIN ANALYZE {sql}"));
        let figure = |line: &String| line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok());
        lines.iter().filter(|line| line.contains("I/O: ")).map(|line| figure(line).unwrap_or_else(|| panic!("{line}"))).collect()
    }
}

/// Two thousand rows of each child, flushed, a tick after the other.
fn stored() -> Fixture {
    let fixture = Fixture::new();
    for table in 0..TABLES {
        fixture.insert(&(table, (0..2_000).map(|tick| (tick, Some(tick % 7))).collect()));
    }
    fixture.flush();
    fixture
}

#[test]
fn operators_tell_what_they_did() {
    let fixture = stored();
    let plain = fixture.explained("EXPLAIN SELECT COUNT(*) FROM s WHERE v > 3");
    assert_eq!(plain.len(), 2);
    assert!(plain[0].starts_with("-> Aggragate (functions=1 width=8 input_order=asc )"), "{plain:?}");
    assert!(plain[1].starts_with("   -> Table Scan on s (columns=1 width=8 order=[asc|1 desc|0] mode=ts_order data_load=data)"), "{plain:?}");
    let lines = fixture.explained("EXPLAIN ANALYZE VERBOSE TRUE SELECT v, COUNT(*) FROM s WHERE v > 3 AND g = 1 GROUP BY v ORDER BY v LIMIT 2");
    let has = |line: &str| assert!(lines.iter().any(|other| other.contains(line)), "{line} in {lines:#?}");
    has("-> Sort (cost=");
    has("rows=3 blocks=1");
    has("Limit: 2 offset=0");
    has("Filter: on columns");
    has("Tag Index Filter: on tags");
    has("Time Range: [-9223372036854775808, 9223372036854775807]");
    // Of a week, v is above 3 on three days.
    has("rows=856 blocks=1");
    has("total_rows=2000 check_rows=2000");
    has("tables=1 files=");
    has("Planning Time: ");
    has("Execution Time: ");
}

#[test]
fn statistics_stand_for_blocks() {
    let fixture = stored();
    assert_eq!(fixture.figures("SELECT COUNT(*), MAX(v), SUM(v) FROM s", "check_rows"), [0]);
    assert_eq!(fixture.figures("SELECT COUNT(*), MAX(v), SUM(v) FROM s", "total_rows"), [6_000]);
    assert_eq!(fixture.figures("SELECT COUNT(*), MAX(v), SUM(v) FROM s", "bytes"), [0]);
    assert_eq!(fixture.figures("SELECT COUNT(*) FROM s WHERE ts < 0", "total_rows"), [0]);
    assert_eq!(fixture.figures("SELECT COUNT(*) FROM s WHERE ts < 0", "files"), [0]);
    assert!(fixture.figures("SELECT COUNT(*) FROM s WHERE ts < 0", "skip_files")[0] > 0);
}

#[test]
fn subqueries_and_joins_read_no_more_than_is_needed() {
    let fixture = stored();
    let rows = |sql: &str| fixture.figures(sql, "check_rows");
    assert_eq!(rows("SELECT ts, v FROM (SELECT ts, v FROM t0) WHERE ts >= 1990"), [10]);
    assert_eq!(rows("SELECT x FROM (SELECT ts AS x, v FROM (SELECT * FROM s)) WHERE x BETWEEN 100 AND 109"), [30]);
    assert_eq!(rows("SELECT ts FROM (SELECT ts, tbname AS t FROM s) WHERE t = 't1'"), [2_000]);
    assert_eq!(rows("SELECT ts FROM (SELECT ts, g FROM s) WHERE g = 1 AND ts < 50"), [50]);
    assert_eq!(rows("SELECT w, c FROM (SELECT _wstart AS w, COUNT(*) AS c FROM t0 INTERVAL(100a)) WHERE w >= 1900"), [0]);
    assert_eq!(rows("SELECT w, c FROM (SELECT _wstart AS w, COUNT(v) AS c FROM t0 WHERE v > 0 INTERVAL(100a)) WHERE w >= 1900"), [100]);
    assert_eq!(rows("SELECT t, c FROM (SELECT tbname AS t, COUNT(*) AS c FROM s WHERE v > 0 PARTITION BY tbname) WHERE t = 't2'"), [2_000]);
    assert_eq!(rows("SELECT ts FROM (SELECT ts, v FROM t0 UNION ALL SELECT ts, v FROM t1) WHERE ts < 20"), [20, 20]);
    assert_eq!(rows("SELECT a.ts FROM t0 a JOIN t1 b ON a.ts = b.ts WHERE a.ts < 30"), [30, 30]);
    assert_eq!(rows("SELECT a.ts FROM (SELECT ts, v FROM t0) a JOIN s b ON a.ts = b.ts WHERE b.ts < 30 AND b.tbname = 't2'"), [30, 30]);
    // Nothing passes a LIMIT, whose rows would be others.
    assert_eq!(rows("SELECT ts FROM (SELECT ts, v FROM t0 LIMIT 5000) WHERE ts >= 1990"), [2_000]);
    let bytes = |sql: &str| fixture.figures(sql, "bytes")[0];
    assert_eq!(bytes("SELECT ts FROM (SELECT ts, v FROM t0)") * 2, bytes("SELECT ts, v FROM (SELECT ts, v FROM t0)"));
    assert_eq!(bytes("SELECT COUNT(*) FROM (SELECT ts, v FROM t0)"), bytes("SELECT ts FROM t0"));
}
