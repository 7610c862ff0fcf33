//! What a CREATE STREAM statement may say, and the query that computes its windows: its own select list, then what names the child
//! that a row goes to.

use std::sync::Arc;

use arrow_schema::{DataType as ArrowType, Field};
use embudo_catalog::{Database, Schema, Table};
use embudo_expr::BindContext;
use embudo_query::{QueryContext, interval_grid};
use embudo_sql::ast::administration::{CreateStream, StreamTag, StreamTrigger};
use embudo_sql::ast::expr::{Expr, Literal, PseudoColumn};
use embudo_sql::ast::query::{Fill, PartitionItem, Query, QueryBody, Select, SelectItem, TableRef, Window, WindowDuration};
use embudo_types::{DataType, Duration, Error, Precision, Result, arrow, code};

use super::compute::GROUP_ID;
use super::progress::{Rules, Shape, Trigger};

/// Functions whose result over some windows cannot be had from these windows' rows alone, or that give no row a window.
const REFUSED: &[&str] = &[
    "leastsquares",
    "percentile",
    "top",
    "bottom",
    "elapsed",
    "interp",
    "derivative",
    "irate",
    "twa",
    "histogram",
    "diff",
    "statecount",
    "stateduration",
    "csum",
    "mavg",
    "sample",
    "tail",
    "unique",
    "mode",
];

/// The shortest `MAX_DELAY` in milliseconds.
const SHORTEST_DELAY: i64 = 5_000;

/// A stream that can run.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The database of the source.
    pub database: Arc<Database>,
    /// The source when the plan was made.
    pub source: Table,
    /// The query, without the range that a step adds.
    pub select: Select,
    /// The statement's own columns, the first ones of the query's.
    pub fields: Vec<Field>,
    /// Names of the target's columns that they go to.
    pub columns: Vec<String>,
    /// Keys of PARTITION BY, which follow.
    pub partitions: usize,
    /// TAGS, which follow: names and types.
    pub tags: Vec<(String, DataType)>,
    /// Whether a child's name follows.
    pub subtable: bool,
    /// Where the start of the row's window stands among the columns, with its end behind it where windows float.
    pub starts: Option<usize>,
    /// Whether the first column is that start, or the row's own time.
    pub keyed_by_start: bool,
    /// The target, and the database that it is in.
    pub target: String,
    /// See `target`.
    pub target_database: String,
    /// Whether the target has a tag for the group's number.
    pub groups_are_tagged: bool,
    /// Whether each table is a group of its own.
    pub by_table: bool,
    /// Whether windows without rows are made.
    pub fills: bool,
    /// When what is written.
    pub rules: Rules,
}

fn refused(text: impl Into<String>) -> Error {
    Error::with(code::INVALID_STREAM_QUERY, text)
}

/// Ticks of an option's duration.
fn ticks(duration: Duration, precision: Precision) -> Result<i64> {
    duration.ticks(precision).ok_or_else(|| Error::new(code::INVALID_STREAM_OPTION))
}

