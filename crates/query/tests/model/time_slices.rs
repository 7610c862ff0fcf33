//! More children than a merge in time keeps open: it goes slice of time by slice, which nobody above may notice.

use super::*;

/// Children, more than 1,024.
const CHILDREN: usize = 1_100;
/// Rows of each; all together more than a slice holds.
const ROWS: i64 = 1_000;

#[test]
fn windows_go_on_from_slice_to_slice() {
    let fixture = Fixture::with_children(CHILDREN);
    // All children have rows every twenty ticks, up to two of them late.
    for child in 0..CHILDREN {
        fixture.insert(&(child, (0..ROWS).map(|round| (round * 20 + child as i64 % 3, Some(round))).collect()));
    }
    fixture.flush();
    let count = CHILDREN as i64;
    let expected: Vec<Vec<Option<i64>>> = (0..ROWS).map(|round| [round * 20, round * 20 + 2, count, count * round].into_iter().map(Some).collect()).collect();
    let found = fixture.query("SELECT _wstart, _wend, COUNT(*), SUM(v) FROM s SESSION(ts, 5a)", 2).unwrap();
    assert!(found == expected, "{} windows, the first {:?}", found.len(), found.first());
    // The last windows are found although the newest row of all is another table's.
    fixture.insert(&(7, vec![(1_000_000, None)]));
    let last = fixture.query("SELECT _wstart, COUNT(v) FROM s WHERE tbname <> 't7' INTERVAL(20a) ORDER BY _wstart DESC LIMIT 2", 2).unwrap();
    assert_eq!(last, [[Some((ROWS - 1) * 20), Some(count - 1)], [Some((ROWS - 2) * 20), Some(count - 1)]]);
}
