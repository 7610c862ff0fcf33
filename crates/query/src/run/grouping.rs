//! The groups and windows of a SELECT: its rows into accumulators, task by task, and where they do not fit in memory all at once, part by part.

use std::sync::Arc;

use embudo_storage::{Piece, TimeRange};
use embudo_types::{Error, Result};

use super::aggregate::{Accumulator, KnownPartitions, Partition};
use super::block::{Batch, Batches, Block, none};
use super::group_spill::Spilling;
use super::scan::{Constants, TableScan};
use super::select::{Needs, blocks, joined, project};
use crate::QueryContext;
use crate::bind::relation::Origin;
use crate::memory::is_exhausted;
use crate::plan::{AggregatePlan, SelectPlan, WindowPlan};
use crate::window::grid::Grid;

/// Runs an aggregating SELECT.
pub(crate) fn run(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>, needs: Needs) -> Result<Batches> {
    let grouped = needs.groups || plan.fill.is_some();
    let found = if plan.relation.table().is_some() { of_table(plan, stage, context, needs.last_windows) } else { of_rows(plan, stage, context) };
    match found {
        Ok(batch) => Ok(projected(plan, batch, grouped, context)),
        Err(error) if is_exhausted(&error) => in_parts(plan, stage, context, grouped, error),
        Err(error) => Err(error),
    }
}

/// Groups that come out together: whoever goes on with them looks from batch to batch whether to stop.
const BATCH: usize = 16_384;

/// Groups through HAVING to the items.
fn projected(plan: &Arc<SelectPlan>, batch: Batch, grouped: bool, context: &QueryContext) -> Batches {
    let (plan, cancel, mut start) = (Arc::clone(plan), context.cancel.clone(), 0);
    Box::new(std::iter::from_fn(move || {
        while start < batch.rows {
            let rows = BATCH.min(batch.rows - start);
            let part = batch.slice(start, rows);
            start += rows;
            let groups = if grouped { part.groups } else { None };
            let part = cancel.check().and_then(|()| project(&plan, &part.columns, rows, groups));
            if part.is_err() {
                start = batch.rows;
            }
            if let Some(part) = part.transpose() {
                return Some(part);
            }
        }
        None
    }))
}

/// The groups of a subquery's, a join's or a system table's rows.
fn of_rows(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>) -> Result<Batch> {
    let mut accumulator = Accumulator::new(plan, context)?;
    let partition = if stage.keys.is_empty() { Partition::Known(0) } else { Partition::ByRow };
    if stage.empty_groups && stage.keys.is_empty() && !plan.filter.never {
        accumulator.touch(0);
    }
    if let Origin::Nothing = plan.relation.origin {
        let row = Block { rows: 1, timestamps: Vec::new().into(), columns: Vec::new() };
        accumulator.take_block(partition, &row)?;
        return accumulator.finish(&[]);
    }
    for block in blocks(plan, context, stage.time_order || stage.window.is_some())? {
        context.cancel.check()?;
        accumulator.take_block(partition, &block?)?;
    }
    accumulator.finish(&[])
}

fn of_table(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>, last_windows: Option<usize>) -> Result<Batch> {
    let scan = Arc::new(TableScan::new(plan, context)?);
    if plan.filter.never || (scan.children() == 0 && plan.relation.is_single_table()) {
        // Nothing is asked, so not even a count comes back, as recorded.
        return Accumulator::new(plan, context)?.finish(&KnownPartitions::of(&[], &scan)?.keys);
    }
    let known = stage.keys.iter().all(|key| key.per_table);
    if !known {
        return accumulate(plan, stage, &scan, None, context, &Share::ALL)?.finish(&[]);
    }
    let partitions = KnownPartitions::of(&stage.keys, &scan)?;
    if let (Some(most), Some(WindowPlan::Interval(grid))) = (last_windows, &stage.window) {
        return last_windows_of(plan, stage, &scan, &partitions, context, grid, most)?.finish(&partitions.keys);
    }
    of_share(plan, stage, &scan, &partitions, context, &Share::all(&partitions))
}

/// The groups of a share of the partitions.
fn of_share(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: &KnownPartitions,
    context: &Arc<QueryContext>,
    share: &Share,
) -> Result<Batch> {
    let by_cache = stage.last_cache && !scan.filters_rows() && scan.range() == TimeRange::ALL && super::last::answers(stage, scan);
    let mut accumulator = if by_cache {
        let children: Vec<usize> = (0..scan.children()).filter(|child| share.holds(partitions.of_child[*child])).collect();
        super::last::run(plan, stage, scan, partitions, &children, context)?
    } else {
        accumulate(plan, stage, scan, Some(partitions), context, share)?
    };
    if stage.empty_groups {
        for partition in share.partitions.clone() {
            accumulator.touch(partition);
        }
    }
    accumulator.finish(&partitions.keys)
}

