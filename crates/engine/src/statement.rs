//! Prepared statements: parsed once, bound many times, column by column where the statement allows it.

mod parameters;

use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_buffer::BooleanBuffer;
use embudo_catalog::{Database, Schema, Supertable, Table, TableOptions};
use embudo_sql::ast::{ObjectName, Statement as Tree};
use embudo_sql::insert::{ColumnRole, Layout, LayoutColumn};
use embudo_sql::literal::{LiteralContext, convert_value};
use embudo_types::{Error, FieldRole, Outcome, Precision, Result, ResultSet, StatementField, Value, code};

use crate::batch_insert::{object_name, refuse_null};
use crate::bind::{Slot, convert, user_value};
use crate::insert::{check_table_name, no_column, no_table, rows_of};
use crate::pending::{Pending, Refusal, Target};
use crate::session::{Session, StatementContext};
use crate::template::InsertTemplate;
use crate::{dispatch, template};

/// Cells for one `?`, one a row.
#[derive(Clone, Debug)]
pub struct BoundCells {
    /// The cells; those that are not set are NULL here.
    pub array: ArrayRef,
    /// Which cells are set, `None`: all. One that is not leaves what the row already has.
    pub present: Option<BooleanBuffer>,
}

impl BoundCells {
    /// The cells of some rows.
    fn slice(&self, start: usize, rows: usize) -> Self {
        Self { array: self.array.slice(start, rows), present: self.present.as_ref().map(|present| present.slice(start, rows)) }
    }
}

impl From<&ArrayRef> for BoundCells {
    fn from(array: &ArrayRef) -> Self {
        Self { array: array.clone(), present: None }
    }
}

/// A prepared statement. `INSERT INTO ? [USING s TAGS(?, …)] [(columns)] VALUES(?, …)` takes a table name, tags and columns of cells, any
/// other statement its parameters.
#[derive(Debug)]
pub struct Statement {
    session: Session,
    sql: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// INSERT … VALUES whose cells are all `?`.
    Insert(Box<PreparedInsert>),
    /// INSERT of any other form: rows of parameters, each run by itself.
    Rowwise { parameters: usize, rows: Vec<Vec<Value>> },
    /// Anything else.
    Other(Box<Tree>, usize),
}

/// An INSERT that takes columns.
#[derive(Debug)]
struct PreparedInsert {
    template: InsertTemplate,
    table: Option<ObjectName>,
    tags: Option<Vec<Value>>,
    /// Where the last bound rows went: the same again costs no lookup.
    route: Option<Route>,
    pending: Pending,
    rows: u64,
}

/// What the set table is and takes.
#[derive(Debug)]
struct Route {
    database: Arc<Database>,
    target: Target,
    schema: Arc<Schema>,
    layout: Arc<Layout>,
}

impl Statement {
    pub(crate) fn prepare(session: Session, sql: &str) -> Result<Self> {
        let kind = if embudo_sql::insert::is_insert(sql) {
            match template::parse(sql) {
                Some(template) => {
                    let template = parameters::resolve(&session, sql, template);
                    let table = template.table.clone();
                    let insert = PreparedInsert { template, table, tags: None, route: None, pending: Pending::default(), rows: 0 };
                    Kind::Insert(Box::new(insert))
                }
                None => Kind::Rowwise { parameters: template::count_parameters(sql), rows: Vec::new() },
            }
        } else {
            Kind::Other(Box::new(embudo_sql::parse(sql)?), template::count_parameters(sql))
        };
        Ok(Self { session, sql: sql.into(), kind })
    }

    /// Whether this is INSERT … VALUES.
    pub fn is_insert(&self) -> bool {
        !matches!(self.kind, Kind::Other(..))
    }

    /// How many `?` there are.
    pub fn parameter_count(&self) -> usize {
        match &self.kind {
            Kind::Insert(insert) => insert.template.parameter_count(),
            Kind::Rowwise { parameters, .. } | Kind::Other(_, parameters) => *parameters,
        }
    }

