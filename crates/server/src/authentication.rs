//! Who asks: credentials out of a request, and the one check before a server listens to the world.

use std::{net::SocketAddr, sync::Arc};

use axum::http::{HeaderMap, StatusCode, header::AUTHORIZATION};
use embudo_engine::Engine;
use embudo_types::{Error, Result, code};
use embudo_wire::authorization::Credentials;

use crate::refusal::Refusal;

/// The credentials in the `Authorization` header, else in the `token` parameter.
pub fn credentials(headers: &HeaderMap, token: Option<&str>) -> Result<Credentials, Refusal> {
    let unauthorized = |error| Refusal::new(StatusCode::UNAUTHORIZED, error);
    match headers.get(AUTHORIZATION) {
        Some(value) => {
            let value = value.to_str().map_err(|_| unauthorized(Error::new(code::INVALID_AUTHORIZATION_TYPE)))?;
            Credentials::from_header(value).map_err(unauthorized)
        }
        None => token.and_then(Credentials::from_token).ok_or_else(|| unauthorized(Error::new(code::NO_AUTHORIZATION))),
    }
}

/// An open door to the world needs a password that is not in every manual.
pub fn refuse_default_password(engine: &Arc<Engine>, addresses: &[SocketAddr]) -> Result<()> {
    let open = addresses.iter().find(|address| !address.ip().is_loopback());
    let Some(open) = open else { return Ok(()) };
    if engine.authenticate("root", "taosdata").is_err() {
        return Ok(());
    }
    Err(Error::with(
        code::INVALID_CONFIG_OPTION,
        format!(
            "will not listen on {open} while user root has the default password; change it first: \
             embudo shell --data DIR -s \"ALTER USER root PASS 'a new password'\", or listen on 127.0.0.1"
        ),
    ))
}
