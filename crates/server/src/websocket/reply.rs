//! JSON replies: the members that each has, in the order that the adapter writes them, then those of the action.

use std::{fmt::Write as _, time::Instant};

use arrow_schema::{Schema, SchemaRef};
use embudo_types::{DataType, Error, Result, arrow};
use embudo_wire::websocket::Message;
use serde_json::Value as Json;

use crate::version::{AdvertisedVersion, Since};

/// What every reply repeats of its request.
#[derive(Clone, Debug)]
pub struct Head {
    /// The action.
    pub action: String,
    /// The client's id.
    pub request: u64,
    /// When the request came.
    pub received: Instant,
    /// The id of the statement, which replies about statements repeat even when they are errors.
    pub statement: Option<u64>,
    /// The id of the message, which replies about messages repeat; errors where the request has one.
    pub message: Option<u64>,
}

impl Head {
    /// The head of a request that has just come.
    pub fn new(action: impl Into<String>, request: u64) -> Self {
        Self { action: action.into(), request, received: Instant::now(), statement: None, message: None }
    }

    /// Nanoseconds since the request came.
    pub fn timing(&self) -> u64 {
        u64::try_from(self.received.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// A reply being written.
#[derive(Debug)]
pub struct Reply {
    text: String,
}

impl Reply {
    /// The reply of a success.
    pub fn new(head: &Head) -> Self {
        Self::begin(head, 0, "")
    }

    /// The reply of a failure.
    pub fn error(head: &Head, error: &Error) -> Self {
        Self::begin(head, error.code().0, error.message())
    }

    fn begin(head: &Head, code: u16, message: &str) -> Self {
        let (message, action) = (Json::from(message), Json::from(head.action.as_str()));
        let text = format!("{{\"code\":{code},\"message\":{message},\"action\":{action},\"req_id\":{},\"timing\":{}", head.request, head.timing());
        let reply = Self { text };
        match (head.statement, head.message) {
            (Some(statement), _) => reply.with("stmt_id", statement),
            (None, Some(message)) if code == 0 || message != 0 => reply.with("message_id", message),
            (None, _) => reply,
        }
    }

    /// The reply of a success with its id before its action, as `/rest/schemaless` has it.
    pub fn with_id_first(head: &Head) -> Self {
        let action = Json::from(head.action.as_str());
        Self { text: format!("{{\"code\":0,\"message\":\"\",\"req_id\":{},\"action\":{action},\"timing\":{}", head.request, head.timing()) }
    }

    /// A short reply, without id and time.
    pub fn bare(action: &str) -> Self {
        Self { text: format!("{{\"code\":0,\"message\":\"\",\"action\":{}", Json::from(action)) }
    }

    /// The reply with one more member.
    pub fn with(self, name: &str, value: impl Into<Json>) -> Self {
        self.with_text(name, &value.into().to_string())
    }

    /// The reply with one more member, whose value is JSON already.
    pub fn with_text(mut self, name: &str, json: &str) -> Self {
        // Writing to a string never fails.
        let _ = write!(self.text, ",\"{name}\":{json}");
        self
    }

    /// The message. Servers before 3.3.2 write what is special in HTML as escapes (recorded).
    pub fn finish(mut self, version: &AdvertisedVersion) -> Message {
        self.text.push('}');
        if !version.has(Since::BINARY_QUERY) && self.text.contains(['<', '>', '&']) {
            self.text = self.text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        }
        Message::Text(self.text)
    }

    /// The reply with the members that describe a result's fields; none for a statement without rows.
    pub fn with_fields(self, schema: Option<&SchemaRef>, version: &AdvertisedVersion) -> Result<Self> {
        let decimals = version.has(Since::DECIMAL);
        let Some(schema) = schema else {
            let reply = self.with("fields_count", 0).with("fields_names", Json::Null).with("fields_types", Json::Null).with("fields_lengths", Json::Null);
            let reply = reply.with("precision", 0);
            return Ok(if decimals { reply.with("fields_precisions", Json::Null).with("fields_scales", Json::Null) } else { reply });
        };
        let types = types(schema)?;
        let names: Vec<Json> = schema.fields().iter().map(|field| field.name().as_str().into()).collect();
        let list = |number: fn(&DataType) -> u32| Json::from(types.iter().map(number).collect::<Vec<_>>());
        let precision = schema.fields().iter().find(|field| matches!(field.data_type(), arrow_schema::DataType::Timestamp(..)));
        let reply = self
            .with("fields_count", names.len())
            .with("fields_names", names)
            .with("fields_types", list(|data_type| data_type.id().into()))
            .with("fields_lengths", list(|data_type| data_type.length()))
            .with("precision", precision.map_or(0, |field| arrow::precision(field).id()));
        if !decimals {
            return Ok(reply);
        }
        let digits = |data_type: &DataType| if let DataType::Decimal(digits, _) = data_type { (*digits).into() } else { 0 };
        let scale = |data_type: &DataType| if let DataType::Decimal(_, scale) = data_type { (*scale).into() } else { 0 };
        Ok(reply.with("fields_precisions", list(digits)).with("fields_scales", list(scale)))
    }
}

/// TDengine's types of a result's fields.
pub fn types(schema: &Schema) -> Result<Vec<DataType>> {
    schema.fields().iter().map(|field| arrow::data_type(field)).collect()
}
