//! Joins, changes of rows and deletes against pairs looked at one by one.

use super::*;

/// A DELETE: child, first and last tick.
type Delete = (usize, i64, i64);

fn deletes() -> impl Strategy<Value = Vec<Delete>> {
    prop::collection::vec((0..TABLES, 0_i64..400, 0_i64..80).prop_map(|(table, start, length)| (table, start, start + length)), 0..4)
}

impl Fixture {
    fn delete(&self, (table, start, end): Delete) {
        let database = self.catalog.database("d").unwrap();
        database.store().append(vec![Entry::Delete { uid: self.uids[table], start, end }]).unwrap();
    }
}

/// Inserts and deletes by turns, with flushes in between.
fn changed(inserts: &[Insert], deletes: &[Delete], flushes: &[bool]) -> (Fixture, Model) {
    let (fixture, mut model) = (Fixture::new(), Model::new());
    for (place, insert) in inserts.iter().enumerate() {
        fixture.insert(insert);
        model.extend(insert.1.iter().map(|(tick, value)| ((insert.0, *tick), *value)));
        if flushes[place % flushes.len()] {
            fixture.flush();
        }
        if let Some(delete) = deletes.get(place) {
            fixture.delete(*delete);
            model.retain(|(table, tick), _| *table != delete.0 || !(delete.1..=delete.2).contains(tick));
        }
        if flushes[(place + 1) % flushes.len()] {
            fixture.flush();
        }
    }
    (fixture, model)
}

type Row = (i64, Option<i64>);

fn pair(left: Option<&Row>, right: Option<&Row>) -> Vec<Option<i64>> {
    let cells = |row: Option<&Row>| [row.map(|row| row.0), row.and_then(|row| row.1)];
    cells(left).into_iter().chain(cells(right)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn joins(inserts in inserts(), deletes in deletes(), flushes in prop::array::uniform3(any::<bool>()), reach in 0_i64..20, nearest in 1_usize..4) {
        let (fixture, model) = changed(&inserts, &deletes, &flushes);
        let (left, right) = (rows_of(&model, |t| t == 0, 0..1_000), rows_of(&model, |t| t == 1, 0..1_000));
        let same = |row: &Row, rows: &[Row]| rows.iter().find(|other| other.0 == row.0).copied();
        let ask = |join: &str| fixture.answer(&format!("SELECT a.ts, a.v, b.ts, b.v FROM t0 a {join}"));
        let (mut inner, mut outer, mut semi, mut anti) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in &left {
            let other = same(row, &right);
            outer.push(pair(Some(row), other.as_ref()));
            match other {
                Some(other) => {
                    inner.push(pair(Some(row), Some(&other)));
                    semi.push(vec![Some(row.0), row.1]);
                }
                None => anti.push(vec![Some(row.0), row.1]),
            }
        }
        prop_assert_eq!(ask("JOIN t1 b ON a.ts = b.ts"), inner.clone());
        prop_assert_eq!(ask("JOIN t1 b ON a.ts = b.ts WHERE a.v > b.v"), inner.into_iter().filter(|row| matches!((row[1], row[3]), (Some(a), Some(b)) if a > b)).collect::<Vec<_>>());
        prop_assert_eq!(ask("LEFT JOIN t1 b ON a.ts = b.ts"), outer.clone());
        let mut full = outer;
        full.extend(right.iter().filter(|row| same(row, &left).is_none()).map(|row| pair(None, Some(row))));
        prop_assert_eq!(sorted(ask("FULL JOIN t1 b ON a.ts = b.ts")), sorted(full));
        let from_right: Vec<_> = right.iter().map(|row| pair(same(row, &left).as_ref(), Some(row))).collect();
        prop_assert_eq!(ask("RIGHT JOIN t1 b ON a.ts = b.ts"), from_right);
        prop_assert_eq!(fixture.answer("SELECT a.ts, a.v FROM t0 a LEFT SEMI JOIN t1 b ON a.ts = b.ts"), semi);
        prop_assert_eq!(fixture.answer("SELECT a.ts, a.v FROM t0 a LEFT ANTI JOIN t1 b ON a.ts = b.ts"), anti);
        let before: Vec<_> = left.iter().map(|row| pair(Some(row), right.iter().rfind(|other| other.0 <= row.0))).collect();
        prop_assert_eq!(ask("LEFT ASOF JOIN t1 b ON a.ts >= b.ts"), before);
        let after: Vec<_> = left.iter().map(|row| pair(Some(row), right.iter().find(|other| other.0 > row.0))).collect();
        prop_assert_eq!(ask("LEFT ASOF JOIN t1 b ON a.ts < b.ts"), after);
        let mut window = Vec::new();
        for row in &left {
            let near: Vec<_> = right.iter().filter(|other| (row.0 - reach..=row.0 + reach).contains(&other.0)).take(nearest).collect();
            if near.is_empty() {
                window.push(pair(Some(row), None));
            }
            window.extend(near.into_iter().map(|other| pair(Some(row), Some(other))));
        }
        prop_assert_eq!(ask(&format!("LEFT WINDOW JOIN t1 b WINDOW_OFFSET(-{reach}a, {reach}a) JLIMIT {nearest}")), window);
    }

    #[test]
    fn deletes_series_and_unions(inserts in inserts(), deletes in deletes(), flushes in prop::array::uniform3(any::<bool>()), few in 1_usize..5) {
        let (fixture, model) = changed(&inserts, &deletes, &flushes);
        let mut rows = Vec::new();
        for table in 0..TABLES {
            rows.extend(rows_of(&model, |t| t == table, 0..1_000).into_iter().map(|row| vec![Some(table as i64), Some(row.0), row.1]));
        }
        prop_assert_eq!(fixture.answer("SELECT tbname, ts, v FROM s"), rows);
        let one = rows_of(&model, |t| t == 0, 0..1_000);
        let (mut sum, mut sums, mut steps, mut before) = (0, Vec::new(), Vec::new(), None);
        for (tick, value) in &one {
            let Some(value) = value else {
                steps.push(vec![Some(*tick), None]);
                continue;
            };
            sum += value;
            sums.push(vec![Some(sum)]);
            if let Some(before) = before { steps.push(vec![Some(*tick), Some(value - before)]); }
            before = Some(*value);
        }
        prop_assert_eq!(fixture.answer("SELECT CSUM(v) FROM t0"), sums);
        prop_assert_eq!(fixture.answer("SELECT ts, DIFF(v) FROM t0"), steps);
        // The newest first.
        let last: Vec<_> = one.iter().rev().take(few).map(|row| vec![row.1]).collect();
        prop_assert_eq!(fixture.answer(&format!("SELECT TAIL(v, {few}) FROM t0")), last);
        let all = rows_of(&model, |_| true, 0..1_000);
        let mut twice: Vec<_> = all.iter().chain(&all).map(|row| vec![row.1]).collect();
        twice.sort();
        prop_assert_eq!(fixture.answer("SELECT v FROM s UNION ALL SELECT v FROM s ORDER BY v"), twice.clone());
        twice.dedup();
        prop_assert_eq!(fixture.answer("SELECT v FROM s UNION SELECT v FROM s ORDER BY v"), twice);
    }
}
