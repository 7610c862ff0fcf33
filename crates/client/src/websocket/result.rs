//! A statement's answer: affected rows, or blocks fetched one ahead of whoever reads them.

use std::{sync::Arc, time::Instant};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Value, arrow, code};
use embudo_wire::{
    binary_message::{Head, action},
    execution, raw_block,
};
use serde_json::{Value as Json, json};

use crate::asynchronous::{Batches, Next, Pending};

use super::{
    link::Link,
    reply::{self, Reply},
    statement::Lease,
};

/// Runs a statement. `speaks_binary`: the server takes `binary_query` and gives `fetch_raw_block`.
pub fn query(link: &Arc<Link>, sql: &str, speaks_binary: bool, deadline: Option<Instant>) -> Result<Answered> {
    let answer = if speaks_binary { binary_query(link, sql, deadline)? } else { link.call("query", json!({ "sql": sql }), deadline)? };
    Answered::new(link, &reply::checked(answer)?, speaks_binary, deadline)
}

/// Runs a statement with its parameters, where the server has Embudo's own actions.
pub fn execute(link: &Arc<Link>, sql: &str, parameters: &[Value], deadline: Option<Instant>) -> Result<Answered> {
    let request = link.next_request();
    link.send_binary(request, &execution::execute_request(request, sql, parameters))?;
    executed(link, link.wait(request, deadline)?, deadline)
}

/// As [`execute`], as a future: dropped, it stops the query.
pub async fn execute_later(link: &Arc<Link>, sql: &str, parameters: &[Value], deadline: Option<Instant>) -> Result<Answered> {
    let request = link.next_request();
    let mut asking = Asking { link, request, is_answered: false };
    link.send_binary(request, &execution::execute_request(request, sql, parameters))?;
    let reply = link.reply(request, deadline).await;
    // A query that did not answer in time is given up too.
    asking.is_answered = reply.is_ok();
    executed(link, reply?, deadline)
}

/// What one of Embudo's own actions was answered with.
pub fn executed(link: &Arc<Link>, reply: Reply, deadline: Option<Instant>) -> Result<Answered> {
    let frame = match reply {
        Reply::Binary(frame) => frame,
        Reply::Json(json) => return Err(not_a_block(&json)),
    };
    let broken = || Error::with(code::INVALID_MESSAGE, "the answer to a statement cannot be read");
    let executed = execution::read_reply(&frame).ok_or_else(broken)?;
    let answer: Json = serde_json::from_slice(executed.members).map_err(|source| broken().caused_by(source))?;
    let answer = reply::checked(answer)?;
    if let Some(rows) = affected(&answer) {
        return Ok(Answered::Affected(rows));
    }
    let mut blocks = Blocks::new(link, &answer, true, deadline)?;
    blocks.is_held = executed.has_more;
    if blocks.is_held {
        blocks.ask()?;
    }
    blocks.first = executed.block.map(|block| blocks.batch(block)).transpose()?;
    Ok(Answered::Rows(Box::new(blocks)))
}

/// How many rows an answer says were affected; `None` where it describes rows.
fn affected(answer: &Json) -> Option<u64> {
    (answer["is_update"].as_bool() == Some(true)).then(|| answer["affected_rows"].as_u64().unwrap_or(0))
}

fn binary_query(link: &Link, sql: &str, deadline: Option<Instant>) -> Result<Json> {
    let request = link.next_request();
    send_query(link, request, sql)?;
    answer_of(link.wait(request, deadline)?)
}

/// Has the server check a statement; it tells the code of what is wrong with it, no more.
pub fn validate(link: &Link, sql: &str, deadline: Option<Instant>) -> Result<()> {
    let request = link.next_request();
    link.send_binary(request, &text_message(request, action::VALIDATE_SQL, sql))?;
    let answer = reply::checked(answer_of(link.wait(request, deadline)?)?)?;
    match answer["result_code"].as_i64() {
        Some(0) => Ok(()),
        Some(number) => Err(Error::new(embudo_types::Code(number as u16))),
        None => Err(Error::with(code::INVALID_MESSAGE, "the answer to validate_sql has no code")),
    }
}

/// As [`query`], as a future: dropped, it stops the query where the server can.
pub async fn query_later(link: &Arc<Link>, sql: &str, speaks_binary: bool, deadline: Option<Instant>) -> Result<Answered> {
    let request = link.next_request();
    let mut asking = Asking { link, request, is_answered: false };
    if speaks_binary {
        send_query(link, request, sql)?;
    } else {
        link.send_action(request, "query", json!({ "sql": sql }))?;
    }
    let reply = link.reply(request, deadline).await;
    // A query that did not answer in time is given up too.
    asking.is_answered = reply.is_ok();
    Answered::new(link, &reply::checked(answer_of(reply?)?)?, speaks_binary, deadline)
}

