//! ORDER BY: all rows, or the first few of them.
//!
//! Rows are gathered and sorted run by run, so that no sort is long before it can be stopped; where the budget has no more room, the runs go to
//! disk. In the end all runs are merged.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use embudo_types::Result;

use super::block::{Batch, Batches, none};
use super::spill::{SpillFile, SpillReader, SpillWriter};
use super::tournament::Tournament;
use crate::QueryContext;
use crate::array::{KeyOrder, RowKeys, concat_columns, interleave};
use crate::context::CancelToken;
use crate::memory::{MemoryBudget, Reservation, bytes_of};

/// Rows of a run: sorting them takes some milliseconds.
const RUN: usize = 65_536;
/// Rows of a batch that comes out, and of a chunk on disk.
const BATCH: usize = 4_096;
/// Runs on disk that are merged at once: each keeps a chunk open.
const FAN_IN: usize = 64;
/// Gathered rows are held once as they came, once end to end and once in order, with their keys.
const COPIES: usize = 3;

/// Rows in order; equal keys keep theirs. Only the first `most`, where given.
pub(crate) fn sorted(batches: Batches, order: &[(usize, KeyOrder)], most: Option<usize>, context: &QueryContext) -> Result<Batches> {
    match most {
        Some(most) if most <= RUN => first_rows(batches, order, most, context),
        _ => all_rows(batches, order, context),
    }
}

/// The first `most` rows: never more than a few runs are held.
fn first_rows(batches: Batches, order: &[(usize, KeyOrder)], most: usize, context: &QueryContext) -> Result<Batches> {
    let mut reservation = Reservation::new(&context.memory);
    let mut kept: Vec<Batch> = Vec::new();
    let (mut rows, mut bytes) = (0, 0);
    let mut batches = batches;
    while let Some(batch) = batches.next() {
        context.cancel.check()?;
        let batch = batch?;
        rows += batch.rows;
        bytes += bytes_of(&batch.columns);
        kept.push(batch);
        if reservation.resize(bytes * COPIES).is_err() {
            // Wide rows: a sort of all of them goes on on disk.
            drop(reservation);
            return all_rows(Box::new(kept.into_iter().map(Ok).chain(batches)), order, context);
        }
        if rows > most.saturating_mul(2).saturating_add(RUN) {
            kept = in_order(&kept, order, most)?.into_iter().collect();
            rows = kept.iter().map(|batch| batch.rows).sum();
            bytes = kept.iter().map(|batch| bytes_of(&batch.columns)).sum();
        }
    }
    Ok(in_order(&kept, order, most)?.map_or_else(none, |batch| Box::new(std::iter::once(Ok(batch)))))
}

fn all_rows(batches: Batches, order: &[(usize, KeyOrder)], context: &QueryContext) -> Result<Batches> {
    let mut runs = Runs { order, reservation: Reservation::new(&context.memory), memory: Vec::new(), disk: Vec::new(), types: Arc::default() };
    let (mut kept, mut rows): (Vec<Batch>, usize) = (Vec::new(), 0);
    for batch in batches {
        context.cancel.check()?;
        let batch = batch?;
        let bytes = bytes_of(&batch.columns) * COPIES;
        if !runs.reservation.try_grow(bytes) {
            runs.add(&std::mem::take(&mut kept))?;
            rows = 0;
            if !runs.memory.is_empty() {
                runs.spill(&context.memory, &context.cancel)?;
            }
            runs.reservation.grow(bytes)?;
        }
        rows += batch.rows;
        kept.push(batch);
        if rows >= RUN {
            runs.add(&std::mem::take(&mut kept))?;
            rows = 0;
        }
    }
    runs.add(&kept)?;
    drop(kept);
    if !runs.disk.is_empty() && !runs.memory.is_empty() {
        // What is above this sort finds the room that the last run would hold.
        runs.spill(&context.memory, &context.cancel)?;
    }
    runs.merged(context)
}

/// Sorted runs, those on disk before those in memory.
struct Runs<'a> {
    order: &'a [(usize, KeyOrder)],
    reservation: Reservation,
    memory: Vec<Batch>,
    disk: Vec<SpillFile>,
    types: Arc<[DataType]>,
}

