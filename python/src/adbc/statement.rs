//! One statement: SQL with parameters, or columns that are written into a table.

use std::sync::Arc;

use adbc_core::{
    CancelHandle, Optionable, PartitionedResult, Statement, constants,
    error::{Result, Status},
    options::{OptionStatement, OptionValue},
};
use arrow_array::{RecordBatch, RecordBatchReader};
use arrow_schema::{DataType, Field, Schema};
use embudo_client::{
    bulk,
    ingest::{self, Column, Ingest},
    literal,
};
use embudo_types::{Outcome, Value};

use super::{
    connection::{Interrupt, Session},
    failed, missing, objects,
    reader::{self, BoxedReader},
    refused, text,
};
use crate::{
    export::Export,
    ingest::{Columns, joined},
};

/// A statement.
pub struct AdbcStatement {
    session: Session,
    sql: Option<String>,
    bound: Option<BoxedReader>,
    target: Target,
}

/// What columns are written into, and how.
#[derive(Default)]
struct Target {
    table: Option<String>,
    database: Option<String>,
    mode: Mode,
    time: Option<String>,
    tags: Vec<String>,
    children: Option<String>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Mode {
    #[default]
    Create,
    Append,
    Replace,
    CreateAppend,
}

impl AdbcStatement {
    /// An empty one.
    pub fn new(session: Session) -> Self {
        Self { session, sql: None, bound: None, target: Target::default() }
    }

    fn sql(&self) -> Result<&str> {
        self.sql.as_deref().ok_or_else(|| refused("the statement has no SQL", Status::InvalidState))
    }

    /// The bound columns, all batches together.
    fn columns(&mut self) -> Result<Option<(Columns, usize)>> {
        let Some(bound) = self.bound.take() else { return Ok(None) };
        let schema = bound.schema();
        let batches = bound.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Some(joined(&schema, &batches)?))
    }

    /// The bound rows as values.
    fn rows(&mut self) -> Result<Vec<Vec<Value>>> {
        let Some((columns, rows)) = self.columns()? else { return Ok(Vec::new()) };
        let row = |row: usize| columns.iter().map(|(_, column)| column.value(row)).collect::<embudo_types::Result<Vec<_>>>();
        (0..rows).map(row).collect::<embudo_types::Result<_>>().map_err(failed)
    }

    fn write(&mut self, table: &str) -> Result<i64> {
        let Some((columns, rows)) = self.columns()? else { return Err(refused("there are no columns to write", Status::InvalidState)) };
        let target = self.target.database.as_ref().map_or_else(|| table.to_owned(), |database| format!("{database}.{table}"));
        let quoted = objects::quoted(self.target.database.as_deref(), table)?;
        let exists = || self.session.driver.execute(&format!("DESCRIBE {quoted}"), &[]).is_ok();
        match self.target.mode {
            Mode::Create if exists() => return Err(refused(format!("the table {target} exists"), Status::AlreadyExists)),
            Mode::Append if !exists() => return Err(refused(format!("there is no table {target}"), Status::NotFound)),
            Mode::Replace if exists() => {
                let kind = if self.session.driver.execute(&format!("SHOW CREATE STABLE {quoted}"), &[]).is_ok() { "STABLE" } else { "TABLE" };
                self.session.driver.execute(&format!("DROP {kind} {quoted}"), &[]).map_err(failed)?;
            }
            _ => {}
        }
        let what = Ingest {
            target,
            time: self.target.time.clone().or_else(|| first_time(&columns)).unwrap_or_else(|| "ts".to_owned()),
            tags: self.target.tags.clone(),
            table: self.target.children.clone(),
            create: self.target.mode != Mode::Append,
            truncate: false,
            zone: self.session.zone.clone(),
        };
        let done = ingest::ingest(self.session.driver.as_ref(), &what, &columns, rows, &mut |_, _| Ok(())).map_err(failed)?;
        Ok(done.rows as i64)
    }
}

/// `DROP TABLE "name"`, which pandas sends and where no text can stand, with the name quoted as TDengine quotes names.
fn with_quoted_names(sql: &str) -> String {
    let words: Vec<&str> = sql.split_whitespace().collect();
    let [first, second, name] = words.as_slice() else { return sql.to_owned() };
    if first.eq_ignore_ascii_case("drop") && second.eq_ignore_ascii_case("table") && name.starts_with('"') && !name.contains('`') {
        format!("DROP TABLE {}", name.replace('"', "`"))
    } else {
        sql.to_owned()
    }
}

/// The first column with times.
fn first_time(columns: &Columns) -> Option<String> {
    let is_time = |column: &Column| matches!(column, Column::Array(array) if matches!(array.data_type(), DataType::Timestamp(..)));
    columns.iter().find(|(_, column)| is_time(column)).map(|(name, _)| name.clone())
}

impl Optionable for AdbcStatement {
    type Option = OptionStatement;

