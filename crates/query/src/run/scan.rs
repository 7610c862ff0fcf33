//! Reading stored tables: which children qualify, and their rows as blocks, filter columns first.

use std::sync::Arc;

use arrow_array::types::{TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, BinaryArray, NullArray, PrimitiveArray};
use arrow_buffer::ScalarBuffer;
use embudo_catalog::Children;
use embudo_expr::array_of_values;
use embudo_storage::{Chunk, ColumnId, Piece, Scan, ScanRequest, Snapshot, TIMESTAMP_COLUMN, TimeRange, Uid};
use embudo_types::{DataType, Error, Precision, Result};
use roaring::RoaringBitmap;

use super::block::{Block, Blocks, evaluate_condition};
use super::merge;
use super::time_slices::{CURSORS, Sample, slices};
use super::vgroup::vgroup_of;
use crate::QueryContext;
use crate::analysis::{Analysis, Operator, OperatorKind, ScanFigures};
use crate::array::{repeat, selected, take};
use crate::bind::relation::{Column, ColumnSource, TableKind, TableOrigin};
use crate::context::CancelToken;
use crate::memory::bytes_of;
use crate::plan::SelectPlan;

/// Children that are asked for their number of rows before very many are merged.
const SAMPLED: usize = 64;

/// Where the cells of an input come from.
#[derive(Clone, Debug)]
pub(crate) enum InputSource {
    /// The primary timestamp.
    Timestamp,
    /// A stored column, by place in the scan's request.
    Stored(usize),
    /// The same in all rows of a child: an array over the scan's children.
    PerTable(ArrayRef),
}

/// A stored table about to be read.
#[derive(Clone)]
pub(crate) struct TableScan {
    plan: Arc<SelectPlan>,
    cancel: CancelToken,
    snapshot: Snapshot,
    key: Option<(ColumnId, DataType)>,
    precision: Precision,
    uids: Vec<Uid>,
    /// What vgroup TDengine would have each child in.
    vgroups: Vec<u32>,
    sources: Vec<InputSource>,
    /// Inputs that blocks must hold; the others are known by child alone.
    read: Vec<bool>,
    columns: Vec<(ColumnId, DataType)>,
    /// Places of the request that the row filter reads.
    filter_columns: Vec<usize>,
    /// The other places.
    rest_columns: Vec<usize>,
    range: TimeRange,
    /// What is read, where somebody asked for it.
    figures: Option<(Arc<Analysis>, Arc<ScanFigures>)>,
}

impl TableScan {
    /// Decides which children qualify and what to load of them.
    pub(crate) fn new(plan: &Arc<SelectPlan>, context: &QueryContext) -> Result<Self> {
        let Some(origin) = plan.relation.table() else { return Err(Error::internal("a scan of what is no table")) };
        let tables = Tables::of(origin);
        let members = if plan.filter.never { Vec::new() } else { tables.qualifying(plan)? };
        let mut columns: Vec<(ColumnId, DataType)> = Vec::new();
        let mut sources = Vec::with_capacity(plan.inputs.len());
        for input in &plan.inputs {
            let column = &plan.relation.columns[*input];
            sources.push(match &column.source {
                ColumnSource::Timestamp => InputSource::Timestamp,
                ColumnSource::Stored(id) => {
                    columns.push((*id, column.data_type));
                    InputSource::Stored(columns.len() - 1)
                }
                _ => InputSource::PerTable(tables.array(column, &members)?),
            });
        }
        let mut in_filter = vec![false; columns.len()];
        if let Some(filter) = &plan.filter.rows {
            filter.visit_inputs(&mut |input| {
                if let InputSource::Stored(place) = sources[input] {
                    in_filter[place] = true;
                }
            });
        }
        let read = plan.read_inputs();
        let mut is_read = vec![false; columns.len()];
        for (source, read) in sources.iter().zip(&read) {
            if let InputSource::Stored(place) = source {
                is_read[*place] |= *read;
            }
        }
        let filter_columns = (0..columns.len()).filter(|place| in_filter[*place]).collect();
        let rest_columns = (0..columns.len()).filter(|place| !in_filter[*place] && is_read[*place]).collect();
        let figures = context.analysis.as_ref().map(|analysis| {
            let figures = analysis.scan(Operator::of(origin, OperatorKind::Scan));
            figures.open(members.len(), origin.snapshot.files_in(plan.filter.range));
            (Arc::clone(analysis), figures)
        });
        Ok(Self {
            plan: Arc::clone(plan),
            cancel: context.cancel.clone(),
            snapshot: origin.snapshot.clone(),
            key: origin.key(),
            precision: plan.relation.precision,
            uids: members.iter().map(|slot| tables.uid(*slot)).collect(),
            vgroups: members.iter().map(|slot| tables.vgroup(*slot)).collect(),
            read,
            sources,
            columns,
            filter_columns,
            rest_columns,
            range: plan.filter.range,
            figures,
        })
    }

