//! The prepared statements of a session, of both kinds, and what the kinds share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use arrow_array::{Array, ArrayRef, Int64Array, NullArray, StringArray, cast::AsArray, types::TimestampMillisecondType};
use embudo_engine::{BoundCells, FieldRole, Statement, StatementField};
use embudo_types::{DataType, Error, Result, code};
use serde_json::Value as Json;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use super::{
    reply::Reply,
    results::{HeldResult, Opened},
    session::Session,
};

/// One statement between its `init` and its `close`.
#[derive(Default)]
pub struct Prepared {
    /// Set by `prepare`. Of a statement of the first kind its failure is told by the next call.
    statement: Option<Result<Statement>>,
    /// Cells that were bound: rows of an INSERT that are not added yet, or the parameters of a query.
    pub bound: Option<Vec<ArrayRef>>,
    /// Single columns that were bound, by their numbers.
    pub columns: HashMap<usize, BoundCells>,
    /// What a query gave.
    pub result: Option<Box<HeldResult>>,
    /// A call that cannot be taken back made it useless.
    pub is_broken: bool,
}

impl Prepared {
    /// Takes a new text, and forgets the old one with all that belonged to it.
    pub fn set(&mut self, statement: Result<Statement>) {
        *self = Self { statement: Some(statement), ..Self::default() };
    }

    /// The statement.
    pub fn statement(&mut self) -> Result<&mut Statement> {
        if self.is_broken {
            return Err(Error::new(code::STMT_API_USAGE_ERROR));
        }
        match &mut self.statement {
            None => Err(Error::new(code::STMT_API_USAGE_ERROR)),
            Some(Ok(statement)) => Ok(statement),
            Some(Err(error)) => Err(error.clone()),
        }
    }

    /// Runs a query with what was bound; gives how many rows a statement without rows affected.
    pub fn run_query(&mut self) -> Result<u64> {
        let cells = self.bound.take().unwrap_or_default();
        match Opened::pull(self.statement()?.query_cells(&cells)?)? {
            Opened::Affected(rows) => Ok(rows),
            Opened::Rows(result) => {
                self.result = Some(result);
                Ok(0)
            }
        }
    }
}

/// The statements of one session by their ids.
#[derive(Default)]
pub struct Statements {
    open: Mutex<HashMap<u64, Arc<AsyncMutex<Prepared>>>>,
    last: AtomicU64,
}

impl Statements {
    /// A new one.
    pub fn open(&self) -> u64 {
        let id = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        self.all().insert(id, Arc::default());
        id
    }

    /// Ends one; `false` where there is none.
    pub fn close(&self, id: u64) -> bool {
        let removed = self.all().remove(&id);
        removed.is_some()
    }

    /// Ends all.
    pub fn clear(&self) {
        let removed = std::mem::take(&mut *self.all());
        drop(removed);
    }

    async fn lock(&self, id: u64) -> Result<OwnedMutexGuard<Prepared>> {
        let statement = self.all().get(&id).map(Arc::clone).ok_or_else(nil)?;
        Ok(statement.lock_owned().await)
    }

    fn all(&self) -> std::sync::MutexGuard<'_, HashMap<u64, Arc<AsyncMutex<Prepared>>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal of an id that is no statement's.
pub fn nil() -> Error {
    Error::with(code::UNCLASSIFIED, "stmt is nil")
}

/// Runs `work` on a statement in its turn, alone.
pub async fn with<T: Send + 'static>(session: &Session, id: u64, work: impl FnOnce(&mut Prepared) -> Result<T> + Send + 'static) -> Result<T> {
    let mut prepared = session.statements.lock(id).await?;
    session.turn(move || work(&mut prepared)).await
}

/// Moves what a query gave to the results that can be fetched, and describes it. `name` is the member with its id.
pub async fn give_result(session: &Session, reply: Reply, id: u64, name: &str) -> Result<Reply> {
    let mut prepared = session.statements.lock(id).await?;
    prepared.statement()?;
    let result = prepared.result.take().ok_or_else(|| Error::new(code::STMT_API_USAGE_ERROR))?;
    let schema = result.schema.clone();
    reply.with(name, session.results.add(*result)).with_fields(Some(&schema), session.version())
}

/// Times as plain numbers: whoever sends them counts in the precision of the column that they are for.
pub fn plain(array: ArrayRef) -> ArrayRef {
    match array.as_primitive_opt::<TimestampMillisecondType>() {
        Some(times) => Arc::new(Int64Array::new(times.values().clone(), times.nulls().cloned())),
        None => array,
    }
}

/// A cell that is a parameter of a query: of a type that is text it is text, whatever it came as.
pub fn parameter(data_type: DataType, array: ArrayRef) -> ArrayRef {
    let texts = array.as_binary_opt::<i32>().filter(|_| data_type.is_text());
    let texts = texts.and_then(|bytes| bytes.iter().map(|cell| cell.map(std::str::from_utf8).transpose().ok()).collect::<Option<StringArray>>());
    texts.map_or_else(|| plain(array), |texts| Arc::new(texts))
}

/// Fields as replies describe them, with their lengths in storage; with what each is for where `with_role`.
pub fn describe(fields: &[StatementField], with_role: bool) -> String {
    let described = fields.iter().map(|field| {
        let (precision, scale) = match field.data_type {
            DataType::Decimal(digits, scale) => (digits, scale),
            DataType::Timestamp => (field.precision.id(), 0),
            _ => (0, 0),
        };
        let (name, id, bytes) = (Json::from(field.name.as_str()), field.data_type.id(), field.data_type.storage_length());
        let role = if with_role { format!(",\"bind_type\":{}", bind_type(field.role)) } else { String::new() };
        format!("{{\"name\":{name},\"field_type\":{id},\"precision\":{precision},\"scale\":{scale},\"bytes\":{bytes}{role}}}")
    });
    format!("[{}]", described.collect::<Vec<_>>().join(","))
}

/// The number that says what a field is for.
fn bind_type(role: FieldRole) -> u8 {
    match role {
        FieldRole::Column => 1,
        FieldRole::Tag => 2,
        FieldRole::Table => 4,
    }
}

/// A column of NULLs of no type.
pub fn nulls(rows: usize) -> ArrayRef {
    Arc::new(NullArray::new(rows))
}