    fn set_option(&mut self, key: OptionStatement, value: OptionValue) -> Result<()> {
        let value = text(&key, value)?;
        match key {
            OptionStatement::TargetTable => self.target.table = Some(value),
            OptionStatement::TargetDbSchema => self.target.database = (!value.is_empty()).then_some(value),
            OptionStatement::TargetCatalog if value.is_empty() => {}
            OptionStatement::Temporary if value == "false" => {}
            OptionStatement::IngestMode => {
                self.target.mode = match value.as_str() {
                    constants::ADBC_INGEST_OPTION_MODE_CREATE => Mode::Create,
                    constants::ADBC_INGEST_OPTION_MODE_APPEND => Mode::Append,
                    constants::ADBC_INGEST_OPTION_MODE_REPLACE => Mode::Replace,
                    constants::ADBC_INGEST_OPTION_MODE_CREATE_APPEND => Mode::CreateAppend,
                    other => return Err(refused(format!("there is no mode {other}"), Status::InvalidArguments)),
                };
            }
            OptionStatement::Other(name) if name == "embudo.ingest.time" => self.target.time = Some(value),
            OptionStatement::Other(name) if name == "embudo.ingest.table" => self.target.children = Some(value),
            OptionStatement::Other(name) if name == "embudo.ingest.tags" => {
                self.target.tags = value.split(',').map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect();
            }
            key => return Err(refused(format!("there is no option {} of a statement", key.as_ref()), Status::NotImplemented)),
        }
        Ok(())
    }

    fn get_option_string(&self, key: OptionStatement) -> Result<String> {
        match key {
            OptionStatement::TargetTable => self.target.table.clone().ok_or_else(|| missing(&key)),
            OptionStatement::TargetDbSchema => self.target.database.clone().ok_or_else(|| missing(&key)),
            key => Err(missing(&key)),
        }
    }

    fn get_option_bytes(&self, key: OptionStatement) -> Result<Vec<u8>> {
        Err(missing(&key))
    }

    fn get_option_int(&self, key: OptionStatement) -> Result<i64> {
        Err(missing(&key))
    }

    fn get_option_double(&self, key: OptionStatement) -> Result<f64> {
        Err(missing(&key))
    }
}

impl Statement for AdbcStatement {
    fn bind(&mut self, batch: RecordBatch) -> Result<()> {
        self.bound = Some(reader::of_batch(batch));
        Ok(())
    }

    fn bind_stream(&mut self, reader: Box<dyn RecordBatchReader + Send>) -> Result<()> {
        self.bound = Some(reader);
        Ok(())
    }

    fn execute(&mut self) -> Result<BoxedReader> {
        let sql = self.sql()?.to_owned();
        let rows = self.rows()?;
        if rows.len() > 1 {
            return Err(refused("a query takes one row of parameters", Status::InvalidArguments));
        }
        let result = self.session.driver.execute(&sql, rows.first().map_or(&[], Vec::as_slice)).map_err(failed)?;
        reader::of_result(result, &self.session.zone)
    }

    fn execute_update(&mut self) -> Result<Option<i64>> {
        if let Some(table) = self.target.table.clone() {
            return self.write(&table).map(Some);
        }
        let sql = self.sql()?.to_owned();
        let is_bound = self.bound.is_some();
        let rows = self.rows()?;
        if is_bound {
            return bulk::run(self.session.driver.as_ref(), &sql, &rows, None).map(|rows| Some(rows as i64)).map_err(failed);
        }
        let result = self.session.driver.execute(&sql, &[]).map_err(failed)?;
        match result.outcome {
            Outcome::Affected(rows) => Ok(Some(rows as i64)),
            Outcome::Rows(batches) => {
                // The statement runs to its end, as it would if somebody read it.
                for batch in batches {
                    batch.map_err(failed)?;
                }
                Ok(None)
            }
        }
    }

    fn execute_schema(&mut self) -> Result<Schema> {
        let sql = self.sql()?.to_owned();
        let rows = self.rows()?;
        let result = self.session.driver.execute(&sql, rows.first().map_or(&[], Vec::as_slice)).map_err(failed)?;
        Ok(Export::new(&result.schema, &self.session.zone, &[]).map_err(failed)?.schema().as_ref().clone())
    }

    fn execute_partitions(&mut self) -> Result<PartitionedResult> {
        Err(refused("results have no partitions", Status::NotImplemented))
    }

    fn get_parameter_schema(&self) -> Result<Schema> {
        let places = literal::placeholders(self.sql()?).len();
        Ok(Schema::new((0..places).map(|place| Field::new(place.to_string(), DataType::Null, true)).collect::<Vec<_>>()))
    }

    fn prepare(&mut self) -> Result<()> {
        // Transports keep prepared statements themselves.
        self.sql().map(drop)
    }

    fn set_sql_query(&mut self, query: impl AsRef<str>) -> Result<()> {
        self.sql = Some(with_quoted_names(query.as_ref()));
        self.target.table = None;
        Ok(())
    }

    fn set_substrait_plan(&mut self, _: impl AsRef<[u8]>) -> Result<()> {
        Err(refused("plans of Substrait are not read", Status::NotImplemented))
    }

    fn get_cancel_handle(&self) -> Box<dyn CancelHandle> {
        Box::new(Interrupt(Arc::clone(&self.session.driver)))
    }
}
