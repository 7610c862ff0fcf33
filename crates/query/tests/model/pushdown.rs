//! What outer queries hand down to the queries they read changes no answer: beside each query stands the same over a subquery with a LIMIT that lets everything
//! through, which nothing passes.

use super::*;

/// Subqueries whose columns are `ts`, `v` and `k`, with `{L}` where a LIMIT may stand.
const SUBQUERIES: [&str; 22] = [
    "SELECT ts, v, g AS k FROM s {L}",
    "SELECT ts, v * 2 AS v, tbname AS k FROM s {L}",
    "SELECT ts, v, v AS k FROM t0 WHERE v > 0 {L}",
    "SELECT DISTINCT ts, v, v AS k FROM s {L}",
    "SELECT ts, v, g AS k FROM s PARTITION BY tbname {L}",
    "SELECT ts, v, v + 1 AS k FROM s ORDER BY v, ts, tbname {L}",
    "SELECT _wstart AS ts, SUM(v) AS v, tbname AS k FROM s PARTITION BY tbname INTERVAL(20a) {L}",
    "SELECT _wstart AS ts, MAX(v) AS v, COUNT(*) AS k FROM s INTERVAL(30a) SLIDING(10a) {L}",
    "SELECT _wstart AS ts, TWA(v) AS v, COUNT(*) AS k FROM t1 INTERVAL(20a) {L}",
    "SELECT _wstart AS ts, COUNT(*) AS v, g AS k FROM s PARTITION BY g SESSION(ts, 9a) {L}",
    "SELECT _wstart AS ts, SUM(v) AS v, v AS k FROM s PARTITION BY v INTERVAL(50a) {L}",
    "SELECT FIRST(ts) AS ts, COUNT(*) AS v, v AS k FROM s GROUP BY v {L}",
    "SELECT FIRST(ts) AS ts, LAST(v) AS v, g AS k FROM s PARTITION BY g {L}",
    "SELECT _wstart AS ts, SUM(v) AS v, tbname AS k FROM s WHERE ts >= 0 AND ts < 400 PARTITION BY tbname INTERVAL(40a) FILL(PREV) {L}",
    "SELECT ts, DIFF(v) AS v, v AS k FROM t2 {L}",
    "SELECT ts, CSUM(v) AS v, g AS k FROM t2 PARTITION BY g {L}",
    "SELECT ts, v, 1 AS k FROM t0 UNION ALL SELECT ts, v, g AS k FROM s {L}",
    "SELECT ts, v, g AS k FROM s UNION SELECT ts, v, v AS k FROM t1 {L}",
    "SELECT a.ts AS ts, a.v AS v, b.v AS k FROM s a JOIN t1 b ON a.ts = b.ts {L}",
    "SELECT b.ts AS ts, a.v AS v, b.v AS k FROM t0 a LEFT JOIN t1 b ON a.ts = b.ts {L}",
    "SELECT a.ts AS ts, b.v AS v, a.v AS k FROM t0 a FULL JOIN t1 b ON a.ts = b.ts AND a.v < 3 {L}",
    "SELECT ts, v, k FROM (SELECT ts, v, g AS k FROM s WHERE v IS NOT NULL) WHERE k < 2 {L}",
];

const CONDITIONS: [&str; 12] = [
    "ts >= 100",
    "ts < 150 AND v > 0",
    "ts BETWEEN 50 AND 60 OR v = 1",
    "k = 1",
    "k IN (0, 1) AND ts > 20",
    "v + k > 2",
    "k IS NULL",
    "v IS NULL AND ts < 300",
    "NOT (v > 1)",
    "ts = 77",
    "ts > 90 AND ts < 80",
    "CASE WHEN v > 0 THEN k ELSE 1 END = 1",
];

const OUTER: [&str; 5] = [
    "SELECT ts, v, k FROM ({Q}) WHERE {C}",
    "SELECT k FROM ({Q}) WHERE {C}",
    "SELECT v FROM ({Q}) WHERE {C} ORDER BY v",
    "SELECT COUNT(*), SUM(v), MIN(ts) FROM ({Q}) WHERE {C}",
    "SELECT k, COUNT(v) FROM ({Q}) WHERE {C} GROUP BY k ORDER BY k",
];