    /// Notes that a piece's statistics stand for its rows.
    pub(crate) fn note_statistics(&self, piece: &Piece) {
        if let Some((_, figures)) = &self.figures {
            figures.skip(piece.rows());
        }
    }

    /// The SELECT it reads for.
    pub(crate) fn plan(&self) -> &SelectPlan {
        &self.plan
    }

    /// The same scan over a part of its time.
    pub(crate) fn narrowed(&self, range: TimeRange) -> Self {
        Self { range: self.range.intersection(range), ..self.clone() }
    }

    /// A time that no row is after, be it of another table: of very many children cheaper than [`latest`](Self::latest).
    pub(crate) fn latest_bound(&self) -> Result<Option<i64>> {
        if self.children() <= SAMPLED {
            return self.latest();
        }
        Ok(self.snapshot.newest().map(|newest| newest.min(self.range.end)))
    }

    /// A time that no row of any child is after; `None` where there is no row.
    pub(crate) fn latest(&self) -> Result<Option<i64>> {
        let mut latest = None;
        for child in 0..self.children() {
            if let Some(piece) = self.pieces(child, self.range, true)?.next() {
                latest = latest.max(Some(piece?.range().end.min(self.range.end)));
            }
        }
        Ok(latest)
    }

    /// A time that no row of any child is before; `None` where there is no row.
    pub(crate) fn earliest(&self) -> Result<Option<i64>> {
        let mut earliest: Option<i64> = None;
        for child in 0..self.children() {
            if let Some(piece) = self.pieces(child, self.range, false)?.next() {
                let start = piece?.range().start.max(self.range.start);
                earliest = Some(earliest.map_or(start, |known| known.min(start)));
            }
        }
        Ok(earliest)
    }

    /// How many children qualify.
    pub(crate) fn children(&self) -> usize {
        self.uids.len()
    }

    /// What a child is in the store.
    pub(crate) fn uid(&self, child: usize) -> Uid {
        self.uids[child]
    }

    /// Where an input's cells come from.
    pub(crate) fn source(&self, input: usize) -> &InputSource {
        &self.sources[input]
    }

    /// A stored column of the request.
    pub(crate) fn column(&self, place: usize) -> (ColumnId, DataType) {
        self.columns[place]
    }

    /// What is visible.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The composite key column.
    pub(crate) fn key(&self) -> Option<(ColumnId, DataType)> {
        self.key
    }

    /// The time to read.
    pub(crate) fn range(&self) -> TimeRange {
        self.range
    }

    /// Whether rows are filtered by their cells.
    pub(crate) fn filters_rows(&self) -> bool {
        self.plan.filter.rows.is_some()
    }

    /// Inputs that are the same in all rows of a child, as arrays over the children; other inputs hold nothing.
    pub(crate) fn per_table_inputs(&self) -> Vec<ArrayRef> {
        let array = |source: &InputSource| if let InputSource::PerTable(array) = source { Arc::clone(array) } else { nothing() };
        self.sources.iter().map(array).collect()
    }

    /// Statistics of an input over a piece: of its column, or of the timestamps.
    pub(crate) fn statistics(&self, input: usize, piece: &Piece) -> Option<embudo_types::ColumnStatistics> {
        match &self.sources[input] {
            InputSource::Timestamp => piece.statistics(TIMESTAMP_COLUMN),
            InputSource::Stored(place) => piece.statistics(self.columns[*place].0),
            InputSource::PerTable(_) => None,
        }
    }

