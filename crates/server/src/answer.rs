//! A result as a body, piece by piece: each piece is encoded in a blocking thread when the one before it is on its way, so that a result of
//! any size holds two pieces in memory and no thread waits for a client.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use arrow_array::RecordBatch;
use axum::{
    body::Body,
    http::{
        HeaderValue,
        header::{CONTENT_ENCODING, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use embudo_engine::Session;
use embudo_types::{BatchStream, Error, Outcome, Result, ResultSet, code};
use embudo_wire::rest::{self, Encoder};
use http_body::Frame;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    compression::Sink,
    metrics::Metrics,
    refusal::JSON,
    turns::{SHORT, Turns},
};

/// A piece is sent when it has this many bytes.
const PIECE_BYTES: usize = 256 << 10;
/// Rows encoded between two looks at the size and the clock.
const STEP_ROWS: usize = 256;

/// How a client wants its result.
#[derive(Clone)]
pub struct Form {
    /// Zone and shape of rows.
    pub options: rest::Options,
    /// Whether the time it took is told.
    pub timing: bool,
    /// Whether it is compressed.
    pub gzip: bool,
    /// Rows at most.
    pub row_limit: usize,
}

/// Encodes one result.
pub struct Producer {
    session: Arc<Session>,
    started: Instant,
    timing: bool,
    encoder: Encoder,
    batches: BatchStream,
    /// The batch being encoded and its next row.
    current: Option<(RecordBatch, usize)>,
    sink: Sink,
    metrics: Arc<Metrics>,
    /// Rows that may still be encoded.
    rows_left: usize,
}

/// Bytes to send, and what produces the rest.
pub struct Piece {
    bytes: Vec<u8>,
    rest: Option<Box<Producer>>,
}

/// The first piece of a statement's result. Pulls the first batch, so that a statement which fails at once fails before its status
/// is sent.
pub fn first_piece(session: Arc<Session>, result: ResultSet, form: &Form, started: Instant, metrics: Arc<Metrics>) -> Result<Piece> {
    let mut sink = Sink::new(form.gzip);
    let batches = match result.outcome {
        Outcome::Rows(batches) => batches,
        Outcome::Affected(rows) => {
            metrics.rows_affected(rows);
            rest::affected(rows, form.options.row_with_meta, form.timing.then(|| nanoseconds_since(started)), sink.text());
            return Ok(Piece { bytes: sink.finish()?, rest: None });
        }
    };
    let encoder = Encoder::new(&result.schema, &form.options)?;
    encoder.begin(sink.text());
    let rows_left = form.row_limit;
    let mut producer = Box::new(Producer { session, started, timing: form.timing, encoder, batches, current: None, sink, metrics, rows_left });
    producer.advance()?;
    producer.piece()
}

impl Producer {
    /// The next batch that has rows becomes the current one; none at the end.
    fn advance(&mut self) -> Result<()> {
        self.current = None;
        for batch in self.batches.by_ref() {
            let batch = batch?;
            if batch.num_rows() > 0 {
                self.current = Some((batch, 0));
                break;
            }
        }
        Ok(())
    }

    /// Encodes until a piece is full, the turn is over or the result ends.
    fn piece(mut self: Box<Self>) -> Result<Piece> {
        let begun = Instant::now();
        while let Some((batch, from)) = &mut self.current {
            let until = (*from + STEP_ROWS.min(self.rows_left)).min(batch.num_rows());
            self.encoder.rows(batch, *from..until, self.sink.text())?;
            self.rows_left -= until - *from;
            *from = until;
            if self.rows_left == 0 {
                self.current = None;
            } else if until == batch.num_rows() {
                self.advance()?;
            }
            let ready = self.sink.settle()?;
            if self.current.is_some() && (ready >= PIECE_BYTES || begun.elapsed() >= SHORT) {
                return Ok(Piece { bytes: self.sink.take(), rest: Some(self) });
            }
        }
        let timing = self.timing.then(|| nanoseconds_since(self.started));
        self.encoder.finish(timing, self.sink.text());
        self.metrics.rows_sent(self.encoder.count());
        Ok(Piece { bytes: self.sink.finish()?, rest: None })
    }
}

fn nanoseconds_since(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

impl Piece {
    /// The response that begins with this piece. What follows is produced while the client reads, at most `patience` ahead of it.
    pub fn into_response(self, gzip: bool, turns: Turns, patience: Duration) -> Response {
        let rest = self.rest.map(|producer| {
            let (sender, receiver) = mpsc::channel(1);
            tokio::spawn(produce(producer, sender, turns, patience));
            receiver
        });
        let mut response = Body::new(ResultBody { first: Some(self.bytes.into()), rest }).into_response();
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        if gzip {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        response
    }
}

/// Produces the further pieces until the end, a failure, or the client's leaving.
async fn produce(mut producer: Box<Producer>, sender: mpsc::Sender<Result<Part>>, turns: Turns, patience: Duration) {
    loop {
        let session = Arc::clone(&producer.session);
        let piece = tokio::select! {
            piece = turns.further(move || producer.piece()) => piece.and_then(|piece| piece),
            () = sender.closed() => return session.interrupt(),
        };
        let (part, rest) = match piece {
            Ok(piece) => (Ok(Part { bytes: piece.bytes.into(), last: piece.rest.is_none() }), piece.rest),
            Err(error) => {
                tracing::warn!(%error, "a result broke off after its first rows were sent");
                (Err(error), None)
            }
        };
        if timeout(patience, sender.send(part)).await.is_err() {
            return tracing::warn!("a client left its result unread; dropped");
        }
        match rest {
            Some(rest) => producer = rest,
            None => return,
        }
    }
}

/// Bytes on their way to the body.
struct Part {
    bytes: Bytes,
    /// Whether they end the result.
    last: bool,
}

/// A body of unknown length, so that it is sent in chunks. An error in it breaks the connection off: the client must not take the
/// rows so far for the whole.
struct ResultBody {
    first: Option<Bytes>,
    /// What follows; none after the last part.
    rest: Option<mpsc::Receiver<Result<Part>>>,
}

impl http_body::Body for ResultBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(Frame::data(first))));
        }
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let part = std::task::ready!(rest.poll_recv(context));
        // Given up without a last part.
        let part = part.unwrap_or_else(|| Err(Error::new(code::QUERY_TERMINATED)));
        if part.as_ref().is_ok_and(|part| part.last) {
            self.rest = None;
        }
        Poll::Ready(Some(part.map(|part| Frame::data(part.bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_none()
    }
}
