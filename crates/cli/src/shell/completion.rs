//! What could come next: keywords, and the names of databases, tables and columns, asked of the database when they are needed and kept
//! until a statement may have changed them.

use std::{cell::RefCell, collections::HashMap, sync::Arc};

use embudo_client::Driver;
use embudo_types::{Result, Zone};

use crate::cell::Column;

/// Most candidates that are offered.
const MOST: usize = 200;

const KEYWORDS: &[&str] = &[
    "ALTER",
    "AND",
    "AS",
    "ASC",
    "AVG",
    "BETWEEN",
    "BIGINT",
    "BINARY",
    "BOOL",
    "BY",
    "CASE",
    "CAST",
    "CHILDREN",
    "COLUMN",
    "COMPACT",
    "COUNT",
    "COUNT_WINDOW",
    "CREATE",
    "DATABASE",
    "DATABASES",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DOUBLE",
    "DROP",
    "DURATION",
    "ELAPSED",
    "ELSE",
    "END",
    "EVENT_WINDOW",
    "EXISTS",
    "EXPLAIN",
    "FILL",
    "FIRST",
    "FLOAT",
    "FLUSH",
    "FROM",
    "FUNCTIONS",
    "GEOMETRY",
    "GRANTS",
    "GROUP",
    "HAVING",
    "IN",
    "INSERT",
    "INT",
    "INTERP",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "JSON",
    "KEEP",
    "LAST",
    "LAST_ROW",
    "LIKE",
    "LIMIT",
    "LINEAR",
    "MATCH",
    "MAX",
    "MIN",
    "NCHAR",
    "NEXT",
    "NMATCH",
    "NOT",
    "NOW",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "PARTITION",
    "PASS",
    "PRECISION",
    "PREV",
    "RANGE",
    "SELECT",
    "SERVER_VERSION",
    "SESSION",
    "SET",
    "SHOW",
    "SLIDING",
    "SLIMIT",
    "SMALLINT",
    "SOFFSET",
    "SPREAD",
    "STABLE",
    "STABLES",
    "STATE_WINDOW",
    "STDDEV",
    "STREAM",
    "STREAMS",
    "SUM",
    "TABLE",
    "TABLES",
    "TAG",
    "TAGS",
    "TBNAME",
    "TIMESTAMP",
    "TINYINT",
    "TODAY",
    "TOPIC",
    "TOPICS",
    "TWA",
    "UNION",
    "UNSIGNED",
    "USE",
    "USER",
    "USERS",
    "USING",
    "VALUES",
    "VARBINARY",
    "VARCHAR",
    "VGROUPS",
    "WHEN",
    "WHERE",
    "_WDURATION",
    "_WEND",
    "_WSTART",
];

/// Names that were asked for.
pub struct Completion {
    driver: Arc<dyn Driver>,
    names: RefCell<HashMap<String, Vec<String>>>,
}

impl Completion {
    /// Completion over a session.
    pub fn new(driver: Arc<dyn Driver>) -> Self {
        Self { driver, names: RefCell::default() }
    }

    /// Names are asked for anew.
    pub fn forget(&self) {
        self.names.borrow_mut().clear();
    }

    /// Where the word at the cursor starts, and what it could become.
    pub fn candidates(&self, text: &str, cursor: usize) -> (usize, Vec<String>) {
        let before = &text[..cursor];
        let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
        let start = before.rfind(|letter| !is_part(letter)).map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
        let word = &before[start..];
        let qualifier = before[..start].strip_suffix('.').map(last_word);
        let mut found = if let Some(database) = qualifier { self.tables(Some(database)) } else { self.names_in(text, word) };
        if qualifier.is_none() && !word.is_empty() {
            let lower = word.chars().next().is_some_and(char::is_lowercase);
            found.extend(KEYWORDS.iter().map(|keyword| if lower { keyword.to_ascii_lowercase() } else { (*keyword).to_owned() }));
        }
        found.retain(|name| name.len() >= word.len() && name.is_char_boundary(word.len()) && name[..word.len()].eq_ignore_ascii_case(word));
        found.sort_unstable();
        found.dedup();
        found.truncate(MOST);
        (start, found)
    }

    /// Databases, tables, and the columns of tables that the statement names; `word` is still being typed.
    fn names_in(&self, text: &str, word: &str) -> Vec<String> {
        let tables = self.tables(None);
        let mut names = self.databases();
        for table in words(text).filter(|table| *table != word) {
            if tables.iter().any(|name| name.eq_ignore_ascii_case(table)) {
                names.extend(self.columns(table));
            }
        }
        names.extend(tables);
        names
    }

