//! Who asks: credentials out of a request, the login itself, and the one check before a server listens to the world.
//!
//! Every way into the server goes through [`Attempt`]: it waits where there were failures, verifies, and opens the session of that user.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, StatusCode, header::AUTHORIZATION, request::Parts},
};
use embudo_engine::{Engine, Login, Origin, Proof, Session, Token};
use embudo_types::{Error, Result, code};
use embudo_wire::authorization::Credentials;

use crate::{connections::Place, refusal::Refusal, router::State};

/// What somebody who wants to enter has to show.
#[derive(Clone)]
pub enum Claim {
    /// A name and a password.
    Password(Credentials),
    /// The same with what the user's second factor gives now.
    Totp(Credentials, String),
    /// A token that CREATE TOKEN gave.
    Token(String),
}

impl Claim {
    /// A name and a password, with the code of a second factor where it is not empty.
    pub fn password(user: &str, password: &str, code: &str) -> Self {
        let credentials = Credentials { user: user.to_owned(), password: password.to_owned() };
        if code.is_empty() { Self::Password(credentials) } else { Self::Totp(credentials, code.to_owned()) }
    }

    /// A token: of a user, or what `/rest/login` gave, which says name and password.
    pub fn token(text: &str) -> Self {
        Credentials::from_token(text).map_or_else(|| Self::Token(text.to_owned()), Self::Password)
    }

    /// [`token`](Self::token) where the text can be one.
    fn of_token_text(text: &str) -> Option<Self> {
        Credentials::from_token(text).map(Self::Password).or_else(|| Token::is_text(text).then(|| Self::Token(text.to_owned())))
    }

    /// The user's name, as far as it is told.
    pub fn user(&self) -> &str {
        match self {
            Self::Password(credentials) | Self::Totp(credentials, _) => &credentials.user,
            Self::Token(_) => "(a token)",
        }
    }

    /// Whether guessing may succeed; then failures cost time. A token is longer than that.
    fn can_be_guessed(&self) -> bool {
        !matches!(self, Self::Token(_))
    }

    fn proof(&self) -> Proof<'_> {
        match self {
            Self::Password(credentials) => Proof::Password { user: &credentials.user, password: &credentials.password, code: "" },
            Self::Totp(credentials, code) => Proof::Password { user: &credentials.user, password: &credentials.password, code },
            Self::Token(text) => Proof::Token(text),
        }
    }
}

/// The claim in the `Authorization` header, else in the `token` parameter. `Bearer` beside that parameter does not count. What cannot be a token
/// is refused as by servers that know none.
pub fn claim(headers: &HeaderMap, token: Option<&str>) -> Result<Claim, Refusal> {
    let unauthorized = |error| Refusal::new(StatusCode::UNAUTHORIZED, error);
    let in_url = || token.and_then(Claim::of_token_text);
    let Some(value) = headers.get(AUTHORIZATION) else {
        return in_url().ok_or_else(|| unauthorized(Error::new(code::NO_AUTHORIZATION)));
    };
    let value = value.to_str().map_err(|_| unauthorized(Error::new(code::INVALID_AUTHORIZATION_TYPE)))?;
    // Clients of InfluxDB send `Token` and `user:password`, or what they were given as a token.
    let in_header = value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("Token ")).and_then(|text| Claim::of_token_text(text.trim()));
    let by_token = if value.starts_with("Bearer ") { in_url().or(in_header) } else { in_header };
    by_token.map_or_else(|| Credentials::from_header(value).map(Claim::Password).map_err(unauthorized), Ok)
}

/// The value of the `token` parameter. Some clients append `?req_id=…` behind it.
pub fn token_of(parameter: &str) -> String {
    parameter.split('?').next().unwrap_or_default().to_owned()
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
        let wait = if claim.can_be_guessed() { state.slow_down.wait(address, claim.user(), Instant::now())? } else { Duration::ZERO };
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

    /// Whether the claim is right, and its user may come from there (else 0x0134); blocks.
    pub fn verify(&self) -> Result<Login> {
        let user = self.claim.user();
        let outcome = self.state.engine.log_in(self.claim.proof(), self.address);
        match &outcome {
            Ok(_) if self.claim.can_be_guessed() => self.state.slow_down.succeeded(self.address, user),
            Ok(_) => {}
            Err(error) => {
                self.state.metrics.failed_login();
                if self.claim.can_be_guessed() && error.code() != code::NOT_ALLOWED_TO_CONNECT {
                    self.state.slow_down.failed(self.address, user, Instant::now());
                }
                tracing::warn!(address = %self.address, user, %error, "a login failed");
            }
        }
        outcome
    }

    /// Opens a session for whom the claim is right; blocks.
    pub fn session(&self) -> Result<Session> {
        self.verify().map(|login| self.state.engine.session_of(&login))
    }

    /// As [`session`](Self::session), for one request: lists show the program, if it says which it is, and where it is, as it says or as it is.
    pub fn session_of_request(&self, endpoint: &str, application: Option<&str>, told_address: Option<&str>) -> Result<Session> {
        let session = self.session()?;
        session.set_origin(Origin {
            application: application.unwrap_or(endpoint).to_owned(),
            address: SocketAddr::new(self.address, 0).to_string(),
            process: 0,
            user_application: application.unwrap_or_default().to_owned(),
            user_address: told_address.map_or_else(|| self.address.to_string(), str::to_owned),
        });
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
