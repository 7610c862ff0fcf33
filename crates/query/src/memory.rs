//! What queries may hold: one budget for all that run in an engine, from which operators that gather rows reserve before they keep them,
//! and the place on disk where sorts, groups and DISTINCT put what does not fit. A query that asks for more ends with 0x070B; the process goes on.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{Array, ArrayRef};
use embudo_storage::vfs::{OpenMode, Vfs, VfsFile};
use embudo_types::{Error, Result, code};

/// Bytes that queries may hold together.
#[derive(Debug)]
pub struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    spill: Option<Spill>,
}

/// Where rows go that do not fit.
#[derive(Debug)]
struct Spill {
    vfs: Arc<dyn Vfs>,
    directory: PathBuf,
    next: AtomicU64,
}

impl MemoryBudget {
    /// A budget of `limit` bytes without a place on disk.
    pub fn new(limit: u64) -> Self {
        Self { limit, used: AtomicU64::new(0), spill: None }
    }

    /// The same with a directory for files that have no name once they are open.
    #[must_use]
    pub fn spilling_to(self, vfs: Arc<dyn Vfs>, directory: PathBuf) -> Self {
        Self { spill: Some(Spill { vfs, directory, next: AtomicU64::new(0) }), ..self }
    }

    /// No limit.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX)
    }

    /// Bytes that are held now.
    pub fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    /// Bytes that may be held.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    fn take(&self, bytes: u64) -> bool {
        self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |used| used.checked_add(bytes).filter(|used| *used <= self.limit)).is_ok()
    }

    /// A new file for rows that do not fit; `None` where there is no place for one.
    pub(crate) fn spill_file(&self) -> Result<Option<Arc<dyn VfsFile>>> {
        let Some(Spill { vfs, directory, next }) = &self.spill else { return Ok(None) };
        let failed = |error| Error::io(format!("a temporary file in {}", directory.display()), error);
        vfs.create_directories(directory).map_err(failed)?;
        let path = directory.join(format!("rows-{}", next.fetch_add(1, Ordering::Relaxed)));
        let file = vfs.open(&path, OpenMode::Create).map_err(failed)?;
        file.set_length(0).map_err(failed)?;
        // Without a name it goes with whoever has it open, be it by a crash.
        vfs.remove(&path).map_err(failed)?;
        Ok(Some(file))
    }
}

/// What one operator holds of a budget; given back on drop.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<MemoryBudget>,
    bytes: u64,
}

impl Reservation {
    /// Nothing yet.
    pub(crate) fn new(budget: &Arc<MemoryBudget>) -> Self {
        Self { budget: Arc::clone(budget), bytes: 0 }
    }

    /// Holds so many bytes more, for an operator that can do with less: never more than half of what the others leave, so that operators above and
    /// below it find room (all of it where there is no disk to go on on); `false` where that is not there.
    pub(crate) fn try_grow(&mut self, bytes: usize) -> bool {
        let wanted = self.bytes.saturating_add(bytes as u64);
        let others = self.budget.used().saturating_sub(self.bytes);
        let fits = self.budget.spill.is_none() || wanted <= self.budget.limit.saturating_sub(others) / 2;
        fits && self.take(bytes as u64)
    }

    fn take(&mut self, bytes: u64) -> bool {
        let taken = self.budget.take(bytes);
        if taken {
            self.bytes += bytes;
        }
        taken
    }

    /// Gives back all of it.
    pub(crate) fn clear(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.bytes = 0;
    }

    /// Holds so many bytes more: 0x070B where they are not there.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        if self.take(bytes as u64) { Ok(()) } else { Err(self.exhausted()) }
    }

    /// Holds so many bytes in all: 0x070B where they are not there.
    pub(crate) fn resize(&mut self, bytes: usize) -> Result<()> {
        if let Some(more) = (bytes as u64).checked_sub(self.bytes) {
            return self.grow(usize::try_from(more).unwrap_or(usize::MAX));
        }
        self.budget.used.fetch_sub(self.bytes - bytes as u64, Ordering::Relaxed);
        self.bytes = bytes as u64;
        Ok(())
    }

    /// 0x070B with the limit.
    pub(crate) fn exhausted(&self) -> Error {
        let limit = self.budget.limit >> 20;
        Error::with(code::QUERY_BUFFER_LIMIT_HAS_REACHED, format!("Query buffer limit has reached: queries may hold {limit} MiB (see memory limit)"))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.budget.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// Whether an operator ended because the budget has no more room, so that less at a time may do.
pub(crate) fn is_exhausted(error: &Error) -> bool {
    error.code() == code::QUERY_BUFFER_LIMIT_HAS_REACHED
}

/// Bytes that the cells of arrays take.
pub(crate) fn bytes_of(columns: &[ArrayRef]) -> usize {
    columns.iter().map(|column| column.to_data().get_slice_memory_size().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_and_given_back() {
        let budget = Arc::new(MemoryBudget::new(100).spilling_to(Arc::new(embudo_storage::vfs::MemoryVfs::new()), "/spill".into()));
        let mut first = Reservation::new(&budget);
        first.grow(60).unwrap();
        let mut second = Reservation::new(&budget);
        assert!(!second.try_grow(21) && second.try_grow(20));
        second.grow(20).unwrap();
        assert_eq!(second.grow(1).unwrap_err().code(), code::QUERY_BUFFER_LIMIT_HAS_REACHED);
        first.resize(10).unwrap();
        second.resize(90).unwrap();
        assert_eq!(budget.used(), 100);
        drop((first, second));
        assert_eq!(budget.used(), 0);
    }
}
