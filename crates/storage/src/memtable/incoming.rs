//! Rows on their way into chunks: their cells taken out of Arrow arrays once, and matched with a layout once, for all tables that they go to.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};

use super::chunk_layout::ChunkLayout;
use crate::cells::{Layout, fixed_values, variable_values};
use crate::rows::ColumnBatch;

/// The cells of a column as they lie in memory.
#[derive(Clone, Copy)]
pub(super) enum Cells<'a> {
    Bits(&'a BooleanArray),
    /// Values, and bytes of each.
    Fixed(&'a [u8], usize),
    /// Offsets into bytes.
    Variable(&'a [i32], &'a [u8]),
}

/// A column of the rows.
pub(super) struct IncomingColumn<'a> {
    pub(super) cells: Cells<'a>,
    /// Which cells are values, `None`: all that are present.
    pub(super) nulls: Option<&'a NullBuffer>,
    /// Which cells are there, `None`: all.
    pub(super) present: Option<&'a BooleanBuffer>,
}

/// Rows, the composite key (if any) behind the columns.
pub(super) struct Incoming<'a> {
    pub(super) batch: &'a ColumnBatch,
    pub(super) columns: Vec<IncomingColumn<'a>>,
    matched: Option<Matched>,
}

/// How the rows stand to a layout.
struct Matched {
    layout: Arc<ChunkLayout>,
    /// For each slot the column that goes there; `None`: no row has it.
    places: Option<Vec<Option<usize>>>,
}

impl<'a> Incoming<'a> {
    /// The rows of a checked batch.
    pub(super) fn new(batch: &'a ColumnBatch) -> Self {
        let arrays = batch.columns.iter().map(|column| (&*column.array, column.present.as_ref())).chain(batch.key.iter().map(|key| (&**key, None)));
        let columns = arrays.map(|(array, present)| IncomingColumn { cells: Cells::of(array), nulls: nulls_of(array), present });
        Self { batch, columns: columns.collect(), matched: None }
    }

    /// For each slot of the layout the column that goes there; nothing if a column, a type or the key has no place in it.
    pub(super) fn places(&mut self, layout: &Arc<ChunkLayout>) -> Option<&[Option<usize>]> {
        if self.matched.as_ref().is_none_or(|matched| !Arc::ptr_eq(&matched.layout, layout)) {
            self.matched = Some(Matched { layout: layout.clone(), places: places(self.batch, layout) });
        }
        self.matched.as_ref()?.places.as_deref()
    }

    /// What [`places`](Self::places) gave last, with the columns; nothing if it gave nothing.
    pub(super) fn matched(&self) -> (&[Option<usize>], &[IncomingColumn<'a>]) {
        (self.matched.as_ref().and_then(|matched| matched.places.as_deref()).unwrap_or_default(), &self.columns)
    }
}

fn nulls_of(array: &dyn Array) -> Option<&NullBuffer> {
    array.nulls().filter(|nulls| nulls.null_count() > 0)
}

fn places(batch: &ColumnBatch, layout: &ChunkLayout) -> Option<Vec<Option<usize>>> {
    let key = layout.key().map(|key| &layout.slots[key].data_type);
    if batch.key.as_ref().map(Array::data_type) != key {
        return None;
    }
    let mut found = 0;
    let mut places: Vec<Option<usize>> = Vec::with_capacity(layout.slots.len());
    for slot in layout.columns() {
        let at = batch.columns.iter().position(|column| column.id == slot.id);
        if let Some(at) = at {
            if *batch.columns[at].array.data_type() != slot.data_type {
                return None;
            }
            found += 1;
        }
        places.push(at);
    }
    places.extend(key.map(|_| Some(batch.columns.len())));
    (found == batch.columns.len()).then_some(places)
}

impl<'a> Cells<'a> {
    fn of(array: &'a dyn Array) -> Self {
        const NONE: Cells<'_> = Cells::Fixed(&[], 0);
        // The types were checked: an array of another kind than its type says does not come here.
        match Layout::of(array.data_type()) {
            Layout::Bits => array.as_boolean_opt().map_or(NONE, Cells::Bits),
            Layout::Fixed(width) => fixed_values(array).map_or(NONE, |values| Cells::Fixed(values.as_slice(), width)),
            Layout::Variable => variable_values(array).map_or(NONE, |(offsets, bytes)| Cells::Variable(offsets, bytes)),
        }
    }

    /// Bytes of the variable-width cells of some rows; 0 for other layouts.
    pub(super) fn variable_size(self, rows: &Range<usize>) -> usize {
        match self {
            Self::Variable(offsets, _) => (offsets[rows.end] - offsets[rows.start]) as usize,
            Self::Bits(_) | Self::Fixed(..) => 0,
        }
    }
}
