//! Prepared statements for transports that carry only text: the rows become INSERT statements of literals, several tables in each.

use arrow_array::{Array, ArrayRef};
use embudo_types::{DataType, Error, FieldRole, Outcome, Precision, Result, ResultSet, StatementField, Value, Zone, code};

use crate::{
    Driver, Request, ingest, insert_text, literal,
    statement::{BoundColumn, Statement, TableBind, fitted, parameter, tables, wrong_count},
};

/// Bytes of a statement, short of the longest that a server takes.
const LONGEST: usize = 900_000;

/// A statement over a driver of text.
pub struct TextStatement<D> {
    driver: D,
    zone: Zone,
    sql: String,
    insert: Option<Insert>,
    /// The table that was named last.
    table: Option<String>,
    /// Statements that [`Statement::execute`] runs.
    bound: Vec<String>,
}

/// The parts of an INSERT whose only row is all `?`.
struct Insert {
    /// Up to and with INTO.
    head: String,
    /// The table and what follows it up to the row, cut at its `?`.
    clause: Vec<String>,
    /// How many `?` the row has.
    cells: usize,
    /// The table, where it is written, as it is written.
    table: Option<String>,
    /// The supertable of USING, as written.
    supertable: Option<String>,
    /// Names of the columns, or tags and columns, that the `?` of the row stand for; empty for all.
    columns: Vec<String>,
    tag_names: Vec<String>,
    fields: Option<Vec<StatementField>>,
}

impl<D: Driver + 'static> TextStatement<D> {
    /// Reads a statement; nothing is sent.
    pub fn prepare(driver: D, sql: &str, zone: Zone) -> Result<Self> {
        let first = literal::words(sql).first().cloned();
        let is_insert = first.is_some_and(|word| sql[word].eq_ignore_ascii_case("insert"));
        let insert = if is_insert && literal::words(sql).iter().any(|word| sql[word.clone()].eq_ignore_ascii_case("values")) {
            Some(Insert::parse(sql).ok_or_else(|| Error::with(code::NOT_SUPPORTED_STMT_CLAUSE, "an INSERT over this transport has one row, all ?"))?)
        } else {
            None
        };
        Ok(Self { driver, zone, sql: sql.to_owned(), insert, table: None, bound: Vec::new() })
    }

    fn add(&mut self, bind: &TableBind) -> Result<()> {
        let name = bind.name.as_ref().or(self.table.as_ref()).cloned();
        let zone = self.zone.clone();
        let fields = self.known_fields()?;
        let of = |role: FieldRole| fields.iter().filter(move |field| field.role == role);
        let tags = if bind.tags.is_empty() { Vec::new() } else { fitted(of(FieldRole::Tag), bind.tags.clone(), &zone)? };
        if bind.columns.iter().any(|column| column.present.as_ref().is_some_and(|present| present.count_set_bits() < present.len())) {
            return Err(Error::with(code::OPERATION_NOT_SUPPORTED, "a text cannot leave out single cells of a row; connect over WebSocket"));
        }
        let columns = fitted(of(FieldRole::Column), bind.columns.clone(), &zone)?;
        let insert = self.insert.as_ref().ok_or_else(usage)?;
        let mut clause = String::new();
        insert.write_clause(name.as_deref(), &tags, &fields, &mut clause)?;
        let rows = columns.first().map_or(0, |column| column.array.len());
        let order = insert.row_order(&fields);
        let mut statement = self.bound.pop().unwrap_or_default();
        for row in 0..rows {
            let mut cells = String::from("(");
            for (at, (field, place)) in order.iter().enumerate() {
                if at > 0 {
                    cells.push(',');
                }
                match field.role {
                    FieldRole::Table => literal::write_literal(&Value::NChar(name.clone().ok_or_else(no_name)?), &mut cells)?,
                    FieldRole::Tag => cell(field, tags.get(*place).map(|tag| &tag.array), 0, &mut cells)?,
                    FieldRole::Column => cell(field, columns.get(*place).map(|column| &column.array), row, &mut cells)?,
                }
            }
            cells.push(')');
            if !statement.is_empty() && statement.len() + clause.len() + cells.len() > LONGEST {
                self.bound.push(std::mem::take(&mut statement));
            }
            if statement.is_empty() {
                statement.push_str(&insert.head);
                statement.push_str(&clause);
            } else if row == 0 {
                statement.push(' ');
                statement.push_str(clause.trim_start());
            }
            statement.push_str(&cells);
        }
        if !statement.is_empty() {
            self.bound.push(statement);
        }
        Ok(())
    }

    fn known_fields(&mut self) -> Result<Vec<StatementField>> {
        let insert = self.insert.as_mut().ok_or_else(usage)?;
        if let Some(fields) = &insert.fields {
            return Ok(fields.clone());
        }
        let place = insert.supertable.clone().or_else(|| insert.table.clone());
        let name = if let Some(written) = place {
            written
        } else {
            let name = self.table.as_ref().ok_or_else(no_name)?;
            let mut quoted = String::new();
            literal::write_name(plain_name(name).as_bytes(), &mut quoted)?;
            quoted
        };
        let described = ingest::describe(&self.driver, &name)?;
        let precision = ingest::precision(&self.driver, &name.replace('`', ""))?;
        let field = |name: &str, data_type: DataType, role: FieldRole| StatementField { name: name.to_owned(), data_type, precision, role };
        let mut fields = Vec::new();
        if insert.table.is_none() {
            fields.push(StatementField { precision: Precision::Milli, ..field("tbname", DataType::Varchar(192), FieldRole::Table) });
        }
        let (tags, columns): (Vec<_>, Vec<_>) = described.iter().partition(|column| column.is_tag);
        if insert.supertable.is_some() {
            let wanted: Vec<&str> = if insert.tag_names.is_empty() {
                tags.iter().map(|tag| tag.name.as_str()).collect()
            } else {
                insert.tag_names.iter().map(String::as_str).collect()
            };
            for name in wanted {
                let tag = tags.iter().find(|tag| tag.name == name).ok_or_else(|| no_column(name))?;
                fields.push(field(name, tag.data_type, FieldRole::Tag));
            }
        }
        let names: Vec<&str> = if insert.columns.is_empty() {
            columns.iter().map(|column| column.name.as_str()).collect()
        } else {
            insert.columns.iter().map(String::as_str).collect()
        };
        for name in names {
            if name == "tbname" {
                fields.push(field(name, DataType::Varchar(192), FieldRole::Table));
            } else {
                let found = described.iter().find(|column| column.name == name).ok_or_else(|| no_column(name))?;
                fields.push(field(name, found.data_type, if found.is_tag { FieldRole::Tag } else { FieldRole::Column }));
            }
        }
        // Of an open statement another table may follow.
        if insert.supertable.is_some() || insert.table.is_some() {
            insert.fields = Some(fields.clone());
        }
        Ok(fields)
    }
}

