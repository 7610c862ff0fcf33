//! One client's session: who it is, what it holds, and which action each of its messages is.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use embudo_engine::Session as EngineSession;
use embudo_types::{Error, Result, code};
use embudo_wire::{binary_message as binary, websocket::Message};

use super::{
    Endpoint,
    action::{Action, binary_name, is_about_a_statement},
    cancellation::Cancellations,
    conversation::{Answer, Conversation},
    execution, information,
    login::{self, Login},
    query,
    reply::{Head, Reply},
    request::Request,
    results::{self, Results},
    schemaless, statement, statement2,
    statements::Statements,
    upgrade::Client,
    write_raw,
};
use crate::{
    budget::Budget,
    options::ServerOptions,
    router::State,
    version::{AdvertisedVersion, Since},
};

/// How our client's messages begin that stop a query. TDengine has no such action; there is no answer.
const CANCEL: &str = "{\"action\":\"cancel\"";

/// A session; every message of its connection is handled with it, several at a time.
pub struct Session {
    /// Engine, settings, turns, counters.
    pub server: Arc<State>,
    /// The path that the client came by.
    pub endpoint: Endpoint,
    /// Who is at the other end.
    pub client: Client,
    /// Held while a login is under way.
    pub logging_in: tokio::sync::Mutex<()>,
    /// What the client has not fetched yet.
    pub results: Results,
    /// What the client has prepared.
    pub statements: Statements,
    /// What runs for it and may be stopped.
    pub cancellations: Cancellations,
    login: OnceLock<Login>,
    left: AtomicBool,
}

impl Session {
    /// A session of nobody yet.
    pub fn new(server: Arc<State>, endpoint: Endpoint, client: Client) -> Self {
        Self {
            server,
            endpoint,
            client,
            logging_in: tokio::sync::Mutex::default(),
            results: Results::default(),
            statements: Statements::default(),
            cancellations: Cancellations::default(),
            login: OnceLock::new(),
            left: AtomicBool::new(false),
        }
    }

    /// The version that clients are told.
    pub fn version(&self) -> &AdvertisedVersion {
        &self.server.options.advertised_version
    }

    /// How long a result may wait to be fetched.
    pub fn result_timeout(&self) -> Duration {
        self.server.options.result_timeout
    }

    /// Makes it the session of a user.
    pub fn log_in(&self, login: Login) {
        // Logins are one at a time and none follows a success.
        let _ = self.login.set(login);
    }

    /// The login, once there is one.
    pub fn login(&self) -> Result<&Login> {
        self.login.get().ok_or_else(|| Error::with(code::UNCLASSIFIED, "server not connected"))
    }

    /// The session on the engine, once there is a login.
    pub fn engine(&self) -> Result<&EngineSession> {
        self.login().map(|login| &login.session)
    }

    /// Addresses of the servers that stand for each other: there is one, and the client knows how it got here.
    pub fn instances(&self) -> Vec<String> {
        self.client.host.iter().cloned().collect()
    }

