//! `embudo import` and `embudo export`: CSV files to and from tables. Types come from the table; files only name its columns.

use std::{
    io::{BufWriter, Read, Write},
    path::Path,
    sync::Arc,
    time::Instant,
};

use arrow_array::RecordBatch;
use arrow_schema::{Field, Schema};
use embudo_client::Driver;
use embudo_types::{DataType, Error, Outcome, Precision, Result, Zone, arrow, code};

use crate::{
    arguments::{ExportOptions, Format, ImportOptions},
    connection,
    parse::parse_column,
    shell::show::{self, Failure},
};

/// Rows written by one call.
const BATCH_ROWS: usize = 8_192;

/// Writes a query's rows as CSV: a line of names, timestamps as RFC 3339, NULL as an empty field.
pub fn export(options: &ExportOptions) -> Result<()> {
    let connection = connection::open(&options.target)?;
    let result = connection.driver.execute(&options.sql, &[])?;
    let Outcome::Rows(batches) = result.outcome else {
        return Err(Error::with(code::INVALID_PARAMETERS, "the statement gives no rows to export"));
    };
    let mut out: Box<dyn Write> = match &options.output {
        Some(path) => Box::new(std::fs::File::create(path).map_err(|source| Error::io(format!("creating {}", path.display()), source))?),
        None => Box::new(std::io::stdout().lock()),
    };
    let mut buffered = BufWriter::with_capacity(64 << 10, &mut out);
    let outcome = show::rows(&result.schema, batches, &connection.zone, Format::Csv, &mut buffered);
    let outcome = outcome.and_then(|rows| buffered.flush().map(|()| rows).map_err(Failure::Output));
    match outcome {
        Ok(rows) => {
            eprintln!("{rows} rows exported");
            connection.driver.close()
        }
        Err(Failure::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(Failure::Output(error)) => Err(Error::io("writing the export", error)),
        Err(Failure::Statement(error)) => Err(error),
    }
}

/// Writes the rows of CSV files to a table, file by file. What was written before a failure stays.
pub fn import(options: &ImportOptions) -> Result<()> {
    let connection = connection::open(&options.target)?;
    let started = Instant::now();
    let mut total = 0;
    for path in &options.files {
        let input: Box<dyn Read> = if path == Path::new("-") {
            Box::new(std::io::stdin().lock())
        } else {
            Box::new(std::fs::File::open(path).map_err(|source| Error::io(format!("opening {}", path.display()), source))?)
        };
        let file = path.display().to_string();
        let mut batches = Batches::open(&*connection.driver, &options.table, &file, input, connection.zone.clone())?;
        total += connection.driver.insert(&options.table, &mut batches)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    eprintln!("{total} rows imported in {seconds:.1} s");
    connection.driver.close()
}

/// The rows of one file as batches.
struct Batches<'a> {
    file: &'a str,
    reader: csv::Reader<Box<dyn Read>>,
    schema: Arc<Schema>,
    types: Vec<DataType>,
    zone: Zone,
    ended: bool,
}

impl<'a> Batches<'a> {
    fn open(driver: &dyn Driver, table: &str, file: &'a str, input: Box<dyn Read>, zone: Zone) -> Result<Self> {
        let mut reader = csv::ReaderBuilder::new().from_reader(input);
        let columns = driver.execute(&format!("SELECT * FROM {table} LIMIT 0"), &[])?.schema;
        let names = reader.headers().map_err(|error| bad_file(file, error))?.clone();
        let fields: Vec<Field> = names.iter().map(|name| field_of(&columns, name.trim(), table, file)).collect::<Result<_>>()?;
        let types = fields.iter().map(arrow::data_type).collect::<Result<_>>()?;
        Ok(Self { file, reader, schema: Arc::new(Schema::new(fields)), types, zone, ended: false })
    }

    fn read(&mut self) -> Result<Option<RecordBatch>> {
        let mut records = Vec::with_capacity(BATCH_ROWS);
        while records.len() < BATCH_ROWS {
            let mut record = csv::StringRecord::new();
            if !self.reader.read_record(&mut record).map_err(|error| bad_file(self.file, error))? {
                self.ended = true;
                break;
            }
            records.push(record);
        }
        if records.is_empty() {
            return Ok(None);
        }
        let mut arrays = Vec::with_capacity(self.types.len());
        for (at, (data_type, field)) in self.types.iter().zip(self.schema.fields()).enumerate() {
            let cells: Vec<Option<&str>> = records.iter().map(|record| record.get(at).filter(|cell| !cell.is_empty())).collect();
            let array = parse_column(*data_type, arrow::precision(field), &cells, &self.zone).map_err(|bad| {
                let line = records[bad.row].position().map_or(0, csv::Position::line);
                let cell = cells[bad.row].unwrap_or("");
                Error::with(code::INVALID_PARAMETERS, format!("{}, line {line}, column {}: {cell:?} is no {data_type}", self.file, field.name()))
            })?;
            arrays.push(array);
        }
        RecordBatch::try_new(Arc::clone(&self.schema), arrays).map(Some).map_err(Error::internal)
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let batch = self.read().transpose();
        self.ended |= matches!(batch, None | Some(Err(_)));
        batch
    }
}

/// The table's field of that name; `tbname` names the children of a supertable.
fn field_of(columns: &Schema, name: &str, table: &str, file: &str) -> Result<Field> {
    if let Some(field) = columns.fields().iter().find(|field| field.name() == name || field.name().eq_ignore_ascii_case(name)) {
        return Ok(field.as_ref().clone());
    }
    if name.eq_ignore_ascii_case("tbname") {
        return Ok(arrow::field("tbname", DataType::Varchar(192), Precision::Milli));
    }
    let known: Vec<&str> = columns.fields().iter().map(|field| field.name().as_str()).collect();
    let message = format!("{file}: the first line names {name:?}, but {table} has the columns {}", known.join(", "));
    Err(Error::with(code::INVALID_PARAMETERS, message))
}

fn bad_file(file: &str, error: csv::Error) -> Error {
    Error::with(code::INVALID_PARAMETERS, format!("{file}: {error}")).caused_by(error)
}