impl Plan {
    /// Checks a statement and makes its plan.
    pub fn new(statement: &CreateStream, context: &Arc<QueryContext>) -> Result<Self> {
        let mut select = only_select(&statement.query)?;
        let (database, source) = source(&select, context)?;
        let windowed = select.window.is_some();
        let is_super = matches!(source, Table::Super(_));
        let by_tbname = select.partition_by.iter().any(|item| matches!(item.expr, Expr::Pseudo { column: PseudoColumn::TableName, .. }));
        check_functions(&select)?;
        check_shape(&select, statement, is_super, by_tbname, source.schema().key().is_some())?;
        name_partitions(&mut select.partition_by);
        let schema = source.schema();
        let time = &*schema.columns[0].name;
        let fields = own_items(&mut select, time, context)?;
        let precision = database.precision();
        let rules = rules(&select, statement, precision, context)?;
        let target_database = statement.target.database.clone().or_else(|| context.database.clone());
        let target_database = target_database.ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))?;
        let target = target(&target_database, &statement.target.name, context)?;
        let columns = columns(statement, &fields, target.as_ref())?;
        refuse_doubles(&columns)?;
        let aliases: Vec<(String, Expr)> = select.partition_by.iter().filter_map(|item| item.alias.clone().map(|alias| (alias, item.expr.clone()))).collect();
        let keys: Vec<Expr> = select.partition_by.iter().map(|item| item.expr.clone()).collect();
        let keyed_by_start = match &select.items[0].expr {
            Expr::Pseudo { column: PseudoColumn::WindowStart, .. } => true,
            Expr::Pseudo { column: PseudoColumn::RowTimestamp, .. } => !windowed,
            Expr::Column { name, .. } => !windowed && **name == *source.schema().columns[0].name,
            _ => false,
        };
        let mut hidden = keys.clone();
        let tags = statement.tags.iter().map(|tag| tag_expression(&tag.name, &aliases)).collect::<Result<Vec<_>>>()?;
        hidden.extend(tags.iter().cloned());
        if let Some(subtable) = &statement.subtable {
            hidden.push(with_aliases(subtable, &aliases));
        }
        let starts = windowed.then_some(fields.len() + hidden.len());
        hidden.extend(windowed.then(|| pseudo(PseudoColumn::WindowStart)));
        hidden.extend(matches!(rules.shape, Shape::Floating(_)).then(|| pseudo(PseudoColumn::WindowEnd)));
        for (at, expr) in hidden.into_iter().enumerate() {
            select.items.push(SelectItem { expr, alias: Some(format!("#{at}")), text: String::new() });
        }
        // Aliases of PARTITION BY are for TAGS and SUBTABLE only.
        select.partition_by.iter_mut().for_each(|item| item.alias = None);
        let all = describe(&select, time, context)?;
        if let Some(field) = all.get(fields.len() + keys.len() + tags.len()).filter(|_| statement.subtable.is_some())
            && !matches!(arrow::data_type(field)?, DataType::Varchar(_))
        {
            return Err(refused("SUBTABLE expression must be of VARCHAR type"));
        }
        let types = all.iter().skip(fields.len() + keys.len());
        let tag_type = |tag: &StreamTag, field: &Field| tag.data_type.map_or_else(|| arrow::data_type(field), Ok);
        let tags: Vec<_> = statement.tags.iter().zip(types).map(|(tag, field)| Ok((tag.name.clone(), tag_type(tag, field)?))).collect::<Result<_>>()?;
        let has_group = target.is_none_or(|schema| schema.tag(GROUP_ID).is_some());
        Ok(Self {
            by_table: !is_super || by_tbname,
            fills: windowed && !matches!(select.fill, None | Some(Fill::None)),
            database,
            source,
            select,
            fields,
            columns,
            partitions: keys.len(),
            tags,
            subtable: statement.subtable.is_some(),
            starts,
            keyed_by_start,
            target: statement.target.name.clone(),
            target_database,
            groups_are_tagged: statement.tags.is_empty() && has_group,
            rules,
        })
    }
}

/// The one SELECT of a stream's query.
fn only_select(query: &Query) -> Result<Select> {
    if !query.order_by.is_empty() || query.limit.is_some() || query.slimit.is_some() {
        return Err(refused("Unsupported stream query"));
    }
    let QueryBody::Select(select) = &query.body else { return Err(refused("Unsupported stream query")) };
    let unsupported = select.tags_only || select.distinct || !select.group_by.is_empty() || select.range.is_some() || select.every.is_some();
    if unsupported { Err(refused("Unsupported stream query")) } else { Ok((**select).clone()) }
}

/// The real table in FROM.
fn source(select: &Select, context: &Arc<QueryContext>) -> Result<(Arc<Database>, Table)> {
    let Some(TableRef::Table { database, name, .. }) = &select.from else { return Err(refused("Unsupported stream query")) };
    let database = database.as_deref().or(context.database.as_deref()).ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))?;
    if crate::system_tables::is_system_database(database) {
        return Err(refused("Unsupported stream query"));
    }
    let database = context.catalog.database(database)?;
    if database.options().wal_retention_period == 0 {
        return Err(Error::new(code::WAL_RETENTION_PERIOD_IS_ZERO));
    }
    if database.view(name).is_some() {
        return Err(refused("Unsupported stream query"));
    }
    let table = database.table(name).ok_or_else(|| Error::new(code::TABLE_DOES_NOT_EXIST_2603))?;
    Ok((database, table))
}

/// The target's schema, if it is there already.
fn target(database: &str, name: &str, context: &Arc<QueryContext>) -> Result<Option<Arc<Schema>>> {
    match context.catalog.database(database)?.table(name) {
        None => Ok(None),
        Some(Table::Super(supertable)) => Ok(Some(supertable.schema())),
        Some(_) => Err(refused("Stream can only be written to super table")),
    }
}

