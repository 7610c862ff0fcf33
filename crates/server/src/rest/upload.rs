//! `POST /rest/upload?db=…&table=…`: rows of a CSV file into a table (spec/protocols.md 1.7). The file is the part `data` of a form; it has no line of
//! names, its fields are the table's columns in their order, an empty field is NULL. Rows are written by statements of up to [`STATEMENT`]
//! bytes; those before a bad line stay.

use std::sync::Arc;

use arrow_array::{Array, cast::AsArray};
use axum::{
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use embudo_engine::Session;
use embudo_types::{Error, Result, ResultSet, code};
use embudo_wire::{multipart, rest};

use super::{
    body::{Held, read_bytes},
    parameters::Parameters,
};
use crate::{
    authentication::{Attempt, claim},
    incoming::Incoming,
    refusal::Refusal,
};

/// Bytes of a statement.
const STATEMENT: usize = 1_000_000;

/// Writes the rows and tells how many.
pub async fn write(incoming: Incoming) -> Result<Response, Refusal> {
    let Incoming { state, client, query, headers, body } = incoming;
    let parameters = Parameters::parse(query.as_deref())?;
    let claim = claim(&headers, parameters.token.as_deref())?;
    let parameter = |wanted: &str| {
        let mut pairs = form_urlencoded::parse(query.as_deref().unwrap_or("").as_bytes());
        let found = pairs.find(|(name, value)| name == wanted && !value.is_empty()).map(|(_, value)| value.into_owned());
        found.ok_or_else(|| Refusal::bad_request(format!("{wanted} required")))
    };
    let target = format!("{}.{}", quoted_name(&parameter("db")?), quoted_name(&parameter("table")?));
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let body = read_bytes(&headers, body, &state.options, &state.bodies).await?;
    let attempt = Attempt::new(Arc::clone(&state), client.0, claim).await?;
    let rows = state.turns.first(move || {
        let session = attempt.session_of_request("rest", parameters.application.as_deref(), parameters.address.as_deref())?;
        upload(&session, &target, &content_type, &body)
    });
    let rows = rows.await?;
    let rows = rows.inspect_err(|error| state.metrics.error(error))?;
    state.metrics.rows_affected(rows);
    let mut text = Vec::new();
    rest::affected(rows, false, None, &mut text);
    // The adapter's type, as recorded.
    Ok((StatusCode::OK, [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response())
}

fn upload(session: &Session, target: &str, content_type: &str, body: &Held<Vec<u8>>) -> Result<u64> {
    let columns = columns(session, target)?;
    let unclassified = |what: String| Error::with(code::UNCLASSIFIED, what);
    let file = multipart::part(content_type, body, "data").ok_or_else(|| unclassified("a form with a part named data is needed".into()))?;
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let (mut statement, mut record, mut rows) = (String::new(), csv::StringRecord::new(), 0);
    while reader.read_record(&mut record).map_err(|error| unclassified(error.to_string()))? {
        let line = record.position().map_or(0, csv::Position::line);
        if record.len() < columns.len() {
            return Err(unclassified("column count not enough".into()));
        }
        if record.len() > columns.len() {
            return Err(unclassified(format!("line {line}: more fields than the table has columns")));
        }
        let mut row = String::from("(");
        for (field, column) in record.iter().zip(&columns) {
            column.write(field, &mut row).ok_or_else(|| unclassified(format!("line {line}: {field:?} is no value of column {}", column.name)))?;
            row.push(',');
        }
        row.pop();
        row.push(')');
        if !statement.is_empty() && statement.len() + row.len() > STATEMENT {
            rows += run(session, &mut statement)?;
        }
        if statement.is_empty() {
            statement.extend(["INSERT INTO ", target, " VALUES "]);
        }
        statement.push_str(&row);
    }
    Ok(if statement.is_empty() { rows } else { rows + run(session, &mut statement)? })
}

fn run(session: &Session, statement: &mut String) -> Result<u64> {
    let result = session.execute(statement, &[])?;
    statement.clear();
    match result.outcome {
        embudo_types::Outcome::Affected(rows) => Ok(rows),
        embudo_types::Outcome::Rows(_) => Ok(0),
    }
}

/// A column of the table.
struct Column {
    name: String,
    /// Whether its values stand in quotes.
    quoted: bool,
}

impl Column {
    /// Writes a field as a literal. A bare one that is more than a number or a word is no value of any type.
    fn write(&self, field: &str, out: &mut String) -> Option<()> {
        if field.is_empty() {
            out.push_str("NULL");
        } else if self.quoted {
            out.push('\'');
            for letter in field.chars() {
                if matches!(letter, '\'' | '\\') {
                    out.push('\\');
                }
                out.push(letter);
            }
            out.push('\'');
        } else {
            let bare = field.trim();
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
            if bare.is_empty() || !bare.bytes().all(is_plain) || bare.contains("--") {
                return None;
            }
            out.push_str(bare);
        }
        Some(())
    }
}

/// The table's columns; tags are not among them.
fn columns(session: &Session, target: &str) -> Result<Vec<Column>> {
    let described = session.execute(&format!("DESCRIBE {target}"), &[]).and_then(ResultSet::collect)?;
    let mut columns = Vec::new();
    for batch in &described {
        let unexpected = || Error::internal("DESCRIBE gives other columns than it did");
        let text = |at: usize| batch.columns().get(at).and_then(|column| column.as_binary_opt::<i32>()).ok_or_else(unexpected);
        let (names, types, notes) = (text(0)?, text(1)?, text(3)?);
        for row in 0..batch.num_rows() {
            if notes.is_valid(row) && notes.value(row) == b"TAG" {
                continue;
            }
            let kind = String::from_utf8_lossy(types.value(row)).to_ascii_uppercase();
            let quoted =
                ["TIMESTAMP", "VARCHAR", "BINARY", "NCHAR", "VARBINARY", "GEOMETRY", "JSON", "BLOB", "DECIMAL"].iter().any(|word| kind.starts_with(word));
            columns.push(Column { name: String::from_utf8_lossy(names.value(row)).into_owned(), quoted });
        }
    }
    Ok(columns)
}

fn quoted_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_become_literals_and_nothing_else() {
        let write = |quoted, field: &str| {
            let mut out = String::new();
            Column { name: "c".into(), quoted }.write(field, &mut out).map(|()| out)
        };
        assert_eq!(write(true, "it's \\").as_deref(), Some("'it\\'s \\\\'"));
        assert_eq!((write(true, "").as_deref(), write(false, "").as_deref()), (Some("NULL"), Some("NULL")));
        assert_eq!((write(false, " -1.5e+3 ").as_deref(), write(false, "true").as_deref()), (Some("-1.5e+3"), Some("true")));
        for field in ["1),(2", "1;2", "'x'", " ", "1--2", "a b"] {
            assert_eq!(write(false, field), None, "{field}");
        }
    }
}
