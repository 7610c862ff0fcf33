//! One connection: frames in, frames out, keep-alive, and the limits that one client may not exceed.
//!
//! Every message is handled in a task of its own, so that a slow query holds up nothing behind it and replies may overtake each other. At most
//! [`Conversation::UNDER_WAY`] are handled at a time, and a reply counts until it stands in the queue of the writer, which holds [`QUEUED`]. While nothing more is
//! handled, a bounded amount is still read, so that a client's leaving is noticed.
//!
//! What all connections hold together is bounded as well: received bytes and messages share a budget with the bodies of requests, replies have
//! their own. Who gets no share of the first in time is sent away; who does not read is dropped after a while, and gives back what replies to him hold.

use std::{sync::Arc, time::Duration};

use embudo_wire::websocket::{Decoder, Encoder, Message, Role, Violation};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc},
    task::JoinHandle,
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout},
};

use super::conversation::{Answer, Conversation};
use crate::{
    budget::{Budget, NoRoom, Share},
    connections::Place,
};

/// Replies that wait to be written.
const QUEUED: usize = 8;
/// Bytes that are read ahead while nothing more is handled.
const READ_AHEAD: usize = 1 << 20;
/// Bytes of one read.
const READ: usize = 64 << 10;
/// Bytes of a message that somebody may send before a login.
const STRANGERS: usize = 64 << 10;
/// How often the server pings.
const PING: Duration = Duration::from_secs(54);
/// How long a client may stay silent; it answers pings.
const SILENCE: Duration = Duration::from_secs(114);
/// How long one write may take.
const WRITE: Duration = Duration::from_secs(60);
/// "Try again later".
const NO_ROOM: u16 = 1013;
/// "The server goes away".
const GOING_AWAY: u16 = 1001;

/// Serves one connection to its end.
pub async fn serve<S: AsyncRead + AsyncWrite + Send + 'static, C: Conversation>(stream: S, session: C, deflates: bool, place: Arc<Place>) {
    let (reader, writer) = tokio::io::split(stream);
    let (sender, receiver) = mpsc::channel(QUEUED);
    let writing = tokio::spawn(write(writer, receiver));
    let (limit, patience) = (session.options().body_bytes, session.options().stop_timeout);
    let (messages, replies) = session.budgets();
    let (messages, replies) = (messages.clone(), replies.clone());
    let session = Arc::new(session);
    let mut connection = Connection {
        reader,
        decoder: Decoder::new(Role::Server, deflates, limit.min(STRANGERS)),
        messages,
        share: Share::default(),
        read_ahead: 0,
        output: Output { sender, deflates, replies, gave_up: Arc::default() },
        session: Arc::clone(&session),
        under_way: Arc::new(Semaphore::new(C::UNDER_WAY)),
    };
    let end = connection.converse(&place).await;
    session.leave();
    connection.finish(end, &writing, patience).await;
    writing.abort();
}

/// Why a conversation is over.
enum End {
    /// The client closed it, or is gone.
    Left,
    /// The client broke a rule.
    Broken(Violation),
    /// Somebody ended it by KILL CONNECTION.
    Killed,
    /// The server stops.
    Stopped,
}

struct Connection<R, C> {
    reader: R,
    decoder: Decoder,
    /// What messages of all connections may hold.
    messages: Budget,
    /// What the decoder takes of it.
    share: Share,
    /// Bytes that were read since the decoder last had no whole message.
    read_ahead: usize,
    output: Output,
    session: Arc<C>,
    under_way: Arc<Semaphore>,
}

