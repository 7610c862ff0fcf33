//! Prepared statements on every transport, and what all of them do with bound columns before they travel.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int64Array, PrimitiveArray, StringArray, cast::AsArray, types::TimestampMillisecondType};
use arrow_schema::DataType as ArrowType;
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Zone, arrow, code};
pub use embudo_wire::stmt2::{BoundColumn, TableBind};

use crate::ingest::{Column, convert};

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

/// What a field of a statement is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldRole {
    /// The name of the table.
    Table,
    /// A tag of the table.
    Tag,
    /// A column of its rows.
    Column,
}

/// A statement that is parsed once and bound many times.
///
/// Columns are Arrow arrays. Their type is the field's, or one that converts to it without loss: texts and bytes of every Arrow kind,
/// integers of other widths, texts for DECIMAL and GEOMETRY. Times as `Int64` are ticks of the database's precision; as Arrow
/// timestamps they are instants.
pub trait Statement: Send {
    /// Whether this is INSERT … VALUES.
    fn is_insert(&self) -> bool;

    /// How many `?` there are.
    fn parameter_count(&mut self) -> Result<usize>;

    /// What every `?` of an INSERT stands for, in the order of the statement: 0x022B where its table is `?`, without USING, and not named yet;
    /// 0x022A for other statements.
    fn fields(&mut self) -> Result<Vec<StatementField>>;

    /// Names the table of `INSERT INTO ?`.
    fn set_table(&mut self, name: &str) -> Result<()>;

    /// Adds rows of one or several tables. A table without a name is the one written in the statement, or named last. When anything of
    /// a call is refused, all rows that were bound and not yet written are forgotten.
    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()>;

    /// Adds rows: one column for every `?` of the statement in its order, the tables' names among them, all of the same length. Rows that
    /// follow each other and name the same table go to it together, with the tags of the first of them.
    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()>;

    /// Writes the rows that were bound since the last time, and returns how many.
    fn execute(&mut self) -> Result<u64>;

    /// Runs a statement that is not INSERT … VALUES with one cell for every `?`.
    fn query(&mut self, parameters: Vec<BoundColumn>) -> Result<ResultSet>;
}

/// 0x0118: not one value for each `?`.
pub(crate) fn wrong_count() -> Error {
    Error::with(code::INVALID_PARAMETERS, "Invalid parameters: one value is needed for each ?")
}

/// Columns as their fields want them. DECIMAL stays text where it comes as text.
pub(crate) fn fitted<'a>(fields: impl Iterator<Item = &'a StatementField>, columns: Vec<BoundColumn>, zone: &Zone) -> Result<Vec<BoundColumn>> {
    let fields: Vec<&StatementField> = fields.collect();
    if fields.len() != columns.len() {
        return Err(wrong_count());
    }
    fields.into_iter().zip(columns).map(|(field, column)| fit(field, column, zone)).collect()
}

fn fit(field: &StatementField, column: BoundColumn, zone: &Zone) -> Result<BoundColumn> {
    let BoundColumn { data_type: _, array, present } = column;
    let is_text = matches!(array.data_type(), ArrowType::Utf8 | ArrowType::Binary);
    let wanted = arrow::arrow_type(field.data_type, field.precision);
    let array = match (field.data_type, array.data_type()) {
        (_, from) if *from == wanted => array,
        (DataType::Decimal(..), ArrowType::Utf8) => array,
        (DataType::Timestamp, ArrowType::Int64) => ticks(&array, field.precision)?,
        (data_type, _) if is_text && data_type.is_variable() => array,
        _ => convert(&field.name, &Column::Array(Arc::clone(&array)), field.data_type, field.precision, array.len(), false, zone)?,
    };
    Ok(BoundColumn { data_type: field.data_type, array, present })
}

/// Ticks as timestamps of this precision.
fn ticks(array: &ArrayRef, precision: Precision) -> Result<ArrayRef> {
    let data = array.to_data().into_builder().data_type(arrow::arrow_type(DataType::Timestamp, precision)).build();
    data.map(arrow_array::make_array).map_err(|error| Error::internal(format!("ticks as timestamps: {error}")))
}

