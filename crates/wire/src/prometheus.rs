//! Prometheus `remote_write` and `remote_read` bodies: snappy around protobuf (spec/protocols.md 2.3), and how series lie in tables:
//! supertable `metrics (ts TIMESTAMP, v DOUBLE) TAGS (labels JSON)`, one child a label set. Leaves the statements to whoever runs them.

use embudo_types::{Error, Result, code};
use md5::{Digest, Md5};
use prost::Message;

use crate::schemaless::digest_name;

/// A body of `remote_write`.
#[derive(Clone, PartialEq, Message)]
pub struct WriteRequest {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// Samples of one label set.
#[derive(Clone, PartialEq, Message)]
pub struct TimeSeries {
    /// The labels.
    #[prost(message, repeated, tag = "1")]
    pub labels: Vec<Label>,
    /// The samples.
    #[prost(message, repeated, tag = "2")]
    pub samples: Vec<Sample>,
}

/// One label.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Label {
    /// Its name; `__name__` is the metric's.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Its value.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// One sample.
#[derive(Clone, Copy, PartialEq, Message)]
pub struct Sample {
    /// The value; NaN of any kind is stored as NULL.
    #[prost(double, tag = "1")]
    pub value: f64,
    /// Milliseconds since 1970-01-01 UTC.
    #[prost(int64, tag = "2")]
    pub timestamp: i64,
}

/// A body of `remote_read`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ReadRequest {
    /// The queries.
    #[prost(message, repeated, tag = "1")]
    pub queries: Vec<Query>,
}

/// One query: series whose labels match, in a range of time.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Query {
    /// First millisecond.
    #[prost(int64, tag = "1")]
    pub start: i64,
    /// Last millisecond.
    #[prost(int64, tag = "2")]
    pub end: i64,
    /// All of them must match.
    #[prost(message, repeated, tag = "3")]
    pub matchers: Vec<LabelMatcher>,
}

/// A condition on one label.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LabelMatcher {
    /// 0 equal, 1 not equal, 2 regular expression, 3 not the regular expression.
    #[prost(int32, tag = "1")]
    pub kind: i32,
    /// The label's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// What it is compared with.
    #[prost(string, tag = "3")]
    pub value: String,
}

/// An answer of `remote_read`: one result a query.
#[derive(Clone, PartialEq, Message)]
pub struct ReadResponse {
    /// The results.
    #[prost(message, repeated, tag = "1")]
    pub results: Vec<QueryResult>,
}

/// Series of one query.
#[derive(Clone, PartialEq, Message)]
pub struct QueryResult {
    /// The series.
    #[prost(message, repeated, tag = "1")]
    pub timeseries: Vec<TimeSeries>,
}

/// Reads a body. What would grow beyond `limit` bytes is refused before it is decompressed.
pub fn decode<M: Message + Default>(body: &[u8], limit: usize) -> Result<M> {
    let broken = |what: &str| Error::with(code::INVALID_MESSAGE, format!("prometheus body: {what}"));
    let size = snap::raw::decompress_len(body).map_err(|_| broken("not compressed by snappy"))?;
    if size > limit {
        return Err(Error::with(code::REQUEST_TOO_BIG, format!("prometheus body: {size} bytes decompressed, at most {limit} are taken")));
    }
    let bytes = snap::raw::Decoder::new().decompress_vec(body).map_err(|source| broken("broken snappy").caused_by(source))?;
    M::decode(bytes.as_slice()).map_err(|source| broken("broken protobuf").caused_by(source))
}

/// Writes a body.
pub fn encode(message: &impl Message) -> Result<Vec<u8>> {
    snap::raw::Encoder::new().compress_vec(&message.encode_to_vec()).map_err(|source| Error::internal("prometheus answer is too large").caused_by(source))
}

impl TimeSeries {
    /// The child's name: `t_` and the MD5 of `name=value,` over the labels sorted by name.
    pub fn child_name(&self) -> String {
        let mut hash = Md5::new();
        for label in self.sorted() {
            for part in [label.name.as_str(), "=", label.value.as_str(), ","] {
                hash.update(part.as_bytes());
            }
        }
        digest_name(hash)
    }

    /// The tag `labels`: a JSON object, sorted by name.
    pub fn labels_json(&self) -> String {
        let members: serde_json::Map<String, serde_json::Value> =
            self.sorted().into_iter().map(|label| (label.name.clone(), label.value.clone().into())).collect();
        serde_json::Value::Object(members).to_string()
    }

    fn sorted(&self) -> Vec<&Label> {
        let mut labels: Vec<&Label> = self.labels.iter().collect();
        labels.sort_by(|left, right| left.name.cmp(&right.name));
        labels
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series() -> TimeSeries {
        let label = |name: &str, value: &str| Label { name: name.into(), value: value.into() };
        TimeSeries {
            labels: vec![label("job", "node"), label("__name__", "up")],
            samples: vec![Sample { value: 1.5, timestamp: 1_700_000_000_000 }, Sample { value: f64::NAN, timestamp: 1_700_000_001_000 }],
        }
    }

    #[test]
    fn bodies_come_back_and_bombs_do_not() {
        let body = encode(&WriteRequest { timeseries: vec![series()] }).unwrap();
        let read: WriteRequest = decode(&body, 1 << 20).unwrap();
        assert_eq!(read.timeseries[0].labels, series().labels);
        assert_eq!(read.timeseries[0].samples[0], series().samples[0]);
        // A varint head that promises 2^31 bytes.
        assert_eq!(decode::<WriteRequest>(&[0x80, 0x80, 0x80, 0x80, 0x08, 0], 128 << 20).unwrap_err().code(), code::REQUEST_TOO_BIG);
        assert_eq!(decode::<WriteRequest>(b"", 9).unwrap_err().code(), code::INVALID_MESSAGE);
        assert_eq!(decode::<ReadRequest>(&snap::raw::Encoder::new().compress_vec(&[0xff; 9]).unwrap(), 9).unwrap_err().code(), code::INVALID_MESSAGE);
    }

    #[test]
    fn a_label_set_names_its_child() {
        assert_eq!(series().labels_json(), r#"{"__name__":"up","job":"node"}"#);
        let mut turned = series();
        turned.labels.reverse();
        assert_eq!(series().child_name(), turned.child_name());
        assert!(series().child_name().starts_with("t_") && series().child_name().len() == 34);
    }
}
