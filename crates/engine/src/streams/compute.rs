//! One step of a stream: has the query compute windows over the rows as they are, and writes what it gives to the children that the
//! groups name.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BinaryArray, BooleanArray, RecordBatch, StringArray, UInt64Array};
use arrow_schema::{Field, Schema};
use embudo_catalog::{MAX_TABLE_NAME, Table, WrittenWindow};
use embudo_sql::Name;
use embudo_sql::ast::expr::{BinaryOp, Expr, Literal, PseudoColumn};
use embudo_sql::ast::query::{Query, QueryBody, Select, SelectItem, TableRef};
use embudo_storage::Uid;
use embudo_types::{BatchStream, DataType, Error, Outcome, Precision, Result, arrow};
use md5::{Digest, Md5};

use super::plan::{Plan, time_between};
use super::progress::{Due, Shape};
use crate::Session;
use crate::cells::{take, ticks};

/// Name of the tag that tells groups apart where TAGS names none.
pub(super) const GROUP_ID: &str = "group_id";

/// Rows of a result with what was asked for beside them.
struct Computed {
    batch: RecordBatch,
    /// Names of the children that rows go to.
    names: Vec<Vec<u8>>,
    groups: Vec<u64>,
}

/// Computes windows of tables and writes them; gives the start of the newest one of each table.
pub(super) fn write_windows(session: &Session, plan: &Plan, tables: &[(Uid, String)], range: (i64, i64), due: Due) -> Result<Option<i64>> {
    let select = narrowed(plan, tables, range.0, range.1);
    let mut newest = None;
    for batch in run(session, select)? {
        let batch = within(plan, batch?, due)?;
        if batch.num_rows() == 0 {
            continue;
        }
        if let Some(starts) = plan.starts.filter(|_| plan.fills) {
            newest = newest.max(ticks(batch.column(starts))?.iter().copied().max());
        }
        let computed = Computed::new(plan, batch)?;
        computed.write(session, plan)?;
    }
    Ok(newest)
}

/// What computing the floating windows of one table gave.
pub(super) struct Floating {
    /// Windows that were written.
    pub written: Vec<WrittenWindow>,
    /// Start of the first one that must wait.
    pub waiting: Option<i64>,
}

/// Computes the floating windows of a table from a tick on and writes those that are over, or all of them; `over` says whether a window is by its end.
pub(super) fn write_floating(session: &Session, plan: &Plan, table: &(Uid, String), from: i64, over: &dyn Fn(i64) -> bool) -> Result<Floating> {
    let select = narrowed(plan, std::slice::from_ref(table), from, i64::MAX);
    let mut outcome = Floating { written: Vec::new(), waiting: None };
    for batch in run(session, select)? {
        let batch = batch?;
        let width = batch.num_columns();
        let [outputs, starts, ends] = [0, width - 2, width - 1].map(|at| ticks(batch.column(at)));
        let (outputs, starts, ends) = (outputs?, starts?, ends?);
        let mut keep = Vec::with_capacity(batch.num_rows());
        for row in 0..batch.num_rows() {
            if over(ends[row]) {
                keep.push(row as u32);
                outcome.written.push(WrittenWindow { start: starts[row], end: ends[row], output: outputs[row] });
            } else {
                let first = outcome.waiting.map_or(starts[row], |first: i64| first.min(starts[row]));
                outcome.waiting = Some(first);
            }
        }
        if keep.is_empty() {
            continue;
        }
        Computed::new(plan, rows_of(&batch, &keep)?)?.write(session, plan)?;
    }
    outcome.written.sort_unstable_by_key(|window| window.start);
    Ok(outcome)
}

/// Deletes what was written at some times, from the child that a table's rows go to.
pub(super) fn delete_windows(session: &Session, plan: &Plan, table: &(Uid, String), outputs: &[i64]) -> Result<()> {
    for output in outputs {
        delete(session, plan, Some(table), (*output, *output))?;
    }
    Ok(())
}

