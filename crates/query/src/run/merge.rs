//! `TimeMerge`: many sources in time order become one. Rows with equal times come in the order of the sources, so that the result
//! does not depend on blocks or threads.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use embudo_types::Result;

use super::block::{Block, Blocks};
use crate::array::interleave;

/// Rows in a merged block.
const BLOCK: usize = 4_096;

/// Merges sources that are each in time order (backwards where `descending`).
pub(crate) fn merged(mut sources: Vec<Blocks>, types: Vec<DataType>, descending: bool) -> Result<Blocks> {
    let mut heads = Vec::with_capacity(sources.len());
    let mut heap = BinaryHeap::with_capacity(sources.len());
    for (number, source) in sources.iter_mut().enumerate() {
        let head = next_block(source)?.map(|block| Head { block, row: 0 });
        if let Some(head) = &head {
            heap.push(Reverse(Key::new(head, number, descending)));
        }
        heads.push(head);
    }
    Ok(Box::new(Merge { sources, heads, heap, types, descending }))
}

fn next_block(source: &mut Blocks) -> Result<Option<Block>> {
    for block in source.by_ref() {
        let block = block?;
        if block.rows > 0 {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// The unread rest of a source's block.
struct Head {
    block: Block,
    row: usize,
}

/// Order of a source's next row among all.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key {
    tick: i64,
    source: usize,
}

impl Key {
    fn new(head: &Head, source: usize, descending: bool) -> Self {
        let tick = head.block.timestamps[head.row];
        // The complement of a tick orders backwards without overflow.
        Self { tick: if descending { !tick } else { tick }, source }
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.tick, self.source).cmp(&(other.tick, other.source))
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Merge {
    sources: Vec<Blocks>,
    heads: Vec<Option<Head>>,
    heap: BinaryHeap<Reverse<Key>>,
    types: Vec<DataType>,
    descending: bool,
}

impl Merge {
    fn block(&mut self) -> Result<Option<Block>> {
        let mut ranges: Vec<(u32, u32, u32)> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        // Which of `blocks` a source's present block is.
        let mut places: Vec<Option<u32>> = vec![None; self.sources.len()];
        let mut rows = 0;
        while rows < BLOCK {
            let Some(Reverse(key)) = self.heap.pop() else { break };
            let limit = self.heap.peek().map(|next| next.0);
            let source = key.source;
            let Some(head) = self.heads[source].as_mut() else { continue };
            let place = *places[source].get_or_insert_with(|| {
                blocks.push(head.block.clone());
                blocks.len() as u32 - 1
            });
            let start = head.row;
            let most = head.block.rows.min(start + BLOCK - rows);
            let before = |row: usize| {
                let tick = head.block.timestamps[row];
                let tick = if self.descending { !tick } else { tick };
                limit.is_none_or(|limit| Key { tick, source } < limit)
            };
            let end = gallop(start + 1, most, before);
            ranges.push((place, start as u32, end as u32));
            rows += end - start;
            head.row = end;
            if end == head.block.rows {
                places[source] = None;
                self.heads[source] = next_block(&mut self.sources[source])?.map(|block| Head { block, row: 0 });
            }
            if let Some(head) = &self.heads[source] {
                self.heap.push(Reverse(Key::new(head, source, self.descending)));
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let mut timestamps = Vec::with_capacity(rows);
        for &(place, start, end) in &ranges {
            timestamps.extend_from_slice(&blocks[place as usize].timestamps[start as usize..end as usize]);
        }
        let mut columns = Vec::with_capacity(self.types.len());
        for (at, data_type) in self.types.iter().enumerate() {
            let arrays: Vec<ArrayRef> = blocks.iter().map(|block| block.columns[at].clone()).collect();
            columns.push(interleave(&arrays, &ranges, data_type)?);
        }
        Ok(Some(Block { rows, timestamps: timestamps.into(), columns }))
    }
}

impl Iterator for Merge {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        self.block().transpose()
    }
}

/// First row from `start` on, at most `end`, for which `test` fails; it holds for a prefix.
pub(crate) fn gallop(start: usize, end: usize, test: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut step) = (start, 1);
    while low < end && test(low) {
        if low + step >= end || !test(low + step) {
            break;
        }
        low += step;
        step *= 2;
    }
    if low >= end || !test(low) {
        return low.min(end);
    }
    // `test` holds at low and fails at low + step or beyond the end.
    let mut high = (low + step).min(end);
    low += 1;
    while low < high {
        let middle = low.midpoint(high);
        if test(middle) { low = middle + 1 } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::{Int64Array, cast::AsArray, types::Int64Type};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn source(ticks: &[i64], number: i64, cut: usize) -> Blocks {
        let blocks: Vec<Result<Block>> = ticks
            .chunks(cut)
            .map(|ticks| {
                Ok(Block { rows: ticks.len(), timestamps: ticks.to_vec().into(), columns: vec![Arc::new(Int64Array::from(vec![number; ticks.len()]))] })
            })
            .collect();
        Box::new(blocks.into_iter())
    }

    proptest! {
        #[test]
        fn merges_as_a_stable_sort(mut sources in prop::collection::vec(prop::collection::vec(-50_i64..50, 0..40), 0..6), cut in 1_usize..9, descending: bool) {
            let mut expected: Vec<(i64, i64)> = Vec::new();
            for (number, ticks) in sources.iter_mut().enumerate() {
                ticks.sort_unstable();
                if descending { ticks.reverse(); }
                expected.extend(ticks.iter().map(|tick| (*tick, number as i64)));
            }
            expected.sort_by_key(|(tick, _)| if descending { -tick } else { *tick });
            let inputs = sources.iter().enumerate().map(|(number, ticks)| source(ticks, number as i64, cut)).collect();
            let mut found = Vec::new();
            for block in merged(inputs, vec![DataType::Int64], descending).unwrap() {
                let block = block.unwrap();
                found.extend(block.timestamps.iter().copied().zip(block.columns[0].as_primitive::<Int64Type>().values().iter().copied()));
            }
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn gallops_to_the_edge(start in 0_usize..50, end in 0_usize..60, edge in 0_usize..70) {
            let end = end.max(start);
            prop_assert_eq!(gallop(start, end, |row| row < edge), edge.clamp(start, end));
        }
    }
}
