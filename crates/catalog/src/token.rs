//! Tokens of users: names for texts that are as good as a password. Of a text only a keyed hash is kept.

use std::sync::Arc;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use blake2::digest::{FixedOutput, KeyInit, Update};
use embudo_types::{Error, Result, code};
use subtle::ConstantTimeEq;

/// Characters of a token's text: some 375 bits.
const TEXT: usize = 63;
/// What they are.
const ALPHABET: &[u8; 62] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// A token as SHOW TOKENS shows it, and what its text is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Name.
    pub name: Arc<str>,
    /// Whose rights it gives.
    pub user: String,
    /// PROVIDER.
    pub provider: String,
    /// ENABLE.
    pub enabled: bool,
    /// `EXTRA_INFO`.
    pub extra: String,
    /// Milliseconds since 1970.
    pub created: i64,
    /// Milliseconds since 1970; 0 for never.
    pub expires: i64,
    /// Of its text.
    pub(crate) hash: [u8; 32],
}

impl Token {
    /// Whether a text could be a token's.
    pub fn is_text(text: &str) -> bool {
        text.len() == TEXT && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
    }

    /// Lets it expire so many days after `now` (milliseconds since 1970); 0 for never.
    pub fn expire_in_days(&mut self, days: i64, now: i64) {
        self.expires = if days <= 0 { 0 } else { now.saturating_add(days.saturating_mul(DAY)) };
    }

    /// Whether it lets in at `now` (milliseconds since 1970): 0x0357 if not, with the reason.
    pub(crate) fn check(&self, now: i64) -> Result<()> {
        if !self.enabled {
            return Err(refused("Token is disabled"));
        }
        if self.expires != 0 && self.expires <= now { Err(refused("Token is expired")) } else { Ok(()) }
    }
}

/// 0x0357 in other words.
fn refused(reason: &str) -> Error {
    Error::with(code::AUTHENTICATION_FAILURE, reason)
}

/// 0x0357 "Invalid token".
pub(crate) fn invalid() -> Error {
    refused("Invalid token")
}

/// What tokens are hashed with; one of the catalogue, made with its first token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TokenKey(pub [u8; 32]);

/// Keys stay out of logs.
impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

impl TokenKey {
    /// A new key.
    pub fn random() -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self(key)
    }

    /// The hash of a token's text.
    pub fn hash(&self, text: &str) -> Result<[u8; 32]> {
        let mut mac = blake2::Blake2sMac256::new_from_slice(&self.0).map_err(|error| Error::internal(format!("keying a hash: {error}")))?;
        mac.update(text.as_bytes());
        Ok(mac.finalize_fixed().into())
    }
}

/// Whether two hashes are the same, in a time that does not tell how much of them is.
pub(crate) fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.ct_eq(other).into()
}

/// A new token's text.
pub(crate) fn random_text() -> String {
    let mut text = String::with_capacity(TEXT);
    while text.len() < TEXT {
        let mut bytes = [0; TEXT];
        OsRng.fill_bytes(&mut bytes);
        // Bytes above the last multiple are left out, so that every character is as likely.
        let characters = bytes.iter().filter(|byte| **byte < 248).map(|byte| char::from(ALPHABET[usize::from(*byte) % ALPHABET.len()]));
        text.extend(characters.take(TEXT - text.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_differ_and_hashes_are_keyed() {
        let (one, other) = (random_text(), random_text());
        assert!(Token::is_text(&one) && one != other && !Token::is_text("abc") && !Token::is_text(&"/".repeat(TEXT)));
        let key = TokenKey::random();
        assert!(is_same(&key.hash(&one).unwrap(), &key.hash(&one).unwrap()));
        assert!(!is_same(&key.hash(&one).unwrap(), &key.hash(&other).unwrap()));
        assert!(!is_same(&key.hash(&one).unwrap(), &TokenKey::random().hash(&one).unwrap()));
    }

    #[test]
    fn tokens_expire_and_are_disabled() {
        let mut token =
            Token { name: "t".into(), user: "u".into(), provider: String::new(), enabled: true, extra: String::new(), created: 5, expires: 0, hash: [0; 32] };
        token.check(i64::MAX).unwrap();
        token.expire_in_days(2, 5);
        token.check(2 * DAY + 4).unwrap();
        assert_eq!(token.check(2 * DAY + 5).unwrap_err().message(), "Token is expired");
        token.expire_in_days(i64::MAX, 5);
        token.check(i64::MAX - 1).unwrap();
        token.enabled = false;
        assert_eq!(token.check(0).unwrap_err().message(), "Token is disabled");
    }
}
