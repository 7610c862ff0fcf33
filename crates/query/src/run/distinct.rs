//! DISTINCT and UNION: the first of equal rows stays.

use rustc_hash::FxHashSet;

use super::block::{Batch, Batches};
use crate::array::RowKeys;
use embudo_types::Result;

/// Rows whose first `shown` columns have not occurred; NULLs are equal.
pub(crate) fn distinct(batches: Batches, shown: usize) -> Batches {
    let mut seen: FxHashSet<Box<[u8]>> = FxHashSet::default();
    Box::new(batches.filter_map(move |batch| batch.and_then(|batch| unseen(&batch, shown, &mut seen)).transpose()))
}

fn unseen(batch: &Batch, shown: usize, seen: &mut FxHashSet<Box<[u8]>>) -> Result<Option<Batch>> {
    let keys = RowKeys::encode(&batch.columns[..shown], &[], batch.rows)?;
    let mut rows = Vec::new();
    for row in 0..batch.rows {
        let key = keys.get(row);
        if !seen.contains(key) {
            seen.insert(key.into());
            rows.push(row as u32);
        }
    }
    if rows.is_empty() { Ok(None) } else { batch.take(&rows).map(Some) }
}
