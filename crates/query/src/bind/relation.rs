//! FROM, bound: which columns there are, by which names, and where their rows come from.

use std::sync::Arc;

use embudo_catalog::{Children, Schema};
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_storage::{ColumnId, Snapshot, Uid};
use embudo_types::{DataType, Error, Precision, Result, Value, code};

use crate::plan::{JoinPlan, RowsPlan};

/// Type of `tbname`: 192 bytes of name and what TDengine's header adds to its metadata.
pub(crate) const TABLE_NAME_TYPE: DataType = DataType::Varchar(270);

/// The table name that no SQL can write: a column under it is meant by its place.
pub(crate) const BY_PLACE: &str = "\0";

/// A bound FROM clause.
pub(crate) struct Relation {
    /// Every column that a name can mean, in the order of `*`.
    pub columns: Vec<Column>,
    /// Place of the primary timestamp, where the rows have one.
    pub timeline: Option<usize>,
    /// Whether rows come (or can come) in the order of that timestamp.
    pub ordered: bool,
    /// Precision of time literals.
    pub precision: Precision,
    /// Of a WINDOW join: what aggregates group by.
    pub driver: Option<Driver>,
    /// Where rows come from.
    pub origin: Origin,
}

/// The driving side of a WINDOW join, whose aggregates are over the rows near each of its rows.
#[derive(Clone, Debug)]
pub(crate) struct Driver {
    /// Place of the column that numbers its rows.
    pub row: usize,
    /// Places of its columns.
    pub columns: std::ops::Range<usize>,
}

/// A column of a relation.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    /// Name or alias of its table; empty for a subquery without one.
    pub table: Arc<str>,
    /// Its name; `None` for what no name can mean, an expression without an alias in a subquery.
    pub name: Option<Arc<str>>,
    /// The name that `*` gives it.
    pub label: Arc<str>,
    /// Its type.
    pub data_type: DataType,
    /// Of its ticks.
    pub precision: Precision,
    /// Where its cells come from.
    pub source: ColumnSource,
    /// Whether `*` shows it.
    pub listed: bool,
}

/// Where the cells of a column come from.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum ColumnSource {
    /// The primary timestamp of a stored table.
    Timestamp,
    /// A stored column.
    Stored(ColumnId),
    /// A tag, by place in the schema.
    Tag(usize),
    /// `tbname`.
    TableName,
    /// A column of the rows below, by place.
    Output(usize),
    /// The same value in every row, such as `_qstart`.
    Constant(Value),
}

/// Where rows come from.
pub(crate) enum Origin {
    /// No FROM: one row without columns.
    Nothing,
    /// A stored table.
    Table(Arc<TableOrigin>),
    /// A subquery or a system table.
    Rows(RowsPlan),
    /// A join.
    Join(Arc<JoinPlan>),
}

/// A stored table with its children.
pub(crate) struct TableOrigin {
    /// Its name, for EXPLAIN.
    pub name: Arc<str>,
    /// What kind it is.
    pub kind: TableKind,
    /// Columns and tags.
    pub schema: Arc<Schema>,
    /// Its database's name.
    pub database: Arc<str>,
    /// How many vgroups the database has.
    pub vgroups: u32,
    /// What is visible.
    pub snapshot: Snapshot,
}

/// The kinds of stored tables.
pub(crate) enum TableKind {
    /// A supertable: its children at one moment.
    Super(Children),
    /// One child of a supertable.
    Child {
        /// The supertable's children.
        children: Children,
        /// Which.
        slot: u32,
    },
    /// A normal table.
    Normal(Uid),
}

impl TableOrigin {
    /// Whether it is one table's rows.
    pub(crate) fn is_single(&self) -> bool {
        !matches!(self.kind, TableKind::Super(_))
    }

    /// The composite key column.
    pub(crate) fn key(&self) -> Option<(ColumnId, DataType)> {
        self.schema.key().map(|column| (column.id, column.data_type))
    }
}

impl Relation {
    /// No FROM.
    pub(crate) fn nothing() -> Self {
        Self { columns: Vec::new(), timeline: None, ordered: false, precision: Precision::Milli, driver: None, origin: Origin::Nothing }
    }

    /// The stored table, where it is one.
    pub(crate) fn table(&self) -> Option<&TableOrigin> {
        if let Origin::Table(table) = &self.origin { Some(table) } else { None }
    }