/// Some of the partitions, and of these some windows of INTERVAL, by their starts.
#[derive(Clone, Debug)]
struct Share {
    partitions: std::ops::Range<u32>,
    starts: TimeRange,
}

impl Share {
    const ALL: Self = Self { partitions: 0..u32::MAX, starts: TimeRange::ALL };

    fn all(partitions: &KnownPartitions) -> Self {
        Self { partitions: 0..partitions.count as u32, starts: TimeRange::ALL }
    }

    fn holds(&self, partition: u32) -> bool {
        self.partitions.contains(&partition)
    }

    /// The time of rows that fall into its windows.
    fn range(&self, stage: &AggregatePlan) -> TimeRange {
        match &stage.window {
            Some(WindowPlan::Interval(grid)) if self.starts != TimeRange::ALL => TimeRange::new(self.starts.start, grid.end(self.starts.end)),
            _ => TimeRange::ALL,
        }
    }

    /// Two shares, the first of which comes first; `None` where there is nothing to cut.
    fn halves(&self, stage: &AggregatePlan, scan: &TableScan) -> Result<Option<[Self; 2]>> {
        let std::ops::Range { start, end } = self.partitions;
        if end - start > 1 {
            let middle = start.midpoint(end);
            return Ok(Some([Self { partitions: start..middle, ..self.clone() }, Self { partitions: middle..end, ..self.clone() }]));
        }
        let mut starts = self.starts;
        if let (Some(WindowPlan::Interval(grid)), true) = (&stage.window, starts == TimeRange::ALL) {
            let (Some(first), Some(last)) = (scan.earliest()?, scan.latest()?) else { return Ok(None) };
            starts = TimeRange::new(grid.first_start(first), grid.last_start(last));
        }
        let part = |starts| Self { partitions: self.partitions.clone(), starts };
        Ok(halves(stage, starts).map(|[first, second]| [part(first), part(second)]))
    }
}

/// The two halves of a range of window starts; `None` where windows cannot be looked at by themselves, or there is but one.
pub(crate) fn halves(stage: &AggregatePlan, starts: TimeRange) -> Option<[TimeRange; 2]> {
    let Some(WindowPlan::Interval(grid)) = &stage.window else { return None };
    // Aggregates in the order of time carry values from window to window.
    if stage.time_order || starts.is_empty() || starts == TimeRange::ALL {
        return None;
    }
    let middle = grid.last_start(starts.start.midpoint(starts.end));
    let middle = if middle <= starts.start { grid.next_start(starts.start) } else { middle };
    (middle > starts.start && middle <= starts.end).then(|| [TimeRange::new(starts.start, middle - 1), TimeRange::new(middle, starts.end)])
}

/// Groups that do not fit in memory: partitions that are known from the start go share by share, others by way of the disk.
fn in_parts(plan: &Arc<SelectPlan>, stage: &AggregatePlan, context: &Arc<QueryContext>, grouped: bool, error: Error) -> Result<Batches> {
    let has_windows = matches!(stage.window, Some(WindowPlan::Interval(_)));
    if plan.relation.table().is_none() {
        if stage.keys.is_empty() && !has_windows {
            return Err(error);
        }
        let mut spilling = Spilling::new(stage, context);
        for block in blocks(plan, context, stage.time_order || stage.window.is_some())? {
            context.cancel.check()?;
            spilling.add(&block?, 0)?;
        }
        return spilling.finish(plan, grouped, context);
    }
    let scan = Arc::new(TableScan::new(plan, context)?);
    if stage.keys.iter().all(|key| key.per_table) {
        let partitions = KnownPartitions::of(&stage.keys, &scan)?;
        let waiting = vec![Share::all(&partitions)];
        return Ok(Box::new(Shares { plan: Arc::clone(plan), scan, partitions, context: Arc::clone(context), waiting, grouped, ready: none() }));
    }
    let mut spilling = Spilling::new(stage, context);
    for (number, task) in cut(stage, &scan, None)?.iter().enumerate() {
        feed(&scan, task, &mut Blocks { take: |block: &Block| spilling.add(block, number as u32) })?;
    }
    spilling.finish(plan, grouped, context)
}

/// The groups of known partitions, as many at a time as fit.
struct Shares {
    plan: Arc<SelectPlan>,
    scan: Arc<TableScan>,
    partitions: KnownPartitions,
    context: Arc<QueryContext>,
    /// The next one last.
    waiting: Vec<Share>,
    grouped: bool,
    /// Of the last share.
    ready: Batches,
}

