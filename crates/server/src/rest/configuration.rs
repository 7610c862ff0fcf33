//! `PUT /config`: how much is logged from here on, as `{"log.level": "debug"}`. The adapter lets everybody do that; here it takes root.

use std::sync::Arc;

use axum::{http::StatusCode, response::Response};
use embudo_types::{Code, Error, code};

use super::body::read_bytes;
use crate::{
    authentication::{Attempt, claim},
    incoming::Incoming,
    refusal::{Refusal, message},
};

/// Changes it.
pub async fn change(incoming: Incoming) -> Result<Response, Refusal> {
    let Incoming { state, client, query: _, headers, body } = incoming;
    let claim = claim(&headers, None)?;
    let body = read_bytes(&headers, body, &state.options, &state.bodies).await?;
    let attempt = Attempt::new(Arc::clone(&state), client.0, claim).await?;
    let is_root = state.turns.first(move || attempt.session().map(|session| session.user() == "root")).await??;
    if !is_root {
        return Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION).into());
    }
    let wanted: serde_json::Value = serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let level = wanted.get("log.level").and_then(serde_json::Value::as_str).ok_or_else(|| Refusal::bad_request("log.level required"))?;
    let control = state.options.log.as_ref().ok_or_else(|| Refusal::bad_request("the log belongs to the program that this server runs in"))?;
    control.set(level).map_err(|error| Refusal::bad_request(error.message()))?;
    Ok(message(StatusCode::OK, Code(0), ""))
}
