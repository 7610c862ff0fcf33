//! A consumer: what a program holds to read topics. Threads may share it; none of its calls but [`Consumer::poll`] waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use embudo_catalog::GroupOffsets;
use embudo_storage::Sequence;
use embudo_types::subscription::{Assignment, Message, OffsetReset, SubscribeOptions};
use embudo_types::{Error, Result, code};
use parking_lot::{Condvar, Mutex, MutexGuard};

use super::hub::MemberId;
use super::open;
use super::partition::{Partition, Read, range};
use super::plan::TopicPlan;
use crate::Session;

/// A member of a consumer group. Dropping it leaves the group, without a commit.
#[derive(Debug)]
pub struct Consumer {
    session: Session,
    options: Arc<SubscribeOptions>,
    id: MemberId,
    state: Mutex<State>,
}

/// What the consumer has in hand.
#[derive(Debug, Default)]
struct State {
    topics: Vec<Arc<TopicPlan>>,
    partitions: Vec<Partition>,
    /// The generation of the group's shares that these are of.
    generation: u64,
    /// Where the next poll begins.
    turn: usize,
    /// Whether the program has asked what it has, or polled.
    is_known: bool,
    committed: Duration,
}

impl Consumer {
    pub(crate) fn new(session: Session, options: SubscribeOptions) -> Result<Self> {
        check(&options)?;
        let topics = options.topics.clone();
        let options = Arc::new(options);
        let id = session.engine().hub().add(options.clone());
        let consumer = Self { session, options, id, state: Mutex::default() };
        consumer.subscribe(&topics)?;
        Ok(consumer)
    }

    /// The number that SHOW CONSUMERS gives it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// What it was made with.
    pub fn options(&self) -> &SubscribeOptions {
        &self.options
    }

    /// Waits up to `timeout` for a message.
    pub fn poll(&self, timeout: Duration) -> Result<Option<Message>> {
        let clock = self.session.engine().clock();
        let deadline = clock.elapsed().saturating_add(timeout);
        let bell = Arc::new(Bell::default());
        let waker = Waker::from(bell.clone());
        loop {
            self.wake(&waker);
            if let Some(message) = self.try_poll()? {
                return Ok(Some(message));
            }
            let left = deadline.saturating_sub(clock.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            bell.wait(left);
        }
    }

    /// The next message, if there is one now. Counts as a poll, and commits what earlier polls gave where `auto_commit` asks for it.
    pub fn try_poll(&self) -> Result<Option<Message>> {
        self.session.account()?;
        let mut state = self.refreshed(true, false)?;
        state.is_known = true;
        state.partitions.iter_mut().for_each(Partition::finish);
        self.commit_in_time(&mut state)?;
        let mut is_unfinished = false;
        for _ in 0..state.partitions.len() {
            let at = state.turn % state.partitions.len();
            match state.partitions[at].read(&self.options)? {
                Read::Message(message) => {
                    // The others have their turn before this one again.
                    state.turn = at + 1;
                    let partition = &mut state.partitions[at];
                    let (topic, shard, rows) = (partition.plan.topic.id, partition.shard, std::mem::take(&mut partition.rows));
                    self.session.engine().hub().count(topic, &self.group(), shard, rows);
                    return Ok(Some(*message));
                }
                Read::Unfinished => is_unfinished = true,
                Read::Nothing => {}
            }
            state.turn = at + 1;
        }
        drop(state);
        if is_unfinished {
            self.session.engine().hub().wake_member(self.id);
        }
        Ok(None)
    }

    /// Has `waker` woken, once, when [`try_poll`](Self::try_poll) may give something that it did not give before: new records, other
    /// vgroups, a lost session. Register first and try then. A later waker replaces this one.
    pub fn wake(&self, waker: &Waker) {
        self.session.engine().hub().wake(self.id, waker);
    }

    fn group(&self) -> Arc<str> {
        self.options.group.as_str().into()
    }

    /// The state, with the vgroups that the group has for this member now.
    fn refreshed(&self, polls: bool, heartbeat: bool) -> Result<MutexGuard<'_, State>> {
        let hub = self.session.engine().hub();
        let mut state = self.state.lock();
        let generation = hub.hear(self.id, polls, heartbeat)?;
        if generation != state.generation {
            let (topics, shares) = hub.shares(self.id);
            let mut kept = std::mem::take(&mut state.partitions);
            for (plan, shard) in shares {
                let known = kept.iter().position(|partition| partition.plan.topic.id == plan.topic.id && partition.shard == shard);
                state.partitions.push(match known {
                    Some(at) => kept.swap_remove(at),
                    None => Partition::new(plan.clone(), shard, self.start_of(&plan, shard), &self.options),
                });
            }
            state.topics = topics;
            state.generation = generation;
        }
        Ok(state)
    }

