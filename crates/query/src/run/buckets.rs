//! Rows on disk by the hash of their keys: equal keys come into the same bucket, in the order in which they came, so that groups and DISTINCT can
//! go on with one bucket at a time where all together do not fit in memory.

use std::hash::BuildHasher;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use embudo_types::{Error, Result};
use rustc_hash::FxBuildHasher;

use super::block::Batch;
use super::spill::{SpillFile, SpillWriter};
use crate::array::{RowKeys, interleave};
use crate::memory::{MemoryBudget, Reservation};

/// Buckets that rows are spread over at once.
const BUCKETS: usize = 16;
/// How often a bucket can be spread once more.
const DEEPEST: u32 = 6;

/// Buckets being filled.
pub(crate) struct Buckets {
    budget: Arc<MemoryBudget>,
    level: u32,
    parts: Vec<Part>,
    types: Arc<[DataType]>,
}

#[derive(Default)]
struct Part {
    writer: Option<SpillWriter>,
    tags: Vec<u32>,
    first_key: Option<Box<[u8]>>,
    many_keys: bool,
}

impl Buckets {
    /// Empty buckets.
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), level: 0, parts: Vec::new(), types: Arc::default() }
    }

    /// Adds some rows of a batch, chunk by chunk as they come; `tag` is kept with each chunk. Without keys all go into one bucket.
    pub(crate) fn add(&mut self, batch: &Batch, keys: Option<&RowKeys>, rows: impl Iterator<Item = u32>, tag: u32) -> Result<()> {
        if self.parts.is_empty() {
            self.parts.resize_with(BUCKETS, Part::default);
            self.types = batch.columns.iter().map(|column| column.data_type().clone()).collect();
        }
        let mut picked: Vec<Vec<(u32, u32, u32)>> = vec![Vec::new(); BUCKETS];
        for row in rows {
            let bucket = match keys {
                Some(keys) => self.place(keys.get(row as usize)),
                None => 0,
            };
            match picked[bucket].last_mut() {
                Some((_, _, end)) if *end == row => *end += 1,
                _ => picked[bucket].push((0, row, row + 1)),
            }
        }
        for (place, ranges) in picked.iter().enumerate().filter(|(_, ranges)| !ranges.is_empty()) {
            let part = &mut self.parts[place];
            if let Some(keys) = keys {
                part.look(keys, ranges);
            }
            let writer = match &mut part.writer {
                Some(writer) => writer,
                empty => {
                    let Some(file) = self.budget.spill_file()? else { return Err(Reservation::new(&self.budget).exhausted()) };
                    empty.insert(SpillWriter::new(file))
                }
            };
            let gather = |column: &ArrayRef| interleave(std::slice::from_ref(column), ranges, column.data_type());
            let columns = batch.columns.iter().map(gather).collect::<Result<Vec<_>>>()?;
            let rows = |range: &(u32, u32, u32)| range.1 as usize..range.2 as usize;
            let groups = batch.groups.as_ref().map(|groups| ranges.iter().flat_map(|range| groups[rows(range)].iter().copied()).collect());
            writer.append(&Batch { rows: ranges.iter().map(|range| rows(range).len()).sum(), columns, groups })?;
            part.tags.push(tag);
        }
        Ok(())
    }

    fn place(&self, key: &[u8]) -> usize {
        // The upper bits of a product depend on all of the hash.
        let hash = FxBuildHasher.hash_one((self.level, key)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (hash >> 32) as usize % BUCKETS
    }

    /// The buckets that have rows.
    pub(crate) fn finish(self) -> Result<Vec<Bucket>> {
        let (level, types) = (self.level, self.types);
        let filled = self.parts.into_iter().filter_map(|part| part.writer.map(|writer| (writer, part.tags, part.many_keys)));
        filled.map(|(writer, tags, many_keys)| Ok(Bucket { file: writer.finish(Arc::clone(&types))?, tags: tags.into(), many_keys, level })).collect()
    }
}

impl Part {
    /// Notes whether there is more than one key.
    fn look(&mut self, keys: &RowKeys, ranges: &[(u32, u32, u32)]) {
        if self.many_keys {
            return;
        }
        for row in ranges.iter().flat_map(|range| range.1..range.2) {
            let key = keys.get(row as usize);
            match &self.first_key {
                None => self.first_key = Some(key.into()),
                Some(first) if **first != *key => {
                    self.many_keys = true;
                    return;
                }
                Some(_) => {}
            }
        }
    }
}

/// A filled bucket.
#[derive(Clone)]
pub(crate) struct Bucket {
    file: SpillFile,
    tags: Arc<[u32]>,
    many_keys: bool,
    level: u32,
}

impl Bucket {
    /// Its chunks with their tags, in the order in which they were added.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = Result<(Batch, u32)>> + use<> {
        let tags = Arc::clone(&self.tags);
        self.file.read().enumerate().map(move |(place, chunk)| match tags.get(place) {
            Some(tag) => Ok((chunk?, *tag)),
            None => Err(Error::internal("a chunk without its tag")),
        })
    }

    /// Empty buckets that its rows can be spread over, by another hash; `None` where that would not part them.
    pub(crate) fn spread(&self, budget: &Arc<MemoryBudget>) -> Option<Buckets> {
        (self.many_keys && self.level < DEEPEST).then(|| Buckets { level: self.level + 1, ..Buckets::new(budget) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray;
    use arrow_array::types::Int64Type;
    use embudo_storage::vfs::MemoryVfs;

    #[test]
    fn equal_keys_meet_in_order() {
        let budget = Arc::new(MemoryBudget::new(1 << 20).spilling_to(Arc::new(MemoryVfs::new()), "/spill".into()));
        let mut buckets = Buckets::new(&budget);
        for tag in 0..20_u32 {
            let column: ArrayRef = Arc::new(Int64Array::from_iter_values((0..100).map(|row| i64::from(row * tag % 37))));
            let keys = RowKeys::encode(std::slice::from_ref(&column), &[], 100).unwrap();
            buckets.add(&Batch { rows: 100, columns: vec![column], groups: Some(vec![tag; 100]) }, Some(&keys), 0..100, tag).unwrap();
        }
        let mut owner = std::collections::BTreeMap::new();
        let mut rows = 0;
        let filled = buckets.finish().unwrap();
        assert!(filled.len() > 4);
        for (place, bucket) in filled.iter().enumerate() {
            let mut last = 0;
            for chunk in bucket.chunks() {
                let (batch, tag) = chunk.unwrap();
                assert!(tag >= last && batch.groups.unwrap().iter().all(|group| *group == tag));
                last = tag;
                rows += batch.rows;
                for key in batch.columns[0].as_primitive::<Int64Type>().values() {
                    assert_eq!(*owner.entry(*key).or_insert(place), place);
                }
            }
            // Spread once more, the rows part if there is more than one key.
            let keys = owner.values().filter(|owner| **owner == place).count();
            assert_eq!(bucket.spread(&budget).is_some(), keys > 1);
        }
        assert_eq!(rows, 2_000);
    }
}