    fn databases(&self) -> Vec<String> {
        self.ask("SHOW DATABASES")
    }

    fn tables(&self, database: Option<&str>) -> Vec<String> {
        let scope = database.map_or(String::new(), |database| format!("{database}."));
        let mut names = self.ask(&format!("SHOW {scope}STABLES"));
        names.extend(self.ask(&format!("SHOW {scope}TABLES")));
        names
    }

    fn columns(&self, table: &str) -> Vec<String> {
        self.ask(&format!("DESCRIBE {table}"))
    }

    /// The first column of a statement's result; none where it fails, for instance without a database.
    fn ask(&self, sql: &str) -> Vec<String> {
        if let Some(names) = self.names.borrow().get(sql) {
            return names.clone();
        }
        let names = first_column(&*self.driver, sql).unwrap_or_default();
        self.names.borrow_mut().insert(sql.to_owned(), names.clone());
        names
    }
}

/// The texts of a result's first column, not more than could be offered from many.
fn first_column(driver: &dyn Driver, sql: &str) -> Result<Vec<String>> {
    const MOST_NAMES: usize = 10_000;
    let result = driver.execute(sql, &[])?;
    let Some(field) = result.schema.fields().first() else { return Ok(Vec::new()) };
    let column = Column::new(field, &Zone::utc())?;
    let mut names = Vec::new();
    let embudo_types::Outcome::Rows(batches) = result.outcome else { return Ok(names) };
    for batch in batches {
        let batch = batch?;
        let Some(array) = batch.columns().first() else { break };
        names.extend((0..batch.num_rows()).filter_map(|row| column.text(array, row)));
        if names.len() >= MOST_NAMES {
            break;
        }
    }
    Ok(names)
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !(letter.is_alphanumeric() || letter == '_')).filter(|word| !word.is_empty())
}

fn last_word(text: &str) -> &str {
    words(text).last().unwrap_or("")
}

#[cfg(test)]
mod tests {
    use arrow_array::{BinaryArray, RecordBatch};
    use arrow_schema::Schema;
    use embudo_client::{Request, Transport};
    use embudo_types::{DataType, Error, Precision, ResultSet, arrow::field, code};

    use super::*;

    /// Answers the questions that completion asks.
    struct Names;

    impl Driver for Names {
        fn run(&self, request: &Request<'_>) -> Result<ResultSet> {
            let names: &[&str] = match request.sql {
                "SHOW DATABASES" => &["power", "plant"],
                "SHOW STABLES" | "SHOW power.STABLES" => &["meters"],
                "SHOW TABLES" => &["d1001"],
                "DESCRIBE meters" => &["ts", "current", "voltage"],
                _ => return Err(Error::new(code::DATABASE_NOT_EXIST)),
            };
            let field = field("name", DataType::Varchar(64), Precision::Milli);
            let array = BinaryArray::from_iter_values(names);
            Ok(ResultSet::batch(RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(array)]).unwrap()))
        }

        fn transport(&self) -> Transport {
            Transport::Embedded
        }

        fn interrupt(&self) {}

        fn close(&self) -> Result<()> {
            Ok(())
        }
    }

    #[test]
    fn keywords_names_and_columns() {
        let completion = Completion::new(Arc::new(Names));
        let complete = |text: &str| completion.candidates(text, text.len());
        assert_eq!(complete("sel"), (0, vec!["select".to_owned()]));
        assert_eq!(complete("SEL"), (0, vec!["SELECT".to_owned()]));
        assert_eq!(complete("use p"), (4, vec!["partition".into(), "pass".into(), "plant".into(), "power".into(), "precision".into(), "prev".into()]));
        assert_eq!(complete("select * from power.m"), (20, vec!["meters".to_owned()]));
        assert_eq!(
            complete("select * from d"),
            (
                14,
                vec![
                    "d1001".into(),
                    "database".into(),
                    "databases".into(),
                    "delete".into(),
                    "desc".into(),
                    "describe".into(),
                    "distinct".into(),
                    "double".into(),
                    "drop".into(),
                    "duration".into()
                ]
            )
        );
        let text = "select vol from meters";
        assert_eq!(completion.candidates(text, 10), (7, vec!["voltage".to_owned()]));
        assert_eq!(complete("select '中文").0, 8);
        completion.forget();
    }
}