    /// Where reading begins: at what the group has committed, else where the reset says.
    fn start_of(&self, plan: &TopicPlan, shard: u16) -> Option<Sequence> {
        let (begin, end) = range(plan);
        let committed = self.session.engine().catalog().offsets().group(plan.topic.id, &self.options.group).and_then(|offsets| offsets.get(&shard).copied());
        match (committed, self.options.offset_reset) {
            (Some(committed), _) => Some(committed.clamp(begin, end.max(begin))),
            (None, OffsetReset::Earliest) => Some(begin),
            (None, OffsetReset::Latest) => Some(end),
            (None, OffsetReset::None) => None,
        }
    }

    fn commit_in_time(&self, state: &mut State) -> Result<()> {
        let elapsed = self.session.engine().clock().elapsed();
        if !self.options.auto_commit || elapsed.saturating_sub(state.committed) < self.options.auto_commit_interval {
            return Ok(());
        }
        state.committed = elapsed;
        self.commit_each(state.partitions.iter().filter_map(|partition| Some((partition, partition.finished()?))))
    }

    /// Commits offsets of partitions, topic by topic.
    fn commit_each<'a>(&self, partitions: impl Iterator<Item = (&'a Partition, Sequence)>) -> Result<()> {
        let mut topics: BTreeMap<u64, GroupOffsets> = BTreeMap::new();
        for (partition, offset) in partitions {
            topics.entry(partition.plan.topic.id).or_default().insert(partition.shard, offset);
        }
        topics.into_iter().try_for_each(|(topic, offsets)| self.session.engine().catalog().offsets().commit(topic, &self.options.group, offsets))
    }

    /// Commits what polls gave so far, in every vgroup.
    pub fn commit_all(&self) -> Result<()> {
        let state = self.refreshed(false, false)?;
        self.commit_each(state.partitions.iter().filter_map(|partition| Some((partition, partition.reached()?))))
    }

    /// Commits an offset: the group goes on there. Of a message, commit its `next`. 0x4007 behind the log's end, 0x4008 and 0x4009 where the
    /// vgroup or the topic are not this consumer's.
    pub fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let state = self.refreshed(false, false)?;
        let partition = &state.partitions[state.find(topic, vgroup)?];
        // A message may be older by now than the log.
        let offset = in_range(0, partition, offset)?;
        self.commit_each(std::iter::once((partition, offset)))
    }

    /// What the group has committed: `None` for nothing yet.
    pub fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let state = self.refreshed(false, false)?;
        let partition = &state.partitions[state.find(topic, vgroup)?];
        let offsets = self.session.engine().catalog().offsets().group(partition.plan.topic.id, &self.options.group);
        Ok(offsets.and_then(|offsets| offsets.get(&partition.shard).map(|offset| *offset as i64)))
    }

    /// Where the next poll reads: `None` before the first where nothing is committed and the reset is none.
    pub fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let state = self.refreshed(false, false)?;
        Ok(state.partitions[state.find(topic, vgroup)?].position().map(|offset| offset as i64))
    }

    /// Reads on at another offset; commits nothing. 0x4010 before the first [`assignment`](Self::assignment) or poll, 0x4007 where the log
    /// does not reach, otherwise errors as of [`commit`](Self::commit).
    pub fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let mut state = self.refreshed(false, false)?;
        if !state.is_known {
            return Err(Error::new(code::ASSIGNMENT_OR_POLL_INTERFACE_NEED_TO));
        }
        let at = state.find(topic, vgroup)?;
        let offset = in_range(range(&state.partitions[at].plan).0, &state.partitions[at], offset)?;
        state.partitions[at].seek(offset);
        Ok(())
    }

    /// The vgroups of a topic that are this consumer's now; 0x4009 where the topic is not.
    pub fn assignment(&self, topic: &str) -> Result<Vec<Assignment>> {
        let mut state = self.refreshed(false, false)?;
        state.check_topic(topic)?;
        state.is_known = true;
        Ok(state.partitions.iter().filter(|partition| *partition.plan.topic.name == *topic).map(Partition::assignment).collect())
    }

    /// The topics subscribed to.
    pub fn topics(&self) -> Vec<String> {
        self.session.engine().hub().shares(self.id).0.iter().map(|plan| plan.topic.name.to_string()).collect()
    }

    /// Subscribes to other topics: after [`unsubscribe`](Self::unsubscribe), or instead of those until now. 0x03E1 where one is missing.
    pub fn subscribe(&self, topics: &[String]) -> Result<()> {
        let mut plans: Vec<Arc<TopicPlan>> = Vec::with_capacity(topics.len());
        for name in topics {
            if plans.iter().all(|plan| *plan.topic.name != **name) {
                plans.push(open(&self.session, name)?);
            }
        }
        if self.options.replay {
            plans.iter().try_for_each(|plan| refuse_replay(plan))?;
        }
        self.session.engine().hub().subscribe(self.id, plans, self.session.engine().catalog())?;
        // The newest record is that of now.
        self.refreshed(false, false).map(drop)
    }

    /// Leaves the group; vgroups go to the other members. Where `auto_commit` asks for it, commits first what polls gave.
    pub fn unsubscribe(&self) -> Result<()> {
        if self.options.auto_commit {
            let state = self.state.lock();
            // What another member has by now is its own to commit.
            let (_, shares) = self.session.engine().hub().shares(self.id);
            let is_own = |partition: &&Partition| shares.iter().any(|(plan, shard)| plan.topic.id == partition.plan.topic.id && *shard == partition.shard);
            let own = state.partitions.iter().filter(is_own);
            self.commit_each(own.filter_map(|partition| Some((partition, partition.reached()?))))?;
        }
        self.session.engine().hub().subscribe(self.id, Vec::new(), self.session.engine().catalog())?;
        self.refreshed(false, false).map(drop)
    }

    /// Tells that the program lives, which every other call does too. Once it was called, silence of `session_timeout` means that the
    /// program is gone; without it a consumer lives as long as the value.
    pub fn heartbeat(&self) {
        // A consumer that is not known any more cannot be missed.
        let _ = self.session.engine().hub().hear(self.id, false, true);
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.session.engine().hub().remove(self.id);
    }
}

