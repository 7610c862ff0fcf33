//! Where tables lie: which vgroup has the rows of which.

use embudo_catalog::Table;
use embudo_types::{Error, Result, code};

use crate::Session;
use crate::account::Account;

impl Session {
    /// The vgroup of each of these tables; of one that does not exist, the vgroup of nothing in particular. 0x0388 where there is no such database.
    pub fn vgroups_of(&self, database: &str, tables: &[String]) -> Result<Vec<i32>> {
        let catalog = self.engine().catalog();
        let account = Account::of(catalog, self.user())?;
        let found = catalog.database(database);
        if !account.sees_database(database) {
            return Err(Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION));
        }
        let database = found?;
        let place = |name: &String| {
            let uid = match database.table(name) {
                Some(Table::Child(child)) => child.uid,
                Some(Table::Normal(table)) => table.uid,
                // A supertable's rows lie everywhere.
                Some(Table::Super(_)) | None => return database.first_vgroup,
            };
            database.first_vgroup + i32::from(database.store().shard_of(uid))
        };
        Ok(tables.iter().map(place).collect())
    }
}
