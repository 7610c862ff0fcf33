//! What `/metrics` tells, in Prometheus's text format: what this server counted, and what the engine weighs at the moment of asking.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use embudo_engine::Engine;
use embudo_types::Error;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text::encode},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::{Registry, Unit},
};

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// From 50 microseconds to 14 minutes, four-fold.
const SECONDS: [f64; 13] = [0.000_05, 0.000_2, 0.000_8, 0.003_2, 0.012_8, 0.051_2, 0.204_8, 0.819_2, 3.276_8, 13.107_2, 52.428_8, 209.715_2, 838.860_8];

/// Counters of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    request_duration: Family<PathLabels, Histogram>,
    errors: Family<ErrorLabels, Counter>,
    statement_duration: Histogram,
    rows_sent: Counter,
    rows_affected: Counter,
    failed_logins: Counter,
    connections: Gauge,
    held: Family<HeldLabels, Gauge>,
    memory: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HeldLabels {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabels {
    path: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    code: String,
}

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    /// All at zero.
    pub fn new(engine: &Arc<Engine>) -> Arc<Self> {
        let mut registry = Registry::with_prefix("embudo");
        let (requests, errors) = (Family::<RequestLabels, Counter>::default(), Family::<ErrorLabels, Counter>::default());
        let request_duration = Family::<PathLabels, Histogram>::new_with_constructor(durations);
        let statement_duration = durations();
        let (rows_sent, rows_affected, failed_logins) = (Counter::default(), Counter::default(), Counter::default());
        let (connections, memory, held) = (Gauge::default(), Gauge::default(), Family::<HeldLabels, Gauge>::default());
        registry.register("http_requests", "Requests by path and status", requests.clone());
        registry.register_with_unit("http_request_duration", "Time until an answer's head", Unit::Seconds, request_duration.clone());
        registry.register("statement_errors", "Statements that failed, by TDengine's code", errors.clone());
        registry.register_with_unit(
            "statement_duration",
            "Time from a statement's arrival to its answer's first byte, over REST and WebSocket",
            Unit::Seconds,
            statement_duration.clone(),
        );
        registry.register("rows_sent", "Rows of results", rows_sent.clone());
        registry.register("rows_affected", "Rows that statements, lines and listeners wrote or removed", rows_affected.clone());
        registry.register("failed_logins", "Logins with a wrong name or password", failed_logins.clone());
        registry.register("connections", "Open connections, WebSockets among them", connections.clone());
        registry.register_with_unit("held", "Large requests that are not carried out yet, and replies that clients have not read", Unit::Bytes, held.clone());
        registry.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, memory.clone());
        registry.register_collector(Box::new(EngineCollector(Arc::downgrade(engine))));
        Arc::new(Self { registry, requests, request_duration, errors, statement_duration, rows_sent, rows_affected, failed_logins, connections, held, memory })
    }

    /// A request was answered.
    pub fn request(&self, path: &'static str, status: u16, took: Duration) {
        self.requests.get_or_create(&RequestLabels { path, status }).inc();
        self.request_duration.get_or_create(&PathLabels { path }).observe(took.as_secs_f64());
    }

    /// A statement's answer begins.
    pub fn statement(&self, took: Duration) {
        self.statement_duration.observe(took.as_secs_f64());
    }

    /// A statement failed.
    pub fn error(&self, error: &Error) {
        self.errors.get_or_create(&ErrorLabels { code: error.code().to_string() }).inc();
    }

    /// A result was sent.
    pub fn rows_sent(&self, rows: u64) {
        self.rows_sent.inc_by(rows);
    }

    /// A statement wrote or removed rows.
    pub fn rows_affected(&self, rows: u64) {
        self.rows_affected.inc_by(rows);
    }

    /// A login failed.
    pub fn failed_login(&self) {
        self.failed_logins.inc();
    }

    /// A connection was opened; it counts until the guard is dropped.
    pub fn connection(&self) -> ConnectionGuard {
        self.connections.inc();
        ConnectionGuard(self.connections.clone())
    }

    /// Bytes that requests and replies hold now.
    pub fn held(&self, requests: usize, replies: usize) {
        for (what, bytes) in [("requests", requests), ("replies", replies)] {
            self.held.get_or_create(&HeldLabels { what }).set(i64::try_from(bytes).unwrap_or(i64::MAX));
        }
    }

    /// The text of all of them; looks at every store, so that it takes its time where there are many.
    pub fn text(&self) -> Result<String, fmt::Error> {
        if let Some(bytes) = resident_memory() {
            self.memory.set(bytes);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// Counts one open connection.
pub struct ConnectionGuard(Gauge);

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Numbers of the engine, looked up when they are asked for.
struct EngineCollector(Weak<Engine>);

impl fmt::Debug for EngineCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EngineCollector")
    }
}

/// A number of a database: its name, what it is, whether it only grows, and how it is got.
type DatabaseFigure = (&'static str, &'static str, MetricType, fn(&embudo_engine::StoreFigures) -> u64);

