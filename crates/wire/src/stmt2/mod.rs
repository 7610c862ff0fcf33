//! What a prepared statement's parameters travel in: stmt2's bind payloads (spec/protocols.md 3.7). Both ways, so that our client and our
//! server share one description. A decoder takes any bytes; every refusal says which table and column.
//!
//! A cell has three states: value, NULL, and *unset* (`is_null` = 2), which leaves what the row already has.

mod column;
mod payload;

use arrow_array::ArrayRef;
use arrow_buffer::BooleanBuffer;
use embudo_types::{DataType, Error, code};

pub use payload::{ColumnPayload, decode, decode_columns, encode, encode_columns};

/// One bound column or tag.
#[derive(Clone, Debug)]
pub struct BoundColumn {
    /// The type that the client binds with; lengths of variable types are those of the longest value.
    pub data_type: DataType,
    /// One cell a row, in the type that `types::arrow::arrow_type` gives; DECIMAL comes as its text.
    pub array: ArrayRef,
    /// Which cells are set; `None`: all of them.
    pub present: Option<BooleanBuffer>,
}

/// What is bound for one table.
#[derive(Clone, Debug, Default)]
pub struct TableBind {
    /// The table, where the statement leaves it open.
    pub name: Option<String>,
    /// One cell each; empty where the statement binds no tags.
    pub tags: Vec<BoundColumn>,
    /// Equally many cells each.
    pub columns: Vec<BoundColumn>,
}

fn refused(what: impl std::fmt::Display) -> Error {
    Error::with(code::UNCLASSIFIED, what.to_string())
}

#[cfg(test)]
mod tests;
