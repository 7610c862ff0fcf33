//! Who asks: credentials out of a request, the login itself, and the one check before a server listens to the world.
//!
//! Every way into the server goes through [`Attempt`]: it waits where there were failures, verifies, and opens the session of that user.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION, request::Parts},
};
use embudo_engine::{Engine, Origin, Session};
use embudo_types::{Error, Result, code};
use embudo_wire::authorization::Credentials;

use crate::{connections::Place, refusal::Refusal, router::State};

/// What somebody who wants to enter has to show.
#[derive(Clone, Debug)]
pub enum Claim {
    /// A name and a password.
    Password(Credentials),
}

impl Claim {
    /// The user's name, as far as it is told.
    pub fn user(&self) -> &str {
        match self {
            Self::Password(credentials) => &credentials.user,
        }
    }
}

/// The claim in the `Authorization` header, else in the `token` parameter.
pub fn claim(headers: &HeaderMap, token: Option<&str>) -> Result<Claim, Refusal> {
    let unauthorized = |error| Refusal::new(StatusCode::UNAUTHORIZED, error);
    let credentials = match headers.get(AUTHORIZATION) {
        Some(value) => {
            let value = value.to_str().map_err(|_| unauthorized(Error::new(code::INVALID_AUTHORIZATION_TYPE)))?;
            Credentials::from_header(value).map_err(unauthorized)
        }
        None => token.and_then(Credentials::from_token).ok_or_else(|| unauthorized(Error::new(code::NO_AUTHORIZATION))),
    };
    credentials.map(Claim::Password)
}

/// Where a request comes from: the socket's other end. Where that is this machine, a proxy may say whom it speaks for.
pub fn address(headers: &HeaderMap, peer: SocketAddr) -> IpAddr {
    let told = || headers.get("x-real-ip")?.to_str().ok()?.trim().parse::<IpAddr>().ok();
    let peer = peer.ip().to_canonical();
    if peer.is_loopback() { told().unwrap_or(peer) } else { peer }
}

/// The address that a request comes from.
pub struct ClientAddress(pub IpAddr);

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        let place = parts.extensions.get::<Arc<Place>>().ok_or(StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok(Self(address(&parts.headers, place.peer)))
    }
}

/// One attempt to log in.
pub struct Attempt {
    state: Arc<State>,
    address: IpAddr,
    claim: Claim,
}

impl Attempt {
    /// Waits as long as failures before this one ask for; no thread is held meanwhile.
    pub async fn new(state: Arc<State>, address: IpAddr, claim: Claim) -> Result<Self> {
        let wait = state.slow_down.wait(address, claim.user(), Instant::now())?;
        if !wait.is_zero() {
            tracing::info!(%address, user = claim.user(), ?wait, "a login waits after failures");
            tokio::time::sleep(wait).await;
        }
        Ok(Self { state, address, claim })
    }

    /// Who wants to enter.
    pub fn user(&self) -> &str {
        self.claim.user()
    }

    /// Whether the claim is right; blocks. Gives the user's name.
    pub fn verify(&self) -> Result<&str> {
        let user = self.claim.user();
        let outcome = match &self.claim {
            Claim::Password(credentials) => self.state.engine.authenticate(&credentials.user, &credentials.password),
        };
        match &outcome {
            Ok(()) => self.state.slow_down.succeeded(self.address, user),
            Err(error) => {
                self.state.metrics.failed_login();
                self.state.slow_down.failed(self.address, user, Instant::now());
                tracing::warn!(address = %self.address, user, %error, "a login failed");
            }
        }
        outcome.map(|()| user)
    }

    /// Opens a session for whom the claim is right; blocks.
    pub fn session(&self) -> Result<Session> {
        self.state.engine.session(self.verify()?)
    }

    /// As [`session`](Self::session), for one request of a program: lists show the program and where it is.
    pub fn session_of_request(&self, application: &str) -> Result<Session> {
        let session = self.session()?;
        session.set_origin(Origin { application: application.to_owned(), address: SocketAddr::new(self.address, 0).to_string(), process: 0 });
        Ok(session)
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
