//! Consumer groups: who is in them, which member has which vgroup, who is still heard of, and whom to wake when the log grows.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::Waker;
use std::time::Duration;

use embudo_catalog::{Catalog, Topic};
use embudo_storage::{Clock, Scheduler, Sequence};
use embudo_types::subscription::SubscribeOptions;
use embudo_types::{Error, Result, code};
use parking_lot::Mutex;
use rustc_hash::FxHashSet;

use super::plan::TopicPlan;

/// How often members that are not heard of are looked for.
const ROUND: Duration = Duration::from_secs(1);
/// Groups of a topic.
const MAX_GROUPS: usize = 100;

/// A shard of a topic.
pub(crate) type Shard = (Arc<TopicPlan>, u16);

/// A member's number.
pub(crate) type MemberId = u64;

/// All consumers of an engine.
#[derive(Debug)]
pub(crate) struct Hub {
    this: Weak<Self>,
    clock: Arc<dyn Clock>,
    scheduler: Arc<Scheduler>,
    state: Mutex<State>,
    /// Members that wait for the log.
    sleeping: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    members: BTreeMap<MemberId, Member>,
    /// By topic and group.
    shares: BTreeMap<(u64, Arc<str>), Share>,
    next_member: MemberId,
    is_watching: bool,
}

/// A consumer in its group.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// Its group.
    pub group: Arc<str>,
    /// What it was made with.
    pub options: Arc<SubscribeOptions>,
    /// What it is subscribed to; empty after it has unsubscribed.
    pub topics: Vec<Arc<TopicPlan>>,
    /// Milliseconds since 1970: when it was made, when it subscribed, when vgroups were last shared out.
    pub times: [i64; 3],
    /// When it last called and last polled, on the clock that never goes back.
    heard: Duration,
    polled: Duration,
    /// Whether it tells that it lives, so that its silence means something.
    has_heartbeat: bool,
    /// It was silent for too long.
    pub is_lost: bool,
    /// Grows when its vgroups change.
    generation: u64,
    waker: Option<Waker>,
}

/// Who reads which shard of a topic in a group.
#[derive(Debug)]
struct Share {
    owners: Vec<Option<MemberId>>,
    /// Rows that were delivered, by shard.
    rows: Vec<u64>,
}