    /// The pieces of a child within a range.
    pub(crate) fn pieces(&self, child: usize, range: TimeRange, descending: bool) -> Result<Scan> {
        self.cancel.check()?;
        if range.is_empty() {
            return Ok(Scan::new(std::iter::empty()));
        }
        self.snapshot.scan(&ScanRequest { uid: self.uids[child], key: self.key, columns: self.columns.clone(), range, descending, precision: self.precision })
    }

    /// The rows of a piece that the filter leaves; `None` where it leaves none.
    pub(crate) fn load(&self, child: usize, piece: &Piece, constants: &mut Constants) -> Result<Option<Block>> {
        self.cancel.check()?;
        let block = self.filtered(child, piece, constants)?;
        if let (Some((analysis, figures)), Some(block)) = (&self.figures, &block) {
            analysis.note(&figures.out, block.rows);
        }
        Ok(block)
    }

    /// Loads columns of a piece.
    fn columns(&self, piece: &Piece, places: &[usize]) -> Result<Chunk> {
        let chunk = piece.load(places)?;
        if let Some((_, figures)) = &self.figures {
            figures.read(bytes_of(&chunk.columns) + 8 * chunk.timestamps.len());
        }
        Ok(chunk)
    }

    fn filtered(&self, child: usize, piece: &Piece, constants: &mut Constants) -> Result<Option<Block>> {
        if let Some((_, figures)) = &self.figures {
            figures.load(piece.rows());
        }
        let Some(filter) = &self.plan.filter.rows else {
            let chunk = self.columns(piece, &self.rest_columns)?;
            let rows = chunk.timestamps.len();
            let mut loaded = vec![nothing(); self.columns.len()];
            for (place, array) in self.rest_columns.iter().zip(chunk.columns) {
                loaded[*place] = array;
            }
            return self.block(child, rows, chunk.timestamps, &loaded, constants).map(Some);
        };
        let chunk = self.columns(piece, &self.filter_columns)?;
        let rows = chunk.timestamps.len();
        let mut loaded = vec![nothing(); self.columns.len()];
        for (place, array) in self.filter_columns.iter().zip(chunk.columns) {
            loaded[*place] = array;
        }
        let condition = {
            let block = self.block(child, rows, chunk.timestamps.clone(), &loaded, constants)?;
            evaluate_condition(filter, &block.columns, rows)?
        };
        let picked = selected(&condition);
        if picked.as_ref().is_some_and(Vec::is_empty) {
            return Ok(None);
        }
        if !self.rest_columns.is_empty() {
            let rest = self.columns(piece, &self.rest_columns)?;
            for (place, array) in self.rest_columns.iter().zip(rest.columns) {
                loaded[*place] = array;
            }
        }
        let Some(picked) = picked else { return self.block(child, rows, chunk.timestamps, &loaded, constants).map(Some) };
        let timestamps = picked.iter().map(|row| chunk.timestamps[*row as usize]).collect();
        let loaded = loaded.iter().map(|array| take(array, &picked)).collect::<Result<Vec<_>>>()?;
        self.block(child, picked.len(), timestamps, &loaded, constants).map(Some)
    }

    fn block(&self, child: usize, rows: usize, timestamps: ScalarBuffer<i64>, loaded: &[ArrayRef], constants: &mut Constants) -> Result<Block> {
        let mut columns = Vec::with_capacity(self.sources.len());
        for (input, source) in self.sources.iter().enumerate() {
            columns.push(match source {
                _ if !self.read[input] => Arc::new(NullArray::new(rows)),
                InputSource::Timestamp => timestamp_array(timestamps.clone(), self.precision),
                InputSource::Stored(place) => Arc::clone(&loaded[*place]),
                InputSource::PerTable(array) => constants.get(input, array, child, rows)?,
            });
        }
        Ok(Block { rows, timestamps, columns })
    }

    /// All rows of some children, child by child.
    pub(crate) fn blocks(self: &Arc<Self>, children: Vec<usize>, descending: bool) -> Blocks {
        let scan = Arc::clone(self);
        Box::new(children.into_iter().flat_map(move |child| Reader::new(&scan, child, scan.range, descending)))
    }