    /// What the `?` of VALUES stand for; of an INSERT whose table is `?`, after [`set_table`](Self::set_table) or by its USING.
    pub fn columns(&mut self) -> Result<Vec<StatementField>> {
        let Self { session, sql, kind } = self;
        let Kind::Insert(insert) = kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        let mut fields = Vec::new();
        session.run(sql, &[], |context| {
            let (_, schema, layout) = insert.shape(context)?;
            drop(schema);
            let field = |column: &LayoutColumn| StatementField {
                name: column.name.clone(),
                data_type: column.data_type,
                precision: layout.precision,
                role: FieldRole::Column,
            };
            fields = layout.columns.iter().map(field).collect();
            Ok(ResultSet::affected(0))
        })?;
        Ok(fields)
    }

    /// What the `?` of TAGS stand for.
    pub fn tags(&self) -> Result<Vec<StatementField>> {
        let Kind::Insert(insert) = &self.kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        let mut fields = Vec::new();
        self.session.run(&self.sql, &[], |context| {
            let Some((database, supertable)) = insert.supertable(context)? else { return Ok(ResultSet::affected(0)) };
            let schema = supertable.schema();
            for place in insert.template.tag_places(&schema)? {
                let tag = &schema.tags[place];
                fields.push(StatementField { name: tag.name.to_string(), data_type: tag.data_type, precision: database.precision(), role: FieldRole::Tag });
            }
            Ok(ResultSet::affected(0))
        })?;
        Ok(fields)
    }

    /// Names the table of `INSERT INTO ?`: `[database.]table`.
    pub fn set_table(&mut self, name: &str) -> Result<()> {
        let Kind::Insert(insert) = &mut self.kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        let mut name = object_name(name)?;
        if name.database.is_none() && insert.template.mixed.is_some() {
            // Children lie where their supertable does.
            name.database = insert.template.supertable.as_ref().and_then(|supertable| supertable.database.clone());
        }
        if insert.table.as_ref() != Some(&name) {
            insert.table = Some(name);
            insert.route = None;
            insert.tags = None;
        }
        Ok(())
    }

    /// Gives the values of TAGS(?, …) for the table that is set.
    pub fn set_tags(&mut self, tags: &[Value]) -> Result<()> {
        let Kind::Insert(insert) = &mut self.kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        insert.tags = Some(tags.to_vec());
        insert.route = None;
        Ok(())
    }

    /// Adds rows: one array for each `?` of VALUES, all of the same length, of the type that [`columns`](Self::columns) gives or one
    /// that converts to it. Of an INSERT that is more than `?` in its rows, one array for each `?` of the whole statement.
    pub fn bind(&mut self, columns: &[ArrayRef]) -> Result<()> {
        self.bind_cells(&columns.iter().map(BoundCells::from).collect::<Vec<_>>())
    }

    /// [`bind`](Self::bind) where some cells may not be set. Of an INSERT that is more than `?` in its rows those are NULL.
    pub fn bind_cells(&mut self, columns: &[BoundCells]) -> Result<()> {
        let Self { session, sql, kind } = self;
        let count = columns.first().map_or(0, |cells| cells.array.len());
        let is_odd = |cells: &BoundCells| cells.array.len() != count || cells.present.as_ref().is_some_and(|present| present.len() != count);
        if columns.iter().any(is_odd) {
            return Err(Error::with(code::INVALID_PARAMETERS, "columns of different lengths"));
        }
        match kind {
            Kind::Insert(insert) => session.run(sql, &[], |context| insert.bind(context, columns, count).map(|()| ResultSet::affected(0))).map(drop),
            Kind::Rowwise { parameters, rows } => {
                if columns.len() != *parameters {
                    return Err(wrong_count());
                }
                for row in 0..count {
                    rows.push(columns.iter().map(|cells| user_value(&cells.array, row)).collect::<Result<_>>()?);
                }
                Ok(())
            }
            Kind::Other(..) => Err(Error::new(code::OPERATION_NOT_SUPPORTED)),
        }
    }