impl<D: Driver + 'static> Statement for TextStatement<D> {
    fn is_insert(&self) -> bool {
        self.insert.is_some()
    }

    fn parameter_count(&mut self) -> Result<usize> {
        Ok(literal::placeholders(&self.sql).len())
    }

    fn fields(&mut self) -> Result<Vec<StatementField>> {
        self.known_fields()
    }

    fn set_table(&mut self, name: &str) -> Result<()> {
        self.table = Some(name.to_owned());
        Ok(())
    }

    fn bind(&mut self, tables: Vec<TableBind>) -> Result<()> {
        let bound = tables.iter().try_for_each(|table| {
            if let Some(name) = &table.name {
                self.set_table(name)?;
            }
            self.add(table)
        });
        if bound.is_err() {
            self.bound.clear();
        }
        bound
    }

    fn bind_columns(&mut self, columns: Vec<BoundColumn>) -> Result<()> {
        let fields = self.known_fields()?;
        self.bind(tables(&fields, &columns)?)
    }

    fn execute(&mut self) -> Result<u64> {
        let mut affected = 0;
        for sql in std::mem::take(&mut self.bound) {
            if let Outcome::Affected(rows) = self.driver.run(&Request { sql: &sql, ..Request::default() })?.outcome {
                affected += rows;
            }
        }
        Ok(affected)
    }

    fn query(&mut self, parameters: Vec<BoundColumn>) -> Result<ResultSet> {
        let places = literal::placeholders(&self.sql);
        if places.len() != parameters.len() {
            return Err(wrong_count());
        }
        let (mut sql, mut from) = (String::with_capacity(self.sql.len()), 0);
        for (at, column) in places.into_iter().zip(parameters) {
            let column = parameter(column)?;
            sql.push_str(&self.sql[from..at]);
            insert_text::Column { name: "?".into(), data_type: Some(column.data_type), array: &column.array }.write(0, &mut sql)?;
            from = at + 1;
        }
        sql.push_str(&self.sql[from..]);
        self.driver.run(&Request { sql: &sql, ..Request::default() })
    }
}

fn cell(field: &StatementField, array: Option<&ArrayRef>, row: usize, out: &mut String) -> Result<()> {
    let array = array.ok_or_else(wrong_count)?;
    insert_text::Column { name: field.name.clone(), data_type: Some(field.data_type), array }.write(row, out)
}

/// A bound name without the quotes that it may have; any other backtick is left, and refused where it is written.
fn plain_name(name: &str) -> String {
    let plain = |part: &str| part.strip_prefix('`').and_then(|part| part.strip_suffix('`')).unwrap_or(part).to_owned();
    name.split('.').map(plain).collect::<Vec<_>>().join(".")
}

fn usage() -> Error {
    Error::new(code::STMT_API_USAGE_ERROR)
}

fn no_name() -> Error {
    Error::new(code::STMT_TABLE_NAME_NOT_SET)
}

fn no_column(name: &str) -> Error {
    Error::with(code::INVALID_COLUMN_NAME, format!("Invalid column name: {name}"))
}

