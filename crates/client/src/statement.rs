//! Prepared statements on every transport, and what all of them do with bound columns before they travel.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Decimal128Array, Int64Array, PrimitiveArray, StringArray, cast::AsArray, types::TimestampMillisecondType};
use arrow_schema::DataType as ArrowType;
use embudo_types::{DataType, Error, FieldRole, Precision, Result, ResultSet, StatementField, Zone, arrow, code};
pub use embudo_wire::stmt2::{BoundColumn, TableBind};

use crate::ingest::{Column, convert};

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

/// Columns as their fields want them.
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
        (DataType::Decimal(digits, scale), ArrowType::Utf8) => decimals(&field.name, array.as_string(), digits, scale)?,
        (DataType::Timestamp, ArrowType::Int64) => ticks(&array, field.precision)?,
        (data_type, _) if is_text && data_type.is_variable() => array,
        _ => convert(&field.name, &Column::Array(Arc::clone(&array)), field.data_type, field.precision, array.len(), false, zone)?,
    };
    Ok(BoundColumn { data_type: field.data_type, array, present })
}

/// Texts as decimals; digits that a column does not have are rounded half away from zero.
fn decimals(name: &str, texts: &StringArray, digits: u8, scale: u8) -> Result<ArrayRef> {
    let refused = |text: &str| Error::with(code::OUT_OF_RANGE, format!("column {name}, value {text}: does not fit DECIMAL({digits},{scale})"));
    let cells = texts.iter().map(|text| text.map(|text| decimal(text, digits, scale).ok_or_else(|| refused(text))).transpose());
    let array = Decimal128Array::from(cells.collect::<Result<Vec<_>>>()?).with_precision_and_scale(digits, scale as i8);
    Ok(Arc::new(array.map_err(Error::internal)?))
}

fn decimal(text: &str, digits: u8, scale: u8) -> Option<i128> {
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() + fraction.len() == 0 || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let places = usize::from(scale);
    let mut value = 0_i128;
    for digit in whole.bytes().chain(fraction.bytes().chain(std::iter::repeat(b'0')).take(places)) {
        value = value.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    if fraction.as_bytes().get(places).is_some_and(|digit| *digit >= b'5') {
        value += 1;
    }
    (value < 10_i128.pow(u32::from(digits))).then_some(if negative { -value } else { value })
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

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, types::TimestampMicrosecondType};

    use super::*;

    #[test]
    fn texts_as_decimals() {
        for (text, digits, scale, value) in [
            ("0.995", 10, 2, Some(100)),
            ("-0.994", 10, 2, Some(-99)),
            ("-1.005", 10, 2, Some(-101)),
            ("12", 4, 2, Some(1_200)),
            ("+.5", 4, 1, Some(5)),
            ("99.999", 4, 2, None),
            ("100", 4, 2, None),
            ("1e3", 10, 0, None),
            ("", 10, 0, None),
            (".", 10, 0, None),
            ("99999999999999999999999999999999999999", 38, 0, Some(10_i128.pow(38) - 1)),
        ] {
            assert_eq!(decimal(text, digits, scale), value, "{text}");
        }
    }

    fn field(name: &str, data_type: DataType, role: FieldRole) -> StatementField {
        StatementField { name: name.into(), data_type, precision: Precision::Micro, role }
    }

    fn column(data_type: DataType, array: ArrayRef) -> BoundColumn {
        BoundColumn { data_type, array, present: None }
    }

    #[test]
    fn rows_that_name_the_same_table_go_together() {
        let fields = [
            field("tbname", DataType::Varchar(192), FieldRole::Table),
            field("t", DataType::Int, FieldRole::Tag),
            field("v", DataType::Int, FieldRole::Column),
        ];
        let columns = [
            column(DataType::Varchar(0), Arc::new(StringArray::from(vec!["a", "a", "b"]))),
            column(DataType::Int, Arc::new(Int32Array::from(vec![1, 1, 2]))),
            column(DataType::Int, Arc::new(Int32Array::from(vec![5, 6, 7]))),
        ];
        let binds = tables(&fields, &columns).unwrap();
        let shape: Vec<_> = binds.iter().map(|bind| (bind.name.as_deref(), bind.tags[0].array.len(), bind.columns[0].array.len())).collect();
        assert_eq!(shape, [(Some("a"), 1, 2), (Some("b"), 1, 1)]);
        assert!(tables(&fields, &columns[..2]).is_err());
        let nameless = column(DataType::Varchar(0), Arc::new(StringArray::from(vec![Some("a"), None, Some("")])));
        assert!(tables(&fields, &[nameless, columns[1].clone(), columns[2].clone()]).is_err());
    }

    #[test]
    fn integers_are_ticks_and_instants_move() {
        let time = field("ts", DataType::Timestamp, FieldRole::Column);
        let micros = |array: ArrayRef| {
            let made = fit(&time, column(DataType::Timestamp, array), &Zone::utc()).unwrap();
            made.array.as_primitive::<TimestampMicrosecondType>().value(0)
        };
        assert_eq!(micros(Arc::new(Int64Array::from(vec![7]))), 7);
        assert_eq!(micros(Arc::new(PrimitiveArray::<TimestampMillisecondType>::from(vec![7]))), 7_000);
    }
}