impl State {
    fn check_topic(&self, topic: &str) -> Result<()> {
        if self.topics.iter().any(|plan| *plan.topic.name == *topic) { Ok(()) } else { Err(Error::new(code::TOPIC_DOES_NOT_BELONG_TO_THIS)) }
    }

    fn find(&self, topic: &str, vgroup: i32) -> Result<usize> {
        self.check_topic(topic)?;
        let found = self.partitions.iter().position(|partition| *partition.plan.topic.name == *topic && partition.vgroup() == vgroup);
        found.ok_or_else(|| Error::new(code::VGID_DOES_NOT_BELONG_TO_THIS))
    }
}

/// An offset from `begin` to the end of a partition's log.
fn in_range(begin: Sequence, partition: &Partition, offset: i64) -> Result<Sequence> {
    let (_, end) = range(&partition.plan);
    let offset = Sequence::try_from(offset).ok().filter(|offset| (begin..=end.max(begin)).contains(offset));
    offset.ok_or_else(|| Error::new(code::OFFSET_OUT_OF_RANGE))
}

fn check(options: &SubscribeOptions) -> Result<()> {
    let refuse = |what: &str| Err(Error::with(code::INVALID_PARAMETERS, format!("Invalid parameters: {what}")));
    if options.group.is_empty() || options.group.len() > embudo_catalog::MAX_TABLE_NAME {
        return refuse("group.id");
    }
    if options.client.len() > 255 {
        return refuse("client.id");
    }
    Ok(())
}

/// Replay is for the rows of one query in one order.
fn refuse_replay(plan: &TopicPlan) -> Result<()> {
    if !matches!(plan.topic.source, embudo_catalog::TopicSource::Query { .. }) {
        return Err(Error::new(code::REPLAY_IS_DISABLED_IF_SUBSCRIBE_DB));
    }
    if plan.is_over_many() && plan.database.store().shards() > 1 {
        return Err(Error::new(code::REPLAY_NEED_ONLY_ONE_VGROUP_IF));
    }
    Err(Error::with(code::OPERATION_NOT_SUPPORTED, "Operation not supported: enable.replay"))
}

/// What a thread waits for.
#[derive(Debug, Default)]
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
}

impl Bell {
    fn wait(&self, timeout: Duration) {
        let mut rung = self.rung.lock();
        if !*rung {
            self.changed.wait_for(&mut rung, timeout);
        }
        *rung = false;
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.changed.notify_all();
    }
}