    /// The vgroup that TDengine would have a child in.
    pub(crate) fn vgroup(&self, child: usize) -> u32 {
        self.vgroups[child]
    }

    /// All rows of some children in the order of time.
    pub(crate) fn merged(self: &Arc<Self>, children: &[usize], descending: bool) -> Result<Blocks> {
        if let [child] = children {
            return Ok(Box::new(Reader::new(self, *child, self.range, descending)));
        }
        let vgroups: Vec<u32> = children.iter().map(|child| self.vgroups[*child]).collect();
        let readers = move |scan: &Arc<Self>, children: &[usize], range| {
            children.iter().map(|child| Box::new(Reader::new(scan, *child, range, descending)) as Blocks).collect::<Vec<_>>()
        };
        if children.len() <= CURSORS {
            return merge::merged(readers(self, children, self.range), &vgroups, self.input_types(), descending);
        }
        let mut slices = slices(self.range, children.len(), self.sample(children)?);
        if descending {
            slices.reverse();
        }
        let (scan, children) = (Arc::clone(self), children.to_vec());
        let merged = move |slice| {
            let merged = merge::merged(readers(&scan, &children, slice), &vgroups, scan.input_types(), descending);
            merged.unwrap_or_else(|error| Box::new(std::iter::once(Err(error))))
        };
        Ok(Box::new(slices.into_iter().flat_map(merged)))
    }

    /// How many rows some of the children have, and when.
    fn sample(&self, children: &[usize]) -> Result<Sample> {
        let mut sample = Sample::default();
        for child in children.iter().step_by(children.len().div_ceil(SAMPLED)) {
            sample.children += 1;
            for piece in self.pieces(*child, self.range, false)? {
                let piece = piece?;
                sample.add(piece.rows(), piece.range());
            }
        }
        Ok(sample)
    }

    /// Arrow types of the inputs.
    pub(crate) fn input_types(&self) -> Vec<arrow_schema::DataType> {
        let read = self.read.iter().zip(&self.plan.inputs);
        read.map(|(read, input)| if *read { arrow_type(&self.plan.relation.columns[*input]) } else { arrow_schema::DataType::Null }).collect()
    }
}

/// The Arrow type of a relation's column.
pub(crate) fn arrow_type(column: &Column) -> arrow_schema::DataType {
    embudo_types::arrow::arrow_type(column.data_type, column.precision)
}

/// What stands for a column that was not loaded.
pub(crate) fn nothing() -> ArrayRef {
    Arc::new(NullArray::new(0))
}

/// Ticks as a timestamp array.
pub(crate) fn timestamp_array(ticks: ScalarBuffer<i64>, precision: Precision) -> ArrayRef {
    match precision {
        Precision::Milli => Arc::new(PrimitiveArray::<TimestampMillisecondType>::new(ticks, None)),
        Precision::Micro => Arc::new(PrimitiveArray::<TimestampMicrosecondType>::new(ticks, None)),
        Precision::Nano => Arc::new(PrimitiveArray::<TimestampNanosecondType>::new(ticks, None)),
    }
}

/// Arrays of one child's tags, kept from block to block.
#[derive(Default)]
pub(crate) struct Constants {
    child: usize,
    arrays: Vec<Option<ArrayRef>>,
}

impl Constants {
    fn get(&mut self, input: usize, values: &ArrayRef, child: usize, rows: usize) -> Result<ArrayRef> {
        if self.child != child {
            self.child = child;
            self.arrays.clear();
        }
        if self.arrays.len() <= input {
            self.arrays.resize(input + 1, None);
        }
        if let Some(known) = &self.arrays[input]
            && known.len() >= rows
        {
            return Ok(known.slice(0, rows));
        }
        let array = repeat(values, child, rows)?;
        self.arrays[input] = Some(Arc::clone(&array));
        Ok(array)
    }
}

/// The blocks of one child.
pub(crate) struct Reader {
    scan: Arc<TableScan>,
    child: usize,
    range: TimeRange,
    descending: bool,
    pieces: Option<Scan>,
    constants: Constants,
    failed: bool,
}

