//! Tokens of the dialect (spec/sql.md section 1). Works on bytes; positions are byte offsets into the statement.

use std::borrow::Cow;

/// What a token is. Keywords are [`TokenKind::Word`]: whether a word is a keyword is the parser's question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Letters, digits and `_`, not starting with a digit.
    Word,
    /// A word that starts with a non-ASCII character: only an alias may be written so without backticks.
    ForeignWord,
    /// `` `…` ``.
    Quoted,
    /// `'…'` or `"…"`.
    String,
    /// Decimal digits.
    Integer,
    /// Digits with a point or an exponent.
    Float,
    /// `0x1f`.
    Hex,
    /// `0b101`.
    Binary,
    /// Digits and a unit letter.
    Duration,
    /// `/*+ … */`.
    Hint,
    /// `(`.
    LeftParen,
    /// `)`.
    RightParen,
    /// `,`.
    Comma,
    /// `.`.
    Dot,
    /// `;`.
    Semicolon,
    /// `:`.
    Colon,
    /// `?`.
    Question,
    /// `+`.
    Plus,
    /// `-`.
    Minus,
    /// `*`.
    Star,
    /// `/`.
    Slash,
    /// `%`.
    Percent,
    /// `&`.
    Ampersand,
    /// `|`.
    Pipe,
    /// `->`.
    Arrow,
    /// `=` or `==`.
    Equal,
    /// `<>` or `!=`.
    NotEqual,
    /// `<`.
    Less,
    /// `<=`.
    LessEqual,
    /// `>`.
    Greater,
    /// `>=`.
    GreaterEqual,
    /// `<<`, `>>`, `~`, `||`: known, but used by no rule.
    Unused,
    /// No token: a stray character, an open quote, `0x` without digits.
    Illegal,
    /// The end of the statement.
    End,
}

/// One token and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

pub(crate) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c)
}

pub(crate) fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The token that starts at or after `from`, spaces and comments passed over.
///
/// ```
/// use embudo_sql::lexer::{TokenKind, next_token};
/// let token = next_token("  10s /* ten */", 0);
/// assert_eq!((token.kind, token.start, token.end), (TokenKind::Duration, 2, 5));
/// assert_eq!(next_token("  10s /* ten */", token.end).kind, TokenKind::End);
/// ```
pub fn next_token(sql: &str, from: usize) -> Token {
    let bytes = sql.as_bytes();
    let start = skip_blank(bytes, from);
    let Some(&first) = bytes.get(start) else { return Token { kind: TokenKind::End, start, end: start } };
    let next = bytes.get(start + 1).copied().unwrap_or(0);
    let (kind, length) = match first {
        b'(' => (TokenKind::LeftParen, 1),
        b')' => (TokenKind::RightParen, 1),
        b',' => (TokenKind::Comma, 1),
        b';' => (TokenKind::Semicolon, 1),
        b':' => (TokenKind::Colon, 1),
        b'?' => (TokenKind::Question, 1),
        b'+' => (TokenKind::Plus, 1),
        b'*' => (TokenKind::Star, 1),
        b'%' => (TokenKind::Percent, 1),
        b'&' => (TokenKind::Ampersand, 1),
        b'~' => (TokenKind::Unused, 1),
        b'-' if next == b'>' => (TokenKind::Arrow, 2),
        b'-' => (TokenKind::Minus, 1),
        b'/' if next == b'*' => (TokenKind::Hint, comment_length(&bytes[start..])),
        b'/' => (TokenKind::Slash, 1),
        b'|' if next == b'|' => (TokenKind::Unused, 2),
        b'|' => (TokenKind::Pipe, 1),
        b'=' => (TokenKind::Equal, if next == b'=' { 2 } else { 1 }),
        b'<' if next == b'=' => (TokenKind::LessEqual, 2),
        b'<' if next == b'>' => (TokenKind::NotEqual, 2),
        b'<' if next == b'<' => (TokenKind::Unused, 2),
        b'<' => (TokenKind::Less, 1),
        b'>' if next == b'=' => (TokenKind::GreaterEqual, 2),
        b'>' if next == b'>' => (TokenKind::Unused, 2),
        b'>' => (TokenKind::Greater, 1),
        b'!' if next == b'=' => (TokenKind::NotEqual, 2),
        b'\'' | b'"' => quoted(&bytes[start..], TokenKind::String),
        b'`' => quoted(&bytes[start..], TokenKind::Quoted),
        b'.' if next.is_ascii_digit() => number(&bytes[start..]),
        b'.' => (TokenKind::Dot, 1),
        b'0'..=b'9' => number(&bytes[start..]),
        _ if is_word_start(first) => (TokenKind::Word, count(&bytes[start..], is_word)),
        _ if first >= 0x80 => (TokenKind::ForeignWord, count(&bytes[start..], |byte| byte >= 0x80 || is_word(byte))),
        // What follows belongs to the error's text, and ends on a character.
        _ => (TokenKind::Illegal, bytes.len() - start),
    };
    Token { kind, start, end: start + length }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(&byte), _) if is_space(byte) => at += 1,
            (Some(b'-'), Some(b'-')) => at += bytes[at..].iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len() - at),
            (Some(b'/'), Some(b'*')) if bytes.get(at + 2) != Some(&b'+') => at += comment_length(&bytes[at..]),
            _ => return at,
        }
    }
}

