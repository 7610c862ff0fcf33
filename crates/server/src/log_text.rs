//! What logs may show of statements.

use std::fmt;

/// Bytes of a statement that are shown.
const SHOWN: usize = 1_000;
/// Words that come before secrets. Rather too careful than not careful enough: it does not matter where they stand.
const BEFORE_SECRETS: [&[u8]; 3] = [b"pass", b"totp", b"token"];

/// A statement as the log may show it: nothing of one that may hold a secret, and of a long one its beginning.
pub struct Loggable<'a>(pub &'a str);

impl fmt::Display for Loggable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let statement = self.0;
        let holds = |word: &[u8]| statement.as_bytes().windows(word.len()).any(|window| window.eq_ignore_ascii_case(word));
        if BEFORE_SECRETS.into_iter().any(holds) {
            return f.write_str("(a statement that may hold a secret)");
        }
        let mut end = statement.len().min(SHOWN);
        while !statement.is_char_boundary(end) {
            end -= 1;
        }
        f.write_str(&statement[..end])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown_and_long_statements_are_cut() {
        for statement in ["CREATE USER u PASS'secret'", "alter user u pass\n'secret'", "CREATE TOKEN t FROM USER u", "CREATE USER u PASS 'x' TOTPSEED 'secret'"]
        {
            assert!(!Loggable(statement).to_string().contains("secret'"), "{statement}");
        }
        assert_eq!(Loggable("SELECT 1").to_string(), "SELECT 1");
        let long = format!("x{}", "é".repeat(1_000));
        assert_eq!(Loggable(&long).to_string().len(), 999);
    }
}
