//! A statement's answer: affected rows, or blocks fetched one ahead of whoever reads them.

use std::{sync::Arc, time::Instant};

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use embudo_types::{DataType, Error, Precision, Result, ResultSet, arrow, code};
use embudo_wire::{
    binary_message::{Head, action},
    raw_block,
};
use serde_json::{Value as Json, json};

use super::{
    link::Link,
    reply::{self, Reply},
    statement::Lease,
};

/// Runs a statement. `speaks_binary`: the server takes `binary_query` and gives `fetch_raw_block`.
pub fn query(link: Arc<Link>, sql: &str, speaks_binary: bool, deadline: Option<Instant>) -> Result<ResultSet> {
    let answer = if speaks_binary { binary_query(&link, sql, deadline)? } else { link.call("query", json!({ "sql": sql }), deadline)? };
    let answer = reply::checked(answer)?;
    if answer["is_update"].as_bool() == Some(true) {
        return Ok(ResultSet::affected(answer["affected_rows"].as_u64().unwrap_or(0)));
    }
    rows(link, &answer, speaks_binary, None, deadline)
}

/// The rows that an answer describes; those of a prepared statement keep it.
pub fn rows(link: Arc<Link>, answer: &Json, speaks_binary: bool, statement: Option<Lease>, deadline: Option<Instant>) -> Result<ResultSet> {
    let id = answer["id"].as_u64().ok_or_else(|| Error::with(code::INVALID_MESSAGE, "the answer to a query has no id"))?;
    let (schema, precision) = schema(answer)?;
    let mut blocks = Blocks { link, id, schema: Arc::clone(&schema), precision, speaks_binary, asked: None, done: false, statement, deadline };
    blocks.ask()?;
    Ok(ResultSet { schema, outcome: embudo_types::Outcome::Rows(Box::new(blocks)) })
}

fn binary_query(link: &Link, sql: &str, deadline: Option<Instant>) -> Result<Json> {
    let request = link.next_request();
    let mut bytes = Head { request, resource: 0, action: action::BINARY_QUERY }.to_bytes();
    bytes.extend_from_slice(&1_u16.to_le_bytes());
    bytes.extend_from_slice(&(sql.len() as u32).to_le_bytes());
    bytes.extend_from_slice(sql.as_bytes());
    link.send_binary(request, &bytes)?;
    match link.wait(request, deadline)? {
        Reply::Json(json) => Ok(json),
        Reply::Binary(_) => Err(Error::with(code::INVALID_MESSAGE, "a query was answered with bytes")),
    }
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
struct Blocks {
    link: Arc<Link>,
    id: u64,
    schema: SchemaRef,
    precision: Precision,
    speaks_binary: bool,
    /// The request for the next block, which is on its way while the last one is read.
    asked: Option<u64>,
    done: bool,
    /// The statement that the rows belong to.
    statement: Option<Lease>,
    deadline: Option<Instant>,
}

impl Blocks {
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
        if !self.speaks_binary {
            return self.next_by_json();
        }
        let Some(request) = self.asked.take() else { return Ok(None) };
        match self.link.wait(request, self.deadline)? {
            Reply::Binary(frame) => match reply::raw_block(&frame)? {
                Some(block) => {
                    self.ask()?;
                    self.batch(block).map(Some)
                }
                None => Ok(None),
            },
            Reply::Json(json) => reply::checked(json).and_then(|_| Err(Error::with(code::INVALID_MESSAGE, "a block was asked for, members came"))),
        }
    }

    /// The way of servers before 3.3.2: `fetch`, then `fetch_block`, whose reply carries the result's id only.
    fn next_by_json(&mut self) -> Result<Option<RecordBatch>> {
        let answer = reply::checked(self.link.call("fetch", json!({ "id": self.id }), self.deadline)?)?;
        if answer["completed"].as_bool() == Some(true) {
            return Ok(None);
        }
        match self.link.call_for_block(self.id, self.deadline)? {
            Reply::Binary(frame) => {
                let block = frame.get(16..).ok_or_else(|| Error::with(code::INVALID_MESSAGE, "a fetch_block reply is too short"))?;
                self.batch(block).map(Some)
            }
            Reply::Json(json) => reply::checked(json).and_then(|_| Err(Error::with(code::INVALID_MESSAGE, "a block was asked for, members came"))),
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
                self.done = true;
                if let Some(mut statement) = self.statement.take() {
                    statement.keep();
                }
                None
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        if let Some(request) = self.asked.take() {
            self.link.abandon(request);
        }
        if !self.done {
            // Where the link is broken the server has freed it already.
            let _ = self.link.tell("free_result", json!({ "id": self.id }));
        }
    }
}
