//! What consumer groups have committed, in a log of its own: a commit is written before its reply, as rows are, and outlives the
//! process; what is superseded goes when everything that still counts has been written again.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use embudo_storage::{Entry, LogLevel, LogOptions, Sequence, Store, StoreOptions};
use embudo_types::Result;
use parking_lot::Mutex;

use crate::record::{Reader, Writer, broken};

/// First byte of every Meta entry.
const VERSION: u8 = 1;
/// Commits after which what counts is written again.
const COMMITS: u64 = 50_000;

/// The offsets of a group in one topic, by shard.
pub type GroupOffsets = BTreeMap<u16, Sequence>;

/// Groups by topic and name.
type Groups = BTreeMap<(u64, Arc<str>), GroupOffsets>;

/// Committed offsets of all groups.
#[derive(Debug)]
pub struct Offsets {
    /// How the log is opened.
    options: StoreOptions,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    store: Option<Arc<Store>>,
    groups: Groups,
    /// Records since everything was written.
    commits: u64,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
enum OffsetChange {
    /// A group has come so far in these shards; a group without any is there all the same.
    Put(u64, Arc<str>, GroupOffsets),
    /// DROP CONSUMER GROUP.
    DropGroup(u64, Arc<str>),
    /// DROP TOPIC.
    DropTopic(u64),
}

impl Offsets {
    /// Offsets in `directory`, which is made with the first commit. Reads what is there.
    pub(crate) fn open(options: StoreOptions, in_memory: bool, exists: bool) -> Result<Self> {
        let level = if in_memory { LogLevel::None } else { LogLevel::Write };
        let log = LogOptions { level, retention: Some(Duration::ZERO), ..LogOptions::default() };
        let options = StoreOptions { shards: 1, log, memory_limit: 1 << 20, ..options };
        let offsets = Self { options, state: Mutex::default() };
        if exists {
            offsets.store(&mut offsets.state.lock())?;
        }
        Ok(offsets)
    }

    /// The directory under an engine's.
    pub(crate) fn directory(engine: &std::path::Path) -> PathBuf {
        engine.join("subscriptions")
    }

    fn store(&self, state: &mut State) -> Result<Arc<Store>> {
        if let Some(store) = &state.store {
            return Ok(store.clone());
        }
        let State { groups, commits, .. } = state;
        let (store, _) = Store::open(self.options.clone(), &mut |_, bytes| {
            *commits += 1;
            decode(bytes)?.into_iter().for_each(|change| apply(groups, change));
            Ok(())
        })?;
        state.store = Some(store.clone());
        Ok(store)
    }

    fn log(&self, change: OffsetChange) -> Result<()> {
        let mut state = self.state.lock();
        let store = self.store(&mut state)?;
        store.append(vec![Entry::Meta(encode(std::slice::from_ref(&change)))])?;
        apply(&mut state.groups, change);
        state.commits += 1;
        if state.commits > COMMITS {
            let all: Vec<OffsetChange> =
                state.groups.iter().map(|((topic, group), offsets)| OffsetChange::Put(*topic, group.clone(), offsets.clone())).collect();
            let sequence = store.append(vec![Entry::Meta(encode(&all))])?;
            store.set_meta_checkpoint(sequence - 1)?;
            state.commits = 0;
        }
        Ok(())
    }

    /// Groups of a topic with what they have committed.
    pub fn groups(&self, topic: u64) -> Vec<(Arc<str>, GroupOffsets)> {
        let state = self.state.lock();
        let of_topic = state.groups.range((topic, Arc::from(""))..).take_while(|((of, _), _)| *of == topic);
        of_topic.map(|((_, group), offsets)| (group.clone(), offsets.clone())).collect()
    }

    /// What a group has committed in a topic; `None` where there is no such group.
    pub fn group(&self, topic: u64, group: &str) -> Option<GroupOffsets> {
        self.state.lock().groups.get(&(topic, Arc::from(group))).cloned()
    }

    /// Commits offsets of a group, which is made if it is new; nothing happens where all of them are committed already.
    pub fn commit(&self, topic: u64, group: &str, offsets: GroupOffsets) -> Result<()> {
        let known = self.group(topic, group);
        if known.is_some_and(|known| offsets.iter().all(|(shard, offset)| known.get(shard) == Some(offset))) {
            return Ok(());
        }
        self.log(OffsetChange::Put(topic, group.into(), offsets))
    }

    /// DROP CONSUMER GROUP.
    pub fn drop_group(&self, topic: u64, group: &str) -> Result<()> {
        self.log(OffsetChange::DropGroup(topic, group.into()))
    }

