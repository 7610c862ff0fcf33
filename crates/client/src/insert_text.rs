//! Arrow columns as INSERT statements, for transports that carry only text.

use std::fmt::Write;

use arrow_array::{
    Array, ArrayRef, RecordBatch,
    cast::AsArray,
    types::{
        Decimal128Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, TimestampMillisecondType,
        TimestampNanosecondType, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
    },
};
use arrow_schema::{DataType as ArrowType, TimeUnit};
use embudo_types::{DataType, Error, Outcome, Result, Value, arrow, code};

use crate::{Driver, Request, literal};

/// Bytes of a statement: long enough that its cost is its rows', short of the longest that a server takes.
const LENGTH: usize = 900_000;

/// Writes one batch by as many statements as it needs; see [`Driver::insert`].
pub fn insert<D: Driver + ?Sized>(driver: &D, target: &str, batch: &RecordBatch) -> Result<u64> {
    let rows = Rows::new(batch)?;
    let mut affected = 0;
    let mut run = |sql: &str| -> Result<()> {
        match driver.run(&Request { sql, ..Request::default() })?.outcome {
            Outcome::Affected(rows) => affected += rows,
            Outcome::Rows(_) => return Err(Error::internal("an INSERT gave rows")),
        }
        Ok(())
    };
    let mut name = String::new();
    literal::write_name(target.as_bytes(), &mut name)?;
    let mut columns = String::new();
    for column in rows.columns.iter().map(|column| &column.name) {
        columns.push_str(if columns.is_empty() { "`" } else { ",`" });
        columns.push_str(column);
        columns.push('`');
    }
    // TDengine's form for rows of many children: the supertable, with the pseudo-column `tbname` in front.
    let head = match rows.tables {
        Some(_) => format!("INSERT INTO {name} (tbname,{columns}) VALUES "),
        None => format!("INSERT INTO {name} ({columns}) VALUES "),
    };
    let mut statement = head.clone();
    for row in 0..batch.num_rows() {
        statement.push('(');
        if let Some(tables) = &rows.tables {
            tables.write(row, &mut statement)?;
            statement.push(',');
        }
        for (place, column) in rows.columns.iter().enumerate() {
            if place > 0 {
                statement.push(',');
            }
            column.write(row, &mut statement)?;
        }
        statement.push(')');
        if statement.len() > LENGTH || row + 1 == batch.num_rows() {
            run(&statement)?;
            statement.clear();
            statement.push_str(&head);
        }
    }
    Ok(affected)
}

struct Rows<'a> {
    /// Names of children, where the target is a supertable.
    tables: Option<Column<'a>>,
    columns: Vec<Column<'a>>,
}

impl<'a> Rows<'a> {
    fn new(batch: &'a RecordBatch) -> Result<Self> {
        let mut rows = Self { tables: None, columns: Vec::new() };
        for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            if field.name().contains('`') {
                return Err(Error::with(code::INVALID_PARAMETERS, format!("a column's name holds a backtick: {}", field.name())));
            }
            let column = Column { name: field.name().clone(), data_type: arrow::data_type(field).ok(), array };
            if field.name() == "tbname" {
                rows.tables = Some(column);
            } else {
                rows.columns.push(column);
            }
        }
        Ok(rows)
    }
}

/// A column whose cells can be written as literals.
pub(crate) struct Column<'a> {
    pub name: String,
    /// TDengine's type, where the field tells.
    pub data_type: Option<DataType>,
    pub array: &'a ArrayRef,
}

impl Column<'_> {
    /// Appends the literal of a row's cell.
    pub fn write(&self, row: usize, out: &mut String) -> Result<()> {
        if self.array.is_null(row) {
            out.push_str("NULL");
            return Ok(());
        }
        // Writing to a String cannot fail.
        let _ = match self.array.data_type() {
            ArrowType::Boolean => write!(out, "{}", self.array.as_boolean().value(row)),
            ArrowType::Int8 => write!(out, "{}", self.array.as_primitive::<Int8Type>().value(row)),
            ArrowType::Int16 => write!(out, "{}", self.array.as_primitive::<Int16Type>().value(row)),
            ArrowType::Int32 => write!(out, "{}", self.array.as_primitive::<Int32Type>().value(row)),
            ArrowType::Int64 => write!(out, "{}", self.array.as_primitive::<Int64Type>().value(row)),
            ArrowType::UInt8 => write!(out, "{}", self.array.as_primitive::<UInt8Type>().value(row)),
            ArrowType::UInt16 => write!(out, "{}", self.array.as_primitive::<UInt16Type>().value(row)),
            ArrowType::UInt32 => write!(out, "{}", self.array.as_primitive::<UInt32Type>().value(row)),
            ArrowType::UInt64 => write!(out, "{}", self.array.as_primitive::<UInt64Type>().value(row)),
            ArrowType::Float32 => return literal::write_literal(&Value::Float(self.array.as_primitive::<Float32Type>().value(row)), out),
            ArrowType::Float64 => return literal::write_literal(&Value::Double(self.array.as_primitive::<Float64Type>().value(row)), out),
            ArrowType::Timestamp(unit, _) => write!(out, "{}", self.ticks(*unit, row)),
            ArrowType::Utf8 => return literal::write_literal(&Value::NChar(self.array.as_string::<i32>().value(row).to_owned()), out),
            ArrowType::Binary => {
                let bytes = self.array.as_binary::<i32>().value(row).to_vec();
                let value = match self.data_type {
                    Some(DataType::Geometry(_)) => Value::Geometry(bytes),
                    Some(DataType::Varchar(_)) | None => Value::Varchar(bytes),
                    Some(_) => Value::VarBinary(bytes),
                };
                return literal::write_literal(&value, out);
            }
            ArrowType::Decimal128(precision, scale) => {
                let value = Value::Decimal(self.array.as_primitive::<Decimal128Type>().value(row), *precision, *scale as u8);
                return literal::write_literal(&value, out);
            }
            other => return Err(Error::with(code::INVALID_PARAMETERS, format!("column {} has the type {other}, which no literal can carry", self.name))),
        };
        Ok(())
    }

    fn ticks(&self, unit: TimeUnit, row: usize) -> i64 {
        match unit {
            TimeUnit::Microsecond => self.array.as_primitive::<TimestampMicrosecondType>().value(row),
            TimeUnit::Nanosecond => self.array.as_primitive::<TimestampNanosecondType>().value(row),
            _ => self.array.as_primitive::<TimestampMillisecondType>().value(row),
        }
    }
}