fn comment_length(bytes: &[u8]) -> usize {
    let body = bytes.get(2..).unwrap_or_default();
    body.windows(2).position(|pair| pair == b"*/").map_or(bytes.len(), |at| at + 4)
}

fn count(bytes: &[u8], accept: impl Fn(u8) -> bool) -> usize {
    bytes.iter().take_while(|&&byte| accept(byte)).count()
}

/// Kind and length of what starts with a quote; a quote inside is doubled, or in strings protected by a backslash.
fn quoted(bytes: &[u8], kind: TokenKind) -> (TokenKind, usize) {
    let quote = bytes[0];
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == b'\\' && quote != b'`' {
            at += 2;
        } else if bytes[at] != quote {
            at += 1;
        } else if bytes.get(at + 1) == Some(&quote) {
            at += 2;
        } else {
            return (kind, at + 1);
        }
    }
    (TokenKind::Illegal, bytes.len())
}

/// Kind and length of what starts with a digit, or with a point and a digit.
pub(crate) fn number(bytes: &[u8]) -> (TokenKind, usize) {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let prefix = |digits: usize, kind| if digits == 0 { (TokenKind::Illegal, bytes.len()) } else { (kind, digits + 2) };
    match (byte(0), byte(1) | 0x20) {
        (b'0', b'x') => return prefix(count(&bytes[2..], |byte| byte.is_ascii_hexdigit()), TokenKind::Hex),
        (b'0', b'b') => return prefix(count(&bytes[2..], |byte| matches!(byte, b'0' | b'1')), TokenKind::Binary),
        _ => {}
    }
    let mut end = count(bytes, |byte| byte.is_ascii_digit());
    let mut kind = TokenKind::Integer;
    if end > 0 && embudo_types::DurationUnit::from_letter(byte(end)).is_some() && !is_word(byte(end + 1)) {
        return (TokenKind::Duration, end + 1);
    }
    if byte(end) == b'.' {
        kind = TokenKind::Float;
        end += 1;
        end += count(&bytes[end..], |byte| byte.is_ascii_digit());
    }
    if byte(end) | 0x20 == b'e' {
        let sign = usize::from(matches!(byte(end + 1), b'+' | b'-'));
        let digits = count(bytes.get(end + 1 + sign..).unwrap_or_default(), |byte| byte.is_ascii_digit());
        if digits > 0 {
            return (TokenKind::Float, end + 1 + sign + digits);
        }
    }
    (kind, end)
}

/// The longest start of `text` of at most `limit` bytes that ends between characters.
pub(crate) fn prefix(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// The text of a string token: quotes taken off, escapes resolved; borrowed where nothing had to change.
///
/// ```
/// use embudo_sql::lexer::string_text;
/// assert_eq!(string_text(r"'it''s'"), "it's");
/// assert_eq!(string_text(r"'50\% \x41 a\tb \q'"), "50\\% \\x41 a\tb q");
/// ```
pub fn string_text(token: &str) -> Cow<'_, str> {
    let body = token.get(1..token.len().saturating_sub(1)).unwrap_or_default();
    let quote = token.as_bytes().first().copied().unwrap_or(b'\'') as char;
    if !body.contains(['\\', quote]) {
        return Cow::Borrowed(body);
    }
    let mut text = String::with_capacity(body.len());
    let mut rest = body.chars();
    while let Some(character) = rest.next() {
        if character == quote {
            // The second of a doubled quote.
            text.push(quote);
            rest.next();
        } else if character == '\\' {
            match rest.next() {
                Some('n') => text.push('\n'),
                Some('r') => text.push('\r'),
                Some('t') => text.push('\t'),
                // LIKE and VARBINARY give these a meaning of their own.
                Some(kept @ ('%' | '_' | 'x')) => text.extend(['\\', kept]),
                Some(other) => text.push(other),
                None => {}
            }
        } else {
            text.push(character);
        }
    }
    Cow::Owned(text)
}

/// The name in a backtick token; a doubled backtick stands for one.
pub fn quoted_name(token: &str) -> String {
    token.get(1..token.len().saturating_sub(1)).unwrap_or_default().replace("``", "`")
}

