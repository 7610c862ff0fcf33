//! LIMIT and SLIMIT, over all rows or within each group.

use embudo_sql::ast::query::Limit;
use embudo_types::Result;

use super::block::{Batch, Batches};

/// What to let through.
pub(crate) struct Limits {
    /// Groups.
    pub slimit: Option<Limit>,
    /// Rows.
    pub limit: Option<Limit>,
    /// Whether rows count within each group.
    pub per_group: bool,
}

/// What the limits let through. Rows of a group are neighbours where limits look at groups.
pub(crate) fn limited(batches: Batches, limits: Limits) -> Batches {
    Box::new(Limiter { batches, limits, group: None, groups: 0, rows: 0, done: false })
}

struct Limiter {
    batches: Batches,
    limits: Limits,
    /// The group of the last row.
    group: Option<u32>,
    /// Groups so far.
    groups: i64,
    /// Rows so far, in the group where they count there.
    rows: i64,
    done: bool,
}

impl Limiter {
    fn take(&mut self, batch: &Batch) -> Result<Option<Batch>> {
        let mut picked: Vec<u32> = Vec::new();
        let mut start = 0;
        while start < batch.rows && !self.done {
            let end = match &batch.groups {
                Some(groups) => start + groups[start..].iter().take_while(|group| **group == groups[start]).count(),
                None => batch.rows,
            };
            if let Some(groups) = &batch.groups
                && self.group != Some(groups[start])
            {
                self.group = Some(groups[start]);
                self.groups += 1;
                if self.limits.per_group {
                    self.rows = 0;
                }
            }
            if self.group_passes() {
                self.pick(start, end, &mut picked);
            }
            start = end;
        }
        if picked.is_empty() {
            Ok(None)
        } else if picked.len() == batch.rows {
            Ok(Some(batch.clone()))
        } else {
            batch.take(&picked).map(Some)
        }
    }

    fn group_passes(&mut self) -> bool {
        let Some(slimit) = self.limits.slimit else { return true };
        if self.groups > slimit.offset.saturating_add(slimit.count) {
            self.done = true;
        }
        self.groups > slimit.offset && !self.done
    }

    fn pick(&mut self, start: usize, end: usize, picked: &mut Vec<u32>) {
        let Some(limit) = self.limits.limit else {
            picked.extend(start as u32..end as u32);
            return;
        };
        let after = limit.offset.saturating_add(limit.count);
        let length = (end - start) as i64;
        let from = (limit.offset - self.rows).clamp(0, length);
        let to = (after - self.rows).clamp(0, length);
        picked.extend((start as i64 + from) as u32..(start as i64 + to) as u32);
        self.rows += length;
        if !self.limits.per_group && self.rows >= after {
            self.done = true;
        }
    }
}

impl Iterator for Limiter {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        // A limit of nothing reads nothing.
        if self.limits.limit.is_some_and(|limit| limit.count == 0) || self.limits.slimit.is_some_and(|limit| limit.count == 0) {
            return None;
        }
        while !self.done {
            let batch = match self.batches.next()? {
                Ok(batch) => self.take(&batch),
                Err(error) => Err(error),
            };
            if batch.is_err() {
                self.done = true;
            }
            if let Some(batch) = batch.transpose() {
                return Some(batch);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, cast::AsArray, types::Int64Type};
    use proptest::prelude::*;
    use std::sync::Arc;

    proptest! {
        #[test]
        fn lets_through_what_a_row_at_a_time_does(
            sizes in prop::collection::vec(1_usize..6, 0..6), cut in 1_usize..7, per_group: bool,
            slimit in prop::option::of((0_i64..4, 0_i64..3)), limit in prop::option::of((0_i64..5, 0_i64..4)),
        ) {
            let rows: Vec<(u32, i64)> = sizes.iter().enumerate().flat_map(|(group, size)| (0..*size).map(move |row| (group as u32, (group * 10 + row) as i64))).collect();
            let to_limit = |limit: Option<(i64, i64)>| limit.map(|(count, offset)| Limit { count, offset });
            let limits = Limits { slimit: to_limit(slimit), limit: to_limit(limit), per_group };
            let mut expected = Vec::new();
            let (mut row_of_group, mut row_of_all) = (0, 0);
            for (at, (group, value)) in rows.iter().enumerate() {
                if at > 0 && rows[at - 1].0 != *group { row_of_group = 0; }
                if slimit.is_none_or(|(count, offset)| (offset..offset + count).contains(&i64::from(*group))) {
                    let row = if per_group { row_of_group } else { row_of_all };
                    if limit.is_none_or(|(count, offset)| (offset..offset + count).contains(&row)) { expected.push(*value); }
                    row_of_all += 1;
                }
                row_of_group += 1;
            }
            let batches: Vec<Result<Batch>> = rows.chunks(cut).map(|rows| Ok(Batch {
                rows: rows.len(),
                columns: vec![Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.1)))],
                groups: Some(rows.iter().map(|row| row.0).collect()),
            })).collect();
            let mut found = Vec::new();
            for batch in limited(Box::new(batches.into_iter()), limits) {
                found.extend(batch.unwrap().columns[0].as_primitive::<Int64Type>().values().iter().copied());
            }
            prop_assert_eq!(found, expected);
        }
    }
}
