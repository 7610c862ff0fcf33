//! Columns of data into tables: the target is looked up, made or widened; every value is checked against its column; then all
//! is written. Nothing is written when a value does not fit.

mod convert;
mod target;

use std::{collections::HashSet, sync::Arc};

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{DataType as ArrowType, Field, Schema};
use embudo_types::{DataType, Error, Precision, Result, Value, Zone, arrow, code};

use crate::Driver;
pub use convert::Column;
pub(crate) use convert::{column_of_rows, convert};
use target::Target;
pub(crate) use target::{describe, precision};

/// Rows written together as one atomic record.
const BATCH_ROWS: usize = 65_536;

/// What to write where.
#[derive(Clone, Debug)]
pub struct Ingest {
    /// `[database.]name` of a table or supertable.
    pub target: String,
    /// The column of data with the rows' times.
    pub time: String,
    /// The columns of data that are tags; with them the target is a supertable.
    pub tags: Vec<String>,
    /// A column of data, or a pattern such as `d{groupid}`, that names the children.
    pub table: Option<String>,
    /// Makes the target, or adds columns it lacks.
    pub create: bool,
    /// Cuts text that is longer than its column.
    pub truncate: bool,
    /// Reads times without a zone.
    pub zone: Zone,
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ingested {
    /// Rows.
    pub rows: u64,
    /// Tables that got some.
    pub tables: u64,
}

/// Writes `columns`, each of `rows` rows. `progress` is told the rows written and the rows in all, and may end the call.
pub fn ingest(
    driver: &dyn Driver,
    what: &Ingest,
    columns: &[(String, Column)],
    rows: usize,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<Ingested> {
    for (name, column) in columns {
        if column.rows().is_some_and(|found| found != rows) {
            return Err(invalid(format!("column {name} has {} rows where others have {rows}", column.rows().unwrap_or(0))));
        }
    }
    let find = |name: &str| columns.iter().position(|column| column.0.eq_ignore_ascii_case(name));
    let Some(time) = find(&what.time) else { return Err(invalid(format!("the data have no time column {}; time= names it", what.time))) };
    let tags = what.tags.iter().map(|tag| find(tag).ok_or_else(|| invalid(format!("the data have no tag column {tag}")))).collect::<Result<HashSet<_>>>()?;
    let names = Names::of(what, columns)?;
    let used_as_name = match &names {
        Some(Names::Column(place)) if !tags.contains(place) => Some(*place),
        _ => None,
    };
    if rows == 0 {
        return Ok(Ingested::default());
    }
    let wanted: Vec<target::Wanted<'_>> = columns
        .iter()
        .enumerate()
        .filter(|(place, _)| Some(*place) != used_as_name)
        .map(|(place, (name, column))| target::Wanted { name, place, column, is_tag: tags.contains(&place), is_time: place == time })
        .collect();
    let target = Target::prepare(driver, what, &wanted)?;
    if names.is_none() && target.is_supertable {
        return Err(invalid(format!("{} is a supertable: table= must name the children, by a column or a pattern such as \"d{{groupid}}\"", what.target)));
    }

    let (mut fields, mut arrays) = (Vec::new(), Vec::<ArrayRef>::new());
    let mut tables = 1;
    if let Some(names) = &names {
        let (array, distinct) = names.array(columns, rows)?;
        tables = distinct;
        fields.push(arrow::field("tbname", DataType::Varchar(192), Precision::Milli).with_data_type(ArrowType::Utf8));
        arrays.push(Arc::new(array));
    }
    for wanted in &wanted {
        let column = target.column(wanted.stored_name(&target))?;
        let array = convert(wanted.name, wanted.column, column.data_type, target.precision, rows, what.truncate, &what.zone)?;
        if wanted.is_time && array.null_count() > 0 {
            let row = (0..rows).find(|&row| array.is_null(row)).unwrap_or(0);
            return Err(Error::with(code::OUT_OF_RANGE, format!("row {row}, column {}: a row's time cannot be NULL", wanted.name)));
        }
        fields.push(arrow::field(&column.name, column.data_type, target.precision));
        arrays.push(array);
    }
    // The time goes first, as in every table.
    let first = usize::from(names.is_some());
    let at = fields.iter().position(|field: &Field| field.name() == &target.columns[0].name).unwrap_or(first);
    fields[first..=at].rotate_right(1);
    arrays[first..=at].rotate_right(1);
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(Error::internal)?;

    let mut pieces = (0..rows).step_by(BATCH_ROWS).map(|start| {
        progress(start as u64, rows as u64)?;
        Ok(batch.slice(start, BATCH_ROWS.min(rows - start)))
    });
    let written = driver.insert(&what.target, &mut pieces)?;
    drop(pieces);
    progress(rows as u64, rows as u64)?;
    Ok(Ingested { rows: written, tables })
}

/// Where the children's names come from.
enum Names {
    Constant(String),
    Column(usize),
    /// Texts and columns in turn.
    Pattern(Vec<Part>),
}

enum Part {
    Text(String),
    Column(usize),
}

impl Names {
    fn of(what: &Ingest, columns: &[(String, Column)]) -> Result<Option<Self>> {
        let find = |name: &str| columns.iter().position(|column| column.0.eq_ignore_ascii_case(name));
        let Some(table) = &what.table else { return Ok(find("tbname").map(Self::Column)) };
        if let Some(place) = find(table) {
            return Ok(Some(Self::Column(place)));
        }
        if !table.contains('{') {
            return Ok(Some(Self::Constant(table.clone())));
        }
        let (mut parts, mut rest) = (Vec::new(), table.as_str());
        while let Some((text, after)) = rest.split_once('{') {
            let (name, after) = after.split_once('}').ok_or_else(|| invalid(format!("the pattern {table} has '{{' without '}}'")))?;
            let place = find(name).ok_or_else(|| invalid(format!("the pattern {table} names {name}, which the data have not")))?;
            parts.push(Part::Text(text.to_owned()));
            parts.push(Part::Column(place));
            rest = after;
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Some(Self::Pattern(parts)))
    }

    /// A name a row, and how many different ones there are.
    fn array(&self, columns: &[(String, Column)], rows: usize) -> Result<(StringArray, u64)> {
        if let Self::Constant(name) = self {
            return Ok((StringArray::from_iter_values(std::iter::repeat_n(name, rows)), 1));
        }
        let sources: Vec<usize> = match self {
            Self::Constant(_) => Vec::new(),
            Self::Column(place) => vec![*place],
            Self::Pattern(parts) => parts.iter().filter_map(|part| if let Part::Column(place) = part { Some(*place) } else { None }).collect(),
        };
        let mut builder = arrow_array::builder::StringBuilder::with_capacity(rows, rows * 8);
        let mut seen: HashSet<String> = HashSet::new();
        let (mut name, mut last): (String, Option<Vec<Value>>) = (String::new(), None);
        for row in 0..rows {
            // Rows of one child mostly stand together: their name is made once.
            let same = row > 0 && sources.iter().all(|&place| columns[place].1.same_as_before(row));
            if !same {
                let cells = sources.iter().map(|&place| columns[place].1.value(row)).collect::<Result<Vec<_>>>()?;
                if last.as_ref() != Some(&cells) {
                    name = self.name(&cells).ok_or_else(|| invalid(format!("row {row}: the column that names its table is NULL or no text or integer")))?;
                    // Data choose a table of the target's database, by the very letters.
                    if name.contains(['`', '.', '\0', '\n']) {
                        return Err(invalid(format!("row {row}: {name:?} cannot be a table's name")));
                    }
                    last = Some(cells);
                    if !seen.contains(&name) {
                        seen.insert(name.clone());
                    }
                }
            }
            builder.append_value(&name);
        }
        Ok((builder.finish(), seen.len() as u64))
    }

    fn name(&self, cells: &[Value]) -> Option<String> {
        match self {
            Self::Constant(name) => Some(name.clone()),
            Self::Column(_) => cells.first().and_then(plain_text),
            Self::Pattern(parts) => {
                let mut cells = cells.iter();
                parts.iter().map(|part| if let Part::Text(text) = part { Some(text.clone()) } else { cells.next().and_then(plain_text) }).collect()
            }
        }
    }
}

fn plain_text(value: &Value) -> Option<String> {
    Some(match value {
        Value::TinyInt(value) => value.to_string(),
        Value::SmallInt(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::BigInt(value) => value.to_string(),
        Value::UTinyInt(value) => value.to_string(),
        Value::USmallInt(value) => value.to_string(),
        Value::UInt(value) => value.to_string(),
        Value::UBigInt(value) => value.to_string(),
        Value::Varchar(bytes) => String::from_utf8(bytes.clone()).ok()?,
        Value::NChar(text) => text.clone(),
        _ => return None,
    })
    .filter(|name| !name.is_empty())
}

fn invalid(message: impl Into<String>) -> Error {
    Error::with(code::INVALID_OPTION, message)
}
