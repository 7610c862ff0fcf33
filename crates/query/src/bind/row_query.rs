//! A query that makes of each row at most one: a select list of scalar expressions over one stored table, with WHERE. For who has the
//! rows at hand, as topics have those of the log.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use embudo_catalog::Table;
use embudo_expr::{Binder, BoundExpr};
use embudo_sql::ast::expr::Expr;
use embudo_sql::ast::query::{Query, QueryBody, Select, TableRef};
use embudo_storage::{ColumnId, TIMESTAMP_COLUMN};
use embudo_types::{DataType, Error, Precision, Result, code};

use super::relation::{ColumnSource, Relation};
use super::scope::{RowScope, has_aggregate, has_interp, series_call};
use super::{from, items};
use crate::QueryContext;
use crate::array::{null_array, selected, take};
use crate::plan::OutputColumn;
use crate::run::block::evaluate_condition;

/// A bound query over rows as they come.
#[derive(Debug)]
pub struct RowQuery {
    database: String,
    table: Table,
    inputs: Vec<RowInput>,
    columns: Vec<ColumnId>,
    filter: Option<BoundExpr>,
    items: Vec<BoundExpr>,
    schema: Arc<Schema>,
}

/// What [`RowQuery::evaluate`] is to be given at one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowInput {
    /// Where its cells come from.
    pub source: RowSource,
    /// Their type.
    pub data_type: DataType,
    /// Of its ticks.
    pub precision: Precision,
}

/// Where the cells of an input come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowSource {
    /// The primary timestamp.
    Timestamp,
    /// A column, the composite key's among them.
    Column(ColumnId),
    /// A tag.
    Tag(ColumnId),
    /// `tbname`.
    TableName,
}

impl RowQuery {
    /// Binds a query; 0x2639 "Invalid topic query" where it makes anything but rows of rows of one table. With `known` columns, `*` means no
    /// others, so that what it meant stays.
    pub fn bind(query: &Query, context: &QueryContext, known: Option<&[ColumnId]>) -> Result<Self> {
        let (select, database, name) = simple(query)?;
        let database = from::database_name(database, context)?.to_owned();
        let mut relation = from::bind(select.from.as_ref(), None, context)?;
        let table_schema = relation.table().ok_or_else(invalid)?.schema.clone();
        let table = context.catalog.database(&database)?.table(name).ok_or_else(invalid)?;
        let id_of = |source: &ColumnSource| match source {
            ColumnSource::Stored(id) => Some(*id),
            ColumnSource::Tag(at) => table_schema.tags.get(*at).map(|tag| tag.id),
            _ => None,
        };
        if let Some(known) = known {
            relation.columns.iter_mut().for_each(|column| column.listed &= id_of(&column.source).is_none_or(|id| known.contains(&id)));
        }
        let bound = BoundSelect::new(select, &relation, context)?;
        let input = |place: &usize| {
            let column = &relation.columns[*place];
            let source = match (&column.source, id_of(&column.source)) {
                (ColumnSource::Timestamp, _) => RowSource::Timestamp,
                (ColumnSource::TableName, _) => RowSource::TableName,
                (ColumnSource::Tag(_), Some(id)) => RowSource::Tag(id),
                (_, Some(id)) => RowSource::Column(id),
                _ => return Err(invalid()),
            };
            Ok(RowInput { source, data_type: column.data_type, precision: column.precision })
        };
        let inputs = bound.inputs.iter().map(input).collect::<Result<Vec<_>>>()?;
        let columns = inputs.iter().filter_map(|input| input.source.column()).collect();
        Ok(Self { database, table, inputs, columns, filter: bound.filter, items: bound.items, schema: Arc::new(Schema::new(bound.fields)) })
    }

    /// The database of its table.
    pub fn database(&self) -> &str {
        &self.database
    }

    /// The table in FROM.
    pub fn table(&self) -> &Table {
        &self.table
    }

    /// Its result's fields.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// What [`evaluate`](Self::evaluate) needs, by place.
    pub fn inputs(&self) -> &[RowInput] {
        &self.inputs
    }

    /// Columns and tags that it uses.
    pub fn columns(&self) -> &[ColumnId] {
        &self.columns
    }