impl Reader {
    /// Opens nothing before the first block is asked for.
    pub(crate) fn new(scan: &Arc<TableScan>, child: usize, range: TimeRange, descending: bool) -> Self {
        Self { scan: Arc::clone(scan), child, range, descending, pieces: None, constants: Constants::default(), failed: false }
    }

    fn block(&mut self) -> Result<Option<Block>> {
        if self.pieces.is_none() {
            self.pieces = Some(self.scan.pieces(self.child, self.range, self.descending)?);
        }
        while let Some(piece) = self.pieces.as_mut().and_then(Iterator::next) {
            if let Some(block) = self.scan.load(self.child, &piece?, &mut self.constants)? {
                return if self.descending { block.reversed().map(Some) } else { Ok(Some(block)) };
            }
        }
        Ok(None)
    }
}

impl Iterator for Reader {
    type Item = Result<Block>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let block = self.block();
        self.failed = block.is_err();
        block.transpose()
    }
}

/// The tables behind a name: a supertable's children, or one table as slot 0.
struct Tables<'a> {
    origin: &'a TableOrigin,
}

impl<'a> Tables<'a> {
    fn of(origin: &'a TableOrigin) -> Self {
        Self { origin }
    }

    fn children(&self) -> Option<&'a Children> {
        match &self.origin.kind {
            TableKind::Super(children) | TableKind::Child { children, .. } => Some(children),
            TableKind::Normal(_) => None,
        }
    }

    fn uid(&self, slot: u32) -> Uid {
        match &self.origin.kind {
            TableKind::Super(children) | TableKind::Child { children, .. } => children.uid(slot),
            TableKind::Normal(uid) => *uid,
        }
    }

    /// The vgroup that TDengine would have a table in.
    fn vgroup(&self, slot: u32) -> u32 {
        match &self.origin.kind {
            TableKind::Super(children) => vgroup_of(&self.origin.database, &children.name(slot), self.origin.vgroups),
            TableKind::Child { .. } | TableKind::Normal(_) => 0,
        }
    }

    /// Slots of the tables whose tags and name the filter lets through, in order of creation.
    fn qualifying(&self, plan: &SelectPlan) -> Result<Vec<u32>> {
        let mut slots = match &self.origin.kind {
            TableKind::Super(children) => children.slots().clone(),
            TableKind::Child { slot, .. } => RoaringBitmap::from_iter([*slot]),
            TableKind::Normal(_) => RoaringBitmap::from_iter([0]),
        };
        if let Some(children) = self.children() {
            for (tag, values) in &plan.filter.postings {
                let mut any = RoaringBitmap::new();
                for value in values {
                    any |= children.tag_equals(*tag, value);
                }
                slots &= any;
            }
        }
        let slots: Vec<u32> = slots.iter().collect();
        let Some(filter) = &plan.filter.table else { return Ok(slots) };
        let arrays = plan.filter.table_inputs.iter().map(|input| self.array(&plan.relation.columns[*input], &slots)).collect::<Result<Vec<_>>>()?;
        let condition = evaluate_condition(filter, &arrays, slots.len())?;
        Ok(match selected(&condition) {
            None => slots,
            Some(rows) => rows.iter().map(|row| slots[*row as usize]).collect(),
        })
    }

    /// A per-table column over tables.
    fn array(&self, column: &Column, slots: &[u32]) -> Result<ArrayRef> {
        match (&column.source, self.children()) {
            (ColumnSource::Tag(place), Some(children)) => Ok(children.tag_array(*place, slots)),
            (ColumnSource::TableName, Some(children)) => {
                let names: Vec<Arc<str>> = slots.iter().map(|slot| children.name(*slot)).collect();
                Ok(Arc::new(BinaryArray::from_iter_values(names.iter().map(|name| name.as_bytes()))))
            }
            (ColumnSource::TableName, None) => Ok(Arc::new(BinaryArray::from_iter_values(slots.iter().map(|_| self.origin.name.as_bytes())))),
            (ColumnSource::Constant(value), _) => array_of_values(&vec![value.clone(); slots.len()], column.data_type, column.precision),
            _ => Err(Error::internal(format!("column {} is not the same in all rows of a table", column.label))),
        }
    }
}