impl Hub {
    pub fn new(clock: Arc<dyn Clock>, scheduler: Arc<Scheduler>) -> Arc<Self> {
        // Members get numbers that those of other runs did not have.
        let first = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), clock.now()) >> 16 << 15;
        let state = State { next_member: first, ..State::default() };
        Arc::new_cyclic(|this| Self { this: this.clone(), clock, scheduler, state: Mutex::new(state), sleeping: AtomicUsize::new(0) })
    }

    fn milliseconds(&self) -> i64 {
        self.clock.now() / 1_000_000
    }

    /// A new member of a group, not subscribed to anything.
    pub fn add(&self, options: Arc<SubscribeOptions>) -> MemberId {
        let (now, elapsed) = (self.milliseconds(), self.clock.elapsed());
        let mut state = self.state.lock();
        state.next_member += 1;
        let id = state.next_member;
        let member = Member {
            group: options.group.as_str().into(),
            options,
            topics: Vec::new(),
            times: [now; 3],
            heard: elapsed,
            polled: elapsed,
            has_heartbeat: false,
            is_lost: false,
            generation: 0,
            waker: None,
        };
        state.members.insert(id, member);
        id
    }

    /// The member goes.
    pub fn remove(&self, id: MemberId) {
        let mut state = self.state.lock();
        state.resubscribe(id, Vec::new(), self.milliseconds());
        if state.members.remove(&id).is_some_and(|member| member.waker.is_some()) {
            self.sleeping.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Subscribes a member to these topics and no others; its group is made in each where it is new. 0x4005 where a topic has too many groups.
    pub fn subscribe(&self, id: MemberId, topics: Vec<Arc<TopicPlan>>, catalog: &Catalog) -> Result<()> {
        let group = self.group_of(id)?;
        for plan in &topics {
            let groups = catalog.offsets().groups(plan.topic.id);
            if groups.len() >= MAX_GROUPS && groups.iter().all(|(name, _)| *name != group) {
                return Err(Error::new(code::GROUP_NUM_OUT_OF_RANGE_100));
            }
        }
        for plan in &topics {
            catalog.offsets().commit(plan.topic.id, &group, BTreeMap::new())?;
        }
        let mut state = self.state.lock();
        state.resubscribe(id, topics, self.milliseconds());
        if !state.is_watching {
            state.is_watching = true;
            self.watch_later();
        }
        Ok(())
    }

    fn group_of(&self, id: MemberId) -> Result<Arc<str>> {
        self.state.lock().members.get(&id).map(|member| member.group.clone()).ok_or_else(|| Error::new(code::CONSUMER_NOT_EXIST))
    }

    /// Notes a sign of life; gives the generation of the member's vgroups. A member that was lost is in its group again.
    pub fn hear(&self, id: MemberId, polls: bool, heartbeat: bool) -> Result<u64> {
        let elapsed = self.clock.elapsed();
        let mut state = self.state.lock();
        let member = state.members.get_mut(&id).ok_or_else(|| Error::new(code::CONSUMER_NOT_EXIST))?;
        member.heard = elapsed;
        member.has_heartbeat |= heartbeat;
        if polls {
            member.polled = elapsed;
            if std::mem::take(&mut member.is_lost) {
                state.share_out_of(id, self.milliseconds());
            }
        }
        state.members.get(&id).map(|member| member.generation).ok_or_else(|| Error::new(code::CONSUMER_NOT_EXIST))
    }

    /// The topics of a member, and those of their shards that are its.
    pub fn shares(&self, id: MemberId) -> (Vec<Arc<TopicPlan>>, Vec<Shard>) {
        let state = self.state.lock();
        let Some(member) = state.members.get(&id) else { return (Vec::new(), Vec::new()) };
        let mut shares = Vec::new();
        for plan in &member.topics {
            let owners = state.shares.get(&(plan.topic.id, member.group.clone())).map(|share| share.owners.as_slice()).unwrap_or_default();
            shares.extend((0_u16..).zip(owners).filter(|(_, owner)| **owner == Some(id)).map(|(shard, _)| (plan.clone(), shard)));
        }
        (member.topics.clone(), shares)
    }

    /// Has a waker woken at the next change that may concern the member.
    pub fn wake(&self, id: MemberId, waker: &Waker) {
        let mut state = self.state.lock();
        if let Some(member) = state.members.get_mut(&id)
            && member.waker.replace(waker.clone()).is_none()
        {
            self.sleeping.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Wakes one member, which has not looked through everything yet.
    pub fn wake_member(&self, id: MemberId) {
        let waker = self.state.lock().members.get_mut(&id).and_then(|member| member.waker.take());
        if let Some(waker) = waker {
            self.sleeping.fetch_sub(1, Ordering::AcqRel);
            waker.wake();
        }
    }

    /// Wakes the members that read a database, whose log has grown.
    pub fn wake_readers(&self, database: u32) {
        if self.sleeping.load(Ordering::Acquire) == 0 {
            return;
        }
        let mut state = self.state.lock();
        let readers = state.members.values_mut().filter(|member| member.topics.iter().any(|plan| plan.database.id == database));
        let wakers: Vec<Waker> = readers.filter_map(|member| member.waker.take()).collect();
        drop(state);
        self.sleeping.fetch_sub(wakers.len(), Ordering::AcqRel);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Counts rows that a group got.
    pub fn count(&self, topic: u64, group: &Arc<str>, shard: u16, rows: u64) {
        let mut state = self.state.lock();
        if let Some(count) = state.shares.get_mut(&(topic, group.clone())).and_then(|share| share.rows.get_mut(usize::from(shard))) {
            *count += rows;
        }
    }

    /// Whether a living member is subscribed to a topic; with a group, a member of it.
    pub fn is_subscribed(&self, topic: u64, group: Option<&str>) -> bool {
        let state = self.state.lock();
        let mut living = state.members.values().filter(|member| !member.is_lost && group.is_none_or(|group| *member.group == *group));
        living.any(|member| member.topics.iter().any(|plan| plan.topic.id == topic))
    }

    /// Takes a topic from everybody: it is dropped.
    pub fn forget_topic(&self, topic: u64) {
        let now = self.milliseconds();
        let mut state = self.state.lock();
        let readers: Vec<MemberId> =
            state.members.iter().filter(|(_, member)| member.topics.iter().any(|plan| plan.topic.id == topic)).map(|(id, _)| *id).collect();
        for id in readers {
            let topics = state.members.get(&id).map(|member| member.topics.iter().filter(|plan| plan.topic.id != topic).cloned().collect());
            state.resubscribe(id, topics.unwrap_or_default(), now);
        }
        state.shares.retain(|(of, _), _| *of != topic);
    }

    /// Takes what a group counted in a topic.
    pub fn forget_group(&self, topic: u64, group: &str) {
        self.state.lock().shares.remove(&(topic, group.into()));
    }

    /// Every member.
    pub fn members(&self) -> Vec<(MemberId, Member)> {
        self.state.lock().members.iter().map(|(id, member)| (*id, member.clone())).collect()
    }

    /// Who reads a shard of a topic in a group, and how many rows it has given.
    pub fn reader(&self, topic: &Topic, group: &Arc<str>, shard: u16) -> (Option<MemberId>, u64) {
        let state = self.state.lock();
        let share = state.shares.get(&(topic.id, group.clone()));
        let at = usize::from(shard);
        share.map_or((None, 0), |share| (share.owners.get(at).copied().flatten(), share.rows.get(at).copied().unwrap_or(0)))
    }

    fn watch_later(&self) {
        let this = self.this.clone();
        self.scheduler.spawn_after(ROUND, move || {
            if let Some(hub) = this.upgrade() {
                hub.watch();
            }
        });
    }

    /// Looks for members that are not heard of; their vgroups go to the others.
    fn watch(&self) {
        let (now, elapsed) = (self.milliseconds(), self.clock.elapsed());
        let mut state = self.state.lock();
        let is_silent = |member: &Member| {
            let silent = member.has_heartbeat && elapsed.saturating_sub(member.heard) > member.options.session_timeout;
            silent || elapsed.saturating_sub(member.polled) > member.options.max_poll_interval
        };
        let lost: Vec<MemberId> =
            state.members.iter().filter(|(_, member)| !member.is_lost && !member.topics.is_empty() && is_silent(member)).map(|(id, _)| *id).collect();
        for id in lost {
            if let Some(member) = state.members.get_mut(&id) {
                member.is_lost = true;
            }
            state.share_out_of(id, now);
        }
        state.is_watching = state.members.values().any(|member| !member.topics.is_empty());
        let goes_on = state.is_watching;
        drop(state);
        if goes_on {
            self.watch_later();
        }
    }
}

impl State {
    fn resubscribe(&mut self, id: MemberId, topics: Vec<Arc<TopicPlan>>, now: i64) {
        let Some(member) = self.members.get_mut(&id) else { return };
        let mut concerned = member.topics.clone();
        concerned.extend(topics.iter().cloned());
        member.topics = topics;
        member.times[1] = now;
        member.is_lost = false;
        member.generation += 1;
        let group = member.group.clone();
        for plan in &concerned {
            self.share_out(plan, &group, now);
        }
    }

    /// Shares out all topics of a member, which came back or was lost.
    fn share_out_of(&mut self, id: MemberId, now: i64) {
        let Some(member) = self.members.get(&id) else { return };
        let (topics, group) = (member.topics.clone(), member.group.clone());
        for plan in &topics {
            self.share_out(plan, &group, now);
        }
    }

    /// Shares out the vgroups of a topic among a group: as many to each as to the others, and none moves without need.
    fn share_out(&mut self, plan: &Arc<TopicPlan>, group: &Arc<str>, now: i64) {
        let shards = usize::from(plan.database.store().shards());
        let is_reader = |member: &Member| !member.is_lost && member.group == *group && member.topics.iter().any(|other| other.topic.id == plan.topic.id);
        let readers: Vec<MemberId> = self.members.iter().filter(|(_, member)| is_reader(member)).map(|(id, _)| *id).collect();
        let share = self.shares.entry((plan.topic.id, group.clone())).or_insert_with(|| Share { owners: vec![None; shards], rows: vec![0; shards] });
        let before = share.owners.clone();
        share_evenly(&mut share.owners, &readers);
        let changed: FxHashSet<MemberId> =
            before.iter().zip(&share.owners).filter(|(before, after)| before != after).flat_map(|(before, after)| [*before, *after]).flatten().collect();
        for id in changed {
            if let Some(member) = self.members.get_mut(&id) {
                member.generation += 1;
                member.times[2] = now;
                if let Some(waker) = &member.waker {
                    // It stays registered: who wakes for the log takes it out.
                    waker.wake_by_ref();
                }
            }
        }
    }
}

/// Gives every place to a reader; each keeps what it has up to its share.
fn share_evenly(owners: &mut [Option<MemberId>], readers: &[MemberId]) {
    if readers.is_empty() {
        owners.fill(None);
        return;
    }
    let (least, mut extra) = (owners.len() / readers.len(), owners.len() % readers.len());
    let mut held: BTreeMap<MemberId, usize> = readers.iter().map(|id| (*id, 0)).collect();
    for owner in owners.iter_mut() {
        let keeps = owner.and_then(|id| held.get_mut(&id)).is_some_and(|count| {
            let room = *count < least || *count == least && extra > 0;
            extra -= usize::from(room && *count == least);
            *count += usize::from(room);
            room
        });
        if !keeps {
            *owner = None;
        }
    }
    for owner in owners.iter_mut().filter(|owner| owner.is_none()) {
        if let Some((id, count)) = held.iter_mut().min_by_key(|(_, count)| **count) {
            *count += 1;
            *owner = Some(*id);
        }
    }
}

/// An offset as lists show it: how far, of how much.
pub(crate) fn offset_text(committed: Option<Sequence>, end: Sequence) -> String {
    committed.map_or_else(|| format!("none/{end}"), |committed| format!("log:{committed}/{end}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn shares_are_even_and_stay(
            before in proptest::collection::vec(proptest::option::of(0..6_u64), 0..20),
            readers in proptest::collection::btree_set(0..6_u64, 0..6),
        ) {
            let readers: Vec<MemberId> = readers.into_iter().collect();
            let mut owners = before.clone();
            share_evenly(&mut owners, &readers);
            let count = |owners: &[Option<MemberId>], id| owners.iter().filter(|owner| **owner == Some(id)).count();
            let counts: Vec<usize> = readers.iter().map(|id| count(&owners, *id)).collect();
            prop_assert_eq!(counts.iter().sum::<usize>(), if readers.is_empty() { 0 } else { owners.len() });
            if let (Some(least), Some(most)) = (counts.iter().min(), counts.iter().max()) {
                prop_assert!(most - least <= 1);
            }
            // A place moves only where its owner is gone or has more than its share.
            for (before_owner, owner) in before.iter().zip(&owners) {
                if let Some(id) = before_owner && readers.contains(id) && owner != before_owner {
                    prop_assert!(count(&before, *id) > count(&owners, *id) && count(&owners, *id) >= owners.len() / readers.len());
                }
            }
            let settled = owners.clone();
            share_evenly(&mut owners, &readers);
            prop_assert_eq!(owners, settled);
        }
    }
}
