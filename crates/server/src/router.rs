//! Which path leads where, and what is true of every request: it is counted, and pages of other origins may send it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State as Shared},
    http::{
        HeaderValue, Method, StatusCode,
        header::{ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, CONTENT_TYPE, ORIGIN},
    },
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use embudo_engine::Engine;
use tokio::task::spawn_blocking;

use crate::{
    budget::{Budget, FREE},
    ingest,
    metrics::{self, Metrics},
    options::ServerOptions,
    refusal, rest,
    slow_down::SlowDown,
    turns::Turns,
    websocket,
};

/// How long a reply waits for room; who holds it all is dropped before (see [`crate::websocket`]).
const REPLY_PATIENCE: Duration = Duration::from_secs(150);

/// What every handler shares.
pub struct State {
    /// The database.
    pub engine: Arc<Engine>,
    /// The settings.
    pub options: ServerOptions,
    /// Who runs when.
    pub turns: Turns,
    /// What requests' bodies and messages may hold.
    pub bodies: Budget,
    /// What replies may hold that clients do not read.
    pub replies: Budget,
    /// Logins that failed lately.
    pub slow_down: SlowDown,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

impl State {
    /// The state of a new server.
    pub fn new(engine: Arc<Engine>, options: ServerOptions) -> Arc<Self> {
        let turns = Turns::new(options.queue_timeout);
        // The largest message fits in, beside the bytes that it came as.
        let bytes = options.bodies_bytes.max(2 * options.body_bytes + 2 * FREE);
        let (bodies, replies) = (Budget::new(bytes, options.body_timeout), Budget::new(bytes, REPLY_PATIENCE));
        let metrics = Metrics::new(&engine);
        Arc::new(Self { engine, options, turns, bodies, replies, slow_down: SlowDown::default(), metrics })
    }
}

/// Every path.
pub fn routes(state: Arc<State>) -> Router {
    Router::new()
        .route("/rest/sql", post(rest::sql::run))
        .route("/rest/sql/{database}", post(rest::sql::run_in_database))
        .route("/rest/sql/{database}/vgid", post(rest::vgroups::tell))
        .route("/rest/sqlt", post(rest::sql::run_with_numbers))
        .route("/rest/sqlt/{database}", post(rest::sql::run_with_numbers_in_database))
        .route("/rest/sqlutc", post(rest::sql::run))
        .route("/rest/sqlutc/{database}", post(rest::sql::run_in_database))
        .route("/rest/upload", post(rest::upload::write))
        .route("/rest/login/{user}/{password}", get(rest::login::mint_token))
        .route("/ws", get(websocket::unified))
        .route("/rest/ws", get(websocket::query))
        .route("/rest/stmt", get(websocket::statement))
        .route("/rest/schemaless", get(websocket::schemaless_lines))
        .route("/rest/tmq", get(websocket::subscription))
        .route("/influxdb/v1/write", post(ingest::influx::write))
        .route("/api/v2/write", post(ingest::influx::write))
        .route("/opentsdb/v1/put/json/{database}", post(ingest::opentsdb::put_json))
        .route("/opentsdb/v1/put/telnet/{database}", post(ingest::opentsdb::put_telnet))
        .route("/prometheus/v1/remote_write/{database}", post(ingest::prometheus::remote_write))
        .route("/prometheus/v1/remote_read/{database}", post(ingest::prometheus::remote_read))
        .route("/config", put(rest::configuration::change))
        .route("/genauth/{user}/{password}/{key}", get(rest::login::show_credentials))
        .route("/-/ping", get(ping))
        .route("/metrics", get(show_metrics))
        .fallback(refusal::not_found)
        .method_not_allowed_fallback(refusal::not_found)
        // Bodies are read by `rest::body`, with its own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(&state), observe))
        .with_state(state)
}

/// Counts a request and applies the rules of cross-origin requests.
async fn observe(Shared(state): Shared<Arc<State>>, request: Request, next: Next) -> Response {
    let (path, begun) = (family(request.uri().path()), Instant::now());
    let foreign = request.headers().contains_key(ORIGIN);
    let preflight = foreign && request.method() == Method::OPTIONS;
    let mut response = if preflight { allow_all() } else { next.run(request).await };
    if foreign {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    state.metrics.request(path, response.status().as_u16(), begun.elapsed());
    response
}

/// The paths that are counted apart; names and secrets inside a path must not become labels.
fn family(path: &str) -> &'static str {
    const FAMILIES: [&str; 16] = [
        "/ws",
        "/rest/ws",
        "/rest/stmt",
        "/rest/schemaless",
        "/rest/sql",
        "/rest/login",
        "/rest/tmq",
        "/rest/upload",
        "/influxdb/v1/write",
        "/api/v2/write",
        "/opentsdb/v1/put/json",
        "/opentsdb/v1/put/telnet",
        "/prometheus/v1/remote_write",
        "/prometheus/v1/remote_read",
        "/-/ping",
        "/metrics",
    ];
    FAMILIES.into_iter().find(|family| path.starts_with(family)).unwrap_or("other")
}

/// The answer to a browser's question whether it may ask, as recorded.
fn allow_all() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_HEADERS, "Origin,Content-Length,Content-Type,Authorization"),
        (ACCESS_CONTROL_ALLOW_METHODS, "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS"),
        (ACCESS_CONTROL_MAX_AGE, "43200"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Alive.
async fn ping() -> StatusCode {
    StatusCode::OK
}

/// The counters as text.
async fn show_metrics(Shared(state): Shared<Arc<State>>) -> Response {
    let metrics = Arc::clone(&state.metrics);
    metrics.held(state.bodies.held(), state.replies.held());
    match spawn_blocking(move || metrics.text()).await {
        Ok(Ok(text)) => ([(CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE))], text).into_response(),
        _ => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
