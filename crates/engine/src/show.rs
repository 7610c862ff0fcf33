//! SHOW: system tables with filters, and the few lists that are not tables (spec/sql.md 7.4).

use arrow_array::{ArrayRef, RecordBatch};
use embudo_catalog::{Database, RightSet, Table};
use embudo_query::Reach;
use embudo_sql::ast::ObjectName;
use embudo_sql::ast::expr::{Expr, PseudoColumn};
use embudo_sql::ast::show::{DatabaseScope, Show, ShowList, TableScope, TagItem};
use embudo_storage::{ScanRequest, TimeRange};
use embudo_types::{DataType, Error, Precision, Result, ResultSet, Value, arrow, code};

use crate::insert::{no_column, no_table};
use crate::row_set::{RowSet, text};
use crate::session::StatementContext;
use crate::system_tables::{INFORMATION, PERFORMANCE, SystemView, Variable, find, is_system_database, variables};
use crate::{show_create, view_ddl};

/// Runs a SHOW.
pub(crate) fn execute(context: &StatementContext<'_>, show: &Show) -> Result<ResultSet> {
    match show {
        Show::Databases(scope) => {
            let mut rows = rows(context, INFORMATION, "ins_databases")?;
            let is_system = |name: &Value| is_text(name, INFORMATION) || is_text(name, PERFORMANCE);
            rows.retain(0, |name| match scope {
                DatabaseScope::All => true,
                DatabaseScope::User => !is_system(name),
                DatabaseScope::System => is_system(name),
            });
            rows.truncate_columns(1);
            rows.finish()
        }
        Show::Supertables { database, like } => names(context, "ins_stables", database.as_deref(), like.as_deref(), |_| true),
        Show::Tables { scope, database, like } => {
            let kind = match scope {
                TableScope::All => None,
                TableScope::Normal => Some("NORMAL_TABLE"),
                TableScope::Child => Some("CHILD_TABLE"),
            };
            names(context, "ins_tables", database.as_deref(), like.as_deref(), |row_kind| kind.is_none_or(|kind| is_text(row_kind, kind)))
        }
        Show::Views { database, like } => {
            let database = checked_database(context, database.as_deref())?.to_owned();
            let mut rows = rows(context, INFORMATION, "ins_views")?;
            rows.retain(1, |name| is_text(name, &database));
            keep_like(&mut rows, 0, like.as_deref());
            rows.finish()
        }
        Show::Vgroups { database } => {
            let database = checked_database(context, database.as_deref())?.to_owned();
            let mut rows = rows(context, INFORMATION, "ins_vgroups")?;
            rows.retain(1, |name| is_text(name, &database));
            rows.finish()
        }
        Show::Tsmas { database } => {
            let database = checked_database(context, database.as_deref())?.to_owned();
            let mut rows = rows(context, INFORMATION, "ins_tsmas")?;
            rows.retain(1, |name| is_text(name, &database));
            rows.finish()
        }
        Show::Alive { database } => {
            checked_database(context, database.as_deref())?;
            status(1)
        }
        Show::Indexes(table) => {
            let database = context.database_of(table)?;
            let mut rows = rows(context, INFORMATION, "ins_indexes")?;
            rows.retain(1, |name| is_text(name, &database.name));
            rows.retain(2, |name| is_text(name, &table.name));
            rows.finish()
        }
        Show::Tags(child) => {
            let database = context.database_of(child)?;
            if database.table(&child.name).is_none() {
                return Err(no_table());
            }
            let mut rows = rows(context, INFORMATION, "ins_tags")?;
            rows.retain(1, |name| is_text(name, &database.name));
            rows.retain(0, |name| is_text(name, &child.name));
            rows.finish()
        }
        Show::TableTags { table, items } => table_tags(context, table, items),
        Show::CreateDatabase(name) => show_create::database(context, name),
        Show::CreateTable(name) => show_create::table(context, name, false),
        Show::CreateSupertable(name) => show_create::table(context, name, true),
        Show::CreateView(name) => view_ddl::show_create(context, name),
        Show::CreateTopic(name) => crate::subscription::ddl::show_create(context, name),
        Show::Variables { like } => settings(like.as_deref(), variables().into_iter().filter(|(.., scope)| *scope != "client")),
        Show::LocalVariables => settings(None, variables().into_iter().filter(|(.., scope)| *scope != "server")),
        Show::DnodeVariables { dnode, like } => {
            let mut rows = rows(context, INFORMATION, "ins_dnode_variables")?;
            rows.retain(0, |id| *id == Value::Int(*dnode as i32));
            keep_like(&mut rows, 1, like.as_deref());
            rows.finish()
        }
        Show::TableDistributed(table) => distribution(context, table),
        Show::Compact(_) => rows(context, INFORMATION, "ins_compact_details")?.finish(),
        Show::Vnodes { dnode } => {
            let mut rows = rows(context, INFORMATION, "ins_vnodes")?;
            rows.retain(0, |id| dnode.is_none_or(|dnode| *id == Value::Int(dnode as i32)));
            rows.finish()
        }
        Show::List(list) => show_list(context, *list),
    }
}

