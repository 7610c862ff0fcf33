//! Statements that users hold: of the second kind where the server can tell their fields, else of the first, which names its table step by
//! step.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::Schema;
use embudo_types::{Error, FieldRole, Result, ResultSet, StatementField, Zone, arrow, code};
use embudo_wire::{
    binary_message::{Head, action},
    raw_block,
};
use serde_json::{Value as Json, json};

use super::{
    link::Link,
    reply::{self, Reply},
    result::{Answered, Blocks},
    statement,
    statement::{Cache, Lease, Prepared},
};
use crate::{
    literal,
    statement::{BoundColumn, Statement, TableBind, fitted, parameter, tables, timestamp_parameter, wrong_count},
};

/// A statement of a WebSocket session.
pub struct WebSocketStatement {
    sql: String,
    zone: Zone,
    timeout: Option<Duration>,
    /// The table that was named last.
    table: Option<String>,
    kind: Kind,
}

enum Kind {
    Second(Lease),
    First(Stepwise),
}

/// A statement of the first kind.
struct Stepwise {
    link: Arc<Link>,
    id: u64,
    sql: String,
    is_insert: bool,
    /// The table that is set, where the statement leaves it open.
    table: Option<String>,
    /// The `?` of the statement with this table.
    fields: Option<Vec<StatementField>>,
}

impl WebSocketStatement {
    /// Has the server prepare a statement; `second`: the session's statements of the second kind, where it knows those.
    pub fn prepare(link: &Arc<Link>, sql: &str, zone: &Zone, timeout: Option<Duration>, second: Option<&Arc<Cache>>) -> Result<Self> {
        let deadline = timeout.map(|limit| Instant::now() + limit);
        let made = |kind| Self { sql: sql.to_owned(), zone: zone.clone(), timeout, table: None, kind };
        let refused = match second.map(|cache| cache.take(link, sql, deadline)) {
            Some(Ok((lease, _))) => return Ok(made(Kind::Second(lease))),
            // Servers that name no fields before the table is known prepare it stepwise.
            Some(Err(error)) if link.is_usable() && is_open_insert(sql) => Some(error),
            Some(Err(error)) => return Err(error),
            None => None,
        };
        match Stepwise::open(link, sql, deadline) {
            Ok(stepwise) => Ok(made(Kind::First(stepwise))),
            Err(error) => Err(refused.unwrap_or(error)),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.timeout.map(|limit| Instant::now() + limit)
    }
}

/// Whether this is an INSERT whose table is a `?`.
fn is_open_insert(sql: &str) -> bool {
    let words = literal::words(sql);
    let is = |at: usize, text: &str| words.get(at).is_some_and(|word| sql[word.clone()].eq_ignore_ascii_case(text));
    let place = literal::placeholders(sql).first().copied();
    is(0, "insert") && is(1, "into") && place.is_some_and(|place| words.get(2).is_none_or(|word| place < word.start))
}

impl Statement for WebSocketStatement {
    fn is_insert(&self) -> bool {
        match &self.kind {
            Kind::Second(lease) => lease.prepared().is_ok_and(|prepared| prepared.fields.is_some()),
            Kind::First(stepwise) => stepwise.is_insert,
        }
    }

    fn parameter_count(&mut self) -> Result<usize> {
        Ok(literal::placeholders(&self.sql).len())
    }

    fn fields(&mut self) -> Result<Vec<StatementField>> {
        let deadline = self.deadline();
        match &mut self.kind {
            Kind::Second(lease) => lease.prepared()?.fields.clone().ok_or_else(|| Error::new(code::STMT_API_USAGE_ERROR)),
            Kind::First(stepwise) => stepwise.fields(deadline).map(<[StatementField]>::to_vec),
        }
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        let deadline = self.deadline();
        match &mut self.kind {
            // Its fields are known; the name travels with the rows.
            Kind::Second(_) => {
                self.table = Some(name.to_owned());
                Ok(())
            }
            Kind::First(stepwise) => stepwise.set_table(name, deadline),
        }
    }

    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()> {
        let (deadline, zone) = (self.deadline(), self.zone.clone());
        let table = self.table.clone();
        match &mut self.kind {
            Kind::Second(lease) => {
                let prepared = lease.prepared()?;
                let fields = prepared.fields.clone().ok_or_else(|| Error::new(code::STMT_API_USAGE_ERROR))?;
                let named = |bind: TableBind| TableBind { name: bind.name.or_else(|| table.clone()), ..bind };
                let tables = tables.into_iter().map(|bind| Ok(sendable(table_of(&fields, named(bind), &zone)?))).collect::<Result<Vec<_>>>()?;
                send(prepared, tables, deadline)
            }
            Kind::First(stepwise) => tables.into_iter().try_for_each(|table| stepwise.bind(table, &zone, deadline)),
        }
    }

    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        let fields = self.fields()?;
        self.bind(tables(&fields, &columns)?)
    }

    fn execute(&mut self) -> Result<u64> {
        match &self.kind {
            Kind::Second(lease) => Ok(lease.prepared()?.run(self.deadline())?.affected()),
            Kind::First(stepwise) => stepwise.execute(self.deadline()),
        }
    }

