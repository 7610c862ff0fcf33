//! Prepared statements of the second kind: parameters travel as values. A session keeps the last few statements open, so that a query that
//! comes again costs its binding and its run alone.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arrow_array::{
    ArrayRef, BinaryArray, BooleanArray, Decimal128Array, PrimitiveArray, StringArray, new_null_array,
    types::{
        ArrowPrimitiveType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt16Type, UInt32Type,
        UInt64Type,
    },
};
use arrow_schema::DataType as ArrowType;
use embudo_types::{DataType, Error, FieldRole, Precision, Result, StatementField, Value, code};
use embudo_wire::{
    binary_message::{Head, action},
    execution,
    stmt2::{self, BoundColumn, TableBind},
};
use serde_json::{Value as Json, json};

use super::{
    link::Link,
    reply::{self, Reply},
    result::{self, Answered, Blocks},
};
use crate::literal;

/// Statements that are kept open.
const KEPT: usize = 16;
/// Bytes of one message with bound rows; more rows go in several before they are written together.
pub const MESSAGE_BYTES: usize = 4 << 20;

/// The open statements of a session that nobody uses just now, the oldest first.
#[derive(Default)]
pub struct Cache {
    free: Mutex<VecDeque<Prepared>>,
}

impl Cache {
    /// A statement that is ready to be bound: one that is there, or a new one; the flag says which.
    pub fn take(self: &Arc<Self>, link: &Arc<Link>, sql: &str, deadline: Option<Instant>) -> Result<(Lease, bool)> {
        match self.take_free(link, sql) {
            Some(lease) => Ok((lease, true)),
            None => Ok((self.lease(Prepared::open(link, sql, deadline)?), false)),
        }
    }

    /// A statement that is there.
    pub fn take_free(self: &Arc<Self>, link: &Arc<Link>, sql: &str) -> Option<Lease> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let place = free.iter().position(|prepared| prepared.sql == sql && Arc::ptr_eq(&prepared.link, link));
        let known = place.and_then(|place| free.remove(place));
        drop(free);
        known.map(|prepared| self.lease(prepared))
    }

    /// The use of a statement that comes here when it is over.
    pub fn lease(self: &Arc<Self>, prepared: Prepared) -> Lease {
        Lease { prepared: Some(prepared), cache: Arc::clone(self), is_reusable: false }
    }

    /// Closes all, because what they knew of tables may be over.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.free.lock().unwrap_or_else(PoisonError::into_inner));
        drop(all);
    }
}

/// A statement in use. It goes back to the cache where its user says so, and is closed otherwise.
pub struct Lease {
    prepared: Option<Prepared>,
    cache: Arc<Cache>,
    is_reusable: bool,
}

impl Lease {
    /// The statement.
    pub fn prepared(&self) -> Result<&Prepared> {
        self.prepared.as_ref().ok_or_else(|| Error::internal("a statement was given back while in use"))
    }

    /// Whoever uses it is done with it in good order.
    pub fn keep(&mut self) {
        self.is_reusable = true;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(prepared) = self.prepared.take().filter(|prepared| self.is_reusable && prepared.link.is_usable()) {
            let mut free = self.cache.free.lock().unwrap_or_else(PoisonError::into_inner);
            free.push_back(prepared);
            let oldest = if free.len() > KEPT { free.pop_front() } else { None };
            drop(free);
            drop(oldest);
        }
    }
}

/// A statement that the server has prepared.
pub struct Prepared {
    link: Arc<Link>,
    id: u64,
    sql: String,
    /// The `?` of an INSERT; `None` for anything else.
    pub fields: Option<Vec<StatementField>>,
    /// What is bound but travels with the order to run it.
    bound: Mutex<Vec<u8>>,
}

impl Prepared {
    fn open(link: &Arc<Link>, sql: &str, deadline: Option<Instant>) -> Result<Self> {
        let mut prepared = Self::opened(link, sql, link.call("stmt2_init", Self::options(), deadline)?)?;
        let answer = link.call("stmt2_prepare", prepared.description(), deadline)?;
        prepared.described(answer)?;
        Ok(prepared)
    }

    /// As [`Self::open`], as a future.
    pub async fn open_later(link: &Arc<Link>, sql: &str, deadline: Option<Instant>) -> Result<Self> {
        let mut prepared = Self::opened(link, sql, link.request("stmt2_init", Self::options(), deadline).await?)?;
        let answer = link.request("stmt2_prepare", prepared.description(), deadline).await?;
        prepared.described(answer)?;
        Ok(prepared)
    }

    fn options() -> Json {
        json!({ "single_stb_insert": false, "single_table_bind_once": false })
    }