/// The statement as the dialect sees it: lower case outside quotes, length and positions unchanged.
pub fn fold(sql: &str) -> String {
    let mut bytes = sql.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\'' | b'"' | b'`' => at += quoted(&bytes[at..], TokenKind::String).1,
            b'-' if bytes.get(at + 1) == Some(&b'-') => {
                let end = bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length);
                bytes[at..end].make_ascii_lowercase();
                at = end;
            }
            b'/' if bytes.get(at + 1) == Some(&b'*') => {
                let end = at + comment_length(&bytes[at..]);
                bytes[at..end].make_ascii_lowercase();
                at = end;
            }
            _ => {
                bytes[at].make_ascii_lowercase();
                at += 1;
            }
        }
    }
    // Only ASCII letters changed, so this is still UTF-8.
    String::from_utf8(bytes).unwrap_or_default()
}

const RESERVED: &str = "account accounts add aggregate alive all alter analyze and anti any apps arbgroups as asc asof at_once balance batch_scan between \
    bigint binary bnode bnodes bool buffer bufsize bwlimit by cache cachemodel cachesize case cast child client_version cluster column comment comp compact \
    compacts compress connection connections conns consumer consumers contains count count_window create current_user database databases dbs delete \
    delete_mark desc describe distinct distributed dnode dnodes double drop duration else enable encode encrypt_algorithm encrypt_key encryptions end \
    event_window every exists expired explain false file fill fill_history first float flush force from full function functions geometry grant grants group \
    hash_join having host if ignore import in index indexes inner insert int integer interval into is jlimit join json keep keep_time_offset key kill language \
    last last_row leader leading left level licences like limit linear local logs machines match max_delay maxrows merge meta minrows minus mnode mnodes modify \
    modules nchar next nmatch no_batch_scan none normal not now null null_f nulls offset on only or order outer outputtype pages pagesize para_tables_sort \
    partition partition_first pass pause port pps precision prev primary privileges qnode qnodes qtime queries query range ratio read recursive redistribute \
    rename replace replica reset restore resume retentions revoke right rollup s3_chunksize s3_compact s3_keeplocal s3migrate schemaless scores select semi \
    server_status server_version session set show single_stable skip_tsma sliding slimit sma smalldata_ts_sort smallint snode snodes soffset sort_for_group \
    split stable stables start state state_window storage stream streams strict stt_trigger subscribe subscriptions subtable sysinfo system table table_prefix \
    table_suffix tables tag tags tbname then timestamp timezone tinyint to today topic topics transaction transactions trigger trim true tsdb_pagesize tseries \
    tsma tsmas ttl union unsafe unsigned untreated update use user users using value value_f values varbinary varchar variables verbose vgroup vgroups view \
    views vnode vnodes wal_fsync_period wal_level wal_retention_period wal_retention_size wal_roll_period wal_segment_size watermark when where window \
    window_close window_offset with write _c0 _irowts _isfilled _qduration _qend _qstart _rowts _tags _wduration _wend _wstart";

/// Whether a word in lower case needs backticks to be a name.
pub fn is_reserved(word: &str) -> bool {
    static WORDS: std::sync::LazyLock<std::collections::HashSet<&str>> = std::sync::LazyLock::new(|| RESERVED.split_ascii_whitespace().collect());
    WORDS.contains(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(sql: &str) -> Vec<TokenKind> {
        let mut at = 0;
        std::iter::from_fn(|| {
            let token = next_token(sql, at);
            at = token.end;
            (token.kind != TokenKind::End).then_some(token.kind)
        })
        .collect()
    }

    #[test]
    fn numbers_end_where_the_dialect_ends_them() {
        use TokenKind::*;
        assert_eq!(
            kinds("1 1. .5 1.e2 1e 1_0 9ab 9a 0x1f 0b10"),
            [Integer, Float, Float, Float, Integer, Word, Integer, Word, Integer, Word, Duration, Hex, Binary]
        );
        assert_eq!(kinds("0xg"), [Illegal]);
        assert_eq!(kinds("0b2"), [Illegal]);
        assert_eq!(kinds("1--1\n+2"), [Integer, Plus, Integer]);
    }

    #[test]
    fn quotes_protect_case_and_comments() {
        assert_eq!(fold("SELECT 'A\\'B' -- It's\n, `C`, \"D\"\"E\" /* X' */ F"), "select 'A\\'B' -- it's\n, `C`, \"D\"\"E\" /* x' */ f");
        assert_eq!(kinds("'open"), [TokenKind::Illegal]);
        assert_eq!(kinds("/* open"), []);
        assert_eq!(quoted_name("`a``b`"), "a`b");
    }
}
