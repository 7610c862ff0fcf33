//! A query stops wherever it is asked to: every operator looks whether it shall, often enough, and passes on what it finds.

use super::*;
use embudo_query::MemoryBudget;
use embudo_types::code;

/// Rows that may go by between two looks.
const ROWS: u64 = 20_000;

/// Queries that are long in one operator each, and how many rows that has to do with.
const QUERIES: [(&str, u64); 26] = [
    ("SELECT ts, v FROM s", 12_000),
    ("SELECT ts, v FROM s WHERE v > 3", 12_000),
    ("SELECT ts, v FROM s ORDER BY v", 12_000),
    ("SELECT ts, v FROM s ORDER BY ts DESC", 12_000),
    ("SELECT ts, v FROM s ORDER BY v LIMIT 10", 12_000),
    ("SELECT DISTINCT ts, v FROM s", 12_000),
    ("SELECT COUNT(*), SUM(v) FROM s WHERE v > 1", 12_000),
    ("SELECT ts, COUNT(*) FROM s GROUP BY ts", 12_000),
    ("SELECT ts, COUNT(*) FROM s GROUP BY ts ORDER BY ts", 12_000),
    ("SELECT v, COUNT(*) FROM (SELECT v FROM s) GROUP BY v", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s INTERVAL(2a)", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s INTERVAL(100a) SLIDING(1a)", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s SESSION(ts, 3a)", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s STATE_WINDOW(v)", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s EVENT_WINDOW START WITH v > 1 END WITH v < 1", 12_000),
    ("SELECT _wstart, COUNT(*) FROM s COUNT_WINDOW(3)", 12_000),
    ("SELECT _wstart, SUM(v) FROM t0 WHERE ts >= 0 AND ts < 400000 INTERVAL(1a) FILL(LINEAR)", 400_000),
    ("SELECT _wstart, SUM(v) FROM t0 WHERE ts >= 0 AND ts < 400000 INTERVAL(1a) FILL(NEXT)", 400_000),
    ("SELECT _irowts, INTERP(v) FROM t0 RANGE(0, 400000) EVERY(1a) FILL(PREV)", 400_000),
    ("SELECT ts, DIFF(v) FROM t0", 4_000),
    ("SELECT ts, v FROM s PARTITION BY v", 12_000),
    ("SELECT a.ts, b.v FROM t0 a JOIN t1 b ON a.ts = b.ts", 8_000),
    ("SELECT a.ts, b.v FROM s a LEFT JOIN s b ON a.ts = b.ts", 24_000),
    ("SELECT a.ts, b.v FROM t0 a LEFT ASOF JOIN t1 b ON a.ts >= b.ts", 8_000),
    ("SELECT ts, v FROM t0 UNION SELECT ts, v FROM t1", 8_000),
    ("SELECT LAST(v), PERCENTILE(v, 50), MODE(v) FROM t0 WHERE v > 0", 4_000),
];

fn long() -> Fixture {
    let fixture = Fixture::new();
    for table in 0..TABLES {
        fixture.insert(&(table, (0..4_000).map(|tick| (tick * 2, Some(tick % 7))).collect()));
        if table > 0 {
            fixture.flush();
        }
    }
    fixture
}

impl Fixture {
    /// Whether the query went through, and how often it looked whether to stop.
    fn stopped(&self, sql: &str, cancel: &CancelToken, bytes: u64) -> Result<usize> {
        let memory = Arc::new(MemoryBudget::new(bytes).spilling_to(Arc::new(MemoryVfs::new()), "/spill".into()));
        let answer = Self::ask(sql, &Arc::new(QueryContext { cancel: cancel.clone(), memory: Arc::clone(&memory), ..self.context(1) }));
        assert_eq!(memory.used(), 0, "{sql} gives back what it held");
        answer.map(|rows| rows.len())
    }
}

#[test]
fn operators_look_often_enough_and_stop_wherever_they_are() {
    let fixture = long();
    for (sql, rows) in QUERIES {
        for bytes in [u64::MAX, 1 << 20] {
            let cancel = CancelToken::new();
            match fixture.stopped(sql, &cancel, bytes) {
                Ok(_) => {}
                // A fill's windows are held while they come out.
                Err(error) if bytes < u64::MAX && error.code() == code::QUERY_BUFFER_LIMIT_HAS_REACHED => continue,
                Err(error) => panic!("{sql}: {error}"),
            }
            let looks = cancel.checks();
            assert!(looks * ROWS >= rows && looks > 1, "{sql} looks {looks} times at {rows} rows");
            // Stopped at the first look, in the middle, and at the last.
            for at in [1, looks.div_ceil(2), looks] {
                let error = fixture.stopped(sql, &CancelToken::after(at), bytes).unwrap_err();
                assert_eq!(error.code(), code::QUERY_TERMINATED, "{sql} at look {at} of {looks}: {error}");
            }
        }
    }
}