impl Runs<'_> {
    fn add(&mut self, batches: &[Batch]) -> Result<()> {
        if let Some(run) = in_order(batches, self.order, usize::MAX)? {
            self.types = run.columns.iter().map(|column| column.data_type().clone()).collect();
            self.memory.push(run);
        }
        Ok(())
    }

    /// Writes what is in memory as one run; 0x070B where there is no place for it.
    fn spill(&mut self, budget: &MemoryBudget, cancel: &CancelToken) -> Result<()> {
        let runs: Vec<Source> = std::mem::take(&mut self.memory).into_iter().map(Source::Memory).collect();
        let file = self.write(runs, budget, cancel)?;
        self.reservation.clear();
        self.disk.push(file);
        if self.disk.len() >= FAN_IN {
            let runs = std::mem::take(&mut self.disk).iter().map(|file| Source::Disk(file.read())).collect();
            let file = self.write(runs, budget, cancel)?;
            self.disk.push(file);
        }
        Ok(())
    }

    /// Merges runs into one on disk.
    fn write(&self, runs: Vec<Source>, budget: &MemoryBudget, cancel: &CancelToken) -> Result<SpillFile> {
        let Some(file) = budget.spill_file()? else { return Err(self.reservation.exhausted()) };
        let mut writer = SpillWriter::new(file);
        for batch in Merge::new(runs, self.order, cancel)? {
            writer.append(&batch?)?;
        }
        writer.finish(Arc::clone(&self.types))
    }

    fn merged(self, context: &QueryContext) -> Result<Batches> {
        if self.disk.is_empty() && self.memory.len() < 2 {
            return Ok(Box::new(self.memory.into_iter().map(Ok)));
        }
        let disk = self.disk.iter().map(|file| Source::Disk(file.read()));
        let merge = Merge::new(disk.chain(self.memory.into_iter().map(Source::Memory)).collect(), self.order, &context.cancel)?;
        let reservation = self.reservation;
        Ok(Box::new(merge.inspect(move |_| {
            let _held = &reservation;
        })))
    }
}

fn in_order(batches: &[Batch], order: &[(usize, KeyOrder)], most: usize) -> Result<Option<Batch>> {
    let Some(head) = batches.first() else { return Ok(None) };
    let types: Vec<DataType> = head.columns.iter().map(|column| column.data_type().clone()).collect();
    let parts: Vec<_> = batches.iter().map(|batch| batch.columns.clone()).collect();
    let rows: usize = batches.iter().map(|batch| batch.rows).sum();
    let groups = head.groups.is_some().then(|| batches.iter().flat_map(|batch| batch.groups.clone().unwrap_or_default()).collect());
    let all = Batch { rows, columns: concat_columns(&parts, &types)?, groups };
    let keys = keys_of(&all, order)?;
    let mut numbers: Vec<u32> = (0..rows as u32).collect();
    let compare = |a: &u32, b: &u32| keys.get(*a as usize).cmp(keys.get(*b as usize)).then(a.cmp(b));
    if most < rows {
        if most > 0 {
            numbers.select_nth_unstable_by(most - 1, compare);
        }
        numbers.truncate(most);
    }
    numbers.sort_unstable_by(compare);
    all.take(&numbers).map(Some)
}

fn keys_of(batch: &Batch, order: &[(usize, KeyOrder)]) -> Result<RowKeys> {
    let keys: Vec<ArrayRef> = order.iter().map(|(place, _)| batch.columns[*place].clone()).collect();
    let orders: Vec<KeyOrder> = order.iter().map(|(_, by)| *by).collect();
    RowKeys::encode(&keys, &orders, batch.rows)
}

/// A sorted run.
enum Source {
    Memory(Batch),
    Disk(SpillReader),
}

/// Where a run's merging stands.
struct Cursor {
    rest: Option<SpillReader>,
    chunk: Option<(Batch, RowKeys)>,
    row: usize,
}

impl Cursor {
    fn key(&self) -> Option<&[u8]> {
        self.chunk.as_ref().map(|(_, keys)| keys.get(self.row))
    }

    /// Goes to the next chunk where this one is read; says whether it did.
    fn turn(&mut self, order: &[(usize, KeyOrder)]) -> Result<bool> {
        if self.chunk.as_ref().is_some_and(|(batch, _)| self.row < batch.rows) {
            return Ok(false);
        }
        self.row = 0;
        self.chunk = match self.rest.as_mut().and_then(Iterator::next).transpose()? {
            Some(batch) => {
                let keys = keys_of(&batch, order)?;
                Some((batch, keys))
            }
            None => None,
        };
        Ok(true)
    }
}

/// Merges sorted runs; of equal rows those of an earlier run come first.
struct Merge {
    cursors: Vec<Cursor>,
    tree: Tournament,
    order: Vec<(usize, KeyOrder)>,
    types: Vec<DataType>,
    cancel: CancelToken,
}

impl Merge {
    fn new(sources: Vec<Source>, order: &[(usize, KeyOrder)], cancel: &CancelToken) -> Result<Self> {
        let mut cursors = Vec::with_capacity(sources.len());
        for source in sources {
            let mut cursor = match source {
                Source::Memory(batch) => {
                    let keys = keys_of(&batch, order)?;
                    Cursor { rest: None, chunk: Some((batch, keys)), row: 0 }
                }
                Source::Disk(reader) => Cursor { rest: Some(reader), chunk: None, row: 0 },
            };
            cursor.turn(order)?;
            cursors.push(cursor);
        }
        let chunk = cursors.iter().find_map(|cursor| cursor.chunk.as_ref());
        let types = chunk.map(|(batch, _)| batch.columns.iter().map(|column| column.data_type().clone()).collect()).unwrap_or_default();
        let tree = Tournament::new(cursors.len(), |a, b| is_before(&cursors, a, b));
        Ok(Self { cursors, tree, order: order.to_vec(), types, cancel: cancel.clone() })
    }

