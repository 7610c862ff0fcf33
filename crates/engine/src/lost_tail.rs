//! What a power loss took from the end of a database's log while the system log still tells of it: that one is synced with every record, a
//! database's as its `WAL_LEVEL` says. Whoever reads the log from a place behind its end would miss the records that come to lie before it.

use embudo_catalog::{Catalog, GroupOffsets};
use embudo_types::Result;

/// Has streams and consumer groups that had come further than the logs go on from their ends. Before anything is appended.
pub(crate) fn settle(catalog: &Catalog) -> Result<()> {
    for stream in catalog.streams() {
        let Ok(database) = catalog.database(&stream.source_database) else { continue };
        let mut progress = catalog.stream_progress(&stream.name);
        if progress.next > database.store().log_range().1 {
            tracing::warn!(stream = %stream.name, "the end of the log is lost: everything is computed again");
            // Before every record: the first that is read lies behind a gap.
            progress.next = 0;
            catalog.save_stream_progress(&stream.name, progress)?;
        }
    }
    for topic in catalog.topics() {
        let Ok(database) = catalog.database(&topic.database) else { continue };
        let next = database.store().log_range().1;
        for (group, offsets) in catalog.offsets().groups(topic.id) {
            let lost: GroupOffsets = offsets.into_iter().filter(|(_, offset)| *offset > next).map(|(shard, _)| (shard, next)).collect();
            if !lost.is_empty() {
                tracing::warn!(topic = %topic.name, %group, "the end of the log is lost: the group goes on from there");
                catalog.offsets().commit(topic.id, &group, lost)?;
            }
        }
    }
    Ok(())
}
