//! Parameters for transports that have none: every `?` of a statement becomes the literal of its value. The places are
//! found by tokens, never inside quotes, names or comments, so no value can change the statement.

use std::{borrow::Cow, fmt::Write, ops::Range};

use embudo_types::{Error, Result, Value, code};

/// The statement with `parameters` in place of its `?`.
pub fn render<'a>(sql: &'a str, parameters: &[Value]) -> Result<Cow<'a, str>> {
    if parameters.is_empty() {
        return Ok(Cow::Borrowed(sql));
    }
    let places = counted_placeholders(sql, parameters)?;
    let mut out = String::with_capacity(sql.len() + 16 * parameters.len());
    let mut from = 0;
    for (at, value) in places.into_iter().zip(parameters) {
        out.push_str(&sql[from..at]);
        write_literal(value, &mut out)?;
        from = at + 1;
    }
    out.push_str(&sql[from..]);
    Ok(Cow::Owned(out))
}

/// Byte offsets of the `?` tokens.
pub fn placeholders(sql: &str) -> Vec<usize> {
    let mut found = Vec::new();
    tokens(sql, b'?', |at| found.push(at));
    found
}

/// Byte offsets of the `?` tokens, of which there must be as many as values.
pub fn counted_placeholders(sql: &str, parameters: &[Value]) -> Result<Vec<usize>> {
    let places = placeholders(sql);
    if places.len() == parameters.len() {
        return Ok(places);
    }
    let message = format!("the statement has {} parameters, {} values were given", places.len(), parameters.len());
    Err(Error::with(code::INVALID_PARAMETERS, message))
}

/// The statement with `?` in place of every `:name`, and the names in that order.
pub fn positional(sql: &str) -> (String, Vec<&str>) {
    let bytes = sql.as_bytes();
    let (mut out, mut names, mut from) = (String::with_capacity(sql.len()), Vec::new(), 0);
    tokens(sql, b':', |at| {
        let length = bytes[at + 1..].iter().take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'_').count();
        let starts = bytes.get(at + 1).is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
        if starts && at >= from {
            out.push_str(&sql[from..at]);
            out.push('?');
            names.push(&sql[at + 1..=at + length]);
            from = at + 1 + length;
        }
    });
    out.push_str(&sql[from..]);
    (out, names)
}

/// Where the words stand that are not quoted: keywords, names, numbers.
pub fn words(sql: &str) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    unquoted(sql, |at, byte| {
        if byte.is_ascii_alphanumeric() || byte == b'_' {
            match found.last_mut().filter(|word| word.end == at) {
                Some(word) => word.end += 1,
                None => found.push(at..at + 1),
            }
        }
    });
    found
}

/// The first of the [`words`], without reading on; empty where there is none.
pub fn first_word(sql: &str) -> &str {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let start = unquoted_until(sql, |_, byte| is_word(byte)).min(sql.len());
    let length = sql.bytes().skip(start).take_while(|&byte| is_word(byte)).count();
    &sql[start..start + length]
}

/// Offset of the `)` that closes the `(` at `open`.
pub fn closing(sql: &str, open: usize) -> Option<usize> {
    let (mut depth, mut end) = (0_usize, None);
    unquoted(sql, |at, byte| match byte {
        b'(' if at >= open => depth += 1,
        b')' if at > open && end.is_none() && depth > 0 => {
            depth -= 1;
            if depth == 0 {
                end = Some(at);
            }
        }
        _ => {}
    });
    end
}

/// Calls `found` with the offset of every `sign` outside quotes, names and comments.
fn tokens(sql: &str, sign: u8, mut found: impl FnMut(usize)) {
    unquoted(sql, |at, byte| {
        if byte == sign {
            found(at);
        }
    });
}

/// Calls `visit` with every byte outside quotes, quoted names and comments.
fn unquoted(sql: &str, mut visit: impl FnMut(usize, u8)) {
    unquoted_until(sql, |at, byte| {
        visit(at, byte);
        false
    });
}