impl<R: AsyncRead + Unpin, C: Conversation> Connection<R, C> {
    async fn converse(&mut self, place: &Place) -> End {
        let mut stopped = place.stopped.clone();
        let mut ticks = interval(PING);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick is at once.
        ticks.tick().await;
        let mut sweeps = interval(self.session.rest());
        sweeps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut silence = Instant::now() + SILENCE;
        let mut buffer = vec![0; READ];
        let mut waiting: Option<(Message, Share)> = None;
        let mut is_known = false;
        loop {
            if !is_known && self.session.is_known() {
                is_known = true;
                self.decoder.set_limit(self.session.options().body_bytes);
            }
            let wanted = if waiting.is_none() { self.decoder.demand() } else { self.decoder.held() };
            let extended = tokio::select! {
                extended = self.messages.extend(&mut self.share, wanted) => extended,
                () = place.killed.notified() => return End::Killed,
                _ = stopped.wait_for(|stop| *stop) => return End::Stopped,
            };
            if let Err(NoRoom) = extended {
                return End::Broken(Violation { code: NO_ROOM, reason: "too many large messages at a time".to_owned() });
            }
            if waiting.is_none() {
                match self.decoder.next() {
                    Ok(Some(Message::Ping(bytes))) => {
                        self.output.send(Message::Pong(bytes).into()).await;
                        continue;
                    }
                    Ok(Some(Message::Pong(_))) => continue,
                    Ok(Some(message)) if self.session.does_at_once(&message) => continue,
                    Ok(Some(Message::Close(_))) => return End::Left,
                    Ok(Some(message)) => {
                        let mut share = self.share.split(self.decoder.held());
                        share.shrink(length(&message));
                        waiting = Some((message, share));
                    }
                    Ok(None) => {
                        self.read_ahead = 0;
                        self.share.shrink(self.decoder.held());
                    }
                    Err(violation) => return End::Broken(violation),
                }
            }
            let reads = waiting.is_none() || self.read_ahead < READ_AHEAD;
            tokio::select! {
                permit = Arc::clone(&self.under_way).acquire_owned(), if waiting.is_some() => {
                    let (Some((message, share)), Ok(permit)) = (waiting.take(), permit) else { return End::Left };
                    let (session, output) = (Arc::clone(&self.session), self.output.clone());
                    tokio::spawn(async move {
                        let answer = session.handle(message).await;
                        // Not held while the reply waits.
                        drop(share);
                        if let Some(answer) = answer {
                            output.send(answer).await;
                        }
                        drop(permit);
                    });
                }
                count = self.reader.read(&mut buffer), if reads => match count {
                    Ok(0) | Err(_) => return End::Left,
                    Ok(count) => {
                        self.decoder.feed(&buffer[..count]);
                        self.read_ahead += count;
                        silence = Instant::now() + SILENCE;
                    }
                },
                () = sleep_until(silence), if reads => return End::Left,
                _ = ticks.tick() => {
                    // Where replies wait to be written, they keep the connection alive.
                    self.output.try_send(&Message::Ping(Vec::new()));
                }
                _ = sweeps.tick() => self.session.look_after(),
                () = self.output.sender.closed() => return End::Left,
                () = self.output.gave_up.notified() => return End::Left,
                () = place.killed.notified() => return End::Killed,
                _ = stopped.wait_for(|stop| *stop) => return End::Stopped,
            }
        }
    }

    /// Says goodbye where there is somebody to say it to: not to a client that closed the connection, as recorded.
    async fn finish(self, end: End, writing: &JoinHandle<()>, patience: Duration) {
        let close = match end {
            End::Left => return,
            End::Broken(violation) => Message::Close(Some((violation.code, violation.reason))),
            End::Killed => Message::Close(Some((GOING_AWAY, "the connection was killed".to_owned()))),
            End::Stopped => {
                let _ = timeout(patience, self.under_way.acquire_many(C::UNDER_WAY as u32)).await;
                Message::Close(Some((GOING_AWAY, "the server stops".to_owned())))
            }
        };
        self.output.send(close.into()).await;
        drop(self);
        // The queue is open until the last task has let go of it.
        let written = async {
            while !writing.is_finished() {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        let _ = timeout(Duration::from_secs(1), written).await;
    }
}

/// Where replies go. Messages become frames here, in whatever task or thread has them.
#[derive(Clone)]
struct Output {
    sender: mpsc::Sender<Written>,
    deflates: bool,
    /// What replies of all connections may hold.
    replies: Budget,
    /// Told when a reply got no share of that.
    gave_up: Arc<Notify>,
}

/// A frame, with what is given back when it is written.
struct Written {
    frame: Vec<u8>,
    _share: Share,
    _turn: Option<OwnedSemaphorePermit>,
}

/// Bytes of a message.
fn length(message: &Message) -> usize {
    match message {
        Message::Text(text) => text.len(),
        Message::Binary(bytes) | Message::Ping(bytes) | Message::Pong(bytes) => bytes.len(),
        Message::Close(_) => 0,
    }
}

impl Output {
    fn frame(&self, message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        // A server masks nothing, so the seed does not matter.
        Encoder::new(Role::Server, self.deflates, 0).encode(message, &mut bytes);
        bytes
    }

    /// Queues a message; gone where the connection is over.
    async fn send(&self, answer: Answer) {
        let Answer { message, turn } = answer;
        let frame = self.frame(&message);
        drop(message);
        let Ok(share) = self.replies.share(frame.len()).await else {
            tracing::warn!("a reply found no room beside those that clients do not read; its connection is dropped");
            return self.gave_up.notify_one();
        };
        let _ = self.sender.send(Written { frame, _share: share, _turn: turn }).await;
    }

    fn try_send(&self, message: &Message) {
        // A ping waits for nobody.
        let _ = self.sender.try_send(Written { frame: self.frame(message), _share: Share::default(), _turn: None });
    }
}

/// Writes what is queued until nothing can come any more or the client takes nothing.
async fn write<W: AsyncWrite + Unpin>(mut writer: W, mut frames: mpsc::Receiver<Written>) {
    while let Some(reply) = frames.recv().await {
        let written = timeout(WRITE, async {
            writer.write_all(&reply.frame).await?;
            writer.flush().await
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return tracing::debug!(%error, "a connection broke while it was written to"),
            Err(_) => return tracing::warn!("a client did not read its replies; dropped"),
        }
    }
    let _ = writer.shutdown().await;
}