/// Deletes what was written in a closed range of times, from the child of a table or from all of them. A child that was never made, or
/// was dropped, has nothing to delete.
pub(super) fn delete(session: &Session, plan: &Plan, table: Option<&(Uid, String)>, (first, last): (i64, i64)) -> Result<()> {
    let name = table.map_or_else(|| Ok(Some(plan.target.clone())), |table| child_of(session, plan, table))?;
    let Some(name) = name else { return Ok(()) };
    let database = session.engine().catalog().database(&plan.target_database)?;
    if database.table(&name).is_none() {
        return Ok(());
    }
    let time = Name(&plan.columns[0]);
    let name = format!("{}.{}", Name(&plan.target_database), Name(&name));
    session.execute(&format!("DELETE FROM {name} WHERE {time} >= {first} AND {time} <= {last}"), &[]).map(drop)
}

/// Times of rows that the child of a table has beside those of the windows that it should have.
pub(super) fn surplus(session: &Session, plan: &Plan, table: &(Uid, String), windows: &[WrittenWindow]) -> Result<Vec<i64>> {
    let Some(name) = child_of(session, plan, table)? else { return Ok(Vec::new()) };
    if session.engine().catalog().database(&plan.target_database)?.table(&name).is_none() {
        return Ok(Vec::new());
    }
    let wanted: HashSet<i64> = windows.iter().map(|window| window.output).collect();
    let time = Expr::Column { table: None, name: plan.columns[0].clone() };
    let select = Select {
        items: vec![SelectItem { expr: time, alias: None, text: String::new() }],
        from: Some(TableRef::Table { database: Some(plan.target_database.clone()), name, alias: None }),
        ..Select::default()
    };
    let mut surplus = Vec::new();
    for batch in run(session, select)? {
        surplus.extend(ticks(batch?.column(0))?.iter().filter(|tick| !wanted.contains(tick)));
    }
    Ok(surplus)
}

/// The child that a table's rows go to: `None` where the table is gone.
fn child_of(session: &Session, plan: &Plan, (_, table): &(Uid, String)) -> Result<Option<String>> {
    let hidden = plan.fields.len()..plan.fields.len() + plan.partitions + plan.tags.len() + usize::from(plan.subtable);
    let mut items = plan.select.items[hidden].to_vec();
    let is_super = matches!(plan.source, Table::Super(_));
    if items.is_empty() {
        return Ok(Some(String::from_utf8_lossy(&child_name(&plan.target, None, 0)).into_owned()));
    }
    let name = Expr::Pseudo { table: None, column: PseudoColumn::TableName, text: "tbname".into() };
    let here = Expr::Binary { op: BinaryOp::Equal, left: Box::new(name), right: Box::new(Expr::Literal(Literal::String(table.clone()))) };
    let select = Select { tags_only: is_super, from: plan.select.from.clone(), filter: is_super.then_some(here), ..Select::default() };
    if !is_super {
        // One row of a table says as much as all of them.
        let last = |item: SelectItem| SelectItem { expr: Expr::Function { name: "last".into(), arguments: vec![item.expr.clone()] }, ..item };
        items = items.into_iter().map(last).collect();
    }
    let select = Select { items, ..select };
    for batch in run(session, select)? {
        let batch = batch?;
        if batch.num_rows() > 0 {
            let name = Naming::of(plan, &batch, 0)?.names(plan, batch.num_rows()).into_iter().next();
            return Ok(name.map(|(_, name)| String::from_utf8_lossy(&name).into_owned()));
        }
    }
    Ok(None)
}

/// Lowest and highest time of the rows that a stream reads; `None` where there are none.
pub(super) fn bounds(session: &Session, plan: &Plan) -> Result<Option<(i64, i64)>> {
    let time = &plan.source.schema().columns[0].name;
    let item = |name: &str| SelectItem {
        expr: Expr::Function { name: name.into(), arguments: vec![Expr::Column { table: None, name: time.to_string() }] },
        alias: Some(name.into()),
        text: String::new(),
    };
    let select = Select { items: vec![item("first"), item("last")], from: plan.select.from.clone(), filter: plan.select.filter.clone(), ..Select::default() };
    for batch in run(session, select)? {
        let batch = batch?;
        if batch.num_rows() > 0 && batch.column(0).is_valid(0) && batch.column(1).is_valid(0) {
            return Ok(ticks(batch.column(0))?.first().copied().zip(ticks(batch.column(1))?.first().copied()));
        }
    }
    Ok(None)
}