    /// What `stmt2_init` gave. From here on dropping it closes it.
    fn opened(link: &Arc<Link>, sql: &str, answer: Json) -> Result<Self> {
        let id = reply::checked(answer)?["stmt_id"].as_u64();
        let id = id.ok_or_else(|| Error::with(code::INVALID_MESSAGE, "the answer to stmt2_init has no id"))?;
        Ok(Self { link: Arc::clone(link), id, sql: sql.to_owned(), fields: None, bound: Mutex::default() })
    }

    /// The arguments of `stmt2_prepare`.
    fn description(&self) -> Json {
        json!({ "stmt_id": self.id, "sql": self.sql, "get_fields": true })
    }

    /// What `stmt2_prepare` gave.
    fn described(&mut self, answer: Json) -> Result<()> {
        let answer = reply::checked(answer)?;
        if answer["is_insert"].as_bool() == Some(true) {
            self.fields = Some(answer["fields"].as_array().map_or_else(|| Ok(Vec::new()), |fields| fields.iter().map(field).collect())?);
        }
        Ok(())
    }

    /// Binds tables with their rows, or the parameters of a query.
    pub fn bind(&self, tables: &[TableBind], deadline: Option<Instant>) -> Result<()> {
        let mut payload = stmt2::encode(tables)?;
        if self.link.executes() {
            payload = std::mem::replace(&mut *self.bound(), payload);
            if payload.is_empty() {
                return Ok(());
            }
        }
        let sent = self.send_binding(&payload).and_then(|request| acknowledged(self.link.wait(request, deadline)?));
        if sent.is_err() {
            self.bound().clear();
        }
        sent
    }

    /// As [`Self::bind`], as a future.
    pub async fn bind_later(&self, tables: &[TableBind], deadline: Option<Instant>) -> Result<()> {
        let request = self.send_binding(&stmt2::encode(tables)?)?;
        acknowledged(self.link.reply(request, deadline).await?)
    }

    fn send_binding(&self, payload: &[u8]) -> Result<u64> {
        let request = self.link.next_request();
        let mut message = Head { request, resource: self.id, action: action::STATEMENT2_BIND }.to_bytes();
        message.extend_from_slice(&1_u16.to_le_bytes());
        message.extend_from_slice(&(-1_i32).to_le_bytes());
        message.extend_from_slice(payload);
        self.link.send_binary(request, &message)?;
        Ok(request)
    }

    fn bound(&self) -> std::sync::MutexGuard<'_, Vec<u8>> {
        self.bound.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what was bound, or runs the query: by one message where the server has Embudo's own actions.
    pub fn run(&self, deadline: Option<Instant>) -> Result<Answered> {
        if self.link.executes() {
            let (request, payload) = (self.link.next_request(), std::mem::take(&mut *self.bound()));
            self.link.send_binary(request, &execution::execute_statement_request(request, self.id, &payload))?;
            return result::executed(&self.link, self.link.wait(request, deadline)?, deadline);
        }
        let affected = self.execute(deadline)?;
        if self.fields.is_some() {
            return Ok(Answered::Affected(affected));
        }
        match self.result(deadline) {
            Ok(answer) => Blocks::open(&self.link, &answer, true, deadline).map(|blocks| Answered::Rows(Box::new(blocks))),
            // It gave no rows.
            Err(error) if error.code() == code::STMT_API_USAGE_ERROR => Ok(Answered::Affected(affected)),
            Err(error) => Err(error),
        }
    }

    /// Writes what was bound, or runs the query; gives the affected rows.
    fn execute(&self, deadline: Option<Instant>) -> Result<u64> {
        let answer = reply::checked(self.link.call("stmt2_exec", json!({ "stmt_id": self.id }), deadline)?)?;
        Ok(answer["affected"].as_u64().unwrap_or(0))
    }

    /// As [`Self::execute`], as a future.
    pub async fn execute_later(&self, deadline: Option<Instant>) -> Result<u64> {
        let answer = reply::checked(self.link.request("stmt2_exec", json!({ "stmt_id": self.id }), deadline).await?)?;
        Ok(answer["affected"].as_u64().unwrap_or(0))
    }

    /// The description of what the query gave; 0x022A where it gave no rows.
    fn result(&self, deadline: Option<Instant>) -> Result<Json> {
        reply::checked(self.link.call("stmt2_result", json!({ "stmt_id": self.id }), deadline)?)
    }

    /// As [`Self::result`], as a future.
    pub async fn result_later(&self, deadline: Option<Instant>) -> Result<Json> {
        reply::checked(self.link.request("stmt2_result", json!({ "stmt_id": self.id }), deadline).await?)
    }
}

fn acknowledged(reply: Reply) -> Result<()> {
    match reply {
        Reply::Json(json) => reply::checked(json).map(drop),
        Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, "a binding was answered with bytes")),
    }
}

impl Drop for Prepared {
    fn drop(&mut self) {
        // Where the link is broken the server has closed it already. The acknowledgement is not waited for.
        let _ = self.link.tell("stmt2_close", json!({ "stmt_id": self.id }));
    }
}

