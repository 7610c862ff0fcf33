//! `GET /rest/login/{user}/{password}`: a token for the `Taosd` scheme.

use std::sync::Arc;

use axum::{
    extract::{Path, State as Shared},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use embudo_types::{Code, code};
use embudo_wire::authorization::Credentials;

use crate::{
    authentication::{Attempt, Claim, ClientAddress},
    refusal::{Refusal, message},
    router::State,
};

/// The code of success.
const SUCCESS: Code = Code(0);

/// `GET /genauth/{user}/{password}/{key}`: what the adapter is left with of an old helper.
pub async fn show_credentials(Path((user, password, _)): Path<(String, String, String)>) -> Response {
    if user.is_empty() || password.is_empty() || user.len() > 24 {
        return StatusCode::BAD_REQUEST.into_response();
    }
    format!("{user}:{password}").into_response()
}

/// Checks the password and mints the token.
pub async fn mint_token(Shared(state): Shared<Arc<State>>, client: ClientAddress, Path((user, password)): Path<(String, String)>) -> Result<Response, Refusal> {
    let credentials = Credentials { user, password };
    let Some(token) = credentials.token() else {
        return Ok(message(StatusCode::BAD_REQUEST, code::TOKEN_NOT_GENERATED, code::TOKEN_NOT_GENERATED.text()));
    };
    let Ok(attempt) = Attempt::new(Arc::clone(&state), client.0, Claim::Password(credentials)).await else {
        return Ok(message(StatusCode::UNAUTHORIZED, code::LOGIN_FAILED, code::LOGIN_FAILED.text()));
    };
    Ok(match state.turns.first(move || attempt.verify().map(drop)).await? {
        Ok(()) => message(StatusCode::OK, SUCCESS, &token),
        Err(_) => message(StatusCode::UNAUTHORIZED, code::LOGIN_FAILED, code::LOGIN_FAILED.text()),
    })
}
