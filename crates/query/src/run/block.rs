//! What operators hand each other.

use arrow_array::{Array, ArrayRef, BooleanArray, cast::AsArray};
use arrow_buffer::ScalarBuffer;
use embudo_expr::BoundExpr;
use embudo_types::{Error, Result};

use crate::array::{concat, selected, take_all};

/// Rows of one source, column by input.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// How many.
    pub rows: usize,
    /// Their primary timestamps; empty where the source has none.
    pub timestamps: ScalarBuffer<i64>,
    /// Cells.
    pub columns: Vec<ArrayRef>,
}

impl Block {
    /// The rows named.
    pub(crate) fn take(&self, rows: &[u32]) -> Result<Self> {
        let timestamps =
            if self.timestamps.is_empty() { ScalarBuffer::from(Vec::new()) } else { rows.iter().map(|row| self.timestamps[*row as usize]).collect() };
        Ok(Self { rows: rows.len(), timestamps, columns: take_all(&self.columns, rows)? })
    }

    /// Some rows.
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Self {
        let timestamps = if self.timestamps.is_empty() { self.timestamps.clone() } else { self.timestamps.slice(start, rows) };
        Self { rows, timestamps, columns: self.columns.iter().map(|column| column.slice(start, rows)).collect() }
    }

    /// These rows and then the other block's.
    pub(crate) fn followed_by(&self, other: &Self) -> Result<Self> {
        let pairs = self.columns.iter().zip(&other.columns);
        let columns = pairs.map(|(first, second)| concat(&[ArrayRef::clone(first), ArrayRef::clone(second)], second.data_type())).collect::<Result<_>>()?;
        let timestamps: Vec<i64> = self.timestamps.iter().chain(other.timestamps.iter()).copied().collect();
        Ok(Self { rows: self.rows + other.rows, timestamps: timestamps.into(), columns })
    }

    /// The same rows from the last to the first.
    pub(crate) fn reversed(&self) -> Result<Self> {
        let rows: Vec<u32> = (0..self.rows as u32).rev().collect();
        self.take(&rows)
    }

    /// The rows for which a condition is true; `None` where there is none.
    pub(crate) fn filtered(self, condition: Option<&BoundExpr>) -> Result<Option<Self>> {
        let Some(condition) = condition else { return Ok((self.rows > 0).then_some(self)) };
        match selected(&evaluate_condition(condition, &self.columns, self.rows)?) {
            None => Ok((self.rows > 0).then_some(self)),
            Some(rows) if rows.is_empty() => Ok(None),
            Some(rows) => self.take(&rows).map(Some),
        }
    }
}

/// A condition in each row; what is no BOOL counts as true where it is not zero.
pub(crate) fn evaluate_condition(condition: &BoundExpr, columns: &[ArrayRef], rows: usize) -> Result<BooleanArray> {
    let array = condition.evaluate(columns, rows)?;
    match array.as_boolean_opt() {
        Some(array) => Ok(array.clone()),
        None if array.null_count() == array.len() => Ok(BooleanArray::from(vec![false; rows])),
        None => Err(Error::internal("a condition that is no BOOL")),
    }
}

/// Blocks of one source.
pub(crate) type Blocks = Box<dyn Iterator<Item = Result<Block>> + Send>;

/// Rows on their way out, column by stage column or item.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    /// How many.
    pub rows: usize,
    /// Cells.
    pub columns: Vec<ArrayRef>,
    /// The group of each row, where LIMIT, SLIMIT or FILL count by groups; equal numbers are neighbours.
    pub groups: Option<Vec<u32>>,
}

impl Batch {
    /// Some rows.
    pub(crate) fn slice(&self, start: usize, rows: usize) -> Self {
        let columns = self.columns.iter().map(|column| column.slice(start, rows)).collect();
        Self { rows, columns, groups: self.groups.as_ref().map(|groups| groups[start..start + rows].to_vec()) }
    }

    /// The rows named.
    pub(crate) fn take(&self, rows: &[u32]) -> Result<Self> {
        let groups = self.groups.as_ref().map(|groups| rows.iter().map(|row| groups[*row as usize]).collect());
        Ok(Self { rows: rows.len(), columns: take_all(&self.columns, rows)?, groups })
    }
}

/// Batches in order.
pub(crate) type Batches = Box<dyn Iterator<Item = Result<Batch>> + Send>;

/// No batches.
pub(crate) fn none() -> Batches {
    Box::new(std::iter::empty())
}
