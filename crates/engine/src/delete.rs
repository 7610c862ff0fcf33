//! DELETE: a condition that is one closed range of time, and for supertables which children; resolved to uids before it is logged.

use std::sync::Arc;

use arrow_array::BinaryArray;
use arrow_array::cast::AsArray;
use embudo_catalog::{Database, RightSet, Schema, Supertable, Table};
use embudo_expr::{BindContext, Binder, EmptyScope};
use embudo_query::Reach;
use embudo_sql::ast::ObjectName;
use embudo_sql::ast::expr::{BinaryOp, Expr, PseudoColumn};
use embudo_sql::ast::query::{Query, QueryBody, Select, SelectItem, TableRef};
use embudo_storage::{Entry, ScanRequest, Snapshot, TimeRange, Uid};
use embudo_types::{Error, Precision, Result, Value, code, parse_timestamp};
use rustc_hash::FxHashSet;

use crate::session::StatementContext;
use crate::system_tables::is_system_database;

/// Runs a DELETE and gives the number of rows that were visible in its range.
pub(crate) fn execute(context: &StatementContext<'_>, name: &ObjectName, filter: Option<&Expr>) -> Result<u64> {
    let missing = || Error::with(code::FAIL_TO_GET_TABLE_INFO_ERROR, "Fail to get table info, error: Table does not exist");
    let database_name = context.database_name(name.database.as_deref())?;
    if is_system_database(database_name) {
        context.query_context().system.table(database_name, &name.name)?.ok_or_else(missing)?;
        return Err(Error::with(code::IS_NOT_SUPPORTED_IN_SYSTEM_TABLE, "DELETE is not supported in system table query"));
    }
    let database = context.database_of(name)?;
    let table = database.table(&name.name).ok_or_else(missing)?;
    let reach = context.account.reach(RightSet::WRITE, &database, &table)?;
    if !matches!(table, Table::Super(_)) {
        context.require_table(RightSet::WRITE, &database, &table)?;
    }
    let schema = table.schema();
    let mut condition = Condition { range: TimeRange::ALL, tags: Vec::new() };
    if let Some(filter) = filter {
        check_names(&schema, filter)?;
        condition.narrow(context, &database, &table, filter)?;
        // A supertable's rows go by time; TDengine 3.3 refuses children alone.
        if !condition.tags.is_empty() && condition.range == TimeRange::ALL {
            return Err(Error::new(code::INVALID_INPUT));
        }
    }
    if condition.range.is_empty() {
        return Ok(0);
    }
    let uids = match &table {
        Table::Super(supertable) => {
            let mut uids = uids_of(context, &database, supertable, Expr::joined(BinaryOp::And, condition.tags))?;
            if let Reach::Children(conditions) = &reach {
                let children = supertable.children();
                let slots = embudo_query::children_in_reach(conditions, &children, database.precision(), &context.query_context())?;
                let allowed: FxHashSet<Uid> = slots.iter().map(|slot| children.uid(slot)).collect();
                uids.retain(|uid| allowed.contains(uid));
            }
            uids
        }
        Table::Child(_) | Table::Normal(_) => vec![table.uid()],
    };
    let writing = database.writing();
    let snapshot = database.store().snapshot();
    let mut entries = Vec::new();
    let mut rows = 0;
    for uid in uids {
        context.cancel.check()?;
        let Some((found, extent)) = rows_in(&snapshot, &schema, uid, condition.range, database.precision())? else { continue };
        rows += found;
        // What subscribers are told of: the first and the last row. The whole range goes nevertheless, with whatever is written into it meanwhile.
        let told = (extent != condition.range).then_some(extent);
        entries.extend(told.into_iter().chain([condition.range]).map(|range| Entry::Delete { uid, start: range.start, end: range.end }));
    }
    if !entries.is_empty() {
        writing.append(entries)?;
    }
    Ok(rows)
}