    /// Writes the rows that were bound since the last time as one atomic record, and returns how many. An INSERT that is more than `?` in
    /// its rows writes a record a row.
    pub fn execute(&mut self) -> Result<u64> {
        let Self { session, sql, kind } = self;
        match kind {
            Kind::Insert(insert) => {
                let rows = std::mem::take(&mut insert.rows);
                let pending = std::mem::take(&mut insert.pending);
                session.run(sql, &[], |_| {
                    let written = pending.commit();
                    if written.is_err() {
                        insert.route = None;
                    }
                    match written {
                        Ok(()) => Ok(ResultSet::affected(rows)),
                        Err(Refusal::Stale) => Err(Error::new(code::TABLE_SCHEMA_IS_OLD)),
                        Err(Refusal::Error(error)) => Err(error),
                    }
                })?;
                Ok(rows)
            }
            Kind::Rowwise { rows, .. } => {
                let mut written = 0;
                for row in std::mem::take(rows) {
                    if let Outcome::Affected(count) = session.execute(sql, &row)?.outcome {
                        written += count;
                    }
                }
                Ok(written)
            }
            Kind::Other(..) => Err(Error::new(code::OPERATION_NOT_SUPPORTED)),
        }
    }

    /// Runs a statement that is not INSERT … VALUES.
    pub fn query(&self, parameters: &[Value]) -> Result<ResultSet> {
        let Kind::Other(tree, count) = &self.kind else { return Err(Error::new(code::OPERATION_NOT_SUPPORTED)) };
        if parameters.len() != *count {
            return Err(wrong_count());
        }
        self.session.run(&self.sql, parameters, |context| dispatch::execute_parsed(context, tree))
    }
}

/// 0x0118: not one value for each `?`.
fn wrong_count() -> Error {
    Error::with(code::INVALID_PARAMETERS, "Invalid parameters: one value is needed for each ?")
}

impl PreparedInsert {
    /// The supertable of USING, where it is written.
    fn supertable(&self, context: &StatementContext<'_>) -> Result<Option<(Arc<Database>, Arc<Supertable>)>> {
        let Some(name) = &self.template.supertable else { return Ok(None) };
        let database = context.database_of(name)?;
        match database.table(&name.name) {
            Some(Table::Super(supertable)) => Ok(Some((database, supertable))),
            Some(_) => Err(Error::with(code::INVALID_OPERATION, "create table only from super table is allowed")),
            None => Err(no_table()),
        }
    }

    /// Schema and layout of the rows, before a table needs to be named where USING tells them.
    fn shape(&mut self, context: &StatementContext<'_>) -> Result<(Arc<Database>, Arc<Schema>, Arc<Layout>)> {
        let (database, schema) = if let Some((database, supertable)) = self.supertable(context)? {
            let schema = supertable.schema();
            (database, schema)
        } else {
            let name = self.table.as_ref().ok_or_else(no_table)?;
            let database = context.database_of(name)?;
            let schema = database.table(&name.name).ok_or_else(no_table)?.schema();
            (database, schema)
        };
        let layout = Arc::new(layout(&schema, &self.template.columns, database.precision())?);
        Ok((database, schema, layout))
    }

    fn route(&mut self, context: &StatementContext<'_>) -> Result<&Route> {
        if let Some(known) = &self.route
            && !is_current(known)
        {
            self.route = None;
        }
        if self.route.is_none() {
            let name = self.table.clone().ok_or_else(no_table)?;
            let database = context.database_of(&name)?;
            let (target, schema) = match database.table(&name.name) {
                Some(Table::Super(_)) => {
                    return Err(Error::with(code::SYNTAX_ERROR_IN_SQL, "(...tbname, ts...) bounded cols is expected for supertable insertion"));
                }
                Some(table) => {
                    let schema = table.schema();
                    (Target::Table(table), schema)
                }
                None => self.new_child(context, &name, &database)?,
            };
            let layout = Arc::new(layout(&schema, &self.template.columns, database.precision())?);
            self.route = Some(Route { database, target, schema, layout });
        }
        self.route.as_ref().ok_or_else(no_table)
    }