/// As [`unquoted`], up to the byte that `visit` says yes to; gives the offset of that, or of the end.
fn unquoted_until(sql: &str, mut visit: impl FnMut(usize, u8) -> bool) -> usize {
    let bytes = sql.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            quote @ (b'\'' | b'"') => at = end_of_text(bytes, at, quote),
            b'`' => at = bytes[at + 1..].iter().position(|&byte| byte == b'`').map_or(bytes.len(), |length| at + 1 + length),
            b'-' if bytes.get(at + 1) == Some(&b'-') => at = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length),
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                at = bytes[at + 2..].windows(2).position(|pair| pair == b"*/").map_or(bytes.len(), |length| at + 3 + length);
            }
            byte if visit(at, byte) => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// Offset of the quote that ends the text beginning at `at`; a doubled or escaped quote does not.
fn end_of_text(bytes: &[u8], mut at: usize, quote: u8) -> usize {
    at += 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if byte == quote => {
                if bytes.get(at + 1) != Some(&quote) {
                    return at;
                }
                at += 1;
            }
            _ => {}
        }
        at += 1;
    }
    at
}

/// The database that the statement `USE name` chooses; `None` for any other.
pub fn used_database(sql: &str) -> Option<String> {
    let rest = sql.trim().trim_end_matches(';').trim_end();
    let (word, name) = rest.split_once(|letter: char| letter.is_ascii_whitespace())?;
    let name = name.trim();
    if !word.eq_ignore_ascii_case("use") || name.contains(|letter: char| letter.is_ascii_whitespace()) {
        return None;
    }
    Some(name.strip_prefix('`').and_then(|name| name.strip_suffix('`')).map_or_else(|| name.to_ascii_lowercase(), str::to_owned))
}

/// Writes a table's name, quoted; `database.table` as two names.
pub fn write_name(name: &[u8], out: &mut String) -> Result<()> {
    let name = std::str::from_utf8(name).ok().filter(|name| !name.is_empty() && !name.contains(['`', '\0', '\n']));
    let name = name.ok_or_else(|| Error::with(code::INVALID_PARAMETERS, "a table's name is text without backticks"))?;
    let (database, table) = name.split_once('.').map_or((None, name), |(database, table)| (Some(database), table));
    for part in database.into_iter().chain([table]) {
        if out.ends_with('`') {
            out.push('.');
        }
        out.push('`');
        out.push_str(part);
        out.push('`');
    }
    Ok(())
}

/// Writes the literal that TDengine reads back as `value`.
pub fn write_literal(value: &Value, out: &mut String) -> Result<()> {
    // Writing to a String cannot fail.
    let _ = match value {
        Value::Null => write!(out, "NULL"),
        Value::Bool(value) => write!(out, "{}", if *value { "TRUE" } else { "FALSE" }),
        Value::TinyInt(value) => write!(out, "{value}"),
        Value::SmallInt(value) => write!(out, "{value}"),
        Value::Int(value) => write!(out, "{value}"),
        Value::BigInt(value) | Value::Timestamp(value) => write!(out, "{value}"),
        Value::UTinyInt(value) => write!(out, "{value}"),
        Value::USmallInt(value) => write!(out, "{value}"),
        Value::UInt(value) => write!(out, "{value}"),
        Value::UBigInt(value) => write!(out, "{value}"),
        Value::Float(value) if !value.is_finite() => write!(out, "NULL"),
        Value::Double(value) if !value.is_finite() => write!(out, "NULL"),
        // Debug keeps the point or exponent, so that the literal stays a DOUBLE.
        Value::Float(value) => write!(out, "{value:?}"),
        Value::Double(value) => write!(out, "{value:?}"),
        Value::Varchar(bytes) => {
            let text = std::str::from_utf8(bytes)
                .map_err(|_| Error::with(code::INVALID_PARAMETERS, "a VARCHAR parameter that is not UTF-8 cannot be written as a literal"))?;
            write_text(text, out);
            Ok(())
        }
        Value::NChar(text) | Value::Json(text) => {
            write_text(text, out);
            Ok(())
        }
        Value::Geometry(bytes) => {
            let mut text = String::new();
            match crate::geometry_text::write_text(bytes, &mut text) {
                Some(()) => write_text(&text, out),
                None => return write_literal(&Value::VarBinary(bytes.clone()), out),
            }
            Ok(())
        }
        Value::VarBinary(bytes) | Value::Blob(bytes) => {
            out.push_str("'\\x");
            for byte in bytes {
                let _ = write!(out, "{byte:02x}");
            }
            out.push('\'');
            Ok(())
        }
        Value::Decimal(unscaled, _, scale) => {
            write_decimal(*unscaled, usize::from(*scale), out);
            Ok(())
        }
    };
    Ok(())
}

