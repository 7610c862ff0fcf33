//! The children of one supertable: names, uids and tag values by slot, in chunks that views share with the writer.
//! A slot is a child's place in order of creation and is never given to another child while the process runs.

use std::sync::Arc;

use arrow_array::ArrayRef;
use embudo_storage::Uid;
use embudo_types::{DataType, Precision, Value};
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

use crate::namespace::Namespace;
use crate::postings::PostingCache;
use crate::tag_column::{TagColumn, gather};
use crate::{Schema, TableOptions};

/// Children in a chunk.
pub(crate) const CHUNK: usize = 1024;

/// Up to [`CHUNK`] children; shared until one of them changes.
#[derive(Clone, Debug)]
struct Chunk {
    uids: Vec<Uid>,
    names: Vec<Arc<str>>,
    created: Vec<i64>,
    /// In the order of the schema's tags.
    tags: Vec<TagColumn>,
}

/// Every child of a supertable; cloning copies references to chunks.
#[derive(Clone, Debug, Default)]
pub(crate) struct ChildSet {
    chunks: Vec<Arc<Chunk>>,
    live: RoaringBitmap,
    /// Only of children that have any.
    options: Arc<FxHashMap<u32, Arc<TableOptions>>>,
    /// Grows with every change of a tag of an existing child: postings of another generation do not fit.
    generation: u64,
}

impl ChildSet {
    /// Adds a child and gives its slot.
    pub fn push(&mut self, uid: Uid, name: Arc<str>, created: i64, types: &[DataType], tags: &[Value], options: TableOptions) -> u32 {
        if self.chunks.last().is_none_or(|chunk| chunk.uids.len() == CHUNK) {
            if let Some(last) = self.chunks.len().checked_sub(1) {
                self.release(last);
            }
            let tags = types.iter().map(|data_type| TagColumn::new(*data_type)).collect();
            self.chunks.push(Arc::new(Chunk { uids: Vec::new(), names: Vec::new(), created: Vec::new(), tags }));
        }
        let at = self.chunks.len() - 1;
        let chunk = Arc::make_mut(&mut self.chunks[at]);
        let slot = (at * CHUNK + chunk.uids.len()) as u32;
        chunk.uids.push(uid);
        chunk.names.push(name);
        chunk.created.push(created);
        for (column, value) in chunk.tags.iter_mut().zip(tags) {
            column.push(value);
        }
        self.live.insert(slot);
        if options != TableOptions::default() {
            self.set_options(slot, options);
        }
        slot
    }

    /// Forgets a child; the memory of a chunk goes with its last child.
    pub fn remove(&mut self, slot: u32) {
        self.live.remove(slot);
        if self.options.contains_key(&slot) {
            Arc::make_mut(&mut self.options).remove(&slot);
        }
        let (chunk, _) = split(slot);
        if chunk + 1 < self.chunks.len() {
            self.release(chunk);
        }
    }

    /// Empties a chunk that has no child left. Not called for the last one while it has room, since its length numbers the next slot.
    fn release(&mut self, at: usize) {
        let start = (at * CHUNK) as u32;
        if self.live.range_cardinality(start..start + CHUNK as u32) == 0 {
            self.chunks[at] = Arc::new(Chunk { uids: Vec::new(), names: Vec::new(), created: Vec::new(), tags: Vec::new() });
        }
    }

    /// Replaces one tag value of a child.
    pub fn set_tag(&mut self, slot: u32, position: usize, value: &Value) {
        let (chunk, at) = split(slot);
        if let Some(column) = self.chunks.get_mut(chunk).and_then(|chunk| Arc::make_mut(chunk).tags.get_mut(position)) {
            column.set(at, value);
        }
        self.generation += 1;
    }

    /// Replaces COMMENT and TTL of a child.
    pub fn set_options(&mut self, slot: u32, options: TableOptions) {
        Arc::make_mut(&mut self.options).insert(slot, Arc::new(options));
    }

    /// A tag more, NULL in every child.
    pub fn add_tag(&mut self, data_type: DataType) {
        for chunk in &mut self.chunks {
            let chunk = Arc::make_mut(chunk);
            chunk.tags.push(TagColumn::nulls(data_type, chunk.uids.len()));
        }
    }

    /// A tag less.
    pub fn drop_tag(&mut self, position: usize) {
        for chunk in &mut self.chunks {
            let chunk = Arc::make_mut(chunk);
            if position < chunk.tags.len() {
                chunk.tags.remove(position);
            }
        }
        self.generation += 1;
    }
}

fn split(slot: u32) -> (usize, usize) {
    (slot as usize / CHUNK, slot as usize % CHUNK)
}

/// A supertable's children and schema at one moment.
#[derive(Clone, Debug)]
pub struct Children {
    set: Arc<ChildSet>,
    schema: Arc<Schema>,
    supertable: Uid,
    namespace: Arc<Namespace>,
    postings: Arc<PostingCache>,
    precision: Precision,
}

