//! The newest or oldest rows of many children, without reading the others.

use std::sync::Arc;

use embudo_storage::TimeRange;
use embudo_types::Result;

use super::block::{Block, Blocks};
use super::scan::{Reader, TableScan};
use crate::QueryContext;
use crate::array::interleave;
use crate::memory::{Reservation, bytes_of};

/// Blocks, in the order of time, that hold the first `most` rows of all children in that order.
pub(crate) fn rows(scan: &Arc<TableScan>, children: &[usize], descending: bool, most: usize, context: &QueryContext) -> Result<Blocks> {
    if most == 0 {
        return Ok(Box::new(std::iter::empty()));
    }
    let mut reservation = Reservation::new(&context.memory);
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
            let block = first_rows(block, most, scan)?;
            reservation.grow(bytes_of(&block.columns) + 8 * block.rows)?;
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
    let merged = super::merge::merged(sources, &vgroups, scan.input_types(), descending)?;
    Ok(Box::new(merged.inspect(move |_| {
        let _held = &reservation;
    })))
}

/// The first rows of a block; copied where they are few, so that the others are let go of.
fn first_rows(block: Block, most: usize, scan: &TableScan) -> Result<Block> {
    if block.rows <= most.saturating_mul(2) {
        return Ok(block);
    }
    let rows = [(0, 0, most as u32)];
    let columns = block.columns.iter().zip(scan.input_types());
    let columns = columns.map(|(column, data_type)| interleave(std::slice::from_ref(column), &rows, &data_type)).collect::<Result<_>>()?;
    Ok(Block { rows: most, timestamps: block.timestamps[..most].to_vec().into(), columns })
}
