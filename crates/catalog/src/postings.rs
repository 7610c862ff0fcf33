//! Which children hold a tag value: roaring bitmaps per value, built at the first question about a tag and extended as
//! children are added. A bitmap may name children dropped since; whoever asks intersects it with the living.

use std::sync::Arc;

use embudo_storage::ColumnId;
use embudo_types::Value;
use parking_lot::Mutex;
use roaring::RoaringBitmap;
use rustc_hash::FxHashMap;

/// Postings of one supertable's tags.
#[derive(Debug, Default)]
pub(crate) struct PostingCache {
    tags: Mutex<FxHashMap<ColumnId, Arc<Mutex<Postings>>>>,
}

#[derive(Debug, Default)]
struct Postings {
    /// The generation of tag values that this describes.
    generation: u64,
    /// Slots below this are in.
    covered: u32,
    by_value: FxHashMap<Box<[u8]>, RoaringBitmap>,
}

impl PostingCache {
    /// Children below `end` whose tag is `value` as of `generation`; `tag` reads a child's value.
    pub fn find(&self, id: ColumnId, generation: u64, value: &Value, end: u32, tag: impl Fn(u32) -> Value) -> RoaringBitmap {
        let postings = self.tags.lock().entry(id).or_default().clone();
        let mut postings = postings.lock();
        if postings.generation > generation {
            // An older view than the newest that asked: read its own values.
            return (0..end).filter(|slot| tag(*slot) == *value).collect();
        }
        if postings.generation < generation {
            *postings = Postings { generation, ..Postings::default() };
        }
        let mut key = Vec::new();
        for slot in postings.covered..end {
            if write_key(&tag(slot), &mut key) {
                match postings.by_value.get_mut(key.as_slice()) {
                    Some(bitmap) => {
                        bitmap.insert(slot);
                    }
                    None => {
                        postings.by_value.insert(key.as_slice().into(), RoaringBitmap::from_iter([slot]));
                    }
                }
            }
        }
        postings.covered = postings.covered.max(end);
        if write_key(value, &mut key) { postings.by_value.get(key.as_slice()).cloned().unwrap_or_default() } else { RoaringBitmap::new() }
    }

    /// Forgets a dropped tag.
    pub fn forget(&self, id: ColumnId) {
        self.tags.lock().remove(&id);
    }
}

/// Writes the bytes that equal values share; false for NULL, which equals nothing.
fn write_key(value: &Value, key: &mut Vec<u8>) -> bool {
    key.clear();
    match value {
        Value::Null => return false,
        Value::Bool(v) => key.push(u8::from(*v)),
        Value::TinyInt(v) => key.extend(v.to_le_bytes()),
        Value::SmallInt(v) => key.extend(v.to_le_bytes()),
        Value::Int(v) => key.extend(v.to_le_bytes()),
        Value::BigInt(v) | Value::Timestamp(v) => key.extend(v.to_le_bytes()),
        Value::UTinyInt(v) => key.push(*v),
        Value::USmallInt(v) => key.extend(v.to_le_bytes()),
        Value::UInt(v) => key.extend(v.to_le_bytes()),
        Value::UBigInt(v) => key.extend(v.to_le_bytes()),
        // Both zeros are equal.
        Value::Float(v) => key.extend((if *v == 0.0 { 0.0 } else { *v }).to_le_bytes()),
        Value::Double(v) => key.extend((if *v == 0.0 { 0.0 } else { *v }).to_le_bytes()),
        Value::Varchar(v) | Value::VarBinary(v) | Value::Geometry(v) | Value::Blob(v) => key.extend(v),
        Value::NChar(v) | Value::Json(v) => key.extend(v.as_bytes()),
        Value::Decimal(v, ..) => key.extend(v.to_le_bytes()),
    }
    true
}