fn write_text(text: &str, out: &mut String) {
    out.push('\'');
    for letter in text.chars() {
        match letter {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other => out.push(other),
        }
    }
    out.push('\'');
}

/// Appends `unscaled` with `scale` digits after the point.
pub fn write_decimal(unscaled: i128, scale: usize, out: &mut String) {
    if unscaled < 0 {
        out.push('-');
    }
    let digits = format!("{:0width$}", unscaled.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    out.push_str(whole);
    if scale > 0 {
        out.push('.');
        out.push_str(fraction);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_word_is_that_of_all_words() {
        for (sql, word) in [
            ("", ""),
            (" insert into t", "insert"),
            ("-- a\n/* b */ USE`db`", "USE"),
            ("'x' y", "y"),
            ("((select 1))", "select"),
            ("`insert`", ""),
            ("/* open", ""),
        ] {
            assert_eq!(first_word(sql), word, "{sql}");
            assert_eq!(words(sql).first().map_or("", |range| &sql[range.clone()]), word, "{sql}");
        }
    }
    use proptest::prelude::*;

    #[test]
    fn question_marks_count_only_as_tokens() {
        let sql = "SELECT '?', \"?\", `?`, 'it''s ?', 'a\\'?' -- ?\n, ? /* ? */ FROM t WHERE a = ?";
        let values = [Value::Varchar(b"x'; DROP DATABASE power; --".to_vec()), Value::Null];
        let rendered = render(sql, &values).unwrap();
        assert_eq!(rendered, sql.replace("\n, ?", "\n, 'x''; DROP DATABASE power; --'").replace("a = ?", "a = NULL"));
        assert!(render("SELECT ?", &[Value::Null, Value::Null]).is_err());
        assert!(render("SELECT '?'", &[Value::Null]).is_err());
    }

    #[test]
    fn literals_of_every_type() {
        let literal = |value: Value| {
            let mut out = String::new();
            write_literal(&value, &mut out).unwrap();
            out
        };
        assert_eq!(literal(Value::Double(1.0)), "1.0");
        assert_eq!(literal(Value::Double(1e300)), "1e300");
        assert_eq!(literal(Value::Double(f64::NAN)), "NULL");
        assert_eq!(literal(Value::UBigInt(u64::MAX)), "18446744073709551615");
        assert_eq!(literal(Value::Varchar(b"a\\n'\n".to_vec())), "'a\\\\n''\\n'");
        assert_eq!(literal(Value::VarBinary(vec![0, 255])), "'\\x00ff'");
        assert_eq!(literal(Value::Decimal(-1_230, 10, 2)), "-12.30");
        assert_eq!(literal(Value::Decimal(5, 10, 2)), "0.05");
        assert_eq!(literal(Value::Bool(true)), "TRUE");
    }

    #[test]
    fn names_become_places() {
        let sql = "SELECT ':a', :a, `:b` FROM t WHERE x = :long_name1 -- :c";
        let (positional, names) = positional(sql);
        assert_eq!(positional, "SELECT ':a', ?, `:b` FROM t WHERE x = ? -- :c");
        assert_eq!(names, ["a", "long_name1"]);
        assert_eq!(super::positional("a::b : c").1, ["b"]);
    }

    #[test]
    fn use_statements() {
        assert_eq!(used_database(" USE Power ; "), Some("power".into()));
        assert_eq!(used_database("use `Power`"), Some("Power".into()));
        assert_eq!(used_database("SELECT 1"), None);
        assert_eq!(used_database("use"), None);
    }

    proptest! {
        #[test]
        fn a_text_never_ends_its_literal(text in "\\PC{0,20}|['\"\\\\?`\\-/* \n]{0,12}") {
            let mut sql = String::from("SELECT ");
            write_literal(&Value::Varchar(text.into_bytes()), &mut sql).unwrap();
            sql.push_str(", ?");
            prop_assert_eq!(placeholders(&sql), vec![sql.len() - 1]);
        }

        #[test]
        fn no_statement_panics(sql in "\\PC{0,40}|['\"\\\\?`\\-/* \n]{0,30}") {
            let _ = placeholders(&sql);
            let _ = used_database(&sql);
        }
    }
}
