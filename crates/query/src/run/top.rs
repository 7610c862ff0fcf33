//! The newest or oldest rows of many children, without reading the others.

use std::sync::Arc;

use embudo_storage::TimeRange;
use embudo_types::Result;

use super::block::{Block, Blocks};
use super::scan::{Reader, TableScan};

/// Blocks, in the order of time, that hold the first `most` rows of all children in that order.
pub(crate) fn rows(scan: &Arc<TableScan>, children: &[usize], descending: bool, most: usize) -> Result<Blocks> {
    if most == 0 {
        return Ok(Box::new(std::iter::empty()));
    }
    // Ticks of the best rows so far, worst last; what is worse than the last of a full list cannot come out.
    let mut best: Vec<i64> = Vec::new();
    let mut found: Vec<(usize, Vec<Block>)> = Vec::new();
    let full = scan.range();
    for child in children {
        let range = match best.get(most - 1) {
            Some(worst) if descending => TimeRange::new(*worst, full.end),
            Some(worst) => TimeRange::new(full.start, *worst),
            None => full,
        }
        .intersection(full);
        let (mut blocks, mut rows) = (Vec::new(), 0);
        for block in Reader::new(scan, *child, range, descending) {
            let block = block?;
            rows += block.rows;
            best.extend(block.timestamps.iter().take(most));
            blocks.push(block);
            if rows >= most {
                break;
            }
        }
        if !blocks.is_empty() {
            if descending {
                best.sort_unstable_by(|a, b| b.cmp(a));
            } else {
                best.sort_unstable();
            }
            best.truncate(most);
            found.push((*child, blocks));
        }
    }
    let vgroups: Vec<u32> = found.iter().map(|(child, _)| scan.vgroup(*child)).collect();
    let sources = found.into_iter().map(|(_, blocks)| Box::new(blocks.into_iter().map(Ok)) as Blocks).collect();
    super::merge::merged(sources, &vgroups, scan.input_types(), descending)
}