    fn query(&mut self, parameters: Vec<BoundColumn>) -> Result<ResultSet> {
        let deadline = self.deadline();
        if parameters.len() != self.parameter_count()? {
            return Err(wrong_count());
        }
        let columns = parameters.into_iter().map(parameter).collect::<Result<Vec<_>>>()?;
        match &self.kind {
            Kind::Second(lease) => {
                let prepared = lease.prepared()?;
                if !columns.is_empty() {
                    let columns = columns.into_iter().map(timestamp_parameter).map(statement::sendable).collect();
                    prepared.bind(&[TableBind { name: None, tags: Vec::new(), columns }], deadline)?;
                }
                prepared.run(deadline).map(ResultSet::from)
            }
            Kind::First(stepwise) => {
                if !columns.is_empty() {
                    let fields = columns.iter().map(|column| arrow::field("?", column.data_type, embudo_types::Precision::Milli)).collect::<Vec<_>>();
                    stepwise.send_block(action::BIND, fields, columns, deadline)?;
                }
                stepwise.call("add_batch", json!({}), deadline)?;
                stepwise.run_query(deadline).map(ResultSet::from)
            }
        }
    }
}

/// A table's cells as its fields want them.
fn table_of(fields: &[StatementField], table: TableBind, zone: &Zone) -> Result<TableBind> {
    let of = |role: FieldRole| fields.iter().filter(move |field| field.role == role);
    let tags = if table.tags.is_empty() { Vec::new() } else { fitted(of(FieldRole::Tag), table.tags, zone)? };
    Ok(TableBind { name: table.name, tags, columns: fitted(of(FieldRole::Column), table.columns, zone)? })
}

/// The cells as statements of the second kind carry them.
fn sendable(table: TableBind) -> TableBind {
    let all = |columns: Vec<BoundColumn>| columns.into_iter().map(statement::sendable).collect();
    TableBind { name: table.name, tags: all(table.tags), columns: all(table.columns) }
}

/// Binds tables in as many messages as they need.
fn send(prepared: &Prepared, tables: Vec<TableBind>, deadline: Option<Instant>) -> Result<()> {
    let (mut message, mut bytes) = (Vec::new(), 0);
    for table in tables {
        let arrays: Vec<ArrayRef> = table.columns.iter().map(|column| Arc::clone(&column.array)).collect();
        let rows = arrays.first().map_or(0, arrow_array::Array::len);
        let step = statement::rows_of_a_message(&arrays, rows);
        for start in (0..rows).step_by(step) {
            let count = step.min(rows - start);
            let columns = table.columns.iter().map(|column| BoundColumn {
                data_type: column.data_type,
                array: column.array.slice(start, count),
                present: column.present.as_ref().map(|present| present.slice(start, count)),
            });
            message.push(TableBind { name: table.name.clone(), tags: table.tags.clone(), columns: columns.collect() });
            bytes += statement::MESSAGE_BYTES * count / step;
            if bytes >= statement::MESSAGE_BYTES {
                prepared.bind(&message, deadline)?;
                message.clear();
                bytes = 0;
            }
        }
    }
    if message.is_empty() { Ok(()) } else { prepared.bind(&message, deadline) }
}

impl Stepwise {
    fn open(link: &Arc<Link>, sql: &str, deadline: Option<Instant>) -> Result<Self> {
        let answer = reply::checked(link.call("init", json!({}), deadline)?)?;
        let id = answer["stmt_id"].as_u64().ok_or_else(|| Error::with(code::INVALID_MESSAGE, "the answer to init has no id"))?;
        // From here on dropping it closes it.
        let mut stepwise = Self { link: Arc::clone(link), id, sql: sql.to_owned(), is_insert: false, table: None, fields: None };
        let answer = stepwise.call("prepare", json!({ "sql": sql }), deadline)?;
        stepwise.is_insert = answer["is_insert"].as_bool().unwrap_or_else(|| literal::first_word(sql).eq_ignore_ascii_case("insert"));
        Ok(stepwise)
    }

    fn call(&self, action: &str, mut arguments: Json, deadline: Option<Instant>) -> Result<Json> {
        arguments["stmt_id"] = self.id.into();
        reply::checked(self.link.call(action, arguments, deadline)?)
    }

    fn set_table(&mut self, name: &str, deadline: Option<Instant>) -> Result<()> {
        if self.table.as_deref() == Some(name) {
            return Ok(());
        }
        self.call("set_table_name", json!({ "name": name }), deadline)?;
        // Another table may be another supertable's.
        (self.table, self.fields) = (Some(name.to_owned()), None);
        Ok(())
    }

