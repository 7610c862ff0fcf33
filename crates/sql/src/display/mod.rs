//! The tree as SQL again: parsing what is shown gives the same tree. Used by SHOW CREATE, views, topics and streams.
//!
//! Keywords are in upper case, functions and pseudo-columns in lower case as the dialect folds them, names always in backticks.

mod administration;
mod expr;
mod query;
mod statement;
mod table;

use std::fmt::{Display, Formatter, Result, Write};

use crate::ast::ObjectName;

/// A name in backticks.
pub struct Name<'a>(pub &'a str);

impl Display for Name<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if self.0.contains('`') { write!(f, "`{}`", self.0.replace('`', "``")) } else { write!(f, "`{}`", self.0) }
    }
}

/// Text in single quotes, so that the lexer gives the same text back.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.write_char('\'')?;
        let mut rest = self.0.chars().peekable();
        while let Some(character) = rest.next() {
            match character {
                '\'' => f.write_str("''")?,
                // The lexer keeps the backslash of these three.
                '\\' if matches!(rest.peek(), Some('%' | '_' | 'x')) => f.write_char('\\')?,
                '\\' => f.write_str("\\\\")?,
                other => f.write_char(other)?,
            }
        }
        f.write_char('\'')
    }
}

/// Items with a separator.
pub(crate) struct List<'a, T>(pub &'a [T], pub &'static str);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, item) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(self.1)?;
            }
            item.fmt(f)?;
        }
        Ok(())
    }
}

/// Names in backticks, separated by commas.
pub(crate) struct Names<'a>(pub &'a [String]);

impl Display for Names<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, name) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            Name(name).fmt(f)?;
        }
        Ok(())
    }
}

/// Quoted texts, separated by commas.
pub(crate) struct Texts<'a>(pub &'a [String]);

impl Display for Texts<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        for (at, text) in self.0.iter().enumerate() {
            if at > 0 {
                f.write_str(", ")?;
            }
            Text(text).fmt(f)?;
        }
        Ok(())
    }
}

/// `prefix value` where there is a value.
pub(crate) fn optional<T: Display>(f: &mut Formatter<'_>, prefix: &str, value: Option<T>) -> Result {
    match value {
        Some(value) => write!(f, "{prefix}{value}"),
        None => Ok(()),
    }
}

/// `text` where `condition` holds.
pub(crate) fn when(f: &mut Formatter<'_>, condition: bool, text: &str) -> Result {
    if condition { f.write_str(text) } else { Ok(()) }
}

/// `[db.]name`.
impl Display for ObjectName {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        if let Some(database) = &self.database {
            write!(f, "{}.", Name(database))?;
        }
        Name(&self.name).fmt(f)
    }
}