    /// Runs the short part of a statement in its turn.
    pub async fn turn<T: Send + 'static>(self: &Session, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        if self.left.load(Ordering::Acquire) {
            return Err(Error::new(code::QUERY_TERMINATED));
        }
        self.server.turns.first(work).await.and_then(|outcome| outcome)
    }

    fn failed(&self, head: &Head, error: &Error) -> Message {
        tracing::debug!(%error, action = head.action, "request failed");
        self.server.metrics.error(error);
        Reply::error(head, error).finish(self.version())
    }

    async fn handle_text(&self, text: &str) -> Option<Message> {
        let is_recorded = !self.version().has(Since::BINARY_QUERY);
        let Some(request) = Request::parse(text) else {
            let error = Error::with(code::UNCLASSIFIED, "unmarshal request error");
            return (!is_recorded).then(|| self.failed(&Head::new("", 0), &error));
        };
        let mut head = Head::new(request.action.as_str(), request.arguments.request_id());
        let action = Action::named(&request.action, self.endpoint, self.version());
        if action.is_none() && self.endpoint != Endpoint::Unified {
            return None;
        }
        if self.login().is_err() && action.is_none_or(Action::needs_login) {
            if is_recorded && self.endpoint == Endpoint::Unified {
                head.request = 0;
            }
            return self.login().err().map(|error| self.failed(&head, &error));
        }
        if action.is_some_and(Action::is_about_a_statement) {
            head.statement = Some(request.arguments.unsigned("stmt_id").unwrap_or(0));
        }
        let outcome = match action {
            Some(action) => self.act(action, &head, &request).await,
            None if request.action.is_empty() && !is_recorded => Err(Error::with(code::UNCLASSIFIED, "request no action")),
            None => Err(Error::with(code::UNCLASSIFIED, format!("unknown action {}", request.action))),
        };
        outcome.unwrap_or_else(|error| Some(self.failed(&head, &error)))
    }

    async fn act(&self, action: Action, head: &Head, request: &Request) -> Result<Option<Message>> {
        let arguments = &request.arguments;
        if action != Action::Version {
            arguments.check()?;
        }
        let reply = match action {
            Action::Version => information::version(self, head),
            Action::Connect => login::connect(self, head, arguments).await?,
            Action::Query => query::run(self, head, arguments.text("sql")?.to_owned()).await?,
            Action::Fetch => results::fetch(self, head, arguments).await?,
            Action::FetchBlock => results::fetch_block(self, head, arguments).await?,
            Action::FreeResult => {
                self.results.remove(arguments.unsigned("id")?);
                return Ok(None);
            }
            Action::FieldCount => information::field_count(self, head, arguments)?,
            Action::CurrentDatabase => information::current_database(self, head)?,
            Action::ServerInformation => information::server_information(self, head),
            Action::SetOptions => login::set_options(self, head, arguments)?,
            Action::ConnectionInformation => information::connection_information(self, head, arguments)?,
            Action::ServerStatus => information::server_status(self, head),
            Action::InsertLines => schemaless::insert(self, head, arguments).await?,
            Action::Statement(action) => return statement::act(self, action, head, arguments).await,
            Action::Statement2(action) => statement2::act(self, action, head, arguments).await?,
        };
        Ok(Some(reply))
    }

    async fn handle_binary(&self, bytes: &[u8]) -> Option<Message> {
        let is_recorded = !self.version().has(Since::BINARY_QUERY);
        let parsed = binary::Head::parse(bytes);
        let (message, body) = parsed.unwrap_or((binary::Head { request: 0, resource: 0, action: 0 }, &[]));
        let name = binary_name(message.action, self.endpoint, self.version());
        if name.is_none() && self.endpoint != Endpoint::Unified {
            return None;
        }
        let mut head = Head::new(name.unwrap_or("unknown"), message.request);
        if name.is_some() && is_about_a_statement(message.action) {
            head.statement = Some(message.resource);
        }
        let outcome = match (self.login(), name) {
            (Err(error), _) => Err(error),
            (_, None) if parsed.is_none() && !is_recorded => Err(Error::with(code::UNCLASSIFIED, "message length is too short")),
            (_, None) if is_recorded => Err(Error::with(code::UNCLASSIFIED, "unknown action unknown")),
            (_, None) => Err(Error::with(code::UNCLASSIFIED, format!("unknown binary action {}", message.action))),
            (Ok(_), Some(_)) => self.act_binary(message, &head, body).await,
        };
        Some(outcome.unwrap_or_else(|error| self.failed(&head, &error)))
    }

    async fn act_binary(&self, message: binary::Head, head: &Head, body: &[u8]) -> Result<Message> {
        match message.action {
            binary::action::WRITE_RAW => write_raw::write_message(self, head, message.resource, body).await,
            binary::action::WRITE_RAW_BLOCK => write_raw::write_block(self, head, body, false).await,
            binary::action::WRITE_RAW_BLOCK_WITH_FIELDS => write_raw::write_block(self, head, body, true).await,
            binary::action::BINARY_QUERY => query::run_binary(self, head, body).await,
            binary::action::FETCH_RAW_BLOCK => Ok(results::fetch_raw_block(self, head, message.resource, body).await),
            binary::action::SET_TAGS => statement::set_tags_block(self, head, message.resource, body).await,
            binary::action::BIND => statement::bind_block(self, head, message.resource, body).await,
            binary::action::STATEMENT2_BIND => statement2::bind(self, head, message.resource, body).await,
            binary::action::STATEMENT2_BIND_EXECUTE => statement2::bind_and_execute(self, head, message.resource, body).await,
            binary::action::EXECUTE => execution::execute(self, head, body).await,
            binary::action::EXECUTE_STATEMENT => execution::execute_statement(self, head, message.resource, body).await,
            binary::action::VALIDATE_SQL => query::validate(self, head, body).await,
            other => Err(Error::internal(format!("binary action {other} has a name and no meaning"))),
        }
    }
}

impl Conversation for Session {
    const UNDER_WAY: usize = 32;

    fn options(&self) -> &ServerOptions {
        &self.server.options
    }

    fn budgets(&self) -> (&Budget, &Budget) {
        (&self.server.bodies, &self.server.replies)
    }

    fn is_known(&self) -> bool {
        self.login().is_ok()
    }

    async fn handle(&self, message: Message) -> Option<Answer> {
        let reply = match message {
            Message::Text(text) => self.handle_text(&text).await,
            Message::Binary(bytes) => self.handle_binary(&bytes).await,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
        };
        reply.map(Answer::from)
    }

    /// A message may ask that a query be stopped.
    fn does_at_once(&self, message: &Message) -> bool {
        let Message::Text(text) = message else { return false };
        let Some(request) = text.starts_with(CANCEL).then(|| Request::parse(text)).flatten() else { return false };
        let named = request.arguments.unsigned("id").ok().filter(|_| self.login().is_ok());
        named.inspect(|id| self.cancellations.cancel(*id)).is_some()
    }

    fn rest(&self) -> Duration {
        (self.result_timeout() / 4).max(Duration::from_millis(50))
    }

    /// Lets go of results that nobody fetches.
    fn look_after(&self) {
        self.results.drop_idle(self.result_timeout());
    }

    fn leave(&self) {
        self.left.store(true, Ordering::Release);
        if let Ok(engine) = self.engine() {
            engine.interrupt();
        }
        self.results.clear();
        self.statements.clear();
    }
}
