//! A plain scan of many children on several threads, its rows in the order of children and in bounded memory.
//!
//! Cursors over a few children each advance together, wave by wave; a wave ends when each has looked at its share of rows, so no
//! thread waits for the reader of the result. Shares start small: a LIMIT of a few rows reads little.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use embudo_storage::Scheduler;
use embudo_types::Result;

use super::block::Batch;
use super::scan::{Reader, TableScan};
use super::select::project;
use crate::QueryContext;
use crate::plan::SelectPlan;

/// Rows that a cursor looks at in its first wave.
const FIRST_SHARE: usize = 4_096;
/// And at most.
const LARGEST_SHARE: usize = 131_072;
/// Children of a cursor at most.
const CHILDREN: usize = 64;

/// The projected rows of all children.
pub(crate) struct RowScan {
    plan: Arc<SelectPlan>,
    scan: Arc<TableScan>,
    scheduler: Arc<Scheduler>,
    cursors: VecDeque<Mutex<Cursor>>,
    next_child: usize,
    children: usize,
    share: usize,
    failed: bool,
}

struct Cursor {
    children: std::ops::Range<usize>,
    reader: Option<Reader>,
    ready: VecDeque<Batch>,
    done: bool,
}

impl RowScan {
    /// A scan; `most` rows are wanted, where that is known.
    pub(crate) fn new(plan: &Arc<SelectPlan>, scan: Arc<TableScan>, context: &Arc<QueryContext>, most: Option<usize>) -> Self {
        let children = scan.children();
        let threads = context.scheduler.threads();
        let each = if most.is_some_and(|most| most <= FIRST_SHARE) { 1 } else { (children / (threads * 4)).clamp(1, CHILDREN) };
        let share = if most.is_none() && plan.filter.rows.is_some() { LARGEST_SHARE } else { FIRST_SHARE };
        Self {
            plan: Arc::clone(plan),
            scan,
            scheduler: Arc::clone(&context.scheduler),
            cursors: VecDeque::new(),
            next_child: 0,
            children: each,
            share,
            failed: false,
        }
    }

    fn batch(&mut self) -> Result<Option<Batch>> {
        loop {
            while let Some(front) = self.cursors.front_mut() {
                let front = front.get_mut().unwrap_or_else(PoisonError::into_inner);
                if let Some(batch) = front.ready.pop_front() {
                    return Ok(Some(batch));
                }
                if !front.done {
                    break;
                }
                self.cursors.pop_front();
            }
            // One cursor at first: the reader may want no more than its share.
            let wanted = if self.share == FIRST_SHARE { 1 } else { self.scheduler.threads() };
            while self.cursors.len() < wanted && self.next_child < self.scan.children() {
                let end = (self.next_child + self.children).min(self.scan.children());
                self.cursors.push_back(Mutex::new(Cursor { children: self.next_child..end, reader: None, ready: VecDeque::new(), done: false }));
                self.next_child = end;
            }
            if self.cursors.is_empty() {
                return Ok(None);
            }
            let (plan, scan, cursors, share) = (&self.plan, &self.scan, &self.cursors, self.share);
            let outcomes = self.scheduler.parallel(cursors.len(), |place| {
                let mut cursor = cursors[place].lock().unwrap_or_else(PoisonError::into_inner);
                // What runs ahead of the reader waits with one share.
                if place > 0 && !cursor.ready.is_empty() { Ok(()) } else { cursor.advance(plan, scan, share) }
            });
            outcomes.into_iter().collect::<Result<()>>()?;
            self.share = (self.share * 4).min(LARGEST_SHARE);
        }
    }
}

impl Cursor {
    fn advance(&mut self, plan: &SelectPlan, scan: &Arc<TableScan>, share: usize) -> Result<()> {
        let mut rows = 0;
        while rows < share {
            if self.reader.is_none() {
                self.reader = self.children.next().map(|child| Reader::new(scan, child, scan.range(), false));
            }
            let Some(reader) = &mut self.reader else {
                self.done = true;
                return Ok(());
            };
            match reader.next() {
                None => {
                    self.reader = None;
                    // Even an empty child costs a look.
                    rows += 64;
                }
                Some(block) => {
                    let block = block?;
                    rows += block.rows;
                    if let Some(batch) = project(plan, &block.columns, block.rows, None)? {
                        self.ready.push_back(batch);
                    }
                }
            }
        }
        Ok(())
    }
}

impl Iterator for RowScan {
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
