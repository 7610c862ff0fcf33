//! What the operators of one run did, for EXPLAIN ANALYZE: rows, blocks and time of each, and what scans read. Nothing is counted in a query that nobody
//! asked about.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use embudo_storage::{FilesInRange, Scheduler};
use embudo_types::Result;

use crate::run::block::{Batch, Batches};

/// An operator of a plan: the address of the plan's part, which the run shares, and what it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Operator {
    part: usize,
    kind: OperatorKind,
}

/// What of a plan's part is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum OperatorKind {
    /// The rows of a SELECT: projection, groups, windows, series.
    Stage,
    /// FILL.
    Fill,
    /// DISTINCT, UNION.
    Union,
    /// ORDER BY.
    Sort,
    /// A join.
    Join,
    /// A scan of a stored table.
    Scan,
}

impl Operator {
    /// An operator of a plan's part.
    pub(crate) fn of<T>(part: &T, kind: OperatorKind) -> Self {
        Self { part: std::ptr::from_ref(part).addr(), kind }
    }
}

/// What an operator did.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    rows: AtomicU64,
    blocks: AtomicU64,
    /// Nanoseconds from the start of the run to the first rows.
    first: AtomicU64,
    /// Nanoseconds from the start of the run to the last rows.
    last: AtomicU64,
}

impl Figures {
    /// Rows that came out.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Ordering::Relaxed)
    }

    /// Blocks that came out.
    pub(crate) fn blocks(&self) -> u64 {
        self.blocks.load(Ordering::Relaxed)
    }

    /// Milliseconds to the first and to the last rows.
    pub(crate) fn cost(&self) -> (f64, f64) {
        let milliseconds = |nanoseconds: &AtomicU64| nanoseconds.load(Ordering::Relaxed) as f64 / 1e6;
        (milliseconds(&self.first), milliseconds(&self.last))
    }
}

/// What a scan read.
#[derive(Debug, Default)]
pub(crate) struct ScanFigures {
    /// Rows that came out, with what came before and after them.
    pub out: Figures,
    children: AtomicU64,
    loaded: AtomicU64,
    by_statistics: AtomicU64,
    rows_checked: AtomicU64,
    rows_by_statistics: AtomicU64,
    bytes: AtomicU64,
    files_read: AtomicU64,
    files_skipped: AtomicU64,
}

/// A line's worth of [`ScanFigures`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanTotals {
    /// Tables whose tags and names qualified.
    pub children: u64,
    /// Blocks that were loaded.
    pub loaded: u64,
    /// Blocks that their statistics stood for.
    pub by_statistics: u64,
    /// Rows of loaded blocks.
    pub rows_checked: u64,
    /// Rows of blocks that statistics stood for.
    pub rows_by_statistics: u64,
    /// Bytes of the cells that were loaded.
    pub bytes: u64,
    /// Block files that reach into the time that was asked for.
    pub files_read: u64,
    /// Block files that do not.
    pub files_skipped: u64,
}

impl ScanFigures {
    /// A scan of so many tables begins.
    pub(crate) fn open(&self, children: usize, files: FilesInRange) {
        self.children.fetch_max(children as u64, Ordering::Relaxed);
        self.files_read.fetch_max(files.inside as u64, Ordering::Relaxed);
        self.files_skipped.fetch_max(files.outside as u64, Ordering::Relaxed);
    }

    /// A block is loaded.
    pub(crate) fn load(&self, rows: usize) {
        self.loaded.fetch_add(1, Ordering::Relaxed);
        self.rows_checked.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// Cells of a block were loaded.
    pub(crate) fn read(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// A block's statistics stood for its rows.
    pub(crate) fn skip(&self, rows: usize) {
        self.by_statistics.fetch_add(1, Ordering::Relaxed);
        self.rows_by_statistics.fetch_add(rows as u64, Ordering::Relaxed);
    }

    /// All of it.
    pub(crate) fn totals(&self) -> ScanTotals {
        let get = |figure: &AtomicU64| figure.load(Ordering::Relaxed);
        ScanTotals {
            children: get(&self.children),
            loaded: get(&self.loaded),
            by_statistics: get(&self.by_statistics),
            rows_checked: get(&self.rows_checked),
            rows_by_statistics: get(&self.rows_by_statistics),
            bytes: get(&self.bytes),
            files_read: get(&self.files_read),
            files_skipped: get(&self.files_skipped),
        }
    }
}

/// The figures of a run, by operator.
#[derive(Debug)]
pub struct Analysis {
    scheduler: Arc<Scheduler>,
    started: Duration,
    operators: Mutex<HashMap<Operator, Arc<Figures>>>,
    scans: Mutex<HashMap<Operator, Arc<ScanFigures>>>,
}

impl Analysis {
    /// Starts the clock.
    pub(crate) fn new(scheduler: &Arc<Scheduler>) -> Self {
        Self { scheduler: Arc::clone(scheduler), started: scheduler.elapsed(), operators: Mutex::default(), scans: Mutex::default() }
    }

    /// Nanoseconds since the start.
    pub(crate) fn elapsed(&self) -> u64 {
        u64::try_from(self.scheduler.elapsed().saturating_sub(self.started).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The figures of an operator.
    pub(crate) fn operator(&self, operator: Operator) -> Arc<Figures> {
        Arc::clone(self.operators.lock().unwrap_or_else(PoisonError::into_inner).entry(operator).or_default())
    }

    /// The figures of a scan.
    pub(crate) fn scan(&self, operator: Operator) -> Arc<ScanFigures> {
        Arc::clone(self.scans.lock().unwrap_or_else(PoisonError::into_inner).entry(operator).or_default())
    }

    /// Notes rows that come out of an operator.
    pub(crate) fn note(&self, figures: &Figures, rows: usize) {
        let now = self.elapsed().max(1);
        figures.rows.fetch_add(rows as u64, Ordering::Relaxed);
        figures.blocks.fetch_add(1, Ordering::Relaxed);
        let _ = figures.first.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
        figures.last.fetch_max(now, Ordering::Relaxed);
    }
}

/// The same batches, counted where somebody asked for it.
pub(crate) fn counted(batches: Batches, analysis: Option<&Arc<Analysis>>, operator: Operator) -> Batches {
    let Some(analysis) = analysis else { return batches };
    let (analysis, figures) = (Arc::clone(analysis), analysis.operator(operator));
    Box::new(batches.inspect(move |batch: &Result<Batch>| {
        if let Ok(batch) = batch {
            analysis.note(&figures, batch.rows);
        }
    }))
}