const OF_DATABASES: [DatabaseFigure; 14] = [
    ("memory_rows", "Rows in memory, not yet in files", MetricType::Gauge, |figures| figures.memory_rows),
    ("memory_bytes", "Memory of rows that are not yet in files", MetricType::Gauge, |figures| figures.memory_bytes),
    ("last_cache_bytes", "Memory of the last values", MetricType::Gauge, |figures| figures.last_cache_bytes),
    ("file_rows", "Rows in block files", MetricType::Gauge, |figures| figures.file_rows),
    ("file_bytes", "Bytes of block files", MetricType::Gauge, |figures| figures.file_bytes),
    ("files", "Block files", MetricType::Gauge, |figures| figures.files),
    ("packed_files", "Block files that are packed", MetricType::Gauge, |figures| figures.packed_files),
    ("merges", "Merges of block files, packing among them", MetricType::Counter, |figures| figures.merges),
    ("merged_bytes", "Bytes that merges of block files wrote", MetricType::Counter, |figures| figures.merged_bytes),
    ("wal_bytes", "Bytes of the write-ahead log", MetricType::Gauge, |figures| figures.log_bytes),
    ("wal_segments", "Segments of the write-ahead log", MetricType::Gauge, |figures| figures.log_segments),
    ("block_cache_bytes", "Memory of the block cache", MetricType::Gauge, |figures| figures.cache_bytes),
    ("block_cache_hits", "Parts of files that the block cache had", MetricType::Counter, |figures| figures.cache_hits),
    ("block_cache_misses", "Parts of files that had to be read", MetricType::Counter, |figures| figures.cache_misses),
];

impl Collector for EngineCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let Some(engine) = self.0.upgrade() else { return Ok(()) };
        let figures = engine.figures();
        // All databases share one budget.
        let rows = figures.databases.first().map(|(_, store)| store);
        for (name, help, value) in [
            ("sessions", "Open sessions of the engine", figures.sessions),
            ("statements_running", "Statements that run, or whose rows are not all taken", figures.statements),
            ("query_memory_bytes", "Memory that running queries hold", figures.query_bytes),
            ("query_memory_limit_bytes", "Memory that queries may hold together", figures.query_limit),
            ("row_memory_bytes", "Memory of rows of all databases that are not yet in files", rows.map_or(0, |store| store.budget_bytes)),
            ("row_memory_limit_bytes", "Memory that these may take", rows.map_or(0, |store| store.budget_limit)),
        ] {
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
        }
        for (name, help, kind, figure) in OF_DATABASES {
            let mut family = encoder.encode_descriptor(name, help, None, kind)?;
            for (database, store) in &figures.databases {
                let labels = [("database", database.as_str())];
                let encoder = family.encode_family(&labels)?;
                match kind {
                    MetricType::Counter => ConstCounter::new(figure(store)).encode(encoder)?,
                    _ => ConstGauge::new(figure(store)).encode(encoder)?,
                }
            }
        }
        Ok(())
    }
}

/// Resident memory of this process, where the system tells it.
fn resident_memory() -> Option<i64> {
    let statement = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = statement.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kibibytes| kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use embudo_engine::EngineOptions;
    use embudo_types::code;

    use super::*;

    #[test]
    fn the_text_names_what_happened() {
        let engine = Engine::open(EngineOptions::memory()).unwrap();
        let session = engine.session("root").unwrap();
        session.execute("CREATE DATABASE d", &[]).unwrap();
        session.execute("CREATE TABLE d.t (ts TIMESTAMP, v INT)", &[]).unwrap();
        session.execute("INSERT INTO d.t VALUES (NOW, 1), (NOW + 1s, 2)", &[]).unwrap();
        let metrics = Metrics::new(&engine);
        metrics.request("/rest/sql", 200, Duration::from_millis(1));
        metrics.error(&Error::new(code::SYNTAX_ERROR_NEAR));
        metrics.statement(Duration::from_millis(2));
        metrics.rows_sent(7);
        metrics.failed_login();
        let open = metrics.connection();
        let text = metrics.text().unwrap();
        for line in [
            "embudo_http_requests_total{path=\"/rest/sql\",status=\"200\"} 1",
            "embudo_http_request_duration_seconds_bucket{le=\"0.0032\",path=\"/rest/sql\"} 1",
            "embudo_statement_errors_total{code=\"0x2600\"} 1",
            "embudo_statement_duration_seconds_count 1",
            "embudo_rows_sent_total 7",
            "embudo_failed_logins_total 1",
            "embudo_connections 1",
            "embudo_sessions 1",
            "embudo_statements_running 0",
            "embudo_memory_rows{database=\"d\"} 2",
            "embudo_block_cache_hits_total{database=\"d\"} 0",
            "# TYPE embudo_wal_bytes gauge",
            "embudo_merges_total{database=\"d\"} 0",
            "embudo_packed_files{database=\"d\"} 0",
            "embudo_query_memory_bytes 0",
            "# TYPE embudo_row_memory_limit_bytes gauge",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        drop((session, engine));
        let text = metrics.text().unwrap();
        assert!(text.contains("embudo_connections 0") && !text.contains("embudo_sessions"));
    }
}