/// A field as servers describe it.
pub fn field(json: &Json) -> Result<StatementField> {
    let number = |name: &str| json[name].as_u64().unwrap_or(0);
    let (id, bytes) = (number("field_type") as u8, number("bytes") as u32);
    // Lengths are those in storage.
    let user = match DataType::from_id(id, 0)? {
        DataType::NChar(_) => bytes.saturating_sub(2) / 4,
        data_type if data_type.is_variable() => bytes.saturating_sub(2),
        _ => bytes,
    };
    let data_type = match DataType::from_id(id, user)? {
        DataType::Decimal(..) => DataType::Decimal(number("precision") as u8, number("scale") as u8),
        other => other,
    };
    let precision = if data_type == DataType::Timestamp { Precision::from_id(number("precision") as u8)? } else { Precision::Milli };
    let role = match number("bind_type") {
        2 => FieldRole::Tag,
        4 => FieldRole::Table,
        _ => FieldRole::Column,
    };
    Ok(StatementField { name: json["name"].as_str().unwrap_or_default().to_owned(), data_type, precision, role })
}

/// The parameters of a query as bound columns; `None` where a value has no form that servers take.
pub fn parameters(values: &[Value]) -> Option<Vec<TableBind>> {
    let columns = values.iter().map(|value| {
        let (data_type, array): (DataType, ArrayRef) = match value {
            Value::Null => (DataType::Varchar(0), new_null_array(&ArrowType::Binary, 1)),
            Value::Bool(value) => (DataType::Bool, Arc::new(BooleanArray::from(vec![*value]))),
            Value::TinyInt(value) => (DataType::TinyInt, one::<Int8Type>(*value)),
            Value::SmallInt(value) => (DataType::SmallInt, one::<Int16Type>(*value)),
            Value::Int(value) => (DataType::Int, one::<Int32Type>(*value)),
            Value::BigInt(value) => (DataType::BigInt, one::<Int64Type>(*value)),
            Value::UTinyInt(value) => (DataType::UTinyInt, one::<UInt8Type>(*value)),
            Value::USmallInt(value) => (DataType::USmallInt, one::<UInt16Type>(*value)),
            Value::UInt(value) => (DataType::UInt, one::<UInt32Type>(*value)),
            Value::UBigInt(value) => (DataType::UBigInt, one::<UInt64Type>(*value)),
            Value::Float(value) if value.is_finite() => (DataType::Float, one::<Float32Type>(*value)),
            Value::Double(value) if value.is_finite() => (DataType::Double, one::<Float64Type>(*value)),
            Value::Timestamp(ticks) => (DataType::Timestamp, one::<TimestampMillisecondType>(*ticks)),
            Value::Varchar(bytes) => (DataType::Varchar(bytes.len() as u32), Arc::new(BinaryArray::from_vec(vec![bytes]))),
            Value::NChar(text) | Value::Json(text) => (DataType::NChar(text.chars().count() as u32), Arc::new(StringArray::from(vec![text.as_str()]))),
            Value::VarBinary(bytes) => (DataType::VarBinary(bytes.len() as u32), Arc::new(BinaryArray::from_vec(vec![bytes]))),
            _ => return None,
        };
        Some(BoundColumn { data_type, array, present: None })
    });
    Some(vec![TableBind { name: None, tags: Vec::new(), columns: columns.collect::<Option<_>>()? }])
}

fn one<T: ArrowPrimitiveType>(value: T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values([value]))
}

/// Rows, as one array for each field, as tables with their tags and columns.
pub fn tables(fields: &[StatementField], arrays: &[ArrayRef]) -> Result<Vec<TableBind>> {
    let columns = fields.iter().zip(arrays).map(|(field, array)| BoundColumn { data_type: field.data_type, array: Arc::clone(array), present: None });
    crate::statement::tables(fields, &columns.map(sendable).collect::<Vec<_>>())
}

/// A column as it travels: decimals are text.
pub fn sendable(column: BoundColumn) -> BoundColumn {
    let Some(decimals) = column.array.as_any().downcast_ref::<Decimal128Array>() else { return column };
    let scale = usize::try_from(decimals.scale()).unwrap_or(0);
    let text = |value: i128| {
        let mut text = String::new();
        literal::write_decimal(value, scale, &mut text);
        text
    };
    let array = Arc::new(decimals.iter().map(|value| value.map(text)).collect::<StringArray>());
    BoundColumn { array, ..column }
}

/// How many rows of these arrays make a message.
pub fn rows_of_a_message(arrays: &[ArrayRef], rows: usize) -> usize {
    let bytes: usize = arrays.iter().map(|array| array.to_data().get_slice_memory_size().unwrap_or(0)).sum();
    (MESSAGE_BYTES / (bytes / rows.max(1)).max(1)).max(1)
}
