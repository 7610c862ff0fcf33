//! Users: names, password hashes and settings, and the question whether a password is right. What a right allows is the engine's
//! business.

use std::time::Duration;

use argon2::password_hash::rand_core::{OsRng, RngCore};
use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Argon2, Params};
use blake2::digest::{FixedOutput, KeyInit, Update};
use embudo_types::{Error, Result, code};
use parking_lot::Mutex;
use rustc_hash::FxHashMap;

/// The superuser.
pub const ROOT: &str = "root";
/// Its password until it is changed.
pub const DEFAULT_PASSWORD: &str = "taosdata";
/// How long a verified password is not hashed again.
const VERIFIED_FOR: Duration = Duration::from_secs(30 * 60);
/// Verified passwords that are remembered at most.
const VERIFIED_LIMIT: usize = 10_000;

/// A user as SHOW USERS shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// What its password is checked against.
    pub password: PasswordCheck,
    /// Only root.
    pub superuser: bool,
    /// ENABLE.
    pub enabled: i64,
    /// SYSINFO.
    pub sysinfo: i64,
    /// HOST.
    pub hosts: Vec<String>,
    /// Milliseconds since 1970.
    pub created: i64,
}

/// What is kept of a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// [`DEFAULT_PASSWORD`], which is no secret to hash.
    Default,
    /// Argon2id in PHC form.
    Hash(String),
}

impl PasswordCheck {
    /// Hashes a password.
    pub fn new(password: &str) -> Result<Self> {
        let salt = SaltString::generate(&mut OsRng);
        let hash = argon2().hash_password(password.as_bytes(), &salt).map_err(|error| Error::internal(format!("hashing a password: {error}")))?;
        Ok(Self::Hash(hash.to_string()))
    }

    /// Whether this is the password.
    fn matches(&self, password: &str) -> bool {
        match self {
            Self::Default => password == DEFAULT_PASSWORD,
            Self::Hash(hash) => PasswordHash::new(hash).is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok()),
        }
    }
}

/// OWASP's second choice of parameters: 19 MiB, 2 passes, 1 lane.
fn argon2() -> Argon2<'static> {
    Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, Params::DEFAULT)
}

/// Passwords that were right lately, as hashes under a key of this process, so that only misses pay Argon2.
pub(crate) struct Verified {
    key: [u8; 32],
    until: Mutex<FxHashMap<[u8; 32], Duration>>,
}

impl std::fmt::Debug for Verified {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verified")
    }
}

impl Verified {
    pub fn new() -> Self {
        let mut key = [0; 32];
        OsRng.fill_bytes(&mut key);
        Self { key, until: Mutex::default() }
    }

    /// Whether `password` is the user's; `now` is time that never goes back.
    pub fn check(&self, user: &User, password: &str, now: Duration) -> Result<()> {
        let hash = self.hash(&user.name, password)?;
        if self.until.lock().get(&hash).is_some_and(|until| *until > now) {
            return Ok(());
        }
        if !user.password.matches(password) {
            return Err(Error::new(code::AUTHENTICATION_FAILURE));
        }
        let mut until = self.until.lock();
        if until.len() >= VERIFIED_LIMIT {
            until.clear();
        }
        until.insert(hash, now + VERIFIED_FOR);
        Ok(())
    }

    /// Forgets everything, after a change of users.
    pub fn clear(&self) {
        self.until.lock().clear();
    }

    fn hash(&self, user: &str, password: &str) -> Result<[u8; 32]> {
        let mut mac = blake2::Blake2sMac256::new_from_slice(&self.key).map_err(|error| Error::internal(format!("keying a hash: {error}")))?;
        mac.update(&(user.len() as u64).to_le_bytes());
        mac.update(user.as_bytes());
        mac.update(password.as_bytes());
        Ok(mac.finalize_fixed().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified_once_and_forgotten() {
        let mut user =
            User { name: "u".into(), password: PasswordCheck::new("secret").unwrap(), superuser: false, enabled: 1, sysinfo: 1, hosts: Vec::new(), created: 0 };
        let verified = Verified::new();
        assert!(verified.check(&user, "wrong", Duration::ZERO).is_err());
        verified.check(&user, "secret", Duration::ZERO).unwrap();
        // Within the time the hash is not asked.
        user.password = PasswordCheck::Hash("broken".into());
        verified.check(&user, "secret", VERIFIED_FOR / 2).unwrap();
        assert!(verified.check(&user, "secret", VERIFIED_FOR).is_err());
        verified.check(&User { password: PasswordCheck::Default, ..user.clone() }, DEFAULT_PASSWORD, Duration::ZERO).unwrap();
        verified.clear();
        assert!(verified.check(&user, "secret", Duration::ZERO).is_err());
    }
}
