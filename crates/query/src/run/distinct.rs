//! DISTINCT and UNION: the first of equal rows stays.

use rustc_hash::FxHashSet;

use super::block::{Batch, Batches};
use crate::QueryContext;
use crate::array::RowKeys;
use crate::memory::Reservation;
use embudo_types::Result;

/// Rows whose first `shown` columns have not occurred; NULLs are equal.
pub(crate) fn distinct(batches: Batches, shown: usize, context: &QueryContext) -> Batches {
    let mut seen: FxHashSet<Box<[u8]>> = FxHashSet::default();
    let mut reservation = Reservation::new(&context.memory);
    Box::new(batches.filter_map(move |batch| batch.and_then(|batch| unseen(&batch, shown, &mut seen, &mut reservation)).transpose()))
}

/// What a remembered row takes beside its key.
const ENTRY: usize = 32;

fn unseen(batch: &Batch, shown: usize, seen: &mut FxHashSet<Box<[u8]>>, reservation: &mut Reservation) -> Result<Option<Batch>> {
    let mut bytes = 0;
    let keys = RowKeys::encode(&batch.columns[..shown], &[], batch.rows)?;
    let mut rows = Vec::new();
    for row in 0..batch.rows {
        let key = keys.get(row);
        if !seen.contains(key) {
            seen.insert(key.into());
            bytes += key.len() + ENTRY;
            rows.push(row as u32);
        }
    }
    reservation.grow(bytes)?;
    if rows.is_empty() { Ok(None) } else { batch.take(&rows).map(Some) }
}
