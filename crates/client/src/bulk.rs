//! One statement for many rows of parameters. An INSERT becomes few statements with many rows each; any other statement
//! runs once a row.

use std::time::Duration;

use embudo_types::{Error, Outcome, Result, Value, code};

use crate::{Driver, Request, literal};

/// The longest statement that a server takes, less room for what follows.
const LONGEST: usize = 1_000_000;

/// Runs `sql` for every row and gives the affected rows.
pub fn run(driver: &dyn Driver, sql: &str, rows: &[Vec<Value>], timeout: Option<Duration>) -> Result<u64> {
    let one = |sql: &str, parameters: &[Value]| -> Result<u64> {
        let result = driver.run(&Request { sql, parameters, request_id: None, timeout })?;
        match result.outcome {
            Outcome::Affected(rows) => Ok(rows),
            Outcome::Rows(batches) => batches.map(|batch| batch.map(|_| 0)).sum(),
        }
    };
    if let Some(row) = rows.iter().find(|row| row.len() != rows[0].len()) {
        let message = format!("rows of parameters have {} and {} values", rows[0].len(), row.len());
        return Err(Error::with(code::INVALID_PARAMETERS, message));
    }
    let Some(template) = Template::of(sql).filter(|_| rows.len() > 1) else {
        return rows.iter().map(|row| one(sql, row)).sum();
    };
    if let Some(row) = rows.first()
        && row.len() != template.before.len() + template.inside.len()
    {
        let message = format!("the statement has {} parameters, {} values were given", template.before.len() + template.inside.len(), row.len());
        return Err(Error::with(code::INVALID_PARAMETERS, message));
    }
    if template.before.is_empty()
        && let Some(rows) = driver.insert_rows(sql, rows)?
    {
        return Ok(rows);
    }
    let mut affected = 0;
    template.statements(rows, &mut |statement| {
        affected += one(statement, &[])?;
        Ok(())
    })?;
    Ok(affected)
}

/// `INSERT INTO` clause `VALUES` group, with the places of its parameters.
struct Template<'a> {
    head: &'a str,
    clause: &'a str,
    group: &'a str,
    /// Places in `clause` and in `group`.
    before: Vec<usize>,
    inside: Vec<usize>,
}

impl<'a> Template<'a> {
    /// `None` for statements of another form.
    fn of(sql: &'a str) -> Option<Self> {
        let body = sql.trim_end().trim_end_matches(';').trim_end();
        let first = body.trim_start();
        if !first.get(..6)?.eq_ignore_ascii_case("insert") || !body.ends_with(')') {
            return None;
        }
        let words = literal::words(body);
        let into = words.iter().find(|word| body[(*word).clone()].eq_ignore_ascii_case("into"))?.end;
        let values = words.iter().rfind(|word| body[(*word).clone()].eq_ignore_ascii_case("values"))?.end;
        let start = values + body[values..].find('(')?;
        // One group only: rows that are already in the statement stand where they are.
        if !body[values..start].trim().is_empty() || literal::closing(body, start)? != body.len() - 1 {
            return None;
        }
        let (head, clause, group) = (&body[..into], &body[into..start], &body[start..]);
        Some(Self { head, clause, group, before: literal::placeholders(clause), inside: literal::placeholders(group) })
    }

    fn statements(&self, rows: &[Vec<Value>], run: &mut dyn FnMut(&str) -> Result<()>) -> Result<()> {
        let mut statement = String::new();
        let (mut clause, mut last, mut group) = (String::new(), String::new(), String::new());
        for row in rows {
            let (before, inside) = row.split_at(self.before.len());
            clause.clear();
            group.clear();
            fill(self.clause, &self.before, before, true, &mut clause)?;
            fill(self.group, &self.inside, inside, false, &mut group)?;
            if !statement.is_empty() && statement.len() + clause.len() + group.len() > LONGEST {
                run(&statement)?;
                statement.clear();
            }
            if statement.is_empty() {
                statement.push_str(self.head);
                statement.push_str(&clause);
            } else if clause != last {
                statement.push(' ');
                statement.push_str(clause.trim_start());
            }
            statement.push_str(&group);
            std::mem::swap(&mut clause, &mut last);
        }
        if statement.is_empty() { Ok(()) } else { run(&statement) }
    }
}

/// Copies `text` with literals at its places; in a clause, a place at its very front is the table's name.
fn fill(text: &str, places: &[usize], values: &[Value], is_clause: bool, out: &mut String) -> Result<()> {
    let mut from = 0;
    for (&at, value) in places.iter().zip(values) {
        out.push_str(&text[from..at]);
        match value {
            Value::Varchar(name) if is_clause && text[..at].trim().is_empty() => literal::write_name(name, out)?,
            value => literal::write_literal(value, out)?,
        }
        from = at + 1;
    }
    out.push_str(&text[from..]);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(sql: &str, rows: &[Vec<Value>]) -> Vec<String> {
        let mut out = Vec::new();
        let template = Template::of(sql).unwrap();
        template
            .statements(rows, &mut |statement| {
                out.push(statement.to_owned());
                Ok(())
            })
            .unwrap();
        out
    }

    fn text(text: &str) -> Value {
        Value::Varchar(text.into())
    }

    #[test]
    fn rows_join_one_statement() {
        let rows = [vec![Value::BigInt(1), text("a'?")], vec![Value::BigInt(2), Value::Null]];
        assert_eq!(statements("INSERT INTO t (ts, `values`) VALUES (?, ?);", &rows), ["INSERT INTO t (ts, `values`) VALUES (1, 'a''?')(2, NULL)"]);
    }

    #[test]
    fn tables_change_with_the_rows() {
        let rows = [
            vec![text("d1"), Value::BigInt(7), Value::BigInt(1)],
            vec![text("d1"), Value::BigInt(7), Value::BigInt(2)],
            vec![text("d`2"), Value::BigInt(8), Value::BigInt(3)],
        ];
        assert!(Template::of("INSERT INTO ? USING m TAGS (?) VALUES (?)").unwrap().statements(&rows, &mut |_| Ok(())).is_err(), "a name with a backtick");
        let sql = "insert into ? using m tags (?) values (?)";
        assert_eq!(statements(sql, &rows[..2]), ["insert into `d1` using m tags (7) values (1)(2)"]);
        let rows = [rows[0].clone(), vec![text("d2"), Value::BigInt(8), Value::BigInt(3)]];
        assert_eq!(statements(sql, &rows), ["insert into `d1` using m tags (7) values (1) `d2` using m tags (8) values (3)"]);
    }

    #[test]
    fn other_statements_are_left_alone() {
        for sql in
            ["SELECT ?", "INSERT INTO t VALUES (?) (?)", "INSERT INTO t VALUES (?) d2 VALUES (1)", "INSERT INTO t SELECT (1)", "DELETE FROM t WHERE ts = ?"]
        {
            let found = Template::of(sql);
            assert!(found.is_none_or(|found| found.clause.contains("(?)")), "{sql}");
        }
    }

    #[test]
    fn long_inserts_are_cut() {
        let rows: Vec<_> = (0..50_000).map(|row| vec![Value::BigInt(row), text("0123456789012345678901234567890123456789")]).collect();
        let made = statements("INSERT INTO t VALUES (?, ?)", &rows);
        assert!(made.len() > 2 && made.iter().all(|statement| statement.len() <= LONGEST));
        assert_eq!(made.iter().map(|statement| statement.matches('(').count()).sum::<usize>(), 50_000);
    }
}
