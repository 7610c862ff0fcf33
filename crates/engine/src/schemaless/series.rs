//! Series: which child of which supertable a measurement with its tags is. The name of a child is a digest of all that, so the children
//! that texts stand for are kept, over calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use embudo_storage::Uid;
use embudo_types::{Result, Value};
use embudo_wire::schemaless::Point;
use parking_lot::RwLock;
use rustc_hash::FxHashMap;

use super::cells;

/// One series, taken apart.
#[derive(Debug)]
pub(crate) struct Series {
    /// The supertable.
    pub measurement: Arc<str>,
    /// The child.
    pub child: Arc<str>,
    /// Tags by name, in the order written.
    pub tags: Vec<(Box<str>, Value)>,
}

impl Series {
    /// The series of a point; `table_name_key` is the tag that names the child.
    pub fn of(point: &Point<'_>, table_name_key: Option<&str>) -> Result<Self> {
        let name = table_name_key.and_then(|key| point.tags.iter().position(|(tag, _)| tag == key));
        let child = match name.map(|at| cells::owned(&point.tags[at].1)).transpose()? {
            Some(Value::NChar(text)) => text.replace('.', "_"),
            Some(Value::Varchar(bytes)) => String::from_utf8_lossy(&bytes).replace('.', "_"),
            _ => point.child_name(),
        };
        crate::insert::check_table_name(&child)?;
        let mut tags: Vec<(Box<str>, Value)> = Vec::with_capacity(point.tags.len());
        for (at, (key, value)) in point.tags.iter().enumerate() {
            if tags.iter().any(|(earlier, _)| **earlier == **key) {
                return Err(super::points::duplicate());
            }
            if Some(at) != name {
                tags.push((key.as_ref().into(), cells::owned(value)?));
            }
        }
        Ok(Self { measurement: point.measurement.as_ref().into(), child: child.into(), tags })
    }
}

/// A child that a text stands for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KnownChild {
    /// Its supertable.
    pub supertable: Uid,
    /// The supertable's schema that has all of the text's tags.
    pub schema_version: u32,
    /// Its place among the supertable's children.
    pub slot: u32,
    /// Its uid.
    pub uid: Uid,
}

/// Children of one database by text.
pub(crate) type ByText = FxHashMap<Box<str>, KnownChild>;

/// Children by the text that their series is written with, a map a database.
#[derive(Debug)]
pub(crate) struct SeriesCache {
    databases: RwLock<FxHashMap<u32, Arc<RwLock<ByText>>>>,
    bytes: AtomicUsize,
    limit: usize,
}

impl SeriesCache {
    /// A cache of at most so many bytes.
    pub fn new(limit: usize) -> Self {
        Self { databases: RwLock::default(), bytes: AtomicUsize::new(0), limit }
    }

    /// The children of a database.
    pub fn of(&self, database: u32) -> Arc<RwLock<ByText>> {
        if let Some(known) = self.databases.read().get(&database) {
            return known.clone();
        }
        self.databases.write().entry(database).or_default().clone()
    }

    /// Keeps what texts stand for; where that is too much, every other one of all that is known goes.
    pub fn keep(&self, known: &RwLock<ByText>, learned: Vec<(&str, KnownChild)>) {
        if learned.is_empty() {
            return;
        }
        {
            let mut known = known.write();
            for (text, child) in learned {
                let bytes = weight(text);
                if known.insert(text.into(), child).is_none() {
                    self.bytes.fetch_add(bytes, Ordering::Relaxed);
                }
            }
        }
        if self.bytes.load(Ordering::Relaxed) > self.limit {
            let databases: Vec<_> = self.databases.read().values().cloned().collect();
            for known in databases {
                let mut stays = false;
                known.write().retain(|text, _| {
                    stays = !stays;
                    if !stays {
                        self.bytes.fetch_sub(weight(text), Ordering::Relaxed);
                    }
                    stays
                });
            }
        }
    }
}

/// Bytes that an entry takes: its text and a slot of a map that is rarely full.
fn weight(text: &str) -> usize {
    text.len() + 16 + 2 * size_of::<(Box<str>, KnownChild)>()
}