/// How many visible rows a table has in a range, and from the first to the last of them.
fn rows_in(snapshot: &Snapshot, schema: &Schema, uid: Uid, range: TimeRange, precision: Precision) -> Result<Option<(u64, TimeRange)>> {
    let key = schema.key().map(|column| (column.id, column.data_type));
    let request = ScanRequest { uid, key, columns: Vec::new(), range, descending: false, precision };
    snapshot.scan(&request)?.try_fold(None, |found: Option<(u64, TimeRange)>, piece| {
        let piece = piece?;
        let (rows, extent) = found.unwrap_or((0, piece.range()));
        Ok(Some((rows + piece.rows() as u64, TimeRange::new(extent.start.min(piece.range().start), extent.end.max(piece.range().end)))))
    })
}

/// What a WHERE of DELETE says.
struct Condition {
    range: TimeRange,
    /// On tags and `tbname`, all of which must hold.
    tags: Vec<Expr>,
}

fn not_a_range() -> Error {
    Error::new(code::THE_DELETE_STATEMENT_MUST_ONLY_HAVE)
}

impl Condition {
    /// Takes one more part that must hold too.
    fn narrow(&mut self, context: &StatementContext<'_>, database: &Database, table: &Table, expr: &Expr) -> Result<()> {
        let schema = table.schema();
        let tick = |expr: &Expr| constant_tick(context, expr, database.precision());
        match expr {
            Expr::Binary { op: BinaryOp::And, left, right } => {
                self.narrow(context, database, table, left)?;
                self.narrow(context, database, table, right)?;
            }
            Expr::Binary { op, left, right } if is_timestamp(&schema, left) => self.compare(*op, tick(right)?)?,
            Expr::Binary { op, left, right } if is_timestamp(&schema, right) => self.compare(mirrored(*op), tick(left)?)?,
            Expr::Between { expr, low, high, negated: false } if is_timestamp(&schema, expr) => {
                self.range = self.range.intersection(TimeRange::new(tick(low)?, tick(high)?));
            }
            _ if matches!(table, Table::Super(_)) && is_on_tags(&schema, expr) => {
                self.tags.push(expr.clone());
            }
            _ => return Err(not_a_range()),
        }
        Ok(())
    }

    fn compare(&mut self, op: BinaryOp, tick: i64) -> Result<()> {
        let range = match op {
            BinaryOp::Equal => TimeRange::new(tick, tick),
            BinaryOp::Less => TimeRange::new(i64::MIN, tick.saturating_sub(1)),
            BinaryOp::LessEqual => TimeRange::new(i64::MIN, tick),
            BinaryOp::Greater => TimeRange::new(tick.saturating_add(1), i64::MAX),
            BinaryOp::GreaterEqual => TimeRange::new(tick, i64::MAX),
            _ => return Err(not_a_range()),
        };
        self.range = self.range.intersection(range);
        Ok(())
    }
}

/// The comparison with its sides changed.
fn mirrored(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Less => BinaryOp::Greater,
        BinaryOp::LessEqual => BinaryOp::GreaterEqual,
        BinaryOp::Greater => BinaryOp::Less,
        BinaryOp::GreaterEqual => BinaryOp::LessEqual,
        other => other,
    }
}

/// The primary timestamp, by its name or as `_rowts`.
fn is_timestamp(schema: &Schema, expr: &Expr) -> bool {
    match expr {
        Expr::Column { name, .. } => schema.columns.first().is_some_and(|column| *column.name == **name),
        Expr::Pseudo { column: PseudoColumn::RowTimestamp, .. } => true,
        _ => false,
    }
}

/// Names come before what is done with them: 0x2602 for a column that is not there.
fn check_names(schema: &Schema, filter: &Expr) -> Result<()> {
    let mut unknown = None;
    filter.walk(&mut |part| {
        if let Expr::Column { name, .. } = part
            && schema.tag(name).is_none()
            && !schema.columns.iter().any(|column| *column.name == **name)
        {
            unknown = unknown.or(Some(name));
        }
    });
    unknown.map_or(Ok(()), |name| Err(Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))))
}

