//! INSERT without a tree: literal cells go straight into typed columns (spec/sql.md 4.1).
//!
//! The caller's [`InsertSink`] is asked for the column types of each table clause and gets its rows as Arrow arrays. What it does
//! with them (which table, which supertable, keep and merge rules) is its own business. A statement is parsed to its end before
//! [`parse`] returns, so a caller that applies what it was given only on `Ok` writes nothing of a wrong statement.

mod cells;
mod clauses;
mod clock;

use std::{io::Read, sync::Arc};

use arrow_array::ArrayRef;
use embudo_types::{DataType, Error, Precision, Result, Value, Zone, code};

use crate::{
    MAX_STATEMENT,
    ast::{
        Statement,
        statement::{InsertSelect, ObjectName},
    },
    lexer::{TokenKind, next_token},
};

/// What the meaning of the statement depends on besides the tables.
#[derive(Clone, Copy, Debug)]
pub struct InsertContext<'a> {
    /// The session's zone.
    pub zone: &'a Zone,
    /// The statement's time in nanoseconds since the epoch.
    pub now: i64,
    /// Values of `?` in order.
    pub parameters: &'a [Value],
}

/// `table [USING …] [(columns)]` before VALUES or FILE.
#[derive(Clone, Debug, PartialEq)]
pub struct TableClause {
    /// Where the rows go; with a `tbname` column this is a super table.
    pub table: ObjectName,
    /// USING.
    pub using: Option<Using>,
    /// The column list in lower case unless in backticks; `None` stands for every column in order.
    pub columns: Option<Vec<String>>,
}

/// `USING supertable [(tags)] TAGS (values) [TTL n] [COMMENT '…']`.
#[derive(Clone, Debug, PartialEq)]
pub struct Using {
    /// The super table.
    pub supertable: ObjectName,
    /// The tags that `values` are for; empty for all in order.
    pub tag_names: Vec<String>,
    /// Tag values, each of the type that [`InsertSink::tags`] gave for its place.
    pub values: Vec<Value>,
    /// TTL in days.
    pub ttl: Option<i64>,
    /// COMMENT.
    pub comment: Option<String>,
}

/// The columns that the rows of a clause fill, in the order of their cells.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// Ticks of the database.
    pub precision: Precision,
    /// Whether the table is a super table, so that a `tbname` column is needed.
    pub supertable: bool,
    /// Whether the table has a composite key, so that its second column is needed.
    pub keyed: bool,
    /// One a cell.
    pub columns: Vec<LayoutColumn>,
}

/// The tags of a USING clause.
#[derive(Clone, Debug, PartialEq)]
pub struct TagLayout {
    /// Ticks of the database.
    pub precision: Precision,
    /// Name and type of each tag that takes a value.
    pub tags: Vec<(String, DataType)>,
}

/// One cell's column.
#[derive(Clone, Debug, PartialEq)]
pub struct LayoutColumn {
    /// Name, for messages.
    pub name: String,
    /// Type; `Varchar(192)` for `tbname`.
    pub data_type: DataType,
    /// What it is for.
    pub role: ColumnRole,
}

/// What a cell is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// The primary timestamp: never NULL.
    Timestamp,
    /// The composite key's second column: never NULL.
    Key,
    /// An ordinary column.
    Value,
    /// A tag, in the super-table form.
    Tag,
    /// `tbname`, in the super-table form: never NULL or empty.
    TableName,
}

/// Takes what [`parse`] reads.
pub trait InsertSink {
    /// Names and types of the tags that a USING clause gives values for: those of `names` in that order, else all. An unknown
    /// super table or tag is an error. A JSON tag is given as its text, checked and normalised by [`crate::literal`].
    fn tags(&mut self, supertable: &ObjectName, names: &[String]) -> Result<Arc<TagLayout>>;

    /// The columns of a clause: those of `clause.columns` in that order, else all of the table. Called once a clause, before its rows.
    /// Unknown tables (0x2603 "Table does not exist") and columns (0x2602) are the sink's to refuse; a missing timestamp, key or
    /// `tbname` and names given twice are the parser's.
    /// A sink that gives the same `Arc` for like clauses saves the parser work.
    fn layout(&mut self, clause: TableClause) -> Result<Arc<Layout>>;

    /// Rows of the last clause asked for: one array a layout column, each of the type of `types::arrow::arrow_type`. Comes once a
    /// clause with VALUES, any number of times with FILE.
    fn rows(&mut self, columns: Vec<ArrayRef>, rows: usize) -> Result<()>;

    /// The file of FILE 'path'. A sink that may not read files keeps the default, which refuses.
    fn file(&mut self, path: &str) -> Result<Box<dyn Read>> {
        let _ = path;
        Err(Error::with(code::SYNTAX_ERROR_IN_SQL, "proxy mode does not support csv loading"))
    }
}

/// What an INSERT turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum InsertOutcome {
    /// Rows were given to the sink; how many were read.
    Rows(u64),
    /// INSERT … SELECT: nothing was given to the sink.
    Select(Box<InsertSelect>),
}

/// Whether a statement is for [`parse`]: its first word is INSERT or IMPORT.
pub fn is_insert(sql: &str) -> bool {
    let token = next_token(sql, 0);
    let word = &sql[token.start..token.end];
    word.eq_ignore_ascii_case("insert") || word.eq_ignore_ascii_case("import")
}

/// Reads an INSERT into `sink`.
pub fn parse(sql: &str, context: &InsertContext<'_>, sink: &mut dyn InsertSink) -> Result<InsertOutcome> {
    if sql.len() > MAX_STATEMENT {
        return Err(Error::new(code::SQL_STATEMENT_TOO_LONG));
    }
    if has_values(sql) {
        return clauses::Reader::new(sql, context, sink).statement().map(InsertOutcome::Rows);
    }
    match crate::parse(sql)? {
        Statement::InsertSelect(select) => Ok(InsertOutcome::Select(select)),
        _ => Err(Error::new(code::NOT_SUPPORTED_STMT_CLAUSE)),
    }
}

/// Whether VALUES, USING or FILE comes before any SELECT: what comes is for this parser, the rest for the tree's.
fn has_values(sql: &str) -> bool {
    let mut at = 0;
    loop {
        let token = next_token(sql, at);
        at = token.end;
        match token.kind {
            TokenKind::End | TokenKind::Illegal => return false,
            TokenKind::Word => match sql[token.start..token.end].to_ascii_lowercase().as_str() {
                "select" => return false,
                "values" | "using" | "file" => return true,
                _ => {}
            },
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests;