    /// Whether tags and names alone decide which rows there are.
    pub fn is_per_table(&self) -> bool {
        self.inputs.iter().all(|input| matches!(input.source, RowSource::Tag(_) | RowSource::TableName))
    }

    /// The rows of the result: `inputs` hold `rows` cells each, in the Arrow types of [`inputs`](Self::inputs). `None` where WHERE leaves none.
    pub fn evaluate(&self, mut inputs: Vec<ArrayRef>, mut rows: usize) -> Result<Option<RecordBatch>> {
        if let Some(filter) = &self.filter
            && let Some(picked) = selected(&evaluate_condition(filter, &inputs, rows)?)
        {
            rows = picked.len();
            inputs = inputs.iter().map(|array| take(array, &picked)).collect::<Result<_>>()?;
        }
        if rows == 0 {
            return Ok(None);
        }
        let cell = |(item, field): (&BoundExpr, &Arc<Field>)| {
            let array = item.evaluate(&inputs, rows)?;
            Ok(if array.data_type() == field.data_type() { array } else { null_array(field.data_type(), rows) })
        };
        let columns = self.items.iter().zip(self.schema.fields()).map(cell).collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options);
        batch.map(Some).map_err(|source| Error::internal(&source).caused_by(source))
    }
}

impl RowSource {
    /// The column or tag.
    fn column(self) -> Option<ColumnId> {
        match self {
            Self::Timestamp => Some(TIMESTAMP_COLUMN),
            Self::Column(id) | Self::Tag(id) => Some(id),
            Self::TableName => None,
        }
    }
}

/// The select list and WHERE over a relation.
struct BoundSelect {
    /// Places of the relation's columns that are read.
    inputs: Vec<usize>,
    filter: Option<BoundExpr>,
    items: Vec<BoundExpr>,
    fields: Vec<Field>,
}

impl BoundSelect {
    fn new(select: &Select, relation: &Relation, context: &QueryContext) -> Result<Self> {
        let items = items::expand(select, relation)?;
        let is_row = |expr: &Expr| !has_aggregate(expr) && series_call(expr).is_none() && !has_interp(expr);
        if !items.iter().all(|item| is_row(&item.expr)) || !select.filter.as_ref().is_none_or(is_row) {
            return Err(invalid());
        }
        let bind_context = context.bind_context(relation.precision);
        let scope = RowScope::new(relation, code::INVALID_TOPIC_QUERY);
        let binder = Binder::new(&bind_context, &scope);
        let bound = items.iter().map(|item| binder.bind(&item.expr)).collect::<Result<Vec<_>>>()?;
        let filter = select.filter.as_ref().map(|filter| binder.bind_condition(filter)).transpose()?;
        let field = |(item, expr): (&items::Item, &BoundExpr)| {
            let data_type = if expr.data_type() == DataType::Null { DataType::Varchar(0) } else { expr.data_type() };
            OutputColumn { name: item.name.clone(), named: item.named, data_type, precision: expr.precision() }.field()
        };
        let fields = items.iter().zip(&bound).map(field).collect();
        Ok(Self { inputs: scope.into_inputs(), filter, items: bound, fields })
    }
}

fn invalid() -> Error {
    Error::new(code::INVALID_TOPIC_QUERY)
}

/// The SELECT of a query that makes nothing but rows of rows, with the database and the name in its FROM.
fn simple(query: &Query) -> Result<(&Select, Option<&str>, &str)> {
    let QueryBody::Select(select) = &query.body else { return Err(invalid()) };
    let Some(TableRef::Table { database, name, .. }) = &select.from else { return Err(invalid()) };
    let is_whole = query.order_by.is_empty() && query.limit.is_none() && query.slimit.is_none();
    let is_plain = !select.distinct && !select.tags_only && select.partition_by.is_empty() && select.group_by.is_empty();
    let is_rows = select.window.is_none() && select.having.is_none() && select.range.is_none() && select.every.is_none() && select.fill.is_none();
    if is_whole && is_plain && is_rows { Ok((select, database.as_deref(), name)) } else { Err(invalid()) }
}
