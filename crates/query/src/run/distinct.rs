//! DISTINCT and UNION: the first of equal rows stays.
//!
//! Keys are remembered while there is room. From then on rows with keys that are not known go to disk by the hash of their keys; when all input is
//! read, each bucket is looked through by itself, and what stays comes out in the order of the input.

use std::sync::Arc;

use arrow_array::Int64Array;
use rustc_hash::FxHashSet;

use super::block::{Batch, Batches};
use super::buckets::{Bucket, Buckets};
use super::sort;
use super::spill::SpillWriter;
use crate::QueryContext;
use crate::array::{KeyOrder, RowKeys};
use crate::memory::Reservation;
use embudo_types::Result;

/// Rows whose first `shown` columns have not occurred; NULLs are equal.
pub(crate) fn distinct(batches: Batches, shown: usize, context: &Arc<QueryContext>) -> Batches {
    Box::new(Distinct { batches, shown, seen: Seen::new(context), rest: None, next_row: 0, context: Arc::clone(context), failed: false, after: None })
}

/// What a remembered row takes beside its key.
const ENTRY: usize = 48;

/// Keys that have occurred.
struct Seen {
    keys: FxHashSet<Box<[u8]>>,
    reservation: Reservation,
}

impl Seen {
    fn new(context: &QueryContext) -> Self {
        Self { keys: FxHashSet::default(), reservation: Reservation::new(&context.memory) }
    }

    /// The rows whose keys are new, remembered from now on; `None` where there is no room for them and none was.
    fn add(&mut self, keys: &RowKeys, rows: usize) -> Option<Vec<u32>> {
        let mut new: FxHashSet<&[u8]> = FxHashSet::default();
        let picked: Vec<u32> = (0..rows as u32).filter(|row| !self.keys.contains(keys.get(*row as usize)) && new.insert(keys.get(*row as usize))).collect();
        let bytes = new.iter().map(|key| key.len() + ENTRY).sum();
        if !self.reservation.try_grow(bytes) {
            return None;
        }
        self.keys.extend(new.into_iter().map(Into::into));
        Some(picked)
    }
}

struct Distinct {
    batches: Batches,
    shown: usize,
    seen: Seen,
    /// Rows that may be new, once there is no room to remember more.
    rest: Option<Buckets>,
    next_row: i64,
    context: Arc<QueryContext>,
    failed: bool,
    /// What comes after the input has ended.
    after: Option<Batches>,
}

impl Distinct {
    fn batch(&mut self) -> Result<Option<Batch>> {
        if let Some(after) = &mut self.after {
            return after.next().transpose();
        }
        while let Some(batch) = self.batches.next() {
            self.context.cancel.check()?;
            let batch = batch?;
            let keys = RowKeys::encode(&batch.columns[..self.shown], &[], batch.rows)?;
            if self.rest.is_none() {
                match self.seen.add(&keys, batch.rows) {
                    Some(rows) if rows.is_empty() => continue,
                    Some(rows) => return batch.take(&rows).map(Some),
                    None => self.rest = Some(Buckets::new(&self.context.memory)),
                }
            }
            if let Some(rest) = &mut self.rest {
                let rows = (0..batch.rows as u32).filter(|row| !self.seen.keys.contains(keys.get(*row as usize)));
                rest.add(&numbered(batch.clone(), self.next_row), Some(&keys), rows, 0)?;
                self.next_row += batch.rows as i64;
            }
        }
        let Some(rest) = self.rest.take() else { return Ok(None) };
        self.seen = Seen::new(&self.context);
        let mut after = remaining(rest.finish()?, self.shown, &self.context)?;
        let first = after.next().transpose();
        self.after = Some(after);
        first
    }
}

/// A batch with the place of each row behind its columns.
fn numbered(mut batch: Batch, first: i64) -> Batch {
    batch.columns.push(Arc::new(Int64Array::from_iter_values(first..first + batch.rows as i64)));
    batch
}

impl Iterator for Distinct {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let batch = self.batch();
        self.failed = batch.is_err();
        batch.transpose()
    }
}

/// The first rows of their keys out of all buckets, in the order of the input.
fn remaining(mut waiting: Vec<Bucket>, shown: usize, context: &Arc<QueryContext>) -> Result<Batches> {
    let mut files = Vec::new();
    while let Some(bucket) = waiting.pop() {
        let mut seen = Seen::new(context);
        let Some(file) = context.memory.spill_file()? else { return Err(seen.reservation.exhausted()) };
        let (mut writer, mut types, mut fits) = (SpillWriter::new(file), Arc::default(), true);
        for chunk in bucket.chunks() {
            context.cancel.check()?;
            let (batch, _) = chunk?;
            types = batch.columns.iter().map(|column| column.data_type().clone()).collect();
            let keys = RowKeys::encode(&batch.columns[..shown], &[], batch.rows)?;
            match seen.add(&keys, batch.rows) {
                Some(rows) if rows.is_empty() => {}
                Some(rows) => writer.append(&batch.take(&rows)?)?,
                None => {
                    fits = false;
                    break;
                }
            }
        }
        if fits {
            files.push(writer.finish(types)?);
            continue;
        }
        let exhausted = seen.reservation.exhausted();
        drop(seen);
        let Some(mut buckets) = bucket.spread(&context.memory) else { return Err(exhausted) };
        for chunk in bucket.chunks() {
            context.cancel.check()?;
            let (batch, _) = chunk?;
            let keys = RowKeys::encode(&batch.columns[..shown], &[], batch.rows)?;
            buckets.add(&batch, Some(&keys), 0..batch.rows as u32, 0)?;
        }
        waiting.extend(buckets.finish()?);
    }
    let mut rows = files.into_iter().flat_map(|file| file.read()).peekable();
    let Some(Ok(first)) = rows.peek() else { return Ok(Box::new(rows)) };
    let place = first.columns.len() - 1;
    let sorted = sort::sorted(Box::new(rows), &[(place, KeyOrder { descending: false, nulls_first: true })], None, context)?;
    Ok(Box::new(sorted.map(move |batch| {
        batch.map(|mut batch| {
            batch.columns.truncate(place);
            batch
        })
    })))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::tests::context;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_first_of_equal_rows_stays_however_little_room_there_is(rows in prop::collection::vec(0_i64..300, 0..900), cut in 1_usize..60, bytes in 1_u64..40_000) {
            let run = |bytes: u64| {
                let batches: Vec<Result<Batch>> = rows.chunks(cut).map(|rows| Ok(Batch {
                    rows: rows.len(),
                    columns: vec![Arc::new(Int64Array::from(rows.to_vec()))],
                    groups: Some(rows.iter().map(|row| *row as u32).collect()),
                })).collect();
                let mut found = Vec::new();
                for batch in distinct(Box::new(batches.into_iter()), 1, &context(bytes)) {
                    let batch = batch?;
                    assert_eq!(batch.columns.len(), 1);
                    let values = batch.columns[0].as_primitive::<Int64Type>().values().to_vec();
                    assert!(values.iter().zip(batch.groups.unwrap()).all(|(value, group)| *value as u32 == group));
                    found.extend(values);
                }
                Ok::<_, embudo_types::Error>(found)
            };
            let mut expected = Vec::new();
            for row in &rows {
                if !expected.contains(row) { expected.push(*row); }
            }
            prop_assert_eq!(&run(u64::MAX).unwrap(), &expected);
            match run(bytes) {
                Ok(found) => prop_assert_eq!(found, expected),
                // Not even a few rows fit.
                Err(error) => prop_assert!(crate::memory::is_exhausted(&error) && bytes < 16_000, "{error}"),
            }
        }
    }
}