/// Whether everything that a condition names is a tag or `tbname`, and it names one.
fn is_on_tags(schema: &Schema, expr: &Expr) -> bool {
    let mut names = 0;
    let mut is_on_tags = true;
    expr.walk(&mut |part| match part {
        Expr::Column { name, .. } => {
            names += 1;
            is_on_tags &= schema.tag(name).is_some();
        }
        Expr::Pseudo { column, .. } => {
            names += 1;
            is_on_tags &= *column == PseudoColumn::TableName;
        }
        _ => {}
    });
    is_on_tags && names > 0
}

/// A constant as ticks: a time text, an integer, NOW and arithmetic with durations. 0x0127 where it is no time.
pub(crate) fn constant_tick(context: &StatementContext<'_>, expr: &Expr, precision: Precision) -> Result<i64> {
    let bind = bind_context(context, precision);
    let scope = EmptyScope;
    let bound = Binder::new(&bind, &scope).bind(expr).map_err(|_| not_a_range())?;
    let no_time = || Error::new(code::INVALID_TIMESTAMP_FORMAT);
    match bound.constant().ok_or_else(not_a_range)? {
        Value::Timestamp(tick) => Ok(bound.precision().convert(tick, precision)),
        Value::Varchar(text) => parse_timestamp(&text, precision, &context.zone).ok_or_else(no_time),
        Value::NChar(text) => parse_timestamp(text.as_bytes(), precision, &context.zone).ok_or_else(no_time),
        Value::TinyInt(value) => Ok(i64::from(value)),
        Value::SmallInt(value) => Ok(i64::from(value)),
        Value::Int(value) => Ok(i64::from(value)),
        Value::BigInt(value) => Ok(value),
        Value::UTinyInt(value) => Ok(i64::from(value)),
        Value::USmallInt(value) => Ok(i64::from(value)),
        Value::UInt(value) => Ok(i64::from(value)),
        Value::UBigInt(value) => i64::try_from(value).map_err(|_| no_time()),
        Value::Double(value) => Ok(value as i64),
        _ => Err(no_time()),
    }
}

/// What constants of this statement are bound with.
pub(crate) fn bind_context(context: &StatementContext<'_>, precision: Precision) -> BindContext {
    BindContext {
        zone: context.zone.clone(),
        now: context.now,
        precision,
        parameters: context.parameters.into(),
        user: context.session.user().into(),
        database: context.database.clone(),
    }
}

/// The children that a condition on tags leaves: those of `SELECT TAGS tbname FROM supertable WHERE condition`.
fn uids_of(context: &StatementContext<'_>, database: &Arc<Database>, supertable: &Arc<Supertable>, condition: Option<Expr>) -> Result<Vec<Uid>> {
    let children = supertable.children();
    let Some(condition) = condition else { return Ok(children.slots().iter().map(|slot| children.uid(slot)).collect()) };
    let select = Select {
        tags_only: true,
        items: vec![SelectItem {
            expr: Expr::Pseudo { table: None, column: PseudoColumn::TableName, text: "tbname".into() },
            alias: None,
            text: "tbname".into(),
        }],
        from: Some(TableRef::Table { database: Some(database.name.to_string()), name: supertable.name.to_string(), alias: None }),
        filter: Some(condition),
        ..Select::default()
    };
    let query = Query { body: QueryBody::Select(Box::new(select)), order_by: Vec::new(), slimit: None, limit: None };
    let mut uids = Vec::new();
    for batch in embudo_query::execute(&query, &context.query_context())?.collect()? {
        let names: &BinaryArray = batch.column(0).as_binary();
        for name in names.iter().flatten() {
            let slot = std::str::from_utf8(name).ok().and_then(|name| children.slot_of(name));
            uids.extend(slot.map(|slot| children.uid(slot)));
        }
    }
    Ok(uids)
}
