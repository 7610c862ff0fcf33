//! TTL: tables that are dropped so many days after they were made (spec/sql.md 3.2).

use std::time::Duration;

use embudo_types::Result;

use crate::{Database, Table};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;
/// How often tables with a TTL are looked through.
const PERIOD: Duration = Duration::from_secs(3_600);

impl Database {
    /// Drops children and normal tables whose TTL has passed, and gives how many.
    pub fn drop_expired(&self) -> Result<usize> {
        if self.tables_with_ttl().is_empty() {
            return Ok(0);
        }
        let mut changing = self.changing();
        let now = changing.now();
        let expired: Vec<Table> =
            self.tables_with_ttl().into_iter().filter(|(_, created, ttl)| created + i64::from(*ttl) * DAY <= now).map(|(table, ..)| table).collect();
        for table in &expired {
            changing.drop_table(table);
        }
        changing.commit(Vec::new())?;
        Ok(expired.len())
    }

    /// Tables that have a TTL, when they were made (milliseconds since 1970), and how many days they stay.
    fn tables_with_ttl(&self) -> Vec<(Table, i64, u32)> {
        let mut tables = Vec::new();
        for table in self.normal_tables() {
            let (created, ttl) = (table.created, table.options().ttl);
            if ttl > 0 {
                tables.push((Table::Normal(table), created, ttl));
            }
        }
        for supertable in self.supertables() {
            let children = supertable.children();
            for (slot, ttl) in children.with_ttl().filter(|(slot, _)| children.slots().contains(*slot)) {
                if let Some(child) = self.table(&children.name(slot)) {
                    tables.push((child, children.created(slot), ttl));
                }
            }
        }
        tables
    }

    /// Of a database that was just opened: drops what expired meanwhile, and looks again later.
    pub(crate) fn start_expiring(&self) {
        if self.tables_with_ttl().is_empty() {
            return;
        }
        if let Err(error) = self.drop_expired() {
            tracing::warn!(database = %self.name, %error, "tables whose TTL has passed could not be dropped");
        }
        self.expire_later();
    }

    /// Sees to it that tables with a TTL are looked through every hour, from now on while there are any.
    pub(crate) fn expire_later(&self) {
        if !self.start_expiry() {
            return;
        }
        let this = self.weak();
        self.scheduler().spawn_after(PERIOD, move || {
            let Some(database) = this.upgrade() else { return };
            database.end_expiry();
            if let Err(error) = database.drop_expired() {
                tracing::warn!(database = %database.name, %error, "tables whose TTL has passed could not be dropped");
            }
            if !database.tables_with_ttl().is_empty() {
                database.expire_later();
            }
        });
    }
}
