//! `information_schema` and `performance_schema`: tables whose rows are made when a query asks.

mod columns;
mod nodes;
mod tables;
mod variables;

use std::sync::Arc;

use arrow_array::RecordBatch;
use embudo_query::SystemTables;
use embudo_types::{Result, Value};

pub(crate) use columns::{INFORMATION, PERFORMANCE, SystemTable, find};
pub(crate) use nodes::ENDPOINT;
pub(crate) use tables::tag_text;
pub(crate) use variables::{Variable, variables};

use crate::Engine;
use crate::account::{Account, denied};
use crate::row_set::RowSet;
use crate::subscription;

/// Whether a database is one of the two that only show.
pub(crate) fn is_system_database(name: &str) -> bool {
    name == INFORMATION || name == PERFORMANCE
}

/// The system tables as a user sees them.
#[derive(Debug)]
pub(crate) struct SystemView {
    engine: Arc<Engine>,
    account: Account,
}

impl SystemView {
    pub fn new(engine: Arc<Engine>, account: Account) -> Self {
        Self { engine, account }
    }

    /// All rows of a table: 0x2644 where the user may not see it.
    pub fn rows(&self, table: &SystemTable) -> Result<RowSet> {
        let is_restricted = self.account.is_without_sysinfo();
        if table.hidden && is_restricted {
            return Err(denied());
        }
        let mut rows = RowSet::new(table.columns);
        self.fill(table.name, &mut |row| {
            if self.account.is_superuser() || self.may_see(table, &row) {
                rows.push(row);
            }
        });
        if is_restricted {
            rows.remove_columns(table.hidden_columns());
        }
        rows.remove_columns(self.later_columns(table));
        Ok(rows)
    }

    /// Columns of later versions that nothing is in: `totp` of `ins_users`, while nobody has a second factor.
    pub fn later_columns(&self, table: &SystemTable) -> &'static [&'static str] {
        let is_empty = table.name == "ins_users" && self.engine.catalog().users().iter().all(|user| user.totp.is_none());
        if is_empty { &["totp"] } else { &[] }
    }

    /// Whether the user has a right on what a row is about.
    fn may_see(&self, table: &SystemTable, row: &[Value]) -> bool {
        let cell = |name: &str| {
            let at = table.columns.iter().position(|(column, _)| *column == name)?;
            if let Value::Varchar(bytes) = row.get(at)? { std::str::from_utf8(bytes).ok() } else { None }
        };
        match table.name {
            "ins_databases" => cell("name").is_none_or(|name| self.account.sees_database(name)),
            "ins_user_privileges" => cell("user_name") == Some(self.account.name()),
            "perf_queries" | "perf_connections" | "ins_tokens" => cell("user") == Some(self.account.name()),
            // Their own lists need no right.
            "ins_streams" => cell("source_db").is_none_or(|name| self.account.sees_database(name)),
            "ins_views" | "ins_topics" => cell("db_name").is_none_or(|name| self.account.sees_database(name)),
            _ => cell("db_name").is_none_or(|database| {
                let name = cell("table_name").or_else(|| cell("stable_name"));
                name.map_or_else(|| self.account.sees_database(database), |name| self.account.sees_table(database, name, cell("stable_name")))
            }),
        }
    }

    /// Makes the rows of a table; those of what Embudo does not have stay empty.
    fn fill(&self, name: &str, push: &mut dyn FnMut(Vec<Value>)) {
        let engine = &*self.engine;
        match name {
            "ins_databases" => tables::databases(engine, push),
            "ins_indexes" => tables::indexes(engine, push),
            "ins_stables" => tables::supertables(engine, push),
            "ins_tables" => tables::tables(engine, push),
            "ins_tags" => tables::tags(engine, push),
            "ins_columns" => tables::columns(engine, push),
            "ins_tsmas" => tables::tsmas(engine, push),
            "ins_views" => tables::views(engine, push),
            "ins_topics" => subscription::topics(engine, push),
            "ins_subscriptions" => subscription::subscriptions(engine, push),
            "perf_consumers" => subscription::consumers(engine, push),
            "ins_streams" => crate::streams::ddl::rows(engine, push),
            "ins_users" => nodes::users(engine, push),
            "ins_tokens" => nodes::tokens(engine, push),
            "ins_user_privileges" => nodes::privileges(engine, push),
            "ins_dnodes" => nodes::dnodes(engine, push),
            "ins_mnodes" => nodes::mnodes(engine, push),
            "ins_cluster" => nodes::cluster(engine, push),
            "ins_grants" => nodes::grants(push),
            "ins_vgroups" => nodes::vgroups(engine, push),
            "ins_vnodes" => nodes::vnodes(engine, push),
            "ins_configs" => variables::configs(push),
            "ins_dnode_variables" => variables::dnode_variables(push),
            "perf_connections" => nodes::connections(engine, push),
            "perf_queries" => nodes::queries(engine, push),
            "perf_apps" => nodes::apps(engine, push),
            _ => {}
        }
    }
}

impl SystemTables for SystemView {
    fn table(&self, database: &str, name: &str) -> Result<Option<RecordBatch>> {
        find(database, name).map(|table| self.rows(table)?.batch()).transpose()
    }
}