/// A cell that is a parameter of a query: times as ticks, texts as texts.
pub(crate) fn parameter(column: BoundColumn) -> Result<BoundColumn> {
    let BoundColumn { data_type, array, present } = column;
    if array.is_empty() {
        return Err(wrong_count());
    }
    let array: ArrayRef = match array.data_type() {
        ArrowType::Timestamp(..) => plain_ticks(&array),
        ArrowType::Binary if data_type.is_text() => {
            let texts = array.as_binary::<i32>().iter().map(|cell| cell.map(std::str::from_utf8).transpose());
            match texts.collect::<std::result::Result<StringArray, _>>() {
                Ok(texts) => Arc::new(texts),
                Err(_) => array,
            }
        }
        _ => array,
    };
    Ok(BoundColumn { data_type, array, present })
}

/// Timestamps as their ticks, whatever their unit.
pub(crate) fn plain_ticks(array: &ArrayRef) -> ArrayRef {
    match array.to_data().into_builder().data_type(ArrowType::Int64).build() {
        Ok(data) => Arc::new(Int64Array::from(data)),
        // Timestamps of every unit lie in memory like integers.
        Err(_) => Arc::clone(array),
    }
}

/// A timestamp parameter in the form that servers take.
pub(crate) fn timestamp_parameter(column: BoundColumn) -> BoundColumn {
    match (column.data_type, column.array.as_primitive_opt::<arrow_array::types::Int64Type>()) {
        (DataType::Timestamp, Some(ticks)) => {
            let array = PrimitiveArray::<TimestampMillisecondType>::new(ticks.values().clone(), ticks.nulls().cloned());
            BoundColumn { array: Arc::new(array), ..column }
        }
        _ => column,
    }
}

/// The tables of columns that stand for every `?`: rows that follow each other and name the same table go together.
pub(crate) fn tables(fields: &[StatementField], columns: &[BoundColumn]) -> Result<Vec<TableBind>> {
    if fields.len() != columns.len() {
        return Err(wrong_count());
    }
    let rows = columns.first().map_or(0, |column| column.array.len());
    if columns.iter().any(|column| column.array.len() != rows) {
        return Err(Error::with(code::INVALID_PARAMETERS, "columns of different lengths"));
    }
    let names = fields.iter().zip(columns).find(|(field, _)| field.role == FieldRole::Table).map(|(_, column)| names(&column.array)).transpose()?;
    let part = |role: FieldRole, start: usize, count: usize| -> Vec<BoundColumn> {
        let of_role = fields.iter().zip(columns).filter(|(field, _)| field.role == role);
        let cut = |column: &BoundColumn| BoundColumn {
            data_type: column.data_type,
            array: column.array.slice(start, count),
            present: column.present.as_ref().map(|present| present.slice(start, count)),
        };
        of_role.map(|(_, column)| cut(column)).collect()
    };
    let (mut binds, mut start) = (Vec::new(), 0);
    while start < rows {
        let end = match &names {
            Some(names) => (start + 1..rows).find(|row| names[*row] != names[start]).unwrap_or(rows),
            None => rows,
        };
        let name = names.as_ref().map(|names| names[start].clone());
        binds.push(TableBind { name, tags: part(FieldRole::Tag, start, 1), columns: part(FieldRole::Column, start, end - start) });
        start = end;
    }
    Ok(binds)
}

fn names(array: &ArrayRef) -> Result<Vec<String>> {
    let missing = || Error::with(code::INVALID_OPERATION, "tbname can not be null or empty");
    if let Some(texts) = array.as_string_opt::<i32>() {
        return texts.iter().map(|name| name.filter(|name| !name.is_empty()).map(str::to_owned).ok_or_else(missing)).collect();
    }
    let bytes = array.as_binary_opt::<i32>().ok_or_else(|| Error::with(code::INVALID_PARAMETERS, "table names are text"))?;
    let text = |name: &[u8]| String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty());
    bytes.iter().map(|name| name.and_then(text).ok_or_else(missing)).collect()
}