/// The plan's query over rows of some tables in a closed range of ticks; no tables stand for all of them.
fn narrowed(plan: &Plan, tables: &[(Uid, String)], start: i64, end: i64) -> Select {
    let mut select = plan.select.clone();
    select.restrict(time_between(&plan.source.schema().columns[0].name, start, end));
    if matches!(plan.source, Table::Super(_)) && !tables.is_empty() {
        let list = tables.iter().map(|(_, name)| Expr::Literal(Literal::String(name.clone()))).collect();
        let name = Expr::Pseudo { table: None, column: PseudoColumn::TableName, text: "tbname".into() };
        select.restrict(Expr::InList { expr: Box::new(name), list, negated: false });
    }
    select
}

/// Runs a query; what it gives comes while the rows before it are written.
fn run(session: &Session, select: Select) -> Result<BatchStream> {
    let query = Query { body: QueryBody::Select(Box::new(select)), order_by: Vec::new(), slimit: None, limit: None };
    match session.run("stream", &[], |context| embudo_query::execute(&query, &context.query_context()))?.outcome {
        Outcome::Rows(batches) => Ok(batches),
        Outcome::Affected(_) => Err(Error::internal("a query without rows")),
    }
}

fn rows_of(batch: &RecordBatch, rows: &[u32]) -> Result<RecordBatch> {
    let columns = batch.columns().iter().map(|column| take(column, rows)).collect::<Result<Vec<_>>>()?;
    RecordBatch::try_new(batch.schema(), columns).map_err(|error| Error::internal(&error).caused_by(error))
}

/// The rows whose time is there and, of windows that overlap, whose window was asked for.
fn within(plan: &Plan, batch: RecordBatch, due: Due) -> Result<RecordBatch> {
    let overlapping = matches!(&plan.rules.shape, Shape::Grid(grid) if !grid.is_tumbling());
    let starts = plan.starts.filter(|_| overlapping).map(|at| ticks(batch.column(at))).transpose()?;
    let times = batch.column(0);
    let keep = |row: usize| times.is_valid(row) && starts.as_ref().is_none_or(|starts| (due.first..=due.last).contains(&starts[row]));
    let mask: BooleanArray = (0..batch.num_rows()).map(|row| Some(keep(row))).collect();
    if mask.true_count() == batch.num_rows() {
        return Ok(batch);
    }
    let rows: Vec<u32> = (0..batch.num_rows()).filter(|row| mask.value(*row)).map(|row| row as u32).collect();
    rows_of(&batch, &rows)
}

/// The columns that say where rows go.
struct Naming {
    keys: Vec<(ArrayRef, DataType)>,
    /// What SUBTABLE gives.
    written: Option<ArrayRef>,
}

impl Naming {
    /// Those of a batch, whose keys stand from `first` on.
    fn of(plan: &Plan, batch: &RecordBatch, first: usize) -> Result<Self> {
        let schema = batch.schema();
        let key = |at: usize| Ok((batch.column(at).clone(), arrow::data_type(schema.field(at))?));
        let keys = (first..first + plan.partitions).map(key).collect::<Result<_>>()?;
        Ok(Self { keys, written: plan.subtable.then(|| batch.column(first + plan.partitions + plan.tags.len()).clone()) })
    }

    /// The group's number and the child's name of each row.
    fn names(&self, plan: &Plan, rows: usize) -> Vec<(u64, Vec<u8>)> {
        let mut known: HashMap<Vec<u8>, (u64, Vec<u8>)> = HashMap::new();
        let mut names = Vec::with_capacity(rows);
        for row in 0..rows {
            let mut cells = Vec::new();
            for (array, data_type) in &self.keys {
                // Debug text tells values of one type apart, and NULL from all of them.
                let value = embudo_expr::value_at(array, *data_type, row);
                cells.extend_from_slice(format!("{value:?}\0").as_bytes());
            }
            let written = self.written.as_ref().and_then(|array| bytes_at(array, row));
            let mut key = cells.clone();
            key.extend_from_slice(written.as_deref().unwrap_or_default());
            let named = known.entry(key).or_insert_with(|| {
                let group = if self.keys.is_empty() { 0 } else { group_number(&cells) };
                (group, child_name(&plan.target, written.as_deref(), group))
            });
            names.push(named.clone());
        }
        names
    }
}