    pub(crate) fn drop_topic(&self, topic: u64) -> Result<()> {
        if self.groups(topic).is_empty() { Ok(()) } else { self.log(OffsetChange::DropTopic(topic)) }
    }

    pub(crate) fn close(&self) -> Result<()> {
        self.state.lock().store.as_ref().map_or(Ok(()), |store| store.close())
    }
}

fn apply(groups: &mut Groups, change: OffsetChange) {
    match change {
        OffsetChange::Put(topic, group, offsets) => groups.entry((topic, group)).or_default().extend(offsets),
        OffsetChange::DropGroup(topic, group) => drop(groups.remove(&(topic, group))),
        OffsetChange::DropTopic(topic) => groups.retain(|(of, _), _| *of != topic),
    }
}

fn encode(changes: &[OffsetChange]) -> Vec<u8> {
    let mut w = Writer::default();
    w.byte(VERSION);
    for change in changes {
        match change {
            OffsetChange::Put(topic, group, offsets) => {
                w.byte(1);
                w.unsigned(*topic);
                w.text(group);
                w.unsigned(offsets.len() as u64);
                for (shard, offset) in offsets {
                    w.unsigned(u64::from(*shard));
                    w.unsigned(*offset);
                }
            }
            OffsetChange::DropGroup(topic, group) => {
                w.byte(2);
                w.unsigned(*topic);
                w.text(group);
            }
            OffsetChange::DropTopic(topic) => {
                w.byte(3);
                w.unsigned(*topic);
            }
        }
    }
    w.0
}

fn decode(bytes: &[u8]) -> Result<Vec<OffsetChange>> {
    let mut r = Reader(bytes);
    if r.byte()? != VERSION {
        return Err(broken());
    }
    let mut changes = Vec::new();
    while !r.is_empty() {
        changes.push(match r.byte()? {
            1 => {
                let (topic, group) = (r.unsigned()?, r.text()?.into());
                let count = r.count()?;
                let offsets = (0..count).map(|_| Ok((r.narrow()?, r.unsigned()?))).collect::<Result<_>>()?;
                OffsetChange::Put(topic, group, offsets)
            }
            2 => OffsetChange::DropGroup(r.unsigned()?, r.text()?.into()),
            3 => OffsetChange::DropTopic(r.unsigned()?),
            _ => return Err(broken()),
        });
    }
    Ok(changes)
}

#[cfg(test)]
mod tests {
    use embudo_storage::vfs::MemoryVfs;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let changes = vec![
            OffsetChange::Put(7, "g".into(), GroupOffsets::from([(0, 5), (300, u64::MAX)])),
            OffsetChange::Put(7, "涛".into(), GroupOffsets::new()),
            OffsetChange::DropGroup(7, "g".into()),
            OffsetChange::DropTopic(8),
        ];
        let bytes = encode(&changes);
        assert_eq!(decode(&bytes).unwrap(), changes);
        for end in 0..bytes.len() {
            let _ = decode(&bytes[..end]);
        }
    }

    #[test]
    fn commits_outlive_the_store_and_their_log_stays_short() {
        let vfs = Arc::new(MemoryVfs::new());
        let options = StoreOptions { vfs, ..StoreOptions::directory("/subscriptions") };
        let offsets = Offsets::open(options.clone(), false, false).unwrap();
        assert_eq!(offsets.group(1, "g"), None);
        offsets.commit(1, "g", GroupOffsets::new()).unwrap();
        for at in 1..COMMITS + 10 {
            offsets.commit(1, "g", GroupOffsets::from([(0, at)])).unwrap();
        }
        offsets.commit(1, "g", GroupOffsets::from([(1, 3)])).unwrap();
        offsets.commit(2, "h", GroupOffsets::from([(1, 4)])).unwrap();
        offsets.commit(3, "h", GroupOffsets::from([(1, 4)])).unwrap();
        offsets.drop_group(2, "h").unwrap();
        // As a kill leaves it: nothing is closed.
        let again = Offsets::open(StoreOptions { vfs: options.vfs.clone(), ..options }, false, true);
        assert!(again.is_err(), "the lock is held");
        offsets.close().unwrap();
        let again = Offsets::open(offsets.options.clone(), false, true).unwrap();
        assert_eq!(again.groups(1), [(Arc::from("g"), GroupOffsets::from([(0, COMMITS + 9), (1, 3)]))]);
        assert_eq!((again.groups(2), again.groups(3).len()), (vec![], 1));
        assert!(again.state.lock().commits < 100);
        again.drop_topic(3).unwrap();
        assert_eq!(again.groups(3), []);
    }
}
