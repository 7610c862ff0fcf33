//! `POST /prometheus/v1/remote_{write,read}/{database}`: Prometheus's remote storage (spec/protocols.md 2.3). Samples lie in a supertable
//! `metrics (ts TIMESTAMP, v DOUBLE) TAGS (labels JSON)`, one child a label set.

use std::{collections::BTreeMap, sync::Arc};

use arrow_array::{Array, Float64Array, RecordBatch, StringArray, TimestampMillisecondArray, cast::AsArray, types::Float64Type};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use axum::{
    extract::Path,
    http::{
        HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use embudo_engine::Session;
use embudo_types::{Error, Precision, Result, code};
use embudo_wire::prometheus::{Label, LabelMatcher, Query, QueryResult, ReadRequest, ReadResponse, Sample, TimeSeries, WriteRequest, decode, encode};
use regex::Regex;

use super::request::{Failure, Parameters, Request};
use crate::incoming::Incoming;

const CREATE: &str = "CREATE STABLE IF NOT EXISTS metrics (ts TIMESTAMP, v DOUBLE) TAGS (labels JSON)";
/// Label sets that one statement makes children for.
const CHILDREN_AT_ONCE: usize = 500;

/// Stores samples.
pub async fn remote_write(Path(database): Path<String>, incoming: Incoming) -> Response {
    match run(incoming, database, write).await {
        Ok(()) => StatusCode::ACCEPTED.into_response(),
        Err(failure) => respond(failure),
    }
}

/// Gives the samples that queries ask for.
pub async fn remote_read(Path(database): Path<String>, incoming: Incoming) -> Response {
    match run(incoming, database, read).await {
        Ok(body) => {
            let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/x-protobuf")), (CONTENT_ENCODING, HeaderValue::from_static("snappy"))];
            (StatusCode::ACCEPTED, headers, body).into_response()
        }
        Err(failure) => respond(failure),
    }
}

fn respond(failure: Failure) -> Response {
    (failure.status, failure.message).into_response()
}

/// Reads a request and runs it; a body that cannot be decoded is the client's fault.
async fn run<T: Send + 'static>(incoming: Incoming, database: String, work: fn(&Session, &Parameters, Compressed<'_>) -> Result<T>) -> Result<T, Failure> {
    let request = Request::read(incoming, false).await?;
    let limit = request.state.options.body_bytes;
    let outcome = request.run(database, move |session, parameters, bytes| work(session, parameters, Compressed { bytes, limit })).await;
    outcome.map_err(|error| match error.code() {
        code::INVALID_MESSAGE | code::REQUEST_TOO_BIG => Failure::new(StatusCode::BAD_REQUEST, error.message()),
        _ => Failure::from(error),
    })
}

/// A body as it came.
#[derive(Clone, Copy)]
struct Compressed<'a> {
    bytes: &'a [u8],
    /// Bytes that it may have once it is decompressed.
    limit: usize,
}

fn write(session: &Session, parameters: &Parameters, body: Compressed<'_>) -> Result<()> {
    let request: WriteRequest = decode(body.bytes, body.limit)?;
    let batch = samples(&request)?;
    if batch.num_rows() == 0 {
        return Ok(());
    }
    if parameters.ttl > 0 {
        session.execute(CREATE, &[])?;
        create_children(session, &request, parameters.ttl)?;
    }
    let insert = || session.insert_batches("metrics", &mut std::iter::once(Ok(batch.clone())));
    match insert() {
        Err(error) if error.code() == code::TABLE_DOES_NOT_EXIST_2603 => {
            session.execute(CREATE, &[])?;
            insert()
        }
        outcome => outcome,
    }
    .map(drop)
}

/// A row a sample, its child named and described.
fn samples(request: &WriteRequest) -> Result<RecordBatch> {
    let (mut names, mut labels, mut times, mut values) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for series in request.timeseries.iter().filter(|series| !series.samples.is_empty()) {
        let (name, json) = (series.child_name(), series.labels_json());
        for sample in &series.samples {
            names.push(name.clone());
            labels.push(json.clone());
            times.push(sample.timestamp);
            values.push(sample.value.is_finite().then_some(sample.value));
        }
    }
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    let schema = Schema::new(vec![
        field("tbname", DataType::Utf8),
        field("labels", DataType::Utf8),
        field("ts", DataType::Timestamp(TimeUnit::Millisecond, None)),
        field("v", DataType::Float64),
    ]);
    let columns: Vec<Arc<dyn Array>> = vec![
        Arc::new(StringArray::from(names)),
        Arc::new(StringArray::from(labels)),
        Arc::new(TimestampMillisecondArray::from(times)),
        Arc::new(Float64Array::from(values)),
    ];
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|source| Error::internal("samples").caused_by(source))
}

fn create_children(session: &Session, request: &WriteRequest, ttl: u32) -> Result<()> {
    for series in request.timeseries.chunks(CHILDREN_AT_ONCE) {
        let child = |series: &TimeSeries| format!(" IF NOT EXISTS {} USING metrics TAGS ({}) TTL {ttl}", series.child_name(), quoted(&series.labels_json()));
        session.execute(&format!("CREATE TABLE{}", series.iter().map(child).collect::<String>()), &[])?;
    }
    Ok(())
}