    fn new_child(&self, context: &StatementContext<'_>, name: &ObjectName, database: &Arc<Database>) -> Result<(Target, Arc<Schema>)> {
        let (owner, supertable) = self.supertable(context)?.ok_or_else(no_table)?;
        if !Arc::ptr_eq(&owner, database) {
            return Err(Error::new(code::CORRESPONDING_SUPER_TABLE_NOT_IN_THIS));
        }
        check_table_name(&name.name)?;
        let schema = supertable.schema();
        let literals = LiteralContext { zone: &context.zone, now: context.now, precision: database.precision(), parameters: &[] };
        let places = self.template.tag_places(&schema)?;
        let given = self.template.tag_values(self.tags.as_deref().unwrap_or(&[]))?;
        if places.len() != given.len() {
            return Err(Error::new(code::TAGS_NUMBER_NOT_MATCHED));
        }
        let mut tags = vec![Value::Null; schema.tags.len()];
        for (place, value) in places.into_iter().zip(given) {
            let tag = &schema.tags[place];
            tags[place] = match value {
                template::Cell::Bound(Value::Null) => Value::Null,
                template::Cell::Bound(value) => convert_value(&value, tag.data_type, &tag.name, &literals)?,
                template::Cell::Literal(literal) => embudo_sql::literal::convert(&literal, tag.data_type, &tag.name, &literals)?,
            };
        }
        Ok((Target::New { supertable, tags, options: TableOptions::default() }, schema))
    }

    fn bind(&mut self, context: &StatementContext<'_>, columns: &[BoundCells], count: usize) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let name = self.table.as_ref().map(|name| name.name.clone()).ok_or_else(no_table)?;
        let route = self.route(context)?;
        let (database, target, schema, layout) = (route.database.clone(), route.target.clone(), route.schema.clone(), route.layout.clone());
        if columns.len() != layout.columns.len() {
            return Err(wrong_count());
        }
        let literals = LiteralContext { zone: &context.zone, now: context.now, precision: database.precision(), parameters: &[] };
        let mut arrays = Vec::with_capacity(columns.len());
        for (column, cells) in layout.columns.iter().zip(columns) {
            let array = convert(&cells.array, Slot { name: &column.name, data_type: column.data_type }, &literals)?;
            refuse_null(column, &array)?;
            arrays.push(array);
        }
        let mut rows = rows_of(&schema, &layout, &arrays, 0, count)?;
        // The columns of the rows are those of the layout but for the key, in its order.
        let values = layout.columns.iter().zip(columns).filter(|(column, _)| column.role == ColumnRole::Value);
        for (column, (_, cells)) in rows.columns.iter_mut().zip(values) {
            column.present.clone_from(&cells.present);
        }
        let number = self.pending.database(&database, context.now);
        let table = self.pending.add_table(context, number, &name, target, schema)?;
        self.pending.add_rows(number, table, rows)?;
        self.rows += count as u64;
        Ok(())
    }
}

/// Whether a table is still as it was looked up; a missing child is looked up again, since the last execute may have made it.
fn is_current(route: &Route) -> bool {
    match &route.target {
        Target::Table(table) => {
            let now = route.database.table(table.name());
            now.is_some_and(|now| now.uid() == table.uid() && Arc::ptr_eq(&now.schema(), &route.schema))
        }
        Target::New { .. } => false,
    }
}

/// What the cells of a row are: the named columns, or all.
fn layout(schema: &Schema, names: &[String], precision: Precision) -> Result<Layout> {
    let places: Vec<usize> = if names.is_empty() {
        (0..schema.columns.len()).collect()
    } else {
        names.iter().map(|name| schema.column(name).ok_or_else(|| no_column(name))).collect::<Result<_>>()?
    };
    if !places.contains(&0) {
        return Err(Error::with(code::INVALID_OPERATION, "Primary timestamp column should not be null"));
    }
    let columns = places
        .into_iter()
        .map(|at| {
            let column = &schema.columns[at];
            let role = match at {
                0 => ColumnRole::Timestamp,
                _ if column.primary_key => ColumnRole::Key,
                _ => ColumnRole::Value,
            };
            LayoutColumn { name: column.name.to_string(), data_type: column.data_type, role }
        })
        .collect();
    Ok(Layout { precision, supertable: false, keyed: schema.key().is_some(), columns })
}
