//! Columns that follow the row a selector picked: `SELECT MAX(v), ts`.

use arrow_array::ArrayRef;
use embudo_types::{DataType, Precision, Result, Value};

use crate::datum::{array_of_values, value_at};

/// Types of companion columns.
pub(super) type Types = [(DataType, Precision)];

/// Per group the companions of the picked row.
pub(super) struct Companions {
    types: Vec<(DataType, Precision)>,
    /// One run of `types.len()` cells a group.
    cells: Vec<Value>,
}

impl Companions {
    /// Companions of these types.
    pub(super) fn new(types: &Types) -> Self {
        Self { types: types.to_vec(), cells: Vec::new() }
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.types.is_empty()
    }

    /// Room for groups.
    pub(super) fn resize(&mut self, groups: usize) {
        self.cells.resize(self.cells.len().max(groups * self.types.len()), Value::Null);
    }

    /// Takes the cells of a row.
    pub(super) fn pick(&mut self, group: usize, columns: &[ArrayRef], row: usize) {
        let cells = &mut self.cells[group * self.types.len()..][..self.types.len()];
        for ((cell, column), (data_type, _)) in cells.iter_mut().zip(columns).zip(&self.types) {
            *cell = value_at(column, *data_type, row);
        }
    }

    /// Takes the cells of another state's group.
    pub(super) fn take(&mut self, group: usize, other: &mut Self, other_group: usize) {
        let width = self.types.len();
        self.cells[group * width..][..width].swap_with_slice(&mut other.cells[other_group * width..][..width]);
    }

    /// The columns, one cell a group.
    pub(super) fn finish(&mut self) -> Result<Vec<ArrayRef>> {
        let width = self.types.len();
        let cells = std::mem::take(&mut self.cells);
        let column = |(at, &(data_type, precision)): (usize, &(DataType, Precision))| {
            let values: Vec<Value> = cells.iter().skip(at).step_by(width).cloned().collect();
            array_of_values(&values, data_type, precision)
        };
        self.types.iter().enumerate().map(column).collect()
    }
}

/// The cells of a row.
pub(super) fn cells_of(columns: &[ArrayRef], types: &Types, row: usize) -> Vec<Value> {
    columns.iter().zip(types).map(|(column, (data_type, _))| value_at(column, *data_type, row)).collect()
}

/// The columns of rows of cells.
pub(super) fn columns_of(rows: &[Vec<Value>], types: &Types) -> Result<Vec<ArrayRef>> {
    let column = |(at, &(data_type, precision)): (usize, &(DataType, Precision))| {
        let values: Vec<Value> = rows.iter().map(|row| row.get(at).cloned().unwrap_or_default()).collect();
        array_of_values(&values, data_type, precision)
    };
    types.iter().enumerate().map(column).collect()
}