/// What a query gave.
pub enum Answered {
    /// Rows written or removed.
    Affected(u64),
    /// Rows.
    Rows(Box<Blocks>),
}

impl Answered {
    fn new(link: &Arc<Link>, answer: &Json, speaks_binary: bool, deadline: Option<Instant>) -> Result<Self> {
        match affected(answer) {
            Some(rows) => Ok(Self::Affected(rows)),
            None => Blocks::open(link, answer, speaks_binary, deadline).map(|blocks| Self::Rows(Box::new(blocks))),
        }
    }

    /// How many rows were affected; none where it gave some.
    pub fn affected(&self) -> u64 {
        if let Self::Affected(rows) = self { *rows } else { 0 }
    }

    /// The rows keep the statement that they are of.
    pub fn keeping(mut self, mut statement: Lease) -> Self {
        match &mut self {
            Self::Rows(blocks) if blocks.is_held => blocks.statement = Some(statement),
            // It is over.
            _ => statement.keep(),
        }
        self
    }
}

impl From<Answered> for ResultSet {
    fn from(answered: Answered) -> Self {
        match answered {
            Answered::Affected(rows) => Self::affected(rows),
            Answered::Rows(blocks) => Self { schema: Arc::clone(&blocks.schema), outcome: embudo_types::Outcome::Rows(blocks) },
        }
    }
}

/// Gives a query up when the future that waits for its answer is dropped.
struct Asking<'a> {
    link: &'a Link,
    request: u64,
    is_answered: bool,
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.link.cancel_query(self.request);
        }
    }
}

fn answer_of(reply: Reply) -> Result<Json> {
    match reply {
        Reply::Json(json) => Ok(json),
        Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, "a query was answered with bytes")),
    }
}

fn send_query(link: &Link, request: u64, sql: &str) -> Result<()> {
    link.send_binary(request, &text_message(request, action::BINARY_QUERY, sql))
}

/// A message with a statement's text.
fn text_message(request: u64, action: u64, sql: &str) -> Vec<u8> {
    let mut bytes = Head { request, resource: 0, action }.to_bytes();
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&(sql.len() as u32).to_le_bytes());
    bytes.extend_from_slice(sql.as_bytes());
    bytes
}

/// The fields that an answer describes.
fn schema(answer: &Json) -> Result<(SchemaRef, Precision)> {
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let (names, types, lengths) = (list("fields_names"), list("fields_types"), list("fields_lengths"));
    let (precisions, scales) = (list("fields_precisions"), list("fields_scales"));
    let precision = Precision::from_id(answer["precision"].as_u64().unwrap_or(0) as u8)?;
    let number = |list: &[Json], at: usize| list.get(at).and_then(Json::as_u64).unwrap_or(0);
    let fields = names.iter().enumerate().map(|(at, name)| {
        let data_type = match DataType::from_id(number(&types, at) as u8, number(&lengths, at) as u32)? {
            DataType::Decimal(..) => DataType::Decimal(number(&precisions, at) as u8, number(&scales, at) as u8),
            other => other,
        };
        Ok(arrow::field(name.as_str().unwrap_or_default(), data_type, precision))
    });
    Ok((Arc::new(Schema::new(fields.collect::<Result<Vec<_>>>()?)), precision))
}

/// The blocks of one result.
pub struct Blocks {
    link: Arc<Link>,
    id: u64,
    schema: SchemaRef,
    precision: Precision,
    speaks_binary: bool,
    /// A block that came with the answer.
    first: Option<RecordBatch>,
    /// Whether the server holds more of them.
    is_held: bool,
    /// The request for the next block, which is on its way while the last one is read.
    asked: Option<u64>,
    done: bool,
    /// The statement that the rows belong to.
    statement: Option<Lease>,
    deadline: Option<Instant>,
}

impl Blocks {
    /// The blocks of the rows that an answer describes, with the first one asked for.
    pub fn open(link: &Arc<Link>, answer: &Json, speaks_binary: bool, deadline: Option<Instant>) -> Result<Self> {
        let mut blocks = Self::new(link, answer, speaks_binary, deadline)?;
        blocks.ask()?;
        Ok(blocks)
    }

    fn new(link: &Arc<Link>, answer: &Json, speaks_binary: bool, deadline: Option<Instant>) -> Result<Self> {
        let id = answer["id"].as_u64().ok_or_else(|| Error::with(code::INVALID_MESSAGE, "the answer to a query has no id"))?;
        let (schema, precision) = schema(answer)?;
        let link = Arc::clone(link);
        Ok(Self { link, id, schema, precision, speaks_binary, first: None, is_held: true, asked: None, done: false, statement: None, deadline })
    }

