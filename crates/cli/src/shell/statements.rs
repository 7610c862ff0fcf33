//! Where statements end: at `;` or `\G` outside quotes and comments.

/// One statement of a text.
#[derive(Debug, PartialEq)]
pub struct Statement<'a> {
    /// Its text, without the end mark.
    pub sql: &'a str,
    /// Whether it ended with `\G`: cells are shown one a line.
    pub vertical: bool,
}

/// The finished statements of a text, and the rest that has no end yet. Statements of blanks alone are left out.
pub fn split(text: &str) -> (Vec<Statement<'_>>, &str) {
    let bytes = text.as_bytes();
    let (mut statements, mut start, mut at) = (Vec::new(), 0, 0);
    while at < bytes.len() {
        let rest = &bytes[at..];
        let (length, end) = match rest[0] {
            quote @ (b'\'' | b'"' | b'`') => (quoted(rest, quote), None),
            b'-' if rest.starts_with(b"--") => (until(rest, b"\n"), None),
            b'/' if rest.starts_with(b"/*") => (until(&rest[2..], b"*/") + 2, None),
            b';' => (1, Some(false)),
            b'\\' if matches!(rest.get(1), Some(b'G' | b'g')) => (2, Some(true)),
            _ => (1, None),
        };
        if let Some(vertical) = end {
            let sql = text[start..at].trim();
            if !sql.is_empty() {
                statements.push(Statement { sql, vertical });
            }
            start = at + length;
        }
        at += length;
    }
    (statements, text[start..].trim())
}

/// Length of a quoted text with its quotes; of all there is where it does not end. A backslash escapes inside `'` and `"`.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if quote != b'`' => at += 1,
            byte if byte == quote => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Length up to and with the mark; of all there is where it does not come.
fn until(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).position(|window| window == mark).map_or(bytes.len(), |at| at + mark.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> (Vec<(&str, bool)>, &str) {
        let (statements, rest) = split(text);
        (statements.iter().map(|statement| (statement.sql, statement.vertical)).collect(), rest)
    }

    #[test]
    fn statements_end_outside_quotes_and_comments() {
        assert_eq!(texts("select 1; select 2\\G\nsel"), (vec![("select 1", false), ("select 2", true)], "sel"));
        assert_eq!(texts("select ';', \"a\\\";\", `x;` -- ; no\n;"), (vec![("select ';', \"a\\\";\", `x;` -- ; no", false)], ""));
        assert_eq!(texts(";; /* ; */ select 1;"), (vec![("/* ; */ select 1", false)], ""));
        assert_eq!(texts("select 'open; end"), (vec![], "select 'open; end"));
        assert_eq!(texts("-- only; a comment"), (vec![], "-- only; a comment"));
        assert_eq!(texts("select '中;';"), (vec![("select '中;'", false)], ""));
    }
}