impl Children {
    pub(crate) fn new(
        set: Arc<ChildSet>,
        schema: Arc<Schema>,
        supertable: Uid,
        namespace: Arc<Namespace>,
        postings: Arc<PostingCache>,
        precision: Precision,
    ) -> Self {
        Self { set, schema, supertable, namespace, postings, precision }
    }

    /// The schema whose tags [`tag_array`](Self::tag_array) counts.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// Every child, in order of creation.
    pub fn slots(&self) -> &RoaringBitmap {
        &self.set.live
    }

    /// The same without children that are not in `slots`.
    #[must_use]
    pub fn restricted(&self, slots: &RoaringBitmap) -> Self {
        let mut set = (*self.set).clone();
        set.live &= slots;
        Self { set: Arc::new(set), ..self.clone() }
    }

    /// How many children.
    pub fn len(&self) -> u64 {
        self.set.live.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.set.live.is_empty()
    }

    /// A child's uid; 0 for a slot that is not in [`slots`](Self::slots).
    pub fn uid(&self, slot: u32) -> Uid {
        self.chunk(slot).and_then(|(chunk, at)| chunk.uids.get(at).copied()).unwrap_or(0)
    }

    /// The slot of a child by uid, which ascend with the slots.
    pub(crate) fn slot_of_uid(&self, uid: Uid) -> Option<u32> {
        let (mut low, mut high) = (0, u32::try_from(self.set.live.len()).ok()?);
        while low < high {
            let middle = low + (high - low) / 2;
            let slot = self.set.live.select(middle)?;
            match self.uid(slot).cmp(&uid) {
                std::cmp::Ordering::Equal => return Some(slot),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// Whether the slot is still that table's: neither slots nor uids are given again.
    pub fn holds(&self, slot: u32, uid: Uid) -> bool {
        self.uid(slot) == uid && self.set.live.contains(slot)
    }

    /// A child's name; empty for a slot that is not in [`slots`](Self::slots).
    pub fn name(&self, slot: u32) -> Arc<str> {
        self.chunk(slot).and_then(|(chunk, at)| chunk.names.get(at).cloned()).unwrap_or_else(|| "".into())
    }

    /// When a child was created, milliseconds since 1970.
    pub fn created(&self, slot: u32) -> i64 {
        self.chunk(slot).and_then(|(chunk, at)| chunk.created.get(at).copied()).unwrap_or(0)
    }

    /// COMMENT and TTL of a child.
    pub fn options(&self, slot: u32) -> Arc<TableOptions> {
        self.set.options.get(&slot).cloned().unwrap_or_default()
    }

    /// Children that have a TTL, with it in days.
    pub(crate) fn with_ttl(&self) -> impl Iterator<Item = (u32, u32)> {
        self.set.options.iter().map(|(slot, options)| (*slot, options.ttl)).filter(|(_, ttl)| *ttl > 0)
    }

    /// The slot of a child by name.
    pub fn slot_of(&self, name: &str) -> Option<u32> {
        self.namespace.child(name).filter(|(supertable, slot)| *supertable == self.supertable && self.set.live.contains(*slot)).map(|(_, slot)| slot)
    }

    /// One tag of one child; `position` counts the schema's tags.
    pub fn tag_value(&self, position: usize, slot: u32) -> Value {
        let Some(tag) = self.schema.tags.get(position) else { return Value::Null };
        self.chunk(slot).and_then(|(chunk, at)| chunk.tags.get(position).map(|column| column.value(at, tag.data_type))).unwrap_or(Value::Null)
    }

    /// One tag of the given children as an array of `types::arrow::arrow_type`, in the order of `slots`, which must be
    /// out of [`slots`](Self::slots); an empty array where the schema has no such tag.
    pub fn tag_array(&self, position: usize, slots: &[u32]) -> ArrayRef {
        let data_type = self.schema.tags.get(position).map_or(DataType::Null, |tag| tag.data_type);
        let cells = slots.iter().filter_map(|slot| {
            let (chunk, at) = self.chunk(*slot)?;
            Some((chunk.tags.get(position)?, at))
        });
        gather(data_type, self.precision, slots.len(), cells)
    }

    /// The children whose tag equals `value`, which must be of the tag's type (text lengths aside); NULL equals nothing.
    pub fn tag_equals(&self, position: usize, value: &Value) -> RoaringBitmap {
        let (Some(tag), false) = (self.schema.tags.get(position), value.is_null()) else { return RoaringBitmap::new() };
        let found = self.postings.find(tag.id, self.set.generation, value, self.slot_end(), |slot| self.tag_value(position, slot));
        found & &self.set.live
    }

    /// One more than the highest slot ever given.
    fn slot_end(&self) -> u32 {
        self.set.live.max().map_or(0, |slot| slot + 1)
    }

    fn chunk(&self, slot: u32) -> Option<(&Chunk, usize)> {
        let (chunk, at) = split(slot);
        self.set.chunks.get(chunk).map(|chunk| (&**chunk, at))
    }
}