impl Shares {
    fn batch(&mut self) -> Result<Option<Batch>> {
        let plan = Arc::clone(&self.plan);
        let crate::plan::Stage::Aggregate(stage) = &plan.stage else { return Err(Error::internal("groups of what has none")) };
        loop {
            if let Some(batch) = self.ready.next() {
                return batch.map(Some);
            }
            self.ready = none();
            let Some(share) = self.waiting.pop() else { return Ok(None) };
            match of_share(&plan, stage, &self.scan, &self.partitions, &self.context, &share) {
                Ok(batch) => self.ready = projected(&plan, batch, self.grouped, &self.context),
                Err(error) if is_exhausted(&error) => match share.halves(stage, &self.scan)? {
                    Some([first, second]) => self.waiting.extend([second, first]),
                    None => return Err(error),
                },
                Err(error) => return Err(error),
            }
        }
    }
}

impl Iterator for Shares {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.batch();
        if batch.is_err() {
            self.waiting.clear();
            self.ready = none();
        }
        batch.transpose()
    }
}

/// The last windows: reads backwards from the latest row, each time eight times as far, until there are enough.
fn last_windows_of(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: &KnownPartitions,
    context: &Arc<QueryContext>,
    grid: &Grid,
    most: usize,
) -> Result<Accumulator> {
    let Some(latest) = scan.latest_bound()? else { return Accumulator::new(plan, context) };
    let mut last = grid.last_start(latest);
    let length = grid.end(last).saturating_sub(last);
    let mut windows = most.max(1) as i64;
    let mut is_bound = true;
    loop {
        let start = grid.last_start(last.saturating_sub(length.saturating_mul(windows - 1)));
        let part = Arc::new(scan.narrowed(TimeRange::new(start, i64::MAX)));
        let accumulator = accumulate(plan, stage, &part, Some(partitions), context, &Share::all(partitions))?;
        if accumulator.groups() >= most || start <= scan.range().start || windows >= i64::MAX / 8 || length.saturating_mul(windows) == i64::MAX {
            return Ok(accumulator);
        }
        if is_bound && accumulator.groups() == 0 {
            // Rows that are newer are of other tables.
            let Some(latest) = scan.latest()? else { return Ok(accumulator) };
            (last, is_bound) = (grid.last_start(latest), false);
            continue;
        }
        windows *= 8;
    }
}

/// Reads a share of the rows into one accumulator, task by task.
fn accumulate(
    plan: &Arc<SelectPlan>,
    stage: &AggregatePlan,
    scan: &Arc<TableScan>,
    partitions: Option<&KnownPartitions>,
    context: &Arc<QueryContext>,
    share: &Share,
) -> Result<Accumulator> {
    let tasks = cut(stage, scan, partitions)?;
    let range = share.range(stage);
    let work = |task: &Work| -> Result<Accumulator> {
        let accumulator = Accumulator::of_windows(plan, context, share.starts)?;
        let mut sink = Groups { accumulator, scan, partitions, share, range };
        feed(scan, task, &mut sink)?;
        Ok(sink.accumulator)
    };
    let Some((first, rest)) = tasks.split_first() else { return Accumulator::new(plan, context) };
    let mut accumulator = work(first)?;
    // Threads cost more than a little work does; how much there is, the first task tells.
    if accumulator.rows().saturating_mul(rest.len()) < WORTH_THREADS {
        for task in rest {
            accumulator.merge(work(task)?)?;
        }
        return Ok(accumulator);
    }
    for result in context.scheduler.parallel(rest.len(), |task| work(&rest[task])) {
        accumulator.merge(result?)?;
    }
    Ok(accumulator)
}

/// Tasks of a scan at most; cut by the data alone.
const TASKS: usize = 32;
/// Children are cut into pieces where they are fewer than this.
const FEW_CHILDREN: usize = 8;
/// Rows that are worth starting threads for.
const WORTH_THREADS: usize = 65_536;
/// Pieces of one child in a task at least.
const PIECES: usize = 16;

/// What a task reads.
enum Work {
    /// Children, one after the other.
    Children(Vec<usize>),
    /// Pieces of one child.
    Pieces(usize, Vec<Piece>),
    /// The children of a partition, merged by time.
    Merged(Vec<Vec<usize>>),
}

/// What a task's rows go into.
trait Sink {
    /// Whether rows of a child are wanted at all.
    fn wants(&self, child: usize) -> bool;
    /// Whether a piece needs no look at its rows: it was taken by what is known of it, or nothing of it is wanted.
    fn takes_piece(&mut self, child: usize, piece: &Piece) -> Result<bool>;
    /// Takes rows.
    fn take(&mut self, child: usize, block: &Block) -> Result<()>;
}

/// An accumulator of a share's rows.
struct Groups<'a> {
    accumulator: Accumulator,
    scan: &'a TableScan,
    partitions: Option<&'a KnownPartitions>,
    share: &'a Share,
    range: TimeRange,
}