/// The target's columns that the statement's go to: those it lists, those of the target in their order, or its own names.
fn columns(statement: &CreateStream, fields: &[Field], target: Option<&Arc<Schema>>) -> Result<Vec<String>> {
    if !statement.columns.is_empty() {
        let columns: Vec<_> = statement.columns.iter().map(|column| column.name.clone()).collect();
        let unknown = columns.iter().find(|name| target.is_some_and(|schema| schema.column(name).is_none()));
        return match unknown {
            Some(name) => Err(crate::insert::no_column(name)),
            None if columns.len() == fields.len() => Ok(columns),
            None => Err(Error::new(code::ILLEGAL_NUMBER_OF_COLUMNS)),
        };
    }
    match target {
        Some(schema) if schema.columns.len() != fields.len() => Err(Error::new(code::ILLEGAL_NUMBER_OF_COLUMNS)),
        Some(schema) => Ok(schema.columns.iter().map(|column| column.name.to_string()).collect()),
        None => Ok(fields.iter().map(|field| field.name().clone()).collect()),
    }
}

fn check_shape(select: &Select, statement: &CreateStream, is_super: bool, by_tbname: bool, keyed: bool) -> Result<()> {
    let floating = matches!(select.window, Some(Window::Session { .. } | Window::State(_) | Window::Event { .. } | Window::Count { .. }));
    if is_super && floating && !by_tbname {
        return Err(refused("Session, state, event and count windows of a supertable need PARTITION BY tbname"));
    }
    if is_super && select.window.is_none() && !by_tbname {
        return Err(refused("Unsupported stream query"));
    }
    if keyed && floating && !matches!(select.window, Some(Window::Session { .. })) {
        return Err(refused("Source table of stream query must not has primary key"));
    }
    let options = &statement.options;
    if select.window.is_none() && options.trigger != Some(StreamTrigger::AtOnce) {
        return Err(refused("The trigger mode of non window query can only be AT_ONCE"));
    }
    if matches!(select.window, Some(Window::Count { .. })) {
        if options.watermark.is_none_or(|watermark| watermark.value <= 0) {
            return Err(refused("For COUNT_WINDOW, WATERMARK must be greater than 0"));
        }
        if options.ignore_expired == Some(false) {
            return Err(refused("For COUNT_WINDOW, IGNORE EXPIRED must be 1"));
        }
    }
    Ok(())
}

/// 0x265A for a function that streams cannot have; 0x2645 for aggregates without windows.
fn check_functions(select: &Select) -> Result<()> {
    let mut outcome = Ok(());
    let windowed = select.window.is_some();
    for item in &select.items {
        item.expr.walk(&mut |expr| {
            let Expr::Function { name, .. } = expr else { return };
            if outcome.is_err() {
                return;
            }
            if REFUSED.contains(&name.as_str()) {
                outcome = Err(Error::with(code::STREAM_QUERY, format!("{name} function is not supported in stream query")));
            } else if !windowed && embudo_expr::aggregate::lookup(name).is_some() {
                outcome = Err(refused("Unsupported stream query"));
            }
        });
    }
    outcome
}

/// Gives every key of PARTITION BY the name that TAGS and SUBTABLE know it by.
fn name_partitions(items: &mut [PartitionItem]) {
    for item in items {
        if item.alias.is_none() {
            item.alias = match &item.expr {
                Expr::Column { name, .. } => Some(name.clone()),
                Expr::Pseudo { column: PseudoColumn::TableName, .. } => Some("tbname".to_owned()),
                _ => None,
            };
        }
    }
}

/// The columns of a query over some range of time, as FILL asks for one.
fn describe(select: &Select, time: &str, context: &Arc<QueryContext>) -> Result<Vec<Field>> {
    let mut select = select.clone();
    select.partition_by.iter_mut().for_each(|item| item.alias = None);
    select.restrict(time_between(time, 0, 0));
    embudo_query::describe(&Query { body: QueryBody::Select(Box::new(select)), order_by: Vec::new(), slimit: None, limit: None }, context)
}

