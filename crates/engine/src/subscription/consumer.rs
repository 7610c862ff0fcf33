//! A consumer: what a program holds to read topics. Threads may share it; none of its calls but [`Consumer::poll`] waits.

use std::task::Waker;
use std::time::Duration;

use embudo_types::subscription::{Assignment, Message, SubscribeOptions};
use embudo_types::{Error, Result, code};

use crate::Session;

/// A member of a consumer group. Dropping it leaves the group, without a commit.
#[derive(Debug)]
pub struct Consumer {
    session: Session,
    options: SubscribeOptions,
}

impl Consumer {
    pub(crate) fn new(session: Session, options: SubscribeOptions) -> Result<Self> {
        Ok(Self { session, options })
    }

    /// The number that SHOW CONSUMERS gives it.
    pub fn id(&self) -> u64 {
        u64::from(self.session.id())
    }

    /// Waits up to `timeout` for a message.
    pub fn poll(&self, timeout: Duration) -> Result<Option<Message>> {
        let _ = timeout;
        self.try_poll()
    }

    /// The next message, if there is one now. Counts as a poll, and commits what earlier polls gave where `auto_commit` asks for it.
    pub fn try_poll(&self) -> Result<Option<Message>> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Has `waker` woken, once, when [`try_poll`](Self::try_poll) may give something that it did not give before: new records, other
    /// vgroups, a lost session. Register first and try then. A later waker replaces this one.
    pub fn wake(&self, waker: &Waker) {
        let _ = waker;
    }

    /// Commits what polls gave so far, in every vgroup.
    pub fn commit_all(&self) -> Result<()> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Commits an offset: the group goes on there. Of a message, commit its `next`. 0x4007 where the log does not reach, 0x4008 and 0x4009
    /// where the vgroup or the topic are not this consumer's.
    pub fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let _ = (topic, vgroup, offset);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// What the group has committed: `None` for nothing yet.
    pub fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let _ = (topic, vgroup);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Where the next poll reads: `None` before the first where nothing is committed and the reset is none.
    pub fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>> {
        let _ = (topic, vgroup);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Reads on at another offset; commits nothing. Errors as of [`commit`](Self::commit).
    pub fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()> {
        let _ = (topic, vgroup, offset);
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// The vgroups of a topic that are this consumer's now; 0x4009 where the topic is not.
    pub fn assignment(&self, topic: &str) -> Result<Vec<Assignment>> {
        let _ = topic;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// The topics subscribed to.
    pub fn topics(&self) -> Vec<String> {
        self.options.topics.clone()
    }

    /// Subscribes to other topics: after [`unsubscribe`](Self::unsubscribe), or instead of those until now.
    pub fn subscribe(&self, topics: &[String]) -> Result<()> {
        let _ = topics;
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Leaves the group; vgroups go to the other members. Where `auto_commit` asks for it, commits first what polls gave.
    pub fn unsubscribe(&self) -> Result<()> {
        Err(Error::new(code::OPERATION_NOT_SUPPORTED))
    }

    /// Tells that the program lives, which every other call does too.
    pub fn heartbeat(&self) {}
}
