//! What tests of operators share.

use std::path::Path;
use std::sync::Arc;

use embudo_catalog::{Catalog, CatalogOptions};
use embudo_storage::vfs::MemoryVfs;
use embudo_storage::{Scheduler, SystemClock};
use embudo_types::Zone;

use crate::{CancelToken, MemoryBudget, QueryContext};

/// A context without databases, in which operators may hold so many bytes and have a place on disk for the rest.
pub(crate) fn context(bytes: u64) -> Arc<QueryContext> {
    let (vfs, scheduler) = (Arc::new(MemoryVfs::new()), Scheduler::new(1));
    let options = CatalogOptions {
        vfs: vfs.clone(),
        clock: Arc::new(SystemClock::new()),
        scheduler: Arc::clone(&scheduler),
        directory: Path::new("/memory").into(),
        in_memory: true,
        read_only: false,
        memory_limit: 64 << 20,
    };
    Arc::new(QueryContext {
        catalog: Catalog::open(options).unwrap(),
        system: Arc::new(()),
        database: None,
        zone: Zone::utc(),
        now: 0,
        access: Arc::new(()),
        view_depth: 0,
        parameters: Arc::from([]),
        memory: Arc::new(MemoryBudget::new(bytes).spilling_to(vfs, "/spill".into())),
        cancel: CancelToken::new(),
        analysis: None,
        scheduler,
    })
}