/// Whether a time lies in a closed range of ticks.
pub(super) fn time_between(time: &str, start: i64, end: i64) -> Expr {
    let tick = |tick: i64| Box::new(Expr::Literal(Literal::Integer(tick)));
    let time = Expr::Column { table: None, name: time.to_owned() };
    Expr::Between { expr: Box::new(time), low: tick(start), high: tick(end), negated: false }
}

/// The statement's own columns, `_wstart` put before them where the first is no time.
fn own_items(select: &mut Select, time: &str, context: &Arc<QueryContext>) -> Result<Vec<Field>> {
    let is_time = |fields: &[Field]| fields.first().is_some_and(|field| matches!(field.data_type(), ArrowType::Timestamp(..)));
    let mut fields = describe(select, time, context)?;
    if !is_time(&fields) {
        if select.window.is_none() {
            return Err(refused("The first column of the stream query must be timestamp"));
        }
        select.items.insert(0, SelectItem { expr: pseudo(PseudoColumn::WindowStart), alias: None, text: "_wstart".into() });
        fields = describe(select, time, context)?;
    }
    for field in &fields {
        if arrow::data_type(field)? == DataType::Json {
            return Err(refused("JSON type is not supported in a stream's result"));
        }
    }
    Ok(fields)
}

fn pseudo(column: PseudoColumn) -> Expr {
    let text = if column == PseudoColumn::WindowStart { "_wstart" } else { "_wend" };
    Expr::Pseudo { table: None, column, text: text.into() }
}

fn rules(select: &Select, statement: &CreateStream, precision: Precision, context: &Arc<QueryContext>) -> Result<Rules> {
    let options = &statement.options;
    let bind = BindContext { zone: context.zone.clone(), now: context.now, precision, ..BindContext::default() };
    let fixed = |duration: WindowDuration| match duration {
        WindowDuration::Duration(duration) => duration.ticks(precision).unwrap_or(0),
        WindowDuration::Ticks(ticks) => ticks,
    };
    let shape = match &select.window {
        None => Shape::Rows,
        Some(Window::Interval { interval, offset, sliding }) => Shape::Grid(interval_grid(*interval, *offset, *sliding, &bind)?),
        Some(Window::Session { gap, .. }) => Shape::Floating(fixed(*gap)),
        Some(Window::State(_) | Window::Event { .. } | Window::Count { .. }) => Shape::Floating(0),
    };
    let trigger = match options.trigger {
        Some(StreamTrigger::AtOnce) => Trigger::AtOnce,
        None | Some(StreamTrigger::WindowClose) => Trigger::Close,
        Some(StreamTrigger::MaxDelay(delay)) => {
            let delay = ticks(delay, Precision::Milli)?;
            if delay < SHORTEST_DELAY {
                return Err(Error::with(code::INVALID_STREAM_OPTION, format!("Invalid stream option: MAX_DELAY is at least {SHORTEST_DELAY} ms")));
            }
            Trigger::Delay(delay)
        }
    };
    let watermark = options.watermark.map_or(Ok(0), |watermark| ticks(watermark, precision))?;
    if watermark < 0 {
        return Err(Error::new(code::INVALID_STREAM_OPTION));
    }
    Ok(Rules { trigger, shape, watermark, ignore_expired: options.ignore_expired.unwrap_or(true) && select.window.is_some() })
}

fn refuse_doubles(names: &[String]) -> Result<()> {
    for (at, name) in names.iter().enumerate() {
        if names[..at].contains(name) {
            return Err(Error::with(code::DUPLICATED_COLUMN_NAMES_263C, format!("Duplicated column names: {name}")));
        }
    }
    Ok(())
}

/// The key of PARTITION BY that a tag is named after.
fn tag_expression(name: &str, aliases: &[(String, Expr)]) -> Result<Expr> {
    let found = aliases.iter().find(|(alias, _)| alias == name).map(|(_, expr)| expr.clone());
    found.ok_or_else(|| Error::with(code::INVALID_TAG_NAME, format!("Invalid tag name: {name}")))
}

/// An expression with the aliases of PARTITION BY put in.
fn with_aliases(expr: &Expr, aliases: &[(String, Expr)]) -> Expr {
    let mut expr = expr.clone();
    expr.replace(&mut |expr| match expr {
        Expr::Column { table: None, name } => aliases.iter().find(|(alias, _)| alias == name).map(|(_, key)| key.clone()),
        _ => None,
    });
    expr
}
