//! Queries that have little room: they give what they give with much, or end with 0x070B where a single row or group does not fit.

use super::*;
use embudo_query::MemoryBudget;
use embudo_types::code;

/// Queries over the fixture that gather rows, groups, keys or pairs.
fn gathering() -> Vec<String> {
    let list = "COUNT(*), SUM(v), AVG(v), MIN(v), MAX(v), FIRST(v), LAST(v), STDDEV(v), SPREAD(v)";
    [
        format!("SELECT ts, {list} FROM s GROUP BY ts"),
        format!("SELECT v, {list} FROM s GROUP BY v"),
        format!("SELECT v, {list} FROM s GROUP BY v HAVING COUNT(*) > 1"),
        format!("SELECT ts + v, {list} FROM s PARTITION BY ts + v"),
        format!("SELECT v, _wstart, _wend, {list} FROM s PARTITION BY v INTERVAL(7a)"),
        format!("SELECT v, _wstart, {list} FROM s PARTITION BY v INTERVAL(20a) SLIDING(3a)"),
        format!("SELECT v, _wstart, {list} FROM s PARTITION BY v SESSION(ts, 5a)"),
        "SELECT v, _wstart, TWA(v) FROM t0 PARTITION BY v INTERVAL(7a)".to_owned(),
        format!("SELECT tbname, _wstart, _wend, {list} FROM s PARTITION BY tbname INTERVAL(1a)"),
        format!("SELECT tbname, _wstart, _wend, {list} FROM s PARTITION BY tbname INTERVAL(9a) SLIDING(2a)"),
        format!("SELECT _wstart, {list} FROM s INTERVAL(1a)"),
        format!("SELECT _wstart, {list} FROM (SELECT ts, v FROM t0) INTERVAL(1a)"),
        format!("SELECT v, {list} FROM (SELECT ts, v FROM s) GROUP BY v"),
        format!("SELECT ts, {list} FROM (SELECT ts, v FROM s ORDER BY ts) PARTITION BY ts"),
        format!("SELECT v, {list} FROM s PARTITION BY v SLIMIT 3 SOFFSET 1"),
        format!("SELECT ts, {list} FROM s PARTITION BY ts LIMIT 2 OFFSET 1"),
        format!("SELECT tbname, _wstart, {list} FROM s WHERE ts >= 0 AND ts < 400 PARTITION BY tbname INTERVAL(3a) FILL(PREV)"),
        format!("SELECT v, _wstart, {list} FROM s WHERE ts >= 0 AND ts < 400 PARTITION BY v INTERVAL(30a) FILL(LINEAR)"),
        "SELECT DISTINCT ts, v FROM s".into(),
        "SELECT DISTINCT v, ts FROM s ORDER BY ts DESC, v".into(),
        "SELECT ts, v FROM s UNION SELECT ts, v FROM t1".into(),
        "SELECT tbname, ts, v FROM s ORDER BY v, ts DESC, tbname".into(),
        "SELECT ts, v FROM s PARTITION BY v".into(),
        "SELECT ts, v FROM s PARTITION BY v SLIMIT 2".into(),
        "SELECT ts, v FROM s PARTITION BY v LIMIT 2".into(),
        "SELECT v, ts, DIFF(ts) FROM t0 PARTITION BY v".into(),
        "SELECT v, CSUM(v) FROM t2 PARTITION BY v".into(),
        "SELECT v, UNIQUE(ts) FROM s PARTITION BY v".into(),
        "SELECT a.ts, a.v, b.v FROM s a JOIN t1 b ON a.ts = b.ts".into(),
        "SELECT a.ts, a.v, b.v FROM t0 a FULL JOIN t1 b ON a.ts = b.ts AND a.v = b.v".into(),
        "SELECT a.ts, b.ts, a.v, b.v FROM t0 a LEFT JOIN s b ON a.ts = b.ts AND a.v > b.v".into(),
        "SELECT a.ts, b.ts FROM (SELECT ts, v FROM s) a LEFT ASOF JOIN (SELECT ts, v FROM s) b ON a.ts >= b.ts AND a.v = b.v JLIMIT 2".into(),
        "SELECT a.ts, b.ts FROM t0 a RIGHT ASOF JOIN s b ON a.ts > b.ts JLIMIT 3".into(),
        "SELECT a.ts, COUNT(*), SUM(b.v) FROM t0 a LEFT WINDOW JOIN s b WINDOW_OFFSET(-9a, 4a)".into(),
        "SELECT COUNT(*) FROM (SELECT DISTINCT ts FROM s)".into(),
    ]
    .into()
}

impl Fixture {
    fn within(&self, sql: &str, memory: MemoryBudget) -> Result<Vec<Vec<Option<i64>>>> {
        let memory = Arc::new(memory);
        let context = QueryContext { memory: Arc::clone(&memory), ..self.context(2) };
        let answer = Self::ask(sql, &Arc::new(context));
        assert_eq!(memory.used(), 0, "{sql} gives back what it held");
        answer
    }
}

/// Answers within so many bytes with a disk beside them.
fn spilling(bytes: u64) -> MemoryBudget {
    MemoryBudget::new(bytes).spilling_to(Arc::new(MemoryVfs::new()), "/spill".into())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn little_room_gives_the_same_rows(inserts in inserts(), flushes in prop::array::uniform3(any::<bool>()), bytes in 200_u64..60_000) {
        let (fixture, _) = filled(&inserts, &flushes);
        for sql in gathering() {
            let expected = fixture.answer(&sql);
            match fixture.within(&sql, spilling(bytes)) {
                Ok(found) => prop_assert_eq!(found, expected, "{} with {} bytes", sql, bytes),
                Err(error) => prop_assert_eq!(error.code(), code::QUERY_BUFFER_LIMIT_HAS_REACHED, "{}: {}", sql, error),
            }
        }
    }
}

/// Rows that differ, in no order of their values.
fn many_rows(fixture: &Fixture) {
    let mut random = 7_u64;
    for table in 0..TABLES {
        let rows = (0..2_000).map(|tick| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (tick * 3 + table as i64, Some((random >> 33) as i64 % 1_000))
        });
        fixture.insert(&(table, rows.collect()));
    }
    fixture.flush();
}

#[test]
fn groups_rows_and_keys_go_on_on_disk() {
    let fixture = Fixture::new();
    many_rows(&fixture);
    let mut went_to_disk = 0;
    for sql in gathering() {
        // A join holds the rows of its sides that are near each other.
        let bytes = if sql.contains("JOIN") { 2_000_000 } else { 700_000 };
        let expected = fixture.answer(&sql);
        let found = fixture.within(&sql, spilling(bytes)).unwrap_or_else(|error| panic!("{sql}: {error}"));
        assert!(found == expected, "{sql}: {} rows, not {}", found.len(), expected.len());
        went_to_disk += usize::from(fixture.within(&sql, MemoryBudget::new(bytes)).is_err());
    }
    assert!(went_to_disk > 12, "{went_to_disk}");
}
