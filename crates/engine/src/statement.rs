//! Prepared statements: parsed once, bound many times.

use arrow_array::ArrayRef;
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Value, code};

/// What a `?` of an INSERT stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct StatementField {
    /// Column or tag; `tbname` for the table's name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Precision of a timestamp.
    pub precision: Precision,
    /// Whether it is a tag.
    pub tag: bool,
}

/// A prepared statement. `INSERT INTO ? [USING s TAGS(?, …)] [(columns)] VALUES(?, …)` takes a table name, tags and columns of cells, any
/// other statement its parameters.
#[derive(Debug)]
pub struct Statement {
    _private: (),
}

impl Statement {
    /// Whether this is INSERT … VALUES.
    pub fn is_insert(&self) -> bool {
        false
    }

    /// How many `?` there are.
    pub fn parameter_count(&self) -> usize {
        0
    }

    /// What the `?` of VALUES stand for; of an INSERT whose table is `?`, after [`set_table`](Self::set_table).
    pub fn columns(&self) -> Result<Vec<StatementField>> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// What the `?` of TAGS stand for.
    pub fn tags(&self) -> Result<Vec<StatementField>> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Names the table of `INSERT INTO ?`: `[database.]table`.
    pub fn set_table(&mut self, name: &str) -> Result<()> {
        let _ = name;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Gives the values of TAGS(?, …) for the table that is set.
    pub fn set_tags(&mut self, tags: &[Value]) -> Result<()> {
        let _ = tags;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Adds rows: one array for each `?` of VALUES, all of the same length, of the type that [`columns`](Self::columns) gives or one
    /// that converts to it.
    pub fn bind(&mut self, columns: &[ArrayRef]) -> Result<()> {
        let _ = columns;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Writes the rows that were bound since the last time as one atomic record, and returns how many.
    pub fn execute(&mut self) -> Result<u64> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Runs a statement that is not INSERT … VALUES.
    pub fn query(&self, parameters: &[Value]) -> Result<ResultSet> {
        let _ = parameters;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }
}
