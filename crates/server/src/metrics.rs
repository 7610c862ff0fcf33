//! What `/metrics` tells, in Prometheus's text format.

use std::{sync::Arc, time::Duration};

use embudo_types::Error;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

/// The type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Counters of one server.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    errors: Family<ErrorLabels, Counter>,
    latency: Histogram,
    rows_sent: Counter,
    rows_affected: Counter,
    connections: Gauge,
    memory: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    path: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ErrorLabels {
    code: String,
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("embudo");
        // From 50 microseconds to 27 minutes, four-fold.
        let latency =
            Histogram::new([0.000_05, 0.000_2, 0.000_8, 0.003_2, 0.012_8, 0.051_2, 0.204_8, 0.819_2, 3.276_8, 13.107_2, 52.428_8, 209.715_2, 838.860_8]);
        let (requests, errors) = (Family::<RequestLabels, Counter>::default(), Family::<ErrorLabels, Counter>::default());
        let (rows_sent, rows_affected, connections, memory) = (Counter::default(), Counter::default(), Gauge::default(), Gauge::default());
        registry.register("http_requests", "Requests by path and status", requests.clone());
        registry.register("statement_errors", "Statements that failed, by TDengine's code", errors.clone());
        registry.register_with_unit("statement_duration", "Time from a request's body to its answer's first byte", Unit::Seconds, latency.clone());
        registry.register("rows_sent", "Rows of results", rows_sent.clone());
        registry.register("rows_affected", "Rows that statements wrote or removed", rows_affected.clone());
        registry.register("connections", "Open connections", connections.clone());
        registry.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, memory.clone());
        Arc::new(Self { registry, requests, errors, latency, rows_sent, rows_affected, connections, memory })
    }

    /// A request was answered.
    pub fn request(&self, path: &'static str, status: u16) {
        self.requests.get_or_create(&RequestLabels { path, status }).inc();
    }

    /// A statement's answer begins.
    pub fn statement(&self, took: Duration) {
        self.latency.observe(took.as_secs_f64());
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

    /// A connection was opened; it counts until the guard is dropped.
    pub fn connection(&self) -> ConnectionGuard {
        self.connections.inc();
        ConnectionGuard(self.connections.clone())
    }

    /// The text of all of them.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
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

/// Resident memory of this process, where the system tells it.
fn resident_memory() -> Option<i64> {
    let statement = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = statement.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<i64>().ok().map(|kibibytes| kibibytes * 1_024)
}

#[cfg(test)]
mod tests {
    use embudo_types::code;

    use super::*;

    #[test]
    fn the_text_names_what_happened() {
        let metrics = Metrics::new();
        metrics.request("/rest/sql", 200);
        metrics.error(&Error::new(code::SYNTAX_ERROR_NEAR));
        metrics.statement(Duration::from_millis(2));
        metrics.rows_sent(7);
        let open = metrics.connection();
        let text = metrics.text().unwrap();
        for line in [
            "embudo_http_requests_total{path=\"/rest/sql\",status=\"200\"} 1",
            "embudo_statement_errors_total{code=\"0x2600\"} 1",
            "embudo_statement_duration_seconds_count 1",
            "embudo_rows_sent_total 7",
            "embudo_connections 1",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        assert!(metrics.text().unwrap().contains("embudo_connections 0"));
    }
}
