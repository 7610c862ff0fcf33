//! `TimeMerge`: many sources in time order become one, in an order that does not depend on blocks or threads.
//!
//! Rows with equal times come as TDengine gives them, since windows over a supertable depend on it: the children of a vgroup meet in a
//! tournament tree, the vgroups in another, and in both the source that was read last goes on while another is no earlier.

use arrow_array::ArrayRef;
use arrow_schema::DataType;
use embudo_types::Result;

use super::block::{Block, Blocks};
use super::tournament::Tournament;
use crate::array::interleave;

/// Rows in a merged block.
const BLOCK: usize = 4_096;

/// Merges sources that are each in time order (backwards where `descending`); `vgroups` tells the vgroup of each.
pub(crate) fn merged(mut sources: Vec<Blocks>, vgroups: &[u32], types: Vec<DataType>, descending: bool) -> Result<Blocks> {
    let mut heads = Vec::with_capacity(sources.len());
    for source in &mut sources {
        heads.push(next_block(source)?.map(|block| Head { block, row: 0 }));
    }
    let heads = Heads { heads, descending };
    let mut numbers: Vec<u32> = vgroups.to_vec();
    numbers.sort_unstable();
    numbers.dedup();
    let group_of = |number: &u32| {
        let members: Vec<usize> = (0..sources.len()).filter(|source| vgroups.get(*source) == Some(number)).collect();
        let tree = Tournament::new(members.len(), |a, b| heads.is_before(Some(members[a]), Some(members[b])));
        Group { members, tree }
    };
    let groups: Vec<Group> = numbers.iter().map(group_of).collect();
    let mut places = vec![(0, 0); sources.len()];
    for (number, group) in groups.iter().enumerate() {
        group.members.iter().enumerate().for_each(|(leaf, source)| places[*source] = (number, leaf));
    }
    let top = Tournament::new(groups.len(), |a, b| heads.is_before(groups[a].winner(), groups[b].winner()));
    Ok(Box::new(Merge { sources, heads, groups, places, top, types }))
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

/// What every source goes on with.
struct Heads {
    heads: Vec<Option<Head>>,
    descending: bool,
}

impl Heads {
    /// A tick that orders forwards: the complement orders backwards without overflow.
    fn forward(&self, tick: i64) -> i64 {
        if self.descending { !tick } else { tick }
    }

    /// A source's next tick; `None` where it has no more.
    fn tick(&self, source: usize) -> Option<i64> {
        self.heads[source].as_ref().map(|head| self.forward(head.block.timestamps[head.row]))
    }

    /// Whether a source's next row is earlier than another's; what has no more comes last.
    fn is_before(&self, a: Option<usize>, b: Option<usize>) -> bool {
        match (a.and_then(|source| self.tick(source)), b.and_then(|source| self.tick(source))) {
            (Some(a), Some(b)) => a < b,
            (a, _) => a.is_some(),
        }
    }
}

/// The sources of one vgroup.
struct Group {
    members: Vec<usize>,
    tree: Tournament,
}

impl Group {
    /// The source that comes next.
    fn winner(&self) -> Option<usize> {
        self.tree.winner().map(|leaf| self.members[leaf])
    }
}

struct Merge {
    sources: Vec<Blocks>,
    heads: Heads,
    groups: Vec<Group>,
    /// Group and leaf of each source.
    places: Vec<(usize, usize)>,
    top: Tournament,
    types: Vec<DataType>,
}

impl Merge {
    /// The source whose row comes next, and the tick up to which it goes on.
    fn front(&self) -> Option<(usize, Option<i64>)> {
        let number = self.top.winner()?;
        let group = &self.groups[number];
        let leaf = group.tree.winner()?;
        let source = group.members[leaf];
        self.heads.tick(source)?;
        let in_group = group.tree.opponents(leaf).filter_map(|leaf| self.heads.tick(group.members[leaf]));
        let in_others = self.top.opponents(number).filter_map(|number| self.groups[number].winner()).filter_map(|source| self.heads.tick(source));
        Some((source, in_group.chain(in_others).min()))
    }

    /// Puts a source that went on in its place among the others.
    fn advance(&mut self, source: usize) {
        let (number, leaf) = self.places[source];
        let heads = &self.heads;
        let Group { members, tree } = &mut self.groups[number];
        tree.play(leaf, |a, b| heads.is_before(Some(members[a]), Some(members[b])));
        let groups = &self.groups;
        self.top.play(number, |a, b| heads.is_before(groups[a].winner(), groups[b].winner()));
    }

    fn block(&mut self) -> Result<Option<Block>> {
        let mut ranges: Vec<(u32, u32, u32)> = Vec::new();
        let mut blocks: Vec<Block> = Vec::new();
        // Which of `blocks` a source's present block is.
        let mut places: Vec<Option<u32>> = vec![None; self.sources.len()];
        let mut rows = 0;
        while rows < BLOCK
            && let Some((source, limit)) = self.front()
        {
            let Some(head) = &self.heads.heads[source] else { break };
            let place = *places[source].get_or_insert_with(|| {
                blocks.push(head.block.clone());
                blocks.len() as u32 - 1
            });
            let start = head.row;
            let most = head.block.rows.min(start + BLOCK - rows);
            let end = gallop(start + 1, most, |row| limit.is_none_or(|limit| self.heads.forward(head.block.timestamps[row]) <= limit));
            ranges.push((place, start as u32, end as u32));
            rows += end - start;
            let is_read = end == head.block.rows;
            if is_read {
                places[source] = None;
                self.heads.heads[source] = next_block(&mut self.sources[source])?.map(|block| Head { block, row: 0 });
            } else if let Some(head) = &mut self.heads.heads[source] {
                head.row = end;
            }
            self.advance(source);
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

    /// The source that was read last goes on among equals; the order of the recordings of TDengine.
    #[test]
    fn the_last_read_goes_on() {
        let order = |vgroups: &[u32], ticks: [&[i64]; 3]| -> Vec<i64> {
            let inputs = ticks.iter().enumerate().map(|(number, ticks)| source(ticks, number as i64, 2)).collect();
            let blocks = merged(inputs, vgroups, vec![DataType::Int64], false).unwrap();
            blocks.flat_map(|block| block.unwrap().columns[0].as_primitive::<Int64Type>().values().to_vec()).collect()
        };
        assert_eq!(order(&[0, 0, 0], [&[1, 2], &[2, 3], &[3, 4]]), [0, 0, 1, 1, 2, 2]);
        assert_eq!(order(&[0, 1, 0], [&[1, 2, 4], &[2, 4], &[2, 3]]), [0, 0, 2, 1, 2, 0, 1]);
    }

    proptest! {
        #[test]
        fn merges_in_order_of_time(mut sources in prop::collection::vec((prop::collection::vec(-50_i64..50, 0..40), 0_u32..3), 0..6), cut in 1_usize..9, descending: bool) {
            let mut expected: Vec<(i64, i64)> = Vec::new();
            for (number, (ticks, _)) in sources.iter_mut().enumerate() {
                ticks.sort_unstable();
                if descending { ticks.reverse(); }
                expected.extend(ticks.iter().map(|tick| (*tick, number as i64)));
            }
            expected.sort_by_key(|(tick, _)| if descending { -tick } else { *tick });
            let vgroups: Vec<u32> = sources.iter().map(|(_, vgroup)| *vgroup).collect();
            let run = |cut: usize| {
                let inputs = sources.iter().enumerate().map(|(number, (ticks, _))| source(ticks, number as i64, cut)).collect();
                let mut found = Vec::new();
                for block in merged(inputs, &vgroups, vec![DataType::Int64], descending).unwrap() {
                    let block = block.unwrap();
                    found.extend(block.timestamps.iter().copied().zip(block.columns[0].as_primitive::<Int64Type>().values().iter().copied()));
                }
                found
            };
            let mut found = run(cut);
            // How sources are cut into blocks does not matter.
            prop_assert_eq!(&found, &run(1));
            let is_sorted = found.is_sorted_by_key(|(tick, _)| if descending { -tick } else { *tick });
            prop_assert!(is_sorted);
            let key = |(tick, number): &(i64, i64)| (if descending { -tick } else { *tick }, *number);
            found.sort_by_key(key);
            expected.sort_by_key(key);
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn gallops_to_the_edge(start in 0_usize..50, end in 0_usize..60, edge in 0_usize..70) {
            let end = end.max(start);
            prop_assert_eq!(gallop(start, end, |row| row < edge), edge.clamp(start, end));
        }
    }
}