impl Groups<'_> {
    fn partition(&self, child: usize) -> Partition {
        self.partitions.map_or(Partition::ByRow, |partitions| Partition::Known(partitions.of_child[child]))
    }
}

impl Sink for Groups<'_> {
    fn wants(&self, child: usize) -> bool {
        self.partitions.is_none_or(|partitions| self.share.holds(partitions.of_child[child]))
    }

    fn takes_piece(&mut self, child: usize, piece: &Piece) -> Result<bool> {
        if !piece.range().overlaps(self.range) {
            return Ok(true);
        }
        match self.partition(child) {
            Partition::Known(partition) => self.accumulator.take_statistics(partition, piece, self.scan, child),
            Partition::ByRow => Ok(false),
        }
    }

    fn take(&mut self, child: usize, block: &Block) -> Result<()> {
        self.accumulator.take_block(self.partition(child), block)
    }
}

/// All blocks, one after another.
struct Blocks<F: FnMut(&Block) -> Result<()>> {
    take: F,
}

impl<F: FnMut(&Block) -> Result<()>> Sink for Blocks<F> {
    fn wants(&self, _: usize) -> bool {
        true
    }

    fn takes_piece(&mut self, _: usize, _: &Piece) -> Result<bool> {
        Ok(false)
    }

    fn take(&mut self, _: usize, block: &Block) -> Result<()> {
        (self.take)(block)
    }
}

/// Hands a task's rows on.
fn feed(scan: &Arc<TableScan>, task: &Work, sink: &mut dyn Sink) -> Result<()> {
    match task {
        Work::Children(children) => {
            let mut constants = Constants::default();
            for child in children.iter().filter(|child| sink.wants(**child)).copied().collect::<Vec<_>>() {
                let pieces = scan.pieces(child, scan.range(), false)?;
                feed_pieces(scan, child, pieces, &mut constants, sink)?;
            }
            Ok(())
        }
        Work::Pieces(child, pieces) if sink.wants(*child) => feed_pieces(scan, *child, pieces.iter().cloned().map(Ok), &mut Constants::default(), sink),
        Work::Pieces(..) => Ok(()),
        Work::Merged(sets) => {
            for children in sets.iter().filter(|set| sink.wants(set[0])).collect::<Vec<_>>() {
                for block in scan.merged(children, false)? {
                    sink.take(children[0], &block?)?;
                }
            }
            Ok(())
        }
    }
}

fn feed_pieces(scan: &TableScan, child: usize, pieces: impl Iterator<Item = Result<Piece>>, constants: &mut Constants, sink: &mut dyn Sink) -> Result<()> {
    let mut held: Option<Block> = None;
    for piece in pieces {
        let piece = piece?;
        if sink.takes_piece(child, &piece)? {
            continue;
        }
        let Some(block) = scan.load(child, &piece, constants)? else { continue };
        if scan.key().is_none() {
            sink.take(child, &block)?;
            continue;
        }
        // Rows of equal time and different keys are taken together, so that the greatest key is known to be last.
        held = Some(match held.take() {
            Some(before) if before.timestamps.last() == block.timestamps.first() => joined(&[before, block], scan.plan())?,
            Some(before) => {
                sink.take(child, &before)?;
                block
            }
            None => block,
        });
    }
    held.map_or(Ok(()), |block| sink.take(child, &block))
}

/// Cuts a scan into tasks.
fn cut(stage: &AggregatePlan, scan: &Arc<TableScan>, partitions: Option<&KnownPartitions>) -> Result<Vec<Work>> {
    let children = scan.children();
    if children == 0 {
        return Ok(Vec::new());
    }
    if stage.time_order {
        let Some(partitions) = partitions else { return Ok(vec![Work::Merged(vec![(0..children).collect()])]) };
        let mut sets: Vec<Vec<usize>> = vec![Vec::new(); partitions.count];
        for (child, partition) in partitions.of_child.iter().enumerate() {
            sets[*partition as usize].push(child);
        }
        let each = sets.len().div_ceil(TASKS);
        return Ok(sets.chunks(each).map(|sets| Work::Merged(sets.to_vec())).collect());
    }
    // Equal times of a composite key must not be torn apart.
    if children >= FEW_CHILDREN || scan.key().is_some() {
        let each = children.div_ceil(TASKS);
        let all: Vec<usize> = (0..children).collect();
        return Ok(all.chunks(each).map(|children| Work::Children(children.to_vec())).collect());
    }
    let mut tasks = Vec::new();
    for child in 0..children {
        let pieces = scan.pieces(child, scan.range(), false)?.collect::<Result<Vec<Piece>>>()?;
        let each = pieces.len().div_ceil(TASKS).max(PIECES);
        tasks.extend(pieces.chunks(each).map(|pieces| Work::Pieces(child, pieces.to_vec())));
    }
    Ok(tasks)
}
