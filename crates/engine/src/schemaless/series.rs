//! Series: which child of which supertable a measurement with its tags is. The name of a child is a digest of all that, so what was once
//! worked out is kept by the text of the line, over calls.

use std::sync::Arc;

use embudo_types::{Result, Value};
use embudo_wire::schemaless::Point;
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

use super::cells;

/// One series.
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

/// How many bytes of text the cache may hold; beyond, it starts anew.
const MAX_BYTES: usize = 16 << 20;

/// Series by the text that they are written with.
#[derive(Debug, Default)]
pub(crate) struct SeriesCache {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_text: FxHashMap<Box<str>, Arc<Series>>,
    bytes: usize,
}

impl SeriesCache {
    /// The series that a text stands for; `make` works it out where it is not known.
    pub fn get(&self, text: &str, make: impl FnOnce() -> Result<Series>) -> Result<Arc<Series>> {
        if let Some(known) = self.state.lock().by_text.get(text) {
            return Ok(known.clone());
        }
        let series = Arc::new(make()?);
        let mut state = self.state.lock();
        // The text again in pieces, with what each piece costs beside it.
        let bytes = 3 * text.len() + 64 * (series.tags.len() + 3);
        if state.bytes + bytes > MAX_BYTES {
            *state = State::default();
        }
        if state.by_text.insert(text.into(), series.clone()).is_none() {
            state.bytes += bytes;
        }
        Ok(series)
    }
}