fn rows(context: &StatementContext<'_>, database: &str, name: &str) -> Result<RowSet> {
    let table = find(database, name).ok_or_else(no_table)?;
    SystemView::new(context.engine.clone(), context.account.clone()).rows(table)
}

fn is_text(value: &Value, expected: &str) -> bool {
    matches!(value, Value::Varchar(bytes) if bytes == expected.as_bytes())
}

/// The named or current database, which must be there.
fn checked_database<'a>(context: &'a StatementContext<'_>, written: Option<&'a str>) -> Result<&'a str> {
    let name = context.database_name(written)?;
    if !is_system_database(name) {
        context.engine.catalog().database(name)?;
    }
    Ok(name)
}

/// Names of one database's tables of a kind; the kind is a table's last column.
fn names(context: &StatementContext<'_>, table: &str, database: Option<&str>, like: Option<&str>, is_kind: impl Fn(&Value) -> bool) -> Result<ResultSet> {
    let database = checked_database(context, database)?.to_owned();
    let mut rows = rows(context, INFORMATION, table)?;
    rows.retain(1, |name| is_text(name, &database));
    rows.retain(rows.width() - 1, is_kind);
    keep_like(&mut rows, 0, like);
    rows.truncate_columns(1);
    rows.finish()
}

/// Settings as rows of name, value and scope.
fn settings(like: Option<&str>, settings: impl Iterator<Item = Variable>) -> Result<ResultSet> {
    let mut rows = RowSet::new(&[("name", DataType::Varchar(32)), ("value", DataType::Varchar(64)), ("scope", DataType::Varchar(8))]);
    for (name, value, scope) in settings {
        rows.push(vec![text(name), text(value), text(scope)]);
    }
    keep_like(&mut rows, 0, like);
    rows.finish()
}

fn keep_like(rows: &mut RowSet, column: usize, like: Option<&str>) {
    if let Some(pattern) = like {
        rows.retain(column, |name| matches!(name, Value::Varchar(bytes) if is_like(&String::from_utf8_lossy(bytes), pattern)));
    }
}

/// LIKE: `%` stands for any text, `_` for one character, a backslash takes the meaning away.
fn is_like(text: &str, pattern: &str) -> bool {
    let (text, pattern): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
    let (mut at, mut of) = (0, 0);
    // Where to go on when what follows the last % does not fit.
    let mut retry = None;
    loop {
        let escaped = pattern.get(of) == Some(&'\\') && matches!(pattern.get(of + 1), Some('%' | '_'));
        match pattern.get(of) {
            Some('%') => {
                retry = Some((of + 1, at));
                of += 1;
                continue;
            }
            None if at == text.len() => return true,
            Some('_') if at < text.len() => {
                at += 1;
                of += 1;
                continue;
            }
            Some(_) => {
                let wanted = pattern[of + usize::from(escaped)];
                if text.get(at) == Some(&wanted) {
                    at += 1;
                    of += 1 + usize::from(escaped);
                    continue;
                }
            }
            None => {}
        }
        match retry {
            Some((after, from)) if from < text.len() => {
                retry = Some((after, from + 1));
                of = after;
                at = from + 1;
            }
            _ => return false,
        }
    }
}

fn status(status: i32) -> Result<ResultSet> {
    let mut rows = RowSet::new(&[("status", DataType::Int)]);
    rows.push(vec![Value::Int(status)]);
    rows.finish()
}

