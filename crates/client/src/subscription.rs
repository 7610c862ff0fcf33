//! Subscriptions over every transport: a member of a consumer group that reads topics.
//!
//! ```no_run
//! use std::time::Duration;
//! use embudo_client::{ConnectOptions, Dsn, connect};
//! use embudo_types::subscription::{OffsetReset, SubscribeOptions};
//! let driver = connect(&Dsn::parse("taosws://root:taosdata@localhost:6041")?, &ConnectOptions::default())?;
//! let options = SubscribeOptions { offset_reset: OffsetReset::Earliest, ..SubscribeOptions::new("group", ["topic"]) };
//! let subscription = driver.subscribe(options)?;
//! while let Some(message) = subscription.poll(Duration::from_secs(1))? {
//!     for block in &message.blocks {
//!         println!("{:?}: {} rows", block.table, block.batch.num_rows());
//!     }
//!     subscription.commit_message(&message)?;
//! }
//! # Ok::<(), embudo_types::Error>(())
//! ```

use std::time::Duration;

use embudo_types::{
    Result,
    subscription::{Assignment, Message},
};

/// A member of a consumer group. Threads may share it; polls take turns. Dropping it leaves the group without a commit.
pub trait Subscription: Send + Sync {
    /// The next message, if there is one within `timeout`. Where auto commit is on, commits what earlier polls gave, once an interval.
    fn poll(&self, timeout: Duration) -> Result<Option<Message>>;

    /// Commits an offset: the group goes on there. 0x4007 where the log does not reach, 0x4008 and 0x4009 where the vgroup or the topic are
    /// not this consumer's.
    fn commit(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()>;

    /// Commits what polls gave so far, in every vgroup.
    fn commit_all(&self) -> Result<()>;

    /// Commits one message and all before it in its vgroup.
    fn commit_message(&self, message: &Message) -> Result<()> {
        self.commit(&message.topic, message.vgroup, message.next)
    }

    /// What the group has committed; `None`: nothing yet.
    fn committed(&self, topic: &str, vgroup: i32) -> Result<Option<i64>>;

    /// Where the next poll reads; `None`: not known yet.
    fn position(&self, topic: &str, vgroup: i32) -> Result<Option<i64>>;

    /// Reads on at another offset; commits nothing. Errors as of [`commit`](Self::commit).
    fn seek(&self, topic: &str, vgroup: i32, offset: i64) -> Result<()>;

    /// The vgroups of a topic that are this consumer's now.
    fn assignment(&self, topic: &str) -> Result<Vec<Assignment>>;

    /// The topics subscribed to.
    fn topics(&self) -> Vec<String>;

    /// Subscribes to other topics: after [`unsubscribe`](Self::unsubscribe), or instead of those until now.
    fn subscribe(&self, topics: &[String]) -> Result<()>;

    /// Leaves the group. Where auto commit is on, commits first what polls gave.
    fn unsubscribe(&self) -> Result<()>;

    /// Makes a poll that waits in another thread end with nothing; where none waits, the next one.
    fn interrupt(&self);

    /// Leaves the group as [`unsubscribe`](Self::unsubscribe) does, for good; later calls fail.
    fn close(&self) -> Result<()>;
}
