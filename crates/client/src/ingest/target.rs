//! The table that rows go to: its columns and tags, as they are or as `create` makes them.

use arrow_array::{Array, RecordBatch, cast::AsArray};
use embudo_types::{DataType, Error, MAX_NCHAR, MAX_VARCHAR, Outcome, Precision, Result, Value, code};

use super::{Column, Ingest, invalid};
use crate::{Driver, literal};

/// A column of data on its way to the target.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub place: usize,
    pub column: &'a Column,
    pub is_tag: bool,
    pub is_time: bool,
}

impl Wanted<'_> {
    /// The column's name in the target: the time column is the target's first, whatever the data call it.
    pub fn stored_name<'b>(&'b self, target: &'b Target) -> &'b str {
        if self.is_time { &target.columns[0].name } else { self.name }
    }
}

/// A column or tag of the target.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredColumn {
    pub name: String,
    pub data_type: DataType,
    pub is_tag: bool,
}

/// What rows go to.
#[derive(Debug)]
pub struct Target {
    pub columns: Vec<StoredColumn>,
    pub is_supertable: bool,
    pub precision: Precision,
}

impl Target {
    /// Looks the target up; makes it or adds what it lacks, if asked to.
    pub fn prepare(driver: &dyn Driver, what: &Ingest, wanted: &[Wanted<'_>]) -> Result<Self> {
        let name = literal_name(&what.target)?;
        let described = match describe(driver, &name) {
            Ok(columns) => columns,
            Err(error) if what.create && is_missing(&error) => {
                run(driver, &create(&name, what, wanted)?)?;
                describe(driver, &name)?
            }
            Err(error) => return Err(error),
        };
        let mut target = Self { is_supertable: described.iter().any(|column| column.is_tag), columns: described, precision: Precision::Milli };
        if target.columns.is_empty() {
            return Err(Error::internal(format!("{} has no columns", what.target)));
        }
        // A child of a supertable shows its tags too, but rows of one table name none.
        if target.is_supertable && what.table.is_none() && what.tags.is_empty() && !wanted.iter().any(|column| column.is_tag) && !is_supertable(driver, what)? {
            target.is_supertable = false;
        }
        if what.create && target.widen(driver, &name, what, wanted)? {
            target.columns = describe(driver, &name)?;
        }
        target.precision = precision(driver, &what.target)?;
        Ok(target)
    }

    /// A column by its name, whatever its case.
    pub fn column(&self, name: &str) -> Result<&StoredColumn> {
        let found =
            self.columns.iter().find(|column| column.name == name).or_else(|| self.columns.iter().find(|column| column.name.eq_ignore_ascii_case(name)));
        found.ok_or_else(|| invalid(format!("the target has no column {name}; it has {}", self.names())))
    }

    fn names(&self) -> String {
        self.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Adds columns that are missing and lengthens text columns; whether anything changed.
    fn widen(&self, driver: &dyn Driver, name: &str, what: &Ingest, wanted: &[Wanted<'_>]) -> Result<bool> {
        let kind = if self.is_supertable { "STABLE" } else { "TABLE" };
        let mut changed = false;
        for column in wanted.iter().filter(|column| !column.is_time) {
            let word = if column.is_tag { "TAG" } else { "COLUMN" };
            match self.columns.iter().find(|stored| stored.name.eq_ignore_ascii_case(column.name)) {
                None => {
                    run(driver, &format!("ALTER {kind} {name} ADD {word} {} {}", literal_name_part(column.name)?, column.column.data_type(column.name)?))?;
                    changed = true;
                }
                Some(stored) if !what.truncate => {
                    let longer = match (stored.data_type, column.column.data_type(column.name)) {
                        (DataType::Varchar(have), Ok(DataType::Varchar(need))) if need > have => DataType::Varchar(need),
                        (DataType::NChar(have), Ok(DataType::Varchar(need))) if need > have => DataType::NChar(need.min(MAX_NCHAR)),
                        (DataType::VarBinary(have), Ok(DataType::VarBinary(need))) if need > have => DataType::VarBinary(need),
                        _ => continue,
                    };
                    // A char of NCHAR may have several bytes: only what is truly too long is lengthened.
                    if matches!(longer, DataType::NChar(_)) && column.column.longest_text_chars() <= stored.data_type.length() as usize {
                        continue;
                    }
                    run(driver, &format!("ALTER {kind} {name} MODIFY {word} {} {longer}", literal_name_part(column.name)?))?;
                    changed = true;
                }
                Some(_) => {}
            }
        }
        Ok(changed)
    }
}

fn is_missing(error: &Error) -> bool {
    [code::TABLE_DOES_NOT_EXIST, code::TABLE_DOES_NOT_EXIST_2603, code::TABLE_NOT_EXISTS, code::STABLE_NOT_EXIST, code::STABLE_NOT_EXISTS]
        .contains(&error.code())
}

fn create(name: &str, what: &Ingest, wanted: &[Wanted<'_>]) -> Result<String> {
    let definition = |column: &Wanted<'_>| -> Result<String> {
        let data_type = if column.is_time { DataType::Timestamp } else { column.column.data_type(column.name)? };
        Ok(format!("{} {data_type}", literal_name_part(column.name)?))
    };
    let mut columns: Vec<&Wanted<'_>> = wanted.iter().filter(|column| !column.is_tag).collect();
    columns.sort_by_key(|column| (!column.is_time, column.place));
    let columns = columns.into_iter().map(definition).collect::<Result<Vec<_>>>()?.join(", ");
    if what.tags.is_empty() {
        return Ok(format!("CREATE TABLE IF NOT EXISTS {name} ({columns})"));
    }
    let tags = wanted.iter().filter(|column| column.is_tag).map(definition).collect::<Result<Vec<_>>>()?.join(", ");
    Ok(format!("CREATE STABLE IF NOT EXISTS {name} ({columns}) TAGS ({tags})"))
}

fn run(driver: &dyn Driver, sql: &str) -> Result<()> {
    match driver.execute(sql, &[])?.outcome {
        Outcome::Affected(_) => Ok(()),
        Outcome::Rows(mut batches) => batches.try_for_each(|batch| batch.map(drop)),
    }
}

fn rows(driver: &dyn Driver, sql: &str, parameters: &[Value]) -> Result<Vec<RecordBatch>> {
    driver.execute(sql, parameters)?.collect()
}

/// The text of a cell of a VARCHAR column.
fn text(batch: &RecordBatch, column: usize, row: usize) -> String {
    let array = batch.column(column);
    if array.is_null(row) {
        return String::new();
    }
    match array.as_binary_opt::<i32>() {
        Some(bytes) => String::from_utf8_lossy(bytes.value(row)).into_owned(),
        None => array.as_string_opt::<i32>().map_or_else(String::new, |text| text.value(row).to_owned()),
    }
}

/// `DESCRIBE`: name, type, length, note.
pub fn describe(driver: &dyn Driver, name: &str) -> Result<Vec<StoredColumn>> {
    let mut columns = Vec::new();
    for batch in rows(driver, &format!("DESCRIBE {name}"), &[])? {
        if batch.num_columns() < 4 {
            return Err(Error::internal("DESCRIBE has four columns"));
        }
        for row in 0..batch.num_rows() {
            let length = batch.column(2).as_primitive_opt::<arrow_array::types::Int32Type>().map_or(0, |lengths| lengths.value(row) as u32);
            let data_type = crate::rest::named_type(&text(&batch, 1, row), length)?;
            columns.push(StoredColumn { name: text(&batch, 0, row), data_type, is_tag: text(&batch, 3, row) == "TAG" });
        }
    }
    Ok(columns)
}

/// Database and table of `[database.]name`.
fn parts<'a>(driver: &dyn Driver, target: &'a str) -> Result<(String, &'a str)> {
    if let Some((database, table)) = target.split_once('.') {
        return Ok((database.to_owned(), table));
    }
    let batches = rows(driver, "SELECT DATABASE()", &[])?;
    Ok((batches.first().filter(|batch| batch.num_rows() > 0).map_or_else(String::new, |batch| text(batch, 0, 0)), target))
}

/// That of the times of a `[database.]table`.
pub fn precision(driver: &dyn Driver, target: &str) -> Result<Precision> {
    let (database, _) = parts(driver, target)?;
    let sql = "SELECT `precision` FROM information_schema.ins_databases WHERE name = ?";
    let batches = rows(driver, sql, &[Value::Varchar(database.clone().into_bytes())])?;
    let name = batches.first().filter(|batch| batch.num_rows() > 0).map(|batch| text(batch, 0, 0));
    let name = name.ok_or_else(|| Error::internal(format!("database {database} does not show its precision")))?;
    let known = [Precision::Milli, Precision::Micro, Precision::Nano].into_iter().find(|precision| precision.name() == name);
    known.ok_or_else(|| Error::internal(format!("unknown precision {name}")))
}

fn is_supertable(driver: &dyn Driver, what: &Ingest) -> Result<bool> {
    let (database, table) = parts(driver, &what.target)?;
    let sql = "SELECT stable_name FROM information_schema.ins_stables WHERE db_name = ? AND stable_name = ?";
    let batches = rows(driver, sql, &[Value::Varchar(database.into_bytes()), Value::Varchar(table.as_bytes().to_vec())])?;
    Ok(batches.iter().any(|batch| batch.num_rows() > 0))
}

/// `[database.]name` quoted.
pub fn literal_name(name: &str) -> Result<String> {
    let mut out = String::new();
    literal::write_name(name.as_bytes(), &mut out)?;
    Ok(out)
}

/// One name quoted, dots and all.
fn literal_name_part(name: &str) -> Result<String> {
    if name.is_empty() || name.contains(['`', '\0', '\n']) { Err(invalid(format!("{name:?} cannot be a column's name"))) } else { Ok(format!("`{name}`")) }
}

/// The length that a new text column gets: room for a little more than the data have.
pub fn column_length(longest: usize, column: &str) -> Result<u32> {
    let length = (longest as u32).max(8).next_multiple_of(8);
    if longest > MAX_VARCHAR as usize {
        return Err(Error::with(code::OUT_OF_RANGE, format!("column {column} has a value of {longest} bytes, more than a column can hold ({MAX_VARCHAR})")));
    }
    Ok(length.min(MAX_VARCHAR))
}
