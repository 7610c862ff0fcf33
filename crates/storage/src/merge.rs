//! A table's sources merged into pieces in key order: the newest source wins cell by cell, absent cells keep the older one, tombstones
//! hide what is older than they are.
//!
//! Time is cut where the set of sources changes. Where one source alone has rows, its rows pass through untouched, with their
//! statistics if all of them do; only where several have rows their keys are merged, when the scan gets there. Cells are read when
//! a piece is asked for them.

mod piece;
mod plan;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use embudo_types::Result;

use crate::merge::piece::{Merged, Part, Run};
use crate::merge::plan::{Fragment, Window};
use crate::rows::TimeRange;
use crate::scan::{Piece, Scan, ScanRequest};
use crate::source::{SourceRef, Tombstone};

/// Rows of several sources above which a window is cut in time.
const MERGE_ROWS: usize = 8192;

/// Pieces of a table out of its sources, oldest first.
pub(crate) fn merge(sources: Vec<SourceRef>, tombstones: &[Tombstone], request: &ScanRequest) -> Scan {
    let request = Arc::new(request.clone());
    let fragments = plan::fragments(sources, tombstones, request.range);
    let windows = plan::windows(&fragments);
    let pieces = Pieces { fragments, windows: 0..windows.len(), plan: windows, ready: Vec::new(), request };
    Scan::new(pieces)
}

/// The scan: windows in order, each of a piece or more.
struct Pieces {
    fragments: Vec<Fragment>,
    plan: Vec<Window>,
    windows: std::ops::Range<usize>,
    /// Pieces of the last window that are still to be given, the next one last.
    ready: Vec<Piece>,
    request: Arc<ScanRequest>,
}

impl Iterator for Pieces {
    type Item = Result<Piece>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(piece) = self.ready.pop() {
                return Some(Ok(piece));
            }
            let window = if self.request.descending { self.windows.next_back()? } else { self.windows.next()? };
            match self.pieces(&self.plan[window]) {
                Ok(mut pieces) => {
                    if !self.request.descending {
                        pieces.reverse();
                    }
                    self.ready = pieces;
                }
                Err(error) => {
                    self.windows = 0..0;
                    return Some(Err(error));
                }
            }
        }
    }
}

impl Pieces {
    /// The pieces of a window in key order.
    fn pieces(&self, window: &Window) -> Result<Vec<Piece>> {
        let parts = window.members.iter().map(|member| self.fragments[*member].part(window.range)).collect::<Result<Vec<_>>>()?;
        self.merge_parts(parts.into_iter().filter(|part| !part.rows.is_empty()).collect())
    }

    fn merge_parts(&self, mut parts: Vec<Part>) -> Result<Vec<Piece>> {
        match parts.len() {
            0 => Ok(Vec::new()),
            1 => Ok(parts.pop().map(|part| Run::new(part, &self.request)).transpose()?.map(Piece::new).into_iter().collect()),
            _ => {
                let rows: usize = parts.iter().map(|part| part.rows.len()).sum();
                if rows <= MERGE_ROWS {
                    return Ok(vec![Piece::new(Merged::new(parts, &self.request)?)]);
                }
                self.split_parts(&parts, rows.div_ceil(MERGE_ROWS))
            }
        }
    }

    /// Cuts parts in time at even distances in the largest of them.
    fn split_parts(&self, parts: &[Part], count: usize) -> Result<Vec<Piece>> {
        let Some(largest) = parts.iter().max_by_key(|part| part.rows.len()) else { return Ok(Vec::new()) };
        let timestamps = largest.source.timestamps(largest.rows.clone())?;
        let mut cuts: Vec<i64> = (1..count).map(|cut| timestamps[timestamps.len() * cut / count]).collect();
        cuts.dedup();
        let mut starts: Vec<usize> = parts.iter().map(|part| part.rows.start).collect();
        let mut pieces = Vec::new();
        for cut in cuts.into_iter().map(Some).chain([None]) {
            let mut slices = Vec::new();
            for (part, start) in parts.iter().zip(&mut starts) {
                let end = cut.map_or(Ok(part.rows.end), |cut| part.source.rows_before(cut).map(|row| row.clamp(*start, part.rows.end)))?;
                if *start < end {
                    slices.push(Part { source: part.source.clone(), rows: *start..end });
                }
                *start = end;
            }
            pieces.extend(match slices.len() {
                0 | 1 => self.merge_parts(slices)?,
                _ => vec![Piece::new(Merged::new(slices, &self.request)?)],
            });
        }
        Ok(pieces)
    }
}

/// The time of some rows of a source.
fn range_of(part: &Part) -> Result<TimeRange> {
    let whole = part.source.range();
    let last = part.rows.end - 1;
    let start = if part.rows.start == 0 { whole.start } else { part.source.timestamps(part.rows.start..part.rows.start + 1)?[0] };
    let end = if part.rows.end == part.source.rows() { whole.end } else { part.source.timestamps(last..last + 1)?[0] };
    Ok(TimeRange::new(start, end))
}
