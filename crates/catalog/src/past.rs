//! Tables as they were when the log's older records were written: what ALTER and DROP changed since. It goes when the log does.

use std::collections::BTreeMap;
use std::sync::Arc;

use embudo_storage::{Sequence, Uid};
use rustc_hash::FxHashMap;

use crate::change::Change;

/// A table up to a change of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct PastTable {
    /// The record that changed it: it was so in those before.
    pub until: Sequence,
    /// Its number.
    pub uid: Uid,
    /// The change that would make it as it was.
    pub made: Change,
}

/// Past tables, each list from the oldest to the newest.
#[derive(Debug, Default)]
pub(crate) struct Past {
    ordered: BTreeMap<(Sequence, Uid), Arc<PastTable>>,
    by_uid: FxHashMap<Uid, Vec<Arc<PastTable>>>,
    by_name: FxHashMap<Arc<str>, Vec<Arc<PastTable>>>,
}

impl Past {
    /// Remembers a table; of several changes in one record only what was before the first counts.
    pub fn add(&mut self, table: PastTable) {
        let Some(name) = table.made.name().cloned() else { return };
        let place = (table.until, table.uid);
        if self.ordered.contains_key(&place) {
            return;
        }
        let table = Arc::new(table);
        insert(self.by_uid.entry(table.uid).or_default(), &table);
        insert(self.by_name.entry(name).or_default(), &table);
        self.ordered.insert(place, table);
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.ordered.len()
    }

    /// A table as it was when a record was written, where it has changed since.
    pub fn table(&self, uid: Uid, sequence: Sequence) -> Option<Arc<PastTable>> {
        self.by_uid.get(&uid)?.iter().find(|table| table.until > sequence).cloned()
    }

    /// The table that had a name when a record was written, where it has changed since.
    pub fn named(&self, name: &str, sequence: Sequence) -> Option<Arc<PastTable>> {
        self.by_name.get(name)?.iter().find(|table| table.until > sequence).cloned()
    }

    /// Those of records above `sequence`.
    pub fn since(&self, sequence: Sequence) -> Vec<Arc<PastTable>> {
        self.ordered.range((sequence + 1, 0)..).map(|(_, table)| table.clone()).collect()
    }

    /// Forgets what no record from `first` on needs.
    pub fn forget(&mut self, first: Sequence) {
        while let Some(entry) = self.ordered.first_entry() {
            if entry.key().0 > first {
                break;
            }
            let table = entry.remove();
            remove(&mut self.by_uid, &table.uid, &table);
            if let Some(name) = table.made.name() {
                remove(&mut self.by_name, name, &table);
            }
        }
    }
}

fn insert(list: &mut Vec<Arc<PastTable>>, table: &Arc<PastTable>) {
    let at = list.partition_point(|other| other.until <= table.until);
    list.insert(at, table.clone());
}

fn remove<K: std::hash::Hash + Eq>(lists: &mut FxHashMap<K, Vec<Arc<PastTable>>>, key: &K, table: &Arc<PastTable>) {
    if let Some(list) = lists.get_mut(key) {
        list.retain(|other| !Arc::ptr_eq(other, table));
        if list.is_empty() {
            lists.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(until: Sequence, uid: Uid, name: &str) -> PastTable {
        PastTable { until, uid, made: Change::DropTable { name: name.into() } }
    }

    #[test]
    fn the_next_change_tells_how_a_table_was() {
        let mut past = Past::default();
        for entry in [table(5, 1, "a"), table(9, 1, "a"), table(9, 2, "b"), table(9, 1, "not this"), table(12, 3, "a")] {
            past.add(entry);
        }
        let until = |table: Option<Arc<PastTable>>| table.map(|table| table.until);
        assert_eq!([0, 4, 5, 8, 9].map(|sequence| until(past.table(1, sequence))), [Some(5), Some(5), Some(9), Some(9), None]);
        assert_eq!([4, 8, 9, 12].map(|sequence| past.named("a", sequence).map(|table| table.uid)), [Some(1), Some(1), Some(3), None]);
        assert_eq!((past.since(5).len(), past.len()), (3, 4));
        past.forget(9);
        assert_eq!((past.len(), past.table(1, 0), until(past.named("a", 0))), (1, None, Some(12)));
    }
}
