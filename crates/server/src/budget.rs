//! Bytes that clients make the server hold: bodies and messages until they are carried out, replies until they are written. One budget for what comes
//! in and one for what goes out, so that who does not read keeps nobody from writing.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

/// Up to this size nothing is taken of a budget.
pub const FREE: usize = 64 << 10;
/// What a budget is counted in.
const UNIT: usize = 1 << 10;

/// The bytes that may be held together.
#[derive(Clone)]
pub struct Budget {
    units: Arc<Semaphore>,
    total: usize,
    /// How long somebody waits for a share.
    patience: Duration,
}

/// There was no room for as long as somebody could wait.
#[derive(Debug)]
pub struct NoRoom;

impl Budget {
    /// So many bytes, for whose share one may wait so long.
    pub fn new(bytes: usize, patience: Duration) -> Self {
        let total = (bytes / UNIT).clamp(1, (u32::MAX as usize).min(Semaphore::MAX_PERMITS));
        Self { units: Arc::new(Semaphore::new(total)), total, patience }
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        (self.total - self.units.available_permits().min(self.total)) * UNIT
    }

    /// Extends a share to this many bytes; what is more than the whole budget takes all of it.
    pub async fn extend(&self, share: &mut Share, bytes: usize) -> Result<(), NoRoom> {
        let Some(more) = units(bytes).min(self.total).checked_sub(share.units()).filter(|more| *more > 0) else { return Ok(()) };
        let more = Arc::clone(&self.units).acquire_many_owned(u32::try_from(more).unwrap_or(u32::MAX));
        let Ok(Ok(more)) = timeout(self.patience, more).await else { return Err(NoRoom) };
        match &mut share.0 {
            Some(share) => share.merge(more),
            None => share.0 = Some(more),
        }
        Ok(())
    }

    /// A share of this many bytes.
    pub async fn share(&self, bytes: usize) -> Result<Share, NoRoom> {
        let mut share = Share::default();
        self.extend(&mut share, bytes).await.map(|()| share)
    }
}

/// Units that are taken for this many bytes.
fn units(bytes: usize) -> usize {
    bytes.saturating_sub(FREE).div_ceil(UNIT)
}

/// What something takes of a budget, given back when it is dropped.
#[derive(Debug, Default)]
pub struct Share(Option<OwnedSemaphorePermit>);

impl Share {
    fn units(&self) -> usize {
        self.0.as_ref().map_or(0, OwnedSemaphorePermit::num_permits)
    }

    /// Keeps what is needed for this many bytes, and gives the rest.
    pub fn split(&mut self, bytes: usize) -> Self {
        let surplus = self.units().saturating_sub(units(bytes));
        Self(self.0.as_mut().and_then(|share| share.split(surplus)))
    }

    /// Gives back what is not needed for this many bytes.
    pub fn shrink(&mut self, bytes: usize) {
        drop(self.split(bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn shares_are_taken_split_and_given_back() {
        let budget = Budget::new(100 << 10, Duration::ZERO);
        let mut share = budget.share(FREE).await.unwrap();
        assert_eq!(budget.held(), 0, "little is free");
        budget.extend(&mut share, FREE + (60 << 10)).await.unwrap();
        assert_eq!(budget.held(), 60 << 10);
        assert!(budget.share(FREE + (41 << 10)).await.is_err());
        let other = share.split(FREE + (10 << 10));
        assert_eq!(budget.held(), 60 << 10, "split, not given back");
        drop(other);
        assert_eq!(budget.held(), 10 << 10);
        share.shrink(0);
        assert_eq!(budget.held(), 0);
        // What is larger than the budget has it alone.
        let all = budget.share(1 << 30).await.unwrap();
        assert_eq!(budget.held(), 100 << 10);
        assert!(budget.share(FREE + 1).await.is_err());
        drop(all);
        budget.share(FREE + 1).await.unwrap();
    }
}