fn read(session: &Session, _: &Parameters, body: Compressed<'_>) -> Result<Vec<u8>> {
    let request: ReadRequest = decode(body.bytes, body.limit)?;
    let results = request.queries.iter().map(|query| read_one(session, query)).collect::<Result<_>>()?;
    encode(&ReadResponse { results })
}

fn read_one(session: &Session, query: &Query) -> Result<QueryResult> {
    let database = session.database().ok_or_else(|| Error::new(code::DATABASE_NOT_SPECIFIED))?;
    let precision = session.engine().catalog().database(&database)?.precision();
    let matchers = query.matchers.iter().map(Matcher::new).collect::<Result<Vec<_>>>()?;
    let tick = |milliseconds| Precision::Milli.convert(milliseconds, precision);
    let mut sql = format!("SELECT ts, v, labels FROM metrics WHERE ts >= {} AND ts <= {}", tick(query.start), tick(query.end));
    for matcher in query.matchers.iter().filter(|matcher| matcher.kind == EQUAL && !matcher.value.is_empty()) {
        for part in [" AND labels->", &quoted(&matcher.name), " = ", &quoted(&matcher.value)] {
            sql.push_str(part);
        }
    }
    sql.push_str(" ORDER BY tbname, ts");
    let result = match session.execute(&sql, &[]).and_then(embudo_types::ResultSet::collect) {
        // Nothing was ever written.
        Err(error) if error.code() == code::TABLE_DOES_NOT_EXIST_2603 || error.code() == code::FAIL_TO_GET_TABLE_INFO_ERROR => {
            return Ok(QueryResult::default());
        }
        outcome => outcome?,
    };
    let mut found = Series::default();
    for batch in &result {
        found.add(batch, &matchers, precision)?;
    }
    Ok(QueryResult { timeseries: found.matching })
}

/// Series out of rows that come series by series.
#[derive(Default)]
struct Series {
    matching: Vec<TimeSeries>,
    /// The label set of the last row and whether it matches.
    last: Option<(String, bool)>,
}

impl Series {
    fn add(&mut self, batch: &RecordBatch, matchers: &[Matcher], precision: Precision) -> Result<()> {
        let unexpected = || Error::internal("metrics is no table of samples");
        let [times, values, labels] = batch.columns() else { return Err(unexpected()) };
        let times = times.to_data();
        let ticks = &times.buffers().first().ok_or_else(unexpected)?.typed_data::<i64>()[times.offset()..];
        let values = values.as_primitive_opt::<Float64Type>().ok_or_else(unexpected)?;
        let labels = labels.as_string_opt::<i32>().ok_or_else(unexpected)?;
        for (row, tick) in ticks.iter().enumerate().take(batch.num_rows()) {
            let text = labels.value(row);
            if self.last.as_ref().is_none_or(|(last, _)| last != text) {
                let set: BTreeMap<String, String> = serde_json::from_str(text).map_err(|source| unexpected().caused_by(source))?;
                let does_match = matchers.iter().all(|matcher| matcher.matches(set.get(&matcher.name).map_or("", String::as_str)));
                if does_match {
                    let labels = set.into_iter().map(|(name, value)| Label { name, value }).collect();
                    self.matching.push(TimeSeries { labels, samples: Vec::new() });
                }
                self.last = Some((text.to_owned(), does_match));
            }
            if self.last.as_ref().is_some_and(|(_, does_match)| *does_match)
                && let Some(series) = self.matching.last_mut()
            {
                let value = if values.is_null(row) { f64::NAN } else { values.value(row) };
                series.samples.push(Sample { value, timestamp: precision.convert(*tick, Precision::Milli) });
            }
        }
        Ok(())
    }
}

/// `LabelMatcher::kind` of an equal label.
const EQUAL: i32 = 0;

/// A condition on a label; a label that is missing is empty.
struct Matcher {
    name: String,
    value: String,
    pattern: Option<Regex>,
    is_negated: bool,
}

impl Matcher {
    fn new(matcher: &LabelMatcher) -> Result<Self> {
        let LabelMatcher { kind, name, value } = matcher;
        let invalid = |source| Error::with(code::INVALID_MESSAGE, format!("prometheus body: {value} is no regular expression")).caused_by(source);
        // Prometheus's patterns match whole values.
        let pattern = matches!(kind, 2 | 3).then(|| Regex::new(&format!("^(?s:{value})$")).map_err(invalid)).transpose()?;
        Ok(Self { name: name.clone(), value: value.clone(), pattern, is_negated: matches!(kind, 1 | 3) })
    }

    fn matches(&self, value: &str) -> bool {
        self.pattern.as_ref().map_or_else(|| self.value == value, |pattern| pattern.is_match(value)) != self.is_negated
    }
}

/// A text as a literal.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
