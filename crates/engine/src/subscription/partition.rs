//! One vgroup of one topic in a consumer's hands: where it reads, and the messages that come of it.

use std::sync::Arc;

use embudo_storage::{LogCursor, LogRecord, Sequence};
use embudo_types::subscription::{Assignment, Message, MessageKind, SubscribeOptions};
use embudo_types::{Error, Result, code};

use super::plan::{Part, TopicPlan, Transcriber};

/// Records that one call looks through before it lets go.
const RECORDS: usize = 10_000;

/// A vgroup of a topic.
#[derive(Debug)]
pub(crate) struct Partition {
    /// The topic.
    pub plan: Arc<TopicPlan>,
    /// The shard of its database.
    pub shard: u16,
    cursor: LogCursor,
    transcriber: Transcriber,
    /// A record that was read and not delivered.
    pending: Option<LogRecord>,
    /// The offset that is read next; `None` until one is committed or sought.
    position: Option<Sequence>,
    /// Whether it has read or was sent somewhere: until then there is nothing to commit.
    has_moved: bool,
    /// The offset up to which the program has had its turn: what a poll may commit by itself.
    finished: Option<Sequence>,
    /// Rows that were delivered.
    pub rows: u64,
}

/// What reading came to.
pub(crate) enum Read {
    /// A message.
    Message(Box<Message>),
    /// Nothing yet; there is more to look through.
    Unfinished,
    /// Nothing.
    Nothing,
}

impl Partition {
    pub fn new(plan: Arc<TopicPlan>, shard: u16, position: Option<Sequence>, options: &SubscribeOptions) -> Self {
        let cursor = plan.database.store().read_log(position.unwrap_or(0)).of_shard(shard);
        let transcriber = Transcriber::new(plan.clone(), shard, options.with_table_name);
        Self { plan, shard, cursor, transcriber, pending: None, position, has_moved: false, finished: None, rows: 0 }
    }

    /// The vgroup's number.
    pub fn vgroup(&self) -> i32 {
        self.plan.database.first_vgroup + i32::from(self.shard)
    }

    /// The offset that is read next.
    pub fn position(&self) -> Option<Sequence> {
        self.position
    }

    /// The offset behind all that was given, if anything was looked at.
    pub fn reached(&self) -> Option<Sequence> {
        self.position.filter(|_| self.has_moved)
    }

    /// The offset up to which earlier messages have been dealt with.
    pub fn finished(&self) -> Option<Sequence> {
        self.finished
    }

    /// The program asks for more, so it is done with what it got.
    pub fn finish(&mut self) {
        self.finished = self.reached();
    }

    /// Reads on elsewhere.
    pub fn seek(&mut self, offset: Sequence) {
        self.pending = None;
        self.transcriber.forget();
        self.cursor.seek(offset);
        self.position = Some(offset);
        self.has_moved = true;
    }

    /// As a client sees it.
    pub fn assignment(&self) -> Assignment {
        let (begin, end) = range(&self.plan);
        let current = self.position.unwrap_or(begin).clamp(begin, end.max(begin));
        let signed = |offset: Sequence| i64::try_from(offset).unwrap_or(i64::MAX);
        Assignment { topic: self.plan.topic.name.to_string(), vgroup: self.vgroup(), begin: signed(begin), end: signed(end), current: signed(current) }
    }

    /// The next message.
    pub fn read(&mut self, options: &SubscribeOptions) -> Result<Read> {
        let Some(start) = self.position else { return Err(Error::new(code::NO_COMMITTED_INFO)) };
        self.has_moved = true;
        let mut made: Option<(MessageKind, Part)> = None;
        let mut rows = 0;
        for _ in 0..RECORDS {
            let Some(record) = self.next_record()? else {
                self.position = Some(start.max(self.cursor.position()));
                return Ok(made.map_or(Read::Nothing, |made| self.message(start, made)));
            };
            let part = self.transcriber.transcribe(&record)?;
            let kind = match (part.blocks.is_empty(), part.meta.is_empty()) {
                (true, true) => {
                    self.position = Some(record.sequence + 1);
                    continue;
                }
                (false, true) => MessageKind::Data,
                (true, false) => MessageKind::Meta,
                (false, false) => MessageKind::DataAndMeta,
            };
            let Some((so_far, whole)) = &mut made else {
                self.position = Some(record.sequence + 1);
                rows = row_count(&part);
                let is_full =
                    rows >= options.poll_rows as u64 || kind == MessageKind::Meta && !options.batch_meta || !part.blocks.is_empty() && !part.only_creates();
                made = Some((kind, part));
                if is_full {
                    break;
                }
                continue;
            };
            let fits = match (*so_far, kind) {
                (MessageKind::Meta, MessageKind::Meta) => true,
                (MessageKind::Meta, _) | (_, MessageKind::Meta) => false,
                _ => part.only_creates(),
            };
            if !fits {
                self.pending = Some(record);
                break;
            }
            self.position = Some(record.sequence + 1);
            if kind == MessageKind::DataAndMeta {
                *so_far = kind;
            }
            rows += row_count(&part);
            whole.blocks.extend(part.blocks);
            whole.meta.extend(part.meta);
            if rows >= options.poll_rows as u64 {
                break;
            }
        }
        Ok(made.map_or(Read::Unfinished, |made| self.message(start, made)))
    }

    fn next_record(&mut self) -> Result<Option<LogRecord>> {
        match self.pending.take() {
            Some(record) => Ok(Some(record)),
            None => self.cursor.read(),
        }
    }

    fn message(&mut self, start: Sequence, (kind, part): (MessageKind, Part)) -> Read {
        self.rows += row_count(&part);
        let signed = |offset: Sequence| i64::try_from(offset).unwrap_or(i64::MAX);
        Read::Message(Box::new(Message {
            topic: self.plan.topic.name.to_string(),
            database: self.plan.database.name.to_string(),
            vgroup: self.vgroup(),
            start: signed(start),
            next: signed(self.position.unwrap_or(start)),
            kind,
            blocks: part.blocks,
            meta: part.meta,
        }))
    }
}

fn row_count(part: &Part) -> u64 {
    part.blocks.iter().map(|block| block.batch.num_rows() as u64).sum()
}

/// The offsets that a topic's log holds: the oldest, and the one that the next record will have. A log that has lost nothing begins at 0.
pub(crate) fn range(plan: &TopicPlan) -> (Sequence, Sequence) {
    let (first, next) = plan.database.store().log_range();
    (if first <= 1 { 0 } else { first }, next)
}