impl Computed {
    fn new(plan: &Plan, batch: RecordBatch) -> Result<Self> {
        let named = Naming::of(plan, &batch, plan.fields.len())?.names(plan, batch.num_rows());
        let (groups, names) = named.into_iter().unzip();
        Ok(Self { batch, names, groups })
    }

    /// Writes the rows as upserts; children that are missing are made.
    fn write(&self, session: &Session, plan: &Plan) -> Result<()> {
        let schema = self.batch.schema();
        let mut fields: Vec<Field> = Vec::new();
        let mut arrays: Vec<ArrayRef> = Vec::new();
        for (at, column) in plan.columns.iter().enumerate() {
            fields.push(schema.field(at).clone().with_name(column));
            arrays.push(self.batch.column(at).clone());
        }
        let tags = plan.fields.len() + plan.partitions;
        for (at, (name, _)) in plan.tags.iter().enumerate() {
            fields.push(schema.field(tags + at).clone().with_name(name));
            arrays.push(self.batch.column(tags + at).clone());
        }
        if plan.groups_are_tagged {
            fields.push(arrow::field(GROUP_ID, DataType::UBigInt, Precision::Milli));
            arrays.push(Arc::new(UInt64Array::from(self.groups.clone())));
        }
        fields.push(arrow::field("tbname", DataType::Varchar(MAX_TABLE_NAME as u32), Precision::Milli));
        arrays.push(Arc::new(BinaryArray::from_iter_values(&self.names)));
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|error| Error::internal(&error).caused_by(error))?;
        let target = format!("{}.{}", Name(&plan.target_database), Name(&plan.target));
        session.insert_batches(&target, &mut std::iter::once(Ok(batch))).map(drop)
    }
}

fn bytes_at(array: &ArrayRef, row: usize) -> Option<Vec<u8>> {
    if array.is_null(row) {
        return None;
    }
    let binary = array.as_any().downcast_ref::<BinaryArray>().map(|array| array.value(row).to_vec());
    binary.or_else(|| array.as_any().downcast_ref::<StringArray>().map(|array| array.value(row).as_bytes().to_vec()))
}

/// A number for a group, from its keys.
fn group_number(cells: &[u8]) -> u64 {
    let digest = Md5::digest(cells);
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_be_bytes(first).max(1)
}

/// The name of a group's child: what SUBTABLE gives with supertable and group behind it, else one made of both.
fn child_name(target: &str, written: Option<&[u8]>, group: u64) -> Vec<u8> {
    match written {
        Some(name) if !name.is_empty() => {
            let suffix = if group == 0 { String::new() } else { format!("_{target}_{group}") };
            let mut text = String::from_utf8_lossy(name).replace('.', "_");
            let room = MAX_TABLE_NAME.saturating_sub(suffix.len());
            if text.len() > room {
                let end = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(end);
            }
            text.push_str(&suffix);
            text.truncate((0..=MAX_TABLE_NAME.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0));
            text.into_bytes()
        }
        _ => {
            let digest = Md5::digest(format!("{target},{GROUP_ID}={group}").as_bytes());
            let mut text = "t_".to_owned();
            for byte in digest {
                // Writing to a text cannot fail.
                let _ = write!(text, "{byte:02x}");
            }
            text.into_bytes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_named() {
        assert_eq!(child_name("t", Some(b"a.b"), 0), b"a_b");
        assert_eq!(child_name("t", Some(b"a"), 7), b"a_t_7");
        assert_eq!(child_name("t", None, 7).len(), 34);
        assert_ne!(child_name("t", None, 7), child_name("t", Some(b""), 8));
        assert!(child_name("t", Some("涛".repeat(100).as_bytes()), 7).len() <= MAX_TABLE_NAME);
    }
}