    fn fields(&mut self, deadline: Option<Instant>) -> Result<&[StatementField]> {
        if !self.is_insert {
            return Err(Error::new(code::STMT_API_USAGE_ERROR));
        }
        if self.fields.is_none() {
            let is_open = is_open_insert(&self.sql);
            if is_open && self.table.is_none() {
                return Err(Error::new(code::STMT_TABLE_NAME_NOT_SET));
            }
            let list = |answer: &Json, role: FieldRole| -> Result<Vec<StatementField>> {
                let fields = answer["fields"].as_array().map_or(&[][..], Vec::as_slice);
                fields.iter().map(|described| statement::field(described).map(|field| StatementField { role, ..field })).collect()
            };
            let mut fields = Vec::new();
            if is_open {
                let name = json!({ "name": "tbname", "field_type": 8, "bytes": 194, "bind_type": 4 });
                fields.push(statement::field(&name)?);
            }
            match self.call("get_tag_fields", json!({}), deadline) {
                Ok(answer) => fields.extend(list(&answer, FieldRole::Tag)?),
                // A table without tags.
                Err(error) if matches!(error.code(), code::STMT_API_USAGE_ERROR | code::STMT_TABLE_NAME_NOT_SET) => {}
                Err(error) => return Err(error),
            }
            fields.extend(list(&self.call("get_col_fields", json!({}), deadline)?, FieldRole::Column)?);
            self.fields = Some(fields);
        }
        Ok(self.fields.as_deref().unwrap_or_default())
    }

    fn bind(&mut self, table: TableBind, zone: &Zone, deadline: Option<Instant>) -> Result<()> {
        if let Some(name) = &table.name {
            self.set_table(name, deadline)?;
        }
        let fields = self.fields(deadline)?.to_vec();
        let table = table_of(&fields, table, zone)?;
        let of =
            |role: FieldRole| fields.iter().filter(move |field| field.role == role).map(|field| arrow::field(&field.name, field.data_type, field.precision));
        if !table.tags.is_empty() {
            self.send_block(action::SET_TAGS, of(FieldRole::Tag).collect(), table.tags, deadline)?;
        }
        self.send_block(action::BIND, of(FieldRole::Column).collect(), table.columns, deadline)?;
        self.call("add_batch", json!({}), deadline).map(drop)
    }

    fn send_block(&self, action: u64, fields: Vec<arrow_schema::Field>, columns: Vec<BoundColumn>, deadline: Option<Instant>) -> Result<()> {
        let rows = columns.first().map_or(0, |column| arrow_array::Array::len(&column.array));
        let arrays = columns.into_iter().map(|column| column.array).collect();
        // Texts may lie as bytes and bytes as texts; the field alone says how they travel.
        let batch = batch(fields, arrays, rows)?;
        let request = self.link.next_request();
        let mut message = Head { request, resource: self.id, action }.to_bytes();
        raw_block::encode(&batch, raw_block::FETCH_VERSION, &mut message)?;
        self.link.send_binary(request, &message)?;
        match self.link.wait(request, deadline)? {
            Reply::Json(json) => reply::checked(json).map(drop),
            Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, "a binding was answered with bytes")),
        }
    }

    fn run_query(&self, deadline: Option<Instant>) -> Result<Answered> {
        let affected = self.execute(deadline)?;
        match self.call("use_result", json!({}), deadline) {
            Ok(mut answer) => {
                if let Some(id) = answer.get("result_id").cloned() {
                    answer["id"] = id;
                }
                Blocks::open(&self.link, &answer, true, deadline).map(|blocks| Answered::Rows(Box::new(blocks)))
            }
            // It gave no rows.
            Err(error) if error.code() == code::STMT_API_USAGE_ERROR => Ok(Answered::Affected(affected)),
            Err(error) => Err(error),
        }
    }

    fn execute(&self, deadline: Option<Instant>) -> Result<u64> {
        Ok(self.call("exec", json!({}), deadline)?["affected"].as_u64().unwrap_or(0))
    }
}

fn batch(fields: Vec<arrow_schema::Field>, arrays: Vec<ArrayRef>, rows: usize) -> Result<RecordBatch> {
    let arrays = fields.iter().zip(arrays).map(|(field, array)| as_field(field, array)).collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options);
    batch.map_err(|source| Error::with(code::INVALID_PARAMETERS, format!("columns that do not fit the statement: {source}")).caused_by(source))
}

/// Texts as bytes, or bytes as texts, where the field's type lies in memory as the other.
fn as_field(field: &arrow_schema::Field, array: ArrayRef) -> Result<ArrayRef> {
    use arrow_array::{BinaryArray, StringArray, cast::AsArray as _};
    use arrow_schema::DataType as ArrowType;
    match (field.data_type(), array.data_type()) {
        (ArrowType::Binary, ArrowType::Utf8) => Ok(Arc::new(BinaryArray::from(array.as_string::<i32>().clone()))),
        (ArrowType::Utf8, ArrowType::Binary) => {
            let texts = StringArray::try_from_binary(array.as_binary::<i32>().clone());
            Ok(Arc::new(texts.map_err(|_| Error::with(code::INVALID_PARAMETERS, format!("column {} takes UTF-8 only", field.name())))?))
        }
        _ => Ok(array),
    }
}

impl Drop for Stepwise {
    fn drop(&mut self) {
        // Where the link is broken the server has closed it already; `close` has no reply.
        let _ = self.link.tell("close", json!({ "stmt_id": self.id }));
    }
}