fn show_list(context: &StatementContext<'_>, list: ShowList) -> Result<ResultSet> {
    let (database, name, columns) = match list {
        ShowList::Functions => (INFORMATION, "ins_functions", 1),
        ShowList::Streams => (INFORMATION, "ins_streams", 1),
        ShowList::Topics => (INFORMATION, "ins_topics", 1),
        ShowList::Subscriptions => (INFORMATION, "ins_subscriptions", usize::MAX),
        ShowList::Consumers => (PERFORMANCE, "perf_consumers", usize::MAX),
        ShowList::Dnodes => (INFORMATION, "ins_dnodes", usize::MAX),
        ShowList::Mnodes => (INFORMATION, "ins_mnodes", usize::MAX),
        ShowList::Qnodes => (INFORMATION, "ins_qnodes", usize::MAX),
        ShowList::Snodes => (INFORMATION, "ins_snodes", usize::MAX),
        ShowList::Cluster => (INFORMATION, "ins_cluster", usize::MAX),
        ShowList::ClusterMachines => (INFORMATION, "ins_machines", usize::MAX),
        ShowList::ClusterAlive => return status(1),
        ShowList::Users => (INFORMATION, "ins_users", usize::MAX),
        ShowList::UserPrivileges => (INFORMATION, "ins_user_privileges", usize::MAX),
        ShowList::Tokens => (INFORMATION, "ins_tokens", usize::MAX),
        ShowList::Arbgroups => (INFORMATION, "ins_arbgroups", usize::MAX),
        ShowList::Encryptions => (INFORMATION, "ins_encryptions", usize::MAX),
        ShowList::Compacts => (INFORMATION, "ins_compacts", usize::MAX),
        ShowList::Grants | ShowList::Licences => (INFORMATION, "ins_grants", usize::MAX),
        ShowList::GrantsFull => (INFORMATION, "ins_grants_full", usize::MAX),
        ShowList::GrantsLogs => (INFORMATION, "ins_grants_logs", usize::MAX),
        ShowList::Connections => (PERFORMANCE, "perf_connections", usize::MAX),
        ShowList::Queries => (PERFORMANCE, "perf_queries", usize::MAX),
        ShowList::Transactions => (PERFORMANCE, "perf_trans", usize::MAX),
        ShowList::Apps => (PERFORMANCE, "perf_apps", usize::MAX),
        ShowList::Bnodes | ShowList::Scores | ShowList::Accounts => return Err(Error::new(code::THIS_STATEMENT_IS_NO_LONGER_SUPPORTED)),
    };
    let mut rows = rows(context, database, name)?;
    rows.truncate_columns(columns);
    rows.finish()
}

/// SHOW TABLE TAGS: one row a child.
fn table_tags(context: &StatementContext<'_>, name: &ObjectName, items: &[TagItem]) -> Result<ResultSet> {
    let database = context.database_of(name)?;
    let Some(found @ Table::Super(table)) = &database.table(&name.name) else { return Err(no_table()) };
    let mut children = table.children();
    if let Reach::Children(conditions) = context.account.reach(RightSet::READ, &database, found)? {
        let slots = embudo_query::children_in_reach(&conditions, &children, database.precision(), &context.query_context())?;
        children = children.restricted(&slots);
    }
    let schema = children.schema().clone();
    let slots: Vec<u32> = children.slots().iter().collect();
    let precision = database.precision();
    let mut fields = Vec::new();
    let mut arrays: Vec<ArrayRef> = Vec::new();
    let add_name = |alias: Option<&str>, fields: &mut Vec<_>, arrays: &mut Vec<ArrayRef>| {
        let values: Vec<Value> = slots.iter().map(|slot| text(&*children.name(*slot))).collect();
        fields.push(arrow::field(alias.unwrap_or("tbname"), DataType::Varchar(270), precision));
        embudo_expr::array_of_values(&values, DataType::Varchar(270), precision).map(|array| arrays.push(array))
    };
    let add_tag = |position: usize, alias: Option<&str>, fields: &mut Vec<_>, arrays: &mut Vec<ArrayRef>| {
        let tag = &schema.tags[position];
        fields.push(arrow::field(alias.unwrap_or(&tag.name), tag.data_type, precision));
        arrays.push(children.tag_array(position, &slots));
    };
    if items.is_empty() {
        add_name(None, &mut fields, &mut arrays)?;
        (0..schema.tags.len()).for_each(|position| add_tag(position, None, &mut fields, &mut arrays));
    }
    for item in items {
        match &item.expr {
            Expr::Pseudo { column: PseudoColumn::TableName, .. } => add_name(item.alias.as_deref(), &mut fields, &mut arrays)?,
            Expr::Pseudo { column: PseudoColumn::Tags, .. } => {
                (0..schema.tags.len()).for_each(|position| add_tag(position, None, &mut fields, &mut arrays));
            }
            Expr::Column { name, .. } => {
                let position = schema.tag(name).ok_or_else(|| no_column(name))?;
                add_tag(position, item.alias.as_deref(), &mut fields, &mut arrays);
            }
            _ => return Err(Error::new(code::SYNTAX_ERROR_NEAR)),
        }
    }
    let schema = std::sync::Arc::new(arrow_schema::Schema::new(fields));
    RecordBatch::try_new(schema, arrays).map(ResultSet::batch).map_err(|error| Error::internal(format!("making rows: {error}")))
}