    /// The fields.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn ask(&mut self) -> Result<()> {
        if self.speaks_binary {
            let request = self.link.next_request();
            let mut bytes = Head { request, resource: self.id, action: action::FETCH_RAW_BLOCK }.to_bytes();
            bytes.extend_from_slice(&1_u16.to_le_bytes());
            self.link.send_binary(request, &bytes)?;
            self.asked = Some(request);
        }
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<RecordBatch>> {
        if self.first.is_some() || !self.is_held {
            return Ok(self.first.take());
        }
        if !self.speaks_binary {
            return self.next_by_json();
        }
        let Some(request) = self.asked.take() else { return Ok(None) };
        let reply = self.link.wait(request, self.deadline)?;
        self.block_of(&reply)
    }

    /// The block of a `fetch_raw_block` reply; the next one is asked for.
    fn block_of(&mut self, reply: &Reply) -> Result<Option<RecordBatch>> {
        match reply {
            Reply::Binary(frame) => match reply::raw_block(frame)? {
                Some(block) => {
                    self.ask()?;
                    self.batch(block).map(Some)
                }
                None => Ok(None),
            },
            Reply::Json(json) => Err(not_a_block(json)),
        }
    }

    /// The way of servers before 3.3.2: `fetch`, then `fetch_block`, whose reply carries the result's id only.
    fn next_by_json(&mut self) -> Result<Option<RecordBatch>> {
        let answer = reply::checked(self.link.call("fetch", json!({ "id": self.id }), self.deadline)?)?;
        if answer["completed"].as_bool() == Some(true) {
            return Ok(None);
        }
        let reply = self.link.call_for_block(self.id, self.deadline)?;
        self.plain_block_of(&reply).map(Some)
    }

    /// The block of a `fetch_block` reply.
    fn plain_block_of(&self, reply: &Reply) -> Result<RecordBatch> {
        match reply {
            Reply::Binary(frame) => {
                let block = frame.get(16..).ok_or_else(|| Error::with(code::INVALID_MESSAGE, "a fetch_block reply is too short"))?;
                self.batch(block)
            }
            Reply::Json(json) => Err(not_a_block(json)),
        }
    }

    /// As [`Self::next_block`], as a future.
    async fn next_block_later(&mut self) -> Result<Option<RecordBatch>> {
        if self.first.is_some() || !self.is_held {
            return Ok(self.first.take());
        }
        if self.speaks_binary {
            // It stays asked for until it is here, so that dropping this gives it up.
            let Some(request) = self.asked else { return Ok(None) };
            let reply = self.link.reply(request, self.deadline).await?;
            self.asked = None;
            return self.block_of(&reply);
        }
        let answer = reply::checked(self.link.request("fetch", json!({ "id": self.id }), self.deadline).await?)?;
        if answer["completed"].as_bool() == Some(true) {
            return Ok(None);
        }
        let reply = self.link.request_block(self.id, self.deadline).await?;
        self.plain_block_of(&reply).map(Some)
    }

    /// All rows were taken.
    fn finish(&mut self) {
        self.done = true;
        if let Some(mut statement) = self.statement.take() {
            statement.keep();
        }
    }

    fn batch(&self, block: &[u8]) -> Result<RecordBatch> {
        let block = raw_block::decode(block, self.precision)?;
        let arrays = block.columns.into_iter().map(|(_, array)| array).collect();
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(block.rows));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options)
            .map_err(|source| Error::with(code::INVALID_MESSAGE, format!("a block does not fit its result: {source}")).caused_by(source))
    }
}

impl Iterator for Blocks {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        match self.next_block() {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => {
                self.finish();
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

impl Batches for Blocks {
    fn next(mut self: Box<Self>) -> Pending<Next> {
        Box::pin(async move {
            match self.next_block_later().await {
                Ok(Some(batch)) => Ok(Some((batch, self as Box<dyn Batches>))),
                Ok(None) => {
                    self.finish();
                    Ok(None)
                }
                Err(error) => {
                    // A late one is given up, another failure ended the result.
                    self.done = error.code() != code::CONN_READ_TIMEOUT;
                    Err(error)
                }
            }
        })
    }
}

fn not_a_block(json: &Json) -> Error {
    reply::checked(json.clone()).err().unwrap_or_else(|| Error::with(code::INVALID_MESSAGE, "a block was asked for, members came"))
}

impl Drop for Blocks {
    fn drop(&mut self) {
        if let Some(request) = self.asked.take() {
            self.link.abandon(request);
        }
        if self.is_held && !self.done {
            // Where the link is broken the server has freed it already.
            let _ = self.link.tell("free_result", json!({ "id": self.id }));
        }
    }
}