impl Insert {
    fn parse(sql: &str) -> Option<Self> {
        let body = sql.trim_end().trim_end_matches(';').trim_end();
        let words = literal::words(body);
        let find = |from: usize, text: &str| words.iter().find(|word| word.start >= from && body[(*word).clone()].eq_ignore_ascii_case(text)).cloned();
        let into = find(0, "into")?;
        let values = words.iter().rfind(|word| body[(*word).clone()].eq_ignore_ascii_case("values"))?.clone();
        let group = values.end + body[values.end..].find('(')?;
        if !body[values.end..group].trim().is_empty() || literal::closing(body, group)? != body.len() - 1 {
            return None;
        }
        let row = &body[group + 1..body.len() - 1];
        if row.split(',').any(|cell| cell.trim() != "?") {
            return None;
        }
        let clause = &body[into.end..group];
        let using = find(into.end, "using").filter(|using| using.start < values.start);
        let tags = using.as_ref().and_then(|using| find(using.end, "tags")).filter(|tags| tags.start < values.start);
        let first = &body[into.end..using.as_ref().map_or(values.start, |using| using.start)];
        let (table, mut columns) = named(first)?;
        let (mut supertable, mut tag_names) = (None, Vec::new());
        if let (Some(using), Some(tags)) = (&using, &tags) {
            let (name, names) = named(&body[using.end..tags.start])?;
            (supertable, tag_names) = (Some(name), names);
            let end = literal::closing(body, tags.end + body[tags.end..].find('(')?)? + 1;
            if let Some((_, names)) = named(&body[end..values.start]).filter(|(_, names)| !names.is_empty()) {
                columns = names;
            }
        }
        let mut pieces = Vec::new();
        let mut from = 0;
        for at in literal::placeholders(clause) {
            pieces.push(clause[from..at].to_owned());
            from = at + 1;
        }
        pieces.push(clause[from..].to_owned());
        Some(Self {
            head: body[..into.end].to_owned(),
            clause: pieces,
            cells: literal::placeholders(row).len(),
            table: (table != "?").then_some(table),
            supertable,
            columns,
            tag_names,
            fields: None,
        })
    }

    /// The table's clause with its name and tags.
    fn write_clause(&self, name: Option<&str>, tags: &[BoundColumn], fields: &[StatementField], out: &mut String) -> Result<()> {
        let mut tags = fields.iter().filter(|field| field.role == FieldRole::Tag).zip(tags);
        for (at, piece) in self.clause.iter().enumerate() {
            out.push_str(piece);
            if at + 1 == self.clause.len() {
                break;
            }
            if at == 0 && self.table.is_none() {
                literal::write_name(plain_name(name.ok_or_else(no_name)?).as_bytes(), out)?;
            } else {
                let (field, tag) = tags.next().ok_or_else(|| Error::new(code::TAGS_NUMBER_NOT_MATCHED))?;
                cell(field, Some(&tag.array), 0, out)?;
            }
        }
        Ok(())
    }

    /// The fields of the row in its order, each with its number among those of its kind.
    fn row_order<'a>(&self, fields: &'a [StatementField]) -> Vec<(&'a StatementField, usize)> {
        let (mut tags, mut columns) = (0, 0);
        let numbered = fields.iter().map(|field| {
            let counter = match field.role {
                FieldRole::Tag => &mut tags,
                _ => &mut columns,
            };
            let place = *counter;
            *counter += usize::from(field.role != FieldRole::Table);
            (field, place)
        });
        let all: Vec<_> = numbered.collect();
        all[all.len().saturating_sub(self.cells)..].to_vec()
    }
}

/// A name and the names in parentheses that follow it.
fn named(text: &str) -> Option<(String, Vec<String>)> {
    let (name, list) = match text.find('(') {
        Some(open) => (&text[..open], Some(&text[open + 1..text.rfind(')')?])),
        None => (text, None),
    };
    let fold = |name: &str| {
        let name = name.trim();
        name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).map_or_else(|| name.to_ascii_lowercase(), str::to_owned)
    };
    Some((name.trim().to_owned(), list.map_or_else(Vec::new, |list| list.split(',').map(fold).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_insert() {
        let insert = Insert::parse("INSERT INTO ? USING p.s (`A`, b) TAGS (?, ?) (ts, V) VALUES (?, ?);").unwrap();
        assert_eq!(insert.clause, [" ", " USING p.s (`A`, b) TAGS (", ", ", ") (ts, V) VALUES "]);
        assert_eq!((insert.table, insert.supertable.as_deref(), insert.cells), (None, Some("p.s"), 2));
        assert_eq!((insert.tag_names, insert.columns), (vec!["A".to_owned(), "b".to_owned()], vec!["ts".to_owned(), "v".to_owned()]));
        let insert = Insert::parse("insert into t values(?,?)").unwrap();
        assert_eq!((insert.table.as_deref(), insert.columns.len(), insert.cells), (Some("t"), 0, 2));
        assert!(Insert::parse("INSERT INTO t VALUES (?, 1)").is_none());
        assert!(Insert::parse("INSERT INTO t VALUES (?) (?)").is_none());
    }

    #[test]
    fn names_that_are_bound() {
        assert_eq!((plain_name("`d`.`t`"), plain_name("t"), plain_name("a`b")), ("d.t".into(), "t".into(), "a`b".into()));
    }
}