/// Bars of the histogram of SHOW TABLE DISTRIBUTED.
const BARS: u64 = 20;

/// SHOW TABLE DISTRIBUTED: blocks of a table's rows, in memory or not, as the merge gives them.
fn distribution(context: &StatementContext<'_>, name: &ObjectName) -> Result<ResultSet> {
    let database = context.database_of(name)?;
    let table = database.table(&name.name).ok_or_else(no_table)?;
    let blocks = block_rows(context, &database, &table)?;
    let tables = match &table {
        Table::Super(table) => table.children().len(),
        Table::Child(_) | Table::Normal(_) => 1,
    };
    let rows: u64 = blocks.iter().sum();
    let width = table.schema().row_length();
    let kilobytes = rows as f64 * width as f64 / 1024.0;
    let average = if blocks.is_empty() { 0.0 } else { kilobytes / blocks.len() as f64 };
    let (least, most) = (blocks.iter().min().copied().unwrap_or(0), blocks.iter().max().copied().unwrap_or(0));
    let figures = database.store().figures();
    let mean = if blocks.is_empty() { 0 } else { rows / blocks.len() as u64 };
    let mut lines = RowSet::new(&[("_block_dist", DataType::Varchar(126))]);
    let mut line = |content: String| lines.push(vec![text(content)]);
    line(format!("Total_Blocks=[{}] Total_Size=[{kilobytes:.2} KiB] Average_size=[{average:.2} KiB] Compression_Ratio=[0.00 %]", blocks.len()));
    line(format!("Block_Rows=[{rows}] MinRows=[{least}] MaxRows=[{most}] AvgRows=[{mean}]"));
    line(format!("Inmem_Rows=[{}] Stt_Rows=[0] ", if rows == 0 { 0 } else { figures.memory_rows.min(rows) }));
    line(format!("Total_Tables=[{tables}] Total_Filesets=[{}] Total_Vgroups=[{}]", figures.files.max(1), database.store().shards()));
    line("-".repeat(80));
    // TDengine's bars go from MINROWS to MAXROWS in equal steps.
    let options = database.options();
    let step = ((options.max_rows - options.min_rows) as u64).div_ceil(BARS).max(1);
    for bar in 0..BARS {
        let low = options.min_rows as u64 + bar * step;
        let count = blocks.iter().filter(|rows| (low..low + step).contains(rows) || (bar == 0 && **rows < low)).count();
        let share = 100 * count / blocks.len().max(1);
        let bars = "|".repeat(share / 2);
        let label = low + step;
        line(if count == 0 { format!("{label:04} |") } else { format!("{label:04} |{bars}  {count} ({share}%)") });
    }
    lines.finish()
}

/// Rows of each block of a table.
fn block_rows(context: &StatementContext<'_>, database: &Database, table: &Table) -> Result<Vec<u64>> {
    let uids: Vec<_> = match table {
        Table::Super(table) => {
            let children = table.children();
            children.slots().iter().map(|slot| children.uid(slot)).collect()
        }
        Table::Child(_) | Table::Normal(_) => vec![table.uid()],
    };
    let key = table.schema().key().map(|column| (column.id, column.data_type));
    let precision: Precision = database.precision();
    let snapshot = database.store().snapshot();
    let mut blocks = Vec::new();
    for uid in uids {
        context.cancel.check()?;
        let request = ScanRequest { uid, key, columns: Vec::new(), range: TimeRange::ALL, descending: false, precision };
        for piece in snapshot.scan(&request)? {
            blocks.push(piece?.rows() as u64);
        }
    }
    Ok(blocks)
}

#[cfg(test)]
mod tests {
    use super::is_like;

    #[test]
    fn like() {
        for (text, pattern, expected) in [
            ("c1", "c%", true),
            ("c1", "c_", true),
            ("c1", "c", false),
            ("abcabd", "%ab_", true),
            ("abcabd", "a%c%d", true),
            ("a_b", "a\\_b", true),
            ("axb", "a\\_b", false),
            ("", "%", true),
            ("", "_", false),
            ("涛思", "_思", true),
        ] {
            assert_eq!(is_like(text, pattern), expected, "{text} like {pattern}");
        }
    }
}
