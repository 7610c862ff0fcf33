//! `POST /rest/sql/{database}/vgid`: the vgroups of tables, asked for by a JSON array of their names (spec/protocols.md 1.9).

use std::sync::Arc;

use axum::{
    extract::Path,
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};

use super::{body::read_bytes, parameters::Parameters};
use crate::{
    authentication::{Attempt, claim},
    incoming::Incoming,
    refusal::{JSON, Refusal},
};

/// Tells the vgroups, in the order of the names.
pub async fn tell(Path(database): Path<String>, incoming: Incoming) -> Result<Response, Refusal> {
    let Incoming { state, client, query, headers, body } = incoming;
    let parameters = Parameters::parse(query.as_deref())?;
    let claim = claim(&headers, parameters.token.as_deref())?;
    let body = read_bytes(&headers, body, &state.options, &state.bodies).await?;
    let names: Vec<String> = serde_json::from_slice(&body).map_err(|error| Refusal::bad_request(error.to_string()))?;
    if names.is_empty() || names.iter().any(String::is_empty) {
        return Err(Refusal::bad_request("names of tables required"));
    }
    let attempt = Attempt::new(Arc::clone(&state), client.0, claim).await?;
    let vgroups = state.turns.first(move || attempt.session_of_request("rest", None, None)?.vgroups_of(&database, &names)).await??;
    let body = serde_json::json!({ "code": 0, "vgIDs": vgroups });
    Ok((StatusCode::OK, [(CONTENT_TYPE, JSON)], body.to_string()).into_response())
}
