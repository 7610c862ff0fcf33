//! What the `?` of a prepared statement stand for, the same in the engine and on every transport.

use crate::{DataType, Precision};

/// What a `?` of an INSERT stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementField {
    /// Column or tag; `tbname` for the table's name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Precision of a timestamp.
    pub precision: Precision,
    /// Which of the three.
    pub role: FieldRole,
}

/// What a field of a statement is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// The name of the table.
    Table,
    /// A tag of the table.
    Tag,
    /// A column of its rows.
    Column,
}