/// The rows, in no order but that of themselves: nobody promised one.
fn rows(fixture: &Fixture, sql: &str) -> std::result::Result<Vec<Vec<Option<i64>>>, String> {
    fixture.query(sql, 1).map(sorted).map_err(|error| error.to_string())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, ..ProptestConfig::default() })]

    #[test]
    fn conditions_times_and_columns(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), turn in 0_usize..4) {
        let (fixture, _) = filled(&inserts, &flushes);
        for subquery in SUBQUERIES {
            for condition in CONDITIONS.iter().skip(turn).step_by(4) {
                // A name is no number to compare with.
                let condition = if subquery.contains("tbname AS k") { condition.replace("v + k", "v + 1").replace('k', "LENGTH(k)").replace("LIKE", "") } else { (*condition).to_owned() };
                for outer in OUTER {
                    let sql = |limit: &str| outer.replace("{Q}", &subquery.replace("{L}", limit)).replace("{C}", &condition);
                    prop_assert_eq!(rows(&fixture, &sql("")), rows(&fixture, &sql("LIMIT 1000000000")), "{}", sql(""));
                }
            }
        }
    }

    #[test]
    fn sides_of_joins(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), from in 0_i64..300, length in 0_i64..200, least in -5_i64..6) {
        let (fixture, _) = filled(&inserts, &flushes);
        let joins = [
            "s a JOIN t1 b ON a.ts = b.ts", "t0 a JOIN s b ON a.ts = b.ts AND b.v > 0 AND a.v < 4", "t0 a LEFT JOIN t1 b ON a.ts = b.ts AND b.v > 0", "t0 a RIGHT JOIN t1 b ON a.ts = b.ts AND a.v > 0",
            "t0 a FULL JOIN t1 b ON a.ts = b.ts AND a.v > 0", "s a LEFT ASOF JOIN t1 b ON a.ts >= b.ts", "t0 a RIGHT ASOF JOIN t1 b ON a.ts >= b.ts",
            "(SELECT ts, v FROM s) a JOIN (SELECT ts, v FROM t1 WHERE v > 0) b ON a.ts = b.ts", "t0 a LEFT JOIN t1 b ON TIMETRUNCATE(a.ts, 1s) = TIMETRUNCATE(b.ts, 1s)",
            "t0 a LEFT SEMI JOIN s b ON a.ts = b.ts AND b.v > 0", "t0 a LEFT ANTI JOIN s b ON a.ts = b.ts AND b.v > 0", "t0 a LEFT WINDOW JOIN t1 b WINDOW_OFFSET(-9a, 9a)",
        ];
        for join in joins {
            let columns = "a.ts AS x, a.v AS p, b.ts AS y, b.v AS q";
            for (condition, outer) in [
                (format!("a.ts >= {from}"), format!("x >= {from}")),
                (format!("b.ts BETWEEN {from} AND {}", from + length), format!("y BETWEEN {from} AND {}", from + length)),
                (format!("a.ts > {from} AND b.v >= {least}"), format!("x > {from} AND q >= {least}")),
                (format!("a.v > {least} OR b.v > {least}"), format!("p > {least} OR q > {least}")),
                (format!("b.v IS NULL AND a.ts < {from}"), format!("q IS NULL AND x < {from}")),
                (format!("a.v + b.v > {least} AND {from} < b.ts"), format!("p + q > {least} AND {from} < y")),
            ] {
                let pushed = format!("SELECT {columns} FROM {join} WHERE {condition}");
                let whole = format!("SELECT x, p, y, q FROM (SELECT {columns} FROM {join} LIMIT 1000000000) WHERE {outer}");
                prop_assert_eq!(rows(&fixture, &pushed), rows(&fixture, &whole), "{}", pushed);
            }
        }
    }
}
