//! Which columns a growing chunk has and where in its memory each lies: shared by all chunks of a memory table with the same columns.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::DataType as ArrowType;

use crate::cells::Layout;
use crate::rows::ColumnId;

/// Bytes of a run's entry: two u32.
pub(super) const RUN_BYTES: usize = 8;
/// Room for the first offset of a variable-width column, so that what follows stays aligned.
const FIRST_OFFSET: usize = 64;
/// Capacities are multiples of it, so that every column starts aligned for every type.
pub(super) const CAPACITY_STEP: usize = 64;

/// A column and its place.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: ColumnId,
    pub(super) data_type: ArrowType,
    pub(super) layout: Layout,
    /// Bytes of a row before it, and variable-width columns before it.
    before: (usize, usize),
}

/// The columns of a chunk, the composite key (if any) last.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ChunkLayout {
    pub(super) slots: Vec<Slot>,
    pub(super) has_key: bool,
    /// Bytes of a row in all, and variable-width columns.
    size: (usize, usize),
}

impl ChunkLayout {
    /// A layout of columns and perhaps a key.
    pub(super) fn new(columns: impl Iterator<Item = (ColumnId, ArrowType)>, key: Option<&ArrowType>) -> Self {
        // Runs and timestamps come first.
        let mut size = (RUN_BYTES + 8, 0);
        let slot = |(id, data_type): (ColumnId, ArrowType)| {
            let (layout, before) = (Layout::of(&data_type), size);
            match layout {
                Layout::Bits => size.0 += 1,
                Layout::Fixed(width) => size.0 += width,
                Layout::Variable => size = (size.0 + 4, size.1 + 1),
            }
            Slot { id, data_type, layout, before }
        };
        let slots = columns.chain(key.map(|key| (0, key.clone()))).map(slot).collect();
        Self { slots, has_key: key.is_some(), size }
    }

    /// Bytes of a chunk's memory.
    pub(super) fn bytes(&self, capacity: usize) -> usize {
        self.size.0 * capacity + self.size.1 * FIRST_OFFSET
    }

    /// Where timestamps begin; runs are before them.
    #[expect(clippy::unused_self, reason = "where things lie is said here")]
    pub(super) fn timestamps(&self, capacity: usize) -> usize {
        RUN_BYTES * capacity
    }

    /// Whether a column has cells of variable width.
    pub(super) fn has_variable(&self) -> bool {
        self.size.1 > 0
    }

    /// The columns without the key.
    pub(super) fn columns(&self) -> &[Slot] {
        &self.slots[..self.slots.len() - usize::from(self.has_key)]
    }

    /// Place of the key among the slots.
    pub(super) fn key(&self) -> Option<usize> {
        self.has_key.then(|| self.slots.len() - 1)
    }
}

impl Slot {
    /// Where the column begins in a chunk's memory.
    pub(super) fn offset(&self, capacity: usize) -> usize {
        self.before.0 * capacity + self.before.1 * FIRST_OFFSET
    }

    /// Where the values of the first `rows` rows lie: one byte a BOOL; offsets, one more than rows, of variable-width cells.
    pub(super) fn values(&self, capacity: usize, rows: usize) -> Range<usize> {
        let start = self.offset(capacity);
        match self.layout {
            Layout::Bits => start..start + rows,
            Layout::Fixed(width) => start..start + rows * width,
            Layout::Variable => start..start + (rows + 1) * 4,
        }
    }
}

/// The layouts of a memory table: few, so that chunks can be told apart by them at no cost.
#[derive(Default)]
pub(super) struct Layouts {
    known: Mutex<Vec<Arc<ChunkLayout>>>,
}

impl Layouts {
    /// The one layout that is equal.
    pub(super) fn get(&self, layout: ChunkLayout) -> Arc<ChunkLayout> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = known.iter().find(|known| ***known == layout) {
            return found.clone();
        }
        let layout = Arc::new(layout);
        known.push(layout.clone());
        layout
    }
}
