//! Prepared statements of the embedded transport: the engine's own.

use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::DataType as ArrowType;
use embudo_engine::{BoundCells, Session};
use embudo_types::{DataType, Error, FieldRole, Result, ResultSet, StatementField, code};

use crate::{
    ingest::{Column, convert},
    statement::{BoundColumn, Statement, TableBind, parameter, plain_ticks},
};

/// A statement of a session in this process.
pub struct EmbeddedStatement {
    session: Arc<Session>,
    statement: embudo_engine::Statement,
}

impl EmbeddedStatement {
    /// Prepares a statement.
    pub fn prepare(session: Arc<Session>, sql: &str) -> Result<Self> {
        let statement = session.statement(sql)?;
        Ok(Self { session, statement })
    }

    fn add(&mut self, table: TableBind) -> Result<()> {
        if let Some(name) = &table.name {
            self.statement.set_table_name(name)?;
        }
        if !table.tags.is_empty() {
            let tags = self.tags(table.tags)?;
            self.statement.set_tag_cells(&tags)?;
        }
        if table.columns.is_empty() { Ok(()) } else { self.statement.bind_cells(&cells(table.columns)) }
    }

    /// Tags as the engine takes them: instants become ticks of the database's precision.
    fn tags(&mut self, tags: Vec<BoundColumn>) -> Result<Vec<ArrayRef>> {
        let has_instants = tags.iter().any(|tag| matches!(tag.array.data_type(), ArrowType::Timestamp(..)));
        let fields = if has_instants { self.statement.parameters()? } else { Vec::new() };
        let mut fields = fields.iter().filter(|field| field.role == FieldRole::Tag);
        let cell = |tag: BoundColumn| match (tag.array.data_type(), fields.next()) {
            (ArrowType::Timestamp(..), Some(field)) => {
                let rows = tag.array.len();
                let column = Column::Array(tag.array);
                let moved = convert(&field.name, &column, field.data_type, field.precision, rows, false, &self.session.zone())?;
                Ok(if field.data_type == DataType::Timestamp { plain_ticks(&moved) } else { moved })
            }
            _ => Ok(tag.array),
        };
        tags.into_iter().map(cell).collect()
    }
}

impl Statement for EmbeddedStatement {
    fn is_insert(&self) -> bool {
        self.statement.is_insert()
    }

    fn parameter_count(&mut self) -> Result<usize> {
        Ok(self.statement.parameter_count())
    }

    fn fields(&mut self) -> Result<Vec<StatementField>> {
        if !self.statement.is_insert() {
            return Err(Error::new(code::STMT_API_USAGE_ERROR));
        }
        if self.statement.lacks_table() && !self.statement.names_supertable() {
            return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET));
        }
        self.statement.parameters()
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        self.statement.set_table_name(name)
    }

    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()> {
        let bound = tables.into_iter().try_for_each(|table| self.add(table));
        if bound.is_err() {
            self.statement.clear();
        }
        bound
    }

    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        let bound = self.statement.bind_parameter_cells(&cells(columns));
        if bound.is_err() {
            self.statement.clear();
        }
        bound
    }

    fn execute(&mut self) -> Result<u64> {
        self.statement.execute()
    }

    fn query(&mut self, parameters: Vec<BoundColumn>) -> Result<ResultSet> {
        let cells = parameters.into_iter().map(|column| parameter(column).map(|column| column.array)).collect::<Result<Vec<_>>>()?;
        self.statement.query_cells(&cells)
    }
}

fn cells(columns: Vec<BoundColumn>) -> Vec<BoundCells> {
    columns.into_iter().map(|BoundColumn { data_type: _, array, present }| BoundCells { array, present }).collect()
}