    fn batch(&mut self) -> Result<Option<Batch>> {
        self.cancel.check()?;
        let mut ranges: Vec<(u32, u32, u32)> = Vec::with_capacity(BATCH);
        let mut parts: Vec<Batch> = Vec::new();
        let mut places: Vec<Option<u32>> = vec![None; self.cursors.len()];
        let mut rows = 0;
        while rows < BATCH
            && let Some(number) = self.tree.winner()
        {
            let cursor = &mut self.cursors[number];
            let Some((batch, _)) = &cursor.chunk else { break };
            let place = *places[number].get_or_insert_with(|| {
                parts.push(batch.clone());
                parts.len() as u32 - 1
            });
            let row = cursor.row as u32;
            match ranges.last_mut() {
                Some((last, _, end)) if *last == place && *end == row => *end += 1,
                _ => ranges.push((place, row, row + 1)),
            }
            rows += 1;
            cursor.row += 1;
            if cursor.turn(&self.order)? {
                places[number] = None;
            }
            let cursors = &self.cursors;
            self.tree.play(number, |a, b| is_before(cursors, a, b));
        }
        if rows == 0 {
            return Ok(None);
        }
        let gather = |(at, data_type): (usize, &DataType)| {
            let arrays: Vec<ArrayRef> = parts.iter().map(|part| part.columns[at].clone()).collect();
            interleave(&arrays, &ranges, data_type)
        };
        let columns = self.types.iter().enumerate().map(gather).collect::<Result<_>>()?;
        let group_of = |&(place, start, end): &(u32, u32, u32)| {
            let groups = parts[place as usize].groups.as_deref().unwrap_or_default();
            groups[start as usize..end as usize].to_vec()
        };
        let groups = parts.first().is_some_and(|part| part.groups.is_some()).then(|| ranges.iter().flat_map(group_of).collect());
        Ok(Some(Batch { rows, columns, groups }))
    }
}

/// Whether one run's next row comes before another's; a run that is read comes last.
fn is_before(cursors: &[Cursor], a: usize, b: usize) -> bool {
    match (cursors[a].key(), cursors[b].key()) {
        (Some(left), Some(right)) => left.cmp(right).then(a.cmp(&b)).is_lt(),
        (left, _) => left.is_some(),
    }
}

impl Iterator for Merge {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        self.batch().transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{BinaryArray, BooleanArray, Int64Array};
    use embudo_storage::vfs::MemoryVfs;
    use proptest::prelude::*;

    fn batch(rows: &[(Option<i64>, Option<String>, bool)], start: usize) -> Batch {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(rows.iter().map(|row| row.0).collect::<Int64Array>()),
            Arc::new(rows.iter().map(|row| row.1.as_ref().map(|text| text.as_bytes().to_vec())).collect::<BinaryArray>()),
            Arc::new(rows.iter().map(|row| Some(row.2)).collect::<BooleanArray>()),
            Arc::new(Int64Array::from_iter_values((start..start + rows.len()).map(|row| row as i64))),
        ];
        Batch { rows: rows.len(), columns, groups: None }
    }

    /// Sorts in runs of a few rows, some of them on disk, and gives the rows' numbers.
    fn run(batches: &[Batch], order: &[(usize, KeyOrder)], spills: &[bool]) -> Vec<i64> {
        let budget = Arc::new(MemoryBudget::new(1 << 20).spilling_to(Arc::new(MemoryVfs::new()), "/spill".into()));
        let cancel = CancelToken::new();
        let mut runs = Runs { order, reservation: Reservation::new(&budget), memory: Vec::new(), disk: Vec::new(), types: Arc::default() };
        for (at, batch) in batches.iter().enumerate() {
            runs.add(std::slice::from_ref(batch)).unwrap();
            if spills.get(at) == Some(&true) && at + 1 < batches.len() {
                runs.spill(&budget, &cancel).unwrap();
            }
        }
        let disk = runs.disk.iter().map(|file| Source::Disk(file.read()));
        let merge = Merge::new(disk.chain(runs.memory.into_iter().map(Source::Memory)).collect(), order, &cancel).unwrap();
        merge.flat_map(|batch| batch.unwrap().columns[3].as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec()).collect()
    }

    proptest! {
        #[test]
        fn runs_in_memory_and_on_disk_are_one_stable_sort(
            parts in prop::collection::vec(prop::collection::vec((prop::option::of(-3_i64..3), prop::option::of("[ab]{0,2}"), any::<bool>()), 1..20), 1..6),
            spills in prop::collection::vec(any::<bool>(), 6),
            descending: bool,
            nulls_first: bool,
        ) {
            let mut batches = Vec::new();
            let mut start = 0;
            for part in &parts {
                batches.push(batch(part, start));
                start += part.len();
            }
            let order = [(0, KeyOrder { descending, nulls_first }), (1, KeyOrder { descending: false, nulls_first: true })];
            let expected = in_order(&batches, &order, usize::MAX).unwrap().unwrap();
            let expected = expected.columns[3].as_any().downcast_ref::<Int64Array>().unwrap().values().to_vec();
            prop_assert_eq!(run(&batches, &order, &spills), expected);
        }
    }
}
