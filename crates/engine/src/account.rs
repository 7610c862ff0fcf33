//! What a session's user may do. Every statement takes its user as the catalogue has it when it starts, so that GRANT, REVOKE and ENABLE hold
//! from the next statement on; each path asks here before it reads or writes, and lists leave out what the user has no right on.
//!
//! Rights on `database.*` cover its tables, not its views. READ lets query, WRITE lets write rows, make, drop and change tables, ALTER
//! lets change tables and views; ALL of them on `database.*` lets change and drop the database. Whoever makes a database has them.

use std::sync::Arc;

use embudo_catalog::{Catalog, Database, RightSet, Rights, Supertable, Table, User, View};
use embudo_query::{Access, QueryContext, Reach, child_in_reach, tags_in_reach};
use embudo_sql::ast::expr::Expr;
use embudo_types::{Error, Result, Value, code};

use crate::system_tables::is_system_database;

/// A user with what was granted to it.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    catalog: Arc<Catalog>,
    user: Arc<User>,
    rights: Arc<Rights>,
}

/// 0x2644: whether there is such a thing stays open.
pub(crate) fn denied() -> Error {
    Error::new(code::PERMISSION_DENIED_OR_TARGET_OBJECT_NOT)
}

/// 0x0303: statements on users, databases and nodes.
fn insufficient() -> Error {
    Error::new(code::INSUFFICIENT_PRIVILEGE_FOR_OPERATION)
}

impl Account {
    /// A user that may run statements: 0x0351 where there is none of that name, 0x0315 where it is disabled.
    pub fn of(catalog: &Arc<Catalog>, name: &str) -> Result<Self> {
        let (user, rights) = catalog.account(name)?;
        Ok(Self { catalog: catalog.clone(), user, rights })
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.user.name
    }

    /// Whether system tables marked so stay hidden.
    pub fn is_without_sysinfo(&self) -> bool {
        self.user.sysinfo == 0
    }

    /// Whether this is root.
    pub fn is_superuser(&self) -> bool {
        self.user.superuser
    }

    /// Only root: 0x0303.
    pub fn require_superuser(&self) -> Result<()> {
        if self.user.superuser { Ok(()) } else { Err(insufficient()) }
    }

    /// CREATE DATABASE: 0x0303.
    pub fn require_create_database(&self) -> Result<()> {
        if self.user.superuser || self.rights.create_databases { Ok(()) } else { Err(insufficient()) }
    }

    /// ALTER DATABASE, DROP DATABASE: every right on it, 0x0303.
    pub fn require_owner(&self, database: &str) -> Result<()> {
        if self.has(database, RightSet::ALL) { Ok(()) } else { Err(insufficient()) }
    }

    /// A right on a whole database: 0x2644.
    pub fn require_database(&self, database: &str, right: RightSet) -> Result<()> {
        if self.has(database, right) { Ok(()) } else { Err(denied()) }
    }

    fn has(&self, database: &str, right: RightSet) -> bool {
        self.user.superuser || self.rights.in_database(database).contains(right)
    }

    /// Whether lists show a database.
    pub fn sees_database(&self, name: &str) -> bool {
        self.user.superuser || is_system_database(name) || self.rights.touches(name)
    }

    /// Whether lists show a table, be it for a right on its supertable.
    pub fn sees_table(&self, database: &str, name: &str, supertable: Option<&str>) -> bool {
        let by_name = |name: &str| self.rights.on_table(database, name).next().is_some();
        self.user.superuser || is_system_database(database) || !self.rights.in_database(database).is_empty() || by_name(name) || supertable.is_some_and(by_name)
    }

    /// The rows of a table on which the user has one of the rights: 0x2644 where there are none.
    pub fn reach(&self, rights: RightSet, database: &Database, table: &Table) -> Result<Reach> {
        if self.user.superuser || self.rights.in_database(&database.name).intersects(rights) {
            return Ok(Reach::Everything);
        }
        let supertable = if let Table::Child(child) = table { Some(&child.supertable.name) } else { None };
        let mut conditions: Vec<Expr> = Vec::new();
        for name in [Some(table.name()), supertable].into_iter().flatten() {
            for (condition, granted) in self.rights.on_table(&database.name, name) {
                match condition {
                    _ if !granted.intersects(rights) => {}
                    None => return Ok(Reach::Everything),
                    Some(condition) => conditions.push(embudo_sql::parse_expression(condition)?),
                }
            }
        }
        if conditions.is_empty() { Err(denied()) } else { Ok(Reach::Children(conditions)) }
    }

    /// One of the rights on a table, for a child also by the condition on its tags: 0x2644.
    pub fn require_table(&self, rights: RightSet, database: &Database, table: &Table, context: impl FnOnce() -> Arc<QueryContext>) -> Result<()> {
        match (self.reach(rights, database, table)?, table) {
            (Reach::Everything, _) => Ok(()),
            (Reach::Children(conditions), Table::Child(child)) => {
                let children = child.supertable.children();
                if child_in_reach(&conditions, &children, child.slot, database.precision(), &context())? { Ok(()) } else { Err(denied()) }
            }
            // A right on some children is none on the supertable itself.
            (Reach::Children(_), _) => Err(denied()),
        }
    }

    /// WRITE for a child that is about to be made: 0x2644.
    pub fn require_new_child(
        &self,
        database: &Database,
        supertable: &Arc<Supertable>,
        name: &str,
        tags: &[Value],
        context: impl FnOnce() -> Arc<QueryContext>,
    ) -> Result<()> {
        match self.reach(RightSet::WRITE, database, &Table::Super(supertable.clone()))? {
            Reach::Everything => Ok(()),
            Reach::Children(conditions) => {
                let allowed = tags_in_reach(&conditions, &supertable.children(), name, tags, database.precision(), &context())?;
                if allowed { Ok(()) } else { Err(denied()) }
            }
        }
    }

    /// One of the rights on a view, which whoever made it has: 0x2644.
    pub fn require_view(&self, rights: RightSet, database: &Database, view: &View) -> Result<()> {
        let is_granted = || self.rights.on_table(&database.name, &view.name).any(|(_, granted)| granted.intersects(rights));
        if self.user.superuser || view.effective_user == self.user.name || is_granted() { Ok(()) } else { Err(denied()) }
    }

    /// SUBSCRIBE on a topic: 0x2644. `owner` made the topic and needs no grant.
    pub fn require_topic(&self, topic: &str, owner: &str) -> Result<()> {
        if self.user.superuser || self.user.name == owner || self.rights.subscribes(topic) { Ok(()) } else { Err(denied()) }
    }
}

impl Access for Account {
    fn database(&self, name: &str) -> Result<()> {
        if self.sees_database(name) { Ok(()) } else { Err(denied()) }
    }

    fn table(&self, database: &Database, table: &Table) -> Result<Reach> {
        self.reach(RightSet::READ, database, table)
    }

    fn view(&self, database: &Database, view: &View) -> Result<Arc<dyn Access>> {
        self.require_view(RightSet::READ, database, view)?;
        if self.user.superuser {
            return Ok(Arc::new(self.clone()));
        }
        Self::of(&self.catalog, &view.effective_user).map(|account| Arc::new(account) as Arc<dyn Access>).map_err(|_| denied())
    }

    fn user(&self) -> &str {
        &self.user.name
    }
}
