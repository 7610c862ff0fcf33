//! Results laid out for people: aligned columns, one cell a line, or CSV. Rows are laid out in pages, so that a result of any size needs
//! little memory; columns may widen from page to page.

use std::io::Write;

use arrow_schema::Schema;
use embudo_types::{BatchStream, Error, Zone};
use unicode_width::UnicodeWidthStr;

use crate::{arguments::Format, cell::Column};

/// Rows whose widths are measured together.
const PAGE_ROWS: usize = 1_000;
/// What stands for NULL.
const NULL: &str = "NULL";

/// Why a result was not shown to its end.
pub enum Failure {
    /// The statement failed on the way.
    Statement(Error),
    /// The rows could not be written.
    Output(std::io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Statement(error)
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Output(error)
    }
}

/// Shows all rows and gives their number.
pub fn rows(schema: &Schema, batches: BatchStream, zone: &Zone, format: Format, out: &mut dyn Write) -> Result<u64, Failure> {
    let column = if format == Format::Csv { Column::exact } else { Column::new };
    let columns = schema.fields().iter().map(|field| column(field, zone)).collect::<Result<Vec<_>, _>>()?;
    let mut layout = Layout { widths: columns.iter().map(|column| column.name.width()).collect(), columns, format, shown: 0 };
    layout.header(out)?;
    let mut page = Vec::new();
    for batch in batches {
        let batch = batch?;
        for row in 0..batch.num_rows() {
            page.push(layout.columns.iter().zip(batch.columns()).map(|(column, array)| column.text(array, row)).collect());
            if page.len() == PAGE_ROWS {
                layout.page(&page, out)?;
                page.clear();
            }
        }
    }
    if !page.is_empty() || layout.shown == 0 {
        layout.page(&page, out)?;
    }
    Ok(layout.shown)
}

/// The texts of a row's cells; `None` is NULL.
type Row = Vec<Option<String>>;

struct Layout {
    columns: Vec<Column>,
    widths: Vec<usize>,
    format: Format,
    shown: u64,
}

impl Layout {
    /// CSV names its columns first; a table does when it knows its widths.
    fn header(&self, out: &mut dyn Write) -> std::io::Result<()> {
        if self.format == Format::Csv {
            write_csv(self.columns.iter().map(|column| Some(column.name.as_str())), out)?;
        }
        Ok(())
    }

    fn page(&mut self, page: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
        match self.format {
            Format::Table => self.table(page, out)?,
            Format::Vertical => self.vertical(page, out)?,
            Format::Csv => {
                for row in page {
                    write_csv(row.iter().map(Option::as_deref), out)?;
                }
            }
        }
        self.shown += page.len() as u64;
        Ok(())
    }

    fn table(&mut self, page: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
        let lines: Vec<Vec<String>> = page.iter().map(|row| row.iter().map(|cell| one_line(cell.as_deref().unwrap_or(NULL))).collect()).collect();
        for line in &lines {
            for (width, cell) in self.widths.iter_mut().zip(line) {
                *width = (*width).max(cell.width());
            }
        }
        if self.shown == 0 {
            let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            self.line(&names, out)?;
            let rules: Vec<String> = self.widths.iter().map(|width| "-".repeat(width + 2)).collect();
            writeln!(out, "{}", rules.join("+"))?;
        }
        for line in &lines {
            let cells: Vec<&str> = line.iter().map(String::as_str).collect();
            self.line(&cells, out)?;
        }
        Ok(())
    }

    fn line(&self, cells: &[&str], out: &mut dyn Write) -> std::io::Result<()> {
        let mut text = String::new();
        for (at, (cell, column)) in cells.iter().zip(&self.columns).enumerate() {
            let padding = " ".repeat(self.widths[at].saturating_sub(cell.width()));
            text.push_str(if at == 0 { " " } else { " | " });
            let (before, after) = if column.is_numeric() { (padding.as_str(), "") } else { ("", padding.as_str()) };
            text.extend([before, cell, after]);
        }
        writeln!(out, "{}", text.trim_end())
    }

    fn vertical(&self, page: &[Row], out: &mut dyn Write) -> std::io::Result<()> {
        let widest = self.columns.iter().map(|column| column.name.width()).max().unwrap_or(0);
        for (at, row) in page.iter().enumerate() {
            writeln!(out, "*************************** {}. row ***************************", self.shown + at as u64 + 1)?;
            for (column, cell) in self.columns.iter().zip(row) {
                let padding = " ".repeat(widest - column.name.width());
                writeln!(out, "{padding}{}: {}", column.name, cell.as_deref().unwrap_or(NULL))?;
            }
        }
        Ok(())
    }
}

/// A cell that cannot break the lines of a table.
fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() { line.extend(character.escape_default()) } else { line.push(character) }
    }
    line
}

/// One line of CSV (RFC 4180). NULL is an empty field, an empty text `""`.
pub fn write_csv<'a>(cells: impl Iterator<Item = Option<&'a str>>, out: &mut dyn Write) -> std::io::Result<()> {
    for (at, cell) in cells.enumerate() {
        if at > 0 {
            out.write_all(b",")?;
        }
        match cell {
            None => {}
            Some(text) if text.is_empty() || text.contains(['"', ',', '\n', '\r']) => write!(out, "\"{}\"", text.replace('"', "\"\""))?,
            Some(text) => out.write_all(text.as_bytes())?,
        }
    }
    out.write_all(b"\n")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Int32Array, RecordBatch, StringArray};
    use embudo_types::{DataType, Precision, arrow::field};

    use super::*;

    fn shown(format: Format) -> String {
        let schema = Arc::new(Schema::new(vec![field("v", DataType::Int, Precision::Milli), field("name", DataType::NChar(9), Precision::Milli)]));
        let columns: Vec<arrow_array::ArrayRef> =
            vec![Arc::new(Int32Array::from(vec![Some(1), None, Some(300)])), Arc::new(StringArray::from(vec![Some("中文"), Some("a\nb,\"c"), Some("")]))];
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();
        let mut out = Vec::new();
        let rows = rows(&schema, Box::new(std::iter::once(Ok(batch))), &Zone::utc(), format, &mut out);
        assert!(matches!(rows, Ok(3)));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn tables_align_wide_characters() {
        assert_eq!(shown(Format::Table), "    v | name\n------+---------\n    1 | 中文\n NULL | a\\nb,\"c\n  300 |\n");
    }

    #[test]
    fn one_cell_a_line() {
        assert!(shown(Format::Vertical).starts_with("*************************** 1. row ***************************\n   v: 1\nname: 中文\n"));
    }

    #[test]
    fn csv_tells_null_from_empty() {
        assert_eq!(shown(Format::Csv), "v,name\n1,中文\n,\"a\nb,\"\"c\"\n300,\"\"\n");
    }
}