    /// The same stored table once more; its columns and snapshot are shared.
    pub(crate) fn shared(&self) -> Result<Self> {
        let Origin::Table(origin) = &self.origin else { return Err(Error::internal("only a stored table can be shared")) };
        Ok(Self {
            columns: self.columns.clone(),
            timeline: self.timeline,
            ordered: self.ordered,
            precision: self.precision,
            driver: None,
            origin: Origin::Table(Arc::clone(origin)),
        })
    }

    /// Whether the rows are one child's or one normal table's, so that `tbname` and tags are the same in all.
    pub(crate) fn is_single_table(&self) -> bool {
        self.table().is_some_and(TableOrigin::is_single)
    }

    /// Whether the engine makes the rows up.
    pub(crate) fn is_system_table(&self) -> bool {
        matches!(self.origin, Origin::Rows(RowsPlan::Batch { .. }))
    }

    /// Whether the rows are a join's.
    pub(crate) fn is_join(&self) -> bool {
        matches!(self.origin, Origin::Join(_))
    }

    /// Whether a column is the same in all rows of a child table.
    pub(crate) fn is_per_table(&self, column: usize) -> bool {
        matches!(self.columns[column].source, ColumnSource::Tag(_) | ColumnSource::TableName | ColumnSource::Constant(_))
    }

    /// The place of the column that `expr` names: a column, a tag, `tbname`, `_rowts`. `None` where it is something else.
    pub(crate) fn find(&self, expr: &Expr) -> Result<Option<usize>> {
        match expr {
            Expr::Column { table: Some(table), name } if table == BY_PLACE => Ok(name.parse().ok().filter(|at| *at < self.columns.len())),
            Expr::Column { table, name } => self.find_column(table.as_deref(), name).map(Some),
            Expr::Pseudo { table, column: PseudoColumn::TableName, .. } => {
                if let Some(table) = table {
                    self.check_table(table)?;
                }
                let matches = |column: &Column| column.source == ColumnSource::TableName || column.name.as_deref() == Some("tbname");
                let mut found =
                    (0..self.columns.len()).filter(|at| matches(&self.columns[*at]) && table.as_ref().is_none_or(|table| *self.columns[*at].table == **table));
                match (found.next(), found.next()) {
                    (Some(at), None) => Ok(Some(at)),
                    (Some(_), Some(_)) => Err(ambiguous("tbname")),
                    (None, _) => Err(Error::with(code::INVALID_COLUMN_NAME, "Invalid column name: tbname")),
                }
            }
            Expr::Pseudo { table, column: PseudoColumn::RowTimestamp, text } => {
                if let Some(table) = table {
                    self.check_table(table)?;
                }
                // A subquery may hand its own `_rowts` up under that name.
                let named = self.columns.iter().position(|column| column.name.as_deref() == Some(text.as_str()));
                let place = named.or_else(|| {
                    let of_table = |column: &Column| table.as_ref().is_none_or(|table| *column.table == **table) && column.data_type == DataType::Timestamp;
                    self.timeline.filter(|at| of_table(&self.columns[*at])).or_else(|| table.as_ref().and_then(|_| self.columns.iter().position(of_table)))
                });
                place.map(Some).ok_or_else(|| Error::new(code::INVALID_TIMELINE_FUNCTION))
            }
            // What a window below has put out under its own name.
            Expr::Pseudo { table, text, .. } => {
                let matches = |column: &Column| column.name.as_deref() == Some(text.as_str()) && table.as_ref().is_none_or(|table| *column.table == **table);
                Ok(self.columns.iter().position(matches))
            }
            _ => Ok(None),
        }
    }

    fn find_column(&self, table: Option<&str>, name: &str) -> Result<usize> {
        if let Some(table) = table {
            self.check_table(table)?;
        }
        let matches = |column: &Column| {
            column.source != ColumnSource::TableName && column.name.as_deref() == Some(name) && table.is_none_or(|table| *column.table == *table)
        };
        let mut found = (0..self.columns.len()).filter(|at| matches(&self.columns[*at]));
        match (found.next(), found.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(ambiguous(name)),
            (None, _) => Err(Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))),
        }
    }

    /// An error unless a table or alias of that name is in FROM.
    pub(crate) fn check_table(&self, table: &str) -> Result<()> {
        if self.columns.iter().any(|column| *column.table == *table) {
            return Ok(());
        }
        Err(Error::with(code::TABLE_DOES_NOT_EXIST_2603, format!("Table does not exist: {table}")))
    }
}

fn ambiguous(name: &str) -> Error {
    Error::with(code::COLUMN_AMBIGUOUSLY_DEFINED, format!("Column ambiguously defined: {name}"))
}
